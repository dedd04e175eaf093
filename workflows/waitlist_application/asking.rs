//! What the patient is asked: whether an application or a visit is kept whose doctor, day or half-day is another one by now (R34:
//! nobody is moved silently), or that another visit of the day may have made needless (R35). One question at a time; pure, but
//! for the step that asks HIS when a booked visit is by now.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::outcome;
use super::signals::{Change, Consent, Withdrawal};
use super::state::{Application, Why};
use crate::engine::{Fault, RunId, Turn};
use crate::ports::his::{Order, Sitting, TimeSlot, Visit};
use crate::waitlist::calendar;
use crate::workflows::Ports;

/// A question that stands open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The how manieth of the application.
    pub nth: u16,
    /// Until when it is answered.
    pub until: DateTime<Utc>,
    /// What about.
    pub about: About,
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// 替诊, 改诊 (R34). Without an answer in time the application or the visit ends, and the money goes back.
    Change {
        /// The schedule's change.
        change: Change,
        /// For a booked visit: its time by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<TimeSlot>,
        /// And when it is over by that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over_at: Option<DateTime<Utc>>,
        /// And what HIS says of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        his: Option<Visit>,
    },
    /// Another application came to a visit on that day (R35). Without an answer in time this one stays as it is.
    Others {
        /// That application.
        booked_by: RunId,
    },
}

impl Question {
    /// Its id outside.
    pub fn id(&self) -> String {
        match &self.about {
            About::Change { change, .. } => change.id(),
            About::Others { booked_by } => format!("beside:{booked_by}"),
        }
    }

    /// As the application's row has it.
    pub fn shown(&self) -> serde_json::Value {
        let (about, sitting) = match &self.about {
            About::Change { change, .. } => ("change", Some(&change.sitting)),
            About::Others { .. } => ("otherVisit", None),
        };
        serde_json::json!({ "id": self.id(), "about": about, "until": self.until, "sitting": sitting })
    }

    fn left(&self) -> Why {
        match self.about {
            About::Change { .. } => Why::Changed,
            About::Others { .. } => Why::Elsewhere,
        }
    }
}

/// What came of something that concerns a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The patient is asked.
    Asked,
    /// The application is kept as it is by now.
    Kept,
    /// It ends, as `why` says by now.
    Left,
    /// Nothing: it is known, or was overtaken.
    Nothing,
}

impl Application {
    /// Who sees the patient, and when, as the patient agreed.
    pub fn sitting(&self) -> Sitting {
        Sitting { doctor_id: self.doctor_id.clone(), visit_date: self.visit_date, part: self.part }
    }

    /// The change that the patient is asked about.
    pub fn changing(&self) -> Option<&Question> {
        self.question.as_ref().filter(|question| matches!(question.about, About::Change { .. }))
    }

    /// The schedule has become another one. One that was heard of, or is older than what was, changes nothing; one that leads
    /// back to what the patient agreed to is agreed to.
    pub(super) fn hears(&mut self, change: Change) -> Came {
        if change.schedule_id.as_ref().is_some_and(|changed| *changed != self.schedule_id) {
            return Came::Nothing;
        }
        let open = self.question.as_ref().and_then(|question| match &question.about {
            About::Change { change, .. } => Some(change.at),
            About::Others { .. } => None,
        });
        if self.agreed_at.max(open).is_some_and(|known| change.at <= known) {
            return Came::Nothing;
        }
        if change.sitting == self.sitting() {
            self.agreed_at = Some(change.at);
            if open.is_some() {
                self.question = None;
            }
            return Came::Kept;
        }
        let until = change.answer_by;
        self.ask(until, About::Change { change, slot: None, over_at: None, his: None })
    }

    /// Another application of the person has come to a visit, and the policy has the patient asked (R35). A change comes first.
    pub(super) fn is_beside(&mut self, withdrawal: &Withdrawal) -> Option<Came> {
        let (booked_by, until) = withdrawal.booked_by.zip(withdrawal.answer_by)?;
        if self.question.is_some() {
            return Some(Came::Nothing);
        }
        Some(self.ask(until, About::Others { booked_by }))
    }

    fn ask(&mut self, until: DateTime<Utc>, about: About) -> Came {
        self.questions += 1;
        self.question = Some(Question { nth: self.questions, until, about });
        Came::Asked
    }

    /// The patient's answer. One to another question is none.
    pub(super) fn answers(&mut self, consent: &Consent) -> Came {
        let Some(question) = self.question.take_if(|question| question.id() == consent.question) else {
            return Came::Nothing;
        };
        if consent.keep {
            self.keeps(question);
            Came::Kept
        } else {
            self.why = Some(question.left());
            Came::Left
        }
    }

    /// The question's time is up: what has changed is not agreed to, what stands beside another visit stays.
    pub(super) fn is_not_answered(&mut self, now: DateTime<Utc>) -> Came {
        let Some(question) = self.question.take_if(|question| question.until <= now) else { return Came::Nothing };
        match question.about {
            // A visit that was changed just before it began: whoever came has agreed.
            About::Change { over_at: Some(over_at), .. } if over_at <= now => {
                self.keeps(question);
                Came::Kept
            }
            About::Change { .. } => {
                self.why = Some(Why::Changed);
                Came::Left
            }
            About::Others { .. } => Came::Kept,
        }
    }

    /// It is by now as the question said.
    pub(super) fn keeps(&mut self, question: Question) {
        let About::Change { change, slot, over_at, his } = question.about else { return };
        self.agreements += 1;
        self.agreed_at = Some(change.at);
        self.doctor_id = change.sitting.doctor_id;
        self.visit_date = change.sitting.visit_date;
        self.part = change.sitting.part;
        self.cutoff = calendar::entry_ends_at(change.closes, self.latest_at);
        self.renewed = true;
        if let (Some(offer), Some(slot)) = (self.offer.as_mut(), slot) {
            offer.slot = slot;
        }
        if let Some(visit) = self.visit.as_mut() {
            visit.over_at = over_at.unwrap_or(visit.over_at);
            visit.his = his.unwrap_or_else(|| visit.his.clone());
        }
    }
}

/// Asks HIS when a visit is by now whose schedule has become another one, and how it stands: only then can the patient be
/// asked. There is an end to the question before the visit; where it is too near for that, whoever comes has agreed.
pub(super) async fn asking(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Asking, Fault> {
    becomes(app, turn, ports).await.map(|()| outcome::Asking::Asked)
}

/// The same, with a part of the money on its way back.
pub(super) async fn asking_meanwhile(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::AskingMeanwhile, Fault> {
    becomes(app, turn, ports).await.map(|()| outcome::AskingMeanwhile::Asked)
}

async fn becomes(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<(), Fault> {
    let order_id = app.visit.as_ref().map(|visit| visit.order_id.clone());
    let booked_at = app.offer.as_ref().map(|offer| offer.slot.clone());
    let (part, policy) = (app.part, app.policy.clone());
    let (Some(order_id), Some(booked_at)) = (order_id, booked_at) else {
        return Err(Fault::Stop("there is no visit to ask about".to_owned()));
    };
    let Some(Question { until, about: About::Change { change, slot, over_at, his }, .. }) = app.question.as_mut()
    else {
        return Err(Fault::Stop("there is no change to ask about".to_owned()));
    };
    if let Order::Booked(visit) | Order::Unpaid(visit) = ports.his.order(&order_id).await? {
        *his = Some(visit);
    }
    let sitting = &change.sitting;
    let by_the_part = if sitting.part == part { booked_at } else { sitting.part.slot(&policy.half_days) };
    let time = ports.his.time_of(&order_id).await?.unwrap_or(by_the_part);
    let begins = calendar::visit_starts_at(sitting.visit_date, time.begins, ports.tz);
    let ends = calendar::visit_starts_at(sitting.visit_date, time.ends, ports.tz);
    let stop = calendar::hard_stop_at(begins, policy.hard_stop_minutes_before_visit);
    let quiet = Some(&policy.quiet_hours);
    let answer_by = calendar::offer_deadline(turn.now, policy.question_minutes, quiet, stop, ports.tz);
    *until = if answer_by > turn.now { answer_by } else { ends };
    (*slot, *over_at) = (Some(time), Some(ends));
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn change(nth: u8) -> Change {
        let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(nth.into());
        let app = Application::sample();
        // Every third one leads back to the doctor whom the patient chose.
        let doctor_id = if nth.is_multiple_of(3) { app.doctor_id } else { format!("doctor {nth}") };
        let sitting = Sitting { doctor_id, visit_date: NaiveDate::default(), part: app.part };
        Change { schedule_id: None, at, sitting, closes: at, ends: at, answer_by: at + TimeDelta::hours(12) }
    }

    proptest! {
        #[test]
        fn r34_of_changes_in_any_order_and_number_the_latest_counts(heard in proptest::collection::vec(1_u8..20, 1..30)) {
            let mut app = Application::sample();
            for nth in &heard {
                app.hears(change(*nth));
            }
            let latest = heard.iter().max().copied().unwrap_or_default();
            if latest.is_multiple_of(3) {
                prop_assert_eq!((&app.question, app.agreed_at), (&None, Some(change(latest).at)));
            } else {
                prop_assert_eq!(app.question.as_ref().map(Question::id), Some(change(latest).id()));
            }
            let original = Application::sample().sitting();
            prop_assert_eq!(app.sitting(), original, "nobody is moved silently");
        }
    }

    #[test]
    fn r34_an_answer_counts_for_the_question_that_it_names() {
        let mut app = Application::sample();
        assert_eq!(app.hears(change(1)), Came::Asked);
        assert_eq!(app.hears(change(2)), Came::Asked);
        let keep = |nth| Consent { question: change(nth).id(), keep: true };
        assert_eq!(app.answers(&keep(1)), Came::Nothing);
        assert_eq!(app.answers(&keep(2)), Came::Kept);
        assert_eq!(app.sitting(), change(2).sitting);
        assert_eq!(app.answers(&keep(2)), Came::Nothing, "said once");
        assert_eq!(app.hears(change(1)), Came::Nothing, "older than what was agreed to");
    }

    #[test]
    fn r34_r35_without_an_answer_what_changed_ends_and_what_stands_beside_a_visit_stays() {
        let mut app = Application::sample();
        app.hears(change(1));
        let until = change(1).answer_by;
        assert_eq!(app.is_not_answered(until - TimeDelta::seconds(1)), Came::Nothing);
        assert_eq!((app.is_not_answered(until), app.why), (Came::Left, Some(Why::Changed)));
        let mut app = Application::sample();
        let beside = Withdrawal { booked_by: Some(RunId::nil()), answer_by: Some(until) };
        assert_eq!(app.is_beside(&beside), Some(Came::Asked));
        assert_eq!((app.is_not_answered(until), app.why, &app.question), (Came::Kept, None, &None));
    }

    #[test]
    fn an_application_that_an_older_release_has_stored_is_asked_nothing() {
        let mut stored = serde_json::to_value(Application::sample()).unwrap_or_default();
        for field in ["agreements", "questions"] {
            assert!(stored.as_object_mut().and_then(|all| all.remove(field)).is_some(), "{field}");
        }
        assert!(stored["policy"].as_object_mut().and_then(|all| all.remove("questionMinutes")).is_some());
        let read: Application = serde_json::from_value(stored).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((read.question, read.agreed_at), (None, None));
    }
}
