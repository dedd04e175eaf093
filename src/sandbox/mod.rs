//! The simulated outside world: a HIS, WeChat Pay, WeChat messages and an SMS gateway as real HTTP servers with books of their own.
//!
//! The servers speak the same wire formats as the real systems, keep their books apart from ours, and misbehave on
//! purpose ([`faults`]), by level or switched on one by one ([`control`]). They never look into Houbu's tables: what Houbu did is compared with what *they* saw.
//!
//! Time is handed in ([`Now`]). What the outside world does by itself (payers pay, locks expire, notices are repeated)
//! stands in an agenda per server: whoever moves the clock asks each server for its next instant and lets it run.

mod altering;
pub mod books;
pub mod catalogue;
pub mod control;
pub mod deeds;
pub mod faults;
mod heard;
pub mod his;
pub mod outside;
pub mod sms;
pub mod switches;
pub mod wechat_messages;
pub mod wechat_pay;

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Tells the sandbox what time it is.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;
