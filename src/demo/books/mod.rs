//! The books check (R36): our database, HIS's books and the payer's books, record by record, and what patients were
//! told. Reads only, and may be asked of a live system: what a run in flight may still settle is no difference.
//!
//! | file | compares |
//! |---|---|
//! | `ours` | reads our own books |
//! | `visits` | visits and locks with HIS |
//! | `money` | payments with the payer |
//! | `queue` | order and caps with the history |
//! | `told` | messages with what happened |

mod difference;
mod money;
pub(super) mod ours;
mod queue;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
mod told;
mod visits;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::sandbox::books::Store;
use crate::sandbox::his::{self, HisBooks, HisServer};
use crate::sandbox::wechat_messages::{self, MessageServer, SentMessage};
use crate::sandbox::wechat_pay::{self, PayBooks, PayServer};
pub use difference::Difference;
use ours::{Entry, Ours};

/// The outside world's books.
#[derive(Debug, Clone)]
pub(super) struct Theirs {
    pub his: HisBooks,
    pub pay: PayBooks,
    pub sent: Vec<SentMessage>,
}

/// Compares all books. Empty: they agree.
pub async fn check_books(
    pool: &PgPool,
    hospital: &str,
    his: &HisServer,
    pay: &PayServer,
    messages: &MessageServer,
) -> anyhow::Result<Vec<Difference>> {
    let theirs = async |_| Ok(Theirs { his: his.books().await, pay: pay.books().await, sent: messages.books().await });
    check(pool, hospital, theirs).await
}

/// Compares all books where another process keeps the outside's: they are read from where it saves them, and nothing is
/// changed. An error where this database has none.
pub async fn check_stored_books(pool: &PgPool, hospital: &str) -> anyhow::Result<Vec<Difference>> {
    let theirs = async |now| {
        let Some(store) = Store::copy(pool).await? else { anyhow::bail!("this database holds no sandbox's books") };
        Ok(Theirs {
            his: his::stored_books(&store, now).await?,
            pay: wechat_pay::stored_books(&store).await?,
            sent: wechat_messages::stored_books(&store).await?,
        })
    };
    check(pool, hospital, theirs).await
}

/// Their books are read between two readings of ours: what moved in between is known to have moved.
async fn check(
    pool: &PgPool,
    hospital: &str,
    theirs: impl AsyncFnOnce(DateTime<Utc>) -> anyhow::Result<Theirs>,
) -> anyhow::Result<Vec<Difference>> {
    let now = crate::engine::clock::now(pool).await?;
    let before = Ours::read(pool, hospital).await?;
    let theirs = theirs(now).await?;
    let ours = Ours::read(pool, hospital).await?;
    let moving = in_flight(&before, &ours);
    Ok(compare(&ours, &theirs, &moving, now))
}

/// What moved, or may have, while the books were read; a run that rested all the time is not in it.
fn in_flight(before: &Ours, after: &Ours) -> HashSet<Uuid> {
    let steps: HashMap<Uuid, Option<&str>> = before.entries.iter().map(|it| (it.id, it.step.as_deref())).collect();
    let moved = |it: &&Entry| it.in_flight() || steps.get(&it.id) != Some(&it.step.as_deref());
    after.entries.iter().filter(moved).map(|it| it.id).collect()
}

/// Our books and theirs with what both files of the check look up.
struct Compared<'a> {
    ours: &'a Ours,
    theirs: &'a Theirs,
    moving: &'a HashSet<Uuid>,
    entries: HashMap<Uuid, &'a Entry>,
    now: DateTime<Utc>,
}

/// Every difference, in order of kind.
fn compare(ours: &Ours, theirs: &Theirs, moving: &HashSet<Uuid>, now: DateTime<Utc>) -> Vec<Difference> {
    let entries = ours.entries.iter().map(|entry| (entry.id, entry)).collect();
    let all = Compared { ours, theirs, moving, entries, now };
    let mut found = Vec::new();
    money::check(&all, &mut found);
    visits::check(&all, &mut found);
    queue::check(ours, &mut found);
    told::check(&all, &mut found);
    found.extend(ours.suspended.iter().map(|one| Difference::Suspended {
        what: one.what.clone(),
        id: one.id.clone(),
        why: one.why.clone(),
    }));
    found
}
