//! Books that agree, then each difference made by hand.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ours::{Cap, Entry, Moved, Ours, Payment, Visit};
use super::*;
use crate::ports::his::{DayPart, HisSchedule, ScheduleState, TimeSlot};
use crate::ports::payments::Refund;
use crate::sandbox::his::{LockRecord, LockState, OrderRecord, OrderState, PaidRecord, ScheduleRecord, SlotRecord};
use crate::sandbox::wechat_pay::{OrderLine, OrderStanding, RefundLine};
use crate::waitlist::ids;
use crate::waitlist::notice::NoticeKind;

const FEE: i64 = 5_000;

fn at(minute: u32) -> DateTime<Utc> {
    format!("2026-03-02T10:{minute:02}:00Z").parse().unwrap()
}

fn slot() -> TimeSlot {
    TimeSlot::new("08:30:00".parse().unwrap(), "09:00:00".parse().unwrap())
}

/// The first is booked and paid, the second withdrew and was refunded, the third waits.
struct Books {
    ours: Ours,
    theirs: Theirs,
    runs: [Uuid; 3],
}

impl Books {
    fn found(&self) -> Vec<Difference> {
        compare(&self.ours, &self.theirs, &HashSet::new(), at(59))
    }

    fn only(&self) -> Difference {
        let found = self.found();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }
}

fn entry(id: Uuid, seq: i64, status: &str, step: &str, ended: Option<u32>) -> Entry {
    Entry {
        id,
        schedule_id: "R1".to_owned(),
        doctor_id: "D1".to_owned(),
        department_id: "K1".to_owned(),
        campus_id: "C1".to_owned(),
        status: status.to_owned(),
        live: status == "waiting",
        payment_mode: "prepay".to_owned(),
        fee_fen: FEE,
        cutoff: at(58),
        created_at: at(u32::try_from(seq).unwrap()),
        run_status: Some(if ended.is_some() { "completed" } else { "waiting" }.to_owned()),
        step: Some(step.to_owned()),
        ended_at: ended.map(at),
        barred_from: None,
        barred_until: None,
        missed: 0,
        person: id.to_string(),
    }
}

fn moves(run: Uuid, all: &[(u32, &str, &str, &str)]) -> Vec<Moved> {
    let one = |(minute, step, outcome, next): &(u32, &str, &str, &str)| Moved {
        run_id: run,
        at: at(*minute),
        step: (*step).to_owned(),
        outcome: Some((*outcome).to_owned()),
        next: (*next).to_owned(),
    };
    all.iter().map(one).collect()
}

fn order(order_id: String, patient: &str) -> OrderRecord {
    OrderRecord {
        his_order_id: format!("H{order_id}"),
        order_id,
        serial: 1,
        channel: "4".to_owned(),
        ordinary: false,
        reg_id: "R1".to_owned(),
        slot: slot(),
        patient: patient.to_owned(),
        paid: None,
        refunded_fen: None,
        state: OrderState::Booked,
        booked_at: at(10),
        cancelled_at: None,
        event_id: None,
    }
}

fn lock(lock_id: String, state: LockState) -> LockRecord {
    let (channel, reg_id) = ("4".to_owned(), "R1".to_owned());
    LockRecord { lock_id, channel, reg_id, slot: slot(), locked_at: at(9), expires_at: at(50), state }
}

fn message(run: Uuid, kind: NoticeKind, minute: u32) -> SentMessage {
    SentMessage {
        openid: "o".to_owned(),
        template_id: kind.template().as_str().to_owned(),
        client_msg_id: ids::client_msg_id(run, kind, 1),
        fields: std::collections::BTreeMap::new(),
        at: at(minute),
    }
}

fn agreeing() -> Books {
    let runs = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
    let trade = runs.map(|run| ids::trade_no(run, 1));
    let joined = |run, minute| {
        moves(run, &[(minute, "PrepayOrder", "Opened", "Prepayment"), (minute, "Prepayment", "Paid", "Waiting")])
    };
    let mut history: HashMap<Uuid, Vec<Moved>> = HashMap::new();
    for (run, minute) in runs.into_iter().zip([2, 3, 4]) {
        history.insert(run, joined(run, minute));
    }
    let visit = [(9, "Waiting", "Covered", "Booking"), (10, "Booking", "Booked", "Visit")];
    history.get_mut(&runs[0]).unwrap().extend(moves(runs[0], &visit));
    let out = [
        (20, "Waiting", "Withdrawn", "Settlement"),
        (20, "Settlement", "Held", "Refunding"),
        (21, "Refunding", "Refunded", "Closure"),
        (22, "Closure", "Withdrawn", "Withdrawn"),
    ];
    history.get_mut(&runs[1]).unwrap().extend(moves(runs[1], &out));
    let paid = |nth: usize, status: &str, refunded_fen| Payment {
        out_trade_no: trade[nth].clone(),
        entry_id: runs[nth],
        status: status.to_owned(),
        amount_fen: 5_000,
        refunded_fen,
        kept_fen: None,
    };
    let order_id = ids::order_id(runs[0], 1);
    let ours = Ours {
        entries: vec![
            entry(runs[0], 1, "booked", "Visit", None),
            entry(runs[1], 2, "withdrawn", "Withdrawn", Some(22)),
            entry(runs[2], 3, "waiting", "Waiting", None),
        ],
        moves: history,
        visits: vec![Visit {
            id: order_id.clone(),
            entry_id: runs[0],
            patient_id: "P1".to_owned(),
            schedule_id: "R1".to_owned(),
            status: "booked".to_owned(),
        }],
        payments: vec![paid(0, "paid", 0), paid(1, "refunded", FEE), paid(2, "paid", 0)],
        caps: vec![Cap { level: "doctor".to_owned(), id: "D1".to_owned(), most: Some(3), since: None, counted: 1 }],
        suspended: Vec::new(),
    };
    let line = |out_trade_no: &String| OrderLine {
        out_trade_no: out_trade_no.clone(),
        amount_fen: FEE,
        state: OrderStanding::Paid,
        paid_at: Some(at(2)),
        transaction_id: Some("42".to_owned()),
        pay_type: crate::ports::payments::PayType::SelfPay,
    };
    let refund = RefundLine {
        out_trade_no: trade[1].clone(),
        out_refund_no: ids::refund_no(&trade[1], 1),
        amount_fen: FEE,
        state: Refund::Success,
        asked_at: at(20),
        at: at(21),
    };
    let paid_order = PaidRecord { out_trade_no: trade[0].clone(), amount_fen: FEE };
    let schedule = HisSchedule {
        reg_id: "R1".to_owned(),
        department_id: "K1".to_owned(),
        doctor_id: "D1".to_owned(),
        doctor_name: "李时珍".to_owned(),
        doctor_title: "主任医师".to_owned(),
        visit_date: "2026-03-03".parse().unwrap(),
        part: DayPart::Morning,
        state: ScheduleState::Open,
        total: 1,
        remaining: 0,
        fee_fen: FEE,
        timed: true,
    };
    let theirs = Theirs {
        his: HisBooks {
            schedules: vec![ScheduleRecord {
                campus_id: "C1".to_owned(),
                schedule,
                slots: vec![SlotRecord { slot: slot(), capacity: 1 }],
                serials: 1,
            }],
            locks: Vec::new(),
            orders: vec![OrderRecord { paid: Some(paid_order), ..order(order_id, "p1") }],
            slot_history: Vec::new(),
            pushes: Vec::new(),
        },
        pay: PayBooks { orders: trade.iter().map(line).collect(), refunds: vec![refund], notices: Vec::new() },
        sent: vec![message(runs[0], NoticeKind::Booked, 11), message(runs[1], NoticeKind::Refunded, 22)],
    };
    Books { ours, theirs, runs }
}

#[test]
fn books_that_agree_have_no_difference() {
    assert_eq!(agreeing().found(), Vec::new());
}

#[test]
fn money_that_is_held_or_missing_is_found() {
    let mut books = agreeing();
    books.theirs.pay.refunds.clear();
    books.theirs.sent.clear();
    let found = books.found();
    assert!(
        matches!(
            found.as_slice(),
            [Difference::MoneyWithoutVisit { held_fen: FEE, .. }, Difference::PaymentDiffers { .. }]
        ),
        "{found:?}"
    );
    // A run that is still settling is no difference.
    let moving = HashSet::from([books.runs[1]]);
    assert_eq!(compare(&books.ours, &books.theirs, &moving, at(59)), Vec::new());

    let mut books = agreeing();
    let again = RefundLine { out_refund_no: "again".to_owned(), ..books.theirs.pay.refunds[0].clone() };
    books.theirs.pay.refunds.push(again);
    assert!(books.found().iter().any(|it| matches!(it, Difference::RefundedTwice { refunded_fen: 10_000, .. })));

    let mut books = agreeing();
    books.theirs.pay.orders.remove(0);
    assert!(books.found().iter().any(|it| matches!(it, Difference::VisitWithoutPayment { held_fen: 0, .. })));
    assert!(books.found().iter().any(|it| matches!(it, Difference::PaymentToldWrong { .. })));

    let mut books = agreeing();
    books.theirs.pay.refunds.clear();
    books.theirs.sent.clear();
    books.theirs.pay.orders[1].state = OrderStanding::Open;
    assert!(books.found().iter().any(|it| matches!(it, Difference::OrderLeftOpen { .. })));
}

#[test]
fn visits_that_differ_are_found() {
    let mut books = agreeing();
    books.theirs.his.orders[0].state = OrderState::Cancelled;
    assert!(matches!(books.only(), Difference::VisitNotAtHis { .. }));

    let mut books = agreeing();
    books.ours.visits.clear();
    assert!(matches!(books.only(), Difference::OrderWithoutVisit { .. }));

    let mut books = agreeing();
    books.theirs.his.schedules[0].slots[0].capacity = 2;
    books.theirs.his.orders.push(order(ids::order_id(books.runs[0], 2), "p2"));
    let found = books.found();
    assert!(found.iter().any(|it| matches!(it, Difference::DoubleBooking { .. })), "{found:?}");

    let mut books = agreeing();
    books.theirs.his.orders.push(OrderRecord { ordinary: true, ..order("O-1".to_owned(), "p2") });
    assert!(matches!(books.only(), Difference::SlotOverbooked { places: 1, taken: 2, .. }));

    let mut books = agreeing();
    books.theirs.his.orders.push(OrderRecord { ordinary: true, ..order("O-1".to_owned(), "p1") });
    books.theirs.his.schedules[0].slots[0].capacity = 2;
    assert!(matches!(books.only(), Difference::DoubleBooking { .. }));
}

#[test]
fn a_lock_that_outlives_its_application_is_found() {
    for (state, leaks) in [(LockState::Held, true), (LockState::Expired, true), (LockState::Unlocked, false)] {
        let mut books = agreeing();
        books.theirs.his.schedules[0].slots[0].capacity = 2;
        books.theirs.his.locks.push(lock(ids::lock_id(books.runs[1], 1), state));
        let leaked = books.found().iter().any(|it| matches!(it, Difference::LeakedLock { .. }));
        assert_eq!(leaked, leaks, "{state:?}");
    }
}

#[test]
fn a_queue_out_of_order_and_a_full_one_are_found() {
    let mut books = agreeing();
    // The third was served at 30 while the fourth instant of the second's wait had not come.
    let offer = moves(books.runs[2], &[(15, "Waiting", "Covered", "Booking"), (15, "Booking", "Taken", "Unlocking")]);
    books.ours.moves.get_mut(&books.runs[2]).unwrap().extend(offer);
    let back = moves(books.runs[2], &[(16, "Unlocking", "Requeued", "Waiting")]);
    books.ours.moves.get_mut(&books.runs[2]).unwrap().extend(back);
    match books.only() {
        Difference::OutOfOrder { served, passed, .. } => assert_eq!((served, passed), (books.runs[2], books.runs[1])),
        other => panic!("{other:?}"),
    }
    books.ours.entries[1].barred_from = Some(at(14));
    assert_eq!(books.found(), Vec::new(), "whoever is blacklisted is passed over");
    books.ours.entries[1].barred_until = Some(at(14));
    assert!(matches!(books.only(), Difference::OutOfOrder { .. }));
    let second = books.runs[1];
    let history = books.ours.moves.get_mut(&second).unwrap();
    history.extend(moves(second, &[(14, "Waiting", "suspended", "Waiting")]));
    history.sort_by_key(|one| one.at);
    assert_eq!(books.found(), Vec::new(), "whoever stands still hears no offer");

    // Whoever declined a time is asked about every other one: that it passes on this one stands in its history (Q6).
    let mut books = agreeing();
    let (second, third) = (books.runs[1], books.runs[2]);
    let declined = [(5, "Waiting", "Payable", "Locking"), (5, "Locking", "Locked", "Confirmation")];
    let kept = [(6, "Confirmation", "Declined", "Unlocking"), (6, "Unlocking", "Requeued", "Waiting")];
    let served = [(15, "Waiting", "Covered", "Booking"), (15, "Booking", "Taken", "Unlocking")];
    let history = books.ours.moves.get_mut(&second).unwrap();
    history.extend([declined, kept].iter().flat_map(|some| moves(second, some)));
    history.sort_by_key(|one| one.at);
    let history = books.ours.moves.get_mut(&third).unwrap();
    history.extend(moves(third, &served));
    history.extend(moves(third, &[(16, "Unlocking", "Requeued", "Waiting")]));
    let passed_over = |books: &Books| {
        books.found().iter().any(|it| matches!(it, Difference::OutOfOrder { passed, .. } if *passed == second))
    };
    assert!(passed_over(&books), "another time is its own");
    let history = books.ours.moves.get_mut(&second).unwrap();
    history.extend(moves(second, &[(14, "Waiting", "GivenUp", "Waiting")]));
    history.sort_by_key(|one| one.at);
    assert!(!passed_over(&books), "it was asked, and passed");

    let mut books = agreeing();
    books.ours.caps[0].most = Some(2);
    assert!(matches!(books.only(), Difference::OverfullCap { live: 2, cap: 2, .. }));
    books.ours.caps[0].since = Some(at(30));
    assert_eq!(books.found(), Vec::new());

    let mut books = agreeing();
    books.ours.caps[0].counted = 2;
    assert!(matches!(books.only(), Difference::CounterDiffers { counted: 2, live: 1, .. }));
}

#[test]
fn a_message_of_what_did_not_happen_is_found() {
    let kinds = [
        (0, NoticeKind::Booked, 9),
        (0, NoticeKind::PleaseConfirm, 11),
        (1, NoticeKind::Refunded, 20),
        (1, NoticeKind::Failed(crate::waitlist::notice::FailReason::Withdrawn), 21),
        (2, NoticeKind::VisitCancelled, 30),
        (2, NoticeKind::Booked, 30),
    ];
    for (run, kind, minute) in kinds {
        let mut books = agreeing();
        books.theirs.sent = vec![message(books.runs[run], kind, minute)];
        assert!(matches!(books.only(), Difference::UntrueMessage { .. }), "{kind:?}");
    }
    let mut books = agreeing();
    books.theirs.his.locks.push(lock(ids::lock_id(books.runs[0], 1), LockState::Used));
    books.theirs.sent = vec![message(books.runs[0], NoticeKind::PleaseConfirm, 11)];
    assert_eq!(books.found(), Vec::new());
}
