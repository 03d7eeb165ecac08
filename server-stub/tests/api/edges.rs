//! Media from edges.

use crate::{delivery, world::World};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use kinora_server::{
    clock::{Clock, UnixTime},
    delivery::{memory::Memory, router},
    edge::Edge,
    http,
    id::{AccountId, PlaybackId},
    token::cat::{DeliveryKeys, Grant, Scope},
    web::metrics::Metrics,
};
use reqwest::{Client, StatusCode};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Semaphore};

const MIB: usize = 1 << 20;
const NOW: UnixTime = UnixTime(2_000_000_000);

/// An origin with one file, which it may change, and an edge in front of it.
struct Stage {
    origin: Arc<Origin>,
    edge: String,
    keys: Arc<DeliveryKeys>,
    metrics: Metrics,
    client: Client,
    _directory: TempDir,
}

struct Origin {
    file: Mutex<(Vec<u8>, &'static str)>,
    /// What it was asked for.
    ranges: Mutex<Vec<String>>,
    /// Whether it answers with a failure.
    fails: Mutex<bool>,
    /// How many it may answer.
    answers: Semaphore,
}

async fn from_origin(State(origin): State<Arc<Origin>>, request: Request) -> Response {
    let range = request.headers()[header::RANGE].to_str().unwrap().to_owned();
    origin.ranges.lock().unwrap().push(range.clone());
    origin.answers.acquire().await.unwrap().forget();
    if *origin.fails.lock().unwrap() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (file, etag) = origin.file.lock().unwrap().clone();
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    if first >= file.len() {
        let headers = [(header::CONTENT_RANGE, format!("bytes */{}", file.len()))];
        return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
    }
    let last = last.min(file.len() - 1);
    let headers = [
        (header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", file.len())),
        (header::ETAG, etag.to_owned()),
    ];
    let body = Body::from(file[first..=last].to_vec());
    (StatusCode::PARTIAL_CONTENT, headers, body).into_response()
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(http::serve(listener, router, std::future::pending(), Duration::ZERO));
    base
}

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

impl Stage {
    /// An edge that keeps so much of a file of so many bytes.
    async fn new(length: usize, memory: u64) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let origin = Arc::new(Origin {
            file: Mutex::new((bytes(length, 1), "\"1\"")),
            ranges: Mutex::default(),
            fails: Mutex::default(),
            answers: Semaphore::new(1_000_000),
        });
        let router_of_origin =
            Router::new().route("/t/{*rest}", get(from_origin)).with_state(origin.clone());
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::standing(NOW);
        let keys = DeliveryKeys::open(directory.path().join("keys.json"), clock.clone()).unwrap();
        let (keys, metrics) = (Arc::new(keys), Metrics::default());
        let memory = Memory::new(memory, &metrics);
        let edge = Edge::new(serve(router_of_origin).await, keys.clone(), memory, clock);
        let edge = serve(router(&[], Some(edge.router()), None).unwrap()).await;
        Self { origin, edge, keys, metrics, client: Client::new(), _directory: directory }
    }

    fn url(&self, scope: Scope, expires: UnixTime, file: &str) -> String {
        let grant = Grant {
            playback: PlaybackId::random(),
            account: AccountId::random(),
            package: "film".parse().unwrap(),
            issued: NOW,
            expires,
            scope,
        };
        format!("{}/t/{}/library/film/{file}", self.edge, self.keys.sign(&grant))
    }

    /// The file, as another viewer each time.
    fn file(&self) -> String {
        self.url(Scope::Media { directories: Vec::new() }, NOW.plus(60), "v.aa/seg-1.m4s")
    }

    async fn get(&self, range: Option<String>) -> reqwest::Response {
        let mut request = self.client.get(self.file());
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        request.send().await.unwrap()
    }

    fn fetched(&self) -> usize {
        self.origin.ranges.lock().unwrap().len()
    }
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_fetches() {
    let stage = Stage::new(600_000, 1 << 25).await;
    stage.origin.answers.forget_permits(1_000_000);
    let asked = (0..30).map(|_| stage.client.get(stage.file()).send());
    let answers = futures_util::future::join_all(asked);
    // The first waits at the origin; the others come before or after it is let go on.
    let (answers, ()) = tokio::join!(answers, async {
        while stage.fetched() == 0 {
            tokio::task::yield_now().await;
        }
        stage.origin.answers.add_permits(1);
    });
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(answer.bytes().await.unwrap(), bytes(600_000, 1));
    }
    assert_eq!(stage.fetched(), 1);
}

#[tokio::test]
async fn any_range_is_that_part_of_the_file() {
    let length = 2 * MIB + 12_345;
    let stage = Stage::new(length, 1 << 25).await;
    let whole = bytes(length, 1);
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..40 {
        let first = random.usize(..length);
        let last = random.usize(first..length + 1000);
        let (range, first, last) = match round % 4 {
            0 => (format!("bytes={first}-"), first, length - 1),
            1 => (format!("bytes=-{}", first + 1), length - 1 - first, length - 1),
            _ => (format!("bytes={first}-{last}"), first, last.min(length - 1)),
        };
        let answer = stage.get(Some(range.clone())).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let said = format!("bytes {first}-{last}/{length}");
        assert_eq!(answer.headers()[header::CONTENT_RANGE], said.as_str());
        assert!(answer.bytes().await.unwrap() == whole[first..=last], "{range}");
    }
    assert!(stage.get(None).await.bytes().await.unwrap() == whole);
    assert_eq!(stage.fetched(), 3, "each slice once");
    let beyond = stage.get(Some(format!("bytes={}-", 9 * MIB))).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()[header::CONTENT_RANGE], format!("bytes */{length}").as_str());
    let head = stage.client.head(stage.file()).send().await.unwrap();
    assert_eq!(head.headers()[header::CONTENT_LENGTH], length.to_string().as_str());
    let known = stage.client.get(stage.file()).header(header::IF_NONE_MATCH, "\"1\"");
    assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let other = stage.client.get(stage.file()).header(header::RANGE, "bytes=0-9");
    let other = other.header(header::IF_RANGE, "\"2\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_here_is_there_while_the_origin_is_not() {
    let stage = Stage::new(MIB + 500, 1 << 25).await;
    let first = Some("bytes=0-99".to_owned());
    stage.get(first.clone()).await;
    *stage.origin.fails.lock().unwrap() = true;
    let here = stage.get(first).await;
    assert_eq!(here.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(here.headers()["cache-status"], "kinora; hit");
    let second = Some(format!("bytes={}-", MIB + 5));
    let missing = stage.get(second.clone()).await;
    assert_eq!(missing.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(missing.headers()[header::CACHE_CONTROL], "no-store");
    *stage.origin.fails.lock().unwrap() = false;
    assert_eq!(
        stage.get(second).await.status(),
        StatusCode::PARTIAL_CONTENT,
        "a failure is not kept"
    );
}

#[tokio::test]
async fn a_file_that_changes_is_never_mixed_with_what_it_was() {
    let stage = Stage::new(MIB + 500, 1 << 25).await;
    stage.get(Some("bytes=0-99".to_owned())).await;
    let new = bytes(MIB + 500, 2);
    *stage.origin.file.lock().unwrap() = (new.clone(), "\"2\"");
    let answer = stage.get(None).await;
    assert!(answer.bytes().await.is_err(), "half of it is of another file");
    assert!(stage.get(None).await.bytes().await.unwrap() == new);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let length = 12 * MIB;
    let stage = Stage::new(length, 3 << 20).await;
    let whole = bytes(length, 1);
    for round in 0..36 {
        let first = (round * 5 % 12) * MIB;
        let part = stage.get(Some(format!("bytes={first}-{}", first + 99))).await;
        assert!(part.bytes().await.unwrap() == whole[first..first + 100]);
        let metrics = stage.metrics.text();
        let held = metrics.lines().find_map(|line| line.strip_prefix("kinora_media_held_bytes "));
        let held: u64 = held.unwrap().parse().unwrap();
        assert!(held <= 3 << 20, "{held}");
    }
}

#[tokio::test]
async fn a_token_is_checked_before_anything_is_looked_up() {
    let stage = Stage::new(100, 1 << 25).await;
    let all = || Scope::Media { directories: Vec::new() };
    let file = "v.aa/seg-1.m4s";
    let status = async |url: String| stage.client.get(url).send().await.unwrap().status();
    let good = stage.url(all(), NOW.plus(60), file);
    assert_eq!(status(good.clone()).await, StatusCode::OK);
    for (url, refusal) in [
        (stage.url(all(), NOW, file), StatusCode::GONE),
        (good.replace("/film/", "/other/"), StatusCode::FORBIDDEN),
        (good.replace("/t/", "/t/x"), StatusCode::FORBIDDEN),
        (
            stage.url(Scope::Media { directories: vec!["w.bb".into()] }, NOW.plus(60), file),
            StatusCode::FORBIDDEN,
        ),
        (
            stage.url(Scope::Manifests(Default::default()), NOW.plus(60), "master.m3u8"),
            StatusCode::FORBIDDEN,
        ),
        (good.replace("seg-1", "..%2fseg-1"), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(status(url.clone()).await, refusal, "{url}");
    }
    assert_eq!(stage.fetched(), 1);
}

/// The whole of it, as processes: one of two edges dies while a film plays.
#[tokio::test]
async fn an_edge_that_dies_is_left_and_the_film_goes_on() {
    let world = World::behind_edges(&["a", "b"]);
    delivery::library(&world, &["bunny"]);
    let (first, second) = {
        let device = world.household("ada").await.viewing().await;
        let playback = delivery::play(&device, "bunny", None).await;
        let id = playback["playback_id"].as_str().unwrap().to_owned();
        let order = async || {
            let steering = world.get(&format!("/v1/steering/{id}")).await.is(StatusCode::OK).json();
            let names = steering["PATHWAY-PRIORITY"].as_array().unwrap().clone();
            names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let names = order().await;
        let (first, second) = (names[0].clone(), names[1].clone());
        let mut playlists = delivery::hls(&world, &playback).await;
        playlists.retain(|uri| uri.ends_with(".m3u8")); // where to ask for steering is among them
        assert_eq!(playlists.len(), 6, "{playlists:?}");
        let segment = |edge: &str| {
            let base = world.edge(edge);
            let of_edge = playlists.iter().find(|uri| uri.starts_with(base)).unwrap();
            format!("{}/seg-00001.m4s", of_edge.rsplit_once('/').unwrap().0)
        };
        assert!(playlists[0].starts_with(world.edge(&first)), "the best comes first");
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for number in 0..3 {
            let request = Client::new()
                .get(segment(&first))
                .header("x-request-id", format!("mine-{number}"))
                .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.bytes().await.unwrap(), delivery::SEGMENT);
        }
        assert_eq!(world.asked_of_origin("seg-00001.m4s").await, 1, "once, however often");
        // Whoever looks for what became of the request finds it there, too.
        let told = |line: &str| line.contains("mine-0") && line.contains(trace);
        while !world.log_of(world.origin()).lines().any(told) {
            tokio::task::yield_now().await;
        }
        world.kill_edge(&first);
        assert!(reqwest::get(segment(&first)).await.is_err());
        let answer = reqwest::get(segment(&second)).await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), delivery::SEGMENT, "the player goes on there");
        // It says how it fared, and others hear of it before the next probe.
        let report = json!({"position_seconds": 9,
            "edges": [{"edge": first, "requests": 20, "errors": 20}]});
        let heartbeat = format!("/v1/playbacks/{id}/heartbeat");
        device.post(&heartbeat, report).await.is(StatusCode::NO_CONTENT);
        assert_eq!(order().await, [second.clone(), first.clone()]);
        (first, second)
    };
    let device = world.sign_in("ada").await.viewing().await;
    for _ in 0..6 {
        let playback = delivery::play(&device, "bunny", None).await;
        let playlists = delivery::hls(&world, &playback).await;
        assert!(playlists[0].starts_with(world.edge(&second)), "{first} is dead: {playlists:?}");
    }
}
