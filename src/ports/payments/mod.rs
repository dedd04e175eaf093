//! The payment provider: orders, refunds and their notices, in the trade's words: WeChat Pay v3 (JSAPI), or a hospital's own
//! platform ([`platform`]).
//!
//! Money is integer 分. Ids (`out_trade_no`, `out_refund_no`) are ours and exist before the first call.
//!
//! `client` is the client of WeChat Pay, `certificates` how the platform hands its keys out, `answers` what its answers mean, `bill` what a day's bill says, `notice` how a notice comes to be believed, and
//! `signature` and `sealed` the cryptography of both.

mod answers;
mod bill;
pub mod certificates;
mod client;
mod notice;
pub mod platform;
pub mod sealed;
pub mod signature;

pub use bill::{Bill, BillLine};
pub use client::{Config, ConfigError, WechatPay};

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::CallError;
pub use crate::waitlist::policy::PayType;
use platform::{PayPlatform, PlatformConfig};

/// Who takes the money. Nothing above the port knows more of it than its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// WeChat Pay v3.
    #[default]
    Wechat,
    /// The hospital's own payment platform.
    Platform,
}

impl Provider {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Wechat, Self::Platform];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Platform => "platform",
        }
    }

    /// What its callbacks are written down under, and what their paths begin with: `/callbacks/<source>`.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Wechat => "wechat-pay",
            Self::Platform => "pay-platform",
        }
    }
}

/// How a provider is reached.
#[derive(Debug, Clone)]
pub enum Connection {
    /// WeChat Pay.
    Wechat(Box<Config>),
    /// The hospital's own platform.
    Platform(PlatformConfig),
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Of WeChat Pay.
    #[error(transparent)]
    Wechat(#[from] ConfigError),
    /// Of the platform.
    #[error(transparent)]
    Platform(#[from] platform::SetupError),
}

/// The client of this provider.
pub fn connect(connection: Connection) -> Result<Arc<dyn Payments>, ConnectError> {
    Ok(match connection {
        Connection::Wechat(config) => Arc::new(WechatPay::new(*config)?),
        Connection::Platform(config) => Arc::new(PayPlatform::new(config)?),
    })
}

/// An order to be paid by one patient.
#[derive(Clone)]
pub struct OrderRequest {
    /// Ours, 6–32 characters.
    pub out_trade_no: String,
    /// What the payer sees; no diagnosis, no name.
    pub description: String,
    /// 分.
    pub amount_fen: i64,
    /// The payer at the provider (`openid`): an opaque reference, still never logged.
    pub openid: String,
    /// No payment starts after this (`time_expire`); the provider may still report a success shortly after (E4).
    pub expires_at: DateTime<Utc>,
    /// How the patient means to pay (R7). WeChat Pay takes no 医保 and does not hear of it.
    pub pay_type: PayType,
}

impl std::fmt::Debug for OrderRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderRequest")
            .field("out_trade_no", &self.out_trade_no)
            .field("amount_fen", &self.amount_fen)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What opening an order came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// What the payer's client needs: see [`Payments::client_parameters`].
    Ready {
        /// WeChat Pay's `prepay_id`; of a platform, its parameters as one JSON object.
        prepay_id: String,
    },
    /// The number is known and already paid (`ORDERPAID`), closed or used with other data: ask with [`Payments::order`].
    Exists,
    /// The provider refuses this order for a reason that repeating does not change.
    Refused {
        /// The provider's code.
        code: String,
    },
}

/// What the provider knows under our `out_trade_no`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payment {
    /// No such order.
    Unknown,
    /// `NOTPAY`, `USERPAYING`, `PAYERROR`: no money held, may still come.
    Open,
    /// `SUCCESS` or `REFUND` (paid; refunds are asked one by one).
    Paid(Paid),
    /// `CLOSED`, `REVOKED`: no money held, none will come.
    Closed,
}

/// Money that the provider holds for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The provider's `transaction_id`.
    pub transaction_id: String,
    /// The order's amount (`amount.total`), which is what we hold and may refund, 分. A payer with a coupon paid less.
    pub amount_fen: i64,
    /// `success_time`.
    pub paid_at: DateTime<Utc>,
}

/// A refund of one order.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// The order.
    pub out_trade_no: String,
    /// Ours, at most 64 characters; the same on every repetition.
    pub out_refund_no: String,
    /// What goes back, 分.
    pub amount_fen: i64,
    /// What was paid, 分.
    pub total_fen: i64,
    /// Shown to the payer.
    pub reason: String,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Refund {
    /// No such refund.
    Unknown,
    /// Accepted, on its way.
    Processing,
    /// The money is back.
    Success,
    /// Given up by the provider (for want of merchant funds): may be asked again with a new number.
    Closed,
    /// The payer's account cannot take it: for staff.
    Abnormal,
}

/// What the provider says of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundSaid {
    /// Where it stands.
    pub refund: Refund,
    /// Of what money; none where there is no such refund, or it was refused.
    pub money: Option<RefundMoney>,
}

impl RefundSaid {
    /// A refund of no money: there is none, or it was refused.
    pub const fn of_nothing(refund: Refund) -> Self {
        Self { refund, money: None }
    }
}

/// The money of a refund, as the provider names it. It is compared with what we asked for before anything is booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundMoney {
    /// The order.
    pub out_trade_no: String,
    /// What goes back, 分.
    pub amount_fen: i64,
    /// What the order is over, 分, where the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_fen: Option<i64>,
}

/// A verified, decrypted notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Notice {
    /// `TRANSACTION.SUCCESS`.
    Paid {
        /// The notice's `id`, the same on every repetition of the notice.
        notice_id: String,
        /// Our number.
        out_trade_no: String,
        /// The money.
        paid: Paid,
    },
    /// `REFUND.SUCCESS`, `REFUND.ABNORMAL`, `REFUND.CLOSED`.
    Refund {
        /// The notice's `id`.
        notice_id: String,
        /// Our refund number.
        out_refund_no: String,
        /// Where it stands.
        refund: Refund,
        /// Of what money.
        money: RefundMoney,
    },
}

/// Why a notice was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// A header is missing or malformed.
    #[error("the notice lacks a valid {0} header")]
    Header(&'static str),
    /// The timestamp is outside the replay window (`notice_skew_s`).
    #[error("the notice's timestamp is outside the replay window")]
    Stale,
    /// The signature does not fit the raw body.
    #[error("the notice's signature is wrong")]
    Signature,
    /// It names a platform key that we do not know (yet): see [`Payments::learn_keys`].
    #[error("the notice is signed with a key that is not known")]
    UnknownKey,
    /// The body cannot be read or decrypted.
    #[error("the notice's body cannot be read: {0}")]
    Body(&'static str),
    /// The notice is for another merchant or currency.
    #[error("the notice is not ours: {0}")]
    NotOurs(&'static str),
}

/// The signature headers of a notice, as received.
#[derive(Debug, Clone, Default)]
pub struct NoticeHeaders {
    /// `Wechatpay-Timestamp` or `X-Houbu-Timestamp`, seconds.
    pub timestamp: String,
    /// `Wechatpay-Nonce` or `X-Houbu-Nonce`.
    pub nonce: String,
    /// `Wechatpay-Signature`, base64, or `X-Houbu-Signature`, hexadecimal.
    pub signature: String,
    /// `Wechatpay-Serial`: which platform key signed. A hospital's platform has one key and no serial.
    pub serial: String,
}

/// What the waitlist needs of a payment provider.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Who it is.
    fn provider(&self) -> Provider {
        Provider::Wechat
    }

    /// Opens an order. Repeating it with the same data answers the same order.
    async fn open(&self, order: &OrderRequest) -> Result<Opened, CallError>;

    /// What the provider knows under `out_trade_no`.
    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError>;

    /// Asks for an order that nobody has made; true if what came back proves that the provider is who it says.
    async fn prove(&self, out_trade_no: &str) -> Result<bool, CallError> {
        self.order(out_trade_no).await.map(|_| true)
    }

    /// Closes an order. Success says nothing about money (E4): ask with [`Payments::order`] afterwards.
    async fn close(&self, out_trade_no: &str) -> Result<(), CallError>;

    /// Asks for a refund. Accepted is not done.
    async fn refund(&self, request: &RefundRequest) -> Result<RefundSaid, CallError>;

    /// Where the refund `out_refund_no` stands.
    async fn refund_status(&self, out_refund_no: &str) -> Result<RefundSaid, CallError>;

    /// The bill of a day that is over, by the provider's calendar (Beijing time).
    async fn bill(&self, _day: NaiveDate) -> Result<Bill, CallError> {
        let detail = "this provider has no bills".to_owned();
        Err(CallError::Broken { system: "payments", call: "trade bill", detail })
    }

    /// Asks the provider for the keys that it signs with, where it hands them out; no more than once a minute.
    async fn learn_keys(&self) -> Result<(), CallError> {
        Ok(())
    }

    /// Verifies and decrypts a notice from its headers and its **raw** body, at `now`.
    fn notice(&self, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<Notice, NoticeError>;

    /// The parameters that the payer's client needs to pay: WeChat Pay's are signed now (`appId`, `timeStamp`, `nonceStr`,
    /// `package`, `signType`, `paySign`), a platform's are handed on as it gave them.
    fn client_parameters(&self, prepay_id: &str, now: DateTime<Utc>) -> serde_json::Value;
}
