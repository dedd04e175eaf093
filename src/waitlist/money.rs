//! Money: whole 分, never a fraction, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount in 分 (1/100 yuan). May be negative where it is a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum; `None` where it cannot be held.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` where it cannot be held.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// True where there is something to charge or to give back.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02} 元", fen / 100, fen % 100)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_shown_in_yuan() {
        let table = [(0, "0.00 元"), (5, "0.05 元"), (1234, "12.34 元"), (-5, "-0.05 元"), (-1234, "-12.34 元")];
        for (fen, shown) in table {
            assert_eq!(Fen(fen).to_string(), shown);
        }
        assert_eq!(Fen(i64::MIN).to_string(), "-92233720368547758.08 元");
    }

    #[test]
    fn it_is_a_bare_number_on_the_wire() {
        assert_eq!(serde_json::to_string(&Fen(5000)).unwrap(), "5000");
        assert!(serde_json::from_str::<Fen>("50.5").is_err());
    }

    #[test]
    fn an_overflow_is_seen() {
        assert_eq!(Fen(i64::MAX).checked_add(Fen(1)), None);
        assert_eq!(Fen(i64::MIN).checked_sub(Fen(1)), None);
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a: i32, b: i32) {
            let (a, b) = (Fen(a.into()), Fen(b.into()));
            prop_assert_eq!(a.checked_add(b).and_then(|sum| sum.checked_sub(b)), Some(a));
        }
    }
}
