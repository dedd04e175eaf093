//! The door of the simulated HIS where 健康通 v3.3 is spoken: SOAP and XML.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::counter::{self, Call, Reply, Said, Unheard};
use crate::ports::his::envelope::EnvelopeError;
use crate::ports::his::return_code::Function;
use crate::ports::his::{messages, soap};

/// `POST /`: one call.
pub(super) async fn answer(State(shared): State<Arc<Shared>>, raw: Bytes) -> Response {
    match open(&shared, &raw) {
        Ok((function, call)) => {
            counter::serve(&shared, function, call, |_, reply| respond(&shared, function.name(), reply)).await
        }
        Err((code, words)) => respond(&shared, "Unknown", &Reply::of(code, words)),
    }
}

fn open(shared: &Shared, raw: &[u8]) -> Result<(Function, Call), Unheard> {
    let request = shared.envelope().open_request(raw).map_err(|error| match error {
        EnvelopeError::Signature => ("7", "签名错误"),
        _ => ("1", "参数错误"),
    })?;
    let function = Function::of_code(&request.function).ok_or(("1", "功能号不存在"))?;
    let call = Call::read(function, &request.body).map_err(|_| ("1", "参数错误"))?;
    Ok((function, call))
}

fn respond(shared: &Shared, method: &str, reply: &Reply) -> Response {
    let body = match &reply.said {
        Said::Nothing => Ok(String::new()),
        Said::Schedules(body) => messages::write_reply(body),
        Said::Slots(body) => messages::write_reply(body),
        Said::Lock(body) => messages::write_reply(body),
        Said::Order(body) => messages::write_reply(body),
        Said::Record(body) => messages::write_reply(body),
        Said::Orders(body) => messages::write_reply(body),
        Said::Locks(body) => messages::write_reply(body),
        Said::Breaches(body) => messages::write_reply(body),
    };
    let root = body.ok().and_then(|body| shared.envelope().seal_reply(reply.code, &reply.message, &body).ok());
    match root {
        Some(root) => {
            let charset = shared.envelope().charset();
            let content_type = format!("text/xml; charset={}", charset.name());
            ([(CONTENT_TYPE, content_type)], soap::bytes(&soap::reply(method, &root), charset)).into_response()
        }
        None => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
