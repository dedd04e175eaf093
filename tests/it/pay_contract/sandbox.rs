//! Both adapters against the sandbox.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use houbu::ports::payments::{
    Bill, BillLine, Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, PayType, Payment, Payments, Provider,
    Refund, RefundMoney, connect,
};
use houbu::ports::stamp;
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::{Fault, Faults, Level, PushFault};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::sandbox::wechat_pay::{Options, PayServer, Payer};

use super::{known, order, refund, stands};

const PATIENT: Duration = Duration::from_secs(20);
const HASTY: Duration = Duration::from_millis(700);

/// What arrived, and what was made of it.
type Seen = Arc<Mutex<Vec<Result<Notice, NoticeError>>>>;

/// A provider, a client of it, and whoever receives its notices.
pub(super) struct World {
    pub(super) provider: Provider,
    pub(super) server: PayServer,
    pub(super) faults: Arc<Faults>,
    clock: Arc<Mutex<DateTime<Utc>>>,
    pub(super) pay: Arc<dyn Payments>,
    hasty: Arc<dyn Payments>,
    seen: Seen,
}

#[derive(Clone)]
struct Receiver {
    provider: Provider,
    pay: Arc<dyn Payments>,
    clock: Arc<Mutex<DateTime<Utc>>>,
    seen: Seen,
}

impl World {
    pub(super) async fn of(provider: Provider) -> Self {
        let clock = Arc::new(Mutex::new("2026-09-01T02:00:00Z".parse().unwrap()));
        let faults = Arc::new(Faults::new(Level::None, 7));
        let reader = Arc::clone(&clock);
        let server = PayServer::start(Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            seed: 7,
            now: Arc::new(move || *reader.lock().unwrap()),
            faults: Arc::clone(&faults),
            store: Store::in_memory(),
            slow: 3 * HASTY,
            refunds_close: false,
        })
        .await
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let client = |timeout| connect(server.connection(provider, &base, timeout)).unwrap();
        let (pay, hasty, seen) = (client(PATIENT), client(HASTY), Seen::default());
        let receiver = Receiver { provider, pay: Arc::clone(&pay), clock: Arc::clone(&clock), seen: Arc::clone(&seen) };
        let router = axum::Router::new().fallback(receive).with_state(receiver);
        tokio::spawn(async move { axum::serve(listener, router).await });
        assert_eq!(pay.provider(), provider);
        server.set_payer("o1", Payer::Never);
        Self { provider, server, faults, clock, pay, hasty, seen }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap()
    }

    pub(super) fn order(&self, number: &str) -> OrderRequest {
        order(number, self.now() + TimeDelta::minutes(15))
    }

    /// The next of these calls goes wrong so.
    pub(super) fn goes_wrong(&self, call: &str, wrong: Wrong) {
        let call = format!("{} {call}", self.provider.source());
        self.faults.switches().on(&call, wrong, Switch::Times(1));
    }

    /// Moves the clock to it.
    pub(super) fn set(&self, at: DateTime<Utc>) {
        *self.clock.lock().unwrap() = at;
    }

    /// From instant to instant until nothing is due any more.
    async fn run_out(&self) {
        while let Some(at) = self.server.next_at() {
            self.set(at.max(self.now()));
            self.server.run_due(self.now()).await;
        }
    }

    /// What arrived since it was asked last.
    fn arrived(&self) -> Vec<Result<Notice, NoticeError>> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub(super) async fn paid(&self, number: &str) {
        assert_eq!(known(&self.pay.open(&self.order(number)).await), "answered");
        self.server.pay_now(number).await.unwrap();
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let named = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let headers = match receiver.provider {
        Provider::Wechat => NoticeHeaders {
            timestamp: named("wechatpay-timestamp"),
            nonce: named("wechatpay-nonce"),
            signature: named("wechatpay-signature"),
            serial: named("wechatpay-serial"),
        },
        Provider::Platform => NoticeHeaders {
            timestamp: named(stamp::TIMESTAMP),
            nonce: named(stamp::NONCE),
            signature: named(stamp::SIGNATURE),
            serial: String::new(),
        },
    };
    let read = receiver.pay.notice(&headers, &body, *receiver.clock.lock().unwrap());
    let status = if read.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
    receiver.seen.lock().unwrap().push(read);
    status
}

async fn an_order_from_opening_to_the_money_s_way_back(provider: Provider) {
    let world = World::of(provider).await;
    let (pay, number) = (&world.pay, "order1");
    assert_eq!(pay.order(number).await, Ok(Payment::Unknown));
    let Ok(Opened::Ready { prepay_id }) = pay.open(&world.order(number)).await else { panic!("not opened") };
    let parameters = pay.client_parameters(&prepay_id, world.now());
    let payable = match provider {
        Provider::Wechat => &parameters["package"],
        Provider::Platform => &parameters["payUrl"],
    };
    assert!(payable.as_str().is_some_and(|it| !it.is_empty()), "{parameters}");
    assert_eq!(pay.open(&world.order(number)).await, Ok(Opened::Ready { prepay_id }), "the same order");
    let dearer = OrderRequest { amount_fen: 5001, ..world.order(number) };
    assert_eq!(pay.open(&dearer).await, Ok(Opened::Exists));
    assert_eq!(pay.order(number).await, Ok(Payment::Open));
    let late = OrderRequest { expires_at: world.now(), ..world.order("order2") };
    assert!(matches!(pay.open(&late).await, Ok(Opened::Refused { .. })), "no time to pay is left");
    // R7: who can take 医保 is told of it.
    let told = world.server.books().await.orders[0].pay_type;
    assert_eq!(told, if provider == Provider::Platform { PayType::Insurance } else { PayType::SelfPay });

    assert_eq!(known(&pay.refund(&refund(number, "early", 1)).await), "for a person", "nothing is paid");
    let paid = world.server.pay_now(number).await.unwrap();
    assert_eq!(pay.order(number).await, Ok(Payment::Paid(paid.clone())));
    assert_eq!((pay.open(&world.order(number)).await, pay.close(number).await), (Ok(Opened::Exists), Ok(())));
    assert_eq!(stands(&pay.refund_status("refund1").await), Ok(Refund::Unknown));
    for _ in 0..2 {
        assert_eq!(
            stands(&pay.refund(&refund(number, "refund1", 5000)).await),
            Ok(Refund::Processing),
            "the same refund"
        );
    }
    assert_eq!(known(&pay.refund(&refund(number, "refund2", 1)).await), "for a person", "nothing is left");
    world.run_out().await;
    assert_eq!(stands(&pay.refund_status("refund1").await), Ok(Refund::Success));
    assert!(matches!(pay.order(number).await, Ok(Payment::Paid(_))));
    let arrived = world.arrived();
    let [Ok(Notice::Paid { out_trade_no, paid: told, .. }), Ok(Notice::Refund { out_refund_no, refund, .. })] =
        &arrived[..]
    else {
        panic!("{arrived:?}")
    };
    assert_eq!((out_trade_no.as_str(), told), (number, &paid));
    assert_eq!((out_refund_no.as_str(), *refund), ("refund1", Refund::Success));
}

#[tokio::test]
async fn r06_r07_r08_an_order_from_opening_to_the_money_s_way_back() {
    for provider in Provider::ALL {
        an_order_from_opening_to_the_money_s_way_back(provider).await;
    }
}

#[tokio::test]
async fn e04_a_closed_order_stays_unpaid() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        let pay = &world.pay;
        pay.open(&world.order("order1")).await.unwrap();
        assert_eq!(
            (pay.close("order1").await, pay.close("order1").await, pay.close("unheard").await),
            (Ok(()), Ok(()), Ok(()))
        );
        assert_eq!(pay.order("order1").await, Ok(Payment::Closed));
        assert_eq!(pay.open(&world.order("order1")).await, Ok(Opened::Exists));
        assert!(world.server.pay_now("order1").await.is_err());
    }
}

#[tokio::test]
async fn e01_after_whatever_goes_wrong_the_outcome_is_unknown_and_a_query_tells_the_truth() {
    let faults =
        [Fault::CutBefore, Fault::CutAfter, Fault::ErrorBefore, Fault::ErrorAfter, Fault::Slow, Fault::Altered];
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        for (nth, fault) in faults.into_iter().enumerate() {
            let (number, refund_no, wrong) = (format!("order{nth}"), format!("refund{nth}"), Wrong::Request(fault));
            let called = if fault == Fault::Slow { &world.hasty } else { &world.pay };
            let case = format!("{provider:?} {fault:?}");

            world.goes_wrong("open", wrong);
            assert_eq!(known(&called.open(&world.order(&number)).await), "unknown", "{case}");
            let truth = if fault.prevents() { Payment::Unknown } else { Payment::Open };
            assert_eq!(world.pay.order(&number).await, Ok(truth), "{case}");

            world.paid(&number).await;
            world.goes_wrong("refund", wrong);
            assert_eq!(known(&called.refund(&refund(&number, &refund_no, 5000)).await), "unknown", "{case}");
            let truth = if fault.prevents() { Refund::Unknown } else { Refund::Processing };
            assert_eq!(stands(&world.pay.refund_status(&refund_no).await), Ok(truth), "{case}");
            assert_eq!(
                stands(&world.pay.refund(&refund(&number, &refund_no, 5000)).await),
                Ok(Refund::Processing),
                "{case}"
            );

            let unpaid = format!("unpaid{nth}");
            world.pay.open(&world.order(&unpaid)).await.unwrap();
            world.goes_wrong("close", wrong);
            assert_eq!(known(&called.close(&unpaid).await), "unknown", "{case}");
            let truth = if fault.prevents() { Payment::Open } else { Payment::Closed };
            assert_eq!(world.pay.order(&unpaid).await, Ok(truth), "{case}");

            world.goes_wrong("query", wrong);
            assert_eq!(known(&called.order(&number).await), "unknown", "{case}");
        }
        assert_eq!(world.server.books().await.refunds.len(), faults.len(), "each refund once");
    }
}

#[tokio::test]
async fn e02_notices_come_late_twice_forged_or_wrong_and_each_is_seen_for_what_it_is() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        let faults = [
            PushFault::Late,
            PushFault::Duplicate,
            PushFault::WrongSignature,
            PushFault::WrongAmount,
            PushFault::WrongMerchant,
            PushFault::Lost,
            PushFault::Old,
        ];
        for (nth, fault) in faults.into_iter().enumerate() {
            let (number, case) = (format!("order{nth}"), format!("{provider:?} {fault:?}"));
            world.goes_wrong("notice", Wrong::Push(fault));
            let paid_at = world.now();
            world.paid(&number).await;
            world.run_out().await;
            let arrived = world.arrived();
            let amounts: Vec<_> = arrived
                .iter()
                .map(|one| {
                    one.as_ref()
                        .map(|notice| match notice {
                            Notice::Paid { paid, .. } => paid.amount_fen,
                            Notice::Refund { .. } => 0,
                        })
                        .map_err(Clone::clone)
                })
                .collect();
            let expected = match fault {
                PushFault::Late => vec![Ok(5000)],
                PushFault::Duplicate => vec![Ok(5000), Ok(5000)],
                PushFault::WrongSignature => vec![Err(NoticeError::Signature), Ok(5000)],
                PushFault::WrongAmount => vec![Ok(5001), Ok(5000)],
                PushFault::WrongMerchant => vec![Err(NoticeError::NotOurs("merchant")), Ok(5000)],
                PushFault::Old => vec![Err(NoticeError::Stale), Ok(5000)],
                PushFault::Lost | PushFault::Unknown => amounts.clone(),
            };
            assert_eq!(amounts, expected, "{case}");
            assert!(fault != PushFault::Late || world.now() >= paid_at + TimeDelta::minutes(5), "{case}");
            assert!(matches!(world.pay.order(&number).await, Ok(Payment::Paid(_))), "{case}");
        }
        assert!(world.server.books().await.notices.iter().all(|notice| !notice.probe_believed));
    }
}

#[tokio::test]
async fn r08_a_refund_that_the_payer_s_account_cannot_take_is_told_as_such() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        world.paid("order1").await;
        assert_eq!(stands(&world.pay.refund(&refund("order1", "refund1", 100)).await), Ok(Refund::Processing));
        assert!(world.server.make_abnormal("refund1").await);
        world.run_out().await;
        assert_eq!(stands(&world.pay.refund_status("refund1").await), Ok(Refund::Abnormal));
        // The payment's own notice was due at the same instant: which of the two comes first is nobody's promise.
        let arrived = world.arrived();
        let told = |one: &Result<_, _>| matches!(one, Ok(Notice::Refund { refund: Refund::Abnormal, .. }));
        assert_eq!(arrived.iter().filter(|one| told(one)).count(), 1, "{arrived:?}");
    }
}

/// What the provider says of a refund's money, in the answer, when it is asked and in its notices.
#[tokio::test]
async fn r08_a_refund_of_another_amount_is_told_as_such_in_its_answer_its_query_and_its_notices() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        let said = |amount_fen| {
            let total_fen = (provider == Provider::Wechat).then_some(5000);
            Some(RefundMoney { out_trade_no: "order1".to_owned(), amount_fen, total_fen })
        };
        world.paid("order1").await;
        world.run_out().await;
        world.arrived();
        world.goes_wrong("refund", Wrong::Request(Fault::AnotherAmount));
        world.goes_wrong("notice", Wrong::Push(PushFault::WrongAmount));
        for _ in 0..2 {
            let answered = world.pay.refund(&refund("order1", "refund1", 100)).await.unwrap();
            assert_eq!((answered.refund, answered.money), (Refund::Processing, said(99)), "{provider:?}");
        }
        assert_eq!(world.pay.refund_status("refund1").await.unwrap().money, said(99), "{provider:?}");
        world.goes_wrong("refund query", Wrong::Request(Fault::AnotherAmount));
        assert_eq!(world.pay.refund_status("refund1").await.unwrap().money, said(100), "{provider:?}: in words only");
        world.run_out().await;
        let told: Vec<_> = world
            .arrived()
            .into_iter()
            .map(|one| match one {
                Ok(Notice::Refund { money, .. }) => Some(money),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [said(100), said(99)], "{provider:?}: first a notice of another amount");
        assert_eq!(world.server.books().await.refunds[0].amount_fen, 99);
    }
}

#[tokio::test]
async fn r36_the_bill_of_a_day_is_complete_and_there_the_next_morning() {
    const MANY: usize = 520;
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        let day = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        for nth in 0..MANY {
            world.paid(&format!("order{nth}")).await;
        }
        world.pay.refund(&refund("order0", "refund0", 100)).await.unwrap();
        world.run_out().await;
        world.set("2026-09-02T01:59:00Z".parse().unwrap());
        assert_eq!(world.pay.bill(day).await, Ok(Bill::NotYet), "it is made at ten in the morning");
        world.set("2026-09-02T02:00:00Z".parse().unwrap());
        let Ok(Bill::Lines(lines)) = world.pay.bill(day).await else { panic!("no bill") };
        assert_eq!(lines.len(), MANY + 1);
        let books = world.server.books().await;
        for order in books.orders {
            let line = BillLine::Paid {
                out_trade_no: order.out_trade_no,
                transaction_id: order.transaction_id.unwrap(),
                amount_fen: 5000,
            };
            assert!(lines.contains(&line), "{line:?}");
        }
        assert!(lines.contains(&BillLine::Refund {
            out_trade_no: "order0".to_owned(),
            out_refund_no: "refund0".to_owned(),
            amount_fen: 100,
            refund: Refund::Success,
        }));
        assert_eq!(world.pay.bill(day.pred_opt().unwrap()).await, Ok(Bill::Lines(Vec::new())), "nothing happened");
        assert_eq!(known(&world.pay.bill(day).await), "answered");
    }
}

#[tokio::test]
async fn a_platform_of_another_key_or_merchant_is_for_a_person_and_never_believed() {
    let world = World::of(Provider::Platform).await;
    world.pay.open(&world.order("order1")).await.unwrap();
    let ours = world.server.platform_config("http://127.0.0.1:9", PATIENT);
    let with = |config| connect(houbu::ports::payments::Connection::Platform(config)).unwrap();
    let other_key =
        houbu::ports::payments::platform::PlatformConfig { sign_key: "another-key-than-theirs".into(), ..ours.clone() };
    assert_eq!(known(&with(other_key).order("order1").await), "for a person");
    let other = houbu::ports::payments::platform::PlatformConfig { merchant_id: "1002".to_owned(), ..ours };
    assert_eq!(known(&with(other).order("order1").await), "for a person");
}
