//! Passwords: which are refused, and how they are kept. argon2id with 19 MiB, two passes, one lane, as OWASP advises; few are
//! computed at one time, so that many tries cost a wait and not the machine.

use std::collections::BTreeSet;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::super::{Answer, DeskError};
use super::refused::Refused;
use crate::waitlist::language::Language;

/// The fewest characters.
pub const LENGTH_MIN: usize = 12;
/// The most.
pub const LENGTH_MAX: usize = 128;
/// The fewest that differ.
const DIFFERENT_MIN: usize = 5;
/// What must be left of one without the user's name.
const BESIDE_NAME_MIN: usize = 8;
/// Those that are tried first, in small letters, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// Memory, KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// So many are computed at one time.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Fewer than [`LENGTH_MIN`] characters.
    Short,
    /// More than [`LENGTH_MAX`].
    Long,
    /// Among those that are tried first, or few characters over and over.
    Common,
    /// Hardly more than the user's name.
    LikeName,
}

impl Flaw {
    /// A sentence for whoever chose it.
    pub fn message(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::Short => ("密码至少需要 12 个字符。", "A password has at least 12 characters."),
            Self::Long => ("密码最多 128 个字符。", "A password has at most 128 characters."),
            Self::Common => (
                "该密码过于常见或过于简单，请换一个，例如几个不相关的词语。",
                "This password is too common or too simple. Take another one, for example a few words that have nothing to do with each other.",
            ),
            Self::LikeName => (
                "密码与用户名过于相似，请换一个。",
                "This password is too much like the user's name. Take another one.",
            ),
        };
        if language == Language::ZhCn { zh } else { en }
    }
}

/// Whether a user of this name may have this password.
pub fn check(password: &str, name: &str) -> Result<(), Flaw> {
    let length = password.chars().count();
    if length < LENGTH_MIN {
        return Err(Flaw::Short);
    }
    if length > LENGTH_MAX {
        return Err(Flaw::Long);
    }
    let small = password.to_lowercase();
    let name = name.to_lowercase();
    if !name.is_empty() && small.contains(&name) && small.replace(&name, "").chars().count() < BESIDE_NAME_MIN {
        return Err(Flaw::LikeName);
    }
    let different: BTreeSet<char> = small.chars().collect();
    if different.len() < DIFFERENT_MIN || is_row(&small) || COMMON.lines().any(|common| common == small) {
        return Err(Flaw::Common);
    }
    Ok(())
}

/// Whether each character follows the one before it, up or down: `abcdefghijkl`, `987654321098`.
fn is_row(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let steps: Vec<i64> =
        codes.windows(2).filter_map(|pair| Some(i64::from(*pair.last()?) - i64::from(*pair.first()?))).collect();
    let follows = |by: i64| steps.iter().filter(|step| **step == by || **step == -9 * by).count() == steps.len();
    follows(1) || follows(-1)
}

fn argon2() -> Answer<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|error| DeskError::Broken(format!("the parameters of argon2 are wrong: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Does `work` beside the requests, when it is its turn.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    let broken = |what: &str| DeskError::Broken(format!("a password could not be computed: {what}"));
    let _turn = AT_ONCE.acquire().await.map_err(|_| broken("closed"))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error.to_string()))?
}

/// What is kept of a password that may be chosen.
pub(super) async fn kept(password: &SecretString, name: &str) -> Answer<String> {
    check(password.expose_secret(), name).map_err(Refused::Password)?;
    let password = password.clone();
    in_turn(move || hash(password.expose_secret())).await
}

fn hash(password: &str) -> Answer<String> {
    let hash: PasswordHash = argon2()?
        .hash_password(password.as_bytes())
        .map_err(|error| DeskError::Broken(format!("a password could not be hashed: {error}")))?;
    Ok(hash.to_string())
}

/// Whether it is the password. Where there is none to compare with it takes as long and is not.
pub(super) async fn fits(password: &SecretString, kept: Option<String>) -> Answer<bool> {
    let password = password.clone();
    in_turn(move || {
        let password: String = password.expose_secret().chars().take(LENGTH_MAX + 1).collect();
        let Some(kept) = kept else {
            hash(&password)?;
            return Ok(false);
        };
        match argon2()?.verify_password(password.as_bytes(), kept.as_str()) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(DeskError::Broken(format!("a kept password cannot be read: {error}"))),
        }
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_common_and_simple_passwords_are_refused_and_those_like_the_name() {
        let table = [
            ("Kurz4711!", "anna", Err(Flaw::Short)),
            ("候补挂号候补挂号候补", "anna", Err(Flaw::Short)),
            ("aaaaaaaaaaaa", "anna", Err(Flaw::Common)),
            ("abcdabcdabcdabcd", "anna", Err(Flaw::Common)),
            ("abcdefghijklmn", "anna", Err(Flaw::Common)),
            ("123456789012", "anna", Err(Flaw::Common)),
            ("109876543210", "anna", Err(Flaw::Common)),
            ("Password1234", "anna", Err(Flaw::Common)),
            ("QWERTYUIOP123", "anna", Err(Flaw::Common)),
            ("anna.keller12", "anna.keller", Err(Flaw::LikeName)),
            ("Anna.Keller.Anna.Keller", "anna.keller", Err(Flaw::LikeName)),
            ("anna.keller sings in the rain", "anna.keller", Ok(())),
            ("correct horse battery", "anna", Ok(())),
            ("候补挂号今日明日后日天气晴", "anna", Ok(())),
        ];
        for (password, name, verdict) in table {
            assert_eq!(check(password, name), verdict, "{password}");
        }
        assert_eq!(check(&"Ab3$x ".repeat(30), "anna"), Err(Flaw::Long));
    }

    #[test]
    fn every_common_password_is_one_that_could_be_chosen_otherwise() {
        for common in COMMON.lines() {
            assert_eq!(common, common.to_lowercase());
            assert!(common.chars().count() >= LENGTH_MIN, "{common} is refused anyhow");
        }
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_only_itself_fits() {
        let password = SecretString::from("correct horse battery");
        let kept = kept(&password, "anna").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(fits(&password, Some(kept.clone())).await.unwrap());
        assert!(!fits(&"correct horse batterz".into(), Some(kept)).await.unwrap());
        assert!(!fits(&password, None).await.unwrap());
    }

    proptest! {
        #[test]
        fn whatever_is_chosen_is_judged(password in "\\PC{0,140}", name in "[a-z0-9._-]{0,32}") {
            let length = password.chars().count();
            let fine = check(&password, &name).is_ok();
            prop_assert!(!fine || (LENGTH_MIN..=LENGTH_MAX).contains(&length));
        }
    }
}
