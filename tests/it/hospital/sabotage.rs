//! What goes wrong on purpose, and when: a step fails, its worker dies, or the world changes just before it.

use std::sync::Mutex;

use futures::future::BoxFuture;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point, Saboteur};

/// Something that happens in the world.
type Deed = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

enum What {
    Act { act: Act, times: u32 },
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
#[derive(Default)]
pub struct Mishaps {
    rules: Mutex<Vec<Rule>>,
}

impl Mishaps {
    /// `act` at this point of this step, for so many times, whichever run comes by.
    pub fn plan(&self, point: Point, step: &str, act: Act, times: u32) {
        self.put(Rule { point, step: step.to_owned(), whose: Whose::Anybodys, what: What::Act { act, times } });
    }

    /// The same for one run only.
    pub fn plan_for(&self, run: RunId, point: Point, step: &str, act: Act) {
        self.put(Rule { point, step: step.to_owned(), whose: Whose::Of(run), what: What::Act { act, times: 1 } });
    }

    /// The same for the application that is made next, which has no id yet.
    pub fn plan_for_the_next(&self, point: Point, step: &str, act: Act) {
        self.put(Rule { point, step: step.to_owned(), whose: Whose::TheNexts, what: What::Act { act, times: 1 } });
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

    /// How many planned mishaps have not come about.
    pub fn left(&self) -> usize {
        let rules = self.rules.lock().unwrap();
        rules.iter().filter(|rule| !matches!(rule.what, What::Act { times: 0, .. } | What::Deed(None))).count()
    }

    fn put(&self, rule: Rule) {
        self.rules.lock().unwrap().push(rule);
    }

    fn next(&self, point: Point, step: &str, run: RunId) -> (Act, Option<Deed>) {
        let mut rules = self.rules.lock().unwrap();
        let theirs = |whose: &Whose| !matches!(whose, Whose::Of(one) if *one != run);
        let fits = |rule: &Rule| rule.point == point && rule.step == step && theirs(&rule.whose);
        for rule in rules.iter_mut().filter(|rule| fits(rule)) {
            match &mut rule.what {
                What::Act { times: 0, .. } | What::Deed(None) => {}
                What::Act { act, times } => {
                    *times -= 1;
                    return (*act, None);
                }
                What::Deed(deed) => {
                    return (Act::Nothing, deed.take());
                }
            }
        }
        (Act::Nothing, None)
    }
}

impl Saboteur for Mishaps {
    fn at(&self, point: Point, workflow: &str, step: &str, run: RunId) -> Act {
        let (act, deed) = self.next(point, &format!("{workflow}/{step}"), run);
        if let Some(deed) = deed {
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(deed()));
        }
        act
    }
}
