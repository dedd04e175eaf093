//! The SMS gateway of the hospital: one text to one phone, where the message platform reaches nobody.
//!
//! Gateways differ; this one call is what is asked of the hospital's, or of what is put before it:
//! `POST <url>` with `Authorization: Bearer <key>` and `{"id", "phone", "text"}`, answered `{"code", "messageId"}`. Code 0:
//! taken. 1: this phone gets nothing. 2: the text is refused. 3: not now. **The same `id` is one SMS for ever**: it is taken once,
//! and answered with code 0 however often it comes, since an answer can be lost.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::CallError;
use super::super::calling::{address, carried, client, heard, traced};
use super::Sent;

const SYSTEM: &str = "sms";
/// By its limits' name, which traces show too.
const DESTINATION: &str = "sms";
const SEND: &str = "send SMS";
const PROBE: &str = "refusal of an empty SMS";

/// One SMS.
#[derive(Clone)]
pub struct SmsMessage {
    /// Ours; the gateway drops repetitions by it.
    pub id: String,
    /// The receiver.
    pub phone: String,
    /// What is said.
    pub text: String,
}

impl std::fmt::Debug for SmsMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmsMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is needed of a gateway.
#[async_trait]
pub trait Sms: Send + Sync {
    /// Sends one SMS.
    async fn send(&self, message: &SmsMessage) -> Result<Sent, CallError>;
}

/// What the client needs to know.
#[derive(Debug, Clone)]
pub struct SmsConfig {
    /// Where it is asked.
    pub url: String,
    /// Our key there.
    pub key: SecretString,
    /// How long a call may take.
    pub timeout: Duration,
}

/// The client.
#[derive(Debug)]
pub struct SmsGateway {
    config: SmsConfig,
    url: Url,
    http: reqwest::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    code: i64,
    message_id: Option<String>,
}

impl SmsGateway {
    /// A client of this configuration.
    pub fn new(config: SmsConfig) -> Result<Self, super::ConfigError> {
        let url = address(&config.url).ok_or(super::ConfigError::BaseUrl)?;
        let http = client(&url, config.timeout).build()?;
        Ok(Self { config, url, http })
    }

    /// Whether it answers and knows our key: it is asked to send nothing to nobody, which it refuses.
    pub async fn probe(&self, id: &str) -> Result<(), CallError> {
        let nothing = SmsMessage { id: id.to_owned(), phone: String::new(), text: String::new() };
        probed((SYSTEM, PROBE), self.ask(&nothing).await?)
    }

    async fn ask(&self, message: &SmsMessage) -> Result<Sent, CallError> {
        let body = json!({ "id": message.id, "phone": message.phone, "text": message.text });
        let request = self.http.post(self.url.clone()).bearer_auth(self.config.key.expose_secret()).json(&body);
        let response = carried(request).send().await.map_err(|error| CallError::unanswered(SYSTEM, SEND, &error))?;
        let status = response.status().as_u16();
        let body = heard(SYSTEM, SEND, response).await?;
        answered((SYSTEM, SEND), status, &body)
    }
}

#[async_trait]
impl Sms for SmsGateway {
    async fn send(&self, message: &SmsMessage) -> Result<Sent, CallError> {
        traced(DESTINATION, SEND, self.ask(message)).await
    }
}

/// What it means that something empty was refused, or taken.
pub(super) fn probed((system, call): (&'static str, &'static str), sent: Sent) -> Result<(), CallError> {
    match sent {
        Sent::Unreachable { .. } | Sent::Rejected { .. } => Ok(()),
        Sent::Accepted { .. } => {
            let detail = "it takes a message that says nothing to nobody".to_owned();
            Err(CallError::Broken { system, call, detail })
        }
    }
}

/// What a gateway's answer means; `(system, call)` is who is asked, for errors.
pub(super) fn answered(
    (system, call): (&'static str, &'static str),
    status: u16,
    body: &[u8],
) -> Result<Sent, CallError> {
    let broken = |detail| Err(CallError::Broken { system, call, detail });
    match status {
        200 => {}
        429 => return Err(CallError::not_taken(system, "frequency limited")),
        400..=499 => return broken(format!("HTTP {status}")),
        _ => return Err(CallError::unknown(system, call, format!("HTTP {status}"))),
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| CallError::unknown(system, call, "the answer cannot be read"))?;
    match answer.code {
        0 => Ok(Sent::Accepted { msg_id: answer.message_id.unwrap_or_default() }),
        1 => Ok(Sent::Unreachable { code: 1 }),
        2 => Ok(Sent::Rejected { code: 2 }),
        3 => Err(CallError::not_taken(system, "not now")),
        code => broken(format!("code {code}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &[u8]) -> Result<Sent, CallError> {
        super::answered((SYSTEM, SEND), status, body)
    }

    #[test]
    fn r23_what_the_gateway_answers_is_told_apart() {
        let taken = answered(200, br#"{"code":0,"messageId":"7"}"#);
        assert_eq!(taken, Ok(Sent::Accepted { msg_id: "7".to_owned() }));
        assert_eq!(answered(200, br#"{"code":1}"#), Ok(Sent::Unreachable { code: 1 }));
        assert_eq!(answered(200, br#"{"code":2}"#), Ok(Sent::Rejected { code: 2 }));
        assert!(matches!(answered(200, br#"{"code":3}"#), Err(CallError::NotTaken { .. })));
        assert!(matches!(answered(429, b""), Err(CallError::NotTaken { .. })));
        assert!(matches!(answered(200, br#"{"code":9}"#), Err(CallError::Broken { .. })));
        assert!(matches!(answered(401, b""), Err(CallError::Broken { .. })));
        for (status, body) in [(200, "{}"), (200, "<html>"), (502, "")] {
            assert!(matches!(answered(status, body.as_bytes()), Err(CallError::Unknown { .. })), "{status} {body}");
        }
    }

    #[test]
    fn r23_neither_key_nor_phone_nor_text_is_shown() {
        let (url, key) = ("http://127.0.0.1:9/sms".to_owned(), SecretString::from("hush-hush"));
        let config = SmsConfig { url, key, timeout: Duration::from_secs(1) };
        assert!(!format!("{:?}", SmsGateway::new(config).unwrap()).contains("hush"));
        let message =
            SmsMessage { id: "S1".to_owned(), phone: "13800138000".to_owned(), text: "您候补的号源".to_owned() };
        assert_eq!(format!("{message:?}"), "SmsMessage { id: \"S1\", .. }");
    }
}
