//! Why a verb is not done. Each refusal says what stands in the way; none of them changed anything.

use std::fmt;

use serde::Serialize;

use super::super::RunId;

/// Why a verb is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Refused {
    /// There is no such run.
    NoRun,
    /// This program has no such workflow.
    UnknownWorkflow {
        /// The workflow.
        workflow: String,
    },
    /// The run has ended.
    Ended {
        /// completed, cancelled, faulted.
        status: String,
    },
    /// A worker has it in hand: what it is doing cannot be called back.
    InHand,
    /// It was taken out of a worker's hands so lately that a call may still be under way.
    StillCalling,
    /// Neither suspended nor backing off.
    NotSuspended,
    /// It is suspended already.
    AlreadySuspended,
    /// A person suspended it: there is no fault to try again.
    SuspendedByStaff,
    /// It stands there already.
    AlreadyThere {
        /// The step.
        step: String,
    },
    /// The table has no such step or ending.
    UnknownStep {
        /// What was asked for.
        step: String,
        /// What there is.
        steps: Vec<String>,
    },
    /// The present step has no such outcome.
    NotAnOutcome {
        /// The present step.
        step: String,
        /// What was asked for.
        outcome: String,
        /// What there is.
        outcomes: Vec<String>,
    },
    /// The workflow hears no such signal.
    UnknownSignal {
        /// What was asked for.
        signal: String,
        /// What there is.
        signals: Vec<String>,
    },
    /// The workflow cannot read what goes with the signal.
    PayloadUnreadable {
        /// Why.
        why: String,
    },
    /// The run's state, changed as asked, cannot be read.
    StateUnreadable {
        /// Why.
        why: String,
    },
    /// To stand at that step the run must know what it does not.
    Lacks {
        /// The step or ending.
        step: String,
        /// What the patch would have to say.
        lacks: Vec<String>,
    },
    /// Something that is owed, or may be, would never be given back.
    WouldStrand {
        /// What is owed.
        owed: Vec<String>,
        /// Where a jump would strand nothing.
        instead: Vec<String>,
    },
    /// What would follow from it in the workflow's own tables contradicts what stands there.
    Contradicts {
        /// The rule of the tables.
        rule: String,
    },
    /// A run below it refuses, so nothing is done to any.
    InTree {
        /// Which one.
        run: RunId,
        /// Why.
        refused: Box<Refused>,
    },
}

impl Refused {
    /// The stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRun => "not_found",
            Self::UnknownWorkflow { .. } => "unknown_workflow",
            Self::Ended { .. } => "run_ended",
            Self::InHand => "run_in_hand",
            Self::StillCalling => "still_calling",
            Self::NotSuspended => "not_suspended",
            Self::AlreadySuspended => "already_suspended",
            Self::SuspendedByStaff => "suspended_by_staff",
            Self::AlreadyThere { .. } => "already_there",
            Self::UnknownStep { .. } => "unknown_step",
            Self::NotAnOutcome { .. } => "not_an_outcome",
            Self::UnknownSignal { .. } => "unknown_signal",
            Self::PayloadUnreadable { .. } => "invalid_request",
            Self::StateUnreadable { .. } => "state_unreadable",
            Self::Lacks { .. } => "state_lacks",
            Self::WouldStrand { .. } => "would_strand",
            Self::Contradicts { .. } => "contradicts",
            Self::InTree { .. } => "refused_below",
        }
    }

    /// What is owed and what could be done instead, where the refusal knows it.
    pub fn alternatives(&self) -> (&[String], &[String]) {
        match self {
            Self::WouldStrand { owed, instead } => (owed, instead),
            Self::UnknownStep { steps: instead, .. }
            | Self::NotAnOutcome { outcomes: instead, .. }
            | Self::UnknownSignal { signals: instead, .. } => (&[], instead),
            Self::InTree { refused, .. } => refused.alternatives(),
            _ => (&[], &[]),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRun => f.write_str("there is no such run"),
            Self::UnknownWorkflow { workflow } => write!(f, "this program has no workflow {workflow}"),
            Self::Ended { status } => write!(f, "the run has ended ({status})"),
            Self::InHand => f.write_str("a worker has the run in hand: try again in a moment, or suspend it first"),
            Self::StillCalling => f.write_str(
                "the run was suspended in a worker's hands, and what that worker called may still be under way: resume it, \
                 or try again in two minutes",
            ),
            Self::NotSuspended => f.write_str("the run is neither suspended nor backing off"),
            Self::AlreadySuspended => f.write_str("the run is suspended already"),
            Self::SuspendedByStaff => f.write_str("a person suspended the run: resume it"),
            Self::AlreadyThere { step } => write!(f, "the run stands at {step} already"),
            Self::UnknownStep { step, steps } => {
                write!(f, "the workflow has no step {step}; it has {}", steps.join(", "))
            }
            Self::NotAnOutcome { step, outcome, outcomes } => {
                write!(f, "{step} has no outcome {outcome}; it has {}", outcomes.join(", "))
            }
            Self::UnknownSignal { signal, signals } => {
                write!(f, "the workflow hears no signal {signal}; it hears {}", signals.join(", "))
            }
            Self::PayloadUnreadable { why } | Self::StateUnreadable { why } => f.write_str(why),
            Self::Lacks { step, lacks } => {
                write!(f, "at {step} the run must know {}: say it in the patch", lacks.join(" and "))
            }
            Self::WouldStrand { owed, instead } if instead.is_empty() => write!(
                f,
                "{} is owed or may be, and from nowhere in the table is it certain to be given back: retry the step, or \
                 answer what became of it",
                owed.join(" and ")
            ),
            Self::WouldStrand { owed, instead } => write!(
                f,
                "{} is owed or may be, and would be stranded; safe to jump to: {}",
                owed.join(" and "),
                instead.join(", ")
            ),
            Self::Contradicts { rule } => {
                write!(f, "what would follow from it contradicts what stands in the workflow's own tables ({rule})")
            }
            Self::InTree { run, refused } => write!(f, "the run {run} below it refuses: {refused}"),
        }
    }
}
