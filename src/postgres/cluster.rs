//! The cluster in a home: made by `initdb` or copied from a template, checked for its version, taken over after a crash,
//! and served.
//!
//! A cluster is made beside its place and renamed into it, so that a half-made one is never taken for one. Nothing here
//! removes a cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::Account;
use super::find::Binaries;
use super::guard::{Guard, Launch};
use super::home::{Home, make_folders};
use super::{DataDir, Durability, Options, PostgresError, SUPERUSER, settings};

/// How long a former server may take for its shutdown checkpoint.
const FORMER_SERVER_MAX: Duration = Duration::from_secs(30);
/// How long backends of a killed server may take to notice.
const ORPHANS_MAX: Duration = Duration::from_secs(15);
/// A log that is longer than this many bytes is begun anew; the old one stays beside it once.
const LOG_BYTES_MAX: u64 = 8 << 20;

/// The major version that made the cluster; nothing if there is none yet.
pub(crate) fn major_of(data: &Path) -> Result<Option<u32>, PostgresError> {
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().split('.').next().and_then(|major| major.parse().ok())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PostgresError::io("read", &path)(error)),
    }
}

/// Waits until the server of a killed Houbu has ended, and sees to it that a `postmaster.pid` from before a crash does
/// not stand in the way. We hold the lock of the home, so the server can be nobody else's.
pub(crate) fn outlast_former_server(home: &Home) -> Result<(), PostgresError> {
    let data = home.data();
    let path = data.join("postmaster.pid");
    let asked = Instant::now();
    loop {
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let Ok(process) = first.trim().trim_start_matches('-').parse::<i32>() else { return Ok(()) };
        if kill(Pid::from_raw(process), None) == Err(Errno::ESRCH) {
            // PostgreSQL sees this itself, and clears it up.
            return Ok(());
        }
        if !serves(process, &data) {
            // The number belongs to another program by now, for which PostgreSQL would give up. It passes over its own
            // parent's number, though, and then goes on to look for backends that survived.
            let ours = format!("{}\n{rest}", std::process::id());
            return fs::write(&path, ours).map_err(PostgresError::io("write", &path));
        }
        if asked.elapsed() > FORMER_SERVER_MAX {
            return Err(PostgresError::StillServed { folder: data, process });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this process is a server of this cluster: a postmaster's working folder is its data.
fn serves(process: i32, data: &Path) -> bool {
    if !Path::new("/proc/self/cwd").exists() {
        return true; // Not Linux: better to wait for nothing than to start a second server.
    }
    fs::read_link(format!("/proc/{process}/cwd")).is_ok_and(|folder| Some(folder) == data.canonicalize().ok())
}

/// The socket's folder of the server that runs on this data, as it wrote it down.
pub(crate) fn socket_of(data: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(4).filter(|line| !line.is_empty()).map(PathBuf::from)
}

/// Makes the cluster if there is none.
pub(crate) fn provide(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    options: &Options,
    cache: &Path,
) -> Result<(), PostgresError> {
    let data = home.data();
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    match (&options.data, options.durability) {
        (DataDir::Kept(_), Durability::Full) => make(&data, binaries, account, &["--data-checksums"]),
        (DataDir::Kept(_), Durability::None) => make(&data, binaries, account, &["--no-sync"]),
        (DataDir::Temporary, _) => {
            let template = template(cache, binaries, account)?;
            let copy = Command::new("cp").arg("-pR").arg(&template).arg(&data).stdin(Stdio::null()).output();
            let copy = copy.map_err(PostgresError::io("copy", &template))?;
            if copy.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&copy.stderr).trim().to_owned();
            Err(PostgresError::io("copy", &template)(std::io::Error::other(said)))
        }
    }
}

/// The cached cluster that temporary ones are copied from, one for each version and account.
fn template(cache: &Path, binaries: &Binaries, account: &Account) -> Result<PathBuf, PostgresError> {
    let shelf = cache.join("template");
    make_folders(&shelf, account)?;
    let template = shelf.join(format!("{}-{}", binaries.version, account.uid()));
    let path = shelf.join(format!("{}-{}.lock", binaries.version, account.uid()));
    let lock = fs::File::create(&path).map_err(PostgresError::io("open", &path))?;
    lock.lock().map_err(PostgresError::io("lock", &path))?;
    if !template.join("PG_VERSION").exists() {
        account.reach(&shelf)?;
        // Synced, since it stays; with small segments of write-ahead log: 28 MB to copy instead of 43.
        make(&template, binaries, account, &["--wal-segsize=1"])?;
    }
    Ok(template)
}

/// Runs `initdb` beside the place and renames the result into it.
fn make(place: &Path, binaries: &Binaries, account: &Account, further: &[&str]) -> Result<(), PostgresError> {
    let draft = place.with_extension("new");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(PostgresError::io("clear", &draft))?;
    }
    fs::create_dir(&draft).map_err(PostgresError::io("create", &draft))?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o700)).map_err(PostgresError::io("close", &draft))?;
    account.own(&draft)?;
    let initdb = binaries.folder.join("initdb");
    let output = account
        .command(&initdb)
        .arg("--pgdata")
        .arg(&draft)
        .args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .args(further)
        .output()
        .map_err(PostgresError::io("run", &initdb))?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(PostgresError::Initdb { folder: place.to_owned(), output });
    }
    fs::rename(&draft, place).map_err(PostgresError::io("rename", &draft))?;
    // A name that is lost in a power failure would take the cluster with it.
    let shelf = place.parent().unwrap_or(place);
    fs::File::open(shelf).and_then(|folder| folder.sync_all()).map_err(PostgresError::io("sync", shelf))
}

/// Starts `postgres` on the cluster and waits until it is ready.
pub(crate) fn launch(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    options: &Options,
    socket: &Path,
) -> Result<Guard, PostgresError> {
    begin_log_anew(&home.log())?;
    let first = Instant::now();
    loop {
        let mut command = account.command(&binaries.folder.join("postgres"));
        command.arg("-D").arg(home.data());
        for setting in settings::of(options, socket) {
            command.arg("-c").arg(setting);
        }
        let end = match options.data {
            DataDir::Kept(_) => Signal::SIGINT,
            DataDir::Temporary => Signal::SIGQUIT,
        };
        match Guard::launch(Launch { command, data: home.data(), log: home.log(), end }) {
            // Backends of a server that was killed take a moment to notice.
            Err(PostgresError::Died { said, .. })
                if said.contains("pre-existing shared memory block") && first.elapsed() < ORPHANS_MAX =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            outcome => return outcome,
        }
    }
}

fn begin_log_anew(log: &Path) -> Result<(), PostgresError> {
    if fs::metadata(log).is_ok_and(|about| about.len() > LOG_BYTES_MAX) {
        fs::rename(log, log.with_extension("log.1")).map_err(PostgresError::io("rename", log))?;
    }
    Ok(())
}
