//! What is stored of a run, on its page and over the API: masked, and in the clear for one look of whoever may, which is audited.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::clinic::HOSPITAL;
use super::console::{Person, house};
use super::surface::House;

/// What somebody has sent that should not have.
const PERSONAL: [&str; 7] = [
    "李小龙",
    "13900139000",
    "110105194912310021",
    "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "li@example.org",
    "天河路",
    "4200001234202603051234567890",
];

/// The same as it is shown.
const MASKED: [&str; 5] =
    ["李*龙", "139****9000", "110***********0021", "l***@example.org", "420000******************7890"];

fn personal() -> Value {
    json!({
        "patientName": PERSONAL[0], "phone": PERSONAL[1], "idNumber": PERSONAL[2], "openid": PERSONAL[3], "email": PERSONAL[4],
        "address": format!("{} 1 号", PERSONAL[5]), "transaction_id": PERSONAL[6], "amount_fen": 4200, "question": "change:7",
    })
}

/// Somebody's data in a signal, in a letter and in what the run knows.
async fn with_personal_data(house: &House, run: &str) {
    for statement in [
        "insert into inbox (tenant, run_id, signal_id, name, payload) values ($1, $2::uuid, 'by mistake', 'Confirm', $3)",
        "insert into outbox (tenant, id, run_id, topic, payload, status, settled_at)
         values ($1, 'by-mistake', $2::uuid, 'notice', $3, 'sent', engine_now())",
        "update run_state set state = state || jsonb_build_object('met', $3) where tenant = $1 and run_id = $2::uuid",
    ] {
        let done = sqlx::query(statement).bind(HOSPITAL).bind(run).bind(personal()).execute(&house.hospital.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_staff_send_with_a_signal_is_masked_in_the_audit() {
    let (house, run) = house().await;
    let operator = Person::with(&house, "operator", "operator", "en").await;
    let signal = json!({ "signalId": "lost", "payload": personal(), "reason": "lost on its way" });
    let sent = house.ask("POST", &format!("/v1/runs/{run}/signals/Confirm"), Some("lost"), Some(signal)).await;
    assert!(sent.status.is_success(), "{}", sent.text);
    // And by the console's form.
    let money = [
        ("choice", "Payment"),
        ("told/Payment/out_trade_no", PERSONAL[1]),
        ("told/Payment/paid.transaction_id", PERSONAL[6]),
        ("told/Payment/paid.amount_fen", "42.00"),
        ("told/Payment/paid.paid_at", "2026-03-05T10:00"),
        ("reason", "lost on its way"),
    ];
    let told = operator.form(&format!("/runs/{run}/signal"), &money).await;
    assert_eq!(told.status, StatusCode::SEE_OTHER, "{}", told.text);
    let page = operator.page("/audit?verb=signal").await;
    assert!(page.matches(MASKED[1]).count() >= 2, "that of the form, too: {page}");
    let file = operator.page("/audit.csv?verb=signal").await;
    let over_api = house.get("/v1/audit?verb=signal").await.text;
    let many = json!({
        "verb": "signal", "arguments": { "signal": "Confirm", "payload": personal() }, "filter": { "ids": [run] },
        "reason": "to many"
    });
    let begun = house.ask("POST", "/v1/runs/bulk", Some("many"), Some(many)).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let of_bulks = operator.page("/audit?verb=bulk.begin").await;
    let bulks = house.get("/v1/runs/bulk").await.text;
    let shown = [
        (page, "page"),
        (file, "file"),
        (over_api, "API"),
        (begun.text, "bulk"),
        (of_bulks, "bulk's deed"),
        (bulks, "bulks"),
    ];
    for (shown, name) in shown {
        assert!(shown.contains(MASKED[1]) && shown.contains("change:7"), "{name}: {shown}");
        for personal in PERSONAL {
            assert_eq!(said(&shown, personal), 0, "the {name} says {personal}");
        }
    }
    house.hospital.close().await;
}

/// How often a page says something of the person.
fn said(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_of_a_run_is_shown_masked_on_its_page_and_over_the_api() {
    let (house, run) = house().await;
    with_personal_data(&house, &run).await;
    let path = format!("/runs/{run}");
    for (name, role, language) in [("viewer", "viewer", "zh-CN"), ("chief", "administrator", "en")] {
        let page = Person::with(&house, name, role, language).await.page(&path).await;
        for personal in PERSONAL {
            assert_eq!(said(&page, personal), 0, "the page for a {role} says {personal}");
        }
        for masked in MASKED {
            assert_eq!(said(&page, masked), 3, "{masked} in a signal, in a letter and in the state: {page}");
        }
        assert!(page.contains("4200") && page.contains("change:7"), "amounts and codes can be read");
        assert_eq!(page.contains(&format!("action=\"{path}/unmask\"")), role != "viewer", "{role}");
    }
    let over_api = house.get(&format!("/v1/runs/{run}")).await;
    for personal in PERSONAL {
        assert!(!over_api.text.contains(personal), "the API says {personal}");
    }
    let shown = over_api.json();
    let signal = shown["inbox"].as_array().unwrap().iter().find(|one| one["signalId"] == "by mistake").unwrap();
    assert_eq!((&signal["payload"]["phone"], &signal["payload"]["amount_fen"]), (&json!(MASKED[1]), &json!(4200)));
    assert_eq!((&shown["state"]["met"]["idNumber"], &shown["state"]["patient_id"]), (&json!(MASKED[2]), &json!("p1")));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_run_is_seen_in_the_clear_for_a_reason_and_the_audit_knows_which() {
    let (house, run) = house().await;
    with_personal_data(&house, &run).await;
    let (viewer, operator) = (
        Person::with(&house, "viewer", "viewer", "en").await,
        Person::with(&house, "operator", "operator", "zh-CN").await,
    );
    let (page, path) = (format!("/runs/{run}"), format!("/runs/{run}/unmask"));
    let asked = [("part", "signals"), ("reason", "核对来电")];
    assert_eq!(viewer.form(&path, &asked).await.status, StatusCode::FORBIDDEN);
    for (part, reason) in [("signals", " "), ("", "核对来电"), ("all", "核对来电")] {
        let refused = operator.form(&path, &[("part", part), ("reason", reason)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{part} for {reason}");
        assert!(!refused.text.contains(PERSONAL[0]));
    }
    let nobody = operator.form("/runs/0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11/unmask", &asked).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(
        house.hospital.count("select count(*) from audit where verb = 'run.unmask'").await,
        0,
        "nothing was seen"
    );
    for (part, clear, named) in [
        ("signals", 1, "信号内容"),
        ("letters", 1, "消息内容"),
        ("state", 1, "流程数据"),
        ("everything", 3, "全部内容"),
    ] {
        let seen = operator.form(&path, &[("part", part), ("reason", "核对来电")]).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
        assert_eq!((said(&seen.text, PERSONAL[1]), said(&seen.text, MASKED[1])), (clear, 3 - clear), "{part}");
        // What is in the clear does not go on being drawn by itself.
        assert!(seen.text.contains("id=\"run-clear\"") && !seen.text.contains("data-live"), "{}", seen.text);
        let audit = operator.page("/audit?verb=run.unmask").await;
        let newest = audit.split("<tr data-row").nth(1).unwrap();
        assert!(newest.contains("查看流程完整内容") && newest.contains("核对来电"), "{newest}");
        assert!(newest.contains(&format!("查看范围:  → {named}")) && newest.contains(&page), "{newest}");
    }
    for personal in PERSONAL {
        assert_eq!(said(&operator.page(&page).await, personal), 0, "masked again: {personal}");
        assert_eq!(said(&viewer.page("/audit").await, personal), 0, "the log says that it was seen, not what");
    }
    assert!(viewer.page("/audit?verb=run.unmask").await.contains("Shown:  → Everything"));
    let deeds = house.get(&format!("/v1/audit?verb=run.unmask&runId={run}")).await.json();
    assert_eq!(deeds["items"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&deeds["items"][3]["who"], &deeds["items"][3]["after"]),
        (&json!("operator"), &json!({ "shown": "signals" }))
    );
    // Whoever comes to its address again, by another language or by logging in anew, finds the page masked.
    for (address, masked) in [(&path, page.as_str()), (&"/patients/p1/unmask".to_owned(), "/patients/p1")] {
        let over = house.send(operator.request("GET", address).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((over.status, over.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, masked));
    }
    house.hospital.close().await;
}
