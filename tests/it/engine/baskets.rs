//! A workflow whose runs start others and wait for their endings: one basket, many orders.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::{ChildEnded, Edge, Effect, Fault, Projected, Registry, RunId, Turn};
use houbu::flow;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::shop::{Order, ShopOrder, Step as OrderStep};

/// What a basket knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Basket {
    /// The orders that it consists of.
    pub names: Vec<String>,
    /// Until when they are to be paid.
    pub pay_until: DateTime<Utc>,
    /// The endings that it has heard of, as `name: ending`.
    pub ended: Vec<String>,
}

flow! {
    /// Many orders of one customer.
    ShopBasket = "shop_basket";
    state Basket;
    ports ();
    obligations ;
    emits effects;
    projects project;
    starts Ordering;
    ends Done, Abandoned;
    quiet Done, Abandoned;

    /// Starts an order a name.
    Ordering = ordering
        { Ordered -> Orders }
    /// Waits for the ending of each.
    Orders = orders on ChildEnded until week_ends
        { Another -> Orders, Last -> Done, TooLate -> Abandoned }
}

#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn ordering(_: &mut Basket, _: &Turn, (): &()) -> Result<outcome::Ordering, Fault> {
    Ok(outcome::Ordering::Ordered)
}

fn orders(basket: &mut Basket, _: &Turn, woke: woke::Orders) -> outcome::Orders {
    match woke {
        woke::Orders::ChildEnded(child) => {
            basket.ended.push(format!("{}: {}", child.key, child.ending));
            let all = basket.ended.len() == basket.names.len();
            if all { outcome::Orders::Last } else { outcome::Orders::Another }
        }
        woke::Orders::Deadline => outcome::Orders::TooLate,
    }
}

fn week_ends(basket: &Basket) -> DateTime<Utc> {
    basket.pay_until + TimeDelta::days(8)
}

fn effects(run: RunId, edge: &Edge, basket: &Basket) -> Vec<Effect> {
    if edge.outcome != Some("Ordered") {
        return Vec::new();
    }
    let order = |name: &String| {
        let order = Order::new(name, basket.pay_until);
        let new = Registry::new_run::<ShopOrder>(RunId::now_v7(), name.clone(), OrderStep::Payment.name(), &order);
        Effect::Start(new.unwrap().child_of(run, "ChildEnded"))
    };
    basket.names.iter().map(order).collect()
}

async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Basket>]) -> sqlx::Result<()> {
    Ok(())
}

/// Baskets beside the orders that they start.
pub fn mounted(registry: Registry) -> Registry {
    registry.with::<ShopBasket>(Arc::new(()))
}
