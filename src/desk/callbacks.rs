//! What the outside told us, as staff look at it.

use super::{Answer, Desk};
use crate::records::callbacks::{self, Seen, Wanted};

impl Desk {
    /// Callbacks, the latest first.
    pub async fn callbacks(&self, wanted: &Wanted) -> Answer<Vec<Seen>> {
        Ok(callbacks::list(&self.engine.pool, self.hospital(), wanted).await?)
    }
}
