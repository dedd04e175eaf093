//! Reads what a HIS sends to `POST /callbacks/his`: 停诊 (5001), cancelled bookings (5002 of ours, 5007 of all), 替诊 and 改诊
//! (5008, ours) and the rest of 500x.
//!
//! Verifies before it reads. It decides nothing: storing, deduplicating by `event_id` and answering fast is the
//! caller's part. No input makes it panic.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::envelope::{Credentials, Envelope, EnvelopeError, KeyError};
use super::messages::{self, CancelPush, CancelRegByHis, ChangePush, StopReg};
use super::{DayPart, Sitting, TimeSlot, soap, wire};

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
        /// `STOP_REMARK`.
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
    /// Another function: nothing that the waitlist acts on.
    Other {
        /// `FUN_CODE`.
        code: String,
    },
}

/// Why a push was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// No XML envelope, or one with a document type declaration.
    #[error("the push is not an XML envelope")]
    NotXml,
    /// Signature, `USER_ID` or `SIGN_TYPE` are wrong.
    #[error("the push's signature is wrong")]
    BadSignature,
    /// A part of it is missing or cannot be read.
    #[error("the push cannot be read: {0}")]
    Unreadable(&'static str),
}

/// What we answer to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushAnswer {
    /// `0`: stored; also to a repetition.
    Accepted,
    /// `1`: it cannot be read.
    Unreadable,
    /// `7`: the signature is wrong.
    BadSignature,
    /// `99`: not stored, send it again.
    TryAgain,
}

impl From<PushError> for PushAnswer {
    fn from(error: PushError) -> Self {
        match error {
            PushError::BadSignature => Self::BadSignature,
            PushError::NotXml | PushError::Unreadable(_) => Self::Unreadable,
        }
    }
}

/// Reads and answers pushes of one HIS.
pub struct PushReader {
    envelope: Envelope,
    time_zone: Tz,
}

impl PushReader {
    /// A reader for the HIS with these credentials and this clock.
    pub fn new(credentials: &Credentials, time_zone: Tz) -> Result<Self, KeyError> {
        Ok(Self { envelope: Envelope::new(credentials)?, time_zone })
    }

    /// Verifies, decrypts and reads a raw request body.
    pub fn read(&self, raw: &[u8]) -> Result<Push, PushError> {
        let request = self.envelope.open_request(raw).map_err(|error| match error {
            EnvelopeError::Xml(_) => PushError::NotXml,
            EnvelopeError::Signature => PushError::BadSignature,
            EnvelopeError::Missing(field) => PushError::Unreadable(field),
            EnvelopeError::Cipher => PushError::Unreadable("REQ_ENCRYPTED"),
        })?;
        match request.function.as_str() {
            "5001" => stopped(&request.body),
            "5002" => order_cancelled(&request.body),
            "5007" => cancelled(&request.body, self.time_zone),
            "5008" => changed(&request.body, self.time_zone),
            _ => Ok(Push::Other { code: request.function.chars().take(16).collect() }),
        }
    }

    /// The reply to a push: SOAP around an envelope with `RETURN_CODE`.
    pub fn answer(&self, result: PushAnswer) -> String {
        let (code, message) = match result {
            PushAnswer::Accepted => ("0", "交易成功"),
            PushAnswer::Unreadable => ("1", "参数错误"),
            PushAnswer::BadSignature => ("7", "签名错误"),
            PushAnswer::TryAgain => ("99", "系统异常"),
        };
        // Sealing an empty body cannot fail with a key that was accepted; if it did, an empty reply makes HIS repeat.
        let root = self.envelope.seal_reply(code, message, "").unwrap_or_default();
        soap::reply("Push", &root)
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
    let mut sha = Context::new(&SHA256);
    for part in [
        stop.dept_id.as_str(),
        &stop.doctor_id,
        &stop.reg_date.to_string(),
        stop.time_flag.map(DayPart::flag).unwrap_or_default(),
        &time(stop.begin_time),
        &time(stop.end_time),
    ] {
        sha.update(&u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        sha.update(part.as_bytes());
    }
    let digest = hex::encode(sha.finish());
    format!("5001-{}", digest.get(..32).unwrap_or(&digest))
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
