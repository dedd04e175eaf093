//! What must be true when a story ends: our tables, the HIS's books and the payer's books say the same, and nobody is
//! owed a visit, a place or money.

use std::collections::{BTreeMap, BTreeSet};

use houbu::engine::RunId;
use houbu::engine::Table;
use houbu::engine::flow::Flow;
use houbu::ports::payments::Refund;
use houbu::sandbox::his::{LockState, OrderState};
use houbu::sandbox::wechat_pay::OrderStanding;
use houbu::waitlist::ids;
use houbu::waitlist::status::EntryStatus;
use houbu::workflows::breach_sync::BreachSync;
use houbu::workflows::reconciliation::Reconciliation;
use houbu::workflows::schedule_sync::ScheduleSync;
use houbu::workflows::slot_release::SlotRelease;
use houbu::workflows::waitlist_application::WaitlistApplication;
use sqlx::PgPool;

use super::Hospital;
use super::world::HOSPITAL;

/// The tables by workflow.
pub fn table(workflow: &str) -> Table {
    [WaitlistApplication::TABLE, SlotRelease::TABLE, ScheduleSync::TABLE, Reconciliation::TABLE, BreachSync::TABLE]
        .into_iter()
        .find(|table| table.name == workflow)
        .unwrap()
}

pub async fn nothing_is_owed(hospital: &Hospital) {
    let statuses = statuses(&hospital.db.pool).await;
    runs_rest(hospital).await;
    no_obligation_outlives_its_run(&hospital.db.pool).await;
    caps_count_who_is_live(&hospital.db.pool).await;
    visits_are_the_his_s(hospital, &statuses).await;
    locks_belong_to_somebody(hospital, &statuses).await;
    money_is_where_it_belongs(hospital, &statuses).await;
    letters_are_settled(&hospital.db.pool).await;
    assert_eq!(hospital.mishaps.left(), [""; 0], "planned mishaps did not come about");
}

async fn statuses(pool: &PgPool) -> BTreeMap<RunId, EntryStatus> {
    let rows: Vec<(RunId, String)> = sqlx::query_as("select id, status from entry where hospital = $1")
        .bind(HOSPITAL)
        .fetch_all(pool)
        .await
        .unwrap();
    rows.into_iter().map(|(id, status)| (id, EntryStatus::parse(&status).unwrap())).collect()
}

/// Nothing is running, and what is suspended the story has announced.
async fn runs_rest(hospital: &Hospital) {
    let suspended: Vec<(String, String, Option<String>)> =
        sqlx::query_as("select workflow, step, last_error from run where status = 'suspended'")
            .fetch_all(&hospital.db.pool)
            .await
            .unwrap();
    assert_eq!(suspended.len(), hospital.suspended, "suspended runs: {suspended:#?}");
    let running: i64 = sqlx::query_scalar("select count(*) from run where status = 'running'")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(running, 0, "runs in hand");
}

/// What a history tells of that is no outcome of a table.
const DEEDS: [&str; 6] = ["reopened", "retried", "suspended", "resumed", "jumped", "cancelled"];

/// Walks every ended run's history through its table: what was opened was closed.
async fn no_obligation_outlives_its_run(pool: &PgPool) {
    let rows: Vec<(RunId, String, String, String)> = sqlx::query_as(
        "select r.id, r.workflow, t.step, t.outcome from run r
         join turn t on t.tenant = r.tenant and t.run_id = r.id
         where r.status = 'completed' and t.outcome is not null and t.outcome <> all($1)
         order by r.id, t.seq",
    )
    .bind(DEEDS)
    .fetch_all(pool)
    .await
    .unwrap();
    let owing: Vec<(RunId, Vec<String>)> =
        sqlx::query_as("select id, owes from run where status in ('completed', 'cancelled') and owes <> '{}'")
            .fetch_all(pool)
            .await
            .unwrap();
    assert!(owing.is_empty(), "ended runs that say themselves that they owe something: {owing:?}");
    let mut owed: BTreeMap<RunId, BTreeSet<&str>> = BTreeMap::new();
    for (run, workflow, step, outcome) in &rows {
        let row = table(workflow).step(step).unwrap();
        let outcome = row.outcomes.iter().find(|row| row.name == outcome).unwrap();
        let owed = owed.entry(*run).or_default();
        owed.extend(outcome.opens);
        owed.retain(|obligation| !outcome.closes.contains(obligation));
    }
    owed.retain(|_, owed| !owed.is_empty());
    assert!(owed.is_empty(), "ended runs that owe something: {owed:?}");
}

async fn caps_count_who_is_live(pool: &PgPool) {
    let wrong: Vec<(String, String, i32, i64)> = sqlx::query_as(
        "select c.level, c.id, c.live,
                (select count(*) from entry e where e.hospital = c.hospital and e.live
                   and c.id = case c.level when 'doctor' then e.doctor_id when 'department' then e.department_id
                                           else e.campus_id end)
         from capacity c where c.hospital = $1",
    )
    .bind(HOSPITAL)
    .fetch_all(pool)
    .await
    .unwrap();
    for (level, id, counted, live) in wrong {
        assert_eq!(i64::from(counted), live, "live entries under the {level} {id}");
    }
    let untrue: Vec<(RunId, String, bool)> =
        sqlx::query_as("select id, status, live from entry").fetch_all(pool).await.unwrap();
    for (id, status, live) in untrue {
        assert_eq!(EntryStatus::parse(&status).unwrap().live(), live, "{id} is {status}");
    }
}

/// Every booking that came over the interface is somebody's booked visit, and the other way round.
async fn visits_are_the_his_s(hospital: &Hospital, statuses: &BTreeMap<RunId, EntryStatus>) {
    let books = hospital.his.books().await;
    let booked: BTreeSet<RunId> = books
        .orders
        .iter()
        .filter(|order| !order.ordinary && order.state == OrderState::Booked)
        .map(|order| ids::run_of(&order.order_id).expect("an order of ours"))
        .collect();
    let visits: BTreeSet<RunId> =
        statuses.iter().filter(|(_, status)| **status == EntryStatus::Booked).map(|(id, _)| *id).collect();
    assert_eq!(booked, visits, "bookings at HIS and visits here");
    let count = books.orders.iter().filter(|order| !order.ordinary && order.state == OrderState::Booked).count();
    assert_eq!(count, booked.len(), "somebody is booked twice");
    let appointments: Vec<(String, String)> =
        sqlx::query_as("select id, status from appointment").fetch_all(&hospital.db.pool).await.unwrap();
    for (id, status) in appointments {
        let order = books.orders.iter().find(|order| order.order_id == id).expect("an appointment without a booking");
        assert_eq!(status == "cancelled", order.state != OrderState::Booked, "the appointment {id} is {status}");
    }
}

/// A lock at HIS is held for somebody who is being offered the place.
async fn locks_belong_to_somebody(hospital: &Hospital, statuses: &BTreeMap<RunId, EntryStatus>) {
    for lock in hospital.his.books().await.locks.iter().filter(|lock| lock.state == LockState::Held) {
        let status = statuses[&ids::run_of(&lock.lock_id).unwrap()];
        assert!(
            status.live() && status != EntryStatus::Waiting,
            "{} is still locked for who is {status:?}",
            lock.lock_id
        );
    }
}

/// What payers paid is what is booked or still waits, or it went back.
async fn money_is_where_it_belongs(hospital: &Hospital, statuses: &BTreeMap<RunId, EntryStatus>) {
    let books = hospital.pay.books().await;
    let kept: Vec<(String, i64)> =
        sqlx::query_as("select out_trade_no, kept_fen from payment where kept_fen is not null")
            .fetch_all(&hospital.db.pool)
            .await
            .unwrap();
    let kept: BTreeMap<String, i64> = kept.into_iter().collect();
    let ended: Vec<RunId> =
        sqlx::query_scalar("select id from run where status = 'completed'").fetch_all(&hospital.db.pool).await.unwrap();
    let left: Vec<RunId> =
        sqlx::query_scalar("select id from run where status = 'suspended'").fetch_all(&hospital.db.pool).await.unwrap();
    // What came for an order that was closed buys nothing.
    let late: BTreeSet<String> =
        sqlx::query_scalar("select payload ->> 'out_trade_no' from inbox where name = 'LateMoney'")
            .fetch_all(&hospital.db.pool)
            .await
            .unwrap()
            .into_iter()
            .collect();
    let (mut paid_fen, mut held_fen, mut back_fen) = (0, 0, 0);
    for order in books.orders.iter().filter(|order| order.state == OrderStanding::Paid) {
        let back: i64 = books
            .refunds
            .iter()
            .filter(|refund| refund.out_trade_no == order.out_trade_no && refund.state == Refund::Success)
            .map(|refund| refund.amount_fen)
            .sum();
        let run = ids::run_of(&order.out_trade_no).unwrap();
        let status = statuses[&run];
        let stays = match status {
            // What a visit does not stand on goes back while it stands; what came for an order that was over goes back after it.
            EntryStatus::Booked if left.contains(&run) => order.amount_fen - back,
            EntryStatus::Booked => match kept.get(&order.out_trade_no) {
                Some(0) if !ended.contains(&run) => order.amount_fen - back,
                kept => *kept.expect("a visit says what it stands on"),
            },
            EntryStatus::Settling => order.amount_fen - back,
            EntryStatus::Waiting if late.contains(&order.out_trade_no) => 0,
            _ if status.live() && late.contains(&order.out_trade_no) => order.amount_fen - back,
            _ if status.live() => order.amount_fen,
            _ => 0,
        };
        let expected = order.amount_fen - stays;
        assert_eq!(back, expected, "what went back of {}, whose application is {status:?}", order.out_trade_no);
        paid_fen += order.amount_fen;
        back_fen += back;
        held_fen += stays;
    }
    assert_eq!(paid_fen, held_fen + back_fen, "money in = held + back");
    assert!(books.notices.iter().all(|notice| !notice.probe_believed), "a forged notice was believed");
    let ours: (Option<i64>, Option<i64>) = sqlx::query_as(
        "select sum(amount_fen) filter (where paid_at is not null)::bigint,
                sum(refunded_fen)::bigint from payment",
    )
    .fetch_one(&hospital.db.pool)
    .await
    .unwrap();
    assert_eq!((ours.0.unwrap_or(0), ours.1.unwrap_or(0)), (paid_fen, back_fen), "our books and the provider's");
}

async fn letters_are_settled(pool: &PgPool) {
    // What waits for the end of a night is not late, nor a reminder of what is to come.
    let open: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "select id, status, last_error from outbox
         where status in ('sending', 'suspended')
            or (status = 'pending'
                and (attempt > 0 or due_at <= engine_now()
                     or due_at > engine_now() + interval '12 hours' and payload->>'kind' <> 'reminder'))",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(open.is_empty(), "letters that are on their way: {open:#?}");
}

/// After the worker has stopped.
pub async fn nobody_is_at_work(pool: &PgPool) {
    let left: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from worker where lease_until > clock_timestamp()),
                (select count(*) from run where status = 'running'),
                (select count(*) from run where worker is not null)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(left, (0, 0, 0), "leases, runs in hand, runs with a worker");
}
