//! The hospital's own message platform (统一下发平台), where there is one: it knows how patients are reached, and keeps the
//! account at WeChat to itself.
//!
//! Platforms differ; this one call is what is asked of the hospital's, or of what is put before it:
//! `POST <url>` with `Authorization: Bearer <key>` and `{"id", "openid", "template", "fields"}`, answered as an SMS gateway
//! answers (`sms`): `{"code", "messageId"}`, code 0: taken, 1: this receiver is not reached, 2: the text is refused, 3: not now.
//! **The same `id` is one message for ever.** What became of it, it may tell later: `POST /callbacks/messages/events`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::CallError;
use super::super::calling::{address, carried, client, heard, traced};
use super::sms::{answered, probed};
use super::{ConfigError, Message, Messages, Sent};

const SYSTEM: &str = "message-platform";
/// By its limits' name, which traces show too.
const DESTINATION: &str = "messages";
const SEND: &str = "send message";
const PROBE: &str = "refusal of an empty message";

/// What the client needs to know.
#[derive(Debug, Clone)]
pub struct PlatformConfig {
    /// Where it is asked.
    pub url: String,
    /// Our key there.
    pub key: SecretString,
    /// How long a call may take.
    pub timeout: Duration,
}

/// The client.
#[derive(Debug)]
pub struct MessagePlatform {
    key: SecretString,
    url: Url,
    http: reqwest::Client,
}

impl MessagePlatform {
    /// A client of this configuration.
    pub fn new(config: PlatformConfig) -> Result<Self, ConfigError> {
        let url = address(&config.url).ok_or(ConfigError::BaseUrl)?;
        let http = client(&url, config.timeout).build()?;
        Ok(Self { key: config.key, url, http })
    }

    /// Whether it answers and knows our key: it is asked to send nothing to nobody, which it refuses.
    pub async fn probe(&self, id: &str) -> Result<(), CallError> {
        let nothing = Message {
            openid: String::new(),
            template_id: String::new(),
            client_msg_id: id.to_owned(),
            fields: BTreeMap::new(),
            subscribed: false,
        };
        probed((SYSTEM, PROBE), self.ask(&nothing).await?)
    }

    async fn ask(&self, message: &Message) -> Result<Sent, CallError> {
        let body = json!({
            "id": message.client_msg_id,
            "openid": message.openid,
            "template": message.template_id,
            "fields": message.fields,
        });
        let request = self.http.post(self.url.clone()).bearer_auth(self.key.expose_secret()).json(&body);
        let response = carried(request).send().await.map_err(|error| CallError::unanswered(SYSTEM, SEND, &error))?;
        let status = response.status().as_u16();
        let body = heard(SYSTEM, SEND, response).await?;
        answered((SYSTEM, SEND), status, &body)
    }
}

#[async_trait]
impl Messages for MessagePlatform {
    async fn send(&self, message: &Message) -> Result<Sent, CallError> {
        traced(DESTINATION, SEND, self.ask(message)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::{Json, Router, routing::post};
    use serde_json::Value;

    use super::*;

    type Seen = Arc<Mutex<Vec<(String, Value)>>>;

    /// A platform that answers with the status and body that the message's fields ask for, and its address.
    async fn platform() -> (String, Seen) {
        let seen = Seen::default();
        let answer = async |State(seen): State<Seen>, headers: HeaderMap, Json(body): Json<Value>| {
            let key = headers["authorization"].to_str().unwrap().to_owned();
            let status = body["fields"]["status"].as_str().unwrap().parse().unwrap();
            let text = body["fields"]["answer"].as_str().unwrap().to_owned();
            seen.lock().unwrap().push((key, body));
            (StatusCode::from_u16(status).unwrap(), text)
        };
        let router = Router::new().route("/send", post(answer)).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/send", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (url, seen)
    }

    fn client(url: &str) -> MessagePlatform {
        let (url, key) = (url.to_owned(), SecretString::from("hush-hush"));
        MessagePlatform::new(PlatformConfig { url, key, timeout: Duration::from_secs(20) }).unwrap()
    }

    fn message(status: &str, answer: &str) -> Message {
        let fields = [("status", status), ("answer", answer)].map(|(name, text)| (name.to_owned(), text.to_owned()));
        Message {
            openid: "o1".to_owned(),
            template_id: "BOOKED".to_owned(),
            client_msg_id: "M1".to_owned(),
            fields: BTreeMap::from(fields),
            subscribed: false,
        }
    }

    #[tokio::test]
    async fn r23_the_hospitals_own_platform_is_asked_and_its_answers_are_told_apart() {
        let (url, seen) = platform().await;
        let client = client(&url);
        let sent = client.send(&message("200", r#"{"code":0,"messageId":"7"}"#)).await;
        assert_eq!(sent, Ok(Sent::Accepted { msg_id: "7".to_owned() }));
        let (key, body) = seen.lock().unwrap()[0].clone();
        assert_eq!(key, "Bearer hush-hush");
        let named = [&body["id"], &body["openid"], &body["template"]];
        assert_eq!(named, ["M1", "o1", "BOOKED"]);

        let unreachable = client.send(&message("200", r#"{"code":1}"#)).await;
        assert_eq!(unreachable, Ok(Sent::Unreachable { code: 1 }));
        let rejected = client.send(&message("200", r#"{"code":2}"#)).await;
        assert_eq!(rejected, Ok(Sent::Rejected { code: 2 }));
        for (status, answer) in [("200", r#"{"code":3}"#), ("429", "")] {
            assert!(matches!(client.send(&message(status, answer)).await, Err(CallError::NotTaken { .. })));
        }
        for (status, answer) in [("200", "<html>"), ("502", ""), ("302", "")] {
            assert!(matches!(client.send(&message(status, answer)).await, Err(CallError::Unknown { .. })));
        }
        let broken = client.send(&message("401", "")).await;
        assert!(matches!(&broken, Err(CallError::Broken { system, .. }) if *system == SYSTEM), "{broken:?}");
    }

    #[tokio::test]
    async fn r23_where_the_platform_is_away_nothing_was_sent() {
        let sent = client("http://127.0.0.1:9/send").send(&message("200", "")).await;
        assert!(matches!(sent, Err(CallError::NotTaken { .. })), "{sent:?}");
        assert!(!format!("{:?}", client("http://127.0.0.1:9/send")).contains("hush"));
    }
}
