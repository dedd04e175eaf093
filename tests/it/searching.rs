//! Whose number it is that somebody types: a number may look like a phone or a run, and be the number of a patient or an order.

use axum::http::StatusCode;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::clinic::HOSPITAL;
use super::console::Person;
use super::surface::{House, on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_looks_like_another_is_found_all_the_same() {
    let uuid = "0198f0b2-7a51-7c11-9d3e-2f5a6b7c8d9e";
    let ids = ["10086000123", "4321", uuid, "13800138000"];
    let house = House::with_patients(on(PaymentMode::None), &ids).await;
    let staff = Person::with(&house, "operator", "operator", "en").await;
    let mut runs = Vec::new();
    for id in ids {
        let apply = json!({ "scheduleId": "S1", "patientId": id });
        let applied = house.ask("POST", "/v1/waitlist", Some(id), Some(apply)).await;
        runs.push(applied.json()["waitlistId"].as_str().unwrap().to_owned());
        let found = staff.form("/patients", &[("q", id)]).await;
        assert!(found.text.contains(&format!("/patients/{id}\"")), "{id}: {}", found.text);
    }
    // A visit whose number at HIS has eleven digits.
    sqlx::query(
        "insert into appointment (hospital, id, entry_id, patient_id, schedule_id, slot, his_order_id, serial, place, status, booked_at)
         values ($1, 'V1', $2::uuid, '4321', 'S1', '{}', '20260302001', '1', 'Room', 'booked', engine_now())",
    )
    .bind(HOSPITAL)
    .bind(&runs[1])
    .execute(&house.hospital.pool)
    .await
    .unwrap();
    let typed = [("10086000123", 0), ("4321", 1), (uuid, 2), ("13800138000", 3), ("20260302001", 1)];
    for (number, nth) in typed {
        let to = staff.form("/runs", &[("q", number)]).await;
        assert_eq!(to.status, StatusCode::SEE_OTHER, "{number}");
        let at = to.headers["location"].to_str().unwrap().to_owned();
        let page = staff.page(&at).await;
        assert!(page.contains(&runs[nth]), "{number} leads to {at}: {page}");
        // Whoever asks over the API finds it as well.
        let found = house.get(&format!("/v1/runs?number={number}")).await.json();
        let found: Vec<&str> =
            found["items"].as_array().unwrap().iter().filter_map(|run| run["runId"].as_str()).collect();
        assert!(found.contains(&runs[nth].as_str()), "{number}: {found:?}");
    }
    // A phone's whole number is nobody's in an address.
    assert_eq!(house.get("/v1/runs?number=13900139000").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // The end of a phone finds all who have it.
    let found = house.get("/v1/runs?number=8000").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), ids.len());
    house.hospital.close().await;
}
