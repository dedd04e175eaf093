//! Floor 3, the shop window: one folder a workflow, mounted here.
//!
//! A workflow's `mod.rs` is its table of steps; the files beside it are its steps; `chart.md` is drawn from the table.

pub mod breach_sync;
pub mod changes;
pub mod notices;
pub mod reading;
pub mod reconciliation;
pub mod schedule_sync;
pub mod slot_release;
pub mod texts;
pub mod waitlist_application;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use sqlx::PgPool;

use crate::engine::cron::{Cron, CronError};
use crate::engine::flow::Flow;
use crate::engine::jobs::Job;
use crate::engine::{Fault, Registry, Table, limits};
use crate::ports::his::{His, Identity};
use crate::ports::messages::sms::Sms;
use crate::ports::payments::Payments;
use crate::records::patients::{self, Person};
use crate::waitlist::cipher::{Keyring, LookupKey, Sealed};
use crate::waitlist::route::Routes;
use crate::waitlist::working_days::WorkingDays;

/// What the steps of all workflows may call.
pub struct Ports {
    /// The hospital that all rows belong to.
    pub hospital: String,
    /// Its time zone.
    pub tz: Tz,
    /// How many days ahead its schedules are kept in step with HIS.
    pub schedule_days_ahead: u16,
    /// Its holidays and 调休.
    pub working_days: WorkingDays,
    /// Our own tables.
    pub pool: PgPool,
    /// Opens personal data for a call.
    pub keyring: Keyring,
    /// Finds persons by the number of their document.
    pub lookup: Arc<LookupKey>,
    /// The hospital information system.
    pub his: Arc<dyn His>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// The message platform's template ids of the built-in texts, by our names; a name without one is its own id.
    pub template_ids: BTreeMap<String, String>,
    /// By which channels notices go.
    pub routes: Routes,
    /// The SMS gateway, where there is one.
    pub sms: Option<Arc<dyn Sms>>,
}

impl Ports {
    /// Opens a patient's personal data for one call.
    pub async fn person(&self, patient_id: &str) -> Result<Person, Fault> {
        let patient = patients::find(&self.pool, &self.hospital, patient_id)
            .await
            .map_err(unread)?
            .ok_or_else(|| unknown_patient(patient_id))?;
        self.open(&patient)
    }

    /// Opens what is sealed of a patient.
    pub fn open(&self, patient: &patients::Patient) -> Result<Person, Fault> {
        use secrecy::ExposeSecret;
        let plain = self
            .keyring
            .open(&patient.id, &Sealed::from_bytes(patient.sealed.clone()))
            .map_err(|error| Fault::Stop(format!("the patient {} cannot be opened: {error}", patient.id)))?;
        serde_json::from_str(plain.expose_secret())
            .map_err(|_| Fault::Stop(format!("what is sealed for the patient {} cannot be read", patient.id)))
    }

    /// The same in HIS's words.
    pub async fn identity(&self, patient_id: &str) -> Result<Identity, Fault> {
        let Person { name, id_type, id_number, phone, .. } = self.person(patient_id).await?;
        Ok(Identity { id_type, id_number, name, phone })
    }
}

fn unknown_patient(patient_id: &str) -> Fault {
    Fault::Stop(format!("the patient {patient_id} is not known any more"))
}

/// A failed statement of ours is tried again: the database comes back. It says nothing of whom the step would call.
pub(crate) fn unread(error: impl std::fmt::Display) -> Fault {
    limits::nobody_called();
    Fault::Retry(format!("our own tables could not be read: {error}"))
}

/// Every workflow of this program.
pub fn registry(ports: &Arc<Ports>) -> Registry {
    Registry::default()
        .with::<waitlist_application::WaitlistApplication>(Arc::clone(ports))
        .with::<slot_release::SlotRelease>(Arc::clone(ports))
        .with::<schedule_sync::ScheduleSync>(Arc::clone(ports))
        .with::<reconciliation::Reconciliation>(Arc::clone(ports))
        .with::<breach_sync::BreachSync>(Arc::clone(ports))
}

/// The same with nobody to call, for a process that looks at runs and does verbs, and never works.
pub fn registry_of_nobody() -> Registry {
    Registry::default()
        .with_nobody::<waitlist_application::WaitlistApplication>()
        .with_nobody::<slot_release::SlotRelease>()
        .with_nobody::<schedule_sync::ScheduleSync>()
        .with_nobody::<reconciliation::Reconciliation>()
        .with_nobody::<breach_sync::BreachSync>()
}

/// When each job ticks: cron expressions of five fields in the hospital's zone.
#[derive(Debug, Clone, Copy)]
pub struct Ticks<'a> {
    /// When schedules are pulled from HIS.
    pub schedule_sync: &'a str,
    /// When the day before is reconciled.
    pub reconciliation: &'a str,
    /// When breaches are pulled from HIS.
    pub breach_sync: &'a str,
}

/// What this program starts by the clock; a job without ticks is none.
pub fn jobs(ticks: &Ticks<'_>, tz: Tz) -> Result<Vec<Job>, CronError> {
    let cron = |ticks: &str| if ticks.trim().is_empty() { Ok(None) } else { Cron::new(ticks, tz).map(Some) };
    let jobs = [
        cron(ticks.schedule_sync)?.map(schedule_sync::job),
        cron(ticks.reconciliation)?.map(|cron| reconciliation::job(cron, tz)),
        cron(ticks.breach_sync)?.map(|cron| breach_sync::job(cron, tz)),
    ];
    Ok(jobs.into_iter().flatten().collect())
}

/// The tables of every workflow, without ports: for the proof and the chart.
pub fn tables() -> Vec<Table> {
    vec![
        waitlist_application::WaitlistApplication::TABLE,
        slot_release::SlotRelease::TABLE,
        schedule_sync::ScheduleSync::TABLE,
        reconciliation::Reconciliation::TABLE,
        breach_sync::BreachSync::TABLE,
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_ticks_is_none() {
        let named = |ticks: &Ticks<'_>| -> Vec<&'static str> {
            jobs(ticks, chrono_tz::Asia::Shanghai).unwrap().iter().map(|job| job.name).collect()
        };
        let ticks = Ticks { schedule_sync: "*/15 * * * *", reconciliation: "30 10 * * *", breach_sync: "20 5 * * *" };
        assert_eq!(named(&ticks), ["schedule_sync", "reconciliation", "breach_sync"]);
        assert_eq!(named(&Ticks { breach_sync: " ", reconciliation: "", ..ticks }), ["schedule_sync"]);
        assert!(jobs(&Ticks { breach_sync: "never", ..ticks }, chrono_tz::Asia::Shanghai).is_err());
    }
}
