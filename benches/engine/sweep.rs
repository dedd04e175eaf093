//! D3: at 18:00 on the day before the visits everybody who still waits is out of time at the same instant, three of ten
//! have paid and get their money back, and the provider takes so many refunds a second. The rows are real ones: each
//! applied, and each payer's run has opened its order and found it paid.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{NaiveDate, TimeDelta};
use futures::future::join_all;
use houbu::engine::clock;
use houbu::engine::limits::Limits;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};

use crate::Ask;
use crate::ground::Ground;
use crate::hospital::{Hospital, Outside, local, visit_date};
use crate::obliging::{Nobody, Post, Provider};
use crate::report::{Bar, Report};
use crate::statements;

/// Refunds a second that the provider takes.
const RATE: f64 = 300.0;
/// How long one takes.
const REFUND_TAKES: Duration = Duration::from_millis(20);
/// Who waits for one schedule.
const QUEUE: usize = 100;
/// Of ten schedules these take the fee in advance.
const PREPAID_OF_TEN: usize = 3;
/// How often is looked whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// A sweep or a setting-up that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(4);

/// Nobody waits any more.
const WAITING: &str = "select count(*) from (select from entry where status = 'waiting' limit 1) one";
/// Everybody has ended, or is being refunded.
const SWEEPING: &str = "
    select count(*) from (
        select from run where workflow = 'waitlist_application' and status <> 'completed'
            and step not in ('Refunding', 'RefundWait', 'RefundCheck') limit 1) one";
/// Everybody has ended.
const LIVING: &str = "
    select count(*) from (select from run where workflow = 'waitlist_application' and status <> 'completed' limit 1) one";

/// D3.
pub async fn at_six(ask: &Ask, ground: &Ground, report: &mut Report) {
    let all: usize = ask.size(10_000, 100_000);
    let prepaid = all * PREPAID_OF_TEN / 10;
    let (provider, post) = (Arc::new(Provider::taking(REFUND_TAKES)), Arc::new(Post::default()));
    let outside = Outside { his: Arc::new(Nobody), payments: provider.clone(), messages: post.clone() };
    let hospital = Hospital::open(ground, outside.clone(), BTreeMap::new()).await;
    let day = visit_date();
    everybody_waits(&hospital, day, all, prepaid).await;
    // The same hospital, with the provider's rate from now on.
    let limits = Limits { concurrency_max: 32, rate_per_s: Some(RATE), ..Limits::default() };
    let hospital = Hospital::on(hospital.pool.clone(), outside, [("payments", limits)].into());
    let worker = hospital.worker().await;
    // Until it has looked round and may call.
    tokio::time::sleep(Duration::from_secs(2)).await;
    if ask.statements {
        statements::forget(ground).await;
    }
    let eve = day.pred_opt().unwrap();
    clock::run_from(&hospital.pool, local(eve, 18)).await.unwrap();
    let (six, told_before) = (Instant::now(), post.accepted());
    hospital.engine.hint();
    hospital.until_every(LOOK, WAITING, 0, PATIENCE).await;
    let left = six.elapsed().as_secs_f64();
    hospital.until_every(LOOK, SWEEPING, 0, PATIENCE).await;
    let (swept, told) = (six.elapsed().as_secs_f64(), post.accepted() - told_before);
    hospital.until_every(LOOK, LIVING, 0, PATIENCE).await;
    let ended = six.elapsed().as_secs_f64();
    worker.stop().await;
    let refunds = provider.refunds();
    exactly_once(&hospital, &refunds, all, prepaid).await;

    let what = format!("{all} applications at their cutoff, {prepaid} to refund: ended or being refunded");
    report.row("D3", &what, (swept, "s"), None, swept, Bar::AtMost(30.0));
    report.row("D3", "nobody waits any more", (left, "s"), None, 0.0, Bar::None);
    report.row("D3", "applications swept", (all as f64 / swept, "applications/s"), None, 0.0, Bar::None);
    let (first, last) = (refunds[0].0, refunds[refunds.len() - 1].0);
    let rate = (refunds.len() - 1) as f64 / (last - first).as_secs_f64();
    let beside = Some(("the provider's", RATE));
    report.row("D3", "refunds", (rate, "refunds/s"), beside, rate / RATE, Bar::AtLeast(0.95));
    report.row("D3", "the first refund after", ((first - six).as_secs_f64(), "s"), None, 0.0, Bar::None);
    let least = refunds.len() as f64 / RATE;
    report.row("D3", "the last account settled", (ended, "s"), Some(("refunds ÷ rate", least)), 0.0, Bar::None);
    report.row("D3", "messages told when swept", (told as f64, "messages"), None, 0.0, Bar::None);
    hospital.close().await;
}

/// At noon on the day before: all have applied, and who has to pay has paid.
async fn everybody_waits(hospital: &Hospital, day: NaiveDate, all: usize, prepaid: usize) {
    clock::run_from(&hospital.pool, local(day, 12) - TimeDelta::days(1)).await.unwrap();
    let schedules: Vec<String> = (0..all / QUEUE).map(|nth| format!("s{nth}")).collect();
    let (paying, free) = schedules.split_at(prepaid / QUEUE);
    let policy = |mode| LevelPolicy { switch: Switch::On, payment_mode: Some(mode), ..LevelPolicy::default() };
    hospital.furnish(paying, day, &policy(PaymentMode::Prepay)).await;
    hospital.furnish(free, day, &policy(PaymentMode::LockThenPay)).await;
    hospital.patients(all).await;
    let worker = hospital.worker().await;
    let applicants = 0..256;
    join_all(applicants.map(|first| {
        let schedules = &schedules;
        async move {
            for nth in (first..all).step_by(256) {
                hospital.apply(nth, &schedules[nth % schedules.len()]).await;
            }
        }
    }))
    .await;
    let waiting = "select count(*) from entry where status = 'waiting'";
    hospital.until_every(LOOK, waiting, i64::try_from(all).unwrap(), PATIENCE).await;
    worker.stop().await;
    // What was told when they joined is not part of the sweep.
    let told = "update outbox set status = 'sent', settled_at = now() where status in ('pending', 'sending')";
    sqlx::query(told).execute(&hospital.pool).await.unwrap();
    sqlx::query("vacuum analyze").execute(&hospital.pool).await.unwrap();
}

/// Everybody has expired, who had paid has the money back, and nobody twice.
async fn exactly_once(hospital: &Hospital, refunds: &[(Instant, String)], all: usize, prepaid: usize) {
    let orders: HashSet<&str> = refunds.iter().map(|(_, order)| order.as_str()).collect();
    assert_eq!((orders.len(), refunds.len()), (prepaid, prepaid), "orders refunded, refunds asked for");
    let count = |n: usize| i64::try_from(n).unwrap();
    assert_eq!(hospital.count("select count(*) from entry where status = 'expired' and not live").await, count(all));
    assert_eq!(hospital.count("select count(*) from payment where status = 'refunded'").await, count(prepaid));
    assert_eq!(hospital.count("select coalesce(sum(live), 0)::bigint from capacity").await, 0);
    assert_eq!(hospital.count("select count(*) from run where status = 'suspended'").await, 0);
}
