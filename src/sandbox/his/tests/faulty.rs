//! What each fault looks like to the client, and that a query or a repetition tells the truth afterwards.

use super::world::{World, at, config, identity, place, seed};
use crate::ports::CallError;
use crate::ports::his::{BookRequest, Booking, Config, Holding, Lock, Order, PaidWith, Protocol, SetupError, connect};
use crate::sandbox::catalogue::subject;
use crate::sandbox::faults::{Fault, Faults, Level};
use crate::sandbox::switches::{Switch, Wrong};

const SEED: u64 = 11;
const KINDS: [Fault; 5] = [Fault::CutBefore, Fault::CutAfter, Fault::ErrorBefore, Fault::ErrorAfter, Fault::Slow];

/// An id whose first call of `function` has this fault, while its second call and its first query have none.
fn unlucky(function: &str, fault: Fault) -> String {
    let twin = Faults::new(Level::Heavy, SEED);
    (0..50_000)
        .map(|n| format!("W{n}"))
        .find(|id| {
            twin.request(function, id) == Some(fault)
                && twin.request(function, id).is_none()
                && twin.request("2012", id).is_none()
        })
        .unwrap()
}

async fn heavy(protocol: Protocol) -> World {
    let world = World::with(protocol, Level::Heavy, SEED).await;
    world.his.add_schedule(seed("R1", 2)).await.unwrap();
    world
}

fn booking(order_id: &str) -> BookRequest {
    BookRequest {
        order_id: order_id.into(),
        locked: false,
        place: place(0),
        identity: identity(1),
        paid: None,
        at: at("2026-10-10T01:00:00Z"),
    }
}

fn is_unknown<T>(result: Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Unknown { .. }))
}

in_every_language! {
    async fn a_faulty_lock_is_unknown_and_its_repetition_tells_the_truth(protocol) {
        for fault in KINDS {
            let world = heavy(protocol).await;
            let id = unlucky("2013", fault);
            assert!(is_unknown(world.client.lock(&id, &place(0), 30).await), "{fault:?}");
            let books = world.his.books().await;
            assert_eq!(books.locks.is_empty(), fault.prevents(), "{fault:?}");
            let Lock::Held { until } = world.client.lock(&id, &place(0), 30).await.unwrap() else { panic!("{fault:?}") };
            let books = world.his.books().await;
            assert_eq!((books.locks.len(), books.locks[0].expires_at), (1, until), "{fault:?}");
            assert_eq!(books.schedules[0].schedule.remaining, 3, "{fault:?}: one place, not two");
            assert!(!world.his.busy().await);
        }
    }
}

in_every_language! {
    async fn a_faulty_booking_is_unknown_and_a_query_tells_the_truth(protocol) {
        for fault in KINDS {
            let world = heavy(protocol).await;
            let order_id = unlucky("2007", fault);
            let request = booking(&order_id);
            assert!(is_unknown(world.client.book(&request).await), "{fault:?}");
            let known = world.client.order(&order_id).await.unwrap();
            assert_eq!(known == Order::Unknown, fault.prevents(), "{fault:?}: {known:?}");
            let again = world.client.book(&request).await.unwrap();
            if fault.prevents() {
                assert!(matches!(again, Booking::Booked(_)), "{fault:?}");
            } else {
                assert_eq!(again, Booking::Exists, "{fault:?}");
            }
            assert_eq!(world.his.books().await.orders.len(), 1, "{fault:?}");
        }
    }
}

// What is signed is not believed, and FHIR's line breaks.
in_every_language! {
    async fn an_altered_answer_is_unknown_and_a_query_tells_the_truth(protocol) {
        let world = World::open_in(protocol).await;
        let alters = |call: &str| {
            let altered = Wrong::named(subject(call).unwrap(), "altered").unwrap();
            world.his.faults().switches().on(call, altered, Switch::Times(1));
        };
        alters("2013");
        assert!(is_unknown(world.client.lock("L1", &place(0), 30).await));
        assert!(matches!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Held { .. }));
        alters("2007");
        assert!(is_unknown(world.client.book(&booking("W1")).await));
        alters("2012");
        assert!(is_unknown(world.client.order("W1").await), "a booking that is not believed is no booking");
        assert!(matches!(world.client.order("W1").await.unwrap(), Order::Unpaid(_) | Order::Booked(_)));
        let books = world.his.books().await;
        assert_eq!((books.locks.len(), books.orders.len()), (1, 1));
    }
}

// Its own clock is what it says the end of a lock by; JSON is refused once, and then written in its time.
in_every_language! {
    async fn a_his_whose_clock_is_off_is_understood(protocol) {
        for minutes in [12, -12] {
            let world = World::open_in(protocol).await;
            world.his.is_ahead(minutes);
            let asked = async || world.client.lock("L1", &place(0), 30).await;
            if protocol == Protocol::Rest {
                assert!(matches!(asked().await, Err(CallError::NotTaken { .. })));
            }
            let until = world.clock.now() + chrono::Duration::minutes(30 + i64::from(minutes));
            assert_eq!(asked().await.unwrap(), Lock::Held { until }, "{minutes}");
            world.his.is_ahead(0);
            if protocol == Protocol::Rest {
                assert!(matches!(asked().await, Err(CallError::NotTaken { .. })), "it was set right");
            }
            assert_eq!(world.client.unlock("L1").await, Ok(()));
        }
    }
}

in_every_language! {
    async fn nobody_there_means_not_taken(protocol) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let client = connect(Config { protocol, ..config(url) }).unwrap();
        assert!(matches!(client.unlock("L1").await, Err(CallError::NotTaken { .. })));
        assert!(matches!(client.order("W1").await, Err(CallError::NotTaken { .. })));
    }
}

/// What a cancellation comes to at a server that always answers this.
async fn heard(protocol: Protocol, status: u16, body: String) -> &'static str {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let router = axum::Router::new().fallback(move || std::future::ready((status, body.clone())));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = connect(Config { protocol, ..config(url) }).unwrap();
    let seen = match client.book(&booking("W1")).await {
        Err(CallError::Unknown { .. }) => "unknown",
        Err(CallError::NotTaken { .. } | CallError::NotNow { .. }) => "not taken",
        Err(CallError::Broken { .. }) => "broken",
        Ok(Booking::Taken) => "taken",
        Ok(Booking::Refused { .. }) => "refused",
        Ok(_) => "ok",
    };
    server.abort();
    seen
}

#[tokio::test]
async fn a_reply_that_cannot_be_believed_is_unknown() {
    let soap = |body: &str| format!("<s><b><![CDATA[{body}]]></b></s>");
    let forged = "<ROOT><RETURN_CODE>0</RETURN_CODE><RETURN_MSG>ok</RETURN_MSG><SIGN_TYPE>MD5</SIGN_TYPE>\
                  <SIGN>00</SIGN><RES_ENCRYPTED></RES_ENCRYPTED></ROOT>";
    for (status, body, kind) in [
        (200, soap(forged), "unknown"),
        (200, "busy".to_owned(), "unknown"),
        (200, format!("<!DOCTYPE a>{}", soap(forged)), "unknown"),
    ] {
        assert_eq!(heard(Protocol::Jiankangtong, status, body).await, kind, "HTTP {status}");
    }
    let unsigned = r#"{"code":"0","data":{"hospOrderId":"H1"}}"#;
    let taken = r#"{"code":"200710"}"#;
    let complains = r#"{"code":"7"}"#;
    for (status, body, kind) in
        [(200, unsigned, "unknown"), (200, "busy", "unknown"), (409, taken, "broken"), (401, complains, "broken")]
    {
        assert_eq!(heard(Protocol::Rest, status, body.to_owned()).await, kind, "HTTP {status} {body}");
    }
    let outcome = |kind: &str| {
        format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{kind}"}}]}}"#)
    };
    for (status, body, kind) in [
        (201, "{}".to_owned(), "unknown"),
        (201, r#"{"resourceType":"Appointment","status":"proposed","participant":[]}"#.to_owned(), "unknown"),
        (201, r#"{"resourceType":"Basic"}"#.to_owned(), "unknown"),
        (404, String::new(), "broken"),
        (404, outcome("not-found"), "refused"),
        (409, outcome("conflict"), "taken"),
        (422, outcome("business-rule"), "refused"),
        (412, outcome("multiple-matches"), "broken"),
        (503, outcome("transient"), "not taken"),
    ] {
        assert_eq!(heard(Protocol::Fhir, status, body.clone()).await, kind, "HTTP {status} {body}");
    }
}

in_every_language! {
    async fn a_status_alone_is_believed_only_where_it_cannot_have_been_a_yes(protocol) {
        for (status, kind) in [
            (502, "unknown"), (503, "unknown"), (500, "unknown"), (408, "unknown"), (202, "unknown"),
            (429, "not taken"), (404, "broken"), (302, "broken"), (403, "broken"),
        ] {
            // A SOAP service answers 200 and nothing else: 202 is not its word.
            let kind = if protocol == Protocol::Jiankangtong && status == 202 { "broken" } else { kind };
            assert_eq!(heard(protocol, status, String::new()).await, kind, "HTTP {status}");
        }
    }
}

in_every_language! {
    async fn keys_that_do_not_fit_are_for_a_person(protocol) {
        let world = World::open_in(protocol).await;
        let good = Config { protocol, ..config(world.his.url_for(protocol)) };
        let mut wrong = vec![Config { sign_key: "another".into(), ..good.clone() }];
        if protocol != Protocol::Fhir {
            wrong.push(Config { user_id: "STRANGER".into(), ..good.clone() });
        }
        if protocol == Protocol::Jiankangtong {
            wrong.push(Config { aes_key: "fedcba9876543210".into(), ..good.clone() });
        }
        for bad in wrong {
            let client = connect(bad).unwrap();
            let error = client.lock("L1", &place(0), 30).await.unwrap_err();
            assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
        }
        assert!(!format!("{good:?}").contains("2098D32C"), "keys are not shown");
        assert!(world.his.books().await.locks.is_empty());
        let paid = PaidWith { out_trade_no: "T".into(), amount_fen: 1 };
        let error = world.client.refund("110101199003071234", &paid).await.unwrap_err();
        assert!(!error.to_string().contains("110101"), "errors repeat nothing that was sent");
    }
}

#[test]
fn a_connection_that_cannot_be_is_refused_at_once() {
    let good = config("http://127.0.0.1:9/".into());
    let short = connect(Config { aes_key: "short".into(), ..good.clone() });
    assert!(matches!(short.err(), Some(SetupError::Key(_))));
    for protocol in [Protocol::Rest, Protocol::Fhir] {
        for url in ["", "his.example.org", "ftp://his.example.org"] {
            let nowhere = connect(Config { protocol, url: url.into(), ..good.clone() });
            assert!(matches!(nowhere.err(), Some(SetupError::Address)), "{url}");
        }
    }
}

/// A HIS whose clock is ten minutes ahead of ours: it refuses the first request, and takes the next.
#[tokio::test]
async fn a_clock_that_differs_is_learnt_from_the_refusal() {
    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use chrono::{TimeDelta, Utc};

    use crate::ports::stamp::{Stamp, Stamper, Way};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = async |headers: HeaderMap, raw: Bytes| {
        let stamper = Stamper::new(&config(String::new()).sign_key);
        let (theirs, stamp) = (Utc::now() + TimeDelta::minutes(10), Stamp::read(&headers).unwrap());
        stamper.verify(Way::Call, &stamp, &raw).unwrap();
        let body = if stamp.fresh(theirs).is_ok() { r#"{"code":"0"}"# } else { r#"{"code":"stale"}"# };
        let headers = stamper.sign(Way::Answer, theirs, &stamp.nonce, body.as_bytes()).headers();
        (headers, body)
    };
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let client = connect(Config { protocol: Protocol::Rest, ..config(url) }).unwrap();
    let first = client.unlock("L1").await;
    assert!(matches!(first, Err(CallError::NotTaken { .. })), "{first:?}");
    client.unlock("L1").await.unwrap();
    server.abort();
}

/// `If-None-Exist` knows no status: what FHIR answers with may be over.
#[tokio::test]
async fn a_lock_that_is_over_is_not_held_again_in_fhir() {
    let world = World::open_in(Protocol::Fhir).await;
    world.his.remember_locks().await.unwrap();
    assert!(matches!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Held { .. }));
    world.client.unlock("L1").await.unwrap();
    assert_eq!(world.client.lock("L1", &place(0), 30).await.unwrap(), Lock::Refused { code: "cancelled".into() });
    assert_eq!(world.client.lock_standing("L1").await.unwrap(), Holding::Gone);
}

/// A full place in REST: the code's own, and the six digits beside it.
#[tokio::test]
async fn a_business_code_may_stand_in_the_message() {
    use axum::body::Bytes;
    use axum::http::HeaderMap;

    use crate::ports::stamp::{Stamp, Stamper, Way};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = async |headers: HeaderMap, _: Bytes| {
        let nonce = Stamp::read(&headers).unwrap().nonce;
        let body = r#"{"code":"13","message":"200506 约满"}"#;
        let stamper = Stamper::new(&config(String::new()).sign_key);
        (stamper.sign(Way::Answer, chrono::Utc::now(), &nonce, body.as_bytes()).headers(), body)
    };
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let client = connect(Config { protocol: Protocol::Rest, ..config(url) }).unwrap();
    assert_eq!(client.lock("L1", &place(0), 30).await.unwrap(), Lock::Taken);
    server.abort();
}
