//! Whether it is a destination that holds a run up. Pure.

use chrono::{DateTime, Utc};

use super::inspect::{Seen, Why};
use super::store::switch::Standing;

/// Why `run` does not move, where that is its destination's doing; `None`: see [`why`](super::inspect::why).
pub fn held_up(run: &Seen, destinations: &[Standing], now: DateTime<Utc>) -> Option<Why> {
    if !matches!(run.status.as_str(), "pending" | "waiting") {
        return None;
    }
    let there = destinations.iter().find(|one| one.name == run.lane)?;
    let lane = || there.name.clone();
    let due_by = |at: DateTime<Utc>| run.due_at.is_some_and(|due| due <= at);
    if there.paused_at.is_some() && due_by(now) {
        let (by, why) = (there.paused_by.clone().unwrap_or_default(), there.paused_why.clone().unwrap_or_default());
        return Some(Why::DestinationPaused { lane: lane(), by, why });
    }
    // A retry that is due before the destination is tried again waits for that as well.
    if there.is_down() && due_by(there.open_until.unwrap_or(now).max(now)) {
        let (since, until) = (there.opened_at, there.open_until);
        return Some(Why::DestinationDown {
            lane: lane(),
            since,
            until,
            error: there.last_error.clone().unwrap_or_default(),
        });
    }
    (there.short && due_by(now)).then(|| Why::LimitFull { lane: lane() })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn run(lane: &str, status: &str, due: i64) -> Seen {
        Seen {
            id: super::super::RunId::nil(),
            workflow: "w".to_owned(),
            key: "k".to_owned(),
            step: "S".to_owned(),
            lane: lane.to_owned(),
            status: status.to_owned(),
            turn: 1,
            attempt: 0,
            due_at: Some(at(due)),
            listens: Vec::new(),
            last_error: None,
            fault: None,
            created_at: at(0),
            updated_at: at(0),
            ended_at: None,
        }
    }

    fn mill() -> Standing {
        Standing {
            name: "mill".to_owned(),
            concurrency_max: 4,
            rate_per_s: None,
            state: "closed".to_owned(),
            opened_at: None,
            open_until: None,
            ramp: None,
            last_error: None,
            paused_at: None,
            paused_by: None,
            paused_why: None,
            in_hand: 4,
            short: false,
            ok: 0,
            failures: 0,
            now: at(10),
        }
    }

    #[test]
    fn a_destination_holds_up_what_is_due_there() {
        let down = Standing {
            state: "open".to_owned(),
            opened_at: Some(at(1)),
            open_until: Some(at(30)),
            last_error: Some("away".to_owned()),
            ..mill()
        };
        let is_down = Why::DestinationDown {
            lane: "mill".to_owned(),
            since: Some(at(1)),
            until: Some(at(30)),
            error: "away".to_owned(),
        };
        let paused = Standing {
            paused_at: Some(at(2)),
            paused_by: Some("li".to_owned()),
            paused_why: Some("works".to_owned()),
            ..down.clone()
        };
        let is_paused =
            Why::DestinationPaused { lane: "mill".to_owned(), by: "li".to_owned(), why: "works".to_owned() };
        let full = Standing { short: true, ..mill() };
        let table = [
            (run("mill", "pending", 5), &mill(), None),
            (run("mill", "pending", 5), &full, Some(Why::LimitFull { lane: "mill".to_owned() })),
            (run("mill", "pending", 15), &full, None),
            (run("mill", "pending", 5), &down, Some(is_down.clone())),
            (run("mill", "pending", 29), &down, Some(is_down)),
            (run("mill", "pending", 31), &down, None),
            (run("dairy", "pending", 5), &down, None),
            (run("mill", "running", 5), &down, None),
            (run("mill", "pending", 5), &paused, Some(is_paused)),
        ];
        for (run, destination, expected) in table {
            let found = held_up(&run, std::slice::from_ref(destination), at(10));
            assert_eq!(found, expected, "{} due {:?}, {}", run.lane, run.due_at, destination.state);
        }
    }
}
