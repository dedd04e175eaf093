//! The pages of what comes from outside and of who works: callbacks by day and in words, what becomes of signals without a run, how
//! workers differ, and when a destination was found down.

use super::console::{Person, house};
use super::surface::House;

async fn write(house: &House, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&house.hospital.pool).await.unwrap();
}

fn part<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("no {from} in {page}"));
    rest.split_once(to).map_or(rest, |(part, _)| part)
}

/// The row of a table that has this.
fn row<'a>(page: &'a str, has: &str) -> &'a str {
    let rows = page.split("<tr").map(|rest| rest.split("</tr>").next().unwrap());
    rows.into_iter().find(|row| row.contains(has)).unwrap_or_else(|| panic!("no row has {has}: {page}"))
}

/// What came a minute before midnight in Shanghai, a minute after, and two days later; one of a kind that nobody knows.
const CAME: &str = "
    insert into callback (hospital, source, event_id, kind, subject, body, fate, received_at) values
        ('h001', 'wechat', 'e1', 'TEMPLATESENDJOBFINISH', 'before', '{}', 'ignored', '2026-02-10T23:59:00+08'),
        ('h001', 'wechat-pay', 'e2', 'TRANSACTION.SUCCESS', 'after', '{}', 'for-staff', '2026-02-11T00:01:00+08'),
        ('h001', 'his', 'e3', '5001', 'later', '{}', 'no-run', '2026-02-13T12:00:00+08'),
        ('h001', 'wechat', 'e4', 'user_scan', 'strange', '{}', 'ignored', '2026-02-13T12:00:00+08')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_of_some_days_and_called_by_what_they_are_about() {
    let (house, _) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let en = Person::with(&house, "reader", "viewer", "en").await;
    write(&house, CAME).await;
    for (page, words) in [
        (zh.page("/callbacks").await, ["模板消息送达结果", "支付成功", "停诊"]),
        (en.page("/callbacks").await, ["What became of a template message", "Paid", "A sitting is stopped"]),
    ] {
        for ((about, raw), words) in
            [("before", "TEMPLATESENDJOBFINISH"), ("after", "TRANSACTION.SUCCESS"), ("later", "5001")]
                .into_iter()
                .zip(words)
        {
            let row = row(&page, &format!(">{about}<"));
            assert!(row.contains(&format!(">{words}<span class=\"sub mono break\">{raw}</span>")), "{row}");
        }
        assert!(row(&page, ">strange<").contains("<span class=\"mono small\">user_scan</span>"));
    }
    for (days, expected) in [
        ("from=2026-02-11", vec!["after", "later", "strange"]),
        ("to=2026-02-10", vec!["before"]),
        ("from=2026-02-11&to=2026-02-11", vec!["after"]),
        ("from=2026-02-12&to=2026-02-12", vec![]),
        ("from=x&to=", vec!["before", "after", "later", "strange"]),
    ] {
        let page = en.page(&format!("/callbacks?{days}")).await;
        if days != "from=x&to=" {
            let over_api = house.get(&format!("/v1/callbacks?{days}")).await.text;
            assert_eq!(over_api.matches("\"eventId\"").count(), expected.len(), "{days}: {over_api}");
        }
        for about in ["before", "after", "later", "strange"] {
            assert_eq!(page.contains(&format!(">{about}<")), expected.contains(&about), "{days}: {about}");
        }
    }
    // The days are kept when the page is drawn anew, and after somebody saw to one.
    let page = zh.page("/callbacks?from=2026-02-11&to=2026-02-11").await;
    assert!(page.contains("hx-get=\"/callbacks?from=2026-02-11&#38;to=2026-02-11\""), "{page}");
    assert!(
        page.contains("name=\"from_from\" value=\"2026-02-11\"") && page.contains("name=\"to\" value=\"2026-02-11\"")
    );
    let seen_to = [
        ("source", "wechat-pay"),
        ("event_id", "e2"),
        ("deed", "settle"),
        ("reason", "the patient was called"),
        ("from_source", ""),
        ("from_fate", ""),
        ("from_subject", ""),
        ("from_from", "2026-02-11"),
        ("from_to", "2026-02-11"),
    ];
    let done = zh.form("/callbacks", &seen_to).await;
    assert_eq!(done.headers["location"], "/callbacks?from=2026-02-11&to=2026-02-11&done=settled", "{}", done.text);
    house.hospital.close().await;
}

/// By key, by id just now and long ago, and one that expired.
const WAIT: &str = "
    insert into unmatched (tenant, workflow, key, run_id, name, signal_id, payload, received_at, status, settled_at) values
        ('h001', 'waitlist_application', 'key-1', null, 'Withdrawal', 's1', '{}', engine_now() - interval '2 days', 'waiting', null),
        ('h001', null, null, md5('fresh')::uuid, 'Payment', 's2', '{}', engine_now() - interval '1 minute', 'waiting', null),
        ('h001', null, null, md5('stale')::uuid, 'Payment', 's3', '{}', engine_now() - interval '3 days', 'waiting', null),
        ('h001', 'waitlist_application', 'key-4', null, 'Payment', 's4', '{}', engine_now() - interval '9 days', 'expired', engine_now()),
        ('h001', 'waitlist_application', 'key-5', null, 'Payment', 's5', '{}', engine_now() - interval '9 days', 'matched', engine_now())";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_without_a_run_says_what_becomes_of_it() {
    let (house, _) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let en = Person::with(&house, "reader", "viewer", "en").await;
    write(&house, WAIT).await;
    let page = en.page("/callbacks").await;
    let signals = part(&page, "id=\"signals\"", "</section>");
    let key = row(signals, "key-1");
    for said in ["Withdrawal", "Waitlist application", "2 days ago", "Waits", "may still be started", "in 5 days"] {
        assert!(key.contains(said), "{said}: {key}");
    }
    let ids: Vec<String> = sqlx::query_scalar("select md5(n)::uuid::text from unnest(array['fresh', 'stale']) n")
        .fetch_all(&house.hospital.pool)
        .await
        .unwrap();
    assert!(row(signals, &ids[0]).contains("on its way into the books"), "{signals}");
    assert!(row(signals, &ids[1]).contains("hardly one will"), "{signals}");
    let gone = row(signals, "key-4");
    assert!(gone.contains("Expired") && gone.contains("have it sent again") && !gone.contains("in 5 days"), "{gone}");
    assert!(!signals.contains("key-5"), "what has come to its run is none: {signals}");
    let page = zh.page("/callbacks").await;
    let signals = part(&page, "id=\"signals\"", "</section>");
    let key = row(signals, "key-1");
    for said in ["候补申请", "等待中", "目标流程仍可能启动", "5 天后"] {
        assert!(key.contains(said), "{said}: {key}");
    }
    assert!(
        row(signals, "key-4").contains("已过期") && row(signals, &ids[1]).contains("请发送方核对编号"),
        "{signals}"
    );
    house.hospital.close().await;
}

/// An older release that knows a step more, the newest one that hears a signal more, and one that fell silent with a run in hand.
const CREW: &str = "
    insert into worker (tenant, id, name, started_at, lease_until, knows, hears) values
        ('h001', md5('old')::uuid, 'old-1', clock_timestamp() - interval '3 hours', clock_timestamp() + interval '1 hour',
            '{waitlist_application/Locking,waitlist_application/Waiting}', '{waitlist_application/Waiting/Offer}'),
        ('h001', md5('gone')::uuid, 'gone-2', clock_timestamp() - interval '2 hours', clock_timestamp() - interval '5 minutes',
            '{waitlist_application/Visit}', '{}'),
        ('h001', md5('new')::uuid, 'new-3', clock_timestamp() - interval '1 minute', clock_timestamp() + interval '1 hour',
            '{waitlist_application/Waiting}', '{waitlist_application/Waiting/Offer,waitlist_application/Waiting/Terms}');
    update run set status = 'running', worker = md5('old')::uuid where workflow = 'waitlist_application';
    insert into destination (tenant, name, concurrency_max, failures_min, failures_share, open_s, open_max_s, topics, last_error)
        values ('h001', 'his', 4, 1, 0.5, 1, 60, '{}', 'connection refused');
    insert into destination_event (tenant, destination, at, what, who, why) values
        ('h001', 'his', engine_now() - interval '2 days', 'opened', null, 'timed out'),
        ('h001', 'his', engine_now() - interval '3 hours', 'opened', null, 'connection refused'),
        ('h001', 'his', engine_now() - interval '2 hours', 'paused', 'ann', 'maintenance')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_says_since_when_it_works_and_how_its_release_differs() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let en = Person::with(&house, "reader", "viewer", "en").await;
    write(&house, CREW).await;
    let page = en.page("/system").await;
    let workers = part(&page, "id=\"workers\"", "</section>");
    let old = row(workers, "old-1");
    for said in [
        "3 h ago",
        "data-label=\"Runs in hand\" class=\"num\">1<",
        "data-label=\"Steps that it can run\" class=\"num\">2<",
        "Signals that it does not hear: Waitlist application · ",
        "Others see to these.",
    ] {
        assert!(old.contains(said), "{said}: {old}");
    }
    assert!(!old.contains("Steps that it cannot run:"), "what only the silent one knew is nobody's: {old}");
    let new = row(workers, "new-3");
    for said in ["Steps that it cannot run: Waitlist application · Locking", "once the others are gone", ">0<"] {
        assert!(new.contains(said), "{said}: {new}");
    }
    let gone = row(workers, "gone-2");
    assert!(
        gone.contains("Silent") && gone.contains("taken over by the others") && gone.contains("5 min ago"),
        "{gone}"
    );
    let error = part(&page, "What last opened it</dt>", "</dd>");
    assert!(error.contains("3 h ago") && !error.contains("2 days"), "{error}");
    let page = zh.page("/system").await;
    let new = row(part(&page, "id=\"workers\"", "</section>"), "new-3");
    assert!(new.contains("不能处理的步骤：候补申请 · 锁号") && new.contains("这是最新启动的版本"), "{new}");
    assert!(part(&page, "最近一次故障</dt>", "</dd>").contains("3 小时前"), "{page}");
    // What nobody that works can run is not tried at once, whatever somebody asks for.
    write(
        &house,
        "update run set status = 'suspended', fault = 'stop', step = 'Visit' where workflow = 'waitlist_application'",
    )
    .await;
    let page = zh.page(&format!("/runs/{run}")).await;
    let retry = part(&page, "<b>立即重试</b>", "</summary>");
    assert!(retry.contains("等待部署含有该步骤的版本") && !retry.contains("失败次数从头计算"), "{retry}");
    // Nobody is left: what the silent ones held is taken over by none.
    write(&house, "update worker set lease_until = clock_timestamp() - interval '1 minute'").await;
    let page = en.page("/system").await;
    let workers = part(&page, "id=\"workers\"", "</section>");
    assert!(workers.contains("No worker is running") && !workers.contains("taken over by the others"), "{workers}");
    house.hospital.close().await;
}
