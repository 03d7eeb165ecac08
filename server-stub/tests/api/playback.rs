//! Playing.

use crate::{
    suite,
    world::{Device, World},
};
use kinora_server::auth::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

suite! {
    a_film_begins_where_it_stopped
    two_devices_play_and_a_third_does_not
    a_device_that_makes_no_sense_plays_nothing
    what_may_not_be_seen_does_not_play
    another_accounts_playback_does_not_exist
}

async fn play(device: &Device<'_>, item: &str) -> Value {
    let answer = device.ask(Method::POST, &format!("/v1/playback/{item}"), None).await;
    answer.is(StatusCode::CREATED).json()
}

async fn heartbeat(device: &Device<'_>, playback: &Value, seconds: u32) -> StatusCode {
    let id = playback["playback_id"].as_str().unwrap();
    let body = json!({"position_seconds": seconds});
    device.post(&format!("/v1/playbacks/{id}/heartbeat"), body).await.status
}

fn path(playback: &Value) -> String {
    format!("/v1/playbacks/{}", playback["playback_id"].as_str().unwrap())
}

async fn a_film_begins_where_it_stopped(world: &World) {
    world.import();
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny").await;
    assert_eq!(playback["hls"], "/film/master.m3u8");
    assert_eq!(playback["dash"], "/film/manifest.mpd");
    assert_eq!(playback["resume_seconds"], 0);
    assert_eq!(heartbeat(&device, &playback, 123).await, StatusCode::NO_CONTENT);
    device.delete(&path(&playback)).await.is(StatusCode::NO_CONTENT);
    assert_eq!(heartbeat(&device, &playback, 130).await, StatusCode::NOT_FOUND);
    let begun = device.get("/v1/continue-watching").await.is(StatusCode::OK).json();
    assert_eq!(begun[0]["position_seconds"], 123);
    assert_eq!(play(&device, "bunny").await["resume_seconds"], 123);
    let episode = play(&device, "show-1-2").await;
    assert_eq!(episode["title_id"], "show");
    assert_eq!(heartbeat(&device, &episode, 100).await, StatusCode::NO_CONTENT);
    assert_eq!(play(&device, "show-1-2").await["resume_seconds"], 0, "it was at its end");
}

async fn a_device_that_makes_no_sense_plays_nothing(world: &World) {
    let device = world.household("ada").await.viewing().await;
    for (claims, pointer) in [
        (json!({"max_height": 0}), "/device/max_height"),
        (json!({"codecs": vec!["avc1"; 17]}), "/device/codecs"),
    ] {
        let answer = device.post("/v1/playback/bunny", json!({"device": claims})).await;
        let problem = answer.is(StatusCode::UNPROCESSABLE_ENTITY).problem("invalid_value");
        assert_eq!(problem["pointer"], pointer);
    }
    let playing = device.get("/v1/playbacks").await.is(StatusCode::OK).json();
    assert_eq!(playing, json!([]), "and takes nobody's place");
}

async fn two_devices_play_and_a_third_does_not(world: &World) {
    world.import();
    let tv = world.household("ada").await.viewing().await;
    let phone = world.sign_in("ada").await.viewing().await;
    let tablet = world.sign_in("ada").await.viewing().await;
    let on_tv = play(&tv, "bunny").await;
    play(&phone, "sintel").await;
    let refused = tablet.ask(Method::POST, "/v1/playback/bunny", None).await;
    refused.is(StatusCode::CONFLICT).problem("too_many_streams");
    let again = play(&tv, "sintel").await; // the same device, something else
    assert_eq!(heartbeat(&tv, &on_tv, 1).await, StatusCode::NOT_FOUND);
    assert_eq!(heartbeat(&tv, &again, 1).await, StatusCode::NO_CONTENT);
    assert_eq!(heartbeat(&phone, &again, 1).await, StatusCode::NOT_FOUND, "not its own");
    let playing = tablet.get("/v1/playbacks").await.is(StatusCode::OK).json();
    assert_eq!(playing.as_array().unwrap().len(), 2);
    tablet.delete(&path(&again)).await.is(StatusCode::NO_CONTENT);
    play(&tablet, "bunny").await;
    assert_eq!(heartbeat(&tv, &again, 2).await, StatusCode::NOT_FOUND);
}

async fn what_may_not_be_seen_does_not_play(world: &World) {
    world.import();
    let parent = world.household("ada").await.viewing().await;
    let child = parent.child().await;
    for (device, item) in [
        (&child, "sintel"),
        (&child, "show-2-1"),
        (&parent, "announced"),
        (&parent, "show"),
        (&parent, "show-2-2"),
        (&parent, "missing"),
    ] {
        let refused = device.ask(Method::POST, &format!("/v1/playback/{item}"), None).await;
        refused.is(StatusCode::NOT_FOUND).problem("not_found");
    }
    play(&child, "show-1-1").await;
    let playback = play(&parent, "sintel").await;
    // The same device, handed to the child meanwhile.
    assert_eq!(heartbeat(&child, &playback, 9).await, StatusCode::NOT_FOUND);
    assert_eq!(heartbeat(&parent, &playback, 9).await, StatusCode::NO_CONTENT);
}

async fn another_accounts_playback_does_not_exist(world: &World) {
    world.import();
    let ada = world.household("ada").await.viewing().await;
    let bob = world.household("bob").await.viewing().await;
    let playback = play(&ada, "bunny").await;
    assert_eq!(heartbeat(&bob, &playback, 9).await, StatusCode::NOT_FOUND);
    bob.delete(&path(&playback)).await.is(StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/v1/playbacks").await.json(), json!([]));
    assert_eq!(bob.get("/v1/continue-watching").await.json(), json!([]));
    assert_eq!(heartbeat(&ada, &playback, 9).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_device_that_falls_silent_gives_its_place_up() {
    let world = World::inside(Config::default()).await;
    world.import();
    let mut devices = vec![world.household("ada").await.viewing().await];
    for _ in 0..2 {
        devices.push(world.sign_in("ada").await.viewing().await);
    }
    let first = play(&devices[0], "bunny").await;
    let second = play(&devices[1], "bunny").await;
    world.clock.advance(60);
    assert_eq!(heartbeat(&devices[0], &first, 60).await, StatusCode::NO_CONTENT);
    let refused = devices[2].ask(Method::POST, "/v1/playback/bunny", None).await;
    refused.is(StatusCode::CONFLICT);
    world.clock.advance(30);
    play(&devices[2], "bunny").await;
    assert_eq!(heartbeat(&devices[1], &second, 90).await, StatusCode::NOT_FOUND);
    assert_eq!(heartbeat(&devices[0], &first, 90).await, StatusCode::NO_CONTENT);
}

/// What is refused keeps nobody else from playing.
#[tokio::test]
async fn a_heartbeat_that_is_refused_keeps_no_place() {
    let world = World::inside(Config::default()).await;
    world.import();
    let parent = world.household("ada").await.viewing().await;
    let child = parent.child().await;
    let playback = play(&parent, "sintel").await;
    for _ in 0..3 {
        world.clock.advance(30);
        assert_eq!(heartbeat(&child, &playback, 9).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(parent.get("/v1/playbacks").await.is(StatusCode::OK).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_devices_that_start_at_once_two_play() {
    let world = World::inside(Config::default()).await;
    world.import();
    let mut devices = vec![world.household("ada").await.viewing().await];
    for _ in 0..7 {
        devices.push(world.sign_in("ada").await.viewing().await);
    }
    let starts = devices.iter().map(|device| device.ask(Method::POST, "/v1/playback/bunny", None));
    let answers = futures_util::future::join_all(starts).await;
    let playing = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT).count();
    assert_eq!((playing, refused), (2, 6));
}
