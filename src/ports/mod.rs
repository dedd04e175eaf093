//! Floor 2: the outside world. One trait a system (HIS, payments, messages) in the trade's words, and its real clients.
//!
//! A port never decides and never retries: it makes one call, with a time-out, and says what is known afterwards.
//! The three ways a call can leave us without an answer are one type, [`CallError`], for all systems, because the
//! engine treats them alike: *not sent* may be sent again, *unknown* must be queried by our own id first (E1),
//! *broken* is for a person.

mod calling;
pub mod his;
pub mod identity;
pub mod messages;
pub mod payments;
pub mod stamp;

use thiserror::Error;

/// Why a call gave no answer in the trade's words.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum CallError {
    /// The request certainly did not take effect: no connection, a 429, a "busy, try later" reply.
    #[error("{system} did not take the request: {detail}")]
    NotTaken {
        /// The system that was called, for example `his`.
        system: &'static str,
        /// What was seen, without personal data.
        detail: String,
    },
    /// The request did not take effect, and the system says so itself: it is there, and this one request has to wait (a
    /// payer who is typing a password, an account that is empty for now). Says nothing against calling it for others.
    #[error("{system} says not now: {detail}")]
    NotNow {
        /// The system that was called.
        system: &'static str,
        /// Its code, without personal data.
        detail: String,
    },
    /// The request may have taken effect: a time-out after sending, a cut connection, a 5xx, a reply that cannot
    /// be read or whose signature is wrong. The next move is a query by our own id.
    #[error("{system} left the outcome of {call} unknown: {detail}")]
    Unknown {
        /// The system that was called.
        system: &'static str,
        /// The call, for example `2007 OrderReg`.
        call: &'static str,
        /// What was seen, without personal data.
        detail: String,
    },
    /// The request can never succeed as it is: our key, our signature, our parameters are refused.
    #[error("{system} refuses {call} for good: {detail}")]
    Broken {
        /// The system that was called.
        system: &'static str,
        /// The call.
        call: &'static str,
        /// What was seen, without personal data.
        detail: String,
    },
}

impl CallError {
    fn not_taken(system: &'static str, detail: impl Into<String>) -> Self {
        Self::NotTaken { system, detail: detail.into() }
    }

    fn unknown(system: &'static str, call: &'static str, detail: impl Into<String>) -> Self {
        Self::Unknown { system, call, detail: detail.into() }
    }

    /// What is known after a request that brought no answer. The error's own words are dropped: they carry the address, and
    /// what is in it.
    fn unanswered(system: &'static str, call: &'static str, error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::not_taken(system, "no connection")
        } else if error.is_builder() {
            Self::Broken { system, call, detail: "the request cannot be built: is the address a URL?".to_owned() }
        } else if error.is_timeout() {
            Self::unknown(system, call, "no answer in time")
        } else {
            Self::unknown(system, call, "the connection was cut")
        }
    }
}

impl From<CallError> for crate::engine::Fault {
    /// What was not taken is tried again; what may have been is asked for by our own id first.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotTaken { .. } => Self::Retry(error.to_string()),
            CallError::NotNow { .. } => {
                crate::engine::limits::answered();
                Self::Retry(error.to_string())
            }
            CallError::Unknown { .. } => Self::Unknown(error.to_string()),
            CallError::Broken { .. } => Self::Stop(error.to_string()),
        }
    }
}
