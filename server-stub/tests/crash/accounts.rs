//! Who asked to be forgotten is, whenever the process dies.

use crate::{
    events::{batch, import},
    process::Process,
};
use kinora_server::{
    id::ProfileId,
    storage::{
        Accounts, History,
        sqlite::{SqliteAccounts, SqliteHistory},
    },
};
use reqwest::Method;
use serde_json::{Value, json};

/// A household closes its account, or removes a profile, and the process dies on the way. The next one finishes that
/// before it answers anyone; and a device that has a token yet leaves no trace.
#[tokio::test]
async fn what_was_asked_to_be_forgotten_is() {
    for (place, closes) in [
        ("auth/closed", true),
        ("auth/forgotten", true),
        ("auth/removed", false),
        ("auth/forgotten", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        import(data);
        let dying = Process::start(data, Some(place)).unwrap();
        let (ada, bob) = (dying.household("ada").await, dying.household("bob").await);
        for token in [&ada, &bob] {
            let (status, _) = dying.post("/v1/events", token, batch(0..5)).await.unwrap();
            assert_eq!(status, 200);
            let list = dying.send(Method::PUT, "/v1/my-list/film", token, json!({})).await;
            assert_eq!(list.unwrap().0, 204);
        }
        let profiles = dying.get("/v1/profiles", &ada).await;
        let gone: ProfileId = profiles[0]["id"].as_str().unwrap().parse().unwrap();
        let asked = match closes {
            true => {
                let password = json!({"password": "correct horse"});
                dying.post("/v1/account/close", &ada, password).await
            }
            false => {
                let path = format!("/v1/profiles/{gone}");
                dying.send(Method::DELETE, &path, &ada, Value::Null).await
            }
        };
        assert_eq!(asked, None, "it dies at {place}");
        let accounts = SqliteAccounts::open(data).await.unwrap();
        assert_eq!(accounts.departed(9).await.unwrap(), std::slice::from_ref(&gone), "{place}");
        let history = SqliteHistory::open(data).await.unwrap();
        let left = history.positions(&gone, 9).await.unwrap().len();
        assert_eq!(left, usize::from(place != "auth/forgotten"), "{place}");

        let living = Process::start(data, None).unwrap();
        assert!(accounts.departed(9).await.unwrap().is_empty(), "{place}");
        assert!(history.positions(&gone, 9).await.unwrap().is_empty(), "{place}");
        assert!(history.listed(&gone).await.unwrap().is_empty(), "{place}");
        // Its token is good for some minutes yet.
        let late = living.post("/v1/events", &ada, batch(5..9)).await.unwrap();
        assert_eq!(late.0, 200);
        let list = living.send(Method::PUT, "/v1/my-list/film", &ada, json!({})).await;
        assert_eq!(list.unwrap().0, 204);
        assert_eq!(living.get("/v1/continue-watching", &ada).await, json!([]), "{place}");
        assert!(history.listed(&gone).await.unwrap().is_empty(), "{place}");
        let others = living.get("/v1/continue-watching", &bob).await;
        assert_eq!(others[0]["position_seconds"], 4, "another's history stays");
    }
}
