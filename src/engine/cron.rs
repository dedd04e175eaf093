//! When something ticks: a cron expression in a time zone. Pure; knows no job and no database.
//!
//! Five fields, as in every crontab: minute, hour, day of the month, month, weekday. `*`, lists, ranges and steps;
//! months and weekdays also by name. Weekdays are 1 = Monday to 6 = Saturday, 0 and 7 = Sunday. Where both a day of the
//! month and a weekday are named (neither begins with `*`), a day that fits either ticks.
//!
//! The fields are read on the clock on the wall. An hour that a change of clocks leaves out ticks once, when it is over;
//! an hour that comes twice ticks the first time only.

use std::fmt;

use chrono::offset::LocalResult;
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use cron::Schedule;

/// An example that every message may end with.
const EXAMPLE: &str = "*/15 6-22 * * 1-5 is every quarter of an hour from 6:00 to 22:45, Monday to Friday";

/// The fields in their order, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31"),
    ("month", "1-12 or JAN-DEC"),
    ("weekday", "0-7 or SUN-SAT, where 1 is Monday and both 0 and 7 are Sunday"),
];

/// The weekdays as the parser below us names them, from Sunday to Sunday.
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// Why an expression cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error(
        "\"{expression}\" has {count} fields: write five, minute, hour, day of the month, month and weekday; for example \
         {EXAMPLE}"
    )]
    FieldCount {
        /// What was written.
        expression: String,
        /// How many fields that has.
        count: usize,
    },
    /// A field that cannot be read.
    #[error(
        "\"{expression}\": the {name} \"{field}\" cannot be read: write {takes}, as *, a list (1,3), a range (1-5) or with \
         a step (*/2); for example {EXAMPLE}"
    )]
    Field {
        /// What was written.
        expression: String,
        /// The field.
        field: String,
        /// What it is called.
        name: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A day that no year has.
    #[error("\"{expression}\" never ticks: no month that it names has such a day; change the day or the month")]
    Never {
        /// What was written.
        expression: String,
    },
}

/// A cron expression in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    expression: String,
    zone: Tz,
    /// What ticks when either of them does: two where a day of the month and a weekday are both named.
    either: Vec<Schedule>,
}

impl Cron {
    /// Reads an expression.
    pub fn new(expression: &str, zone: Tz) -> Result<Self, CronError> {
        let written = || expression.to_owned();
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::FieldCount { expression: written(), count: fields.len() });
        };
        let unreadable = |nth: usize, field: &str| {
            let (name, takes) = FIELDS.get(nth).copied().unwrap_or_default();
            CronError::Field { expression: written(), field: field.to_owned(), name, takes }
        };
        for (nth, field) in [minute, hour, day, month].into_iter().enumerate() {
            let mut alone = ["*"; 4];
            if let Some(place) = alone.get_mut(nth) {
                *place = field;
            }
            if steps_by_nothing(field) || schedule(alone, "*").is_none() {
                return Err(unreadable(nth, field));
            }
        }
        let weekdays = weekdays(weekday).ok_or_else(|| unreadable(4, weekday))?;
        let named = |field: &str| !field.starts_with(['*', '?']);
        let either = if named(day) && named(weekday) {
            vec![schedule([minute, hour, day, month], "*"), schedule([minute, hour, "*", month], &weekdays)]
        } else {
            vec![schedule([minute, hour, day, month], &weekdays)]
        };
        let either: Option<Vec<Schedule>> = either.into_iter().collect();
        let cron = Self { expression: fields.join(" "), zone, either: either.ok_or_else(|| unreadable(4, weekday))? };
        // A leap day comes within eight years of any day.
        match cron.next_local(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never { expression: written() }),
        }
    }

    /// What was written, with single spaces.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// The first tick after `instant`; none where the calendar ends (2100).
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut local = instant.with_timezone(&self.zone).naive_local();
        loop {
            local = self.next_local(local)?;
            // Earlier ones are those of an hour that comes for the second time.
            let tick = self.instant_of(local)?;
            if tick > instant {
                return Some(tick);
            }
        }
    }

    /// The ticks after `instant`, in their order.
    pub fn ticks_after(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.next_after(instant), |tick| self.next_after(*tick))
    }

    /// The next tick on the clock on the wall, as if that were never changed.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = after.and_utc();
        self.either.iter().filter_map(|one| one.after(&after).next()).min().map(|tick| tick.naive_utc())
    }

    fn instant_of(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
            LocalResult::None => GapInfo::new(&local, &self.zone)?.end.map(|at| at.to_utc()),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.expression, self.zone)
    }
}

/// The parser below us wants seconds.
fn schedule([minute, hour, day, month]: [&str; 4], weekdays: &str) -> Option<Schedule> {
    format!("0 {minute} {hour} {day} {month} {weekdays}").parse().ok()
}

/// A step of nothing gets nowhere; the parser below us would go in circles.
fn steps_by_nothing(field: &str) -> bool {
    field.split(',').any(|part| part.split_once('/').is_some_and(|(_, step)| step.parse() == Ok(0)))
}

/// A weekday field as a list of names: what the parser below us takes a number for is another day.
fn weekdays(field: &str) -> Option<String> {
    let mut days = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if matches!(range, "*" | "?") => (0, 6),
            None => (weekday(range)?, if part.contains('/') { 6 } else { weekday(range)? }),
        };
        // Sunday ends a week that began on another day: FRI-SUN.
        let last = if last == 0 && first > 0 { 7 } else { last };
        if first > last {
            return None;
        }
        days.extend((first..=last).step_by(step).filter_map(|day| WEEKDAYS.get(day).copied()));
    }
    Some(days.join(","))
}

fn weekday(text: &str) -> Option<usize> {
    if let Ok(number) = text.parse() {
        return (number < WEEKDAYS.len()).then_some(number);
    }
    WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono_tz::America::New_York;
    use chrono_tz::Asia::Shanghai;
    use chrono_tz::Australia::Lord_Howe;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The next ticks as the clock on the wall shows them.
    fn ticks(expression: &str, zone: Tz, after: &str, most: usize) -> Vec<String> {
        let cron = Cron::new(expression, zone).unwrap();
        let shown = |tick: DateTime<Utc>| tick.with_timezone(&zone).format("%a %m-%d %H:%M%z").to_string();
        cron.ticks_after(at(after)).take(most).map(shown).collect()
    }

    #[test]
    fn five_fields_and_nothing_else() {
        assert_eq!(
            ticks("*/5 * * * *", Shanghai, "2026-03-02T01:59:59.5Z", 3),
            ["Mon 03-02 10:00+0800", "Mon 03-02 10:05+0800", "Mon 03-02 10:10+0800"]
        );
        for (wrong, count) in [("0 */5 * * * *", 6), ("* * *", 3), ("", 0), ("@daily", 1)] {
            let error = Cron::new(wrong, Shanghai).unwrap_err();
            assert_eq!(error, CronError::FieldCount { expression: wrong.to_owned(), count });
            assert!(error.to_string().contains("write five"), "{error}");
        }
    }

    #[test]
    fn a_tick_is_after_the_instant_and_not_at_it() {
        assert_eq!(ticks("0 10 * * *", Shanghai, "2026-03-02T02:00:00Z", 1), ["Tue 03-03 10:00+0800"]);
    }

    #[test]
    fn weekdays_are_counted_from_monday_and_sunday_has_two_numbers() {
        let table = [
            ("1", "Mon"),
            ("0", "Sun"),
            ("7", "Sun"),
            ("sun", "Sun"),
            ("6", "Sat"),
            ("1-5", "Mon Tue Wed Thu Fri"),
            ("5-7", "Fri Sat Sun"),
            ("FRI-SUN", "Fri Sat Sun"),
            ("0-6", "Mon Tue Wed Thu Fri Sat Sun"),
            ("1-7", "Mon Tue Wed Thu Fri Sat Sun"),
            ("*/2", "Tue Thu Sat Sun"),
            ("1-5/2", "Mon Wed Fri"),
            ("MON,3,7", "Mon Wed Sun"),
        ];
        for (field, days) in table {
            // From Sunday to Sunday: Monday the second of March comes first.
            let cron = Cron::new(&format!("0 12 * * {field}"), Shanghai).unwrap();
            let week =
                cron.ticks_after(at("2026-03-01T04:00:00Z")).take_while(|tick| *tick <= at("2026-03-08T04:00:00Z"));
            let week: Vec<String> = week.map(|tick| tick.format("%a").to_string()).collect();
            assert_eq!(week.join(" "), days, "{field}");
        }
    }

    #[test]
    fn a_day_of_the_month_or_a_weekday() {
        // Friday the 13th of March is one day; the 13th, and every Friday, are more.
        assert_eq!(
            ticks("0 8 13 3 5", Shanghai, "2026-02-27T00:30:00Z", 6),
            [
                "Fri 03-06 08:00+0800",
                "Fri 03-13 08:00+0800",
                "Fri 03-20 08:00+0800",
                "Fri 03-27 08:00+0800",
                "Fri 03-05 08:00+0800",
                "Fri 03-12 08:00+0800"
            ]
        );
        assert_eq!(ticks("0 8 13 3 5", Shanghai, "2027-03-12T00:30:00Z", 1), ["Sat 03-13 08:00+0800"]);
        assert_eq!(ticks("0 8 13 * *", Shanghai, "2026-03-01T00:00:00Z", 1), ["Fri 03-13 08:00+0800"]);
    }

    #[test]
    fn what_other_crons_have_besides_is_refused_by_field() {
        let table = [
            ("0 0 L * *", "day of the month"),
            ("0 0 15W * *", "day of the month"),
            ("0 0 * * FRI#2", "weekday"),
            ("0 0 * * 8", "weekday"),
            ("0 0 * * SAT-MON", "weekday"),
            ("60 0 * * *", "minute"),
            ("*/0 0 * * *", "minute"),
            ("0 24 * * *", "hour"),
            ("0 0 * 13 *", "month"),
            ("0 0 * * */0", "weekday"),
            ("5-1 * * * *", "minute"),
        ];
        for (wrong, field) in table {
            match Cron::new(wrong, Shanghai).unwrap_err() {
                CronError::Field { name, .. } => assert_eq!(name, field, "{wrong}"),
                other => panic!("{wrong}: {other}"),
            }
        }
        let said = Cron::new("0 0 * * 8", Shanghai).unwrap_err().to_string();
        assert!(said.contains("the weekday \"8\" cannot be read: write 0-7 or SUN-SAT"), "{said}");
    }

    #[test]
    fn a_day_that_never_comes_is_refused_and_a_leap_day_is_not() {
        let never = Cron::new("0 0 31 2 *", Shanghai).unwrap_err();
        assert_eq!(never, CronError::Never { expression: "0 0 31 2 *".to_owned() });
        assert_eq!(ticks("0 0 29 2 *", Shanghai, "2026-03-01T00:00:00Z", 1), ["Tue 02-29 00:00+0800"]);
    }

    #[test]
    fn an_hour_that_is_left_out_ticks_once_when_it_is_over() {
        assert_eq!(
            ticks("30 2 * * *", New_York, "2026-03-07T12:00:00Z", 2),
            ["Sun 03-08 03:00-0400", "Mon 03-09 02:30-0400"]
        );
        assert_eq!(
            ticks("*/15 * * * *", New_York, "2026-03-08T06:30:00Z", 4),
            ["Sun 03-08 01:45-0500", "Sun 03-08 03:00-0400", "Sun 03-08 03:15-0400", "Sun 03-08 03:30-0400"]
        );
        // Half an hour is left out here.
        assert_eq!(ticks("10 2 * * *", Lord_Howe, "2026-10-03T14:00:00Z", 1), ["Sun 10-04 02:30+1100"]);
    }

    #[test]
    fn an_hour_that_comes_twice_ticks_the_first_time() {
        assert_eq!(
            ticks("30 1 * * *", New_York, "2026-10-31T12:00:00Z", 2),
            ["Sun 11-01 01:30-0400", "Mon 11-02 01:30-0500"]
        );
        assert_eq!(
            ticks("*/30 * * * *", New_York, "2026-11-01T04:45:00Z", 4),
            ["Sun 11-01 01:00-0400", "Sun 11-01 01:30-0400", "Sun 11-01 02:00-0500", "Sun 11-01 02:30-0500"]
        );
        // Asked within the hour that comes for the second time.
        assert_eq!(ticks("*/30 * * * *", New_York, "2026-11-01T06:10:00Z", 1), ["Sun 11-01 02:00-0500"]);
    }

    #[test]
    fn it_is_shown_as_it_was_meant() {
        let cron = Cron::new(" */15  6-22 * * *", Shanghai).unwrap();
        assert_eq!(cron.to_string(), "*/15 6-22 * * * (Asia/Shanghai)");
        assert_eq!((cron.expression(), cron.zone()), ("*/15 6-22 * * *", Shanghai));
    }
}
