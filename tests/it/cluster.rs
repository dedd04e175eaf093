//! The private PostgreSQL of this test process: started once, migrated once, copied once a test.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use houbu::postgres::{DataDir, Durability, Options, Server};
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::{Faults, Level};
use houbu::sandbox::wechat_pay::{self, PayServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions, PgPool};
use tempfile::TempDir;

const TEMPLATE: &str = "houbu_template";

/// Ends with the process; what it leaves in memory is swept by the next one.
static CLUSTER: OnceLock<Server> = OnceLock::new();

fn cluster() -> &'static Server {
    CLUSTER.get_or_init(|| {
        // A thread of its own: this is called inside a runtime, and a runtime does not wait inside another.
        std::thread::spawn(|| {
            let server = Server::start(&Options::throwaway()).expect("a private PostgreSQL for the tests");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(make_template(&server));
            server
        })
        .join()
        .expect("the private PostgreSQL and its template")
    })
}

async fn make_template(server: &Server) {
    server.create_database(TEMPLATE).await.expect("the template database");
    let pool = PgPool::connect_with(server.connect_options(TEMPLATE)).await.expect("a connection to the template");
    sqlx::migrate!("./migrations").run(&pool).await.expect("the migrations");
    // The keys of the simulated payment provider are made once and copied with the rest.
    let store = Store::open(pool.clone()).await.expect("the outside world's books");
    let server = PayServer::start(wechat_pay::Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        seed: 0,
        now: Arc::new(chrono::Utc::now),
        faults: Arc::new(Faults::new(Level::None, 0)),
        store,
        slow: Duration::from_secs(1),
        refunds_close: false,
    });
    drop(server.await.expect("the payment provider's keys"));
    pool.close().await;
}

/// One test's own database.
pub struct Database {
    /// Its connections.
    pub pool: PgPool,
    /// In the server of all tests; none in a server of the test's own.
    name: Option<String>,
}

impl Database {
    /// A fresh copy of the migrated template.
    pub async fn new() -> Self {
        let server = cluster();
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        server.create_database_from(&name, TEMPLATE).await.expect("a database for the test");
        let pool = PgPoolOptions::new()
            .max_connections(20)
            .connect_with(server.connect_options(&name))
            .await
            .expect("a connection to the test's database");
        Self { pool, name: Some(name) }
    }

    /// A new one with the schema in a server of the test's own.
    pub async fn on(server: &Server, name: &str) -> Self {
        server.create_database(name).await.expect("a database for the test");
        let connect = PgPoolOptions::new().max_connections(20).connect_with(server.connect_options(name));
        let pool = connect.await.expect("a connection to the test's database");
        sqlx::migrate!("./migrations").run(&pool).await.expect("the migrations");
        Self { pool, name: None }
    }

    /// An empty one: nobody's tables.
    pub async fn empty() -> Self {
        let server = cluster();
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        server.create_database(&name).await.expect("a database for the test");
        let pool = PgPool::connect_with(server.connect_options(&name)).await.expect("a connection to it");
        Self { pool, name: Some(name) }
    }

    /// Its address, for a process of its own.
    pub fn url(&self) -> String {
        self.pool.connect_options().to_url_lossy().to_string()
    }

    /// Removes it: they are kept in memory, and there are many tests.
    pub async fn remove(self) {
        self.pool.close().await;
        if let Some(name) = &self.name {
            cluster().drop_database(name).await.expect("the test's database is removed");
        }
    }
}

/// A server of a test's own, as in production: its files stay, and what is committed is on the disk.
pub struct Own {
    options: Options,
    server: Option<Server>,
    _folder: TempDir,
}

impl Own {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs under an account of its own.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let options = Options {
            data: DataDir::Kept(folder.path().join("pg")),
            durability: Durability::Full,
            max_connections: 100,
            settings: vec![("shared_buffers".to_owned(), "32MB".to_owned())],
        };
        let mut own = Self { options, server: None, _folder: folder };
        own.start_again().await;
        own
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The whole server dies at once.
    pub fn kill(&self) {
        let process = i32::try_from(self.server().process()).unwrap();
        kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    }

    /// It begins where it was.
    pub async fn start_again(&mut self) {
        let (before, options) = (self.server.take(), self.options.clone());
        let starting = tokio::task::spawn_blocking(move || {
            drop(before);
            Server::start(&options).unwrap()
        });
        self.server = Some(starting.await.unwrap());
    }

    pub async fn end(mut self) {
        let server = self.server.take();
        tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    }
}
