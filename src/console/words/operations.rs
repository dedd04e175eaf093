//! Jobs, systems outside, workers, callbacks and letters.

use super::words;

words! {
    /// Jobs, systems outside, workers, callbacks and letters.
    OperationWords {
        jobs_hint: "按时间启动流程的任务。立即执行不影响原计划。", "What starts runs by the clock. Running one now leaves its plan as it is.";
        jobs_none: "没有定时任务", "There is no job";
        jobs_none_hint: "工作进程启动后会登记定时任务。", "A worker makes its jobs known when it starts.";
        plan: "计划", "Plan";
        last: "上次执行", "Last tick";
        next: "下次执行", "Next ticks";
        last_runs: "上次启动的流程", "Runs of the last tick";
        run_now: "立即执行", "Run now";
        pause: "暂停", "Pause";
        resume: "恢复", "Resume";
        failures: "连续失败", "Failures in a row";
        destinations_hint: "暂停后不再向该系统发送请求，需要它的流程会等待而不会失败。", "While one is paused nothing is sent there, and what needs it waits rather than fails.";
        sandbox: "沙箱控制页", "The sandbox's page";
        destinations_none: "尚未调用过外部系统", "None has been called yet";
        destinations_none_hint: "工作进程首次启动后显示。", "They appear once a worker has started.";
        in_hand: "处理中 / 上限", "In hand / most";
        rate: "每秒上限", "A second, at most";
        any_rate: "不限", "Any";
        answered: "成功", "Answered";
        failed: "失败", "Failed";
        runs_wait: "等待的流程", "Runs waiting";
        letters_wait: "等待的消息", "Letters waiting";
        since: "自", "since";
        tried_again: "再次尝试", "tried again";
        paused_by: "暂停人", "Paused by";
        workers: "工作进程", "Workers";
        workers_none: "没有在线的工作进程", "No worker is running";
        workers_none_hint: "启动 houbu serve 或 houbu work 后流程才会继续。", "Nothing moves until one is: start houbu serve or houbu work.";
        knows: "可处理的步骤", "Steps that it can run";
        health: "系统健康", "Health";
        health_well: "一切正常", "All is well";
        health_well_hint: "没有发现问题。", "Nothing is wrong.";
        events: "最近事件", "What became of it lately";
        callbacks_hint: "医院、支付平台与消息平台推送的每一条通知及其结果；重复推送只计次数。", "Every verified push of HIS, the payment provider and the message platform, with its fate; repeated ones are counted.";
        callbacks_none: "没有回调", "No callback";
        callbacks_none_hint: "外部系统推送后显示在这里。", "What is pushed appears here.";
        source: "来源", "From";
        kind: "类型", "Kind";
        subject: "对象", "About";
        fate: "结果", "Fate";
        times: "次数", "Times";
        received: "收到时间", "Received";
        every_source: "全部来源", "From everywhere";
        every_fate: "全部结果", "Every fate";
        unmatched_fate: "未匹配或未处理", "Matched nothing, or not treated";
        content: "内容", "What it said";
        signals: "等待流程的信号", "Signals whose run is not there";
        signals_hint: "目标流程出现后自动送达；到期后仍可查看。", "Each is put into its run's inbox when the run appears; expired ones stay visible.";
        signals_none: "没有等待的信号。", "None waits.";
        signal: "信号", "Signal";
        to: "目标", "For";
        letters_hint: "消息平台拒收或多次失败的消息。修正原因后重发。", "Messages that the platform refused. Put right why, then send them again.";
        letters_none: "没有未送达的消息", "No message waits for a person";
        letters_none_hint: "消息被拒收时会列在这里。", "What the platform refuses is listed here.";
        message: "消息", "Message";
        attempts: "失败次数", "Failed attempts";
        error: "原因", "Why";
        written: "生成时间", "Written";
        tick_all: "全选", "Tick all";
        resend: "重发选中的消息", "Send the ticked ones again";
        resent: "已重发。", "They are sent again.";
    }
}
