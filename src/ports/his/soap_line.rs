//! 健康通 in SOAP: a function in its sealed envelope there, the answer in its own back.

use serde::Serialize;

use super::charset::Charset;
use super::connection::{Config, SetupError};
use super::envelope::{Envelope, EnvelopeError};
use super::replies::{Answer, broken, heard, unknown};
use super::return_code::{Function, outcome};
use super::{messages, soap};
use crate::ports::CallError;
use crate::ports::calling::carried;

/// The way to a SOAP service.
pub(super) struct SoapLine {
    url: String,
    charset: Charset,
    envelope: Envelope,
    http: reqwest::Client,
}

impl SoapLine {
    pub(super) fn new(config: &Config) -> Result<Self, SetupError> {
        let envelope = Envelope::new(&config.credentials())?.in_charset(config.charset);
        Ok(Self { url: config.url.clone(), charset: config.charset, envelope, http: config.http()? })
    }

    pub(super) async fn ask(&self, function: Function, body: &impl Serialize) -> Result<Answer, CallError> {
        let ours = |what| broken(function, format!("the request could not be written: {what}"));
        let body = messages::write_request(body).map_err(|_| ours("body"))?;
        let root = self.envelope.seal_request(function.code(), &body).map_err(|_| ours("envelope"))?;
        let raw = self.send(function, &soap::request(function.name(), &root)).await?;
        let reply = self.envelope.open_reply(&raw).map_err(|error| self.unopened(function, error, &raw))?;
        let outcome = outcome(function, &reply.code, &reply.message)?;
        Ok(Answer { function, outcome, body: reply.body })
    }

    async fn send(&self, function: Function, soap: &str) -> Result<Vec<u8>, CallError> {
        let request = self
            .http
            .post(&self.url)
            .header("Content-Type", format!("text/xml; charset={}", self.charset.name()))
            .header("SOAPAction", format!("\"http://tempuri.org/{}\"", function.name()))
            .body(soap::bytes(soap, self.charset));
        let response =
            carried(request).send().await.map_err(|error| CallError::unanswered("his", function.label(), &error))?;
        match response.status().as_u16() {
            200 => heard(function.label(), response).await,
            429 => Err(CallError::NotTaken { system: "his", detail: "HTTP 429".into() }),
            // SOAP faults come with 500: the service may have got as far as doing the work.
            status @ (408 | 500..) => Err(unknown(function, format!("HTTP {status}"))),
            other => Err(broken(function, format!("HTTP {other}"))),
        }
    }

    /// A reply that cannot be believed says nothing about the request. One that complains about *our* signature with a
    /// signature that we in turn find wrong is what two different keys look like: that is for a person.
    fn unopened(&self, function: Function, error: EnvelopeError, raw: &[u8]) -> CallError {
        let complains = || soap::root(raw, self.charset).is_ok_and(|fields| fields.get("RETURN_CODE") == Some("7"));
        match error {
            EnvelopeError::Signature if complains() => {
                broken(function, "RETURN_CODE 7, itself signed with another key: the two sides' KEY differ")
            }
            EnvelopeError::Signature => unknown(function, "the reply's signature is wrong"),
            _ => unknown(function, "the reply cannot be read"),
        }
    }
}
