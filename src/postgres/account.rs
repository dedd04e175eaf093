//! Who runs PostgreSQL: it refuses to be root. A normal user runs it as itself; root hands it to `postgres`, else to
//! `nobody`, else to a user namespace in which root looks like somebody else.
//!
//! It never creates an account and never opens a closed folder.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::PostgresError;

/// Who runs PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// The user of this process.
    Myself,
    /// Another user, since this process is root.
    Other { name: String, uid: u32, gid: u32 },
    /// Root in a user namespace; the files stay root's.
    Namespace,
}

impl Account {
    /// The account for this process.
    pub(crate) fn of_this_process() -> Self {
        Self::choose(nix::unistd::geteuid().is_root(), |name| {
            let user = nix::unistd::User::from_name(name).ok()??;
            Some((user.uid.as_raw(), user.gid.as_raw()))
        })
    }

    /// The rule; `known` gives a user's and group's id by name.
    fn choose(am_root: bool, known: impl Fn(&str) -> Option<(u32, u32)>) -> Self {
        if !am_root {
            return Self::Myself;
        }
        let other = |name: &str| known(name).map(|(uid, gid)| Self::Other { name: name.to_owned(), uid, gid });
        other("postgres").or_else(|| other("nobody")).unwrap_or(Self::Namespace)
    }

    /// The user id that owns the cluster's files, as this process sees it.
    pub(crate) fn uid(&self) -> u32 {
        match self {
            Self::Other { uid, .. } => *uid,
            Self::Myself | Self::Namespace => nix::unistd::geteuid().as_raw(),
        }
    }

    /// A command that this account runs, with nothing of our environment: `PGDATA`, `PGPORT` and their like would be
    /// obeyed. The working folder is one that everybody can enter.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Myself | Self::Other { .. } => Command::new(program),
            Self::Namespace => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--user", "--map-user=1000"]).arg(program);
                unshare
            }
        };
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command.env_clear().envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8")]);
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Gives a file or folder to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        match self {
            Self::Myself | Self::Namespace => Ok(()),
            Self::Other { uid, gid, .. } => {
                std::os::unix::fs::chown(path, Some(*uid), Some(*gid)).map_err(PostgresError::io("give away", path))
            }
        }
    }

    /// Whether this account can get to a folder, said before PostgreSQL says it less clearly.
    pub(crate) fn reach(&self, folder: &Path) -> Result<(), PostgresError> {
        let Self::Other { name, uid, gid } = self else {
            return Ok(());
        };
        let real = folder.canonicalize().map_err(PostgresError::io("find", folder))?;
        for step in real.ancestors() {
            let about = std::fs::metadata(step).map_err(PostgresError::io("look at", step))?;
            let enter = match () {
                () if about.uid() == *uid => 0o100,
                () if about.gid() == *gid => 0o010,
                () => 0o001,
            };
            if about.mode() & enter == 0 {
                return Err(PostgresError::Closed { folder: step.to_owned(), user: name.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_hands_over_to_the_first_account_there_is() {
        let known = |names: &'static [&'static str]| {
            move |name: &str| names.iter().position(|known| *known == name).map(|_| (7, 8))
        };
        let other = |name: &str| Account::Other { name: name.to_owned(), uid: 7, gid: 8 };
        assert_eq!(Account::choose(false, known(&["postgres"])), Account::Myself);
        assert_eq!(Account::choose(true, known(&["nobody", "postgres"])), other("postgres"));
        assert_eq!(Account::choose(true, known(&["nobody"])), other("nobody"));
        assert_eq!(Account::choose(true, known(&[])), Account::Namespace);
    }
}
