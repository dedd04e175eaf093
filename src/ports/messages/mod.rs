//! The message platform: one message to one patient (WeChat template messages, or the hospital's own platform); and the SMS
//! gateway, for whom it does not reach.

pub mod sms;
pub mod tokens;
pub mod unified;
mod wechat;

pub use wechat::{Config, ConfigError, Leads, MiniProgram, SubscribeBy, WechatMessages};

use async_trait::async_trait;
use std::collections::BTreeMap;

use super::CallError;

/// One message. Personal data beyond the receiver's `openid` is kept out of it.
#[derive(Clone)]
pub struct Message {
    /// The receiver.
    pub openid: String,
    /// The platform's template id.
    pub template_id: String,
    /// Ours; the platform drops repetitions for ten minutes, our outbox for ever.
    pub client_msg_id: String,
    /// Field → value, as the template names them.
    pub fields: BTreeMap<String, String>,
    /// True for a subscribe message of WeChat: one consent of the receiver is one message.
    pub subscribed: bool,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("template_id", &self.template_id)
            .field("client_msg_id", &self.client_msg_id)
            .finish_non_exhaustive()
    }
}

/// What sending came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Accepted; whether it arrives is told later (`TEMPLATESENDJOBFINISH`).
    Accepted {
        /// The platform's `msgid`.
        msg_id: String,
    },
    /// This receiver cannot be reached this way (40003, 43004, 43101): use another channel.
    Unreachable {
        /// The platform's `errcode`.
        code: i64,
    },
    /// The template or our rights are wrong (40037, 47003, 48001): for staff.
    Rejected {
        /// The platform's `errcode`.
        code: i64,
    },
}

/// What the waitlist needs of a message platform.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Sends one message. A token that has expired is refreshed once inside.
    async fn send(&self, message: &Message) -> Result<Sent, CallError>;
}
