//! The rules of the simulated WeChat Pay, told without a server.

use proptest::prelude::*;

use super::*;
use crate::ports::payments::PayType;
use crate::sandbox::faults::Level;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn ledger() -> Ledger {
    Ledger::new(7, Arc::new(Faults::new(Level::None, 7)), false)
}

fn asked(number: &str) -> Asked {
    Asked {
        out_trade_no: number.into(),
        description: "预约挂号费".into(),
        amount_fen: 5000,
        openid: "o1".into(),
        notify_url: "http://127.0.0.1:9/payments".into(),
        expires_at: at(10),
        door: Provider::Wechat,
        pay_type: PayType::SelfPay,
    }
}

fn refund_asked(number: &str, refund_number: &str, amount_fen: i64) -> RefundAsked {
    RefundAsked {
        out_trade_no: number.into(),
        out_refund_no: refund_number.into(),
        amount_fen,
        total_fen: 5000,
        notify_url: Some("http://127.0.0.1:9/refunds".into()),
        door: Provider::Wechat,
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().code
}

#[test]
fn an_order_is_the_same_for_the_same_data_only() {
    let mut ledger = ledger();
    let first = ledger.open(asked("order1"), Some(Plan::Never), at(0)).unwrap();
    assert_eq!(ledger.open(asked("order1"), Some(Plan::Never), at(1)), Ok(first));
    let dearer = Asked { amount_fen: 5001, ..asked("order1") };
    assert_eq!(code(ledger.open(dearer, None, at(1))), "OUT_TRADE_NO_USED");
    assert_eq!(code(ledger.open(asked("order2"), None, at(10))), "INVALID_REQUEST");
    ledger.pay("order1", at(2)).unwrap();
    assert_eq!(code(ledger.open(asked("order1"), None, at(3))), "ORDERPAID");
    assert_eq!(code(ledger.close("order1")), "ORDERPAID");
}

#[test]
fn a_closed_order_cannot_be_paid_and_closing_is_never_an_error() {
    let mut ledger = ledger();
    ledger.open(asked("order1"), Some(Plan::At(at(5))), at(0)).unwrap();
    assert_eq!(ledger.next_at(), Some(at(5)));
    assert_eq!((ledger.close("order1"), ledger.close("order1"), ledger.close("unknown")), (Ok(()), Ok(()), Ok(())));
    assert_eq!(ledger.next_at(), None);
    assert_eq!(ledger.pay("order1", at(5)), Err(CannotPay::Closed));
    assert_eq!(code(ledger.open(asked("order1"), None, at(1))), "ORDER_CLOSED");
    assert_eq!(ledger.order("order1", Provider::Wechat).unwrap()["trade_state"], "CLOSED");
}

#[test]
fn a_payer_comes_only_where_the_answer_arrived() {
    let mut ledger = ledger();
    ledger.open(asked("order1"), None, at(0)).unwrap();
    assert_eq!(ledger.next_at(), None);
    ledger.open(asked("order1"), Some(Plan::At(at(3))), at(1)).unwrap();
    ledger.open(asked("order1"), Some(Plan::At(at(9))), at(2)).unwrap();
    assert_eq!(ledger.next_at(), Some(at(3)));
    assert_eq!(ledger.run_until(at(4)), 1);
    assert_eq!(ledger.books().orders[0].paid_at, Some(at(3)));
}

#[test]
fn a_payment_is_taken_until_twelve_seconds_after_the_end() {
    let mut ledger = ledger();
    ledger.open(asked("order1"), Some(Plan::Never), at(0)).unwrap();
    assert_eq!(ledger.pay("order1", at(10) + TimeDelta::seconds(13)), Err(CannotPay::Expired));
    assert!(ledger.pay("order1", at(10) + TimeDelta::seconds(12)).is_ok());
    assert_eq!(ledger.pay("order1", at(10)), Err(CannotPay::Paid));
    assert_eq!(ledger.pay("order2", at(10)), Err(CannotPay::NotFound));
}

#[test]
fn a_refund_is_the_same_under_its_number_and_settles_within_minutes() {
    let mut ledger = ledger();
    ledger.open(asked("order1"), Some(Plan::Never), at(0)).unwrap();
    assert_eq!(code(ledger.refund(refund_asked("order1", "r1", 5000), None, at(1))), "INVALID_REQUEST");
    assert_eq!(code(ledger.refund(refund_asked("order9", "r1", 5000), None, at(1))), "RESOURCE_NOT_EXISTS");
    ledger.pay("order1", at(1)).unwrap();
    assert_eq!(ledger.refund(refund_asked("order1", "r1", 2000), None, at(2)).unwrap()["status"], "PROCESSING");
    assert_eq!(ledger.refund(refund_asked("order1", "r1", 2000), None, at(2)).unwrap()["status"], "PROCESSING");
    assert_eq!(code(ledger.refund(refund_asked("order1", "r1", 2001), None, at(2))), "INVALID_REQUEST");
    assert_eq!(code(ledger.refund(refund_asked("order1", "r2", 3001), None, at(4))), "PARAM_ERROR");
    assert_eq!(code(ledger.refund(refund_asked("order1", "r2", 3000), None, at(2))), "FREQUENCY_LIMITED");
    assert_eq!(ledger.run_until(at(8)), 1);
    assert_eq!(ledger.refund_shown("r1", Provider::Wechat).unwrap()["status"], "SUCCESS");
    assert!(ledger.refund(refund_asked("order1", "r2", 3000), None, at(8)).is_ok());
    assert_eq!(ledger.order("order1", Provider::Wechat).unwrap()["trade_state"], "REFUND");
    assert_eq!(code(ledger.refund(refund_asked("order1", "r3", 1), None, at(30))), "PARAM_ERROR");
    assert_eq!(code(ledger.refund_shown("r3", Provider::Wechat)), "RESOURCE_NOT_EXISTS");
}

#[test]
fn a_refund_given_up_holds_no_money_and_its_second_number_succeeds() {
    let mut ledger = Ledger::new(7, Arc::new(Faults::new(Level::None, 7)), true);
    let mut given_up = 0;
    for n in 0..300 {
        let (order, first, second) = (format!("order{n}"), format!("a{n}"), format!("b{n}"));
        ledger.open(asked(&order), Some(Plan::Never), at(0)).unwrap();
        ledger.pay(&order, at(1)).unwrap();
        ledger.refund(refund_asked(&order, &first, 5000), None, at(2)).unwrap();
        ledger.run_until(at(8));
        if ledger.refund_shown(&first, Provider::Wechat).unwrap()["status"] == "CLOSED" {
            given_up += 1;
            assert_eq!(ledger.order(&order, Provider::Wechat).unwrap()["trade_state"], "SUCCESS");
            ledger.refund(refund_asked(&order, &second, 5000), None, at(9)).unwrap();
            ledger.run_until(at(20));
            assert_eq!(ledger.refund_shown(&second, Provider::Wechat).unwrap()["status"], "SUCCESS");
        }
    }
    assert!((1..=20).contains(&given_up), "{given_up} of 300 given up");
}

#[test]
fn an_abnormal_refund_keeps_its_money_and_is_told() {
    let mut ledger = ledger();
    ledger.open(asked("order1"), Some(Plan::Never), at(0)).unwrap();
    ledger.pay("order1", at(1)).unwrap();
    ledger.refund(refund_asked("order1", "r1", 5000), None, at(2)).unwrap();
    assert!(ledger.settle("r1", at(2), Refund::Abnormal));
    assert!(!ledger.settle("r1", at(3), Refund::Success));
    assert_eq!(ledger.run_until(at(60)), 0);
    assert_eq!(code(ledger.refund(refund_asked("order1", "r2", 1), None, at(9))), "PARAM_ERROR");
    let told: Vec<String> = ledger.posts_due(at(60)).into_iter().map(|notice| notice.event).collect();
    assert_eq!(told, ["TRANSACTION.SUCCESS", "REFUND.ABNORMAL"]);
}

/// The same books as they come back from the store.
fn reloaded(ledger: &Ledger) -> Ledger {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(entry: &T) -> T {
        serde_json::from_value(serde_json::to_value(entry).unwrap()).unwrap()
    }
    let mut fresh = self::ledger();
    ledger.orders.values().for_each(|order| fresh.put_order(again(order)));
    ledger.refunds.values().for_each(|refund| fresh.put_refund(again(refund)));
    ledger.notices.values().for_each(|notice| fresh.put_notice(again(notice)));
    fresh
}

proptest! {
    /// Whatever is asked in whatever order: money out never exceeds money in, and a restart loses nothing.
    #[test]
    fn money_and_agenda_hold_under_any_story(
        story in prop::collection::vec((0_u8..5, 0_usize..4, 0_usize..6, 1_i64..6000), 1..60)
    ) {
        let mut ledger = ledger();
        for (minute, (what, order, refund, amount)) in (0_i64..).zip(story) {
            let (order, refund) = (format!("order{order}"), format!("r{refund}"));
            let now = at(minute);
            match what {
                0 => drop(ledger.open(Asked { expires_at: at(40), ..asked(&order) }, Some(Plan::At(now + TimeDelta::minutes(2))), now)),
                1 => drop(ledger.close(&order)),
                2 => drop(ledger.pay(&order, now)),
                3 => drop(ledger.refund(refund_asked(&order, &refund, amount), None, now)),
                _ => drop(ledger.run_until(now)),
            }
        }
        let books = ledger.books();
        for order in &books.orders {
            let of_it = books.refunds.iter().filter(|refund| refund.out_trade_no == order.out_trade_no);
            let back: i64 = of_it.filter(|refund| refund.state != Refund::Closed).map(|refund| refund.amount_fen).sum();
            let came_in = if order.state == super::super::OrderStanding::Paid { order.amount_fen } else { 0 };
            prop_assert!(back <= came_in);
        }
        let again = reloaded(&ledger);
        prop_assert_eq!(&again.events, &ledger.events);
        prop_assert_eq!(&again.posts, &ledger.posts);
        prop_assert_eq!(serde_json::to_value(again.books()).unwrap(), serde_json::to_value(books).unwrap());
    }
}
