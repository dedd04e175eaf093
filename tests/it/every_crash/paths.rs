//! Each payment mode's way to the visit, and each way on which something has to be given back.

use futures::FutureExt;
use houbu::ports::his::DayPart;
use houbu::sandbox::his::Becomes;
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;

use super::{Path, every_mishap_at_every_step};
use crate::hospital::Hospital;
use crate::hospital::world::{FEE_FEN, costs, cutoff, local, visit_date};

fn nothing_before(_: &Hospital, _: u32) {}

/// A place for everybody who waits.
async fn places_for(hospital: &Hospital, people: usize) {
    hospital.free_silently("w1-am", u32::try_from(people).unwrap()).await;
    hospital.hint("w1-am").await;
    hospital.pass_minutes(2).await;
}

const UNPAID_VISIT: Path = Path {
    steps: &["Waiting", "Booking", "Visit"],
    mode: PaymentMode::None,
    before: nothing_before,
    play: |hospital, entries| {
        async move {
            places_for(hospital, entries.len()).await;
            hospital.pass_until(local(4, 19, 0)).await;
        }
        .boxed_local()
    },
};

const PREPAID_VISIT: Path = Path {
    steps: &["PrepayOrder", "Prepayment", "Waiting", "Booking", "Visit"],
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
};

/// The fee falls before the place comes free: a part goes back while the visit stands, the rest when it is cancelled.
const PARTED_AND_CANCELLED: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "Waiting",
        "Booking",
        "PartRefund",
        "PartRefundWait",
        "Visit",
        "Cancelling",
        "Settlement",
        "Reckoning",
        "Refunding",
        "RefundWait",
        "RefundCheck",
        "Closure",
    ],
    mode: PaymentMode::Prepay,
    before: nothing_before,
    play: |hospital, entries| {
        async move {
            hospital.pass_minutes(2).await;
            costs(hospital, FEE_FEN - 1_000).await;
            places_for(hospital, entries.len()).await;
            hospital.pass_minutes(30).await;
            for entry in entries {
                hospital.cancel_visit(*entry).await;
            }
            hospital.pass_minutes(60).await;
        }
        .boxed_local()
    },
};

const LOCKED_AND_PAID_VISIT: Path = Path {
    steps: &["Waiting", "Locking", "Confirmation", "OfferOrder", "Paying", "Booking", "Visit"],
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
};

const REFUND: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "Waiting",
        "Settlement",
        "Reckoning",
        "Refunding",
        "RefundWait",
        "RefundCheck",
        "Closure",
    ],
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
};

const CANCELLED_VISIT: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "Waiting",
        "Booking",
        "Visit",
        "Cancelling",
        "Settlement",
        "Reckoning",
        "Refunding",
        "RefundWait",
        "RefundCheck",
        "Closure",
    ],
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
};

const UNPAID_OFFER: Path = Path {
    steps: &[
        "Waiting",
        "Locking",
        "Confirmation",
        "OfferOrder",
        "Paying",
        "PaymentCheck",
        "OrderClosing",
        "Unlocking",
        "Settlement",
        "Reckoning",
        "Closure",
    ],
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
};

const DECLINED_PAYMENT: Path = Path {
    steps: &[
        "Waiting",
        "Locking",
        "Confirmation",
        "OfferOrder",
        "Paying",
        "OrderClosing",
        "Unlocking",
        "Settlement",
        "Reckoning",
        "Closure",
    ],
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
};

/// No notice ever arrives: everything is found by asking.
const CUTOFF_WITHOUT_NOTICES: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "PrepayCheck",
        "Waiting",
        "Refunding",
        "RefundWait",
        "RefundCheck",
        "Closure",
    ],
    mode: PaymentMode::Prepay,
    before: |hospital, _| hospital.shut_the_door(),
    play: |hospital, entries| {
        async move {
            assert!(!entries.is_empty());
            hospital.pass_until(cutoff() + chrono::TimeDelta::minutes(30)).await;
        }
        .boxed_local()
    },
};

const OFFER_CANCELLED_BY_STAFF: Path = Path {
    steps: &["Waiting", "Locking", "Clearing", "Settlement", "Closure"],
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
};

const VISIT_CANCELLED_BY_STAFF: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "Waiting",
        "Booking",
        "Clearing",
        "Settlement",
        "Reckoning",
        "Refunding",
        "RefundWait",
        "RefundCheck",
        "Closure",
    ],
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
};

/// HIS is asked whether the lock still holds before money is asked for (R10).
const LOCK_LOOKED_AFTER: Path = Path {
    steps: &["Waiting", "Locking", "Confirmation", "LockCheck", "OfferOrder", "Paying", "Booking", "Visit"],
    mode: PaymentMode::LockThenPay,
    before: nothing_before,
    play: LOCKED_AND_PAID_VISIT.play,
};

/// Another doctor sees the patients, and they agree (R34).
const VISIT_CHANGED: Path = Path {
    steps: &["Waiting", "Booking", "Visit", "Asking"],
    mode: PaymentMode::None,
    before: nothing_before,
    play: |hospital, entries| {
        async move {
            places_for(hospital, entries.len()).await;
            let (doctor_id, doctor_name) = ("W9".to_owned(), "替诊".to_owned());
            let becomes = Becomes { doctor_id, doctor_name, visit_date: visit_date(), part: DayPart::Morning };
            hospital.becomes("w1-am", &becomes).await;
            hospital.pass_minutes(2).await;
            for entry in entries {
                hospital.answer(*entry, "keep").await;
            }
            hospital.pass_until(local(4, 19, 0)).await;
        }
        .boxed_local()
    },
};

/// The fee falls, and another doctor sees the patients while a part is on its way back (R6, R34).
const CHANGED_MEANWHILE: Path = Path {
    steps: &[
        "PrepayOrder",
        "Prepayment",
        "Waiting",
        "Booking",
        "PartRefund",
        "PartRefundWait",
        "AskingMeanwhile",
        "Visit",
    ],
    mode: PaymentMode::Prepay,
    before: |hospital, _| hospital.provider.refunds_rest(true),
    play: |hospital, entries| {
        async move {
            hospital.pass_minutes(2).await;
            costs(hospital, FEE_FEN - 1_000).await;
            places_for(hospital, entries.len()).await;
            let (doctor_id, doctor_name) = ("W9".to_owned(), "替诊".to_owned());
            let becomes = Becomes { doctor_id, doctor_name, visit_date: visit_date(), part: DayPart::Morning };
            hospital.becomes("w1-am", &becomes).await;
            hospital.pass_minutes(2).await;
            for entry in entries {
                hospital.answer(*entry, "keep").await;
            }
            hospital.provider.refunds_rest(false);
            hospital.pass_until(local(4, 19, 0)).await;
        }
        .boxed_local()
    },
};

/// A test for each path, and the list of all.
macro_rules! paths {
    ($($name:ident = $path:expr;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                every_mishap_at_every_step($path).await;
            }
        )+

        /// Every path that has a test.
        pub(super) const PATHS: &[Path] = &[$($path),+];
    };
}

paths! {
    on_the_way_to_a_visit_without_payment = UNPAID_VISIT;
    on_the_way_to_a_prepaid_visit = PREPAID_VISIT;
    on_the_way_from_a_visit_of_which_a_part_went_back = PARTED_AND_CANCELLED;
    on_the_way_to_a_locked_and_paid_visit = LOCKED_AND_PAID_VISIT;
    on_the_way_to_a_refund = REFUND;
    on_the_way_from_a_cancelled_visit_to_its_refund = CANCELLED_VISIT;
    on_the_way_from_an_offer_that_nobody_pays = UNPAID_OFFER;
    on_the_way_from_a_declined_payment = DECLINED_PAYMENT;
    on_the_way_to_a_refund_at_the_cutoff_without_notices = CUTOFF_WITHOUT_NOTICES;
    on_the_way_from_an_offer_that_staff_cancel = OFFER_CANCELLED_BY_STAFF;
    on_the_way_from_a_visit_that_staff_cancel = VISIT_CANCELLED_BY_STAFF;
    on_the_way_past_a_lock_that_is_looked_after = LOCK_LOOKED_AFTER;
    on_the_way_to_a_visit_with_another_doctor = VISIT_CHANGED;
    on_the_way_to_another_doctor_with_money_on_its_way_back = CHANGED_MEANWHILE;
}
