//! The client of a HIS that has the functions of 健康通 v3.3, in SOAP and XML or in JSON: one request a call, with a time-out,
//! never a retry.
//!
//! Nothing that a HIS says is logged or repeated in an error beyond its codes: its messages may name patients.

use async_trait::async_trait;
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;

use super::connection::{Config, LockedBy, PaidBy, Protocol, SetupError};
use super::json_line::JsonLine;
use super::lists::{BreachList, GetList, ListedBreach, ListedLock, ListedOrder, LockList, OrderItem, OrderList, Page};
use super::messages::{self, OrderReg, PayReg, RegRecord, TimeRegInfo};
use super::replies::{Answer, booking_of, holding_of, lock_of, order_of, schedules_of, told_of_money, unknown};
use super::return_code::{Function, Outcome};
use super::soap_line::SoapLine;
use super::wire;
use super::{
    BookRequest, Booking, Cancelling, His, HisSchedule, Holding, Identity, Lock, OpenSlot, Order, PaidWith, Place,
    TimeSlot,
};
use crate::ports::CallError;
use crate::ports::calling::traced;

/// What carries a function there and its answer back.
enum Line {
    Soap(Box<SoapLine>),
    Json(Box<JsonLine>),
}

/// The client.
pub struct JiankangtongHis {
    config: Config,
    line: Line,
}

impl JiankangtongHis {
    /// A client with a connection pool of its own.
    pub fn new(config: Config) -> Result<Self, SetupError> {
        let line = match config.protocol {
            Protocol::Rest => Line::Json(Box::new(JsonLine::new(&config)?)),
            _ => Line::Soap(Box::new(SoapLine::new(&config)?)),
        };
        Ok(Self { config, line })
    }

    /// One call: seal, send, open, read the return code.
    async fn call(&self, function: Function, body: &(impl Serialize + Sync)) -> Result<Answer, CallError> {
        traced("his", function.label(), self.ask(function, body)).await
    }

    async fn ask(&self, function: Function, body: &(impl Serialize + Sync)) -> Result<Answer, CallError> {
        let answer = match &self.line {
            Line::Soap(line) => line.ask(function, body).await?,
            Line::Json(line) => line.ask(function, body).await?,
        };
        if let Outcome::Business(code) = &answer.outcome {
            tracing::Span::current().record("code", code.as_str());
        }
        Ok(answer)
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        function: Function,
        channel_id: &str,
        day: NaiveDate,
        page: u32,
    ) -> Result<T, CallError> {
        let (hos_id, channel_id) = (self.config.hospital_id.clone(), channel_id.to_owned());
        let answer = self.call(function, &GetList { hos_id, channel_id, reg_date: day, page }).await?;
        match &answer.outcome {
            Outcome::Done => answer.read(),
            Outcome::Business(code) => Err(answer.surprise(code)),
        }
    }

    /// 2008: what this booking was paid with. A repetition is answered 200802.
    async fn tell_of_money(
        &self,
        request: &BookRequest,
        paid: &PaidWith,
        booking: Booking,
    ) -> Result<Booking, CallError> {
        let at = wire::local(request.at, self.config.time_zone);
        let body = PayReg {
            hos_id: self.config.hospital_id.clone(),
            order_id: request.order_id.clone(),
            serial_num: paid.out_trade_no.clone(),
            pay_date: at.date(),
            pay_time: at.time(),
            pay_channel_id: self.config.channel_id.clone(),
            pay_total_fee: paid.amount_fen,
            pay_cope_fee: paid.amount_fen,
            pay_fee: paid.amount_fen,
        };
        told_of_money(&self.call(Function::PayReg, &body).await?, booking)
    }
}

/// A page of which every line could be read: a list with a gap would look like a difference.
fn paged<T>(function: Function, lines: Option<Vec<T>>, pages: u32) -> Result<Page<T>, CallError> {
    let lines = lines.ok_or_else(|| unknown(function, "a line of the list cannot be read"))?;
    Ok(Page { lines, pages })
}

/// `SEX` as the 17th digit of an 身份证 number tells it: odd 1 男, even 2 女.
pub(super) fn sex_of(identity: &Identity) -> Option<String> {
    let seventeenth = identity.id_number.chars().nth(16).filter(|_| identity.id_number.len() == 18)?;
    let odd = seventeenth.to_digit(10).filter(|_| identity.id_type == "1")? % 2 == 1;
    Some(if odd { "1" } else { "2" }.to_owned())
}

/// 3: its place is locked; 1 当天: it is for the day on which it is made; 2 预约: for a later one.
fn is_reg(request: &BookRequest, tz: Tz) -> &'static str {
    match request.locked {
        true => "3",
        false if request.place.visit_date == request.at.with_timezone(&tz).date_naive() => "1",
        false => "2",
    }
}

#[async_trait]
impl His for JiankangtongHis {
    async fn schedules(
        &self,
        department_id: &str,
        doctor_id: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        let body = messages::GetRegInfo {
            hos_id: self.config.hospital_id.clone(),
            dept_id: department_id.to_owned(),
            doctor_id: doctor_id.unwrap_or("-1").to_owned(),
            start_date: from,
            end_date: to,
        };
        let answer = self.call(Function::GetRegInfo, &body).await?;
        match &answer.outcome {
            Outcome::Done => Ok(schedules_of(answer.read()?, department_id)),
            // No schedule in that span.
            Outcome::Business(code) if code == "200303" => Ok(Vec::new()),
            Outcome::Business(code) => Err(answer.surprise(code)),
        }
    }

    async fn open_slots(&self, reg_id: &str, visit_date: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        let body = messages::GetTimeRegInfo {
            hos_id: self.config.hospital_id.clone(),
            reg_id: reg_id.to_owned(),
            reg_date: visit_date,
        };
        let answer = self.call(Function::GetTimeRegInfo, &body).await?;
        match &answer.outcome {
            Outcome::Done => {
                let info: TimeRegInfo = answer.read()?;
                // Some systems answer with the doctor's whole day.
                let mut slots: Vec<OpenSlot> = info
                    .time_reg_list
                    .into_iter()
                    .filter(|time| time.over_count > 0 && (time.reg_id.is_empty() || time.reg_id == reg_id))
                    .map(|time| OpenSlot {
                        slot: TimeSlot::new(time.begin_time, time.end_time),
                        remaining: time.over_count,
                    })
                    .collect();
                slots.sort_by(|a, b| a.slot.cmp(&b.slot));
                Ok(slots)
            }
            // 排班不存在.
            Outcome::Business(code) if code == "200403" => Ok(Vec::new()),
            Outcome::Business(code) => Err(answer.surprise(code)),
        }
    }

    async fn lock(&self, lock_id: &str, place: &Place, minutes: u32) -> Result<Lock, CallError> {
        let by = self.config.functions.lock;
        let (begin_time, end_time) = place.slot.times();
        let body = messages::LockReg {
            hos_id: self.config.hospital_id.clone(),
            lock_id: lock_id.to_owned(),
            channel_id: self.config.channel_id.clone(),
            reg_id: place.reg_id.clone(),
            dept_id: place.department_id.clone(),
            doctor_id: place.doctor_id.clone(),
            reg_date: place.visit_date,
            time_flag: place.part,
            begin_time,
            end_time,
            reg_fee: place.fee_fen,
            treat_fee: 0,
            lock_minutes: (by == LockedBy::WaitLockReg).then_some(minutes),
        };
        let function = match by {
            LockedBy::WaitLockReg => Function::WaitLockReg,
            LockedBy::LockReg { .. } => Function::LockReg,
        };
        lock_of(&self.call(function, &body).await?, by, self.config.time_zone)
    }

    fn holds_for(&self) -> Option<u32> {
        match self.config.functions.lock {
            LockedBy::WaitLockReg => None,
            LockedBy::LockReg { minutes } => Some(minutes),
        }
    }

    fn told_apart(&self) -> bool {
        self.config.functions.pay == PaidBy::PayReg
    }

    fn cares_for_locks(&self) -> bool {
        self.config.cares_for_locks
    }

    async fn renew(&self, lock_id: &str, minutes: u32) -> Result<Holding, CallError> {
        let (hos_id, lock_id) = (self.config.hospital_id.clone(), lock_id.to_owned());
        let body = messages::RenewLock { hos_id, lock_id, lock_minutes: minutes };
        holding_of(&self.call(Function::RenewLock, &body).await?, self.config.time_zone)
    }

    async fn lock_standing(&self, lock_id: &str) -> Result<Holding, CallError> {
        let body = messages::UnlockReg { hos_id: self.config.hospital_id.clone(), lock_id: lock_id.to_owned() };
        holding_of(&self.call(Function::QueryLock, &body).await?, self.config.time_zone)
    }

    async fn unlock(&self, lock_id: &str) -> Result<(), CallError> {
        let body = messages::UnlockReg { hos_id: self.config.hospital_id.clone(), lock_id: lock_id.to_owned() };
        let answer = self.call(Function::UnLockReg, &body).await?;
        match &answer.outcome {
            Outcome::Business(code) if code != "200601" => Err(answer.surprise(code)),
            _ => Ok(()),
        }
    }

    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError> {
        let (place, identity) = (&request.place, &request.identity);
        let apart = self.config.functions.pay == PaidBy::PayReg;
        let paid = request.paid.as_ref().filter(|_| !apart);
        let (begin_time, end_time) = place.slot.times();
        let body = OrderReg {
            hos_id: self.config.hospital_id.clone(),
            order_id: request.order_id.clone(),
            channel_id: self.config.channel_id.clone(),
            is_reg: is_reg(request, self.config.time_zone).to_owned(),
            reg_id: place.reg_id.clone(),
            dept_id: place.department_id.clone(),
            doctor_id: place.doctor_id.clone(),
            reg_date: place.visit_date,
            time_flag: place.part,
            begin_time,
            end_time,
            reg_fee: place.fee_fen,
            treat_fee: 0,
            idcard_type: identity.id_type.clone(),
            idcard_no: identity.id_number.clone(),
            name: identity.name.clone(),
            sex: sex_of(identity),
            mobile: identity.phone.clone(),
            pay_flag: (!apart).then(|| if paid.is_some() { "1" } else { "0" }.to_owned()),
            out_trade_no: paid.map(|paid| paid.out_trade_no.clone()),
            pay_amt: paid.map(|paid| paid.amount_fen),
        };
        let booking = booking_of(&self.call(Function::OrderReg, &body).await?)?;
        match (&request.paid, &booking) {
            (Some(paid), Booking::Booked(_) | Booking::Exists) if apart => {
                self.tell_of_money(request, paid, booking).await
            }
            _ => Ok(booking),
        }
    }

    async fn cancel(&self, order_id: &str, reason: &str) -> Result<Cancelling, CallError> {
        let body = messages::CancelReg {
            hos_id: self.config.hospital_id.clone(),
            order_id: order_id.to_owned(),
            cancel_remark: reason.to_owned(),
        };
        let answer = self.call(Function::CancelReg, &body).await?;
        match &answer.outcome {
            // 200901: no such order, hence nothing that is booked.
            Outcome::Business(code) if code != "200901" => Ok(Cancelling::Refused { code: code.clone() }),
            _ => Ok(Cancelling::Done),
        }
    }

    async fn refund(&self, order_id: &str, refund: &PaidWith) -> Result<(), CallError> {
        let body = messages::Refund {
            hos_id: self.config.hospital_id.clone(),
            order_id: order_id.to_owned(),
            out_trade_no: refund.out_trade_no.clone(),
            refund_amt: refund.amount_fen,
        };
        let answer = self.call(Function::Refund, &body).await?;
        match &answer.outcome {
            Outcome::Done => Ok(()),
            Outcome::Business(code) => Err(answer.surprise(code)),
        }
    }

    async fn order(&self, order_id: &str) -> Result<Order, CallError> {
        let body = messages::QueryRegRecord { hos_id: self.config.hospital_id.clone(), order_id: order_id.to_owned() };
        order_of(&self.call(Function::QueryRegRecord, &body).await?, self.config.functions.pay)
    }

    async fn time_of(&self, order_id: &str) -> Result<Option<TimeSlot>, CallError> {
        let body = messages::QueryRegRecord { hos_id: self.config.hospital_id.clone(), order_id: order_id.to_owned() };
        let answer = self.call(Function::QueryRegRecord, &body).await?;
        let Outcome::Done = answer.outcome else { return Ok(None) };
        let record: RegRecord = answer.read()?;
        Ok(record.begin_time.zip(record.end_time).map(|(begins, ends)| TimeSlot::new(begins, ends)))
    }

    async fn orders_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedOrder>, CallError> {
        let list: OrderList = self.list(Function::GetOrderList, &self.config.channel_id, day, page).await?;
        let lines = list.order_list.into_iter().map(OrderItem::listed).collect();
        paged(Function::GetOrderList, lines, list.pages)
    }

    async fn locks_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedLock>, CallError> {
        let list: LockList = self.list(Function::GetLockList, &self.config.channel_id, day, page).await?;
        let lines = list.lock_list.into_iter().map(|item| item.listed(self.config.time_zone)).collect();
        paged(Function::GetLockList, lines, list.pages)
    }

    async fn breaches_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedBreach>, CallError> {
        let list: BreachList = self.list(Function::GetBreachList, "", day, page).await?;
        Ok(Page { lines: list.breach_list.into_iter().map(ListedBreach::from).collect(), pages: list.pages })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::DayPart;
    use super::*;

    #[test]
    fn r18_a_booking_says_whether_it_is_for_today_by_the_hospitals_calendar() {
        let request = |locked: bool, at: &str| BookRequest {
            order_id: "L1".to_owned(),
            locked,
            place: Place {
                reg_id: "R1".to_owned(),
                department_id: "K01".to_owned(),
                doctor_id: "D1".to_owned(),
                visit_date: "2026-10-12".parse().unwrap(),
                part: DayPart::Morning,
                slot: TimeSlot::of_half_day(chrono::NaiveTime::MIN, chrono::NaiveTime::MIN),
                fee_fen: 5000,
            },
            identity: Identity {
                id_type: "1".to_owned(),
                id_number: "11010519491231002X".to_owned(),
                name: "李时珍".to_owned(),
                phone: "13800138000".to_owned(),
            },
            paid: None,
            at: at.parse().unwrap(),
        };
        let says = |locked, at| is_reg(&request(locked, at), chrono_tz::Asia::Shanghai);
        assert_eq!(says(false, "2026-10-11T15:59:59Z"), "2");
        assert_eq!(says(false, "2026-10-11T16:00:00Z"), "1");
        assert_eq!(says(true, "2026-10-11T16:00:00Z"), "3");
    }
}
