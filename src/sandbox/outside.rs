//! All servers of the outside world with one clock and one store, as demo, serve and tests start them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};

use super::Now;
use super::books::Store;
use super::faults::{Faults, Level};
use super::his::{self, HisServer};
use super::sms::{self, SmsServer};
use super::wechat_messages::{self, MessageServer, MessagesAs};
use super::wechat_pay::{self, PayServer};
use crate::ports::his::{
    Charset, Config as HisConfig, Credentials, DayPart, Functions, HisSchedule, LockedBy, OpenSlot, PaidBy, Protocol,
    ScheduleState, TimeSlot,
};
use crate::ports::payments::{Connection, Provider};

/// How long a client waits for the sandbox, unless it is told otherwise.
pub const CLIENT_TIMEOUT: Duration = Duration::from_millis(200);
/// For how long a HIS that offers v3.3 alone holds a place.
const LOCK_MINUTES: u32 = 10;
/// How late a slow answer comes: later than the client waits.
const SLOW: Duration = Duration::from_millis(280);

/// The sandbox's clock: moved by whoever owns it, or running beside the machine's.
#[derive(Clone)]
pub struct SandboxClock(Arc<Dial>);

struct Dial {
    /// The instant shown, or how far the clock is ahead of the machine's while it runs; µs.
    micros: AtomicI64,
    runs: AtomicBool,
}

impl SandboxClock {
    /// A clock that shows `at` until it is set.
    pub fn at(at: DateTime<Utc>) -> Self {
        Self(Arc::new(Dial { micros: AtomicI64::new(at.timestamp_micros()), runs: AtomicBool::new(false) }))
    }

    /// Moves it; it stands there.
    pub fn set(&self, to: DateTime<Utc>) {
        self.0.runs.store(false, Ordering::SeqCst);
        self.0.micros.store(to.timestamp_micros(), Ordering::SeqCst);
    }

    /// Lets it run, so far ahead of the machine's clock.
    pub fn run(&self, ahead: TimeDelta) {
        self.0.micros.store(ahead.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        self.0.runs.store(true, Ordering::SeqCst);
    }

    /// What it shows.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = self.0.micros.load(Ordering::SeqCst);
        if self.0.runs.load(Ordering::SeqCst) {
            return Utc::now() + TimeDelta::microseconds(micros);
        }
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    fn reader(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// The running servers.
#[derive(Clone)]
pub struct Outside {
    /// The HIS.
    pub his: HisServer,
    /// WeChat Pay.
    pub pay: PayServer,
    /// WeChat messages.
    pub messages: MessageServer,
    /// The SMS gateway.
    pub sms: SmsServer,
    /// What goes wrong with them.
    pub faults: Arc<Faults>,
    /// Their clock.
    pub clock: SandboxClock,
    /// What the HIS is spoken to in.
    protocol: Protocol,
    /// By which functions.
    functions: Functions,
    /// In what its 健康通 is written.
    charset: Charset,
    /// Who takes the money.
    provider: Provider,
    /// By whom patients are told.
    told_by: MessagesAs,
    time_zone: Tz,
}

impl Outside {
    /// Starts all servers on free ports of 127.0.0.1.
    pub async fn start(
        seed: u64,
        level: Level,
        time_zone: Tz,
        store: Store,
        clock: SandboxClock,
    ) -> anyhow::Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let faults = Arc::new(Faults::new(level, seed));
        let his = HisServer::start(his::Options {
            listen,
            credentials: credentials(),
            charset: Charset::Utf8,
            time_zone,
            seed,
            now: clock.reader(),
            faults: Arc::clone(&faults),
            store: store.clone(),
            push_to: None,
            slow: SLOW,
        })
        .await?;
        let pay = PayServer::start(wechat_pay::Options {
            listen,
            seed,
            now: clock.reader(),
            faults: Arc::clone(&faults),
            store: store.clone(),
            slow: SLOW,
            refunds_close: level == Level::Heavy,
        })
        .await?;
        let messages = MessageServer::start(wechat_messages::Options {
            listen,
            seed,
            now: clock.reader(),
            faults: Arc::clone(&faults),
            store: store.clone(),
            slow: SLOW,
        })
        .await?;
        let now = clock.reader();
        let sms = SmsServer::start(sms::Options { listen, seed, now, faults: Arc::clone(&faults), store, slow: SLOW })
            .await?;
        let (protocol, provider, told_by) = (Protocol::default(), Provider::default(), MessagesAs::default());
        let (functions, charset) = (Functions::default(), Charset::default());
        Ok(Self { his, pay, messages, sms, faults, clock, protocol, functions, charset, provider, told_by, time_zone })
    }

    /// The same, with a HIS that is spoken to in this.
    #[must_use]
    pub fn speaking(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The same, with a HIS that offers v3.3 alone, if it is to be `plain`.
    pub async fn plain(self, plain: bool) -> anyhow::Result<Self> {
        if !plain {
            return Ok(self);
        }
        self.his.keeps_to_v33(LOCK_MINUTES).await?;
        let functions = Functions { lock: LockedBy::LockReg { minutes: LOCK_MINUTES }, pay: PaidBy::PayReg };
        Ok(Self { functions, ..self })
    }

    /// The same, with a HIS whose 健康通 is written in this.
    pub fn writing(self, charset: Charset) -> anyhow::Result<Self> {
        if charset == self.charset {
            return Ok(self);
        }
        self.his.writes(charset)?;
        Ok(Self { charset, ..self })
    }

    /// The same, with the money taken by this provider.
    #[must_use]
    pub fn paid_through(self, provider: Provider) -> Self {
        Self { provider, ..self }
    }

    /// How a client is connected with whoever takes the money; one of WeChat Pay's follows a rotation of its keys.
    pub fn pay_connection(&self, base_url: &str, timeout: Duration) -> Connection {
        match self.pay.connection(self.provider, base_url, timeout) {
            Connection::Wechat(mut pay) => {
                pay.platform_certificates = true;
                Connection::Wechat(pay)
            }
            platform @ Connection::Platform(_) => platform,
        }
    }

    /// The same where patients are told by this one.
    #[must_use]
    pub fn telling(self, told_by: MessagesAs) -> Self {
        Self { told_by, ..self }
    }

    /// HIS and the message platform tell the Houbu at this address what happens, from now on.
    pub fn tell_houbu(&self, base_url: &str) {
        self.his.tell_houbu(base_url, self.protocol);
        self.messages.tell_houbu(base_url);
    }

    /// A small department, K01, to look at from outside: two doctors on the seven days after `today`, their mornings with free
    /// places, their afternoons full.
    pub async fn furnish(&self, today: NaiveDate) -> anyhow::Result<()> {
        let mut seeds = Vec::new();
        let mut full = Vec::new();
        for day in today.iter_days().skip(1).take(7) {
            for doctor in 1..=2 {
                for (part, half, begins) in [(DayPart::Morning, 1, 8), (DayPart::Afternoon, 2, 13)] {
                    let seed = seed(day, doctor, (part, half, begins));
                    if part == DayPart::Afternoon {
                        full.push((seed.schedule.reg_id.clone(), u32::MAX, his::channel::WINDOW.to_owned()));
                    }
                    seeds.push(seed);
                }
            }
        }
        self.his.add_schedules(seeds).await?;
        self.his.fill_all(full).await?;
        Ok(())
    }

    /// The configuration of a client that fits the simulated HIS.
    pub fn his_config(&self) -> HisConfig {
        let Credentials { user_id, sign_key, aes_key } = credentials();
        HisConfig {
            protocol: self.protocol,
            url: self.his.url_for(self.protocol),
            hospital_id: "1001".to_owned(),
            user_id,
            sign_key,
            aes_key,
            charset: self.charset,
            channel_id: his::channel::WEBSITE.to_owned(),
            timeout: CLIENT_TIMEOUT,
            time_zone: self.time_zone,
            oauth: None,
            cares_for_locks: false,
            functions: self.functions,
        }
    }

    /// The sections of a houbu.toml that use these servers, with clients that wait for so long. Their keys guard nothing.
    pub fn configuration(&self, base_url: &str, timeout: Duration) -> Result<String, serde_json::Error> {
        let his = self.his_config();
        let text = |value: &str| serde_json::to_string(value);
        let timeout_ms = timeout.as_millis();
        let plain = match self.functions.lock {
            LockedBy::WaitLockReg => String::new(),
            LockedBy::LockReg { minutes } => format!("lock = \"2005\"\nlock_minutes = {minutes}\npay = \"2008\"\n"),
        };
        let charset = match self.charset {
            Charset::Utf8 => String::new(),
            Charset::Gbk => format!("charset = {}\n", text(self.charset.name())?),
        };
        Ok(format!(
            "[his]\nprotocol = {}\nurl = {}\nhospital_id = {}\nuser_id = {}\nsign_key = {}\naes_key = {}\nchannel_id = {}\n\
             {charset}{plain}timeout_ms = {timeout_ms}\n\n{}\ntimeout_ms = {timeout_ms}\n\n\
             {}",
            text(self.protocol.name())?,
            text(&his.url)?,
            text(&his.hospital_id)?,
            text(&his.user_id)?,
            text(his.sign_key.expose_secret())?,
            text(his.aes_key.expose_secret())?,
            text(&his.channel_id)?,
            payments_section(self.pay_connection(base_url, timeout))?,
            self.messages_configuration(timeout)?,
        ))
    }

    /// Those by which patients are told.
    fn messages_configuration(&self, timeout: Duration) -> Result<String, serde_json::Error> {
        let text = |value: &str| serde_json::to_string(value);
        let (timeout_ms, sms) = (timeout.as_millis(), self.sms.client_config(timeout));
        let first = match self.told_by {
            MessagesAs::Wechat => {
                let messages = self.messages.client_config(timeout);
                format!(
                    "[wechat_messages]\nbase_url = {}\napp_id = {}\nsecret = {}\nevent_token = {}",
                    text(&messages.base_url)?,
                    text(&messages.app_id)?,
                    text(messages.secret.expose_secret())?,
                    text(self.messages.event_token().expose_secret())?
                )
            }
            MessagesAs::Platform => {
                let platform = self.messages.platform_config(timeout);
                format!(
                    "[message_platform]\nurl = {}\nkey = {}\nevent_key = {}",
                    text(&platform.url)?,
                    text(platform.key.expose_secret())?,
                    text(self.messages.event_key().expose_secret())?
                )
            }
        };
        let (url, key) = (text(&sms.url)?, text(sms.key.expose_secret())?);
        Ok(format!("{first}\ntimeout_ms = {timeout_ms}\n\n[sms]\nurl = {url}\nkey = {key}\ntimeout_ms = {timeout_ms}"))
    }

    /// When something happens next by itself.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        [self.his.next_at(), self.pay.next_at(), self.messages.next_at()].into_iter().flatten().min()
    }

    /// Lets happen what is due.
    pub async fn run_due(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let (pushed, ..) = tokio::join!(self.his.run_due(now), self.pay.run_due(now), self.messages.run_due(now));
        pushed.map(drop)
    }

    /// True while requests or pushes are in flight.
    pub async fn busy(&self) -> bool {
        self.his.busy().await || self.pay.busy().await
    }
}

/// The section of whoever takes the money, but for `timeout_ms`.
fn payments_section(connection: Connection) -> Result<String, serde_json::Error> {
    let text = |value: &str| serde_json::to_string(value);
    let pay = match connection {
        Connection::Wechat(pay) => pay,
        Connection::Platform(pay) => {
            return Ok(format!(
                "[payment_platform]\nurl = {}\nmerchant_id = {}\nsign_key = {}",
                text(&pay.url)?,
                text(&pay.merchant_id)?,
                text(pay.sign_key.expose_secret())?
            ));
        }
    };
    let keys = pay.platform_keys.iter().map(|(serial, pem)| Ok(format!("{} = {}", text(serial)?, text(pem)?)));
    let keys: Vec<String> = keys.collect::<Result<_, serde_json::Error>>()?;
    Ok(format!(
        "[wechat_pay]\nbase_url = {}\napp_id = {}\nmch_id = {}\nserial_no = {}\nprivate_key_pem = {}\n\
         platform_keys = {{ {} }}\nplatform_certificates = {}\napi_v3_key = {}",
        text(&pay.base_url)?,
        text(&pay.app_id)?,
        text(&pay.mch_id)?,
        text(&pay.serial_no)?,
        text(pay.private_key_pem.expose_secret())?,
        keys.join(", "),
        pay.platform_certificates,
        text(pay.api_v3_key.expose_secret())?,
    ))
}

/// A half-day of four times with two places each.
fn seed(day: NaiveDate, doctor: u32, (part, half, begins): (DayPart, u32, u32)) -> his::ScheduleSeed {
    let time = |nth: u32| NaiveTime::from_hms_opt(begins + nth / 2, nth % 2 * 30, 0).unwrap_or_default();
    his::ScheduleSeed {
        campus_id: "C1".to_owned(),
        schedule: HisSchedule {
            reg_id: format!("{}D{doctor:03}{half}", day.format("%Y%m%d")),
            department_id: "K01".to_owned(),
            doctor_id: format!("D{doctor:03}"),
            doctor_name: format!("医生{doctor}"),
            doctor_title: "主任医师".to_owned(),
            visit_date: day,
            part,
            state: ScheduleState::Open,
            total: 0,
            remaining: 0,
            fee_fen: 5_000,
            timed: true,
        },
        slots: (0..4).map(|nth| OpenSlot { slot: TimeSlot::new(time(nth), time(nth + 1)), remaining: 2 }).collect(),
    }
}

/// The keys that the simulated HIS and its client share. They guard nothing.
fn credentials() -> Credentials {
    Credentials {
        user_id: "HOUBU".to_owned(),
        sign_key: SecretString::from("sandbox-sign-key"),
        aes_key: SecretString::from("sandbox-aes-key!"),
    }
}
