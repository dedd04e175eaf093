//! What the pull of a day's breaches knows: how far it is. Persons stand in no state.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What a run of `breach_sync` knows. The day alone is enough to begin with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    /// The day of the visits.
    pub day: NaiveDate,
    /// The next page of HIS's list.
    #[serde(default = "first")]
    pub page: u32,
    /// Lines that could not be used: a document's number that is none, a kind of breach that is not known.
    #[serde(default)]
    pub unusable: u32,
}

fn first() -> u32 {
    1
}

impl Pull {
    /// The beginning.
    pub fn of(day: NaiveDate) -> Self {
        Self { day, page: 1, unusable: 0 }
    }
}
