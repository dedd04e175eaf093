//! The server under the benchmarks, fresh databases on it, and what the machine spends meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use houbu::app::database;
use houbu::engine::Engine;
use houbu::engine::worker::{self, Options, Worker};
use houbu::postgres::{Options as ServerOptions, Server};
use sqlx::PgPool;

use crate::{flows, statements, turns};

/// Whose runs these are.
pub const TENANT: &str = "bench";
/// How often is looked whether it is over: looking takes some of what is measured.
const LOOK: Duration = Duration::from_millis(20);
/// As the configuration has it.
const CONNECTIONS: u32 = 24;
/// Runs of a round that warms up.
const WARM: usize = 600;
/// Turns that a worker has in hand at one time: handlers that do nothing never wait, so more of them fill a batch.
const TURNS: usize = 512;

/// The private server with production settings, in a folder of its own that goes when it does.
pub struct Ground {
    pub server: Server,
    databases: AtomicU32,
    _folder: tempfile::TempDir,
}

/// One figure's database, engine and worker.
pub struct Plot {
    pub pool: PgPool,
    pub engine: Arc<Engine>,
}

impl Ground {
    /// `counting`: what it is busy with (see [`statements`]).
    pub fn prepare(counting: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("houbu-bench").tempdir_in("/var/tmp").unwrap();
        houbu_can_read(folder.path());
        let mut options = ServerOptions::kept(folder.path().join("pg"));
        if counting {
            options.settings = statements::SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        }
        let server = Server::start(&options).unwrap();
        Self { server, databases: AtomicU32::new(0), _folder: folder }
    }

    /// A fresh, migrated database.
    pub async fn database(&self) -> PgPool {
        let name = format!("bench{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.server.create_database(&name).await.unwrap();
        let pool = database::pool(self.server.connect_options(&name), CONNECTIONS).await.unwrap();
        sqlx::migrate!("./migrations").run(&pool).await.unwrap();
        pool
    }

    /// A fresh database with an engine whose runs do nothing.
    pub async fn plot(&self) -> Plot {
        let pool = self.database().await;
        let engine = Engine::new(pool.clone(), TENANT, flows::registry());
        Plot { pool, engine }
    }

    /// CPU seconds of this process, and of the server with its backends.
    pub fn cpu(&self) -> (f64, f64) {
        let own = cpu_of(std::process::id()).0;
        let postmaster = self.server.process();
        let (of_postmaster, of_ended) = cpu_of(postmaster);
        (own, of_postmaster + of_ended + children(postmaster).map(|pid| cpu_of(pid).0).sum::<f64>())
    }
}

/// The server runs as another user where this is root.
fn houbu_can_read(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

impl Plot {
    pub async fn worker(&self) -> Worker {
        let options = Options { turns_max: TURNS, ..Options::default() };
        worker::start(Arc::clone(&self.engine), options).await.unwrap()
    }

    /// As a database is that has been in use for a while: every connection has its plans, and they are made for tables that
    /// are not empty.
    pub async fn warm_up(&self) {
        for _ in 0..4 {
            let runs = (0..WARM).map(|_| flows::new_run::<flows::five::Five>("First", chrono::Utc::now())).collect();
            turns::start_all(self, runs).await;
            self.still().await;
            self.analyze().await;
        }
    }

    /// Sweeps the tables; plans are made anew for them as they are now.
    pub async fn analyze(&self) {
        sqlx::query("vacuum analyze").execute(&self.pool).await.unwrap();
    }

    /// Waits until no run is due or in hand.
    pub async fn still(&self) {
        loop {
            let busy: bool = sqlx::query_scalar(
                "select exists (select 1 from run where tenant = $1 and status in ('pending', 'waiting')
                                                    and due_at <= engine_now())
                     or exists (select 1 from run where tenant = $1 and status = 'running')",
            )
            .bind(TENANT)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            if !busy {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Bytes of WAL written and transactions committed since the server began.
    pub async fn written(&self) -> (f64, f64) {
        sqlx::query_scalar::<_, i32>("select 1 from pg_stat_clear_snapshot()").fetch_all(&self.pool).await.ok();
        sqlx::query_as(
            "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8,
                    (select xact_commit from pg_stat_database where datname = current_database())::float8",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub async fn close(self) {
        self.pool.close().await;
    }
}

/// Own CPU seconds of a process, and those of its children that have ended.
fn cpu_of(pid: u32) -> (f64, f64) {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return (0.0, 0.0) };
    let Some((_, after)) = stat.rsplit_once(')') else { return (0.0, 0.0) };
    let ticks: Vec<f64> = after.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect();
    // utime, stime, cutime, cstime; 100 ticks a second on every Linux that matters.
    ((ticks[11] + ticks[12]) / 100.0, (ticks[13] + ticks[14]) / 100.0)
}

fn children(parent: u32) -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(move |entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let of: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (of == parent).then_some(pid)
    })
}

/// Resident memory of this process, bytes.
pub fn memory() -> f64 {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0.0);
    pages * 4096.0
}

/// How long `work` takes, in seconds.
pub async fn seconds<T>(work: impl Future<Output = T>) -> (f64, T) {
    let began = Instant::now();
    let done = work.await;
    (began.elapsed().as_secs_f64(), done)
}

/// The value below which `share` of `values` lie.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    assert!(!values.is_empty());
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = ((values.len() - 1) as f64 * share).round() as usize;
    values[at]
}

pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}
