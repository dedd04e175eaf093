//! When the parts of a day are, for schedules of which HIS keeps no times (R18): what the patient is told, and what deadlines
//! are reckoned by. HIS never hears of these hours.

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// From when to when, in hospital time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hours {
    /// The beginning.
    pub from: NaiveTime,
    /// The end, later on the same day.
    pub to: NaiveTime,
}

/// The parts of a day. A schedule of the whole day (全天) is from the morning's beginning to the afternoon's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HalfDays {
    /// 上午.
    pub morning: Hours,
    /// 下午.
    pub afternoon: Hours,
    /// 晚上.
    pub evening: Hours,
}

impl Default for HalfDays {
    fn default() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
        let hours = |from, to| Hours { from: hour(from), to: hour(to) };
        Self { morning: hours(8, 12), afternoon: hours(13, 17), evening: hours(18, 21) }
    }
}

impl HalfDays {
    /// From the first part's beginning to the second one's end.
    pub const fn whole_day(&self) -> Hours {
        Hours { from: self.morning.from, to: self.afternoon.to }
    }

    /// The part whose end is not after its beginning, or that begins before the one before it ends.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let parts = [
            ("halfDays.morning", self.morning),
            ("halfDays.afternoon", self.afternoon),
            ("halfDays.evening", self.evening),
        ];
        let mut before = NaiveTime::MIN;
        for (name, part) in parts {
            if part.from < before || part.to <= part.from {
                return Some(name);
            }
            before = part.to;
        }
        None
    }

    pub(super) fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}
