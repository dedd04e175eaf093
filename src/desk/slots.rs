//! The places of one schedule as staff look at them: which are free and why nobody has them, which were offered to whom and what
//! became of them. Looking asks HIS nothing.

use chrono::{DateTime, Utc};

use super::{Answer, Desk};
use crate::engine::{RunId, inspect};
use crate::ports::his::OpenSlot;
use crate::records::slots::{self, Given};
use crate::workflows::slot_release::{Release, SlotRelease};

/// Offers of one schedule that are shown.
const GIVEN_MAX: i64 = 500;

/// The places of a schedule.
#[derive(Debug, Default)]
pub struct Slots {
    /// Those that were offered.
    pub given: Vec<Given>,
    /// Those that HIS had and that nobody was offered.
    pub free: Vec<OpenSlot>,
    /// Places that are too near to be offered (R18).
    pub too_near: u32,
    /// When HIS told what is free; none: nothing is known of the present.
    pub told_at: Option<DateTime<Utc>>,
    /// What the hand-out is at; none: nobody has ever waited here.
    pub at: Option<At>,
    /// Its run.
    pub run: Option<RunId>,
}

/// What a hand-out is at: why free places are with nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The order of the queue is drawn first (R17).
    Draw(DateTime<Utc>),
    /// A place that was freed is kept for a time by chance (R33).
    Kept(DateTime<Utc>),
    /// A person has to put it right first.
    Halted,
    /// Places are being handed out at this moment.
    HandingOut,
    /// Whoever waits has passed on it, or nobody waits.
    Unwanted,
    /// It waits for the next place.
    Idle,
    /// The queue is closed, and whoever comes first may book it at the hospital (R25).
    Closed,
}

impl Desk {
    /// The places of a schedule.
    pub async fn slots(&self, schedule: &str) -> Answer<Slots> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let given = slots::given(pool, hospital, schedule, GIVEN_MAX).await?;
        let Some(run) = inspect::find_key(pool, hospital, SlotRelease::NAME, schedule).await? else {
            return Ok(Slots { given, ..Slots::default() });
        };
        let state = inspect::state(pool, hospital, run.id).await?;
        let release: Option<Release> = state.and_then(|state| serde_json::from_value(state).ok());
        let handed = release.map_or_else(Slots::default, |release| Slots {
            free: free(&release),
            too_near: release.too_near,
            told_at: release.told_at,
            at: Some(at(&run.step, run.status == "suspended", &release)),
            ..Slots::default()
        });
        Ok(Slots { given, run: Some(run.id), ..handed })
    }
}

/// What is free, less the place that is out.
fn free(release: &Release) -> Vec<OpenSlot> {
    let mut left = release.clone();
    if let Some(offer) = &release.offer {
        left.take(&offer.slot);
    }
    left.free
}

fn at(step: &str, halted: bool, release: &Release) -> At {
    let draw = release.draw.as_ref().map_or(release.cutoff, |draw| draw.held_at);
    match step {
        _ if halted => At::Halted,
        "Gathering" | "Drawing" => At::Draw(draw),
        "Keeping" => At::Kept(release.handed_out_at.unwrap_or(release.cutoff)),
        "Refreshing" | "Matching" | "Answering" | "AnswerCheck" => At::HandingOut,
        "Idle" if release.unasked => At::Unwanted,
        "Idle" => At::Idle,
        _ => At::Closed,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, NaiveTime};

    use super::*;
    use crate::ports::his::TimeSlot;

    fn release() -> Release {
        let epoch = DateTime::<Utc>::UNIX_EPOCH;
        Release::new("w1".to_owned(), NaiveDate::default(), epoch, epoch)
    }

    #[test]
    fn a_place_that_is_out_is_not_free() {
        let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        let (early, late) = (TimeSlot::new(at(8), at(9)), TimeSlot::new(at(9), at(10)));
        let open = |slot: &TimeSlot, remaining| OpenSlot { slot: slot.clone(), remaining };
        let mut release = Release { free: vec![open(&early, 2), open(&late, 1)], ..release() };
        let out = |slot: &TimeSlot| serde_json::json!({ "nth": 1, "entry": RunId::nil(), "slot": slot, "ask_at": release.cutoff });
        let (first, second) = (out(&early), out(&late));
        release.offer = serde_json::from_value(first).ok();
        assert_eq!(free(&release), [open(&early, 1), open(&late, 1)]);
        release.offer = serde_json::from_value(second).ok();
        assert_eq!(free(&release), [open(&early, 2)]);
    }

    #[test]
    fn every_step_of_a_hand_out_says_why_a_place_is_with_nobody() {
        let release = release();
        assert_eq!(at("Gathering", false, &release), At::Draw(release.cutoff));
        assert_eq!(at("Matching", false, &release), At::HandingOut);
        assert_eq!(at("Matching", true, &release), At::Halted);
        assert_eq!(at("Idle", false, &release), At::Idle);
        assert_eq!(at("Idle", false, &Release { unasked: true, ..release.clone() }), At::Unwanted);
        assert_eq!(at("Shut", false, &release), At::Closed);
    }
}
