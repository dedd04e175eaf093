//! What a deed changed, in words: each field that is another one before and after. Pure.

use chrono::DateTime;
use serde_json::Value;

use super::settings;
use super::when::Clock;
use super::words::names;
use crate::desk::faults;
use crate::waitlist::language::Language;

/// What a field was and is, where that differs.
pub(super) fn between(before: &Value, after: &Value, clock: &Clock) -> Vec<(String, String, String)> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Vec::new() };
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let said = |key: &str, value: Option<&Value>| value.map(|value| said(key, value, clock)).unwrap_or_default();
    keys.filter(|key| before.get(*key) != after.get(*key))
        .map(|key| (names::field(key, clock.language), said(key, before.get(key)), said(key, after.get(key))))
        .collect()
}

/// A value of the field `key`.
fn said(key: &str, value: &Value, clock: &Clock) -> String {
    let zh = clock.language == Language::ZhCn;
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => names::choice(&flag.to_string(), clock.language),
        Value::Number(number) => number.to_string(),
        Value::String(text) => word(key, text, clock),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(|one| said(key, one, clock)).collect();
            all.join(if zh { "、" } else { ", " })
        }
        // A program's own data, as it is.
        Value::Object(_) if matches!(key, "patch" | "payload" | "person") => format!("“{value}”"),
        Value::Object(fields) => {
            let mut all: Vec<(&String, &Value)> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            // What was done, then with what.
            all.sort_by_key(|(key, _)| key.as_str() != "verb");
            let line = |(key, value): (&String, &Value)| {
                format!("{}: {}", names::field(key, clock.language), said(key, value, clock))
            };
            all.into_iter().map(line).collect::<Vec<_>>().join(if zh { "；" } else { "; " })
        }
    }
}

fn word(key: &str, text: &str, clock: &Clock) -> String {
    let language = clock.language;
    match key {
        "lastError" | "error" => faults::said(text, language),
        "step" => names::step(text, language),
        "status" | "fate" | "state" => names::state(text, language),
        "shown" => names::part(text, language),
        "verb" => names::verb(text, language),
        "outcome" => names::outcome(text, language),
        "signal" => names::signal(text, language),
        "workflow" => names::workflow(text, language),
        "fault" => names::fault(text, language),
        "owes" | "level" | "channel" | "destination" | "source" => names::thing(text, language),
        "template" => names::text(text, language),
        "kind" => names::difference(text, language),
        "query" => format!("“{text}”"),
        "role" | "asked" => names::role(text, language),
        _ if settings::chooses(key) || matches!(key, "event" | "scope") => names::choice(text, language),
        _ => match DateTime::parse_from_rfc3339(text) {
            Ok(at) => clock.stamp(at.to_utc()).text,
            Err(_) => text.strip_suffix(":00").filter(|_| text.len() == 8).unwrap_or(text).to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(before: &Value, after: &Value, language: Language) -> Vec<String> {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language };
        let line = |(what, from, to): (String, String, String)| format!("{what}: {from} → {to}");
        between(before, after, &clock).into_iter().map(line).collect()
    }

    #[test]
    fn only_what_has_changed_is_shown() {
        let before = json!({ "step": "Booking", "status": "suspended", "attempt": 24 });
        let after = json!({ "step": "Booking", "status": "pending", "attempt": 0 });
        assert_eq!(lines(&before, &after, Language::En), ["Attempt: 24 → 0", "Status: Suspended → Pending"]);
    }

    #[test]
    fn a_change_is_in_words_and_no_json() {
        let before = json!({ "turn": 0, "owes": [], "switch": "inherit" });
        let after = json!({
            "turn": 1, "owes": ["Money", "Lock"], "switch": "on", "paymentMode": "prepay",
            "cutoff": { "daysBefore": 1, "at": "17:30:00" }, "asked": { "verb": "answer", "outcome": "Paid" },
        });
        let expected = [
            "已提交步数: 0 → 1",
            "未了结:  → 款项、锁号",
            "是否开启候补: 未设置 → 开启",
            "操作内容:  → 操作: 补录结果；结果: 已支付",
            "截止:  → 时间: 17:30；就诊前几天: 1",
            "支付方式:  → 预付",
        ];
        let mut said = lines(&before, &after, Language::ZhCn);
        let mut expected = expected.map(str::to_owned).to_vec();
        said.sort();
        expected.sort();
        assert_eq!(said, expected);
    }
}
