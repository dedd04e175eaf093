//! What went wrong is read in Chinese, whoever made the sentence.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

fn zh(fault: &str) -> String {
    said(fault, Language::ZhCn)
}

#[test]
fn a_fault_is_read_in_the_readers_language() {
    let cut = "his left the outcome of 2007 OrderReg unknown: the connection was cut";
    assert_eq!(zh(cut), "医院 HIS 的“预约挂号（2007 OrderReg）”结果未知，将先查询再继续：连接中断");
    assert_eq!(said(cut, Language::En), cut);
    assert_eq!(
        zh("the order T1 asked for 5000 fen and the provider holds 4900: settle it with the provider"),
        "订单 T1 应收 5000 分，支付平台实收 4900 分：请与支付平台核实处理"
    );
    assert_eq!(zh(""), "");
}

#[test]
fn what_the_other_side_said_stands_in_quotation_marks() {
    let refused = "wechat-pay refuses refund for good: RULE_LIMIT";
    assert_eq!(zh(refused), "微信支付 明确拒绝“退款”：对方答复“RULE_LIMIT”");
    assert_eq!(said(refused, Language::En), "wechat-pay refuses refund for good: it answered “RULE_LIMIT”");
    assert_eq!(zh("the platform answers 43004"), "平台答复“43004”");
}

#[test]
fn what_a_person_wrote_stays_as_it_is() {
    assert_eq!(zh("chief: 科室要求核对"), "chief: 科室要求核对");
    assert_eq!(zh("chief: the department asked for it"), "原文“chief: the department asked for it”");
    assert_eq!(said("chief: the department asked for it", Language::En), "chief: the department asked for it");
}

#[test]
fn a_shape_has_the_same_holes_in_both_languages() {
    let holes = |shape: &'static str| -> BTreeSet<&str> {
        pieces(shape)
            .into_iter()
            .filter_map(|piece| if let Piece::Hole(name) = piece { Some(name) } else { None })
            .collect()
    };
    for (en, zh) in SHAPES {
        assert_eq!(holes(en), holes(zh), "{en}");
        assert!(has_chinese(zh) && !has_chinese(en), "{en}");
    }
}

/// A fault that somebody writes without its shape would be English among Chinese.
#[test]
fn whatever_the_program_says_of_a_fault_has_its_shape() {
    let mut told = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["workflows", "src/engine", "src/ports"] {
        files(&root.join(folder), &mut |text| gather(text, &mut told));
    }
    assert!(told.len() > 90, "only {} sentences were found: the reader of sources is broken", told.len());
    let missing: Vec<&String> = told.iter().filter(|one| found(&example(one), Language::ZhCn).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new(), "faults that src/desk/faults/shapes.rs does not know");
}

fn files(folder: &Path, each: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                files(&path, each);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            each(text.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}

/// What makes a fault, with the sentence between its brackets.
const MAKERS: [&str; 11] = [
    "Fault::Stop(",
    "Fault::Retry(",
    "Fault::Unknown(",
    "CallError::not_taken(",
    "CallError::unknown(",
    "Delivery::Undeliverable(",
    " unknown(",
    " broken(",
    "(unknown(",
    "(broken(",
    " instead(",
];

fn gather(text: &str, told: &mut BTreeSet<String>) {
    for maker in MAKERS {
        for (at, _) in text.match_indices(maker) {
            let within = text.get(at + maker.len()..).map(bracketed).unwrap_or_default();
            // What a macro puts together is in pieces.
            if !within.starts_with("concat!") {
                literals(within, told);
            }
        }
    }
    for (at, _) in text.match_indices("detail: ") {
        literals(text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default(), told);
    }
}

/// As far as the bracket that is open is closed.
fn bracketed(text: &str) -> &str {
    let (mut depth, mut quoted, mut before) = (1, false, ' ');
    for (at, letter) in text.char_indices() {
        match letter {
            '"' if before != '\\' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at).unwrap_or_default();
        }
        before = letter;
    }
    ""
}

/// The sentences of a piece of source: literals of several words.
fn literals(text: &str, told: &mut BTreeSet<String>) {
    for literal in text.split('"').skip(1).step_by(2) {
        let mut words = literal.split("\\\n").map(str::trim_start);
        let first = words.next().unwrap_or_default().to_owned();
        let whole = words.fold(first, |all, more| all + more);
        if example(&whole).contains(' ') {
            told.insert(whole);
        }
    }
}

/// A sentence as it may come to be.
fn example(sentence: &str) -> String {
    let filled = pieces(sentence).into_iter().map(|piece| match piece {
        Piece::Words(words) => words,
        // The one constant: the call for a token.
        Piece::Hole("CALL") => "OAuth token",
        Piece::Hole(_) => "x1",
    });
    filled.collect()
}
