//! What a HIS test system supports, found out by asking it: reads, one lock that is given back, and, where that is allowed, one
//! booking of a made-up patient that is cancelled again.
//!
//! It works on the trait, hence in all three languages. It keeps nothing that a HIS says of people.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    BookRequest, Booking, Cancelling, His, HisSchedule, Holding, Identity, Lock, OpenSlot, Order, PaidWith, Place,
    ScheduleState,
};
use crate::ports::CallError;
use crate::waitlist::calendar;
use crate::waitlist::policy::HalfDays;

/// An ordinary lock, minutes: longer than the ten of 2005.
const LOCK_MINUTES: u32 = 30;
/// A lock that lasts a night (R10), minutes.
const NIGHT_MINUTES: u32 = 12 * 60;
/// So many days of schedules are looked at.
const DAYS: u64 = 14;

/// How it stands with one thing that the waitlist needs or can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// As it should be.
    Supported,
    /// Not there; Houbu does without, as is said.
    Absent,
    /// Not as it must be: the waitlist cannot rely on it.
    Wrong,
    /// It could not be asked, for what is said.
    NotAsked,
}

impl Standing {
    /// As a line begins.
    pub fn mark(self) -> char {
        match self {
            Self::Supported => '✓',
            Self::Absent | Self::NotAsked => '–',
            Self::Wrong => '✗',
        }
    }
}

/// One line of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, always the same word.
    pub check: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was seen, and what to do.
    pub said: String,
}

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Scope {
    /// A department of the test system with open schedules.
    pub department_id: String,
    /// Today at the hospital.
    pub today: NaiveDate,
    /// Whether locks are tried: one is made and given back.
    pub locks: bool,
    /// Whether a made-up patient is booked and cancelled.
    pub books: bool,
}

/// Asks, one thing after the other, and gives back whatever it took.
pub async fn ask(his: &dyn His, scope: &Scope) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    let place = found.schedules(his, scope).await;
    found.unknown_order(his).await;
    found.lists(his, scope.today).await;
    match (&place, scope.locks) {
        (Some(place), true) => found.locks(his, place).await,
        (None, true) => found.not_asked("lock", "no place is free to be locked"),
        (_, false) => found.not_asked("lock", "left out as was asked for"),
    }
    match (place, scope.books) {
        (Some(place), true) => found.booking(his, place).await,
        (None, true) => found.not_asked("booking", "no place is free to be booked"),
        (_, false) => {
            found.not_asked("booking", "add --book, on a test system, to have a made-up patient booked and cancelled");
        }
    }
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn say(&mut self, check: &'static str, standing: Standing, said: impl Into<String>) {
        self.0.push(Finding { check, standing, said: said.into() });
    }

    fn supported(&mut self, check: &'static str, said: impl Into<String>) {
        self.say(check, Standing::Supported, said);
    }

    fn wrong(&mut self, check: &'static str, said: impl Into<String>) {
        self.say(check, Standing::Wrong, said);
    }

    fn not_asked(&mut self, check: &'static str, said: &str) {
        self.say(check, Standing::NotAsked, said);
    }

    /// 2003 and 2004; answers a free place.
    async fn schedules(&mut self, his: &dyn His, scope: &Scope) -> Option<Place> {
        let (today, last) = (scope.today, scope.today + Days::new(DAYS));
        let schedules = match his.schedules(&scope.department_id, None, today, last).await {
            Ok(schedules) => schedules,
            Err(error) => {
                self.wrong("schedules", error.to_string());
                return None;
            }
        };
        let timed = schedules.iter().filter(|it| it.timed).count();
        let stopped = schedules.iter().filter(|it| it.state == ScheduleState::Stopped).count();
        let said = format!(
            "{} in the next {DAYS} days, {timed} of them with times, {stopped} stopped (停诊)",
            schedules.len()
        );
        if schedules.is_empty() {
            self.wrong("schedules", format!("none of department {} in the next {DAYS} days", scope.department_id));
            return None;
        }
        self.supported("schedules", said);
        let open = |it: &&HisSchedule| it.state == ScheduleState::Open && it.remaining > 0 && it.visit_date > today;
        let Some(schedule) = schedules.iter().find(open) else {
            self.not_asked("times", "no schedule after today has a free place");
            return None;
        };
        if !schedule.timed {
            self.say("times", Standing::Absent, "this schedule has none: the half-day is locked and booked (R18)");
            return Some(placed(schedule, schedule.part.slot(&HalfDays::default())));
        }
        match his.open_slots(&schedule.reg_id, schedule.visit_date).await {
            Ok(slots) => self.free_slot(schedule, slots),
            Err(error) => {
                self.wrong("times", error.to_string());
                None
            }
        }
    }

    fn free_slot(&mut self, schedule: &HisSchedule, slots: Vec<OpenSlot>) -> Option<Place> {
        let Some(slot) = slots.first().map(|it| it.slot.clone()) else {
            self.wrong("times", format!("{} places are said to be free, and no time has one", schedule.remaining));
            return None;
        };
        let places: u32 = slots.iter().map(|it| it.remaining).sum();
        let said = format!("{} times with {places} places", slots.len());
        if places == schedule.remaining {
            self.supported("times", said);
        } else {
            // Somebody may have booked between the two questions.
            self.supported("times", format!("{said}; the schedule says {}", schedule.remaining));
        }
        Some(placed(schedule, slot))
    }

    /// 2012 with an id that nobody ever used: only a clear no lets an unknown outcome be repeated.
    async fn unknown_order(&mut self, his: &dyn His) {
        match his.order(&made_up()).await {
            Ok(Order::Unknown) => self.supported("query-by-our-id", "an id that was never used is not found"),
            Ok(_) => self.wrong("query-by-our-id", "an id that was never used is said to be an order"),
            Err(error) => self.wrong("query-by-our-id", error.to_string()),
        }
    }

    /// 2017, 2018, 2015.
    async fn lists(&mut self, his: &dyn His, today: NaiveDate) {
        let without = [
            ("list-of-orders", "the nightly reconciliation is to be switched off (reconciliation = \"\")"),
            ("list-of-locks", "the nightly reconciliation is to be switched off (reconciliation = \"\")"),
            ("list-of-breaches", "breaches are not pulled (breach_sync = \"\")"),
        ];
        let yesterday = today.pred_opt().unwrap_or(today);
        let told = [
            his.orders_of(yesterday, 1).await.map(|page| page.lines.len()),
            his.locks_of(yesterday, 1).await.map(|page| page.lines.len()),
            his.breaches_of(yesterday, 1).await.map(|page| page.lines.len()),
        ];
        for ((check, without), told) in without.into_iter().zip(told) {
            match told {
                Ok(lines) => self.supported(check, format!("{lines} lines on the first page of yesterday")),
                Err(error) => self.absent(check, &error, without),
            }
        }
    }

    /// Refused for good: not offered. No answer, or keys that are not believed: a fault.
    fn absent(&mut self, check: &'static str, error: &CallError, without: &str) {
        let of_keys = |detail: &str| {
            ["RETURN_CODE 7", "code 7", "HTTP 401", "HTTP 403"].iter().any(|refusal| detail.starts_with(refusal))
        };
        match error {
            CallError::Broken { detail, .. } if !of_keys(detail) => {
                self.say(check, Standing::Absent, format!("not offered ({error}): {without}"));
            }
            _ => self.wrong(check, error.to_string()),
        }
    }

    /// 2013, 2014, 2016, 2006.
    async fn locks(&mut self, his: &dyn His, place: &Place) {
        if let Some(minutes) = his.holds_for() {
            return self.locks_of_v33(his, place, minutes).await;
        }
        let lock_id = made_up();
        let until = match his.lock(&lock_id, place, LOCK_MINUTES).await {
            Ok(Lock::Held { until }) => until,
            Ok(Lock::Taken) => return self.not_asked("lock", "the free place was taken meanwhile: ask again"),
            Ok(Lock::Refused { code }) => return self.wrong("lock", format!("refused with code {code}")),
            Ok(Lock::HeldFor { .. }) => {
                self.wrong("lock", "it does not say until when");
                return self.unlock(his, &lock_id).await;
            }
            Err(error) => {
                self.wrong("lock", format!("{error}; a HIS that has v3.3 alone goes with his.lock = \"2005\""));
                return self.unlock(his, &lock_id).await;
            }
        };
        self.granted("lock", LOCK_MINUTES, until);
        match his.lock(&lock_id, place, LOCK_MINUTES).await {
            Ok(Lock::Held { until: again }) if (again - until).abs() <= TimeDelta::seconds(1) => {
                self.supported("lock-repeated", "the same id answers the same lock");
            }
            Ok(Lock::Held { .. }) => self.supported("lock-repeated", "the same id answers a lock, and prolongs it"),
            Ok(_) => self.wrong("lock-repeated", "the same id is refused: a lost reply would lose the lock"),
            Err(error) => self.wrong("lock-repeated", error.to_string()),
        }
        let without = "an offer ends with what was granted for its lock";
        match his.lock_standing(&lock_id).await {
            Ok(Holding::Until(_)) => self.supported("lock-query", "2016: it is held; set his.cares_for_locks = true"),
            Ok(Holding::Gone) => self.wrong("lock-query", "2016 says that the lock just made is gone"),
            Err(error) => self.absent("lock-query", &error, without),
        }
        match his.renew(&lock_id, NIGHT_MINUTES).await {
            Ok(Holding::Until(until)) => self.granted("lock-renewed", NIGHT_MINUTES, until),
            Ok(Holding::Gone) => self.wrong("lock-renewed", "2014 says that the lock just made is gone"),
            Err(error) => self.absent("lock-renewed", &error, without),
        }
        self.unlock(his, &lock_id).await;
        self.night(his, place).await;
    }

    /// 2005, 2006: all that v3.3 has of locks.
    async fn locks_of_v33(&mut self, his: &dyn His, place: &Place, minutes: u32) {
        let lock_id = made_up();
        match his.lock(&lock_id, place, minutes).await {
            Ok(Lock::HeldFor { anew: true, .. }) => {
                let unsaid = "HIS does not say it: see that it ends by then, and not before";
                self.supported(
                    "lock",
                    format!("2005 holds it, for the {minutes} minutes of his.lock_minutes; {unsaid}"),
                );
            }
            Ok(Lock::HeldFor { .. } | Lock::Held { .. }) => {
                self.wrong("lock", "an id that was never used is said to exist (200504)");
            }
            Ok(Lock::Taken) => return self.not_asked("lock", "the free place was taken meanwhile: ask again"),
            Ok(Lock::Refused { code }) => return self.wrong("lock", format!("refused with code {code}")),
            Err(error) => {
                self.wrong("lock", error.to_string());
                return self.unlock(his, &lock_id).await;
            }
        }
        match his.lock(&lock_id, place, minutes).await {
            Ok(Lock::HeldFor { anew: false, .. }) => {
                self.supported("lock-repeated", "the same id is answered 200504: the lock is ours");
            }
            Ok(Lock::HeldFor { .. }) => {
                self.wrong("lock-repeated", "the same id locks again: a lost reply would hold two places");
            }
            Ok(_) => self.wrong("lock-repeated", "the same id is refused: a lost reply would lose the lock"),
            Err(error) => self.wrong("lock-repeated", error.to_string()),
        }
        let (window, _) = calendar::within_lock(minutes, u32::MAX, u32::MAX);
        let absent = [
            ("lock-query", "v3.3 has none: a lock that is lost is found out at the booking".to_owned()),
            (
                "lock-renewed",
                format!("v3.3 has none: an offer of payment lasts {window} minutes, or more by a shorter grace"),
            ),
            ("lock-overnight", "v3.3 has none: nothing is offered in the quiet hours (R10)".to_owned()),
        ];
        for (check, said) in absent {
            self.say(check, Standing::Absent, said);
        }
        self.unlock(his, &lock_id).await;
    }

    /// How long HIS holds a place at the most (R10): a lock that lasts a night.
    async fn night(&mut self, his: &dyn His, place: &Place) {
        let lock_id = made_up();
        match his.lock(&lock_id, place, NIGHT_MINUTES).await {
            Ok(Lock::Held { until }) => self.granted("lock-overnight", NIGHT_MINUTES, until),
            Ok(Lock::HeldFor { .. }) => self.wrong("lock-overnight", "it does not say until when"),
            Ok(Lock::Taken) => return self.not_asked("lock-overnight", "the free place was taken meanwhile"),
            Ok(Lock::Refused { code }) => {
                return self.say(
                    "lock-overnight",
                    Standing::Absent,
                    format!("refused with code {code}: keep offerWindowMinutes within what it grants"),
                );
            }
            Err(error) => self.wrong("lock-overnight", error.to_string()),
        }
        self.unlock(his, &lock_id).await;
    }

    fn granted(&mut self, check: &'static str, asked: u32, until: DateTime<Utc>) {
        let minutes = (until - Utc::now() + TimeDelta::seconds(30)).num_minutes();
        let said = format!("{minutes} minutes were granted of {asked} asked for");
        if minutes >= i64::from(asked) - 1 && minutes <= i64::from(asked) + 1 {
            self.supported(check, said);
        } else if minutes <= 0 || minutes > i64::from(asked) + 1 {
            self.wrong(check, format!("{said}: the clock of HIS and ours differ, set both by NTP"));
        } else {
            self.say(check, Standing::Absent, format!("{said}: an offer of payment lasts no longer than that"));
        }
    }

    /// Given back twice: the second is a success too.
    async fn unlock(&mut self, his: &dyn His, lock_id: &str) {
        match (his.unlock(lock_id).await, his.unlock(lock_id).await) {
            (Ok(()), Ok(())) => self.supported("unlock", "given back, and given back again"),
            (Err(error), _) => self.wrong("unlock", error.to_string()),
            (Ok(()), Err(error)) => self.wrong("unlock", format!("the second time: {error}")),
        }
    }

    /// 2007, 2012, 2009 with one id.
    async fn booking(&mut self, his: &dyn His, place: Place) {
        let order_id = made_up();
        let request = BookRequest {
            order_id: order_id.clone(),
            locked: false,
            place,
            identity: nobody(),
            paid: None,
            at: Utc::now(),
        };
        match his.book(&request).await {
            Ok(Booking::Booked(visit)) if visit.his_order_id.is_empty() => {
                self.wrong("booking", "booked without HOSP_ORDER_ID: pushes cannot name it");
            }
            Ok(Booking::Booked(_)) => self.supported("booking", "booked"),
            Ok(Booking::Taken) => return self.not_asked("booking", "the free place was taken meanwhile: ask again"),
            Ok(Booking::Exists) => self.wrong("booking", "an id that was never used is said to exist"),
            Ok(Booking::Refused { code } | Booking::Closed { code }) => {
                return self.wrong("booking", format!("the made-up patient is refused with code {code}"));
            }
            Err(error) => self.wrong("booking", error.to_string()),
        }
        match his.book(&request).await {
            Ok(Booking::Exists) => self.supported("booking-repeated", "the same id books no second place"),
            Ok(Booking::Booked(_)) => self.wrong("booking-repeated", "the same id books twice: a repetition doubles a place"),
            Ok(Booking::Taken | Booking::Refused { .. } | Booking::Closed { .. }) => self.wrong(
                "booking-repeated",
                "the same id is refused with another code than \"exists\": Houbu asks by its id, and does not believe it",
            ),
            Err(error) => self.wrong("booking-repeated", error.to_string()),
        }
        self.order_is("order-booked", his, &order_id, |order| matches!(order, Order::Booked(_) | Order::Unpaid(_)))
            .await;
        let paid = PaidWith { out_trade_no: made_up(), amount_fen: request.place.fee_fen };
        if his.told_apart() {
            self.payment(his, BookRequest { paid: Some(paid.clone()), ..request }).await;
        }
        match (his.cancel(&order_id, "联调测试").await, his.cancel(&order_id, "联调测试").await) {
            (Ok(Cancelling::Done), Ok(Cancelling::Done)) => self.supported("cancel", "cancelled, and cancelled again"),
            (Ok(Cancelling::Refused { code }), _) => {
                self.wrong("cancel", format!("refused with code {code}: order {order_id} is to be cancelled by hand"));
            }
            (Err(error), _) => {
                self.wrong("cancel", format!("{error}: order {order_id} may have to be cancelled by hand"));
            }
            (Ok(Cancelling::Done), Ok(Cancelling::Refused { code })) => {
                self.wrong("cancel", format!("the second time it is refused with code {code}"));
            }
            (Ok(Cancelling::Done), Err(error)) => self.wrong("cancel", format!("the second time: {error}")),
        }
        self.order_is("order-cancelled", his, &order_id, |order| matches!(order, Order::Cancelled | Order::Closed))
            .await;
        if his.told_apart()
            && let Err(error) = his.refund(&order_id, &paid).await
        {
            self.wrong("paid", format!("the money of a cancelled booking does not go back (2010): {error}"));
        }
    }

    /// 2008 about a booking that stands.
    async fn payment(&mut self, his: &dyn His, request: BookRequest) {
        match his.book(&request).await {
            Ok(Booking::Exists | Booking::Booked(_)) => {
                self.order_is("paid", his, &request.order_id, |order| matches!(order, Order::Booked(_))).await;
            }
            Ok(Booking::Closed { code } | Booking::Refused { code }) => {
                self.wrong("paid", format!("2008 is refused with code {code}"));
            }
            Ok(Booking::Taken) => self.wrong("paid", "the place of a booking that stands is said to be taken"),
            Err(error) => self.wrong("paid", error.to_string()),
        }
    }

    async fn order_is(&mut self, check: &'static str, his: &dyn His, order_id: &str, right: impl Fn(&Order) -> bool) {
        match his.order(order_id).await {
            Ok(order) if right(&order) => self.supported(check, "so says the query by our id"),
            Ok(_) => self.wrong(check, "the query by our id says otherwise"),
            Err(error) => self.wrong(check, error.to_string()),
        }
    }
}

fn placed(schedule: &HisSchedule, slot: super::TimeSlot) -> Place {
    Place {
        reg_id: schedule.reg_id.clone(),
        department_id: schedule.department_id.clone(),
        doctor_id: schedule.doctor_id.clone(),
        visit_date: schedule.visit_date,
        part: schedule.part,
        slot,
        fee_fen: schedule.fee_fen,
    }
}

/// As our own ids look, and never used.
fn made_up() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Nobody: the number is the example of the standard GB 11643.
fn nobody() -> Identity {
    Identity {
        id_type: "1".to_owned(),
        id_number: "11010519491231002X".to_owned(),
        name: "联调测试".to_owned(),
        phone: "13800138000".to_owned(),
    }
}
