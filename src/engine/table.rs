//! What a workflow declares, as data: the proof, the chart and the console read nothing else.

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
    /// What its handler may decide.
    pub outcomes: &'static [OutcomeRow],
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
    /// True for a step that waits for a signal or its deadline, false for one that acts.
    pub fn waits(&self) -> bool {
        self.until.is_some()
    }
}
