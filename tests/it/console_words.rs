//! What went wrong is read in the reader's language on every page; what others said stands in quotation marks.

use axum::http::StatusCode;

use super::clinic::HOSPITAL;
use super::console::{Person, house, pages};

/// The first three English words in a row that a Chinese page says: outside quotation marks, and outside what programs wrote for
/// programs.
pub(crate) fn english_prose(page: &str) -> Option<String> {
    let kept = [("<head", "</head>"), ("<pre", "</pre>"), ("<textarea", "</textarea>"), ("“", "”"), ("<", ">")];
    let bare = kept.iter().fold(page.to_owned(), |text, (from, to)| without(&text, from, to));
    let mut row: Vec<&str> = Vec::new();
    for word in bare.split([' ', '\n', '\t']) {
        let own = word.trim_matches(['.', ',', ':', ';', '(', ')', '?', '!']);
        // The first word may stand right behind a Chinese one.
        let tail = own.rsplit(['：', '，', '。', '；', '（']).next().unwrap_or_default();
        if tail.len() > 1 && tail.bytes().all(|letter| letter.is_ascii_alphabetic() || letter == b'\'') {
            if tail.len() < own.len() {
                row.clear();
            }
            row.push(tail);
            if row.len() == 3 {
                return Some(row.join(" "));
            }
        } else {
            row.clear();
        }
    }
    None
}

fn without(text: &str, from: &str, to: &str) -> String {
    let (mut rest, mut kept) = (text, String::new());
    while let Some((before, after)) = rest.split_once(from) {
        kept.push_str(before);
        // Whatever is left out parts what stands around it.
        kept.push_str(" | ");
        rest = after.split_once(to).map_or("", |(_, after)| after);
    }
    kept + rest
}

#[test]
fn english_is_found_among_chinese() {
    assert_eq!(english_prose("<p>已暂停：the order is open</p>").as_deref(), Some("the order is"));
    assert_eq!(english_prose("<p>it goes on</p>").as_deref(), Some("it goes on"));
    assert_eq!(english_prose("<p>对方答复“the order is open”</p> <b>HTTP 500</b><i>in</i> time"), None);
}

/// Everything that can go wrong has gone wrong, as far as pages show it.
const WRONG: [&str; 5] = [
    "update run set status = 'suspended', due_at = null, fault = 'stop', attempt = 3,
         last_error = 'HIS refuses to cancel the visit with the code 9: have it cancelled there, then retry'
     where tenant = $1 and workflow = 'waitlist_application'",
    "insert into turn (tenant, run_id, turn, step, next, error, attempt, took_ms)
     select tenant, id, turn, step, step,
         'wechat-pay left the outcome of query order unknown: the connection was cut', 1, 12
     from run where tenant = $1",
    "insert into outbox (tenant, id, run_id, topic, payload, status, attempt, last_error)
     select tenant, 'letter-1', id, 'notice', '{}', 'suspended', 1,
         'the platform rejects the template T1: 40037; mend the template, then retry'
     from run where tenant = $1 and workflow = 'waitlist_application'",
    "insert into destination (tenant, name, concurrency_max, failures_min, failures_share, open_s, open_max_s, state, opened_at,
         open_until, last_error)
     values ($1, 'his', 4, 5, 0.5, 10, 60, 'open', engine_now(), engine_now() + interval '1 hour',
         'his did not take the request: no connection')
     on conflict (tenant, name) do update set state = excluded.state, opened_at = excluded.opened_at,
         open_until = excluded.open_until, last_error = excluded.last_error",
    "insert into destination_event (tenant, destination, what, why)
     values ($1, 'his', 'opened', 'his did not take the request: no connection')",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_wrong_is_read_in_chinese_on_every_page() {
    let (house, run) = house().await;
    for statement in WRONG {
        sqlx::query(statement).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    }
    let zh = Person::with(&house, "chief", "administrator", "zh-CN").await;
    for path in pages(&run) {
        assert_eq!(english_prose(&zh.page(&path).await), None, "{path} is not all Chinese");
    }
    let page = zh.page(&format!("/runs/{run}")).await;
    for said in ["HIS 拒绝取消预约（对方答复“9”）", "微信支付 的“查询订单”结果未知", "连接中断", "（对方答复“40037”）"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(zh.page("/letters").await.contains("平台拒收模板 T1（对方答复“40037”）"));
    assert!(zh.page("/system").await.contains("医院 HIS 未受理请求：无法建立连接"));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matter_leads_to_the_page_that_settles_it() {
    let (house, run) = house().await;
    for statement in WRONG {
        sqlx::query(statement).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    }
    let zh = Person::with(&house, "chief", "administrator", "zh-CN").await;
    let home = zh.page("/").await;
    assert!(home.contains("href=\"/runs?status=suspended\">查看并重试") && home.contains(">重发消息<"), "{home}");
    assert!(zh.page("/system").await.contains("href=\"/letters\">重发消息"));
    for path in ["/", "/system", "/jobs"] {
        let page = zh.page(path).await;
        assert!(!page.contains("houbu runs") && !page.contains("/v1/") && !page.contains('`'), "{path}: {page}");
    }
    let en = Person::with(&house, "reader", "administrator", "en").await;
    assert!(en.page("/").await.contains("1 run is suspended: it waits for a person."));
    let asked = [("choice", "Paid"), ("patch", "{"), ("reason", "r")];
    let refused = zh.form(&format!("/runs/{run}/answer"), &asked).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("JSON 无法读取"), "{}", refused.text);
    house.hospital.close().await;
}
