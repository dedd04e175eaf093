//! Waiting, and the visit that needs no payment (R5, R16, R18, R19).

use houbu::waitlist::policy::PaymentMode;

use crate::hospital::Hospital;

const BOOKED_AT_ONCE: &[&str] = &["Waiting on Offer: Covered", "Booking: Booked"];
const ONE_PLACE_TAKEN: &[&str] =
    &["Idle on Freed: Hint", "Refreshing: Found", "Matching: Offered", "Answering on Answer: Took", "Matching: Exhausted"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freed_place_goes_to_the_first_in_line() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(first).await, BOOKED_AT_ONCE);
    assert_eq!(hospital.release_steps("w1-am").await, ONE_PLACE_TAKEN);
    assert_eq!((hospital.status(first).await.as_str(), hospital.status(second).await.as_str()), ("booked", "waiting"));
    hospital.finish().await;
}
