//! From one instant to the next. Moves only when everything has come to rest: no turn, letter or request in hand.

use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::traffic::Play;
use super::{Stage, patients};
use crate::engine::clock;
use crate::engine::store::claim;

/// How often it is looked whether everything rests (real time).
const LOOK: Duration = Duration::from_millis(2);
/// A program that is busy for so long at one instant is stuck (real time).
const STUCK: Duration = Duration::from_mins(1);
/// So often the same instant may bring the sandbox more to do.
const ROUNDS_MAX: u32 = 20;
/// The clock moves in steps of whole two minutes.
const STEP_S: i64 = 120;

/// Moves all clocks.
pub(super) async fn move_to(stage: &Stage, to: DateTime<Utc>) -> anyhow::Result<()> {
    (stage.set_clock)(to);
    clock::set(&stage.pool, to).await?;
    stage.engine.hint();
    Ok(())
}

/// Waits until no turn or letter is due or in hand. Requests of the sandbox come from turns, or are awaited by whoever
/// lets the sandbox run; an answer that nobody waits for any more has done its work.
pub(super) async fn settle(stage: &Stage) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut conn = stage.pool.acquire().await?;
    let mut looks = 0_u32;
    while claim::busy(&mut conn, &stage.engine.tenant).await? {
        looks += 1;
        if looks.is_multiple_of(8) {
            stage.engine.hint();
        }
        if began.elapsed() > STUCK {
            bail!("the engine does not come to rest; is a worker running? GET /v1/runs shows where each run stands");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Plays from `from` on until nothing is left to happen by `until`; answers where the clock stands and in how many instants.
pub(super) async fn run(
    play: &mut Play<'_>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    bar: &ProgressBar,
) -> anyhow::Result<(DateTime<Utc>, u32)> {
    let stage = play.stage;
    let (mut now, mut steps, mut rounds) = (from, 0, 0);
    loop {
        play.perform(now).await?;
        settle(stage).await?;
        patients::hear(play, now).await;
        let Some(next) = next_at(play).await? else { break };
        let next = if next > now { whole_step(next) } else { now };
        rounds = if next == now { rounds + 1 } else { 0 };
        let next = if rounds > ROUNDS_MAX { now + TimeDelta::seconds(STEP_S) } else { next };
        if next > until {
            break;
        }
        if next > now {
            now = next;
            steps += 1;
            move_to(stage, now).await?;
            show(bar, play, now);
        }
    }
    Ok((now, steps))
}

/// The next instant at which anything happens.
async fn next_at(play: &Play<'_>) -> anyhow::Result<Option<DateTime<Utc>>> {
    let stage = play.stage;
    let mut conn = stage.pool.acquire().await?;
    let due = claim::next_due(&mut conn, &stage.engine.tenant).await?;
    let all = [play.agenda.next_at(), due, stage.pay.next_at(), stage.his.next_at(), stage.messages.next_at()];
    Ok(all.into_iter().flatten().min())
}

fn whole_step(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
    let steps = seconds.div_euclid(STEP_S) + i64::from(seconds.rem_euclid(STEP_S) > 0);
    DateTime::from_timestamp(steps * STEP_S, 0).unwrap_or(at)
}

/// The bar of a play.
pub(super) fn bar(play: &Play<'_>) -> ProgressBar {
    if !play.script.progress {
        return ProgressBar::hidden();
    }
    let minutes = u64::try_from((play.ends - play.begins).num_minutes()).unwrap_or(0);
    let bar = ProgressBar::new(minutes);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {percent:>3}%  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, play: &Play<'_>, now: DateTime<Utc>) {
    if bar.is_hidden() {
        return;
    }
    bar.set_position(u64::try_from((now - play.begins).num_minutes()).unwrap_or(0));
    let tally = play.tally();
    let at = now.with_timezone(&play.stage.tz).format("%m-%d %H:%M");
    let refused: u32 = tally.refused.values().sum();
    bar.set_message(format!(
        "{at}  admitted {} · refused {refused} · offers heard {} · booked {}",
        tally.admitted, tally.offers_heard, tally.bookings_heard
    ));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_rounded_up_to_a_whole_step() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(whole_step(at("2026-03-02T10:00:00Z")), at("2026-03-02T10:00:00Z"));
        assert_eq!(whole_step(at("2026-03-02T10:00:00.000001Z")), at("2026-03-02T10:02:00Z"));
        assert_eq!(whole_step(at("2026-03-02T10:01:59Z")), at("2026-03-02T10:02:00Z"));
    }
}
