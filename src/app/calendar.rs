//! The hospital's working days, read from files: one a year, those that the configuration names or those that are shipped.

use anyhow::Context;
use chrono::NaiveDate;
use serde::Deserialize;
use toml::value::Datetime;

use crate::config::Config;
use crate::waitlist::working_days::WorkingDays;

/// What is shipped: name and text. A year is added once its notice is out.
const SHIPPED: [(&str, &str); 1] = [("2026.toml (shipped)", include_str!("../../calendar/2026.toml"))];

/// One year, as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Year {
    /// Free, whatever day of the week it is.
    #[serde(default)]
    holidays: Vec<Datetime>,
    /// Worked, although it is a Saturday or a Sunday.
    #[serde(default)]
    working: Vec<Datetime>,
}

/// The working days that are configured. An error names the file and what is wrong with it.
pub fn working_days(config: &Config) -> anyhow::Result<WorkingDays> {
    if config.calendar.is_empty() {
        return shipped();
    }
    config.calendar.iter().try_fold(WorkingDays::default(), |known, file| {
        let file = file.relative();
        let name = file.display();
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("calendar: the file {name} cannot be read"))?;
        with(known, &text).with_context(|| format!("calendar: the file {name} cannot be used"))
    })
}

/// Those of the files that are shipped.
pub fn shipped() -> anyhow::Result<WorkingDays> {
    SHIPPED.into_iter().try_fold(WorkingDays::default(), |known, (name, text)| {
        with(known, text).with_context(|| format!("calendar: the file {name} cannot be used"))
    })
}

fn with(known: WorkingDays, text: &str) -> anyhow::Result<WorkingDays> {
    let year: Year = toml::from_str(text)?;
    let dates = |written: Vec<Datetime>| written.into_iter().map(date).collect::<anyhow::Result<Vec<_>>>();
    Ok(known.with(dates(year.holidays)?, dates(year.working)?)?)
}

/// A day without a time: TOML has instants too.
fn date(written: Datetime) -> anyhow::Result<NaiveDate> {
    let day = match written {
        Datetime { date: Some(day), time: None, offset: None } => {
            NaiveDate::from_ymd_opt(day.year.into(), day.month.into(), day.day.into())
        }
        _ => None,
    };
    day.with_context(|| format!("{written} is not a day, such as 2026-10-01"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use chrono::{Datelike, Weekday};

    use super::*;

    /// The configuration of a file in a folder of its own, which names these years, and what its calendar comes to.
    fn configured(years: &[(&str, &str)], names: &str) -> Result<WorkingDays, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in years {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let file = folder.path().join("houbu.toml");
        std::fs::write(&file, format!("calendar = {names}")).unwrap();
        let config = Config::load(Some(Path::new(&file))).unwrap();
        working_days(&config).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn r25_what_is_shipped_agrees_with_the_week() {
        let shipped = shipped().unwrap();
        assert_eq!(shipped, configured(&[], "[]").unwrap());
        let year = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let days: Vec<NaiveDate> = year.iter_days().take_while(|day| day.year() == 2026).collect();
        let weekend = |day: &&NaiveDate| matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let made_up = days.iter().filter(weekend).filter(|day| shipped.is_working(**day)).count();
        let free = days.iter().filter(|day| !weekend(day) && !shipped.is_working(**day)).count();
        // Every free weekday beyond the 13 statutory days is made up for.
        assert_eq!((made_up, free), (6, 19));
    }

    #[test]
    fn r25_named_files_are_read_beside_the_configuration_and_replace_the_shipped_ones() {
        let years = [("a.toml", "holidays = [2027-01-01]"), ("b.toml", "working = [2028-01-08]\nholidays = []")];
        let known = configured(&years, r#"["a.toml", "b.toml"]"#).unwrap();
        let working = |text: &str| known.is_working(text.parse().unwrap());
        assert!(!working("2027-01-01") && working("2028-01-08"));
        assert!(working("2026-10-01"), "what is shipped is replaced");
    }

    #[test]
    fn r25_a_file_that_cannot_be_used_is_named_with_its_fault() {
        let table = [
            ("holidays = [2026-10-01", "cannot be used: TOML parse error"),
            ("holiday = [2026-10-01]", "unknown field `holiday`"),
            ("holidays = [\"1 October\"]", "TOML"),
            ("holidays = [2026-10-01T08:00:00]", "2026-10-01T08:00:00 is not a day"),
            ("holidays = [2026-10-03]\nworking = [2026-10-03]", "2026-10-03 is a holiday and a working day"),
        ];
        for (text, fault) in table {
            let error = configured(&[("2026.toml", text)], r#"["2026.toml"]"#).unwrap_err();
            assert!(error.contains("2026.toml") && error.contains(fault), "{text}: {error}");
        }
        let error = configured(&[], r#"["2031.toml"]"#).unwrap_err();
        assert!(
            error.starts_with("calendar: the file /") && error.contains("2031.toml cannot be read: No such"),
            "{error}"
        );
    }
}
