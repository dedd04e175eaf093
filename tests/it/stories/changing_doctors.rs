//! 替诊 and 改诊 (R34): another doctor sees the patients of a schedule, or on another day or half-day. Everybody is asked, nobody is
//! moved silently, and whoever does not agree has the money back.

use chrono::NaiveDate;
use houbu::engine::RunId;
use houbu::ports::his::envelope::Envelope;
use houbu::ports::his::{DayPart, Sitting};
use houbu::records::schedules;
use houbu::sandbox::his::Becomes;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, RELEASE, THE_MONEY_COMES_BACK, Told, folded, statuses};
use crate::hospital::door::Door;
use crate::hospital::world::{DEPARTMENT, HOSPITAL, local, visit_date};
use crate::hospital::{Hospital, credentials};

const AGREED_IN_THE_QUEUE: &[&str] =
    &["Waiting on Change: Asked", "Waiting on Consent: Kept", "Waiting on Offer: Covered", "Booking: Booked"];
const LEFT_THE_QUEUE: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Change: Asked",
    "Waiting on Consent: Left",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
const SAID_NOTHING: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Change: Asked",
    "Waiting on deadline: Left",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
const KEPT_ITS_VISIT: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Change: Changed",
    "Asking: Asked",
    "Visit on Consent: Kept",
    "Visit on deadline: Over",
];
const LEFT_ITS_VISIT: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Change: Changed",
    "Asking: Asked",
    "Visit on Consent: Left",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
const VISIT_NOT_ANSWERED: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Booked",
    "Visit on Change: Changed",
    "Asking: Asked",
    "Visit on deadline: Left",
    "Cancelling: Cancelled",
    "Settlement: Clear",
    "Closure: Withdrawn",
];
const OFFER_KEPT: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Change: Asked",
    "Confirmation on Consent: Kept",
    "Confirmation on Confirm: Confirmed",
    "OfferOrder: Opened",
    "Paying on Payment: Paid",
    "Booking: Booked",
];
const OFFER_LEFT: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Change: Asked",
    "Confirmation on Consent: Left",
    "Unlocking: Released",
    "Settlement: Clear",
    "Closure: Withdrawn",
];
const PAYMENT_KEPT: &[&str] = &["OfferOrder: Opened", "Paying on Change: Asked", "Paying on Consent: Kept"];
const PAYMENT_LEFT: &[&str] = &[
    "Paying on Change: Asked",
    "Paying on Consent: Left",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Withdrawn",
];
const CHANGED_AFTER_THE_CUTOFF: &[&str] = &["Idle on deadline: CutOff", "Shut on Change: Changed"];
const BACK_AGAIN: &[&str] = &["Waiting on Change: Asked", "Waiting on Change: Kept"];
const ASKED_BY_AN_OFFER: &[&str] = &["Waiting on Offer: GivenUp"];
const GOES_BY_IT: &[&str] = &["Idle on Change: Renewed"];

pub const TOLD: &[Told] = &[
    (APPLICATION, AGREED_IN_THE_QUEUE),
    (APPLICATION, LEFT_THE_QUEUE),
    (APPLICATION, SAID_NOTHING),
    (APPLICATION, KEPT_ITS_VISIT),
    (APPLICATION, LEFT_ITS_VISIT),
    (APPLICATION, VISIT_NOT_ANSWERED),
    (APPLICATION, OFFER_KEPT),
    (APPLICATION, OFFER_LEFT),
    (APPLICATION, PAYMENT_KEPT),
    (APPLICATION, PAYMENT_LEFT),
    (APPLICATION, BACK_AGAIN),
    (APPLICATION, ASKED_BY_AN_OFFER),
    (RELEASE, CHANGED_AFTER_THE_CUTOFF),
    (RELEASE, GOES_BY_IT),
];

fn becomes(doctor: &str, date: NaiveDate, part: DayPart) -> Becomes {
    let (doctor_id, doctor_name) = (doctor.to_owned(), format!("替诊{doctor}"));
    Becomes { doctor_id, doctor_name, visit_date: date, part }
}

/// 替诊.
fn replaced_by(doctor: &str) -> Becomes {
    becomes(doctor, visit_date(), DayPart::Morning)
}

async fn shown(hospital: &Hospital, entry: RunId) -> serde_json::Value {
    hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await
}

async fn visit_of(hospital: &Hospital, patient: u32) -> serde_json::Value {
    let visits = hospital.ask(Method::GET, &format!("/v1/appointments?patientId=p{patient}"), None).await;
    visits["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_waits_is_asked_about_another_doctor_and_only_who_agreed_is_offered_a_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "visit_changed"]);
    let question = shown(&hospital, entries[0]).await["question"].clone();
    assert_eq!((&question["about"], &question["sitting"]["doctorId"]), (&json!("change"), &json!("W9")));
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "waiting"], "nobody has agreed");
    let kept = hospital.answer(entries[1], "keep").await;
    assert_eq!(kept["waitlistId"], json!(entries[1]));
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked"]);
    assert_eq!(hospital.steps(entries[1]).await, AGREED_IN_THE_QUEUE);
    assert_eq!(visit_of(&hospital, 2).await["sitting"]["doctorId"], "W9");
    hospital.answer(entries[0], "keep").await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked"], "the turn was kept");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_does_not_want_the_other_doctor_has_the_money_back() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.pass_minutes(1).await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.answer(entries[0], "leave").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entries[0]).await), LEFT_THE_QUEUE);
    assert_eq!(shown(&hospital, entries[0]).await["reason"], "changed");
    assert!(hospital.told(1).await.contains(&"waitlist_failed".to_owned()));
    // Half a day without an answer, the night not counted.
    hospital.pass_minutes(12 * 60).await;
    assert_eq!(folded(hospital.steps(entries[1]).await), SAID_NOTHING);
    assert_eq!(hospital.pay.books().await.refunds.len(), 2);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_booked_visit_goes_on_with_the_other_doctor_once_the_patient_agrees() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    assert_eq!(visit_of(&hospital, 1).await["sitting"]["doctorId"], "W1", "not moved silently");
    hospital.answer(entry, "keep").await;
    assert_eq!(visit_of(&hospital, 1).await["sitting"]["doctorId"], "W9");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked", "visit_changed", "waitlist_booked"]);
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.steps(entry).await, KEPT_ITS_VISIT);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_visit_that_the_patient_does_not_keep_is_cancelled_and_refunded() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.answer(entry, "leave").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await), LEFT_ITS_VISIT);
    assert_eq!(shown(&hospital, entry).await["reason"], "changed");
    assert_eq!(visit_of(&hospital, 1).await["status"], "cancelled");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_moved_visit_that_nobody_answers_for_ends_in_time_for_others() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let day = visit_date().succ_opt().unwrap();
    hospital.becomes("w1-am", &becomes("W1", day, DayPart::Afternoon)).await;
    hospital.pass_until(local(2, 12, 0)).await;
    assert_eq!(hospital.steps(entry).await, VISIT_NOT_ANSWERED);
    assert_eq!(hospital.told(1).await.last().map(String::as_str), Some("waitlist_failed"));
    hospital.finish().await;
}

/// HIS cancels nothing any more: whoever did not agree is told that the visit stands, as it is by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_changed_visit_that_his_does_not_cancel_stands_as_it_is_by_now() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.his.cancels_no_later_than(30).await.unwrap();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.becomes("w1-am", &becomes("W9", visit_date(), DayPart::Afternoon)).await;
    hospital.answer(entry, "leave").await;
    hospital.pass_minutes(1).await;
    assert_eq!(shown(&hospital, entry).await["reason"], "notCancelled");
    let visit = visit_of(&hospital, 1).await;
    assert_eq!((&visit["slot"]["begins"], &visit["sitting"]["doctorId"]), (&json!("13:00:00"), &json!("W9")));
    assert_eq!(hospital.told(1).await.last().map(String::as_str), Some("waitlist_booked"));
    hospital.finish().await;
}

/// 改诊: the visit is on another day and half-day by now, and so is its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_moved_visit_is_at_its_new_time_once_the_patient_agrees() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let before = visit_of(&hospital, 1).await["slot"]["begins"].clone();
    assert_eq!(before, "08:00:00");
    let day = visit_date().succ_opt().unwrap();
    hospital.becomes("w1-am", &becomes("W1", day, DayPart::Afternoon)).await;
    hospital.answer(entry, "keep").await;
    let visit = visit_of(&hospital, 1).await;
    assert_eq!((&visit["slot"]["begins"], &visit["sitting"]["part"]), (&json!("13:00:00"), &json!("afternoon")));
    hospital.pass_until(local(4, 20, 0)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(visit_of(&hospital, 1).await["status"], "booked", "the day before it");
    hospital.pass_until(local(5, 20, 0)).await;
    assert_eq!(visit_of(&hospital, 1).await["status"], "fulfilled");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_an_offer_is_confirmed_only_by_who_has_agreed_to_the_other_doctor() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-am").await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    let refused = hospital.tries_to_confirm(entries[0]).await.expect("a refusal");
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("question_open")));
    hospital.answer(entries[0], "keep").await;
    hospital.confirm(entries[0]).await;
    hospital.answer(entries[1], "leave").await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.steps(entries[0]).await, OFFER_KEPT);
    assert_eq!(hospital.steps(entries[1]).await, OFFER_LEFT);
    assert_eq!(statuses(&hospital, entries).await, ["booked", "withdrawn"]);
    hospital.finish().await;
}

/// The offer is over long before the question: nobody has missed what could not be accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_an_offer_that_ends_while_its_patient_is_asked_was_not_missed() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.answer(entry, "keep").await;
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "offered", "the same place once more");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_is_paying_is_asked_as_well() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-am").await;
    for entry in entries {
        hospital.confirm(entry).await;
    }
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.answer(entries[0], "keep").await;
    hospital.answer(entries[1], "leave").await;
    hospital.pass_minutes(2).await;
    let steps = hospital.steps(entries[0]).await;
    assert!(steps.windows(3).any(|three| three == PAYMENT_KEPT), "{steps:#?}");
    let steps = hospital.steps(entries[1]).await;
    assert_eq!(steps[steps.len() - PAYMENT_LEFT.len()..], *PAYMENT_LEFT);
    assert_eq!(statuses(&hospital, entries).await, ["booked", "withdrawn"]);
    assert_eq!(visit_of(&hospital, 1).await["sitting"]["doctorId"], "W9");
    hospital.finish().await;
}

/// What a push says twice, late and in disorder; and what no push says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_change_is_asked_about_once_whoever_tells_of_it_how_often() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.start_sync().await;
    hospital.pass_minutes(1).await;
    assert!(hospital.his.change_schedule("w1-am", &replaced_by("W9"), false).await.unwrap());
    hospital.pull_now().await;
    hospital.pull_now().await;
    hospital.pass_minutes(40).await;
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "visit_changed"]);
    hospital.becomes("w1-am", &replaced_by("W8")).await;
    assert_eq!(shown(&hospital, entry).await["question"]["sitting"]["doctorId"], "W8");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "visit_changed", "visit_changed"]);
    // An answer that names the first question is not taken for one to the second.
    let stale = json!({ "answer": "keep", "questionId": "change:1" });
    let reply = hospital.door.ask(Method::POST, &format!("/v1/waitlist/{entry}/answer"), Some(stale)).await;
    assert_eq!((reply.status, &reply.body["code"]), (409, &json!("no_question")));
    // The doctor whom the patient chose is back: there is nothing to ask any more.
    hospital.becomes("w1-am", &replaced_by("W1")).await;
    assert_eq!(shown(&hospital, entry).await["question"], json!(null));
    let steps = hospital.steps(entry).await;
    assert_eq!(steps[steps.len() - 2..], *BACK_AGAIN);
    let steps = hospital.release_steps("w1-am").await;
    assert!(steps.contains(&GOES_BY_IT[0].to_owned()), "{steps:#?}");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// HIS tells of two changes in the wrong order, and of both twice: the later one is asked about, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_pushes_in_disorder_and_twice_ask_once_about_the_latest() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(10).await;
    let pushes = [("W8", "10:05:00", "D1"), ("W9", "10:02:00", "D1"), ("W7", "10:06:00", "D9")];
    for (doctor, time, department) in pushes.into_iter().chain(pushes) {
        let body = format!(
            "<REQ><EVENT_ID>e-{doctor}</EVENT_ID><REG_ID>w1-am</REG_ID><DEPT_ID>{department}</DEPT_ID>\
             <DOCTOR_ID>{doctor}</DOCTOR_ID><DOCTOR_NAME>替诊{doctor}</DOCTOR_NAME><REG_DATE>2026-09-04</REG_DATE>\
             <TIME_FLAG>1</TIME_FLAG><CHANGE_TIME>2026-09-01 {time}</CHANGE_TIME></REQ>"
        );
        let sealed = Envelope::new(&credentials()).unwrap().seal_request("5008", &body).unwrap();
        let reply = Door::reply(hospital.door.request(Method::POST, "/callbacks/his").body(sealed)).await;
        assert_eq!(reply.status, 200);
        hospital.until_still().await;
    }
    hospital.pass_seconds(1).await;
    assert_eq!(shown(&hospital, entry).await["question"]["sitting"]["doctorId"], "W8");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "visit_changed"]);
    let fates = "select event_id, fate, times from callback where kind = '5008' order by event_id";
    let fates: Vec<(String, String, i32)> = sqlx::query_as(fates).fetch_all(&hospital.db.pool).await.unwrap();
    let fates: Vec<(&str, i32)> = fates.iter().map(|(_, fate, times)| (fate.as_str(), *times)).collect();
    assert_eq!(fates, [("ignored", 2), ("delivered", 2), ("delivered", 2)]);
    hospital.finish().await;
}

/// Whoever joins after the change joins the other doctor's queue and is asked nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_joins_after_the_change_is_asked_nothing() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.pass_seconds(1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "booked"]);
    assert_eq!(hospital.told(2).await, ["waitlist_submitted", "waitlist_booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_after_the_cutoff_a_change_still_concerns_the_booked() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(3, 19, 0)).await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    let steps = hospital.release_steps("w1-am").await;
    assert_eq!(steps[steps.len() - 2..], *CHANGED_AFTER_THE_CUTOFF);
    hospital.answer(entry, "keep").await;
    assert_eq!(visit_of(&hospital, 1).await["sitting"]["doctorId"], "W9");
    hospital.finish().await;
}

/// Ten minutes before the visit nobody can be asked any more: whoever comes has agreed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_change_just_before_the_visit_cancels_nobody() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(4, 7, 50)).await;
    hospital.becomes("w1-am", &replaced_by("W9")).await;
    hospital.pass_until(local(4, 12, 0)).await;
    let visit = visit_of(&hospital, 1).await;
    assert_eq!((&visit["status"], &visit["sitting"]["doctorId"]), (&json!("fulfilled"), &json!("W9")));
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Whoever was admitted in the moment of the change, by what the schedule was before, is asked when a place comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_was_admitted_in_the_moment_of_the_change_is_asked_before_a_place_is_taken() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let becomes = replaced_by("W9");
    let sitting = Sitting { doctor_id: "W9".to_owned(), visit_date: visit_date(), part: DayPart::Morning };
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    let doctor = ("W9", "替诊W9", "");
    let (now, id) = (hospital.now(), "w1-am");
    assert!(schedules::become_another(&mut conn, HOSPITAL, id, DEPARTMENT, doctor, &sitting, now).await.unwrap());
    let same_moment = "update entry set created_at = s.changed_at from schedule s where s.id = schedule_id";
    sqlx::query(same_moment).execute(&mut *conn).await.unwrap();
    drop(conn);
    hospital.his.change_schedule("w1-am", &becomes, false).await.unwrap();
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, ASKED_BY_AN_OFFER);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "visit_changed"]);
    hospital.answer(entry, "keep").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(visit_of(&hospital, 1).await["sitting"]["doctorId"], "W9");
    hospital.finish().await;
}
