//! A FHIR server that wants OAuth 2.0: its token is got once, held, and renewed where it is refused.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::SecretString;

use super::world::{World, config, place};
use crate::ports::CallError;
use crate::ports::his::{Config, His, OAuth, Proof, Protocol, SetupError, connect};
use crate::sandbox::catalogue::{HIS_TOKEN, subject};
use crate::sandbox::switches::{Switch, Wrong};

fn client(world: &World, proof: Proof) -> std::sync::Arc<dyn His> {
    connect(proven(world, proof)).unwrap()
}

fn proven(world: &World, proof: Proof) -> Config {
    let scope = "system/Appointment.cruds".to_owned();
    let oauth = Some(OAuth { token_url: world.his.token_url(), client_id: "HOUBU".to_owned(), proof, scope });
    // Pushes alone are signed with the key.
    let url = world.his.url_for(Protocol::Fhir);
    Config { protocol: Protocol::Fhir, oauth, sign_key: "of-pushes".into(), ..config(url) }
}

fn secret() -> Proof {
    Proof::Secret(config(String::new()).sign_key)
}

fn pem(der: &[u8]) -> SecretString {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)).into()
}

async fn reads(client: &std::sync::Arc<dyn His>) -> Result<usize, CallError> {
    let day = place(0).visit_date;
    client.schedules("DEPT", None, day, day).await.map(|it| it.len())
}

#[tokio::test]
async fn a_token_is_got_once_held_and_renewed_once_where_it_is_refused() {
    let world = World::open_in(Protocol::Fhir).await;
    let client = client(&world, secret());
    let (one, two) = tokio::join!(reads(&client), reads(&client));
    assert_eq!((one, two), (Ok(1), Ok(1)));
    assert_eq!(world.his.ends_tokens(), 1, "one holder, whoever comes at once");
    let place = place(0);
    let (one, two) = tokio::join!(reads(&client), client.lock("L1", &place, 30));
    assert!(one == Ok(1) && two.is_ok(), "{two:?}");
    assert_eq!((world.his.ends_tokens(), world.his.books().await.locks.len()), (2, 1), "renewed once for both");
}

#[tokio::test]
async fn what_the_token_endpoint_says_is_told_and_the_call_was_not_made() {
    let world = World::open_in(Protocol::Fhir).await;
    let of = subject(HIS_TOKEN).unwrap();
    let goes_wrong =
        |name| world.his.faults().switches().on(of.call, Wrong::named(of, name).unwrap(), Switch::Times(1));
    let client = client(&world, secret());
    for down in ["cut-before", "cut-after", "error-before", "error-after", "slow"] {
        goes_wrong(down);
        let locked = client.lock("L1", &place(0), 30).await;
        assert!(matches!(locked, Err(CallError::NotTaken { .. })), "{down}: {locked:?}");
    }
    for refused in ["invalid_client", "invalid_scope"] {
        goes_wrong(refused);
        let error = client.lock("L1", &place(0), 30).await.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. }) && error.to_string().contains(refused), "{error}");
    }
    assert!(world.his.books().await.locks.is_empty());
    let stranger = self::client(&world, Proof::Secret("another".into()));
    assert!(reads(&stranger).await.unwrap_err().to_string().contains("401 invalid_client"));
}

#[tokio::test]
async fn a_key_proves_who_asks_with_rs384_and_with_es384() {
    let world = World::open_in(Protocol::Fhir).await;
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new());
    let p384 = document.unwrap().as_ref().to_vec();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &p384).unwrap();
    let ours = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = ours.as_der().unwrap();
    let keys = [
        (Algorithm::ES384, DecodingKey::from_ec_der(pair.public_key().as_ref()), pem(&p384)),
        (Algorithm::RS384, DecodingKey::from_rsa_der(ours.public_key().as_ref()), pem(private.as_ref())),
    ];
    for (algorithm, public, pem) in keys {
        let client = client(&world, Proof::Key { pem, key_id: "k1".to_owned() });
        let unknown = reads(&client).await.unwrap_err();
        assert!(unknown.to_string().contains("invalid_client"), "{algorithm:?}: {unknown}");
        world.his.trusts(algorithm, public);
        assert_eq!(reads(&client).await, Ok(1), "{algorithm:?}");
        world.his.ends_tokens();
        assert_eq!(reads(&client).await, Ok(1), "{algorithm:?}: a second assertion is another one");
    }
    let wrong = connect(proven(&world, Proof::Key { pem: "no key".into(), key_id: String::new() }));
    assert!(matches!(wrong, Err(SetupError::TokenKey)));
}
