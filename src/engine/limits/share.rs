//! How many of a destination's calls one worker may have in hand. Pure.
//!
//! Every worker publishes whom it reckons with (its *peers*) and how many calls it may have in hand until it says
//! otherwise (what it *holds*). A worker takes no more than its even share, and no more than all others leave. It takes
//! nothing at all until everybody else reckons with everybody: two workers that look at the same moment take their shares
//! of the same whole. Whoever leaves only makes shares larger, so that needs no agreement.
//!
//! Less counts at once. More counts only after it was published and a second look has shown that nobody came (or came
//! back) meanwhile: of two that publish and then look, at least one sees the other.

use std::collections::BTreeSet;

use uuid::Uuid;

/// What a worker saw of one other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The other one.
    pub worker: Uuid,
    /// With whom it reckons, itself included.
    pub peers: BTreeSet<Uuid>,
}

/// The workers that a worker saw alive, itself not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crew {
    /// The others.
    pub others: Vec<Peer>,
}

impl Crew {
    /// Everybody, `me` included.
    pub fn everybody(&self, me: Uuid) -> BTreeSet<Uuid> {
        self.others.iter().map(|other| other.worker).chain([me]).collect()
    }

    /// True where everybody else reckons with everybody.
    pub fn agrees(&self, me: Uuid) -> bool {
        let everybody = self.everybody(me);
        self.others.iter().all(|other| everybody.is_subset(&other.peers))
    }

    /// The part of `whole` that is `me`'s, where others hold `held` of it.
    pub fn allowance(&self, me: Uuid, whole: u32, held: u32) -> u32 {
        if !self.agrees(me) {
            return 0;
        }
        // The newest get the remainder: in a rolling deploy they are those that stay.
        let newer = self.others.iter().filter(|other| other.worker > me).count();
        let newer = u32::try_from(newer).unwrap_or(u32::MAX);
        let workers = u32::try_from(self.others.len()).unwrap_or(u32::MAX).saturating_add(1);
        whole.saturating_sub(newer).div_ceil(workers).min(whole.saturating_sub(held))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worker(n: usize) -> Uuid {
        Uuid::from_u128(n as u128 + 1)
    }

    /// A worker of the model, and the rows that it has written.
    #[derive(Debug, Clone, Default)]
    struct Model {
        alive: bool,
        /// How often it was thought dead: what it had decided before does not count afterwards.
        lapses: u32,
        allowance: u32,
        in_hand: u32,
        decided: Option<(BTreeSet<Uuid>, u32, u32)>,
        published: Option<(u32, u32)>,
        peers: Option<BTreeSet<Uuid>>,
        holds: u32,
    }

    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Comes(usize),
        Leaves(usize),
        Lapses(usize),
        Returns(usize),
        Looks(usize),
        Writes(usize),
        LooksAgain(usize),
        Calls(usize),
        Answers(usize),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = (0..14_u8, 0..4_usize).prop_map(|(what, n)| match what {
            0 => Deed::Comes(n),
            1 => Deed::Leaves(n),
            2 => Deed::Lapses(n),
            3 => Deed::Returns(n),
            4..6 => Deed::Looks(n),
            6..8 => Deed::Writes(n),
            8..10 => Deed::LooksAgain(n),
            10..13 => Deed::Calls(n),
            _ => Deed::Answers(n),
        });
        proptest::collection::vec(deed, 1..400)
    }

    fn look(crowd: &[Model], n: usize) -> (Crew, u32) {
        let others = || crowd.iter().enumerate().filter(|(other, model)| *other != n && model.alive);
        let crew = Crew {
            others: others()
                .filter_map(|(other, model)| Some(Peer { worker: worker(other), peers: model.peers.clone()? }))
                .collect(),
        };
        (crew, others().map(|(_, model)| model.holds).sum())
    }

    fn act(crowd: &mut [Model], deed: Deed, whole: u32) {
        match deed {
            Deed::Comes(n) if crowd[n].peers.is_none() => {
                let peers = Some(BTreeSet::from([worker(n)]));
                crowd[n] = Model { alive: true, peers, ..Model::default() };
            }
            Deed::Leaves(n) => crowd[n] = Model::default(),
            // Its calls of before count for nobody, and it makes no new ones until it has looked again.
            Deed::Lapses(n) if crowd[n].alive => {
                let model = &mut crowd[n];
                (model.alive, model.lapses, model.in_hand, model.allowance) = (false, model.lapses + 1, 0, 0);
            }
            Deed::Returns(n) if crowd[n].peers.is_some() => crowd[n].alive = true,
            Deed::Looks(n) if crowd[n].peers.is_some() => {
                let (crew, held) = look(crowd, n);
                let allowance = crew.allowance(worker(n), whole, held);
                let model = &mut crowd[n];
                model.allowance = model.allowance.min(allowance);
                model.decided = Some((crew.everybody(worker(n)), allowance, model.lapses));
                model.published = None;
            }
            Deed::Writes(n) => {
                let model = &mut crowd[n];
                if let Some((peers, allowance, lapses)) = model.decided.take() {
                    model.holds = allowance.max(model.in_hand);
                    model.peers = Some(peers);
                    model.published = Some((allowance, lapses));
                }
            }
            Deed::LooksAgain(n) => {
                if let Some((allowance, lapses)) = crowd[n].published.take() {
                    let (crew, held) = look(crowd, n);
                    let now = crew.allowance(worker(n), whole, held);
                    let model = &mut crowd[n];
                    if model.alive && model.lapses == lapses {
                        model.allowance = allowance.min(now);
                    }
                }
            }
            Deed::Calls(n) if crowd[n].in_hand < crowd[n].allowance => crowd[n].in_hand += 1,
            Deed::Answers(n) => crowd[n].in_hand = crowd[n].in_hand.saturating_sub(1),
            Deed::Comes(_) | Deed::Lapses(_) | Deed::Returns(_) | Deed::Looks(_) | Deed::Calls(_) => {}
        }
    }

    proptest! {
        #[test]
        fn together_they_never_have_more_in_hand_than_the_whole(deeds in deeds(), whole in 1..9_u32) {
            let mut crowd = vec![Model::default(); 4];
            for deed in deeds {
                act(&mut crowd, deed, whole);
                let in_hand: u32 = crowd.iter().map(|model| model.in_hand).sum();
                prop_assert!(in_hand <= whole, "{in_hand} of {whole} after {deed:?}: {crowd:#?}");
            }
        }

        #[test]
        fn when_everybody_has_looked_twice_the_whole_is_shared_out(workers in 1..6_usize, whole in 1..40_u32) {
            let mut crowd = vec![Model::default(); workers];
            for n in 0..workers {
                act(&mut crowd, Deed::Comes(n), whole);
            }
            for _ in 0..3 {
                for n in 0..workers {
                    act(&mut crowd, Deed::Looks(n), whole);
                    act(&mut crowd, Deed::Writes(n), whole);
                    act(&mut crowd, Deed::LooksAgain(n), whole);
                }
            }
            let shares: Vec<u32> = crowd.iter().map(|model| model.allowance).collect();
            prop_assert_eq!(shares.iter().sum::<u32>(), whole, "{:?}", shares);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn a_worker_alone_has_everything_and_a_newcomer_waits_to_be_seen() {
        let (me, other) = (worker(0), worker(1));
        assert_eq!(Crew::default().allowance(me, 5, 0), 5);
        let unseen = Crew { others: vec![Peer { worker: other, peers: BTreeSet::from([other]) }] };
        assert_eq!(unseen.allowance(me, 5, 0), 0);
        let seen = Crew { others: vec![Peer { worker: other, peers: BTreeSet::from([me, other]) }] };
        assert_eq!(seen.allowance(me, 5, 3), 2);
        assert_eq!(seen.allowance(me, 5, 5), 0, "the other one still has everything in hand");
    }
}
