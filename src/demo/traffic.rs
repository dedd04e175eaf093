//! Does what the agenda says, at its instant and many things at once: over the API as the hospital's backend services
//! do, at HIS as other patients and the hospital do.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::agenda::{Act, Agenda};
use super::api::{Api, Told};
use super::plan::{Application, Plan};
use super::setting::REQUESTS_MAX;
use super::world::World;
use super::{Script, Stage};
use crate::sandbox::his::channel;

/// Who confirms looks at the answer so long (real time); the confirmation counts all the same.
const CONFIRM_PATIENCE: Duration = Duration::from_millis(150);

/// What the callers were told.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Requests to apply.
    pub(super) applied: u32,
    /// New applications.
    pub(super) admitted: u32,
    /// The same key again, answered with the same application.
    pub(super) repeated: u32,
    /// Refusals by code.
    pub(super) refused: BTreeMap<String, u32>,
    /// Later answers that were refused (too late to confirm, nothing to withdraw …), by code.
    pub(super) too_late: BTreeMap<String, u32>,
    /// Ordinary bookings cancelled, places added: what came free at HIS by the world's doing.
    pub(super) freed_by_world: u32,
    /// Places that 114 took.
    pub(super) grabbed: u32,
    /// `PleaseConfirm` messages that reached somebody.
    pub(super) offers_heard: u32,
    /// `Booked` messages that reached somebody.
    pub(super) bookings_heard: u32,
}

/// A play under way.
pub(super) struct Play<'a> {
    pub(super) stage: &'a Stage,
    pub(super) script: &'a Script,
    pub(super) begins: DateTime<Utc>,
    pub(super) ends: DateTime<Utc>,
    pub(super) agenda: Agenda,
    /// How many messages were read.
    pub(super) read: usize,
    world: &'a World,
    api: &'a Api,
    applications: Vec<Application>,
    known: Mutex<Known>,
    tally: Mutex<Tally>,
}

/// Which application is which.
#[derive(Default)]
struct Known {
    entries: HashMap<usize, Uuid>,
    applications: HashMap<Uuid, usize>,
}

impl<'a> Play<'a> {
    pub(super) fn new(stage: &'a Stage, script: &'a Script, world: &'a World, api: &'a Api, plan: Plan) -> Self {
        Self {
            stage,
            script,
            begins: plan.begins,
            ends: plan.ends,
            agenda: plan.agenda,
            read: 0,
            world,
            api,
            applications: plan.applications,
            known: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.count().clone()
    }

    pub(super) fn count(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application behind a `waitlistId`, and its number.
    pub(super) fn application(&self, entry: Uuid) -> Option<(usize, &Application)> {
        let nth = self.known().applications.get(&entry).copied()?;
        Some((nth, self.applications.get(nth)?))
    }

    /// Lets happen all that is due: the agenda and what the sandbox does by itself, all at once.
    pub(super) async fn perform(&mut self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let due = self.agenda.due(now);
        let play = &*self;
        let acts = async {
            let mut acts = futures::stream::iter(due).map(|act| play.act(act)).buffer_unordered(REQUESTS_MAX);
            while let Some(done) = acts.next().await {
                done?;
            }
            anyhow::Ok(())
        };
        let (acted, pushed, _) = tokio::join!(acts, play.stage.his.run_due(now), play.stage.pay.run_due(now));
        acted?;
        pushed.map(drop)
    }

    async fn act(&self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Apply(nth) => self.apply(nth).await,
            Act::Withdraw(nth) => self.withdraw(nth).await,
            Act::Cancel { schedule, nth, channel, push, own_site, rival } => {
                self.cancel(schedule, nth, channel, push, own_site).await?;
                if rival {
                    self.grab(schedule).await?;
                }
            }
            Act::Grab(schedule) => self.grab(schedule).await?,
            Act::AddPlaces { schedule, places } => {
                let Some(reg_id) = self.reg_id(schedule) else { return Ok(()) };
                let added = self.stage.his.add_places(reg_id, places).await?;
                self.count().freed_by_world += if added { places } else { 0 };
            }
            Act::Stop(schedule) => {
                let Some(reg_id) = self.reg_id(schedule) else { return Ok(()) };
                self.stage.his.stop_schedule(reg_id).await?;
            }
            Act::Confirm { entry, nth } => {
                let (path, key) = (format!("/v1/waitlist/{entry}/confirm"), format!("confirm-{entry}-{nth}"));
                self.answered(self.api.post_briefly(&path, &key, CONFIRM_PATIENCE).await);
            }
            Act::Decline { entry, nth } => {
                let (path, key) = (format!("/v1/waitlist/{entry}/decline"), format!("decline-{entry}-{nth}"));
                self.answered(self.api.post(&path, &key, &json!({})).await);
            }
            Act::CancelVisit { entry, patient_id } => self.cancel_visit(entry, &patient_id).await,
        }
        Ok(())
    }

    /// A patient of 114 takes what is free, if anything is.
    async fn grab(&self, schedule: usize) -> anyhow::Result<()> {
        let Some(reg_id) = self.reg_id(schedule) else { return Ok(()) };
        let got = self.stage.his.grab(reg_id, channel::PLATFORM_114).await?;
        self.count().grabbed += u32::from(got);
        Ok(())
    }

    fn reg_id(&self, schedule: usize) -> Option<&str> {
        self.world.schedules.get(schedule).map(|it| it.reg_id.as_str())
    }

    async fn apply(&self, nth: usize) {
        let Some(Application { key, patient_id, reg_id }) = self.applications.get(nth) else { return };
        let body = json!({ "scheduleId": reg_id, "patientId": patient_id });
        let told = self.api.post("/v1/waitlist", key, &body).await;
        self.count().applied += 1;
        match told {
            Told::Done(entry) => {
                let Some(id) = id_of(&entry, "waitlistId") else { return };
                let new = {
                    let mut known = self.known();
                    known.entries.insert(nth, id);
                    known.applications.insert(id, nth).is_none()
                };
                let mut tally = self.count();
                if new { tally.admitted += 1 } else { tally.repeated += 1 }
            }
            Told::Refused(code) => *self.count().refused.entry(code).or_default() += 1,
            Told::Silence | Told::Trouble => {}
        }
    }

    async fn withdraw(&self, nth: usize) {
        let Some(entry) = self.known().entries.get(&nth).copied() else { return };
        self.answered(self.api.delete(&format!("/v1/waitlist/{entry}")).await);
    }

    /// A patient of any channel cancels an ordinary booking. On our own site the website tells Houbu at once (R13).
    async fn cancel(&self, schedule: usize, nth: u64, channel: &str, push: bool, own_site: bool) -> anyhow::Result<()> {
        let Some(reg_id) = self.reg_id(schedule) else { return Ok(()) };
        let Some(place) = self.stage.his.cancel_ordinary(reg_id, nth, channel, push).await? else { return Ok(()) };
        self.count().freed_by_world += 1;
        if own_site {
            let body = json!({ "eventId": place.event_id, "slot": place.slot });
            let path = format!("/v1/schedules/{reg_id}/releases");
            self.answered(self.api.post(&path, &place.event_id, &body).await);
        }
        Ok(())
    }

    async fn cancel_visit(&self, entry: Uuid, patient_id: &str) {
        let Told::Done(answer) = self.api.get(&format!("/v1/appointments?patientId={patient_id}")).await else {
            return;
        };
        let all = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let booked = all.iter().find(|it| id_of(it, "waitlistId") == Some(entry));
        if let Some(id) = booked.and_then(|it| it.get("appointmentId")).and_then(Value::as_str) {
            self.answered(self.api.delete(&format!("/v1/appointments/{id}")).await);
        }
    }

    fn answered(&self, told: Told) {
        if let Told::Refused(code) = told {
            *self.count().too_late.entry(code).or_default() += 1;
        }
    }
}

fn id_of(value: &Value, field: &str) -> Option<Uuid> {
    value.get(field)?.as_str()?.parse().ok()
}
