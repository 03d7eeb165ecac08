//! Delivery and chaos over real HTTP.

#![allow(clippy::unwrap_used)]

use kinora_server::{
    access,
    chaos::{self, Chaos},
    delivery::{self, Mount, memory::Memory},
    http,
    web::metrics::Metrics,
};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, header};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A server over a directory with a manifest, a segment of 100 000 bytes, and a page.
struct Server {
    directory: TempDir,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<bool>,
    client: Client,
}

const SEGMENT: usize = 100_000;

fn content() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let segment: Vec<u8> = (0..SEGMENT).map(|i| (i % 251) as u8).collect();
    write("master.m3u8", b"#EXTM3U\n");
    write("manifest.mpd", b"<MPD/>");
    write("video/seg-1.m4s", &segment);
    write("index.html", b"<p>hello");
    write("app.mjs", b"export {}");
    write("core.wasm", b"\0asm");
    write(".secret", b"no");
    directory
}

impl Server {
    async fn start() -> Self {
        let directory = content();
        let mounts = [
            Mount::new("/", directory.path()).unwrap(),
            Mount::new("/film", directory.path().join("video")).unwrap(),
        ];
        let chaos = Chaos::default();
        let ledger = chaos.ledger.clone();
        let memory = Memory::new(1 << 24, &Metrics::default());
        let router = chaos.apply(delivery::router(&mounts, None, Some(&memory)).unwrap());
        let router = access::observe(router, move |access| ledger.record(access));
        let router = router.merge(chaos::router(chaos));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let done = tokio::spawn(http::serve(listener, router, stopped, Duration::from_secs(20)));
        Self { directory, address, stop, done, client: client().build().unwrap() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    async fn control(&self, method: Method, path: &str) {
        let answer = self.request(method, &format!("/_control{path}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// Sends bytes as they are and returns the status of the answer.
    fn raw(&self, request: &[u8]) -> u16 {
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
    }
}

/// Built together with a crate that brings a cryptography provider of its own, reqwest asks for one even
/// where it speaks plain HTTP.
fn client() -> ClientBuilder {
    // Refused when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

fn header_of(answer: &reqwest::Response, name: impl header::AsHeaderName) -> String {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[tokio::test]
async fn every_kind_of_file_says_what_it_is_and_how_long_it_keeps() {
    let server = Server::start().await;
    let forever = "public, max-age=31536000, immutable";
    for (path, content_type, keeps) in [
        ("/master.m3u8", "application/vnd.apple.mpegurl", "public, max-age=4"),
        ("/manifest.mpd", "application/dash+xml", "public, max-age=4"),
        ("/video/seg-1.m4s", "video/iso.segment", forever),
        ("/film/seg-1.m4s", "video/iso.segment", forever),
        ("/", "text/html", "no-cache"),
        ("/app.mjs", "text/javascript; charset=utf-8", "no-cache"),
        ("/core.wasm", "application/wasm", "no-cache"),
    ] {
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header_of(&answer, header::CONTENT_TYPE), content_type, "{path}");
        assert_eq!(header_of(&answer, header::CACHE_CONTROL), keeps, "{path}");
        assert!(header_of(&answer, header::ETAG).starts_with('"'), "{path}: a strong validator");
    }
}

#[tokio::test]
async fn ranges_are_what_was_asked_for() {
    let server = Server::start().await;
    let whole = server.get("/video/seg-1.m4s").send().await.unwrap().bytes().await.unwrap();
    for (range, expected) in
        [("bytes=0-0", 0..1), ("bytes=1000-1999", 1000..2000), ("bytes=-5", SEGMENT - 5..SEGMENT)]
    {
        let request = server.get("/video/seg-1.m4s").header(header::RANGE, range);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let content_range = format!("bytes {}-{}/{SEGMENT}", expected.start, expected.end - 1);
        assert_eq!(header_of(&answer, header::CONTENT_RANGE), content_range);
        assert_eq!(answer.bytes().await.unwrap(), whole[expected]);
    }
    let beyond = server.get("/video/seg-1.m4s").header(header::RANGE, "bytes=100000-");
    let beyond = beyond.send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header_of(&beyond, header::CONTENT_RANGE), format!("bytes */{SEGMENT}"));
    assert_eq!(header_of(&beyond, header::CACHE_CONTROL), "no-store");

    let many = server.get("/video/seg-1.m4s").header(header::RANGE, "bytes=0-1,5-6");
    let many = many.send().await.unwrap();
    assert_eq!(many.status(), StatusCode::OK, "several ranges are ignored, which is allowed");
}

#[tokio::test]
async fn a_range_of_what_has_changed_is_the_whole_of_what_it_is_now() {
    let server = Server::start().await;
    let head = server.request(Method::HEAD, "/video/seg-1.m4s").send().await.unwrap();
    assert_eq!(header_of(&head, header::CONTENT_LENGTH), SEGMENT.to_string());
    let etag = header_of(&head, header::ETAG);
    for (validator, status) in [
        (etag.as_str(), StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        (&format!("W/{etag}"), StatusCode::OK),
    ] {
        let request = server
            .get("/video/seg-1.m4s")
            .header(header::RANGE, "bytes=0-9")
            .header(header::IF_RANGE, validator);
        assert_eq!(request.send().await.unwrap().status(), status, "{validator}");
    }
    let again = server.get("/video/seg-1.m4s").header(header::IF_NONE_MATCH, &etag);
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header_of(&again, header::ETAG), etag);

    std::fs::write(server.directory.path().join("video/seg-1.m4s"), "another").unwrap();
    let request = server
        .get("/video/seg-1.m4s")
        .header(header::RANGE, "bytes=0-9")
        .header(header::IF_RANGE, &etag);
    let changed = request.send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(changed.text().await.unwrap(), "another");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_paths_get_a_clean_refusal() {
    let server = Server::start().await;
    for (path, status) in [
        ("/nothing.m4s", 404),
        ("/film/nothing", 404),
        ("/master.m3u8/", 404),
        ("/.secret", 404),
        ("/../Cargo.toml", 400),
        ("/%2e%2e/Cargo.toml", 400),
        ("/film/..%2fmaster.m3u8", 400),
        ("/video%5cseg-1.m4s", 400),
        ("/a%00b", 400),
        ("/%ff%fe", 400),
        ("/%", 400),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(server.raw(request.as_bytes()), status, "{path}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(5000));
    assert_eq!(server.raw(long.as_bytes()), 414);
    assert_eq!(server.raw(b"GET /a\0b HTTP/1.1\r\nhost: x\r\n\r\n"), 400);
    let answer = server.request(Method::DELETE, "/master.m3u8").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let missing = server.get("/nothing.m4s").send().await.unwrap();
    assert_eq!(header_of(&missing, header::CACHE_CONTROL), "no-store");
    assert_eq!(missing.text().await.unwrap(), "no such file\n");
}

#[tokio::test]
async fn pages_of_other_origins_may_play_and_measure() {
    let server = Server::start().await;
    let origin = ("origin", "https://player.example");
    let preflight = server
        .request(Method::OPTIONS, "/video/seg-1.m4s")
        .header(origin.0, origin.1)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "range,cmcd-request")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    assert_eq!(header_of(&preflight, header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    assert_eq!(header_of(&preflight, header::ACCESS_CONTROL_ALLOW_HEADERS), "*");

    for path in ["/video/seg-1.m4s", "/nothing.m4s"] {
        let answer = server.get(path).header(origin.0, origin.1).send().await.unwrap();
        assert_eq!(header_of(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{path}");
        let exposed = header_of(&answer, header::ACCESS_CONTROL_EXPOSE_HEADERS);
        for name in ["content-length", "content-range", "etag", "date", "server-timing"] {
            assert!(exposed.split(',').any(|e| e.trim() == name), "{name} in {exposed}");
        }
    }
}

#[tokio::test]
async fn one_port_speaks_both_versions_of_http() {
    let server = Server::start().await;
    let h2 = client().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/master.m3u8", server.address);
    let answer = h2.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "#EXTM3U\n");
    let answer = server.client.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
}

#[tokio::test]
async fn a_stop_lets_running_requests_finish() {
    let server = Server::start().await;
    // Half a second for the segment.
    server.control(Method::PUT, "/throttle?kbps=1600").await;
    let answer = server.get("/video/seg-1.m4s").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    server.stop.send(()).unwrap();
    assert_eq!(answer.bytes().await.unwrap().len(), SEGMENT);
    assert!(server.done.await.unwrap(), "all requests finished");
    assert!(server.client.get(format!("http://{}/", server.address)).send().await.is_err());
}

#[tokio::test]
async fn media_is_throttled_for_all_connections_together_and_manifests_are_not() {
    let server = Server::start().await;
    server.control(Method::PUT, "/throttle?kbps=3200").await;
    let fetch = || async {
        let answer = server.get("/video/seg-1.m4s").send().await.unwrap();
        answer.bytes().await.unwrap().len()
    };
    let start = Instant::now();
    let lengths = tokio::join!(fetch(), fetch());
    assert_eq!(lengths, (SEGMENT, SEGMENT));
    // 1.6 million bits at 3.2 million a second, but for the last chunk's share.
    assert!(start.elapsed() > Duration::from_millis(470), "{:?}", start.elapsed());

    server.control(Method::PUT, "/throttle?kbps=0").await;
    let stopped = tokio::time::timeout(Duration::from_millis(100), fetch()).await;
    assert!(stopped.is_err(), "nothing passes at rate zero");
    assert_eq!(server.get("/master.m3u8").send().await.unwrap().text().await.unwrap(), "#EXTM3U\n");
    let pending = fetch();
    let (length, ()) = tokio::join!(pending, server.control(Method::PUT, "/throttle"));
    assert_eq!(length, SEGMENT);
}

#[tokio::test]
async fn faults_happen_as_ordered_and_as_often() {
    let server = Server::start().await;
    let path = "/video/seg-1.m4s";
    server.control(Method::PUT, "/fault?match=seg-1&action=status&status=503&times=2").await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(server.get(path).send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 503, 200]);

    server.control(Method::PUT, "/fault?match=seg-1&action=truncate&after=1000&times=1").await;
    let truncated = server.get(path).send().await.unwrap();
    assert_eq!(header_of(&truncated, header::CONTENT_LENGTH), "1000");
    assert_eq!(truncated.bytes().await.unwrap().len(), 1000);

    server.control(Method::PUT, "/fault?match=seg-1&action=abort&after=1000&times=1").await;
    let broken = server.get(path).send().await.unwrap();
    assert_eq!(header_of(&broken, header::CONTENT_LENGTH), SEGMENT.to_string());
    assert!(broken.bytes().await.is_err(), "the connection broke off");

    server.control(Method::PUT, "/fault?match=seg-1&action=stall&after=1000").await;
    let mut stalled = server.get(path).send().await.unwrap();
    let mut received = 0;
    while received < 1000 {
        received += stalled.chunk().await.unwrap().unwrap().len();
    }
    assert_eq!(received, 1000);
    let more = tokio::time::timeout(Duration::from_millis(100), stalled.chunk()).await;
    assert!(more.is_err(), "nothing comes while it stalls");
    server.control(Method::DELETE, "/fault").await;
    assert!(stalled.chunk().await.is_err(), "cleared, it breaks off");
    assert_eq!(server.get(path).send().await.unwrap().bytes().await.unwrap().len(), SEGMENT);

    let bad = server.request(Method::PUT, "/_control/fault?match=x&action=explode").send().await;
    assert_eq!(bad.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_log_tells_what_was_asked_and_sent() {
    let server = Server::start().await;
    let request = server.get("/film/seg-1.m4s?a=b").header(header::RANGE, "bytes=10-29");
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap().len(), 20);
    assert_eq!(server.get("/gone").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let log = server.get("/_control/log").send().await.unwrap();
    let log: serde_json::Value = log.json().await.unwrap();
    let requests = log["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "{log}");
    let first = &requests[0];
    assert_eq!(first["path"], "/film/seg-1.m4s?a=b");
    assert_eq!(first["range"], "bytes=10-29");
    assert_eq!((&first["status"], &first["bytes"]), (&206.into(), &20.into()));
    assert_eq!(first["complete"], true);
    assert!(first["t_ms"].as_f64() <= requests[1]["t_ms"].as_f64());
    server.control(Method::DELETE, "/log").await;
    let log: serde_json::Value =
        server.get("/_control/log").send().await.unwrap().json().await.unwrap();
    assert_eq!(log["requests"], serde_json::json!([]));
}

#[test]
fn the_program_prints_its_address_and_ends_on_a_signal() {
    let directory = content();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kinora-server"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /_control/log HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 404"), "no control unless asked for: {answer}");

    let kill = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

#[test]
fn mistakes_on_the_command_line_have_their_own_exit_code() {
    let code = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kinora-server")).args(args).output().unwrap();
        output.status.code()
    };
    assert_eq!(code(&["serve"]), Some(2));
    assert_eq!(code(&["serve", "/does/not/exist"]), Some(2));
    assert_eq!(code(&["serve", "--mount", "film=/"]), Some(2));
    assert_eq!(code(&["serve", "--mount", "/film=/", "--mount", "/film=/"]), Some(2));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(code(&["serve", "--listen", &address, "/"]), Some(6));
}
