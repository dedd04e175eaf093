//! `houbu work` and `houbu serve` as processes of their own, on the database and the outside world of a ward.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret;

use super::{Ward, wait_for};
use crate::hospital::world::HOSPITAL;
use crate::hospital::{KEY, credentials};

/// A process of the binary. It is killed where a test forgets it.
pub struct Process {
    child: Mutex<Child>,
    pid: Pid,
    name: String,
    folder: tempfile::TempDir,
}

impl Process {
    /// A worker that works.
    pub async fn work(ward: &Ward, name: &str, settings: &[(&str, &str)]) -> Self {
        Self::start(ward, name, "work", settings).await
    }

    /// API, callbacks, console and workers.
    pub async fn serve(ward: &Ward, name: &str, settings: &[(&str, &str)]) -> Self {
        Self::start(ward, name, "serve", settings).await
    }

    async fn start(ward: &Ward, name: &str, command: &str, settings: &[(&str, &str)]) -> Self {
        Self::of(name, command, &configuration(ward), &ward.hospital.db.url(), settings).await
    }

    /// A process with a configuration of its own.
    pub async fn of(name: &str, command: &str, configuration: &str, database: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("houbu.toml");
        std::fs::write(&file, configuration).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut houbu = Command::new(env!("CARGO_BIN_EXE_houbu"));
        houbu.arg("--config").arg(&file).arg(command).current_dir(folder.path());
        houbu.env_clear().env("DATABASE_URL", database);
        houbu.envs(settings.iter().copied());
        houbu.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = houbu.spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let process = Self { child: Mutex::new(child), pid, name: name.to_owned(), folder };
        wait_for("the process to work", || async {
            assert!(process.ended().is_none(), "{name} ended at once: {}", process.log());
            process.log().contains("Ctrl-C ends")
        })
        .await;
        process
    }

    /// The name of its lease.
    pub fn lease(&self) -> String {
        format!("houbu-{}", self.pid)
    }

    /// The memory that it has in hand, bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where it listens; the address that it tells others is the ward's own door.
    pub fn address(&self) -> String {
        let log = self.log();
        let line =
            log.lines().find_map(|line| line.strip_prefix("Houbu listens on ")).expect("it says where it listens");
        format!("http://{}", line.split_whitespace().next().unwrap_or_default())
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// It stands still from now on.
    pub fn stands_still(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// It goes on where it stood.
    pub fn wakes(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// It is no more.
    pub fn dies(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// It is asked to end.
    pub fn asked(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Waits for its end: the exit code, or 128 and the signal that it died of.
    pub async fn ends(&self) -> i32 {
        wait_for("the process to end", || async { self.ended().is_some() }).await;
        let status = self.ended().unwrap();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    /// Is asked to end, and ends in good order.
    pub async fn leaves(&self) {
        self.asked();
        assert_eq!(self.ends().await, 0, "{} said: {}", self.name, self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.log());
        }
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The outside world of the ward as real systems: HIS through the gate.
fn configuration(ward: &Ward) -> String {
    let (gate, shared) = (&ward.gate, credentials());
    let door = ward.hospital.door.address();
    let patience = Duration::from_mins(2);
    let pay = ward.hospital.pay.client_config(door, patience);
    let messages = ward.hospital.messages.client_config(patience);
    let text = |value: &str| serde_json::to_string(value).unwrap();
    let mut all = format!(
        "hospital = {}\nlisten = \"127.0.0.1:0\"\npublic_url = {}\n[worker]\npoll_ms = 10\n[sandbox]\nenabled = false\n\
         [keys]\nsealing = \"{}\"\nlookup = \"{}\"\n[[api_keys]]\nname = \"chaos\"\nkey = {}\n\
         scopes = [\"waitlist\", \"runs\", \"admin\"]\n",
        text(HOSPITAL),
        text(door),
        "5a".repeat(32),
        "b7".repeat(32),
        text(KEY),
    );
    let platform: Vec<String> =
        pay.platform_keys.iter().map(|(serial, pem)| format!("{} = {}", text(serial), text(pem))).collect();
    let ms = patience.as_millis();
    write!(
        all,
        "[his]\nurl = {}\nhospital_id = \"1001\"\nuser_id = {}\nsign_key = {}\naes_key = {}\nchannel_id = {}\n\
         timeout_ms = {ms}\n[wechat_pay]\nbase_url = {}\napp_id = {}\nmch_id = {}\nserial_no = {}\nprivate_key_pem = {}\n\
         platform_keys = {{ {} }}\napi_v3_key = {}\ntimeout_ms = {ms}\n[wechat_messages]\nbase_url = {}\napp_id = {}\n\
         secret = {}\ntimeout_ms = {ms}\n",
        text(&gate.url),
        text(&shared.user_id),
        text(shared.sign_key.expose_secret()),
        text(shared.aes_key.expose_secret()),
        text(houbu::sandbox::his::channel::WEBSITE),
        text(&pay.base_url),
        text(&pay.app_id),
        text(&pay.mch_id),
        text(&pay.serial_no),
        text(pay.private_key_pem.expose_secret()),
        platform.join(", "),
        text(pay.api_v3_key.expose_secret()),
        text(&messages.base_url),
        text(&messages.app_id),
        text(messages.secret.expose_secret()),
    )
    .unwrap();
    all
}
