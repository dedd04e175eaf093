//! Ours = HIS's = the payment provider's, day by day (R36): whatever stands wrong in one of the books is a case for staff,
//! and nothing else is.

use std::collections::BTreeSet;

use houbu::engine::RunId;
use houbu::sandbox::faults::Level;
use houbu::sandbox::his::Planted as AtHis;
use houbu::sandbox::wechat_pay::{Payer, Planted as AtPayer};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{RECONCILIATION, Told, successful};
use crate::hospital::world::local;
use crate::hospital::{Hospital, Setup};

const AGREED: &[&str] = &["Billing: Read", "Listing: More", "Listing: Read", "Comparing: Agreed"];
const BEFORE_THE_BILL: &[&str] = &[
    "Billing: NotYet",
    "Resting on AskNow: Due",
    "Billing: NotYet",
    "Resting on deadline: Due",
    "Billing: Read",
    "Listing: More",
    "Listing: Read",
    "Comparing: Agreed",
];
const DIFFERS: &[&str] = &[
    "Billing: Read",
    "Listing: More",
    "Listing: Read",
    "Comparing: Doubtful",
    "AskingHis: More",
    "AskingHis: Asked",
    "AskingPayer: More",
    "AskingPayer: Asked",
    "Judging: Judged",
];

pub const TOLD: &[Told] = &[(RECONCILIATION, AGREED), (RECONCILIATION, BEFORE_THE_BILL), (RECONCILIATION, DIFFERS)];

/// Somebody pays, is booked, and stays.
async fn booked(hospital: &Hospital, patient: u32) -> RunId {
    let entry = hospital.apply("w1-am", patient).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    entry
}

/// Somebody pays, is booked, cancels, and has the money back.
async fn cancelled(hospital: &Hospital, patient: u32) -> RunId {
    let entry = booked(hospital, patient).await;
    cancels(hospital, entry).await;
    entry
}

async fn cancels(hospital: &Hospital, entry: RunId) {
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
}

/// Somebody does not pay; the order is closed.
async fn unpaid(hospital: &Hospital, patient: u32) -> RunId {
    hospital.payer(patient, Payer::Never);
    let entry = hospital.apply("w1-am", patient).await;
    hospital.pass_minutes(60).await;
    assert_eq!(hospital.status(entry).await, "unpaid");
    entry
}

async fn cases_of(hospital: &Hospital, state: &str) -> Vec<serde_json::Value> {
    let path = format!("/v1/reconciliation/cases?state={state}");
    hospital.ask(Method::GET, &path, None).await["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_books_that_agree_are_no_case() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    booked(&hospital, 1).await;
    cancelled(&hospital, 2).await;
    hospital.pass_until(local(2, 10, 30)).await;
    let run = hospital.reconcile().await;
    assert_eq!(hospital.steps(run).await, AGREED);
    assert_eq!(hospital.open_cases().await, []);
    let runs = hospital.ask(Method::GET, "/v1/reconciliation/runs", None).await;
    let one = &runs["items"][0];
    assert_eq!((&one["day"], &one["compared"], &one["found"]), (&json!("2026-09-01"), &json!(2), &json!(0)));
    hospital.finish().await;
}

/// Cut lines, answers that never come, pushes lost and sent twice, refunds that are given up: all of it is the systems'
/// own business, and what comes of it agrees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_faults_that_the_program_copes_with_are_no_case() {
    let faults = Setup { faults: Level::Heavy, ..Setup::paying(PaymentMode::Prepay) };
    let hospital = Hospital::open(faults).await;
    for patient in 1..=4 {
        let entry = hospital.apply("w1-am", patient).await;
        hospital.pass_minutes(30).await;
        if patient % 2 == 0 && hospital.status(entry).await == "waiting" {
            hospital.withdraw(entry).await;
        }
    }
    hospital.free_silently("w1-am", 2).await;
    hospital.hint("w1-am").await;
    hospital.pass_until(local(2, 10, 30)).await;
    let run = hospital.reconcile().await;
    hospital.pass_minutes(60).await;
    let ended = successful(hospital.steps(run).await).pop().unwrap();
    assert!(ended == "Comparing: Agreed" || ended == "Judging: Judged", "{ended}");
    assert_eq!(hospital.open_cases().await, []);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_a_reconciliation_before_the_bill_waits_for_it() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    booked(&hospital, 1).await;
    hospital.pass_until(local(2, 3, 0)).await;
    let run = hospital.reconcile().await;
    hospital.tell_run(run, "AskNow", json!({})).await;
    hospital.pass_until(local(2, 10, 30)).await;
    assert_eq!(hospital.steps(run).await, BEFORE_THE_BILL);
    hospital.finish().await;
}

/// What each fault at HIS must be found as. A new one does not compile until it stands here.
fn found_at_his(planted: AtHis) -> &'static [&'static str] {
    match planted {
        AtHis::LostOrder | AtHis::SilentCancel => &["visitNotAtHis"],
        AtHis::Revived => &["orderWithoutVisit"],
        AtHis::SecondOrder => &["orderWithoutVisit", "doubleBooking"],
        AtHis::LostPayment | AtHis::WrongPayment => &["paymentToldWrong"],
        AtHis::LostRefund => &["refundToldWrong"],
        AtHis::LeakedLock => &["leakedLock"],
    }
}

/// The same for the provider.
fn found_at_payer(planted: AtPayer) -> &'static [&'static str] {
    match planted {
        AtPayer::LostPayment => &["paymentDiffers", "paymentToldWrong", "bookedNotPaid"],
        AtPayer::WrongAmount => &["paymentDiffers", "paymentToldWrong", "paidTwice"],
        AtPayer::PaidClosed | AtPayer::LostRefund => &["paidNotBooked"],
        AtPayer::Reopened => &["orderLeftOpen"],
        AtPayer::UnknownOrder => &["unknownOrder"],
        AtPayer::SecondRefund => &["refundedTwice"],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_every_fault_that_can_be_planted_is_a_case() {
    let hospital = Hospital::open(Setup { places: 30, patients: 30, ..Setup::paying(PaymentMode::Prepay) }).await;
    let mut patients = 1..;
    let mut expected: BTreeSet<(String, RunId)> = BTreeSet::new();
    // Nothing happens any more once the first fault stands.
    let mut at_his = Vec::new();
    for planted in AtHis::ALL {
        at_his.push((planted, booked(&hospital, patients.next().unwrap()).await));
    }
    let mut at_payer = Vec::new();
    for planted in AtPayer::ALL {
        let patient = patients.next().unwrap();
        let entry = match planted {
            AtPayer::PaidClosed | AtPayer::Reopened => unpaid(&hospital, patient).await,
            _ => booked(&hospital, patient).await,
        };
        at_payer.push((planted, entry));
    }
    // A place that comes free is bookable: nobody joins the queue after that.
    for (planted, entry) in &at_his {
        if matches!(planted, AtHis::Revived | AtHis::LostRefund) {
            cancels(&hospital, *entry).await;
        }
    }
    for (planted, entry) in &at_payer {
        if matches!(planted, AtPayer::LostRefund | AtPayer::SecondRefund) {
            cancels(&hospital, *entry).await;
        }
    }
    for (planted, entry) in at_his {
        let (order_id, _) = hospital.numbers(entry).await;
        let new_id = ids::order_id(entry, 900);
        assert!(hospital.his.plant(planted, &order_id, &new_id).await.unwrap(), "{planted:?}");
        expected.extend(found_at_his(planted).iter().map(|kind| ((*kind).to_owned(), entry)));
    }
    let stranger = Uuid::from_u128(0x0190_0a5c_1234_7abc_8def_0123_4567_89ab);
    for (planted, entry) in at_payer {
        let (_, trade_no) = hospital.numbers(entry).await;
        let (new_no, whose) = match planted {
            AtPayer::UnknownOrder => (ids::trade_no(stranger, 1), stranger),
            _ => (ids::refund_no(&trade_no, 9), entry),
        };
        assert!(hospital.pay.plant(planted, &trade_no, &new_no).await.unwrap(), "{planted:?}");
        expected.extend(found_at_payer(planted).iter().map(|kind| ((*kind).to_owned(), whose)));
    }
    assert!(hospital.now() < local(2, 0, 0), "all of it is of one day");
    hospital.pass_until(local(2, 10, 30)).await;
    let run = hospital.reconcile().await;
    let mut steps = hospital.steps(run).await;
    steps.dedup();
    assert_eq!(steps, DIFFERS);
    let found: Vec<(String, RunId)> = cases_of(&hospital, "open")
        .await
        .iter()
        .map(|case| (case["kind"].as_str().unwrap().to_owned(), case["runId"].as_str().unwrap().parse().unwrap()))
        .collect();
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(found.len(), expected.len(), "each is found once");
    // The next day finds the same again, as the same cases.
    hospital.pass_until(local(3, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(cases_of(&hospital, "open").await.len(), expected.len());
    hospital.finish_in_disorder().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_staff_resolve_a_case_with_a_reason_and_it_is_audited() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = cancelled(&hospital, 1).await;
    let (_, trade_no) = hospital.numbers(entry).await;
    let second = ids::refund_no(&trade_no, 9);
    assert!(hospital.pay.plant(AtPayer::SecondRefund, &trade_no, &second).await.unwrap());
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    let case = cases_of(&hospital, "open").await.remove(0);
    assert_eq!((&case["kind"], &case["subject"]), (&json!("refundedTwice"), &json!(trade_no)));
    assert_eq!((&case["oursFen"], &case["theirsFen"]), (&json!(5000), &json!(10_000)));
    assert!(case["action"].as_str().is_some_and(|action| !action.is_empty()));
    let path = format!("/v1/reconciliation/cases/{}/resolve", case["caseId"].as_str().unwrap());
    let nothing = hospital.door.ask(Method::POST, &path, Some(json!({ "reason": "" }))).await;
    assert_eq!(nothing.status, 422, "a reason is needed");
    let why = || Some(json!({ "reason": "患者已退回多收款项" }));
    let resolved = hospital.ask(Method::POST, &path, why()).await;
    assert_eq!((&resolved["state"], &resolved["resolvedBy"]), (&json!("resolved"), &json!("stories@api")));
    assert_eq!(hospital.door.ask(Method::POST, &path, why()).await.code(), "case_resolved");
    let audit = hospital.ask(Method::GET, &format!("/v1/audit?runId={entry}&verb=case.resolve"), None).await;
    assert_eq!(audit["items"][0]["reason"], why().unwrap()["reason"]);
    // The books still say what they said: it stays resolved. When they say something else, it is open again.
    let again = json!({ "day": "2026-09-01", "reason": "to see" });
    hospital.ask(Method::POST, "/v1/reconciliation/runs", Some(again.clone())).await;
    assert_eq!(hospital.open_cases().await, []);
    let third = ids::refund_no(&trade_no, 10);
    assert!(hospital.pay.plant(AtPayer::SecondRefund, &trade_no, &third).await.unwrap());
    hospital.pass_until(local(3, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, [("refundedTwice".to_owned(), trade_no)]);
    let today = json!({ "day": "2026-09-03", "reason": "to see" });
    assert_eq!(hospital.door.ask(Method::POST, "/v1/reconciliation/runs", Some(today)).await.status, 422);
    hospital.finish_in_disorder().await;
}

/// A case about something that is in order again is resolved by the comparison itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_a_case_is_over_when_the_books_agree_again() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = booked(&hospital, 1).await;
    let (order_id, _) = hospital.numbers(entry).await;
    assert!(hospital.his.plant(AtHis::SilentCancel, &order_id, "").await.unwrap());
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, [("visitNotAtHis".to_owned(), order_id.clone())]);
    assert!(hospital.his.plant(AtHis::Revived, &order_id, "").await.unwrap());
    hospital.pass_until(local(3, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, []);
    let resolved = cases_of(&hospital, "resolved").await.remove(0);
    assert_eq!(resolved["resolvedBy"], "reconciliation");
    hospital.finish().await;
}

/// What the others said before an application moved is no case against it, but is looked at again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_what_moved_while_the_others_were_asked_is_looked_at_again() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = booked(&hospital, 1).await;
    hospital.pass_until(local(2, 10, 30)).await;
    let (order_id, _) = hospital.numbers(entry).await;
    assert!(hospital.his.plant(AtHis::LostOrder, &order_id, &ids::order_id(entry, 900)).await.unwrap());
    let moves = "update run set updated_at = engine_now() + interval '1 minute' where id = $1";
    sqlx::query(moves).bind(entry).execute(&hospital.db.pool).await.unwrap();
    hospital.reconcile().await;
    assert_eq!((hospital.open_cases().await.len(), cases_of(&hospital, "suspect").await.len()), (0, 1));
    hospital.pass_minutes(10).await;
    hospital.reconcile().await;
    assert_eq!((hospital.open_cases().await.len(), cases_of(&hospital, "suspect").await.len()), (1, 0));
    hospital.finish_in_disorder().await;
}
