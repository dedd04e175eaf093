//! An order of a shop on the engine alone: reserved, paid in time, delivered; or everything is given back.
//!
//! `cargo run --example order` plays four orders on a private PostgreSQL. `docs/writing-a-workflow.md` explains it.

#![allow(missing_docs, clippy::unused_async)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use houbu::engine::prelude::*;
use houbu::postgres::{self, Server};

// The workflow.

/// What an order knows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Purchase {
    item: String,
    pay_by: DateTime<Utc>,
}

/// Money has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paid {
    cents: i64,
}

flow! {
    /// One order, from the shelf to the customer or back.
    Order = "order";
    state Purchase; ports Shop; obligations Reservation, Money;
    starts Reserving; ends Done, Dropped; quiet Done, Dropped;

    /// Lays the item aside.
    Reserving = reserving { Reserved + Reservation -> Payment, SoldOut -> Dropped }
    /// For the money, until the customer's time is up.
    Payment = payment on Paid until pay_by { Paid + Money -> Delivery, Late -> Release }
    /// Hands the item over.
    Delivery = delivery { Delivered - Reservation - Money -> Done, NobodyHome -> Refund }
    /// Gives the money back.
    Refund = refund { Refunded - Money -> Release }
    /// Puts the item back on the shelf.
    Release = release { Released - Reservation -> Dropped }
}

fn pay_by(order: &Purchase) -> DateTime<Utc> {
    order.pay_by
}

async fn reserving(order: &mut Purchase, turn: &Turn, shop: &Shop) -> Result<outcome::Reserving, Fault> {
    let reserved = shop.ask("reserve", turn, &order.item).await?;
    Ok(if reserved { outcome::Reserving::Reserved } else { outcome::Reserving::SoldOut })
}

fn payment(_: &mut Purchase, _: &Turn, woke: woke::Payment) -> outcome::Payment {
    match woke {
        woke::Payment::Paid(_) => outcome::Payment::Paid,
        woke::Payment::Deadline => outcome::Payment::Late,
    }
}

async fn delivery(order: &mut Purchase, turn: &Turn, shop: &Shop) -> Result<outcome::Delivery, Fault> {
    let delivered = shop.ask("deliver", turn, &order.item).await?;
    Ok(if delivered { outcome::Delivery::Delivered } else { outcome::Delivery::NobodyHome })
}

async fn refund(order: &mut Purchase, turn: &Turn, shop: &Shop) -> Result<outcome::Refund, Fault> {
    shop.ask("refund", turn, &order.item).await.map(|_| outcome::Refund::Refunded)
}

async fn release(order: &mut Purchase, turn: &Turn, shop: &Shop) -> Result<outcome::Release, Fault> {
    shop.ask("release", turn, &order.item).await.map(|_| outcome::Release::Released)
}

// The end of the workflow.

/// The outside world: it does what it is asked, once an id, and says no to some.
#[derive(Default)]
pub struct Shop {
    asked: Mutex<BTreeSet<String>>,
}

impl Shop {
    /// Asks for something. The id comes from the run, so that asking again after a crash is asking for the same thing.
    async fn ask(&self, what: &str, turn: &Turn, item: &str) -> Result<bool, Fault> {
        let first = self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{what}:{}", turn.run));
        // The carrier's line is busy whenever somebody calls for the first time.
        if first && what == "deliver" {
            return Err(Fault::Retry("the carrier's line is busy".to_owned()));
        }
        Ok(!matches!((what, item), ("reserve", "a unicorn") | ("deliver", "a piano")))
    }
}

/// Plays four orders and tells what happened to each.
pub async fn play(database_url: &str) -> Result<Vec<String>, EngineError> {
    let soon = RetryPolicy { first: Duration::from_millis(100), ..RetryPolicy::PATIENT };
    let registry = Registry::default().with_retry::<Order>(Arc::new(Shop::default()), soon);
    let engine = Engine::open(database_url, "shop", registry).await?;
    let worker = engine.work(WorkerOptions::default()).await?;

    let pay_by = Utc::now() + TimeDelta::days(3);
    let items = [("o-1", "a book"), ("o-2", "a piano"), ("o-3", "a lamp"), ("o-4", "a unicorn")];
    for (key, item) in items {
        engine.start::<Order>(key, &Purchase { item: item.to_owned(), pay_by }).await?;
    }
    engine.signal::<Order>("o-1", "Paid", "receipt 17", &Paid { cents: 2_500 }).await?;
    engine.signal::<Order>("o-2", "Paid", "receipt 18", &Paid { cents: 990_000 }).await?;
    // Nobody pays for the lamp. Three days later:
    clock::run_from(&engine.pool, pay_by).await?;

    let mut told = Vec::new();
    for (key, item) in items {
        let run = ended(&engine, key).await?;
        told.push(format!("{key}, {item}: {}", run.step));
        for line in engine.history(run.id).await? {
            let woke = line.woke.map(|woke| format!(" on {woke}")).unwrap_or_default();
            told.push(format!("    {}{woke}: {}", line.step, line.outcome.or(line.error).unwrap_or_default()));
        }
    }
    worker.stop().await;
    Ok(told)
}

/// Looks at an order until it has ended.
async fn ended(engine: &Engine, key: &str) -> Result<Seen, EngineError> {
    loop {
        match engine.find::<Order>(key).await? {
            Some(found) if found.has_ended() => return Ok(found.run),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = tokio::task::spawn_blocking(|| Server::start(&postgres::Options::throwaway())).await??;
    server.create_database("shop").await?;
    for line in play(&server.url("shop")).await? {
        println!("{line}");
    }
    Ok(())
}
