//! What managers ask for (R33): how many applications become visits, how long a freed place stands idle, what other
//! channels take, what is declined and missed, who does not come.

use houbu::sandbox::his::BreachRecord;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{of_application, statuses};
use crate::hospital::world::{CAMPUS, DEPARTMENT, local, visit_date};
use crate::hospital::{Hospital, Setup};

const VISITS: &str = "from=2026-09-04&to=2026-09-04";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_figures_tell_what_became_of_offers_and_visits() {
    let hospital = Hospital::open(Setup { places: 5, patients: 5, ..Setup::paying(PaymentMode::LockThenPay) }).await;
    let mut entries = Vec::new();
    for patient in 1..=4 {
        entries.push(hospital.apply("w1-am", patient).await);
    }
    hospital.apply("w2-am", 5).await;
    // 114 takes the first place before HIS has locked it; the second stands free for six minutes, until HIS is back.
    hospital.mishaps.just_before(&of_application("Locking"), hospital.grab("w1-am"));
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entries[0]).await, "waiting");
    hospital.line.cut(true);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(6).await;
    hospital.line.cut(false);
    hospital.pass_minutes(6).await;
    hospital.confirm(entries[0]).await;
    hospital.pass_minutes(1).await;
    // The place of the second is declined, the third misses it, the fourth is booked.
    hospital.free_a_place("w1-am").await;
    hospital.decline(entries[1]).await;
    hospital.pass_minutes(45).await;
    hospital.confirm(entries[3]).await;
    hospital.pass_minutes(1).await;
    let [a, b, c, d] = [entries[0], entries[1], entries[2], entries[3]];
    assert_eq!(statuses(&hospital, [a, b, c, d]).await, ["booked", "declined", "lapsed", "booked"]);
    let his_order: String = sqlx::query_scalar("select his_order_id from appointment where entry_id = $1")
        .bind(entries[3])
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    let breach = BreachRecord {
        his_order_id: his_order.clone(),
        visit_date: visit_date(),
        id_type: "5".to_owned(),
        id_number: "E0000004".to_owned(),
        department_id: DEPARTMENT.to_owned(),
        channel: "4".to_owned(),
        kind: "1".to_owned(),
    };
    hospital.his.set_breach(&his_order, Some(breach)).await.unwrap();
    hospital.pass_until(local(5, 6, 0)).await;
    let why = json!({ "reason": "the day is over" });
    hospital.ask(Method::POST, "/v1/jobs/breach_sync/run", Some(why)).await;

    let by_doctor = hospital.ask(Method::GET, &format!("/v1/kpis?{VISITS}&by=doctor"), None).await;
    let first = &by_doctor["items"][0];
    let told = ["id", "name", "applications", "converted", "conversionRate", "offers", "declined", "missed", "lost"];
    let told: Vec<_> = told.iter().map(|field| first[*field].clone()).collect();
    assert_eq!(json!(told), json!(["W1", "医生w1", 4, 2, 0.5, 5, 1, 1, 1]), "{by_doctor}");
    assert_eq!((&first["lossRate"], &first["filled"]), (&json!(0.2), &json!(4)));
    let idle = first["idleMinutes"].as_f64().unwrap();
    assert!((1.5..=3.0).contains(&idle), "one of four places stood free for six minutes and a little more: {idle}");
    assert_eq!((&first["visits"], &first["noShows"], &first["noShowRate"]), (&json!(2), &json!(1), &json!(0.5)));
    let second = &by_doctor["items"][1];
    assert_eq!((&second["applications"], &second["conversionRate"]), (&json!(1), &json!(0.0)));
    assert!(second.get("noShowRate").is_none(), "nothing has no share");

    for (by, id) in [("department", DEPARTMENT), ("campus", CAMPUS), ("day", "")] {
        let all = hospital.ask(Method::GET, &format!("/v1/kpis?{VISITS}&by={by}"), None).await;
        let one = &all["items"][0];
        assert_eq!((&one["id"], &one["applications"], &one["offers"]), (&json!(id), &json!(5), &json!(5)), "{all}");
        assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    }
    let csv = hospital.door.ask(Method::GET, &format!("/v1/kpis?{VISITS}&by=doctor&format=csv"), None).await;
    let text = csv.body.as_str().unwrap();
    assert!(text.starts_with("\u{feff}day,id,name,applications"), "{text}");
    assert!(text.contains("\r\n2026-09-04,W1,医生w1,4,2,0.5,5,1,1,1,0.2,4,"), "{text}");
    for wrong in
        ["from=2026-09-04&to=2026-09-03", "from=2026-09-04&to=2028-09-04", "from=2026-09-04&to=2026-09-04&by=x"]
    {
        assert_eq!(hospital.door.ask(Method::GET, &format!("/v1/kpis?{wrong}"), None).await.status, 422, "{wrong}");
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_only_a_place_that_somebody_else_took_is_lost_to_others() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.line.refuses_a_lock("200501");
    hospital.free_a_place("w1-am").await;
    let figures = async |fields: [&str; 4]| {
        let all = hospital.ask(Method::GET, &format!("/v1/kpis?{VISITS}"), None).await;
        fields.map(|field| all["items"][0][field].clone())
    };
    // HIS refused the lock of the first offer, and holds the same place at the next.
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(figures(["offers", "lost", "unusable", "lossRate"]).await, [json!(1), json!(0), json!(1), json!(0.0)]);
    hospital.hint("w1-am").await;
    assert_eq!(hospital.status(entry).await, "offered");
    assert_eq!(figures(["offers", "lost", "unusable", "lossRate"]).await, [json!(2), json!(0), json!(1), json!(0.0)]);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(figures(["offers", "lost", "unusable", "filled"]).await, [json!(2), json!(0), json!(1), json!(1)]);
    hospital.finish().await;
}
