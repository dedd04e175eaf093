//! One request, until it is answered: its path, query and body, its key, and the tries.

use std::time::Duration;

use rand::RngExt;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Request, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::retries::Came;
use super::shapes::{Language, ProblemBody};
use super::{Client, Error, Reply};

const KEY: &str = "idempotency-key";
const REQUEST_ID: &str = "x-request-id";
const REPLAYED: &str = "idempotent-replayed";

/// What is asked.
pub(super) struct Asked {
    pub(super) method: Method,
    /// As the description has it, with names in braces.
    pub(super) path: &'static str,
    /// What stands for the names, in their order.
    pub(super) parts: Vec<String>,
}

/// The address of `path` under `base`, with `parts` for its names: whatever is in them stays within its segment.
fn address(base: &Url, path: &str, parts: &[String]) -> Result<Url, Error> {
    let mut url = base.clone();
    let mut parts = parts.iter();
    {
        let mut segments = url.path_segments_mut().map_err(|()| Error::Unaskable(format!("{base} has no path")))?;
        segments.pop_if_empty();
        for segment in path.split('/').skip(1) {
            if !segment.starts_with('{') {
                segments.push(segment);
                continue;
            }
            let part = parts.next().filter(|part| !matches!(part.as_str(), "" | "." | ".."));
            let part = part.ok_or_else(|| Error::Unaskable(format!("{segment} of {path} is empty, or a dot")))?;
            segments.push(part);
        }
    }
    Ok(url)
}

/// A request that is sent more than once.
pub(super) fn copy(request: &Request) -> Result<Request, Error> {
    request.try_clone().ok_or_else(|| Error::Unaskable("a body that cannot be sent again".to_owned()))
}

impl Client {
    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        asked: Asked,
        query: Option<&impl Serialize>,
        body: Option<&impl Serialize>,
    ) -> Result<Reply<T>, Error> {
        let url = address(&self.base, asked.path, &asked.parts)?;
        self.send(self.request(asked.method, url, query, body)?).await
    }

    /// A question without a body, not sent yet.
    pub(super) fn look(&self, asked: Asked, query: &impl Serialize) -> Result<Request, Error> {
        self.request(asked.method, address(&self.base, asked.path, &asked.parts)?, Some(query), None::<&()>)
    }

    /// The request, ready to be sent and sent again.
    fn request(
        &self,
        method: Method,
        url: Url,
        query: Option<&impl Serialize>,
        body: Option<&impl Serialize>,
    ) -> Result<Request, Error> {
        let is_post = method == Method::POST;
        let language = match self.language {
            Language::ZhCn => "zh-CN",
            Language::En => "en",
        };
        let mut request = self
            .http
            .request(method, url)
            .header(AUTHORIZATION, self.bearer.clone())
            .header(ACCEPT, "application/json")
            .header(ACCEPT_LANGUAGE, language);
        if let Some(query) = query {
            request = request.query(query);
        }
        if let Some(body) = body {
            let body = serde_json::to_vec(body).map_err(|error| Error::Unaskable(error.to_string()))?;
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        if is_post {
            request = request.header(KEY, self.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string()));
        }
        request.build().map_err(|error| Error::Unaskable(error.without_url().to_string()))
    }

    /// Sends a request until it is answered or there is no sense in it any more.
    pub(super) async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<Reply<T>, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (came, end) = match self.tried(copy(&request)?).await {
                Ok(Ok(reply)) => return reply.read(),
                Ok(Err((came, error))) => (came, error),
                Err(source) => (Came::Nothing, Error::Unreachable { tries, source: source.without_url() }),
            };
            let Some(wait) = self.retries.wait(tries, came, rand::rng().random_range(0.0..1.0)) else {
                return Err(end);
            };
            tracing::debug!(tries, wait_ms = wait.as_millis(), error = %end, "asked again");
            tokio::time::sleep(wait).await;
        }
    }

    /// One try: a success, what else was answered, or nothing at all.
    async fn tried(&self, request: Request) -> Result<Result<Answer, (Came, Error)>, reqwest::Error> {
        let response: Response = self.http.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, bytes: response.bytes().await?.to_vec() };
        if status.is_success() { Ok(Ok(answer)) } else { Ok(Err(answer.refusal())) }
    }
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn request_id(&self) -> Option<String> {
        self.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned)
    }

    fn unreadable(&self, what: impl Into<String>) -> Error {
        Error::Unreadable { status: self.status, what: what.into(), request_id: self.request_id() }
    }

    fn read<T: DeserializeOwned>(self) -> Result<Reply<T>, Error> {
        // What has no body says nothing.
        let bytes: &[u8] = if self.bytes.is_empty() { b"null" } else { &self.bytes };
        let body = serde_json::from_slice(bytes).map_err(|error| self.unreadable(error.to_string()))?;
        let replayed = self.headers.contains_key(REPLAYED);
        Ok(Reply { body, status: self.status, request_id: self.request_id(), replayed })
    }

    fn refusal(&self) -> (Came, Error) {
        let retry_after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let problem = serde_json::from_slice::<ProblemBody>(&self.bytes);
        let in_progress = problem.as_ref().is_ok_and(|problem| problem.code == "in_progress");
        let retry_after = retry_after.map(Duration::from_secs);
        let came = Came::Status { status: self.status.as_u16(), retry_after, in_progress };
        let error = match problem {
            Ok(problem) => {
                let request_id = problem.request_id.or_else(|| self.request_id());
                Error::Refused(Box::new(ProblemBody { request_id, ..problem }))
            }
            Err(_) => self.unreadable("it is no problem of this API"),
        };
        (came, error)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_id_contains_stays_in_its_place() {
        let base: Url = "https://houbu.example/api".parse().unwrap();
        let at = |part: &str| address(&base, "/v1/patients/{patientId}/export", &[part.to_owned()]);
        let table =
            [("p-1", "p-1"), ("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("张", "%E5%BC%A0"), ("a%2Fb", "a%252Fb")];
        for (part, written) in table {
            let url = at(part).unwrap();
            assert_eq!(url.as_str(), format!("https://houbu.example/api/v1/patients/{written}/export"), "{part}");
        }
        for wrong in ["", ".", ".."] {
            assert!(matches!(at(wrong), Err(Error::Unaskable(_))), "{wrong}");
        }
    }
}
