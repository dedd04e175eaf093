//! The patient's answer to a question: whether an application or a visit is kept (R34, R35).

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::engine::clock;
use crate::waitlist::refusal::Refusal;
use crate::workflows::waitlist_application::Consent;

impl Desk {
    /// Answers the question that stands open, or the one of this id alone. [`Refusal::NoQuestion`] where there is none, another
    /// one, or its time is up.
    pub async fn answer(&self, id: Uuid, question: Option<&str>, keep: bool) -> Answer<()> {
        let mut tx = self.begin().await?;
        let (shown, _) = self.hold(&mut tx, id).await?;
        let open = shown.question.as_ref().ok_or(Refusal::NoQuestion)?;
        let open_id = open["id"].as_str().unwrap_or_default();
        let until = open["until"].as_str().and_then(|until| DateTime::parse_from_rfc3339(until).ok());
        let in_time = until.map(|until| until.with_timezone(&Utc)) > Some(clock::now(&mut *tx).await?);
        if question.is_some_and(|named| named != open_id) || !in_time {
            return Err(Refusal::NoQuestion.into());
        }
        let answer = Consent { question: open_id.to_owned(), keep };
        let signal_id = format!("consent:{open_id}:{}", if keep { "keep" } else { "leave" });
        self.send(tx, id, "Consent", signal_id, json!(answer)).await.map(drop)
    }
}
