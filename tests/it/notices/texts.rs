//! Texts of notices as data: stored, in force from the next notice on, refused, looked at.

use houbu::records::templates;
use houbu::waitlist::notice::FailReason;
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::template::TemplateName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospital::door::{Door, Reply};
use crate::hospital::world::{CAMPUS, HOSPITAL};
use crate::hospital::{Hospital, Setup};

const SUBMITTED: &str = "/v1/templates/waitlist_submitted";

fn text(template_id: &str, fields: Value) -> Value {
    json!({ "templateId": template_id, "fields": fields, "reason": "微信公众平台更换了模板" })
}

async fn put(hospital: &Hospital, path: &str, text: Value) -> Reply {
    hospital.door.ask(Method::PUT, path, Some(text)).await
}

async fn stores(hospital: &Hospital, path: &str, text: Value) -> Value {
    let reply = put(hospital, path, text).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

/// The last message that the platform took: its template and its fields.
async fn last_told(hospital: &Hospital) -> (String, Value) {
    let last = hospital.messages.books().await.into_iter().next_back().unwrap();
    (last.template_id, json!(last.fields))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_stored_text_counts_from_the_next_notice_on() {
    let hospital = Hospital::open(Setup { patients: 6, ..Setup::paying(PaymentMode::None) }).await;
    hospital.apply("w1-am", 1).await;
    let (template, fields) = last_told(&hospital).await;
    assert_eq!((template.as_str(), &fields["候补状态"]), ("waitlist_submitted", &json!("候补中")), "{fields}");
    // The worker keeps what it has read: a newer version is another one.
    let fields = json!({ "thing1": "{doctor}", "phrase2": "{status}", "date3": "{visitDate}", "amount4": "{amount}" });
    stores(&hospital, SUBMITTED, text("TM1", fields.clone())).await;
    hospital.apply("w1-am", 2).await;
    let expected = json!({ "thing1": "医生w1", "phrase2": "候补中", "date3": "2026年9月4日", "amount4": "0.00元" });
    assert_eq!(last_told(&hospital).await, ("TM1".to_owned(), expected));
    stores(&hospital, SUBMITTED, text("TM2", json!({ "thing1": "{remark}" }))).await;
    hospital.apply("w1-am", 3).await;
    assert_eq!(last_told(&hospital).await, ("TM2".to_owned(), json!({ "thing1": "候补成功后将通知您" })));
    // A campus's own text goes before the hospital's, and another campus's is nothing to it.
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    houbu::records::schedules::put_department(&mut conn, HOSPITAL, ("C2", "东院"), ("D2", "外科")).await.unwrap();
    drop(conn);
    stores(&hospital, &format!("{SUBMITTED}?campus=C2"), text("TM9", json!({ "thing1": "东院" }))).await;
    let own =
        stores(&hospital, &format!("{SUBMITTED}?campus={CAMPUS}"), text("TM3", json!({ "thing1": "本部" }))).await;
    assert_eq!((&own["source"], &own["campusId"], &own["version"]), (&json!("campus"), &json!(CAMPUS), &json!(1)));
    hospital.apply("w1-am", 4).await;
    assert_eq!(last_told(&hospital).await, ("TM3".to_owned(), json!({ "thing1": "本部" })));
    let all = hospital.ask(Method::GET, "/v1/templates", None).await;
    let of = |one: &Value| format!("{} {} {}", one["name"], one["source"], one["templateId"]).replace('"', "");
    let all: Vec<String> = all["items"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(all[..3], ["hospital TM2", "campus TM3", "campus TM9"].map(|it| format!("waitlist_submitted {it}")));
    assert_eq!(all[3], "waitlist_please_confirm builtIn waitlist_please_confirm");
    // Taken back, what stands above counts again.
    let back = |path: &str| format!("{path}{}reason=%E8%AF%AF", if path.contains('?') { '&' } else { '?' });
    let campus = format!("{SUBMITTED}?campus={CAMPUS}");
    let counts = hospital.ask(Method::DELETE, &back(&campus), None).await;
    assert_eq!((&counts["source"], &counts["templateId"]), (&json!("hospital"), &json!("TM2")));
    hospital.apply("w1-am", 5).await;
    assert_eq!(last_told(&hospital).await.0, "TM2");
    assert_eq!(hospital.door.ask(Method::DELETE, &back(&campus), None).await.status, 404, "there is none any more");
    hospital.ask(Method::DELETE, &back(SUBMITTED), None).await;
    hospital.apply("w1-am", 6).await;
    assert_eq!(last_told(&hospital).await.0, "waitlist_submitted");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_versions_say_who_when_and_why_and_two_who_write_at_once_do_not_undo_each_other() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let replacing = |id: &str, version: i32| {
        let mut text = text(id, json!({ "thing1": "{doctor}" }));
        text["replaces"] = json!(version);
        text
    };
    assert_eq!(put(&hospital, SUBMITTED, replacing("TM1", 1)).await.code(), "template_changed");
    stores(&hospital, SUBMITTED, replacing("TM1", 0)).await;
    let (one, other) =
        tokio::join!(put(&hospital, SUBMITTED, replacing("TM2", 1)), put(&hospital, SUBMITTED, replacing("TM3", 1)));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", one.body, other.body);
    let versions = hospital.ask(Method::GET, &format!("{SUBMITTED}/versions"), None).await;
    let items = versions["items"].as_array().unwrap();
    let numbers: Vec<_> = items.iter().map(|one| one["version"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!((&items[1]["who"], &items[1]["reason"]), (&json!("stories@api"), &json!("微信公众平台更换了模板")));
    assert!(items[1]["createdAt"].as_str().unwrap().ends_with("+08:00"));
    assert_eq!(items[1]["text"]["templateId"], "TM1");
    let audit = hospital.ask(Method::GET, "/v1/audit?verb=template.put", None).await;
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
    assert_eq!(audit["items"][0]["after"]["version"], 2);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_text_that_must_not_be_sent_is_refused_with_all_that_is_wrong() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let mut wrong = text(
        "TM1",
        json!({
            "thing1": "{idNumber}", "thing2": "您的诊断结果", "thing3": "{doktor}", "phrase4": "{remark}", "thng5": "{doctor}",
            "time6": "{visitTime}", "thing7": "{doctor}"
        }),
    );
    wrong["sms"] = json!("{name}您好");
    let request = hospital.door.keyed(Method::PUT, SUBMITTED).json(&wrong).header("accept-language", "en");
    let refused = Door::reply(request).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid_template"), "{}", refused.body);
    let flaws = refused.body["flaws"].as_array().unwrap();
    let flaws: Vec<String> =
        flaws.iter().map(|one| format!("{} {}", one["field"], one["code"]).replace('"', "")).collect();
    let expected = [
        "fields.phrase4 too_long",
        "fields.thing1 forbidden_placeholder",
        "fields.thing2 forbidden_text",
        "fields.thing3 unknown_placeholder",
        "fields.thng5 unknown_key",
        "fields.time6 wrong_form",
        "sms forbidden_placeholder",
    ];
    assert_eq!(flaws, expected);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("there is no {doktor}; there are {doctor} {visitTime}"), "{detail}");
    let zh = put(&hospital, SUBMITTED, wrong).await;
    assert!(zh.body["detail"].as_str().unwrap().contains("不得使用 {idNumber}"), "{}", zh.body);
    assert_eq!(hospital.ask(Method::GET, SUBMITTED, None).await["source"], "builtIn", "nothing was stored");
    let fine = text("TM1", json!({ "thing1": "{doctor}" }));
    for (path, body, status) in [
        ("/v1/templates/nonsense", fine.clone(), 404),
        ("/v1/templates/waitlist_booked?campus=nowhere", fine.clone(), 404),
        (
            "/v1/templates/waitlist_booked",
            json!({ "templateId": "TM1", "fields": {}, "reason": "x", "colour": 1 }),
            422,
        ),
        (
            "/v1/templates/waitlist_booked",
            json!({ "templateId": "TM1", "fields": { "thing1": "x" }, "reason": "" }),
            422,
        ),
    ] {
        assert_eq!(put(&hospital, path, body).await.status, status, "{path}");
    }
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_text_is_looked_at_before_anybody_gets_it() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let data = json!({
        "name": "张三丰", "idType": "1", "idNumber": "11010519491231002X", "phone": "13800138000", "openid": "wx-1-0"
    });
    hospital.ask(Method::PUT, "/v1/patients/p1", Some(data)).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    let told = hospital.messages.books().await.len();
    let preview = async |name: &str, body: Value| {
        hospital.ask(Method::POST, &format!("/v1/templates/{name}/preview"), Some(body)).await
    };
    let made_up = preview("waitlist_failed", json!({})).await;
    assert_eq!(made_up["notices"].as_array().unwrap().len(), FailReason::ALL.len(), "one a reason: {made_up}");
    assert!(made_up.get("receiver").is_none());
    let draft = json!({ "templateId": "TM7", "fields": {
        "thing1": "{doctor}", "time2": "{visitTime}", "amount3": "{amount}", "thing4": "{place}"
    }, "sms": "{doctor}{visitTime}" });
    let of_entry = preview("waitlist_booked", json!({ "waitlistId": entry, "draft": draft })).await;
    assert_eq!(of_entry["receiver"], json!({ "patientId": "p1", "phone": "138****8000" }));
    let fields = of_entry["notices"][0]["fields"].as_array().unwrap();
    let value = |nth: usize| fields[nth]["value"].as_str().unwrap().to_owned();
    assert_eq!((value(0), value(1)), ("50.00元".to_owned(), "医生w1".to_owned()));
    assert_eq!((value(3), &fields[3]["letters"]), ("2026年9月4日 08:00".to_owned(), &json!(15)), "{of_entry}");
    assert_eq!((&of_entry["templateId"], &of_entry["flaws"]), (&json!("TM7"), &json!([])));
    let whole = of_entry.to_string();
    assert!(!whole.contains("张三丰") && !whole.contains("13800138000") && !whole.contains("11010519491231002X"));
    let flawed = json!({ "draft": { "templateId": "TM7", "fields": { "phrase1": "{remark}" } } });
    let flawed = preview("waitlist_booked", flawed).await;
    assert!(flawed["flaws"][0].as_str().unwrap().starts_with("fields.phrase1"), "{flawed}");
    assert_eq!(hospital.messages.books().await.len(), told, "nothing is sent");
    let stored = templates::versions(&hospital.db.pool, HOSPITAL, TemplateName::WaitlistBooked.as_str(), "", None, 9);
    assert_eq!(stored.await.unwrap().len(), 0, "nothing is stored");
    let nobody = json!({ "waitlistId": uuid::Uuid::now_v7() });
    let nobody = hospital.door.ask(Method::POST, "/v1/templates/waitlist_booked/preview", Some(nobody)).await;
    assert_eq!(nobody.status, 404);
    hospital.finish().await;
}
