//! What a run owes, may owe, and would strand: the proof's question asked of one run at one step.
//!
//! Pure, over the table alone. The proof answers for every path of the table; a person's jump is a path that the table
//! does not have, so it is asked here before it is taken.

use std::collections::{BTreeSet, HashSet};

use super::table::{StepRow, Table};

/// Obligations by name: what is open, or must be thought open.
pub type Owed = BTreeSet<String>;

/// What must be thought open where a run stands: what its outcomes opened, and where its step acts and may have called
/// out, whatever an outcome of that step opens. At a step that the table does not have, everything.
pub fn may_owe(table: &Table, step: &str, open: &[String], may_have_called: bool) -> Owed {
    let mut owed: Owed = open.iter().cloned().collect();
    match table.step(step) {
        Some(row) if row.waits() || !may_have_called => {}
        Some(row) => owed.extend(opened_by(row)),
        None if table.is_ending(step) => {}
        None => owed.extend(table.steps.iter().flat_map(opened_by)),
    }
    owed
}

fn opened_by(row: &StepRow) -> impl Iterator<Item = String> {
    row.outcomes.iter().flat_map(|outcome| outcome.opens.iter().map(|one| (*one).to_owned()))
}

/// True where no path of the table leads from `step` with `owed` open to an ending that still owes.
pub fn safe_from(table: &Table, step: &str, owed: &Owed) -> bool {
    let mut walked: HashSet<(&str, Owed)> = HashSet::new();
    let mut left = vec![(step, owed.clone())];
    while let Some((at, owed)) = left.pop() {
        if table.is_ending(at) {
            if owed.is_empty() {
                continue;
            }
            return false;
        }
        let Some(row) = table.step(at) else { return false };
        if !walked.insert((at, owed.clone())) {
            continue;
        }
        for outcome in row.outcomes {
            let mut next = owed.clone();
            next.extend(outcome.opens.iter().map(|one| (*one).to_owned()));
            next.retain(|one| !outcome.closes.contains(&one.as_str()));
            left.push((outcome.next, next));
        }
    }
    true
}

/// The steps and endings from which nothing of `owed` is stranded, in the order of declaration.
pub fn safe_places(table: &Table, owed: &Owed) -> Vec<&'static str> {
    let places = table.steps.iter().map(|row| row.name).chain(table.ends.iter().copied());
    places.filter(|place| safe_from(table, place, owed)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::{OutcomeRow, Priority};
    use super::*;

    const fn to(name: &'static str, next: &'static str) -> OutcomeRow {
        OutcomeRow { name, opens: &[], closes: &[], next }
    }

    const fn step(name: &'static str, until: Option<&'static str>, outcomes: &'static [OutcomeRow]) -> StepRow {
        StepRow {
            name,
            doc: "",
            hears: &[],
            until,
            by_state: false,
            lane: None,
            priority: Priority::Normal,
            absorbs: &[],
            retry: None,
            outcomes,
        }
    }

    const BASKET: &[OutcomeRow] =
        &[OutcomeRow { name: "Paid", opens: &["Money"], closes: &[], next: "Packing" }, to("Dropped", "Closed")];
    const PACKING: &[OutcomeRow] =
        &[OutcomeRow { name: "Packed", opens: &["Parcel"], closes: &[], next: "Counter" }, to("SoldOut", "Refund")];
    const COUNTER: &[OutcomeRow] =
        &[OutcomeRow { name: "Collected", opens: &[], closes: &["Money", "Parcel"], next: "Closed" }];
    const REFUND: &[OutcomeRow] = &[OutcomeRow { name: "Returned", opens: &[], closes: &["Money"], next: "Closed" }];

    const SHOP: Table = Table {
        name: "shop",
        doc: "",
        starts: &["Basket"],
        ends: &["Closed"],
        quiet: &[],
        cancels: None,
        steps: &[
            step("Basket", Some("pay_until"), BASKET),
            step("Packing", None, PACKING),
            step("Counter", Some("closes"), COUNTER),
            step("Refund", None, REFUND),
        ],
    };

    fn owed(names: &[&str]) -> Owed {
        names.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_step_that_acted_may_owe_what_it_opens() {
        let money = ["Money".to_owned()];
        assert_eq!(may_owe(&SHOP, "Packing", &money, false), owed(&["Money"]));
        assert_eq!(may_owe(&SHOP, "Packing", &money, true), owed(&["Money", "Parcel"]));
        assert_eq!(may_owe(&SHOP, "Basket", &[], true), owed(&[]), "a step that waits calls nobody");
        assert_eq!(
            may_owe(&SHOP, "Gift", &[], true),
            owed(&["Money", "Parcel"]),
            "of an unknown step nothing is known"
        );
    }

    #[test]
    fn what_is_owed_decides_where_it_is_safe() {
        assert_eq!(safe_places(&SHOP, &owed(&[])), ["Basket", "Packing", "Counter", "Refund", "Closed"]);
        assert_eq!(safe_places(&SHOP, &owed(&["Money"])), ["Packing", "Counter", "Refund"]);
        assert_eq!(safe_places(&SHOP, &owed(&["Money", "Parcel"])), ["Counter"]);
        assert!(!safe_from(&SHOP, "Nowhere", &owed(&[])));
    }
}
