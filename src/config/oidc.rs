//! `[oidc]`: the hospital's identity provider, for staff of the console.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use super::ConfigError;

/// See [`Config::oidc`](super::Config::oidc).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider's address, exactly as it calls itself.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What is asked for besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that holds a user's name.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that holds a user's groups; dots lead into objects.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Groups there by role here: `viewer`, `operator`, `administrator`.
    pub roles: BTreeMap<String, Vec<String>>,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

/// The roles that there are; `desk::access::role` has them as types.
const ROLES: [&str; 3] = ["viewer", "operator", "administrator"];

impl Oidc {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |what: String| Err(ConfigError::Invalid { key: "oidc.roles", what });
        if let Some(unknown) = self.roles.keys().find(|role| !ROLES.contains(&role.as_str())) {
            return wrong(format!("there is no role {unknown}; there are viewer, operator and administrator"));
        }
        if self.roles.values().all(Vec::is_empty) {
            return wrong("no group has a role, so nobody would be let in".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_roles_that_there_are_have_groups() {
        let with = |role: &str, groups: &[&str]| Oidc {
            issuer: "https://id.example.org".to_owned(),
            client_id: "houbu".to_owned(),
            client_secret: None,
            scopes: scopes(),
            name_claim: name_claim(),
            groups_claim: groups_claim(),
            roles: [(role.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect())].into(),
            timeout_ms: 5000,
        };
        assert!(with("operator", &["desk"]).check().is_ok());
        assert!(with("root", &["desk"]).check().unwrap_err().to_string().contains("no role root"));
        assert!(with("viewer", &[]).check().is_err());
    }
}
