//! Our client against this server over real HTTP: every call, every fault, and the notices' way back.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;

use super::*;
use crate::ports::CallError;
use crate::ports::payments::{
    Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, PayType, Payment, Payments as _, RefundRequest,
    RefundSaid, WechatPay,
};
use crate::sandbox::faults::{Fault, Level, PushFault};

const PATIENT: Duration = Duration::from_secs(20);

/// A clock moved by hand.
#[derive(Clone)]
struct Clock(Arc<Mutex<DateTime<Utc>>>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap())))
    }

    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    fn set(&self, at: DateTime<Utc>) {
        *self.0.lock().unwrap() = at;
    }

    fn reader(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

async fn server(clock: &Clock, level: Level, seed: u64) -> PayServer {
    PayServer::start(Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        seed,
        now: clock.reader(),
        faults: Arc::new(Faults::new(level, seed)),
        store: Store::in_memory(),
        slow: Duration::from_secs(30),
        refunds_close: false,
    })
    .await
    .unwrap()
}

fn stands(said: &Result<RefundSaid, CallError>) -> Result<Refund, CallError> {
    said.clone().map(|said| said.refund)
}

fn client(server: &PayServer, notify_base: &str, timeout: Duration) -> WechatPay {
    WechatPay::new(server.client_config(notify_base, timeout)).unwrap()
}

fn order(number: &str, clock: &Clock) -> OrderRequest {
    OrderRequest {
        out_trade_no: number.into(),
        description: "预约挂号费".into(),
        amount_fen: 5000,
        openid: "o1".into(),
        expires_at: clock.now() + TimeDelta::minutes(15),
        pay_type: PayType::SelfPay,
    }
}

fn refund(number: &str, refund_number: &str, amount_fen: i64) -> RefundRequest {
    RefundRequest {
        out_trade_no: number.into(),
        out_refund_no: refund_number.into(),
        amount_fen,
        total_fen: 5000,
        reason: "候补未成功".into(),
    }
}

/// What a receiver of notices saw: each notice, or why it was not believed, with when and the bytes.
type Seen = Arc<Mutex<Vec<(Result<Notice, NoticeError>, NoticeHeaders, Vec<u8>)>>>;

#[derive(Clone)]
struct Receiver {
    pay: Arc<WechatPay>,
    clock: Clock,
    seen: Seen,
    /// So many notices are answered with an error first.
    deaf: Arc<AtomicUsize>,
}

/// Listens for notices; the receiver and a client that asks for notices to come there.
async fn receiver(server: &PayServer, clock: &Clock, deaf: usize) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let receiver = Receiver {
        pay: Arc::new(client(server, &base, PATIENT)),
        clock: clock.clone(),
        seen: Seen::default(),
        deaf: Arc::new(AtomicUsize::new(deaf)),
    };
    let router = axum::Router::new().fallback(receive).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    receiver
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let headers = NoticeHeaders {
        timestamp: text("wechatpay-timestamp"),
        nonce: text("wechatpay-nonce"),
        signature: text("wechatpay-signature"),
        serial: text("wechatpay-serial"),
    };
    let notice = receiver.pay.notice(&headers, &body, receiver.clock.now());
    let believed = notice.is_ok();
    receiver.seen.lock().unwrap().push((notice, headers, body.to_vec()));
    let deaf = receiver.deaf.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |deaf| deaf.checked_sub(1)).is_ok();
    if believed && !deaf { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST }
}

/// Moves the clock from instant to instant until nothing is due any more.
async fn run_out(server: &PayServer, clock: &Clock) {
    while let Some(at) = server.next_at() {
        clock.set(at.max(clock.now()));
        server.run_due(clock.now()).await;
    }
}

#[tokio::test]
async fn an_order_s_life_from_opening_to_the_money_s_way_back() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    server.set_payer("o1", Payer::Pays { after: Duration::from_secs(90) });
    let receiver = receiver(&server, &clock, 0).await;
    let pay = &receiver.pay;

    assert_eq!(pay.order("order1").await, Ok(Payment::Unknown));
    let Ok(Opened::Ready { prepay_id }) = pay.open(&order("order1", &clock)).await else { panic!("not opened") };
    assert_eq!(pay.open(&order("order1", &clock)).await, Ok(Opened::Ready { prepay_id }));
    let dearer = OrderRequest { amount_fen: 1, ..order("order1", &clock) };
    assert_eq!(pay.open(&dearer).await, Ok(Opened::Exists));
    assert_eq!(pay.order("order1").await, Ok(Payment::Open));

    assert_eq!(server.next_at(), Some(clock.now() + TimeDelta::seconds(90)));
    assert_eq!(server.run_due(clock.now()).await, 0);
    clock.set(server.next_at().unwrap());
    assert_eq!(server.run_due(clock.now()).await, 2, "one payment, one notice");
    let Ok(Payment::Paid(paid)) = pay.order("order1").await else { panic!("not paid") };
    assert_eq!((paid.amount_fen, paid.paid_at), (5000, clock.now()));
    assert_eq!(pay.open(&order("order1", &clock)).await, Ok(Opened::Exists));
    assert_eq!(pay.close("order1").await, Ok(()));

    assert_eq!(stands(&pay.refund_status("refund1").await), Ok(Refund::Unknown));
    assert_eq!(stands(&pay.refund(&refund("order1", "refund1", 5000)).await), Ok(Refund::Processing));
    assert_eq!(stands(&pay.refund(&refund("order1", "refund1", 5000)).await), Ok(Refund::Processing));
    let more = pay.refund(&refund("order1", "refund2", 1)).await;
    assert!(matches!(more, Err(CallError::Broken { .. })), "{more:?}");
    let asked_at = clock.now();
    run_out(&server, &clock).await;
    assert!(clock.now() <= asked_at + TimeDelta::minutes(5));
    assert_eq!(stands(&pay.refund_status("refund1").await), Ok(Refund::Success));
    assert!(matches!(pay.order("order1").await, Ok(Payment::Paid(_))));

    let seen: Vec<_> = receiver.seen.lock().unwrap().iter().map(|(notice, ..)| notice.clone().unwrap()).collect();
    assert!(
        matches!(&seen[0], Notice::Paid { out_trade_no, paid: told, .. } if out_trade_no == "order1" && *told == paid)
    );
    assert!(
        matches!(&seen[1], Notice::Refund { out_refund_no, refund: Refund::Success, .. } if out_refund_no == "refund1")
    );
    assert_eq!(seen.len(), 2);
    let books = server.books().await;
    assert_eq!((books.orders.len(), books.refunds.len(), books.notices.len()), (1, 1, 2));
    assert!(books.notices.iter().all(|notice| notice.tries == 1 && !notice.pending));
    assert!(!server.busy().await);
}

#[tokio::test]
async fn a_closed_order_stays_unpaid() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    server.set_payer("o1", Payer::Pays { after: Duration::from_mins(1) });
    let pay = client(&server, "http://127.0.0.1:9", PATIENT);
    pay.open(&order("order1", &clock)).await.unwrap();
    assert_eq!(
        (pay.close("order1").await, pay.close("order1").await, pay.close("unknown").await),
        (Ok(()), Ok(()), Ok(()))
    );
    assert_eq!(pay.order("order1").await, Ok(Payment::Closed));
    assert_eq!(pay.open(&order("order1", &clock)).await, Ok(Opened::Exists));
    assert_eq!(server.next_at(), None);
    assert_eq!(server.pay_now("order1").await, Err(CannotPay::Closed));
}

#[tokio::test]
async fn rules_are_refused_by_name() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    let pay = client(&server, "http://127.0.0.1:9", PATIENT);
    let broken = |result: Result<Opened, CallError>| matches!(result, Err(CallError::Broken { .. }));
    assert!(broken(pay.open(&order("short", &clock)).await));
    assert!(broken(pay.open(&OrderRequest { amount_fen: 0, ..order("order1", &clock) }).await));
    assert!(broken(pay.open(&OrderRequest { openid: String::new(), ..order("order1", &clock) }).await));
    let past = OrderRequest { expires_at: clock.now(), ..order("order1", &clock) };
    assert_eq!(pay.open(&past).await, Ok(Opened::Refused { code: "INVALID_REQUEST".into() }));
    let unpaid = pay.refund(&refund("order1", "r1", 1)).await;
    assert!(matches!(unpaid, Err(CallError::Broken { .. })));
}

#[tokio::test]
async fn strangers_are_refused_and_a_strange_platform_is_not_believed() {
    let clock = Clock::new();
    let (server, other) = (server(&clock, Level::None, 1).await, server(&clock, Level::None, 2).await);
    let (ours, theirs) = (server.client_config("http://x", PATIENT), other.client_config("http://x", PATIENT));
    let stranger = Config { private_key_pem: theirs.private_key_pem, ..ours.clone() };
    let refused = WechatPay::new(stranger).unwrap().order("order1").await;
    assert!(matches!(&refused, Err(CallError::Broken { detail, .. }) if detail == "SIGN_ERROR"), "{refused:?}");

    client(&server, "http://x", PATIENT).open(&order("order1", &clock)).await.unwrap();
    for (serial, _) in &theirs.platform_keys {
        // Their key under their serial, then under ours: a serial that is not known, and a signature that does not fit.
        let pem = theirs.platform_keys[0].1.clone();
        for serial in [serial.clone(), ours.platform_keys[0].0.clone()] {
            let misled = Config { platform_keys: vec![(serial, pem.clone())], ..ours.clone() };
            let answer = WechatPay::new(misled).unwrap().order("order1").await;
            assert!(matches!(&answer, Err(CallError::Unknown { .. })), "{answer:?}");
        }
    }
    assert_ne!(ours.api_v3_key.expose_secret(), theirs.api_v3_key.expose_secret());
}

/// The first numbers whose first request of this call has each fault, and whose first query has none.
fn numbers_by_fault(call: &str, query: &str, seed: u64, prefix: &str) -> BTreeMap<String, (Fault, String)> {
    let twin = Faults::new(Level::Heavy, seed);
    let mut found = BTreeMap::new();
    for n in 0..4000 {
        let number = format!("{prefix}{n}");
        if let Some(fault) = twin.request(call, &number)
            && twin.request(query, &number).is_none()
        {
            found.entry(format!("{fault:?}")).or_insert((fault, number));
        }
    }
    assert_eq!(found.len(), 5, "{found:?}");
    found
}

fn is_unknown<T>(result: &Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Unknown { .. }))
}

#[tokio::test]
async fn after_any_fault_on_opening_a_query_tells_the_truth() {
    let (clock, seed) = (Clock::new(), 11);
    let server = server(&clock, Level::Heavy, seed).await;
    let (patient, hasty) =
        (client(&server, "http://x", PATIENT), client(&server, "http://x", Duration::from_millis(700)));
    for (fault, number) in numbers_by_fault("wechat-pay open", "wechat-pay query", seed, "order").into_values() {
        let pay = if fault == Fault::Slow { &hasty } else { &patient };
        let opened = pay.open(&order(&number, &clock)).await;
        assert!(is_unknown(&opened), "{fault:?}: {opened:?}");
        let truth = if fault.prevents() { Payment::Unknown } else { Payment::Open };
        assert_eq!(patient.order(&number).await, Ok(truth), "{fault:?}");
    }
    assert_eq!(server.next_at(), None, "nobody pays what was never handed out");
}

#[tokio::test]
async fn after_any_fault_on_refunding_a_query_tells_the_truth() {
    let (clock, seed) = (Clock::new(), 12);
    let server = server(&clock, Level::Heavy, seed).await;
    let (patient, hasty) =
        (client(&server, "http://x", PATIENT), client(&server, "http://x", Duration::from_millis(700)));
    server.set_payer("o1", Payer::Never);
    for (fault, number) in
        numbers_by_fault("wechat-pay refund", "wechat-pay refund query", seed, "refund").into_values()
    {
        let order_number = format!("order-{number}");
        // Whatever happens to the opening, repeating it brings the order.
        while patient.open(&order(&order_number, &clock)).await.is_err() {}
        server.pay_now(&order_number).await.unwrap();
        let pay = if fault == Fault::Slow { &hasty } else { &patient };
        let refunded = pay.refund(&refund(&order_number, &number, 5000)).await;
        assert!(is_unknown(&refunded), "{fault:?}: {refunded:?}");
        let truth = if fault.prevents() { Refund::Unknown } else { Refund::Processing };
        assert_eq!(stands(&patient.refund_status(&number).await), Ok(truth), "{fault:?}");
    }
}

#[tokio::test]
async fn a_deaf_receiver_is_told_again_on_schedule() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    server.set_payer("o1", Payer::Never);
    let receiver = receiver(&server, &clock, 3).await;
    receiver.pay.open(&order("order1", &clock)).await.unwrap();
    let paid_at = clock.now();
    server.pay_now("order1").await.unwrap();
    run_out(&server, &clock).await;
    assert_eq!(clock.now(), paid_at + TimeDelta::seconds(15 + 15 + 30));
    let seen = receiver.seen.lock().unwrap();
    let ids: std::collections::BTreeSet<_> = seen
        .iter()
        .map(|(notice, ..)| match notice.clone().unwrap() {
            Notice::Paid { notice_id, .. } | Notice::Refund { notice_id, .. } => notice_id,
        })
        .collect();
    assert_eq!((seen.len(), ids.len()), (4, 1), "four tries of one notice");
}

#[tokio::test]
async fn a_notice_is_believed_once_untouched_and_fresh() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    let receiver = receiver(&server, &clock, 0).await;
    receiver.pay.open(&order("order1", &clock)).await.unwrap();
    server.pay_now("order1").await.unwrap();
    server.run_due(clock.now()).await;
    let (notice, headers, body) = receiver.seen.lock().unwrap()[0].clone();
    assert!(notice.is_ok());
    let pay = &receiver.pay;
    let mut tampered = body.clone();
    tampered[10] ^= 1;
    assert_eq!(pay.notice(&headers, &tampered, clock.now()), Err(NoticeError::Signature));
    let later = clock.now() + TimeDelta::seconds(301);
    assert_eq!(pay.notice(&headers, &body, later), Err(NoticeError::Stale));
    let renamed = NoticeHeaders { serial: "OTHER".into(), ..headers.clone() };
    assert_eq!(pay.notice(&renamed, &body, clock.now()), Err(NoticeError::UnknownKey));
    let restamped = NoticeHeaders { timestamp: later.timestamp().to_string(), ..headers };
    assert_eq!(pay.notice(&restamped, &body, later), Err(NoticeError::Signature));
}

#[tokio::test]
async fn each_way_a_push_goes_wrong() {
    let clock = Clock::new();
    let server = server(&clock, Level::Heavy, 13).await;
    server.set_payer("o1", Payer::Never);
    let receiver = receiver(&server, &clock, 0).await;
    let twin = Faults::new(Level::Heavy, 13);
    let mut wanted: BTreeMap<String, (PushFault, String)> = BTreeMap::new();
    for n in 0..400 {
        let number = format!("pushed{n}");
        if let Some(fault) = twin.push("wechat-pay notice", &number) {
            wanted.entry(format!("{fault:?}")).or_insert((fault, number));
        }
    }
    assert_eq!(wanted.len(), 4);
    for (fault, number) in wanted.into_values() {
        while receiver.pay.open(&order(&number, &clock)).await.is_err() {}
        receiver.seen.lock().unwrap().clear();
        let paid_at = clock.now();
        server.pay_now(&number).await.unwrap();
        run_out(&server, &clock).await;
        let seen = receiver.seen.lock().unwrap();
        let believed = seen.iter().filter(|(notice, ..)| notice.is_ok()).count();
        match fault {
            PushFault::Duplicate => assert_eq!((seen.len(), believed), (2, 2)),
            PushFault::Late => assert!(seen.len() == 1 && clock.now() >= paid_at + TimeDelta::minutes(5)),
            PushFault::Lost => assert!(believed <= 1 && clock.now() > paid_at),
            PushFault::WrongSignature => {
                assert_eq!((seen.len(), believed), (2, 1));
                assert_eq!(seen[0].0, Err(NoticeError::Signature));
            }
            PushFault::WrongAmount | PushFault::WrongMerchant => panic!("nothing is misstated by chance"),
            PushFault::Unknown => panic!("it tells of its own orders alone"),
            PushFault::Old => panic!("nothing is old by chance"),
        }
    }
    assert!(server.books().await.notices.iter().all(|notice| !notice.probe_believed));
}

/// An order is paid, and a part of it on its way back.
async fn refunding(clock: &Clock) -> (PayServer, Receiver) {
    let server = server(clock, Level::None, 1).await;
    server.set_payer("o1", Payer::Never);
    let receiver = receiver(&server, clock, 0).await;
    receiver.pay.open(&order("order1", clock)).await.unwrap();
    server.pay_now("order1").await.unwrap();
    receiver.pay.refund(&refund("order1", "refund1", 5000)).await.unwrap();
    (server, receiver)
}

#[tokio::test]
async fn an_abnormal_refund_is_told_as_such() {
    let clock = Clock::new();
    let (server, receiver) = refunding(&clock).await;
    assert!(server.make_abnormal("refund1").await && !server.make_abnormal("refund1").await);
    run_out(&server, &clock).await;
    assert_eq!(stands(&receiver.pay.refund_status("refund1").await), Ok(Refund::Abnormal));
    let seen = receiver.seen.lock().unwrap();
    let told = seen.iter().any(|(notice, ..)| matches!(notice, Ok(Notice::Refund { refund: Refund::Abnormal, .. })));
    assert!(told);
}

#[tokio::test]
async fn a_closed_refund_is_told_as_such_and_a_new_number_sends_the_money_back() {
    let clock = Clock::new();
    let (server, receiver) = refunding(&clock).await;
    assert!(server.make_closed("refund1").await && !server.make_closed("refund1").await);
    run_out(&server, &clock).await;
    assert_eq!(stands(&receiver.pay.refund_status("refund1").await), Ok(Refund::Closed));
    let told: Vec<_> = receiver.seen.lock().unwrap().iter().map(|(notice, ..)| notice.clone()).collect();
    assert!(told.iter().any(|notice| matches!(notice, Ok(Notice::Refund { refund: Refund::Closed, .. }))));
    // Refunds of one order are a minute apart.
    clock.set(clock.now() + TimeDelta::minutes(2));
    receiver.pay.refund(&refund("order1", "refund2", 5000)).await.unwrap();
    run_out(&server, &clock).await;
    assert_eq!(stands(&receiver.pay.refund_status("refund2").await), Ok(Refund::Success));
}

#[tokio::test]
async fn the_server_ends_with_its_last_clone() {
    let clock = Clock::new();
    let server = server(&clock, Level::None, 1).await;
    let (copy, pay) = (server.clone(), client(&server, "http://x", PATIENT));
    drop(server);
    assert_eq!(pay.order("order1").await, Ok(Payment::Unknown));
    drop(copy);
    // The connection that is kept alive ends too, and then nobody listens.
    while !matches!(pay.order("order1").await, Err(CallError::NotTaken { .. })) {
        tokio::task::yield_now().await;
    }
}
