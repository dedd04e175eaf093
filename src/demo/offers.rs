//! What became of the offers to one application, read from its history: another way to know it than the API's (R33).

use super::books::ours::Moved;

/// How many offers came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// Made.
    pub made: u32,
    /// Accepted by the patient.
    pub confirmed: u32,
    /// Declined.
    pub declined: u32,
    /// Not answered or not paid in time.
    pub missed: u32,
    /// Of a place that was not to be had, or not any more, or of which nobody could be told.
    pub lost: u32,
}

/// Why an offer is over, as far as the history says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Declined,
    Lapsed,
    Lost,
}

impl Offers {
    /// Those of one application. Its history calls every offer lapsed whose time was over; of these only `missed` were the
    /// patient's miss, as the application itself counts them (Q6): who could not be told of an offer (R9), or was being asked
    /// about a change (R34), has missed nothing.
    pub fn of(moves: &[Moved], missed: u32) -> Self {
        let (mut offers, mut lapsed) = (Self { missed, ..Self::default() }, 0_u32);
        let mut over = None;
        for one in moves {
            match (one.step.as_str(), one.outcome.as_deref().unwrap_or_default()) {
                ("Waiting", "Payable" | "Covered") => (offers.made, over) = (offers.made + 1, None),
                ("Confirmation", "Confirmed") => offers.confirmed += 1,
                ("Confirmation" | "Paying", "Declined") => over = Some(Over::Declined),
                _ if one.lapses() => over = Some(Over::Lapsed),
                // Never locked.
                ("Locking", "Taken") => offers.lost += 1,
                ("Booking", "Taken") | ("Locking", "Unusable") | ("LockCheck", "Lost" | "Gone") => {
                    over = Some(Over::Lost);
                }
                ("Confirmation" | "Paying", "Revoked") => over = Some(Over::Lost),
                // Money that came while the order of a missed offer was being closed books after all (E2).
                ("OrderClosing", "Paid") => over = None,
                ("Unlocking", outcome @ ("Requeued" | "Released")) => match over.take() {
                    Some(Over::Declined) => offers.declined += 1,
                    Some(Over::Lapsed) => lapsed += 1,
                    // Whoever had paid for what does not take place leaves the queue (R34).
                    Some(Over::Lost) => offers.lost += u32::from(outcome == "Requeued"),
                    None => {}
                },
                _ => {}
            }
        }
        offers.lost += lapsed.saturating_sub(missed);
        offers
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    /// Steps and their outcomes.
    type History = &'static [(&'static str, &'static str)];

    fn of(history: &[(&str, &str)], missed: u32) -> Offers {
        let moved = |(step, outcome): &(&str, &str)| Moved {
            run_id: uuid::Uuid::nil(),
            at: DateTime::<Utc>::UNIX_EPOCH,
            step: (*step).to_owned(),
            outcome: Some((*outcome).to_owned()),
            next: String::new(),
        };
        Offers::of(&history.iter().map(moved).collect::<Vec<_>>(), missed)
    }

    const OFFERED: [(&str, &str); 2] = [("Waiting", "Payable"), ("Locking", "Locked")];

    #[test]
    fn an_offer_is_counted_by_what_it_came_to() {
        let made = Offers { made: 1, ..Offers::default() };
        let (declined, missed) = (Offers { declined: 1, ..made }, Offers { missed: 1, ..made });
        let lost = Offers { lost: 1, ..made };
        let histories: [(History, u32, Offers); 9] = [
            (&[("Confirmation", "Declined"), ("Unlocking", "Requeued")], 0, declined),
            (&[("Paying", "Declined"), ("OrderClosing", "Closed"), ("Unlocking", "Released")], 0, declined),
            (&[("Confirmation", "Lapsed"), ("Unlocking", "Requeued")], 1, missed),
            (&[("Confirmation", "Lapsed"), ("Unlocking", "Requeued")], 0, lost),
            (&[("PaymentCheck", "Over"), ("OrderClosing", "Paid"), ("Booking", "Booked")], 0, made),
            (
                &[("PaymentCheck", "Over"), ("OrderClosing", "Paid"), ("Booking", "Taken"), ("Unlocking", "Requeued")],
                0,
                lost,
            ),
            (&[("LockCheck", "Lost"), ("Unlocking", "Requeued")], 0, lost),
            (&[("Paying", "Revoked"), ("OrderClosing", "Closed"), ("Unlocking", "Requeued")], 0, lost),
            (&[("Paying", "Revoked"), ("OrderClosing", "Closed"), ("Unlocking", "Released")], 0, made),
        ];
        for (after, missed, expected) in histories {
            assert_eq!(of(&[&OFFERED, after].concat(), missed), expected, "{after:?}");
        }
        assert_eq!(of(&[("Waiting", "Payable"), ("Locking", "Taken")], 0), lost);
    }

    #[test]
    fn each_offer_is_counted_for_itself() {
        let again = [("Confirmation", "Lapsed"), ("Unlocking", "Requeued")];
        let twice = [&OFFERED[..], &again, &OFFERED, &again, &OFFERED, &[("Confirmation", "Confirmed")]].concat();
        assert_eq!(of(&twice, 1), Offers { made: 3, confirmed: 1, missed: 1, lost: 1, ..Offers::default() });
    }
}
