//! The text that a notice is written with: the version in force, by its number, which is read with each letter. A version
//! never changes, so one that was read may be kept here for ever, in any number of processes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;

use crate::engine::Fault;
use crate::records::templates::{self, Numbered};
use crate::waitlist::template::{Template, TemplateName};

use super::unread;

/// Versions that are kept; more than a hospital has in force.
const KEPT_MAX: usize = 256;

/// The texts that were read.
pub struct Texts {
    pool: PgPool,
    hospital: String,
    /// The platform's template ids of the built-in texts, by our names.
    ids: BTreeMap<String, String>,
    kept: Mutex<HashMap<(TemplateName, Numbered), Arc<Template>>>,
}

impl Texts {
    /// Over our tables. `ids`: the platform's template ids by our names; a name without one is its own id.
    pub fn new(pool: PgPool, hospital: String, ids: BTreeMap<String, String>) -> Self {
        Self { pool, hospital, ids, kept: Mutex::default() }
    }

    /// What is said where staff stored nothing.
    pub fn built_in(&self, name: TemplateName) -> Template {
        built_in(&self.ids, name)
    }

    /// The text of this version; the built-in one where there is none.
    pub async fn of(&self, name: TemplateName, version: Option<Numbered>) -> Result<Arc<Template>, Fault> {
        let Some(version) = version else { return Ok(Arc::new(self.built_in(name))) };
        let key = (name, version);
        if let Some(text) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(text));
        }
        let found = templates::find(&self.pool, &self.hospital, name.as_str(), &key.1).await.map_err(unread)?;
        let text = found.and_then(|found| found.body).ok_or_else(|| {
            Fault::Stop(format!("version {} of the text {} is not there any more", key.1.version, name.as_str()))
        })?;
        let text = Arc::new(text.0);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&text));
        Ok(text)
    }
}

/// What is said where staff stored nothing, under the platform's id of that name, or the name itself.
pub fn built_in(ids: &BTreeMap<String, String>, name: TemplateName) -> Template {
    let id = ids.get(name.as_str()).map_or(name.as_str(), String::as_str);
    Template::built_in(name, id.to_owned())
}
