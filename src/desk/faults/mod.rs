//! What went wrong, as staff read it in their language. A fault is stored as the English sentence that the program made of it; each
//! such sentence has its shape in `shapes`, and the Chinese one beside it. What a system outside said stands in quotation marks, as its
//! own words.

mod shapes;

use self::shapes::{CALLS, SHAPES, SYSTEMS};
use crate::waitlist::language::Language;

/// A stored fault in the reader's language. What no shape knows, a person's words for example, is quoted as it was written.
pub fn said(fault: &str, language: Language) -> String {
    match (found(fault, language), language) {
        (Some(sentence), _) => sentence,
        (None, Language::ZhCn) if !fault.is_empty() && !has_chinese(fault) => format!("原文“{fault}”"),
        (None, _) => fault.to_owned(),
    }
}

/// What a person said who suspended a run: who it was, and why.
pub fn by_staff(said: &str, language: Language) -> String {
    match language {
        Language::ZhCn => format!("人工暂停：{said}"),
        Language::En => format!("Suspended by staff: {said}"),
    }
}

/// What stands in a hole of a shape.
fn filled(hole: &str, text: &str, language: Language) -> String {
    let zh = language == Language::ZhCn;
    match hole {
        "detail" => found(text, language)
            .unwrap_or_else(|| if zh { format!("对方答复“{text}”") } else { format!("it answered “{text}”") }),
        "error" if zh => found(text, language).unwrap_or_else(|| format!("“{text}”")),
        "system" if zh => named(SYSTEMS, text).unwrap_or(text).to_owned(),
        "call" if zh => named(CALLS, text).map_or_else(|| text.to_owned(), |name| call(name, text)),
        _ => text.to_owned(),
    }
}

/// A call of HIS keeps its number, by which its makers know it.
fn call(name: &str, text: &str) -> String {
    if text.starts_with(|first: char| first.is_ascii_digit()) { format!("{name}（{text}）") } else { name.to_owned() }
}

fn named(names: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    names.iter().find(|(name, _)| *name == text).map(|(_, chinese)| *chinese)
}

/// The sentence in a language; none where no shape fits.
fn found(fault: &str, language: Language) -> Option<String> {
    SHAPES.iter().find_map(|(en, zh)| {
        let holes = fits(en, fault)?;
        let shape = if language == Language::En { en } else { zh };
        let filled = pieces(shape).into_iter().map(|piece| match piece {
            Piece::Words(words) => words.to_owned(),
            Piece::Hole(name) => {
                let text = holes.iter().find(|(hole, _)| *hole == name).map_or("", |(_, text)| *text);
                filled(name, text, language)
            }
        });
        Some(filled.collect())
    })
}

/// A part of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Words(&'a str),
    Hole(&'a str),
}

fn pieces(shape: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let mut rest = shape;
    while let Some((words, after)) = rest.split_once('{') {
        let (hole, after) = after.split_once('}').unwrap_or((after, ""));
        if !words.is_empty() {
            all.push(Piece::Words(words));
        }
        all.push(Piece::Hole(hole));
        rest = after;
    }
    if !rest.is_empty() {
        all.push(Piece::Words(rest));
    }
    all
}

/// What stands in the holes of a shape; none where the text is not of it.
fn fits<'a>(shape: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut holes = Vec::new();
    let mut rest = text;
    let mut open: Option<&str> = None;
    for piece in pieces(shape) {
        match piece {
            Piece::Hole(name) => open = Some(name),
            Piece::Words(words) => match open.take() {
                None => rest = rest.strip_prefix(words)?,
                Some(name) => {
                    let (within, after) = rest.split_once(words)?;
                    holes.push(taken(name, within)?);
                    rest = after;
                }
            },
        }
    }
    match open {
        Some(name) => holes.push(taken(name, rest)?),
        None if !rest.is_empty() => return None,
        None => {}
    }
    Some(holes)
}

/// Numbers and codes are one word; a call's name, an error's text and what the other side said may be several.
fn taken<'a>(name: &'a str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let several = matches!(name, "call" | "detail" | "error");
    (!text.is_empty() && (several || !text.contains(char::is_whitespace))).then_some((name, text))
}

fn has_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{3400}'..='\u{9fff}').contains(&letter))
}

#[cfg(test)]
mod tests;
