//! Every callback endpoint of a real process is sent thousands of malformed bodies, as the outside and whoever pretends to
//! be it might: none makes it panic, none is answered 500 or "send it again", and none stays in its memory.
//!
//! | file | what it is |
//! |---|---|
//! | `bodies` | good bodies spoiled by seed |
//! | `senders` | who calls back, with their real keys |

pub mod bodies;
mod senders;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use houbu::waitlist::policy::PaymentMode;

use crate::chaos::process::Process;
use crate::clinic::Clinic;
use crate::surface::on;
use senders::{
    AES_KEY, API_V3_KEY, ENDPOINTS, EVENT_TOKEN, Endpoint, PLATFORM_KEY, SERIAL, SIGN_KEY, Senders, Sending,
};

/// Sent to each endpoint.
const BODIES: u64 = 10_000;
/// Sent to each before the memory is looked at: connections, statements and buffers are there then.
const WARM_UP: u64 = 1_500;
/// Sent at one time: an event of a message that nobody knows is waited for a while, and meanwhile others come.
const AT_ONCE: u64 = 64;
/// How much more memory may be in hand at the end. Were what is sent kept, it would be ten times as much.
const GROWTH_BYTES_MAX: u64 = 24 << 20;

/// What an endpoint answered, and how often.
type Answers = BTreeMap<String, u64>;

struct Hammer {
    senders: Senders,
    address: String,
    http: reqwest::Client,
}

impl Hammer {
    async fn send(&self, endpoint: Endpoint, sending: Sending) -> String {
        let Sending { path, headers, body } = sending;
        let mut request = self.http.post(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.expect("every request is answered");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("every answer arrives");
        if endpoint == Endpoint::His && status == 200 {
            let code = text.split_once("<RETURN_CODE>").and_then(|(_, rest)| rest.split_once('<'));
            return format!("code {}", code.map_or("none", |(code, _)| code));
        }
        format!("status {status}")
    }

    /// Bodies `from` up to and without `to`, several at once.
    async fn hammer(&self, endpoint: Endpoint, from: u64, to: u64) -> Answers {
        let next = AtomicU64::new(from);
        let one = || async {
            let mut answers = Answers::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= to {
                    return answers;
                }
                let answer = self.send(endpoint, self.senders.bad(endpoint, n)).await;
                let sends_again = answer.starts_with("status 5") || answer == "code 99" || answer == "code none";
                assert!(!sends_again, "{endpoint:?} answers {answer} to body {n}");
                *answers.entry(answer).or_default() += 1;
            }
        };
        let mut all = Answers::new();
        for (answer, times) in join_all((0..AT_ONCE).map(|_| one())).await.into_iter().flatten() {
            *all.entry(answer).or_default() += times;
        }
        all
    }
}

/// What each endpoint answers where it takes something, and where it believes nothing.
fn takes_and_refuses(endpoint: Endpoint) -> [&'static str; 2] {
    match endpoint {
        Endpoint::His => ["code 0", "code 7"],
        // A signed notice about an order that nobody knows is written down, and answered so.
        Endpoint::Payments | Endpoint::Refunds | Endpoint::PayPlatform => ["status 404", "status 401"],
        Endpoint::Events | Endpoint::HisEvents => ["status 200", "status 401"],
        Endpoint::MessagePlatform => ["status 204", "status 401"],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_bodies_to_every_callback_endpoint() {
    hammered(wechat_pay, &ENDPOINTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_bodies_to_the_callback_endpoint_of_a_payment_platform() {
    hammered(|_| payment_platform(), &[Endpoint::PayPlatform]).await;
}

/// Each of these endpoints of a process whose money is taken so.
async fn hammered(payments: impl Fn(&Senders) -> String, endpoints: &[Endpoint]) {
    let clinic = Clinic::with(1, on(PaymentMode::None)).await;
    let now = houbu::engine::clock::now(&clinic.pool).await.unwrap();
    let senders = Senders::new(now.timestamp());
    let process = Process::of("hammered", "serve", &configuration(&payments(&senders)), &clinic.url(), &[]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let hammer = Arc::new(Hammer { senders, address: process.address(), http });

    for &endpoint in endpoints {
        hammer.hammer(endpoint, 0, WARM_UP).await;
    }
    let before = process.resident_bytes();
    for &endpoint in endpoints {
        let answers = hammer.hammer(endpoint, WARM_UP, WARM_UP + BODIES).await;
        println!("{endpoint:?}: {answers:?}");
        for answer in takes_and_refuses(endpoint) {
            assert!(answers.get(answer).is_some_and(|times| *times >= 100), "{endpoint:?}: {answer} in {answers:?}");
        }
    }
    let after = process.resident_bytes();
    println!("resident: {} KiB before, {} KiB after", before >> 10, after >> 10);
    assert!(after < before + GROWTH_BYTES_MAX, "{} KiB more than {} KiB", (after - before) >> 10, before >> 10);
    // Of what was signed and could not be taken no source has more rows of a day than so many, and one.
    let rows = "select coalesce(max(rows), 0) from (
                    select count(*) as rows from callback where body ? 'why' and fate = 'refused'
                    group by source, (received_at at time zone 'UTC')::date) as days";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&clinic.pool).await.unwrap();
    assert!((1..=51).contains(&rows), "{rows}");
    assert!(process.ended().is_none());
    assert!(!process.log().contains("panicked"), "{}", process.log());

    // It still knows what is right.
    for &endpoint in endpoints {
        let answer = hammer.send(endpoint, hammer.senders.good(endpoint, 900_000)).await;
        assert_eq!(answer, takes_and_refuses(endpoint)[0], "{endpoint:?}");
    }
    process.leaves().await;
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_notice_for_another_merchant_changes_nothing_and_is_written_down_for_staff() {
    let clinic = Clinic::with(1, on(PaymentMode::None)).await;
    let senders = Senders::new(houbu::engine::clock::now(&clinic.pool).await.unwrap().timestamp());
    let process = Process::of("asked", "serve", &configuration(&wechat_pay(&senders)), &clinic.url(), &[]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let hammer = Hammer { senders, address: process.address(), http };
    for _ in 0..2 {
        assert_eq!(hammer.send(Endpoint::Payments, hammer.senders.foreign()).await, "status 400");
    }
    let seen: Vec<(String, String, String, i32)> =
        sqlx::query_as("select kind, subject, fate, times from callback").fetch_all(&clinic.pool).await.unwrap();
    assert_eq!(seen, [("NOT-OURS".to_owned(), "merchant".to_owned(), "refused".to_owned(), 2)]);
    process.leaves().await;
    clinic.close().await;
}

/// The merchant account of these senders.
fn wechat_pay(senders: &Senders) -> String {
    let text = |value: &str| serde_json::to_string(value).unwrap();
    let (private, public) = (text(&senders.private_pem), text(&senders.public_pem));
    format!(
        "[wechat_pay]\nbase_url = \"http://127.0.0.1:9\"\napp_id = \"wxhammer\"\nmch_id = \"1900000009\"\n\
         serial_no = \"OURS\"\nprivate_key_pem = {private}\nplatform_keys = {{ {SERIAL} = {public} }}\n\
         api_v3_key = \"{API_V3_KEY}\"\ntimeout_ms = 1000\n"
    )
}

/// The same merchant at a platform.
fn payment_platform() -> String {
    format!(
        "[payment_platform]\nurl = \"http://127.0.0.1:9\"\nmerchant_id = \"1001\"\nsign_key = \"{PLATFORM_KEY}\"\n\
         timeout_ms = 1000\n"
    )
}

/// Everything real, and nobody there: callbacks alone are worked on.
fn configuration(payments: &str) -> String {
    format!(
        "hospital = \"h001\"\nlisten = \"127.0.0.1:0\"\nschedule_sync = \"0 0 1 1 *\"\nreconciliation = \"\"\n\
         breach_sync = \"\"\n[log]\nfilter = \"error\"\n[sandbox]\nenabled = false\n\
         [keys]\nsealing = \"{}\"\nlookup = \"{}\"\n\
         [[api_keys]]\nname = \"all\"\nkey = \"a-key-that-nobody-uses-here\"\nscopes = [\"runs\"]\n\
         [his]\nurl = \"http://127.0.0.1:9/\"\nhospital_id = \"1001\"\nuser_id = \"HOUBU\"\nsign_key = \"{SIGN_KEY}\"\n\
         aes_key = \"{AES_KEY}\"\nchannel_id = \"4\"\ntimeout_ms = 1000\n{payments}\
         [wechat_messages]\nbase_url = \"http://127.0.0.1:9\"\napp_id = \"wxhammer\"\nsecret = \"x\"\n\
         event_token = \"{EVENT_TOKEN}\"\ntimeout_ms = 1000\n\
         [message_platform]\nurl = \"http://127.0.0.1:9/send\"\nkey = \"x\"\nevent_key = \"{PLATFORM_KEY}\"\n\
         timeout_ms = 1000\n",
        "5a".repeat(32),
        "b7".repeat(32),
    )
}
