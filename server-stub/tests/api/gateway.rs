//! The one entry.

use crate::{
    suite,
    world::{Answer, World},
};
use kinora_server::{
    clock::Clock,
    gateway::{Config, Gateway, table::role_of},
    http,
    roles::Role,
    web::{Limits, Service, limit::Rate, metrics::Metrics},
};
use reqwest::{Method, StatusCode, header};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

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
    asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl Stub {
    /// Answers with these bytes, or hangs up without.
    async fn start(answer: impl Fn(usize) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let number = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
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
        Self { base, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(std::sync::atomic::Ordering::SeqCst)
    }
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A gateway in front of processes of the role `auth`.
async fn gateway(upstreams: &[&Stub], config: Config) -> String {
    let upstreams = upstreams.iter().map(|stub| (Role::Auth, stub.base.clone())).collect();
    let metrics = Metrics::default();
    let config = Config { upstreams, ..config };
    let gateway = Gateway::new(config, None, Clock::default(), &metrics);
    let service = Service::new(metrics, Limits::default()).gateway(gateway);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let never = std::future::pending();
    tokio::spawn(http::serve(listener, service.router(), never, Duration::ZERO));
    base
}

async fn ask(method: Method, url: String) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().request(method, url).timeout(Duration::from_secs(30));
    Answer::of(request.send().await.unwrap()).await
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

#[tokio::test]
async fn a_role_that_does_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub =
        Stub { base: format!("http://{}", silent.local_addr().unwrap()), asked: Arc::default() };
    let config = Config { time: Duration::from_millis(200), ..Config::default() };
    let entry = gateway(&[&stub], config).await;
    let answer = ask(Method::GET, format!("{entry}/v1/account")).await;
    answer.is(StatusCode::GATEWAY_TIMEOUT).problem("gateway_timeout");
    ask(Method::GET, format!("{entry}/healthz")).await.is(StatusCode::OK);
    ask(Method::GET, format!("{entry}/readyz")).await.is(StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn more_than_it_can_do_at_once_is_turned_away_at_once() {
    let (release, held) = tokio::sync::watch::channel(false);
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub =
        Stub { base: format!("http://{}", listener.local_addr().unwrap()), asked: Arc::default() };
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut held, arrived) = (held.clone(), arrived.clone());
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = arrived.send(());
                let _ = held.wait_for(|free| *free).await;
                let _ = stream.write_all(GOOD).await;
            });
        }
    });
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
