//! What each fault looks like to the client, and that a query or a repetition tells the truth afterwards.

use super::world::{World, config, identity, place, seed};
use crate::ports::CallError;
use crate::ports::his::{BookRequest, Booking, Config, His, JiankangtongHis, Lock, Order, PaidWith};
use crate::sandbox::faults::{Fault, Faults, Level};

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

async fn heavy() -> World {
    let world = World::with(Level::Heavy, SEED).await;
    world.his.add_schedule(seed("R1", 2)).await.unwrap();
    world
}

fn is_unknown<T>(result: Result<T, CallError>) -> bool {
    matches!(result, Err(CallError::Unknown { .. }))
}

#[tokio::test]
async fn a_faulty_lock_is_unknown_and_its_repetition_tells_the_truth() {
    for fault in KINDS {
        let world = heavy().await;
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

#[tokio::test]
async fn a_faulty_booking_is_unknown_and_a_query_tells_the_truth() {
    for fault in KINDS {
        let world = heavy().await;
        let order_id = unlucky("2007", fault);
        let request = BookRequest {
            order_id: order_id.clone(),
            locked: false,
            place: place(0),
            identity: identity(1),
            paid: None,
        };
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

#[tokio::test]
async fn nobody_there_means_not_taken() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = JiankangtongHis::new(config(url)).unwrap();
    assert!(matches!(client.unlock("L1").await, Err(CallError::NotTaken { .. })));
    assert!(matches!(client.order("W1").await, Err(CallError::NotTaken { .. })));
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
        (503, String::new(), "unknown"),
        (429, String::new(), "not taken"),
        (404, String::new(), "broken"),
        (302, String::new(), "broken"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        let router = axum::Router::new().fallback(move || std::future::ready((status, body.clone())));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let client = JiankangtongHis::new(config(url)).unwrap();
        let seen = match client.cancel("W1", "x").await {
            Err(CallError::Unknown { .. }) => "unknown",
            Err(CallError::NotTaken { .. } | CallError::NotNow { .. }) => "not taken",
            Err(CallError::Broken { .. }) => "broken",
            Ok(_) => "ok",
        };
        assert_eq!(seen, kind, "HTTP {status}");
        server.abort();
    }
}

#[tokio::test]
async fn keys_that_do_not_fit_are_for_a_person() {
    let world = World::open().await;
    let good = config(world.his.url());
    for bad in [
        Config { sign_key: "another".into(), ..good.clone() },
        Config { aes_key: "fedcba9876543210".into(), ..good.clone() },
        Config { user_id: "STRANGER".into(), ..good.clone() },
    ] {
        let client = JiankangtongHis::new(bad).unwrap();
        let error = client.lock("L1", &place(0), 30).await.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
    }
    assert!(JiankangtongHis::new(Config { aes_key: "short".into(), ..good.clone() }).is_err());
    assert!(!format!("{good:?}").contains("2098D32C"), "keys are not shown");
    assert!(world.his.books().await.locks.is_empty());
    let paid = PaidWith { out_trade_no: "T".into(), amount_fen: 1 };
    let error = world.client.refund("110101199003071234", &paid).await.unwrap_err();
    assert!(!error.to_string().contains("110101"), "errors repeat nothing that was sent");
}
