//! Logging in at an identity provider, a small one over real HTTP: who is let in, as whom, and what is not believed.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use houbu::console::access::{Provider, Settings};
use houbu::desk::access::GroupRoles;
use houbu::desk::access::role::Role;
use houbu::desk::access::token::Token;
use houbu::ports::identity::{IdentityConfig, IdentityProvider};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::{PASSWORD, deeds, last_deed};
use crate::surface::House;

/// The provider, and what its next token says.
struct Issuer {
    address: String,
    key: Vec<u8>,
    public: Value,
    /// Codes that were given: challenge, nonce.
    codes: Mutex<HashMap<String, (String, String)>>,
    says: Mutex<Says>,
}

#[derive(Clone)]
struct Says {
    /// Changes of the claims.
    claims: Value,
    /// Signed in another way, or with another key.
    forged: Option<(Algorithm, EncodingKey)>,
}

fn new_key() -> (Vec<u8>, Value) {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
        "x": part(&point[1..33]), "y": part(&point[33..65]),
    });
    (key.as_ref().to_vec(), public)
}

impl Issuer {
    async fn open() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (key, public) = new_key();
        let says = Says { claims: json!({}), forged: None };
        let issuer = Arc::new(Self { address, key, public, codes: Mutex::default(), says: Mutex::new(says) });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route(
                "/keys",
                get(async |State(issuer): State<Arc<Self>>| {
                    Json(json!({ "keys": [{ "kty": "XYZ", "use": "enc", "kid": "k1" }, issuer.public] }))
                }),
            )
            .route("/token", post(exchange))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        issuer
    }

    /// The next token says this besides.
    fn says(&self, claims: Value) {
        *self.says.lock().unwrap() = Says { claims, forged: None };
    }

    /// Somebody logs in there: the code that the browser is given.
    fn log_in(&self, asked: &str) -> (String, String) {
        let url = Url::parse(asked).unwrap();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert!(asked.starts_with(&format!("{}/authorise?", self.address)), "{asked}");
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", "houbu"));
        assert_eq!(query["redirect_uri"], "http://houbu.test/login/provider/back");
        assert_eq!((query["scope"].as_str(), query["code_challenge_method"].as_str()), ("openid profile", "S256"));
        let code = uuid::Uuid::new_v4().to_string();
        let kept = (query["code_challenge"].clone(), query["nonce"].clone());
        self.codes.lock().unwrap().insert(code.clone(), kept);
        (code, query["state"].clone())
    }
}

async fn describe(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", issuer.address);
    Json(json!({
        "issuer": issuer.address, "authorization_endpoint": at("/authorise"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
    }))
}

async fn exchange(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let kept = issuer.codes.lock().unwrap().remove(&form["code"]);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    let Some((_, nonce)) = kept.filter(|(wanted, _)| *wanted == challenge) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    // houbu:s%20e%2Fcret
    assert_eq!(headers["authorization"], "Basic aG91YnU6cyUyMGUlMkZjcmV0");
    let now = chrono::Utc::now().timestamp();
    let says = issuer.says.lock().unwrap().clone();
    let mut claims = json!({
        "iss": issuer.address, "aud": "houbu", "sub": "4711", "nonce": nonce, "iat": now, "exp": now + 300,
        "preferred_username": "Anna.Keller", "groups": ["service-desk"],
    });
    for (name, value) in says.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let (algorithm, key) = says.forged.unwrap_or_else(|| (Algorithm::ES256, EncodingKey::from_ec_der(&issuer.key)));
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    Json(json!({ "id_token": token, "access_token": "none", "token_type": "Bearer" })).into_response()
}

async fn house(issuer: &Issuer) -> House {
    let client = IdentityProvider::new(IdentityConfig {
        issuer: issuer.address.clone(),
        client_id: "houbu".to_owned(),
        client_secret: Some("s e/cret".into()),
        redirect_url: "http://houbu.test/login/provider/back".to_owned(),
        scopes: vec!["profile".to_owned()],
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        timeout: Duration::from_secs(5),
    });
    let roles = GroupRoles(vec![
        ("staff".to_owned(), Role::Viewer),
        ("service-desk".to_owned(), Role::Operator),
        ("it".to_owned(), Role::Administrator),
    ]);
    let provider = Provider { client: client.unwrap(), issuer: issuer.address.clone(), roles };
    House::entered(Settings { provider: Some(Arc::new(provider)), ..Settings::default() }).await
}

/// There and back.
async fn come_in(issuer: &Issuer, browser: &mut Browser<'_>) -> Page {
    let there = browser.get("/login/provider?next=/account").await;
    let (code, state) = issuer.log_in(there.to());
    browser.get(&format!("/login/provider/back?code={code}&state={state}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_provider_knows_comes_in_with_the_role_of_their_groups() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let mut browser = Browser::new(&house);
    assert!(browser.get("/login").await.text.contains("/login/provider?next="));
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    assert_eq!(browser.errand, None, "what belonged to the login is gone");
    let account = browser.get("/account").await;
    assert!(account.text.contains("anna.keller · Operator"), "{}", account.text);
    assert!(!account.text.contains("/account/password"), "the provider knows the password, not we");
    assert_eq!(last_deed(&house).await["after"], json!({ "user": "anna.keller", "provider": true }));

    // Her groups have changed meanwhile, and her name: she is the same person.
    issuer.says(json!({ "groups": ["staff", "it"], "preferred_username": "anna.berg" }));
    let mut elsewhere = Browser::new(&house);
    assert_eq!(come_in(&issuer, &mut elsewhere).await.to(), "/account");
    assert!(elsewhere.get("/users").await.text.contains("<b>anna.keller</b>"));
    assert_eq!(browser.get("/users").await.status, 200, "the role holds everywhere");
    let deeds = deeds(&house).await;
    let of_provider = ["identity provider user.made", "anna.keller login", "identity provider user.role"];
    assert_eq!(deeds, [&of_provider[..], &["anna.keller login"]].concat());

    // An administrator here shuts her out, whatever the provider says.
    let id = house.hospital.desk.lodge.user_named("anna.keller").await.unwrap().id;
    house.hospital.desk.lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    let mut admin = Browser::new(&house);
    admin.log_in("admin", PASSWORD).await;
    assert_eq!(
        admin.post(&format!("/users/{id}/deed"), &[("deed", "disable"), ("reason", "a reason")]).await.status,
        200
    );
    assert_eq!(browser.get("/account").await.status, 303);
    assert_eq!(come_in(&issuer, &mut browser).await.status, 401);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_groups_have_no_role_any_more_is_out_everywhere() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let mut browser = Browser::new(&house);
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    assert_eq!(browser.get("/account").await.status, 200);
    issuer.says(json!({ "groups": ["kitchen"] }));
    assert_eq!(come_in(&issuer, &mut Browser::new(&house)).await.status, 403);
    assert_eq!(browser.get("/account").await.status, 303, "nor does a session from before go on");
    assert!(deeds(&house).await.contains(&"identity provider logout.everywhere".to_owned()));
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_stays_one_whatever_the_provider_says() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    issuer.says(json!({ "groups": ["it"] }));
    let mut browser = Browser::new(&house);
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    issuer.says(json!({ "groups": ["staff"] }));
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    assert_eq!(browser.get("/users").await.status, 200, "somebody has to let others in");
    let audit = house.get("/v1/audit?verb=user.role").await.json();
    let deed = &audit["items"][0];
    assert_eq!(deed["after"], json!({ "user": "anna.keller", "role": "administrator", "asked": "viewer" }));
    assert_eq!(deed["reason"], "the last administrator keeps the role");
    // Beside another one the provider's word holds.
    house.hospital.desk.lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    assert_eq!(browser.get("/users").await.status, 403);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_provider_knows_never_has_a_password_here() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let lodge = &house.hospital.desk.lodge;
    let mut browser = Browser::new(&house);
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    let mut admin = Browser::new(&house);
    admin.log_in("admin", PASSWORD).await;
    let page = admin.get("/users").await;
    assert_eq!(page.text.matches("value=\"link\"").count(), 3, "for the local users: {}", page.text);
    let id = lodge.user_named("anna.keller").await.unwrap().id;
    let refused = admin.post(&format!("/users/{id}/deed"), &[("deed", "link"), ("reason", "a reason")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("has no password here"), "{}", refused.text);
    // Nor by a link that was there before.
    let link = Token::make().unwrap();
    sqlx::query(
        "insert into staff_link select hospital, $2, id, now() + interval '1 day' from staff_user where id = $1",
    )
    .bind(id)
    .bind(link.hash().as_slice())
    .execute(&house.hospital.desk.engine.pool)
    .await
    .unwrap();
    assert!(lodge.choose_password(&link, &PASSWORD.into()).await.is_err());
    assert_eq!(Browser::new(&house).log_in("anna.keller", PASSWORD).await.status, 401);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_user_of_the_same_name_is_somebody_else() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    house.hospital.desk.lodge.make_demo_users(&PASSWORD.into()).await.unwrap();
    issuer.says(json!({ "preferred_username": "admin", "groups": ["staff"] }));
    let mut browser = Browser::new(&house);
    assert_eq!(come_in(&issuer, &mut browser).await.to(), "/account");
    let account = browser.get("/account").await;
    assert!(account.text.contains("admin-") && account.text.contains("Viewer"), "{}", account.text);
    assert_eq!(browser.get("/users").await.status, 403);
    // Nor does one of the same id at another provider come in as that person: the id belongs to its issuer.
    let subjects: Vec<String> = sqlx::query_scalar("select subject from staff_user where subject is not null")
        .fetch_all(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    assert_eq!(subjects, [format!("{} 4711", issuer.address)]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_to_be_believed_lets_nobody_in() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let past = chrono::Utc::now().timestamp() - 600;
    for (claims, status) in [
        (json!({ "groups": ["kitchen"] }), 403),
        (json!({ "groups": null }), 403),
        (json!({ "aud": "another" }), 401),
        (json!({ "iss": "https://id.example.org" }), 401),
        (json!({ "exp": past }), 401),
        (json!({ "nonce": "of another login" }), 401),
        (json!({ "azp": "another", "aud": ["houbu", "another"] }), 401),
    ] {
        issuer.says(claims.clone());
        let mut browser = Browser::new(&house);
        let page = come_in(&issuer, &mut browser).await;
        assert_eq!((page.status, &browser.cookie), (status, &None), "{claims}");
    }
    let (other, _) = new_key();
    let shared = EncodingKey::from_secret(issuer.public["x"].as_str().unwrap().as_bytes()).unwrap();
    for forged in [(Algorithm::ES256, EncodingKey::from_ec_der(&other)), (Algorithm::HS256, shared)] {
        *issuer.says.lock().unwrap() = Says { claims: json!({}), forged: Some(forged) };
        let mut browser = Browser::new(&house);
        assert_eq!(come_in(&issuer, &mut browser).await.status, 401);
        assert_eq!(browser.cookie, None);
    }
    issuer.says(json!({}));
    assert!(house.hospital.desk.lodge.users().await.unwrap().is_empty(), "nobody was made");
    assert_eq!(last_deed(&house).await["verb"], "login.failed");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_finished_by_the_browser_that_began_it_and_once() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let mut mallory = Browser::new(&house);
    let there = mallory.get("/login/provider").await;
    let (code, state) = issuer.log_in(there.to());
    let back = format!("/login/provider/back?code={code}&state={state}");
    // Somebody is led to the end of another's login, without having begun one, or having begun their own.
    let mut browser = Browser::new(&house);
    assert_eq!(browser.get(&back).await.status, 401);
    browser.get("/login/provider").await;
    assert_eq!(browser.get(&back).await.status, 401);
    assert_eq!(browser.cookie, None);
    // The provider says no.
    browser.get("/login/provider").await;
    assert_eq!(browser.get(&format!("/login/provider/back?error=access_denied&state={state}")).await.status, 401);

    let errand = mallory.errand.clone();
    assert_eq!(mallory.get(&back).await.to(), "/");
    mallory.errand = errand;
    mallory.cookie = None;
    assert_eq!(mallory.get(&back).await.status, 401, "a code is good once");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tries_at_the_provider_too_often_reads_so_on_the_login_page() {
    let issuer = Issuer::open().await;
    let house = house(&issuer).await;
    let mut browser = Browser::new(&house);
    while house.hospital.desk.lodge.may_try(None).is_ok() {}
    for path in ["/login/provider?next=/runs", "/login/provider/back?code=c&state=s"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 429, "{path}: {}", page.text);
        assert!(page.headers.contains_key("retry-after"));
        assert!(page.text.contains("Too many tries") && page.text.contains("action=\"/login?"), "{}", page.text);
    }
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_or_calls_itself_otherwise_is_said_so() {
    let issuer = Issuer::open().await;
    let away = Issuer { address: "http://127.0.0.1:9".to_owned(), ..copy(&issuer) };
    let house = self::house(&away).await;
    let page = Browser::new(&house).get("/login/provider").await;
    assert_eq!(page.status, 503);
    assert!(page.text.contains("does not answer"), "{}", page.text);
    house.hospital.close().await;

    let other = issuer.address.replace("127.0.0.1", "localhost");
    let other = Issuer { address: other, ..copy(&issuer) };
    let house = self::house(&other).await;
    assert_eq!(Browser::new(&house).get("/login/provider").await.status, 503);
    house.hospital.close().await;

    let house = House::open(houbu::waitlist::policy::LevelPolicy::default()).await;
    assert_eq!(Browser::new(&house).get("/login/provider").await.status, 404, "none is configured");
    house.hospital.close().await;
}

/// The same provider, for another address.
fn copy(issuer: &Issuer) -> Issuer {
    let says = Mutex::new(issuer.says.lock().unwrap().clone());
    let (address, key, public) = (issuer.address.clone(), issuer.key.clone(), issuer.public.clone());
    Issuer { address, key, public, codes: Mutex::default(), says }
}
