//! What HIS lists for a day: our orders (2017), our locks (2018), who did not come (2015). All three are proposals of
//! ours in the style of v3.3, a page a call; v3.3 itself lists nothing.
//!
//! Nothing of a person is asked for but in 2015, where the document's number is all that tells whom it is about.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::wire;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its lines.
    pub lines: Vec<T>,
    /// How many pages there are.
    pub pages: u32,
}

/// Where a listed order stands (`ORDER_STATUS` of 2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListedState {
    /// `2`, `3`, `6`.
    Booked,
    /// `4`.
    Cancelled,
    /// `5`.
    Refunded,
}

/// An order that was made or cancelled on the day (2017).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedOrder {
    /// `ORDER_ID`.
    pub order_id: String,
    /// Where it stands now.
    pub state: ListedState,
    /// `OUT_TRADE_NO`: the payment that HIS was told of.
    pub out_trade_no: Option<String>,
    /// `PAY_AMT`, 分.
    pub paid_fen: Option<i64>,
    /// `REFUND_AMT`: what HIS was told goes back, 分.
    pub refunded_fen: Option<i64>,
}

/// Where a listed lock stands (`LOCK_STATUS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LockStanding {
    /// `1`: it holds a place.
    Held,
    /// `2`: a booking took its place.
    Used,
    /// `3`: given back.
    Unlocked,
    /// `4`: its time ran out.
    Expired,
}

/// A lock that was made on the day (2018).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedLock {
    /// `LOCK_ID`.
    pub lock_id: String,
    /// Where it stands now.
    pub state: LockStanding,
    /// `LOCK_EXPIRE_TIME`.
    pub expires_at: DateTime<Utc>,
}

/// Somebody who had booked for the day and did not come (2015). Personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedBreach {
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// `IDCARD_TYPE`.
    pub id_type: String,
    /// `IDCARD_NO`.
    pub id_number: String,
    /// `DEPT_ID`.
    pub department_id: String,
    /// `CHANNEL_ID`.
    pub channel_id: String,
    /// `BREACH_TYPE`: `1` did not come, `2` cancelled too late.
    pub kind: String,
}

/// 2015, 2017 and 2018 ask alike.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct GetList {
    pub hos_id: String,
    /// Empty in 2015: every channel's.
    #[serde(default)]
    pub channel_id: String,
    /// The day: of the orders and locks, or of the visits (2015).
    pub reg_date: NaiveDate,
    /// From 1.
    pub page: u32,
}

/// The reply to 2017.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct OrderList {
    pub pages: u32,
    #[serde(default)]
    pub order_list: Vec<OrderItem>,
}

/// One order in the reply to 2017.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct OrderItem {
    pub order_id: String,
    pub order_status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_amt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_amt: Option<i64>,
}

/// The reply to 2018.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct LockList {
    pub pages: u32,
    #[serde(default)]
    pub lock_list: Vec<LockItem>,
}

/// One lock in the reply to 2018.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct LockItem {
    pub lock_id: String,
    pub lock_status: String,
    #[serde(with = "wire::local_time")]
    pub lock_expire_time: NaiveDateTime,
}

/// The reply to 2015. Personal data: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct BreachList {
    pub pages: u32,
    #[serde(default)]
    pub breach_list: Vec<BreachItem>,
}

/// One breach in the reply to 2015. Personal data: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub struct BreachItem {
    pub hosp_order_id: String,
    pub idcard_type: String,
    pub idcard_no: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub dept_id: String,
    #[serde(default)]
    pub channel_id: String,
    #[serde(default)]
    pub breach_type: String,
}

impl OrderItem {
    /// The order; none where `ORDER_STATUS` is none of those that a listed order can have.
    pub fn listed(self) -> Option<ListedOrder> {
        let state = match self.order_status.trim() {
            "2" | "3" | "6" => ListedState::Booked,
            "4" => ListedState::Cancelled,
            "5" => ListedState::Refunded,
            _ => return None,
        };
        let Self { order_id, out_trade_no, pay_amt: paid_fen, refund_amt: refunded_fen, .. } = self;
        let out_trade_no = out_trade_no.filter(|number| !number.is_empty());
        Some(ListedOrder { order_id, state, out_trade_no, paid_fen, refunded_fen })
    }
}

impl LockItem {
    /// The lock; none where a field is not what it should be.
    pub fn listed(self, zone: Tz) -> Option<ListedLock> {
        let state = match self.lock_status.trim() {
            "1" => LockStanding::Held,
            "2" => LockStanding::Used,
            "3" => LockStanding::Unlocked,
            "4" => LockStanding::Expired,
            _ => return None,
        };
        Some(ListedLock { lock_id: self.lock_id, state, expires_at: wire::instant(self.lock_expire_time, zone)? })
    }
}

impl LockStanding {
    /// `LOCK_STATUS`.
    pub fn status(self) -> &'static str {
        match self {
            Self::Held => "1",
            Self::Used => "2",
            Self::Unlocked => "3",
            Self::Expired => "4",
        }
    }
}

impl From<BreachItem> for ListedBreach {
    fn from(item: BreachItem) -> Self {
        Self {
            his_order_id: item.hosp_order_id,
            id_type: item.idcard_type,
            id_number: item.idcard_no,
            department_id: item.dept_id,
            channel_id: item.channel_id,
            kind: item.breach_type,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::messages::{read, write_reply};
    use super::*;

    #[test]
    fn a_list_of_none_one_and_many_is_read_again() {
        for lines in 0..3 {
            let order = |n| OrderItem {
                order_id: format!("L{n}"),
                order_status: "6".to_owned(),
                out_trade_no: Some(format!("T{n}")),
                pay_amt: Some(5000),
                refund_amt: None,
            };
            let text = write_reply(&OrderList { pages: 1, order_list: (0..lines).map(order).collect() }).unwrap();
            let list: OrderList = read(&text).unwrap();
            assert_eq!(list.order_list.len(), lines, "{text}");
            let listed: Vec<_> = list.order_list.into_iter().filter_map(OrderItem::listed).collect();
            assert!(listed.iter().all(|it| it.state == ListedState::Booked && it.paid_fen == Some(5000)), "{listed:?}");
        }
    }

    #[test]
    fn a_status_that_is_not_known_is_no_line() {
        let item = |status: &str| OrderItem {
            order_id: "L1".to_owned(),
            order_status: status.to_owned(),
            out_trade_no: Some(String::new()),
            pay_amt: None,
            refund_amt: None,
        };
        assert_eq!(item("7").listed(), None);
        assert_eq!(item("4").listed().unwrap().out_trade_no, None);
    }
}
