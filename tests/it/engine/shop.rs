//! A workflow of another trade: an order is paid, packed and collected, or the money goes back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::{Edge, Effect, Fault, Letter, Projected, RetryPolicy, RunId, Turn};
use houbu::flow;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

/// The outbox topic of the shop's letters.
pub const TOPIC: &str = "shop";

/// What an order knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Its name; also the run's key.
    pub name: String,
    /// Until when it is to be paid.
    pub pay_until: DateTime<Utc>,
    /// What was paid.
    pub paid: Option<i64>,
    /// How often the warehouse was asked under this order and answered.
    pub parcels: u32,
}

impl Order {
    /// An order as any other.
    pub fn sample() -> Self {
        Self::new("sample", DateTime::UNIX_EPOCH)
    }

    /// An order that is to be paid by then.
    pub fn new(name: &str, pay_until: DateTime<Utc>) -> Self {
        Self { name: name.to_owned(), pay_until, paid: None, parcels: 0 }
    }
}

/// Money has arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paid {
    /// In cents.
    pub cents: i64,
}

/// The customer gives the order up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GivenUp {}

/// The parcel was handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collected {}

/// What the warehouse does when it is asked.
pub enum Answer {
    /// It cannot be reached.
    Away,
    /// It breaks this order for good.
    Burns,
    /// It packs, after it has been let.
    PacksWhenLet(Arc<Semaphore>),
    /// It finds that it has none left, after it has been let.
    SoldOutWhenLet(Arc<Semaphore>),
}

/// What the shop's steps call. Without a script the warehouse packs at once.
#[derive(Default)]
pub struct Warehouse {
    script: Mutex<HashMap<String, VecDeque<Answer>>>,
    asked: Mutex<Vec<(String, bool)>>,
}

impl Warehouse {
    /// The next answer about this order.
    pub fn will(&self, order: &str, answer: Answer) {
        self.script.lock().unwrap().entry(order.to_owned()).or_default().push_back(answer);
    }

    /// How it was asked about this order: each time, whether the engine said that it may have been asked before.
    pub fn asked(&self, order: &str) -> Vec<bool> {
        self.asked.lock().unwrap().iter().filter(|(name, _)| name == order).map(|(_, again)| *again).collect()
    }
}

flow! {
    /// One order of a shop, from the basket to the customer's hands or the money's return.
    ShopOrder = "shop_order";
    state Order;
    ports Warehouse;
    obligations Money;
    emits effects;
    projects project;
    starts Payment;
    ends Delivered, Dropped;
    sample Order::sample;

    /// Waits for the money.
    Payment = payment on Paid, GivenUp until pay_until
        { Paid + Money -> Packing, GivenUp -> Dropped, Unpaid -> Doubt }
    /// Nobody paid: the order is kept a day for whoever asks.
    Doubt = doubt on GivenUp until doubt_ends
        { GivenUp -> Dropped, Forgotten -> Dropped }
    /// Asks the warehouse for a parcel.
    Packing = packing
        { Packed -> Counter, SoldOut -> Refund }
    /// The parcel lies at the counter.
    Counter = counter on Collected until counter_closes
        { Collected - Money -> Delivered, LeftLying -> Refund }
    /// The money goes back.
    Refund = refund priority Bulk retry HASTY
        { Returned - Money -> Dropped }
}

/// How a refund is retried: every 5 s for 12 s.
const HASTY: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(5),
    factor: 1.0,
    jitter: 0.0,
    give_up_after: Some(Duration::from_secs(12)),
    ..RetryPolicy::PATIENT
};

fn pay_until(order: &Order) -> DateTime<Utc> {
    order.pay_until
}

fn doubt_ends(order: &Order) -> DateTime<Utc> {
    order.pay_until + TimeDelta::days(1)
}

fn counter_closes(order: &Order) -> DateTime<Utc> {
    order.pay_until + TimeDelta::days(7)
}

fn payment(order: &mut Order, _: &Turn, woke: woke::Payment) -> outcome::Payment {
    match woke {
        woke::Payment::Paid(paid) => {
            order.paid = Some(paid.cents);
            outcome::Payment::Paid
        }
        woke::Payment::GivenUp(_) => outcome::Payment::GivenUp,
        woke::Payment::Deadline => outcome::Payment::Unpaid,
    }
}

fn doubt(_: &mut Order, _: &Turn, woke: woke::Doubt) -> outcome::Doubt {
    match woke {
        woke::Doubt::GivenUp(_) => outcome::Doubt::GivenUp,
        woke::Doubt::Deadline => outcome::Doubt::Forgotten,
    }
}

fn counter(_: &mut Order, _: &Turn, woke: woke::Counter) -> outcome::Counter {
    match woke {
        woke::Counter::Collected(_) => outcome::Counter::Collected,
        woke::Counter::Deadline => outcome::Counter::LeftLying,
    }
}

async fn packing(order: &mut Order, turn: &Turn, warehouse: &Warehouse) -> Result<outcome::Packing, Fault> {
    warehouse.asked.lock().unwrap().push((order.name.clone(), turn.again));
    let answer = warehouse.script.lock().unwrap().get_mut(&order.name).and_then(VecDeque::pop_front);
    let outcome = match answer {
        Some(Answer::Away) => return Err(Fault::Retry("the warehouse is away".to_owned())),
        Some(Answer::Burns) => panic!("{}", super::works::ON_PURPOSE),
        Some(Answer::SoldOutWhenLet(gate)) => {
            gate.acquire().await.unwrap().forget();
            outcome::Packing::SoldOut
        }
        Some(Answer::PacksWhenLet(gate)) => {
            gate.acquire().await.unwrap().forget();
            outcome::Packing::Packed
        }
        None => outcome::Packing::Packed,
    };
    order.parcels += 1;
    Ok(outcome)
}

#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn refund(order: &mut Order, _: &Turn, warehouse: &Warehouse) -> Result<outcome::Refund, Fault> {
    let bank = format!("the bank about {}", order.name);
    if warehouse.script.lock().unwrap().get_mut(&bank).and_then(VecDeque::pop_front).is_some() {
        return Err(Fault::Unknown("the bank did not answer".to_owned()));
    }
    order.paid = None;
    Ok(outcome::Refund::Returned)
}

fn effects(run: RunId, edge: &Edge, order: &Order) -> Vec<Effect> {
    vec![Effect::Tell(Letter {
        id: format!("{run}:{}", edge.to),
        topic: TOPIC,
        payload: serde_json::json!({ "order": order.name, "entered": edge.to }),
    })]
}

/// Its projection panics when it comes to the counter.
pub const BURNING: &str = "burning";
/// The shop's own table refuses the order of this name at the counter.
pub const CURSED: &str = "cursed";

/// The first commit of the order of this name at the counter stands still in the middle.
pub const DROWSY: &str = "drowsy";

/// What [`project`] writes to.
pub const SHELF: &str = "create table shelf (order_name text primary key, step text not null,
    check (order_name <> 'cursed' or step <> 'Counter'))";

async fn project(conn: &mut PgConnection, _: &str, moved: &[Projected<Order>]) -> sqlx::Result<()> {
    for one in moved {
        assert!(one.state.name != BURNING || one.step != "Counter", "{}", super::works::ON_PURPOSE);
        if one.state.name == DROWSY && one.step == "Counter" {
            super::drains::fall_asleep(conn).await?;
        }
        sqlx::query(
            "insert into shelf (order_name, step) values ($1, $2)
             on conflict (order_name) do update set step = excluded.step",
        )
        .bind(&one.state.name)
        .bind(one.step)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
