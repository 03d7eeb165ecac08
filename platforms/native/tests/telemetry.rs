//! What is played arrives at a real service, once, whatever becomes of the way there.

#![allow(clippy::unwrap_used)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use kinora_native::telemetry::{
    Interaction, ReportedPlayback, Reporter, ReporterOptions, StaticToken,
};
use kinora_native::{Event, MediaTime, Options, Player};
use kinora_server::auth;
use kinora_server::clock::{Clock, UnixTime};
use kinora_server::roles::{Data, Role};
use kinora_server::storage::Catalogue as _;
use kinora_server::storage::sqlite::SqliteCatalogue;
use kinora_server::web::{Limits, Service, metrics::Metrics};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const NOW: UnixTime = UnixTime(2_000_000_000);
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery";

/// The roles that a viewer of one film needs, and a way to them that can be out of order.
struct World {
    data: TempDir,
    base: String,
    way: Way,
    client: reqwest::Client,
    token: String,
}

impl World {
    async fn new() -> Self {
        // Refused when another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir().unwrap();
        let title = json!({"id": "film", "kind": "film", "name": "A film", "maturity": 0,
            "media": {"duration_seconds": 600, "hls": "/film.m3u8"}});
        let catalogue = SqliteCatalogue::open(data.path()).await.unwrap();
        catalogue.put(vec![serde_json::from_value(title).unwrap()], NOW).await.unwrap();
        let base = serve(data.path()).await;
        let way = Way::to(base.trim_start_matches("http://").to_owned()).await;
        let client = reqwest::Client::new();
        let mut world = Self { data, base, way, client, token: String::new() };
        let account = json!({"email": EMAIL, "password": PASSWORD, "region": "DE",
            "profile_name": "Ada", "language": "en"});
        world.ask(Method::POST, "/v1/accounts", Some(account)).await;
        let credentials = json!({"email": EMAIL, "password": PASSWORD});
        let tokens = world.ask(Method::POST, "/v1/sessions", Some(credentials)).await;
        world.token = tokens["access_token"].as_str().unwrap().to_owned();
        let profiles = world.ask(Method::GET, "/v1/profiles", None).await;
        let select = format!("/v1/profiles/{}/select", profiles[0]["id"].as_str().unwrap());
        let tokens = world.ask(Method::POST, &select, None).await;
        world.token = tokens["access_token"].as_str().unwrap().to_owned();
        world
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            let body = body.to_string();
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// So many events of that verdict.
    async fn counted(&self, verdict: &str) -> u64 {
        let url = format!("{}/metrics", self.base);
        let metrics = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let name = format!("kinora_events_total{{verdict=\"{verdict}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |n| n.parse().unwrap())
    }

    fn reporter(&self, profile: &str, storage: Option<&Path>) -> Reporter {
        let url = format!("http://{}/v1/events", self.way.address);
        let token = Arc::new(StaticToken(self.token.clone()));
        Reporter::new(ReporterOptions {
            platform: "terminal".to_owned(),
            storage: storage.map(Path::to_owned),
            ..ReporterOptions::new(url, token, profile)
        })
        .unwrap()
    }
}

async fn serve(data: &Path) -> String {
    let data = Data { clock: Clock::standing(NOW), ..Data::new(data) };
    let metrics = Metrics::default();
    let cheap = auth::Config { hash: auth::config::HashCost::cheap(), ..auth::Config::default() };
    let service = Service::new(metrics.clone(), Limits::default());
    let service = data.add(service, &Role::WITH_DATA, cheap, &metrics).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let never = std::future::pending();
    tokio::spawn(kinora_server::http::serve(listener, service.router(), never, Duration::ZERO));
    base
}

/// What becomes of connections.
#[derive(Clone, Copy)]
enum State {
    Open,
    /// They break off at once.
    Down,
    /// What is asked arrives, and the answers do not.
    Mute,
}

/// A way to a server, as a network is one.
struct Way {
    address: String,
    state: Arc<AtomicU8>,
    /// Changes whenever something of an answer has come by.
    answered: watch::Sender<()>,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(AtomicU8::new(State::Open as u8));
        let now = Arc::clone(&state);
        let answered = watch::Sender::new(());
        let tell = answered.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, now) = (server.clone(), now.load(Ordering::SeqCst));
                tokio::spawn(pass(client, server, now, tell.clone()));
            }
        });
        Self { address, state, answered }
    }

    fn becomes(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// Waits for an answer after which that many events of a verdict have been counted.
    async fn until(&self, world: &World, verdict: &str, count: u64) {
        let mut answered = self.answered.subscribe();
        let patience = async {
            while world.counted(verdict).await < count {
                answered.changed().await.unwrap();
            }
        };
        let patience = tokio::time::timeout(Duration::from_secs(60), patience).await;
        assert!(patience.is_ok(), "{count} {verdict} events did not come in time");
    }
}

async fn pass(mut client: TcpStream, server: String, state: u8, answered: watch::Sender<()>) {
    if state == State::Down as u8 {
        return;
    }
    let mut server = TcpStream::connect(server).await.unwrap();
    if state == State::Mute as u8 {
        let (mut from, mut to) = server.split();
        let mut asked = vec![0; 64 << 10];
        let mut answer = [0; 1];
        loop {
            tokio::select! {
                // The service has done what it was asked for, and says so to nobody.
                _ = from.read(&mut answer) => return,
                read = client.read(&mut asked) => match read {
                    Ok(read @ 1..) => to.write_all(&asked[..read]).await.unwrap(),
                    _ => return,
                },
            }
        }
    }
    let (mut from, mut to) = server.split();
    let (mut asks, mut hears) = client.split();
    let answers = async {
        let mut answer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut answer).await {
            if hears.write_all(&answer[..read]).await.is_err() {
                return;
            }
            answered.send_replace(());
        }
    };
    // Whoever hangs up first has had enough.
    tokio::select! {
        _ = tokio::io::copy(&mut asks, &mut to) => {}
        () = answers => {}
    }
}

fn playback() -> ReportedPlayback {
    ReportedPlayback { playback_id: "p1".to_owned(), item_id: "film".to_owned() }
}

#[tokio::test]
async fn a_playback_is_told_of_and_moves_what_is_watched_on() {
    let world = World::new().await;
    let reporter = world.reporter("ada", None);
    let start = Some(MediaTime::from_secs(4));
    let options = Options { start, ..common::options(&common::film()) };
    let mut player = Player::start(common::url(), options).unwrap();
    let watching = reporter.watch(&player, playback());
    player.play().await;
    while player.next_event().await.expect("it plays") != Event::Playing {}
    drop(watching);
    // Started, perhaps other qualities, left: nothing of it refused.
    world.way.until(&world, "accepted", 2).await;
    player.stop().await;
    reporter.close().await;
    assert_eq!((world.counted("rejected").await, world.counted("duplicate").await), (0, 0));
    let begun = world.ask(Method::GET, "/v1/continue-watching", None).await;
    assert_eq!(begun[0]["item_id"], "film");
    assert_eq!(begun[0]["position_seconds"], 4, "{begun}");
    let metrics = format!("{}/metrics", world.base);
    let metrics = world.client.get(metrics).send().await.unwrap().text().await.unwrap();
    let started = "kinora_playback_startup_seconds_count{platform=\"terminal\"} 1";
    assert!(metrics.contains(started), "{metrics}");
}

#[tokio::test]
async fn what_happens_while_the_service_is_away_arrives_when_it_is_back() {
    let world = World::new().await;
    world.way.becomes(State::Down);
    let reporter = world.reporter("ada", None);
    for found in 0..3 {
        reporter.tell(&Interaction::Searched { found });
    }
    reporter.flush().await;
    assert_eq!(world.counted("accepted").await, 0);
    world.way.becomes(State::Open);
    // Nobody asks for it: it tries again by itself.
    world.way.until(&world, "accepted", 3).await;
    reporter.close().await;
    assert_eq!((world.counted("accepted").await, world.counted("duplicate").await), (3, 0));
}

#[tokio::test]
async fn what_arrived_without_an_answer_is_sent_again_and_counted_once() {
    let world = World::new().await;
    world.way.becomes(State::Mute);
    let reporter = world.reporter("ada", None);
    reporter.tell(&Interaction::Searched { found: 1 });
    reporter.flush().await;
    assert_eq!(world.counted("accepted").await, 1);
    world.way.becomes(State::Open);
    world.way.until(&world, "duplicate", 1).await;
    reporter.close().await;
    assert_eq!((world.counted("accepted").await, world.counted("duplicate").await), (1, 1));
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_by_the_next_run_of_the_same_profile() {
    let world = World::new().await;
    let storage = world.data.path().join("waiting");
    world.way.becomes(State::Down);
    let reporter = world.reporter("ada", Some(&storage));
    reporter.tell(&Interaction::TitleOpened {
        title_id: "film".to_owned(),
        row_id: Some("new".to_owned()),
        place: Some(0),
    });
    reporter.close().await;
    let files = || {
        let folders = std::fs::read_dir(&storage).unwrap().map(|folder| folder.unwrap().path());
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).count()
    };
    assert_eq!(files(), 1);

    world.way.becomes(State::Open);
    let other = world.reporter("bob", Some(&storage));
    other.flush().await;
    other.close().await;
    assert_eq!((world.counted("accepted").await, files()), (0, 1), "as no other profile");
    let next = world.reporter("ada", Some(&storage));
    next.flush().await;
    assert_eq!((world.counted("accepted").await, world.counted("rejected").await), (1, 0));
    next.close().await;
    assert_eq!(files(), 0);
}
