//! Letters that were put aside are sent again, once what was wrong is mended.

use serde_json::json;

use super::super::core::Engine;
use super::super::store::audit::{self, Deed};
use super::super::store::letters as store;
pub use super::super::store::letters::{PutAside, put_aside};
use super::By;

/// Lets letters be tried again, with all their attempts. Answers those that did wait for a person; the others are left as
/// they are. Their receiver knows their ids.
pub async fn retry(engine: &Engine, ids: &[String], by: &By) -> sqlx::Result<Vec<PutAside>> {
    let mut tx = engine.pool.begin().await?;
    let retried = store::retry(&mut tx, &engine.tenant, ids).await?;
    for letter in &retried {
        let deed = Deed {
            who: &by.who,
            verb: "letter.retry",
            run: Some(letter.run_id),
            job: None,
            reason: &by.reason,
            before: json!({ "letter": letter.id, "status": "suspended", "attempt": letter.attempt, "error": letter.last_error }),
            after: json!({ "letter": letter.id, "status": "pending", "attempt": 0 }),
            bulk: None,
        };
        audit::write(&mut tx, &engine.tenant, &deed).await?;
    }
    tx.commit().await?;
    tracing::info!(who = by.who, letters = retried.len(), "letters are sent again");
    engine.hint();
    Ok(retried)
}
