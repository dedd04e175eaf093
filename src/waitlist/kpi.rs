//! Shares of sums (R33). Pure: where there is nothing to share, there is no share.

/// A part of a whole, 0 to 1, to four places; none where the whole is nothing.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (in_float(part) / in_float(whole) * 10_000.0).round() / 10_000.0)
}

/// Minutes on average, to one place; none where nothing was measured.
pub fn minutes_each(seconds: f64, count: i64) -> Option<f64> {
    (count > 0).then(|| (seconds / 60.0 / in_float(count) * 10.0).round() / 10.0)
}

/// Counts of people are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn in_float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r33_nothing_has_no_share() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(0, 7), Some(0.0));
        assert_eq!(share(1, 3), Some(0.3333));
        assert_eq!(minutes_each(0.0, 0), None);
        assert_eq!(minutes_each(90.0, 2), Some(0.8));
    }

    proptest! {
        #[test]
        fn r33_a_share_is_between_nothing_and_all(whole in 1_i64..1_000_000, part in 0_i64..1_000_000) {
            let share = share(part.min(whole), whole).unwrap_or(-1.0);
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }
}
