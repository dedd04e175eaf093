//! 健康通's functions in JSON: `POST <url>/<code>` of `{"function", "userId", "data"}`, answered `{"code", "message", "data"}`,
//! both stamped (see [`crate::ports::stamp`]).
//!
//! The code says what came of it, as `RETURN_CODE` does, whatever the HTTP status is; a status alone is believed only where it
//! cannot have been a yes.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::connection::{Config, SetupError};
use super::json;
use super::replies::{Answer, broken, heard, unknown};
use super::return_code::{Function, outcome};
use crate::ports::CallError;
use crate::ports::calling::{address, carried};
use crate::ports::stamp::{Stamp, Stamper, Way};

/// The code of a request whose timestamp the other side finds too far from its own clock. Nothing was done.
pub const STALE: &str = "stale";

/// A request. Personal data: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Asking {
    pub function: String,
    pub user_id: String,
    pub data: Value,
}

/// An answer.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Answering {
    /// `RETURN_CODE`: `0`, a six-digit business code, `1`, `7`, `10`, `99`; or [`STALE`].
    pub code: String,
    /// Never repeated: it may name a patient.
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub data: Value,
}

/// The way to a JSON service.
pub(super) struct JsonLine {
    url: Url,
    user_id: String,
    stamper: Stamper,
    http: reqwest::Client,
    /// How far the other side's clock is ahead of ours, as its last complaint said, s.
    ahead_s: AtomicI64,
}

impl JsonLine {
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let (stamper, ahead_s) = (Stamper::new(&config.sign_key), AtomicI64::new(0));
        Ok(Self { url: base(&config.url)?, user_id: config.user_id.clone(), stamper, http: config.http()?, ahead_s })
    }

    pub(super) async fn ask(&self, function: Function, body: &impl Serialize) -> Result<Answer, CallError> {
        let ours = || broken(function, "the request could not be written");
        let data = json::write(body).map_err(|_| ours())?;
        let asking = Asking { function: function.code().to_owned(), user_id: self.user_id.clone(), data };
        let body = serde_json::to_vec(&asking).map_err(|_| ours())?;
        let url = self.url.join(function.code()).map_err(|_| ours())?;
        let nonce = Uuid::new_v4().simple().to_string();
        let at = Utc::now() + TimeDelta::seconds(self.ahead_s.load(Ordering::Relaxed));
        let mut request = self.http.post(url).header("Content-Type", "application/json");
        for (name, value) in self.stamper.sign(Way::Call, at, &nonce, &body).headers() {
            request = request.header(name, value);
        }
        let response = carried(request.body(body))
            .send()
            .await
            .map_err(|error| CallError::unanswered("his", function.label(), &error))?;
        let status = response.status().as_u16();
        let stamp = Stamp::read(response.headers()).ok();
        let raw = heard(function.label(), response).await?;
        let said = stamp.filter(|stamp| stamp.nonce == nonce && self.stamper.verify(Way::Answer, stamp, &raw).is_ok());
        match said {
            Some(stamp) => self.understand(function, &stamp, &raw),
            None => Err(unsaid(function, status, &raw)),
        }
    }

    /// An answer that the HIS gave, to this request.
    fn understand(&self, function: Function, stamp: &Stamp, raw: &[u8]) -> Result<Answer, CallError> {
        let answering: Answering =
            serde_json::from_slice(raw).map_err(|_| unknown(function, "the reply cannot be read"))?;
        if answering.code == STALE {
            return Err(self.set_right(stamp.at));
        }
        let outcome = outcome(function, &answering.code, &answering.message)?;
        // A body that cannot be read is no body; the signed code counts all the same.
        let body = match &answering.data {
            Value::Null => Some(String::new()),
            data => json::as_xml(data).ok(),
        };
        Ok(Answer { function, outcome, body })
    }

    /// The two clocks differ: from now on we write the other side's time. Nothing was done.
    fn set_right(&self, theirs: DateTime<Utc>) -> CallError {
        let ahead_s = (theirs - Utc::now()).num_seconds();
        self.ahead_s.store(ahead_s, Ordering::Relaxed);
        tracing::warn!(ahead_s, "the clock of HIS and ours differ; ours should be kept by NTP, and theirs too");
        CallError::NotTaken { system: "his", detail: format!("its clock is {ahead_s} s ahead of ours") }
    }
}

/// What all paths begin with.
pub(super) fn base(url: &str) -> Result<Url, SetupError> {
    address(&format!("{}/", url.trim_end_matches('/'))).ok_or(SetupError::Address)
}

/// An answer that nobody signed for us: a proxy's, or one of another key.
fn unsaid(function: Function, status: u16, raw: &[u8]) -> CallError {
    let complains = || serde_json::from_slice::<Answering>(raw).is_ok_and(|answer| answer.code == "7");
    match status {
        429 => CallError::NotTaken { system: "his", detail: "HTTP 429".into() },
        200 | 401 if complains() => {
            broken(function, "code 7, itself signed with another key: the two sides' keys differ")
        }
        200..=299 => unknown(function, "the reply's signature is wrong or missing"),
        408 | 500.. => unknown(function, format!("HTTP {status}")),
        other => broken(function, format!("HTTP {other}")),
    }
}
