//! What the simulated HIS keeps: one record a schedule, lock, order, freed place and push.
//!
//! Patients stand here as keyed hashes only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ports::his::{HisSchedule, OpenSlot, TimeSlot};

/// `CHANNEL_ID`s of ordinary bookings.
pub mod channel {
    /// 公众号: the hospital's own site.
    pub const OFFICIAL_ACCOUNT: &str = "1";
    /// 网站: the hospital's own site.
    pub const WEBSITE: &str = "4";
    /// 窗口.
    pub const WINDOW: &str = "9";
    /// The 114 platform.
    pub const PLATFORM_114: &str = "114";
}

/// A schedule to be put into the books.
#[derive(Debug, Clone)]
pub struct ScheduleSeed {
    /// 院区.
    pub campus_id: String,
    /// As 2003 lists it; `total` and `remaining` follow from the slots.
    pub schedule: HisSchedule,
    /// Its times, each with as many places as `remaining` says.
    pub slots: Vec<OpenSlot>,
}

/// A schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRecord {
    /// 院区.
    pub campus_id: String,
    /// As 2003 lists it.
    pub schedule: HisSchedule,
    /// Its times.
    pub slots: Vec<SlotRecord>,
    /// How many bookings it ever had; the last 就诊序号.
    pub serials: u32,
}

/// A time of a schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotRecord {
    /// The time.
    pub slot: TimeSlot,
    /// How many places it has, booked ones included.
    pub capacity: u32,
}

/// Where a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LockState {
    /// It holds a place until it expires.
    Held,
    /// A booking took its place.
    Used,
    /// Given back (2006), or its schedule was stopped.
    Unlocked,
    /// Its time ran out.
    Expired,
}

/// A lock (2005, 2013).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockRecord {
    /// `LOCK_ID`.
    pub lock_id: String,
    /// `CHANNEL_ID`.
    pub channel: String,
    /// `REG_ID`.
    pub reg_id: String,
    /// The time.
    pub slot: TimeSlot,
    /// When it was made.
    pub locked_at: DateTime<Utc>,
    /// `LOCK_EXPIRE_TIME`.
    pub expires_at: DateTime<Utc>,
    /// Where it stands.
    pub state: LockState,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderState {
    /// Booked.
    Booked,
    /// Cancelled (2009, by another channel, or because of 停诊).
    Cancelled,
    /// Cancelled, and the money goes back (2010).
    Refunded,
}

/// Money that an order came with, 分.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaidRecord {
    /// `OUT_TRADE_NO`.
    pub out_trade_no: String,
    /// `PAY_AMT`.
    pub amount_fen: i64,
}

/// A booking.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecord {
    /// `ORDER_ID`.
    pub order_id: String,
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// `HOSP_SERIAL_NUM`.
    pub serial: u32,
    /// `CHANNEL_ID`.
    pub channel: String,
    /// True for a booking that the simulated world made, false for one that came over the interface.
    pub ordinary: bool,
    /// `REG_ID`.
    pub reg_id: String,
    /// The time.
    pub slot: TimeSlot,
    /// Keyed hash of the patient's document.
    pub patient: String,
    /// Money, if any.
    pub paid: Option<PaidRecord>,
    /// What 2010 said goes back, 分.
    pub refunded_fen: Option<i64>,
    /// Where it stands.
    pub state: OrderState,
    /// When it was made.
    pub booked_at: DateTime<Utc>,
    /// When it was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// `EVENT_ID` of the cancellation.
    pub event_id: Option<String>,
}

/// Somebody who had booked and did not come. Personal data: no `Debug`, and never stored.
#[derive(Clone)]
pub struct BreachRecord {
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// The day of the visit.
    pub visit_date: chrono::NaiveDate,
    /// `IDCARD_TYPE`.
    pub id_type: String,
    /// `IDCARD_NO`.
    pub id_number: String,
    /// `DEPT_ID`.
    pub department_id: String,
    /// `CHANNEL_ID`.
    pub channel: String,
    /// `BREACH_TYPE`.
    pub kind: String,
}

/// How a place came free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Freed {
    /// A patient cancelled on the hospital's own site (R13).
    OwnSiteCancel,
    /// A patient cancelled through another channel (R15).
    OtherChannelCancel,
    /// A patient of 114 cancelled, or 114 gave it back.
    PlatformRelease,
    /// 2009 or 2010 over the interface.
    InterfaceCancel,
    /// 加号.
    Added,
    /// A lock's time ran out.
    LockExpired,
    /// 2006.
    Unlocked,
}

/// Who took a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenBy {
    /// `CHANNEL_ID`.
    pub channel: String,
    /// `ORDER_ID` or `LOCK_ID`.
    pub order_id: String,
}

/// One time that a place came free, and who took it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreedPlace {
    /// Ascending.
    pub id: u64,
    /// `REG_ID`.
    pub reg_id: String,
    /// The time.
    pub slot: TimeSlot,
    /// When it came free.
    pub freed_at: DateTime<Utc>,
    /// How.
    pub how: Freed,
    /// When it was locked or booked.
    pub taken_at: Option<DateTime<Utc>>,
    /// By whom.
    pub taken_by: Option<TakenBy>,
}

/// Where a push stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PushState {
    /// To be sent at `due_at`.
    Waiting,
    /// Answered with `RETURN_CODE` 0.
    Delivered,
    /// Never to be sent: a fault.
    Lost,
    /// Refused too often.
    GivenUp,
}

/// A push to Houbu.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushRecord {
    /// Ascending.
    pub id: u64,
    /// `FUN_CODE`, 5001 to 5008.
    pub function: String,
    /// `EVENT_ID`.
    pub event_id: String,
    /// The body, before it is encrypted. No personal data.
    pub body: String,
    /// What goes wrong with it.
    pub fault: Option<String>,
    /// True until a copy with a wrong signature was sent first.
    pub forge_first: bool,
    /// The `RETURN_CODE` that the copy with the wrong signature got.
    pub forged_answer: Option<String>,
    /// True until a copy that was stamped long ago was sent first.
    #[serde(default)]
    pub old_first: bool,
    /// The `RETURN_CODE` that this copy got.
    #[serde(default)]
    pub old_answer: Option<String>,
    /// When the event happened.
    pub queued_at: DateTime<Utc>,
    /// When it is sent next.
    pub due_at: DateTime<Utc>,
    /// How often it was sent.
    pub attempts: u32,
    /// Where it stands.
    pub state: PushState,
}

/// What a cancelled ordinary booking leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelledPlace {
    /// `EVENT_ID`, the same in the push.
    pub event_id: String,
    /// `ORDER_ID`.
    pub order_id: String,
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// `CHANNEL_ID`.
    pub channel: String,
    /// `REG_ID`.
    pub reg_id: String,
    /// The time.
    pub slot: TimeSlot,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

/// What a schedule becomes: 替诊 is another doctor, 改诊 another day or half-day.
#[derive(Debug, Clone)]
pub struct Becomes {
    /// The doctor.
    pub doctor_id: String,
    /// The doctor's name.
    pub doctor_name: String,
    /// The day.
    pub visit_date: chrono::NaiveDate,
    /// The half-day.
    pub part: crate::ports::his::DayPart,
}

/// A copy of all books.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HisBooks {
    /// All schedules, `remaining` as of now.
    pub schedules: Vec<ScheduleRecord>,
    /// All locks.
    pub locks: Vec<LockRecord>,
    /// All orders.
    pub orders: Vec<OrderRecord>,
    /// Every time that a place came free, in order.
    pub slot_history: Vec<FreedPlace>,
    /// All pushes, in order.
    pub pushes: Vec<PushRecord>,
}
