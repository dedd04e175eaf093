//! What people do, as the audit has it, and what becomes of a system outside.

use super::names::Names;

pub(super) const VERBS: Names = &[
    ("retry", "立即重试"),
    ("answer", "补录结果"),
    ("jump", "转到其他步骤"),
    ("signal", "发送信号"),
    ("suspend", "暂停"),
    ("resume", "恢复"),
    ("cancel", "取消"),
    ("bulk.begin", "开始批量操作"),
    ("bulk.pause", "暂停批量操作"),
    ("bulk.resume", "恢复批量操作"),
    ("bulk.cancel", "取消批量操作"),
    ("job.run", "立即执行任务"),
    ("job.pause", "暂停任务"),
    ("job.resume", "恢复任务"),
    ("letter.retry", "重发消息"),
    ("notice.resend", "重发通知"),
    ("case.resolve", "处理对账差异"),
    ("callback.replay", "重新处理回调"),
    ("callback.settle", "标记回调已处理"),
    ("blacklist.put", "加入黑名单"),
    ("blacklist.lift", "解除黑名单"),
    ("blacklist.rule", "修改黑名单规则"),
    ("appeal.granted", "批准申诉"),
    ("appeal.refused", "驳回申诉"),
    ("patient.export", "导出患者资料"),
    ("patient.erase", "删除患者资料"),
    ("patient.unmask", "查看患者完整信息"),
    ("run.unmask", "查看流程完整内容"),
    ("template.put", "修改消息模板"),
    ("template.withdraw", "撤回消息模板"),
    ("policy.put", "修改候补规则"),
    ("policy.undo", "撤销规则修改"),
    ("policy.carryOver", "规则应用于在途申请"),
    ("destination.pause", "暂停外部系统"),
    ("destination.resume", "恢复外部系统"),
    ("view.put", "保存视图"),
    ("view.remove", "删除视图"),
];

/// What becomes of a system outside.
pub(super) const FATES: Names = &[
    ("paused", "暂停"),
    ("resumed", "恢复"),
    ("opened", "停止调用"),
    ("probed", "试探"),
    ("closed", "恢复正常"),
    ("recovered", "恢复正常"),
];
