//! A HIS that offers v3.3 alone, in both languages that have it: 2005 for ten minutes, 2006, and 2008 for the money.

use chrono::Duration;

use super::world::{World, place};
use super::*;
use crate::sandbox::catalogue::subject;
use crate::sandbox::switches::{Switch, Wrong};

const ANEW: Lock = Lock::HeldFor { minutes: 10, anew: true };
const OURS: Lock = Lock::HeldFor { minutes: 10, anew: false };

async fn plain(protocol: Protocol) -> World {
    let world = World::open_in(protocol).await;
    world.his.keeps_to_v33(10).await.unwrap();
    world
}

fn paid() -> PaidWith {
    PaidWith { out_trade_no: "T1".into(), amount_fen: 5000 }
}

/// One story in both languages.
macro_rules! in_both {
    ($(async fn $name:ident($protocol:ident) $body:block)*) => {
        $(#[tokio::test]
        async fn $name() {
            async fn told($protocol: Protocol) $body
            for protocol in [Protocol::Jiankangtong, Protocol::Rest] {
                told(protocol).await;
            }
        })*
    };
}

in_both! {
    async fn r20_a_lock_is_repeated_under_its_id_and_ends_by_itself(protocol) {
        let world = plain(protocol).await;
        let his = &world.plain;
        assert_eq!((his.holds_for(), his.told_apart()), (Some(10), true));
        // Whatever is asked for.
        assert_eq!(his.lock("L1", &place(0), 720).await.unwrap(), ANEW);
        world.clock.advance(Duration::minutes(9));
        assert_eq!(his.lock("L1", &place(0), 720).await.unwrap(), OURS, "200504, and it is no longer for that");
        assert_eq!(his.lock("L2", &place(0), 720).await.unwrap(), ANEW);
        assert_eq!(his.lock("L3", &place(0), 720).await.unwrap(), Lock::Taken);
        let held = |books: HisBooks| books.locks.into_iter().filter(|lock| lock.state == LockState::Held).count();
        assert_eq!(held(world.his.books().await), 2);
        world.clock.advance(Duration::minutes(1));
        assert_eq!(held(world.his.books().await), 1, "ten minutes after it was made");
        assert_eq!(his.lock("L1", &place(0), 720).await.unwrap(), ANEW, "the id is free again");
        his.unlock("L2").await.unwrap();
        his.unlock("L2").await.expect("given back twice is given back");
        assert_eq!(held(world.his.books().await), 1);
    }

    async fn r20_an_answer_that_is_lost_locks_no_second_place(protocol) {
        let world = plain(protocol).await;
        let of = subject("2005").unwrap();
        for (nth, how) in ["cut-after", "error-after", "10", "99"].into_iter().enumerate() {
            let id = format!("L{nth}");
            world.his.faults().switches().on("2005", Wrong::named(of, how).unwrap(), Switch::Times(1));
            let lost = world.plain.lock(&id, &place(nth % 2), 30).await;
            assert!(matches!(lost, Err(CallError::Unknown { .. })), "{how}: {lost:?}");
            let again = world.plain.lock(&id, &place(nth % 2), 30).await.unwrap();
            assert_eq!(again, if how.starts_with(|it: char| it.is_ascii_digit()) { ANEW } else { OURS }, "{how}");
            let locks = world.his.books().await.locks;
            assert_eq!(locks.iter().filter(|lock| lock.lock_id == id).count(), 1, "{how}");
            world.plain.unlock(&id).await.unwrap();
        }
    }

    async fn e01_the_money_of_a_booking_is_told_once_and_asked_for_by_our_id(protocol) {
        let world = plain(protocol).await;
        let his = &world.plain;
        assert_eq!(his.lock("W1", &place(0), 30).await.unwrap(), ANEW);
        let unpaid = BookRequest { locked: true, ..request("W1", 0, 1) };
        let Booking::Booked(visit) = his.book(&unpaid).await.unwrap() else { panic!("not booked") };
        assert_eq!(his.order("W1").await.unwrap(), Order::Unpaid(visit.clone()));
        let with = BookRequest { paid: Some(paid()), ..unpaid };
        assert_eq!(his.book(&with).await.unwrap(), Booking::Exists, "told of the money");
        assert_eq!(his.order("W1").await.unwrap(), Order::Booked(visit));
        assert_eq!(his.book(&with).await.unwrap(), Booking::Exists, "200802");
        let order = world.his.books().await.orders.remove(0);
        assert_eq!(order.paid.map(|paid| (paid.out_trade_no, paid.amount_fen)), Some(("T1".into(), 5000)));
        his.cancel("W1", "x").await.unwrap();
        his.refund("W1", &paid()).await.unwrap();
        assert_eq!(his.order("W1").await.unwrap(), Order::Cancelled);
        assert_eq!(his.book(&with).await.unwrap(), Booking::Closed { code: "200806".into() });

        let at_once = BookRequest { paid: Some(paid()), ..request("W2", 1, 2) };
        assert!(matches!(his.book(&at_once).await.unwrap(), Booking::Booked(_)));
        assert!(matches!(his.order("W2").await.unwrap(), Order::Booked(_)));
    }

    async fn the_money_of_a_booking_that_his_has_closed_is_not_taken(protocol) {
        let world = plain(protocol).await;
        assert!(matches!(world.plain.book(&request("W1", 0, 1)).await.unwrap(), Booking::Booked(_)));
        world.clock.advance(Duration::minutes(31));
        let late = BookRequest { paid: Some(paid()), ..request("W1", 0, 1) };
        assert_eq!(world.plain.book(&late).await.unwrap(), Booking::Closed { code: "200803".into() });
        assert_eq!(world.his.books().await.orders[0].paid, None);
    }

    async fn what_is_ours_is_not_offered(protocol) {
        let world = plain(protocol).await;
        let refused = world.client.lock("L1", &place(0), 30).await;
        assert!(matches!(refused, Err(CallError::Broken { .. })), "2013: {refused:?}");
        assert!(matches!(world.client.renew("L1", 30).await, Err(CallError::Broken { .. })));
        assert!(matches!(world.client.lock_standing("L1").await, Err(CallError::Broken { .. })));
        let with = BookRequest { paid: Some(paid()), ..request("W1", 0, 1) };
        assert!(matches!(world.client.book(&with).await.unwrap(), Booking::Booked(_)));
        assert_eq!(world.his.books().await.orders[0].paid, None, "a booking of v3.3 says nothing of money");
    }
}
