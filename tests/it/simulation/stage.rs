//! Where a plot is played: a database, a crew, and everybody else who comes to the door. When it has been played, the
//! world is calm, everybody waits for the last deadline, and nothing may be left.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use houbu::engine::housekeeping::sweep;
use houbu::engine::staff::{self, By, Refused, Verb};
use houbu::engine::store::claim;
use houbu::engine::store::unmatched::Sweep;
use houbu::engine::store::{self, Outgoing};
use houbu::engine::{Engine, NewRun, Registry, RunId, To, clock};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::crew::Crew;
use super::harbour::{self, Logbook, bell, leg, mark_after, voyage};
use super::mischief::Mischief;
use super::office::Office;
use super::plot::{Deed, Round, Target, morning};
use super::standstill::Standstill;
use super::world::World;
use crate::cluster::Database;
use crate::patience;

/// Whose runs these are.
pub const TENANT: &str = "harbour";
/// What does not come to rest by then does not come to rest.
const REST_MAX: Duration = Duration::from_mins(2);
/// What has not come to its end after so many instants does not come to it.
const INSTANTS_MAX: u32 = 500;
/// How long a round is waited for.
const MOMENT: Duration = Duration::from_millis(20);

/// A signal that the door has accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    pub to: Target,
    pub id: String,
}

/// A stage.
pub struct Stage {
    pub db: Database,
    pub world: Arc<World>,
    pub mischief: Arc<Mischief>,
    pub sent: Mutex<Vec<Sent>>,
    pub office: Office,
    door: Arc<Engine>,
    standstill: Arc<Standstill>,
    crew: Crew,
}

impl Stage {
    pub async fn new(seed: u64) -> Arc<Self> {
        let db = Database::new().await;
        sqlx::raw_sql(harbour::PLACES).execute(&db.pool).await.unwrap();
        clock::set(&db.pool, morning()).await.unwrap();
        let standstill = Arc::new(Standstill::default());
        let (world, mischief) =
            (World::new(seed, Arc::clone(&standstill)), Mischief::new(seed, Arc::clone(&standstill)));
        let database = (*db.pool.connect_options()).clone();
        // Who comes to the door has connections of the same kind, and they break too.
        let lines = || {
            let lines = database.clone().application_name(Crew::CALLED);
            PgPoolOptions::new().max_connections(8).connect_with(lines)
        };
        let door = Engine::new(lines().await.unwrap(), TENANT, harbour::registry(&world));
        let office = Office::new(Engine::new(lines().await.unwrap(), TENANT, harbour::registry(&world)));
        let crew = Crew::new(database, Arc::clone(&world), Arc::clone(&mischief));
        Arc::new(Self { db, world, mischief, sent: Mutex::default(), office, door, standstill, crew })
    }

    /// Plays all rounds. What a round begins is given time, but the next one does not wait for it for ever.
    pub async fn play(self: &Arc<Self>, rounds: &[Round]) {
        self.crew.hire().await;
        self.crew.hire().await;
        let mut begun = JoinSet::new();
        for round in rounds {
            for deed in &round.deeds {
                let (stage, deed) = (Arc::clone(self), deed.clone());
                begun.spawn(async move { stage.does(&deed).await });
            }
            self.clock_shows(round.clock).await;
            if self.crew.many() == 0 {
                self.crew.hire().await;
            }
            // What has not come to rest by then goes on beside the next round.
            patience::comes(MOMENT, || self.still()).await;
            for sleeper in self.standstill.next_round() {
                self.lease_ends(&sleeper).await;
            }
            while let Some(ended) = begun.try_join_next() {
                ended.unwrap();
            }
        }
        self.world.calms_down();
        self.mischief.calms_down();
        self.standstill.ends();
        while let Some(ended) = begun.join_next().await {
            ended.unwrap();
        }
    }

    /// Lets everything come to its end. Says what does not.
    pub async fn settle(&self) -> Result<(), String> {
        in_time("the workers to stop", self.crew.leave()).await?;
        self.nobody_holds_anything().await;
        self.crew.hire().await;
        self.crew.hire().await;
        for _ in 0..INSTANTS_MAX {
            sweep(&self.door, Sweep::All).await.unwrap();
            self.crew.look();
            if !patience::comes(REST_MAX, || self.still()).await {
                return Err("waited in vain for stillness".to_owned());
            }
            // Whoever was helped moves again, maybe to what was due before now.
            if self.people_help().await? {
                continue;
            }
            let mut conn = self.db.pool.acquire().await.unwrap();
            match claim::next_due(&mut conn, TENANT).await.unwrap() {
                Some(next) => self.clock_shows(mark_after(next, 1)).await,
                None => return in_time("the workers to stop", self.crew.leave()).await,
            }
        }
        Err(format!("there is something to do at {INSTANTS_MAX} instants and more"))
    }

    async fn does(&self, deed: &Deed) {
        match deed {
            Deed::Start { workflow, name, id, until } => {
                until_done(|| async {
                    let new = new_run(workflow, name, *id, *until);
                    let mut tx = self.door.pool.begin().await?;
                    store::start(&mut tx, TENANT, new).await?;
                    tx.commit().await
                })
                .await;
            }
            Deed::Signal { to, name, id } => {
                self.signals(to, name, id).await;
                self.sent.lock().unwrap().push(Sent { to: to.clone(), id: id.clone() });
            }
            Deed::Asks { whose, asked, id } => {
                if let Some(sent) = self.office.does(&self.db.pool, whose, asked, id).await {
                    self.sent.lock().unwrap().push(sent);
                }
            }
            Deed::Hire => self.crew.hire().await,
            Deed::Dismiss { which } => self.crew.dismiss(*which),
            Deed::Kill { which } => {
                if let Some(name) = self.crew.kill(*which) {
                    self.lease_ends(&name).await;
                }
            }
            Deed::EndLease { which } => {
                if let Some(name) = self.crew.name(*which) {
                    self.lease_ends(&name).await;
                }
            }
            Deed::CutLines { which, how_many } => self.cut_lines(*which, *how_many).await,
            Deed::ClaimAndDie { how_many } => {
                let known = self.door.registry.known_steps();
                // Nobody knows this worker: it has no lease.
                let _ = claim::claim(&self.db.pool, TENANT, Uuid::now_v7(), &known, *how_many).await.unwrap();
            }
        }
    }

    /// Sends a signal until the door says that it is there, as any client does.
    async fn signals(&self, to: &Target, name: &'static str, id: &str) {
        let address = match to {
            Target::Key { workflow, name } => To::Key { workflow, key: name.clone() },
            Target::Run { .. } => To::Run(to.id()),
        };
        let payload = serde_json::json!({ "id": id });
        let signal = Outgoing { to: address, name: name.into(), id: id.to_owned(), payload };
        until_done(|| async {
            let mut tx = self.door.pool.begin().await?;
            store::signal(&mut tx, TENANT, &signal).await?;
            tx.commit().await
        })
        .await;
    }

    /// A worker is thought dead: in one transaction, so that no heartbeat comes between.
    async fn lease_ends(&self, worker: &str) {
        let mut tx = self.db.pool.begin().await.unwrap();
        sqlx::query("update worker set lease_until = clock_timestamp() - interval '1 second' where name = $1")
            .bind(worker)
            .execute(&mut *tx)
            .await
            .unwrap();
        claim::reap(&mut tx, TENANT).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// After everybody has left, what the dead held is taken over.
    async fn nobody_holds_anything(&self) {
        let mut tx = self.db.pool.begin().await.unwrap();
        sqlx::query("update worker set lease_until = clock_timestamp() - interval '1 second'")
            .execute(&mut *tx)
            .await
            .unwrap();
        claim::reap(&mut tx, TENANT).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn cut_lines(&self, which: u64, how_many: i64) {
        sqlx::query(
            "select pg_terminate_backend(pid) from
                 (select pid from pg_stat_activity where datname = current_database() and application_name = $1
                  order by md5(pid::text || $2) limit $3) line",
        )
        .bind(Crew::CALLED)
        .bind(which.to_string())
        .bind(how_many)
        .execute(&self.db.pool)
        .await
        .unwrap();
    }

    async fn clock_shows(&self, at: DateTime<Utc>) {
        clock::set(&self.db.pool, at).await.unwrap();
        self.crew.look();
    }

    /// True where no turn and no letter is due or in hand.
    async fn still(&self) -> bool {
        let mut conn = self.db.pool.acquire().await.unwrap();
        !claim::busy(&mut conn, TENANT).await.unwrap()
    }

    /// People let go on what was left to them. True where there was anything.
    async fn people_help(&self) -> Result<bool, String> {
        let suspended: Vec<RunId> = sqlx::query_scalar("select id from run where tenant = $1 and status = 'suspended'")
            .bind(TENANT)
            .fetch_all(&self.db.pool)
            .await
            .unwrap();
        let by = By { who: "somebody".to_owned(), reason: "the world is calm".to_owned() };
        for run in &suspended {
            let retried = staff::perform(&self.door, *run, &by, &Verb::Retry).await.unwrap();
            let helped = match retried {
                Err(Refused::SuspendedByStaff) => staff::perform(&self.door, *run, &by, &Verb::Resume).await.unwrap(),
                came => came,
            };
            helped.map_err(|refused| format!("{run} is suspended and nobody can help it: {refused}"))?;
        }
        Ok(!suspended.is_empty())
    }

    /// What every connection does, and who keeps it from that.
    pub async fn who_waits(&self) -> String {
        let lines = sqlx::query_scalar::<_, String>(
            "select format('%s %s for %s, %s, kept by %s: %s', pid, state, clock_timestamp() - state_change,
                           coalesce(wait_event, 'no wait'), pg_blocking_pids(pid), left(query, 300))
             from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by state_change",
        );
        lines.fetch_all(&self.db.pool).await.map_or_else(|error| error.to_string(), |lines| lines.join("\n"))
    }

    /// The stage is taken down.
    pub async fn close(self: Arc<Self>) {
        self.door.pool.close().await;
        self.office.closes().await;
        if let Ok(stage) = Arc::try_unwrap(self).map_err(drop) {
            stage.db.remove().await;
        }
    }

    /// Our own connections, which nobody cuts.
    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }
}

fn new_run(workflow: &str, name: &str, id: RunId, until: DateTime<Utc>) -> NewRun {
    let (book, key) = (Logbook::new(name, until), name.to_owned());
    let new = match workflow {
        "voyage" => Registry::new_run::<voyage::Voyage>(id, key, "Pledging", &book),
        "leg" => Registry::new_run::<leg::Leg>(id, key, "Riding", &book),
        "bell" => Registry::new_run::<bell::Bell>(id, key, "Odd", &book),
        other => panic!("no workflow {other}"),
    };
    new.unwrap()
}

/// Tries until it is done, as a client that gets no answer does.
async fn until_done<F: Future<Output = sqlx::Result<()>>>(act: impl Fn() -> F) {
    let mut last = None;
    for _ in 0..50 {
        match act().await {
            Ok(()) => return,
            Err(error) => last = Some(error),
        }
    }
    panic!("not done after many attempts: {last:?}");
}

/// An act, unless it takes too long.
pub async fn in_time<T>(what: &str, act: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(REST_MAX, act).await.map_err(|_| format!("waited in vain for {what}"))
}
