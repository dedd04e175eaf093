//! The same for the hand-out of places and for the sync of schedules.

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::draw::Transcript;
use houbu::waitlist::ids;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, QueueOrder};
use reqwest::Method;

use super::MISHAPS;
use crate::hospital::sabotage::Harm;
use crate::hospital::world::{FEE_FEN, local};
use crate::hospital::{Hospital, Setup};

const APPLICATION: &str = "waitlist_application";
const RELEASE: &str = "slot_release";
const SYNC: &str = "schedule_sync";

const HAND_OUT: &[&str] = &["Idle", "Refreshing", "Matching", "Answering"];
const KEPT: &[&str] = &["Idle", "Keeping"];
const LOOK: &[&str] = &["AnswerCheck"];
const STOPPAGE: &[&str] = &["Idle", "Shut", "Stopping"];
const DRAW: &[&str] = &["Gathering", "Drawing"];
const PULL: &[&str] = &["Resting", "Pulling"];
const LATE: &[&str] = &["LateRefund"];

/// What is disturbed here; each step suffers each mishap.
pub(super) const DISTURBED: [(&str, &[&str]); 7] = [
    (RELEASE, HAND_OUT),
    (RELEASE, KEPT),
    (RELEASE, LOOK),
    (RELEASE, STOPPAGE),
    (RELEASE, DRAW),
    (SYNC, PULL),
    (APPLICATION, LATE),
];

fn plan(hospital: &Hospital, workflow: &str, step: &str, harms: &[(Point, Harm)]) {
    for (point, harm) in harms {
        hospital.mishaps.plan(*point, &format!("{workflow}/{step}"), *harm, 1);
    }
}

/// The mishaps that were planned have struck.
fn has_struck(hospital: &Hospital, step: &str, mishap: &str) {
    assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
}

/// One patient after the other: the hand-out of each one's place is disturbed at another step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e08_a_disturbed_hand_out_gives_every_place_once() {
    let cases = u32::try_from(HAND_OUT.len() * MISHAPS.len()).unwrap();
    let setup = Setup { places: cases, patients: cases, ..Setup::paying(PaymentMode::None) };
    let hospital = Hospital::open(setup).await;
    let mut patients = 1..;
    let mut entries = Vec::new();
    for step in HAND_OUT {
        for (mishap, harms) in MISHAPS {
            let entry = hospital.apply("w1-am", patients.next().unwrap()).await;
            plan(&hospital, RELEASE, step, harms);
            hospital.free_a_place("w1-am").await;
            hospital.pass_minutes(2).await;
            assert_eq!(hospital.status(entry).await, "booked", "{step} {mishap}");
            has_struck(&hospital, step, mishap);
            entries.push(entry);
        }
    }
    let offers: i64 = sqlx::query_scalar("select count(*) from inbox where name = 'Offer'")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(usize::try_from(offers).unwrap(), entries.len(), "a place was offered twice");
    hospital.finish().await;
}

/// Money that comes when its payer waits for another offer goes back once, whatever strikes on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_a_disturbed_return_of_late_money_gives_it_back_once() {
    for (mishap, harms) in MISHAPS {
        let mut setup = Setup::paying(PaymentMode::LockThenPay);
        setup.policy.missed_offers_max = Some(3);
        let hospital = Hospital::open(setup).await;
        hospital.payer(1, Payer::Never);
        hospital.provider.closes_in_words_only();
        let entry = hospital.apply("w1-am", 1).await;
        hospital.free_a_place("w1-am").await;
        hospital.confirm(entry).await;
        hospital.pass_minutes(31).await;
        plan(&hospital, APPLICATION, LATE[0], harms);
        hospital.is_paid_late(&ids::trade_no(entry, 1)).await;
        hospital.pass_minutes(60).await;
        has_struck(&hospital, LATE[0], mishap);
        assert_eq!(hospital.status(entry).await, "waiting", "{mishap}");
        let back: Vec<i64> = hospital.pay.books().await.refunds.iter().map(|one| one.amount_fen).collect();
        assert_eq!(back, [FEE_FEN], "{mishap}");
        hospital.finish().await;
    }
}

/// A place that is kept for a time by chance is handed out once, and not before its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_disturbed_delay_gives_every_place_once() {
    let cases = u32::try_from(KEPT.len() * MISHAPS.len()).unwrap();
    let mut setup = Setup { places: cases, patients: cases, ..Setup::paying(PaymentMode::None) };
    setup.policy.release_delay_minutes_max = Some(20);
    let hospital = Hospital::open(setup).await;
    let mut patients = 1..;
    for (step, (mishap, harms)) in KEPT.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap))) {
        let entry = hospital.apply("w1-am", patients.next().unwrap()).await;
        plan(&hospital, RELEASE, step, harms);
        hospital.free_a_place("w1-am").await;
        hospital.pass_seconds(60).await;
        assert_eq!(hospital.status(entry).await, "waiting", "{step} {mishap}");
        hospital.pass_minutes(22).await;
        assert_eq!(hospital.status(entry).await, "booked", "{step} {mishap}");
        has_struck(&hospital, step, mishap);
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_look_after_a_silent_applicant_finds_the_next() {
    let hospital = Hospital::open(Setup { places: 20, patients: 20, ..Setup::paying(PaymentMode::None) }).await;
    let mut patients = 1..;
    for (step, (mishap, harms)) in LOOK.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap))) {
        let first = hospital.apply("w1-am", patients.next().unwrap()).await;
        let second = hospital.apply("w1-am", patients.next().unwrap()).await;
        hospital.mishaps.plan_for(first, Point::AfterCall, "waitlist_application/Waiting", Act::Fail);
        plan(&hospital, RELEASE, step, harms);
        hospital.withdraw(first).await;
        hospital.free_silently("w1-am", 1).await;
        hospital.hint("w1-am").await;
        hospital.pass_minutes(3).await;
        assert_eq!(hospital.status(second).await, "booked", "{mishap}");
        assert_eq!(hospital.status(first).await, "withdrawn", "{mishap}");
        has_struck(&hospital, step, mishap);
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_stoppage_is_told_to_everybody() {
    for step in STOPPAGE {
        for (mishap, harms) in MISHAPS {
            let hospital = Hospital::paying(PaymentMode::None).await;
            let booked = hospital.apply("w1-am", 1).await;
            hospital.free_a_place("w1-am").await;
            let waiting = hospital.apply("w1-am", 2).await;
            if *step == "Shut" {
                hospital.pass_until(local(4, 7, 0)).await;
            }
            plan(&hospital, RELEASE, step, harms);
            hospital.stop("w1-am").await;
            hospital.pass_minutes(2).await;
            assert_eq!(hospital.status(booked).await, "stopped", "{step} {mishap}");
            let expected = if *step == "Shut" { "expired" } else { "stopped" };
            assert_eq!(hospital.status(waiting).await, expected, "{step} {mishap}");
            has_struck(&hospital, step, mishap);
            hospital.finish().await;
        }
    }
}

/// The draw is held once, by what was published, whatever happens to whoever holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_disturbed_draw_is_held_once() {
    let policy = LevelPolicy { order: Some(QueueOrder::Random), ..Setup::paying(PaymentMode::None).policy };
    for step in DRAW {
        for (mishap, harms) in MISHAPS {
            let setup = Setup { policy: policy.clone(), patients: 6, ..Setup::paying(PaymentMode::None) };
            let hospital = Hospital::open(setup).await;
            for patient in 1..=6 {
                hospital.apply("w1-am", patient).await;
            }
            plan(&hospital, RELEASE, step, harms);
            hospital.pass_minutes(32).await;
            has_struck(&hospital, step, mishap);
            let draw = hospital.ask(Method::GET, "/v1/schedules/w1-am/draw", None).await;
            let transcript: Transcript = serde_json::from_value(draw).unwrap();
            assert_eq!(transcript.verify(None), Ok(()), "{step} {mishap}");
            let line: Vec<RunId> = sqlx::query_scalar("select id from entry where status = 'waiting' order by seq")
                .fetch_all(&hospital.db.pool)
                .await
                .unwrap();
            assert_eq!((line.len(), line), (6, transcript.order), "{step} {mishap}");
            hospital.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_pull_finds_what_is_free() {
    let cases = u32::try_from(PULL.len() * MISHAPS.len()).unwrap();
    let hospital = Hospital::open(Setup { places: cases, patients: cases, ..Setup::paying(PaymentMode::None) }).await;
    let mut patients = 1..;
    for step in PULL {
        for (mishap, harms) in MISHAPS {
            let entry = hospital.apply("w1-am", patients.next().unwrap()).await;
            hospital.free_silently("w1-am", 1).await;
            // Only a pull that did not reach HIS rests.
            hospital.line.cut(*step == "Resting");
            plan(&hospital, SYNC, step, harms);
            hospital.pull_now().await;
            hospital.line.cut(false);
            hospital.pass_minutes(4).await;
            assert_eq!(hospital.status(entry).await, "booked", "{step} {mishap}");
            has_struck(&hospital, step, mishap);
        }
    }
    hospital.finish().await;
}
