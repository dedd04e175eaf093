//! Both comparisons: after the lists, which finds whom to ask about, and after the answers, which finds cases.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::facts::{Gathered, gather};
use super::outcome;
use super::state::Day;
use crate::engine::{Fault, Turn};
use crate::records::reconciliation::cases::{self, Found};
use crate::records::reconciliation::lines::{self, Question as Asked};
use crate::records::reconciliation::{self, Counts, ours};
use crate::waitlist::reconciliation::{Finding, Kind, Question};
use crate::workflows::{Ports, unread};

/// Applications of one reading.
const BATCH: usize = 500;

/// How long lists and answers are kept as evidence, days.
const KEPT_DAYS: i32 = 90;

pub(super) async fn comparing(day: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::Comparing, Fault> {
    let (hospital, span) = (&ports.hospital, day.span(ports.tz));
    let mut conn = ports.pool.acquire().await.map_err(unread)?;
    let concerned = ours::concerned(&mut *conn, hospital, turn.run, span).await.map_err(unread)?;
    day.compared = u32::try_from(concerned.len()).unwrap_or(u32::MAX);
    let mut doubtful = false;
    for ids in concerned.chunks(BATCH) {
        let mut all = gather(&mut conn, hospital, turn.run, span, ids).await?;
        all.retain(|_, one| one.facts.doubtful());
        let questions: Vec<Asked> = all.iter().flat_map(|(id, one)| questions(*id, one)).collect();
        doubtful |= !questions.is_empty();
        lines::ask(&mut *conn, hospital, turn.run, &questions).await.map_err(unread)?;
        // What is in doubt without anything that could be asked about: a lock alone.
        all.retain(|id, _| questions.iter().all(|asked| asked.entry_id != *id));
        conclude(&mut conn, hospital, day, &all).await?;
    }
    if doubtful {
        return Ok(outcome::Comparing::Doubtful);
    }
    end(&mut conn, day, turn, ports, 0).await?;
    Ok(outcome::Comparing::Agreed)
}

pub(super) async fn judging(day: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::Judging, Fault> {
    let (hospital, span) = (&ports.hospital, day.span(ports.tz));
    let mut conn = ports.pool.acquire().await.map_err(unread)?;
    let asked = lines::asked(&mut *conn, hospital, turn.run).await.map_err(unread)?;
    for ids in asked.chunks(BATCH) {
        let all = gather(&mut conn, hospital, turn.run, span, ids).await?;
        conclude(&mut conn, hospital, day, &all).await?;
    }
    end(&mut conn, day, turn, ports, asked.len()).await?;
    Ok(outcome::Judging::Judged)
}

fn questions(entry_id: Uuid, one: &Gathered) -> impl Iterator<Item = Asked> + '_ {
    let asked = one.facts.questions().into_iter().map(move |question| match question {
        Question::Order(reference) => Asked { about: "order", reference, entry_id },
        Question::Visit(reference) => Asked { about: "visit", reference, entry_id },
    });
    let refunds = one.refunds.iter().map(move |number| Asked { about: "refund", reference: number.clone(), entry_id });
    asked.chain(refunds)
}

fn found(entry_id: Uuid, one: &Gathered) -> impl Iterator<Item = Found> + '_ {
    one.facts.findings().into_iter().map(move |finding| {
        let Finding { kind, subject, ours, theirs, ours_fen, theirs_fen } = finding;
        let suspect = one.facts.moving();
        Found { kind: kind.as_str(), subject, entry_id, ours, theirs, ours_fen, theirs_fen, suspect }
    })
}

/// Writes down what differs; what stood open and is known not to differ any more is over.
async fn conclude(
    conn: &mut sqlx::PgConnection,
    hospital: &str,
    day: &mut Day,
    all: &BTreeMap<Uuid, Gathered>,
) -> Result<(), Fault> {
    let found: Vec<Found> = all.iter().flat_map(|(id, one)| found(*id, one)).collect();
    cases::put(conn, hospital, day.day, &found).await.map_err(unread)?;
    let ids: Vec<Uuid> = all.keys().copied().collect();
    let mut over = cases::standing(&mut *conn, hospital, &ids).await.map_err(unread)?;
    over.retain(|case| {
        let again = found.iter().any(|one| one.kind == case.kind && one.subject == case.subject);
        let known = |one: &Gathered| Kind::parse(&case.kind).is_none_or(|kind| one.facts.tells(kind, &case.subject));
        !again && all.get(&case.entry_id).is_some_and(known)
    });
    let agreed = cases::agree(conn, hospital, day.day, &over).await.map_err(unread)?;
    day.found += u32::try_from(found.len()).unwrap_or(u32::MAX);
    if agreed > 0 || !found.is_empty() {
        tracing::warn!(day = %day.day, found = found.len(), agreed, "books that differ, or agree again");
    }
    Ok(())
}

async fn end(conn: &mut sqlx::PgConnection, day: &Day, turn: &Turn, ports: &Ports, asked: usize) -> Result<(), Fault> {
    let counts = Counts {
        compared: day.compared,
        asked: u32::try_from(asked).unwrap_or(u32::MAX),
        found: day.found,
        foreign_lines: day.foreign_lines,
    };
    reconciliation::end(conn, &ports.hospital, turn.run, &counts).await.map_err(unread)?;
    lines::forget(&ports.pool, &ports.hospital, KEPT_DAYS).await.map_err(unread)
}
