//! What an application knows. References only: never a name, a number or a phone.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::account::PartTold;
use super::asking::Question;
use super::giving_up::GivenUp;
use super::lock_check::Checking;
pub use super::order::{Order, Refunding};
use super::signals::{Payment, Terms};
use crate::engine::RunId;
use crate::ports::his::{DayPart, Place, TimeSlot};
use crate::ports::payments::Paid;
use crate::records::schedules::Half;
use crate::waitlist::policy::{PayType, PaymentMode, Policy};
use crate::waitlist::reminder::Reminder;
use crate::waitlist::{calendar, ids};

/// What a run of `waitlist_application` knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
// Each is a fact by itself; what excludes each other are the steps.
#[allow(clippy::struct_excessive_bools)]
pub struct Application {
    /// The schedule (HIS's `REG_ID`).
    pub schedule_id: String,
    /// Its doctor.
    pub doctor_id: String,
    /// Its department.
    pub department_id: String,
    /// Who waits.
    pub patient_id: String,
    /// How the patient means to pay (R7).
    #[serde(default)]
    pub pay_type: PayType,
    /// The day of the visit.
    pub visit_date: NaiveDate,
    /// The half-day.
    pub part: DayPart,
    /// What the visit costs, 分.
    pub fee_fen: i64,
    /// The settings it began with (R29).
    pub policy: Policy,
    /// When waiting ends (R24, R25).
    pub cutoff: DateTime<Utc>,
    /// Until when the patient wants to wait at the latest, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_at: Option<DateTime<Utc>>,
    /// True once its end or its fee is another one than it began with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// True once it stands in the queue and has moved there. One that waits for a day comes to stand there anew after an offer or a
    /// question: places of other half-days came free meanwhile that nobody was there for (Q2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stood: bool,
    /// True from an offer until its place is locked: whoever is back before was away in passing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_passing: bool,
    /// How many places were offered; the next one's ids derive from it.
    pub offers: u16,
    /// The id of the last offer, for the answer to `slot_release`.
    pub offer_id: Option<String>,
    /// Whose hand-out offered it, where that is not the schedule's own (Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_by: Option<String>,
    /// When the hand-out heard that the place of the last offer is free.
    #[serde(default)]
    pub freed_at: Option<DateTime<Utc>>,
    /// The place that is being offered, locked or booked.
    pub offer: Option<Offered>,
    /// True where the last offer's lock was given back: that place may be free again.
    #[serde(default)]
    pub gave_back: bool,
    /// True where this patient could not be given the last offered place, by HIS or for want of an order: somebody else may get it.
    #[serde(default)]
    pub withheld: bool,
    /// Why the last offered place could not be had although nobody else took it (R33).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Unusable>,
    /// How many orders the payment provider has refused one after the other; that is not the patient's miss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused_orders: u16,
    /// How many orders took the place of a prepayment order that nobody could pay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_prepayments: u16,
    /// How many offers the patient has declined (Q6).
    #[serde(default)]
    pub declined: u16,
    /// How many were not answered or not paid in time (Q6).
    #[serde(default)]
    pub missed: u16,
    /// The times that the patient has declined or missed: nobody is asked about the same one twice.
    #[serde(default)]
    pub given_up: Vec<GivenUp>,
    /// The present payment order, if one was ever opened.
    pub order: Option<Order>,
    /// Orders in whose place a later one stands: nobody pays them any more, and money can come for them all the same (E2).
    #[serde(default)]
    pub earlier: Vec<Order>,
    /// The booked visit.
    pub visit: Option<Booked>,
    /// Other applications of the person that the visit ends (R35).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<RunId>,
    /// Where the patient is only asked about them: by when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_until: Option<DateTime<Utc>>,
    /// The last change of the schedule that the patient has agreed to (R34).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_at: Option<DateTime<Utc>>,
    /// How many changes the patient has agreed to.
    #[serde(default)]
    pub agreements: u16,
    /// How many questions were asked.
    #[serde(default)]
    pub questions: u16,
    /// What the patient is being asked (R34, R35).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// The question about a visit that the patient did not agree to keep (R34).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Question>,
    /// How often HIS has not cancelled the visit although the patient wanted it (R22).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_cancelled: u16,
    /// The how manieth offer ended just now without an answer: it is seen then whether the patient was told of it at all (R9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<u16>,
    /// What the patient was told last of money that went back while the visit stands (R6, E2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_told: Option<PartTold>,
    /// What the lock is being looked at for (R10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checking: Option<Checking>,
    /// Why it is coming to an end without a visit.
    pub why: Option<Why>,
}

/// See [`Application::unusable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unusable {
    /// HIS refused its lock.
    Refused,
    /// There was too little time left to answer.
    TooLate,
    /// Its time is over, and nobody had been told of it.
    Untold,
    /// Its time does not take place, and the rest of the schedule does (R34).
    Stopped,
    /// Its time was over while the patient was asked whether the schedule is kept as it has become (R34).
    Changed,
}

// Serde hands references.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u16) -> bool {
    *count == 0
}

/// A place on offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Which time.
    pub slot: TimeSlot,
    /// By when the patient must have paid; known once the place is locked.
    pub deadline: Option<DateTime<Utc>>,
    /// True from the moment HIS may hold a lock for us.
    pub locked: bool,
    /// Nothing of ours was locked for it before (E6); none where an older release made the offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// When the lock is renewed, where it would end before the offer and the grace (R10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<DateTime<Utc>>,
    /// True where HIS can be asked whether the lock still holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watched: bool,
}

/// A booked visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// Our `ORDER_ID`.
    pub order_id: String,
    /// HIS's references.
    pub his: crate::ports::his::Visit,
    /// When it was booked.
    pub at: DateTime<Utc>,
    /// When the visit is over.
    pub over_at: DateTime<Utc>,
    /// True once it was cancelled, by the patient or by 停诊.
    pub cancelled: bool,
    /// When the patient is reminded of it (R5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder: Option<Reminder>,
}

impl Offered {
    /// A place that is not locked yet.
    pub fn new(slot: TimeSlot) -> Self {
        Self { slot, deadline: None, locked: false, since: None, renew_at: None, watched: false }
    }

    /// The same, made at this moment.
    #[must_use]
    pub fn since(self, now: DateTime<Utc>) -> Self {
        Self { since: Some(now), ..self }
    }
}

/// Why an application ends without a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// The cutoff passed (R26).
    Expired,
    /// The patient withdrew.
    Withdrawn,
    /// Another application of the patient came to a visit on that day (R35).
    Elsewhere,
    /// 停诊 (R34).
    Stopped,
    /// HIS or the payment provider refused this application for good.
    Refused,
    /// The offer was not answered or not paid in time.
    Lapsed,
    /// The patient declined the offer.
    Declined,
    /// The prepayment did not come.
    Unpaid,
    /// The booked visit was cancelled by the patient (R22).
    VisitCancelled,
    /// The doctor, day or half-day became another one, and the patient did not agree (R34).
    Changed,
}

impl Why {
    /// The code that API and database show.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Elsewhere => "bookedElsewhere",
            Self::Stopped => "stopped",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
            Self::Declined => "declined",
            Self::Unpaid => "unpaid",
            Self::VisitCancelled => "visitCancelled",
            Self::Changed => "changed",
        }
    }
}

impl Application {
    /// An application as any other, for the proof that endings are told.
    pub fn sample() -> Self {
        Self {
            schedule_id: "schedule".to_owned(),
            doctor_id: "doctor".to_owned(),
            department_id: "department".to_owned(),
            patient_id: "patient".to_owned(),
            pay_type: PayType::SelfPay,
            visit_date: NaiveDate::default(),
            part: DayPart::Morning,
            fee_fen: 0,
            policy: Policy::default(),
            cutoff: DateTime::UNIX_EPOCH,
            latest_at: None,
            renewed: false,
            stood: false,
            in_passing: false,
            offers: 0,
            offer_id: None,
            offered_by: None,
            freed_at: None,
            offer: None,
            gave_back: false,
            withheld: false,
            unusable: None,
            refused_orders: 0,
            more_prepayments: 0,
            declined: 0,
            missed: 0,
            given_up: Vec::new(),
            order: None,
            earlier: Vec::new(),
            visit: None,
            others: Vec::new(),
            others_until: None,
            agreed_at: None,
            agreements: 0,
            questions: 0,
            question: None,
            left: None,
            not_cancelled: 0,
            unanswered: None,
            part_told: None,
            checking: None,
            why: None,
        }
    }

    /// How the provider is to take the money (R7): what is taken in advance is taken as from a self-payer (提前收取自费), and the
    /// patient was told so.
    pub fn pays_as(&self) -> PayType {
        match self.policy.payment_mode {
            PaymentMode::Prepay => PayType::SelfPay,
            _ => self.pay_type,
        }
    }

    /// Goes by other settings from now on. How it is paid stays as it began (R29): an order may be paid by now. So does what it waits
    /// for (Q2): the place in the queue is one there.
    pub fn renew(&mut self, terms: Terms) {
        let Policy { payment_mode, insurance_prepay, fee_change, queue_per, .. } = self.policy;
        self.policy = Policy { payment_mode, insurance_prepay, fee_change, queue_per, ..terms.policy };
        self.cutoff = calendar::entry_ends_at(terms.closes, self.latest_at);
        self.renewed = true;
    }

    /// Is at another half-day of the day from now on, as that is by now (Q2).
    pub fn goes_to(&mut self, half: Half) {
        self.schedule_id = half.schedule_id;
        self.part = half.part;
        self.agreed_at = self.agreed_at.max(half.changed_at);
    }

    /// True where an answer is meant for the offer that is out. One without an end is from before answers had one.
    pub fn answered_by(&self, until: Option<DateTime<Utc>>) -> bool {
        // As exact as a table's column.
        let ends = self.offer.as_ref().and_then(|offer| offer.deadline).map(|at| at.timestamp_micros());
        until.is_none_or(|until| ends == Some(until.timestamp_micros()))
    }

    /// The time that is offered, locked or booked.
    pub fn slot(&self) -> Option<&TimeSlot> {
        self.offer.as_ref().map(|offer| &offer.slot)
    }

    /// The reminder of its visit, if there is to be one.
    pub fn reminder(&self) -> Option<Reminder> {
        self.visit.as_ref().and_then(|visit| visit.reminder)
    }

    /// The money that came for the present order.
    pub fn paid(&self) -> Option<&Paid> {
        self.order.as_ref().and_then(|order| order.paid.as_ref())
    }

    /// `LOCK_ID` and `ORDER_ID` of the present offer (E6): it was committed with the offer, before any call.
    pub fn order_id(&self, run: RunId) -> String {
        ids::order_id(run, self.offers)
    }

    /// The offered place in HIS's words.
    pub fn place(&self, slot: &TimeSlot) -> Place {
        Place {
            reg_id: self.schedule_id.clone(),
            department_id: self.department_id.clone(),
            doctor_id: self.doctor_id.clone(),
            visit_date: self.visit_date,
            part: self.part,
            slot: slot.clone(),
            fee_fen: self.fee_fen,
        }
    }

    /// Writes down money that has arrived for the order that we opened. False where it is for another one.
    pub fn receive(&mut self, payment: &Payment) -> bool {
        let Some(order) = self.order.as_mut().filter(|order| order.out_trade_no == payment.out_trade_no) else {
            return false;
        };
        order.paid = Some(payment.paid.clone());
        true
    }
}

/// Until when a payment notice is awaited before the provider is asked.
pub fn payment_is_asked(app: &Application) -> DateTime<Utc> {
    app.order.as_ref().map_or(app.cutoff, |order| order.ask_at)
}
