//! The description of the API holds what it says: each operation has examples, the server takes those of requests, and the
//! typed client has each call and reads those of answers.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use houbu::client::{CALLS, Call};
use houbu::waitlist::policy::PaymentMode;
use serde_json::Value;

use crate::surface::{House, on};

/// An operation: method, path, description.
type Operation<'a> = (String, &'a str, &'a Value);

fn operations(api: &Value) -> Vec<Operation<'_>> {
    let paths = api["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(|(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        })
        .collect()
}

/// What is in each content of a request or an answer.
fn examples(carrier: &Value) -> Vec<(&str, Option<&Value>)> {
    let contents = carrier["content"].as_object().into_iter().flatten();
    contents.map(|(kind, content)| (kind.as_str(), content.get("example"))).collect()
}

/// The answers that are successes.
fn successes(operation: &Value) -> impl Iterator<Item = (&String, &Value)> {
    operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'))
}

fn call_of(method: &str, path: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.method == method && call.path == path)
}

async fn description(house: &House) -> Value {
    house.get("/openapi.json").await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_has_an_example_of_what_it_takes_and_of_what_it_answers() {
    let house = House::open(on(PaymentMode::None)).await;
    let api = description(&house).await;
    let mut without = Vec::new();
    for (method, path, operation) in operations(&api) {
        for (kind, example) in examples(&operation["requestBody"]) {
            if example.is_none() {
                without.push(format!("{method} {path} takes {kind}"));
            }
        }
        for (status, answer) in successes(operation) {
            for (kind, example) in examples(answer) {
                // CSV is said in words.
                if example.is_none() && kind != "text/csv" {
                    without.push(format!("{method} {path} answers {status} {kind}"));
                }
            }
        }
    }
    assert!(without.is_empty(), "{without:#?}");
    assert!(api.to_string().len() < 600_000, "{} bytes: a problem is described once", api.to_string().len());
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_has_every_call_and_reads_every_example() {
    let house = House::open(on(PaymentMode::None)).await;
    let api = description(&house).await;
    let mut described = BTreeSet::new();
    let mut wrong = Vec::new();
    for (method, path, operation) in operations(&api).into_iter().filter(|(_, path, _)| path.starts_with("/v1/")) {
        described.insert((method.clone(), path.to_owned()));
        let Some(call) = call_of(&method, path) else {
            wrong.push(format!("{method} {path}: the client cannot do it"));
            continue;
        };
        let sent = examples(&operation["requestBody"]);
        if sent.is_empty() != call.sends.is_empty() {
            wrong.push(format!("{method} {path}: one has a body and the other none"));
        }
        for (reads, (_, example)) in call.sends.iter().zip(sent) {
            if let Err(error) = reads(&example.unwrap().to_string()) {
                wrong.push(format!("{method} {path}: its request: {error}"));
            }
        }
        for (status, answer) in successes(operation) {
            let answered = examples(answer).into_iter().find(|(kind, _)| *kind == "application/json");
            let text = answered.map_or_else(|| "null".to_owned(), |(_, example)| example.unwrap().to_string());
            if let Err(error) = (call.answers)(&text) {
                wrong.push(format!("{method} {path}: its answer {status}: {error}"));
            }
        }
    }
    for call in CALLS {
        if !described.contains(&(call.method.to_owned(), call.path.to_owned())) {
            wrong.push(format!("{} {} ({}) is not described", call.method, call.path, call.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    house.hospital.close().await;
}

/// A path with something that could be there for each of its names.
fn filled(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let mut filled = path.to_owned();
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        let value = match (name, parameter["schema"]["format"].as_str()) {
            (_, Some("uuid")) => "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11",
            ("level", _) => "campus",
            ("workflow", _) => "schedule_sync",
            ("signal", _) => "PullNow",
            ("name", _) if path.starts_with("/v1/templates") => "waitlist_please_confirm",
            _ => "x1",
        };
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_takes_every_example_of_a_request() {
    let house = House::open(on(PaymentMode::None)).await;
    let api = description(&house).await;
    let mut taken = 0;
    for (method, path, operation) in operations(&api).into_iter().filter(|(_, path, _)| path.starts_with("/v1/")) {
        for (_, example) in examples(&operation["requestBody"]) {
            let answer = house.ask(&method, &filled(path, operation), None, example.cloned()).await;
            let status = answer.status;
            assert!(!status.is_server_error(), "{method} {path}: {status} {}", answer.text);
            // What the example is about may not be there, or not allow it; what it says is read and understood.
            if !status.is_success() {
                assert!(status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                let code = answer.code();
                let misread =
                    ["unreadable", "invalid_request", "unsupported_media_type", "invalid_policy", "invalid_template"];
                assert!(!misread.contains(&code.as_str()), "{method} {path}: {}", answer.text);
            }
            taken += 1;
        }
    }
    assert!(taken >= 30, "{taken}");
    house.hospital.close().await;
}
