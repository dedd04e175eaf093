//! Admission is exact: a cap of 200 admits 200 of 400 who apply at the same moment; the same key twice is one entry.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{TimeZone, Utc};
use futures::future::join_all;
use houbu::desk::DeskError;
use houbu::desk::apply::Applied;
use houbu::engine::{clock, worker};
use houbu::records::patients;
use houbu::waitlist::policy::{CapCounts, Level, LevelPolicy, QueueOrder, Switch};
use houbu::waitlist::refusal::Refusal;

use super::clinic::{Clinic, HOSPITAL, apply_to};
use super::patience::wait_for;

fn open_to(cap: u32) -> LevelPolicy {
    LevelPolicy { switch: Switch::On, cap: Some(cap), ..LevelPolicy::default() }
}

fn refusal(result: Result<Applied, DeskError>) -> Refusal {
    match result {
        Err(DeskError::Refused(refusal)) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r02_four_hundred_at_once_fill_a_cap_of_two_hundred_exactly() {
    let hospital = Clinic::with(400, open_to(200)).await;
    let patients: Vec<String> = (0..400).map(|nth| format!("p{nth}")).collect();
    // Every second one wants the other schedule of the same doctor: the cap is the doctor's.
    let applying = patients
        .iter()
        .enumerate()
        .map(|(nth, patient)| hospital.apply(Some(patient), patient, if nth % 2 == 0 { "S1" } else { "S2" }));
    let results = join_all(applying).await;
    let admitted = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(admitted, 200);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(result), Refusal::QueueFull { level: Level::Doctor });
    }
    let live = "select live::bigint from capacity where level = 'doctor' and id = 'doc1'";
    assert_eq!(hospital.count(live).await, 200);
    assert_eq!(hospital.count("select count(*) from entry where live").await, 200);
    assert_eq!(hospital.count("select count(*) from run where workflow = 'waitlist_application'").await, 200);
    assert_eq!(hospital.count("select count(*) from run where workflow = 'slot_release'").await, 2);
    assert_eq!(hospital.count("select count(*) from outbox").await, 200);
    hospital.close().await;
}

/// Two programs on one database: what one decided is decided again where the other was faster.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_programs_share_a_cap_exactly() {
    let hospital = Clinic::with(400, open_to(150)).await;
    let (desk, first) = (hospital.second_desk(), &hospital.desk);
    let applying = (0..400).map(|nth| {
        let desk = Arc::clone(if nth % 2 == 0 { first } else { &desk });
        // Every person asks both, at the same moment: at most one of the two is admitted.
        let apply = apply_to(&format!("p{}", nth / 2), if nth % 4 < 2 { "S1" } else { "S2" });
        tokio::spawn(async move { desk.apply(&apply).await })
    });
    let results: Vec<_> = join_all(applying).await.into_iter().map(Result::unwrap).collect();
    let refused = |wanted: fn(&Refusal) -> bool| {
        results.iter().filter(|one| matches!(one, Err(DeskError::Refused(refusal)) if wanted(refusal))).count()
    };
    let admitted = results.iter().filter(|result| result.is_ok()).count();
    let (full, twice) = (
        refused(|refusal| matches!(refusal, Refusal::QueueFull { level: Level::Doctor })),
        refused(|refusal| matches!(refusal, Refusal::DuplicateApplication)),
    );
    assert_eq!((admitted, full + twice), (150, 250));
    assert_eq!(hospital.count("select count(*) from entry where live").await, 150);
    assert_eq!(hospital.count("select live::bigint from capacity where level = 'campus'").await, 150);
    assert_eq!(hospital.count("select count(distinct patient_id) from entry").await, 150);
    hospital.close().await;
}

/// Q1: the same total, read as a number for each schedule.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r02_q1_a_total_may_hold_for_each_schedule_and_two_programs_share_it_exactly() {
    for counts in [CapCounts::LiveInEach, CapCounts::EverInEach] {
        let hospital = Clinic::with(160, LevelPolicy { cap_counts: Some(counts), ..open_to(60) }).await;
        let (desk, first) = (hospital.second_desk(), &hospital.desk);
        let applying = (0..160).map(|nth| {
            let desk = Arc::clone(if nth % 2 == 0 { first } else { &desk });
            let apply = apply_to(&format!("p{nth}"), if nth % 4 < 2 { "S1" } else { "S2" });
            tokio::spawn(async move { desk.apply(&apply).await })
        });
        let results: Vec<_> = join_all(applying).await.into_iter().map(Result::unwrap).collect();
        for result in results.into_iter().filter(Result::is_err) {
            assert_eq!(refusal(result), Refusal::QueueFull { level: Level::Doctor });
        }
        for (schedule, live) in [
            ("S1", "select count(*) from entry where live and schedule_id = 'S1'"),
            ("S2", "select count(*) from entry where live and schedule_id = 'S2'"),
        ] {
            assert_eq!(hospital.count(live).await, 60, "{schedule} {counts:?}");
            let shown = hospital.desk.queue_of(schedule).await.unwrap();
            assert_eq!(
                (shown.cap.map(|cap| (cap.level, cap.most, cap.live)), shown.closed),
                (Some((Level::Doctor, 60, 60)), Some(Refusal::QueueFull { level: Level::Doctor }))
            );
        }
        hospital.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r03_counts_agree_while_patients_come_and_go() {
    let hospital = Clinic::with(40, LevelPolicy { live_entries_per_patient: Some(9), ..open_to(30) }).await;
    let worker = worker::start(Arc::clone(&hospital.desk.engine), worker::Options::default()).await.unwrap();
    let ended = AtomicU32::new(0);
    let visitor = async |nth: usize| {
        let patient = format!("p{nth}");
        for schedule in ["S1", "S2", "S1", "S2"] {
            match hospital.apply(None, &patient, schedule).await {
                Ok(applied) => {
                    hospital.desk.withdraw(applied.entry.shown.id).await.unwrap();
                    ended.fetch_add(1, Ordering::Relaxed);
                }
                Err(DeskError::Refused(Refusal::QueueFull { .. } | Refusal::DuplicateApplication)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    join_all((0..40).map(visitor)).await;
    // The same counts by another way, at whatever moment one looks: both are written in the same transactions.
    let differs = "select count(*) from capacity c where c.live <> (
                       select count(*) from entry e where e.live and case c.level
                           when 'doctor' then e.doctor_id when 'department' then e.department_id
                           else e.campus_id end = c.id)";
    assert_eq!(hospital.count(differs).await, 0);
    for entry in hospital.entries().await {
        let settled = hospital.desk.entry_when(entry, Duration::from_secs(20), |shown| shown.status == "withdrawn");
        assert_eq!(settled.await.unwrap().shown.status, "withdrawn");
    }
    // The cap lets thirty in whatever the pace; how many more find a place depends on it.
    assert!(ended.load(Ordering::Relaxed) >= 30);
    assert_eq!(hospital.count("select count(*) from entry where live").await, 0);
    assert_eq!(hospital.count("select sum(live)::bigint from capacity").await, 0);
    worker.stop().await;
    let circles = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(hospital.count(circles).await, 0, "locks were taken in different orders");
    hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r04_the_same_key_is_the_same_entry_however_often_and_at_once() {
    let hospital = Clinic::with(3, open_to(200)).await;
    let results = join_all((0..24).map(|_| hospital.apply(Some("key"), "p0", "S1"))).await;
    let applied: Vec<Applied> = results.into_iter().map(Result::unwrap).collect();
    let ids: HashSet<_> = applied.iter().map(|applied| applied.entry.shown.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(applied.iter().filter(|applied| applied.new).count(), 1);
    assert_eq!(hospital.count("select count(*) from entry").await, 1);
    // The key of one request cannot be that of another, even at the same moment.
    let others = join_all([
        hospital.apply(Some("key"), "p0", "S2"),
        hospital.apply(Some("key"), "p1", "S1"),
        hospital.apply(Some("new"), "p1", "S1"),
        hospital.apply(Some("new"), "p2", "S1"),
    ])
    .await;
    let reused = others.iter().filter(|result| matches!(result, Err(DeskError::KeyReused))).count();
    assert_eq!((reused, others.iter().filter(|result| result.is_ok()).count()), (3, 1));
    hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r04_one_person_has_one_entry_a_schedule() {
    let hospital = Clinic::with(1, open_to(200)).await;
    let results = join_all((0..8).map(|_| hospital.apply(None, "p0", "S1"))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(result), Refusal::DuplicateApplication);
    }
    assert_eq!(hospital.count("select live::bigint from capacity where level = 'campus'").await, 1);
    // A second account with the same ID card is the same person.
    let put = patients::Put {
        id: "twin",
        id_type: "1",
        id_hash: b"person 0",
        sealed: b"sealed",
        masked: &serde_json::json!({}),
    };
    patients::put(&hospital.pool, HOSPITAL, &put).await.unwrap();
    assert_eq!(refusal(hospital.apply(None, "twin", "S1").await), Refusal::DuplicateApplication);
    assert_eq!(refusal(hospital.apply(None, "nobody", "S1").await), Refusal::UnknownPatient);
    assert_eq!(refusal(hospital.apply(None, "p0", "S9").await), Refusal::UnknownSchedule);
    // At 18:00:00 on the day before, the queue is closed.
    clock::set(&hospital.pool, Utc.with_ymd_and_hms(2026, 3, 4, 9, 59, 59).unwrap()).await.unwrap();
    hospital.apply(None, "p0", "S2").await.unwrap();
    clock::set(&hospital.pool, Utc.with_ymd_and_hms(2026, 3, 4, 10, 0, 0).unwrap()).await.unwrap();
    assert_eq!(refusal(hospital.apply(None, "twin", "S2").await), Refusal::PastCutoff);
    hospital.close().await;
}

/// Two programs have read the same counts, and one writes first: where no cap is near, the other need not begin again.
/// The places in the queue tell: a number that was given to whoever had to is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_admits_elsewhere_is_in_nobodys_way_where_no_cap_is_near() {
    let hospital = Clinic::with(2, open_to(2)).await;
    let (desk, first) = (hospital.second_desk(), Arc::clone(&hospital.desk));
    let mut nobody_writes = hospital.pool.begin().await.unwrap();
    sqlx::query("lock table capacity in exclusive mode").execute(&mut *nobody_writes).await.unwrap();
    let applying = [(first, "p0", "S1"), (desk, "p1", "S2")]
        .map(|(desk, patient, schedule)| tokio::spawn(async move { desk.apply(&apply_to(patient, schedule)).await }));
    let at_the_counts = "select count(*) from pg_locks
                         where relation = 'capacity'::regclass and not granted
                           and database = (select oid from pg_database where datname = current_database())";
    wait_for("both to be about to write", || async { hospital.count(at_the_counts).await == 2 }).await;
    nobody_writes.commit().await.unwrap();
    for one in join_all(applying).await {
        one.unwrap().unwrap();
    }
    assert_eq!(hospital.count("select max(seq) from entry").await, 2, "nobody was decided again");
    assert_eq!(hospital.count("select live::bigint from capacity where level = 'campus'").await, 2);
    hospital.close().await;
}

/// Two see room for one more, each in a queue that has not opened; the one who is refused after all opened none (R17).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r17_a_window_opens_with_whoever_is_let_in_and_for_nobody_else() {
    let drawn = LevelPolicy { order: Some(QueueOrder::Random), draw_window_minutes: Some(30), ..open_to(1) };
    let hospital = Clinic::with(2, drawn).await;
    let (desk, first) = (hospital.second_desk(), Arc::clone(&hospital.desk));
    let mut nobody_writes = hospital.pool.begin().await.unwrap();
    sqlx::query("lock table capacity in exclusive mode").execute(&mut *nobody_writes).await.unwrap();
    let applying = [(first, "p0", "S1"), (desk, "p1", "S2")]
        .map(|(desk, patient, schedule)| tokio::spawn(async move { desk.apply(&apply_to(patient, schedule)).await }));
    let at_the_counts = "select count(*) from pg_locks
                         where relation = 'capacity'::regclass and not granted
                           and database = (select oid from pg_database where datname = current_database())";
    wait_for("both to be about to write", || async { hospital.count(at_the_counts).await == 2 }).await;
    nobody_writes.commit().await.unwrap();
    let results: Vec<_> = join_all(applying).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(hospital.count("select count(*) from draw where opened_at is not null").await, 1);
    assert_eq!(hospital.count("select count(*) from run where workflow = 'slot_release'").await, 1);
    hospital.close().await;
}

/// A hand-out that ended in whatever way hands nothing out: nobody is let into its queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_joins_a_queue_whose_hand_out_was_cancelled() {
    let hospital = Clinic::with(2, open_to(200)).await;
    hospital.apply(None, "p0", "S1").await.unwrap();
    let cancelled = "update run set status = 'cancelled', due_at = null where workflow = 'slot_release'";
    sqlx::query(cancelled).execute(&hospital.pool).await.unwrap();
    assert_eq!(refusal(hospital.apply(None, "p1", "S1").await), Refusal::PastCutoff);
    assert_eq!(hospital.count("select count(*) from entry").await, 1);
    hospital.close().await;
}
