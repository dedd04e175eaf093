//! What a run must know to stand at a step, what each signal does to one, and what goes with it.

use super::names::Names;

/// What a step may lack, and the fields in which it is said.
pub(super) const LACKS: Names = &[
    ("why", "结束原因", "Why it ends"),
    ("why: null", "撤回已记录的结束原因", "Take back why it was to end"),
    ("why.null", "撤回结束原因，申请继续进行", "Take the reason back: the application goes on"),
    ("order", "支付订单", "The payment order"),
    ("order.out_trade_no", "支付单号", "Payment number"),
    ("order.amount_fen", "订单金额（元）", "Amount of the order (yuan)"),
    ("order.expires_at", "订单付款截止时间", "The order can be paid until"),
    ("order.paid", "已收到的款项", "Money that was received"),
    ("order.paid.transaction_id", "支付平台交易号", "The provider's transaction number"),
    ("order.paid.amount_fen", "已收金额（元）", "Amount received (yuan)"),
    ("order.paid.paid_at", "付款时间", "When it was paid"),
    ("order.closed", "支付订单已关闭", "The payment order is closed"),
    ("offer", "号源时段", "The place"),
    ("offer.slot.begins", "时段开始", "Begins"),
    ("offer.slot.ends", "时段结束", "Ends"),
    ("offer.locked", "医院已为该患者锁号", "HIS has locked it for this patient"),
    ("offer.deadline", "付款截止时间", "The patient can pay until"),
    ("visit", "已挂上的号", "The booked visit"),
    ("visit.his.his_order_id", "医院预约号", "Order at HIS"),
    ("visit.his.serial", "就诊序号", "Serial number"),
    ("visit.his.place", "就诊地点", "Where"),
    ("visit.at", "预约成功时间", "When it was booked"),
    ("visit.over_at", "就诊结束时间", "When the visit is over"),
];

/// What a signal tells a run.
pub(super) const TELLS: Names = &[
    (
        "Payment",
        "告知款项已到账，等待付款的步骤据此继续。",
        "Tells that money has arrived: a step that waits for it goes on.",
    ),
    (
        "LateMoney",
        "告知已关闭的订单又收到款项，款项随即退回。",
        "Tells that money came for a closed order: it is given back.",
    ),
    (
        "Withdrawal",
        "患者退出候补：退款、解锁后结束申请。",
        "The patient leaves: money and lock are given back, and it ends.",
    ),
    (
        "Stoppage",
        "排班停诊：受影响的申请退款后结束。",
        "The schedule does not take place: whoever is concerned is refunded.",
    ),
    ("Offer", "把一个空出的号源交给这个申请。", "Offers this application a place that came free."),
    (
        "Terms",
        "候补规则已变，按新规则重新计算截止时间等。",
        "The rules have changed: the application goes by the new ones.",
    ),
    (
        "Change",
        "排班已变（替诊或改期），询问患者是否保留。",
        "The schedule has changed: the patient is asked whether to keep it.",
    ),
    ("Consent", "患者答复是否保留已变更的号或申请。", "The patient's answer whether a change is accepted."),
    (
        "Confirm",
        "患者接受已锁定的号源，接着付款或挂号。",
        "The patient accepts the locked place: payment or booking is next.",
    ),
    (
        "Decline",
        "患者放弃已锁定的号源，号源转给下一位。",
        "The patient declines the locked place: the next in line gets it.",
    ),
    ("Cancellation", "已挂上的号被取消，按规则退款。", "The booked visit is cancelled and refunded by the rules."),
    (
        "RefundNotice",
        "支付平台的退款有进展，立即向其核实。",
        "A refund has moved: the provider is asked for the truth.",
    ),
    ("Freed", "提示该排班可能有空号，立即向医院查询。", "A place may have come free: HIS is asked at once."),
    (
        "Answer",
        "候补者对所分配号源的处理结果，据此继续分配。",
        "What became of an offered place: the hand-out goes on by it.",
    ),
    ("PullNow", "不等到预定时间，立即同步。", "Syncs now, before the time that was set."),
    ("AskNow", "不等到预定时间，立即查询。", "Asks now, before the time that was set."),
];

/// What goes with a signal, by where it stands there, and what can be chosen.
pub(super) const TOLD: Names = &[
    ("out_trade_no", "支付单号", "Payment number"),
    ("paid.transaction_id", "支付平台交易号", "The provider's transaction number"),
    ("paid.amount_fen", "已收金额（元）", "Amount received (yuan)"),
    ("paid.paid_at", "付款时间", "When it was paid"),
    (
        "until",
        "所指号源的付款或确认截止时间（不填为当前号源）",
        "End of the offer that is meant (empty: the present one)",
    ),
    ("booked_by", "同日另一申请的流程实例编号", "The run of another application that came to a visit"),
    ("answer_by", "患者答复截止时间", "The patient answers by"),
    ("times.begins", "时段开始", "Begins"),
    ("times.ends", "时段结束", "Ends"),
    (
        "schedule_id",
        "所指排班编号（停诊不填为该申请的全部排班）",
        "The schedule that is meant (a stoppage without one: all of the application)",
    ),
    ("waits_at.schedule_id", "候补转至的排班编号", "The schedule where whoever waits goes on waiting"),
    ("waits_at.part", "该排班的时段", "Its part of the day"),
    ("id", "号源分配编号", "Number of the offer"),
    ("slot.begins", "时段开始", "Begins"),
    ("slot.ends", "时段结束", "Ends"),
    ("slot.ofHalfDay", "医院不分时段，为整个半天", "HIS keeps no times: it is the whole half-day"),
    ("fee_fen", "现行挂号费（元）", "The fee by now (yuan)"),
    ("freed_at", "号源释放时间", "When the place came free"),
    ("half.schedule_id", "号源所属排班编号", "The schedule that the place is of"),
    ("half.part", "该排班的时段", "Its part of the day"),
    ("sitting.doctorId", "现在的医生编号", "The doctor by now"),
    ("sitting.visitDate", "现在的就诊日期", "The day by now"),
    ("sitting.part", "现在的时段", "The part of the day by now"),
    ("closes", "候补截止时间", "The queue closes"),
    ("ends", "最后就诊结束时间", "The last visit is over"),
    ("question", "所答问题的编号", "Number of the question"),
    ("keep", "患者是否保留", "The patient keeps it"),
    (
        "orderId",
        "所指预约的我方单号（不填为已挂上的号）",
        "Our order of the visit that is meant (empty: the booked one)",
    ),
    ("out_refund_no", "退款单号", "Refund number"),
    ("reply", "处理结果", "What became of it"),
    ("took", "已锁号或已挂号", "Locked or booked"),
    ("conflict", "号源已被他人占用", "Somebody else had it already"),
    ("passed", "候补者未接受", "The applicant did not take it"),
    ("this_time_only", "仅放弃该时段，保留排队位置", "Passes on this time alone and keeps the turn"),
    ("retire", "不再同步该科室，由定时任务重新开始", "Give this sync up: the job begins the next one"),
];
