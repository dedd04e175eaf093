//! D1: applications for hot schedules over HTTP. Four of five come when the queue is full; whoever is let in, the cap is
//! met exactly. Beside it: the same server asked as often for nothing, and the same rows written without a decision.

use std::time::Instant;

use houbu::engine::RunId;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use serde_json::Value;

use crate::Ask;
use crate::caller::{self, Asked};
use crate::ground::{Ground, TENANT, median, quantile};
use crate::hospital::{Hospital, visit_date};
use crate::obliging;
use crate::report::{Bar, Report};

/// How many a doctor's queue takes.
const CAP: usize = 200;
/// Applications for each of the schedules.
const EACH: usize = 1_000;
/// Applications for one more schedule before: every connection has its plans then.
const WARM: usize = 2_000;
/// Few at one time, so that these come to many flushes.
const WARM_CONNECTIONS: usize = 8;
/// Connections that stay open.
const CONNECTIONS: usize = 64;
/// Decisions of one bare statement and commit: as many as admission takes together.
const BARE_BATCH: usize = 256;

/// D1.
pub async fn hot_schedules(ask: &Ask, ground: &Ground, report: &mut Report) {
    let (schedules, repeats) = ask.size((6, 3), (20, 5));
    let all = schedules * EACH;
    let (mut rates, mut p50s, mut p99s, mut trivial, mut bare) = (vec![], vec![], vec![], vec![], vec![]);
    let mut off = 0;
    for _ in 0..repeats {
        let hospital = Hospital::open(ground, obliging::outside(), [].into()).await;
        let ids: Vec<String> = (0..schedules).map(|nth| format!("s{nth}")).collect();
        hospital.furnish(&ids, visit_date(), &policy()).await;
        hospital.furnish(&["warm".to_owned()], visit_date(), &policy()).await;
        hospital.patients(all + WARM).await;
        let worker = hospital.worker().await;
        let door = hospital.door().await;
        for half in [0, 1] {
            let apply = move |nth| application("warm", all + half * WARM / 2 + nth);
            caller::ask(door.address, WARM_CONNECTIONS, WARM / 2, apply).await;
            hospital.analyze().await;
        }
        let nothing = caller::ask(door.address, CONNECTIONS, all, |_| caller::get("/healthz")).await;
        trivial.push(all as f64 / nothing.took);
        let apply = move |nth| application(&format!("s{}", nth % schedules), nth);
        let mut asked = caller::ask(door.address, CONNECTIONS, all, apply).await;
        rates.push(all as f64 / asked.took);
        off += off_the_caps(&hospital, &asked, schedules).await;
        p50s.push(quantile(&mut asked.each, 0.5));
        p99s.push(quantile(&mut asked.each, 0.99));
        drop(door);
        worker.stop().await;
        bare.push(all as f64 / bare_decisions(&hospital, all).await);
        hospital.close().await;
    }
    let (rate, nothing, rows) = (median(&mut rates), median(&mut trivial), median(&mut bare));
    let what = format!("applications for {schedules} hot schedules, decided");
    let unit = (rate, "decisions/s");
    report.row("D1", &what, unit, Some(("GET /healthz", nothing)), rate, Bar::AtLeast(5_000.0));
    report.row("D1", &what, unit, Some(("the same rows, bare, batched by 256", rows)), 0.0, Bar::None);
    let (p50, p99) = (median(&mut p50s), median(&mut p99s));
    report.row("D1", "an application's answer, p50", (p50, "ms"), None, 0.0, Bar::None);
    report.row("D1", "the same, p99", (p99, "ms"), None, 0.0, Bar::None);
    let off = off as f64;
    report.row("D1", "beyond or short of a cap", (off, "applications"), None, off, Bar::AtMost(0.0));
}

/// The patient of this number applies.
fn application(schedule_id: &str, patient: usize) -> String {
    let body = format!(r#"{{"scheduleId":"{schedule_id}","patientId":"p{patient}"}}"#);
    caller::post("/v1/waitlist", &format!("k{patient}"), &body)
}

fn policy() -> LevelPolicy {
    LevelPolicy {
        switch: Switch::On,
        cap: u32::try_from(CAP).ok(),
        payment_mode: Some(PaymentMode::LockThenPay),
        ..LevelPolicy::default()
    }
}

/// How far what was answered, what was written and what is counted are off the caps, all schedules together.
async fn off_the_caps(hospital: &Hospital, asked: &Asked, schedules: usize) -> usize {
    let mut admitted = vec![0_usize; schedules];
    for (nth, (status, body)) in asked.answers.iter().enumerate() {
        match status {
            201 => admitted[nth % schedules] += 1,
            409 if body.contains("\"code\":\"queue_full\"") => {}
            _ => panic!("{status} {body}"),
        }
    }
    let stored: Vec<(i64, i32)> = sqlx::query_as(
        "select (select count(*) from entry e where e.doctor_id = c.id and e.live), c.live from capacity c
         where c.level = 'doctor' and c.id <> 'doctor-warm'",
    )
    .fetch_all(&hospital.pool)
    .await
    .unwrap();
    assert_eq!(stored.len(), schedules);
    let stored = stored.into_iter().flat_map(|(rows, counted)| [rows, counted.into()]);
    let stored = stored.map(|count| usize::try_from(count).unwrap());
    admitted.into_iter().chain(stored).map(|count| count.abs_diff(CAP)).sum()
}

const BARE: &str = "
    with decided as (select * from unnest($2::uuid[]) with ordinality as t (id, nth)),
    answered as (
        insert into idempotency (hospital, caller, key, request_hash, status, answer)
        select $1, 'bare', id::text, sha256(id::text::bytea), case when nth <= $3 then 201 else 409 end, $4
        from decided),
    started as (
        insert into run (tenant, id, workflow, key, step, status, due_at)
        select $1, id, 'bare', id::text, 'Waiting', 'waiting', now() + interval '1 day' from decided where nth <= $3
        returning id),
    known as (insert into run_state (tenant, run_id, state) select $1, id, $5 from started),
    told as (
        insert into outbox (tenant, id, run_id, topic, payload, status)
        select $1, id::text, id, 'bare', $6, 'sent' from started)
    insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id,
                       status, live, payment_mode, fee_fen, cutoff)
    select $1, id, id::text, 'bare', 'bare', 'bare', 'bare', id::text, 'waiting', true, 'none', 0, now() from started";

/// Seconds for as many rows as so many decisions write, over the two connections that serve that best.
async fn bare_decisions(hospital: &Hospital, decisions: usize) -> f64 {
    let (answer, state, payload): (Value, Value, Value) = sqlx::query_as(
        "select i.answer, s.state, o.payload from idempotency i, run_state s join outbox o on o.run_id = s.run_id
         where i.status = 409 limit 1",
    )
    .fetch_one(&hospital.pool)
    .await
    .unwrap();
    let admitted = i64::try_from(BARE_BATCH * CAP / EACH).unwrap();
    let batches = decisions.div_ceil(BARE_BATCH).div_ceil(2);
    let began = Instant::now();
    let writers = (0..2).map(|_| {
        let (pool, answer, state, payload) = (hospital.pool.clone(), answer.clone(), state.clone(), payload.clone());
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            for _ in 0..batches {
                let ids: Vec<RunId> = (0..BARE_BATCH).map(|_| RunId::now_v7()).collect();
                let query = sqlx::query(BARE).bind(TENANT).bind(ids).bind(admitted);
                query.bind(&answer).bind(&state).bind(&payload).execute(&mut *conn).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    // Two times as many whole batches may be a few decisions more.
    began.elapsed().as_secs_f64() * decisions as f64 / (batches * 2 * BARE_BATCH) as f64
}
