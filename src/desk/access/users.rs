//! What administrators do to users: invite, give a role, let in again, shut out, end their sessions. There always remains one
//! administrator who can come in.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Answer;
use super::refused::Refused;
use super::role::Role;
use super::sessions::role_of;
use super::token::Token;
use super::{LINK_LASTS, Lodge};
use crate::engine::staff::By;
use crate::records::staff_users::{self, Held, NewUser, User};
use crate::records::{staff_places, staff_sessions};
use crate::waitlist::language::Language;
use crate::waitlist::refusal::Refusal;

/// The longest name.
const NAME_LENGTH_MAX: usize = 32;

/// A name as it is stored: small letters, digits, dots, hyphens, underscores.
pub(super) fn name_of(text: &str) -> Answer<String> {
    let name = text.trim().to_lowercase();
    let first = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let rest = name
        .bytes()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'.' | b'_' | b'-'));
    if first && rest && (2..=NAME_LENGTH_MAX).contains(&name.len()) { Ok(name) } else { Err(Refused::BadName.into()) }
}

impl Lodge {
    /// Everybody, by name.
    pub async fn users(&self) -> Answer<Vec<User>> {
        Ok(staff_users::list(&self.pool, &self.hospital).await?)
    }

    /// One user.
    pub async fn user(&self, id: Uuid) -> Answer<User> {
        Ok(staff_users::find(&self.pool, &self.hospital, id).await?.ok_or(Refusal::NotFound)?)
    }

    /// The user of this name.
    pub async fn user_named(&self, name: &str) -> Answer<User> {
        let name = name_of(name)?;
        Ok(self.users().await?.into_iter().find(|user| user.name == name).ok_or(Refusal::NotFound)?)
    }

    /// Makes a user who chooses a password by the link that is answered.
    pub async fn invite(&self, name: &str, role: Role, by: &By) -> Answer<Token> {
        let name = name_of(name)?;
        let mut tx = self.pool.begin().await?;
        let user = NewUser { name: &name, password: None, role: role.name(), subject: None };
        let id = staff_users::make(&mut *tx, &self.hospital, user).await?.ok_or(Refused::NameTaken)?;
        let link = self.make_link(&mut tx, id).await?;
        self.audit_access(&mut tx, by, "user.invite", json!({}), json!({ "user": name, "role": role })).await?;
        tx.commit().await?;
        Ok(link)
    }

    /// A new link for whoever forgot the password or never chose one; the password stays until it is used. Whom the identity provider
    /// knows comes in there alone.
    pub async fn link_for(&self, id: Uuid, by: &By) -> Answer<Token> {
        let mut tx = self.pool.begin().await?;
        let held = self.hold_user(&mut tx, id).await?;
        if held.outside {
            return Err(Refused::NoPassword.into());
        }
        let link = self.make_link(&mut tx, id).await?;
        self.audit_access(&mut tx, by, "user.link", json!({}), json!({ "user": held.name })).await?;
        tx.commit().await?;
        Ok(link)
    }

    async fn make_link(&self, conn: &mut PgConnection, id: Uuid) -> Answer<Token> {
        let token = Token::make()?;
        let lasts_s = LINK_LASTS.as_secs_f64();
        staff_sessions::make_link(conn, &self.hospital, &token.hash(), Some(id), lasts_s).await?;
        Ok(token)
    }

    async fn hold_user(&self, conn: &mut PgConnection, id: Uuid) -> Answer<Held> {
        Ok(staff_users::hold(conn, &self.hospital, id).await?.ok_or(Refusal::NotFound)?)
    }

    /// Refuses where nobody else could let others in.
    pub(super) async fn spare(&self, conn: &mut PgConnection, held: &Held) -> Answer<()> {
        if held.role != Role::Administrator.name() || held.disabled {
            return Ok(());
        }
        match staff_users::other_administrators(conn, &self.hospital, held.id).await? {
            0 => Err(Refused::LastAdministrator.into()),
            _ => Ok(()),
        }
    }

    /// Gives another role; it holds from the user's next request on.
    pub async fn give_role(&self, id: Uuid, role: Role, by: &By) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        staff_users::lock_all(&mut tx, &self.hospital).await?;
        let held = self.hold_user(&mut tx, id).await?;
        let former = role_of(&held.role)?;
        if former == role {
            return Ok(());
        }
        self.spare(&mut tx, &held).await?;
        staff_users::set_role(&mut *tx, &self.hospital, id, role.name()).await?;
        let (before, after) =
            (json!({ "user": held.name, "role": former }), json!({ "user": held.name, "role": role }));
        self.audit_access(&mut tx, by, "user.role", before, after).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Shuts a user out, sessions and a link that was given included.
    pub async fn shut_out(&self, id: Uuid, by: &By) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        staff_users::lock_all(&mut tx, &self.hospital).await?;
        let held = self.hold_user(&mut tx, id).await?;
        self.spare(&mut tx, &held).await?;
        staff_users::set_disabled(&mut *tx, &self.hospital, id, true).await?;
        staff_sessions::end_links(&mut *tx, &self.hospital, id).await?;
        let ended = staff_sessions::end_all(&mut *tx, &self.hospital, id, None).await?;
        let after = json!({ "user": held.name, "sessionsEnded": ended });
        self.audit_access(&mut tx, by, "user.disable", json!({}), after).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a user in again, whether shut out or locked out.
    pub async fn let_in_again(&self, id: Uuid, by: &By) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        let held = self.hold_user(&mut tx, id).await?;
        staff_users::set_disabled(&mut *tx, &self.hospital, id, false).await?;
        let locked = staff_places::forgive_all(&mut tx, &self.hospital, id).await?;
        let before = json!({ "user": held.name, "disabled": held.disabled, "placesLocked": locked });
        self.audit_access(&mut tx, by, "user.enable", before, json!({ "user": held.name })).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends every session of a user; with `but`, every other one.
    pub async fn end_sessions(&self, id: Uuid, but: Option<&Token>, by: &By) -> Answer<u64> {
        let mut tx = self.pool.begin().await?;
        let held = self.hold_user(&mut tx, id).await?;
        let but = but.map(Token::hash);
        let ended =
            staff_sessions::end_all(&mut *tx, &self.hospital, id, but.as_ref().map(<[u8; 32]>::as_slice)).await?;
        let after = json!({ "user": held.name, "sessionsEnded": ended });
        self.audit_access(&mut tx, by, "logout.everywhere", json!({}), after).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// The language of a user's pages from now on.
    pub async fn read_in(&self, id: Uuid, language: Language) -> Answer<()> {
        Ok(staff_users::set_language(&self.pool, &self.hospital, id, Some(language.tag())).await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_letters_digits_and_few_marks() {
        assert_eq!(name_of(" Anna.Keller-2 ").unwrap(), "anna.keller-2");
        for bad in ["", "a", ".anna", "anna keller", "张三", "anna@example.org", &"a".repeat(33)] {
            assert!(name_of(bad).is_err(), "{bad}");
        }
    }
}
