//! What is stored of a run, as it is shown: whatever may be of a person is starred. Pure.
//!
//! A field is judged by its name first, then by its looks. What is neither of a name that is known nor looks like an id, a code, an
//! amount or a time is taken for a text that somebody wrote, and not shown: a field that nobody has thought of hides.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;
use uuid::Uuid;

use super::identity::{IdNumber, IdType, Phone, mask};

/// What stands for something of which nothing is shown.
const HIDDEN: &str = "***";
/// The longest text that may be a code.
const CODE_MAX: usize = 100;
/// The longest code that a reason may be.
const REASON_CODE_MAX: usize = 40;

/// What has a name and is no person.
const OF_THE_HOUSE: [&str; 12] = [
    "doctor",
    "department",
    "dept",
    "campus",
    "hospital",
    "hos",
    "clinic",
    "schedule",
    "template",
    "workflow",
    "step",
    "signal",
];

/// What a field holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// A person's name.
    Name,
    Phone,
    /// The number of an ID document.
    Document,
    /// The payer's or reader's account outside.
    Account,
    /// A number of the payment provider.
    Payment,
    /// Why, or what was said: by a person, or as a code.
    Said,
    /// Never shown: addresses, birthdays, secrets.
    Private,
    /// A name of the hospital's: may be read.
    Ours,
    /// Its looks decide.
    Unknown,
}

/// The same value with whatever may be of a person starred. Its shape, ids, codes, amounts and times stay as they are.
pub fn masked(value: &Value) -> Value {
    under(value, Held::Unknown)
}

/// True where a text that somebody wrote has a mobile number or a resident's number in it.
pub fn holds_number(text: &str) -> bool {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.map(|word| word.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(word)).any(|word| {
        let mobile = word.len() == 11 && word.bytes().all(|digit| digit.is_ascii_digit());
        let mobile = mobile && matches!(word.as_bytes(), [b'1', b'3'..=b'9', ..]);
        mobile || IdNumber::parse(IdType::ResidentCard, word, NaiveDate::MAX).is_ok()
    })
}

fn under(value: &Value, held: Held) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => {
            // Nobody says anything in numbers alone.
            let held = if held == Held::Said { Held::Unknown } else { held };
            let plain = number.to_string();
            let shown = text(&plain, held);
            if shown == plain { value.clone() } else { Value::String(shown) }
        }
        Value::String(plain) => Value::String(text(plain, held)),
        Value::Array(all) => Value::Array(all.iter().map(|one| under(one, held)).collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| field(name, value, held)).collect()),
    }
}

/// A field; one whose name says nothing holds what it stands in.
fn field(name: &str, value: &Value, around: Held) -> (String, Value) {
    let known = held_by(name);
    let held = if known == Held::Unknown && around != Held::Ours { around } else { known };
    // Somebody may be what a map goes by.
    let shown = match known {
        Held::Unknown if is_code(name) => by_looks(name),
        Held::Unknown => text(name, Held::Name),
        _ => segments(name),
    };
    (shown, under(value, held))
}

fn held_by(name: &str) -> Held {
    let name: String = name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let is = |all: &[&str]| all.contains(&name.as_str());
    let has = |all: &[&str]| all.iter().any(|part| name.contains(part));
    let ends = |all: &[&str]| all.iter().any(|part| name.ends_with(part));
    let begins = |all: &[&str]| all.iter().any(|part| name.starts_with(part));
    match () {
        () if is(&["place", "room"]) || (ends(&["name"]) && begins(&OF_THE_HOUSE)) => Held::Ours,
        () if ends(&["name", "names"]) || has(&["guardian", "contact", "姓名", "监护人"]) => Held::Name,
        () if is(&["tel"]) || has(&["phone", "mobile", "手机", "电话"]) => Held::Phone,
        () if ends(&["idno"])
            || has(&["idnumber", "idcard", "certno", "certnumber", "passport", "cardno", "cardnumber"]) =>
        {
            Held::Document
        }
        () if has(&["身份证", "证件号"]) => Held::Document,
        () if is(&["payer", "buyer"]) || has(&["openid", "unionid"]) => Held::Account,
        () if ends(&["refundid"]) || has(&["transactionid", "prepayid"]) => Held::Payment,
        () if ends(&["sign", "nonce"])
            || has(&["secret", "password", "token", "authorization", "signature", "cipher"]) =>
        {
            Held::Private
        }
        () if ends(&["addr", "idhash"]) || has(&["address", "email", "birth", "地址", "住址", "生日", "出生"]) => {
            Held::Private
        }
        () if ends(&[
            "reason",
            "remark",
            "note",
            "comment",
            "text",
            "message",
            "content",
            "description",
            "title",
            "body",
        ]) =>
        {
            Held::Said
        }
        () if is(&["said", "remarks", "notes", "comments"]) || has(&["备注", "原因", "说明"]) => Held::Said,
        () => Held::Unknown,
    }
}

fn text(plain: &str, held: Held) -> String {
    let letters = plain.chars().count();
    match held {
        _ if plain.is_empty() => String::new(),
        Held::Private if email(plain).is_none() => HIDDEN.to_owned(),
        Held::Name => match letters {
            0 | 1 => "*".to_owned(),
            2 => mask(plain, 1, 0),
            3..=20 => mask(plain, 1, 1),
            _ => HIDDEN.to_owned(),
        },
        Held::Phone if letters >= 9 => mask(plain, 3, 4),
        Held::Document if letters >= 15 => mask(plain, 3, 4),
        Held::Document if letters >= 7 => mask(plain, 1, 2),
        Held::Account if letters >= 12 => mask(plain, 3, 3),
        Held::Payment if letters >= 16 => mask(plain, 6, 4),
        Held::Phone | Held::Document | Held::Account | Held::Payment => HIDDEN.to_owned(),
        Held::Said if !is_reason_code(plain) => HIDDEN.to_owned(),
        Held::Ours => segments(plain),
        Held::Said | Held::Private | Held::Unknown => by_looks(plain),
    }
}

/// What a value whose field says nothing shows.
fn by_looks(plain: &str) -> String {
    if is_moment(plain) {
        return plain.to_owned();
    }
    if let Some(masked) = email(plain) {
        return masked;
    }
    if let Ok(phone) = Phone::parse(plain) {
        return phone.masked();
    }
    if is_code(plain) { segments(plain) } else { HIDDEN.to_owned() }
}

/// Everything between two signs for itself: an id may be put together of one that is a person's.
fn segments(plain: &str) -> String {
    let mut shown = String::with_capacity(plain.len());
    for part in plain.split_inclusive(|letter: char| !is_of_a_segment(letter)) {
        let end = part.chars().next_back().filter(|letter| !is_of_a_segment(*letter));
        let own = part.strip_suffix(|letter| Some(letter) == end).unwrap_or(part);
        shown.push_str(&segment(own));
        shown.extend(end);
    }
    shown
}

fn is_of_a_segment(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

fn segment(plain: &str) -> String {
    let digits = plain.bytes().all(|letter| letter.is_ascii_digit());
    match plain.len() {
        // A run's id in either spelling.
        32.. if Uuid::parse_str(plain).is_ok() => plain.to_owned(),
        24.. if digits || is_prepayment(plain) => mask(plain, 6, 4),
        28 if is_account(plain) => mask(plain, 3, 3),
        11..14 if is_landline(plain) => mask(plain, 3, 4),
        _ => digits_of_people(plain),
    }
}

/// WeChat's ids of orders.
fn is_prepayment(plain: &str) -> bool {
    plain.strip_prefix("wx").and_then(|own| own.bytes().next()).is_some_and(|first| first.is_ascii_digit())
}

/// WeChat's ids of users: 28 letters of both cases and digits, the first an `o`.
fn is_account(plain: &str) -> bool {
    let has = |of: fn(&u8) -> bool| plain.bytes().any(|letter| of(&letter));
    plain.starts_with('o') && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// Stars phones and ID numbers wherever they stand in a code.
fn digits_of_people(plain: &str) -> String {
    let (mut shown, mut run) = (String::with_capacity(plain.len()), String::new());
    for letter in plain.chars() {
        if letter.is_ascii_digit() {
            run.push(letter);
            continue;
        }
        if matches!(letter, 'X' | 'x') && run.len() == 17 {
            run.push(letter);
            shown.push_str(&number(&run));
            run.clear();
            continue;
        }
        shown.push_str(&number(&run));
        run.clear();
        shown.push(letter);
    }
    shown + &number(&run)
}

fn number(run: &str) -> String {
    let born = |from: usize, until: usize, form: &str| {
        run.get(from..until).is_some_and(|day| NaiveDate::parse_from_str(day, form).is_ok())
    };
    match run.len() {
        11 if Phone::parse(run).is_ok() => mask(run, 3, 4),
        15 if born(6, 12, "%y%m%d") => mask(run, 3, 4),
        18 if born(6, 14, "%Y%m%d") => mask(run, 3, 4),
        _ => run.to_owned(),
    }
}

fn email(plain: &str) -> Option<String> {
    let (who, host) = plain.split_once('@')?;
    let fine = !host.contains('@') && host.contains('.') && !plain.chars().any(char::is_whitespace);
    let first = who.chars().next().filter(|_| fine)?;
    Some(format!("{first}{HIDDEN}@{host}"))
}

fn is_landline(plain: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    plain.split_once('-').is_some_and(|(area, own)| {
        area.starts_with('0')
            && matches!(area.len(), 3 | 4)
            && matches!(own.len(), 7 | 8)
            && digits(area)
            && digits(own)
    })
}

fn is_moment(plain: &str) -> bool {
    let local = |form: &str| NaiveDateTime::parse_from_str(plain, form).is_ok();
    DateTime::parse_from_rfc3339(plain).is_ok()
        || NaiveDate::parse_from_str(plain, "%Y-%m-%d").is_ok()
        || ["%H:%M:%S", "%H:%M"].iter().any(|form| NaiveTime::parse_from_str(plain, form).is_ok())
        || ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"].iter().any(|form| local(form))
}

/// Ids, codes, addresses of programs: one word of the keyboard's letters.
fn is_code(plain: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/+#=,;|~@%&?*".contains(letter);
    plain.len() <= CODE_MAX && plain.chars().all(fits)
}

/// A reason that the program gives, not a person.
fn is_reason_code(plain: &str) -> bool {
    plain.len() <= REASON_CODE_MAX && plain.chars().all(|letter| letter.is_ascii_alphabetic() || "-_.".contains(letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_persons_number_is_seen_in_what_somebody_wrote() {
        for text in
            ["患者13800138000来电", "called +86 13800138000.", "8613800138000", "证件 11010519491231002x，已核对"]
        {
            assert!(holds_number(text), "{text}");
        }
        // Four digits, an amount, an order at HIS, a transaction and a time are none.
        for text in [
            "",
            "HIS is back",
            "尾号8000",
            "10580013800",
            "4200001234202511290123456789",
            "T01M8M5KBH4E8GB3DCWPA6WX81D01",
            "2026-11-29 17:00",
            "110105194912310021",
        ] {
            assert!(!holds_number(text), "{text}");
        }
    }

    #[test]
    fn what_is_of_a_person_is_starred_by_the_name_of_its_field() {
        let table = [
            (json!({ "name": "张三丰" }), json!({ "name": "张*丰" })),
            (json!({ "patientName": "李四", "guardian": "王五" }), json!({ "patientName": "李*", "guardian": "王*" })),
            (json!({ "PATIENT_NAME": "Zhangsan" }), json!({ "PATIENT_NAME": "Z******n" })),
            (json!({ "姓名": "张三丰", "备注": "急" }), json!({ "姓名": "张*丰", "备注": "***" })),
            (json!({ "phone": "13800138000" }), json!({ "phone": "138****8000" })),
            (json!({ "mobile": 13_800_138_000_u64, "tel": "8899" }), json!({ "mobile": "138****8000", "tel": "***" })),
            (json!({ "idNumber": "11010519491231002X" }), json!({ "idNumber": "110***********002X" })),
            (json!({ "id_no": "E12345670" }), json!({ "id_no": "E******70" })),
            (json!({ "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }), json!({ "openid": "oUp**********************S6o" })),
            (json!({ "payer": { "openid": "o-p1" } }), json!({ "payer": { "openid": "***" } })),
            (
                json!({ "transaction_id": "4200001234202603051234567890" }),
                json!({ "transaction_id": "420000******************7890" }),
            ),
            (
                json!({ "address": "天河路 1 号", "birthDate": "1949-12-31" }),
                json!({ "address": "***", "birthDate": "***" }),
            ),
            (json!({ "email": "zhang@example.org" }), json!({ "email": "z***@example.org" })),
            (json!({ "reason": "his wife is ill" }), json!({ "reason": "***" })),
            (
                json!({ "content": { "thing1": { "value": "V1" } } }),
                json!({ "content": { "thing1": { "value": "***" } } }),
            ),
            (json!({ "token": "abc", "sign": "9A0A" }), json!({ "token": "***", "sign": "***" })),
            (json!({ "names": ["张三丰"], "tried": ["张三丰"] }), json!({ "names": ["张*丰"], "tried": ["***"] })),
        ];
        for (plain, wanted) in table {
            assert_eq!(masked(&plain), wanted, "{plain}");
        }
    }

    #[test]
    fn what_is_of_a_person_is_starred_by_its_looks_too() {
        let table = [
            ("张三丰", "***"),
            ("his wife is ill", "***"),
            ("13800138000", "138****8000"),
            ("+86 138-0013-8000", "138****8000"),
            ("020-81234567", "020*****4567"),
            ("tel:13800138000", "tel:138****8000"),
            ("tel:0755-81234567", "tel:075******4567"),
            ("p13800138000", "p138****8000"),
            ("11010519491231002X", "110***********002X"),
            ("card:110105194912310021", "card:110***********0021"),
            ("110105491231002", "110********1002"),
            ("payer/oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "payer/oUp**********************S6o"),
            ("4200001234202603051234567890", "420000******************7890"),
            ("wx26112221580621e9b071c00d9e093b0000", "wx2611**************************0000"),
            ("wxd678efh567hg6787", "wxd678efh567hg6787"),
            ("zhang@example.org", "z***@example.org"),
            (r#"{"phone":"13800138000"}"#, "***"),
        ];
        for (plain, wanted) in table {
            assert_eq!(masked(&json!(plain)), json!(wanted), "{plain}");
            assert_eq!(masked(&json!({ "x": [plain] })), json!({ "x": [wanted] }), "{plain}");
        }
        assert_eq!(masked(&json!(13_800_138_000_u64)), json!("138****8000"));
        assert_eq!(
            masked(&json!({ "13800138000": 1, "张三丰": 2, "li@example.org": 3, "出生日期": 4 })),
            json!({ "138****8000": 1, "张*丰": 2, "l***@example.org": 3, "出生日期": "***" }),
            "a name of a field is no way around"
        );
    }

    #[test]
    fn ids_codes_amounts_and_times_can_be_read() {
        let plain = json!({
            "entry": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "run": "0199b0c211117c1e8a553f6f0a0d6b11",
            "out_trade_no": "T01K6RC48HHFGF8MNFFW58TVRH01", "out_refund_no": "T01K6RC48HHFGF8MNFFW58TVRH01U01",
            "patient_id": "browser-3", "schedule_id": "2026030500123456", "kind": "PleaseConfirm", "reason": "withdrawn",
            "amount_fen": 12_345_678, "rate": 0.25, "no": null, "keep": true, "deadline": "2026-03-05T10:00:00+08:00",
            "visit_date": "2026-03-05", "begins": "09:00:00", "at": "2026-03-05 10:00", "question": "change:1772676000000000",
            "doctor_name": "王医生", "place": "3 楼 12 诊室", "tried": ["wechatTemplate", "sms"],
        });
        assert_eq!(masked(&plain), plain);
        assert_eq!(masked(&json!({ "place": "电话 13800138000" })), json!({ "place": "电话 138****8000" }));
    }

    proptest! {
        /// Whatever surrounds it and wherever it stands.
        #[test]
        fn no_phone_and_no_name_gets_through(
            field in "[a-zA-Z_]{1,12}", before in "[a-z:/ ]{0,8}", tail in "[0-9]{8}", name in "[\u{4e00}-\u{9fa5}]{2,4}",
        ) {
            let phone = format!("139{tail}");
            let plain = json!({ &field: { "a": [format!("{before}{phone}")], "b": name } });
            let shown = masked(&plain).to_string();
            prop_assert!(!shown.contains(&phone), "{shown}");
            prop_assert!(!shown.contains(&name), "{shown}");
            prop_assert_eq!(masked(&masked(&plain)), masked(&plain), "what is masked stays so");
        }
    }
}
