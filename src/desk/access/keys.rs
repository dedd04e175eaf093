//! Keys of the API that administrators make: shown once, kept as a hash, changed with an overlap, revoked.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::super::Answer;
use super::Lodge;
use super::refused::Refused;
use super::token::{Token, hash_of};
use super::users::name_of;
use crate::engine::staff::By;
use crate::records::api_keys::{self, Key, Secret};
use crate::waitlist::refusal::Refusal;

/// What a key begins with, so that it is recognised where it should not be.
const PREFIX: &str = "houbu_";
/// So many of its last letters are shown.
const HINT: usize = 4;
/// The longest overlap of two secrets.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

/// What a key may open, by name.
pub const SCOPES: [&str; 3] = ["waitlist", "runs", "admin"];

/// A key with its secrets that have not ended.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// The newest first.
    pub secrets: Vec<Secret>,
}

/// A secret, for whoever asked for it, once.
#[derive(Clone)]
pub struct Given {
    /// The key.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What a caller sends.
    pub secret: String,
}

fn new_secret() -> Answer<(String, [u8; 32], String)> {
    let secret = format!("{PREFIX}{}", Token::make()?.expose());
    let hint = secret.get(secret.len() - HINT..).unwrap_or_default().to_owned();
    let hash = hash_of(&secret);
    Ok((secret, hash, hint))
}

impl Lodge {
    /// Every key, those in force first.
    pub async fn api_keys(&self) -> Answer<Vec<Listed>> {
        let keys = api_keys::list(&self.pool, &self.hospital).await?;
        let secrets = api_keys::secrets(&self.pool, &self.hospital).await?;
        let of = |id: Uuid| secrets.iter().filter(|secret| secret.key_id == id).cloned().collect();
        Ok(keys.into_iter().map(|key| Listed { secrets: of(key.id), key }).collect())
    }

    /// The key of this name.
    pub async fn api_key_named(&self, name: &str) -> Answer<Key> {
        let keys = api_keys::list(&self.pool, &self.hospital).await?;
        Ok(keys.into_iter().find(|key| key.name == name).ok_or(Refusal::NotFound)?)
    }

    /// Makes a key. It opens something from now on in this process, in others after a few seconds.
    pub async fn make_api_key(&self, name: &str, scopes: &[String], by: &By) -> Answer<Given> {
        let name = name_of(name)?;
        let scopes: Vec<String> = SCOPES
            .iter()
            .filter(|scope| scopes.iter().any(|one| one == *scope))
            .map(|scope| (*scope).to_owned())
            .collect();
        if scopes.is_empty() {
            return Err(Refused::NoScope.into());
        }
        if self.keys.is_reserved(&name) {
            return Err(Refused::NameTaken.into());
        }
        let (secret, hash, hint) = new_secret()?;
        let mut tx = self.pool.begin().await?;
        let id = api_keys::make(&mut *tx, &self.hospital, &name, &scopes, &by.who).await?;
        let id = id.ok_or(Refused::NameTaken)?;
        api_keys::add_secret(&mut tx, &self.hospital, id, &hash, &hint, 0.0).await?;
        let after = json!({ "key": name, "scopes": scopes });
        self.audit_access(&mut tx, by, "key.make", json!({}), after).await?;
        tx.commit().await?;
        self.keys.look_again();
        Ok(Given { id, name, secret })
    }

    /// Another secret; the one before is good for `overlap` more.
    pub async fn rotate_api_key(&self, id: Uuid, overlap: Duration, by: &By) -> Answer<Given> {
        let overlap = overlap.min(OVERLAP_MAX);
        let (secret, hash, hint) = new_secret()?;
        let mut tx = self.pool.begin().await?;
        let key = api_keys::hold(&mut tx, &self.hospital, id).await?.ok_or(Refusal::NotFound)?;
        if key.revoked_at.is_some() {
            return Err(Refused::KeyRevoked.into());
        }
        api_keys::add_secret(&mut tx, &self.hospital, id, &hash, &hint, overlap.as_secs_f64()).await?;
        let after = json!({ "key": key.name, "overlapHours": overlap.as_secs() / 3600 });
        self.audit_access(&mut tx, by, "key.rotate", json!({}), after).await?;
        tx.commit().await?;
        self.keys.look_again();
        Ok(Given { id, name: key.name, secret })
    }

    /// A key opens nothing from now on in this process, in others after a few seconds.
    pub async fn revoke_api_key(&self, id: Uuid, by: &By) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        let key = api_keys::hold(&mut tx, &self.hospital, id).await?.ok_or(Refusal::NotFound)?;
        if key.revoked_at.is_some() {
            return Err(Refused::KeyRevoked.into());
        }
        api_keys::revoke(&mut *tx, &self.hospital, id).await?;
        let before = json!({ "key": key.name, "scopes": key.scopes });
        self.audit_access(&mut tx, by, "key.revoke", before, json!({ "key": key.name })).await?;
        tx.commit().await?;
        self.keys.look_again();
        Ok(())
    }
}
