//! Who works, and which live runs none of them could move: before a deploy, and at any other time.
//!
//! A worker says in its row what its release can run. A live run at a step that no live worker knows is *unrunnable*: it
//! waits for a release that knows the step, and is never shown as running. Where nobody works at all, the program that
//! is asked speaks for those that would.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::lease::LEASE;
use super::table::Table;

/// What a release can run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knows {
    /// Every `workflow/step`, in order.
    pub steps: Vec<String>,
    /// Every `workflow/step/signal` that a step hears, in order.
    pub signals: Vec<String>,
}

impl Knows {
    /// What a program with these tables can run.
    pub fn of(tables: impl IntoIterator<Item = Table>) -> Self {
        let (mut steps, mut signals) = (BTreeSet::new(), BTreeSet::new());
        for table in tables {
            for row in table.steps {
                let step = format!("{}/{}", table.name, row.name);
                signals.extend(row.hears.iter().map(|signal| format!("{step}/{signal}")));
                steps.insert(step);
            }
        }
        Self { steps: steps.into_iter().collect(), signals: signals.into_iter().collect() }
    }

    /// Whether it has a step.
    pub fn has(&self, workflow: &str, step: &str) -> bool {
        self.steps.iter().any(|one| one.strip_prefix(workflow).and_then(|rest| rest.strip_prefix('/')) == Some(step))
    }

    /// What others can do and this cannot: their steps, and what they hear at steps that it knows as well.
    #[must_use]
    pub fn lacks<'a>(&self, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut steps, mut signals) = (BTreeSet::new(), BTreeSet::new());
        for other in others {
            steps.extend(other.steps.iter().filter(|step| !self.steps.contains(step)));
            let here = |signal: &&String| {
                signal.rsplit_once('/').is_some_and(|(step, _)| self.steps.iter().any(|one| one == step))
            };
            signals.extend(other.signals.iter().filter(here).filter(|signal| !self.signals.contains(signal)));
        }
        Self { steps: steps.into_iter().cloned().collect(), signals: signals.into_iter().cloned().collect() }
    }
}

/// A worker whose lease stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Member {
    /// Its id.
    pub id: Uuid,
    /// What staff see.
    pub name: String,
    /// What its release can run.
    #[sqlx(flatten)]
    pub knows: Knows,
}

impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for Knows {
    fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        use sqlx::Row as _;
        Ok(Self { steps: row.try_get("knows")?, signals: row.try_get("hears")? })
    }
}

/// Everybody who works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crew {
    /// The live workers, oldest first.
    pub members: Vec<Member>,
}

/// Who could run a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runnable {
    /// At least one live worker.
    Yes,
    /// Nobody works; whoever starts this program would.
    NobodyWorks,
    /// No live worker knows it; where nobody works, this program does not either.
    No,
}

impl Crew {
    /// The names of those who know a step.
    pub fn who_knows(&self, workflow: &str, step: &str) -> Vec<&str> {
        let knowing = self.members.iter().filter(|member| member.knows.has(workflow, step));
        knowing.map(|member| member.name.as_str()).collect()
    }

    /// Who could run a step, where `ours` is what the asking program can run.
    pub fn runs(&self, ours: &Knows, workflow: &str, step: &str) -> Runnable {
        if self.members.iter().any(|member| member.knows.has(workflow, step)) {
            Runnable::Yes
        } else if self.members.is_empty() && ours.has(workflow, step) {
            Runnable::NobodyWorks
        } else {
            Runnable::No
        }
    }

    /// Every `workflow/step` that can be run; where nobody works, by whoever starts this program.
    pub fn steps(&self, ours: &Knows) -> Vec<String> {
        if self.members.is_empty() {
            return ours.steps.clone();
        }
        let all: BTreeSet<&String> = self.members.iter().flat_map(|member| &member.knows.steps).collect();
        all.into_iter().cloned().collect()
    }
}

/// The workers whose lease stands.
pub async fn crew(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Crew> {
    let members = sqlx::query_as(
        "select id, name, knows, hears from worker where tenant = $1 and lease_until > clock_timestamp()
         order by started_at, id",
    )
    .bind(tenant)
    .fetch_all(db)
    .await?;
    Ok(Crew { members })
}

/// A worker as staff see it; one that fell silent stays for an hour. All instants are of the server's clock.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AtWork {
    /// What staff see.
    pub name: String,
    /// Since when it works.
    pub started_at: DateTime<Utc>,
    /// When it was heard of last.
    pub heard_at: DateTime<Utc>,
    /// False where it is silent for longer than a living one may be.
    pub lives: bool,
    /// Runs that it has in hand.
    pub in_hand: i64,
    /// What its release can run.
    #[sqlx(flatten)]
    pub knows: Knows,
}

/// Who works and who fell silent, oldest first. Plan: the workers' few rows; for each of them a range of `run_running`.
pub async fn at_work(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<AtWork>> {
    sqlx::query_as(
        "select w.name, w.started_at, w.lease_until - make_interval(secs => $2) as heard_at,
                w.lease_until > clock_timestamp() as lives, w.knows, w.hears,
                (select count(*) from run r where r.tenant = $1 and r.status = 'running' and r.worker = w.id) as in_hand
         from worker w where w.tenant = $1 order by w.started_at, w.id",
    )
    .bind(tenant)
    .bind(LEASE.as_secs_f64())
    .fetch_all(db)
    .await
}

/// Live runs of one workflow at one step that nobody could move.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unrunnable {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// How many, suspended ones included.
    pub runs: i64,
}

/// So many live runs stand so at one step.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Place {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// What stands in their rows.
    pub status: String,
    /// How many.
    pub runs: i64,
}

impl Place {
    /// Whether it is one of `steps`, each `workflow/step`.
    pub fn is_in(&self, steps: &[String]) -> bool {
        let of = |step: &String| step.strip_prefix(&self.workflow)?.strip_prefix('/').map(|rest| rest == self.step);
        steps.iter().any(|step| of(step) == Some(true))
    }
}

/// Where live runs stand. Plan: an index-only scan of `run_live`, which has workflow and step in it.
pub async fn places(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<Place>> {
    sqlx::query_as(
        "select workflow, step, status, count(*) as runs from run
         where tenant = $1 and status in ('pending', 'running', 'waiting', 'suspended')
         group by workflow, step, status order by workflow, step, status",
    )
    .bind(tenant)
    .fetch_all(db)
    .await
}

/// Those of `places` that stand outside `steps` (each `workflow/step`), whatever their status.
pub fn outside(places: &[Place], steps: &[String]) -> Vec<Unrunnable> {
    let mut found: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for place in places.iter().filter(|place| !place.is_in(steps)) {
        *found.entry((&place.workflow, &place.step)).or_default() += place.runs;
    }
    let one = |((workflow, step), runs): ((&str, &str), i64)| Unrunnable {
        workflow: workflow.to_owned(),
        step: step.to_owned(),
        runs,
    };
    found.into_iter().map(one).collect()
}

/// The live runs that stand outside `steps` (each `workflow/step`): of a crew's, or of a release that is to be deployed.
pub async fn unrunnable(db: impl PgExecutor<'_>, tenant: &str, steps: &[String]) -> sqlx::Result<Vec<Unrunnable>> {
    Ok(outside(&places(db, tenant).await?, steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(steps: &[&str]) -> Knows {
        Knows { steps: steps.iter().map(|&step| step.to_owned()).collect(), signals: Vec::new() }
    }

    fn crew_of(members: &[(&str, &[&str])]) -> Crew {
        let member =
            |(name, steps): &(&str, &[&str])| Member { id: Uuid::nil(), name: (*name).to_owned(), knows: knows(steps) };
        Crew { members: members.iter().map(member).collect() }
    }

    #[test]
    fn who_is_alive_decides_and_the_asking_program_only_where_nobody_is() {
        let ours = knows(&["shop/Packing", "shop/Wrapping"]);
        let table = [
            (crew_of(&[]), "Wrapping", Runnable::NobodyWorks),
            (crew_of(&[]), "Painting", Runnable::No),
            (crew_of(&[("old", &["shop/Packing"])]), "Packing", Runnable::Yes),
            (crew_of(&[("old", &["shop/Packing"])]), "Wrapping", Runnable::No),
            (crew_of(&[("old", &["shop/Packing"]), ("new", &["shop/Wrapping"])]), "Wrapping", Runnable::Yes),
        ];
        for (crew, step, expected) in table {
            assert_eq!(crew.runs(&ours, "shop", step), expected, "{step} with {crew:?}");
            assert_eq!(crew.steps(&ours).contains(&format!("shop/{step}")), expected != Runnable::No);
        }
    }

    #[test]
    fn a_release_lacks_what_others_have_and_hears_nothing_where_it_cannot_stand() {
        let knows = |steps: &[&str], signals: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
            Knows { steps: owned(steps), signals: owned(signals) }
        };
        let old = knows(&["shop/Packing", "shop/Painting"], &["shop/Packing/Stop"]);
        let new = knows(
            &["shop/Packing", "shop/Wrapping"],
            &["shop/Packing/Hurry", "shop/Packing/Stop", "shop/Wrapping/Stop"],
        );
        assert_eq!(old.lacks([&new, &old]), knows(&["shop/Wrapping"], &["shop/Packing/Hurry"]));
        assert_eq!(new.lacks([&old]), knows(&["shop/Painting"], &[]));
        assert_eq!(old.lacks([]), Knows::default());
    }

    #[test]
    fn a_step_is_a_step_of_its_own_workflow() {
        let crew = crew_of(&[("a", &["shop/Packing"]), ("b", &["shop/Packing", "shopping/Packing"])]);
        assert_eq!(crew.who_knows("shop", "Packing"), ["a", "b"]);
        assert_eq!(crew.who_knows("shopping", "Packing"), ["b"]);
        assert_eq!(crew.who_knows("shop", "ing"), [] as [&str; 0]);
    }
}
