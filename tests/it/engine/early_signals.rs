//! Signals that come before their run: kept with the sender's transaction, heard once and in order when it appears.

use chrono::TimeDelta;
use houbu::engine::housekeeping::{self, Retention};
use houbu::engine::store::unmatched::{self, Standing, Sweep};
use houbu::engine::store::{self, Outgoing, Signalled};
use houbu::engine::{Registry, RunId, To};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::baskets::{Basket, ShopBasket, Step as BasketStep};
use super::shop::{Order, ShopOrder, Step};
use super::works::{TENANT, Works, morning};

fn money(key: &str) -> Outgoing {
    Outgoing {
        to: To::Key { workflow: ShopOrder::NAME, key: key.to_owned() },
        name: "Paid".into(),
        id: "money".to_owned(),
        payload: json!({ "cents": 100 }),
    }
}

async fn sends(works: &Works, signal: &Outgoing) -> Signalled {
    let mut tx = works.db.pool.begin().await.unwrap();
    let came = store::signal(&mut tx, TENANT, signal).await.unwrap();
    tx.commit().await.unwrap();
    works.engine.hint();
    came
}

async fn starts(conn: &mut PgConnection, name: &str) -> RunId {
    let order = Order::new(name, morning() + TimeDelta::hours(1));
    let new = Registry::new_run::<ShopOrder>(Uuid::now_v7(), name.to_owned(), Step::Payment.name(), &order).unwrap();
    store::start(conn, TENANT, new).await.unwrap().id
}

/// How many kept signals have this standing.
async fn standing(works: &Works, standing: Standing) -> usize {
    unmatched::list(&works.db.pool, TENANT, standing, None, 1_000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_before_the_start_is_heard() {
    let works = Works::new().await;
    let worker = works.worker().await;
    assert_eq!(sends(&works, &money("book")).await, Signalled::Kept);
    assert_eq!(sends(&works, &money("book")).await, Signalled::Duplicate, "it is kept once");
    works.clock_shows(TimeDelta::minutes(59)).await;
    let run = works.order("book").await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    assert_eq!(sends(&works, &money("book")).await, Signalled::Duplicate, "also after it was heard");
    let kept = unmatched::list(&works.db.pool, TENANT, Standing::Matched, None, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].matched_run, kept[0].received_at), (Some(run), morning()), "it arrived when it arrived");
    works.close(vec![worker]).await;
}

/// What came by the deadline counts, also where the run appeared after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_signal_wins_over_the_deadline_and_a_late_one_does_not() {
    let works = Works::new().await;
    works.clock_shows(TimeDelta::hours(1)).await;
    sends(&works, &money("in time")).await;
    works.clock_shows(TimeDelta::hours(1) + TimeDelta::microseconds(1)).await;
    sends(&works, &money("too late")).await;
    works.clock_shows(TimeDelta::hours(2)).await;
    let (in_time, too_late) = (works.order("in time").await, works.order("too late").await);
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.story(in_time).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    assert_eq!(works.story(too_late).await, ["Payment on deadline: Unpaid"]);
    assert_eq!(works.read_turn(too_late, "money").await, None, "the loser is there for whoever looks");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_and_a_start_in_one_transaction_in_either_order() {
    let works = Works::new().await;
    let worker = works.worker().await;
    for (key, signal_first) in [("book", true), ("pen", false)] {
        let mut tx = works.db.pool.begin().await.unwrap();
        let (run, came) = if signal_first {
            let came = store::signal(&mut tx, TENANT, &money(key)).await.unwrap();
            (starts(&mut tx, key).await, came)
        } else {
            let run = starts(&mut tx, key).await;
            (run, store::signal(&mut tx, TENANT, &money(key)).await.unwrap())
        };
        tx.commit().await.unwrap();
        works.engine.hint();
        assert_eq!(came, if signal_first { Signalled::Kept } else { Signalled::Delivered });
        works.still().await;
        assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"], "{key}");
    }
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_or_a_signal_that_is_rolled_back_leaves_nothing() {
    let works = Works::new().await;
    let mut tx = works.db.pool.begin().await.unwrap();
    store::signal(&mut tx, TENANT, &money("pen")).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(standing(&works, Standing::Waiting).await, 0);

    sends(&works, &money("book")).await;
    let mut tx = works.db.pool.begin().await.unwrap();
    starts(&mut tx, "book").await;
    tx.rollback().await.unwrap();
    assert_eq!(standing(&works, Standing::Waiting).await, 1, "a run that never was has heard nothing");
    let run = works.order("book").await;
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.row(run).await.step, "Counter");
    works.close(vec![worker]).await;
}

/// Two transactions that do not see each other: the sweep brings their signal and run together, and so does the next
/// signal, which does not overtake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_and_a_start_that_do_not_see_each_other_meet() {
    let works = Works::new().await;
    for key in ["by sweep", "by the next"] {
        let mut starting = works.db.pool.begin().await.unwrap();
        let run = starts(&mut starting, key).await;
        assert_eq!(sends(&works, &money(key)).await, Signalled::Kept, "the start is not committed");
        starting.commit().await.unwrap();
        assert_eq!(works.row(run).await.status, "waiting");
        if key == "by sweep" {
            assert_eq!(housekeeping::sweep(&works.engine, Sweep::Lately).await.unwrap(), 1);
            assert_eq!(housekeeping::sweep(&works.engine, Sweep::All).await.unwrap(), 0);
        } else {
            works.signal(run, "GivenUp", "no", json!({})).await;
        }
        assert_eq!(works.read_turn(run, "money").await, None);
        let worker = works.worker().await;
        works.still().await;
        assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"], "{key}");
        worker.stop().await;
    }
    works.close(vec![]).await;
}

/// Ten senders of five signals each and the start of their run, all at once, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_signals_and_the_start_at_once_are_heard_once_and_in_order() {
    let works = Works::new().await;
    let workers = vec![works.worker().await, works.worker().await];
    let mut kept = 0;
    for round in 0..12_usize {
        let key = format!("round {round}");
        let basket = Basket {
            names: (0..50).map(|n| n.to_string()).collect(),
            pay_until: morning() + TimeDelta::hours(1),
            ended: Vec::new(),
        };
        let senders = (0..10_usize).map(|sender| {
            let (works, key) = (&works, key.clone());
            async move {
                let mut came = Vec::new();
                for nth in 0..5 {
                    came.push(sends(works, &child_ended(&key, sender, nth)).await);
                }
                came
            }
        });
        let start = async {
            // So that it falls among the signals, at another place each round.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            let new = Registry::new_run::<ShopBasket>(Uuid::now_v7(), key.clone(), BasketStep::Orders.name(), &basket);
            let mut tx = works.db.pool.begin().await.unwrap();
            let started = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap();
            tx.commit().await.unwrap();
            works.engine.hint();
            started.id
        };
        let (came, run) = futures::join!(futures::future::join_all(senders), start);
        kept += came.iter().flatten().filter(|came| **came == Signalled::Kept).count();
        assert!(came.iter().flatten().all(|came| *came != Signalled::Duplicate));
        works.wait_for("the last signal", || async { works.row(run).await.status == "completed" }).await;
        let heard: sqlx::types::Json<Vec<String>> =
            sqlx::query_scalar("select state->'ended' from run_state where run_id = $1")
                .bind(run)
                .fetch_one(&works.db.pool)
                .await
                .unwrap();
        assert_eq!(heard.len(), 50, "each once");
        for sender in 0..10 {
            let own: Vec<&String> = heard.iter().filter(|one| one.starts_with(&format!("{sender}:"))).collect();
            let sent: Vec<String> = (0..5).map(|nth| format!("{sender}: {nth}")).collect();
            assert_eq!(own, sent.iter().collect::<Vec<_>>(), "in the order of sending");
        }
    }
    assert!(kept > 0, "no signal came before its run: nothing was shown");
    assert_eq!(standing(&works, Standing::Waiting).await, 0);
    works.close(workers).await;
}

fn child_ended(key: &str, sender: usize, nth: usize) -> Outgoing {
    let payload = json!({
        "run": Uuid::nil(), "workflow": "shop_order", "key": sender.to_string(), "ending": nth.to_string(),
        "cancelled": false,
    });
    Outgoing {
        to: To::Key { workflow: ShopBasket::NAME, key: key.to_owned() },
        name: "ChildEnded".into(),
        id: format!("{sender}-{nth}"),
        payload,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_run_comes_for_expires_and_stays_visible_until_it_is_forgotten() {
    let works = Works::new().await;
    let kept = Retention::default();
    let nobody = Uuid::now_v7();
    sends(&works, &money("book")).await;
    let by_id = Outgoing { to: To::Run(nobody), ..money("") };
    assert_eq!(sends(&works, &by_id).await, Signalled::Kept, "an id that never was");
    works.clock_shows(TimeDelta::days(7)).await;
    assert_eq!(housekeeping::round(&works.engine, &kept).await.expired, 0);
    works.clock_shows(TimeDelta::days(7) + TimeDelta::seconds(1)).await;
    assert_eq!(housekeeping::round(&works.engine, &kept).await.expired, 2);
    let shown = unmatched::list(&works.db.pool, TENANT, Standing::Expired, None, 10).await.unwrap();
    assert_eq!(shown.iter().map(|one| one.run_id).collect::<Vec<_>>(), [Some(nobody), None], "newest first");

    let run = works.order("book").await;
    assert_eq!(works.row(run).await.status, "waiting", "what has expired is not heard");
    assert_eq!(sends(&works, &money("book")).await, Signalled::Delivered, "a sender that tries again is heard");

    works.clock_shows(TimeDelta::days(98)).await;
    assert_eq!(housekeeping::round(&works.engine, &kept).await.signals, 2);
    assert_eq!(standing(&works, Standing::Expired).await, 0);
    works.close(vec![]).await;
}

/// Hints say only that there is something to look at: a hundred of them for a run that is not there are one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hints_for_a_run_that_is_not_there_one_is_kept() {
    let works = Works::new().await;
    for nth in 0..3 {
        let hint = Outgoing { id: format!("hint {nth}"), ..money("book") };
        let mut tx = works.db.pool.begin().await.unwrap();
        let came = store::signal::hint(&mut tx, TENANT, &[hint]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(came, [if nth == 0 { Signalled::Kept } else { Signalled::Duplicate }]);
    }
    assert_eq!(standing(&works, Standing::Waiting).await, 1);
    works.close(vec![]).await;
}
