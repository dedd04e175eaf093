//! Every row of every table is told by some story.

use std::collections::BTreeSet;

use houbu::engine::flow::Flow;
use houbu::workflows::breach_sync::BreachSync;
use houbu::workflows::reconciliation::Reconciliation;
use houbu::workflows::schedule_sync::ScheduleSync;
use houbu::workflows::slot_release::SlotRelease;
use houbu::workflows::waitlist_application::WaitlistApplication;

use super::{
    THE_MONEY_COMES_BACK, Told, breaching, cancelling, caring_for_locks, changing_doctors, changing_terms, delaying,
    drawing, fee_changes, giving_up, late_money, leading, offers, paying, plain_his, prepaying, queue, reconciling,
    refunds, releases, reopening, second_thoughts, several_queues, stopping_times, sureties, syncing, visits,
};

#[test]
fn no_row_of_a_table_goes_untold() {
    let files: [&[Told]; 26] = [
        breaching::TOLD,
        cancelling::TOLD,
        caring_for_locks::TOLD,
        changing_doctors::TOLD,
        changing_terms::TOLD,
        delaying::TOLD,
        drawing::TOLD,
        fee_changes::TOLD,
        giving_up::TOLD,
        leading::TOLD,
        offers::TOLD,
        paying::TOLD,
        plain_his::TOLD,
        prepaying::TOLD,
        queue::TOLD,
        reconciling::TOLD,
        refunds::TOLD,
        late_money::TOLD,
        releases::TOLD,
        reopening::TOLD,
        second_thoughts::TOLD,
        several_queues::TOLD,
        stopping_times::TOLD,
        sureties::TOLD,
        syncing::TOLD,
        visits::TOLD,
    ];
    let mut told: BTreeSet<String> = BTreeSet::new();
    for (workflow, steps) in files.into_iter().flatten() {
        for line in steps.iter().filter(|line| **line != THE_MONEY_COMES_BACK) {
            let (step, outcome) = line.split_once(": ").expect("a step and its outcome");
            let step = step.split(" on ").next().unwrap_or_default();
            told.insert(format!("{workflow}: {step} / {outcome}"));
        }
    }
    let tables =
        [WaitlistApplication::TABLE, SlotRelease::TABLE, ScheduleSync::TABLE, Reconciliation::TABLE, BreachSync::TABLE];
    let rows: BTreeSet<String> = tables
        .iter()
        .flat_map(|table| table.steps.iter().map(move |row| (table.name, row)))
        .flat_map(|(workflow, row)| {
            row.outcomes.iter().map(move |one| format!("{workflow}: {} / {}", row.name, one.name))
        })
        .collect();
    let untold: Vec<&String> = rows.difference(&told).collect();
    assert!(untold.is_empty(), "{} of {} rows are in no story: {untold:#?}", untold.len(), rows.len());
    let invented: Vec<&String> = told.difference(&rows).filter(|line| !line.ends_with("/ failed")).collect();
    assert!(invented.is_empty(), "told, but in no table: {invented:#?}");
}
