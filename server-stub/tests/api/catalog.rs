//! What there is to watch, and what profiles do with it.

use crate::{
    suite,
    world::{Answer, Device, World},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

suite! {
    a_viewer_browses_searches_and_reads_pages
    a_child_sees_nothing_beyond_its_limit
    another_region_sees_what_is_available_there
    what_was_begun_goes_on_where_it_stopped
    a_list_and_ratings_are_a_profiles_own
    a_removed_profile_takes_its_history_along
    an_administrator_edits_and_nobody_else
    an_import_is_all_or_nothing
}

/// The ids of titles in an answer.
fn ids(titles: &Value) -> Vec<&str> {
    titles.as_array().unwrap().iter().map(|title| title["id"].as_str().unwrap()).collect()
}

async fn viewer(world: &World) -> Device<'_> {
    world.import();
    world.household("ada").await.viewing().await
}

async fn json_of(device: &Device<'_>, path: &str) -> Value {
    device.get(path).await.is(StatusCode::OK).json()
}

async fn a_viewer_browses_searches_and_reads_pages(world: &World) {
    let device = viewer(world).await;
    let rows = json_of(&device, "/v1/catalog/rows").await;
    assert_eq!(
        ids(&rows),
        ["new", "genre-animation", "genre-comedy", "genre-fantasy", "genre-horror"]
    );
    assert_eq!(ids(&rows[0]["titles"]), ["show", "nosferatu", "sintel", "bunny"]);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/v1/catalog/titles?order=name&limit=3{after}");
        let page = json_of(&device, &path).await;
        seen.extend(ids(&page["titles"]).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["bunny", "nosferatu", "sintel", "show"]);
    let comedies = json_of(&device, "/v1/catalog/titles?genre=comedy&kind=series").await;
    assert_eq!(ids(&comedies["titles"]), ["show"]);
    for (query, expected) in [
        ("big%20bun", vec!["bunny"]),
        ("nosfertau", vec!["nosferatu"]),
        ("goedegebure", vec!["bunny"]),
    ] {
        let found = json_of(&device, &format!("/v1/catalog/search?q={query}")).await;
        assert_eq!(ids(&found), expected, "{query}");
    }
    let page = json_of(&device, "/v1/catalog/titles/show").await;
    let items: Vec<(&Value, &Value)> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["season"], &item["playable"]))
        .collect();
    assert_eq!(json!(items), json!([[1, true], [1, true], [2, true], [2, false]]));
    assert!(!page.to_string().contains("m3u8"), "what to play comes with a playback");
    for (path, status) in [
        ("/v1/catalog/titles/announced", StatusCode::NOT_FOUND),
        ("/v1/catalog/titles/show-1-1", StatusCode::NOT_FOUND),
        ("/v1/catalog/titles?limit=0", StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/catalog/titles?limit=1000000", StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/catalog/titles?limit=many", StatusCode::BAD_REQUEST),
        ("/v1/catalog/titles?colour=red", StatusCode::BAD_REQUEST),
        ("/v1/catalog/search", StatusCode::BAD_REQUEST),
    ] {
        device.get(path).await.is(status);
    }
}

/// Every way to reach a title, tried for one that is there and one that is not.
async fn reach(device: &Device<'_>, title: &str, item: &str) -> Vec<StatusCode> {
    let rate = json!({"rating": "up"});
    [
        device.get(&format!("/v1/catalog/titles/{title}")).await,
        device.ask(Method::PUT, &format!("/v1/my-list/{title}"), None).await,
        device.put(&format!("/v1/ratings/{title}"), rate).await,
        device.put(&format!("/v1/positions/{item}"), json!({"seconds": 5})).await,
    ]
    .iter()
    .map(|answer: &Answer| answer.status)
    .collect()
}

async fn a_child_sees_nothing_beyond_its_limit(world: &World) {
    let parent = viewer(world).await;
    let child = parent.child().await;
    for path in ["/v1/catalog/rows", "/v1/catalog/titles", "/v1/catalog/search?q=s"] {
        let seen = json_of(&child, path).await.to_string();
        assert!(seen.contains("show"), "{path}: {seen}");
        for hidden in ["sintel", "nosferatu", "fantasy", "horror"] {
            assert!(!seen.contains(hidden), "{path}: {seen}");
        }
    }
    for query in ["sintel", "sintle", "dragon", "nosferatu"] {
        let found = json_of(&child, &format!("/v1/catalog/search?q={query}")).await;
        assert_eq!(found, json!([]), "{query}");
    }
    assert_eq!(ids(&json_of(&child, "/v1/catalog/genres").await), ["comedy", "animation"]);
    let page = json_of(&child, "/v1/catalog/titles/show").await;
    assert_eq!(ids(&page["items"]), ["show-1-1", "show-1-2", "show-2-2"]);
    assert_eq!(reach(&child, "sintel", "sintel").await, [StatusCode::NOT_FOUND; 4]);
    assert_eq!(reach(&child, "missing", "missing").await, [StatusCode::NOT_FOUND; 4]);
    let beyond = child.put("/v1/positions/show-2-1", json!({"seconds": 5})).await;
    beyond.is(StatusCode::NOT_FOUND);
    let shown =
        [StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::NO_CONTENT, StatusCode::NO_CONTENT];
    assert_eq!(reach(&child, "show", "show-1-1").await, shown);
    assert_eq!(reach(&parent, "sintel", "sintel").await, shown);
    // What the parent put there is not the child's to see.
    let lists = json_of(&child, "/v1/my-list").await;
    assert_eq!(ids(&lists), ["show"]);
    // The household may give the profile of a child to one that had seen more.
    let bare = world.household("eve").await;
    bare.get("/v1/catalog/rows").await.is(StatusCode::FORBIDDEN).problem("profile_required");
}

async fn another_region_sees_what_is_available_there(world: &World) {
    world.import();
    let account = json!({
        "email": "zoe@example.org", "password": crate::world::PASSWORD, "region": "FR",
        "profile_name": "Zoe", "language": "fr",
    });
    world.post("/v1/accounts", account).await.is(StatusCode::ACCEPTED);
    let abroad = world.sign_in("zoe").await.viewing().await;
    assert_eq!(reach(&abroad, "nosferatu", "nosferatu").await, [StatusCode::NOT_FOUND; 4]);
    assert_eq!(json_of(&abroad, "/v1/catalog/search?q=nosferatu").await, json!([]));
    let page = json_of(&abroad, "/v1/catalog/titles").await;
    assert_eq!(ids(&page["titles"]), ["show", "sintel", "bunny"]);
}

async fn what_was_begun_goes_on_where_it_stopped(world: &World) {
    let device = viewer(world).await;
    let watch = async |item: &str, seconds: u32| {
        let path = format!("/v1/positions/{item}");
        device.put(&path, json!({"seconds": seconds})).await.is(StatusCode::NO_CONTENT);
    };
    let begun = async || {
        let begun = json_of(&device, "/v1/continue-watching").await;
        let mut begun: Vec<(String, u64)> = begun
            .as_array()
            .unwrap()
            .iter()
            .map(|started| {
                let item = started["item_id"].as_str().unwrap().to_owned();
                (item, started["position_seconds"].as_u64().unwrap())
            })
            .collect();
        begun.sort(); // two in the same second have no order
        begun
    };
    watch("bunny", 250).await;
    watch("show-1-1", 40).await;
    assert_eq!(begun().await, [("bunny".to_owned(), 250), ("show-1-1".to_owned(), 40)]);
    watch("show-1-1", 97).await;
    assert_eq!(begun().await[1], ("show-1-2".to_owned(), 0), "the next episode");
    watch("bunny", 1_000_000).await;
    assert_eq!(begun().await.len(), 1, "a film that was watched to its end is done");
    let rows = json_of(&device, "/v1/catalog/rows").await;
    assert_eq!(rows[0]["id"], "continue-watching");
    assert_eq!(ids(&rows[0]["titles"]), ["show"]);
    assert_eq!(rows[0]["started"][0]["item_id"], "show-1-2");
    let page = json_of(&device, "/v1/catalog/titles/show").await;
    assert_eq!(page["items"][0]["finished"], true);
    device.delete("/v1/continue-watching/show").await.is(StatusCode::NO_CONTENT);
    device.delete("/v1/continue-watching/show").await.is(StatusCode::NOT_FOUND);
    assert!(begun().await.is_empty());
    let unmade = device.put("/v1/positions/show-2-2", json!({"seconds": 5})).await;
    unmade.is(StatusCode::NOT_FOUND);
    for body in
        [json!({"seconds": -1}), json!({"seconds": 1e99}), json!({"seconds": 1_000_001}), json!({})]
    {
        let refused = device.put("/v1/positions/bunny", body).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY).problem("invalid_value");
    }
}

async fn a_list_and_ratings_are_a_profiles_own(world: &World) {
    let device = viewer(world).await;
    for title in ["bunny", "sintel", "bunny"] {
        let path = format!("/v1/my-list/{title}");
        device.ask(Method::PUT, &path, None).await.is(StatusCode::NO_CONTENT);
    }
    assert_eq!(ids(&json_of(&device, "/v1/my-list").await), ["sintel", "bunny"]);
    device.put("/v1/ratings/bunny", json!({"rating": "love"})).await.is(StatusCode::NO_CONTENT);
    let page = json_of(&device, "/v1/catalog/titles/bunny").await;
    assert_eq!((&page["listed"], &page["rating"]), (&json!(true), &json!("love")));
    let child = device.child().await;
    let other = world.household("bob").await.viewing().await;
    for stranger in [&child, &other] {
        assert_eq!(json_of(stranger, "/v1/my-list").await, json!([]));
        assert_eq!(json_of(stranger, "/v1/ratings").await, json!([]));
        stranger.delete("/v1/my-list/bunny").await.is(StatusCode::NOT_FOUND);
        stranger.delete("/v1/ratings/bunny").await.is(StatusCode::NO_CONTENT);
    }
    assert_eq!(
        json_of(&device, "/v1/ratings").await,
        json!([{"title_id": "bunny", "rating": "love"}])
    );
    device.delete("/v1/my-list/sintel").await.is(StatusCode::NO_CONTENT);
    device.delete("/v1/ratings/bunny").await.is(StatusCode::NO_CONTENT);
    assert_eq!(ids(&json_of(&device, "/v1/my-list").await), ["bunny"]);
    assert_eq!(json_of(&device, "/v1/ratings").await, json!([]));
}

async fn a_removed_profile_takes_its_history_along(world: &World) {
    let device = viewer(world).await;
    let child = device.child().await;
    child.put("/v1/positions/bunny", json!({"seconds": 60})).await.is(StatusCode::NO_CONTENT);
    let id = device.profiles().await[1].clone();
    device.delete(&format!("/v1/profiles/{id}")).await.is(StatusCode::NO_CONTENT);
    // Its access token lives on for minutes, and finds nothing.
    assert_eq!(json_of(&child, "/v1/continue-watching").await, json!([]));
}

async fn an_administrator_edits_and_nobody_else(world: &World) {
    let device = viewer(world).await;
    let path = "/v1/admin/titles/new-film";
    let film = json!({"id": "new-film", "kind": "film", "name": "New", "maturity": 0});
    for refused in
        [device.get(path).await, device.put(path, film.clone()).await, device.delete(path).await]
    {
        refused.is(StatusCode::FORBIDDEN).problem("forbidden");
    }
    let output = world.run(&["account", "admin", "ada@example.org"]);
    assert!(output.status.success(), "{output:?}");
    let refused = device.put(path, film.clone()).await;
    refused.is(StatusCode::FORBIDDEN); // the token says what was true when it was issued
    let editor = world.sign_in("ada").await.viewing().await;
    editor.put(path, film.clone()).await.is(StatusCode::CREATED);
    editor.put(path, film.clone()).await.is(StatusCode::OK);
    assert_eq!(editor.get(path).await.is(StatusCode::OK).json()["name"], "New");
    device.get("/v1/catalog/titles/new-film").await.is(StatusCode::OK);
    let other = editor.put("/v1/admin/titles/other", film.clone()).await;
    assert_eq!(other.is(StatusCode::CONFLICT).problem("conflict")["pointer"], "/id");
    let mut wrong = film.clone();
    wrong["seasons"] = json!([{"number": 1, "episodes": []}]);
    let wrong = editor.put(path, wrong).await.is(StatusCode::CONFLICT);
    assert_eq!(wrong.problem("conflict")["pointer"], "/seasons");
    let taken = json!({"id": "show-1-1", "kind": "film", "name": "Thief", "maturity": 0});
    editor.put("/v1/admin/titles/show-1-1", taken).await.is(StatusCode::CONFLICT);
    let mut large = film;
    large["synopsis"] = "x".repeat(2 << 20).into();
    editor.put(path, large).await.is(StatusCode::PAYLOAD_TOO_LARGE).problem("body_too_large");
    editor.delete(path).await.is(StatusCode::NO_CONTENT);
    editor.get("/v1/catalog/titles/new-film").await.is(StatusCode::NOT_FOUND);
    let child = editor.child().await;
    child.delete("/v1/admin/titles/show").await.is(StatusCode::FORBIDDEN);
}

async fn an_import_is_all_or_nothing(world: &World) {
    let device = viewer(world).await;
    let import = |name: &str, text: &str| {
        let file = world.data.path().join(name);
        std::fs::write(&file, text).unwrap();
        world.run(&["import", "--json", file.to_str().unwrap()])
    };
    let output = import("a.csv", "id,name,maturity\ngood,Good,0\nbad,Bad,99\n");
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"bad\": /maturity"), "{output:?}");
    let output = import("a.csv", "id,name,maturity\ngood,Good,0\nshow-1-1,Thief,0\n");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    device.get("/v1/catalog/titles/good").await.is(StatusCode::NOT_FOUND);
    let output = import("a.csv", "id,name,maturity\ngood,Good,0\nbunny,Hare,0\n");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!({"titles": 2, "new": 1}));
    assert_eq!(json_of(&device, "/v1/catalog/titles/bunny").await["name"], "Hare");
    assert_eq!(import("a.txt", "").status.code(), Some(4));
}
