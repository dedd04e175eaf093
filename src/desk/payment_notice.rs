//! The payment provider's notices (R6, R8, E2): money has arrived or gone back. Stored in the run's inbox before it is
//! answered. A notice about an order that is not ours, or with another amount, changes no run.

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::his_push::Fate;
use super::{Answer, Desk, DeskError};
use crate::engine::To;
use crate::engine::flow::Flow as _;
use crate::engine::store::{self, Outgoing, Signalled};
use crate::ports::payments::{Notice, Paid, Refund, RefundMoney};
use crate::records::callbacks::{self, Callback};
use crate::records::visits;
use crate::waitlist::ids;
use crate::workflows::waitlist_application::{LateMoney, Obligation, Payment, RefundNotice, Step, WaitlistApplication};

/// Where the provider may have been asked before the money came, and is not asked again.
const MISS_MONEY: [&str; 5] = [
    Step::Reckoning.name(),
    Step::Refunding.name(),
    Step::RefundWait.name(),
    Step::RefundCheck.name(),
    Step::Closure.name(),
];

impl Desk {
    /// Takes a verified notice. [`DeskError::NotOurs`] and [`DeskError::WrongAmount`] leave every run as it is.
    pub async fn payment_notice(&self, notice: &Notice) -> Answer<Fate> {
        match notice {
            Notice::Paid { notice_id, out_trade_no, paid } => self.paid(notice_id, out_trade_no, paid).await,
            Notice::Refund { notice_id, out_refund_no, refund, money } => {
                self.refunded(notice_id, out_refund_no, *refund, money).await
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
        self.note(&mut tx, notice_id, "NOT-OURS", what, &json!({ "what": what }), Fate::Refused).await?;
        Ok(tx.commit().await?)
    }

    async fn paid(&self, notice_id: &str, out_trade_no: &str, paid: &Paid) -> Answer<Fate> {
        let mut tx = self.begin().await?;
        let body = json!({ "transactionId": paid.transaction_id, "amountFen": paid.amount_fen });
        let kind = "TRANSACTION.SUCCESS";
        let Some((entry, amount_fen)) = self.order_of(&mut tx, out_trade_no).await? else {
            return self.not_ours(tx, notice_id, kind, out_trade_no, &body).await;
        };
        if amount_fen != paid.amount_fen {
            tracing::error!(
                out_trade_no,
                ordered_fen = amount_fen,
                paid_fen = paid.amount_fen,
                "a payment notice has another amount than its order; nothing was changed"
            );
            self.note(&mut tx, notice_id, kind, out_trade_no, &body, Fate::Refused).await?;
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
        let fate = self.tell(&mut tx, &signal, notice_id, kind, out_trade_no, &body).await?;
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

    async fn refunded(
        &self,
        notice_id: &str,
        out_refund_no: &str,
        refund: Refund,
        money: &RefundMoney,
    ) -> Answer<Fate> {
        let mut tx = self.begin().await?;
        let out_trade_no = money.out_trade_no.as_str();
        let body = json!({ "outRefundNo": out_refund_no, "refund": refund, "amountFen": money.amount_fen });
        let Some((entry, ordered_fen)) = self.order_of(&mut tx, out_trade_no).await? else {
            return self.not_ours(tx, notice_id, "REFUND", out_trade_no, &body).await;
        };
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
            self.note(&mut tx, notice_id, "REFUND", out_trade_no, &body, Fate::Refused).await?;
            tx.commit().await?;
            return Err(DeskError::WrongAmount);
        }
        let signal = Outgoing {
            to: To::Run(entry),
            name: "RefundNotice".into(),
            id: format!("refund:{notice_id}"),
            payload: payload(&RefundNotice { out_refund_no: out_refund_no.to_owned() })?,
        };
        let fate = self.tell(&mut tx, &signal, notice_id, "REFUND", out_trade_no, &body).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(fate)
    }

    /// A signed notice about an order that we do not know changes no run, but it is money: it is written down for staff.
    async fn not_ours(
        &self,
        mut tx: Transaction<'static, Postgres>,
        notice_id: &str,
        kind: &str,
        out_trade_no: &str,
        body: &Value,
    ) -> Answer<Fate> {
        tracing::warn!(out_trade_no, "a payment notice is about an order that is not ours");
        self.note(&mut tx, notice_id, kind, out_trade_no, body, Fate::NoRun).await?;
        tx.commit().await?;
        Err(DeskError::NotOurs)
    }

    /// The run and the amount of an order of ours: neither ever changes. The number must lead to the run that opened it.
    async fn order_of(&self, conn: &mut PgConnection, out_trade_no: &str) -> Answer<Option<(Uuid, i64)>> {
        let known = visits::payment_of(conn, self.hospital(), out_trade_no).await?;
        Ok(known.filter(|(entry, _)| ids::run_of(out_trade_no) == Some(*entry)))
    }

    async fn tell(
        &self,
        conn: &mut PgConnection,
        signal: &Outgoing,
        notice_id: &str,
        kind: &str,
        subject: &str,
        body: &Value,
    ) -> Answer<Fate> {
        // Rows of runs are locked before any other.
        let fate = match store::signal(&mut *conn, self.hospital(), signal).await? {
            Signalled::Delivered => Fate::Delivered,
            Signalled::Duplicate => Fate::Duplicate,
            Signalled::Kept => Fate::Kept,
        };
        self.note(conn, notice_id, kind, subject, body, fate).await?;
        Ok(fate)
    }

    async fn note(
        &self,
        conn: &mut PgConnection,
        notice_id: &str,
        kind: &str,
        subject: &str,
        body: &Value,
        fate: Fate,
    ) -> Answer<()> {
        let source = self.ports.payments.provider().source();
        let callback = Callback { source, event_id: notice_id, kind, subject, body };
        if callbacks::receive(&mut *conn, self.hospital(), &callback).await? {
            callbacks::settle(conn, self.hospital(), source, notice_id, fate.as_str()).await?;
        }
        Ok(())
    }
}

fn payload<T: serde::Serialize>(signal: &T) -> Answer<Value> {
    serde_json::to_value(signal).map_err(|error| DeskError::Broken(format!("a signal cannot be written: {error}")))
}
