//! What is stored of a run: what it knows, what came with a signal, what a letter says. Masked; `POST /runs/{id}/unmask`: a part of it in
//! the clear, for this one look, which is audited.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::access::{Permission, Staff};
use super::super::page::{Page, reason, to};
use super::super::words::names;
use super::{Came, page};
use crate::desk::unmask::Part;
use crate::http::Surface;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// Letters of one content that are shown.
const SHOWN_MAX: usize = 8_000;

/// A content, ready for the page; without a text where nothing is in it.
pub(super) struct Content {
    pub(super) text: String,
    /// True where there is more than is shown.
    pub(super) cut: bool,
}

impl Content {
    pub(super) fn of(value: &Value) -> Self {
        let nothing = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        let mut text = if nothing { String::new() } else { serde_json::to_string_pretty(value).unwrap_or_default() };
        let end = text.char_indices().nth(SHOWN_MAX).map(|(at, _)| at);
        if let Some(end) = end {
            text.truncate(end);
        }
        Self { text, cut: end.is_some() }
    }
}

/// A part that can be seen in the clear.
pub(super) struct Unmaskable {
    pub(super) value: &'static str,
    pub(super) name: String,
}

/// All of them.
pub(super) fn parts(language: Language) -> Vec<Unmaskable> {
    Part::ALL.map(|part| Unmaskable { value: part.name(), name: names::part(part.name(), language) }).into()
}

/// Who looks at what, and why.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Look {
    #[serde(default)]
    part: String,
    reason: String,
}

pub(in crate::console) async fn unmask(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Form(look): Form<Look>,
) -> Page {
    staff.require_to(Permission::Unmask)?;
    let by = staff.by(reason(&look.reason)?);
    let part = Part::parse(&look.part)
        .ok_or_else(|| Problem::form("请选择要查看的内容。", "Choose what is to be seen in the clear."))?;
    let seen = surface.desk.unmask_run(id, part, &by).await?;
    page(&surface, &staff, id, seen, &Came { clear: Some(part), ..Came::default() }).await
}

/// The look is over, whoever comes to its address again: by another language, by logging in anew.
pub(in crate::console) async fn over(Path(id): Path<Uuid>) -> Page {
    to(&format!("/runs/{id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_content_is_cut_between_letters_and_says_so() {
        let short = Content::of(&json!({ "id": "0101" }));
        assert_eq!((short.text.as_str(), short.cut), ("{\n  \"id\": \"0101\"\n}", false));
        assert!(Content::of(&json!({})).text.is_empty(), "nothing is no content");
        let long = Content::of(&json!("候".repeat(SHOWN_MAX)));
        assert_eq!((long.text.chars().count(), long.cut), (SHOWN_MAX, true));
    }
}
