//! Who had booked and did not come (R32): HIS lists them day by day, the hospital's rules count them, and what HIS takes
//! back lifts what it led to.

use chrono::NaiveDate;
use futures::FutureExt;
use houbu::sandbox::his::BreachRecord;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};

use super::{BREACHES, Told, statuses};
use crate::hospital::Hospital;
use crate::hospital::world::{local, visit_date};

const PULLED: &[&str] = &["Pulling: Pulled", "Weighing: Weighed"];
/// A list of two pages, twice.
const PULLED_LONG: &[&str] =
    &["Pulling: More", "Pulling: More", "Pulling: More", "Pulling: Pulled", "Weighing: Weighed"];

pub const TOLD: &[Told] = &[(BREACHES, PULLED), (BREACHES, PULLED_LONG)];

fn august(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 8, day).unwrap()
}

/// The document of the patient of this number.
fn document(patient: u32) -> String {
    format!("E77{patient:05}")
}

/// The patient of this number, with a document that HIS knows too.
async fn registers(hospital: &Hospital, patient: u32) {
    let data = json!({
        "name": "张三", "idType": "5", "idNumber": document(patient), "phone": "13800138000",
        "openid": crate::hospital::world::openid(&hospital.messages, patient),
    });
    hospital.ask(Method::PUT, &format!("/v1/patients/p{patient}"), Some(data)).await;
}

/// HIS lists that this patient did not come on that day.
async fn misses(hospital: &Hospital, patient: u32, day: NaiveDate, department: &str) -> String {
    let id = format!("H-{patient}-{day}");
    misses_visit(hospital, patient, day, department, &id).await;
    id
}

async fn misses_visit(hospital: &Hospital, patient: u32, day: NaiveDate, department: &str, id: &str) {
    let breach = BreachRecord {
        his_order_id: id.to_owned(),
        visit_date: day,
        id_type: "5".to_owned(),
        id_number: document(patient),
        department_id: department.to_owned(),
        channel: "9".to_owned(),
        kind: "1".to_owned(),
    };
    hospital.his.set_breach(id, Some(breach)).await.unwrap();
}

/// The hospital's rule: two no-shows within thirty days keep out for ninety.
async fn rule(hospital: &Hospital, scope: &str) {
    let rule = json!({
        "event": "noShow", "windowDays": 30, "threshold": 2, "penaltyDays": 90, "scope": scope, "appealDays": 2
    });
    hospital.ask(Method::PUT, "/v1/blacklist-rules/no-shows", Some(rule)).await;
}

/// The last seven days are pulled now; the steps of the run that read this day.
async fn pull(hospital: &Hospital, day: NaiveDate) -> Vec<String> {
    let why = json!({ "reason": "somebody asks for it" });
    let started = hospital.ask(Method::POST, "/v1/jobs/breach_sync/run", Some(why)).await;
    hospital.until_still().await;
    assert_eq!(started["runIds"].as_array().map(Vec::len), Some(7));
    let run = "select id from run where workflow = 'breach_sync' and key like '%/' || $1 order by id desc limit 1";
    let run = sqlx::query_scalar(run).bind(day.to_string()).fetch_one(&hospital.db.pool).await.unwrap();
    hospital.steps(run).await
}

async fn listed(hospital: &Hospital, patient: u32) -> Option<Value> {
    let reply = hospital.door.ask(Method::GET, &format!("/v1/blacklist/p{patient}"), None).await;
    (reply.status == 200).then_some(reply.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_no_shows_pass_a_waiting_applicant_over_until_his_takes_one_back() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    registers(&hospital, 1).await;
    rule(&hospital, "hospital").await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    misses(&hospital, 1, august(30), "D1").await;
    let withdrawn = misses(&hospital, 1, august(31), "D7").await;
    assert_eq!(pull(&hospital, august(31)).await, PULLED);
    let entry = listed(&hospital, 1).await.expect("an entry");
    assert_eq!(entry["until"], "2026-11-30T00:00:00+08:00");
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "booked"]);
    assert_eq!(hospital.door.apply("w1-pm", "p1").await.code(), "blacklisted");

    // HIS corrects its list: what it had led to is lifted, and the turn was kept.
    hospital.his.set_breach(&withdrawn, None).await.unwrap();
    hospital.pass_until(local(2, 6, 0)).await;
    pull(&hospital, august(31)).await;
    assert_eq!(listed(&hospital, 1).await, None);
    let breaches = hospital.ask(Method::GET, "/v1/blacklist/p1/breaches", None).await;
    let states: Vec<&str> =
        breaches["items"].as_array().unwrap().iter().filter_map(|it| it["state"].as_str()).collect();
    assert_eq!(states, ["withdrawn", "counts"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(first).await, "booked");

    // And lists it again.
    misses(&hospital, 1, august(31), "D7").await;
    pull(&hospital, august(31)).await;
    assert!(listed(&hospital, 1).await.is_some());
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_a_stopped_clinic_is_nobody_s_no_show() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    registers(&hospital, 1).await;
    rule(&hospital, "hospital").await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let his_order: String = sqlx::query_scalar("select his_order_id from appointment where entry_id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    hospital.stop("w1-am").await;
    misses_visit(&hospital, 1, visit_date(), "D1", &his_order).await;
    misses(&hospital, 1, NaiveDate::from_ymd_opt(2026, 9, 3).unwrap(), "D1").await;
    hospital.pass_until(local(5, 6, 0)).await;
    pull(&hospital, visit_date()).await;
    assert_eq!(listed(&hospital, 1).await, None);
    let breaches = hospital.ask(Method::GET, "/v1/blacklist/p1/breaches", None).await;
    assert_eq!((&breaches["items"][0]["state"], &breaches["items"][0]["why"]), (&json!("excused"), &json!("stopped")));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_staff_lift_with_a_reason_and_the_next_pull_does_not_bring_it_back() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    rule(&hospital, "hospital").await;
    misses(&hospital, 1, august(30), "D1").await;
    misses(&hospital, 1, august(31), "D1").await;
    pull(&hospital, august(31)).await;
    // Nobody knew this document here; whoever comes with it has its breaches from the first moment.
    registers(&hospital, 1).await;
    assert!(listed(&hospital, 1).await.is_some());
    let lift = "/v1/blacklist/p1/lift";
    assert_eq!(hospital.door.ask(Method::POST, lift, Some(json!({ "reason": "" }))).await.status, 422);
    hospital.ask(Method::POST, lift, Some(json!({ "reason": "签到系统当日故障" }))).await;
    assert_eq!(listed(&hospital, 1).await, None);
    pull(&hospital, august(31)).await;
    assert_eq!(listed(&hospital, 1).await, None);
    let audit = hospital.ask(Method::GET, "/v1/audit?verb=blacklist.lift", None).await;
    let deed = &audit["items"][0];
    assert_eq!((&deed["reason"], &deed["who"]), (&json!("签到系统当日故障"), &json!("stories@api")));
    assert_eq!(deed["after"]["excusedBreaches"], 2);
    // The rule goes on counting what comes.
    misses(&hospital, 1, NaiveDate::from_ymd_opt(2026, 9, 1).unwrap(), "D1").await;
    misses(&hospital, 1, NaiveDate::from_ymd_opt(2026, 9, 2).unwrap(), "D1").await;
    hospital.pass_until(local(3, 6, 0)).await;
    pull(&hospital, NaiveDate::from_ymd_opt(2026, 9, 2).unwrap()).await;
    assert!(listed(&hospital, 1).await.is_some());
    hospital.ask(Method::DELETE, "/v1/blacklist-rules/no-shows", None).await;
    assert_eq!(listed(&hospital, 1).await, None, "what follows from a rule ends with it");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_an_appeal_is_decided_once_and_granting_it_lifts() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    registers(&hospital, 1).await;
    rule(&hospital, "hospital").await;
    let said = || Some(json!({ "said": "当日已到院，未能签到。" }));
    let appeal = "/v1/blacklist/p1/appeals";
    assert_eq!(hospital.door.ask(Method::POST, appeal, said()).await.code(), "no_appeal");
    misses(&hospital, 1, august(30), "D1").await;
    misses(&hospital, 1, august(31), "D1").await;
    pull(&hospital, august(31)).await;
    let opened = hospital.ask(Method::POST, appeal, said()).await;
    assert_eq!(opened["dueAt"], "2026-09-03T10:00:00+08:00");
    assert_eq!(hospital.ask(Method::POST, appeal, said()).await["appealId"], opened["appealId"], "one stands open");
    let decide = format!("/v1/blacklist-appeals/{}/decide", opened["appealId"].as_str().unwrap());
    let decision = |granted| Some(json!({ "granted": granted, "reason": "查看监控后确认" }));
    assert_eq!(hospital.ask(Method::POST, &decide, decision(false)).await["state"], "refused");
    assert!(listed(&hospital, 1).await.is_some());
    assert_eq!(hospital.door.ask(Method::POST, &decide, decision(true)).await.code(), "appeal_decided");
    let again = hospital.ask(Method::POST, appeal, said()).await;
    let decide = format!("/v1/blacklist-appeals/{}/decide", again["appealId"].as_str().unwrap());
    hospital.ask(Method::POST, &decide, decision(true)).await;
    assert_eq!(listed(&hospital, 1).await, None);
    let granted = hospital.ask(Method::GET, "/v1/blacklist-appeals?state=granted", None).await;
    assert_eq!(granted["items"][0]["decidedBy"], "stories@api");
    hospital.finish().await;
}

/// Counted in another department: here nothing is in the way, neither to join nor to be offered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_a_rule_by_department_holds_in_that_department_alone() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    registers(&hospital, 1).await;
    rule(&hospital, "department").await;
    misses(&hospital, 1, august(30), "D7").await;
    misses(&hospital, 1, august(31), "D7").await;
    pull(&hospital, august(31)).await;
    assert!(listed(&hospital, 1).await.is_some());
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    // Who missed as much here is refused here.
    registers(&hospital, 2).await;
    misses(&hospital, 2, august(30), "D1").await;
    misses(&hospital, 2, august(31), "D1").await;
    pull(&hospital, august(31)).await;
    assert_eq!(hospital.door.apply("w1-am", "p2").await.code(), "blacklisted");
    // Without the rule nothing follows from it, in no department.
    hospital.ask(Method::DELETE, "/v1/blacklist-rules/no-shows", None).await;
    assert!(listed(&hospital, 1).await.is_none());
    hospital.apply("w1-am", 2).await;
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_a_list_of_many_pages_is_read_whole() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    for patient in 1..=101 {
        misses(&hospital, patient, august(31), "D1").await;
    }
    assert_eq!(pull(&hospital, august(31)).await, PULLED_LONG);
    let counted: i64 = sqlx::query_scalar("select count(*) from breach where state = 'counts'")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(counted, 101);
    let plain: i64 = sqlx::query_scalar("select count(*) from breach b where b::text like '%E77%'")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(plain, 0, "no document's number stands in the table");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_a_line_that_moves_to_a_page_that_was_read_is_not_missed() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    for patient in 1..=101 {
        misses(&hospital, patient, august(31), "D1").await;
    }
    pull(&hospital, august(31)).await;
    hospital.pass_seconds(60).await;
    // HIS takes the first line back between the two pages: the only one of the second page is on the first one now.
    let (his, first) = (hospital.his.clone(), format!("H-1-{}", august(31)));
    let gone = first.clone();
    hospital.line.before_the_second_page(move || async move { his.set_breach(&gone, None).await.unwrap() }.boxed());
    let steps = pull(&hospital, august(31)).await;
    assert_eq!(steps, ["Pulling: More", "Pulling: More", "Pulling: Pulled", "Weighing: Weighed"]);
    let withdrawn: Vec<String> = sqlx::query_scalar("select his_order_id from breach where state = 'withdrawn'")
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(withdrawn, [first], "all others are listed as before");
    hospital.finish().await;
}
