//! What the message platform takes under a key: its kind is the key's own word (`thing3`), with the length and the form that
//! the platform's rules give it. A value of another form is refused by the platform for good (47003).

use crate::waitlist::language::Language;

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Thing,
    /// Digits, with a point.
    Number,
    /// Latin letters.
    Letter,
    /// Signs.
    Symbol,
    /// Digits, Latin letters and signs.
    CharacterString,
    /// `15:01` or `2019年10月1日 15:01`.
    Time,
    /// `2019年10月1日`, with or without a time.
    Date,
    /// A sum of money, `50.00元`.
    Amount,
    /// A telephone number.
    PhoneNumber,
    /// A number plate.
    CarNumber,
    /// A name.
    Name,
    /// A few Chinese letters.
    Phrase,
    /// One of the words that were agreed on with the platform.
    Const,
    /// A key of an older template (`keyword1`), or in Chinese: any text.
    Free,
}

/// The words of keys.
const KEYS: [(&str, Form); 13] = [
    ("thing", Form::Thing),
    ("number", Form::Number),
    ("letter", Form::Letter),
    ("symbol", Form::Symbol),
    ("character_string", Form::CharacterString),
    ("time", Form::Time),
    ("date", Form::Date),
    ("amount", Form::Amount),
    ("phone_number", Form::PhoneNumber),
    ("car_number", Form::CarNumber),
    ("name", Form::Name),
    ("phrase", Form::Phrase),
    ("const", Form::Const),
];

/// The most letters of a key.
const KEY_LETTERS: usize = 32;

impl Form {
    /// The form of a key; none where the platform has no such key.
    pub(super) fn of(key: &str) -> Option<Self> {
        let word = key.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let numbered = word.len() < key.len();
        if let Some((_, form)) = KEYS.iter().find(|(known, _)| *known == word) {
            return numbered.then_some(*form);
        }
        let older = (word == "keyword" && numbered) || matches!(key, "first" | "remark");
        let chinese = (1..=KEY_LETTERS).contains(&key.chars().count()) && key.chars().all(is_chinese);
        (older || chinese).then_some(Self::Free)
    }

    /// The most letters that it takes.
    pub(super) fn letters_max(self) -> usize {
        match self {
            Self::Thing | Self::Const | Self::Free | Self::Name => 20,
            Self::Number | Self::Letter | Self::CharacterString | Self::Time | Self::Date => 32,
            Self::Symbol | Self::Phrase => 5,
            // A currency, ten digits, a point and two more, 元.
            Self::Amount => 15,
            Self::PhoneNumber => 17,
            Self::CarNumber => 8,
        }
    }

    /// True for exactly the values, of whatever length, that have the form.
    pub(super) fn takes(self, value: &str) -> bool {
        let all = |fits: fn(char) -> bool| value.chars().all(fits);
        match self {
            Self::Thing | Self::Const | Self::Free | Self::CarNumber => true,
            Self::Number => is_number(value),
            Self::Letter => all(|letter| letter.is_ascii_alphabetic()),
            Self::Symbol => all(|letter| !letter.is_alphanumeric()),
            Self::CharacterString => all(|letter| letter.is_ascii_graphic()),
            Self::Time => {
                is_time(value) || value.split_once(' ').is_some_and(|(day, time)| is_day(day) && is_time(time))
            }
            Self::Date => match value.split_once(' ') {
                Some((day, time)) => is_day(day) && is_time(time),
                None => is_day(value),
            },
            Self::Amount => is_amount(value),
            Self::PhoneNumber => all(|letter| letter.is_ascii_digit() || "+-() ".contains(letter)),
            Self::Name => (all(is_chinese) && value.chars().count() <= 10) || all(|letter| letter.is_ascii_graphic()),
            Self::Phrase => all(is_chinese),
        }
    }

    /// What it takes, for people.
    pub(super) fn in_words(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::Thing | Self::Const | Self::Free | Self::CarNumber => ("文字", "a text"),
            Self::Number => ("数字", "a number"),
            Self::Letter => ("字母", "Latin letters"),
            Self::Symbol => ("符号", "signs"),
            Self::CharacterString => ("数字、字母或符号，不含汉字", "digits, Latin letters and signs"),
            Self::Time => ("时间，如 15:01 或 2019年10月1日 15:01", "a time such as 15:01, with or without a day"),
            Self::Date => ("日期，如 2019年10月1日", "a day in the form YYYY年M月D日, with or without a time"),
            Self::Amount => ("金额，如 50.00元", "a sum of money such as {amount}"),
            Self::PhoneNumber => ("电话号码", "a telephone number"),
            Self::Name => ("姓名：10 个以内汉字或 20 个以内字母", "a name of 10 Chinese or 20 Latin letters"),
            Self::Phrase => ("5 个以内汉字", "5 Chinese letters at most"),
        };
        match language {
            Language::ZhCn => zh,
            Language::En => en,
        }
    }

    /// What a key says about which nothing is known, where `dashes` is its text with dashes: the platform refuses an empty
    /// value, and wants a sum for a sum. None: the key is left out.
    pub(super) fn of_nothing(self, dashes: String) -> Option<String> {
        match self {
            Self::Free => None,
            Self::Amount => Some("0.00元".to_owned()),
            _ => Some(dashes),
        }
    }

    /// The value as it is sent: one line; a text that is too long ends with `…`.
    pub(super) fn shape(self, value: &str) -> String {
        let line = one_line(value);
        match self {
            Self::Amount => line.chars().filter(|letter| !letter.is_whitespace()).collect(),
            Self::Thing | Self::Free => cut(&line, self.letters_max()),
            _ => line,
        }
    }
}

/// Without line breaks and control characters; what would be empty is a dash.
pub(super) fn one_line(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    if line.is_empty() { "—".to_owned() } else { line }
}

/// At most so many letters; what is longer ends with `…`.
pub(super) fn cut(line: &str, letters_max: usize) -> String {
    if line.chars().count() <= letters_max {
        return line.to_owned();
    }
    line.chars().take(letters_max.saturating_sub(1)).chain(['…']).collect()
}

fn is_chinese(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

fn is_number(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    match value.strip_prefix('-').unwrap_or(value).split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(value.strip_prefix('-').unwrap_or(value)),
    }
}

/// `15:01`.
fn is_time(value: &str) -> bool {
    chrono::NaiveTime::parse_from_str(value, "%H:%M").is_ok()
}

/// `2019年10月1日`.
fn is_day(value: &str) -> bool {
    chrono::NaiveDate::parse_from_str(value, "%Y年%m月%d日").is_ok()
}

/// A currency's sign, at most ten digits, a fraction, 元.
fn is_amount(value: &str) -> bool {
    let sum = value.strip_prefix(['¥', '￥', '$']).unwrap_or(value);
    let sum = sum.strip_suffix('元').unwrap_or(sum);
    let whole = sum.split_once('.').map_or(sum, |(whole, _)| whole);
    is_number(sum) && !sum.starts_with('-') && whole.len() <= 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r23_a_keys_word_says_its_form_and_its_length() {
        let table = [
            ("thing1", Some((Form::Thing, 20))),
            ("character_string12", Some((Form::CharacterString, 32))),
            ("phrase2", Some((Form::Phrase, 5))),
            ("amount3", Some((Form::Amount, 15))),
            ("keyword1", Some((Form::Free, 20))),
            ("候补状态", Some((Form::Free, 20))),
            ("first", Some((Form::Free, 20))),
            ("thing", None),
            ("thng1", None),
            ("", None),
            ("time 1", None),
            ("1", None),
        ];
        for (key, expected) in table {
            assert_eq!(Form::of(key).map(|form| (form, form.letters_max())), expected, "{key}");
        }
    }

    #[test]
    fn r23_values_have_the_form_of_their_key() {
        let table = [
            (Form::Phrase, "挂号成功", true),
            (Form::Phrase, "OK", false),
            (Form::Time, "15:01", true),
            (Form::Time, "2025年8月14日 09:30", true),
            (Form::Time, "2025年8月14日", false),
            (Form::Time, "2025年8月14日 上午", false),
            (Form::Date, "2025年8月14日", true),
            (Form::Date, "2025年8月14日 上午", false),
            (Form::Date, "明天", false),
            (Form::Amount, "¥50.00", true),
            (Form::Amount, "50元", true),
            (Form::Amount, "50 分", false),
            (Form::Amount, "12345678901", false),
            (Form::Number, "-1.5", true),
            (Form::Number, "1.", false),
            (Form::CharacterString, "A-1", true),
            (Form::CharacterString, "三诊室", false),
            (Form::Name, "欧阳锋", true),
            (Form::Letter, "ab1", false),
            (Form::Symbol, "!?", true),
            (Form::PhoneNumber, "0532-12345678", true),
        ];
        for (form, value, fits) in table {
            assert_eq!(form.takes(value), fits, "{form:?} {value}");
        }
    }
}
