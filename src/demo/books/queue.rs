//! The queue: nobody was passed over, no cap was ever exceeded, the counters are right. From our own history.
//!
//! The clock may move in minutes, so that several things carry one instant. Only what is certain is reported: somebody
//! who waited strictly before and after an offer (and was neither blacklisted nor standing still then, nor passed on that time
//! which it had declined or missed before, nor was asked in another queue, or whether the application is kept), an application
//! that began strictly before and ended strictly after an admission.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Difference;
use super::ours::{Cap, Entry, Moved, Ours, Stretch, asked, counts, waits};

pub(super) fn check(ours: &Ours, found: &mut Vec<Difference>) {
    order(ours, found);
    caps(ours, found);
}

fn order(ours: &Ours, found: &mut Vec<Difference>) {
    let mut queues: HashMap<&str, Vec<(&Entry, Vec<Stretch>)>> = HashMap::new();
    for entry in &ours.entries {
        let waits = waits(entry, ours.moves_of(entry.id));
        queues.entry(&entry.schedule_id).or_default().push((entry, waits));
    }
    let mut queues: Vec<_> = queues.into_iter().collect();
    queues.sort_by_key(|(schedule, _)| *schedule);
    let mut persons: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in &ours.entries {
        persons.entry(&entry.person).or_default().push(entry);
    }
    for (schedule_id, queue) in queues {
        for (place, (served, _)) in queue.iter().enumerate() {
            let offers = ours
                .moves_of(served.id)
                .iter()
                .filter(|one| one.step == "Waiting" && matches!(one.outcome.as_deref(), Some("Payable" | "Covered")));
            for offer in offers {
                // The queue is in order of admission.
                let before = queue.iter().take(place);
                let waiting = |(it, waits): &&(&Entry, Vec<Stretch>)| {
                    it.cutoff > offer.at
                        && !it.barred(offer.at)
                        && waits.iter().any(|stretch| stretch.spans(offer.at))
                        && !passed_on_it(ours.moves_of(it.id), offer.at)
                        && !is_asked(ours.moves_of(it.id), offer.at)
                        && !asked_elsewhere(&persons, ours, it, offer.at)
                };
                if let Some((passed, _)) = before.clone().find(waiting) {
                    found.push(Difference::OutOfOrder {
                        schedule_id: schedule_id.to_owned(),
                        served: served.id,
                        passed: passed.id,
                        at: offer.at,
                    });
                }
            }
        }
    }
}

/// In this time a place that one cannot be asked about is offered to the next.
const HANDED_ON: TimeDelta = TimeDelta::minutes(2);

/// True where it was asked just before, and passed on a time that it had declined or missed: that time goes to those behind
/// it, and every other one is its own (Q6).
fn passed_on_it(moves: &[Moved], at: DateTime<Utc>) -> bool {
    let passes = |one: &&Moved| one.step == "Waiting" && one.outcome.as_deref() == Some("GivenUp");
    moves.iter().filter(passes).any(|one| one.at <= at && at <= one.at + HANDED_ON)
}

/// True where the patient was being asked whether the application is kept, or had just said so (R34, R35).
fn is_asked(moves: &[Moved], at: DateTime<Utc>) -> bool {
    let mut asked = false;
    for one in moves.iter().take_while(|one| one.at <= at) {
        match one.outcome.as_deref() {
            Some("Asked" | "GivenUp") => asked = true,
            Some("Kept") if one.at + HANDED_ON < at => asked = false,
            _ => {}
        }
    }
    asked
}

/// True where the same person was being offered a place in another queue (R35).
fn asked_elsewhere(persons: &HashMap<&str, Vec<&Entry>>, ours: &Ours, entry: &Entry, at: DateTime<Utc>) -> bool {
    let others = persons.get(entry.person.as_str()).into_iter().flatten().filter(|one| one.id != entry.id);
    others
        .flat_map(|one| asked(one, ours.moves_of(one.id)))
        .any(|stretch| stretch.from <= at && stretch.to.is_none_or(|to| to + HANDED_ON >= at))
}

fn at_level<'a>(entry: &'a Entry, level: &str) -> &'a str {
    match level {
        "doctor" => &entry.doctor_id,
        "department" => &entry.department_id,
        _ => &entry.campus_id,
    }
}

fn caps(ours: &Ours, found: &mut Vec<Difference>) {
    let mut counted: Vec<(&Entry, Option<Stretch>)> =
        ours.entries.iter().map(|entry| (entry, counts(entry, ours.moves_of(entry.id)))).collect();
    // A draw gives the numbers of a window anew (R17); whoever came first came first.
    counted.sort_by_key(|(entry, _)| entry.created_at);
    for cap in &ours.caps {
        let under: Vec<_> = counted.iter().filter(|(it, _)| at_level(it, &cap.level) == cap.id).collect();
        let live = under.iter().filter(|(entry, _)| entry.live).count();
        let live = i64::try_from(live).unwrap_or(i64::MAX);
        if live != cap.counted {
            let (level, id) = (cap.level.clone(), cap.id.clone());
            found.push(Difference::CounterDiffers { level, id, counted: cap.counted, live });
        }
        if let Some(limit) = cap.most {
            overfull(cap, limit, &under, found);
        }
    }
}

/// So much earlier an application may have been made than one that was admitted before it: clocks differ, and admissions that
/// are decided together are numbered as they came.
const MADE_EARLIER: TimeDelta = TimeDelta::hours(1);

/// Every admission since the cap was set found a place. What ended long ago is not looked at again and again.
fn overfull(cap: &Cap, limit: i64, under: &[&(&Entry, Option<Stretch>)], found: &mut Vec<Difference>) {
    let mut before: Vec<Stretch> = Vec::new();
    for (entry, stretch) in under {
        let at = entry.created_at;
        before.retain(|it| it.to.is_none_or(|to| to > at - MADE_EARLIER));
        // Admitted before: earlier, or at the same instant with a smaller number.
        let taken = before.iter().filter(|it| it.from <= at && it.to.is_none_or(|to| to > at)).count();
        before.extend(*stretch);
        if cap.since.is_some_and(|since| at <= since) {
            continue;
        }
        let live = i64::try_from(taken).unwrap_or(i64::MAX);
        if live >= limit {
            found.push(Difference::OverfullCap {
                entry: entry.id,
                at,
                level: cap.level.clone(),
                id: cap.id.clone(),
                cap: limit,
                live,
            });
        }
    }
}
