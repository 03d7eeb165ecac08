//! Licences: who plays something gets the keys of that, and nobody anything else.

use crate::{
    suite,
    world::{Answer, Device, World},
};
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_cenc::ContentKey;
use kinora_server::{
    auth::Config,
    license::{backend::System, proxy::Proxy},
    plans::Plans,
    roles::Data,
    vault::{Key, KeyId, Tier},
    web::Limits,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

suite! {
    a_playback_gets_the_keys_of_what_it_plays_and_of_nothing_else
    a_licence_ends_with_its_playback_and_is_of_no_other_device
    the_key_of_whole_segments_is_for_who_plays_them
}

fn key(item: &str, tier: Tier) -> Key {
    let content = format!("{item}-package");
    let key = ContentKey::from(*b"canary-of-a-key!");
    Key { id: KeyId::random(), content, item: Some(item.into()), tier, period: 0, key }
}

/// Puts keys into the service's vault, as the packager does.
async fn keep(world: &World, keys: &[Key]) {
    Data::new(world.data.path()).vault().await.unwrap().keep(keys).await.unwrap();
}

async fn play(device: &Device<'_>, item: &str) -> String {
    let answer = device.ask(Method::POST, &format!("/v1/playback/{item}"), None).await;
    answer.is(StatusCode::CREATED).json()["playback_id"].as_str().unwrap().to_owned()
}

fn request(keys: &[&Key]) -> Value {
    let kids: Vec<String> = keys.iter().map(|key| BASE64URL.encode(key.id.0)).collect();
    json!({"kids": kids, "type": "temporary"})
}

async fn ask(device: &Device<'_>, playback: &str, keys: &[&Key]) -> Answer {
    device.post(&format!("/v1/license/{playback}/clearkey"), request(keys)).await
}

/// The ids of the keys in a licence.
fn given(licence: &Value) -> Vec<&str> {
    licence["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

async fn a_playback_gets_the_keys_of_what_it_plays_and_of_nothing_else(world: &World) {
    world.import();
    let (sd, hd, other) = (key("bunny", Tier::Sd), key("bunny", Tier::Hd), key("sintel", Tier::Sd));
    let nobodys = Key { item: None, ..key("bunny", Tier::Audio) };
    keep(world, &[sd.clone(), hd.clone(), other.clone(), nobodys.clone()]).await;
    let device = world.household("ada").await.viewing().await;
    let begun = device.ask(Method::POST, "/v1/playback/bunny", None).await.json();
    let playback = begun["playback_id"].as_str().unwrap();
    assert_eq!(begun["license_url"], format!("/v1/license/{playback}/clearkey"));
    let unknown = key("bunny", Tier::Sd);
    let answer =
        ask(&device, playback, &[&hd, &unknown, &other, &nobodys, &sd]).await.is(StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let licence = answer.json();
    assert_eq!(given(&licence), [BASE64URL.encode(hd.id.0), BASE64URL.encode(sd.id.0)]);
    assert_eq!(licence["keys"][0]["k"], BASE64URL.encode(b"canary-of-a-key!"));
    assert_eq!(licence["keys"][0]["kty"], "oct");
    assert_eq!(licence["type"], "temporary");
    assert_eq!(licence["expires_in"], 3600);
    for refused in [&other, &nobodys, &unknown] {
        let answer = ask(&device, playback, &[refused]).await.is(StatusCode::FORBIDDEN);
        answer.problem("not_entitled");
        assert!(!answer.body.contains("Y2FuYXJ5"), "{}", answer.body);
    }
    let path = format!("/v1/license/{playback}/vendor/widevine");
    device.post(&path, json!({})).await.is(StatusCode::NOT_FOUND).problem("not_found");
    for (body, code) in [
        (json!({"kids": []}), "malformed_request"),
        (json!({"kids": ["AAAA"]}), "malformed_request"),
        (
            json!({"kids": [BASE64URL.encode(sd.id.0)], "type": "persistent-license"}),
            "malformed_request",
        ),
        (json!({"kids": vec!["AAAAAAAAAAAAAAAAAAAAAA"; 1025]}), "malformed_request"),
        (json!([]), "malformed_request"),
    ] {
        let answer = device.post(&format!("/v1/license/{playback}/clearkey"), body).await;
        answer.is(StatusCode::BAD_REQUEST).problem(code);
    }
    let unprotected = device.ask(Method::POST, "/v1/playback/nosferatu", None).await.json();
    assert_eq!(unprotected["license_url"], Value::Null);

    let log = world.log();
    for canary in ["canary-of-a-key", &BASE64URL.encode(b"canary-of-a-key!"), &device.access] {
        assert!(!log.contains(canary), "the log shows {canary}");
    }
    assert!(log.contains("/v1/license/"), "the log was written");
}

async fn a_licence_ends_with_its_playback_and_is_of_no_other_device(world: &World) {
    world.import();
    let key = key("bunny", Tier::Sd);
    keep(world, std::slice::from_ref(&key)).await;
    let tv = world.household("ada").await.viewing().await;
    let phone = world.sign_in("ada").await.viewing().await;
    let stranger = world.household("eve").await.viewing().await;
    let playback = play(&tv, "bunny").await;
    ask(&tv, &playback, &[&key]).await.is(StatusCode::OK);
    for other in [&phone, &stranger] {
        let answer = ask(other, &playback, &[&key]).await.is(StatusCode::NOT_FOUND);
        answer.problem("playback_ended");
    }
    let path = format!("/v1/license/{playback}/clearkey");
    world
        .post(&path, request(&[&key]))
        .await
        .is(StatusCode::UNAUTHORIZED)
        .problem("unauthenticated");
    tv.delete(&format!("/v1/playbacks/{playback}")).await.is(StatusCode::NO_CONTENT);
    let replayed = ask(&tv, &playback, &[&key]).await.is(StatusCode::NOT_FOUND);
    replayed.problem("playback_ended");
    let made_up = ask(&tv, &"0".repeat(32), &[&key]).await.is(StatusCode::NOT_FOUND);
    made_up.problem("playback_ended");
}

async fn the_key_of_whole_segments_is_for_who_plays_them(world: &World) {
    world.import();
    let (mine, other) = (key("bunny", Tier::Sd), key("sintel", Tier::Sd));
    keep(world, &[mine.clone(), other.clone()]).await;
    let device = world.household("ada").await.viewing().await;
    let path = |key: &Key| format!("/v1/license/keys/{}", key.id);
    device.get(&path(&mine)).await.is(StatusCode::NOT_FOUND).problem("playback_ended");
    play(&device, "bunny").await;
    let answer = device.get(&path(&mine)).await.is(StatusCode::OK);
    assert_eq!(answer.body, "canary-of-a-key!");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    device.get(&path(&other)).await.is(StatusCode::FORBIDDEN).problem("not_entitled");
    device
        .get("/v1/license/keys/nothing")
        .await
        .is(StatusCode::BAD_REQUEST)
        .problem("malformed_request");
    world.get(&path(&mine)).await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_playback_that_is_not_kept_alive_loses_its_licences() {
    let world = World::inside(Config::default()).await;
    world.import();
    let key = key("bunny", Tier::Sd);
    keep(&world, std::slice::from_ref(&key)).await;
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    ask(&device, &playback, &[&key]).await.is(StatusCode::OK);
    world.clock.advance(90);
    ask(&device, &playback, &[&key]).await.is(StatusCode::NOT_FOUND).problem("playback_ended");
}

#[tokio::test]
async fn a_plan_says_of_which_quality_there_are_keys() {
    let change = |data: &mut Data| {
        data.plans =
            Plans::default().with(r#"{"basic": {"streams": 1, "max_height": 720}}"#).unwrap();
    };
    let world = World::inside_changed(Config::default(), Limits::default(), change).await;
    world.import();
    let tiers = [Tier::Hd, Tier::Uhd].map(|tier| key("bunny", tier));
    keep(&world, &tiers).await;
    world.household("ada").await;
    let output = world.run(&["account", "plan", "ada@example.org", "basic"]);
    assert!(output.status.success(), "{output:?}");
    let device = world.sign_in("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    let all: Vec<&Key> = tiers.iter().collect();
    let licence = ask(&device, &playback, &all).await.is(StatusCode::OK).json();
    assert_eq!(given(&licence), [BASE64URL.encode(tiers[0].id.0)]);
    let whole = device.get(&format!("/v1/license/keys/{}", tiers[1].id)).await;
    whole.is(StatusCode::FORBIDDEN).problem("not_entitled");
}

#[tokio::test]
async fn clearkey_gives_no_better_quality_than_it_may() {
    let change = |data: &mut Data| data.clearkey_quality = Tier::Sd;
    let world = World::inside_changed(Config::default(), Limits::default(), change).await;
    world.import();
    let tiers = [Tier::Audio, Tier::Sd, Tier::Hd, Tier::Uhd].map(|tier| key("bunny", tier));
    keep(&world, &tiers).await;
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    let all: Vec<&Key> = tiers.iter().collect();
    let licence = ask(&device, &playback, &all).await.is(StatusCode::OK).json();
    assert_eq!(given(&licence), [BASE64URL.encode(tiers[0].id.0), BASE64URL.encode(tiers[1].id.0)]);
    ask(&device, &playback, &[&tiers[2]]).await.is(StatusCode::FORBIDDEN).problem("not_entitled");
    let whole = device.get(&format!("/v1/license/keys/{}", tiers[3].id)).await;
    whole.is(StatusCode::FORBIDDEN).problem("not_entitled");
}

#[tokio::test]
async fn a_device_that_asks_too_often_waits() {
    let world = World::inside(Config::default()).await;
    world.import();
    let key = key("bunny", Tier::Sd);
    keep(&world, std::slice::from_ref(&key)).await;
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    for _ in 0..30 {
        ask(&device, &playback, &[&key]).await.is(StatusCode::OK);
    }
    let refused = ask(&device, &playback, &[&key]).await.is(StatusCode::TOO_MANY_REQUESTS);
    refused.problem("too_many_requests");
    let wait: u32 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    world.clock.advance(wait);
    ask(&device, &playback, &[&key]).await.is(StatusCode::OK);
}

/// A vendor's server: what it was sent, and what it answers, if it ever does.
async fn vendor(answer: Option<StatusCode>) -> (String, Arc<Mutex<Option<(HeaderMap, Bytes)>>>) {
    let seen: Arc<Mutex<Option<(HeaderMap, Bytes)>>> = Arc::default();
    let noted = seen.clone();
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        *noted.lock().unwrap() = Some((headers, body));
        match answer {
            Some(status) => (status, b"a licence".to_vec()),
            None => std::future::pending().await,
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/license?v=1", listener.local_addr().unwrap());
    let never = std::future::pending();
    let router = Router::new().route("/license", post(handler));
    tokio::spawn(kinora_server::http::serve(listener, router, never, Duration::ZERO));
    (url, seen)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn through_a_vendor(answer: Option<StatusCode>) -> (Answer, Option<(HeaderMap, Bytes)>, Key) {
    let (url, seen) = vendor(answer).await;
    let proxy = Proxy::new(&url, [("x-vendor-token", "canary-of-a-credential")]).unwrap();
    assert!(!format!("{proxy:?}").contains("canary"), "{proxy:?}");
    let change = |data: &mut Data| {
        // Time enough for an answer that comes; of none that comes, no more is to be seen after a minute.
        let patience = if answer.is_some() { 60_000 } else { 50 };
        let proxy = proxy.patience(Duration::from_millis(patience));
        data.license_proxies = vec![(System::Widevine, proxy)];
    };
    let world = World::inside_changed(Config::default(), Limits::default(), change).await;
    world.import();
    let key = key("bunny", Tier::Hd);
    keep(&world, &[key.clone(), self::key("sintel", Tier::Hd)]).await;
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    let path = format!("/v1/license/{playback}/vendor/widevine");
    let request = world
        .request(Method::POST, &path)
        .bearer_auth(&device.access)
        .header("x-request-id", "mine-1")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = Answer::of(request.body("a challenge").send().await.unwrap()).await;
    let seen = seen.lock().unwrap().take();
    (answer, seen, key)
}

#[tokio::test]
async fn a_vendors_server_is_told_what_the_playback_may_have_and_not_who_asks() {
    let (answer, seen, key) = through_a_vendor(Some(StatusCode::OK)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "a licence"));
    let (headers, body) = seen.unwrap();
    assert_eq!(body, "a challenge");
    assert_eq!(headers["x-vendor-token"], "canary-of-a-credential");
    assert_eq!(headers["x-request-id"], "mine-1");
    let parent = headers["traceparent"].to_str().unwrap();
    assert!(parent.starts_with(&format!("00-{TRACE}-")), "{parent}");
    assert_eq!(answer.headers["traceparent"], parent, "the step that is done here");
    assert!(!headers.contains_key(header::AUTHORIZATION), "the viewer's token stays here");
    let entitlement = BASE64URL.decode(headers["kinora-entitlement"].as_bytes()).unwrap();
    let entitlement: Value = serde_json::from_slice(&entitlement).unwrap();
    assert_eq!(entitlement["item"], "bunny");
    assert_eq!(entitlement["keys"], json!([{"id": key.id, "tier": "hd", "period": 0}]));
}

#[tokio::test]
async fn what_goes_wrong_at_a_vendors_is_told_without_its_secrets() {
    for (status, expected, code) in [
        (Some(StatusCode::FORBIDDEN), StatusCode::FORBIDDEN, "license_refused"),
        (Some(StatusCode::INTERNAL_SERVER_ERROR), StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (None, StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    ] {
        let (answer, ..) = through_a_vendor(status).await;
        let answer = answer.is(expected);
        answer.problem(code);
        assert!(
            !answer.body.contains("canary") && !answer.body.contains("a licence"),
            "{}",
            answer.body
        );
        assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), code == "unavailable");
    }
}
