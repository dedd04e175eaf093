//! What a schedule's hand-out knows, and the hint that it hears.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::RunId;
use crate::ports::his::{OpenSlot, TimeSlot};

/// What a run of `slot_release` knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    /// The schedule.
    pub schedule_id: String,
    /// The day of the visits.
    pub visit_date: NaiveDate,
    /// No place is handed out after this.
    pub cutoff: DateTime<Utc>,
    /// When the last visit is over.
    pub visits_end: DateTime<Utc>,
    /// The free places, as HIS last told them and we took them.
    pub free: Vec<OpenSlot>,
    /// When HIS told that; none where `free` says nothing of the present.
    #[serde(default)]
    pub told_at: Option<DateTime<Utc>>,
    /// When the hint was taken up that the present places came from.
    #[serde(default)]
    pub heard_at: Option<DateTime<Utc>>,
    /// How many offers were made; the next one's id derives from it.
    pub offers: u32,
    /// The offer that is out.
    pub offer: Option<OnOffer>,
    /// Who passed the present places on.
    pub passed: Vec<RunId>,
    /// Whom 停诊 concerns.
    pub concerned: Vec<RunId>,
    /// The draw of the queue's order, until it is held; none where arrival decides (R17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
}

/// A draw that is to be held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draw {
    /// When.
    pub held_at: DateTime<Utc>,
    /// What decides it, once it is time: no secret any more.
    pub seed: Option<String>,
}

/// An offer that is out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OnOffer {
    /// Its number.
    pub nth: u32,
    /// To whom.
    pub entry: RunId,
    /// Which time.
    pub slot: TimeSlot,
    /// When to look whether the applicant is still at it.
    pub ask_at: DateTime<Utc>,
}

/// A hint that a place of this schedule may be free (E8: its signal id names schedule, slot and event).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Freed {
    /// Who says so: push, own site, sync, waitlist.
    pub source: String,
}

impl Release {
    /// A hand-out that has nothing to do yet.
    pub fn new(schedule_id: String, visit_date: NaiveDate, cutoff: DateTime<Utc>, visits_end: DateTime<Utc>) -> Self {
        Self {
            schedule_id,
            visit_date,
            cutoff,
            visits_end,
            free: Vec::new(),
            told_at: None,
            heard_at: None,
            offers: 0,
            offer: None,
            passed: Vec::new(),
            concerned: Vec::new(),
            draw: None,
        }
    }

    /// The same where the order of the queue is drawn at `held_at`.
    #[must_use]
    pub fn with_draw_at(self, held_at: DateTime<Utc>) -> Self {
        Self { draw: Some(Draw { held_at, seed: None }), ..self }
    }

    /// Takes one place of this time off what is free.
    pub fn take(&mut self, slot: &TimeSlot) {
        for open in self.free.iter_mut().filter(|open| open.slot == *slot) {
            open.remaining = open.remaining.saturating_sub(1);
        }
        self.free.retain(|open| open.remaining > 0);
    }
}
