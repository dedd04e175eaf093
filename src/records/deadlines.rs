//! What falls due when: what patients must do by an instant, what queues and appeals have as their end, and when a run is tried again by
//! itself. Reads only.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, PgExecutor, QueryBuilder};
use uuid::Uuid;

/// Applications whose patient must do something while they have this status.
macro_rules! patients_turn {
    ($status:literal) => {
        concat!(
            "select deadline as at, id::text as id, id as run, patient_id as patient, null as schedule, 1::bigint as n
             from entry where hospital = $1 and live and deadline is not null and status = '",
            $status,
            "'"
        )
    };
}

/// What it is that falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A patient says whether an offered place is taken.
    Answer,
    /// A patient pays for an offered place.
    Payment,
    /// A patient pays ahead.
    Prepayment,
    /// A patient answers a question about an application.
    Question,
    /// A queue closes.
    Cutoff,
    /// An appeal is decided.
    Appeal,
    /// A step that failed is tried again.
    Retry,
    /// The payment provider is asked where a refund stands.
    Refund,
}

impl Kind {
    /// Every kind, as they are listed.
    pub const ALL: [Self; 8] = [
        Self::Answer,
        Self::Payment,
        Self::Prepayment,
        Self::Question,
        Self::Cutoff,
        Self::Appeal,
        Self::Retry,
        Self::Refund,
    ];

    /// The name in addresses and in the database's answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Payment => "payment",
            Self::Prepayment => "prepayment",
            Self::Question => "question",
            Self::Cutoff => "cutoff",
            Self::Appeal => "appeal",
            Self::Retry => "retry",
            Self::Refund => "refund",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// All of its kind, as `at`, `id`, `run`, `patient`, `schedule`, `n`; of the hospital `$1`.
    const fn rows(self) -> &'static str {
        match self {
            Self::Answer => patients_turn!("offered"),
            Self::Payment => patients_turn!("awaitingPayment"),
            Self::Prepayment => patients_turn!("awaitingPrepayment"),
            Self::Question => {
                "select (question ->> 'until')::timestamptz as at, id::text as id, id as run, patient_id as patient,
                        null as schedule, 1::bigint as n
                 from entry where hospital = $1 and live and question is not null"
            }
            Self::Cutoff => {
                "select cutoff as at, schedule_id as id, null::uuid as run, null as patient, schedule_id as schedule, count(*) as n
                 from entry where hospital = $1 and status = 'waiting' group by schedule_id, cutoff"
            }
            Self::Appeal => {
                "select due_at as at, id::text as id, null::uuid as run, patient_id as patient, null as schedule, 1::bigint as n
                 from blacklist_appeal where hospital = $1 and state = 'open' and due_at is not null"
            }
            // What is tried just now is no deadline: it stands among what does not move.
            Self::Retry => {
                "select due_at as at, id::text as id, id as run, null as patient, null as schedule, 1::bigint as n
                 from run where tenant = $1 and status = 'pending' and attempt > 0 and due_at > engine_now()"
            }
            Self::Refund => {
                "select due_at as at, id::text as id, id as run, null as patient, null as schedule, 1::bigint as n
                 from run where tenant = $1 and status = 'waiting' and step in ('RefundWait', 'PartRefundWait')
                   and due_at is not null"
            }
        }
    }
}

/// Something that falls due.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Due {
    /// The name of a [`Kind`].
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Its own id among those of its kind.
    pub id: String,
    /// The run; none: it is a queue's, or an appeal.
    pub run: Option<Uuid>,
    /// The run's workflow, its key and its step, where it is the run that goes on.
    pub workflow: Option<String>,
    /// See `workflow`.
    pub key: Option<String>,
    /// See `workflow`.
    pub step: Option<String>,
    /// How often the step has failed.
    pub attempt: Option<i32>,
    /// Whom it concerns.
    pub patient: Option<String>,
    /// The schedule, of a queue.
    pub schedule: Option<String>,
    /// The doctor of a queue, else the patient's name, masked.
    pub name: Option<String>,
    /// How many it concerns.
    pub n: i64,
}

/// A place in the calendar: many things fall due at one instant, so that it needs its whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    at: DateTime<Utc>,
    kind: Kind,
    id: String,
}

impl Place {
    /// Right after this one.
    pub fn after(due: &Due) -> Option<Self> {
        Some(Self { at: due.at, kind: Kind::parse(&due.kind)?, id: due.id.clone() })
    }

    /// The reverse of its `Display`; none where it is no place.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '~');
        let at = DateTime::parse_from_rfc3339(parts.next()?).ok()?.to_utc();
        Some(Self { at, kind: Kind::parse(parts.next()?)?, id: parts.next()?.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}~{}", self.at.to_rfc3339(), self.kind.as_str(), self.id)
    }
}

/// Which of it; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// From this instant until before that one.
    pub within: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Only what comes after this: the last of the page before.
    pub after: Option<Place>,
    /// So many at most.
    pub most: i64,
}

/// What falls due, the soonest first.
///
/// Plan: of each kind the first rows of the page, by `entry_falls_due`, `run_tries` and `run_refund_looks` from the instant on; all
/// questions by `entry_asked`, all open appeals by `blacklist_appeal_state`; all who wait, by `entry_queue`, are counted to their
/// queues. Names are looked up by primary key for the rows of the page alone.
pub async fn due(db: impl PgExecutor<'_>, hospital: &str, wanted: &Wanted) -> sqlx::Result<Vec<Due>> {
    let mut of_hospital = PgArguments::default();
    of_hospital.add(hospital).map_err(sqlx::Error::Encode)?;
    let mut query = QueryBuilder::with_arguments(
        "select d.kind, d.at, d.id, d.run, r.workflow, r.key, r.step, r.attempt, coalesce(d.patient, e.patient_id) as patient,
                d.schedule, coalesce(doctor.name, p.masked ->> 'name') as name, d.n
         from (select * from (",
        of_hospital,
    );
    let mut first = true;
    for kind in Kind::ALL.into_iter().filter(|kind| wanted.kind.is_none_or(|only| only == *kind)) {
        query.push(if first { "" } else { " union all " });
        query.push(format_args!("(select '{}' as kind, one.* from ({}) one where true", kind.as_str(), kind.rows()));
        first = false;
        if let Some((from, to)) = wanted.within {
            query.push(" and at >= ").push_bind(from).push(" and at < ").push_bind(to);
        }
        if let Some(after) = &wanted.after {
            query.push(" and at >= ").push_bind(after.at);
            query.push(format_args!(" and (at, '{}' collate \"C\", id collate \"C\") > (", kind.as_str()));
            query
                .push_bind(after.at)
                .push(", ")
                .push_bind(after.kind.as_str())
                .push(", ")
                .push_bind(&after.id)
                .push(")");
        }
        query.push(" order by at, id collate \"C\" limit ").push_bind(wanted.most).push(")");
    }
    query.push(") each_kind order by at, kind collate \"C\", id collate \"C\" limit ").push_bind(wanted.most);
    query.push(
        ") d
         left join run r on d.kind in ('retry', 'refund') and r.tenant = $1 and r.id = d.run
         left join entry e on d.kind in ('retry', 'refund') and e.hospital = $1 and e.id = d.run
         left join patient p on p.hospital = $1 and p.id = coalesce(d.patient, e.patient_id)
         left join schedule s on s.hospital = $1 and s.id = d.schedule
         left join doctor on doctor.hospital = $1 and doctor.id = s.doctor_id
         order by d.at, d.kind collate \"C\", d.id collate \"C\"",
    );
    query.build_query_as().fetch_all(db).await
}
