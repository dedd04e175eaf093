//! What is still to happen, and when. Acts are made by the plan and by patients; taken out by the clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::held::Held;
use super::scenes::Deed;

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Somebody applies, by the number of the application.
    Apply(usize),
    /// Somebody leaves the queue.
    Withdraw(usize),
    /// An ordinary booking is cancelled at HIS.
    Cancel {
        schedule: usize,
        nth: u64,
        channel: &'static str,
        push: bool,
        /// Our own site tells Houbu (R13).
        own_site: bool,
        /// A patient of 114 has seen the place as well and goes for it at once (R28).
        rival: bool,
    },
    /// A patient of 114 takes what is free (R28).
    Grab(usize),
    /// 加号.
    AddPlaces { schedule: usize, places: u32 },
    /// 停诊.
    Stop(usize),
    /// A patient accepts an offer.
    Confirm { entry: Uuid, nth: usize },
    /// A patient declines an offer.
    Decline { entry: Uuid, nth: usize },
    /// A patient cancels the booked visit.
    CancelVisit { entry: Uuid, patient_id: String },
    /// Part of a scene.
    Deed(Deed),
}

/// What is still to happen, in order.
#[derive(Default)]
pub(super) struct Agenda {
    pub(super) acts: BTreeMap<(DateTime<Utc>, u64), Act>,
    count: u64,
}

/// One application that somebody will try to make.
pub(super) struct Application {
    /// The caller's `Idempotency-Key`.
    pub(super) key: String,
    pub(super) patient_id: String,
    pub(super) reg_id: String,
    pub(super) terms: Terms,
    /// Declines what is offered, whoever else would not.
    pub(super) declines: bool,
    /// What it shows if it is answered so.
    pub(super) shows: Option<(Answer, Held)>,
}

/// What else is sent with an application.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pay_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latest_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_id: Option<String>,
}

/// How an application is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Admitted,
    /// With this code.
    Refused(&'static str),
    /// Admitted or not, not at once.
    Late,
}

impl Agenda {
    /// Plans something.
    pub(super) fn put(&mut self, at: DateTime<Utc>, act: Act) {
        self.count += 1;
        self.acts.insert((at, self.count), act);
    }

    /// Plans all that another one has.
    pub(super) fn take(&mut self, other: Self) {
        for ((at, _), act) in other.acts {
            self.put(at, act);
        }
    }

    /// When something happens next.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        self.acts.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out what is due.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Act> {
        let later = self.acts.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.acts, later).into_values().collect()
    }
}
