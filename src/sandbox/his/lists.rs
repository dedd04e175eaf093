//! What the simulated HIS lists for a day: 2017 orders, 2018 locks, 2015 who did not come.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::ledger::Ledger;
use super::records::{LockState, OrderRecord, OrderState};
use crate::ports::his::lists::{BreachItem, BreachList, GetList, LockItem, LockList, OrderItem, OrderList};
use crate::ports::his::{LockStanding, wire};

/// Lines of a page.
const PAGE: usize = 100;

/// One page of all lines, and how many pages there are.
fn page<T>(all: Vec<T>, asked: u32) -> (u32, Vec<T>) {
    let pages = u32::try_from(all.len().div_ceil(PAGE)).unwrap_or(u32::MAX).max(1);
    let before = usize::try_from(asked.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(PAGE);
    (pages, all.into_iter().skip(before).take(PAGE).collect())
}

fn on(at: DateTime<Utc>, day: NaiveDate, zone: Tz) -> bool {
    wire::local(at, zone).date() == day
}

/// 2017.
pub(super) fn orders(ledger: &Ledger, asked: &GetList, zone: Tz) -> OrderList {
    let day = asked.reg_date;
    let of_day = |it: &&OrderRecord| {
        it.channel == asked.channel_id
            && (on(it.booked_at, day, zone) || it.cancelled_at.is_some_and(|at| on(at, day, zone)))
    };
    let item = |it: &OrderRecord| OrderItem {
        order_id: it.order_id.clone(),
        order_status: match (it.state, &it.paid) {
            (OrderState::Booked, None) => "2",
            (OrderState::Booked, Some(_)) => "6",
            (OrderState::Cancelled, _) => "4",
            (OrderState::Refunded, _) => "5",
        }
        .to_owned(),
        out_trade_no: it.paid.as_ref().map(|paid| paid.out_trade_no.clone()),
        pay_amt: it.paid.as_ref().map(|paid| paid.amount_fen),
        refund_amt: it.refunded_fen,
    };
    let (pages, order_list) = page(ledger.orders().filter(of_day).map(item).collect(), asked.page);
    OrderList { pages, order_list }
}

/// 2018.
pub(super) fn locks(ledger: &Ledger, asked: &GetList, zone: Tz) -> LockList {
    let of_day = ledger.locks().filter(|it| it.channel == asked.channel_id && on(it.locked_at, asked.reg_date, zone));
    let item = of_day.map(|it| LockItem {
        lock_id: it.lock_id.clone(),
        lock_status: match it.state {
            LockState::Held => LockStanding::Held,
            LockState::Used => LockStanding::Used,
            LockState::Unlocked => LockStanding::Unlocked,
            LockState::Expired => LockStanding::Expired,
        }
        .status()
        .to_owned(),
        lock_expire_time: wire::local(it.expires_at, zone),
    });
    let (pages, lock_list) = page(item.collect(), asked.page);
    LockList { pages, lock_list }
}

/// 2015.
pub(super) fn breaches(ledger: &Ledger, asked: &GetList) -> BreachList {
    let of_day = ledger.breaches().filter(|it| it.visit_date == asked.reg_date);
    let item = of_day.map(|it| BreachItem {
        hosp_order_id: it.his_order_id.clone(),
        idcard_type: it.id_type.clone(),
        idcard_no: it.id_number.clone(),
        name: String::new(),
        dept_id: it.department_id.clone(),
        channel_id: it.channel.clone(),
        breach_type: it.kind.clone(),
    });
    let (pages, breach_list) = page(item.collect(), asked.page);
    BreachList { pages, breach_list }
}
