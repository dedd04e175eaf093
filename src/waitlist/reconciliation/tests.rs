//! Each kind of difference by itself, and books that agree.

use proptest::prelude::*;

use super::*;
use crate::waitlist::language::Language;

const FEE: i64 = 5_000;

/// A booked and paid visit on which all three agree.
fn agreeing() -> Facts {
    let entry = Entry { pace: Pace::Rests, over: false, booked: true, due_fen: FEE, ended_micros: None };
    let payment = Payment {
        out_trade_no: "T1".to_owned(),
        ours: Some(OurPayment {
            standing: Standing::Paid,
            amount_fen: FEE,
            refunded_fen: 0,
            kept_fen: None,
            paid_that_day: true,
            settled_that_day: false,
        }),
        theirs: Some(TheirPayment::Paid { amount_fen: FEE }),
        refunds: Vec::new(),
        strange: false,
    };
    let visit = Visit {
        order_id: "L1".to_owned(),
        ours: Some(OurVisit { stands: true, moved_that_day: true }),
        his: Some(TheirVisit::Booked),
        told: Some(Told { out_trade_no: Some("T1".to_owned()), paid_fen: FEE, refunded_fen: 0 }),
    };
    Facts { entry: Some(entry), payments: vec![payment], visits: vec![visit], ..Facts::default() }
}

/// The same after the visit was cancelled and the money went back.
fn cancelled() -> Facts {
    let mut facts = agreeing();
    facts.entry = facts.entry.map(|entry| Entry { over: true, booked: false, ended_micros: Some(50), ..entry });
    let payment = &mut facts.payments[0];
    let ours = payment.ours.as_mut().unwrap();
    (ours.standing, ours.refunded_fen, ours.settled_that_day) = (Standing::Refunded, FEE, true);
    payment.refunds = vec![TheirRefund { amount_fen: FEE, done: true }];
    let visit = &mut facts.visits[0];
    (visit.ours, visit.his) = (Some(OurVisit { stands: false, moved_that_day: true }), Some(TheirVisit::Cancelled));
    visit.told.as_mut().unwrap().refunded_fen = FEE;
    facts
}

fn kinds(facts: &Facts) -> Vec<Kind> {
    facts.findings().into_iter().map(|finding| finding.kind).collect()
}

#[test]
fn r36_books_that_agree_are_no_case_and_nobody_is_asked() {
    for facts in [agreeing(), cancelled()] {
        assert_eq!(facts.findings(), Vec::new());
        assert!(!facts.doubtful());
    }
}

#[test]
fn r36_money_that_differs_is_found() {
    let mut facts = cancelled();
    facts.payments[0].refunds.clear();
    assert_eq!(kinds(&facts), [Kind::PaidNotBooked]);
    let held = facts.findings().remove(0);
    assert_eq!((held.subject.as_str(), held.ours_fen, held.theirs_fen), ("T1", Some(0), Some(FEE)));

    let mut facts = agreeing();
    facts.payments[0].theirs = Some(TheirPayment::Open);
    assert_eq!(kinds(&facts), [Kind::PaymentDiffers, Kind::PaymentToldWrong, Kind::BookedNotPaid]);

    let mut facts = agreeing();
    facts.payments[0].theirs = Some(TheirPayment::Paid { amount_fen: FEE + 1 });
    assert_eq!(kinds(&facts), [Kind::PaymentDiffers, Kind::PaymentToldWrong, Kind::PaidTwice]);

    // Before the settlement a person is needed, and nobody has the money back.
    let mut facts = agreeing();
    facts.visits.clear();
    facts.entry = facts.entry.map(|entry| Entry { pace: Pace::Stuck, booked: false, ..entry });
    assert_eq!(kinds(&facts), [Kind::PaidAndStuck]);
    facts.entry = facts.entry.map(|entry| Entry { pace: Pace::Moving, ..entry });
    assert_eq!(kinds(&facts), [], "it goes on");

    // A part went back while the visit stands: HIS was told what is left.
    let mut facts = agreeing();
    facts.entry = facts.entry.map(|entry| Entry { due_fen: FEE - 1_000, ..entry });
    let ours = facts.payments[0].ours.as_mut().unwrap();
    (ours.kept_fen, ours.refunded_fen) = (Some(FEE - 1_000), 1_000);
    facts.payments[0].refunds = vec![TheirRefund { amount_fen: 1_000, done: true }];
    facts.visits[0].told.as_mut().unwrap().paid_fen = FEE - 1_000;
    assert_eq!(kinds(&facts), []);
    facts.payments[0].refunds.clear();
    assert_eq!(kinds(&facts), [Kind::PaymentDiffers, Kind::PaidTwice], "it did not go back");

    let mut facts = cancelled();
    facts.payments[0].refunds.push(TheirRefund { amount_fen: FEE, done: false });
    assert_eq!(kinds(&facts), [Kind::RefundedTwice]);

    let mut facts = cancelled();
    facts.visits.clear();
    facts.payments[0].refunds.clear();
    let ours = facts.payments[0].ours.as_mut().unwrap();
    (ours.standing, ours.refunded_fen) = (Standing::Closed, 0);
    facts.payments[0].theirs = Some(TheirPayment::Open);
    assert_eq!(kinds(&facts), [Kind::OrderLeftOpen]);
    facts.payments[0].theirs = Some(TheirPayment::Unknown);
    assert_eq!(facts.findings(), Vec::new(), "an order that never reached the provider is closed here alone");
    facts.payments[0].theirs = Some(TheirPayment::Paid { amount_fen: FEE });
    assert_eq!(kinds(&facts), [Kind::PaidNotBooked]);

    let mut facts = Facts::default();
    let theirs = Some(TheirPayment::Paid { amount_fen: FEE });
    facts.payments.push(Payment {
        out_trade_no: "T9".to_owned(),
        ours: None,
        theirs,
        refunds: Vec::new(),
        strange: false,
    });
    assert_eq!(kinds(&facts), [Kind::UnknownOrder]);
}

#[test]
fn r36_visits_that_differ_are_found() {
    for his in [TheirVisit::Unknown, TheirVisit::Cancelled] {
        let mut facts = agreeing();
        (facts.visits[0].his, facts.visits[0].told) = (Some(his), None);
        assert_eq!(kinds(&facts), [Kind::VisitNotAtHis]);
    }
    let mut facts = cancelled();
    (facts.visits[0].his, facts.visits[0].told) = (Some(TheirVisit::Booked), None);
    assert_eq!(kinds(&facts), [Kind::OrderWithoutVisit]);
    let mut facts = cancelled();
    facts.visits[0].told.as_mut().unwrap().refunded_fen = 0;
    assert_eq!(kinds(&facts), [Kind::RefundToldWrong]);
    let mut facts = agreeing();
    facts.visits[0].told = Some(Told { out_trade_no: None, paid_fen: 0, refunded_fen: 0 });
    assert_eq!(kinds(&facts), [Kind::PaymentToldWrong]);

    let mut facts = agreeing();
    facts.visits.push(Visit { order_id: "L0".to_owned(), ours: None, told: None, ..facts.visits[0].clone() });
    assert_eq!(kinds(&facts), [Kind::OrderWithoutVisit, Kind::DoubleBooking]);
    let mut twin = agreeing();
    twin.twins.push("L0".to_owned());
    assert_eq!(kinds(&twin), [Kind::DoubleBooking]);
    assert_eq!(twin.findings()[0].subject, "L0", "both applications name the same order");
}

#[test]
fn r36_locks_that_leaked_are_found() {
    let lock = |held, expires_micros| Lock { lock_id: "L2".to_owned(), held, expired: !held, expires_micros };
    for (held, expires, leaks) in [(true, 10, true), (false, 40, false), (false, 60, true)] {
        let mut facts = cancelled();
        facts.locks.push(lock(held, expires));
        assert_eq!(kinds(&facts), if leaks { vec![Kind::LeakedLock] } else { Vec::new() });
    }
    let mut offered = agreeing();
    offered.entry = offered.entry.map(|entry| Entry { pace: Pace::Moving, booked: false, ..entry });
    offered.locks.push(lock(true, 10));
    assert!(!kinds(&offered).contains(&Kind::LeakedLock), "somebody is being offered the place");
}

#[test]
fn r36_what_the_lists_leave_open_is_asked() {
    let mut facts = agreeing();
    facts.payments[0].theirs = None;
    assert_eq!(facts.findings(), Vec::new(), "nothing is concluded from silence");
    assert!(facts.doubtful());
    assert_eq!(facts.questions(), [Question::Order("T1".to_owned()), Question::Visit("L1".to_owned())]);
    let mut facts = agreeing();
    facts.visits[0].his = None;
    assert!(facts.doubtful());
    let mut facts = cancelled();
    facts.payments[0].refunds.clear();
    facts.payments[0].theirs = None;
    assert!(facts.doubtful(), "the day's bill tells of every refund");
    assert!(Facts { reopened: true, ..agreeing() }.doubtful());
}

#[test]
fn every_kind_has_a_name_and_a_proposal_in_both_languages() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        for language in [Language::ZhCn, Language::En] {
            assert!(!kind.action(language).is_empty());
        }
    }
}

proptest! {
    /// What nobody has told is never a difference: a missing fact cannot be made a case.
    #[test]
    fn r36_silence_is_no_difference(paid in any::<bool>(), orders in 0_usize..4, moving in any::<bool>()) {
        let mut facts = if paid { agreeing() } else { cancelled() };
        facts.entry = facts.entry.map(|entry| Entry { pace: if moving { Pace::Moving } else { Pace::Rests }, due_fen: if paid { FEE } else { 0 }, ..entry });
        facts.payments[0].theirs = None;
        facts.payments[0].refunds.clear();
        (facts.visits[0].his, facts.visits[0].told) = (None, None);
        for nth in 0..orders {
            let visit = Visit { order_id: format!("L{}", nth + 2), ours: None, ..facts.visits[0].clone() };
            facts.visits.push(visit);
        }
        prop_assert_eq!(facts.findings(), Vec::new());
    }
}
