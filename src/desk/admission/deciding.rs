//! The decision, pure: each application by what was read and by what those before it in the same flush have taken.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::super::apply::{
    Apply, application, hand_out_allows, insurance_allows, latest_at_allows, open_for, prepays, under,
};
use super::super::{Answer, DeskError};
use crate::engine::Effect;
use crate::ports::his::ScheduleState;
use crate::records::accounts::Account;
use crate::records::admission_ground::{Keyed, Live, StandingRun};
use crate::records::admissions::{self, Decided, Each};
use crate::records::entries::NewEntry;
use crate::records::patients::Patient;
use crate::records::policies::Standing as Counted;
use crate::records::schedules::{self, Schedule};
use crate::waitlist::admission::{self, Standing, Standings};
use crate::waitlist::cipher::Pseudonym;
use crate::waitlist::policy::{CapCounts, Level, LevelPolicy, PaymentMode, Policy, QueueOrder, QueuePer};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;
use crate::waitlist::{calendar, draw};
use crate::workflows::Ports;

/// What was decided about one application.
pub(super) enum Verdict {
    Refused(DeskError),
    /// The key's entry, made before.
    Was(Uuid),
    Admitted(Uuid),
}

/// One human being, under however many accounts.
#[derive(Default)]
pub(super) struct Person {
    /// Patients with the same ID document, and how often each was admitted.
    pub(super) accounts: BTreeMap<String, i32>,
    pub(super) live: Vec<Live>,
    /// Department and day. A visit that is booked between this look and the writing is one that came after it.
    pub(super) booked: HashSet<(String, NaiveDate)>,
    /// Until when each entry of the blacklist holds (`None`: until it is lifted), and in which department alone.
    pub(super) blacklisted: Vec<(Option<DateTime<Utc>>, Option<String>)>,
}

/// What the rules ask about, and what this flush has decided so far changes in it.
pub(super) struct Facts {
    pub(super) now: DateTime<Utc>,
    pub(super) schedules: HashMap<String, Schedule>,
    pub(super) hand_outs: HashMap<String, StandingRun>,
    /// Queue lengths of schedules with free places; of all half-days of a day that has a queue (Q2).
    pub(super) waiting: HashMap<String, i64>,
    /// Of schedules whose queue is the day's: the other half-days of the day (Q2).
    pub(super) beside: HashMap<String, Vec<String>>,
    pub(super) counted: HashMap<(Level, String), Counted>,
    /// Live entries and all entries of schedules whose own number has a cap (Q1).
    pub(super) in_each: HashMap<String, (u32, u32)>,
    pub(super) persons: HashMap<String, Person>,
    pub(super) person_of: HashMap<String, String>,
    pub(super) keyed: HashMap<String, Keyed>,
    /// The accounts that ask; one that never joined a queue is not here.
    pub(super) accounts: HashMap<Vec<u8>, Account>,
    /// The patients who ask, sealed.
    pub(super) payers: HashMap<String, Patient>,
}

/// What this flush has admitted so far.
#[derive(Default)]
struct SoFar<'a> {
    /// By level and id.
    taken: BTreeMap<(&'static str, &'a str), Taken>,
    /// How many entries of each schedule, and the caps that were asked for its own number.
    entered: BTreeMap<&'a str, u32>,
    each: BTreeMap<&'a str, Each<'a>>,
    /// Schedules of this flush's entries by person.
    joined: HashMap<&'a str, Vec<&'a Schedule>>,
    /// Persons of this flush's entries by account.
    accounts: BTreeMap<&'a [u8], BTreeSet<&'a str>>,
    keys: HashMap<&'a str, (Uuid, &'a str, &'a str)>,
}

/// What this flush has taken of one level.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    added: i32,
    /// The most live entries before them under which every cap that was asked still holds.
    most: Option<i32>,
}

impl Taken {
    fn one_more(&mut self, cap: Option<u32>) {
        self.added += 1;
        let most = cap.map(|cap| i32::try_from(cap).unwrap_or(i32::MAX) - self.added);
        self.most = self.most.into_iter().chain(most).min();
    }
}

impl Facts {
    pub(super) fn policy(&self, schedule: &Schedule) -> Policy {
        let at = |level| self.level(schedule, level).map(|counted| &counted.policy);
        let none = LevelPolicy::default();
        Policy::resolve(
            at(Level::Doctor).unwrap_or(&none),
            at(Level::Department).unwrap_or(&none),
            at(Level::Campus).unwrap_or(&none),
        )
    }

    fn level(&self, schedule: &Schedule, level: Level) -> Option<&Counted> {
        self.counted.get(&(level, under(schedule).id_at(level).to_owned()))
    }

    pub(super) fn closes(&self, schedule: &Schedule, ports: &Ports) -> DateTime<Utc> {
        calendar::cutoff_at(schedule.visit_date, &self.policy(schedule).cutoff, &ports.working_days, ports.tz)
    }

    /// The schedules that the queue is of: this one, and those beside it where it is the day's (Q2).
    pub(super) fn queue_of<'a>(&'a self, schedule: &'a Schedule) -> impl Iterator<Item = &'a str> {
        let beside = self.beside.get(&schedule.id).into_iter().flatten().map(String::as_str);
        std::iter::once(schedule.id.as_str()).chain(beside)
    }

    /// True where a schedule of this one's queue has, or may get, a hand-out.
    pub(super) fn goes_on(&self, schedule: &Schedule, id: &str) -> bool {
        let stopped = self.schedules.get(id).is_none_or(|one| one.state == ScheduleState::Stopped);
        id == schedule.id || (!stopped && hand_out_allows(self.hand_outs.get(id)).is_ok())
    }

    /// How many places are free in the queue's half-days that are open, and how many wait for one (R1).
    fn fullness(&self, schedule: &Schedule) -> (u32, i64) {
        let found = self.queue_of(schedule).filter_map(|id| self.schedules.get(id));
        let open = found.filter(|one| one.state == ScheduleState::Open);
        let waiting = self.queue_of(schedule).filter_map(|id| self.waiting.get(id)).sum();
        (open.map(|one| one.remaining).sum(), waiting)
    }

    /// When the order of the schedule's queue is drawn, if it opens now (R17); `None` where arrival decides.
    pub(super) fn drawn_at(&self, schedule: &Schedule, closes: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let policy = self.policy(schedule);
        (policy.order == QueueOrder::Random).then(|| draw::held_at(self.now, policy.draw_window_minutes, closes))
    }

    /// Decides one after the other, each with what those before it have taken.
    pub(super) fn decide<'a>(&'a self, asked: &'a [Apply], ports: &Ports) -> (Vec<Verdict>, Decided<'a>) {
        let (mut so_far, mut decided) = (SoFar::default(), Decided::default());
        let mut verdicts = Vec::with_capacity(asked.len());
        for apply in asked {
            verdicts.push(match self.one(apply, ports, &so_far) {
                Ok(Outcome::Was(id)) => Verdict::Was(id),
                Ok(Outcome::Room(room)) => match self.enter(apply, &room, &mut so_far, &mut decided) {
                    Ok(id) => Verdict::Admitted(id),
                    Err(error) => Verdict::Refused(error),
                },
                Err(error) => Verdict::Refused(error),
            });
        }
        decided.counts =
            so_far.taken.into_iter().map(|((level, id), taken)| (level, id, taken.most, taken.added)).collect();
        decided.each = so_far.each.into_values().collect();
        let persons: HashSet<&str> = so_far.joined.into_keys().collect();
        let accounts = persons.into_iter().filter_map(|person| self.persons.get(person));
        for (id, persons) in so_far.accounts {
            let applied = self.accounts.get(id).map_or(0, |account| account.applied);
            decided.accounts.push((id.to_vec(), applied));
            decided.account_persons.extend(persons.into_iter().map(|person| (id.to_vec(), person.to_owned())));
        }
        decided.persons = accounts.flat_map(|one| one.accounts.iter().map(|(id, n)| (id.as_str(), *n))).collect();
        (verdicts, decided)
    }

    /// The rules in their order, for one.
    fn one<'a>(&'a self, apply: &'a Apply, ports: &Ports, so_far: &SoFar<'a>) -> Answer<Outcome<'a>> {
        let schedule = self.schedules.get(&apply.schedule_id).ok_or(Refusal::UnknownSchedule)?;
        let person_id = self.person_of.get(&apply.patient_id).ok_or(Refusal::UnknownPatient)?;
        let person = self.persons.get(person_id).ok_or(Refusal::UnknownPatient)?;
        if let Some(key) = apply.idempotency_key.as_deref() {
            let was = self.keyed.get(key).map(|was| (was.id, was.schedule_id.as_str(), was.patient_id.as_str()));
            if let Some((id, schedule_id, patient_id)) = was.or_else(|| so_far.keys.get(key).copied()) {
                let same = schedule_id == apply.schedule_id && patient_id == apply.patient_id;
                return if same { Ok(Outcome::Was(id)) } else { Err(DeskError::KeyReused) };
            }
        }
        let policy = self.policy(schedule);
        let closes = self.closes(schedule, ports);
        let (remaining, waiting) = self.fullness(schedule);
        open_for(schedule, remaining, waiting, self.now, closes)?;
        hand_out_allows(self.hand_outs.get(&schedule.id))?;
        latest_at_allows(apply, self.now)?;
        insurance_allows(apply, schedule, &policy)?;
        if policy.payment_mode != PaymentMode::None && schedule.fee_fen > 0 {
            let patient = self.payers.get(&apply.patient_id).ok_or(Refusal::UnknownPatient)?;
            if ports.open(patient)?.openid.is_none() {
                return Err(Refusal::NoPaymentAccount.into());
            }
        }
        let joined = so_far.joined.get(person_id.as_str()).map_or(&[][..], Vec::as_slice);
        person.allows(joined, schedule, &policy, ports)?;
        self.account_allows(apply, person_id, &policy, so_far)?;
        let caps = self.has_room(schedule, &policy, so_far)?;
        Ok(Outcome::Room(Room { schedule, person: person_id, policy, closes, caps }))
    }

    /// R33: an account stands for a family, not for a trade.
    fn account_allows(&self, apply: &Apply, person: &str, policy: &Policy, so_far: &SoFar<'_>) -> Result<(), Refusal> {
        let Some(account) = apply.origin.account.as_ref().map(Pseudonym::as_bytes) else { return Ok(()) };
        let mut persons: BTreeSet<&str> =
            self.accounts.get(account).into_iter().flat_map(|one| &one.persons).map(String::as_str).collect();
        persons.extend(so_far.accounts.get(account).into_iter().flatten().copied());
        let limit = policy.persons_per_account;
        if !persons.contains(person) && persons.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Refusal::AccountLimit { limit });
        }
        Ok(())
    }

    /// R2, R3. The caps that this stands on, level by level.
    fn has_room(&self, schedule: &Schedule, policy: &Policy, so_far: &SoFar<'_>) -> Result<[Option<u32>; 3], Refusal> {
        let none = Counted::default();
        let at = |level: Level| {
            let counted = self.level(schedule, level).unwrap_or(&none);
            let added =
                so_far.taken.get(&(level.as_str(), under(schedule).id_at(level))).map_or(0, |taken| taken.added);
            let live = match policy.cap_counts {
                CapCounts::LiveInAll => counted.live.saturating_add_signed(added),
                counts => {
                    let own = self.queue_of(schedule).map(|id| {
                        let found = self.in_each.get(id).copied().unwrap_or_default();
                        admissions::counted(counts, found) + so_far.entered.get(id).unwrap_or(&0)
                    });
                    own.sum()
                }
            };
            Standing { policy: &counted.policy, live }
        };
        let standings =
            Standings { doctor: at(Level::Doctor), department: at(Level::Department), campus: at(Level::Campus) };
        admission::admit(&standings, policy.cap_reading)?;
        Ok(admission::caps_asked(&standings, policy.cap_reading))
    }

    fn enter<'a>(
        &'a self,
        apply: &'a Apply,
        room: &Room<'a>,
        so_far: &mut SoFar<'a>,
        decided: &mut Decided<'a>,
    ) -> Answer<Uuid> {
        let Room { schedule, person, policy, closes, caps } = room;
        let cutoff = calendar::entry_ends_at(*closes, apply.latest_at);
        let mut run = application(apply, schedule, policy, cutoff, self.now)?;
        let id = run.id;
        for effect in std::mem::take(&mut run.effects) {
            match effect {
                Effect::Tell(letter) => decided.letters.push((id, letter)),
                Effect::Signal { .. } | Effect::Start(_) => {
                    return Err(DeskError::Broken("an application that starts only tells".to_owned()));
                }
            }
        }
        let status = if prepays(schedule, policy) { EntryStatus::AwaitingPrepayment } else { EntryStatus::Waiting };
        decided.entries.push(NewEntry {
            schedule_id: &schedule.id,
            under: under(schedule),
            patient_id: &apply.patient_id,
            status: status.as_str(),
            payment_mode: schedules::name_of(&policy.payment_mode),
            fee_fen: schedule.fee_fen,
            cutoff,
        });
        *so_far.entered.entry(&schedule.id).or_default() += 1;
        let in_all = policy.cap_counts == CapCounts::LiveInAll;
        if let Some(cap) = caps.iter().flatten().min().filter(|_| !in_all) {
            let schedules = self.queue_of(schedule).collect();
            so_far.each.insert(&schedule.id, Each { schedules, cap: *cap, counts: policy.cap_counts });
        }
        for (level, cap) in Level::ALL.into_iter().zip(*caps) {
            let cap = cap.filter(|_| in_all);
            so_far.taken.entry((level.as_str(), under(schedule).id_at(level))).or_default().one_more(cap);
        }
        so_far.joined.entry(person).or_default().push(schedule);
        if let Some(account) = &apply.origin.account {
            so_far.accounts.entry(account.as_bytes()).or_default().insert(person);
        }
        if let Some(key) = apply.idempotency_key.as_deref() {
            so_far.keys.insert(key, (id, &apply.schedule_id, &apply.patient_id));
        }
        decided.runs.push(run);
        Ok(id)
    }
}

/// What the rules say of one who is not refused.
enum Outcome<'a> {
    Was(Uuid),
    Room(Room<'a>),
}

/// There is room for one more.
struct Room<'a> {
    schedule: &'a Schedule,
    person: &'a str,
    policy: Policy,
    closes: DateTime<Utc>,
    /// The caps that this stands on, in the order of [`Level::ALL`].
    caps: [Option<u32>; 3],
}

/// R4: whether an application to a schedule, or to the day's queue, would be the second one for a place that this one waits for;
/// each waits for what it joined, whatever the settings say by now (Q2).
fn meets(live: &Live, schedule: &Schedule, per_day: bool) -> bool {
    let of_the_day = live.doctor_id == schedule.doctor_id
        && live.department_id == schedule.department_id
        && live.visit_date == schedule.visit_date;
    live.schedule_id == schedule.id || ((per_day || live.whole_day) && of_the_day)
}

impl Person {
    /// R4, R32, R35: nothing about the person is in the way; `joined` are the queues joined in this flush.
    fn allows(&self, joined: &[&Schedule], schedule: &Schedule, policy: &Policy, ports: &Ports) -> Result<(), Refusal> {
        // Until it is lifted is longer than any day.
        let here = |department: &Option<String>| department.as_ref().is_none_or(|it| *it == schedule.department_id);
        let holding = self.blacklisted.iter().filter(|(_, department)| here(department)).map(|(until, _)| *until);
        if let Some(until) = holding.max_by_key(|until| (until.is_none(), *until)) {
            let until = until.map(|until| until.with_timezone(&ports.tz).date_naive());
            return Err(Refusal::Blacklisted { until });
        }
        let per_day = policy.queue_per == QueuePer::Day;
        // Settings of one doctor in one department: what is joined in this flush is of the same kind.
        let again = |one: &&Schedule| one.id == schedule.id || (per_day && one.is_of_the_day_of(schedule));
        let twice = self.live.iter().any(|one| meets(one, schedule, per_day)) || joined.iter().any(again);
        if twice {
            return Err(Refusal::DuplicateApplication);
        }
        let limit = policy.live_entries_per_patient;
        if self.live.len() + joined.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Refusal::PatientLimit { limit });
        }
        let day = (&schedule.department_id, schedule.visit_date);
        let live = self.live.iter().filter(|one| (&one.department_id, one.visit_date) == day).count();
        let joined = joined.iter().filter(|one| (&one.department_id, one.visit_date) == day).count();
        let limit = policy.live_entries_per_department_and_day;
        if live + joined >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Refusal::DepartmentDayLimit { limit });
        }
        if self.booked.contains(&(schedule.department_id.clone(), schedule.visit_date)) {
            return Err(Refusal::AlreadyBooked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::ports::his::DayPart;

    fn schedule(id: u8, doctor: u8, day: u32) -> Schedule {
        Schedule {
            id: id.to_string(),
            doctor_id: doctor.to_string(),
            doctor_name: String::new(),
            department_id: "d".to_owned(),
            department_name: String::new(),
            campus_id: "c".to_owned(),
            visit_date: NaiveDate::from_ymd_opt(2026, 3, day).unwrap_or_default(),
            part: DayPart::Morning,
            state: ScheduleState::Open,
            total: 1,
            remaining: 0,
            fee_fen: 0,
        }
    }

    /// Whose places somebody may be offered who joined there.
    fn served<'a>(all: &'a [Schedule], at: &'a Schedule, per_day: bool) -> BTreeSet<&'a str> {
        let own = |one: &&Schedule| one.id == at.id || (per_day && one.is_of_the_day_of(at));
        all.iter().filter(own).map(|one| one.id.as_str()).collect()
    }

    proptest! {
        /// However the settings have changed in between.
        #[test]
        fn q2_r04_nobody_stands_twice_for_one_place(
            sittings in proptest::collection::vec((0_u8..2, 4_u32..6), 1..6), first: prop::sample::Index,
            second: prop::sample::Index, first_per_day: bool, second_per_day: bool,
        ) {
            let all: Vec<Schedule> = (0..).zip(&sittings).map(|(id, (doctor, day))| schedule(id, *doctor, *day)).collect();
            let (at, joins) = (first.get(&all), second.get(&all));
            let live = Live {
                patient_id: "p".to_owned(),
                schedule_id: at.id.clone(),
                doctor_id: at.doctor_id.clone(),
                department_id: at.department_id.clone(),
                visit_date: at.visit_date,
                whole_day: first_per_day,
            };
            let both = served(&all, at, first_per_day).intersection(&served(&all, joins, second_per_day)).count();
            prop_assert_eq!(meets(&live, joins, second_per_day), both > 0);
        }
    }
}
