//! When whoever is booked is reminded of the visit (R5): so many hours before it, not at night, and never when it says
//! nothing new or comes too late to help.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::calendar::QuietHours;

/// Whoever heard of the booking so short a time before is not told of it again, hours.
const FRESH_HOURS: i64 = 4;

/// A reminder that will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Not before this.
    pub at: DateTime<Utc>,
    /// Nor from here on: the visit begins.
    pub until: DateTime<Utc>,
}

/// The reminder of a visit that is booked `now` and begins at `begins`; none where `hours_before` is 0, where the time has
/// come or the patient has only just been told, or where quiet hours last until the visit.
pub fn of_visit(
    begins: DateTime<Utc>,
    hours_before: u32,
    quiet: &QuietHours,
    now: DateTime<Utc>,
    tz: Tz,
) -> Option<Reminder> {
    let at = begins.checked_sub_signed(TimeDelta::hours(hours_before.into()))?;
    let at = quiet.quiet_end(at, tz).unwrap_or(at);
    let fresh_until = now.checked_add_signed(TimeDelta::hours(FRESH_HOURS))?;
    (hours_before > 0 && at >= fresh_until && at < begins).then_some(Reminder { at, until: begins })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::NaiveTime;
    use chrono_tz::Asia::Shanghai;
    use proptest::prelude::*;

    use super::*;

    fn quiet(from: u32, to: u32) -> QuietHours {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        QuietHours { from: hour(from), to: hour(to) }
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00+08:00")).unwrap().to_utc()
    }

    #[test]
    fn r05_a_reminder_comes_by_day_and_neither_at_once_nor_too_late() {
        let table = [
            // A day before, and when the night before is over.
            ("2025-08-14T08:00", 24, "2025-08-11T10:00", Some("2025-08-13T08:00")),
            ("2025-08-14T08:00", 4, "2025-08-11T10:00", Some("2025-08-14T06:00")),
            ("2025-08-14T08:00", 9, "2025-08-11T10:00", Some("2025-08-14T06:00")),
            ("2025-08-14T08:00", 10, "2025-08-11T10:00", Some("2025-08-13T22:00")),
            // Switched off; overtaken; just told.
            ("2025-08-14T08:00", 0, "2025-08-11T10:00", None),
            ("2025-08-14T08:00", 24, "2025-08-13T17:00", None),
            ("2025-08-14T08:00", 24, "2025-08-13T04:01", None),
            ("2025-08-14T08:00", 24, "2025-08-13T04:00", Some("2025-08-13T08:00")),
            // The night lasts until the visit.
            ("2025-08-14T06:00", 2, "2025-08-11T10:00", None),
        ];
        for (begins, hours, now, expected) in table {
            let reminder = of_visit(at(begins), hours, &quiet(23, 6), at(now), Shanghai);
            assert_eq!(reminder.map(|one| one.at), expected.map(at), "{begins} {hours} {now}");
        }
    }

    proptest! {
        #[test]
        fn r05_whoever_is_reminded_is_awake_and_can_still_come(
            begins in 0_i64..2_000_000, before in 0_i64..2_000_000, hours in 0_u32..400, from in 0_u32..24, to in 0_u32..24,
        ) {
            let begins = DateTime::from_timestamp(1_755_000_000 + begins, 0).unwrap();
            let now = begins - TimeDelta::seconds(before);
            let quiet = quiet(from, to);
            if let Some(reminder) = of_visit(begins, hours, &quiet, now, Shanghai) {
                prop_assert!(now < reminder.at && reminder.at < begins && reminder.until == begins);
                prop_assert_eq!(quiet.quiet_end(reminder.at, Shanghai), None);
            }
        }
    }
}
