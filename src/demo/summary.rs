//! What was played as a hospital's manager reads it: one table, or one line of JSON.

// Fields are named as the line of JSON names them.
#![allow(clippy::struct_field_names)]

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

use super::figures::Figures;
use super::held::{self, Line};
use super::traffic::Tally;
use super::{Difference, Script, Size};
use crate::sandbox::faults::Level;
use crate::waitlist::language::Language;
use crate::waitlist::money::Fen;
use crate::waitlist::status::EntryStatus;

/// One of the played days.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayedDay {
    /// The day.
    pub day: NaiveDate,
    /// New applications.
    pub admitted: u32,
    /// Bookings that patients heard of.
    pub booked: u32,
    /// How long it took.
    pub wall_seconds: f64,
    /// What differed between the books when it was over.
    pub differences: Vec<Difference>,
}

impl PlayedDay {
    pub(super) fn new(
        day: NaiveDate,
        before: &Tally,
        after: &Tally,
        differences: Vec<Difference>,
        wall: Duration,
    ) -> Self {
        let admitted = after.admitted.saturating_sub(before.admitted);
        let booked = after.bookings_heard.saturating_sub(before.bookings_heard);
        Self { day, admitted, booked, wall_seconds: seconds(wall), differences }
    }
}

impl fmt::Display for PlayedDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, admitted, booked, wall_seconds, differences } = self;
        write!(f, "{day}: {admitted} admitted, {booked} booked, ")?;
        match differences.len() {
            0 => write!(f, "all books agree")?,
            n => write!(f, "{n} differences between the books")?,
        }
        write!(f, " ({wall_seconds:.1} s)")
    }
}

fn seconds(wall: Duration) -> f64 {
    (wall.as_secs_f64() * 10.0).round() / 10.0
}

/// What one or several played days came to. Money in 分.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The seed of the traffic.
    pub seed: u64,
    /// How much went wrong on purpose.
    pub faults: Level,
    /// The first played day.
    pub day: NaiveDate,
    /// How many days.
    pub days: u32,
    /// How much happened on each.
    pub size: Size,
    /// Day by day.
    pub by_day: Vec<PlayedDay>,
    /// What it has to hold, by requirement, and how often that happened.
    pub held: Vec<Line>,
    /// Who applied.
    pub applications: Applications,
    /// Places that came free.
    pub places: Places,
    /// Offers to applicants.
    pub offers: Offers,
    /// Money.
    pub money: Money,
    /// Messages to patients, by what became of them.
    pub messages: BTreeMap<String, u32>,
    /// Calls to the outside.
    pub calls: Calls,
    /// In how many instants the day was played.
    pub steps: u32,
    /// How long it took.
    pub wall_seconds: f64,
    /// Answers of the API that should never be (5xx, no connection). Empty, or something is wrong.
    pub troubles: Vec<String>,
    /// What was answered otherwise than it must be. Empty, or something is wrong.
    pub faults_seen: Vec<String>,
}

/// See [`Summary::applications`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applications {
    /// Requests to apply.
    pub requests: u32,
    /// New applications.
    pub admitted: u32,
    /// The same request again.
    pub repeated: u32,
    /// Refusals by code.
    pub refused: BTreeMap<String, u32>,
    /// Later answers that came too late, by code.
    pub too_late: BTreeMap<String, u32>,
    /// Admitted ones by how they are paid.
    pub by_payment_mode: BTreeMap<String, u32>,
    /// Admitted ones by where they stand now.
    pub by_status: BTreeMap<String, u32>,
}

/// See [`Summary::places`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Places {
    /// Cancelled or added by the hospital's world.
    pub freed_by_world: u32,
    /// Every time a place came free, locks that ended included.
    pub freed: u32,
    /// Of these, while somebody waited for one.
    pub freed_awaited: u32,
    /// Of these, given to an applicant.
    pub refilled: u32,
    /// Taken by patients of 114 who went for what had come free.
    pub grabbed_by_114: u32,
    /// Of the awaited, taken by others first.
    pub taken_by_others: u32,
    /// Minutes an awaited place stood idle, half of them at most.
    pub idle_minutes_p50: Option<i64>,
    /// The same, 99 in a hundred at most.
    pub idle_minutes_p99: Option<i64>,
}

/// See [`Summary::offers`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offers {
    /// Places handed to an applicant.
    pub made: u32,
    /// Confirmed by the patient.
    pub confirmed: u32,
    /// Declined.
    pub declined: u32,
    /// Not answered or not paid in time.
    pub lapsed: u32,
    /// Not to be had any more, mostly since somebody else was faster; the applicant kept the turn.
    pub not_to_be_had: u32,
}

/// See [`Summary::money`]. What came in is booked, refunded or held for the queue.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// What payers paid.
    pub in_fen: i64,
    /// For booked visits.
    pub booked_fen: i64,
    /// Gone back.
    pub refunded_fen: i64,
    /// Held for applications that still wait.
    pub queue_fen: i64,
}

/// See [`Summary::calls`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// Steps that called HIS.
    pub his: u32,
    /// Steps that called the payment provider.
    pub payments: u32,
    /// Of these, without an answer at first, and repeated.
    pub repeated: u32,
    /// Pushes of HIS.
    pub pushes: u32,
    /// Of these, lost, late, doubled or forged on purpose.
    pub pushes_disturbed: u32,
    /// Notices of the payment provider.
    pub notices: u32,
}

impl Summary {
    pub(super) fn new(
        script: &Script,
        tally: Tally,
        figures: Figures,
        troubles: Vec<String>,
        by_day: Vec<PlayedDay>,
        steps: u32,
        wall: Duration,
    ) -> Self {
        let held = held::lines(&tally.held, told(&tally, &figures));
        Self {
            seed: script.seed,
            faults: script.faults,
            day: script.day,
            days: script.days,
            size: script.size,
            by_day,
            held,
            faults_seen: tally.faults,
            places: Places {
                freed_by_world: tally.freed_by_world,
                freed: figures.freed,
                freed_awaited: figures.freed_awaited,
                refilled: figures.refilled,
                grabbed_by_114: tally.grabbed,
                taken_by_others: figures.taken_by_others,
                idle_minutes_p50: figures.idle_percentile(50),
                idle_minutes_p99: figures.idle_percentile(99),
            },
            applications: Applications {
                requests: tally.applied,
                admitted: tally.admitted,
                repeated: tally.repeated,
                refused: tally.refused,
                too_late: tally.too_late,
                by_payment_mode: figures.modes,
                by_status: figures.endings,
            },
            offers: Offers {
                made: figures.offers,
                confirmed: figures.confirmed,
                declined: figures.declined,
                lapsed: figures.lapsed,
                not_to_be_had: figures.lost,
            },
            money: Money {
                in_fen: figures.in_fen,
                booked_fen: figures.booked_fen,
                refunded_fen: figures.refunded_fen,
                queue_fen: figures.queue_fen,
            },
            messages: figures.letters,
            calls: Calls {
                his: figures.his_calls,
                payments: figures.payment_calls,
                repeated: figures.repeated,
                pushes: figures.pushes,
                pushes_disturbed: figures.pushes_disturbed,
                notices: figures.notices,
            },
            steps,
            wall_seconds: seconds(wall),
            troubles,
        }
    }

    /// What must never be, in words: an answer of the API that no caller should get, money that is nowhere.
    pub fn faults_of_ours(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.troubles.iter().map(|trouble| format!("the API: {trouble}")).collect();
        faults.extend(self.faults_seen.iter().cloned());
        let money = &self.money;
        let found = money.booked_fen + money.refunded_fen + money.queue_fen;
        if money.in_fen != found {
            let (came, found) = (Fen(money.in_fen), Fen(found));
            faults.push(format!("money: {came} came in, but {found} are booked, refunded or held"));
        }
        faults
    }

    /// What differed at the end of any day but the last, whose books are the end's.
    pub fn differed_before(&self) -> impl Iterator<Item = (NaiveDate, &Difference)> {
        let before = self.by_day.len().saturating_sub(1);
        self.by_day.iter().take(before).flat_map(|day| day.differences.iter().map(|one| (day.day, one)))
    }

    /// What differed at the end.
    pub fn differences(&self) -> &[Difference] {
        self.by_day.last().map(|day| day.differences.as_slice()).unwrap_or_default()
    }

    /// The table, ready to be printed.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        for (name, value) in self.rows() {
            table.add_row(vec![Cell::new(name), Cell::new(value).set_alignment(CellAlignment::Right)]);
        }
        table.to_string()
    }

    fn rows(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let (applications, places, offers, money) = (&self.applications, &self.places, &self.offers, &self.money);
        let refused: u32 = applications.refused.values().sum();
        let mut rows = vec![
            row("Applications (候补申请)", applications.requests.to_string()),
            row("  admitted", applications.admitted.to_string()),
            row("  the same request again", applications.repeated.to_string()),
            row("  refused", refused.to_string()),
        ];
        rows.extend(applications.refused.iter().map(|(code, n)| (format!("    {}", refusal(code)), n.to_string())));
        rows.push(row("What became of the admitted", String::new()));
        rows.extend(
            applications.by_status.iter().map(|(status, n)| (format!("  {}", in_words(status)), n.to_string())),
        );
        let idle = |minutes: Option<i64>| minutes.map_or("—".to_owned(), |minutes| format!("{minutes} min"));
        rows.extend([
            row("Places cancelled or added (退号、加号)", places.freed_by_world.to_string()),
            row("  times a place came free while somebody waited", places.freed_awaited.to_string()),
            row("  given to an applicant", places.refilled.to_string()),
            row("  taken by patients of 114", places.grabbed_by_114.to_string()),
            row("  awaited ones that others got first", places.taken_by_others.to_string()),
            row("  stood idle: half at most", idle(places.idle_minutes_p50)),
            row("  stood idle: 99 of 100 at most", idle(places.idle_minutes_p99)),
            row("Offers made", offers.made.to_string()),
            row("  confirmed by the patient", offers.confirmed.to_string()),
            row("  declined", offers.declined.to_string()),
            row("  not answered or not paid in time", offers.lapsed.to_string()),
            row("  not to be had, turn kept", offers.not_to_be_had.to_string()),
            row("Money in", Fen(money.in_fen).to_string()),
            row("  for booked visits", Fen(money.booked_fen).to_string()),
            row("  refunded", Fen(money.refunded_fen).to_string()),
            row("  held for those who still wait", Fen(money.queue_fen).to_string()),
        ]);
        let messages = |status: &str| self.messages.get(status).copied().unwrap_or(0).to_string();
        let calls = &self.calls;
        rows.extend([
            row("Messages sent", messages("sent")),
            row("  the patient cannot be reached this way", messages("undeliverable")),
            row("  put aside for a person", messages("suspended")),
            row("Calls to HIS", calls.his.to_string()),
            row("Calls to the payment provider", calls.payments.to_string()),
            row("  calls without an answer, repeated", calls.repeated.to_string()),
            row("  pushes lost, late, doubled or forged", calls.pushes_disturbed.to_string()),
        ]);
        rows.push(row("What the hospital asks for, seen to happen", String::new()));
        rows.extend(
            self.held.iter().map(|line| row(&format!("  {} {}", line.requirement, line.what), line.count.to_string())),
        );
        rows.push(row("Played in", format!("{:.1} s", self.wall_seconds)));
        rows
    }
}

/// What the callers' answers and the books say of what has to happen.
fn told(tally: &Tally, figures: &Figures) -> Vec<Line> {
    let refused = |code: &str| tally.refused.get(code).copied().unwrap_or(0);
    let line = |requirement, what, count| Line { requirement, what, count };
    let mut lines = vec![
        line("R1", "sent to book: places were free", refused("bookable_now")),
        line("R2", "refused where the waitlist is off", refused("waitlist_not_enabled")),
        line("R3", "refused by a full queue", refused("queue_full")),
        line("R4", "answered twice with one application", tally.repeated),
        line("R9", "offers heard", tally.offers_heard),
        line("R13", "places freed by patients, by 114 and by 加号", tally.freed_by_world),
        line("R15", "pushes of HIS", figures.pushes),
        line("R21", "bookings heard", tally.bookings_heard),
        line("R22", "visits cancelled", figures.endings.get("visitCancelled").copied().unwrap_or(0)),
        line("R28", "free places that 114 took", tally.grabbed),
        line("R35", "refused: too many applications of one person", refused("patient_limit")),
    ];
    lines.extend(figures.held.iter().cloned());
    lines
}

/// What a refusal's code means, for a manager; the codes are those of the API.
fn refusal(code: &str) -> String {
    let words = match code {
        "account_limit" => "too many persons of one account (账号限制)",
        "already_booked" => "has a visit there that day (当天已有预约)",
        "blacklisted" => "on the blacklist (黑名单)",
        "bookable_now" => "places are free: book one (有号可约)",
        "insurance_not_accepted" => "no 医保 in advance (不支持医保)",
        "invalid_latest_at" => "an hour that is over (截止时间已过)",
        "duplicate_application" => "in this queue already (重复申请)",
        "past_cutoff" => "the queue has closed (已截止)",
        "patient_limit" => "too many applications of one patient (申请过多)",
        "queue_full" => "the queue is full (候补已满)",
        "schedule_not_open" => "booking is not open yet (未放号)",
        "schedule_stopped" => "the schedule is stopped (停诊)",
        "unknown_patient" => "no such patient (无此就诊人)",
        "unknown_schedule" => "no such schedule (无此号源)",
        "waitlist_not_enabled" => "no waitlist there (未开启候补)",
        _ => return code.to_owned(),
    };
    format!("{words} · {code}")
}

fn in_words(status: &str) -> String {
    EntryStatus::parse(status).map_or_else(
        || status.to_owned(),
        |status| format!("{} ({})", status.label(Language::En), status.label(Language::ZhCn)),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn script() -> Script {
        let day = "2026-03-02".parse().unwrap();
        Script { seed: 7, faults: Level::Some, day, days: 1, size: Size::Full, progress: false }
    }

    #[test]
    fn an_answer_that_should_not_be_and_money_that_is_nowhere_are_faults() {
        let script = script();
        let figures =
            Figures { in_fen: 5000, booked_fen: 3000, refunded_fen: 1000, queue_fen: 900, ..Figures::default() };
        let trouble = vec!["GET /v1/runs: 500".to_owned()];
        let summary = Summary::new(&script, Tally::default(), figures, trouble, Vec::new(), 3, Duration::from_secs(1));
        let faults = summary.faults_of_ours();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("/v1/runs") && faults[1].contains("50.00 元") && faults[1].contains("49.00 元"));
    }

    #[test]
    fn it_is_a_table_and_one_line_of_json() {
        let script = script();
        let mut tally = Tally { applied: 12, admitted: 9, ..Tally::default() };
        tally.refused.insert("queue_full".to_owned(), 3);
        let mut figures = Figures { in_fen: 5000, booked_fen: 5000, ..Figures::default() };
        figures.endings.insert("booked".to_owned(), 4);
        figures.idle_min = vec![0, 1, 2, 30];
        let summary = Summary::new(&script, tally, figures, Vec::new(), Vec::new(), 3, Duration::from_millis(1_234));
        let table = summary.table();
        for word in ["queue_full", "Booked (挂号成功)", "50.00 元", "30 min"] {
            assert!(table.contains(word), "{word} in\n{table}");
        }
        assert!(table.contains("候补已满") && summary.faults_of_ours().is_empty());
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["applications"]["refused"]["queue_full"], 3);
        assert_eq!(json["places"]["idleMinutesP50"], 2);
        assert!(!serde_json::to_string(&summary).unwrap().contains('\n'));
    }
}
