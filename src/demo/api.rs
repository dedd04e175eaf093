//! Houbu's JSON API as the hospital's backend services call it. Says what was answered; never repeats by itself.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// Longer than any answer takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the API answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// 2xx.
    Done(Value),
    /// A problem of the 400s with its `code`.
    Refused(String),
    /// No answer within the caller's patience.
    Silence,
    /// Anything else; noted as trouble.
    Trouble,
}

/// A caller of the API.
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
    troubles: Mutex<Vec<String>>,
}

impl Api {
    /// A caller with this key.
    pub(super) fn new(base: &str, key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, key: key.to_owned(), troubles: Mutex::default() })
    }

    pub(super) async fn get(&self, path: &str) -> Told {
        self.ask(Method::GET, path, |request| request).await
    }

    pub(super) async fn delete(&self, path: &str) -> Told {
        self.ask(Method::DELETE, path, |request| request).await
    }

    pub(super) async fn put(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Told {
        self.ask(Method::PUT, path, |request| request.json(body)).await
    }

    pub(super) async fn post(&self, path: &str, key: &str, body: &(impl Serialize + ?Sized)) -> Told {
        self.ask(Method::POST, path, |request| request.header("idempotency-key", key).json(body)).await
    }

    /// A POST whose caller leaves before the answer, should it take longer than `patience`.
    pub(super) async fn post_briefly(&self, path: &str, key: &str, patience: Duration) -> Told {
        let body = serde_json::json!({});
        let fill = |request: RequestBuilder| request.header("idempotency-key", key).json(&body).timeout(patience);
        self.ask(Method::POST, path, fill).await
    }

    /// What was answered that should never be: a 5xx, no connection, something unreadable.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn ask(&self, method: Method, path: &str, fill: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Told {
        let request = fill(self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => return Told::Silence,
            Err(error) => return self.trouble(&method, path, &error.without_url().to_string()),
        };
        let status = answer.status();
        let body = match answer.bytes().await {
            Ok(body) => body,
            Err(error) if error.is_timeout() => return Told::Silence,
            Err(error) => return self.trouble(&method, path, &error.without_url().to_string()),
        };
        if status == StatusCode::NO_CONTENT {
            return Told::Done(Value::Null);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&body) else {
            return self.trouble(&method, path, &format!("{status} with a body that is not JSON"));
        };
        if status.is_success() {
            return Told::Done(body);
        }
        match body.get("code").and_then(Value::as_str) {
            Some(code) if status.is_client_error() => Told::Refused(code.to_owned()),
            _ => self.trouble(&method, path, &status.to_string()),
        }
    }

    fn trouble(&self, method: &Method, path: &str, what: &str) -> Told {
        tracing::warn!(%method, path, what, "the API did not answer as it should");
        self.troubles
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(format!("{method} {path}: {what}"));
        Told::Trouble
    }
}
