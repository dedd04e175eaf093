//! The cutoff before a holiday, as a patient sees it (R25), by the calendar that is shipped.

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate};
use houbu::engine::clock;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::surface::{Answer, House, on};

/// Labour Day 2026 is 1 to 5 May, and Saturday the 9th is worked for it.
const BEHIND_THE_HOLIDAY: &str = "2026-05-06";
const BEHIND_THE_WORKED_SATURDAY: &str = "2026-05-10";

impl House {
    async fn visit_is_on(&self, schedule: &str, date: &str) {
        let date: NaiveDate = date.parse().unwrap();
        sqlx::query("update schedule set visit_date = $2 where id = $1")
            .bind(schedule)
            .bind(date)
            .execute(&self.hospital.pool)
            .await
            .unwrap();
    }

    async fn applies(&self, schedule: &str, patient: &str) -> Answer {
        let body = json!({ "scheduleId": schedule, "patientId": patient });
        self.ask("POST", "/v1/waitlist", None, Some(body)).await
    }

    async fn it_is(&self, at: &str) {
        let at = DateTime::parse_from_rfc3339(at).unwrap().to_utc();
        clock::set(&self.hospital.pool, at).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_r25_before_a_holiday_a_queue_closes_on_the_last_working_day_where_the_campus_says_so() {
    let house = House::with_patients(on(PaymentMode::None), &["p1", "p2", "p3", "p4"]).await;
    house.visit_is_on("S1", BEHIND_THE_HOLIDAY).await;
    house.visit_is_on("S2", BEHIND_THE_WORKED_SATURDAY).await;
    // A policy as a release before this rule has stored it.
    sqlx::query("insert into policy (hospital, level, id, body) values ('h001', 'campus', 'c1', $1)")
        .bind(json!({ "switch": "inherit", "cutoff": { "daysBefore": 1, "at": "18:00:00" } }))
        .execute(&house.hospital.pool)
        .await
        .unwrap();
    let before = house.applies("S1", "p1").await.json();
    assert_eq!(before["expiryDate"], "2026-05-05T18:00:00+08:00");

    let rule = json!({ "cutoff": { "daysBefore": 1, "at": "18:00:00", "onWorkingDay": true } });
    let put = house.ask("PUT", "/v1/policies/campus/c1", None, Some(rule)).await;
    assert_eq!((put.status, &put.json()["cutoff"]["onWorkingDay"]), (StatusCode::OK, &json!(true)));
    assert_eq!(house.applies("S1", "p2").await.json()["expiryDate"], "2026-04-30T18:00:00+08:00");
    assert_eq!(house.applies("S2", "p2").await.json()["expiryDate"], "2026-05-09T18:00:00+08:00");
    let stands = house.get(&format!("/v1/waitlist/{}", before["waitlistId"].as_str().unwrap())).await.json();
    assert_eq!(stands["expiryDate"], before["expiryDate"], "an application keeps what it began with");

    house.it_is("2026-04-30T17:59:59+08:00").await;
    assert_eq!(house.applies("S1", "p3").await.status, StatusCode::CREATED);
    house.it_is("2026-04-30T18:00:00+08:00").await;
    assert_eq!(house.applies("S1", "p4").await.code(), "past_cutoff");
    let queue = house.get("/v1/schedules/S1/waitlist").await.json();
    assert_eq!((&queue["open"], &queue["reasonCode"]), (&json!(false), &json!("past_cutoff")));
    assert_eq!(queue["cutoff"], "2026-04-30T18:00:00+08:00");
    assert_eq!(house.applies("S2", "p4").await.status, StatusCode::CREATED);
    house.hospital.close().await;
}
