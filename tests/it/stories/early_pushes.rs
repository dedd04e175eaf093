//! HIS pushes that come too early, again, or of which we died: what they say is done once, whenever it can be (R15, R22, R30, R34).

use chrono::{DateTime, NaiveTime, Utc};
use futures::FutureExt;
use houbu::ports::his::{DayPart, Push, TimeSlot};
use houbu::records::callbacks::Fate;
use houbu::records::callbacks::{self, Callback};
use houbu::sandbox::his::{Planted, channel};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::second_thoughts::{CANCELLED_AT_THE_COUNTER, stoppage};
use super::{folded, of_application, statuses};
use crate::hospital::Hospital;
use crate::hospital::world::{DEPARTMENT, HOSPITAL, visit_date};

/// How HIS tells of an order that it has cancelled.
type Telling = fn(order_id: &str, his_order_id: &str, at: DateTime<Utc>) -> Push;

fn by_our_number(order_id: &str, _: &str, _: DateTime<Utc>) -> Push {
    Push::OrderCancelled { order_id: order_id.to_owned() }
}

fn by_its_own(_: &str, his_order_id: &str, at: DateTime<Utc>) -> Push {
    Push::Cancelled {
        event_id: "early".to_owned(),
        his_order_id: his_order_id.to_owned(),
        channel_id: channel::OFFICIAL_ACCOUNT.to_owned(),
        reg_id: "w1-am".to_owned(),
        department_id: DEPARTMENT.to_owned(),
        doctor_id: "W1".to_owned(),
        visit_date: visit_date(),
        part: DayPart::Morning,
        slot: None,
        cancelled_at: at,
    }
}

/// HIS has booked, cancels it again at once, and says so before we have written the booking down.
async fn is_cancelled_before_it_is_written_down(telling: Telling) {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.pass_minutes(1).await;
    let (his, desk, now) = (hospital.his.clone(), hospital.desk.clone(), hospital.now());
    hospital.mishaps.just_after(&of_application("Booking"), move || {
        async move {
            let orders = his.books().await.orders;
            let ours = orders.iter().find(|order| !order.ordinary).unwrap();
            assert!(his.plant(Planted::SilentCancel, &ours.order_id, "").await.unwrap());
            let fate = desk.his_push(&telling(&ours.order_id, &ours.his_order_id, now)).await.unwrap();
            assert_eq!(fate, Fate::Delivered);
        }
        .boxed()
    });
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(first).await), CANCELLED_AT_THE_COUNTER);
    assert_eq!(statuses(&hospital, [first, second]).await, ["visitCancelled", "booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_r30_a_booking_that_his_cancels_by_our_number_before_it_is_written_down_is_over() {
    is_cancelled_before_it_is_written_down(by_our_number).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_r30_a_booking_that_his_cancels_by_its_own_number_before_it_is_written_down_is_over() {
    is_cancelled_before_it_is_written_down(by_its_own).await;
}

/// What was said of an order that came to nothing does not end the visit that the application comes to later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_a_cancellation_of_another_order_ends_no_visit() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let earlier = ids::order_id(entry, 9);
    let says = Push::OrderCancelled { order_id: earlier };
    assert_eq!(hospital.desk.his_push(&says).await.unwrap(), Fate::Delivered);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await[2..], ["Visit on Cancellation: Kept"]);
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// What HIS says of an order that came to nothing is nobody's any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_a_cancellation_after_the_end_concerns_nobody() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.withdraw(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    let says = Push::OrderCancelled { order_id: ids::order_id(entry, 1) };
    assert_eq!(hospital.desk.his_push(&says).await.unwrap(), Fate::Ignored);
    hospital.finish().await;
}

/// R34: an old 停诊 that comes again does not take from anybody what HIS has given since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stoppage_that_is_told_again_stops_nobody_who_was_booked_since() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let stop = stoppage("s1", DEPARTMENT, Some(TimeSlot::new(hour(7), hour(13))));
    assert_eq!(hospital.desk.his_push(&stop).await.unwrap(), Fate::Delivered);
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["stopped", "booked"]);
    assert_eq!(hospital.desk.his_push(&stop).await.unwrap(), Fate::Duplicate);
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(second).await, "booked");
    hospital.finish().await;
}

/// A push was stored, and we died before anything was done about it: HIS was not answered, and brings it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_push_of_which_we_died_is_done_by_its_repetition() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let stop = stoppage("s1", DEPARTMENT, None);
    let body = json!(stop);
    let stored = Callback { source: "his", event_id: "s1", kind: "5001", subject: "W1", body: &body };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    assert!(callbacks::receive(&mut conn, HOSPITAL, &stored).await.unwrap());
    drop(conn);
    assert_eq!(hospital.desk.his_push(&stop).await.unwrap(), Fate::Delivered);
    assert_eq!(hospital.desk.his_push(&stop).await.unwrap(), Fate::Duplicate);
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "stopped");
    hospital.finish().await;
}

/// A push was stored, we died, and HIS, which was answered perhaps, does not bring it again: it is done by ourselves, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_push_of_which_we_died_is_done_without_its_repetition() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let stop = stoppage("s1", DEPARTMENT, None);
    let body = json!(stop);
    let stored = Callback { source: "his", event_id: "s1", kind: "5001", subject: "W1", body: &body };
    let unreadable = Callback { event_id: "s0", body: &json!({ "regId": "w1-am" }), ..stored.clone() };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    for one in [&unreadable, &stored] {
        assert!(callbacks::receive(&mut conn, HOSPITAL, one).await.unwrap());
    }
    drop(conn);
    assert_eq!(hospital.desk.do_left_pushes().await.unwrap(), 0, "it may be being done");
    hospital.pass_minutes(2).await;
    // Two processes look for it at once, and HIS brings it all the same.
    let desk = &hospital.desk;
    let (one, other, brought) = tokio::join!(desk.do_left_pushes(), desk.do_left_pushes(), desk.his_push(&stop));
    let brought = u64::from(brought.unwrap() == Fate::Delivered);
    assert_eq!(one.unwrap() + other.unwrap() + brought, 1, "done once");
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "stopped");
    assert_eq!(desk.do_left_pushes().await.unwrap(), 0);
    // One of long ago is a person's: whoever was booked since is not stopped by it.
    let old = json!(stoppage("s2", DEPARTMENT, None));
    let old = Callback { event_id: "s2", body: &old, ..stored.clone() };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    assert!(callbacks::receive(&mut conn, HOSPITAL, &old).await.unwrap());
    drop(conn);
    hospital.pass_minutes(31).await;
    assert_eq!(desk.do_left_pushes().await.unwrap(), 0);
    let became: Vec<(String, String)> = sqlx::query_as("select event_id, fate from callback order by event_id")
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap();
    let is = |id: &str, fate: &str| (id.to_owned(), fate.to_owned());
    assert_eq!(
        became,
        [is("s0", "received"), is("s1", "delivered"), is("s2", "received")],
        "what was not kept whole is a person's"
    );
    hospital.finish().await;
}

/// 5003 to 5006 are about money and paper at the counter: what follows from them is a person's to say, where the order is ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_what_his_did_to_our_order_at_the_counter_is_for_staff() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    let order_id: String = sqlx::query_scalar("select id from appointment where entry_id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    let says = |order_id: Option<&str>| Push::Other {
        event_id: format!("5003-{order_id:?}"),
        code: "5003".to_owned(),
        order_id: order_id.map(str::to_owned),
    };
    assert_eq!(hospital.desk.his_push(&says(Some(&order_id))).await.unwrap(), Fate::ForStaff);
    let nobodys = ids::order_id(entry, 9);
    assert_eq!(hospital.desk.his_push(&says(Some(&nobodys))).await.unwrap(), Fate::NoRun);
    assert_eq!(hospital.desk.his_push(&says(None)).await.unwrap(), Fate::Ignored);
    hospital.finish().await;
}
