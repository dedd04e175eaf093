//! Whether a message arrived, as the message platform tells later. No run depends on it; whom the platform could not bring it
//! to is written an SMS, where there is a gateway for that (R9, R23).

use std::time::Duration;

use serde_json::json;

use super::his_push::Fate;
use super::{Answer, Desk};
use crate::engine::{Effect, store};
use crate::records::callbacks::{self, Callback};
use crate::records::notices;
use crate::workflows::notices::sms_letter;

const SOURCE: &str = "wechat";
/// What the platform says of a message that arrived.
const ARRIVED: &str = "success";
/// The platform can tell of a message before we have written down its number; it waits for an answer for 5 s.
const LOOKS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Desk {
    /// Writes down what the platform says of a message of ours, and sees to it that the patient is told all the same. The same
    /// event may come as often as it likes.
    pub async fn message_event(&self, message_id: &str, status: &str) -> Answer<()> {
        // The platform's words, cut: they are not ours.
        let status: String = status.chars().take(100).collect();
        let body = json!({ "status": status });
        let event_id = format!("{message_id}:{status}");
        let callback = Callback {
            source: SOURCE,
            event_id: &event_id,
            kind: "TEMPLATESENDJOBFINISH",
            subject: message_id,
            body: &body,
        };
        let failed = status != ARRIVED && self.ports.sms.is_some();
        let letter = if failed { self.letter_of(message_id).await? } else { None };
        let fate = match (failed, &letter) {
            (false, _) => Fate::Ignored,
            (true, Some(_)) => Fate::Delivered,
            (true, None) => Fate::NoRun,
        };
        let mut tx = self.begin().await?;
        if callbacks::receive(&mut tx, self.hospital(), &callback).await? {
            callbacks::settle(&mut tx, self.hospital(), SOURCE, &event_id, fate.as_str()).await?;
        }
        let falls_back = letter.is_some();
        if let Some((id, run, payload)) = letter {
            let sms = Effect::Tell(sms_letter(&id, &payload));
            store::write_effects(&mut tx, self.hospital(), vec![(run, sms)]).await?;
        }
        tx.commit().await?;
        if falls_back {
            self.engine.hint();
        }
        Ok(())
    }

    async fn letter_of(&self, message_id: &str) -> Answer<Option<(String, uuid::Uuid, serde_json::Value)>> {
        for _ in 1..LOOKS {
            let found = notices::by_reference(&self.engine.pool, self.hospital(), message_id).await?;
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(notices::by_reference(&self.engine.pool, self.hospital(), message_id).await?)
    }
}
