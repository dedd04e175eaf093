//! What the outside told us, as staff look at it, have it done again, and say that they have seen to it.

use serde_json::json;
use sqlx::PgConnection;

use super::message_event::OfWechat;
use super::{Answer, Desk, DeskError, his_push, message_event};
use crate::engine::staff::By;
use crate::engine::store::audit;
use crate::ports::his::Push;
use crate::ports::payments::{Notice, Provider};
use crate::records::callbacks::{self, Brings, Fate, Seen, Wanted};
use crate::waitlist::masking::masked;
use crate::waitlist::refusal::Refusal;

/// A stored callback, read again.
enum Again {
    Push(Push),
    Notice(Notice),
    Wechat(OfWechat),
    Platform,
}

impl Again {
    /// None where what is stored is not enough to do it again.
    fn of(stored: &Seen, pays: Provider) -> Option<Self> {
        // Of what could not be read nothing is kept but its hash, and what was counted is many.
        if stored.body.get("why").is_some() && (stored.body.get("sha256").is_some() || stored.subject.is_empty()) {
            return None;
        }
        match stored.source.as_str() {
            his_push::SOURCE => serde_json::from_value(stored.body.clone()).ok().map(Self::Push),
            payments if payments == pays.source() => serde_json::from_value(stored.body.clone()).ok().map(Self::Notice),
            message_event::WECHAT => OfWechat::named(&stored.kind).map(Self::Wechat),
            message_event::PLATFORM => Some(Self::Platform),
            _ => None,
        }
    }
}

impl Desk {
    /// Callbacks, the latest first. The payment provider's numbers are starred, as they are on a run's page.
    pub async fn callbacks(&self, wanted: &Wanted) -> Answer<Vec<Seen>> {
        let mut found = callbacks::list(&self.engine.pool, self.hospital(), wanted).await?;
        let pays = self.ports.payments.provider().source();
        let says = |one: &Seen| one.source == pays && one.body.get("why").is_none();
        for one in found.iter_mut().filter(|one| says(one)) {
            one.body = masked(&one.body);
        }
        Ok(found)
    }

    /// Whether enough of it was kept to do it again.
    pub fn can_replay(&self, stored: &Seen) -> bool {
        Again::of(stored, self.ports.payments.provider()).is_some()
    }

    /// Does again what a stored callback asks for; runs that have heard of it do not hear of it again. Answers what became of it now.
    /// [`DeskError::NotReplayable`] where its content was not kept.
    pub async fn replay_callback(&self, source: &str, event_id: &str, by: &By) -> Answer<Fate> {
        let mut tx = self.begin().await?;
        let stored = self.stored(&mut tx, source, event_id).await?;
        let again = Again::of(&stored, self.ports.payments.provider()).ok_or(DeskError::NotReplayable)?;
        // Should we die before it is done, it waits for a person as what was never done does.
        self.passes_to(&mut tx, &stored, "callback.replay", Fate::Received, by).await?;
        tx.commit().await?;
        let status = stored.body["status"].as_str().unwrap_or_default();
        match again {
            Again::Push(push) => self.act_on_push(&push).await,
            Again::Notice(notice) => match self.notice_tells(&notice, Brings::Staff).await {
                Err(DeskError::NotOurs) => Ok(Fate::NoRun),
                Err(DeskError::WrongAmount | DeskError::UnknownRefund) => Ok(Fate::Refused),
                came => came,
            },
            Again::Wechat(of) => self.wechat_tells(of, &stored.subject, status, Brings::Staff).await,
            Again::Platform => {
                let arrival = message_event::arrival(&stored.kind, status);
                self.platform_tells(&stored.subject, &arrival, Brings::Staff).await
            }
        }
    }

    /// A person has seen to what a callback says: it waits for nobody any more.
    pub async fn settle_callback(&self, source: &str, event_id: &str, by: &By) -> Answer<()> {
        let mut tx = self.begin().await?;
        let stored = self.stored(&mut tx, source, event_id).await?;
        if stored.fate != Fate::Settled.as_str() {
            self.passes_to(&mut tx, &stored, "callback.settle", Fate::Settled, by).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn stored(&self, conn: &mut PgConnection, source: &str, event_id: &str) -> Answer<Seen> {
        let found = callbacks::hold(conn, self.hospital(), source, event_id).await?.ok_or(Refusal::NotFound)?;
        // A count of what was not believed is nothing that anybody said.
        if found.fate == Fate::Unbelieved.as_str() { Err(DeskError::NotReplayable) } else { Ok(found) }
    }

    async fn passes_to(&self, conn: &mut PgConnection, stored: &Seen, verb: &str, fate: Fate, by: &By) -> Answer<()> {
        let (source, event_id) = (stored.source.as_str(), stored.event_id.as_str());
        callbacks::settle(&mut *conn, self.hospital(), source, event_id, fate).await?;
        let stands = |fate: &str| json!({ "source": source, "eventId": event_id, "fate": fate });
        let deed = by.deed(verb, stands(&stored.fate), stands(fate.as_str()));
        Ok(audit::write(conn, self.hospital(), &deed).await?)
    }
}
