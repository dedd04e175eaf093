//! The return codes of a HIS: the table in the documentation, what the sandbox can be switched to answer, and what the port makes
//! of it in every language, held together.

use std::collections::BTreeSet;

use super::world::{World, at, identity, place};
use crate::ports::CallError;
use crate::ports::his::return_code::Function;
use crate::ports::his::{BookRequest, Booking, Cancelling, Holding, Lock, Order, PaidWith, Protocol};
use crate::sandbox::catalogue::{System, subject, words_of};
use crate::sandbox::switches::{Switch, Wrong};

const DOCUMENT: &str = include_str!("../../../../docs/integration/his.md");
/// Those of every function: parameters, signature, duplicate submit, a failure without its code, system.
const GENERAL: [&str; 5] = ["1", "7", "10", "13", "99"];

/// Business code and meaning, by the table.
fn documented() -> Vec<(String, String)> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `20"));
    rows.flat_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let codes = cells[1].split('`').filter(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_digit()));
        codes.map(|code| (code.to_owned(), cells[3].to_owned())).collect::<Vec<_>>()
    })
    .collect()
}

/// The functions that may answer a business code: the four digits at its head, and 2013 for the codes of 2005.
fn functions_of(code: &str) -> Vec<&str> {
    if code.starts_with("2005") { vec!["2005", "2013"] } else { vec![&code[..4]] }
}

#[test]
fn the_table_of_codes_and_what_can_be_switched_are_the_same() {
    let documented = documented();
    assert!(documented.len() >= 17, "{documented:?}");
    for function in Function::ALL {
        let of = subject(function.code()).unwrap();
        assert_eq!(of.system, System::His);
        let business = documented.iter().filter(|(code, _)| functions_of(code).contains(&function.code()));
        let written: BTreeSet<&str> = business.map(|(code, _)| code.as_str()).chain(GENERAL).collect();
        assert!(
            of.answers.iter().all(|code| words_of(code).is_some()),
            "{}: a code without its words",
            function.label()
        );
        assert_eq!(of.answers.iter().copied().collect::<BTreeSet<_>>(), written, "{}", function.label());
    }
}

/// What a call came to, in the words of the table.
fn error(error: &CallError) -> &'static str {
    match error {
        CallError::NotTaken { .. } | CallError::NotNow { .. } => "retry",
        CallError::Unknown { .. } => "unknown",
        CallError::Broken { .. } => "for a person",
    }
}

/// Calls a function about what there is, and says what it came to.
async fn asked(world: &World, function: Function) -> &'static str {
    let day = place(0).visit_date;
    let paid = PaidWith { out_trade_no: "T1".into(), amount_fen: 5000 };
    let request = BookRequest {
        order_id: "N1".into(),
        locked: false,
        place: place(1),
        identity: identity(9),
        paid: None,
        at: at("2026-10-10T01:00:00Z"),
    };
    // The functions of v3.3 that ours stand in place of are called by a client of it.
    let his = match function {
        Function::LockReg | Function::PayReg => &world.plain,
        _ => &world.client,
    };
    let list = |empty: bool| if empty { "there are none" } else { "done" };
    let held = |holding: Holding| if holding == Holding::Gone { "it is gone" } else { "done" };
    let met = match function {
        Function::GetRegInfo => his.schedules("DEPT", None, day, day).await.map(|it| list(it.is_empty())),
        Function::GetTimeRegInfo => his.open_slots("R1", day).await.map(|it| list(it.is_empty())),
        Function::LockReg | Function::WaitLockReg => his.lock("N2", &place(1), 30).await.map(|it| match it {
            Lock::Held { .. } | Lock::HeldFor { .. } => "done",
            Lock::Taken => "taken",
            Lock::Refused { .. } => "refused",
        }),
        Function::UnLockReg => his.unlock("L1").await.map(|()| "done"),
        Function::OrderReg => his.book(&request).await.map(|it| match it {
            Booking::Booked(_) => "done",
            Booking::Taken => "taken",
            Booking::Exists => "it exists",
            Booking::Closed { .. } => "it is over",
            Booking::Refused { .. } => "refused",
        }),
        Function::PayReg => {
            his.book(&BookRequest { order_id: "W1".into(), paid: Some(paid), ..request }).await.map(|it| match it {
                // It was booked before.
                Booking::Exists => "done",
                Booking::Closed { .. } => "it is over",
                other => panic!("{other:?}"),
            })
        }
        Function::CancelReg => his.cancel("W1", "x").await.map(|it| match it {
            Cancelling::Done => "done",
            Cancelling::Refused { .. } => "HIS does not cancel any more",
        }),
        Function::Refund => his.refund("W1", &paid).await.map(|()| "done"),
        Function::QueryRegRecord => his.order("W1").await.map(|it| match it {
            Order::Unknown => "not found",
            Order::Booked(_) | Order::Unpaid(_) | Order::Cancelled | Order::Closed => "done",
        }),
        Function::RenewLock => his.renew("L1", 30).await.map(held),
        Function::QueryLock => his.lock_standing("L1").await.map(held),
        Function::GetBreachList => his.breaches_of(day, 1).await.map(|_| "done"),
        Function::GetOrderList => his.orders_of(day, 1).await.map(|_| "done"),
        Function::GetLockList => his.locks_of(day, 1).await.map(|_| "done"),
    };
    met.unwrap_or_else(|failed| error(&failed))
}

/// What an HTTP status means, by the tables, where nothing stands beside it or, of FHIR, what kind it is.
fn status_means(status: u16, function: Function, protocol: Protocol) -> &'static str {
    match (status, protocol, function) {
        (429, ..) | (503, Protocol::Fhir, _) => "retry",
        (503, ..) => "unknown",
        // Not there, so that it is neither held nor booked; and nobody takes that for a yes.
        (_, Protocol::Fhir, Function::WaitLockReg | Function::OrderReg) => "refused",
        (_, Protocol::Fhir, Function::UnLockReg | Function::CancelReg) => "done",
        _ => "for a person",
    }
}

in_every_language! {
    async fn every_http_status_can_be_switched_and_means_what_the_table_says(protocol) {
        let world = World::open_in(protocol).await;
        for function in Function::ALL {
            if protocol == Protocol::Fhir && [Function::LockReg, Function::PayReg].contains(&function) {
                continue;
            }
            for status in [404, 429, 503] {
                let (of, faults) = (subject(function.code()).unwrap(), world.his.faults());
                // A payment follows a booking, which is there.
                if function == Function::PayReg {
                    let booked = subject("2007").unwrap();
                    faults.switches().on("2007", Wrong::named(booked, "200708").unwrap(), Switch::Times(1));
                }
                faults.switches().on(of.call, Wrong::named(of, &format!("http-{status}")).unwrap(), Switch::Times(1));
                let met = asked(&world, function).await;
                assert!(faults.switches().shown().is_empty(), "{} {status} was not answered", function.label());
                assert_eq!(met, status_means(status, function, protocol), "{} {status} in {protocol:?}", function.label());
            }
        }
        let books = world.his.books().await;
        assert_eq!((books.orders.len(), books.locks.len()), (0, 0), "nothing was done");
    }
}

/// What a general code means, by the table.
fn general(code: &str, function: Function, protocol: Protocol) -> &'static str {
    match code {
        // A 500 of a FHIR server says no more.
        "99" if function.only_reads() && protocol != Protocol::Fhir => "retry",
        "10" | "99" => "unknown",
        _ => "for a person",
    }
}

in_every_language! {
    async fn every_return_code_can_be_switched_and_means_what_the_table_says(protocol) {
        let world = World::open_in(protocol).await;
        assert!(matches!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Held { .. }));
        let order =
            BookRequest { order_id: "W1".into(), locked: false, place: place(0), identity: identity(1), paid: None, at: at("2026-10-10T01:00:00Z") };
        assert!(matches!(world.client.book(&order).await.unwrap(), Booking::Booked(_)));
        let before = world.his.books().await;
        let documented = documented();
        for function in Function::ALL {
            if protocol == Protocol::Fhir && [Function::LockReg, Function::PayReg].contains(&function) {
                continue;
            }
            let of = subject(function.code()).unwrap();
            for code in of.answers {
                let faults = world.his.faults();
                faults.switches().on(of.call, Wrong::named(of, code).unwrap(), Switch::Times(1));
                let met = asked(&world, function).await;
                assert!(faults.switches().shown().is_empty(), "{} {code} was not answered", function.label());
                let case = format!("{} {code} in {protocol:?}", function.label());
                match documented.iter().find(|(known, _)| known == code) {
                    // No lock of ours is there, so nothing can stand beside it; of 2005 nothing does.
                    Some(_) if *code == "200504" && function != Function::LockReg => assert_eq!(met, "unknown", "{case}"),
                    Some((_, meaning)) => assert!(meaning.starts_with(met), "{case}: {met}, not {meaning}"),
                    None => assert_eq!(met, general(code, function, protocol), "{case}"),
                }
            }
        }
        let after = world.his.books().await;
        assert_eq!((before.orders.len(), before.locks.len()), (after.orders.len(), after.locks.len()));
        assert_eq!(after.schedules[0].schedule.remaining, before.schedules[0].schedule.remaining, "nothing was done");
    }
}
