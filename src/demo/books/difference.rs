//! Everything in which books can differ, each with a sentence for whoever must look.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// One difference. The serialised form is `{"kind": …}` and the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// The payer's books hold money for an application that is over without a visit.
    #[error(
        "{held_fen} 分 of the order {out_trade_no} are held although the application {entry} is over without a visit"
    )]
    MoneyWithoutVisit {
        /// The application.
        entry: Uuid,
        /// The order.
        out_trade_no: String,
        /// 分.
        held_fen: i64,
    },
    /// More went back than was paid.
    #[error("{refunded_fen} 分 of the order {out_trade_no} went back, but only {paid_fen} 分 were paid")]
    RefundedTwice {
        /// The order.
        out_trade_no: String,
        /// 分.
        paid_fen: i64,
        /// 分.
        refunded_fen: i64,
    },
    /// A visit that has to be paid, and the payer's books hold another amount for it.
    #[error("the visit of {entry} costs {fee_fen} 分, the payer's books hold {held_fen} 分 for it")]
    VisitWithoutPayment {
        /// The application.
        entry: Uuid,
        /// 分.
        fee_fen: i64,
        /// 分.
        held_fen: i64,
    },
    /// The application is over, and somebody could still pay.
    #[error("the order {out_trade_no} can still be paid although its application is over")]
    OrderLeftOpen {
        /// The order.
        out_trade_no: String,
    },
    /// The payer has an order that we never opened.
    #[error("the payer's books have the order {out_trade_no}, which is not of ours")]
    UnknownOrder {
        /// The order.
        out_trade_no: String,
    },
    /// Our payment row says something else than the payer's books.
    #[error("our books say that {out_trade_no} is {ours}, the payer's say {theirs}")]
    PaymentDiffers {
        /// The order.
        out_trade_no: String,
        /// In our books.
        ours: String,
        /// In the payer's.
        theirs: String,
    },
    /// A visit in our books, but no live order at HIS.
    #[error("the visit {order_id} of {entry} is booked in our books and not at HIS")]
    VisitNotAtHis {
        /// The application.
        entry: Uuid,
        /// `ORDER_ID`.
        order_id: String,
    },
    /// A live order of our channel at HIS, but no visit in our books.
    #[error("HIS has the live order {order_id}, which is no visit in our books")]
    OrderWithoutVisit {
        /// `ORDER_ID`.
        order_id: String,
    },
    /// HIS was told of another payment than the payer's books have.
    #[error("the order {order_id} at HIS came with the payment {told}, the payer's books say {paid}")]
    PaymentToldWrong {
        /// `ORDER_ID`.
        order_id: String,
        /// As HIS was told.
        told: String,
        /// As the payer's books have it.
        paid: String,
    },
    /// Two visits of one patient in one schedule, or two live orders of one application.
    #[error("{first} and {second} are two bookings for one: {what}")]
    DoubleBooking {
        /// `ORDER_ID`.
        first: String,
        /// `ORDER_ID`.
        second: String,
        /// Of whom, in which schedule.
        what: String,
    },
    /// A lock that nobody gave back.
    #[error("the lock {lock_id} outlived its application {entry}")]
    LeakedLock {
        /// The application.
        entry: Uuid,
        /// `LOCK_ID`.
        lock_id: String,
    },
    /// More bookings and locks than places.
    #[error("{taken} places are taken at {slot} of {reg_id}, which has {places}")]
    SlotOverbooked {
        /// `REG_ID`.
        reg_id: String,
        /// Its beginning.
        slot: String,
        /// Places.
        places: u32,
        /// Bookings and locks.
        taken: u32,
    },
    /// More live applications than the cap allows.
    #[error("{entry} was admitted at {at} although {live} of {cap} places of {level} {id} were taken")]
    OverfullCap {
        /// The application.
        entry: Uuid,
        /// When.
        at: DateTime<Utc>,
        /// doctor, department, campus.
        level: String,
        /// Of which.
        id: String,
        /// The cap.
        cap: i64,
        /// Live then.
        live: i64,
    },
    /// The counter that admission compares with the cap is wrong.
    #[error("{level} {id} counts {counted} live applications, there are {live}")]
    CounterDiffers {
        /// doctor, department, campus.
        level: String,
        /// Of which.
        id: String,
        /// The counter.
        counted: i64,
        /// The applications.
        live: i64,
    },
    /// Somebody behind was offered a place first.
    #[error("{served} was offered a place of {schedule_id} at {at}, but {passed} had been waiting before it")]
    OutOfOrder {
        /// The schedule.
        schedule_id: String,
        /// Who got the offer.
        served: Uuid,
        /// Who was first.
        passed: Uuid,
        /// When.
        at: DateTime<Utc>,
    },
    /// A patient was told of something that had not happened.
    #[error("the message {client_msg_id} of {at} says what had not happened: {what}")]
    UntrueMessage {
        /// The message.
        client_msg_id: String,
        /// When it was accepted.
        at: DateTime<Utc>,
        /// What is wrong.
        what: &'static str,
    },
    /// A callback with a wrong signature was answered as if it were believed.
    #[error("the forged callback {id} was answered with success")]
    ForgeryBelieved {
        /// The notice's or event's id.
        id: String,
    },
    /// A run or a letter that waits for a person.
    #[error("{what} {id} is suspended: {why}")]
    Suspended {
        /// Workflow and step, or letter.
        what: String,
        /// The run or the letter.
        id: String,
        /// The last error.
        why: String,
    },
}
