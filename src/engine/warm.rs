//! Connections for short calls that are many, the one that was used last first.
//!
//! A pool hands out the connection that has rested longest and asks each one how it is when it comes back. That is right for
//! whoever comes seldom. The commit of a turn is one trip to the server: it would go to a process whose caches are cold, with
//! a second trip behind it that says nothing.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres, Row};
use tokio::time::MissedTickBehavior;

/// The most connections that rest here, and the share of the pool that they are at most.
const MOST: u32 = 6;
const SHARE: u32 = 4;
/// How often all of them go back to the pool, which looks at each and knows how old it may become.
const LOOKED_AT: Duration = Duration::from_secs(30);
/// An answer that is no: something is open on this connection.
const NOTHING_OPEN: &str = "select now() = statement_timestamp()";

/// Connections that rest between calls of the engine.
pub(super) struct Warm {
    pool: PgPool,
    room: usize,
    resting: Mutex<Resting>,
}

#[derive(Default)]
struct Resting {
    /// Workers at work here. Without one nothing rests: a pool that is closed waits for every connection.
    workers: usize,
    connections: Vec<PoolConnection<Postgres>>,
}

/// A connection in use. Only [`Lent::rest`] keeps it here: where a call fails, panics or is given up, it goes back to the pool.
pub(super) struct Lent<'a> {
    connection: PoolConnection<Postgres>,
    call: Call<'a>,
}

/// What a connection was lent for. One that did not end well may not be the only one: the others are looked at, too.
struct Call<'a> {
    warm: &'a Warm,
    done: bool,
}

/// A worker is at work.
struct AtWork<'a>(&'a Warm);

impl Warm {
    pub(super) fn over(pool: &PgPool) -> Self {
        let room = MOST.min(pool.options().get_max_connections() / SHARE);
        Self { pool: pool.clone(), room: room as usize, resting: Mutex::default() }
    }

    /// Lets connections rest here until the worker is asked to stop or the pool is closed.
    pub(super) async fn keep(&self, stopped: impl Future) {
        let at_work = AtWork(self);
        self.resting().workers += 1;
        let looks = async {
            let mut ticks = tokio::time::interval(LOOKED_AT);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.empty();
            }
        };
        tokio::select! {
            _ = stopped => {}
            () = self.pool.close_event() => {}
            () = looks => {}
        }
        drop(at_work);
    }

    /// The connection that was used last; where none rests, one of the pool.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent<'_>> {
        let rested = self.resting().connections.pop();
        let connection = match rested {
            Some(connection) => connection,
            None => self.fresh().await?,
        };
        Ok(Lent { connection, call: Call { warm: self, done: false } })
    }

    /// Does this on a connection that was lent for it. It may not leave anything open where it succeeds.
    pub(super) async fn call<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let mut conn = self.lend().await?;
        let done = work(&mut conn).await?;
        conn.rest();
        Ok(done)
    }

    /// One of the pool. A `begin` that was given up before its answer came leaves a transaction that nobody knows of; what is
    /// committed inside it would not be.
    async fn fresh(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        loop {
            let mut connection = self.pool.acquire().await?;
            if connection.fetch_one(sqlx::raw_sql(NOTHING_OPEN)).await?.try_get(0)? {
                return Ok(connection);
            }
            tracing::warn!("a connection with an open transaction was in the pool; it is closed");
            connection.close().await?;
        }
    }

    /// How many rest.
    pub(super) fn resting_now(&self) -> u32 {
        u32::try_from(self.resting().connections.len()).unwrap_or(u32::MAX)
    }

    fn empty(&self) {
        let connections = std::mem::take(&mut self.resting().connections);
        drop(connections);
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// What it was lent for is done, and nothing is open on it.
    pub(super) fn rest(self) {
        let Self { connection, mut call } = self;
        call.done = true;
        let (warm, pool) = (call.warm, &call.warm.pool);
        if pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections() {
            // Somebody may be waiting for one.
            drop(connection);
            return warm.empty();
        }
        let mut resting = warm.resting();
        if resting.workers > 0 && resting.connections.len() < warm.room {
            resting.connections.push(connection);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.warm.empty();
        }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut resting = self.0.resting();
        resting.workers = resting.workers.saturating_sub(1);
        drop(resting);
        self.0.empty();
    }
}

impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
