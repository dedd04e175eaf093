//! The postman: delivers the letters that runs wrote, at least once, with the same stored retries as steps have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::core::Engine;
use super::flow::Fault;
use super::lease::Hands;
use super::retry::RetryPolicy;
use super::store::letters::{self, Claimed};

/// Letters on their way at one time.
const LETTERS_MAX: usize = 16;

/// How a letter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Accepted; the receiver's id for it.
    Sent(String),
    /// No longer true, so not sent.
    Suppressed(&'static str),
    /// This receiver cannot be reached.
    Undeliverable(String),
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
    by_topic: BTreeMap<&'static str, Arc<dyn Outlet>>,
}

impl Outlets {
    /// Adds the outlet of a topic.
    #[must_use]
    pub fn with(mut self, topic: &'static str, outlet: Arc<dyn Outlet>) -> Self {
        self.by_topic.insert(topic, outlet);
        self
    }
}

pub(super) struct Postman {
    engine: Arc<Engine>,
    worker: Uuid,
    hands: Arc<Hands>,
    outlets: Outlets,
    poll: Duration,
}

impl Postman {
    pub(super) fn new(
        engine: Arc<Engine>,
        worker: Uuid,
        hands: Arc<Hands>,
        outlets: Outlets,
        poll: Duration,
    ) -> Arc<Self> {
        Arc::new(Self { engine, worker, hands, outlets, poll })
    }

    pub(super) async fn work(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let topics: Vec<&str> = self.outlets.by_topic.keys().copied().collect();
        let hands = Arc::new(Semaphore::new(LETTERS_MAX));
        while !*stopped.borrow() && !topics.is_empty() {
            // With every hand full there is nothing to claim: the next free hand comes first.
            drop(hands.acquire().await);
            let free = i64::try_from(hands.available_permits()).unwrap_or(0);
            let claimed = letters::claim(&self.engine.pool, &self.engine.tenant, self.worker, &topics, free).await;
            let claimed = claimed.unwrap_or_else(|error| {
                tracing::warn!(%error, "due letters could not be claimed; trying again");
                Vec::new()
            });
            if claimed.is_empty() {
                tokio::select! {
                    () = self.engine.letters.notified() => {}
                    () = tokio::time::sleep(self.poll) => {}
                    _ = stopped.changed() => {}
                }
            }
            for letter in claimed {
                let Ok(hand) = Arc::clone(&hands).acquire_owned().await else { return };
                let postman = Arc::clone(&self);
                let in_hand = self.hands.letter(letter.id.clone());
                tokio::spawn(async move {
                    postman.carry(letter).await;
                    drop((in_hand, hand));
                });
            }
        }
        drop(hands.acquire_many(u32::try_from(LETTERS_MAX).unwrap_or(u32::MAX)).await);
    }

    /// Delivers one letter and writes down what came of it. A letter whose end cannot be written is in no hand
    /// afterwards and is delivered again; its receiver knows its id.
    async fn carry(&self, letter: Claimed) {
        let (pool, tenant) = (&self.engine.pool, self.engine.tenant.as_str());
        let Some(outlet) = self.outlets.by_topic.get(letter.topic.as_str()) else { return };
        let settled = match outlet.deliver(&letter).await {
            Ok(Delivery::Sent(reference)) => {
                letters::settle(pool, tenant, self.worker, &letter.id, "sent", Some(&reference), None).await
            }
            Ok(Delivery::Suppressed(why)) => {
                letters::settle(pool, tenant, self.worker, &letter.id, "suppressed", None, Some(why)).await
            }
            Ok(Delivery::Undeliverable(why)) => {
                letters::settle(pool, tenant, self.worker, &letter.id, "undeliverable", None, Some(&why)).await
            }
            Err(Fault::Stop(why)) => {
                tracing::error!(letter = letter.id, why, "letter suspended");
                letters::settle(pool, tenant, self.worker, &letter.id, "suspended", None, Some(&why)).await
            }
            Err(Fault::Retry(why) | Fault::Unknown(why)) => {
                let failures = u32::try_from(letter.attempt).unwrap_or(0).saturating_add(1);
                match RetryPolicy::PATIENT.wait_after(failures, Duration::ZERO, rand::random()) {
                    Some(wait) => letters::postpone(pool, tenant, self.worker, &letter.id, wait, &why).await,
                    None => letters::settle(pool, tenant, self.worker, &letter.id, "suspended", None, Some(&why)).await,
                }
            }
        };
        if let Err(error) = settled {
            tracing::warn!(letter = letter.id, %error, "what came of a letter could not be written");
        }
    }
}
