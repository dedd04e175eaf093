//! Bodies spoiled by seed: what networks, other programs and people with bad intentions make of a good one.

use crate::simulation::chance::Dice;

/// Nests no deeper than this: the whole stays below the largest body that is taken.
const DEPTH_MAX: u64 = 12_000;

/// Values that readers, calendars and databases stumble over.
const NASTY: [&str; 16] = [
    "",
    " ",
    "\0",
    "\\u0000",
    "&#0;",
    "&lol;",
    "]]>",
    "<!DOCTYPE x [<!ENTITY lol \"lol\">]>",
    "9223372036854775808",
    "-1",
    "1e400",
    "+262142-12-31T23:59:59Z",
    "0000-00-00",
    "\u{202e}\u{1f4a3}",
    "';drop table callback;--",
    "null",
];

/// One of many ways to spoil these bytes.
pub fn spoiled(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    match dice.below(9) {
        0 => cut(dice, good),
        1 => flipped(dice, good),
        2 if dice.once_in(4) => deep(dice, good),
        2 | 3 => nasty(dice, good),
        4 => in_another_charset(dice, good),
        5 => random(dice, 2_000),
        6 => spliced(dice, good),
        7 => long(dice, good),
        _ => {
            let flipped = flipped(dice, good);
            nasty(dice, &flipped)
        }
    }
}

fn index(dice: &mut Dice, len: usize) -> usize {
    usize::try_from(dice.below(u64::try_from(len).unwrap().max(1))).unwrap()
}

fn cut(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    good[..index(dice, good.len())].to_vec()
}

fn flipped(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.below(8) {
        let at = index(dice, bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << dice.below(8);
        }
    }
    bytes
}

/// Elements in elements, or lists in lists, put somewhere into it.
fn deep(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let depth = usize::try_from(dice.between(100, DEPTH_MAX)).unwrap();
    let (opens, closes) = dice.one_of(&[("<a>", "</a>"), ("[", "]"), ("{\"a\":", "}"), ("<ROOT>", "</ROOT>")]);
    let closes = if dice.once_in(2) { closes } else { "" };
    put(dice, good, (opens.repeat(depth) + &closes.repeat(depth)).as_bytes())
}

/// One value, between quotes or tags, becomes another.
fn nasty(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let value = dice.one_of(&NASTY).as_bytes();
    let ends: Vec<usize> =
        good.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'<' | b'>')).map(|(at, _)| at).collect();
    if ends.len() < 2 {
        return put(dice, good, value);
    }
    let nth = index(dice, ends.len() - 1);
    [&good[..=ends[nth]], value, &good[ends[nth + 1]..]].concat()
}

fn in_another_charset(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(good);
    match dice.below(4) {
        0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => [b"\xef\xbb\xbf".as_slice(), good].concat(),
        // 张 in GBK, which is not UTF-8.
        2 => put(dice, good, b"\xd5\xc5"),
        _ => put(dice, good, b"\xff\xfe\xed\xa0\x80"),
    }
}

fn random(dice: &mut Dice, longest: u64) -> Vec<u8> {
    (0..dice.below(longest)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect()
}

/// A part of it once more, or left out.
fn spliced(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let (one, other) = (index(dice, good.len()), index(dice, good.len()));
    let (from, to) = (one.min(other), one.max(other));
    if dice.once_in(2) { put(dice, good, &good[from..to]) } else { [&good[..from], &good[to..]].concat() }
}

/// A value far longer than any column.
fn long(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    // Not one letter over and over: what compresses well fits into an index all the same.
    let length = dice.between(1_000, 20_000);
    let value: Vec<u8> = (0..length).map(|_| b'a' + u8::try_from(dice.below(26)).unwrap()).collect();
    let ends: Vec<usize> =
        good.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'>')).map(|(at, _)| at).collect();
    match ends.get(index(dice, ends.len())) {
        Some(at) => [&good[..=*at], &value, &good[at + 1..]].concat(),
        None => value,
    }
}

fn put(dice: &mut Dice, good: &[u8], piece: &[u8]) -> Vec<u8> {
    let at = index(dice, good.len() + 1);
    [&good[..at], piece, &good[at..]].concat()
}
