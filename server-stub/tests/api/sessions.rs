//! Tokens over their life.

use crate::{
    suite,
    world::{Device, PASSWORD, World},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_server::auth::{Config, families::GRACE};
use reqwest::StatusCode;
use serde_json::{Value, json};

suite! {
    a_refresh_token_is_good_once
    signing_out_ends_one_device_and_signing_out_everywhere_all
    an_operator_can_sign_an_account_out
    the_published_keys_are_those_that_sign
    no_secret_is_in_the_log
}

async fn a_refresh_token_is_good_once(world: &World) {
    let first = world.household("ada").await;
    let second = world.refresh(&first.refresh).await.is(StatusCode::OK);
    let second = Device::of(world, second);
    assert_ne!(first.refresh, second.refresh);
    second.get("/v1/account").await.is(StatusCode::OK);
    let retried = Device::of(world, world.refresh(&first.refresh).await.is(StatusCode::OK));
    assert_eq!(retried.refresh, second.refresh, "an answer that was lost is given again");
    let third = Device::of(world, world.refresh(&second.refresh).await.is(StatusCode::OK));
    let stolen = world.refresh(&first.refresh).await.is(StatusCode::UNAUTHORIZED);
    stolen.problem("refresh_token_reused");
    let ended = world.refresh(&third.refresh).await.is(StatusCode::UNAUTHORIZED);
    ended.problem("refresh_token_invalid");
    third.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
}

async fn signing_out_ends_one_device_and_signing_out_everywhere_all(world: &World) {
    let (tv, phone) = (world.household("ada").await, world.sign_in("ada").await);
    let other = world.household("bob").await;
    tv.delete("/v1/sessions/current").await.is(StatusCode::NO_CONTENT);
    tv.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
    tv.delete("/v1/sessions").await.is(StatusCode::UNAUTHORIZED);
    world.refresh(&tv.refresh).await.is(StatusCode::UNAUTHORIZED);
    phone.get("/v1/account").await.is(StatusCode::OK);
    phone.delete("/v1/sessions").await.is(StatusCode::NO_CONTENT);
    phone.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
    world.refresh(&phone.refresh).await.is(StatusCode::UNAUTHORIZED);
    other.get("/v1/account").await.is(StatusCode::OK);
    world.sign_in("ada").await.get("/v1/account").await.is(StatusCode::OK);
}

async fn an_operator_can_sign_an_account_out(world: &World) {
    let device = world.household("ada").await;
    let output = world.run(&["account", "sign-out", "ada@example.org"]);
    assert!(output.status.success(), "{output:?}");
    device.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
    let output = world.run(&["account", "sign-out", "nobody@example.org"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no account of nobody@example.org"));
}

async fn the_published_keys_are_those_that_sign(world: &World) {
    let device = world.household("ada").await;
    let header = device.access.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&BASE64URL.decode(header).unwrap()).unwrap();
    assert_eq!(header["alg"], "EdDSA");
    let keys = world.get("/.well-known/jwks.json").await.is(StatusCode::OK).json();
    let key = &keys["keys"][0];
    assert_eq!(key["kid"], header["kid"]);
    assert_eq!(key["crv"], "Ed25519");
    assert!(key.get("d").is_none(), "the secret half stays");
    let (signed, signature) = device.access.rsplit_once('.').unwrap();
    let public = BASE64URL.decode(key["x"].as_str().unwrap()).unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
        .verify(signed.as_bytes(), &BASE64URL.decode(signature).unwrap())
        .unwrap();
}

/// With the log at its most talkative.
async fn no_secret_is_in_the_log(world: &World) {
    let device = world.household("ada").await;
    world.try_sign_in("ada", "wrong-password-1").await.is(StatusCode::UNAUTHORIZED);
    let malformed = json!({"email": "ada@example.org", "password": ["wrong-password-2"]});
    world.post("/v1/sessions", malformed).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let next = Device::of(world, world.refresh(&device.refresh).await);
    let codes = world.form("/v1/device/code", &[("client_id", "Television")]).await.json();
    let code = |name: &str| codes[name].as_str().unwrap().to_owned();
    let (device_code, user_code) = (code("device_code"), code("user_code"));
    next.get(&format!("/v1/device/codes/{user_code}")).await.is(StatusCode::OK);
    next.post(&format!("/v1/device/codes/{user_code}"), json!({"approve": true})).await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let question = [("grant_type", grant), ("device_code", device_code.as_str())];
    let television = Device::of(world, world.form("/v1/device/token", &question).await);
    let keys = std::fs::read(world.data.path().join("secrets/access-keys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let marked = next.get("/v1/account?marked=in-the-query").await.is(StatusCode::OK);
    let id = marked.headers["x-request-id"].to_str().unwrap().to_owned();
    while !world.log().contains(&id) {
        tokio::task::yield_now().await;
    }
    let log = world.log();
    assert!(log.contains("/v1/sessions/refresh"), "the log tells of these requests");
    for secret in [
        PASSWORD,
        "wrong-password-1",
        "wrong-password-2",
        "in-the-query",
        &device.access,
        &device.refresh,
        &next.access,
        &next.refresh,
        "ada@example.org",
        "argon2id",
        &device_code,
        &user_code,
        &user_code.replace('-', ""),
        &television.access,
        &television.refresh,
        keys["keys"][0]["seed"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[tokio::test]
async fn an_access_token_lives_ten_minutes_and_a_refresh_token_thirty_days() {
    let world = World::inside(Config::default()).await;
    let device = world.household("ada").await;
    world.clock.advance(600);
    device.get("/v1/account").await.is(StatusCode::OK);
    world.clock.advance(10);
    device.get("/v1/account").await.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
    world.clock.advance(29 * 86_400);
    let device = Device::of(&world, world.refresh(&device.refresh).await.is(StatusCode::OK));
    device.get("/v1/account").await.is(StatusCode::OK);
    world.clock.advance(30 * 86_400);
    world.refresh(&device.refresh).await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn after_the_grace_a_retry_is_a_theft() {
    let world = World::inside(Config::default()).await;
    let first = world.household("ada").await;
    let second = Device::of(&world, world.refresh(&first.refresh).await.is(StatusCode::OK));
    world.clock.advance(GRACE);
    let stolen = world.refresh(&first.refresh).await.is(StatusCode::UNAUTHORIZED);
    stolen.problem("refresh_token_reused");
    world.refresh(&second.refresh).await.is(StatusCode::UNAUTHORIZED);
}

/// What the service has answered is so, whatever happens to its process right after.
#[tokio::test]
async fn what_was_answered_survives_the_process() {
    for mut world in [World::in_one_process().await, World::each_role_in_its_own().await] {
        world.import();
        let device = world.household("ada").await;
        let gone = world.sign_in("ada").await;
        let first = device.refresh.clone();
        let refreshed = Device::of(&world, world.refresh(&first).await.is(StatusCode::OK));
        let viewer = refreshed.viewing().await;
        let stopped = viewer.put("/v1/positions/bunny", json!({"seconds": 77})).await;
        stopped.is(StatusCode::NO_CONTENT);
        gone.delete("/v1/sessions/current").await.is(StatusCode::NO_CONTENT);
        let (next, access, gone) = (refreshed.refresh, viewer.access, gone.refresh);
        world = world.killed_and_restarted();
        let viewer = Device { world: &world, access, refresh: next.clone() };
        let begun = viewer.get("/v1/continue-watching").await.is(StatusCode::OK).json();
        assert_eq!(begun[0]["position_seconds"], 77);
        let retried = Device::of(&world, world.refresh(&first).await.is(StatusCode::OK));
        assert_eq!(retried.refresh, next, "within the grace");
        world.refresh(&gone).await.is(StatusCode::UNAUTHORIZED);
        world.refresh(&next).await.is(StatusCode::OK);
        world.refresh(&first).await.is(StatusCode::UNAUTHORIZED).problem("refresh_token_reused");
    }
}
