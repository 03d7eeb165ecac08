//! What every process answers, whatever its roles.

use crate::{
    suite,
    world::{Answer, World},
};
use kinora_server::roles::Role;
use reqwest::{Method, StatusCode, header};
use serde_json::Value;

suite! {
    every_process_says_how_it_is
    every_process_describes_itself
    what_is_not_there_is_a_problem
    a_request_keeps_its_id_and_its_trace
    a_page_of_any_origin_may_ask
}

async fn fetch(url: String) -> Answer {
    Answer::of(reqwest::Client::new().get(url).send().await.unwrap()).await
}

async fn every_process_says_how_it_is(world: &World) {
    for base in world.bases() {
        assert_eq!(fetch(format!("{base}/healthz")).await.is(StatusCode::OK).body, "ok\n");
        let ready = fetch(format!("{base}/readyz")).await.is(StatusCode::OK).json();
        let ready = ready.as_object().unwrap();
        assert!(ready.values().all(|state| state == "ok"), "{ready:?}");
        fetch(format!("{base}/v1/a/path/of/nobody?secret=1")).await.is(StatusCode::NOT_FOUND);
        let metrics = fetch(format!("{base}/metrics")).await.is(StatusCode::OK);
        let format = metrics.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert!(format.starts_with("application/openmetrics-text"), "{format}");
        assert!(metrics.body.ends_with("# EOF\n"));
        let counted = metrics.body.lines().any(|line| {
            line.starts_with(
                "kinora_http_requests_total{route=\"/readyz\",method=\"GET\",status=\"200\"} 1",
            )
        });
        assert!(counted, "{}", metrics.body);
        assert!(!metrics.body.contains("nobody"), "no label is a client's to choose");
    }
}

async fn every_process_describes_itself(world: &World) {
    for base in world.bases() {
        let document = fetch(format!("{base}/openapi.json")).await.is(StatusCode::OK).json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
        let mut references = Vec::new();
        collect_references(&document, &mut references);
        for reference in references {
            let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(target.is_some(), "{reference} leads nowhere");
        }
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.push(reference.clone());
            }
            members.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(values) => {
            values.iter().for_each(|value| collect_references(value, references))
        }
        _ => {}
    }
}

async fn what_is_not_there_is_a_problem(world: &World) {
    world.get("/v1/nothing").await.is(StatusCode::NOT_FOUND).problem("not_found");
    world.get("/nothing").await.is(StatusCode::NOT_FOUND).problem("not_found");
    let wrong = world.request(Method::PUT, "/v1/sessions").send().await.unwrap();
    let wrong = Answer::of(wrong).await.is(StatusCode::METHOD_NOT_ALLOWED);
    wrong.problem("method_not_allowed");
    let allow = wrong.headers[header::ALLOW].to_str().unwrap();
    assert!(allow.contains("POST") && allow.contains("DELETE"), "{allow}");
}

async fn a_request_keeps_its_id_and_its_trace(world: &World) {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = world
        .request(Method::GET, "/v1/account")
        .header("x-request-id", "mine-1")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let answer = Answer::of(request.send().await.unwrap()).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(answer.problem("unauthenticated")["request_id"], "mine-1");
    let answered = answer.headers["traceparent"].to_str().unwrap();
    assert!(answered.starts_with(&format!("00-{trace}-")) && answered.ends_with("-01"));
    assert!(!answered.contains("00f067aa0ba902b7"), "a step of its own");
    // In the log of the entry, and in that of whoever answered.
    let auth = world.roles().iter().find(|(role, _)| *role == Role::Auth);
    for base in [world.url(""), auth.unwrap().1.clone()] {
        let told = |line: &str| {
            line.contains("mine-1") && line.contains(trace) && line.contains("\"answered\"")
        };
        while !world.log_of(&base).lines().any(told) {
            tokio::task::yield_now().await;
        }
    }
}

async fn a_page_of_any_origin_may_ask(world: &World) {
    let preflight = world
        .request(Method::OPTIONS, "/v1/sessions")
        .header(header::ORIGIN, "https://tv.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    let answer = Answer::of(preflight.send().await.unwrap()).await.is(StatusCode::OK);
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let allowed = answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    assert!(allowed.contains("authorization"), "{allowed}");
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
}

/// The document has one place for each name: of two types of the same name, one would describe the other.
#[test]
fn no_two_types_of_the_document_have_the_same_name() {
    let mut names = std::collections::BTreeMap::new();
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for declared in text.split("ToSchema)]").skip(1) {
                let mut words = declared.split_whitespace();
                let name =
                    words.by_ref().skip_while(|word| !matches!(*word, "struct" | "enum")).nth(1);
                let name = name.unwrap().trim_end_matches(['{', ';', '(']).to_owned();
                let other = names.insert(name.clone(), path.clone());
                assert_eq!(other, None, "{name} is in {} too", path.display());
            }
        }
    }
    assert!(names.contains_key("Profile") && names.len() > 20, "{names:?}");
}
