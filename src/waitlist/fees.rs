//! What a visit costs by now, what of the money that was paid it stands on, and what goes back (R6, R8). Pure.

use super::policy::FeeChange;

/// What the visit is booked at where so much was paid for it and it costs `today_fen` on the day of the offer. Whoever has not
/// paid pays the fee of that day (R20).
pub fn of_offer(rule: FeeChange, paid_fen: i64, today_fen: i64) -> i64 {
    match rule {
        _ if paid_fen == 0 => today_fen,
        FeeChange::KeepPaid => paid_fen,
        FeeChange::RefundOnly => today_fen.min(paid_fen),
        FeeChange::RefundAndTopUp => today_fen,
    }
}

/// What is still to be paid.
pub fn due(fee_fen: i64, paid_fen: i64) -> i64 {
    fee_fen.saturating_sub(paid_fen).max(0)
}

/// How much of each payment a visit of this fee stands on, the earliest first: what is too much is of the last ones.
pub fn kept(paid_fen: &[i64], fee_fen: i64) -> Vec<i64> {
    let mut open = fee_fen.max(0);
    let take = |paid: &i64| {
        let kept = (*paid).max(0).min(open);
        open -= kept;
        kept
    };
    paid_fen.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEES: std::ops::RangeInclusive<i64> = 0..=1_000_000;

    fn rule() -> impl Strategy<Value = FeeChange> {
        prop_oneof![Just(FeeChange::KeepPaid), Just(FeeChange::RefundOnly), Just(FeeChange::RefundAndTopUp)]
    }

    #[test]
    fn r06_too_much_goes_back_and_what_is_missing_is_borne_or_paid() {
        let table = [
            (FeeChange::KeepPaid, 4_000, 5_000, 0),
            (FeeChange::KeepPaid, 6_000, 5_000, 0),
            (FeeChange::RefundOnly, 4_000, 4_000, 0),
            (FeeChange::RefundOnly, 6_000, 5_000, 0),
            (FeeChange::RefundAndTopUp, 4_000, 4_000, 0),
            (FeeChange::RefundAndTopUp, 6_000, 6_000, 1_000),
        ];
        for (rule, today_fen, fee_fen, due_fen) in table {
            let fee = of_offer(rule, 5_000, today_fen);
            assert_eq!((fee, due(fee, 5_000)), (fee_fen, due_fen), "{rule:?} {today_fen}");
            assert_eq!(of_offer(rule, 0, today_fen), today_fen, "whoever has not paid");
        }
        assert_eq!(kept(&[5_000, 1_000], 5_500), [5_000, 500]);
        assert_eq!(kept(&[5_000, 1_000], 3_000), [3_000, 0]);
    }

    proptest! {
        #[test]
        fn r06_nobody_pays_more_than_the_fee_of_the_day_but_by_the_hospitals_choice(
            rule in rule(), paid in 1..=1_000_000_i64, today in FEES,
        ) {
            let fee = of_offer(rule, paid, today);
            prop_assert!(fee <= today || rule == FeeChange::KeepPaid);
            prop_assert!(due(fee, paid) == 0 || rule == FeeChange::RefundAndTopUp);
            prop_assert!(due(fee, paid) <= (today - paid).max(0));
        }

        #[test]
        fn r06_what_is_kept_and_what_goes_back_are_what_was_paid(
            paid in proptest::collection::vec(FEES, 0..5), fee in FEES,
        ) {
            let kept = kept(&paid, fee);
            prop_assert_eq!(kept.len(), paid.len());
            prop_assert!(kept.iter().zip(&paid).all(|(kept, paid)| (0..=*paid).contains(kept)));
            prop_assert_eq!(kept.iter().sum::<i64>(), fee.min(paid.iter().sum()));
            // Only one payment is parted: those before it are kept, those after it go back.
            let parted = kept.iter().zip(&paid).filter(|(kept, paid)| **kept != 0 && kept != paid).count();
            prop_assert!(parted <= 1);
        }
    }
}
