//! What went wrong is read in the reader's language on every page; what others said stands in quotation marks.

use std::collections::{BTreeMap, BTreeSet};

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

/// What no page says in its own words: markup, what programs wrote for programs, quotations, ids.
fn bare(page: &str) -> String {
    const KEPT: [(&str, &str); 13] = [
        ("<head", "</head>"),
        ("<pre", "</pre>"),
        ("<textarea", "</textarea>"),
        ("<kbd", "</kbd>"),
        ("<span class=\"mono", "</span>"),
        ("<span class=\"sub mono", "</span>"),
        ("<a class=\"mono", "</a>"),
        ("<dd class=\"mono", "</dd>"),
        ("<td class=\"mono", "</td>"),
        ("<td class=\"fix mono", "</td>"),
        ("<p class=\"mono", "</p>"),
        ("“", "”"),
        ("<", ">"),
    ];
    KEPT.iter().fold(page.to_owned(), |text, (from, to)| without(&text, from, to))
}

fn names(page: &str) -> Vec<String> {
    let text = bare(page);
    let parts =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '.' | '-' | '@' | '/'));
    let own = parts.map(|part| part.trim_matches(['.', '-', '/'])).filter(|part| part.len() > 1);
    own.map(str::to_owned).collect()
}

/// Words in Latin letters that a Chinese page may say: names of people, doctors and departments of this house, and what has no
/// Chinese name.
const LATIN: [&str; 13] =
    ["English", "ms", "viewer", "chief", "operator", "all", "weak", "Li", "Eyes", "Main", "Chief", "cron", "x"];

/// A name that the program goes by shows itself where no list of words has it.
fn untranslated(page: &str) -> BTreeSet<String> {
    let is_name = |word: &String| {
        let small = word.bytes().any(|letter| letter.is_ascii_lowercase());
        small && word.bytes().all(|letter| letter.is_ascii_alphabetic() || matches!(letter, b'_' | b'.' | b'-'))
    };
    names(page).into_iter().filter(|word| is_name(word) && !LATIN.contains(&word.as_str())).collect()
}

/// The same on an English page, where such a name is told by its shape: `schedule_sync`, `lockThenPay`, `policy.put`.
fn identifiers(page: &str) -> BTreeSet<String> {
    let is_name = |word: &String| {
        let letters = word.as_bytes();
        let joint = |pair: &[u8]| pair[0].is_ascii_lowercase() && (pair[1] == b'_' || pair[1].is_ascii_uppercase());
        let dotted = word.split_once('.').is_some_and(|(one, two)| {
            [one, two].iter().all(|part| part.len() > 2 && part.bytes().all(|letter| letter.is_ascii_lowercase()))
        });
        letters.windows(2).any(joint) && !word.contains(|letter: char| letter.is_ascii_digit()) || dotted
    };
    names(page).into_iter().filter(|word| is_name(word) && word != "WeChat").collect()
}

#[test]
fn a_name_of_the_program_is_found_on_a_page() {
    let found = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(found(untranslated("<p>人工操作 <b>retried</b></p>")), "retried");
    assert_eq!(found(untranslated("<td>schedule_sync</td>")), "schedule_sync");
    assert_eq!(found(untranslated("<p>HIS p1 <span class=\"mono\">order</span> 12 ms“refused”</p>")), "");
    assert_eq!(found(identifiers("<b>lockThenPay</b>")), "lockThenPay");
    assert_eq!(found(identifiers("<b>Lock, then pay</b> p1")), "");
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

/// Staff have done one of each thing, and what follows from it stands on pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_shows_a_name_that_only_the_program_goes_by() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "chief", "administrator", "zh-CN").await;
    let en = Person::with(&house, "reader", "administrator", "en").await;
    let why = ("reason", "x");
    let did = async |path: &str, fields: &[(&str, &str)]| {
        let done = zh.form(path, fields).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{path}: {}", done.text);
    };
    for verb in ["suspend", "resume", "suspend"] {
        did(&format!("/runs/{run}/{verb}"), &[why]).await;
    }
    let lead = [("choice", "Settlement"), ("lack/Settlement/why", "withdrawn"), why];
    did(&format!("/runs/{run}/jump"), &lead).await;
    did(&format!("/runs/{run}/suspend"), &[why]).await;
    let settings = [
        ("switch", "on"),
        ("paymentMode", "lockThenPay"),
        ("order", "random"),
        ("otherQueues", "withdrawDay"),
        ("cutoff.daysBefore", "2"),
        ("cutoff.at", "17:00"),
        why,
    ];
    did("/policies/department/d1", &settings).await;
    did("/patients/p2/ban", &[("until", "2026-12-31"), why]).await;
    did("/views", &[("name", "1"), ("query", "?workflow=waitlist_application&status=waiting")]).await;
    let rule = [("id", "r1"), ("event", "noShow"), ("threshold", "2"), ("penalty_days", "9"), ("scope", "hospital")];
    did("/blacklist/rules", &[rule[0], rule[1], rule[2], rule[3], rule[4], ("what", "save"), why]).await;
    let bulk = [("workflow", "waitlist_application"), ("status", "suspended"), ("verb", "resume"), why];
    did("/bulks", &bulk).await;
    let barred = "update blacklist set rule_id = 'r1', reason = 'rule r1: 2 breaches' where hospital = $1";
    sqlx::query(barred).bind(HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    let mut shown = BTreeMap::new();
    for path in pages(&run) {
        // The texts of messages have fields of their own, with their names.
        if !path.starts_with("/texts/") {
            shown.insert(format!("{path} in Chinese"), untranslated(&zh.page(&path).await));
        }
        shown.insert(format!("{path} in English"), identifiers(&en.page(&path).await));
    }
    shown.retain(|_, names| !names.is_empty());
    assert_eq!(shown, BTreeMap::new());
    let timeline = zh.page(&format!("/runs/{run}")).await;
    assert!(timeline.contains("人工暂停") && timeline.contains("人工转到"), "{timeline}");
    assert!(timeline.contains("<p>chief: x</p>"), "a reason is as it was given: {timeline}");
    assert!(zh.page("/blacklist").await.contains("按规则 r1 累计 2 次"));
    let audit = zh.page("/audit").await;
    assert!(audit.contains("支付方式:  → 锁号后支付") && audit.contains("操作: 转到其他步骤；修改的数据: "), "{audit}");
    house.hospital.close().await;
}

/// What is wrong with an address or a setting is told in the reader's language, within the frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_shown_is_a_page_of_the_console() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "chief", "administrator", "zh-CN").await;
    let en = Person::with(&house, "reader", "viewer", "en").await;
    let get = async |person: &Person<'_>, path: &str| {
        let request = person.request("GET", path).header("accept", "text/html").body(axum::body::Body::empty());
        person.house.send(request.unwrap()).await
    };
    let within = |text: &str| text.contains("id=\"find\"") && text.contains("href=\"/schedules\"");
    let cursor = get(&zh, "/audit?cursor=nonsense").await;
    assert_eq!(cursor.status, StatusCode::BAD_REQUEST);
    assert!(within(&cursor.text) && untranslated(&cursor.text).is_empty(), "{}", cursor.text);
    let absent = get(&en, "/nowhere").await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert!(within(&absent.text) && absent.text.contains("<h1>Not found</h1>"), "{}", absent.text);
    assert!(!absent.text.contains("Nothing was changed"), "{}", absent.text);
    let kept = house.get("/nowhere").await;
    assert_eq!(kept.code(), "not_found", "a program is told as ever");
    let forbidden = get(&en, "/users").await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    assert!(within(&forbidden.text) && forbidden.text.contains("Administrator"), "{}", forbidden.text);
    // Where forms are sent to there is no page: whoever comes there by another language finds the page they belong to.
    for (sent_to, page) in [
        (format!("/runs/{run}/retry"), format!("/runs/{run}")),
        ("/patients/p1/ban".to_owned(), "/patients/p1".to_owned()),
        ("/policies/department/d1/carry".to_owned(), "/policies/department/d1".to_owned()),
        ("/users/1/role".to_owned(), "/users".to_owned()),
        ("/views".to_owned(), "/runs".to_owned()),
        ("/appeals/1/grant".to_owned(), "/blacklist".to_owned()),
        ("/logout".to_owned(), "/".to_owned()),
    ] {
        let back = get(&zh, &sent_to).await;
        assert_eq!((back.status, back.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, &*page));
    }
    for lacking in ["/policies/department/d1/undo", "/cases/days", "/views", "/texts/patient/back", "/users"] {
        let lacking = zh.form(lacking, &[]).await;
        assert_eq!(lacking.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", lacking.text);
        assert!(within(&lacking.text) && lacking.text.contains("表单未填写完整"), "{}", lacking.text);
    }
    let refused = zh.form("/deadlines", &[]).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        untranslated(&refused.text).is_empty() && refused.text.contains("此地址不支持该请求方法"),
        "{}",
        refused.text
    );
    let reversed = get(&zh, "/figures?from=2026-03-05&to=2026-03-01").await;
    assert!(within(&reversed.text) && reversed.text.contains("开始日期不能晚于结束日期"), "{}", reversed.text);
    let wrong = zh.form("/policies/department/d1", &[("cap", "-5"), ("reason", "x")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("候补总数：“-5”须为不小于 0 的整数。"), "{}", wrong.text);
    assert!(wrong.text.contains("操作未完成") && within(&wrong.text), "{}", wrong.text);
    house.hospital.close().await;
}
