//! Admission, many at once: the one statement that writes what was decided. It looks again at everything that could let in
//! one too many, under locks that end with it, and writes nothing where that has moved.

use std::collections::BTreeSet;

use sqlx::PgExecutor;

use super::entries::{self, NewEntry};
use crate::engine::{Letter, NewRun, RunId};
use crate::waitlist::policy::CapCounts;

/// Admissions that were decided, and what they stand on.
#[derive(Debug, Default)]
pub struct Decided<'a> {
    /// The hand-outs that are to go on.
    pub hand_outs: Vec<RunId>,
    /// The persons' patients, with `applied` as it was read.
    pub persons: Vec<(&'a str, i32)>,
    /// The runs, in the order of arrival.
    pub runs: Vec<NewRun>,
    /// Their entries.
    pub entries: Vec<NewEntry<'a>>,
    /// What they tell.
    pub letters: Vec<(RunId, Letter)>,
    /// Level, id, the most live entries that may be found there (`None`: no cap was asked), entries to be added.
    pub counts: Vec<(&'static str, &'a str, Option<i32>, i32)>,
    /// Queues whose own entries have a cap (Q1).
    pub each: Vec<Each<'a>>,
    /// The accounts that ask, with `applied` as it was read.
    pub accounts: Vec<(Vec<u8>, i32)>,
    /// Account, and for whom it asks.
    pub account_persons: Vec<(Vec<u8>, String)>,
}

/// A queue whose own entries have a cap.
#[derive(Debug)]
pub struct Each<'a> {
    /// The schedules that it is of.
    pub schedules: Vec<&'a str>,
    /// How many there may be.
    pub cap: u32,
    /// Which of them count.
    pub counts: CapCounts,
}

impl Decided<'_> {
    /// True where [`admit`] is all that is to be written, a transaction by itself.
    pub fn is_alone(&self) -> bool {
        self.accounts.is_empty() && self.each.is_empty()
    }
}

/// Whether each queue keeps its cap, with those just written: all admissions of a schedule have met at its doctor's
/// `capacity` by now, so that nobody's is on its way unseen.
pub async fn within_each(db: impl PgExecutor<'_>, hospital: &str, each: &[Each<'_>]) -> sqlx::Result<bool> {
    if each.is_empty() {
        return Ok(true);
    }
    let schedules: BTreeSet<&str> = each.iter().flat_map(|one| one.schedules.iter().copied()).collect();
    let schedules: Vec<&str> = schedules.into_iter().collect();
    let found = entries::counts(db, hospital, &schedules).await?;
    let has = |one: &Each<'_>| {
        let found = one.schedules.iter().filter_map(|id| found.get(*id));
        found.map(|found| counted(one.counts, *found)).sum::<u32>()
    };
    Ok(each.iter().all(|one| has(one) <= one.cap))
}

/// What a cap of this kind counts of a schedule's live and past entries.
pub fn counted(counts: CapCounts, (live, ever): (u32, u32)) -> u32 {
    if counts == CapCounts::EverInEach { ever } else { live }
}

/// Writes them all, or none: see `admit` in the migrations. `over_at`: the steps at which a hand-out is over. Accounts are
/// noted before, and [`within_each`] is asked after it, in the same transaction.
pub async fn admit(
    db: impl PgExecutor<'_>,
    hospital: &str,
    over_at: &[&str],
    decided: &Decided<'_>,
) -> sqlx::Result<()> {
    let Decided { hand_outs, persons, runs, entries, letters, counts, .. } = decided;
    sqlx::query(
        "select admit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                      $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)",
    )
    .bind(hospital)
    .bind(hand_outs)
    .bind(over_at)
    .bind(persons.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(persons.iter().map(|(_, applied)| *applied).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.id).collect::<Vec<_>>())
    .bind(runs.first().map_or("", |run| run.workflow))
    .bind(runs.iter().map(|run| run.key.as_str()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.name).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.hears.join(",")).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.lane_stored()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.priority.stored()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.due_at).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| &run.state).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.trace.as_deref()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.schedule_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.doctor_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.department_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.campus_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.patient_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.status).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.payment_mode.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.fee_fen).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.cutoff).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| letter.id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| letter.topic).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| &letter.payload).collect::<Vec<_>>())
    .bind(counts.iter().map(|(level, ..)| *level).collect::<Vec<_>>())
    .bind(counts.iter().map(|(_, id, ..)| *id).collect::<Vec<_>>())
    .bind(counts.iter().map(|(.., most, _)| *most).collect::<Vec<_>>())
    .bind(counts.iter().map(|(.., added)| *added).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}
