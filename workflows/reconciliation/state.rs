//! What the reconciliation of a day knows: how far it is. What it read stands in tables of its own.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::records::reconciliation::ours::Span;
use crate::waitlist::calendar;

/// What a run of `reconciliation` knows. The day alone is enough to begin with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// The day.
    pub day: NaiveDate,
    /// When the bill is asked for next.
    #[serde(default)]
    pub ask_at: DateTime<Utc>,
    /// The days whose lists are read: this one, and those of cases that only a list can tell of. The last one is at hand.
    #[serde(default)]
    pub listed: Vec<NaiveDate>,
    /// Which of HIS's lists is read.
    #[serde(default)]
    pub list: List,
    /// Its next page.
    #[serde(default = "first")]
    pub page: u32,
    /// Lines of the bill whose numbers are not of our form.
    #[serde(default)]
    pub foreign_lines: u32,
    /// Applications that the day concerns.
    #[serde(default)]
    pub compared: u32,
    /// Differences.
    #[serde(default)]
    pub found: u32,
}

fn first() -> u32 {
    1
}

/// HIS's lists, in the order in which they are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum List {
    /// 2017.
    #[default]
    Orders,
    /// 2018.
    Locks,
}

/// Ask for the bill at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskNow {}

impl Day {
    /// The beginning of this day's reconciliation.
    pub fn of(day: NaiveDate) -> Self {
        Self {
            day,
            ask_at: DateTime::default(),
            listed: Vec::new(),
            list: List::Orders,
            page: 1,
            foreign_lines: 0,
            compared: 0,
            found: 0,
        }
    }

    /// Its instants, by the hospital's clock.
    pub fn span(&self, tz: Tz) -> Span {
        let begins = |day| calendar::visit_starts_at(day, NaiveTime::MIN, tz);
        (begins(self.day), begins(self.day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX)))
    }
}
