//! What is not done about users, sessions and keys, and how people are told.

use std::time::Duration;

use super::passwords::Flaw;
use crate::waitlist::language::Language;

/// Why it is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such user, another password, locked out, disabled: whoever tries is not told which.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// Too many tries from one address.
    #[error("too many tries from one address")]
    TooManyTries(Duration),
    /// Another user has this name.
    #[error("the name is taken")]
    NameTaken,
    /// Not what a name looks like.
    #[error("a name has 2 to 32 small letters, digits, dots, hyphens and underscores")]
    BadName,
    /// A password that is too easily guessed.
    #[error("the password is refused: {0:?}")]
    Password(Flaw),
    /// The two entries differ.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// The link was used, has ended, or never was.
    #[error("the link is not good any more")]
    LinkEnded,
    /// Somebody has to be able to let others in.
    #[error("there has to be another administrator")]
    LastAdministrator,
    /// The identity provider knows the password, not we.
    #[error("the user has no password here")]
    NoPassword,
    /// The identity provider does not answer.
    #[error("the identity provider does not answer")]
    ProviderAway,
    /// It refuses, or is not believed, or the user is shut out here.
    #[error("the identity provider's user is not let in")]
    ProviderRefused,
    /// None of the groups that the user has there has a role here.
    #[error("no group of the user has a role")]
    NoRole,
    /// A key needs at least one scope.
    #[error("a key needs a scope")]
    NoScope,
    /// A revoked key stays so.
    #[error("the key is revoked")]
    KeyRevoked,
}

impl Refused {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::TooManyTries(_) => "too_many_tries",
            Self::NameTaken => "name_taken",
            Self::BadName => "bad_name",
            Self::Password(_) => "weak_password",
            Self::PasswordsDiffer => "passwords_differ",
            Self::LinkEnded => "link_ended",
            Self::LastAdministrator => "last_administrator",
            Self::NoPassword => "no_password",
            Self::ProviderAway => "provider_away",
            Self::ProviderRefused => "provider_refused",
            Self::NoRole => "no_role",
            Self::NoScope => "no_scope",
            Self::KeyRevoked => "key_revoked",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::WrongPassword | Self::ProviderRefused => 401,
            Self::NoRole => 403,
            Self::ProviderAway => 503,
            Self::TooManyTries(_) => 429,
            Self::NameTaken | Self::LastAdministrator | Self::NoPassword | Self::KeyRevoked => 409,
            Self::LinkEnded => 410,
            Self::BadName | Self::Password(_) | Self::PasswordsDiffer | Self::NoScope => 422,
        }
    }

    /// When to come back, where that is known.
    pub fn retry_after(self) -> Option<Duration> {
        if let Self::TooManyTries(wait) = self { Some(wait) } else { None }
    }

    /// A sentence for whoever tried.
    pub fn message(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::WrongPassword => (
                "用户名或密码不正确。连续输错后此处会暂停登录，请稍后再试，或联系管理员。",
                "The name or the password is wrong. After several wrong ones nobody is let in from here for a while: try again later, or ask an administrator.",
            ),
            Self::TooManyTries(_) => ("尝试过于频繁，请稍后再试。", "Too many tries. Please wait a moment."),
            Self::NameTaken => ("该名称已被使用。", "This name is taken."),
            Self::BadName => (
                "名称须为 2 至 32 个小写字母、数字、点、连字符或下划线，并以字母或数字开头。",
                "A name has 2 to 32 small letters, digits, dots, hyphens or underscores, and begins with a letter or digit.",
            ),
            Self::Password(flaw) => return flaw.message(language),
            Self::PasswordsDiffer => ("两次输入的密码不一致。", "The two passwords differ."),
            Self::LinkEnded => (
                "该链接已使用或已过期，请向管理员索取新的链接。",
                "This link was used or has ended. Ask an administrator for another one.",
            ),
            Self::LastAdministrator => {
                ("至少需要保留一名可以登录的管理员。", "There has to be at least one administrator who can log in.")
            }
            Self::NoPassword => (
                "该用户通过统一身份认证登录，在此没有密码。",
                "This user logs in at the identity provider and has no password here.",
            ),
            Self::ProviderAway => (
                "统一身份认证暂时无法访问，请稍后再试，或使用本地用户登录。",
                "The identity provider does not answer. Try again later, or log in as a local user.",
            ),
            Self::ProviderRefused => (
                "统一身份认证登录未成功，请重试，或联系管理员。",
                "You were not let in by the identity provider. Try again, or ask an administrator.",
            ),
            Self::NoRole => (
                "您在统一身份认证中的用户组没有控制台权限，请联系管理员。",
                "None of your groups at the identity provider has a role here. Ask an administrator.",
            ),
            Self::NoScope => ("请至少选择一个权限范围。", "Choose at least one scope."),
            Self::KeyRevoked => ("该密钥已吊销。", "This key is revoked."),
        };
        if language == Language::ZhCn { zh } else { en }
    }
}
