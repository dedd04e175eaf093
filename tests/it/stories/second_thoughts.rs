//! What was decided is not what happened: somebody is stuck, has left, was booked although the answer said no, or is
//! cancelled from outside (R16, R22, R34, E1, E5).

use chrono::NaiveTime;
use futures::FutureExt;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::ports::his::{DayPart, His, Push, TimeSlot};
use houbu::records::callbacks::Fate;
use houbu::sandbox::his::{LockState, OrderState, Planted, channel};
use houbu::sandbox::wechat_pay::OrderStanding;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{
    APPLICATION, RELEASE, SYNC, THE_MONEY_COMES_BACK, Told, folded, of_application, of_release, statuses, successful,
};
use crate::hospital::door::Door;
use crate::hospital::world::{DEPARTMENT, cutoff, visit_date};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const AWAY_FOR_A_WHILE: &[&str] =
    &["Pulling: Away", "Resting on deadline: Due", "Pulling: Away", "Resting on deadline: Due", "Pulling: Pulled"];
const PAST_A_STUCK_HEAD: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on deadline: Due",
    "AnswerCheck: Stuck",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const LOCKED_TOO_LONG_AGO: &[&str] =
    &["Waiting on Offer: Payable", "Locking: Unusable", "Unlocking: Requeued", "Waiting on Offer: Payable"];
const LEFT_WHILE_BEING_BOOKED: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Withdrawal: Withdrawn",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
pub(super) const CANCELLED_AT_THE_COUNTER: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Cancellation: Cancelled",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: VisitCancelled",
];
const STOPPED_WHILE_BEING_BOOKED: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Stoppage: Stopped",
    "Cancelling: Cancelled",
    "Settlement: Clear",
    "Closure: Stopped",
];

pub const TOLD: &[Told] = &[
    (SYNC, AWAY_FOR_A_WHILE),
    (RELEASE, PAST_A_STUCK_HEAD),
    (APPLICATION, LOCKED_TOO_LONG_AGO),
    (APPLICATION, LEFT_WHILE_BEING_BOOKED),
    (APPLICATION, CANCELLED_AT_THE_COUNTER),
    (APPLICATION, STOPPED_WHILE_BEING_BOOKED),
];

/// HIS being away is not "full", and not a reason to wait for the next tick either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_a_his_that_was_away_is_asked_again_within_two_minutes() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    hospital.line.cut(true);
    let sync = hospital.start_sync().await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.line.cut(false);
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.steps(sync).await, AWAY_FOR_A_WHILE);
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The head's run stops for a person when it cannot reach HIS, and somebody of 114 takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_a_stuck_head_holds_nobody_up_and_keeps_its_turn() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    let head = entries[0];
    let (his, line, pool) = (hospital.his.clone(), hospital.line.clone(), hospital.db.pool.clone());
    hospital.mishaps.just_before(&of_application("Booking"), move || {
        async move {
            line.cut(true);
            assert!(his.grab("w1-am", channel::PLATFORM_114).await.unwrap());
            let stops = "update run set status = 'suspended', generation = generation + 1, worker = null, due_at = null
                         where id = $1 and status = 'running'";
            assert_eq!(sqlx::query(stops).bind(head).execute(&pool).await.unwrap().rows_affected(), 1);
        }
        .boxed()
    });
    hospital.free_silently("w1-am", 2).await;
    hospital.hint("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booking", "waiting", "waiting"]);
    // A run that is suspended counts as still while its last call is on its way.
    wait_for("the head to call HIS", || async { hospital.line.in_vain() > 0 }).await;
    hospital.line.cut(false);
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.release_steps("w1-am").await, PAST_A_STUCK_HEAD);
    assert_eq!(statuses(&hospital, entries).await, ["booking", "booked", "waiting"]);

    hospital.staff_retries(head).await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "waiting"], "the head is still the first");
    hospital.finish().await;
}

/// The head stands still before it has heard of anything: the only place there is goes to the next, not to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_hears_nothing_costs_nobody_the_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    let staff = |verb: &str| {
        let request = hospital.door.keyed(Method::POST, &format!("/v1/runs/{}/{verb}", entries[0]));
        Door::reply(request.json(&json!({ "reason": "to have a look" })))
    };
    let suspends = staff("suspend");
    hospital
        .mishaps
        .just_after(&of_release("Matching"), move || async move { assert_eq!(suspends.await.status, 202) }.boxed());
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.release_steps("w1-am").await, PAST_A_STUCK_HEAD);
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked", "waiting"]);

    // While it stands still it is not asked; what it hears of the old offer afterwards costs nobody anything.
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked", "booked"]);
    assert_eq!(staff("resume").await.status, 202);
    hospital.until_still().await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked", "booked"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entries[0]).await, "booked", "the first is still the first");
    hospital.finish().await;
}

/// The lock was made and nobody told us; when we ask again, what is left of it is too short for the patient.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_lock_that_we_learn_of_too_late_is_given_back_and_the_turn_is_kept() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.offer_window_minutes = Some(1);
    let hospital = Hospital::open(setup).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    for _ in 0..6 {
        hospital.mishaps.plan_for(entries[0], Point::AfterCall, &of_application("Locking"), Act::Fail);
    }
    hospital.free_a_place("w1-am").await;
    // When exactly the seventh attempt comes is chance; the offer after it lasts a minute.
    while successful(hospital.steps(entries[0]).await).len() < 4 && hospital.now() < cutoff() {
        hospital.pass_seconds(1).await;
    }
    assert_eq!(successful(hospital.steps(entries[0]).await)[..4], *LOCKED_TOO_LONG_AGO);
    let locks = hospital.his.books().await.locks;
    assert_eq!(locks[0].state, LockState::Unlocked, "the first lock is given back");
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"], "and offered to the same patient again");
    hospital.finish().await;
}

/// The same with another place free, and a HIS that is slow to take the lock back: the other place is the first one's,
/// and what is given back the second one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_whoever_gives_a_lock_back_is_still_the_first() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.offer_window_minutes = Some(1);
    let hospital = Hospital::open(setup).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    for _ in 0..6 {
        hospital.mishaps.plan_for(entries[0], Point::AfterCall, &of_application("Locking"), Act::Fail);
    }
    hospital.mishaps.plan_for(entries[0], Point::AfterCall, &of_application("Unlocking"), Act::Fail);
    let mut freed = Vec::new();
    for nth in [0, 1] {
        // The first of the earlier half-hour, then the first of the later one.
        freed.push(hospital.his.cancel_ordinary("w1-am", nth, channel::WINDOW, false).await.unwrap().unwrap());
    }
    assert!(freed[0].slot < freed[1].slot);
    hospital.hint("w1-am").await;
    while hospital.status(entries[1]).await == "waiting" && hospital.now() < cutoff() {
        hospital.pass_seconds(1).await;
    }
    assert_eq!(statuses(&hospital, entries).await, ["offered", "offered"]);
    let locks = hospital.his.books().await.locks;
    let held =
        |entry| locks.iter().find(|lock| lock.state == LockState::Held && ids::run_of(&lock.lock_id) == Some(entry));
    assert_eq!(held(entries[0]).unwrap().slot, freed[1].slot);
    assert_eq!(held(entries[1]).unwrap().slot, freed[0].slot);
    hospital.finish().await;
}

/// E5: the withdrawal is accepted while an offer lies in the inbox already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_e05_an_accepted_withdrawal_holds_though_the_place_is_booked_first() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let request = hospital.door.keyed(Method::DELETE, &format!("/v1/waitlist/{entry}"));
    hospital.mishaps.just_before(&of_application("Waiting"), move || {
        async move { assert_eq!(Door::reply(request).await.status, 202) }.boxed()
    });
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await), LEFT_WHILE_BEING_BOOKED);
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(hospital.his.books().await.orders.iter().filter(|order| !order.ordinary).count(), 1);
    hospital.finish().await;
}

/// E1: the first attempt arrives after we have asked about it, and takes the place from the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r19_e01_a_place_that_we_lost_to_ourselves_is_ours() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.mishaps.plan(Point::AfterCall, &of_application("Booking"), Act::Fail, 1);
    hospital.line.loses_a_race_with_itself();
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, ["Waiting on Offer: Covered", "Booking: failed", "Booking: Booked"]);
    let booked = hospital.his.books().await.orders;
    let ours = booked.iter().filter(|order| !order.ordinary && order.state == OrderState::Booked);
    assert_eq!(ours.count(), 1);
    hospital.finish().await;
}

/// The `ORDER_ID` of the visit that an application came to.
async fn order_of(hospital: &Hospital, entry: RunId) -> String {
    sqlx::query_scalar("select id from appointment where entry_id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap()
}

/// R22: HIS pushes that a visit of ours was cancelled, and knows it by its own number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_a_visit_that_was_cancelled_at_the_counter_is_over_and_refunded() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    hospital.line.cancel(&order_of(&hospital, first).await, "患者取消").await.unwrap();
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(first).await), CANCELLED_AT_THE_COUNTER);
    assert_eq!(statuses(&hospital, [first, second]).await, ["visitCancelled", "booked"]);
    let held = hospital.pay.books().await.orders;
    assert_eq!(held.iter().filter(|order| order.state == OrderStanding::Paid).count(), 2);
    hospital.finish().await;
}

/// R22, R30: a HIS that pushes no 5007 names a cancelled booking of ours by our own number (5002).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_r30_a_visit_that_his_has_cancelled_by_our_number_is_over_and_refunded() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let order_id = order_of(&hospital, first).await;
    assert!(hospital.his.plant(Planted::SilentCancel, &order_id, "").await.unwrap());
    let says = |order_id: &str| Push::OrderCancelled { order_id: order_id.to_owned() };
    assert_eq!(hospital.desk.his_push(&says(&order_id)).await.unwrap(), Fate::Delivered);
    assert_eq!(hospital.desk.his_push(&says(&order_id)).await.unwrap(), Fate::Duplicate);
    assert_eq!(hospital.desk.his_push(&says("L-nobody's")).await.unwrap(), Fate::NoRun);
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(first).await), CANCELLED_AT_THE_COUNTER);
    assert_eq!(statuses(&hospital, [first, second]).await, ["visitCancelled", "booked"]);
    hospital.finish().await;
}

pub fn stoppage(event: &str, department: &str, slot: Option<TimeSlot>) -> Push {
    Push::Stopped {
        event_id: event.to_owned(),
        department_id: department.to_owned(),
        doctor_id: "W1".to_owned(),
        visit_date: visit_date(),
        part: Some(DayPart::Morning),
        slot,
        remark: String::new(),
    }
}

/// A doctor may see patients in two departments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_department_stops_goes_on_here() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.desk.his_push(&stoppage("s1", "D2", None)).await.unwrap();
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let other = hospital.apply("w1-am", 2).await;
    hospital.desk.his_push(&stoppage("s2", DEPARTMENT, None)).await.unwrap();
    hospital.until_still().await;
    assert_eq!(statuses(&hospital, [entry, other]).await, ["stopped", "stopped"]);
    hospital.finish().await;
}

/// R34: HIS is slow with the booking, and stops that half-hour meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stopped_half_hour_reaches_whoever_is_being_booked_there() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 2).await];
    hospital.mishaps.plan_for(first, Point::AfterCall, &of_application("Booking"), Act::Fail);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(first).await, "booking");
    let order = hospital.his.books().await.orders.into_iter().find(|order| !order.ordinary).unwrap();
    let later = TimeSlot::new(order.slot.ends, NaiveTime::from_hms_opt(12, 0, 0).unwrap());
    hospital.desk.his_push(&stoppage("s1", DEPARTMENT, Some(later))).await.unwrap();
    let heard: i64 = sqlx::query_scalar("select count(*) from inbox where run_id = $1 and name = 'Stoppage'")
        .bind(first)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(heard, 0, "another time of that morning is not theirs");
    hospital.desk.his_push(&stoppage("s2", DEPARTMENT, Some(order.slot))).await.unwrap();
    hospital.pass_minutes(1).await;
    assert_eq!(successful(hospital.steps(first).await), STOPPED_WHILE_BEING_BOOKED);
    assert_eq!(statuses(&hospital, [first, second]).await, ["stopped", "waiting"]);
    hospital.finish().await;
}
