//! From breaches to the blacklist: what is taken back, what 停诊 excuses, and what the rules make of the rest.

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::outcome;
use super::state::Pull;
use crate::engine::{Fault, Turn};
use crate::records::breaches::{self, Ban};
use crate::records::patients;
use crate::waitlist::breach::{self, Breach, Event, Rule};
use crate::waitlist::calendar;
use crate::workflows::{Ports, unread};

pub(super) async fn weighing(pull: &mut Pull, turn: &Turn, ports: &Ports) -> Result<outcome::Weighing, Fault> {
    let (hospital, mut conn) = (&ports.hospital, ports.pool.acquire().await.map_err(unread)?);
    let withdrawn = if pull.unsteady {
        0
    } else {
        let seen_by = pull.seen_by(turn.run);
        breaches::withdraw_unlisted(&mut *conn, hospital, pull.day, seen_by).await.map_err(unread)?
    };
    let excused = breaches::excuse_stopped(&mut *conn, hospital, pull.day).await.map_err(unread)?;
    let rules = breaches::rules(&mut *conn, hospital).await.map_err(unread)?;
    let persons = breaches::persons_of(&mut *conn, hospital, pull.day).await.map_err(unread)?;
    drop(conn);
    for id_hash in &persons {
        // A person at a time, so that nobody who applies at this moment waits for the whole list.
        let mut tx = ports.pool.begin().await.map_err(unread)?;
        weigh(&mut tx, hospital, &rules, id_hash, turn.now, ports.tz).await.map_err(unread)?;
        tx.commit().await.map_err(unread)?;
    }
    if withdrawn + excused > 0 || !persons.is_empty() {
        tracing::info!(day = %pull.day, persons = persons.len(), withdrawn, excused, "breaches are weighed");
    }
    Ok(outcome::Weighing::Weighed)
}

/// Brings the blacklist in line with what counts of one person's breaches, in the caller's transaction.
pub async fn weigh_person(
    conn: &mut PgConnection,
    hospital: &str,
    id_hash: &[u8],
    now: DateTime<Utc>,
    tz: Tz,
) -> sqlx::Result<()> {
    let rules = breaches::rules(&mut *conn, hospital).await?;
    weigh(conn, hospital, &rules, id_hash, now, tz).await
}

async fn weigh(
    conn: &mut PgConnection,
    hospital: &str,
    rules: &[(String, Rule)],
    id_hash: &[u8],
    now: DateTime<Utc>,
    tz: Tz,
) -> sqlx::Result<()> {
    // Whoever applies at this moment is decided before or after, never in between.
    let accounts = patients::lock_hash(&mut *conn, hospital, id_hash).await?;
    if accounts.is_empty() {
        return Ok(());
    }
    let counted: Vec<Breach> = breaches::of_person(&mut *conn, hospital, id_hash)
        .await?
        .into_iter()
        .filter(|breach| breach.state == "counts")
        .filter_map(|breach| {
            let (event, department_id) = (Event::parse(&breach.event)?, breach.department_id);
            Some(Breach { day: breach.visit_date, event, department_id })
        })
        .collect();
    let penalties = breach::penalties(rules, &counted, now.with_timezone(&tz).date_naive());
    let bans: Vec<Ban<'_>> = penalties
        .iter()
        .map(|penalty| Ban {
            rule_id: &penalty.rule_id,
            department_id: penalty.department_id.as_deref(),
            reason: format!("rule {}: {} breaches", penalty.rule_id, penalty.counted),
            until: calendar::visit_starts_at(penalty.until, NaiveTime::MIN, tz),
        })
        .collect();
    breaches::ban(conn, hospital, &accounts, &bans).await
}
