//! What a workflow declares, as data: the proof, the chart and the console read nothing else.

use super::retry::RetryPolicy;

/// One workflow.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The workflow's name, as stored with every run.
    pub name: &'static str,
    /// What it is for, one paragraph.
    pub doc: &'static str,
    /// Where a run may begin.
    pub starts: &'static [&'static str],
    /// Where a run may end.
    pub ends: &'static [&'static str],
    /// The endings that nobody is told of.
    pub quiet: &'static [&'static str],
    /// Where a run is sent that a person cancels; `None`: it ends where it stands, if it owes nothing.
    pub cancels: Option<&'static str>,
    /// The steps in the order of declaration.
    pub steps: &'static [StepRow],
}

/// One step and the outcomes of its handler.
#[derive(Debug, Clone, Copy)]
pub struct StepRow {
    /// The step, a noun.
    pub name: &'static str,
    /// What happens here.
    pub doc: &'static str,
    /// The signals that it waits for; empty for a step that acts.
    pub hears: &'static [&'static str],
    /// The name of its deadline's rule; `None` for a step that acts.
    pub until: Option<&'static str>,
    /// The destination that it calls, whose limits it keeps; `None` where it calls nobody.
    pub lane: Option<&'static str>,
    /// True for a step that acts and is decided by the run's state alone: it calls nobody and sees no clock.
    pub by_state: bool,
    /// What goes first where not everything can go at once.
    pub priority: Priority,
    /// The signals that say no more than "look": one that acts has looked by then, so its turn reads all that came before.
    pub absorbs: &'static [&'static str],
    /// How it is retried; `None`: as its workflow is.
    pub retry: Option<RetryPolicy>,
    /// What its handler may decide.
    pub outcomes: &'static [OutcomeRow],
}

/// What goes first where not everything can go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody holds something that runs out.
    Urgent,
    /// As it comes.
    Normal,
    /// Can wait for everything else.
    Bulk,
}

impl Priority {
    /// As stored: 0, 1, 2.
    pub const fn stored(self) -> i16 {
        match self {
            Self::Urgent => 0,
            Self::Normal => 1,
            Self::Bulk => 2,
        }
    }
}

/// One outcome: what it opens, what it closes, where it leads.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeRow {
    /// The outcome.
    pub name: &'static str,
    /// Obligations that exist from here on (money held, a lock held).
    pub opens: &'static [&'static str],
    /// Obligations that certainly do not exist any more.
    pub closes: &'static [&'static str],
    /// The next step, or an ending.
    pub next: &'static str,
}

/// What a handler decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The outcome's name.
    pub outcome: &'static str,
    /// Where the table sends it.
    pub next: &'static str,
}

impl Table {
    /// The row of a step; `None` for an ending or a name that this table does not have.
    pub fn step(&self, name: &str) -> Option<&'static StepRow> {
        self.steps.iter().find(|row| row.name == name)
    }

    /// True where a run that is there has ended.
    pub fn is_ending(&self, name: &str) -> bool {
        self.ends.contains(&name)
    }
}

impl StepRow {
    /// The lane as stored.
    pub fn lane_stored(&self) -> &'static str {
        self.lane.unwrap_or_default()
    }

    /// What is owed after `outcome`, where `owed` was owed before.
    pub fn owed_after(&self, owed: &[String], outcome: &str) -> Vec<String> {
        let Some(row) = self.outcomes.iter().find(|row| row.name == outcome) else { return owed.to_vec() };
        let opened = row.opens.iter().filter(|one| !owed.iter().any(|owed| owed == *one)).map(|one| (*one).to_owned());
        owed.iter().cloned().chain(opened).filter(|one| !row.closes.contains(&one.as_str())).collect()
    }

    /// True for a step that waits for a signal or its deadline, false for one that acts.
    pub fn waits(&self) -> bool {
        self.until.is_some()
    }
}
