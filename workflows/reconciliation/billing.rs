//! The provider's bill of the day.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Asia::Shanghai;
use serde_json::json;

use super::state::Day;
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::ports::payments::{Bill, BillLine};
use crate::records::reconciliation;
use crate::records::reconciliation::cases;
use crate::records::reconciliation::lines::{self, Line};
use crate::waitlist::reconciliation::Kind;
use crate::waitlist::{calendar, ids};
use crate::workflows::{Ports, unread};

/// The provider makes bills at about this hour, Beijing time.
const MADE_AT: NaiveTime = NaiveTime::from_hms_opt(10, 0, 0).expect("an hour of the day");

/// A bill that is late is asked for again after so long.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(20);

/// So many days with cases that only a list can tell of are listed again.
const LISTED_DAYS_MAX: i64 = 31;

pub(super) fn bill_is_asked(day: &Day) -> DateTime<Utc> {
    day.ask_at
}

pub(super) fn resting(_: &mut Day, _: &Turn, woke: woke::Resting) -> outcome::Resting {
    match woke {
        woke::Resting::AskNow(_) | woke::Resting::Deadline => outcome::Resting::Due,
    }
}

pub(super) async fn billing(day: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::Billing, Fault> {
    reconciliation::begin(&ports.pool, &ports.hospital, turn.run, day.day).await.map_err(unread)?;
    let made_at = made_at(day.day);
    if turn.now < made_at {
        limits::nobody_called();
        day.ask_at = made_at;
        return Ok(outcome::Billing::NotYet);
    }
    let Bill::Lines(told) = ports.payments.bill(day.day).await? else {
        day.ask_at = turn.now + ASK_AGAIN_AFTER;
        return Ok(outcome::Billing::NotYet);
    };
    let ours: Vec<Line> = told.iter().filter_map(line).collect();
    // Others take money with the same merchant number; what is not of our form is counted and left to them.
    day.foreign_lines = u32::try_from(told.len() - ours.len()).unwrap_or(u32::MAX);
    lines::put(&ports.pool, &ports.hospital, turn.run, &ours).await.map_err(unread)?;
    let kinds = Kind::LISTED.map(Kind::as_str);
    day.listed = cases::days(&ports.pool, &ports.hospital, &kinds, LISTED_DAYS_MAX).await.map_err(unread)?;
    day.listed.retain(|other| *other != day.day);
    day.listed.push(day.day);
    Ok(outcome::Billing::Read)
}

fn made_at(day: NaiveDate) -> DateTime<Utc> {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    calendar::visit_starts_at(next, MADE_AT, Shanghai)
}

fn line(told: &BillLine) -> Option<Line> {
    let (book, reference, out_trade_no) = match told {
        BillLine::Paid { out_trade_no, .. } => ("payment", out_trade_no, out_trade_no),
        BillLine::Refund { out_trade_no, out_refund_no, .. } => ("refund", out_refund_no, out_trade_no),
    };
    let entry_id = ids::run_of(out_trade_no)?;
    Some(Line { book: book.to_owned(), reference: reference.clone(), entry_id, body: json!(told) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r36_a_bill_is_there_from_ten_in_the_morning_of_beijing() {
        let day = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap_or_default();
        assert_eq!(made_at(day).to_rfc3339(), "2026-09-02T02:00:00+00:00");
    }
}
