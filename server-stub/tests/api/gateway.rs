//! The one entry.

use crate::{
    suite,
    world::{Answer, World},
};
use axum::{Router, body::Body, routing::get};
use futures_util::{StreamExt, stream};
use kinora_server::{
    clock::Clock,
    gateway::{Config, Gateway, table::role_of},
    http,
    roles::Role,
    web::{Limits, Service, limit::Rate, metrics::Metrics},
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::IpAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tower_service::Service as _;

suite! {
    the_entry_knows_every_path_of_every_role
    a_token_that_is_not_valid_goes_no_further
}

async fn the_entry_knows_every_path_of_every_role(world: &World) {
    let fetch = async |url: String| {
        Answer::of(reqwest::Client::new().get(url).send().await.unwrap()).await.is(StatusCode::OK)
    };
    let whole = world.get("/openapi.json").await.is(StatusCode::OK).json();
    let ready = world.get("/readyz").await.is(StatusCode::OK).json();
    for (role, base) in world.roles() {
        let document = fetch(format!("{base}/openapi.json")).await.json();
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(whole["paths"].get(path).is_some(), "{path} is missing in the whole");
            let found = role_of(path);
            assert!(found.is_some(), "{path}");
            if world.bases().len() > 1 && *role != Role::Gateway {
                assert_eq!(found, Some(*role), "{path}");
            }
        }
    }
    if world.bases().len() > 1 {
        for role in ["auth", "catalog", "playback", "steering", "delivery"] {
            assert_eq!(ready[role], "ok", "{ready}");
        }
    }
    assert!(whole["components"]["schemas"].get("PlaybackStart").is_some());
}

async fn a_token_that_is_not_valid_goes_no_further(world: &World) {
    // A path that no role has: had the request got there, it would have been told so.
    for token in ["x", "eyJhbGciOiJub25lIn0.e30."] {
        let request = world.request(Method::GET, "/v1/nothing").bearer_auth(token);
        let answer = Answer::of(request.send().await.unwrap()).await;
        answer.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    }
}

/// A process of a role that does what a test says; each connection is given one request.
struct Stub {
    base: String,
    asked: Arc<AtomicUsize>,
    /// Told of what arrives, where somebody listens.
    arrived: mpsc::UnboundedSender<()>,
}

impl Stub {
    /// Answers with these bytes, or hangs up without.
    async fn start(answer: impl Fn(usize) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer(number);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    if let Some(answer) = answer {
                        let _ = stream.write_all(&answer).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Self { base, asked, arrived: mpsc::unbounded_channel().0 }
    }

    /// Takes what it is asked, and never answers.
    async fn silent() -> Self {
        let (stub, mut arrivals, release) = Self::holding().await;
        tokio::spawn(async move {
            let _release = release;
            while arrivals.recv().await.is_some() {}
        });
        stub
    }

    /// Answers when it is told to; says when it is asked.
    async fn holding() -> (Self, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
        let (release, held) = watch::channel(false);
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (counted, stub) = (asked.clone(), Self { base, asked, arrived: arrived.clone() });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut held, arrived, counted) = (held.clone(), arrived.clone(), counted.clone());
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    counted.fetch_add(1, Ordering::SeqCst);
                    let _ = arrived.send(());
                    if held.wait_for(|free| *free).await.is_ok() {
                        let _ = stream.write_all(GOOD).await;
                    }
                });
            }
        });
        (stub, arrivals, release)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// More than it can do at present; it says when to come again.
const SHEDDING: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\
    content-length: 4\r\nconnection: close\r\n\r\nlate";

/// A service that is a gateway in front of processes of the role `auth`, and believes whoever speaks for another.
fn service(upstreams: &[&Stub], config: Config) -> Service {
    let upstreams = upstreams.iter().map(|stub| (Role::Auth, stub.base.clone())).collect();
    let metrics = Metrics::default();
    let config = Config { upstreams, ..config };
    let gateway = Gateway::new(config, None, Clock::default(), &metrics);
    let service = Service::new(metrics, Limits::default()).gateway(gateway);
    service.behind(vec![IpAddr::from([127, 0, 0, 1])])
}

/// The same, over HTTP.
async fn gateway(upstreams: &[&Stub], config: Config) -> String {
    served(service(upstreams, config)).await
}

async fn served(service: Service) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let never = std::future::pending();
    tokio::spawn(http::serve(listener, service.router(), never, Duration::ZERO));
    base
}

async fn ask(method: Method, url: String) -> Answer {
    ask_from("127.0.0.1", method, url).await
}

/// Asks on behalf of another address.
async fn ask_from(address: &str, method: Method, url: String) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().request(method, url).timeout(Duration::from_secs(60));
    Answer::of(request.header("x-forwarded-for", address).send().await.unwrap()).await
}

#[tokio::test]
async fn what_changes_nothing_is_tried_once_more_elsewhere_and_what_does_is_not() {
    let broken = Stub::start(|_| None).await;
    let good = Stub::start(|_| Some(GOOD.to_vec())).await;
    let entry = gateway(&[&broken, &good], Config::default()).await;
    for _ in 0..4 {
        ask(Method::GET, format!("{entry}/v1/account")).await.is(StatusCode::OK);
    }
    assert_eq!((broken.asked(), good.asked()), (2, 4), "in turn, and each failure once more");
    let alone = gateway(&[&broken], Config::default()).await;
    let before = broken.asked();
    let refused = ask(Method::POST, format!("{alone}/v1/account")).await;
    refused.is(StatusCode::SERVICE_UNAVAILABLE).problem("unavailable");
    assert_eq!(broken.asked(), before + 1, "it may have been done");
}

#[tokio::test]
async fn a_role_that_fails_again_and_again_is_left_alone() {
    let busy = Stub::start(|_| Some(BUSY.to_vec())).await;
    let entry = gateway(&[&busy], Config::default()).await;
    let mut asked = 0;
    for number in 0..20 {
        let answer = ask(Method::POST, format!("{entry}/v1/account")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        asked += usize::from(!answer.headers.contains_key(header::RETRY_AFTER));
        assert_eq!(busy.asked(), asked.min(5), "{number}");
    }
}

/// That it has more to do than it can is no reason to send it nothing at all, nor to ask twice.
#[tokio::test]
async fn a_role_that_says_when_to_come_again_is_not_left_alone() {
    let shedding = Stub::start(|_| Some(SHEDDING.to_vec())).await;
    let entry = gateway(&[&shedding], Config::default()).await;
    for number in 0..20 {
        let method = if number % 2 == 0 { Method::GET } else { Method::POST };
        let answer = ask(method, format!("{entry}/v1/account")).await;
        let answer = answer.is(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body, "late", "its own words");
        assert_eq!(answer.headers[header::RETRY_AFTER], "2");
        assert_eq!(shedding.asked(), number + 1);
    }
}

#[tokio::test]
async fn a_role_that_does_not_answer_is_not_waited_for() {
    let silent = Stub::silent().await;
    let config = Config { time: Duration::from_millis(100), ..Config::default() };
    let entry = gateway(&[&silent], config).await;
    for _ in 0..5 {
        let answer = ask(Method::GET, format!("{entry}/v1/account")).await;
        answer.is(StatusCode::GATEWAY_TIMEOUT).problem("gateway_timeout");
    }
    let refused = ask(Method::GET, format!("{entry}/v1/account")).await;
    refused.is(StatusCode::SERVICE_UNAVAILABLE).problem("unavailable");
    // It could have been asked again each time, had it not taken all the time there was for both tries.
    let metrics = ask(Method::GET, format!("{entry}/metrics")).await.body;
    for (result, count) in [("failed", 5), ("open_circuit", 1)] {
        let line =
            format!("kinora_gateway_tries_total{{role=\"auth\",result=\"{result}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    ask(Method::GET, format!("{entry}/healthz")).await.is(StatusCode::OK);
    ask(Method::GET, format!("{entry}/readyz")).await.is(StatusCode::SERVICE_UNAVAILABLE);
}

/// Whoever waited for the role, and not for the client, is told so, however the times are set.
#[tokio::test]
async fn a_role_that_takes_longer_than_a_client_may_is_not_the_clients_fault() {
    let silent = Stub::silent().await;
    let config = Config {
        upstreams: vec![(Role::Auth, silent.base.clone())],
        time: Duration::from_millis(300),
        ..Config::default()
    };
    let metrics = Metrics::default();
    let limits = Limits { time: Duration::from_millis(100), ..Limits::default() };
    let gateway = Gateway::new(config, None, Clock::default(), &metrics);
    let entry = served(Service::new(metrics, limits).gateway(gateway)).await;
    let answer = ask(Method::GET, format!("{entry}/v1/account")).await;
    answer.is(StatusCode::GATEWAY_TIMEOUT).problem("gateway_timeout");
}

/// Clients that send slowly cost no role its good name.
#[tokio::test]
async fn a_body_that_does_not_come_is_the_clients_fault() {
    let good = Stub::start(|_| Some(GOOD.to_vec())).await;
    let config = Config { upload_time: Duration::from_millis(20), ..Config::default() };
    let router = service(&[&good], config).router();
    let post = async |body: Body| {
        let request = axum::http::Request::post("/v1/sessions").body(body).unwrap();
        let Ok(answer) = router.clone().call(request).await;
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    };
    for _ in 0..8 {
        let begun = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
        let (status, problem) = post(Body::from_stream(begun)).await;
        assert_eq!(status, 408);
        assert!(problem.contains("request_timeout"), "{problem}");
    }
    assert_eq!(good.asked(), 0, "the role has heard of none of them");
    assert_eq!(post(Body::from("{}")).await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn what_all_roles_answer_is_told_by_whichever_process_can() {
    let document = json!({"paths": {"/v1/account": {}}, "components": {"schemas": {"A": {}}}});
    let document = document.to_string();
    let length = document.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n");
    let told = Stub::start(move |_| Some(format!("{head}\r\n{document}").into_bytes())).await;
    let broken = Stub::start(|_| None).await;
    let busy = Stub::start(|_| Some(BUSY.to_vec())).await;
    let entry = gateway(&[&broken, &busy, &told], Config::default()).await;
    let whole = ask(Method::GET, format!("{entry}/openapi.json")).await.is(StatusCode::OK).json();
    assert!(whole.pointer("/paths/~1v1~1account").is_some(), "{whole}");
    let entry = gateway(&[&broken, &busy], Config::default()).await;
    let refused = ask(Method::GET, format!("{entry}/openapi.json")).await;
    let refused = refused.is(StatusCode::SERVICE_UNAVAILABLE).problem("unavailable");
    assert!(refused["detail"].as_str().unwrap().contains("`auth`"), "half of it is no answer");
}

/// The clock stands, so that all of this is in one moment.
#[tokio::test(start_paused = true)]
async fn how_it_is_costs_the_same_however_many_ask() {
    let checked = Arc::new(AtomicUsize::new(0));
    let counted = checked.clone();
    let service = Service::new(Metrics::default(), Limits::default()).needs("storage", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(()))
    });
    let router = service.router();
    let ready = async || {
        let request = axum::http::Request::get("/readyz").body(Body::empty()).unwrap();
        let Ok(answer) = router.clone().call(request).await;
        answer.status().as_u16()
    };
    for _ in 0..100 {
        assert_eq!(ready().await, 200);
    }
    assert_eq!(checked.load(Ordering::SeqCst), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!((ready().await, checked.load(Ordering::SeqCst)), (200, 2));
}

#[tokio::test]
async fn what_is_counted_can_be_for_those_alone_who_look_after_it() {
    let stub = Stub::start(|_| Some(GOOD.to_vec())).await;
    let upstreams = vec![(Role::Auth, stub.base.clone()), (Role::Delivery, stub.base.clone())];
    let metrics = Metrics::default();
    let config = Config { upstreams, ..Config::default() };
    let gateway = Gateway::new(config, None, Clock::default(), &metrics);
    let service = Service::new(metrics, Limits::default()).gateway(gateway);
    let (public, admin) = service.routers();
    let status = async |router: &Router, path: &str| {
        let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
        let Ok(answer) = router.clone().call(request).await;
        answer.status().as_u16()
    };
    for (path, in_public, apart) in [
        ("/metrics", 404, 200),
        ("/healthz", 200, 200),
        ("/readyz", 200, 200),
        ("/v1/account", 200, 404),
    ] {
        assert_eq!((status(&public, path).await, status(&admin, path).await), (in_public, apart));
    }
}

#[test]
fn the_program_tells_what_it_counts_at_another_address() {
    let data = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kinora-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut get = |name: &str| {
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix(name).unwrap().strip_prefix(" on http://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (public, admin) = (get("listening"), get("admin"));
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(public.starts_with("HTTP/1.0 404"), "{public}");
    assert!(admin.starts_with("HTTP/1.0 200") && admin.contains("# EOF"), "{admin}");
}

#[tokio::test]
async fn more_than_it_can_do_at_once_is_turned_away_at_once() {
    let (stub, mut arrivals, release) = Stub::holding().await;
    let config = Config { at_once: 2, patience: Duration::from_millis(50), ..Config::default() };
    let entry = gateway(&[&stub], config).await;
    let asked = (0..2).map(|_| tokio::spawn(ask(Method::GET, format!("{entry}/v1/account"))));
    let asked: Vec<_> = asked.collect();
    for _ in 0..2 {
        arrivals.recv().await.unwrap();
    }
    let refused = ask(Method::GET, format!("{entry}/v1/profiles")).await;
    let refused = refused.is(StatusCode::SERVICE_UNAVAILABLE);
    refused.problem("unavailable");
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    ask(Method::GET, format!("{entry}/healthz")).await.is(StatusCode::OK);
    let metrics = ask(Method::GET, format!("{entry}/metrics")).await.body;
    assert!(metrics.contains("kinora_gateway_shed_total{reason=\"load\"}"), "{metrics}");
    release.send(true).unwrap();
    for answer in asked {
        answer.await.unwrap().is(StatusCode::OK);
    }
}

#[tokio::test]
async fn one_address_leaves_places_for_others() {
    let (stub, mut arrivals, release) = Stub::holding().await;
    let config = Config { at_once: 4, at_once_by_address: 2, ..Config::default() };
    let entry = gateway(&[&stub], config).await;
    let url = format!("{entry}/v1/account");
    let mut asked = Vec::new();
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        asked.push(tokio::spawn(ask_from(address, Method::GET, url.clone())));
        arrivals.recv().await.unwrap();
    }
    let refused = ask_from("192.0.2.1", Method::GET, url).await;
    let refused = refused.is(StatusCode::TOO_MANY_REQUESTS);
    refused.problem("too_many_requests");
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    let metrics = ask(Method::GET, format!("{entry}/metrics")).await.body;
    assert!(metrics.contains("kinora_gateway_shed_total{reason=\"address\"} 1"), "{metrics}");
    release.send(true).unwrap();
    for answer in asked {
        answer.await.unwrap().is(StatusCode::OK);
    }
}

/// Files of this process, and of another.
#[tokio::test]
async fn one_address_leaves_places_for_others_who_want_files() {
    let config = || Config { files_at_once_by_address: 1, ..Config::default() };
    let gateway = |config: Config| {
        let metrics = Metrics::default();
        let gateway = Gateway::new(config, None, Clock::default(), &metrics);
        let service = Service::new(metrics, Limits::default()).gateway(gateway);
        service.behind(vec![IpAddr::from([127, 0, 0, 1])])
    };
    let (there, mut arrivals, release) = Stub::holding().await;
    let upstreams = vec![(Role::Delivery, there.base.clone())];
    let (held, arrived) = (release.subscribe(), there.arrived.clone());
    let here = Router::new().route(
        "/film/{*path}",
        get(move || {
            let (mut held, arrived) = (held.clone(), arrived.clone());
            async move {
                let _ = arrived.send(());
                let _ = held.wait_for(|free| *free).await;
                "ok"
            }
        }),
    );
    let entries = [
        served(gateway(Config { upstreams, ..config() })).await,
        served(gateway(config()).files(here, false)).await,
    ];
    let mut asked = Vec::new();
    for entry in &entries {
        let url = format!("{entry}/film/seg-1.m4s");
        for address in ["192.0.2.1", "192.0.2.2"] {
            asked.push(tokio::spawn(ask_from(address, Method::GET, url.clone())));
            arrivals.recv().await.unwrap();
        }
        let refused = ask_from("192.0.2.1", Method::GET, url).await;
        let refused = refused.is(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    }
    release.send(true).unwrap();
    for answer in asked {
        answer.await.unwrap().is(StatusCode::OK);
    }
}

#[tokio::test]
async fn one_address_cannot_ask_without_end() {
    let good = Stub::start(|_| Some(GOOD.to_vec())).await;
    let by_address = Rate { burst: 3, seconds_each: 60 };
    let entry = gateway(&[&good], Config { by_address, ..Config::default() }).await;
    for _ in 0..3 {
        ask(Method::GET, format!("{entry}/v1/account")).await.is(StatusCode::OK);
    }
    let refused = ask(Method::GET, format!("{entry}/v1/account")).await;
    refused.is(StatusCode::TOO_MANY_REQUESTS).problem("too_many_requests");
    assert_eq!(good.asked(), 3);
}

/// Bytes that a client library would not send.
#[tokio::test]
async fn a_head_that_would_be_two_is_refused() {
    let good = Stub::start(|_| Some(GOOD.to_vec())).await;
    let entry = gateway(&[&good], Config::default()).await;
    let address = entry.trim_start_matches("http://").to_owned();
    for head in [
        // Two lengths, and both ways to say one (RFC 9112, 6.3): the role could see another end than the gateway.
        "POST /v1/account HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 9\r\n\r\n",
        "GET /v1/account\r\n HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v1/account HTTP/1.1\r\nhost: x\r\nx-a: b\rc\r\n\r\n",
        "GET /v1/account HTTP/1.1\r\nhost: x\r\nx a: b\r\n\r\n",
        "GET http:///v1/account HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 256];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await;
        let read = read.unwrap().unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
    }
    assert_eq!(good.asked(), 0);
}
