//! Why a run is not moving: a run is brought into each kind of standing still, and `houbu runs why` says which.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use houbu::desk::destinations::Switch;
use houbu::engine::around::Around;
use houbu::engine::inspect::{self, Why};
use houbu::engine::sabotage::{Act, Point, Saboteur};
use houbu::engine::staff::{By, Verb, perform};
use houbu::engine::{RunId, worker};
use houbu::waitlist::policy::PaymentMode;
use tokio::sync::Semaphore;

use super::clinic::{Clinic, HOSPITAL};
use super::patience::wait_for;
use super::surface::on;

/// Every kind of standing still. A new one does not compile here until it has a name, and needs a case below.
const KINDS: [&str; 13] = [
    "ended",
    "in hand",
    "due now",
    "unrunnable",
    "nobody works",
    "waits",
    "backs off",
    "suspended",
    "limit full",
    "destination down",
    "destination paused",
    "due later",
    "suspended by staff",
];

fn kind(why: &Why) -> &'static str {
    match why {
        Why::Ended => KINDS[0],
        Why::InHand => KINDS[1],
        Why::DueNow => KINDS[2],
        Why::Unrunnable { .. } => KINDS[3],
        Why::NobodyWorks => KINDS[4],
        Why::Waits { .. } => KINDS[5],
        Why::BacksOff { .. } => KINDS[6],
        Why::Suspended { .. } => KINDS[7],
        Why::LimitFull { .. } => KINDS[8],
        Why::DestinationDown { .. } => KINDS[9],
        Why::DestinationPaused { .. } => KINDS[10],
        Why::DueLater { .. } => KINDS[11],
        Why::SuspendedByStaff { .. } => KINDS[12],
    }
}

/// One run whose step fails, and one whose worker stands still before its step.
struct Trouble {
    fails: RunId,
    held: RunId,
    gate: Arc<Semaphore>,
}

impl Saboteur for Trouble {
    fn at(&self, point: Point, _: &str, _: &str, run: RunId) -> Act {
        if point == Point::BeforeCall && run == self.held {
            let passes = async { drop(self.gate.acquire().await) };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(passes));
        }
        if point == Point::AfterCall && run == self.fails { Act::Fail } else { Act::Nothing }
    }
}

/// A clinic, and the kinds of standing still that were seen there.
struct Ward {
    clinic: Clinic,
    seen: BTreeSet<&'static str>,
}

impl Ward {
    async fn applies(&self, patient: usize) -> RunId {
        self.clinic.apply(None, &format!("p{patient}"), "S1").await.unwrap().entry.shown.id
    }

    async fn staff(&self, run: RunId, verb: Verb) {
        let by = By { who: "li".to_owned(), reason: "the doctor is away".to_owned() };
        perform(&self.clinic.desk.engine, run, &by, &verb).await.unwrap().unwrap();
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.clinic.pool).await.unwrap();
    }

    async fn why(&self, run: RunId) -> Why {
        let engine = &self.clinic.desk.engine;
        let seen = inspect::find(&engine.pool, HOSPITAL, run).await.unwrap().unwrap();
        Around::look(engine).await.unwrap().why(&seen)
    }

    /// Waits until the run stands still in this way, and answers what the terminal says then.
    async fn says(&mut self, run: RunId, expected: &'static str) -> String {
        wait_for(expected, || async { kind(&self.why(run).await) == expected }).await;
        self.seen.insert(expected);
        let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
        command.args(["runs", "why", &run.to_string()]);
        command.env("DATABASE_URL", self.clinic.url()).env("HOUBU_HOSPITAL", HOSPITAL);
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_standing_still_is_said_in_a_sentence() {
    let mut ward = Ward { clinic: Clinic::with(6, on(PaymentMode::None)).await, seen: BTreeSet::new() };
    let mut runs = Vec::new();
    for patient in 0..6 {
        runs.push(ward.applies(patient).await);
    }
    let [waits, stopped, over, fails, held, due] = runs[..] else { panic!("{runs:?}") };

    assert_eq!(
        ward.says(waits, "waits").await,
        "Waiting for Offer or Withdrawal or Stoppage or Terms or Change or Consent or LateMoney until 2026-03-03 18:00:00."
    );
    ward.staff(stopped, Verb::Suspend).await;
    let said = ward.says(stopped, "suspended by staff").await;
    assert_eq!(said, "Suspended by staff (li: the doctor is away); it goes on once it is resumed.");
    ward.sql("update run set fault = 'stop', last_error = 'no answer' where fault = 'staff'").await;
    assert_eq!(ward.says(stopped, "suspended").await, "Suspended, a person must look: no answer");

    let gate = Arc::new(Semaphore::new(0));
    let saboteur = Arc::new(Trouble { fails, held, gate: Arc::clone(&gate) });
    let options = worker::Options { saboteur: Some(saboteur), ..worker::Options::default() };
    let works = worker::start(Arc::clone(&ward.clinic.desk.engine), options).await.unwrap();
    for run in [over, fails, held] {
        ward.staff(run, Verb::Cancel).await;
    }
    assert_eq!(ward.says(over, "ended").await, "It has ended.");
    let said = ward.says(fails, "backs off").await;
    let (until, error) = said.split_once(" after ").unwrap();
    assert!(until.starts_with("Backing off until 2026-03-02 09:00:"), "{said}");
    assert_eq!(error, "attempt 1 failed: sabotaged");
    assert_eq!(ward.says(held, "in hand").await, "A worker has it in hand.");
    gate.add_permits(1);
    ward.clinic.desk.switch_destination("his", Switch::Pause, "li", "maintenance").await.unwrap();
    ward.staff(due, Verb::Cancel).await;
    let said = ward.says(due, "destination paused").await;
    assert_eq!(said, "HIS was paused by li (maintenance); it goes on when that is resumed.");
    works.stop().await;

    assert_eq!(ward.says(due, "nobody works").await, "No worker is running; it goes on once one is.");
    // Somebody who lives and takes nothing up.
    ward.sql(
        "insert into worker (tenant, id, name, lease_until, knows, hears)
         values ('h001', gen_random_uuid(), 'busy', clock_timestamp() + interval '1 hour', '{}', '{}')",
    )
    .await;
    assert_eq!(
        ward.says(due, "unrunnable").await,
        "No worker knows step Clearing: it goes on once a release that does is deployed."
    );
    ward.sql("update worker set knows = '{waitlist_application/Clearing}'").await;
    ward.clinic.desk.switch_destination("his", Switch::Resume, "li", "it is over").await.unwrap();
    assert_eq!(ward.says(due, "due now").await, "It is due and waits for a free worker.");
    ward.sql(
        "insert into destination_tally (tenant, destination, worker, short)
         select tenant, 'his', id, true from worker where name = 'busy'",
    )
    .await;
    let said = ward.says(due, "limit full").await;
    assert_eq!(said, "It is due; HIS takes no more calls for now, so it waits for its turn.");
    ward.sql(
        "update destination set state = 'open', opened_at = engine_now(), last_error = 'no answer',
                                open_until = engine_now() + interval '1 minute' where name = 'his'",
    )
    .await;
    assert_eq!(
        ward.says(due, "destination down").await,
        "HIS is down since 2026-03-02 09:00:00 and is tried again at 2026-03-02 09:01:00; it goes on by itself then: \
         no answer"
    );
    ward.sql("update run set due_at = engine_now() + interval '1 hour' where step = 'Clearing'").await;
    ward.sql("update run set attempt = 0 where step = 'Clearing'").await;
    assert_eq!(ward.says(due, "due later").await, "It goes on at 2026-03-02 10:00:00.");

    assert_eq!(ward.seen, BTreeSet::from(KINDS), "kinds that no run was brought into");
    ward.clinic.close().await;
}
