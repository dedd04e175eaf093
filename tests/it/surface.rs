//! The HTTP surface as its callers see it: problems, keys, idempotency, an application from the door to the visit.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use houbu::console::access::Settings;
use houbu::console::live::Live;
use houbu::desk::access::rates::{Rate, Rates};
use houbu::engine::worker::{self, Worker};
use houbu::http::addresses::Addresses;
use houbu::http::auth::ApiKey;
use houbu::http::{Surface, router};
use houbu::ports::his::envelope::Envelope;
use houbu::ports::his::{Credentials, PushReader};
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::clinic::Clinic;
use super::patience::wait_for;

pub(crate) const KEY: &str = "a-key-for-everything-in-here";
pub(crate) const WEAK: &str = "a-key-for-the-runs-and-no-more";

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{} {}", self.status, self.text);
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) struct House {
    pub(crate) hospital: Clinic,
    pub(crate) live: Arc<Live>,
    router: axum::Router,
    envelope: Envelope,
}

impl House {
    pub(crate) async fn open(doctor: LevelPolicy) -> Self {
        Self::with(doctor, Settings::default(), None).await
    }

    /// A house whose console is entered so.
    pub(crate) async fn entered(settings: Settings) -> Self {
        Self::with(LevelPolicy::default(), settings, None).await
    }

    /// A house whose keys may ask only so often.
    pub(crate) async fn at_rate(rate: Rate) -> Self {
        Self::with(LevelPolicy::default(), Settings::default(), Some(rate)).await
    }

    async fn with(doctor: LevelPolicy, settings: Settings, rate: Option<Rate>) -> Self {
        let hospital = Clinic::with(0, doctor).await;
        let his =
            Credentials { user_id: "HIS".to_owned(), sign_key: "sign".into(), aes_key: "0123456789abcdef".into() };
        let key = |name: &str, key: &str, scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            ApiKey::new(name, &key.into(), &scopes).unwrap()
        };
        let live = Arc::new(Live::beating(Duration::from_secs(1)));
        let surface = Surface {
            desk: Arc::clone(&hospital.desk),
            his_pushes: Arc::new(PushReader::new(&his, "1001", chrono_tz::Asia::Shanghai).unwrap()),
            payments: Arc::clone(&hospital.desk.ports.payments),
            api_keys: vec![key("all", KEY, &["waitlist", "runs", "admin"]), key("weak", WEAK, &["runs"])],
            wechat_token: None,
            platform_key: None,
            addresses: Addresses::default(),
            rates: Rates::new(rate),
            console: Settings { url: "http://houbu.test".to_owned(), signals_days: 7, ..settings },
            live: Arc::clone(&live),
        };
        Self { hospital, live, router: router(Arc::new(surface)), envelope: Envelope::new(&his).unwrap() }
    }

    /// The answer as it comes.
    pub(crate) async fn open_answer(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open_answer(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {KEY}"))
            .header("accept-language", "en");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string().into()),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, None).await
    }

    /// A house with these patients, each with a document of their own.
    pub(crate) async fn with_patients(doctor: LevelPolicy, ids: &[&str]) -> Self {
        let house = Self::open(doctor).await;
        for (nth, id) in ids.iter().enumerate() {
            let body = json!({
                "name": "张三丰", "idType": "5", "idNumber": format!("E1234567{nth}"), "phone": "13800138000",
                "openid": format!("o-{id}")
            });
            assert_eq!(house.ask("PUT", &format!("/v1/patients/{id}"), None, Some(body)).await.status, StatusCode::OK);
        }
        house
    }

    async fn patient(&self, id: &str, id_number: &str) -> Answer {
        let body = json!({
            "name": "张三丰", "idType": "1", "idNumber": id_number, "phone": "13800138000", "openid": format!("o-{id}")
        });
        self.ask("PUT", &format!("/v1/patients/{id}"), None, Some(body)).await
    }

    pub(crate) async fn work(&self) -> Worker {
        worker::start(Arc::clone(&self.hospital.desk.engine), worker::Options::default()).await.unwrap()
    }

    /// The application once it has this status.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..200 {
            let entry = self.get(&format!("/v1/waitlist/{id}")).await.json();
            if entry["status"] == status {
                return entry;
            }
            let version = &entry["version"];
            self.get(&format!("/v1/waitlist/{id}?wait=2s&version={version}")).await;
        }
        panic!("it never is {status}: {}", self.get(&format!("/v1/waitlist/{id}")).await.text)
    }

    async fn notice(&self, path: &str, signature: &str, notice: &Value) -> Answer {
        let request = Request::post(format!("/callbacks/wechat-pay/{path}"))
            .header("Wechatpay-Signature", signature)
            .body(notice.to_string().into())
            .unwrap();
        self.send(request).await
    }

    async fn push(&self, function: &str, body: &str) -> Answer {
        let sealed = self.envelope.seal_request(function, body).unwrap();
        self.send(Request::post("/callbacks/his").body(sealed.into()).unwrap()).await
    }
}

pub(crate) fn on(mode: PaymentMode) -> LevelPolicy {
    LevelPolicy { switch: Switch::On, payment_mode: Some(mode), ..LevelPolicy::default() }
}

const ADULT: &str = "11010519491231002X";

fn paid(out_trade_no: &str, amount_fen: i64) -> Value {
    json!({ "paid": { "notice_id": "n1", "out_trade_no": out_trade_no, "paid": {
        "transaction_id": "4200001", "amount_fen": amount_fen, "paid_at": "2026-03-02T01:00:10Z"
    } } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_not_a_success_is_a_problem() {
    let house = House::open(on(PaymentMode::None)).await;
    let bare = |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer = house.send(bare("GET", "/v1/schedules")).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
    assert_eq!(answer.headers["content-language"], "zh-CN");
    assert!(answer.headers.contains_key("x-request-id"));
    let mut weak = bare("GET", "/v1/schedules");
    weak.headers_mut().insert("authorization", format!("Bearer {WEAK}").parse().unwrap());
    let answer = house.send(weak).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let answer = house.get("/nowhere").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    let answer = house.ask("PATCH", "/v1/waitlist", None, None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    assert_eq!(house.get("/v1/waitlist/not-an-id").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/waitlist").await.status, StatusCode::BAD_REQUEST);
    let raw = |kind: &str, body: &str| {
        Request::post("/v1/waitlist")
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", kind)
            .body(body.to_owned().into())
            .unwrap()
    };
    let table = [
        ("text/plain", "{}".to_owned(), 415, "unsupported_media_type"),
        ("application/json", "{".to_owned(), 400, "unreadable"),
        ("application/json", "{}".to_owned(), 422, "invalid_request"),
        ("application/json", json!({ "scheduleId": "S1", "patientId": "a\u{0}b" }).to_string(), 422, "invalid_request"),
        ("application/json", format!("{{\"x\":\"{}\"}}", "y".repeat(300_000)), 413, "too_large"),
    ];
    for (kind, body, status, code) in table {
        let answer = house.send(raw(kind, &body)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{kind}");
    }
    let apply = json!({ "scheduleId": "S1", "patientId": "nobody" });
    let answer = house.ask("POST", "/v1/waitlist", None, Some(apply)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "unknown_patient"));
    assert_eq!(answer.json()["detail"], "This patient was not found.");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_and_readers_find_what_they_need() {
    let house = House::open(on(PaymentMode::None)).await;
    for (path, part) in [
        ("/healthz", "ok"),
        ("/readyz", "ok"),
        ("/metrics", "houbu_due_runs"),
        ("/openapi.json", "/v1/waitlist/{waitlistId}/confirm"),
        ("/docs/", "swagger"),
        ("/login", "/assets/console.css"),
        ("/assets/console.css", "--accent"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.text.contains(part), "{path}: {}", answer.text);
    }
    // The reference page stands where the console's cookie is.
    for path in ["/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        let policy = house.get(path).await.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    let api = house.get("/openapi.json").await;
    let names = api.text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let described = api.json();
    for name in names {
        assert!(described["components"]["schemas"][name].is_object(), "{name} is not described");
    }
    let apply = &described["paths"]["/v1/waitlist"]["post"];
    assert_eq!(apply["security"], json!([{ "apiKey": [] }]));
    assert!(apply["responses"]["409"]["content"]["application/problem+json"].is_object(), "{apply}");
    let schedules = house.get("/v1/schedules?departmentId=d1").await.json();
    assert_eq!(schedules["items"][0]["full"], true);
    assert_eq!(schedules["items"][0]["waitlist"]["open"], true);
    let queue = house.get("/v1/schedules/S1/waitlist").await.json();
    assert_eq!(queue["cutoff"], "2026-03-03T18:00:00+08:00");
    assert_eq!((&queue["mode"], &queue["open"]), (&json!("fifo"), &json!(true)));
    assert_eq!(house.ask("PUT", "/v1/policies/doctor/doc1", None, Some(json!({ "switch": "off" }))).await.status, 200);
    let queue = house.get("/v1/schedules/S1/waitlist").await.json();
    assert_eq!((&queue["reasonCode"], &queue["level"]), (&json!("waitlist_not_enabled"), &json!("doctor")));
    let wrong = house.ask("PUT", "/v1/policies/doctor/doc1", None, Some(json!({ "offerWindowMinutes": 0 }))).await;
    assert_eq!(wrong.code(), "invalid_policy");
    assert_eq!(house.get("/v1/policies/floor/doc1").await.status, 404);
    let masked = house.patient("p1", ADULT).await.json();
    assert_eq!(masked["masked"], json!({ "name": "张*丰", "idNumber": "110***********002X", "phone": "138****8000" }));
    assert_eq!(house.get("/v1/patients/p1").await.json(), masked);
    assert_eq!(house.patient("p2", "110105194912310021").await.code(), "invalid_id_number");
    let listing = json!({ "reason": "三次爽约" });
    assert_eq!(house.ask("PUT", "/v1/blacklist/p1", None, Some(listing)).await.status, 200);
    let apply = json!({ "scheduleId": "S1", "patientId": "p1" });
    let refused = house.ask("POST", "/v1/waitlist", None, Some(apply)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "blacklisted"));
    assert_eq!(house.ask("DELETE", "/v1/blacklist/p1", None, None).await.status, 204);
    assert_eq!(house.get("/v1/blacklist/p1").await.status, 404);
    house.hospital.close().await;
}

/// What an operation may answer besides success, by where its path begins.
fn errors_of(path: &str) -> &'static [&'static str] {
    match path {
        "/healthz" => &[],
        "/callbacks/his" => &["403", "404"],
        "/callbacks/his/events" => &["400", "401", "403", "500", "503"],
        "/readyz" => &["503"],
        "/metrics" => &["500", "503"],
        "/callbacks/pay-platform" => &["400", "401", "404", "422", "500", "503"],
        _ if path.starts_with("/callbacks/wechat-pay/") => &["400", "401", "404", "422", "500", "503"],
        _ => &["400", "401", "403", "404", "409", "413", "415", "422", "500", "503"],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_described_with_its_errors_and_every_post_with_its_key() {
    let house = House::open(on(PaymentMode::None)).await;
    let api = house.get("/openapi.json").await.json();
    let (mut operations, mut posts) = (0, 0);
    for (path, methods) in api["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for status in errors_of(path) {
                let content = answers.get(*status).and_then(|answer| answer["content"].as_object());
                assert!(content.is_some_and(|content| !content.is_empty()), "{method} {path} {status}");
            }
            if method == "post" && path.starts_with("/v1/") {
                posts += 1;
                let named = |parameter: &Value| parameter["in"] == "header" && parameter["name"] == "Idempotency-Key";
                let parameters = operation["parameters"].as_array();
                assert!(parameters.is_some_and(|all| all.iter().any(named)), "{method} {path}");
            }
        }
    }
    assert!(operations >= 30 && posts >= 7, "{operations} operations, {posts} of them POST");
    let fields = &api["components"]["schemas"]["ProblemBody"]["properties"];
    for field in ["code", "level", "until", "limit", "field", "requestId"] {
        assert!(fields[field].is_object(), "{field} is not described");
    }
    for path in ["/v1/runs?status=foo", "/v1/runs?cursor=foo", "/v1/waitlist?patientId=p1&cursor=foo"] {
        let answer = house.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "unreadable"), "{path}");
    }
    let named = house.get("/v1/runs?status=foo").await.json();
    assert!(named["detail"].as_str().unwrap().contains("suspended"), "{named}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_is_named_and_its_schedules_are_pulled() {
    let house = House::open(on(PaymentMode::None)).await;
    let put = async |id: &str, body: Value| house.ask("PUT", &format!("/v1/departments/{id}"), None, Some(body)).await;
    let eyes = json!({ "name": "眼科", "campusId": "c2", "campusName": "东院区" });
    for _ in 0..2 {
        let made = put("d2", eyes.clone()).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
        assert_eq!(made.json()["departmentId"], "d2");
    }
    let renamed = json!({ "name": "眼科一区", "campusId": "c2", "campusName": "东院区" });
    assert_eq!(put("d2", renamed).await.status, StatusCode::OK);
    let all = house.get("/v1/departments").await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        all["items"][1],
        json!({ "departmentId": "d2", "name": "眼科一区", "campusId": "c2", "campusName": "东院区" })
    );
    let syncs = "select count(*) from run where workflow = 'schedule_sync' and key = 'd2'";
    assert_eq!(house.hospital.count(syncs).await, 1);
    let nameless = json!({ "name": " ", "campusId": "c2", "campusName": "东院区" });
    assert_eq!(put("d3", nameless).await.code(), "invalid_request");
    assert_eq!(put("d3", json!({ "name": "眼科" })).await.code(), "invalid_request");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_and_request_has_one_answer() {
    let house = House::open(on(PaymentMode::None)).await;
    house.patient("p1", ADULT).await;
    let body = json!({ "scheduleId": "S1", "patientId": "p1" });
    let apply = || house.ask("POST", "/v1/waitlist", Some("k1"), Some(body.clone()));
    let (one, two) = tokio::join!(apply(), apply());
    assert_eq!((one.status, two.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(one.json(), two.json());
    assert_eq!([&one, &two].iter().filter(|answer| answer.headers.contains_key("idempotent-replayed")).count(), 1);
    let other = json!({ "scheduleId": "S2", "patientId": "p1" });
    let other_request = house.ask("POST", "/v1/waitlist", Some("k1"), Some(other)).await;
    assert_eq!((other_request.status.as_u16(), other_request.code().as_str()), (422, "idempotency_key_reused"));
    // The stored answer is lost, as if the process had died before storing it: the application is the same one.
    sqlx::query("delete from idempotency").execute(&house.hospital.pool).await.unwrap();
    let again = apply().await;
    assert_eq!((again.status, &again.json()["waitlistId"]), (StatusCode::OK, &one.json()["waitlistId"]));
    let refused = house.ask("POST", "/v1/waitlist", Some("k2"), Some(body.clone())).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "duplicate_application"));
    let replayed = house.ask("POST", "/v1/waitlist", Some("k2"), Some(body.clone())).await;
    assert_eq!((replayed.status.as_u16(), replayed.code().as_str()), (409, "duplicate_application"));
    // A request that is still being answered elsewhere is not done a second time.
    sqlx::query("update idempotency set status = null, answer = null, created_at = clock_timestamp()")
        .execute(&house.hospital.pool)
        .await
        .unwrap();
    let busy = apply().await;
    assert_eq!((busy.status.as_u16(), busy.code().as_str()), (409, "in_progress"));
    assert_eq!(busy.headers["retry-after"], "1");
    assert_eq!(house.hospital.count("select count(*) from entry").await, 1);
    // What is older than two days goes, what is younger stays.
    let older = "update idempotency set created_at = clock_timestamp() - interval '49 hours' where key = 'k2'";
    sqlx::query(older).execute(&house.hospital.pool).await.unwrap();
    let kept = house.hospital.count("select count(*) from idempotency where key <> 'k2'").await;
    assert_eq!(houbu::records::answers::delete_older(&house.hospital.pool, "h001", 2).await.unwrap(), 1);
    assert_eq!(house.hospital.count("select count(*) from idempotency").await, kept);
    assert!(kept > 0);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_r22_an_offer_is_confirmed_paid_and_cancelled() {
    let house = House::open(on(PaymentMode::LockThenPay)).await;
    house.patient("p1", ADULT).await;
    let worker = house.work().await;
    let apply = json!({ "scheduleId": "S1", "patientId": "p1" });
    let entry = house.ask("POST", "/v1/waitlist", Some("k1"), Some(apply)).await.json();
    assert_eq!((&entry["status"], &entry["position"]), (&json!("waiting"), &json!(1)));
    assert_eq!(entry["expiryDate"], "2026-03-03T18:00:00+08:00");
    let id = entry["waitlistId"].as_str().unwrap();
    let confirm = format!("/v1/waitlist/{id}/confirm");
    assert_eq!(house.ask("POST", &confirm, None, None).await.code(), "not_confirmable");
    let cancel = "<REQ><EVENT_ID>e1</EVENT_ID><HOSP_ORDER_ID>H9</HOSP_ORDER_ID><CHANNEL_ID>9</CHANNEL_ID>\
        <REG_ID>S1</REG_ID><DEPT_ID>d1</DEPT_ID><DOCTOR_ID>doc1</DOCTOR_ID><REG_DATE>2026-03-04</REG_DATE>\
        <TIME_FLAG>1</TIME_FLAG><BEGIN_TIME>08:30</BEGIN_TIME><END_TIME>09:00</END_TIME>\
        <CANCEL_TIME>2026-03-02 09:00:00</CANCEL_TIME></REQ>";
    for _ in 0..2 {
        let answer = house.push("5007", cancel).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(house.envelope.open_reply(answer.text.as_bytes()).unwrap().code, "0");
    }
    let stored = "select times::bigint from callback where event_id = 'e1' and fate = 'delivered'";
    assert_eq!(house.hospital.count(stored).await, 2);
    let offered = house.until(id, "offered").await;
    assert_eq!(offered["offer"]["slot"]["begins"], "08:30:00");
    let confirmed = house.ask("POST", &confirm, Some("c1"), None).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    let payment = &confirmed.json()["payment"];
    let number = payment["outTradeNo"].as_str().unwrap();
    assert_eq!(payment["clientParameters"]["package"], format!("prepay_id=prepay-{number}"));
    assert_eq!(house.notice("payments", "bad", &paid(number, 5000)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.notice("payments", "good", &paid("T123", 5000)).await.status, StatusCode::NOT_FOUND);
    let wrong = house.notice("payments", "good", &paid(number, 1)).await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["code"]), (422, &json!("FAIL")));
    assert_eq!(house.until(id, "awaitingPayment").await["payment"]["state"], "open");
    for _ in 0..2 {
        assert_eq!(house.notice("payments", "good", &paid(number, 5000)).await.status, StatusCode::NO_CONTENT);
    }
    let booked = house.until(id, "booked").await;
    let appointment = booked["appointmentId"].as_str().unwrap();
    let visits = house.get("/v1/appointments?patientId=p1").await.json();
    assert_eq!(
        (&visits["items"][0]["appointmentId"], &visits["items"][0]["serial"]),
        (&json!(appointment), &json!("7"))
    );
    assert_eq!(house.ask("DELETE", &format!("/v1/waitlist/{id}"), None, None).await.code(), "not_withdrawable");
    for _ in 0..2 {
        assert_eq!(house.ask("DELETE", &format!("/v1/appointments/{appointment}"), None, None).await.status, 202);
    }
    let over = house.until(id, "visitCancelled").await;
    assert_eq!(over["payment"]["state"], "refunded");
    let run = house.get(&format!("/v1/runs/{id}")).await.json();
    assert_eq!((&run["status"], &run["why"]), (&json!("completed"), &json!("It has ended.")));
    let history = house.get(&format!("/v1/runs/{id}/history")).await.json();
    assert!(
        history["items"].as_array().unwrap().iter().any(|line| line["step"] == "Paying" && line["woke"] == "Payment")
    );
    worker.stop().await;
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepaid_place_is_withdrawn_and_a_stopped_clinic_ends_its_queue() {
    let house = House::open(on(PaymentMode::Prepay)).await;
    house.patient("p1", ADULT).await;
    let worker = house.work().await;
    let apply = |schedule: &str| json!({ "scheduleId": schedule, "patientId": "p1" });
    let one = house.ask("POST", "/v1/waitlist", Some("k1"), Some(apply("S1"))).await.json();
    assert_eq!(one["status"], "awaitingPrepayment");
    let id = one["waitlistId"].as_str().unwrap();
    let mut entry = one.clone();
    while entry["payment"]["clientParameters"].is_null() {
        let version = &entry["version"];
        entry = house.get(&format!("/v1/waitlist/{id}?wait=5s&version={version}")).await.json();
    }
    let number = entry["payment"]["outTradeNo"].as_str().unwrap();
    assert_eq!(house.notice("payments", "good", &paid(number, 5000)).await.status, StatusCode::NO_CONTENT);
    house.until(id, "waiting").await;
    for _ in 0..2 {
        assert_eq!(house.ask("DELETE", &format!("/v1/waitlist/{id}"), None, None).await.status, 202);
    }
    assert_eq!(house.until(id, "withdrawn").await["payment"]["state"], "refunded");

    let two = house.ask("POST", "/v1/waitlist", Some("k2"), Some(apply("S2"))).await.json();
    let stop = "<REQ><EVENT_ID>s1</EVENT_ID><DEPT_ID>d1</DEPT_ID><DOCTOR_ID>doc1</DOCTOR_ID>\
        <REG_DATE>2026-03-05</REG_DATE><TIME_FLAG>1</TIME_FLAG><STOP_REMARK>会议</STOP_REMARK></REQ>";
    assert_eq!(house.push("5001", stop).await.status, StatusCode::OK);
    house.until(two["waitlistId"].as_str().unwrap(), "stopped").await;
    let refused = house.ask("POST", "/v1/waitlist", None, Some(apply("S2"))).await;
    assert_eq!(refused.code(), "schedule_stopped");
    // Even if HIS takes it back: the hand-out of its places is over.
    sqlx::query("update schedule set state = 'open'").execute(&house.hospital.pool).await.unwrap();
    assert_eq!(house.ask("POST", "/v1/waitlist", None, Some(apply("S2"))).await.code(), "schedule_stopped");
    let garbage = house.send(Request::post("/callbacks/his").body("hello".into()).unwrap()).await;
    assert_eq!(house.envelope.open_reply(garbage.text.as_bytes()).unwrap().code, "1");
    worker.stop().await;
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_start_signal_and_retry_runs() {
    let house = House::open(on(PaymentMode::None)).await;
    let department =
        json!({ "id": "d1", "pulled_at": null, "next_at": "2026-03-02T01:00:00Z", "freed": [], "stopped": [] });
    let start = json!({ "key": "d1", "input": department });
    let path = "/v1/workflows/schedule_sync/runs";
    let started = house.ask("POST", path, None, Some(start.clone())).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    let id = started.json()["runId"].as_str().unwrap().to_owned();
    assert_eq!(house.ask("POST", path, None, Some(start.clone())).await.json()["runId"], id.as_str());
    assert_eq!(house.ask("POST", path, None, Some(json!({ "key": "x", "input": {} }))).await.code(), "invalid_request");
    let own = house.ask("POST", "/v1/workflows/waitlist_application/runs", None, Some(start.clone())).await;
    assert_eq!(own.code(), "not_startable");
    assert_eq!(house.ask("POST", "/v1/workflows/nothing/runs", None, Some(start)).await.code(), "unknown_workflow");
    let signal = |name: &str, payload: Value| {
        let path = format!("/v1/runs/{id}/signals/{name}");
        let body = json!({ "signalId": "s1", "payload": payload });
        let house = &house;
        async move { house.ask("POST", &path, None, Some(body)).await }
    };
    assert_eq!(signal("Nothing", json!({})).await.code(), "unknown_signal");
    assert_eq!(signal("PullNow", json!({ "retire": "maybe" })).await.code(), "invalid_request");
    assert_eq!(signal("PullNow", json!({ "retire": false })).await.json()["duplicate"], false);
    assert_eq!(signal("PullNow", json!({ "retire": false })).await.json()["duplicate"], true);
    let retry = format!("/v1/runs/{id}/retry");
    let reason = json!({ "reason": "HIS is back" });
    assert_eq!(house.ask("POST", &retry, None, Some(reason.clone())).await.code(), "not_suspended");
    sqlx::query("update run set status = 'suspended', due_at = null, attempt = 3, last_error = 'HIS was away'")
        .execute(&house.hospital.pool)
        .await
        .unwrap();
    let found = house.get("/v1/runs?status=suspended&q=d").await.json();
    assert_eq!(found["items"][0]["why"], "Suspended, a person must look: HIS was away");
    let retried = house.ask("POST", &retry, None, Some(reason)).await;
    assert_eq!((retried.status, &retried.json()["attempt"]), (StatusCode::ACCEPTED, &json!(0)));
    let history = house.get(&format!("/v1/runs/{id}/history")).await.json();
    assert_eq!(history["items"][0]["error"], "all@api: HIS is back");
    let worker = house.work().await;
    let ends = async || house.get(&format!("/v1/runs/{id}")).await.json()["step"] == "Synced";
    wait_for("the run to end", ends).await;
    worker.stop().await;
    house.hospital.close().await;
}

/// Eight earlier half-days of the doctor of S1: in the n-th n of twelve applications came to a visit.
const EARLIER_QUEUES: &str = "
    insert into schedule (hospital, id, doctor_id, department_id, campus_id, visit_date, part, state, total, remaining,
                          fee_fen, synced_at)
        select 'h001', 'old-' || n, 'doc1', 'd1', 'c1', date '2026-02-01' + n::int, 'morning', 'open', 20, 0, 5000,
               engine_now()
        from generate_series(1, 8) n;
    insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id, status,
                       live, payment_mode, fee_fen, cutoff, order_id)
        select 'h001', lpad(to_hex(n * 100 + m), 32, '0')::uuid, 'k' || n || '-' || m, 'old-' || n, 'doc1', 'd1', 'c1',
               'p' || m, 'expired', false, 'none', 5000, engine_now(), case when m <= n then 'o' || n || '-' || m end
        from generate_series(1, 8) n, generate_series(1, 12) m;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_whoever_stands_before_a_queue_is_told_the_chance() {
    let house = House::with_patients(on(PaymentMode::None), &["a", "b", "c", "d"]).await;
    let chance = async || house.get("/v1/schedules/S1/waitlist").await.json()["chance"].clone();
    assert_eq!(chance().await, Value::Null, "without earlier queues nothing is said");
    sqlx::raw_sql(EARLIER_QUEUES).execute(&house.hospital.pool).await.unwrap();
    assert_eq!(chance().await, json!({ "hint": "likely", "reached": 8, "queues": 8 }));
    for patient in ["a", "b", "c", "d"] {
        let joined =
            house.ask("POST", "/v1/waitlist", None, Some(json!({ "scheduleId": "S1", "patientId": patient }))).await;
        assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.text);
    }
    assert_eq!(chance().await, json!({ "hint": "possible", "reached": 4, "queues": 8 }), "the fifth in line");
    house.hospital.close().await;
}
