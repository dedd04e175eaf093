//! Who applies: ID documents, phones and names, checked when they are read and masked when they are shown (4.4).
//!
//! A value of these types has passed its check. None of them can be printed or serialised whole: `Debug` and `masked`
//! hide, only `expose` shows, and whoever calls it answers for where the text goes. A correct number proves nothing
//! about the person: check digits can be computed.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refusal::Refusal;

/// The kind of ID document, with HIS's code (`IDCARD_TYPE`), which is also the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum IdType {
    /// 居民身份证.
    #[serde(rename = "1")]
    ResidentCard,
    /// 港澳居民来往内地通行证.
    #[serde(rename = "2")]
    HongKongMacau,
    /// 台湾居民来往大陆通行证.
    #[serde(rename = "3")]
    Taiwan,
    /// 护照.
    #[serde(rename = "5")]
    Passport,
    /// 军官证.
    #[serde(rename = "6")]
    Military,
    /// 出生医学证明.
    #[serde(rename = "7")]
    BirthCertificate,
    /// 医保卡.
    #[serde(rename = "10")]
    InsuranceCard,
    /// Any other.
    #[serde(rename = "99")]
    Other,
}

impl IdType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ResidentCard,
        Self::HongKongMacau,
        Self::Taiwan,
        Self::Passport,
        Self::Military,
        Self::BirthCertificate,
        Self::InsuranceCard,
        Self::Other,
    ];

    /// `IDCARD_TYPE`.
    pub fn code(self) -> &'static str {
        match self {
            Self::ResidentCard => "1",
            Self::HongKongMacau => "2",
            Self::Taiwan => "3",
            Self::Passport => "5",
            Self::Military => "6",
            Self::BirthCertificate => "7",
            Self::InsuranceCard => "10",
            Self::Other => "99",
        }
    }

    /// The type of this code, or [`Refusal::InvalidIdType`].
    pub fn from_code(code: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|id_type| id_type.code() == code).ok_or(Refusal::InvalidIdType)
    }
}

/// `SEX` of HIS's requests, as a resident's ID number tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// 男.
    Male,
    /// 女.
    Female,
}

/// A checked, normalised ID number: no spaces, upper case.
#[derive(Clone, PartialEq, Eq)]
pub struct IdNumber {
    id_type: IdType,
    text: String,
}

impl IdNumber {
    /// Reads a number as people type it, or [`Refusal::InvalidIdNumber`]. A resident's number must pass GB 11643
    /// (18 places, region, a date of birth not after `today`, check digit); others have 4 to 32 letters and digits.
    pub fn parse(id_type: IdType, text: &str, today: NaiveDate) -> Result<Self, Refusal> {
        let text: String = text.chars().filter(|letter| !letter.is_whitespace()).map(half_width).collect();
        let text = text.to_ascii_uppercase();
        let valid = match id_type {
            IdType::ResidentCard => resident_number_valid(&text, today),
            _ => {
                (4..=32).contains(&text.chars().count())
                    && text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '/' | '(' | ')'))
            }
        };
        if valid { Ok(Self { id_type, text }) } else { Err(Refusal::InvalidIdNumber) }
    }

    /// The kind of document.
    pub fn id_type(&self) -> IdType {
        self.id_type
    }

    /// The whole number, for HIS and for sealing.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// `110***********1234`; shorter numbers show their first letter and their last two at most.
    pub fn masked(&self) -> String {
        match self.text.chars().count() {
            15.. => mask(&self.text, 3, 4),
            7..15 => mask(&self.text, 1, 2),
            _ => mask(&self.text, 0, 1),
        }
    }

    /// The date of birth that a resident's number carries.
    pub fn birth_date(&self) -> Option<NaiveDate> {
        (self.id_type == IdType::ResidentCard).then(|| birth_date(&self.text)).flatten()
    }

    /// Whole years on `today`, where the number tells (guardian rule, R4).
    pub fn age_on(&self, today: NaiveDate) -> Option<u32> {
        today.years_since(self.birth_date()?)
    }

    /// The sex that a resident's number carries (17th place).
    pub fn sex(&self) -> Option<Sex> {
        let odd = match self.id_type {
            IdType::ResidentCard => self.text.as_bytes().get(16)? % 2 == 1,
            _ => return None,
        };
        Some(if odd { Sex::Male } else { Sex::Female })
    }
}

/// A mainland mobile number: 11 digits, `1[3-9]…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a number with or without `+86`, spaces and hyphens, or [`Refusal::InvalidPhone`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text: String =
            text.chars().map(half_width).filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
        let digits = text.strip_prefix("+86").or_else(|| text.strip_prefix("0086")).unwrap_or(&text);
        let valid = match digits.as_bytes() {
            [b'1', b'3'..=b'9', rest @ ..] => rest.len() == 9 && rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if valid { Ok(Self(digits.to_owned())) } else { Err(Refusal::InvalidPhone) }
    }

    /// The whole number, for HIS, messages and sealing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `138****5678`.
    pub fn masked(&self) -> String {
        mask(&self.0, 3, 4)
    }
}

/// A person's name: 1 to 50 letters, no control characters, no digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// Reads a name, or [`Refusal::InvalidName`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let allowed =
            |letter: char| letter.is_alphabetic() || matches!(letter, ' ' | '·' | '•' | '.' | '-' | '\'' | '’');
        let valid = (1..=50).contains(&text.chars().count())
            && text.chars().all(allowed)
            && text.chars().any(char::is_alphabetic);
        if valid { Ok(Self(text.to_owned())) } else { Err(Refusal::InvalidName) }
    }

    /// The whole name, for HIS and for sealing.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `张*`, `张*丰`: the first letter, and the last of three or more.
    pub fn masked(&self) -> String {
        match self.0.chars().count() {
            0 | 1 => "*".to_owned(),
            2 => mask(&self.0, 1, 0),
            _ => mask(&self.0, 1, 1),
        }
    }
}

macro_rules! masked_debug {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.masked())
            }
        }
    )+};
}

masked_debug!(IdNumber, Phone, PersonName);

/// Keeps the first and the last letters and stars the others, at the same length.
pub(super) fn mask(text: &str, first: usize, last: usize) -> String {
    let hidden_until = text.chars().count().saturating_sub(last);
    let star = |(place, letter)| if place < first || place >= hidden_until { letter } else { '*' };
    text.chars().enumerate().map(star).collect()
}

/// Chinese keyboards type `１２３Ｘ`.
fn half_width(letter: char) -> char {
    match letter {
        '！'..='～' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        _ => letter,
    }
}

/// GB/T 2260 provinces, and 83 (Taiwan) of residence permits. A first `9` marks a foreigner's permanent residence.
const REGIONS: [u8; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82, 83,
];

fn resident_number_valid(text: &str, today: NaiveDate) -> bool {
    let region = text.get(..2).and_then(|region| region.parse::<u8>().ok());
    let known = region.is_some_and(|region| REGIONS.contains(&region) || region / 10 == 9);
    let born = birth_date(text).is_some_and(|born| born <= today);
    let body = text.get(..17).filter(|body| body.bytes().all(|digit| digit.is_ascii_digit()));
    known && born && text.len() == 18 && body.and_then(check_digit) == text.chars().nth(17)
}

fn birth_date(text: &str) -> Option<NaiveDate> {
    let date = text.get(6..14).filter(|date| date.bytes().all(|digit| digit.is_ascii_digit()))?;
    NaiveDate::parse_from_str(date, "%Y%m%d").ok().filter(|born| born.year() >= 1800)
}

/// The 18th place that GB 11643 demands for these 17 digits.
fn check_digit(body: &str) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: Option<u32> =
        body.chars().zip(WEIGHTS).map(|(digit, weight)| digit.to_digit(10).map(|digit| digit * weight)).sum();
    "10X98765432".chars().nth(usize::try_from(sum? % 11).ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 8, 14).unwrap()
    }

    fn resident(text: &str) -> Result<IdNumber, Refusal> {
        IdNumber::parse(IdType::ResidentCard, text, today())
    }

    #[test]
    fn numbers_of_the_standard_pass() {
        for text in [
            "11010519491231002X",
            "440524188001010014",
            " 110105 19491231 002x",
            "１１０１０５１９４９１２３１００２Ｘ",
        ] {
            assert!(resident(text).is_ok(), "{text}");
        }
        assert_eq!(resident("11010519491231002x").unwrap().expose(), "11010519491231002X");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let wrong = [
            "",
            "1101051949123100",
            "110105194912310021",
            "11010519491231002X0",
            // Region 10; 31 February; born tomorrow (each with its right check digit).
            &with_check_digit("10010519491231002"),
            &with_check_digit("11010519490231002"),
            &with_check_digit("11010520250815002"),
            "1101051949123100２Y",
            "一二三四五六七八九十一二三四五六七八",
        ];
        for text in wrong {
            assert_eq!(resident(text), Err(Refusal::InvalidIdNumber), "{text}");
        }
        assert!(resident(&with_check_digit("11010520250814002")).is_ok(), "born today");
        assert!(resident(&with_check_digit("91010519900101002")).is_ok(), "a foreigner's permanent residence");
    }

    fn with_check_digit(body: &str) -> String {
        format!("{body}{}", check_digit(body).unwrap())
    }

    #[test]
    fn a_residents_number_tells_age_and_sex() {
        let number = resident("11010519491231002X").unwrap();
        assert_eq!(number.birth_date(), NaiveDate::from_ymd_opt(1949, 12, 31));
        assert_eq!(number.age_on(today()), Some(75));
        assert_eq!(number.sex(), Some(Sex::Female));
        assert_eq!(resident("440524188001010014").unwrap().sex(), Some(Sex::Male));
        let passport = IdNumber::parse(IdType::Passport, "E12345678", today()).unwrap();
        assert_eq!((passport.birth_date(), passport.sex()), (None, None));
    }

    #[test]
    fn other_documents_keep_their_own_forms() {
        for text in ["E12345678", "h1234567890", "军字第2001988号", "O110123456", "H123456(7)"] {
            assert!(IdNumber::parse(IdType::Other, text, today()).is_ok(), "{text}");
        }
        for text in ["", "123", "E1234;drop", "<b>12345</b>", &"9".repeat(33)] {
            assert!(IdNumber::parse(IdType::Other, text, today()).is_err(), "{text}");
        }
    }

    #[test]
    fn id_types_have_the_codes_of_his() {
        for id_type in IdType::ALL {
            assert_eq!(IdType::from_code(id_type.code()), Ok(id_type));
            assert_eq!(serde_json::to_value(id_type).unwrap(), id_type.code());
        }
        assert_eq!(IdType::from_code("4"), Err(Refusal::InvalidIdType));
    }

    #[test]
    fn phones_are_read_as_people_write_them() {
        for text in ["13812345678", "+86 138-1234-5678", "0086 13812345678", "１３８１２３４５６７８"] {
            assert_eq!(Phone::parse(text).unwrap().expose(), "13812345678", "{text}");
        }
        for text in ["", "12812345678", "1381234567", "138123456789", "010-12345678", "1381234567a", "+1 3812345678"] {
            assert_eq!(Phone::parse(text), Err(Refusal::InvalidPhone), "{text}");
        }
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for text in ["张三", " 欧阳娜娜 ", "阿卜杜拉·买买提", "Anne-Marie O'Neill", "𠮷田"] {
            assert!(PersonName::parse(text).is_ok(), "{text}");
        }
        for text in ["", "  ", "·", "张3", "张\n三", "<张三>", &"张".repeat(51)] {
            assert_eq!(PersonName::parse(text), Err(Refusal::InvalidName), "{text}");
        }
    }

    #[test]
    fn masks_are_those_that_hospitals_use() {
        assert_eq!(Phone::parse("13812345678").unwrap().masked(), "138****5678");
        let number = resident(&with_check_digit("11010519491231123")).unwrap();
        assert_eq!(number.masked(), format!("110***********{}", &number.expose()[14..]));
        let other = |text| IdNumber::parse(IdType::Other, text, today()).unwrap().masked();
        assert_eq!(other("E12345678"), "E******78");
        assert_eq!(other("A123"), "***3");
        let name = |text| PersonName::parse(text).unwrap().masked();
        assert_eq!(["张", "张三", "张三丰", "欧阳娜娜"].map(name), ["*", "张*", "张*丰", "欧**娜"]);
    }

    #[test]
    fn debug_does_not_tell() {
        let number = resident("11010519491231002X").unwrap();
        assert_eq!(format!("{number:?}"), "IdNumber(110***********002X)");
        assert_eq!(format!("{:?}", Phone::parse("13812345678").unwrap()), "Phone(138****5678)");
        assert_eq!(format!("{:?}", PersonName::parse("张三丰").unwrap()), "PersonName(张*丰)");
    }

    prop_compose! {
        fn number()(region in proptest::sample::select(REGIONS.to_vec()), rest in 0_u32..10_000,
                    days in 0_i32..45_000, order in 0_u32..1000) -> String {
            let born = NaiveDate::from_num_days_from_ce_opt(690_000 + days).unwrap();
            with_check_digit(&format!("{region}{rest:04}{}{order:03}", born.format("%Y%m%d")))
        }
    }

    proptest! {
        #[test]
        fn a_right_number_passes_and_one_wrong_place_is_found(text in number(), place in 0_usize..17, digit in 0_u32..10) {
            let known = resident(&text).unwrap();
            prop_assert_eq!(IdNumber::parse(IdType::ResidentCard, known.expose(), today()), Ok(known.clone()));
            let mut letters: Vec<char> = text.chars().collect();
            letters[place] = char::from_digit(digit, 10).unwrap();
            let changed: String = letters.into_iter().collect();
            prop_assert_eq!(resident(&changed).is_ok(), changed == text);
        }

        #[test]
        fn two_neighbours_swapped_are_found(text in number(), place in 0_usize..16) {
            let mut letters: Vec<char> = text.chars().collect();
            letters.swap(place, place + 1);
            let changed: String = letters.into_iter().collect();
            prop_assert_eq!(resident(&changed).is_ok(), changed == text);
        }

        #[test]
        fn a_mask_keeps_the_length_and_hides_the_middle(text in "[A-Z0-9]{4,32}") {
            let masked = IdNumber::parse(IdType::Other, &text, today()).unwrap().masked();
            prop_assert_eq!(masked.len(), text.len());
            prop_assert!(masked.matches('*').count() * 2 >= text.len());
        }

        #[test]
        fn nothing_from_outside_breaks_the_reading(text in "\\PC{0,40}") {
            for id_type in IdType::ALL {
                let _ = IdNumber::parse(id_type, &text, today()).map(|number| (number.masked(), number.age_on(today())));
            }
            let _ = Phone::parse(&text).map(|phone| phone.masked());
            let _ = PersonName::parse(&text).map(|name| name.masked());
        }
    }
}
