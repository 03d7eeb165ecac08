//! Profiles, and what they may do.

use crate::{
    suite,
    world::{Device, World},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

suite! {
    profiles_are_added_changed_and_removed
    a_household_has_five_profiles
    a_child_cannot_change_what_it_may_see
    another_households_profiles_do_not_exist
    a_device_keeps_to_its_profile
}

async fn profiles_are_added_changed_and_removed(world: &World) {
    let device = world.household("ada").await;
    let added = json!({"name": "Bo", "kids": true, "language": "sv"});
    let bo = device.post("/v1/profiles", added).await.is(StatusCode::CREATED).json();
    assert_eq!(bo["maturity_limit"], 7, "a child's limit where none is named");
    let path = format!("/v1/profiles/{}", bo["id"].as_str().unwrap());
    assert_eq!(device.get(&path).await.is(StatusCode::OK).json(), bo);
    let change = json!({"name": "Bosse", "maturity_limit": 12});
    let changed = device.ask(Method::PATCH, &path, Some(change)).await.is(StatusCode::OK).json();
    assert_eq!(changed["name"], "Bosse");
    assert_eq!(changed["maturity_limit"], 12);
    assert_eq!(changed["language"], "sv", "what is not named stays");
    let beyond = json!({"maturity_limit": 16});
    let refused = device.ask(Method::PATCH, &path, Some(beyond)).await;
    let problem = refused.is(StatusCode::CONFLICT).problem("conflict");
    assert_eq!(problem["pointer"], "/maturity_limit");
    device.delete(&path).await.is(StatusCode::NO_CONTENT);
    device.get(&path).await.is(StatusCode::NOT_FOUND).problem("not_found");
    device.delete(&path).await.is(StatusCode::NOT_FOUND);
}

async fn a_household_has_five_profiles(world: &World) {
    let device = world.household("ada").await;
    let profile = || json!({"name": "another", "language": "de"});
    for _ in 0..4 {
        device.post("/v1/profiles", profile()).await.is(StatusCode::CREATED);
    }
    let refused = device.post("/v1/profiles", profile()).await.is(StatusCode::CONFLICT);
    refused.problem("too_many_profiles");
    assert_eq!(device.profiles().await.len(), 5);
}

async fn a_child_cannot_change_what_it_may_see(world: &World) {
    let parent = world.household("ada").await;
    let added = json!({"name": "Bo", "kids": true, "language": "sv"});
    let bo = parent.post("/v1/profiles", added).await.json()["id"].as_str().unwrap().to_owned();
    let child = parent.acting_as(&bo).await;
    let path = format!("/v1/profiles/{bo}");
    child.get(&path).await.is(StatusCode::OK);
    let grow = json!({"kids": false, "maturity_limit": 18});
    for refused in [
        child.ask(Method::PATCH, &path, Some(grow)).await,
        child.delete(&path).await,
        child.post("/v1/profiles", json!({"name": "x", "language": "de"})).await,
        child.get("/v1/account").await,
        child.post("/v1/account/close", json!({"password": crate::world::PASSWORD})).await,
        child.get("/v1/device/codes/BCDF-GHJK").await,
        child.post("/v1/device/codes/BCDF-GHJK", json!({"approve": true})).await,
    ] {
        refused.is(StatusCode::FORBIDDEN).problem("forbidden");
    }
}

async fn another_households_profiles_do_not_exist(world: &World) {
    let (ada, bob) = (world.household("ada").await, world.household("bob").await);
    let theirs = format!("/v1/profiles/{}", bob.profiles().await[0]);
    let change = Some(json!({"name": "mine"}));
    for refused in [
        ada.get(&theirs).await,
        ada.ask(Method::PATCH, &theirs, change).await,
        ada.delete(&theirs).await,
        ada.ask(Method::POST, &format!("{theirs}/select"), None).await,
    ] {
        refused.is(StatusCode::NOT_FOUND).problem("not_found");
    }
    assert_eq!(bob.get(&theirs).await.is(StatusCode::OK).json()["name"], "bob");
}

async fn a_device_keeps_to_its_profile(world: &World) {
    let device = world.household("ada").await;
    let profile = device.profiles().await[0].clone();
    let tokens = world.refresh(&device.refresh).await.json();
    assert_eq!(tokens["profile_id"], serde_json::Value::Null);
    let device = Device::of(world, world.refresh(&device.refresh).await.is(StatusCode::OK));
    device.acting_as(&profile).await;
    let tokens = world.refresh(&device.refresh).await.is(StatusCode::OK);
    assert_eq!(tokens.json()["profile_id"], profile);
    let device = Device::of(world, tokens);
    device.delete(&format!("/v1/profiles/{profile}")).await.is(StatusCode::NO_CONTENT);
    let tokens = world.refresh(&device.refresh).await.is(StatusCode::OK).json();
    assert_eq!(tokens["profile_id"], serde_json::Value::Null, "it is gone");
}
