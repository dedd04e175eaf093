//! A hospital for one story: its database, a clock moved by hand, the outside world over real HTTP, one worker.
//!
//! | file | what it is |
//! |---|---|
//! | `world` | the schedules, doctors and patients of every story |
//! | `door` | the real router, and what patients, staff and the outside ask there |
//! | `line` | the real client of HIS, with a line that is cut on demand |
//! | `provider` | the real payment client, with refunds that are given up on demand |
//! | `sabotage` | what goes wrong on purpose |
//! | `owing` | what is looked at when a story ends: nothing may be owed |

pub mod door;
mod line;
mod owing;
mod provider;
pub mod sabotage;
pub mod world;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use houbu::demo::{Difference, check_books};
use houbu::desk::Desk;
use houbu::engine::jobs::verbs::{JobVerb, perform};
use houbu::engine::outbox::Outlets;
use houbu::engine::staff::By;
use houbu::engine::store::claim;
use houbu::engine::worker::{self, Worker};
use houbu::engine::{Engine, Registry, RunId, clock};
use houbu::http::addresses::Addresses;
use houbu::http::{EventToken, Surface};
use houbu::ports::his::{
    Charset, Config as HisConfig, Credentials, DayPart, Functions, LockedBy, PaidBy, Protocol, Push, PushReader,
    TimeSlot, connect,
};
use houbu::ports::messages::WechatMessages;
use houbu::ports::messages::sms::{Sms, SmsGateway};
use houbu::ports::messages::unified::MessagePlatform;
use houbu::ports::payments::{Provider as PaidThrough, connect as connect_payments};
use houbu::sandbox::Now;
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::{Faults, Level};
use houbu::sandbox::his::{self, Becomes, HisServer, channel};
use houbu::sandbox::sms::{self, SmsServer};
use houbu::sandbox::wechat_messages::{self, MessageServer};
use houbu::sandbox::wechat_pay::{self, PayServer, Payer};
use houbu::waitlist::cipher::{Keyring, LookupKey};
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use houbu::waitlist::route::Routes;
use houbu::waitlist::working_days::WorkingDays;
use houbu::workflows::notices::{Couriers, LANE, NoticeOutlet, SMS, SmsOutlet, TOPIC};
use houbu::workflows::schedule_sync::ScheduleSync;
use houbu::workflows::slot_release::SlotRelease;
use houbu::workflows::{self, Ports, Ticks};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;

use crate::cluster::Database;
use crate::patience::{wait_at_most, wait_for};
use door::Door;
pub use door::{KEY, Reply};
use line::Line;
pub use provider::GivesUp;
use provider::Provider;
use sabotage::Mishaps;
use world::{DEPARTMENT, HOSPITAL, openid, patient_id, visit_date};

/// An event that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a hospital is set up.
pub struct Setup {
    /// What else the campus has set.
    pub policy: LevelPolicy,
    /// What goes wrong outside.
    pub faults: Level,
    /// The source of chance.
    pub seed: u64,
    /// When schedules are pulled from HIS, once that has begun.
    pub sync_at: &'static str,
    /// How many days ahead.
    pub days_ahead: u16,
    /// Places of each half-hour.
    pub places: u32,
    /// How many patients there are.
    pub patients: u32,
    /// Where pushes may come from.
    pub addresses: Addresses,
    /// Whether HIS renews locks and is asked about them (2014, 2016).
    pub cares_for_locks: bool,
    /// What HIS is spoken to in.
    pub his: Protocol,
    /// Where it offers v3.3 alone: for how many minutes 2005 holds a place.
    pub plain: Option<u32>,
    /// Who takes the money.
    pub pay: PaidThrough,
    /// By which channels notices go.
    pub routes: Routes,
}

impl Setup {
    /// Visits are paid in this way; four patients, two places a half-hour, nothing goes wrong.
    pub fn paying(mode: PaymentMode) -> Self {
        let policy = LevelPolicy { switch: Switch::On, payment_mode: Some(mode), ..LevelPolicy::default() };
        Self {
            policy,
            faults: Level::None,
            seed: 7,
            sync_at: "*/30 * * * *",
            days_ahead: 8,
            places: 2,
            patients: 4,
            addresses: Addresses::default(),
            cares_for_locks: false,
            his: spoken(),
            plain: plain(),
            pay: paid_through(),
            routes: told(),
        }
    }
}

/// What HIS is spoken to in by every story that does not say it: `STORIES_HIS=fhir cargo test stories` tells them all anew.
fn spoken() -> Protocol {
    let named = std::env::var("STORIES_HIS").unwrap_or_default();
    let named = named.trim_end_matches(PLAIN);
    Protocol::ALL.into_iter().find(|it| it.name() == named).unwrap_or_default()
}

const PLAIN: &str = "-plain";

/// `STORIES_HIS=jiankangtong-plain` tells them with a HIS that offers v3.3 alone, and holds a place for an hour: as long as an offer and
/// its grace take. Where locks are cared for, HIS offers more.
fn plain() -> Option<u32> {
    std::env::var("STORIES_HIS").unwrap_or_default().ends_with(PLAIN).then_some(60)
}

/// Who takes the money in every story that does not say it: `STORIES_PAY=platform cargo test stories` tells them all anew.
fn paid_through() -> PaidThrough {
    let named = std::env::var("STORIES_PAY").unwrap_or_default();
    PaidThrough::ALL.into_iter().find(|it| it.name() == named).unwrap_or_default()
}

/// By whom patients are told in every story that does not say it: `STORIES_MESSAGES=platform cargo test stories` tells them all
/// anew.
fn told() -> Routes {
    match std::env::var("STORIES_MESSAGES").as_deref() {
        Ok("platform") => Routes::new(false, true, true),
        _ => Routes::default(),
    }
}

/// A hospital at work.
pub struct Hospital {
    pub db: Database,
    pub his: HisServer,
    pub pay: PayServer,
    pub messages: MessageServer,
    pub sms: SmsServer,
    pub faults: Arc<Faults>,
    pub provider: Arc<Provider>,
    pub line: Arc<Line>,
    pub desk: Arc<Desk>,
    pub mishaps: Arc<Mishaps>,
    engine: Arc<Engine>,
    pub door: Door,
    sandbox_clock: Arc<AtomicI64>,
    /// None where processes of their own work.
    worker: Option<Worker>,
    suspended: usize,
    unended: Unended,
}

impl Hospital {
    /// A hospital where visits are paid in this way.
    pub async fn paying(mode: PaymentMode) -> Self {
        Self::open(Setup::paying(mode)).await
    }

    /// A hospital at [`world::opening`], with everybody in it.
    pub async fn open(setup: Setup) -> Self {
        Self::on(Database::new().await, setup, true).await
    }

    /// The same on a database of its own; without a worker where processes of their own are to work.
    pub async fn on(db: Database, setup: Setup, works: bool) -> Self {
        clock::set(&db.pool, world::opening()).await.unwrap();
        let sandbox_clock = Arc::new(AtomicI64::new(world::opening().timestamp_micros()));
        let now = reader(&sandbox_clock);
        let (listener, address) = door::listen().await;
        let faults = Arc::new(Faults::new(setup.faults, setup.seed));
        let (his, pay, messages, sms) = outside(&setup, &now, &db, &address, &faults).await;
        let plain = setup.plain.filter(|_| !setup.cares_for_locks);
        if let Some(minutes) = plain {
            his.keeps_to_v33(minutes).await.unwrap();
        }
        let timeout = if setup.faults == Level::None { Duration::from_secs(5) } else { Duration::from_millis(250) };
        let client = connect_payments(pay.connection(setup.pay, &address, timeout)).unwrap();
        let provider = Arc::new(Provider::new(client));
        let line = Arc::new(line(&setup, &his, plain, timeout));
        let gateway: Arc<dyn Sms> = Arc::new(SmsGateway::new(sms.client_config(timeout)).unwrap());
        let keyring = Arc::new(Keyring::new(&SecretString::from("5a".repeat(32)), &[]).unwrap());
        let lookup = Arc::new(LookupKey::new(&SecretString::from("b7".repeat(32))).unwrap());
        let ports = Arc::new(Ports {
            lookup: Arc::clone(&lookup),
            schedule_days_ahead: setup.days_ahead,
            hospital: HOSPITAL.to_owned(),
            tz: chrono_tz::Asia::Shanghai,
            working_days: WorkingDays::default(),
            pool: db.pool.clone(),
            keyring: Keyring::new(&SecretString::from("5a".repeat(32)), &[]).unwrap(),
            his: line.clone(),
            payments: provider.clone(),
            template_ids: BTreeMap::new(),
            routes: setup.routes.clone(),
            sms: Some(gateway.clone()),
        });
        world::furnish(&db.pool, &his, setup.places, &setup.policy).await;
        for number in 1..=setup.patients {
            let openid = openid(&messages, number);
            pay.set_payer(&openid, Payer::Pays { after: Duration::from_secs(20) });
            world::put_patient(&db.pool, &keyring, number, number, openid).await;
        }
        let ticks = Ticks { schedule_sync: setup.sync_at, reconciliation: "30 10 * * *", breach_sync: "20 5 * * *" };
        let jobs = workflows::jobs(&ticks, chrono_tz::Asia::Shanghai).unwrap();
        let registry = jobs.into_iter().fold(workflows::registry(&ports), Registry::with_job);
        let engine = Engine::new(db.pool.clone(), HOSPITAL, registry);
        let desk = Arc::new(Desk::new(Arc::clone(&engine), Arc::clone(&ports), lookup));
        let surface = Surface {
            desk: Arc::clone(&desk),
            his_pushes: Arc::new(PushReader::new(&credentials(), "1001", chrono_tz::Asia::Shanghai).unwrap()),
            payments: provider.clone(),
            api_keys: vec![door::api_key()],
            wechat_token: Some(EventToken { token: messages.event_token(), skew: TimeDelta::minutes(5) }),
            platform_key: Some(messages.event_key()),
            addresses: setup.addresses.clone(),
            rates: houbu::desk::access::rates::Rates::default(),
            console: houbu::console::access::Settings::default(),
            live: Arc::default(),
        };
        let door = Door::open(listener, address, surface);
        let mishaps = Arc::new(Mishaps::new(db.pool.clone()));
        let outlet = NoticeOutlet::new(Arc::clone(&ports), couriers(&messages, timeout));
        let sms_outlet = SmsOutlet::new(Arc::clone(&ports), gateway);
        let options = worker::Options {
            poll: Duration::from_millis(5),
            outlets: Outlets::default().with_lane(TOPIC, LANE, Arc::new(outlet)).with_lane(
                SMS,
                SMS,
                Arc::new(sms_outlet),
            ),
            saboteur: Some(mishaps.clone()),
            ..worker::Options::default()
        };
        let worker = if works { Some(worker::start(Arc::clone(&engine), options).await.unwrap()) } else { None };
        if works {
            // Until a story begins it: what nobody pushed stays unknown.
            let by = By { who: "the story".to_owned(), reason: "nothing is pulled yet".to_owned() };
            for job in engine.registry.jobs() {
                perform(&engine, job.name, &by, JobVerb::Pause, None).await.unwrap().unwrap();
            }
        }
        let (suspended, unended) = (0, Unended { ended: false });
        Self {
            db,
            his,
            pay,
            messages,
            sms,
            faults,
            provider,
            line,
            desk,
            mishaps,
            engine,
            door,
            sandbox_clock,
            worker,
            suspended,
            unended,
        }
    }

    // --- what people do ---

    /// The patient of this number joins the queue of a schedule.
    pub async fn apply(&self, schedule: &str, patient: u32) -> RunId {
        let reply = self.door.apply(schedule, &patient_id(patient)).await;
        assert_eq!(reply.status, 201, "patient {patient} at {schedule}: {}", reply.body);
        let entry = reply.body["waitlistId"].as_str().unwrap().parse().unwrap();
        self.mishaps.meet(entry);
        self.until_still().await;
        entry
    }

    /// A patient of the counter cancels; HIS pushes it a second later.
    pub async fn free_a_place(&self, schedule: &str) {
        let freed = self.his.cancel_ordinary(schedule, 0, channel::WINDOW, true).await.unwrap();
        assert!(freed.is_some(), "nobody of the counter is booked at {schedule} any more");
        self.pass_seconds(1).await;
    }

    /// The same, and nobody waits for what comes of it.
    pub async fn free_a_place_and_go_on(&self, schedule: &str) {
        assert!(self.his.cancel_ordinary(schedule, 0, channel::WINDOW, true).await.unwrap().is_some());
        self.set_clocks(self.now() + TimeDelta::seconds(1)).await;
        self.his.run_due(self.now()).await.unwrap();
    }

    /// The hospital stops a schedule (停诊); HIS pushes it a second later.
    pub async fn stop(&self, schedule: &str) {
        assert!(self.his.stop_schedule(schedule).await.unwrap());
        self.pass_seconds(1).await;
    }

    /// The hospital says that this time of the first doctor's morning does not take place.
    pub async fn stops_time(&self, slot: TimeSlot) {
        let push = Push::Stopped {
            event_id: format!("stops-{}", slot.begins),
            department_id: DEPARTMENT.to_owned(),
            doctor_id: "W1".to_owned(),
            visit_date: visit_date(),
            part: Some(DayPart::Morning),
            slot: Some(slot),
            remark: String::new(),
        };
        self.desk.his_push(&push).await.unwrap();
    }

    /// The provider takes money for an order that it has called closed.
    pub async fn is_paid_late(&self, out_trade_no: &str) {
        let (clock, long) = (self.sandbox_clock(), 20 * 60_000_000);
        let shows = clock.load(Ordering::SeqCst);
        clock.store(shows - long, Ordering::SeqCst);
        self.pay.pay_now(out_trade_no).await.unwrap();
        clock.store(shows, Ordering::SeqCst);
    }

    /// Another doctor sees the patients of a schedule, or on another day or half-day; HIS pushes it a second later.
    pub async fn becomes(&self, schedule: &str, becomes: &Becomes) {
        assert!(self.his.change_schedule(schedule, becomes, true).await.unwrap());
        self.pass_seconds(1).await;
    }

    /// The patient answers the question that stands open.
    pub async fn answer(&self, entry: RunId, answer: &str) -> serde_json::Value {
        self.ask(Method::POST, &format!("/v1/waitlist/{entry}/answer"), Some(json!({ "answer": answer }))).await
    }

    /// The patient accepts the locked place.
    pub async fn confirm(&self, entry: RunId) {
        if let Some(refused) = self.tries_to_confirm(entry).await {
            panic!("the confirmation was refused: {} {}", refused.status, refused.body);
        }
    }

    /// The same where the place may be gone, or not locked yet: the refusal, if it was refused.
    pub async fn tries_to_confirm(&self, entry: RunId) -> Option<Reply> {
        let before = self.received(entry, "Confirm").await;
        let asked = self.door.confirm(entry);
        // The answer waits for the payment's parameters; a story goes on as soon as everybody has done what they can.
        let heard = || async { asked.is_finished() || self.received(entry, "Confirm").await > before };
        wait_at_most(PATIENCE, "the confirmation to be heard", heard).await;
        self.until_still().await;
        if !asked.is_finished() {
            return None;
        }
        let reply = asked.await.unwrap();
        (!matches!(reply.status, 200 | 202)).then_some(reply)
    }

    async fn received(&self, run: RunId, signal: &str) -> i64 {
        sqlx::query_scalar("select count(*) from inbox where run_id = $1 and name = $2")
            .bind(run)
            .bind(signal)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The patient declines the offered place.
    pub async fn decline(&self, entry: RunId) {
        self.ask(Method::POST, &format!("/v1/waitlist/{entry}/decline"), None).await;
    }

    /// The patient leaves the queue.
    pub async fn withdraw(&self, entry: RunId) {
        self.ask(Method::DELETE, &format!("/v1/waitlist/{entry}"), None).await;
    }

    /// The patient cancels the booked visit.
    pub async fn cancel_visit(&self, entry: RunId) {
        let shown = self.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
        let visit = shown["appointmentId"].as_str().expect("a booked visit");
        self.ask(Method::DELETE, &format!("/v1/appointments/{visit}"), None).await;
    }

    /// Staff let a suspended run try its step again.
    pub async fn staff_retries(&self, run: RunId) {
        let body = json!({ "reason": "looked at, and it can go on" });
        self.ask(Method::POST, &format!("/v1/runs/{run}/retry"), Some(body)).await;
    }

    /// Staff cancel a run.
    pub async fn staff_cancels(&self, run: RunId) {
        let body = json!({ "reason": "the department has asked for it" });
        self.ask(Method::POST, &format!("/v1/runs/{run}/cancel"), Some(body)).await;
    }

    /// Staff pause a destination, or resume it, and the worker knows.
    pub async fn turns(&self, destination: &str, verb: &str) {
        let why = json!({ "reason": "the system is being moved" });
        self.ask(Method::POST, &format!("/v1/destinations/{destination}/{verb}"), Some(why)).await;
        wait_for("the worker to see the switch", || self.worker_has_seen_the_switch(destination)).await;
    }

    /// A signal to any run.
    pub async fn tell_run(&self, run: RunId, name: &str, payload: serde_json::Value) {
        let body = json!({ "signalId": uuid::Uuid::now_v7(), "payload": payload });
        self.ask(Method::POST, &format!("/v1/runs/{run}/signals/{name}"), Some(body)).await;
    }

    /// A request that is granted, and what follows from it.
    pub async fn ask(&self, method: Method, path: &str, body: Option<serde_json::Value>) -> serde_json::Value {
        let reply = self.door.ask(method, path, body).await;
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.body);
        self.until_still().await;
        reply.body
    }

    /// So many patients of the counter cancel, of which HIS says nothing.
    pub async fn free_silently(&self, schedule: &str, places: u32) {
        for _ in 0..places {
            assert!(self.his.cancel_ordinary(schedule, 0, channel::WINDOW, false).await.unwrap().is_some());
        }
    }

    /// A hint that a place may be free, from the hospital's own site.
    pub async fn hint(&self, schedule: &str) {
        let body = json!({ "eventId": uuid::Uuid::now_v7() });
        self.ask(Method::POST, &format!("/v1/schedules/{schedule}/releases"), Some(body)).await;
    }

    /// A deed for [`Mishaps::just_before`]: somebody of 114 takes the first free place.
    pub fn grab(&self, schedule: &'static str) -> impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static {
        let his = self.his.clone();
        move || async move { assert!(his.grab(schedule, channel::PLATFORM_114).await.unwrap()) }.boxed()
    }

    /// What the patient of this number does with payment orders from now on.
    pub fn payer(&self, patient: u32, payer: Payer) {
        self.pay.set_payer(&openid(&self.messages, patient), payer);
    }

    /// Callbacks of the outside reach nobody from now on.
    pub fn shut_the_door(&self) {
        self.door.shut_to_callbacks();
    }

    /// Two patients come with one document: HIS takes them for one person.
    pub async fn same_person(&self, patient: u32, as_patient: u32) {
        let keyring = Arc::new(Keyring::new(&SecretString::from("5a".repeat(32)), &[]).unwrap());
        let openid = openid(&self.messages, patient);
        world::put_patient(&self.db.pool, &keyring, patient, as_patient, openid).await;
    }

    // --- time ---

    /// What both clocks show.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.sandbox_clock.load(Ordering::SeqCst)).unwrap()
    }

    /// The hospital's day.
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&chrono_tz::Asia::Shanghai).date_naive()
    }

    /// The outside world's clock alone, for a provider whose clock is wrong.
    pub fn sandbox_clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.sandbox_clock)
    }

    pub async fn pass_seconds(&self, seconds: i64) {
        self.pass_until(self.now() + TimeDelta::seconds(seconds)).await;
    }

    pub async fn pass_minutes(&self, minutes: i64) {
        self.pass_until(self.now() + TimeDelta::minutes(minutes)).await;
    }

    /// Moves the clocks to `to`, stopping at every instant at which something is due.
    pub async fn pass_until(&self, to: DateTime<Utc>) {
        loop {
            self.until_still().await;
            let next = self.next_due().await.map_or(to, |next| next.min(to)).max(self.now());
            self.set_clocks(next).await;
            self.his.run_due(next).await.unwrap();
            self.pay.run_due(next).await;
            self.messages.run_due(next).await;
            self.until_still().await;
            if next >= to && self.next_due().await.is_none_or(|due| due > to) {
                return;
            }
        }
    }

    async fn next_due(&self) -> Option<DateTime<Utc>> {
        let mut conn = self.db.pool.acquire().await.unwrap();
        let ours = claim::next_due(&mut conn, HOSPITAL).await.unwrap();
        [ours, self.pay.next_at(), self.his.next_at(), self.messages.next_at()].into_iter().flatten().min()
    }

    async fn set_clocks(&self, at: DateTime<Utc>) {
        self.sandbox_clock.store(at.timestamp_micros(), Ordering::SeqCst);
        clock::set(&self.db.pool, at).await.unwrap();
        self.engine.hint();
    }

    /// The worker leaves: nothing is done any more but by the story.
    pub async fn worker_leaves(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    /// Tells the worker that something may be due, which nobody else would.
    pub fn hint_workers(&self) {
        self.engine.hint();
    }

    /// True where the worker knows what became of a destination.
    pub async fn worker_has_seen_the_switch(&self, destination: &str) -> bool {
        let seen = "select exists (select 1 from destination d join destination_tally t
                                   on t.destination = d.name and t.epoch = d.epoch where d.name = $1)";
        sqlx::query_scalar(seen).bind(destination).fetch_one(&self.db.pool).await.unwrap()
    }

    /// Waits until no turn and no letter is due or in hand, and nobody outside is at work.
    pub async fn until_still(&self) {
        wait_at_most(PATIENCE, "stillness", || async {
            let mut conn = self.db.pool.acquire().await.unwrap();
            let busy = claim::busy(&mut conn, HOSPITAL).await.unwrap();
            drop(conn);
            !busy && !self.his.busy().await && !self.pay.busy().await
        })
        .await;
    }

    // --- what became of it ---

    /// The status that the patient sees.
    pub async fn status(&self, entry: RunId) -> String {
        houbu::records::entries::status(&self.db.pool, HOSPITAL, entry).await.unwrap().unwrap()
    }

    /// Everything that our tables hold, but for what is kept of callers and callbacks themselves.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let tables: Vec<String> = sqlx::query_scalar(
            "select tablename::text from pg_tables where schemaname = 'public'
               and tablename not in ('callback', 'idempotency', 'worker', 'destination_tally', 'tally', 'tally_change',
                                     '_sqlx_migrations')
               and tablename not like 'turn\\_%' order by 1",
        )
        .fetch_all(&self.db.pool)
        .await
        .unwrap();
        let mut held = BTreeMap::new();
        for table in tables {
            let rows = format!("select coalesce(string_agg(t::text, e'\n' order by t::text), '') from \"{table}\" t");
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&self.db.pool).await.unwrap();
            held.insert(table, rows);
        }
        held
    }

    /// What happened to an application, a line a turn: the step, what woke it, what was decided.
    pub async fn steps(&self, entry: RunId) -> Vec<String> {
        let rows: Vec<(String, Option<String>, Option<String>)> =
            sqlx::query_as("select step, woke, outcome from turn where tenant = $1 and run_id = $2 order by seq")
                .bind(HOSPITAL)
                .bind(entry)
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        rows.into_iter()
            .map(|(step, woke, outcome)| {
                let woke = woke.map(|woke| format!(" on {woke}")).unwrap_or_default();
                format!("{step}{woke}: {}", outcome.as_deref().unwrap_or("failed"))
            })
            .collect()
    }

    /// The same for a schedule's hand-out.
    pub async fn release_steps(&self, schedule: &str) -> Vec<String> {
        self.steps(self.run_of_key(SlotRelease::NAME, schedule).await).await
    }

    /// The run of a workflow's key.
    pub async fn run_of_key(&self, workflow: &str, key: &str) -> RunId {
        sqlx::query_scalar("select id from run where tenant = $1 and workflow = $2 and key = $3")
            .bind(HOSPITAL)
            .bind(workflow)
            .bind(key)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The templates of the messages that the patient of this number got, in order.
    pub async fn told(&self, patient: u32) -> Vec<String> {
        let openid = openid(&self.messages, patient);
        let books = self.messages.books().await;
        books.into_iter().filter(|sent| sent.openid == openid).map(|sent| sent.template_id).collect()
    }

    /// The department's schedules are pulled now and from now on, every half hour. Answers the first pull.
    pub async fn start_sync(&self) -> RunId {
        let why = || Some(json!({ "reason": "the story begins it" }));
        self.ask(Method::POST, "/v1/jobs/schedule_sync/resume", why()).await;
        self.pull_now().await
    }

    /// How many pulls were begun.
    pub async fn pulls(&self) -> i64 {
        let pulls = "select count(*) from run where tenant = $1 and workflow = $2";
        sqlx::query_scalar(pulls).bind(HOSPITAL).bind(ScheduleSync::NAME).fetch_one(&self.db.pool).await.unwrap()
    }

    /// A person has the department pulled once.
    pub async fn pull_now(&self) -> RunId {
        let why = json!({ "reason": "somebody asks for it" });
        let started = self.ask(Method::POST, "/v1/jobs/schedule_sync/run", Some(why)).await;
        self.until_still().await;
        started["runIds"][0].as_str().unwrap().parse().unwrap()
    }

    /// A person has the day before reconciled now.
    pub async fn reconcile(&self) -> RunId {
        let why = json!({ "reason": "somebody asks for it" });
        let started = self.ask(Method::POST, "/v1/jobs/reconciliation/run", Some(why)).await;
        self.until_still().await;
        started["runIds"][0].as_str().unwrap().parse().unwrap()
    }

    /// The differences that stand open: kind and subject.
    pub async fn open_cases(&self) -> Vec<(String, String)> {
        let cases = self.ask(Method::GET, "/v1/reconciliation/cases", None).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let items = cases["items"].as_array().unwrap().iter();
        let mut cases: Vec<_> = items.map(|one| (text(&one["kind"]), text(&one["subject"]))).collect();
        cases.sort();
        cases
    }

    /// Our numbers of an application: the visit's and the payment's.
    pub async fn numbers(&self, entry: RunId) -> (String, String) {
        let shown = self.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let trade_no: Option<String> =
            sqlx::query_scalar("select out_trade_no from payment where entry_id = $1 order by 1 desc limit 1")
                .bind(entry)
                .fetch_optional(&self.db.pool)
                .await
                .unwrap();
        (text(&shown["appointmentId"]), trade_no.unwrap_or_default())
    }

    /// The end of a story that put the books into disorder on purpose: only that nobody is at work is looked at.
    pub async fn finish_in_disorder(mut self) {
        self.until_still().await;
        self.unended.ended = true;
        self.door.close();
        self.worker_leaves().await;
        owing::nobody_is_at_work(&self.db.pool).await;
        self.db.remove().await;
    }

    /// The story leaves this many runs to a person.
    pub fn leaves_suspended(&mut self, runs: usize) {
        self.suspended = runs;
    }

    /// The end of a story: nothing is left owing.
    pub async fn finish(mut self) {
        self.until_still().await;
        owing::nothing_is_owed(&self).await;
        let (his, pay, messages) = (&self.his, &self.pay, &self.messages);
        let mut differences = check_books(&self.db.pool, HOSPITAL, his, pay, messages).await.unwrap();
        // What a story leaves for a person is in `owing`, which is stricter.
        differences.retain(|one| !matches!(one, Difference::Suspended { .. }));
        assert!(differences.is_empty(), "the books differ: {differences:#?}");
        self.unended.ended = true;
        self.door.close();
        self.worker_leaves().await;
        owing::nobody_is_at_work(&self.db.pool).await;
        self.db.remove().await;
    }
}

/// Complains where a story forgets to look at its end.
struct Unended {
    ended: bool,
}

impl Drop for Unended {
    fn drop(&mut self) {
        assert!(self.ended || std::thread::panicking(), "a story ended without finish()");
    }
}

fn reader(clock: &Arc<AtomicI64>) -> Now {
    let clock = Arc::clone(clock);
    Arc::new(move || DateTime::from_timestamp_micros(clock.load(Ordering::SeqCst)).unwrap())
}

/// What HIS and we share.
pub fn credentials() -> Credentials {
    Credentials {
        user_id: "HOUBU".to_owned(),
        sign_key: SecretString::from("sandbox-sign-key"),
        aes_key: SecretString::from("sandbox-aes-key!"),
    }
}

/// How we are known at its HIS.
pub fn his_config(url: String, timeout: Duration) -> HisConfig {
    let Credentials { user_id, sign_key, aes_key } = credentials();
    HisConfig {
        protocol: Protocol::Jiankangtong,
        charset: Charset::Utf8,
        url,
        hospital_id: "1001".to_owned(),
        user_id,
        sign_key,
        aes_key,
        channel_id: channel::WEBSITE.to_owned(),
        timeout,
        time_zone: chrono_tz::Asia::Shanghai,
        oauth: None,
        cares_for_locks: false,
        functions: Functions::default(),
    }
}

fn couriers(messages: &MessageServer, timeout: Duration) -> Couriers {
    Couriers {
        wechat: Some(Arc::new(WechatMessages::new(messages.client_config(timeout)).unwrap())),
        platform: Some(Arc::new(MessagePlatform::new(messages.platform_config(timeout)).unwrap())),
    }
}

/// The real client of HIS; one that keeps to v3.3 grants locks of `plain` minutes.
fn line(setup: &Setup, his: &HisServer, plain: Option<u32>, timeout: Duration) -> Line {
    let functions = match plain {
        None => Functions::default(),
        Some(minutes) => Functions { lock: LockedBy::LockReg { minutes }, pay: PaidBy::PayReg },
    };
    let config = HisConfig {
        protocol: setup.his,
        cares_for_locks: setup.cares_for_locks,
        functions,
        ..his_config(his.url_for(setup.his), timeout)
    };
    Line::new(connect(config).unwrap())
}

/// The servers of the outside world. The provider's keys stand in the template, since making them takes a while.
async fn outside(
    setup: &Setup,
    now: &Now,
    db: &Database,
    address: &str,
    faults: &Arc<Faults>,
) -> (HisServer, PayServer, MessageServer, SmsServer) {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let slow = Duration::from_millis(400);
    let his = HisServer::start(his::Options {
        seed: setup.seed,
        faults: Arc::clone(faults),
        slow,
        ..his::Options::quiet(credentials(), Arc::clone(now))
    });
    let pay = PayServer::start(wechat_pay::Options {
        listen,
        seed: setup.seed,
        now: Arc::clone(now),
        faults: Arc::clone(faults),
        store: Store::open(db.pool.clone()).await.unwrap(),
        slow,
        refunds_close: setup.faults == Level::Heavy,
    });
    let messages = MessageServer::start(wechat_messages::Options {
        listen,
        seed: setup.seed,
        now: Arc::clone(now),
        faults: Arc::clone(faults),
        store: Store::in_memory(),
        slow,
    });
    let (now, store) = (Arc::clone(now), Store::in_memory());
    let faults = Arc::clone(faults);
    let sms = SmsServer::start(sms::Options { listen, seed: setup.seed, now, faults, store, slow });
    let (his, pay, messages, sms) = tokio::join!(his, pay, messages, sms);
    let his = his.unwrap();
    let messages = messages.unwrap();
    his.tell_houbu(address, setup.his);
    messages.tell_houbu(address);
    (his, pay.unwrap(), messages, sms.unwrap())
}
