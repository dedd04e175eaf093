//! A rolling deploy: a second `houbu serve` beside the first on one database, then the first is asked to end in the middle
//! of the morning's rush. Nobody who applies notices more than a closed connection.

use reqwest::Method;
use serde_json::{Value, json};

use super::process::Process;
use super::{Ward, wait_for};
use crate::hospital::KEY;
use crate::hospital::world::patient_id;

/// Asks these servers in turn until one answers: what a load balancer does.
async fn apply(http: &reqwest::Client, servers: &[String], patient: u32) -> Value {
    let body = json!({ "scheduleId": "w1-am", "patientId": patient_id(patient) });
    for server in servers.iter().cycle().take(100) {
        let request = http.request(Method::POST, format!("{server}/v1/waitlist")).bearer_auth(KEY);
        let request = request.header("idempotency-key", format!("rush-{patient}")).json(&body);
        if let Ok(response) = request.send().await
            && response.status().is_success()
        {
            return response.json().await.unwrap();
        }
    }
    panic!("nobody serves patient {patient}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_release_takes_over_from_another_under_load() {
    let ward = Ward::open().await;
    let old = Process::serve(&ward, "old", &[]).await;
    let new = Process::serve(&ward, "new", &[]).await;
    let servers = [old.address(), new.address()];
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let rush = async {
        for patient in 1..=16 {
            apply(&http, &servers, patient).await;
        }
    };
    let deploy = async {
        wait_for("the rush", || async {
            let entries: i64 =
                sqlx::query_scalar("select count(*) from entry").fetch_one(&ward.hospital.db.pool).await.unwrap();
            entries >= 4
        })
        .await;
        old.leaves().await;
    };
    tokio::join!(rush, deploy);
    assert!(!ward.leases().await.contains(&old.lease()), "no lease of the old one is left");
    ward.hospital.pass_seconds(20).await;
    let (all, waiting): (i64, i64) =
        sqlx::query_as("select count(*), count(*) filter (where status = 'waiting') from entry")
            .fetch_one(&ward.hospital.db.pool)
            .await
            .unwrap();
    assert_eq!((all, waiting), (16, 16), "nobody is lost, and nobody stands there twice");
    for _ in 0..3 {
        ward.hospital.free_a_place("w1-am").await;
    }
    let booked: i64 = sqlx::query_scalar("select count(*) from entry where status = 'booked'")
        .fetch_one(&ward.hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(booked, 3);
    new.leaves().await;
    ward.hospital.finish().await;
}
