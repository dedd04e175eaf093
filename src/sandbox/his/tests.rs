//! The clients against the simulated HIS over real HTTP: every function, every fault, the clock, the pushes. What a caller of
//! the port can see is told once and holds in every language that a HIS speaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

/// One story, told in all three languages.
macro_rules! in_every_language {
    ($(async fn $name:ident($protocol:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn told($protocol: Protocol) $body

            #[tokio::test]
            async fn jiankangtong() {
                told(Protocol::Jiankangtong).await;
            }

            #[tokio::test]
            async fn rest() {
                told(Protocol::Rest).await;
            }

            #[tokio::test]
            async fn fhir() {
                told(Protocol::Fhir).await;
            }
        })*
    };
}

mod acts;
mod codes;
mod faulty;
mod plain;
mod pushing;
mod tokens;
mod world;

use chrono::{Duration, NaiveDate};

use self::world::{World, at, identity, place, seed};
use super::ledger::Ledger;
use super::*;
use crate::ports::CallError;
use crate::ports::his::{
    BookRequest, Booking, DayPart, Holding, ListedOrder, ListedState, Lock, LockStanding, Order, PaidWith, Place,
    Protocol, ScheduleState,
};

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, day).unwrap()
}

fn request(order_id: &str, slot: usize, patient: u32) -> BookRequest {
    BookRequest {
        order_id: order_id.into(),
        locked: false,
        place: place(slot),
        identity: identity(patient),
        paid: None,
        at: at("2026-10-10T01:00:00Z"),
    }
}

in_every_language! {
    async fn schedules_and_times_are_listed(protocol) {
        let world = World::speaking(protocol).await;
        let mut other = seed("R2", 1);
        (other.schedule.doctor_id, other.schedule.part) = ("D-8".into(), DayPart::Afternoon);
        world.his.add_schedules(vec![other, seed("R1", 9)]).await.unwrap();
        assert_eq!(world.his.fill("R1", 3, channel::WINDOW).await.unwrap(), 3);

        let all = world.client.schedules("DEPT", None, day(1), day(31)).await.unwrap();
        assert_eq!(all.len(), 2);
        let one = world.client.schedules("DEPT", Some("D-7"), day(12), day(12)).await.unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!((one[0].reg_id.as_str(), one[0].total, one[0].remaining), ("R1", 4, 1));
        assert_eq!((one[0].fee_fen, one[0].state, one[0].part), (5000, ScheduleState::Open, DayPart::Morning));
        assert_eq!((one[0].doctor_name.as_str(), one[0].doctor_title.as_str()), ("李医生", "主任医师"));
        assert!(world.client.schedules("DEPT", None, day(13), day(31)).await.unwrap().is_empty());
        assert!(world.client.schedules("NONE", None, day(1), day(31)).await.unwrap().is_empty());

        let open = world.client.open_slots("R1", day(12)).await.unwrap();
        assert_eq!((open.len(), open[0].slot.clone(), open[0].remaining), (1, place(1).slot, 1));
        assert!(world.client.open_slots("R1", day(13)).await.unwrap().is_empty());
        assert!(world.client.open_slots("NONE", day(12)).await.unwrap().is_empty());
    }
}

in_every_language! {
    async fn a_lock_holds_its_place_until_it_expires(protocol) {
        let world = World::open_in(protocol).await;
        let until = at("2026-10-10T01:30:00Z");
        assert_eq!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Held { until });
        world.clock.advance(Duration::minutes(5));
        assert_eq!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Held { until }, "repeated: the same");
        let second = world.client.lock("L2", &place(0), 30).await.unwrap();
        assert!(matches!(second, Lock::Held { .. }));
        assert_eq!(world.client.lock("L3", &place(0), 30).await.unwrap(), Lock::Taken, "200506: the slot is full");
        for id in ["L4", "L5"] {
            assert!(matches!(world.client.lock(id, &place(1), 30).await.unwrap(), Lock::Held { .. }));
        }
        assert_eq!(world.client.lock("L6", &place(1), 30).await.unwrap(), Lock::Taken, "200505: all is full");
        let nowhere = Place { reg_id: "NONE".into(), ..place(0) };
        assert_eq!(world.client.lock("L7", &nowhere, 30).await.unwrap(), Lock::Refused { code: "200501".into() });

        world.client.unlock("L2").await.unwrap();
        world.client.unlock("L2").await.expect("given back twice is given back");
        world.clock.advance(Duration::minutes(26));
        assert!(matches!(world.client.lock("L8", &place(0), 30).await.unwrap(), Lock::Held { .. }));
        let books = world.his.books().await;
        let first = books.slot_history.iter().find(|place| place.how == Freed::LockExpired).unwrap();
        assert_eq!((first.freed_at, first.taken_at), (until, None), "freed when it expired, not when that was noticed");
        let given = books.slot_history.iter().find(|place| place.how == Freed::Unlocked).unwrap();
        assert_eq!(given.taken_by.as_ref().unwrap().order_id, "L8", "the place that came free first is taken first");
        assert_eq!(books.locks.iter().find(|lock| lock.lock_id == "L1").unwrap().state, LockState::Expired);
    }
}

in_every_language! {
    async fn r10_a_lock_is_renewed_and_asked_about_until_it_is_lost(protocol) {
        let world = World::open_in(protocol).await;
        world.his.grant_at_most(10).await.unwrap();
        let until = |text| Holding::Until(at(text));
        let held = world.client.lock("L1", &place(0), 60).await.unwrap();
        assert_eq!(held, Lock::Held { until: at("2026-10-10T01:10:00Z") }, "less than was asked for");
        world.clock.advance(Duration::minutes(8));
        assert_eq!(world.client.renew("L1", 60).await.unwrap(), until("2026-10-10T01:18:00Z"));
        world.clock.advance(Duration::minutes(8));
        assert_eq!(world.client.lock_standing("L1").await.unwrap(), until("2026-10-10T01:18:00Z"));
        assert_eq!(world.his.lose_locks().await.unwrap(), 1);
        assert_eq!(world.client.lock_standing("L1").await.unwrap(), Holding::Gone);
        assert_eq!(world.client.renew("L1", 60).await.unwrap(), Holding::Gone);
        let anew = world.client.lock("L1", &place(0), 60).await.unwrap();
        assert!(matches!(anew, Lock::Held { .. }), "the same id is free again: {anew:?}");
    }
}

in_every_language! {
    async fn a_locked_place_is_booked_under_the_same_id_with_its_money(protocol) {
        let world = World::open_in(protocol).await;
        world.client.lock("W1", &place(0), 30).await.unwrap();
        let paid = PaidWith { out_trade_no: "T1".into(), amount_fen: 5000 };
        let request = BookRequest { locked: true, paid: Some(paid.clone()), ..request("W1", 0, 1) };
        let Booking::Booked(visit) = world.client.book(&request).await.unwrap() else { panic!("not booked") };
        assert_eq!((visit.serial.as_str(), visit.place.is_empty()), ("1", false));
        assert_eq!(world.client.book(&request).await.unwrap(), Booking::Exists);
        assert_eq!(world.client.order("W1").await.unwrap(), Order::Booked(visit));
        assert_eq!(world.client.order("W2").await.unwrap(), Order::Unknown);
        let locked_again = world.client.lock("W1", &place(0), 30).await.unwrap();
        assert!(matches!(locked_again, Lock::Held { .. }), "200504: the lock was ours");
        let books = world.his.books().await;
        let order = books.orders.iter().find(|order| order.order_id == "W1").unwrap();
        assert_eq!(order.paid, Some(PaidRecord { out_trade_no: "T1".into(), amount_fen: 5000 }));
        assert_eq!((books.schedules[0].schedule.remaining, books.locks[0].state), (3, LockState::Used));
        let text = serde_json::to_string(&books).unwrap();
        assert!(!text.contains("1101011990") && !text.contains("张三"), "no personal data in the books");

        world.client.cancel("W1", "改期").await.unwrap();
        world.client.cancel("W1", "改期").await.expect("cancelled twice is cancelled");
        world.client.cancel("W2", "改期").await.expect("nothing is booked under an unknown id");
        assert_eq!(world.client.order("W1").await.unwrap(), Order::Cancelled);
        world.client.refund("W1", &paid).await.unwrap();
        world.client.refund("W1", &paid).await.expect("refunded twice is refunded");
        assert!(matches!(world.client.refund("W2", &paid).await, Err(CallError::Broken { .. })));
        let books = world.his.books().await;
        let order = books.orders.iter().find(|order| order.order_id == "W1").unwrap();
        assert_eq!((order.state, order.refunded_fen), (OrderState::Refunded, Some(5000)));
        assert_eq!(books.schedules[0].schedule.remaining, 4);
        assert_eq!(books.pushes.len(), 1, "the cancellation is echoed once");
    }
}

in_every_language! {
    async fn a_booking_after_its_lock_expired_takes_a_free_place_or_none(protocol) {
        let world = World::open_in(protocol).await;
        world.client.lock("W1", &place(0), 10).await.unwrap();
        world.clock.advance(Duration::minutes(11));
        let late = BookRequest { locked: true, ..request("W1", 0, 1) };
        assert!(matches!(world.client.book(&late).await.unwrap(), Booking::Booked(_)));
        world.client.lock("W2", &place(0), 10).await.unwrap();
        world.clock.advance(Duration::minutes(11));
        assert!(world.his.grab("R1", channel::PLATFORM_114).await.unwrap());
        let late = BookRequest { locked: true, ..request("W2", 0, 2) };
        assert_eq!(world.client.book(&late).await.unwrap(), Booking::Taken, "200710");
    }
}

in_every_language! {
    async fn each_refusal_of_a_booking_has_its_word(protocol) {
        let world = World::open_in(protocol).await;
        assert!(matches!(world.client.book(&request("A", 0, 1)).await.unwrap(), Booking::Booked(_)));
        let twice = world.client.book(&request("B", 1, 1)).await.unwrap();
        assert_eq!(twice, Booking::Refused { code: "200701".into() }, "one live booking a patient and schedule");
        assert!(matches!(world.client.book(&request("C", 0, 2)).await.unwrap(), Booking::Booked(_)));
        assert_eq!(world.client.book(&request("D", 0, 3)).await.unwrap(), Booking::Taken);
        assert_eq!(world.his.fill("R1", 9, channel::WINDOW).await.unwrap(), 2);
        assert_eq!(world.client.book(&request("E", 1, 3)).await.unwrap(), Booking::Taken);
        assert!(world.his.stop_schedule("R1").await.unwrap());
        assert!(!world.his.stop_schedule("R1").await.unwrap());
        assert_eq!(world.client.book(&request("F", 0, 4)).await.unwrap(), Booking::Refused { code: "200501".into() });
        assert_eq!(world.client.order("A").await.unwrap(), Order::Cancelled);
        assert!(world.client.open_slots("R1", day(12)).await.unwrap().is_empty());
        let listed = world.client.schedules("DEPT", None, day(12), day(12)).await.unwrap();
        assert_eq!((listed[0].state, listed[0].remaining), (ScheduleState::Stopped, 0));
    }
}

in_every_language! {
    async fn r32_r36_the_lists_of_a_day_are_whole_over_all_their_pages(protocol) {
        let world = World::speaking(protocol).await;
        world.his.add_schedule(world::seed_of_size("R1", 2, 80)).await.unwrap();
        for n in 0..150 {
            let booked = world.client.book(&request(&format!("W{n:03}"), n % 2, u32::try_from(n).unwrap())).await;
            assert!(matches!(booked.unwrap(), Booking::Booked(_)));
        }
        let paid = PaidWith { out_trade_no: "T".into(), amount_fen: 5000 };
        world.client.lock("L1", &place(0), 30).await.unwrap();
        world.client.lock("W200", &place(0), 30).await.unwrap();
        let locked = BookRequest { locked: true, paid: Some(paid.clone()), ..request("W200", 0, 999) };
        assert!(matches!(world.client.book(&locked).await.unwrap(), Booking::Booked(_)));
        world.client.cancel("W200", "x").await.unwrap();
        world.client.refund("W200", &paid).await.unwrap();
        world.client.cancel("W001", "x").await.unwrap();
        let (mut page, mut orders) = (1, Vec::new());
        loop {
            let listed = world.client.orders_of(day(10), page).await.unwrap();
            orders.extend(listed.lines);
            if page >= listed.pages {
                break;
            }
            page += 1;
        }
        assert_eq!((page, orders.len()), (2, 151));
        let state = |id: &str| orders.iter().find(|order| order.order_id == id).cloned().unwrap();
        let (order_id, out_trade_no) = ("W200".to_owned(), Some("T".to_owned()));
        let (paid_fen, refunded_fen) = (Some(5000), Some(5000));
        assert_eq!(
            state("W200"),
            ListedOrder { order_id, state: ListedState::Refunded, out_trade_no, paid_fen, refunded_fen }
        );
        assert_eq!((state("W001").state, state("W000").state), (ListedState::Cancelled, ListedState::Booked));
        assert!(world.client.orders_of(day(11), 1).await.unwrap().lines.is_empty());
        let locks = world.client.locks_of(day(10), 1).await.unwrap();
        let locks: Vec<_> = locks.lines.iter().map(|lock| (lock.lock_id.as_str(), lock.state)).collect();
        assert_eq!(locks, [("L1", LockStanding::Held), ("W200", LockStanding::Used)]);
        let breach = BreachRecord {
            his_order_id: "H1".into(),
            visit_date: day(9),
            id_type: "1".into(),
            id_number: identity(1).id_number,
            department_id: "DEPT".into(),
            channel: channel::WINDOW.into(),
            kind: "1".into(),
        };
        world.his.set_breach("H1", Some(breach)).await.unwrap();
        let breaches = world.client.breaches_of(day(9), 1).await.unwrap();
        let line = breaches.lines.first().unwrap();
        assert_eq!((line.his_order_id.as_str(), line.id_type.as_str(), line.department_id.as_str()), ("H1", "1", "DEPT"));
        assert_eq!((&line.id_number, line.channel_id.as_str()), (&identity(1).id_number, channel::WINDOW));
        assert!(world.client.breaches_of(day(8), 1).await.unwrap().lines.is_empty());
    }
}

in_every_language! {
    async fn r18_a_schedule_without_times_is_locked_and_booked_as_its_half_day(protocol) {
        let world = World::speaking(protocol).await;
        let mut whole = world::seed_of_size("R1", 1, 2);
        whole.schedule.timed = false;
        world.his.add_schedule(whole).await.unwrap();
        let listed = world.client.schedules("DEPT", None, day(12), day(12)).await.unwrap();
        assert!(!listed[0].timed && world.client.open_slots("R1", day(12)).await.unwrap().is_empty());
        let half_day = crate::ports::his::TimeSlot::of_half_day(place(0).slot.begins, place(1).slot.ends);
        let place = Place { slot: half_day, ..place(0) };
        assert!(matches!(world.client.lock("W1", &place, 30).await.unwrap(), Lock::Held { .. }));
        let booking = BookRequest { locked: true, place, ..request("W1", 0, 1) };
        assert!(matches!(world.client.book(&booking).await.unwrap(), Booking::Booked(_)));
        assert_eq!(world.client.time_of("W1").await.unwrap(), None);
        world.client.cancel("W1", "x").await.unwrap();
        assert_eq!(world.client.order("W1").await.unwrap(), Order::Cancelled);
    }
}

in_every_language! {
    async fn r34_the_time_of_a_booking_follows_its_schedule(protocol) {
        let world = World::open_in(protocol).await;
        world.client.book(&request("W1", 0, 1)).await.unwrap();
        assert_eq!(world.client.time_of("W1").await.unwrap(), Some(place(0).slot));
        let (doctor_id, doctor_name) = ("D-9".into(), "王医生".into());
        let becomes = Becomes { doctor_id, doctor_name, visit_date: day(13), part: DayPart::Afternoon };
        assert!(world.his.change_schedule("R1", &becomes, false).await.unwrap());
        let moved = world.client.time_of("W1").await.unwrap().unwrap();
        assert_eq!(moved.begins - place(0).slot.begins, Duration::hours(5));
        assert_eq!(world.client.time_of("W2").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_his_that_writes_gbk_is_read_booked_and_heard_without_losing_a_character() {
    let world = World::in_gbk().await;
    let listed = world.client.schedules("DEPT", None, day(12), day(12)).await.unwrap();
    assert_eq!((listed[0].doctor_name.as_str(), listed[0].doctor_title.as_str()), ("李医生", "主任医师"));
    let Booking::Booked(visit) = world.client.book(&request("W1", 0, 1)).await.unwrap() else { panic!("not booked") };
    assert!(visit.place.starts_with("门诊楼"), "{visit:?}");
    let twice = world.client.book(&request("W2", 0, 1)).await.unwrap();
    assert_eq!(twice, Booking::Refused { code: "200701".into() }, "the reason is read past its Chinese words");
    // Agreed on something else, neither side believes the other: what is signed are bytes.
    let utf8 = crate::ports::his::connect(world::config(world.his.url())).unwrap();
    let answer = utf8.schedules("DEPT", None, day(12), day(12)).await;
    assert!(matches!(answer, Err(CallError::Unknown { .. })), "{answer:?}");
}

#[tokio::test]
async fn the_history_tells_how_places_came_free_and_who_took_them() {
    let world = World::open().await;
    assert_eq!(world.his.fill("R1", 2, channel::WEBSITE).await.unwrap(), 2);
    assert_eq!(world.his.fill("R1", 99, channel::PLATFORM_114).await.unwrap(), 2);
    assert!(!world.his.grab("R1", channel::PLATFORM_114).await.unwrap());
    let freed = world.his.cancel_ordinary("R1", 7, channel::WEBSITE, false).await.unwrap().unwrap();
    assert_eq!((freed.order_id.as_str(), freed.slot), ("O-R1-0002", place(0).slot));
    assert_eq!(world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap(), None);
    world.clock.advance(Duration::minutes(3));
    assert!(matches!(world.client.book(&request("W1", 0, 1)).await.unwrap(), Booking::Booked(_)));
    world.his.cancel_ordinary("R1", 0, channel::PLATFORM_114, false).await.unwrap().unwrap();
    assert!(world.his.grab("R1", channel::PLATFORM_114).await.unwrap());
    assert!(world.his.add_places("R1", 2).await.unwrap());
    assert!(!world.his.add_places("NONE", 2).await.unwrap());
    let books = world.his.books().await;
    let history: Vec<_> = books
        .slot_history
        .iter()
        .map(|place| (place.how, place.taken_by.as_ref().map(|by| (by.channel.as_str(), by.order_id.as_str()))))
        .collect();
    assert_eq!(
        history,
        [
            (Freed::OwnSiteCancel, Some(("1", "W1"))),
            (Freed::PlatformRelease, Some((channel::PLATFORM_114, "O-R1-0006"))),
            (Freed::Added, None),
            (Freed::Added, None),
        ]
    );
    let first = &books.slot_history[0];
    assert_eq!(first.taken_at.unwrap() - first.freed_at, Duration::minutes(3));
    assert_eq!((books.schedules[0].schedule.total, books.schedules[0].schedule.remaining), (6, 2));
    assert!(books.pushes.is_empty(), "nobody asked for a push");
}

#[tokio::test]
async fn restored_books_go_on_where_they_stood() {
    let world = World::open().await;
    world.his.set_push_to("http://127.0.0.1:9/".into());
    world.client.lock("L1", &place(0), 10).await.unwrap();
    world.client.book(&request("A", 1, 1)).await.unwrap();
    world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
    world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap().unwrap();
    let before = world.his.books().await;
    let text = serde_json::to_value(&before).unwrap();
    let mut again = Ledger::restore(before);
    assert_eq!(serde_json::to_value(again.snapshot()).unwrap(), text);
    assert_eq!(again.agenda().lock().unwrap().first().map(|(due, _)| *due), world.his.next_at());
    assert!(world.his.next_at().is_some());
    assert_eq!(again.expire(world.clock.now() + Duration::minutes(9)), 0);
    assert_eq!(again.expire(world.clock.now() + Duration::minutes(10)), 1);
    let free: u32 = again.slots("R1").unwrap().iter().map(|(_, free)| free).sum();
    assert_eq!(free, 3);
    assert!(again.changed().is_ok_and(|records| records.len() == 2), "the lock and the freed place");
}

#[tokio::test]
async fn a_whole_hospital_fills_quickly() {
    let world = World::start().await;
    let seeds = (0..840).map(|n| world::seed_of_size(&format!("R{n:03}"), 10, 2)).collect();
    world.his.add_schedules(seeds).await.unwrap();
    let fillings = (0..840).map(|n| (format!("R{n:03}"), 99, channel::WINDOW.to_owned())).collect();
    let started = std::time::Instant::now();
    assert_eq!(world.his.fill_all(fillings).await.unwrap(), 16_800);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(world.client.schedules("DEPT", None, day(12), day(12)).await.unwrap().len(), 840);
}
