//! The figures that managers ask for (R33), by day of visit.

use chrono::NaiveDate;

use super::{Answer, Desk, DeskError};
use crate::records::kpis::{self, By, Sums};

/// The longest stretch of one question, days.
pub const DAYS_MAX: i64 = 366;

impl Desk {
    /// The sums between two days, inclusive.
    pub async fn kpis(&self, from: NaiveDate, to: NaiveDate, by: By) -> Answer<Vec<Sums>> {
        let days = to.signed_duration_since(from).num_days();
        if !(0..DAYS_MAX).contains(&days) {
            return Err(DeskError::Unfit(
                "开始日期不能晚于结束日期，且最多 366 天（含首尾）。",
                "The first day is not after the last one, and they are 366 days at most.",
            ));
        }
        Ok(kpis::sums(&self.engine.pool, self.hospital(), from, to, by).await?)
    }
}
