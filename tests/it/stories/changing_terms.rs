//! Settings that are changed while people wait (R24, R29): whoever waits goes by what they began with, until staff carry the
//! change over to them. A fee that changes meanwhile is that of whoever has not paid yet (R6, R20).

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::engine::staff::By;
use houbu::waitlist::policy::{FeeChange, Level, PaymentMode};
use reqwest::Method;
use serde_json::{Value, json};

use super::{APPLICATION, RELEASE, Told, of_release, statuses};
use crate::hospital::world::{CAMPUS, FEE_FEN, costs, cutoff, local};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const ENDED_SOONER: &[&str] = &["Waiting on Terms: Renewed", "Waiting on deadline: Expired"];
const CLOSED_SOONER: &[&str] = &["Idle on Terms: Renewed", "Idle on deadline: CutOff"];

pub const TOLD: &[Told] = &[(APPLICATION, ENDED_SOONER), (RELEASE, CLOSED_SOONER)];

/// The campus has other settings from now on, and those that are named here beside its own.
pub(super) async fn changes(hospital: &Hospital, settings: &Value) {
    let path = format!("/v1/policies/campus/{CAMPUS}");
    let mut policy = hospital.ask(Method::GET, &path, None).await;
    policy.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    hospital.ask(Method::PUT, &path, Some(policy)).await;
}

pub(super) async fn carries_over(hospital: &Hospital) -> Value {
    let why = json!({ "reason": "the hospital closes early that day" });
    hospital.ask(Method::POST, &format!("/v1/policies/campus/{CAMPUS}/applications"), Some(why)).await
}

async fn ends(hospital: &Hospital, entry: RunId) -> Value {
    hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await["expiryDate"].clone()
}

async fn applies_until(hospital: &Hospital, patient: &str, latest: &str) -> RunId {
    let body = json!({ "scheduleId": "w1-am", "patientId": patient, "latestAt": latest });
    let joined = hospital.ask(Method::POST, "/v1/waitlist", Some(body)).await;
    joined["waitlistId"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_an_earlier_cutoff_is_carried_over_to_whoever_waits_and_the_audit_knows() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = applies_until(&hospital, "p2", "2026-09-03T10:00:00+08:00").await;
    let elsewhere = hospital.apply("w2-am", 3).await;
    changes(&hospital, &json!({ "cutoff": { "daysBefore": 1, "at": "12:00:00", "onWorkingDay": false } })).await;
    assert_eq!(ends(&hospital, first).await, "2026-09-03T18:00:00+08:00", "whoever waits keeps what they began with");
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 2, "applications": 3 }));
    assert_eq!(ends(&hospital, first).await, "2026-09-03T12:00:00+08:00");
    assert_eq!(ends(&hospital, second).await, "2026-09-03T10:00:00+08:00", "the patient's own earlier end stays");
    hospital.pass_until(local(3, 11, 59)).await;
    assert_eq!(statuses(&hospital, [first, second, elsewhere]).await, ["waiting", "expired", "waiting"]);
    hospital.pass_until(local(3, 12, 0)).await;
    assert_eq!(statuses(&hospital, [first, second, elsewhere]).await, ["expired", "expired", "expired"]);
    assert_eq!(hospital.steps(first).await, ENDED_SOONER);
    assert_eq!(hospital.release_steps("w1-am").await, CLOSED_SOONER);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_failed"]);
    let audit = hospital.ask(Method::GET, "/v1/audit?verb=policy.carryOver", None).await;
    let deed = &audit["items"][0];
    assert_eq!(deed["reason"], "the hospital closes early that day", "{audit}");
    assert_eq!((&deed["before"]["id"], &deed["after"]["applications"]), (&json!(CAMPUS), &json!(3)));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_later_cutoff_is_carried_over_and_places_are_handed_out_until_then() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    changes(&hospital, &json!({ "cutoff": { "daysBefore": 1, "at": "20:00:00", "onWorkingDay": false } })).await;
    carries_over(&hospital).await;
    hospital.pass_until(cutoff() + chrono::TimeDelta::hours(1)).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Half past six, where the queues that have opened close at six and the settings say eight by now.
pub(super) async fn passes_the_first_cutoff(hospital: &Hospital) {
    hospital.pass_until(cutoff() + chrono::TimeDelta::minutes(30)).await;
}

pub(super) fn at_eight() -> Value {
    json!({ "cutoff": { "daysBefore": 1, "at": "20:00:00", "onWorkingDay": false } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_later_cutoff_is_carried_over_to_a_queue_in_which_nobody_stands() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.withdraw(first).await;
    changes(&hospital, &at_eight()).await;
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 1, "applications": 0 }));
    passes_the_first_cutoff(&hospital).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(second).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_whoever_joins_by_a_later_cutoff_is_served_until_then() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    changes(&hospital, &at_eight()).await;
    let second = hospital.apply("w1-am", 2).await;
    passes_the_first_cutoff(&hospital).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["expired", "booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_whoever_comes_back_from_an_offer_goes_by_what_was_carried_over_meanwhile() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.declines_max = Some(2);
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    changes(&hospital, &at_eight()).await;
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 1, "applications": 1 }));
    assert_eq!(ends(&hospital, entry).await, "2026-09-03T18:00:00+08:00", "the offer keeps its terms");
    hospital.decline(entry).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(ends(&hospital, entry).await, "2026-09-03T20:00:00+08:00");
    passes_the_first_cutoff(&hospital).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// An offer that is out at the old cutoff keeps the hand-out from hearing of the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_hand_out_that_is_offering_at_the_old_cutoff_hears_of_the_later_one() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.pass_until(cutoff() - chrono::TimeDelta::minutes(1)).await;
    changes(&hospital, &at_eight()).await;
    hospital.mishaps.plan(Point::AfterCall, &of_release("Matching"), Act::Fail, 7);
    hospital.free_a_place_and_go_on("w1-am").await;
    let failing = "select exists (select from run where workflow = 'slot_release' and attempt > 0)";
    let failing = async || sqlx::query_scalar(failing).fetch_one(&hospital.db.pool).await.unwrap();
    wait_for("the hand-out to be at it", failing).await;
    carries_over(&hospital).await;
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    hospital.finish().await;
}

/// Somebody holds the application that came first, and asks for one that came later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_whoever_locks_runs_in_the_order_of_their_ids_is_in_nobodys_way_while_settings_are_carried_over() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    // By schedule the later one comes first.
    let [lower, higher] = [hospital.apply("w2-am", 1).await, hospital.apply("w1-am", 2).await];
    let mut other = hospital.db.pool.begin().await.unwrap();
    let lock = "select id from run where id = $1 for update nowait";
    sqlx::query(lock).bind(lower).execute(&mut *other).await.unwrap();
    let meets = async {
        let blocked = "select exists (select from pg_stat_activity
                                      where datname = current_database() and wait_event_type = 'Lock')";
        let blocked = async || sqlx::query_scalar(blocked).fetch_one(&hospital.db.pool).await.unwrap();
        wait_for("the settings to be carried over", blocked).await;
        sqlx::query(lock).bind(higher).execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    };
    let by = By { who: "staff".to_owned(), reason: "the hospital closes early".to_owned() };
    let (carried, ()) = tokio::join!(hospital.desk.carry_over(Level::Campus, CAMPUS, &by), meets);
    assert_eq!(carried.unwrap().applications, 2);
    hospital.until_still().await;
    hospital.finish().await;
}

/// What was carried over counts, how it is paid does not change, and a cutoff that has passed by the new settings ends the
/// wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_windows_and_limits_are_carried_over_and_the_mode_of_payment_is_not() {
    let hospital = Hospital::open(Setup::paying(PaymentMode::LockThenPay)).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "waiting"]);
    changes(&hospital, &json!({ "paymentMode": "none", "offerWindowMinutes": 5 })).await;
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 1, "applications": 2 }));
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "waiting"], "an offer keeps its terms");
    hospital.pass_minutes(20).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["lapsed", "offered"], "the second still pays");
    hospital.pass_minutes(5).await;
    assert_eq!(hospital.status(second).await, "lapsed", "within the shorter window");

    let third = hospital.apply("w2-am", 3).await;
    let past = json!({ "daysBefore": 3, "at": "09:00:00", "onWorkingDay": false });
    changes(&hospital, &json!({ "cutoff": past })).await;
    carries_over(&hospital).await;
    assert_eq!(hospital.status(third).await, "expired");
    hospital.finish().await;
}

/// What was paid for the only visit, by HIS's books and by the provider's, and what we say that it costs.
async fn paid(hospital: &Hospital, entry: RunId) -> (Option<i64>, Vec<i64>, Value) {
    let at_his = hospital.his.books().await.orders.into_iter().find(|order| !order.ordinary).unwrap();
    let paid = hospital.pay.books().await.orders.into_iter().filter(|order| order.paid_at.is_some());
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    (at_his.paid.map(|paid| paid.amount_fen), paid.map(|order| order.amount_fen).collect(), shown["feeFen"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_whoever_has_not_paid_pays_the_fee_of_the_day_of_the_offer() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    costs(&hospital, FEE_FEN + 1_500).await;
    hospital.free_a_place("w1-am").await;
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!(
        (&shown["status"], &shown["feeFen"]),
        (&json!("offered"), &json!(FEE_FEN + 1_500)),
        "before it is accepted"
    );
    hospital.confirm(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let fee = FEE_FEN + 1_500;
    assert_eq!(paid(&hospital, entry).await, (Some(fee), vec![fee], json!(fee)));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_visit_that_costs_nothing_any_more_is_booked_at_once() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    costs(&hospital, 0).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(paid(&hospital, entry).await, (None, vec![], json!(0)));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_what_was_paid_in_advance_stays_the_fee_where_the_hospital_says_so() {
    let mut setup = Setup::paying(PaymentMode::Prepay);
    setup.policy.fee_change = Some(FeeChange::KeepPaid);
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    costs(&hospital, FEE_FEN - 1_000).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(paid(&hospital, entry).await, (Some(FEE_FEN), vec![FEE_FEN], json!(FEE_FEN)));
    hospital.finish().await;
}
