//! What lists of the console give away, and to whom they lead.

use std::collections::BTreeSet;

use houbu::desk::access::role::Role;
use serde_json::json;

use super::browser::Browser;
use super::{PASSWORD, logged_in, staffed};
use crate::clinic::HOSPITAL;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_at_the_door_is_picked_in_the_audit_and_read_in_ones_language() {
    let house = staffed().await;
    Browser::new(&house).log_in("operator", "another lamp, seven geese").await;
    let mut english = logged_in(&house, Role::Viewer).await;
    let page = english.get("/audit").await;
    for verb in ["login.failed", "logout.everywhere", "user.role", "user.password", "key.revoke"] {
        assert!(page.text.contains(&format!("<option value=\"{verb}\"")), "{verb}: {}", page.text);
    }
    let mut chinese = Browser::reading(&house, "zh-CN");
    chinese.log_in("viewer", PASSWORD).await;
    let page = chinese.get("/audit?verb=login.failed").await;
    let row = page.between("<tr data-row>", "</tr>");
    assert!(row.contains("登录失败") && row.contains("operator") && !row.contains("login.failed"), "{row}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_puts_a_sentence_into_the_word_of_what_was_done() {
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    for path in ["/runs", "/jobs"] {
        let page = browser.get(&format!("{path}?done=Call%20555%20to%20unlock%20it")).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("to unlock it") && !page.text.contains("class=\"flash\""), "{}", page.text);
    }
    assert!(browser.get("/jobs?done=pause").await.text.contains("class=\"flash\""));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_has_every_row_of_its_list() {
    const ROWS: usize = 5_203;
    let house = staffed().await;
    let mut browser = logged_in(&house, Role::Viewer).await;
    let pool = &house.hospital.pool;
    let rows = i32::try_from(ROWS).unwrap();
    sqlx::query(
        "insert into audit (tenant, id, who, verb, reason, before, after)
         select $1, gen_random_uuid(), 'anna', 'retry', 'reason ' || n, '{}', '{}' from generate_series(1, $2) n",
    )
    .bind(HOSPITAL)
    .bind(rows)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into run (tenant, id, workflow, key, step, status)
         select $1, gen_random_uuid(), 'breach_sync', 'key ' || n, 'Resting', 'suspended' from generate_series(1, $2) n",
    )
    .bind(HOSPITAL)
    .bind(rows)
    .execute(pool)
    .await
    .unwrap();
    for (path, what) in [("/audit.csv?who=anna&verb=retry", "reason "), ("/runs.csv?workflow=breach_sync", "key ")] {
        let file = browser.get(path).await;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        let lines: Vec<&str> = file.text.lines().collect();
        assert_eq!(lines.len(), ROWS + 1, "{path}: {}", lines[0]);
        let found = lines[1..].iter().map(|line| {
            let cell = line.split("\",\"").find(|cell| cell.starts_with(what)).unwrap();
            cell.strip_prefix(what).unwrap().parse::<usize>().unwrap()
        });
        let found: BTreeSet<usize> = found.collect();
        assert_eq!(found, (1..=ROWS).collect(), "{path}: each once");
    }
    // One that ends with a part, and one that has nothing.
    sqlx::query("update audit set who = 'bert' where id in (select id from audit where who = 'anna' limit 1000)")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(browser.get("/audit.csv?who=bert").await.text.lines().count(), 1_001);
    assert_eq!(browser.get("/audit.csv?who=nobody").await.text.lines().count(), 1);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_and_no_search_of_the_team_has_a_persons_number() {
    const CARD: &str = "11010519491231002X";
    let house = staffed().await;
    let body = json!({ "name": "张三丰", "idType": "1", "idNumber": CARD, "phone": "13800138000", "openid": "o-1" });
    assert_eq!(house.ask("PUT", "/v1/patients/p1", None, Some(body)).await.status, 200);
    let mut browser = logged_in(&house, Role::Viewer).await;
    let page = browser.get("/runs").await;
    let forms: Vec<&str> = page.text.split("<form").filter(|form| form.contains("name=\"q\"")).collect();
    assert_eq!(forms.len(), 2);
    assert!(forms.iter().all(|form| form.contains("method=\"post\"")), "what is typed stands in no address");
    for (typed, leads) in [
        ("13800138000", "/runs?workflow=&q=138%E2%80%A68000"),
        ("+86 138-0013-8000", "/runs?workflow=&q=138%E2%80%A68000"),
        (CARD, "/patients/p1"),
        ("440524188001010014", "/runs?workflow=&q=%E2%80%A60014"),
        ("o-1", "/runs?workflow=&q=o-1"),
    ] {
        assert_eq!(browser.post("/runs", &[("q", typed)]).await.to(), leads, "{typed}");
    }
    // Nor where somebody wrote the address by hand.
    assert_eq!(browser.get("/runs?q=13800138000&key=1").await.to(), "/runs?workflow=&q=138%E2%80%A68000&key=1");
    assert_eq!(browser.get("/runs.csv?q=13800138000").await.status, 200);
    for query in ["?q=13800138000", "?q=138%200013%208000", "?status=waiting&error=11010519491231002X"] {
        let refused = browser.post("/views", &[("name", "mine"), ("query", query)]).await;
        assert_eq!(refused.status, 422, "{query}: {}", refused.text);
    }
    assert_eq!(house.hospital.count("select count(*) from saved_view").await, 0);
    let kept = browser.post("/views", &[("name", "mine"), ("query", "?q=8000&status=waiting")]).await;
    assert_eq!(kept.to(), "/runs?workflow=&status=waiting&q=8000&done=view.put");
    house.hospital.close().await;
}
