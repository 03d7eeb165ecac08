//! Opening and closing accounts.

use crate::{
    suite,
    world::{Answer, PASSWORD, World},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

suite! {
    an_account_is_opened_and_signed_in_to
    opening_an_account_does_not_tell_whether_there_is_one
    a_new_password_signs_every_device_out
    a_closed_account_is_gone
    a_password_that_is_too_short_is_named
}

async fn an_account_is_opened_and_signed_in_to(world: &World) {
    let device = world.household("ada").await;
    let account = device.get("/v1/account").await.is(StatusCode::OK).json();
    assert_eq!(account["email"], "ada@example.org");
    assert_eq!(account["region"], "DE");
    assert_eq!(account["admin"], false);
    let profiles = device.get("/v1/profiles").await.json();
    assert_eq!(profiles[0]["name"], "ada");
    assert_eq!(profiles[0]["kids"], false);
    let capitals = json!({"email": "ADA@Example.org", "password": PASSWORD});
    world.post("/v1/sessions", capitals).await.is(StatusCode::OK);
}

async fn opening_an_account_does_not_tell_whether_there_is_one(world: &World) {
    world.household("ada").await;
    let again = json!({
        "email": "Ada@example.org", "password": "another password", "region": "FR",
        "profile_name": "x", "language": "fr",
    });
    let taken = world.post("/v1/accounts", again.clone()).await.is(StatusCode::ACCEPTED);
    let mut fresh = again;
    fresh["email"] = "bob@example.org".into();
    let free = world.post("/v1/accounts", fresh).await.is(StatusCode::ACCEPTED);
    assert_eq!(taken.body, free.body);
    let names = |answer: &Answer| {
        answer.headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&taken), names(&free));
    let refused = world.try_sign_in("ada", "another password").await;
    refused.is(StatusCode::UNAUTHORIZED).problem("wrong_credentials");
    let device = world.sign_in("ada").await;
    assert_eq!(device.get("/v1/account").await.json()["region"], "DE", "it is as it was");
}

async fn a_new_password_signs_every_device_out(world: &World) {
    let (tv, phone) = (world.household("ada").await, world.sign_in("ada").await);
    let change = |current: &str| json!({"current": current, "new": "a new password"});
    let wrong = phone.post("/v1/account/password", change("wrong password")).await;
    wrong.is(StatusCode::UNAUTHORIZED).problem("wrong_credentials");
    let changed = phone.post("/v1/account/password", change(PASSWORD)).await;
    changed.is(StatusCode::NO_CONTENT);
    for device in [&tv, &phone] {
        let refused = device.get("/v1/account").await.is(StatusCode::UNAUTHORIZED);
        refused.problem("unauthenticated");
        let refused = world.refresh(&device.refresh).await.is(StatusCode::UNAUTHORIZED);
        refused.problem("refresh_token_invalid");
    }
    world.try_sign_in("ada", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    world.try_sign_in("ada", "a new password").await.is(StatusCode::OK);
}

async fn a_closed_account_is_gone(world: &World) {
    let device = world.household("ada").await;
    let wrong = device.post("/v1/account/close", json!({"password": "wrong password"})).await;
    wrong.is(StatusCode::UNAUTHORIZED);
    let closed = device.post("/v1/account/close", json!({"password": PASSWORD})).await;
    closed.is(StatusCode::NO_CONTENT);
    device.ask(Method::GET, "/v1/account", None).await.is(StatusCode::UNAUTHORIZED);
    world.refresh(&device.refresh).await.is(StatusCode::UNAUTHORIZED);
    world.try_sign_in("ada", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    world.household("ada").await;
}

async fn a_password_that_is_too_short_is_named(world: &World) {
    let device = world.household("ada").await;
    let change = json!({"current": PASSWORD, "new": "short"});
    let refused = device.post("/v1/account/password", change).await;
    let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY).problem("invalid_value");
    assert_eq!(refused["pointer"], "/new");
    let open = json!({
        "email": "bob@example.org", "password": "short", "region": "DE",
        "profile_name": "Bob", "language": "de",
    });
    let refused = world.post("/v1/accounts", open).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.problem("invalid_value")["pointer"], "/password");
}
