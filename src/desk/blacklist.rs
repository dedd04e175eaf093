//! Who may not join a queue for a while (R32), nor is offered anything in one that was joined before. Whoever has been
//! offered a place keeps it, and whoever waits keeps the turn until the cutoff, for the day that the entry is lifted.
//!
//! An entry is a person's of the staff, or follows from breaches by a rule. Whatever staff do here is audited.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::again::again;
use super::{Answer, Desk, DeskError};
use crate::engine::clock;
use crate::engine::staff::By;
use crate::engine::store::audit;
use crate::records::breaches::{self, Appeal, Breach};
use crate::records::patients::{self, Blacklisted};
use crate::waitlist::breach::{self, Event, Rule};
use crate::waitlist::refusal::Refusal;
use crate::workflows::breach_sync::weigh_person;

/// An appeal against an entry of the staff is decided within so many days (深圳: two working days).
const STAFF_APPEAL_DAYS: u32 = 2;

impl Desk {
    /// Blacklists a patient, or changes why and until when; [`Refusal::UnknownPatient`] where there is none.
    pub async fn put_blacklist(&self, patient_id: &str, entry: &Blacklisted, by: &By) -> Answer<()> {
        again(|| self.put_blacklist_once(patient_id, entry, by)).await
    }

    async fn put_blacklist_once(&self, patient_id: &str, entry: &Blacklisted, by: &By) -> Answer<()> {
        let mut tx = self.begin().await?;
        // A patient who is applying at this moment is decided before or after, never in between.
        if patients::lock_person(&mut *tx, self.hospital(), patient_id).await?.is_empty() {
            return Err(Refusal::UnknownPatient.into());
        }
        patients::blacklist(&mut *tx, self.hospital(), patient_id, entry).await?;
        let after = json!({ "patientId": patient_id, "until": entry.until });
        audit::write(&mut tx, self.hospital(), &by.deed("blacklist.put", json!({}), after)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The entry in force, or [`Refusal::NotFound`].
    pub async fn blacklisted(&self, patient_id: &str) -> Answer<Blacklisted> {
        let found = patients::blacklisted(&self.engine.pool, self.hospital(), &[patient_id.to_owned()]).await?;
        Ok(found.ok_or(Refusal::NotFound)?)
    }

    /// Lifts what keeps a patient out; what is not there is lifted already. Breaches that led to it count no more.
    pub async fn lift_blacklist(&self, patient_id: &str, by: &By) -> Answer<()> {
        again(|| self.lift_blacklist_once(patient_id, by)).await
    }

    async fn lift_blacklist_once(&self, patient_id: &str, by: &By) -> Answer<()> {
        let mut tx = self.begin().await?;
        self.lift(&mut tx, patient_id, by).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn lift(&self, conn: &mut PgConnection, patient_id: &str, by: &By) -> Answer<()> {
        // Under whichever id an entry stands, it keeps the person out (R4).
        let mut ids = patients::lock_person(&mut *conn, self.hospital(), patient_id).await?;
        if ids.is_empty() {
            ids.push(patient_id.to_owned());
        }
        patients::lift(&mut *conn, self.hospital(), &ids).await?;
        let mut excused = 0;
        if let Some(id_hash) = patients::hash_of(&mut *conn, self.hospital(), patient_id).await? {
            excused = breaches::excuse(&mut *conn, self.hospital(), &id_hash, &format!("lifted by {}", by.who)).await?;
            let now = clock::now(&mut *conn).await?;
            weigh_person(conn, self.hospital(), &id_hash, now, self.ports.tz).await?;
        }
        let after = json!({ "patientId": patient_id, "excusedBreaches": excused });
        Ok(audit::write(conn, self.hospital(), &by.deed("blacklist.lift", json!({}), after)).await?)
    }

    /// Every rule, by id.
    pub async fn blacklist_rules(&self) -> Answer<Vec<(String, Rule)>> {
        Ok(breaches::rules(&self.engine.pool, self.hospital()).await?)
    }

    /// Whom a rule would bar today: nothing is changed. The patients' ids.
    pub async fn rule_would_bar(&self, id: &str, rule: &Rule) -> Answer<Vec<String>> {
        rule.validate()?;
        let today = self.now().await?.with_timezone(&self.ports.tz).date_naive();
        // A penalty follows the last breach, and a window goes before it.
        let days = u64::from(rule.window_days.unwrap_or(366)) + u64::from(rule.penalty_days);
        let from = today.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN);
        let mut persons: HashMap<Vec<u8>, Vec<breach::Breach>> = HashMap::new();
        for (person, day, event, department_id) in breaches::counting(&self.engine.pool, self.hospital(), from).await? {
            let Some(event) = Event::parse(&event) else { continue };
            persons.entry(person).or_default().push(breach::Breach { day, event, department_id });
        }
        let rules = [(id.to_owned(), rule.clone())];
        persons.retain(|_, counted| !breach::penalties(&rules, counted, today).is_empty());
        let persons: Vec<Vec<u8>> = persons.into_keys().collect();
        Ok(breaches::accounts(&self.engine.pool, self.hospital(), &persons).await?)
    }

    /// Makes or replaces a rule. It counts for persons whose breaches are listed from then on.
    pub async fn put_blacklist_rule(&self, id: &str, rule: &Rule, by: &By) -> Answer<()> {
        rule.validate()?;
        let mut tx = self.begin().await?;
        breaches::put_rule(&mut *tx, self.hospital(), id, rule).await?;
        audit::write(
            &mut tx,
            self.hospital(),
            &by.deed("blacklist.rule", json!({}), json!({ "ruleId": id, "rule": rule })),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes a rule; what follows from it alone is over.
    pub async fn remove_blacklist_rule(&self, id: &str, by: &By) -> Answer<()> {
        let mut tx = self.begin().await?;
        if !breaches::remove_rule(&mut tx, self.hospital(), id).await? {
            return Err(Refusal::NotFound.into());
        }
        audit::write(&mut tx, self.hospital(), &by.deed("blacklist.rule", json!({ "ruleId": id }), json!({}))).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A patient's breaches, under whichever account, newest first.
    pub async fn breaches(&self, patient_id: &str) -> Answer<Vec<Breach>> {
        let id_hash = patients::hash_of(&self.engine.pool, self.hospital(), patient_id).await?;
        let id_hash = id_hash.ok_or(Refusal::UnknownPatient)?;
        Ok(breaches::of_person(&self.engine.pool, self.hospital(), &id_hash).await?)
    }

    /// Opens a patient's appeal; one that stands open is answered.
    pub async fn appeal(&self, patient_id: &str, said: &str) -> Answer<Appeal> {
        again(|| self.appeal_once(patient_id, said)).await
    }

    async fn appeal_once(&self, patient_id: &str, said: &str) -> Answer<Appeal> {
        let mut tx = self.begin().await?;
        if patients::lock_person(&mut *tx, self.hospital(), patient_id).await?.is_empty() {
            return Err(Refusal::UnknownPatient.into());
        }
        let held = patients::rules_in_force(&mut *tx, self.hospital(), patient_id).await?;
        let rules = breaches::rules(&mut *tx, self.hospital()).await?;
        let days = held.iter().filter_map(|rule_id| {
            let by_rule = rules.iter().find(|(id, _)| rule_id == id || rule_id.starts_with(&format!("{id}/")));
            by_rule.map_or(Some(STAFF_APPEAL_DAYS), |(_, rule)| rule.appeal_days)
        });
        let due_days = days.min().ok_or(DeskError::NoAppeal)?;
        let due_days = i32::try_from(due_days).unwrap_or(i32::MAX);
        let appeal = breaches::appeal(&mut tx, self.hospital(), patient_id, said, due_days).await?;
        tx.commit().await?;
        Ok(appeal)
    }

    /// Appeals of a state, newest first.
    pub async fn appeals(&self, state: &str, before: Option<Uuid>, most: i64) -> Answer<Vec<Appeal>> {
        Ok(breaches::appeals(&self.engine.pool, self.hospital(), state, before, most).await?)
    }

    /// Decides an appeal; granting it lifts what keeps the patient out.
    pub async fn decide_appeal(&self, id: Uuid, granted: bool, by: &By) -> Answer<Appeal> {
        again(|| self.decide_appeal_once(id, granted, by)).await
    }

    async fn decide_appeal_once(&self, id: Uuid, granted: bool, by: &By) -> Answer<Appeal> {
        let mut tx = self.begin().await?;
        let appeal = breaches::hold_appeal(&mut *tx, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
        if appeal.state != "open" {
            return Err(DeskError::AppealDecided);
        }
        let (state, verb) = if granted { ("granted", "appeal.granted") } else { ("refused", "appeal.refused") };
        if granted {
            self.lift(&mut tx, &appeal.patient_id, by).await?;
        }
        let (who, why) = (&by.who, &by.reason);
        let decided = breaches::decide_appeal(&mut *tx, self.hospital(), id, state, who, why).await?;
        let before = json!({ "appealId": id, "patientId": appeal.patient_id, "openedAt": appeal.opened_at });
        audit::write(&mut tx, self.hospital(), &by.deed(verb, before, json!({ "appealId": id, "state": state })))
            .await?;
        tx.commit().await?;
        Ok(decided)
    }
}
