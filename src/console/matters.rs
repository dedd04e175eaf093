//! What is wrong with the whole, as its line on a page: what, what to do, and the page that does it.

use super::page::query;
use super::when::Clock;
use super::words::home::HomeWords;
use super::words::names;
use crate::desk::{advice, health};
use crate::engine::health::{Finding, Severity};

/// Something that a person has to look at.
pub(super) struct Matter {
    pub(super) tone: &'static str,
    pub(super) said: String,
    pub(super) hint: String,
    /// Where it is done.
    pub(super) href: String,
    /// What is done there.
    pub(super) go: &'static str,
}

/// A finding as its line.
pub(super) fn matter(finding: &Finding, clock: &Clock) -> Matter {
    let (href, go) = way(finding, HomeWords::of(clock.language));
    let tone = match finding.severity() {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let said = health::sentence(&named(finding, clock), clock.language, clock.tz);
    Matter { tone, said, hint: advice::on_pages(finding, clock.language).to_owned(), href, go }
}

/// Where it is done, and what.
fn way(finding: &Finding, w: &HomeWords) -> (String, &'static str) {
    match finding {
        Finding::Suspended { .. } => ("/runs?status=suspended".to_owned(), w.go_retry),
        Finding::Unrunnable { workflow, step, .. } => {
            let wanted = [("workflow", workflow.as_str()), ("status", "unrunnable"), ("step", step.as_str())];
            (format!("/runs{}", query(&wanted)), w.go_runs)
        }
        Finding::Overdue { .. } => ("/runs?status=pending".to_owned(), w.go_runs),
        Finding::LettersSuspended { .. } => ("/letters".to_owned(), w.go_letters),
        Finding::BulksFailing { .. } => ("/bulks".to_owned(), w.go_bulks),
        Finding::JobPaused { job, .. } => (format!("/jobs#{job}"), w.go_resume),
        Finding::JobFailing { job, .. } | Finding::JobOverdue { job, .. } | Finding::JobEnded { job } => {
            (format!("/jobs#{job}"), w.go_jobs)
        }
        Finding::Unmatched { .. } => ("/callbacks#signals".to_owned(), w.go_signals),
        Finding::DestinationPaused { destination, .. } => (format!("/system#{destination}"), w.go_resume),
        Finding::DestinationDown { destination, .. } => (format!("/system#{destination}"), w.go_system),
        Finding::LettersOverdue { .. } => ("/system#messages".to_owned(), w.go_system),
        Finding::NoWorkers { .. } => ("/system#workers".to_owned(), w.go_system),
        _ => ("/system#health".to_owned(), w.go_system),
    }
}

/// The same with workflows, steps and jobs as people call them.
fn named(finding: &Finding, clock: &Clock) -> Finding {
    let mut finding = finding.clone();
    match &mut finding {
        Finding::Unrunnable { workflow, step, .. } => {
            *workflow = names::workflow(workflow, clock.language);
            *step = names::step(step, clock.language);
        }
        Finding::JobFailing { job, .. }
        | Finding::JobOverdue { job, .. }
        | Finding::JobPaused { job, .. }
        | Finding::JobEnded { job } => *job = names::workflow(job, clock.language),
        _ => {}
    }
    finding
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::engine::store::survey::Backlog;
    use crate::waitlist::language::Language;

    #[test]
    fn a_matter_leads_to_the_place_that_does_it() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::En };
        let places = [
            (
                Finding::Unmatched { backlog: Backlog { count: 1, oldest_s: 900.0 } },
                include_str!("templates/callbacks.html"),
            ),
            (Finding::NoWorkers { due: 1 }, include_str!("templates/system.html")),
            (Finding::ClockByHand, include_str!("templates/system.html")),
        ];
        for (finding, page) in places {
            let href = matter(&finding, &clock).href;
            let part = href.split_once('#').unwrap().1;
            assert!(page.contains(&format!("id=\"{part}\"")), "{href}");
        }
        let paused =
            Finding::JobPaused { job: "schedule_sync".to_owned(), by: "chief".to_owned(), why: "w".to_owned() };
        let zh = matter(&paused, &Clock { language: Language::ZhCn, ..clock });
        assert_eq!((zh.href.as_str(), zh.go), ("/jobs#schedule_sync", "恢复"));
        assert_eq!(zh.said, "定时任务 排班同步 已由 chief 人工暂停（w）。");
    }
}
