//! Messages that the platform did not take, as staff see them: which they are and why, and that they are sent again.

use super::{Answer, Desk};
use crate::engine::staff::By;
use crate::engine::staff::letters::{self, PutAside};

/// The most messages that one request sends again.
pub const RETRIED_MAX: i64 = 500;

/// Which messages; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this topic.
    pub topic: Option<String>,
    /// Whose last error contains this text.
    pub error: Option<String>,
    /// After this one.
    pub after: Option<String>,
    /// So many at most.
    pub most: i64,
}

impl Desk {
    /// Messages that wait for a person, by id.
    pub async fn letters_put_aside(&self, wanted: &Wanted) -> Answer<Vec<PutAside>> {
        let (topic, error, after) = (wanted.topic.as_deref(), wanted.error.as_deref(), wanted.after.as_deref());
        Ok(letters::put_aside(&self.engine.pool, self.hospital(), topic, error, after, wanted.most).await?)
    }

    /// Sends messages again. Answers those that did wait for a person.
    pub async fn retry_letters(&self, ids: &[String], by: &By) -> Answer<Vec<PutAside>> {
        Ok(letters::retry(&self.engine, ids, by).await?)
    }
}
