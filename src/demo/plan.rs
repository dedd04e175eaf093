//! What happens on a played day and when, made in advance from the seed. Pure: same seed, same agenda.
//!
//! Three days are touched: most people apply for tomorrow and the day after, a few for later in the week. Of days that are
//! played one after the other each has its own plan, and the mornings and nights of two meet as they do in a hospital.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::agenda::{Act, Agenda, Answer, Application, Terms};
use super::chance::Chance;
use super::held::Held;
use super::world::{Schedule, World};
use crate::sandbox::faults::hash;
use crate::sandbox::his::channel;
use crate::waitlist::calendar;
use crate::waitlist::policy::PaymentMode;

/// Ordinary applications.
const ORDINARY: usize = 1_550;
/// Requests that are refused, or come twice.
const ODD: usize = 130;
/// Applications for a hot doctor: so many in one minute, then so many in each of three more.
const BURST: (usize, usize) = (54, 7);
/// Places that come free: on our own site, elsewhere with a push, elsewhere without.
const OWN_SITE: usize = 170;
const PUSHED: usize = 210;
const SILENT: usize = 60;
const ADDED: usize = 16;
const OVERNIGHT: usize = 30;
/// Patients who may not apply.
pub(super) const BLACKLISTED: usize = 4;

/// Which day of a play it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    /// The seed of the play.
    pub(super) seed: u64,
    /// 0 for the first one.
    pub(super) nth: u32,
    pub(super) date: NaiveDate,
    pub(super) tz: Tz,
}

impl Day {
    /// A wall-clock time some days later.
    pub(super) fn at(&self, days: u64, hour: u32, minute: u32) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
        calendar::visit_starts_at(self.date + Days::new(days), time, self.tz)
    }

    /// When it begins.
    pub(super) fn begins(&self) -> DateTime<Utc> {
        self.at(0, 6, 30)
    }

    /// When all that it brings is over.
    pub(super) fn ends(&self) -> DateTime<Utc> {
        self.at(2, 8, 0)
    }

    /// The seed of what happens on it: on the first day the play's own.
    fn chance(&self) -> u64 {
        if self.nth == 0 { self.seed } else { hash(&[&self.seed.to_le_bytes(), &self.nth.to_le_bytes()]) }
    }
}

/// The whole plan of a day.
pub(super) struct Plan {
    pub(super) applications: Vec<Application>,
    pub(super) agenda: Agenda,
}

impl Plan {
    /// The plan of this day for this hospital. Its applications are numbered from `first` on.
    pub(super) fn new(day: Day, world: &World, first: usize) -> Self {
        let (applications, agenda) = (Vec::new(), Agenda::default());
        let mut writer = Writer { day, world, first, applications, agenda, wanted: Vec::new() };
        writer.bursts();
        writer.ordinary();
        writer.odd_ones();
        writer.stoppage();
        writer.freed();
        writer.overnight();
        writer.scenes();
        Self { applications: writer.applications, agenda: writer.agenda }
    }
}

/// Writes a plan.
pub(super) struct Writer<'a> {
    pub(super) day: Day,
    pub(super) world: &'a World,
    first: usize,
    applications: Vec<Application>,
    pub(super) agenda: Agenda,
    /// Schedules that people apply for, once an application.
    wanted: Vec<usize>,
}

impl Writer<'_> {
    pub(super) fn chance(&self, what: &str, nth: usize) -> Chance {
        Chance::of(self.day.chance(), what, nth)
    }

    /// A wall-clock time some days after the played day.
    pub(super) fn at(&self, days: u64, hour: u32, minute: u32) -> DateTime<Utc> {
        self.day.at(days, hour, minute)
    }

    /// How many days after the played day the schedule is.
    fn days_ahead(&self, schedule: &Schedule) -> i64 {
        (schedule.date - self.day.date).num_days()
    }

    /// The numbers of the schedules that `pick` takes.
    fn schedules(&self, pick: impl Fn(&Schedule, i64) -> bool) -> Vec<usize> {
        let all = self.world.schedules.iter().enumerate();
        all.filter(|(_, it)| pick(it, self.days_ahead(it))).map(|(n, _)| n).collect()
    }

    fn joinable(&self, schedule: &Schedule) -> bool {
        schedule.left == 0 && self.world.doctor(schedule).is_some_and(|doctor| !doctor.hot && !doctor.off)
    }

    fn apply(&mut self, at: DateTime<Utc>, schedule: usize, patient: usize) -> usize {
        let reg_id = self.world.schedules.get(schedule).map(|it| it.reg_id.clone()).unwrap_or_default();
        let patient_id = self.world.patients.get(patient).map(|it| it.id.clone()).unwrap_or_default();
        self.wanted.push(schedule);
        self.apply_as(at, reg_id, patient_id)
    }

    fn apply_as(&mut self, at: DateTime<Utc>, reg_id: String, patient_id: String) -> usize {
        let nth = self.applications.len();
        let key = format!("demo-{}-{}-{nth:05}", self.day.date, self.day.seed);
        let terms = Terms::default();
        self.applications.push(Application { key, patient_id, reg_id, terms, declines: false, shows: None });
        self.agenda.put(at, Act::Apply(self.first + nth));
        self.first + nth
    }

    /// Somebody of the cast applies, on these terms.
    pub(super) fn enter(
        &mut self,
        at: DateTime<Utc>,
        schedule: usize,
        patient: usize,
        terms: Terms,
        shows: Option<(Answer, Held)>,
    ) -> usize {
        let nth = self.apply(at, schedule, patient);
        if let Some(last) = self.applications.last_mut() {
            (last.terms, last.shows) = (terms, shows);
        }
        nth
    }

    /// Whoever applied last declines what is offered.
    pub(super) fn declines(&mut self) {
        if let Some(last) = self.applications.last_mut() {
            last.declines = true;
        }
    }

    /// Somebody who may apply.
    fn anybody(&self, chance: &mut Chance) -> usize {
        BLACKLISTED + chance.below(self.world.size.patients() - BLACKLISTED)
    }

    /// Everybody wants the hot doctors, in the same minute.
    fn bursts(&mut self) {
        let hot = self.schedules(|it, days| days == 2 && self.world.doctor(it).is_some_and(|doctor| doctor.hot));
        for (n, schedule) in hot.into_iter().step_by(2).enumerate() {
            let mut chance = self.chance("burst", n);
            let begins = self.at(0, 7, 0) + TimeDelta::minutes(chance.between(20, 90));
            for minute in 0..4 {
                let how_many = if minute == 0 { BURST.0 } else { BURST.1 };
                for _ in 0..how_many {
                    let patient = self.anybody(&mut chance);
                    self.apply(begins + TimeDelta::minutes(minute), schedule, patient);
                }
            }
        }
    }

    fn ordinary(&mut self) {
        let on = |wanted: fn(i64) -> bool| self.schedules(|it, days| wanted(days) && self.joinable(it));
        let (tomorrow, then, later) = (on(|days| days == 1), on(|days| days == 2), on(|days| (3..=6).contains(&days)));
        for n in 0..self.world.size.of(ORDINARY) {
            let mut chance = self.chance("ordinary", n);
            let today = chance.percent(68);
            let pool = match chance.between(0, 99) {
                0..=47 if today => &tomorrow,
                0..=87 => &then,
                _ => &later,
            };
            // Some doctors are asked for more than others.
            let popular = usize::midpoint(chance.below(pool.len()), chance.below(pool.len()));
            let Some(schedule) = pool.get(popular).copied() else { continue };
            let patient = self.anybody(&mut chance);
            let at = self.office_hours(u64::from(!today), &mut chance);
            let application = self.apply(at, schedule, patient);
            if chance.percent(9) {
                let at = at + TimeDelta::minutes(chance.between(8, 300));
                self.agenda.put(at, Act::Withdraw(application));
            }
        }
    }

    /// 06:32 to 17:50, more in the morning than later.
    fn office_hours(&self, days: u64, chance: &mut Chance) -> DateTime<Utc> {
        let minute = chance.between(0, 677).min(chance.between(0, 677));
        self.at(days, 6, 32) + TimeDelta::minutes(minute)
    }

    /// What a backend service sends that is refused, or sends twice.
    fn odd_ones(&mut self) {
        let today = self.schedules(|it, days| days == 0 && self.joinable(it));
        let not_full = self.schedules(|it, days| days == 2 && it.left > 0);
        let off = self.schedules(|it, days| days == 1 && self.world.doctor(it).is_some_and(|doctor| doctor.off));
        let joinable = self.schedules(|it, days| days == 2 && self.joinable(it));
        let ordinary = self.applications.len();
        for n in 0..self.world.size.of(ODD) {
            let mut chance = self.chance("odd", n);
            let (patient, at) = (self.anybody(&mut chance), self.office_hours(0, &mut chance));
            let choose = |chance: &mut Chance, from: &[usize]| chance.pick(from).copied().unwrap_or_default();
            match n % 13 {
                // A double click: the same key in the same minute.
                0..=4 => {
                    let first = self.first + chance.below(ordinary);
                    let times = self.agenda.acts.iter().find(|(_, act)| **act == Act::Apply(first));
                    if let Some(((at, _), _)) = times {
                        let at = *at;
                        self.agenda.put(at, Act::Apply(first));
                    }
                }
                // The same person again under another key.
                5 | 6 => {
                    let schedule = choose(&mut chance, &joinable);
                    self.apply(at, schedule, patient);
                    self.apply(at + TimeDelta::minutes(1), schedule, patient);
                }
                7 => {
                    self.apply(at, choose(&mut chance, &today), patient);
                }
                8 => {
                    self.apply_as(at, "R-UNKNOWN".to_owned(), format!("P{patient:05}"));
                }
                9 => {
                    let reg_id = self.world.schedules.get(choose(&mut chance, &joinable)).map(|it| it.reg_id.clone());
                    self.apply_as(at, reg_id.unwrap_or_default(), "P-UNKNOWN".to_owned());
                }
                10 => {
                    self.apply(at, choose(&mut chance, &joinable), chance.below(BLACKLISTED));
                }
                11 => {
                    self.apply(at, choose(&mut chance, &not_full), patient);
                }
                _ => {
                    self.apply(at, choose(&mut chance, &off), patient);
                }
            }
        }
    }

    /// One schedule of the day after tomorrow, prepaid, with a queue and with bookings from it, is stopped.
    fn stoppage(&mut self) {
        let prepaid = self.schedules(|it, days| {
            let prepay = self.world.department(it).is_some_and(|department| department.mode == PaymentMode::Prepay);
            days == 2 && prepay && self.joinable(it)
        });
        let mut chance = self.chance("stoppage", 0);
        let Some(schedule) = chance.pick(&prepaid).copied() else { return };
        for _ in 0..14 {
            let at = self.at(0, 7, 0) + TimeDelta::minutes(chance.between(0, 120));
            let patient = self.anybody(&mut chance);
            self.apply(at, schedule, patient);
        }
        for nth in 0..4 {
            self.cancel(self.at(0, 10, 5 * nth), schedule, u64::from(nth), channel::WEBSITE, true, nth % 2 == 0);
        }
        self.agenda.put(self.at(0, 16, 5), Act::Stop(schedule));
    }

    pub(super) fn cancel(
        &mut self,
        at: DateTime<Utc>,
        schedule: usize,
        nth: u64,
        channel: &'static str,
        push: bool,
        own_site: bool,
    ) {
        let rival = own_site && self.chance("rival", self.agenda.acts.len()).percent(25);
        self.agenda.put(at, Act::Cancel { schedule, nth, channel, push, own_site, rival });
    }

    /// A schedule that people wait for, and a time in its waitlist's opening hours.
    fn awaited(&self, chance: &mut Chance) -> Option<(usize, DateTime<Utc>)> {
        let schedule = *chance.pick(&self.wanted)?;
        let days = self.days_ahead(self.world.schedules.get(schedule)?);
        let day = u64::from(days >= 2 && chance.percent(55));
        Some((schedule, self.at(day, 7, 30) + TimeDelta::minutes(chance.between(0, 615))))
    }

    /// Places that come free by day, and 114 racing for them.
    fn freed(&mut self) {
        let [own_site, pushed, silent, added] = [OWN_SITE, PUSHED, SILENT, ADDED].map(|n| self.world.size.of(n));
        for n in 0..own_site + pushed + silent + added {
            let mut chance = self.chance("freed", n);
            let Some((schedule, at)) = self.awaited(&mut chance) else { continue };
            let nth = u64::try_from(chance.below(1_000)).unwrap_or(0);
            if n < own_site {
                let own = if chance.percent(70) { channel::WEBSITE } else { channel::OFFICIAL_ACCOUNT };
                // HIS pushes every cancel (R30), so our own come back as an echo.
                self.cancel(at, schedule, nth, own, true, true);
            } else if n < own_site + pushed {
                let other = if chance.percent(65) { channel::PLATFORM_114 } else { channel::WINDOW };
                self.cancel(at, schedule, nth, other, true, false);
                if chance.percent(30) {
                    // The push goes out a second later: in the next minute of the driver's clock.
                    self.agenda.put(at + TimeDelta::minutes(1), Act::Grab(schedule));
                }
            } else if n < own_site + pushed + silent {
                self.cancel(at, schedule, nth, channel::WINDOW, false, false);
            } else {
                self.agenda.put(at, Act::AddPlaces { schedule, places: chance.count(1, 3) });
            }
        }
    }

    /// Places that come free between 23:30 and 03:00, where the patient must confirm (R10, E3).
    fn overnight(&mut self) {
        let wanted: Vec<usize> = self
            .wanted
            .iter()
            .copied()
            .filter(|n| {
                self.world.schedules.get(*n).is_some_and(|it| {
                    let asks = self.world.department(it).is_some_and(|at| at.mode == PaymentMode::LockThenPay);
                    asks && self.days_ahead(it) == 2
                })
            })
            .collect();
        for n in 0..self.world.size.of(OVERNIGHT) {
            let mut chance = self.chance("overnight", n);
            let Some(schedule) = chance.pick(&wanted).copied() else { return };
            let at = self.at(0, 23, 30) + TimeDelta::minutes(chance.between(0, 210));
            let own_site = chance.percent(50);
            let channel = if own_site { channel::WEBSITE } else { channel::PLATFORM_114 };
            self.cancel(at, schedule, u64::try_from(n).unwrap_or(0), channel, true, own_site);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::demo::world::Size;

    fn day(seed: u64, nth: u32) -> Day {
        Day { seed, nth, date: "2026-03-02".parse().unwrap(), tz: chrono_tz::Asia::Shanghai }
    }

    fn plan(seed: u64) -> Plan {
        let day = day(seed, 0);
        Plan::new(day, &World::new(seed, day.date, 1, Size::Full), 0)
    }

    #[test]
    fn the_same_seed_makes_the_same_day() {
        let (one, two, other) = (plan(7), plan(7), plan(8));
        assert_eq!(one.agenda.acts, two.agenda.acts);
        assert_ne!(one.agenda.acts, other.agenda.acts);
        let said = |plan: &Plan| {
            let all = plan.applications.iter().map(|it| (it.key.clone(), it.patient_id.clone(), it.reg_id.clone()));
            all.collect::<Vec<_>>()
        };
        assert_eq!(said(&one), said(&two));
    }

    #[test]
    fn everything_that_was_promised_is_in_it() {
        let plan = plan(7);
        assert!((2_000..2_700).contains(&plan.applications.len()), "{}", plan.applications.len());
        let count = |of: &dyn Fn(&Act) -> bool| plan.agenda.acts.values().filter(|act| of(act)).count();
        assert_eq!(count(&|act| matches!(act, Act::Stop(_))), 1);
        assert!(count(&|act| matches!(act, Act::Withdraw(_))) > 80);
        assert!(count(&|act| matches!(act, Act::Grab(_))) > 30);
        assert!(count(&|act| matches!(act, Act::Cancel { push: false, .. })) >= SILENT);
        let night = |at: &DateTime<Utc>| {
            let hour = chrono::Timelike::hour(&at.with_timezone(&chrono_tz::Asia::Shanghai));
            !(4..23).contains(&hour)
        };
        assert_eq!(plan.agenda.acts.keys().filter(|(at, _)| night(at)).count(), OVERNIGHT);
        let day = day(7, 0);
        assert!(plan.agenda.acts.keys().all(|(at, _)| (day.begins()..day.ends()).contains(at)));
        // That day is a Monday, of which no queue closes on the working day before.
        let date = day.date.succ_opt().unwrap();
        let tuesday = Plan::new(Day { date, ..day }, &World::new(7, date, 1, Size::Full), 0);
        let acts = plan.agenda.acts.values().chain(tuesday.agenda.acts.values());
        let deeds = acts.filter_map(|act| if let Act::Deed(deed) = act { Some(deed) } else { None });
        let kinds: std::collections::HashSet<_> = deeds.map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), crate::demo::scenes::DEEDS, "every deed of the scenes has its hour");
        let shown: std::collections::HashSet<_> =
            plan.applications.iter().filter_map(|it| it.shows).map(|it| it.1).collect();
        assert!(shown.len() > 12, "{shown:?}");
    }

    #[test]
    fn another_day_of_the_same_play_is_another_day() {
        let world = World::new(7, "2026-03-01".parse().unwrap(), 2, Size::Small);
        let (one, two) = (Plan::new(day(7, 0), &world, 0), Plan::new(day(7, 1), &world, 1_000));
        assert_ne!(one.agenda.acts.keys().collect::<Vec<_>>(), two.agenda.acts.keys().collect::<Vec<_>>());
        let numbers =
            two.agenda.acts.values().filter_map(|act| if let Act::Apply(nth) = act { Some(*nth) } else { None });
        assert!(numbers.clone().all(|nth| (1_000..1_000 + two.applications.len()).contains(&nth)));
        assert!((300..700).contains(&numbers.count()));
    }

    #[test]
    fn what_is_due_leaves_in_order() {
        let mut plan = plan(7);
        let (first, all) = (plan.agenda.next_at().unwrap(), plan.agenda.acts.len());
        let due = plan.agenda.due(first).len();
        assert!(due > 0);
        assert_eq!(plan.agenda.acts.len() + due, all);
        assert!(plan.agenda.next_at().unwrap() > first);
    }
}
