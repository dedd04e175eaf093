//! A day of the demo as people start it, the real binary: what a day has to hold happens, all books agree, and nobody is
//! named where nobody may be named, in whatever the program writes, shows or sends.
//!
//! | file | what it is |
//! |---|---|
//! | `process` | the demo as a process of its own |
//! | `search` | looks for the people of a play in what was written |

mod process;
mod search;

use houbu::demo::{Script, Size, people_of};
use houbu::sandbox::faults::Level;
use sqlx::PgPool;

use crate::cluster::Database;
use crate::traces::Collector;
use process::Demo;
use search::{Place, Search};

/// A Thursday: a weekend is among the days for which people apply.
const DAY: &str = "2026-03-05";

/// What the process is told with its command line.
fn script() -> Script {
    let day = DAY.parse().unwrap();
    Script { seed: 7, faults: Level::Some, day, days: 1, size: Size::Small, progress: false }
}

/// Doctors may be named everywhere, and a patient may be called like one.
async fn search(pool: &PgPool) -> Search {
    let doctors = sqlx::query_scalar("select name from doctor").fetch_all(pool).await.unwrap();
    Search::new(&people_of(&script()), &doctors)
}

/// Everything that ever was written down, but for what is sealed and the books of those who must know people: the message
/// platform, and the payment provider, who knows its payers.
async fn written(pool: &PgPool) -> Vec<Place> {
    let mut places = Vec::new();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select schemaname::text, tablename::text from pg_tables where schemaname in ('public', 'sandbox') order by 1, 2",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for (schema, table) in tables {
        let rest = match (schema.as_str(), table.as_str()) {
            ("sandbox", "record") => {
                "where book not in ('wechat_messages.sent', 'sms.sent', 'wechat_pay.order', 'wechat_pay.notice')"
            }
            _ => "",
        };
        let rows = format!("select t::text from \"{schema}\".\"{table}\" t {rest}");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_all(pool).await.unwrap();
        places.push(Place::new(format!("{schema}.{table}"), rows.join("\n").into_bytes()));
        let bytes: Vec<String> = sqlx::query_scalar(
            "select column_name::text from information_schema.columns
             where table_schema = $1 and table_name = $2 and data_type = 'bytea'",
        )
        .bind(&schema)
        .bind(&table)
        .fetch_all(pool)
        .await
        .unwrap();
        for column in bytes {
            let held = format!("select \"{column}\" from \"{schema}\".\"{table}\" where \"{column}\" is not null");
            let held: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(held)).fetch_all(pool).await.unwrap();
            places.push(Place::new(format!("{schema}.{table}.{column}"), held.join(&b'\n')));
        }
    }
    places
}

/// A HIS of old writes GBK: a whole day goes over that line, pushes included, and not a record differs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_with_a_his_that_writes_gbk_is_in_order() {
    let db = Database::empty().await;
    let demo = Demo::plays(&db, DAY, "small", &[("HOUBU_SANDBOX__CHARSET", "gbk")]).await;
    let summary = demo.summary();
    assert_eq!(summary["differences"], serde_json::json!([]), "{summary:#}");
    let pushed: i64 = sqlx::query_scalar("select count(*) from callback where source = 'his' and fate = 'delivered'")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert!(pushed > 0, "pushes came in GBK");
    demo.leaves().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_holds_all_that_it_has_to_and_names_nobody() {
    let (db, collector) = (Database::empty().await, Collector::listen().await);
    let demo = Demo::plays(&db, DAY, "small", &collector.settings()).await;
    let summary = demo.summary();
    assert_eq!((&summary["differences"], &summary["faultsSeen"]), (&serde_json::json!([]), &serde_json::json!([])));
    let lines = summary["held"].as_array().unwrap();
    let never: Vec<_> = lines.iter().filter(|line| line["count"] == 0).collect();
    assert!(lines.len() > 40 && never.is_empty(), "the day did not hold {never:?}");

    let metrics = demo.metrics().await;
    assert!(metrics.contains("houbu_"), "{metrics}");
    let log = demo.leaves().await;
    assert!(log.contains("\"level\":\"DEBUG\""), "debug lines are looked at too");
    let search = search(&db.pool).await;
    let mut places = written(&db.pool).await;
    assert!(places.iter().filter(|place| !place.is_empty()).count() > 30);
    places.push(Place::new("the log".to_owned(), log.into_bytes()));
    places.push(Place::new("/metrics".to_owned(), metrics.into_bytes()));
    let spans = collector.bytes();
    assert!(spans.len() > 10, "traces were sent");
    places.push(Place::new("the traces".to_owned(), spans.concat()));
    for place in &places {
        assert_eq!(search.named_in(place), Vec::<String>::new(), "in {}", place.name);
    }
    what_is_planted_is_found(&db.pool, &search).await;
    db.remove().await;
}

/// The search can fail: a name, a number, a phone or a receiver in a column of words, of JSON, of bytes, of an engine's table
/// and of the sandbox's is found where it is.
async fn what_is_planted_is_found(pool: &PgPool, search: &Search) {
    let person = search.somebody();
    let planted = [
        ("public.audit", "update audit set reason = 'asked by ' || $1 where id in (select id from audit limit 1)", 0),
        ("public.run_state", "update run_state set state = jsonb_build_object('who', $1::text)", 1),
        ("public.turn", "update turn set error = 'no answer for ' || $1", 2),
        ("public.idempotency", "update idempotency set answer = jsonb_build_object('to', $1::text)", 3),
        ("public.patient.id_hash", "update patient set id_hash = convert_to($1 || id, 'UTF8')", 0),
        (
            "sandbox.record",
            "update sandbox.record set body = jsonb_build_object('for', $1::text) where book = 'his_order'",
            1,
        ),
    ];
    for (table, plant, what) in planted {
        let mut tx = pool.begin().await.unwrap();
        let done = sqlx::query(sqlx::AssertSqlSafe(plant)).bind(&person[what]).execute(&mut *tx).await.unwrap();
        assert!(done.rows_affected() > 0, "{table} has rows");
        tx.commit().await.unwrap();
        let places = written(pool).await;
        let place = places.iter().filter(|place| place.name == table || place.name.starts_with(&format!("{table}_")));
        let found: Vec<String> = place.flat_map(|place| search.named_in(place)).collect();
        assert!(found.contains(&person[what]), "{table} names {}, and {found:?} was found", person[what]);
    }
}
