//! What a verb would do, and why it is refused, as sentences for staff.

use crate::engine::staff::Refused;
use crate::engine::staff::explain::Would;
use crate::records::entries;
use crate::waitlist::language::Language;

/// Why a verb is not done.
pub fn refusal(refused: &Refused, language: Language) -> String {
    match language {
        Language::ZhCn => refused_zh(refused),
        Language::En if joined_anew(refused) => {
            "The patient has joined this queue anew: withdraw or cancel that application first.".to_owned()
        }
        Language::En => sentence(&refused.to_string()),
    }
}

/// True where an application would go back into a queue that its patient has joined anew.
pub(super) fn joined_anew(refused: &Refused) -> bool {
    matches!(refused, Refused::Contradicts { rule } if rule == entries::ONCE)
}

/// What a verb would do.
pub fn would(would: &Would, language: Language) -> String {
    match (would, language) {
        (Would::TryAgain, Language::ZhCn) => "立即处理当前步骤。".to_owned(),
        (Would::TryAgain, Language::En) => "The present step is handled at once.".to_owned(),
        (Would::StandStill, Language::ZhCn) => "暂停，直到人工恢复。".to_owned(),
        (Would::StandStill, Language::En) => "It stands still until it is resumed.".to_owned(),
        (Would::Go { to }, Language::ZhCn) => format!("转到 {to}。"),
        (Would::Go { to }, Language::En) => format!("It goes to {to}."),
        (Would::WaitForRelease { step }, Language::ZhCn) => format!("停在 {step}，等待部署含有该步骤的版本。"),
        (Would::WaitForRelease { step }, Language::En) => {
            format!("It waits at {step} for a release that knows the step.")
        }
        (Would::End, Language::ZhCn) => "就地结束，不欠任何东西。".to_owned(),
        (Would::End, Language::En) => "It ends where it stands: nothing is owed.".to_owned(),
        (Would::BeHeard { now: true }, Language::ZhCn) => "当前步骤会收到。".to_owned(),
        (Would::BeHeard { now: true }, Language::En) => "The present step hears it.".to_owned(),
        (Would::BeHeard { now: false }, Language::ZhCn) => "保留到后续步骤接收。".to_owned(),
        (Would::BeHeard { now: false }, Language::En) => "It is kept for a later step.".to_owned(),
    }
}

/// The engine's words begin small and end without a stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn refused_zh(refused: &Refused) -> String {
    let list = |names: &[String]| names.join("、");
    match refused {
        Refused::NoRun => "未找到该流程实例。".to_owned(),
        Refused::UnknownWorkflow { workflow } => format!("本程序没有流程 {workflow}。"),
        Refused::Ended { .. } => "该流程实例已结束。".to_owned(),
        Refused::InHand => "该流程实例正在处理，请稍后再试，或先将其暂停。".to_owned(),
        Refused::StillCalling => "该流程实例在处理中被暂停，对外调用可能仍在途：请恢复，或两分钟后再试。".to_owned(),
        Refused::NotSuspended => "该流程实例未被暂停，也未在等待重试。".to_owned(),
        Refused::AlreadySuspended => "该流程实例已被暂停。".to_owned(),
        Refused::SuspendedByStaff => "该流程实例由人工暂停，请使用恢复。".to_owned(),
        Refused::AlreadyThere { step } => format!("该流程实例已在 {step}。"),
        Refused::UnknownStep { step, steps } => format!("该流程没有步骤 {step}，可选：{}。", list(steps)),
        Refused::NotAnOutcome { step, outcome, outcomes } => {
            format!("步骤 {step} 没有结果 {outcome}，可选：{}。", list(outcomes))
        }
        Refused::UnknownSignal { signal, signals } => format!("该流程不接收信号 {signal}，可选：{}。", list(signals)),
        Refused::PayloadUnreadable { why } => format!("信号内容无法读取：“{why}”"),
        Refused::StateUnreadable { why } => format!("流程数据无法读取：“{why}”"),
        Refused::Lacks { step, lacks } => {
            format!("转到 {step} 时，流程数据须写明 {}：请在 patch 中补充。", list(lacks))
        }
        Refused::WouldStrand { owed, instead } if instead.is_empty() => {
            format!("尚有（或可能有）未了结的 {}，没有安全的去处：请重试该步骤，或补录其结果。", list(owed))
        }
        Refused::WouldStrand { owed, instead } => {
            format!("尚有（或可能有）未了结的 {}，会因此遗留。可安全转到：{}。", list(owed), list(instead))
        }
        Refused::Contradicts { .. } if joined_anew(refused) => {
            "该患者已重新加入该候补队列：请先取消那一条候补。".to_owned()
        }
        Refused::Contradicts { rule } => format!("由此产生的数据与业务表中的记录相抵触（{rule}）。"),
        Refused::InTree { run, refused } => format!("下级流程实例 {run} 不允许：{}", refused_zh(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_to_do_instead() {
        let refused = Refused::WouldStrand { owed: vec!["Money".to_owned()], instead: vec!["Settlement".to_owned()] };
        let en = "Money is owed or may be, and would be stranded; safe to jump to: Settlement.";
        assert_eq!(refusal(&refused, Language::En), en);
        assert!(refusal(&refused, Language::ZhCn).contains("可安全转到：Settlement"));
        assert_eq!(would(&Would::Go { to: "Undoing".to_owned() }, Language::En), "It goes to Undoing.");
    }
}
