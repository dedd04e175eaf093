//! Coming in: by name and password, or by a link that is good once. A try is written down before it is looked at, so that many at
//! once are no more tries than one after the other.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::super::Answer;
use super::passwords::{check, fits, kept};
use super::places::{At, Knock};
use super::refused::Refused;
use super::role::Role;
use super::token::Token;
use super::users::name_of;
use super::{LINK_LASTS, Lodge};
use crate::engine::staff::By;
use crate::records::staff_users::{self, Held, NewUser};
use crate::records::{staff_places, staff_sessions};

/// Who a link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFor {
    /// Whoever becomes the first administrator.
    First,
    /// The user of this name, who chooses a password.
    User(String),
}

fn as_is(who: &str) -> By {
    By { who: who.to_owned(), reason: String::new() }
}

/// A try that was written down.
struct Try {
    held: Held,
    at: At,
    is_looked_at: bool,
}

impl Lodge {
    /// Logs in; the session's token. Whoever is refused is not told whether it was the name.
    pub async fn log_in(&self, name: &str, password: &SecretString, knock: Knock<'_>) -> Answer<Token> {
        self.may_try(knock.from)?;
        let name = name.trim().to_lowercase();
        self.in_turn(&name, knock).await?;
        let tried = self.try_named(&name, knock).await?;
        let may = tried.as_ref().filter(|tried| tried.is_looked_at && !tried.held.disabled);
        // Whether there is anything to compare with takes the same time.
        let right = fits(password, may.and_then(|tried| tried.held.password.clone())).await?;
        match tried {
            Some(tried) if right => self.let_in(&tried.held, "login", Some(tried.at)).await,
            tried => {
                let known = tried.is_some();
                // What was typed for a name may be a password: only a name that there is is written down.
                let who = tried.map_or_else(|| "?".to_owned(), |tried| tried.held.name);
                let mut tx = self.pool.begin().await?;
                self.audit_access(&mut tx, &as_is(&who), "login.failed", json!({}), json!({ "known": known })).await?;
                tx.commit().await?;
                Err(Refused::WrongPassword.into())
            }
        }
    }

    /// Writes a try down; whose it is, where, and whether it is looked at.
    async fn try_named(&self, name: &str, knock: Knock<'_>) -> Answer<Option<Try>> {
        let mut tx = self.pool.begin().await?;
        let Some(held) = staff_users::hold_named(&mut tx, &self.hospital, name).await? else { return Ok(None) };
        let at = self.place_of(&mut tx, held.id, knock).await?;
        let is_looked_at = self.count_try(&mut tx, held.id, at).await?;
        tx.commit().await?;
        Ok(Some(Try { held, at, is_looked_at }))
    }

    /// Begins a session of whoever was right, unless an administrator was quicker.
    pub(super) async fn let_in(&self, tried: &Held, verb: &str, at: Option<At>) -> Answer<Token> {
        let mut tx = self.pool.begin().await?;
        let now = staff_users::hold(&mut tx, &self.hospital, tried.id).await?;
        let Some(now) = now.filter(|now| !now.disabled && now.password == tried.password) else {
            return Err(Refused::WrongPassword.into());
        };
        if let Some(at) = at {
            staff_places::forgive(&mut *tx, &self.hospital, now.id, at.place()).await?;
        }
        staff_users::came(&mut *tx, &self.hospital, now.id).await?;
        let token = self.begin_session(&mut tx, now.id).await?;
        self.audit_access(&mut tx, &as_is(&now.name), verb, json!({}), json!({ "user": now.name })).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// A link for whoever becomes the first administrator; none where there is a user.
    pub async fn first_link(&self) -> Answer<Option<Token>> {
        if staff_users::is_anybody(&self.pool, &self.hospital).await? {
            return Ok(None);
        }
        let token = Token::make()?;
        let lasts_s = LINK_LASTS.as_secs_f64();
        staff_sessions::make_link(&self.pool, &self.hospital, &token.hash(), None, lasts_s).await?;
        Ok(Some(token))
    }

    /// Who a link is for, or [`Refused::LinkEnded`].
    pub async fn link_is_for(&self, link: &Token) -> Answer<LinkFor> {
        let found = staff_sessions::link(&self.pool, &self.hospital, &link.hash()).await?;
        match found.ok_or(Refused::LinkEnded)? {
            Some(id) => {
                let user = staff_users::find(&self.pool, &self.hospital, id).await?;
                let user = user.filter(|user| user.disabled_at.is_none()).ok_or(Refused::LinkEnded)?;
                Ok(LinkFor::User(user.name))
            }
            None if staff_users::is_anybody(&self.pool, &self.hospital).await? => Err(Refused::LinkEnded.into()),
            None => Ok(LinkFor::First),
        }
    }

    /// Becomes the first administrator; the session's token.
    pub async fn become_first(&self, link: &Token, name: &str, password: &SecretString) -> Answer<Token> {
        if self.link_is_for(link).await? != LinkFor::First {
            return Err(Refused::LinkEnded.into());
        }
        let name = name_of(name)?;
        let kept = kept(password, &name).await?;
        let mut tx = self.pool.begin().await?;
        staff_users::lock_all(&mut tx, &self.hospital).await?;
        let was_for = staff_sessions::use_link(&mut *tx, &self.hospital, &link.hash()).await?;
        if was_for != Some(None) || staff_users::is_anybody(&mut *tx, &self.hospital).await? {
            return Err(Refused::LinkEnded.into());
        }
        let role = Role::Administrator.name();
        let user = NewUser { name: &name, password: Some(&kept), role, subject: None };
        let id = staff_users::make(&mut *tx, &self.hospital, user).await?.ok_or(Refused::NameTaken)?;
        staff_users::came(&mut *tx, &self.hospital, id).await?;
        let token = self.begin_session(&mut tx, id).await?;
        self.audit_access(&mut tx, &as_is(&name), "user.first", json!({}), json!({ "user": name, "role": role }))
            .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Chooses a password by a link; every session of the user before it ends. The new session's token.
    pub async fn choose_password(&self, link: &Token, password: &SecretString) -> Answer<Token> {
        let LinkFor::User(name) = self.link_is_for(link).await? else { return Err(Refused::LinkEnded.into()) };
        let kept = kept(password, &name).await?;
        let mut tx = self.pool.begin().await?;
        let used = staff_sessions::use_link(&mut *tx, &self.hospital, &link.hash()).await?;
        let Some(Some(id)) = used else { return Err(Refused::LinkEnded.into()) };
        let held = staff_users::hold(&mut tx, &self.hospital, id).await?.filter(|held| !held.disabled);
        let held = held.ok_or(Refused::LinkEnded)?;
        if held.outside {
            return Err(Refused::NoPassword.into());
        }
        staff_users::set_password(&mut *tx, &self.hospital, id, &kept).await?;
        // Whoever was known by the password before is not by this one.
        staff_places::forget_all(&mut *tx, &self.hospital, id).await?;
        let ended = staff_sessions::end_all(&mut *tx, &self.hospital, id, None).await?;
        staff_users::came(&mut *tx, &self.hospital, id).await?;
        let token = self.begin_session(&mut tx, id).await?;
        let after = json!({ "user": held.name, "byLink": true, "sessionsEnded": ended });
        self.audit_access(&mut tx, &as_is(&held.name), "user.password", json!({}), after).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Another password, by whoever knows the present one; every other session of the user ends.
    pub async fn change_password(
        &self,
        id: Uuid,
        present: &SecretString,
        chosen: &SecretString,
        session: &Token,
    ) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        let held = staff_users::hold(&mut tx, &self.hospital, id).await?.ok_or(Refused::WrongPassword)?;
        if held.password.is_none() {
            return Err(Refused::NoPassword.into());
        }
        // One that cannot be chosen is no try of the present one.
        check(chosen.expose_secret(), &held.name).map_err(Refused::Password)?;
        // Somebody at a browser that was left alone guesses no faster than at the door.
        let is_looked_at = self.count_try(&mut tx, id, At::Session(session.hash())).await?;
        tx.commit().await?;
        if !fits(present, held.password.clone().filter(|_| is_looked_at)).await? {
            let mut tx = self.pool.begin().await?;
            let after = json!({ "user": held.name, "known": true });
            self.audit_access(&mut tx, &as_is(&held.name), "user.password.failed", json!({}), after).await?;
            tx.commit().await?;
            return Err(Refused::WrongPassword.into());
        }
        let kept = kept(chosen, &held.name).await?;
        let mut tx = self.pool.begin().await?;
        staff_users::set_password(&mut *tx, &self.hospital, id, &kept).await?;
        staff_places::forget_all(&mut *tx, &self.hospital, id).await?;
        // A link that was given before may be in hands for whose sake the password is changed.
        staff_sessions::end_links(&mut *tx, &self.hospital, id).await?;
        let ended = staff_sessions::end_all(&mut *tx, &self.hospital, id, Some(&session.hash())).await?;
        let after = json!({ "user": held.name, "sessionsEnded": ended });
        self.audit_access(&mut tx, &as_is(&held.name), "user.password", json!({}), after).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The users of a demo, one of each role, all with this password.
    pub async fn make_demo_users(&self, password: &SecretString) -> Answer<()> {
        let kept = kept(password, "").await?;
        let mut tx = self.pool.begin().await?;
        for role in Role::ALL {
            let user = NewUser { name: demo_name(role), password: Some(&kept), role: role.name(), subject: None };
            staff_users::make(&mut *tx, &self.hospital, user).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Comes in as the demo's user of a role, without a password.
    pub async fn enter_demo(&self, role: Role) -> Answer<Token> {
        let mut tx = self.pool.begin().await?;
        let held = staff_users::hold_named(&mut tx, &self.hospital, demo_name(role)).await?;
        tx.commit().await?;
        self.let_in(&held.ok_or(Refused::WrongPassword)?, "login", None).await
    }
}

/// The demo's user of a role.
pub fn demo_name(role: Role) -> &'static str {
    if role == Role::Administrator { "admin" } else { role.name() }
}

/// Two entries of the same password.
pub fn agreed(first: &SecretString, second: &SecretString) -> Answer<()> {
    if first.expose_secret() == second.expose_secret() { Ok(()) } else { Err(Refused::PasswordsDiffer.into()) }
}
