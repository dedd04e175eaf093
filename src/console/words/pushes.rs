//! What the outside pushes, by the names that it has for it, in words.

use super::names::Names;

pub(super) const PUSHES: Names = &[
    ("5001", "停诊", "A sitting is stopped"),
    ("5002", "医院取消预约", "HIS cancelled a booking"),
    ("5003", "医院退款", "Money given back at the counter"),
    ("5004", "窗口打印挂号单", "A slip printed at the counter"),
    ("5005", "窗口缴费", "Paid at the counter"),
    ("5006", "查询退款", "HIS asks about a refund"),
    ("5007", "号源释放", "A booking was cancelled: a place is free"),
    ("5008", "排班变更", "A schedule is another one"),
    ("TRANSACTION.SUCCESS", "支付成功", "Paid"),
    ("REFUND", "退款结果", "What became of a refund"),
    ("REFUND.SUCCESS", "退款成功", "Refunded"),
    ("REFUND.ABNORMAL", "退款异常", "The refund is abnormal"),
    ("REFUND.CLOSED", "退款关闭", "The refund was given up"),
    ("NOT-OURS", "非本系统订单", "About money that is not ours"),
    ("TEMPLATESENDJOBFINISH", "模板消息送达结果", "What became of a template message"),
    ("subscribe_msg_sent_event", "订阅通知送达结果", "What became of a subscription message"),
    ("delivered", "消息已送达", "A message arrived"),
    ("failed", "消息未送达", "A message did not arrive"),
    ("other", "消息状态", "Something else about a message"),
    ("unbelieved", "未通过校验", "Not believed"),
    ("unreadable", "无法读取", "Cannot be read"),
];
