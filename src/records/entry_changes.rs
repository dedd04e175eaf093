//! What runs change in their applications' rows, written in the transactions of their moves.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};
use uuid::Uuid;

use super::policies;
use crate::waitlist::policy::Level;

/// The reason of a booked visit that HIS does not cancel any more although the patient wanted it (R22).
pub const NOT_CANCELLED: &str = "notCancelled";

/// What a run's move changes in its entry.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The run.
    pub id: Uuid,
    /// The schedule that it is at: another half-day than was asked for, where the queue is of the day (Q2).
    pub schedule_id: String,
    /// The new status.
    pub status: &'static str,
    /// Whether it still counts toward the caps.
    pub live: bool,
    /// The slot that is offered or booked.
    pub slot: Option<Value>,
    /// By when the patient must answer or pay.
    pub deadline: Option<DateTime<Utc>>,
    /// Why it ended, or [`NOT_CANCELLED`].
    pub reason: Option<&'static str>,
    /// Number, amount, client parameters, refund.
    pub payment: Option<Value>,
    /// Our order at HIS.
    pub order_id: Option<String>,
    /// The change of its schedule that the patient has agreed to (R34).
    pub agreed_at: Option<DateTime<Utc>>,
    /// What the patient is asked.
    pub question: Option<Value>,
}

/// What the changes of entries bring with them.
#[derive(Debug, Default)]
pub struct Brought {
    /// By how many the levels count more: those that ended count no more, and one that staff lead back into the queue counts
    /// again.
    counts: BTreeMap<(Level, String), i32>,
}

impl Brought {
    fn by(turned: Vec<Turned>) -> Self {
        let mut brought = Self::default();
        for one in turned {
            if one.by != 0 {
                let levels = [
                    (Level::Doctor, one.doctor_id),
                    (Level::Department, one.department_id),
                    (Level::Campus, one.campus_id),
                ];
                for level in levels {
                    *brought.counts.entry(level).or_default() += one.by;
                }
            }
        }
        brought
    }

    /// Brings the caps in line. Last in a transaction: everybody's entries of a campus count in one row, and whoever changes
    /// it keeps all others waiting until the commit.
    pub async fn count(&self, conn: &mut PgConnection, hospital: &str) -> sqlx::Result<()> {
        let counts: Vec<(&str, &str, i32)> = self
            .counts
            .iter()
            .filter(|(_, by)| **by != 0)
            .map(|((level, id), by)| (level.as_str(), id.as_str(), *by))
            .collect();
        policies::count(conn, hospital, &counts).await
    }
}

/// Brings entries in line with their runs. What that brings with it is to be counted.
pub async fn change(conn: &mut PgConnection, hospital: &str, changed: &[Changed]) -> sqlx::Result<Brought> {
    let mut left: Vec<&Changed> = changed.iter().collect();
    // As a draw does, so that nobody waits in a circle.
    left.sort_unstable_by_key(|entry| entry.id);
    let mut turned: Vec<Turned> = Vec::new();
    while !left.is_empty() {
        let (done, moved): (Vec<_>, Vec<_>) =
            turn(conn, hospital, &left).await?.into_iter().partition(|(_, turned)| turned.is_some());
        turned.extend(done.into_iter().filter_map(|(_, turned)| turned));
        // A draw has given them another place meanwhile (R17): this statement waited for it and the next one sees it.
        left.retain(|entry| moved.iter().any(|(id, _)| *id == entry.id));
    }
    Ok(Brought::by(turned))
}

/// An entry that says something new.
#[derive(FromRow)]
struct Turned {
    /// By how many it counts more.
    by: i32,
    doctor_id: String,
    department_id: String,
    campus_id: String,
}

/// Writes what these say that is new. Answers which those are; one without what it says was changed by somebody else
/// after this statement had begun, and is as that one left it.
async fn turn(
    conn: &mut PgConnection,
    hospital: &str,
    changed: &[&Changed],
) -> sqlx::Result<Vec<(Uuid, Option<Turned>)>> {
    // Looked up first, for what it said before: what an entry says is changed by its own run's commit alone, and where it
    // stands in the queue by a draw too. Most moves say nothing new. It is found a second time so that the plan stays one look a
    // row, whatever size the table is thought to have.
    let rows = sqlx::query(
        "with t as materialized (
             select t.*, before.ctid as place, before.live as lived
             from unnest($2::uuid[], $3::bool[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[], $8::jsonb[],
                         $9::text[], $10::timestamptz[], $11::jsonb[], $12::text[])
                  as t (id, live, status, slot, deadline, reason, payment, order_id, agreed_at, question, schedule_id)
             cross join lateral (
                 select b.*, b.ctid from entry b where b.hospital = $1 and b.id = t.id limit 1) before
             where (before.live, before.status, before.slot, before.deadline, before.reason, before.payment,
                    before.order_id, before.agreed_at, before.question, before.schedule_id)
                   is distinct from (t.live, t.status, t.slot, t.deadline, t.reason, t.payment, t.order_id, t.agreed_at,
                                     t.question, t.schedule_id)),
         turned as (
             update entry e
             set status = t.status, live = t.live, slot = t.slot, deadline = t.deadline, reason = t.reason,
                 payment = t.payment, order_id = t.order_id, agreed_at = t.agreed_at, question = t.question,
                 schedule_id = t.schedule_id,
                 version = e.version + 1, updated_at = (select engine_now())
             from (select t.*, found.ctid as found from t
                   cross join lateral (select b.ctid from entry b where b.ctid = t.place limit 1) found) t
             where e.ctid = t.found
             returning e.id, e.live::int - t.lived::int as by, e.doctor_id, e.department_id, e.campus_id)
         select t.id as of, turned.* from t left join turned using (id)",
    )
    .bind(hospital)
    .bind(changed.iter().map(|entry| entry.id).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.live).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.status).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.slot.clone()).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.deadline).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.reason).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.payment.clone()).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.order_id.clone()).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.agreed_at).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.question.clone()).collect::<Vec<_>>())
    .bind(changed.iter().map(|entry| entry.schedule_id.as_str()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let read = |row: &PgRow| -> sqlx::Result<(Uuid, Option<Turned>)> {
        let written: Option<i32> = row.try_get("by")?;
        Ok((row.try_get("of")?, written.map(|_| Turned::from_row(row)).transpose()?))
    };
    rows.iter().map(read).collect()
}

/// Says when these entries end and what their visits cost, where that has changed.
pub async fn renew(
    conn: &mut PgConnection,
    hospital: &str,
    renewed: &[(Uuid, DateTime<Utc>, i64)],
) -> sqlx::Result<()> {
    if renewed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update entry e set cutoff = t.cutoff, fee_fen = t.fee_fen, version = e.version + 1, updated_at = engine_now()
         from unnest($2::uuid[], $3::timestamptz[], $4::bigint[]) as t (id, cutoff, fee_fen)
         where e.hospital = $1 and e.id = t.id and (e.cutoff, e.fee_fen) <> (t.cutoff, t.fee_fen)",
    )
    .bind(hospital)
    .bind(renewed.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
    .bind(renewed.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
    .bind(renewed.iter().map(|(.., fee_fen)| *fee_fen).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}
