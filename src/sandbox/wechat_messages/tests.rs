//! Our client against this server over real HTTP.

use super::*;
use crate::ports::CallError;
use crate::ports::messages::{Message, Messages as _, Sent as Outcome, WechatMessages};
use crate::sandbox::faults::{Fault, Level};

#[derive(Clone)]
struct Clock(Arc<Mutex<DateTime<Utc>>>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap())))
    }

    fn forward(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

async fn world(level: Level, seed: u64) -> (MessageServer, WechatMessages, Clock) {
    let clock = Clock::new();
    let reader = clock.clone();
    let server = MessageServer::start(Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        seed,
        now: Arc::new(move || *reader.0.lock().unwrap()),
        faults: Arc::new(Faults::new(level, seed)),
        store: Store::in_memory(),
        slow: Duration::from_secs(30),
    })
    .await
    .unwrap();
    let client = WechatMessages::new(server.client_config(Duration::from_secs(20))).unwrap();
    (server, client, clock)
}

fn message(server: &MessageServer, id: &str) -> Message {
    let openid = (0..100).map(|n| format!("o{n}")).find(|openid| server.follows(openid)).unwrap();
    Message {
        openid,
        template_id: "T1".into(),
        client_msg_id: id.into(),
        subscribed: false,
        fields: BTreeMap::from([("thing1".into(), "候补成功".into())]),
    }
}

#[tokio::test]
async fn a_message_arrives_once_within_ten_minutes() {
    let (server, client, clock) = world(Level::None, 1).await;
    let first = client.send(&message(&server, "m1")).await.unwrap();
    assert!(matches!(&first, Outcome::Accepted { msg_id } if !msg_id.is_empty()));
    assert_eq!(client.send(&message(&server, "m1")).await, Ok(first));
    assert_eq!(server.books().await.len(), 1);
    clock.forward(TimeDelta::minutes(10));
    client.send(&message(&server, "m1")).await.unwrap();
    let books = server.books().await;
    assert_eq!(books.len(), 2);
    assert_eq!(books[0].fields["thing1"], "候补成功");
}

#[tokio::test]
async fn receivers_and_templates_that_cannot_be_served_are_told_apart() {
    let (server, client, _) = world(Level::None, 1).await;
    let stranger = (0..10_000).map(|n| format!("s{n}")).find(|openid| !server.follows(openid)).unwrap();
    let to = Message { openid: stranger, ..message(&server, "m1") };
    assert_eq!(client.send(&to).await, Ok(Outcome::Unreachable { code: 43004 }));
    let long = BTreeMap::from([("thing1".to_owned(), "长".repeat(201))]);
    let worded = Message { fields: long, ..message(&server, "m2") };
    assert_eq!(client.send(&worded).await, Ok(Outcome::Rejected { code: 47003 }));
    let bare = Message { template_id: String::new(), ..message(&server, "m3") };
    assert_eq!(client.send(&bare).await, Ok(Outcome::Rejected { code: 40037 }));
    assert!(server.books().await.is_empty());
    let share = (0..5000).filter(|n| !server.follows(&format!("p{n}"))).count();
    assert!((50..=150).contains(&share), "{share} of 5000 do not follow");
}

#[tokio::test]
async fn an_ended_token_is_fetched_again_without_force() {
    let (server, client, clock) = world(Level::None, 1).await;
    client.send(&message(&server, "m1")).await.unwrap();
    clock.forward(TimeDelta::hours(3));
    client.send(&message(&server, "m2")).await.unwrap();
    let tokens = server.house.tokens();
    assert_eq!((tokens.issued, tokens.forced), (2, 0));
}

#[tokio::test]
async fn a_refused_token_is_forced_once_for_all_senders_and_not_again_at_once() {
    let (server, client, _) = world(Level::None, 1).await;
    client.send(&message(&server, "m0")).await.unwrap();
    server.refuse_token();
    let messages: Vec<_> = (1..9).map(|n| message(&server, &format!("m{n}"))).collect();
    let sent = futures::future::join_all(messages.iter().map(|message| client.send(message))).await;
    assert!(sent.iter().all(|sent| matches!(sent, Ok(Outcome::Accepted { .. }))), "{sent:?}");
    {
        let tokens = server.house.tokens();
        assert_eq!((tokens.issued, tokens.forced), (2, 1));
    }
    server.refuse_token();
    let again = client.send(&message(&server, "m9")).await;
    assert!(matches!(again, Err(CallError::NotTaken { .. })), "{again:?}");
    assert_eq!(server.house.tokens().forced, 1);
}

#[tokio::test]
async fn a_wrong_secret_is_for_a_person() {
    let (server, _, _) = world(Level::None, 1).await;
    let config = Config { secret: "wrong".into(), ..server.client_config(Duration::from_secs(20)) };
    let sent = WechatMessages::new(config).unwrap().send(&message(&server, "m1")).await;
    assert!(matches!(&sent, Err(CallError::Broken { detail, .. }) if detail == "errcode 40125"), "{sent:?}");
}

#[tokio::test]
async fn after_any_fault_a_repetition_leaves_one_message() {
    let seed = 21;
    let (server, patient, _) = world(Level::Heavy, seed).await;
    let hasty = WechatMessages::new(server.client_config(Duration::from_millis(700))).unwrap();
    let twin = Faults::new(Level::Heavy, seed);
    let mut wanted: BTreeMap<String, (Fault, String)> = BTreeMap::new();
    for n in 0..4000 {
        let id = format!("m{n}");
        // The second request (of the repetition) is a good one.
        if let Some(fault) = twin.request("wechat template send", &id)
            && twin.request("wechat template send", &id).is_none()
        {
            wanted.entry(format!("{fault:?}")).or_insert((fault, id));
        }
    }
    assert_eq!(wanted.len(), 5);
    // Each client has its token before a fault is drawn.
    for client in [&patient, &hasty] {
        while client.send(&message(&server, "warm")).await.is_err() {}
    }
    for (fault, id) in wanted.into_values() {
        let client = if fault == Fault::Slow { &hasty } else { &patient };
        let before = server.books().await.len();
        let sent = client.send(&message(&server, &id)).await;
        assert!(matches!(sent, Err(CallError::Unknown { .. })), "{fault:?}: {sent:?}");
        assert_eq!(server.books().await.len() - before, usize::from(!fault.prevents()), "{fault:?}");
        assert!(patient.send(&message(&server, &id)).await.is_ok());
        assert_eq!(server.books().await.len() - before, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_was_sent_whatever_went_wrong() {
    // A client without a token asks for one first: all but a good answer means that no message was sent.
    let (server, _, _) = world(Level::Heavy, 22).await;
    let twin = Faults::new(Level::Heavy, 22);
    let mut wrong = 0;
    for n in 0..60 {
        let fault = twin.request("wechat stable_token", APP_ID);
        let timeout = Duration::from_millis(if fault == Some(Fault::Slow) { 700 } else { 20_000 });
        let sent = WechatMessages::new(server.client_config(timeout)).unwrap().token(None).await;
        wrong += usize::from(fault.is_some());
        match fault {
            None => assert!(sent.is_ok()),
            Some(_) => assert!(matches!(sent, Err(CallError::NotTaken { .. })), "{n} {fault:?}"),
        }
    }
    assert!(wrong > 3, "{wrong} of 60 went wrong");
}

#[tokio::test]
async fn r23_one_consent_is_one_subscribe_message() {
    let (server, template, _) = world(Level::None, 1).await;
    let client = WechatMessages::new(server.client_config(Duration::from_secs(20))).unwrap();
    let subscribed = |id: &str| Message { subscribed: true, ..message(&server, id) };
    server.consents(&message(&server, "m").openid, 1);
    assert_eq!(client.send(&subscribed("m1")).await, Ok(Outcome::Accepted { msg_id: "4000000000".to_owned() }));
    assert_eq!(client.send(&subscribed("m2")).await, Ok(Outcome::Unreachable { code: 43101 }));
    assert!(matches!(template.send(&message(&server, "m3")).await, Ok(Outcome::Accepted { .. })));
    let ids: Vec<String> = server.books().await.into_iter().map(|sent| sent.client_msg_id).collect();
    assert_eq!(ids, ["", "m3"]);
}
