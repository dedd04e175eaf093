//! Who may join a queue: switches and caps of the three levels, asked in the order A, B, C (R2, R3, Q1). The counts of
//! live entries are handed in; whoever counts holds the transaction that inserts.

use super::policy::{CapReading, Level, LevelPolicy, Switch};
use super::refusal::Refusal;

/// One level's settings and how many entries its cap counts.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The level's own settings.
    pub policy: &'a LevelPolicy,
    /// As [`super::policy::CapCounts`] says; by default live entries of all schedules under the level
    /// ([`super::status::EntryStatus::live`]).
    pub live: u32,
}

/// The three levels above one schedule.
#[derive(Debug, Clone, Copy)]
pub struct Standings<'a> {
    /// A.
    pub doctor: Standing<'a>,
    /// B.
    pub department: Standing<'a>,
    /// C.
    pub campus: Standing<'a>,
}

impl<'a> Standings<'a> {
    fn in_order(&self) -> [(Level, Standing<'a>); 3] {
        [(Level::Doctor, self.doctor), (Level::Department, self.department), (Level::Campus, self.campus)]
    }
}

/// Whether one more entry may join (R2, R3). The refusal names the first level that refuses, in the order A, B, C:
/// [`Refusal::WaitlistNotEnabled`] (the campus where no level says anything) or [`Refusal::QueueFull`].
pub fn admit(standings: &Standings<'_>, reading: CapReading) -> Result<(), Refusal> {
    match reading {
        CapReading::AllMustPass => all_must_pass(standings.in_order()),
        CapReading::FirstConfiguredDecides => first_configured_decides(standings.in_order()),
    }
}

/// The caps that an admission stands on, in the order A, B, C; `None` where a level has none or was not asked for it.
pub fn caps_asked(standings: &Standings<'_>, reading: CapReading) -> [Option<u32>; 3] {
    let levels = standings.in_order();
    match reading {
        CapReading::AllMustPass => levels.map(|(_, standing)| standing.policy.cap),
        CapReading::FirstConfiguredDecides => {
            let first = levels.iter().find(|(_, standing)| standing.policy.configured()).map(|(level, _)| *level);
            levels.map(|(level, standing)| standing.policy.cap.filter(|_| first == Some(level)))
        }
    }
}

const NOBODY_ENABLED: Refusal = Refusal::WaitlistNotEnabled { level: Level::Campus };

fn all_must_pass(levels: [(Level, Standing<'_>); 3]) -> Result<(), Refusal> {
    let mut enabled = false;
    let mut full = Ok(());
    for (level, standing) in levels {
        match standing.policy.switch {
            Switch::On => enabled = true,
            // A full level before this one was asked first, and has already refused.
            Switch::Off => return full.and(Err(Refusal::WaitlistNotEnabled { level })),
            Switch::Inherit => {}
        }
        full = full.and_then(|()| has_room(level, standing));
    }
    // "Choose another doctor" would be bad advice where no queue exists at all.
    if enabled { full } else { Err(NOBODY_ENABLED) }
}

fn first_configured_decides(levels: [(Level, Standing<'_>); 3]) -> Result<(), Refusal> {
    let mut from_first = levels.into_iter().skip_while(|(_, standing)| !standing.policy.configured()).peekable();
    let Some(&(first, standing)) = from_first.peek() else { return Err(NOBODY_ENABLED) };
    match from_first.find(|(_, standing)| standing.policy.switch != Switch::Inherit) {
        Some((_, switched)) if switched.policy.switch == Switch::On => has_room(first, standing),
        Some((level, _)) => Err(Refusal::WaitlistNotEnabled { level }),
        None => Err(NOBODY_ENABLED),
    }
}

fn has_room(level: Level, standing: Standing<'_>) -> Result<(), Refusal> {
    // A cap lowered below the count keeps the queue and refuses the new (R2).
    match standing.policy.cap {
        Some(cap) if standing.live >= cap => Err(Refusal::QueueFull { level }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::CapReading::{AllMustPass, FirstConfiguredDecides};
    use super::Level::{Campus, Department, Doctor};
    use super::Switch::{Inherit, Off, On};
    use super::*;

    type Row = (Switch, Option<u32>, u32);

    fn ask(rows: [Row; 3], reading: CapReading) -> Result<(), Refusal> {
        let [a, b, c] = rows.map(|(switch, cap, live)| (LevelPolicy { switch, cap, ..LevelPolicy::default() }, live));
        let standings = Standings {
            doctor: Standing { policy: &a.0, live: a.1 },
            department: Standing { policy: &b.0, live: b.1 },
            campus: Standing { policy: &c.0, live: c.1 },
        };
        admit(&standings, reading)
    }

    fn off(level: Level) -> Result<(), Refusal> {
        Err(Refusal::WaitlistNotEnabled { level })
    }

    fn full(level: Level) -> Result<(), Refusal> {
        Err(Refusal::QueueFull { level })
    }

    #[test]
    fn a_cap_counts_where_it_is_asked() {
        let rows = [(Inherit, None, 0), (On, Some(5), 0), (On, Some(9), 0)];
        let [a, b, c] = rows.map(|(switch, cap, live)| (LevelPolicy { switch, cap, ..LevelPolicy::default() }, live));
        let standings = Standings {
            doctor: Standing { policy: &a.0, live: a.1 },
            department: Standing { policy: &b.0, live: b.1 },
            campus: Standing { policy: &c.0, live: c.1 },
        };
        assert_eq!(caps_asked(&standings, AllMustPass), [None, Some(5), Some(9)]);
        assert_eq!(caps_asked(&standings, FirstConfiguredDecides), [None, Some(5), None]);
    }

    #[test]
    fn r02_q1_the_levels_are_asked_in_order() {
        let silent = (Inherit, None, 9);
        let table = [
            // rows, all must pass, first configured decides
            ([silent; 3], off(Campus), off(Campus)),
            ([(On, None, 9), silent, silent], Ok(()), Ok(())),
            ([silent, (On, None, 9), silent], Ok(()), Ok(())),
            ([silent, silent, (On, Some(10), 9)], Ok(()), Ok(())),
            ([silent, silent, (On, Some(9), 9)], full(Campus), full(Campus)),
            ([(Off, None, 0), (On, None, 0), (On, None, 0)], off(Doctor), off(Doctor)),
            ([(On, None, 0), (Off, None, 0), (On, None, 0)], off(Department), Ok(())),
            ([(On, None, 0), (On, None, 0), (Off, None, 0)], off(Campus), Ok(())),
            ([(On, Some(5), 5), (On, Some(5), 5), (On, None, 0)], full(Doctor), full(Doctor)),
            ([(On, Some(5), 4), (On, Some(5), 5), (On, None, 0)], full(Department), Ok(())),
            ([(On, Some(5), 4), (On, Some(9), 5), (On, Some(20), 20)], full(Campus), Ok(())),
            // A is asked wholly before B.
            ([(On, Some(5), 5), (Off, None, 0), silent], full(Doctor), full(Doctor)),
            // A cap alone: the switch comes from above.
            ([(Inherit, Some(5), 5), silent, (On, None, 0)], full(Doctor), full(Doctor)),
            ([(Inherit, Some(5), 4), silent, (On, Some(1), 1)], full(Campus), Ok(())),
            ([(Inherit, Some(5), 4), (Off, None, 0), (On, None, 0)], off(Department), off(Department)),
            ([(Inherit, Some(5), 5), silent, silent], off(Campus), off(Campus)),
            // No place at all, and a cap lowered below the count.
            ([(On, Some(0), 0), silent, silent], full(Doctor), full(Doctor)),
            ([(On, Some(3), 200), silent, silent], full(Doctor), full(Doctor)),
        ];
        for (rows, all, first) in table {
            assert_eq!(ask(rows, AllMustPass), all, "{rows:?}, all must pass");
            assert_eq!(ask(rows, FirstConfiguredDecides), first, "{rows:?}, first configured decides");
        }
    }

    fn row() -> impl Strategy<Value = Row> {
        (prop_oneof![Just(On), Just(Off), Just(Inherit)], proptest::option::of(0_u32..4), 0_u32..5)
    }

    proptest! {
        #[test]
        fn all_must_pass_is_never_the_laxer(a in row(), b in row(), c in row()) {
            if ask([a, b, c], AllMustPass).is_ok() {
                prop_assert_eq!(ask([a, b, c], FirstConfiguredDecides), Ok(()));
            }
        }

        #[test]
        fn one_more_entry_never_helps(a in row(), b in row(), c in row()) {
            let more = [a, b, c].map(|(switch, cap, live)| (switch, cap, live + 1));
            for reading in [AllMustPass, FirstConfiguredDecides] {
                if ask(more, reading).is_ok() {
                    prop_assert_eq!(ask([a, b, c], reading), Ok(()));
                }
            }
        }

        #[test]
        fn r03_a_cap_admits_exactly_itself(cap in 0_u32..300) {
            let admitted = (0..400).filter(|live| ask([(On, Some(cap), *live), (Inherit, None, 0), (On, None, 0)], AllMustPass).is_ok());
            prop_assert_eq!(admitted.count(), usize::try_from(cap).unwrap());
        }
    }
}
