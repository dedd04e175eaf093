//! An outside system that answers without end: no more of it is read than an answer may be large, and what was asked stays unknown.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use houbu::ports::CallError;
use houbu::ports::his::{Config as HisConfig, Protocol, connect as connect_his};
use houbu::ports::identity::{Errand, IdentityConfig, IdentityProvider};
use houbu::ports::messages::sms::{Sms, SmsConfig, SmsGateway, SmsMessage};
use houbu::ports::messages::unified::{MessagePlatform, PlatformConfig};
use houbu::ports::messages::{Config as WechatConfig, Leads, Message, Messages, SubscribeBy, WechatMessages};
use houbu::ports::payments::{Connection, Payments, Provider, connect};
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::{Faults, Level};
use houbu::sandbox::wechat_pay::{Options, PayServer};
use serde_json::json;

use crate::hospital::his_config;

/// Nobody waits so long: what ends earlier was cut by us.
const PATIENCE: Duration = Duration::from_mins(5);
const PIECE: usize = 64 << 10;
/// An answer may be 8 MiB large. Whoever wants more than this waits for it in vain.
const SENT: usize = 9 << 20;

/// A system that answers every request, but for the token, with more than an answer may be, and never ends it.
async fn system() -> String {
    let answer = async |uri: Uri| -> Response {
        if uri.path().ends_with("/stable_token") && !uri.path().starts_with("/tokenless") {
            return json!({ "access_token": "t", "expires_in": 7200 }).to_string().into_response();
        }
        let piece = Bytes::from(vec![b' '; PIECE]);
        let pieces = stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())).take(SENT / PIECE);
        Response::new(Body::from_stream(pieces.chain(stream::pending())))
    };
    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A client of this provider whose server is at `url`.
async fn payments(provider: Provider, url: &str) -> Arc<dyn Payments> {
    let server = PayServer::start(Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        seed: 7,
        now: Arc::new(chrono::Utc::now),
        faults: Arc::new(Faults::new(Level::None, 7)),
        store: Store::in_memory(),
        slow: PATIENCE,
        refunds_close: false,
    })
    .await
    .unwrap();
    connect(match server.connection(provider, url, PATIENCE) {
        Connection::Wechat(mut config) => {
            url.clone_into(&mut config.base_url);
            Connection::Wechat(config)
        }
        Connection::Platform(mut config) => {
            url.clone_into(&mut config.url);
            Connection::Platform(config)
        }
    })
    .unwrap()
}

fn message() -> Message {
    Message {
        openid: "o1".to_owned(),
        template_id: "T1".to_owned(),
        client_msg_id: "M1".to_owned(),
        fields: BTreeMap::new(),
        subscribed: false,
    }
}

/// What every client makes of such an answer.
async fn asked(url: &str) -> Vec<(&'static str, Result<(), CallError>)> {
    let mut all = Vec::new();
    for provider in Provider::ALL {
        all.push((provider.source(), payments(provider, url).await.order("order1").await.map(drop)));
    }
    for protocol in Protocol::ALL {
        let his = connect_his(HisConfig { protocol, ..his_config(url.to_owned(), PATIENCE) }).unwrap();
        all.push((protocol.name(), his.order("order1").await.map(drop)));
    }
    let gateway = SmsConfig { url: url.to_owned(), key: "key".into(), timeout: PATIENCE };
    let sms = SmsMessage { id: "S1".to_owned(), phone: "13800138000".to_owned(), text: "…".to_owned() };
    all.push(("sms", SmsGateway::new(gateway).unwrap().send(&sms).await.map(drop)));
    let platform = PlatformConfig { url: url.to_owned(), key: "key".into(), timeout: PATIENCE };
    all.push(("platform", MessagePlatform::new(platform).unwrap().send(&message()).await.map(drop)));
    all.push(("wechat", wechat(url).send(&message()).await.map(drop)));
    all
}

fn wechat(url: &str) -> WechatMessages {
    let (base_url, app_id, secret) = (url.to_owned(), "wx1".to_owned(), "secret".into());
    WechatMessages::new(WechatConfig {
        base_url,
        app_id,
        secret,
        timeout: PATIENCE,
        leads: Leads::default(),
        subscribe_by: SubscribeBy::default(),
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e01_an_answer_without_end_is_cut_and_leaves_the_outcome_unknown() {
    for (who, came) in asked(&system().await).await {
        let cut = matches!(&came, Err(CallError::Unknown { detail, .. }) if detail == "the answer is too large");
        assert!(cut, "{who}: {came:?}");
    }
}

/// Without a token nothing was sent, and without the provider's word nobody is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_or_a_name_without_end_is_none() {
    let url = system().await;
    let came = wechat(&format!("{url}/tokenless")).send(&message()).await;
    let cut = matches!(&came, Err(CallError::NotTaken { detail, .. }) if detail == "no token: unreadable answer");
    assert!(cut, "{came:?}");
    let provider = IdentityProvider::new(IdentityConfig {
        issuer: url,
        client_id: "houbu".to_owned(),
        client_secret: None,
        redirect_url: "http://127.0.0.1:9/back".to_owned(),
        scopes: Vec::new(),
        name_claim: "name".to_owned(),
        groups_claim: "groups".to_owned(),
        timeout: PATIENCE,
    })
    .unwrap();
    let errand = Errand { state: "s".to_owned(), nonce: "n".to_owned(), verifier: "v".to_owned() };
    let came = provider.begin(&errand).await;
    assert!(matches!(&came, Err(error) if error.to_string().contains("too large")), "{came:?}");
}
