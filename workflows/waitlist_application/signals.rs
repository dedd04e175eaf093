//! The signals that an application hears, and its answer to the schedule's `slot_release`. References only: never a name, a
//! number or a phone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::Why;
use crate::engine::store::Outgoing;
use crate::engine::{RunId, To};
use crate::ports::his::{Sitting, TimeSlot};
use crate::ports::payments::Paid;
use crate::records::schedules::Half;
use crate::waitlist::policy::Policy;
use crate::workflows::slot_release::SlotRelease;

/// A place for this applicant, from the schedule's `slot_release` run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    /// The offer's id.
    pub id: String,
    /// Which time.
    pub slot: TimeSlot,
    /// When the hand-out heard that a place is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_at: Option<DateTime<Utc>>,
    /// What the visit costs by now, 分.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_fen: Option<i64>,
    /// What the schedule has become, where it is another one than it was: nobody takes a place of it unknowingly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Which half-day the place is of, where the doctor has several on that day (Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half: Option<Half>,
}

/// What became of an offer, to the schedule's `slot_release` run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The offer's id.
    pub id: String,
    /// What became of it.
    pub reply: Reply,
    /// True where the applicant passes on this time alone and keeps the turn for another one (Q6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub this_time_only: bool,
}

/// See [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// The place is locked or booked: it is no longer free.
    Took,
    /// Somebody else had it already: offer the applicant another one.
    Conflict,
    /// The applicant cannot take it; the place is free for the next one.
    Passed,
}

/// Money has arrived, from the payment provider's notice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payment {
    /// The order.
    pub out_trade_no: String,
    /// The money.
    pub paid: Paid,
}

/// Money has arrived for an order that was closed by then: it goes back at once (E2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LateMoney {
    /// The order, and the money.
    #[serde(flatten)]
    pub payment: Payment,
}

impl Payment {
    /// Its name.
    pub const SIGNAL: &str = "Payment";
}

impl LateMoney {
    /// The signal that tells `run`. Its id is the money's: it is told of once.
    pub fn signal(&self, run: RunId) -> Outgoing {
        Outgoing {
            to: To::Run(run),
            name: "LateMoney".into(),
            id: format!("late:{}", self.payment.paid.transaction_id),
            payload: serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

/// The provider says that a refund has moved; it is asked for the truth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundNotice {
    /// The refund.
    pub out_refund_no: String,
}

/// The patient accepts the locked place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Confirm {
    /// The end of the offer that is meant: one that ended in the same moment is not taken for a later one (E5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// The patient declines the locked place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decline {
    /// See [`Confirm::until`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// The patient leaves the queue, or another application of theirs has come to a visit on that day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The application that came to a visit (R35); none where the patient leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked_by: Option<RunId>,
    /// Where the patient is only asked: by when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<DateTime<Utc>>,
}

impl Withdrawal {
    /// What it is to the application.
    pub fn why(&self) -> Why {
        if self.booked_by.is_some() { Why::Elsewhere } else { Why::Withdrawn }
    }
}

/// 替诊, 改诊: somebody else sees the patients of the schedule, or on another day or half-day (R34).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which schedule: nobody is asked about one that they are not at (Q2). None in what was told before it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<String>,
    /// When it became so; of two, the later one counts.
    pub at: DateTime<Utc>,
    /// Who, and when, from now on.
    pub sitting: Sitting,
    /// When the queue closes by that.
    pub closes: DateTime<Utc>,
    /// When the last visit is over by that.
    pub ends: DateTime<Utc>,
    /// Until when whoever has not agreed may do so.
    pub answer_by: DateTime<Utc>,
}

impl Change {
    /// Its id, as a signal and as a question.
    pub fn id(&self) -> String {
        format!("change:{}", self.at.timestamp_micros())
    }
}

/// The patient answers a question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consent {
    /// The question's id.
    pub question: String,
    /// True: the application or the visit is kept as it is by now.
    pub keep: bool,
}

/// The patient cancels the booked visit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cancellation {}

/// Staff carry changed settings over to whoever waits, and to the hand-out of the schedule's places (R24, R29).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Terms {
    /// What the settings come to now.
    pub policy: Policy,
    /// When the queue closes by them.
    pub closes: DateTime<Utc>,
    /// When the schedule's last visit is over, as it stands now; none from an older release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
}

impl Terms {
    /// To the hand-out of a schedule's places.
    pub fn to_hand_out(&self, schedule_id: &str, id: String) -> Outgoing {
        let to = To::Key { workflow: SlotRelease::NAME, key: schedule_id.to_owned() };
        self.signal(to, id)
    }

    /// To whoever goes by them from now on.
    pub fn signal(&self, to: To, id: String) -> Outgoing {
        Outgoing { to, name: "Terms".into(), id, payload: serde_json::json!(self) }
    }
}

/// 停诊: the schedule does not take place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stoppage {
    /// Some times of it alone: whoever has a place there is concerned, and nobody who only waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<TimeSlot>,
    /// Which schedule, where the whole of it is meant; none where it is every half-day that the application could be at (Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<String>,
    /// To whoever only waits, for the day: the half-day where the turn lives on (Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_at: Option<Half>,
}

/// What a stoppage is to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// Its schedule does not take place.
    All,
    /// The time of its place does not, and others of the schedule do.
    ItsTime,
    /// It is about other times.
    Nothing,
}

impl Stoppage {
    /// What it is to whoever is at this schedule and has this place, or none. One of the whole half-day is met by any part of it;
    /// one of another half-day of the day by nobody here, and one of a day that lives on at another one by whoever has a place
    /// here by now (Q2).
    pub fn stops(&self, schedule_id: &str, slot: Option<&TimeSlot>) -> Stops {
        let lives_on = self.waits_at.is_some() && slot.is_none();
        if lives_on || self.schedule_id.as_ref().is_some_and(|stopped| stopped != schedule_id) {
            return Stops::Nothing;
        }
        match (&self.times, slot) {
            (None, _) => Stops::All,
            (Some(times), Some(slot)) if times.begins < slot.ends && slot.begins < times.ends => Stops::ItsTime,
            (Some(_), _) => Stops::Nothing,
        }
    }
}
