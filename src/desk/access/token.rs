//! Secrets that we make and give away once: 256 bits by chance, as text. What we keep is their SHA-256, which is enough for
//! a secret that cannot be guessed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::{Answer, DeskError};

/// The bytes of a secret.
const BYTES: usize = 32;

/// A secret, as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn make() -> Answer<Self> {
        let mut bytes = [0; BYTES];
        fill(&mut bytes).map_err(|_| DeskError::Broken("there is no chance to draw from".to_owned()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that was presented; none where it cannot be one of ours.
    pub fn presented(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == BYTES).then(|| Self(text.to_owned()))
    }

    /// What we keep of it.
    pub fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }

    /// A second secret that follows from it and tells nothing of it: what a page's forms carry.
    pub fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(hash_of(&format!("csrf/{}", self.0)))
    }

    /// The secret itself, for its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// The SHA-256 of a secret.
pub fn hash_of(secret: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest(&SHA256, secret.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_by_its_hash_and_tells_nothing_by_itself() {
        let (token, other) = (Token::make().unwrap(), Token::make().unwrap());
        assert_ne!(token.expose(), other.expose());
        let presented = Token::presented(token.expose()).unwrap();
        assert_eq!(presented.hash(), token.hash());
        assert_ne!(token.hash(), other.hash());
        assert_ne!(token.csrf(), token.expose());
        assert_eq!(format!("{token:?}"), "Token");
        for bad in ["", "short", &format!("{}x", token.expose())] {
            assert_eq!(Token::presented(bad), None, "{bad}");
        }
    }
}
