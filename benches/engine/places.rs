//! D2: a thousand places are freed at once, at a HIS that takes 50 ms a call and twenty calls at one time. What that HIS
//! alone must take is the limit: one question a schedule for its free times, one lock a place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveTime;
use futures::future::join_all;
use houbu::engine::limits::Limits;
use houbu::ports::his::{OpenSlot, TimeSlot};
use houbu::sandbox::his::{HisServer, LockState, ScheduleSeed, channel};
use houbu::sandbox::outside::Outside as Sandbox;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};

use crate::Ask;
use crate::ground::{Ground, median};
use crate::hospital::{Hospital, Outside, full_schedule, visit_date};
use crate::obliging::{Post, Provider};
use crate::report::{Bar, Report};
use crate::statements;
use crate::stretched::{LATENCY, Stretched, Told, sandbox};

/// Calls that the HIS takes at one time.
const AT_ONCE: u32 = 20;
pub const SCHEDULES: usize = 100;
/// Schedules more, whose places are handed out before: every connection has its plans then.
const WARM: usize = 20;
/// Places freed of each.
const FREED: usize = 10;
/// Who waits for each: more than get a place.
const WAITING: usize = 12;
/// Places of each of its two half-hours.
const PLACES: u32 = 10;
/// A trade that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// Applications with a locked place.
pub const LOCKED: &str = "select count(*) from run where workflow = 'waitlist_application' and step = 'Confirmation'";
/// Messages that are still to be told.
pub const LETTERS: &str = "select count(*) from outbox where status in ('pending', 'sending')";

/// D2.
pub async fn freed(ask: &Ask, ground: &Ground, report: &mut Report) {
    let repeats = ask.size(1, 3);
    let (mut took, mut made, mut most, mut latency) = (vec![], vec![], 0, vec![]);
    for _ in 0..repeats {
        let (seconds, told) = trade(ask, ground).await;
        let calls = told.calls.values().sum::<usize>() as f64;
        took.push(seconds);
        latency.push(told.took.as_secs_f64() / calls * 1000.0);
        made.push(calls);
        most = most.max(told.most);
    }
    let needed = (SCHEDULES + SCHEDULES * FREED) as f64;
    let least = needed * LATENCY.as_secs_f64() / f64::from(AT_ONCE);
    let took = median(&mut took);
    let what = format!("{} freed places, all locked", SCHEDULES * FREED);
    let beside = Some(("calls needed × 50 ms ÷ 20", least));
    report.row("D2", &what, (took, "s"), beside, took / least, Bar::AtMost(1.15));
    report.row("D2", "calls made", (median(&mut made), "calls"), Some(("calls needed", needed)), 0.0, Bar::None);
    report.row("D2", "a call", (median(&mut latency), "ms"), Some(("as set", 50.0)), 0.0, Bar::None);
    let most = most as f64;
    report.row("D2", "calls at one time, most", (most, "calls"), None, most, Bar::AtMost(f64::from(AT_ONCE)));
}

/// Seconds from the first hint until every place is locked for somebody, and what HIS was asked meanwhile.
async fn trade(ask: &Ask, ground: &Ground) -> (f64, Told) {
    let sandbox = sandbox().await;
    let his = Stretched::new(&sandbox);
    let outside =
        Outside { his: his.clone(), payments: Arc::new(Provider::default()), messages: Arc::new(Post::default()) };
    let limits = BTreeMap::from([("his", Limits { concurrency_max: AT_ONCE, ..Limits::default() })]);
    let hospital = Hospital::open(ground, outside, limits).await;
    let ids = queue_up(&hospital, &sandbox, SCHEDULES + WARM).await;
    let (ids, warm) = ids.split_at(SCHEDULES);
    let worker = hospital.worker().await;
    hospital.until(LETTERS, 0, PATIENCE).await;
    free(&sandbox, warm).await;
    tokio::join!(hint(&hospital, warm), hospital.until(LOCKED, places_of(warm), PATIENCE));
    hospital.until(LETTERS, 0, PATIENCE).await;
    hospital.analyze().await;
    free(&sandbox, ids).await;
    his.forget();
    if ask.statements {
        statements::forget(ground).await;
    }
    let began = Instant::now();
    let both = places_of(warm) + places_of(ids);
    tokio::join!(hint(&hospital, ids), hospital.until(LOCKED, both, PATIENCE));
    let took = began.elapsed().as_secs_f64();
    let told = his.told();
    assert_eq!(amiss(&sandbox.his, both).await, 0, "locks doubled or missing");
    worker.stop().await;
    hospital.close().await;
    (took, told)
}

/// How many places of these schedules are freed, as a count of rows.
pub fn places_of(ids: &[String]) -> i64 {
    i64::try_from(ids.len() * FREED).unwrap()
}

/// Full schedules, here and at HIS, and who waits for them; answers their ids.
pub async fn queue_up(hospital: &Hospital, sandbox: &Sandbox, schedules: usize) -> Vec<String> {
    let ids: Vec<String> = (0..schedules).map(|nth| format!("s{nth}")).collect();
    hospital.furnish(&ids, visit_date(), &policy()).await;
    hospital.patients(schedules * WAITING).await;
    open_at_his(sandbox, &ids).await;
    join_all((0..schedules * WAITING).map(|nth| hospital.apply(nth, &ids[nth % schedules]))).await;
    ids
}

/// Frees the places at HIS, which says nothing of it.
pub async fn free(sandbox: &Sandbox, ids: &[String]) {
    for id in ids.iter().cycle().take(ids.len() * FREED) {
        let freed = sandbox.his.cancel_ordinary(id, 0, channel::WEBSITE, false).await.unwrap();
        assert!(freed.is_some(), "nobody is booked at {id} any more");
    }
}

/// A hint for each freed place, as each cancellation is pushed by itself.
pub async fn hint(hospital: &Hospital, ids: &[String]) {
    let hints = (0..ids.len() * FREED).map(|nth| {
        let (desk, id) = (&hospital.desk, &ids[nth % ids.len()]);
        async move { desk.release_slot(id, &format!("{id}-e{nth}")).await.unwrap() }
    });
    join_all(hints).await;
}

/// How many locks are doubled or missing, by HIS's own books.
pub async fn amiss(his: &HisServer, places: i64) -> usize {
    let books = his.books().await;
    let held = books.locks.iter().filter(|lock| lock.state == LockState::Held).count();
    held.abs_diff(usize::try_from(places).unwrap()) + (books.locks.len() - held)
}

fn policy() -> LevelPolicy {
    LevelPolicy { switch: Switch::On, payment_mode: Some(PaymentMode::LockThenPay), ..LevelPolicy::default() }
}

/// The same schedules at HIS, booked full by patients of the hospital's own site.
async fn open_at_his(sandbox: &Sandbox, ids: &[String]) {
    let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    let slots = [(at(8, 0), at(8, 30)), (at(8, 30), at(9, 0))]
        .map(|(begins, ends)| OpenSlot { slot: TimeSlot::new(begins, ends), remaining: PLACES });
    let seeds = ids.iter().map(|id| ScheduleSeed {
        campus_id: "C1".to_owned(),
        schedule: full_schedule(id, visit_date(), 2 * PLACES),
        slots: slots.to_vec(),
    });
    sandbox.his.add_schedules(seeds.collect()).await.unwrap();
    let fillings = ids.iter().map(|id| (id.clone(), 2 * PLACES, channel::WEBSITE.to_owned()));
    sandbox.his.fill_all(fillings.collect()).await.unwrap();
}
