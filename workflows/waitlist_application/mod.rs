//! One application for the waitlist, from the place in the queue to the visit or the settled account (R1–R37).
//!
//! Admission is not a step: it is decided in the transaction that starts the run (`desk::apply`), so that caps are
//! exact. From there on every move is a row of this table.

mod account;
mod asking;
mod booking;
mod clearing;
mod closure;
mod confirmation;
mod effects;
mod giving_up;
mod lacks;
mod lock_check;
mod locking;
mod order;
mod part_refund;
mod paying;
mod prepayment;
mod projection;
mod refund;
mod settlement;
mod signals;
mod state;
mod unlocking;
mod visit;
mod waiting;

use crate::flow;
pub use account::is_refund_no;
pub use signals::{
    Answer, Cancellation, Change, Confirm, Consent, Decline, LateMoney, Offer, Payment, RefundNotice, Reply, Stoppage,
    Terms, Withdrawal,
};
pub use state::{Application, Order, Why};

use super::Ports;
pub use asking::{About, Question};

use asking::{asking, asking_meanwhile};
use booking::booking;
use clearing::clearing;
use closure::closure;
use confirmation::{confirmation, confirmed_until};
use lacks::lacks;
pub use lock_check::Checking;
use lock_check::lock_check;
use locking::locking;
use part_refund::{late_refund, part_is_asked, part_refund, part_refund_wait};
use paying::{offer_order, order_closing, paying, paying_until, payment_check};
use prepayment::{prepay_check, prepay_order, prepayment};
use refund::{refund_check, refund_is_asked, refund_wait, refunding};
use settlement::{reckoning, settlement};
use state::payment_is_asked;
use unlocking::unlocking;
use visit::{cancelling, visit, visit_ends};
use waiting::{waiting, waits_until};

flow! {
    /// One patient's application for one full schedule: queue, offer, payment, booking, or an orderly end with every
    /// fen refunded and every lock given back.
    WaitlistApplication = "waitlist_application";
    state Application;
    ports Ports;
    obligations Money, Lock, Visit;
    emits effects::effects;
    projects projection::project;
    starts PrepayOrder, Waiting;
    ends Fulfilled, Expired, Withdrawn, Stopped, Refused, Lapsed, Declined, Unpaid, VisitCancelled;
    quiet Fulfilled;
    sample Application::sample;
    cancels Clearing;
    lacks lacks;

    /// Opens the order for the prepayment (R6); the next one where the provider did not open it in time, until the cutoff.
    PrepayOrder = prepay_order at payments priority Urgent
        {
            Opened + Money -> Prepayment, Paid + Money -> Waiting, Again + Money -> PrepayOrder,
            Refused + Money -> Settlement,
        }
    /// The place in the queue is held until the money is there (R6).
    Prepayment = prepayment on Payment, Withdrawal, Stoppage until payment_is_asked
        { Paid -> Waiting, Due -> PrepayCheck, Withdrawn -> Settlement, Stopped -> Settlement }
    /// Asks the payment provider: a notice can be lost.
    PrepayCheck = prepay_check at payments
        { Paid -> Waiting, Open -> Prepayment, Unpaid -> Settlement }

    /// In the queue, until 18:00 on the day before the visit (R16, R24, R25). Whoever is asked whether the application is kept is
    /// offered nothing meanwhile (R34, R35).
    Waiting = waiting on Offer, Withdrawal, Stoppage, Terms, Change, Consent, LateMoney until waits_until
        {
            Asked -> Waiting, Kept -> Waiting, Left -> Settlement,
            Payable -> Locking, Covered -> Booking, GivenUp -> Waiting, Renewed -> Waiting,
            Expired - Money -> Expired, Prepaid -> Refunding,
            CutOff -> Settlement, Withdrawn -> Settlement, Stopped -> Settlement, Elsewhere -> Waiting, Late + Money -> LateRefund,
        }
    /// Money came for an order that was closed, to somebody who waits on: it goes back at once, and the place in the queue stays (E2).
    LateRefund = late_refund at payments
        { Processing -> Waiting, Refunded -> Waiting }

    /// Locks the offered place at HIS (R10, R20). A place that is gone or cannot be had keeps the patient's turn; so does one
    /// that comes while the patient is being offered another one elsewhere (R35).
    Locking = locking at his priority Urgent
        { Locked + Lock -> Confirmation, Taken -> Waiting, Withheld -> Waiting, Unusable -> Unlocking }
    /// The patient accepts while the lock lasts (R9). An answer to an offer that is over is none (E5).
    Confirmation = confirmation priority Urgent on Confirm, Decline, Withdrawal, Stoppage, Change, Consent until confirmed_until
        {
            Confirmed -> OfferOrder, Declined -> Unlocking, Lapsed -> Unlocking, Withdrawn -> Unlocking,
            Stopped -> Unlocking, Revoked -> Unlocking, Stale -> Confirmation, Asked -> Confirmation, Kept -> Confirmation,
            Left -> Unlocking, Due -> LockCheck, Checked -> LockCheck,
        }
    /// Renews the lock ahead of its end, or asks whether it still holds before money is asked for, where HIS can be asked (R10).
    LockCheck = lock_check at his priority Urgent
        {
            Renewed -> Confirmation, Holds -> OfferOrder, Open -> Paying, Lost -> Unlocking, Gone -> OrderClosing,
        }
    /// Opens the order for the accepted place. Where the provider does not open it, the patient has missed nothing.
    OfferOrder = offer_order at payments priority Urgent
        { Opened + Money -> Paying, Paid + Money -> Booking, Refused + Money -> OrderClosing }
    /// The patient pays until the deadline (R20).
    Paying = paying priority Urgent on Payment, Decline, Withdrawal, Stoppage, Change, Consent until paying_until
        {
            Paid -> Booking, Due -> PaymentCheck, Declined -> OrderClosing, Withdrawn -> OrderClosing,
            Stopped -> OrderClosing, Revoked -> OrderClosing, Asked -> Paying, Kept -> Paying, Left -> OrderClosing,
            Renews -> LockCheck,
        }
    /// Asks the payment provider: a notice can be lost.
    PaymentCheck = payment_check at payments priority Urgent
        { Paid -> Booking, Open -> Paying, Over -> OrderClosing }
    /// Closes the order and asks once more; only then may the lock go (E2, E4).
    OrderClosing = order_closing at payments priority Urgent
        { Paid -> Booking, Closed -> Unlocking }

    /// Books at HIS under an id that it may have seen before (R19, E1).
    Booking = booking at his priority Urgent
        {
            Booked + Visit - Lock - Money -> Visit, Overpaid + Visit + Money - Lock -> PartRefund, Taken -> Unlocking, Withheld -> Unlocking, Refused -> Unlocking,
        }
    /// Gives the lock back: to the queue where the place was lost, only this time is not wanted (Q6) or does not take place (R34),
    /// or nobody was told of it (R9); else to the settlement.
    Unlocking = unlocking at his priority Urgent
        { Requeued - Lock -> Waiting, Released - Lock -> Settlement }

    /// Booked; nothing to do unless somebody cancels (R21, R22, R34), or money comes late for an order of which the visit has
    /// no need (E2).
    Visit = visit on Cancellation, Withdrawal, Stoppage, Change, Consent, LateMoney until visit_ends
        {
            Over - Visit -> Fulfilled, Unsettled + Money - Visit -> Settlement, Cancelled + Money -> Cancelling,
            Withdrawn + Money -> Cancelling, Stopped + Money -> Cancelling, Kept -> Visit,
            Changed -> Asking, Left + Money -> Cancelling, Late + Money -> PartRefund,
        }
    /// Asks HIS when the visit is by now: another doctor sees the patient, or on another day or half-day (R34).
    Asking = asking at his
        { Asked -> Visit }
    /// Asks for what was paid above the fee of the booked visit, and where it stands (R6, E2).
    PartRefund = part_refund at payments
        { Processing -> PartRefundWait, Refunded - Money -> Visit, Left - Money -> Visit }
    /// Booked, with a part of the money on its way back, which may take days: a question about the visit is answered meanwhile.
    PartRefundWait = part_refund_wait on RefundNotice, Cancellation, Withdrawal, Stoppage, Change, Consent until part_is_asked
        {
            Due -> PartRefund, Cancelled -> Cancelling, Stopped -> Cancelling, Kept -> PartRefundWait,
            Changed -> AskingMeanwhile,
        }
    /// Asks HIS when the visit is by now, with a part of the money on its way back (R34).
    AskingMeanwhile = asking_meanwhile at his
        { Asked -> PartRefundWait }
    /// Cancels the booking at HIS; what HIS has cancelled itself stays cancelled. What HIS does not cancel any more for the patient
    /// stays a visit, and the patient is told (R22).
    Cancelling = cancelling at his
        { Cancelled - Visit -> Settlement, Refused - Money -> Visit, RefusedInPart -> PartRefund }

    /// Where staff send what they cancel: whatever HIS holds goes back, then the account is settled.
    Clearing = clearing at his
        { Cleared - Lock - Visit -> Settlement }

    /// Whoever never ordered anything is done, and nobody is asked (R26).
    Settlement = settlement priority Bulk
        { Clear - Money -> Closure, Ordered -> Reckoning }
    /// Finds out what the payment provider holds for us, having closed what was open (E2, R8, R27).
    Reckoning = reckoning at payments priority Bulk
        { Clear - Money -> Closure, Held -> Refunding }
    /// Asks for the refund under one number until it is accepted (R8).
    Refunding = refunding at payments priority Bulk
        { Accepted -> RefundWait, Refunded - Money -> Closure, Another -> Refunding }
    /// Accepted is not done: the money is on its way.
    RefundWait = refund_wait priority Bulk on RefundNotice until refund_is_asked
        { Noticed -> RefundCheck, Due -> RefundCheck }
    /// Asks where the refund stands.
    RefundCheck = refund_check at payments priority Bulk
        { Refunded - Money -> Closure, Processing -> RefundWait, Another -> Refunding }
    /// Nothing is owed: the ending says why.
    Closure = closure
        {
            Expired -> Expired, Withdrawn -> Withdrawn, Stopped -> Stopped, Refused -> Refused, Lapsed -> Lapsed,
            Declined -> Declined, Unpaid -> Unpaid, VisitCancelled -> VisitCancelled, Fulfilled -> Fulfilled,
        }
}
