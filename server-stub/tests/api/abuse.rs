//! What an attacker tries.

use crate::{
    suite,
    world::{Answer, Device, PASSWORD, World},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_server::{auth::Config, gateway::table::role_of};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

suite! {
    no_route_takes_a_token_that_is_not_one
    another_accounts_ids_open_nothing_on_any_route
    hostile_bodies_are_refused_for_what_they_are
    a_client_hears_that_its_body_is_too_large
    a_body_without_a_length_is_bounded_too
    hostile_paths_reach_nothing
    a_head_without_end_is_cut_off
}

/// Every route that needs a token, by method and path.
fn guarded(document: &Value) -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("security").is_some() {
                let method = method.to_uppercase().parse().unwrap();
                let path = path.split('/').map(|part| match part.starts_with('{') {
                    true => "0123456789abcdef0123456789abcdef",
                    false => part,
                });
                routes.push((method, path.collect::<Vec<_>>().join("/")));
            }
        }
    }
    routes
}

/// Where a path is answered: at the entry, and by the process of its role itself.
fn places(world: &World, path: &str) -> Vec<String> {
    let own = world.roles().iter().find(|(role, _)| role_of(path) == Some(*role));
    let own = own.map(|(_, base)| format!("{base}{path}"));
    let mut places = vec![world.url(path)];
    places.extend(own.filter(|own| !places.contains(own)));
    places
}

async fn no_route_takes_a_token_that_is_not_one(world: &World) {
    let device = world.household("ada").await;
    let parts: Vec<&str> = device.access.split('.').collect();
    let with_header = |header: Value| {
        format!("{}.{}.{}", BASE64URL.encode(header.to_string()), parts[1], parts[2])
    };
    let claims = BASE64URL.decode(parts[1]).unwrap();
    let mut admin: Value = serde_json::from_slice(&claims).unwrap();
    admin["admin"] = true.into();
    let admin = BASE64URL.encode(admin.to_string());
    let other = World::inside(Config::default()).await;
    let foreign = other.household("ada").await.access;
    let forged = [
        String::new(),
        "null".to_owned(),
        foreign,
        device.refresh.clone(),
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{}.{}.", BASE64URL.encode(r#"{"alg":"none"}"#), parts[1]),
        format!("{}.{admin}.", BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#)),
        with_header(json!({"alg": "HS256", "kid": "x"})),
        with_header(json!({"alg": "EdDSA", "kid": "../../etc/passwd"})),
        with_header(json!({"alg": "EdDSA", "kid": "' OR 1=1 --"})),
        with_header(json!({"alg": "EdDSA"})),
        with_header(json!([])),
        "a.".repeat(3000),
    ];
    let document = world.get("/openapi.json").await.json();
    let routes = guarded(&document);
    assert!(routes.len() > 10, "{routes:?}");
    let client = reqwest::Client::new();
    for (method, path) in &routes {
        for place in places(world, path) {
            let bare = client.request(method.clone(), &place).send().await.unwrap();
            let bare = Answer::of(bare).await.is(StatusCode::UNAUTHORIZED);
            bare.problem("unauthenticated");
            let challenge = bare.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            for token in &forged {
                let request = client.request(method.clone(), &place).bearer_auth(token);
                let answer = request.json(&json!({})).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {place} {token}");
            }
        }
    }
    for place in places(world, "/v1/account") {
        let twice = client
            .get(place)
            .header(header::AUTHORIZATION, format!("Bearer {}", device.access))
            .header(header::AUTHORIZATION, format!("Bearer {}", device.access));
        assert_eq!(twice.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    device.get("/v1/account").await.is(StatusCode::OK);
}

#[tokio::test]
async fn no_route_takes_a_token_that_has_expired() {
    let world = World::inside(Config::default()).await;
    let device = world.household("ada").await;
    device.get("/v1/account").await.is(StatusCode::OK);
    world.clock.advance(606);
    for (method, path) in guarded(&world.get("/openapi.json").await.json()) {
        let answer = device.ask(method.clone(), &path, Some(json!({}))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

/// What an account has, as it sees it.
async fn belongings(device: &Device<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        "/v1/account",
        "/v1/profiles",
        "/v1/playbacks",
        "/v1/my-list",
        "/v1/ratings",
        "/v1/continue-watching",
    ] {
        all.push(device.get(path).await.is(StatusCode::OK).json());
    }
    all
}

/// Whatever routes there are: those that name something of an account's answer another one as if it were not there.
async fn another_accounts_ids_open_nothing_on_any_route(world: &World) {
    world.import();
    // A name that is in no id: those are hexadecimal.
    let ada = world.household("zora").await.viewing().await;
    ada.put("/v1/my-list/bunny", json!({})).await;
    ada.put("/v1/ratings/bunny", json!({"rating": "love"})).await;
    ada.put("/v1/positions/bunny", json!({"seconds": 100})).await.is(StatusCode::NO_CONTENT);
    let playback = ada.post("/v1/playback/bunny", json!({})).await.is(StatusCode::CREATED).json();
    let ids = [
        ("{profile}", ada.profiles().await[0].clone()),
        ("{playback}", playback["playback_id"].as_str().unwrap().to_owned()),
    ];
    let before = belongings(&ada).await;

    let bob = world.household("bob").await.viewing().await;
    let document = world.get("/openapi.json").await.json();
    let mut tried = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some((name, id)) = ids.iter().find(|(name, _)| path.contains(name)) else { continue };
        let url = path.replace(name, id).replace("{system}", "widevine");
        for (method, operation) in item.as_object().unwrap() {
            // What needs no token knows no accounts.
            if operation.get("security").is_none() {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let body = operation.get("requestBody").map(|_| match path.as_str() {
                "/v1/profiles/{profile}" => json!({"name": "mine"}),
                "/v1/playbacks/{playback}/heartbeat" => json!({"position_seconds": 7}),
                _ => json!({"kids": ["AAAAAAAAAAAAAAAAAAAAAA"], "type": "temporary"}),
            });
            let answer = bob.ask(method.clone(), &url, body).await;
            let status = answer.status;
            assert!(
                matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN),
                "{method} {path}: {status} {}",
                answer.body
            );
            assert!(!answer.body.contains("zora"), "{method} {path}: {}", answer.body);
            tried.push(path.as_str());
        }
    }
    assert!(tried.len() >= 8, "{tried:?}");
    assert_eq!(belongings(&ada).await, before);
    let nothing = bob.get("/v1/continue-watching").await.json();
    assert_eq!(nothing, json!([]));
}

async fn hostile_bodies_are_refused_for_what_they_are(world: &World) {
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = world
            .request(Method::POST, "/v1/sessions")
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let json = "application/json";
    let deep = [b"[".repeat(30_000), b"]".repeat(30_000)].concat();
    let login = |email: &str| json!({"email": email, "password": PASSWORD}).to_string();
    for (content_type, body, status, code) in [
        (json, b" ".repeat(65 * 1024), 413, "body_too_large"),
        (json, b"".to_vec(), 400, "malformed_request"),
        (json, b"{".to_vec(), 400, "malformed_request"),
        (json, b"\xff\xfe".to_vec(), 400, "malformed_request"),
        (json, deep, 422, "invalid_value"),
        (json, b"{}".to_vec(), 422, "invalid_value"),
        (json, br#"["a@b","12345678",null]"#.to_vec(), 422, "invalid_value"),
        (json, br#"{"email":1,"password":2}"#.to_vec(), 422, "invalid_value"),
        (
            json,
            br#"{"email":"a@b","password":"12345678","admin":true}"#.to_vec(),
            422,
            "invalid_value",
        ),
        (
            json,
            br#"{"email":"a@b","email":"c@d","password":"12345678"}"#.to_vec(),
            422,
            "invalid_value",
        ),
        ("text/plain", login("a@b").into_bytes(), 415, "unsupported_media_type"),
        ("", login("a@b").into_bytes(), 415, "unsupported_media_type"),
        (json, login("a@b\r\nSet-Cookie: x").into_bytes(), 422, "invalid_value"),
        (json, login(&"a".repeat(60_000)).into_bytes(), 422, "invalid_value"),
        (json, login("'OR'1'='1'--@example.org").into_bytes(), 401, "wrong_credentials"),
        (json, login("\"><script>@example.org").into_bytes(), 401, "wrong_credentials"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = send(content_type, body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.body);
        answer.problem(code);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
}

/// Sends bytes as they are, all of them, and returns what is answered to them.
async fn raw(world: &World, pieces: Vec<Vec<u8>>) -> String {
    let address = world.url("").trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        for piece in pieces {
            stream.write_all(&piece).unwrap();
        }
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    });
    answer.await.unwrap()
}

const POST: &str = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

/// The refusal comes before the body has: a client that listens only when it has sent all has to hear it.
async fn a_client_hears_that_its_body_is_too_large(world: &World) {
    let mut pieces = vec![format!("{POST}content-length: 4000000\r\n\r\n").into_bytes()];
    // The service has answered long before the last of it is sent.
    pieces.extend(std::iter::repeat_n(vec![b' '; 100_000], 40));
    let answer = raw(world, pieces).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Nothing tells beforehand how large it will be: more than the role takes, and more than any role does.
async fn a_body_without_a_length_is_bounded_too(world: &World) {
    for chunks in [1, 35] {
        let mut pieces = vec![format!("{POST}transfer-encoding: chunked\r\n\r\n").into_bytes()];
        let chunk = [b"18000\r\n".to_vec(), vec![b' '; 0x18000], b"\r\n".to_vec()].concat();
        pieces.extend(std::iter::repeat_n(chunk, chunks));
        pieces.push(b"0\r\n\r\n".to_vec());
        let answer = raw(world, pieces).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{chunks}: {answer}");
    }
}

async fn hostile_paths_reach_nothing(world: &World) {
    let device = world.household("ada").await;
    for id in [
        "1",
        "%27%20OR%201=1%20--",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "0123456789ABCDEF0123456789ABCDEF",
        "%0d%0aset-cookie:%20x",
    ] {
        let answer = device.get(&format!("/v1/profiles/{id}")).await;
        assert!(answer.status.is_client_error(), "{id}: {}", answer.status);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        answer.problem(&code);
    }
}

async fn a_head_without_end_is_cut_off(world: &World) {
    let address = world.url("").trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head =
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "a".repeat(140_000));
        // The service may hang up before it has taken all of it.
        let _ = stream.write_all(head.as_bytes());
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    world.get("/healthz").await.is(StatusCode::OK);
}

/// Those who send slowly are told so; nobody else notices, not even when there are more than it takes for a role to be
/// left alone.
async fn slow_clients_harm_themselves(world: World) {
    let half = || raw(&world, vec![format!("{POST}content-length: 100\r\n\r\n{{").into_bytes()]);
    for answer in futures_util::future::join_all((0..12).map(|_| half())).await {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
        // It is the role that says who it is not.
        world.get("/v1/account").await.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    }
}

#[tokio::test]
async fn slow_clients_harm_themselves_in_one_process() {
    slow_clients_harm_themselves(World::in_one_process_with(&["--request-time", "5"], &[])).await;
}

#[tokio::test]
async fn slow_clients_harm_themselves_with_each_role_in_its_own() {
    let world = World::each_role_in_its_own_with(&["--request-time", "5"], &[]);
    slow_clients_harm_themselves(world).await;
}

/// Whoever holds places with requests that never arrive holds their own. (Elsewhere, this machine has one address.)
#[cfg(target_os = "linux")]
async fn half_a_request_takes_nobody_elses_place(world: World) {
    let address = world.url("").trim_start_matches("http://").to_owned();
    let hold = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(format!("{POST}content-length: 100\r\n\r\n{{").as_bytes()).unwrap();
        stream
    };
    // As many as one address has at once.
    let held: Vec<TcpStream> = (0..64).map(|_| hold()).collect();
    let in_flight = async || {
        let metrics = world.get("/metrics").await.body;
        let lines = metrics.lines();
        let found = lines.filter_map(|line| line.strip_prefix("kinora_http_requests_in_flight "));
        found.map(|count| count.parse::<i64>().unwrap()).next().unwrap()
    };
    while in_flight().await < 65 {
        tokio::task::yield_now().await;
    }
    let refused = world.get("/v1/account").await.is(StatusCode::TOO_MANY_REQUESTS);
    let refused = refused.problem("too_many_requests");
    assert!(refused["detail"].as_str().unwrap().contains("at once"), "{refused}");
    let second = std::net::IpAddr::from([127, 0, 0, 2]);
    let elsewhere = reqwest::Client::builder().local_address(second);
    let answer = elsewhere.build().unwrap().get(world.url("/v1/account")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "another address has its own");
    drop(held);
    while in_flight().await > 1 {
        tokio::task::yield_now().await;
    }
    world.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn half_a_request_takes_nobody_elses_place_in_one_process() {
    let world = World::in_one_process_with(&["--request-time", "60"], &[]);
    half_a_request_takes_nobody_elses_place(world).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn half_a_request_takes_nobody_elses_place_with_each_role_in_its_own() {
    let world = World::each_role_in_its_own_with(&["--request-time", "60"], &[]);
    half_a_request_takes_nobody_elses_place(world).await;
}

/// Tries wrong passwords, of one account and of none in turn; says how many were refused unheard.
async fn attack(world: &World, tries: usize) -> usize {
    let mut limited = 0;
    for batch in 0..tries / 100 {
        let tries = (0..100).map(|i| {
            let name = if i % 2 == 0 { "ada".to_owned() } else { format!("nobody-{batch}-{i}") };
            async move { world.try_sign_in(&name, "wrong password").await }
        });
        for answer in futures_util::future::join_all(tries).await {
            match answer.status {
                StatusCode::UNAUTHORIZED => {}
                StatusCode::TOO_MANY_REQUESTS => {
                    assert!(answer.headers.contains_key(header::RETRY_AFTER));
                    limited += 1;
                }
                StatusCode::SERVICE_UNAVAILABLE => limited += 1,
                other => panic!("{other}: {}", answer.body),
            }
        }
    }
    limited
}

/// Each try takes one of few hashes, or none at all: what it costs the service is bounded.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wrong_passwords_cost_next_to_nothing() {
    let world = World::in_one_quiet_process();
    world.household("ada").await;
    let hashed = async || {
        let metrics = world.get("/metrics").await.body;
        let line = metrics.lines().find(|line| line.starts_with("kinora_passwords_hashed_total "));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let (memory, before, begun) = (world.resident(), hashed().await, Instant::now());
    let limited = attack(&world, 10_000).await as u64;
    // As many as an address may at once, and one more each ten seconds, however long this takes.
    let heard = 30 + begun.elapsed().as_secs() / 10 + 1;
    assert!(limited >= 10_000 - heard, "{limited}");
    assert!(hashed().await - before <= heard);
    let grown = world.resident().saturating_sub(memory);
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
}

#[tokio::test]
async fn the_owner_gets_in_when_the_attacker_has_gone() {
    let world = World::inside(Config::default()).await;
    world.household("ada").await;
    assert!(attack(&world, 200).await >= 170);
    world.try_sign_in("ada", PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(3600);
    world.try_sign_in("ada", PASSWORD).await.is(StatusCode::OK);
}

/// What an address without an account gets is what a wrong password gets: the same words, the same work.
#[tokio::test]
async fn a_wrong_password_and_no_account_look_the_same() {
    let world = World::inside(Config::default()).await;
    world.household("ada").await;
    let wrong = world.try_sign_in("ada", "wrong password").await;
    let nobody = world.try_sign_in("nobody", "wrong password").await;
    let told = |answer: &Answer| {
        let mut problem = answer.problem("wrong_credentials");
        problem["request_id"].take();
        (answer.status, problem)
    };
    assert_eq!(told(&wrong), told(&nobody));
    let metrics = world.get("/metrics").await.body;
    assert!(metrics.contains("kinora_passwords_hashed_total 4\n"), "{metrics}");
}
