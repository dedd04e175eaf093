//! Settings as staff see and change them: where each one comes from, that a change is audited, and that it can be undone.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit::{self, Audited};
use crate::records::policies;
use crate::records::policy_tree::{self, Place};
use crate::waitlist::policy::{Level, LevelPolicy, Policy};
use crate::waitlist::refusal::Refusal;

/// The settings of a place and of what stands above it.
#[derive(Debug, Clone)]
pub struct InEffect {
    /// The place, then what stands above it.
    pub chain: Vec<(Place, Level, LevelPolicy)>,
    /// What they come to.
    pub policy: Policy,
}

/// A change of one level's settings.
#[derive(Debug, Clone)]
pub struct Change {
    /// As the audit has it.
    pub deed: Audited,
    /// True where it can be undone: the settings are what it made them, and were others before.
    pub way_back: bool,
}

/// What whoever changes settings has seen of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// They say how all of it is to be.
    Whatever,
    /// They saw what the last change made of it; none: that nobody had changed it.
    Change(Option<Uuid>),
}

impl Desk {
    /// Every campus, department and doctor.
    pub async fn places(&self) -> Answer<Vec<Place>> {
        Ok(policy_tree::places(&self.engine.pool, self.hospital()).await?)
    }

    /// The settings of a place, what stands above it and what they come to; none where there is no such place.
    pub async fn in_effect(&self, level: Level, id: &str) -> Answer<Option<InEffect>> {
        let places = self.places().await?;
        let mut chain = Vec::new();
        let mut at = (level, id.to_owned());
        loop {
            let found = places.iter().find(|place| place.level == at.0.as_str() && place.id == at.1);
            let Some(place) = found else { break };
            let own = policies::find(&self.engine.pool, self.hospital(), at.0, &at.1).await?.unwrap_or_default();
            chain.push((place.clone(), at.0, own));
            let next = match at.0 {
                Level::Doctor => Level::Department,
                Level::Department => Level::Campus,
                Level::Campus => break,
            };
            at = (next, place.above.clone());
        }
        if chain.is_empty() {
            return Ok(None);
        }
        let of = |level: Level| {
            let found = chain.iter().find(|(_, at, _)| *at == level);
            found.map(|(.., own)| own.clone()).unwrap_or_default()
        };
        let policy = Policy::resolve(&of(Level::Doctor), &of(Level::Department), &of(Level::Campus));
        Ok(Some(InEffect { chain, policy }))
    }

    /// Makes or replaces the settings of one level; the audit has what they were and are. Answers the change's id there.
    /// [`DeskError::PolicyChanged`] where that has been changed since whoever decided on it saw it.
    pub async fn change_policy(
        &self,
        level: Level,
        id: &str,
        policy: &LevelPolicy,
        since: Since,
        by: &By,
    ) -> Answer<Uuid> {
        policy.validate()?;
        let mut tx = self.begin().await?;
        policies::hold(&mut tx, self.hospital(), level, id).await?;
        if let Since::Change(seen) = since {
            let newest = audit::policy_change(&mut *tx, self.hospital(), level.as_str(), id, None).await?;
            if newest.map(|newest| newest.id) != seen {
                return Err(DeskError::PolicyChanged);
            }
        }
        let former = policies::find(&mut *tx, self.hospital(), level, id).await?.unwrap_or_default();
        policies::put(&mut *tx, self.hospital(), level, id, policy).await?;
        let change = self.write_change(&mut tx, "policy.put", (level, id), [&former, policy], by).await?;
        tx.commit().await?;
        Ok(change)
    }

    /// The newest change of one level's settings; none where nobody has changed them.
    pub async fn last_policy_change(&self, level: Level, id: &str) -> Answer<Option<Change>> {
        let pool = &self.engine.pool;
        let found = audit::policy_change(pool, self.hospital(), level.as_str(), id, None).await?;
        let Some(deed) = found else { return Ok(None) };
        let present = policies::find(pool, self.hospital(), level, id).await?.unwrap_or_default();
        let way_back = way_back(&deed, &present).is_some_and(|former| former != present);
        Ok(Some(Change { deed, way_back }))
    }

    /// Undoes a change of one level's settings, by a change that restores what stood before; answers what stands then.
    /// [`Refusal::NotFound`] where there is no such change of these settings, [`DeskError::PolicyChanged`] where they have been
    /// changed since. To whom the change was carried over, they go by it until the settings are carried over anew.
    pub async fn undo_policy(&self, level: Level, id: &str, change: Uuid, by: &By) -> Answer<LevelPolicy> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        policies::hold(&mut tx, hospital, level, id).await?;
        let change = audit::policy_change(&mut *tx, hospital, level.as_str(), id, Some(change)).await?;
        let change = change.ok_or(Refusal::NotFound)?;
        let newest = audit::policy_change(&mut *tx, hospital, level.as_str(), id, None).await?;
        let present = policies::find(&mut *tx, hospital, level, id).await?.unwrap_or_default();
        let newest = newest.is_some_and(|newest| newest.id == change.id);
        let former = way_back(&change, &present).filter(|_| newest).ok_or(DeskError::PolicyChanged)?;
        former.validate()?;
        if former == LevelPolicy::default() {
            policies::remove(&mut *tx, hospital, level, id).await?;
        } else {
            policies::put(&mut *tx, hospital, level, id, &former).await?;
        }
        self.write_change(&mut tx, "policy.undo", (level, id), [&present, &former], by).await?;
        tx.commit().await?;
        Ok(former)
    }

    async fn write_change(
        &self,
        conn: &mut PgConnection,
        verb: &str,
        (level, id): (Level, &str),
        [before, after]: [&LevelPolicy; 2],
        by: &By,
    ) -> Answer<Uuid> {
        let (before, after) = (written(level, id, before)?, written(level, id, after)?);
        let change = Uuid::now_v7();
        audit::write_as(conn, self.hospital(), change, &by.deed(verb, before, after)).await?;
        Ok(change)
    }
}

/// What stood before a change; none where the settings are not what it made them, or were written by rules that hold no more.
fn way_back(change: &Audited, present: &LevelPolicy) -> Option<LevelPolicy> {
    let stands = settings_of(&change.after).is_some_and(|made| made == *present);
    settings_of(&change.before).filter(|_| stands)
}

/// The reverse of [`written`].
fn settings_of(written: &Value) -> Option<LevelPolicy> {
    let mut all = written.as_object()?.clone();
    all.remove("level");
    all.remove("id");
    serde_json::from_value(Value::Object(all)).ok()
}

fn written(level: Level, id: &str, policy: &LevelPolicy) -> Answer<Value> {
    let mut all = json!({ "level": level.as_str(), "id": id });
    let settings = serde_json::to_value(policy).map_err(|error| DeskError::Broken(error.to_string()))?;
    if let (Value::Object(all), Value::Object(settings)) = (&mut all, settings) {
        all.extend(settings);
    }
    Ok(all)
}
