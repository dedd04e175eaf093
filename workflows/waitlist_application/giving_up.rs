//! Offers that the patient declines or misses (Q6): that time is given up, and at the how manieth the policy says, the place
//! in the queue with it. Pure.

use serde::{Deserialize, Serialize};

use super::state::{Application, Unusable, Why};
use crate::ports::his::TimeSlot;

/// A time that the patient did not take, and keeps the place in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The how manieth offer it was.
    pub nth: u16,
    /// Which time.
    pub slot: TimeSlot,
    /// Declined or lapsed.
    pub why: Why,
}

impl Application {
    /// The patient has declined or missed the offer, as `why` says. What that ends the application with; `None` where the
    /// patient keeps the place in the queue (Q6).
    pub fn gives_up(&mut self, why: Why) -> Option<Why> {
        let (count, most) = match why {
            Why::Declined => (&mut self.declined, self.policy.declines_max),
            Why::Lapsed => (&mut self.missed, self.policy.missed_offers_max),
            _ => return Some(why),
        };
        *count = count.saturating_add(1);
        if u32::from(*count) >= most {
            return Some(why);
        }
        let nth = self.offers;
        self.given_up.extend(self.offer.as_ref().map(|offer| GivenUp { nth, slot: offer.slot.clone(), why }));
        None
    }

    /// The money for the present offer came after all (E2): it was not missed.
    pub fn takes_after_all(&mut self) {
        self.given_up.retain(|one| one.nth != self.offers);
        self.missed = self.missed.saturating_sub(1);
        self.why = None;
    }

    /// Nobody had told the patient of the present offer: it was not missed, and the place in the queue is kept. The time goes to the
    /// next in line all the same, who may be reached.
    pub fn was_not_told(&mut self) {
        self.missed = self.missed.saturating_sub(1);
        self.why = None;
        self.unusable = Some(Unusable::Untold);
        if self.given_up_now().is_none() {
            let nth = self.offers;
            self.given_up.extend(self.offer.as_ref().map(|offer| GivenUp {
                nth,
                slot: offer.slot.clone(),
                why: Why::Lapsed,
            }));
        }
    }

    /// The time on offer does not take place (R34): it was not missed, and the place in the queue is kept.
    pub fn is_revoked(&mut self) {
        self.unusable = Some(Unusable::Stopped);
    }

    /// True where the present offer was ended so.
    pub fn revoked(&self) -> bool {
        self.unusable == Some(Unusable::Stopped)
    }

    /// The time to answer the present offer is over. Whoever was being asked about a change could not accept it (R34): it was not
    /// missed, and the place in the queue is kept. Else as with [`Self::gives_up`].
    pub fn lapses(&mut self) -> Option<Why> {
        if self.changing().is_none() {
            return self.gives_up(Why::Lapsed);
        }
        self.unusable = Some(Unusable::Changed);
        None
    }

    /// True where the present offer was locked, and is over without having been missed or declined.
    pub fn is_let_go(&self) -> bool {
        matches!(self.unusable, Some(Unusable::Stopped | Unusable::Changed))
    }

    /// True where the patient has declined or missed this time before. Where HIS keeps no times (R18) all places have the one
    /// time of the half-day: the patient is asked about each.
    pub fn does_not_want(&self, slot: &TimeSlot) -> bool {
        !slot.of_half_day && self.given_up.iter().any(|one| one.slot == *slot)
    }

    /// Why the last offer was given up, where the patient keeps the place in the queue.
    pub fn given_up_now(&self) -> Option<Why> {
        self.given_up.last().filter(|last| last.nth == self.offers).map(|last| last.why)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use proptest::prelude::*;

    use super::super::state::Offered;
    use super::*;

    fn on_offer(app: &mut Application, minute: u32) {
        let at = |minute| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap_or_default();
        app.offers += 1;
        let slot = TimeSlot::new(at(minute), at(minute + 1));
        app.offer = Some(Offered { locked: true, ..Offered::new(slot) });
    }

    proptest! {
        #[test]
        fn q6_the_how_manieth_of_a_kind_ends_the_application(
            declines_max in 1_u32..5, missed_offers_max in 1_u32..5, declines in proptest::collection::vec(any::<bool>(), 10),
        ) {
            let mut app = Application::sample();
            (app.policy.declines_max, app.policy.missed_offers_max) = (declines_max, missed_offers_max);
            let (mut declined, mut missed) = (0, 0);
            for (minute, declines) in (0..).zip(declines) {
                on_offer(&mut app, minute);
                let why = if declines { Why::Declined } else { Why::Lapsed };
                *(if declines { &mut declined } else { &mut missed }) += 1;
                let ends = declined >= declines_max || missed >= missed_offers_max;
                prop_assert_eq!(app.gives_up(why), ends.then_some(why));
                if ends {
                    break;
                }
                prop_assert_eq!(app.given_up_now(), Some(why));
                prop_assert!(app.offer.as_ref().is_some_and(|offer| app.does_not_want(&offer.slot)));
            }
        }
    }

    #[test]
    fn q6_what_is_paid_after_all_was_not_missed() {
        let mut app = Application::sample();
        app.policy.missed_offers_max = 2;
        on_offer(&mut app, 0);
        assert_eq!(app.gives_up(Why::Lapsed), None);
        app.takes_after_all();
        on_offer(&mut app, 1);
        assert_eq!(app.gives_up(Why::Lapsed), None, "the first one again");
        on_offer(&mut app, 2);
        app.why = app.gives_up(Why::Lapsed);
        assert_eq!(app.why, Some(Why::Lapsed));
        app.takes_after_all();
        assert_eq!((app.why, app.missed, app.given_up.len()), (None, 1, 1));
    }

    #[test]
    fn an_application_that_an_older_release_has_stored_goes_on() {
        let mut stored = serde_json::to_value(Application::sample()).unwrap_or_default();
        for field in ["declined", "missed", "given_up"] {
            assert!(stored.as_object_mut().and_then(|all| all.remove(field)).is_some(), "{field}");
        }
        for field in ["declinesMax", "missedOffersMax", "minimumNoticeMinutes", "releaseDelayMinutesMax"] {
            assert!(stored["policy"].as_object_mut().and_then(|all| all.remove(field)).is_some(), "{field}");
        }
        let mut read: Application = serde_json::from_value(stored).unwrap_or_else(|error| panic!("{error}"));
        on_offer(&mut read, 0);
        assert_eq!(read.gives_up(Why::Declined), Some(Why::Declined), "as it was when it began");
    }
}
