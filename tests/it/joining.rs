//! What a patient finds at the door of a queue, over HTTP (R1, R4, R7, R12, R13, R24, R29, R35): whether it is open and why
//! not, on what terms one joins, and that the terms stay.

use axum::http::StatusCode;
use houbu::waitlist::policy::{CapCounts, InsurancePrepay, LevelPolicy, PaymentMode};
use reqwest::Method;
use serde_json::{Value, json};

use super::hospital::world::CAMPUS;
use super::hospital::{Hospital, Setup};
use super::surface::{Answer, House, on};

impl House {
    async fn joins(&self, schedule: &str, patient: &str, more: Value) -> Answer {
        let mut body = json!({ "scheduleId": schedule, "patientId": patient });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("POST", "/v1/waitlist", None, Some(body)).await
    }

    /// What HIS last told of the first schedule.
    async fn his_tells(&self, state: &str, remaining: i32) {
        sqlx::query("update schedule set state = $1, remaining = $2 where id = 'S1'")
            .bind(state)
            .bind(remaining)
            .execute(&self.hospital.pool)
            .await
            .unwrap();
    }

    /// How the first schedule is listed: full or not, and why nobody may join.
    async fn listed(&self) -> (bool, Option<String>) {
        let all = self.get("/v1/schedules?departmentId=d1").await.json();
        let one = &all["items"][0];
        assert_eq!(one["scheduleId"], "S1");
        let reason = one["waitlist"]["reasonCode"].as_str().map(str::to_owned);
        assert_eq!(one["waitlist"]["open"], json!(reason.is_none()));
        assert_eq!(one["waitlist"]["message"].is_string(), reason.is_some(), "a reason has its sentence");
        (one["full"].as_bool().unwrap(), reason)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_the_entry_is_there_where_a_schedule_is_full_and_says_why_where_it_is_not() {
    let house = House::with_patients(on(PaymentMode::None), &["p1"]).await;
    for (state, remaining, reason) in
        [("open", 1, "bookable_now"), ("stopped", 0, "schedule_stopped"), ("notOpen", 5, "schedule_not_open")]
    {
        house.his_tells(state, remaining).await;
        assert_eq!(house.listed().await.1.as_deref(), Some(reason));
        let refused = house.joins("S1", "p1", json!({})).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, reason));
    }
    house.his_tells("open", 0).await;
    assert_eq!(house.listed().await, (true, None));
    assert_eq!(house.joins("S1", "p1", json!({})).await.status, StatusCode::CREATED);
    house.hospital.close().await;
}

/// A freed place belongs to whoever waits: for everybody else the schedule stays full, and its queue open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_a_freed_place_is_hidden_while_somebody_waits() {
    let house = House::with_patients(on(PaymentMode::None), &["p1", "p2"]).await;
    assert_eq!(house.joins("S1", "p1", json!({})).await.status, StatusCode::CREATED);
    house.his_tells("open", 1).await;
    assert_eq!(house.listed().await, (true, None));
    assert_eq!(house.joins("S1", "p2", json!({})).await.json()["position"], 2);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r04_a_child_has_a_guardian_and_need_not_have_an_id_card() {
    let house = House::open(on(PaymentMode::None)).await;
    let put = async |id: &str, id_type: &str, number: &str, guardian: Value| {
        let body = json!({
            "name": "张小丰", "idType": id_type, "idNumber": number, "phone": "13800138000", "guardian": guardian
        });
        house.ask("PUT", &format!("/v1/patients/{id}"), None, Some(body)).await
    };
    let refused = put("p1", "7", "S110000001", Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "guardian_required"));
    assert_eq!(house.get("/v1/patients/p1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(put("p1", "7", "S110000001", json!("张三丰")).await.status, StatusCode::OK);
    assert_eq!(house.joins("S1", "p1", json!({})).await.status, StatusCode::CREATED);
    // Whoever is of age needs none; a wrong number is nobody's.
    assert_eq!(put("p2", "1", "11010519491231002X", Value::Null).await.status, StatusCode::OK);
    assert_eq!(put("p3", "1", "110105194912310021", Value::Null).await.code(), "invalid_id_number");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r07_where_the_fee_is_taken_in_advance_the_hospital_decides_about_insurance() {
    let never = LevelPolicy { insurance_prepay: Some(InsurancePrepay::NotAccepted), ..on(PaymentMode::Prepay) };
    let house = House::with_patients(never, &["p1", "p2"]).await;
    let insured = json!({ "payType": "insurance" });
    let refused = house.joins("S1", "p1", insured.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "insurance_not_accepted"));
    assert_eq!(
        house.get("/v1/schedules/S1/waitlist").await.json()["insurancePrepay"],
        "notAccepted",
        "before applying"
    );
    assert_eq!(house.joins("S1", "p1", json!({ "payType": "selfPay" })).await.json()["status"], "awaitingPrepayment");
    let self_pay_first = json!({ "switch": "on", "paymentMode": "prepay", "insurancePrepay": "selfPayFirst" });
    assert_eq!(house.ask("PUT", "/v1/policies/doctor/doc1", None, Some(self_pay_first)).await.status, StatusCode::OK);
    let joined = house.joins("S1", "p2", insured).await.json();
    assert_eq!((&joined["status"], &joined["feeFen"]), (&json!("awaitingPrepayment"), &json!(5000)));
    assert_eq!(
        (&joined["payType"], &joined["selfPayFirst"]),
        (&json!("insurance"), &json!(true)),
        "said before paying"
    );
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_patient_finds_their_own_applications_and_how_each_stands() {
    let house = House::with_patients(on(PaymentMode::None), &["p1", "p2"]).await;
    for (schedule, patient) in [("S1", "p2"), ("S1", "p1"), ("S2", "p1")] {
        assert_eq!(house.joins(schedule, patient, json!({})).await.status, StatusCode::CREATED);
    }
    let mine = house.get("/v1/waitlist?patientId=p1").await.json();
    let shown = |one: &Value| {
        let of = |field: &str| one[field].clone();
        (of("patientId"), of("scheduleId"), of("status"), of("position"), of("expiryDate"))
    };
    let expected = |schedule: &str, position: i64, until: &str| {
        (json!("p1"), json!(schedule), json!("waiting"), json!(position), json!(until))
    };
    assert_eq!(
        mine["items"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>(),
        [expected("S2", 1, "2026-03-04T18:00:00+08:00"), expected("S1", 2, "2026-03-03T18:00:00+08:00")]
    );
    assert_eq!(house.get("/v1/waitlist?patientId=p1&status=booked").await.json()["items"], json!([]));
    assert_eq!(house.get("/v1/waitlist?patientId=nobody").await.json()["items"], json!([]));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_patient_may_wait_less_long_than_the_queue_and_not_longer() {
    let house = House::with_patients(on(PaymentMode::None), &["p1"]).await;
    let until = |at: &str| json!({ "latestAt": at });
    let past = house.joins("S1", "p1", until("2026-03-02T09:00:00+08:00")).await;
    assert_eq!((past.status.as_u16(), past.code().as_str()), (422, "invalid_latest_at"));
    let earlier = house.joins("S1", "p1", until("2026-03-03T12:00:00+08:00")).await.json();
    assert_eq!(earlier["expiryDate"], "2026-03-03T12:00:00+08:00");
    let later = house.joins("S2", "p1", until("2026-03-05T07:00:00+08:00")).await.json();
    assert_eq!(later["expiryDate"], "2026-03-04T18:00:00+08:00");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_person_waits_in_so_many_queues_at_a_time() {
    let house =
        House::with_patients(LevelPolicy { live_entries_per_patient: Some(1), ..on(PaymentMode::None) }, &["p1"]).await;
    let first = house.joins("S1", "p1", json!({})).await.json();
    let refused = house.joins("S2", "p1", json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "patient_limit"));
    assert_eq!(refused.json()["limit"], 1);
    let worker = house.work().await;
    let left = format!("/v1/waitlist/{}", first["waitlistId"].as_str().unwrap());
    assert_eq!(house.ask("DELETE", &left, None, None).await.status, StatusCode::ACCEPTED);
    let again = async || house.joins("S2", "p1", json!({})).await.status == StatusCode::CREATED;
    super::patience::wait_for("the place to be counted no more", again).await;
    worker.stop().await;
    house.hospital.close().await;
}

/// The hospital changes how it is paid while somebody waits: whoever waits keeps the terms, whoever comes has the new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_whoever_waits_keeps_the_mode_of_payment_that_they_began_with() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let pays = json!({ "switch": "on", "paymentMode": "lockThenPay" });
    hospital.ask(Method::PUT, &format!("/v1/policies/campus/{CAMPUS}"), Some(pays)).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(first).await, "booked", "nothing is to be paid");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(second).await, "offered");
    hospital.finish().await;
}

/// Q1: whether who has left makes room for another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r03_q1_a_place_is_there_again_unless_the_total_counts_all_who_ever_came() {
    for (counts, third) in [(CapCounts::LiveInAll, 201), (CapCounts::LiveInEach, 201), (CapCounts::EverInEach, 409)] {
        let mut setup = Setup::paying(PaymentMode::None);
        (setup.policy.cap, setup.policy.cap_counts) = (Some(2), Some(counts));
        let hospital = Hospital::open(setup).await;
        let first = hospital.apply("w1-am", 1).await;
        hospital.apply("w1-am", 2).await;
        hospital.withdraw(first).await;
        assert_eq!(hospital.status(first).await, "withdrawn");
        let listed = hospital.ask(Method::GET, "/v1/schedules/w1-am/waitlist", None).await;
        assert_eq!(listed["open"], json!(third == 201), "{listed}");
        let reply = hospital.door.apply("w1-am", "p3").await;
        assert_eq!(reply.status, third, "{counts:?} {}", reply.body);
        hospital.until_still().await;
        // The other schedules of the campus share the total, or have one each.
        let other = hospital.door.apply("w2-am", "p4").await;
        hospital.until_still().await;
        assert_eq!(other.status, if counts == CapCounts::LiveInAll { 409 } else { 201 }, "{counts:?} {}", other.body);
        hospital.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_a_change_of_settings_is_undone_once_and_only_while_it_stands() {
    let house = House::with_patients(on(PaymentMode::None), &["p1"]).await;
    let (doctor, campus) = ("/v1/policies/doctor/doc1", "/v1/policies/campus/c1");
    let put = async |path: &str, cap: u32, reason: &str| {
        let body = json!({ "switch": "on", "cap": cap });
        let answer = house.ask("PUT", &format!("{path}?reason={reason}"), None, Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let audit = house.get("/v1/audit?verb=policy.put").await.json();
        assert_eq!(audit["items"][0]["reason"], reason, "the API's changes stand in the audit too");
        audit["items"][0]["id"].clone()
    };
    let undo = async |path: &str, change: &Value| {
        let body = json!({ "changeId": change, "reason": "a mistake" });
        house.ask("POST", &format!("{path}/undo"), None, Some(body)).await
    };
    let before = house.get(doctor).await.json();
    let first = put(doctor, 41, "one").await;
    assert_eq!(undo(campus, &first).await.status, 404, "it is no change of the campus");
    assert_eq!(undo(doctor, &json!("0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11")).await.status, 404);
    let undone = undo(doctor, &first).await;
    assert_eq!((undone.status, undone.json()), (StatusCode::OK, before.clone()));
    assert_eq!(house.get(doctor).await.json(), before, "what stood before stands");
    let deed = house.get("/v1/audit?verb=policy.undo").await.json()["items"][0].clone();
    assert_eq!((&deed["reason"], &deed["before"]["cap"]), (&json!("a mistake"), &json!(41)));
    assert_eq!(undo(doctor, &first).await.code(), "policy_changed", "once");
    // Somebody changed them since, and even back to the same.
    let second = put(doctor, 42, "two").await;
    put(doctor, 43, "three").await;
    let fourth = put(doctor, 42, "four").await;
    let late = undo(doctor, &second).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "policy_changed"));
    assert_eq!(undo(doctor, &fourth).await.json()["cap"], 43);
    // The first settings of a level leave nothing behind; and what was undone comes back as well.
    assert_eq!(house.get(campus).await.status, 404);
    let made = put(campus, 9, "campus").await;
    assert_eq!(undo(campus, &made).await.status, StatusCode::OK);
    assert_eq!(house.get(campus).await.status, 404);
    let taken_back = house.get("/v1/audit?verb=policy.undo").await.json()["items"][0]["id"].clone();
    assert_eq!(undo(campus, &taken_back).await.json()["cap"], 9);
    house.hospital.close().await;
}
