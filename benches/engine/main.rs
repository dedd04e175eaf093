//! How fast the engine (W1 to W5) and the waitlist on it (D1 to D4) are, each figure beside the limit that the same server
//! sets in the same run.
//!
//! `cargo bench --bench engine` (under 15 minutes), `-- --quick` (under 2), `-- --only w1,d3`. PostgreSQL is the private
//! one with production settings: `fsync` and `synchronous_commit` are on. The figures are printed as a table and written to
//! `target/bench/engine.json`. Every figure is the median of its repetitions; what decides is the ratio.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, clippy::similar_names, missing_docs)]

mod applications;
mod caller;
mod delayed;
mod flows;
mod ground;
mod hospital;
mod killed;
mod limits;
mod obliging;
mod parked;
mod places;
mod report;
mod stretched;
mod sweep;
mod turns;

use ground::Ground;
use report::Report;

/// What was asked for.
pub struct Ask {
    pub quick: bool,
    only: Vec<String>,
}

impl Ask {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let after = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
        let only = after("--only").map(|list| list.split(',').map(str::to_lowercase).collect()).unwrap_or_default();
        Self { quick: words.iter().any(|word| word == "--quick"), only }
    }

    fn wants(&self, figure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == figure)
    }

    /// `quick` or `full`, whatever applies.
    pub fn size<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

fn main() {
    let ask = Ask::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ground = Ground::prepare();
        let mut report = Report::new(&ask, &ground).await;
        if ask.wants("w1") {
            turns::five_steps(&ask, &ground, &mut report).await;
        }
        if ask.wants("w2") {
            turns::one_step(&ask, &ground, &mut report).await;
        }
        if ask.wants("w3") || ask.wants("w4") {
            parked::a_million(&ask, &ground, &mut report).await;
        }
        if ask.wants("w5") {
            parked::due_storm(&ask, &ground, &mut report).await;
        }
        if ask.wants("d1") {
            applications::hot_schedules(&ask, &ground, &mut report).await;
        }
        if ask.wants("d2") {
            places::freed(&ask, &ground, &mut report).await;
        }
        if ask.wants("d3") {
            sweep::at_six(&ask, &ground, &mut report).await;
        }
        if ask.wants("d4") {
            killed::under_load(&ask, &ground, &mut report).await;
        }
        report.write();
    });
}
