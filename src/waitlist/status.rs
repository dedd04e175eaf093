//! Where an application stands, as the patient, the caps and FHIR see it. The workflow decides which comes next;
//! nothing here moves an application.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::language::Language;

/// The public status of an application (R12). The wire has the names in camelCase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EntryStatus {
    /// The place in the queue is held for a short while until the prepayment arrives (R6).
    AwaitingPrepayment,
    /// In the queue.
    Waiting,
    /// A place is locked; the patient is asked to confirm (R9, R20).
    Offered,
    /// Confirmed; the money is awaited (R20).
    AwaitingPayment,
    /// With HIS (R19).
    Booking,
    /// 挂号成功 (R21).
    Booked,
    /// Over without a visit; money, a lock or a booking still has to be given back (R8, R27).
    Settling,
    /// The cutoff passed (R26).
    Expired,
    /// The patient withdrew (R12).
    Withdrawn,
    /// 停诊 (R34).
    Stopped,
    /// HIS refused this patient for a reason that no other place changes (R19).
    Refused,
    /// The patient did not answer the offer in time (R9).
    Lapsed,
    /// The patient declined the offer (R9).
    Declined,
    /// The prepayment did not arrive in time (R6).
    Unpaid,
    /// Booked, and the visit was cancelled afterwards (R22).
    VisitCancelled,
}

impl EntryStatus {
    /// All of them, in the order of an application's life.
    pub const ALL: [Self; 15] = [
        Self::AwaitingPrepayment,
        Self::Waiting,
        Self::Offered,
        Self::AwaitingPayment,
        Self::Booking,
        Self::Booked,
        Self::Settling,
        Self::Expired,
        Self::Withdrawn,
        Self::Stopped,
        Self::Refused,
        Self::Lapsed,
        Self::Declined,
        Self::Unpaid,
        Self::VisitCancelled,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPrepayment => "awaitingPrepayment",
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::AwaitingPayment => "awaitingPayment",
            Self::Booking => "booking",
            Self::Booked => "booked",
            Self::Settling => "settling",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Stopped => "stopped",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
            Self::Declined => "declined",
            Self::Unpaid => "unpaid",
            Self::VisitCancelled => "visitCancelled",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// True where the application takes a place under the caps and one of the patient's live entries (R2, R4).
    pub fn live(self) -> bool {
        matches!(self, Self::AwaitingPrepayment | Self::Waiting | Self::Offered | Self::AwaitingPayment | Self::Booking)
    }

    /// True where the patient may accept the offer.
    pub fn confirmable(self) -> bool {
        self == Self::Offered
    }

    /// True where the patient may decline the offer.
    pub fn declinable(self) -> bool {
        matches!(self, Self::Offered | Self::AwaitingPayment)
    }

    /// True where the patient may withdraw. Not while HIS is booking: the outcome decides whether there is a visit to
    /// cancel instead (E5).
    pub fn withdrawable(self) -> bool {
        self.live() && self != Self::Booking
    }

    /// FHIR `Appointment.status` (R4 and R5).
    pub fn fhir_appointment_status(self) -> &'static str {
        match self {
            Self::AwaitingPrepayment => "proposed",
            Self::Waiting => "waitlist",
            Self::Offered | Self::AwaitingPayment | Self::Booking => "pending",
            Self::Booked => "booked",
            Self::Settling
            | Self::Expired
            | Self::Withdrawn
            | Self::Stopped
            | Self::Refused
            | Self::Lapsed
            | Self::Declined
            | Self::Unpaid
            | Self::VisitCancelled => "cancelled",
        }
    }

    /// FHIR `Slot.status` of the place this application holds; `None` where it holds none.
    pub fn fhir_slot_status(self) -> Option<&'static str> {
        match self {
            Self::Offered | Self::AwaitingPayment | Self::Booking => Some("busy-tentative"),
            Self::Booked => Some("busy"),
            _ => None,
        }
    }

    /// What the patient and the staff read.
    pub fn label(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::AwaitingPrepayment => ("待支付", "Awaiting prepayment"),
            Self::Waiting => ("候补中", "Waiting"),
            Self::Offered => ("待确认", "Please confirm"),
            Self::AwaitingPayment => ("确认待支付", "Awaiting payment"),
            Self::Booking => ("挂号中", "Booking"),
            Self::Booked => ("挂号成功", "Booked"),
            Self::Settling => ("退款处理中", "Being settled"),
            Self::Expired => ("已过期", "Expired"),
            Self::Withdrawn => ("已取消", "Withdrawn"),
            Self::Stopped => ("已停诊", "Clinic stopped"),
            Self::Refused => ("挂号未成功", "Refused by the hospital"),
            Self::Lapsed => ("超时未确认", "Not confirmed in time"),
            Self::Declined => ("已放弃号源", "Declined"),
            Self::Unpaid => ("超时未支付", "Not paid in time"),
            Self::VisitCancelled => ("已退号", "Visit cancelled"),
        };
        match language {
            Language::ZhCn => zh,
            Language::En => en,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_the_same_on_every_way() {
        let names: HashSet<_> = EntryStatus::ALL.iter().map(|status| status.as_str()).collect();
        assert_eq!(names.len(), EntryStatus::ALL.len());
        for status in EntryStatus::ALL {
            assert_eq!(EntryStatus::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert_eq!(EntryStatus::parse("Waiting"), None);
    }

    #[test]
    fn labels_are_unique_in_both_languages() {
        for language in Language::ALL {
            let labels: HashSet<_> = EntryStatus::ALL.iter().map(|status| status.label(language)).collect();
            assert_eq!(labels.len(), EntryStatus::ALL.len());
        }
    }

    #[test]
    fn only_what_is_live_may_be_answered() {
        for status in EntryStatus::ALL {
            let answerable = status.confirmable() || status.declinable() || status.withdrawable();
            assert!(status.live() || !answerable, "{status:?}");
        }
        assert_eq!(EntryStatus::ALL.iter().filter(|status| status.live()).count(), 5);
        assert!(!EntryStatus::Booking.withdrawable());
    }

    #[test]
    fn fhir_agrees_with_what_is_live_and_held() {
        for status in EntryStatus::ALL {
            let cancelled = status.fhir_appointment_status() == "cancelled";
            assert_eq!(cancelled, !status.live() && status != EntryStatus::Booked, "{status:?}");
            assert!(!cancelled || status.fhir_slot_status().is_none(), "{status:?}");
        }
        assert_eq!(EntryStatus::Waiting.fhir_appointment_status(), "waitlist");
        assert_eq!(EntryStatus::Offered.fhir_slot_status(), Some("busy-tentative"));
    }
}
