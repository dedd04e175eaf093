//! What staff do to one run: seven verbs, and what each would do. Every deed has a reason and stands in the audit.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Reads};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::runs::{WholeRun, short, whole};
use crate::desk::verbs as words;
use crate::engine::staff::explain::{Choice, Explained, Would};
use crate::engine::staff::{By, Refused, Verb};
use crate::waitlist::language::Language;
use crate::waitlist::masking::holds_number;

/// A signal to a run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "signalId": "pull-1", "payload": { "retire": false } }))]
pub struct NewSignal {
    /// The caller's id of it: the same id is heard once.
    #[schema(min_length = 1, max_length = 200)]
    pub signal_id: String,
    /// What goes with it.
    #[serde(default = "empty", deserialize_with = "object")]
    #[schema(value_type = Object)]
    pub payload: Value,
    /// Why, where a person sends it; no personal data.
    #[serde(default)]
    pub reason: String,
}

/// Fields, as every signal's content is.
fn object<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Map::deserialize(from).map(Value::Object)
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// What came of a signal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "accepted": true, "duplicate": false }))]
pub struct Heard {
    /// Always true.
    pub accepted: bool,
    /// True where the same id was there before.
    pub duplicate: bool,
}

/// Why somebody intervenes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "HIS is back" }))]
pub struct Reason {
    /// Stands in the run's history and in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// What the present step came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "HIS says by telephone that the place is gone", "outcome": "Taken" }))]
pub struct NewAnswer {
    /// Stands in the run's history and in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// One of the step's outcomes.
    pub outcome: String,
    /// Changes of what the run knows (RFC 7396).
    #[schema(value_type = Option<Object>)]
    pub patch: Option<Value>,
}

/// Where the run is to go on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "the refund was asked for under a wrong number", "step": "Settlement" }))]
pub struct NewJump {
    /// Stands in the run's history and in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// A step or an ending of its workflow.
    pub step: String,
    /// Changes of what the run knows (RFC 7396).
    #[schema(value_type = Option<Object>)]
    pub patch: Option<Value>,
}

/// What could be done to a run now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Verbs {
    /// One line a verb.
    pub items: Vec<VerbLine>,
}

/// A verb, and what it would do now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "verb": "jump", "allowed": true, "message": "It goes to Settlement.", "choices": [
        { "name": "Settlement", "allowed": true, "message": "It goes to Settlement." },
        { "name": "Waiting", "allowed": false, "code": "would_strand", "message": "Lock is owed or may be, and would be \
          stranded; safe to jump to: Unlocking." }
    ]
}))]
pub struct VerbLine {
    /// retry, answer, jump, signal, suspend, resume, cancel.
    pub verb: String,
    /// What it would do. Where it takes a choice, as the first that is allowed.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Outcomes, steps or signals; empty where there is nothing to choose.
    pub choices: Vec<ChoiceLine>,
}

/// Something that can be chosen.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ChoiceLine {
    /// The outcome, step or signal.
    pub name: String,
    /// What it would do.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What would happen, or why not.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// True where it would be done.
    pub allowed: bool,
    /// The refusal's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What would happen, or why not, as a sentence.
    pub message: String,
    /// What is owed, or may be, where that stands in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<String>,
    /// What could be asked for instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<String>,
}

impl VerbLine {
    /// What a verb would do, in words.
    pub fn of(one: Explained, language: Language) -> Self {
        let choice = |choice: Choice| ChoiceLine { verdict: Verdict::of(&choice.would, language), name: choice.name };
        Self {
            verb: one.verb.to_owned(),
            verdict: Verdict::of(&one.would, language),
            choices: one.choices.into_iter().map(choice).collect(),
        }
    }
}

impl Verdict {
    fn of(would: &Result<Would, Refused>, language: Language) -> Self {
        match would {
            Ok(would) => Self {
                allowed: true,
                code: None,
                message: words::would(would, language),
                owed: Vec::new(),
                instead: Vec::new(),
            },
            Err(refused) => {
                let (owed, instead) = refused.alternatives();
                Self {
                    allowed: false,
                    code: Some(refused.code().to_owned()),
                    message: words::refusal(refused, language),
                    owed: owed.to_vec(),
                    instead: instead.to_vec(),
                }
            }
        }
    }
}

/// Who asks, and why.
pub(super) fn by(caller: &Caller, reason: String) -> Result<By, Problem> {
    let reason = reason.trim().to_owned();
    short(&reason, "reason")?;
    if holds_number(&reason) {
        return Err(Problem::personal_reason());
    }
    Ok(By { who: caller.who(), reason })
}

/// The same where a reason may be left out: a program says what happened.
pub(super) fn says(caller: &Caller, reason: String) -> Result<By, Problem> {
    if reason.is_empty() { Ok(By { who: caller.who(), reason }) } else { by(caller, reason) }
}

/// Does a verb and shows the run as it stands then.
async fn done(
    surface: &Surface,
    language: Language,
    id: Uuid,
    by: By,
    verb: Verb,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    surface.desk.perform(id, &by, &verb).await?;
    Ok((StatusCode::ACCEPTED, Json(whole(surface, id, language).await?)))
}

/// Signals a run. It is stored before it is answered, and heard once a `signalId`.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/signals/{signal}", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), ("signal" = String, Path), IdempotencyKey), request_body = NewSignal,
    responses((status = 202, body = Heard), Problems)
)]
pub(super) async fn signal(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((id, signal)): Path<(Uuid, String)>,
    Body(new): Body<NewSignal>,
) -> Result<(StatusCode, Json<Heard>), Problem> {
    short(&new.signal_id, "signalId")?;
    let by = says(&caller, new.reason)?;
    let verb = Verb::Signal { signal, signal_id: new.signal_id, payload: new.payload };
    let performed = surface.desk.perform(id, &by, &verb).await?;
    Ok((StatusCode::ACCEPTED, Json(Heard { accepted: true, duplicate: performed.runs == 0 })))
}

/// Shows what each verb would do to a run now, or why it would be refused.
#[utoipa::path(
    get, path = "/v1/runs/{runId}/verbs", tag = "runs", security(("apiKey" = [])), params(("runId" = Uuid, Path)),
    responses((status = 200, body = Verbs), Problems)
)]
pub(super) async fn verbs(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
) -> Result<Json<Verbs>, Problem> {
    Ok(Json(Verbs {
        items: surface.desk.verbs(id).await?.into_iter().map(|one| VerbLine::of(one, language)).collect(),
    }))
}

/// Lets a run that a fault suspended, or that backs off, try its step again at once, with all its attempts.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/retry", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = Reason, responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn retry(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    done(&surface, language, id, by(&caller, why.reason)?, Verb::Retry).await
}

/// Supplies the outcome of the present step; the table then says where the run goes.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/answer", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = NewAnswer,
    responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn answer(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(new): Body<NewAnswer>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    let verb = Verb::Answer { outcome: new.outcome, patch: new.patch };
    done(&surface, language, id, by(&caller, new.reason)?, verb).await
}

/// Lets a run go on at another step. Refused where something that is owed, or may be, would be stranded.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/jump", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = NewJump,
    responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn jump(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(new): Body<NewJump>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    let verb = Verb::Jump { step: new.step, patch: new.patch };
    done(&surface, language, id, by(&caller, new.reason)?, verb).await
}

/// Lets a live run stand still until it is resumed, whatever falls due. What it receives is kept.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/suspend", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = Reason, responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn suspend(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    done(&surface, language, id, by(&caller, why.reason)?, Verb::Suspend).await
}

/// Lets a suspended run go on at its step, with the attempts that it has left.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/resume", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = Reason, responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn resume(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    done(&surface, language, id, by(&caller, why.reason)?, Verb::Resume).await
}

/// Brings a run and every live run below it to an orderly end: what is owed is settled first. All or none.
#[utoipa::path(
    post, path = "/v1/runs/{runId}/cancel", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), IdempotencyKey), request_body = Reason, responses((status = 202, body = WholeRun), Problems)
)]
pub(super) async fn cancel(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    done(&surface, language, id, by(&caller, why.reason)?, Verb::Cancel).await
}
