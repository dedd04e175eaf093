//! The message platform's access token, shared by processes: asked for once, ended by nobody while others send with it, forced
//! as seldom as the platform allows (R23).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use futures::future::join_all;
use houbu::engine::clock;
use houbu::ports::CallError;
use houbu::ports::messages::tokens::{FORCED_A_DAY_MAX, Token, TokenBook};
use houbu::ports::messages::{Message, Messages, Sent, WechatMessages};
use houbu::records::tokens::SharedTokens;
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::{Faults, Level};
use houbu::sandbox::outside::SandboxClock;
use houbu::sandbox::wechat_messages::{MessageServer, Options};
use houbu::waitlist::cipher::Keyring;
use secrecy::ExposeSecret;

use crate::cluster::Database;

const ACCOUNT: &str = "wx1";
const LEASE: Duration = Duration::from_mins(1);

fn book(db: &Database) -> SharedTokens {
    let keyring = Keyring::new(&"5a".repeat(32).into(), &[]).unwrap();
    SharedTokens::new(db.pool.clone(), "h001".to_owned(), keyring)
}

/// The platform, and processes that share a book.
struct World {
    db: Database,
    server: MessageServer,
    sandbox_clock: SandboxClock,
    at: DateTime<Utc>,
}

impl World {
    async fn open() -> Self {
        let at = Utc.with_ymd_and_hms(2026, 3, 2, 1, 0, 0).unwrap();
        let (db, sandbox_clock) = (Database::new().await, SandboxClock::at(at));
        clock::set(&db.pool, at).await.unwrap();
        let reads = sandbox_clock.clone();
        let server = MessageServer::start(Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            seed: 7,
            now: Arc::new(move || reads.now()),
            faults: Arc::new(Faults::new(Level::None, 7)),
            store: Store::in_memory(),
            slow: Duration::from_secs(1),
        })
        .await
        .unwrap();
        Self { db, server, sandbox_clock, at }
    }

    fn process(&self) -> Arc<WechatMessages> {
        let config = self.server.client_config(Duration::from_secs(30));
        Arc::new(WechatMessages::new(config).unwrap().with_book(Arc::new(book(&self.db))))
    }

    async fn pass(&mut self, by: TimeDelta) {
        self.at += by;
        self.sandbox_clock.set(self.at);
        clock::set(&self.db.pool, self.at).await.unwrap();
    }

    /// Every process sends some at once, all of them accepted.
    async fn all_send(&self, processes: &[Arc<WechatMessages>], name: &str) {
        let openid = (0..100).map(|n| format!("o{n}")).find(|openid| self.server.follows(openid)).unwrap();
        let sending = processes.iter().enumerate().flat_map(|(nth, process)| {
            (0..5).map({
                let openid = &openid;
                move |m| {
                    let message = Message {
                        openid: openid.clone(),
                        template_id: "TM1".to_owned(),
                        client_msg_id: format!("{name}-{nth}-{m}"),
                        fields: BTreeMap::from([("thing1".to_owned(), "x".to_owned())]),
                        subscribed: false,
                    };
                    async move { process.send(&message).await }
                }
            })
        });
        for sent in join_all(sending).await {
            assert!(matches!(sent, Ok(Sent::Accepted { .. })), "{sent:?}");
        }
    }

    async fn close(self) {
        self.db.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_all_processes_send_with_one_token_and_it_is_asked_for_once() {
    let world = World::open().await;
    let processes: Vec<_> = (0..4).map(|_| world.process()).collect();
    world.all_send(&processes, "first").await;
    assert_eq!(world.server.tokens_given(), (1, 0));
    // A process that starts later takes it from the book.
    world.all_send(&[world.process()], "late").await;
    assert_eq!(world.server.tokens_given(), (1, 0));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_refused_token_is_refreshed_once_by_one_process_for_all() {
    let mut world = World::open().await;
    let processes: Vec<_> = (0..4).map(|_| world.process()).collect();
    world.all_send(&processes, "first").await;
    world.server.refuse_token();
    world.all_send(&processes, "refused").await;
    assert_eq!(world.server.tokens_given(), (2, 1), "one forced refresh, whoever was refused");
    // Forced again at once it would be too soon: it waits, and nothing is forced.
    world.server.refuse_token();
    let (openid, fields) = ("o1".to_owned(), BTreeMap::new());
    let (template_id, client_msg_id) = ("TM1".to_owned(), "soon".to_owned());
    let message = Message { openid, template_id, client_msg_id, fields, subscribed: false };
    let soon = processes[0].send(&message).await;
    assert!(matches!(soon, Err(CallError::NotTaken { .. })), "{soon:?}");
    assert_eq!(world.server.tokens_given(), (2, 1));
    world.pass(TimeDelta::seconds(31)).await;
    world.all_send(&processes, "later").await;
    assert_eq!(world.server.tokens_given(), (3, 2));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_token_is_asked_for_anew_before_it_ends() {
    let mut world = World::open().await;
    world.all_send(&[world.process()], "first").await;
    // It is good for two hours; nobody begins to send with it in the last five minutes.
    world.pass(TimeDelta::minutes(114)).await;
    world.all_send(&[world.process(), world.process()], "old").await;
    assert_eq!(world.server.tokens_given(), (1, 0));
    world.pass(TimeDelta::minutes(2)).await;
    world.all_send(&[world.process(), world.process()], "new").await;
    assert_eq!(world.server.tokens_given(), (2, 0), "plainly, which leaves the old one valid");
    world.close().await;
}

#[tokio::test]
async fn r23_one_process_at_a_time_asks_and_one_that_died_holds_up_nobody() {
    let db = Database::new().await;
    let (one, other) = (book(&db), book(&db));
    let token = |text: &str| Token { value: text.into(), lasts: Duration::from_mins(10) };
    let dead = one.begin(ACCOUNT, Duration::ZERO).await.unwrap().expect("nobody else asks");
    let right = other.begin(ACCOUNT, LEASE).await.unwrap().expect("the first is dead");
    assert_eq!(one.begin(ACCOUNT, LEASE).await.unwrap(), None, "one at a time");
    other.end(ACCOUNT, right, Some(&token("theirs"))).await.unwrap();
    // The dead one wakes up: what it brings is older than what stands there.
    one.end(ACCOUNT, dead, Some(&token("stale"))).await.unwrap();
    assert!(!one.may_force(ACCOUNT, dead).await.unwrap());
    assert_eq!(one.read(ACCOUNT).await.unwrap().unwrap().value.expose_secret(), "theirs");
    // What failed is given back at once.
    let right = one.begin(ACCOUNT, LEASE).await.unwrap().expect("it was given back");
    one.end(ACCOUNT, right, None).await.unwrap();
    assert!(other.begin(ACCOUNT, LEASE).await.unwrap().is_some());
    assert!(other.read("wx2").await.unwrap().is_none(), "every account has its own");

    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from platform_token").fetch_one(&db.pool).await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("theirs"), "it is a secret at rest too");
    let another_key = Keyring::new(&"77".repeat(32).into(), &[]).unwrap();
    let stranger = SharedTokens::new(db.pool.clone(), "h001".to_owned(), another_key);
    assert!(stranger.read(ACCOUNT).await.unwrap().is_none(), "it is asked for again");
    db.remove().await;
}

#[tokio::test]
async fn r23_all_processes_together_force_no_more_than_the_platform_allows() {
    let db = Database::new().await;
    let mut at = Utc.with_ymd_and_hms(2026, 3, 2, 1, 0, 0).unwrap();
    clock::set(&db.pool, at).await.unwrap();
    let books = [book(&db), book(&db)];
    let right = books[0].begin(ACCOUNT, LEASE).await.unwrap().unwrap();
    for nth in 0..FORCED_A_DAY_MAX {
        let book = &books[nth as usize % 2];
        assert!(book.may_force(ACCOUNT, right).await.unwrap(), "{nth}");
        assert!(!book.may_force(ACCOUNT, right).await.unwrap(), "not within 30 s");
        at += TimeDelta::seconds(30);
        clock::set(&db.pool, at).await.unwrap();
    }
    assert!(!books[1].may_force(ACCOUNT, right).await.unwrap(), "not more than {FORCED_A_DAY_MAX} a day");
    clock::set(&db.pool, at + TimeDelta::days(1)).await.unwrap();
    assert!(books[1].may_force(ACCOUNT, right).await.unwrap());
    db.remove().await;
}
