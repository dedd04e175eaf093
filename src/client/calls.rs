//! Every call behind an API key, a line each: method, path, name, query, body, answer. A test holds the list against the
//! description: each operation is here, and its examples are read by the types that are named here.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::asking::Asked;
#[allow(clippy::wildcard_imports)]
use super::shapes::*;
use super::{Client, Error, Reply};

/// Whether a text of JSON can be read as a type.
pub type Reads = fn(&str) -> Result<(), serde_json::Error>;

fn reads<T: for<'a> Deserialize<'a>>(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<T>(text).map(|_| ())
}

/// A call, as the description names it.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its method.
    pub method: &'static str,
    /// Its path, with names in braces.
    pub path: &'static str,
    /// The method of [`Client`] that makes it.
    pub name: &'static str,
    /// Reads what it sends; nothing where it has no body.
    pub sends: &'static [Reads],
    /// Reads what is answered.
    pub answers: Reads,
}

/// What is answered to a bulk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BulkAnswer {
    /// With `dryRun`: what it would do.
    Would(BulkDryRun),
    /// It has begun.
    Begun(Box<ShownBulk>),
}

/// What a call is given, or nothing.
macro_rules! given {
    () => {
        None::<&()>
    };
    ($kind:ident $it:ident) => {
        Some($it)
    };
}

macro_rules! calls {
    ($(
        $(#[doc = $doc:literal])*
        $method:ident $path:literal $name:ident($($part:ident: $kind:ty),*)
            $(query $query:ident)? $(body $body:ident)? => $answer:ty;
    )*) => {
        impl Client {
            $(
                $(#[doc = $doc])*
                ///
                #[doc = concat!("`", stringify!($method), " ", $path, "`")]
                pub async fn $name(
                    &self,
                    $($part: $kind,)*
                    $(query: &$query,)?
                    $(body: &$body,)?
                ) -> Result<Reply<$answer>, Error> {
                    let asked = Asked { method: Method::$method, path: $path, parts: vec![$($part.to_string()),*] };
                    self.ask(asked, given!($($query query)?), given!($($body body)?)).await
                }
            )*
        }

        /// All of them.
        pub const CALLS: &[Call] = &[$(Call {
            method: stringify!($method),
            path: $path,
            name: stringify!($name),
            sends: &[$(reads::<$body>)?],
            answers: reads::<$answer>,
        }),*];
    };
}

calls! {
    // Scope `waitlist`.

    /// Schedules with their fullness and the state of their queues (R1).
    GET "/v1/schedules" schedules() query SchedulesWanted => Schedules;
    /// One schedule's queue: whether one more may join, and on what terms.
    GET "/v1/schedules/{scheduleId}/waitlist" queue(schedule_id: &str) => Queue;
    /// A place was freed on the hospital's own site (R13).
    POST "/v1/schedules/{scheduleId}/releases" release(schedule_id: &str) body Release => Accepted;
    /// The draw of a schedule's queue (R17).
    GET "/v1/schedules/{scheduleId}/draw" draw(schedule_id: &str) => Draw;
    /// Joins a queue.
    POST "/v1/waitlist" apply() body NewEntry => Entry;
    /// A patient's applications, one page; all of them: [`Client::every`].
    GET "/v1/waitlist" entries() query EntriesWanted => Entries;
    /// One application; with `wait`, as soon as it has changed.
    GET "/v1/waitlist/{waitlistId}" entry(waitlist_id: Uuid) query Patience => Entry;
    /// Leaves the queue. What was paid goes back.
    DELETE "/v1/waitlist/{waitlistId}" withdraw(waitlist_id: Uuid) => Entry;
    /// Accepts the locked place; the answer has the payment parameters once there are any.
    POST "/v1/waitlist/{waitlistId}/confirm" confirm(waitlist_id: Uuid) body NamedOffer => Entry;
    /// Declines the locked place.
    POST "/v1/waitlist/{waitlistId}/decline" decline(waitlist_id: Uuid) body NamedOffer => Entry;
    /// Answers the question that stands open: keep it, or leave.
    POST "/v1/waitlist/{waitlistId}/answer" answer_question(waitlist_id: Uuid) body Answered => Entry;
    /// The notices about an application, and what became of each.
    GET "/v1/waitlist/{waitlistId}/notices" notices(waitlist_id: Uuid) => Notices;
    /// A patient's visits from the waitlist (R22).
    GET "/v1/appointments" appointments() query AppointmentsWanted => Appointments;
    /// Cancels a visit; its place goes to the next in line.
    DELETE "/v1/appointments/{appointmentId}" cancel_appointment(appointment_id: &str) => Accepted;
    /// Stores or replaces a patient.
    PUT "/v1/patients/{patientId}" put_patient(patient_id: &str) body NewPatient => Patient;
    /// A patient, masked.
    GET "/v1/patients/{patientId}" patient(patient_id: &str) => Patient;

    // Scope `admin`.

    /// Makes or renames a department.
    PUT "/v1/departments/{departmentId}" put_department(department_id: &str) body NewDepartment => Department;
    /// The departments whose schedules are kept in step with HIS.
    GET "/v1/departments" departments() => Departments;
    /// All that is kept of a patient, opened.
    GET "/v1/patients/{patientId}/export" export_patient(patient_id: &str) query Because => Value;
    /// Forgets who a patient was.
    POST "/v1/patients/{patientId}/erasure" erase_patient(patient_id: &str) body Reason => ();
    /// Makes or replaces the settings of one level.
    PUT "/v1/policies/{level}/{id}" put_policy(level: Level, id: &str) body LevelPolicy => LevelPolicy;
    /// The settings of one level.
    GET "/v1/policies/{level}/{id}" policy(level: Level, id: &str) => LevelPolicy;
    /// Has everybody who waits under this level go by the present settings.
    POST "/v1/policies/{level}/{id}/applications" carry_over(level: Level, id: &str) body Reason => CarriedOver;
    /// Undoes a change of these settings.
    POST "/v1/policies/{level}/{id}/undo" undo_policy(level: Level, id: &str) body UndonePolicy => LevelPolicy;
    /// All texts in force.
    GET "/v1/templates" templates() => Texts;
    /// The text in force.
    GET "/v1/templates/{name}" template(name: TemplateName) query Whose => Text;
    /// Stores a new version.
    PUT "/v1/templates/{name}" put_template(name: TemplateName) query Whose body NewText => Text;
    /// Takes a stored text back.
    DELETE "/v1/templates/{name}" take_template_back(name: TemplateName) query TakenBack => Text;
    /// The versions of a text, one page; all of them: [`Client::every_version`].
    GET "/v1/templates/{name}/versions" template_versions(name: TemplateName) query VersionsWanted => Versions;
    /// What would be sent.
    POST "/v1/templates/{name}/preview" preview_template(name: TemplateName) body ToLookAt => Preview;
    /// Blacklists a patient, or changes why and until when (R32).
    PUT "/v1/blacklist/{patientId}" put_blacklist(patient_id: &str) body Listing => Listing;
    /// The entry in force.
    GET "/v1/blacklist/{patientId}" blacklisted(patient_id: &str) => Listing;
    /// Lifts an entry without a word.
    DELETE "/v1/blacklist/{patientId}" lift(patient_id: &str) => ();
    /// Lifts an entry, with a reason.
    POST "/v1/blacklist/{patientId}/lift" lift_for(patient_id: &str) body Reason => ();
    /// A patient's breaches.
    GET "/v1/blacklist/{patientId}/breaches" breaches(patient_id: &str) => Breaches;
    /// A patient appeals.
    POST "/v1/blacklist/{patientId}/appeals" appeal(patient_id: &str) body Said => Appeal;
    /// Appeals, one page.
    GET "/v1/blacklist-appeals" appeals() query AppealsWanted => Appeals;
    /// Staff decide an appeal.
    POST "/v1/blacklist-appeals/{appealId}/decide" decide_appeal(appeal_id: Uuid) body Decision => Appeal;
    /// The rules by which breaches keep a person out.
    GET "/v1/blacklist-rules" blacklist_rules() => Rules;
    /// Makes or replaces a rule.
    PUT "/v1/blacklist-rules/{ruleId}" put_blacklist_rule(rule_id: &str) body Rule => NamedRule;
    /// Removes a rule.
    DELETE "/v1/blacklist-rules/{ruleId}" remove_blacklist_rule(rule_id: &str) => ();

    // Scope `runs`.

    /// Starts a run of a workflow; the same key in it is the same run.
    POST "/v1/workflows/{workflow}/runs" start(workflow: &str) body NewRun => WholeRun;
    /// Signals the run of a key, which need not be there yet.
    POST "/v1/workflows/{workflow}/runs/{key}/signals/{signal}" signal_key(workflow: &str, key: &str, signal: &str)
        body NewSignal => SignalTaken;
    /// Finds runs, one page; all of them: [`Client::every`].
    GET "/v1/runs" runs() query RunsWanted => Runs;
    /// A run: where it stands, why it is not moving, what it knows.
    GET "/v1/runs/{runId}" run(run_id: Uuid) => WholeRun;
    /// A run's history, one page; all of it: [`Client::every_line`].
    GET "/v1/runs/{runId}/history" history(run_id: Uuid) query HistoryWanted => History;
    /// What each verb would do to a run now.
    GET "/v1/runs/{runId}/verbs" verbs(run_id: Uuid) => Verbs;
    /// Signals a run.
    POST "/v1/runs/{runId}/signals/{signal}" signal(run_id: Uuid, signal: &str) body NewSignal => Heard;
    /// Lets a run try its step again at once.
    POST "/v1/runs/{runId}/retry" retry(run_id: Uuid) body Reason => WholeRun;
    /// Supplies the outcome of the present step.
    POST "/v1/runs/{runId}/answer" answer(run_id: Uuid) body NewAnswer => WholeRun;
    /// Lets a run go on at another step.
    POST "/v1/runs/{runId}/jump" jump(run_id: Uuid) body NewJump => WholeRun;
    /// Lets a run stand still.
    POST "/v1/runs/{runId}/suspend" suspend(run_id: Uuid) body Reason => WholeRun;
    /// Lets a suspended run go on.
    POST "/v1/runs/{runId}/resume" resume(run_id: Uuid) body Reason => WholeRun;
    /// Brings a run and those below it to an orderly end.
    POST "/v1/runs/{runId}/cancel" cancel(run_id: Uuid) body Reason => WholeRun;
    /// Begins a verb for many runs, or says what it would do.
    POST "/v1/runs/bulk" bulk() body NewBulk => BulkAnswer;
    /// Bulks, one page.
    GET "/v1/runs/bulk" bulks() query BulksWanted => Bulks;
    /// How far a bulk is.
    GET "/v1/runs/bulk/{bulkId}" bulk_progress(bulk_id: Uuid) => ShownBulk;
    /// No further run until the bulk is resumed.
    POST "/v1/runs/bulk/{bulkId}/pause" pause_bulk(bulk_id: Uuid) body Reason => ShownBulk;
    /// The bulk goes on where it stood.
    POST "/v1/runs/bulk/{bulkId}/resume" resume_bulk(bulk_id: Uuid) body Reason => ShownBulk;
    /// The bulk ends; what was done stays done.
    POST "/v1/runs/bulk/{bulkId}/cancel" cancel_bulk(bulk_id: Uuid) body Reason => ShownBulk;
    /// Signals that came when there was no run for them, one page.
    GET "/v1/signals/unmatched" unmatched() query UnmatchedWanted => UnmatchedSignals;
    /// What staff did, one page.
    GET "/v1/audit" audit() query AuditWanted => Audit;
    /// How the whole is, and what to do about it.
    GET "/v1/health" health() => Report;
    /// What the outside told us, one page.
    GET "/v1/callbacks" callbacks() query CallbacksWanted => Callbacks;
    /// Does again what a callback asks for.
    POST "/v1/callbacks/{source}/{eventId}/replay" replay_callback(source: &str, event_id: &str) body Reason => Became;
    /// A person has seen to what a callback says.
    POST "/v1/callbacks/{source}/{eventId}/settle" settle_callback(source: &str, event_id: &str) body Reason => Became;
    /// Messages that wait for a person, one page.
    GET "/v1/letters" letters() query LettersWanted => Letters;
    /// Sends messages again.
    POST "/v1/letters/retry" retry_letters() body Retry => Retried;
    /// Sends a notice again (R23).
    POST "/v1/waitlist/{waitlistId}/notices/{noticeId}/resend" resend_notice(waitlist_id: Uuid, notice_id: &str)
        body Resend => Notice;
    /// The cron jobs.
    GET "/v1/jobs" jobs() => Jobs;
    /// One of them.
    GET "/v1/jobs/{job}" job(name: &str) => Job;
    /// Starts the runs of one tick now.
    POST "/v1/jobs/{job}/run" run_job(name: &str) body Reason => StartedRuns;
    /// Nothing ticks until the job is resumed.
    POST "/v1/jobs/{job}/pause" pause_job(name: &str) body Reason => Job;
    /// A paused job ticks again.
    POST "/v1/jobs/{job}/resume" resume_job(name: &str) body Reason => Job;
    /// The days that were compared with HIS and the payment provider (R36).
    GET "/v1/reconciliation/runs" reconciliations() => Reconciliations;
    /// Compares a day once more.
    POST "/v1/reconciliation/runs" reconcile() body Wish => Begun;
    /// Differences, one page.
    GET "/v1/reconciliation/cases" cases() query CasesWanted => Cases;
    /// One of them.
    GET "/v1/reconciliation/cases/{caseId}" case(case_id: Uuid) => Case;
    /// A person has settled a difference.
    POST "/v1/reconciliation/cases/{caseId}/resolve" resolve_case(case_id: Uuid) body Reason => Case;
    /// The figures between two days of visits (R33).
    GET "/v1/kpis" kpis() query KpisWanted => Kpis;
    /// The systems outside.
    GET "/v1/destinations" destinations() => Destinations;
    /// One of them, with what became of it.
    GET "/v1/destinations/{name}" destination(name: &str) => WholeDestination;
    /// Nothing new is sent there until it is resumed.
    POST "/v1/destinations/{name}/pause" pause_destination(name: &str) body Reason => WholeDestination;
    /// A paused destination is called again.
    POST "/v1/destinations/{name}/resume" resume_destination(name: &str) body Reason => WholeDestination;
}
