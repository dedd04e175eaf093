//! The same for what happens once a day: reconciliation.

use houbu::engine::sabotage::Point;
use houbu::sandbox::his::Planted;
use houbu::waitlist::policy::PaymentMode;

use super::MISHAPS;
use crate::hospital::Hospital;
use crate::hospital::sabotage::Harm;
use crate::hospital::world::local;

const RECONCILIATION: &str = "reconciliation";

const BEFORE_THE_BILL: &[&str] = &["Resting"];
const WITH_THE_BILL: &[&str] = &["Billing", "Listing", "Comparing", "AskingHis", "AskingPayer", "Judging"];

/// What is disturbed here; each step suffers each mishap.
pub(super) const DISTURBED: [(&str, &[&str]); 2] = [(RECONCILIATION, BEFORE_THE_BILL), (RECONCILIATION, WITH_THE_BILL)];

fn plan(hospital: &Hospital, step: &str, harms: &[(Point, Harm)]) {
    for (point, harm) in harms {
        hospital.mishaps.plan(*point, &format!("{RECONCILIATION}/{step}"), *harm, 1);
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
        plan(&hospital, step, harms);
        let run = hospital.reconcile().await;
        hospital.pass_until(local(day, 10, 15)).await;
        assert_eq!(hospital.steps(run).await.last().map(String::as_str), Some("Judging: Judged"), "{step} {mishap}");
        assert_eq!(hospital.open_cases().await, expected, "{step} {mishap}");
        assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
    }
    for (step, (mishap, harms)) in WITH_THE_BILL.iter().flat_map(|step| MISHAPS.map(|mishap| (step, mishap))) {
        plan(&hospital, step, harms);
        let run = hospital.reconcile().await;
        hospital.pass_minutes(3).await;
        assert_eq!(hospital.steps(run).await.last().map(String::as_str), Some("Judging: Judged"), "{step} {mishap}");
        assert_eq!(hospital.open_cases().await, expected, "{step} {mishap}");
        assert_eq!(hospital.mishaps.left(), [""; 0], "{step} {mishap}");
    }
    hospital.finish_in_disorder().await;
}
