//! Pages that are looked at are told when what they show has moved, over HTTP on a real database.

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
        let said = timeout(PATIENCE, self.0.next()).await.expect("the stream is silent");
        said.map(|said| String::from_utf8(said.unwrap().to_vec()).unwrap())
    }

    /// Waits until it says that its page moved: other tables are counted by the database some seconds late.
    async fn moves(&mut self) {
        let moved = async { while !self.next().await.expect("the stream ended").contains("event: moved") {} };
        timeout(PATIENCE * 3, moved).await.expect("nothing moved");
    }

    /// Two heartbeats and nothing else.
    async fn is_still(&mut self) -> bool {
        let mut both = String::new();
        for _ in 0..2 {
            both.push_str(&self.next().await.expect("the stream ended"));
        }
        !both.contains("moved")
    }

    async fn ends(&mut self) {
        while self.next().await.is_some() {}
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
    // What moved while the page was on its way.
    stream.moves().await;
    assert!(stream.is_still().await, "nothing moved");
    suspend(&house, &run).await;
    stream.moves().await;
    let mut second = Stream::of(&viewer, &format!("run:{run}")).await;
    // One who comes later draws anew too.
    second.moves().await;
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
    stream.moves().await;
    let wish = [("verb", "suspend"), ("status", "waiting"), ("reason", "the clinic is closed")];
    assert_eq!(staff.form("/bulks", &wish).await.status, StatusCode::SEE_OTHER);
    stream.moves().await;
    drop(stream);
    house.hospital.close().await;
}

/// What each of these pages hears of, and that its own page of the list is what is drawn anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_callbacks_deadlines_cases_and_letters_are_told_of_what_is_written() {
    let (house, _) = house().await;
    let staff = Person::with(&house, "chief", "administrator", "en").await;
    let written = [
        ("jobs", "insert into job (tenant, name, workflow, cron, zone, missed, jitter_s)
                  values ('another', 'sweep', 'x', '0 3 * * *', 'Asia/Shanghai', 'skip', 0)"),
        ("callbacks", "insert into callback (hospital, source, event_id, kind, subject, body, fate)
                       values ('h001', 'his', 'e1', '5001', 'x', '{}', 'no-run')"),
        ("callbacks", "insert into unmatched (tenant, run_id, name, signal_id, payload)
                       values ('h001', gen_random_uuid(), 'Payment', 's1', '{}')"),
        ("deadlines", "insert into blacklist_appeal (hospital, id, patient_id, said, due_at)
                       values ('h001', gen_random_uuid(), 'p1', 'x', engine_now() + interval '1 day')"),
        ("deadlines", "update blacklist_appeal set state = 'granted', decided_at = engine_now()"),
        ("cases", "insert into reconciliation_case (hospital, id, kind, subject, entry_id, day, ours, theirs, state)
                   values ('h001', gen_random_uuid(), 'missing', 'x', gen_random_uuid(), '2026-03-01', 'paid', 'none', 'open')"),
        ("cases", "insert into reconciliation (hospital, id, day) values ('h001', gen_random_uuid(), '2026-03-01')"),
        ("audit", "insert into audit (tenant, id, who, verb, reason, before, after)
                   values ('h001', gen_random_uuid(), 'li', 'retry', 'x', '{}', '{}')"),
        ("letters", "insert into outbox (tenant, id, run_id, topic, payload, status)
                     values ('h001', 'l1', gen_random_uuid(), 'notice', '{}', 'suspended')"),
    ];
    for (topic, sql) in written {
        let page = staff.page(&format!("/{topic}")).await;
        assert!(page.contains(&format!("data-live=\"{topic}\"")), "the page says what it shows: {page}");
        let mut stream = Stream::of(&staff, topic).await;
        stream.moves().await;
        sqlx::raw_sql(sql).execute(&house.hospital.pool).await.unwrap();
        stream.moves().await;
    }
    for (address, drawn) in [
        ("/callbacks?source=his&before=x", "/callbacks?source=his&#38;before=x"),
        ("/cases?state=resolved", "/cases?state=resolved"),
        ("/letters?after=l0&done=1", "/letters?after=l0"),
    ] {
        let page = staff.page(address).await;
        assert!(page.contains(&format!("hx-get=\"{drawn}\"")), "{address} stays itself: {page}");
    }
    house.hospital.close().await;
}

/// What people look at for long: somebody's page, who waits, who is barred, the lines of a number, figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patients_queues_days_and_figures_are_told_of_what_is_written() {
    let (house, _) = house().await;
    let staff = Person::with(&house, "chief", "administrator", "en").await;
    let touched = "update entry set updated_at = engine_now()";
    let barred = "insert into blacklist (hospital, patient_id, reason) values ('h001', 'p1', 'x')";
    let appealed = "insert into blacklist_appeal (hospital, id, patient_id, said)
                    values ('h001', gen_random_uuid(), 'p1', 'x')";
    let written = [
        ("/patients/p1", "patient", barred),
        ("/patients", "patients", touched),
        ("/schedules", "queues", touched),
        ("/blacklist", "blacklist", appealed),
        ("/day/waiting", "day", touched),
    ];
    for (address, topic, sql) in written {
        let page = staff.page(address).await;
        let part = format!("hx-get=\"{address}\" data-live=\"{topic}\"");
        assert!(page.contains(&part), "the page says what it shows: {page}");
        let mut stream = Stream::of(&staff, topic).await;
        stream.moves().await;
        sqlx::raw_sql(sql).execute(&house.hospital.pool).await.unwrap();
        stream.moves().await;
    }
    // Sums of days are told too, at the pace of somebody who reads them.
    let page = staff.page("/figures?from=2026-03-01&to=2026-03-09&by=doctor").await;
    let part = "hx-get=\"/figures?from=2026-03-01&#38;to=2026-03-09&#38;by=doctor\" data-live=\"figures\"";
    assert!(page.contains(part), "{page}");
    Stream::of(&staff, "figures").await.moves().await;
    for (address, drawn) in [
        ("/schedules?department=K1&waiting=1&after=S0", "/schedules?department=K1&#38;waiting=1&#38;after=S0"),
        ("/blacklist?from=50&rule=r1", "/blacklist?from=50"),
        ("/day/booked?day=2026-03-02", "/day/booked?day=2026-03-02"),
    ] {
        let page = staff.page(address).await;
        assert!(page.contains(&format!("hx-get=\"{drawn}\"")), "{address} stays itself: {page}");
    }
    house.hospital.close().await;
}

/// What is drawn anew is asked for again: what was found by a number that stands in no address is not, nor is a look in the clear,
/// which would be over, or be one more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_for_again_is_not_drawn_anew() {
    let (house, _) = house().await;
    let staff = Person::with(&house, "operator", "operator", "en").await;
    for (address, field) in [("/patients", ("q", "p1")), ("/patients/p1/unmask", ("reason", "asked by telephone"))] {
        let seen = staff.form(address, &[field]).await;
        assert_eq!(seen.status, StatusCode::OK, "{address}: {}", seen.text);
        assert!(!seen.text.contains("data-live") && !seen.text.contains("hx-get"), "{address}: {}", seen.text);
    }
    let seen = house.get("/v1/audit?verb=patient.unmask").await.json();
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(1), "{seen}");
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_server_drains() {
    let (house, run) = house().await;
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let mut streams = [Stream::of(&viewer, &format!("run:{run}")).await, Stream::of(&viewer, "home").await];
    house.live.close();
    for stream in &mut streams {
        stream.ends().await;
    }
    let late = viewer.request("GET", "/live?of=home").body(Body::empty()).unwrap();
    assert_eq!(house.open_answer(late).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_session() {
    let (house, run) = house().await;
    let viewer = Person::with(&house, "viewer", "viewer", "en").await;
    let mut stream = Stream::of(&viewer, &format!("run:{run}")).await;
    assert_eq!(viewer.form("/logout", &[]).await.status, StatusCode::SEE_OTHER);
    stream.ends().await;
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
