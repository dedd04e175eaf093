//! The codes of both providers: what the sandbox can be switched to answer, what the documentation says of it, and what the port makes
//! of it, held together. And how an order may stand that is not paid.

use chrono::NaiveDate;
use houbu::ports::payments::{Bill, Opened, Payment, Provider, Refund};
use houbu::sandbox::catalogue::{SUBJECTS, Subject};
use houbu::sandbox::switches::Wrong;
use houbu::sandbox::wechat_pay::Unpaid;

use super::sandbox::World;
use super::{known, refund};

const DOCUMENT: &str = include_str!("../../../docs/integration/payments.md");

/// Calls it, about what there is, and says what it came to.
async fn met(world: &World, call: &str) -> String {
    let pay = &world.pay;
    match call {
        "open" => match pay.open(&world.order("order2")).await {
            Ok(Opened::Refused { .. }) => "refused".to_owned(),
            Ok(Opened::Exists) => "exists".to_owned(),
            other => known(&other).to_owned(),
        },
        "query" => match pay.order("order1").await {
            Ok(Payment::Unknown) => "no such order".to_owned(),
            other => known(&other).to_owned(),
        },
        "close" => match pay.close("order1").await {
            Ok(()) => "closed".to_owned(),
            other => known(&other).to_owned(),
        },
        "refund" => match pay.refund(&refund("order1", "refund1", 100)).await {
            Ok(said) if said.refund == Refund::Abnormal => "ABNORMAL".to_owned(),
            other => known(&other).to_owned(),
        },
        "refund query" => match pay.refund_status("refund1").await {
            Ok(said) if said.refund == Refund::Unknown => "no such refund".to_owned(),
            other => known(&other).to_owned(),
        },
        "bill" | "bill download" => match pay.bill(NaiveDate::from_ymd_opt(2026, 9, 1).unwrap()).await {
            Ok(Bill::NotYet) => "not yet".to_owned(),
            Ok(Bill::Lines(lines)) if lines.is_empty() => "nothing happened".to_owned(),
            other => known(&other).to_owned(),
        },
        other => panic!("{other} is called by nobody"),
    }
}

/// What a code of this call means.
fn means(call: &str, code: &str) -> &'static str {
    match (call, code) {
        // A bill that cannot be had says nothing.
        ("bill download", _) | (_, "SYSTEM_ERROR" | "FAILED") => "unknown",
        (_, "FREQUENCY_LIMITED" | "BUSY" | "STALE") => "not taken",
        ("open", "OUT_TRADE_NO_USED" | "ORDERPAID" | "ORDER_CLOSED" | "ORDER_EXISTS" | "ORDER_PAID") => "exists",
        ("open", "INSURANCE_REFUSED" | "ORDER_REFUSED") => "refused",
        ("query", "ORDER_NOT_EXIST" | "ORDER_UNKNOWN") => "no such order",
        ("close", "USER_PAYING" | "PAYING") | ("refund", "NOT_ENOUGH" | "FUNDS_SHORT") => "not now",
        ("close", "ORDERPAID" | "ORDER_PAID" | "ORDER_CLOSED" | "ORDER_NOT_EXIST" | "ORDER_UNKNOWN") => "closed",
        ("refund", "USER_ACCOUNT_ABNORMAL" | "ACCOUNT_CLOSED") => "ABNORMAL",
        ("refund query", "RESOURCE_NOT_EXISTS" | "REFUND_UNKNOWN") => "no such refund",
        ("bill", "STATEMENT_CREATING" | "BILL_NOT_READY") => "not yet",
        ("bill", "NO_STATEMENT_EXIST") => "nothing happened",
        _ => "for a person",
    }
}

/// The calls of this provider, by their names without it.
fn calls(provider: Provider) -> impl Iterator<Item = (&'static str, &'static Subject)> {
    let of = move |subject: &'static Subject| {
        let call = subject.call.strip_prefix(provider.source())?.trim_start();
        (!subject.is_push && call != "certificates").then_some((call, subject))
    };
    SUBJECTS.iter().filter_map(of)
}

#[tokio::test]
async fn e01_every_code_can_be_switched_on_and_means_what_the_table_says() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        world.paid("order1").await;
        world.set("2026-09-02T03:00:00Z".parse().unwrap());
        for (call, subject) in calls(provider) {
            for code in subject.answers {
                world.goes_wrong(call, Wrong::named(subject, code).unwrap());
                let case = format!("{} {code}", subject.call);
                assert_eq!(met(&world, call).await, means(call, code), "{case}");
                assert!(world.faults.switches().shown().is_empty(), "{case} was not answered");
                assert!(
                    call.starts_with("bill") || DOCUMENT.contains(&format!("`{code}`")),
                    "{case} is not documented"
                );
            }
        }
        let books = world.server.books().await;
        assert_eq!((books.orders.len(), books.refunds.len()), (1, 0), "nothing was done");
    }
}

/// Each provider has its own words alone, and all that the documentation names of a platform's.
#[test]
fn what_a_platform_can_be_switched_to_answer_is_what_its_table_names() {
    let (_, table) = DOCUMENT.split_once("## Its codes, and what is done").unwrap();
    let rows = table.lines().take_while(|line| !line.starts_with("# ")).filter(|line| line.starts_with("| "));
    let words = |line: &'static str| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2);
    let is_code = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let written: std::collections::BTreeSet<&str> = rows.flat_map(words).filter(is_code).collect();
    let offered: std::collections::BTreeSet<&str> =
        calls(Provider::Platform).flat_map(|(_, subject)| subject.answers.iter().copied()).collect();
    assert_eq!(offered, written);
}

#[tokio::test]
async fn e04_an_order_that_is_being_paid_cannot_be_closed_and_one_that_failed_or_was_revoked_is_no_money() {
    for provider in Provider::ALL {
        let world = World::of(provider).await;
        let pay = &world.pay;
        for number in ["paying", "failed0", "revoked"] {
            pay.open(&world.order(number)).await.unwrap();
        }
        assert!(!world.server.shows("unheard", Unpaid::Paying).await.unwrap());
        assert!(world.server.shows("paying", Unpaid::Paying).await.unwrap());
        assert!(world.server.shows("failed0", Unpaid::Failed).await.unwrap());
        assert!(world.server.shows("revoked", Unpaid::Revoked).await.unwrap());
        assert!(!world.server.shows("revoked", Unpaid::Paying).await.unwrap(), "it is over");

        assert_eq!(pay.order("paying").await, Ok(Payment::Open));
        assert_eq!(known(&pay.close("paying").await), "not now");
        world.server.pay_now("paying").await.unwrap();
        assert!(matches!(pay.order("paying").await, Ok(Payment::Paid(_))));

        assert_eq!(pay.order("failed0").await, Ok(Payment::Open));
        assert_eq!(pay.close("failed0").await, Ok(()));
        assert_eq!(pay.order("failed0").await, Ok(Payment::Closed));

        assert_eq!(pay.order("revoked").await, Ok(Payment::Closed));
        assert_eq!(pay.open(&world.order("revoked")).await, Ok(Opened::Exists));
        assert!(world.server.pay_now("revoked").await.is_err());
    }
}
