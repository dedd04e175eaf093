//! `houbu his-check` and `houbu check` as an integrator uses them on day one: the real binary against `houbu sandbox`, in each of
//! the three languages.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

/// `houbu sandbox`, until it is dropped.
struct Sandbox {
    process: Child,
    /// The configuration that it printed.
    file: PathBuf,
    listen: String,
    folder: tempfile::TempDir,
}

impl Sandbox {
    fn speaking(protocol: &str) -> Self {
        Self::of(protocol, false)
    }

    /// One that offers v3.3 alone, if it is to be `plain`.
    fn of(protocol: &str, plain: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = address_of_its_own();
        let mut process = houbu(folder.path(), &listen)
            .arg("sandbox")
            .env("HOUBU_SANDBOX__HIS", protocol)
            .env("HOUBU_SANDBOX__HIS_PLAIN", plain.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let his: Vec<String> = lines.by_ref().take_while(|line| line != "[wechat_pay]").collect();
        // Nobody else reads on: what it prints later is little.
        std::thread::spawn(move || lines.for_each(drop));
        let file = folder.path().join("his.toml");
        let patient = his.join("\n").replace("timeout_ms = 200", "timeout_ms = 5000");
        std::fs::write(&file, format!("public_url = \"http://{listen}\"\n{patient}")).unwrap();
        Self { process, file, listen, folder }
    }

    /// The same configuration with something replaced.
    fn but(&self, what: &str, by: &str) -> PathBuf {
        let text = std::fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(what), "{text}");
        let file = self.folder.path().join("other.toml");
        std::fs::write(&file, text.replace(what, by)).unwrap();
        file
    }

    fn asks(&self, file: &Path, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } =
            houbu(self.folder.path(), &self.listen).arg("his-check").arg(file).args(arguments).output().unwrap();
        let said = String::from_utf8(stdout).unwrap();
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        (status.code().unwrap(), said)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where `his-check` will listen, which the sandbox has to know before: a port that is free now, at a loopback address that
/// nothing else listens at, so that it is free then too.
fn address_of_its_own() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(2);
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    let free = std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0)).unwrap();
    free.local_addr().unwrap().to_string()
}

fn houbu(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
    command.current_dir(folder).env("HOUBU_LISTEN", listen).env_remove("DATABASE_URL");
    command
}

/// JSON knows no other character set than its own.
#[test]
fn a_sandbox_that_writes_gbk_speaks_jiankangtong() {
    let folder = tempfile::tempdir().unwrap();
    let mut sandbox = houbu(folder.path(), "127.0.0.1:0");
    sandbox.arg("sandbox").env("HOUBU_SANDBOX__CHARSET", "gbk").env("HOUBU_SANDBOX__HIS", "rest");
    let Output { status, stderr, .. } = sandbox.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && said.contains("sandbox.charset") && said.contains("jiankangtong"), "{said}");
}

fn tells_what_it_supports(protocol: &str) {
    let sandbox = Sandbox::speaking(protocol);
    let (code, said) = sandbox.asks(&sandbox.file, &["--department", "K01", "--book", "--pushes", "20", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, said["protocol"].as_str()), (0, Some(protocol)), "{said:#}");
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.len() >= 17, "{said:#}");
    for finding in findings {
        assert_eq!(finding["standing"], "supported", "{protocol}: {finding}");
    }

    let (code, said) = sandbox.asks(&sandbox.file, &["--department", "K01", "--read-only"]);
    assert!(code == 0 && said.contains("✓ schedules: 28 in") && said.contains("– lock: left out"), "{said}");
    let (code, said) = sandbox.asks(&sandbox.file, &["--department", "NONE"]);
    assert!(code == 1 && said.contains("✗ schedules: none of department NONE"), "{said}");
    let other = sandbox.but("sandbox-sign-key", "another-sign-key");
    let (code, said) = sandbox.asks(&other, &["--department", "K01"]);
    assert!(code == 1 && said.contains("✗ query-by-our-id: his refuses"), "{said}");
    assert!(said.contains("✗ list-of-orders: his refuses"), "keys that do not fit are not a missing function: {said}");
}

#[test]
fn day_one_with_a_his_of_jiankangtong() {
    tells_what_it_supports("jiankangtong");
}

#[test]
fn day_one_with_a_his_of_rest() {
    tells_what_it_supports("rest");
}

#[test]
fn day_one_with_a_his_of_fhir() {
    tells_what_it_supports("fhir");
}

/// With what v3.3 has alone, each thing is supported, or is said to be absent with what Houbu does without it; with our functions it is
/// said what to set.
#[test]
fn r10_day_one_with_a_his_that_has_v3_3_alone() {
    for protocol in ["jiankangtong", "rest"] {
        let sandbox = Sandbox::of(protocol, true);
        let (code, said) = sandbox.asks(&sandbox.file, &["--department", "K01", "--book", "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        let standing = |check: &str| {
            let findings = said["findings"].as_array().unwrap().iter();
            let found = findings.filter(|it| it["check"] == check).map(|it| it["standing"].as_str().unwrap());
            found.collect::<Vec<_>>()
        };
        assert_eq!(code, 0, "{said:#}");
        for check in
            ["lock", "lock-repeated", "unlock", "booking", "booking-repeated", "paid", "cancel", "order-cancelled"]
        {
            assert_eq!(standing(check), ["supported"], "{protocol} {check}: {said:#}");
        }
        for check in ["lock-query", "lock-renewed", "lock-overnight"] {
            assert_eq!(standing(check), ["absent"], "{protocol} {check}: {said:#}");
        }
        let (code, said) = sandbox.asks(&sandbox.but("lock = \"2005\"", "lock = \"2013\""), &["--department", "K01"]);
        assert!(code == 1 && said.contains("✗ lock: ") && said.contains("his.lock = \"2005\""), "{said}");
    }
}

#[test]
fn check_says_of_each_destination_what_is_wrong_and_how_to_mend_it() {
    let sandbox = Sandbox::speaking("rest");
    let check = |file: &Path, database: &str| {
        let mut command = houbu(sandbox.folder.path(), &sandbox.listen);
        command.env("HOUBU_CONFIG", file).env("DATABASE_URL", database).arg("check");
        // With a real HIS the keys that everybody knows are refused.
        command.env("HOUBU_KEYS__SEALING", "7".repeat(64)).env("HOUBU_KEYS__LOOKUP", "8".repeat(64));
        let ended = command.output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stdout).unwrap())
    };
    let nobody = "postgres://nobody@127.0.0.1:9/nothing";
    let (code, said) = check(&sandbox.file, nobody);
    assert!(said.contains("✓ HIS (rest) answers (schedules)"), "{said}");
    assert!(said.contains("✗ database: ") && said.contains("look at database.url"), "{said}");
    assert!(said.contains("– public_url: http://") && said.contains("not https"), "{said}");
    assert_eq!(code, 1, "the database is not there");
    let url = std::fs::read_to_string(&sandbox.file).unwrap();
    let url = url.lines().find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"')).unwrap().to_owned();
    for (what, by, mend) in [
        ("sandbox-sign-key", "another-sign-key", "the keys of the two sides differ"),
        ("/rest", "/nowhere", "the path is wrong"),
        (url.as_str(), "http://127.0.0.1:9/rest", "does a firewall let us out"),
    ] {
        let (code, said) = check(&sandbox.but(what, by), nobody);
        let line = said.lines().find(|line| line.starts_with("✗ HIS (rest): ")).unwrap_or_else(|| panic!("{said}"));
        assert!(code == 1 && line.contains(mend) && line.contains("[his]"), "{line}");
    }
}
