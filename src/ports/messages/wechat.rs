//! The client of WeChat template and subscribe messages: one message a call, and the access token that it needs.
//!
//! The token stands in a book that all processes share (`tokens`): one of them asks for it, and the others take what it
//! brought. It is asked for plainly first, which leaves a token that others hold valid; a forced refresh, which does not,
//! comes only after the platform refused the very token it had just given.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::CallError;
use super::super::calling::{address, carried, client, heard, small, traced};
use super::tokens::{BookError, OwnBook, Token, TokenBook};
use super::{Message, Messages, Sent};

const SYSTEM: &str = "wechat-messages";
/// By its limits' name, which traces show too.
const DESTINATION: &str = "messages";
const SEND: &str = "send template message";
const TOKEN: &str = "stable_token";

/// A token is given up this long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_mins(5);

/// While another process asks for the token, the book is looked at so often,
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// and so many times; then the message is sent later.
const LOOKS: u32 = 40;

/// What the client needs to know of our account.
#[derive(Debug, Clone)]
pub struct Config {
    /// For example `https://api.weixin.qq.com`.
    pub base_url: String,
    /// The service account (`appid`).
    pub app_id: String,
    /// Its `secret`.
    pub secret: SecretString,
    /// How long one call may take.
    pub timeout: Duration,
    /// Where messages lead.
    pub leads: Leads,
    /// By which call subscribe messages are sent.
    pub subscribe_by: SubscribeBy,
}

/// Where whoever opens a message is led; nowhere where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Leads {
    /// A page of the web.
    pub url: Option<String>,
    /// A page of a mini-program; it takes the place of the other where a phone can open it.
    pub mini_program: Option<MiniProgram>,
}

/// A page of a mini-program.
#[derive(Debug, Clone)]
pub struct MiniProgram {
    /// Its `appid`.
    pub app_id: String,
    /// The page, with its query.
    pub page: String,
}

/// The call of subscribe messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscribeBy {
    /// `bizsend`, of a service account.
    #[default]
    ServiceAccount,
    /// `send`, of a mini-program.
    MiniProgram,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// `base_url` is no `http(s)` address.
    #[error("the base address of WeChat is not an http(s) address")]
    BaseUrl,
    /// The HTTP client could not be built.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// The client.
#[derive(Debug)]
pub struct WechatMessages {
    config: Config,
    base: String,
    http: reqwest::Client,
    book: Arc<dyn TokenBook>,
    /// What this process has read of the book.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    value: SecretString,
    ends: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    expires_in: Option<u64>,
    #[serde(default)]
    errcode: i64,
}

#[derive(Deserialize)]
struct SendAnswer {
    errcode: i64,
    msgid: Option<serde_json::Value>,
}

/// What an `errcode` of sending means (4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Accepted,
    TokenBad,
    Unreachable,
    Rejected,
    NotTaken,
    Unknown,
    Broken,
}

/// The table of 4.2. A code that is not in it is for a person.
fn meaning(errcode: i64) -> Meaning {
    match errcode {
        0 => Meaning::Accepted,
        40001 | 40014 | 42001 => Meaning::TokenBad,
        40003 | 43004 | 43101 => Meaning::Unreachable,
        40037 | 47003 | 48001 => Meaning::Rejected,
        45009 | 45011 => Meaning::NotTaken,
        -1 => Meaning::Unknown,
        _ => Meaning::Broken,
    }
}

/// What one attempt to send came to.
enum Attempt {
    Done(Sent),
    TokenBad,
}

impl WechatMessages {
    /// A client of this configuration.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let url = address(&config.base_url).ok_or(ConfigError::BaseUrl)?;
        let http = client(&url, config.timeout).build()?;
        let (base, book) = (config.base_url.trim_end_matches('/').to_owned(), Arc::new(OwnBook::default()));
        Ok(Self { base, config, http, book, held: Mutex::default() })
    }

    /// The same with the book that it shares with others.
    #[must_use]
    pub fn with_book(self, book: Arc<dyn TokenBook>) -> Self {
        Self { book, ..self }
    }

    /// The token to send with. `refused` is one that the platform has just refused.
    ///
    /// All senders of this process wait for one (the lock is held over it), and those who come after it take what it brought.
    pub(crate) async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, CallError> {
        let mut held = self.held.lock().await;
        if let Some(held) = &*held
            && held.ends > Instant::now()
            && !is(refused, &held.value)
        {
            return Ok(held.value.clone());
        }
        let token = self.shared(refused).await?;
        *held = Some(Held { value: token.value.clone(), ends: Instant::now() + token.lasts });
        Ok(token.value)
    }

    /// The token in the book, once there is one that is not `refused`: another process writes it, or this one.
    async fn shared(&self, refused: Option<&SecretString>) -> Result<Token, CallError> {
        let account = &self.config.app_id;
        // Two calls, and what stands around them.
        let lease = self.config.timeout * 2 + Duration::from_secs(5);
        for _ in 0..LOOKS {
            if let Some(token) = self.book.read(account).await?
                && !is(refused, &token.value)
            {
                return Ok(token);
            }
            if let Some(right) = self.book.begin(account, lease).await? {
                let asked = self.asked(refused, right).await;
                if let Err(error) = self.book.end(account, right, asked.as_ref().ok()).await {
                    tracing::warn!(%error, "a fresh token could not be shared; other processes ask for it themselves");
                }
                return asked;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(CallError::not_taken(SYSTEM, "another process asks for the token, and has not got it yet"))
    }

    /// A token from the platform: plainly, and by force only where that brings the refused one.
    async fn asked(&self, refused: Option<&SecretString>, right: uuid::Uuid) -> Result<Token, CallError> {
        let token = self.fetch_token(false).await?;
        if !is(refused, &token.value) {
            return Ok(token);
        }
        if !self.book.may_force(&self.config.app_id, right).await? {
            let detail = "the token is refused, and a forced refresh is too recent or one too many for today";
            return Err(CallError::not_taken(SYSTEM, detail));
        }
        self.fetch_token(true).await
    }

    /// Whatever goes wrong here, no message was sent: an outcome is never unknown.
    async fn fetch_token(&self, force: bool) -> Result<Token, CallError> {
        traced(DESTINATION, TOKEN, self.ask_for_token(force)).await
    }

    async fn ask_for_token(&self, force: bool) -> Result<Token, CallError> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.config.app_id,
            "secret": self.config.secret.expose_secret(),
            "force_refresh": force,
        });
        let url = format!("{}/cgi-bin/stable_token", self.base);
        let request = carried(self.http.post(url).json(&body));
        let response = request.send().await.map_err(|_| CallError::not_taken(SYSTEM, "no token: no answer"))?;
        if !response.status().is_success() {
            return Err(CallError::not_taken(SYSTEM, format!("no token: status {}", response.status().as_u16())));
        }
        let unreadable = || CallError::not_taken(SYSTEM, "no token: unreadable answer");
        let raw = small(response).await.ok().flatten().ok_or_else(unreadable)?;
        token_of(serde_json::from_slice(&raw).map_err(|_| unreadable())?)
    }

    /// Sends once with this token.
    async fn attempt(&self, message: &Message, token: &SecretString) -> Result<Attempt, CallError> {
        traced(DESTINATION, SEND, self.ask_to_send(message, token)).await
    }

    async fn ask_to_send(&self, message: &Message, token: &SecretString) -> Result<Attempt, CallError> {
        let data: serde_json::Map<_, _> =
            message.fields.iter().map(|(name, value)| (name.clone(), json!({"value": value}))).collect();
        let mut body = json!({"touser": message.openid, "template_id": message.template_id, "data": data});
        let url = if message.subscribed {
            // These have no id of ours: one that is sent again after a lost answer may come twice.
            let call = match self.config.subscribe_by {
                SubscribeBy::ServiceAccount => "bizsend",
                SubscribeBy::MiniProgram => "send",
            };
            format!("{}/cgi-bin/message/subscribe/{call}", self.base)
        } else {
            body["client_msg_id"] = json!(message.client_msg_id);
            format!("{}/cgi-bin/message/template/send", self.base)
        };
        self.lead(message.subscribed, &mut body);
        let request = self.http.post(url).query(&[("access_token", token.expose_secret())]).json(&body);
        let response = carried(request).send().await.map_err(|error| CallError::unanswered(SYSTEM, SEND, &error))?;
        let status = response.status().as_u16();
        let body = heard(SYSTEM, SEND, response).await?;
        answered(status, &body)
    }
}

impl WechatMessages {
    /// Says where the message leads, in the words of its call.
    fn lead(&self, subscribed: bool, body: &mut serde_json::Value) {
        let Leads { url, mini_program } = &self.config.leads;
        match (subscribed, self.config.subscribe_by) {
            // A mini-program leads into itself.
            (true, SubscribeBy::MiniProgram) => {
                if let Some(MiniProgram { page, .. }) = mini_program {
                    body["page"] = json!(page);
                }
                return;
            }
            (true, SubscribeBy::ServiceAccount) => url.iter().for_each(|url| body["page"] = json!(url)),
            (false, _) => url.iter().for_each(|url| body["url"] = json!(url)),
        }
        if let Some(MiniProgram { app_id, page }) = mini_program {
            body["miniprogram"] = json!({ "appid": app_id, "pagepath": page });
        }
    }
}

/// True if this is the one that was refused.
fn is(refused: Option<&SecretString>, token: &SecretString) -> bool {
    refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
}

/// Without the book nothing was sent.
impl From<BookError> for CallError {
    fn from(error: BookError) -> Self {
        Self::not_taken(SYSTEM, error.to_string())
    }
}

#[async_trait]
impl Messages for WechatMessages {
    async fn send(&self, message: &Message) -> Result<Sent, CallError> {
        let token = self.token(None).await?;
        if let Attempt::Done(sent) = self.attempt(message, &token).await? {
            return Ok(sent);
        }
        let token = self.token(Some(&token)).await?;
        match self.attempt(message, &token).await? {
            Attempt::Done(sent) => Ok(sent),
            Attempt::TokenBad => Err(CallError::not_taken(SYSTEM, "a fresh token is refused")),
        }
    }
}

/// What an answer to `stable_token` brings.
fn token_of(answer: TokenAnswer) -> Result<Token, CallError> {
    match (answer.errcode, answer.access_token, answer.expires_in) {
        (0, Some(value), Some(seconds)) if !value.is_empty() => {
            // A clamp: the platform says 7200, and an absurd number must not overflow the clock.
            let lifetime = Duration::from_secs(seconds.min(86_400));
            let usable = lifetime.checked_sub(TOKEN_MARGIN).unwrap_or(lifetime / 2);
            Ok(Token { value: value.into(), lasts: usable })
        }
        (-1 | 45009 | 45011, ..) => Err(CallError::not_taken(SYSTEM, "no token: busy or over the limit")),
        (0, ..) => Err(CallError::not_taken(SYSTEM, "no token: unreadable answer")),
        (errcode, ..) => Err(CallError::Broken { system: SYSTEM, call: TOKEN, detail: format!("errcode {errcode}") }),
    }
}

/// What an answer to a sending means.
fn answered(status: u16, body: &[u8]) -> Result<Attempt, CallError> {
    if status == 429 {
        return Err(CallError::not_taken(SYSTEM, "frequency limited"));
    }
    if status != 200 {
        return Err(CallError::unknown(SYSTEM, SEND, format!("status {status}")));
    }
    let answer: SendAnswer =
        serde_json::from_slice(body).map_err(|_| CallError::unknown(SYSTEM, SEND, "the answer cannot be read"))?;
    let code = answer.errcode;
    match meaning(code) {
        Meaning::Accepted => {
            let msg_id = match answer.msgid {
                Some(serde_json::Value::String(id)) => id,
                Some(serde_json::Value::Number(id)) => id.to_string(),
                _ => String::new(),
            };
            Ok(Attempt::Done(Sent::Accepted { msg_id }))
        }
        Meaning::TokenBad => Ok(Attempt::TokenBad),
        Meaning::Unreachable => Ok(Attempt::Done(Sent::Unreachable { code })),
        Meaning::Rejected => Ok(Attempt::Done(Sent::Rejected { code })),
        Meaning::NotTaken => Err(CallError::not_taken(SYSTEM, format!("errcode {code}"))),
        Meaning::Unknown => Err(CallError::unknown(SYSTEM, SEND, "system busy")),
        Meaning::Broken => Err(CallError::Broken { system: SYSTEM, call: SEND, detail: format!("errcode {code}") }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes() {
        let table = [
            (0, Meaning::Accepted),
            (40001, Meaning::TokenBad),
            (40014, Meaning::TokenBad),
            (42001, Meaning::TokenBad),
            (40003, Meaning::Unreachable),
            (43004, Meaning::Unreachable),
            (43101, Meaning::Unreachable),
            (40037, Meaning::Rejected),
            (47003, Meaning::Rejected),
            (48001, Meaning::Rejected),
            (45009, Meaning::NotTaken),
            (45011, Meaning::NotTaken),
            (-1, Meaning::Unknown),
            (99_999, Meaning::Broken),
        ];
        for (code, expected) in table {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }

    #[test]
    fn answers_that_cannot_be_read_leave_it_unknown() {
        for (status, body) in [(200, "{}"), (200, "<html>"), (502, ""), (302, "")] {
            assert!(matches!(answered(status, body.as_bytes()), Err(CallError::Unknown { .. })), "{status} {body}");
        }
        let accepted = answered(200, br#"{"errcode":0,"errmsg":"ok","msgid":42}"#);
        assert!(matches!(accepted, Ok(Attempt::Done(Sent::Accepted { msg_id })) if msg_id == "42"));
    }

    #[test]
    fn without_a_token_nothing_was_sent() {
        let answer = |text| token_of(serde_json::from_str(text).unwrap());
        assert!(answer(r#"{"access_token":"t","expires_in":7200}"#).is_ok());
        assert!(matches!(answer(r#"{"errcode":-1}"#), Err(CallError::NotTaken { .. })));
        assert!(matches!(answer("{}"), Err(CallError::NotTaken { .. })));
        assert!(matches!(answer(r#"{"errcode":40125}"#), Err(CallError::Broken { .. })));
        let absurd = answer(r#"{"access_token":"t","expires_in":18446744073709551615}"#).unwrap();
        assert!(absurd.lasts <= Duration::from_hours(24));
    }

    #[test]
    fn the_secret_is_not_shown() {
        let config = Config {
            base_url: "http://127.0.0.1:9".into(),
            app_id: "wx1".into(),
            secret: "hush-hush".into(),
            timeout: Duration::from_secs(1),
            leads: Leads::default(),
            subscribe_by: SubscribeBy::default(),
        };
        assert!(!format!("{:?}", WechatMessages::new(config).unwrap()).contains("hush"));
    }
}
