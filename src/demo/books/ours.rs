//! Our own books as the check reads them: applications with their history, visits, payments, caps. Reads only.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// An application and its run; all of them stand in order of admission.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Entry {
    pub id: Uuid,
    pub schedule_id: String,
    pub doctor_id: String,
    pub department_id: String,
    pub campus_id: String,
    pub status: String,
    pub live: bool,
    pub payment_mode: String,
    pub fee_fen: i64,
    pub cutoff: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// `None` where the run is missing.
    pub run_status: Option<String>,
    pub step: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    /// From when on the patient was blacklisted, under any account; `None` where that never was.
    pub barred_from: Option<DateTime<Utc>>,
    /// Until when; `None` where it is not lifted.
    pub barred_until: Option<DateTime<Utc>>,
    /// Offers that were the patient's miss, as the application itself counts them (Q6).
    pub missed: i32,
    /// What all applications of one human being have in common.
    pub person: String,
}

impl Entry {
    /// True where the queue may have passed it over at this instant (R32).
    pub fn barred(&self, at: DateTime<Utc>) -> bool {
        self.barred_from.is_some_and(|from| from <= at) && self.barred_until.is_none_or(|until| until >= at)
    }

    /// True where the run moves by itself sooner or later: what it owes it may still settle.
    pub fn in_flight(&self) -> bool {
        let moves = matches!(self.run_status.as_deref(), Some("pending" | "running" | "waiting"));
        moves && !self.parked()
    }

    /// In the queue or with a visit: at rest, everything must be in order.
    pub fn parked(&self) -> bool {
        self.run_status.as_deref() == Some("waiting") && matches!(self.step.as_deref(), Some("Waiting" | "Visit"))
    }

    /// True where a visit came of it.
    pub fn booked(&self) -> bool {
        self.status == "booked"
    }

    /// True where it is over without a visit.
    pub fn over(&self) -> bool {
        self.ended_at.is_some() && !self.booked()
    }
}

/// One committed turn of an application.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Moved {
    pub run_id: Uuid,
    pub at: DateTime<Utc>,
    pub step: String,
    pub outcome: Option<String>,
    pub next: String,
}

impl Moved {
    /// True where the patient declined an offer.
    pub fn declines(&self) -> bool {
        matches!(self.step.as_str(), "Confirmation" | "Paying") && self.outcome.as_deref() == Some("Declined")
    }

    /// True where an offer was not answered or not paid in time.
    pub fn lapses(&self) -> bool {
        let outcome = self.outcome.as_deref().unwrap_or_default();
        matches!((self.step.as_str(), outcome), ("Confirmation", "Lapsed") | ("PaymentCheck", "Over"))
    }
}

/// A visit.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Visit {
    pub id: String,
    pub entry_id: Uuid,
    pub patient_id: String,
    pub schedule_id: String,
    pub status: String,
}

/// A payment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Payment {
    pub out_trade_no: String,
    pub entry_id: Uuid,
    pub status: String,
    pub amount_fen: i64,
    pub refunded_fen: i64,
    /// What a visit stands on; none where none was booked.
    pub kept_fen: Option<i64>,
}

/// A level's cap and counter.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Cap {
    pub level: String,
    pub id: String,
    pub most: Option<i64>,
    /// From when on the cap holds.
    pub since: Option<DateTime<Utc>>,
    /// What is compared with the cap.
    pub counted: i64,
}

/// Somebody must look at it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::demo) struct Suspended {
    pub what: String,
    pub id: String,
    pub why: String,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub(in crate::demo) struct Ours {
    pub entries: Vec<Entry>,
    pub moves: HashMap<Uuid, Vec<Moved>>,
    pub visits: Vec<Visit>,
    pub payments: Vec<Payment>,
    pub caps: Vec<Cap>,
    pub suspended: Vec<Suspended>,
}

impl Ours {
    /// All of it as of one instant.
    pub async fn read(pool: &PgPool, hospital: &str) -> sqlx::Result<Self> {
        let mut tx = pool.begin().await?;
        sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *tx).await?;
        let entries = sqlx::query_as(
            "select e.id, e.schedule_id, e.doctor_id, e.department_id, e.campus_id, e.status,
                    e.live, e.payment_mode, e.fee_fen, e.cutoff, e.created_at, r.status as run_status, r.step,
                    r.ended_at, b.barred_from, b.barred_until, coalesce((k.state ->> 'missed')::integer, 0) as missed,
                    coalesce((select encode(p.id_hash, 'hex') from patient p
                              where p.hospital = e.hospital and p.id = e.patient_id), e.patient_id) as person
             from entry e left join run r on r.tenant = e.hospital and r.id = e.id
             left join run_state k on k.tenant = e.hospital and k.run_id = e.id
             cross join lateral (
                 select min(b.created_at) as barred_from,
                        case when bool_and(b.until is not null) then max(b.until) end as barred_until
                 from patient own
                 join patient p on p.hospital = own.hospital and p.id_hash = own.id_hash
                 join blacklist b on b.hospital = p.hospital and b.patient_id = p.id
                 where own.hospital = e.hospital and own.id = e.patient_id) b
             where e.hospital = $1 order by e.seq",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        let turns: Vec<Moved> = sqlx::query_as(
            "select t.run_id, t.at, t.step, t.outcome, t.next
             from turn t join run r on r.tenant = t.tenant and r.id = t.run_id
             where t.tenant = $1 and r.workflow = 'waitlist_application' and t.outcome is not null
             order by t.run_id, t.seq",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        let visits = sqlx::query_as(
            "select id, entry_id, patient_id, schedule_id, status from appointment where hospital = $1 order by id",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        let payments = sqlx::query_as(
            "select out_trade_no, entry_id, status, amount_fen, refunded_fen, kept_fen from payment where hospital = $1
             order by out_trade_no",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        let caps = sqlx::query_as(
            "select coalesce(c.level, p.level) as level, coalesce(c.id, p.id) as id,
                    -- A total that holds for each schedule is none of the level's (Q1).
                    case when not exists (
                        select from policy q where q.hospital = $1 and q.body ->> 'capCounts' <> 'liveInAll')
                    then (p.body ->> 'cap')::bigint end as most, p.updated_at as since, coalesce(c.live, 0)::bigint as counted
             from (select * from capacity where hospital = $1) c
             full join (select * from policy where hospital = $1) p on p.level = c.level and p.id = c.id
             order by 1, 2",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        let suspended = sqlx::query_as(
            "select workflow || ' at ' || step as what, id::text as id, coalesce(last_error, '') as why
             from run where tenant = $1 and status = 'suspended'
             union all
             select 'letter', id, coalesce(last_error, '') from outbox where tenant = $1 and status = 'suspended'",
        )
        .bind(hospital)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut moves: HashMap<Uuid, Vec<Moved>> = HashMap::new();
        for one in turns {
            moves.entry(one.run_id).or_default().push(one);
        }
        Ok(Self { entries, moves, visits, payments, caps, suspended })
    }

    /// The history of one application.
    pub fn moves_of(&self, entry: Uuid) -> &[Moved] {
        self.moves.get(&entry).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A stretch of time; without an end it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) struct Stretch {
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
}

impl Stretch {
    /// True where it began before `at` and ends after it.
    pub fn spans(&self, at: DateTime<Utc>) -> bool {
        self.from < at && self.to.is_none_or(|to| to > at)
    }
}

/// When the application stood at a step that `at` takes; it began in `first`.
fn stretches(entry: &Entry, moves: &[Moved], at: impl Fn(&str, &Moved) -> bool, first: bool) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut open = first.then_some(entry.created_at);
    for one in moves {
        match (open, at(&one.next, one)) {
            (Some(from), false) => {
                stretches.push(Stretch { from, to: Some(one.at) });
                open = None;
            }
            (None, true) => open = Some(one.at),
            _ => {}
        }
    }
    stretches.extend(open.map(|from| Stretch { from, to: None }));
    stretches
}

/// When it was in the queue, ready for an offer: one that a person lets stand still would hear none.
pub(in crate::demo) fn waits(entry: &Entry, moves: &[Moved]) -> Vec<Stretch> {
    let first = moves.first().map_or(entry.step.as_deref(), |one| Some(one.step.as_str())) == Some("Waiting");
    let ready = |next: &str, one: &Moved| next == "Waiting" && one.outcome.as_deref() != Some("suspended");
    stretches(entry, moves, ready, first)
}

/// When it was being offered a place, or booked.
pub(in crate::demo) fn asked(entry: &Entry, moves: &[Moved]) -> Vec<Stretch> {
    let out = |next: &str, _: &Moved| {
        matches!(
            next,
            "Locking"
                | "Confirmation"
                | "OfferOrder"
                | "Paying"
                | "PaymentCheck"
                | "OrderClosing"
                | "Booking"
                | "Unlocking"
        )
    };
    stretches(entry, moves, out, false)
}

/// When it counted toward the caps: from its admission until nothing brings it back to the queue.
pub(in crate::demo) fn counts(entry: &Entry, moves: &[Moved]) -> Option<Stretch> {
    let counted = |next: &str, one: &Moved| match next {
        "PrepayOrder" | "Prepayment" | "PrepayCheck" | "Waiting" | "Locking" | "Confirmation" | "OfferOrder"
        | "Paying" | "PaymentCheck" | "OrderClosing" | "Booking" => true,
        // Only a place that was lost to somebody else, or not given, leads back to the queue.
        "Unlocking" => matches!(one.outcome.as_deref(), Some("Taken" | "Withheld")),
        _ => false,
    };
    stretches(entry, moves, counted, true).into_iter().next()
}
