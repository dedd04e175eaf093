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
use crate::workflows::Ports;

/// How often a waiting look is repeated.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long locking at HIS is waited for.
const LOCKING_MAX: Duration = Duration::from_secs(5);

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
        Ok(with_parameters(&self.ports, shown, self.now().await?))
    }

    /// One application as soon as `enough` says so, or after `wait` as it is then.
    pub async fn entry_when(&self, id: Uuid, wait: Duration, enough: impl Fn(&Shown) -> bool) -> Answer<Entry> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let shown = entries::find(&self.engine.pool, self.hospital(), id).await?.ok_or(Refusal::NotFound)?;
            if enough(&shown) || tokio::time::Instant::now() >= until {
                return Ok(with_parameters(&self.ports, shown, self.now().await?));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits a moment while a place is being locked: an offer has no deadline until HIS holds the place.
    pub(super) async fn offer_settles(&self, id: Uuid) -> Answer<()> {
        let offered = EntryStatus::Offered.as_str();
        let settled = |shown: &Shown| shown.status != offered || shown.deadline.is_some();
        self.entry_when(id, LOCKING_MAX, settled).await.map(drop)
    }

    /// A patient's applications, newest first; `before` is the `seq` of the last one that was seen.
    pub async fn entries_of(
        &self,
        patient_id: &str,
        status: Option<&str>,
        before: Option<i64>,
        most: i64,
    ) -> Answer<Vec<Entry>> {
        let page = entries::of_patient(&self.engine.pool, self.hospital(), patient_id, status, before, most).await?;
        let now = self.now().await?;
        Ok(page.into_iter().map(|shown| with_parameters(&self.ports, shown, now)).collect())
    }

    /// A patient's visits from the waitlist, newest first (R22).
    pub async fn visits_of(&self, patient_id: &str) -> Answer<Vec<visits::Shown>> {
        Ok(visits::of_patient(&self.engine.pool, self.hospital(), patient_id).await?)
    }
}

pub(super) fn with_parameters(ports: &Ports, shown: Shown, now: DateTime<Utc>) -> Entry {
    let pays = matches!(
        EntryStatus::parse(&shown.status),
        Some(EntryStatus::AwaitingPayment | EntryStatus::AwaitingPrepayment)
    );
    let prepay_id = shown.payment.as_ref().and_then(|payment| payment.get("prepayId")).and_then(Value::as_str);
    let client_parameters =
        prepay_id.filter(|_| pays).map(|prepay_id| ports.payments.client_parameters(prepay_id, now));
    Entry { shown, client_parameters }
}
