//! The engine without a hospital: the example as it stands is run on an empty database, and what the guide quotes of it
//! is what stands there.

use std::fs;
use std::path::Path;

use crate::cluster::Database;

#[path = "../../examples/order.rs"]
#[allow(dead_code)]
mod order;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_played_on_the_engines_tables_alone() {
    let db = Database::empty().await;
    let told = order::play(&db.url()).await.unwrap();
    let expected = [
        "o-1, a book: Done",
        "    Reserving: Reserved",
        "    Payment on Paid: Paid",
        "    Delivery: the carrier's line is busy",
        "    Delivery: Delivered",
        "o-2, a piano: Dropped",
        "    Reserving: Reserved",
        "    Payment on Paid: Paid",
        "    Delivery: the carrier's line is busy",
        "    Delivery: NobodyHome",
        "    Refund: Refunded",
        "    Release: Released",
        "o-3, a lamp: Dropped",
        "    Reserving: Reserved",
        "    Payment on deadline: Late",
        "    Release: Released",
        "o-4, a unicorn: Dropped",
        "    Reserving: SoldOut",
    ];
    assert_eq!(told, expected);
    assert_eq!(text("docs/writing-a-workflow.md").matches(&expected.join("\n")).count(), 1, "the guide shows this");
    let hospitals: Option<String> =
        sqlx::query_scalar("select to_regclass('entry')::text").fetch_one(&db.pool).await.unwrap();
    assert_eq!(hospitals, None, "a shop has no hospital's tables");
    db.remove().await;
}

#[test]
fn the_example_is_a_workflow_of_sixty_lines() {
    let example = text("examples/order.rs");
    let (_, rest) = example.split_once("// The workflow.\n").unwrap();
    let (workflow, _) = rest.split_once("// The end of the workflow.").unwrap();
    assert!(workflow.trim().lines().count() <= 60, "{} lines", workflow.trim().lines().count());
}

#[test]
fn the_guide_quotes_the_example() {
    let (guide, example) = (text("docs/writing-a-workflow.md"), text("examples/order.rs"));
    let quotes: Vec<&str> =
        guide.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.trim_end()).collect();
    assert!(quotes.len() >= 5, "only {} pieces of code", quotes.len());
    for quote in quotes {
        assert!(example.contains(quote), "this is not in the example:\n{quote}");
    }
}

/// What an outside user meets: a signal that nobody hears and a workflow that could end with something owed.
mod refusals {
    use std::sync::Arc;

    use houbu::engine::prelude::*;

    use super::order::{Order, Shop};
    use crate::cluster::Database;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_signal_that_no_step_hears_is_refused() {
        let db = Database::empty().await;
        let registry = Registry::default().with::<Order>(Arc::new(Shop::default()));
        let engine = Engine::open(&db.url(), "shop", registry).await.unwrap();
        let refused = engine.signal::<Order>("o-1", "Payed", "receipt 17", &()).await.unwrap_err();
        assert_eq!(refused.to_string(), "no step of the workflow order hears the signal Payed");
        assert!(engine.find::<Order>("o-1").await.unwrap().is_none());
        engine.pool.close().await;
        db.remove().await;
    }

    mod leaky {
        use houbu::engine::prelude::*;

        flow! {
            /// Takes money and keeps it.
            Leaky = "leaky";
            state ();
            ports ();
            obligations Money;
            starts Taking;
            ends Over;
            quiet Over;

            /// Takes it.
            Taking = taking { Taken + Money -> Over }
        }

        #[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
        async fn taking((): &mut (), _: &Turn, (): &()) -> Result<outcome::Taking, Fault> {
            Ok(outcome::Taking::Taken)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_workflow_that_could_keep_the_money_does_not_open() {
        let registry = Registry::default().with::<leaky::Leaky>(Arc::new(()));
        let refused = Engine::open("postgres://nobody-is-asked", "shop", registry).await.err().unwrap();
        assert!(
            matches!(&refused, EngineError::Unsound { workflow: "leaky", flaws } if flaws.contains("Money")),
            "{refused}"
        );
    }
}
