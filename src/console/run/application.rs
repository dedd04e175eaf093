//! The application behind a run, where it is one: who waits for what, and what was paid.

use super::super::page::Not;
use super::super::row::{Chip, slot, yuan};
use super::super::when::{Clock, Stamp};
use super::super::words::names;
use crate::desk::why::standing;
use crate::engine::inspect::Seen;
use crate::http::Surface;
use crate::records::schedules::name_of;
use crate::waitlist::status::EntryStatus;
use crate::workflows::waitlist_application::WaitlistApplication;
use serde_json::Value;

/// An application, ready for the page.
pub(super) struct Application {
    pub(super) status: Chip,
    /// Where it stands, as a sentence.
    pub(super) standing: Option<String>,
    pub(super) patient_id: String,
    pub(super) patient: String,
    pub(super) schedule_id: String,
    pub(super) doctor: String,
    pub(super) visit: String,
    pub(super) position: Option<i64>,
    pub(super) cutoff: Stamp,
    pub(super) deadline: Option<Stamp>,
    pub(super) slot: String,
    pub(super) mode: String,
    pub(super) fee: String,
    pub(super) paid: String,
    pub(super) refunded: String,
    pub(super) trade_no: String,
    pub(super) order: String,
    pub(super) reason: String,
}

impl Application {
    /// The application of a run; none where it is a run of another workflow. Of one that stands still its run says why.
    pub(super) async fn find(
        surface: &Surface,
        seen: &Seen,
        stands_still: bool,
        clock: &Clock,
    ) -> Result<Option<Self>, Not> {
        if seen.workflow != WaitlistApplication::NAME {
            return Ok(None);
        }
        let desk = &surface.desk;
        let Ok(entry) = desk.entry(seen.id).await else { return Ok(None) };
        let entry = entry.shown;
        let listed = desk.queue_of(&entry.schedule_id).await.ok();
        // A person who was forgotten has no name any more.
        let masked = desk.patient(&entry.patient_id).await.unwrap_or_default();
        let text = |name: &str| {
            let found = entry.payment.as_ref().and_then(|payment| payment.get(name));
            found.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fen = |name: &str| {
            let found = entry.payment.as_ref().and_then(|payment| payment.get(name)).and_then(Value::as_i64);
            found.map(yuan).unwrap_or_default()
        };
        let department = listed.as_ref().map(|one| one.schedule.department_id.as_str()).unwrap_or_default();
        let barred =
            entry.status == EntryStatus::Waiting.as_str() && desk.barred(&entry.patient_id, department).await?;
        Ok(Some(Self {
            standing: (!stands_still).then(|| standing(&entry, barred, clock.now, clock.language, clock.tz)).flatten(),
            status: Chip::of(&entry.status, clock.language),
            patient: masked.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            doctor: listed.as_ref().map(|one| one.schedule.doctor_name.clone()).unwrap_or_default(),
            visit: listed
                .map(|one| {
                    let part = names::thing(&name_of(&one.schedule.part), clock.language);
                    format!("{} {part}", clock.day(one.schedule.visit_date))
                })
                .unwrap_or_default(),
            position: entry.position,
            cutoff: clock.stamp(entry.cutoff),
            deadline: entry.deadline.map(|at| clock.stamp(at)),
            slot: slot(entry.slot.as_ref()),
            mode: names::thing(&entry.payment_mode, clock.language),
            fee: yuan(entry.fee_fen),
            paid: fen("paidFen"),
            refunded: fen("refundedFen"),
            trade_no: text("outTradeNo"),
            order: entry.order_id.unwrap_or_default(),
            reason: entry.reason.map(|reason| names::state(&reason, clock.language)).unwrap_or_default(),
            patient_id: entry.patient_id,
            schedule_id: entry.schedule_id,
        }))
    }
}
