//! The callback inbox: what waits for a person is counted, done again, and seen to (R36).

use houbu::client::shapes::{AuditWanted, CallbacksWanted, Reason};
use houbu::desk::untaken::Untaken;
use houbu::records::callbacks::{self, Callback, Fate};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;
use uuid::Uuid;

use crate::hospital::Hospital;
use crate::hospital::world::{DEPARTMENT, HOSPITAL};
use crate::patience::wait_for;
use crate::stories::stoppage;

fn for_a_person() -> CallbacksWanted {
    CallbacksWanted { for_a_person: true, ..CallbacksWanted::default() }
}

fn because(reason: &str) -> Reason {
    Reason { reason: reason.to_owned() }
}

async fn counted(hospital: &Hospital) -> i64 {
    hospital.desk.numbers_of_day(hospital.today()).await.unwrap().unmatched
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_nobody_did_is_for_a_person_who_has_it_done() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    // Stored, and then we died; HIS takes its word for said.
    let stop = stoppage("s/1", DEPARTMENT, None);
    let stored = Callback { source: "his", event_id: "s/1", kind: "5001", subject: "W1", body: &json!(stop) };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    assert!(callbacks::receive(&mut conn, HOSPITAL, &stored).await.unwrap());
    drop(conn);
    assert_eq!(counted(&hospital).await, 0, "it may be being done");
    hospital.pass_minutes(6).await;
    let houbu = hospital.door.client();
    let waits = houbu.callbacks(&for_a_person()).await.unwrap().body.items;
    assert_eq!((waits.len(), waits[0].fate.as_str(), counted(&hospital).await), (1, "received", 1));
    let again = houbu.replay_callback("his", "s/1", &because("nobody did it")).await.unwrap();
    assert_eq!(again.fate, "delivered");
    hospital.until_still().await;
    assert_eq!((hospital.status(entry).await.as_str(), counted(&hospital).await), ("stopped", 0));
    let twice = houbu.replay_callback("his", "s/1", &because("once more")).await.unwrap();
    assert_eq!(twice.fate, "ignored", "nobody is left whom it concerns");
    let audit = houbu.audit(&AuditWanted { verb: Some("callback.replay".to_owned()), ..AuditWanted::default() }).await;
    let audit = audit.unwrap().body.items;
    assert_eq!((audit.len(), audit[1].reason.as_str()), (2, "nobody did it"));
    assert_eq!(audit[1].before, json!({ "source": "his", "eventId": "s/1", "fate": "received" }));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_an_order_that_is_nobodys_waits_until_a_person_has_seen_to_it() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let order_id = ids::order_id(Uuid::from_u128(7), 1);
    let says = houbu::ports::his::Push::OrderCancelled { order_id: order_id.clone() };
    assert_eq!(hospital.desk.his_push(&says).await.unwrap(), Fate::NoRun);
    let houbu = hospital.door.client();
    let waits = houbu.callbacks(&for_a_person()).await.unwrap().body.items;
    let [one] = waits.as_slice() else { panic!("{waits:?}") };
    assert_eq!((one.subject.as_str(), one.run_id), (order_id.as_str(), Some(Uuid::from_u128(7))));
    assert_eq!(one.content, json!({ "orderCancelled": { "orderId": order_id } }));
    let event = one.event_id.clone();
    assert_eq!(houbu.replay_callback("his", &event, &because("to see")).await.unwrap().fate, "no-run");
    assert_eq!(counted(&hospital).await, 1);
    assert_eq!(
        houbu.settle_callback("his", &event, &because("an order of the old system")).await.unwrap().fate,
        "settled"
    );
    assert_eq!(counted(&hospital).await, 0);
    assert!(houbu.callbacks(&for_a_person()).await.unwrap().items.is_empty());
    let settled = CallbacksWanted { fate: Some("settled".to_owned()), ..CallbacksWanted::default() };
    assert_eq!(houbu.callbacks(&settled).await.unwrap().items.len(), 1);
    // It comes again: whoever has seen to it is not asked twice.
    assert_eq!(hospital.desk.his_push(&says).await.unwrap(), Fate::Duplicate);
    assert_eq!(counted(&hospital).await, 0);
    assert_eq!(houbu.settle_callback("his", "nothing", &because("x")).await.unwrap_err().code(), Some("not_found"));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_kept_whole_is_not_done_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let stored =
        Callback { source: "his", event_id: "e1", kind: "5007", subject: "w1-am", body: &json!({ "regId": "w1-am" }) };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    callbacks::receive(&mut conn, HOSPITAL, &stored).await.unwrap();
    drop(conn);
    let refused = hospital.door.client().replay_callback("his", "e1", &because("to see")).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_replayable"));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_a_notice_of_money_that_is_done_again_pays_nothing_twice() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let houbu = hospital.door.client();
    let about = CallbacksWanted { subject: Some(ids::trade_no(entry, 1)), ..CallbacksWanted::default() };
    let paid = houbu.callbacks(&about).await.unwrap().body.items.remove(0);
    assert_eq!((paid.kind.as_str(), paid.fate.as_str()), ("TRANSACTION.SUCCESS", "delivered"));
    let again = houbu.replay_callback(&paid.source, &paid.event_id, &because("to see")).await.unwrap();
    assert_eq!(again.fate, "duplicate");
    let now = houbu.callbacks(&about).await.unwrap().body.items.remove(0);
    assert_eq!((paid.times, now.times), (1, 1), "done again, it has not come again");
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// What is signed and cannot be taken has a row each, up to fifty; the row that counts the rest is not done again, and asks again once it
/// was seen to. An id under which something was taken is left as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_is_not_lost_behind_what_was_seen_to() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let (desk, houbu) = (&hospital.desk, hospital.door.client());
    let unreadable =
        |raw: &'static str, id| Untaken { source: "platform", raw: raw.as_bytes(), why: "unreadable", id, kind: None };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    let taken = Callback { source: "platform", event_id: "e1", kind: "delivered", subject: "m1", body: &json!({}) };
    assert!(callbacks::receive(&mut conn, HOSPITAL, &taken).await.unwrap());
    callbacks::settle(&mut conn, HOSPITAL, "platform", "e1", Fate::Delivered).await.unwrap();
    drop(conn);
    for _ in 0..2 {
        desk.refuse_callback(&unreadable("half", Some("e1"))).await.unwrap();
    }
    let rows = async |fate: &str| {
        houbu
            .callbacks(&CallbacksWanted { fate: Some(fate.to_owned()), ..CallbacksWanted::default() })
            .await
            .unwrap()
            .body
            .items
    };
    assert_eq!(rows("delivered").await[0].times, 1, "it is another one");
    wait_for("the second to be counted", async || rows("refused").await[0].times == 2).await;
    for n in 0..51 {
        let raw = format!("x{n}");
        desk.refuse_callback(&Untaken { raw: raw.as_bytes(), ..unreadable("", None) }).await.unwrap();
    }
    let more = async || {
        let found =
            houbu.callbacks(&CallbacksWanted { fate: None, ..CallbacksWanted::default() }).await.unwrap().body.items;
        found.into_iter().find(|one| one.event_id.contains(" more ")).map(|one| (one.event_id, one.times, one.fate))
    };
    wait_for("those above fifty to be counted", async || more().await.is_some_and(|(_, times, _)| times == 2)).await;
    let (id, ..) = more().await.unwrap();
    let again = houbu.replay_callback("platform", &id, &because("what is it")).await.unwrap_err();
    assert_eq!(again.code(), Some("not_replayable"), "{again}");
    houbu.settle_callback("platform", &id, &because("their release was wrong")).await.unwrap();
    assert_eq!(more().await.unwrap().2, "settled");
    desk.refuse_callback(&unreadable("another day's fault", None)).await.unwrap();
    wait_for("a person to be asked again", async || more().await.is_some_and(|(.., fate)| fate == "refused")).await;
    hospital.finish().await;
}
