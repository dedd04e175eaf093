//! What goes wrong on purpose, and when: a step fails, its worker dies or is overtaken, or the world changes just before
//! it.

use std::sync::Mutex;

use futures::future::BoxFuture;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point, Saboteur};
use houbu::engine::store::claim;
use sqlx::PgPool;

use super::world::HOSPITAL;

/// What a step suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Its worker does.
    Act(Act),
    /// Its worker is thought dead while it lives: another one handles the step again, and both commit.
    Overtaken,
}

impl From<Act> for Harm {
    fn from(act: Act) -> Self {
        Self::Act(act)
    }
}

/// Something that happens in the world.
type Deed = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

enum What {
    Harm { harm: Harm, times: u32 },
    Deed(Option<Deed>),
}

struct Rule {
    point: Point,
    step: String,
    whose: Whose,
    what: What,
}

/// Whose step it is.
enum Whose {
    Anybodys,
    /// Of the application that is made next.
    TheNexts,
    Of(RunId),
}

/// The plan of one hospital's mishaps; each rule serves a number of times.
pub struct Mishaps {
    pool: PgPool,
    rules: Mutex<Vec<Rule>>,
}

impl Mishaps {
    /// No mishaps yet, on this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, rules: Mutex::default() }
    }

    /// `harm` at this point of this step, for so many times, whichever run comes by.
    pub fn plan(&self, point: Point, step: &str, harm: impl Into<Harm>, times: u32) {
        let what = What::Harm { harm: harm.into(), times };
        self.put(Rule { point, step: step.to_owned(), whose: Whose::Anybodys, what });
    }

    /// The same for one run only.
    pub fn plan_for(&self, run: RunId, point: Point, step: &str, harm: impl Into<Harm>) {
        let what = What::Harm { harm: harm.into(), times: 1 };
        self.put(Rule { point, step: step.to_owned(), whose: Whose::Of(run), what });
    }

    /// The same for the application that is made next, which has no id yet.
    pub fn plan_for_the_next(&self, point: Point, step: &str, harm: impl Into<Harm>) {
        let what = What::Harm { harm: harm.into(), times: 1 };
        self.put(Rule { point, step: step.to_owned(), whose: Whose::TheNexts, what });
    }

    /// The application that was made is this one. Until now nobody else has moved.
    pub fn meet(&self, run: RunId) {
        for rule in self.rules.lock().unwrap().iter_mut().filter(|rule| matches!(rule.whose, Whose::TheNexts)) {
            rule.whose = Whose::Of(run);
        }
    }

    /// The deed, once, when the step is about to be handled.
    pub fn just_before(&self, step: &str, deed: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        let what = What::Deed(Some(Box::new(deed)));
        self.put(Rule { point: Point::BeforeCall, step: step.to_owned(), whose: Whose::Anybodys, what });
    }

    /// The deed, once, when the step has called and nothing of it is written yet.
    pub fn just_after(&self, step: &str, deed: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        let what = What::Deed(Some(Box::new(deed)));
        self.put(Rule { point: Point::AfterCall, step: step.to_owned(), whose: Whose::Anybodys, what });
    }

    /// The planned mishaps that have not come about.
    pub fn left(&self) -> Vec<String> {
        let rules = self.rules.lock().unwrap();
        let left = rules.iter().filter(|rule| !matches!(rule.what, What::Harm { times: 0, .. } | What::Deed(None)));
        left.map(|rule| format!("{:?} of {}", rule.point, rule.step)).collect()
    }

    fn put(&self, rule: Rule) {
        self.rules.lock().unwrap().push(rule);
    }

    fn next(&self, point: Point, step: &str, run: RunId) -> (Harm, Option<Deed>) {
        let mut rules = self.rules.lock().unwrap();
        let theirs = |whose: &Whose| !matches!(whose, Whose::Of(one) if *one != run);
        let fits = |rule: &Rule| rule.point == point && rule.step == step && theirs(&rule.whose);
        for rule in rules.iter_mut().filter(|rule| fits(rule)) {
            match &mut rule.what {
                What::Harm { times: 0, .. } | What::Deed(None) => {}
                What::Harm { harm, times } => {
                    *times -= 1;
                    return (*harm, None);
                }
                What::Deed(deed) => {
                    return (Harm::Act(Act::Nothing), deed.take());
                }
            }
        }
        (Harm::Act(Act::Nothing), None)
    }

    /// The run is given to whoever comes, as from a dead worker.
    async fn overtake(&self, run: RunId) {
        let generation = sqlx::query_scalar("select generation from run where tenant = $1 and id = $2")
            .bind(HOSPITAL)
            .bind(run)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        claim::release(&self.pool, HOSPITAL, run, generation, true).await.unwrap();
    }
}

impl Saboteur for Mishaps {
    fn at(&self, point: Point, workflow: &str, step: &str, run: RunId) -> Act {
        let (harm, deed) = self.next(point, &format!("{workflow}/{step}"), run);
        if let Some(deed) = deed {
            wait(deed());
        }
        match harm {
            Harm::Act(act) => act,
            Harm::Overtaken => {
                wait(self.overtake(run));
                Act::Nothing
            }
        }
    }
}

fn wait(what: impl Future<Output = ()>) {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(what));
}
