//! Applications: join, look, answer, leave (R2–R12).

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, foreign_id, wait};
use super::idempotency::key_of;
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::questions::Question;
use super::schedules::Slot;
use crate::desk::apply::{Apply, PayType};
use crate::desk::paging;
use crate::desk::show;
use crate::engine::traces;
use crate::records::entries::Shown;
use crate::records::schedules::from_name;
use crate::waitlist::policy::PaymentMode;
use crate::waitlist::status::EntryStatus;

/// The most applications of one page.
const PAGE: i64 = 50;
/// How long a confirmation waits for the payment parameters.
const CONFIRM_WAIT: Duration = Duration::from_secs(4);

/// An application to be made.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "scheduleId": "R20251128-0101-1", "patientId": "p-1001", "accountId": "u-77" }))]
pub struct NewEntry {
    /// Which schedule (HIS's `REG_ID`).
    #[schema(min_length = 1, max_length = 64)]
    pub schedule_id: String,
    /// Who waits.
    #[schema(min_length = 1, max_length = 64)]
    pub patient_id: String,
    /// How the patient means to pay; default: self-pay.
    #[serde(default)]
    pub pay_type: PayType,
    /// Until when the patient wants to wait at the latest.
    #[serde(default)]
    pub latest_at: Option<DateTime<Utc>>,
    /// The account that applies, for its holder or for others. With it the limit of persons per account holds. Kept as a
    /// keyed hash.
    #[serde(default)]
    pub account_id: Option<String>,
    /// The device that it applies from. One that asks faster than people do is answered later. Not kept.
    #[serde(default)]
    pub device_id: Option<String>,
    /// The network address that it applies from; the same, with more room. Not kept.
    #[serde(default)]
    pub address: Option<String>,
}

/// An application.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "waitlistId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "scheduleId": "R20251128-0101-1", "patientId": "p-1001",
    "status": "waiting", "position": 3, "paymentMode": "lockThenPay", "payType": "selfPay",
    "feeFen": 5000, "expiryDate": "2025-11-27T18:00:00+08:00", "version": 0,
    "createdAt": "2025-11-26T09:12:03.120+08:00", "updatedAt": "2025-11-26T09:12:03.120+08:00"
}))]
pub struct Entry {
    /// Its id.
    pub waitlist_id: Uuid,
    /// The schedule.
    pub schedule_id: String,
    /// Who waits.
    pub patient_id: String,
    /// Where it stands (R12).
    pub status: EntryStatus,
    /// Its place in the queue, from 1; only while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// How the visit is paid.
    pub payment_mode: PaymentMode,
    /// How the patient means to pay (R7).
    pub pay_type: PayType,
    /// True where a patient with 医保 pays the fee as a self-payer first (提前收取自费): to be said before paying. What 医保 takes of
    /// it is settled at the hospital.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_pay_first: bool,
    /// What the visit costs, 分.
    pub fee_fen: i64,
    /// When waiting ends (R24, R25).
    pub expiry_date: DateTime<FixedOffset>,
    /// The place that is offered or booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// What the patient is asked; answered by `POST …/answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Question>)]
    pub question: Option<Value>,
    /// The visit, once booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<String>,
    /// Why it ended, as a code; of a booked visit `notCancelled`: HIS does not cancel it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Raised by every change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<FixedOffset>,
    /// When it last changed.
    pub updated_at: DateTime<FixedOffset>,
}

/// A place on offer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Which time.
    #[schema(value_type = Slot)]
    pub slot: Value,
    /// By when the patient must have confirmed and paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<FixedOffset>>,
}

/// The money of an application.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Our number of the order.
    pub out_trade_no: String,
    /// 分.
    pub amount_fen: i64,
    /// open, paid, closed, refunding, refunded: of this order. A part that went back leaves it paid.
    pub state: String,
    /// What was paid for the application altogether, 分; more than this order's where the fee rose and was topped up (R6).
    pub paid_fen: i64,
    /// What went back of it, 分; a part where the fee fell before the visit was booked (R6).
    pub refunded_fen: i64,
    /// No payment starts after this.
    pub expires_at: DateTime<FixedOffset>,
    /// WeChat Pay's id for the payer's client; of a hospital's own platform, what it gave for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepay_id: Option<String>,
    /// Parameters for the payer's client, while there is something to pay: signed for WeChat Pay, of a platform as it gave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub client_parameters: Option<Value>,
}

/// The money, as the application's row has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPayment {
    out_trade_no: String,
    amount_fen: i64,
    state: String,
    #[serde(default)]
    paid_fen: i64,
    #[serde(default)]
    refunded_fen: i64,
    expires_at: DateTime<Utc>,
    prepay_id: Option<String>,
}

/// A page of applications.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entries {
    /// Newest first.
    pub items: Vec<Entry>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which applications.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Wanted {
    /// Whose.
    pub patient_id: String,
    /// Only those of this status.
    #[param(value_type = Option<EntryStatus>)]
    pub status: Option<EntryStatus>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// Whether to wait for a change.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Patience {
    /// How long to wait for a change: `30s` at most `60s`. Default: not at all.
    pub wait: Option<String>,
    /// The version that is known; default: the present one.
    pub version: Option<i32>,
}

/// Joins a queue. The same `Idempotency-Key` is the same application, however often it comes.
#[utoipa::path(
    post, path = "/v1/waitlist", tag = "waitlist", security(("apiKey" = [])),
    params(IdempotencyKey),
    request_body = NewEntry,
    responses(
        (status = 201, description = "Admitted", body = Entry),
        (status = 200, description = "Admitted before under the same key", body = Entry),
        Problems,
    )
)]
pub(super) async fn apply(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(new): Body<NewEntry>,
) -> Result<(StatusCode, Json<Entry>), Problem> {
    foreign_id(&new.patient_id, "patientId")?;
    foreign_id(&new.schedule_id, "scheduleId")?;
    let (account, device, address) = (new.account_id.as_deref(), new.device_id.as_deref(), new.address.as_deref());
    for (id, field) in [(account, "accountId"), (device, "deviceId"), (address, "address")] {
        id.map_or(Ok(()), |id| foreign_id(id, field))?;
    }
    let apply = Apply {
        // Keys of different callers are different keys.
        idempotency_key: key_of(&headers)?.map(|key| format!("{}/{key}", caller.0)),
        schedule_id: new.schedule_id,
        patient_id: new.patient_id,
        pay_type: new.pay_type,
        latest_at: new.latest_at,
        origin: surface.desk.origin(account, device, address),
        trace: traces::here(),
    };
    let applied = surface.desk.apply(&apply).await?;
    let status = if applied.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(entry(&surface, applied.entry)?)))
}

/// A patient's applications, newest first.
#[utoipa::path(
    get, path = "/v1/waitlist", tag = "waitlist", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Entries), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Entries>, Problem> {
    let before = wanted.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| Problem::unreadable("cursor is a nextCursor of a page before"))?;
    let status = wanted.status.map(EntryStatus::as_str);
    let mut found = surface.desk.entries_of(&wanted.patient_id, status, before, paging::asked(PAGE)).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.shown.seq.to_string());
    let items = found.into_iter().map(|one| entry(&surface, one)).collect::<Result<_, _>>()?;
    Ok(Json(Entries { items, next_cursor }))
}

/// One application; with `wait`, as soon as it has changed.
#[utoipa::path(
    get, path = "/v1/waitlist/{waitlistId}", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path), Patience), responses((status = 200, body = Entry), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
    Query(patience): Query<Patience>,
) -> Result<Json<Entry>, Problem> {
    let now = surface.desk.entry(id).await?;
    let Some(patience_for) = patience.wait.as_deref().map(wait).transpose()? else {
        return Ok(Json(entry(&surface, now)?));
    };
    let known = patience.version.unwrap_or(now.shown.version);
    let changed = surface.desk.entry_when(id, patience_for, |shown| shown.version != known).await?;
    Ok(Json(entry(&surface, changed)?))
}

/// Accepts the locked place. Waits a few seconds for the payment parameters: 200 with them, 202 without.
#[utoipa::path(
    post, path = "/v1/waitlist/{waitlistId}/confirm", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path), IdempotencyKey), request_body = Option<NamedOffer>,
    responses(
        (status = 200, description = "Accepted; pay with `payment.clientParameters`", body = Entry),
        (status = 202, description = "Accepted", body = Entry),
        Problems,
    )
)]
pub(super) async fn confirm(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
    body: Bytes,
) -> Result<(StatusCode, Json<Entry>), Problem> {
    surface.desk.confirm(id, meant(&body)?).await?;
    let confirmed = surface.desk.entry_when(id, CONFIRM_WAIT, payable_or_past).await?;
    let status = if confirmed.client_parameters.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(entry(&surface, confirmed)?)))
}

/// Which offer an answer is about. Where a declined or missed offer keeps the turn (`declinesMax`, `missedOffersMax`), an answer
/// that names none may meet a later offer than the patient saw.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "deadline": "2026-11-27T14:32:00+08:00" }))]
pub struct NamedOffer {
    /// The `offer.deadline` that was shown. Another offer than this one is answered by `offer_gone`.
    #[serde(default)]
    pub deadline: Option<DateTime<Utc>>,
}

/// The end of the offer that a body names; no body, and an empty one, name none.
fn meant(body: &[u8]) -> Result<Option<DateTime<Utc>>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let named: NamedOffer = serde_json::from_slice(body).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(named.deadline)
}

fn payable_or_past(shown: &Shown) -> bool {
    match EntryStatus::parse(&shown.status) {
        Some(EntryStatus::Offered) => false,
        Some(EntryStatus::AwaitingPayment) => {
            shown.payment.as_ref().and_then(|payment| payment.get("prepayId")).is_some_and(|id| !id.is_null())
        }
        _ => true,
    }
}

/// Declines the locked place.
#[utoipa::path(
    post, path = "/v1/waitlist/{waitlistId}/decline", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path), IdempotencyKey), request_body = Option<NamedOffer>,
    responses((status = 202, body = Entry), Problems)
)]
pub(super) async fn decline(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
    body: Bytes,
) -> Result<(StatusCode, Json<Entry>), Problem> {
    surface.desk.decline(id, meant(&body)?).await?;
    Ok((StatusCode::ACCEPTED, Json(entry(&surface, surface.desk.entry(id).await?)?)))
}

/// Leaves the queue. What was paid goes back.
#[utoipa::path(
    delete, path = "/v1/waitlist/{waitlistId}", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path)), responses((status = 202, body = Entry), Problems)
)]
pub(super) async fn withdraw(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<Entry>), Problem> {
    surface.desk.withdraw(id).await?;
    Ok((StatusCode::ACCEPTED, Json(entry(&surface, surface.desk.entry(id).await?)?)))
}

pub(super) fn entry(surface: &Surface, entry: show::Entry) -> Result<Entry, Problem> {
    let status = entry.status();
    let show::Entry { shown, client_parameters } = entry;
    let unreadable = |what: &str| {
        tracing::error!(entry = %shown.id, what, "an application cannot be shown");
        Problem::internal()
    };
    let stored: Option<StoredPayment> =
        shown.payment.clone().map(serde_json::from_value).transpose().map_err(|_| unreadable("payment"))?;
    let payment = stored.map(|stored| Payment {
        out_trade_no: stored.out_trade_no,
        amount_fen: stored.amount_fen,
        state: stored.state,
        paid_fen: stored.paid_fen,
        refunded_fen: stored.refunded_fen,
        expires_at: surface.local(stored.expires_at),
        prepay_id: stored.prepay_id,
        client_parameters,
    });
    let payment_mode = from_name(&shown.payment_mode).map_err(|_| unreadable("payment mode"))?;
    let pay_type = from_name(&shown.pay_type).map_err(|_| unreadable("pay type"))?;
    Ok(Entry {
        waitlist_id: shown.id,
        status: status.ok_or_else(|| unreadable("status"))?,
        self_pay_first: pay_type == PayType::Insurance && payment_mode == PaymentMode::Prepay && shown.fee_fen > 0,
        payment_mode,
        pay_type,
        offer: shown.slot.map(|slot| Offer { slot, deadline: shown.deadline.map(|at| surface.local(at)) }),
        payment,
        schedule_id: shown.schedule_id,
        patient_id: shown.patient_id,
        position: shown.position,
        fee_fen: shown.fee_fen,
        expiry_date: surface.local(shown.cutoff),
        question: shown.question,
        appointment_id: shown.order_id,
        reason: shown.reason,
        version: shown.version,
        created_at: surface.local(shown.created_at),
        updated_at: surface.local(shown.updated_at),
    })
}
