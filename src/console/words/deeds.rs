//! What people do, as the audit has it, and what becomes of a system outside.

use super::names::Names;

pub(super) const VERBS: Names = &[
    ("retry", "立即重试", "Retry"),
    ("answer", "补录结果", "Answer for the step"),
    ("jump", "转到其他步骤", "Jump to another step"),
    ("signal", "发送信号", "Send a signal"),
    ("suspend", "暂停", "Suspend"),
    ("resume", "恢复", "Resume"),
    ("cancel", "取消", "Cancel"),
    ("bulk.begin", "开始批量操作", "Begin a bulk"),
    ("bulk.pause", "暂停批量操作", "Pause a bulk"),
    ("bulk.resume", "恢复批量操作", "Resume a bulk"),
    ("bulk.cancel", "取消批量操作", "Cancel a bulk"),
    ("job.run", "立即执行任务", "Run a job now"),
    ("job.pause", "暂停任务", "Pause a job"),
    ("job.resume", "恢复任务", "Resume a job"),
    ("letter.retry", "重发消息", "Send a message again"),
    ("notice.resend", "重发通知", "Send a notice again"),
    ("case.resolve", "处理对账差异", "Settle a difference"),
    ("callback.replay", "重新处理回调", "Do a callback again"),
    ("callback.settle", "标记回调已处理", "Callback seen to"),
    ("blacklist.put", "加入黑名单", "Put on the blacklist"),
    ("blacklist.lift", "解除黑名单", "Take off the blacklist"),
    ("blacklist.rule", "修改黑名单规则", "Change a blacklist rule"),
    ("appeal.granted", "批准申诉", "Grant an appeal"),
    ("appeal.refused", "驳回申诉", "Refuse an appeal"),
    ("patient.export", "导出患者资料", "Export a patient's data"),
    ("patient.erase", "删除患者资料", "Erase a patient's data"),
    ("patient.unmask", "查看患者完整信息", "See a patient in the clear"),
    ("run.unmask", "查看流程完整内容", "See a run in the clear"),
    ("template.put", "修改消息模板", "Change a message template"),
    ("template.withdraw", "撤回消息模板", "Withdraw a message template"),
    ("policy.put", "修改候补规则", "Change the rules"),
    ("policy.undo", "撤销规则修改", "Undo a change of rules"),
    ("policy.carryOver", "规则应用于在途申请", "Carry rules over to applications"),
    ("destination.pause", "暂停外部系统", "Pause a system outside"),
    ("destination.resume", "恢复外部系统", "Resume a system outside"),
    ("view.put", "保存视图", "Save a view"),
    ("view.remove", "删除视图", "Remove a view"),
];

/// What becomes of a system outside.
pub(super) const FATES: Names = &[
    ("paused", "暂停", "Paused"),
    ("resumed", "恢复", "Resumed"),
    ("opened", "停止调用", "Calls stopped"),
    ("probed", "试探", "Tried again"),
    ("closed", "恢复正常", "Well again"),
    ("recovered", "恢复正常", "Well again"),
];

/// What a history says of the deeds of people.
pub(super) const DONE: Names = &[
    ("retried", "人工重试", "Retried by staff"),
    ("suspended", "人工暂停", "Suspended by staff"),
    ("resumed", "人工恢复", "Resumed by staff"),
    ("jumped", "人工转到", "Sent on by staff"),
    ("cancelled", "人工取消", "Cancelled by staff"),
];
