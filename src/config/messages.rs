//! `[wechat_messages]`, `[message_platform]` and `[sms]`: how patients are told.

use secrecy::SecretString;
use serde::Deserialize;

use super::ConfigError;
use crate::ports::messages::{Leads, MiniProgram, SubscribeBy};

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
    /// By which call they are sent.
    #[serde(default)]
    pub subscribe_by: SubscribeBy,
    /// The page of the web that a message leads to, if any.
    pub url: Option<String>,
    /// The mini-program that it leads to, if any, where it can be opened,
    pub mini_program_app_id: Option<String>,
    /// and the page there.
    pub mini_program_page: Option<String>,
    /// The token of its event callbacks; none: there are none.
    pub event_token: Option<SecretString>,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

impl WechatMessages {
    /// As the port has it.
    pub fn leads(&self) -> Leads {
        let mini_program = self.mini_program_app_id.clone().zip(self.mini_program_page.clone());
        let mini_program = mini_program.map(|(app_id, page)| MiniProgram { app_id, page });
        Leads { url: self.url.clone(), mini_program }
    }

    /// A mini-program and its page go together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.mini_program_app_id.is_some() == self.mini_program_page.is_some() {
            return Ok(());
        }
        let what = "it goes with mini_program_page, and that with it".to_owned();
        Err(ConfigError::Invalid { key: "wechat_messages.mini_program_app_id", what })
    }
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
