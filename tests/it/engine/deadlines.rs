//! Signal or deadline: one wins, by the instant at which each came, and the loser is not lost.

use std::time::Duration;

use chrono::TimeDelta;
use houbu::engine::store::claim;
use houbu::engine::store::turns::{self, Came, Done, Move, Rest};
use houbu::engine::table::Priority;
use houbu::engine::{Chosen, inspect};
use uuid::Uuid;

use super::works::{TENANT, Works, morning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_before_the_deadline_wins_even_when_it_is_handled_later() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.clock_shows(TimeDelta::minutes(60) - TimeDelta::microseconds(1)).await;
    works.pays(run).await;
    // Nobody was at work when the deadline passed.
    works.clock_shows(TimeDelta::hours(5)).await;
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_after_the_deadline_loses_and_stays_unread() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.clock_shows(TimeDelta::minutes(60) + TimeDelta::microseconds(1)).await;
    works.pays(run).await;
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on deadline: Unpaid"]);
    assert_eq!(works.row(run).await.status, "waiting");
    assert_eq!(works.read_turn(run, "money").await, None, "the step that it is in now does not hear it");
    works.clock_shows(TimeDelta::days(2)).await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on deadline: Unpaid", "Doubt on deadline: Forgotten"]);
    assert_eq!(works.read_turn(run, "money").await, Some(0), "no step will hear it any more");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_happens_before_the_deadline_and_it_happens_at_it() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.clock_shows(TimeDelta::hours(1) - TimeDelta::microseconds(1)).await;
    works.still().await;
    assert!(works.story(run).await.is_empty());
    works.clock_shows(TimeDelta::hours(1)).await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on deadline: Unpaid"]);
    works.close(vec![worker]).await;
}

/// The clock reaches the deadline of 200 orders while the money for each of them arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_same_instant_one_of_them_wins() {
    let works = Works::new().await;
    let workers = vec![works.worker().await, works.worker().await];
    let mut runs = Vec::new();
    for n in 0..200 {
        runs.push(works.order(&format!("order {n}")).await);
    }
    works.still().await;
    for (nth, some) in runs.chunks(40).enumerate() {
        // The first round sets the clock; the others race with workers that have deadlines in hand already.
        let clock = works.clock_shows(TimeDelta::hours(1) + TimeDelta::microseconds(i64::from(nth > 0)));
        futures::join!(clock, futures::future::join_all(some.iter().map(|run| works.pays(*run))));
        if nth == 0 {
            works.clock_shows(TimeDelta::hours(1) - TimeDelta::microseconds(1)).await;
        }
    }
    works.still().await;
    let (mut paid, mut unpaid) = (0, 0);
    for run in &runs {
        let outcomes: Vec<(i32, String)> = sqlx::query_as(
            "select turn, outcome from turn where tenant = $1 and run_id = $2 and step = 'Payment' order by seq",
        )
        .bind(TENANT)
        .bind(run)
        .fetch_all(&works.db.pool)
        .await
        .unwrap();
        let read = works.read_turn(*run, "money").await;
        match &outcomes[..] {
            [(turn, outcome)] if outcome == "Paid" => {
                assert_eq!(read, Some(*turn));
                assert_eq!(works.row(*run).await.step, "Counter");
                paid += 1;
            }
            [(_, outcome)] if outcome == "Unpaid" => {
                assert_eq!(read, None);
                assert_eq!(works.row(*run).await.step, "Doubt");
                unpaid += 1;
            }
            other => panic!("not exactly one of them won: {other:?}"),
        }
    }
    assert_eq!(paid + unpaid, 200);
    works.close(workers).await;
}

/// At the very instant of the deadline, one after the other: whoever is written first wins, and the other one is there
/// for whoever looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_instant_of_the_deadline_the_first_that_is_written_wins() {
    let works = Works::new().await;
    let (signal_first, deadline_first) = (works.order("signal first").await, works.order("deadline first").await);
    works.clock_shows(TimeDelta::hours(1)).await;
    works.pays(signal_first).await;
    let worker = works.worker().await;
    works.still().await;
    works.pays(deadline_first).await;
    works.still().await;
    assert_eq!(works.story(signal_first).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    assert_eq!(works.read_turn(signal_first, "money").await, Some(1));
    assert_eq!(works.story(deadline_first).await, ["Payment on deadline: Unpaid"]);
    assert_eq!(works.read_turn(deadline_first, "money").await, None, "unread, and in its inbox");
    let inbox = inspect::inbox(&works.db.pool, TENANT, deadline_first, 10).await.unwrap();
    assert_eq!((inbox.len(), inbox[0].read_turn), (1, None));
    works.close(vec![worker]).await;
}

/// A worker has decided for the deadline and has not committed: a signal of that instant comes first, and the decision
/// is made again. Where the commit comes first, the signal loses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_for_the_deadline_stands_only_if_no_signal_came_before_its_commit() {
    for signal_first in [true, false] {
        let works = Works::new().await;
        let run = works.order("book").await;
        works.clock_shows(TimeDelta::hours(1)).await;
        let known = works.engine.registry.known_steps();
        let claimed = claim::claim(&works.db.pool, TENANT, Uuid::now_v7(), &known, 1).await.unwrap().remove(0);
        let decided = unpaid(&claimed);
        if signal_first {
            works.pays(run).await;
        }
        let mut tx = works.db.pool.begin().await.unwrap();
        let held = turns::commit(&mut tx, TENANT, &[decided]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(held.is_empty(), signal_first);
        if signal_first {
            claim::release(&works.db.pool, TENANT, run, claimed.generation, false).await.unwrap();
        } else {
            works.pays(run).await;
        }
        let worker = works.worker().await;
        works.still().await;
        let (story, read): (&[&str], _) = if signal_first {
            (&["Payment on Paid: Paid", "Packing: Packed"], Some(1))
        } else {
            (&["Payment on deadline: Unpaid"], None)
        };
        assert_eq!(works.story(run).await, story);
        assert_eq!(works.read_turn(run, "money").await, read);
        works.close(vec![worker]).await;
    }
}

/// What a worker hands in that saw nothing but the deadline.
fn unpaid(run: &claim::Claimed) -> Done {
    Done {
        run: run.id,
        workflow: "shop_order",
        generation: run.generation,
        turn: run.turn,
        attempt: run.attempt,
        seen: run.signal_count,
        step: "Payment",
        took: Duration::ZERO,
        result: Came::Moved(Box::new(Move {
            chosen: Chosen { outcome: "Unpaid", next: "Doubt" },
            state: run.state.clone(),
            woke: Some("deadline".to_owned()),
            heard: None,
            absorbed: Vec::new(),
            rest: Rest::Waits { until: morning() + TimeDelta::hours(25), hears: &["GivenUp"] },
            effects: Vec::new(),
            lane: "",
            priority: Priority::Normal,
            owes: Vec::new(),
            parent: None,
            by_signals: true,
            said: None,
        })),
    }
}
