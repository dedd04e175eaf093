//! Each payment mode's way to the visit, and each way on which something has to be given back.

use futures::FutureExt;
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;

use super::{Path, every_mishap_at_every_step};
use crate::hospital::Hospital;
use crate::hospital::world::{cutoff, local};

fn nothing_before(_: &Hospital, _: u32) {}

/// A place for everybody who waits.
async fn places_for(hospital: &Hospital, people: usize) {
    hospital.free_silently("w1-am", u32::try_from(people).unwrap()).await;
    hospital.hint("w1-am").await;
    hospital.pass_minutes(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_to_a_visit_without_payment() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::None,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                places_for(hospital, entries.len()).await;
                hospital.pass_until(local(4, 19, 0)).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_to_a_prepaid_visit() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::Prepay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                hospital.pass_minutes(2).await;
                places_for(hospital, entries.len()).await;
                hospital.pass_until(local(4, 19, 0)).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_to_a_locked_and_paid_visit() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::LockThenPay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.confirm(*entry).await;
                }
                hospital.pass_minutes(2).await;
                hospital.pass_until(local(4, 19, 0)).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_to_a_refund() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::Prepay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                hospital.pass_minutes(2).await;
                for entry in entries {
                    hospital.withdraw(*entry).await;
                }
                hospital.pass_minutes(30).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_from_a_cancelled_visit_to_its_refund() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::Prepay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                hospital.pass_minutes(2).await;
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.cancel_visit(*entry).await;
                }
                hospital.pass_minutes(30).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_from_an_offer_that_nobody_pays() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::LockThenPay,
        before: |hospital, patients| (1..=patients).for_each(|patient| hospital.payer(patient, Payer::Never)),
        play: |hospital, entries| {
            async move {
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.confirm(*entry).await;
                }
                hospital.pass_minutes(40).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_from_a_declined_payment() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::LockThenPay,
        before: |hospital, patients| (1..=patients).for_each(|patient| hospital.payer(patient, Payer::Never)),
        play: |hospital, entries| {
            async move {
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.confirm(*entry).await;
                }
                hospital.pass_seconds(10).await;
                for entry in entries {
                    hospital.decline(*entry).await;
                }
                hospital.pass_minutes(5).await;
            }
            .boxed_local()
        },
    })
    .await;
}

/// No notice ever arrives: everything is found by asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_to_a_refund_at_the_cutoff_without_notices() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::Prepay,
        before: |hospital, _| hospital.shut_the_door(),
        play: |hospital, entries| {
            async move {
                assert!(!entries.is_empty());
                hospital.pass_until(cutoff() + chrono::TimeDelta::minutes(30)).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_from_an_offer_that_staff_cancel() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::LockThenPay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.staff_cancels(*entry).await;
                }
                hospital.pass_minutes(10).await;
            }
            .boxed_local()
        },
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_way_from_a_visit_that_staff_cancel() {
    every_mishap_at_every_step(Path {
        mode: PaymentMode::Prepay,
        before: nothing_before,
        play: |hospital, entries| {
            async move {
                hospital.pass_minutes(2).await;
                places_for(hospital, entries.len()).await;
                for entry in entries {
                    hospital.staff_cancels(*entry).await;
                }
                hospital.pass_minutes(30).await;
            }
            .boxed_local()
        },
    })
    .await;
}
