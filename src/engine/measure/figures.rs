//! Every figure that Houbu exposes: its name, kind, unit, labels and meaning. The one truth of it: `/metrics` is made of
//! this table, `docs/operations/metrics.md` is written from it, and the dashboard and the alerts are held against it.

// What a figure means stands in its `help`.
#![allow(missing_docs)]

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Rises only, from the start of the process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations, counted by these upper bounds.
    Histogram(&'static [f64]),
}

/// Whose figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The process that is asked: add up over processes.
    Process,
    /// The whole installation, as the database knows it: every process answers the same, so take the largest.
    Whole,
}

/// A figure with `N` labels.
#[derive(Debug, Clone, Copy)]
pub struct Figure<const N: usize> {
    /// As exposed.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Whose it is.
    pub of: Of,
    /// What is counted or measured; `s` are seconds.
    pub unit: &'static str,
    /// Its labels.
    pub labels: [&'static str; N],
    /// What it says.
    pub help: &'static str,
}

/// A figure whatever its labels, as it stands in [`FIGURES`].
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// As exposed.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Whose it is.
    pub of: Of,
    /// What is counted or measured; `s` are seconds.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl<const N: usize> Figure<N> {
    const fn counts(name: &'static str, unit: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, of: Of::Process, unit, labels, help }
    }

    const fn spreads(
        name: &'static str,
        (unit, bounds): (&'static str, &'static [f64]),
        labels: [&'static str; N],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram(bounds), of: Of::Process, unit, labels, help }
    }

    const fn stands(
        name: &'static str,
        (of, unit): (Of, &'static str),
        labels: [&'static str; N],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, of, unit, labels, help }
    }

    const fn described(&'static self) -> Described {
        let Self { name, kind, of, unit, labels, help } = self;
        Described { name, kind: *kind, of: *of, unit, labels, help }
    }
}

/// Seconds, from a statement to a handler's limit.
const SECONDS: (&str, &[f64]) =
    ("s", &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0]);
/// Seconds that something waited, up to an hour.
const LATENESS: (&str, &[f64]) = ("s", &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0]);
const TURNS_OF_A_BATCH: (&str, &[f64]) = ("turns", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
const RUNS_OF_A_CLAIM: (&str, &[f64]) = ("runs", &[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);

pub static TURNS: Figure<3> = Figure::counts(
    "houbu_turns_total",
    "turns",
    ["workflow", "step", "result"],
    "Turns (one handling of one step) by what came of them",
);
pub static HANDLER_SECONDS: Figure<2> =
    Figure::spreads("houbu_handler_seconds", SECONDS, ["workflow", "step"], "How long the handler of a step took");
pub static RETRIES: Figure<2> = Figure::counts(
    "houbu_retries_total",
    "attempts",
    ["workflow", "class"],
    "Failed attempts that are tried again by themselves, by the class of the fault",
);
pub static SUSPENSIONS: Figure<3> = Figure::counts(
    "houbu_suspensions_total",
    "runs",
    ["workflow", "step", "class"],
    "Runs that a fault suspended for a person",
);
pub static COMMIT_TURNS: Figure<0> =
    Figure::spreads("houbu_commit_turns", TURNS_OF_A_BATCH, [], "Turns that one transaction committed together");
pub static COMMIT_SECONDS: Figure<0> =
    Figure::spreads("houbu_commit_seconds", SECONDS, [], "How long the transaction of a batch of turns took");
pub static CLAIM_RUNS: Figure<0> =
    Figure::spreads("houbu_claim_runs", RUNS_OF_A_CLAIM, [], "Runs that one claim came back with");
pub static CLAIM_SECONDS: Figure<0> = Figure::spreads("houbu_claim_seconds", SECONDS, [], "How long a claim took");
pub static LATENESS_SECONDS: Figure<0> =
    Figure::spreads("houbu_due_lateness_seconds", LATENESS, [], "How long a run had been due when it was claimed");
pub static TURNS_IN_HAND: Figure<0> =
    Figure::stands("houbu_turns_in_hand", (Of::Process, "turns"), [], "Turns that this worker has in hand");
pub static TURNS_MAX: Figure<0> =
    Figure::stands("houbu_turns_max", (Of::Process, "turns"), [], "Turns that this worker may have in hand");
pub static SIGNALS: Figure<1> = Figure::counts(
    "houbu_signals_total",
    "signals",
    ["fate"],
    "Signals that were written, by what became of them; those of a transaction that failed later are among them",
);
pub static LETTERS: Figure<2> = Figure::counts(
    "houbu_letters_total",
    "letters",
    ["topic", "result"],
    "Attempts to deliver a letter, by what came of them",
);
pub static LETTER_SECONDS: Figure<1> =
    Figure::spreads("houbu_letter_seconds", SECONDS, ["topic"], "How long one delivery of a letter took");
pub static HTTP_SECONDS: Figure<3> = Figure::spreads(
    "houbu_http_request_seconds",
    SECONDS,
    ["method", "route", "status"],
    "How long the answer to a request took; its count is the number of requests",
);
pub static REFUSALS: Figure<2> = Figure::counts(
    "houbu_http_refusals_total",
    "requests",
    ["route", "code"],
    "Requests that were not done, by the rule or the fault that said so; a refusal that is repeated under its \
     Idempotency-Key is counted once",
);
pub static POOL_CONNECTIONS: Figure<1> = Figure::stands(
    "houbu_pool_connections",
    (Of::Process, "connections"),
    ["state"],
    "Database connections of this process",
);
pub static POOL_MAX: Figure<0> = Figure::stands(
    "houbu_pool_connections_max",
    (Of::Process, "connections"),
    [],
    "Database connections that this process may have",
);
pub static POOL_WAIT_SECONDS: Figure<0> = Figure::spreads(
    "houbu_pool_wait_seconds",
    SECONDS,
    [],
    "How long the worker's heartbeat, once a second, waited for a connection",
);
pub static RUNS: Figure<2> = Figure::stands(
    "houbu_runs",
    (Of::Whole, "runs"),
    ["workflow", "status"],
    "Runs that have not ended, by workflow and status; `unrunnable` are those at steps that no live worker knows",
);
pub static DUE_RUNS: Figure<1> = Figure::stands(
    "houbu_due_runs",
    (Of::Whole, "runs"),
    ["destination"],
    "Runs that are due and in nobody's hands, by the destination that their step calls",
);
pub static DUE_OLDEST_SECONDS: Figure<1> = Figure::stands(
    "houbu_due_oldest_seconds",
    (Of::Whole, "s"),
    ["destination"],
    "How long the oldest of them has been due; 0 where none is",
);
pub static UNRUNNABLE_RUNS: Figure<2> = Figure::stands(
    "houbu_unrunnable_runs",
    (Of::Whole, "runs"),
    ["workflow", "step"],
    "Runs at steps that no live worker knows, suspended ones included",
);
pub static LONG_TURNS: Figure<0> = Figure::stands(
    "houbu_long_turns",
    (Of::Whole, "turns"),
    [],
    "Turns that have been in hand for longer than any handler may take",
);
pub static LETTERS_WAITING: Figure<1> = Figure::stands(
    "houbu_letters",
    (Of::Whole, "letters"),
    ["status"],
    "Letters that are not settled, by status; the suspended ones await a person",
);
pub static DUE_LETTERS: Figure<0> =
    Figure::stands("houbu_due_letters", (Of::Whole, "letters"), [], "Letters that are due and in nobody's hands");
pub static DUE_LETTERS_OLDEST_SECONDS: Figure<0> = Figure::stands(
    "houbu_due_letters_oldest_seconds",
    (Of::Whole, "s"),
    [],
    "How long the oldest of them has been due; 0 where none is",
);
pub static WORKERS: Figure<0> =
    Figure::stands("houbu_workers", (Of::Whole, "workers"), [], "Workers whose lease stands");
pub static DESTINATION_CALLS: Figure<1> = Figure::stands(
    "houbu_destination_calls",
    (Of::Whole, "calls"),
    ["destination"],
    "Calls in hand at a destination, as of the workers' last heartbeat",
);
pub static DESTINATION_CALLS_MAX: Figure<1> = Figure::stands(
    "houbu_destination_calls_max",
    (Of::Whole, "calls"),
    ["destination"],
    "Calls at one time that a destination takes; fewer while it recovers",
);
pub static DESTINATION_RATE_MAX: Figure<1> = Figure::stands(
    "houbu_destination_rate_max",
    (Of::Whole, "calls/s"),
    ["destination"],
    "Calls a second that a destination takes; absent where it has no such limit",
);
pub static DESTINATION_FAILURES: Figure<1> = Figure::stands(
    "houbu_destination_failures",
    (Of::Whole, "calls"),
    ["destination"],
    "Calls of the last ten seconds that a destination did not answer",
);
pub static DESTINATION_STATE: Figure<2> = Figure::stands(
    "houbu_destination_state",
    (Of::Whole, "1"),
    ["destination", "state"],
    "1 at the state in which a destination is, 0 at the others",
);
pub static UNMATCHED_SIGNALS: Figure<0> = Figure::stands(
    "houbu_unmatched_signals",
    (Of::Whole, "signals"),
    [],
    "Signals that wait for a run that is not there; hints, which nobody misses, are not among them",
);
pub static UNMATCHED_OLDEST_SECONDS: Figure<0> = Figure::stands(
    "houbu_unmatched_oldest_seconds",
    (Of::Whole, "s"),
    [],
    "How long the oldest of them has waited; 0 where none does",
);
pub static JOB_STATE: Figure<2> = Figure::stands(
    "houbu_job_state",
    (Of::Whole, "1"),
    ["job", "state"],
    "1 at the state in which a job is, 0 at the others",
);
pub static JOB_DUE_SECONDS: Figure<1> = Figure::stands(
    "houbu_job_due_seconds",
    (Of::Whole, "s"),
    ["job"],
    "How long a job's tick, or the next attempt at it, has been due; 0 where none is",
);
pub static MONTHS_MISSING: Figure<0> = Figure::stands(
    "houbu_history_months_missing",
    (Of::Whole, "months"),
    [],
    "Of this month and the next, those whose history has no table yet",
);
pub static CLOCK_DIFFERENCE_SECONDS: Figure<0> = Figure::stands(
    "houbu_clock_difference_seconds",
    (Of::Process, "s"),
    [],
    "How far the database's clock is ahead of this machine's",
);

/// All of them, in the order of the document.
pub static FIGURES: [Described; 39] = [
    TURNS.described(),
    HANDLER_SECONDS.described(),
    RETRIES.described(),
    SUSPENSIONS.described(),
    TURNS_IN_HAND.described(),
    TURNS_MAX.described(),
    COMMIT_TURNS.described(),
    COMMIT_SECONDS.described(),
    CLAIM_RUNS.described(),
    CLAIM_SECONDS.described(),
    LATENESS_SECONDS.described(),
    SIGNALS.described(),
    LETTERS.described(),
    LETTER_SECONDS.described(),
    HTTP_SECONDS.described(),
    REFUSALS.described(),
    POOL_CONNECTIONS.described(),
    POOL_MAX.described(),
    POOL_WAIT_SECONDS.described(),
    CLOCK_DIFFERENCE_SECONDS.described(),
    RUNS.described(),
    DUE_RUNS.described(),
    DUE_OLDEST_SECONDS.described(),
    UNRUNNABLE_RUNS.described(),
    LONG_TURNS.described(),
    LETTERS_WAITING.described(),
    DUE_LETTERS.described(),
    DUE_LETTERS_OLDEST_SECONDS.described(),
    WORKERS.described(),
    DESTINATION_CALLS.described(),
    DESTINATION_CALLS_MAX.described(),
    DESTINATION_RATE_MAX.described(),
    DESTINATION_FAILURES.described(),
    DESTINATION_STATE.described(),
    UNMATCHED_SIGNALS.described(),
    UNMATCHED_OLDEST_SECONDS.described(),
    JOB_STATE.described(),
    JOB_DUE_SECONDS.described(),
    MONTHS_MISSING.described(),
];

/// Every label that a figure may have, and what its values are. None of them names a person or a run, and each has few
/// values: those of the program's own tables, or of a list.
pub const LABELS: [(&str, &str); 14] = [
    ("workflow", "a workflow of this program"),
    ("step", "a step of its table"),
    (
        "result",
        "of a turn: `moved`, `ended`, `parked` (it was woken for nothing that it hears), `retried`, `suspended`, `lost` \
         (another one was first), `unsure` (the database did not say); of a letter: `sent`, `suppressed` (no longer \
         true), `undeliverable`, `postponed`, `suspended`",
    ),
    ("class", "`retry`: certainly nothing happened; `unknown`: something may have; `stop`: trying again cannot help"),
    ("fate", "`new`, `duplicate`, `late` (the run had ended), `kept` (its run is not there yet)"),
    ("topic", "what the letter is, by its outlet"),
    ("method", "of the HTTP request; `OTHER` for what is not usual"),
    ("route", "the pattern of the path, never the path; `(none)` where no route matched"),
    ("code", "of the problem in the answer, for example `queue_full`"),
    ("status", "of a request: the HTTP status; of runs and letters: as stored"),
    (
        "state",
        "of connections: `idle`, `busy`; of a destination: `closed` (it is called), `open` (it is down), `half_open` \
         (one call tries it), `paused` (by a person); of a job: `waiting`, `failing` (its last start failed), `overdue` \
         (nobody tries it), `paused`, `ended` (no tick is left)",
    ),
    ("job", "a job of this program, or of another release"),
    ("destination", "`his`, `payments`, `messages`; empty for steps that call nobody"),
    ("le", "upper bound of a histogram's bucket"),
];
