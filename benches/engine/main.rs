//! How fast the engine (W1 to W5), the waitlist on it (D1 to D4) and the search of its staff (C1) are, each figure beside the limit that the same server
//! sets in the same run.
//!
//! `cargo bench --bench engine` (under 15 minutes), `-- --quick` (under 2), `-- --only w1,d3`. PostgreSQL is the private
//! one with production settings: `fsync` and `synchronous_commit` are on. The figures are printed as a table and written to
//! `target/bench/engine.json`, and `-- --statements` shows what the server was busy with. Every figure is the median of its repetitions; what decides is the ratio.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, clippy::similar_names, missing_docs)]

mod applications;
mod caller;
mod delayed;
mod flows;
mod found;
mod ground;
mod hospital;
mod killed;
mod limits;
mod obliging;
mod parked;
mod places;
mod report;
mod statements;
mod stretched;
mod sweep;
mod turns;

use futures::FutureExt;
use futures::future::BoxFuture;
use ground::Ground;
use report::Report;

/// What was asked for.
pub struct Ask {
    pub quick: bool,
    pub statements: bool,
    only: Vec<String>,
}

impl Ask {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let after = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
        let only = after("--only").map(|list| list.split(',').map(str::to_lowercase).collect()).unwrap_or_default();
        let has = |name: &str| words.iter().any(|word| word == name);
        Self { quick: has("--quick"), statements: has("--statements"), only }
    }

    fn wants(&self, figure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == figure)
    }

    /// `quick` or `full`, whatever applies.
    pub fn size<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// What measures these figures.
struct Figure {
    ids: &'static [&'static str],
    measure: for<'a> fn(&'a Ask, &'a Ground, &'a mut Report) -> BoxFuture<'a, ()>,
}

const FIGURES: [Figure; 9] = [
    Figure { ids: &["w1"], measure: |ask, ground, report| turns::five_steps(ask, ground, report).boxed() },
    Figure { ids: &["w2"], measure: |ask, ground, report| turns::one_step(ask, ground, report).boxed() },
    Figure { ids: &["w3", "w4"], measure: |ask, ground, report| parked::a_million(ask, ground, report).boxed() },
    Figure { ids: &["w5"], measure: |ask, ground, report| parked::due_storm(ask, ground, report).boxed() },
    Figure { ids: &["d1"], measure: |ask, ground, report| applications::hot_schedules(ask, ground, report).boxed() },
    Figure { ids: &["d2"], measure: |ask, ground, report| places::freed(ask, ground, report).boxed() },
    Figure { ids: &["d3"], measure: |ask, ground, report| sweep::at_six(ask, ground, report).boxed() },
    Figure { ids: &["d4"], measure: |ask, ground, report| killed::under_load(ask, ground, report).boxed() },
    Figure { ids: &["c1"], measure: |ask, ground, report| found::among_years(ask, ground, report).boxed() },
];

fn main() {
    let ask = Ask::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ground = Ground::prepare(ask.statements);
        let mut report = Report::new(&ask, &ground).await;
        for figure in FIGURES {
            if !figure.ids.iter().any(|id| ask.wants(id)) {
                continue;
            }
            (figure.measure)(&ask, &ground, &mut report).await;
            if ask.statements {
                statements::print(&ground, &figure.ids.join(", ")).await;
            }
        }
        report.write();
    });
}
