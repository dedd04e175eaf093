//! The verifiable draw of a queue's order (R17, 随机候补): who applied while the queue was opening is ordered by chance, and
//! anybody can check afterwards that it was chance.
//!
//! A secret seed is drawn before anybody may apply, and its hash is published. When the window closes, the pool of
//! applications is frozen and ordered by `SHA-256(seed ‖ SHA-256(pool) ‖ application)`; seed and pool are published. The
//! seed cannot be chosen to suit the applications, since it stood before them; an application's id cannot be chosen to suit
//! the seed, since every later applicant moves all of them.

use std::collections::HashSet;
use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

/// The name of the procedure, in every transcript: a changed one gets another name.
pub const PROCEDURE: &str = "houbu-draw-1";

const HASH_LEN: usize = 32;

/// What decides a draw. Secret until the window has closed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; HASH_LEN]);

impl Seed {
    /// A new one, by chance; `None` where the system has no chance to give.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; HASH_LEN];
        rand::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; HASH_LEN];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(secret)")
    }
}

/// What a sealed seed is sealed as (see [`super::cipher::Keyring::seal`]).
pub fn about(schedule_id: &str) -> String {
    format!("draw/{schedule_id}")
}

/// What is published when the queue opens: it fixes the seed, for this schedule alone, and tells nothing about it.
pub fn commitment(hospital: &str, schedule_id: &str, seed: &Seed) -> String {
    let mut hash = Context::new(&SHA256);
    for part in [PROCEDURE, hospital, schedule_id] {
        hash.update(part.as_bytes());
        hash.update(b"\n");
    }
    hash.update(&seed.0);
    hex::encode(hash.finish())
}

/// The order in which these applications are served. Who they are decides it, not how they are listed.
pub fn order(seed: &Seed, applications: &[Uuid]) -> Vec<Uuid> {
    let mut listed = applications.to_vec();
    listed.sort_unstable();
    let mut pool = Context::new(&SHA256);
    for one in &listed {
        pool.update(one.to_string().as_bytes());
        pool.update(b"\n");
    }
    let pool = pool.finish();
    let ticket = |application: &Uuid| {
        let mut hash = Context::new(&SHA256);
        hash.update(&seed.0);
        hash.update(pool.as_ref());
        hash.update(application.to_string().as_bytes());
        let mut ticket = [0; HASH_LEN];
        ticket.copy_from_slice(hash.finish().as_ref());
        ticket
    };
    listed.sort_by_cached_key(ticket);
    listed
}

/// When the draw is held: so many minutes after the queue opened, or half way to its cutoff, whichever comes first.
pub fn held_at(opened_at: DateTime<Utc>, window_minutes: u32, cutoff: DateTime<Utc>) -> DateTime<Utc> {
    let half = cutoff.signed_duration_since(opened_at).max(TimeDelta::zero()) / 2;
    opened_at + half.min(TimeDelta::minutes(window_minutes.into()))
}

/// A draw that was held, with everything that is needed to hold it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// [`PROCEDURE`].
    pub procedure: String,
    /// The hospital.
    pub hospital: String,
    /// The schedule.
    pub schedule_id: String,
    /// What was published when the queue opened.
    pub commitment: String,
    /// 64 hexadecimal digits.
    pub seed: String,
    /// Every application that was made while the window was open, in the order of arrival.
    pub applications: Vec<Uuid>,
    /// The same in the order that was drawn.
    pub order: Vec<Uuid>,
}

/// What is wrong with a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Made by a procedure that is not known here.
    #[error("the procedure {0} is not known here; this program checks {PROCEDURE}")]
    Procedure(String),
    /// Not 64 hexadecimal digits.
    #[error("the seed is not 64 hexadecimal digits")]
    Seed,
    /// The seed is not the one that was fixed when the queue opened.
    #[error("the seed is another one than was fixed at the opening: it hashes to {found}, published was {published}")]
    Commitment {
        /// Of the seed in the transcript.
        found: String,
        /// What the transcript, or whoever asks, says was published.
        published: String,
    },
    /// Twice in the pool.
    #[error("application {0} is in the draw twice")]
    Twice(Uuid),
    /// The order is not what seed and pool come to.
    #[error("the order is not the one that seed and applications come to: place {place} belongs to {belongs_to}")]
    Order {
        /// The first place that differs, from 1.
        place: usize,
        /// Whose it is, or nobody's.
        belongs_to: String,
    },
}

impl Transcript {
    /// Holds the draw again. `published`: the commitment as somebody noted it at the opening; without it the one in the
    /// transcript is believed.
    pub fn verify(&self, published: Option<&str>) -> Result<(), Flaw> {
        if self.procedure != PROCEDURE {
            return Err(Flaw::Procedure(self.procedure.clone()));
        }
        let seed = Seed::from_hex(&self.seed).ok_or(Flaw::Seed)?;
        let found = commitment(&self.hospital, &self.schedule_id, &seed);
        for published in [Some(self.commitment.as_str()), published].into_iter().flatten() {
            if !found.eq_ignore_ascii_case(published.trim()) {
                return Err(Flaw::Commitment { found, published: published.to_owned() });
            }
        }
        let mut pool = HashSet::new();
        if let Some(twice) = self.applications.iter().find(|one| !pool.insert(**one)) {
            return Err(Flaw::Twice(*twice));
        }
        let drawn = order(&seed, &self.applications);
        let places = drawn.len().max(self.order.len());
        match (0..places).find(|at| drawn.get(*at) != self.order.get(*at)) {
            None => Ok(()),
            Some(at) => {
                let belongs_to = drawn.get(at).map_or_else(|| "nobody".to_owned(), Uuid::to_string);
                Err(Flaw::Order { place: at + 1, belongs_to })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seed(text: &str) -> Seed {
        Seed::from_hex(&text.repeat(32)).unwrap()
    }

    fn transcript(applications: Vec<Uuid>) -> Transcript {
        let seed = seed("5a");
        Transcript {
            procedure: PROCEDURE.to_owned(),
            hospital: "h001".to_owned(),
            schedule_id: "S1".to_owned(),
            commitment: commitment("h001", "S1", &seed),
            seed: seed.to_hex(),
            order: order(&seed, &applications),
            applications,
        }
    }

    fn ids(count: u128) -> Vec<Uuid> {
        (1..=count).map(Uuid::from_u128).collect()
    }

    /// Whoever writes a checker of their own can hold it against this.
    #[test]
    fn r17_the_procedure_stays_what_it_was_published_as() {
        let one = transcript(ids(4));
        assert_eq!(one.commitment, "147a847b70c11ffcdb32d00fc061ee037edfa6bfa27daa5a9df1135aa158a029");
        let order: Vec<u128> = one.order.iter().map(Uuid::as_u128).collect();
        assert_eq!(order, [2, 3, 1, 4]);
        assert_eq!(one.verify(Some(&one.commitment.to_uppercase())), Ok(()));
    }

    #[test]
    fn r17_whatever_is_changed_in_a_transcript_is_found() {
        let good = transcript(ids(9));
        assert_eq!(good.verify(None), Ok(()));
        let changed = |change: &dyn Fn(&mut Transcript)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.verify(None).unwrap_err()
        };
        assert!(matches!(changed(&|bad| bad.procedure = "houbu-draw-0".to_owned()), Flaw::Procedure(_)));
        assert_eq!(changed(&|bad| bad.seed = "5a".to_owned()), Flaw::Seed);
        assert!(matches!(changed(&|bad| bad.seed = "5b".repeat(32)), Flaw::Commitment { .. }));
        assert!(matches!(changed(&|bad| bad.schedule_id = "S2".to_owned()), Flaw::Commitment { .. }));
        assert!(matches!(changed(&|bad| bad.hospital = "h002".to_owned()), Flaw::Commitment { .. }));
        assert_eq!(changed(&|bad| bad.applications[1] = bad.applications[0]), Flaw::Twice(good.applications[0]));
        assert!(matches!(changed(&|bad| bad.order.swap(0, 1)), Flaw::Order { place: 1, .. }));
        assert!(matches!(changed(&|bad| bad.order.truncate(8)), Flaw::Order { place: 9, .. }));
        assert!(matches!(changed(&|bad| bad.applications.truncate(8)), Flaw::Order { .. }));
        let added = changed(&|bad| bad.order.push(Uuid::from_u128(99)));
        assert_eq!(added, Flaw::Order { place: 10, belongs_to: "nobody".to_owned() });
        // Everything agrees, but not with what was published at the opening.
        let noted = commitment("h001", "S1", &seed("5b"));
        assert!(matches!(good.verify(Some(&noted)), Err(Flaw::Commitment { .. })));
    }

    #[test]
    fn r17_a_seed_is_nobodys_to_see_or_to_guess() {
        let (one, two) = (Seed::random().unwrap(), Seed::random().unwrap());
        assert_ne!(one, two);
        assert_eq!(Seed::from_hex(&one.to_hex()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(&one.to_hex()));
        assert_eq!(Seed::from_hex("zz"), None);
    }

    /// Over many seeds each of four applications comes first about equally often: 1,000 each of 4,000, ± five standard
    /// deviations.
    #[test]
    fn r17_nobody_is_favoured() {
        let mut first = [0_u32; 4];
        for nth in 0_u32..4000 {
            let seed = Seed::from_hex(&format!("{nth:064x}")).unwrap();
            first[usize::try_from(order(&seed, &ids(4))[0].as_u128() - 1).unwrap()] += 1;
        }
        assert!(first.iter().all(|count| (863..1137).contains(count)), "{first:?}");
    }

    fn applications() -> impl Strategy<Value = Vec<Uuid>> {
        proptest::collection::hash_set(any::<u128>().prop_map(Uuid::from_u128), 0..40)
            .prop_map(|set| set.into_iter().collect())
    }

    fn any_seed() -> impl Strategy<Value = Seed> {
        any::<[u8; 32]>().prop_map(Seed)
    }

    fn minute(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minutes * 60, 0).unwrap()
    }

    proptest! {
        #[test]
        fn r17_everybody_gets_one_place_whatever_the_order_of_arrival(
            seed in any_seed(), mut pool in applications(), turn in 0_usize..40,
        ) {
            let drawn = order(&seed, &pool);
            let turn = turn.min(pool.len());
            pool.rotate_left(turn);
            prop_assert_eq!(&drawn, &order(&seed, &pool));
            let (mut sorted, mut all) = (drawn, pool);
            sorted.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(sorted, all);
        }

        #[test]
        fn r17_a_transcript_is_verified_after_a_way_through_json(seed in any_seed(), pool in applications()) {
            let one = Transcript {
                procedure: PROCEDURE.to_owned(), hospital: "h".to_owned(), schedule_id: "s".to_owned(),
                commitment: commitment("h", "s", &seed), seed: seed.to_hex(), order: order(&seed, &pool), applications: pool,
            };
            let read: Transcript = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
            prop_assert_eq!(read.verify(Some(&one.commitment)), Ok(()));
        }

        #[test]
        fn r17_two_that_change_places_are_found(seed in any_seed(), pool in applications(), a in 0_usize..40, b in 0_usize..40) {
            let (a, b) = (a % pool.len().max(1), b % pool.len().max(1));
            prop_assume!(pool.len() > 1 && a != b);
            let mut drawn = order(&seed, &pool);
            drawn.swap(a, b);
            let one = Transcript {
                procedure: PROCEDURE.to_owned(), hospital: "h".to_owned(), schedule_id: "s".to_owned(),
                commitment: commitment("h", "s", &seed), seed: seed.to_hex(), order: drawn, applications: pool,
            };
            let found = matches!(one.verify(None), Err(Flaw::Order { .. }));
            prop_assert!(found);
        }

        #[test]
        fn r17_a_draw_leaves_time_before_the_cutoff(opened in 0_i64..100_000, window in 0_u32..20_000, left in -10_i64..20_000) {
            let (opens, cutoff) = (minute(opened), minute(opened + left));
            let held = held_at(opens, window, cutoff);
            prop_assert!(held >= opens);
            prop_assert!(held <= opens + TimeDelta::minutes(window.into()));
            prop_assert!(left <= 0 || held - opens <= cutoff - held);
        }
    }
}
