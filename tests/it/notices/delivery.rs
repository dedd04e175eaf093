//! What becomes of a notice: it arrives or not, an SMS goes in its place once, staff send it again, and it is not sent when it
//! is no longer true.

use std::sync::Arc;

use houbu::engine::RunId;
use houbu::sandbox::his::channel;
use houbu::sandbox::sms::SentSms;
use houbu::waitlist::cipher::Keyring;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::hospital::world::{openid, put_patient};
use crate::hospital::{Hospital, Setup};

pub(super) async fn notices(hospital: &Hospital, entry: RunId) -> Vec<Value> {
    let all = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}/notices"), None).await;
    all["items"].as_array().unwrap().clone()
}

/// Channel, text and state of each.
pub(super) async fn states(hospital: &Hospital, entry: RunId) -> Vec<String> {
    let line = |one: &Value| format!("{} {} {}", one["channel"], one["template"], one["state"]).replace('"', "");
    notices(hospital, entry).await.iter().map(line).collect()
}

/// The patient of this number follows no account from now on.
async fn follows_nobody(hospital: &Hospital, number: u32) {
    let keyring = Arc::new(Keyring::new(&SecretString::from("5a".repeat(32)), &[]).unwrap());
    let stranger = (0..10_000).map(|n| format!("wx-nobody-{n}")).find(|openid| !hospital.messages.follows(openid));
    put_patient(&hospital.db.pool, &keyring, number, number, stranger.unwrap()).await;
}

async fn again(hospital: &Hospital, statement: &'static str) {
    sqlx::query(statement).execute(&hospital.db.pool).await.unwrap();
    hospital.hint_workers();
    hospital.until_still().await;
}

const REDO: &str = "update outbox set status = 'pending', attempt = attempt + 1, settled_at = null, reference = null";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r23_whom_the_platform_does_not_reach_gets_one_sms_whatever_is_done_twice() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    follows_nobody(&hospital, 1).await;
    let entry = hospital.apply("w1-am", 1).await;
    assert_eq!(
        states(&hospital, entry).await,
        ["wechat waitlist_submitted unreachable", "sms waitlist_submitted sent"]
    );
    assert_eq!(notices(&hospital, entry).await[0]["why"], "the platform answers 43004");
    let sms = hospital.sms.books().await;
    let [SentSms { phone, text, times: 1, .. }] = &sms[..] else { panic!("one SMS: {sms:?}") };
    assert_eq!(phone, "13800000001");
    assert_eq!(text, "您已提交医生w1医生2026年9月4日 上午的候补申请，候补成功后将通知您。");
    assert!(hospital.messages.books().await.is_empty());
    // A worker that dies before it writes down what came of it leaves the letter to another one: first of the notice, then of
    // the SMS, then of both.
    again(&hospital, REDO).await;
    again(&hospital, "update outbox set status = 'pending', settled_at = null where topic = 'sms'").await;
    again(&hospital, "update outbox set status = 'pending', settled_at = null where topic = 'notice'").await;
    let sms = hospital.sms.books().await;
    assert_eq!((sms.len(), sms[0].times), (1, 3), "one SMS, though it was asked for three times");
    assert_eq!(states(&hospital, entry).await.len(), 2);
    // Without an account there is nothing to ask the platform.
    let data = json!({ "name": "李四", "idType": "1", "idNumber": "11010519491231002X", "phone": "13900139000" });
    hospital.ask(Method::PUT, "/v1/patients/p2", Some(data)).await;
    let entry = hospital.apply("w1-am", 2).await;
    assert_eq!(notices(&hospital, entry).await[0]["why"], "the patient has no WeChat account here");
    assert_eq!(hospital.sms.books().await[1].phone, "13900139000");
    // A text without an SMS sends none.
    let text = json!({ "templateId": "TM1", "fields": { "thing1": "{doctor}" }, "reason": "no SMS for this" });
    hospital.ask(Method::PUT, "/v1/templates/waitlist_submitted", Some(text)).await;
    follows_nobody(&hospital, 3).await;
    let entry = hospital.apply("w1-am", 3).await;
    assert_eq!(states(&hospital, entry).await, ["wechat waitlist_submitted unreachable"]);
    assert_eq!(hospital.sms.books().await.len(), 2);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_the_platform_tells_later_whether_a_message_arrived_and_one_that_did_not_is_an_sms() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    let numbers: Vec<String> = sqlx::query_scalar("select reference from outbox order by created_at, id")
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(states(&hospital, entries[0]).await, ["wechat waitlist_submitted sent"]);
    hospital.desk.message_event(&numbers[0], "success").await.unwrap();
    assert_eq!(states(&hospital, entries[0]).await, ["wechat waitlist_submitted delivered"]);
    assert!(notices(&hospital, entries[0]).await[0]["toldAt"].is_string());
    for _ in 0..2 {
        hospital.desk.message_event(&numbers[1], "failed:user block").await.unwrap();
        hospital.until_still().await;
    }
    let expected = ["wechat waitlist_submitted failed", "sms waitlist_submitted sent"];
    assert_eq!(states(&hospital, entries[1]).await, expected);
    assert_eq!(notices(&hospital, entries[1]).await[0]["why"], "failed:user block");
    let sms = hospital.sms.books().await;
    assert_eq!((sms.len(), sms[0].times, sms[0].phone.as_str()), (1, 1, "13800000002"));
    // Of a message of somebody else nothing follows.
    hospital.desk.message_event("1", "failed:user block").await.unwrap();
    assert_eq!(hospital.sms.books().await.len(), 1);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_staff_send_a_notice_again_and_the_audit_knows() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let id = notices(&hospital, entry).await[0]["noticeId"].as_str().unwrap().to_owned();
    let path = format!("/v1/waitlist/{entry}/notices/{id}/resend");
    let why = json!({ "reason": "患者来电称未收到" });
    let resent = hospital.ask(Method::POST, &path, Some(why.clone())).await;
    assert_eq!((&resent["resendOf"], &resent["channel"]), (&json!(id), &json!("wechat")));
    let told = hospital.messages.books().await;
    assert_eq!(told.len(), 2, "the platform drops repetitions of one id, and this is another");
    assert_eq!((told[0].fields == told[1].fields, told[1].client_msg_id.len()), (true, 32));
    let sms = json!({ "channel": "sms", "reason": "患者要求短信" });
    hospital.ask(Method::POST, &path, Some(sms.clone())).await;
    hospital.ask(Method::POST, &path, Some(sms)).await;
    assert_eq!(hospital.sms.books().await.len(), 2);
    let expected = ["wechat", "wechat", "sms", "sms"].map(|channel| format!("{channel} waitlist_submitted sent"));
    assert_eq!(states(&hospital, entry).await, expected);
    // The same key is the same request.
    let keyed = || hospital.door.keyed(Method::POST, &path).header("idempotency-key", "k1").json(&why);
    let (one, other) = (keyed().send().await.unwrap(), keyed().send().await.unwrap());
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (202, 202));
    hospital.until_still().await;
    assert_eq!(hospital.messages.books().await.len(), 3);
    let audit = hospital.ask(Method::GET, &format!("/v1/audit?runId={entry}&verb=notice.resend"), None).await;
    let deeds = audit["items"].as_array().unwrap();
    assert_eq!((deeds.len(), &deeds[3]["reason"]), (4, &json!("患者来电称未收到")));
    // While it is on its way, and once it is no longer true, it is not.
    let refused = async || hospital.door.ask(Method::POST, &path, Some(why.clone())).await.code().to_owned();
    hospital.turns("messages", "pause").await;
    assert_eq!(hospital.door.ask(Method::POST, &path, Some(why.clone())).await.status, 202);
    assert_eq!(refused().await, "notice_under_way");
    hospital.withdraw(entry).await;
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.messages.books().await.last().unwrap().template_id, "waitlist_failed");
    let last = notices(&hospital, entry).await;
    let over_it = |one: &&Value| one["template"] == "waitlist_submitted" && one["channel"] == "wechat";
    let of_submitted = last.iter().rfind(over_it).unwrap();
    assert_eq!((&of_submitted["state"], &of_submitted["why"]), (&json!("suppressed"), &json!("no longer true")));
    let gone = of_submitted["noticeId"].as_str().unwrap();
    let gone = format!("/v1/waitlist/{entry}/notices/{gone}/resend");
    assert_eq!(hospital.door.ask(Method::POST, &gone, Some(why.clone())).await.code(), "notice_not_true");
    let nobody = format!("/v1/waitlist/{entry}/notices/M1/resend");
    assert_eq!(hospital.door.ask(Method::POST, &nobody, Some(why)).await.status, 404);
    let unknown = format!("/v1/waitlist/{}/notices", uuid::Uuid::now_v7());
    assert_eq!(hospital.door.ask(Method::GET, &unknown, None).await.status, 404);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_an_offer_that_has_ended_is_not_told_though_a_later_one_stands() {
    let setup = Setup::paying(PaymentMode::LockThenPay);
    let policy = LevelPolicy { missed_offers_max: Some(3), ..setup.policy.clone() };
    let hospital = Hospital::open(Setup { policy, ..setup }).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.turns("messages", "pause").await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(45).await;
    // Nobody is asked twice about one time.
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(1).await;
    let asked: Vec<Value> = notices(&hospital, entry).await;
    let asked: Vec<&Value> = asked.iter().filter(|one| one["template"] == "waitlist_please_confirm").collect();
    let states: Vec<&Value> = asked.iter().map(|one| &one["state"]).collect();
    assert!(states.len() >= 2, "two offers were made: {asked:?}");
    assert_eq!(states.last().unwrap(), &&json!("sent"));
    for one in &asked[..asked.len() - 1] {
        assert_eq!((&one["state"], &one["why"]), (&json!("suppressed"), &json!("the offer has ended")));
    }
    let openid = openid(&hospital.messages, 1);
    let told = hospital.messages.books().await;
    let told = told.iter().filter(|one| one.openid == openid && one.template_id == "waitlist_please_confirm");
    assert_eq!(told.count(), 1, "only the offer that can be answered is told");
    hospital.decline(entry).await;
    hospital.finish().await;
}
