//! Instants as people read them: in the hospital's zone, with how long ago or how soon.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::http::Surface;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// What an instant is compared with, and for whom it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The present by the engine's clock.
    pub(super) now: DateTime<Utc>,
    /// The hospital's zone.
    pub(super) tz: Tz,
    /// Who reads.
    pub(super) language: Language,
}

/// An instant, ready for a page.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<time datetime="{{ iso }}">{{ text }} <span class="age">{{ age }}</span></time>"#, ext = "html")]
pub(super) struct Stamp {
    /// For programs.
    pub(super) iso: String,
    /// `11-28 16:30`, with the year where it is another one.
    pub(super) text: String,
    /// `3 minutes ago`.
    pub(super) age: String,
    /// True where it is over.
    pub(super) past: bool,
}

impl HtmlSafe for Stamp {}

impl Clock {
    /// The present of this hospital, for whoever reads this language.
    pub(super) async fn of(surface: &Surface, language: Language) -> Result<Self, Problem> {
        Ok(Self { now: surface.desk.now().await?, tz: surface.desk.ports.tz, language })
    }

    /// The same by the server's own clock, by which sessions and keys go whatever the hospital's clock is set to.
    pub(super) fn of_server(surface: &Surface, language: Language) -> Self {
        Self { now: Utc::now(), tz: surface.desk.ports.tz, language }
    }

    /// An instant as it is written.
    pub(super) fn stamp(&self, at: DateTime<Utc>) -> Stamp {
        let there = at.with_timezone(&self.tz);
        let this_year = there.year() == self.now.with_timezone(&self.tz).year();
        let text = there.format(if this_year { "%m-%d %H:%M" } else { "%Y-%m-%d %H:%M" }).to_string();
        Stamp { iso: there.to_rfc3339(), text, age: self.age(at), past: at <= self.now }
    }

    /// The same to the second.
    pub(super) fn exact(&self, at: DateTime<Utc>) -> Stamp {
        let text = at.with_timezone(&self.tz).format("%Y-%m-%d %H:%M:%S").to_string();
        Stamp { text, ..self.stamp(at) }
    }

    /// The day that it is.
    pub(super) fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.tz).date_naive()
    }

    /// A day with its weekday.
    pub(super) fn day(&self, day: NaiveDate) -> String {
        const ZH: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
        const EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let nth = day.weekday().num_days_from_monday() as usize;
        let weekday = if self.language == Language::En { EN } else { ZH }.get(nth).copied().unwrap_or_default();
        format!("{day} {weekday}")
    }

    /// How long ago or how soon.
    pub(super) fn age(&self, at: DateTime<Utc>) -> String {
        let apart = self.now - at;
        let length = self.length(apart.abs());
        let past = apart >= TimeDelta::zero();
        match (self.language, past) {
            _ if apart.abs() < TimeDelta::seconds(5) => {
                if self.language == Language::En { "now" } else { "刚刚" }.to_owned()
            }
            (Language::ZhCn, true) => format!("{length}前"),
            (Language::ZhCn, false) => format!("{length}后"),
            (Language::En, true) => format!("{length} ago"),
            (Language::En, false) => format!("in {length}"),
        }
    }

    /// A length of time in its largest unit.
    pub(super) fn length(&self, length: TimeDelta) -> String {
        let seconds = length.num_seconds();
        let (n, zh, en) = match seconds {
            0..60 => (seconds, "秒", "s"),
            60..3_600 => (seconds / 60, "分钟", " min"),
            3_600..172_800 => (seconds / 3_600, "小时", " h"),
            _ => (seconds / 86_400, "天", " days"),
        };
        match self.language {
            Language::ZhCn => format!("{n} {zh}"),
            Language::En => format!("{n}{en}"),
        }
    }

    /// How long something took.
    pub(super) fn took(&self, ms: i64) -> String {
        match ms {
            ..1_000 => format!("{ms} ms"),
            _ => self.length(TimeDelta::milliseconds(ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_its_age() {
        let clock = |language| Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language };
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        assert_eq!(clock(Language::En).age(at(-125)), "2 min ago");
        assert_eq!(clock(Language::ZhCn).age(at(7_300)), "2 小时后");
        assert_eq!(clock(Language::ZhCn).age(at(-3)), "刚刚");
        assert_eq!(clock(Language::En).age(at(259_200)), "in 3 days");
        assert_eq!(clock(Language::En).stamp(at(0)).text, "01-01 08:00");
        assert_eq!(
            clock(Language::ZhCn).day(NaiveDate::from_ymd_opt(2026, 11, 28).unwrap_or_default()),
            "2026-11-28 周六"
        );
    }
}
