//! The patient declines the offered place (R9).

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::engine::clock;
use crate::waitlist::refusal::Refusal;

impl Desk {
    /// Declines the offer that is out, or the one that ends at `offer_until` alone: where a declined offer keeps the turn (Q6),
    /// what is asked for twice would meet the next one. Declining it again is the same; [`Refusal::OfferGone`] where it has
    /// ended, [`Refusal::NotDeclinable`] where there is none.
    pub async fn decline(&self, id: Uuid, offer_until: Option<DateTime<Utc>>) -> Answer<()> {
        self.offer_settles(id).await?;
        let mut tx = self.begin().await?;
        let (shown, status) = self.hold(&mut tx, id).await?;
        match shown.reason.as_deref() {
            Some("declined") => return Ok(()),
            Some("lapsed") => return Err(Refusal::OfferGone.into()),
            _ if super::is_another(offer_until, shown.deadline) => return Err(Refusal::OfferGone.into()),
            _ => {}
        }
        // Without a deadline the place is only being locked: a refusal now would be taken for one of a later offer.
        let deadline = shown.deadline.filter(|_| status.declinable()).ok_or(Refusal::NotDeclinable)?;
        if clock::now(&mut *tx).await? >= deadline {
            return Err(Refusal::OfferGone.into());
        }
        // The entry changes whenever its run moves: of two offers that end at the same instant (E3), each has its own.
        let meant = json!({ "until": deadline });
        self.send(tx, id, "Decline", format!("decline:{}", shown.version), meant).await.map(drop)
    }
}
