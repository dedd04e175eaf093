//! What requests and answers look like, for whoever speaks to this surface in Rust: the very types that it reads and
//! writes, so that nothing is said twice.

pub use super::appointments::{Appointment, Appointments, Wanted as AppointmentsWanted};
pub use super::audit::{Audit, Deed, Wanted as AuditWanted};
pub use super::blacklist::Listing;
pub use super::breaches::{
    Appeal, Appeals, Breach, Breaches, Decision, NamedRule, Rules, Said, Which as AppealsWanted,
};
pub use super::bulks::{
    AtStep, BulkDryRun, Bulks, NewBulk, Onwards as BulksWanted, Refusing, RunFilter, ShownBulk, WouldRefuse,
};
pub use super::departments::{Department, Departments, NewDepartment};
pub use super::destinations::{
    Destination, Destinations, Event as DestinationEvent, Paused as DestinationPaused, WholeDestination,
};
pub use super::draws::{Draw, Stage};
pub use super::health::{Due, Finding, Report};
pub use super::inbox::{Became, Callback, Callbacks, Wanted as CallbacksWanted};
pub use super::jobs::{Job, Jobs, LastRun, Paused as JobPaused, StartedRuns};
pub use super::kpis::{Kpi, Kpis, Wanted as KpisWanted};
pub use super::letters::{Letter, Letters, Retried, Retry, Which as LettersWanted};
pub use super::notices::{Notice, Notices, Over, Resend};
pub use super::patients::{NewPatient, Patient};
pub use super::persons::Because;
pub use super::policies::{CarriedOver, UndonePolicy};
pub use super::problem::ProblemBody;
pub use super::questions::{Answered, Choice, Question, Sitting};
pub use super::reconciliation::{Begun, Case, Cases, Reconciliation, Reconciliations, Which as CasesWanted, Wish};
pub use super::runs::{
    From as HistoryWanted, History, HistoryLine, NewRun, Run, Runs, Signal, Wanted as RunsWanted, WholeRun,
};
pub use super::schedules::{Accepted, Brief, Queue, Release, Schedule, Schedules, Slot, Wanted as SchedulesWanted};
pub use super::signals::{SignalTaken, Unmatched, UnmatchedSignals, Wanted as UnmatchedWanted};
pub use super::staff::{ChoiceLine, Heard, NewAnswer, NewJump, NewSignal, Reason, VerbLine, Verbs, Verdict};
pub use super::templates::{
    Draft, Field, NewText, Preview, Receiver, Stored, TakenBack, Text, Texts, ToLookAt, Versions,
    Which as VersionsWanted, Whose, Written,
};
pub use super::waitlist::{Entries, Entry, NamedOffer, NewEntry, Offer, Patience, Payment, Wanted as EntriesWanted};
pub use crate::desk::apply::PayType;
pub use crate::waitlist::breach::Rule;
pub use crate::waitlist::chance::{Chance, Hint};
pub use crate::waitlist::language::Language;
pub use crate::waitlist::policy::{Level, LevelPolicy, PaymentMode, Switch};
pub use crate::waitlist::status::EntryStatus;
pub use crate::waitlist::template::TemplateName;
