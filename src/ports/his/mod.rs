//! The hospital information system (HIS): schedules, time slots, locks and bookings, in the trade's words.
//!
//! Interface codes are those of 健康通 v3.3 (2003 … 2012) and our proposals (2013 `WaitLockReg` …); [`Functions`] says which of two is used.
//!
//! | file | what it is |
//! |---|---|
//! | `connection` | which of the three languages a HIS speaks, and the client for it: [`connect`] |
//! | `jiankangtong` | the client of 健康通's functions, [`JiankangtongHis`], over `soap_line` or `json_line` |
//! | `replies` | what its answers come to |
//! | `fhir` | the client of HL7 FHIR R4, [`FhirHis`] |
//! | `push`, `push_answer` | the other direction: what a HIS sends us, [`PushReader`]; why it is not taken, what it is answered |
//! | `return_code` | what a `RETURN_CODE` means, one pure table |
//! | `messages`, `lists`, `wire` | bodies and values as they stand on the wire; `lists` those of a whole day |
//! | `envelope`, `soap`, `charset` | signature, cipher, XML around a body, in UTF-8 or GBK |
//! | `json`, `stamp` | the same bodies as JSON, and who wrote it and when |
//! | `conformance` | what a test system supports, asked one thing after the other |

pub mod charset;
pub mod conformance;
mod connection;
pub mod envelope;
pub mod fhir;
mod jiankangtong;
pub mod json;
pub mod json_line;
pub mod lists;
pub mod messages;
mod push;
mod push_answer;
mod replies;
pub mod return_code;
pub mod soap;
mod soap_line;
pub mod wire;

pub use charset::Charset;
pub use connection::{Config, Functions, LockedBy, PaidBy, Protocol, SetupError, connect};
pub use envelope::Credentials;
pub use fhir::FhirHis;
pub use fhir::oauth::{OAuth, Proof};
pub use jiankangtong::JiankangtongHis;
pub use lists::{ListedBreach, ListedLock, ListedOrder, ListedState, LockStanding, Page};
pub use push::{Push, PushReader};
pub use push_answer::{Named, PushAnswer, PushError, Untaken};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::CallError;
use crate::waitlist::policy::{HalfDays, Hours};

/// Which part of the day a schedule covers (`TIME_FLAG`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DayPart {
    /// 上午, `1`.
    Morning,
    /// 下午, `2`.
    Afternoon,
    /// 晚上, `3`.
    Evening,
    /// 全天, `4`.
    WholeDay,
}

impl DayPart {
    /// The whole of it, where HIS keeps no times (R18).
    pub const fn slot(self, half_days: &HalfDays) -> TimeSlot {
        let Hours { from, to } = match self {
            Self::Morning => half_days.morning,
            Self::Afternoon => half_days.afternoon,
            Self::Evening => half_days.evening,
            Self::WholeDay => half_days.whole_day(),
        };
        TimeSlot::of_half_day(from, to)
    }
}

/// Whether the doctor sees patients (`REG_STATUS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScheduleState {
    /// 停诊, `0`.
    Stopped,
    /// 出诊, `1`.
    Open,
    /// 未开放, `2`.
    NotOpen,
}

/// Who sees the patients of a schedule, and when. It can become another one: 替诊, 改诊 (R34).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sitting {
    /// `DOCTOR_ID`.
    pub doctor_id: String,
    /// `REG_DATE`.
    pub visit_date: NaiveDate,
    /// `TIME_FLAG`.
    pub part: DayPart,
}

/// One doctor's half-day as HIS lists it (2003 `GetRegInfo`). `reg_id` is the schedule's id everywhere in Houbu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HisSchedule {
    /// `REG_ID`.
    pub reg_id: String,
    /// `DEPT_ID`.
    pub department_id: String,
    /// `DOCTOR_ID`.
    pub doctor_id: String,
    /// `DOCTOR_NAME`.
    pub doctor_name: String,
    /// `DOCTOR_TITLE`.
    pub doctor_title: String,
    /// `REG_DATE`.
    pub visit_date: NaiveDate,
    /// `TIME_FLAG`.
    pub part: DayPart,
    /// `REG_STATUS`.
    pub state: ScheduleState,
    /// `TOTAL`.
    pub total: u32,
    /// `OVER_COUNT`: what can still be booked.
    pub remaining: u32,
    /// `REG_FEE` + `TREAT_FEE`, 分.
    pub fee_fen: i64,
    /// `ISTIME`: false where the places are of the whole half-day, and 2004 knows no times (R18).
    #[serde(default = "timed")]
    pub timed: bool,
}

fn timed() -> bool {
    true
}

/// One bookable time (2004 `GetTimeRegInfo` 分时号源).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeSlot {
    /// `BEGIN_TIME`, hospital local time.
    pub begins: NaiveTime,
    /// `END_TIME`, hospital local time.
    pub ends: NaiveTime,
    /// True where HIS keeps no times of the schedule (R18): the times are the hospital's half-day, and HIS is told none.
    #[serde(rename = "ofHalfDay", default, skip_serializing_if = "std::ops::Not::not")]
    pub of_half_day: bool,
}

impl TimeSlot {
    /// A time that HIS keeps.
    pub const fn new(begins: NaiveTime, ends: NaiveTime) -> Self {
        Self { begins, ends, of_half_day: false }
    }

    /// The half-day of a schedule of which HIS keeps no times.
    pub const fn of_half_day(begins: NaiveTime, ends: NaiveTime) -> Self {
        Self { begins, ends, of_half_day: true }
    }

    /// `BEGIN_TIME` and `END_TIME`, where HIS keeps them.
    pub fn times(&self) -> (Option<NaiveTime>, Option<NaiveTime>) {
        let kept = |time| (!self.of_half_day).then_some(time);
        (kept(self.begins), kept(self.ends))
    }
}

/// A time slot and how many places it still has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSlot {
    /// The time.
    pub slot: TimeSlot,
    /// `OVER_COUNT`.
    pub remaining: u32,
}

/// Which place is meant: a schedule and a time of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `REG_ID`.
    pub reg_id: String,
    /// `DEPT_ID`.
    pub department_id: String,
    /// `DOCTOR_ID`.
    pub doctor_id: String,
    /// `REG_DATE`.
    pub visit_date: NaiveDate,
    /// `TIME_FLAG`.
    pub part: DayPart,
    /// `BEGIN_TIME`/`END_TIME`.
    pub slot: TimeSlot,
    /// `REG_FEE` (registration and treatment together), 分.
    pub fee_fen: i64,
}

/// Who visits. Personal data: never kept in run state, never logged (`Debug` shows nothing).
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `IDCARD_TYPE`, for example `1` 身份证.
    pub id_type: String,
    /// `IDCARD_NO`.
    pub id_number: String,
    /// `NAME`.
    pub name: String,
    /// `MOBILE`.
    pub phone: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// What a lock request came to (2013 `WaitLockReg`, or 2005 `LockReg`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// Ours until then (also the answer to a repeated `LOCK_ID`, 200504).
    Held {
        /// `LOCK_EXPIRE_TIME`.
        until: DateTime<Utc>,
    },
    /// Ours, and nobody says until when (2005).
    HeldFor {
        /// So long from when it was taken.
        minutes: u32,
        /// True where this request took it; false where an earlier one had (200504).
        anew: bool,
    },
    /// 200505 full or 200506 taken: try the next time slot.
    Taken,
    /// The schedule or the time is not valid (200501), or a business rule refuses.
    Refused {
        /// HIS's code.
        code: String,
    },
}

/// How a lock of ours stands (2014 `RenewLock`, 2016 `QueryLock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Held until then.
    Until(DateTime<Utc>),
    /// HIS holds none under this id: it has expired, or was lost.
    Gone,
}

/// What a booking request came to (2007 `OrderReg`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Booking {
    /// Booked; HIS's own references.
    Booked(Visit),
    /// 200709 full or 200710 taken: try the next time slot.
    Taken,
    /// 200708: our `ORDER_ID` exists; ask with [`His::order`].
    Exists,
    /// 200803, 200805, 200806: it is over, or was not paid for in time; whatever stands of it is to be cancelled.
    Closed {
        /// HIS's code.
        code: String,
    },
    /// A business refusal that another slot would not change: 200701 rule limit, 200711 identity mismatch, …
    Refused {
        /// HIS's code.
        code: String,
    },
}

/// What a cancellation came to (2009 `CancelReg`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelling {
    /// Nothing is booked under the order by now.
    Done,
    /// HIS does not cancel it: too late for 退号, or the number was taken already (取号).
    Refused {
        /// HIS's code.
        code: String,
    },
}

/// A booked visit in HIS's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// `HOSP_SERIAL_NUM` 就诊序号.
    pub serial: String,
    /// `HOSP_SEE_DOCT_ADDR`.
    pub place: String,
}

/// What HIS knows under our `ORDER_ID` (2012 `QueryRegRecord`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `1` not found.
    Unknown,
    /// `2` booked and not paid, `3` number taken, `6` booked and paid.
    Booked(Visit),
    /// `2`, where HIS is told of money apart (2008). [`His::book`] under the same id tells it.
    Unpaid(Visit),
    /// `4` cancelled unpaid, `5` refunded.
    Cancelled,
    /// `4`, where HIS is told of money apart (2008): it was over before HIS was told of any. HIS itself closes what is not paid for
    /// in time.
    Closed,
}

/// Money that goes with a booking (R6: later payment and registration go to HIS together).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidWith {
    /// Our `out_trade_no`.
    pub out_trade_no: String,
    /// 分.
    pub amount_fen: i64,
}

/// A booking request (2007 `OrderReg`).
#[derive(Debug, Clone)]
pub struct BookRequest {
    /// `ORDER_ID`, ours; equal to the `LOCK_ID` where the place was locked.
    pub order_id: String,
    /// True where the place is held by a lock of ours (`IS_REG` 3); else it is `IS_REG` 1 on the day of the visit, 2 before.
    pub locked: bool,
    /// Which place.
    pub place: Place,
    /// For whom.
    pub identity: Identity,
    /// Present where the patient has paid.
    pub paid: Option<PaidWith>,
    /// Now, which HIS takes for the time of the payment (2008).
    pub at: DateTime<Utc>,
}

/// What the waitlist needs of a HIS. Every call is one request with a time-out, but for a booking that is told of money apart.
#[async_trait]
pub trait His: Send + Sync {
    /// 2003 `GetRegInfo`: the schedules of one department (of one doctor, if given) between two dates, inclusive.
    async fn schedules(
        &self,
        department_id: &str,
        doctor_id: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError>;

    /// 2004 `GetTimeRegInfo`: the times of one schedule that still have places, in order.
    async fn open_slots(&self, reg_id: &str, visit_date: NaiveDate) -> Result<Vec<OpenSlot>, CallError>;

    /// 2013 `WaitLockReg`: hold a place for `minutes`. Repeating a `lock_id` answers the same lock. 2005 `LockReg` holds it for
    /// [`His::holds_for`], whatever is asked for.
    async fn lock(&self, lock_id: &str, place: &Place, minutes: u32) -> Result<Lock, CallError>;

    /// For how many minutes it holds a place, where that is not for us to say (2005).
    fn holds_for(&self) -> Option<u32> {
        None
    }

    /// Whether it is told of money apart from the booking (2008).
    fn told_apart(&self) -> bool {
        false
    }

    /// Whether this HIS offers 2014 and 2016. Where it does not, an offer ends with what was granted for its lock, and a lock that is
    /// lost is found out at the booking.
    fn cares_for_locks(&self) -> bool {
        false
    }

    /// 2014 `RenewLock` (ours): hold for `minutes` from now what is held under this id.
    async fn renew(&self, _lock_id: &str, _minutes: u32) -> Result<Holding, CallError> {
        Err(not_offered("2014 RenewLock"))
    }

    /// 2016 `QueryLock` (ours): whether HIS still holds a place under this id.
    async fn lock_standing(&self, _lock_id: &str) -> Result<Holding, CallError> {
        Err(not_offered("2016 QueryLock"))
    }

    /// 2006 `UnLockReg`: give a held place back. A lock that is not found (200601) is given back already.
    async fn unlock(&self, lock_id: &str) -> Result<(), CallError>;

    /// 2007 `OrderReg`: book; and 2008 `PayReg` where HIS is told of money by that. Repeated under the same id it books nothing more,
    /// and tells of the money where that is not known yet.
    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError>;

    /// 2009 `CancelReg`: cancel a booking by our `ORDER_ID`; already cancelled is success, and so is an order that HIS
    /// does not know (200901): nothing is booked under it. Whether it may still arrive is for [`His::order`] to ask.
    async fn cancel(&self, order_id: &str, reason: &str) -> Result<Cancelling, CallError>;

    /// 2010 Refund: tell HIS that the money of a cancelled booking goes back; already told is success.
    async fn refund(&self, order_id: &str, refund: &PaidWith) -> Result<(), CallError>;

    /// 2012 `QueryRegRecord`: what HIS knows under our `ORDER_ID`.
    async fn order(&self, order_id: &str) -> Result<Order, CallError>;

    /// 2012 too: at which time a booking is by now, where HIS says it. A visit whose schedule is moved moves with it (R34).
    async fn time_of(&self, _order_id: &str) -> Result<Option<TimeSlot>, CallError> {
        Ok(None)
    }

    /// 2017 `GetOrderList` (ours): the orders of our channel that were made or cancelled on `day`, as they stand now.
    /// Pages are counted from 1.
    async fn orders_of(&self, _day: NaiveDate, _page: u32) -> Result<Page<ListedOrder>, CallError> {
        Err(not_offered("2017 GetOrderList"))
    }

    /// 2018 `GetLockList` (ours): the locks of our channel that were made on `day`, as they stand now.
    async fn locks_of(&self, _day: NaiveDate, _page: u32) -> Result<Page<ListedLock>, CallError> {
        Err(not_offered("2018 GetLockList"))
    }

    /// 2015 `GetBreachList` (ours): who had booked for `day` through any channel and did not come, as HIS has it now.
    /// The list is whole: who stood in it and stands there no more was taken back.
    async fn breaches_of(&self, _day: NaiveDate, _page: u32) -> Result<Page<ListedBreach>, CallError> {
        Err(not_offered("2015 GetBreachList"))
    }
}

/// A HIS that has not been given one of the interfaces that v3.3 lacks.
fn not_offered(call: &'static str) -> CallError {
    CallError::Broken { system: "his", call, detail: "this HIS does not offer it".to_owned() }
}
