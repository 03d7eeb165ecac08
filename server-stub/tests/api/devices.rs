//! A television signs in.

use crate::{
    suite,
    world::{Answer, Device, World},
};
use kinora_server::auth::Config;
use reqwest::StatusCode;
use serde_json::{Value, json};

suite! {
    a_television_signs_in_with_a_code
    a_television_that_is_refused_stays_out
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(world: &World) -> Value {
    let answer = world.form("/v1/device/code", &[("client_id", "Television")]).await;
    answer.is(StatusCode::OK).json()
}

async fn ask(world: &World, codes: &Value) -> Answer {
    let code = codes["device_code"].as_str().unwrap();
    world.form("/v1/device/token", &[("grant_type", GRANT), ("device_code", code)]).await
}

fn path(codes: &Value) -> String {
    format!("/v1/device/codes/{}", codes["user_code"].as_str().unwrap().to_lowercase())
}

async fn a_television_signs_in_with_a_code(world: &World) {
    let codes = begin(world).await;
    assert_eq!(codes["interval"], 5);
    let complete = codes["verification_uri_complete"].as_str().unwrap();
    assert!(complete.ends_with(codes["user_code"].as_str().unwrap()));
    let phone = world.household("ada").await;
    let shown = phone.get(&path(&codes)).await.is(StatusCode::OK).json();
    assert_eq!(shown["client_id"], "Television");
    let approved = phone.post(&path(&codes), json!({"approve": true})).await;
    approved.is(StatusCode::NO_CONTENT);
    let television = Device::of(world, ask(world, &codes).await.is(StatusCode::OK));
    let account = television.get("/v1/account").await.is(StatusCode::OK).json();
    assert_eq!(account["email"], "ada@example.org");
    let again = ask(world, &codes).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(again.problem("invalid_grant")["error"], "invalid_grant");
}

async fn a_television_that_is_refused_stays_out(world: &World) {
    let codes = begin(world).await;
    let phone = world.household("ada").await;
    phone.post(&path(&codes), json!({"approve": false})).await.is(StatusCode::NO_CONTENT);
    let refused = ask(world, &codes).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.problem("access_denied")["error"], "access_denied");
    let other = [("grant_type", "password"), ("device_code", "x")];
    let refused = world.form("/v1/device/token", &other).await.is(StatusCode::BAD_REQUEST);
    assert_eq!(refused.problem("unsupported_grant_type")["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn a_television_waits_and_is_told_how() {
    let world = World::inside(Config::default()).await;
    let codes = begin(&world).await;
    let error =
        async || ask(&world, &codes).await.is(StatusCode::BAD_REQUEST).json()["error"].clone();
    assert_eq!(error().await, "authorization_pending");
    assert_eq!(error().await, "slow_down");
    world.clock.advance(10);
    assert_eq!(error().await, "authorization_pending");
    world.clock.advance(600);
    assert_eq!(error().await, "expired_token");
}

#[tokio::test]
async fn codes_cannot_be_guessed_at_leisure() {
    let world = World::inside(Config::default()).await;
    let thief = world.household("eve").await;
    for _ in 0..10 {
        thief.get("/v1/device/codes/BCDF-GHJK").await.is(StatusCode::NOT_FOUND);
    }
    let limited = thief.get("/v1/device/codes/BCDF-GHJK").await;
    let limited = limited.is(StatusCode::TOO_MANY_REQUESTS);
    limited.problem("too_many_requests");
    let decide = thief.post("/v1/device/codes/BCDF-GHJK", json!({"approve": true})).await;
    decide.is(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn signing_out_everywhere_also_ends_what_was_approved_before() {
    let world = World::inside(Config::default()).await;
    let codes = begin(&world).await;
    let phone = world.household("ada").await;
    phone.post(&path(&codes), json!({"approve": true})).await.is(StatusCode::NO_CONTENT);
    phone.delete("/v1/sessions").await.is(StatusCode::NO_CONTENT);
    ask(&world, &codes).await.is(StatusCode::BAD_REQUEST).problem("access_denied");
}
