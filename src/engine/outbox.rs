//! The postman: delivers the letters that runs wrote, at least once, with the same stored retries as steps have.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument;
use uuid::Uuid;

use super::core::Engine;
use super::flow::{Fault, Letter};
use super::group::Group;
use super::handling::HANDLER_MAX;
use super::lease::Hands;
use super::limits::{self, Lanes, Pass, Reserved};
use super::retry::RetryPolicy;
use super::store::letters::{self, Claimed, Settled};
use super::traces;

/// Letters on their way at one time.
const LETTERS_MAX: usize = 64;
/// Nobody waits for a letter by the millisecond: a claim is never sooner after the last one, unless that one was full.
const CLAIM_EVERY: Duration = Duration::from_millis(10);
/// The same while more turns are due than there are hands for: they come first.
const CLAIM_EVERY_BEHIND: Duration = Duration::from_millis(80);
/// The fewest letters of a claim while there are more, as far as so many hands become free in that time.
const CLAIM_MIN: usize = 16;

/// How a letter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Accepted; the receiver's id for it.
    Sent(String),
    /// No longer true, so not sent.
    Suppressed(&'static str),
    /// This receiver cannot be reached.
    Undeliverable(String),
    /// This receiver cannot be reached, and another letter of the same run is to do it. It is written in the transaction that
    /// writes this down, so that there is never one without the other.
    Instead {
        /// Why this one cannot.
        why: String,
        /// The other one; where one of its id stands already, it is that one.
        letter: Letter,
    },
    /// Not before then. No attempt has failed.
    NotBefore(DateTime<Utc>),
}

/// Delivers the letters of one topic.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// Delivers one letter.
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault>;
}

/// The outlets by topic.
#[derive(Clone, Default)]
pub struct Outlets {
    by_topic: BTreeMap<&'static str, (Option<&'static str>, Arc<dyn Outlet>)>,
}

impl Outlets {
    /// Adds the outlet of a topic.
    #[must_use]
    pub fn with(mut self, topic: &'static str, outlet: Arc<dyn Outlet>) -> Self {
        self.by_topic.insert(topic, (None, outlet));
        self
    }

    /// Adds the outlet of a topic that calls a destination, whose limits it keeps.
    #[must_use]
    pub fn with_lane(mut self, topic: &'static str, lane: &'static str, outlet: Arc<dyn Outlet>) -> Self {
        self.by_topic.insert(topic, (Some(lane), outlet));
        self
    }

    /// The destinations that are called.
    pub(super) fn lanes(&self) -> BTreeSet<&'static str> {
        self.by_topic.values().filter_map(|(lane, _)| *lane).collect()
    }

    /// Which topic calls which destination.
    pub(super) fn routes(&self) -> Vec<(&'static str, &'static str)> {
        self.by_topic.iter().filter_map(|(topic, (lane, _))| Some(((*lane)?, *topic))).collect()
    }
}

/// Returns once enough hands are free for a claim that is worth it, where the last one was; never, where it was not.
async fn gathers(hands: &Semaphore, full: bool) {
    if !full {
        std::future::pending::<()>().await;
    }
    drop(hands.acquire_many(u32::try_from(CLAIM_MIN).unwrap_or(1)).await);
}

/// A delivery that neither panics nor lasts for ever.
async fn guarded(outlet: &dyn Outlet, letter: &Claimed) -> Result<Delivery, Fault> {
    let delivering = AssertUnwindSafe(outlet.deliver(letter)).catch_unwind();
    match tokio::time::timeout(HANDLER_MAX, delivering).await {
        Ok(Ok(delivered)) => delivered,
        Ok(Err(_)) => Err(Fault::Stop("the outlet panicked".to_owned())),
        Err(_) => Err(Fault::Unknown(format!("the delivery took longer than {} s", HANDLER_MAX.as_secs()))),
    }
}

pub(super) struct Postman {
    engine: Arc<Engine>,
    worker: Uuid,
    hands: Arc<Hands>,
    lanes: Arc<Lanes>,
    outlets: Outlets,
    poll: Duration,
    behind: Arc<AtomicBool>,
    settling: Group<Settled, Result<(), String>>,
}

impl Postman {
    pub(super) fn new(
        engine: Arc<Engine>,
        worker: Uuid,
        hands: Arc<Hands>,
        lanes: Arc<Lanes>,
        outlets: Outlets,
        poll: Duration,
        behind: Arc<AtomicBool>,
    ) -> Arc<Self> {
        let of = Arc::clone(&engine);
        let settling = Group::start(LETTERS_MAX, move |settled: Vec<Settled>| {
            let engine = Arc::clone(&of);
            async move {
                let all = settle(&engine, worker, &settled).await;
                if all.is_ok() || settled.len() == 1 {
                    let all = all.map_err(|error| error.to_string());
                    return settled.iter().map(|_| all.clone()).collect();
                }
                // A bad one fails alone.
                let mut written = Vec::with_capacity(settled.len());
                for one in settled.chunks(1) {
                    let one = settle(&engine, worker, one).await;
                    written.push(one.map_err(|error| error.to_string()));
                }
                written
            }
            .boxed()
        });
        Arc::new(Self { engine, worker, hands, lanes, outlets, poll, behind, settling })
    }

    pub(super) async fn work(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let hands = Arc::new(Semaphore::new(LETTERS_MAX));
        // Ends with this task, wherever its letters are.
        let mut carrying = JoinSet::new();
        let (mut claimed_at, mut full) = (Instant::now(), true);
        while !*stopped.borrow() && !self.outlets.by_topic.is_empty() {
            while carrying.try_join_next().is_some() {}
            // With every hand full there is nothing to claim: some free hands come first.
            let behind = self.behind.load(Ordering::Relaxed);
            let every = if behind { CLAIM_EVERY_BEHIND } else { CLAIM_EVERY };
            let _ = tokio::time::timeout_at((claimed_at + every).into(), gathers(&hands, full && !behind)).await;
            drop(hands.acquire().await);
            claimed_at = Instant::now();
            let claimed = self.claim(hands.available_permits()).await;
            full = claimed.len() >= CLAIM_MIN;
            if claimed.is_empty() {
                tokio::select! {
                    () = self.engine.letters.notified() => {}
                    () = self.lanes.freed_for_letters.notified() => {}
                    () = tokio::time::sleep(self.poll) => {}
                    _ = stopped.changed() => {}
                }
            }
            for (letter, pass) in claimed {
                let Ok(hand) = Arc::clone(&hands).acquire_owned().await else { return };
                let postman = Arc::clone(&self);
                let in_hand = self.hands.letter(letter.id.clone());
                let span = traces::delivery(&letter);
                let carries = async move {
                    postman.carry(letter, pass).await;
                    drop((in_hand, hand));
                };
                carrying.spawn(carries.instrument(span));
            }
        }
        while carrying.join_next().await.is_some() {}
    }

    /// Claims due letters: of each topic as many as there are passes of its lane.
    async fn claim(&self, free: usize) -> Vec<(Claimed, Option<Pass>)> {
        let mut all = Vec::new();
        for (topic, (lane, _)) in &self.outlets.by_topic {
            let left = free.saturating_sub(all.len());
            let mut reserved = lane.and_then(|lane| self.lanes.reserve(lane, left));
            let most = if lane.is_some() { reserved.as_ref().map_or(0, Reserved::count) } else { left };
            if most == 0 {
                continue;
            }
            let count = i64::try_from(most).unwrap_or(i64::MAX);
            let (engine, worker) = (&self.engine, self.worker);
            let claims =
                engine.warm.call(async |conn| letters::claim(conn, &engine.tenant, worker, topic, count).await);
            let claimed = claims.await.unwrap_or_else(|error| {
                tracing::warn!(%error, topic, "due letters could not be claimed; trying again");
                Vec::new()
            });
            all.extend(claimed.into_iter().map(|letter| (letter, reserved.as_mut().and_then(Reserved::pass))));
        }
        all
    }

    /// A letter that cannot be sent now is due again at once. One that cannot be put back is in no hand afterwards.
    async fn put_back(&self, letter: String) {
        let (pool, tenant) = (&self.engine.pool, self.engine.tenant.as_str());
        if let Err(error) = letters::release(pool, tenant, self.worker, std::slice::from_ref(&letter)).await {
            tracing::warn!(%error, "a letter could not be put back");
        }
    }

    /// Delivers one letter and writes down what came of it. A letter whose end cannot be written is in no hand
    /// afterwards and is delivered again; its receiver knows its id.
    async fn carry(&self, letter: Claimed, pass: Option<Pass>) {
        let Some((lane, outlet)) = self.outlets.by_topic.get(letter.topic.as_str()) else { return };
        // What the claim reserved may have gone to a run that came by.
        let pass = pass.or_else(|| self.lanes.take_in_passing((*lane)?, true));
        if lane.is_some() && pass.is_none() {
            return self.put_back(letter.id).await;
        }
        let began = Instant::now();
        let (delivered, said) = limits::listening(guarded(&**outlet, &letter)).await;
        let took = began.elapsed();
        if let Some(pass) = pass {
            pass.tell_letter(&delivered, said);
        }
        let wait = match &delivered {
            Err(Fault::Retry(_) | Fault::Unknown(_)) => {
                let failures = u32::try_from(letter.attempt).unwrap_or(0).saturating_add(1);
                RetryPolicy::PATIENT.wait_after(failures, Duration::ZERO, rand::random())
            }
            Ok(_) | Err(Fault::Stop(_)) => None,
        };
        self.engine.measures.letter(&letter.topic, took, &delivered, wait.is_some());
        if let (Err(fault), None) = (&delivered, wait) {
            traces::failed(&tracing::Span::current(), fault.class());
            tracing::error!(why = %fault, "letter suspended");
        }
        let (mut instead, mut due) = (None, None);
        let (status, reference, error) = match delivered {
            Ok(Delivery::Sent(reference)) => ("sent", Some(reference), None),
            Ok(Delivery::Instead { why, letter: other }) => {
                instead = Some((letter.run_id, other));
                ("undeliverable", None, Some(why))
            }
            Ok(Delivery::NotBefore(at)) => {
                due = Some(at);
                ("pending", None, None)
            }
            Ok(Delivery::Suppressed(why)) => ("suppressed", None, Some(why.to_owned())),
            Ok(Delivery::Undeliverable(why)) => ("undeliverable", None, Some(why)),
            Err(Fault::Retry(why) | Fault::Unknown(why)) if wait.is_some() => ("pending", None, Some(why)),
            Err(Fault::Retry(why) | Fault::Unknown(why) | Fault::Stop(why)) => ("suspended", None, Some(why)),
        };
        // What comes from outside may hold what no text in the database can.
        let text = |text: Option<String>| text.map(|text| text.replace('\0', ""));
        let (reference, error) = (text(reference), text(error));
        let more = instead.is_some();
        let settled = Settled { id: letter.id, status, reference, error, wait, due, instead };
        let settled = self.settling.ask(settled).await;
        if more {
            self.engine.hint_letters();
        }
        if let Err(error) = settled.unwrap_or_else(|| Err("the writer has ended".to_owned())) {
            tracing::warn!(%error, "what came of a letter could not be written");
        }
    }
}

async fn settle(engine: &Engine, worker: Uuid, settled: &[Settled]) -> sqlx::Result<()> {
    engine.warm.call(async |conn| letters::settle(conn, &engine.tenant, worker, settled).await).await
}
