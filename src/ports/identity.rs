//! An identity provider of the hospital that speaks OpenID Connect: the authorization code flow with PKCE. A login is a redirect
//! there and back, and two calls: the code for a token, and the keys that the token is signed with.
//!
//! What is believed is a token that the provider signed with a key of its own, for us, for this very login, now. Nothing here
//! logs a token, a code or a claim.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::calling::{client, is_here, small};

/// Clocks may differ by so much, s.
const LEEWAY_S: u64 = 60;
/// What a token may be signed with: never with a secret that others share.
const SIGNED_BY: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How the provider is reached, and what it says of whom.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// Its address, exactly as it calls itself.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub client_secret: Option<SecretString>,
    /// Where it sends browsers back to.
    pub redirect_url: String,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds a user's name.
    pub name_claim: String,
    /// The claim that holds a user's groups; dots lead into objects.
    pub groups_claim: String,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No answer, or none that can be read.
    #[error("the identity provider could not be asked: {0}")]
    Away(String),
    /// It says no.
    #[error("the identity provider refused: {0}")]
    Refused(String),
    /// What it says is not to be believed.
    #[error("the identity provider's token is not to be believed: {0}")]
    Unbelieved(String),
}

/// What a login keeps in the browser until it is back. Each part is by chance.
#[derive(Clone)]
pub struct Errand {
    /// Comes back with the code.
    pub state: String,
    /// Stands in the token.
    pub nonce: String,
    /// Shows that the code is ours.
    pub verifier: String,
}

/// Who the provider says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id there, which never changes.
    pub subject: String,
    /// Its name there, if any.
    pub name: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// The provider.
pub struct IdentityProvider {
    config: IdentityConfig,
    discovery: Url,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Described {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    nonce: Option<String>,
    azp: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl std::fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityProvider({})", self.config.issuer)
    }
}

impl IdentityProvider {
    /// A client of this configuration.
    pub fn new(config: IdentityConfig) -> Result<Self, IdentityError> {
        let address = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
        let discovery = Url::parse(&address).map_err(|_| IdentityError::Away("the issuer is no address".to_owned()))?;
        if !is_private(&discovery) {
            return Err(IdentityError::Away("the issuer is not an https address".to_owned()));
        }
        let http = client(&discovery, config.timeout).build().map_err(|error| away(&error))?;
        Ok(Self { config, discovery, http })
    }

    /// Where a browser is sent to log in.
    pub async fn begin(&self, errand: &Errand) -> Result<String, IdentityError> {
        let described = self.describe().await?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, errand.verifier.as_bytes()));
        let scopes: Vec<&str> =
            std::iter::once("openid").chain(self.config.scopes.iter().map(String::as_str)).collect();
        let mut url = private(&described.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.config.redirect_url)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &errand.state)
            .append_pair("nonce", &errand.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Who has logged in there, by the code that the browser brought back.
    pub async fn finish(&self, code: &str, errand: &Errand) -> Result<Identity, IdentityError> {
        let described = self.describe().await?;
        let tokens = self.exchange(&described, code, errand).await?;
        let keys = self.keys(&described).await?;
        self.read(&tokens.id_token, &keys.keys, &errand.nonce)
    }

    /// Whether it answers as the one that we mean, with keys to sign with. Nobody is logged in.
    pub async fn prove(&self) -> Result<(), IdentityError> {
        let described = self.describe().await?;
        private(&described.authorization_endpoint)?;
        private(&described.token_endpoint)?;
        if self.keys(&described).await?.keys.is_empty() {
            return Err(IdentityError::Unbelieved("it has no keys to sign with".to_owned()));
        }
        Ok(())
    }

    async fn keys(&self, described: &Described) -> Result<Keys, IdentityError> {
        self.ask(self.http.get(private(&described.jwks_uri)?)).await
    }

    async fn describe(&self) -> Result<Described, IdentityError> {
        let described: Described = self.ask(self.http.get(self.discovery.clone())).await?;
        if described.issuer != self.config.issuer {
            return Err(IdentityError::Unbelieved("it calls itself by another name than oidc.issuer".to_owned()));
        }
        Ok(described)
    }

    async fn exchange(&self, described: &Described, code: &str, errand: &Errand) -> Result<Tokens, IdentityError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.config.redirect_url.as_str()),
            ("code_verifier", errand.verifier.as_str()),
        ];
        let mut request = self.http.post(private(&described.token_endpoint)?);
        let methods = described.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        match &self.config.client_secret {
            None => form.push(("client_id", &self.config.client_id)),
            // Basic is what a provider takes that says nothing of it.
            Some(secret) if takes("client_secret_post") && !takes("client_secret_basic") => {
                form.push(("client_id", &self.config.client_id));
                form.push(("client_secret", secret.expose_secret()));
            }
            Some(secret) => {
                let pair = format!("{}:{}", encoded(&self.config.client_id), encoded(secret.expose_secret()));
                request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
        }
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        self.ask(request).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, IdentityError> {
        let response = request.header("accept", "application/json").send().await.map_err(|error| away(&error))?;
        match response.status().as_u16() {
            200 => {
                let raw = small(response).await.map_err(|error| away(&error))?;
                let raw = raw.ok_or_else(|| IdentityError::Away("an answer that is too large".to_owned()))?;
                serde_json::from_slice(&raw)
                    .map_err(|_| IdentityError::Away("an answer that cannot be read".to_owned()))
            }
            status @ 400..=499 => Err(IdentityError::Refused(format!("status {status}"))),
            status => Err(IdentityError::Away(format!("status {status}"))),
        }
    }

    /// Who a token speaks of, where it is to be believed.
    fn read(&self, token: &str, keys: &[Value], nonce: &str) -> Result<Identity, IdentityError> {
        let unbelieved = |what: &str| IdentityError::Unbelieved(what.to_owned());
        let header = decode_header(token).map_err(|error| unbelieved(&error.to_string()))?;
        if !SIGNED_BY.contains(&header.alg) {
            return Err(unbelieved("it is signed in a way that anybody could"));
        }
        let key = key_of(keys, header.kid.as_deref()).ok_or_else(|| unbelieved("it is signed with an unknown key"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|error| unbelieved(&error.to_string()))?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| unbelieved(&error.to_string()))?.claims;
        if claims.nonce.as_deref() != Some(nonce) {
            return Err(unbelieved("it belongs to another login"));
        }
        if claims.azp.as_deref().is_some_and(|azp| azp != self.config.client_id) {
            return Err(unbelieved("it was given to somebody else"));
        }
        let name = claim(&claims.others, &self.config.name_claim).and_then(Value::as_str).map(str::to_owned);
        let groups = match claim(&claims.others, &self.config.groups_claim) {
            Some(Value::String(group)) => vec![group.clone()],
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(Identity { subject: claims.sub, name, groups })
    }
}

/// Whether nobody else reads what is said there.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_here(url))
}

/// An address that the provider names.
fn private(text: &str) -> Result<Url, IdentityError> {
    let url = Url::parse(text).ok().filter(is_private);
    url.ok_or_else(|| IdentityError::Unbelieved("it names an address that is not https".to_owned()))
}

/// The key of this id; where a token names none, the only one there is. A provider may publish others, for other ends and of kinds
/// that we do not know.
fn key_of(keys: &[Value], kid: Option<&str>) -> Option<Jwk> {
    let signs = |key: &&Value| key.get("use").is_none_or(|used| used == "sig");
    let fits = |key: &&Value| kid.is_none() || key.get("kid").and_then(Value::as_str) == kid;
    let mut fitting = keys.iter().filter(signs).filter(fits);
    let (Some(key), None) = (fitting.next(), fitting.next()) else { return None };
    serde_json::from_value(key.clone()).ok()
}

/// A claim; dots lead into objects, unless the name itself has them.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(name) {
        return Some(found);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |within, part| within.get(part))
}

/// What was seen of a failure: never the address, which can hold a code.
fn away(error: &reqwest::Error) -> IdentityError {
    let what = match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "no connection",
        _ => "the call failed",
    };
    IdentityError::Away(what.to_owned())
}

/// A text as a part of a form.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_or_within_objects() {
        let claims = json!({ "groups": ["a"], "realm_access": { "roles": ["b"] }, "https://x.y/roles": ["c"] });
        let Value::Object(claims) = claims else { unreachable!() };
        for (name, found) in
            [("groups", Some("a")), ("realm_access.roles", Some("b")), ("https://x.y/roles", Some("c")), ("x.y", None)]
        {
            assert_eq!(claim(&claims, name).and_then(|value| value[0].as_str()), found, "{name}");
        }
    }

    #[test]
    fn a_provider_on_another_machine_is_asked_over_https_alone() {
        let config = |issuer: &str| IdentityConfig {
            issuer: issuer.to_owned(),
            client_id: "houbu".to_owned(),
            client_secret: None,
            redirect_url: "https://houbu.example.org/login/provider/back".to_owned(),
            scopes: Vec::new(),
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            timeout: Duration::from_secs(5),
        };
        for (issuer, fine) in [
            ("https://id.example.org/realms/hospital", true),
            ("http://127.0.0.1:9000", true),
            ("http://id.example.org", false),
            ("id.example.org", false),
        ] {
            assert_eq!(IdentityProvider::new(config(issuer)).is_ok(), fine, "{issuer}");
        }
    }
}
