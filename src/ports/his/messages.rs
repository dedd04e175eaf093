//! The bodies of the 健康通 functions as they stand on the wire: `<REQ>` and `<RES>`, field by field.
//!
//! Used by the client and by the simulated HIS. Amounts are 分, times are the hospital's local time. Bodies that carry
//! personal data have no `Debug`.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{DayPart, ScheduleState, soap, wire};

/// A body that is not what its function says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what the function says")]
pub struct Unreadable;

/// A request body as text.
pub fn write_request(body: &impl Serialize) -> Result<String, Unreadable> {
    quick_xml::se::to_string_with_root("REQ", body).map_err(|_| Unreadable)
}

/// A reply body as text.
pub fn write_reply(body: &impl Serialize) -> Result<String, Unreadable> {
    quick_xml::se::to_string_with_root("RES", body).map_err(|_| Unreadable)
}

/// Reads a decrypted body, without document types.
pub fn read<T: DeserializeOwned>(body: &str) -> Result<T, Unreadable> {
    soap::check(body).map_err(|_| Unreadable)?;
    quick_xml::de::from_str(body).map_err(|_| Unreadable)
}

/// 2003 `GetRegInfo`. `DOCTOR_ID` -1 asks for all doctors of the department.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct GetRegInfo {
    pub hos_id: String,
    pub dept_id: String,
    pub doctor_id: String,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
}

/// The reply to 2003: doctors, their days, the parts of a day.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RegInfo {
    #[serde(default)]
    pub hos_id: String,
    #[serde(default)]
    pub dept_id: String,
    #[serde(default)]
    pub reg_doctor_list: Vec<RegDoctor>,
}

/// One doctor in the reply to 2003.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RegDoctor {
    pub doctor_id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub job_title: String,
    #[serde(default)]
    pub reg_list: Vec<RegDay>,
}

/// One day of a doctor in the reply to 2003.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RegDay {
    pub reg_date: NaiveDate,
    #[serde(default)]
    pub reg_time_list: Vec<RegPart>,
}

/// One part of a doctor's day in the reply to 2003.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RegPart {
    pub reg_id: String,
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    #[serde(with = "wire::reg_status")]
    pub reg_status: ScheduleState,
    pub total: u32,
    pub over_count: u32,
    #[serde(with = "wire::fen", default)]
    pub reg_fee: i64,
    #[serde(with = "wire::fen", default)]
    pub treat_fee: i64,
    /// `1` where 2004 knows times.
    #[serde(default)]
    pub istime: String,
}

/// 2004 `GetTimeRegInfo`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct GetTimeRegInfo {
    pub hos_id: String,
    pub reg_id: String,
    pub reg_date: NaiveDate,
}

/// The reply to 2004.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct TimeRegInfo {
    #[serde(default)]
    pub time_reg_list: Vec<TimeReg>,
}

/// One time in the reply to 2004.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct TimeReg {
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    #[serde(with = "wire::hour_minute")]
    pub begin_time: NaiveTime,
    #[serde(with = "wire::hour_minute")]
    pub end_time: NaiveTime,
    #[serde(default)]
    pub total: u32,
    /// 99 = unlimited.
    pub over_count: u32,
    #[serde(default)]
    pub reg_id: String,
}

/// 2005 `LockReg`, and 2013 `WaitLockReg` with `LOCK_MINUTES`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct LockReg {
    pub hos_id: String,
    pub lock_id: String,
    #[serde(default)]
    pub channel_id: String,
    pub reg_id: String,
    pub dept_id: String,
    pub doctor_id: String,
    pub reg_date: NaiveDate,
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    /// Absent where the schedule has no times, as `END_TIME`.
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<NaiveTime>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<NaiveTime>,
    #[serde(with = "wire::fen", default)]
    pub reg_fee: i64,
    #[serde(with = "wire::fen", default)]
    pub treat_fee: i64,
    /// 2013 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_minutes: Option<u32>,
}

/// The reply to 2013 (also beside 200504).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct LockReply {
    #[serde(with = "wire::local_time")]
    pub lock_expire_time: NaiveDateTime,
}

/// 2014 `RenewLock` (ours). Its reply is that of 2013.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RenewLock {
    pub hos_id: String,
    pub lock_id: String,
    pub lock_minutes: u32,
}

/// 2006 `UnLockReg`, and 2016 `QueryLock` (ours), which answers as 2013 where the lock holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct UnlockReg {
    pub hos_id: String,
    pub lock_id: String,
}

/// 2007 `OrderReg`. Personal data: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct OrderReg {
    pub hos_id: String,
    pub order_id: String,
    #[serde(default)]
    pub channel_id: String,
    /// 1 当天, 2 预约, 3 锁号.
    pub is_reg: String,
    pub reg_id: String,
    pub dept_id: String,
    pub doctor_id: String,
    pub reg_date: NaiveDate,
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    /// Absent where the schedule has no times, as `END_TIME`.
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<NaiveTime>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<NaiveTime>,
    #[serde(with = "wire::fen", default)]
    pub reg_fee: i64,
    #[serde(with = "wire::fen", default)]
    pub treat_fee: i64,
    pub idcard_type: String,
    pub idcard_no: String,
    pub name: String,
    /// 1 男, 2 女; absent where the document does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    pub mobile: String,
    /// 1 where the patient has paid (R6). This and the next two are ours; a HIS that is told by 2008 has none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_flag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_amt: Option<i64>,
}

/// The reply to 2007.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct OrderReply {
    pub hosp_order_id: String,
    #[serde(default)]
    pub hosp_serial_num: String,
    #[serde(default)]
    pub hosp_see_doct_addr: String,
}

/// 2008 `PayReg`. Its reply is not read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct PayReg {
    pub hos_id: String,
    pub order_id: String,
    /// The payer's number of the payment: our `out_trade_no`.
    pub serial_num: String,
    pub pay_date: NaiveDate,
    #[serde(with = "wire::second")]
    pub pay_time: NaiveTime,
    #[serde(default)]
    pub pay_channel_id: String,
    pub pay_total_fee: i64,
    pub pay_cope_fee: i64,
    pub pay_fee: i64,
}

/// 2009 `CancelReg`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct CancelReg {
    pub hos_id: String,
    pub order_id: String,
    #[serde(default)]
    pub cancel_remark: String,
}

/// 2010 Refund.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct Refund {
    pub hos_id: String,
    pub order_id: String,
    pub out_trade_no: String,
    pub refund_amt: i64,
}

/// 2012 `QueryRegRecord`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct QueryRegRecord {
    pub hos_id: String,
    pub order_id: String,
}

/// The reply to 2012.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct RegRecord {
    /// 1 not found, 2 unpaid, 3 number taken, 4 cancelled unpaid, 5 refunded, 6 paid.
    pub order_status: String,
    #[serde(default)]
    pub hosp_order_id: String,
    #[serde(default)]
    pub hosp_serial_num: String,
    #[serde(default)]
    pub hosp_see_doct_addr: String,
    /// When the visit is by now; v3.3 says it not.
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<NaiveTime>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<NaiveTime>,
}

/// 5001 `StopReg`, HIS to us. `EVENT_ID` is ours to ask for; HISes of v3.3 send none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct StopReg {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    pub dept_id: String,
    pub doctor_id: String,
    pub reg_date: NaiveDate,
    #[serde(with = "wire::time_flag_option", default, skip_serializing_if = "Option::is_none")]
    pub time_flag: Option<DayPart>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<NaiveTime>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<NaiveTime>,
    #[serde(default)]
    pub stop_remark: String,
    #[serde(default)]
    pub is_refund: String,
    #[serde(default)]
    pub is_cancel: String,
}

/// 5002 `CancelRegByHis`, HIS to us: an order of ours that HIS has cancelled. `CANCEL_DATE` and `CANCEL_REMARK` are passed over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct CancelRegByHis {
    pub order_id: String,
}

/// What is read of 5003 to 5006 and others, HIS to us: the order that they are about, by our number or by HIS's.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct AboutOrder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosp_order_id: Option<String>,
}

/// 5007 `CancelPush`, HIS to us: any channel's cancelled booking (R15, R30).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct CancelPush {
    pub event_id: String,
    pub hosp_order_id: String,
    pub channel_id: String,
    pub reg_id: String,
    pub dept_id: String,
    pub doctor_id: String,
    pub reg_date: NaiveDate,
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<NaiveTime>,
    #[serde(with = "wire::hour_minute_option", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<NaiveTime>,
    #[serde(with = "wire::local_time")]
    pub cancel_time: NaiveDateTime,
}

/// 5008 `ChangePush` (ours), HIS to us: the schedule as it is from now on, 替诊 and 改诊 alike (R34).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct ChangePush {
    pub event_id: String,
    pub reg_id: String,
    pub dept_id: String,
    pub doctor_id: String,
    #[serde(default)]
    pub doctor_name: String,
    #[serde(default)]
    pub doctor_title: String,
    pub reg_date: NaiveDate,
    #[serde(with = "wire::time_flag")]
    pub time_flag: DayPart,
    #[serde(with = "wire::local_time")]
    pub change_time: NaiveDateTime,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_real_schedule_reply() {
        let body = "<RES><HOS_ID></HOS_ID><DEPT_ID><![CDATA[49]]></DEPT_ID>\
            <REG_DOCTOR_LIST><DOCTOR_ID>7</DOCTOR_ID><NAME>张为</NAME><JOB_TITLE>主治医师</JOB_TITLE>\
            <REG_LIST><REG_DATE>2026-10-12</REG_DATE><REG_WEEKDAY>星期一</REG_WEEKDAY>\
            <REG_TIME_LIST><REG_ID>A1</REG_ID><TIME_FLAG>1</TIME_FLAG><REG_STATUS>1</REG_STATUS><TOTAL>15</TOTAL>\
            <OVER_COUNT>5</OVER_COUNT><REG_LEVEL>1</REG_LEVEL><REG_FEE>100</REG_FEE><TREAT_FEE></TREAT_FEE>\
            <ISTIME>1</ISTIME></REG_TIME_LIST>\
            <REG_TIME_LIST><REG_ID>A2</REG_ID><TIME_FLAG>2</TIME_FLAG><REG_STATUS>0</REG_STATUS><TOTAL>9</TOTAL>\
            <OVER_COUNT>0</OVER_COUNT></REG_TIME_LIST></REG_LIST></REG_DOCTOR_LIST></RES>";
        let info: RegInfo = read(body).unwrap();
        let parts = &info.reg_doctor_list[0].reg_list[0].reg_time_list;
        assert_eq!((info.dept_id.as_str(), parts.len()), ("49", 2));
        assert_eq!((parts[0].reg_fee, parts[0].treat_fee), (100, 0));
        assert_eq!((parts[1].time_flag, parts[1].reg_status), (DayPart::Afternoon, ScheduleState::Stopped));
        assert_eq!(read::<RegInfo>("<RES></RES>").unwrap().reg_doctor_list.len(), 0);
    }

    #[test]
    fn what_is_written_is_read_again_with_its_special_characters() {
        let cancel =
            CancelReg { hos_id: "1".into(), order_id: "W-1".into(), cancel_remark: "a<b & \"c\" ]]> é候".into() };
        let text = write_request(&cancel).unwrap();
        assert!(text.starts_with("<REQ><HOS_ID>1</HOS_ID><ORDER_ID>W-1</ORDER_ID>"), "{text}");
        assert_eq!(read::<CancelReg>(&text).unwrap().cancel_remark, cancel.cancel_remark);
    }

    #[test]
    fn a_missing_or_wrong_field_is_unreadable() {
        assert!(read::<LockReply>("<RES></RES>").is_err());
        assert!(read::<LockReply>("<RES><LOCK_EXPIRE_TIME>soon</LOCK_EXPIRE_TIME></RES>").is_err());
        assert!(
            read::<LockReply>("<!DOCTYPE a><RES><LOCK_EXPIRE_TIME>2026-01-01 00:00:00</LOCK_EXPIRE_TIME></RES>")
                .is_err()
        );
        assert!(read::<LockReply>("<RES><LOCK_EXPIRE_TIME>2026-01-01 00:00:00</LOCK_EXPIRE_TIME></RES>").is_ok());
    }
}
