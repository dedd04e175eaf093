//! Every verb at every standing: it does what it says, or refuses by name and changes nothing.

use houbu::engine::RunId;
use houbu::engine::staff::{By, Performed, Refused, Verb, perform};
use serde_json::{Value, json};

use super::works::{TENANT, Works};

/// Who does everything here.
pub fn by() -> By {
    By { who: "ann".to_owned(), reason: "because".to_owned() }
}

/// How a run stands before a verb: its name here, and its row.
const STANDINGS: [(&str, &str); 10] = [
    ("due", "step = 'Packing', status = 'pending', due_at = engine_now(), listens = '{}', owes = '{Money}'"),
    (
        "backs off",
        "step = 'Packing', status = 'pending', due_at = engine_now() + interval '9 s', listens = '{}', attempt = 2,
         fault = 'retry', last_error = 'away', owes = '{Money}'",
    ),
    (
        "in hand",
        "step = 'Packing', status = 'running', due_at = null, listens = '{}', worker = gen_random_uuid(),
         owes = '{Money}'",
    ),
    (
        "waits, owes",
        "step = 'Counter', listens = '{Collected}', owes = '{Money}', due_at = engine_now() + interval '9 d'",
    ),
    ("waits", ""),
    (
        "stopped",
        "step = 'Packing', status = 'suspended', due_at = null, listens = '{}', attempt = 4, fault = 'stop',
         last_error = 'broken', owes = '{Money}'",
    ),
    (
        "suspended by staff",
        "step = 'Packing', status = 'suspended', due_at = null, listens = '{}', attempt = 1, fault = 'staff',
         owes = '{Money}'",
    ),
    ("completed", "step = 'Dropped', status = 'completed', due_at = null, listens = '{}', ended_at = engine_now()"),
    ("cancelled", "status = 'cancelled', due_at = null, listens = '{}', ended_at = engine_now()"),
    ("faulted", "status = 'faulted', due_at = null, listens = '{}', ended_at = engine_now()"),
];

fn answer(outcome: &str) -> Verb {
    Verb::Answer { outcome: outcome.to_owned(), patch: None }
}

pub fn jump(step: &str) -> Verb {
    Verb::Jump { step: step.to_owned(), patch: None }
}

const ENDED: &str = "run_ended";
const AGAIN: &str = "pending at Packing, attempt 0, again";
const TO_REFUND: &str = "pending at Refund, attempt 0";
const JUMPED: &str = "pending at Refund, attempt 0, again";

/// What each verb comes to at each standing: where the run is then, or the code of the refusal.
#[rustfmt::skip]
const CAME: [(&str, [&str; 10]); 7] = [
    ("retry", [
        "not_suspended", AGAIN, "run_in_hand", "not_suspended", "not_suspended", AGAIN, "suspended_by_staff",
        ENDED, ENDED, ENDED,
    ]),
    ("answer", [
        TO_REFUND, TO_REFUND, "run_in_hand", TO_REFUND, "completed at Dropped, attempt 0", TO_REFUND, TO_REFUND,
        ENDED, ENDED, ENDED,
    ]),
    ("jump", [
        JUMPED, JUMPED, "run_in_hand", JUMPED, JUMPED, JUMPED, JUMPED,
        ENDED, ENDED, ENDED,
    ]),
    ("signal", [
        "pending at Packing, attempt 0", "pending at Packing, attempt 2", "running at Packing, attempt 0",
        "waiting at Counter, attempt 0", "waiting at Payment, attempt 0", "suspended at Packing, attempt 4",
        "suspended at Packing, attempt 1",
        ENDED, ENDED, ENDED,
    ]),
    ("suspend", [
        "suspended at Packing, attempt 0", "suspended at Packing, attempt 2",
        "suspended at Packing, attempt 0, again", "suspended at Counter, attempt 0",
        "suspended at Payment, attempt 0", "already_suspended", "already_suspended",
        ENDED, ENDED, ENDED,
    ]),
    ("resume", [
        "not_suspended", "not_suspended", "not_suspended", "not_suspended", "not_suspended",
        "pending at Packing, attempt 4, again", "pending at Packing, attempt 1, again",
        ENDED, ENDED, ENDED,
    ]),
    ("cancel", [
        "would_strand", "would_strand", "run_in_hand", "would_strand", "cancelled at Payment, attempt 0",
        "would_strand", "would_strand",
        ENDED, ENDED, ENDED,
    ]),
];

fn verb(name: &str, standing: &str) -> Verb {
    match name {
        "retry" => Verb::Retry,
        "answer" => answer(match standing {
            "waits, owes" => "LeftLying",
            "waits" => "GivenUp",
            _ => "SoldOut",
        }),
        "jump" => jump("Refund"),
        "signal" => Verb::Signal { signal: "GivenUp".to_owned(), signal_id: "s".to_owned(), payload: json!({}) },
        "suspend" => Verb::Suspend,
        "resume" => Verb::Resume,
        _ => Verb::Cancel,
    }
}

async fn stands(works: &Works, run: RunId) -> String {
    let (status, step, attempt, again): (String, String, i32, bool) =
        sqlx::query_as("select status, step, attempt, again from run where id = $1")
            .bind(run)
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
    format!("{status} at {step}, attempt {attempt}{}", if again { ", again" } else { "" })
}

/// Everything that the tables hold of this run.
async fn whole(works: &Works, run: RunId) -> String {
    let rows: Vec<String> = sqlx::query_scalar(
        "select r::text from run r where id = $1 union all select s::text from run_state s where run_id = $1
         union all select t::text from turn t where run_id = $1 union all select i::text from inbox i where run_id = $1
         union all select o::text from outbox o where run_id = $1 union all select a::text from audit a where run_id = $1
         union all select f::text from shelf f",
    )
    .bind(run)
    .fetch_all(&works.db.pool)
    .await
    .unwrap();
    rows.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_at_every_standing() {
    let works = Works::new().await;
    for (name, came) in CAME {
        for ((standing, row), came) in STANDINGS.into_iter().zip(came) {
            let case = format!("{name} where the run {standing}");
            let run = works.order(&case).await;
            if !row.is_empty() {
                let update = sqlx::AssertSqlSafe(format!("update run set {row} where id = '{run}'"));
                sqlx::query(update).execute(&works.db.pool).await.unwrap();
            }
            let before = whole(&works, run).await;
            let verb = verb(name, standing);
            match perform(&works.engine, run, &by(), &verb).await.unwrap() {
                Ok(performed) => {
                    assert_eq!(stands(&works, run).await, came, "{case}");
                    assert_eq!(performed, Performed { runs: 1 });
                    let audit = audit(&works, run).await;
                    let [(who, did, reason, before, after)] = &audit[..] else { panic!("{case}: {audit:?}") };
                    assert_eq!((who.as_str(), did.as_str(), reason.as_str()), ("ann", verb.name(), "because"));
                    assert_eq!(after["asked"]["verb"], verb.name());
                    assert!(came.starts_with(after["status"].as_str().unwrap()), "{case}: {after}");
                    assert_eq!(
                        before["owes"],
                        json!(if came.contains("Payment") || standing == "waits" { vec![] } else { vec!["Money"] })
                    );
                }
                Err(refused) => {
                    assert_eq!(refused.code(), came, "{case}: {refused}");
                    assert_eq!(whole(&works, run).await, before, "{case}: it was refused and changed something");
                }
            }
        }
    }
    let nobody = perform(&works.engine, RunId::now_v7(), &by(), &Verb::Retry).await.unwrap();
    assert_eq!(nobody, Err(Refused::NoRun));
    assert_eq!(works.all_leases_end().await, 6, "whatever was in hand, but for the one that was suspended");
    works.close(vec![]).await;
}

type Line = (String, String, String, Value, Value);

/// What was done to a run, oldest first.
pub async fn audit(works: &Works, run: RunId) -> Vec<Line> {
    sqlx::query_as("select who, verb, reason, before, after from audit where tenant = $1 and run_id = $2 order by id")
        .bind(TENANT)
        .bind(run)
        .fetch_all(&works.db.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_there_is_not_is_named_with_what_there_is() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let refused = async |verb: Verb| perform(&works.engine, run, &by(), &verb).await.unwrap().unwrap_err();
    let outcomes = ["Paid", "GivenUp", "Unpaid"].map(str::to_owned).to_vec();
    let (step, outcome) = ("Payment".to_owned(), "Packed".to_owned());
    assert_eq!(refused(answer("Packed")).await, Refused::NotAnOutcome { step, outcome, outcomes });
    let Refused::UnknownStep { steps, .. } = refused(jump("Attic")).await else { panic!() };
    assert_eq!(steps, ["Payment", "Doubt", "Packing", "Counter", "Refund", "Delivered", "Dropped"]);
    assert_eq!(refused(jump("Payment")).await, Refused::AlreadyThere { step: "Payment".to_owned() });
    let signal =
        |name: &str, payload: Value| Verb::Signal { signal: name.to_owned(), signal_id: "s".to_owned(), payload };
    let Refused::UnknownSignal { signals, .. } = refused(signal("Stolen", json!({}))).await else { panic!() };
    assert_eq!(signals, ["Collected", "GivenUp", "Paid"]);
    let unread = refused(signal("Paid", json!({ "cents": "many" }))).await;
    assert!(matches!(unread, Refused::PayloadUnreadable { .. }), "{unread:?}");
    let patch = Some(json!({ "pay_until": "soon" }));
    let unread = refused(Verb::Answer { outcome: "Paid".to_owned(), patch }).await;
    assert!(matches!(unread, Refused::StateUnreadable { .. }), "{unread:?}");
    assert!(audit(&works, run).await.is_empty());
    works.close(vec![]).await;
}
