//! The simulated HIS: a server on 127.0.0.1 with books of its own.
//!
//! It speaks all three languages of [`crate::ports::his`] over the same counter, 健康通 v3.3 at `/`, JSON at `/rest` and FHIR at
//! `/fhir`, tells what happens in the one that [`PushTo`] says, and keeps departments' schedules, locks, orders and the history
//! of every freed place. The world around it (other channels' patients, 114, 加号, 停诊) is driven by the methods of
//! [`HisServer`]; what it does by itself (pushes and their repetition) stands in its agenda.

mod acts;
mod at_counter;
mod clock;
mod counter;
mod fhir_door;
mod fhir_papers;
mod json_door;
mod ledger;
mod lists;
mod planted;
mod pushes;
mod records;
mod soap_door;
#[cfg(test)]
mod tests;
mod token_door;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::post;
use axum::serve::ListenerExt;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::sync::Mutex;

pub use at_counter::Act;
pub use planted::Planted;
pub use records::{
    Becomes, BreachRecord, CancelledPlace, Freed, FreedPlace, HisBooks, LockRecord, LockState, OrderRecord, OrderState,
    PaidRecord, PushRecord, PushState, ScheduleRecord, ScheduleSeed, SlotRecord, TakenBy, channel,
};

use self::acts::{freed_by, ordinary_booking};
use self::clock::Clock;
use self::ledger::{Agenda, Ledger};
use self::pushes::Pusher;
use super::Now;
use super::books::Store;
use super::faults::{Faults, Level};
use super::heard::heard;
use crate::ports::his::envelope::Envelope;
use crate::ports::his::{Charset, Credentials, Protocol};
use crate::ports::stamp::Stamper;

/// How a push may take, in real time.
const PUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where pushes go, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushTo {
    /// SOAP, to Houbu's `POST /callbacks/his`.
    Soap(String),
    /// JSON, to Houbu's `POST /callbacks/his/events`.
    Events(String),
}

/// How the server is set up.
pub struct Options {
    /// Where it listens: a loopback address, port 0 for any.
    pub listen: SocketAddr,
    /// Shared with the client and the push reader.
    pub credentials: Credentials,
    /// In what its SOAP is written.
    pub charset: Charset,
    /// The hospital's clock.
    pub time_zone: Tz,
    /// The source of chance.
    pub seed: u64,
    /// The sandbox's clock.
    pub now: Now,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Where the books are kept.
    pub store: Store,
    /// Where pushes go; they wait until it is known.
    pub push_to: Option<PushTo>,
    /// How long a slow answer takes, in real time: longer than the client waits.
    pub slow: Duration,
}

impl Options {
    /// A server in memory, on any port, without faults, in Asia/Shanghai.
    pub fn quiet(credentials: Credentials, now: Now) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials,
            charset: Charset::Utf8,
            time_zone: chrono_tz::Asia::Shanghai,
            seed: 0,
            now,
            faults: Arc::new(Faults::new(Level::None, 0)),
            store: Store::in_memory(),
            push_to: None,
            slow: Duration::from_secs(30),
        }
    }
}

/// What the counter, the pushes and the handles share.
struct Shared {
    credentials: Credentials,
    envelope: Envelope,
    /// In another character set, once it was told to write in that.
    envelope_instead: OnceLock<Envelope>,
    stamper: Stamper,
    time_zone: Tz,
    clock: Clock,
    store: Store,
    slow: Duration,
    pusher: Pusher,
    push_to: std::sync::Mutex<Option<PushTo>>,
    tokens: token_door::Tokens,
    ledger: Mutex<Ledger>,
    agenda: Agenda,
    in_flight: AtomicUsize,
    /// One delivery round at a time.
    delivering: Mutex<()>,
}

impl Shared {
    fn busy(&self) -> Busy<'_> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Busy(self)
    }

    /// Saves what changed. What could not be saved is saved with the next change.
    async fn save(&self, ledger: &mut Ledger) -> anyhow::Result<()> {
        self.store.save(ledger.changed()?).await.context("saving the books of the simulated HIS")?;
        ledger.saved();
        Ok(())
    }

    fn envelope(&self) -> &Envelope {
        self.envelope_instead.get().unwrap_or(&self.envelope)
    }

    fn push_to(&self) -> Option<PushTo> {
        self.push_to.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Work in flight, until dropped.
struct Busy<'a>(&'a Shared);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends the server with its last handle.
struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A handle to the running server. It ends when the last handle is dropped.
#[derive(Clone)]
pub struct HisServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    _serving: Arc<Serving>,
}

/// The books as they are stored, at the sandbox's present `now`; nothing is changed.
pub async fn stored_books(store: &Store, now: DateTime<Utc>) -> anyhow::Result<HisBooks> {
    let mut ledger = Ledger::load(store).await.context("loading the books of the simulated HIS")?;
    ledger.expire(now);
    Ok(ledger.snapshot())
}

impl HisServer {
    /// Loads the books and listens.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        anyhow::ensure!(options.listen.ip().is_loopback(), "the simulated HIS listens on loopback addresses only");
        let ledger = Ledger::load(&options.store).await.context("loading the books of the simulated HIS")?;
        let pusher = Pusher {
            faults: options.faults,
            seed: options.seed,
            time_zone: options.time_zone,
            http: reqwest::Client::builder().timeout(PUSH_TIMEOUT).build()?,
        };
        let shared = Arc::new(Shared {
            envelope: Envelope::new(&options.credentials)?.in_charset(options.charset),
            envelope_instead: OnceLock::new(),
            stamper: Stamper::new(&options.credentials.sign_key),
            credentials: options.credentials,
            time_zone: options.time_zone,
            clock: Clock::new(options.now),
            store: options.store,
            slow: options.slow,
            pusher,
            push_to: std::sync::Mutex::new(options.push_to),
            tokens: token_door::Tokens::default(),
            agenda: ledger.agenda(),
            ledger: Mutex::new(ledger),
            in_flight: AtomicUsize::new(0),
            delivering: Mutex::new(()),
        });
        let listener = tokio::net::TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("the simulated HIS cannot listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/", post(soap_door::answer))
            .route("/rest/{function}", post(json_door::answer))
            .merge(fhir_door::router(&shared).route("/oauth/token", post(token_door::answer)))
            .with_state(shared.clone());
        let router = router.layer(from_fn(|request, next| heard("his", request, next)));
        let listener = listener.tap_io(|stream| {
            // A refusal costs some delay and nothing else.
            let _ = stream.set_nodelay(true);
        });
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the simulated HIS stopped");
            }
        });
        Ok(Self { shared, address, _serving: Arc::new(Serving(serving)) })
    }

    /// The address for [`crate::ports::his::Config`], for a client that speaks 健康通.
    pub fn url(&self) -> String {
        self.url_for(Protocol::Jiankangtong)
    }

    /// The address for a client that speaks this.
    pub fn url_for(&self, protocol: Protocol) -> String {
        let path = match protocol {
            Protocol::Jiankangtong => "",
            Protocol::Rest => "rest",
            Protocol::Fhir => "fhir",
        };
        format!("http://{}/{path}", self.address)
    }

    /// Tells where pushes go from now on, in SOAP.
    pub fn set_push_to(&self, url: String) {
        self.tell(PushTo::Soap(url));
    }

    /// Tells the Houbu at this address from now on, as one that speaks this is told.
    pub fn tell_houbu(&self, base_url: &str, protocol: Protocol) {
        let url = format!("{base_url}{}", protocol.callback());
        self.tell(match protocol {
            Protocol::Jiankangtong => PushTo::Soap(url),
            Protocol::Rest | Protocol::Fhir => PushTo::Events(url),
        });
    }

    fn tell(&self, to: PushTo) {
        *self.shared.push_to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
    }

    /// Opens one schedule; one that is known stays as it is.
    pub async fn add_schedule(&self, seed: ScheduleSeed) -> anyhow::Result<()> {
        self.add_schedules(vec![seed]).await
    }

    /// Opens schedules; known ones stay as they are.
    pub async fn add_schedules(&self, seeds: Vec<ScheduleSeed>) -> anyhow::Result<()> {
        self.change(|ledger, _| seeds.into_iter().for_each(|seed| ledger.add_schedule(seed))).await
    }

    /// Lets patients of a channel book up to `how_many` places; says how many they got.
    pub async fn fill(&self, reg_id: &str, how_many: u32, channel: &str) -> anyhow::Result<u32> {
        self.fill_all(vec![(reg_id.to_owned(), how_many, channel.to_owned())]).await
    }

    /// [`HisServer::fill`] for many schedules at once, saved once: (`REG_ID`, how many, channel).
    pub async fn fill_all(&self, fillings: Vec<(String, u32, String)>) -> anyhow::Result<u32> {
        self.change(|ledger, now| {
            let mut booked = 0;
            for (reg_id, how_many, channel) in &fillings {
                booked += (0..*how_many).take_while(|_| ordinary_booking(ledger, reg_id, channel, now)).count();
            }
            u32::try_from(booked).unwrap_or(u32::MAX)
        })
        .await
    }

    /// The `nth` (modulo their number) ordinary booking of this channel is cancelled by its patient; with `push`, 5007
    /// is queued. None where the channel has no booking in the schedule.
    pub async fn cancel_ordinary(
        &self,
        reg_id: &str,
        nth: u64,
        channel: &str,
        push: bool,
    ) -> anyhow::Result<Option<CancelledPlace>> {
        let pusher = &self.shared.pusher;
        self.change(|ledger, now| {
            let ids = ledger.ordinary(reg_id, channel);
            let count = u64::try_from(ids.len()).ok().filter(|count| *count > 0)?;
            let order_id = ids.get(usize::try_from(nth % count).ok()?)?;
            let (order, _) = ledger.cancel(order_id, freed_by(channel), now)?;
            if push {
                pusher.cancelled(ledger, &order, now);
            }
            Some(CancelledPlace {
                event_id: order.event_id?,
                order_id: order.order_id,
                his_order_id: order.his_order_id,
                channel: order.channel,
                reg_id: order.reg_id,
                slot: order.slot,
                cancelled_at: now,
            })
        })
        .await
    }

    /// A patient of this channel takes the first free place, if there is one (R28).
    pub async fn grab(&self, reg_id: &str, channel: &str) -> anyhow::Result<bool> {
        self.change(|ledger, now| ordinary_booking(ledger, reg_id, channel, now)).await
    }

    /// 加号: more places, all at one time. No push: only a sync sees them (R14). False for an unknown schedule.
    pub async fn add_places(&self, reg_id: &str, places: u32) -> anyhow::Result<bool> {
        self.change(|ledger, now| ledger.add_places(reg_id, places, now)).await
    }

    /// 爽约: the patient of this visit did not come (2015); `None` takes it back.
    pub async fn set_breach(&self, his_order_id: &str, breach: Option<BreachRecord>) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.set_breach(his_order_id, breach)).await
    }

    /// 停诊: cancels what is booked, gives up what is locked, queues 5001. False where nothing was to stop.
    pub async fn stop_schedule(&self, reg_id: &str) -> anyhow::Result<bool> {
        let pusher = &self.shared.pusher;
        self.change(|ledger, now| {
            let stopped = ledger.stop(reg_id, now);
            if let Some(record) = &stopped {
                pusher.stopped(ledger, record, now);
            }
            stopped.is_some()
        })
        .await
    }

    /// 替诊, 改诊: queues 5008, or only a pull sees it. False for an unknown schedule.
    pub async fn change_schedule(&self, reg_id: &str, becomes: &Becomes, push: bool) -> anyhow::Result<bool> {
        let pusher = &self.shared.pusher;
        self.change(|ledger, now| {
            let changed = ledger.become_another(reg_id, becomes);
            if let Some(record) = changed.as_ref().filter(|_| push) {
                pusher.changed(ledger, record, now);
            }
            changed.is_some()
        })
        .await
    }

    /// Visits of a schedule cost so much from now on.
    pub async fn costs(&self, reg_id: &str, fee_fen: i64) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.costs(reg_id, fee_fen)).await
    }

    /// Locks are granted for no more than so many minutes from now on.
    pub async fn grant_at_most(&self, minutes: u32) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.grant_at_most(minutes)).await
    }

    /// 退号 over 2009 until so many days before a visit at the latest, from now on.
    pub async fn cancels_no_later_than(&self, days_before: u64) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.cancels_no_later_than(days_before)).await
    }

    /// An id that a lock was taken under is never free again.
    pub async fn remember_locks(&self) -> anyhow::Result<()> {
        self.change(|ledger, _| ledger.remember_locks()).await
    }

    /// A restart that loses every lock, of which nobody is told; says how many there were.
    pub async fn lose_locks(&self) -> anyhow::Result<usize> {
        self.change(Ledger::lose_locks).await
    }

    /// When the next push is due, if it is known where to.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.shared.push_to()?;
        let first = self.shared.agenda.lock().unwrap_or_else(PoisonError::into_inner).first().map(|(due, _)| *due);
        first.map(|due| due - self.shared.clock.ahead())
    }

    /// Expires locks and sends the pushes that are due at `now`, in order; says how many pushes it sent.
    pub async fn run_due(&self, now: DateTime<Utc>) -> anyhow::Result<usize> {
        let shared = &*self.shared;
        let now = now + shared.clock.ahead();
        let _busy = shared.busy();
        let _round = shared.delivering.lock().await;
        {
            let mut ledger = shared.ledger.lock().await;
            ledger.expire(now);
            shared.save(&mut ledger).await?;
        }
        let Some(to) = shared.push_to() else { return Ok(0) };
        let mut sent = 0;
        loop {
            let due = shared.ledger.lock().await.due_push(now);
            let Some(push) = due else { return Ok(sent) };
            // The books stay open to requests while Houbu is being told: it may well ask back.
            let push = shared.pusher.send(shared, &to, push, now).await;
            let mut ledger = shared.ledger.lock().await;
            ledger.put_push(push);
            shared.save(&mut ledger).await?;
            sent += 1;
        }
    }

    /// True while a request is worked on or pushes are being sent.
    #[allow(clippy::unused_async, reason = "asked like the other servers of the sandbox")]
    pub async fn busy(&self) -> bool {
        self.shared.in_flight.load(Ordering::SeqCst) > 0
    }

    /// A copy of all books as of now.
    pub async fn books(&self) -> HisBooks {
        let mut ledger = self.shared.ledger.lock().await;
        ledger.expire(self.shared.clock.now());
        ledger.snapshot()
    }

    /// One change of the books at the sandbox's present, saved before it is told.
    async fn change<T>(&self, act: impl FnOnce(&mut Ledger, DateTime<Utc>) -> T) -> anyhow::Result<T> {
        let now = self.shared.clock.now();
        let mut ledger = self.shared.ledger.lock().await;
        ledger.expire(now);
        let told = act(&mut ledger, now);
        self.shared.save(&mut ledger).await?;
        Ok(told)
    }
}
