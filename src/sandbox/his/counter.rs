//! The simulated HIS's counter: draws the fault of a request, lets the ledger rule, saves, answers. Which language the request
//! came in is the doors' affair: `soap_door`, `json_door`, `fhir_door` read it and write the answer.
//!
//! What is answered has been saved before. A fault that prevents leaves the ledger untouched.

use aws_lc_rs::hmac;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::ledger::{Asked, Failure, Ledger, Locking, Visitor};
use super::records::{Freed, OrderRecord, OrderState, PaidRecord};
use super::{Shared, lists};
use crate::ports::his::lists::{BreachList, GetList, LockList, OrderList};
use crate::ports::his::messages::{
    self, CancelReg, GetRegInfo, GetTimeRegInfo, LockReg, LockReply, OrderReg, OrderReply, PayReg, QueryRegRecord,
    Refund, RegDay, RegDoctor, RegInfo, RegPart, RegRecord, RenewLock, TimeReg, TimeRegInfo, UnlockReg, Unreadable,
};
use crate::ports::his::return_code::Function;
use crate::ports::his::{ScheduleState, TimeSlot, wire};
use crate::sandbox::catalogue::words_of;
use crate::sandbox::faults;

/// What 2005 gives.
const LOCK_MINUTES: u32 = 10;

/// A request that was understood.
pub(super) enum Call {
    Schedules(GetRegInfo),
    Slots(GetTimeRegInfo),
    Lock(LockReg),
    WaitLock(LockReg),
    Renew(RenewLock),
    Held(UnlockReg),
    Unlock(UnlockReg),
    Book(Box<OrderReg>),
    Pay(PayReg),
    Cancel(CancelReg),
    Refund(Refund),
    Query(QueryRegRecord),
    Orders(GetList),
    Locks(GetList),
    Breaches(GetList),
}

impl Call {
    pub(super) fn read(function: Function, body: &str) -> Result<Self, Unreadable> {
        Ok(match function {
            Function::GetRegInfo => Self::Schedules(messages::read(body)?),
            Function::GetTimeRegInfo => Self::Slots(messages::read(body)?),
            Function::LockReg => Self::Lock(messages::read(body)?),
            Function::WaitLockReg => Self::WaitLock(messages::read(body)?),
            Function::RenewLock => Self::Renew(messages::read(body)?),
            Function::QueryLock => Self::Held(messages::read(body)?),
            Function::UnLockReg => Self::Unlock(messages::read(body)?),
            Function::OrderReg => Self::Book(messages::read(body)?),
            Function::PayReg => Self::Pay(messages::read(body)?),
            Function::CancelReg => Self::Cancel(messages::read(body)?),
            Function::Refund => Self::Refund(messages::read(body)?),
            Function::QueryRegRecord => Self::Query(messages::read(body)?),
            Function::GetOrderList => Self::Orders(messages::read(body)?),
            Function::GetLockList => Self::Locks(messages::read(body)?),
            Function::GetBreachList => Self::Breaches(messages::read(body)?),
        })
    }

    /// What the request is about.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Schedules(asked) => format!("{}/{}/{}", asked.dept_id, asked.doctor_id, asked.start_date),
            Self::Slots(asked) => asked.reg_id.clone(),
            Self::Lock(asked) | Self::WaitLock(asked) => asked.lock_id.clone(),
            Self::Renew(asked) => asked.lock_id.clone(),
            Self::Unlock(asked) | Self::Held(asked) => asked.lock_id.clone(),
            Self::Book(asked) => asked.order_id.clone(),
            Self::Pay(asked) => asked.order_id.clone(),
            Self::Cancel(asked) => asked.order_id.clone(),
            Self::Refund(asked) => asked.order_id.clone(),
            Self::Query(asked) => asked.order_id.clone(),
            Self::Orders(asked) | Self::Locks(asked) | Self::Breaches(asked) => {
                format!("{}/{}", asked.reg_date, asked.page)
            }
        }
    }
}

/// The body of an answer, in no language yet.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Said {
    Nothing,
    Schedules(RegInfo),
    Slots(TimeRegInfo),
    Lock(LockReply),
    Order(OrderReply),
    Record(RegRecord),
    Orders(OrderList),
    Locks(LockList),
    Breaches(BreachList),
}

/// `RETURN_CODE`, `RETURN_MSG` and the body.
pub(super) struct Reply {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) said: Said,
}

/// Why a request did not come as far as the counter: code and words.
pub(super) type Unheard = (&'static str, &'static str);

impl Reply {
    pub(super) fn of(code: &'static str, message: &str) -> Self {
        Self { code, message: message.to_owned(), said: Said::Nothing }
    }

    fn done() -> Self {
        Self::of("0", "交易成功")
    }

    fn with(said: Said) -> Self {
        Self { said, ..Self::done() }
    }

    /// A code that is switched on: six digits are a business failure.
    fn switched(code: &'static str) -> Self {
        let words = words_of(code).unwrap_or_default();
        if code.len() == 6 { Self::of("13", &format!("{code} {words}")) } else { Self::of(code, words) }
    }

    fn failed(Failure(code, message): Failure) -> Self {
        Self::of("13", &format!("{code} {message}"))
    }

    /// The six digits of a business failure.
    pub(super) fn business(&self) -> Option<&str> {
        let head = self.message.get(..6).filter(|_| self.code == "13")?;
        head.bytes().all(|byte| byte.is_ascii_digit()).then_some(head)
    }
}

/// One request at the counter: `answer` writes what is said of it, with the books as they stand then.
pub(super) async fn serve(
    shared: &Shared,
    function: Function,
    call: Call,
    answer: impl FnOnce(&Ledger, &Reply) -> Response,
) -> Response {
    let busy = shared.busy();
    let fault = shared.pusher.faults.request(function.code(), &call.key());
    if let Some(fault) = fault.filter(|fault| fault.prevents()) {
        return faults::spoil(fault, ().into_response(), shared.slow).await;
    }
    let told = shared.pusher.faults.answer(function.code(), &call.key());
    let response = work(shared, call, told, answer).await;
    // Waiting before a slow answer is not work that a moved clock should wait for.
    drop(busy);
    match fault {
        Some(fault) => faults::spoil(fault, response, shared.slow).await,
        None => response,
    }
}

/// `told`: a code that is answered, and nothing is done.
async fn work(
    shared: &Shared,
    call: Call,
    told: Option<&'static str>,
    answer: impl FnOnce(&Ledger, &Reply) -> Response,
) -> Response {
    let now = shared.clock.now();
    let mut ledger = shared.ledger.lock().await;
    ledger.expire(now);
    if let Some(code) = told {
        return answer(&ledger, &Reply::switched(code));
    }
    let mut reply = rule(shared, &mut ledger, call, now);
    if let Err(error) = shared.save(&mut ledger).await {
        tracing::error!(%error, "the simulated HIS could not save its books");
        reply = Reply::of("99", "系统异常");
    }
    answer(&ledger, &reply)
}

fn rule(shared: &Shared, ledger: &mut Ledger, call: Call, now: DateTime<Utc>) -> Reply {
    match call {
        Call::WaitLock(_) | Call::Renew(_) | Call::Held(_) if ledger.plain().is_some() => {
            Reply::of("1", "功能号不存在")
        }
        Call::Schedules(asked) => Reply::with(Said::Schedules(schedules(ledger, asked))),
        Call::Slots(asked) => slots(ledger, &asked),
        Call::Lock(asked) => lock(shared, ledger, &asked, None, now),
        Call::WaitLock(asked) => match asked.lock_minutes {
            Some(minutes @ 1..=1440) => lock(shared, ledger, &asked, Some(minutes), now),
            _ => Reply::of("1", "参数错误"),
        },
        Call::Renew(asked) => match ledger.renew(&asked.lock_id, asked.lock_minutes, now) {
            Some(until) => expiry(shared, until),
            None => Reply::failed(Failure("201401", "锁号记录不存在")),
        },
        Call::Held(asked) => match ledger.held_until(&asked.lock_id) {
            Some(until) => expiry(shared, until),
            None => Reply::failed(Failure("201601", "锁号记录不存在")),
        },
        Call::Unlock(asked) => match ledger.unlock(&asked.lock_id, now) {
            Ok(()) => Reply::done(),
            Err(failure) => Reply::failed(failure),
        },
        Call::Book(asked) => book(shared, ledger, *asked, now),
        Call::Pay(asked) => {
            let paid = PaidRecord { out_trade_no: asked.serial_num, amount_fen: asked.pay_fee };
            match ledger.pay(&asked.order_id, paid, now) {
                Ok(()) => Reply::done(),
                Err(failure) => Reply::failed(failure),
            }
        }
        Call::Cancel(asked) => {
            let today = now.with_timezone(&shared.time_zone).date_naive();
            if let Some(failure) = ledger.not_cancelled(&asked.order_id, today) {
                return Reply::failed(failure);
            }
            match cancel(shared, ledger, &asked.order_id, now) {
                Some(_) => Reply::done(),
                None => Reply::failed(Failure("200901", "订单不存在")),
            }
        }
        Call::Refund(asked) => match cancel(shared, ledger, &asked.order_id, now) {
            Some(_) => {
                ledger.refund(&asked.order_id, asked.refund_amt);
                Reply::done()
            }
            None => Reply::failed(Failure("201001", "订单不存在")),
        },
        Call::Query(asked) => query(ledger, &asked.order_id),
        Call::Orders(asked) => Reply::with(Said::Orders(lists::orders(ledger, &asked, shared.time_zone))),
        Call::Locks(asked) => Reply::with(Said::Locks(lists::locks(ledger, &asked, shared.time_zone))),
        Call::Breaches(asked) => Reply::with(Said::Breaches(lists::breaches(ledger, &asked))),
    }
}

fn schedules(ledger: &Ledger, asked: GetRegInfo) -> RegInfo {
    let mut doctors: Vec<RegDoctor> = Vec::new();
    let mut listed: Vec<_> = ledger
        .schedules_of(&asked.dept_id)
        .map(|record| record.schedule)
        .filter(|it| asked.doctor_id == "-1" || it.doctor_id == asked.doctor_id)
        .filter(|it| (asked.start_date..=asked.end_date).contains(&it.visit_date))
        .collect();
    listed
        .sort_by(|a, b| (&a.doctor_id, a.visit_date, a.part.flag()).cmp(&(&b.doctor_id, b.visit_date, b.part.flag())));
    for schedule in listed {
        let part = RegPart {
            reg_id: schedule.reg_id,
            time_flag: schedule.part,
            reg_status: schedule.state,
            total: schedule.total,
            over_count: schedule.remaining,
            reg_fee: schedule.fee_fen,
            treat_fee: 0,
            istime: if schedule.timed { "1" } else { "0" }.into(),
        };
        let same_doctor = doctors.last().is_some_and(|doctor| doctor.doctor_id == schedule.doctor_id);
        if !same_doctor {
            let (name, job_title) = (schedule.doctor_name, schedule.doctor_title);
            doctors.push(RegDoctor { doctor_id: schedule.doctor_id, name, job_title, reg_list: Vec::new() });
        }
        let Some(doctor) = doctors.last_mut() else { continue };
        match doctor.reg_list.last_mut().filter(|day| day.reg_date == schedule.visit_date) {
            Some(day) => day.reg_time_list.push(part),
            None => doctor.reg_list.push(RegDay { reg_date: schedule.visit_date, reg_time_list: vec![part] }),
        }
    }
    RegInfo { hos_id: asked.hos_id, dept_id: asked.dept_id, reg_doctor_list: doctors }
}

fn slots(ledger: &Ledger, asked: &GetTimeRegInfo) -> Reply {
    let known = ledger.schedule(&asked.reg_id).filter(|it| it.schedule.visit_date == asked.reg_date);
    let (Some(record), slots) = (known, ledger.slots(&asked.reg_id).unwrap_or_default()) else {
        return Reply::failed(Failure("200403", "排班不存在"));
    };
    if record.schedule.state != ScheduleState::Open {
        return Reply::failed(Failure("200403", "排班不存在"));
    }
    let time_reg_list = slots
        .into_iter()
        .filter(|_| record.schedule.timed)
        .map(|(slot, free)| TimeReg {
            time_flag: record.schedule.part,
            begin_time: slot.slot.begins,
            end_time: slot.slot.ends,
            total: slot.capacity,
            over_count: free,
            reg_id: asked.reg_id.clone(),
        })
        .collect();
    Reply::with(Said::Slots(TimeRegInfo { time_reg_list }))
}

/// The time that is meant; where the schedule has no times (R18) its only one, if none is named.
fn asked_for(ledger: &Ledger, reg_id: &str, named: (Option<NaiveTime>, Option<NaiveTime>)) -> Option<TimeSlot> {
    match named {
        (Some(begins), Some(ends)) => Some(TimeSlot::new(begins, ends)),
        (None, None) => {
            let untimed = ledger.schedule(reg_id).filter(|record| !record.schedule.timed)?;
            untimed.slots.first().map(|one| one.slot.clone())
        }
        _ => None,
    }
}

fn expiry(shared: &Shared, until: DateTime<Utc>) -> Reply {
    Reply::with(Said::Lock(LockReply { lock_expire_time: wire::local(until, shared.time_zone) }))
}

fn lock(shared: &Shared, ledger: &mut Ledger, asked: &LockReg, minutes: Option<u32>, now: DateTime<Utc>) -> Reply {
    let Some(slot) = asked_for(ledger, &asked.reg_id, (asked.begin_time, asked.end_time)) else {
        return Reply::of("1", "参数错误");
    };
    let place = Asked { id: &asked.lock_id, channel: &asked.channel_id, reg_id: &asked.reg_id, slot };
    let held = ledger.plain().unwrap_or(LOCK_MINUTES);
    // 2005 says nothing of the end; 2013 says it, beside 200504 too.
    let told = |until| if minutes.is_some() { expiry(shared, until) } else { Reply::done() };
    match ledger.lock(&place, minutes.unwrap_or(held), now) {
        Locking::Locked(until) => told(until),
        Locking::Exists(until) => Reply { code: "13", message: "200504 锁号ID已存在".into(), ..told(until) },
        Locking::Refused(failure) => Reply::failed(failure),
    }
}

fn book(shared: &Shared, ledger: &mut Ledger, asked: OrderReg, now: DateTime<Utc>) -> Reply {
    // In v3.3 a booking says nothing of money.
    let pays = asked.pay_flag.as_deref() == Some("1") && ledger.plain().is_none();
    let paid = pays
        .then(|| asked.out_trade_no.clone().zip(asked.pay_amt))
        .flatten()
        .map(|(out_trade_no, amount_fen)| PaidRecord { out_trade_no, amount_fen });
    if pays && paid.is_none() {
        return Reply::of("1", "参数错误");
    }
    let Some(slot) = asked_for(ledger, &asked.reg_id, (asked.begin_time, asked.end_time)) else {
        return Reply::of("1", "参数错误");
    };
    let place = Asked { id: &asked.order_id, channel: &asked.channel_id, reg_id: &asked.reg_id, slot };
    let patient = patient(shared, &asked.idcard_type, &asked.idcard_no);
    match ledger.book(&place, Visitor { patient, paid, ordinary: false }, now) {
        Ok(order) => Reply::with(Said::Order(OrderReply {
            hosp_order_id: order.his_order_id.clone(),
            hosp_serial_num: order.serial.to_string(),
            hosp_see_doct_addr: address(&asked.dept_id),
        })),
        Err(failure) => Reply::failed(failure),
    }
}

/// The keyed hash under which the books know a patient.
fn patient(shared: &Shared, id_type: &str, id_number: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, shared.credentials.sign_key.expose_secret().as_bytes());
    hex::encode(hmac::sign(&key, format!("{id_type}|{}", id_number.to_uppercase()).as_bytes()))
}

pub(super) fn address(department_id: &str) -> String {
    format!("门诊楼{}层", faults::hash(&[department_id.as_bytes()]) % 6 + 1)
}

/// Cancels, and echoes the cancellation as a push (R30: all cancels).
fn cancel(shared: &Shared, ledger: &mut Ledger, order_id: &str, now: DateTime<Utc>) -> Option<OrderRecord> {
    let (order, cancelled_now) = ledger.cancel(order_id, Freed::InterfaceCancel, now)?;
    if cancelled_now {
        shared.pusher.cancelled(ledger, &order, now);
    }
    Some(order)
}

fn query(ledger: &Ledger, order_id: &str) -> Reply {
    let Some(order) = ledger.order(order_id) else {
        return Reply::with(Said::Record(RegRecord {
            order_status: "1".into(),
            hosp_order_id: String::new(),
            hosp_serial_num: String::new(),
            hosp_see_doct_addr: String::new(),
            begin_time: None,
            end_time: None,
        }));
    };
    let status = match (order.state, &order.paid) {
        (OrderState::Booked, None) => "2",
        (OrderState::Booked, Some(_)) => "6",
        (OrderState::Cancelled, None) => "4",
        // What is cancelled with its money has that on the way back.
        (OrderState::Cancelled, Some(_)) | (OrderState::Refunded, _) => "5",
    };
    let schedule = ledger.schedule(&order.reg_id).map(|it| it.schedule);
    let timed = schedule.as_ref().is_some_and(|schedule| schedule.timed);
    let department = schedule.map(|schedule| schedule.department_id).unwrap_or_default();
    Reply::with(Said::Record(RegRecord {
        order_status: status.into(),
        hosp_order_id: order.his_order_id.clone(),
        hosp_serial_num: order.serial.to_string(),
        hosp_see_doct_addr: address(&department),
        begin_time: timed.then_some(order.slot.begins),
        end_time: timed.then_some(order.slot.ends),
    }))
}
