//! A workflow that does nothing but call: errands to a mill and a dairy, some in a hurry, some not at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use houbu::engine::limits::{self, Limits};
use houbu::engine::{Edge, Effect, Engine, Fault, Letter, Projected, Registry, RunId, Turn, store};
use houbu::flow;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::works::{RETRY, TENANT, Works, morning};
use crate::cluster::Database;

/// The outbox topic of the town's letters.
pub const POST: &str = "post";
/// More than anybody needs.
pub const FOR_ALL: usize = 100_000;

/// What an errand knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Basket {
    pub name: String,
    pub tells: bool,
}

/// A house that is called.
pub struct House {
    /// Nobody answers.
    pub away: AtomicBool,
    /// Each call takes one.
    /// It answers, and cannot help today.
    says_not_now: AtomicBool,
    pub gate: Semaphore,
    inside: AtomicUsize,
    most_inside: AtomicUsize,
    calls: Mutex<Vec<(String, Instant)>>,
}

impl House {
    fn new() -> Self {
        Self {
            away: AtomicBool::new(false),
            says_not_now: AtomicBool::new(false),
            gate: Semaphore::new(FOR_ALL),
            inside: AtomicUsize::new(0),
            most_inside: AtomicUsize::new(0),
            calls: Mutex::default(),
        }
    }

    /// Who called, in order, and when.
    pub fn calls(&self) -> Vec<(String, Instant)> {
        self.calls.lock().unwrap().clone()
    }

    pub fn called(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    pub fn most_inside(&self) -> usize {
        self.most_inside.load(Ordering::SeqCst)
    }

    pub fn is_away(&self, so: bool) {
        self.away.store(so, Ordering::SeqCst);
    }

    pub fn says_not_now(&self) {
        self.says_not_now.store(true, Ordering::SeqCst);
    }

    /// From now on every call waits until it is let.
    pub fn lets_nobody(&self) {
        self.gate.forget_permits(FOR_ALL);
    }

    pub fn lets(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    pub async fn call(&self, who: &str) -> Result<(), Fault> {
        self.calls.lock().unwrap().push((who.to_owned(), Instant::now()));
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        // Whoever comes next may be there before this one has gone.
        tokio::task::yield_now().await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        if self.says_not_now.load(Ordering::SeqCst) {
            limits::answered();
            return Err(Fault::Retry("there is no flour today".to_owned()));
        }
        if self.away.load(Ordering::SeqCst) { Err(Fault::Retry("nobody is at home".to_owned())) } else { Ok(()) }
    }
}

/// What errands call.
pub struct Town {
    pub mill: House,
    pub dairy: House,
}

flow! {
    /// Somebody fetches something.
    Errand = "errand";
    state Basket;
    ports Town;
    obligations ;
    emits effects;
    projects project;
    starts Thinking, Hurrying, Going, Strolling, Visiting;
    ends Home;
    quiet Home;

    /// Remembers that there is no flour.
    Thinking = thinking
        { Flour -> Going }
    /// Flour for a cake that is being made.
    Hurrying = at_the_mill at mill priority Urgent
        { Fetched -> Home }
    /// Flour for tomorrow.
    Going = going at mill
        { Fetched -> Home }
    /// Flour for some time.
    Strolling = strolling at mill priority Bulk
        { Fetched -> Home }
    /// Milk.
    Visiting = visiting at dairy
        { Fetched -> Home }
}

#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn thinking(_: &mut Basket, _: &Turn, _: &Town) -> Result<outcome::Thinking, Fault> {
    Ok(outcome::Thinking::Flour)
}

async fn at_the_mill(basket: &mut Basket, _: &Turn, town: &Town) -> Result<outcome::Hurrying, Fault> {
    town.mill.call(&basket.name).await.map(|()| outcome::Hurrying::Fetched)
}

async fn going(basket: &mut Basket, _: &Turn, town: &Town) -> Result<outcome::Going, Fault> {
    town.mill.call(&basket.name).await.map(|()| outcome::Going::Fetched)
}

async fn strolling(basket: &mut Basket, _: &Turn, town: &Town) -> Result<outcome::Strolling, Fault> {
    town.mill.call(&basket.name).await.map(|()| outcome::Strolling::Fetched)
}

async fn visiting(basket: &mut Basket, _: &Turn, town: &Town) -> Result<outcome::Visiting, Fault> {
    town.dairy.call(&basket.name).await.map(|()| outcome::Visiting::Fetched)
}

fn effects(run: RunId, edge: &Edge, basket: &Basket) -> Vec<Effect> {
    if !basket.tells {
        return Vec::new();
    }
    let letter = Letter { id: format!("{run}:{}", edge.to), topic: POST, payload: serde_json::json!({}) };
    vec![Effect::Tell(letter)]
}

async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Basket>]) -> sqlx::Result<()> {
    Ok(())
}

/// The works with errands instead of orders.
pub struct Errands {
    pub works: Works,
    pub town: Arc<Town>,
}

impl Errands {
    /// Nobody works yet; the mill takes what `mill` says, the dairy what everybody takes.
    pub async fn new(mill: Limits) -> Self {
        let db = Database::new().await;
        houbu::engine::clock::set(&db.pool, morning()).await.unwrap();
        let town = Arc::new(Town { mill: House::new(), dairy: House::new() });
        let registry = Registry::default().with_retry::<Errand>(Arc::clone(&town), RETRY);
        let limits = BTreeMap::from([("mill", mill)]);
        let engine = Engine::with_limits(db.pool.clone(), TENANT, registry, limits);
        Self { works: Works { db, engine, warehouse: Arc::default() }, town }
    }

    /// So many errands begin at a step; they are named by it and their number.
    pub async fn begin(&self, step: Step, count: usize) -> Vec<RunId> {
        let mut tx = self.works.db.pool.begin().await.unwrap();
        let mut begun = Vec::new();
        for nth in 0..count {
            let id = Uuid::now_v7();
            let basket = Basket { name: format!("{} {nth}", step.name()), tells: false };
            let new = Registry::new_run::<Errand>(id, id.to_string(), step.name(), &basket).unwrap();
            store::start(&mut tx, TENANT, new).await.unwrap();
            begun.push(id);
        }
        tx.commit().await.unwrap();
        self.works.engine.hint();
        begun
    }

    /// One errand that writes a letter when it begins, and one when it ends.
    pub async fn begin_telling(&self, step: Step) -> RunId {
        let id = Uuid::now_v7();
        let basket = Basket { name: "tells".to_owned(), tells: true };
        let new = Registry::new_run::<Errand>(id, id.to_string(), step.name(), &basket).unwrap();
        let mut tx = self.works.db.pool.begin().await.unwrap();
        store::start(&mut tx, TENANT, new).await.unwrap();
        tx.commit().await.unwrap();
        self.works.engine.hint();
        id
    }

    /// How many errands stand so.
    pub async fn count(&self, status: &str) -> i64 {
        sqlx::query_scalar("select count(*) from run where status = $1")
            .bind(status)
            .fetch_one(&self.works.db.pool)
            .await
            .unwrap()
    }

    /// What became of the mill, in order.
    pub async fn mill_told(&self) -> Vec<String> {
        sqlx::query_scalar("select what from destination_event where destination = 'mill' order by seq")
            .fetch_all(&self.works.db.pool)
            .await
            .unwrap()
    }

    pub async fn mill_is(&self, state: &str) -> bool {
        sqlx::query_scalar("select state = $1 from destination where name = 'mill'")
            .bind(state)
            .fetch_one(&self.works.db.pool)
            .await
            .unwrap()
    }
}
