//! One FHIR request over HTTP, and what its status and its `OperationOutcome` come to: one pure table.

use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};

use super::oauth::Grant;
use super::resources::{OperationOutcome, Resource};
use super::words;
use crate::ports::CallError;
use crate::ports::calling::{carried, traced};
use crate::ports::his::connection::{Config, SetupError};
use crate::ports::his::json_line::base;
use crate::ports::his::replies::heard;

const JSON: &str = "application/fhir+json";

/// An answer that the call itself understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// 200, 204: done, or done before.
    Done,
    /// 201: made by this request.
    Created,
    /// The server says itself that there is no such thing.
    Nowhere,
    /// A business failure: the six digits of 健康通, else FHIR's own issue type (`conflict`, `duplicate`, `business-rule`).
    Business(String),
}

/// Reads a status and the outcome beside it. `reads`: the call changes nothing.
///
/// A 404 whose `OperationOutcome` does not say `not-found` or `deleted` is a wrong address, or something that the server cannot do:
/// it says nothing about what was asked for.
pub fn met(call: &'static str, status: u16, outcome: Option<&OperationOutcome>) -> Result<Met, CallError> {
    let broken = |detail: String| CallError::Broken { system: "his", call, detail };
    let unknown = || CallError::unknown("his", call, format!("HTTP {status}"));
    let six = outcome.and_then(words::code_of).map(str::to_owned);
    let kind = outcome.and_then(|it| it.issue.first()).map(|issue| issue.code.as_str());
    let http =
        || format!("HTTP {status} {}", kind.filter(|kind| short(kind)).unwrap_or_default()).trim_end().to_owned();
    match (status, six, kind) {
        (200 | 204, ..) => Ok(Met::Done),
        (201, ..) => Ok(Met::Created),
        (429, ..) | (503, _, Some("throttled" | "transient")) => Err(CallError::not_taken("his", http())),
        (408 | 500.. | 202..=299, ..) => Err(unknown()),
        (400 | 404 | 409 | 410 | 412 | 422, Some(code), _) => Ok(Met::Business(code)),
        (404 | 410, None, Some("not-found" | "deleted")) => Ok(Met::Nowhere),
        (409 | 412 | 422, None, Some(code @ ("conflict" | "duplicate" | "business-rule"))) => {
            Ok(Met::Business(code.to_owned()))
        }
        _ => Err(broken(http())),
    }
}

fn short(kind: &str) -> bool {
    kind.len() <= 24 && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The token that every request carries.
enum Bearer {
    Fixed(SecretString),
    Granted(Box<Grant>),
}

/// The way to a FHIR server.
pub(super) struct Line {
    base: Url,
    bearer: Bearer,
    http: reqwest::Client,
}

/// An answer with its resource, if one came that can be read.
pub(super) struct Heard {
    pub(super) call: &'static str,
    pub(super) met: Met,
    pub(super) resource: Option<Resource>,
}

impl Heard {
    pub(super) fn unreadable(&self) -> CallError {
        CallError::unknown("his", self.call, "the reply is no such resource")
    }

    /// A business failure that this call has no word for.
    pub(super) fn surprise(&self, code: &str) -> CallError {
        CallError::Broken { system: "his", call: self.call, detail: format!("business code {code}") }
    }
}

impl Line {
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let bearer = match &config.oauth {
            Some(oauth) => Bearer::Granted(Box::new(Grant::new(oauth, config.timeout)?)),
            None => Bearer::Fixed(config.sign_key.clone()),
        };
        Ok(Self { base: base(&config.url)?, bearer, http: config.http()? })
    }

    /// A request under the base address; none where that cannot be built.
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        match self.base.join(path) {
            Ok(url) => self.http.request(method, url).query(query),
            Err(_) => self.http.request(method, path),
        }
    }

    /// The next page of a list, if it lies under the base address: our token goes nowhere else.
    pub(super) fn follow(&self, next: &str) -> Option<RequestBuilder> {
        let url = self.base.join(next).ok()?;
        let ours = url.origin() == self.base.origin() && url.path().starts_with(self.base.path());
        ours.then(|| self.http.get(url))
    }

    /// A resource as a body.
    pub(super) fn with(request: RequestBuilder, resource: &Resource) -> RequestBuilder {
        // Writing these resources cannot fail; if it did, an empty body would be refused.
        request.header("Content-Type", JSON).body(serde_json::to_vec(resource).unwrap_or_default())
    }

    /// With the token; where that is refused, nothing was done, and the request goes once more with another one.
    async fn sent(&self, call: &'static str, request: RequestBuilder) -> Result<reqwest::Response, CallError> {
        let send = async |request: RequestBuilder, token: &SecretString| {
            let request = request.bearer_auth(token.expose_secret());
            request.send().await.map_err(|error| CallError::unanswered("his", call, &error))
        };
        let grant = match &self.bearer {
            Bearer::Fixed(token) => return send(request, token).await,
            Bearer::Granted(grant) => grant,
        };
        let (token, again) = (grant.token(None).await?, request.try_clone());
        let response = send(request, &token).await?;
        match again {
            Some(again) if response.status() == reqwest::StatusCode::UNAUTHORIZED => {
                send(again, &grant.token(Some(&token)).await?).await
            }
            _ => Ok(response),
        }
    }

    pub(super) async fn ask(&self, call: &'static str, request: RequestBuilder) -> Result<Heard, CallError> {
        traced("his", call, async {
            let response = self.sent(call, carried(request.header("Accept", JSON))).await?;
            let status = response.status().as_u16();
            let raw = heard(call, response).await?;
            let resource: Option<Resource> = serde_json::from_slice(&raw).ok();
            let outcome = resource.as_ref().and_then(|it| match it {
                Resource::OperationOutcome(outcome) => Some(outcome),
                _ => None,
            });
            let met = met(call, status, outcome)?;
            if let Met::Business(code) = &met {
                tracing::Span::current().record("code", code.as_str());
            }
            Ok(Heard { call, met, resource })
        })
        .await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::resources::{Concept, Issue};
    use super::*;

    fn outcome(kind: &str, code: Option<&str>) -> OperationOutcome {
        let details = code.map(|code| Concept::of(words::CODE, code));
        OperationOutcome { issue: vec![Issue { severity: "error".into(), code: kind.into(), details }] }
    }

    fn said(status: u16, outcome: Option<OperationOutcome>) -> String {
        match met("book", status, outcome.as_ref()) {
            Ok(met) => format!("{met:?}"),
            Err(CallError::NotTaken { .. } | CallError::NotNow { .. }) => "not taken".to_owned(),
            Err(CallError::Unknown { .. }) => "unknown".to_owned(),
            Err(CallError::Broken { .. }) => "broken".to_owned(),
        }
    }

    #[test]
    fn the_table() {
        for (status, kind, code, expected) in [
            (200, None, None, "Done"),
            (201, None, None, "Created"),
            (204, None, None, "Done"),
            (202, None, None, "unknown"),
            (302, None, None, "broken"),
            (400, Some("invalid"), None, "broken"),
            (401, Some("login"), None, "broken"),
            (403, Some("forbidden"), None, "broken"),
            (404, None, None, "broken"),
            (404, Some("not-supported"), None, "broken"),
            (404, Some("security"), None, "broken"),
            (404, Some("not-found"), None, "Nowhere"),
            (410, Some("deleted"), None, "Nowhere"),
            (404, Some("not-found"), Some("200901"), "Business(\"200901\")"),
            (408, None, None, "unknown"),
            (409, Some("conflict"), Some("200506"), "Business(\"200506\")"),
            (409, Some("conflict"), None, "Business(\"conflict\")"),
            (409, None, None, "broken"),
            (412, Some("multiple-matches"), None, "broken"),
            (422, Some("business-rule"), Some("200701"), "Business(\"200701\")"),
            (429, None, None, "not taken"),
            (500, Some("exception"), None, "unknown"),
            (503, Some("transient"), None, "not taken"),
            (503, None, None, "unknown"),
        ] {
            assert_eq!(said(status, kind.map(|kind| outcome(kind, code))), expected, "{status} {kind:?} {code:?}");
        }
    }

    #[test]
    fn an_error_repeats_no_text_of_the_server() {
        let told = outcome("张三 110101199003071234", None);
        assert!(!met("book", 400, Some(&told)).unwrap_err().to_string().contains("1101"));
    }
}
