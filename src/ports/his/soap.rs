//! SOAP 1.1 around 健康通 messages, and the little XML reading that an envelope needs.
//!
//! Whatever arrives here comes from outside: nothing in this file panics, expands an entity beyond the five
//! predefined ones, or accepts a document type declaration.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesRef, Event};

use super::charset::Charset;

/// Why a text is not an XML message that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not in its character set, not well formed, an unknown entity, or no `ROOT` in it.
    #[error("it is not a well-formed XML message")]
    Malformed,
    /// It carries a document type declaration; those are refused whatever they declare.
    #[error("it carries a document type declaration")]
    Doctype,
}

/// The request of one SOAP method with its only argument, `xml`.
pub fn request(method: &str, xml: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <{method} xmlns=\"http://tempuri.org/\"><xml>{}</xml></{method}>\
         </soap:Body></soap:Envelope>",
        escape(xml)
    )
}

/// The reply of one SOAP method. The inner document stands in CDATA: it escapes every `>` of its own.
pub fn reply(method: &str, xml: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <{method}Response xmlns=\"http://tempuri.org/\"><{method}Result><![CDATA[{xml}]]></{method}Result></{method}Response>\
         </soap:Body></soap:Envelope>"
    )
}

/// The bytes of a message in this character set, which its declaration names.
pub fn bytes(message: &str, charset: Charset) -> Vec<u8> {
    let declared = message.replacen("encoding=\"utf-8\"", &format!("encoding=\"{}\"", charset.name()), 1);
    charset.bytes(&declared).into_owned()
}

/// An element with a text, escaped.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// The texts of the direct children of `<ROOT>`, in order.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The text of the first child of this name, without white space around it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, text)| text.trim())
    }
}

/// Finds `<ROOT>` in a message: bare, inside SOAP as elements, or inside SOAP as text (escaped or in CDATA). What it is
/// written in stands in its declaration, else it is `agreed`.
pub fn root(raw: &[u8], agreed: Charset) -> Result<Fields, XmlError> {
    let text = agreed.message(raw).ok_or(XmlError::Malformed)?;
    let outer = scan(&text)?;
    if outer.found {
        return Ok(outer.fields);
    }
    let inner = scan(outer.loose.trim())?;
    if inner.found { Ok(inner.fields) } else { Err(XmlError::Malformed) }
}

/// Refuses a document type declaration, and whatever is not well formed, before a body is read.
pub fn check(text: &str) -> Result<(), XmlError> {
    scan(text).map(|_| ())
}

#[derive(Default)]
struct Scan {
    found: bool,
    fields: Fields,
    /// All text outside `<ROOT>`.
    loose: String,
}

/// One pass over a document, without recursion.
fn scan(text: &str) -> Result<Scan, XmlError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut scan = Scan::default();
    let (mut depth, mut root_at) = (0_usize, None);
    loop {
        let piece = match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(start) => {
                depth += 1;
                let name = name_of(start.local_name().into_inner());
                if root_at.is_none() && name == "ROOT" {
                    root_at = Some(depth);
                    scan.found = true;
                } else if root_at.is_some_and(|at| depth == at + 1) {
                    scan.fields.0.push((name, String::new()));
                }
                continue;
            }
            Event::Empty(empty) => {
                if root_at == Some(depth) {
                    scan.fields.0.push((name_of(empty.local_name().into_inner()), String::new()));
                }
                continue;
            }
            Event::End(_) => {
                if root_at == Some(depth) {
                    root_at = None;
                }
                depth = depth.saturating_sub(1);
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::CData(data) => data.xml10_content().into_owned(),
            Event::GeneralRef(reference) => resolve(&reference)?,
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            Event::Eof => break,
        };
        match root_at {
            None => scan.loose.push_str(&piece),
            Some(at) if depth > at => {
                if let Some((_, text)) = scan.fields.0.last_mut() {
                    text.push_str(&piece);
                }
            }
            Some(_) => {}
        }
    }
    if depth == 0 { Ok(scan) } else { Err(XmlError::Malformed) }
}

fn name_of(name: impl AsRef<str>) -> String {
    name.as_ref().to_owned()
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, XmlError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
        return Ok(character.to_string());
    }
    resolve_xml_entity(reference).map(str::to_owned).ok_or(XmlError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_root_however_it_is_wrapped() {
        let xml = format!("<ROOT>{}{}</ROOT>", element("RETURN_CODE", "0"), element("RETURN_MSG", "a<b & c>"));
        let nested = "<s:Envelope xmlns:s='x'><s:Body><R><![CDATA[<?xml version='1.0'?><ROOT><RETURN_CODE><![CDATA[0]]]]>>\
                      <![CDATA[</RETURN_CODE><RETURN_MSG>a&lt;b &amp; c&#62;</RETURN_MSG></ROOT>]]></R></s:Body></s:Envelope>";
        for raw in [xml.clone(), request("CancelReg", &xml), reply("CancelReg", &xml), nested.to_owned()] {
            let fields = root(raw.as_bytes(), Charset::Utf8).unwrap();
            assert_eq!(fields.get("RETURN_CODE"), Some("0"), "{raw}");
            assert_eq!(fields.get("RETURN_MSG"), Some("a<b & c>"), "{raw}");
            assert_eq!(fields.get("SIGN"), None);
        }
    }

    #[test]
    fn refuses_document_types_and_unknown_entities() {
        let bomb = "<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><ROOT><SIGN>&a;</SIGN></ROOT>";
        assert_eq!(root(bomb.as_bytes(), Charset::Utf8).err(), Some(XmlError::Doctype));
        assert_eq!(root(request("X", bomb).as_bytes(), Charset::Utf8).err(), Some(XmlError::Doctype));
        assert_eq!(check(bomb).err(), Some(XmlError::Doctype));
        assert_eq!(root(b"<ROOT><SIGN>&a;</SIGN></ROOT>", Charset::Utf8).err(), Some(XmlError::Malformed));
        assert_eq!(root(b"<ROOT><SIGN>", Charset::Utf8).err(), Some(XmlError::Malformed));
        assert_eq!(root(b"hello", Charset::Utf8).err(), Some(XmlError::Malformed));
    }
}
