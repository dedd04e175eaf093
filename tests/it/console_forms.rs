//! The console's forms say what is lacking where it is typed: an answer with what the run must know, a bulk with what it is to answer.

use axum::body::Body;
use axum::http::StatusCode;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use serde_json::{Value, json};
use uuid::Uuid;

use super::console::{Person, house};
use super::surface::House;

/// A house where `p1` has applied and must prepay; nobody has opened the order yet.
async fn prepaying() -> (House, String) {
    let prepay = LevelPolicy {
        switch: Switch::On,
        cap: Some(5),
        payment_mode: Some(PaymentMode::Prepay),
        ..LevelPolicy::default()
    };
    let house = House::with_patients(prepay, &["p1"]).await;
    let apply = json!({ "scheduleId": "S1", "patientId": "p1" });
    let applied = house.ask("POST", "/v1/waitlist", Some("k1"), Some(apply)).await;
    assert_eq!(applied.status, StatusCode::CREATED, "{}", applied.text);
    let run = applied.json()["waitlistId"].as_str().unwrap().to_owned();
    (house, run)
}

/// The part of a page from `from` on, up to `to`.
fn part<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("no {from} in {page}"));
    rest.split_once(to).map_or(rest, |(part, _)| part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_needs_data_has_a_field_for_each() {
    let (house, run) = prepaying().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let at = format!("/runs/{run}");
    let page = zh.page(&at).await;
    let form = part(&page, &format!("action=\"{at}/answer\""), "</form>");
    let paid = part(form, "value=\"Paid\"", "value=\"Refused\"");
    assert!(paid.starts_with(" required><div>已支付"), "it can be chosen: {paid}");
    for said in ["转到 排队候补", "已收到的款项", "支付平台交易号", "已收金额（元）", "付款时间"]
    {
        assert!(paid.contains(said), "{said}: {paid}");
    }
    assert!(!form.contains("order.paid：") && !form.contains("patch 中"), "no name of a field: {form}");
    assert!(part(form, "value=\"Refused\"", "</fieldset>").contains("<select name=\"lack/Refused/why\">"), "{form}");
    // What the deed does is not what its first choice does.
    let heading = part(&page, "<b>补录结果</b>", "</summary>");
    assert!(heading.contains("流程据此走向下一步") && !heading.contains("转到"), "{heading}");

    let reason = ("reason", "seen at the provider");
    let field = |name: &str| format!("lack/Paid/order.paid.{name}");
    let (id, amount, when) = (field("transaction_id"), field("amount_fen"), field("paid_at"));
    let answer = format!("{at}/answer");
    let nothing = zh.form(&answer, &[("choice", "Paid"), reason]).await;
    assert_eq!(nothing.status, StatusCode::CONFLICT);
    assert!(nothing.text.contains("转到 排队候补 时须写明：已收到的款项。"), "{}", nothing.text);
    let half = [("choice", "Paid"), (id.as_str(), "4200001"), (amount.as_str(), "50.5"), reason];
    let refused = zh.form(&answer, &half).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for kept in
        ["请填写：付款时间。", "value=\"4200001\"", "value=\"seen at the provider\"", "value=\"Paid\" required checked"]
    {
        assert!(refused.text.contains(kept), "{kept}: {}", refused.text);
    }
    let whole = [half[0], half[1], (amount.as_str(), "50.00"), (when.as_str(), "2026-03-02T09:30"), reason];
    let done = zh.form(&answer, &whole).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let seen = house.get(&format!("/v1/runs/{run}")).await.json();
    assert_eq!(seen["step"], "Waiting", "{seen}");
    assert_eq!(seen["state"]["order"]["paid"]["amount_fen"], 5_000, "{seen}");
    assert_eq!(seen["state"]["order"]["paid"]["paid_at"], "2026-03-02T01:30:00Z", "{seen}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signal_says_what_it_does() {
    let (house, run) = house().await;
    for (name, language) in [("operator", "zh-CN"), ("reader", "en")] {
        let staff = Person::with(&house, name, "operator", language).await;
        let page = staff.page(&format!("/runs/{run}")).await;
        let form = part(&page, &format!("action=\"/runs/{run}/signal\""), "</form>");
        let mut said: Vec<&str> =
            form.split("<span>").skip(1).filter_map(|rest| rest.split("</span>").next()).collect();
        let all = said.len();
        said.sort_unstable();
        said.dedup();
        assert!(all >= 10 && said.len() == all, "{said:?}");
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_has_a_field_for_each_thing_that_goes_with_it() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let at = format!("/runs/{run}");
    let page = zh.page(&at).await;
    let form = part(&page, &format!("action=\"{at}/signal\""), "</form>");
    let payment = part(form, "value=\"Payment\"", "class=\"option\"");
    for said in ["随信号说明", "支付单号", "支付平台交易号", "已收金额（元）", "付款时间"] {
        assert!(payment.contains(said), "{said}: {payment}");
    }
    let consent = part(form, "value=\"Consent\"", "class=\"option\"");
    assert!(consent.contains("<select name=\"told/Consent/keep\">") && consent.contains(">是</option>"), "{consent}");
    let at_of = |signal: &str| form.find(&format!("value=\"{signal}\"")).unwrap();
    assert!(at_of("Withdrawal") < at_of("Payment"), "what the present step hears comes first: {form}");
    // The settings of a schedule are no form: they alone are JSON, and the form says so.
    assert_eq!(form.matches("<textarea").count(), 1, "{form}");
    let terms = part(form, "value=\"Terms\"", "</textarea>");
    assert!(terms.contains("没有逐项表单") && terms.contains("name=\"raw/Terms\""), "{terms}");

    let reason = ("reason", "the notice got lost");
    let signal = format!("{at}/signal");
    let field = |name: &str| format!("told/Payment/{name}");
    let (order, id) = (field("out_trade_no"), field("paid.transaction_id"));
    let (amount, when) = (field("paid.amount_fen"), field("paid.paid_at"));
    let half = [("choice", "Payment"), (order.as_str(), "T1"), (id.as_str(), "4200001"), reason];
    let refused = zh.form(&signal, &half).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = part(&refused.text, &format!("action=\"{signal}\""), "</form>");
    let keeps = ["请填写：已收金额（元）、付款时间。", "value=\"4200001\"", "value=\"Payment\" required checked"];
    for kept in keeps {
        assert!(again.contains(kept), "{kept}: {again}");
    }
    // What the workflow cannot read is refused within the form too, with what was typed.
    let odd = [("choice", "Terms"), ("raw/Terms", "{\"closes\":1}"), reason];
    let refused = zh.form(&signal, &odd).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = part(&refused.text, &format!("action=\"{signal}\""), "</form>");
    assert!(again.contains("role=\"alert\"") && again.contains("closes&#34;:1}</textarea>"), "{again}");

    let whole = [half[0], half[1], half[2], (&amount, "50.00"), (&when, "2026-03-02T09:30"), reason];
    let sent = zh.form(&signal, &whole).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let consent = [
        ("choice", "Consent"),
        ("told/Consent/question", "change:7"),
        ("told/Consent/keep", "false"),
        // Of a signal that was not chosen.
        ("told/Payment/out_trade_no", "T2"),
        reason,
    ];
    assert_eq!(zh.form(&signal, &consent).await.status, StatusCode::SEE_OTHER);
    let inbox: Vec<(String, Value)> =
        sqlx::query_as("select name, payload from inbox where run_id = $1::uuid and signal_id like 'console:%'")
            .bind(&run)
            .fetch_all(&house.hospital.pool)
            .await
            .unwrap();
    let paid = json!({ "transaction_id": "4200001", "amount_fen": 5_000, "paid_at": "2026-03-02T01:30:00Z" });
    let payment = ("Payment".to_owned(), json!({ "out_trade_no": "T1", "paid": paid }));
    let consent = ("Consent".to_owned(), json!({ "question": "change:7", "keep": false }));
    assert_eq!(inbox.len(), 2, "{inbox:?}");
    assert!(inbox.contains(&payment) && inbox.contains(&consent), "{inbox:?}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_chooses_its_outcome_and_is_told_what_is_wrong_where_it_was_typed() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let list = "/runs?workflow=waitlist_application&step=Waiting";
    let page = zh.page(list).await;
    let outcomes = part(&page, "<select name=\"outcome\">", "</select>");
    assert!(outcomes.contains("<option value=\"CutOff\">截止</option>"), "{outcomes}");
    assert!(!outcomes.contains("\"Opened\""), "of this step alone: {outcomes}");
    let asked = [
        ("list", list),
        ("workflow", "waitlist_application"),
        ("step", "Waiting"),
        ("verb", "answer"),
        ("outcome", ""),
        ("reason", "the queue is over"),
    ];
    let refused = zh.form("/bulks/preview", &asked).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = part(&refused.text, "id=\"bulk\"", "</form>");
    for kept in [
        "role=\"alert\"",
        "请选择要补录的结果。",
        "<option value=\"answer\" selected>",
        ">the queue is over</textarea>",
    ] {
        assert!(form.contains(kept), "{kept}: {form}");
    }
    assert!(refused.text.contains("<option value=\"Waiting\" selected>"), "the list is the same: {}", refused.text);
    let mut answered = asked.to_vec();
    answered[4] = ("outcome", "CutOff");
    let preview = zh.form("/bulks/preview", &answered).await;
    assert!(preview.text.contains("补录结果: 截止"), "{}", preview.text);
    // What would refuse says so in the words of the page.
    answered[4] = ("outcome", "Opened");
    let preview = zh.form("/bulks/preview", &answered).await;
    assert!(preview.text.contains("步骤 排队候补 没有结果 已下单"), "{}", preview.text);
    // Nothing chosen: in the reader's language, with the ticks that were set.
    let en = Person::with(&house, "reader", "operator", "en").await;
    let other = Uuid::now_v7().to_string();
    let ticked = [("list", list), ("id", run.as_str()), ("id", other.as_str()), ("verb", "jump"), ("reason", "r")];
    let refused = en.form("/bulks/preview", &ticked).await;
    assert!(refused.text.contains("Choose the step to jump to."), "{}", refused.text);
    assert!(refused.text.contains(&format!("value=\"{run}\" data-tick checked")), "{}", refused.text);
    assert!(refused.text.contains(&format!("type=\"hidden\" name=\"id\" value=\"{other}\"")), "{}", refused.text);
    let none = en.form("/bulks/preview", &[("list", "/runs"), ("verb", "retry"), ("reason", "r")]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.text.contains("Tick runs, or filter the list"), "{}", none.text);
    let gone = house.send(en.request("GET", "/bulks?cursor=nonsense").body(Body::empty()).unwrap()).await;
    assert_eq!(gone.status, StatusCode::BAD_REQUEST);
    house.hospital.close().await;
}

/// A bulk that is refused is said where it was to be begun, beside what it would do now; and that can be begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_whose_preview_is_void_comes_with_a_fresh_one() {
    let (house, run) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let list = "/runs?workflow=waitlist_application&status=waiting";
    let asked = [("list", list), ("status", "waiting"), ("verb", "suspend"), ("reason", "the clinic is closed")];
    let set_of = |page: &str| part(page, "name=\"preview\" value=\"", "\"").to_owned();
    let preview = zh.form("/bulks/preview", &asked).await.text;
    assert!(!preview.contains("role=\"alert\""), "{preview}");
    let old = set_of(&preview);
    sqlx::raw_sql("delete from bulk_set").execute(&house.hospital.pool).await.unwrap();
    let mut begun = asked.to_vec();
    begun.extend([("preview", old.as_str()), ("request", "r1")]);
    let refused = zh.form("/bulks", &begun).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let said = part(&refused.text, "role=\"alert\">", "</p>");
    assert!(
        said.contains("该预览不存在或已超过 24 小时") && said.contains("以下是重新预览的结果，尚未执行。"),
        "{said}"
    );
    assert!(refused.text.contains(&format!("/runs/{run}")) && refused.text.contains("the clinic is closed"));
    let fresh = set_of(&refused.text);
    assert!(!fresh.is_empty() && fresh != old, "what was looked at is another set");
    let bulks = async || house.hospital.count("select count(*) from bulk").await;
    assert_eq!(bulks().await, 0);
    // A preview of something else, or none at all, is as void; a reason that is missing is said where it is typed.
    let en = Person::with(&house, "reader", "operator", "en").await;
    for (preview, verb, status, words) in [
        (fresh.as_str(), "cancel", StatusCode::CONFLICT, "Below is what it would do now; nothing is begun."),
        ("x", "suspend", StatusCode::UNPROCESSABLE_ENTITY, "Look at the preview again."),
    ] {
        let other = [("status", "waiting"), ("verb", verb), ("reason", "r"), ("preview", preview)];
        let refused = en.form("/bulks", &other).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        assert!(part(&refused.text, "role=\"alert\">", "</p>").contains(words), "{}", refused.text);
        assert!(set_of(&refused.text) != preview, "{}", refused.text);
    }
    let silent =
        [("list", list), ("status", "waiting"), ("verb", "suspend"), ("reason", ""), ("preview", fresh.as_str())];
    let refused = en.form("/bulks", &silent).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(part(&refused.text, "id=\"bulk\"", "</form>").contains("role=\"alert\""), "{}", refused.text);
    assert_eq!(bulks().await, 0);
    let mut begun = asked.to_vec();
    begun.extend([("preview", fresh.as_str()), ("request", "r2")]);
    assert_eq!(zh.form("/bulks", &begun).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bulks().await, 1);
    // The same sent twice is one.
    assert_eq!(zh.form("/bulks", &begun).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bulks().await, 1);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_view_is_said_to_be_saved_and_is_where_one_is() {
    let (house, _) = house().await;
    let zh = Person::with(&house, "operator", "operator", "zh-CN").await;
    let saved = zh.form("/views", &[("name", "N1"), ("query", "?workflow=&status=suspended")]).await;
    let page = zh.page(saved.headers["location"].to_str().unwrap()).await;
    assert!(page.contains("role=\"status\">已保存视图<"), "{page}");
    let tabs = part(&page, "<nav class=\"tabs\"", "</nav>");
    assert_eq!(tabs.matches("aria-current").count(), 1, "{tabs}");
    assert!(part(tabs, "aria-current", "</a>").ends_with(">N1"), "the one that can be removed: {tabs}");
    // Whose limit it is stands beside it.
    assert!(zh.page("/schedules/S1").await.contains("<span>候补上限 · 医生</span>"));
    assert!(zh.page("/figures").await.contains("挂号成功 ÷ 候补申请"));
    house.hospital.close().await;
}
