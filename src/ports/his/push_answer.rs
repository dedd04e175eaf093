//! Why a push is not taken, and what each is answered. Both are one word each: nothing here repeats what came.

use super::json_line::STALE;

/// Why a push was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// No XML envelope, or one with a document type declaration.
    #[error("the push is not an XML envelope")]
    NotXml,
    /// Signature, `USER_ID` or `SIGN_TYPE` are wrong.
    #[error("the push's signature is wrong")]
    BadSignature,
    /// Written too long ago, or by a clock that is ahead of ours: perhaps played again.
    #[error("the push's timestamp is more than five minutes away from our clock")]
    Stale,
    /// `HOS_ID` names another hospital.
    #[error("the push is of another hospital: its HOS_ID is not hospital_id of [his]")]
    OtherHospital,
    /// A part of it is missing or cannot be read.
    #[error("the push cannot be read: {0}")]
    Unreadable(&'static str),
}

/// A push that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untaken {
    /// Why.
    pub error: PushError,
    /// What can be read of one that is signed rightly and for this hospital.
    pub signed: Option<Named>,
}

/// What names a push that cannot be read as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// `FUN_CODE`.
    pub function: Option<String>,
    /// `EVENT_ID`.
    pub event_id: Option<String>,
}

impl From<PushError> for Untaken {
    fn from(error: PushError) -> Self {
        Self { error, signed: None }
    }
}

/// What we answer to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushAnswer {
    /// `0`: stored; also to a repetition.
    Accepted,
    /// `1`: it cannot be read.
    Unreadable,
    /// `1`: it is of another hospital.
    OtherHospital,
    /// `7`: the signature is wrong.
    BadSignature,
    /// `stale`: the timestamp is too far from our clock, which the answer tells.
    Stale,
    /// `13`: stored, and what it asks is not said: a person answers.
    NotSaid,
    /// `99`: not stored, send it again.
    TryAgain,
}

impl From<PushError> for PushAnswer {
    fn from(error: PushError) -> Self {
        match error {
            PushError::BadSignature => Self::BadSignature,
            PushError::Stale => Self::Stale,
            PushError::OtherHospital => Self::OtherHospital,
            PushError::NotXml | PushError::Unreadable(_) => Self::Unreadable,
        }
    }
}

impl PushAnswer {
    pub(super) fn code_and_message(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("0", "交易成功"),
            Self::Unreadable => ("1", "参数错误"),
            Self::OtherHospital => ("1", "医院代码不符"),
            Self::BadSignature => ("7", "签名错误"),
            Self::Stale => (STALE, "时间戳超出允许范围"),
            // No six digits at its head: those of a refund are the vendor's, and one of them may say that it is done.
            Self::NotSaid => ("13", "不提供退费状态，请人工核对"),
            Self::TryAgain => ("99", "系统异常"),
        }
    }

    /// The HTTP status of the answer to an event.
    pub fn status(self) -> u16 {
        match self {
            Self::Accepted | Self::NotSaid => 200,
            Self::Unreadable | Self::OtherHospital => 400,
            Self::BadSignature | Self::Stale => 401,
            Self::TryAgain => 500,
        }
    }
}
