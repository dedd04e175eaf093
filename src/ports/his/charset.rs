//! In what a HIS writes its texts: UTF-8, or the GBK of older systems. Nothing is replaced: what cannot be read or
//! written is an error.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8};
use serde::{Deserialize, Serialize};

/// The character set of a HIS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Charset {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// GBK. Read and written as GB18030, which it is a part of, so that rare characters of names are not lost.
    Gbk,
}

impl Charset {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GB18030,
        }
    }

    /// The name in an XML declaration and in `Content-Type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "gbk",
        }
    }

    /// The bytes of a text.
    pub fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        // Both can write every character.
        self.encoding().encode(text).0
    }

    /// The text of bytes; none where they are none.
    pub fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        self.encoding().decode_without_bom_handling_and_without_replacement(bytes)
    }

    /// The text of an XML message: what its declaration says counts more than what is agreed.
    pub fn message(self, raw: &[u8]) -> Option<Cow<'_, str>> {
        declared(raw).unwrap_or(self).text(raw)
    }
}

/// The character set of `<?xml … encoding="…"?>`, if it is one that we read.
fn declared(raw: &[u8]) -> Option<Charset> {
    let head = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw).get(..).filter(|raw| raw.starts_with(b"<?xml"))?;
    let end = head.iter().take(200).position(|byte| *byte == b'>')?;
    let head = String::from_utf8_lossy(head.get(..end)?).to_ascii_lowercase();
    let (_, named) = head.split_once("encoding")?;
    let name: String =
        named.chars().skip_while(|c| !c.is_alphanumeric()).take_while(|c| c.is_alphanumeric() || *c == '-').collect();
    match name.as_str() {
        "utf-8" | "utf8" => Some(Charset::Utf8),
        "gbk" | "gb2312" | "gb18030" => Some(Charset::Gbk),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn gbk_is_read_and_written_with_the_rare_characters_of_names() {
        // Computed with iconv: `printf '张三' | iconv -t gbk | xxd -p`.
        assert_eq!(hex::encode(Charset::Gbk.bytes("张三")), "d5c5c8fd");
        for text in ["张三", "〇䶮𠮷", "a<b"] {
            assert_eq!(Charset::Gbk.text(&Charset::Gbk.bytes(text)).unwrap(), text);
            assert_eq!(Charset::Utf8.text(&Charset::Utf8.bytes(text)).unwrap(), text);
        }
        assert_eq!(Charset::Utf8.text(b"\xd5\xc5"), None, "nothing is replaced");
    }

    #[test]
    fn what_a_message_declares_counts_more_than_what_is_agreed() {
        let gbk = Charset::Gbk.bytes("<?xml version='1.0' encoding='GB2312'?><A>张</A>").into_owned();
        assert!(Charset::Utf8.message(&gbk).unwrap().ends_with("<A>张</A>"));
        let utf8 = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><A>张</A>".as_bytes();
        assert!(Charset::Gbk.message(utf8).unwrap().ends_with("<A>张</A>"));
        assert!(Charset::Gbk.message(b"<A>\xd5\xc5</A>").unwrap().ends_with("<A>张</A>"));
        assert_eq!(Charset::Utf8.message(b"<A>\xd5\xc5</A>"), None);
    }
}
