//! What a worker leaves to workers of another release, and what it mends that they parked.
//!
//! A step may hear more in one release than in another. While both work, the worker that hears less leaves the step to
//! the one that hears more: it claims no run there, and a run that it leads there it queues. So a signal that it has never
//! heard of is neither passed over nor kept waiting by it. The worker that hears more gives its ears to the runs that
//! others parked there with fewer: when it begins, when it meets such a worker, and when that one is gone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::preflight::Knows;
use super::store::crew::Ears;

/// Beats in which runs are looked through after a worker that hears less came or went: until it has certainly seen us.
const LOOKS: u32 = 5;

/// See the module.
pub(super) struct Releases {
    ours: Knows,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The steps at which another one hears more than we do.
    left: BTreeSet<String>,
    /// What is claimed: what we know, without those.
    claims: Arc<Vec<String>>,
    /// The steps at which another one hears less than we do.
    fewer: BTreeSet<String>,
    /// The steps that are still looked through, and how often.
    looks: (BTreeSet<String>, u32),
}

impl Releases {
    /// As long as nobody has been met.
    pub(super) fn new(ours: Knows) -> Self {
        let claims = Arc::new(ours.steps.clone());
        let (left, fewer, looks) = (BTreeSet::new(), BTreeSet::new(), (hearing(&ours), 1));
        Self { ours, inner: Mutex::new(Inner { left, claims, fewer, looks }) }
    }

    fn ears(&self, place: &str) -> Option<Ears> {
        let (workflow, step) = place.split_once('/')?;
        let signals = ears(&self.ours, place).into_iter().map(str::to_owned).collect();
        Some(Ears { workflow: workflow.to_owned(), step: step.to_owned(), signals })
    }

    /// What this release can run.
    pub(super) fn ours(&self) -> &Knows {
        &self.ours
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every `workflow/step` that this worker claims now.
    pub(super) fn claims(&self) -> Arc<Vec<String>> {
        self.with(|inner| Arc::clone(&inner.claims))
    }

    /// Whether a step is left to workers that hear more there.
    pub(super) fn leaves(&self, workflow: &str, step: &str) -> bool {
        self.with(|inner| !inner.left.is_empty() && inner.left.contains(&format!("{workflow}/{step}")))
    }

    /// These of other releases are alive now. Answers the ears to be given to the runs of some steps, mostly of none.
    pub(super) fn meets(&self, others: &[Knows]) -> Vec<Ears> {
        let left: BTreeSet<String> = others.iter().flat_map(|other| steps_with_more(&self.ours, other)).collect();
        let fewer: BTreeSet<String> = others.iter().flat_map(|other| steps_with_more(other, &self.ours)).collect();
        self.with(|inner| {
            if inner.left != left {
                let claims = self.ours.steps.iter().filter(|step| !left.contains(*step)).cloned().collect();
                inner.claims = Arc::new(claims);
                inner.left = left;
            }
            if inner.fewer != fewer {
                inner.looks.0.extend(inner.fewer.iter().chain(&fewer).cloned());
                inner.looks.1 = LOOKS;
                inner.fewer = fewer;
            }
            match inner.looks.1.checked_sub(1) {
                Some(left) => inner.looks.1 = left,
                None => inner.looks.0.clear(),
            }
            inner.looks.0.iter().filter_map(|step| self.ears(step)).collect()
        })
    }
}

/// The steps of both at which `more` hears all that `less` hears, and something besides.
fn steps_with_more<'a>(less: &'a Knows, more: &'a Knows) -> impl Iterator<Item = String> + 'a {
    let both = less.steps.iter().filter(|step| more.steps.contains(step));
    both.filter(|step| {
        let (less, more) = (ears(less, step), ears(more, step));
        less.len() < more.len() && less.is_subset(&more)
    })
    .cloned()
}

/// The signals that a step (`workflow/step`) hears.
fn ears<'a>(knows: &'a Knows, step: &str) -> BTreeSet<&'a str> {
    knows.signals.iter().filter_map(|signal| signal.strip_prefix(step)?.strip_prefix('/')).collect()
}

/// Every step that hears something.
fn hearing(knows: &Knows) -> BTreeSet<String> {
    knows.signals.iter().filter_map(|signal| signal.rsplit_once('/')).map(|(step, _)| step.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(signals: &[&str]) -> Knows {
        let signals: Vec<String> = signals.iter().map(|&signal| signal.to_owned()).collect();
        let mut steps: BTreeSet<String> = ["w/Act", "w/Wait", "w/Rest"].map(str::to_owned).into();
        steps.retain(|step| step != "w/Rest" || signals.iter().any(|signal| signal.starts_with("w/Rest")));
        Knows { steps: steps.into_iter().collect(), signals }
    }

    fn steps(ears: Vec<Ears>) -> Vec<String> {
        ears.into_iter().map(|one| one.step).collect()
    }

    #[test]
    fn who_hears_less_leaves_the_step() {
        let (few, more, other) = (knows(&["w/Wait/A"]), knows(&["w/Wait/A", "w/Wait/B"]), knows(&["w/Wait/C"]));
        let table = [
            (&few, vec![more.clone()], true),
            (&more, vec![few.clone()], false),
            (&few, vec![few.clone()], false),
            // Neither hears all that the other does: both go on as they can.
            (&few, vec![other.clone()], false),
            (&few, vec![other.clone(), more.clone()], true),
        ];
        for (ours, others, leaves) in table {
            let releases = Releases::new(ours.clone());
            releases.meets(&others);
            assert_eq!(releases.leaves("w", "Wait"), leaves, "{ours:?} beside {others:?}");
            assert_eq!(!releases.claims().contains(&"w/Wait".to_owned()), leaves);
            assert!(releases.claims().contains(&"w/Act".to_owned()) && !releases.leaves("w", "Act"));
            releases.meets(&[]);
            assert!(!releases.leaves("w", "Wait"), "nobody is left who would do it");
        }
    }

    #[test]
    fn parked_runs_get_our_ears_when_we_begin_and_around_the_life_of_who_hears_less() {
        let releases = Releases::new(knows(&["w/Wait/A", "w/Wait/B", "w/Rest/A"]));
        assert_eq!(steps(releases.meets(&[])), ["Rest", "Wait"], "in the beginning everywhere");
        assert_eq!(steps(releases.meets(&[])), [] as [&str; 0]);
        let less = [knows(&["w/Wait/A"])];
        for _ in 0..LOOKS {
            assert_eq!(steps(releases.meets(&less)), ["Wait"], "the other one does not know our step Rest");
        }
        assert_eq!(steps(releases.meets(&less)), [] as [&str; 0]);
        assert_eq!(steps(releases.meets(&[])), ["Wait"], "what it parked while it had not seen us");
        for _ in 1..LOOKS {
            releases.meets(&[]);
        }
        assert_eq!(steps(releases.meets(&[])), [] as [&str; 0]);
    }
}
