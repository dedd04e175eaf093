//! What a played day has to hold: one line for each thing that the hospital asks for, and how often it happened. A line that
//! stays at nothing is a day that shows less than it should.

use std::collections::BTreeMap;

use serde::Serialize;

/// Something that the script saw with its own eyes: an answer of the API or of the outside, never the intention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Held {
    SwitchedOff,
    SwitchedOn,
    CapLowered,
    CardInTwoAccounts,
    ChildWithGuardian,
    InsuranceTaken,
    InsuranceRefused,
    OwnRecords,
    DrawChecked,
    EndedEarlier,
    WorkingDayCutoff,
    ModeKept,
    NoShowsListed,
    BarredByRule,
    AppealGranted,
    LiftedByStaff,
    TakenBackByHis,
    PassedOver,
    AccountLimited,
    SlowedDown,
    TextChanged,
    KpisAgree,
    CaseFound,
    CaseResolved,
    StaffStoppedAndResumed,
    OtherDoctorKept,
    OtherDoctorLeft,
    Exported,
    Erased,
}

/// All of them: which requirement, in whose words.
const SEEN: [(Held, &str, &str); 29] = [
    (Held::SwitchedOff, "R2", "refused while a doctor's waitlist was switched off"),
    (Held::SwitchedOn, "R2", "admitted once it was on again"),
    (Held::CapLowered, "R3", "refused by a cap that was lowered by day"),
    (Held::CardInTwoAccounts, "R4", "refused: the same ID card under another account"),
    (Held::ChildWithGuardian, "R4", "a child joined, with a guardian and not without"),
    (Held::InsuranceTaken, "R7", "joined with 医保, as a self-payer first"),
    (Held::InsuranceRefused, "R7", "refused 医保 where the fee is taken in advance"),
    (Held::OwnRecords, "R12", "found the own application in the list"),
    (Held::DrawChecked, "R17", "queues drawn by lot, and the draw held again"),
    (Held::TextChanged, "R23", "texts stored by staff, after a look at one that does not fit"),
    (Held::EndedEarlier, "R24", "ended at the patient's own hour"),
    (Held::WorkingDayCutoff, "R25", "queues that close on the working day before"),
    (Held::ModeKept, "R29", "way of paying changed by day, and kept by whoever waited"),
    (Held::NoShowsListed, "R32", "visits that nobody came to"),
    (Held::BarredByRule, "R32", "refused after no-shows that HIS lists"),
    (Held::AppealGranted, "R32", "joined after an appeal was granted"),
    (Held::LiftedByStaff, "R32", "joined after staff lifted it"),
    (Held::TakenBackByHis, "R32", "joined after HIS took it back"),
    (Held::PassedOver, "R32", "passed over at the offer while blacklisted"),
    (Held::AccountLimited, "R33", "refused: too many persons of one account"),
    (Held::SlowedDown, "R33", "answered later: faster than people are"),
    (Held::KpisAgree, "R33", "figures that equal what the script counted"),
    (Held::OtherDoctorKept, "R34", "kept the application, asked about another doctor (替诊)"),
    (Held::OtherDoctorLeft, "R34", "left, asked about another doctor"),
    (Held::CaseFound, "R36", "planted differences that reconciliation found"),
    (Held::CaseResolved, "R36", "and staff resolved"),
    (Held::StaffStoppedAndResumed, "R37", "stopped and let go on by staff"),
    (Held::Exported, "Person", "handed all that is kept of them"),
    (Held::Erased, "Person", "forgotten"),
];

/// How often each happened.
pub(super) type Count = BTreeMap<Held, u32>;

/// A line of the summary.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// R1 to R37, or what else the hospital asks for.
    pub requirement: &'static str,
    /// What happened.
    pub what: &'static str,
    /// How often.
    pub count: u32,
}

/// The lines of what the script saw and of what the books say, in the order of the requirements.
pub(super) fn lines(seen: &Count, counted: Vec<Line>) -> Vec<Line> {
    let seen = SEEN.iter().map(|(held, requirement, what)| Line {
        requirement,
        what,
        count: seen.get(held).copied().unwrap_or(0),
    });
    let mut lines: Vec<Line> = counted.into_iter().chain(seen).collect();
    let number = |line: &Line| line.requirement.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX);
    lines.sort_by_key(number);
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_place_and_its_count() {
        let seen = Count::from([(Held::DrawChecked, 3), (Held::Erased, 1)]);
        let counted = vec![Line { requirement: "R1", what: "free", count: 2 }];
        let lines = lines(&seen, counted);
        assert_eq!((lines.len(), lines[0].what, lines.last().unwrap().count), (SEEN.len() + 1, "free", 1));
        let count = |what: &str| lines.iter().find(|line| line.what == what).unwrap().count;
        assert_eq!(count("queues drawn by lot, and the draw held again"), 3);
        assert_eq!(count("forgotten"), 1);
        assert!(lines.iter().filter(|line| line.count > 0).count() == 3);
    }
}
