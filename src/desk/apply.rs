//! Joining a queue (R2–R7, R24, R25, R32, R35): what is asked, and the rules about the schedule and the request, pure.
//! `admission` reads what they need, decides and writes.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Answer, Desk, DeskError, show::Entry};
use crate::engine::{NewRun, Registry};
use crate::ports::his::ScheduleState;
use crate::records::admission_ground::StandingRun;
use crate::records::policies::Under;
use crate::records::schedules::Schedule;
use crate::waitlist::calendar;
use crate::waitlist::cipher::Pseudonym;
pub use crate::waitlist::policy::PayType;
use crate::waitlist::policy::{InsurancePrepay, PaymentMode, Policy};
use crate::waitlist::refusal::Refusal;
use crate::workflows::slot_release;
use crate::workflows::waitlist_application::{self, Application, Order, WaitlistApplication};

/// An application as it is handed in.
#[derive(Debug, Clone)]
pub struct Apply {
    /// The caller's key: the same key is the same application. None: every request is a new one.
    pub idempotency_key: Option<String>,
    /// Which schedule.
    pub schedule_id: String,
    /// Who waits.
    pub patient_id: String,
    /// How the patient means to pay.
    pub pay_type: PayType,
    /// Until when the patient wants to wait at the latest.
    pub latest_at: Option<DateTime<Utc>>,
    /// Where the request came from.
    pub origin: Origin,
    /// The W3C traceparent of the request.
    pub trace: Option<String>,
}

/// Where a request came from, as far as the caller says so: hashes to compare (R33).
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The account of whoever applies, for themselves or others.
    pub account: Option<Pseudonym>,
    /// The device.
    pub device: Option<Pseudonym>,
    /// The network address.
    pub address: Option<Pseudonym>,
}

/// An application, and whether this request made it.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The application.
    pub entry: Entry,
    /// False where the same key had made it before.
    pub new: bool,
}

impl Desk {
    /// Where a request came from, made unrecognisable.
    pub fn origin(&self, account: Option<&str>, device: Option<&str>, address: Option<&str>) -> Origin {
        let hash = |kind, text: Option<&str>| text.map(|text| self.lookup.pseudonym(kind, text));
        Origin { account: hash("account", account), device: hash("device", device), address: hash("address", address) }
    }

    /// Joins a queue, together with whoever does so at the same time. Refuses with the rule that says no. A device or an
    /// address that asks faster than people do waits first (R33).
    pub async fn apply(&self, apply: &Apply) -> Answer<Applied> {
        self.slow_lane.wait(&apply.origin).await;
        let answer = self.admissions.ask(apply.clone()).await;
        answer.unwrap_or_else(|| Err(DeskError::Broken("admission has ended".to_owned())))
    }
}

/// The run of the application, with the settings of this moment (R29).
pub(super) fn application(
    apply: &Apply,
    schedule: &Schedule,
    policy: &Policy,
    cutoff: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Answer<NewRun> {
    let id = Uuid::now_v7();
    let state = Application {
        schedule_id: schedule.id.clone(),
        doctor_id: schedule.doctor_id.clone(),
        department_id: schedule.department_id.clone(),
        patient_id: apply.patient_id.clone(),
        pay_type: apply.pay_type,
        visit_date: schedule.visit_date,
        part: schedule.part,
        fee_fen: schedule.fee_fen,
        policy: policy.clone(),
        cutoff,
        latest_at: apply.latest_at,
        renewed: false,
        stood: false,
        in_passing: false,
        offers: 0,
        offer_id: None,
        offered_by: None,
        freed_at: None,
        offer: None,
        gave_back: false,
        withheld: false,
        unusable: None,
        refused_orders: 0,
        more_prepayments: 0,
        declined: 0,
        missed: 0,
        given_up: Vec::new(),
        order: prepays(schedule, policy).then(|| Order::prepayment(id, schedule.fee_fen, policy, cutoff, now)),
        earlier: Vec::new(),
        visit: None,
        others: Vec::new(),
        others_until: None,
        agreed_at: None,
        agreements: 0,
        questions: 0,
        left: None,
        not_cancelled: 0,
        unanswered: None,
        part_told: None,
        question: None,
        checking: None,
        why: None,
    };
    let first = if prepays(schedule, policy) {
        waitlist_application::Step::PrepayOrder
    } else {
        waitlist_application::Step::Waiting
    };
    let key = apply.idempotency_key.clone().unwrap_or_else(|| id.to_string());
    let run = Registry::new_run::<WaitlistApplication>(id, key, first.name(), &state)?;
    // It is decided together with others, under nobody's span.
    Ok(NewRun { trace: apply.trace.clone(), ..run })
}

pub(super) fn under(schedule: &Schedule) -> Under<'_> {
    Under { doctor_id: &schedule.doctor_id, department_id: &schedule.department_id, campus_id: &schedule.campus_id }
}

/// True where the money comes before the place in the queue (R6).
pub(super) fn prepays(schedule: &Schedule, policy: &Policy) -> bool {
    policy.payment_mode == PaymentMode::Prepay && schedule.fee_fen > 0
}

/// What a schedule says to one more applicant, before any level is asked (R1, R13, R25). `remaining` and `waiting` are the queue's:
/// of the day, where that has one (Q2).
pub(super) fn open_for(
    schedule: &Schedule,
    remaining: u32,
    waiting: i64,
    now: DateTime<Utc>,
    closes: DateTime<Utc>,
) -> Result<(), Refusal> {
    match schedule.state {
        ScheduleState::Stopped => return Err(Refusal::ScheduleStopped),
        ScheduleState::NotOpen => return Err(Refusal::ScheduleNotOpen),
        ScheduleState::Open => {}
    }
    if remaining > 0 && waiting == 0 {
        return Err(Refusal::BookableNow);
    }
    if calendar::past_cutoff(now, closes) {
        return Err(Refusal::PastCutoff);
    }
    Ok(())
}

/// A place that is freed must be handed out by somebody: a hand-out that is over, or that staff have ended, begins no
/// second time. One that its cutoff has ended is taken up again where the queue closes later by now (R24), which was asked before.
pub(super) fn hand_out_allows(run: Option<&StandingRun>) -> Result<(), Refusal> {
    use slot_release::Step;
    let Some(run) = run else { return Ok(()) };
    match Step::parse(&run.step) {
        Some(Step::Stopping | Step::Closed) => Err(Refusal::ScheduleStopped),
        Some(Step::Shut) if run.past != Some(true) => Err(Refusal::PastCutoff),
        _ if matches!(run.status.as_str(), "cancelled" | "faulted") => Err(Refusal::PastCutoff),
        _ => Ok(()),
    }
}

pub(super) fn latest_at_allows(apply: &Apply, now: DateTime<Utc>) -> Result<(), Refusal> {
    match apply.latest_at {
        Some(latest) if latest <= now => Err(Refusal::InvalidLatestAt),
        _ => Ok(()),
    }
}

/// R7: 医保 where the fee is taken in advance.
pub(super) fn insurance_allows(apply: &Apply, schedule: &Schedule, policy: &Policy) -> Result<(), Refusal> {
    let insured = apply.pay_type == PayType::Insurance && prepays(schedule, policy);
    if insured && policy.insurance_prepay == InsurancePrepay::NotAccepted {
        return Err(Refusal::InsuranceNotAccepted);
    }
    Ok(())
}
