//! The keeper of a worker's lanes: looks at what the others wrote, writes what this worker does, changes the state of a
//! destination when it is time. Once a heartbeat, and at once where something is likely to change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use super::super::core::{Engine, Hints};
use super::super::lease::HEARTBEAT;
use super::super::store::destinations::{self, Change, Seen};
use super::Lanes;
use super::share::{Crew, Peer};

/// Two looks are never closer.
const LOOK_MIN: Duration = Duration::from_millis(5);
/// How often a worker looks whether the others have seen it.
const NEW_LOOK: Duration = Duration::from_millis(100);
/// Changes that follow from each other within one look.
const CHANGES_MAX: u32 = 4;

/// See the module.
pub(in crate::engine) struct Keeper {
    engine: Arc<Engine>,
    worker: Uuid,
    lanes: Arc<Lanes>,
}

/// A look that takes longer has a connection that hangs.
const LOOK_MAX: Duration = Duration::from_secs(10);

impl Keeper {
    /// A keeper of `lanes`, whose destinations exist afterwards and whose runs stand in them. The worker has its lease.
    pub(in crate::engine) async fn begin(
        engine: Arc<Engine>,
        worker: Uuid,
        lanes: Arc<Lanes>,
        topics: &[(&'static str, &'static str)],
    ) -> sqlx::Result<Self> {
        let (pool, tenant) = (&engine.pool, engine.tenant.as_str());
        for name in lanes.names() {
            let own: Vec<&str> = topics.iter().filter(|(lane, _)| *lane == name).map(|(_, topic)| *topic).collect();
            let limits = engine.limits_of(name);
            destinations::ensure(pool, tenant, name, &limits, &own).await?;
        }
        for table in engine.registry.tables() {
            let aligned = destinations::align(pool, tenant, table).await?;
            if aligned > 0 {
                tracing::info!(workflow = table.name, aligned, "runs stand in the lanes of this release");
            }
        }
        // Whoever looks from now on sees that there is another one.
        destinations::publish(pool, tenant, worker, &[worker], &[]).await?;
        let keeper = Self { engine, worker, lanes };
        keeper.look().await?;
        Ok(keeper)
    }

    /// Keeps them until the worker has nothing in hand any more.
    pub(in crate::engine) async fn keep(self, mut ended: watch::Receiver<bool>) {
        let mut hints = self.engine.limits_hint.subscribe();
        let mut switches = hints.borrow_and_update().switches;
        while !*ended.borrow() {
            // A connection that hangs must not keep newcomers out: the next look has another one.
            match tokio::time::timeout(LOOK_MAX, self.look()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the limits of destinations could not be looked at"),
                Err(_) => {
                    tracing::warn!("the limits of destinations could not be looked at: the database does not answer");
                }
            }
            tokio::time::sleep(LOOK_MIN).await;
            let until = if self.lanes.is_new() { NEW_LOOK } else { HEARTBEAT };
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                () = self.lanes.wanted.notified() => {}
                () = self.hint(&mut hints, &mut switches) => {}
                _ = ended.changed() => {}
            }
        }
        if let Err(error) = destinations::forget(&self.engine.pool, &self.engine.tenant, self.worker).await {
            tracing::warn!(%error, "the worker's tallies could not be removed; its lease ends by itself");
        }
    }

    /// Somebody used a switch, or moved the clock while that matters here.
    async fn hint(&self, hints: &mut watch::Receiver<Hints>, switches: &mut u64) {
        while hints.changed().await.is_ok() {
            let now = hints.borrow_and_update().switches;
            if std::mem::replace(switches, now) != now || self.lanes.is_uneasy() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    async fn look(&self) -> sqlx::Result<()> {
        let (pool, tenant) = (&self.engine.pool, self.engine.tenant.as_str());
        for _ in 0..CHANGES_MAX {
            self.lanes.looks();
            let (crew, seen) = self.see().await?;
            let plan = self.lanes.seen(&crew, &seen);
            let everybody: Vec<Uuid> = crew.everybody(self.worker).into_iter().collect();
            if destinations::publish(pool, tenant, self.worker, &everybody, &plan.tallies).await? {
                let again = if plan.raises { Some(self.see().await?) } else { None };
                self.lanes.written(&plan, again.as_ref().map(|(crew, seen)| (crew, seen.as_slice())));
            }
            for (name, epoch, change) in &plan.changes {
                if destinations::change(pool, tenant, self.worker, name, *epoch, change).await? {
                    tell(name, change);
                }
            }
            if plan.changes.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn see(&self) -> sqlx::Result<(Crew, Vec<Seen>)> {
        let (pool, tenant) = (&self.engine.pool, self.engine.tenant.as_str());
        let others = destinations::others(pool, tenant, self.worker).await?.into_iter();
        let others = others.map(|(worker, peers)| Peer { worker, peers: peers.into_iter().collect() }).collect();
        Ok((Crew { others }, destinations::look(pool, tenant, self.worker, &self.lanes.names()).await?))
    }
}

fn tell(destination: &str, change: &Change) {
    match change {
        Change::Opens { error } => tracing::warn!(destination, error, "a destination is down; what needs it waits"),
        Change::Probes => tracing::info!(destination, "one call tries whether a destination is there again"),
        Change::Closes { .. } => tracing::info!(destination, "a destination answers again"),
        Change::Ramps { to: None, .. } => tracing::info!(destination, "a destination has recovered"),
        Change::Ramps { .. } | Change::LeavesProbe => {}
    }
}
