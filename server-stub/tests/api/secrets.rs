//! Keys that an operator keeps elsewhere, and rotates.

use crate::{delivery, world::World};
use kinora_server::{
    clock::Clock,
    token::cat::{DeliveryKeys, Grant},
};
use reqwest::StatusCode;
use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// Keys as the program makes them.
struct Made {
    directory: tempfile::TempDir,
    access: String,
    delivery: String,
}

fn made() -> Made {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["keys", "rotate"]);
    assert!(output.status.success(), "{output:?}");
    let read =
        |name: &str| fs::read_to_string(directory.path().join("secrets").join(name)).unwrap();
    let (access, delivery) = (read("access-keys.json"), read("delivery-keys.json"));
    Made { directory, access, delivery }
}

fn run(data: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    command.args(arguments).env("KINORA_DATA", data).output().unwrap()
}

/// The member of each key.
fn members(keys: &str, name: &str) -> Vec<String> {
    let keys: Value = serde_json::from_str(keys).unwrap();
    let member = |key: &Value| key[name].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().map(member).collect()
}

/// Signs with the keys that it was given, has no others, and keeps them to itself.
async fn uses(world: &World, made: &Made) {
    delivery::library(world, &["bunny"]);
    let device = world.household("ada").await.viewing().await;
    let published = world.get("/.well-known/jwks.json").await.is(StatusCode::OK).body;
    assert_eq!(members(&published, "kid"), members(&made.access, "kid"));
    let playback = delivery::play(&device, "bunny", None).await;
    let manifest = playback["hls"].as_str().unwrap();
    world.get(manifest).await.is(StatusCode::OK);
    let keys = DeliveryKeys::given(&made.delivery, Clock::default()).unwrap();
    let token = manifest.split('/').nth(2).unwrap();
    let Grant { playback: signed, .. } = keys.verify(token).unwrap();
    assert_eq!(signed.to_string(), playback["playback_id"].as_str().unwrap());
    for name in ["access-keys.json", "delivery-keys.json"] {
        assert!(!world.data.path().join("secrets").join(name).exists(), "{name}");
    }
    let log = world.log();
    for seed in [members(&made.access, "seed"), members(&made.delivery, "seed")].concat() {
        assert!(!log.contains(&seed));
    }
}

#[tokio::test]
async fn keys_come_from_the_environment() {
    let made = made();
    let environment = [
        ("KINORA_SIGNING_KEYS", made.access.as_str()),
        ("KINORA_DELIVERY_KEYS", made.delivery.as_str()),
    ];
    uses(&World::in_one_process_with(&[], &environment), &made).await;
    uses(&World::each_role_in_its_own_with(&[], &environment), &made).await;
}

#[tokio::test]
async fn keys_come_from_files() {
    let made = made();
    let file = |name: &str| {
        let path = made.directory.path().join("secrets").join(name);
        path.to_str().unwrap().to_owned()
    };
    let (access, delivery) = (file("access-keys.json"), file("delivery-keys.json"));
    let arguments = ["--signing-keys", access.as_str(), "--delivery-keys", delivery.as_str()];
    uses(&World::in_one_process_with(&arguments, &[]), &made).await;
    let environment = [
        ("KINORA_SIGNING_KEYS_FILE", access.as_str()),
        ("KINORA_DELIVERY_KEYS_FILE", delivery.as_str()),
    ];
    uses(&World::in_one_process_with(&[], &environment), &made).await;
}

/// What is wrong with keys is told without them.
#[test]
fn keys_that_are_none_are_refused_and_not_shown() {
    let data = tempfile::tempdir().unwrap();
    let half = r#"{"keys": [{"kid": "1", "seed": "canary-of-a-seed", "created_at": 1}]}"#;
    for variable in ["KINORA_SIGNING_KEYS", "KINORA_DELIVERY_KEYS"] {
        for text in [half, "canary-of-a-key", "", r#"{"keys": []}"#] {
            let output = Command::new(env!("CARGO_BIN_EXE_kinora-server"))
                .args(["serve", "--listen", "127.0.0.1:0", "--data"])
                .arg(data.path())
                .env(variable, text)
                .output()
                .unwrap();
            assert!(!output.status.success(), "{variable} {text}");
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8_lossy(&told);
            assert!(told.contains("keys"), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
        let missing = data.path().join("missing.json");
        let output = Command::new(env!("CARGO_BIN_EXE_kinora-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env(format!("{variable}_FILE"), &missing)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("missing.json"), "{output:?}");
        assert!(!output.status.success());
    }
}

#[tokio::test]
async fn a_rotation_adds_a_key_and_a_theft_ends_every_token() {
    let mut world = World::in_one_process().await;
    let (access, refresh) = {
        let device = world.household("ada").await;
        (device.access, device.refresh)
    };
    let account = async |world: &World, access: &str| {
        let request = world.request(reqwest::Method::GET, "/v1/account").bearer_auth(access);
        request.send().await.unwrap().status()
    };
    let kids = async |world: &World| {
        members(&world.get("/.well-known/jwks.json").await.is(StatusCode::OK).body, "kid")
    };
    let first = kids(&world).await;
    assert_eq!(first.len(), 1);
    assert!(world.run(&["keys", "rotate"]).status.success());
    world = world.killed_and_restarted();
    let both = kids(&world).await;
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "published before it signs");
    assert_eq!(account(&world, &access).await, StatusCode::OK, "and nobody is signed out");

    assert!(world.run(&["keys", "rotate", "--stolen"]).status.success());
    world = world.killed_and_restarted();
    let last = kids(&world).await;
    assert_eq!(last.len(), 1);
    assert!(!both.contains(&last[0]), "nothing of what was stolen is left");
    assert_eq!(account(&world, &access).await, StatusCode::UNAUTHORIZED);
    let next = world.refresh(&refresh).await.is(StatusCode::OK).json();
    let next = next["access_token"].as_str().unwrap();
    assert_eq!(account(&world, next).await, StatusCode::OK, "a device goes on by itself");
}
