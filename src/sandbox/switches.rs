//! Misbehaviour that is switched on by hand, call by call: so many times, or at a rate, beside what the level brings.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::{HIS_TOKEN, PLATFORM_EVENT, Subject, System};
use super::faults::{Fault, PushFault};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// With a request to the sandbox.
    Request(Fault),
    /// With a push or notice of it.
    Push(PushFault),
    /// It answers this code of its interface, and does nothing; a push tells it.
    Answer(&'static str),
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// See [`Wrong::Request`].
    Request,
    /// See [`Wrong::Push`].
    Push,
    /// See [`Wrong::Answer`].
    Answer,
}

/// Everything that can go wrong with any request or push, by its name; what only one answers is in the catalogue.
pub const NAMES: [(&str, Wrong); 18] = [
    ("cut-before", Wrong::Request(Fault::CutBefore)),
    ("cut-after", Wrong::Request(Fault::CutAfter)),
    ("error-before", Wrong::Request(Fault::ErrorBefore)),
    ("error-after", Wrong::Request(Fault::ErrorAfter)),
    ("slow", Wrong::Request(Fault::Slow)),
    ("another-amount", Wrong::Request(Fault::AnotherAmount)),
    ("altered", Wrong::Request(Fault::Altered)),
    ("http-404", Wrong::Request(Fault::Status(404))),
    ("http-429", Wrong::Request(Fault::Status(429))),
    ("http-503", Wrong::Request(Fault::Status(503))),
    ("duplicate", Wrong::Push(PushFault::Duplicate)),
    ("late", Wrong::Push(PushFault::Late)),
    ("lost", Wrong::Push(PushFault::Lost)),
    ("wrong-signature", Wrong::Push(PushFault::WrongSignature)),
    ("wrong-amount", Wrong::Push(PushFault::WrongAmount)),
    ("wrong-merchant", Wrong::Push(PushFault::WrongMerchant)),
    ("unknown", Wrong::Push(PushFault::Unknown)),
    ("old", Wrong::Push(PushFault::Old)),
];

impl Wrong {
    /// The one of this name that can go wrong with this.
    pub fn named(of: &Subject, name: &str) -> Option<Self> {
        Self::all(of).find(|wrong| wrong.name() == name)
    }

    /// Everything that can go wrong with this.
    pub fn all(of: &Subject) -> impl Iterator<Item = Self> {
        let kind = if of.is_push { Kind::Push } else { Kind::Request };
        let general = NAMES.iter().map(|(_, wrong)| *wrong).filter(move |wrong| wrong.kind() == kind);
        // Only HIS and the message platform tell of what does not exist, and only who takes the money of another amount or merchant.
        let tells_anything = of.call == PLATFORM_EVENT || of.system == System::His;
        let tells_of_money = matches!(of.system, System::Pay | System::PayPlatform);
        // What is signed can be seen to be altered; an access token is not.
        let is_signed = tells_of_money || (of.system == System::His && of.call != HIS_TOKEN);
        let general = general.filter(move |wrong| match wrong {
            Self::Request(Fault::AnotherAmount) => of.is_refund,
            Self::Request(Fault::Altered) | Self::Push(PushFault::Old) => is_signed,
            Self::Request(Fault::Status(_)) => of.system == System::His,
            Self::Push(PushFault::Unknown) => tells_anything,
            Self::Push(PushFault::WrongAmount | PushFault::WrongMerchant) => tells_of_money,
            _ => true,
        });
        general.chain(of.answers.iter().map(|code| Self::Answer(code)))
    }

    fn kind(self) -> Kind {
        match self {
            Self::Request(_) => Kind::Request,
            Self::Push(_) => Kind::Push,
            Self::Answer(_) => Kind::Answer,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        if let Self::Answer(code) = self {
            return code;
        }
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
    pub fn draw(&mut self, call: &str, roll: u64, kind: Kind) -> Option<Wrong> {
        let drawn = self.0.iter().find(|((of, _), (wrong, switch))| {
            let hits = match switch {
                Switch::Times(_) => true,
                Switch::OfThousand(rate) => roll % 1000 < u64::from(*rate),
            };
            of == call && wrong.kind() == kind && hits
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
    use super::super::catalogue::{SUBJECTS, subject};
    use super::*;

    #[test]
    fn a_switch_for_so_many_times_goes_off_by_itself() {
        let mut switches = Switches::default();
        let wrong = Wrong::named(subject("2007").unwrap(), "cut-after").unwrap();
        switches.on("2007", wrong, Switch::Times(2));
        assert_eq!(switches.draw("2005", 0, Kind::Request), None, "another call");
        assert_eq!(switches.draw("2007", 0, Kind::Push), None, "a push of that name");
        let drawn = [0, 1, 2].map(|roll| switches.draw("2007", roll, Kind::Request));
        assert_eq!(drawn, [Some(wrong), Some(wrong), None]);
        assert_eq!(switches.shown(), []);
    }

    #[test]
    fn a_rate_holds_until_it_is_switched_off() {
        let mut switches = Switches::default();
        let wrong = Wrong::named(subject("5007").unwrap(), "lost").unwrap();
        switches.on("5007", wrong, Switch::OfThousand(500));
        let drawn = (0..1000).filter(|roll| switches.draw("5007", *roll, Kind::Push).is_some()).count();
        assert_eq!(drawn, 500);
        switches.off("5007", wrong);
        assert_eq!(switches.draw("5007", 0, Kind::Push), None);
    }

    #[test]
    fn every_fault_has_a_name_of_its_own_wherever_it_can_happen() {
        for of in SUBJECTS {
            let names: Vec<&str> = Wrong::all(of).map(Wrong::name).collect();
            for wrong in Wrong::all(of) {
                assert_eq!(Wrong::named(of, wrong.name()), Some(wrong), "{}", of.call);
            }
            let unique: std::collections::BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(unique.len(), names.len(), "{}: {names:?}", of.call);
        }
        assert_eq!(Wrong::named(subject("5007").unwrap(), "slow"), None, "nobody waits for a push");
    }
}
