//! The clients of messages: what is sent to the letter, the token that it needs, and what each answer comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use houbu::ports::CallError;
use houbu::ports::messages::sms::{Sms, SmsConfig, SmsGateway, SmsMessage};
use houbu::ports::messages::unified::{MessagePlatform, PlatformConfig};
use houbu::ports::messages::{Config, Leads, Message, Messages, MiniProgram, SubscribeBy, WechatMessages};

use super::tape::{Recording, Scenario, Tape, recordings};

const PATIENCE: Duration = Duration::from_secs(20);

fn recorded(name: &str) -> Recording {
    let recording = recordings("messages").remove(name).unwrap();
    assert!(recording.source.contains("Written from") && recording.source.contains("not captured"), "{name}");
    recording
}

fn message(subscribed: bool) -> Message {
    Message {
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        template_id: "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY".to_owned(),
        client_msg_id: "M01J055R4HMFAY8VVR14D2PF2DBB00".to_owned(),
        fields: BTreeMap::from([("thing1".to_owned(), "李时珍".to_owned())]),
        subscribed,
    }
}

/// Makes the call of a recording with the client of `name`, and shows what came of it.
async fn made(name: &str, address: &str, call: &str) -> Result<String, CallError> {
    match name {
        "platform" => {
            let (url, key) = (format!("{address}/send"), "recorded-key".into());
            let client = MessagePlatform::new(PlatformConfig { url, key, timeout: PATIENCE }).unwrap();
            match call {
                "probe" => client.probe("check-1").await.map(|asked| format!("{asked:?}")),
                _ => client.send(&message(false)).await.map(|sent| format!("{sent:?}")),
            }
        }
        "sms" => {
            let (url, key) = (format!("{address}/sms"), "recorded-key".into());
            let client = SmsGateway::new(SmsConfig { url, key, timeout: PATIENCE }).unwrap();
            let sms = SmsMessage {
                id: "S1".to_owned(),
                phone: "13800138000".to_owned(),
                text: "您候补的李时珍医生已挂号成功。".to_owned(),
            };
            match call {
                "probe" => client.probe("check-1").await.map(|asked| format!("{asked:?}")),
                _ => client.send(&sms).await.map(|sent| format!("{sent:?}")),
            }
        }
        _ => {
            let secret = "recorded-secret".into();
            let leading = call.contains("leading").then(|| Leads {
                url: Some("https://patients.example.org/waitlist".to_owned()),
                mini_program: Some(MiniProgram { app_id: "wx2".to_owned(), page: "pages/waitlist/index".to_owned() }),
            });
            let config = Config {
                base_url: address.to_owned(),
                app_id: "wx1".to_owned(),
                secret,
                timeout: PATIENCE,
                leads: leading.unwrap_or_default(),
                subscribe_by: if call.contains("mini-program") {
                    SubscribeBy::MiniProgram
                } else {
                    SubscribeBy::default()
                },
            };
            let client = WechatMessages::new(config).unwrap();
            client.send(&message(call.contains("subscribed"))).await.map(|sent| format!("{sent:?}"))
        }
    }
}

async fn every_recording(name: &str) {
    for scenario in &recorded(name).scenarios {
        let what = format!("{name}: {}", scenario.title);
        let (address, tape) = Tape::play(scenario, None).await;
        let came = made(name, &address, scenario.note("call").unwrap()).await;
        tape.was_asked(&what);
        let came = came.unwrap_or_else(|error| error.to_string());
        assert_eq!(Some(came.as_str()), scenario.note("means"), "{what}");
    }
}

#[tokio::test]
async fn r23_a_wechat_template_message_and_its_token_are_as_recorded() {
    every_recording("wechat-template").await;
}

#[tokio::test]
async fn r23_a_wechat_subscribe_message_and_its_token_are_as_recorded() {
    every_recording("wechat-subscribe").await;
}

#[tokio::test]
async fn r23_what_the_hospitals_platform_is_asked_and_means_is_as_recorded() {
    every_recording("platform").await;
}

#[tokio::test]
async fn r23_what_an_sms_gateway_is_asked_and_means_is_as_recorded() {
    every_recording("sms").await;
}

#[test]
fn r23_every_code_that_the_table_of_messages_knows_is_recorded() {
    let wechat = [
        "-1", "40001", "40003", "40014", "40037", "40125", "40164", "42001", "43004", "43101", "45009", "45011",
        "47003", "48001",
    ];
    let gateway = ["1", "2", "3", "9"];
    let expected: [(&str, &[&str]); 4] =
        [("wechat-template", &wechat), ("wechat-subscribe", &wechat), ("platform", &gateway), ("sms", &gateway)];
    assert!(recordings("messages").keys().eq(expected.iter().map(|it| it.0).collect::<BTreeSet<_>>()));
    for (name, codes) in expected {
        let scenarios = recorded(name).scenarios;
        assert!(scenarios.iter().any(|it| it.note("code").is_none()), "{name}");
        let said = |code: &&str, it: &Scenario| it.note("code") == Some(code) && it.answers().contains(*code);
        for code in codes {
            assert!(scenarios.iter().any(|it| said(code, it)), "{name}: {code}");
        }
    }
}
