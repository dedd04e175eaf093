//! What needs a person, and the day so far, in numbers.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Answer, Desk};
use crate::records::day_lines::{self, Line, Of};
use crate::records::overview::{self, Numbers};

impl Desk {
    /// The numbers of the hospital's day in which `now` is.
    pub async fn numbers_of_day(&self, now: DateTime<Utc>) -> Answer<Numbers> {
        let (from, to) = day_of(now, self.ports.tz);
        Ok(overview::numbers(&self.engine.pool, self.hospital(), from, to).await?)
    }

    /// How many lines stand behind a number of that day, and what they come to, 分.
    pub async fn count_of_day(&self, of: Of, now: DateTime<Utc>) -> Answer<(i64, i64)> {
        let (from, to) = day_of(now, self.ports.tz);
        Ok(day_lines::count(&self.engine.pool, self.hospital(), of, from, to).await?)
    }

    /// A page of them, behind the last one of the page before.
    pub async fn lines_of_day(
        &self,
        of: Of,
        now: DateTime<Utc>,
        after: Option<(DateTime<Utc>, &str)>,
        most: i64,
    ) -> Answer<Vec<Line>> {
        let day = day_of(now, self.ports.tz);
        Ok(day_lines::page(&self.engine.pool, self.hospital(), of, day, after, most).await?)
    }
}

/// When the day of `now` begins and ends in this zone.
fn day_of(now: DateTime<Utc>, tz: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let day = now.with_timezone(&tz).date_naive();
    let begins = |day: chrono::NaiveDate| {
        let midnight = day.and_time(NaiveTime::MIN).and_local_timezone(tz).earliest();
        midnight.map_or(now, |at| at.with_timezone(&Utc))
    };
    let next = day.checked_add_days(Days::new(1)).map_or(now + TimeDelta::days(1), begins);
    (begins(day), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_hospitals() {
        let (from, to) = day_of(DateTime::UNIX_EPOCH, chrono_tz::Asia::Shanghai);
        assert_eq!(from.to_rfc3339(), "1969-12-31T16:00:00+00:00");
        assert_eq!(to - from, TimeDelta::days(1));
    }
}
