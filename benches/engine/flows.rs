//! Workflows that do nothing, durably.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use houbu::engine::flow::Flow;
use houbu::engine::{Edge, Effect, Fault, NewRun, Registry, RunId, Turn};
use houbu::flow;
use serde::{Deserialize, Serialize};

pub fn registry() -> Registry {
    Registry::default()
        .with::<five::Five>(Arc::new(()))
        .with::<one::One>(Arc::new(()))
        .with::<calling::Calling>(Arc::new(()))
        .with::<parked::Parked>(Arc::new(()))
}

/// What every run knows: about as much as an application, so that rows have a true size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Note {
    pub subject: String,
    pub until: DateTime<Utc>,
}

impl Note {
    pub fn new(until: DateTime<Utc>) -> Self {
        Self { subject: "R20251128-0101-1/p-1001/lockThenPay/5000".to_owned(), until }
    }
}

pub fn new_run<F: Flow<State = Note>>(step: &'static str, until: DateTime<Utc>) -> NewRun {
    let id = RunId::now_v7();
    Registry::new_run::<F>(id, id.simple().to_string(), step, &Note::new(until)).unwrap()
}

fn nothing(_: RunId, _: &Edge, _: &Note) -> Vec<Effect> {
    Vec::new()
}

macro_rules! no_op {
    ($($step:ident = $handler:ident),+) => {
        $(#[allow(clippy::unused_async)]
        async fn $handler(_: &mut Note, _: &Turn, (): &()) -> Result<outcome::$step, Fault> {
            Ok(outcome::$step::Done)
        })+
    };
}

pub mod five {
    use super::{Fault, Note, Turn, flow, nothing};

    flow! {
        /// Five steps that do nothing.
        Five = "five";
        state Note;
        ports ();
        obligations ;
        emits nothing;
        starts First;
        ends Finished;
        quiet Finished;

        /// 1
        First = first { Done -> Second }
        /// 2
        Second = second { Done -> Third }
        /// 3
        Third = third { Done -> Fourth }
        /// 4
        Fourth = fourth { Done -> Fifth }
        /// 5
        Fifth = fifth { Done -> Finished }
    }
    no_op!(First = first, Second = second, Third = third, Fourth = fourth, Fifth = fifth);
}

pub mod one {
    use super::{Note, flow, nothing};

    flow! {
        /// One step that does nothing, and could not.
        One = "one";
        state Note;
        ports ();
        obligations ;
        emits nothing;
        starts Only;
        ends Finished;
        quiet Finished;

        /// 1
        Only = only by state { Done -> Finished }
    }

    const fn only(_: &mut Note) -> outcome::Only {
        outcome::Only::Done
    }
}

pub mod calling {
    use super::{Fault, Note, Turn, flow, nothing};

    flow! {
        /// One step that might call somebody.
        Calling = "calling";
        state Note;
        ports ();
        obligations ;
        emits nothing;
        starts Only;
        ends Finished;
        quiet Finished;

        /// 1
        Only = only { Done -> Finished }
    }
    no_op!(Only = only);
}

pub mod parked {
    use super::{DateTime, Deserialize, Note, Serialize, Turn, Utc, flow, nothing};

    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub struct Go {}

    flow! {
        /// Waits for a word, or for its deadline.
        Parked = "parked";
        state Note;
        ports ();
        obligations ;
        emits nothing;
        starts Lot;
        ends Left;
        quiet Left;

        /// Waits.
        Lot = lot on Go until until { Went -> Left, Over -> Left }
    }

    fn lot(_: &mut Note, _: &Turn, woke: woke::Lot) -> outcome::Lot {
        match woke {
            woke::Lot::Go(_) => outcome::Lot::Went,
            woke::Lot::Deadline => outcome::Lot::Over,
        }
    }

    fn until(note: &Note) -> DateTime<Utc> {
        note.until
    }
}
