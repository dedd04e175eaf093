//! Gathers what all sides say of applications: our tables, the lists, the answers. An answer outweighs a list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::engine::Fault;
use crate::ports::his::{ListedLock, ListedOrder, ListedState, LockStanding};
use crate::ports::payments::{BillLine, Refund};
use crate::records::reconciliation::lines::{self, Answered, Line};
use crate::records::reconciliation::ours::{self, Span};
use crate::waitlist::reconciliation::{
    Entry, Facts, Lock, OurPayment, OurVisit, Pace, Payment, Standing, TheirPayment, TheirRefund, TheirVisit, Told,
    Visit,
};
use crate::workflows::unread;
use crate::workflows::waitlist_application::Step;

/// What is known of one application, and the refunds that can be asked about.
#[derive(Default)]
pub(super) struct Gathered {
    pub facts: Facts,
    pub refunds: Vec<String>,
    /// What a refund is over: as the provider says, else what we asked for.
    amounts: BTreeMap<String, i64>,
    listed: BTreeMap<String, (String, TheirRefund)>,
    /// Our own last numbers of each order's refunds.
    own: BTreeMap<String, Vec<String>>,
}

/// What the provider answered about a refund, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum AboutRefund {
    /// Of money.
    #[serde(rename_all = "camelCase")]
    OfMoney { refund: Refund, amount_fen: i64 },
    /// Of none; or of what it is, an earlier release did not write down.
    Bare(Refund),
}

impl AboutRefund {
    pub(super) fn of(refund: Refund, amount_fen: Option<i64>) -> Self {
        amount_fen.map_or(Self::Bare(refund), |amount_fen| Self::OfMoney { refund, amount_fen })
    }

    fn parts(self) -> (Refund, Option<i64>) {
        match self {
            Self::OfMoney { refund, amount_fen } => (refund, Some(amount_fen)),
            Self::Bare(refund) => (refund, None),
        }
    }
}

/// Everything about these applications.
pub(super) async fn gather(
    conn: &mut PgConnection,
    hospital: &str,
    reconciliation: Uuid,
    span: Span,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Gathered>, Fault> {
    // One picture: an application may move between two looks at it.
    let mut tx = conn.begin_with("begin isolation level repeatable read read only").await.map_err(unread)?;
    let conn = &mut *tx;
    let mut all: BTreeMap<Uuid, Gathered> = ids.iter().map(|id| (*id, Gathered::default())).collect();
    for entry in ours::entries(&mut *conn, hospital, reconciliation, ids).await.map_err(unread)? {
        let Some(one) = all.get_mut(&entry.id) else { continue };
        one.facts.twins.extend(entry.twin.clone());
        one.facts.reopened = entry.reopened;
        one.facts.entry = Some(standing(&entry));
    }
    for payment in ours::payments(&mut *conn, hospital, ids).await.map_err(unread)? {
        let Some(one) = all.get_mut(&payment.entry_id) else { continue };
        one.ours(payment, span)?;
    }
    for visit in ours::visits(&mut *conn, hospital, ids).await.map_err(unread)? {
        let Some(one) = all.get_mut(&visit.entry_id) else { continue };
        let within = |at| span.0 <= at && at < span.1;
        let stands = visit.status != "cancelled";
        let moved_that_day = within(visit.booked_at) || visit.cancelled_at.is_some_and(within);
        one.visit(&visit.id).ours = Some(OurVisit { stands, moved_that_day });
    }
    for line in lines::of(&mut *conn, hospital, reconciliation, ids).await.map_err(unread)? {
        let Some(one) = all.get_mut(&line.entry_id) else { continue };
        one.listed(&line).map_err(|error| unreadable(&line.book, &line.reference, &error))?;
    }
    for answered in lines::answers(&mut *conn, hospital, reconciliation, ids).await.map_err(unread)? {
        let Some(one) = all.get_mut(&answered.entry_id) else { continue };
        one.answered(&answered).map_err(|error| unreadable(&answered.about, &answered.reference, &error))?;
    }
    tx.commit().await.map_err(unread)?;
    for one in all.values_mut() {
        one.put_refunds();
    }
    Ok(all)
}

fn unreadable(book: &str, reference: &str, error: &serde_json::Error) -> Fault {
    Fault::Stop(format!("what was written down of the {book} {reference} cannot be read: {error}"))
}

fn standing(entry: &ours::Entry) -> Entry {
    let step = entry.step.as_deref().and_then(Step::parse);
    let waits = entry.run_status.as_deref() == Some("waiting");
    let parked = waits && matches!(step, Some(Step::Waiting | Step::Visit));
    let moves = matches!(entry.run_status.as_deref(), Some("pending" | "running" | "waiting"));
    let ended = entry.ended_at.is_some() || entry.run_status.is_none();
    let booked = entry.status == "booked";
    let stuck = entry.run_status.as_deref() == Some("suspended") && entry.status == "settling";
    Entry {
        pace: match entry.moved || (moves && !parked) {
            true => Pace::Moving,
            false if parked || ended => Pace::Rests,
            false => Pace::Stuck,
        },
        over: !booked && (ended || stuck),
        booked,
        due_fen: if entry.payment_mode == "none" { 0 } else { entry.fee_fen },
        ended_micros: entry.ended_at.map(|at| at.timestamp_micros()),
    }
}

impl Gathered {
    fn ours(&mut self, payment: ours::Payment, (from, to): Span) -> Result<(), Fault> {
        let within = |at: Option<chrono::DateTime<chrono::Utc>>| at.is_some_and(|at| from <= at && at < to);
        let standing = Standing::parse(&payment.status).ok_or_else(|| {
            Fault::Stop(format!("our payment {} has the unknown status {}", payment.out_trade_no, payment.status))
        })?;
        let kept_fen = payment.part_refund_no.as_ref().and(payment.kept_fen);
        let part = payment.part_refund_no.map(|refund| (refund, payment.amount_fen - kept_fen.unwrap_or(0)));
        let rest = payment.out_refund_no.map(|refund| (refund, kept_fen.unwrap_or(payment.amount_fen)));
        for (refund, amount_fen) in part.into_iter().chain(rest) {
            self.own.entry(payment.out_trade_no.clone()).or_default().push(refund.clone());
            self.amounts.insert(refund.clone(), amount_fen);
            self.listed.entry(refund).or_insert_with(|| {
                // Nobody has told of it yet: it counts as nothing until somebody does.
                (payment.out_trade_no.clone(), TheirRefund { amount_fen: 0, done: false })
            });
        }
        self.payment(&payment.out_trade_no).ours = Some(OurPayment {
            standing,
            amount_fen: payment.amount_fen,
            refunded_fen: payment.refunded_fen,
            kept_fen: payment.kept_fen,
            paid_that_day: within(payment.paid_at),
            settled_that_day: within(payment.settled_at),
        });
        Ok(())
    }

    fn listed(&mut self, line: &Line) -> serde_json::Result<()> {
        let body = line.body.clone();
        match line.book.as_str() {
            "payment" | "refund" => match serde_json::from_value(body)? {
                BillLine::Paid { out_trade_no, amount_fen, .. } => {
                    self.payment(&out_trade_no).theirs = Some(TheirPayment::Paid { amount_fen });
                }
                BillLine::Refund { out_trade_no, out_refund_no, amount_fen, refund } => {
                    self.payment(&out_trade_no);
                    self.amounts.insert(out_refund_no.clone(), amount_fen);
                    self.refund(out_refund_no, &out_trade_no, refund);
                }
            },
            "order" => {
                let order: ListedOrder = serde_json::from_value(body)?;
                let visit = self.visit(&order.order_id);
                visit.his = Some(match order.state {
                    ListedState::Booked => TheirVisit::Booked,
                    ListedState::Cancelled | ListedState::Refunded => TheirVisit::Cancelled,
                });
                visit.told = Some(Told {
                    out_trade_no: order.out_trade_no,
                    paid_fen: order.paid_fen.unwrap_or(0),
                    refunded_fen: order.refunded_fen.unwrap_or(0),
                });
            }
            _ => {
                let lock: ListedLock = serde_json::from_value(body)?;
                self.facts.locks.push(Lock {
                    lock_id: lock.lock_id,
                    held: lock.state == LockStanding::Held,
                    expired: lock.state == LockStanding::Expired,
                    expires_micros: lock.expires_at.timestamp_micros(),
                });
            }
        }
        Ok(())
    }

    fn answered(&mut self, answered: &Answered) -> serde_json::Result<()> {
        let (answer, reference) = (answered.answer.clone(), answered.reference.as_str());
        match answered.about.as_str() {
            "order" => self.payment(reference).theirs = Some(serde_json::from_value(answer)?),
            "refund" => {
                let (refund, amount_fen) = serde_json::from_value::<AboutRefund>(answer)?.parts();
                let order = self.listed.get(reference).map(|(order, _)| order.clone());
                if let Some(order) = order {
                    if let Some(amount_fen) = amount_fen {
                        self.amounts.insert(reference.to_owned(), amount_fen);
                    }
                    self.refund(reference.to_owned(), &order, refund);
                }
            }
            _ => {
                let said: TheirVisit = serde_json::from_value(answer)?;
                let visit = self.visit(reference);
                // What HIS was told of money was listed with another state: it says nothing of this one.
                if visit.his.is_some_and(|listed| listed != said) {
                    visit.told = None;
                }
                visit.his = Some(said);
            }
        }
        Ok(())
    }

    /// A refund that was given up, that its payer's account does not take or that is not known moves no money.
    fn refund(&mut self, out_refund_no: String, out_trade_no: &str, refund: Refund) {
        let moves = matches!(refund, Refund::Processing | Refund::Success);
        let amount_fen = if moves { self.amounts.get(&out_refund_no).copied().unwrap_or(0) } else { 0 };
        let told = TheirRefund { amount_fen, done: refund == Refund::Success };
        self.listed.insert(out_refund_no, (out_trade_no.to_owned(), told));
    }

    fn put_refunds(&mut self) {
        for (number, (order, refund)) in std::mem::take(&mut self.listed) {
            let strange = !self.own.get(&order).is_some_and(|own| own.contains(&number));
            self.payment(&order).strange |= strange;
            self.refunds.push(number);
            if refund.amount_fen > 0 {
                self.payment(&order).refunds.push(refund);
            }
        }
    }

    fn payment(&mut self, out_trade_no: &str) -> &mut Payment {
        let payments = &mut self.facts.payments;
        let at = payments.iter().position(|one| one.out_trade_no == out_trade_no).unwrap_or_else(|| {
            let out_trade_no = out_trade_no.to_owned();
            payments.push(Payment { out_trade_no, ours: None, theirs: None, refunds: Vec::new(), strange: false });
            payments.len() - 1
        });
        &mut payments[at]
    }

    fn visit(&mut self, order_id: &str) -> &mut Visit {
        let visits = &mut self.facts.visits;
        let at = visits.iter().position(|one| one.order_id == order_id).unwrap_or_else(|| {
            visits.push(Visit { order_id: order_id.to_owned(), ours: None, his: None, told: None });
            visits.len() - 1
        });
        &mut visits[at]
    }
}
