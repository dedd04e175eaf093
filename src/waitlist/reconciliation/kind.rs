//! Every difference that a reconciliation can find, by name, with what staff are proposed to do about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::waitlist::language::Language;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The provider holds money for an application that is over without a visit: a refund is missing.
    PaidNotBooked,
    /// The provider holds money for an application that waits for a person before it is settled: no visit, and no refund.
    PaidAndStuck,
    /// A visit that has to be paid, and the provider holds less than it costs.
    BookedNotPaid,
    /// A visit for which the provider holds more than it costs.
    PaidTwice,
    /// More went back, or is on its way, than was paid.
    RefundedTwice,
    /// An order that can still be paid although its application is over.
    OrderLeftOpen,
    /// Money under a number of our form that we never gave out.
    UnknownOrder,
    /// Our payment says something else than the provider.
    PaymentDiffers,
    /// A visit in our books and no live order at HIS.
    VisitNotAtHis,
    /// A live order of ours at HIS and no visit in our books.
    OrderWithoutVisit,
    /// HIS was told of another payment than the provider has.
    PaymentToldWrong,
    /// HIS was not told that the money of a cancelled order goes back, or of another amount.
    RefundToldWrong,
    /// Two live orders at HIS for one application, or two visits of one patient in one schedule.
    DoubleBooking,
    /// A lock at HIS that outlived what it was for.
    LeakedLock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PaidNotBooked,
        Self::PaidAndStuck,
        Self::BookedNotPaid,
        Self::PaidTwice,
        Self::RefundedTwice,
        Self::OrderLeftOpen,
        Self::UnknownOrder,
        Self::PaymentDiffers,
        Self::VisitNotAtHis,
        Self::OrderWithoutVisit,
        Self::PaymentToldWrong,
        Self::RefundToldWrong,
        Self::DoubleBooking,
        Self::LeakedLock,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaidNotBooked => "paidNotBooked",
            Self::PaidAndStuck => "paidAndStuck",
            Self::BookedNotPaid => "bookedNotPaid",
            Self::PaidTwice => "paidTwice",
            Self::RefundedTwice => "refundedTwice",
            Self::OrderLeftOpen => "orderLeftOpen",
            Self::UnknownOrder => "unknownOrder",
            Self::PaymentDiffers => "paymentDiffers",
            Self::VisitNotAtHis => "visitNotAtHis",
            Self::OrderWithoutVisit => "orderWithoutVisit",
            Self::PaymentToldWrong => "paymentToldWrong",
            Self::RefundToldWrong => "refundToldWrong",
            Self::DoubleBooking => "doubleBooking",
            Self::LeakedLock => "leakedLock",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Those that only a list of the day can tell of: there is no question about one of them alone.
    pub const LISTED: [Self; 3] = [Self::PaymentToldWrong, Self::RefundToldWrong, Self::LeakedLock];

    /// What staff are proposed to do. A proposal: nothing is done by itself.
    pub fn action(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::PaidNotBooked => (
                "查看该申请的流程：若已挂起，处理后重试；否则在商户平台按原单全额退款。",
                "Look at the application's run: where it is suspended, mend and retry; else refund the order in full at the \
                 merchant platform.",
            ),
            Self::PaidAndStuck => (
                "患者已付款而流程挂起：查看原因，处理后重试使其继续；无法继续的由工作人员取消，款项随之退回。",
                "The patient has paid and the run stands still: look at its error, mend and retry; where it cannot go on, cancel \
                 it, and the money goes back.",
            ),
            Self::BookedNotPaid => (
                "联系患者补缴差额，或取消该就诊并退还已付款项。",
                "Ask the patient for what is missing, or cancel the visit and refund what was paid.",
            ),
            Self::PaidTwice => (
                "确认就诊所依据的订单，其余订单在商户平台退款。",
                "Find the order that the visit stands on; refund the others at the merchant platform.",
            ),
            Self::RefundedTwice => (
                "与患者联系追回多退款项，并登记。",
                "Reclaim from the patient what went back too much, and write it down.",
            ),
            Self::OrderLeftOpen => {
                ("在商户平台关闭该订单。", "Close the order at the merchant platform, before somebody pays it.")
            }
            Self::UnknownOrder => (
                "查明该订单来源；确认非本系统后在商户平台退款。",
                "Find out who opened the order; refund it at the merchant platform if nobody did.",
            ),
            Self::PaymentDiffers => (
                "以支付平台为准核对该订单，并向流程补发支付或退款通知。",
                "Go by the provider: signal its payment or refund to the application's run.",
            ),
            Self::VisitNotAtHis => (
                "在HIS核实：若已取消，取消本系统就诊并退款；若为丢失，请在HIS补登记。",
                "Ask HIS: where it cancelled, cancel the visit here and refund; where it lost the order, register it again.",
            ),
            Self::OrderWithoutVisit => (
                "患者未持有该就诊：在HIS取消该订单，释放号源。",
                "Nobody here holds this visit: cancel the order at HIS, so that the place comes free.",
            ),
            Self::PaymentToldWrong => ("在HIS更正该订单的支付信息。", "Correct the payment of the order at HIS."),
            Self::RefundToldWrong => ("在HIS登记该订单的退款。", "Register the refund of the order at HIS."),
            Self::DoubleBooking => {
                ("与患者确认后在HIS取消其中一个订单。", "Ask the patient which visit stays; cancel the other at HIS.")
            }
            Self::LeakedLock => ("在HIS解除该锁号。", "Unlock the place at HIS."),
        };
        match language {
            Language::ZhCn => zh,
            Language::En => en,
        }
    }
}
