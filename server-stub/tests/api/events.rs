//! Telling what happened.

use crate::{
    suite,
    world::{Answer, Device, World},
};
use kinora_server::{
    auth::Config,
    clock::UnixTime,
    events::{Events, Parts},
    http,
    roles::Role,
    storage::{
        Error, EventLog, History,
        event_log::{Appended, Entry, Record, Retention},
        sqlite::{SqliteCatalogue, SqliteHistory},
    },
    token::Verifier,
    web::{Limits, Service, metrics::Metrics},
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;

suite! {
    what_is_told_moves_the_position_and_is_counted_once
    each_event_has_a_verdict_of_its_own
    a_page_that_is_left_sends_a_beacon
    nobody_tells_for_another_account
    what_is_no_batch_is_refused
    what_was_taken_out_is_not_put_back_by_what_is_told_again
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub(crate) fn progress(id: &str, item: &str, seconds: u32, at_ms: u64) -> Value {
    json!({
        "event_id": id, "at_ms": at_ms, "type": "playback_progressed", "playback_id": "p1",
        "item_id": item, "position_seconds": seconds, "watched_ms": 1000, "bandwidth_bps": 2_000_000,
    })
}

pub(crate) fn batch(events: Vec<Value>) -> Value {
    json!({"sent_at_ms": now_ms(), "platform": "web", "events": events})
}

async fn verdicts(device: &Device<'_>, events: Vec<Value>) -> Vec<String> {
    let answer = device.post("/v1/events", batch(events)).await.is(StatusCode::OK).json();
    let verdict = |one: &Value| one["verdict"].as_str().unwrap().to_owned();
    answer["verdicts"].as_array().unwrap().iter().map(verdict).collect()
}

/// What the process that takes events counts, of everyone's.
async fn counted(world: &World, line: &str) -> f64 {
    let (_, base) = world.roles().iter().find(|(role, _)| *role == Role::Events).unwrap();
    let metrics = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    let found = metrics.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.parse().unwrap())
}

async fn what_is_told_moves_the_position_and_is_counted_once(world: &World) {
    world.import();
    let device = world.household("ada").await.viewing().await;
    let now = now_ms();
    let told = vec![
        progress("a", "bunny", 30, now - 20_000),
        progress("b", "bunny", 60, now - 5_000),
        progress("c", "show-1-1", 20, now - 3_000),
    ];
    assert_eq!(verdicts(&device, told.clone()).await, ["accepted"; 3]);
    assert_eq!(verdicts(&device, told.clone()).await, ["duplicate"; 3]);
    let begun = device.get("/v1/continue-watching").await.is(StatusCode::OK).json();
    assert_eq!(
        (&begun[0]["item_id"], &begun[0]["position_seconds"]),
        (&json!("show-1-1"), &json!(20))
    );
    assert_eq!(
        (&begun[1]["item_id"], &begun[1]["position_seconds"]),
        (&json!("bunny"), &json!(60))
    );
    // What comes late does not undo what came after it.
    let late = vec![progress("d", "bunny", 10, now - 60_000)];
    assert_eq!(verdicts(&device, late).await, ["accepted"]);
    let begun = device.get("/v1/continue-watching").await.json();
    assert_eq!(begun[1]["position_seconds"], 60);
    let watched = counted(world, "kinora_playback_watched_seconds_total{platform=\"web\"}").await;
    assert!((watched - 4.0).abs() < 1e-9, "{watched}");
    let bits = counted(world, "kinora_playback_bits_total{platform=\"web\"}").await;
    assert!((bits - 8e6).abs() < 1e-3, "{bits}");
    assert_eq!(counted(world, "kinora_events_total{verdict=\"accepted\"}").await as u32, 4);
    assert_eq!(counted(world, "kinora_events_total{verdict=\"duplicate\"}").await as u32, 3);
}

async fn each_event_has_a_verdict_of_its_own(world: &World) {
    world.import();
    let child = world.household("ada").await.viewing().await.child().await;
    let now = now_ms();
    let mut unknown = progress("u", "bunny", 1, now);
    unknown["type"] = json!("playback_hummed");
    let hostile = "bunny'; DROP TABLE position; --";
    let told = vec![
        progress("a", "bunny", 1, now),
        json!("nonsense"),
        unknown,
        progress("m", "missing", 1, now),
        progress("s", "sintel", 1, now), // not for children
        progress("n", "show", 1, now),   // nothing that plays
        progress("x", hostile, 1, now),
        progress("y y", "bunny", 1, now),
        progress("a", "bunny", 2, now),
        json!({"event_id": "r", "at_ms": now, "type": "row_shown", "row_id": "for-you", "title_ids": ["bunny"]}),
    ];
    let said = verdicts(&child, told).await;
    let mut expected = vec!["rejected"; 10];
    (expected[0], expected[8], expected[9]) = ("accepted", "duplicate", "accepted");
    assert_eq!(said, expected);
    assert_eq!(verdicts(&child, vec![]).await, [""; 0]);
}

async fn a_page_that_is_left_sends_a_beacon(world: &World) {
    world.import();
    let device = world.household("ada").await.viewing().await;
    let send = async |body: Value, content_type: &str, token: Option<&str>| {
        let mut request = world
            .request(Method::POST, "/v1/events")
            .header(header::CONTENT_TYPE, content_type)
            .header(header::ORIGIN, "https://tv.example")
            .body(body.to_string());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    let mut body = batch(vec![progress("a", "bunny", 44, now_ms())]);
    let text = "text/plain;charset=UTF-8";
    send(body.clone(), text, None).await.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    body["access_token"] = json!("not.a.token");
    send(body.clone(), text, None).await.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    body["access_token"] = json!(device.access);
    let answer = send(body.clone(), text, None).await.is(StatusCode::OK);
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let begun = device.get("/v1/continue-watching").await.json();
    assert_eq!(begun[0]["position_seconds"], 44);
    let both = send(body.clone(), text, Some(&device.access)).await;
    both.is(StatusCode::BAD_REQUEST).problem("malformed_request");
    let json = send(body.clone(), "application/json", None).await;
    json.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    let form = send(body, "application/x-www-form-urlencoded", Some(&device.access)).await;
    form.is(StatusCode::UNSUPPORTED_MEDIA_TYPE).problem("unsupported_media_type");
    assert!(!world.log().contains(&device.access), "the token is in no log");
}

async fn nobody_tells_for_another_account(world: &World) {
    world.import();
    let ada = world.household("ada").await.viewing().await;
    let bob = world.household("bob").await.viewing().await;
    let now = now_ms();
    assert_eq!(verdicts(&ada, vec![progress("same", "bunny", 30, now)]).await, ["accepted"]);
    assert_eq!(
        verdicts(&bob, vec![progress("same", "bunny", 50, now)]).await,
        ["accepted"],
        "names are each profile's own"
    );
    let profile = ada.profiles().await.remove(0);
    let mut forged = progress("forged", "bunny", 99, now);
    forged["profile"] = json!(profile);
    assert_eq!(verdicts(&bob, vec![forged]).await, ["rejected"]);
    let mut body = batch(vec![progress("forged", "bunny", 99, now)]);
    body["profile"] = json!(profile);
    bob.post("/v1/events", body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    for (device, seconds) in [(&ada, 30), (&bob, 50)] {
        let begun = device.get("/v1/continue-watching").await.json();
        assert_eq!(begun[0]["position_seconds"], seconds);
    }
    let account = world.sign_in("ada").await;
    let answer = account.post("/v1/events", batch(vec![])).await;
    answer.is(StatusCode::FORBIDDEN).problem("profile_required");
}

async fn what_was_taken_out_is_not_put_back_by_what_is_told_again(world: &World) {
    world.import();
    let device = world.household("ada").await.viewing().await;
    let now = now_ms();
    let told =
        vec![progress("a", "show-1-1", 20, now - 20_000), progress("b", "bunny", 30, now - 10_000)];
    assert_eq!(verdicts(&device, told.clone()).await, ["accepted"; 2]);
    device.delete("/v1/continue-watching/show").await.is(StatusCode::NO_CONTENT);
    assert_eq!(verdicts(&device, told).await, ["duplicate"; 2]);
    let late = vec![progress("c", "show-1-1", 25, now - 15_000)];
    assert_eq!(verdicts(&device, late).await, ["accepted"]);
    let begun = device.get("/v1/continue-watching").await.json();
    let items: Vec<_> = begun.as_array().unwrap().iter().map(|one| &one["item_id"]).collect();
    assert_eq!(items, ["bunny"]);
    // It was on its way for a moment.
    let again = vec![progress("d", "show-1-1", 40, now_ms() - 300)];
    assert_eq!(verdicts(&device, again).await, ["accepted"]);
    let begun = device.get("/v1/continue-watching").await.json();
    assert_eq!(begun[0]["position_seconds"], 40, "watched again: {begun}");
}

async fn what_is_no_batch_is_refused(world: &World) {
    let device = world.household("ada").await.viewing().await;
    let many = (0..201).map(|n| progress(&n.to_string(), "bunny", 1, 1)).collect();
    for (body, status, code) in [
        (batch(many), 422, "invalid_value"),
        (json!({"events": []}), 422, "invalid_value"),
        (json!({"sent_at_ms": -5, "events": []}), 422, "invalid_value"),
        (json!({"sent_at_ms": 5, "events": {}}), 422, "invalid_value"),
        (json!({"sent_at_ms": 5, "platform": "moon", "events": []}), 422, "invalid_value"),
        (json!([5, "web", []]), 422, "invalid_value"),
        (json!({"sent_at_ms": 5, "events": ["x".repeat(66_000)]}), 413, "body_too_large"),
    ] {
        let answer = device.post("/v1/events", body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        answer.problem(code);
    }
    let answer = Answer::of(
        world
            .request(Method::POST, "/v1/events")
            .bearer_auth(&device.access)
            .header(header::CONTENT_TYPE, "application/json")
            .body("{\"sent_at_ms\":")
            .send()
            .await
            .unwrap(),
    )
    .await;
    answer.is(StatusCode::BAD_REQUEST).problem("malformed_request");
}

#[tokio::test]
async fn a_device_that_tells_too_often_is_told_when_to_come_back() {
    let world = World::inside(Config::default()).await;
    let device = world.household("ada").await.viewing().await;
    let other = world.sign_in("ada").await.viewing().await;
    let mut limited = 0;
    for _ in 0..70 {
        let answer = device.post("/v1/events", batch(vec![])).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            answer.problem("too_many_requests");
            let seconds: u32 =
                answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=5).contains(&seconds), "{seconds}");
            limited += 1;
        } else {
            answer.is(StatusCode::OK);
        }
    }
    assert_eq!(limited, 10);
    other.post("/v1/events", batch(vec![])).await.is(StatusCode::OK);
    world.clock.advance(5);
    device.post("/v1/events", batch(vec![])).await.is(StatusCode::OK);
}

/// A client whose clock is wrong knows how long ago it was; one that claims the future tells of now.
#[tokio::test]
async fn a_wrong_clock_of_a_client_moves_nothing() {
    let world = World::inside(Config::default()).await;
    world.import();
    let device = world.household("ada").await.viewing().await;
    let tell = async |id: &str, seconds: u32, sent: u64, at: u64| {
        let body = json!({"sent_at_ms": sent, "events": [progress(id, "bunny", seconds, at)]});
        device.post("/v1/events", body).await.is(StatusCode::OK);
        let begun = device.get("/v1/continue-watching").await.json();
        (begun[0]["position_seconds"].as_u64().unwrap(), begun[0]["watched_at"].as_i64().unwrap())
    };
    let day = 86_400_000;
    // Its clock says 1970; it happened ten seconds before it was sent.
    assert_eq!(tell("a", 30, 20_000, 10_000).await, (30, 1_999_999_990));
    assert_eq!(tell("b", 40, 5 * day, 9 * day).await, (40, 2_000_000_000), "not in the future");
    assert_eq!(tell("c", 50, u64::MAX >> 12, 0).await, (40, 2_000_000_000), "as old as may be");
}

/// However many episodes a batch tells of, nobody waits for the disk once for each.
#[tokio::test]
async fn the_positions_of_a_batch_are_remembered_at_once() {
    let world = World::inside(Config::default()).await;
    let episode = |number: u32| {
        json!({
            "id": format!("long-{number}"), "number": number, "name": "N", "synopsis": "",
            "media": {"duration_seconds": 600, "hls": "/film.m3u8"},
        })
    };
    let series = json!({"titles": [{
        "id": "long", "kind": "series", "name": "Long", "maturity": 0,
        "seasons": [{"number": 1, "episodes": (1..=150).map(episode).collect::<Vec<_>>()}],
    }]});
    let file = world.data.path().join("series.json");
    std::fs::write(&file, series.to_string()).unwrap();
    let imported = world.run(&["import", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let device = world.household("ada").await.viewing().await;
    let log = world.data.path().join("history.sqlite-wal");
    let written = || std::fs::metadata(&log).unwrap().len();
    let before = written();
    let told = (1..=150).map(|n| progress(&format!("e{n}"), &format!("long-{n}"), n, now_ms()));
    assert_eq!(verdicts(&device, told.collect()).await, ["accepted"; 150]);
    let pages = (written() - before) / 4096;
    assert!((1..100).contains(&pages), "{pages} pages: a commit for each would be two at least");
}

/// A verdict promises that the position is kept as well: where it cannot be, there is none, and telling again helps.
#[tokio::test]
async fn there_is_no_verdict_before_the_position_is_kept() {
    let world = World::inside(Config::default()).await;
    world.import();
    let device = world.household("ada").await.viewing().await;
    let broken = rusqlite::Connection::open(world.data.path().join("history.sqlite")).unwrap();
    broken.execute_batch("ALTER TABLE position RENAME TO lost").unwrap();
    let told = batch(vec![progress("a", "bunny", 30, now_ms())]);
    let refused = device.post("/v1/events", told.clone()).await;
    refused.is(StatusCode::SERVICE_UNAVAILABLE).problem("unavailable");
    broken.execute_batch("ALTER TABLE lost RENAME TO position").unwrap();
    let answer = device.post("/v1/events", told).await.is(StatusCode::OK).json();
    assert_eq!(answer["verdicts"][0]["verdict"], "duplicate");
    let begun = device.get("/v1/continue-watching").await.json();
    assert_eq!(begun[0]["position_seconds"], 30);
}

/// A log that has more to do than it keeps up with.
struct Full;

#[async_trait::async_trait]
impl EventLog for Full {
    async fn append(&self, _: Vec<Entry>, _: UnixTime) -> Result<Vec<Appended>, Error> {
        Err(Error::Busy)
    }
    async fn read(&self, _: u64, _: usize) -> Result<Vec<Record>, Error> {
        Ok(Vec::new())
    }
    async fn range(&self) -> Result<Range<u64>, Error> {
        Ok(0..0)
    }
    async fn retain(&self, _: Retention) -> Result<u64, Error> {
        Ok(0)
    }
    async fn ready(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// More than can be stored is sent away, and told when to come again; nothing of it is half stored.
#[tokio::test]
async fn more_than_can_be_kept_up_with_comes_again_later() {
    let world = World::inside(Config::default()).await;
    world.import();
    let device = world.household("ada").await.viewing().await;
    let data = world.data.path();
    let history = SqliteHistory::open(data).await.unwrap();
    let parts = Parts {
        log: Arc::new(Full),
        catalogue: Arc::new(SqliteCatalogue::open(data).await.unwrap()),
        history: Arc::new(history.clone()),
        verifier: Verifier::new(data.join("jwks.json"), world.clock.clone()),
        clock: world.clock.clone(),
    };
    let metrics = Metrics::default();
    let role = Events::new(parts, kinora_server::events::Config::default(), &metrics);
    let service = Service::new(metrics, Limits::default()).role(role.routes());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/events", listener.local_addr().unwrap());
    let never = std::future::pending();
    tokio::spawn(http::serve(listener, service.router(), never, Duration::ZERO));

    let told = batch(vec![progress("a", "bunny", 30, now_ms())]);
    let request = reqwest::Client::new().post(url).bearer_auth(&device.access).json(&told);
    let answer = Answer::of(request.send().await.unwrap()).await;
    let answer = answer.is(StatusCode::SERVICE_UNAVAILABLE);
    answer.problem("unavailable");
    let seconds: u32 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert!(history.profiles(None, 9).await.unwrap().is_empty());
    // To the log that has time, the same device tells the same.
    assert_eq!(verdicts(&device, vec![progress("a", "bunny", 30, now_ms())]).await, ["accepted"]);
}
