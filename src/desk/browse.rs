//! Schedules and the state of their queues (R1, R2, R13). What it says is a first answer: `apply` decides.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::apply::{open_for, under};
use super::{Answer, Desk};
use crate::ports::his::ScheduleState;
use crate::records::policies;
use crate::records::schedules::{self, Schedule};
use crate::records::{admissions, entries};
use crate::waitlist::admission::{self, Standing, Standings};
use crate::waitlist::calendar;
use crate::waitlist::policy::{CapCounts, Level, Policy, QueuePer};
use crate::waitlist::refusal::Refusal;

/// How many days are listed where the caller does not say.
const DAYS_SHOWN: u64 = 14;

/// A schedule with the state of its queue.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The schedule.
    pub schedule: Schedule,
    /// True where it is shown as full: no place is left, or whoever waits comes first (R13).
    pub full: bool,
    /// How many wait.
    pub length: i64,
    /// Why nobody may join, if so.
    pub closed: Option<Refusal>,
    /// The settings that an application would begin with.
    pub policy: Policy,
    /// When the queue closes.
    pub cutoff: DateTime<Utc>,
    /// The nearest cap.
    pub cap: Option<Cap>,
}

/// How many entries a level may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Whose rule it is.
    pub level: Level,
    /// So many.
    pub most: u32,
    /// How many stand against it.
    pub live: u32,
}

impl Desk {
    /// Schedules between two days (default: the next two weeks), of a department or a doctor or both.
    pub async fn schedules(
        &self,
        department_id: Option<&str>,
        doctor_id: Option<&str>,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Answer<Vec<Listed>> {
        let now = self.now().await?;
        let from = from.unwrap_or_else(|| now.with_timezone(&self.ports.tz).date_naive());
        let to = to.unwrap_or_else(|| from.checked_add_days(Days::new(DAYS_SHOWN)).unwrap_or(from));
        let pool = &self.engine.pool;
        let found = schedules::list(pool, self.hospital(), department_id, doctor_id, from, to).await?;
        let ids: Vec<String> = found.iter().map(|schedule| schedule.id.clone()).collect();
        let lengths = entries::queue_lengths(pool, self.hospital(), &ids).await?;
        // Schedules of one doctor stand under the same settings.
        let mut known: HashMap<(String, String, String), [policies::Standing; 3]> = HashMap::new();
        let mut conn = pool.acquire().await?;
        let mut standing = Vec::with_capacity(found.len());
        for schedule in found {
            let key = (schedule.doctor_id.clone(), schedule.department_id.clone(), schedule.campus_id.clone());
            let levels = if let Some(levels) = known.get(&key) {
                levels.clone()
            } else {
                let levels = policies::standings(&mut *conn, self.hospital(), &under(&schedule)).await?;
                known.entry(key).or_insert(levels).clone()
            };
            standing.push((schedule, levels));
        }
        let own_number = standing.iter().filter(|(_, levels)| resolve(levels).cap_counts != CapCounts::LiveInAll);
        let ids: Vec<&str> = own_number.map(|(schedule, _)| schedule.id.as_str()).collect();
        let own =
            if ids.is_empty() { HashMap::new() } else { entries::counts(&mut *conn, self.hospital(), &ids).await? };
        // A day's half-days are listed together (Q2).
        let all: Vec<Half> = standing.iter().map(|(schedule, _)| Half::of(schedule, &lengths, &own)).collect();
        let listed = standing.into_iter().zip(&all).map(|((schedule, levels), own)| {
            let queue = if resolve(&levels).queue_per == QueuePer::Day {
                QueueOf::sum(all.iter().filter(|half| half.schedule.is_of_the_day_of(&schedule)))
            } else {
                QueueOf::sum(std::iter::once(own))
            };
            self.listed(schedule, &levels, &queue, now)
        });
        Ok(listed.collect())
    }

    /// One schedule with its queue, or [`Refusal::UnknownSchedule`].
    pub async fn queue_of(&self, schedule_id: &str) -> Answer<Listed> {
        let now = self.now().await?;
        let mut conn = self.engine.pool.acquire().await?;
        let schedule =
            schedules::find(&mut *conn, self.hospital(), schedule_id).await?.ok_or(Refusal::UnknownSchedule)?;
        let levels = policies::standings(&mut *conn, self.hospital(), &under(&schedule)).await?;
        let mut of = vec![schedule.clone()];
        if resolve(&levels).queue_per == QueuePer::Day {
            let beside = schedules::beside(&mut *conn, self.hospital(), &[schedule_id]).await?;
            let beside: Vec<&str> = beside.values().flatten().map(String::as_str).collect();
            of.extend(schedules::find_all(&mut *conn, self.hospital(), &beside).await?);
        }
        let ids: Vec<String> = of.iter().map(|one| one.id.clone()).collect();
        let lengths = entries::queue_lengths(&mut *conn, self.hospital(), &ids).await?;
        let ids: Vec<&str> = of.iter().map(|one| one.id.as_str()).collect();
        let own = entries::counts(&mut *conn, self.hospital(), &ids).await?;
        let halves: Vec<Half> = of.iter().map(|one| Half::of(one, &lengths, &own)).collect();
        Ok(self.listed(schedule, &levels, &QueueOf::sum(halves.iter()), now))
    }

    fn listed(
        &self,
        schedule: Schedule,
        levels: &[policies::Standing; 3],
        queue: &QueueOf,
        now: DateTime<Utc>,
    ) -> Listed {
        let policy = resolve(levels);
        let cutoff = calendar::cutoff_at(schedule.visit_date, &policy.cutoff, &self.ports.working_days, self.ports.tz);
        let counted = |at: &policies::Standing| match policy.cap_counts {
            CapCounts::LiveInAll => at.live,
            counts => admissions::counted(counts, queue.own),
        };
        let own = [Level::Doctor, Level::Department, Level::Campus].into_iter().zip(levels);
        let caps = own.filter_map(|(level, at)| Some(Cap { level, most: at.policy.cap?, live: counted(at) }));
        let cap = caps.min_by_key(|cap| cap.most.saturating_sub(cap.live));
        let [doctor, department, campus] =
            levels.each_ref().map(|at| Standing { policy: &at.policy, live: counted(at) });
        let admitted = admission::admit(&Standings { doctor, department, campus }, policy.cap_reading);
        let closed = open_for(&schedule, queue.remaining, queue.length, now, cutoff).and(admitted).err();
        let length = queue.length;
        let full = schedule.remaining == 0 || length > 0;
        Listed { schedule, full, length, closed, policy, cutoff, cap }
    }
}

/// One schedule with what is known of its entries.
struct Half {
    schedule: Schedule,
    length: i64,
    own: (u32, u32),
}

impl Half {
    fn of(schedule: &Schedule, lengths: &HashMap<String, i64>, own: &HashMap<String, (u32, u32)>) -> Self {
        let length = lengths.get(&schedule.id).copied().unwrap_or(0);
        let own = own.get(&schedule.id).copied().unwrap_or_default();
        Self { schedule: schedule.clone(), length, own }
    }
}

/// What a queue comes to over the schedules that it is of (Q2).
#[derive(Default)]
struct QueueOf {
    /// Free places of those that are open.
    remaining: u32,
    /// How many wait.
    length: i64,
    /// Live entries, and all there ever were; looked at where the caps count those.
    own: (u32, u32),
}

impl QueueOf {
    fn sum<'a>(halves: impl Iterator<Item = &'a Half>) -> Self {
        halves.fold(Self::default(), |sum, half| Self {
            remaining: sum.remaining
                + if half.schedule.state == ScheduleState::Open { half.schedule.remaining } else { 0 },
            length: sum.length + half.length,
            own: (sum.own.0 + half.own.0, sum.own.1 + half.own.1),
        })
    }
}

fn resolve([doctor, department, campus]: &[policies::Standing; 3]) -> Policy {
    Policy::resolve(&doctor.policy, &department.policy, &campus.policy)
}
