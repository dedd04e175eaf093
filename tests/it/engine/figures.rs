//! What is counted and shown: every figure is exposed and documented, says what happened, and names no person and no run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;
use houbu::engine::measure::figures::{FIGURES, LABELS};
use houbu::engine::measure::page;
use houbu::engine::outbox::Outlets;
use uuid::Uuid;

use super::town::{Errands, Step};
use super::works::Works;

/// One sample: its name, its labels, its value as a whole number.
type Sample = (String, BTreeMap<String, String>, i64);

async fn exposed(works: &Works) -> String {
    let survey = works.engine.survey().await.unwrap();
    works.engine.exposed(&survey)
}

#[allow(clippy::cast_possible_truncation)] // What is looked at here is counted on the fingers.
fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (of, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = of.split_once('{').unwrap_or((of, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let pair = |label: &str| {
                let (name, value) = label.split_once("=\"").unwrap();
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            };
            (name.to_owned(), labels.map(pair).collect(), value.parse::<f64>().unwrap().round() as i64)
        })
        .collect()
}

/// The sum of the samples of this name whose labels have these values.
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> i64 {
    let fits = |of: &BTreeMap<String, String>| labels.iter().all(|(name, value)| of[*name] == *value);
    samples.iter().filter(|(of, has, _)| of == name && fits(has)).map(|(.., value)| value).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_is_exposed_and_nothing_else_is() {
    let works = Works::new().await;
    let text = exposed(&works).await;
    let types: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ').map(|(name, _)| name)).collect();
    let there: BTreeSet<&str> = types.iter().copied().collect();
    let table: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(there, table);
    assert_eq!((types.len(), FIGURES.len()), (there.len(), table.len()), "each once");
    works.close(vec![]).await;
}

#[test]
fn every_label_is_one_of_the_list() {
    let listed: BTreeSet<&str> = LABELS.iter().map(|(name, _)| *name).filter(|name| *name != "le").collect();
    let used: BTreeSet<&str> = FIGURES.iter().flat_map(|figure| figure.labels.iter().copied()).collect();
    assert_eq!(used, listed);
}

#[test]
fn the_document_is_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations/metrics.md");
    if std::env::var_os("HOUBU_DRAW").is_some() {
        std::fs::write(&file, page::page()).unwrap();
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(stands == page::page(), "metrics.md is not what the table says: HOUBU_DRAW=1 cargo test --test it figures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_say_what_happened() {
    let works = Works::new().await;
    let run = works.order("book-of-Zhang-13800138000").await;
    let before = samples(&exposed(&works).await);
    assert_eq!(value(&before, "houbu_runs", &[("workflow", "shop_order"), ("status", "waiting")]), 1);
    assert_eq!(value(&before, "houbu_due_letters", &[]), 1, "nobody delivers yet");
    assert_eq!(value(&before, "houbu_workers", &[]), 0);

    let worker = works.worker().await;
    works.pays(run).await;
    works.pays(run).await;
    works.still().await;
    works.signal(run, "GivenUp", "no", serde_json::json!({})).await;
    works.clock_shows(TimeDelta::days(20)).await;
    works.still().await;
    works.signal(run, "Paid", "much-later", serde_json::json!({})).await;
    let text = exposed(&works).await;
    let now = samples(&text);
    let payment = [("workflow", "shop_order"), ("step", "Payment")];
    assert_eq!(value(&now, "houbu_turns_total", &[payment[0], payment[1], ("result", "moved")]), 1);
    assert_eq!(value(&now, "houbu_turns_total", &[("result", "ended")]), 1);
    assert_eq!(value(&now, "houbu_handler_seconds_count", &payment), 1);
    assert_eq!(value(&now, "houbu_workers", &[]), 1);
    assert_eq!(value(&now, "houbu_runs", &[("workflow", "shop_order")]), 0, "what has ended is not counted");
    let turns = value(&now, "houbu_turns_total", &[]);
    assert_eq!(value(&now, "houbu_commit_turns_sum", &[]), turns, "each turn was committed once");
    assert!(value(&now, "houbu_claim_runs_sum", &[]) >= value(&now, "houbu_due_lateness_seconds_count", &[]));
    assert!(value(&now, "houbu_due_lateness_seconds_count", &[]) >= 2);
    let sent = value(&now, "houbu_letters_total", &[("topic", "shop"), ("result", "sent")]);
    assert!(sent >= 2 && value(&now, "houbu_letter_seconds_count", &[]) >= sent, "{text}");
    assert!(value(&now, "houbu_pool_wait_seconds_count", &[]) >= 1);
    // Signals are counted by process, and other tests signal as well.
    for fate in ["new", "duplicate", "late"] {
        assert!(value(&now, "houbu_signals_total", &[("fate", fate)]) >= 1, "{fate}");
    }
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_limits_and_backlogs_are_seen() {
    let errands = Errands::new(houbu::engine::limits::Limits { concurrency_max: 3, ..Default::default() }).await;
    let works = &errands.works;
    errands.begin(Step::Visiting, 2).await;
    errands.town.dairy.is_away(true);
    works.clock_shows(TimeDelta::minutes(2)).await;
    let due = samples(&exposed(works).await);
    assert_eq!(value(&due, "houbu_due_runs", &[("destination", "dairy")]), 2);
    assert_eq!(value(&due, "houbu_due_oldest_seconds", &[("destination", "dairy")]), 120);

    let worker = works.worker_with(Outlets::default()).await;
    works.still().await;
    let failed = samples(&exposed(works).await);
    assert_eq!(value(&failed, "houbu_retries_total", &[("workflow", "errand"), ("class", "retry")]), 2);
    assert_eq!(value(&failed, "houbu_turns_total", &[("step", "Visiting"), ("result", "retried")]), 2);
    assert_eq!(value(&failed, "houbu_due_runs", &[]), 0, "they back off");
    for minutes in [3, 5, 9] {
        works.clock_shows(TimeDelta::minutes(minutes)).await;
        works.still().await;
    }
    let given_up = samples(&exposed(works).await);
    assert_eq!(value(&given_up, "houbu_suspensions_total", &[("step", "Visiting"), ("class", "retry")]), 2);
    assert_eq!(value(&given_up, "houbu_runs", &[("status", "suspended")]), 2);
    assert_eq!(value(&given_up, "houbu_destination_calls_max", &[("destination", "mill")]), 3);
    assert_eq!(value(&given_up, "houbu_destination_state", &[("destination", "mill"), ("state", "closed")]), 1);
    assert_eq!(value(&given_up, "houbu_destination_state", &[("destination", "mill")]), 1, "one of its states");
    let Errands { works, .. } = errands;
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_label_names_a_person_or_a_run() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book-of-Zhang-13800138000").await;
    works.pays(run).await;
    works.still().await;
    sqlx::query("update run set step = 'Nowhere', status = 'pending', due_at = engine_now() where id = $1")
        .bind(run)
        .execute(&works.db.pool)
        .await
        .unwrap();
    let text = exposed(&works).await;
    let samples = samples(&text);
    assert_eq!(value(&samples, "houbu_unrunnable_runs", &[("workflow", "shop_order"), ("step", "Nowhere")]), 1);
    let names: BTreeSet<&str> = LABELS.iter().map(|(name, _)| *name).collect();
    for (figure, labels, _) in &samples {
        for (name, value) in labels {
            assert!(names.contains(name.as_str()), "{figure} has the label {name}, which is not on the list");
            assert!(!value.contains("Zhang") && !value.contains("1380"), "{figure} names a person: {value}");
            assert!(Uuid::parse_str(value).is_err(), "{figure} names a run: {value}");
        }
    }
    works.close(vec![worker]).await;
}
