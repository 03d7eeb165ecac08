//! What every `ContentKeys` does.

use super::Fresh;
use kinora_server::{
    storage::{ContentKeys, keys::WrappedKey, sqlite::SqliteContentKeys},
    vault::{KeyId, Tier},
};

fn key(content: &str, tier: Tier, period: u32) -> WrappedKey {
    WrappedKey {
        id: KeyId::random(),
        content: content.into(),
        item: Some("film".into()),
        tier,
        period,
        wrapped: vec![0, 1, 2],
        wrapped_with: "one".into(),
    }
}

async fn keys_are_found_by_id_and_by_package(keys: &impl ContentKeys) {
    let all = [
        key("a", Tier::Sd, 1),
        WrappedKey { item: None, ..key("a", Tier::Sd, 0) },
        key("a", Tier::Audio, 0),
        key("b", Tier::Audio, 0),
    ];
    assert_eq!(keys.add(&all).await.unwrap(), None);
    assert_eq!(keys.find(&[]).await.unwrap(), []);
    assert_eq!(keys.find(&[KeyId::random()]).await.unwrap(), []);
    let found = keys.find(&[all[3].id, KeyId::random(), all[1].id]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&all[3]) && found.contains(&all[1]));
    let of_a = keys.of_content("a").await.unwrap();
    assert_eq!(of_a, [all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(keys.of_content("A").await.unwrap(), []);
    let of_film = keys.of_item("film").await.unwrap();
    assert_eq!(of_film.len(), 3, "one is of no film: {of_film:?}");
    assert!(keys.protects("film").await.unwrap() && !keys.protects("Film").await.unwrap());
    assert_eq!(keys.of_item("fil").await.unwrap(), []);
}

async fn a_key_is_written_once(keys: &impl ContentKeys) {
    let first = key("c", Tier::Hd, 0);
    assert_eq!(keys.add(std::slice::from_ref(&first)).await.unwrap(), None);
    let other = WrappedKey { wrapped: vec![9], ..first.clone() };
    let new = key("c", Tier::Uhd, 0);
    assert_eq!(keys.add(&[new.clone(), other]).await.unwrap(), Some(first.id));
    assert_eq!(keys.find(&[new.id, first.id]).await.unwrap(), [first], "all or none");
}

async fn suite(fresh: Fresh<impl ContentKeys>) {
    keys_are_found_by_id_and_by_package(&fresh.storage).await;
    a_key_is_written_once(&fresh.storage).await;
    fresh.storage.ready().await.unwrap();
    drop(fresh.directory);
}

#[tokio::test]
async fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteContentKeys::open(directory.path()).await.unwrap();
    suite(Fresh { storage, directory }).await;
}
