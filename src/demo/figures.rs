//! What the day came to, counted from our own history and from the books of HIS, payer and message platform.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Timelike, Utc};
use uuid::Uuid;

use super::Stage;
use super::books::ours::{Entry, Moved, Ours, Stretch, waits};
use super::held::Line;
use super::offers::Offers;
use crate::ports::payments::Refund;
use crate::sandbox::his::{FreedPlace, HisBooks, OrderState};
use crate::sandbox::wechat_pay::{OrderStanding, PayBooks};
use crate::waitlist::ids;

/// Counted figures; money in 分, durations in minutes.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) endings: BTreeMap<String, u32>,
    pub(super) modes: BTreeMap<String, u32>,
    pub(super) offers: u32,
    pub(super) confirmed: u32,
    pub(super) declined: u32,
    pub(super) lapsed: u32,
    pub(super) lost: u32,
    /// Applications that were booked at some time.
    pub(super) converted: u32,
    /// Live orders of ours at HIS.
    pub(super) visits: u32,
    /// What the books say of what a day has to hold.
    pub(super) held: Vec<Line>,
    pub(super) freed: u32,
    pub(super) freed_awaited: u32,
    pub(super) refilled: u32,
    pub(super) taken_by_others: u32,
    pub(super) idle_min: Vec<i64>,
    pub(super) in_fen: i64,
    pub(super) booked_fen: i64,
    pub(super) refunded_fen: i64,
    pub(super) queue_fen: i64,
    pub(super) letters: BTreeMap<String, u32>,
    pub(super) his_calls: u32,
    pub(super) payment_calls: u32,
    pub(super) repeated: u32,
    pub(super) pushes: u32,
    pub(super) pushes_disturbed: u32,
    pub(super) notices: u32,
}

/// Steps whose turns call HIS, and those that call the payment provider.
const CALLS_HIS: [&str; 7] = ["Locking", "Unlocking", "Booking", "Cancelling", "Refreshing", "Pulling", "Stopping"];
const CALLS_PAYER: [&str; 8] = [
    "PrepayOrder",
    "PrepayCheck",
    "OfferOrder",
    "PaymentCheck",
    "OrderClosing",
    "Reckoning",
    "Refunding",
    "RefundCheck",
];

impl Figures {
    pub(super) async fn read(stage: &Stage) -> anyhow::Result<Self> {
        let ours = Ours::read(&stage.pool, &stage.hospital).await?;
        let mut figures = Self::default();
        let his = stage.his.books().await;
        figures.applications(&ours);
        figures.places(&ours, &his);
        figures.visits = count(his.orders.iter().filter(|it| !it.ordinary && it.state == OrderState::Booked).count());
        figures.held(stage, &ours, &his).await?;
        figures.money(&ours, &stage.pay.books().await);
        figures.letters(stage).await?;
        figures.calls(stage).await?;
        Ok(figures)
    }

    fn applications(&mut self, ours: &Ours) {
        for entry in &ours.entries {
            *self.endings.entry(entry.status.clone()).or_default() += 1;
            *self.modes.entry(entry.payment_mode.clone()).or_default() += 1;
            let booked =
                |one: &Moved| one.step == "Booking" && matches!(one.outcome.as_deref(), Some("Booked" | "Overpaid"));
            self.converted += u32::from(ours.moves_of(entry.id).iter().any(booked));
            let offers = Offers::of(ours.moves_of(entry.id), entry.missed.unsigned_abs());
            self.offers += offers.made;
            self.confirmed += offers.confirmed;
            self.declined += offers.declined;
            self.lapsed += offers.missed;
            self.lost += offers.lost;
        }
    }

    /// What the books say of what a day has to hold.
    async fn held(&mut self, stage: &Stage, ours: &Ours, his: &HisBooks) -> sqlx::Result<()> {
        let came = |one: &Moved, step: &str, outcomes: &[&str]| {
            one.step == step && one.outcome.as_deref().is_some_and(|outcome| outcomes.contains(&outcome))
        };
        let of = |mode: &'static str| move |entry: &&Entry| entry.booked() && entry.payment_mode == mode;
        let entries = |wanted: &dyn Fn(&&Entry) -> bool| ours.entries.iter().filter(wanted).count();
        let moves = |wanted: &dyn Fn(&Moved) -> bool| ours.moves.values().flatten().filter(|one| wanted(one)).count();
        let night = |one: &Moved| !(6..23).contains(&one.at.with_timezone(&stage.tz).hour());
        let kept = |entry: &&Entry| {
            let mut gave_up = false;
            ours.moves_of(entry.id).iter().any(|one| {
                gave_up |= one.declines() || one.lapses();
                gave_up && came(one, "Unlocking", &["Requeued"])
            })
        };
        let releases: i64 = sqlx::query_scalar(
            "select count(*) from turn t join run r on r.tenant = t.tenant and r.id = t.run_id
             where t.tenant = $1 and r.workflow = 'slot_release' and t.step = 'Keeping' and t.outcome = 'Over'",
        )
        .bind(&stage.hospital)
        .fetch_one(&stage.pool)
        .await?;
        let days: i64 = sqlx::query_scalar(
            "select count(distinct day) from reconciliation where hospital = $1 and ended_at is not null",
        )
        .bind(&stage.hospital)
        .fetch_one(&stage.pool)
        .await?;
        let reminders: i64 = sqlx::query_scalar(
            "select count(*) from outbox where tenant = $1 and status = 'sent' and payload->>'kind' = 'reminder'",
        )
        .bind(&stage.hospital)
        .fetch_one(&stage.pool)
        .await?;
        let line = |requirement, what, n: usize| Line { requirement, what, count: count(n) };
        let rows = |n: i64| usize::try_from(n).unwrap_or(0);
        let expired = |entry: &&Entry| entry.status == "expired";
        let back = ours.payments.iter().filter(|payment| payment.refunded_fen > 0);
        let refunded: HashSet<Uuid> = back.map(|payment| payment.entry_id).collect();
        self.held = vec![
            line("R5", "booked without a payment", entries(&of("none"))),
            line("R6", "booked with the fee taken in advance", entries(&of("prepay"))),
            line(
                "R6",
                "of whom a part went back, because the fee had fallen",
                moves(&|one| came(one, "PartRefund", &["Refunded"])),
            ),
            line("R5", "reminded of the visit", rows(reminders)),
            line("R20", "booked after a lock, a confirmation and a payment", entries(&of("lockThenPay"))),
            line("R10", "places locked at night", moves(&|one| came(one, "Locking", &["Locked"]) && night(one))),
            line("R18", "offers of a time that was free", moves(&|one| came(one, "Waiting", &["Payable", "Covered"]))),
            line("R26", "ended at the cutoff", entries(&expired)),
            line("R27", "of whom the fee went back", entries(&|entry| expired(entry) && refunded.contains(&entry.id))),
            line("R31", "places locked at HIS", his.locks.len()),
            line("R34", "ended by 停诊", entries(&|entry| entry.status == "stopped")),
            line(
                "R34",
                "of whom the fee went back",
                entries(&|entry| entry.status == "stopped" && refunded.contains(&entry.id)),
            ),
            line("R33", "hand-outs that waited a time by chance", rows(releases)),
            line("R36", "days compared with HIS and the payer", rows(days)),
            line("Q6", "declined or missed a time, and kept the place in the queue", entries(&kept)),
        ];
        Ok(())
    }

    /// Places that came free, and how long those stood idle that somebody waited for.
    fn places(&mut self, ours: &Ours, his: &HisBooks) {
        let mut queues: HashMap<&str, Vec<Stretch>> = HashMap::new();
        for entry in &ours.entries {
            queues.entry(&entry.schedule_id).or_default().extend(waits(entry, ours.moves_of(entry.id)));
        }
        let now = ours.moves.values().flatten().map(|one| one.at).max();
        let bookings = his.orders.iter().map(|order| (order.order_id.as_str(), order.ordinary));
        let ordinary: HashMap<&str, bool> = bookings.collect();
        for place in &his.slot_history {
            self.freed += 1;
            let queue = queues.get(place.reg_id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let by_us = place.taken_by.as_ref().is_some_and(|by| ordinary.get(by.order_id.as_str()) != Some(&true));
            let Some(idle) = idle(place, queue, now) else { continue };
            self.freed_awaited += 1;
            self.idle_min.push(idle);
            if by_us {
                self.refilled += 1;
            } else if place.taken_by.is_some() {
                self.taken_by_others += 1;
            }
        }
        self.idle_min.sort_unstable();
        self.pushes = count(his.pushes.len());
        self.pushes_disturbed = count(his.pushes.iter().filter(|push| push.fault.is_some()).count());
    }

    fn money(&mut self, ours: &Ours, pay: &PayBooks) {
        let entries: HashMap<_, _> = ours.entries.iter().map(|entry| (entry.id, entry)).collect();
        let mut held: HashMap<&str, i64> = HashMap::new();
        for order in pay.orders.iter().filter(|order| order.state == OrderStanding::Paid) {
            self.in_fen += order.amount_fen;
            held.insert(&order.out_trade_no, order.amount_fen);
        }
        for refund in pay.refunds.iter().filter(|refund| refund.state == Refund::Success) {
            self.refunded_fen += refund.amount_fen;
            *held.entry(&refund.out_trade_no).or_default() -= refund.amount_fen;
        }
        for (out_trade_no, fen) in held {
            match ids::run_of(out_trade_no).and_then(|id| entries.get(&id)) {
                Some(entry) if entry.booked() => self.booked_fen += fen,
                Some(entry) if entry.live => self.queue_fen += fen,
                _ => {}
            }
        }
        self.notices = count(pay.notices.len());
    }

    async fn letters(&mut self, stage: &Stage) -> sqlx::Result<()> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select status, count(*) from outbox where tenant = $1 group by 1")
                .bind(&stage.hospital)
                .fetch_all(&stage.pool)
                .await?;
        self.letters = rows.into_iter().map(|(status, n)| (status, u32::try_from(n).unwrap_or(u32::MAX))).collect();
        Ok(())
    }

    /// Turns that called out; those without an outcome had no answer and were repeated.
    async fn calls(&mut self, stage: &Stage) -> sqlx::Result<()> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "select step, count(*), count(*) filter (where outcome is null) from turn where tenant = $1 group by 1",
        )
        .bind(&stage.hospital)
        .fetch_all(&stage.pool)
        .await?;
        for (step, turns, failed) in rows {
            let turns = u32::try_from(turns).unwrap_or(u32::MAX);
            if CALLS_HIS.contains(&step.as_str()) {
                self.his_calls += turns;
            } else if CALLS_PAYER.contains(&step.as_str()) {
                self.payment_calls += turns;
            }
            self.repeated += u32::try_from(failed).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// The `of_100`th percentile of the idle minutes.
    pub(super) fn idle_percentile(&self, of_100: usize) -> Option<i64> {
        let last = self.idle_min.len().checked_sub(1)?;
        self.idle_min.get((last * of_100).div_ceil(100)).copied()
    }
}

/// How many minutes a place stood idle while somebody waited for it, from when it came free until it was taken or
/// nobody waited any more; `None` where nobody did.
fn idle(place: &FreedPlace, queue: &[Stretch], now: Option<DateTime<Utc>>) -> Option<i64> {
    let from = place.freed_at;
    let waits = queue.iter().filter(|stretch| stretch.from <= from && stretch.to.is_none_or(|to| to > from));
    let last = waits.map(|stretch| stretch.to.or(now).unwrap_or(from)).max();
    // Who took it at the same instant had been waiting for it until then.
    let taken_at_once = place.taken_at == Some(from) && queue.iter().any(|stretch| stretch.to == Some(from));
    let last = last.or(taken_at_once.then_some(from))?;
    let until = place.taken_at.map_or(last, |taken| taken.min(last.max(from)));
    Some((until - from).num_minutes())
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::ports::his::TimeSlot;
    use crate::sandbox::his::Freed;

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-03-02T10:{minute:02}:00Z").parse().unwrap()
    }

    fn place(taken_at: Option<DateTime<Utc>>) -> FreedPlace {
        let slot = TimeSlot::new("08:30:00".parse().unwrap(), "09:00:00".parse().unwrap());
        let (how, freed_at) = (Freed::OwnSiteCancel, at(10));
        FreedPlace { id: 1, reg_id: "R1".to_owned(), slot, freed_at, how, taken_at, taken_by: None }
    }

    #[test]
    fn a_place_is_idle_only_while_somebody_waits() {
        let waits = |from, to| vec![Stretch { from: at(from), to: Some(at(to)) }];
        assert_eq!(idle(&place(Some(at(15))), &waits(5, 30), None), Some(5));
        assert_eq!(idle(&place(None), &waits(5, 30), None), Some(20));
        assert_eq!(idle(&place(Some(at(40))), &waits(5, 30), None), Some(20));
        assert_eq!(idle(&place(Some(at(10))), &waits(5, 10), None), Some(0));
        assert_eq!(idle(&place(Some(at(15))), &waits(20, 30), None), None);
        assert_eq!(idle(&place(None), &[], None), None);
    }
}
