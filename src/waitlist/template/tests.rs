//! Every text that can be stored renders to what the platform takes; the rest is refused by name.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveTime};
use chrono_tz::Asia::Shanghai;
use proptest::prelude::*;

use super::*;
use crate::waitlist::language::Language;
use crate::waitlist::money::Fen;

fn facts() -> NoticeFacts<'static> {
    NoticeFacts {
        doctor_name: "李时珍",
        visit_date: NaiveDate::from_ymd_opt(2025, 8, 14).unwrap(),
        part_of_day: "上午",
        begins: NaiveTime::from_hms_opt(9, 30, 0),
        place: Some("门诊楼三层"),
        deadline: DateTime::from_timestamp(1_755_079_200, 0),
        amount: Some(Fen(5000)),
        tz: Shanghai,
    }
}

fn built_in(kind: NoticeKind) -> Template {
    Template::built_in(kind.template(), "TM1".to_owned())
}

fn template(fields: &[(&str, &str)]) -> Template {
    let fields = fields.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let (channels, template_ids) = (Vec::new(), BTreeMap::new());
    Template { template_id: "TM1".to_owned(), fields, sms: None, quiet_hours: None, channels, template_ids }
}

/// The codes of what is wrong with one text under one key.
fn wrong(name: TemplateName, key: &str, text: &str) -> Vec<(String, String)> {
    let flaws = template(&[(key, text)]).flaws(name);
    let code = |flaw: &Flaw| serde_json::to_value(flaw).unwrap()["code"].as_str().unwrap().to_owned();
    flaws.iter().map(|flaw| (flaw.field.clone(), code(flaw))).collect()
}

#[test]
fn an_offer_says_when_who_until_when_and_how_much() {
    let expected = [
        ("候补医师", "李时珍"),
        ("候补状态", "待确认"),
        ("就诊时间", "2025年8月14日 09:30"),
        ("截止时间", "2025年8月13日 18:00"),
        ("温馨提示", "请在截止时间前确认"),
        ("金额", "50.00 元"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    assert_eq!(built_in(NoticeKind::PleaseConfirm).render(NoticeKind::PleaseConfirm, &facts()), expected);
    let sms = built_in(NoticeKind::PleaseConfirm).render_sms(NoticeKind::PleaseConfirm, &facts()).unwrap();
    assert_eq!(sms, "您候补的李时珍医生2025年8月14日 09:30号源已为您保留，请于2025年8月13日 18:00前确认，逾期将释放。");
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare = NoticeFacts { begins: None, place: None, deadline: None, amount: Some(Fen::ZERO), ..facts() };
    let fields = built_in(NoticeKind::Submitted).render(NoticeKind::Submitted, &bare);
    assert_eq!(fields.get("就诊时间").unwrap(), "2025年8月14日 上午");
    assert_eq!(fields.len(), 4);
    // A key of the platform must have a value all the same.
    let stored = template(&[("thing1", "地点：{place}"), ("amount2", "{amount}"), ("thing3", "{place}")]);
    let values: Vec<String> = stored.render(NoticeKind::Booked, &bare).into_values().collect();
    assert_eq!(values, ["0.00元", "地点：—", "—"]);
}

#[test]
fn every_failure_has_words_of_its_own() {
    let remark = |kind: &NoticeKind| built_in(*kind).render(*kind, &facts())["温馨提示"].clone();
    let kinds = TemplateName::WaitlistFailed.kinds();
    assert_eq!(kinds.iter().map(remark).collect::<HashSet<_>>().len(), kinds.len());
}

#[test]
fn r23_what_is_built_in_is_without_a_flaw_and_nothing_of_it_is_cut() {
    for name in TemplateName::ALL {
        assert_eq!(TemplateName::parse(name.as_str()), Some(name));
        assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        assert_eq!(Template::built_in(name, "TM1".to_owned()).flaws(name), []);
        for kind in name.kinds() {
            assert_eq!(kind.template(), name);
            let fields = built_in(kind).render(kind, &facts());
            assert!(fields.values().all(|value| !value.contains('…')), "{fields:?}");
            assert!(fields["候补状态"].chars().count() <= 5);
        }
    }
}

#[test]
fn r23_a_text_that_the_platform_would_refuse_is_refused_by_name() {
    use TemplateName::{WaitlistBooked as Booked, WaitlistFailed as Failed, WaitlistSubmitted as Submitted};
    let table = [
        (Booked, "thing1", "{doctor}", None),
        (Booked, "time1", "{visitTime}", None),
        (Submitted, "time1", "{visitTime}", Some("wrong_form")),
        (Submitted, "date1", "{visitDate}", None),
        (Submitted, "thing1", "{visitTime}", None),
        (Submitted, "time1", "{deadline}", None),
        (Booked, "time1", "于{visitTime}", Some("wrong_form")),
        (Booked, "phrase1", "{status}", None),
        (Booked, "phrase1", "您的{status}了", Some("too_long")),
        (Booked, "phrase1", "{amount}", Some("wrong_form")),
        (Booked, "amount1", "¥{amount}", None),
        (Booked, "amount1", "{doctor}", Some("wrong_form")),
        (Booked, "character_string1", "{place}", Some("wrong_form")),
        (Booked, "thing1", "就诊时间为：{visitTime}，请准时", Some("too_long")),
        (Failed, "thing1", "很遗憾，{remark}，请您重新申请", Some("too_long")),
        (Booked, "thng1", "{doctor}", Some("unknown_key")),
        (Booked, "thing1", "{doktor}", Some("unknown_placeholder")),
        (Booked, "thing1", "{name}", Some("forbidden_placeholder")),
        (Booked, "thing1", "{idNumber}", Some("forbidden_placeholder")),
        (Booked, "thing1", "{diagnosis}", Some("forbidden_placeholder")),
        (Booked, "thing1", "{department}", Some("forbidden_placeholder")),
        (Booked, "thing1", "{诊断}", Some("forbidden_placeholder")),
        (Booked, "thing1", "您的诊断已出", Some("forbidden_text")),
        (Booked, "thing1", "11010519491231002X", Some("forbidden_text")),
        (Booked, "thing1", "{doctor", Some("unclosed")),
        (Booked, "thing1", "doctor}", Some("unclosed")),
        (Booked, "thing1", "{{doctor}}", Some("unclosed")),
        (Booked, "thing1", "  ", Some("size")),
    ];
    for (name, key, text, code) in table {
        let expected: Vec<_> = code.into_iter().map(|code| (format!("fields.{key}"), code.to_owned())).collect();
        assert_eq!(wrong(name, key, text), expected, "{name:?} {key} {text}");
    }
    let nothing = Template { template_id: String::new(), sms: Some("{x}".to_owned()), ..template(&[]) };
    let fields: Vec<String> = nothing.flaws(Booked).into_iter().map(|flaw| flaw.field).collect();
    assert_eq!(fields, ["fields", "sms", "templateId"]);
    let long = Template { sms: Some("很".repeat(SMS_LETTERS + 1)), ..template(&[("thing1", "{doctor}")]) };
    assert_eq!(long.flaws(Booked).len(), 1);
}

#[test]
fn r23_a_flaw_is_a_sentence_in_both_languages_and_repeats_no_id_number() {
    let texts =
        ["{doktor}", "{name}", "诊断", "11010519491231002X", "{", "很长很长很长很长很长很长很长很长很长很长很长"];
    for text in texts {
        for flaw in template(&[("thing1", text)]).flaws(TemplateName::WaitlistBooked) {
            let (zh, en) = (flaw.message(Language::ZhCn), flaw.message(Language::En));
            assert!(zh.starts_with("fields.thing1：") && en.starts_with("fields.thing1: "), "{zh} {en}");
            assert!(zh != en && !zh.contains("19491231") && !en.contains("19491231"));
        }
    }
}

proptest! {
    #[test]
    fn r23_every_value_is_one_short_line(doctor in "\\PC{0,60}", place in "(?s).{0,60}", fen in 0..i64::MAX) {
        let facts = NoticeFacts { doctor_name: &doctor, place: Some(&place), amount: Some(Fen(fen)), ..facts() };
        let stored = template(&[("thing1", "{doctor}在{place}"), ("thing2", "{amount}"), ("keyword3", "{place}")]);
        for kind in NoticeKind::samples() {
            for values in [built_in(kind).render(kind, &facts), stored.render(kind, &facts)] {
                for value in values.values() {
                    prop_assert!((1..=20).contains(&value.chars().count()), "{}", value);
                    prop_assert!(!value.chars().any(char::is_control));
                }
            }
            let sms = built_in(kind).render_sms(kind, &facts).unwrap();
            prop_assert!((1..=SMS_LETTERS).contains(&sms.chars().count()));
        }
    }

    /// What is found to be without a flaw has, with the facts of any notice, the form of its key.
    #[test]
    fn r23_a_text_without_a_flaw_is_taken(
        text in "(于|：|a|¥|[{]doctor[}]|[{]visitTime[}]|[{]visitDate[}]|[{]deadline[}]|[{]amount[}]|[{]status[}]|[{]remark[}]){1,3}",
        begins in proptest::option::of(0..24_u32), fen in proptest::option::of(1..100_000_000_i64), nth in 0..6_usize,
    ) {
        let name = TemplateName::ALL[nth];
        for key in ["thing1", "time1", "date1", "phrase1", "amount1", "character_string1", "name1"] {
            let stored = template(&[(key, &text)]);
            if !stored.flaws(name).is_empty() {
                continue;
            }
            for kind in name.kinds() {
                let begins = begins.or(kind.knows_the_time().then_some(8));
                let begins = begins.and_then(|hour| NaiveTime::from_hms_opt(hour, 30, 0));
                let amount = fen.or((kind == NoticeKind::Refunded).then_some(1)).map(Fen);
                let values = stored.render(kind, &NoticeFacts { begins, amount, ..facts() });
                let (value, form) = (&values[key], Form::of(key).unwrap());
                prop_assert!(form.takes(value), "{} {}", key, value);
                prop_assert!(value.chars().count() <= form.letters_max(), "{} {}", key, value);
            }
        }
    }
}
