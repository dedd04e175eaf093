//! By which channels notices go: what is configured, what a text says, and what becomes of whom a channel does not reach.

use houbu::sandbox::catalogue::{PLATFORM_EVENT, subject};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::route::{Channel, Routes};
use houbu::waitlist::template::TemplateName;
use reqwest::Method;
use serde_json::{Value, json};

use super::delivery::{notices, states};
use crate::hospital::{Hospital, Setup};

async fn routed(routes: Routes) -> Hospital {
    Hospital::open(Setup { routes, ..Setup::paying(PaymentMode::None) }).await
}

fn text(channels: &[&str]) -> Value {
    json!({
        "templateId": "TM1", "fields": { "thing1": "{doctor}" }, "sms": "{doctor}：{remark}", "channels": channels,
        "templateIds": { "platform": "P1" }, "reason": "渠道调整"
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_each_channel_of_a_route_is_tried_once_in_its_order() {
    let all = Routes::new(true, true, true);
    let route = vec![Channel::WechatSubscribe, Channel::WechatTemplate, Channel::Platform, Channel::Sms];
    let hospital = routed(all.with([(TemplateName::WaitlistSubmitted, route)].into())).await;
    for (call, answer) in
        [("wechat subscribe send", "43101"), ("wechat template send", "43004"), ("platform send", "1")]
    {
        let wrong = Wrong::named(subject(call).unwrap(), answer).unwrap();
        hospital.faults.switches().on(call, wrong, Switch::OfThousand(1000));
    }
    let entry = hospital.apply("w1-am", 1).await;
    let mut seen = states(&hospital, entry).await;
    seen.sort_unstable();
    let expected = ["platform", "sms", "wechat", "wechat"].map(|channel| {
        let state = if channel == "sms" { "sent" } else { "unreachable" };
        format!("{channel} waitlist_submitted {state}")
    });
    assert_eq!(seen, expected);
    let ids: Vec<String> =
        notices(&hospital, entry).await.iter().map(|one| one["noticeId"].as_str().unwrap().to_owned()).collect();
    assert!(ids.iter().all(|id| id[1..] == ids[0][1..]), "one notice: {ids:?}");
    assert_eq!((hospital.messages.books().await.len(), hospital.sms.books().await.len()), (0, 1));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_text_goes_by_its_own_channels_from_the_moment_it_is_stored() {
    let hospital = routed(Routes::new(true, true, true)).await;
    let path = "/v1/templates/waitlist_submitted";
    assert_eq!(hospital.ask(Method::GET, path, None).await["route"], json!(["platform", "sms"]));
    let stored = hospital.ask(Method::PUT, path, Some(text(&["wechatTemplate", "platform"]))).await;
    assert_eq!((&stored["channels"], &stored["route"]), (&stored["route"], &json!(["wechatTemplate", "platform"])));
    let first = hospital.apply("w1-am", 1).await;
    assert_eq!(states(&hospital, first).await, ["wechat waitlist_submitted sent"]);
    // WeChat says later that it did not arrive: the platform brings it, under its own id of the template; no SMS.
    let number: String = sqlx::query_scalar("select reference from outbox").fetch_one(&hospital.db.pool).await.unwrap();
    for _ in 0..2 {
        hospital.desk.message_event(&number, "failed:user block").await.unwrap();
        hospital.until_still().await;
    }
    assert_eq!(
        states(&hospital, first).await,
        ["wechat waitlist_submitted failed", "platform waitlist_submitted sent"]
    );
    let books = hospital.messages.books().await;
    let templates: Vec<&str> = books.iter().map(|sent| sent.template_id.as_str()).collect();
    assert_eq!((templates, hospital.sms.books().await.len()), (vec!["TM1", "P1"], 0));
    // By SMS from the first.
    hospital.ask(Method::PUT, path, Some(text(&["sms"]))).await;
    let second = hospital.apply("w1-am", 2).await;
    assert_eq!(states(&hospital, second).await.last().map(String::as_str), Some("sms waitlist_submitted sent"));
    assert_eq!((hospital.messages.books().await.len(), hospital.sms.books().await.len()), (2, 1));
    hospital.finish().await;
}

/// What an offer came to.
async fn came_to(hospital: &Hospital) -> String {
    sqlx::query_scalar("select outcome from offer").fetch_one(&hospital.db.pool).await.unwrap()
}

/// A call or push always goes wrong like this.
fn goes_wrong<'a>(hospital: &Hospital, call: &'a str, how: &str) -> (&'a str, Wrong) {
    let wrong = Wrong::named(subject(call).unwrap(), how).unwrap();
    hospital.faults.switches().on(call, wrong, Switch::OfThousand(1000));
    (call, wrong)
}

/// The platform does not reach the patient, at once or as it says later, and WeChat, which is next, is away for the whole of the offer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r23_an_offer_that_no_channel_has_brought_is_not_missed() {
    for (call, how) in [("platform send", "1"), (PLATFORM_EVENT, "failed")] {
        let route = vec![Channel::Platform, Channel::WechatTemplate];
        let routes = Routes::new(true, true, true).with([(TemplateName::WaitlistPleaseConfirm, route)].into());
        let hospital = Hospital::open(Setup { routes, ..Setup::paying(PaymentMode::LockThenPay) }).await;
        let entry = hospital.apply("w1-am", 1).await;
        hospital.pass_minutes(1).await;
        let wrongs = [goes_wrong(&hospital, call, how), goes_wrong(&hospital, "wechat template send", "-1")];
        hospital.free_a_place("w1-am").await;
        assert_eq!(hospital.status(entry).await, "offered");
        hospital.pass_minutes(31).await;
        assert_eq!(hospital.status(entry).await, "waiting", "{call}: {:?}", hospital.steps(entry).await);
        assert_eq!(came_to(&hospital).await, "unusable", "{call}");
        for (call, wrong) in wrongs {
            hospital.faults.switches().off(call, wrong);
        }
        hospital.pass_minutes(15).await;
        hospital.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r23_an_offer_that_staff_have_sent_again_was_told() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let (call, wrong) = goes_wrong(&hospital, "wechat template send", "40037");
    hospital.free_a_place("w1-am").await;
    hospital.faults.switches().off(call, wrong);
    let offer = notices(&hospital, entry).await.pop().unwrap();
    assert_eq!(offer["state"], "putAside", "{offer}");
    let path = format!("/v1/waitlist/{entry}/notices/{}/resend", offer["noticeId"].as_str().unwrap());
    hospital.ask(Method::POST, &path, Some(json!({ "reason": "模板已恢复" }))).await;
    hospital.pass_minutes(31).await;
    assert_eq!((hospital.status(entry).await.as_str(), came_to(&hospital).await.as_str()), ("lapsed", "missed"));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_text_with_a_channel_that_is_not_configured_is_not_stored() {
    let hospital = routed(Routes::new(true, false, true)).await;
    let path = "/v1/templates/waitlist_submitted";
    for (channels, code) in
        [(vec!["wechatTemplate", "platform"], "closed_channel"), (vec!["sms", "sms"], "useless_channel")]
    {
        let refused = hospital.door.ask(Method::PUT, path, Some(text(&channels))).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_template"));
        assert_eq!(refused.body["flaws"][0]["code"], code, "{}", refused.body);
        assert_eq!(refused.body["flaws"][0]["field"], "channels");
    }
    let unknown = hospital.door.ask(Method::PUT, path, Some(text(&["pigeon"]))).await;
    assert!((400..500).contains(&unknown.status), "{}", unknown.body);
    hospital.finish().await;
}
