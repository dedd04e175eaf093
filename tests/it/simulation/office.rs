//! The office: staff who do their verbs to runs by the plot, and keep a list of what they were answered.

use std::sync::{Arc, Mutex};

use houbu::engine::staff::{By, Performed, Verb, perform};
use houbu::engine::{Engine, RunId, Table};
use serde_json::json;
use sqlx::PgPool;

use super::judge::table;
use super::plot::{Asked, Target, Whose};
use super::stage::{Sent, TENANT};

/// What somebody was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It is done, to so many runs.
    Done(usize),
    /// It was refused, with this code.
    Refused(&'static str),
    /// The line broke: it may be done.
    Nothing,
}

/// One deed and its answer.
#[derive(Debug, Clone)]
pub struct Deed {
    pub id: String,
    pub verb: &'static str,
    pub answered: Answered,
}

/// Everybody in the office.
pub struct Office {
    /// Over lines of their own, which break as everybody's.
    door: Arc<Engine>,
    deeds: Mutex<Vec<Deed>>,
}

impl Office {
    pub fn new(door: Arc<Engine>) -> Self {
        Self { door, deeds: Mutex::default() }
    }

    /// Everybody goes home.
    pub async fn closes(&self) {
        self.door.pool.close().await;
    }

    /// Everything that was asked, in the order of the answers.
    pub fn deeds(&self) -> Vec<Deed> {
        self.deeds.lock().unwrap().clone()
    }

    /// Does one deed, once: whoever gets no answer looks what became of it. Answers the signal that was accepted.
    pub async fn does(&self, pool: &PgPool, whose: &Whose, asked: &Asked, id: &str) -> Option<Sent> {
        let (run, workflow, name, step) = stands(pool, whose).await?;
        let table = table(&workflow);
        let verb = verb(&table, &step, asked, id);
        let by = By { who: "office".to_owned(), reason: id.to_owned() };
        let answered = match perform(&self.door, run, &by, &verb).await {
            Ok(Ok(Performed { runs })) => Answered::Done(runs),
            Ok(Err(refused)) => Answered::Refused(refused.code()),
            Err(_) => Answered::Nothing,
        };
        let done = matches!(answered, Answered::Done(_));
        self.deeds.lock().unwrap().push(Deed { id: id.to_owned(), verb: verb.name(), answered });
        let to = Target::Key { workflow: table.name, name };
        (done && matches!(verb, Verb::Signal { .. })).then(|| Sent { to, id: id.to_owned() })
    }
}

/// The run that somebody has in mind, its workflow, its name and its step as they see it; it may move on meanwhile.
async fn stands(pool: &PgPool, whose: &Whose) -> Option<(RunId, String, String, String)> {
    let query = match whose {
        Whose::Named { workflow, name } => {
            sqlx::query_as("select id, workflow, key, step from run where tenant = $1 and workflow = $2 and key = $3")
                .bind(TENANT)
                .bind(*workflow)
                .bind(name)
        }
        Whose::Failing { which } => sqlx::query_as(
            "select id, workflow, key, step from run
             where tenant = $1 and (status = 'suspended' and fault <> 'staff' or status = 'pending' and attempt > 0)
             order by md5(id::text || $2) limit 1",
        )
        .bind(TENANT)
        .bind(which.to_string()),
        Whose::Held { which } => sqlx::query_as(
            "select id, workflow, key, step from run where tenant = $1 and status = 'suspended' and fault = 'staff'
             order by md5(id::text || $2) limit 1",
        )
        .bind(TENANT)
        .bind(which.to_string()),
    };
    query.fetch_optional(pool).await.unwrap()
}

fn verb(table: &Table, step: &str, asked: &Asked, id: &str) -> Verb {
    let patch = Some(json!({ "led": { id: step } }));
    match asked {
        Asked::Retry => Verb::Retry,
        Asked::Suspend => Verb::Suspend,
        Asked::Resume => Verb::Resume,
        Asked::Cancel => Verb::Cancel,
        Asked::Signal { name } => {
            let (signal, signal_id) = ((*name).to_owned(), id.to_owned());
            Verb::Signal { signal, signal_id, payload: json!({ "id": id }) }
        }
        Asked::Answer { which } => {
            let outcomes = table.step(step).map_or(&[][..], |row| row.outcomes);
            Verb::Answer { outcome: nth(*which, outcomes.iter().map(|row| row.name)), patch }
        }
        Asked::Jump { which } => {
            let places = table.steps.iter().map(|row| row.name).chain(table.ends.iter().copied());
            Verb::Jump { step: nth(*which, places), patch }
        }
    }
}

/// One of these names; a name that is none where there is nothing to choose from.
fn nth<'a>(which: u64, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let which = which.checked_rem(u64::try_from(names.len()).unwrap()).unwrap_or_default();
    names.get(usize::try_from(which).unwrap()).copied().unwrap_or("nothing").to_owned()
}
