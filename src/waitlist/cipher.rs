//! Personal data at rest: sealed with AES-256-GCM, and a keyed hash of the ID number to find a person by (4.4).
//!
//! Two secrets, because they age differently: the sealing key is rotated (old rows stay readable through the older
//! keys), the look-up key must stay, or nobody would be found again. Nothing here prints a secret or a plain text.
//! Nonces are drawn at random: one key may seal up to 2³² values.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::identity::IdNumber;

const KEY_ID_LEN: usize = 4;

/// Why something could not be sealed or opened. None of them carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CipherError {
    /// A configured secret is not what it must be.
    #[error("a secret must be 64 hexadecimal digits (32 bytes)")]
    BadSecret,
    /// The cryptographic library failed to seal.
    #[error("sealing failed in the cryptographic library")]
    Sealing,
    /// Sealed with a key that is neither the current nor one of the older ones.
    #[error("sealed with key {}, which is not configured: add its secret to the older keys", hex::encode(.0))]
    UnknownKey([u8; KEY_ID_LEN]),
    /// Changed, cut, or moved here from another field or row.
    #[error("sealed data does not open: it was changed, or moved from another field")]
    Broken,
}

/// Sealed data as it is stored: key id, nonce, cipher text and tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What was stored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

struct SealingKey {
    id: [u8; KEY_ID_LEN],
    key: RandomizedNonceKey,
}

impl SealingKey {
    fn from_secret(secret: &SecretString) -> Result<Self, CipherError> {
        let bytes = secret_bytes(secret)?;
        // The id is derived, so that keys need no names, and tells nothing about the key.
        let id = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), b"houbu sealing key id");
        let id = id.as_ref().first_chunk().copied().ok_or(CipherError::BadSecret)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| CipherError::BadSecret)?;
        Ok(Self { id, key })
    }
}

/// The sealing keys: one to seal, all to open.
pub struct Keyring {
    current: SealingKey,
    older: Vec<SealingKey>,
}

impl Keyring {
    /// From secrets of 64 hexadecimal digits. A rotation makes the current secret the first of the older ones.
    pub fn new(current: &SecretString, older: &[SecretString]) -> Result<Self, CipherError> {
        let older = older.iter().map(SealingKey::from_secret).collect::<Result<_, _>>()?;
        Ok(Self { current: SealingKey::from_secret(current)?, older })
    }

    /// Seals `plain` under the current key. `about` says what it is (for example `patient/<id>/phone`): it is not
    /// stored, and must be the same to open, so that a value cannot be moved to another field or row.
    pub fn seal(&self, about: &str, plain: &str) -> Result<Sealed, CipherError> {
        let mut text = plain.as_bytes().to_vec();
        let nonce = self
            .current
            .key
            .seal_in_place_append_tag(Aad::from(about.as_bytes()), &mut text)
            .map_err(|_| CipherError::Sealing)?;
        Ok(Sealed([self.current.id.as_slice(), nonce.as_ref().as_slice(), &text].concat()))
    }

    /// Opens what [`Keyring::seal`] made with the same `about`.
    pub fn open(&self, about: &str, sealed: &Sealed) -> Result<SecretString, CipherError> {
        let (id, rest) = sealed.0.split_first_chunk::<KEY_ID_LEN>().ok_or(CipherError::Broken)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(CipherError::Broken)?;
        let mut keys = std::iter::once(&self.current).chain(&self.older);
        let sealing = keys.find(|sealing| sealing.id == *id).ok_or(CipherError::UnknownKey(*id))?;
        let mut text = text.to_vec();
        let plain = sealing
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(about.as_bytes()), &mut text)
            .map_err(|_| CipherError::Broken)?;
        std::str::from_utf8(plain).map(SecretString::from).map_err(|_| CipherError::Broken)
    }

    /// What every seal of the current key begins with.
    pub fn current_id(&self) -> &[u8] {
        &self.current.id
    }

    /// True where there are older keys, whose seals may be made anew.
    pub fn rotates(&self) -> bool {
        !self.older.is_empty()
    }

    /// False where it was sealed with an older key: seal it again when the row is written next.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.0.starts_with(&self.current.id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring(1 + {} keys)", self.older.len())
    }
}

/// The key under which persons are found.
pub struct LookupKey(hmac::Key);

impl LookupKey {
    /// From a secret of 64 hexadecimal digits, other than the sealing keys'.
    pub fn new(secret: &SecretString) -> Result<Self, CipherError> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret_bytes(secret)?)))
    }

    /// The hash of a person's document: its type and normalised number. One person with two accounts has one hash.
    pub fn hash(&self, number: &IdNumber) -> IdHash {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(number.id_type().code().as_bytes());
        signing.update(b":");
        signing.update(number.expose().as_bytes());
        let mut hash = [0; 32];
        hash.iter_mut().zip(signing.sign().as_ref()).for_each(|(byte, signed)| *byte = *signed);
        IdHash(hash)
    }
}

impl LookupKey {
    /// What an account, a device or an address is known by: `kind` keeps equal texts of different kinds apart.
    pub fn pseudonym(&self, kind: &str, text: &str) -> Pseudonym {
        let mut signing = hmac::Context::with_key(&self.0);
        // No document's type has this form.
        for part in ["origin", kind, text] {
            signing.update(part.as_bytes());
            signing.update(b"\0");
        }
        let mut hash = [0; 32];
        hash.iter_mut().zip(signing.sign().as_ref()).for_each(|(byte, signed)| *byte = *signed);
        Pseudonym(hash)
    }
}

/// HMAC-SHA256 of where a request came from: to be compared, not to be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym([u8; 32]);

impl Pseudonym {
    /// What to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(…)")
    }
}

impl fmt::Debug for LookupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupKey(…)")
    }
}

/// HMAC-SHA256 of an ID document. It is a pseudonym: to be compared, not to be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdHash([u8; 32]);

impl IdHash {
    /// What was stored; `None` where it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for IdHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdHash(…)")
    }
}

fn secret_bytes(secret: &SecretString) -> Result<[u8; 32], CipherError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret.expose_secret().trim(), &mut bytes).map_err(|_| CipherError::BadSecret)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;
    use crate::waitlist::identity::IdType;

    fn secret(byte: u8) -> SecretString {
        hex::encode([byte; 32]).into()
    }

    fn ring(current: u8, older: &[u8]) -> Keyring {
        let older: Vec<_> = older.iter().map(|byte| secret(*byte)).collect();
        Keyring::new(&secret(current), &older).unwrap()
    }

    fn opened(ring: &Keyring, about: &str, sealed: &Sealed) -> Result<String, CipherError> {
        ring.open(about, sealed).map(|plain| plain.expose_secret().to_owned())
    }

    #[test]
    fn a_rotation_keeps_old_rows_readable() {
        let sealed = ring(1, &[]).seal("phone", "13812345678").unwrap();
        let rotated = ring(2, &[1]);
        assert_eq!(opened(&rotated, "phone", &sealed).unwrap(), "13812345678");
        assert!(!rotated.is_current(&sealed));
        let again = rotated.seal("phone", "13812345678").unwrap();
        assert!(rotated.is_current(&again));
        assert!(matches!(opened(&ring(1, &[]), "phone", &again), Err(CipherError::UnknownKey(_))));
    }

    #[test]
    fn a_wrong_key_with_the_right_id_does_not_open() {
        let sealed = ring(1, &[]).seal("phone", "13812345678").unwrap();
        let mut forged = ring(2, &[]).current.id.to_vec();
        forged.extend(&sealed.as_bytes()[KEY_ID_LEN..]);
        assert_eq!(opened(&ring(2, &[]), "phone", &Sealed::from_bytes(forged)), Err(CipherError::Broken));
    }

    #[test]
    fn equal_texts_are_sealed_differently() {
        let ring = ring(1, &[]);
        assert_ne!(ring.seal("name", "张三").unwrap(), ring.seal("name", "张三").unwrap());
    }

    #[test]
    fn bad_secrets_are_refused() {
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Keyring::new(&bad.into(), &[]).unwrap_err(), CipherError::BadSecret);
            assert_eq!(LookupKey::new(&bad.into()).unwrap_err(), CipherError::BadSecret);
            assert_eq!(Keyring::new(&secret(1), &[bad.into()]).unwrap_err(), CipherError::BadSecret);
        }
    }

    #[test]
    fn nothing_is_told_by_debug() {
        let ring = ring(1, &[2]);
        assert_eq!(format!("{ring:?}"), "Keyring(1 + 1 keys)");
        let sealed = ring.seal("name", "张三").unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(38 bytes)");
        assert!(!format!("{:?}", ring.open("name", &sealed)).contains("张三"));
    }

    fn number(id_type: IdType, text: &str) -> IdNumber {
        IdNumber::parse(id_type, text, NaiveDate::from_ymd_opt(2025, 8, 14).unwrap()).unwrap()
    }

    #[test]
    fn a_person_is_found_however_the_number_is_typed() {
        let key = LookupKey::new(&secret(9)).unwrap();
        let hash = key.hash(&number(IdType::ResidentCard, "11010519491231002X"));
        assert_eq!(key.hash(&number(IdType::ResidentCard, " 110105 19491231 002x")), hash);
        assert_ne!(key.hash(&number(IdType::InsuranceCard, "11010519491231002X")), hash);
        assert_ne!(key.hash(&number(IdType::ResidentCard, "440524188001010014")), hash);
        let other = LookupKey::new(&secret(8)).unwrap();
        assert_ne!(other.hash(&number(IdType::ResidentCard, "11010519491231002X")), hash);
        assert_eq!(IdHash::from_bytes(hash.as_bytes()), Some(hash));
        assert_eq!(IdHash::from_bytes(&[0; 31]), None);
    }

    #[test]
    fn the_hash_is_plain_hmac_sha256() {
        // Computed apart: HMAC-SHA256, key 32 × 0x09, message "1:11010519491231002X".
        let hash = LookupKey::new(&secret(9)).unwrap().hash(&number(IdType::ResidentCard, "11010519491231002X"));
        assert_eq!(hex::encode(hash.as_bytes()), "0216a0d2dd7ab4a2a3b01651af06681df4cdec549c257ce6ee116b9d55abd579");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_only_where_it_belongs(plain in "\\PC{0,60}", about in "[a-z/]{0,20}", other in "[a-z/]{0,20}") {
            let ring = ring(1, &[2]);
            let sealed = ring.seal(&about, &plain).unwrap();
            prop_assert_eq!(opened(&ring, &about, &sealed), Ok(plain));
            if about != other {
                prop_assert_eq!(opened(&ring, &other, &sealed), Err(CipherError::Broken));
            }
        }

        #[test]
        fn every_changed_bit_and_every_cut_is_seen(plain in "\\PC{0,20}", at: prop::sample::Index, bit in 0_u8..8) {
            let ring = ring(1, &[]);
            let whole = ring.seal("x", &plain).unwrap();
            let at = at.index(whole.as_bytes().len());
            let mut changed = whole.as_bytes().to_vec();
            changed[at] ^= 1 << bit;
            prop_assert!(opened(&ring, "x", &Sealed::from_bytes(changed)).is_err());
            let cut = whole.as_bytes()[..at].to_vec();
            prop_assert!(opened(&ring, "x", &Sealed::from_bytes(cut)).is_err());
        }
    }
}
