//! Settings as staff see and change them: where each one comes from, and that a change is audited.

use serde_json::{Value, json};

use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit::{self, Deed};
use crate::records::policies;
use crate::records::policy_tree::{self, Place};
use crate::waitlist::policy::{Level, LevelPolicy, Policy};

/// The settings of a place and of what stands above it.
#[derive(Debug, Clone)]
pub struct InEffect {
    /// The place, then what stands above it.
    pub chain: Vec<(Place, Level, LevelPolicy)>,
    /// What they come to.
    pub policy: Policy,
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

    /// Makes or replaces the settings of one level; the audit has what they were and are.
    pub async fn change_policy(&self, level: Level, id: &str, policy: &LevelPolicy, by: &By) -> Answer<()> {
        policy.validate()?;
        let mut tx = self.begin().await?;
        let former = policies::find(&mut *tx, self.hospital(), level, id).await?.unwrap_or_default();
        policies::put(&mut *tx, self.hospital(), level, id, policy).await?;
        let deed = Deed {
            who: &by.who,
            verb: "policy.put",
            run: None,
            job: None,
            reason: &by.reason,
            before: written(level, id, &former)?,
            after: written(level, id, policy)?,
            bulk: None,
        };
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn written(level: Level, id: &str, policy: &LevelPolicy) -> Answer<Value> {
    let mut all = json!({ "level": level.as_str(), "id": id });
    let settings = serde_json::to_value(policy).map_err(|error| DeskError::Broken(error.to_string()))?;
    if let (Value::Object(all), Value::Object(settings)) = (&mut all, settings) {
        all.extend(settings);
    }
    Ok(all)
}
