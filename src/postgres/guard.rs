//! Keeps one `postgres` process from its start to its end: waits until it is ready, ends it when told to, and lets the
//! system end it when Houbu is killed.
//!
//! Everything about the process happens on one thread that lives as long as the process does. On Linux the death signal
//! fires when the *thread* that started a process ends, so no thread of a pool will do; and since only this thread reaps
//! the process, it cannot signal a number that has come to belong to somebody else.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::PostgresError;

/// Recovery after a crash replays up to 2 GB of log.
const READY_MAX: Duration = Duration::from_mins(10);
/// How long a shutdown checkpoint may take before the server is ended without one.
const STOP_MAX: Duration = Duration::from_mins(1);
/// How often an eye is kept on a process whose next state is near.
const NEAR: Duration = Duration::from_millis(5);
/// How often an eye is kept on a running server.
const FAR: Duration = Duration::from_millis(500);
/// From when on the person at the terminal is told that it takes long.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// What is to be started.
pub(crate) struct Launch {
    /// `postgres` with its arguments.
    pub(crate) command: Command,
    /// The cluster.
    pub(crate) data: PathBuf,
    /// Where its words go.
    pub(crate) log: PathBuf,
    /// How it is ended: SIGINT with a checkpoint, SIGQUIT at once.
    pub(crate) end: Signal,
}

/// A running `postgres`.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Its process id.
    pub(crate) process: u32,
    /// Letting go of this is the order to end.
    order: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts it and waits until it is ready.
    pub(crate) fn launch(launch: Launch) -> Result<Self, PostgresError> {
        let log = launch.log.clone();
        let (order, orders) = channel();
        let (report, reports) = channel();
        let thread = std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || keep(launch, &orders, &report))
            .map_err(PostgresError::io("start a thread for", &log))?;
        let ended = || PostgresError::Died { exit: "its thread ended".to_owned(), log, said: String::new() };
        let process = reports.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok(Self { process, order: Some(order), thread: Some(thread) })
    }

    /// Ends it and waits for that.
    pub(crate) fn stop(&mut self) {
        drop(self.order.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps PostgreSQL ended unexpectedly");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The life of one server.
fn keep(launch: Launch, orders: &Receiver<()>, report: &Sender<Result<u32, PostgresError>>) {
    let end = launch.end;
    let log = launch.log.clone();
    let mut child = match start(launch) {
        Ok(child) => child,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let _ = report.send(Ok(child.id()));
    loop {
        match orders.recv_timeout(FAR) {
            Err(RecvTimeoutError::Disconnected) => return finish(&mut child, end),
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
        if let Ok(Some(status)) = child.try_wait() {
            tracing::error!(%status, log = %log.display(), "the private PostgreSQL ended by itself");
            return;
        }
    }
}

/// Spawns the server and waits until its `postmaster.pid` says that it is ready.
fn start(launch: Launch) -> Result<Child, PostgresError> {
    let Launch { mut command, data, log, end } = launch;
    let open = || File::options().create(true).append(true).open(&log);
    let words = open().map_err(PostgresError::io("open", &log))?;
    let heard = words.metadata().map_or(0, |about| about.len());
    // Its own process group: Ctrl-C at the terminal is for Houbu, which then ends the server in its own time.
    command.stdout(Stdio::null()).stderr(words).process_group(0);
    die_with_parent(&mut command, end);
    let program = PathBuf::from(command.get_program());
    let mut child = command.spawn().map_err(PostgresError::io("run", &program))?;
    let started = Instant::now();
    let mut told = false;
    while !is_ready(&data, child.id()) {
        if let Some(status) = child.try_wait().map_err(PostgresError::io("wait for", &program))? {
            return Err(PostgresError::Died { exit: status.to_string(), said: last_words(&log, heard), log });
        }
        if started.elapsed() > READY_MAX {
            finish(&mut child, Signal::SIGQUIT);
            return Err(PostgresError::Slow { waited_s: READY_MAX.as_secs(), log });
        }
        if started.elapsed() > TELL_AFTER && !told {
            told = true;
            eprintln!("PostgreSQL is still starting, after a crash that takes a while; see {}", log.display());
        }
        std::thread::sleep(NEAR);
    }
    Ok(child)
}

/// The first line is the process, the eighth its state.
fn is_ready(data: &Path, process: u32) -> bool {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next().is_some_and(|first| first == process.to_string())
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

/// Ends the server: as asked, then without a checkpoint, then by force.
fn finish(child: &mut Child, end: Signal) {
    for (signal, patience) in [(end, STOP_MAX), (Signal::SIGQUIT, Duration::from_secs(5))] {
        // It has not been reaped, so the number is still its own.
        let _ = i32::try_from(child.id()).map(|process| kill(Pid::from_raw(process), signal));
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(NEAR);
        }
    }
    tracing::warn!("PostgreSQL did not end when asked; it is killed and will recover at the next start");
    let _ = child.kill();
    let _ = child.wait();
}

/// The last lines of the log that this start wrote.
fn last_words(log: &Path, heard: u64) -> String {
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(heard))?;
        file.take(64 << 10).read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("(not readable: {error})");
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(6)).map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Has the system send the signal to the server when the thread that spawns it ends, with whatever end its process has.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = nix::unistd::getpid();
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed. It makes two system
    // calls (prctl, getppid), allocates nothing and takes no lock; errors are made from numbers.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(signal)?;
            // Killed before the call took effect: then nobody would send the signal.
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
        });
    }
}

/// Other systems have no such signal: after a `kill -9` the next start names the server that is left.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command, _: Signal) {}
