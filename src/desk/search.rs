//! What somebody means who types something into the search: an application, a patient, an order at HIS or at the payment
//! provider, the end of a phone number, an ID number. What is personal is hashed before it is looked for, and nothing of it is kept.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::NaiveDate;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::records::search::{self, Brief, By, Found};
use crate::waitlist::identity::{IdNumber, IdType};
use crate::waitlist::ids;

/// The letters of the end of a phone number.
const TAIL: usize = 4;
/// The letters of its beginning that are shown.
const HEAD: usize = 3;
/// The letters of a phone number.
const PHONE: usize = 11;

/// Before the end of an ID number that was cut.
pub const CUT: char = '…';

/// What a text is taken for.
#[derive(Debug, PartialEq, Eq)]
enum Meant<'a> {
    /// A run, or an id that was derived from it.
    Run(Uuid),
    /// A phone number, by what is kept of it to be read: how it begins, which may be left out, and how it ends.
    Phone { begins: String, ends: String },
    /// Some other number.
    Number(&'a str),
}

/// What `q` is taken for.
fn meant(q: &str) -> Meant<'_> {
    if let Some(run) = q.parse().ok().or_else(|| ids::run_of(q)) {
        return Meant::Run(run);
    }
    let seen = phone(q);
    let (begins, ends) = seen.as_deref().unwrap_or(q).split_once(CUT).unwrap_or(("", q));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if matches!(begins.len(), 0 | HEAD) && ends.len() == TAIL && digits(begins) && digits(ends) {
        return Meant::Phone { begins: begins.to_owned(), ends: ends.to_owned() };
    }
    Meant::Number(q)
}

/// What is shown of a whole phone number: how it begins and how it ends; none where it is none.
fn phone(q: &str) -> Option<String> {
    let digits = bare(q);
    let digits = digits.strip_prefix("+86").or_else(|| digits.strip_prefix("0086")).unwrap_or(&digits);
    if digits.len() != PHONE || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(format!("{}{CUT}{}", digits.get(..HEAD)?, digits.get(PHONE - TAIL..)?))
}

/// What of a text that was searched for may stand in an address or be kept: of a whole phone number what is shown of it, by which it
/// is found too; of a resident's ID number the end alone. Anything else is no personal number, or none that can be told from others.
pub fn without_numbers(q: &str, today: NaiveDate) -> Cow<'_, str> {
    let q = q.trim();
    if q.parse::<Uuid>().is_ok() || ids::run_of(q).is_some() {
        return Cow::Borrowed(q);
    }
    if let Some(phone) = phone(q) {
        return Cow::Owned(phone);
    }
    let end = |text: &str| text.get(text.len().saturating_sub(TAIL)..).unwrap_or_default().to_owned();
    match IdNumber::parse(IdType::ResidentCard, &bare(q), today) {
        Ok(number) => Cow::Owned(format!("{CUT}{}", end(number.expose()))),
        Err(_) => Cow::Borrowed(q),
    }
}

/// True where a text that was searched for looks like somebody's name. Names are kept sealed: nobody is found by one, and none may
/// stand in an address.
pub fn is_name(q: &str) -> bool {
    q.chars().any(|letter| matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{323af}'))
}

/// A number without what people write between its digits.
fn bare(q: &str) -> String {
    q.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '-' | '(' | ')' | '.')).collect()
}

impl Desk {
    /// The applications that are meant by `q`, newest first; none where it is nobody's number. What looks like a run or a phone may be
    /// the number of something else as well.
    pub async fn find_applications(&self, q: &str) -> Answer<Vec<Uuid>> {
        let mut found = self.numbered(q).await?;
        match meant(q) {
            Meant::Run(run) => found.push(run),
            Meant::Phone { begins, ends } => {
                let (pool, hospital) = (&self.engine.pool, self.hospital());
                found.extend(search::applications_of_phone(pool, hospital, &begins, &ends).await?);
            }
            Meant::Number(_) => return Ok(found),
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }

    /// The applications that have this very number: of their patient, their order at HIS or at the payment provider.
    pub async fn numbered(&self, number: &str) -> Answer<Vec<Uuid>> {
        Ok(search::applications(&self.engine.pool, self.hospital(), number).await?)
    }

    /// Whom these applications are of and for, masked; runs that are none are left out.
    pub async fn briefs(&self, ids: &[Uuid]) -> Answer<HashMap<Uuid, Brief>> {
        let found = search::briefs(&self.engine.pool, self.hospital(), ids).await?;
        Ok(found.into_iter().map(|one| (one.id, one)).collect())
    }

    /// The patients that are meant by `q`, masked; the latest where it is empty.
    pub async fn find_patients(&self, q: &str) -> Answer<Vec<Found>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        if q.is_empty() {
            return Ok(search::patients(pool, hospital, By::Latest).await?);
        }
        let mut found = search::patients(pool, hospital, By::Id(q)).await?;
        if let Meant::Phone { begins, ends } = meant(q) {
            let others = search::patients(pool, hospital, By::Phone(&begins, &ends)).await?;
            let fresh: Vec<Found> =
                others.into_iter().filter(|one| found.iter().all(|known| known.id != one.id)).collect();
            found.extend(fresh);
            return Ok(found);
        }
        let today = self.now().await?.with_timezone(&self.ports.tz).date_naive();
        let numbers = [IdType::ResidentCard, IdType::Passport].map(|kind| IdNumber::parse(kind, q, today));
        for number in numbers.into_iter().flatten() {
            let hash = self.lookup.hash(&number);
            found.extend(search::patients(pool, hospital, By::IdHash(hash.as_bytes())).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_for_what_it_looks_like() {
        let run = Uuid::from_u128(7);
        assert_eq!(meant(&run.to_string()), Meant::Run(run));
        assert_eq!(meant(&ids::trade_no(run, 1)), Meant::Run(run));
        let phone = |begins: &str, ends: &str| Meant::Phone { begins: begins.to_owned(), ends: ends.to_owned() };
        assert_eq!(meant("5678"), phone("", "5678"));
        for whole in ["13812345678", "+86 138 1234 5678", "138…5678"] {
            assert_eq!(meant(whole), phone("138", "5678"), "{whole}");
        }
        assert_eq!(meant("13…5678"), Meant::Number("13…5678"));
        assert_eq!(meant("P00001"), Meant::Number("P00001"));
    }

    #[test]
    fn no_whole_number_of_a_person_stands_in_an_address() {
        let today = NaiveDate::from_ymd_opt(2026, 3, 2).unwrap_or_default();
        for phone in ["13812345678", " 138 1234 5678 ", "138-1234-5678", "+86 13812345678", "0086-138-1234-5678"] {
            assert_eq!(without_numbers(phone, today), "138…5678", "{phone}");
        }
        for card in ["11010519491231002X", "110105 19491231 002x"] {
            assert_eq!(without_numbers(card, today), "…002X", "{card}");
        }
        let run = Uuid::from_u128(7);
        let kept = ["5678", "p1", "", "4200001234202603020000000001", &run.to_string(), &ids::trade_no(run, 1)];
        for kept in kept {
            assert_eq!(without_numbers(kept, today), kept);
        }
    }
}
