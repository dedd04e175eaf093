//! Doctors and patients who do not exist: names, ID numbers with a right check digit (GB 11643), phones, openids.

use super::chance::Chance;

const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "彭", "吕",
];
const GIVEN: [&str; 48] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "霞", "平",
    "刚", "桂英", "建华", "志强", "秀兰", "玉兰", "文博", "子涵", "雨桐", "浩然", "思远", "嘉怡", "晓东", "海燕",
    "国栋", "美玲", "俊杰", "欣怡", "立新", "春梅", "永康", "若曦", "梓轩", "慧敏", "宏伟", "雪梅", "振华", "婉清",
    "天佑",
];
/// Districts of Beijing, Shanghai, Nanjing, Hangzhou, Guangzhou, Chengdu.
const REGIONS: [&str; 8] = ["110101", "110105", "110108", "310104", "320102", "330106", "440103", "510104"];

/// Districts of Tianjin, Shenyang, Wuhan, Chongqing, Xi'an: whoever does not find a number in the ones above.
const MORE_REGIONS: [&str; 8] = ["120101", "210102", "420102", "420106", "500103", "500106", "610102", "610113"];

/// A patient as the hospital's backend knows them.
#[derive(Clone)]
pub(super) struct Patient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) id_number: String,
    pub(super) phone: String,
    pub(super) openid: String,
}

/// A name.
pub(super) fn name(chance: &mut Chance) -> String {
    let (surname, given) = (chance.pick(&SURNAMES), chance.pick(&GIVEN));
    format!("{}{}", surname.unwrap_or(&"王"), given.unwrap_or(&"伟"))
}

/// The `nth` patient of this seed, a grown-up. No two of the first 4,000 share an ID number.
pub(super) fn patient(seed: u64, nth: usize) -> Patient {
    let mut chance = Chance::of(seed, "patient", nth);
    let name = name(&mut chance);
    let region = *chance.pick(if nth < 2_000 { &REGIONS } else { &MORE_REGIONS }).unwrap_or(&"110101");
    let (year, month, day) = (chance.between(1946, 2004), chance.between(1, 12), chance.between(1, 28));
    // Only a thousand sequence numbers a birthday: the patient's own number goes through year and sequence alike.
    let body =
        format!("{region}{:04}{month:02}{day:02}{:03}", year - year % 2 + i64::from(nth / 1000 % 2 == 1), nth % 1000);
    Patient {
        id: format!("P{nth:05}"),
        name,
        id_number: format!("{body}{}", check_digit(&body)),
        phone: format!("13{:09}", chance.between(0, 999_999_999)),
        openid: format!("oHoubu{seed:04x}{nth:05}"),
    }
}

/// The ID number of a child of eight, born in the year of `day` less eight.
pub(super) fn childs_number(id_number: &str, day: chrono::NaiveDate) -> String {
    let (region, rest) = (id_number.get(..6).unwrap_or("110101"), id_number.get(10..17).unwrap_or("0101001"));
    let body = format!("{region}{:04}{rest}", chrono::Datelike::year(&day) - 8);
    format!("{body}{}", check_digit(&body))
}

/// GB 11643: ISO 7064, MOD 11-2.
fn check_digit(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const DIGITS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
    let sum: u32 = body.chars().filter_map(|digit| digit.to_digit(10)).zip(WEIGHTS).map(|(d, w)| d * w).sum();
    DIGITS.get(sum as usize % 11).copied().unwrap_or('X')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::waitlist::identity::{IdNumber, IdType, PersonName, Phone};

    #[test]
    fn everybody_has_valid_papers_of_their_own() {
        let today = "2026-03-02".parse().unwrap();
        let mut numbers = HashSet::new();
        for nth in 0..4000 {
            let patient = patient(7, nth);
            let number = IdNumber::parse(IdType::ResidentCard, &patient.id_number, today).unwrap();
            assert!(number.age_on(today).unwrap() >= 18);
            Phone::parse(&patient.phone).unwrap();
            PersonName::parse(&patient.name).unwrap();
            let child = childs_number(&patient.id_number, today);
            assert!(IdNumber::parse(IdType::ResidentCard, &child, today).unwrap().age_on(today).unwrap() < 14);
            assert!(numbers.insert(patient.id_number));
        }
    }
}
