//! Callbacks whose signature holds and which cannot be taken: unreadable, sealed with another key, or nothing that the waitlist hears.
//! Each has a row with its id, else the hash of what came, and why; of what it carried nothing is kept. A flood fills no table: what
//! comes again, and what comes above so many rows a day, is counted in memory, as what is not believed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::NaiveDate;
use serde_json::json;

use super::message_event::{self, OfWechat};
use super::unbelieved::Counted;
use super::{Answer, Desk};
use crate::records::callbacks::{Callback, Fate};
use crate::records::untaken;

/// The rows that one source gets on a day for each of the two fates; what comes above them is counted in one.
const ROWS_A_DAY: i64 = 50;
/// For so long a full day is not asked about again.
const FULL_FOR: Duration = Duration::from_mins(1);
/// The most letters of an id or a kind; what is longer is none.
const LETTERS_MAX: usize = 64;
/// What has no kind that can be read.
const UNREADABLE: &str = "unreadable";

/// A callback whose signature holds.
#[derive(Debug, Clone, Copy)]
pub struct Untaken<'a> {
    /// From where.
    pub source: &'static str,
    /// What came: its size and hash are kept.
    pub raw: &'a [u8],
    /// Why it is not taken: one of few sentences, which says nothing that came with it.
    pub why: &'a str,
    /// The sender's id of it, where that can be read.
    pub id: Option<&'a str>,
    /// What it says, where that can be read.
    pub kind: Option<&'a str>,
}

/// What is known of a source's rows of one fate.
#[derive(Default)]
pub(super) struct Book {
    day: NaiveDate,
    ids: BTreeSet<String>,
    /// When the day was found full; rows that are taken since make room.
    full_at: Option<Instant>,
}

/// By source and fate; each holds no more than a day's rows.
pub(super) type Books = BTreeMap<(&'static str, Fate), Book>;

impl Desk {
    /// Writes down for staff what cannot be taken.
    pub async fn refuse_callback(&self, untaken: &Untaken<'_>) -> Answer<()> {
        tracing::warn!(source = untaken.source, why = untaken.why, "a callback that is signed rightly cannot be taken");
        self.put_aside(untaken, Fate::Refused).await
    }

    /// Writes down what nobody here has to hear of.
    pub async fn ignore_callback(&self, untaken: &Untaken<'_>) -> Answer<()> {
        self.put_aside(untaken, Fate::Ignored).await
    }

    async fn put_aside(&self, untaken: &Untaken<'_>, fate: Fate) -> Answer<()> {
        let hash = hex::encode(digest(&SHA256, untaken.raw));
        let id = untaken.id.filter(|id| is_plain(id)).unwrap_or(&hash);
        let body = json!({ "why": untaken.why, "bytes": untaken.raw.len(), "sha256": hash });
        let kind = untaken.kind.filter(|kind| is_plain(kind)).unwrap_or(UNREADABLE);
        let callback = Callback { source: untaken.source, event_id: id, kind, subject: "", body: &body };
        self.write_untaken(untaken.source, &callback, &hash, fate).await
    }

    /// Of a message that WeChat names beside too many others: staff have it heard.
    pub async fn refuse_message(&self, of: OfWechat, message_id: &str, status: &str, why: &str) -> Answer<()> {
        let (source, status) = (message_event::WECHAT, message_event::cut(status));
        let (event_id, body) = (format!("{message_id}:{status}"), json!({ "why": why, "status": status }));
        let callback = Callback { source, event_id: &event_id, kind: of.event(), subject: message_id, body: &body };
        self.write_untaken(source, &callback, &event_id, Fate::Refused).await
    }

    /// `instead`: its id where another one stands under the sender's.
    async fn write_untaken(
        &self,
        source: &'static str,
        callback: &Callback<'_>,
        instead: &str,
        fate: Fate,
    ) -> Answer<()> {
        let day = self.now().await?.date_naive();
        if let Some(counted) = self.unbelieved.untaken(source, fate, day, [callback.event_id, instead]) {
            self.unbelieved.count(source, counted);
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let written = untaken::write(&mut tx, self.hospital(), callback, fate, ROWS_A_DAY, instead).await?;
        tx.commit().await?;
        let mut books = self.unbelieved.books();
        let book = books.entry((source, fate)).or_default();
        if let Some(id) = written {
            book.ids.insert(id);
        } else {
            book.full_at = Some(Instant::now());
            drop(books);
            self.unbelieved.count(source, Counted::More(fate));
        }
        Ok(())
    }
}

/// How this one is counted, where it needs no row.
pub(super) fn counted(books: &mut Books, key: (&'static str, Fate), day: NaiveDate, ids: [&str; 2]) -> Option<Counted> {
    let book = books.entry(key).or_default();
    if book.day != day {
        *book = Book { day, ..Book::default() };
    }
    if let Some(id) = ids.into_iter().find(|id| book.ids.contains(*id)) {
        return Some(Counted::Again(id.to_owned()));
    }
    book.full_at.is_some_and(|at| at.elapsed() < FULL_FOR).then_some(Counted::More(key.1))
}

/// What is no more than an id or the name of a kind.
fn is_plain(text: &str) -> bool {
    (1..=LETTERS_MAX).contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_and_what_is_too_much_needs_no_row_of_its_own_until_the_next_day() {
        let (mut books, key) = (Books::new(), ("his", Fate::Refused));
        let (today, tomorrow) = (NaiveDate::default(), NaiveDate::default().succ_opt().unwrap_or_default());
        let how = |books: &mut Books, day, id| counted(books, key, day, [id, "hash"]);
        assert_eq!(how(&mut books, today, "a"), None);
        if let Some(book) = books.get_mut(&key) {
            book.ids.insert("a".to_owned());
        }
        assert_eq!(how(&mut books, today, "a"), Some(Counted::Again("a".to_owned())));
        assert_eq!(how(&mut books, today, "b"), None);
        if let Some(book) = books.get_mut(&key) {
            book.full_at = Some(Instant::now());
        }
        assert_eq!(how(&mut books, today, "a"), Some(Counted::Again("a".to_owned())));
        assert_eq!(how(&mut books, today, "b"), Some(Counted::More(Fate::Refused)));
        assert_eq!(how(&mut books, tomorrow, "a"), None);
        assert_eq!(counted(&mut books, ("his", Fate::Ignored), today, ["a", "hash"]), None);
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for (text, plain) in [("EV-1", true), ("", false), ("张三", false), ("a b", false), ("a\0", false)] {
            assert_eq!(is_plain(text), plain, "{text}");
        }
        assert!(is_plain(&"a".repeat(64)) && !is_plain(&"a".repeat(65)));
    }
}
