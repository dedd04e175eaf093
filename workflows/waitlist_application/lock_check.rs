//! The lock while the patient takes time (R10), where HIS offers 2014 and 2016: one that ends before the offer does is renewed
//! ahead of its end, and whether one still holds is asked before money is asked for. What HIS has lost is locked anew where the
//! place is free; else the place was lost to somebody else, and the patient keeps the turn.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::outcome;
use super::state::Application;
use crate::engine::{Fault, Turn};
use crate::ports::his::{Holding, Lock};
use crate::waitlist::calendar;
use crate::workflows::Ports;

/// What a lock is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Checking {
    /// It ends soon, and the patient has not answered.
    Offer,
    /// The patient has accepted: an order is about to be opened.
    Order,
    /// It ends soon, and the patient is paying.
    Payment,
}

/// A renewal is not asked for more often than this.
const LEAST: TimeDelta = TimeDelta::seconds(30);

/// When a lock that HIS holds until `until` is renewed; none where it outlasts the offer and the grace (E4).
pub(super) fn renewed_at(
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    deadline: DateTime<Utc>,
    grace_minutes: u32,
) -> Option<DateTime<Utc>> {
    let ahead = (until - now) * 2 / 3;
    (until < calendar::later(deadline, grace_minutes)).then(|| now + ahead.max(LEAST))
}

impl Application {
    /// When the lock is renewed next; none where it need not be.
    pub(super) fn renews_at(&self) -> Option<DateTime<Utc>> {
        self.offer.as_ref().and_then(|offer| offer.renew_at.filter(|at| offer.deadline.is_some_and(|ends| *at < ends)))
    }

    /// True where that is now.
    pub(super) fn renews(&self, now: DateTime<Utc>) -> bool {
        self.renews_at().is_some_and(|at| at <= now)
    }
}

pub(super) async fn lock_check(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::LockCheck, Fault> {
    let lock_id = app.order_id(turn.run);
    let standing = app.offer.as_ref().and_then(|offer| Some((offer.slot.clone(), offer.deadline?)));
    let Some((slot, deadline)) = standing else {
        return Err(Fault::Stop("there is no lock to look at".to_owned()));
    };
    let checking = app.checking.unwrap_or(Checking::Offer);
    let grace = app.policy.lock_grace_minutes;
    let minutes = calendar::lock_minutes(turn.now, deadline, grace);
    let holding = match checking {
        Checking::Order => ports.his.lock_standing(&lock_id).await?,
        Checking::Offer | Checking::Payment => ports.his.renew(&lock_id, minutes).await?,
    };
    let holding = match holding {
        Holding::Gone => match ports.his.lock(&lock_id, &app.place(&slot), minutes).await? {
            // A HIS that remembers ids answers with the lock that is over: it is asked whether it holds this one.
            Lock::Held { .. } | Lock::HeldFor { .. } => ports.his.lock_standing(&lock_id).await?,
            Lock::Taken | Lock::Refused { .. } => Holding::Gone,
        },
        until @ Holding::Until(_) => until,
    };
    let until = match holding {
        Holding::Until(until) if until > turn.now => Some(until),
        Holding::Until(_) | Holding::Gone => None,
    };
    app.checking = None;
    let Some(until) = until else {
        tracing::warn!(run = %turn.run, "HIS has lost a lock, and the place with it");
        return Ok(if checking == Checking::Payment { outcome::LockCheck::Gone } else { outcome::LockCheck::Lost });
    };
    if let Some(offer) = app.offer.as_mut() {
        offer.renew_at = renewed_at(turn.now, until, deadline, grace);
    }
    Ok(match checking {
        Checking::Offer => outcome::LockCheck::Renewed,
        Checking::Payment => outcome::LockCheck::Open,
        Checking::Order => {
            // Committed with this move, number and end included, before a call uses it (E6).
            if !app.covered() {
                app.reorder(app.order_for_offer(turn.run, deadline, turn.now));
            }
            outcome::LockCheck::Holds
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn r10_a_lock_is_renewed_ahead_of_its_end_and_only_where_it_ends_too_soon(
            granted in 1_i64..2000, window in 1_u32..1000, grace in 5_u32..60,
        ) {
            let now = DateTime::<Utc>::UNIX_EPOCH;
            let (until, deadline) = (now + TimeDelta::minutes(granted), calendar::later(now, window));
            match renewed_at(now, until, deadline, grace) {
                Some(at) => {
                    prop_assert!(now < at && at < until);
                    prop_assert!(until < calendar::later(deadline, grace));
                }
                None => prop_assert!(until >= calendar::later(deadline, grace)),
            }
        }
    }
}
