//! Why a run is not moving, as a sentence for staff.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::faults::said;
use crate::engine::inspect::Why;
use crate::records::entries::Shown;
use crate::waitlist::language::Language;
use crate::waitlist::status::EntryStatus;

/// The sentence, with times of the hospital's zone.
pub fn sentence(why: &Why, language: Language, tz: Tz) -> String {
    let at = |at: DateTime<Utc>| at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string();
    match language {
        Language::ZhCn => zh(why, at),
        Language::En => en(why, at),
    }
}

fn zh(why: &Why, at: impl Fn(DateTime<Utc>) -> String) -> String {
    match why {
        Why::Ended => "已结束。".to_owned(),
        Why::InHand => "正在处理。".to_owned(),
        Why::DueNow => "已到期，等待空闲的工作进程。".to_owned(),
        Why::Unrunnable { step } => {
            format!("没有在线的工作进程认识步骤 {step}：部署含有该步骤的版本后自动继续。")
        }
        Why::NobodyWorks => "没有在线的工作进程，启动后自动继续。".to_owned(),
        Why::Waits { signals, until: Some(until) } => format!("等待 {}，最晚至 {}。", signals.join("、"), at(*until)),
        Why::Waits { signals, until: None } => format!("等待 {}。", signals.join("、")),
        Why::BacksOff { until, error, attempts } => {
            format!("第 {attempts} 次失败后等待重试，下次 {}：{}", at(*until), said(error, Language::ZhCn))
        }
        Why::Suspended { reason } => format!("已暂停，需人工处理：{}", said(reason, Language::ZhCn)),
        Why::SuspendedByStaff { said } => format!("已人工暂停（{said}），恢复后继续。"),
        Why::LimitFull { lane } => format!("已到期，{} 的调用已达上限，等待空位。", destination(lane, Language::ZhCn)),
        Why::DestinationDown { lane, since, until, error } => {
            let since = since.map(|since| format!("自 {} 起", at(since))).unwrap_or_default();
            let until = until.map_or_else(|| "正在试探".to_owned(), |until| format!("{} 再次尝试", at(until)));
            format!(
                "{} {since}不可用，{until}，恢复后自动继续：{}",
                destination(lane, Language::ZhCn),
                said(error, Language::ZhCn)
            )
        }
        Why::DestinationPaused { lane, by, why } => {
            format!("{} 已由 {by} 人工暂停（{why}），恢复后自动继续。", destination(lane, Language::ZhCn))
        }
        Why::DueLater { at: due } => format!("将于 {} 继续。", at(*due)),
    }
}

fn en(why: &Why, at: impl Fn(DateTime<Utc>) -> String) -> String {
    match why {
        Why::Ended => "It has ended.".to_owned(),
        Why::InHand => "A worker has it in hand.".to_owned(),
        Why::DueNow => "It is due and waits for a free worker.".to_owned(),
        Why::Unrunnable { step } => {
            format!("No worker knows step {step}: it goes on once a release that does is deployed.")
        }
        Why::NobodyWorks => "No worker is running; it goes on once one is.".to_owned(),
        Why::Waits { signals, until: Some(until) } => {
            format!("Waiting for {} until {}.", signals.join(" or "), at(*until))
        }
        Why::Waits { signals, until: None } => format!("Waiting for {}.", signals.join(" or ")),
        Why::BacksOff { until, error, attempts } => {
            format!("Backing off until {} after attempt {attempts} failed: {}", at(*until), said(error, Language::En))
        }
        Why::Suspended { reason } => format!("Suspended, a person must look: {}", said(reason, Language::En)),
        Why::SuspendedByStaff { said } => format!("Suspended by staff ({said}); it goes on once it is resumed."),
        Why::LimitFull { lane } => {
            format!(
                "It is due; {} takes no more calls for now, so it waits for its turn.",
                destination(lane, Language::En)
            )
        }
        Why::DestinationDown { lane, since, until, error } => {
            let since = since.map(|since| format!(" since {}", at(since))).unwrap_or_default();
            let until =
                until.map_or_else(|| "is being tried".to_owned(), |until| format!("is tried again at {}", at(until)));
            format!(
                "{} is down{since} and {until}; it goes on by itself then: {}",
                destination(lane, Language::En),
                said(error, Language::En)
            )
        }
        Why::DestinationPaused { lane, by, why } => {
            format!("{} was paused by {by} ({why}); it goes on when that is resumed.", destination(lane, Language::En))
        }
        Why::DueLater { at: due } => format!("It goes on at {}.", at(*due)),
    }
}

/// Where an application stands, for whoever is on the telephone with its patient; none where the sentence of its run says it all.
pub fn standing(entry: &Shown, barred: bool, now: DateTime<Utc>, language: Language, tz: Tz) -> Option<String> {
    let at = |at: DateTime<Utc>| at.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string();
    let asked = entry.question.as_ref().map(|question| question["until"].as_str().and_then(|until| until.parse().ok()));
    let asked = asked.map(|until: Option<DateTime<Utc>>| until.filter(|until| *until > now));
    let zh = language == Language::ZhCn;
    Some(match (EntryStatus::parse(&entry.status)?, asked, entry.deadline.filter(|until| *until > now)) {
        (EntryStatus::Waiting | EntryStatus::Booked, Some(Some(until)), _) if zh => {
            format!("已询问患者，等待其在 {} 前答复。", at(until))
        }
        (EntryStatus::Waiting | EntryStatus::Booked, Some(Some(until)), _) => {
            format!("The patient was asked a question and has until {} to answer.", at(until))
        }
        (EntryStatus::Waiting, ..) => waiting(entry.position, barred, zh),
        (EntryStatus::AwaitingPrepayment, _, Some(until)) if zh => format!("等待患者在 {} 前预付。", at(until)),
        (EntryStatus::AwaitingPrepayment, _, Some(until)) => format!("The patient has until {} to prepay.", at(until)),
        (EntryStatus::Offered, _, Some(until)) if zh => format!("已留号，等待患者在 {} 前确认。", at(until)),
        (EntryStatus::Offered, _, Some(until)) => {
            format!("A place is held; the patient has until {} to confirm it.", at(until))
        }
        (EntryStatus::AwaitingPayment, _, Some(until)) if zh => format!("已确认，等待患者在 {} 前付款。", at(until)),
        (EntryStatus::AwaitingPayment, _, Some(until)) => {
            format!("Confirmed; the patient has until {} to pay.", at(until))
        }
        (EntryStatus::Booked, ..) if zh => "已挂号，等待就诊，无需操作。".to_owned(),
        (EntryStatus::Booked, ..) => "Booked: nothing is to be done before the visit.".to_owned(),
        _ => return None,
    })
}

fn waiting(position: Option<i64>, barred: bool, zh: bool) -> String {
    match (position, barred, zh) {
        (_, true, true) => "患者在黑名单中，有空号时被跳过。".to_owned(),
        (_, true, false) => "The patient is on the blacklist, and is passed over when a place is free.".to_owned(),
        (Some(nth), _, true) => format!("排在第 {nth} 位，尚无空号。"),
        (Some(nth), _, false) => format!("Number {nth} in the queue; no place is free for it yet."),
        (None, _, true) => "在队列中，尚无空号。".to_owned(),
        (None, _, false) => "In the queue; no place is free yet.".to_owned(),
    }
}

/// A destination as people call it, in the middle of a sentence.
pub(super) fn destination(lane: &str, language: Language) -> &str {
    match (lane, language) {
        ("his", _) => "HIS",
        ("payments", Language::ZhCn) => "支付平台",
        ("payments", Language::En) => "the payment provider",
        ("messages", Language::ZhCn) => "消息平台",
        ("messages", Language::En) => "the message platform",
        ("sms", Language::ZhCn) => "短信网关",
        ("sms", Language::En) => "the SMS gateway",
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_destination_holds_up_is_said_with_its_name() {
        let why = Why::DestinationDown {
            lane: "his".to_owned(),
            since: Some(DateTime::UNIX_EPOCH),
            until: None,
            error: "no answer".to_owned(),
        };
        let tz = chrono_tz::Asia::Shanghai;
        assert_eq!(
            sentence(&why, Language::En, tz),
            "HIS is down since 1970-01-01 08:00:00 and is being tried; it goes on by itself then: no answer"
        );
        assert_eq!(
            sentence(&why, Language::ZhCn, tz),
            "HIS 自 1970-01-01 08:00:00 起不可用，正在试探，恢复后自动继续：没有应答"
        );
    }

    #[test]
    fn times_are_the_hospitals() {
        let why = Why::Waits { signals: vec!["Offer".to_owned()], until: Some(DateTime::UNIX_EPOCH) };
        let tz = chrono_tz::Asia::Shanghai;
        assert_eq!(sentence(&why, Language::En, tz), "Waiting for Offer until 1970-01-01 08:00:00.");
        assert_eq!(sentence(&why, Language::ZhCn, tz), "等待 Offer，最晚至 1970-01-01 08:00:00。");
    }
}
