//! Sixty applications while one request in eight and one push in four goes wrong: everybody's matter ends, and the
//! books of all three sides agree.

use houbu::ports::his::Protocol;
use houbu::ports::payments::Provider;
use houbu::sandbox::faults::Level;
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::status::EntryStatus;

use crate::hospital::world::{SCHEDULES, local};
use crate::hospital::{Hospital, Setup};

async fn twenty_applications(mode: PaymentMode, seed: u64, his: Protocol) {
    twenty_paid_through(Setup::paying(mode).pay, mode, seed, his).await;
}

async fn twenty_paid_through(pay: Provider, mode: PaymentMode, seed: u64, his: Protocol) {
    let usual = Setup { pay, ..Setup::paying(mode) };
    let setup = Setup { faults: Level::Heavy, seed, sync_at: "15 */3 * * *", places: 10, patients: 20, his, ..usual };
    let hospital = Hospital::open(setup).await;
    hospital.start_sync().await;
    let mut entries = Vec::new();
    for patient in 1..=20 {
        entries.push(hospital.apply(SCHEDULES[patient as usize % 3], patient).await);
    }
    hospital.pass_minutes(20).await;
    // Places come free over the day; people answer, change their minds, or do nothing.
    for round in 0..5_u32 {
        for schedule in SCHEDULES {
            hospital.free_a_place(schedule).await;
        }
        hospital.pass_minutes(7).await;
        for (nth, entry) in (0_u32..).zip(&entries) {
            match (hospital.status(*entry).await.as_str(), (nth + round) % 7) {
                ("offered", 0) | ("awaitingPayment", 1) => hospital.decline(*entry).await,
                ("offered", 1..6) => {
                    // While HIS does not answer, the place is not locked yet and cannot be accepted.
                    let refused = hospital.tries_to_confirm(*entry).await;
                    assert!(refused.is_none_or(|refused| refused.code() == "not_confirmable"));
                }
                ("waiting", 6) if round > 2 => hospital.withdraw(*entry).await,
                ("booked", 5) if round > 3 => hospital.cancel_visit(*entry).await,
                _ => {}
            }
        }
        hospital.pass_minutes(45).await;
    }
    hospital.stop("w2-am").await;
    // A day after the visits every letter and every refund has found its way.
    hospital.pass_until(local(5, 12, 0)).await;
    let mut booked = 0;
    for entry in &entries {
        let status = EntryStatus::parse(&hospital.status(*entry).await).unwrap();
        assert!(!status.live() && status != EntryStatus::Settling, "{entry} is still {status:?}");
        booked += u32::from(status == EntryStatus::Booked);
    }
    assert!(booked > 0, "nobody was booked at all");
    let failed: i64 = sqlx::query_scalar(
        "select (select count(*) from turn where outcome is null or outcome = 'Away') + (select sum(attempt) from outbox)",
    )
    .fetch_one(&hospital.db.pool)
    .await
    .unwrap();
    assert!(failed > 10, "only {failed} attempts failed: these were no heavy faults");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_without_payment() {
    twenty_applications(PaymentMode::None, 11, Protocol::Jiankangtong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_prepayment() {
    twenty_applications(PaymentMode::Prepay, 12, Protocol::Jiankangtong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_lock_and_payment() {
    twenty_applications(PaymentMode::LockThenPay, 13, Protocol::Jiankangtong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_prepayment_over_rest() {
    twenty_applications(PaymentMode::Prepay, 14, Protocol::Rest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_lock_and_payment_over_rest() {
    twenty_applications(PaymentMode::LockThenPay, 15, Protocol::Rest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_prepayment_over_fhir() {
    twenty_applications(PaymentMode::Prepay, 16, Protocol::Fhir).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_lock_and_payment_over_fhir() {
    twenty_applications(PaymentMode::LockThenPay, 17, Protocol::Fhir).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_prepayment_through_a_platform() {
    twenty_paid_through(Provider::Platform, PaymentMode::Prepay, 18, Protocol::Jiankangtong).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_faults_with_lock_and_payment_through_a_platform() {
    twenty_paid_through(Provider::Platform, PaymentMode::LockThenPay, 19, Protocol::Rest).await;
}
