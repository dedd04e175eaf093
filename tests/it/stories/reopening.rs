//! A hand-out that has closed, or has found nobody: a later cutoff takes it up again (R24, R34), and whoever joins at that very
//! moment is not passed over (R16).

use std::time::Duration;

use futures::FutureExt;
use houbu::ports::his::DayPart;
use houbu::sandbox::his::Becomes;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::changing_terms::{at_eight, carries_over, changes, passes_the_first_cutoff};
use super::{RELEASE, Told, of_release, statuses};
use crate::hospital::Hospital;
use crate::hospital::door::Door;
use crate::hospital::world::{cutoff, local, visit_date};
use crate::patience::{wait_at_most, wait_for};

const OPEN_AGAIN: &[&str] =
    &["Idle on deadline: CutOff", "Shut on Terms: Reopened", "Refreshing: Nobody", "Idle on Freed: Hint"];
const STAYS_SHUT: &[&str] = &["Idle on staff: cancelled", "Shut on Terms: Changed"];
const ON_ANOTHER_DAY: &[&str] = &["Idle on deadline: CutOff", "Shut on Change: Reopened"];

pub const TOLD: &[Told] = &[(RELEASE, OPEN_AGAIN), (RELEASE, ON_ANOTHER_DAY), (RELEASE, &["Shut on Terms: Changed"])];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_hand_out_that_has_closed_is_taken_up_again_by_a_later_cutoff() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    passes_the_first_cutoff(&hospital).await;
    let refused = hospital.door.apply("w1-am", "p2").await;
    assert_eq!(refused.code(), "past_cutoff");
    hospital.free_silently("w1-am", 1).await;
    changes(&hospital, &at_eight()).await;
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 1, "applications": 0 }));
    hospital.until_still().await;
    let second = hospital.apply("w1-am", 2).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["expired", "booked"], "what came free meanwhile is theirs");
    assert_eq!(hospital.release_steps("w1-am").await[..4], *OPEN_AGAIN);
    hospital.pass_until(cutoff() + chrono::TimeDelta::hours(2)).await;
    assert_eq!(hospital.release_steps("w1-am").await.last().unwrap(), "Idle on deadline: CutOff", "and closes again");
    hospital.finish().await;
}

/// Nobody has carried the change over: it counts for applications to come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_whoever_joins_by_a_later_cutoff_has_a_closed_hand_out_taken_up_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.apply("w1-am", 1).await;
    passes_the_first_cutoff(&hospital).await;
    hospital.free_silently("w1-am", 1).await;
    changes(&hospital, &at_eight()).await;
    let entries = [hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    hospital.until_still().await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_what_staff_have_ended_stays_ended() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let release = hospital.run_of_key("slot_release", "w1-am").await;
    hospital.staff_cancels(release).await;
    changes(&hospital, &at_eight()).await;
    assert_eq!(carries_over(&hospital).await, json!({ "schedules": 1, "applications": 1 }), "whoever waits");
    hospital.until_still().await;
    assert_eq!(hospital.release_steps("w1-am").await, STAYS_SHUT);
    assert_eq!(hospital.door.apply("w1-am", "p2").await.code(), "past_cutoff");
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// As a release left them that did not remember what had closed a hand-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_what_a_cutoff_had_closed_before_it_was_remembered_opens_again_and_what_staff_had_does_not() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.apply("w1-am", 1).await;
    let by_cutoff = hospital.run_of_key("slot_release", "w1-am").await;
    hospital.apply("w2-am", 2).await;
    let by_staff = hospital.run_of_key("slot_release", "w2-am").await;
    hospital.staff_cancels(by_staff).await;
    passes_the_first_cutoff(&hospital).await;
    let forgets = "update run_state set state = state - 'past' where run_id = any($1)";
    sqlx::query(forgets).bind([by_cutoff, by_staff]).execute(&hospital.db.pool).await.unwrap();
    let hears = "update run set listens = '{Stoppage,Change}' where id = any($1)";
    sqlx::query(hears).bind([by_cutoff, by_staff]).execute(&hospital.db.pool).await.unwrap();
    let before = include_str!("../../../migrations/0044_hand_outs_shut_before.sql");
    for _ in 0..2 {
        sqlx::raw_sql(before).execute(&hospital.db.pool).await.unwrap();
    }
    let past = "select array_agg(run_id) from run_state where state ->> 'past' = 'true'";
    let past: Vec<uuid::Uuid> = sqlx::query_scalar(past).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(past, [by_cutoff]);
    hospital.free_silently("w1-am", 1).await;
    changes(&hospital, &at_eight()).await;
    carries_over(&hospital).await;
    hospital.until_still().await;
    let third = hospital.apply("w1-am", 3).await;
    assert_eq!(hospital.status(third).await, "booked", "what came free meanwhile is theirs");
    assert_eq!(hospital.release_steps("w1-am").await[..4], *OPEN_AGAIN);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_schedule_that_moves_to_a_later_day_opens_its_queue_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let booked = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(booked).await, "booked");
    passes_the_first_cutoff(&hospital).await;
    let becomes = Becomes {
        doctor_id: "W1".to_owned(),
        doctor_name: "医生w1".to_owned(),
        visit_date: visit_date().succ_opt().unwrap(),
        part: DayPart::Morning,
    };
    hospital.becomes("w1-am", &becomes).await;
    hospital.until_still().await;
    let joined = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(joined).await, "booked");
    let steps = hospital.release_steps("w1-am").await;
    assert!(steps.windows(2).any(|two| two == ON_ANOTHER_DAY), "{steps:#?}");
    hospital.pass_until(local(4, 18, 0)).await;
    assert_eq!(hospital.release_steps("w1-am").await.last().unwrap(), "Idle on deadline: CutOff");
    hospital.finish().await;
}

/// The hand-out has seen that nobody waits, and has not written it down; somebody joins who was told that it has all in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_whoever_joins_while_a_hand_out_finds_nobody_gets_the_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let gone = hospital.apply("w1-am", 1).await;
    hospital.withdraw(gone).await;
    let body = json!({ "scheduleId": "w1-am", "patientId": "p2" });
    let request = hospital.door.keyed(Method::POST, "/v1/waitlist").json(&body);
    hospital.mishaps.just_after(&of_release("Refreshing"), move || {
        async move { assert_eq!(Door::reply(request).await.status, 201) }.boxed()
    });
    hospital.free_a_place("w1-am").await;
    hospital.until_still().await;
    let steps = hospital.release_steps("w1-am").await;
    assert_eq!(steps[..4], ["Idle on Freed: Hint", "Refreshing: Nobody", "Idle on Freed: Hint", "Refreshing: Found"]);
    let booked = "select count(*) from entry where status = 'booked' and patient_id = 'p2'";
    let booked: i64 = sqlx::query_scalar(booked).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(booked, 1);
    hospital.finish().await;
}

/// The other way about: who joins has looked at the hand-out, and it finds nobody before the application is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_whoever_has_looked_before_a_hand_out_finds_nobody_is_decided_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let gone = hospital.apply("w1-am", 1).await;
    hospital.withdraw(gone).await;
    hospital.free_silently("w1-am", 1).await;
    let release = hospital.run_of_key("slot_release", "w1-am").await;
    let mut other = hospital.db.pool.begin().await.unwrap();
    sqlx::query("select from run where id = $1 for update").bind(release).execute(&mut *other).await.unwrap();
    let body = json!({ "scheduleId": "w1-am", "patientId": "p2" });
    let joins = tokio::spawn(Door::reply(hospital.door.keyed(Method::POST, "/v1/waitlist").json(&body)));
    let blocked = "select exists (select from pg_stat_activity
                                  where datname = current_database() and wait_event_type = 'Lock' and query ~ 'admit')";
    let waits = async || sqlx::query_scalar(blocked).fetch_one(&hospital.db.pool).await.unwrap();
    wait_for("the application to wait for the hand-out", waits).await;
    let finds_nobody = r#"update run_state set state = state || '{"unasked": true}' where run_id = $1"#;
    sqlx::query(finds_nobody).bind(release).execute(&mut *other).await.unwrap();
    other.commit().await.unwrap();
    let joined = joins.await.unwrap();
    assert_eq!(joined.status, 201, "{}", joined.body);
    let entry = joined.body["waitlistId"].as_str().unwrap().parse().unwrap();
    let booked = async || hospital.status(entry).await == "booked";
    wait_at_most(Duration::from_secs(20), "the place to be booked", booked).await;
    hospital.finish().await;
}

/// Whoever has paid comes to stand in the queue while the hand-out finds nobody there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r16_whoever_has_paid_while_a_hand_out_finds_nobody_gets_the_place() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let (pay, number) = (hospital.pay.clone(), houbu::waitlist::ids::trade_no(entry, 1));
    let (pool, runs) = (hospital.db.pool.clone(), "select status from entry where id = $1");
    hospital.mishaps.just_after(&of_release("Refreshing"), move || {
        async move {
            pay.pay_now(&number).await.unwrap();
            let status = async || -> String { sqlx::query_scalar(runs).bind(entry).fetch_one(&pool).await.unwrap() };
            wait_for("the money to be known", async || status().await == "waiting").await;
        }
        .boxed()
    });
    hospital.free_a_place("w1-am").await;
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// What is left over once everybody has passed is for whoever joins next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_a_place_that_all_have_passed_on_is_for_whoever_joins_next() {
    let mut setup = crate::hospital::Setup::paying(PaymentMode::LockThenPay);
    setup.policy.declines_max = Some(3);
    let hospital = Hospital::open(setup).await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.decline(first).await;
    hospital.until_still().await;
    assert_eq!(hospital.status(first).await, "waiting");
    let second = hospital.apply("w1-am", 2).await;
    hospital.until_still().await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "offered"]);
    hospital.finish().await;
}
