//! Whether the whole is well: what is known of it goes in, what is wrong comes out, the worst first. Pure.
//!
//! A run that does not move is explained by itself (see [`inspect::why`](super::inspect::why)); here is what keeps many of
//! them, or all, from moving.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::jobs::look::Standing as JobStands;
use super::store::survey::{Backlog, Survey, Ticking};
use super::store::switch::Standing;

/// Something that is due for so long is late: a worker looks five times a second.
const LATE_S: f64 = 30.0;
/// Something that is due for so long does not move by itself.
const STUCK_S: f64 = 300.0;
/// A destination that is down for so long does not just restart.
const DOWN_LONG_S: f64 = 600.0;
/// So long may a worker not look for due runs.
const LOOKED_MAX: Duration = Duration::from_secs(10);
/// So long may a worker not renew its lease: others have taken over its runs by then.
const RENEWED_MAX: Duration = Duration::from_secs(10);
/// Waiting so long for a connection slows every turn.
const WAITED_MAX: Duration = Duration::from_secs(1);
/// Signed requests and deadlines of the outside are off by so much.
const CLOCKS_APART_S: f64 = 2.0;
/// Signatures are refused when clocks are so far apart.
const CLOCKS_FAR_APART_S: f64 = 60.0;
/// A signal that waits for so long waits for a run that does not come.
const UNMATCHED_S: f64 = 3600.0;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Notice,
    /// Somebody should look today.
    Warning,
    /// Somebody must look now: runs stand still.
    Critical,
}

impl Severity {
    /// `notice`, `warning`, `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One process, beside what the database knows of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// How long ago its worker renewed its lease; none: it has no worker.
    pub renewed: Option<Duration>,
    /// How long ago its worker looked for due runs; none: it has no worker.
    pub looked: Option<Duration>,
    /// How long its worker waited for a connection last.
    pub waited: Duration,
    /// A task of its worker that has ended before it was asked to.
    pub lost: Option<&'static str>,
    /// Connections that it may have.
    pub connections_max: u32,
    /// Connections that are busy.
    pub connections_busy: u32,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Nobody works: nothing moves.
    NoWorkers {
        /// Due runs.
        due: i64,
    },
    /// The worker of this process has not renewed its lease.
    LeaseLost {
        /// For so long.
        silent: Duration,
    },
    /// The worker of this process has not looked for due runs.
    NotLooking {
        /// For so long.
        silent: Duration,
    },
    /// A task of the worker of this process has ended by itself.
    TaskLost {
        /// Which.
        task: &'static str,
    },
    /// Bulks cannot go on.
    BulksFailing {
        /// So many.
        count: i64,
        /// Why one of them cannot.
        error: String,
    },
    /// Due runs wait although their destination is there.
    Overdue {
        /// The destination; empty: they call nobody.
        destination: String,
        /// What waits.
        backlog: Backlog,
    },
    /// Due letters wait.
    LettersOverdue {
        /// What waits.
        backlog: Backlog,
    },
    /// Runs stand at a step that no live worker knows.
    Unrunnable {
        /// The workflow.
        workflow: String,
        /// The step.
        step: String,
        /// So many, suspended ones included.
        count: i64,
    },
    /// Turns take longer than any handler may.
    LongTurns {
        /// So many.
        count: i64,
    },
    /// A destination does not answer.
    DestinationDown {
        /// The destination.
        destination: String,
        /// Since when.
        since: Option<DateTime<Utc>>,
        /// It is down for longer than a restart takes.
        long: bool,
        /// What went wrong.
        error: String,
    },
    /// A person has paused a destination.
    DestinationPaused {
        /// The destination.
        destination: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A job could not start its runs; it is tried again.
    JobFailing {
        /// The job.
        job: String,
        /// Starts that failed in a row.
        failures: i32,
        /// Since when.
        since: Option<DateTime<Utc>>,
        /// What went wrong last.
        error: String,
    },
    /// A job's tick is due and no worker that knows the job tries it.
    JobOverdue {
        /// The job.
        job: String,
        /// Since when.
        since: Option<DateTime<Utc>>,
    },
    /// A person has paused a job.
    JobPaused {
        /// The job.
        job: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// A job has no tick left.
    JobEnded {
        /// The job.
        job: String,
    },
    /// Runs wait for a person.
    Suspended {
        /// So many.
        count: i64,
    },
    /// Letters wait for a person.
    LettersSuspended {
        /// So many.
        count: i64,
    },
    /// Turns wait for connections to the database.
    PoolExhausted {
        /// The connections there may be.
        connections_max: u32,
        /// How long one was waited for.
        waited: Duration,
    },
    /// The database's clock and this machine's differ.
    ClocksApart {
        /// How far the database's is ahead, seconds.
        ahead_s: f64,
    },
    /// The clock is set by hand, which no real hospital's is.
    ClockByHand,
    /// History of a month has no table of its own.
    MonthsMissing {
        /// Months.
        count: u32,
    },
    /// Signals wait for runs that do not come.
    Unmatched {
        /// What waits.
        backlog: Backlog,
    },
}

impl Finding {
    /// Its stable name, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoWorkers { .. } => "no_workers",
            Self::LeaseLost { .. } => "lease_lost",
            Self::NotLooking { .. } => "not_looking",
            Self::Overdue { .. } => "overdue",
            Self::TaskLost { .. } => "task_lost",
            Self::BulksFailing { .. } => "bulks_failing",
            Self::LettersOverdue { .. } => "letters_overdue",
            Self::Unrunnable { .. } => "unrunnable",
            Self::LongTurns { .. } => "long_turns",
            Self::DestinationDown { .. } => "destination_down",
            Self::DestinationPaused { .. } => "destination_paused",
            Self::JobFailing { .. } => "job_failing",
            Self::JobOverdue { .. } => "job_overdue",
            Self::JobPaused { .. } => "job_paused",
            Self::JobEnded { .. } => "job_ended",
            Self::Suspended { .. } => "suspended",
            Self::LettersSuspended { .. } => "letters_suspended",
            Self::PoolExhausted { .. } => "pool_exhausted",
            Self::ClocksApart { .. } => "clocks_apart",
            Self::ClockByHand => "clock_by_hand",
            Self::MonthsMissing { .. } => "months_missing",
            Self::Unmatched { .. } => "unmatched_signals",
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        let if_so = |critical| if critical { Severity::Critical } else { Severity::Warning };
        match self {
            Self::NoWorkers { .. }
            | Self::TaskLost { .. }
            | Self::LeaseLost { .. }
            | Self::NotLooking { .. }
            | Self::Unrunnable { .. } => Severity::Critical,
            Self::Overdue { backlog, .. } => if_so(backlog.oldest_s >= STUCK_S),
            Self::DestinationDown { long, .. } => if_so(*long),
            Self::ClocksApart { ahead_s } => if_so(ahead_s.abs() >= CLOCKS_FAR_APART_S),
            Self::LettersOverdue { .. }
            | Self::LongTurns { .. }
            | Self::BulksFailing { .. }
            | Self::JobFailing { .. }
            | Self::JobOverdue { .. }
            | Self::Suspended { .. }
            | Self::LettersSuspended { .. }
            | Self::PoolExhausted { .. }
            | Self::MonthsMissing { .. } => Severity::Warning,
            Self::DestinationPaused { .. }
            | Self::JobPaused { .. }
            | Self::JobEnded { .. }
            | Self::ClockByHand
            | Self::Unmatched { .. } => Severity::Notice,
        }
    }
}

/// What is wrong with the whole, and with one process where one is asked, the worst first.
pub fn assess(survey: &Survey, process: Option<&Process>) -> Vec<Finding> {
    let mut found = work(survey);
    found.extend(survey.destinations.iter().filter_map(destination));
    // Where nobody works no job is late besides.
    let late = |finding: &Finding| !(survey.workers.is_empty() && matches!(finding, Finding::JobOverdue { .. }));
    found.extend(survey.jobs.iter().filter_map(job).filter(late));
    found.extend(people(survey));
    found.extend(ground(survey));
    found.extend(process.into_iter().flat_map(assess_process));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    found
}

/// The worst of it; none: all is well.
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(Finding::severity).max()
}

/// Whether what is due is done.
fn work(survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    if survey.workers.is_empty() {
        found.push(Finding::NoWorkers { due: survey.due.iter().map(|(_, backlog)| backlog.count).sum() });
    } else {
        // What waits for a destination that is down or paused waits for that, and is not late.
        let stands = |name: &str| survey.destinations.iter().any(|one| one.name == name && stands_still(one));
        let late = survey.due.iter().filter(|(name, backlog)| backlog.oldest_s >= LATE_S && !stands(name));
        found.extend(late.map(|(name, backlog)| Finding::Overdue { destination: name.clone(), backlog: *backlog }));
        if survey.letters_late.oldest_s >= STUCK_S {
            found.push(Finding::LettersOverdue { backlog: survey.letters_late });
        }
    }
    found.extend(survey.unrunnable.iter().map(|place| Finding::Unrunnable {
        workflow: place.workflow.clone(),
        step: place.step.clone(),
        count: place.runs,
    }));
    if let Some((count, error)) = survey.bulks_failing.clone() {
        found.push(Finding::BulksFailing { count, error });
    }
    if survey.long_turns > 0 {
        found.push(Finding::LongTurns { count: survey.long_turns });
    }
    found
}

fn stands_still(one: &Standing) -> bool {
    one.is_down() || one.paused_at.is_some()
}

fn destination(one: &Standing) -> Option<Finding> {
    if one.paused_at.is_some() {
        return Some(Finding::DestinationPaused {
            destination: one.name.clone(),
            by: one.paused_by.clone().unwrap_or_default(),
            why: one.paused_why.clone().unwrap_or_default(),
        });
    }
    one.is_down().then(|| Finding::DestinationDown {
        destination: one.name.clone(),
        since: one.opened_at,
        long: one.opened_at.is_some_and(|since| (one.now - since).as_seconds_f64() >= DOWN_LONG_S),
        error: one.last_error.clone().unwrap_or_default(),
    })
}

fn job(one: &Ticking) -> Option<Finding> {
    let (row, job) = (&one.row, one.row.name.clone());
    match one.standing {
        JobStands::Waiting => None,
        JobStands::Failing => Some(Finding::JobFailing {
            job,
            failures: row.failures,
            since: row.failing_since,
            error: row.last_error.clone().unwrap_or_default(),
        }),
        JobStands::Overdue => Some(Finding::JobOverdue { job, since: row.due_at }),
        JobStands::Paused => Some(Finding::JobPaused {
            job,
            by: row.paused_by.clone().unwrap_or_default(),
            why: row.paused_why.clone().unwrap_or_default(),
        }),
        JobStands::Ended => Some(Finding::JobEnded { job }),
    }
}

/// What waits for a person.
fn people(survey: &Survey) -> Vec<Finding> {
    let (runs, letters) = (survey.with_status("suspended"), survey.letters_with("suspended"));
    let runs = (runs > 0).then_some(Finding::Suspended { count: runs });
    let letters = (letters > 0).then_some(Finding::LettersSuspended { count: letters });
    let early = (survey.unmatched.oldest_s >= UNMATCHED_S).then_some(Finding::Unmatched { backlog: survey.unmatched });
    [runs, letters, early].into_iter().flatten().collect()
}

/// What everything stands on.
fn ground(survey: &Survey) -> Vec<Finding> {
    let apart = (survey.clock_ahead_s.abs() >= CLOCKS_APART_S)
        .then_some(Finding::ClocksApart { ahead_s: survey.clock_ahead_s });
    let by_hand = survey.clock_by_hand.then_some(Finding::ClockByHand);
    // Next month's is made ahead; a day that begins without one is bad luck, two that are missing are nobody's work.
    let months = (survey.months_missing > 1).then_some(Finding::MonthsMissing { count: survey.months_missing });
    [apart, by_hand, months].into_iter().flatten().collect()
}

/// What is wrong with one process.
pub fn assess_process(process: &Process) -> Vec<Finding> {
    let silent = |ago: Option<Duration>, most| ago.filter(|ago| *ago > most);
    let lease = silent(process.renewed, RENEWED_MAX).map(|silent| Finding::LeaseLost { silent });
    let looks = silent(process.looked, LOOKED_MAX).map(|silent| Finding::NotLooking { silent });
    let pool = (process.waited >= WAITED_MAX && process.connections_busy >= process.connections_max)
        .then_some(Finding::PoolExhausted { connections_max: process.connections_max, waited: process.waited });
    let lost = process.lost.map(|task| Finding::TaskLost { task });
    [lease, looks, lost, pool].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
