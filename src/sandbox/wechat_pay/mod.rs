//! The simulated WeChat Pay: a real HTTP server with keys, payers, books and an agenda of its own. Beside it, over the same books,
//! a hospital's own payment platform.
//!
//! `counter` answers requests by the rules of `ledger`, `platform_door` does so as a platform, `payers` decide who pays, `notices` carries the news back,
//! `planted` is what stands wrong on purpose, `standing` how an unpaid order may stand, `entries` are what is kept, `certificates` how its keys are handed out, `bill` how a day of it is told, and `keys` what signs it. It never looks into Houbu's tables, and nothing happens in it
//! by itself: whoever moves the clock asks for [`PayServer::next_at`] and calls [`PayServer::run_due`].

mod bill;
mod certificates;
mod counter;
mod entries;
mod keys;
mod ledger;
mod notices;
mod payers;
mod planted;
mod platform_door;
mod standing;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::middleware::from_fn;
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use tokio::net::TcpListener;

pub use entries::{NoticeLine, OrderLine, OrderStanding, PayBooks, RefundLine};
pub use ledger::CannotPay;
pub use payers::Payer;
pub use planted::Planted;
pub use standing::Unpaid;

use super::Now;
use super::books::Store;
use super::faults::Faults;
use super::heard::heard;
use crate::ports::payments::platform::PlatformConfig;
use crate::ports::payments::{Config, Connection, Paid, Provider, Refund};
use keys::{APP_ID, Keys, MCH_ID, MERCHANT_ID, SIGN_KEY};
use ledger::Ledger;
use payers::Payers;

/// How far the timestamp of a notice may be from the receiver's clock.
const NOTICE_SKEW: TimeDelta = TimeDelta::minutes(5);

/// So many notices are on their way at once.
const POSTS_AT_ONCE: usize = 16;

/// How a [`PayServer`] is to be.
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The seed of everything that is chance.
    pub seed: u64,
    /// The time.
    pub now: Now,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Where the books are kept.
    pub store: Store,
    /// How long an answer takes that comes too late (real time); more than the caller waits.
    pub slow: Duration,
    /// One refund in fifty is CLOSED, so that it needs a second number; for heavy faults.
    pub refunds_close: bool,
}

/// The server; a clone is the same server. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct PayServer {
    house: Arc<House>,
    listening: Arc<Listening>,
}

struct Listening {
    at: SocketAddr,
    /// Dropping it ends the server: it takes no more connections and closes those that are idle.
    _open: tokio::sync::oneshot::Sender<()>,
}

struct House {
    now: Now,
    faults: Arc<Faults>,
    store: Store,
    slow: Duration,
    keys: Keys,
    payers: Payers,
    ledger: tokio::sync::Mutex<Ledger>,
    /// The agenda's first instant, readable without waiting for the books.
    next_at: Mutex<Option<DateTime<Utc>>>,
    /// Held while the agenda runs, so that no notice is tried twice at once.
    running: tokio::sync::Mutex<()>,
    busy: Busy,
    http: reqwest::Client,
    listens_at: SocketAddr,
}

/// Counts what is under way.
#[derive(Clone, Default)]
struct Busy(Arc<AtomicUsize>);

struct Entered(Arc<AtomicUsize>);

impl Busy {
    fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::SeqCst);
        Entered(self.0.clone())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl House {
    /// Changes the books and saves what changed before anybody is told. What could not be saved is saved next time.
    async fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> anyhow::Result<T> {
        let mut ledger = self.ledger.lock().await;
        let result = change(&mut ledger);
        *self.next_at.lock().unwrap_or_else(PoisonError::into_inner) = ledger.next_at();
        self.store.save(ledger.unsaved()?).await?;
        ledger.saved();
        Ok(result)
    }
}

/// The books as they are stored; nothing is changed.
pub async fn stored_books(store: &Store) -> anyhow::Result<PayBooks> {
    ledger::stored(store).await
}

impl PayServer {
    /// Loads the books, or begins them, and listens.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { listen, seed, now, faults, store, slow, refunds_close } = options;
        let keys = Keys::load_or_make(&store).await?;
        let mut ledger = Ledger::new(seed, faults.clone(), refunds_close);
        ledger.load(&store).await?;
        let listener = TcpListener::bind(listen).await?;
        let at = listener.local_addr()?;
        let house = Arc::new(House {
            listens_at: at,
            now,
            faults,
            store,
            slow,
            keys,
            payers: Payers::new(seed),
            next_at: Mutex::new(ledger.next_at()),
            ledger: tokio::sync::Mutex::new(ledger),
            running: tokio::sync::Mutex::default(),
            busy: Busy::default(),
            // Notices stay on this machine: a proxy has no part in them.
            http: reqwest::Client::builder()
                .timeout(notices::ANSWER_WITHIN)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()?,
        });
        let router = axum::Router::new().route("/platform/{call}", post(platform_door::answer));
        let router = router.fallback(counter::answer).with_state(house.clone());
        let router = router.layer(from_fn(|request, next| heard("payments", request, next)));
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = closed.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulated WeChat Pay stopped");
            }
        });
        Ok(Self { house, listening: Arc::new(Listening { at, _open: open }) })
    }

    /// Its address, for example `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.at)
    }

    /// The client's configuration that fits this server. Notices go to `notify_base` +
    /// `/callbacks/wechat-pay/payments` and `/callbacks/wechat-pay/refunds`.
    pub fn client_config(&self, notify_base: &str, timeout: Duration) -> Config {
        let (serial_no, private_key_pem, platform_keys, api_v3_key) = self.house.keys.for_merchant();
        let callbacks = format!("{}/callbacks/wechat-pay", notify_base.trim_end_matches('/'));
        Config {
            base_url: self.url(),
            app_id: APP_ID.to_owned(),
            mch_id: MCH_ID.to_owned(),
            serial_no,
            private_key_pem,
            platform_keys,
            platform_certificates: false,
            api_v3_key,
            notify_url_payments: format!("{callbacks}/payments"),
            notify_url_refunds: format!("{callbacks}/refunds"),
            notice_skew: NOTICE_SKEW,
            timeout,
        }
    }

    /// The same for whoever is paid through the platform. Notices go to `notify_base` + `/callbacks/pay-platform`.
    pub fn platform_config(&self, notify_base: &str, timeout: Duration) -> PlatformConfig {
        PlatformConfig {
            url: format!("{}/platform", self.url()),
            merchant_id: MERCHANT_ID.to_owned(),
            sign_key: SIGN_KEY.into(),
            notify_url: format!("{}/callbacks/pay-platform", notify_base.trim_end_matches('/')),
            notice_skew: NOTICE_SKEW,
            timeout,
        }
    }

    /// How the client of this provider is connected with this server.
    pub fn connection(&self, provider: Provider, notify_base: &str, timeout: Duration) -> Connection {
        match provider {
            Provider::Wechat => Connection::Wechat(Box::new(self.client_config(notify_base, timeout))),
            Provider::Platform => Connection::Platform(self.platform_config(notify_base, timeout)),
        }
    }

    /// A second platform key is handed out from now on (`GET /v3/certificates`), beside the first.
    pub fn hand_out_next_key(&self) -> anyhow::Result<()> {
        self.house.keys.hand_out_next()
    }

    /// Answers and notices are signed with the second key from now on.
    pub fn sign_with_next_key(&self) {
        self.house.keys.sign_with_next();
    }

    /// Sets what a payer does with orders opened from now on; those who are not set decide by chance.
    pub fn set_payer(&self, openid: &str, payer: Payer) {
        self.house.payers.set(openid, payer);
    }

    /// The next instant at which somebody pays, a refund is settled or a notice is tried.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        *self.house.next_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets happen all that is due by `now`, notices included, and waits for their answers; how much that was.
    pub async fn run_due(&self, now: DateTime<Utc>) -> usize {
        let house = &self.house;
        let _busy = house.busy.enter();
        let _running = house.running.lock().await;
        let mut ran = 0;
        loop {
            let due = house.change(|ledger| (ledger.run_until(now), ledger.posts_due(now))).await;
            let Some((events, posts)) = saved(due) else { return ran };
            ran += events + posts.len();
            if posts.is_empty() {
                return ran;
            }
            let outcomes: Vec<_> = futures::stream::iter(&posts)
                .map(|post| async {
                    (&post.id, notices::try_once(&house.http, &house.keys, post, (house.now)()).await)
                })
                .buffer_unordered(POSTS_AT_ONCE)
                .collect()
                .await;
            let noted = house.change(|ledger| {
                for (id, outcome) in outcomes {
                    ledger.tried(id, outcome, (house.now)());
                }
            });
            if saved(noted.await).is_none() {
                return ran;
            }
        }
    }

    /// True while a request is being answered or the agenda runs.
    #[allow(clippy::unused_async)] // Asked like the other servers of the sandbox.
    pub async fn busy(&self) -> bool {
        self.house.busy.0.load(Ordering::SeqCst) > 0
    }

    /// The payer pays this order now; the notice is due at once.
    pub async fn pay_now(&self, out_trade_no: &str) -> Result<Paid, CannotPay> {
        let now = (self.house.now)();
        let mut paid = Err(CannotPay::NotFound);
        saved(self.house.change(|ledger| paid = ledger.pay(out_trade_no, now)).await);
        paid
    }

    /// The payer's account cannot take this refund, which is on its way: ABNORMAL, with its notice. False if it is
    /// not on its way.
    pub async fn make_abnormal(&self, out_refund_no: &str) -> bool {
        self.settles(out_refund_no, Refund::Abnormal).await
    }

    /// The merchant had no money for this refund, which is on its way: CLOSED, with its notice. False if it is not on its
    /// way.
    pub async fn make_closed(&self, out_refund_no: &str) -> bool {
        self.settles(out_refund_no, Refund::Closed).await
    }

    async fn settles(&self, out_refund_no: &str, as_: Refund) -> bool {
        let now = (self.house.now)();
        saved(self.house.change(|ledger| ledger.settle(out_refund_no, now, as_)).await).unwrap_or(false)
    }

    /// All orders, refunds and notices.
    pub async fn books(&self) -> PayBooks {
        self.house.ledger.lock().await.books()
    }
}

/// What was changed; nothing, with a word in the log, where it could not be saved.
fn saved<T>(changed: anyhow::Result<T>) -> Option<T> {
    changed.inspect_err(|error| tracing::error!(%error, "the books of the simulated WeChat Pay are not saved")).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
