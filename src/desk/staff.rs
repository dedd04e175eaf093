//! What staff do to runs: verbs, what each would do, bulks and the audit. The engine decides; nothing here does.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::runs::Shown;
use super::verbs::joined_anew;
use super::{Answer, Desk, DeskError};
use crate::engine::staff::bulk::{self, Asked, Bulk, DryRun, Turned};
use crate::engine::staff::explain::{Explained, explain};
use crate::engine::staff::{By, Performed, Refused, Verb, perform};
use crate::engine::store::audit::{self, Audited, Wanted};
use crate::engine::store::bulk as bulks;
use crate::engine::{RunId, inspect};
use crate::records::entries;
use crate::waitlist::masking::masked;
use crate::waitlist::refusal::Refusal;

/// What a bulk would do, with how the first runs of either kind stand.
#[derive(Debug)]
pub struct Preview {
    /// What it would do.
    pub dry: DryRun,
    /// How the first that would change and the first that would refuse stand: one that is there no more is not among them.
    pub stand: HashMap<RunId, Shown>,
}

impl From<Refused> for DeskError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoRun => Refusal::NotFound.into(),
            refused => Self::Staff(Box::new(refused)),
        }
    }
}

impl Desk {
    /// Does a verb to one run. [`Refusal::DuplicateApplication`] where an application would go back into a queue that its
    /// patient has joined anew.
    pub async fn perform(&self, run: RunId, by: &By, verb: &Verb) -> Answer<Performed> {
        match perform(&self.engine, run, by, verb).await {
            Ok(Err(refused)) if joined_anew(&refused) => Err(Refusal::DuplicateApplication.into()),
            performed => Ok(performed??),
        }
    }

    /// What each verb would do to a run now.
    pub async fn verbs(&self, run: RunId) -> Answer<Vec<Explained>> {
        let mut conn = self.engine.pool.acquire().await?;
        explain(&self.engine, &mut conn, run).await?.ok_or_else(|| Refusal::NotFound.into())
    }

    /// What a bulk would do, and the set with which it can be begun; changes no run.
    pub async fn dry_run(&self, asked: &Asked) -> Answer<DryRun> {
        if asked.filter.is_empty() {
            return Err(DeskError::NoFilter);
        }
        Ok(bulk::dry_run(&self.engine, asked).await?)
    }

    /// The same, with how the first `most` that would change and the first that would refuse stand.
    pub async fn preview_bulk(&self, asked: &Asked, most: usize) -> Answer<Preview> {
        let dry = self.dry_run(asked).await?;
        let first = |refuse| dry.each.iter().filter(move |one| one.refused.is_some() == refuse).take(most);
        let ids: Vec<RunId> = first(false).chain(first(true)).map(|one| one.run).collect();
        if ids.is_empty() {
            return Ok(Preview { dry, stand: HashMap::new() });
        }
        let most = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let found = self.runs(inspect::Filter { ids: Some(ids), most, ..inspect::Filter::default() }).await?;
        Ok(Preview { dry, stand: found.into_iter().map(|shown| (shown.seen.id, shown)).collect() })
    }

    /// Begins a bulk; workers do the rest.
    pub async fn begin_bulk(&self, asked: &Asked) -> Answer<Bulk> {
        if asked.filter.is_empty() {
            return Err(DeskError::NoFilter);
        }
        Ok(shown(bulk::begin(&self.engine, asked).await??))
    }

    /// One bulk.
    pub async fn bulk(&self, id: Uuid) -> Answer<Bulk> {
        let found = bulks::find(&self.engine.pool, self.hospital(), id).await?;
        found.map(shown).ok_or_else(|| Refusal::NotFound.into())
    }

    /// Bulks, newest first.
    pub async fn bulks(&self, before: Option<Uuid>, most: i64) -> Answer<Vec<Bulk>> {
        let found = bulks::list(&self.engine.pool, self.hospital(), before, most).await?;
        Ok(found.into_iter().map(shown).collect())
    }

    /// Pauses, resumes or cancels a bulk.
    pub async fn turn_bulk(&self, id: Uuid, by: &By, turned: Turned) -> Answer<()> {
        match bulk::turn(&self.engine, id, by, turned).await? {
            Ok(_) => Ok(()),
            Err(bulk::BulkRefused::NoBulk) => Err(Refusal::NotFound.into()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// What staff did, newest first. To a patient is also what was done to one of the patient's applications.
    pub async fn audit(&self, wanted: &Wanted) -> Answer<Vec<Audited>> {
        let mut wanted = wanted.clone();
        if let Some(patient) = &wanted.patient {
            wanted.runs_of_patient = entries::all_of(&self.engine.pool, self.hospital(), patient).await?;
        }
        let mut deeds = audit::list(&self.engine.pool, self.hospital(), &wanted).await?;
        deeds.iter_mut().for_each(mask_what_went_with);
        Ok(deeds)
    }
}

/// What staff sent with a signal, or changed of what a run knows, is stored of a run and masked as that is: `asked` of one run,
/// `verb` of the bulk that was begun for many.
fn mask_what_went_with(deed: &mut Audited) {
    for asked in ["asked", "verb"] {
        if let Some(asked) = deed.after.get_mut(asked) {
            mask_arguments(asked);
        }
    }
}

/// A bulk with what went with its verb masked.
fn shown(mut bulk: Bulk) -> Bulk {
    mask_arguments(&mut bulk.arguments);
    bulk
}

/// The arguments of a verb, as they are shown.
fn mask_arguments(arguments: &mut Value) {
    for given in ["payload", "patch"] {
        if let Some(given) = arguments.get_mut(given) {
            *given = masked(given);
        }
    }
}
