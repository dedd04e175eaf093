//! Pushes of HIS that were stored and then left: we died, or the database did, before they were done. HIS may take them for said; they
//! are done here, as its repetition would do them. Whoever comes to one at the same time finds it done (see
//! [`callbacks::take_up`]).

use std::sync::Weak;
use std::time::Duration;

use super::{Answer, Desk, his_push};
use crate::ports::his::Push;
use crate::records::callbacks::{self, Fate, Place};

/// What is younger may be being done.
const LEFT_AFTER: Duration = Duration::from_mins(1);
/// What is older is a person's: much may have been booked since, and somebody may have seen to it at HIS.
const LEFT_FOR: Duration = Duration::from_mins(30);
/// How often they are looked for.
const EVERY: Duration = Duration::from_secs(15);
/// Of one statement.
const BATCH: i64 = 100;
/// Statements of one sweep; what is left over waits for the next.
const BATCHES_MAX: u32 = 20;

impl Desk {
    /// Does what was left; answers how many that were. One that cannot be done keeps no other from its turn, and waits for a person.
    pub async fn do_left_pushes(&self) -> Answer<u64> {
        let (mut done, mut after) = (0, None);
        for _ in 0..BATCHES_MAX {
            let which = ((LEFT_AFTER.as_secs_f64(), LEFT_FOR.as_secs_f64()), after.as_ref(), BATCH);
            let left = callbacks::left(&self.engine.pool, self.hospital(), his_push::SOURCE, which).await?;
            let Some(last) = left.last() else { break };
            after = Some(Place::after(last));
            for one in left {
                // What an earlier release did not keep whole is a person's.
                let Ok(push) = serde_json::from_value::<Push>(one.body) else { continue };
                match self.act_on_push(&push).await {
                    Ok(Fate::Duplicate) => {}
                    Ok(fate) => {
                        tracing::warn!(kind = one.kind, fate = fate.as_str(), "a push that was left is done");
                        done += 1;
                    }
                    Err(error) => tracing::warn!(kind = one.kind, %error, "a push that was left cannot be done yet"),
                }
            }
        }
        Ok(done)
    }
}

/// Does what was left, again and again, as long as there is the desk.
pub async fn watch(desk: Weak<Desk>) {
    while let Some(desk) = desk.upgrade().filter(|desk| !desk.engine.pool.is_closed()) {
        if let Err(error) = desk.do_left_pushes().await {
            tracing::warn!(%error, "pushes that were left could not be looked for; trying again");
        }
        drop(desk);
        tokio::time::sleep(EVERY).await;
    }
}
