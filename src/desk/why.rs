//! Why a run is not moving, as a sentence for staff.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::engine::inspect::Why;
use crate::waitlist::language::Language;

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
        Why::UnknownStep => "本版本程序不认识当前步骤，请检查部署版本。".to_owned(),
        Why::Waits { signals, until: Some(until) } => format!("等待 {}，最晚至 {}。", signals.join("、"), at(*until)),
        Why::Waits { signals, until: None } => format!("等待 {}。", signals.join("、")),
        Why::BacksOff { until, error, attempts } => {
            format!("第 {attempts} 次失败后等待重试，下次 {}：{error}", at(*until))
        }
        Why::Suspended { reason } => format!("已暂停，需人工处理：{reason}"),
        Why::DueLater { at: due } => format!("将于 {} 继续。", at(*due)),
    }
}

fn en(why: &Why, at: impl Fn(DateTime<Utc>) -> String) -> String {
    match why {
        Why::Ended => "It has ended.".to_owned(),
        Why::InHand => "A worker has it in hand.".to_owned(),
        Why::DueNow => "It is due and waits for a free worker.".to_owned(),
        Why::UnknownStep => "No worker of this version knows its step.".to_owned(),
        Why::Waits { signals, until: Some(until) } => {
            format!("Waiting for {} until {}.", signals.join(" or "), at(*until))
        }
        Why::Waits { signals, until: None } => format!("Waiting for {}.", signals.join(" or ")),
        Why::BacksOff { until, error, attempts } => {
            format!("Backing off until {} after attempt {attempts} failed: {error}", at(*until))
        }
        Why::Suspended { reason } => format!("Suspended, a person must look: {reason}"),
        Why::DueLater { at: due } => format!("It goes on at {}.", at(*due)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_hospitals() {
        let why = Why::Waits { signals: vec!["Offer".to_owned()], until: Some(DateTime::UNIX_EPOCH) };
        let tz = chrono_tz::Asia::Shanghai;
        assert_eq!(sentence(&why, Language::En, tz), "Waiting for Offer until 1970-01-01 08:00:00.");
        assert_eq!(sentence(&why, Language::ZhCn, tz), "等待 Offer，最晚至 1970-01-01 08:00:00。");
    }
}
