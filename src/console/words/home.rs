//! What the first page says.

use super::words;

words! {
    /// The first page.
    HomeWords {
        needs: "需要人工处理", "What needs a person";
        needs_hint: "按紧急程度排列，处理后自动消失。", "The worst first; what is settled disappears by itself.";
        well: "目前没有需要人工处理的事项", "Nothing needs a person";
        well_hint: "新的事项会自动出现在这里。", "What comes up appears here by itself.";
        today: "今日", "Today";
        applied: "新增候补申请", "Applications";
        booked: "挂号成功", "Visits booked";
        cancelled: "预约取消", "Visits cancelled";
        paid: "收款（元）", "Paid (yuan)";
        refunded: "退款（元）", "Refunded (yuan)";
        waiting: "正在排队", "Waiting now";
        answering: "待确认或支付", "Being offered a place";
        refunding: "退款处理中", "Refunds under way";
        refunds_title: "异常退款", "Refunds that need a person";
        orders: "笔订单", "order|orders";
        person: "患者", "Patient";
        visit: "就诊", "Visit";
        amount: "金额（元）", "Amount (yuan)";
        lines_none: "没有记录", "Nothing here";
        lines_none_hint: "今日有新的记录时会列在这里。", "What comes up today is listed here.";
        stuck: "停住的流程实例", "Runs that stand still";
        stuck_none: "没有停住的流程实例", "No run stands still";
        stuck_none_hint: "因故障暂停的流程实例会列在这里。", "Runs that a fault suspended are listed here.";
        see_all: "查看全部", "See all";
        go_retry: "查看并重试", "See why, retry";
        go_runs: "查看流程实例", "See the runs";
        go_letters: "重发消息", "Send them again";
        go_bulks: "查看批量操作", "See the bulks";
        go_jobs: "查看任务", "See the job";
        go_resume: "恢复", "Resume";
        go_signals: "核对", "Check";
        go_system: "查看系统状态", "See how it stands";
        go_cases: "处理差异", "Settle them";
        go_appeals: "处理申诉", "Decide";
        cases: "条对账差异待处理", "difference between the books to be settled|differences between the books to be settled";
        cases_hint: "核对医院与支付平台的记录，写明处理结果。", "Compare with HIS and the payment provider, and say what was done.";
        refunds: "笔退款异常", "refund that the payment provider cannot carry out|refunds that the payment provider cannot carry out";
        refunds_hint: "原支付账户无法收款，请联系患者后补录结果。", "The payer's account cannot take them: agree with the patient, then supply the outcome.";
        unmatched: "条外部回调需人工处理", "callback for a person|callbacks for a person";
        unmatched_hint: "核对其订单号，重新处理，或核实后标记已处理。", "Check their order numbers; do them again, or say that they are seen to.";
        appeals: "条黑名单申诉待处理", "appeal against the blacklist to be decided|appeals against the blacklist to be decided";
        appeals_hint: "在期限内批准或驳回。", "Grant or refuse them in time.";
    }
}
