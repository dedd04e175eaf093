//! The calendar of deadlines: what falls due when, runs that are tried again and refunds that are looked at included; one kind of it, one
//! day of it; and a hundred thousand failing runs do not make it slow.

use std::time::Instant;

use houbu::records::deadlines::{self, Kind, Place, Wanted};
use sqlx::PgConnection;

use super::clinic::HOSPITAL;
use super::console::{Person, house};
use super::surface::House;

async fn write(house: &House, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&house.hospital.pool).await.unwrap();
}

/// The line of the page that has this.
fn line<'a>(page: &'a str, part: &str) -> Option<&'a str> {
    page.split("<li data-row").skip(1).map(|rest| rest.split("</li>").next().unwrap()).find(|row| row.contains(part))
}

fn lines(page: &str) -> usize {
    page.matches("<li data-row").count()
}

/// Runs beside that of `p1`: one of a job that fails, a refund that the provider has, and two that are no deadline: one that is tried just
/// now, and one that was suspended.
const RUNS: &str = "
    update run set status = 'pending', step = 'Locking', attempt = 2, due_at = engine_now() + interval '90 seconds'
        where workflow = 'waitlist_application';
    insert into run (tenant, id, workflow, key, step, status, attempt, due_at) values
        ('h001', md5('job')::uuid, 'schedule_sync', 'sync-7', 'Pulling', 'pending', 1, engine_now() + interval '2 days'),
        ('h001', md5('refund')::uuid, 'waitlist_application', 'r', 'RefundWait', 'waiting', 0, engine_now() + interval '5 minutes'),
        ('h001', md5('part')::uuid, 'waitlist_application', 's', 'PartRefundWait', 'waiting', 0, engine_now() - interval '5 minutes'),
        ('h001', md5('now')::uuid, 'schedule_sync', 'sync-8', 'Pulling', 'pending', 1, engine_now() - interval '1 second'),
        ('h001', md5('still')::uuid, 'schedule_sync', 'sync-9', 'Pulling', 'suspended', 9, null)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_tried_again_and_a_refund_that_is_looked_at_stand_in_the_calendar() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "viewer", "viewer", "zh-CN").await;
    let en = Person::with(&house, "reader", "viewer", "en").await;
    write(&house, RUNS).await;
    let page = en.page("/deadlines").await;
    let tried = line(&page, &format!("href=\"/runs/{run}\"")).unwrap();
    for said in ["Next try of a step", "张*丰", "href=\"/patients/p1\"", "Locking", "Failed attempts: 2"] {
        assert!(tried.contains(said), "{said}: {tried}");
    }
    let job = line(&page, "sync-7").unwrap();
    assert!(
        job.contains("href=\"/runs/") && !job.contains("/patients/") && job.contains("Failed attempts: 1"),
        "{job}"
    );
    assert_eq!(page.matches("Look at a refund</span>").count(), 2, "{page}");
    let late = line(&page, "Waiting for the part refund").unwrap();
    assert!(late.contains("class=\"past\"") && late.contains("Overdue"), "{late}");
    assert!(!page.contains("sync-8") && !page.contains("sync-9"), "neither falls due: {page}");
    let page = zh.page("/deadlines").await;
    let tried = line(&page, &format!("href=\"/runs/{run}\"")).unwrap();
    assert!(tried.contains("步骤重试") && tried.contains("已失败次数：2") && !tried.contains("Locking"), "{tried}");
    assert!(line(&page, "等待退款结果").is_some_and(|row| row.contains("查询退款")), "{page}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calendar_is_of_one_kind_or_of_one_day_and_stays_so() {
    let (house, run) = house().await;
    let staff = Person::with(&house, "viewer", "viewer", "en").await;
    write(&house, RUNS).await;
    for kind in Kind::ALL.map(Kind::as_str) {
        let page = staff.page(&format!("/deadlines?kind={kind}&day=")).await;
        let expected = match kind {
            "retry" | "refund" => 2,
            "cutoff" => 1,
            _ => 0,
        };
        assert_eq!(lines(&page), expected, "{kind}: {page}");
        assert!(page.contains(&format!("value=\"{kind}\" selected")), "{kind}");
        assert!(page.contains(&format!("hx-get=\"/deadlines?kind={kind}\"")), "it is drawn anew as itself: {page}");
        assert_eq!(expected == 0, page.contains("Nothing of this kind falls due then"), "{kind}");
    }
    // A day is the hospital's: what is due a minute after midnight in Shanghai is of that day, not of the one before.
    sqlx::query("update run set due_at = '2026-03-09T00:01:00+08' where id = $1::uuid")
        .bind(&run)
        .execute(&house.hospital.pool)
        .await
        .unwrap();
    let of = async |day: &str| staff.page(&format!("/deadlines?day={day}")).await;
    let page = of("2026-03-09").await;
    assert!(lines(&page) == 1 && page.contains("value=\"2026-03-09\"") && page.contains(&run), "{page}");
    assert!(page.contains("hx-get=\"/deadlines?day=2026-03-09\""), "{page}");
    assert_eq!(lines(&of("2026-03-08").await), 0);
    // What cannot be read asks for nothing.
    assert_eq!(lines(&staff.page("/deadlines?kind=x&day=yesterday&after=x").await), 5);
    // The next page of one kind is of that kind, and nobody is left out where many fall due at one instant.
    write(
        &house,
        "insert into run (tenant, id, workflow, key, step, status, attempt, due_at)
         select 'h001', md5(n::text)::uuid, 'schedule_sync', 'many-' || n, 'Pulling', 'pending', 1, '2026-03-10T12:00:00+08'
         from generate_series(1, 450) n;
         insert into blacklist_appeal (hospital, id, patient_id, said, due_at)
         select 'h001', md5(n::text)::uuid, 'p' || n, 'x', '2026-03-10T12:00:00+08' from generate_series(1, 3) n",
    )
    .await;
    let mut next = Some("/deadlines?day=2026-03-10&kind=retry".to_owned());
    let (mut seen, mut sizes) = (std::collections::BTreeSet::new(), Vec::new());
    while let Some(address) = next {
        let page = staff.page(&address).await;
        sizes.push(lines(&page));
        seen.extend(page.split(">many-").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
        let more = page.split_once("\">Further →</a>").map(|(before, _)| before.rsplit_once("href=\"").unwrap().1);
        next = more.map(|address| address.replace("&#38;", "&"));
        assert!(next.as_ref().is_none_or(|next| next.contains("kind=retry") && next.contains("day=2026-03-10")));
    }
    assert_eq!((sizes, seen.len()), (vec![200, 200, 50], 450));
    let mut after: Option<Place> = None;
    let mut kinds = Vec::new();
    loop {
        let wanted = Wanted { after, most: 100, ..Wanted::default() };
        let found = deadlines::due(&house.hospital.pool, HOSPITAL, &wanted).await.unwrap();
        after = found.last().and_then(Place::after);
        assert_eq!(after, after.as_ref().and_then(|place| Place::parse(&place.to_string())));
        if found.is_empty() {
            break;
        }
        kinds.extend(found.into_iter().map(|due| due.kind));
    }
    assert_eq!(kinds.len(), 458, "each once: 451 tries, 2 refunds, 1 queue, 3 appeals and the job");
    house.hospital.close().await;
}

/// Rows that this transaction has read, from tables and through indexes.
async fn read(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_xact_user_tables
         where relname in ('run', 'entry', 'patient', 'blacklist_appeal')",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

/// Forty thousand runs that fail, as many that wait for something else, eight thousand refunds and eight thousand offers: a page reads
/// its own rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_calendar_reads_its_own_rows_beside_forty_thousand_failing_runs() {
    let (house, _) = house().await;
    write(
        &house,
        "insert into run (tenant, id, workflow, key, step, status, lane, attempt, due_at)
         select 'h001', md5(n::text)::uuid, 'waitlist_application', 'k' || n,
                case when n <= 40000 then 'Locking' when n <= 48000 then 'RefundWait' else 'Visit' end,
                case when n <= 40000 then 'pending' else 'waiting' end, case when n <= 40000 then 'his' else '' end,
                case when n <= 40000 then 3 else 0 end, engine_now() + make_interval(secs => 60 + n % 3600)
         from generate_series(1, 88000) n;
         insert into entry select c.* from entry e cross join generate_series(1, 8000) n
         cross join lateral jsonb_populate_record(e, jsonb_build_object('id', md5('e' || n)::uuid, 'seq', e.seq + n,
             'idempotency_key', 'k' || n, 'patient_id', 'queued' || n, 'status', 'offered',
             'deadline', engine_now() + make_interval(secs => n))) c",
    )
    .await;
    write(&house, "vacuum analyze").await;
    let mut tx = house.hospital.pool.begin().await.unwrap();
    let mut page = Wanted { most: 201, ..Wanted::default() };
    let begins: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select engine_now()").fetch_one(&mut *tx).await.unwrap();
    for turn in 0..12 {
        // Of everything, then of each kind, of an hour, and pages further on.
        page.kind = (turn > 0).then(|| Kind::ALL.get(turn - 1).copied()).flatten();
        page.within = (turn == 9).then(|| {
            let hour = begins + chrono::TimeDelta::minutes(30);
            (hour, hour + chrono::TimeDelta::minutes(20))
        });
        let (before, began) = (read(&mut tx).await, Instant::now());
        let found = deadlines::due(&mut *tx, HOSPITAL, &page).await.unwrap();
        let rows = read(&mut tx).await - before;
        println!("{turn} {:?}: {} found, {rows} rows read, {:?}", page.kind, found.len(), began.elapsed());
        assert!(rows < 3_000, "{rows} rows were read for a page of 200: {:?}", page.kind);
        if turn >= 9 {
            assert_eq!(found.len(), 201);
            page.after = found.get(199).and_then(Place::after);
        }
    }
    tx.rollback().await.unwrap();
    house.hospital.close().await;
}
