//! What the pull of a day's breaches knows: how far it is. Persons stand in no state.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::engine::RunId;

/// So often a list of many pages is read that changes whenever it is read.
const PASSES_MAX: u8 = 5;

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
    /// How often the list was read to its end: one of many pages can change between two of them, and a line that moves to
    /// an earlier page is missed. It is read until it is the same twice.
    #[serde(default)]
    pub pass: u8,
    /// The digest of what was read of it this time.
    #[serde(default)]
    pub read: String,
    /// The digest of the time before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// True where it never was the same twice: then nothing that it lacks is taken back.
    #[serde(default)]
    pub unsteady: bool,
}

fn first() -> u32 {
    1
}

impl Pull {
    /// The beginning.
    pub fn of(day: NaiveDate) -> Self {
        Self { day, page: 1, unusable: 0, pass: 0, read: String::new(), before: None, unsteady: false }
    }

    /// Takes a page in: its lines, as they are told from one another.
    pub fn reads<'a>(&mut self, lines: impl Iterator<Item = (&'a str, &'a str)>) {
        let all = lines.fold(std::mem::take(&mut self.read), |all, (id, kind)| format!("{all}\n{id}\t{kind}"));
        self.read = hex::encode(digest(&SHA256, all.as_bytes()));
    }

    /// After the last page: whether the list is read once more, from the beginning.
    pub fn once_more(&mut self) -> bool {
        let read = std::mem::take(&mut self.read);
        // One page is one moment.
        if self.page == 1 || self.before.as_ref() == Some(&read) {
            return false;
        }
        if self.pass + 1 >= PASSES_MAX {
            self.unsteady = true;
            return false;
        }
        *self = Self { pass: self.pass + 1, before: Some(read), ..Self::of(self.day) };
        true
    }

    /// Who a line is seen by, this time: what only an earlier time has seen is not listed any more.
    pub fn seen_by(&self, run: RunId) -> RunId {
        RunId::from_u128(run.as_u128() ^ u128::from(self.pass))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list whose pages are as they are at each time, and says how often it was read.
    fn read(times: &[&[&[&str]]]) -> (usize, Pull) {
        let mut pull = Pull::of(NaiveDate::default());
        for (nth, pages) in times.iter().enumerate() {
            for (page, lines) in (1..).zip(pages.iter()) {
                pull.page = page;
                pull.reads(lines.iter().map(|id| (*id, "1")));
            }
            if !pull.once_more() {
                return (nth + 1, pull);
            }
            assert_eq!((pull.page, pull.read.as_str()), (1, ""), "from the beginning");
        }
        panic!("it is read for ever");
    }

    #[test]
    fn r32_a_list_of_many_pages_is_read_until_it_is_the_same_twice() {
        let (long, moved): (&[&[&str]], &[&[&str]]) = (&[&["a", "b"], &["c"]], &[&["b", "c"], &["d"]]);
        assert_eq!(read(&[&[&["a"]]]).0, 1, "one page is one moment");
        assert_eq!(read(&[long, long]).0, 2);
        assert_eq!(read(&[long, moved, moved]).0, 3);
        assert_eq!(read(&[long, &[&["b", "c"]]]).0, 2, "one page is left");
        let (times, pull) = read(&[long, moved, long, moved, long, moved]);
        assert_eq!((times, pull.unsteady), (usize::from(PASSES_MAX), true));
        assert!(!read(&[long, long]).1.unsteady);
    }

    #[test]
    fn a_pull_that_an_older_release_has_begun_goes_on() {
        let pull: Result<Pull, _> = serde_json::from_str(r#"{"day":"2026-08-31","page":2,"unusable":1}"#);
        assert!(pull.is_ok_and(|pull| (pull.page, pull.pass, pull.unsteady) == (2, 0, false)));
    }
}
