//! The settings of the private server: two cores, a queue that is mostly written to, nobody on the network.
//!
//! They go on the command line, so the files of the cluster stay as `initdb` wrote them. It decides values only.

use std::path::Path;

use super::{DataDir, Durability, Options};

/// The number in the name of the socket. No port of the machine is taken.
pub(crate) const PORT: u16 = 5432;

/// On every private server.
const ALWAYS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_line_prefix", "%m [%p] "),
    // Details and statements of failed writes can hold a patient's data: they stay out of the log.
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
    ("shared_buffers", "256MB"),
    ("work_mem", "8MB"),
    ("jit", "off"),
    ("random_page_cost", "1.1"),
    ("wal_compression", "on"),
    // The rows of a queue are rewritten all the time: sweep early and quickly.
    ("autovacuum_naptime", "15s"),
    ("autovacuum_vacuum_scale_factor", "0.05"),
    ("autovacuum_vacuum_cost_limit", "1000"),
];

/// On a server whose files stay: few checkpoints, so that full pages are seldom written again.
const KEPT: &[(&str, &str)] =
    &[("max_wal_size", "2GB"), ("min_wal_size", "256MB"), ("checkpoint_timeout", "15min"), ("wal_level", "replica")];

/// On a server in memory: little write-ahead log, since it takes room away from the machine.
const TEMPORARY: &[(&str, &str)] =
    &[("max_wal_size", "64MB"), ("min_wal_size", "8MB"), ("wal_level", "minimal"), ("max_wal_senders", "0")];

/// A lost machine loses everything.
const NOT_DURABLE: &[(&str, &str)] = &[("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];

/// Said aloud, so that a line in some configuration file cannot take it away.
const DURABLE: &[(&str, &str)] = &[("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];

/// All settings as `name=value`, the caller's last: of two values PostgreSQL takes the later one.
pub(crate) fn of(options: &Options, socket: &Path) -> Vec<String> {
    let place = match options.data {
        DataDir::Kept(_) => KEPT,
        DataDir::Temporary => TEMPORARY,
    };
    let durability = match options.durability {
        Durability::Full => DURABLE,
        Durability::None => NOT_DURABLE,
    };
    let fixed = ALWAYS.iter().chain(place).chain(durability).map(|(name, value)| format!("{name}={value}"));
    let here = [
        format!("unix_socket_directories={}", socket.display()),
        format!("port={PORT}"),
        format!("max_connections={}", options.max_connections),
    ];
    fixed.chain(here).chain(options.settings.iter().map(|(name, value)| format!("{name}={value}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fsync_is_off_only_where_nothing_needs_to_last() {
        let off = |options: &Options| of(options, Path::new("/s")).iter().any(|setting| setting == "fsync=off");
        assert!(!off(&Options::kept("/d")));
        assert!(!off(&Options { durability: Durability::Full, ..Options::throwaway() }));
        assert!(off(&Options::throwaway()));
    }

    #[test]
    fn the_callers_settings_come_last() {
        let options = Options { settings: vec![("work_mem".into(), "1MB".into())], ..Options::kept("/d") };
        assert_eq!(of(&options, Path::new("/s")).last().map(String::as_str), Some("work_mem=1MB"));
    }
}
