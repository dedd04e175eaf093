//! The texts of notices (R23): stored as versions, taken back, and looked at before anybody gets them. A change counts for
//! whatever is sent from then on, in every process.
//!
//! The functions are for terminals too, which have no desk.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Value, json};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit;
use crate::ports::his::TimeSlot;
use crate::records::templates::{self, EVERY_CAMPUS, Ground, New, Numbered, Version};
use crate::waitlist::money::Fen;
use crate::waitlist::notice::{NoticeFacts, NoticeKind};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::template::{Flaw, Template, TemplateName, letters_max, sample_facts};
use crate::workflows::reading::in_words;
use crate::workflows::texts::built_in;

/// A text in force, and where it comes from.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Which notices it is for.
    pub name: TemplateName,
    /// What is said.
    pub text: Template,
    /// The stored version; none: it is the built-in one.
    pub version: Option<Version>,
}

/// What would be looked at.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// As at this campus; without it the application's, or the hospital's.
    pub campus_id: Option<String>,
    /// With this application's facts; without it with made-up ones.
    pub entry: Option<Uuid>,
    /// This text instead of the one in force.
    pub draft: Option<Template>,
}

/// What would be sent, one a notice that the text is for.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The platform's id of the template.
    pub template_id: String,
    /// Who would get it, masked; where it is written for an application.
    pub receiver: Option<Receiver>,
    /// One a notice.
    pub shown: Vec<Shown>,
}

/// Who would get a notice: nothing that is not masked.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Our id.
    pub patient_id: String,
    /// The phone, masked.
    pub phone: Option<String>,
}

/// A notice as it would be sent.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which notice.
    pub kind: NoticeKind,
    /// Key, value and the most letters of the key.
    pub fields: Vec<(String, String, Option<usize>)>,
    /// The SMS in its place.
    pub sms: Option<String>,
}

/// The text in force at a campus, or for the hospital.
pub async fn in_force(
    db: impl PgExecutor<'_>,
    hospital: &str,
    ids: &BTreeMap<String, String>,
    name: TemplateName,
    campus_id: Option<&str>,
) -> sqlx::Result<InForce> {
    let version = templates::in_force(db, hospital, name.as_str(), campus_id.unwrap_or(EVERY_CAMPUS)).await?;
    let stored = version.as_ref().and_then(|version| version.body.as_ref()).map(|body| body.0.clone());
    Ok(InForce { name, text: stored.unwrap_or_else(|| built_in(ids, name)), version })
}

/// All texts in force: the hospital's, each followed by those of campuses that have their own.
pub async fn all_in_force(pool: &PgPool, hospital: &str, ids: &BTreeMap<String, String>) -> sqlx::Result<Vec<InForce>> {
    let own = templates::campuses(pool, hospital).await?;
    let mut all = Vec::with_capacity(TemplateName::ALL.len() + own.len());
    for name in TemplateName::ALL {
        all.push(in_force(pool, hospital, ids, name, None).await?);
        for (_, campus) in own.iter().filter(|(of, _)| of == name.as_str()) {
            all.push(in_force(pool, hospital, ids, name, Some(campus)).await?);
        }
    }
    Ok(all)
}

/// What would be sent with the text in force, or with a draft, which may have flaws. Nothing is sent.
pub async fn preview(
    pool: &PgPool,
    hospital: &str,
    tz: Tz,
    ids: &BTreeMap<String, String>,
    name: TemplateName,
    look: &Look,
) -> Answer<Preview> {
    let ground = match look.entry {
        Some(entry) => Some(templates::ground(pool, hospital, entry).await?.ok_or(Refusal::NotFound)?),
        None => None,
    };
    let campus_id = look.campus_id.as_deref().or(ground.as_ref().map(|ground| ground.campus_id.as_str()));
    let text = match &look.draft {
        Some(draft) => draft.clone(),
        None => in_force(pool, hospital, ids, name, campus_id).await?.text,
    };
    let shown = name.kinds().into_iter().map(|kind| {
        let facts = ground.as_ref().map_or_else(|| sample_facts(kind), |ground| facts(ground, tz));
        let fields = text.render(kind, &facts).into_iter();
        let fields = fields.map(|(key, value)| {
            let most = letters_max(&key);
            (key, value, most)
        });
        Shown { kind, fields: fields.collect(), sms: text.render_sms(kind, &facts) }
    });
    let shown = shown.collect();
    let receiver = ground.as_ref().map(|ground| Receiver {
        patient_id: ground.patient_id.clone(),
        phone: ground.masked.get("phone").and_then(Value::as_str).map(str::to_owned),
    });
    Ok(Preview { template_id: text.template_id, receiver, shown })
}

fn facts(ground: &Ground, tz: Tz) -> NoticeFacts<'_> {
    let slot: Option<TimeSlot> = ground.slot.clone().and_then(|slot| serde_json::from_value(slot).ok());
    NoticeFacts {
        doctor_name: &ground.visit.doctor_name,
        visit_date: ground.visit.visit_date,
        part_of_day: in_words(ground.visit.part),
        begins: slot.map(|slot| slot.begins),
        place: ground.place.as_deref(),
        deadline: Some(ground.deadline),
        amount: Some(Fen(ground.amount_fen)),
        tz,
    }
}

impl Desk {
    /// The text in force for a campus, or for the hospital; [`Refusal::NotFound`] where there is no such campus.
    pub async fn template(&self, name: TemplateName, campus_id: Option<&str>) -> Answer<InForce> {
        self.campus(campus_id).await?;
        Ok(in_force(&self.engine.pool, self.hospital(), &self.ports.template_ids, name, campus_id).await?)
    }

    /// All of the hospital's, and those of campuses that have their own.
    pub async fn templates(&self) -> Answer<Vec<InForce>> {
        Ok(all_in_force(&self.engine.pool, self.hospital(), &self.ports.template_ids).await?)
    }

    /// Everything that is wrong with a text here, channels that are not configured included.
    pub fn flaws(&self, name: TemplateName, text: &Template) -> Vec<Flaw> {
        let mut flaws = text.flaws(name);
        flaws.extend(text.closed_channels(&self.ports.routes));
        flaws
    }

    /// Stores a new version; [`DeskError::Flawed`] with all that is wrong with it. `replaces`: the version that the caller has
    /// seen, 0 for none; [`DeskError::TemplateChanged`] where there is a newer one.
    pub async fn put_template(
        &self,
        name: TemplateName,
        campus_id: Option<&str>,
        text: &Template,
        replaces: Option<i32>,
        by: &By,
    ) -> Answer<InForce> {
        self.campus(campus_id).await?;
        let flaws = self.flaws(name, text);
        if !flaws.is_empty() {
            return Err(DeskError::Flawed(flaws));
        }
        let version = self.add_version(name, campus_id, Some(text), replaces, by).await?;
        Ok(InForce { name, text: text.clone(), version: Some(version) })
    }

    /// Takes a stored text back: what stands above it counts again. [`Refusal::NotFound`] where none is stored.
    pub async fn take_template_back(&self, name: TemplateName, campus_id: Option<&str>, by: &By) -> Answer<InForce> {
        let stored = self.template(name, campus_id).await?.version;
        if stored.is_none_or(|stored| stored.campus_id != campus_id.unwrap_or(EVERY_CAMPUS)) {
            return Err(Refusal::NotFound.into());
        }
        self.add_version(name, campus_id, None, None, by).await?;
        self.template(name, campus_id).await
    }

    /// The versions of a campus's text, or of the hospital's, newest first.
    pub async fn template_versions(
        &self,
        name: TemplateName,
        campus_id: Option<&str>,
        before: Option<i32>,
        most: i64,
    ) -> Answer<Vec<Version>> {
        self.campus(campus_id).await?;
        let campus_id = campus_id.unwrap_or(EVERY_CAMPUS);
        Ok(templates::versions(&self.engine.pool, self.hospital(), name.as_str(), campus_id, before, most).await?)
    }

    /// What would be sent. Nothing is.
    pub async fn preview_template(&self, name: TemplateName, look: &Look) -> Answer<Preview> {
        self.campus(look.campus_id.as_deref()).await?;
        let ports = &self.ports;
        preview(&self.engine.pool, self.hospital(), ports.tz, &ports.template_ids, name, look).await
    }

    async fn campus(&self, campus_id: Option<&str>) -> Answer<()> {
        match campus_id {
            Some(id) if !templates::is_campus(&self.engine.pool, self.hospital(), id).await? => {
                Err(Refusal::NotFound.into())
            }
            _ => Ok(()),
        }
    }

    async fn add_version(
        &self,
        name: TemplateName,
        campus_id: Option<&str>,
        body: Option<&Template>,
        replaces: Option<i32>,
        by: &By,
    ) -> Answer<Version> {
        let campus_id = campus_id.unwrap_or(EVERY_CAMPUS);
        let mut tx = self.begin().await?;
        let newest = templates::hold(&mut tx, self.hospital(), name.as_str(), campus_id).await?;
        if replaces.is_some_and(|seen| seen != newest) {
            return Err(DeskError::TemplateChanged(newest));
        }
        let which = Numbered { campus_id: campus_id.to_owned(), version: newest + 1 };
        let new = New { which: &which, body, who: &by.who, reason: &by.reason };
        let version = templates::add(&mut *tx, self.hospital(), name.as_str(), &new).await?;
        let of = |version: i32| json!({ "template": name.as_str(), "campusId": campus_id, "version": version });
        let verb = if body.is_some() { "template.put" } else { "template.withdraw" };
        let deed = by.deed(verb, of(newest), of(which.version));
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        Ok(version)
    }
}
