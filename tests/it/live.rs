//! Pages that are looked at are told when what they show has moved, over HTTP on a real database.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use serde_json::json;
use tokio::time::timeout;

use super::console::{Person, house};
use super::patience::{PATIENCE, wait_for};
use super::surface::House;

/// A page's stream.
struct Stream(BodyDataStream);

impl Stream {
    async fn of(person: &Person<'_>, topic: &str) -> Self {
        let request = person.request("GET", &format!("/live?of={topic}")).header("accept", "text/event-stream");
        let response = person.house.open_answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body().into_data_stream())
    }

    /// What it says next, in time; none: it has ended.
    async fn next(&mut self) -> Option<String> {
        self.next_within(PATIENCE).await
    }

    async fn next_within(&mut self, patience: Duration) -> Option<String> {
        let said = timeout(patience, self.0.next()).await.expect("the stream is silent");
        said.map(|said| String::from_utf8(said.unwrap().to_vec()).unwrap())
    }

    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(2500), self.0.next()).await.is_err()
    }
}

async fn suspend(house: &House, run: &str) {
    let why = json!({ "reason": "the patient asked" });
    let answer = house.ask("POST", &format!("/v1/runs/{run}/suspend"), Some("k-suspend"), Some(why)).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_run_is_told_when_the_run_moves_and_nobody_looks_on_once_it_is_left() {
    let (house, run) = house().await;
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    assert!(!house.live.is_watching(), "nobody watches yet");
    let page = viewer.page(&format!("/runs/{run}")).await;
    assert!(page.contains(&format!("data-live=\"run:{run}\"")), "the page says what it shows");
    let mut stream = Stream::of(&viewer, &format!("run:{run}")).await;
    assert!(stream.next().await.unwrap().contains("event: moved"), "what moved while the page was on its way");
    assert!(stream.is_silent().await, "nothing moved");
    suspend(&house, &run).await;
    assert!(stream.next().await.unwrap().contains("event: moved"));
    let mut second = Stream::of(&viewer, &format!("run:{run}")).await;
    assert!(second.next().await.unwrap().contains("event: moved"), "one who comes later draws anew too");
    assert!(house.live.is_watching());
    drop((stream, second));
    wait_for("the watcher rests", async || !house.live.is_watching()).await;
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_told_of_what_is_written() {
    let (house, _) = house().await;
    let staff = Person::with(&house, "chief", "administrator", "en").await;
    let mut stream = Stream::of(&staff, "bulks").await;
    assert!(stream.next().await.unwrap().contains("event: moved"));
    let wish = [("verb", "suspend"), ("status", "waiting"), ("reason", "the clinic is closed")];
    assert_eq!(staff.form("/bulks", &wish).await.status, StatusCode::SEE_OTHER);
    // The database counts what is written some seconds late; a heartbeat may come before.
    let told = async { while !stream.next_within(PATIENCE * 2).await.unwrap().contains("event: moved") {} };
    timeout(PATIENCE * 3, told).await.expect("the list is told");
    drop(stream);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_server_drains() {
    let (house, run) = house().await;
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let mut streams = [Stream::of(&viewer, &format!("run:{run}")).await, Stream::of(&viewer, "home").await];
    house.live.close();
    for stream in &mut streams {
        while stream.next().await.is_some() {}
    }
    let late = viewer.request("GET", "/live?of=home").body(Body::empty()).unwrap();
    assert_eq!(house.open_answer(late).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_staff_hear_and_only_of_what_there_is() {
    let (house, _) = house().await;
    let stranger = Request::builder().uri("/live?of=home").body(Body::empty()).unwrap();
    assert_eq!(house.open_answer(stranger).await.status(), StatusCode::SEE_OTHER);
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let unknown = viewer.request("GET", "/live?of=nothing").body(Body::empty()).unwrap();
    assert_eq!(house.open_answer(unknown).await.status(), StatusCode::NOT_FOUND);
    house.hospital.close().await;
}
