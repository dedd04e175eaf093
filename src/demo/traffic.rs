//! Does what the agenda says, at its instant and many things at once: over the API as the hospital's backend services
//! do, at HIS as other patients and the hospital do.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::agenda::{Act, Agenda, Answer, Application, Terms};
use super::api::{Api, Told};
use super::deeds::Notes;
use super::held::{Count, Held};
use super::plan::Plan;
use super::setting::REQUESTS_MAX;
use super::world::World;
use super::{Script, Stage};
use crate::sandbox::his::channel;

/// Who confirms looks at the answer so long (real time); the confirmation counts all the same.
const CONFIRM_PATIENCE: Duration = Duration::from_millis(150);
/// Who is answered after this has been made to wait (real time).
const LATE: Duration = Duration::from_millis(900);

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
    /// What the script saw of what a day has to hold.
    pub(super) held: Count,
    /// What was answered otherwise than it must be.
    pub(super) faults: Vec<String>,
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
    pub(super) world: &'a World,
    pub(super) api: &'a Api,
    pub(super) applications: Vec<Application>,
    known: Mutex<Known>,
    notes: Mutex<Notes>,
    tally: Mutex<Tally>,
}

/// An application as it is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    schedule_id: &'a str,
    patient_id: &'a str,
    #[serde(flatten)]
    terms: &'a Terms,
}

/// Which application is which.
#[derive(Default)]
struct Known {
    entries: HashMap<usize, Uuid>,
    applications: HashMap<Uuid, usize>,
}

impl<'a> Play<'a> {
    /// A play from `begins` to `ends`, of nothing yet.
    pub(super) fn new(
        stage: &'a Stage,
        script: &'a Script,
        world: &'a World,
        api: &'a Api,
        (begins, ends): (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        Self {
            stage,
            script,
            begins,
            ends,
            agenda: Agenda::default(),
            read: 0,
            world,
            api,
            applications: Vec::new(),
            known: Mutex::default(),
            notes: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    /// Adds what a day brings.
    pub(super) fn plan(&mut self, plan: Plan) {
        self.applications.extend(plan.applications);
        self.agenda.take(plan.agenda);
    }

    pub(super) fn tally(&self) -> Tally {
        self.count().clone()
    }

    pub(super) fn count(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that the day has to hold.
    pub(super) fn saw(&self, held: Held) {
        *self.count().held.entry(held).or_default() += 1;
    }

    /// The same, if so.
    pub(super) fn saw_if(&self, held: Held, so: bool) {
        if so {
            self.saw(held);
        }
    }

    /// Something was answered otherwise than it must be.
    pub(super) fn fault(&self, what: String) {
        self.count().faults.push(what);
    }

    /// The `waitlistId` of an application, if it was admitted.
    pub(super) fn entry(&self, nth: usize) -> Option<Uuid> {
        self.known().entries.get(&nth).copied()
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
            let mut acts = futures::stream::iter(due).map(|act| play.act(act, now)).buffer_unordered(REQUESTS_MAX);
            while let Some(done) = acts.next().await {
                done?;
            }
            anyhow::Ok(())
        };
        let stage = play.stage;
        let (acted, pushed, ..) =
            tokio::join!(acts, stage.his.run_due(now), stage.pay.run_due(now), stage.messages.run_due(now));
        acted?;
        let later = std::mem::take(&mut self.notes().later);
        for (at, act) in later {
            self.agenda.put(at, act);
        }
        pushed.map(drop)
    }

    async fn act(&self, act: Act, now: DateTime<Utc>) -> anyhow::Result<()> {
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
            Act::Deed(deed) => self.deed(deed, now).await?,
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

    pub(super) fn reg_id(&self, schedule: usize) -> Option<&str> {
        self.world.schedules.get(schedule).map(|it| it.reg_id.as_str())
    }

    async fn apply(&self, nth: usize) {
        let Some(Application { key, patient_id, reg_id, terms, shows, .. }) = self.applications.get(nth) else {
            return;
        };
        let (body, asked) = (Body { schedule_id: reg_id, patient_id, terms }, Instant::now());
        let told = self.api.post("/v1/waitlist", key, &body).await;
        self.count().applied += 1;
        if let Some((answer, held)) = shows {
            let shown = match answer {
                Answer::Admitted => matches!(told, Told::Done(_)),
                Answer::Refused(code) => matches!(&told, Told::Refused(told) if told == code),
                Answer::Late => asked.elapsed() >= LATE,
            };
            self.saw_if(*held, shown);
        }
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
        let Some(entry) = self.entry(nth) else { return };
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

/// The id in a field of an answer.
pub(super) fn id_of(value: &Value, field: &str) -> Option<Uuid> {
    value.get(field)?.as_str()?.parse().ok()
}
