//! The two languages that people are answered in; Chinese where nothing else is asked for.

use serde::{Deserialize, Serialize};

/// A language that every message for people exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// Chinese, as written in mainland China.
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    /// English.
    #[serde(rename = "en")]
    En,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ZhCn, Self::En];

    /// The tag, for `Content-Language` and `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language that an `Accept-Language` header likes best; the first named wins a tie. Anything that cannot be
    /// read, and any other language, is passed over.
    pub fn preferred(accept_language: Option<&str>) -> Self {
        let mut best = (Self::default(), 0.0);
        for item in accept_language.unwrap_or_default().split(',') {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let language = match primary {
                _ if primary.eq_ignore_ascii_case("zh") => Self::ZhCn,
                _ if primary.eq_ignore_ascii_case("en") => Self::En,
                _ => continue,
            };
            let quality = match parameters.trim().strip_prefix("q=") {
                Some(quality) => quality.trim().parse::<f32>().unwrap_or(0.0),
                None => 1.0,
            };
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_and_chinese_is_the_default() {
        let table = [
            (None, Language::ZhCn),
            (Some(""), Language::ZhCn),
            (Some("en"), Language::En),
            (Some("EN-gb"), Language::En),
            (Some("zh-TW, en;q=0.9"), Language::ZhCn),
            (Some("fr, en;q=0.5, zh;q=0.4"), Language::En),
            (Some("en;q=0.2, zh-CN;q=0.8"), Language::ZhCn),
            (Some("en;q=0"), Language::ZhCn),
            (Some("en;q=nonsense"), Language::ZhCn),
            (Some("de, *;q=0.1"), Language::ZhCn),
        ];
        for (header, expected) in table {
            assert_eq!(Language::preferred(header), expected, "{header:?}");
        }
    }
}
