//! The patient accepts the locked place (R9).

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::records::entries::Shown;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;

impl Desk {
    /// Accepts the offer that is out, or the one that ends at `offer_until` alone. Accepting it again is the same acceptance;
    /// [`Refusal::OfferGone`] where it has ended, [`Refusal::NotConfirmable`] where there is none,
    /// [`Refusal::QuestionOpen`] where the visit is another one by now and the patient has not agreed.
    pub async fn confirm(&self, id: Uuid, offer_until: Option<DateTime<Utc>>) -> Answer<()> {
        self.offer_settles(id).await?;
        let mut tx = self.begin().await?;
        let (shown, status) = self.hold(&mut tx, id).await?;
        if super::is_another(offer_until, shown.deadline) {
            return Err(Refusal::OfferGone.into());
        }
        let about = shown.question.as_ref().and_then(|question| question["about"].as_str());
        if about == Some("change") {
            return Err(Refusal::QuestionOpen.into());
        }
        if status == EntryStatus::AwaitingPayment {
            return Ok(());
        }
        let now = crate::engine::clock::now(&mut *tx).await?;
        // While the place is being locked there is no deadline, and nothing to accept: the acceptance would wait in
        // the inbox and be taken for one of a later offer.
        let deadline = shown.deadline.filter(|_| status.confirmable()).ok_or_else(|| no_offer(&shown, status))?;
        if now >= deadline {
            return Err(Refusal::OfferGone.into());
        }
        // The entry changes whenever its run moves: of two offers that end at the same instant (E3), each has its own.
        let meant = json!({ "until": deadline });
        self.send(tx, id, "Confirm", format!("confirm:{}", shown.version), meant).await.map(drop)
    }
}

fn no_offer(shown: &Shown, status: EntryStatus) -> Refusal {
    let ended = status == EntryStatus::Lapsed || shown.reason.as_deref() == Some("lapsed");
    if ended { Refusal::OfferGone } else { Refusal::NotConfirmable }
}
