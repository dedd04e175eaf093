//! The figures of a day read that day's rows, however many there are of others (R33): the server says what it read.

use houbu::records::kpis::{self, By};

use crate::clinic::{Clinic, HOSPITAL};
use chrono::NaiveDate;
use houbu::waitlist::policy::LevelPolicy;

/// Two hundred thousand applications on a thousand schedules of two years, each with an offer, a third with a visit.
const YEARS: &str = "
    insert into schedule (hospital, id, doctor_id, department_id, campus_id, visit_date, part, state, total, remaining,
                          fee_fen, synced_at)
        select 'h001', 'old-' || n, 'doc1', 'd1', 'c1', date '2024-03-01' + (n / 2)::int, 'morning', 'open', 20, 0, 5000,
               engine_now()
        from generate_series(0, 999) n;
    insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id, status,
                       live, payment_mode, fee_fen, cutoff, order_id)
        select 'h001', lpad(to_hex(n), 32, '0')::uuid, 'k' || n, 'old-' || n % 1000, 'doc1', 'd1', 'c1', 'p' || n, 'expired',
               false, 'none', 5000, engine_now(), case when n % 3 = 0 then 'o' || n end
        from generate_series(1, 200000) n;
    insert into offer (hospital, entry_id, nth, schedule_id, made_at, outcome)
        select hospital, id, 1, schedule_id, engine_now(), 'lost' from entry;
    insert into appointment (hospital, id, entry_id, patient_id, schedule_id, slot, his_order_id, serial, place, status,
                             booked_at)
        select hospital, order_id, id, patient_id, schedule_id, '{}', order_id, '1', '', 'fulfilled', engine_now()
        from entry where order_id is not null;
    insert into breach (hospital, his_order_id, visit_date, id_hash, department_id, channel_id, event, entry_id, seen_by)
        select e.hospital, e.order_id, s.visit_date, 'x', 'd1', '4', 'noShow', e.id, e.id
        from entry e join schedule s on s.hospital = e.hospital and s.id = e.schedule_id where e.order_id is not null;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_figures_of_a_day_read_that_day_alone() {
    let house = Clinic::with(1, LevelPolicy::default()).await;
    sqlx::raw_sql(YEARS).execute(&house.pool).await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(&house.pool).await.unwrap();
    let day = NaiveDate::from_ymd_opt(2024, 6, 1).unwrap();
    let mut tx = house.pool.begin().await.unwrap();
    let sums = kpis::sums(&mut *tx, HOSPITAL, day, day, By::Doctor).await.unwrap();
    assert_eq!((sums[0].applications, sums[0].offers), (400, 400), "two schedules of that day");
    assert!(sums[0].visits > 100, "{} visits", sums[0].visits);
    assert_eq!((sums[0].converted, sums[0].no_shows), (sums[0].visits, sums[0].visits));
    let (read, whole): (i64, i64) = sqlx::query_as(
        "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint, coalesce(sum(seq_tup_read), 0)::bigint
         from pg_stat_xact_user_tables
         where relname in ('schedule', 'entry', 'offer', 'appointment', 'breach')",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(whole, 0, "a table was read whole");
    assert!((400..3_000).contains(&read), "{read} rows were read for the figures of 400 applications");
    house.close().await;
}
