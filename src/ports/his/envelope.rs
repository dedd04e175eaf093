//! The 健康通 envelope: MD5 over a sorted field list, and a body in AES-ECB and base64.
//!
//! Both are weak by today's measure and given by the interface: between hospital and Houbu stands a private line or
//! mutual TLS. The envelope proves nothing about freshness; callers deduplicate by id.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};

use super::charset::Charset;
use super::soap::{self, XmlError, element};

/// Who we are to the other side, and the two shared keys.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `USER_ID`, given by the hospital.
    pub user_id: String,
    /// `KEY` of the signature.
    pub sign_key: SecretString,
    /// The key of the body: 16, 24 or 32 bytes.
    pub aes_key: SecretString,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not an XML envelope.
    #[error("{0}")]
    Xml(#[from] XmlError),
    /// A field of the envelope is missing.
    #[error("its {0} is missing")]
    Missing(&'static str),
    /// Another signature than our key gives, another `USER_ID`, or another `SIGN_TYPE` than MD5.
    #[error("its signature is wrong")]
    Signature,
    /// The body is not base64 of what our key encrypts.
    #[error("its body cannot be decrypted")]
    Cipher,
}

/// The body's key has not 16, 24 or 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the HIS body key must have 16, 24 or 32 bytes")]
pub struct KeyError;

/// An opened request.
pub struct Request {
    /// `FUN_CODE`.
    pub function: String,
    /// The decrypted `REQ_ENCRYPTED`: may hold personal data.
    pub body: String,
}

/// An opened reply.
pub struct Reply {
    /// `RETURN_CODE`.
    pub code: String,
    /// `RETURN_MSG`: may hold personal data.
    pub message: String,
    /// The decrypted `RES_ENCRYPTED`, empty where the other side sent none; nothing where it cannot be decrypted: the
    /// signed code counts all the same.
    pub body: Option<String>,
}

/// Seals and opens envelopes with one set of credentials.
pub struct Envelope {
    user_id: String,
    sign_key: SecretString,
    charset: Charset,
    encrypting: PaddedBlockEncryptingKey,
    decrypting: PaddedBlockDecryptingKey,
}

impl Envelope {
    /// The same for a system that writes in this character set: what is signed and encrypted are its bytes.
    #[must_use]
    pub fn in_charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    /// In what the other side writes.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// An envelope for these credentials, in UTF-8.
    pub fn new(credentials: &Credentials) -> Result<Self, KeyError> {
        let key = || {
            let bytes = credentials.aes_key.expose_secret().as_bytes();
            let algorithm = match bytes.len() {
                16 => &AES_128,
                24 => &AES_192,
                32 => &AES_256,
                _ => return Err(KeyError),
            };
            UnboundCipherKey::new(algorithm, bytes).map_err(|_| KeyError)
        };
        Ok(Self {
            user_id: credentials.user_id.clone(),
            sign_key: credentials.sign_key.clone(),
            charset: Charset::Utf8,
            encrypting: PaddedBlockEncryptingKey::ecb_pkcs7(key()?).map_err(|_| KeyError)?,
            decrypting: PaddedBlockDecryptingKey::ecb_pkcs7(key()?).map_err(|_| KeyError)?,
        })
    }

    /// The `<ROOT>` of a request.
    pub fn seal_request(&self, function: &str, body: &str) -> Result<String, EnvelopeError> {
        let encrypted = self.encrypt(body)?;
        let sign = self.sign_request(function, &encrypted, &self.user_id);
        Ok(format!(
            "<ROOT>{}{}{}{}{}</ROOT>",
            element("FUN_CODE", function),
            element("USER_ID", &self.user_id),
            element("SIGN_TYPE", "MD5"),
            element("SIGN", &sign),
            element("REQ_ENCRYPTED", &encrypted)
        ))
    }

    /// The `<ROOT>` of a reply.
    pub fn seal_reply(&self, code: &str, message: &str, body: &str) -> Result<String, EnvelopeError> {
        let encrypted = self.encrypt(body)?;
        let sign = self.sign_reply(code, message, &encrypted);
        Ok(format!(
            "<ROOT>{}{}{}{}{}</ROOT>",
            element("RETURN_CODE", code),
            element("RETURN_MSG", message),
            element("SIGN_TYPE", "MD5"),
            element("SIGN", &sign),
            element("RES_ENCRYPTED", &encrypted)
        ))
    }

    /// Verifies and decrypts a request, bare or in SOAP.
    pub fn open_request(&self, raw: &[u8]) -> Result<Request, EnvelopeError> {
        let fields = soap::root(raw, self.charset)?;
        let field = |name| fields.get(name).ok_or(EnvelopeError::Missing(name));
        let (function, user_id, encrypted) = (field("FUN_CODE")?, field("USER_ID")?, field("REQ_ENCRYPTED")?);
        let expected = self.sign_request(function, encrypted, user_id);
        verify(field("SIGN_TYPE")?, field("SIGN")?, &expected)?;
        if user_id != self.user_id {
            return Err(EnvelopeError::Signature);
        }
        Ok(Request { function: function.to_owned(), body: self.decrypt(encrypted)? })
    }

    /// Verifies and decrypts a reply, bare or in SOAP.
    pub fn open_reply(&self, raw: &[u8]) -> Result<Reply, EnvelopeError> {
        let fields = soap::root(raw, self.charset)?;
        let field = |name| fields.get(name).ok_or(EnvelopeError::Missing(name));
        let (code, message) = (field("RETURN_CODE")?, field("RETURN_MSG")?);
        let encrypted = fields.get("RES_ENCRYPTED").unwrap_or_default();
        verify(field("SIGN_TYPE")?, field("SIGN")?, &self.sign_reply(code, message, encrypted))?;
        let body = if encrypted.is_empty() { Some(String::new()) } else { self.decrypt(encrypted).ok() };
        Ok(Reply { code: code.to_owned(), message: message.to_owned(), body })
    }

    fn sign_request(&self, function: &str, encrypted: &str, user_id: &str) -> String {
        self.md5(&format!("FUN_CODE={function}&REQ_ENCRYPTED={encrypted}&USER_ID={user_id}"))
    }

    fn sign_reply(&self, code: &str, message: &str, encrypted: &str) -> String {
        self.md5(&format!("RES_ENCRYPTED={encrypted}&RETURN_CODE={code}&RETURN_MSG={message}"))
    }

    fn md5(&self, fields: &str) -> String {
        let mut md5 = Md5::new();
        md5.update(self.charset.bytes(fields));
        md5.update(b"&KEY=");
        md5.update(self.sign_key.expose_secret().as_bytes());
        hex::encode_upper(md5.finalize())
    }

    fn encrypt(&self, body: &str) -> Result<String, EnvelopeError> {
        let mut bytes = self.charset.bytes(body).into_owned();
        self.encrypting.encrypt(&mut bytes).map_err(|_| EnvelopeError::Cipher)?;
        Ok(STANDARD.encode(bytes))
    }

    fn decrypt(&self, encrypted: &str) -> Result<String, EnvelopeError> {
        // Some systems break base64 into lines.
        let compact: String = encrypted.split_ascii_whitespace().collect();
        let mut bytes = STANDARD.decode(compact).map_err(|_| EnvelopeError::Cipher)?;
        let plain = self.decrypting.decrypt(&mut bytes, DecryptionContext::None).map_err(|_| EnvelopeError::Cipher)?;
        self.charset.text(plain).map(String::from).ok_or(EnvelopeError::Cipher)
    }
}

/// Systems differ in the case of the hexadecimal signature.
fn verify(sign_type: &str, sign: &str, expected: &str) -> Result<(), EnvelopeError> {
    if sign_type != "MD5" {
        return Err(EnvelopeError::Signature);
    }
    verify_slices_are_equal(sign.to_ascii_uppercase().as_bytes(), expected.as_bytes())
        .map_err(|_| EnvelopeError::Signature)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn envelope(sign_key: &str, aes_key: &str) -> Envelope {
        Envelope::new(&Credentials { user_id: "HOUBU".into(), sign_key: sign_key.into(), aes_key: aes_key.into() })
            .unwrap()
    }

    #[test]
    fn a_known_body_has_a_known_cipher_text_and_signature() {
        let envelope = envelope("2098D32C4D1399EC", "2098D32C4D1399EC");
        // Computed with OpenSSL: `openssl enc -aes-128-ecb -base64` and `md5sum`.
        let encrypted = envelope.encrypt("<REQ><HOS_ID>1001</HOS_ID></REQ>").unwrap();
        assert_eq!(encrypted, KNOWN_CIPHER_TEXT);
        assert_eq!(envelope.sign_request("2003", &encrypted, "HOUBU"), KNOWN_SIGN);
    }

    const KNOWN_CIPHER_TEXT: &str = "rf7ELgT7MR5fWkvpDizQultatFqfVbkRcRpAQeK+18KSM9lEyz3q3qAGzXF8EquW";
    const KNOWN_SIGN: &str = "21BFF95CE5D81F3386B49F9E4E66087E";

    #[test]
    fn round_trips_and_tells_each_mismatch_apart() {
        let ours = envelope("sign", "0123456789abcdef");
        let sealed = ours.seal_request("2007", "<REQ><NAME>张三</NAME></REQ>").unwrap();
        let opened = ours.open_request(sealed.as_bytes()).unwrap();
        assert_eq!((opened.function.as_str(), opened.body.as_str()), ("2007", "<REQ><NAME>张三</NAME></REQ>"));
        let sign = ours.sign_request("2007", &ours.encrypt("<REQ><NAME>张三</NAME></REQ>").unwrap(), "HOUBU");
        let lower = sealed.replace(&sign, &sign.to_lowercase());
        assert!(lower != sealed && ours.open_request(lower.as_bytes()).is_ok());

        let other_sign = envelope("other", "0123456789abcdef");
        assert_eq!(other_sign.open_request(sealed.as_bytes()).err(), Some(EnvelopeError::Signature));
        let other_aes = envelope("sign", "fedcba9876543210");
        assert_eq!(other_aes.open_request(sealed.as_bytes()).err(), Some(EnvelopeError::Cipher));
        let without = sealed.replace("SIGN_TYPE", "SIGN_TIPE");
        assert_eq!(ours.open_request(without.as_bytes()).err(), Some(EnvelopeError::Missing("SIGN_TYPE")));

        let reply = soap::reply("OrderReg", &ours.seal_reply("13", "200709 约满 <&>", "").unwrap());
        let opened = ours.open_reply(reply.as_bytes()).unwrap();
        assert_eq!((opened.code.as_str(), opened.message.as_str()), ("13", "200709 约满 <&>"));
        let forged = reply.replace("200709", "200708");
        assert_eq!(ours.open_reply(forged.as_bytes()).err(), Some(EnvelopeError::Signature));
    }

    #[test]
    fn a_system_that_writes_gbk_is_understood_and_signed_for_in_gbk() {
        let utf8 = envelope("sign", "0123456789abcdef");
        let gbk = envelope("sign", "0123456789abcdef").in_charset(Charset::Gbk);
        let root = gbk.seal_reply("13", "200709 约满", "<RES><NAME>张三</NAME></RES>").unwrap();
        let raw = soap::bytes(&soap::reply("OrderReg", &root), Charset::Gbk);
        let opened = gbk.open_reply(&raw).unwrap();
        assert_eq!(
            (opened.message.as_str(), opened.body.as_deref()),
            ("200709 约满", Some("<RES><NAME>张三</NAME></RES>"))
        );
        assert_eq!(
            utf8.open_reply(&raw).err(),
            Some(EnvelopeError::Signature),
            "declared, but signed over other bytes"
        );
        let undeclared = Charset::Gbk.bytes(&root).into_owned();
        assert!(gbk.open_reply(&undeclared).is_ok() && utf8.open_reply(&undeclared).is_err());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let credentials = Credentials { user_id: "HOUBU".into(), sign_key: "sign".into(), aes_key: "short".into() };
        assert_eq!(Envelope::new(&credentials).err(), Some(KeyError));
        assert!(!format!("{credentials:?}").contains("short"));
    }
}
