//! Pushes from the simulated HIS to a receiver that reads them as Houbu does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::Duration;

use super::super::{Act, OrderState, PushState, channel};
use super::world::{Clock, World, credentials, identity, place, seed_of_size};
use crate::ports::his::{BookRequest, Booking, PaidWith, Protocol, Push, PushAnswer, PushError, PushReader};
use crate::ports::stamp::Stamp;
use crate::sandbox::catalogue::subject;
use crate::sandbox::faults::Level;
use crate::sandbox::switches::{Switch, Wrong};

/// A stand-in for Houbu's callback: reads, remembers, and answers what it is told to.
struct Receiver {
    reader: PushReader,
    seen: Mutex<Vec<Result<Push, PushError>>>,
    refuse: Mutex<u32>,
    /// Its own clock, where it has one.
    clock: Mutex<Option<Clock>>,
}

impl Receiver {
    async fn start(world: &World, protocol: Protocol) -> Arc<Self> {
        let receiver = Arc::new(Self {
            reader: PushReader::new(&credentials(), "1001", chrono_tz::Asia::Shanghai).unwrap(),
            seen: Mutex::default(),
            refuse: Mutex::new(0),
            clock: Mutex::default(),
        });
        let router = axum::Router::new()
            .route("/callbacks/his", post(receive))
            .route("/callbacks/his/events", post(receive_event))
            .with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.his.tell_houbu(&format!("http://{}", listener.local_addr().unwrap()), protocol);
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// It has the sandbox's clock from now on.
    fn shows(&self, world: &World) {
        *self.clock.lock().unwrap() = Some(world.clock.clone());
    }

    fn seen(&self) -> Vec<Result<Push, PushError>> {
        self.seen.lock().unwrap().clone()
    }

    /// Remembers, and says how it is answered.
    fn takes(&self, push: Result<Push, PushError>) -> PushAnswer {
        let mut refuse = self.refuse.lock().unwrap();
        let answer = match &push {
            Err(error) => PushAnswer::from(*error),
            Ok(_) if *refuse > 0 => {
                *refuse -= 1;
                PushAnswer::TryAgain
            }
            Ok(_) => PushAnswer::Accepted,
        };
        self.seen.lock().unwrap().push(push);
        answer
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, raw: Bytes) -> Vec<u8> {
    receiver.reader.answer(receiver.takes(receiver.reader.read(&raw)))
}

async fn receive_event(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, raw: Bytes) -> Response {
    // Our clock is that of the sender, unless it has another.
    let ours = receiver.clock.lock().unwrap().as_ref().map(Clock::now);
    let now = ours.unwrap_or(Stamp::read(&headers).unwrap().at);
    let answer = receiver.takes(receiver.reader.read_event(&headers, &raw, now));
    let told = receiver.reader.answer_event(&headers, answer, now);
    (told.headers, told.body).into_response()
}

in_every_language! {
    async fn cancels_and_stops_arrive_as_they_happened(protocol) {
        let world = World::open_in(protocol).await;
        world.his.fill("R1", 4, channel::WINDOW).await.unwrap();
        let freed = world.his.cancel_ordinary("R1", 2, channel::WINDOW, true).await.unwrap().unwrap();
        assert_eq!(world.his.next_at(), None, "nobody to tell");
        let receiver = Receiver::start(&world, protocol).await;
        assert_eq!(world.his.next_at(), Some(world.clock.now() + Duration::seconds(1)));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 0, "not due yet");
        world.clock.advance(Duration::seconds(1));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 1);
        world.his.stop_schedule("R1").await.unwrap();
        world.clock.advance(Duration::seconds(1));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 1);
        assert_eq!((world.his.next_at(), world.his.busy().await), (None, false));

        let seen = receiver.seen();
        let Ok(Push::Cancelled { event_id, his_order_id, reg_id, slot, cancelled_at, channel_id, .. }) = &seen[0] else {
            panic!("{seen:?}")
        };
        assert_eq!((event_id, his_order_id, reg_id.as_str()), (&freed.event_id, &freed.his_order_id, "R1"));
        assert_eq!((slot, *cancelled_at, channel_id.as_str()), (&Some(place(1).slot), freed.cancelled_at, "9"));
        let Ok(Push::Stopped { event_id, doctor_id, visit_date, part, slot: None, .. }) = &seen[1] else {
            panic!("{seen:?}")
        };
        assert_eq!((event_id.as_str(), doctor_id.as_str()), ("stop-R1", "D-7"));
        assert_eq!((*visit_date, *part), (place(0).visit_date, Some(place(0).part)));
    }
}

in_every_language! {
    async fn a_refused_push_is_repeated_with_back_off_until_it_is_accepted(protocol) {
        let world = World::open_in(protocol).await;
        world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
        world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap().unwrap();
        let receiver = Receiver::start(&world, protocol).await;
        *receiver.refuse.lock().unwrap() = 2;
        let mut waits = Vec::new();
        while let Some(due) = world.his.next_at() {
            waits.push((due - world.clock.now()).num_seconds());
            world.clock.advance(due - world.clock.now());
            assert_eq!(world.his.run_due(due).await.unwrap(), 1);
        }
        assert_eq!(waits, [1, 5, 30]);
        let seen = receiver.seen();
        assert!(seen.len() == 3 && seen.iter().all(|push| *push == seen[0]));
        let push = &world.his.books().await.pushes[0];
        assert_eq!((push.state, push.attempts), (PushState::Delivered, 3));
    }
}

in_every_language! {
    async fn a_push_about_nothing_that_exists_goes_before_the_true_one(protocol) {
        let world = World::open_in(protocol).await;
        let receiver = Receiver::start(&world, protocol).await;
        for call in ["5001", "5007", "5008"] {
            let unknown = Wrong::named(subject(call).unwrap(), "unknown").unwrap();
            world.his.faults().switches().on(call, unknown, Switch::Times(1));
        }
        world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
        let freed = world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap().unwrap();
        world.his.substitute("R1", "D-8").await.unwrap();
        world.his.stop_schedule("R1").await.unwrap();
        world.clock.advance(Duration::seconds(1));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 6);
        let seen = receiver.seen();
        let about = |nth: usize| match seen[nth].as_ref().unwrap() {
            Push::Cancelled { event_id, his_order_id, reg_id, .. } => {
                (event_id.clone(), format!("{his_order_id} {reg_id}"))
            }
            Push::Changed { event_id, reg_id, .. } => (event_id.clone(), reg_id.clone()),
            Push::Stopped { event_id, doctor_id, .. } => (event_id.clone(), doctor_id.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(about(0), (format!("{}-unknown", freed.event_id), "nowhere nowhere".to_owned()));
        assert_eq!(about(1), (freed.event_id.clone(), format!("{} R1", freed.his_order_id)));
        assert_eq!((about(2).1.as_str(), about(3).1.as_str()), ("nowhere", "R1"));
        assert_eq!((about(4).1.as_str(), about(5).1.as_str()), ("nowhere", "D-8"));
        assert_eq!(about(4).0, format!("{}-unknown", about(5).0));
    }
}

// What is done to an order at the counter, in the order in which it is done.
in_every_language! {
    async fn what_is_done_at_the_counter_is_told_with_the_number_of_the_order(protocol) {
        let world = World::open_in(protocol).await;
        let receiver = Receiver::start(&world, protocol).await;
        // One of ours by its form.
        let order_id = "L01J055R4HMFAY8VVR14D2PF2DB01".to_owned();
        let paid = PaidWith { out_trade_no: "T1".into(), amount_fen: 5000 };
        let request = BookRequest {
            order_id: order_id.clone(),
            locked: false,
            place: place(0),
            identity: identity(1),
            paid: Some(paid),
            at: world.clock.now(),
        };
        assert!(matches!(world.client.book(&request).await.unwrap(), Booking::Booked(_)));
        assert!(!world.his.at_counter(Act::Prints, "another").await.unwrap(), "there is no such order");
        for act in [Act::Prints, Act::TakesMoney, Act::AsksOfRefund, Act::Refunds, Act::Cancels] {
            assert!(world.his.at_counter(act, &order_id).await.unwrap());
        }
        world.clock.advance(Duration::seconds(1));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 5);
        let seen = receiver.seen();
        for (nth, function) in ["5004", "5005", "5006", "5003"].into_iter().enumerate() {
            let Ok(Push::Other { code, order_id: told, .. }) = &seen[nth] else { panic!("{seen:?}") };
            assert_eq!((code.as_str(), told.as_ref()), (function, Some(&order_id)));
        }
        assert_eq!(seen[4], Ok(Push::OrderCancelled { order_id: order_id.clone() }));
        let order = world.his.books().await.orders.remove(0);
        assert_eq!((order.state, order.refunded_fen), (OrderState::Cancelled, Some(5000)));
        assert_eq!(order.paid.unwrap().out_trade_no, "T1", "what was paid stays paid");
    }
}

// A second paper is another event; what goes wrong with any push goes wrong with these.
in_every_language! {
    async fn pushes_of_the_counter_are_lost_doubled_forged_and_of_nobody_as_others_are(protocol) {
        let world = World::open_in(protocol).await;
        let receiver = Receiver::start(&world, protocol).await;
        world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
        let order_id = world.his.books().await.orders.remove(0).order_id;
        for (fault, sent, seen) in
            [("lost", 0, 0), ("duplicate", 2, 2), ("wrong-signature", 1, 2), ("unknown", 2, 2), ("late", 1, 1)]
        {
            let before = receiver.seen().len();
            let wrong = Wrong::named(subject("5004").unwrap(), fault).unwrap();
            world.his.faults().switches().on("5004", wrong, Switch::Times(1));
            assert!(world.his.at_counter(Act::Prints, &order_id).await.unwrap());
            world.clock.advance(Duration::hours(1));
            assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), sent, "{fault}");
            assert_eq!(receiver.seen().len() - before, seen, "{fault}");
        }
        let ids = receiver.seen().into_iter().filter_map(|push| match push {
            Ok(Push::Other { event_id, .. }) => Some(event_id),
            _ => None,
        });
        // Doubled, forged, of nobody and the true one, late.
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 5);
    }
}

// In SOAP, which carries no time, it is the same push once more.
in_every_language! {
    async fn a_push_of_long_ago_goes_before_the_true_one_and_is_stale_where_it_says_when(protocol) {
        let world = World::open_in(protocol).await;
        let receiver = Receiver::start(&world, protocol).await;
        receiver.shows(&world);
        let old = Wrong::named(subject("5007").unwrap(), "old").unwrap();
        world.his.faults().switches().on("5007", old, Switch::Times(1));
        world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
        world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap().unwrap();
        world.clock.advance(Duration::seconds(1));
        assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 1);
        let (seen, push) = (receiver.seen(), world.his.books().await.pushes.remove(0));
        let stale = protocol != Protocol::Jiankangtong;
        assert_eq!(seen[0].clone().err(), stale.then_some(PushError::Stale));
        assert!(matches!(seen[1], Ok(Push::Cancelled { .. })));
        assert_eq!(push.old_answer.as_deref(), Some(if stale { "stale" } else { "0" }));
        assert_eq!(push.state, PushState::Delivered);
    }
}

/// A HIS whose clock is off stamps its events with its own time: they are refused until it is set right.
#[tokio::test]
async fn events_of_a_clock_that_is_off_wait_until_it_is_set_right() {
    let world = World::open_in(Protocol::Rest).await;
    let receiver = Receiver::start(&world, Protocol::Rest).await;
    receiver.shows(&world);
    world.his.fill("R1", 1, channel::WINDOW).await.unwrap();
    world.his.is_ahead(-7);
    world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap().unwrap();
    assert_eq!(world.his.next_at(), Some(world.clock.now() + Duration::seconds(1)), "by the sandbox's clock");
    world.clock.advance(Duration::seconds(1));
    assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 1);
    assert_eq!(receiver.seen(), [Err(PushError::Stale)]);
    world.his.is_ahead(0);
    assert_eq!(world.his.run_due(world.clock.now()).await.unwrap(), 1);
    assert!(matches!(receiver.seen()[1], Ok(Push::Cancelled { .. })));
}

in_every_language! {
    async fn push_faults_duplicate_delay_lose_and_forge(protocol) {
        let world = World::with(protocol, Level::Heavy, 3).await;
        let receiver = Receiver::start(&world, protocol).await;
        world.his.add_schedule(seed_of_size("R1", 10, 8)).await.unwrap();
        world.his.fill("R1", 80, channel::WINDOW).await.unwrap();
        let mut freed = BTreeSet::new();
        while let Some(place) = world.his.cancel_ordinary("R1", 0, channel::WINDOW, true).await.unwrap() {
            freed.insert(place.event_id);
        }
        while let Some(due) = world.his.next_at() {
            world.his.run_due(due).await.unwrap();
        }
        let books = world.his.books().await;
        let faulty =
            |fault: &str| books.pushes.iter().filter(|push| push.fault.as_deref() == Some(fault)).collect::<Vec<_>>();
        let (twice, late, lost, forged) = (faulty("Duplicate"), faulty("Late"), faulty("Lost"), faulty("WrongSignature"));
        assert!([&twice, &late, &lost, &forged].iter().all(|pushes| !pushes.is_empty()), "all kinds happen with this seed");
        assert!(late.iter().all(|push| push.due_at - push.queued_at >= Duration::minutes(10)));
        assert!(lost.iter().all(|push| push.state == PushState::Lost && push.attempts == 0));
        assert!(forged.iter().all(|push| push.forged_answer.as_deref() == Some("7") && push.state == PushState::Delivered));

        let seen = receiver.seen();
        assert_eq!(seen.iter().filter(|push| **push == Err(PushError::BadSignature)).count(), forged.len());
        let arrived: Vec<&String> = seen
            .iter()
            .filter_map(|push| match push {
                Ok(Push::Cancelled { event_id, .. }) => Some(event_id),
                _ => None,
            })
            .collect();
        let distinct: BTreeSet<&String> = arrived.iter().copied().collect();
        assert_eq!(distinct.len(), freed.len() - lost.len());
        assert_eq!(arrived.len() - distinct.len(), twice.len() / 2);
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let mut worlds = Vec::new();
    for seed in [5, 5, 6] {
        let world = World::with(Protocol::Jiankangtong, Level::Heavy, seed).await;
        world.his.add_schedule(seed_of_size("R1", 10, 4)).await.unwrap();
        world.his.fill("R1", 40, channel::WEBSITE).await.unwrap();
        for nth in 0..20 {
            world.clock.advance(Duration::seconds(11));
            world.his.cancel_ordinary("R1", nth * 7, channel::WEBSITE, true).await.unwrap().unwrap();
        }
        world.his.add_places("R1", 3).await.unwrap();
        world.his.stop_schedule("R1").await.unwrap();
        worlds.push(serde_json::to_value(world.his.books().await).unwrap());
    }
    assert_eq!(worlds[0], worlds[1]);
    assert_ne!(worlds[0]["pushes"], worlds[2]["pushes"], "another seed, other faults");
    assert_eq!(worlds[0]["orders"], worlds[2]["orders"]);
}
