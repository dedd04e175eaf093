//! What everyday traffic shows by luck alone, a day shows on purpose: small scenes with a cast of their own, planned beside
//! the traffic and played among it. Pure; `deeds` does what stands here.

use chrono::{NaiveDate, TimeDelta};

use super::agenda::{Act, Answer, Terms};
use super::chance::Chance;
use super::held::Held;
use super::plan::Writer;
use super::world::{DRAWN, ON_WORKING_DAYS, Schedule, World};
use crate::sandbox::his::channel;
use crate::waitlist::policy::{LevelPolicy, PaymentMode, Switch};

/// How many people a day's scenes need.
pub(super) const CAST: usize = 40;
/// Kinds of deeds.
#[cfg(test)]
pub(super) const DEEDS: usize = 28;
/// Doctors whose settings are changed by day.
const SWITCHED: usize = 4;
const CAPPED: usize = 5;
const REPRICED: usize = 6;
/// Whose offers may be declined and missed once (Q6), and whose freed places come back late (R33).
pub(super) const PATIENT_WITH_NO: usize = 7;
pub(super) const DELAYED: usize = 8;
/// Whose visits within a day go to nobody any more (R18).
pub(super) const NOT_TOO_SOON: usize = 13;

/// Who is replaced by another doctor (R34), and whose visits become cheaper (R6).
const REPLACED: usize = 10;
const CHEAPER: usize = 17;

/// Where something happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A queue that anybody may join, of a department where visits are paid like this, so many days ahead.
    Paying(PaymentMode, i64),
    /// The same where 医保 is not taken in advance.
    SelfPayers(i64),
    /// A full schedule of this doctor, so many days ahead.
    Of(usize, i64),
    /// A full schedule of this doctor after a Saturday or Sunday.
    AfterWeekend(usize),
}

impl Place {
    /// The same on another day.
    fn on(self, days: i64) -> Self {
        match self {
            Self::Paying(mode, _) => Self::Paying(mode, days),
            Self::SelfPayers(_) => Self::SelfPayers(days),
            Self::Of(doctor, _) => Self::Of(doctor, days),
            Self::AfterWeekend(doctor) => Self::AfterWeekend(doctor),
        }
    }

    /// True where the schedule, which is so many days ahead, is one of these.
    pub(super) fn takes(&self, world: &World, schedule: &Schedule, ahead: i64) -> bool {
        let (Some(doctor), Some(department)) = (world.doctor(schedule), world.department(schedule)) else {
            return false;
        };
        let settled = ![SWITCHED, CAPPED, REPRICED, DRAWN, ON_WORKING_DAYS, DELAYED, REPLACED, CHEAPER]
            .contains(&schedule.doctor);
        let anybody = schedule.left == 0 && !doctor.hot && !doctor.off && settled;
        match *self {
            Self::Paying(mode, days) => {
                anybody && department.mode == mode && !department.self_payers_only && ahead == days
            }
            Self::SelfPayers(days) => anybody && department.self_payers_only && ahead == days,
            Self::Of(nth, days) => schedule.doctor == nth && schedule.left == 0 && ahead == days,
            Self::AfterWeekend(nth) => {
                let monday = chrono::Datelike::weekday(&schedule.date) == chrono::Weekday::Mon;
                schedule.doctor == nth && monday && ahead >= 1
            }
        }
    }
}

/// What somebody does in a scene, beyond applying. Patients, applications, doctors and schedules by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// A child is registered: without a guardian, then with one.
    RegistersChild(usize),
    /// Somebody is registered under another account as well.
    RegistersTwin {
        patient: usize,
        of: usize,
    },
    /// Writes down what a queue's draw was committed to.
    NotesDraw(usize),
    /// Holds the draw again.
    ChecksDraw {
        schedule: usize,
        tries: u32,
    },
    /// HIS lists a no-show of this day.
    DidNotCome {
        patient: usize,
        day: NaiveDate,
    },
    /// HIS takes it back.
    CameAfterAll {
        patient: usize,
        day: NaiveDate,
    },
    /// Staff have the lists of the last days read.
    PullsBreaches,
    Appeals(usize),
    DecidesAppeals,
    Lifts(usize),
    Bars(usize),
    /// Who is blacklisted still waits, and somebody behind does not.
    LooksWhoWasPassedOver {
        barred: usize,
        behind: Vec<usize>,
    },
    /// Staff look at a text that would not fit, and store one that does.
    ChangesText,
    /// Settings of a doctor.
    Sets {
        doctor: usize,
        policy: LevelPolicy,
    },
    /// Two applications, before a change of the way of paying and after it.
    ComparesModes {
        before: usize,
        after: usize,
    },
    LooksAtCutoff(usize),
    LooksAtOwn {
        application: usize,
        patient: usize,
    },
    /// An application that was to end by now.
    LooksWhetherEnded(usize),
    Exports(usize),
    Erases {
        patient: usize,
        tries: u32,
    },
    Stops(usize),
    LetsGoOn(usize),
    /// HIS forgets that a visit was paid.
    LosesPayment,
    /// Staff look at the differences that were found, and settle what HIS forgot.
    Settles {
        tries: u32,
    },
    /// Some whose visit was on this day did not come.
    NobodyCame(NaiveDate),
    /// Another doctor sees the patients of this schedule.
    Replaces(usize),
    /// Somebody says whether that will do.
    Answers {
        application: usize,
        keeps: bool,
        tries: u32,
    },
    /// Visits of this schedule cost less from now on.
    Cheapens(usize),
}

impl Writer<'_> {
    /// All scenes.
    pub(super) fn scenes(&mut self) {
        self.family();
        self.draw();
        self.breaches();
        self.passed_over();
        self.second_thoughts();
        self.terms();
        self.account();
        self.settings();
        self.person_and_staff();
        self.books();
        self.another_doctor();
        self.cheaper();
    }

    fn cast(&self, who: usize) -> usize {
        self.world.cast(self.day.nth, who)
    }

    fn deed(&mut self, (hour, minute): (u32, u32), deed: Deed) {
        self.deed_later(0, (hour, minute), deed);
    }

    fn deed_later(&mut self, days: u64, (hour, minute): (u32, u32), deed: Deed) {
        self.agenda.put(self.at(days, hour, minute), Act::Deed(deed));
    }

    /// A queue there; where none is open on that day, on another one of the week.
    fn queue(&self, place: &Place, chance: &mut Chance) -> Option<usize> {
        let days = (3..7).rev().map(|days| place.on(days));
        let mut open = [*place].into_iter().chain(days).map(|place| self.world.at(self.day.date, &place));
        chance.pick(&open.find(|open| !open.is_empty())?).copied()
    }

    fn joins(
        &mut self,
        (hour, minute): (u32, u32),
        schedule: usize,
        who: usize,
        shows: Option<(Answer, Held)>,
    ) -> usize {
        self.enter(self.at(0, hour, minute), schedule, self.cast(who), Terms::default(), shows)
    }

    /// R4: a child with a guardian, one card in two accounts.
    fn family(&mut self) {
        let mut chance = self.chance("family", 0);
        let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 4), &mut chance) else { return };
        let [child, twin, of] = [self.cast(0), self.cast(1), self.cast(2)];
        self.deed((6, 36), Deed::RegistersChild(child));
        self.deed((6, 36), Deed::RegistersTwin { patient: twin, of });
        self.joins((6, 42), schedule, 0, Some((Answer::Admitted, Held::ChildWithGuardian)));
        self.joins((6, 42), schedule, 2, None);
        let again = Some((Answer::Refused("duplicate_application"), Held::CardInTwoAccounts));
        self.joins((6, 46), schedule, 1, again);
    }

    /// R17: eight come while a queue is opening, and two places are freed once it is drawn.
    fn draw(&mut self) {
        let mut chance = self.chance("draw", 0);
        let Some(schedule) = self.queue(&Place::Of(DRAWN, 6), &mut chance) else { return };
        self.deed((6, 32), Deed::NotesDraw(schedule));
        for who in 3..11 {
            let minute = 38 + u32::try_from(chance.below(8)).unwrap_or(0);
            self.joins((6, minute), schedule, who, None);
        }
        self.deed((7, 30), Deed::ChecksDraw { schedule, tries: 3 });
        for nth in 0..2 {
            self.cancel(self.at(0, 8, 10), schedule, nth, channel::WEBSITE, true, true);
        }
    }

    /// R32: three who did not come twice are kept out; one appeals, one is let in by staff, one was there after all.
    fn breaches(&mut self) {
        let mut chance = self.chance("breaches", 0);
        let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 5), &mut chance) else { return };
        let [appeals, lifted, innocent] = [11, 12, 13].map(|who| self.cast(who));
        for patient in [appeals, lifted, innocent] {
            for day in [1, 2].map(|back| self.day.date - TimeDelta::days(back)) {
                self.deed((6, 34), Deed::DidNotCome { patient, day });
            }
        }
        self.deed((6, 40), Deed::PullsBreaches);
        for who in 11..14 {
            self.joins((7, 40), schedule, who, Some((Answer::Refused("blacklisted"), Held::BarredByRule)));
        }
        self.deed((8, 0), Deed::Appeals(appeals));
        self.deed((9, 0), Deed::DecidesAppeals);
        self.joins((9, 30), schedule, 11, Some((Answer::Admitted, Held::AppealGranted)));
        self.deed((10, 0), Deed::Lifts(lifted));
        self.joins((10, 30), schedule, 12, Some((Answer::Admitted, Held::LiftedByStaff)));
        let day = self.day.date - TimeDelta::days(1);
        self.deed((11, 0), Deed::CameAfterAll { patient: innocent, day });
        // HIS's lists are read again at 05:20.
        let at = self.at(1, 8, 30);
        let cleared = Some((Answer::Admitted, Held::TakenBackByHis));
        self.enter(at, schedule, innocent, Terms::default(), cleared);
        self.deed_later(1, (20, 0), Deed::NobodyCame(self.day.date + TimeDelta::days(1)));
    }

    /// R32: somebody is blacklisted while waiting; a place goes to whoever is behind.
    fn passed_over(&mut self) {
        let mut chance = self.chance("passed over", 0);
        let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 6), &mut chance) else { return };
        let barred = self.joins((6, 34), schedule, 14, None);
        let behind: Vec<usize> = [15, 16].map(|who| self.joins((6, 40), schedule, who, None)).to_vec();
        self.deed((7, 0), Deed::Bars(self.cast(14)));
        for nth in 0..3 {
            self.cancel(self.at(0, 7, 20), schedule, nth, channel::WEBSITE, true, true);
        }
        self.deed((8, 20), Deed::LooksWhoWasPassedOver { barred, behind });
        self.deed((8, 30), Deed::Lifts(self.cast(14)));
    }

    /// Q6: who declines a time, or does not hear of it, keeps the place in the queue; the next in line is asked.
    fn second_thoughts(&mut self) {
        let mut chance = self.chance("second thoughts", 0);
        let Some(schedule) = self.queue(&Place::Of(PATIENT_WITH_NO, 6), &mut chance) else { return };
        for who in 33..36 {
            self.joins((8, 8), schedule, who, None);
            self.declines();
        }
        for nth in 0..3 {
            self.cancel(self.at(0, 8, 40), schedule, nth, channel::WEBSITE, true, true);
        }
    }

    /// R7, R24: 医保, and an hour of the patient's own.
    fn terms(&mut self) {
        let mut chance = self.chance("terms", 0);
        let insurance = || Terms { pay_type: Some("insurance"), ..Terms::default() };
        let at = self.at(0, 8, 4);
        if let Some(schedule) = self.queue(&Place::Paying(PaymentMode::Prepay, 3), &mut chance) {
            self.enter(at, schedule, self.cast(17), insurance(), Some((Answer::Admitted, Held::InsuranceTaken)));
        }
        if let Some(schedule) = self.queue(&Place::SelfPayers(3), &mut chance) {
            let refused = (Answer::Refused("insurance_not_accepted"), Held::InsuranceRefused);
            self.enter(at, schedule, self.cast(18), insurance(), Some(refused));
        }
        if let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 5), &mut chance) {
            let latest_at = Some(self.at(0, 12, 0));
            let own = self.enter(at, schedule, self.cast(19), Terms { latest_at, ..Terms::default() }, None);
            self.deed((11, 50), Deed::LooksAtOwn { application: own, patient: self.cast(19) });
            self.deed((12, 10), Deed::LooksWhetherEnded(own));
        }
        if let Some(schedule) = self.world.at(self.day.date, &Place::AfterWeekend(ON_WORKING_DAYS)).first() {
            self.deed((7, 6), Deed::LooksAtCutoff(*schedule));
        }
    }

    /// R33: one account and one device for six persons, faster than people are.
    fn account(&mut self) {
        let mut chance = self.chance("account", 0);
        let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 4), &mut chance) else { return };
        let seller = format!("seller-{}-{}", self.day.date, self.day.seed);
        let terms = Terms { account_id: Some(seller.clone()), ..Terms::default() };
        for who in 20..25 {
            self.enter(self.at(0, 9, 4), schedule, self.cast(who), terms.clone(), None);
        }
        let limited = Some((Answer::Refused("account_limit"), Held::AccountLimited));
        self.enter(self.at(0, 9, 10), schedule, self.cast(25), terms, limited);
        let terms = Terms { device_id: Some(seller), ..Terms::default() };
        for _ in 0..6 {
            let slow = Some((Answer::Late, Held::SlowedDown));
            self.enter(self.at(0, 9, 20), schedule, self.cast(25), terms.clone(), slow);
        }
    }

    /// R2, R3, R23, R29: settings that change while people wait, and change back.
    fn settings(&mut self) {
        let mut chance = self.chance("settings", 0);
        let none = LevelPolicy::default;
        self.deed((11, 4), Deed::ChangesText);
        let off = LevelPolicy { switch: Switch::Off, ..none() };
        if let Some(schedule) = self.queue(&Place::Of(SWITCHED, 5), &mut chance) {
            self.deed((12, 30), Deed::Sets { doctor: SWITCHED, policy: off });
            let refused = (Answer::Refused("waitlist_not_enabled"), Held::SwitchedOff);
            self.joins((12, 40), schedule, 26, Some(refused));
            self.deed((13, 10), Deed::Sets { doctor: SWITCHED, policy: none() });
            self.joins((13, 20), schedule, 26, Some((Answer::Admitted, Held::SwitchedOn)));
        }
        if let Some(schedule) = self.queue(&Place::Of(CAPPED, 5), &mut chance) {
            self.joins((13, 50), schedule, 27, None);
            self.deed((14, 0), Deed::Sets { doctor: CAPPED, policy: LevelPolicy { cap: Some(1), ..none() } });
            self.joins((14, 10), schedule, 28, Some((Answer::Refused("queue_full"), Held::CapLowered)));
            self.deed((14, 20), Deed::Sets { doctor: CAPPED, policy: none() });
        }
        if let Some(schedule) = self.queue(&Place::Of(REPRICED, 5), &mut chance) {
            let before = self.joins((9, 50), schedule, 29, None);
            let free = LevelPolicy { payment_mode: Some(PaymentMode::None), ..none() };
            self.deed((10, 0), Deed::Sets { doctor: REPRICED, policy: free });
            let after = self.joins((10, 10), schedule, 30, None);
            self.deed((10, 20), Deed::ComparesModes { before, after });
            self.deed((10, 30), Deed::Sets { doctor: REPRICED, policy: none() });
        }
    }

    /// One person asks for all that is kept, and to be forgotten; staff stop an application and let it go on.
    fn person_and_staff(&mut self) {
        let mut chance = self.chance("person", 0);
        let Some(schedule) = self.queue(&Place::Paying(PaymentMode::None, 6), &mut chance) else { return };
        let leaves = self.joins((8, 2), schedule, 31, None);
        self.agenda.put(self.at(0, 8, 4), Act::Withdraw(leaves));
        self.deed((9, 2), Deed::Exports(self.cast(31)));
        self.deed((9, 12), Deed::Erases { patient: self.cast(31), tries: 4 });
        let stopped = self.joins((8, 6), schedule, 32, None);
        self.deed((8, 36), Deed::Stops(stopped));
        self.deed((8, 44), Deed::LetsGoOn(stopped));
    }

    /// R36: HIS forgets a payment in the evening; what reconciliation finds of it the next day is settled.
    fn books(&mut self) {
        self.deed((20, 10), Deed::LosesPayment);
        self.deed_later(1, (12, 30), Deed::Settles { tries: 3 });
    }

    /// R34: another doctor sees the patients; one who waits agrees, another one leaves.
    fn another_doctor(&mut self) {
        let mut chance = self.chance("another doctor", 0);
        let Some(schedule) = self.queue(&Place::Of(REPLACED, 5), &mut chance) else { return };
        let [agrees, leaves] = [36, 37].map(|who| self.joins((14, 20), schedule, who, None));
        self.deed((14, 30), Deed::Replaces(schedule));
        self.deed((14, 50), Deed::Answers { application: agrees, keeps: true, tries: 4 });
        self.deed((14, 50), Deed::Answers { application: leaves, keeps: false, tries: 4 });
    }

    /// R6: a visit costs less than whoever waits for it has paid; what is too much goes back once it is booked.
    fn cheaper(&mut self) {
        let mut chance = self.chance("cheaper", 0);
        let Some(schedule) = self.queue(&Place::Of(CHEAPER, 5), &mut chance) else { return };
        for who in 38..40 {
            self.joins((6, 50), schedule, who, None);
        }
        self.deed((7, 40), Deed::Cheapens(schedule));
        for nth in 0..3 {
            self.cancel(self.at(0, 8, 50), schedule, nth, channel::WEBSITE, true, true);
        }
    }
}
