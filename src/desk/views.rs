//! Searches that the team keeps and shares.

use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::records::views::{self, View};
use crate::waitlist::refusal::Refusal;

/// The longest name, letters.
const NAME_MAX: usize = 40;
/// The longest search, bytes.
const QUERY_MAX: usize = 1000;

impl Desk {
    /// Those of a page, the eldest first.
    pub async fn views(&self, page: &str) -> Answer<Vec<View>> {
        Ok(views::list(&self.engine.pool, self.hospital(), page).await?)
    }

    /// Makes one, or gives one of this name another search.
    pub async fn put_view(&self, page: &str, name: &str, query: &str, who: &str) -> Answer<()> {
        let name = name.trim();
        let named = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !named || query.len() > QUERY_MAX {
            return Err(DeskError::Unreadable(format!("a view has a name of 1 to {NAME_MAX} characters")));
        }
        Ok(views::put(&self.engine.pool, self.hospital(), page, name, query, who).await?)
    }

    /// Removes one.
    pub async fn remove_view(&self, id: Uuid) -> Answer<()> {
        let removed = views::remove(&self.engine.pool, self.hospital(), id).await?;
        if removed { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }
}
