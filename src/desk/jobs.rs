//! What starts runs by the clock, as staff see it: how each job stands, pause, resume, run now. The engine decides.

use super::faults::said;
use super::health::capital;
use super::{Answer, Desk, DeskError};
use crate::engine::RunId;
use crate::engine::jobs::look::{self, Seen, Standing};
use crate::engine::jobs::verbs::{self, JobRefused, JobVerb};
use crate::engine::staff::By;
use crate::waitlist::language::Language;
use crate::waitlist::refusal::Refusal;

impl From<JobRefused> for DeskError {
    fn from(refused: JobRefused) -> Self {
        match refused {
            JobRefused::NoJob => Refusal::NotFound.into(),
            refused => Self::Job(refused),
        }
    }
}

impl Desk {
    /// Every job, by name.
    pub async fn jobs(&self) -> Answer<Vec<Seen>> {
        Ok(look::all(&self.engine).await?)
    }

    /// One job.
    pub async fn job(&self, name: &str) -> Answer<Seen> {
        look::one(&self.engine, name).await?.ok_or_else(|| Refusal::NotFound.into())
    }

    /// Does a verb to a job and answers the runs that it started. The same person's same `request` starts them once.
    pub async fn turn_job(&self, name: &str, by: &By, verb: JobVerb, request: Option<&str>) -> Answer<Vec<RunId>> {
        Ok(verbs::perform(&self.engine, name, by, verb, request).await??)
    }
}

/// Why a job does not tick, in a sentence; none where all is well.
pub fn sentence(job: &Seen, language: Language) -> Option<String> {
    let row = &job.row;
    let error = said(row.last_error.as_deref().unwrap_or_default(), language);
    let (by, why) = (row.paused_by.as_deref().unwrap_or_default(), row.paused_why.as_deref().unwrap_or_default());
    Some(match (job.standing, language) {
        (Standing::Waiting, _) if job.known => return None,
        (Standing::Waiting, Language::ZhCn) => "本程序未声明此任务；其他版本的工作进程可能会执行。".to_owned(),
        (Standing::Waiting, Language::En) => {
            "This program does not declare it; a worker of another release may.".to_owned()
        }
        (Standing::Failing, Language::ZhCn) => {
            format!("最近一次启动失败（共 {} 次），将自动重试：{error}", row.failures)
        }
        (Standing::Failing, Language::En) => {
            let times = if row.failures == 1 { "once".to_owned() } else { format!("{} times", row.failures) };
            format!("Its runs could not be started ({times}) and it is tried again: {error}")
        }
        (Standing::Overdue, Language::ZhCn) => "已到期超过一分钟，没有执行此任务的工作进程。".to_owned(),
        (Standing::Overdue, Language::En) => {
            "It has been due for more than a minute: no worker that knows it is at work.".to_owned()
        }
        (Standing::Paused, Language::ZhCn) => format!("已由 {by} 暂停（{why}）。"),
        (Standing::Paused, Language::En) => format!("It was paused by {by} ({why})."),
        (Standing::Ended, Language::ZhCn) => "没有后续执行时间。".to_owned(),
        (Standing::Ended, Language::En) => "It has no tick left.".to_owned(),
    })
}

/// The words for a refusal.
pub fn refusal(refused: &JobRefused, language: Language) -> String {
    match (refused, language) {
        (_, Language::En) => format!("{}.", capital(&refused.to_string())),
        (JobRefused::NoJob, Language::ZhCn) => "没有该定时任务。".to_owned(),
        (JobRefused::UnknownHere, Language::ZhCn) => "本程序未声明该定时任务，其他版本可能声明。".to_owned(),
        (JobRefused::AlreadyPaused, Language::ZhCn) => "该定时任务已暂停。".to_owned(),
        (JobRefused::NotPaused, Language::ZhCn) => "该定时任务未暂停。".to_owned(),
        (JobRefused::NotStarted { why }, Language::ZhCn) => {
            format!("未能启动该定时任务：{}", said(why, Language::ZhCn))
        }
    }
}
