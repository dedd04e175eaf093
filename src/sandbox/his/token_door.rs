//! The token endpoint of the simulated HIS: OAuth 2.0 client credentials for whoever speaks FHIR, proven with a secret or with a
//! signed assertion. Tokens are of the machine's clock, as signatures are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::{HisServer, Shared};
use crate::sandbox::catalogue::HIS_TOKEN;
use crate::sandbox::faults;

const LASTS: Duration = Duration::from_mins(5);

/// What was handed out, and by which keys clients prove themselves.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Book>);

#[derive(Default)]
struct Book {
    given: HashMap<String, Instant>,
    handed_out: usize,
    keys: Vec<(Algorithm, DecodingKey)>,
    /// Assertions serve once.
    heard: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    jti: String,
}

impl Tokens {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for a token that was given and still holds.
    pub(super) fn hold(&self, token: &str) -> bool {
        self.book().given.get(token).is_some_and(|until| *until > Instant::now())
    }

    fn give(&self) -> String {
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut book = self.book();
        book.given.insert(token.clone(), Instant::now() + LASTS);
        book.handed_out += 1;
        token
    }

    /// True where the assertion is signed by a client of ours, is meant for us and was not heard before.
    fn believes(&self, assertion: &str, client_id: &str, audience: &str) -> bool {
        let mut book = self.book();
        let jti = book.keys.iter().find_map(|(algorithm, key)| {
            let mut validation = Validation::new(*algorithm);
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
            let claims = decode::<Claims>(assertion, key, &validation).ok()?.claims;
            (claims.iss == client_id).then_some(claims.jti)
        });
        jti.is_some_and(|jti| book.heard.insert(jti))
    }
}

impl HisServer {
    /// The address of its token endpoint.
    pub fn token_url(&self) -> String {
        format!("http://{}/oauth/token", self.address)
    }

    /// A client may prove itself with this key from now on.
    pub fn trusts(&self, algorithm: Algorithm, key: DecodingKey) {
        self.shared.tokens.book().keys.push((algorithm, key));
    }

    /// Every access token that was given is refused from now on; says how many were ever given.
    pub fn ends_tokens(&self) -> usize {
        let mut book = self.shared.tokens.book();
        book.given.clear();
        book.handed_out
    }
}

/// `POST /oauth/token`.
pub(super) async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, raw: Bytes) -> Response {
    let faults = &shared.pusher.faults;
    let fault = faults.request(HIS_TOKEN, &shared.credentials.user_id);
    let told = faults.answer(HIS_TOKEN, &shared.credentials.user_id);
    let slow = shared.slow;
    let work = async move {
        match told {
            Some(error) => refused(error),
            None => granted(&shared, &headers, &raw),
        }
    };
    faults::perhaps(fault, slow, work).await
}

fn refused(error: &str) -> Response {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, Json(json!({ "error": error }))).into_response()
}

fn granted(shared: &Shared, headers: &HeaderMap, raw: &[u8]) -> Response {
    let form: HashMap<String, String> = form_of(raw);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return refused("unsupported_grant_type");
    }
    let (client_id, secret) = (&shared.credentials.user_id, shared.credentials.sign_key.expose_secret());
    let basic = format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")));
    let by_secret = headers.get(AUTHORIZATION).is_some_and(|it| it.as_bytes() == basic.as_bytes());
    let host = headers.get("host").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let audience = format!("http://{host}/oauth/token");
    if !by_secret && !shared.tokens.believes(field("client_assertion"), client_id, &audience) {
        return refused("invalid_client");
    }
    let answer = json!({
        "access_token": shared.tokens.give(), "token_type": "bearer", "expires_in": LASTS.as_secs(), "scope": field("scope"),
    });
    Json(answer).into_response()
}

fn form_of(raw: &[u8]) -> HashMap<String, String> {
    let query = String::from_utf8_lossy(raw);
    let url = reqwest::Url::parse(&format!("http://form/?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}
