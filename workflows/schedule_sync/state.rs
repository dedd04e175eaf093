//! What a department's sync knows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::workflows::changes::Untold;

/// What a run of `schedule_sync` knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Department {
    /// The department (HIS's `DEPT_ID`).
    pub id: String,
    /// When it was last pulled.
    pub pulled_at: Option<DateTime<Utc>>,
    /// When HIS, which was away, is asked again.
    pub next_at: DateTime<Utc>,
    /// Schedules with places that somebody waits for.
    pub freed: Vec<String>,
    /// Stopped schedules that concern somebody.
    pub stopped: Vec<String>,
    /// Schedules that have become another one, and whoever has not agreed to that (R34).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Untold>,
}

/// Ask HIS again at once; or, for a department that is given up, never again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PullNow {
    /// True: this pull is given up; the job starts the next one.
    #[serde(default)]
    pub retire: bool,
}
