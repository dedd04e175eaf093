//! What a bulk would do. The runs of the filter are written down as they are counted; a bulk that is begun with this set is for
//! them and for no others. Beyond that a preview locks and changes nothing.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::RunId;
use super::super::core::Engine;
use super::super::store::bulk::{self as store};
use super::super::store::bulk_sets::{self as sets, Taken};
use super::super::store::staff::{self, Standing};
use super::bulk::{Asked, for_run};
use super::{By, Refused, Verb, decide, gone, in_tree};

/// The most runs that a preview looks at. Of more it still has the count and the set; how they fare is seen at their turn.
pub const LOOKED_AT_MAX: usize = 20_000;
/// Runs that are looked at with one statement.
const LOOK: i64 = 500;
/// The most runs that a preview names as a sample.
const SAMPLE_MAX: usize = 10;

/// What a bulk would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// The set of these runs: a bulk that is begun with it is for them alone.
    pub set: Uuid,
    /// How many there are.
    pub total: i64,
    /// How many would change, of those that were looked at.
    pub would_change: usize,
    /// How many would refuse, by code, with the first refusal of each.
    pub refused: BTreeMap<&'static str, (usize, Refused)>,
    /// Some that would change.
    pub sample: Vec<RunId>,
    /// Each that was looked at, in the order of the bulk.
    pub each: Vec<Looked>,
}

/// A run that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The run.
    pub run: RunId,
    /// Its workflow and its step; none where it is not among the live ones any more.
    pub at: Option<(String, String)>,
    /// Why it would refuse, where it would.
    pub refused: Option<Refused>,
}

/// How many of the runs at one step would change, and how many would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtStep {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Those that would change.
    pub changes: usize,
    /// Those that would refuse.
    pub refuses: usize,
}

impl DryRun {
    /// The runs that were looked at, counted by where they stand.
    pub fn by_step(&self) -> Vec<AtStep> {
        let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        for Looked { at, refused, .. } in &self.each {
            let Some((workflow, step)) = at else { continue };
            let (changes, refuses) = counts.entry((workflow, step)).or_default();
            *if refused.is_none() { changes } else { refuses } += 1;
        }
        let counts = counts.into_iter().map(|((workflow, step), (changes, refuses))| AtStep {
            workflow: workflow.to_owned(),
            step: step.to_owned(),
            changes,
            refuses,
        });
        counts.collect()
    }

    /// How many were looked at.
    pub fn looked_at(&self) -> usize {
        self.each.len()
    }

    fn add(&mut self, looked: Looked) {
        match &looked.refused {
            None => {
                self.would_change += 1;
                if self.sample.len() < SAMPLE_MAX {
                    self.sample.push(looked.run);
                }
            }
            Some(refused) => {
                self.refused.entry(refused.code()).or_insert_with(|| (0, refused.clone())).0 += 1;
            }
        }
        self.each.push(looked);
    }
}

/// What a bulk would do, and the set with which it would do that.
pub async fn dry_run(engine: &Engine, asked: &Asked) -> sqlx::Result<DryRun> {
    let mut conn = engine.pool.begin().await?;
    let (set, _, total) = take(engine, &mut conn, asked).await?;
    conn.commit().await?;
    let mut conn = engine.pool.acquire().await?;
    let verb = for_run(&asked.verb, Uuid::nil());
    let mut dry = DryRun { set, total, ..DryRun::default() };
    let mut cursor = None;
    while dry.each.len() < LOOKED_AT_MAX {
        let runs = sets::next(&mut conn, &engine.tenant, set, cursor, LOOK).await?;
        let Some(last) = runs.last() else { break };
        cursor = Some(*last);
        for looked in look(engine, &mut conn, &runs, &asked.by, &verb).await? {
            dry.add(looked);
        }
    }
    Ok(dry)
}

/// Writes down which runs are meant now: the set, the newest run, and how many.
pub(super) async fn take(engine: &Engine, conn: &mut PgConnection, asked: &Asked) -> sqlx::Result<(Uuid, RunId, i64)> {
    let (tenant, set) = (&engine.tenant, Uuid::now_v7());
    let up_to = store::newest(conn, tenant).await?;
    let taken = Taken { arguments: asked.arguments()?, filter: sqlx::types::Json(asked.filter.clone()), up_to };
    sets::insert(conn, tenant, set, &taken).await?;
    let total = store::gather(conn, tenant, &asked.filter, up_to, set).await?;
    Ok((set, up_to, total))
}

/// What the verb would come to for each of these, were it done now.
async fn look(
    engine: &Engine,
    conn: &mut PgConnection,
    runs: &[RunId],
    by: &By,
    verb: &Verb,
) -> sqlx::Result<Vec<Looked>> {
    let families = families(engine, conn, runs, verb).await?;
    let mut ids: Vec<RunId> = families.values().flatten().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let standing = staff::standing(conn, &engine.tenant, &ids).await?;
    let standing: HashMap<RunId, Standing> = standing.into_iter().map(|one| (one.id, one)).collect();
    let mut looked = Vec::with_capacity(runs.len());
    for run in runs {
        let family = families.get(run).into_iter().flatten().filter_map(|id| standing.get(id));
        let mut refused = None;
        for one in family {
            if let Err(why) = decide(engine, conn, one, by, verb).await? {
                refused = Some(in_tree(*run, one.id, why));
                break;
            }
        }
        let own = standing.get(run);
        if own.is_none() {
            refused = Some(gone(engine, conn, *run).await?);
        }
        let at = own.map(|own| (own.workflow.clone(), own.step.clone()));
        looked.push(Looked { run: *run, at, refused });
    }
    Ok(looked)
}

/// The runs that the verb is about for each of these, in the order of their ids.
async fn families(
    engine: &Engine,
    conn: &mut PgConnection,
    runs: &[RunId],
    verb: &Verb,
) -> sqlx::Result<HashMap<RunId, Vec<RunId>>> {
    if *verb != Verb::Cancel {
        return Ok(runs.iter().map(|run| (*run, vec![*run])).collect());
    }
    let mut families: HashMap<RunId, Vec<RunId>> = HashMap::with_capacity(runs.len());
    for (root, run) in staff::trees(conn, &engine.tenant, runs).await? {
        families.entry(root).or_default().push(run);
    }
    Ok(families)
}
