//! Connections for the engine's short calls, the one that was used last first.
//!
//! A pool hands out the connection that has rested longest and asks each one how it is when it comes back. That is right for
//! whoever comes seldom. The commit of a turn is one trip to the server: it would go to a process whose caches are cold, with
//! a second trip behind it that says nothing.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

/// The most connections that rest here, and the share of the pool that they are at most.
const MOST: u32 = 6;
const SHARE: u32 = 4;

/// Connections that rest between calls of the engine.
pub(super) struct Warm {
    pool: PgPool,
    most: usize,
    resting: Mutex<Resting>,
}

/// None before a worker works here and after it has ended: a pool that is closed waits for every connection.
#[derive(Default)]
struct Resting {
    open: bool,
    connections: Vec<PoolConnection<Postgres>>,
}

/// A connection in use. Dropped, it goes to the pool, which looks at it: what fails or is given up leaves it so.
pub(super) struct Lent<'a> {
    warm: &'a Warm,
    connection: PoolConnection<Postgres>,
}

impl Warm {
    pub(super) fn over(pool: &PgPool) -> Self {
        let most = MOST.min(pool.options().get_max_connections() / SHARE);
        Self { pool: pool.clone(), most: most as usize, resting: Mutex::default() }
    }

    /// Lets connections rest here until the worker is asked to stop or the pool is closed.
    pub(super) async fn keep(&self, stopped: impl Future) {
        self.resting().open = true;
        tokio::select! {
            _ = stopped => {}
            () = self.pool.close_event() => {}
        }
        let rested = std::mem::take(&mut *self.resting());
        drop(rested);
    }

    /// The connection that was used last; where none rests, one of the pool.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent<'_>> {
        let rested = self.resting().connections.pop();
        let connection = match rested {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Lent { warm: self, connection })
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// What it was lent for is done.
    pub(super) fn rest(self) {
        let mut resting = self.warm.resting();
        if resting.open && resting.connections.len() < self.warm.most {
            resting.connections.push(self.connection);
        }
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
