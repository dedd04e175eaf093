//! `houbu serve` before there is a user, and `houbu users` and `houbu keys` at a terminal: the real binary.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::PASSWORD;
use crate::cluster::Database;
use crate::patience::{wait_at_most, wait_for};

fn houbu(db: &Database) -> Command {
    let mut houbu = Command::new(env!("CARGO_BIN_EXE_houbu"));
    houbu.env_clear().env("DATABASE_URL", db.url()).env("HOUBU_LISTEN", "127.0.0.1:0").env("USER", "ann");
    houbu.env("HOUBU_LOG__FILTER", "warn").stdin(Stdio::null());
    houbu
}

async fn says(db: &Database, arguments: &[&str]) -> (i32, String, String) {
    let mut command = houbu(db);
    command.args(arguments).current_dir(std::env::temp_dir());
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let Output { status, stdout, stderr } = ended.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// `houbu serve`, ended with the test.
struct Serving {
    child: Child,
    folder: tempfile::TempDir,
}

impl Serving {
    async fn start(db: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = std::fs::File::create(folder.path().join("said")).unwrap();
        let mut command = houbu(db);
        command.arg("serve").current_dir(folder.path()).stdout(said).stderr(Stdio::inherit());
        let serving = Self { child: command.spawn().unwrap(), folder };
        wait_at_most(Duration::from_mins(1), "the process to serve", || async {
            serving.said().contains("No API key is configured")
        })
        .await;
        serving
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    fn link(&self) -> Option<String> {
        let said = self.said();
        said.split_whitespace().find(|word| word.contains("/welcome/")).map(str::to_owned)
    }

    async fn end(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_prints_a_link_for_the_first_administrator_until_there_is_one() {
    let db = Database::new().await;
    let serving = Serving::start(&db).await;
    wait_for("the link", || async { serving.link().is_some() }).await;
    let link = serving.link().unwrap();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = http.get(&link).header("accept-language", "en").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("You become the first administrator"));
    let password = PASSWORD.replace(' ', "+").replace(',', "%2C");
    let form = format!("name=anna&password={password}&again={password}");
    let chosen = http.post(&link).header("content-type", "application/x-www-form-urlencoded").body(form);
    let chosen = chosen.send().await.unwrap();
    assert_eq!(chosen.status(), 303);
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let base = link.split_once("/welcome/").unwrap().0;
    let home = http.get(format!("{base}/users")).header("cookie", cookie).send().await.unwrap();
    assert!(home.text().await.unwrap().contains("<b>anna</b>"));
    serving.end().await;

    let serving = Serving::start(&db).await;
    assert!(serving.said().contains("Ctrl-C ends") && serving.link().is_none(), "{}", serving.said());
    serving.end().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_keys_are_kept_at_a_terminal() {
    let db = Database::new().await;
    let why = ["--reason", "the first day"];
    let run = async |words: &[&str], with_why: bool| {
        let words: Vec<&str> = words.iter().copied().chain(why.into_iter().filter(|_| with_why)).collect();
        says(&db, &words).await
    };
    let (code, out, err) = run(&["users", "invite", "anna", "--role", "operator"], true).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("http://127.0.0.1:0/welcome/"), "{out}");
    let (code, _, err) = run(&["users", "invite", "anna", "--role", "viewer"], true).await;
    assert_eq!((code, err.trim()), (2, "This name is taken."));
    assert_eq!(run(&["users", "invite", "bert", "--role", "root"], true).await.0, 2);
    assert_eq!(run(&["users", "disable", "anna"], true).await.0, 0);
    assert_eq!(run(&["users", "link", "nobody"], true).await.0, 2);
    let (_, out, _) = run(&["users", "list", "--json"], false).await;
    let users: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&users["items"][0]["name"], &users["items"][0]["state"]), (&"anna".into(), &"disabled".into()));
    assert_eq!(run(&["users", "enable", "anna"], true).await.0, 0);

    let (code, secret, err) = run(&["keys", "add", "website", "--scopes", "waitlist,runs"], true).await;
    assert_eq!(code, 0, "{err}");
    assert!(secret.starts_with("houbu_") && err.contains("not shown again"), "{err}");
    let (code, second, _) = run(&["keys", "rotate", "website", "--overlap-hours", "2"], true).await;
    assert!(code == 0 && second != secret);
    let (_, out, _) = run(&["keys", "list", "--json"], false).await;
    let keys: Value = serde_json::from_str(&out).unwrap();
    let website = &keys["items"][0];
    assert_eq!(website["scopes"], serde_json::json!(["waitlist", "runs"]));
    assert_eq!(website["secrets"].as_array().unwrap().len(), 2);
    assert_eq!((&website["secrets"][0]["endsAt"], &website["madeBy"]), (&Value::Null, &"ann@cli".into()));
    assert!(website["secrets"][1]["endsAt"].is_string());
    assert!(run(&["keys", "list"], false).await.1.contains("website"));
    assert_eq!(run(&["keys", "revoke", "website"], true).await.0, 0);
    let (code, _, err) = run(&["keys", "rotate", "website"], true).await;
    assert_eq!((code, err.trim()), (2, "This key is revoked."));
    let audited: Vec<(String, String, String)> =
        sqlx::query_as("select who, verb, reason from audit order by id").fetch_all(&db.pool).await.unwrap();
    assert!(audited.iter().all(|(who, _, reason)| who == "ann@cli" && reason == "the first day"), "{audited:?}");
    let verbs: Vec<&str> = audited.iter().map(|(_, verb, _)| verb.as_str()).collect();
    assert_eq!(verbs, ["user.invite", "user.disable", "user.enable", "key.make", "key.rotate", "key.revoke"]);
    db.remove().await;
}
