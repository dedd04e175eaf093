//! Reconciliation as staff see it (R36): which days were compared, which differences stand open, and that one is resolved,
//! by whom and why. Nothing here corrects a book.

use chrono::NaiveDate;
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::store::Started;
use crate::engine::store::audit::{self, Deed};
use crate::engine::{Engine, clock, staff::By};
use crate::records::reconciliation::cases::{self, Case, Wanted};
use crate::records::reconciliation::{self, Reconciliation};
use crate::waitlist::refusal::Refusal;
use crate::workflows;

/// Reconciliations that are shown.
const SHOWN: i64 = 100;

impl Desk {
    /// The latest reconciliations, newest first.
    pub async fn reconciliations(&self) -> Answer<Vec<Reconciliation>> {
        Ok(reconciliation::list(&self.engine.pool, self.hospital(), SHOWN).await?)
    }

    /// Cases, newest first.
    pub async fn cases(&self, wanted: &Wanted) -> Answer<Vec<Case>> {
        Ok(cases::list(&self.engine.pool, self.hospital(), wanted).await?)
    }

    /// One case.
    pub async fn case(&self, id: Uuid) -> Answer<Case> {
        Ok(cases::find(&self.engine.pool, self.hospital(), id).await?.ok_or(Refusal::NotFound)?)
    }

    /// A person has settled a difference.
    pub async fn resolve_case(&self, id: Uuid, by: &By) -> Answer<Case> {
        resolve(&self.engine, id, by).await
    }

    /// Reconciles a day now.
    pub async fn reconcile(&self, day: NaiveDate, by: &By, request: Option<&str>) -> Answer<Started> {
        let today = self.now().await?.with_timezone(&self.ports.tz).date_naive();
        reconcile(&self.engine, today, day, by, request).await
    }
}

/// Resolves a case, once, with its reason; the audit knows of it.
pub async fn resolve(engine: &Engine, id: Uuid, by: &By) -> Answer<Case> {
    let mut tx = engine.pool.begin().await?;
    let case = cases::hold(&mut *tx, &engine.tenant, id).await?.ok_or(Refusal::NotFound)?;
    if case.state == "resolved" {
        return Err(DeskError::CaseResolved);
    }
    cases::resolve(&mut *tx, &engine.tenant, id, &by.who, &by.reason).await?;
    let deed = Deed {
        who: &by.who,
        verb: "case.resolve",
        run: Some(case.entry_id),
        job: None,
        reason: &by.reason,
        before: json!({
            "caseId": id, "kind": case.kind, "subject": case.subject, "state": case.state,
            "oursFen": case.ours_fen, "theirsFen": case.theirs_fen,
        }),
        after: json!({ "caseId": id, "state": "resolved" }),
        bulk: None,
    };
    audit::write(&mut tx, &engine.tenant, &deed).await?;
    let case = cases::find(&mut *tx, &engine.tenant, id).await?.ok_or(Refusal::NotFound)?;
    tx.commit().await?;
    Ok(case)
}

/// Reconciles a day that is over. The same person's same `request` is one run.
pub async fn reconcile(
    engine: &Engine,
    today: NaiveDate,
    day: NaiveDate,
    by: &By,
    request: Option<&str>,
) -> Answer<Started> {
    if day >= today {
        return Err(DeskError::Unfit(
            "当日结束后才能对账，请选择更早的日期。",
            "A day is reconciled when it is over: choose an earlier one.",
        ));
    }
    let name = match request {
        Some(request) => format!("{}:{request}", by.who),
        None => clock::now(&engine.pool).await?.to_rfc3339(),
    };
    let new = workflows::reconciliation::new_run(format!("reconciliation!{name}/{day}"), day)?;
    let run = new.id;
    let started = engine.start_run(new).await?;
    tracing::info!(%run, %day, who = by.who, "a reconciliation by hand");
    Ok(started)
}
