//! How likely one more application comes to a place: a hint from what became of comparable queues, never a promise. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fewest queues that tell anything.
const QUEUES_MIN: usize = 5;

/// The hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Hint {
    /// In two of three comparable queues so many came to a place.
    Likely,
    /// In one of three.
    Possible,
    /// More seldom.
    Unlikely,
}

/// A hint, and what it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "hint": "possible", "reached": 9, "queues": 20 }))]
pub struct Chance {
    /// The hint.
    pub hint: Hint,
    /// In how many of them at least as many came to a place as one more application would be in line.
    pub reached: u32,
    /// The doctor's latest half-days in the department that somebody had waited for.
    pub queues: u32,
}

impl Chance {
    /// The chance of whoever would be at `position`, from 1, where in earlier queues `booked` applications came to a place; none
    /// where there were too few queues to say anything.
    pub fn at(position: i64, booked: &[i64]) -> Option<Self> {
        if booked.len() < QUEUES_MIN {
            return None;
        }
        let reached = booked.iter().filter(|places| **places >= position).count();
        let hint = match (reached * 3, booked.len()) {
            (thrice, all) if thrice >= all * 2 => Hint::Likely,
            (thrice, all) if thrice >= all => Hint::Possible,
            _ => Hint::Unlikely,
        };
        Some(Self { hint, reached: u32::try_from(reached).ok()?, queues: u32::try_from(booked.len()).ok()? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r01_a_hint_stands_on_enough_queues_and_says_what_came_of_them() {
        assert_eq!(Chance::at(1, &[9, 9, 9, 9]), None, "four queues tell nothing");
        let booked = [0, 1, 1, 2, 5, 7];
        let hints = [(1, Hint::Likely, 5), (2, Hint::Possible, 3), (6, Hint::Unlikely, 1), (8, Hint::Unlikely, 0)];
        for (position, hint, reached) in hints {
            assert_eq!(Chance::at(position, &booked), Some(Chance { hint, reached, queues: 6 }), "{position}");
        }
    }

    proptest! {
        #[test]
        fn r01_further_back_is_never_likelier(booked in prop::collection::vec(0_i64..40, 5..40), position in 1_i64..40) {
            let (near, far) = (Chance::at(position, &booked).unwrap(), Chance::at(position + 1, &booked).unwrap());
            prop_assert!(near.reached >= far.reached);
            prop_assert!(near.hint as u8 <= far.hint as u8);
        }
    }
}
