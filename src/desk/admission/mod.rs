//! Admission, many at once (R2–R7, R24, R25, R32, R35): whoever applies at the same time is decided together, in the
//! order of arrival, by the rules as if one came after the other; then one statement writes all who were admitted.
//!
//! Exact under any concurrency: that statement looks again at what could let in one too many and writes nothing where
//! it has moved (another process admitted meanwhile); then the same people are decided again.

mod deciding;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::{Applied, Apply};
use super::show::with_parameters;
use super::{Answer, DeskError, draws, for_all};
use crate::engine::group::Group;
use crate::engine::store::signal::deliver;
use crate::engine::store::{self, Outgoing};
use crate::engine::{Engine, NewRun, Registry, RunId, To};
use crate::records;
use crate::records::admission_ground::{self, Asked, Counted};
use crate::records::admissions::{self, Decided};
use crate::records::policies::Standing;
use crate::records::schedules::{self, Schedule};
use crate::records::{accounts, entries, hand_outs, patients};
use crate::waitlist::calendar;
use crate::waitlist::cipher::Pseudonym;
use crate::waitlist::policy::{CapCounts, Policy, QueuePer};
use crate::waitlist::status::EntryStatus;
use crate::workflows::Ports;
use crate::workflows::slot_release::{self, Freed, Release, SlotRelease};
use crate::workflows::waitlist_application::Terms;
use deciding::{Facts, Person, Verdict};

/// The most applications of one flush.
const TOGETHER_MAX: usize = 256;
/// How often a decision is made again that stood on something that has moved.
const ATTEMPTS_MAX: u32 = 8;
/// What `admit` says then.
const MOVED: &str = "HB001";
/// The steps at which a hand-out begins no second time.
pub(super) const OVER_AT: [slot_release::Step; 2] = [slot_release::Step::Stopping, slot_release::Step::Closed];
/// The step at which a later cutoff takes it up again.
pub(super) const SHUT: slot_release::Step = slot_release::Step::Shut;

/// The door to admission.
pub(super) type Admissions = Group<Apply, Answer<Applied>>;

/// Opens it.
pub(super) fn open(engine: Arc<Engine>, ports: Arc<Ports>) -> Admissions {
    let desk = Arc::new(Admission { engine, ports });
    Group::start(TOGETHER_MAX, move |asked| {
        let desk = Arc::clone(&desk);
        async move { desk.flush(asked).await }.boxed()
    })
}

struct Admission {
    engine: Arc<Engine>,
    ports: Arc<Ports>,
}

/// Why a flush wrote nothing.
enum Unwritten {
    /// What it stood on has moved.
    Moved,
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Unwritten {
    /// Whoever meets another one at a constraint or in a deadlock sees next time what that one did.
    fn from(error: sqlx::Error) -> Self {
        let moved = error.as_database_error().is_some_and(|error| {
            matches!(error.constraint(), Some(entries::ONCE | "entry_idempotency" | "run_key"))
                || matches!(error.code().as_deref(), Some(MOVED | "40P01" | "40001"))
        });
        if moved { Self::Moved } else { Self::Failed(error) }
    }
}

impl Admission {
    /// Answers as many as asked. One that cannot be written at all does not take the others along.
    async fn flush(&self, asked: Vec<Apply>) -> Vec<Answer<Applied>> {
        for _ in 0..ATTEMPTS_MAX {
            match self.together(&asked).await {
                Ok(answers) => return answers,
                Err(Unwritten::Moved) => {}
                // The server has answered and taken everything back: it is about one of them.
                Err(Unwritten::Failed(sqlx::Error::Database(_))) if asked.len() > 1 => break,
                // The same key, or the rule against two applications, will tell.
                Err(Unwritten::Failed(error)) => return for_all(asked.len(), error),
            }
        }
        if asked.len() == 1 {
            return vec![Err(DeskError::Broken("an application met others again and again".to_owned()))];
        }
        let mut answers = Vec::with_capacity(asked.len());
        for one in asked {
            answers.extend(Box::pin(self.flush(vec![one])).await);
        }
        answers
    }

    async fn together(&self, asked: &[Apply]) -> Result<Vec<Answer<Applied>>, Unwritten> {
        let facts = self.read(asked).await?;
        let (verdicts, decided) = facts.decide(asked, &self.ports);
        if !decided.runs.is_empty() {
            self.admit(&facts, decided).await?;
        }
        self.answers(verdicts, facts.now).await
    }

    /// Writes what was decided, all of it or nothing: a hand-out begins, and the window of a draw opens, with whom it begins
    /// for.
    async fn admit(&self, facts: &Facts, mut decided: Decided<'_>) -> Result<(), Unwritten> {
        let (pool, hospital) = (&self.engine.pool, self.engine.tenant.as_str());
        let over = OVER_AT.map(slot_release::Step::name);
        let over_or_shut = [&over[..], &[SHUT.name()]].concat();
        let asked = decided.entries.iter().filter_map(|entry| facts.schedules.get(entry.schedule_id));
        // One beside it that is stopped, or whose hand-out is over, has no place to hand out (Q2).
        let queues = asked.flat_map(|schedule| facts.queue_of(schedule).filter(move |id| facts.goes_on(schedule, id)));
        let wanted = distinct(queues);
        let (stand, unopened): (Vec<&str>, Vec<&str>) =
            wanted.into_iter().partition(|id| facts.hand_outs.contains_key(*id));
        let told = self.told(facts, &decided);
        let standing = stand.iter().filter_map(|id| facts.hand_outs.get(*id));
        let (know, others): (Vec<_>, Vec<_>) = standing.partition(|run| told.iter().any(|one| is_for(one, &run.key)));
        decided.hand_outs = others.iter().map(|run| run.id).collect();
        if unopened.is_empty() && told.is_empty() && decided.is_alone() {
            self.engine.call(async |conn| admissions::admit(conn, hospital, &over_or_shut, &decided).await).await?;
            self.engine.hint_of(&decided.runs, !decided.letters.is_empty());
            return Ok(());
        }
        let mut tx = pool.begin().await?;
        // Accounts before all else, in the order of their ids: nothing else locks them. Runs come next, as in every transaction.
        if !decided.accounts.is_empty()
            && !accounts::note(&mut tx, hospital, &decided.accounts, &decided.account_persons).await?
        {
            return Err(Unwritten::Moved);
        }
        let begun = self.begin_hand_outs(&mut tx, facts, &unopened).await?;
        decided.hand_outs.extend(begun);
        deliver(&mut tx, hospital, &told).await?;
        // Whoever is told is held by that, and hears it wherever the places stand by now.
        let know: Vec<RunId> = know.iter().map(|run| run.id).collect();
        if !hand_outs::all_go_on(&mut tx, hospital, &know, &over).await? {
            return Err(Unwritten::Moved);
        }
        admissions::admit(&mut *tx, hospital, &over_or_shut, &decided).await?;
        if !admissions::within_each(&mut *tx, hospital, &decided.each).await? {
            return Err(Unwritten::Moved);
        }
        tx.commit().await?;
        self.engine.hint_of(&decided.runs, !decided.letters.is_empty());
        // The hand-outs have heard something, or what was kept for one that has begun.
        self.engine.hint();
        Ok(())
    }

    /// What the hand-outs hear of those who join: that somebody waits, where a place may have come free while nobody did
    /// (R16); and that the queue closes later than they know, where the settings say so by now (R24).
    fn told(&self, facts: &Facts, decided: &Decided<'_>) -> Vec<Outgoing> {
        let (mut told, mut seen) = (Vec::new(), HashSet::new());
        for (entry, run) in decided.entries.iter().zip(&decided.runs) {
            let Some(schedule) = facts.schedules.get(entry.schedule_id) else { continue };
            let waits = entry.status == EntryStatus::Waiting.as_str();
            let closes = facts.closes(schedule, &self.ports);
            for id in facts.queue_of(schedule).filter(|id| facts.goes_on(schedule, id)) {
                let Some(stands) = facts.hand_outs.get(id) else { continue };
                if waits && stands.unasked == Some(true) && seen.insert(("Freed", id)) {
                    told.push(Freed::unasked(id, run.id));
                }
                let later = stands.cutoff.is_some_and(|cutoff| cutoff < closes) || stands.step == SHUT.name();
                if later && seen.insert(("Terms", id)) {
                    let ends = Some(calendar::visits_end(schedule.visit_date, self.ports.tz));
                    let terms = Terms { policy: facts.policy(schedule), closes, ends };
                    told.push(terms.to_hand_out(id, format!("terms:{}", run.id)));
                }
            }
        }
        told
    }

    /// Everything that the rules ask about, read without a lock.
    async fn read(&self, asked: &[Apply]) -> sqlx::Result<Facts> {
        let (pool, hospital) = (&self.engine.pool, self.engine.tenant.as_str());
        let schedules = distinct(asked.iter().map(|apply| apply.schedule_id.as_str()));
        let patients = distinct(asked.iter().map(|apply| apply.patient_id.as_str()));
        let keys = distinct(asked.iter().filter_map(|apply| apply.idempotency_key.as_deref()));
        let wanted = Asked { schedules: &schedules, patients: &patients, keys: &keys, hand_out: SlotRelease::NAME };
        let accounts: HashSet<&[u8]> =
            asked.iter().filter_map(|apply| apply.origin.account.as_ref()).map(Pseudonym::as_bytes).collect();
        let accounts: Vec<&[u8]> = accounts.into_iter().collect();
        let known = async {
            if accounts.is_empty() { Ok(Vec::new()) } else { accounts::read(pool, hospital, &accounts).await }
        };
        let ground = self.engine.call(async |conn| admission_ground::read(conn, hospital, &wanted).await);
        let payers = self.engine.call(async |conn| patients::find_all(conn, hospital, &patients).await);
        let (ground, payers, known) = futures::try_join!(ground, payers, known)?;
        let mut persons: HashMap<String, Person> = HashMap::new();
        let mut person_of = HashMap::new();
        for account in &ground.accounts {
            let person = persons.entry(account.person.clone()).or_default();
            person.accounts.insert(account.id.clone(), account.applied);
            person_of.insert(account.asked.clone(), account.person.clone());
        }
        for person in persons.values_mut() {
            let own = |id: &String| person.accounts.contains_key(id);
            person.live = ground.live.iter().filter(|one| own(&one.patient_id)).cloned().collect();
            person.booked =
                ground.booked.iter().filter(|(id, ..)| own(id)).map(|(_, d, day)| (d.clone(), *day)).collect();
            let listed = ground.blacklisted.iter().filter(|(id, ..)| own(id));
            person.blacklisted = listed.map(|(_, until, department)| (*until, department.clone())).collect();
        }
        let counted = |one: Counted| {
            let standing = Standing { policy: one.policy.unwrap_or_default(), live: one.live };
            ((one.level, one.id), standing)
        };
        let mut facts = Facts {
            now: ground.now,
            hand_outs: ground.hand_outs.into_iter().map(|run| (run.key.clone(), run)).collect(),
            waiting: ground.waiting.into_iter().collect(),
            beside: HashMap::new(),
            counted: ground.levels.into_iter().map(counted).collect(),
            in_each: HashMap::new(),
            persons,
            person_of,
            keyed: ground.keyed.into_iter().map(|one| (one.idempotency_key.clone(), one)).collect(),
            schedules: ground.schedules.into_iter().map(|schedule| (schedule.id.clone(), schedule)).collect(),
            accounts: known.into_iter().map(|account| (account.id.clone(), account)).collect(),
            payers: payers.into_iter().map(|patient| (patient.id.clone(), patient)).collect(),
        };
        self.read_beside(&mut facts).await?;
        // Rarely asked for, and read after the rest: who joins in between is met again when all is written.
        let own_number = |schedule: &&Schedule| facts.policy(schedule).cap_counts != CapCounts::LiveInAll;
        let ids: Vec<&str> = facts.schedules.values().filter(own_number).map(|one| one.id.as_str()).collect();
        if !ids.is_empty() {
            facts.in_each = entries::counts(pool, hospital, &ids).await?;
        }
        Ok(facts)
    }

    /// The other half-days of the days that have a queue (Q2).
    async fn read_beside(&self, facts: &mut Facts) -> sqlx::Result<()> {
        let (pool, hospital) = (&self.engine.pool, self.engine.tenant.as_str());
        let per_day = |schedule: &&Schedule| facts.policy(schedule).queue_per == QueuePer::Day;
        let of: Vec<&str> = facts.schedules.values().filter(per_day).map(|one| one.id.as_str()).collect();
        if of.is_empty() {
            return Ok(());
        }
        let beside = schedules::beside(pool, hospital, &of).await?;
        let ids = distinct(beside.values().flatten().map(String::as_str));
        let wanted = Asked { schedules: &ids, patients: &[], keys: &[], hand_out: SlotRelease::NAME };
        let ground = admission_ground::read(pool, hospital, &wanted).await?;
        let all: Vec<String> = of.iter().copied().chain(ids.iter().copied()).map(str::to_owned).collect();
        facts.waiting.extend(entries::queue_lengths(pool, hospital, &all).await?);
        facts.hand_outs.extend(ground.hand_outs.into_iter().map(|run| (run.key.clone(), run)));
        facts.schedules.extend(ground.schedules.into_iter().map(|schedule| (schedule.id.clone(), schedule)));
        facts.beside = beside;
        Ok(())
    }

    /// The hand-outs of schedules that have none yet; one that somebody has begun meanwhile is answered too.
    async fn begin_hand_outs(
        &self,
        conn: &mut PgConnection,
        facts: &Facts,
        schedules: &[&str],
    ) -> sqlx::Result<Vec<RunId>> {
        let (mut new, mut windows) = (Vec::new(), Vec::new());
        for schedule in schedules.iter().filter_map(|id| facts.schedules.get(*id)) {
            let closes = facts.closes(schedule, &self.ports);
            let draw = self.draw_of(&mut *conn, facts, schedule, closes).await?;
            let drawn_at = draw.as_ref().map(|(_, at)| *at);
            new.push(self.release(schedule, &facts.policy(schedule), closes, drawn_at)?);
            windows.push((schedule.id.as_str(), draw));
        }
        let started = store::start_all(conn, &self.engine.tenant, new).await?;
        for (one, (id, draw)) in started.iter().zip(windows) {
            if let Some((root, at)) = draw.filter(|_| one.new) {
                // Nobody is let in before the seed stands (R17).
                draws::fix(&mut *conn, &self.ports, &root, &[id]).await?;
                records::draws::open(&mut *conn, &self.engine.tenant, id, facts.now, at).await?;
            }
        }
        Ok(started.into_iter().map(|one| one.id).collect())
    }

    /// Whose draw orders a queue that opens now, and when it is held; none where arrival decides. The half-days of a day that has a
    /// queue are drawn together; one that opens later takes part while the draw is not held (Q2).
    async fn draw_of(
        &self,
        conn: &mut PgConnection,
        facts: &Facts,
        schedule: &Schedule,
        closes: DateTime<Utc>,
    ) -> sqlx::Result<Option<(String, DateTime<Utc>)>> {
        let Some(at) = facts.drawn_at(schedule, closes) else { return Ok(None) };
        let ids: Vec<&str> = facts.queue_of(schedule).collect();
        if ids.len() == 1 {
            return Ok(Some((schedule.id.clone(), at)));
        }
        if ids.iter().any(|id| facts.hand_outs.contains_key(*id)) {
            return records::draws::under_way(conn, &self.engine.tenant, &ids).await;
        }
        Ok(Some((records::draws::root(conn, &self.engine.tenant, &ids).await?, at)))
    }

    fn release(
        &self,
        schedule: &Schedule,
        policy: &Policy,
        closes: DateTime<Utc>,
        drawn_at: Option<DateTime<Utc>>,
    ) -> sqlx::Result<NewRun> {
        let visits_end = calendar::visits_end(schedule.visit_date, self.ports.tz);
        let mut state = Release::new(schedule.id.clone(), schedule.visit_date, closes, visits_end);
        state.goes_by(policy);
        let (state, first) = match drawn_at {
            Some(at) => (state.with_draw_at(at), slot_release::Step::Gathering),
            None => (state, slot_release::Step::Idle),
        };
        let id = Uuid::now_v7();
        Registry::new_run::<SlotRelease>(id, schedule.id.clone(), first.name(), &state)
            .map_err(|fault| sqlx::Error::Encode(fault.to_string().into()))
    }

    /// The answers, with the entries as they stand now.
    async fn answers(&self, verdicts: Vec<Verdict>, now: DateTime<Utc>) -> Result<Vec<Answer<Applied>>, Unwritten> {
        let ids: Vec<Uuid> = verdicts
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Refused(_) => None,
                Verdict::Was(id) | Verdict::Admitted(id) => Some(*id),
            })
            .collect();
        let mut shown = HashMap::new();
        if !ids.is_empty() {
            // What was written stands: that it cannot be read now is no reason to decide again.
            let hospital = self.engine.tenant.as_str();
            match self.engine.call(async |conn| entries::find_all(conn, hospital, &ids).await).await {
                Ok(found) => shown = found.into_iter().map(|one| (one.id, one)).collect(),
                Err(error) => tracing::warn!(%error, "admitted applications could not be read back"),
            }
        }
        let show = |id: Uuid, new: bool| match shown.get(&id) {
            Some(one) => Ok(Applied { entry: with_parameters(&self.ports, one.clone(), now), new }),
            None => Err(DeskError::Database(sqlx::Error::PoolTimedOut)),
        };
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Refused(error) => Err(error),
                Verdict::Was(id) => show(id, false),
                Verdict::Admitted(id) => show(id, true),
            })
            .collect())
    }
}

/// True where the hand-out of this schedule is told this.
fn is_for(told: &Outgoing, schedule_id: &str) -> bool {
    matches!(&told.to, To::Key { key, .. } if key == schedule_id)
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    texts.collect::<HashSet<_>>().into_iter().collect()
}
