//! Who calls us back, with their real keys: HIS, the payment provider and the message platform. Each spoils what it sends,
//! before it is sealed and signed or after, so that what stands behind the signature is hammered too.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use houbu::ports::his::Credentials;
use houbu::ports::his::envelope::Envelope;
use houbu::ports::payments::sealed::SealingKey;
use houbu::ports::payments::signature::{SigningKey, platform_message};
use houbu::ports::stamp::{Stamper, Way};
use serde_json::{Value, json};

use super::bodies::spoiled;
use crate::simulation::chance::Dice;

pub const SIGN_KEY: &str = "hammered-sign-key";
pub const AES_KEY: &str = "hammered-aes-key";
pub const API_V3_KEY: &str = "hammered-api-v3-key-of-32-bytes!";
pub const EVENT_TOKEN: &str = "hammered-event-token";
pub const PLATFORM_KEY: &str = "hammered-platform-key";
pub const SERIAL: &str = "HAMMER1";

/// Where callbacks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    His,
    HisEvents,
    Payments,
    Refunds,
    Events,
    /// Where the hospital's own platform takes the money.
    PayPlatform,
    /// Where the hospital's own platform tells what became of messages.
    MessagePlatform,
}

/// Those of a hospital that WeChat Pay takes the money for.
pub const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::His,
    Endpoint::HisEvents,
    Endpoint::Payments,
    Endpoint::Refunds,
    Endpoint::Events,
    Endpoint::MessagePlatform,
];

/// A request: what comes after the address, its headers, its body.
pub struct Sending {
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

pub struct Senders {
    envelope: Envelope,
    his: Stamper,
    pay_platform: Stamper,
    platform: SigningKey,
    sealing: SealingKey,
    /// By the house's clock, seconds.
    now: i64,
    pub private_pem: String,
    pub public_pem: String,
}

impl Senders {
    pub fn new(now: i64) -> Self {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem =
            |kind, der: &[u8]| format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        let his = Credentials { user_id: "HOUBU".to_owned(), sign_key: SIGN_KEY.into(), aes_key: AES_KEY.into() };
        Self {
            envelope: Envelope::new(&his).unwrap(),
            his: Stamper::new(&SIGN_KEY.into()),
            pay_platform: Stamper::new(&PLATFORM_KEY.into()),
            platform: SigningKey::from_pem(&private_pem).unwrap(),
            sealing: SealingKey::new(&API_V3_KEY.into()).unwrap(),
            now,
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            private_pem,
        }
    }

    /// What the endpoint is sent in all honesty; `n` makes it one of its own.
    pub fn good(&self, endpoint: Endpoint, n: u64) -> Sending {
        let mut dice = Dice::new(n);
        match endpoint {
            Endpoint::His => self.push(&mut dice, n, false),
            Endpoint::Payments => self.notice("payments", &mut dice, &transaction(n), "TRANSACTION.SUCCESS", n, false),
            Endpoint::Refunds => self.notice("refunds", &mut dice, &refund(n), "REFUND.SUCCESS", n, false),
            Endpoint::Events => self.event(&mut dice, n, false),
            Endpoint::HisEvents => self.his_event(&mut dice, n, false),
            Endpoint::PayPlatform => self.platform_notice(&mut dice, n, false),
            Endpoint::MessagePlatform => self.platform_event(&mut dice, n, false),
        }
    }

    /// The same, spoiled somewhere.
    pub fn bad(&self, endpoint: Endpoint, n: u64) -> Sending {
        let mut dice = Dice::about(0x_4a11_3e12, &[&format!("{endpoint:?}"), &n]);
        let dice = &mut dice;
        match endpoint {
            Endpoint::His => self.push(dice, n, true),
            Endpoint::Payments => self.notice("payments", dice, &transaction(n), "TRANSACTION.SUCCESS", n, true),
            Endpoint::Refunds => self.notice("refunds", dice, &refund(n), "REFUND.SUCCESS", n, true),
            Endpoint::Events => self.event(dice, n, true),
            Endpoint::HisEvents => self.his_event(dice, n, true),
            Endpoint::PayPlatform => self.platform_notice(dice, n, true),
            Endpoint::MessagePlatform => self.platform_event(dice, n, true),
        }
    }

    /// A payment that the platform tells us of with all its seals, though it was made to another merchant.
    pub fn foreign(&self) -> Sending {
        let mut plain = transaction(1);
        plain["mchid"] = json!("1900000001");
        self.notice("payments", &mut Dice::new(1), &plain, "TRANSACTION.SUCCESS", 1, false)
    }

    fn push(&self, dice: &mut Dice, n: u64, bad: bool) -> Sending {
        let (function, body) = dice.one_of(&PUSHES);
        let mut inner = body.replace("{n}", &n.to_string());
        let spoils_inside = bad && dice.once_in(2);
        if spoils_inside {
            inner = String::from_utf8_lossy(&spoiled(dice, inner.as_bytes())).into_owned();
        }
        let root = self.envelope.seal_request(function, &inner).unwrap();
        let whole = match dice.below(2) {
            0 => root,
            _ => format!(
                "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><Push><xml>\
                 <![CDATA[{root}]]></xml></Push></soap:Body></soap:Envelope>"
            ),
        };
        let body = if bad && !spoils_inside { spoiled(dice, whole.as_bytes()) } else { whole.into_bytes() };
        Sending { path: "/callbacks/his".to_owned(), headers: vec![("content-type", "text/xml".to_owned())], body }
    }

    fn notice(&self, path: &str, dice: &mut Dice, plain: &Value, event: &str, n: u64, bad: bool) -> Sending {
        // 0: before it is sealed, 1: before it is signed, 2: after.
        let layer = if bad { dice.below(3) } else { 9 };
        let mut plain = plain.to_string().into_bytes();
        if layer == 0 {
            plain = spoiled(dice, &plain);
        }
        let nonce = format!("{n:012}");
        let ciphertext = self.sealing.seal(&nonce, "resource", &plain).unwrap();
        let mut body = json!({
            "id": format!("notice-{n}"), "event_type": event, "resource_type": "encrypt-resource",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM", "ciphertext": ciphertext, "associated_data": "resource",
                "nonce": nonce,
            }
        })
        .to_string()
        .into_bytes();
        if layer == 1 {
            body = spoiled(dice, &body);
        }
        let timestamp = self.now.to_string();
        let signature = self.platform.sign(&platform_message(&timestamp, "N", &body)).unwrap();
        let mut headers = vec![
            ("wechatpay-timestamp", timestamp),
            ("wechatpay-nonce", "N".to_owned()),
            ("wechatpay-signature", signature),
            ("wechatpay-serial", SERIAL.to_owned()),
        ];
        if layer == 2 {
            match dice.below(3) {
                0 => body = spoiled(dice, &body),
                1 => {
                    let nth = usize::try_from(dice.below(4)).unwrap();
                    headers[nth].1 = String::from(dice.one_of(&[
                        "",
                        "-9223372036854775808",
                        "x",
                        "WECHATPAY/SIGNTEST/QUJD",
                        "AAAA",
                        "1790000000",
                    ]));
                }
                _ => drop(headers.swap_remove(usize::try_from(dice.below(4)).unwrap())),
            }
        }
        Sending { path: format!("/callbacks/wechat-pay/{path}"), headers, body }
    }

    fn his_event(&self, dice: &mut Dice, n: u64, bad: bool) -> Sending {
        let body = dice.one_of(&EVENTS).replace("{n}", &n.to_string());
        self.stamped("/callbacks/his/events", &self.his, dice, body, bad)
    }

    fn platform_notice(&self, dice: &mut Dice, n: u64, bad: bool) -> Sending {
        let (number, refund_no) = (format!("T{n:020}"), format!("R{n:020}"));
        let (event, data) = match dice.below(2) {
            0 => (
                "ORDER_PAID",
                json!({
                    "orderNo": number, "state": "PAID", "amountFen": 2500, "paymentId": format!("P{n}"),
                    "paidAt": "2026-03-02T09:00:00+08:00"
                }),
            ),
            _ => {
                ("REFUND_DONE", json!({ "orderNo": number, "refundNo": refund_no, "state": "DONE", "amountFen": 2500 }))
            }
        };
        let body = json!({ "id": format!("notice-{n}"), "event": event, "merchantId": "1001", "data": data });
        self.stamped("/callbacks/pay-platform", &self.pay_platform, dice, body.to_string(), bad)
    }

    /// Spoiled before it is stamped, or after, or in its stamp.
    fn stamped(&self, path: &str, stamper: &Stamper, dice: &mut Dice, body: String, bad: bool) -> Sending {
        let layer = if bad { dice.below(2) } else { 9 };
        let mut body = body.into_bytes();
        if layer == 0 {
            body = spoiled(dice, &body);
        }
        let at = DateTime::from_timestamp(self.now, 0).unwrap();
        let mut headers = stamper.sign(Way::Event, at, "nonce-0001", &body).headers().to_vec();
        if layer == 1 {
            let nth = usize::try_from(dice.below(3)).unwrap();
            match dice.below(3) {
                0 => body = spoiled(dice, &body),
                1 => {
                    headers[nth].1 =
                        String::from(dice.one_of(&["", "-9223372036854775808", "x", "AAAA", "1790000000"]));
                }
                _ => drop(headers.swap_remove(nth)),
            }
        }
        Sending { path: path.to_owned(), headers, body }
    }

    fn event(&self, dice: &mut Dice, n: u64, bad: bool) -> Sending {
        let status = dice.one_of(&["success", "failed:user block", "failed: system failed"]);
        let mut body = format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
             <CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>{}</MsgID><Status><![CDATA[{status}]]></Status></xml>",
            200_163_836_u64 + n
        )
        .into_bytes();
        let now = self.now.to_string();
        let mut parts = [EVENT_TOKEN, now.as_str(), "n1"];
        parts.sort_unstable();
        let mut signature = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()));
        if bad {
            match dice.below(6) {
                0 => {
                    // No longer than an address may be.
                    let mut spoilt = spoiled(dice, b"0123456789");
                    spoilt.truncate(400);
                    signature = hex::encode(spoilt);
                }
                1 => signature = String::from("%00%ff%zz&signature=&timestamp[]="),
                _ => body = spoiled(dice, &body),
            }
        }
        let path = format!("/callbacks/wechat/events?signature={signature}&timestamp={now}&nonce=n1");
        Sending { path, headers: vec![("content-type", "text/xml".to_owned())], body }
    }
}

impl Senders {
    /// Of the hospital's own message platform: spoiled before it is signed, or after.
    fn platform_event(&self, dice: &mut Dice, n: u64, bad: bool) -> Sending {
        let status = dice.one_of(&["delivered", "failed", "read"]);
        let body = json!({ "id": format!("M{n:029}"), "status": status, "reason": "user blocked" }).to_string();
        let layer = if bad { dice.below(3) } else { 9 };
        let mut body = body.into_bytes();
        if layer == 0 {
            body = spoiled(dice, &body);
        }
        let at = DateTime::from_timestamp(self.now, 0).unwrap();
        let stamp = Stamper::new(&PLATFORM_KEY.into()).sign(Way::Event, at, "nonce-0001", &body);
        let mut headers: Vec<_> = stamp.headers().into_iter().collect();
        match layer {
            1 => body = spoiled(dice, &body),
            2 => {
                let nth = usize::try_from(dice.below(3)).unwrap();
                headers[nth].1 = String::from(dice.one_of(&["", "-9223372036854775808", "x", "AAAA", "1790000000"]));
            }
            _ => {}
        }
        Sending { path: "/callbacks/messages/events".to_owned(), headers, body }
    }
}

/// Pushes about the only schedule that there is, and about what there is not.
const PUSHES: [(&str, &str); 5] = [
    (
        "5001",
        "<REQ><HOS_ID>1001</HOS_ID><DEPT_ID>d1</DEPT_ID><DOCTOR_ID>doc{n}</DOCTOR_ID><REG_DATE>2026-03-04</REG_DATE>\
         <TIME_FLAG>1</TIME_FLAG><BEGIN_TIME>08:00</BEGIN_TIME><END_TIME>08:30</END_TIME><STOP_REMARK>停诊</STOP_REMARK>\
         </REQ>",
    ),
    ("5002", "<REQ><HOS_ID>1001</HOS_ID><ORDER_ID>L{n}</ORDER_ID></REQ>"),
    (
        "5007",
        "<REQ><EVENT_ID>e{n}</EVENT_ID><HOSP_ORDER_ID>H{n}</HOSP_ORDER_ID><CHANNEL_ID>9</CHANNEL_ID><REG_ID>S1</REG_ID>\
         <DEPT_ID>d1</DEPT_ID><DOCTOR_ID>doc1</DOCTOR_ID><REG_DATE>2026-03-04</REG_DATE><TIME_FLAG>1</TIME_FLAG>\
         <BEGIN_TIME>08:00</BEGIN_TIME><END_TIME>08:30</END_TIME><CANCEL_TIME>2026-03-02 09:15:30</CANCEL_TIME></REQ>",
    ),
    (
        "5008",
        "<REQ><EVENT_ID>c{n}</EVENT_ID><REG_ID>S1</REG_ID><DEPT_ID>d1</DEPT_ID><DOCTOR_ID>doc9</DOCTOR_ID>\
         <DOCTOR_NAME>王医生</DOCTOR_NAME><REG_DATE>2026-03-05</REG_DATE><TIME_FLAG>2</TIME_FLAG>\
         <CHANGE_TIME>2026-03-02 09:15:30</CHANGE_TIME></REQ>",
    ),
    ("5003", "<REQ><ORDER_ID>L{n}</ORDER_ID></REQ>"),
];

/// The same in JSON.
const EVENTS: [&str; 3] = [
    r#"{"function":"5001","userId":"HOUBU","data":{"hosId":"1001","deptId":"d1","doctorId":"doc{n}","regDate":"2026-03-04",
        "timeFlag":"1","beginTime":"08:00","endTime":"08:30","stopRemark":"停诊"}}"#,
    r#"{"function":"5002","userId":"HOUBU","data":{"hosId":"1001","orderId":"L{n}"}}"#,
    r#"{"function":"5007","userId":"HOUBU","data":{"eventId":"j{n}","hospOrderId":"J{n}","channelId":"9","regId":"S1",
        "deptId":"d1","doctorId":"doc1","regDate":"2026-03-04","timeFlag":"1","beginTime":"08:00","endTime":"08:30",
        "cancelTime":"2026-03-02 09:15:30"}}"#,
];

fn transaction(n: u64) -> Value {
    json!({
        "appid": "wxhammer", "mchid": "1900000009", "out_trade_no": format!("T{n:020}"),
        "transaction_id": format!("42000{n:020}"), "trade_type": "JSAPI", "trade_state": "SUCCESS",
        "success_time": "2026-03-02T09:00:00+08:00", "payer": {"openid": "o1"},
        "amount": {"total": 2500, "payer_total": 2500, "currency": "CNY", "payer_currency": "CNY"},
    })
}

fn refund(n: u64) -> Value {
    json!({
        "mchid": "1900000009", "out_trade_no": format!("T{n:020}"), "transaction_id": format!("42000{n:020}"),
        "out_refund_no": format!("R{n:020}"), "refund_id": format!("50000{n:020}"), "refund_status": "SUCCESS",
        "success_time": "2026-03-02T09:00:00+08:00", "user_received_account": "招商银行信用卡0403",
        "amount": {"total": 2500, "refund": 2500, "payer_total": 2500, "payer_refund": 2500},
    })
}
