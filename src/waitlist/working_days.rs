//! Which days are worked (R25): not Saturdays, Sundays and holidays, but the weekend days that make up for a holiday (调休).
//!
//! Where the dates come from is not asked here. A year of which nothing is known has its weekends and no holiday.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, Weekday};

/// The days that differ from the week's order. The default knows none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkingDays {
    holidays: BTreeSet<NaiveDate>,
    made_up: BTreeSet<NaiveDate>,
}

/// A day cannot be both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is a holiday and a working day")]
pub struct Both(pub NaiveDate);

impl WorkingDays {
    /// Adds holidays, and days that are worked although they are a Saturday or a Sunday.
    pub fn with(
        mut self,
        holidays: impl IntoIterator<Item = NaiveDate>,
        made_up: impl IntoIterator<Item = NaiveDate>,
    ) -> Result<Self, Both> {
        self.holidays.extend(holidays);
        self.made_up.extend(made_up);
        let both = self.holidays.intersection(&self.made_up).next().copied();
        both.map_or(Ok(self), |day| Err(Both(day)))
    }

    /// True where the day is worked.
    pub fn is_working(&self, day: NaiveDate) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        self.made_up.contains(&day) || !(weekend || self.holidays.contains(&day))
    }

    /// This day if it is worked, else the last one before it that is; the calendar's first day where there is none.
    pub fn on_or_before(&self, day: NaiveDate) -> NaiveDate {
        let mut back = std::iter::successors(Some(day), NaiveDate::pred_opt);
        back.find(|day| self.is_working(*day)).unwrap_or(NaiveDate::MIN)
    }

    /// The last holiday that is known: beyond its year nobody has said what is free.
    pub fn last_holiday(&self) -> Option<NaiveDate> {
        self.holidays.last().copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn october() -> WorkingDays {
        let holidays = (1..=7).map(|nth| NaiveDate::from_ymd_opt(2026, 10, nth).unwrap());
        WorkingDays::default().with(holidays, [day("2026-10-10")]).unwrap()
    }

    #[test]
    fn holidays_are_free_and_made_up_days_are_worked() {
        let table = [
            ("2026-09-30", true),
            ("2026-10-01", false),
            ("2026-10-07", false),
            ("2026-10-08", true),
            ("2026-10-10", true),
            ("2026-10-11", false),
            // Nobody has said anything of this year: a Friday.
            ("2027-10-01", true),
            ("2027-10-02", false),
        ];
        for (date, worked) in table {
            assert_eq!(october().is_working(day(date)), worked, "{date}");
        }
        assert_eq!(october().last_holiday(), Some(day("2026-10-07")));
    }

    #[test]
    fn the_last_working_day_is_behind_the_whole_holiday() {
        let table = [
            ("2026-10-08", "2026-10-08"),
            ("2026-10-07", "2026-09-30"),
            ("2026-10-10", "2026-10-10"),
            ("2026-10-11", "2026-10-10"),
            ("2026-10-18", "2026-10-16"),
        ];
        for (date, last) in table {
            assert_eq!(october().on_or_before(day(date)), day(last), "{date}");
        }
        assert_eq!(october().on_or_before(NaiveDate::MIN).max(day("2026-10-01")), day("2026-10-01"));
    }

    #[test]
    fn a_day_that_is_both_is_refused() {
        let refused = october().with([], [day("2026-10-03")]).unwrap_err();
        assert_eq!(refused.to_string(), "2026-10-03 is a holiday and a working day");
    }
}
