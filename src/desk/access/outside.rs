//! Users whom an identity provider knows: made when they come in first, with the role that their groups there have here, which is
//! looked at again each time. A name that somebody has already is nobody else's.

use serde_json::json;
use sqlx::PgConnection;

use super::super::{Answer, DeskError};
use super::Lodge;
use super::refused::Refused;
use super::role::Role;
use super::sessions::role_of;
use super::token::{Token, hash_of};
use super::users::name_of;
use crate::engine::staff::By;
use crate::records::staff_sessions;
use crate::records::staff_users::{self, Held, NewUser};

/// Which groups of the provider have which role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupRoles(pub Vec<(String, Role)>);

impl GroupRoles {
    /// The greatest role that any of the groups has.
    pub fn of(&self, groups: &[String]) -> Option<Role> {
        self.0.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role).max()
    }
}

/// The longest name before what tells two of the same name apart.
const NAME_LENGTH_MAX: usize = 24;

/// A name like the one that the provider has, in our letters.
fn like(name: Option<&str>, subject: &str) -> String {
    let local = name.unwrap_or_default().split('@').next().unwrap_or_default().to_lowercase();
    let fitting: String = local
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-') { letter } else { '-' })
        .take(NAME_LENGTH_MAX)
        .collect();
    let fitting = fitting.trim_matches(['-', '.', '_']);
    if fitting.len() < 2 { format!("user-{}", mark(subject)) } else { fitting.to_owned() }
}

/// What tells one subject from others of the same name.
fn mark(subject: &str) -> String {
    hex::encode(&hash_of(subject)[..3])
}

impl Lodge {
    /// Lets in whom the provider knows; the session's token. `issuer` and `subject` say who it is for good.
    pub async fn let_in_from(
        &self,
        issuer: &str,
        subject: &str,
        name: Option<&str>,
        role: Option<Role>,
    ) -> Answer<Token> {
        let subject = format!("{issuer} {subject}");
        let by = By { who: "identity provider".to_owned(), reason: String::new() };
        let Some(role) = role else {
            self.end_of_roles(&subject, &by).await?;
            self.turned_away("no group of this user has a role").await?;
            return Err(Refused::NoRole.into());
        };
        let mut tx = self.pool.begin().await?;
        staff_users::lock_all(&mut tx, &self.hospital).await?;
        let held = match staff_users::hold_subject(&mut tx, &self.hospital, &subject).await? {
            Some(held) => held,
            None => self.make_from(&mut tx, &subject, name, role, &by).await?,
        };
        if held.disabled {
            drop(tx);
            self.turned_away("the user is disabled").await?;
            return Err(Refused::ProviderRefused.into());
        }
        self.follow(&mut tx, &held, role, &by).await?;
        staff_users::came(&mut *tx, &self.hospital, held.id).await?;
        let token = Token::make()?;
        staff_sessions::begin(&mut *tx, &self.hospital, &token.hash(), held.id).await?;
        let by = By { who: held.name.clone(), reason: String::new() };
        let after = json!({ "user": held.name, "provider": true });
        self.audit_access(&mut tx, &by, "login", json!({}), after).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Gives the role that the provider's groups have, unless nobody could let others in then: the last administrator keeps theirs,
    /// and the audit says so.
    async fn follow(&self, conn: &mut PgConnection, held: &Held, role: Role, by: &By) -> Answer<()> {
        let former = role_of(&held.role)?;
        if former == role {
            return Ok(());
        }
        let before = json!({ "user": held.name, "role": former });
        match self.spare(conn, held).await {
            Ok(()) => {
                staff_users::set_role(&mut *conn, &self.hospital, held.id, role.name()).await?;
                self.audit_access(conn, by, "user.role", before, json!({ "user": held.name, "role": role })).await
            }
            Err(DeskError::Access(Refused::LastAdministrator)) => {
                tracing::warn!(
                    "the last administrator has another role at the identity provider now, and keeps this one"
                );
                let kept = By { reason: "the last administrator keeps the role".to_owned(), ..by.clone() };
                let after = json!({ "user": held.name, "role": former, "asked": role });
                self.audit_access(conn, &kept, "user.role", before, after).await
            }
            Err(error) => Err(error),
        }
    }

    /// Whose groups have no role any more is nowhere in either.
    async fn end_of_roles(&self, subject: &str, by: &By) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        if let Some(held) = staff_users::hold_subject(&mut tx, &self.hospital, subject).await? {
            let ended = staff_sessions::end_all(&mut *tx, &self.hospital, held.id, None).await?;
            let after = json!({ "user": held.name, "sessionsEnded": ended });
            self.audit_access(&mut tx, by, "logout.everywhere", json!({}), after).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn make_from(
        &self,
        conn: &mut PgConnection,
        subject: &str,
        name: Option<&str>,
        role: Role,
        by: &By,
    ) -> Answer<Held> {
        let plain = name_of(&like(name, subject))?;
        let marked = name_of(&format!("{plain}-{}", mark(subject)))?;
        for name in [&plain, &marked] {
            let user = NewUser { name, password: None, role: role.name(), subject: Some(subject) };
            if staff_users::make(&mut *conn, &self.hospital, user).await?.is_some() {
                self.audit_access(conn, by, "user.made", json!({}), json!({ "user": name, "role": role })).await?;
                break;
            }
        }
        let made = staff_users::hold_subject(conn, &self.hospital, subject).await?;
        Ok(made.ok_or(Refused::NameTaken)?)
    }

    /// Somebody whom the provider let in is not let in here, or the provider's word was not believed.
    pub async fn turned_away(&self, why: &str) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        let by = By { who: "?".to_owned(), reason: why.to_owned() };
        self.audit_access(&mut tx, &by, "login.failed", json!({}), json!({ "provider": true })).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_role_of_all_groups_counts() {
        let roles = GroupRoles(vec![
            ("staff".to_owned(), Role::Viewer),
            ("desk".to_owned(), Role::Operator),
            ("it".to_owned(), Role::Administrator),
        ]);
        let of = |groups: &[&str]| roles.of(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["desk", "staff", "kitchen"]), Some(Role::Operator));
        assert_eq!(of(&["it", "staff"]), Some(Role::Administrator));
        assert_eq!(of(&["kitchen"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_name_is_made_to_fit() {
        assert_eq!(like(Some("Anna.Keller@example.org"), "s"), "anna.keller");
        assert_eq!(like(Some("Anna Keller"), "s"), "anna-keller");
        assert!(like(Some("张三"), "s").starts_with("user-"));
        assert!(like(None, "s").starts_with("user-"));
        assert_ne!(like(None, "s"), like(None, "t"));
    }
}
