//! The description of the surface: what stands above the single operations.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Houbu 候补",
        description = "A hospital's appointment waitlist (候补挂号) and the durable workflows behind it.\n\n\
            JSON is camelCase; times are RFC 3339 with offset; money is whole 分; ids are opaque. Every POST takes an \
            `Idempotency-Key`: the same key and request gets the same answer, another request under the same key 422. \
            What is not a success is `application/problem+json` (RFC 9457) with a stable `code` and a sentence in the \
            language of `Accept-Language` (zh-CN, en).",
    ),
    components(schemas(ProblemBody)),
    modifiers(&ApiKeys),
    tags(
        (name = "schedules", description = "Schedules, their fullness and their queues"),
        (name = "waitlist", description = "Applications"),
        (name = "appointments", description = "Visits that came from the waitlist"),
        (name = "patients", description = "Who waits; masked on the way out"),
        (name = "departments", description = "The hospital's departments and campuses, named at installation"),
        (name = "policies", description = "Switches, caps and windows of doctors, departments and campuses"),
        (name = "templates", description = "What patients are told: texts as data, their versions, and how they look"),
        (name = "blacklist", description = "Who may not join a queue"),
        (name = "runs", description = "Durable runs of any workflow"),
        (name = "destinations", description = "The systems outside: limits, what is down, pause and resume"),
        (name = "reconciliation", description = "Days compared with HIS and the payment provider, and what differs"),
        (name = "kpis", description = "What managers ask for, by day of visit and doctor, department or campus"),
        (name = "jobs", description = "What starts runs by the clock: last and next ticks, pause, resume, run now"),
        (name = "callbacks", description = "From HIS, the payment provider and the message platform; signed"),
        (name = "operations", description = "Health, readiness, metrics"),
    )
)]
struct Described;

struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key")).build();
        api.components.get_or_insert_default().add_security_scheme("apiKey", SecurityScheme::Http(bearer));
    }
}

/// The description without operations.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

/// What every operation behind a key may answer besides success.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(super) enum Problems {
    /// The request cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    Unreadable(#[to_schema] ProblemBody),
    /// No valid API key.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemBody),
    /// The key lacks the scope, or the patient is blacklisted.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemBody),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemBody),
    /// It does not fit the present state; `code` names the rule.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] ProblemBody),
    /// It can never be right as it was sent.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemBody),
    /// The body, or something in it, is larger than it may be; `limit` says how many bytes it may have.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] ProblemBody),
    /// More requests under one key than are taken; `Retry-After` says when to come back.
    #[response(status = 429, content_type = "application/problem+json")]
    TooManyRequests(#[to_schema] ProblemBody),
    /// The body is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(#[to_schema] ProblemBody),
    /// A fault of ours; the same request may be sent again.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(#[to_schema] ProblemBody),
    /// Not at the moment; `Retry-After` says when to come back.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemBody),
}

/// What every POST behind a key may carry. The layer in `idempotency` reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub(super) struct IdempotencyKey {
    /// 1 to 128 visible ASCII characters. The same key and request has the same answer for two days.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}
