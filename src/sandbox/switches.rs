//! Misbehaviour that is switched on by hand, call by call: so many times, or at a rate, beside what the level brings.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::{Fault, PushFault};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// With a request to the sandbox.
    Request(Fault),
    /// With a push or notice of it.
    Push(PushFault),
}

/// Every kind by its name.
pub const NAMES: [(&str, Wrong); 10] = [
    ("cut-before", Wrong::Request(Fault::CutBefore)),
    ("cut-after", Wrong::Request(Fault::CutAfter)),
    ("error-before", Wrong::Request(Fault::ErrorBefore)),
    ("error-after", Wrong::Request(Fault::ErrorAfter)),
    ("slow", Wrong::Request(Fault::Slow)),
    ("duplicate", Wrong::Push(PushFault::Duplicate)),
    ("late", Wrong::Push(PushFault::Late)),
    ("lost", Wrong::Push(PushFault::Lost)),
    ("wrong-signature", Wrong::Push(PushFault::WrongSignature)),
    ("wrong-amount", Wrong::Push(PushFault::WrongAmount)),
];

impl Wrong {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, wrong)| *wrong)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, wrong)| *wrong == self).map(|(name, _)| *name).unwrap_or_default()
    }
}

/// A switch that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// The next so many.
    Times(u32),
    /// So many of a thousand, until it is switched off.
    OfThousand(u32),
}

/// A switch as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Which call or push, for example `2007` or `wechat-pay refund`.
    pub call: String,
    /// What goes wrong with it.
    pub fault: &'static str,
    /// How many more.
    pub times: Option<u32>,
    /// At which rate.
    pub of_thousand: Option<u32>,
}

/// The switches that are on.
#[derive(Debug, Default)]
pub struct Switches(BTreeMap<(String, &'static str), (Wrong, Switch)>);

impl Switches {
    /// Switches something on for a call, or changes how.
    pub fn on(&mut self, call: &str, wrong: Wrong, switch: Switch) {
        self.0.insert((call.to_owned(), wrong.name()), (wrong, switch));
    }

    /// Switches it off.
    pub fn off(&mut self, call: &str, wrong: Wrong) {
        self.0.remove(&(call.to_owned(), wrong.name()));
    }

    /// All of them.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |((call, fault), (_, switch)): (&(String, &'static str), &(Wrong, Switch))| {
            let (times, of_thousand) = match switch {
                Switch::Times(times) => (Some(*times), None),
                Switch::OfThousand(rate) => (None, Some(*rate)),
            };
            Shown { call: call.clone(), fault, times, of_thousand }
        };
        self.0.iter().map(shown).collect()
    }

    /// What is on for this call, if anything; `roll` decides where there is a rate. A switch that has been used up goes off.
    pub fn draw(&mut self, call: &str, roll: u64, is_push: bool) -> Option<Wrong> {
        let fits = |wrong: Wrong| matches!(wrong, Wrong::Push(_)) == is_push;
        let drawn = self.0.iter().find(|((of, _), (wrong, switch))| {
            let hits = match switch {
                Switch::Times(_) => true,
                Switch::OfThousand(rate) => roll % 1000 < u64::from(*rate),
            };
            of == call && fits(*wrong) && hits
        });
        let (key, wrong) = drawn.map(|(key, (wrong, _))| (key.clone(), *wrong))?;
        if let Some((_, Switch::Times(left))) = self.0.get_mut(&key) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.0.remove(&key);
            }
        }
        Some(wrong)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_for_so_many_times_goes_off_by_itself() {
        let mut switches = Switches::default();
        let wrong = Wrong::named("cut-after").unwrap();
        switches.on("2007", wrong, Switch::Times(2));
        assert_eq!(switches.draw("2005", 0, false), None, "another call");
        assert_eq!(switches.draw("2007", 0, true), None, "a push of that name");
        assert_eq!([0, 1, 2].map(|roll| switches.draw("2007", roll, false)), [Some(wrong), Some(wrong), None]);
        assert_eq!(switches.shown(), []);
    }

    #[test]
    fn a_rate_holds_until_it_is_switched_off() {
        let mut switches = Switches::default();
        let wrong = Wrong::named("lost").unwrap();
        switches.on("5007", wrong, Switch::OfThousand(500));
        let drawn = (0..1000).filter(|roll| switches.draw("5007", *roll, true).is_some()).count();
        assert_eq!(drawn, 500);
        switches.off("5007", wrong);
        assert_eq!(switches.draw("5007", 0, true), None);
        for (name, wrong) in NAMES {
            assert_eq!((wrong.name(), Wrong::named(name)), (name, Some(wrong)));
        }
    }
}
