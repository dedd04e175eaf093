//! Floor 4, the desk: what somebody outside asks for, each in one transaction. One request, one file.
//!
//! Nothing here calls HIS, the payment provider or the message platform: a request is written down and a worker does
//! the rest. Nothing here knows HTTP.
//!
//! | file | request |
//! |---|---|
//! | `apply`, `admission` | join a queue: the rules; exact under any concurrency, many at once |
//! | `slow_lane` | whoever asks faster than people do waits first |
//! | `show` | applications as they are shown |
//! | `confirm`, `decline`, `withdraw` | the patient's answers |
//! | `answer` | the patient's answer to a question: keep it or leave |
//! | `cancel_visit` | the patient does not come after all |
//! | `release_slot`, `his_push`, `left_pushes` | a place may be free; 停诊; what was pushed and then left |
//! | `payment_notice` | money has arrived, or gone back |
//! | `callbacks`, `unbelieved`, `untaken` | what the outside told us, as staff look at it, done again; what was not believed, counted; what was, and cannot be taken |
//! | `message_event` | whether a message arrived; the next channel where it did not |
//! | `answers`, `paging` | what a caller's key was answered; lists in pages |
//! | `departments` | the hospital's departments, kept in step with HIS |
//! | `put_patient`, `policies`, `blacklist` | what applications refer to |
//! | `policy_changes` | settings as staff see and change them, with where each comes from |
//! | `browse`, `chance` | schedules and the state of their queues; how likely one more comes to a place |
//! | `draws` | the draw of a queue's order: its commitment and its transcript |
//! | `destinations` | the systems outside, and the switch that pauses one |
//! | `reconciliation` | differences from HIS and the payer, and that one is settled |
//! | `again` | what met another transaction is done again |
//! | `persons` | one person's data handed over, forgotten, sealed anew |
//! | `jobs` | what starts runs by the clock |
//! | `kpis` | the figures that managers ask for |
//! | `overview` | what needs a person, and the day so far |
//! | `notices` | what became of notices, and that staff send one again |
//! | `letters` | messages that were not taken, sent again |
//! | `templates` | the texts of notices: stored, taken back, looked at before they are sent |
//! | `health`, `advice` | what is wrong with the whole, and what to do about it |
//! | `dossier`, `queues`, `slots` | what is kept of one patient; who stands where in a queue, what falls due; who got which place |
//! | `search`, `views` | what a number means that somebody types, and searches that the team keeps |
//! | `unmask` | a patient, or what is stored of a run, in the clear for one look |
//! | `runs`, `why`, `faults` | any workflow's runs, for staff; what went wrong, in the reader's language |
//! | `access` | users of the console, roles, sessions, API keys |
//! | `staff`, `verbs` | what staff do to runs, and the words for it |
//! | `early_signals` | signals by key, and those whose run there is not |

pub mod access;
mod admission;
pub mod advice;
mod again;
mod answer;
mod answers;
pub mod apply;
pub mod blacklist;
pub mod browse;
mod callbacks;
mod cancel_visit;
mod chance;
mod confirm;
mod decline;
mod departments;
pub mod destinations;
pub mod dossier;
pub mod draws;
pub mod early_signals;
pub mod faults;
pub mod health;
pub mod his_push;
pub mod jobs;
pub mod kpis;
pub mod left_pushes;
pub mod letters;
pub mod message_event;
pub mod notices;
pub mod overview;
pub mod paging;
pub mod payment_notice;
pub mod persons;
pub mod policies;
pub mod policy_changes;
pub mod put_patient;
mod queues;
pub mod reconciliation;
mod release_slot;
pub mod runs;
pub mod search;
pub mod show;
pub mod slots;
pub mod slow_lane;
pub mod staff;
pub mod templates;
mod unbelieved;
pub mod unmask;
pub mod untaken;
pub mod verbs;
pub mod views;
pub mod why;
mod withdraw;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::engine::Engine;
use crate::engine::jobs::verbs::JobRefused;
use crate::engine::sizes::TooLarge;
use crate::engine::staff::Refused;
use crate::engine::staff::bulk::BulkRefused;
use crate::engine::store::trouble::{is_passing, is_refusal, met_another};
use crate::engine::store::{self, Outgoing, Signalled};
use crate::engine::{Fault, To, clock};
use crate::records::entries;
use crate::waitlist::cipher::{CipherError, LookupKey};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;
use crate::waitlist::template::Flaw;
use crate::workflows::Ports;
pub use answers::STALE_S;

/// The desk of one hospital, which is the engine's tenant.
pub struct Desk {
    /// Where runs are started and signalled.
    pub engine: Arc<Engine>,
    /// Our tables and keys; of the outside only what needs no call.
    pub ports: Arc<Ports>,
    /// Finds patients by ID number.
    pub lookup: Arc<LookupKey>,
    /// What callers were answered, by their keys.
    pub answers: answers::Answers,
    /// Who of the staff may come in, and the keys of the API.
    pub lodge: access::Lodge,
    admissions: admission::Admissions,
    releases: release_slot::Releases,
    slow_lane: slow_lane::SlowLane,
    unbelieved: Arc<unbelieved::Unbelieved>,
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// A rule of the waitlist says no.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A notice about an order that we never opened.
    #[error("the notice is about an order that is not ours")]
    NotOurs,
    /// A notice whose amount is not the order's.
    #[error("the notice's amount is not the order's")]
    WrongAmount,
    /// A notice about a refund of an order of ours, under a number that none of ours is.
    #[error("the notice is about a refund that was never asked for")]
    UnknownRefund,
    /// No workflow of this name.
    #[error("no workflow of this name")]
    UnknownWorkflow,
    /// Runs of this workflow begin by a request of their own.
    #[error("runs of this workflow are started by a request of their own")]
    NotStartable,
    /// A verb of the staff is not done.
    #[error("{0}")]
    Staff(Box<Refused>),
    /// A bulk is not turned.
    #[error("{0}")]
    Bulk(#[from] BulkRefused),
    /// A verb to a job is not done.
    #[error("{0}")]
    Job(JobRefused),
    /// The rule that keeps this patient out knows no appeal, or nothing keeps the patient out.
    #[error("there is nothing to appeal against")]
    NoAppeal,
    /// An appeal is decided once.
    #[error("the appeal is decided already")]
    AppealDecided,
    /// Something about the patient has not ended.
    #[error("something about the patient is under way")]
    StillNeeded,
    /// A text of notices that must not be sent, or that the message platform would not take.
    #[error("the text has {} flaws", .0.len())]
    Flawed(Vec<Flaw>),
    /// Somebody stored another version of the text meanwhile.
    #[error("the text has changed: version {0} is the newest")]
    TemplateChanged(i32),
    /// Settings were changed again since the change that would be undone.
    #[error("the settings have been changed since")]
    PolicyChanged,
    /// Not enough of a callback was kept to do it again.
    #[error("what this callback said was not kept")]
    NotReplayable,
    /// A notice is not sent again.
    #[error("{0}")]
    NotResent(notices::NotResent),
    /// A case is resolved once.
    #[error("the case is resolved already")]
    CaseResolved,
    /// Something about users, sessions or keys is not done.
    #[error("{0}")]
    Access(#[from] access::Refused),
    /// A bulk without a filter would be for every run there is.
    #[error("a bulk needs a filter")]
    NoFilter,
    /// An input that the workflow cannot read.
    #[error("the workflow cannot read it: {0}")]
    Unreadable(String),
    /// What was asked for is not as it must be: why, in Chinese and in English.
    #[error("{1}")]
    Unfit(&'static str, &'static str),
    /// The destination is paused already.
    #[error("the destination is paused already")]
    AlreadyPaused,
    /// Only a paused destination is resumed.
    #[error("the destination is not paused")]
    NotPaused,
    /// An input or payload that is larger than what is stored of it.
    #[error("{0}")]
    TooLarge(TooLarge),
    /// Personal data could not be sealed.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// Something of ours cannot be written as it should.
    #[error("{0}")]
    Broken(String),
    /// The database did not do it.
    #[error("the database did not do it: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for DeskError {
    fn from(error: sqlx::Error) -> Self {
        TooLarge::within(&error).map_or(Self::Database(error), Self::TooLarge)
    }
}

impl From<Fault> for DeskError {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault.to_string())
    }
}

/// What a request comes to.
pub type Answer<T> = Result<T, DeskError>;

/// What all of those hear who were done together by a statement that failed: nobody knows whether it was written.
fn for_all<T>(how_many: usize, error: sqlx::Error) -> Vec<Answer<T>> {
    let (passes, told) = (is_passing(&error), error.to_string());
    let same = || if passes { sqlx::Error::PoolTimedOut } else { sqlx::Error::Protocol(told.clone()) };
    let others: Vec<Answer<T>> = (1..how_many).map(|_| Err(DeskError::Database(same()))).collect();
    std::iter::once(Err(DeskError::Database(error))).chain(others).collect()
}

/// Writes what some asked for, in one transaction.
type Together<T, R> = for<'a> fn(&'a Engine, &'a [T]) -> BoxFuture<'a, sqlx::Result<Vec<Answer<R>>>>;

/// Has `write` done for all together; one by one where one of them is refused or met another transaction, so that a bad one
/// fails alone.
async fn together<T: Sync, R>(engine: &Engine, all: &[T], write: Together<T, R>) -> Vec<Answer<R>> {
    match write(engine, all).await {
        Ok(answers) => answers,
        Err(error) if all.len() > 1 && (is_refusal(&error) || met_another(&error)) => {
            let mut answers = Vec::with_capacity(all.len());
            for one in all {
                answers
                    .extend(write(engine, std::slice::from_ref(one)).await.unwrap_or_else(|error| for_all(1, error)));
            }
            answers
        }
        Err(error) => for_all(all.len(), error),
    }
}

/// Whether an answer that names the end of an offer means another one than ends then.
fn is_another(named: Option<DateTime<Utc>>, ends: Option<DateTime<Utc>>) -> bool {
    named.is_some() && named != ends
}

impl Desk {
    pub(crate) fn hospital(&self) -> &str {
        &self.ports.hospital
    }

    async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.engine.pool.begin().await
    }

    /// The desk of the engine's tenant.
    pub fn new(engine: Arc<Engine>, ports: Arc<Ports>, lookup: Arc<LookupKey>) -> Self {
        let admissions = admission::open(Arc::clone(&engine), Arc::clone(&ports));
        let (answers, releases) = (answers::Answers::open(&engine), release_slot::open(Arc::clone(&engine)));
        let slow_lane = slow_lane::SlowLane::new(slow_lane::Paces::default());
        let unbelieved = unbelieved::open(Arc::clone(&engine));
        let lodge = access::Lodge::new(engine.pool.clone(), ports.hospital.clone());
        Self { engine, ports, lookup, answers, lodge, admissions, releases, slow_lane, unbelieved }
    }

    /// The same with other paces.
    #[must_use]
    pub fn paced(self, paces: slow_lane::Paces) -> Self {
        Self { slow_lane: slow_lane::SlowLane::new(paces), ..self }
    }

    /// The same, where these names of keys are the configuration's.
    #[must_use]
    pub fn reserving(self, key_names: impl IntoIterator<Item = String>) -> Self {
        Self { lodge: self.lodge.reserving(key_names), ..self }
    }

    /// What time it is for every rule.
    pub async fn now(&self) -> sqlx::Result<chrono::DateTime<chrono::Utc>> {
        clock::now(&self.engine.pool).await
    }

    /// Locks an application's run and answers how the application stands; it stays so until the transaction ends.
    async fn hold(&self, conn: &mut PgConnection, id: Uuid) -> Answer<(entries::Shown, EntryStatus)> {
        if !store::hold(conn, self.hospital(), id).await? {
            return Err(Refusal::NotFound.into());
        }
        let shown = entries::find(conn, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
        let status = EntryStatus::parse(&shown.status).ok_or_else(|| {
            DeskError::Broken(format!("the application {id} has the unknown status {}", shown.status))
        })?;
        Ok((shown, status))
    }

    /// Signals an application's run, which is held, and commits.
    async fn send(
        &self,
        mut tx: Transaction<'static, Postgres>,
        id: Uuid,
        name: &'static str,
        signal_id: String,
        payload: serde_json::Value,
    ) -> Answer<Signalled> {
        let outgoing = Outgoing { to: To::Run(id), name: name.into(), id: signal_id, payload };
        let signalled = store::signal(&mut tx, self.hospital(), &outgoing).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(signalled)
    }
}
