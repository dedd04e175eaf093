//! The outbox: what a move told is delivered at least once, always under the same id.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use houbu::engine::Fault;
use houbu::engine::outbox::{Delivery, Outlet, Outlets};
use houbu::engine::staff::By;
use houbu::engine::staff::letters as staff;
use houbu::engine::store::letters::Claimed;
use tokio::sync::Semaphore;

use super::shop::TOPIC;
use super::works::{ON_PURPOSE, TENANT, Works};

/// What the post does with the next letters; without a plan it accepts them.
enum Post {
    Fails,
    Breaks,
    Burns,
    Keeps,
    Refuses,
    AcceptsWhenLet(Arc<Semaphore>),
}

#[derive(Default)]
struct PostOffice {
    plan: Mutex<VecDeque<Post>>,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl Outlet for PostOffice {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        self.seen.lock().unwrap().push(letter.id.clone());
        let plan = self.plan.lock().unwrap().pop_front();
        match plan {
            None => Ok(Delivery::Sent("accepted".to_owned())),
            Some(Post::Fails) => Err(Fault::Retry("the post is closed".to_owned())),
            Some(Post::Breaks) => Err(Fault::Stop("no such template".to_owned())),
            Some(Post::Burns) => panic!("{ON_PURPOSE}"),
            Some(Post::Keeps) => Ok(Delivery::Suppressed("no longer true")),
            Some(Post::Refuses) => Ok(Delivery::Undeliverable("moved away".to_owned())),
            Some(Post::AcceptsWhenLet(gate)) => {
                gate.acquire().await.unwrap().forget();
                Ok(Delivery::Sent("accepted".to_owned()))
            }
        }
    }
}

fn office(plan: impl IntoIterator<Item = Post>) -> (Arc<PostOffice>, Outlets) {
    let office = Arc::new(PostOffice { plan: Mutex::new(plan.into_iter().collect()), ..PostOffice::default() });
    let outlets = Outlets::default().with(TOPIC, Arc::clone(&office) as Arc<dyn Outlet>);
    (office, outlets)
}

async fn letter(works: &Works) -> (String, i32, Option<String>) {
    sqlx::query_as("select status, attempt, coalesce(reference, last_error) from outbox where tenant = $1")
        .bind(TENANT)
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_tried_until_it_is_accepted_always_under_one_id() {
    let works = Works::new().await;
    let (office, outlets) = office([Post::Fails, Post::Fails]);
    let worker = works.worker_with(outlets).await;
    works.order("book").await;
    for minutes in 1..4 {
        works.still().await;
        works.clock_shows(TimeDelta::minutes(minutes)).await;
    }
    works.still().await;
    let seen = office.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|id| *id == seen[0]));
    assert_eq!(letter(&works).await, ("sent".to_owned(), 2, Some("accepted".to_owned())));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_in_a_dead_workers_hands_is_delivered_again() {
    let works = Works::new().await;
    let (first, second) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(1)));
    let (office, outlets) = office([Post::AcceptsWhenLet(Arc::clone(&first)), Post::AcceptsWhenLet(second)]);
    let worker = works.worker_with(outlets).await;
    works.order("book").await;
    works.wait_for("the first delivery", || async { office.seen.lock().unwrap().len() == 1 }).await;
    works.all_leases_end().await;
    works.still().await;
    first.add_permits(1);
    let seen = office.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_of_a_letter_is_written_down() {
    let ends = [
        (Post::Keeps, "suppressed", "no longer true"),
        (Post::Refuses, "undeliverable", "moved away"),
        (Post::Breaks, "suspended", "no such template"),
        (Post::Burns, "suspended", "the outlet panicked"),
    ];
    for (post, status, why) in ends {
        let works = Works::new().await;
        let (office, outlets) = office([post]);
        let worker = works.worker_with(outlets).await;
        works.order("book").await;
        works.still().await;
        works.clock_shows(TimeDelta::days(3)).await;
        // The order itself goes on: its later letters are accepted, this one is not tried again.
        works.still().await;
        let (first,): (String,) = sqlx::query_as("select id from outbox where payload->>'entered' = 'Payment'")
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
        let stands: (String, Option<String>) = sqlx::query_as("select status, last_error from outbox where id = $1")
            .bind(&first)
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
        assert_eq!(stands, (status.to_owned(), Some(why.to_owned())));
        assert_eq!(office.seen.lock().unwrap().iter().filter(|id| **id == first).count(), 1);
        works.close(vec![worker]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_of_a_topic_without_an_outlet_waits() {
    let works = Works::new().await;
    let worker = works.worker_with(Outlets::default()).await;
    let run = works.order("book").await;
    works.pays(run).await;
    works.wait_for("the order to be packed", || async { works.row(run).await.step == "Counter" }).await;
    let (_, outlets) = office([]);
    let postman = works.worker_with(outlets).await;
    works.still().await;
    let sent: i64 = sqlx::query_scalar("select count(*) from outbox where status = 'sent'")
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(sent, 3);
    works.close(vec![worker, postman]).await;
}

/// Whoever mends what was wrong has it sent, once, and it is known who that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_was_put_aside_is_sent_again() {
    let works = Works::new().await;
    let (office, outlets) = office([Post::Breaks]);
    let worker = works.worker_with(outlets).await;
    works.order("book").await;
    works.still().await;
    let aside = staff::put_aside(&works.db.pool, TENANT, None, Some("template"), None, 10).await.unwrap();
    let [one] = &aside[..] else { panic!("{aside:?}") };
    assert_eq!(one.last_error.as_deref(), Some("no such template"));
    assert!(staff::put_aside(&works.db.pool, TENANT, None, Some("rights"), None, 10).await.unwrap().is_empty());
    let by = By { who: "wang".to_owned(), reason: "the template is there again".to_owned() };
    let ids = [one.id.clone(), "nobody's".to_owned()];
    assert_eq!(staff::retry(&works.engine, &ids, &by).await.unwrap().len(), 1);
    works.still().await;
    assert_eq!(letter(&works).await, ("sent".to_owned(), 0, Some("accepted".to_owned())));
    assert_eq!(*office.seen.lock().unwrap(), [one.id.clone(), one.id.clone()], "under the same id");
    assert!(staff::retry(&works.engine, &ids, &by).await.unwrap().is_empty(), "it has been sent");
    let verbs: Vec<String> = sqlx::query_scalar("select verb from audit").fetch_all(&works.db.pool).await.unwrap();
    assert_eq!(verbs, ["letter.retry"]);
    works.close(vec![worker]).await;
}
