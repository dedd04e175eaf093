//! How runs come into a worker's hands, and out of them where nothing was done.

use std::sync::atomic::Ordering;
use std::time::Instant;

use uuid::Uuid;

use super::Shift;
use crate::engine::lease::HEARTBEAT;
use crate::engine::limits::{NoPass, Pass, Round};
use crate::engine::store::claim::{self, Claimed, Unread};
use crate::engine::table::StepRow;

/// A run in a worker's hands, with its inbox and what lets it call.
pub(super) type InHand = (Claimed, Vec<Unread>, Option<Pass>);

impl Shift {
    /// Claims due runs with their unread signals: of each lane as many as there are passes.
    pub(super) async fn claim(&self, free: usize) -> Vec<InHand> {
        let engine = &self.engine;
        let mut round = Round::begin(&self.lanes, &self.names, self.rounds.fetch_add(1, Ordering::Relaxed), free);
        let most = i64::try_from(free).unwrap_or(1);
        let began = Instant::now();
        let (tenant, known) = (engine.tenant.as_str(), self.releases.claims());
        let claimed = engine
            .warm
            .call(async |conn| claim::claim_in(conn, tenant, self.id, &known, &round.asks, most).await)
            .await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "due runs could not be claimed; trying again");
                return Vec::new();
            }
        };
        engine.measures.claim(began, &claimed);
        let signalled: Vec<Uuid> = claimed.iter().filter(|run| run.signal_count > 0).map(|run| run.id).collect();
        let mut unread = if signalled.is_empty() {
            Vec::new()
        } else {
            match engine.warm.call(async |conn| claim::unread(conn, tenant, &signalled).await).await {
                Ok(unread) => unread,
                Err(error) => {
                    tracing::warn!(%error, "inboxes could not be read; handing the runs back");
                    for run in claimed {
                        self.hand_back(&run, false).await;
                    }
                    return Vec::new();
                }
            }
        };
        claimed
            .into_iter()
            .map(|run| {
                let own = unread.extract_if(.., |signal| signal.run_id == run.id).collect();
                let pass = round.pass(&run.lane);
                (run, own, pass)
            })
            .collect()
    }

    /// The pass for the present step; where all are out, the next one that comes back, unless the worker stops.
    pub(super) async fn pass_for(&self, row: &StepRow, pass: Option<Pass>) -> Result<Option<Pass>, NoPass> {
        let (lane, mut stopped) = match (self.lanes.pass_for(row, pass), row.lane) {
            (Err(NoPass), Some(lane)) => (lane, self.stopped.clone()),
            (known, _) => return known,
        };
        tokio::select! {
            pass = self.lanes.wait_for_pass(lane) => pass.map(Some),
            _ = stopped.wait_for(|stopped| *stopped) => Err(NoPass),
        }
    }

    /// Puts a run back that no call can be made for now. Tries until the database answers.
    pub(super) async fn put_back(&self, run: &Claimed, row: &StepRow) {
        let (engine, lane, priority) = (&self.engine, row.lane_stored(), row.priority.stored());
        while let Err(error) =
            claim::put_back(&engine.pool, &engine.tenant, run.id, run.generation, lane, priority).await
        {
            tracing::warn!(run = %run.id, workflow = run.workflow, step = run.step, %error, "a run could not be put back; trying again");
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    /// Gives a run back as a dead worker would leave it, only sooner. Tries until the database answers.
    pub(super) async fn hand_back(&self, run: &Claimed, again: bool) {
        let engine = &self.engine;
        let again = again || run.again;
        while let Err(error) = claim::release(&engine.pool, &engine.tenant, run.id, run.generation, again).await {
            tracing::warn!(run = %run.id, workflow = run.workflow, step = run.step, %error, "a run could not be handed back; trying again");
            tokio::time::sleep(HEARTBEAT).await;
        }
    }
}
