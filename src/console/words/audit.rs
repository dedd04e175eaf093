//! What the audit says.

use super::words;

words! {
    /// What staff did.
    AuditWords {
        hint: "谁在何时对什么做了什么，以及为何。记录不可修改。", "Who did what to what, when and why. Nothing here can be changed.";
        every_verb: "全部操作", "Everything";
        none: "没有符合条件的记录", "Nothing matches";
        none_hint: "放宽筛选条件。", "Ask for less.";
        patient: "患者编号", "Patient id";
        from: "开始日期", "From";
        to: "结束日期", "To";
        about: "对象", "To what";
        change: "变化", "What changed";
        before: "之前", "Before";
        after: "之后", "After";
    }
}
