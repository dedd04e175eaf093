//! What somebody means who types something into the search: an application, a patient, an order at HIS or at the payment
//! provider, the end of a phone number, an ID number. What is personal is hashed before it is looked for, and nothing of it is kept.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Answer, Desk};
use crate::records::search::{self, Brief, By, Found};
use crate::waitlist::identity::{IdNumber, IdType};
use crate::waitlist::ids;

/// The letters of the end of a phone number.
const TAIL: usize = 4;
/// The letters of a phone number.
const PHONE: usize = 11;

/// What a text is taken for.
#[derive(Debug, PartialEq, Eq)]
enum Meant<'a> {
    /// A run, or an id that was derived from it.
    Run(Uuid),
    /// The end of a phone number.
    Tail(&'a str),
    /// Some other number.
    Number(&'a str),
}

/// What `q` is taken for.
fn meant(q: &str) -> Meant<'_> {
    if let Some(run) = q.parse().ok().or_else(|| ids::run_of(q)) {
        return Meant::Run(run);
    }
    match q.len() {
        TAIL | PHONE if q.bytes().all(|digit| digit.is_ascii_digit()) => {
            Meant::Tail(q.get(q.len() - TAIL..).unwrap_or_default())
        }
        _ => Meant::Number(q),
    }
}

impl Desk {
    /// The applications that are meant by `q`, newest first; none where it is nobody's number.
    pub async fn find_applications(&self, q: &str) -> Answer<Vec<Uuid>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        Ok(match meant(q) {
            Meant::Run(run) => vec![run],
            Meant::Tail(tail) => search::applications_of_phone(pool, hospital, tail).await?,
            Meant::Number(number) => search::applications(pool, hospital, number).await?,
        })
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
        if let Meant::Tail(tail) = meant(q) {
            return Ok(search::patients(pool, hospital, By::PhoneTail(tail)).await?);
        }
        let mut found = search::patients(pool, hospital, By::Id(q)).await?;
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
        assert_eq!(meant("5678"), Meant::Tail("5678"));
        assert_eq!(meant("13812345678"), Meant::Tail("5678"));
        assert_eq!(meant("P00001"), Meant::Number("P00001"));
    }
}
