//! A step that looks for itself reads all that rang before it looked, and looks once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::store::{self, Outgoing};
use houbu::engine::worker::{self, Options};
use houbu::engine::{Engine, Fault, Registry, To, Turn};
use houbu::flow;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::works::{TENANT, Works, morning};

/// What a porter knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Porter {
    off_duty: DateTime<Utc>,
}

/// Somebody is at the door, perhaps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rung {}

/// How often the door was opened.
#[derive(Default)]
pub struct Door {
    opened: AtomicUsize,
}

flow! {
    /// A porter who opens when the bell rings.
    Bell = "bell";
    state Porter; ports Door; starts Lodge; ends Home; quiet Home;

    /// Until somebody rings.
    Lodge = lodge on Rung until off_duty { Rung -> Looking, Evening -> Home }
    /// Opens the door: whoever rang before that is let in together.
    Looking = looking absorbs Rung { Looked -> Lodge }
}

fn off_duty(porter: &Porter) -> DateTime<Utc> {
    porter.off_duty
}

fn lodge(_: &mut Porter, _: &Turn, woke: woke::Lodge) -> outcome::Lodge {
    match woke {
        woke::Lodge::Rung(_) => outcome::Lodge::Rung,
        woke::Lodge::Deadline => outcome::Lodge::Evening,
    }
}

#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn looking(_: &mut Porter, _: &Turn, door: &Door) -> Result<outcome::Looking, Fault> {
    door.opened.fetch_add(1, Ordering::SeqCst);
    Ok(outcome::Looking::Looked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_rang_before_the_door_was_opened_is_let_in_by_one_look() {
    let works = Works::new().await;
    let door = Arc::new(Door::default());
    let engine = Engine::new(works.db.pool.clone(), TENANT, Registry::default().with::<Bell>(Arc::clone(&door)));
    let porter = Porter { off_duty: morning() + TimeDelta::hours(9) };
    let run = Registry::new_run::<Bell>(Uuid::now_v7(), "gate".to_owned(), Step::Lodge.name(), &porter).unwrap();
    let run = engine.start_run(run).await.unwrap().id;
    let rings = async |ids: &[&str]| {
        let signal =
            |id: &&str| Outgoing { to: To::Run(run), name: "Rung".into(), id: (*id).to_owned(), payload: json!({}) };
        let signals: Vec<Outgoing> = ids.iter().map(signal).collect();
        let mut tx = works.db.pool.begin().await.unwrap();
        store::signal::deliver(&mut tx, TENANT, &signals).await.unwrap();
        tx.commit().await.unwrap();
        engine.hint();
    };
    rings(&["one", "two", "three"]).await;
    let worker = worker::start(Arc::clone(&engine), Options::default()).await.unwrap();
    works.still().await;
    assert_eq!(door.opened.load(Ordering::SeqCst), 1, "three rings are one look");
    assert_eq!(works.story(run).await, ["Lodge on Rung: Rung", "Looking: Looked"]);
    let read = [works.read_turn(run, "one").await, works.read_turn(run, "two").await];
    assert_eq!(read, [Some(1), Some(2)], "each is read by the turn that it was there for");
    rings(&["four"]).await;
    works.still().await;
    assert_eq!(door.opened.load(Ordering::SeqCst), 2, "who rings later has the door opened again");
    works.close(vec![worker]).await;
}
