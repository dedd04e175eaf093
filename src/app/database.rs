//! The database of this process: the one that `DATABASE_URL` names, or a private one.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgPool};

use crate::config::Config;
use crate::postgres::{Options, Server, default_data_dir, running};

/// The database in the private server.
const PRIVATE: &str = "houbu";
/// A transaction whose client stands still (a process that is stopped, a machine that is gone) holds its locks no longer
/// than this: less than a worker's lease, so that what it held can be taken over when that has ended.
///
/// And a statement is planned once a connection: each looks rows up by their keys, whatever the values, and planning takes
/// longer than that. Where a plan depends on what is asked for, the statement is put together from that.
const SETTINGS: &str = "set idle_in_transaction_session_timeout = '3s'; set plan_cache_mode = 'force_generic_plan'";
/// How long closing the connections may take: one that hangs is left behind.
const CLOSING_MAX: Duration = Duration::from_secs(2);
/// How long a named server may take to answer at start.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool, and the private server behind it where there is one.
pub struct Database {
    /// Connections.
    pub pool: PgPool,
    /// The private server; it stops when this is dropped.
    pub server: Option<Server>,
}

impl Database {
    /// Connects to the named server, or starts the private one.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let url = config.database.url.expose_secret();
        if !url.is_empty() {
            return Ok(Self { pool: connect_to(url, config.database.connections).await?, server: None });
        }
        let folder = folder(config);
        let server = tokio::task::spawn_blocking(move || Server::start(&Options::kept(folder))).await??;
        server.create_database(PRIVATE).await.context("the private database could not be made")?;
        let pool = pool(server.connect_options(PRIVATE), config.database.connections).await?;
        Ok(Self { pool, server: Some(server) })
    }

    /// Connects to a database that is served already: the named one, or the private server of a running Houbu.
    pub async fn attach(config: &Config) -> anyhow::Result<Self> {
        if config.database.url.expose_secret().is_empty()
            && let Some(address) = running(&folder(config))
        {
            let pool = pool(address.connect_options(PRIVATE), config.database.connections.min(4)).await?;
            return Ok(Self { pool, server: None });
        }
        Self::open(config).await
    }

    /// Connects to a database that is there, and starts nothing: `None` where the private one is not running.
    pub async fn find(config: &Config) -> anyhow::Result<Option<Self>> {
        let named = !config.database.url.expose_secret().is_empty();
        if named || running(&folder(config)).is_some() { Self::attach(config).await.map(Some) } else { Ok(None) }
    }

    /// Brings the schema up to date; many processes may do it at once.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        sqlx::migrate!().run(&self.pool).await.context("the migrations could not be run")
    }

    /// Empties the database for a demo: only one that has no table at all, or whose clock was set by hand, which no real
    /// hospital's ever is.
    pub async fn empty_for_demo(&self) -> anyhow::Result<()> {
        let tables: i64 =
            sqlx::query_scalar("select count(*) from pg_tables where schemaname in ('public', 'sandbox')")
                .fetch_one(&self.pool)
                .await?;
        if tables == 0 {
            return Ok(());
        }
        let has_clock: bool =
            sqlx::query_scalar("select to_regclass('public.clock') is not null").fetch_one(&self.pool).await?;
        let played: bool =
            has_clock && sqlx::query_scalar("select exists (select 1 from public.clock)").fetch_one(&self.pool).await?;
        anyhow::ensure!(
            played,
            "this database holds tables that no demo made, and a demo would remove them; name an empty database in \
             DATABASE_URL, or an empty folder in HOUBU_DATABASE__FOLDER"
        );
        sqlx::raw_sql(
            "drop schema if exists sandbox cascade; drop schema if exists public cascade; create schema public",
        )
        .execute(&self.pool)
        .await
        .context("the demo's former day could not be removed")?;
        Ok(())
    }

    /// How many migrations the schema lacks.
    pub async fn lacks(&self) -> anyhow::Result<usize> {
        Ok(crate::records::schema::lacks(&self.pool).await?)
    }

    /// Closes the pool and stops the private server.
    pub async fn close(self) {
        let _ = tokio::time::timeout(CLOSING_MAX, self.pool.close()).await;
        if let Some(mut server) = self.server {
            let _ = tokio::task::spawn_blocking(move || server.stop()).await;
        }
    }
}

fn folder(config: &Config) -> PathBuf {
    let folder = &config.database.folder;
    if folder.as_os_str().is_empty() { default_data_dir() } else { folder.clone() }
}

async fn connect_to(url: &str, connections: u32) -> anyhow::Result<PgPool> {
    // The address may hold a password: it is not repeated in what is said about it.
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| anyhow::anyhow!("DATABASE_URL is not an address of a PostgreSQL: {error}"))?;
    let named = format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or("?"));
    // One connection by itself says at once what is wrong; a pool would try until its own patience ends.
    let knock = || async { options.connect().await?.close().await };
    knock
        .retry(
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_total_delay(Some(PATIENCE)),
        )
        .when(|error| matches!(error, sqlx::Error::Io(_)))
        .await
        .map_err(|error| anyhow::anyhow!("the database at {named} (DATABASE_URL) cannot be used: {error}"))?;
    Ok(pool(options, connections).await?)
}

/// The connections of a process of Houbu.
pub async fn pool(options: PgConnectOptions, connections: u32) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        // A connection that broke while it rested shows at its first statement; whoever meets it tries again.
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SETTINGS).await.map(drop) }))
        .connect_with(options.application_name("houbu").log_statements(tracing::log::LevelFilter::Off))
        .await
}
