//! A transaction that met another one is done again: of the two that wait for each other PostgreSQL ends one, and of that
//! one nothing was written. Whoever locks a person's rows in more than one table may meet an admission, which begins with
//! the account, or a deed of the staff, which begins with the appeal.

use super::{Answer, DeskError};
use crate::engine::store::trouble::met_another;

/// Whoever has met so many does not meet one more by chance.
const MEETINGS_MAX: u32 = 5;

/// Does `act`, a whole transaction, until it meets nobody.
pub(super) async fn again<T, F: Future<Output = Answer<T>>>(mut act: impl FnMut() -> F) -> Answer<T> {
    let mut meetings = 0;
    loop {
        match act().await {
            Err(DeskError::Database(error)) if met_another(&error) && meetings < MEETINGS_MAX => meetings += 1,
            done => return done,
        }
    }
}
