//! One person's data: handed over, forgotten, and sealed anew while everybody works on.

use chrono::TimeDelta;
use houbu::desk::persons::{Resealed, forget_absent, reseal_all};
use houbu::engine::clock;
use houbu::records::draws;
use houbu::waitlist::cipher::{Keyring, Sealed};
use houbu::waitlist::policy::{PaymentMode, QueueOrder};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::hospital::world::{HOSPITAL, local};
use crate::hospital::{Hospital, Setup};

const NUMBER: &str = "11010519491231002X";

async fn registers(hospital: &Hospital) {
    let data =
        json!({ "name": "张三丰", "idType": "1", "idNumber": NUMBER, "phone": "13800138000", "openid": "wx-1-0" });
    hospital.ask(Method::PUT, "/v1/patients/p1", Some(data)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_handed_all_that_is_kept_and_the_audit_knows() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    registers(&hospital).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let path = "/v1/patients/p1/export";
    assert_eq!(hospital.door.ask(Method::GET, path, None).await.status, 400, "a reason is needed");
    let all = hospital.ask(Method::GET, &format!("{path}?reason=%E6%9C%AC%E4%BA%BA%E7%94%B3%E8%AF%B7"), None).await;
    assert_eq!((&all["person"]["name"], &all["person"]["idNumber"]), (&json!("张三丰"), &json!(NUMBER)));
    assert_eq!(all["applications"][0]["waitlistId"], json!(entry));
    assert_eq!((&all["appointments"][0]["status"], &all["payments"][0]["amountFen"]), (&json!("booked"), &json!(5000)));
    assert_eq!((&all["offers"][0]["outcome"], &all["offers"][0]["waitlistId"]), (&json!("booked"), &json!(entry)));
    let kinds: Vec<&str> = all["notices"].as_array().unwrap().iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["submitted", "booked", "reminder"]);
    let audit = hospital.ask(Method::GET, "/v1/audit?verb=patient.export", None).await;
    assert_eq!(audit["items"][0]["reason"], "本人申请");
    for verb in ["suspend", "resume"] {
        let body = Some(json!({ "reason": "to be looked at" }));
        hospital.ask(Method::POST, &format!("/v1/runs/{entry}/{verb}"), body).await;
    }
    for (asked, found) in [
        ("patientId=p1", 3),
        ("patientId=p1&from=2020-01-01&to=2099-01-01", 3),
        ("patientId=p2", 0),
        ("to=2020-01-01", 0),
        ("from=2099-01-01", 0),
    ] {
        let audit = hospital.ask(Method::GET, &format!("/v1/audit?{asked}"), None).await;
        assert_eq!(audit["items"].as_array().unwrap().len(), found, "{asked}: {audit}");
    }
    for (table, rows) in hospital.everything().await {
        assert!(!rows.contains(NUMBER), "what was handed over stands in {table}");
    }
    hospital.finish().await;
}

/// Every table that has rows of a person has a part in what is handed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_over_has_what_was_drawn_done_by_staff_and_held_against_a_person() {
    let mut setup = Setup::paying(PaymentMode::None);
    setup.policy.order = Some(QueueOrder::Random);
    let hospital = Hospital::open(setup).await;
    registers(&hospital).await;
    let body = json!({ "scheduleId": "w1-am", "patientId": "p1", "accountId": "account-of-p1" });
    let entry = hospital.door.ask(Method::POST, "/v1/waitlist", Some(body)).await;
    assert_eq!(entry.status, 201, "{}", entry.body);
    let entry = entry.body["waitlistId"].clone();
    hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(40).await;
    hospital.free_a_place("w1-am").await;
    let ask = async |method, path: &str, body| hospital.ask(method, path, body).await;
    ask(Method::PUT, "/v1/blacklist/p1", Some(json!({ "reason": "resale", "until": "2027-01-01T00:00:00+08:00" })))
        .await;
    ask(Method::POST, "/v1/blacklist/p1/appeals", Some(json!({ "said": "it was not me" }))).await;
    let breach =
        "insert into breach (hospital, his_order_id, visit_date, id_hash, department_id, channel_id, event, seen_by)
                  select hospital, 'HO1', '2026-08-01', id_hash, 'D1', '4', 'noShow', gen_random_uuid() from patient
                  where id = 'p1'";
    sqlx::query(breach).execute(&hospital.db.pool).await.unwrap();
    let all = ask(Method::GET, "/v1/patients/p1/export?reason=asked", None).await;
    for part in ["applications", "draws", "notices", "accounts", "audit", "blacklist", "appeals", "breaches"] {
        assert!(all[part].as_array().is_some_and(|rows| !rows.is_empty()), "{part}: {all}");
    }
    assert_eq!(all["draws"][0]["waitlistId"], entry);
    let deed = &all["audit"][0];
    assert_eq!((&deed["verb"], &deed["reason"]), (&json!("blacklist.put"), &json!("resale")));
    assert!(deed.get("who").is_none(), "who of the staff it was is not the patient's");
    // Nothing of anybody else.
    let other = ask(Method::GET, "/v1/patients/p3/export?reason=asked", None).await;
    for (part, rows) in other.as_object().unwrap().iter().filter(|(_, rows)| rows.is_array()) {
        assert_eq!(rows, &json!([]), "{part}");
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_forgotten_once_nothing_is_under_way() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    registers(&hospital).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let erase = async || {
        let why = json!({ "reason": "the person asks for it" });
        hospital.door.ask(Method::POST, "/v1/patients/p1/erasure", Some(why)).await
    };
    let accounts = async || {
        let count = "select count(*) from account_person";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&hospital.db.pool).await.unwrap()
    };
    let family = "insert into account_person (hospital, account_id, person)
                  select p.hospital, 'family', p.id_hash from patient p where p.id in ('p1', 'p2')";
    assert_eq!(sqlx::query(family).execute(&hospital.db.pool).await.unwrap().rows_affected(), 2);
    assert_eq!(erase().await.code(), "still_needed", "a visit is to come");
    hospital.pass_until(local(4, 19, 0)).await;
    hospital.ask(Method::PUT, "/v1/blacklist/p1", Some(json!({ "reason": "resale" }))).await;
    assert_eq!(
        erase().await.code(),
        "still_needed",
        "whoever is blacklisted by hand does not come back as another one"
    );
    hospital.ask(Method::DELETE, "/v1/blacklist/p1?reason=lifted", None).await;
    assert_eq!(erase().await.status, 204);
    assert_eq!(hospital.door.ask(Method::GET, "/v1/patients/p1", None).await.status, 404);
    assert_eq!(hospital.status(entry).await, "booked", "what happened stays, under an id that says nothing");
    let held = hospital.everything().await;
    for (table, rows) in held {
        assert!(!rows.contains("张三丰") && !rows.contains(NUMBER) && !rows.contains("13800138000"), "{table}");
    }
    assert_eq!(accounts().await, 1, "the account knows of the other one alone");
    assert_eq!(erase().await.status, 404);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_not_been_with_us_for_years_is_forgotten_and_a_blacklisted_one_is_not() {
    let mut hospital = Hospital::paying(PaymentMode::None).await;
    let pool = &hospital.db.pool.clone();
    registers(&hospital).await;
    hospital.apply("w1-am", 1).await;
    let forever = "insert into blacklist (hospital, patient_id, reason) values ($1, 'p2', 'resale')";
    sqlx::query(forever).bind(HOSPITAL).execute(pool).await.unwrap();
    hospital.pass_until(local(5, 0, 0)).await;
    let forget = async |days| forget_absent(pool, HOSPITAL, days).await.unwrap();
    assert_eq!(forget(1095).await, 0);
    // In three years a worker's housekeeping forgets the history too, by which the books are judged.
    hospital.worker_leaves().await;
    clock::set(pool, local(5, 0, 0) + TimeDelta::days(1092)).await.unwrap();
    assert_eq!(forget(1095).await, 2, "what p1 applied for ended later: the other two");
    clock::set(pool, local(5, 0, 0) + TimeDelta::days(1094)).await.unwrap();
    assert_eq!(forget(1095).await, 1);
    let left: Vec<String> = sqlx::query_scalar("select id from patient").fetch_all(pool).await.unwrap();
    assert_eq!(left, ["p2"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_while_patients_come() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    registers(&hospital).await;
    let (old, new) = (SecretString::from("5a".repeat(32)), SecretString::from("6b".repeat(32)));
    // The seed of a draw is sealed as well, until the draw is held.
    let about = houbu::waitlist::draw::about("w1-am");
    let seed = Keyring::new(&old, &[]).unwrap().seal(&about, "the seed").unwrap();
    draws::fix(&hospital.db.pool, HOSPITAL, "w1-am", "its hash", seed.as_bytes()).await.unwrap();
    let rotated = Keyring::new(&new, std::slice::from_ref(&old)).unwrap();
    let pool = &hospital.db.pool;
    let forgotten = Keyring::new(&new, &[]).unwrap();
    assert_eq!(reseal_all(pool, HOSPITAL, &forgotten).await.unwrap(), Resealed { done: 0, lost: 5 });
    assert_eq!(reseal_all(pool, HOSPITAL, &rotated).await.unwrap(), Resealed { done: 5, lost: 0 });
    assert_eq!(
        reseal_all(pool, HOSPITAL, &rotated).await.unwrap(),
        Resealed::default(),
        "the old key is needed no longer"
    );
    let sealed: Vec<u8> =
        sqlx::query_scalar("select sealed from patient where id = 'p1'").fetch_one(pool).await.unwrap();
    let plain = forgotten.open("p1", &Sealed::from_bytes(sealed)).unwrap();
    assert!(plain.expose_secret().contains(NUMBER));
    let draw = draws::find(pool, HOSPITAL, "w1-am").await.unwrap().unwrap();
    assert_eq!(forgotten.open(&about, &Sealed::from_bytes(draw.sealed)).unwrap().expose_secret(), "the seed");
    // One process has the old key alone still, and writes; the next round finds it.
    registers(&hospital).await;
    assert_eq!(reseal_all(pool, HOSPITAL, &rotated).await.unwrap(), Resealed { done: 1, lost: 0 });
    hospital.finish().await;
}
