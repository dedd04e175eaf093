//! What the answers of a HIS come to: read by the client, one function an answer.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::messages::{self, RegInfo, RegRecord};
use super::return_code::{Function, Outcome};
use super::{Booking, HisSchedule, Holding, Lock, LockedBy, Order, PaidBy, Visit, wire};
use crate::ports::{CallError, calling};

/// What a call came to, still to be read by the function that made it.
pub(super) struct Answer {
    pub(super) function: Function,
    pub(super) outcome: Outcome,
    pub(super) body: Option<String>,
}

impl Answer {
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, CallError> {
        let body =
            self.body.as_deref().ok_or_else(|| unknown(self.function, "the reply's body cannot be decrypted"))?;
        messages::read(body).map_err(|_| unknown(self.function, "the reply's body cannot be read"))
    }

    /// A business code that this function has no word for.
    pub(super) fn surprise(&self, code: &str) -> CallError {
        broken(self.function, format!("business code {code}"))
    }
}

/// The whole body of a reply.
pub(super) async fn heard(call: &'static str, response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    calling::heard("his", call, response).await
}

pub(super) fn unknown(function: Function, detail: impl Into<String>) -> CallError {
    CallError::Unknown { system: "his", call: function.label(), detail: detail.into() }
}

pub(super) fn broken(function: Function, detail: impl Into<String>) -> CallError {
    CallError::Broken { system: "his", call: function.label(), detail: detail.into() }
}

/// 200504 means that the lock is ours; of 2013 its expiry stands beside it, of 2005 nothing.
pub(super) fn lock_of(answer: &Answer, by: LockedBy, zone: Tz) -> Result<Lock, CallError> {
    match &answer.outcome {
        Outcome::Business(code) if code == "200505" || code == "200506" => Ok(Lock::Taken),
        Outcome::Business(code) if code != "200504" => Ok(Lock::Refused { code: code.clone() }),
        outcome => match by {
            LockedBy::LockReg { minutes } => Ok(Lock::HeldFor { minutes, anew: *outcome == Outcome::Done }),
            LockedBy::WaitLockReg => expires(answer, zone).map(|until| Lock::Held { until }),
        },
    }
}

/// 201401, 201601: HIS holds nothing under this id.
pub(super) fn holding_of(answer: &Answer, zone: Tz) -> Result<Holding, CallError> {
    match &answer.outcome {
        Outcome::Business(code) if code == "201401" || code == "201601" => Ok(Holding::Gone),
        Outcome::Business(code) => Err(answer.surprise(code)),
        Outcome::Done => expires(answer, zone).map(Holding::Until),
    }
}

fn expires(answer: &Answer, zone: Tz) -> Result<DateTime<Utc>, CallError> {
    let reply: messages::LockReply = answer.read()?;
    wire::instant(reply.lock_expire_time, zone)
        .ok_or_else(|| unknown(answer.function, "LOCK_EXPIRE_TIME is no time of the hospital's clock"))
}

pub(super) fn booking_of(answer: &Answer) -> Result<Booking, CallError> {
    match &answer.outcome {
        Outcome::Done => {
            let reply: messages::OrderReply = answer.read()?;
            Ok(Booking::Booked(Visit {
                his_order_id: reply.hosp_order_id,
                serial: reply.hosp_serial_num,
                place: reply.hosp_see_doct_addr,
            }))
        }
        Outcome::Business(code) => Ok(match code.as_str() {
            "200709" | "200710" => Booking::Taken,
            "200708" => Booking::Exists,
            _ => Booking::Refused { code: code.clone() },
        }),
    }
}

/// A booking that stands, after HIS was told of its money (2008). 200802: it knows already. 200801: it has just said otherwise.
pub(super) fn told_of_money(answer: &Answer, booking: Booking) -> Result<Booking, CallError> {
    match &answer.outcome {
        Outcome::Done => Ok(booking),
        Outcome::Business(code) => match code.as_str() {
            "200802" => Ok(booking),
            "200803" | "200805" | "200806" => Ok(Booking::Closed { code: code.clone() }),
            "200801" => Err(unknown(answer.function, "it does not know the order that it has booked")),
            _ => Err(answer.surprise(code)),
        },
    }
}

pub(super) fn order_of(answer: &Answer, by: PaidBy) -> Result<Order, CallError> {
    match &answer.outcome {
        Outcome::Business(code) if code == "201201" => Ok(Order::Unknown),
        Outcome::Business(code) => Err(answer.surprise(code)),
        Outcome::Done => {
            let record: RegRecord = answer.read()?;
            let visit = Visit {
                his_order_id: record.hosp_order_id,
                serial: record.hosp_serial_num,
                place: record.hosp_see_doct_addr,
            };
            match record.order_status.trim() {
                "1" => Ok(Order::Unknown),
                "2" if by == PaidBy::PayReg => Ok(Order::Unpaid(visit)),
                "2" | "3" | "6" => Ok(Order::Booked(visit)),
                "4" if by == PaidBy::PayReg => Ok(Order::Closed),
                "4" | "5" => Ok(Order::Cancelled),
                _ => Err(unknown(answer.function, "ORDER_STATUS is none of the six")),
            }
        }
    }
}

pub(super) fn schedules_of(info: RegInfo, department_id: &str) -> Vec<HisSchedule> {
    let department = if info.dept_id.is_empty() { department_id.to_owned() } else { info.dept_id };
    let mut schedules = Vec::new();
    for doctor in info.reg_doctor_list {
        for day in doctor.reg_list {
            for part in day.reg_time_list {
                schedules.push(HisSchedule {
                    reg_id: part.reg_id,
                    department_id: department.clone(),
                    doctor_id: doctor.doctor_id.clone(),
                    doctor_name: doctor.name.clone(),
                    doctor_title: doctor.job_title.clone(),
                    visit_date: day.reg_date,
                    part: part.time_flag,
                    state: part.reg_status,
                    total: part.total,
                    remaining: part.over_count,
                    fee_fen: part.reg_fee.saturating_add(part.treat_fee),
                    timed: part.istime != "0",
                });
            }
        }
    }
    schedules
}
