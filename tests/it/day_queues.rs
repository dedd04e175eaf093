//! Joining the queue of a doctor's day (Q2): when it is open, who is in it already, and that its total is exact over all its
//! half-days.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::future::join_all;
use houbu::desk::DeskError;
use houbu::waitlist::policy::{CapCounts, Level, LevelPolicy, QueuePer, Switch};
use houbu::waitlist::refusal::Refusal;

use super::clinic::{Clinic, apply_to, full};

fn open() -> LevelPolicy {
    LevelPolicy { switch: Switch::On, queue_per: Some(QueuePer::Day), ..LevelPolicy::default() }
}

/// S1 and S3 are half-days of one day, S2 is of another one.
async fn clinic(patients: usize, policy: LevelPolicy) -> Clinic {
    let clinic = Clinic::with(patients, policy).await;
    clinic.told(&[full("S3", NaiveDate::from_ymd_opt(2026, 3, 4).unwrap())]).await;
    clinic
}

async fn refused(clinic: &Clinic, patient: &str, schedule: &str) -> Option<Refusal> {
    match clinic.apply(None, patient, schedule).await {
        Err(DeskError::Refused(refusal)) => Some(refusal),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r01_r04_the_day_s_queue_opens_when_all_its_half_days_are_full_and_has_everybody_once() {
    let clinic = clinic(3, open()).await;
    let has = async |places: i32| {
        sqlx::query("update schedule set remaining = $1 where id = 'S3'")
            .bind(places)
            .execute(&clinic.pool)
            .await
            .unwrap();
    };
    has(1).await;
    assert_eq!(refused(&clinic, "p0", "S1").await, Some(Refusal::BookableNow));
    assert_eq!(clinic.desk.queue_of("S1").await.unwrap().closed, Some(Refusal::BookableNow));
    has(0).await;
    assert_eq!(refused(&clinic, "p0", "S1").await, None);
    // R13: what comes free belongs to whoever waits.
    has(1).await;
    assert_eq!(refused(&clinic, "p1", "S3").await, None);
    for (patient, schedule) in [("p0", "S3"), ("p1", "S1"), ("p0", "S1")] {
        assert_eq!(refused(&clinic, patient, schedule).await, Some(Refusal::DuplicateApplication), "{patient}");
    }
    for id in ["S1", "S3"] {
        let queue = clinic.desk.queue_of(id).await.unwrap();
        assert_eq!((queue.length, queue.closed), (2, None), "{id}");
    }
    let listed = clinic.desk.schedules(None, Some("doc1"), None, None).await.unwrap();
    let lengths: Vec<(&str, i64)> = listed.iter().map(|one| (one.schedule.id.as_str(), one.length)).collect();
    assert_eq!(lengths, [("S1", 2), ("S3", 2), ("S2", 0)]);
    // The other half-day stops: the queue goes on, and is joined where it does.
    sqlx::query("update schedule set state = 'stopped' where id = 'S3'").execute(&clinic.pool).await.unwrap();
    assert_eq!(refused(&clinic, "p2", "S3").await, Some(Refusal::ScheduleStopped));
    assert_eq!(refused(&clinic, "p2", "S1").await, None);
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn q2_r02_a_total_is_exact_over_the_half_days_and_two_programs() {
    for counts in [CapCounts::LiveInEach, CapCounts::LiveInAll] {
        let policy = LevelPolicy { cap: Some(5), cap_counts: Some(counts), ..open() };
        let clinic = clinic(24, policy).await;
        let desks = [Arc::clone(&clinic.desk), clinic.second_desk()];
        let asking = (0..24).map(|nth| {
            let desk = Arc::clone(&desks[nth % 2]);
            let apply = apply_to(&format!("p{nth}"), if nth % 3 == 0 { "S1" } else { "S3" });
            tokio::spawn(async move { desk.apply(&apply).await })
        });
        let results: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
        let (admitted, others): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(admitted.len(), 5, "{counts:?}");
        for one in others {
            let full = Refusal::QueueFull { level: Level::Doctor };
            assert!(matches!(one, Err(DeskError::Refused(refusal)) if refusal == full), "{counts:?}");
        }
        let mut places: Vec<i64> = Vec::new();
        for one in admitted.into_iter().map(Result::unwrap) {
            places.extend(clinic.desk.entry(one.entry.shown.id).await.unwrap().shown.position);
        }
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3, 4, 5], "{counts:?}");
        clinic.close().await;
    }
}
