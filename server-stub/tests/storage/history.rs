//! What every `History` does.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    id::ProfileId,
    storage::{
        History,
        history::{MOST_POSITIONS, Position, Rating},
        sqlite::SqliteHistory,
    },
};
use std::sync::Arc;

fn position(item: &str, seconds: u32, at: i64) -> Position {
    let title = item.split('-').next().unwrap().to_owned();
    Position { item: item.to_owned(), title, seconds, finished: false, at: UnixTime(at) }
}

async fn the_latest_position_counts_however_late_an_older_one_comes(history: &impl History) {
    let profile = ProfileId::random();
    for (seconds, at) in [(10, 100), (30, 300), (20, 200)] {
        history.set_position(&profile, &position("film", seconds, at)).await.unwrap();
    }
    let kept = history.position(&profile, "film").await.unwrap();
    assert_eq!(kept, Some(position("film", 30, 300)));
    assert_eq!(history.position(&ProfileId::random(), "film").await.unwrap(), None);
}

async fn positions_come_last_first_and_are_forgotten_by_title(history: &impl History) {
    let profile = ProfileId::random();
    for (item, at) in [("a", 1), ("show-1", 3), ("show-2", 2)] {
        history.set_position(&profile, &position(item, 5, at)).await.unwrap();
    }
    let items = async || {
        let positions = history.positions(&profile, 10).await.unwrap();
        positions.into_iter().map(|position| position.item).collect::<Vec<_>>()
    };
    assert_eq!(items().await, ["show-1", "show-2", "a"]);
    assert_eq!(history.positions(&profile, 1).await.unwrap().len(), 1);
    assert!(history.forget_title(&profile, "show").await.unwrap());
    assert!(!history.forget_title(&profile, "show").await.unwrap());
    assert_eq!(items().await, ["a"]);
}

async fn a_profile_keeps_so_many_positions(history: &impl History) {
    let profile = ProfileId::random();
    for at in 0..MOST_POSITIONS + 5 {
        let item = format!("{at}-x");
        history.set_position(&profile, &position(&item, 5, at as i64)).await.unwrap();
    }
    let positions = history.positions(&profile, usize::MAX >> 1).await.unwrap();
    assert_eq!(positions.len(), MOST_POSITIONS);
    assert_eq!(positions.last().unwrap().item, "5-x", "the oldest have gone");
}

async fn a_list_has_each_title_once_and_no_more_than_it_may(history: Arc<impl History>) {
    let profile = ProfileId::random();
    for title in ["a", "b", "a"] {
        assert!(history.list(&profile, title, 3).await.unwrap());
    }
    assert_eq!(history.listed(&profile).await.unwrap(), ["b", "a"]);
    let tries: Vec<_> = (0..8)
        .map(|i| {
            let (history, profile) = (history.clone(), profile.clone());
            tokio::spawn(async move { history.list(&profile, &format!("t{i}"), 3).await.unwrap() })
        })
        .collect();
    let mut listed = 0;
    for attempt in tries {
        listed += usize::from(attempt.await.unwrap());
    }
    assert_eq!(listed, 1);
    assert!(history.list(&profile, "a", 3).await.unwrap(), "it is there already");
    assert!(history.unlist(&profile, "b").await.unwrap());
    assert!(!history.unlist(&profile, "b").await.unwrap());
    assert!(history.list(&profile, "c' --", 3).await.unwrap());
    assert_eq!(history.listed(&profile).await.unwrap()[0], "c' --");
}

async fn a_rating_is_the_last_one_given(history: &impl History) {
    let profile = ProfileId::random();
    let rate = async |title, rating, at| {
        history.rate(&profile, title, rating, UnixTime(at)).await.unwrap();
    };
    rate("a", Some(Rating::Down), 1).await;
    rate("b", Some(Rating::Up), 2).await;
    rate("a", Some(Rating::Love), 3).await;
    let ratings = history.ratings(&profile, 10).await.unwrap();
    assert_eq!(ratings, [("a".to_owned(), Rating::Love), ("b".to_owned(), Rating::Up)]);
    rate("a", None, 4).await;
    rate("never", None, 4).await;
    assert_eq!(history.ratings(&profile, 10).await.unwrap(), [("b".to_owned(), Rating::Up)]);
}

async fn a_forgotten_profile_leaves_nothing_and_others_all(history: &impl History) {
    let profiles = [ProfileId::random(), ProfileId::random()];
    for profile in &profiles {
        history.set_position(profile, &position("film", 1, 1)).await.unwrap();
        history.list(profile, "film", 3).await.unwrap();
        history.rate(profile, "film", Some(Rating::Up), UnixTime(1)).await.unwrap();
    }
    history.forget(&profiles[0]).await.unwrap();
    for (profile, left) in profiles.iter().zip([0, 1]) {
        assert_eq!(history.positions(profile, 9).await.unwrap().len(), left);
        assert_eq!(history.listed(profile).await.unwrap().len(), left);
        assert_eq!(history.ratings(profile, 9).await.unwrap().len(), left);
    }
}

async fn those_who_did_something_are_known(history: &impl History) {
    let mut profiles: Vec<ProfileId> = (0..5).map(|_| ProfileId::random()).collect();
    profiles.sort();
    history.set_position(&profiles[0], &position("film", 1, 1)).await.unwrap();
    history.list(&profiles[1], "film", 3).await.unwrap();
    history.rate(&profiles[2], "film", Some(Rating::Up), UnixTime(1)).await.unwrap();
    history.list(&profiles[0], "film", 3).await.unwrap();
    history.list(&profiles[3], "film", 3).await.unwrap();
    history.forget(&profiles[3]).await.unwrap();
    let mut known = Vec::new();
    loop {
        let page = history.profiles(known.last(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        known.extend(page);
    }
    assert!(known.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once");
    known.retain(|profile| profiles.contains(profile));
    assert_eq!(known, profiles[..3]);
}

async fn suite(history: impl History) {
    history.ready().await.unwrap();
    the_latest_position_counts_however_late_an_older_one_comes(&history).await;
    positions_come_last_first_and_are_forgotten_by_title(&history).await;
    a_profile_keeps_so_many_positions(&history).await;
    a_rating_is_the_last_one_given(&history).await;
    those_who_did_something_are_known(&history).await;
    a_forgotten_profile_leaves_nothing_and_others_all(&history).await;
    a_list_has_each_title_once_and_no_more_than_it_may(Arc::new(history)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteHistory::open(directory.path()).await.unwrap();
    let fresh = Fresh { storage, directory };
    suite(fresh.storage).await;
}
