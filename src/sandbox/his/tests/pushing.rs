//! Pushes from the simulated HIS to a receiver that reads them as Houbu does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::Duration;

use super::super::{PushState, channel};
use super::world::{World, credentials, place, seed_of_size};
use crate::ports::his::{Protocol, Push, PushAnswer, PushError, PushReader};
use crate::ports::stamp::Stamp;
use crate::sandbox::catalogue::subject;
use crate::sandbox::faults::Level;
use crate::sandbox::switches::{Switch, Wrong};

/// A stand-in for Houbu's callback: reads, remembers, and answers what it is told to.
struct Receiver {
    reader: PushReader,
    seen: Mutex<Vec<Result<Push, PushError>>>,
    refuse: Mutex<u32>,
}

impl Receiver {
    async fn start(world: &World, protocol: Protocol) -> Arc<Self> {
        let receiver = Arc::new(Self {
            reader: PushReader::new(&credentials(), "1001", chrono_tz::Asia::Shanghai).unwrap(),
            seen: Mutex::default(),
            refuse: Mutex::new(0),
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
    // Our clock is that of the sender.
    let now = Stamp::read(&headers).unwrap().at;
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
