//! A profile's first page.

use crate::{
    suite,
    world::{Device, World},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

suite! {
    a_page_says_why_and_follows_what_is_watched
    a_child_and_a_newcomer_have_pages_of_their_own
    what_is_taken_away_is_gone_at_once
    a_model_is_swapped_and_rolled_back_while_requests_go_on
    without_a_model_there_is_a_page_all_the_same
}

/// A household with films, an audience and a model.
async fn seeded(world: &World) -> Device<'_> {
    let media = json!({"duration_seconds": 600, "hls": "/film/master.m3u8"}).to_string();
    let arguments = ["seed", "--admin", "--viewers", "500", "--media", &media, "--json"];
    let seeded = run(world, &arguments).await;
    let credentials = json!({"email": seeded["email"], "password": seeded["password"]});
    let answer = world.post("/v1/sessions", credentials).await.is(StatusCode::OK);
    let device = Device::of(world, answer);
    let model = seeded["model"].as_str().unwrap().to_owned();
    let robin = device.acting_as(seeded["profiles"]["Robin"].as_str().unwrap()).await;
    until_model(&robin, &model).await;
    robin
}

/// Runs the program beside the service, and goes on with other things meanwhile: connections that are kept notice when
/// the service closes them.
async fn run(world: &World, arguments: &[&str]) -> Value {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    let command = command.args(arguments).env("KINORA_DATA", world.data.path());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asks until the process has taken over a model, which it does every two seconds.
async fn until_model(device: &Device<'_>, model: &str) -> Value {
    for _ in 0..1000 {
        let page = page(device).await;
        if page["model"] == model {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{model} is not taken over");
}

async fn page(device: &Device<'_>) -> Value {
    device.get("/v1/rows").await.is(StatusCode::OK).json()
}

fn row<'a>(page: &'a Value, id: &str) -> Option<&'a Value> {
    page["rows"].as_array().unwrap().iter().find(|row| row["id"] == id)
}

fn titles(row: &Value) -> Vec<&str> {
    row["titles"].as_array().unwrap().iter().map(|title| title["id"].as_str().unwrap()).collect()
}

async fn a_page_says_why_and_follows_what_is_watched(world: &World) {
    let robin = seeded(world).await;
    let before = page(&robin).await;
    let begun = row(&before, "continue-watching").unwrap();
    assert_eq!(titles(begun), ["the-gold-rush", "detour"]);
    assert_eq!(begun["started"][0]["position_seconds"], 360);
    assert_eq!(titles(row(&before, "my-list").unwrap()), ["nosferatu", "charade"]);
    let because = row(&before, "because-sherlock-jr").unwrap();
    assert_eq!(
        because["reason"],
        json!({"kind": "because_you_watched", "title_id": "sherlock-jr", "title_name": "Sherlock Jr."})
    );
    let for_you = titles(row(&before, "for-you").unwrap());
    assert!(!for_you.contains(&"metropolis"), "it was watched");
    let comedy = |title: &&Value| title["genres"].as_array().unwrap().contains(&json!("comedy"));
    let comedies = because["titles"].as_array().unwrap().iter().filter(comedy).count();
    assert!(comedies >= 3, "{because}");
    // Watched a moment ago: it leads somewhere else at once, and is not recommended any more.
    let told = json!({"sent_at_ms": crate::events::now_ms(), "events": [{
        "event_id": "w", "at_ms": crate::events::now_ms(), "type": "playback_ended", "playback_id": "p",
        "item_id": "carnival-of-souls", "position_seconds": 600, "watched_ms": 600_000, "reason": "finished",
    }]});
    robin.post("/v1/events", told).await.is(StatusCode::OK);
    let after = page(&robin).await;
    assert!(row(&after, "because-carnival-of-souls").is_some(), "{after}");
    let shown: Vec<&str> = after["rows"].as_array().unwrap().iter().flat_map(titles).collect();
    assert!(
        !shown.contains(&"carnival-of-souls")
            || titles(row(&after, "my-list").unwrap()).contains(&"carnival-of-souls")
    );
    robin
        .put("/v1/ratings/carnival-of-souls", json!({"rating": "down"}))
        .await
        .is(StatusCode::NO_CONTENT);
    assert!(row(&page(&robin).await, "because-carnival-of-souls").is_none(), "it was not liked");
}

async fn a_child_and_a_newcomer_have_pages_of_their_own(world: &World) {
    let robin = seeded(world).await;
    let profiles = robin.get("/v1/profiles").await.json();
    let kim = profiles.as_array().unwrap().iter().find(|profile| profile["name"] == "Kim").unwrap();
    let kim = robin.acting_as(kim["id"].as_str().unwrap()).await;
    let childs = page(&kim).await;
    let shown: Vec<&Value> = childs["rows"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row["titles"].as_array().unwrap())
        .collect();
    assert!(shown.len() > 10);
    assert!(shown.iter().all(|title| title["maturity"].as_u64().unwrap() <= 6), "{childs}");
    assert!(row(&childs, "for-you").is_some());

    let newcomer = world.household("new").await.viewing().await;
    let theirs = page(&newcomer).await;
    assert!(row(&theirs, "trending").is_some() && row(&theirs, "for-you").is_none());
    assert!(row(&theirs, "genre-comedy").is_some(), "{theirs}");
    assert!(row(&theirs, "continue-watching").is_none(), "nothing of another account");
    let account = world.sign_in("new").await;
    account.get("/v1/rows").await.is(StatusCode::FORBIDDEN).problem("profile_required");
    world.get("/v1/rows").await.is(StatusCode::UNAUTHORIZED).problem("unauthenticated");
}

async fn what_is_taken_away_is_gone_at_once(world: &World) {
    let robin = seeded(world).await;
    let admin = Device::of(
        world,
        world
            .post("/v1/sessions", json!({"email": "demo@example.org", "password": "watch a film"}))
            .await,
    );
    let before = page(&robin).await;
    let best = titles(row(&before, "for-you").unwrap())[0].to_owned();
    let next = titles(row(&before, "for-you").unwrap())[1].to_owned();
    let path = format!("/v1/admin/titles/{best}");
    let mut title = admin.get(&path).await.is(StatusCode::OK).json();
    title["availability"] = json!([{"regions": ["JP"]}]);
    admin.put(&path, title).await.is(StatusCode::OK);
    admin.delete(&format!("/v1/admin/titles/{next}")).await.is(StatusCode::NO_CONTENT);
    let after = page(&robin).await;
    let shown: BTreeSet<&str> = after["rows"].as_array().unwrap().iter().flat_map(titles).collect();
    assert!(!shown.contains(best.as_str()) && !shown.contains(next.as_str()), "{shown:?}");
}

async fn a_model_is_swapped_and_rolled_back_while_requests_go_on(world: &World) {
    let robin = seeded(world).await;
    let first = page(&robin).await["model"].as_str().unwrap().to_owned();
    let data = world.data.path().to_str().unwrap();
    let trained = run(world, &["recommend", "train", "--data", data, "--json"]).await;
    let second = trained["version"].as_str().unwrap();
    assert_ne!(first, second);
    until_model(&robin, second).await;

    robin.get("/v1/admin/models").await.is(StatusCode::OK);
    let viewer = world.household("ada").await.viewing().await;
    viewer.get("/v1/admin/models").await.is(StatusCode::FORBIDDEN).problem("forbidden");
    viewer.ask(Method::POST, "/v1/admin/models/rollback", None).await.is(StatusCode::FORBIDDEN);
    let back = robin.ask(Method::POST, "/v1/admin/models/rollback", None).await;
    assert_eq!(back.is(StatusCode::OK).json()["version"], first);
    assert_eq!(page(&robin).await["model"], first);
    let none = robin.ask(Method::POST, "/v1/admin/models/rollback", None).await;
    none.is(StatusCode::CONFLICT).problem("conflict");
    let versions = robin.get("/v1/admin/models").await.json();
    let current: Vec<_> =
        versions.as_array().unwrap().iter().map(|one| one["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false]);
}

async fn without_a_model_there_is_a_page_all_the_same(world: &World) {
    let ada = world.household("ada").await.viewing().await;
    assert_eq!(page(&ada).await, json!({"model": null, "rows": []}));
    world.import();
    ada.put("/v1/my-list/bunny", json!({})).await.is(StatusCode::NO_CONTENT);
    let theirs = page(&ada).await;
    assert_eq!(theirs["model"], Value::Null);
    assert_eq!(titles(row(&theirs, "my-list").unwrap()), ["bunny"]);
    assert!(titles(row(&theirs, "new").unwrap()).contains(&"sintel"));
    assert!(row(&theirs, "genre-animation").is_some());
}
