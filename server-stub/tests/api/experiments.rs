//! Experiments, for those who run them.

use crate::{
    suite,
    world::{Device, World},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

suite! {
    an_experiment_is_written_run_and_removed
    running_experiments_of_a_layer_do_not_overlap
    only_administrators_see_experiments
    a_playback_is_as_its_viewers_arm_says
}

async fn administrator<'a>(world: &'a World) -> Device<'a> {
    world.household("root").await;
    let output = world.run(&["account", "admin", "root@example.org"]);
    assert!(output.status.success(), "{output:?}");
    world.sign_in("root").await
}

fn experiment(id: &str, first_share: u32, shares: u32, status: &str) -> Value {
    json!({
        "id": id, "layer": "abr", "first_share": first_share, "shares": shares, "status": status,
        "arms": [
            {"id": "as-before", "weight": 1},
            {"id": "bold", "weight": 1, "abr": {"rule": "throughput", "max_height": 720}},
        ],
    })
}

async fn put(device: &Device<'_>, experiment: &Value) -> (u16, String) {
    let path = format!("/v1/admin/experiments/{}", experiment["id"].as_str().unwrap());
    let answer = device.put(&path, experiment.clone()).await;
    (answer.status.as_u16(), answer.body)
}

async fn an_experiment_is_written_run_and_removed(world: &World) {
    let admin = administrator(world).await;
    let mut one = experiment("one", 0, 5000, "draft");
    assert_eq!(put(&admin, &one).await.0, 201);
    one["shares"] = json!(6000);
    one["status"] = json!("running");
    assert_eq!(put(&admin, &one).await.0, 200);
    let read = admin.get("/v1/admin/experiments/one").await.is(StatusCode::OK).json();
    assert_eq!((&read["shares"], &read["status"]), (&json!(6000), &json!("running")));
    assert_eq!(read["arms"][1]["abr"], json!({"rule": "throughput", "max_height": 720}));
    one["arms"][0]["weight"] = json!(2);
    let (status, body) = put(&admin, &one).await;
    assert!(status == 409 && body.contains("stay as they are"), "{status} {body}");
    one["arms"][0]["weight"] = json!(1);
    one["status"] = json!("stopped");
    assert_eq!(put(&admin, &one).await.0, 200);
    for (pointer, value) in [
        ("first_share", json!(9_999)),
        ("shares", json!(0)),
        ("arms", json!([])),
        ("arms", json!([{"id": "a", "weight": 1}, {"id": "a", "weight": 1}])),
        ("arms", json!([{"id": "a", "weight": 0}, {"id": "b", "weight": 0}])),
        (
            "arms",
            json!([{"id": "a", "weight": 1}, {"id": "b", "weight": 1, "abr": {"max_height": 0}}]),
        ),
        ("id", json!("another")),
    ] {
        let mut bad = experiment("bad", 0, 5000, "draft");
        bad[pointer] = value;
        let answer = admin.put("/v1/admin/experiments/bad", bad).await;
        answer.is(StatusCode::CONFLICT).problem("conflict");
    }
    let answer = admin.put("/v1/admin/experiments/one", json!({"id": "one", "hum": 1})).await;
    answer.is(StatusCode::UNPROCESSABLE_ENTITY).problem("invalid_value");
    admin.delete("/v1/admin/experiments/one").await.is(StatusCode::NO_CONTENT);
    admin.delete("/v1/admin/experiments/one").await.is(StatusCode::NOT_FOUND).problem("not_found");
    assert_eq!(admin.get("/v1/admin/experiments").await.json(), json!([]));
}

async fn running_experiments_of_a_layer_do_not_overlap(world: &World) {
    let admin = administrator(world).await;
    assert_eq!(put(&admin, &experiment("one", 0, 5000, "running")).await.0, 201);
    assert_eq!(put(&admin, &experiment("beside", 5000, 5000, "running")).await.0, 201);
    assert_eq!(put(&admin, &experiment("over", 4999, 2, "draft")).await.0, 201);
    let (status, body) = put(&admin, &experiment("over", 4999, 2, "running")).await;
    assert!(status == 409 && body.contains("runs in some of these shares"), "{status} {body}");
    let mut elsewhere = experiment("elsewhere", 4999, 2, "running");
    elsewhere["layer"] = json!("rows");
    assert_eq!(put(&admin, &elsewhere).await.0, 201);
    let ids = admin.get("/v1/admin/experiments").await.json();
    let ids: Vec<_> = ids.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["beside", "elsewhere", "one", "over"]);
}

async fn only_administrators_see_experiments(world: &World) {
    let viewer = world.household("ada").await.viewing().await;
    for path in ["/v1/admin/experiments", "/v1/admin/experiments/one"] {
        viewer.get(path).await.is(StatusCode::FORBIDDEN).problem("forbidden");
        world.get(path).await.is(StatusCode::UNAUTHORIZED);
    }
    let answer = viewer.put("/v1/admin/experiments/one", experiment("one", 0, 9, "running")).await;
    answer.is(StatusCode::FORBIDDEN).problem("forbidden");
    viewer.delete("/v1/admin/experiments/one").await.is(StatusCode::FORBIDDEN);
}

async fn a_playback_is_as_its_viewers_arm_says(world: &World) {
    world.import();
    let admin = administrator(world).await;
    let mut one = experiment("one", 0, 10_000, "running");
    one["arms"][0]["weight"] = json!(0);
    one["audience"] = json!({"platforms": ["web"], "regions": ["DE", "AT"]});
    assert_eq!(put(&admin, &one).await.0, 201);
    let viewer = world.household("ada").await.viewing().await;
    let child = viewer.child().await;
    let play = async |device: &Device<'_>, platform: &str| {
        let body = json!({"device": {"platform": platform}});
        let answer = device.post("/v1/playback/bunny", body).await.is(StatusCode::CREATED).json();
        (answer["abr"].clone(), answer["experiments"].clone())
    };
    let in_it = (
        json!({"rule": "throughput", "max_height": 720}),
        json!([{"experiment": "one", "arm": "bold"}]),
    );
    assert_eq!(play(&viewer, "web").await, in_it);
    assert_eq!(play(&viewer, "tv").await, (json!({}), json!([])), "not among the platforms");
    assert_eq!(play(&child, "web").await, (json!({}), json!([])), "not a child");
    let output = world.run(&["experiments", "report", "one", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["arms"][1],
        json!({"arm": "bold", "profiles": 1, "playbacks": 1}),
        "{report}"
    );
    let missing = world.run(&["experiments", "report", "two"]);
    assert_eq!(missing.status.code(), Some(4), "{missing:?}");
}
