//! The door of the simulated HIS where HL7 FHIR R4 is spoken. What it reads becomes the same calls as at the other doors; what it
//! answers is composed from the books as they stand then (`fhir_papers`).

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::NaiveDate;
use secrecy::ExposeSecret;

use super::Shared;
use super::counter::{self, Call, Reply, Said};
use super::fhir_papers::{self as papers, outcome};
use super::ledger::Ledger;
use crate::ports::his::fhir::resources::{Appointment, Bundle, CapabilityStatement, Parameters, Patient, Resource};
use crate::ports::his::fhir::words::{self, find, number_of, text_of};
use crate::ports::his::lists::GetList;
use crate::ports::his::messages::{
    CancelReg, GetRegInfo, GetTimeRegInfo, LockReg, OrderReg, QueryRegRecord, Refund, RenewLock, UnlockReg,
};
use crate::ports::his::return_code::Function;

type Asked = Vec<(String, String)>;

/// Everything under `/fhir`.
pub(super) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/Schedule", get(schedules))
        .route("/fhir/Slot", get(slots))
        .route("/fhir/Appointment", get(search).post(create).patch(cancel))
        .route("/fhir/Appointment/{operation}", post(operate))
        .route_layer(from_fn_with_state(Arc::clone(shared), known))
}

/// Who brings no token of ours is sent away.
async fn known(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let brought = request.headers().get(AUTHORIZATION).map(|it| it.as_bytes().to_vec()).unwrap_or_default();
    let token = format!("Bearer {}", shared.credentials.sign_key.expose_secret());
    let given = brought.strip_prefix(b"Bearer ").and_then(|it| std::str::from_utf8(it).ok());
    match verify_slices_are_equal(&brought, token.as_bytes()) {
        Ok(()) => in_words(next.run(request).await),
        Err(_) if given.is_some_and(|token| shared.tokens.hold(token)) => in_words(next.run(request).await),
        Err(_) => said(401, Resource::OperationOutcome(outcome("login", None))),
    }
}

/// What is switched on as a bare status, as a FHIR server says it.
fn in_words(answer: Response) -> Response {
    let kind = match answer.status().as_u16() {
        404 => "not-found",
        429 => "throttled",
        503 => "transient",
        _ => return answer,
    };
    if answer.headers().contains_key(CONTENT_TYPE) {
        return answer;
    }
    said(answer.status().as_u16(), Resource::OperationOutcome(outcome(kind, None)))
}

fn said(status: u16, resource: Resource) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/fhir+json")], serde_json::to_vec(&resource).unwrap_or_default())
        .into_response()
}

fn unreadable() -> Response {
    said(400, Resource::OperationOutcome(outcome("invalid", None)))
}

/// Why a call was refused, as FHIR says it.
fn refused(reply: &Reply) -> Response {
    let (status, kind) = match (reply.code, reply.business()) {
        (_, Some("200505" | "200506" | "200709" | "200710")) => (409, "conflict"),
        (_, Some("200504" | "200708")) => (409, "duplicate"),
        (_, Some("200601" | "200901" | "201001" | "201401" | "201601")) => (404, "not-found"),
        (_, Some(_)) => (422, "business-rule"),
        ("99", _) => (500, "exception"),
        ("10", _) => (504, "timeout"),
        ("7", _) => (401, "login"),
        _ => (400, "invalid"),
    };
    said(status, Resource::OperationOutcome(outcome(kind, reply.business())))
}

fn one<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// `system|value` of `identifier`.
fn identified(asked: &str) -> Option<(&str, &str)> {
    asked.split_once('|')
}

async fn metadata() -> Response {
    let statement = CapabilityStatement {
        status: "active".to_owned(),
        date: "2026-01-01".to_owned(),
        kind: "capability".to_owned(),
        fhir_version: "4.0.1".to_owned(),
        format: vec!["json".to_owned()],
    };
    said(200, Resource::CapabilityStatement(statement))
}

/// `GET Schedule?service-type=&actor=&date=ge&date=le`: 2003.
async fn schedules(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let dates = |prefix: &str| -> Option<NaiveDate> {
        let mut dates = asked.iter().filter(|(name, _)| name == "date").filter_map(|(_, it)| it.strip_prefix(prefix));
        dates.next()?.parse().ok()
    };
    let department = one(&asked, "service-type").and_then(identified).filter(|(it, _)| *it == words::DEPARTMENT);
    let (Some((_, dept_id)), Some(start_date), Some(end_date)) = (department, dates("ge"), dates("le")) else {
        return unreadable();
    };
    let doctor = one(&asked, "actor").and_then(|it| it.strip_prefix("Practitioner/")).unwrap_or("-1");
    let (dept_id, doctor_id) = (dept_id.to_owned(), doctor.to_owned());
    let call = Call::Schedules(GetRegInfo { hos_id: String::new(), dept_id, doctor_id, start_date, end_date });
    let number = |name: &str| one(&asked, name).and_then(|it| it.parse::<usize>().ok());
    let (count, offset) = (number("_count").unwrap_or(1000).max(1), number("_offset").unwrap_or(0));
    counter::serve(&shared, Function::GetRegInfo, call, |_, reply| match &reply.said {
        Said::Schedules(info) => {
            let all = papers::schedules(info, shared.time_zone);
            let (total, until) = (all.len(), offset.saturating_add(count));
            let next = (total > until).then(|| further("Schedule", &asked, "_offset", until));
            said(
                200,
                Resource::Bundle(Bundle::searched(all.into_iter().skip(offset).take(count).collect(), total, next)),
            )
        }
        // None in that span.
        _ if reply.business() == Some("200303") => said(200, Resource::Bundle(Bundle::searched(Vec::new(), 0, None))),
        _ => refused(reply),
    })
    .await
}

/// The address of the next page, relative to the base.
fn further(path: &str, asked: &Asked, name: &str, value: usize) -> String {
    let kept =
        asked.iter().filter(|(known, _)| known != name).map(|(known, value)| format!("{known}={}", escaped(value)));
    let query: Vec<String> = kept.chain([format!("{name}={value}")]).collect();
    format!("{path}?{}", query.join("&"))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// `GET Slot?schedule=&start=`: 2004.
async fn slots(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let schedule = one(&asked, "schedule").and_then(|it| it.strip_prefix("Schedule/"));
    let day = one(&asked, "start").and_then(|it| it.parse::<NaiveDate>().ok());
    let (Some(reg_id), Some(reg_date)) = (schedule.map(str::to_owned), day) else { return unreadable() };
    let call = Call::Slots(GetTimeRegInfo { hos_id: String::new(), reg_id: reg_id.clone(), reg_date });
    counter::serve(&shared, Function::GetTimeRegInfo, call, |_, reply| {
        let found = match &reply.said {
            Said::Slots(info) => papers::slots(info, &reg_id, reg_date, shared.time_zone),
            // A schedule that is not open has no free slots.
            _ if reply.business() == Some("200403") => Vec::new(),
            _ => return refused(reply),
        };
        let total = found.len();
        said(200, Resource::Bundle(Bundle::searched(found, total, None)))
    })
    .await
}

/// `GET Appointment?identifier=`: 2012 and 2016; `?_query=`: 2017, 2018 and 2015.
async fn search(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    if let Some(named) = one(&asked, "_query") {
        return list(&shared, named, &asked).await;
    }
    let hos_id = String::new();
    match one(&asked, "identifier").and_then(identified) {
        Some((words::ORDER, id)) => {
            let call = Call::Query(QueryRegRecord { hos_id, order_id: id.to_owned() });
            let found = |ledger: &Ledger, reply: &Reply| match (reply.code, reply.business()) {
                ("0", _) => found(papers::order(ledger, id, shared.time_zone)),
                (_, Some("201201")) => found(None),
                _ => refused(reply),
            };
            counter::serve(&shared, Function::QueryRegRecord, call, found).await
        }
        Some((words::LOCK, id)) => {
            let call = Call::Held(UnlockReg { hos_id, lock_id: id.to_owned() });
            let lock = |ledger: &Ledger| papers::lock(ledger, id, shared.time_zone);
            let found = |ledger: &Ledger, reply: &Reply| match (reply.code, reply.business()) {
                ("0", _) => found(lock(ledger)),
                // Nothing is held: what is over may still be shown.
                (_, Some("201601")) => found(lock(ledger).filter(|paper| paper.status != "pending")),
                _ => refused(reply),
            };
            counter::serve(&shared, Function::QueryLock, call, found).await
        }
        _ => unreadable(),
    }
}

fn found(appointment: Option<Appointment>) -> Response {
    let found: Vec<Resource> = appointment.into_iter().map(|it| Resource::Appointment(Box::new(it))).collect();
    let total = found.len();
    said(200, Resource::Bundle(Bundle::searched(found, total, None)))
}

async fn list(shared: &Shared, named: &str, asked: &Asked) -> Response {
    let day = one(asked, "day").and_then(|it| it.parse::<NaiveDate>().ok());
    let page = one(asked, "page").and_then(|it| it.parse::<u32>().ok());
    let (Some(reg_date), Some(page)) = (day, page) else { return unreadable() };
    let channel_id = one(asked, "channel").unwrap_or_default().to_owned();
    let get = GetList { hos_id: String::new(), channel_id, reg_date, page };
    let (function, call) = match named {
        "order-list" => (Function::GetOrderList, Call::Orders(get)),
        "lock-list" => (Function::GetLockList, Call::Locks(get)),
        "breach-list" => (Function::GetBreachList, Call::Breaches(get)),
        _ => return unreadable(),
    };
    let zone = shared.time_zone;
    counter::serve(shared, function, call, |ledger, reply| {
        let (pages, lines): (u32, Vec<Appointment>) = match &reply.said {
            Said::Orders(list) => (
                list.pages,
                list.order_list.iter().filter_map(|line| papers::order(ledger, &line.order_id, zone)).collect(),
            ),
            Said::Locks(list) => (
                list.pages,
                list.lock_list.iter().filter_map(|line| papers::lock(ledger, &line.lock_id, zone)).collect(),
            ),
            Said::Breaches(list) => {
                (list.pages, list.breach_list.iter().map(|line| papers::breach(line, reg_date, zone)).collect())
            }
            _ => return refused(reply),
        };
        let next = usize::try_from(page).ok().filter(|_| page < pages);
        let next = next.map(|page| further("Appointment", asked, "page", page + 1));
        let total = lines.len();
        let lines = lines.into_iter().map(|it| Resource::Appointment(Box::new(it))).collect();
        said(200, Resource::Bundle(Bundle::searched(lines, total, next)))
    })
    .await
}

/// `POST Appointment` with `If-None-Exist`: 2013 or 2007.
async fn create(State(shared): State<Arc<Shared>>, headers: HeaderMap, raw: Bytes) -> Response {
    let asked =
        headers.get("if-none-exist").and_then(|it| it.to_str().ok()).and_then(|it| it.strip_prefix("identifier="));
    let Ok(Resource::Appointment(wanted)) = serde_json::from_slice::<Resource>(&raw) else { return unreadable() };
    let zone = shared.time_zone;
    match asked.and_then(identified) {
        Some((words::LOCK, id)) => {
            let Some(lock) = lock_of(&shared, id, &wanted) else { return unreadable() };
            counter::serve(&shared, Function::WaitLockReg, Call::WaitLock(lock), |ledger, reply| {
                let lock = papers::lock(ledger, id, zone);
                match reply.business() {
                    None if reply.code == "0" => made(201, lock),
                    Some("200504") if lock.is_some() => made(200, lock),
                    _ => refused(reply),
                }
            })
            .await
        }
        Some((words::ORDER, id)) => {
            let Some(order) = order_of(&shared, id, &wanted) else { return unreadable() };
            counter::serve(&shared, Function::OrderReg, Call::Book(Box::new(order)), |ledger, reply| {
                let order = papers::order(ledger, id, zone);
                match reply.business() {
                    None if reply.code == "0" => made(201, order),
                    Some("200708") if order.is_some() => made(200, order),
                    _ => refused(reply),
                }
            })
            .await
        }
        _ => unreadable(),
    }
}

fn made(status: u16, appointment: Option<Appointment>) -> Response {
    match appointment {
        Some(it) => said(status, Resource::Appointment(Box::new(it))),
        None => said(500, Resource::OperationOutcome(outcome("exception", None))),
    }
}

fn lock_of(shared: &Shared, id: &str, wanted: &Appointment) -> Option<LockReg> {
    let (start, end) = wanted.start.zip(wanted.end)?;
    let ((reg_date, begins), (_, ends)) = (words::local(start, shared.time_zone), words::local(end, shared.time_zone));
    let timed = !find(&wanted.extension, "of-half-day").and_then(|it| it.value_boolean).unwrap_or(false);
    let minutes = number_of(&wanted.extension, "lock-minutes").and_then(|it| u32::try_from(it).ok());
    Some(LockReg {
        hos_id: String::new(),
        lock_id: id.to_owned(),
        channel_id: text_of(&wanted.extension, "channel")?.to_owned(),
        reg_id: text_of(&wanted.extension, "schedule")?.to_owned(),
        dept_id: wanted.service_type.first()?.coding.first()?.code.clone(),
        doctor_id: wanted.participant.iter().find_map(|it| it.actor.id("Practitioner"))?.to_owned(),
        reg_date,
        time_flag: words::part_of(text_of(&wanted.extension, "part")?)?,
        begin_time: timed.then_some(begins),
        end_time: timed.then_some(ends),
        reg_fee: number_of(&wanted.extension, "fee-fen").unwrap_or_default(),
        treat_fee: 0,
        lock_minutes: minutes,
    })
}

fn order_of(shared: &Shared, id: &str, wanted: &Appointment) -> Option<OrderReg> {
    let place = lock_of(shared, id, wanted).filter(|_| wanted.status == "booked")?;
    let patient = patient_of(wanted)?;
    let document = patient.identifier.first()?;
    let out_trade_no = text_of(&wanted.extension, "out-trade-no").map(str::to_owned);
    Some(OrderReg {
        hos_id: String::new(),
        order_id: place.lock_id,
        channel_id: place.channel_id,
        is_reg: if find(&wanted.extension, "lock").is_some() { "3" } else { "2" }.to_owned(),
        reg_id: place.reg_id,
        dept_id: place.dept_id,
        doctor_id: place.doctor_id,
        reg_date: place.reg_date,
        time_flag: place.time_flag,
        begin_time: place.begin_time,
        end_time: place.end_time,
        reg_fee: place.reg_fee,
        treat_fee: 0,
        idcard_type: document.system.strip_prefix(words::ID_TYPE)?.to_owned(),
        idcard_no: document.value.clone(),
        name: patient.name.first()?.text.clone(),
        sex: None,
        mobile: patient.telecom.first().map(|it| it.value.clone()).unwrap_or_default(),
        pay_flag: Some(if out_trade_no.is_some() { "1" } else { "0" }.to_owned()),
        out_trade_no,
        pay_amt: number_of(&wanted.extension, "paid-fen"),
    })
}

/// The contained patient that a participant names.
fn patient_of(wanted: &Appointment) -> Option<&Patient> {
    let named = |it: &&Patient| {
        let reference = format!("#{}", it.id);
        wanted.participant.iter().any(|participant| participant.actor.reference == reference)
    };
    let patients = wanted.contained.iter().filter_map(|it| match it {
        Resource::Patient(patient) => Some(patient),
        _ => None,
    });
    patients.into_iter().find(named)
}

/// `PATCH Appointment?identifier=` to `cancelled`: 2006 or 2009.
async fn cancel(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>, raw: Bytes) -> Response {
    let patch: Vec<serde_json::Value> = serde_json::from_slice(&raw).unwrap_or_default();
    let value = |path: &str| patch.iter().find(|operation| operation["path"] == path).map(|it| &it["value"]);
    if value("/status").and_then(|it| it.as_str()) != Some("cancelled") {
        return unreadable();
    }
    let (hos_id, zone) = (String::new(), shared.time_zone);
    match one(&asked, "identifier").and_then(identified) {
        Some((words::LOCK, id)) => {
            let call = Call::Unlock(UnlockReg { hos_id, lock_id: id.to_owned() });
            counter::serve(&shared, Function::UnLockReg, call, |ledger, reply| {
                if reply.code == "0" { made(200, papers::lock(ledger, id, zone)) } else { refused(reply) }
            })
            .await
        }
        Some((words::ORDER, id)) => {
            let reason = value("/cancelationReason").and_then(|it| it["text"].as_str()).unwrap_or_default();
            let (order_id, cancel_remark) = (id.to_owned(), reason.to_owned());
            let call = Call::Cancel(CancelReg { hos_id, order_id, cancel_remark });
            counter::serve(&shared, Function::CancelReg, call, |ledger, reply| {
                if reply.code == "0" { made(200, papers::order(ledger, id, zone)) } else { refused(reply) }
            })
            .await
        }
        _ => unreadable(),
    }
}

/// `POST Appointment/$renew-lock` and `/$refund`: 2014 and 2010.
async fn operate(
    State(shared): State<Arc<Shared>>,
    Path(operation): Path<String>,
    Json(given): Json<serde_json::Value>,
) -> Response {
    let Ok(Resource::Parameters(given)) = serde_json::from_value(given) else { return unreadable() };
    let text = |name: &str| Parameters::text(&given, name).map(str::to_owned);
    let zone = shared.time_zone;
    match operation.as_str() {
        "$renew-lock" => {
            let minutes = given.number("minutes").and_then(|it| u32::try_from(it).ok());
            let (Some(lock_id), Some(lock_minutes)) = (text("lock"), minutes) else { return unreadable() };
            let call = Call::Renew(RenewLock { hos_id: String::new(), lock_id: lock_id.clone(), lock_minutes });
            counter::serve(&shared, Function::RenewLock, call, |ledger, reply| {
                if reply.code == "0" { made(200, papers::lock(ledger, &lock_id, zone)) } else { refused(reply) }
            })
            .await
        }
        "$refund" => {
            let told = (text("order"), text("out-trade-no"), given.number("refund-fen"));
            let (Some(order_id), Some(out_trade_no), Some(refund_amt)) = told else { return unreadable() };
            let call =
                Call::Refund(Refund { hos_id: String::new(), order_id: order_id.clone(), out_trade_no, refund_amt });
            counter::serve(&shared, Function::Refund, call, |ledger, reply| {
                if reply.code == "0" { made(200, papers::order(ledger, &order_id, zone)) } else { refused(reply) }
            })
            .await
        }
        _ => said(404, Resource::OperationOutcome(outcome("not-supported", None))),
    }
}
