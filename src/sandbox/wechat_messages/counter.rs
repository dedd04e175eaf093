//! The counter of the simulated WeChat: tokens, template messages and subscribe messages, with their faults and codes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::events::Of;
use super::{APP_ID, House, SendBody};
use crate::sandbox::faults::perhaps;

#[derive(Deserialize)]
pub(super) struct TokenBody {
    grant_type: String,
    appid: String,
    secret: String,
    #[serde(default)]
    force_refresh: bool,
}

#[derive(Deserialize)]
pub(super) struct SendQuery {
    #[serde(default)]
    access_token: String,
}

pub(super) async fn stable_token(State(house): State<Arc<House>>, Json(body): Json<TokenBody>) -> Response {
    let fault = house.faults.request("wechat stable_token", &body.appid);
    if let Some(answer) = house.faults.answer("wechat stable_token", &body.appid) {
        return refusal(answer.parse().unwrap_or(-1)).into_response();
    }
    let slow = house.slow;
    perhaps(fault, slow, async move { token_answer(&house, &body).into_response() }).await
}

fn token_answer(house: &House, body: &TokenBody) -> Json<Value> {
    if body.grant_type != "client_credential" {
        return refusal(40002);
    }
    if body.appid != APP_ID {
        return refusal(40013);
    }
    if body.secret != house.secret {
        return refusal(40125);
    }
    let (value, seconds) = house.token(body.force_refresh);
    Json(json!({"access_token": value, "expires_in": seconds}))
}

pub(super) async fn send(
    State(house): State<Arc<House>>,
    Query(query): Query<SendQuery>,
    Json(body): Json<SendBody>,
) -> Response {
    let fault = house.faults.request("wechat template send", &body.client_msg_id);
    if let Some(answer) = house.faults.answer("wechat template send", &body.client_msg_id) {
        return refusal(answer.parse().unwrap_or(-1)).into_response();
    }
    let slow = house.slow;
    perhaps(fault, slow, async move { served(&house, &query.access_token, body).await.into_response() }).await
}

/// A subscribe message, which has no id of the sender's.
pub(super) async fn send_subscribed(
    State(house): State<Arc<House>>,
    Query(query): Query<SendQuery>,
    Json(body): Json<SendBody>,
) -> Response {
    let (call, key) = ("wechat subscribe send", body.touser.clone());
    let fault = house.faults.request(call, &key);
    if let Some(answer) = house.faults.answer(call, &key) {
        return refusal(answer.parse().unwrap_or(-1)).into_response();
    }
    let slow = house.slow;
    perhaps(fault, slow, async move { subscribed(&house, &query.access_token, body).await.into_response() }).await
}

async fn subscribed(house: &House, token: &str, body: SendBody) -> Json<Value> {
    if let Some(code) = house.token_error(token).or_else(|| house.message_error(&body)) {
        return refusal(code);
    }
    if !house.uses_consent(&body.touser) {
        return refusal(43101);
    }
    match house.accept(SendBody { client_msg_id: String::new(), ..body }).await {
        Ok((n, _)) => {
            let message = house.will_tell_wechat(Of::Subscribe, n);
            Json(json!({"errcode": 0, "errmsg": "ok", "msgid": message}))
        }
        Err(error) => {
            tracing::error!(%error, "the books of the simulated WeChat message platform are not saved");
            refusal(-1)
        }
    }
}

async fn served(house: &House, token: &str, body: SendBody) -> Json<Value> {
    if let Some(code) = house.token_error(token).or_else(|| house.message_error(&body)) {
        return refusal(code);
    }
    match house.accept(body).await {
        Ok((n, is_new)) => {
            let message = if is_new { house.will_tell_wechat(Of::Template, n) } else { super::events::number(n) };
            Json(json!({"errcode": 0, "errmsg": "ok", "msgid": message}))
        }
        Err(error) => {
            tracing::error!(%error, "the books of the simulated WeChat message platform are not saved");
            refusal(-1)
        }
    }
}

fn refusal(code: i64) -> Json<Value> {
    Json(json!({"errcode": code, "errmsg": "refused"}))
}
