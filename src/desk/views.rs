//! Searches that the team keeps and shares.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit;
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

    /// Makes one, or gives one of this name another search; the audit has the former one. Another's is replaced only by whoever
    /// `mends`, as it is removed.
    pub async fn put_view(&self, page: &str, name: &str, query: &str, by: &By, mends: bool) -> Answer<()> {
        let name = name.trim();
        let named = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if query.len() > QUERY_MAX {
            return Err(DeskError::Unfit(
                "查找条件过长，无法保存为视图。",
                "The search is too long to be kept as a view.",
            ));
        }
        if !named {
            return Err(DeskError::Unfit("视图名称须为 1 至 40 个字符。", "A view has a name of 1 to 40 characters."));
        }
        let mut tx = self.begin().await?;
        let former = views::hold(&mut *tx, self.hospital(), page, name).await?;
        if !views::put(&mut *tx, self.hospital(), page, name, query, &by.who, mends).await? {
            return Err(DeskError::Unfit(
                "已有同名视图，由他人保存，请换一个名称。",
                "Somebody else keeps a view of this name: choose another name.",
            ));
        }
        let after = json!({ "view": name, "query": query, "madeBy": by.who });
        let before = former.as_ref().map_or_else(|| json!({}), written);
        audit::write(&mut tx, self.hospital(), &by.deed("view.put", before, after)).await?;
        Ok(tx.commit().await?)
    }

    /// Removes one, and says what it was.
    pub async fn remove_view(&self, id: Uuid, by: &By) -> Answer<View> {
        let mut tx = self.begin().await?;
        let view = views::remove(&mut *tx, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
        let deed = by.deed("view.remove", written(&view), json!({ "view": view.name }));
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        Ok(view)
    }
}

fn written(view: &View) -> Value {
    json!({ "view": view.name, "query": view.query, "madeBy": view.made_by })
}
