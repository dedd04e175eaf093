//! What payers do with the orders they are shown: pay after a while, pay at the last moment, or never.
//!
//! Decided when an order is first handed out and kept in the order, so that a restart changes nobody's mind.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::entries::Plan;
use crate::sandbox::faults::hash;

/// A success is still reported this long after `time_expire` (4.3), seconds.
pub(super) const LATE_SECONDS: i64 = 12;

/// What one payer does with orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// Pays this long (sandbox time) after the order was handed out, unless it has expired by then.
    Pays {
        /// How long the payer takes.
        after: Duration,
    },
    /// Pays within seconds of `time_expire`: from 5 s before to 12 s after it.
    Late,
    /// Does not pay.
    Never,
}

/// The payers by openid; those not set decide by chance, order by order.
pub(super) struct Payers {
    seed: u64,
    set: Mutex<HashMap<String, Payer>>,
}

impl Payers {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, set: Mutex::default() }
    }

    pub(super) fn set(&self, openid: &str, payer: Payer) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).insert(openid.to_owned(), payer);
    }

    /// What becomes of an order handed out at `now`.
    pub(super) fn plan(&self, openid: &str, out_trade_no: &str, now: DateTime<Utc>, expires_at: DateTime<Utc>) -> Plan {
        let roll = hash(&[&self.seed.to_le_bytes(), b"payer", openid.as_bytes(), out_trade_no.as_bytes()]);
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner).get(openid).copied();
        match set.unwrap_or_else(|| by_chance(roll)) {
            Payer::Never => Plan::Never,
            Payer::Pays { after } => TimeDelta::from_std(after)
                .ok()
                .and_then(|after| now.checked_add_signed(after))
                .filter(|at| *at <= expires_at)
                .map_or(Plan::Never, Plan::At),
            Payer::Late => {
                let offset = TimeDelta::seconds(i64::try_from((roll >> 32) % 18).unwrap_or(0) - 5);
                match expires_at.checked_add_signed(offset) {
                    Some(at) if at > now => Plan::At(at),
                    _ => Plan::Never,
                }
            }
        }
    }
}

/// Three in four pay within eight minutes, one in twelve at the last moment, the others never.
fn by_chance(roll: u64) -> Payer {
    match roll % 100 {
        0..75 => Payer::Pays { after: Duration::from_secs(20 + (roll >> 16) % 460) },
        75..83 => Payer::Late,
        _ => Payer::Never,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn each_payer_keeps_to_its_way() {
        let payers = Payers::new(1);
        let now: DateTime<Utc> = "2026-09-01T00:00:00Z".parse().unwrap();
        let expires = now + TimeDelta::minutes(10);
        payers.set("quick", Payer::Pays { after: Duration::from_mins(1) });
        payers.set("slow", Payer::Pays { after: Duration::from_secs(601) });
        payers.set("late", Payer::Late);
        payers.set("never", Payer::Never);
        assert_eq!(payers.plan("quick", "1", now, expires), Plan::At(now + TimeDelta::minutes(1)));
        assert_eq!(payers.plan("slow", "1", now, expires), Plan::Never);
        assert_eq!(payers.plan("never", "1", now, expires), Plan::Never);
        let (mut before, mut after) = (0, 0);
        for n in 0..100 {
            let Plan::At(at) = payers.plan("late", &n.to_string(), now, expires) else { panic!("did not pay") };
            assert!(at >= expires - TimeDelta::seconds(5) && at <= expires + TimeDelta::seconds(LATE_SECONDS));
            if at > expires { after += 1 } else { before += 1 }
        }
        assert!(before > 10 && after > 10, "{before} before, {after} after");
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let now: DateTime<Utc> = "2026-09-01T00:00:00Z".parse().unwrap();
        let plans = |seed| {
            let payers = Payers::new(seed);
            (0..50).map(|n| payers.plan("x", &n.to_string(), now, now + TimeDelta::hours(1))).collect::<Vec<_>>()
        };
        assert_eq!(plans(3), plans(3));
        assert_ne!(plans(3), plans(4));
        let pay = plans(3).iter().filter(|plan| matches!(plan, Plan::At(_))).count();
        assert!((30..50).contains(&pay), "{pay} of 50 pay");
    }
}
