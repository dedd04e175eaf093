//! What must agree about one application between our books, HIS's and the payment provider's (R36), and what staff are
//! proposed to do where it does not. Pure: the facts are handed in, and where nobody has told one, nothing is concluded.
//!
//! `kind` names every difference, `facts` is what is compared; the judgement stands here.

mod facts;
mod kind;

pub use facts::{
    Entry, Facts, Finding, Lock, OurPayment, OurVisit, Pace, Payment, Question, Standing, TheirPayment, TheirRefund,
    TheirVisit, Told, Visit,
};
pub use kind::Kind;

impl Payment {
    /// What the provider holds of it; ours where it has not told.
    fn held_fen(&self) -> i64 {
        match (self.theirs, self.ours) {
            (Some(TheirPayment::Paid { amount_fen }), _) => amount_fen - self.back_fen(true),
            (Some(_), _) | (None, None) => 0,
            (None, Some(ours)) => match ours.standing {
                Standing::Paid | Standing::Refunding | Standing::Refunded => ours.amount_fen - ours.refunded_fen,
                Standing::Open | Standing::Closed => 0,
            },
        }
    }

    /// What was paid; ours where the provider has not told.
    fn paid_fen(&self) -> i64 {
        match (self.theirs, self.ours) {
            (Some(TheirPayment::Paid { amount_fen }), _) => amount_fen,
            (None, Some(ours)) if !matches!(ours.standing, Standing::Open | Standing::Closed) => ours.amount_fen,
            _ => 0,
        }
    }

    /// What went back, by the provider; with `done` only what arrived.
    fn back_fen(&self, done: bool) -> i64 {
        self.refunds.iter().filter(|refund| refund.done || !done).map(|refund| refund.amount_fen).sum()
    }

    /// The provider's words in ours.
    fn theirs_as_ours(&self) -> Option<&'static str> {
        Some(match self.theirs? {
            TheirPayment::Unknown => "unknown",
            TheirPayment::Open => "open",
            TheirPayment::Closed => "closed",
            TheirPayment::Paid { amount_fen } if self.back_fen(true) >= amount_fen => "refunded",
            TheirPayment::Paid { amount_fen } if self.back_fen(false) >= amount_fen => "refunding",
            // A part that went back leaves it paid (R6).
            TheirPayment::Paid { .. } => "paid",
        })
    }

    fn finding(&self, kind: Kind, ours_fen: i64, theirs_fen: i64) -> Finding {
        let ours = self.ours.map_or("none", |ours| ours.standing.as_str());
        Finding {
            kind,
            subject: self.out_trade_no.clone(),
            ours: ours.to_owned(),
            theirs: self.theirs_as_ours().unwrap_or("not told").to_owned(),
            ours_fen: Some(ours_fen),
            theirs_fen: Some(theirs_fen),
        }
    }

    fn judge(&self, entry: Option<Entry>) -> Option<Finding> {
        let (held_fen, over) = (self.held_fen(), entry.is_some_and(|entry| entry.over));
        let paid_fen = self.paid_fen();
        let Some(ours) = self.ours else {
            return (paid_fen > 0).then(|| self.finding(Kind::UnknownOrder, 0, held_fen));
        };
        if self.back_fen(false) > paid_fen {
            return Some(self.finding(Kind::RefundedTwice, ours.refunded_fen, self.back_fen(false)));
        }
        if over && held_fen > 0 && self.back_fen(false) < paid_fen.max(ours.amount_fen) {
            return Some(self.finding(Kind::PaidNotBooked, ours.amount_fen - ours.refunded_fen, held_fen));
        }
        if entry.is_some_and(|entry| entry.pace == Pace::Stuck && !entry.over && !entry.booked) && held_fen > 0 {
            return Some(self.finding(Kind::PaidAndStuck, ours.amount_fen - ours.refunded_fen, held_fen));
        }
        if over && self.theirs == Some(TheirPayment::Open) {
            return Some(self.finding(Kind::OrderLeftOpen, 0, 0));
        }
        let theirs = self.theirs_as_ours()?;
        // An order that never reached the provider can be closed in our books only, or still be what its run stands still at.
        let stuck = entry.is_some_and(|entry| entry.pace == Pace::Stuck);
        let never_reached =
            theirs == "unknown" && (ours.standing == Standing::Closed || stuck && ours.standing == Standing::Open);
        let same = ours.standing.as_str() == theirs || never_reached;
        let same_money = paid_fen == 0 || (paid_fen == ours.amount_fen && ours.refunded_fen == self.back_fen(true));
        (!same || !same_money)
            .then(|| self.finding(Kind::PaymentDiffers, ours.amount_fen - ours.refunded_fen, held_fen))
    }

    /// The day's lists leave something open that they should have told.
    fn untold(&self, moving: bool) -> bool {
        self.ours.is_some_and(|ours| {
            let missing = ours.paid_that_day && self.theirs.is_none();
            let settled = ours.settled_that_day && (ours.standing == Standing::Closed || self.back_fen(true) == 0);
            let refunds = !self.refunds.is_empty() && ours.refunded_fen != self.back_fen(true);
            let unsettled = matches!(ours.standing, Standing::Open | Standing::Refunding) && !moving;
            missing || settled || refunds || unsettled || self.strange
        })
    }
}

impl Visit {
    fn finding(&self, kind: Kind) -> Finding {
        let ours = match self.ours {
            None => "none",
            Some(ours) if ours.stands => "booked",
            Some(_) => "cancelled",
        };
        let theirs = match self.his {
            None => "not told",
            Some(TheirVisit::Unknown) => "unknown",
            Some(TheirVisit::Booked) => "booked",
            Some(TheirVisit::Cancelled) => "cancelled",
        };
        Finding {
            kind,
            subject: self.order_id.clone(),
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
            ours_fen: None,
            theirs_fen: None,
        }
    }

    fn judge(&self, facts: &Facts) -> Vec<Finding> {
        let mut found = Vec::new();
        let stands = self.ours.is_some_and(|ours| ours.stands);
        match self.his {
            Some(TheirVisit::Booked) if !stands => found.push(self.finding(Kind::OrderWithoutVisit)),
            Some(TheirVisit::Unknown | TheirVisit::Cancelled) if stands => {
                found.push(self.finding(Kind::VisitNotAtHis));
            }
            _ => {}
        }
        found.extend(self.told.as_ref().and_then(|told| self.money(told, facts)));
        found
    }

    /// HIS was told of the payment that the provider has, and of its way back.
    fn money(&self, told: &Told, facts: &Facts) -> Option<Finding> {
        let paid = |payment: &&Payment| payment.paid_fen() > 0;
        let finding = |kind, ours: String, ours_fen, theirs: String, theirs_fen| Finding {
            kind,
            subject: self.order_id.clone(),
            ours,
            theirs,
            ours_fen: Some(ours_fen),
            theirs_fen: Some(theirs_fen),
        };
        let in_words = |number: Option<&str>| number.unwrap_or("no payment").to_owned();
        if self.his == Some(TheirVisit::Booked) {
            let named = |payment: &&Payment| told.out_trade_no.as_deref() == Some(payment.out_trade_no.as_str());
            let payment = match &told.out_trade_no {
                Some(_) => facts.payments.iter().filter(paid).find(named),
                None => facts.payments.iter().find(paid),
            };
            let paid_fen = payment.map_or(0, |payment| facts.stood_on_fen(payment));
            let number = payment.map(|payment| payment.out_trade_no.as_str());
            let right = number == told.out_trade_no.as_deref() && paid_fen == told.paid_fen;
            return (!right).then(|| {
                let theirs = in_words(told.out_trade_no.as_deref());
                finding(Kind::PaymentToldWrong, in_words(number), paid_fen, theirs, told.paid_fen)
            });
        }
        // Only what was ours goes back: a cancelled order without a payment owes nothing.
        let ended = self.ours.is_some_and(|ours| !ours.stands);
        let owes = ended && told.out_trade_no.is_some() && told.refunded_fen != told.paid_fen;
        owes.then(|| {
            let number = in_words(told.out_trade_no.as_deref());
            finding(Kind::RefundToldWrong, number.clone(), told.paid_fen, number, told.refunded_fen)
        })
    }

    fn untold(&self) -> bool {
        self.his.is_none() && self.ours.is_some_and(|ours| ours.moved_that_day)
    }
}

impl Facts {
    /// Every difference, by subject.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.payments.iter().filter_map(|payment| payment.judge(self.entry)).collect();
        found.extend(self.visits.iter().flat_map(|visit| visit.judge(self)));
        found.extend(self.double());
        found.extend(self.price());
        found.extend(self.locks.iter().filter_map(|lock| self.leaked(lock)));
        found
    }

    /// True while its run may still settle what differs.
    pub fn moving(&self) -> bool {
        self.entry.is_some_and(|entry| entry.pace == Pace::Moving)
    }

    /// True where both sides must be asked before anything is concluded.
    pub fn doubtful(&self) -> bool {
        let untold = self.payments.iter().any(|payment| payment.untold(self.moving()));
        self.reopened || untold || self.visits.iter().any(Visit::untold) || !self.findings().is_empty()
    }

    /// True where it is known whether this differs, so that not finding it means that the books agree.
    pub fn tells(&self, kind: Kind, subject: &str) -> bool {
        match kind {
            Kind::LeakedLock => self.locks.iter().any(|lock| lock.lock_id == subject),
            Kind::PaymentToldWrong | Kind::RefundToldWrong => {
                self.visits.iter().any(|visit| visit.order_id == subject && visit.told.is_some())
            }
            _ => true,
        }
    }

    /// What is asked of a doubtful application: everything.
    pub fn questions(&self) -> Vec<Question> {
        let orders = self.payments.iter().map(|payment| Question::Order(payment.out_trade_no.clone()));
        orders.chain(self.visits.iter().map(|visit| Question::Visit(visit.order_id.clone()))).collect()
    }

    /// What HIS should be told was paid with this order: all that the visit stands on, of whichever orders.
    fn stood_on_fen(&self, payment: &Payment) -> i64 {
        let kept_fen = |payment: &Payment| {
            let ours = payment.ours?;
            ours.kept_fen
                .filter(|kept_fen| *kept_fen > 0)
                .map(|kept_fen| payment.paid_fen() - ours.amount_fen + kept_fen)
        };
        match kept_fen(payment) {
            Some(_) => self.payments.iter().filter_map(kept_fen).sum(),
            None => payment.paid_fen(),
        }
    }

    fn double(&self) -> Option<Finding> {
        let live = |visit: &&Visit| visit.his == Some(TheirVisit::Booked);
        let mut booked = self.visits.iter().filter(live);
        let first = booked.next()?;
        let second = booked.next().map(|visit| visit.order_id.clone()).or_else(|| self.twins.first().cloned())?;
        // Named by the smaller of the two, so that both applications find the same case.
        let (subject, other) =
            if first.order_id < second { (first.order_id.clone(), second) } else { (second, first.order_id.clone()) };
        let theirs = format!("booked beside {other}");
        Some(Finding { subject, theirs, ..first.finding(Kind::DoubleBooking) })
    }

    /// A visit is paid once, as much as it costs.
    fn price(&self) -> Option<Finding> {
        let entry = self.entry.filter(|entry| entry.booked)?;
        let ours = self.payments.iter().filter(|payment| payment.ours.is_some());
        // A part on its way back is not held any more.
        let held_fen: i64 =
            ours.map(|payment| payment.held_fen() - payment.back_fen(false) + payment.back_fen(true)).sum();
        let kind = match held_fen.cmp(&entry.due_fen) {
            std::cmp::Ordering::Less => Kind::BookedNotPaid,
            std::cmp::Ordering::Greater => Kind::PaidTwice,
            std::cmp::Ordering::Equal => return None,
        };
        let visit = self.visits.iter().find(|visit| visit.ours.is_some_and(|ours| ours.stands))?;
        Some(Finding { ours_fen: Some(entry.due_fen), theirs_fen: Some(held_fen), ..visit.finding(kind) })
    }

    fn leaked(&self, lock: &Lock) -> Option<Finding> {
        let leaked = match self.entry {
            None => lock.held,
            Some(entry) if lock.held => entry.pace == Pace::Rests,
            Some(entry) => lock.expired && entry.ended_micros.is_some_and(|ended| ended < lock.expires_micros),
        };
        leaked.then(|| Finding {
            kind: Kind::LeakedLock,
            subject: lock.lock_id.clone(),
            ours: if self.entry.is_some() { "not needed" } else { "none" }.to_owned(),
            theirs: if lock.held { "held" } else { "held until it ran out" }.to_owned(),
            ours_fen: None,
            theirs_fen: None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
