//! The texts of notices (R23): which counts, its versions, a new one, and what it would look like.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, Reads};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::by;
use crate::desk::paging;
use crate::desk::templates::{InForce, Look, Shown};
use crate::records::templates::{EVERY_CAMPUS, Version};
use crate::waitlist::notice::{FailReason, NoticeKind};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::route::Channel;
use crate::waitlist::template::{AtNight, Template, TemplateName};

/// Versions of one page.
const PAGE: i64 = 50;

/// For whom.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// This campus; without it the hospital's, for every campus that has none of its own.
    pub campus: Option<String>,
}

/// For whom, and why.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TakenBack {
    /// This campus; without it the hospital's.
    pub campus: Option<String>,
    /// Stands in the history and in the audit; no personal data.
    #[param(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Which versions.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// This campus; without it the hospital's.
    pub campus: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<i32>,
}

/// A text in force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "waitlist_booked", "source": "campus", "campusId": "C1", "version": 3, "templateId": "TM00003",
    "fields": { "thing1": "{doctor}", "time2": "{visitTime}", "phrase3": "{status}", "thing4": "{place}" },
    "sms": "您候补的{doctor}医生{visitTime}已挂号成功。", "route": ["wechatTemplate", "sms"], "who": "desk@api", "reason": "微信公众平台更换了模板",
    "createdAt": "2025-11-25T10:00:00+08:00"
}))]
pub struct Text {
    /// Which notices it is for.
    pub name: TemplateName,
    /// `campus`, `hospital`, or `builtIn` where nothing is stored.
    pub source: String,
    /// Whose it is, where it is a campus's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campus_id: Option<String>,
    /// Its version; absent where it is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// What is said.
    #[serde(flatten)]
    pub text: Template,
    /// The channels that it goes by here, in order: its own, else those that are configured for its name.
    pub route: Vec<Channel>,
    /// Who stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<FixedOffset>>,
}

/// All texts in force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Texts {
    /// The hospital's, each followed by those of campuses that have their own.
    pub items: Vec<Text>,
}

/// A version, as it was stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "version": 3, "text": { "templateId": "TM00003", "fields": { "thing1": "{doctor}", "time2": "{visitTime}" } },
    "who": "desk@api", "reason": "微信公众平台更换了模板", "createdAt": "2025-11-25T10:00:00+08:00"
}))]
pub struct Stored {
    /// From 1.
    pub version: i32,
    /// The text; absent: from here on it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Template>,
    /// Who stored it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: DateTime<FixedOffset>,
}

/// A page of versions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// Newest first.
    pub items: Vec<Stored>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i32>,
}

/// A text to be stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "templateId": "TM00002", "fields": {
        "thing1": "{doctor}", "time2": "{visitTime}", "phrase3": "{status}", "time4": "{deadline}", "thing5": "{remark}"
    }, "sms": "您候补的{doctor}医生{visitTime}号源已为您保留，请于{deadline}前确认。", "replaces": 2,
    "reason": "微信公众平台更换了模板"
}))]
pub struct NewText {
    /// The platform's id of the template.
    pub template_id: String,
    /// The platform's key → what it says. Placeholders: `{doctor}`, `{visitTime}`, `{visitDate}`, `{place}`, `{deadline}`,
    /// `{amount}`, `{status}`, `{remark}`. A key takes what its word says: `thing` 20 letters, `phrase` 5 Chinese ones,
    /// `time`, `date` and `amount` a value of that form.
    pub fields: BTreeMap<String, String>,
    /// What is sent to the phone of a patient whom the platform does not reach, 200 letters at most; none: nothing is.
    #[serde(default)]
    pub sms: Option<String>,
    /// `wait`: in quiet hours it waits for their end, where nothing is lost by that. `send`: it is sent. Without it: an offer and
    /// a submission are sent, what else there is waits.
    #[serde(default)]
    pub quiet_hours: Option<AtNight>,
    /// The channels that it goes by, in this order; none: as is configured for its name. 422 where one is not configured.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// The id of the template on a channel that knows it by another one than `templateId`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub template_ids: BTreeMap<Channel, String>,
    /// The version that the caller has seen, 0 for none: 409 where there is a newer one. Without it whatever is there is
    /// replaced.
    #[serde(default)]
    pub replaces: Option<i32>,
    /// Stands in the history and in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// A text that is not stored yet.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draft {
    /// The platform's id of the template.
    pub template_id: String,
    /// As in a text to be stored.
    pub fields: BTreeMap<String, String>,
    /// As in a text to be stored.
    #[serde(default)]
    pub sms: Option<String>,
    /// As in a text to be stored.
    #[serde(default)]
    pub quiet_hours: Option<AtNight>,
    /// As in a text to be stored.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// As in a text to be stored.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub template_ids: BTreeMap<Channel, String>,
}

/// What is to be looked at.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "waitlistId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11" }))]
pub struct ToLookAt {
    /// As at this campus; without it the application's, or the hospital's.
    #[serde(default)]
    pub campus_id: Option<String>,
    /// With this application's facts; without it with made-up ones.
    #[serde(default)]
    pub waitlist_id: Option<Uuid>,
    /// This text instead of the one in force.
    #[serde(default)]
    pub draft: Option<Draft>,
}

/// What would be sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "templateId": "TM00003", "receiver": { "patientId": "p-1001", "phone": "138****5678" }, "notices": [{
        "fields": [
            { "key": "thing1", "value": "李时珍", "letters": 3, "most": 20 },
            { "key": "time2", "value": "2025年11月28日 09:30", "letters": 17, "most": 32 }
        ], "sms": "您候补的李时珍医生2025年11月28日 09:30已挂号成功。", "smsLetters": 34
    }], "flaws": []
}))]
pub struct Preview {
    /// The platform's id of the template.
    pub template_id: String,
    /// Who would get it, masked; where it is written for an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Receiver>,
    /// One a notice: a failure has one a reason.
    pub notices: Vec<Written>,
    /// What is wrong with the draft, as sentences: it would not be stored.
    pub flaws: Vec<String>,
}

/// Who would get it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receiver {
    /// Our id.
    pub patient_id: String,
    /// The phone, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// A notice as it would be sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Of a failure: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<FailReason>,
    /// By key.
    pub fields: Vec<Field>,
    /// The SMS in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// How long that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_letters: Option<usize>,
}

/// A value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// The platform's key.
    pub key: String,
    /// What would stand there.
    pub value: String,
    /// How long that is.
    pub letters: usize,
    /// How long it may be; absent where the platform has no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

fn named(name: &str) -> Result<TemplateName, Problem> {
    TemplateName::parse(name).ok_or_else(|| Refusal::NotFound.into())
}

/// All texts in force: the hospital's, and those of campuses that have their own.
#[utoipa::path(
    get, path = "/v1/templates", tag = "templates", security(("apiKey" = [])),
    responses((status = 200, body = Texts), Problems)
)]
pub(super) async fn list(State(surface): State<Arc<Surface>>) -> Result<Json<Texts>, Problem> {
    let all = surface.desk.templates().await?;
    Ok(Json(Texts { items: all.into_iter().map(|one| text(&surface, one)).collect() }))
}

/// The text in force: a campus's own, else the hospital's, else the built-in one.
#[utoipa::path(
    get, path = "/v1/templates/{name}", tag = "templates", security(("apiKey" = [])),
    params(("name" = TemplateName, Path), Whose), responses((status = 200, body = Text), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(name): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Text>, Problem> {
    Ok(Json(text(&surface, surface.desk.template(named(&name)?, whose.campus.as_deref()).await?)))
}

/// Stores a new version, which counts for whatever is sent from then on. 422 `invalid_template` with all that is wrong with
/// it: `flaws` has the field and a code, `detail` the sentences.
#[utoipa::path(
    put, path = "/v1/templates/{name}", tag = "templates", security(("apiKey" = [])),
    params(("name" = TemplateName, Path), Whose), request_body = NewText,
    responses((status = 200, body = Text), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(whose): Query<Whose>,
    Body(new): Body<NewText>,
) -> Result<Json<Text>, Problem> {
    let by = by(&caller, new.reason)?;
    let stored = Template {
        template_id: new.template_id,
        fields: new.fields,
        sms: new.sms,
        quiet_hours: new.quiet_hours,
        channels: new.channels,
        template_ids: new.template_ids,
    };
    let put = surface.desk.put_template(named(&name)?, whose.campus.as_deref(), &stored, new.replaces, &by).await?;
    Ok(Json(text(&surface, put)))
}

/// Takes a stored text back; answers what counts from then on.
#[utoipa::path(
    delete, path = "/v1/templates/{name}", tag = "templates", security(("apiKey" = [])),
    params(("name" = TemplateName, Path), TakenBack), responses((status = 200, body = Text), Problems)
)]
pub(super) async fn take_back(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(asked): Query<TakenBack>,
) -> Result<Json<Text>, Problem> {
    let by = by(&caller, asked.reason)?;
    let counts = surface.desk.take_template_back(named(&name)?, asked.campus.as_deref(), &by).await?;
    Ok(Json(text(&surface, counts)))
}

/// The versions of a text, newest first: who stored each, when and why.
#[utoipa::path(
    get, path = "/v1/templates/{name}/versions", tag = "templates", security(("apiKey" = [])),
    params(("name" = TemplateName, Path), Which), responses((status = 200, body = Versions), Problems)
)]
pub(super) async fn versions(
    State(surface): State<Arc<Surface>>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Versions>, Problem> {
    let (name, campus) = (named(&name)?, which.campus.as_deref());
    let mut found = surface.desk.template_versions(name, campus, which.cursor, paging::asked(PAGE)).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.version);
    Ok(Json(Versions { items: found.into_iter().map(|one| stored(&surface, one)).collect(), next_cursor }))
}

/// Shows what would be sent, with the text in force or with a draft, for an application or with made-up facts. Nothing is
/// sent, and nothing is stored.
#[utoipa::path(
    post, path = "/v1/templates/{name}/preview", tag = "templates", security(("apiKey" = [])),
    params(("name" = TemplateName, Path), IdempotencyKey), request_body = ToLookAt,
    responses((status = 200, body = Preview), Problems)
)]
pub(super) async fn preview(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(name): Path<String>,
    Body(asked): Body<ToLookAt>,
) -> Result<Json<Preview>, Problem> {
    let name = named(&name)?;
    let draft = asked.draft.map(|draft| Template {
        template_id: draft.template_id,
        fields: draft.fields,
        sms: draft.sms,
        quiet_hours: draft.quiet_hours,
        channels: draft.channels,
        template_ids: draft.template_ids,
    });
    let flaws = draft.as_ref().map(|draft| surface.desk.flaws(name, draft)).unwrap_or_default();
    let look = Look { campus_id: asked.campus_id, entry: asked.waitlist_id, draft };
    let preview = surface.desk.preview_template(name, &look).await?;
    Ok(Json(Preview {
        template_id: preview.template_id,
        receiver: preview.receiver.map(|one| Receiver { patient_id: one.patient_id, phone: one.phone }),
        notices: preview.shown.into_iter().map(written).collect(),
        flaws: flaws.iter().map(|flaw| flaw.message(language)).collect(),
    }))
}

fn written(shown: Shown) -> Written {
    let reason = match shown.kind {
        NoticeKind::Failed(reason) => Some(reason),
        _ => None,
    };
    let fields =
        shown.fields.into_iter().map(|(key, value, most)| Field { key, letters: value.chars().count(), value, most });
    let sms_letters = shown.sms.as_ref().map(|sms| sms.chars().count());
    Written { reason, fields: fields.collect(), sms: shown.sms, sms_letters }
}

fn text(surface: &Surface, one: InForce) -> Text {
    let InForce { name, text, version } = one;
    let route = surface.desk.ports.routes.of(name, &text);
    let Some(Version { campus_id, version, who, reason, created_at, .. }) = version else {
        let (campus_id, version, who, reason, created_at) = (None, None, None, None, None);
        return Text { name, source: "builtIn".to_owned(), campus_id, version, text, route, who, reason, created_at };
    };
    let own = campus_id != EVERY_CAMPUS;
    Text {
        name,
        source: if own { "campus" } else { "hospital" }.to_owned(),
        campus_id: own.then_some(campus_id),
        version: Some(version),
        text,
        route,
        who: Some(who),
        reason: Some(reason),
        created_at: Some(surface.local(created_at)),
    }
}

fn stored(surface: &Surface, one: Version) -> Stored {
    Stored {
        version: one.version,
        text: one.body.map(|body| body.0),
        who: one.who,
        reason: one.reason,
        created_at: surface.local(one.created_at),
    }
}
