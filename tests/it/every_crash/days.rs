//! The same for what happens once a day: reconciliation, and the pull of breaches.

use chrono::NaiveDate;
use houbu::engine::sabotage::Point;
use houbu::sandbox::his::{BreachRecord, Planted};
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::MISHAPS;
use crate::hospital::Hospital;
use crate::hospital::sabotage::Harm;
use crate::hospital::world::local;

const RECONCILIATION: &str = "reconciliation";

const BREACHES: &str = "breach_sync";

const PULL: &[&str] = &["Pulling", "Weighing"];
const BEFORE_THE_BILL: &[&str] = &["Resting"];
const WITH_THE_BILL: &[&str] = &["Billing", "Listing", "Comparing", "AskingHis", "AskingPayer", "Judging"];

/// What is disturbed here; each step suffers each mishap.
pub(super) const DISTURBED: [(&str, &[&str]); 3] =
    [(RECONCILIATION, BEFORE_THE_BILL), (RECONCILIATION, WITH_THE_BILL), (BREACHES, PULL)];

fn plan(hospital: &Hospital, workflow: &str, step: &str, harms: &[(Point, Harm)]) {
    for (point, harm) in harms {
        hospital.mishaps.plan(*point, &format!("{workflow}/{step}"), *harm, 1);
    }
}

/// One visit is cancelled at HIS behind our back: however the comparison is disturbed, that is one case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_reconciliation_finds_each_difference_once() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let (order_id, _) = hospital.numbers(entry).await;
    assert!(hospital.his.plant(Planted::SilentCancel, &order_id, "").await.unwrap());
    let expected = [("visitNotAtHis".to_owned(), order_id)];
    let mornings = BEFORE_THE_BILL.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap)));
    for (day, (step, (mishap, harms))) in (2..).zip(mornings) {
        hospital.pass_until(local(day, 9, 30)).await;
        plan(&hospital, RECONCILIATION, step, harms);
        let run = hospital.reconcile().await;
        hospital.pass_until(local(day, 10, 15)).await;
        assert_eq!(hospital.steps(run).await.last().map(String::as_str), Some("Judging: Judged"), "{step} {mishap}");
        assert_eq!(hospital.open_cases().await, expected, "{step} {mishap}");
        assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
    }
    for (step, (mishap, harms)) in WITH_THE_BILL.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap))) {
        plan(&hospital, RECONCILIATION, step, harms);
        let run = hospital.reconcile().await;
        hospital.pass_minutes(3).await;
        assert_eq!(hospital.steps(run).await.last().map(String::as_str), Some("Judging: Judged"), "{step} {mishap}");
        assert_eq!(hospital.open_cases().await, expected, "{step} {mishap}");
        assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
    }
    hospital.finish_in_disorder().await;
}

/// A breach more on each day that is pulled, round by round: however a pull is disturbed, each is counted once, and what
/// follows from them follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disturbed_pull_of_breaches_counts_each_once() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let rule = json!({ "event": "noShow", "windowDays": 30, "threshold": 2, "penaltyDays": 90, "scope": "hospital" });
    hospital.ask(Method::PUT, "/v1/blacklist-rules/no-shows", Some(rule)).await;
    for (round, (step, (mishap, harms))) in
        PULL.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap))).enumerate()
    {
        for day in 25..=31 {
            let id = format!("H-{round}-{day}");
            let breach = BreachRecord {
                his_order_id: id.clone(),
                visit_date: NaiveDate::from_ymd_opt(2026, 8, day).unwrap(),
                id_type: "5".to_owned(),
                id_number: format!("E77{round:05}"),
                department_id: "D1".to_owned(),
                channel: "9".to_owned(),
                kind: "1".to_owned(),
            };
            hospital.his.set_breach(&id, Some(breach)).await.unwrap();
        }
        plan(&hospital, BREACHES, step, harms);
        let why = json!({ "reason": "somebody asks for it" });
        hospital.ask(Method::POST, "/v1/jobs/breach_sync/run", Some(why)).await;
        hospital.pass_minutes(3).await;
        let counted: Vec<(String, i64)> = sqlx::query_as("select state, count(*) from breach group by state")
            .fetch_all(&hospital.db.pool)
            .await
            .unwrap();
        let listed = 7 * i64::try_from(round + 1).unwrap();
        assert_eq!(counted, [("counts".to_owned(), listed)], "{step} {mishap}");
        let left: i64 = sqlx::query_scalar("select count(*) from run where workflow = $1 and step <> 'Weighed'")
            .bind(BREACHES)
            .fetch_one(&hospital.db.pool)
            .await
            .unwrap();
        assert_eq!(left, 0, "{step} {mishap}");
        assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
    }
    hospital.finish().await;
}
