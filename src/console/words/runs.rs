//! The list of runs and bulk operations.

use super::words;

words! {
    /// The list of runs and bulk operations.
    RunsWords {
        hint: "每个候补申请、号源释放、同步与对账都是一个流程实例。输入申请编号、患者编号、手机尾号、医院订单号、支付单号或业务键查找。",
              "Every application, hand-out, sync and reconciliation is a run. Find one by its id or key, a patient's id, the end of a phone number, an order at HIS or a payment number.";
        every_workflow: "全部流程", "Every workflow";
        every_status: "全部状态", "Every status";
        every_step: "全部步骤", "Every step";
        q: "编号", "Number";
        q_hint: "申请、患者、手机尾号、订单号", "Application, patient, phone tail, order";
        still: "多久未变化", "Has not moved for";
        any_time: "不限", "Any time";
        hour: "1 小时以上", "An hour or more";
        day: "1 天以上", "A day or more";
        week: "7 天以上", "A week or more";
        error: "错误信息包含", "Error contains";
        columns: "显示列", "Columns";
        attempts: "失败次数", "Failed attempts";
        due: "下次处理", "Next due";
        created: "开始时间", "Started";
        last_error: "最近错误", "Last error";
        none: "没有符合条件的流程实例", "No run matches";
        none_hint: "放宽筛选条件，或检查编号是否完整。", "Ask for less, or see whether the number is complete.";
        clear: "清除筛选", "Clear the filter";
        views: "共享视图", "Shared views";
        view_applications: "候补申请", "Applications";
        view_suspended: "已暂停", "Suspended";
        view_unrunnable: "待部署", "Unrunnable";
        view_backing_off: "待处理", "Pending";
        view_all: "全部流程", "Everything";
        save_view: "保存为共享视图", "Save as a shared view";
        view_name: "视图名称", "Name of the view";
        view_saved: "已保存视图", "The view is saved";
        view_removed: "已删除视图", "The view is removed";
        remove_view: "删除此视图", "Remove this view";
        saved_by: "保存人", "Saved by";
        bulk: "批量操作", "Bulk operation";
        bulk_hint: "对符合当前筛选条件的全部流程实例执行同一操作。先预览，不会立即执行。", "One verb for every run of this filter. You see what would happen before anything does.";
        bulk_needs: "批量操作须至少有一个筛选条件，且不支持“多久未变化”与编号查找。", "A bulk needs a filter, and goes neither by age nor by a found number.";
        verb: "操作", "Verb";
        cut: "该号码对应的申请超过 1000 个，只在最近的 1000 个中查找。请改用患者编号、证件号码或订单号。", "More than 1,000 applications fit this number: only the latest 1,000 are looked through. Type the patient's id, ID number or order number instead.";
        outcome: "结果（补录时填写）", "Outcome (to answer)";
        to_step: "目标步骤（转到时填写）", "Step (to jump)";
        preview: "预览", "Preview";
        ticked: "勾选的流程实例", "Ticked runs";
        tick_all: "勾选本页全部", "Tick all on this page";
        tick: "勾选", "Tick";
        or_ticked: "勾选列表中的流程实例后，只对勾选的执行；未勾选时按当前筛选条件执行。", "Where runs of the list are ticked, it is for those alone; where none is, for every run of this filter.";
        preview_title: "批量操作预览", "What the bulk would do";
        filter: "筛选条件", "Filter";
        total: "符合条件", "Runs in the filter";
        looked_at: "已预览", "Looked at";
        would_change: "将被更改", "Would change";
        would_refuse: "将被拒绝", "Would refuse";
        refusals: "拒绝原因", "Why some refuse";
        by_step: "按步骤统计", "By step";
        listed: "已列出", "Listed";
        not_all: "符合条件的实例多于逐个预览的上限：总数准确，以下只统计已逐个预览的，其余在执行时逐个判断。", "The filter holds more runs than are looked at one by one: the total is exact, what follows is of those that were; the others are judged as the bulk comes to them.";
        looked_anew: "以下是重新预览的结果，尚未执行。", "Below is what it would do now; nothing is begun.";
        exactly_these: "只对本次预览统计的实例执行：之后才符合条件的不受影响，届时已不符合条件的会跳过并计数。预览 24 小时内有效。", "It is for the runs counted here and no others: one that matches later is not touched, one that matches no longer is skipped and counted. The preview is good for a day.";
        begin: "确认执行批量操作", "Begin the bulk";
        nothing_to_do: "没有会被更改的流程实例，无需执行。", "No run would change: there is nothing to begin.";
        bulks_none: "尚无批量操作", "No bulk yet";
        bulks_none_hint: "在流程实例列表中筛选后发起批量操作。", "Filter the list of runs and begin one from there.";
        progress: "进度", "Progress";
        changed: "已更改", "Changed";
        refused: "被拒绝", "Refused";
        skipped: "已跳过（不再符合条件）", "Skipped, not in the filter any more";
        began: "开始时间", "Began";
        pause: "暂停", "Pause";
        resume: "恢复", "Resume";
        cancel: "取消", "Cancel";
    }
}
