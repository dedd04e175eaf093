//! The patient leaves the queue (R12, E5).

use uuid::Uuid;

use super::{Answer, Desk};
use crate::engine::store::signal;
use crate::waitlist::refusal::Refusal;

impl Desk {
    /// Withdraws an application. Withdrawing it again is the same; [`Refusal::NotWithdrawable`] while HIS is booking
    /// and once it is over.
    pub async fn withdraw(&self, id: Uuid) -> Answer<()> {
        let mut tx = self.begin().await?;
        let (shown, status) = self.hold(&mut tx, id).await?;
        if shown.reason.as_deref() == Some("withdrawn") {
            return Ok(());
        }
        if !status.withdrawable() {
            return Err(Refusal::NotWithdrawable.into());
        }
        // Said again while it was not heard it is the same; whom staff have led back may withdraw anew.
        let heard = signal::heard(&mut *tx, self.hospital(), id, "Withdrawal").await?;
        self.send(tx, id, "Withdrawal", format!("withdraw:{heard}"), serde_json::json!({})).await.map(drop)
    }
}
