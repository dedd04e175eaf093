//! How the whole is, for operators: what is wrong, in words. What to do about it says [`advice`](super::advice).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::faults::said;
use super::why::destination;
use super::{Answer, Desk};
use crate::engine::Engine;
use crate::engine::health::{self, Finding, Process, Severity};
use crate::engine::preflight::{self, AtWork};
use crate::engine::store::survey::{Backlog, Survey};
use crate::waitlist::language::Language;

/// How the whole stands, and what is wrong with it, the worst first.
#[derive(Debug, Clone)]
pub struct Health {
    /// How it stands.
    pub survey: Survey,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Health {
    /// The worst of it; none: all is well.
    pub fn worst(&self) -> Option<Severity> {
        health::worst(&self.findings)
    }

    /// Takes a look. `process`: this process serves or works and is asked too.
    pub async fn of(engine: &Engine, process: bool) -> sqlx::Result<Self> {
        let survey = engine.survey().await?;
        let process = process.then(|| this_process(engine));
        let findings = health::assess(&survey, process.as_ref());
        Ok(Self { survey, findings })
    }
}

impl Desk {
    /// How the whole is, and this process.
    pub async fn health(&self) -> Answer<Health> {
        Ok(Health::of(&self.engine, true).await?)
    }

    /// Who works, and who fell silent of late, oldest first.
    pub async fn workers(&self) -> Answer<Vec<AtWork>> {
        Ok(preflight::at_work(&self.engine.pool, self.hospital()).await?)
    }

    /// Whether this process can do its work: what keeps it from that. Asks the database for nothing.
    pub fn unready(&self) -> Vec<Finding> {
        let process = this_process(&self.engine);
        let gone = |finding: &Finding| {
            matches!(finding, Finding::LeaseLost { .. } | Finding::NotLooking { .. } | Finding::TaskLost { .. })
        };
        health::assess_process(&process).into_iter().filter(gone).collect()
    }
}

fn this_process(engine: &Engine) -> Process {
    let (pulse, connections) = (engine.measures.pulse(), engine.connections());
    Process {
        renewed: pulse.renewed.map(|at| at.elapsed()),
        looked: pulse.looked.map(|at| at.elapsed()),
        waited: pulse.waited,
        lost: pulse.lost,
        connections_max: connections.max,
        connections_busy: connections.busy,
    }
}

/// What is wrong, in a sentence with times of the hospital's zone.
pub fn sentence(finding: &Finding, language: Language, tz: Tz) -> String {
    let at = |at: DateTime<Utc>| at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string();
    match language {
        Language::ZhCn => zh(finding, at),
        Language::En => en(finding, at),
    }
}

fn zh(finding: &Finding, at: impl Fn(DateTime<Utc>) -> String) -> String {
    match finding {
        Finding::NoWorkers { due } => format!("没有工作进程在运行，{due} 个到期的流程实例无人处理。"),
        Finding::LeaseLost { silent } => {
            format!("本进程已 {} 秒未能续租，其流程实例已由其他进程接手。", silent.as_secs())
        }
        Finding::NotLooking { silent } => format!("本进程已 {} 秒未领取流程实例。", silent.as_secs()),
        Finding::Overdue { destination: to, backlog } if to.is_empty() => {
            format!("{} 个流程实例已到期未处理，最久已等待 {}。", backlog.count, seconds_zh(backlog))
        }
        Finding::Overdue { destination: to, backlog } => format!(
            "{} 个需调用 {} 的流程实例已到期未处理，最久已等待 {}。",
            backlog.count,
            destination(to, Language::ZhCn),
            seconds_zh(backlog)
        ),
        Finding::TaskLost { task } => format!("本进程的工作任务 {task} 已意外结束。"),
        Finding::BulksFailing { count, error } => {
            format!("{count} 个批量操作无法继续：{}", said(error, Language::ZhCn))
        }
        Finding::LettersOverdue { backlog } => {
            format!("{} 条消息已到期未发送，最久已等待 {}。", backlog.count, seconds_zh(backlog))
        }
        Finding::Unrunnable { workflow, step, count } => {
            format!("{count} 个 {workflow} 停在步骤 {step}，没有在运行的工作进程认识该步骤。")
        }
        Finding::LongTurns { count } => format!("{count} 个步骤的处理时间超过上限。"),
        Finding::DestinationDown { destination: to, since, error, .. } => {
            let since = since.map(|since| format!("自 {} 起", at(since))).unwrap_or_default();
            format!("{} {since}不可用：{}", destination(to, Language::ZhCn), said(error, Language::ZhCn))
        }
        Finding::DestinationPaused { destination: to, by, why } => {
            format!("{} 已由 {by} 人工暂停（{why}）。", destination(to, Language::ZhCn))
        }
        Finding::JobFailing { job, failures, since, error } => {
            let since = since.map(|since| format!("自 {} 起", at(since))).unwrap_or_default();
            let error = said(error, Language::ZhCn);
            format!("定时任务 {job} {since}连续 {failures} 次启动失败，将自动重试：{error}")
        }
        Finding::JobOverdue { job, since } => {
            let since = since.map(|since| format!("自 {} 起", at(since))).unwrap_or_default();
            format!("定时任务 {job} {since}到期未执行，没有认识它的工作进程。")
        }
        Finding::JobPaused { job, by, why } => format!("定时任务 {job} 已由 {by} 人工暂停（{why}）。"),
        Finding::JobEnded { job } => format!("定时任务 {job} 不再有下一次执行。"),
        Finding::Suspended { count } => format!("{count} 个流程实例已暂停，等待人工处理。"),
        Finding::LettersSuspended { count } => format!("{count} 条消息未能发出，等待人工处理。"),
        Finding::PoolExhausted { connections_max, waited } => {
            format!("{connections_max} 个数据库连接全部占用，获取连接等待了 {:.1} 秒。", waited.as_secs_f64())
        }
        Finding::ClocksApart { ahead_s } => format!("数据库时钟与本机相差 {ahead_s:+.1} 秒。"),
        Finding::ClockByHand => "系统时钟为人工设定（仅演示与测试使用）。".to_owned(),
        Finding::MonthsMissing { count } => format!("历史记录缺少 {count} 个月的分区。"),
        Finding::Unmatched { backlog } => {
            format!("{} 个信号找不到对应的流程实例，最久已等待 {}。", backlog.count, seconds_zh(backlog))
        }
    }
}

fn en(finding: &Finding, at: impl Fn(DateTime<Utc>) -> String) -> String {
    match finding {
        Finding::NoWorkers { due } => {
            format!("No worker is alive; {} in nobody's hands.", some(*due, "due run is", "due runs are"))
        }
        Finding::LeaseLost { silent } => format!(
            "The worker of this process has not renewed its lease for {} s; others have taken over its runs.",
            silent.as_secs()
        ),
        Finding::NotLooking { silent } => {
            format!("The worker of this process has not looked for due runs for {} s.", silent.as_secs())
        }
        Finding::Overdue { destination: to, backlog } if to.is_empty() => {
            format!(
                "{}, the oldest for {}.",
                some(backlog.count, "due run waits", "due runs wait"),
                seconds_en(backlog)
            )
        }
        Finding::Overdue { destination: to, backlog } => format!(
            "{} {} {}, the oldest for {}.",
            some(backlog.count, "due run that calls", "due runs that call"),
            destination(to, Language::En),
            if is_one(backlog.count) { "waits" } else { "wait" },
            seconds_en(backlog)
        ),
        Finding::TaskLost { task } => format!("The {task} of this process's worker has ended by itself."),
        Finding::BulksFailing { count, error } => {
            format!("{} cannot go on: {}", some(*count, "bulk", "bulks"), said(error, Language::En))
        }
        Finding::LettersOverdue { backlog } => {
            format!(
                "{}, the oldest for {}.",
                some(backlog.count, "due message waits", "due messages wait"),
                seconds_en(backlog)
            )
        }
        Finding::Unrunnable { workflow, step, count } => {
            let stand = if is_one(*count) { "stands" } else { "stand" };
            format!("{} of {workflow} {stand} at {step}, which no live worker knows.", some(*count, "run", "runs"))
        }
        Finding::LongTurns { count } => {
            let turns = some(*count, "turn has", "turns have");
            format!("{turns} been in hand for longer than a handler may take.")
        }
        Finding::DestinationDown { destination: to, since, error, .. } => {
            let since = since.map(|since| format!(" since {}", at(since))).unwrap_or_default();
            let error = said(error, Language::En);
            format!("{} does not answer{since}: {error}", capital(destination(to, Language::En)))
        }
        Finding::DestinationPaused { destination: to, by, why } => {
            format!("{} was paused by {by} ({why}).", capital(destination(to, Language::En)))
        }
        Finding::JobFailing { job, failures, since, error } => {
            let since = since.map(|since| format!(" since {}", at(since))).unwrap_or_default();
            let (error, times) = (said(error, Language::En), some(*failures, "time", "times"));
            format!("The job {job} could not start its runs {times}{since} and is tried again: {error}")
        }
        Finding::JobOverdue { job, since } => {
            let since = since.map(|since| format!(" since {}", at(since))).unwrap_or_default();
            format!("The job {job} has been due{since}, and no worker that knows it tries it.")
        }
        Finding::JobPaused { job, by, why } => format!("The job {job} was paused by {by} ({why})."),
        Finding::JobEnded { job } => format!("The job {job} has no tick left."),
        Finding::Suspended { count } => {
            format!("{} for a person.", some(*count, "run is suspended: it waits", "runs are suspended: they wait"))
        }
        Finding::LettersSuspended { count } => {
            let messages = some(*count, "message could not be sent and waits", "messages could not be sent and wait");
            format!("{messages} for a person.")
        }
        Finding::PoolExhausted { connections_max, waited } => format!(
            "All {connections_max} database connections are busy; one was waited for {:.1} s.",
            waited.as_secs_f64()
        ),
        Finding::ClocksApart { ahead_s } => {
            format!("The database's clock is {ahead_s:+.1} s ahead of this machine's.")
        }
        Finding::ClockByHand => "The clock is set by hand, as in a demo.".to_owned(),
        Finding::MonthsMissing { count } => {
            format!("{} no table of their own.", some(*count, "month of history has", "months of history have"))
        }
        Finding::Unmatched { backlog } => {
            format!(
                "{} not there, the oldest for {}.",
                some(backlog.count, "signal waits for a run that is", "signals wait for runs that are"),
                seconds_en(backlog)
            )
        }
    }
}

/// So many of them.
fn some<N: Into<i64> + Copy>(count: N, one: &str, many: &str) -> String {
    format!("{} {}", count.into(), if is_one(count) { one } else { many })
}

fn is_one(count: impl Into<i64>) -> bool {
    count.into() == 1
}

fn seconds_zh(backlog: &Backlog) -> String {
    let (amount, unit) = rounded(backlog.oldest_s);
    format!("{amount:.0} {}", ["秒", "分钟", "小时", "天"][unit])
}

fn seconds_en(backlog: &Backlog) -> String {
    let (amount, unit) = rounded(backlog.oldest_s);
    format!("{amount:.0} {}", ["s", "min", "h", "days"][unit])
}

/// The largest unit of which there are at least two: 0 seconds, 1 minutes, 2 hours, 3 days.
fn rounded(seconds: f64) -> (f64, usize) {
    [(86_400.0, 3), (3_600.0, 2), (60.0, 1)]
        .into_iter()
        .find(|(length, _)| seconds >= 2.0 * length)
        .map_or((seconds, 0), |(length, unit)| (seconds / length, unit))
}

pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::advice::advice;
    use super::*;

    #[test]
    fn findings_are_said_in_both_languages() {
        let tz = chrono_tz::Asia::Shanghai;
        let late = Finding::Overdue { destination: "his".to_owned(), backlog: Backlog { count: 7, oldest_s: 310.0 } };
        assert_eq!(sentence(&late, Language::En, tz), "7 due runs that call HIS wait, the oldest for 5 min.");
        assert_eq!(sentence(&late, Language::ZhCn, tz), "7 个需调用 HIS 的流程实例已到期未处理，最久已等待 5 分钟。");
        let down = Finding::DestinationDown {
            destination: "payments".to_owned(),
            since: Some(DateTime::UNIX_EPOCH),
            long: false,
            error: "no answer".to_owned(),
        };
        assert_eq!(
            sentence(&down, Language::En, tz),
            "The payment provider does not answer since 1970-01-01 08:00:00: no answer"
        );
        assert!(advice(&down, Language::ZhCn).contains("自动继续"));
        let silent = Finding::NotLooking { silent: Duration::from_secs(12) };
        assert!(sentence(&silent, Language::En, tz).contains("12 s"));
    }

    #[test]
    fn one_is_not_many() {
        let tz = chrono_tz::Asia::Shanghai;
        let said = |count| sentence(&Finding::Suspended { count }, Language::En, tz);
        assert_eq!(said(1), "1 run is suspended: it waits for a person.");
        assert_eq!(said(2), "2 runs are suspended: they wait for a person.");
    }

    #[test]
    fn ages_are_rounded_to_what_people_read() {
        for (seconds, said) in
            [(59.0, "59 s"), (119.0, "119 s"), (180.0, "3 min"), (7_300.0, "2 h"), (200_000.0, "2 days")]
        {
            assert_eq!(seconds_en(&Backlog { count: 1, oldest_s: seconds }), said);
        }
    }
}
