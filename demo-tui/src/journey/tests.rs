//! The journey of a viewer, by keys, over the whole service; what plays is a theatre that plays at once.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kinora_native::core::Error;
use kinora_native::core::error::Severity;
use kinora_native::{Event, MediaTime, Options, Player};
use kinora_server::auth;
use kinora_server::clock::{Clock, UnixTime};
use kinora_server::delivery::memory::Memory;
use kinora_server::package::protect::{self, Method as Scheme};
use kinora_server::package::{self, package};
use kinora_server::roles::{Data, Role};
use kinora_server::storage::Catalogue as _;
use kinora_server::storage::sqlite::SqliteCatalogue;
use kinora_server::web::{Limits, metrics::Metrics};
use kinora_server::{delivery, http, web};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::watch::Theatre;
use super::{Journey, Start, Step, screen};
use crate::app::{AppError, Showing};
use crate::service::Service;

const NOW: UnixTime = UnixTime(2_000_000_000);
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery";

/// A service with one household and one film.
struct World {
    _data: TempDir,
    base: String,
    client: reqwest::Client,
    /// The household's phone.
    phone: String,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy_a_film(&directory.path().join("packages/film"));
        Self::serving(directory).await
    }

    /// The same with an encrypted film; none without an encoder.
    async fn encrypted() -> Option<Self> {
        let mut encoder = std::process::Command::new("ffmpeg");
        encoder.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
        if encoder.status().is_err() {
            eprintln!("SKIPPED: ffmpeg is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        encrypt_a_film(directory.path()).await;
        Some(Self::serving(directory).await)
    }

    /// The service over a directory of data with a package in it.
    async fn serving(directory: TempDir) -> Self {
        // Refused when another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        enter_the_film(directory.path()).await;
        let data = Data { clock: Clock::standing(NOW), ..Data::new(directory.path()) };
        let metrics = Metrics::default();
        let cheap =
            auth::Config { hash: auth::config::HashCost::cheap(), ..auth::Config::default() };
        let service = web::Service::new(metrics.clone(), Limits::default());
        let service = data.add(service, &Role::WITH_DATA, cheap, &metrics).await.unwrap();
        let library = data.library(Memory::new(1 << 24, &metrics)).await.unwrap();
        let service =
            service.files(delivery::router(&[], Some(library.router()), None).unwrap(), false);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let never = std::future::pending();
        tokio::spawn(http::serve(listener, service.router(), never, Duration::ZERO));
        let mut world =
            Self { _data: directory, base, client: reqwest::Client::new(), phone: String::new() };
        let account = json!({"email": EMAIL, "password": PASSWORD, "region": "DE",
            "profile_name": "Ada", "language": "en"});
        world.ask(Method::POST, "/v1/accounts", Some(account)).await;
        let credentials = json!({"email": EMAIL, "password": PASSWORD});
        let tokens = world.ask(Method::POST, "/v1/sessions", Some(credentials)).await;
        world.phone = tokens["access_token"].as_str().unwrap().to_owned();
        world
    }

    /// Asks as the phone.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !self.phone.is_empty() {
            request = request.bearer_auth(&self.phone);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// What the household plays.
    async fn playing(&self) -> usize {
        self.ask(Method::GET, "/v1/playbacks", None).await.as_array().unwrap().len()
    }

    fn service(&self) -> Service {
        Service::new(&self.base).unwrap()
    }

    async fn signed_in(&self, theatre: &mut impl Theatre) -> Journey {
        let start = Start {
            service: self.service(),
            email: Some(EMAIL.to_owned()),
            password: Some(PASSWORD.to_owned()),
            storage: None,
        };
        Journey::begin(start, theatre).await.unwrap()
    }
}

fn copy_a_film(package: &Path) {
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/native/tests/media");
    for (directory, name) in [("video.aa", "low"), ("audio.aa", "tone")] {
        std::fs::create_dir_all(package.join(directory)).unwrap();
        for file in std::fs::read_dir(&media).unwrap().map(|file| file.unwrap()) {
            let file_name = file.file_name().into_string().unwrap();
            if file_name.starts_with(name) {
                std::fs::copy(file.path(), package.join(directory).join(file_name)).unwrap();
            }
        }
    }
    let summary = json!({
        "video": [{"id": "video", "directory": "video.aa", "codecs": "avc1.64000a",
            "video": {"width": 64, "height": 36}}],
        "audio": [{"id": "audio", "directory": "audio.aa", "codecs": "mp4a.40.2"}],
    });
    std::fs::write(package.join("package.json"), summary.to_string()).unwrap();
    let master = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Tone\",DEFAULT=YES,URI=\"audio.aa/tone.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=45000,CODECS=\"avc1.64000a,mp4a.40.2\",AUDIO=\"a\"\n\
        video.aa/low.m3u8\n";
    std::fs::write(package.join("master.m3u8"), master).unwrap();
}

/// Packages eight seconds, whose keys are in the service's vault.
async fn encrypt_a_film(data: &Path) {
    let vault = Data::new(data).vault().await.unwrap();
    let source = "testsrc:8:128x72:25".parse().unwrap();
    let mut options = package::Options::new(source, data.join("packages/film"));
    options.preset = "ultrafast".into();
    options.ladder = vec!["72:100".parse().unwrap()];
    options.segment_seconds = 1.0;
    let item = Some("nosferatu".to_owned());
    options.protect = Some(protect::Options { item, ..protect::Options::new(Scheme::Cbcs, vault) });
    package(&options, |_| {}).await.unwrap();
}

async fn enter_the_film(data: &Path) {
    let title = json!({"id": "nosferatu", "kind": "film", "name": "Nosferatu", "maturity": 0,
        "genres": ["horror"], "media": {"duration_seconds": 600, "package": "film"}});
    let catalogue = SqliteCatalogue::open(data).await.unwrap();
    catalogue.put(vec![serde_json::from_value(title).unwrap()], NOW).await.unwrap();
}

/// Plays by fetching the manifest and being somewhere else in the film; or fails to.
struct Stage<'a> {
    world: &'a World,
    fails: bool,
    /// Where it was told to begin.
    starts: Vec<f64>,
}

impl<'a> Stage<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, fails: false, starts: Vec::new() }
    }
}

impl Theatre for Stage<'_> {
    async fn show(&mut self, showing: Showing) -> Result<(), AppError> {
        self.starts.push(showing.start);
        let (_, reported) = showing.reported.as_ref().expect("the service is told of it");
        assert_eq!(reported.item_id, "nosferatu");
        assert_eq!(self.world.playing().await, 1);
        if self.fails {
            // The player says no more of where it is; what went wrong is still on the screen.
            drop(showing.position);
            for _ in 0..10_000 {
                if self.world.playing().await == 0 {
                    return Err(AppError::Playback(failure()));
                }
            }
            panic!("the stream is still taken");
        }
        let manifest = self.world.client.get(&showing.url).send().await.unwrap();
        assert_eq!(manifest.status(), StatusCode::OK);
        showing.position.unwrap().send_replace(61);
        Ok(())
    }
}

/// Plays with the real player, goes to where it is told to, and leaves.
struct Screen {
    goes_to: MediaTime,
    /// Where it first played each time.
    began: Vec<MediaTime>,
}

impl Theatre for Screen {
    async fn show(&mut self, showing: Showing) -> Result<(), AppError> {
        let options = Options {
            config: showing.config,
            start: (showing.start > 0.0).then(|| MediaTime::from_seconds(showing.start)),
            filter: showing.filter,
            ..Options::default()
        };
        let mut player = Player::start(showing.url, options)?;
        player.play().await;
        while player.next_event().await.expect("it plays") != Event::Playing {}
        self.began.push(player.state().await.unwrap().state.position);
        player.seek(self.goes_to).await;
        let position = player.state().await.unwrap().state.position;
        showing.position.unwrap().send_replace(position.seconds() as u32);
        player.stop().await;
        Ok(())
    }
}

/// Plays with the real player, but does not say who is watching.
struct Stranger;

impl Theatre for Stranger {
    async fn show(&mut self, showing: Showing) -> Result<(), AppError> {
        let options = Options { config: showing.config, ..Options::default() };
        let mut player = Player::start(showing.url, options)?;
        player.play().await;
        loop {
            match player.next_event().await.expect("it fails") {
                Event::Error(error) => return Err(AppError::Playback(error)),
                Event::Playing => panic!("it plays without a licence"),
                _ => {}
            }
        }
    }
}

fn failure() -> kinora_native::PlayerError {
    let url = "https://cdn.example/film.mpd".to_owned();
    Error::HttpStatus { url, status: 404 }.to_player_error(Severity::Fatal)
}

/// Presses keys, and does what they ask for.
async fn press(journey: &mut Journey, stage: &mut impl Theatre, keys: &[KeyCode]) {
    for code in keys {
        let step = journey.key(KeyEvent::new(*code, KeyModifiers::NONE));
        assert!(!matches!(step, Step::Quit), "{code:?}");
        journey.take(step, stage).await.unwrap();
        assert_eq!(journey.trouble, None, "{code:?}");
    }
}

fn shown(journey: &Journey) -> String {
    let mut terminal = Terminal::new(TestBackend::new(80, 20)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        screen::draw(frame, &journey.place, journey.trouble.as_deref());
    };
    terminal.draw(draw).unwrap();
    terminal.backend().to_string()
}

#[track_caller]
fn shows(journey: &Journey, text: &str) {
    let screen = shown(journey);
    assert!(screen.contains(text), "no {text:?} in\n{screen}");
}

#[tokio::test]
async fn a_code_signs_in_and_a_film_goes_on_where_it_stopped() {
    let world = World::new().await;
    let mut stage = Stage::new(&world);
    let start = Start { service: world.service(), email: None, password: None, storage: None };
    let mut journey = Journey::begin(start, &mut stage).await.unwrap();
    shows(&journey, "F2");
    press(&mut journey, &mut stage, &[KeyCode::F(2)]).await;
    let news = journey.news().await;
    journey.learn(news).await;
    shows(&journey, &format!("{}/activate", world.base));
    let super::Place::Code(Some(codes)) = &journey.place else { panic!("no code") };
    let path = format!("/v1/device/codes/{}", codes.user_code);
    shows(&journey, &codes.user_code);
    assert!(!shown(&journey).contains(&codes.device_code), "that is a secret");
    let waiting = world.ask(Method::GET, &path, None).await;
    assert_eq!(waiting["client_id"], "Kinora in a terminal");
    world.ask(Method::POST, &path, Some(json!({"approve": true}))).await;
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    let news = journey.news().await;
    journey.learn(news).await;
    shows(&journey, "Who is watching?");

    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    shows(&journey, "Nosferatu");
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    shows(&journey, "Play");
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    shows(&journey, "Continue watching");
    assert_eq!((stage.starts.as_slice(), world.playing().await), ([0.0].as_slice(), 0));
    press(&mut journey, &mut stage, &[KeyCode::Down, KeyCode::Enter]).await;
    shows(&journey, "Resume at 1:01");
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    // From the row of what was begun it goes on at once.
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    assert_eq!(stage.starts, [0.0, 61.0, 61.0]);

    // The service is told which titles were opened, and as what else.
    journey.reporter.as_ref().unwrap().flush().await;
    journey.fall_silent().await;
    let metrics = world.client.get(format!("{}/metrics", world.base)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("kinora_events_total{verdict=\"accepted\"} 2\n"), "{metrics}");
}

#[tokio::test]
async fn what_the_service_hands_out_plays_and_goes_on_where_it_was_left() {
    let world = World::new().await;
    let mut screen = Screen { goes_to: MediaTime::from_secs(4), began: Vec::new() };
    let mut journey = world.signed_in(&mut screen).await;
    press(&mut journey, &mut screen, &[KeyCode::Enter, KeyCode::Enter, KeyCode::Enter]).await;
    assert_eq!(world.playing().await, 0);
    press(&mut journey, &mut screen, &[KeyCode::Enter]).await;
    let [first, second] = screen.began[..] else { panic!("{:?}", screen.began) };
    assert!(first < MediaTime::from_secs(2), "{first:?}");
    assert!((4..6).contains(&(second.seconds() as u32)), "{second:?}");
}

#[tokio::test]
async fn an_encrypted_film_plays_with_the_licences_of_who_watches() {
    let Some(world) = World::encrypted().await else { return };
    let mut screen = Screen { goes_to: MediaTime::from_secs(4), began: Vec::new() };
    let mut journey = world.signed_in(&mut screen).await;
    press(&mut journey, &mut screen, &[KeyCode::Enter, KeyCode::Enter, KeyCode::Enter]).await;
    press(&mut journey, &mut screen, &[KeyCode::Enter]).await;
    let [first, second] = screen.began[..] else { panic!("{:?}", screen.began) };
    assert!(first < MediaTime::from_secs(2), "{first:?}");
    assert!((4..6).contains(&(second.seconds() as u32)), "{second:?}");
    let step = journey.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    journey.take(step, &mut Stranger).await.unwrap();
    shows(&journey, "LICENSE_REFUSED");
}

#[tokio::test]
async fn what_does_not_play_takes_no_other_devices_place_and_loses_no_position() {
    let world = World::new().await;
    let mut stage = Stage::new(&world);
    let mut journey = world.signed_in(&mut stage).await;
    press(&mut journey, &mut stage, &[KeyCode::Enter, KeyCode::Enter, KeyCode::Enter]).await;
    stage.fails = true;
    let step = journey.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    journey.take(step, &mut stage).await.unwrap();
    shows(&journey, "404");
    stage.fails = false;
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    assert_eq!(stage.starts, [0.0, 61.0, 61.0]);
}

#[tokio::test]
async fn a_code_that_is_refused_is_told_of_and_a_password_still_does() {
    let world = World::new().await;
    let mut stage = Stage::new(&world);
    let start = Start { service: world.service(), email: None, password: None, storage: None };
    let mut journey = Journey::begin(start, &mut stage).await.unwrap();
    press(&mut journey, &mut stage, &[KeyCode::F(2)]).await;
    let news = journey.news().await;
    journey.learn(news).await;
    let super::Place::Code(Some(codes)) = &journey.place else { panic!("no code") };
    let path = format!("/v1/device/codes/{}", codes.user_code);
    world.ask(Method::POST, &path, Some(json!({"approve": false}))).await;
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    let news = journey.news().await;
    journey.learn(news).await;
    shows(&journey, "refused");
    let typed = |text: &str| text.chars().map(KeyCode::Char).collect::<Vec<_>>();
    press(&mut journey, &mut stage, &typed(EMAIL)).await;
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    press(&mut journey, &mut stage, &typed(PASSWORD)).await;
    press(&mut journey, &mut stage, &[KeyCode::Enter]).await;
    shows(&journey, "Who is watching?");
}
