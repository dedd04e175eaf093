//! The outside: it takes calls and letters by their ids, loses replies, is slow, and keeps books of what was done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use houbu::engine::outbox::{Delivery, Outlet};
use houbu::engine::store::letters::Claimed;
use houbu::engine::{Fault, RunId, Turn};

use super::chance::Dice;
use super::standstill::Standstill;

/// One call as it came in.
#[derive(Debug, Clone)]
pub struct Call {
    /// The run.
    pub run: RunId,
    /// Its step.
    pub step: &'static str,
    /// How many turns it had behind it: the visit of the step.
    pub visit: usize,
    /// What the engine said of earlier calls.
    pub again: bool,
}

/// The outside of one simulation.
pub struct World {
    /// What its moods go by.
    pub seed: u64,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    standstill: Arc<Standstill>,
    calls: Mutex<Vec<Call>>,
    done: Mutex<BTreeMap<String, u32>>,
    letters: Mutex<BTreeMap<String, (u32, u32)>>,
}

impl World {
    pub fn new(seed: u64, standstill: Arc<Standstill>) -> Arc<Self> {
        let (calls, done, letters) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { seed, calm: AtomicBool::new(false), standstill, calls, done, letters })
    }

    /// The business id of a step's visit.
    pub fn id(run: RunId, step: &str, visit: usize) -> String {
        format!("{run}:{step}:{visit}")
    }

    /// Nothing goes wrong from now on.
    pub fn calms_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// Does what a step asks for, once an id however often it is asked. The reply may be lost.
    pub async fn call(&self, turn: &Turn, step: &'static str, visit: usize) -> Result<(), Fault> {
        let id = Self::id(turn.run, step, visit);
        let nth = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(Call { run: turn.run, step, visit, again: turn.again });
            calls.iter().filter(|call| call.run == turn.run && call.step == step && call.visit == visit).count()
        };
        let mut dice = Dice::about(self.seed, &[&id, &nth, &"call"]);
        let mood = if self.calm.load(Ordering::SeqCst) { 99 } else { dice.below(60) };
        match mood {
            0..4 => return Err(Fault::Retry("nobody answers".to_owned())),
            4 => return Err(Fault::Stop("this needs a person".to_owned())),
            5..8 => self.standstill.rest(dice.between(1, 3)).await,
            _ => {}
        }
        *self.done.lock().unwrap().entry(id).or_default() += 1;
        match mood {
            8..12 => Err(Fault::Unknown("the reply is lost".to_owned())),
            12 => {
                self.standstill.rest(dice.between(1, 3)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Every call in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// What was done, by business id.
    pub fn done(&self) -> BTreeMap<String, u32> {
        self.done.lock().unwrap().clone()
    }

    /// The letters that were accepted, by id, with how often.
    pub fn accepted(&self) -> BTreeMap<String, u32> {
        let letters = self.letters.lock().unwrap();
        letters.iter().filter(|(_, (_, accepted))| *accepted > 0).map(|(id, (_, n))| (id.clone(), *n)).collect()
    }
}

/// The outlet of everybody's letters.
pub struct Port(pub Arc<World>);

#[async_trait]
impl Outlet for Port {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let world = &self.0;
        let nth = {
            let mut letters = world.letters.lock().unwrap();
            let (brought, _) = letters.entry(letter.id.clone()).or_default();
            *brought += 1;
            *brought
        };
        let mut dice = Dice::about(world.seed, &[&letter.id, &nth, &"letter"]);
        let mood = if world.calm.load(Ordering::SeqCst) { 99 } else { dice.below(40) };
        if mood < 3 {
            return Err(Fault::Retry("nobody opens".to_owned()));
        }
        if let Some((_, accepted)) = world.letters.lock().unwrap().get_mut(&letter.id) {
            *accepted += 1;
        }
        match mood {
            3..6 => Err(Fault::Unknown("the receipt is lost".to_owned())),
            6 => {
                world.standstill.rest(dice.between(1, 2)).await;
                Ok(Delivery::Sent("late".to_owned()))
            }
            _ => Ok(Delivery::Sent("accepted".to_owned())),
        }
    }
}
