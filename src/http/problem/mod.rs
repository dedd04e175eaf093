//! Everything that is not a success, as RFC 9457 `application/problem+json`, in the language that the caller reads.
//!
//! A [`Problem`] travels as an extension of its response; `render` writes the body, once the language is known.

mod refusals;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::BODY_BYTES_MAX;
use super::requests::RequestId;
use crate::desk::{jobs, verbs};
use crate::engine::jobs::verbs::JobRefused;
use crate::engine::staff::Refused;
use crate::engine::store::trouble::is_passing;
use crate::waitlist::language::Language;
use crate::waitlist::policy::Level;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::template::Flaw;

/// The content type of every problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// A request that was not done.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    said: Said,
    retry_after_s: Option<u32>,
}

#[derive(Debug, Clone)]
enum Said {
    /// A rule of the waitlist.
    Refusal(Refusal),
    /// Code, Chinese, English.
    Fixed(&'static str, &'static str, &'static str),
    /// A verb of the staff is refused.
    Staff(Refused),
    /// A verb to a job is refused.
    Job(JobRefused),
    /// The same, with what was wrong in the caller's own request.
    With(&'static str, &'static str, &'static str, String),
    /// A form is not filled in as it must be: Chinese, English.
    Form(String, String),
    /// Something has more bytes than this.
    TooLarge(usize),
    /// A text of notices is wrong in these places.
    Flawed(Vec<Flaw>),
}

/// The code of the problem that a response renders, for whoever counts and logs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

/// The body of a problem.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:houbu:problem:queue_full", "title": "与当前状态冲突", "status": 409,
    "detail": "该医生的候补人数已满，请选择其他医生。", "code": "queue_full", "level": "doctor",
    "requestId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11"
}))]
pub struct ProblemBody {
    /// A URN of the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in the language of `Accept-Language` (zh-CN, en).
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence that may be shown to a patient.
    pub detail: String,
    /// The stable code, for programs.
    pub code: String,
    /// Which level's rule refused, where one did.
    pub level: Option<Level>,
    /// The last day of it, where that is known (a patient on the blacklist).
    pub until: Option<NaiveDate>,
    /// The limit that is reached, where one is.
    pub limit: Option<u32>,
    /// The field that is out of bounds, where one is.
    pub field: Option<String>,
    /// What a run owes, or may, where that stands in the way.
    pub owed: Option<Vec<String>>,
    /// What could be asked for instead, where that is known: steps, outcomes, signals.
    pub instead: Option<Vec<String>>,
    /// Everything that is wrong with a text of notices, where one is.
    pub flaws: Option<Vec<Flaw>>,
    /// The request, as the logs call it.
    #[serde(rename = "requestId")]
    pub request_id: Option<String>,
}

impl Problem {
    fn fixed(status: StatusCode, code: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self { status, said: Said::Fixed(code, zh, en), retry_after_s: None }
    }

    fn with(status: StatusCode, code: &'static str, zh: &'static str, en: &'static str, detail: String) -> Self {
        Self { status, said: Said::With(code, zh, en, detail), retry_after_s: None }
    }

    /// No key, or one that we do not know.
    pub fn unauthorized() -> Self {
        Self::fixed(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "请求缺少有效的 API 密钥。",
            "The request has no valid API key.",
        )
    }

    /// A key without the scope.
    pub fn forbidden() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "forbidden",
            "该 API 密钥没有此操作的权限。",
            "This API key has no right to do this.",
        )
    }

    /// A push from where none may come from (R15).
    pub fn address_not_allowed() -> Self {
        Self::fixed(
            StatusCode::FORBIDDEN,
            "address_not_allowed",
            "不接受来自该网络地址的推送。",
            "Pushes are not taken from this network address.",
        )
    }

    /// No such path.
    pub fn not_found() -> Self {
        Self::from(Refusal::NotFound)
    }

    /// A path that does not take this method.
    pub fn method_not_allowed() -> Self {
        Self::fixed(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "此地址不支持该请求方法。",
            "This path does not take this method.",
        )
    }

    /// The same key is being answered.
    pub fn in_progress() -> Self {
        let problem = Self::fixed(
            StatusCode::CONFLICT,
            "in_progress",
            "相同的请求正在处理，请稍后重试。",
            "The same request is being answered; try again shortly.",
        );
        Self { retry_after_s: Some(1), ..problem }
    }

    /// A header, parameter or body that cannot be right.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::with(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_request",
            "请求内容不正确",
            "The request is not right",
            detail.into(),
        )
    }

    /// The request, or what is to be stored of it, has more bytes than `bytes_max`.
    pub fn too_large(bytes_max: usize) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, said: Said::TooLarge(bytes_max), retry_after_s: None }
    }

    /// A query that names what there is not.
    pub fn unreadable(detail: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, "unreadable", "请求无法读取", "The request cannot be read", detail.into())
    }

    /// A fault of ours.
    pub fn internal() -> Self {
        Self::fixed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "系统出错，请稍后重试。",
            "Something went wrong here. Please try again later.",
        )
    }

    /// The database is away for a moment.
    pub fn unavailable() -> Self {
        let problem = Self::fixed(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "系统暂时不可用，请稍后重试。",
            "The system is not available at the moment. Please try again shortly.",
        );
        Self { retry_after_s: Some(2), ..problem }
    }

    /// A form of the staff without a reason.
    pub(crate) fn no_reason() -> Self {
        Self::fixed(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_reason",
            "请填写原因（1 至 200 个字）。",
            "Please give a reason of 1 to 200 characters.",
        )
    }

    /// A reason is kept for as long as the audit, in the clear.
    pub(crate) fn personal_reason() -> Self {
        let zh = "原因会长期留存，请勿填写手机号或证件号：请改用申请编号或患者编号。";
        let en = "A reason is kept and read by others: name no phone or ID number in it, but the application or the patient's id.";
        Self::fixed(StatusCode::UNPROCESSABLE_ENTITY, "personal_reason", zh, en)
    }

    /// A form of the console that is not filled in as it must be: why, in both languages.
    pub(crate) fn form(zh: impl Into<String>, en: impl Into<String>) -> Self {
        let said = Said::Form(zh.into(), en.into());
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, said, retry_after_s: None }
    }

    /// Title and sentence, for a page.
    pub(crate) fn in_words(&self, language: Language) -> (&'static str, String) {
        (title(self.status, language), self.detail(language))
    }

    fn code(&self) -> &'static str {
        match &self.said {
            Said::Refusal(refusal) => refusal.code(),
            Said::Staff(refused) => refused.code(),
            Said::Job(refused) => refused.code(),
            Said::Fixed(code, ..) | Said::With(code, ..) => code,
            Said::Form(..) => "invalid_request",
            Said::TooLarge(_) => "too_large",
            Said::Flawed(_) => "invalid_template",
        }
    }

    fn detail(&self, language: Language) -> String {
        match (&self.said, language) {
            (Said::Refusal(refusal), _) => refusal.message(language),
            (Said::Staff(refused), _) => verbs::refusal(refused, language),
            (Said::Job(refused), _) => jobs::refusal(refused, language),
            (Said::Fixed(_, zh, _), Language::ZhCn) => (*zh).to_owned(),
            (Said::Fixed(_, _, en), Language::En) => (*en).to_owned(),
            (Said::Form(zh, _), Language::ZhCn) => zh.clone(),
            (Said::Form(_, en), Language::En) => en.clone(),
            (Said::TooLarge(max), Language::ZhCn) => format!("请求内容超过 {} KiB。", max / 1024),
            (Said::TooLarge(max), Language::En) => format!("The request has more than {} KiB.", max / 1024),
            (Said::Flawed(flaws), _) => {
                let sentences: Vec<String> = flaws.iter().map(|flaw| flaw.message(language)).collect();
                sentences.join(if language == Language::ZhCn { "；" } else { "; " })
            }
            (Said::With(_, zh, _, what), Language::ZhCn) => format!("{zh}：{what}"),
            (Said::With(_, _, en, what), Language::En) => format!("{en}: {what}"),
        }
    }

    /// The body, with the fields of a refusal beside the standard ones.
    fn body(&self, language: Language, request_id: Option<&str>) -> Value {
        let mut body = match &self.said {
            Said::Refusal(refusal) => serde_json::to_value(refusal).ok().and_then(|value| match value {
                Value::Object(fields) => Some(fields),
                _ => None,
            }),
            Said::Staff(refused) => {
                let (owed, instead) = refused.alternatives();
                Some(Map::from_iter([("owed".to_owned(), json!(owed)), ("instead".to_owned(), json!(instead))]))
            }
            _ => None,
        }
        .unwrap_or_else(Map::new);
        if let Said::TooLarge(max) = self.said {
            body.insert("limit".to_owned(), json!(max));
        }
        if let Said::Flawed(flaws) = &self.said {
            body.insert("flaws".to_owned(), json!(flaws));
        }
        body.insert("type".to_owned(), json!(format!("urn:houbu:problem:{}", self.code())));
        body.insert("title".to_owned(), json!(title(self.status, language)));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail(language)));
        body.insert("code".to_owned(), json!(self.code()));
        if let Some(id) = request_id {
            body.insert("requestId".to_owned(), json!(id));
        }
        Value::Object(body)
    }
}

fn title(status: StatusCode, language: Language) -> &'static str {
    let (zh, en) = match status.as_u16() {
        400 => ("请求无法读取", "The request cannot be read"),
        401 => ("未通过身份验证", "Not authenticated"),
        403 => ("没有权限", "Not allowed"),
        404 => ("未找到", "Not found"),
        405 => ("不支持的请求方法", "Method not allowed"),
        410 => ("已失效", "No longer good"),
        429 => ("请求过于频繁", "Too many requests"),
        409 => ("与当前状态冲突", "Does not fit the present state"),
        413 => ("请求内容过大", "The request is too large"),
        415 => ("不支持的内容类型", "Unsupported content type"),
        422 => ("请求内容不正确", "The request is not right"),
        503 => ("暂时不可用", "Not available at the moment"),
        _ => ("系统出错", "Something went wrong"),
    };
    match language {
        Language::ZhCn => zh,
        Language::En => en,
    }
}

/// True where what was sent can never be stored: a NUL in a text, a date beyond all calendars (class 22), an id too long for
/// its index (class 54).
pub(super) fn cannot_be_stored(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let refused = code.is_some_and(|code| code.starts_with("22") || code.starts_with("54"));
    refused || matches!(error, sqlx::Error::Encode(_))
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if cannot_be_stored(&error) {
            return Self::form("内容含有无法保存的字符或数值。", "There is something in it that cannot be stored.");
        }
        tracing::error!(%error, "the database did not do a request");
        match error {
            error if is_passing(&error) => Self::unavailable(),
            _ => Self::internal(),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        refused_body(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        refused_body(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    /// Ids are opaque: one that cannot be ours is simply not there.
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

/// A body or query that could not be taken in.
pub(super) fn refused_body(status: StatusCode, what: String) -> Problem {
    match status.as_u16() {
        413 => Problem::too_large(BODY_BYTES_MAX),
        415 => Problem::fixed(
            status,
            "unsupported_media_type",
            "请求内容须为 application/json。",
            "The request must be application/json.",
        ),
        422 => Problem::invalid(what),
        _ => Problem::unreadable(what),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The language that a caller reads.
pub fn language_of(headers: &HeaderMap) -> Language {
    Language::preferred(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

/// Writes the body of a response that is a problem; leaves any other as it is.
pub(super) fn render(mut response: Response, language: Language, request_id: Option<&str>) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let body = problem.body(language, request_id).to_string();
    let (mut parts, _) = response.into_parts();
    parts.extensions.insert(Code(problem.code()));
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Response::from_parts(parts, Body::from(body))
}

/// The layer that renders every problem.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let language = language_of(request.headers());
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    render(response, language, id.as_ref().map(|id| id.0.as_str()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_fields_and_its_language() {
        let problem = Problem::from(Refusal::QueueFull { level: Level::Doctor });
        let body = problem.body(Language::En, Some("r1"));
        assert_eq!(body["code"], "queue_full");
        assert_eq!(body["level"], "doctor");
        assert_eq!(body["status"], 409);
        assert_eq!(body["type"], "urn:houbu:problem:queue_full");
        assert_eq!(body["requestId"], "r1");
        assert!(body["detail"].as_str().unwrap().starts_with("This doctor's waitlist is full"));
        assert!(problem.body(Language::ZhCn, None)["detail"].as_str().unwrap().contains("候补人数已满"));
        assert!(problem.body(Language::ZhCn, None).get("requestId").is_none());
    }

    #[test]
    fn a_rendered_problem_says_its_type_language_and_when_to_come_back() {
        let response = render(Problem::in_progress().into_response(), Language::En, None);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::CONTENT_LANGUAGE], "en");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let fine = render(StatusCode::NO_CONTENT.into_response(), Language::En, None);
        assert!(fine.headers().get(header::CONTENT_TYPE).is_none());
    }
}
