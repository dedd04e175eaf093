//! Which breaches keep a person out of the queues, and until when (R32). Rules differ from hospital to hospital, so they
//! are data: event, window, threshold, penalty, scope, appeal. Pure.

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refusal::Refusal;

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BreachEvent)]
pub enum Event {
    /// 爽约: had booked and did not come.
    NoShow,
    /// Cancelled too late, as HIS counts it.
    LateCancel,
}

impl Event {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoShow => "noShow",
            Self::LateCancel => "lateCancel",
        }
    }

    /// The event of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::NoShow, Self::LateCancel].into_iter().find(|event| event.as_str() == name)
    }

    /// The event of HIS's `BREACH_TYPE`; a HIS that gives none lists no-shows.
    pub fn of_his(kind: &str) -> Option<Self> {
        match kind.trim() {
            "" | "1" => Some(Self::NoShow),
            "2" => Some(Self::LateCancel),
            _ => None,
        }
    }
}

/// Where breaches are counted together, and where the penalty holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// In the whole hospital.
    #[default]
    Hospital,
    /// In each department by itself.
    Department,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = BlacklistRule, example = json!({
    "event": "noShow", "windowDays": 365, "threshold": 3, "penaltyDays": 90, "scope": "hospital", "appealDays": 2
}))]
pub struct Rule {
    /// What is counted.
    pub event: Event,
    /// Within so many days, 1 to 3,660; none: within a calendar year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_days: Option<u32>,
    /// So many lead to the penalty, 1 to 100.
    pub threshold: u32,
    /// It lasts so many days from the day after the last of them, 1 to 3,660.
    pub penalty_days: u32,
    /// Where.
    #[serde(default)]
    pub scope: Scope,
    /// An appeal is decided within so many days; none: there is no appeal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appeal_days: Option<u32>,
}

/// The longest window and penalty, days: ten years.
const DAYS_MAX: u32 = 3_660;

impl Rule {
    /// [`Refusal::InvalidPolicy`] names a value out of bounds.
    pub fn validate(&self) -> Result<(), Refusal> {
        let bad = |field: &str| Err(Refusal::InvalidPolicy { field: field.to_owned() });
        let days = 1..=DAYS_MAX;
        match self {
            rule if !rule.window_days.is_none_or(|window| days.contains(&window)) => bad("windowDays"),
            rule if !(1..=100).contains(&rule.threshold) => bad("threshold"),
            rule if !days.contains(&rule.penalty_days) => bad("penaltyDays"),
            rule if !rule.appeal_days.is_none_or(|answer| days.contains(&answer)) => bad("appealDays"),
            _ => Ok(()),
        }
    }

    fn together(&self, first: NaiveDate, last: NaiveDate) -> bool {
        match self.window_days {
            Some(window) => last.signed_duration_since(first).num_days() < i64::from(window),
            None => first.year() == last.year(),
        }
    }
}

/// A breach that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The day of the visit.
    pub day: NaiveDate,
    /// What.
    pub event: Event,
    /// Where.
    pub department_id: String,
}

/// What breaches lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalty {
    /// By which rule.
    pub rule_id: String,
    /// In this department alone; none: in the whole hospital.
    pub department_id: Option<String>,
    /// The first day on which it does not hold any more.
    pub until: NaiveDate,
    /// The breaches that led to it.
    pub counted: u32,
}

/// The penalties in force on `today`, by rule and department: the longest of each. The order of breaches is no matter.
pub fn penalties(rules: &[(String, Rule)], breaches: &[Breach], today: NaiveDate) -> Vec<Penalty> {
    let mut found = Vec::new();
    for (rule_id, rule) in rules {
        let mut departments: Vec<Option<&str>> = match rule.scope {
            Scope::Hospital => vec![None],
            Scope::Department => breaches.iter().map(|breach| Some(breach.department_id.as_str())).collect(),
        };
        departments.sort_unstable();
        departments.dedup();
        for department in departments {
            let here = |breach: &&Breach| {
                breach.event == rule.event && department.is_none_or(|department| breach.department_id == department)
            };
            let mut days: Vec<NaiveDate> = breaches.iter().filter(here).map(|breach| breach.day).collect();
            days.sort_unstable();
            let Some(until) = longest(rule, &days).filter(|until| *until > today) else { continue };
            found.push(Penalty {
                rule_id: rule_id.clone(),
                department_id: department.map(str::to_owned),
                until,
                counted: rule.threshold,
            });
        }
    }
    found
}

/// The end of the penalty that lasts longest.
fn longest(rule: &Rule, days: &[NaiveDate]) -> Option<NaiveDate> {
    let threshold = usize::try_from(rule.threshold).ok().filter(|threshold| *threshold > 0)?;
    let runs = days.windows(threshold).filter_map(|run| Some((*run.first()?, *run.last()?)));
    let last = runs.filter(|(first, last)| rule.together(*first, *last)).map(|(_, last)| last).max()?;
    last.checked_add_days(Days::new(u64::from(rule.penalty_days) + 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).unwrap()
    }

    fn rule(window_days: Option<u32>, threshold: u32, penalty_days: u32, scope: Scope) -> Vec<(String, Rule)> {
        let rule = Rule { event: Event::NoShow, window_days, threshold, penalty_days, scope, appeal_days: None };
        vec![("r".to_owned(), rule)]
    }

    fn no_shows(days: &[NaiveDate]) -> Vec<Breach> {
        let of = |day: &NaiveDate| Breach { day: *day, event: Event::NoShow, department_id: "d1".to_owned() };
        days.iter().map(of).collect()
    }

    fn until(rules: &[(String, Rule)], breaches: &[Breach], today: NaiveDate) -> Option<NaiveDate> {
        penalties(rules, breaches, today).first().map(|penalty| penalty.until)
    }

    #[test]
    fn r32_three_no_shows_within_thirty_days_keep_out_for_ninety() {
        let rules = rule(Some(30), 3, 90, Scope::Hospital);
        let three = no_shows(&[day(3, 1), day(3, 10), day(3, 30)]);
        assert_eq!(until(&rules, &three[..2], day(3, 31)), None);
        assert_eq!(until(&rules, &three, day(3, 31)), Some(day(6, 29)));
        assert_eq!(until(&rules, &three, day(6, 28)), Some(day(6, 29)));
        assert_eq!(until(&rules, &three, day(6, 29)), None, "it is over");
        let spread = no_shows(&[day(3, 1), day(3, 10), day(3, 31)]);
        assert_eq!(until(&rules, &spread, day(4, 1)), None, "the first is too long ago");
    }

    #[test]
    fn r32_a_calendar_year_begins_anew() {
        let rules = rule(None, 2, 30, Scope::Hospital);
        let turn = no_shows(&[NaiveDate::from_ymd_opt(2025, 12, 31).unwrap(), day(1, 1)]);
        assert_eq!(until(&rules, &turn, day(1, 2)), None);
        assert!(until(&rules, &no_shows(&[day(1, 1), day(12, 1)]), day(12, 2)).is_some());
    }

    #[test]
    fn r32_each_department_counts_by_itself_and_each_event_too() {
        let rules = rule(Some(30), 2, 10, Scope::Department);
        let mut breaches = no_shows(&[day(3, 1), day(3, 2)]);
        "d2".clone_into(&mut breaches[1].department_id);
        assert_eq!(penalties(&rules, &breaches, day(3, 3)), []);
        breaches.extend(no_shows(&[day(3, 3)]));
        let found = penalties(&rules, &breaches, day(3, 4));
        assert_eq!(found.iter().map(|it| it.department_id.as_deref()).collect::<Vec<_>>(), [Some("d1")]);
        breaches[0].event = Event::LateCancel;
        assert_eq!(penalties(&rules, &breaches, day(3, 4)), []);
    }

    #[test]
    fn r32_a_rule_out_of_bounds_is_refused() {
        let good = rule(Some(30), 3, 90, Scope::Hospital).remove(0).1;
        assert_eq!(good.validate(), Ok(()));
        for bad in [
            Rule { threshold: 0, ..good.clone() },
            Rule { penalty_days: 0, ..good.clone() },
            Rule { window_days: Some(0), ..good.clone() },
            Rule { window_days: Some(4_000), ..good.clone() },
            Rule { appeal_days: Some(0), ..good.clone() },
        ] {
            assert!(matches!(bad.validate(), Err(Refusal::InvalidPolicy { .. })), "{bad:?}");
        }
        assert!(serde_json::from_str::<Rule>(r#"{"event":"noShow","threshold":3,"penaltyDays":9,"x":1}"#).is_err());
    }

    proptest! {
        /// A breach that is taken back never makes it worse, and the order of breaches is no matter.
        #[test]
        fn r32_less_is_never_worse(
            offsets in prop::collection::vec(0_u64..400, 0..8), drop in any::<prop::sample::Index>(),
            threshold in 1_u32..5, window in prop::option::of(1_u32..400),
        ) {
            let rules = rule(window, threshold, 30, Scope::Hospital);
            let days: Vec<NaiveDate> = offsets.iter().map(|n| day(1, 1) + Days::new(*n)).collect();
            let all = no_shows(&days);
            let whole = until(&rules, &all, day(1, 1));
            let mut turned = all.clone();
            turned.reverse();
            prop_assert_eq!(until(&rules, &turned, day(1, 1)), whole);
            if !all.is_empty() {
                let mut fewer = all.clone();
                fewer.remove(drop.index(all.len()));
                prop_assert!(until(&rules, &fewer, day(1, 1)) <= whole);
            }
        }
    }
}
