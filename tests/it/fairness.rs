//! What keeps a queue for patients (R4, R33, R35): a person is one however many accounts they have, an account stands for a
//! family, and a device that is faster than people are waits, and is not refused.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{NaiveDate, TimeDelta};
use futures::future::join_all;
use houbu::desk::apply::{Applied, Apply};
use houbu::desk::slow_lane::Paces;
use houbu::desk::{Desk, DeskError};
use houbu::engine::clock;
use houbu::records::{accounts, patients};
use houbu::waitlist::pace::Pace;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use houbu::waitlist::refusal::Refusal;
use serde_json::json;

use super::clinic::{Clinic, HOSPITAL, apply_to, full};
use super::patience::wait_for;
use super::surface::{House, on};

fn open() -> LevelPolicy {
    LevelPolicy { switch: Switch::On, live_entries_per_patient: Some(9), ..LevelPolicy::default() }
}

fn refusal(result: Result<Applied, DeskError>) -> Refusal {
    match result {
        Err(DeskError::Refused(refusal)) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

impl Clinic {
    /// An application from an account.
    fn by(&self, account: &str, patient: &str, schedule: &str) -> Apply {
        Apply { origin: self.desk.origin(Some(account), None, None), ..apply_to(patient, schedule) }
    }

    /// One more patient who has the document of the person of this number.
    async fn same_card(&self, id: &str, nth: u32) {
        let id_hash = format!("person {nth}");
        let put =
            patients::Put { id, id_type: "1", id_hash: id_hash.as_bytes(), sealed: b"sealed", masked: &json!({}) };
        patients::put(&self.pool, HOSPITAL, &put).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r04_r35_one_id_card_in_two_accounts_is_one_person_with_one_set_of_limits() {
    let clinic = Clinic::with(1, LevelPolicy { live_entries_per_patient: Some(2), ..open() }).await;
    clinic.told(&[full("S3", day(6)), full("S4", day(7))]).await;
    clinic.same_card("twin", 0).await;
    clinic.desk.apply(&clinic.by("a", "p0", "S1")).await.unwrap();
    assert_eq!(refusal(clinic.desk.apply(&clinic.by("b", "twin", "S1")).await), Refusal::DuplicateApplication);
    // Both at once, for two schedules: one place is left to the person.
    let asked = [clinic.by("a", "p0", "S3"), clinic.by("b", "twin", "S4")];
    let results = join_all(asked.iter().map(|apply| clinic.desk.apply(apply))).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(admitted.len(), 1);
    for one in refused {
        assert_eq!(refusal(one), Refusal::PatientLimit { limit: 2 });
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_person_has_so_many_entries_of_a_department_on_a_day() {
    let clinic = Clinic::with(2, LevelPolicy { live_entries_per_department_and_day: Some(1), ..open() }).await;
    clinic.told(&[full("S3", day(4))]).await;
    clinic.same_card("twin", 0).await;
    let first = clinic.apply(None, "p0", "S1").await.unwrap();
    for patient in ["p0", "twin"] {
        let refused = refusal(clinic.apply(None, patient, "S3").await);
        assert_eq!(refused, Refusal::DepartmentDayLimit { limit: 1 }, "{patient}");
    }
    // Another day, and another person.
    clinic.apply(None, "p0", "S2").await.unwrap();
    clinic.apply(None, "p1", "S3").await.unwrap();
    // In the same flush as well.
    let [a, b] = [apply_to("p1", "S1"), apply_to("p1", "S3")].map(|apply| {
        let desk = Arc::clone(&clinic.desk);
        async move { desk.apply(&apply).await }
    });
    let (a, b) = tokio::join!(a, b);
    assert_eq!(refusal(a), Refusal::DepartmentDayLimit { limit: 1 });
    assert_eq!(refusal(b), Refusal::DuplicateApplication);
    // What has ended counts no more.
    sqlx::query("update entry set live = false, status = 'withdrawn' where id = $1")
        .bind(first.entry.shown.id)
        .execute(&clinic.pool)
        .await
        .unwrap();
    clinic.apply(None, "p0", "S3").await.unwrap();
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r33_an_account_joins_queues_for_so_many_persons_and_no_more_from_however_many_programs() {
    let clinic = Clinic::with(12, LevelPolicy { persons_per_account: Some(2), ..open() }).await;
    let desks = [Arc::clone(&clinic.desk), clinic.second_desk()];
    let asking = (0..10).map(|nth| {
        let (desk, apply) = (Arc::clone(&desks[nth % 2]), clinic.by("trader", &format!("p{nth}"), "S1"));
        tokio::spawn(async move { desk.apply(&apply).await })
    });
    let results: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
    let (admitted, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(admitted.len(), 2);
    for one in refused {
        assert_eq!(refusal(one), Refusal::AccountLimit { limit: 2 });
    }
    assert_eq!(clinic.count("select count(*) from entry").await, 2);
    assert_eq!(clinic.count("select count(*) from account_person").await, 2);
    // For whom it has joined it may join again; whoever has no account, or another one, is not concerned.
    let known = admitted.into_iter().map(Result::unwrap).next().unwrap().entry.shown.patient_id;
    clinic.desk.apply(&clinic.by("trader", &known, "S2")).await.unwrap();
    clinic.desk.apply(&clinic.by("family", "p10", "S1")).await.unwrap();
    clinic.apply(None, "p11", "S1").await.unwrap();
    // A month later others are its persons.
    clock::set(&clinic.pool, clock::now(&clinic.pool).await.unwrap() + TimeDelta::days(31)).await.unwrap();
    clinic.told(&[full("S9", NaiveDate::from_ymd_opt(2026, 4, 20).unwrap())]).await;
    clinic.desk.apply(&clinic.by("trader", "p11", "S9")).await.unwrap();
    // What counts no more is forgotten: the trader's two, and the family's one.
    assert_eq!(accounts::delete_older(&clinic.pool, HOSPITAL).await.unwrap(), 3);
    assert_eq!(clinic.count("select count(*) from account_person").await, 1);
    assert_eq!(clinic.count("select count(*) from account").await, 1, "an account without persons is nobody's");
    clinic.desk.apply(&clinic.by("family", "p10", "S9")).await.unwrap();
    assert_eq!(clinic.count("select count(*) from account").await, 2, "it begins anew");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r33_a_device_that_is_faster_than_people_stands_behind_them_and_is_not_refused() {
    let clinic = Clinic::with(6, open()).await;
    let pace = Pace { at_once: 2, every: Duration::from_secs(2), wait_max: Duration::from_secs(2) };
    let Desk { engine, ports, lookup, .. } = &*clinic.desk;
    let desk = Desk::new(Arc::clone(engine), Arc::clone(ports), Arc::clone(lookup));
    let desk = Arc::new(desk.paced(Paces { device: pace, ..Paces::default() }));
    let send = |patient: &str, device: Option<&str>| {
        let apply = Apply { origin: desk.origin(None, device, None), ..apply_to(patient, "S1") };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move { desk.apply(&apply).await })
    };
    let bot: Vec<_> = ["p0", "p1", "p2", "p3"].map(|patient| send(patient, Some("bot"))).into_iter().collect();
    wait_for("what the bot may send at once", || async { clinic.count("select count(*) from entry").await == 2 }).await;
    send("p4", Some("phone")).await.unwrap().unwrap();
    send("p5", None).await.unwrap().unwrap();
    for one in bot {
        one.await.unwrap().unwrap();
    }
    let line: Vec<String> =
        sqlx::query_scalar("select patient_id from entry order by seq").fetch_all(&clinic.pool).await.unwrap();
    assert_eq!(line[2..4], ["p4", "p5"], "{line:?}");
    assert_eq!(line.len(), 6);
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_the_callers_account_is_heeded_and_kept_as_a_hash_alone() {
    let policy = LevelPolicy { persons_per_account: Some(1), ..on(PaymentMode::None) };
    let house = House::with_patients(policy, &["p1", "p2"]).await;
    let apply = |patient: &str| json!({ "scheduleId": "S1", "patientId": patient, "accountId": "u-77", "deviceId": "d-9", "address": "10.0.0.7" });
    assert_eq!(house.ask("POST", "/v1/waitlist", None, Some(apply("p1"))).await.status, StatusCode::CREATED);
    let refused = house.ask("POST", "/v1/waitlist", None, Some(apply("p2"))).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "account_limit"));
    assert_eq!(refused.json()["limit"], 1);
    let hash: Vec<u8> = sqlx::query_scalar("select id from account").fetch_one(&house.hospital.pool).await.unwrap();
    assert_eq!((hash.len(), hash.windows(4).any(|part| part == b"u-77")), (32, false));
    house.hospital.close().await;
}
