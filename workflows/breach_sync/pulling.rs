//! A page of HIS's list. A document's number is turned into its keyed hash at once and stands nowhere.

use chrono::NaiveDate;

use super::outcome;
use super::state::Pull;
use crate::engine::{Fault, Turn};
use crate::ports::his::ListedBreach;
use crate::records::breaches::{self, Listed};
use crate::waitlist::breach::Event;
use crate::waitlist::identity::{IdNumber, IdType};
use crate::workflows::{Ports, unread};

pub(super) async fn pulling(pull: &mut Pull, turn: &Turn, ports: &Ports) -> Result<outcome::Pulling, Fault> {
    let page = ports.his.breaches_of(pull.day, pull.page).await?;
    let today = turn.now.with_timezone(&ports.tz).date_naive();
    let listed: Vec<Listed> = page.lines.iter().filter_map(|line| usable(line, ports, today)).collect();
    let unusable = page.lines.len() - listed.len();
    if unusable > 0 {
        tracing::warn!(day = %pull.day, unusable, "breaches that HIS lists cannot be used");
    }
    pull.unusable += u32::try_from(unusable).unwrap_or(u32::MAX);
    pull.reads(page.lines.iter().map(|line| (line.his_order_id.as_str(), line.kind.as_str())));
    let seen_by = pull.seen_by(turn.run);
    breaches::put(&ports.pool, &ports.hospital, pull.day, seen_by, &listed).await.map_err(unread)?;
    if pull.page < page.pages {
        pull.page += 1;
        return Ok(outcome::Pulling::More);
    }
    if pull.once_more() {
        return Ok(outcome::Pulling::More);
    }
    if pull.unsteady {
        tracing::warn!(day = %pull.day, "HIS's list of breaches changes whenever it is read; nothing is taken back");
    }
    Ok(outcome::Pulling::Pulled)
}

fn usable(line: &ListedBreach, ports: &Ports, today: NaiveDate) -> Option<Listed> {
    let id_type = IdType::from_code(line.id_type.trim()).ok()?;
    let number = IdNumber::parse(id_type, &line.id_number, today).ok()?;
    Some(Listed {
        his_order_id: line.his_order_id.clone(),
        id_hash: ports.lookup.hash(&number).as_bytes().to_vec(),
        department_id: line.department_id.clone(),
        channel_id: line.channel_id.clone(),
        event: Event::of_his(&line.kind)?.as_str(),
    })
}
