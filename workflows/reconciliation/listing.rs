//! What HIS lists for the day: orders, then locks, a page a turn; and the same for earlier days with cases that only a list
//! can tell of.

use serde_json::json;

use super::outcome;
use super::state::{Day, List};
use crate::engine::{Fault, Turn};
use crate::records::reconciliation::lines::{self, Line};
use crate::waitlist::ids;
use crate::workflows::{Ports, unread};

pub(super) async fn listing(day: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::Listing, Fault> {
    let Some(listed) = day.listed.last().copied() else { return Ok(outcome::Listing::Read) };
    let (pages, told) = match day.list {
        List::Orders => {
            let page = ports.his.orders_of(listed, day.page).await?;
            let line = |order: crate::ports::his::ListedOrder| line("order", order.order_id.clone(), json!(order));
            (page.pages, page.lines.into_iter().filter_map(line).collect::<Vec<_>>())
        }
        List::Locks => {
            let page = ports.his.locks_of(listed, day.page).await?;
            let line = |lock: crate::ports::his::ListedLock| line("lock", lock.lock_id.clone(), json!(lock));
            (page.pages, page.lines.into_iter().filter_map(line).collect())
        }
    };
    lines::put(&ports.pool, &ports.hospital, turn.run, &told).await.map_err(unread)?;
    Ok(match day.list {
        _ if day.page < pages => {
            day.page += 1;
            outcome::Listing::More
        }
        List::Orders => {
            (day.list, day.page) = (List::Locks, 1);
            outcome::Listing::More
        }
        List::Locks => {
            day.listed.pop();
            (day.list, day.page) = (List::Orders, 1);
            if day.listed.is_empty() { outcome::Listing::Read } else { outcome::Listing::More }
        }
    })
}

/// The hospital's own site books through our channel too: what is not of our form is not ours.
fn line(book: &str, reference: String, body: serde_json::Value) -> Option<Line> {
    Some(Line { book: book.to_owned(), entry_id: ids::run_of(&reference)?, reference, body })
}
