//! The proof: on no path of a workflow is an ending reached with an obligation open.
//!
//! Pure. It walks every pair of (step, open obligations); there are few, so it walks all. Beside that: every step is
//! reached and leads to an ending, every wait has a deadline, every ending that is not quiet is told to somebody.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;

use super::flow::{Edge, Effect};
use super::registry::Mounted;
use super::table::{StepRow, Table};

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// An ending is reached with obligations open.
    Owing {
        /// What is owed.
        owed: Vec<&'static str>,
        /// The path, as `Step/Outcome` and the ending.
        path: Vec<String>,
    },
    /// No path leads to this step or ending.
    Unreachable(&'static str),
    /// From this step no ending can be reached.
    Endless(&'static str),
    /// This step waits for signals without a deadline.
    Deadlineless(&'static str),
    /// This step absorbs a signal and looks at nothing itself, or one that no step hears.
    Absorbing(&'static str),
    /// On this move an ending is reached and nobody is told.
    Untold {
        /// The step and the outcome, as `Step/Outcome`.
        by: String,
        /// The ending.
        ending: &'static str,
    },
    /// Whether endings are told cannot be tried: the workflow has no state to try it on.
    NoSample(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owing { owed, path } => {
                write!(f, "an ending is reached while {} is still open: {}", owed.join(" and "), path.join(" → "))
            }
            Self::Unreachable(step) => write!(f, "nothing leads to {step}"),
            Self::Endless(step) => write!(f, "from {step} no ending can be reached"),
            Self::Deadlineless(step) => write!(f, "{step} waits without a deadline"),
            Self::Absorbing(step) => write!(f, "{step} absorbs a signal that it does not act on, or that nobody hears"),
            Self::Untold { by, ending } => write!(f, "nobody is told of the ending {by} → {ending}"),
            Self::NoSample(why) => write!(f, "whether endings are told cannot be tried: {why}"),
        }
    }
}

/// What a sound table has: figures for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Steps and endings.
    pub places: usize,
    /// Outcomes.
    pub outcomes: usize,
    /// Pairs of (step, open obligations) that were walked.
    pub walked: usize,
}

type Owed = BTreeSet<&'static str>;
/// A step or ending, and what is owed there.
type Place = (&'static str, Owed);
/// Each place that is reached, and the place and outcome that led there first.
type CameFrom = HashMap<Place, Option<(Place, &'static str)>>;

/// Walks the table. The flaws are in words that a person can follow; a path is the shortest that shows its flaw.
pub fn prove(table: &Table) -> Result<Proof, Vec<Flaw>> {
    let (walked, mut flaws) = walk(table);
    let reached: HashSet<&str> = walked.iter().map(|(step, _)| *step).collect();
    for place in table.steps.iter().map(|row| row.name).chain(table.ends.iter().copied()) {
        if !reached.contains(place) {
            flaws.push(Flaw::Unreachable(place));
        }
    }
    flaws.extend(endless(table));
    let deadlineless = table.steps.iter().filter(|row| !row.hears.is_empty() && row.until.is_none());
    flaws.extend(deadlineless.map(|row| Flaw::Deadlineless(row.name)));
    let heard = |signal: &&'static str| table.steps.iter().any(|row| row.hears.contains(signal));
    let absorbing = |row: &&StepRow| !row.absorbs.is_empty() && (row.waits() || !row.absorbs.iter().all(&heard));
    flaws.extend(table.steps.iter().filter(absorbing).map(|row| Flaw::Absorbing(row.name)));
    if !flaws.is_empty() {
        return Err(flaws);
    }
    Ok(Proof {
        places: table.steps.len() + table.ends.len(),
        outcomes: table.steps.iter().map(|row| row.outcomes.len()).sum(),
        walked: walked.len(),
    })
}

/// The same of a mounted workflow, whose own rules say what each ending tells.
pub fn prove_mounted(mounted: &dyn Mounted) -> Result<Proof, Vec<Flaw>> {
    let untold = untold(mounted);
    match prove(mounted.table()) {
        Ok(proof) if untold.is_empty() => Ok(proof),
        Ok(_) => Err(untold),
        Err(mut flaws) => {
            flaws.extend(untold);
            Err(flaws)
        }
    }
}

/// Moves to endings of which nobody is told, tried on the workflow's sample.
fn untold(mounted: &dyn Mounted) -> Vec<Flaw> {
    let table = mounted.table();
    let into_endings = || {
        table
            .steps
            .iter()
            .flat_map(|row| row.outcomes.iter().map(move |outcome| (row, outcome)))
            .filter(|(_, outcome)| table.is_ending(outcome.next) && !table.quiet.contains(&outcome.next))
    };
    if into_endings().next().is_none() {
        return Vec::new();
    }
    let sample = match mounted.sample() {
        Ok(Some(sample)) => sample,
        Ok(None) => return vec![Flaw::NoSample("there is no sample".to_owned())],
        Err(fault) => return vec![Flaw::NoSample(fault.to_string())],
    };
    into_endings()
        .filter_map(|(row, outcome)| {
            let edge = Edge { from: Some(row.name), outcome: Some(outcome.name), to: outcome.next };
            match mounted.effects(super::RunId::nil(), &edge, &sample) {
                Ok(effects) if effects.iter().any(|effect| matches!(effect, Effect::Tell(_))) => None,
                Ok(_) => Some(Flaw::Untold { by: format!("{}/{}", row.name, outcome.name), ending: outcome.next }),
                Err(fault) => Some(Flaw::NoSample(fault.to_string())),
            }
        })
        .collect()
}

/// Every reachable (place, owed), and every ending among them that owes something.
fn walk(table: &Table) -> (HashSet<Place>, Vec<Flaw>) {
    let mut came_from = CameFrom::new();
    let mut queue = VecDeque::new();
    for start in table.starts {
        let place = (*start, Owed::new());
        came_from.insert(place.clone(), None);
        queue.push_back(place);
    }
    let mut flaws = Vec::new();
    while let Some(place) = queue.pop_front() {
        let Some(row) = table.step(place.0) else {
            if !place.1.is_empty() {
                let owed = place.1.iter().copied().collect();
                flaws.push(Flaw::Owing { owed, path: path_to(&came_from, place) });
            }
            continue;
        };
        for (outcome, next) in onward(table, row, &place.1) {
            if !came_from.contains_key(&next) {
                came_from.insert(next.clone(), Some((place.clone(), outcome)));
                queue.push_back(next);
            }
        }
    }
    (came_from.into_keys().collect(), flaws)
}

/// Where a step leads with `owed` open: by each outcome, and by a person's cancel, which may find anything open that the
/// step's own calls open.
fn onward(table: &Table, row: &StepRow, owed: &Owed) -> Vec<(&'static str, Place)> {
    let mut ways: Vec<(&'static str, Place)> = Vec::new();
    for outcome in row.outcomes {
        let mut owed = owed.clone();
        owed.extend(outcome.opens);
        owed.retain(|obligation| !outcome.closes.contains(obligation));
        ways.push((outcome.name, (outcome.next, owed)));
    }
    if let Some(cancels) = table.cancels.filter(|step| *step != row.name) {
        ways.push((CANCELLED, (cancels, owed.clone())));
        if !row.waits() {
            let mut owed = owed.clone();
            owed.extend(row.outcomes.iter().flat_map(|outcome| outcome.opens));
            ways.push((CANCELLED, (cancels, owed)));
        }
    }
    ways
}

/// How a person's cancel is called in a path.
const CANCELLED: &str = "(cancelled)";

/// The way back from `place` to a start, turned round.
fn path_to(came_from: &CameFrom, place: Place) -> Vec<String> {
    let mut path = vec![place.0.to_owned()];
    let mut at = &place;
    while let Some(Some((before, outcome))) = came_from.get(at) {
        path.push(format!("{}/{outcome}", before.0));
        at = before;
    }
    path.reverse();
    path
}

/// Steps from which no ending can be reached.
fn endless(table: &Table) -> Vec<Flaw> {
    let mut ending: HashSet<&str> = table.ends.iter().copied().collect();
    loop {
        let before = ending.len();
        for row in table.steps {
            if row.outcomes.iter().any(|outcome| ending.contains(outcome.next)) {
                ending.insert(row.name);
            }
        }
        if ending.len() == before {
            return table
                .steps
                .iter()
                .filter(|row| !ending.contains(row.name))
                .map(|r| Flaw::Endless(r.name))
                .collect();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::table::{OutcomeRow, Priority};
    use super::*;

    const fn to(name: &'static str, next: &'static str) -> OutcomeRow {
        OutcomeRow { name, opens: &[], closes: &[], next }
    }

    const fn step(name: &'static str, outcomes: &'static [OutcomeRow]) -> StepRow {
        StepRow {
            name,
            doc: "",
            hears: &[],
            absorbs: &[],
            until: None,
            by_state: false,
            lane: None,
            priority: Priority::Normal,
            retry: None,
            outcomes,
        }
    }

    const PAID: &[OutcomeRow] = &[OutcomeRow { name: "Paid", opens: &["Money"], closes: &[], next: "Settlement" }];
    const REFUNDED: &[OutcomeRow] = &[OutcomeRow { name: "Refunded", opens: &[], closes: &["Money"], next: "Closed" }];
    const SKIPPED: &[OutcomeRow] = &[to("Skipped", "Closed")];
    const FORK: &[OutcomeRow] = &[to("Again", "Payment"), to("Gone", "Loop")];
    const CHECK: &[OutcomeRow] = &[to("Right", "Closed")];
    const ROUND: &[OutcomeRow] = &[to("Round", "Loop")];

    const SOUND: Table = Table {
        name: "order",
        doc: "",
        starts: &["Payment"],
        ends: &["Closed"],
        quiet: &[],
        cancels: None,
        steps: &[step("Payment", PAID), step("Settlement", REFUNDED)],
    };
    const SKIPS: Table = Table { steps: &[step("Payment", PAID), step("Settlement", SKIPPED)], ..SOUND };
    const LOOPS: Table =
        Table { steps: &[step("Payment", FORK), step("Loop", ROUND), step("Island", SKIPPED)], ..SOUND };

    #[test]
    fn a_table_that_settles_is_sound() {
        assert_eq!(prove(&SOUND), Ok(Proof { places: 3, outcomes: 2, walked: 3 }));
    }

    #[test]
    fn a_path_past_settlement_is_named() {
        let flaws = prove(&SKIPS).unwrap_err();
        assert_eq!(
            flaws[0].to_string(),
            "an ending is reached while Money is still open: Payment/Paid → Settlement/Skipped → Closed"
        );
    }

    #[test]
    fn lost_steps_and_endless_loops_are_named() {
        let flaws: Vec<String> = prove(&LOOPS).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(flaws.contains(&"nothing leads to Island".to_owned()), "{flaws:?}");
        assert!(flaws.contains(&"from Loop no ending can be reached".to_owned()), "{flaws:?}");
    }

    /// A cancel is a way of every step: what a call that was not heard of may have opened is among what it leaves open.
    #[test]
    fn a_cancel_that_leaves_something_owing_is_named() {
        let safe = Table { cancels: Some("Settlement"), ..SOUND };
        assert!(prove(&safe).is_ok());
        let past = Table {
            cancels: Some("Check"),
            steps: const { &[step("Payment", PAID), step("Settlement", REFUNDED), step("Check", CHECK)] },
            ..SOUND
        };
        let flaws: Vec<String> = prove(&past).unwrap_err().iter().map(ToString::to_string).collect();
        let path = "an ending is reached while Money is still open: Payment/(cancelled) → Check/Right → Closed";
        assert!(flaws.contains(&path.to_owned()), "{flaws:?}");
    }
}
