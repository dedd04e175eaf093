//! `[wechat_messages]`, `[message_platform]` and `[sms]`: how patients are told.

use secrecy::SecretString;
use serde::Deserialize;

/// See [`Config::wechat_messages`](super::Config::wechat_messages).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatMessages {
    /// The API's base address.
    pub base_url: String,
    /// `appid`.
    pub app_id: String,
    /// `secret`.
    pub secret: SecretString,
    /// Our names of the templates that are subscribe messages there.
    #[serde(default)]
    pub subscribe: Vec<String>,
    /// The token of its event callbacks; none: there are none.
    pub event_token: Option<SecretString>,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

/// See [`Config::message_platform`](super::Config::message_platform).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagePlatform {
    /// Where it is asked.
    pub url: String,
    /// Our key there.
    pub key: SecretString,
    /// The key that its delivery events are signed with; none: there are none.
    pub event_key: Option<SecretString>,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

/// See [`Config::sms`](super::Config::sms).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Where the gateway is asked.
    pub url: String,
    /// Our key there.
    pub key: SecretString,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}
