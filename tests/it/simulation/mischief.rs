//! What goes wrong inside workers, by the simulation's dice: they die at any point of a turn, their answers are thrown
//! away, or they stand still for longer than their lease.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point, Saboteur};

use super::chance::Dice;
use super::standstill::Standstill;

/// What happened to a run's turn.
#[derive(Debug, Clone)]
pub struct Mishap {
    pub run: RunId,
    pub step: String,
    pub point: Point,
    pub worker: String,
    pub what: &'static str,
}

/// The mischief of one simulation.
pub struct Mischief {
    seed: u64,
    calm: AtomicBool,
    standstill: Arc<Standstill>,
    came_by: Mutex<HashMap<(RunId, String, Point), u32>>,
    done: Mutex<Vec<Mishap>>,
}

impl Mischief {
    pub fn new(seed: u64, standstill: Arc<Standstill>) -> Arc<Self> {
        let (came_by, done) = (Mutex::default(), Mutex::default());
        Arc::new(Self { seed, calm: AtomicBool::new(false), standstill, came_by, done })
    }

    /// Nothing goes wrong from now on.
    pub fn calms_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// Everything that went wrong, in order.
    pub fn done(&self) -> Vec<Mishap> {
        self.done.lock().unwrap().clone()
    }
}

/// The same as one worker meets it.
pub struct OfWorker {
    pub name: String,
    pub mischief: Arc<Mischief>,
}

impl Saboteur for OfWorker {
    fn at(&self, point: Point, _: &str, step: &str, run: RunId) -> Act {
        let all = &self.mischief;
        if all.calm.load(Ordering::SeqCst) {
            return Act::Nothing;
        }
        let nth = {
            let mut came_by = all.came_by.lock().unwrap();
            let nth = came_by.entry((run, step.to_owned(), point)).or_default();
            *nth += 1;
            *nth
        };
        let mut dice = Dice::about(all.seed, &[&run, &step, &format!("{point:?}"), &nth]);
        let (what, act) = match (dice.below(100), point) {
            (0..4, _) => ("crashed", Act::Crash),
            (4..8, Point::AfterCall) => ("failed", Act::Fail),
            (8..10, Point::BeforeCall | Point::AfterCall) | (8, Point::BeforeCommit) => ("stood still", Act::Nothing),
            _ => return Act::Nothing,
        };
        let (step, worker) = (step.to_owned(), self.name.clone());
        all.done.lock().unwrap().push(Mishap { run, step, point, worker, what });
        if what == "stood still" {
            let rounds = dice.between(1, 4);
            tokio::task::block_in_place(|| all.standstill.sleep(&self.name, rounds));
        }
        act
    }
}
