//! `GET /audit`: what staff did, to whom or what, and why.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono_tz::Tz;
use futures::stream;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::changed;
use super::page::{Frame, PART, Page, ROWS, long_csv, query, show};
use super::row::{Pick, picks};
use super::when::{Clock, Stamp};
use super::words::audit::AuditWords;
use super::words::names;
use crate::desk::paging;
use crate::engine::store::audit::{Audited, Wanted as Filter};
use crate::http::Surface;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::waitlist::calendar::{day_begins, day_ends};
use crate::waitlist::language::Language;

/// Fields that name what a deed was done to, where it is no run, job or patient.
const ABOUT: [&str; 9] = ["user", "key", "destination", "view", "template", "bulk", "ruleId", "eventId", "id"];

/// A deed, ready for a page.
pub(super) struct DeedRow {
    pub(super) at: Stamp,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) why: String,
    pub(super) run: Option<Uuid>,
    /// The end of the run's id: its beginning is a time that many share.
    pub(super) short: String,
    pub(super) patient: String,
    pub(super) about: String,
    pub(super) change: Vec<(String, String, String)>,
}

/// A deed as its line.
pub(super) fn row(one: Audited, clock: &Clock) -> DeedRow {
    let of = |name: &str| {
        let found = one.before.get(name).or_else(|| one.after.get(name)).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    DeedRow {
        at: clock.stamp(one.at),
        what: names::verb(&one.verb, clock.language),
        run: one.run_id,
        short: one.run_id.map(|run| run.simple().to_string().split_off(20)).unwrap_or_default(),
        patient: of("patientId"),
        about: one.job.clone().unwrap_or_else(|| about(&one, of, clock.language)),
        change: changed::between(&one.before, &one.after, clock),
        who: one.who,
        why: one.reason,
    }
}

/// To what it was done: what it says of that, or the bulk itself.
fn about(one: &Audited, of: impl Fn(&str) -> String, language: Language) -> String {
    let said = ABOUT.iter().map(|name| (*name, of(name))).find(|(_, said)| !said.is_empty());
    let said = said.map(|(name, said)| match name {
        "template" => names::text(&said, language),
        "destination" => names::thing(&said, language),
        _ => said,
    });
    said.or_else(|| one.bulk.map(|bulk| bulk.to_string())).unwrap_or_default()
}

/// Which deeds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    who: String,
    verb: String,
    patient: String,
    from: String,
    to: String,
    cursor: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit<'a> {
    frame: Frame,
    w: &'static AuditWords,
    wanted: &'a Wanted,
    verbs: Vec<Pick>,
    rows: Vec<DeedRow>,
    csv: String,
    /// What is drawn anew: this very page of the list.
    live: String,
    older: Option<String>,
}

impl Wanted {
    /// The address of `path` with what is wanted, from this deed on.
    fn address(&self, path: &str, cursor: &str) -> String {
        let whose = [("who", self.who.as_str()), ("verb", &self.verb), ("patient", &self.patient)];
        let when = [("from", self.from.as_str()), ("to", &self.to), ("cursor", cursor)];
        format!("{path}{}", query(&[whose, when].concat()))
    }

    fn filter(&self, tz: Tz, most: i64) -> Filter {
        let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        Filter {
            who: some(&self.who),
            verb: some(&self.verb),
            patient: some(&self.patient),
            from: self.from.parse().ok().map(|day| day_begins(day, tz)),
            until: self.to.parse().ok().map(|day| day_ends(day, tz)),
            before: self.cursor,
            most,
            ..Filter::default()
        }
    }
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let mut found = surface.desk.audit(&wanted.filter(clock.tz, paging::asked(ROWS))).await?;
    let older = paging::cut(&mut found, ROWS).map(|last| last.id.to_string());
    let here = wanted.cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
    let page = Audit {
        frame: Frame::of(&staff, "audit"),
        w: AuditWords::of(staff.language),
        verbs: picks(names::verbs(), &wanted.verb, names::verb, staff.language),
        rows: found.into_iter().map(|one| row(one, &clock)).collect(),
        csv: wanted.address("/audit.csv", ""),
        live: wanted.address("/audit", &here),
        older: older.map(|cursor| wanted.address("/audit", &cursor)),
        wanted: &wanted,
    };
    show(&page)
}

pub(super) async fn file(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    staff.require_to(Permission::Export)?;
    let clock = Clock::of(&surface, staff.language).await?;
    let c = Frame::of(&staff, "audit").words;
    let w = AuditWords::of(staff.language);
    let head = [c.at, c.who, c.what, c.why, "run", c.patient, w.about, w.before, w.after];
    let parts = stream::unfold(Some(wanted.filter(clock.tz, PART)), move |next| {
        let surface = Arc::clone(&surface);
        async move {
            let filter = next?;
            let found = surface.desk.audit(&filter).await;
            let last = found.as_ref().ok().and_then(|found| found.last()).map(|last| last.id);
            let next = last.map(|last| Filter { before: Some(last), ..filter });
            Some((found.map(|found| lines(found, &clock)).map_err(Problem::from), next))
        }
    });
    long_csv("audit", &head, parts).await
}

/// Deeds as lines of a file.
fn lines(found: Vec<Audited>, clock: &Clock) -> Vec<Vec<String>> {
    let line = |one: Audited| {
        let (before, after) = (one.before.to_string(), one.after.to_string());
        let row = row(one, clock);
        let run = row.run.map(|run| run.to_string()).unwrap_or_default();
        vec![row.at.iso, row.who, row.what, row.why, run, row.patient, row.about, before, after]
    };
    found.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deed_names_whom_it_was_done_to() {
        let clock = Clock { now: Utc::now(), tz: chrono_tz::Asia::Shanghai, language: Language::En };
        let deed = |verb: &str, before: Value, after: Value, bulk: Option<Uuid>| {
            let (who, verb, reason) = ("anna".to_owned(), verb.to_owned(), String::new());
            let (id, at, run_id, job) = (Uuid::now_v7(), Utc::now(), None, None);
            row(Audited { id, at, who, verb, run_id, job, reason, before, after, bulk }, &clock).about
        };
        let role = |role: &str| json!({ "user": "bert", "role": role });
        assert_eq!(deed("user.role", role("viewer"), role("administrator"), None), "bert");
        assert_eq!(
            deed("key.revoke", json!({ "key": "backend", "scopes": [] }), json!({ "key": "backend" }), None),
            "backend"
        );
        let bulk = Uuid::now_v7();
        assert_eq!(
            deed("bulk.pause", json!({ "status": "running" }), json!({ "status": "paused" }), Some(bulk)),
            bulk.to_string()
        );
    }
}
