//! A place was freed on the hospital's own site (R13): a hint to the schedule's hand-out, which asks HIS. Whoever says so
//! at the same time is written down together.

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt;
use serde_json::json;

use super::{Answer, Desk, DeskError, together};
use crate::engine::group::Group;
use crate::engine::store::{self, Outgoing};
use crate::engine::{Engine, To};
use crate::records::schedules;
use crate::waitlist::refusal::Refusal;
use crate::workflows::slot_release::SlotRelease;

/// The most hints of one transaction.
const TOGETHER_MAX: usize = 256;

/// A place of a schedule, and the event that freed it.
pub(super) struct Released {
    schedule_id: String,
    event_id: String,
}

/// The door.
pub(super) type Releases = Group<Released, Answer<()>>;

/// Opens it.
pub(super) fn open(engine: Arc<Engine>) -> Releases {
    Group::start(TOGETHER_MAX, move |released: Vec<Released>| {
        let engine = Arc::clone(&engine);
        async move { together(&engine, &released, |engine, some| hint(engine, some).boxed()).await }.boxed()
    })
}

impl Desk {
    /// Passes the hint on, once an `event_id`. Where nobody ever waited for the schedule one hint is kept: whoever waits
    /// first has HIS asked at once.
    pub async fn release_slot(&self, schedule_id: &str, event_id: &str) -> Answer<()> {
        let released = Released { schedule_id: schedule_id.to_owned(), event_id: event_id.to_owned() };
        let answer = self.releases.ask(released).await;
        answer.unwrap_or_else(|| Err(DeskError::Broken("the hints have ended".to_owned())))
    }
}

async fn hint(engine: &Engine, released: &[Released]) -> sqlx::Result<Vec<Answer<()>>> {
    let mut tx = engine.pool.begin().await?;
    let ids: HashSet<&str> = released.iter().map(|one| one.schedule_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let known = schedules::find_all(&mut *tx, &engine.tenant, &ids).await?;
    let known: HashSet<&str> = known.iter().map(|schedule| schedule.id.as_str()).collect();
    let is_known = |one: &&Released| known.contains(one.schedule_id.as_str());
    let signal = |one: &Released| freed(&one.schedule_id, format!("release:{}", one.event_id), "ownSite");
    let mut hints: Vec<&Released> = released.iter().filter(is_known).collect();
    // In one order in every process, since what is kept for a hand-out that there is not yet is written in it.
    hints.sort_by(|one, other| (&one.schedule_id, &one.event_id).cmp(&(&other.schedule_id, &other.event_id)));
    let hints: Vec<Outgoing> = hints.into_iter().map(signal).collect();
    store::signal::hint(&mut tx, &engine.tenant, &hints).await?;
    tx.commit().await?;
    engine.hint();
    let came = |one: &Released| if is_known(&one) { Ok(()) } else { Err(Refusal::UnknownSchedule.into()) };
    Ok(released.iter().map(came).collect())
}

/// The hint that a place of this schedule may be free.
pub(super) fn freed(schedule_id: &str, id: String, source: &str) -> Outgoing {
    Outgoing {
        to: To::Key { workflow: SlotRelease::NAME, key: schedule_id.to_owned() },
        name: "Freed".into(),
        id,
        payload: json!({ "source": source }),
    }
}
