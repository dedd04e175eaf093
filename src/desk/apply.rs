//! Joining a queue (R2–R7, R24, R25, R32, R35): every rule, and the application itself, in one transaction.
//!
//! Exact under any concurrency. A person's applications are decided one by one (the person's rows are locked), a
//! level's too (its count is locked last, for as short as possible). Locks are taken in the order of a worker's commit:
//! the schedule's hand-out, person, capacity, inserts; so nobody waits in a circle. No existing run is signalled here.

use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Answer, Desk, DeskError, show::Entry};
use crate::engine::store;
use crate::engine::{NewRun, Registry, clock};
use crate::ports::his::ScheduleState;
use crate::records::entries::{self, NewEntry};
use crate::records::policies::{self, Under};
use crate::records::schedules::{self, Schedule};
use crate::records::{patients, visits};
use crate::waitlist::admission::{self, Standing, Standings};
use crate::waitlist::calendar;
use crate::waitlist::policy::{InsurancePrepay, PaymentMode, Policy};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;
use crate::workflows::slot_release::{self, Release, SlotRelease};
use crate::workflows::waitlist_application::{self, Application, Order, WaitlistApplication};

/// How often an attempt that met another one is made again.
const ATTEMPTS_MAX: u32 = 5;

/// How the patient means to pay (R7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PayType {
    /// 自费.
    #[default]
    #[serde(alias = "self")]
    SelfPay,
    /// 医保.
    Insurance,
}

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
}

/// An application, and whether this request made it.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The application.
    pub entry: Entry,
    /// False where the same key had made it before.
    pub new: bool,
}

/// What one attempt came to.
enum Attempt {
    Made(Uuid),
    Was(Uuid),
    /// Another transaction was in the way; the next attempt sees what it did.
    Again,
}

impl Desk {
    /// Joins a queue. Refuses with the rule that says no.
    pub async fn apply(&self, apply: &Apply) -> Answer<Applied> {
        for _ in 0..ATTEMPTS_MAX {
            let attempt = match self.attempt(apply).await {
                Err(DeskError::Database(error)) => on_constraint(error)?,
                other => other?,
            };
            let (id, new) = match attempt {
                Attempt::Made(id) => (id, true),
                Attempt::Was(id) => (id, false),
                Attempt::Again => continue,
            };
            self.engine.hint();
            return Ok(Applied { entry: self.entry(id).await?, new });
        }
        Err(DeskError::Broken("an application met others again and again".to_owned()))
    }

    async fn attempt(&self, apply: &Apply) -> Answer<Attempt> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let hand_out = store::signal::hold_still(&mut tx, hospital, SlotRelease::NAME, &apply.schedule_id).await?;
        let schedule =
            schedules::find(&mut *tx, hospital, &apply.schedule_id).await?.ok_or(Refusal::UnknownSchedule)?;
        let person = patients::lock_person(&mut *tx, hospital, &apply.patient_id).await?;
        if person.is_empty() {
            return Err(Refusal::UnknownPatient.into());
        }
        if let Some(key) = &apply.idempotency_key
            && let Some(was) = entries::by_idempotency_key(&mut *tx, hospital, key).await?
        {
            let same = was.schedule_id == apply.schedule_id && was.patient_id == apply.patient_id;
            return if same { Ok(Attempt::Was(was.id)) } else { Err(DeskError::KeyReused) };
        }
        let now = clock::now(&mut *tx).await?;
        let under = under(&schedule);
        let levels = policies::standings(&mut tx, hospital, &under).await?;
        let policy = Policy::resolve(&levels[0].policy, &levels[1].policy, &levels[2].policy);
        let closes = calendar::cutoff_at(schedule.visit_date, &policy.cutoff, self.ports.tz);
        self.schedule_allows(&mut tx, &schedule, now, closes).await?;
        let handed_out = hand_out.is_some();
        hand_out_allows(hand_out)?;
        latest_at_allows(apply, now)?;
        insurance_allows(apply, &schedule, &policy)?;
        self.can_pay(&mut tx, apply, &schedule, &policy).await?;
        self.person_allows(&mut tx, &person, &schedule, &policy).await?;
        // Whoever meets a full queue is refused without waiting for its lock.
        has_room(&levels, &policy)?;
        let run = application(apply, &schedule, &policy, calendar::entry_ends_at(closes, apply.latest_at), now)?;
        if !handed_out {
            store::start(&mut tx, hospital, self.release(&schedule, closes)?).await?;
        }
        let made = self.enter(&mut tx, run, &schedule, &policy, apply).await?;
        if matches!(made, Attempt::Made(_)) {
            // The counts are locked last, for the decision and the commit; a refusal takes everything back.
            let mut levels = levels;
            policies::lock_counts(&mut tx, hospital, &under, &mut levels).await?;
            has_room(&levels, &policy)?;
            policies::add_one(&mut tx, hospital, &under).await?;
            tx.commit().await?;
        }
        Ok(made)
    }

    /// R1, R25: the schedule takes place, has no free place, and its queue is not closed.
    async fn schedule_allows(
        &self,
        conn: &mut PgConnection,
        schedule: &Schedule,
        now: DateTime<Utc>,
        closes: DateTime<Utc>,
    ) -> Answer<()> {
        let waiting = entries::queue_length(conn, self.hospital(), &schedule.id).await?;
        open_for(schedule, waiting, now, closes).map_err(DeskError::from)
    }

    /// R6, R20: whoever will have to pay can.
    async fn can_pay(
        &self,
        conn: &mut PgConnection,
        apply: &Apply,
        schedule: &Schedule,
        policy: &Policy,
    ) -> Answer<()> {
        if policy.payment_mode == PaymentMode::None || schedule.fee_fen == 0 {
            return Ok(());
        }
        let patient = patients::find(conn, self.hospital(), &apply.patient_id).await?.ok_or(Refusal::UnknownPatient)?;
        if self.ports.open(&patient)?.openid.is_none() { Err(Refusal::NoPaymentAccount.into()) } else { Ok(()) }
    }

    /// R4, R32, R35: nothing about the person is in the way. The person's rows are locked.
    async fn person_allows(
        &self,
        conn: &mut PgConnection,
        person: &[String],
        schedule: &Schedule,
        policy: &Policy,
    ) -> Answer<()> {
        let hospital = self.hospital();
        if let Some(listed) = patients::blacklisted(&mut *conn, hospital, person).await? {
            let until = listed.until.map(|until| until.with_timezone(&self.ports.tz).date_naive());
            return Err(Refusal::Blacklisted { until }.into());
        }
        let (live, duplicate) = entries::live_of_person(&mut *conn, hospital, person, &schedule.id).await?;
        if duplicate {
            return Err(Refusal::DuplicateApplication.into());
        }
        let limit = policy.live_entries_per_patient;
        if live >= i64::from(limit) {
            return Err(Refusal::PatientLimit { limit }.into());
        }
        let (department, day) = (&schedule.department_id, schedule.visit_date);
        if visits::booked_that_day(conn, hospital, person, department, day).await? {
            return Err(Refusal::AlreadyBooked.into());
        }
        Ok(())
    }

    /// The hand-out of the schedule's places; where it runs already, starting it is nothing.
    fn release(&self, schedule: &Schedule, closes: DateTime<Utc>) -> Answer<NewRun> {
        let next_day = schedule.visit_date.succ_opt().unwrap_or(schedule.visit_date);
        let visits_end = calendar::visit_starts_at(next_day, NaiveTime::MIN, self.ports.tz);
        let state = Release::new(schedule.id.clone(), schedule.visit_date, closes, visits_end);
        let (id, first) = (Uuid::now_v7(), slot_release::Step::Idle);
        Ok(Registry::new_run::<SlotRelease>(id, schedule.id.clone(), first.name(), &state)?)
    }

    /// The application's run and its entry.
    async fn enter(
        &self,
        conn: &mut PgConnection,
        run: NewRun,
        schedule: &Schedule,
        policy: &Policy,
        apply: &Apply,
    ) -> Answer<Attempt> {
        let key = run.key.clone();
        let status = if prepays(schedule, policy) { EntryStatus::AwaitingPrepayment } else { EntryStatus::Waiting };
        let closes = calendar::cutoff_at(schedule.visit_date, &policy.cutoff, self.ports.tz);
        let started = store::start(&mut *conn, self.hospital(), run).await?;
        if !started.new {
            // The key's first request committed while this one waited for it.
            return Ok(Attempt::Again);
        }
        let entry = NewEntry {
            id: started.id,
            idempotency_key: &key,
            schedule_id: &schedule.id,
            under: under(schedule),
            patient_id: &apply.patient_id,
            status: status.as_str(),
            payment_mode: &schedules::name_of(&policy.payment_mode),
            fee_fen: schedule.fee_fen,
            cutoff: calendar::entry_ends_at(closes, apply.latest_at),
        };
        entries::insert(conn, self.hospital(), &entry).await?;
        Ok(Attempt::Made(started.id))
    }
}

/// The run of the application, with the settings of this moment (R29).
fn application(
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
        visit_date: schedule.visit_date,
        part: schedule.part,
        fee_fen: schedule.fee_fen,
        policy: policy.clone(),
        cutoff,
        offers: 0,
        offer_id: None,
        offer: None,
        gave_back: false,
        order: prepays(schedule, policy).then(|| Order::prepayment(id, schedule.fee_fen, policy, cutoff, now)),
        refund: None,
        visit: None,
        why: None,
    };
    let first = if prepays(schedule, policy) {
        waitlist_application::Step::PrepayOrder
    } else {
        waitlist_application::Step::Waiting
    };
    let key = apply.idempotency_key.clone().unwrap_or_else(|| id.to_string());
    Ok(Registry::new_run::<WaitlistApplication>(id, key, first.name(), &state)?)
}

/// R2, R3: whether one more may join, by the counts as they were read.
fn has_room(levels: &[policies::Standing; 3], policy: &Policy) -> Result<(), Refusal> {
    let [doctor, department, campus] = levels.each_ref().map(|at| Standing { policy: &at.policy, live: at.live });
    admission::admit(&Standings { doctor, department, campus }, policy.cap_reading)
}

pub(super) fn under(schedule: &Schedule) -> Under<'_> {
    Under { doctor_id: &schedule.doctor_id, department_id: &schedule.department_id, campus_id: &schedule.campus_id }
}

/// True where the money comes before the place in the queue (R6).
fn prepays(schedule: &Schedule, policy: &Policy) -> bool {
    policy.payment_mode == PaymentMode::Prepay && schedule.fee_fen > 0
}

/// What a schedule says to one more applicant, before any level is asked (R1, R13, R25).
pub(super) fn open_for(
    schedule: &Schedule,
    waiting: i64,
    now: DateTime<Utc>,
    closes: DateTime<Utc>,
) -> Result<(), Refusal> {
    match schedule.state {
        ScheduleState::Stopped => return Err(Refusal::ScheduleStopped),
        ScheduleState::NotOpen => return Err(Refusal::ScheduleNotOpen),
        ScheduleState::Open => {}
    }
    if schedule.remaining > 0 && waiting == 0 {
        return Err(Refusal::BookableNow);
    }
    if calendar::past_cutoff(now, closes) {
        return Err(Refusal::PastCutoff);
    }
    Ok(())
}

/// A place that is freed must be handed out by somebody: a hand-out that is over begins no second time.
fn hand_out_allows(hand_out: Option<(String, String)>) -> Result<(), Refusal> {
    use slot_release::Step;
    match hand_out.and_then(|(_, step)| Step::parse(&step)) {
        Some(Step::Stopping | Step::Closed) => Err(Refusal::ScheduleStopped),
        Some(Step::Shut) => Err(Refusal::PastCutoff),
        _ => Ok(()),
    }
}

fn latest_at_allows(apply: &Apply, now: DateTime<Utc>) -> Result<(), Refusal> {
    match apply.latest_at {
        Some(latest) if latest <= now => Err(Refusal::InvalidLatestAt),
        _ => Ok(()),
    }
}

/// R7: 医保 where the fee is taken in advance.
fn insurance_allows(apply: &Apply, schedule: &Schedule, policy: &Policy) -> Result<(), Refusal> {
    let insured = apply.pay_type == PayType::Insurance && prepays(schedule, policy);
    if insured && policy.insurance_prepay == InsurancePrepay::NotAccepted {
        return Err(Refusal::InsuranceNotAccepted);
    }
    Ok(())
}

/// Two requests met at a constraint or in a deadlock: the next attempt sees what the other one did, and answers with
/// its entry or the rule that it now breaks. Everything else is the database's own trouble.
fn on_constraint(error: sqlx::Error) -> Answer<Attempt> {
    let met = error.as_database_error().is_some_and(|error| {
        matches!(error.constraint(), Some("entry_once" | "entry_idempotency" | "run_key"))
            || matches!(error.code().as_deref(), Some("40P01" | "40001"))
    });
    if met { Ok(Attempt::Again) } else { Err(error.into()) }
}
