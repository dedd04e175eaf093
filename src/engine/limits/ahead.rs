//! Runs that are claimed a little before there is a pass for them, so that a destination which can take no more at one time
//! does not stand idle while the next run is being claimed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Lanes;
use super::lane::Lane;
use super::pass::Pass;
use super::passage::NoPass;

/// One run more for so many calls at one time.
const CALLS_OF_ONE_AHEAD: u32 = 4;
/// A run waits no longer for a pass in a worker's hands: then it waits where all others do.
const WAITS_MAX: Duration = Duration::from_secs(1);
/// How often one that waits looks whether its destination is still there.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Counts a run that waits, as long as it does.
struct Ahead<'a>(&'a Lanes, &'static str);

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.0.with(|inner| {
            if let Some(lane) = inner.lanes.get_mut(self.1) {
                lane.ahead = lane.ahead.saturating_sub(1);
            }
        });
    }
}

impl Lane {
    /// Nothing is wrong with the destination, and it is calls at one time that hold it up, not a rate.
    fn serves_ahead(&self) -> bool {
        self.is_easy() && self.bucket.is_none()
    }
}

impl Lanes {
    /// How many runs of this lane may be claimed beyond its passes, where more may be due than there are passes for.
    pub(super) fn ahead(&self, name: &str) -> usize {
        self.with(|inner| {
            let Some(lane) = inner.lanes.get(name).filter(|lane| lane.short && lane.serves_ahead()) else { return 0 };
            usize::try_from(self.ahead_max(lane).saturating_sub(lane.ahead)).unwrap_or(0)
        })
    }

    /// As few as that, so that no destination fills a worker's hands with runs that wait for it.
    fn ahead_max(&self, lane: &Lane) -> u32 {
        lane.allowance.min(self.cap()) / CALLS_OF_ONE_AHEAD
    }

    /// The pass of a run that was claimed ahead, as soon as one comes back; none where enough wait already.
    pub(in crate::engine) async fn wait_for_pass(self: &Arc<Self>, name: &'static str) -> Result<Pass, NoPass> {
        let freed = self.with(|inner| {
            let lane = inner.lanes.get_mut(name).filter(|lane| lane.ahead < self.ahead_max(lane))?;
            lane.ahead += 1;
            Some(Arc::clone(&lane.freed))
        });
        let Some(freed) = freed else { return Err(NoPass) };
        let (_ahead, until) = (Ahead(self, name), Instant::now() + WAITS_MAX);
        loop {
            if !self.with(|inner| inner.lanes.get(name).is_some_and(Lane::serves_ahead)) || Instant::now() >= until {
                return Err(NoPass);
            }
            if let Some(pass) = self.take_in_passing(name, true) {
                return Ok(pass);
            }
            let _ = timeout_at((Instant::now() + LOOKS_EVERY).min(until), freed.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use uuid::Uuid;

    use super::super::lane::Answer;
    use super::super::lanes::tests::{lanes, seen, take};

    #[tokio::test]
    async fn a_run_that_waits_has_the_next_pass_that_comes_back() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "closed", 0));
        assert_eq!(lanes.ahead("mill"), 0, "nothing more is due");
        let mut passes = take(&lanes, "mill", 9);
        assert_eq!(lanes.ahead("mill"), 1, "one for four");
        let mut waits = Box::pin(lanes.wait_for_pass("mill"));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(lanes.ahead("mill"), 0, "it is there already");
        if let Some(pass) = passes.pop() {
            pass.tell(Answer::Ok);
        }
        assert!(waits.await.is_ok());
        assert_eq!(lanes.with(|inner| inner.lanes["mill"].ahead), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_destination_that_is_down_or_that_is_not_there() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "open", 0));
        assert!(lanes.wait_for_pass("mill").await.is_err());
        assert!(lanes.wait_for_pass("dairy").await.is_err());
    }
}
