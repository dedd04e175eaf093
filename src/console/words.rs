//! The words of the pages in both languages. A list of words has both or does not compile.

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

/// Fails where a word stands in the wrong language or in none.
#[cfg(test)]
pub(super) fn assert_both(key: &str, zh: &str, en: &str) {
    let is_chinese = |text: &str| text.chars().any(|letter| ('\u{3400}'..='\u{9fff}').contains(&letter));
    assert!(is_chinese(en) == (en == "中文"), "{key} in English: {en}");
    assert!(is_chinese(zh) || zh == "English", "{key} in Chinese: {zh}");
}

use crate::waitlist::language::Language;

/// The fixed words of a page.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) runs: &'static str,
    pub(super) workflow: &'static str,
    pub(super) key: &'static str,
    pub(super) step: &'static str,
    pub(super) status: &'static str,
    pub(super) why: &'static str,
    pub(super) updated: &'static str,
    pub(super) every_workflow: &'static str,
    pub(super) all: &'static str,
    pub(super) none: &'static str,
    pub(super) older: &'static str,
    pub(super) find: &'static str,
    pub(super) search: &'static str,
    pub(super) api: &'static str,
    pub(super) other_language: &'static str,
}

/// The words of a language.
pub(super) fn fixed(language: Language) -> Words {
    match language {
        Language::ZhCn => Words {
            title: "候补挂号",
            runs: "流程实例",
            workflow: "流程",
            key: "业务键",
            step: "步骤",
            status: "状态",
            why: "当前情况",
            updated: "更新时间",
            every_workflow: "全部流程",
            all: "全部状态",
            none: "没有符合条件的流程实例。",
            older: "更早",
            find: "按业务键或编号查找",
            search: "查找",
            api: "接口文档",
            other_language: "English",
        },
        Language::En => Words {
            title: "Houbu waitlist",
            runs: "Runs",
            workflow: "Workflow",
            key: "Key",
            step: "Step",
            status: "Status",
            why: "Why it stands where it stands",
            updated: "Last moved",
            every_workflow: "All workflows",
            all: "All statuses",
            none: "No run matches.",
            older: "Older",
            find: "Find by key or id",
            search: "Find",
            api: "API",
            other_language: "中文",
        },
    }
}

/// A run's status.
pub(super) fn status(name: &str, language: Language) -> &str {
    match (language, name) {
        (Language::ZhCn, "pending") => "待处理",
        (Language::ZhCn, "running") => "处理中",
        (Language::ZhCn, "waiting") => "等待中",
        (Language::ZhCn, "suspended") => "已暂停",
        (Language::ZhCn, "unrunnable") => "待部署",
        (Language::ZhCn, "cancelled") => "已取消",
        (Language::ZhCn, "faulted") => "已失败",
        (Language::ZhCn, "completed") => "已完成",
        _ => name,
    }
}
