//! The clients of messages against exchanges as the interfaces have them on the wire: what is sent to the letter, and what each
//! answer comes to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use houbu::ports::CallError;
use houbu::ports::messages::sms::{Sms, SmsConfig, SmsGateway, SmsMessage};
use houbu::ports::messages::unified::{MessagePlatform, PlatformConfig};
use houbu::ports::messages::{Config, Message, Messages, Sent, WechatMessages};
use serde_json::{Value, json};

/// One exchange: what must be asked, and what is answered.
struct Exchange {
    target: &'static str,
    key: Option<&'static str>,
    asked: Value,
    status: u16,
    answer: &'static str,
}

type Tape = Arc<Mutex<VecDeque<Exchange>>>;

/// Plays exchanges, each once and in order; its address.
async fn play(exchanges: Vec<Exchange>) -> (String, Tape) {
    let tape: Tape = Arc::new(Mutex::new(exchanges.into()));
    let answer = async |State(tape): State<Tape>, uri: Uri, headers: HeaderMap, body: Bytes| {
        let Exchange { target, key, asked, status, answer } =
            tape.lock().unwrap().pop_front().expect("nothing more is asked");
        assert_eq!(uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str), Some(target));
        let bearer = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(bearer.as_deref(), key);
        assert!(headers["content-type"].to_str().unwrap().starts_with("application/json"));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), asked);
        (StatusCode::from_u16(status).unwrap(), answer)
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&tape));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, tape)
}

/// Whether it came to this.
#[derive(Debug)]
enum Came {
    Sent(&'static str),
    Unreachable(i64),
    Rejected(i64),
    Later,
    Unknown,
    Broken,
}

impl Came {
    fn is(&self, sent: &Result<Sent, CallError>) -> bool {
        match (self, sent) {
            (Self::Sent(id), Ok(Sent::Accepted { msg_id })) => id == msg_id,
            (Self::Unreachable(is), Ok(Sent::Unreachable { code }))
            | (Self::Rejected(is), Ok(Sent::Rejected { code })) => is == code,
            (Self::Later, Err(CallError::NotTaken { .. }))
            | (Self::Unknown, Err(CallError::Unknown { .. }))
            | (Self::Broken, Err(CallError::Broken { .. })) => true,
            _ => false,
        }
    }
}

const ERRCODES: [(u16, &str, Came); 9] = [
    (200, r#"{"errcode":0,"errmsg":"ok","msgid":200228332}"#, Came::Sent("200228332")),
    (200, r#"{"errcode":43004,"errmsg":"require subscribe hint: [abc]"}"#, Came::Unreachable(43004)),
    (200, r#"{"errcode":43101,"errmsg":"user refuse to accept the msg"}"#, Came::Unreachable(43101)),
    (200, r#"{"errcode":40003,"errmsg":"invalid openid"}"#, Came::Unreachable(40003)),
    (200, r#"{"errcode":40037,"errmsg":"invalid template_id"}"#, Came::Rejected(40037)),
    (200, r#"{"errcode":47003,"errmsg":"argument invalid! data.thing1.value is empty"}"#, Came::Rejected(47003)),
    (200, r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#, Came::Later),
    (200, r#"{"errcode":-1,"errmsg":"system error"}"#, Came::Unknown),
    (502, "<html>502 Bad Gateway</html>", Came::Unknown),
];

const GATEWAY: [(u16, &str, Came); 8] = [
    (200, r#"{"code":0,"messageId":"7000000001"}"#, Came::Sent("7000000001")),
    (200, r#"{"code":1}"#, Came::Unreachable(1)),
    (200, r#"{"code":2,"message":"sensitive word"}"#, Came::Rejected(2)),
    (200, r#"{"code":3}"#, Came::Later),
    (429, "", Came::Later),
    (401, r#"{"error":"bad key"}"#, Came::Broken),
    (503, "", Came::Unknown),
    (200, "OK", Came::Unknown),
];

fn message(subscribed: bool) -> Message {
    Message {
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        template_id: "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY".to_owned(),
        client_msg_id: "M01J055R4HMFAY8VVR14D2PF2DBB00".to_owned(),
        fields: BTreeMap::from([("thing1".to_owned(), "李时珍".to_owned())]),
        subscribed,
    }
}

async fn wechat_says(subscribed: bool, path: &'static str, mut asked: Value) {
    asked["touser"] = json!("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
    asked["template_id"] = json!("ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY");
    asked["data"] = json!({ "thing1": { "value": "李时珍" } });
    let token = Exchange {
        target: "/cgi-bin/stable_token",
        key: None,
        asked: json!({
            "grant_type": "client_credential", "appid": "wx1", "secret": "hush", "force_refresh": false
        }),
        status: 200,
        answer: r#"{"access_token":"ACCESS-TOKEN","expires_in":7200}"#,
    };
    let sends = ERRCODES.iter().map(|(status, answer, _)| Exchange {
        target: path,
        key: None,
        asked: asked.clone(),
        status: *status,
        answer,
    });
    let (base_url, tape) = play([token].into_iter().chain(sends).collect()).await;
    let config = Config { base_url, app_id: "wx1".to_owned(), secret: "hush".into(), timeout: Duration::from_secs(20) };
    let client = WechatMessages::new(config).unwrap();
    for (_, answer, came) in &ERRCODES {
        let sent = client.send(&message(subscribed)).await;
        assert!(came.is(&sent), "{answer}: {sent:?} is not {came:?}");
    }
    assert!(tape.lock().unwrap().is_empty(), "one token for all, and each sent once");
}

#[tokio::test]
async fn r23_a_wechat_template_message_as_it_is_on_the_wire() {
    let id = json!({ "client_msg_id": "M01J055R4HMFAY8VVR14D2PF2DBB00" });
    wechat_says(false, "/cgi-bin/message/template/send?access_token=ACCESS-TOKEN", id).await;
}

#[tokio::test]
async fn r23_a_wechat_subscribe_message_as_it_is_on_the_wire() {
    wechat_says(true, "/cgi-bin/message/subscribe/bizsend?access_token=ACCESS-TOKEN", json!({})).await;
}

#[tokio::test]
async fn r23_the_hospitals_platform_as_it_is_on_the_wire() {
    let asked = json!({
        "id": "M01J055R4HMFAY8VVR14D2PF2DBB00", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "template": "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", "fields": { "thing1": "李时珍" }
    });
    let exchange = |status: u16, answer: &'static str| Exchange {
        target: "/send",
        key: Some("Bearer hush"),
        asked: asked.clone(),
        status,
        answer,
    };
    let (address, tape) = play(GATEWAY.iter().map(|(status, answer, _)| exchange(*status, answer)).collect()).await;
    let (url, key) = (format!("{address}/send"), "hush".into());
    let client = MessagePlatform::new(PlatformConfig { url, key, timeout: Duration::from_secs(20) }).unwrap();
    for (_, answer, came) in &GATEWAY {
        let sent = client.send(&message(false)).await;
        assert!(came.is(&sent), "{answer}: {sent:?} is not {came:?}");
    }
    assert!(tape.lock().unwrap().is_empty());
}

#[tokio::test]
async fn r23_an_sms_as_it_is_on_the_wire_and_what_a_check_asks() {
    let asked = json!({ "id": "S1", "phone": "13800138000", "text": "您候补的李时珍医生已挂号成功。" });
    let exchange = |asked: &Value, status: u16, answer: &'static str| Exchange {
        target: "/sms",
        key: Some("Bearer hush"),
        asked: asked.clone(),
        status,
        answer,
    };
    let nothing = json!({ "id": "check-1", "phone": "", "text": "" });
    let checks = [
        (200, r#"{"code":1}"#, true),
        (200, r#"{"code":2}"#, true),
        (200, r#"{"code":0,"messageId":"7"}"#, false),
        (401, "", false),
        (404, "", false),
    ];
    let sends = GATEWAY.iter().map(|(status, answer, _)| exchange(&asked, *status, answer));
    let asks = checks.iter().map(|(status, answer, _)| exchange(&nothing, *status, answer));
    let (address, tape) = play(sends.chain(asks).collect()).await;
    let (url, key) = (format!("{address}/sms"), "hush".into());
    let client = SmsGateway::new(SmsConfig { url, key, timeout: Duration::from_secs(20) }).unwrap();
    let sms = SmsMessage {
        id: "S1".to_owned(),
        phone: "13800138000".to_owned(),
        text: "您候补的李时珍医生已挂号成功。".to_owned(),
    };
    for (_, answer, came) in &GATEWAY {
        let sent = client.send(&sms).await;
        assert!(came.is(&sent), "{answer}: {sent:?} is not {came:?}");
    }
    for (status, answer, well) in checks {
        assert_eq!(client.probe("check-1").await.is_ok(), well, "{status} {answer}");
    }
    assert!(tape.lock().unwrap().is_empty());
}
