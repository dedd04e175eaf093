//! `houbu runs`, `jobs`, `reconciliation` and `notices` as a person at a terminal uses them: the real binary on a database that somebody works at.

use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hospital::world::{HOSPITAL, local};
use crate::hospital::{Hospital, KEY};
use houbu::engine::sabotage::{Act, Point};
use houbu::waitlist::notice::FailReason;
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::template::TemplateName;

/// What the program said, and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {} {}", self.out, self.err))
    }
}

async fn houbu(hospital: &Hospital, arguments: &[&str]) -> Said {
    says(hospital, "runs", arguments).await
}

async fn says(hospital: &Hospital, about: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
    command.arg(about).args(arguments);
    command.env("DATABASE_URL", hospital.db.url()).env("HOUBU_HOSPITAL", HOSPITAL).env("USER", "ann");
    said(command).await
}

async fn said(mut command: Command) -> Said {
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let Output { status, stdout, stderr } = ended.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_staff_look_and_act_at_the_terminal() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    let id = first.to_string();

    let list = houbu(&hospital, &["list", "--workflow", "waitlist_application"]).await;
    assert_eq!(list.code, 0, "{}", list.err);
    assert!(
        list.out.contains(&id)
            && list.out.contains(
                "Waiting for Offer or Withdrawal or Stoppage or Terms or Change or Consent or LateMoney until"
            ),
        "{}",
        list.out
    );
    let list = houbu(&hospital, &["list", "--status", "waiting", "--step", "Waiting", "--json"]).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let why = houbu(&hospital, &["why", "slot_release/w1-am"]).await;
    assert!(why.out.starts_with("Waiting for Freed or Terms or Change or Stoppage until"), "{}{}", why.out, why.err);

    let show = houbu(&hospital, &["show", &id]).await;
    assert!(show.out.contains("It goes to Clearing."), "{}", show.out);
    let verbs = houbu(&hospital, &["verbs", &id, "--json"]).await.json();
    assert_eq!(verbs["items"][0]["code"], "not_suspended");

    let refused = houbu(&hospital, &["retry", &id, "--reason", "to see"]).await;
    assert_eq!((refused.code, refused.err.trim()), (2, "✗ retry: The run is neither suspended nor backing off."));
    let suspended = houbu(&hospital, &["suspend", &id, "-r", "a call from the department"]).await;
    assert_eq!((suspended.code, suspended.out.trim()), (0, "✓ suspend: the run is suspended at Waiting"));
    let history = houbu(&hospital, &["history", &id]).await;
    assert!(history.out.contains("ann@cli: a call from the department"), "{}", history.out);
    let who: Vec<String> = sqlx::query_scalar("select who || ' ' || verb from audit where job is null")
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(who, ["ann@cli suspend"]);

    let bulk = ["bulk", "begin", "cancel", "--workflow", "waitlist_application", "-r", "the doctor has left"];
    let dry = houbu(&hospital, &bulk).await;
    assert!(dry.out.contains("The filter holds 2 runs; 2 of the 2 looked at would change."), "{}{}", dry.out, dry.err);
    assert!(dry.out.contains("waitlist_application") && dry.out.contains("the doctor has left"), "{}", dry.out);
    assert_eq!(hospital.status(second).await, "waiting", "it was only asked");
    // What it said is what it does: whoever joins meanwhile is left alone.
    let late = hospital.apply("w1-am", 3).await;
    let preview = preview_of(&dry.out);
    let done = houbu(&hospital, &[&bulk[..], &["--yes", "--preview", &preview, "--json"]].concat()).await.json();
    assert_eq!(hospital.status(late).await, "waiting");
    let other = ["bulk", "begin", "suspend", "--workflow", "waitlist_application", "-r", "x", "--yes", "--preview"];
    let refused = houbu(&hospital, &[&other[..], &[&preview]].concat()).await;
    assert!(refused.code == 2 && refused.err.contains("another verb"), "{}{}", refused.out, refused.err);
    let bulk = &done["items"][0];
    assert_eq!((&bulk["status"], &bulk["done"], &bulk["refused"]), (&json!("done"), &json!(2), &json!({})));
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(first).await, "withdrawn");
    assert_eq!(hospital.status(second).await, "withdrawn");
    let everybody = houbu(&hospital, &["bulk", "begin", "cancel", "-r", "everything", "--yes"]).await;
    assert_eq!(everybody.code, 1, "a bulk without a filter is none");
    let nobody = houbu(&hospital, &["why", "waitlist_application/nobody"]).await;
    assert!(nobody.code == 1 && nobody.err.contains("there is no run"), "{}", nobody.err);
    hospital.finish().await;
}

/// The preview that a plan names.
fn preview_of(plan: &str) -> String {
    let named = plan.split_once("--preview ").and_then(|(_, rest)| rest.split_whitespace().next());
    named.unwrap_or_else(|| panic!("no preview in {plan}")).to_owned()
}

/// R37: the same with a key and no way to the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_staff_look_and_act_over_the_api_from_afar() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    let afar = async |key: &str, arguments: &[&str]| -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
        command.arg("runs").args(arguments).env("HOUBU_API_URL", hospital.door.address()).env("HOUBU_API_KEY", key);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
        said(command).await
    };
    let houbu = async |arguments: &[&str]| afar(KEY, arguments).await;

    let list = houbu(&["list", "--status", "waiting", "--step", "Waiting", "--json"]).await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let id = first.to_string();
    let show = houbu(&["show", &id]).await;
    assert!(show.out.contains("It goes to Clearing."), "{}{}", show.out, show.err);
    let why = houbu(&["why", "slot_release/w1-am"]).await;
    assert!(why.out.starts_with("Waiting for Freed or Terms or Change or Stoppage until"), "{}{}", why.out, why.err);
    let verbs = houbu(&["verbs", &id, "--json"]).await.json();
    assert_eq!(verbs["items"][0]["code"], "not_suspended");
    let refused = houbu(&["retry", &id, "--reason", "to see"]).await;
    assert_eq!((refused.code, refused.err.trim()), (2, "✗ retry: The run is neither suspended nor backing off."));
    let suspended = houbu(&["suspend", &id, "-r", "a call from the department"]).await;
    assert_eq!((suspended.code, suspended.out.trim()), (0, "✓ suspend: the run is suspended at Waiting"));
    let history = houbu(&["history", &id]).await;
    assert!(history.out.contains("stories@api: a call from the department"), "{}", history.out);
    let named = houbu(&["resume", &id, "-r", "to see", "--who", "ann"]).await;
    assert!(named.code == 1 && named.err.contains("the key says who it is"), "{}", named.err);

    let bulk = ["bulk", "begin", "cancel", "--workflow", "waitlist_application", "-r", "the doctor has left"];
    let dry = houbu(&bulk).await;
    assert!(dry.out.contains("The filter holds 2 runs; 2 of the 2 looked at would change."), "{}{}", dry.out, dry.err);
    let late = hospital.apply("w1-am", 3).await;
    let preview = preview_of(&dry.out);
    let done = houbu(&[&bulk[..], &["--yes", "--preview", &preview, "--json"]].concat()).await.json();
    assert_eq!(hospital.status(late).await, "waiting");
    let void = houbu(&[&bulk[..], &["--yes", "--preview", &Uuid::now_v7().to_string()]].concat()).await;
    assert!(void.code == 2 && void.err.contains("no such preview"), "{}{}", void.out, void.err);
    let bulk = &done["items"][0];
    assert_eq!((&bulk["status"], &bulk["done"], &bulk["refused"]), (&json!("done"), &json!(2), &json!({})));
    hospital.pass_minutes(1).await;
    assert_eq!(
        (hospital.status(first).await.as_str(), hospital.status(second).await.as_str()),
        ("withdrawn", "withdrawn")
    );
    let wrong = afar("a-key-that-nobody-has-ever-made", &["list"]).await;
    assert!(wrong.code == 1 && wrong.err.contains("no valid API key"), "{}", wrong.err);
    assert!(!wrong.err.contains("nobody-has-ever"), "{}", wrong.err);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_turn_jobs_at_the_terminal_and_over_http() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let jobs = async |arguments: &[&str]| says(&hospital, "jobs", arguments).await;
    let list = jobs(&["list"]).await;
    assert!(list.out.contains("schedule_sync") && list.out.contains("paused by the story"), "{}{}", list.out, list.err);
    let again = jobs(&["pause", "schedule_sync", "-r", "to see"]).await;
    assert_eq!((again.code, again.err.trim()), (2, "The job is paused already."));
    let resumed = jobs(&["resume", "schedule_sync", "-r", "the upgrade is over"]).await;
    assert_eq!((resumed.code, resumed.out.trim()), (0, "schedule_sync: done"));
    let run = jobs(&["run", "schedule_sync", "-r", "places were freed by hand", "--json"]).await.json();
    assert_eq!(run["runIds"].as_array().map(Vec::len), Some(1));
    hospital.until_still().await;
    let shown = jobs(&["show", "schedule_sync", "--json"]).await.json();
    assert_eq!((&shown["status"], &shown["lastRunStatuses"]), (&json!("waiting"), &json!({ "completed": 1 })));
    assert_eq!(shown["nextTicks"].as_array().map(Vec::len), Some(10));
    let shown = jobs(&["show", "schedule_sync"]).await;
    assert!(shown.out.contains("2026-09-01 10:30:00") && shown.out.contains("Synced"), "{}", shown.out);
    assert_eq!(jobs(&["run", "nothing", "-r", "to see"]).await.code, 2);

    let asked = async |method, path, body| hospital.door.ask(method, path, body).await;
    let why = || Some(json!({ "reason": "HIS is being upgraded" }));
    let named: Vec<String> = asked(Method::GET, "/v1/jobs", None).await.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|job| job["job"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(named, ["breach_sync", "reconciliation", "schedule_sync"]);
    assert_eq!(asked(Method::GET, "/v1/jobs/nothing", None).await.status, 404);
    assert_eq!(asked(Method::POST, "/v1/jobs/nothing/run", why()).await.status, 404);
    assert_eq!(asked(Method::POST, "/v1/jobs/schedule_sync/resume", why()).await.code(), "job_not_paused");
    let paused = asked(Method::POST, "/v1/jobs/schedule_sync/pause", why()).await.body;
    assert_eq!((&paused["status"], &paused["paused"]["reason"]), (&json!("paused"), &why().unwrap()["reason"]));
    assert_eq!(asked(Method::POST, "/v1/jobs/schedule_sync/pause", Some(json!({}))).await.code(), "invalid_request");
    let audit = asked(Method::GET, "/v1/audit?job=schedule_sync", None).await.body;
    let verbs: Vec<&str> = audit["items"].as_array().unwrap().iter().filter_map(|deed| deed["verb"].as_str()).collect();
    assert_eq!(verbs, ["job.pause", "job.run", "job.resume", "job.pause"]);
    hospital.finish().await;
}

/// R36: the days, the cases and their resolution at the terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_staff_resolve_differences_at_the_terminal() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let (order_id, _) = hospital.numbers(entry).await;
    assert!(hospital.his.plant(houbu::sandbox::his::Planted::SilentCancel, &order_id, "").await.unwrap());
    hospital.pass_until(local(2, 10, 30)).await;
    let books = async |arguments: &[&str]| says(&hospital, "reconciliation", arguments).await;
    let begun = books(&["run", "--day", "2026-09-01", "-r", "the auditors ask"]).await;
    assert!(begun.code == 0 && begun.out.starts_with("2026-09-01: compared by the run"), "{}{}", begun.out, begun.err);
    hospital.until_still().await;
    let days = books(&["days", "--json"]).await.json();
    assert_eq!((&days["items"][0]["day"], &days["items"][0]["found"]), (&json!("2026-09-01"), &json!(1)));
    assert!(books(&["days"]).await.out.contains("2026-09-01"));
    let cases = books(&["cases", "--json"]).await.json();
    let case = cases["items"][0]["caseId"].as_str().unwrap();
    assert!(books(&["cases"]).await.out.contains(&order_id));
    let shown = books(&["show", case]).await;
    assert!(shown.out.contains("visitNotAtHis") && shown.out.contains("register it again"), "{}", shown.out);
    let resolved = books(&["resolve", case, "-r", "registered again by telephone"]).await;
    assert_eq!((resolved.code, resolved.out.trim()), (0, format!("{case}: resolved").as_str()));
    let again = books(&["resolve", case, "-r", "once more"]).await;
    assert_eq!((again.code, again.err.trim()), (2, "the case is resolved already"));
    let resolved = books(&["cases", "--state", "resolved", "--json"]).await.json();
    assert_eq!(resolved["items"][0]["resolvedBy"], "ann@cli");
    assert_eq!(books(&["run", "--day", "2026-09-02", "-r", "today"]).await.code, 2);
    hospital.finish_in_disorder().await;
}

/// R23: the texts of notices, and what would be sent, at the terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_staff_look_at_texts_at_the_terminal() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let text = json!({
        "templateId": "TM1", "fields": { "thing1": "{doctor}" }, "sms": "{doctor}：{status}", "reason": "the platform's is new"
    });
    hospital.ask(Method::PUT, "/v1/templates/waitlist_submitted", Some(text)).await;
    let notices = async |arguments: &[&str]| says(&hospital, "notices", arguments).await;
    let all = notices(&["templates", "--json"]).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), TemplateName::ALL.len());
    assert_eq!((&all["items"][0]["version"], &all["items"][0]["text"]["templateId"]), (&json!(1), &json!("TM1")));
    assert!(notices(&["templates"]).await.out.contains("built in"));
    let entry = entry.to_string();
    let shown = notices(&["preview", "waitlist_submitted", "--entry", &entry]).await;
    assert!(shown.code == 0 && shown.out.contains("thing1: 医生w1"), "{}{}", shown.out, shown.err);
    let shown = notices(&["preview", "waitlist_failed", "--json"]).await.json();
    assert_eq!(shown["notices"].as_array().unwrap().len(), FailReason::ALL.len());
    let nobody = uuid::Uuid::now_v7().to_string();
    assert_eq!(notices(&["preview", "waitlist_booked", "--entry", &nobody]).await.code, 2);
    let listed = notices(&["list", &entry, "--json"]).await.json();
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["kind"]), (&json!("sent"), &json!("submitted")));
    assert!(notices(&["list", &entry]).await.out.contains("waitlist_submitted"));
    let id = listed["items"][0]["noticeId"].as_str().unwrap();
    let resent = notices(&["resend", &entry, id, "--sms", "-r", "the patient has called"]).await;
    assert_eq!((resent.code, resent.err.as_str()), (0, ""), "{}", resent.out);
    hospital.until_still().await;
    assert_eq!(hospital.sms.books().await[0].text, "医生w1：候补中");
    assert_eq!(notices(&["resend", &entry, "M1", "-r", "x"]).await.code, 2);
    assert_eq!(notices(&["list", &nobody]).await.code, 2);
    hospital.finish().await;
}

/// R4: what the tables forbid is said in words, not in the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_a_jump_into_a_queue_that_the_patient_has_joined_anew_says_what_to_do() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.mishaps.plan_for(entry, Point::AfterCall, "waitlist_application/Settlement", Act::Fail);
    let id = entry.to_string();
    hospital.withdraw(entry).await;
    assert_eq!(hospital.status(entry).await, "settling");
    hospital.apply("w1-am", 1).await;
    let jump = ["jump", &id, "Waiting", "--patch", r#"{"why": null}"#, "--reason", "the patient asks"];
    let refused = houbu(&hospital, &jump).await;
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
    assert!(refused.err.contains("joined this queue anew"), "{}", refused.err);
    hospital.finish().await;
}
