//! The two clocks of a visit and the window of an offer (R25, E3): hospital wall-clock times turned into instants.
//!
//! Nothing here reads a clock; `now` is handed in. A wall-clock time that a zone skips counts as the end of the gap,
//! one that it has twice as the earlier. Arithmetic beyond the calendar's end stops at the end.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::working_days::WorkingDays;

/// When a queue closes, in hospital time: so many calendar days before the visit, at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cutoff {
    /// Calendar days before the visit; 0 is the day itself.
    pub days_before: u32,
    /// Hospital wall-clock time.
    pub at: NaiveTime,
    /// True: where that day is a weekend day or a holiday, the last working day before it (the calendar has holidays and
    /// 调休). The default is false: the day counts, whatever it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_working_day: bool,
}

/// The part of the day in which nobody is expected to answer an offer, in hospital time; may run over midnight.
/// Where both ends are equal, no time is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// The first quiet moment.
    pub from: NaiveTime,
    /// The first moment that is not quiet any more.
    pub to: NaiveTime,
}

impl QuietHours {
    /// When the quiet hours that `now` lies in end; `None` outside them.
    pub fn quiet_end(&self, now: DateTime<Utc>, tz: Tz) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&tz).naive_local();
        let (today, time) = (local.date(), local.time());
        let end_day = if self.from <= self.to {
            (self.from <= time && time < self.to).then_some(today)
        } else if time >= self.from {
            today.checked_add_days(Days::new(1))
        } else {
            (time < self.to).then_some(today)
        }?;
        let end = end_day.and_time(self.to);
        let instant = instant(end, tz);
        if instant > now {
            return Some(instant);
        }
        // `now` lies in the second of two equal hours: the end is the second too.
        tz.from_local_datetime(&end).latest().map(|later| later.to_utc()).filter(|later| *later > now)
    }
}

/// When the queue of this visit closes: from this instant on there are no new entries and no new offers (R24, R25).
pub fn cutoff_at(visit_date: NaiveDate, cutoff: &Cutoff, worked: &WorkingDays, tz: Tz) -> DateTime<Utc> {
    let day = visit_date.checked_sub_days(Days::new(cutoff.days_before.into())).unwrap_or(NaiveDate::MIN);
    let day = if cutoff.on_working_day { worked.on_or_before(day) } else { day };
    instant(day.and_time(cutoff.at), tz)
}

/// When one entry ends: at the queue's cutoff, or earlier where the patient asked for it (`latestAt`).
pub fn entry_ends_at(cutoff_at: DateTime<Utc>, latest_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    latest_at.map_or(cutoff_at, |latest| latest.min(cutoff_at))
}

/// True from the cutoff on: at 17:59:59 an application is in time, at 18:00:00 it is not (R25).
pub fn past_cutoff(now: DateTime<Utc>, cutoff_at: DateTime<Utc>) -> bool {
    now >= cutoff_at
}

/// When the last visit of a day is over: at its end.
pub fn visits_end(visit_date: NaiveDate, tz: Tz) -> DateTime<Utc> {
    visit_starts_at(visit_date.succ_opt().unwrap_or(visit_date), NaiveTime::MIN, tz)
}

/// When a visit begins.
pub fn visit_starts_at(visit_date: NaiveDate, begins: NaiveTime, tz: Tz) -> DateTime<Utc> {
    instant(visit_date.and_time(begins), tz)
}

/// From when on no payment is taken any more (E3).
pub fn hard_stop_at(visit_starts_at: DateTime<Utc>, minutes_before_visit: u32) -> DateTime<Utc> {
    visit_starts_at.checked_sub_signed(minutes(minutes_before_visit)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Until when an offer made `now` may be accepted and paid (E3): the window runs from the end of the quiet hours, and
/// ends at the hard stop at the latest. Not after `now` where the hard stop has passed: then nothing can be offered.
pub fn offer_deadline(
    now: DateTime<Utc>,
    window_minutes: u32,
    quiet_hours: Option<&QuietHours>,
    hard_stop: DateTime<Utc>,
    tz: Tz,
) -> DateTime<Utc> {
    let start = quiet_hours.and_then(|quiet| quiet.quiet_end(now, tz)).map_or(now, |end| end.max(now));
    later(start, window_minutes).min(hard_stop)
}

/// The earliest end of an offer that is made `now`: nobody is asked who has less than ten minutes to answer, or less
/// than half of a window that is shorter.
pub fn least_deadline(now: DateTime<Utc>, window_minutes: u32) -> DateTime<Utc> {
    const LEAST: TimeDelta = TimeDelta::minutes(10);
    now.checked_add_signed((minutes(window_minutes) / 2).min(LEAST)).unwrap_or(now)
}

/// Window and grace of an offer, minutes, where HIS holds a place for a time of its own (2005): the grace takes half of that at the
/// most, the window what is left.
pub fn within_lock(held_minutes: u32, window_minutes: u32, grace_minutes: u32) -> (u32, u32) {
    let grace = grace_minutes.min(held_minutes / 2);
    (window_minutes.min(held_minutes - grace), grace)
}

/// `LOCK_MINUTES` for HIS: the lock outlasts the offer by the grace in which a late payment is still reported (E4).
/// Begun minutes count as whole ones.
pub fn lock_minutes(now: DateTime<Utc>, deadline: DateTime<Utc>, grace_minutes: u32) -> u32 {
    let open_seconds = deadline.signed_duration_since(now).num_milliseconds().max(0).saturating_add(999) / 1000;
    let open_minutes = open_seconds.saturating_add(59) / 60;
    u32::try_from(open_minutes).unwrap_or(u32::MAX).saturating_add(grace_minutes)
}

/// When a place that was freed `now` is handed out (R33): after a tenth of the longest delay, and `chance` of 65,536 of the
/// rest. Never more than a tenth of what is left to the cutoff is waited, so that a place is not lost to waiting.
pub fn handed_out_at(now: DateTime<Utc>, delay_minutes_max: u32, cutoff: DateTime<Utc>, chance: u16) -> DateTime<Utc> {
    let left = cutoff.signed_duration_since(now).max(TimeDelta::zero()) / 10;
    let longest = minutes(delay_minutes_max).min(left).num_milliseconds();
    let least = longest / 10;
    let delay = least + (longest - least) * i64::from(chance) / 65_536;
    now.checked_add_signed(TimeDelta::milliseconds(delay)).unwrap_or(now)
}

/// `minutes_later` minutes after `start`.
pub fn later(start: DateTime<Utc>, minutes_later: u32) -> DateTime<Utc> {
    start.checked_add_signed(minutes(minutes_later)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn minutes(count: u32) -> TimeDelta {
    TimeDelta::minutes(count.into())
}

/// When a day of this zone begins.
pub fn day_begins(day: NaiveDate, tz: Tz) -> DateTime<Utc> {
    instant(day.and_time(NaiveTime::MIN), tz)
}

/// When the day after it begins.
pub fn day_ends(day: NaiveDate, tz: Tz) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).map_or(DateTime::<Utc>::MAX_UTC, |next| day_begins(next, tz))
}

/// The instant of a wall-clock time.
fn instant(local: NaiveDateTime, tz: Tz) -> DateTime<Utc> {
    /// Whole days have been skipped (Samoa, 30 December 2011); nothing longer is known.
    const LONGEST_GAP_MINUTES: i64 = 26 * 60;
    match tz.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            let minute = local.with_second(0).and_then(|local| local.with_nanosecond(0)).unwrap_or(local);
            (1..=LONGEST_GAP_MINUTES)
                .filter_map(|ahead| minute.checked_add_signed(TimeDelta::minutes(ahead)))
                .find_map(|ahead| tz.from_local_datetime(&ahead).earliest())
                .map_or(local.and_utc(), |instant| instant.to_utc())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono_tz::America::New_York;
    use chrono_tz::Asia::Shanghai;
    use chrono_tz::Pacific::Apia;
    use proptest::prelude::*;

    use super::*;

    const NIGHT: QuietHours = QuietHours { from: hm(23, 0), to: hm(6, 0) };
    const SIX_PM: Cutoff = Cutoff { days_before: 1, at: hm(18, 0), on_working_day: false };

    const fn hm(hour: u32, minute: u32) -> NaiveTime {
        match NaiveTime::from_hms_opt(hour, minute, 0) {
            Some(time) => time,
            None => NaiveTime::MIN,
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn r25_the_queue_closes_at_six_on_the_day_before() {
        let worked = WorkingDays::default();
        let cutoff = cutoff_at(day("2025-08-14"), &SIX_PM, &worked, Shanghai);
        assert_eq!(cutoff, at("2025-08-13T18:00:00+08:00"));
        assert!(!past_cutoff(at("2025-08-13T17:59:59.999+08:00"), cutoff));
        assert!(past_cutoff(at("2025-08-13T18:00:00+08:00"), cutoff));
        assert_eq!(cutoff_at(day("2025-01-01"), &SIX_PM, &worked, Shanghai), at("2024-12-31T18:00:00+08:00"));
        let same_day = Cutoff { days_before: 0, at: hm(7, 0), on_working_day: false };
        assert_eq!(cutoff_at(day("2025-08-14"), &same_day, &worked, Shanghai), at("2025-08-14T07:00:00+08:00"));
    }

    #[test]
    fn r25_the_queue_closes_on_the_last_working_day() {
        let holidays = (1..=7).map(|nth| NaiveDate::from_ymd_opt(2026, 10, nth).unwrap());
        let worked = WorkingDays::default().with(holidays, [day("2026-10-10")]).unwrap();
        let table = [
            // Behind the holiday, on its last day, after a Saturday that is worked, after an ordinary weekend.
            ("2026-10-08", 1, "2026-09-30T18:00:00+08:00"),
            ("2026-10-07", 1, "2026-09-30T18:00:00+08:00"),
            ("2026-10-11", 1, "2026-10-10T18:00:00+08:00"),
            ("2026-10-19", 1, "2026-10-16T18:00:00+08:00"),
            ("2026-10-09", 1, "2026-10-08T18:00:00+08:00"),
            // The days before are calendar days.
            ("2026-10-12", 2, "2026-10-10T18:00:00+08:00"),
            ("2026-10-18", 0, "2026-10-16T18:00:00+08:00"),
        ];
        for (visit, days_before, closes) in table {
            let cutoff = Cutoff { days_before, at: hm(18, 0), on_working_day: true };
            assert_eq!(cutoff_at(day(visit), &cutoff, &worked, Shanghai), at(closes), "{visit} {days_before}");
        }
    }

    #[test]
    fn r25_a_cutoff_without_the_working_day_rule_is_read_and_written_as_before() {
        let stored = r#"{"daysBefore":1,"at":"18:00:00"}"#;
        let cutoff: Cutoff = serde_json::from_str(stored).unwrap();
        assert_eq!(cutoff, SIX_PM);
        assert_eq!(serde_json::to_string(&cutoff).unwrap(), stored);
        let ruled = Cutoff { on_working_day: true, ..SIX_PM };
        assert_eq!(serde_json::from_value::<Cutoff>(serde_json::to_value(ruled).unwrap()).unwrap(), ruled);
    }

    #[test]
    fn r24_a_patient_may_end_earlier_but_not_later() {
        let (noon, six) = (at("2025-08-13T12:00:00+08:00"), at("2025-08-13T18:00:00+08:00"));
        assert_eq!(entry_ends_at(six, None), six);
        assert_eq!(entry_ends_at(six, Some(noon)), noon);
        assert_eq!(entry_ends_at(noon, Some(six)), noon);
    }

    #[test]
    fn a_skipped_time_is_the_end_of_the_gap_and_a_double_one_the_earlier() {
        let table = [
            (New_York, "2025-03-09", hm(2, 30), "2025-03-09T03:00:00-04:00"),
            (New_York, "2025-03-09", NaiveTime::from_hms_opt(2, 59, 59).unwrap(), "2025-03-09T03:00:00-04:00"),
            (New_York, "2025-11-02", hm(1, 30), "2025-11-02T01:30:00-04:00"),
            (New_York, "2025-11-02", hm(2, 0), "2025-11-02T02:00:00-05:00"),
            (Apia, "2011-12-30", hm(0, 0), "2011-12-31T00:00:00+14:00"),
            (Shanghai, "2025-03-09", hm(0, 0), "2025-03-09T00:00:00+08:00"),
        ];
        for (tz, date, time, expected) in table {
            assert_eq!(visit_starts_at(day(date), time, tz), at(expected), "{date} {time}");
        }
    }

    #[test]
    fn q5_quiet_hours_run_over_midnight() {
        let table = [
            ("2025-08-13T22:59:59+08:00", None),
            ("2025-08-13T23:00:00+08:00", Some("2025-08-14T06:00:00+08:00")),
            ("2025-08-14T00:00:00+08:00", Some("2025-08-14T06:00:00+08:00")),
            ("2025-08-14T05:59:59+08:00", Some("2025-08-14T06:00:00+08:00")),
            ("2025-08-14T06:00:00+08:00", None),
        ];
        for (now, end) in table {
            assert_eq!(NIGHT.quiet_end(at(now), Shanghai), end.map(at), "{now}");
        }
        let siesta = QuietHours { from: hm(12, 0), to: hm(14, 0) };
        assert_eq!(siesta.quiet_end(at("2025-08-13T13:00:00+08:00"), Shanghai), Some(at("2025-08-13T14:00:00+08:00")));
        assert_eq!(siesta.quiet_end(at("2025-08-13T23:00:00+08:00"), Shanghai), None);
        let never = QuietHours { from: hm(3, 0), to: hm(3, 0) };
        assert_eq!(never.quiet_end(at("2025-08-13T03:00:00+08:00"), Shanghai), None);
    }

    #[test]
    fn quiet_hours_end_in_the_hour_that_comes_twice() {
        let quiet = QuietHours { from: hm(23, 0), to: hm(1, 30) };
        let table = [
            // The first 01:10, then the second.
            ("2025-11-02T01:10:00-04:00", "2025-11-02T01:30:00-04:00"),
            ("2025-11-02T01:10:00-05:00", "2025-11-02T01:30:00-05:00"),
        ];
        for (now, end) in table {
            assert_eq!(quiet.quiet_end(at(now), New_York), Some(at(end)), "{now}");
        }
    }

    #[test]
    fn e03_an_offer_waits_for_the_morning_and_stops_at_the_hard_stop() {
        let starts = visit_starts_at(day("2025-08-14"), hm(8, 0), Shanghai);
        let hard_stop = hard_stop_at(starts, 60);
        assert_eq!(hard_stop, at("2025-08-14T07:00:00+08:00"));
        let table = [
            ("2025-08-13T17:59:00+08:00", "2025-08-13T18:29:00+08:00"),
            ("2025-08-13T22:59:59+08:00", "2025-08-13T23:29:59+08:00"),
            ("2025-08-14T02:00:00+08:00", "2025-08-14T06:30:00+08:00"),
            ("2025-08-14T06:45:00+08:00", "2025-08-14T07:00:00+08:00"),
            ("2025-08-14T07:30:00+08:00", "2025-08-14T07:00:00+08:00"),
        ];
        for (now, deadline) in table {
            assert_eq!(offer_deadline(at(now), 30, Some(&NIGHT), hard_stop, Shanghai), at(deadline), "{now}");
        }
        let awake = offer_deadline(at("2025-08-14T02:00:00+08:00"), 30, None, hard_stop, Shanghai);
        assert_eq!(awake, at("2025-08-14T02:30:00+08:00"));
    }

    #[test]
    fn e04_a_lock_counts_begun_minutes_and_the_grace() {
        let now = at("2025-08-13T10:00:00+08:00");
        let table = [
            ("2025-08-13T10:30:00+08:00", 40),
            ("2025-08-13T10:29:01+08:00", 40),
            ("2025-08-13T10:30:00.001+08:00", 41),
            ("2025-08-13T10:00:00+08:00", 10),
            ("2025-08-13T09:00:00+08:00", 10),
        ];
        for (deadline, expected) in table {
            assert_eq!(lock_minutes(now, at(deadline), 10), expected, "{deadline}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        let worked = WorkingDays::default();
        for on_working_day in [false, true] {
            let far = Cutoff { days_before: u32::MAX, at: hm(18, 0), on_working_day };
            let _ = cutoff_at(day("2025-08-14"), &far, &worked, Shanghai);
        }
        for tz in [Shanghai, New_York] {
            let _ = cutoff_at(NaiveDate::MIN, &SIX_PM, &worked, tz);
            let _ = visit_starts_at(NaiveDate::MAX, hm(23, 59), tz);
        }
        assert_eq!(later(DateTime::<Utc>::MAX_UTC, u32::MAX), DateTime::<Utc>::MAX_UTC);
        let _ = hard_stop_at(DateTime::<Utc>::MIN_UTC, u32::MAX);
        assert_eq!(lock_minutes(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, u32::MAX), u32::MAX);
    }

    fn zone() -> impl Strategy<Value = Tz> {
        prop_oneof![Just(Shanghai), Just(New_York), Just(Apia)]
    }

    fn moment() -> impl Strategy<Value = DateTime<Utc>> {
        // 2005 to 2036.
        (1_104_537_600_i64..2_082_758_400).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
    }

    fn time() -> impl Strategy<Value = NaiveTime> {
        (0_u32..86_400).prop_map(|second| NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap())
    }

    fn quiet() -> impl Strategy<Value = QuietHours> {
        (time(), time()).prop_map(|(from, to)| QuietHours { from, to })
    }

    /// Any days around the visit, some of them free and some worked.
    fn year(around: NaiveDate) -> impl Strategy<Value = WorkingDays> {
        let near = move || proptest::collection::btree_set(-40_i64..10, 0..40);
        (near(), near()).prop_map(move |(free, worked)| {
            let dates = |set: Vec<i64>| set.into_iter().map(move |by| around + TimeDelta::days(by));
            let made_up = worked.difference(&free).copied().collect();
            WorkingDays::default().with(dates(free.into_iter().collect()), dates(made_up)).unwrap()
        })
    }

    fn visit_and_year() -> impl Strategy<Value = (NaiveDate, WorkingDays)> {
        moment().prop_map(|moment| moment.date_naive()).prop_flat_map(|visit| (Just(visit), year(visit)))
    }

    proptest! {
        #[test]
        fn r25_a_queue_closes_on_a_working_day_before_the_visit_and_never_later_than_without_the_rule(
            (visit, worked) in visit_and_year(), days_before in 0_u32..60, at in time(),
            tz in prop_oneof![Just(Shanghai), Just(New_York)],
        ) {
            let cutoff = Cutoff { days_before, at, on_working_day: true };
            let plain = Cutoff { on_working_day: false, ..cutoff };
            let closes = cutoff_at(visit, &cutoff, &worked, tz);
            let closing_day = closes.with_timezone(&tz).date_naive();
            prop_assert!(worked.is_working(closing_day));
            prop_assert!(closing_day <= visit - Days::new(days_before.into()));
            prop_assert!(days_before == 0 || closes < visit_starts_at(visit, NaiveTime::MIN, tz));
            prop_assert!(closes <= cutoff_at(visit, &plain, &worked, tz));
            // And not a working day earlier than it need be.
            let mut between = closing_day.iter_days().skip(1).take_while(|day| *day <= visit - Days::new(days_before.into()));
            prop_assert!(between.all(|day| !worked.is_working(day)));
        }

        #[test]
        fn r33_a_freed_place_waits_by_chance_within_its_bounds(
            now in moment(), cutoff in moment(), most in 0_u32..1440, chance in any::<u16>(),
        ) {
            let at = handed_out_at(now, most, cutoff, chance);
            prop_assert!(at >= now && at <= later(now, most));
            prop_assert!(at == now || (at - now) * 10 <= cutoff - now);
            let [soonest, latest] = [0, u16::MAX].map(|chance| handed_out_at(now, most, cutoff, chance));
            prop_assert!((soonest..=latest).contains(&at));
            prop_assert!((latest - now) <= (soonest - now) * 10 + TimeDelta::milliseconds(10));
            prop_assert!(soonest > now || most == 0 || cutoff - now < TimeDelta::seconds(1));
        }

        #[test]
        fn quiet_ends_ahead_and_within_a_day(now in moment(), quiet in quiet(), tz in zone()) {
            if let Some(end) = quiet.quiet_end(now, tz) {
                prop_assert!(end > now);
                // A day, the skipped day of Samoa, and an hour that comes twice.
                prop_assert!(end - now <= TimeDelta::hours(49));
            }
        }

        #[test]
        fn some_time_of_each_day_is_not_quiet(now in moment(), quiet in quiet()) {
            let end = quiet.quiet_end(now, Shanghai);
            prop_assert!(end.is_none_or(|end| quiet.quiet_end(end, Shanghai).is_none()));
        }

        #[test]
        fn no_deadline_is_after_the_hard_stop_nor_shorter_than_it_need_be(
            now in moment(), hard_stop in moment(), window in 0_u32..20_000, quiet in proptest::option::of(quiet()),
            grace in 0_u32..60, tz in zone(),
        ) {
            let deadline = offer_deadline(now, window, quiet.as_ref(), hard_stop, tz);
            prop_assert!(deadline <= hard_stop);
            prop_assert!(deadline == hard_stop || deadline >= later(now, window));
            prop_assert!(least_deadline(now, window) <= later(now, window));
            prop_assert!(least_deadline(now, window) <= now + TimeDelta::minutes(10));
            let lock_ends = later(now, lock_minutes(now, deadline, grace));
            prop_assert!(lock_ends >= later(deadline.max(now), grace));
        }

        #[test]
        fn a_wall_clock_time_is_met_or_skipped_forward(now in moment(), time in time(), tz in zone()) {
            let date = now.with_timezone(&tz).date_naive();
            let local = visit_starts_at(date, time, tz).with_timezone(&tz).naive_local();
            prop_assert!(local >= date.and_time(time));
            prop_assert!(local == date.and_time(time) || tz.from_local_datetime(&date.and_time(time)).earliest().is_none());
        }
    }
}
