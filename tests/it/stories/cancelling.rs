//! Staff cancel an application, wherever it stands, or lead it elsewhere: nothing is owed afterwards, whatever a call had
//! done of which nobody heard.

use houbu::engine::RunId;
use houbu::engine::flow::Flow;
use houbu::engine::sabotage::{Act, Point};
use houbu::ports::his::DayPart;
use houbu::sandbox::his::{Becomes, OrderState};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use houbu::workflows::waitlist_application::WaitlistApplication;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, statuses, successful};
use crate::hospital::world::{FEE_FEN, costs, visit_date};
use crate::hospital::{Hospital, Setup};

const CLEARED_WITHOUT_MONEY: &[&str] = &["Clearing: Cleared", "Settlement: Clear", "Closure: Withdrawn"];
const CLEARED_WITH_MONEY: &[&str] =
    &["Clearing: Cleared", "Settlement: Ordered", "Reckoning: Held", THE_MONEY_COMES_BACK, "Closure: VisitCancelled"];

pub const TOLD: &[Told] = &[(APPLICATION, CLEARED_WITHOUT_MONEY), (APPLICATION, CLEARED_WITH_MONEY)];

/// How an application comes to stand at a step, and how it ends when staff cancel it there.
struct Case {
    step: &'static str,
    mode: PaymentMode,
    /// Whether the patient pays what is asked for.
    pays: bool,
    ends: &'static str,
}

const fn case(step: &'static str, mode: PaymentMode, pays: bool, ends: &'static str) -> Case {
    Case { step, mode, pays, ends }
}

/// Every step of the table but the one where cancelling leads.
const CASES: [Case; 28] = [
    case("PrepayOrder", PaymentMode::Prepay, true, "withdrawn"),
    case("Prepayment", PaymentMode::Prepay, false, "withdrawn"),
    case("PrepayCheck", PaymentMode::Prepay, false, "withdrawn"),
    case("Waiting", PaymentMode::Prepay, true, "withdrawn"),
    case("LateRefund", PaymentMode::LockThenPay, false, "withdrawn"),
    case("Locking", PaymentMode::LockThenPay, true, "withdrawn"),
    case("Confirmation", PaymentMode::LockThenPay, true, "withdrawn"),
    case("LockCheck", PaymentMode::LockThenPay, true, "withdrawn"),
    case("OfferOrder", PaymentMode::LockThenPay, true, "withdrawn"),
    case("Paying", PaymentMode::LockThenPay, false, "withdrawn"),
    case("PaymentCheck", PaymentMode::LockThenPay, false, "withdrawn"),
    case("OrderClosing", PaymentMode::LockThenPay, false, "declined"),
    case("Booking", PaymentMode::LockThenPay, true, "withdrawn"),
    case("Booking", PaymentMode::Prepay, true, "withdrawn"),
    case("Unlocking", PaymentMode::LockThenPay, true, "declined"),
    case("Visit", PaymentMode::Prepay, true, "visitCancelled"),
    case("Asking", PaymentMode::Prepay, true, "visitCancelled"),
    case("PartRefund", PaymentMode::Prepay, true, "visitCancelled"),
    case("PartRefundWait", PaymentMode::Prepay, true, "visitCancelled"),
    case("AskingMeanwhile", PaymentMode::Prepay, true, "visitCancelled"),
    case("Cancelling", PaymentMode::Prepay, true, "visitCancelled"),
    case("Settlement", PaymentMode::Prepay, true, "withdrawn"),
    case("Reckoning", PaymentMode::Prepay, true, "withdrawn"),
    case("Refunding", PaymentMode::Prepay, true, "withdrawn"),
    case("RefundWait", PaymentMode::Prepay, true, "withdrawn"),
    case("RefundCheck", PaymentMode::Prepay, true, "withdrawn"),
    case("Closure", PaymentMode::Prepay, true, "withdrawn"),
    case("Visit", PaymentMode::None, true, "visitCancelled"),
];

#[test]
fn every_step_has_its_case() {
    let table = WaitlistApplication::TABLE;
    for row in table.steps.iter().filter(|row| Some(row.name) != table.cancels) {
        assert!(CASES.iter().any(|case| case.step == row.name), "{} has no case", row.name);
    }
}

/// Lets happen what brings an application to this step.
async fn lead_to(hospital: &Hospital, entry: RunId, case: &Case) {
    let prepays = case.mode == PaymentMode::Prepay;
    if prepays && case.pays && case.step != "PrepayOrder" {
        hospital.pass_minutes(2).await;
    }
    match case.step {
        "PrepayOrder" | "Prepayment" | "PrepayCheck" | "Waiting" => {}
        "Settlement" | "Reckoning" | "Refunding" | "RefundWait" | "RefundCheck" | "Closure" => {
            hospital.withdraw(entry).await;
        }
        step => {
            if step.starts_with("PartRefund") || step == "AskingMeanwhile" {
                costs(hospital, FEE_FEN - 1_000).await;
            }
            hospital.free_a_place("w1-am").await;
            match step {
                "LockCheck" | "OfferOrder" | "Paying" | "PaymentCheck" => hospital.confirm(entry).await,
                "Booking" if !prepays => hospital.confirm(entry).await,
                "OrderClosing" => {
                    hospital.confirm(entry).await;
                    hospital.decline(entry).await;
                }
                "Unlocking" => hospital.decline(entry).await,
                "Cancelling" => hospital.cancel_visit(entry).await,
                "LateRefund" => {
                    hospital.provider.closes_in_words_only();
                    hospital.confirm(entry).await;
                    hospital.pass_minutes(31).await;
                    assert_eq!(hospital.status(entry).await, "waiting");
                    hospital.is_paid_late(&ids::trade_no(entry, 1)).await;
                }
                "Asking" | "AskingMeanwhile" => {
                    let (doctor_id, doctor_name) = ("W9".to_owned(), "替诊".to_owned());
                    let becomes = Becomes { doctor_id, doctor_name, visit_date: visit_date(), part: DayPart::Morning };
                    hospital.becomes("w1-am", &becomes).await;
                }
                _ => {}
            }
        }
    }
    for _ in 0..900 {
        if at(hospital, entry).await == case.step {
            return;
        }
        hospital.pass_seconds(1).await;
    }
    panic!("it never stands at {}: {:#?}", case.step, hospital.steps(entry).await);
}

async fn at(hospital: &Hospital, run: RunId) -> String {
    sqlx::query_scalar("select step from run where id = $1").bind(run).fetch_one(&hospital.db.pool).await.unwrap()
}

/// A step that acts has called out, and nobody has heard what came of it.
async fn cancelled_at(case: &Case) {
    let mut setup = Setup { cares_for_locks: case.step == "LockCheck", ..Setup::paying(case.mode) };
    if case.step == "LateRefund" {
        setup.policy.missed_offers_max = Some(3);
    }
    let hospital = Hospital::open(setup).await;
    let acts = WaitlistApplication::TABLE.step(case.step).is_some_and(|row| !row.waits());
    if acts {
        hospital.mishaps.plan_for_the_next(Point::AfterCall, &of_application(case.step), Act::Fail);
    }
    if !case.pays {
        hospital.payer(1, Payer::Never);
    }
    let entry = hospital.apply("w1-am", 1).await;
    lead_to(&hospital, entry, case).await;
    let lines = hospital.steps(entry).await.len();
    hospital.staff_cancels(entry).await;
    hospital.pass_minutes(45).await;
    let name = format!("{} ({:?})", case.step, case.mode);
    let steps = hospital.steps(entry).await;
    assert_eq!(steps[lines].rsplit(": ").next(), Some("cancelled"), "{name}: {steps:#?}");
    assert_eq!(steps[lines + 1], "Clearing: Cleared", "{name}: {steps:#?}");
    assert_eq!(hospital.status(entry).await, case.ends, "{name}: {steps:#?}");
    let again = hospital.door.ask(Method::POST, &format!("/v1/runs/{entry}/cancel"), Some(reason())).await;
    assert_eq!((again.status, again.code()), (409, "run_ended"), "{name}");
    hospital.finish().await;
}

fn reason() -> serde_json::Value {
    json!({ "reason": "the department has asked for it" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_an_application_is_cancelled_at_every_step() {
    for case in &CASES {
        cancelled_at(case).await;
    }
}

/// The place goes to the next in line, the money back, and both patients are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_in_line_gets_the_place_of_a_cancelled_application() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "waiting"]);
    hospital.staff_cancels(first).await;
    hospital.pass_minutes(1).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["withdrawn", "offered"]);
    assert_eq!(hospital.steps(first).await[3..], *CLEARED_WITHOUT_MONEY);
    hospital.confirm(second).await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(second).await, "booked");
    hospital.staff_cancels(second).await;
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(second).await, "visitCancelled");
    let steps = folded(hospital.steps(second).await);
    assert_eq!(steps[steps.len() - 5..], *CLEARED_WITH_MONEY);
    assert!(hospital.told(1).await.len() >= 2, "the patient hears of the end");
    hospital.finish().await;
}

/// HIS has booked and the answer was lost. Every place where the booking would be forgotten is refused; the one that is
/// named gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_a_jump_past_a_booking_that_nobody_heard_of_is_refused() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.mishaps.plan_for_the_next(Point::AfterCall, &of_application("Booking"), Act::Fail);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    for _ in 0..60 {
        if at(&hospital, entry).await == "Booking" {
            break;
        }
        hospital.pass_seconds(1).await;
    }
    let jump = async |step: &str| {
        let body = json!({ "reason": "to see", "step": step });
        hospital.door.ask(Method::POST, &format!("/v1/runs/{entry}/jump"), Some(body)).await
    };
    for step in ["Waiting", "Unlocking", "Cancelling", "Settlement", "Reckoning", "Closure", "Withdrawn", "Fulfilled"] {
        let refused = jump(step).await;
        assert_eq!((refused.status, refused.code()), (409, "would_strand"), "{step}: {}", refused.body);
        assert_eq!(refused.body["owed"], json!(["Lock", "Money", "Visit"]), "{step}");
        assert_eq!(refused.body["instead"], json!(["Clearing"]), "{step}");
    }
    let booked = |state| move |order: &houbu::sandbox::his::OrderRecord| !order.ordinary && order.state == state;
    assert_eq!(hospital.his.books().await.orders.iter().filter(|o| booked(OrderState::Booked)(o)).count(), 1);
    assert_eq!(jump("Clearing").await.status, 202);
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(hospital.his.books().await.orders.iter().filter(|o| booked(OrderState::Booked)(o)).count(), 0);
    let audit = hospital.door.ask(Method::GET, &format!("/v1/audit?runId={entry}&verb=jump"), None).await;
    assert_eq!(audit.body["items"].as_array().unwrap().len(), 1, "{}", audit.body);
    assert_eq!(audit.body["items"][0]["before"]["step"], "Booking");
    hospital.finish().await;
}

/// A person knows what HIS said on the telephone, and says so; the settlement does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_a_patch_settles_what_was_stuck() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let verb = async |verb: &str, body: serde_json::Value| {
        hospital.door.ask(Method::POST, &format!("/v1/runs/{entry}/{verb}"), Some(body)).await
    };
    assert_eq!(verb("suspend", reason()).await.status, 202);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "waiting", "the offer waits for who lets the run go on");
    let body =
        json!({ "reason": "the patient came in person", "outcome": "Withdrawn", "patch": { "why": "nonsense" } });
    assert_eq!(verb("answer", body).await.code(), "state_unreadable");
    let body =
        json!({ "reason": "the patient came in person", "outcome": "Withdrawn", "patch": { "why": "withdrawn" } });
    let answered = verb("answer", body).await;
    assert_eq!((answered.status, &answered.body["step"]), (202, &json!("Settlement")), "{}", answered.body);
    hospital.pass_minutes(10).await;
    let steps = successful(folded(hospital.steps(entry).await));
    let expected = [
        "Waiting on staff: Withdrawn",
        "Settlement: Ordered",
        "Reckoning: Held",
        THE_MONEY_COMES_BACK,
        "Closure: Withdrawn",
    ];
    assert_eq!(steps[steps.len() - 5..], expected);
    hospital.finish().await;
}
