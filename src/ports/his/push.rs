//! Reads what a HIS sends to `POST /callbacks/his`, or as JSON to `POST /callbacks/his/events`: 停诊 (5001), cancelled bookings (5002 of ours, 5007 of all), 替诊 and 改诊
//! (5008, ours) and the rest of 500x.
//!
//! Verifies before it reads. It decides nothing: storing, deduplicating by `event_id` and answering fast is the
//! caller's part. No input makes it panic.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

use super::connection::{Config, Protocol};
use super::envelope::{Credentials, Envelope, EnvelopeError, KeyError};
use super::json_line::{Answering, Asking};
use super::messages::{self, AboutOrder, CancelPush, CancelRegByHis, ChangePush, StopReg};
use super::push_answer::{Named, PushAnswer, PushError, Untaken};
use super::{DayPart, Sitting, TimeSlot, json, soap, wire};
use crate::ports::stamp::{NONCE, Stamp, StampError, Stamper, Way};
use crate::waitlist::ids;

/// A verified, decrypted push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Push {
    /// 5001 `StopReg` 停诊.
    Stopped {
        /// The HIS's, or derived from the other fields: the same on every repetition.
        event_id: String,
        /// `DEPT_ID`.
        department_id: String,
        /// `DOCTOR_ID`.
        doctor_id: String,
        /// `REG_DATE`.
        visit_date: NaiveDate,
        /// `TIME_FLAG`; none = the whole day.
        part: Option<DayPart>,
        /// `BEGIN_TIME`/`END_TIME`; none = the whole part.
        slot: Option<TimeSlot>,
        /// `STOP_REMARK`: anybody's words, which are not kept.
        #[serde(skip)]
        remark: String,
    },
    /// 5002 `CancelRegByHis`: HIS has cancelled a booking of ours (R22, R30).
    OrderCancelled {
        /// `ORDER_ID`, ours.
        order_id: String,
    },
    /// 5007 `CancelPush`: a booking of any channel was cancelled, ours among them (R15, R30).
    Cancelled {
        /// `EVENT_ID`.
        event_id: String,
        /// `HOSP_ORDER_ID`.
        his_order_id: String,
        /// `CHANNEL_ID`.
        channel_id: String,
        /// `REG_ID`.
        reg_id: String,
        /// `DEPT_ID`.
        department_id: String,
        /// `DOCTOR_ID`.
        doctor_id: String,
        /// `REG_DATE`.
        visit_date: NaiveDate,
        /// `TIME_FLAG`.
        part: DayPart,
        /// `BEGIN_TIME`/`END_TIME`; none where the schedule has no times.
        slot: Option<TimeSlot>,
        /// `CANCEL_TIME`.
        cancelled_at: DateTime<Utc>,
    },
    /// 5008 `ChangePush` (ours): another doctor sees the patients of a schedule, or on another day or half-day (R34).
    Changed {
        /// `EVENT_ID`.
        event_id: String,
        /// `REG_ID`.
        reg_id: String,
        /// `DEPT_ID`.
        department_id: String,
        /// The doctor's name and title.
        doctor: (String, String),
        /// Who, and when, from now on.
        sitting: Sitting,
        /// `CHANGE_TIME`.
        changed_at: DateTime<Utc>,
    },
    /// Another function: nothing that the waitlist acts on by itself.
    Other {
        /// Derived from all that it says: the same on every repetition.
        event_id: String,
        /// `FUN_CODE`.
        code: String,
        /// `ORDER_ID`, ours, where it is about an order: money or a visit at the counter (5003 to 5006).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
    },
    /// The same about an order that it names by HIS's number alone.
    OfHisOrder {
        /// As of the others.
        event_id: String,
        /// `FUN_CODE`.
        code: String,
        /// `HOSP_ORDER_ID`.
        his_order_id: String,
    },
}

/// The most letters of a `HOSP_ORDER_ID`: what is longer is none.
const HIS_ORDER_LETTERS_MAX: usize = 64;

impl Push {
    /// What it is answered once it is stored. 5006 asks what became of a refund: nobody here may say that it is done.
    pub fn answer(&self) -> PushAnswer {
        match self {
            Self::Other { code, .. } | Self::OfHisOrder { code, .. } if code == "5006" => PushAnswer::NotSaid,
            _ => PushAnswer::Accepted,
        }
    }
}

/// The answer to an event: its headers and its body.
pub struct EventAnswer {
    /// Of [`Stamp`].
    pub headers: [(&'static str, String); 3],
    /// JSON.
    pub body: Vec<u8>,
}

/// Reads and answers pushes of one HIS.
pub struct PushReader {
    /// None where the HIS speaks no SOAP.
    envelope: Option<Envelope>,
    stamper: Stamper,
    user_id: String,
    hospital_id: String,
    time_zone: Tz,
}

impl PushReader {
    /// A reader for the HIS of this hospital (`HOS_ID`) with these credentials and this clock.
    pub fn new(credentials: &Credentials, hospital_id: &str, time_zone: Tz) -> Result<Self, KeyError> {
        let (stamper, user_id) = (Stamper::new(&credentials.sign_key), credentials.user_id.clone());
        let (envelope, hospital_id) = (Some(Envelope::new(credentials)?), hospital_id.to_owned());
        Ok(Self { envelope, stamper, user_id, hospital_id, time_zone })
    }

    /// A reader for the HIS of this connection: of SOAP where that is what it speaks, of JSON events always.
    pub fn of(config: &Config) -> Result<Self, KeyError> {
        let envelope = match config.protocol {
            Protocol::Jiankangtong => Some(Envelope::new(&config.credentials())?.in_charset(config.charset)),
            Protocol::Rest | Protocol::Fhir => None,
        };
        let (stamper, user_id) = (Stamper::new(&config.sign_key), config.user_id.clone());
        let (hospital_id, time_zone) = (config.hospital_id.clone(), config.time_zone);
        Ok(Self { envelope, stamper, user_id, hospital_id, time_zone })
    }

    /// Verifies, decrypts and reads the raw body of a push in SOAP.
    pub fn read(&self, raw: &[u8]) -> Result<Push, PushError> {
        self.take(raw).map_err(|untaken| untaken.error)
    }

    /// The same, with what can be read of a push that is signed rightly all the same.
    pub fn take(&self, raw: &[u8]) -> Result<Push, Untaken> {
        let envelope = self.envelope.as_ref().ok_or(PushError::BadSignature)?;
        let request = envelope.open_request(raw).map_err(|error| match error {
            EnvelopeError::Xml(_) => PushError::NotXml.into(),
            EnvelopeError::Signature => PushError::BadSignature.into(),
            EnvelopeError::Missing(field) => PushError::Unreadable(field).into(),
            // Another key than ours, under our signature.
            EnvelopeError::Cipher => {
                Untaken { error: PushError::Unreadable("REQ_ENCRYPTED"), signed: Some(Named::default()) }
            }
        })?;
        self.understand(&request.function, &request.body)
    }

    /// Verifies and reads the raw body of an event, which was stamped within five minutes of `now`.
    pub fn read_event(&self, headers: &HeaderMap, raw: &[u8], now: DateTime<Utc>) -> Result<Push, PushError> {
        self.take_event(headers, raw, now).map_err(|untaken| untaken.error)
    }

    /// The same, with what can be read of an event that is signed rightly all the same.
    pub fn take_event(&self, headers: &HeaderMap, raw: &[u8], now: DateTime<Utc>) -> Result<Push, Untaken> {
        let doubted = |error| match error {
            StampError::Header(name) => PushError::Unreadable(name),
            StampError::Signature => PushError::BadSignature,
            StampError::Stale => PushError::Stale,
        };
        let stamp = Stamp::read(headers).map_err(doubted)?;
        self.stamper.verify(Way::Event, &stamp, raw).map_err(doubted)?;
        stamp.fresh(now).map_err(doubted)?;
        let signed = |error, named| Untaken { error, signed: Some(named) };
        let event: Asking = serde_json::from_slice(raw)
            .map_err(|_| signed(PushError::Unreadable("function, userId, data"), Named::default()))?;
        if event.user_id != self.user_id {
            return Err(PushError::BadSignature.into());
        }
        let function = || Named { function: Some(event.function.clone()), event_id: None };
        let body = json::as_xml(&event.data).map_err(|_| signed(PushError::Unreadable("data"), function()))?;
        self.understand(&event.function, &body)
    }

    fn understand(&self, function: &str, body: &str) -> Result<Push, Untaken> {
        self.meant(function, body).map_err(|error| {
            let event_id = || messages::read::<OfEvent>(body).ok().and_then(|of| of.event_id);
            let named = || Named { function: Some(function.to_owned()), event_id: event_id() };
            Untaken { error, signed: (error != PushError::OtherHospital).then(named) }
        })
    }

    fn meant(&self, function: &str, body: &str) -> Result<Push, PushError> {
        // Whoever names no hospital is known by the keys alone, which v3.3 gives to each hospital.
        let named = messages::read::<OfHospital>(body).ok().and_then(|of| of.hos_id).unwrap_or_default();
        if !["", self.hospital_id.as_str()].contains(&named.trim()) {
            return Err(PushError::OtherHospital);
        }
        match function {
            "5001" => stopped(body),
            "5002" => order_cancelled(body),
            "5007" => cancelled(body, self.time_zone),
            "5008" => changed(body, self.time_zone),
            _ => Ok(other(function, body)),
        }
    }

    /// The reply to a push: SOAP around an envelope with `RETURN_CODE`.
    pub fn answer(&self, result: PushAnswer) -> Vec<u8> {
        let Some(envelope) = &self.envelope else { return Vec::new() };
        let (code, message) = result.code_and_message();
        // Sealing an empty body cannot fail with a key that was accepted; if it did, an empty reply makes HIS repeat.
        let root = envelope.seal_reply(code, message, "").unwrap_or_default();
        soap::bytes(&soap::reply("Push", &root), envelope.charset())
    }

    /// In what the replies in SOAP are written; none where this HIS speaks no SOAP.
    pub fn charset(&self) -> Option<&'static str> {
        self.envelope.as_ref().map(|envelope| envelope.charset().name())
    }

    /// The reply to an event, stamped in turn and with its nonce.
    pub fn answer_event(&self, headers: &HeaderMap, result: PushAnswer, now: DateTime<Utc>) -> EventAnswer {
        let (code, message) = result.code_and_message();
        let answer = Answering { code: code.to_owned(), message: message.to_owned(), data: serde_json::Value::Null };
        let body = serde_json::to_vec(&answer).unwrap_or_default();
        let nonce = headers.get(NONCE).and_then(|nonce| nonce.to_str().ok()).unwrap_or_default();
        let nonce: String = nonce.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
        EventAnswer { headers: self.stamper.sign(Way::Receipt, now, &nonce, &body).headers(), body }
    }
}

/// `HOS_ID`, which every function may carry.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct OfHospital {
    hos_id: Option<String>,
}

/// `EVENT_ID`, which some functions carry.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct OfEvent {
    event_id: Option<String>,
}

/// Whoever names an order of ours by our number needs no other.
fn other(function: &str, body: &str) -> Push {
    let code: String = function.chars().take(16).collect();
    let event_id = hashed(&code, [function, body]);
    let AboutOrder { order_id, hosp_order_id } = messages::read(body).unwrap_or_default();
    let named = |id: Option<String>| id.map(|id| id.trim().to_owned());
    let order_id = named(order_id).filter(|id| ids::run_of(id).is_some());
    match named(hosp_order_id).filter(|id| (1..=HIS_ORDER_LETTERS_MAX).contains(&id.len())) {
        Some(his_order_id) if order_id.is_none() => Push::OfHisOrder { event_id, code, his_order_id },
        _ => Push::Other { event_id, code, order_id },
    }
}

fn stopped(body: &str) -> Result<Push, PushError> {
    let stop: StopReg = messages::read(body).map_err(|_| PushError::Unreadable("5001 StopReg"))?;
    let slot = time_slot(stop.begin_time, stop.end_time)?;
    let named = stop.event_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let event_id = named.map_or_else(|| derived_id(&stop), str::to_owned);
    Ok(Push::Stopped {
        event_id,
        department_id: required(stop.dept_id, "DEPT_ID")?,
        doctor_id: required(stop.doctor_id, "DOCTOR_ID")?,
        visit_date: stop.reg_date,
        part: stop.time_flag,
        slot,
        remark: stop.stop_remark,
    })
}

fn order_cancelled(body: &str) -> Result<Push, PushError> {
    let push: CancelRegByHis = messages::read(body).map_err(|_| PushError::Unreadable("5002 CancelRegByHis"))?;
    Ok(Push::OrderCancelled { order_id: required(push.order_id, "ORDER_ID")? })
}

fn cancelled(body: &str, zone: Tz) -> Result<Push, PushError> {
    let push: CancelPush = messages::read(body).map_err(|_| PushError::Unreadable("5007 CancelPush"))?;
    Ok(Push::Cancelled {
        event_id: required(push.event_id, "EVENT_ID")?,
        his_order_id: required(push.hosp_order_id, "HOSP_ORDER_ID")?,
        channel_id: push.channel_id,
        reg_id: required(push.reg_id, "REG_ID")?,
        department_id: push.dept_id,
        doctor_id: push.doctor_id,
        visit_date: push.reg_date,
        part: push.time_flag,
        slot: time_slot(push.begin_time, push.end_time)?,
        cancelled_at: wire::instant(push.cancel_time, zone).ok_or(PushError::Unreadable("CANCEL_TIME"))?,
    })
}

fn changed(body: &str, zone: Tz) -> Result<Push, PushError> {
    let push: ChangePush = messages::read(body).map_err(|_| PushError::Unreadable("5008 ChangePush"))?;
    Ok(Push::Changed {
        event_id: required(push.event_id, "EVENT_ID")?,
        reg_id: required(push.reg_id, "REG_ID")?,
        department_id: required(push.dept_id, "DEPT_ID")?,
        doctor: (push.doctor_name, push.doctor_title),
        sitting: Sitting {
            doctor_id: required(push.doctor_id, "DOCTOR_ID")?,
            visit_date: push.reg_date,
            part: push.time_flag,
        },
        changed_at: wire::instant(push.change_time, zone).ok_or(PushError::Unreadable("CHANGE_TIME"))?,
    })
}

fn required(value: String, field: &'static str) -> Result<String, PushError> {
    if value.trim().is_empty() { Err(PushError::Unreadable(field)) } else { Ok(value) }
}

fn time_slot(begins: Option<NaiveTime>, ends: Option<NaiveTime>) -> Result<Option<TimeSlot>, PushError> {
    match (begins, ends) {
        (Some(begins), Some(ends)) => Ok(Some(TimeSlot::new(begins, ends))),
        (None, None) => Ok(None),
        _ => Err(PushError::Unreadable("BEGIN_TIME/END_TIME")),
    }
}

/// A stable id for a 停诊 without one. The remark is left out: a corrected remark is the same 停诊.
fn derived_id(stop: &StopReg) -> String {
    let time = |time: Option<NaiveTime>| time.map(|time| time.to_string()).unwrap_or_default();
    let parts = [
        stop.dept_id.as_str(),
        &stop.doctor_id,
        &stop.reg_date.to_string(),
        stop.time_flag.map(DayPart::flag).unwrap_or_default(),
        &time(stop.begin_time),
        &time(stop.end_time),
    ];
    hashed("5001", parts)
}

/// An id from what makes a push the same.
fn hashed<'a>(code: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha = Context::new(&SHA256);
    for part in parts {
        sha.update(&u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        sha.update(part.as_bytes());
    }
    let digest = hex::encode(sha.finish());
    format!("{code}-{}", digest.get(..32).unwrap_or(&digest))
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
