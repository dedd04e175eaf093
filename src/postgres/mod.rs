//! The private PostgreSQL: what Houbu runs for itself when nobody names a server in `DATABASE_URL`.
//!
//! It starts the PostgreSQL of the machine (`find`), fetches one when there is none (`fetch`), runs it under an account
//! that PostgreSQL accepts (`account`), keeps its files in one folder (`home`), makes and recovers the cluster
//! (`cluster`), with the settings of a queue that is mostly written to (`settings`), and lets the server end when Houbu
//! ends, however Houbu ends (`guard`).
//!
//! It never listens on the network, never touches a server that it did not start, never deletes a kept folder, and
//! never turns fsync off unless the caller asks for [`Durability::None`]. A caller that has a `DATABASE_URL` does not
//! come here at all.

mod account;
mod cluster;
mod fetch;
mod find;
mod guard;
mod home;
mod settings;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use account::Account;
use find::{Places, Tried};
use guard::Guard;
use home::Home;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The superuser of the private cluster. There is no password: the socket's folder is closed to everybody else.
const SUPERUSER: &str = "houbu";

/// How much a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: fsync is on.
    Full,
    /// Everything. For tests: fsync, full-page writes and synchronous commit are off.
    None,
}

/// Where the cluster's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// In this folder, for good. It is created when it is missing.
    Kept(PathBuf),
    /// In memory (`/dev/shm`) if there is room, else in `/tmp`; copied from a cached template and removed at the end.
    Temporary,
}

/// What kind of server is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the files are.
    pub data: DataDir,
    /// What a crash of the machine may cost.
    pub durability: Durability,
    /// Upper limit of simultaneous connections.
    pub max_connections: u32,
    /// Further PostgreSQL settings, name and value; they win over Houbu's own.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// A durable server on a kept folder, for `run` and `work`.
    pub fn kept(folder: impl Into<PathBuf>) -> Self {
        Self {
            data: DataDir::Kept(folder.into()),
            durability: Durability::Full,
            max_connections: 100,
            settings: Vec::new(),
        }
    }

    /// A private server for tests: quick, and gone afterwards.
    pub fn throwaway() -> Self {
        Self { data: DataDir::Temporary, durability: Durability::None, max_connections: 200, settings: Vec::new() }
    }
}

/// Why there is no private server. Every text is made for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No PostgreSQL on this machine, and none could be fetched.
    #[error("{0}")]
    NotFound(Tried),
    /// `PG_BIN_DIR` names a folder that does not do.
    #[error("PG_BIN_DIR is {}, but there is no initdb and postgres (14 or newer) in it", .0.display())]
    BinDir(PathBuf),
    /// Another live Houbu has this folder.
    #[error("another houbu (process {process}) already runs on {}; stop it first or choose another folder", .folder.display())]
    InUse {
        /// The folder that both want.
        folder: PathBuf,
        /// The other's process id, as it wrote it down.
        process: String,
    },
    /// A PostgreSQL that is nobody's serves this folder and does not end.
    #[error("a PostgreSQL server (process {process}) still runs on {}; end it with: kill -INT {process}", .folder.display())]
    StillServed {
        /// The data folder.
        folder: PathBuf,
        /// The server's process id.
        process: i32,
    },
    /// The files were written by a major version of which there is no server here.
    #[error(
        "the data in {} was made by PostgreSQL {made_by}, and only {found} was found here; install PostgreSQL {made_by} \
         or move the data over with pg_dump", .folder.display()
    )]
    OtherMajor {
        /// Houbu's folder.
        folder: PathBuf,
        /// Major version of the files.
        made_by: u32,
        /// What was found instead, in words.
        found: String,
    },
    /// PostgreSQL does not run as root, and the account that it would run as cannot get at a folder.
    #[error("PostgreSQL runs here as the user {user}, to whom {} is closed; choose a folder outside of it", .folder.display())]
    Closed {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// The account.
        user: String,
    },
    /// `initdb` failed.
    #[error("initdb could not make a cluster in {}:\n{output}", .folder.display())]
    Initdb {
        /// The data folder that was to be made.
        folder: PathBuf,
        /// What it said.
        output: String,
    },
    /// `postgres` ended before it was ready.
    #[error("PostgreSQL did not start ({exit}); the end of {}:\n{said}", .log.display())]
    Died {
        /// Its exit status.
        exit: String,
        /// The log file.
        log: PathBuf,
        /// The last lines of this start.
        said: String,
    },
    /// `postgres` was not ready in time.
    #[error("PostgreSQL was not ready after {waited_s} s; see {}", .log.display())]
    Slow {
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// The log file.
        log: PathBuf,
    },
    /// A file, folder or program was refused by the operating system.
    #[error("could not {action} {}: {source}", .path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

impl PostgresError {
    /// For `map_err`: what was tried, on what.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// Where a private server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    socket: PathBuf,
}

impl Address {
    /// Options to connect to one of its databases through the unix socket.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket)
            .port(settings::PORT)
            .username(SUPERUSER)
            .database(database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
    }

    /// The same as a URL, for `psql` and for child processes.
    pub fn url(&self, database: &str) -> String {
        let (socket, port) = (self.socket.display(), settings::PORT);
        format!("postgres:///{database}?host={socket}&port={port}&user={SUPERUSER}&sslmode=disable")
    }
}

/// The server that a live Houbu runs on this folder, if one does: for the commands beside `run`.
pub fn running(folder: &Path) -> Option<Address> {
    home::is_locked(folder).then(|| cluster::socket_of(&Home::data_in(folder)).map(|socket| Address { socket }))?
}

/// Houbu's folder when none is configured: `/var/lib/houbu/pg<major>` for root, `$XDG_DATA_HOME/houbu/pg<major>` for
/// anybody else. A folder that already holds a cluster is kept to, even when a newer PostgreSQL has been installed.
pub fn default_data_dir() -> PathBuf {
    let base = home::data_base(nix::unistd::geteuid().is_root(), |name| std::env::var_os(name).map(PathBuf::from));
    let found =
        || find::installed(&Places::of_this_process()).ok().and_then(|all| all.first().map(|first| first.major));
    home::newest_kept(&base).unwrap_or_else(|| base.join(format!("pg{}", found().unwrap_or(fetch::MAJOR))))
}

/// A running private PostgreSQL. It ends with [`Server::stop`], when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Server {
    address: Address,
    guard: Guard,
    // Last, so that the folder is let go (and a temporary one removed) after the server has ended.
    _home: Home,
}

impl Server {
    /// Starts a server and waits until it takes connections: about 0.1 s, a new cluster about 1 s, after a crash as long
    /// as the recovery takes. Blocks; needs no tokio runtime (inside one, use `spawn_blocking`).
    pub fn start(options: &Options) -> Result<Self, PostgresError> {
        let places = Places::of_this_process();
        let account = Account::of_this_process();
        let mut home = Home::open(&options.data, &account)?;
        cluster::outlast_former_server(&home)?;
        let binaries = find::binaries_for(&places, cluster::major_of(&home.data())?, &home.folder)?;
        for needed in [&home.folder, &binaries.folder] {
            account.reach(needed)?;
        }
        cluster::provide(&home, &binaries, &account, options, &places.cache)?;
        let socket = home.socket(&account)?;
        let guard = cluster::launch(&home, &binaries, &account, options, &socket)?;
        tracing::info!(version = binaries.version, process = guard.process, "the private PostgreSQL is ready");
        Ok(Self { address: Address { socket }, guard, _home: home })
    }

    /// Where it can be reached; may outlive the server.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Options to connect to one of its databases through the unix socket. A new cluster has only `postgres`.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        self.address.connect_options(database)
    }

    /// The same as a URL.
    pub fn url(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// The process id of the postmaster.
    pub fn process(&self) -> u32 {
        self.guard.process
    }

    /// Ends the server: running transactions are rolled back, a kept cluster is shut down with a checkpoint. A second
    /// call does nothing.
    pub fn stop(&mut self) {
        self.guard.stop();
    }

    /// Creates a database unless it is there.
    pub async fn create_database(&self, name: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !known {
            sqlx::raw_sql(AssertSqlSafe(format!("create database {}", quoted(name)))).execute(&mut connection).await?;
        }
        connection.close().await
    }

    /// Creates a database as a copy of another one, to which nobody may be connected: about 40 ms without fsync.
    pub async fn create_database_from(&self, name: &str, template: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        // Before 15 there was only this strategy, and no word for it.
        let strategy = if connection.server_version_num().is_some_and(|number| number < 150_000) {
            ""
        } else {
            " strategy file_copy"
        };
        let create = format!("create database {} template {}{strategy}", quoted(name), quoted(template));
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
        connection.close().await
    }

    /// Drops a database and every connection to it.
    pub async fn drop_database(&self, name: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        let drop = format!("drop database if exists {} with (force)", quoted(name));
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await?;
        connection.close().await
    }
}

/// A name as an SQL identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
