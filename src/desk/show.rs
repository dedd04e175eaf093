//! Applications as they are shown (R12). Nothing here changes anything.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::records::entries::{self, Shown};
use crate::records::visits;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;

/// How often a waiting look is repeated.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// The most applications of one page.
pub const PAGE_MAX: i64 = 50;

/// An application, with what the payer's client needs while there is something to pay.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The application.
    pub shown: Shown,
    /// Signed parameters for the payer's client; only while money is awaited.
    pub client_parameters: Option<Value>,
}

impl Entry {
    /// The status, where it is one that we know.
    pub fn status(&self) -> Option<EntryStatus> {
        EntryStatus::parse(&self.shown.status)
    }
}

impl Desk {
    /// One application, or [`Refusal::NotFound`].
    pub async fn entry(&self, id: Uuid) -> Answer<Entry> {
        let shown = entries::find(&self.engine.pool, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
        Ok(self.with_parameters(shown, self.now().await?))
    }

    /// One application as soon as `enough` says so, or after `wait` as it is then.
    pub async fn entry_when(&self, id: Uuid, wait: Duration, enough: impl Fn(&Shown) -> bool) -> Answer<Entry> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let shown = entries::find(&self.engine.pool, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
            if enough(&shown) || tokio::time::Instant::now() >= until {
                return Ok(self.with_parameters(shown, self.now().await?));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A patient's applications, newest first; `before` is the `seq` of the last one that was seen.
    pub async fn entries_of(&self, patient_id: &str, status: Option<&str>, before: Option<i64>) -> Answer<Vec<Entry>> {
        let page =
            entries::of_patient(&self.engine.pool, self.hospital(), patient_id, status, before, PAGE_MAX).await?;
        let now = self.now().await?;
        Ok(page.into_iter().map(|shown| self.with_parameters(shown, now)).collect())
    }

    /// A patient's visits from the waitlist, newest first (R22).
    pub async fn visits_of(&self, patient_id: &str) -> Answer<Vec<visits::Shown>> {
        Ok(visits::of_patient(&self.engine.pool, self.hospital(), patient_id).await?)
    }

    fn with_parameters(&self, shown: Shown, now: DateTime<Utc>) -> Entry {
        let pays = matches!(
            EntryStatus::parse(&shown.status),
            Some(EntryStatus::AwaitingPayment | EntryStatus::AwaitingPrepayment)
        );
        let prepay_id = shown.payment.as_ref().and_then(|payment| payment.get("prepayId")).and_then(Value::as_str);
        let client_parameters =
            prepay_id.filter(|_| pays).map(|prepay_id| self.ports.payments.client_parameters(prepay_id, now));
        Entry { shown, client_parameters }
    }
}
