//! D4: two `houbu work` processes share the trade of freed places; one is killed with kill -9 in the middle of it. How
//! long until others have everything that the dead one had in hand, and whether a place is locked or a patient told twice.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use houbu::engine::RunId;
use houbu::sandbox::outside::Outside as Sandbox;
use uuid::Uuid;

use crate::Ask;
use crate::delayed;
use crate::ground::{Ground, TENANT, median};
use crate::hospital::{Hospital, LOOKUP, SEALING};
use crate::obliging;
use crate::places;
use crate::report::{Bar, Report};
use crate::stretched::sandbox;

/// The victim has at least so many runs in hand when it is killed, and so many places are locked.
const IN_HAND: usize = 5;
const LOCKED: i64 = 100;
/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a client waits for the outside.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A worker process; dropped, it is killed with kill -9.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// D4.
pub async fn under_load(ask: &Ask, ground: &Ground, report: &mut Report) {
    let repeats = ask.size(1, 3);
    let (mut took, mut held, mut wrong) = (vec![], vec![], 0);
    for _ in 0..repeats {
        let (seconds, runs, amiss) = kill_one(ground).await;
        took.push(seconds);
        held.push(runs as f64);
        wrong += amiss;
    }
    let (took, wrong) = (median(&mut took), wrong as f64);
    let what = format!("kill -9 of one of two workers with {} runs in hand, until others have them", median(&mut held));
    report.row("D4", &what, (took, "s"), Some(("a lease", 4.0)), took, Bar::AtMost(6.0));
    report.row("D4", "locks and messages doubled or missing", (wrong, ""), None, wrong, Bar::AtMost(0.0));
}

/// Seconds until what the dead one held was in other hands, how many runs that were, and what was doubled or missing.
async fn kill_one(ground: &Ground) -> (f64, usize, usize) {
    let sandbox = sandbox().await;
    let slow = delayed::before(&sandbox.his.url()).await;
    let hospital = Hospital::open(ground, obliging::outside(), BTreeMap::new()).await;
    let ids = places::queue_up(&hospital, &sandbox, places::SCHEDULES).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("houbu.toml");
    let servers = sandbox.configuration("http://127.0.0.1:9", TIMEOUT).unwrap();
    let servers = servers.replace(&sandbox.his.url(), &slow.url);
    let keys = format!("[keys]\nsealing = \"{SEALING}\"\nlookup = \"{LOOKUP}\"");
    std::fs::write(&file, format!("hospital = \"{TENANT}\"\n\n{keys}\n\n{servers}\n")).unwrap();
    let database: String = sqlx::query_scalar("select current_database()").fetch_one(&hospital.pool).await.unwrap();
    let mut workers: Vec<Process> = (0..2).map(|_| start(&file, &ground.server.url(&database))).collect();
    hospital.until("select count(*) from worker where lease_until > clock_timestamp()", 2, PATIENCE).await;
    hospital.until(places::LETTERS, 0, PATIENCE).await;
    places::free(&sandbox, &ids).await;
    let hinting = places::hint(&hospital, &ids);
    let killing = async {
        let victim = id_of(&hospital, &workers[0]).await;
        let began = Instant::now();
        while in_hand(&hospital, victim).await.len() < IN_HAND || hospital.count(places::LOCKED).await < LOCKED {
            assert!(began.elapsed() < PATIENCE, "the victim has nothing to do");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let killed = Instant::now();
        drop(workers.remove(0));
        let held = in_hand(&hospital, victim).await;
        while !moved(&hospital, victim, &held).await {
            assert!(killed.elapsed() < PATIENCE, "what a dead worker held does not move");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (killed.elapsed().as_secs_f64(), held.len())
    };
    let ((), (took, held)) = tokio::join!(hinting, killing);
    hospital.until(places::LOCKED, places::places_of(&ids), PATIENCE).await;
    hospital.until(places::LETTERS, 0, PATIENCE).await;
    let wrong = places::amiss(&sandbox.his, places::places_of(&ids)).await + told_amiss(&hospital, &sandbox).await;
    drop(workers);
    hospital.close().await;
    (took, held, wrong)
}

fn start(file: &Path, database: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
    command.arg("--config").arg(file).arg("work").env("DATABASE_URL", database);
    Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The worker that a process is.
async fn id_of(hospital: &Hospital, process: &Process) -> Uuid {
    sqlx::query_scalar("select id from worker where name = $1")
        .bind(format!("houbu-{}", process.0.id()))
        .fetch_one(&hospital.pool)
        .await
        .unwrap()
}

/// The runs that a worker has in hand, with their turns so far.
async fn in_hand(hospital: &Hospital, worker: Uuid) -> Vec<(RunId, i32)> {
    sqlx::query_as("select id, turn from run where tenant = $1 and worker = $2 and status = 'running'")
        .bind(TENANT)
        .bind(worker)
        .fetch_all(&hospital.pool)
        .await
        .unwrap()
}

/// True where somebody else has, or had, each of these runs in hand: none is the dead one's, none waits for a hand.
async fn moved(hospital: &Hospital, dead: Uuid, held: &[(RunId, i32)]) -> bool {
    let (ids, turns): (Vec<RunId>, Vec<i32>) = held.iter().copied().unzip();
    sqlx::query_scalar(
        "select not exists (
             select from unnest($2::uuid[], $3::int[]) as t (id, turn) join run r on r.tenant = $1 and r.id = t.id
             where (r.status = 'running' and r.worker = $4) or (r.status = 'pending' and r.turn = t.turn))",
    )
    .bind(TENANT)
    .bind(ids)
    .bind(turns)
    .bind(dead)
    .fetch_one(&hospital.pool)
    .await
    .unwrap()
}

/// How many messages are doubled at the platform, or told here and not there.
async fn told_amiss(hospital: &Hospital, sandbox: &Sandbox) -> usize {
    let books = sandbox.messages.books().await;
    let ids: HashSet<&str> = books.iter().map(|message| message.client_msg_id.as_str()).collect();
    let sent = hospital.count("select count(*) from outbox where status = 'sent'").await;
    (books.len() - ids.len()) + ids.len().abs_diff(usize::try_from(sent).unwrap())
}
