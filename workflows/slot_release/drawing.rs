//! The draw of the queue's order (R17). No place is handed out before; the draw itself is held in the transaction of the move
//! that this decides, behind everybody who was admitted in time.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::state::Release;
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::records::draws;
use crate::waitlist::cipher::Sealed;
use crate::waitlist::draw;
use crate::workflows::{Ports, unread};

pub(super) fn draw_is_held(release: &Release) -> DateTime<Utc> {
    release.draw.as_ref().map_or(release.cutoff, |draw| draw.held_at)
}

pub(super) fn gathering(_: &mut Release, _: &Turn, woke: woke::Gathering) -> outcome::Gathering {
    match woke {
        woke::Gathering::Stoppage(_) => outcome::Gathering::Stopped,
        woke::Gathering::Deadline => outcome::Gathering::Over,
    }
}

pub(super) async fn drawing(release: &mut Release, _: &Turn, ports: &Ports) -> Result<outcome::Drawing, Fault> {
    let id = &release.schedule_id;
    let row = draws::find(&ports.pool, &ports.hospital, id).await.map_err(unread)?;
    // The half-days of a day are drawn together: one of them has the seed (Q2).
    let of = row.as_ref().and_then(|row| row.of_schedule.clone());
    let row = match &of {
        Some(of) => draws::find(&ports.pool, &ports.hospital, of).await.map_err(unread)?,
        None => row,
    };
    let row = row.ok_or_else(|| Fault::Stop(format!("the draw of the schedule {id} was never fixed")))?;
    let plain = ports
        .keyring
        .open(&draw::about(of.as_ref().unwrap_or(id)), &Sealed::from_bytes(row.sealed))
        .map_err(|error| Fault::Stop(format!("the draw of the schedule {id} cannot be opened: {error}")))?;
    if let Some(draw) = release.draw.as_mut() {
        draw.seed = Some(plain.expose_secret().to_owned());
    }
    Ok(outcome::Drawing::Drawn)
}
