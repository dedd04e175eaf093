//! Looks for people: names as they stand, numbers, phones and receivers as whole words.

use std::collections::HashSet;

/// Something that was written.
pub struct Place {
    pub name: String,
    text: String,
}

impl Place {
    pub fn new(name: String, bytes: Vec<u8>) -> Self {
        Self { name, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// The people who are looked for.
pub struct Search {
    names: HashSet<String>,
    /// Numbers, phones, receivers.
    words: HashSet<String>,
    somebody: [String; 4],
}

impl Search {
    /// Whoever is called like one of `known` is not looked for by name.
    pub fn new(people: &[[String; 4]], known: &[String]) -> Self {
        let sought = |it: &&[String; 4]| !known.iter().any(|known| known.contains(&it[0]));
        let names: HashSet<String> = people.iter().filter(sought).map(|it| it[0].clone()).collect();
        assert!(names.len() > 100, "most people are looked for by name");
        let words = people.iter().flat_map(|it| it[1..].iter().cloned()).collect();
        let somebody = people.iter().find(sought).unwrap().clone();
        Self { names, words, somebody }
    }

    /// Name, number, phone and receiver of somebody who is looked for.
    pub fn somebody(&self) -> [String; 4] {
        self.somebody.clone()
    }

    /// Everything of people that is found there, once each.
    pub fn named_in(&self, place: &Place) -> Vec<String> {
        let mut found = HashSet::new();
        // Escapes of addresses are read as what they stand for.
        for text in [place.text.as_str(), &unescaped(&place.text)] {
            let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
            found.extend(words.filter(|word| self.words.contains(*word)).map(str::to_owned));
            let letters: Vec<char> = text.chars().collect();
            for length in [2, 3] {
                let names = letters.windows(length).filter(|part| !part[0].is_ascii());
                found.extend(names.map(|part| part.iter().collect::<String>()).filter(|it| self.names.contains(it)));
            }
        }
        let mut found: Vec<String> = found.into_iter().collect();
        found.sort();
        found
    }
}

/// `%E7%8E%8B` as 王.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut read, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(|digits| hex::decode(digits).ok());
        if let Some(one) = escape {
            read.extend(one);
            at += 3;
        } else {
            read.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

#[test]
fn people_are_found_as_they_are_written() {
    let person = ["王建华", "11010119800101001X", "13812345678", "oHoubu000700001"].map(str::to_owned);
    let crowd = (0..200).map(|nth| [format!("甲{nth}"), format!("a{nth}"), format!("b{nth}"), format!("c{nth}")]);
    let mut people: Vec<[String; 4]> = crowd.collect();
    people.insert(0, person.clone());
    let search = Search::new(&people, &[]);
    let found = |text: &str| search.named_in(&Place::new(String::new(), text.as_bytes().to_vec()));
    assert_eq!(found(r#"{"who":"患者王建华先生"}"#), ["王建华"]);
    assert_eq!(found("?name=%E7%8E%8B%E5%BB%BA%E5%8D%8E&page=a99"), ["a99", "王建华"]);
    assert_eq!(found("id=11010119800101001X,tel:13812345678"), [&*person[1], &*person[2]]);
    assert_eq!(found("openid=\"oHoubu000700001\""), [&*person[3]]);
    assert_eq!(found("王建 华 138****5678 1381234567890"), Vec::<String>::new());
}
