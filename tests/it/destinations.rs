//! `houbu check` with every destination that a hospital can configure: right, with another secret, at an address where nobody is, and
//! at one where something else is. One line each, with the keys to look at.

use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use houbu::ports::his::Protocol;
use houbu::ports::payments::Provider;
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::Level;
use houbu::sandbox::outside::{Outside, SandboxClock};
use houbu::sandbox::wechat_messages::MessagesAs;
use secrecy::ExposeSecret;

/// A destination: its section, its name in what is said, its secret and its address by their keys.
struct Destination {
    section: &'static str,
    name: &'static str,
    secret: &'static str,
    address: &'static str,
}

const DESTINATIONS: [Destination; 5] = [
    Destination { section: "his.oauth", name: "HIS (fhir)", secret: "client_secret", address: "token_url" },
    Destination { section: "payment_platform", name: "payment platform", secret: "sign_key", address: "url" },
    Destination { section: "wechat_messages", name: "WeChat messages", secret: "secret", address: "base_url" },
    Destination { section: "message_platform", name: "message platform", secret: "key", address: "url" },
    Destination { section: "sms", name: "SMS", secret: "key", address: "url" },
];

const ANOTHER: &str = "another-secret-of-enough-bytes";

/// The configuration of all of them at the sandbox.
async fn configured() -> (Outside, String) {
    let (clock, zone) = (SandboxClock::at(Utc::now()), chrono_tz::Asia::Shanghai);
    let outside = Outside::start(7, Level::None, zone, Store::in_memory(), clock).await.unwrap();
    let outside = outside.speaking(Protocol::Fhir).paid_through(Provider::Platform).telling(MessagesAs::Platform);
    outside.furnish(Utc::now().with_timezone(&zone).date_naive()).await.unwrap();
    let patience = Duration::from_secs(5);
    let public_url = "http://127.0.0.1:9";
    let sections = outside.configuration(public_url, patience).unwrap();
    let wechat = outside.messages.client_config(patience);
    let own = |key: &str| {
        let line = sections.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.unwrap_or_else(|| panic!("no {key} in {sections}")).to_owned()
    };
    let text = format!(
        "public_url = \"{public_url}\"\n{sections}\n\n[his.oauth]\ntoken_url = \"{}\"\nclient_id = {}\nclient_secret = {}\n\n\
         [wechat_messages]\nbase_url = \"{}\"\napp_id = \"{}\"\nsecret = \"{}\"\ntimeout_ms = 5000\n",
        outside.his.token_url(),
        own("user_id"),
        own("sign_key"),
        wechat.base_url,
        wechat.app_id,
        wechat.secret.expose_secret(),
    );
    (outside, text)
}

/// The same with one value of every destination replaced.
fn but(text: &str, key: impl Fn(&Destination) -> &'static str, by: impl Fn(&str) -> String) -> String {
    let mut section = "";
    let lines = text.lines().map(|line| {
        section = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).unwrap_or(section);
        let named = DESTINATIONS.iter().find(|it| it.section == section);
        let value = named.and_then(|it| {
            let prefix = format!("{} = \"", key(it));
            Some((line.strip_prefix(&prefix)?.strip_suffix('"')?, prefix))
        });
        value.map_or_else(|| line.to_owned(), |(value, prefix)| format!("{prefix}{}\"", by(value)))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `houbu check` says.
async fn checked(text: String) -> String {
    let ran = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("houbu.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
        command.arg("check").current_dir(folder.path()).env("HOUBU_CONFIG", &file);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nothing");
        // With real systems the keys that everybody knows are refused.
        command.env("HOUBU_KEYS__SEALING", "7".repeat(64)).env("HOUBU_KEYS__LOOKUP", "8".repeat(64));
        command.output().unwrap()
    });
    let output = ran.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("✓ configuration"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(ANOTHER), "a secret is shown: {said}");
    said
}

/// Holds that each destination has one line, and that it says so.
fn each_says(said: &str, mark: &str, expected: [&str; 5]) {
    for (destination, expected) in DESTINATIONS.iter().zip(expected) {
        let Destination { section, name, .. } = destination;
        let about: Vec<&str> = ["✓", "✗"].iter().flat_map(|mark| lines(said, mark, name)).collect();
        let [line] = about[..] else { panic!("{name}: {about:?} of\n{said}") };
        assert!(line.starts_with(mark) && line.contains(expected), "{expected}: {line}");
        assert!(mark == "✓" || line.contains(&format!("look at [{section}]")), "{line}");
    }
}

fn lines<'a>(said: &'a str, mark: &str, name: &str) -> Vec<&'a str> {
    let begins = [format!("{mark} {name}: "), format!("{mark} {name} ")];
    said.lines().filter(|line| begins.iter().any(|it| line.starts_with(it.as_str()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_of_every_kind_of_destination_what_is_wrong_and_how_to_mend_it() {
    let (_outside, right) = configured().await;
    each_says(&checked(right.clone()).await, "✓", ["answers"; 5]);

    let another_secret = but(&right, |it| it.secret, |_| ANOTHER.to_owned());
    let not_let_in = "it does not let us in, our key";
    let differ = "the keys of the two sides differ";
    let secret = "the secret is not this account's";
    each_says(&checked(another_secret).await, "✗", [not_let_in, differ, secret, not_let_in, not_let_in]);

    let nobody = but(&right, |it| it.address, |_| "http://127.0.0.1:9/here".to_owned());
    each_says(&checked(nobody).await, "✗", ["does a firewall let us out"; 5]);

    // A server that has none of these paths.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}/nowhere", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let elsewhere = but(&right, |it| it.address, |_| other.clone());
    each_says(&checked(elsewhere).await, "✗", ["the path is wrong"; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_an_address_is_said_before_anything_is_asked() {
    let (_outside, right) = configured().await;
    let said = checked(but(&right, |it| it.address, |_| "our gateway".to_owned())).await;
    for Destination { name, section, .. } in DESTINATIONS {
        let section = section.split('.').next().unwrap_or_default();
        let told = lines(&said, "✗", name);
        let told = if name == "HIS (fhir)" { lines(&said, "✗", "HIS") } else { told };
        assert!(told.len() == 1 && told[0].contains(section), "{name}: {told:?}");
    }
}

/// Whoever logs staff in is a destination as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_identity_provider_is_asked_who_it_is() {
    let (_outside, right) = configured().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let describes = |issuer: String, as_whom: String| {
        let at = |path: &str| format!("{issuer}{path}");
        serde_json::json!({
            "issuer": as_whom, "authorization_endpoint": at("/in"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        })
    };
    let (itself, another) =
        (describes(issuer.clone(), issuer.clone()), describes(issuer.clone(), "https://x".to_owned()));
    let keys = serde_json::json!({ "keys": [{ "kty": "EC" }] });
    let says = |body: serde_json::Value| axum::routing::get(move || async { axum::Json(body) });
    let router = axum::Router::new()
        .route("/.well-known/openid-configuration", says(itself))
        .route("/another/.well-known/openid-configuration", says(another))
        .route("/keys", says(keys));
    tokio::spawn(async move { axum::serve(listener, router).await });
    for (path, mark, expected) in [
        ("", "✓", "answers (discovery, keys)"),
        ("/another", "✗", "calls itself by another name"),
        ("/nowhere", "✗", "the path is wrong"),
    ] {
        let oidc = format!(
            "[oidc]\nissuer = \"{issuer}{path}\"\nclient_id = \"houbu\"\ntimeout_ms = 5000\n[oidc.roles]\nviewer = [\"all\"]\n"
        );
        let said = checked(format!("{right}\n{oidc}")).await;
        let [line] = lines(&said, mark, "identity provider")[..] else { panic!("{said}") };
        assert!(line.contains(expected) && (mark == "✓" || line.ends_with("look at [oidc] issuer")), "{line}");
    }
    let without = checked(right).await;
    assert!(!without.contains("identity provider"), "{without}");
}
