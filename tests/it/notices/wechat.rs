//! What WeChat tells of a message that it took: whenever, however often and however wrongly it does.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use houbu::sandbox::catalogue::{WECHAT_TEMPLATE_EVENT, subject};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use secrecy::ExposeSecret;

use super::delivery::{notices, states};
use crate::hospital::door::{Door, Reply};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

async fn told(hospital: &Hospital) -> Vec<(String, String, i32)> {
    let believed = "select kind, fate, times from callback where source = 'wechat' and fate <> 'unbelieved'
                    order by received_at, event_id";
    sqlx::query_as(believed).fetch_all(&hospital.db.pool).await.unwrap()
}

/// The house where WeChat tells, and what goes wrong with the next event.
async fn with_events() -> Hospital {
    let hospital = Hospital::open(Setup { patients: 5, ..Setup::paying(PaymentMode::None) }).await;
    hospital.messages.tell_wechat_events(&hospital.door.address);
    hospital
}

fn switch(hospital: &Hospital, fault: &str) {
    let wrong = Wrong::named(subject(WECHAT_TEMPLATE_EVENT).unwrap(), fault).unwrap();
    hospital.faults.switches().on(WECHAT_TEMPLATE_EVENT, wrong, Switch::Times(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_wechat_tells_that_a_message_arrived_twice_late_never_and_after_a_forged_one() {
    let hospital = with_events().await;
    for (number, fault) in
        [(1, None), (2, Some("duplicate")), (3, Some("wrong-signature")), (4, Some("lost")), (5, Some("late"))]
    {
        if let Some(fault) = fault {
            switch(&hospital, fault);
        }
        let entry = hospital.apply("w1-am", number).await;
        let before = told(&hospital).await.len();
        hospital.pass_minutes(1).await;
        let now = told(&hospital).await;
        let came: Vec<_> =
            now[before..].iter().map(|(kind, fate, times)| (kind.as_str(), fate.as_str(), *times)).collect();
        let (expected, state) = match fault {
            Some("lost" | "late") => (vec![], "sent"),
            Some("duplicate") => (vec![("TEMPLATESENDJOBFINISH", "ignored", 2)], "delivered"),
            _ => (vec![("TEMPLATESENDJOBFINISH", "ignored", 1)], "delivered"),
        };
        assert_eq!(came, expected, "{fault:?}");
        assert_eq!(states(&hospital, entry).await, [format!("wechat waitlist_submitted {state}")], "{fault:?}");
        hospital.pass_minutes(16).await;
        let state = if fault == Some("lost") { "sent" } else { "delivered" };
        assert_eq!(states(&hospital, entry).await, [format!("wechat waitlist_submitted {state}")], "{fault:?}");
    }
    assert!(hospital.sms.books().await.is_empty());
    hospital.finish().await;
}

/// What an event with this body is answered, signed as WeChat signs it.
async fn event(hospital: &Hospital, body: impl Into<reqwest::Body>) -> Reply {
    let (timestamp, token) = (hospital.now().timestamp().to_string(), hospital.messages.event_token());
    let mut parts = [token.expose_secret(), timestamp.as_str(), "n1"];
    parts.sort_unstable();
    let signature = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()));
    let path = format!("/callbacks/wechat/events?signature={signature}&timestamp={timestamp}&nonce=n1");
    Door::reply(hospital.door.request(Method::POST, &path).body(body)).await
}

/// Whatever WeChat signs has a row: what cannot be followed is for staff, what nobody here hears is ignored, and of neither more is kept
/// than its kind, its size and its hash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_r36_what_wechat_signs_and_nobody_can_follow_has_a_row_of_its_own() {
    let hospital = with_events().await;
    let nameless = "<xml><Event>TEMPLATESENDJOBFINISH</Event><Status>success</Status></xml>";
    let empty = "<xml><Event>subscribe_msg_sent_event</Event></xml>";
    let click = "<xml><FromUserName>o-zhang</FromUserName><MsgType>event</MsgType><Event>CLICK</Event></xml>";
    let wrote =
        "<xml><FromUserName>o-zhang</FromUserName><MsgType>text</MsgType><Content>张三 13800000001</Content></xml>";
    let told_of: [(u16, Vec<u8>, &str, &str); 6] = [
        (422, vec![0xff, 0xfe], "unreadable", "refused"),
        (422, b"<xml><Event>".to_vec(), "unreadable", "refused"),
        (200, nameless.into(), "TEMPLATESENDJOBFINISH", "refused"),
        (200, empty.into(), "subscribe_msg_sent_event", "refused"),
        (200, click.into(), "CLICK", "ignored"),
        (200, wrote.into(), "text", "ignored"),
    ];
    for (status, body, _, _) in &told_of {
        for _ in 0..2 {
            assert_eq!(event(&hospital, body.clone()).await.status, *status, "{}", String::from_utf8_lossy(body));
        }
    }
    let mut expected: Vec<_> =
        told_of.iter().map(|(_, _, kind, fate)| ((*kind).to_owned(), (*fate).to_owned(), 2)).collect();
    expected.sort_unstable();
    let sorted = async || {
        let mut told = told(&hospital).await;
        told.sort_unstable();
        told
    };
    wait_for("what came twice to be counted", async || sorted().await == expected).await;
    let kept: Vec<String> =
        sqlx::query_scalar("select body::text from callback").fetch_all(&hospital.db.pool).await.unwrap();
    assert!(kept.iter().all(|body| !body.contains("张三") && !body.contains("o-zhang")), "{kept:?}");
    assert_eq!(hospital.desk.numbers_of_day(hospital.today()).await.unwrap().unmatched, 4);
    hospital.finish().await;
}

/// What stands after the tenth message of an event is for staff, who have it heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_r36_no_message_of_a_long_event_is_lost() {
    let hospital = with_events().await;
    let one = |n: u8| format!("<List><MsgID>{n}</MsgID><ErrorStatus>success</ErrorStatus></List>");
    let list = (10..22).map(one).collect::<Vec<_>>().concat();
    let body = format!(
        "<xml><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent>{list}</SubscribeMsgSentEvent></xml>"
    );
    assert_eq!(event(&hospital, body).await.status, 200);
    let noted = told(&hospital).await;
    let [heard, beside] = ["ignored", "refused"].map(|fate| noted.iter().filter(|(_, is, _)| is == fate).count());
    assert_eq!((noted.len(), heard, beside), (12, 10, 2));
    let houbu = hospital.door.client();
    let because = houbu::client::shapes::Reason { reason: "it came beside ten others".to_owned() };
    for id in ["20:success", "21:success"] {
        assert_eq!(houbu.replay_callback("wechat", id, &because).await.unwrap().fate, "ignored");
    }
    let kind = "subscribe_msg_sent_event".to_owned();
    assert_eq!(told(&hospital).await, vec![(kind, "ignored".to_owned(), 1); 12], "done again, it has not come again");
    hospital.finish().await;
}

/// It waits for 5 s, and each message may be told of before we have written down its number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_an_event_of_many_messages_that_nobody_knows_is_answered_before_wechat_gives_up() {
    let hospital = with_events().await;
    let one = |n: u8| format!("<List><MsgID>{n}</MsgID><ErrorStatus>failed:user block</ErrorStatus></List>");
    let list = (0..10).map(one).collect::<Vec<_>>().concat();
    let body = format!(
        "<xml><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent>{list}</SubscribeMsgSentEvent></xml>"
    );
    let began = Instant::now();
    let reply = event(&hospital, body).await;
    let took = began.elapsed();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(took < Duration::from_secs(5), "answered after {took:?}");
    let noted = told(&hospital).await;
    assert_eq!(noted, vec![("subscribe_msg_sent_event".to_owned(), "ignored".to_owned(), 1); 10]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r23_whom_wechat_could_not_reach_after_all_gets_one_sms() {
    let hospital = with_events().await;
    for (number, status) in [(1, "failed:user block"), (2, "failed: system failed")] {
        switch(&hospital, status);
        let entry = hospital.apply("w1-am", number).await;
        assert_eq!(states(&hospital, entry).await, ["wechat waitlist_submitted sent"]);
        hospital.pass_minutes(1).await;
        let expected = ["wechat waitlist_submitted failed", "sms waitlist_submitted sent"];
        assert_eq!(states(&hospital, entry).await, expected, "{status}");
        assert_eq!(notices(&hospital, entry).await[0]["why"], status);
        let sms = hospital.sms.books().await;
        assert_eq!((sms.len(), sms[sms.len() - 1].times), (number as usize, 1));
    }
    hospital.finish().await;
}
