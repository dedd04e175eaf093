//! What pages and forms are asked with, beside what each asks for itself.

use serde::Deserialize;

/// Word of what was just done, for the page that is shown after it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    pub(super) done: String,
}

/// Why somebody does it.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    pub(super) reason: String,
}
