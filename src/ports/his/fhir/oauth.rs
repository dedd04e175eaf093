//! OAuth 2.0 for a FHIR server: an access token by client credentials, proven with a secret or, as SMART Backend Services has it,
//! with a signed assertion. One holder a process; a token is renewed before it ends, and once where the server refuses it.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ports::CallError;
use crate::ports::calling::{address, carried, client, traced};
use crate::ports::his::connection::SetupError;
use crate::ports::his::replies::heard;

const CALL: &str = "OAuth token";
/// A token is renewed so long before it ends; one that lasts less than twice that, at half its time.
const BEFORE_THE_END: Duration = Duration::from_mins(1);
/// What a token lasts whose answer does not say it.
const UNSAID: Duration = Duration::from_mins(5);
/// No token is believed to last longer: one that never ends comes as a very large number.
const LASTS_MAX: Duration = Duration::from_hours(24);
/// An assertion serves once, and no longer than SMART allows (five minutes).
const ASSERTION_SECONDS: i64 = 240;
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a token is got.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The token endpoint.
    pub token_url: String,
    /// By which we are known there.
    pub client_id: String,
    /// How we prove it.
    pub proof: Proof,
    /// What we ask for, for example `system/Appointment.cruds system/Slot.rs system/Schedule.rs`; empty: not said.
    pub scope: String,
}

/// How a client proves itself.
#[derive(Debug, Clone)]
pub enum Proof {
    /// `client_secret_basic`.
    Secret(SecretString),
    /// `private_key_jwt`: a key in PKCS#8 PEM, RSA (RS384) or P-384 (ES384), and the `kid` under which the server knows it.
    Key {
        /// `BEGIN PRIVATE KEY`.
        pem: SecretString,
        /// `kid`; empty: not said.
        key_id: String,
    },
}

enum Signer {
    Rsa(rsa::KeyPair),
    P384(EcdsaKeyPair),
}

enum Proving {
    Secret(SecretString),
    Key(Signer, String),
}

/// The holder of the token.
pub(super) struct Grant {
    url: Url,
    client_id: String,
    proving: Proving,
    scope: String,
    http: reqwest::Client,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Grant {
    pub(super) fn new(oauth: &OAuth, timeout: Duration) -> Result<Self, SetupError> {
        let url = address(&oauth.token_url).ok_or(SetupError::TokenAddress)?;
        let http = client(&url, timeout).connect_timeout(timeout / 3).build()?;
        let proving = match &oauth.proof {
            Proof::Secret(secret) => Proving::Secret(secret.clone()),
            Proof::Key { pem, key_id } => Proving::Key(Signer::from_pem(pem.expose_secret())?, key_id.clone()),
        };
        let (client_id, scope) = (oauth.client_id.clone(), oauth.scope.clone());
        Ok(Self { url, client_id, proving, scope, http, held: Mutex::default() })
    }

    /// A token that may be used now; another one than `refused`. Who comes while it is asked for waits for it.
    pub(super) async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, CallError> {
        let mut held = self.held.lock().await;
        let dead = |token: &SecretString| refused.is_some_and(|it| it.expose_secret() == token.expose_secret());
        if let Some(held) = held.as_ref().filter(|held| held.until > Instant::now() && !dead(&held.token)) {
            return Ok(held.token.clone());
        }
        *held = None;
        let asked_at = Instant::now();
        let granted = traced("his", CALL, self.ask()).await?;
        let until = asked_at + good_for(granted.expires_in);
        let token = granted.access_token.clone();
        *held = Some(Held { token: token.clone(), until });
        Ok(token)
    }

    /// Asks once. Whatever fails here, the call that wanted the token was not made.
    async fn ask(&self) -> Result<Granted, CallError> {
        let broken = |detail: String| CallError::Broken { system: "his", call: CALL, detail };
        let not_taken = |detail: &str| CallError::not_taken("his", format!("{CALL}: {detail}"));
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !self.scope.is_empty() {
            form.push(("scope", self.scope.clone()));
        }
        let mut request = self.http.post(self.url.clone()).header("Accept", "application/json");
        match &self.proving {
            // RFC 6749, 2.3.1: both are form-encoded before.
            Proving::Secret(secret) => {
                request = request.basic_auth(encoded(&self.client_id), Some(encoded(secret.expose_secret())));
            }
            Proving::Key(signer, key_id) => {
                let assertion = assertion(signer, key_id, &self.client_id, self.url.as_str());
                let assertion = assertion.ok_or_else(|| broken("the key cannot sign".to_owned()))?;
                form.extend([("client_assertion_type", ASSERTION.to_owned()), ("client_assertion", assertion)]);
            }
        }
        let body = Url::parse_with_params("http://form/", &form).ok();
        let body = body.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body);
        let response = carried(request).send().await.map_err(|_| not_taken("no answer"))?;
        let status = response.status().as_u16();
        let raw = heard(CALL, response).await.map_err(|_| not_taken("the answer was cut, or is too large"))?;
        match status {
            200 => {
                let granted: Granted = serde_json::from_slice(&raw).map_err(|_| broken("no token came".to_owned()))?;
                if granted.token_type.eq_ignore_ascii_case("bearer") && !granted.access_token.expose_secret().is_empty()
                {
                    Ok(granted)
                } else {
                    Err(broken("the token is no bearer token".to_owned()))
                }
            }
            408 | 429 | 500.. => Err(not_taken(&format!("HTTP {status}"))),
            _ => {
                let told = serde_json::from_slice::<Refused>(&raw).ok().map(|it| it.error).filter(|it| named(it));
                Err(broken(format!("HTTP {status} {}", told.unwrap_or_default()).trim_end().to_owned()))
            }
        }
    }
}

/// How long a token is used that lasts so many seconds.
fn good_for(expires_in: Option<u64>) -> Duration {
    let lasts = expires_in.map_or(UNSAID, |seconds| Duration::from_secs(seconds).min(LASTS_MAX));
    lasts.saturating_sub(BEFORE_THE_END.min(lasts / 2))
}

/// An error code as the standard has them; no other text of the server is repeated.
fn named(error: &str) -> bool {
    error.len() <= 32 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn encoded(text: &str) -> String {
    let url = Url::parse_with_params("http://form/", [("k", text)]).ok();
    url.and_then(|url| url.query().map(|it| it.trim_start_matches("k=").to_owned())).unwrap_or_default()
}

impl Signer {
    fn from_pem(pem: &str) -> Result<Self, SetupError> {
        let inside = pem.split_once("-----BEGIN PRIVATE KEY-----").and_then(|(_, rest)| rest.split_once("-----END"));
        let base64: String = inside.ok_or(SetupError::TokenKey)?.0.split_ascii_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD.decode(base64).map_err(|_| SetupError::TokenKey)?;
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der) {
            return Ok(Self::P384(pair));
        }
        let pair = rsa::KeyPair::from_pkcs8(&der).map_err(|_| SetupError::TokenKey)?;
        if pair.public_modulus_len() < 256 { Err(SetupError::TokenKey) } else { Ok(Self::Rsa(pair)) }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS384",
            Self::P384(_) => "ES384",
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::P384(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
        }
    }
}

/// The signed assertion: who we are, to whom it is said, for some minutes and once.
fn assertion(signer: &Signer, key_id: &str, client_id: &str, audience: &str) -> Option<String> {
    let mut header = json!({ "alg": signer.algorithm(), "typ": "JWT" });
    if !key_id.is_empty() {
        header["kid"] = json!(key_id);
    }
    let now = Utc::now().timestamp();
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + ASSERTION_SECONDS,
        "jti": uuid::Uuid::new_v4().to_string(),
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let said = format!("{}.{}", part(&header), part(&claims));
    let signature = signer.sign(said.as_bytes())?;
    Some(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends_and_one_that_never_does_once_a_day() {
        let seconds = |expires_in| good_for(expires_in).as_secs();
        assert_eq!((seconds(Some(3600)), seconds(Some(60)), seconds(Some(0))), (3540, 30, 0));
        assert_eq!((seconds(None), seconds(Some(u64::MAX))), (240, 86_340));
    }
}
