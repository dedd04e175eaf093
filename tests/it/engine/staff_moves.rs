//! What follows from a person's answer, jump, suspension and cancel: the same as from a worker's turn, once, or nothing.

use std::sync::Arc;

use chrono::TimeDelta;
use houbu::engine::RunId;
use houbu::engine::staff::explain::{Would, explain};
use houbu::engine::staff::{Performed, Refused, Verb, perform, perform_in};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::shop::{Answer, CURSED};
use super::staff::{audit, by, jump};
use super::works::Works;

async fn does(works: &Works, run: RunId, verb: Verb) -> Result<Performed, Refused> {
    let came = perform(&works.engine, run, &by(), &verb).await.unwrap();
    works.still().await;
    came
}

async fn owes(works: &Works, run: RunId) -> Vec<String> {
    sqlx::query_scalar("select owes from run where id = $1").bind(run).fetch_one(&works.db.pool).await.unwrap()
}

async fn knows(works: &Works, run: RunId) -> Value {
    sqlx::query_scalar("select state from run_state where run_id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
}

/// An order at a warehouse that fails for good.
async fn stuck(works: &Works, name: &str) -> RunId {
    works.warehouse.will(name, Answer::Burns);
    let run = works.order(name).await;
    works.pays(run).await;
    works.still().await;
    assert_eq!(works.row(run).await.status, "suspended");
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_as_the_handlers_own_would() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = stuck(&works, "book").await;
    let patch = Some(json!({ "parcels": 7 }));
    does(&works, run, Verb::Answer { outcome: "Packed".to_owned(), patch }).await.unwrap();
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str(), row.turn), ("Counter", "waiting", 2));
    assert_eq!(works.on_shelf("book").await.as_deref(), Some("Counter"), "the shop's own table follows");
    assert_eq!(works.letters(run).await, ["Counter", "Packing", "Payment"], "and so do its letters");
    assert_eq!((owes(&works, run).await, &knows(&works, run).await["parcels"]), (vec!["Money".to_owned()], &json!(7)));
    works.collects(run).await;
    works.still().await;
    assert_eq!(works.row(run).await.step, "Delivered");
    let story = works.story(run).await;
    assert_eq!(story[2..], ["Packing on staff: Packed", "Counter on Collected: Collected"]);
    works.close(vec![worker]).await;
}

/// What had come before its step is heard as soon as a person leads the run there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leads_to_a_signal_that_waits_already() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = stuck(&works, "book").await;
    works.collects(run).await;
    does(&works, run, Verb::Answer { outcome: "Packed".to_owned(), patch: None }).await.unwrap();
    assert_eq!(works.row(run).await.step, "Delivered");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_that_would_strand_money_is_refused_and_its_suggestions_work() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = stuck(&works, "book").await;
    let mut suggested = Vec::new();
    for to in ["Payment", "Doubt", "Dropped", "Delivered"] {
        let refused = does(&works, run, jump(to)).await.unwrap_err();
        let Refused::WouldStrand { owed, instead } = refused else { panic!("{to}: {refused}") };
        assert_eq!((owed, &instead[..]), (vec!["Money".to_owned()], &["Counter".to_owned(), "Refund".to_owned()][..]));
        suggested = instead;
    }
    for (n, to) in suggested.iter().enumerate() {
        let run = stuck(&works, &format!("pen {n}")).await;
        does(&works, run, jump(to)).await.unwrap();
        works.clock_shows(TimeDelta::days(8)).await;
        works.still().await;
        assert_eq!((works.row(run).await.step.as_str(), owes(&works, run).await.len()), ("Dropped", 0), "{to}");
        assert_eq!(knows(&works, run).await["paid"], Value::Null, "the money went back");
        works.clock_shows(TimeDelta::zero()).await;
    }
    works.close(vec![worker]).await;
}

/// A step of another release: the jump is the way out, and what is owed stays owed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_at_an_unknown_step_is_led_to_a_known_one() {
    let works = Works::new().await;
    let run = works.order("book").await;
    sqlx::query("update run set step = 'Gift', status = 'pending', due_at = engine_now(), again = true where id = $1")
        .bind(run)
        .execute(&works.db.pool)
        .await
        .unwrap();
    let came = perform(&works.engine, run, &by(), &jump("Dropped")).await.unwrap();
    assert!(
        matches!(came, Err(Refused::WouldStrand { .. })),
        "of an unknown step everything is thought open: {came:?}"
    );
    perform(&works.engine, run, &by(), &jump("Refund")).await.unwrap().unwrap();
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.row(run).await.step, "Dropped");
    let said: String = sqlx::query_scalar("select error from turn where run_id = $1 and outcome = 'jumped'")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(said, "ann: because (it stood at Gift, which this program does not have)");
    works.close(vec![worker]).await;
}

/// The worker calls the warehouse, and meanwhile a person suspends the run: what comes back changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_run_is_fenced_off_from_whoever_had_it_in_hand() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&gate)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    works.wait_for("the warehouse", || async { works.warehouse.asked("book").len() == 1 }).await;
    for verb in [Verb::Cancel, jump("Refund"), Verb::Retry] {
        assert_eq!(perform(&works.engine, run, &by(), &verb).await.unwrap(), Err(Refused::InHand));
    }
    perform(&works.engine, run, &by(), &Verb::Suspend).await.unwrap().unwrap();
    gate.add_permits(1);
    works.still().await;
    for verb in [Verb::Cancel, jump("Refund")] {
        let refused = perform(&works.engine, run, &by(), &verb).await.unwrap();
        assert_eq!(refused, Err(Refused::StillCalling), "what was called may arrive after anything decided now");
    }
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str(), row.turn), ("Packing", "suspended", 1));
    assert_eq!(row.last_error.as_deref(), Some("ann: because"));
    assert_eq!(knows(&works, run).await["parcels"], 0, "nothing of the lost turn stands");
    works.clock_shows(TimeDelta::days(30)).await;
    works.still().await;
    assert_eq!(works.row(run).await.status, "suspended", "whatever falls due");
    works.clock_shows(TimeDelta::zero()).await;
    does(&works, run, Verb::Resume).await.unwrap();
    assert_eq!(works.row(run).await.step, "Counter");
    assert_eq!(works.warehouse.asked("book"), [false, true], "the step looks first: it may have called");
    assert!(does(&works, run, jump("Refund")).await.is_ok(), "the step has been left by its own outcome");
    works.close(vec![worker]).await;
}

/// Verbs and commits at once, again and again: each run ends up where one of them alone would have led it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_verb_that_races_a_commit_wins_or_loses_whole() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let mut races = Vec::new();
    for n in 0..40 {
        let run = works.order(&format!("book {n}")).await;
        let engine = Arc::clone(&works.engine);
        races.push((
            run,
            tokio::spawn(async move {
                // Each comes a little later than the one before.
                for _ in 0..20 * (n % 20) {
                    tokio::task::yield_now().await;
                }
                let verb = Verb::Answer { outcome: "GivenUp".to_owned(), patch: None };
                perform(&engine, run, &by(), &verb).await.unwrap()
            }),
        ));
        works.pays(run).await;
    }
    let mut won = 0;
    for (run, race) in races {
        let came = race.await.unwrap();
        works.still().await;
        let (row, story) = (works.row(run).await, works.story(run).await);
        match came {
            Ok(_) => {
                won += 1;
                assert_eq!(story, ["Payment on staff: GivenUp"]);
                assert_eq!((row.step.as_str(), works.read_turn(run, "money").await), ("Dropped", Some(0)));
            }
            Err(refused) => {
                assert!(matches!(refused, Refused::InHand | Refused::NotAnOutcome { .. }), "{refused}");
                assert_eq!((row.step.as_str(), row.turn, story.len()), ("Counter", 2, 2));
            }
        }
        assert_eq!(audit(&works, run).await.len(), usize::from(came_first(&story)));
    }
    assert!(won < 40, "a race that one side always wins shows nothing");
    works.close(vec![worker]).await;
}

fn came_first(story: &[String]) -> bool {
    story.first().is_some_and(|line| line.contains("staff"))
}

/// The deed and its audit row stand or fall together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_leaves_no_audit() {
    let works = Works::new().await;
    let run = works.order(CURSED).await;
    sqlx::query("update run set step = 'Packing', status = 'pending', due_at = null, owes = '{Money}' where id = $1")
        .bind(run)
        .execute(&works.db.pool)
        .await
        .unwrap();
    // The shop's own table refuses this order at the counter.
    let verb = Verb::Answer { outcome: "Packed".to_owned(), patch: None };
    let refused = perform(&works.engine, run, &by(), &verb).await.unwrap().unwrap_err();
    assert!(matches!(refused, Refused::Contradicts { .. }), "{refused}");
    assert_eq!((works.row(run).await.step.as_str(), audit(&works, run).await.len()), ("Packing", 0));
    let mut tx = works.db.pool.begin().await.unwrap();
    perform_in(&works.engine, &mut tx, run, &by(), &Verb::Suspend, None).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    assert_eq!((works.row(run).await.status.as_str(), audit(&works, run).await.len()), ("pending", 0));
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_verb_would_do_is_what_it_does() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = stuck(&works, "book").await;
    let mut conn = works.db.pool.acquire().await.unwrap();
    let explained = explain(&works.engine, &mut conn, run).await.unwrap().unwrap();
    drop(conn);
    let verbs: Vec<&str> = explained.iter().map(|one| one.verb).collect();
    assert_eq!(verbs, ["retry", "answer", "jump", "signal", "suspend", "resume", "cancel"]);
    assert!(audit(&works, run).await.is_empty());
    for one in &explained {
        let of = |name: &str| match one.verb {
            "retry" => Verb::Retry,
            "suspend" => Verb::Suspend,
            "resume" => Verb::Resume,
            "cancel" => Verb::Cancel,
            "answer" => Verb::Answer { outcome: name.to_owned(), patch: None },
            "jump" => jump(name),
            _ => Verb::Signal { signal: name.to_owned(), signal_id: "s".to_owned(), payload: json!({ "cents": 1 }) },
        };
        let choices: Vec<(&str, &Result<Would, Refused>)> = if one.choices.is_empty() {
            vec![("", &one.would)]
        } else {
            one.choices.iter().map(|choice| (choice.name.as_str(), &choice.would)).collect()
        };
        for (name, would) in choices {
            let mut tx = works.db.pool.begin().await.unwrap();
            let came = perform_in(&works.engine, &mut tx, run, &by(), &of(name), None).await.unwrap();
            let (status, step): (String, String) = sqlx::query_as("select status, step from run where id = $1")
                .bind(run)
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            tx.rollback().await.unwrap();
            match (would, came) {
                (Err(refused), came) => assert_eq!(came, Err(refused.clone()), "{} {name}", one.verb),
                (Ok(Would::Go { to }), Ok(_)) => assert_eq!(step, *to, "{} {name}", one.verb),
                (Ok(Would::TryAgain), Ok(_)) => assert_eq!(status, "pending", "{} {name}", one.verb),
                (Ok(Would::BeHeard { now: false }), Ok(_)) => assert_eq!(status, "suspended", "{name}"),
                other => panic!("{} {name}: {other:?}", one.verb),
            }
        }
    }
    works.close(vec![worker]).await;
}
