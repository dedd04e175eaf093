//! The proof: a table that could keep somebody's money does not pass, and the path to it is named.

use std::sync::Arc;

use houbu::engine::proof::{self, Flaw};
use houbu::engine::table::{OutcomeRow, StepRow};
use houbu::engine::{Registry, Table, flow::Flow};

use houbu::workflows::waitlist_application::WaitlistApplication;

use super::shop::{ShopOrder, Warehouse};

#[test]
fn the_shop_owes_nothing_at_any_end() {
    let registry = Registry::default().with::<ShopOrder>(Arc::new(Warehouse::default()));
    let proofs = registry.prove();
    let [(name, Ok(proof))] = &proofs[..] else { panic!("{proofs:?}") };
    assert_eq!(*name, "shop_order");
    assert_eq!((proof.places, proof.outcomes), (7, 10));
}

/// The shop's table with one outcome changed.
fn changed(step: &str, outcome: &str, change: impl Fn(&mut OutcomeRow)) -> Table {
    changed_in(ShopOrder::TABLE, step, outcome, change)
}

/// A table with one outcome changed.
fn changed_in(table: Table, step: &str, outcome: &str, change: impl Fn(&mut OutcomeRow)) -> Table {
    let steps: Vec<StepRow> = table
        .steps
        .iter()
        .map(|row| {
            let mut outcomes = row.outcomes.to_vec();
            for one in outcomes.iter_mut().filter(|one| row.name == step && one.name == outcome) {
                change(one);
            }
            StepRow { outcomes: outcomes.leak(), ..*row }
        })
        .collect();
    Table { steps: steps.leak(), ..table }
}

/// The waitlist's own table: whoever leaves the queue past the settlement is found, and so is a closing that is left out.
#[test]
fn an_application_that_skips_its_settlement_is_found() {
    let sound = WaitlistApplication::TABLE;
    let cut = changed_in(sound, "Waiting", "CutOff", |row| row.next = "Closure");
    let flaws: Vec<String> = proof::prove(&cut).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        flaws.first().map(String::as_str),
        Some(
            "an ending is reached while Money is still open: \
             PrepayOrder/Paid → Waiting/CutOff → Closure/Expired → Expired"
        )
    );
    for (step, outcome) in [
        ("Settlement", "Clear"),
        ("Reckoning", "Clear"),
        ("Unlocking", "Released"),
        ("Cancelling", "Cancelled"),
        ("Visit", "Over"),
    ] {
        let table = changed_in(sound, step, outcome, |row| row.closes = &[]);
        assert!(proof::prove(&table).is_err(), "{step}/{outcome} need not close anything");
    }
}

#[test]
fn a_row_that_skips_the_refund_is_found() {
    let table = changed("Counter", "LeftLying", |row| row.next = "Dropped");
    let flaws = proof::prove(&table).unwrap_err();
    let path = ["Payment/Paid", "Packing/Packed", "Counter/LeftLying", "Dropped"].map(str::to_owned).to_vec();
    assert_eq!(flaws, [Flaw::Owing { owed: vec!["Money"], path }]);
}

#[test]
fn every_single_closing_is_needed() {
    for row in ShopOrder::TABLE.steps {
        for outcome in row.outcomes.iter().filter(|outcome| !outcome.closes.is_empty()) {
            let table = changed(row.name, outcome.name, |row| row.closes = &[]);
            assert!(proof::prove(&table).is_err(), "{}/{} need not close anything", row.name, outcome.name);
        }
    }
}

#[test]
fn a_step_without_a_way_in_or_out_is_found() {
    let table = changed("Packing", "SoldOut", |row| row.next = "Packing");
    let table = Table { steps: table.steps, ..table };
    assert!(proof::prove(&table).is_ok(), "the counter still leads to the refund");
    let cut = changed("Payment", "Unpaid", |row| row.next = "Dropped");
    assert_eq!(proof::prove(&cut).unwrap_err(), [Flaw::Unreachable("Doubt")]);
    let mut steps = ShopOrder::TABLE.steps.to_vec();
    for row in steps.iter_mut().filter(|row| row.name == "Refund") {
        row.outcomes = &[OutcomeRow { name: "Returned", opens: &[], closes: &["Money"], next: "Refund" }];
    }
    let flaws = proof::prove(&Table { steps: steps.leak(), ..ShopOrder::TABLE }).unwrap_err();
    assert_eq!(flaws, [Flaw::Endless("Refund")]);
}

mod silent {
    //! A workflow that ends without a word.

    use houbu::engine::{Edge, Effect, Fault, Projected, RunId, Turn};
    use houbu::flow;
    use serde::{Deserialize, Serialize};
    use sqlx::PgConnection;

    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub struct Nothing {}

    impl Nothing {
        fn sample() -> Self {
            Self {}
        }
    }

    flow! {
        /// Ends without a word.
        Silent = "silent";
        state Nothing;
        ports ();
        obligations ;
        emits effects;
        projects project;
        starts Work;
        ends Told, Untold, Quiet;
        quiet Quiet;
        sample Nothing::sample;

        /// Works.
        Work = work
            { Good -> Told, Bad -> Untold, Neither -> Quiet }
    }

    #[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
    async fn work(_: &mut Nothing, _: &Turn, (): &()) -> Result<outcome::Work, Fault> {
        Ok(outcome::Work::Bad)
    }

    fn effects(run: RunId, edge: &Edge, _: &Nothing) -> Vec<Effect> {
        let letter = houbu::engine::Letter { id: run.to_string(), topic: "t", payload: serde_json::json!({}) };
        if edge.to == "Told" { vec![Effect::Tell(letter)] } else { Vec::new() }
    }

    async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Nothing>]) -> sqlx::Result<()> {
        Ok(())
    }
}

#[test]
fn an_ending_that_nobody_is_told_of_is_found() {
    let registry = houbu::engine::Registry::default().with::<silent::Silent>(std::sync::Arc::new(()));
    let flaws: Vec<String> = registry.prove().remove(0).1.unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(flaws, ["nobody is told of the ending Work/Bad → Untold"]);
}
