//! `houbu demo` as a process of its own, on an empty database, with debug lines and traces.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cluster::Database;
use crate::patience::wait_at_most;

/// A small day takes half a minute on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_mins(5);

/// The process. It is killed where a test forgets it.
pub struct Demo {
    child: std::sync::Mutex<Child>,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Comes back when the day is played, and the demo goes on serving.
    pub async fn plays(db: &Database, day: &str, size: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
        let mut houbu = Command::new(env!("CARGO_BIN_EXE_houbu"));
        houbu
            .args(["demo", "--json", "--seed", "7", "--faults", "some", "--day", day, "--size", size])
            .current_dir(folder.path());
        houbu.env_clear().env("DATABASE_URL", db.url()).env("HOUBU_LISTEN", "127.0.0.1:0");
        houbu.env("HOUBU_LOG__FILTER", "warn,houbu=debug").envs(settings.iter().copied());
        houbu.stdin(Stdio::null()).stdout(file("said")).stderr(file("log"));
        let demo = Self { child: std::sync::Mutex::new(houbu.spawn().unwrap()), folder };
        wait_at_most(PATIENCE, "the day to be played", || async {
            let ended = demo.child.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", demo.read("said"));
            demo.read("said").contains("goes on serving")
        })
        .await;
        demo
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The line of JSON.
    pub fn summary(&self) -> Value {
        let said = self.read("said");
        let line = said.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
        serde_json::from_str(line).unwrap()
    }

    /// All figures.
    pub async fn metrics(&self) -> String {
        let said = self.read("said");
        let (_, rest) = said.split_once("goes on serving ").expect("it says where");
        let url = format!("{}/metrics", rest.split_whitespace().next().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// It is asked to end; all that it wrote to its log, and what it printed.
    pub async fn leaves(self) -> String {
        let pid = i32::try_from(self.child.lock().unwrap().id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let ended = || async { self.child.lock().unwrap().try_wait().unwrap().is_some() };
        wait_at_most(PATIENCE, "the demo to end", ended).await;
        format!("{}\n{}", self.read("log"), self.read("said"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the demo said:\n{}", self.read("said"));
        }
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}
