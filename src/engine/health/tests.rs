//! Each thing that is wrong is found, by itself and in its order.

use uuid::Uuid;

use super::super::preflight::{Knows, Member, Unrunnable};
use super::super::store::jobs::Row as JobRow;
use super::*;

fn well() -> Survey {
    Survey {
        workers: vec![Member { id: Uuid::nil(), name: "one".to_owned(), knows: Knows::default() }],
        due: vec![(String::new(), Backlog::default()), ("his".to_owned(), Backlog { count: 9, oldest_s: 2.0 })],
        runs: vec![("w".to_owned(), "waiting".to_owned(), 1_000_000)],
        destinations: vec![his("closed")],
        ..Survey::default()
    }
}

fn his(state: &str) -> Standing {
    let now = DateTime::UNIX_EPOCH;
    Standing {
        name: "his".to_owned(),
        concurrency_max: 4,
        rate_per_s: None,
        state: state.to_owned(),
        opened_at: (state != "closed").then_some(now),
        open_until: None,
        ramp: None,
        last_error: None,
        paused_at: None,
        paused_by: None,
        paused_why: None,
        in_hand: 0,
        short: false,
        ok: 0,
        failures: 0,
        now,
    }
}

fn codes(survey: &Survey) -> Vec<(&'static str, Severity)> {
    assess(survey, None).iter().map(|finding| (finding.code(), finding.severity())).collect()
}

#[test]
fn a_busy_house_that_keeps_up_is_well() {
    assert_eq!(codes(&well()), []);
    assert_eq!(worst(&assess(&well(), None)), None);
}

#[test]
fn each_thing_that_is_wrong_is_found_by_itself() {
    use Severity::{Critical, Notice, Warning};
    let now = DateTime::UNIX_EPOCH;
    let late = |oldest_s| vec![("his".to_owned(), Backlog { count: 3, oldest_s })];
    let paused = Standing { paused_at: Some(DateTime::UNIX_EPOCH), ..his("closed") };
    let gone = Unrunnable { workflow: "w".to_owned(), step: "Gone".to_owned(), runs: 2 };
    let some = |status: &str| ("w".to_owned(), status.to_owned(), 2);
    let down_long = Standing { now: DateTime::UNIX_EPOCH + Duration::from_mins(11), ..his("open") };
    let due_at = Some(now);
    let fails = Ticking::of(JobRow { due_at, failures: 2, ..JobRow::default() });
    let late_job = Ticking::of(JobRow { due_at, now: now + Duration::from_mins(2), ..JobRow::default() });
    let paused_job = Ticking::of(JobRow { due_at, paused_at: Some(now), ..JobRow::default() });
    let table = [
        (Survey { workers: vec![], ..well() }, "no_workers", Critical),
        (Survey { workers: vec![], jobs: vec![late_job.clone()], ..well() }, "no_workers", Critical),
        (Survey { jobs: vec![fails], ..well() }, "job_failing", Warning),
        (Survey { jobs: vec![late_job], ..well() }, "job_overdue", Warning),
        (Survey { jobs: vec![paused_job], ..well() }, "job_paused", Notice),
        (Survey { jobs: vec![Ticking::of(JobRow::default())], ..well() }, "job_ended", Notice),
        (Survey { due: late(31.0), ..well() }, "overdue", Warning),
        (Survey { due: late(301.0), ..well() }, "overdue", Critical),
        (Survey { unrunnable: vec![gone], ..well() }, "unrunnable", Critical),
        (Survey { long_turns: 1, ..well() }, "long_turns", Warning),
        (Survey { destinations: vec![his("open")], ..well() }, "destination_down", Warning),
        (Survey { destinations: vec![his("half_open")], ..well() }, "destination_down", Warning),
        (Survey { destinations: vec![down_long], ..well() }, "destination_down", Critical),
        (Survey { destinations: vec![paused], ..well() }, "destination_paused", Notice),
        (Survey { runs: vec![some("suspended")], ..well() }, "suspended", Warning),
        (Survey { letters: vec![("suspended".to_owned(), 1)], ..well() }, "letters_suspended", Warning),
        (Survey { letters_late: Backlog { count: 1, oldest_s: 400.0 }, ..well() }, "letters_overdue", Warning),
        (Survey { clock_ahead_s: -3.0, ..well() }, "clocks_apart", Warning),
        (Survey { clock_ahead_s: 61.0, ..well() }, "clocks_apart", Critical),
        (Survey { clock_by_hand: true, ..well() }, "clock_by_hand", Notice),
        (Survey { months_missing: 2, ..well() }, "months_missing", Warning),
        (Survey { unmatched: Backlog { count: 1, oldest_s: 4000.0 }, ..well() }, "unmatched_signals", Notice),
    ];
    for (survey, code, severity) in table {
        assert_eq!(codes(&survey), [(code, severity)]);
    }
}

#[test]
fn what_waits_for_a_destination_that_is_down_is_not_late_besides() {
    let due = vec![("his".to_owned(), Backlog { count: 500, oldest_s: 900.0 })];
    let survey = Survey { due, destinations: vec![his("open")], ..well() };
    assert_eq!(codes(&survey), [("destination_down", Severity::Warning)]);
}

#[test]
fn the_worst_stands_first() {
    let survey = Survey { workers: vec![], clock_by_hand: true, long_turns: 1, ..well() };
    assert_eq!(
        codes(&survey).iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        ["no_workers", "long_turns", "clock_by_hand"]
    );
}

#[test]
fn a_process_is_asked_only_for_what_it_does() {
    let second = Duration::from_secs(1);
    let api = Process {
        renewed: None,
        looked: None,
        waited: Duration::ZERO,
        lost: None,
        connections_max: 4,
        connections_busy: 4,
    };
    let own = |process: &Process| assess(&well(), Some(process)).iter().map(Finding::code).collect::<Vec<_>>();
    assert_eq!(own(&api), [""; 0]);
    let works = Process { renewed: Some(second), looked: Some(second), ..api };
    assert_eq!(own(&works), [""; 0]);
    assert_eq!(own(&Process { renewed: Some(second * 11), ..works }), ["lease_lost"]);
    assert_eq!(own(&Process { looked: Some(second * 11), ..works }), ["not_looking"]);
    assert_eq!(own(&Process { lost: Some("clerk"), ..works }), ["task_lost"]);
    assert_eq!(own(&Process { waited: second * 2, ..works }), ["pool_exhausted"]);
    assert_eq!(own(&Process { waited: second * 2, connections_busy: 3, ..works }), [""; 0]);
}
