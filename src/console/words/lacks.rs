//! What a run must know to stand at a step, and what each signal does to one.

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
