//! What people do to runs: seven verbs, one a file, each one transaction with a typed refusal and an audit row.
//!
//! A verb decides purely, from how the run stands and what its table says; then it acts as a worker's turn would, so
//! that effects, the workflow's own tables and what is owed stay true. None calls outside, and none does by force what
//! its refusal forbids.
//!
//! | file | what |
//! |---|---|
//! | `retry` | the step that failed is due now, with all its attempts |
//! | `answer` | the outcome of the present step, supplied by a person |
//! | `jump` | to another step |
//! | `signal` | a signal that the workflow knows |
//! | `suspend`, `resume` | stands still until a person lets it go on |
//! | `cancel` | an orderly end, down the tree of its children |
//! | `refused` | why a verb is not done |
//! | `change` | what a verb changes, and how that is written |
//! | `explain` | what each verb would do now |
//! | `preview`, `bulk`, `clerk` | a verb for many runs: what it would do, its way, and who does the work |

mod answer;
pub mod bulk;
mod cancel;
mod change;
pub(super) mod clerk;
pub mod explain;
mod jump;
pub mod letters;
pub mod preview;
mod refused;
mod resume;
mod retry;
mod signal;
mod suspend;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use super::RunId;
use super::commit::{MEETINGS_MAX, met_another};
use super::core::Engine;
use super::registry::Mounted;
use super::store::staff::{self, Standing};
use super::store::{audit, signal as inbox, turns};
use change::Change;
pub use refused::Refused;

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verb {
    /// The step that failed is due now, as if for the first time; it looks before it calls.
    Retry,
    /// The present step came to this outcome.
    Answer {
        /// One of the step's outcomes.
        outcome: String,
        /// Changes of the state (RFC 7396); what results must still be readable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patch: Option<Value>,
    },
    /// The run goes on at another step.
    Jump {
        /// A step or an ending.
        step: String,
        /// Changes of the state (RFC 7396); what results must still be readable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patch: Option<Value>,
    },
    /// A signal, heard once an id.
    Signal {
        /// Its name in the workflow's table.
        signal: String,
        /// Its id; in a bulk the bulk's own where it is absent.
        #[serde(default)]
        signal_id: String,
        /// What goes with it.
        #[serde(default = "nothing")]
        payload: Value,
    },
    /// The run stands still until it is resumed.
    Suspend,
    /// What stands still goes on, with the attempts that it has left.
    Resume,
    /// The run and those below it come to an orderly end.
    Cancel,
}

fn nothing() -> Value {
    json!({})
}

impl Verb {
    /// The name in the audit and on every surface.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Answer { .. } => "answer",
            Self::Jump { .. } => "jump",
            Self::Signal { .. } => "signal",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }
}

/// Who does it, and why. Both stand in the audit and in the history: no personal data.
#[derive(Debug, Clone)]
pub struct By {
    /// A user's name, `key@api` or `user@cli`.
    pub who: String,
    /// Why.
    pub reason: String,
}

impl By {
    /// A deed of theirs, to be written down, that was done to no run, job or bulk.
    pub fn deed<'a>(&'a self, verb: &'a str, before: Value, after: Value) -> audit::Deed<'a> {
        let (who, reason) = (self.who.as_str(), self.reason.as_str());
        audit::Deed { who, verb, run: None, job: None, reason, before, after, bulk: None }
    }

    fn said(&self) -> String {
        if self.reason.is_empty() { self.who.clone() } else { format!("{}: {}", self.who, self.reason) }
    }
}

/// What a verb came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Performed {
    /// How many runs changed: more than one where a tree was cancelled, none where a signal was there already.
    pub runs: usize,
}

/// Does one verb to one run, in a transaction of its own.
pub async fn perform(engine: &Engine, run: RunId, by: &By, verb: &Verb) -> sqlx::Result<Result<Performed, Refused>> {
    let mut meetings = 0;
    loop {
        let mut tx = engine.pool.begin().await?;
        match perform_in(engine, &mut tx, run, by, verb, None).await {
            Ok(Ok(performed)) => {
                tx.commit().await?;
                tracing::info!(%run, who = by.who, verb = verb.name(), "staff");
                engine.hint();
                return Ok(Ok(performed));
            }
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error) if met_another(&error) && meetings < MEETINGS_MAX => meetings += 1,
            Err(error) => return contradicts(&error).map(Err).ok_or(error),
        }
    }
}

/// What a rule of the workflow's own tables says no to.
fn contradicts(error: &sqlx::Error) -> Option<Refused> {
    let rule = error.as_database_error().and_then(DatabaseError::constraint)?;
    Some(Refused::Contradicts { rule: rule.to_owned() })
}

/// The same in the caller's transaction, which must be rolled back where it fails.
pub async fn perform_in(
    engine: &Engine,
    conn: &mut PgConnection,
    run: RunId,
    by: &By,
    verb: &Verb,
    bulk: Option<Uuid>,
) -> sqlx::Result<Result<Performed, Refused>> {
    // Decided twice: first to learn which rows will be touched, so that all are locked in the order of their ids.
    let family = family(engine, conn, run, verb).await?;
    let mut rows: Vec<RunId> = family.iter().map(|(one, _)| one.id).collect();
    for (one, _) in &family {
        match decide(engine, conn, one, by, verb).await? {
            Ok(Some(Change::Moves { done, .. })) => {
                rows.extend(turns::touched(conn, &engine.tenant, &[*done]).await?);
            }
            Ok(_) => rows.extend(one.parent),
            Err(refused) => return Ok(Err(in_tree(run, one.id, refused))),
        }
    }
    if family.is_empty() {
        return Ok(Err(gone(engine, conn, run).await?));
    }
    let mut locked: BTreeSet<RunId> = BTreeSet::new();
    // A turn may have started another child before all were locked: that one is locked as well, and looked at anew.
    let mut family = loop {
        locked.extend(rows.iter().copied());
        inbox::lock(conn, &engine.tenant, std::mem::take(&mut rows)).await?;
        let family = self::family(engine, conn, run, verb).await?;
        rows.extend(family.iter().map(|(one, _)| one.id).filter(|id| !locked.contains(id)));
        if rows.is_empty() {
            break family;
        }
    };
    // Children end before their parents, which hear of it as of something that came too late.
    family.sort_by_key(|(_, depth)| std::cmp::Reverse(*depth));
    let mut changed = 0;
    for (one, _) in family {
        match decide(engine, conn, &one, by, verb).await? {
            Ok(Some(change)) => {
                changed += 1;
                change::write(engine, conn, &one, by, change).await?;
                write_down(engine, conn, &one, by, verb, bulk).await?;
            }
            Ok(None) => {}
            Err(refused) => return Ok(Err(in_tree(run, one.id, refused))),
        }
    }
    Ok(Ok(Performed { runs: changed }))
}

/// Why there is nothing to be done to a run that is not among the live ones.
async fn gone(engine: &Engine, conn: &mut PgConnection, run: RunId) -> sqlx::Result<Refused> {
    let archived = staff::archived(conn, &engine.tenant, run).await?;
    Ok(archived.map_or(Refused::NoRun, |status| Refused::Ended { status }))
}

fn in_tree(root: RunId, run: RunId, refused: Refused) -> Refused {
    if root == run { refused } else { Refused::InTree { run, refused: Box::new(refused) } }
}

/// The runs that a verb is about, with how far below the first they are.
async fn family(
    engine: &Engine,
    conn: &mut PgConnection,
    run: RunId,
    verb: &Verb,
) -> sqlx::Result<Vec<(Standing, i32)>> {
    let tenant = &engine.tenant;
    let tree = if *verb == Verb::Cancel { staff::tree(conn, tenant, run).await? } else { vec![(run, 0)] };
    let ids: Vec<RunId> = tree.iter().map(|(id, _)| *id).collect();
    let depths: HashMap<RunId, i32> = tree.into_iter().collect();
    let depth = |id: RunId| depths.get(&id).copied().unwrap_or(0);
    let standing = staff::standing(conn, tenant, &ids).await?;
    Ok(standing.into_iter().map(|one| (depth(one.id), one)).map(|(depth, one)| (one, depth)).collect())
}

/// What the verb changes; none where a signal of this id is there already.
async fn decide(
    engine: &Engine,
    conn: &mut PgConnection,
    run: &Standing,
    by: &By,
    verb: &Verb,
) -> sqlx::Result<Result<Option<Change>, Refused>> {
    if let Verb::Signal { signal, signal_id, payload } = verb {
        if staff::has_signal(conn, &engine.tenant, run.id, signal_id).await? {
            return Ok(Ok(None));
        }
        return Ok(signal::decide(engine, run, signal, signal_id, payload).await.map(Some));
    }
    Ok(plan(engine, run, by, verb).map(Some))
}

/// What a verb other than a signal changes. Pure.
fn plan(engine: &Engine, run: &Standing, by: &By, verb: &Verb) -> Result<Change, Refused> {
    match verb {
        Verb::Retry => retry::decide(run),
        Verb::Suspend => suspend::decide(run, by),
        Verb::Resume => resume::decide(run),
        Verb::Answer { outcome, patch } => answer::decide(mounted(engine, run)?, run, by, outcome, patch.as_ref()),
        Verb::Jump { step, patch } => jump::decide(mounted(engine, run)?, run, by, step, patch.as_ref()),
        Verb::Cancel => cancel::decide(mounted(engine, run)?, run, by),
        Verb::Signal { signal, .. } => signal::known(mounted(engine, run)?.table(), run, signal).map(|_| Change::Hears),
    }
}

fn mounted<'a>(engine: &'a Engine, run: &Standing) -> Result<&'a dyn Mounted, Refused> {
    let mounted = engine.registry.get(&run.workflow);
    mounted.map(|one| &**one).ok_or_else(|| Refused::UnknownWorkflow { workflow: run.workflow.clone() })
}

/// A run that lives and is in nobody's hands.
fn in_no_hand(run: &Standing) -> Result<(), Refused> {
    alive(run)?;
    if run.status == "running" { Err(Refused::InHand) } else { Ok(()) }
}

/// The same, and no call of whoever had it in hand can still arrive outside: what is decided now stays true.
fn at_rest(run: &Standing) -> Result<(), Refused> {
    in_no_hand(run)?;
    if run.calling { Err(Refused::StillCalling) } else { Ok(()) }
}

fn alive(run: &Standing) -> Result<(), Refused> {
    match run.status.as_str() {
        "completed" | "cancelled" | "faulted" => Err(Refused::Ended { status: run.status.clone() }),
        _ => Ok(()),
    }
}

/// The audit row, with how the run stood and stands.
async fn write_down(
    engine: &Engine,
    conn: &mut PgConnection,
    stood: &Standing,
    by: &By,
    verb: &Verb,
    bulk: Option<Uuid>,
) -> sqlx::Result<()> {
    let stands = staff::standing(conn, &engine.tenant, &[stood.id]).await?;
    let mut after = stands.first().map(shown).unwrap_or_default();
    if let (Some(after), Ok(asked)) = (after.as_object_mut(), serde_json::to_value(verb)) {
        after.insert("asked".to_owned(), asked);
    }
    let deed = audit::Deed {
        who: &by.who,
        verb: verb.name(),
        run: Some(stood.id),
        job: None,
        reason: &by.reason,
        before: shown(stood),
        after,
        bulk,
    };
    audit::write(conn, &engine.tenant, &deed).await
}

fn shown(run: &Standing) -> Value {
    json!({
        "step": run.step, "status": run.status, "turn": run.turn, "attempt": run.attempt, "owes": run.owes,
        "fault": run.fault, "lastError": run.last_error,
    })
}
