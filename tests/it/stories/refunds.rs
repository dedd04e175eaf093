//! Money on its way back: accepted is not done, given up is asked again under a new number, abnormal is for a person
//! (R8).

use houbu::desk::DeskError;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::ports::payments::{Notice, Payments as _, Refund, RefundMoney};
use houbu::records::callbacks::Fate;
use houbu::sandbox::faults::{Fault, PushFault};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, successful};
use crate::hospital::world::{FEE_FEN, local};
use crate::hospital::{GivesUp, Hospital};

const ASKED_FOR_NEWS: &[&str] = &[
    "Settlement: Ordered",
    "Reckoning: Held",
    "Refunding: Accepted",
    "RefundWait on deadline: Due",
    "RefundCheck: Processing",
    "RefundWait on deadline: Due",
    "RefundCheck: Refunded",
    "Closure: Withdrawn",
];
const NOTICED: &[&str] = &[
    "Settlement: Ordered",
    "Reckoning: Held",
    "Refunding: Accepted",
    "RefundWait on RefundNotice: Noticed",
    "RefundCheck: Processing",
];
const GIVEN_UP_AT_ONCE: &[&str] =
    &["Settlement: Ordered", "Reckoning: Held", "Refunding: Another", THE_MONEY_COMES_BACK, "Closure: Withdrawn"];
const GIVEN_UP_LATER: &[&str] = &[
    "Settlement: Ordered",
    "Reckoning: Held",
    "Refunding: Accepted",
    "RefundWait on deadline: Due",
    "RefundCheck: Another",
    "Refunding: Accepted",
];
const OF_ANOTHER_AMOUNT: &[&str] = &["Settlement: Ordered", "Reckoning: Held"];
const LATER_OF_ANOTHER_AMOUNT: &[&str] =
    &["Settlement: Ordered", "Reckoning: Held", "Refunding: Accepted", "RefundWait on deadline: Due"];
const DONE_BEFORE_WE_KNEW: &[&str] =
    &["Settlement: Ordered", "Reckoning: Held", "Refunding: Refunded", "Closure: Withdrawn"];

pub const TOLD: &[Told] = &[
    (APPLICATION, ASKED_FOR_NEWS),
    (APPLICATION, NOTICED),
    (APPLICATION, GIVEN_UP_AT_ONCE),
    (APPLICATION, GIVEN_UP_LATER),
    (APPLICATION, OF_ANOTHER_AMOUNT),
    (APPLICATION, LATER_OF_ANOTHER_AMOUNT),
    (APPLICATION, DONE_BEFORE_WE_KNEW),
];

/// A hospital where somebody has paid and withdraws next.
async fn paid() -> (Hospital, RunId) {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    (hospital, entry)
}

/// The steps since the withdrawal.
async fn since_withdrawn(hospital: &Hospital, entry: RunId) -> Vec<String> {
    let steps = hospital.steps(entry).await;
    let at = steps.iter().position(|step| step == "Waiting on Withdrawal: Withdrawn").unwrap();
    steps[at + 1..].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_notice_the_provider_is_asked() {
    let (hospital, entry) = paid().await;
    hospital.shut_the_door();
    hospital.provider.takes_long();
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(since_withdrawn(&hospital, entry).await, ASKED_FOR_NEWS);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_a_hint_and_the_provider_is_asked_for_the_truth() {
    let (hospital, entry) = paid().await;
    hospital.withdraw(entry).await;
    let number = ids::refund_no(&ids::trade_no(entry, 1), 1);
    hospital.tell_run(entry, "RefundNotice", json!({ "out_refund_no": number })).await;
    assert_eq!(since_withdrawn(&hospital, entry).await, NOTICED);
    assert_eq!(hospital.status(entry).await, "settling");
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_given_up_at_once_is_asked_again_under_a_new_number() {
    let (hospital, entry) = paid().await;
    hospital.provider.give_up(GivesUp::AtOnce);
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(since_withdrawn(&hospital, entry).await), GIVEN_UP_AT_ONCE);
    let refunds = hospital.pay.books().await.refunds;
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0].out_refund_no, ids::refund_no(&ids::trade_no(entry, 1), 2));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_given_up_later_is_asked_again_under_a_new_number() {
    let (hospital, entry) = paid().await;
    hospital.provider.give_up(GivesUp::Later);
    hospital.withdraw(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(since_withdrawn(&hospital, entry).await, GIVEN_UP_LATER);
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    hospital.finish().await;
}

/// The request was accepted, but its answer was lost again and again; the repetition finds it done, not done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_a_refund_is_never_made_twice() {
    let (hospital, entry) = paid().await;
    hospital.mishaps.plan(Point::AfterCall, &of_application("Refunding"), Act::Fail, 9);
    hospital.withdraw(entry).await;
    hospital.pass_minutes(30).await;
    assert_eq!(successful(since_withdrawn(&hospital, entry).await), DONE_BEFORE_WE_KNEW);
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    hospital.finish().await;
}

/// The next of these calls or notices of whoever takes the money goes wrong so.
fn goes_wrong(hospital: &Hospital, call: &str, wrong: Wrong) {
    let call = format!("{} {call}", hospital.provider.provider().source());
    hospital.faults.switches().on(&call, wrong, Switch::Times(1));
}

/// Where a run stands, and what it says of that.
async fn stands(hospital: &Hospital, entry: RunId) -> (String, String) {
    sqlx::query_as("select status, coalesce(last_error, '') from run where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap()
}

/// What our books say went back.
async fn booked_back(hospital: &Hospital) -> i64 {
    sqlx::query_scalar("select sum(refunded_fen)::bigint from payment").fetch_one(&hospital.db.pool).await.unwrap()
}

/// The provider gives back less than was asked for: it is not booked as if it were all, and the books of the day show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_r36_a_refund_of_another_amount_is_for_a_person_and_is_never_booked_whole() {
    let (mut hospital, entry) = paid().await;
    let refund = ids::refund_no(&ids::trade_no(entry, 1), 1);
    goes_wrong(&hospital, "refund", Wrong::Request(Fault::AnotherAmount));
    hospital.withdraw(entry).await;
    assert_eq!(successful(since_withdrawn(&hospital, entry).await), OF_ANOTHER_AMOUNT);
    hospital.pass_minutes(30).await;
    let asked = format!("the refund {refund} asked for {FEE_FEN} fen and the provider says {}", FEE_FEN - 1);
    let for_a_person = ("suspended".to_owned(), format!("{asked}: settle it with the provider"));
    assert_eq!(stands(&hospital, entry).await, for_a_person);
    hospital.staff_retries(entry).await;
    assert_eq!(stands(&hospital, entry).await, for_a_person, "it is still so");
    assert_eq!((hospital.status(entry).await.as_str(), booked_back(&hospital).await), ("settling", 0));
    assert_eq!(hospital.told(1).await, ["waitlist_submitted"], "nobody is told that the money is back");
    let refunds = hospital.pay.books().await.refunds;
    assert_eq!((refunds.len(), refunds[0].amount_fen), (1, FEE_FEN - 1));
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    let cases: Vec<String> = hospital.open_cases().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(cases, ["paidNotBooked"]);
    hospital.leaves_suspended(1);
    hospital.finish_in_disorder().await;
}

/// Found when the provider is asked; once it says what was asked for, the run goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_a_refund_that_is_later_said_to_be_of_another_amount_is_for_a_person() {
    let (hospital, entry) = paid().await;
    hospital.shut_the_door();
    goes_wrong(&hospital, "refund query", Wrong::Request(Fault::AnotherAmount));
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    let (status, why) = stands(&hospital, entry).await;
    assert_eq!(status, "suspended");
    assert!(why.contains(&format!("asked for {FEE_FEN} fen and the provider says {}", FEE_FEN + 1)), "{why}");
    assert_eq!(successful(since_withdrawn(&hospital, entry).await), LATER_OF_ANOTHER_AMOUNT);
    assert_eq!((hospital.status(entry).await.as_str(), booked_back(&hospital).await), ("settling", 0));
    hospital.staff_retries(entry).await;
    assert_eq!((hospital.status(entry).await.as_str(), booked_back(&hospital).await), ("withdrawn", FEE_FEN));
    hospital.finish().await;
}

/// A notice of another amount is written down for staff and changes no run; the provider is asked at the true one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_a_notice_of_a_refund_of_another_amount_is_refused() {
    let (hospital, entry) = paid().await;
    goes_wrong(&hospital, "notice", Wrong::Push(PushFault::WrongAmount));
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!((hospital.status(entry).await.as_str(), booked_back(&hospital).await), ("withdrawn", FEE_FEN));
    let noted: Vec<(String, i64)> = sqlx::query_as(
        "select fate, (body #>> '{refund,money,amountFen}')::bigint from callback where kind = 'REFUND' order by received_at, event_id desc",
    )
    .fetch_all(&hospital.db.pool)
    .await
    .unwrap();
    assert_eq!(noted, [("refused".to_owned(), FEE_FEN + 1), ("delivered".to_owned(), FEE_FEN)]);
    hospital.finish().await;
}

/// Nobody is on the way to a doctor who is not there because a refund is not done yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_is_stopped_hears_of_it_before_the_money_is_back() {
    let (mut hospital, entry) = paid().await;
    let refund = ids::refund_no(&ids::trade_no(entry, 1), 1);
    hospital.stop("w1-am").await;
    assert!(hospital.pay.make_abnormal(&refund).await);
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(entry).await, "settling");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_failed"]);
    hospital.leaves_suspended(1);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_a_refund_that_the_payers_account_cannot_take_is_for_a_person() {
    let (mut hospital, entry) = paid().await;
    hospital.withdraw(entry).await;
    assert!(hospital.pay.make_abnormal(&ids::refund_no(&ids::trade_no(entry, 1), 1)).await);
    hospital.pass_minutes(2).await;
    let (status, error): (String, Option<String>) = sqlx::query_as("select status, last_error from run where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(status, "suspended");
    assert!(error.is_some_and(|error| error.contains("abnormal")));
    assert_eq!(hospital.status(entry).await, "settling", "the patient is not told that the money is back");
    hospital.leaves_suspended(1);
    hospital.finish().await;
}

/// A refund of an order of ours under a number that none of ours is: somebody else has asked for it, or the notice is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_r36_a_refund_that_we_never_asked_for_is_for_a_person_and_changes_nothing() {
    let (hospital, entry) = paid().await;
    hospital.shut_the_door();
    hospital.provider.takes_long();
    hospital.withdraw(entry).await;
    let trade_no = ids::trade_no(entry, 1);
    let before = hospital.steps(entry).await;
    let told = |id: &str, out_refund_no: String| Notice::Refund {
        notice_id: id.to_owned(),
        out_refund_no,
        refund: Refund::Success,
        money: RefundMoney { out_trade_no: trade_no.clone(), amount_fen: FEE_FEN, total_fen: Some(FEE_FEN) },
    };
    let strange = ["R-of-another".to_owned(), trade_no.clone(), ids::refund_no(&trade_no, 99)];
    for (nth, number) in strange.into_iter().enumerate() {
        let answer = hospital.desk.payment_notice(&told(&format!("EV-{nth}"), number)).await;
        assert!(matches!(answer, Err(DeskError::UnknownRefund)), "{answer:?}");
    }
    hospital.until_still().await;
    assert_eq!(hospital.steps(entry).await, before, "nobody was told");
    let refused = "select count(*) from callback where kind = 'REFUND' and fate = 'refused' and subject = $1";
    let refused: i64 = sqlx::query_scalar(refused).bind(&trade_no).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(refused, 3);
    let houbu = hospital.door.client();
    let because = houbu::client::shapes::Reason { reason: "to see".to_owned() };
    assert_eq!(
        houbu.replay_callback(hospital.desk.ports.payments.provider().source(), "EV-0", &because).await.unwrap().fate,
        "refused"
    );
    // A number of ours is heard: the last one, and one that was given up before or is of a part.
    for (nth, number) in [1, 2, 33].into_iter().enumerate() {
        let notice = told(&format!("EV-ours-{nth}"), ids::refund_no(&trade_no, number));
        assert_eq!(hospital.desk.payment_notice(&notice).await.unwrap(), Fate::Delivered);
    }
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    hospital.finish().await;
}
