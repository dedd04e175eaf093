//! What to do about what is wrong: at a terminal with commands, on the console's pages with the page beside it that does it.

use crate::engine::health::Finding;
use crate::waitlist::language::Language;

/// What to do about it, for whoever sits at a terminal or asks the API.
pub fn advice(finding: &Finding, language: Language) -> &'static str {
    let (zh, en) = match finding {
        Finding::NoWorkers { .. } => (
            "启动 `houbu serve` 或 `houbu work`，并查看其日志为何退出。",
            "Start `houbu serve` or `houbu work`, and see in its log why it ended.",
        ),
        Finding::TaskLost { .. } => {
            ("重启本进程，并将日志中的错误报告给开发者。", "Restart this process, and report the error in its log.")
        }
        Finding::BulksFailing { .. } => (
            "用 GET /v1/runs/bulk 查看原因；无法继续时取消该批量操作。",
            "See why in GET /v1/runs/bulk; cancel what cannot go on.",
        ),
        Finding::LeaseLost { .. } | Finding::NotLooking { .. } => (
            "检查数据库是否响应、本机是否过载；仍无恢复则重启本进程。",
            "See whether the database answers and whether this machine is overloaded; if neither, restart this process.",
        ),
        Finding::Overdue { .. } => (
            "查看工作进程数、数据库负载和该外部系统的并发上限；必要时增加 `houbu work`。",
            "Look at the number of workers, the database's load and the destination's limits; add `houbu work` if they are busy.",
        ),
        Finding::LettersOverdue { .. } => (
            "检查消息平台的上限和工作进程的日志。",
            "Look at the limits of the message platform and at the workers' log.",
        ),
        Finding::Unrunnable { .. } => (
            "启动认识该步骤的版本，或用 `houbu runs jump` 将流程实例移到其他步骤。",
            "Start a program that knows the step, or lead the runs elsewhere with `houbu runs jump`.",
        ),
        Finding::LongTurns { .. } => (
            "查看持有这些流程实例的工作进程是否卡住；重启后会自动继续。",
            "See whether the worker that holds them hangs; after a restart they go on by themselves.",
        ),
        Finding::DestinationDown { .. } => (
            "联系对方系统的负责人；恢复后流程自动继续，无需其他操作。",
            "Call those who run the other system; everything goes on by itself once it answers.",
        ),
        Finding::DestinationPaused { .. } => (
            "维护结束后恢复：POST /v1/destinations/{name}/resume。",
            "Resume it when the maintenance is over: POST /v1/destinations/{name}/resume.",
        ),
        Finding::JobFailing { .. } => (
            "按所述原因处理；恢复后任务自动补上或按其策略跳过。",
            "Remove the reason; what was missed is then made up or passed over, as the job's plan says.",
        ),
        Finding::JobOverdue { .. } => (
            "启动含有该任务的版本，并确认其工作进程正常。",
            "Start a release that has the job, and see that its workers are well.",
        ),
        Finding::JobPaused { .. } => {
            ("暂停的原因消除后恢复：`houbu jobs resume`。", "Resume it when the reason is over: `houbu jobs resume`.")
        }
        Finding::JobEnded { .. } => {
            ("检查其 cron 表达式：没有未来的时间与之相符。", "Look at its cron expression: no time to come matches it.")
        }
        Finding::Suspended { .. } => (
            "查看 `houbu runs list --status suspended`，消除原因后重试（retry）或按提示处理。",
            "Look at `houbu runs list --status suspended`; remove the reason, then retry, or use another verb.",
        ),
        Finding::LettersSuspended { .. } => (
            "修正模板或权限，并以其他方式通知相关患者。",
            "Mend the template or the rights, and tell the patients concerned by other means.",
        ),
        Finding::PoolExhausted { .. } => (
            "提高 database.connections（不超过数据库上限），或降低 worker.turns。",
            "Raise database.connections, within what the database allows, or lower worker.turns.",
        ),
        Finding::ClocksApart { .. } => (
            "在数据库与本机上检查时间同步（NTP）。",
            "Check time synchronisation (NTP) on the database's machine and this one.",
        ),
        Finding::ClockByHand => (
            "正式环境应清空 clock 表；演示环境无需处理。",
            "In production the table `clock` must be empty; in a demo there is nothing to do.",
        ),
        Finding::MonthsMissing { .. } => (
            "确认有工作进程在运行并查看其日志；记录暂存于 turn_default，不会丢失。",
            "See that a worker runs, and its log; lines are kept in turn_default meanwhile, and nothing is lost.",
        ),
        Finding::Unmatched { .. } => (
            "查看 GET /v1/signals/unmatched：发送方的编号是否正确。",
            "Look at GET /v1/signals/unmatched: does the sender use the right key?",
        ),
    };
    match language {
        Language::ZhCn => zh,
        Language::En => en,
    }
}

/// What to do about it, for whoever reads a page: a link beside it leads to where it is done.
pub fn on_pages(finding: &Finding, language: Language) -> &'static str {
    let (zh, en) = match finding {
        Finding::NoWorkers { .. } => (
            "请运维人员启动工作进程，并查看其日志为何退出。",
            "Have those who run the server start a worker, and see in its log why it ended.",
        ),
        Finding::BulksFailing { .. } => (
            "查看批量操作的原因；无法继续时取消该批量操作。",
            "See why on the page of bulk operations; cancel what cannot go on.",
        ),
        Finding::Overdue { .. } => (
            "查看外部系统的并发上限与工作进程；均繁忙时请运维人员增加工作进程。",
            "Look at the destinations' limits and the workers; have workers added where all are busy.",
        ),
        Finding::LettersOverdue { .. } => (
            "查看消息平台的上限与状态；均正常时请运维人员查看工作进程的日志。",
            "Look at the message platform's limits and state; if both are well, have the workers' log read.",
        ),
        Finding::Unrunnable { .. } => (
            "请运维人员部署含有该步骤的版本；或打开流程实例，用“转到其他步骤”处理。",
            "Have a release deployed that knows the step; or open the runs, and lead them elsewhere with Jump.",
        ),
        Finding::DestinationPaused { .. } => {
            ("维护结束后在该系统处点击恢复。", "Resume it at that system when the maintenance is over.")
        }
        Finding::JobPaused { .. } => {
            ("暂停的原因消除后在该任务处点击恢复。", "Resume it at that job when the reason is over.")
        }
        Finding::Suspended { .. } => (
            "打开流程实例查看原因：出错的，消除原因后点击立即重试或补录结果；由人工暂停的，点击恢复。",
            "Open the runs and see why: of what failed remove the reason, then retry or supply the outcome; resume what a person suspended.",
        ),
        Finding::LettersSuspended { .. } => (
            "修正模板或权限后重发消息；并以其他方式通知相关患者。",
            "Mend the template or the rights, then send the messages again; tell the patients by other means.",
        ),
        Finding::Unmatched { .. } => (
            "查看等待流程的信号，与发送方核对编号是否正确。",
            "Look at the signals that wait, and ask the sender whether the key is right.",
        ),
        Finding::PoolExhausted { .. } => (
            "请运维人员提高数据库连接数，或降低工作进程的并发数。",
            "Have those who run the server raise the number of database connections, or lower the workers' turns.",
        ),
        Finding::ClockByHand => (
            "演示环境无需处理；正式环境请运维人员恢复系统时钟。",
            "In a demo there is nothing to do; in production have those who run the server take that clock away.",
        ),
        Finding::MonthsMissing { .. } => {
            ("请运维人员查看工作进程的日志；记录不会丢失。", "Have the workers' log read; nothing is lost meanwhile.")
        }
        other => return advice(other, language),
    };
    match language {
        Language::ZhCn => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::engine::store::survey::Backlog;

    /// A page has links and verbs; commands and calls are for who sits elsewhere.
    #[test]
    fn pages_name_no_command() {
        let backlog = Backlog { count: 1, oldest_s: 900.0 };
        let word = String::new;
        let all = [
            Finding::NoWorkers { due: 1 },
            Finding::TaskLost { task: "keeper" },
            Finding::BulksFailing { count: 1, error: word() },
            Finding::Overdue { destination: word(), backlog },
            Finding::LettersOverdue { backlog },
            Finding::Unrunnable { workflow: word(), step: word(), count: 1 },
            Finding::LongTurns { count: 1 },
            Finding::DestinationDown { destination: word(), since: None, long: false, error: word() },
            Finding::DestinationPaused { destination: word(), by: word(), why: word() },
            Finding::JobFailing { job: word(), failures: 1, since: Some(DateTime::UNIX_EPOCH), error: word() },
            Finding::JobOverdue { job: word(), since: None },
            Finding::JobPaused { job: word(), by: word(), why: word() },
            Finding::JobEnded { job: word() },
            Finding::Suspended { count: 1 },
            Finding::LettersSuspended { count: 1 },
            Finding::ClocksApart { ahead_s: 3.0 },
            Finding::ClockByHand,
            Finding::MonthsMissing { count: 1 },
            Finding::Unmatched { backlog },
        ];
        for finding in all {
            for language in [Language::ZhCn, Language::En] {
                let said = on_pages(&finding, language);
                for word in ["`", "houbu", "/v1/", "GET ", "POST ", "_"] {
                    assert!(!said.contains(word), "{finding:?}: {said}");
                }
            }
        }
    }
}
