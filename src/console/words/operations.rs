//! Jobs, systems outside, workers, callbacks and letters.

use super::words;

words! {
    /// Jobs, systems outside, workers, callbacks and letters.
    OperationWords {
        jobs_hint: "按时间启动流程的任务。立即执行不影响原计划。", "What starts runs by the clock. Running one now leaves its plan as it is.";
        jobs_none: "没有定时任务", "There is no job";
        jobs_none_hint: "请运维人员启动工作进程：启动后会登记定时任务。", "Have a worker started: it makes its jobs known when it starts.";
        plan: "计划", "Plan";
        last: "上次执行", "Last tick";
        next: "下次执行", "Next ticks";
        last_runs: "上次启动的流程", "Runs of the last tick";
        last_runs_none: "尚未启动过流程。可立即执行一次，或等待下次执行。", "None yet. Run it now, or wait for its next tick.";
        run_now: "立即执行", "Run now";
        pause: "暂停", "Pause";
        resume: "恢复", "Resume";
        failures: "连续失败", "Failures in a row";
        destinations_hint: "暂停后不再向该系统发送请求，需要它的流程会等待而不会失败。", "While one is paused nothing is sent there, and what needs it waits rather than fails.";
        sandbox: "沙箱控制页", "The sandbox's page";
        destinations_none: "尚未调用过外部系统", "None has been called yet";
        destinations_none_hint: "请运维人员启动工作进程：首次启动后显示。", "Have a worker started: they appear once it has.";
        in_hand: "处理中 / 上限", "In hand / most";
        rate: "每秒上限", "A second, at most";
        any_rate: "不限", "Any";
        answered: "成功（近 10 秒）", "Answered (last 10 s)";
        failed: "失败（近 10 秒）", "Failed (last 10 s)";
        runs_wait: "等待的流程", "Runs waiting";
        letters_wait: "等待的消息", "Letters waiting";
        since: "自", "since";
        tried_again: "再次尝试", "tried again";
        paused_by: "暂停人", "Paused by";
        workers: "工作进程", "Workers";
        workers_none: "没有在线的工作进程", "No worker is running";
        workers_none_hint: "请运维人员启动工作进程，流程才会继续。", "Nothing moves until one is: have those who run the server start it.";
        knows: "可处理的步骤", "Steps that it can run";
        health: "系统健康", "Health";
        health_well: "一切正常", "All is well";
        health_well_hint: "没有发现问题。", "Nothing is wrong.";
        events: "最近事件", "What became of it lately";
        callbacks_hint: "医院、支付平台与消息平台推送的每一条通知及其结果；重复推送只计次数。", "Every verified push of HIS, the payment provider and the message platform, with its fate; repeated ones are counted.";
        callbacks_none: "没有回调", "No callback";
        callbacks_none_hint: "放宽筛选条件；若外部系统应已推送，请其核对推送地址。", "Ask for less above; where something should have come, have its sender check the address.";
        source: "来源", "From";
        kind: "类型", "Kind";
        subject: "对象", "About";
        fate: "结果", "Fate";
        times: "次数", "Times";
        received: "收到时间", "Received";
        every_source: "全部来源", "From everywhere";
        every_fate: "全部结果", "Every fate";
        unmatched_fate: "全部待人工处理", "All that wait for a person";
        see_to: "处理", "See to it";
        see_to_hint: "重新处理：按保存的内容再执行一次，已收到的流程不会重复收到。标记已处理：已人工核实，不再提醒。", "Do again: what it asks for is done with what was kept of it; a run that has heard of it does not hear again. Seen to: a person has checked, and it waits for nobody.";
        replay: "重新处理", "Do again";
        settle: "标记已处理", "Seen to";
        settled: "已标记为已处理。", "It waits for nobody any more.";
        replayed: "已重新处理，结果：", "Done again: ";
        content: "内容", "What it said";
        signals: "等待流程的信号", "Signals whose run is not there";
        signals_hint: "目标流程出现后自动送达；到期后仍可查看。", "Each is put into its run's inbox when the run appears; expired ones stay visible.";
        signals_none: "没有等待的信号。外部系统先于流程发来的信号会列在这里，无需操作。", "None waits. What comes before its run is listed here; there is nothing to do.";
        signal: "信号", "Signal";
        to: "目标", "For";
        letters_hint: "消息平台拒收或多次失败的消息。修正原因后重发。", "Messages that the platform refused. Put right why, then send them again.";
        letters_none: "没有未送达的消息", "No message waits for a person";
        letters_none_hint: "无需操作。消息被拒收时会列在这里，修正原因后可重发。", "There is nothing to do. What the platform refuses is listed here, to be sent again once its reason is put right.";
        message: "消息", "Message";
        attempts: "失败次数", "Failed attempts";
        error: "原因", "Why";
        written: "生成时间", "Written";
        tick_all: "全选", "Tick all";
        resend: "重发选中的消息", "Send the ticked ones again";
        resent: "已重发。", "They are sent again.";
    }
}
