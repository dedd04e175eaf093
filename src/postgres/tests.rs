//! The private server on the PostgreSQL of this machine, as root or as a normal user.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;

/// A folder that the account of PostgreSQL can pass through.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

/// Kept, but quick to make.
fn quick(folder: &Path) -> Options {
    Options { durability: Durability::None, max_connections: 20, ..Options::kept(folder) }
}

fn number(address: &Address, sql: &'static str) -> Result<i64, sqlx::Error> {
    block_on(async {
        let mut connection = PgConnection::connect_with(&address.connect_options("postgres")).await?;
        let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    })
}

fn run(address: &Address, sql: &'static str) {
    block_on(async {
        let mut connection = PgConnection::connect_with(&address.connect_options("postgres")).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), signal).unwrap();
}

#[test]
fn what_was_written_is_there_after_the_next_start() {
    let folder = folder();
    let home = folder.path().join("new/pg");
    let options = Options { durability: Durability::Full, ..quick(&home) };
    let mut server = Server::start(&options).unwrap();
    run(server.address(), "create table applications as select 7::bigint as id");
    let setting =
        "select count(*) from pg_settings where (name, setting) in (('fsync', 'on'), ('data_checksums', 'on'))";
    assert_eq!(number(server.address(), setting).unwrap(), 2);
    assert_eq!(running(&home).as_ref(), Some(server.address()));
    let socket = server.address().socket.clone();
    server.stop();
    server.stop();
    assert!(number(server.address(), "select id from applications").is_err());
    assert_eq!(running(&home), None);
    drop(server);
    assert!(!socket.exists());
    let again = Server::start(&options).unwrap();
    assert_eq!(again.address().socket, socket);
    assert_eq!(number(again.address(), "select id from applications").unwrap(), 7);
}

#[test]
fn a_second_houbu_on_the_same_folder_is_refused_in_one_sentence() {
    let folder = folder();
    let _first = Server::start(&quick(folder.path())).unwrap();
    let refusal = Server::start(&quick(folder.path())).unwrap_err().to_string();
    let real = folder.path().canonicalize().unwrap();
    let expected = format!(
        "another houbu (process {}) already runs on {}; stop it first or choose another folder",
        std::process::id(),
        real.display()
    );
    assert_eq!(refusal, expected);
}

#[test]
fn a_killed_server_recovers_at_the_next_start() {
    let folder = folder();
    let options = Options { durability: Durability::Full, ..quick(folder.path()) };
    let server = Server::start(&options).unwrap();
    run(server.address(), "create table applications as select 7::bigint as id");
    signal(server.process(), Signal::SIGKILL);
    drop(server);
    assert!(folder.path().join("data/postmaster.pid").exists());
    let again = Server::start(&options).unwrap();
    assert_eq!(number(again.address(), "select id from applications").unwrap(), 7);
}

#[test]
fn a_stale_process_id_that_belongs_to_another_program_by_now_is_seen_through() {
    let folder = folder();
    let server = Server::start(&quick(folder.path())).unwrap();
    let path = folder.path().join("data/postmaster.pid");
    signal(server.process(), Signal::SIGKILL);
    drop(server);
    let account = Account::of_this_process();
    let mut other = account.command(Path::new("/bin/sleep")).arg("600").spawn().unwrap();
    let stale = fs::read_to_string(&path).unwrap();
    let (_, rest) = stale.split_once('\n').unwrap();
    fs::write(&path, format!("{}\n{rest}", other.id())).unwrap();
    let again = Server::start(&quick(folder.path()));
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(number(again.unwrap().address(), "select 1::bigint").unwrap(), 1);
}

/// Plays two parts: started again with this variable set, it is the parent that gets killed.
#[test]
fn a_killed_parent_leaves_no_server_and_no_damage() {
    const PART: &str = "HOUBU_TEST_PARENT_ON";
    if let Some(home) = std::env::var_os(PART) {
        let server = Server::start(&quick(Path::new(&home))).unwrap();
        run(server.address(), "create table applications as select 7::bigint as id");
        println!("\nserver {}", server.process());
        loop {
            std::thread::park();
        }
    }
    let folder = folder();
    let me = "postgres::tests::a_killed_parent_leaves_no_server_and_no_damage";
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", me, "--nocapture"])
        .env(PART, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let process: u32 = lines.find_map(|line| line.strip_prefix("server ")?.parse().ok()).unwrap();
    assert_ne!(process, parent.id());
    parent.kill().unwrap();
    parent.wait().unwrap();
    // The start waits for a server that is ending, and is refused by one that is not.
    let again = Server::start(&quick(folder.path())).unwrap();
    assert_eq!(number(again.address(), "select id from applications").unwrap(), 7);
    assert_ne!(again.process(), process);
    // It was shut down, not found dead.
    let log = fs::read_to_string(folder.path().join("postgres.log")).unwrap();
    assert!(log.contains("received fast shutdown request") && !log.contains("not properly shut down"), "{log}");
}

#[test]
fn data_of_another_major_version_is_refused() {
    let folder = folder();
    drop(Server::start(&quick(folder.path())).unwrap());
    fs::write(folder.path().join("data/PG_VERSION"), "12\n").unwrap();
    let refusal = Server::start(&quick(folder.path())).unwrap_err();
    assert!(matches!(refusal, PostgresError::OtherMajor { made_by: 12, .. }), "{refusal}");
}

#[test]
fn a_server_that_cannot_start_shows_its_last_words() {
    let options = Options { settings: vec![("max_wal_size".into(), "many".into())], ..Options::throwaway() };
    let error = Server::start(&options).unwrap_err().to_string();
    assert!(error.contains("invalid value for parameter \"max_wal_size\": \"many\""), "{error}");
}

#[test]
fn root_is_told_which_folder_is_closed_to_the_account_of_the_server() {
    let closed = folder();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let real = closed.path().canonicalize().unwrap();
    let account = Account::Other { name: "postgres".to_owned(), uid: u32::MAX - 1, gid: u32::MAX - 1 };
    let said = account.reach(&real).unwrap_err().to_string();
    let expected = format!(
        "PostgreSQL runs here as the user postgres, to whom {} is closed; choose a folder outside of it",
        real.display()
    );
    assert_eq!(said, expected);
}

#[test]
fn a_temporary_server_gives_each_test_its_database_and_leaves_nothing() {
    let server = Server::start(&Options::throwaway()).unwrap();
    block_on(async {
        server.create_database("template_one").await.unwrap();
        server.create_database("template_one").await.unwrap();
        let mut template = PgConnection::connect_with(&server.connect_options("template_one")).await.unwrap();
        sqlx::raw_sql("create table applications as select 7::bigint as id").execute(&mut template).await.unwrap();
        template.close().await.unwrap();
        server.create_database_from("story \"1\"", "template_one").await.unwrap();
        server.drop_database("template_one").await.unwrap();
        let mut story = PgConnection::connect_with(&server.connect_options("story \"1\"")).await.unwrap();
        let id: i64 = sqlx::query_scalar("select id from applications").fetch_one(&mut story).await.unwrap();
        assert_eq!(id, 7);
        let mut by_url = PgConnection::connect(&server.url("postgres")).await.unwrap();
        let locale: String =
            sqlx::query_scalar("select datcollate from pg_database where datname = current_database()")
                .fetch_one(&mut by_url)
                .await
                .unwrap();
        assert_eq!(locale, "C.UTF-8");
    });
    let folder = server.address().socket.parent().unwrap().to_owned();
    assert!(folder.exists());
    drop(server);
    assert!(!folder.exists() && !folder.with_extension("lock").exists());
}
