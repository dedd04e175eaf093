//! What was acknowledged is there, although the server dies at that very moment.

use super::works::Works;
use crate::cluster::{Database, Own};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_start_signal_and_turn_outlive_the_server() {
    let mut own = Own::start().await;
    let works = Works::on(Database::on(own.server(), "houbu").await, []).await;
    for book in ["first", "second", "third"] {
        let run = works.order(book).await;
        own.kill();
        own.start_again().await;
        assert_eq!(works.row(run).await.step, "Payment", "the start of {book}");

        works.pays(run).await;
        own.kill();
        own.start_again().await;
        assert_eq!(works.read_turn(run, "money").await, None, "the money for {book} is in its inbox, unread");

        let worker = works.worker().await;
        works.wait_for("the turn", || async { works.row(run).await.step == "Counter" }).await;
        own.kill();
        own.start_again().await;
        assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"], "the turns of {book}");
        worker.stop().await;
    }
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(runs, 3);
    works.close(Vec::new()).await;
    own.end().await;
}
