//! The same for the hand-out of places and for the sync of schedules.

use houbu::engine::sabotage::{Act, Point};
use houbu::waitlist::policy::PaymentMode;

use super::MISHAPS;
use crate::hospital::world::local;
use crate::hospital::{Hospital, Setup};

fn plan(hospital: &Hospital, step: &str, acts: &[(Point, Act)]) {
    for (point, act) in acts {
        hospital.mishaps.plan(*point, step, *act, 1);
    }
}

/// One patient after the other: the hand-out of each one's place is disturbed at another step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_hand_out_gives_every_place_once() {
    const STEPS: [&str; 4] = ["Idle", "Refreshing", "Matching", "Answering"];
    let setup = Setup { places: 20, patients: 20, ..Setup::paying(PaymentMode::None) };
    let hospital = Hospital::open(setup).await;
    let mut patients = 1..;
    let mut entries = Vec::new();
    for step in STEPS {
        for (mishap, acts) in MISHAPS {
            let entry = hospital.apply("w1-am", patients.next().unwrap()).await;
            plan(&hospital, &format!("slot_release/{step}"), acts);
            hospital.free_a_place("w1-am").await;
            hospital.pass_minutes(2).await;
            assert_eq!(hospital.status(entry).await, "booked", "{step} {mishap}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_look_after_a_silent_applicant_finds_the_next() {
    let hospital = Hospital::open(Setup { places: 10, patients: 10, ..Setup::paying(PaymentMode::None) }).await;
    let mut patients = 1..;
    for (mishap, acts) in MISHAPS {
        let first = hospital.apply("w1-am", patients.next().unwrap()).await;
        let second = hospital.apply("w1-am", patients.next().unwrap()).await;
        hospital.mishaps.plan_for(first, Point::AfterCall, "waitlist_application/Waiting", Act::Fail);
        plan(&hospital, "slot_release/AnswerCheck", acts);
        hospital.withdraw(first).await;
        hospital.free_silently("w1-am", 1).await;
        hospital.hint("w1-am").await;
        hospital.pass_minutes(3).await;
        assert_eq!(hospital.status(second).await, "booked", "{mishap}");
        assert_eq!(hospital.status(first).await, "withdrawn", "{mishap}");
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_stoppage_is_told_to_everybody() {
    for step in ["Idle", "Shut", "Stopping"] {
        for (mishap, acts) in MISHAPS {
            let hospital = Hospital::paying(PaymentMode::None).await;
            let booked = hospital.apply("w1-am", 1).await;
            hospital.free_a_place("w1-am").await;
            let waiting = hospital.apply("w1-am", 2).await;
            if step == "Shut" {
                hospital.pass_until(local(4, 7, 0)).await;
            }
            plan(&hospital, &format!("slot_release/{step}"), acts);
            hospital.stop("w1-am").await;
            hospital.pass_minutes(2).await;
            assert_eq!(hospital.status(booked).await, "stopped", "{step} {mishap}");
            let expected = if step == "Shut" { "expired" } else { "stopped" };
            assert_eq!(hospital.status(waiting).await, expected, "{step} {mishap}");
            hospital.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_pull_finds_what_is_free() {
    let hospital = Hospital::open(Setup { places: 10, patients: 10, ..Setup::paying(PaymentMode::None) }).await;
    hospital.start_sync().await;
    let mut patients = 1..;
    let mut tick = local(1, 10, 0);
    for step in ["Resting", "Pulling"] {
        for (mishap, acts) in MISHAPS {
            let entry = hospital.apply("w1-am", patients.next().unwrap()).await;
            hospital.free_silently("w1-am", 1).await;
            plan(&hospital, &format!("schedule_sync/{step}"), acts);
            tick += chrono::TimeDelta::minutes(30);
            hospital.pass_until(tick + chrono::TimeDelta::minutes(2)).await;
            assert_eq!(hospital.status(entry).await, "booked", "{step} {mishap}");
        }
    }
    hospital.finish().await;
}
