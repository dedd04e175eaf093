//! What a schedule's hand-out knows, and the hint that it hears.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::SlotRelease;
use crate::engine::store::Outgoing;
use crate::engine::{RunId, To};
use crate::ports::his::{OpenSlot, TimeSlot};
use crate::records::schedules::Half;
use crate::waitlist::calendar;
use crate::waitlist::policy::Policy;
use crate::workflows::waitlist_application::{Change, Terms};

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
    /// Who does not want one of the present times, and keeps the turn for another one (Q6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwanted: Vec<Unwanted>,
    /// Places that HIS has and that are too near to be offered: they are anybody's.
    #[serde(default)]
    pub too_near: u32,
    /// Whom 停诊 concerns.
    pub concerned: Vec<RunId>,
    /// Who waits for the day, of which 停诊 leaves no half-day, at whichever they stand (Q2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_day: Vec<RunId>,
    /// Who waits for the day and does so at another half-day from then on (Q2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moving: Vec<(RunId, Half)>,
    /// Where the doctor has other half-days on that day: this one, as it was found when HIS was last asked, and those. Who waits for
    /// the day stands in this line too (Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// Nobody is offered a visit that begins sooner than this (R18); read anew whenever HIS is asked.
    #[serde(default)]
    pub notice_minutes: u32,
    /// A freed place is handed out after so many minutes at most, by chance (R33); read anew whenever HIS is asked.
    #[serde(default)]
    pub delay_minutes_max: u32,
    /// What a visit costs, 分, as HIS last told; none before HIS was asked for a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_fen: Option<i64>,
    /// When the places that were freed last are handed out, where that is not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_out_at: Option<DateTime<Utc>>,
    /// What the schedule has become since it began, as it was found when HIS was last asked (R34).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// A place may be free that nobody was there for: whoever joins the queue has HIS asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// The cutoff has ended it, and a later one takes it up again. Not where staff have ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub past: bool,
    /// The draw of the queue's order, until it is held; none where arrival decides (R17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
}

/// One of a doctor's half-days, beside others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Day {
    /// This one.
    pub half: Half,
    /// The others.
    pub beside: Vec<String>,
}

/// A draw that is to be held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draw {
    /// When.
    pub held_at: DateTime<Utc>,
    /// What decides it, once it is time: no secret any more.
    pub seed: Option<String>,
}

/// A time that somebody has declined or missed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwanted {
    /// Who.
    pub entry: RunId,
    /// Which time.
    pub slot: TimeSlot,
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
    /// Who says so: push, own site, sync, waitlist, [`Freed::GIVEN_BACK`] and [`Freed::UNASKED`].
    pub source: String,
}

impl Freed {
    /// A lock that was given back: the place came free before, and has been kept for its time by chance.
    pub const GIVEN_BACK: &str = "givenBack";
    /// Somebody waits by now: the place came free, and was kept for its time, while nobody did.
    pub const UNASKED: &str = "unasked";

    /// Has HIS asked about the places that nobody waited for, now that somebody does. `who` is told apart from others.
    pub fn unasked(schedule_id: &str, who: impl std::fmt::Display) -> Outgoing {
        Outgoing {
            to: To::Key { workflow: SlotRelease::NAME, key: schedule_id.to_owned() },
            name: "Freed".into(),
            id: format!("joined:{who}"),
            payload: serde_json::json!(Self { source: Self::UNASKED.to_owned() }),
        }
    }
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
            unwanted: Vec::new(),
            too_near: 0,
            concerned: Vec::new(),
            of_day: Vec::new(),
            moving: Vec::new(),
            day: None,
            notice_minutes: 0,
            delay_minutes_max: 0,
            fee_fen: None,
            handed_out_at: None,
            change: None,
            unasked: false,
            past: false,
            draw: None,
        }
    }

    /// The half-days whose lines for the day are served here too (Q2).
    pub fn beside(&self) -> &[String] {
        self.day.as_ref().map_or(&[], |day| &day.beside)
    }

    /// Takes over the settings of this moment.
    pub fn goes_by(&mut self, policy: &Policy) {
        self.notice_minutes = policy.minimum_notice_minutes;
        self.delay_minutes_max = policy.release_delay_minutes_max;
    }

    /// Goes by other settings from now on.
    pub fn renews(&mut self, terms: &Terms) {
        self.cutoff = terms.closes;
        self.visits_end = terms.ends.unwrap_or(self.visits_end);
        self.goes_by(&terms.policy);
    }

    /// Takes up again what an earlier cutoff has ended. False where the present one is past too, or staff have ended it.
    pub fn reopens(&mut self, now: DateTime<Utc>) -> bool {
        let reopens = self.past && now < self.cutoff;
        self.past &= !reopens;
        reopens
    }

    /// Who has been asked about the present places, and does not take one.
    pub fn asked(&self) -> Vec<RunId> {
        self.passed.iter().copied().chain(self.unwanted.iter().map(|one| one.entry)).collect()
    }

    /// The schedule is another one by now.
    pub fn becomes(&mut self, change: &Change) {
        self.visit_date = change.sitting.visit_date;
        self.cutoff = change.closes;
        self.visits_end = change.ends;
    }

    /// The same where the order of the queue is drawn at `held_at`.
    #[must_use]
    pub fn with_draw_at(self, held_at: DateTime<Utc>) -> Self {
        Self { draw: Some(Draw { held_at, seed: None }), ..self }
    }

    /// Leaves to others what has begun or is too near to be offered (R18).
    pub fn skip_what_is_near(&mut self, now: DateTime<Utc>, tz: Tz) {
        let (visit_date, soonest) = (self.visit_date, calendar::later(now, self.notice_minutes));
        let starts = |open: &OpenSlot| calendar::visit_starts_at(visit_date, open.slot.begins, tz);
        let near = self.free.iter().filter(|open| (now..=soonest).contains(&starts(open)) && starts(open) > now);
        self.too_near += near.map(|open| open.remaining).sum::<u32>();
        self.free.retain(|open| open.remaining > 0 && starts(open) > soonest);
    }

    /// The present times, each with those who are not asked about it.
    pub fn on_offer(&self) -> impl Iterator<Item = (&TimeSlot, Vec<RunId>)> {
        self.free.iter().map(|open| {
            let unwanted = self.unwanted.iter().filter(|one| one.slot == open.slot).map(|one| one.entry);
            (&open.slot, self.passed.iter().copied().chain(unwanted).collect())
        })
    }

    /// Takes one place of this time off what is free.
    pub fn take(&mut self, slot: &TimeSlot) {
        for open in self.free.iter_mut().filter(|open| open.slot == *slot) {
            open.remaining = open.remaining.saturating_sub(1);
        }
        self.free.retain(|open| open.remaining > 0);
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use chrono_tz::Asia::Shanghai;

    use super::*;

    fn at(hour: u32, minute: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default()
    }

    /// Two places at eight and one at half past, on the day after the epoch.
    fn release() -> Release {
        let epoch = DateTime::<Utc>::UNIX_EPOCH;
        let day = NaiveDate::default().succ_opt().unwrap_or_default();
        let slots = [(at(8, 0), at(8, 30), 2), (at(8, 30), at(9, 0), 1)];
        let free = slots.map(|(begins, ends, remaining)| OpenSlot { slot: TimeSlot::new(begins, ends), remaining });
        Release { free: free.to_vec(), ..Release::new("w1".to_owned(), day, epoch, epoch) }
    }

    #[test]
    fn r18_what_is_too_near_is_left_to_others_and_what_is_past_to_nobody() {
        let now = calendar::visit_starts_at(release().visit_date, at(7, 30), Shanghai);
        for (notice, minutes_later, left, too_near) in
            [(0, 0, 3, 0), (29, 0, 3, 0), (30, 0, 1, 2), (60, 0, 0, 3), (0, 29, 3, 0), (0, 30, 1, 0), (30, 30, 0, 1)]
        {
            let mut release = Release { notice_minutes: notice, ..release() };
            release.skip_what_is_near(calendar::later(now, minutes_later), Shanghai);
            let free: u32 = release.free.iter().map(|open| open.remaining).sum();
            assert_eq!((free, release.too_near), (left, too_near), "{notice} minutes ahead, {minutes_later} later");
        }
    }

    #[test]
    fn q6_whoever_passes_on_one_time_is_asked_about_the_others() {
        let (all, this) = (RunId::from_u128(1), RunId::from_u128(2));
        let slot = release().free[0].slot.clone();
        let release = Release { passed: vec![all], unwanted: vec![Unwanted { entry: this, slot }], ..release() };
        let asked: Vec<Vec<RunId>> = release.on_offer().map(|(_, passing_over)| passing_over).collect();
        assert_eq!(asked, [vec![all, this], vec![all]]);
    }

    #[test]
    fn a_hand_out_that_an_older_release_has_stored_goes_on() {
        let mut stored = serde_json::to_value(release()).unwrap_or_default();
        for field in ["notice_minutes", "delay_minutes_max", "too_near"] {
            assert!(stored.as_object_mut().and_then(|all| all.remove(field)).is_some(), "{field}");
        }
        let read: Release = serde_json::from_value(stored).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((read.free, read.notice_minutes, read.delay_minutes_max), (release().free, 0, 0));
    }
}
