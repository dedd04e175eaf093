//! The door of the simulated HIS where the functions of 健康通 are asked for in JSON.
//!
//! Stamps are of the machine's clock, not of the sandbox's: a signature's age is an affair of machines.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Shared;
use super::counter::{self, Call, Reply, Said, Unheard};
use crate::ports::his::json;
use crate::ports::his::json_line::{Answering, Asking, STALE};
use crate::ports::his::return_code::Function;
use crate::ports::stamp::{Stamp, Way};

/// `POST /rest/<code>`: one call.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(code): Path<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let Ok(stamp) = Stamp::read(&headers) else { return StatusCode::BAD_REQUEST.into_response() };
    match open(&shared, &code, &stamp, &raw) {
        Ok((function, call)) => {
            counter::serve(&shared, function, call, |_, reply| respond(&shared, &stamp, reply)).await
        }
        Err((code, words)) => respond(&shared, &stamp, &Reply::of(code, words)),
    }
}

fn open(shared: &Shared, code: &str, stamp: &Stamp, raw: &[u8]) -> Result<(Function, Call), Unheard> {
    shared.stamper.verify(Way::Call, stamp, raw).map_err(|_| ("7", "签名错误"))?;
    stamp.fresh(shared.clock.of_the_machine()).map_err(|_| (STALE, "时间戳超出允许范围"))?;
    let asking: Asking = serde_json::from_slice(raw).map_err(|_| ("1", "参数错误"))?;
    if asking.user_id != shared.credentials.user_id {
        return Err(("7", "签名错误"));
    }
    let function = Function::of_code(&asking.function).filter(|function| function.code() == code);
    let function = function.ok_or(("1", "功能号不存在"))?;
    let body = json::as_xml(&asking.data).map_err(|_| ("1", "参数错误"))?;
    let call = Call::read(function, &body).map_err(|_| ("1", "参数错误"))?;
    Ok((function, call))
}

fn respond(shared: &Shared, stamp: &Stamp, reply: &Reply) -> Response {
    let (status, code) = match (reply.code, reply.business()) {
        (_, Some(business)) => (StatusCode::CONFLICT, business),
        (code @ "0", _) => (StatusCode::OK, code),
        (code @ "99", _) => (StatusCode::SERVICE_UNAVAILABLE, code),
        (code @ ("7" | STALE), _) => (StatusCode::UNAUTHORIZED, code),
        (code, _) => (StatusCode::BAD_REQUEST, code),
    };
    let data = match &reply.said {
        Said::Nothing => Value::Null,
        said => json::write(said).unwrap_or_default(),
    };
    let answering = Answering { code: code.to_owned(), message: reply.message.clone(), data };
    let body = serde_json::to_vec(&answering).unwrap_or_default();
    let stamp = shared.stamper.sign(Way::Answer, shared.clock.of_the_machine(), &stamp.nonce, &body).headers();
    (status, stamp, [(CONTENT_TYPE, "application/json")], body).into_response()
}
