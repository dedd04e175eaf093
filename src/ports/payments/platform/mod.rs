//! A hospital's own payment platform (聚合支付, or the front of 医保): JSON over HTTP, each request, answer and notice stamped with
//! HMAC-SHA256 over way, timestamp, nonce and raw body, as our JSON to a HIS is.
//!
//! It signs a request, sends it once, verifies the answer, and says what is known. It never retries and never decides; no payer
//! and no key reaches a log or an error. `wire` is what goes over it, `answers` what that means, `notice` how a notice is believed.

mod answers;
mod notice;
pub mod wire;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::CallError;
use super::super::calling::{address, carried, client, heard, traced};
use super::{
    Bill, Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Payment, Payments, Provider, RefundRequest,
    RefundSaid,
};
use crate::ports::stamp::{Stamp, Stamper, Way};
use answers::{SYSTEM, Said, broken, unknown};
use notice::Ours;
use wire::{Answering, Asking, Call};

/// A bill has no more pages.
const PAGES_MAX: u32 = 10_000;

/// Where the platform is and how we are known there.
#[derive(Debug, Clone)]
pub struct PlatformConfig {
    /// What every path begins with.
    pub url: String,
    /// Who we are there.
    pub merchant_id: String,
    /// The key of the HMAC, shared with the platform.
    pub sign_key: SecretString,
    /// Where notices go: a full address.
    pub notify_url: String,
    /// How far a notice's timestamp may be from our clock.
    pub notice_skew: TimeDelta,
    /// How long one call may take, connection included.
    pub timeout: Duration,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `url` is no `http(s)` address.
    #[error("the address of the payment platform is not an http(s) address")]
    Address,
    /// `sign_key` is empty.
    #[error("an empty key signs nothing")]
    Key,
    /// The HTTP client could not be built.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// The client.
pub struct PayPlatform {
    url: Url,
    config: PlatformConfig,
    stamper: Stamper,
    http: reqwest::Client,
    /// How far the other side's clock is ahead of ours, as its last complaint said, s.
    ahead_s: AtomicI64,
}

impl PayPlatform {
    /// A client of this configuration.
    pub fn new(config: PlatformConfig) -> Result<Self, SetupError> {
        let url = address(&format!("{}/", config.url.trim_end_matches('/'))).ok_or(SetupError::Address)?;
        if config.sign_key.expose_secret().is_empty() {
            return Err(SetupError::Key);
        }
        let http = client(&url, config.timeout).build()?;
        Ok(Self { stamper: Stamper::new(&config.sign_key), http, ahead_s: AtomicI64::new(0), url, config })
    }

    async fn call(&self, call: Call, data: impl Serialize + Send) -> Result<Said, CallError> {
        traced("payments", call.label(), self.ask(call, data)).await
    }

    async fn ask(&self, call: Call, data: impl Serialize + Send) -> Result<Said, CallError> {
        let ours = |_| broken(call, "the request could not be written");
        let asking = Asking { call: call.path().to_owned(), merchant_id: self.config.merchant_id.clone(), data };
        let body = serde_json::to_vec(&asking).map_err(ours)?;
        let url = self.url.join(call.path()).map_err(|_| broken(call, "the request has no address"))?;
        let nonce = Uuid::new_v4().simple().to_string();
        let at = Utc::now() + TimeDelta::seconds(self.ahead_s.load(Ordering::Relaxed));
        let mut request = self.http.post(url).header("Content-Type", "application/json");
        for (name, value) in self.stamper.sign(Way::Call, at, &nonce, &body).headers() {
            request = request.header(name, value);
        }
        let unanswered = |error: reqwest::Error| CallError::unanswered(SYSTEM, call.label(), &error);
        let response = carried(request.body(body)).send().await.map_err(unanswered)?;
        let status = response.status().as_u16();
        let stamp = Stamp::read(response.headers()).ok();
        let raw = heard(SYSTEM, call.label(), response).await?;
        let said = stamp.filter(|stamp| stamp.nonce == nonce && self.stamper.verify(Way::Answer, stamp, &raw).is_ok());
        let Some(stamp) = said else { return Err(answers::unsaid(call, status, &raw)) };
        let answering: Answering =
            serde_json::from_slice(&raw).map_err(|_| unknown(call, "the answer cannot be read"))?;
        if answering.code == "STALE" {
            self.set_right(stamp.at);
        }
        answers::said(call, &answering.code, answering.data)
    }

    /// The two clocks differ: from now on we write the other side's time. Nothing was done.
    fn set_right(&self, theirs: DateTime<Utc>) {
        let ahead_s = (theirs - Utc::now()).num_seconds();
        self.ahead_s.store(ahead_s, Ordering::Relaxed);
        tracing::warn!(
            ahead_s,
            "the payment platform's clock and ours differ; ours should be kept by NTP, and theirs too"
        );
    }
}

/// `number`, if the platform takes it.
fn checked(call: Call, number: &str, longest: usize) -> Result<String, CallError> {
    let plain = number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let is_one = (1..=longest).contains(&number.len()) && plain;
    if is_one { Ok(number.to_owned()) } else { Err(broken(call, "not a number the platform takes")) }
}

#[async_trait]
impl Payments for PayPlatform {
    fn provider(&self) -> Provider {
        Provider::Platform
    }

    async fn open(&self, order: &OrderRequest) -> Result<Opened, CallError> {
        let asked = wire::OrderAsked {
            order_no: checked(Call::Open, &order.out_trade_no, 32)?,
            pay_type: order.pay_type,
            amount_fen: order.amount_fen,
            description: order.description.clone(),
            payer: order.openid.clone(),
            expires_at: order.expires_at,
            notify_url: self.config.notify_url.clone(),
        };
        answers::opened(self.call(Call::Open, asked).await?)
    }

    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError> {
        let order_no = checked(Call::Query, out_trade_no, 32)?;
        answers::order(self.call(Call::Query, wire::OrderNamed { order_no }).await?, out_trade_no)
    }

    async fn close(&self, out_trade_no: &str) -> Result<(), CallError> {
        let order_no = checked(Call::Close, out_trade_no, 32)?;
        answers::closed(self.call(Call::Close, wire::OrderNamed { order_no }).await?)
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundSaid, CallError> {
        let asked = wire::RefundAsked {
            order_no: checked(Call::Refund, &request.out_trade_no, 32)?,
            refund_no: checked(Call::Refund, &request.out_refund_no, 64)?,
            amount_fen: request.amount_fen,
            total_fen: request.total_fen,
            reason: request.reason.clone(),
            notify_url: self.config.notify_url.clone(),
        };
        answers::refunded(self.call(Call::Refund, asked).await?, &request.out_refund_no)
    }

    async fn refund_status(&self, out_refund_no: &str) -> Result<RefundSaid, CallError> {
        let refund_no = checked(Call::QueryRefund, out_refund_no, 64)?;
        answers::refund_status(self.call(Call::QueryRefund, wire::RefundNamed { refund_no }).await?, out_refund_no)
    }

    async fn bill(&self, day: NaiveDate) -> Result<Bill, CallError> {
        let (mut lines, mut page, mut stated) = (Vec::new(), 1, None);
        loop {
            let said = self.call(Call::Bill, wire::BillAsked { day, page }).await?;
            let Some(found) = answers::page(said)? else { return Ok(Bill::NotYet) };
            if found.pages > PAGES_MAX
                || *stated.get_or_insert((found.pages, found.count)) != (found.pages, found.count)
            {
                return Err(unknown(Call::Bill, "the bill changes while it is read"));
            }
            lines.extend(found.lines);
            if page >= found.pages {
                return answers::lines(found.count, lines).map(Bill::Lines);
            }
            page += 1;
        }
    }

    fn notice(&self, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<Notice, NoticeError> {
        let (merchant_id, stamper) = (self.config.merchant_id.as_str(), &self.stamper);
        notice::read(&Ours { merchant_id, stamper, skew: self.config.notice_skew }, headers, body, now)
    }

    /// What the platform said at the opening, as it said it.
    fn client_parameters(&self, prepay_id: &str, _now: DateTime<Utc>) -> Value {
        serde_json::from_str(prepay_id).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn config() -> PlatformConfig {
        PlatformConfig {
            // Nobody listens on the discard port of this host.
            url: "http://127.0.0.1:9/pay".into(),
            merchant_id: "m1".into(),
            sign_key: "sign-key-of-ours".into(),
            notify_url: "http://127.0.0.1:9/callbacks/pay-platform".into(),
            notice_skew: TimeDelta::minutes(5),
            timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn what_cannot_work_stops_the_start() {
        let wrong = |config| PayPlatform::new(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(wrong(PlatformConfig { url: "ftp://x".into(), ..config() }).contains("http(s)"));
        assert!(wrong(PlatformConfig { sign_key: "".into(), ..config() }).contains("empty key"));
        assert!(!format!("{:?}", config()).contains("sign-key-of-ours"));
    }

    #[tokio::test]
    async fn nothing_was_taken_where_nobody_listens_and_no_odd_number_is_sent() {
        let pay = PayPlatform::new(config()).unwrap();
        assert!(matches!(pay.order("no0001").await, Err(CallError::NotTaken { .. })));
        for number in ["", "a/b", "号", &"1".repeat(33)] {
            assert!(matches!(pay.close(number).await, Err(CallError::Broken { .. })), "{number}");
        }
    }
}
