//! The folder of one private cluster: `houbu.lock`, `data/` (the cluster), `postgres.log`; and the socket's folder.
//!
//! The lock makes sure that one Houbu at a time works on it. A kept folder is never removed; a temporary one is removed
//! at the end, and what a killed process left behind is removed by the next one.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::account::Account;
use super::{DataDir, PostgresError};

/// A temporary cluster goes into memory only where this much is free, in bytes: containers often have 64 MB.
const ROOM_IN_MEMORY_BYTES: u64 = 1 << 30;

/// An open folder. The lock is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Home {
    /// The folder itself.
    pub(crate) folder: PathBuf,
    /// The lock's file if the folder is a temporary one.
    temporary: Option<PathBuf>,
    socket: Option<PathBuf>,
    _lock: File,
}

impl Home {
    /// Opens the folder, creates it if it is missing, and locks it.
    pub(crate) fn open(data: &DataDir, account: &Account) -> Result<Self, PostgresError> {
        match data {
            DataDir::Kept(folder) => Self::kept(folder, account),
            DataDir::Temporary => Self::temporary(account),
        }
    }

    fn kept(folder: &Path, account: &Account) -> Result<Self, PostgresError> {
        make_folders(folder, account)?;
        let folder = folder.canonicalize().map_err(PostgresError::io("find", folder))?;
        let path = lock_in(&folder);
        let lock = lock_soon(&path)?.ok_or_else(|| PostgresError::InUse {
            process: fs::read_to_string(&path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            folder: folder.clone(),
        })?;
        Ok(Self { folder, temporary: None, socket: None, _lock: lock })
    }

    fn temporary(account: &Account) -> Result<Self, PostgresError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = temporary_place();
        let prefix = format!("houbu-pg-{}-", nix::unistd::geteuid());
        sweep(place, &prefix);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = place.join(format!("{prefix}{}-{count}", std::process::id()));
            let path = folder.with_extension("lock");
            // Taken, or swept away by somebody else between creation and lock: the next number will do.
            let Some(lock) = lock(&path)? else { continue };
            if !path.exists() || folder.exists() {
                continue;
            }
            make_folders(&folder, account)?;
            return Ok(Self { folder, temporary: Some(path), socket: None, _lock: lock });
        }
    }

    /// Where the cluster is in a folder.
    pub(crate) fn data_in(folder: &Path) -> PathBuf {
        folder.join("data")
    }

    /// Where the cluster is.
    pub(crate) fn data(&self) -> PathBuf {
        Self::data_in(&self.folder)
    }

    /// Where the server's words go.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// A folder for the socket, closed to everybody but the account. Its path is short (107 bytes are the limit), and
    /// for a kept cluster the same at each start.
    pub(crate) fn socket(&mut self, account: &Account) -> Result<PathBuf, PostgresError> {
        let wanted = if self.temporary.is_some() {
            self.folder.join("s")
        } else {
            let name = Path::new("/tmp").join(format!("houbu-pg-{:016x}", fingerprint(&self.folder)));
            // In /tmp anybody can have taken the name: then another one.
            (0..100)
                .map(|number| name.with_extension(number.to_string()))
                .find(|path| is_free(path, account))
                .unwrap_or(name)
        };
        match DirBuilder::new().mode(0o700).create(&wanted) {
            Ok(()) => account.own(&wanted)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && is_free(&wanted, account) => {}
            Err(error) => return Err(PostgresError::io("create", &wanted)(error)),
        }
        self.socket = Some(wanted.clone());
        Ok(wanted)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now is used again by the next start, or removed by its sweep.
        if let Some(socket) = &self.socket {
            let _ = fs::remove_dir(socket);
        }
        if let Some(lock) = &self.temporary {
            let _ = fs::remove_dir_all(&self.folder);
            let _ = fs::remove_file(lock);
        }
    }
}

/// Whether a Houbu that lives has this folder.
pub(crate) fn is_locked(folder: &Path) -> bool {
    File::open(lock_in(folder)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Houbu's folder for data: root's is not in `/root`, which is closed to the account that runs PostgreSQL.
pub(crate) fn data_base(am_root: bool, var: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if am_root { "/var/lib/houbu".into() } else { own_folder(&var, "XDG_DATA_HOME", ".local/share") }
}

/// Houbu's folder for what can be made again.
pub(crate) fn cache(am_root: bool, var: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if am_root { "/var/cache/houbu".into() } else { own_folder(&var, "XDG_CACHE_HOME", ".cache") }
}

fn own_folder(var: &impl Fn(&str) -> Option<PathBuf>, name: &str, below_home: &str) -> PathBuf {
    let own = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.dir);
    var(name)
        .filter(|path| path.is_absolute())
        .or_else(|| var("HOME").filter(|path| path.is_absolute()).or_else(own).map(|home| home.join(below_home)))
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/houbu-{}", nix::unistd::geteuid())))
        .join("houbu")
}

/// The newest `pg<major>` folder that holds a cluster.
pub(crate) fn newest_kept(base: &Path) -> Option<PathBuf> {
    let kept = fs::read_dir(base).ok()?.flatten().filter_map(|entry| {
        let major: u32 = entry.file_name().to_str()?.strip_prefix("pg")?.parse().ok()?;
        Home::data_in(&entry.path()).exists().then(|| (major, entry.path()))
    });
    kept.max_by_key(|(major, _)| *major).map(|(_, folder)| folder)
}

/// Creates a folder and those above it. Root's can be passed through by the account that runs PostgreSQL; anybody else's
/// are closed to others.
pub(crate) fn make_folders(folder: &Path, account: &Account) -> Result<(), PostgresError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folders(parent, account)?;
    }
    let mode = if *account == Account::Myself { 0o700 } else { 0o711 };
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(PostgresError::io("open", folder)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(PostgresError::io("create", folder)(error)),
    }
}

/// A program that this process is just starting holds our open files until it has become that program: a lock that was
/// given up a moment ago is free as soon as it has.
const A_MOMENT: Duration = Duration::from_millis(500);

/// Takes the lock; `None` where another process keeps it for longer than a moment.
fn lock_soon(path: &Path) -> Result<Option<File>, PostgresError> {
    let began = Instant::now();
    loop {
        match lock(path)? {
            None if began.elapsed() < A_MOMENT => std::thread::sleep(Duration::from_millis(10)),
            locked => return Ok(locked),
        }
    }
}

/// Locks a file and writes our process id into it; nothing if somebody else has it.
fn lock(path: &Path) -> Result<Option<File>, PostgresError> {
    let mut file =
        File::options().create(true).truncate(false).write(true).open(path).map_err(PostgresError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(PostgresError::io("lock", path)(error)),
    }
    let id = format!("{}\n", std::process::id());
    file.set_len(0).and_then(|()| file.write_all(id.as_bytes())).map_err(PostgresError::io("write", path))?;
    Ok(Some(file))
}

fn lock_in(folder: &Path) -> PathBuf {
    folder.join("houbu.lock")
}

/// Removes the temporary folders of processes that were killed.
fn sweep(place: &Path, prefix: &str) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours =
            entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix) && path.extension().is_some());
        let abandoned = |file: &File| file.try_lock().is_ok();
        if ours && File::open(&path).as_ref().is_ok_and(abandoned) {
            let _ = fs::remove_dir_all(path.with_extension(""));
            let _ = fs::remove_file(&path);
        }
    }
}

fn temporary_place() -> &'static Path {
    let memory = Path::new("/dev/shm");
    let room = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|about| about.blocks_available().saturating_mul(about.fragment_size()) >= ROOM_IN_MEMORY_BYTES);
    if room { memory } else { Path::new("/tmp") }
}

/// Nothing is there, or the account's own closed folder.
fn is_free(path: &Path, account: &Account) -> bool {
    fs::symlink_metadata(path)
        .map_or(true, |about| about.is_dir() && about.uid() == account.uid() && about.mode().trailing_zeros() >= 6)
}

/// FNV-1a: the same number for the same path in every build.
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_out_of_its_own_home() {
        let var = |name: &str| (name == "HOME").then(|| PathBuf::from("/root"));
        assert_eq!(data_base(true, var), Path::new("/var/lib/houbu"));
        assert_eq!(cache(true, var), Path::new("/var/cache/houbu"));
    }

    #[test]
    fn a_users_folders_follow_xdg_and_pass_over_relative_ones() {
        let var = |name: &str| match name {
            "HOME" => Some(PathBuf::from("/home/wei")),
            "XDG_DATA_HOME" => Some(PathBuf::from("/data")),
            "XDG_CACHE_HOME" => Some(PathBuf::from("relative")),
            _ => None,
        };
        assert_eq!(data_base(false, var), Path::new("/data/houbu"));
        assert_eq!(cache(false, var), Path::new("/home/wei/.cache/houbu"));
    }

    #[test]
    fn the_newest_folder_with_a_cluster_is_kept_to() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(newest_kept(base.path()), None);
        for made in ["pg9/data", "pg15/data", "pg18", "other/data"] {
            fs::create_dir_all(base.path().join(made)).unwrap();
        }
        assert_eq!(newest_kept(base.path()), Some(base.path().join("pg15")));
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_locked_stays() {
        let place = tempfile::tempdir().unwrap();
        for name in ["p-1-0", "p-2-0", "q-1-0"] {
            fs::create_dir(place.path().join(name)).unwrap();
            File::create(place.path().join(name).with_extension("lock")).unwrap();
        }
        let held = lock(&place.path().join("p-2-0.lock")).unwrap().unwrap();
        sweep(place.path(), "p-");
        let left = ["p-1-0", "p-1-0.lock", "p-2-0", "p-2-0.lock", "q-1-0"].map(|name| place.path().join(name).exists());
        assert_eq!(left, [false, false, true, true, true]);
        drop(held);
    }
}
