//! What needs a person, and the day so far, in numbers.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{Answer, Desk};
use crate::records::day_lines::{self, Line, Of};
use crate::records::overview::{self, Numbers};
use crate::waitlist::calendar::{day_begins, day_ends};

impl Desk {
    /// The numbers of a day.
    pub async fn numbers_of_day(&self, day: NaiveDate) -> Answer<Numbers> {
        let (from, to) = bounds(day, self.ports.tz);
        Ok(overview::numbers(&self.engine.pool, self.hospital(), from, to).await?)
    }

    /// How many lines stand behind a number of that day, and what they come to, 分.
    pub async fn count_of_day(&self, of: Of, day: NaiveDate) -> Answer<(i64, i64)> {
        let (from, to) = bounds(day, self.ports.tz);
        Ok(day_lines::count(&self.engine.pool, self.hospital(), of, from, to).await?)
    }

    /// A page of them, behind the last one of the page before.
    pub async fn lines_of_day(
        &self,
        of: Of,
        day: NaiveDate,
        after: Option<(DateTime<Utc>, &str)>,
        most: i64,
    ) -> Answer<Vec<Line>> {
        let day = bounds(day, self.ports.tz);
        Ok(day_lines::page(&self.engine.pool, self.hospital(), of, day, after, most).await?)
    }
}

/// When this day of the hospital's begins, and the next one.
pub(super) fn bounds(day: NaiveDate, tz: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    (day_begins(day, tz), day_ends(day, tz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_hospitals() {
        let (from, to) = bounds(NaiveDate::default(), chrono_tz::Asia::Shanghai);
        assert_eq!(from.to_rfc3339(), "1969-12-31T16:00:00+00:00");
        assert_eq!(to - from, chrono::TimeDelta::days(1));
    }
}
