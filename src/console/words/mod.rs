//! The words of the pages in both languages. A list of words has both or does not compile; what the program calls by a name of its
//! own (steps, statuses, verbs) is in `names`.

pub(super) mod audit;
pub(super) mod books;
mod coming_in;
mod deeds;
pub(super) mod frame;
pub(super) mod home;
mod kept;
mod lacks;
pub(super) mod names;
pub(super) mod operations;
pub(super) mod people;
pub(super) mod policies;
mod pushes;
pub(super) mod refused;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod slots;
mod tables;

/// A list of words: a name, Chinese, English.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $zh:literal, $en:literal;)+ }) => {
        $(#[$doc])*
        pub(in crate::console) struct $name {
            $(pub(in crate::console) $key: &'static str,)+
        }

        impl $name {
            const ZH: Self = Self { $($key: $zh,)+ };
            const EN: Self = Self { $($key: $en,)+ };

            /// The words of a language.
            pub(in crate::console) fn of(language: crate::waitlist::language::Language) -> &'static Self {
                match language {
                    crate::waitlist::language::Language::ZhCn => &Self::ZH,
                    crate::waitlist::language::Language::En => &Self::EN,
                }
            }
        }

        #[cfg(test)]
        #[test]
        fn every_word_is_in_both_languages() {
            $(crate::console::words::assert_both(stringify!($key), $zh, $en);)+
        }
    };
}
pub(in crate::console) use words;

/// So many of them. Where one is called otherwise than many, a word has both: `run|runs`.
pub(in crate::console) fn so_many(n: i64, name: &str) -> String {
    let (one, many) = name.split_once('|').unwrap_or((name, name));
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Fails where a word stands in the wrong language or in none.
#[cfg(test)]
pub(super) fn assert_both(key: &str, zh: &str, en: &str) {
    /// Words that are the same in both, or that people read as they are.
    const ALIKE: [&str; 5] = ["中文", "English", "CSV", "API", "ID"];
    assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{key} is empty");
    assert!(!is_chinese(en) || ALIKE.contains(&en), "{key} in English is Chinese: {en}");
    assert!(is_chinese(zh) || ALIKE.contains(&zh), "{key} in Chinese is not: {zh}");
}

#[cfg(test)]
pub(super) fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{3400}'..='\u{9fff}').contains(&letter))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::{is_chinese, so_many};

    #[test]
    fn one_is_called_otherwise_than_many() {
        assert_eq!(so_many(1, "appeal|appeals"), "1 appeal");
        assert_eq!(so_many(2, "appeal|appeals"), "2 appeals");
        assert_eq!(so_many(0, "appeal|appeals"), "0 appeals");
        assert_eq!(so_many(1, "条申诉"), "1 条申诉");
    }

    /// What a person reads stands in lists of words: a template has only what no language has.
    #[test]
    fn no_template_has_words_of_its_own() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console/templates");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            assert!(!is_chinese(&text), "{} has Chinese of its own", path.display());
            let bare = without(&without(&without(&text, "{%", "%}"), "{{", "}}"), "<", ">");
            let bare = bare.replace("&nbsp;", " ").replace("&amp;", " ").replace("&quot;", " ");
            let word = bare.split(|letter: char| !letter.is_ascii_alphabetic()).find(|word| word.len() > 1);
            // Keys of the keyboard are as they are.
            assert!(word.is_none(), "{} says {:?} in one language", path.display(), word);
        }
    }

    /// What a form is told is wrong stands in both languages: `Problem::form` takes both, the others are for programs.
    #[test]
    fn no_form_is_refused_in_one_language() {
        // What the desk refuses in English alone has a program before it, or a workflow's own words in it.
        let of = |folder: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let apart = of("src/desk/runs.rs");
        let mut folders = vec![of("src/console"), of("src/desk")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.is_dir() && name != "words" {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") && path != apart {
                    let text = fs::read_to_string(&path).unwrap();
                    for way in ["Problem::invalid(", "Problem::unreadable(", "DeskError::Unreadable("] {
                        assert!(!text.contains(way), "{} refuses a form in English alone: {way}", path.display());
                    }
                }
            }
        }
    }

    fn without(text: &str, from: &str, to: &str) -> String {
        let mut rest = text;
        let mut bare = String::new();
        while let Some((before, after)) = rest.split_once(from) {
            bare.push_str(before);
            rest = after.split_once(to).map_or("", |(_, after)| after);
            bare.push(' ');
        }
        bare + rest
    }
}
