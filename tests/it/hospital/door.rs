//! The way in for stories: what patients ask for, and what the outside calls back, as signals to runs.
//!
//! Admission is not decided here: every story begins with an application that was let in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use houbu::engine::Engine;
use houbu::engine::store::{self, Outgoing, Signalled};
use houbu::engine::{Registry, RunId, To};
use houbu::ports::his::{Push, PushAnswer, PushError, PushReader};
use houbu::ports::payments::{Notice, NoticeHeaders, Payments};
use houbu::records::{entries, patients, policies, schedules};
use houbu::sandbox::Now;
use houbu::waitlist::policy::{PaymentMode, Policy};
use houbu::waitlist::status::EntryStatus;
use houbu::waitlist::{calendar, ids};
use houbu::workflows::slot_release::{self, Release, SlotRelease};
use houbu::workflows::waitlist_application::{Application, Step, WaitlistApplication};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::HOSPITAL;

/// Everything that a callback needs.
pub struct Door {
    pub engine: Arc<Engine>,
    pub payments: Arc<dyn Payments>,
    pub pushes: PushReader,
    pub now: Now,
    /// False while callbacks are answered 503.
    pub open: AtomicBool,
}

impl Door {
    /// A signal to a run, in a transaction of its own.
    pub async fn signal(&self, to: To, name: &'static str, id: String, payload: Value) -> Signalled {
        let mut tx = self.engine.pool.begin().await.unwrap();
        let came = store::signal(&mut tx, HOSPITAL, &Outgoing { to, name, id, payload }).await.unwrap();
        tx.commit().await.unwrap();
        self.engine.hint();
        came
    }

    /// A patient joins the queue of a schedule.
    pub async fn apply(&self, id: RunId, schedule_id: &str, patient_id: &str) {
        let pool = &self.engine.pool;
        let schedule = schedules::find(pool, HOSPITAL, schedule_id).await.unwrap().unwrap();
        let under = policies::Under {
            doctor_id: &schedule.doctor_id,
            department_id: &schedule.department_id,
            campus_id: &schedule.campus_id,
        };
        let tz = chrono_tz::Asia::Shanghai;
        let mut tx = pool.begin().await.unwrap();
        assert!(!patients::lock_person(&mut *tx, HOSPITAL, patient_id).await.unwrap().is_empty());
        let [doctor, department, campus] = policies::standings(&mut tx, HOSPITAL, &under, true).await.unwrap();
        let policy = Policy::resolve(&doctor.policy, &department.policy, &campus.policy);
        let cutoff = calendar::cutoff_at(schedule.visit_date, &policy.cutoff, tz);
        let (step, status) = if policy.payment_mode == PaymentMode::Prepay {
            (Step::PrepayOrder, EntryStatus::AwaitingPrepayment)
        } else {
            (Step::Waiting, EntryStatus::Waiting)
        };
        let visits_end = schedule.visit_date.and_hms_opt(18, 0, 0).unwrap();
        let visits_end = visits_end.and_local_timezone(tz).unwrap().to_utc();
        let release = Release::new(schedule_id.to_owned(), schedule.visit_date, cutoff, visits_end);
        let idle = slot_release::Step::Idle.name();
        let release = Registry::new_run::<SlotRelease>(Uuid::now_v7(), schedule_id.to_owned(), idle, &release);
        store::start(&mut tx, HOSPITAL, release.unwrap()).await.unwrap();
        let key = format!("{schedule_id}/{patient_id}/{id}");
        let entry = entries::NewEntry {
            id,
            idempotency_key: &key,
            schedule_id,
            under,
            patient_id,
            status: status.as_str(),
            payment_mode: &schedules::name_of(&policy.payment_mode),
            fee_fen: schedule.fee_fen,
            cutoff,
        };
        entries::insert(&mut tx, HOSPITAL, &entry).await.unwrap();
        policies::add_one(&mut tx, HOSPITAL, &under).await.unwrap();
        let application = Application {
            schedule_id: schedule_id.to_owned(),
            doctor_id: schedule.doctor_id.clone(),
            department_id: schedule.department_id.clone(),
            patient_id: patient_id.to_owned(),
            visit_date: schedule.visit_date,
            part: schedule.part,
            fee_fen: schedule.fee_fen,
            policy,
            cutoff,
            offers: 0,
            offer_id: None,
            offer: None,
            order: None,
            refund: None,
            visit: None,
            why: None,
        };
        let run = Registry::new_run::<WaitlistApplication>(id, key.clone(), step.name(), &application);
        assert!(store::start(&mut tx, HOSPITAL, run.unwrap()).await.unwrap().new);
        tx.commit().await.unwrap();
        self.engine.hint();
    }

    async fn push(&self, raw: &[u8]) -> PushAnswer {
        let release = |schedule_id: &str| To::Key { workflow: SlotRelease::NAME, key: schedule_id.to_owned() };
        match self.pushes.read(raw) {
            Ok(Push::Cancelled { event_id, reg_id, .. }) => {
                self.signal(release(&reg_id), "Freed", format!("his:{event_id}"), json!({ "source": "push" })).await;
            }
            Ok(Push::Stopped { doctor_id, visit_date, part, .. }) => {
                let pool = &self.engine.pool;
                let stopped = schedules::of_doctor_on(pool, HOSPITAL, &doctor_id, visit_date, part).await.unwrap();
                for schedule_id in stopped {
                    let id = format!("stop:{schedule_id}");
                    self.signal(release(&schedule_id), "Stoppage", id, json!({})).await;
                }
            }
            Ok(Push::Other { .. }) => {}
            Err(PushError::BadSignature) => return PushAnswer::BadSignature,
            Err(_) => return PushAnswer::Unreadable,
        }
        PushAnswer::Accepted
    }

    async fn notice(&self, headers: &HeaderMap, raw: &[u8]) -> StatusCode {
        let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let headers = NoticeHeaders {
            timestamp: field("Wechatpay-Timestamp"),
            nonce: field("Wechatpay-Nonce"),
            signature: field("Wechatpay-Signature"),
            serial: field("Wechatpay-Serial"),
        };
        let (number, name, id, payload) = match self.payments.notice(&headers, raw, (self.now)()) {
            Ok(Notice::Paid { notice_id, out_trade_no, paid }) => {
                let payload = json!({ "out_trade_no": out_trade_no, "paid": paid });
                (out_trade_no, "Payment", notice_id, payload)
            }
            Ok(Notice::Refund { notice_id, out_trade_no, out_refund_no, .. }) => {
                (out_trade_no, "RefundNotice", notice_id, json!({ "out_refund_no": out_refund_no }))
            }
            Err(_) => return StatusCode::UNAUTHORIZED,
        };
        if let Some(run) = ids::run_of(&number) {
            self.signal(To::Run(run), name, format!("wechat-pay:{id}"), payload).await;
        }
        StatusCode::NO_CONTENT
    }
}

async fn push(State(door): State<Arc<Door>>, raw: Bytes) -> Response {
    if !door.open.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let answer = door.push(&raw).await;
    door.pushes.answer(answer).into_response()
}

async fn notice(State(door): State<Arc<Door>>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    if !door.open.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    door.notice(&headers, &raw).await
}

/// Any free port of 127.0.0.1, and the address under which the outside reaches it.
pub async fn listen() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Takes callbacks until the task is aborted.
pub fn serve(listener: tokio::net::TcpListener, door: Arc<Door>) -> tokio::task::JoinHandle<()> {
    let router = Router::new()
        .route("/callbacks/his", post(push))
        .route("/callbacks/wechat-pay/payments", post(notice))
        .route("/callbacks/wechat-pay/refunds", post(notice))
        .with_state(door);
    tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    })
}
