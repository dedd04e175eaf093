//! The seeded simulation: hundreds of runs a seed on a real PostgreSQL, with signals, clock moves, dying and sleeping
//! workers, broken connections, lost and repeated replies by the dice; then a judge looks at what stands in the database.
//!
//! | file | job |
//! |---|---|
//! | `chance` | dice that fall the same for the same seed |
//! | `plot` | what happens, round by round, by the seed alone |
//! | `harbour` | the workflows: voyages, their legs, and bells |
//! | `world` | what their steps call and where their letters go |
//! | `mischief` | what goes wrong inside a turn |
//! | `standstill` | who stands still while others go on |
//! | `office` | staff and their verbs |
//! | `crew` | the workers, each a process of its own |
//! | `stage` | plays a plot and lets everything come to its end |
//! | `facts` | what the database says afterwards |
//! | `model` | what is allowed to have happened to one run; pure |
//! | `judge` | all of it held against each other, and the story of a run |
//! | `lies` | what the judge must see |
//!
//! A seed decides what happens and what goes wrong where; how the operating system lets workers take turns it does not.
//! So a seed that failed fails again often, and not always.
//!
//! | variable | means |
//! |---|---|
//! | `HOUBU_SIM_SEED=n` | this seed alone |
//! | `HOUBU_SIM_SECONDS=n` | fresh seeds until so many seconds have passed, instead of the same few |
//! | `HOUBU_SIM_FROM=n` | the first seed |
//!
//! `.ci/run` plays fresh seeds for a minute.

pub mod chance;
mod crew;
mod facts;
mod harbour;
mod judge;
mod lies;
mod mischief;
mod model;
mod office;
mod plot;
mod stage;
mod standstill;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use judge::{Offence, Witnesses};
use office::{Answered, Deed};
use stage::{Stage, in_time};

/// What is not over by then is stuck.
const SEED_MAX: Duration = Duration::from_mins(5);
/// How many seeds a plain `cargo test` plays.
const SEEDS: u64 = 3;

/// What one seed came to.
struct Played {
    runs: usize,
    turns: usize,
    mishaps: usize,
    /// What staff asked for and were answered.
    deeds: Vec<Deed>,
}

/// Plays a seed. A report where something is not as it must be.
async fn play(seed: u64) -> Result<Played, String> {
    let stage = Stage::new(seed).await;
    let to_its_end = async {
        stage.play(&plot::plot(seed)).await;
        stage.settle().await
    };
    let Ok(settled) = tokio::time::timeout(SEED_MAX, to_its_end).await else {
        return Err(format!("seed {seed}: not over yet\n{}\n{}\n", stage.who_waits().await, again(seed)));
    };
    let facts = facts::read(stage.pool()).await.unwrap();
    let witnesses = Witnesses::of(&stage);
    let mut offences = judge::offences(&facts, &witnesses);
    if let Err(what) = settled {
        offences.insert(0, Offence { run: None, what });
    }
    if !offences.is_empty() {
        return Err(report(seed, &offences, &facts, &witnesses));
    }
    in_time("everybody to go home", stage.close()).await.map_err(|stuck| format!("seed {seed}: {stuck}"))?;
    let unseen = lies::unseen(&facts, &witnesses);
    if !unseen.is_empty() {
        return Err(format!("seed {seed}: the judge does not see that {unseen:?}\n{}\n", again(seed)));
    }
    let turns = facts.runs.values().map(|run| run.turns.len()).sum();
    Ok(Played { runs: facts.runs.len(), turns, mishaps: witnesses.mishaps.len(), deeds: witnesses.deeds })
}

/// The same in a task of its own, so that whoever panics has a seed too.
async fn played(seed: u64) -> Result<Played, String> {
    match tokio::spawn(play(seed)).await {
        Ok(played) => played,
        Err(panicked) => Err(format!("seed {seed}: {panicked}\n{}\n", again(seed))),
    }
}

/// How to play a seed again.
fn again(seed: u64) -> String {
    format!("again: HOUBU_SIM_SEED={seed} cargo test --test it simulation:: -- --nocapture")
}

/// The seed, how to play it again, and the stories of the first runs that are concerned.
fn report(seed: u64, offences: &[Offence], facts: &facts::Facts, witnesses: &Witnesses) -> String {
    const TOLD: usize = 3;
    let mut told = format!("seed {seed}: {} things are not as they must be\n", offences.len());
    let _ = writeln!(told, "{}", again(seed));
    for offence in offences.iter().take(20) {
        let run = offence.run.and_then(|run| facts.runs.get(&run)).map_or("", |run| run.row.key.as_str());
        let _ = writeln!(told, "- {run} {}", offence.what);
    }
    let concerned: BTreeSet<_> = offences.iter().filter_map(|offence| offence.run).take(TOLD).collect();
    for run in concerned.iter().filter_map(|run| facts.runs.get(run)) {
        told += &judge::story(run, witnesses);
    }
    told
}

/// How often each verb was done, refused, or answered by nobody.
fn tally(deeds: &[Deed]) -> String {
    let mut told = "staff:".to_owned();
    for verb in ["retry", "answer", "jump", "signal", "suspend", "resume", "cancel"] {
        let many = |which: fn(&Answered) -> bool| {
            deeds.iter().filter(|deed| deed.verb == verb && which(&deed.answered)).count()
        };
        let done = many(|answered| matches!(answered, Answered::Done(_)));
        let refused = many(|answered| matches!(answered, Answered::Refused(_)));
        let _ = write!(told, " {verb} {done} done, {refused} refused;");
    }
    told
}

fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_every_run_comes_to_its_one_ending() {
    let (seed, seconds) = (asked("HOUBU_SIM_SEED"), asked("HOUBU_SIM_SECONDS"));
    let fresh = || seconds.map_or(1, |_| u64::from(rand::random::<u32>()));
    let from = seed.or(asked("HOUBU_SIM_FROM")).unwrap_or_else(fresh);
    println!("seeds from {from}");
    let began = Instant::now();
    let enough = |played: u64| match (seed, seconds) {
        (Some(_), _) => played == 1,
        (None, Some(seconds)) => played > 0 && began.elapsed() >= Duration::from_secs(seconds),
        (None, None) => played == SEEDS,
    };
    let (mut count, mut failed) = (0, Vec::new());
    let (mut sums, mut deeds) = ((0, 0, 0), Vec::new());
    while !enough(count) {
        match played(from.wrapping_add(count)).await {
            Ok(mut one) => {
                sums = (sums.0 + one.runs, sums.1 + one.turns, sums.2 + one.mishaps);
                deeds.append(&mut one.deeds);
            }
            Err(report) => {
                println!("{report}");
                failed.push(again(from.wrapping_add(count)));
            }
        }
        count += 1;
    }
    let (runs, turns, mishaps) = sums;
    println!("{count} seeds from {from}: {runs} runs, {turns} turns, {mishaps} mishaps in {:?}", began.elapsed());
    let tally = tally(&deeds);
    println!("{tally}");
    assert!(failed.is_empty(), "{} of {count} seeds failed\n{}", failed.len(), failed.join("\n"));
    assert!(count < SEEDS || !tally.contains(" 0 done"), "a verb that nobody could do: {tally}");
}
