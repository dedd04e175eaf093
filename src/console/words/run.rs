//! What the page of one run says.

use super::words;

words! {
    /// One run.
    RunWords {
        stands: "当前情况", "Where it stands and why";
        due: "将于此时处理或到期", "Due, or its deadline";
        attempts: "本步骤失败次数", "Failed attempts at this step";
        failing_since: "持续失败自", "Failing since";
        owes: "未了结", "Still owed";
        owes_nothing: "无", "Nothing";
        started: "开始", "Started";
        ended: "结束", "Ended";
        turns: "已提交步数", "Turns";
        chart: "流程图", "Chart";
        chart_hint: "已走过的路径与当前位置；虚线为可能的下一步。", "The way it came, where it is, and where it could go next (dashed).";
        chart_whole: "完整流程图", "The whole chart";
        timeline: "经过", "What happened";
        timeline_cut: "仅显示最近 500 条；更早的见接口 /v1/runs/{runId}/history。", "The last 500 are shown; GET /v1/runs/{runId}/history has them all.";
        timeline_none: "尚无记录", "Nothing has happened yet";
        timeline_none_hint: "首个步骤处理后显示。", "The first turn appears here once it is done.";
        failed: "失败", "failed";
        times: "次", "times";
        took: "用时", "took";
        woke: "由", "by";
        verbs: "可执行的操作", "What can be done";
        verbs_hint: "每项操作都会写入操作记录。", "Every deed stands in the audit log.";
        read_only: "您的角色只能查看。", "Your role may look only.";
        outcome: "补录的结果", "The outcome";
        step: "转到", "The step";
        signal: "信号", "The signal";
        retry_does: "立即重新处理当前步骤，失败次数从头计算。", "The present step is tried again at once, with all its attempts.";
        resume_does: "从当前步骤继续，沿用剩余的重试次数。", "It goes on at its step, with the attempts that it has left.";
        barred: "不能选择的", "What cannot be chosen";
        answer_does: "告知本步骤的实际结果，流程据此走向下一步。", "Say what this step came to: the run goes on by it.";
        jump_does: "不经过正常途径，直接转到所选步骤。", "Send the run to a step of your choice, past the ordinary way.";
        signal_does: "代外部补送一条流程在等待的消息。", "Tell the run what it should have been told from outside.";
        must_be_said: "须同时填写以下内容：", " What follows must be said with it:";
        patch_fold: "直接修改流程数据（JSON）", "Change what the run knows directly (JSON)";
        patch: "同时修改流程数据（JSON 合并补丁，可不填）", "Changes of what the run knows (JSON merge patch, optional)";
        told_must: "随信号说明", "What it says";
        told_may: "可不填", "May be left empty";
        payload: "本信号的内容没有逐项表单，须按 JSON 填写", "What goes with this signal has no fields here: it is written as JSON";
        known: "流程数据", "What it knows";
        known_hint: "只含编号，已脱敏。", "References only, masked.";
        content: "内容", "Content";
        content_cut: "仅显示前 8000 字。", "The first 8,000 letters are shown.";
        unmask: "查看完整内容", "See it in the clear";
        unmask_hint: "本次查看将连同原因写入操作记录。所选内容不再脱敏，离开本页后恢复。", "This look is audited with its reason. What is chosen is not masked, until you leave the page.";
        unmask_what: "查看范围", "What";
        unmasked: "未脱敏，本次查看已记录", "In the clear, and this look was audited";
        clear: "未脱敏", "In the clear";
        unmasked_hint: "本页不再自动更新", "this page does not follow what happens";
        unmasked_over: "恢复脱敏", "Mask it again";
        inbox: "收到的信号", "Signals received";
        inbox_none: "未收到信号。收到后列在这里；必要时可用“发送信号”代为补送。", "None was received. Each is listed here; where one got lost, Signal sends it in its place.";
        heard: "已处理", "Heard";
        unheard: "未处理", "Not yet heard";
        late: "迟到", "Too late";
        letters: "发出的消息", "Letters";
        resend: "重发", "Send again";
        letters_none: "未发出消息。发出后可在这里查看与重发。", "None was written. Each is listed here, and can be sent again.";
        children: "下级流程实例", "Runs that it started";
        parent: "上级流程实例", "Started by";
        audit: "人工操作记录", "What staff did";
        audit_none: "尚无人工操作。在“可执行的操作”中执行后记录在这里。", "Nobody has intervened. What staff do with the verbs is kept here.";
        application: "候补申请", "The application";
        position: "队列位置", "Place in the queue";
        cutoff: "候补截止", "Queue closes";
        fee: "挂号费（元）", "Fee (yuan)";
        paid: "已付（元）", "Paid (yuan)";
        refunded: "已退（元）", "Refunded (yuan)";
        trade_no: "支付单号", "Payment number";
        slot: "时段", "Time slot";
        order: "医院预约号", "Order at HIS";
        reason: "结束原因", "Why it ended";
        did: "已执行", "Done";
    }
}
