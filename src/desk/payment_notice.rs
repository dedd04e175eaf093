//! The payment provider's notices (R6, R8, E2): money has arrived or gone back. Stored in the run's inbox before it is
//! answered. A notice about an order that is not ours, or with another amount, changes no run.

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::To;
use crate::engine::flow::Flow as _;
use crate::engine::store::{self, Outgoing, Signalled};
use crate::ports::payments::{Notice, Paid, RefundMoney};
use crate::records::callbacks::{self, Brings, Callback, Fate};
use crate::records::visits;
use crate::waitlist::ids;
use crate::workflows::waitlist_application::{
    LateMoney, Obligation, Payment, RefundNotice, Step, WaitlistApplication, is_refund_no,
};

/// Where the provider may have been asked before the money came, and is not asked again.
const MISS_MONEY: [&str; 5] = [
    Step::Reckoning.name(),
    Step::Refunding.name(),
    Step::RefundWait.name(),
    Step::RefundCheck.name(),
    Step::Closure.name(),
];

/// A notice, as it is written down.
struct Told<'a> {
    id: &'a str,
    kind: &'static str,
    /// Our `out_trade_no`, or whatever else it is about.
    order: &'a str,
    body: &'a Value,
    brings: Brings,
}

impl Desk {
    /// Takes a verified notice. [`DeskError::NotOurs`], [`DeskError::WrongAmount`] and [`DeskError::UnknownRefund`] leave every run as
    /// it is.
    pub async fn payment_notice(&self, notice: &Notice) -> Answer<Fate> {
        self.notice_tells(notice, Brings::Outside).await
    }

    pub(super) async fn notice_tells(&self, notice: &Notice, brings: Brings) -> Answer<Fate> {
        // All of it, so that it can be done again.
        let body = &serde_json::to_value(notice).map_err(|error| DeskError::Broken(error.to_string()))?;
        match notice {
            Notice::Paid { notice_id: id, out_trade_no, paid } => {
                let told = Told { id, kind: "TRANSACTION.SUCCESS", order: out_trade_no, body, brings };
                self.paid(&told, paid).await
            }
            Notice::Refund { notice_id: id, out_refund_no, money, .. } => {
                let told = Told { id, kind: "REFUND", order: &money.out_trade_no, body, brings };
                self.refunded(&told, out_refund_no, money).await
            }
        }
    }

    /// Writes down for staff that the provider signed a notice which is not for us: another merchant, application or currency
    /// (`what`). It changes no run.
    pub async fn foreign_notice(&self, notice_id: &str, what: &str) -> Answer<()> {
        tracing::error!(
            notice_id,
            what,
            "a signed payment notice is not for us; are mch_id and app_id, or merchant_id, right?"
        );
        let mut tx = self.begin().await?;
        let body = &json!({ "what": what });
        let told = Told { id: notice_id, kind: "NOT-OURS", order: what, body, brings: Brings::Outside };
        self.note(&mut tx, &told, Fate::Refused).await?;
        Ok(tx.commit().await?)
    }

    async fn paid(&self, told: &Told<'_>, paid: &Paid) -> Answer<Fate> {
        let mut tx = self.begin().await?;
        let out_trade_no = told.order;
        let Some((entry, amount_fen)) = self.order_of(&mut tx, out_trade_no).await? else {
            return self.not_ours(tx, told).await;
        };
        if amount_fen != paid.amount_fen {
            tracing::error!(
                out_trade_no,
                ordered_fen = amount_fen,
                paid_fen = paid.amount_fen,
                "a payment notice has another amount than its order; nothing was changed"
            );
            self.note(&mut tx, told, Fate::Refused).await?;
            tx.commit().await?;
            return Err(DeskError::WrongAmount);
        }
        let payment = Payment { out_trade_no: out_trade_no.to_owned(), paid: paid.clone() };
        let signal = Outgoing {
            to: To::Run(entry),
            name: Payment::SIGNAL.into(),
            id: format!("paid:{}", paid.transaction_id),
            payload: payload(&payment)?,
        };
        let fate = self.tell(&mut tx, &signal, told).await?;
        // The run is locked by now: whoever was closing the order has said so, or finds this money when it says so.
        if visits::is_closed(&mut *tx, self.hospital(), out_trade_no).await? {
            self.comes_late(&mut tx, entry, payment).await?;
        }
        self.settle_late(&mut tx, entry, out_trade_no).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(fate)
    }

    /// Money for an order that was closed: nobody has need of it any more, and it goes back at once (E2). Whoever is being offered a
    /// place, or is paying, hears of it after that. The run is locked by the signal before.
    async fn comes_late(&self, conn: &mut PgConnection, entry: Uuid, payment: Payment) -> Answer<()> {
        let late = LateMoney { payment }.signal(entry);
        Ok(store::signal(conn, self.hospital(), &late).await.map(drop)?)
    }

    /// Money for an application that has ended without knowing of it, or is about to, goes back (rule 6, E2): the run is
    /// taken up again at its settlement, which asks the provider what it holds. The run is locked by the signal.
    async fn settle_late(&self, conn: &mut PgConnection, entry: Uuid, out_trade_no: &str) -> Answer<()> {
        let unknown = visits::is_unpaid(&mut *conn, self.hospital(), out_trade_no).await?;
        let Some(step) = WaitlistApplication::TABLE.step(Step::Reckoning.name()) else { return Ok(()) };
        let owes = [Obligation::Money.name()];
        let why = "money arrived at the end";
        if unknown && store::reopen::reopen(conn, self.hospital(), entry, &MISS_MONEY, step, &owes, why).await? {
            tracing::warn!(out_trade_no, run = %entry, "money arrived for an application at its end; it goes back");
        }
        Ok(())
    }

    async fn refunded(&self, told: &Told<'_>, out_refund_no: &str, money: &RefundMoney) -> Answer<Fate> {
        let mut tx = self.begin().await?;
        let out_trade_no = told.order;
        let Some((entry, ordered_fen)) = self.order_of(&mut tx, out_trade_no).await? else {
            return self.not_ours(tx, told).await;
        };
        // A number of before the provider gave it up is ours as much as the last.
        if !is_refund_no(out_trade_no, out_refund_no) {
            tracing::error!(out_trade_no, "a refund notice of an order of ours has a number that none of ours is");
            self.note(&mut tx, told, Fate::Refused).await?;
            tx.commit().await?;
            return Err(DeskError::UnknownRefund);
        }
        let asked_fen = visits::refund_asked(&mut *tx, self.hospital(), out_trade_no, out_refund_no).await?;
        let is_ours = asked_fen.is_none_or(|asked_fen| asked_fen == money.amount_fen)
            && money.total_fen.is_none_or(|total_fen| total_fen == ordered_fen);
        if !is_ours {
            tracing::error!(
                out_refund_no,
                asked_fen,
                told_fen = money.amount_fen,
                ordered_fen,
                total_fen = money.total_fen,
                "a refund notice has another amount than was asked for; nothing was changed"
            );
            self.note(&mut tx, told, Fate::Refused).await?;
            tx.commit().await?;
            return Err(DeskError::WrongAmount);
        }
        let signal = Outgoing {
            to: To::Run(entry),
            name: "RefundNotice".into(),
            id: format!("refund:{}", told.id),
            payload: payload(&RefundNotice { out_refund_no: out_refund_no.to_owned() })?,
        };
        let fate = self.tell(&mut tx, &signal, told).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(fate)
    }

    /// A signed notice about an order that we do not know changes no run, but it is money: it is written down for staff.
    async fn not_ours(&self, mut tx: Transaction<'static, Postgres>, told: &Told<'_>) -> Answer<Fate> {
        tracing::warn!(out_trade_no = told.order, "a payment notice is about an order that is not ours");
        self.note(&mut tx, told, Fate::NoRun).await?;
        tx.commit().await?;
        Err(DeskError::NotOurs)
    }

    /// The run and the amount of an order of ours: neither ever changes. The number must lead to the run that opened it.
    async fn order_of(&self, conn: &mut PgConnection, out_trade_no: &str) -> Answer<Option<(Uuid, i64)>> {
        let known = visits::payment_of(conn, self.hospital(), out_trade_no).await?;
        Ok(known.filter(|(entry, _)| ids::run_of(out_trade_no) == Some(*entry)))
    }

    async fn tell(&self, conn: &mut PgConnection, signal: &Outgoing, told: &Told<'_>) -> Answer<Fate> {
        // Rows of runs are locked before any other.
        let fate = match store::signal(&mut *conn, self.hospital(), signal).await? {
            Signalled::Delivered => Fate::Delivered,
            Signalled::Duplicate => Fate::Duplicate,
            Signalled::Kept => Fate::Kept,
        };
        self.note(conn, told, fate).await?;
        Ok(fate)
    }

    async fn note(&self, conn: &mut PgConnection, told: &Told<'_>, fate: Fate) -> Answer<()> {
        let source = self.ports.payments.provider().source();
        let Told { id: event_id, kind, order: subject, body, brings } = *told;
        let callback = Callback { source, event_id, kind, subject, body };
        if callbacks::receive_from(&mut *conn, self.hospital(), &callback, brings).await? {
            callbacks::settle(conn, self.hospital(), source, event_id, fate).await?;
        }
        Ok(())
    }
}

fn payload<T: serde::Serialize>(signal: &T) -> Answer<Value> {
    serde_json::to_value(signal).map_err(|error| DeskError::Broken(format!("a signal cannot be written: {error}")))
}
