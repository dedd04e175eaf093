//! Lists of the console that are longer than a page: each goes on, or says that there is more and what to do; and a page that is not
//! the first stays itself when it is drawn anew.

use axum::http::StatusCode;

use super::console::{Person, house};
use super::surface::House;

async fn write(house: &House, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&house.hospital.pool).await.unwrap();
}

/// What the page's only link with these words leads to.
fn link(page: &str, words: &str) -> String {
    let before = page.split_once(&format!("\">{words} →</a>")).unwrap_or_else(|| panic!("nothing goes on in {page}")).0;
    before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&")
}

fn rows(page: &str) -> usize {
    page.matches(" data-row").count() - page.matches(" data-rows").count()
}

/// True where the page is drawn anew as itself.
fn is_itself(page: &str, address: &str) -> bool {
    page.contains(&format!("hx-get=\"{}\"", address.replace('&', "&#38;")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_goes_on_and_so_do_its_deadlines() {
    let (house, _) = house().await;
    write(
        &house,
        "insert into entry select c.* from entry e cross join generate_series(2, 230) n
         cross join lateral jsonb_populate_record(e, jsonb_build_object(
             'id', gen_random_uuid(), 'seq', e.seq + n, 'idempotency_key', 'k' || n, 'patient_id', 'queued' || n)) c",
    )
    .await;
    let staff = Person::with(&house, "viewer", "viewer", "en").await;
    let first = staff.page("/schedules/S1").await;
    assert_eq!((rows(&first), is_itself(&first, "/schedules/S1")), (200, true));
    let second = link(&first, "Further");
    let page = staff.page(&second).await;
    assert_eq!((rows(&page), is_itself(&page, &second)), (30, true));
    assert!(page.contains("<span class=\"order\">201</span>") && page.contains("<span class=\"order\">230</span>"));
    assert!(page.contains("queued230") && !first.contains("queued230") && !page.contains("Further →"), "{page}");
    assert!(first.contains("class=\"mine\"") && !page.contains("class=\"mine\""), "only one is the next");

    write(
        &house,
        "update entry set status = 'offered', deadline = engine_now() + make_interval(mins => seq::int)
         where patient_id like 'queued%'",
    )
    .await;
    let first = staff.page("/deadlines").await;
    let second = link(&first, "Further");
    let page = staff.page(&second).await;
    assert_eq!((rows(&first), rows(&page), is_itself(&page, &second)), (200, 30, true));
    assert!(page.contains("queued230") && !first.contains("queued230"), "{page}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulks_messages_and_the_blacklist_go_on() {
    let (house, _) = house().await;
    write(
        &house,
        "insert into bulk (tenant, id, verb, arguments, filter, who, reason, status, up_to, total, per_second, ended_at)
         select 'h001', md5(n::text)::uuid, 'retry', '{\"verb\":\"retry\"}', '{}', 'ann', 'bulk ' || n, 'done', md5('')::uuid, 1, 1,
                engine_now() from generate_series(1, 51) n;
         insert into outbox (tenant, id, run_id, topic, payload, status)
         select 'h001', 'letter' || to_char(n, 'fm0000'), md5(n::text)::uuid, 'notice', '{}', 'suspended' from generate_series(1, 501) n;
         insert into blacklist (hospital, patient_id, reason) select 'h001', 'barred' || n, 'x' from generate_series(1, 51) n;
         insert into blacklist_appeal (hospital, id, patient_id, said)
         select 'h001', md5(n::text)::uuid, 'barred' || n, 'x' from generate_series(1, 51) n",
    )
    .await;
    let staff = Person::with(&house, "viewer", "viewer", "en").await;
    let first = staff.page("/bulks").await;
    let second = link(&first, "Older");
    let page = staff.page(&second).await;
    assert_eq!((rows(&first), rows(&page), is_itself(&page, &second)), (50, 1, true), "{second}");
    let first = staff.page("/letters").await;
    let second = link(&first, "Further");
    let page = staff.page(&second).await;
    assert_eq!((rows(&first), rows(&page), is_itself(&page, &second)), (500, 1, true), "{second}");
    assert!(page.contains("letter0501"), "{page}");
    let first = staff.page("/blacklist").await;
    assert_eq!((rows(&first), first.matches("Further →").count()), (100, 2), "entries and appeals, each by itself");
    assert_eq!(rows(&staff.page("/blacklist?from=50").await), 51, "the last entry, and the appeals as before");
    let appeals = first.split_once("Further →").unwrap().0.rsplit_once("href=\"").unwrap().1;
    assert_eq!(
        rows(&staff.page(appeals.trim_end_matches("\">")).await),
        51,
        "the last appeal, and the entries as before"
    );
    house.hospital.close().await;
}

/// Four digits of a telephone fit many: what is not listed is said, and a file is refused rather than cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_fits_too_many_says_so() {
    let (house, _) = house().await;
    write(
        &house,
        "insert into patient select c.* from patient p cross join generate_series(1, 50) n
         cross join lateral jsonb_populate_record(p, jsonb_build_object('id', 'alike' || n)) c where p.id = 'p1'",
    )
    .await;
    let staff = Person::with(&house, "operator", "operator", "en").await;
    let tail: String = sqlx::query_scalar("select right(masked ->> 'phone', 4) from patient where id = 'p1'")
        .fetch_one(&house.hospital.pool)
        .await
        .unwrap();
    let found = staff.form("/patients", &[("q", &tail)]).await;
    assert_eq!((found.status, rows(&found.text)), (StatusCode::OK, 50));
    assert!(found.text.contains("More than 50 patients fit"), "{}", found.text);
    let address = format!("/runs?q={tail}");
    assert!(!staff.page(&address).await.contains("More than 1,000"), "all of them are looked through");
    write(
        &house,
        "insert into entry select c.* from entry e cross join generate_series(2, 1001) n
         cross join lateral jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'seq', e.seq + n,
             'idempotency_key', 'k' || n, 'live', false, 'status', 'withdrawn')) c",
    )
    .await;
    let page = staff.page(&address).await;
    assert!(page.contains("More than 1,000 applications fit this number"), "{page}");
    let file = staff.request("GET", &format!("/runs.csv?q={tail}")).body(axum::body::Body::empty()).unwrap();
    assert_eq!(house.send(file).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    house.hospital.close().await;
}
