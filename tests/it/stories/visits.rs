//! The booked visit: it takes place, the patient cancels it, or the hospital does (R13, R22, R34).

use houbu::sandbox::his::{OrderRecord, OrderState};
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, RELEASE, THE_MONEY_COMES_BACK, Told, folded, statuses};
use crate::hospital::Hospital;
use crate::hospital::world::local;

const TAKES_PLACE: &[&str] = &["Waiting on Offer: Covered", "Booking: Booked", "Visit on deadline: Over"];
const CANCELLED: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Cancellation: Cancelled",
    "Cancelling: Cancelled",
    "Settlement: Clear",
    "Closure: VisitCancelled",
];
const CANCELLED_PAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Cancellation: Cancelled",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: VisitCancelled",
];
const NOT_CANCELLED: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Cancellation: Cancelled",
    "Cancelling: Refused",
    "Visit on deadline: Over",
];
const STOPPED_PAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Stoppage: Stopped",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Stopped",
];
const STOPPED_AFTER_THE_CUTOFF: &[&str] = &["Idle on deadline: CutOff", "Shut on Stoppage: Stopped", "Stopping: Told"];

pub const TOLD: &[Told] = &[
    (APPLICATION, TAKES_PLACE),
    (APPLICATION, CANCELLED),
    (APPLICATION, CANCELLED_PAID),
    (APPLICATION, NOT_CANCELLED),
    (APPLICATION, STOPPED_PAID),
    (RELEASE, STOPPED_AFTER_THE_CUTOFF),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booked_visit_takes_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.steps(entry).await, TAKES_PLACE);
    let appointment: String =
        sqlx::query_scalar("select status from appointment").fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(appointment, "fulfilled");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_r30_e08_a_cancelled_visit_goes_to_the_next_in_line() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    hospital.cancel_visit(first).await;
    // HIS echoes the cancellation as a push; the place is handed out once.
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.steps(first).await, CANCELLED);
    assert_eq!(statuses(&hospital, [first, second]).await, ["visitCancelled", "booked"]);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked", "visit_cancelled"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_e07_a_cancelled_visit_that_was_paid_is_refunded() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await), CANCELLED_PAID);
    hospital.finish().await;
}

/// HIS cancels until the day before: on the day itself the visit stands, and nobody stays away from it unknowingly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_a_visit_that_his_does_not_cancel_any_more_stands_and_the_patient_is_told() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.his.cancels_no_later_than(1).await.unwrap();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(4, 7, 0)).await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(1).await;
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!((&shown["status"], &shown["reason"]), (&json!("booked"), &json!("notCancelled")), "{shown}");
    let told = hospital.told(1).await;
    assert_eq!(told.last().map(String::as_str), Some("waitlist_booked"), "that it stands: {told:?}");
    assert_eq!(told.iter().filter(|one| *one == "waitlist_booked").count(), 2, "{told:?}");
    let visit = shown["appointmentId"].as_str().unwrap();
    let again = hospital.door.ask(Method::DELETE, &format!("/v1/appointments/{visit}"), None).await;
    assert_eq!(again.code(), "not_cancellable", "said at once from now on");
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.steps(entry).await, NOT_CANCELLED);
    let stands = |order: &&OrderRecord| !order.ordinary && order.state == OrderState::Booked;
    assert_eq!(hospital.his.books().await.orders.iter().filter(stands).count(), 1);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stopped_visit_is_refunded_and_told() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    hospital.stop("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await), STOPPED_PAID);
    let mut told = hospital.told(1).await;
    // The last two are written together and delivered in any order.
    told.sort();
    assert_eq!(told, ["waitlist_booked", "waitlist_failed", "waitlist_refunded", "waitlist_submitted"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_cutoff_a_stoppage_still_concerns_the_booked() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(4, 7, 0)).await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.status(entry).await, "stopped");
    let steps = hospital.release_steps("w1-am").await;
    assert_eq!(steps[steps.len() - 3..], *STOPPED_AFTER_THE_CUTOFF);
    hospital.finish().await;
}
