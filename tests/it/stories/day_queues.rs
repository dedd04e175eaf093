//! One queue a doctor and day (Q2): who waits is offered a place of any half-day of the day, in one order, and keeps the turn where
//! one half-day stops or the setting changes.

use futures::FutureExt;
use houbu::engine::RunId;
use houbu::ports::his::{DayPart, Push};
use houbu::sandbox::his::channel;
use houbu::waitlist::draw::Transcript;
use houbu::waitlist::policy::{LevelPolicy, OtherQueues, PaymentMode, QueueOrder, QueuePer};
use reqwest::Method;
use serde_json::{Value, json};

use super::{of_application, statuses};
use crate::hospital::world::{CAMPUS, DEPARTMENT, visit_date};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

async fn per_day(mode: PaymentMode) -> Hospital {
    let mut setup = Setup::paying(mode);
    setup.policy.queue_per = Some(QueuePer::Day);
    Hospital::open(setup).await
}

/// The same where a patient who is booked is asked whether the other applications of that day are kept (R35).
async fn that_asks(mode: PaymentMode) -> Hospital {
    let mut setup = Setup::paying(mode);
    (setup.policy.queue_per, setup.policy.other_queues) = (Some(QueuePer::Day), Some(OtherQueues::Ask));
    Hospital::open(setup).await
}

impl Hospital {
    /// Where an application stands: its status, schedule and position.
    async fn stands(&self, entry: RunId) -> (String, String, Option<i64>) {
        let shown = self.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
        let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        (text("status"), text("scheduleId"), shown["position"].as_i64())
    }

    /// The length of a schedule's queue, what has it, and why nobody may join.
    async fn queue(&self, schedule: &str) -> (i64, String, Option<String>) {
        let queue = self.ask(Method::GET, &format!("/v1/schedules/{schedule}/waitlist"), None).await;
        let per = queue["queuePer"].as_str().unwrap().to_owned();
        (queue["length"].as_i64().unwrap(), per, queue["reasonCode"].as_str().map(str::to_owned))
    }

    async fn has_queues_per(&self, what: &str) {
        let policy = json!({ "switch": "on", "paymentMode": "none", "queuePer": what });
        self.ask(Method::PUT, &format!("/v1/policies/campus/{CAMPUS}"), Some(policy)).await;
    }
}

fn at(status: &str, schedule: &str, position: Option<i64>) -> (String, String, Option<i64>) {
    (status.to_owned(), schedule.to_owned(), position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r16_two_half_days_are_one_queue_and_the_first_in_line_gets_a_place_of_either() {
    let hospital = per_day(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-pm", 3).await];
    assert_eq!(hospital.stands(entries[2]).await, at("waiting", "w1-pm", Some(3)));
    for half in ["w1-am", "w1-pm"] {
        assert_eq!(hospital.queue(half).await, (3, "day".to_owned(), None), "{half}");
    }
    assert_eq!(hospital.queue("w2-am").await, (0, "day".to_owned(), None), "another doctor's is another one");
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting", "waiting"]);
    assert_eq!(hospital.stands(entries[0]).await, at("booked", "w1-pm", None));
    assert_eq!(hospital.stands(entries[2]).await, at("waiting", "w1-pm", Some(2)));
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.stands(entries[1]).await, at("booked", "w1-am", None));
    assert_eq!(hospital.stands(entries[2]).await, at("booked", "w1-am", None));
    let visits = hospital.ask(Method::GET, "/v1/appointments?patientId=p1", None).await;
    assert_eq!(visits["items"][0]["scheduleId"], "w1-pm", "{visits}");
    hospital.finish().await;
}

/// The half-day that somebody booked belongs to whoever books: a visit that is cancelled frees a place of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r13_a_cancelled_visit_of_the_other_half_is_a_place_for_the_whole_day() {
    let hospital = per_day(PaymentMode::None).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-pm").await;
    hospital.cancel_visit(entries[0]).await;
    hospital.pass_seconds(2).await;
    assert_eq!(hospital.stands(entries[1]).await, at("booked", "w1-pm", None));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r20_a_place_of_the_other_half_is_locked_confirmed_and_paid() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-pm").await;
    assert_eq!(hospital.stands(entry).await, at("offered", "w1-pm", None));
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.stands(entry).await, at("booked", "w1-pm", None));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r06_a_prepaid_turn_goes_to_the_other_half_with_its_money() {
    let hospital = per_day(PaymentMode::Prepay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 2).await];
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.stands(entries[1]).await, at("waiting", "w1-pm", Some(2)));
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting"]);
    hospital.pass_until(crate::hospital::world::cutoff()).await;
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "expired"], "R26: with everybody else of the day");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1, "R27");
    hospital.finish().await;
}

/// Both hand-outs may ask the same first one: one is heard, and the other one's place is the next one's soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_e08_places_of_both_halves_at_once_go_to_two() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 2).await, hospital.apply("w1-am", 3).await];
    hospital.free_a_place_and_go_on("w1-am").await;
    hospital.free_a_place_and_go_on("w1-pm").await;
    hospital.pass_seconds(15).await;
    hospital.pass_seconds(15).await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "offered", "waiting"]);
    let (one, two) = (hospital.stands(entries[0]).await.1, hospital.stands(entries[1]).await.1);
    assert_ne!(one, two, "each has a place of another half-day");
    for entry in &entries[..2] {
        hospital.confirm(*entry).await;
    }
    hospital.pass_minutes(1).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "waiting"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r34_where_one_half_stops_whoever_waits_waits_on_for_the_other() {
    let hospital = per_day(PaymentMode::None).await;
    let booked = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let waiting =
        [hospital.apply("w1-am", 2).await, hospital.apply("w1-pm", 3).await, hospital.apply("w1-am", 4).await];
    hospital.stop("w1-am").await;
    assert_eq!(hospital.status(booked).await, "stopped");
    assert_eq!(statuses(&hospital, waiting).await, ["waiting"; 3]);
    assert_eq!(hospital.stands(waiting[0]).await, at("waiting", "w1-pm", Some(1)), "and keeps the turn");
    assert_eq!(hospital.stands(waiting[2]).await, at("waiting", "w1-pm", Some(3)));
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, waiting).await, ["booked", "waiting", "waiting"]);
    hospital.stop("w1-pm").await;
    assert_eq!(statuses(&hospital, waiting).await, ["stopped"; 3], "no half-day is left");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r34_where_one_half_stops_an_offer_of_it_ends_and_one_of_the_other_stands() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "offered"]);
    hospital.stop("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["stopped", "offered"]);
    hospital.confirm(entries[1]).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.stands(entries[1]).await, at("booked", "w1-pm", None));
    hospital.finish().await;
}

/// Whoever is being asked something is not moved, and stands at a half-day that has stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r34_whoever_was_asked_when_one_half_stopped_is_told_when_no_half_is_left() {
    let hospital = that_asks(PaymentMode::Prepay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w2-am", 1).await];
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w2-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked"]);
    hospital.stop("w1-am").await;
    hospital.answer(entries[0], "keep").await;
    assert_eq!(hospital.stands(entries[0]).await, at("waiting", "w1-am", Some(1)));
    hospital.stop("w1-pm").await;
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, entries).await, ["stopped", "booked"]);
    assert_eq!(hospital.pay.books().await.refunds.len(), 1, "and the money goes back at once");
    assert_eq!(hospital.told(1).await.iter().filter(|one| *one == "waitlist_failed").count(), 1);
    hospital.finish().await;
}

/// A half-day stops while a place of it is on its way to somebody at the other one, who goes there with it and finds nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r34_an_offer_that_a_stop_overtakes_leaves_the_turn_where_the_day_lives_on() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 2).await];
    let (his, desk, pool) = (hospital.his.clone(), hospital.desk.clone(), hospital.db.pool.clone());
    hospital.mishaps.just_before(&of_application("Waiting"), move || {
        async move {
            assert!(his.stop_schedule("w1-pm").await.unwrap());
            let push = Push::Stopped {
                event_id: "stops-w1-pm".to_owned(),
                department_id: DEPARTMENT.to_owned(),
                doctor_id: "W1".to_owned(),
                visit_date: visit_date(),
                part: Some(DayPart::Afternoon),
                slot: None,
                remark: String::new(),
            };
            desk.his_push(&push).await.unwrap();
            let over = "select step = 'Closed' from run where workflow = 'slot_release' and key = 'w1-pm'";
            let over = async || sqlx::query_scalar::<_, bool>(over).fetch_one(&pool).await.unwrap();
            wait_for("everybody to be told", || async { over().await }).await;
        }
        .boxed()
    });
    hospital.free_a_place("w1-pm").await;
    assert_eq!(hospital.stands(entries[0]).await, at("waiting", "w1-am", Some(1)));
    assert_eq!(hospital.stands(entries[1]).await, at("waiting", "w1-am", Some(2)));
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"]);
    hospital.stop("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["stopped"; 2]);
    hospital.finish().await;
}

/// That nobody waits was true while the only one was asked about a place of the other half-day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r16_whoever_declines_a_place_of_one_half_is_offered_one_of_the_other_that_came_free_meanwhile() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    (setup.policy.queue_per, setup.policy.declines_max) = (Some(QueuePer::Day), Some(2));
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-pm").await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.stands(entry).await, at("offered", "w1-pm", None));
    hospital.decline(entry).await;
    assert_eq!(hospital.stands(entry).await, at("offered", "w1-am", None));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r28_whoever_loses_a_place_of_one_half_is_offered_one_of_the_other_that_came_free_meanwhile() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let (his, desk, pool) = (hospital.his.clone(), hospital.desk.clone(), hospital.db.pool.clone());
    hospital.mishaps.just_before(&of_application("Locking"), move || {
        async move {
            assert!(his.grab("w1-pm", channel::PLATFORM_114).await.unwrap());
            assert!(his.cancel_ordinary("w1-am", 0, channel::WINDOW, false).await.unwrap().is_some());
            desk.release_slot("w1-am", "at the same moment").await.unwrap();
            let found = "select count(*) > 0 from turn t join run r on r.tenant = t.tenant and r.id = t.run_id
                         where r.workflow = 'slot_release' and r.key = 'w1-am' and t.outcome = 'Nobody'";
            let found = async || sqlx::query_scalar::<_, bool>(found).fetch_one(&pool).await.unwrap();
            wait_for("nobody to be found", || async { found().await }).await;
        }
        .boxed()
    });
    hospital.free_a_place("w1-pm").await;
    assert_eq!(hospital.stands(entry).await, at("offered", "w1-am", None));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r35_whoever_keeps_the_application_gets_a_place_of_the_other_half_that_came_free_before_the_answer() {
    let hospital = that_asks(PaymentMode::None).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w2-am", 1).await];
    hospital.free_a_place("w2-am").await;
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked"]);
    hospital.answer(entries[0], "keep").await;
    assert_eq!(hospital.stands(entries[0]).await, at("booked", "w1-pm", None));
    hospital.finish().await;
}

/// HIS says of both half-days that places are free, and gives none: nobody is woken by that for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_places_that_his_does_not_give_are_not_asked_about_for_ever() {
    let hospital = per_day(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.line.refuses_locks();
    for half in ["w1-am", "w1-pm"] {
        hospital.free_silently(half, 4).await;
    }
    for (half, event) in [("w1-am", "1"), ("w1-pm", "2"), ("w1-am", "3"), ("w1-pm", "4")] {
        hospital.desk.release_slot(half, event).await.unwrap();
    }
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// Each waits for what it joined, in one order, whatever the setting says by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r29_a_setting_that_changes_moves_nobody_who_waits() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let half = hospital.apply("w1-am", 1).await;
    hospital.has_queues_per("day").await;
    // The morning is one of the day's half-days: the same patient's second turn there would be a second place.
    let twice = hospital.door.apply("w1-pm", "p1").await;
    assert_eq!((twice.status, twice.code()), (409, "duplicate_application"));
    let day = [hospital.apply("w1-am", 2).await, hospital.apply("w1-pm", 3).await];
    hospital.free_a_place("w1-pm").await;
    assert_eq!(hospital.stands(half).await, at("waiting", "w1-am", Some(1)), "it never asked for the afternoon");
    assert_eq!(hospital.stands(day[0]).await, at("booked", "w1-pm", None));
    let carried = format!("/v1/policies/campus/{CAMPUS}/applications");
    hospital.has_queues_per("halfDay").await;
    hospital.ask(Method::POST, &carried, Some(json!({ "reason": "all go by the new settings" }))).await;
    let late = hospital.apply("w1-am", 4).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [half, day[1], late]).await, ["booked", "waiting", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.stands(day[1]).await, at("booked", "w1-am", None), "admitted for the day, before the late one");
    assert_eq!(hospital.status(late).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_r17_the_half_days_of_a_day_are_drawn_together() {
    let mut setup = Setup::paying(PaymentMode::None);
    setup.policy = LevelPolicy {
        queue_per: Some(QueuePer::Day),
        order: Some(QueueOrder::Random),
        draw_window_minutes: Some(30),
        ..setup.policy
    };
    let hospital = Hospital::open(Setup { patients: 8, ..setup }).await;
    let draw = async |half: &str| hospital.ask(Method::GET, &format!("/v1/schedules/{half}/draw"), None).await;
    let published = draw("w1-pm").await["commitment"].clone();
    let mut entries = Vec::new();
    for patient in 1..=8 {
        entries.push(hospital.apply(if patient % 2 == 0 { "w1-am" } else { "w1-pm" }, patient).await);
    }
    for half in ["w1-am", "w1-pm"] {
        let open = draw(half).await;
        assert_eq!((&open["stage"], &open["commitment"]), (&json!("open"), &published), "{half}");
    }
    assert_eq!(hospital.stands(entries[0]).await.2, None, "no place before the draw");
    hospital.free_a_place("w1-pm").await;
    assert_eq!(hospital.queue("w1-am").await.0, 8, "and nobody is served before");
    hospital.pass_minutes(31).await;
    let (answer, other) = (draw("w1-am").await, draw("w1-pm").await);
    assert_eq!(answer, other);
    let fields = ["procedure", "hospital", "scheduleId", "commitment", "seed", "applications", "order"];
    let transcript: Value = fields.iter().map(|name| ((*name).to_owned(), answer[*name].clone())).collect();
    let transcript: Transcript = serde_json::from_value(transcript).unwrap();
    assert_eq!(transcript.verify(published.as_str()), Ok(()));
    assert_eq!(transcript.applications, entries);
    let served = &transcript.order;
    assert_eq!(hospital.stands(served[0]).await, at("booked", "w1-pm", None));
    for (nth, entry) in served[1..].iter().enumerate() {
        assert_eq!(hospital.stands(*entry).await.2, i64::try_from(nth + 1).ok());
    }
    // Staff see one line too, whichever half-day they look at.
    for half in ["w1-am", "w1-pm"] {
        let people = hospital.desk.queue(half, 0, 100).await.unwrap();
        let line: Vec<_> = people.iter().filter(|one| one.status == "waiting").collect();
        assert_eq!(line.iter().map(|one| one.id).collect::<Vec<_>>(), served[1..], "{half}");
        for (nth, one) in line.iter().enumerate() {
            assert_eq!(one.place, i64::try_from(nth + 1).ok(), "{half}");
            assert_eq!((one.arrived.is_some(), one.drawn), (true, i32::try_from(nth + 2).ok()), "{half}");
        }
    }
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.stands(served[1]).await, at("booked", "w1-am", None));
    hospital.finish().await;
}
