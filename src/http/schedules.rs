//! Schedules with their fullness and the state of their queues (R1, R13), and hints that a place was freed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Surface;
use super::extract::{Body, Path, Query, Reads, foreign_id};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use crate::desk::browse::Listed;
use crate::ports::his::TimeSlot;
use crate::records::schedules::name_of;
use crate::waitlist::chance::Chance;
use crate::waitlist::language::Language;
use crate::waitlist::policy::{InsurancePrepay, Level, PaymentMode, QueueOrder, QueuePer};

/// Which schedules.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Wanted {
    /// Of this department.
    pub department_id: Option<String>,
    /// Of this doctor.
    pub doctor_id: Option<String>,
    /// From this day; default: today.
    pub from: Option<NaiveDate>,
    /// To this day, inclusive; default: two weeks later.
    pub to: Option<NaiveDate>,
}

/// Schedules.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedules {
    /// In the order of their days.
    pub items: Vec<Schedule>,
}

/// One doctor's half-day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "scheduleId": "R20251128-0101-1", "doctorId": "D-17", "doctorName": "李时珍", "departmentId": "K01",
    "departmentName": "心内科", "campusId": "C1", "visitDate": "2025-11-28", "part": "morning", "state": "open",
    "total": 40, "remaining": 0, "feeFen": 5000, "full": true, "waitlist": { "open": true, "length": 12 }
}))]
pub struct Schedule {
    /// HIS's `REG_ID`.
    pub schedule_id: String,
    /// The doctor.
    pub doctor_id: String,
    /// The doctor's name.
    pub doctor_name: String,
    /// The department.
    pub department_id: String,
    /// The department's name.
    pub department_name: String,
    /// The campus.
    pub campus_id: String,
    /// The day.
    pub visit_date: NaiveDate,
    /// morning, afternoon, evening, wholeDay.
    pub part: String,
    /// stopped, open, notOpen.
    pub state: String,
    /// All places.
    pub total: u32,
    /// Bookable places, as HIS last told.
    pub remaining: u32,
    /// What a visit costs, 分.
    pub fee_fen: i64,
    /// True where it is to be shown as full: whoever waits comes first (R13).
    pub full: bool,
    /// Its queue.
    pub waitlist: Brief,
}

/// A queue in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// Whether one more may join.
    pub open: bool,
    /// Which rule says no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// The same as a sentence for the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many wait.
    pub length: i64,
}

/// One schedule's queue.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "scheduleId": "R20251128-0101-1", "open": true, "paymentMode": "lockThenPay", "feeFen": 5000,
    "cutoff": "2025-11-27T18:00:00+08:00", "mode": "fifo", "queuePer": "halfDay", "length": 12, "cap": 200, "room": 188,
    "chance": { "hint": "possible", "reached": 9, "queues": 20 }
}))]
pub struct Queue {
    /// The schedule.
    pub schedule_id: String,
    /// Whether one more may join.
    pub open: bool,
    /// Which rule says no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// The same as a sentence for the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whose rule says no, where a level's does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// How a visit is paid.
    pub payment_mode: PaymentMode,
    /// What a patient with 医保 may do where the fee is taken in advance: pay as a self-payer first, or not apply with it (R7). To be
    /// shown before applying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insurance_prepay: Option<InsurancePrepay>,
    /// What a visit costs, 分.
    pub fee_fen: i64,
    /// When the queue closes (R25).
    pub cutoff: DateTime<FixedOffset>,
    /// In which order it is served.
    pub mode: QueueOrder,
    /// What has this queue: the half-day alone, or all half-days of the doctor's day in the department together (Q2).
    pub queue_per: QueuePer,
    /// How many wait.
    pub length: i64,
    /// The nearest cap of doctor, department or campus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// How many more the nearest cap admits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<u32>,
    /// How likely one more comes to a place, from what became of the doctor's earlier queues: a hint and no promise; absent
    /// where there were too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
}

/// A place was freed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "eventId": "cancel-20251126-000123", "slot": { "begins": "08:30:00", "ends": "09:00:00" } }))]
pub struct Release {
    /// The caller's id of the event: the same event counts once.
    #[schema(min_length = 1, max_length = 64)]
    pub event_id: String,
    /// Which time, where it is known. HIS is asked in any case.
    #[serde(default)]
    #[schema(value_type = Option<Slot>)]
    #[allow(dead_code)]
    pub slot: Option<TimeSlot>,
}

/// A time of a schedule, hospital time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Slot {
    /// Its beginning, `08:30:00`.
    pub begins: chrono::NaiveTime,
    /// Its end, `09:00:00`.
    pub ends: chrono::NaiveTime,
}

/// It was written down; the rest follows.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "accepted": true }))]
pub struct Accepted {
    /// Always true.
    pub accepted: bool,
}

/// Lists schedules with the state of their queues.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Schedules), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Schedules>, Problem> {
    let (department, doctor) = (wanted.department_id.as_deref(), wanted.doctor_id.as_deref());
    let listed = surface.desk.schedules(department, doctor, wanted.from, wanted.to).await?;
    Ok(Json(Schedules { items: listed.into_iter().map(|one| schedule(one, language)).collect() }))
}

/// Shows one schedule's queue: whether one more may join, and on what terms.
#[utoipa::path(
    get, path = "/v1/schedules/{scheduleId}/waitlist", tag = "schedules", security(("apiKey" = [])),
    params(("scheduleId" = String, Path, description = "HIS's REG_ID")),
    responses((status = 200, body = Queue), Problems)
)]
pub(super) async fn queue(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(schedule_id): Path<String>,
) -> Result<Json<Queue>, Problem> {
    let listed = surface.desk.queue_of(&schedule_id).await?;
    let (reason_code, message) = said(&listed, language);
    let chance = surface.desk.chance(&listed).await?;
    Ok(Json(Queue {
        chance,
        open: listed.closed.is_none(),
        reason_code,
        message,
        level: listed.closed.as_ref().and_then(crate::waitlist::refusal::Refusal::level),
        payment_mode: listed.policy.payment_mode,
        insurance_prepay: (listed.policy.payment_mode == PaymentMode::Prepay && listed.schedule.fee_fen > 0)
            .then_some(listed.policy.insurance_prepay),
        fee_fen: listed.schedule.fee_fen,
        cutoff: surface.local(listed.cutoff),
        mode: listed.policy.order,
        queue_per: listed.policy.queue_per,
        length: listed.length,
        cap: listed.cap.map(|cap| cap.most),
        room: listed.cap.map(|cap| cap.most.saturating_sub(cap.live)),
        schedule_id: listed.schedule.id,
    }))
}

/// Tells that a place was freed on the hospital's own site. A hint: HIS is asked before anybody is offered anything.
#[utoipa::path(
    post, path = "/v1/schedules/{scheduleId}/releases", tag = "schedules", security(("apiKey" = [])),
    params(
        ("scheduleId" = String, Path, description = "HIS's REG_ID"),
        IdempotencyKey,
    ),
    request_body = Release, responses((status = 202, body = Accepted), Problems)
)]
pub(super) async fn release(
    State(surface): State<Arc<Surface>>,
    Path(schedule_id): Path<String>,
    Body(release): Body<Release>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    foreign_id(&schedule_id, "scheduleId")?;
    foreign_id(&release.event_id, "eventId")?;
    surface.desk.release_slot(&schedule_id, &release.event_id).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { accepted: true })))
}

fn said(listed: &Listed, language: Language) -> (Option<String>, Option<String>) {
    let closed = listed.closed.as_ref();
    (closed.map(|refusal| refusal.code().to_owned()), closed.map(|refusal| refusal.message(language)))
}

fn schedule(listed: Listed, language: Language) -> Schedule {
    let (reason_code, message) = said(&listed, language);
    let one = listed.schedule;
    Schedule {
        part: name_of(&one.part),
        state: name_of(&one.state),
        schedule_id: one.id,
        doctor_id: one.doctor_id,
        doctor_name: one.doctor_name,
        department_id: one.department_id,
        department_name: one.department_name,
        campus_id: one.campus_id,
        visit_date: one.visit_date,
        total: one.total,
        remaining: one.remaining,
        fee_fen: one.fee_fen,
        full: listed.full,
        waitlist: Brief { open: listed.closed.is_none(), reason_code, message, length: listed.length },
    }
}
