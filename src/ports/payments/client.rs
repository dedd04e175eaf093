//! The WeChat Pay v3 client (JSAPI): signs a request, sends it once, verifies the answer, and says what is known.
//!
//! It never retries and never decides; no openid, key or token reaches a log or an error.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::CallError;
use super::super::calling::{address, carried, client, heard, heard_within, traced};
use super::answers::{self, Answer, SYSTEM, broken, unknown};
use super::bill::{self, Bill};
use super::certificates;
use super::notice::{self, Ours};
use super::sealed::SealingKey;
use super::signature::{
    KeyError, SigningKey, Untrusted, VerifyingKeys, authorization, client_message, is_signed, nonce, request_message,
    verified,
};
use super::{Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Payment, Payments, RefundRequest, RefundSaid};

/// What calls are called in errors.
const QUERY: &str = "query order";
const DOWNLOAD: &str = "bill download";
const CERTIFICATES: &str = "platform certificates";
/// A bill is no larger: it tells of all that a merchant takes on a day, 300 bytes a line.
const BILL_BYTES_MAX: usize = 128 << 20;
/// Certificates are asked for no more often, whoever sends us what names an unknown key.
const LEARN_APART: Duration = Duration::from_mins(1);

/// What the client needs to know of our merchant and of the platform.
#[derive(Debug, Clone)]
pub struct Config {
    /// For example `https://api.mch.weixin.qq.com`.
    pub base_url: String,
    /// The application (`appid`) whose users pay.
    pub app_id: String,
    /// The merchant (`mchid`).
    pub mch_id: String,
    /// The serial of our API certificate.
    pub serial_no: String,
    /// Our private key, PKCS#8 PEM.
    pub private_key_pem: SecretString,
    /// The platform's keys: serial (or `PUB_KEY_ID_…`) and public key PEM; two while it rotates.
    pub platform_keys: Vec<(String, String)>,
    /// Whether it hands out certificates (`GET /v3/certificates`): one that signs and is not known is looked for there.
    pub platform_certificates: bool,
    /// The API v3 key, 32 bytes.
    pub api_v3_key: SecretString,
    /// Where payment notices go: a full address.
    pub notify_url_payments: String,
    /// Where refund notices go: a full address.
    pub notify_url_refunds: String,
    /// How far a notice's timestamp may be from our clock.
    pub notice_skew: TimeDelta,
    /// How long one call may take, connection included.
    pub timeout: Duration,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// `base_url` is no `http(s)` address.
    #[error("the base address of WeChat Pay is not an http(s) address")]
    BaseUrl,
    /// The merchant's private key.
    #[error("the merchant's private key cannot be used: {0}")]
    PrivateKey(KeyError),
    /// A platform key.
    #[error("the platform key {serial} cannot be used: {error}")]
    PlatformKey {
        /// Which.
        serial: String,
        /// Why.
        error: KeyError,
    },
    /// Nothing that the platform says could be believed.
    #[error("neither platform_keys nor platform_certificates is set: no answer could be verified")]
    NoPlatformKey,
    /// The API v3 key.
    #[error("the API v3 key is not 32 bytes long")]
    ApiKey,
    /// The HTTP client could not be built.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// The client.
#[derive(Debug)]
pub struct WechatPay {
    config: Config,
    base: String,
    signing: SigningKey,
    /// Those that are configured.
    own_keys: VerifyingKeys,
    /// And those that the platform handed out.
    platform_keys: RwLock<Arc<VerifyingKeys>>,
    learnt_at: Mutex<Option<Instant>>,
    api_v3_key: SealingKey,
    http: reqwest::Client,
}

impl WechatPay {
    /// A client of this configuration; keys are parsed here, so that a bad one stops the start and not a payment.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let url = address(&config.base_url).ok_or(ConfigError::BaseUrl)?;
        let pems = config.platform_keys.iter().map(|(serial, pem)| (serial.as_str(), pem.as_str()));
        let http = client(&url, config.timeout);
        let own_keys =
            VerifyingKeys::from_pems(pems).map_err(|(serial, error)| ConfigError::PlatformKey { serial, error })?;
        if config.platform_keys.is_empty() && !config.platform_certificates {
            return Err(ConfigError::NoPlatformKey);
        }
        Ok(Self {
            base: config.base_url.trim_end_matches('/').to_owned(),
            signing: SigningKey::from_pem(config.private_key_pem.expose_secret()).map_err(ConfigError::PrivateKey)?,
            platform_keys: RwLock::new(Arc::new(own_keys.clone())),
            own_keys,
            learnt_at: Mutex::default(),
            api_v3_key: SealingKey::new(&config.api_v3_key).ok_or(ConfigError::ApiKey)?,
            http: http.build()?,
            config,
        })
    }

    /// Sends one signed request; an answer whose signature does not fit leaves the outcome unknown. Only a refusal may have none: of
    /// those WeChat says nothing.
    async fn call(
        &self,
        call: &'static str,
        method: Method,
        target: &str,
        body: Option<serde_json::Value>,
    ) -> Result<Answer, CallError> {
        traced("payments", call, self.ask(call, method, target, body)).await
    }

    async fn ask(
        &self,
        call: &'static str,
        method: Method,
        target: &str,
        body: Option<serde_json::Value>,
    ) -> Result<Answer, CallError> {
        let (answer, headers) = self.exchange(call, method, target, body).await?;
        // A bill is not signed: its hash came in an answer that was.
        let counts = call != DOWNLOAD && ((200..300).contains(&answer.status) || is_signed(&headers));
        if counts && !self.is_theirs(&headers, &answer.body).await {
            return Err(unknown(call, "the answer's signature is wrong"));
        }
        Ok(answer)
    }

    /// One signed request, and what came back, believed or not.
    async fn exchange(
        &self,
        call: &'static str,
        method: Method,
        target: &str,
        body: Option<serde_json::Value>,
    ) -> Result<(Answer, HeaderMap), CallError> {
        let url = Url::parse(&format!("{}{target}", self.base)).map_err(|_| broken(call, "not an address"))?;
        // What is signed is what is sent: the address after normalisation.
        let sent = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let (timestamp, nonce) = (Utc::now().timestamp(), nonce());
        let message = request_message(method.as_str(), &sent, timestamp, &nonce, &body);
        let signature = self.signing.sign(message.as_bytes()).ok_or_else(|| broken(call, "signing failed"))?;
        let mut request = self.http.request(method, url).header(ACCEPT, "application/json").header(
            AUTHORIZATION,
            authorization(&self.config.mch_id, &self.config.serial_no, timestamp, &nonce, &signature),
        );
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = carried(request).send().await.map_err(|error| CallError::unanswered(SYSTEM, call, &error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match call {
            DOWNLOAD => heard_within(BILL_BYTES_MAX, SYSTEM, call, response).await?,
            _ => heard(SYSTEM, call, response).await?,
        };
        Ok((Answer { status, body }, headers))
    }

    /// The path and query of an address of the provider's own. Our signature goes nowhere else.
    fn within(&self, call: &'static str, address: &str) -> Result<String, CallError> {
        let (url, base) = (Url::parse(address), Url::parse(&self.base));
        match (url, base) {
            (Ok(url), Ok(base)) if url.origin() == base.origin() => {
                Ok(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
            }
            _ => Err(broken(call, "the bill lies at another address than the provider's")),
        }
    }

    fn order_at(&self, number: &str) -> String {
        format!("/v3/pay/transactions/out-trade-no/{number}?mchid={}", self.config.mch_id)
    }

    /// True if the platform signed this answer, with a key that it may have begun to use just now.
    async fn is_theirs(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        match verified(&self.keys(), headers, body) {
            Err(Untrusted::Serial) => {
                if let Err(error) = self.learn_keys().await {
                    tracing::warn!(%error, "an answer is signed with a key that could not be asked for");
                }
                verified(&self.keys(), headers, body).is_ok()
            }
            known => known.is_ok(),
        }
    }

    fn keys(&self) -> Arc<VerifyingKeys> {
        Arc::clone(&self.platform_keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The certificates that are good now, in the place of those that were. The answer is signed with one of them: each is
    /// believed because it is sealed with our key, and then the answer because it fits.
    async fn download_keys(&self) -> Result<(), CallError> {
        let (answer, headers) = self.exchange(CERTIFICATES, Method::GET, "/v3/certificates", None).await?;
        if !answers::ok(&answer) {
            let code = answers::refusal(CERTIFICATES, &answer)?;
            return Err(broken(CERTIFICATES, &code));
        }
        let handed_out = certificates::keys(&answer.body, &self.api_v3_key, Utc::now())
            .map_err(|what| broken(CERTIFICATES, what))?;
        let serials: Vec<String> = handed_out.iter().map(|(serial, _)| serial.clone()).collect();
        let keys = self.own_keys.and(handed_out).map_err(|(_, error)| broken(CERTIFICATES, &error.to_string()))?;
        if verified(&keys, &headers, &answer.body).is_err() {
            return Err(unknown(CERTIFICATES, "the answer's signature is wrong"));
        }
        tracing::info!(?serials, "the payment provider's certificates are known");
        *self.platform_keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }
}

/// True for what may stand in a path as one of our numbers; anything else is never sent.
fn is_number(number: &str, longest: usize) -> bool {
    (1..=longest).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'*' | b'@'))
}

/// `number`, if it may stand in a path.
fn checked<'a>(call: &'static str, number: &'a str, longest: usize) -> Result<&'a str, CallError> {
    if is_number(number, longest) { Ok(number) } else { Err(broken(call, "not a number the provider takes")) }
}

#[async_trait]
impl Payments for WechatPay {
    async fn open(&self, order: &OrderRequest) -> Result<Opened, CallError> {
        let body = json!({
            "appid": self.config.app_id,
            "mchid": self.config.mch_id,
            "description": order.description,
            "out_trade_no": checked("open order", &order.out_trade_no, 32)?,
            "time_expire": order.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "notify_url": self.config.notify_url_payments,
            "amount": {"total": order.amount_fen, "currency": "CNY"},
            "payer": {"openid": order.openid},
        });
        let answer = self.call("open order", Method::POST, "/v3/pay/transactions/jsapi", Some(body)).await?;
        answers::opened(&answer)
    }

    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError> {
        let number = checked(QUERY, out_trade_no, 32)?;
        let answer = self.call(QUERY, Method::GET, &self.order_at(number), None).await?;
        answers::order(&answer, out_trade_no, &self.config.mch_id)
    }

    async fn prove(&self, out_trade_no: &str) -> Result<bool, CallError> {
        self.learn_keys().await?;
        let number = checked(QUERY, out_trade_no, 32)?;
        let (answer, headers) = self.exchange(QUERY, Method::GET, &self.order_at(number), None).await?;
        answers::order(&answer, out_trade_no, &self.config.mch_id)?;
        match is_signed(&headers) {
            // Those certificates came in an answer that is signed.
            false => Ok(self.config.platform_certificates),
            true if self.is_theirs(&headers, &answer.body).await => Ok(true),
            true => Err(unknown(QUERY, "the answer's signature is wrong")),
        }
    }

    async fn close(&self, out_trade_no: &str) -> Result<(), CallError> {
        let target = format!("/v3/pay/transactions/out-trade-no/{}/close", checked("close order", out_trade_no, 32)?);
        let body = json!({"mchid": self.config.mch_id});
        answers::closed(&self.call("close order", Method::POST, &target, Some(body)).await?)
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundSaid, CallError> {
        let body = json!({
            "out_trade_no": checked("refund", &request.out_trade_no, 32)?,
            "out_refund_no": checked("refund", &request.out_refund_no, 64)?,
            "reason": request.reason,
            "notify_url": self.config.notify_url_refunds,
            "amount": {"refund": request.amount_fen, "total": request.total_fen, "currency": "CNY"},
        });
        let answer = self.call("refund", Method::POST, "/v3/refund/domestic/refunds", Some(body)).await?;
        answers::refunded(&answer, &request.out_refund_no)
    }

    async fn refund_status(&self, out_refund_no: &str) -> Result<RefundSaid, CallError> {
        let target = format!("/v3/refund/domestic/refunds/{}", checked("query refund", out_refund_no, 64)?);
        let answer = self.call("query refund", Method::GET, &target, None).await?;
        answers::refund_status(&answer, out_refund_no)
    }

    async fn bill(&self, day: NaiveDate) -> Result<Bill, CallError> {
        let target = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL");
        let lies = match bill::found(&self.call("trade bill", Method::GET, &target, None).await?)? {
            bill::Found::NotYet => return Ok(Bill::NotYet),
            bill::Found::Nothing => return Ok(Bill::Lines(Vec::new())),
            bill::Found::At(lies) => lies,
        };
        let target = self.within(DOWNLOAD, &lies.download_url)?;
        let raw = self.call(DOWNLOAD, Method::GET, &target, None).await?;
        if raw.status != 200 {
            return Err(unknown(DOWNLOAD, &format!("status {}", raw.status)));
        }
        bill::read(&lies, &raw.body).map(Bill::Lines)
    }

    async fn learn_keys(&self) -> Result<(), CallError> {
        if !self.config.platform_certificates {
            return Ok(());
        }
        // Whoever comes while they are asked for waits, and finds them.
        let mut learnt_at = self.learnt_at.lock().await;
        if learnt_at.is_some_and(|at| at.elapsed() < LEARN_APART) {
            return Ok(());
        }
        *learnt_at = Some(Instant::now());
        traced("payments", CERTIFICATES, self.download_keys()).await
    }

    fn notice(&self, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<Notice, NoticeError> {
        let keys = self.keys();
        let ours = Ours {
            app_id: &self.config.app_id,
            mch_id: &self.config.mch_id,
            platform_keys: &keys,
            api_v3_key: &self.api_v3_key,
            skew: self.config.notice_skew,
        };
        notice::read(&ours, headers, body, now)
    }

    fn client_parameters(&self, prepay_id: &str, now: DateTime<Utc>) -> serde_json::Value {
        let (timestamp, nonce, package) = (now.timestamp(), nonce(), format!("prepay_id={prepay_id}"));
        let message = client_message(&self.config.app_id, timestamp, &nonce, &package);
        json!({
            "appId": self.config.app_id,
            "timeStamp": timestamp.to_string(),
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            // Empty only where the cryptographic library fails; the payer's client then refuses to pay.
            "paySign": self.signing.sign(message.as_bytes()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::signature::tests::pair;
    use super::*;

    fn config() -> (Config, String) {
        let (private, public) = pair();
        let config = Config {
            // Nobody listens on the discard port of this host.
            base_url: "http://127.0.0.1:9".into(),
            app_id: "wx1".into(),
            mch_id: "m1".into(),
            serial_no: "OURS".into(),
            private_key_pem: private.into(),
            platform_keys: vec![("S1".into(), public.clone())],
            platform_certificates: false,
            api_v3_key: "0123456789abcdef0123456789abcdef".into(),
            notify_url_payments: "http://127.0.0.1:9/payments".into(),
            notify_url_refunds: "http://127.0.0.1:9/refunds".into(),
            notice_skew: TimeDelta::minutes(5),
            timeout: Duration::from_secs(5),
        };
        (config, public)
    }

    #[test]
    fn bad_keys_stop_the_start() {
        let (good, _) = config();
        let built = |change: fn(&mut Config)| {
            let mut config = good.clone();
            change(&mut config);
            WechatPay::new(config).unwrap_err()
        };
        assert!(matches!(built(|c| c.base_url = "ftp://x".into()), ConfigError::BaseUrl));
        assert!(matches!(built(|c| c.private_key_pem = "x".into()), ConfigError::PrivateKey(_)));
        assert!(matches!(built(|c| c.api_v3_key = "short".into()), ConfigError::ApiKey));
        assert!(matches!(built(|c| c.platform_keys.clear()), ConfigError::NoPlatformKey));
        assert!(matches!(
            built(|c| c.platform_keys = vec![("S9".into(), "x".into())]),
            ConfigError::PlatformKey { serial, .. } if serial == "S9"
        ));
    }

    #[test]
    fn the_configuration_hides_its_secrets() {
        let (config, _) = config();
        let shown = format!("{:?}", WechatPay::new(config).unwrap());
        assert!(!shown.contains("PRIVATE KEY") && !shown.contains("0123456789abcdef"), "{shown}");
    }

    #[test]
    fn the_payers_client_gets_a_signature_that_fits() {
        let (config, public) = config();
        let pay = WechatPay::new(config).unwrap();
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let parameters = pay.client_parameters("p1", now);
        let text = |name: &str| parameters[name].as_str().unwrap().to_owned();
        assert_eq!(text("package"), "prepay_id=p1");
        let message = client_message("wx1", 1_790_000_000, &text("nonceStr"), "prepay_id=p1");
        let keys = VerifyingKeys::from_pems([("K", public.as_str())]).unwrap();
        assert_eq!(keys.verify("K", message.as_bytes(), &text("paySign")), Ok(()));
    }

    #[tokio::test]
    async fn nothing_was_taken_where_nobody_listens() {
        let pay = WechatPay::new(config().0).unwrap();
        assert!(matches!(pay.order("no0001").await, Err(CallError::NotTaken { .. })));
    }

    #[tokio::test]
    async fn a_number_that_would_change_the_path_is_never_sent() {
        let pay = WechatPay::new(config().0).unwrap();
        for number in ["", "../x", "a/b", "a?b", "号", &"1".repeat(33)] {
            assert!(matches!(pay.close(number).await, Err(CallError::Broken { .. })), "{number}");
        }
    }
}
