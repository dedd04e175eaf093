//! The engine's own tables, for whoever uses it without a hospital.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

/// Every migration of this repository.
static ALL: Migrator = sqlx::migrate!();

/// Those that are the engine's, by the words of their file names. A migration that no run needs is not among them.
const OURS: [&str; 19] = [
    "engine",
    "run place",
    "staff",
    "limits",
    "past",
    "crew",
    "jobs",
    "batches",
    "dead hands",
    "trace of signals",
    "eager starts",
    "fixed plans",
    "absorbed hints",
    "quick clock",
    "rising indexes",
    "release before",
    "less a row",
    "decided starts",
    "bulk sets",
];

/// The migrations of the engine alone.
pub fn migrations() -> Migrator {
    let ours = ALL.iter().filter(|migration| OURS.contains(&&*migration.description)).cloned().collect();
    let mut migrator = Migrator::with_migrations(ours);
    // The database may be a hospital's and hold the other ones as well.
    migrator.set_ignore_missing(true);
    migrator
}

/// Makes the engine's tables, or brings them up to date.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    migrations().run(pool).await
}
