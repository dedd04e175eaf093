//! Whether a message arrived, as the message platform tells later. Written down for staff; no run depends on it.

use serde_json::json;

use super::his_push::Fate;
use super::{Answer, Desk};
use crate::records::callbacks::{self, Callback};

const SOURCE: &str = "wechat";

impl Desk {
    /// Writes down what the platform says of a message of ours.
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
        let mut tx = self.begin().await?;
        if callbacks::receive(&mut tx, self.hospital(), &callback).await? {
            callbacks::settle(&mut tx, self.hospital(), SOURCE, &event_id, Fate::Ignored.as_str()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
