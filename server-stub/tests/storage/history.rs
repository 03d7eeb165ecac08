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
    assert!(history.forget_title(&profile, "show", UnixTime(9)).await.unwrap());
    assert!(!history.forget_title(&profile, "show", UnixTime(9)).await.unwrap());
    assert_eq!(items().await, ["a"]);
}

async fn several_positions_are_as_good_as_one_after_the_other(history: &impl History) {
    let profile = ProfileId::random();
    history.set_position(&profile, &position("a", 50, 500)).await.unwrap();
    let several = [
        position("a", 10, 100),
        position("b-1", 20, 200),
        position("b-1", 30, 300),
        position("b-1", 25, 250),
        position("c", 40, 400),
    ];
    history.set_positions(&profile, &several).await.unwrap();
    history.set_positions(&profile, &[]).await.unwrap();
    let kept = history.positions(&profile, 10).await.unwrap();
    assert_eq!(kept, [position("a", 50, 500), position("c", 40, 400), position("b-1", 30, 300)]);
    let many: Vec<Position> = (0..MOST_POSITIONS + 5)
        .map(|at| position(&format!("{at}-x"), 5, 1000 + at as i64))
        .collect();
    history.set_positions(&profile, &many).await.unwrap();
    let kept = history.positions(&profile, usize::MAX >> 1).await.unwrap();
    assert_eq!(kept.len(), MOST_POSITIONS);
    assert_eq!(kept.last().unwrap().item, "5-x", "the oldest have gone");
}

/// A client that was not answered tells again what it told before the title was taken out.
async fn what_was_before_a_title_was_forgotten_does_not_put_it_back(history: &impl History) {
    let [profile, other] = [ProfileId::random(), ProfileId::random()];
    for profile in [&profile, &other] {
        let both = [position("show-1", 10, 100), position("film", 10, 100)];
        history.set_positions(profile, &both).await.unwrap();
    }
    assert!(history.forget_title(&profile, "show", UnixTime(200)).await.unwrap());
    let before = [position("show-1", 10, 100), position("show-2", 10, 199)];
    history.set_positions(&profile, &before).await.unwrap();
    assert_eq!(history.positions(&profile, 9).await.unwrap(), [position("film", 10, 100)]);
    assert!(!history.forget_title(&profile, "show", UnixTime(300)).await.unwrap());
    assert_eq!(history.positions(&other, 9).await.unwrap().len(), 2, "another's are untouched");
    history.set_position(&profile, &position("show-1", 20, 200)).await.unwrap();
    let kept = history.position(&profile, "show-1").await.unwrap();
    assert_eq!(kept, Some(position("show-1", 20, 200)), "watched again");
    assert!(history.forget_title(&profile, "show", UnixTime(400)).await.unwrap());
    history.set_position(&profile, &position("show-1", 30, 300)).await.unwrap();
    assert_eq!(history.position(&profile, "show-1").await.unwrap(), None);
}

async fn what_a_forgotten_profile_does_is_not_remembered(history: &impl History) {
    let mut gone: Vec<ProfileId> = (0..3).map(|_| ProfileId::random()).collect();
    gone.sort();
    let never = &gone[0];
    for profile in &gone[1..] {
        history.set_position(profile, &position("film", 1, 1)).await.unwrap();
    }
    for profile in gone.iter().chain(&gone) {
        history.forget(profile, UnixTime(10)).await.unwrap();
    }
    for profile in [never, &gone[1]] {
        history.set_position(profile, &position("film", 2, 20)).await.unwrap();
        assert!(history.list(profile, "film", 3).await.unwrap());
        history.rate(profile, "film", Some(Rating::Up), UnixTime(20)).await.unwrap();
        history.rate(profile, "film", None, UnixTime(20)).await.unwrap();
        assert!(history.positions(profile, 9).await.unwrap().is_empty());
        assert!(history.listed(profile).await.unwrap().is_empty());
        assert!(history.ratings(profile, 9).await.unwrap().is_empty());
    }
    let mut forgotten: Vec<ProfileId> = Vec::new();
    while let page = history.forgotten(forgotten.last(), 2).await.unwrap()
        && !page.is_empty()
    {
        assert!(page.len() <= 2);
        forgotten.extend(page);
    }
    assert!(forgotten.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once");
    forgotten.retain(|profile| gone.contains(profile));
    assert_eq!(forgotten, gone);
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
    history.forget(&profiles[0], UnixTime(5)).await.unwrap();
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
    history.forget(&profiles[3], UnixTime(5)).await.unwrap();
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
    several_positions_are_as_good_as_one_after_the_other(&history).await;
    what_was_before_a_title_was_forgotten_does_not_put_it_back(&history).await;
    what_a_forgotten_profile_does_is_not_remembered(&history).await;
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

/// Others wait while one writes: many positions are one wait for the disk.
#[tokio::test]
async fn sqlite_remembers_several_positions_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let history = SqliteHistory::open(directory.path()).await.unwrap();
    let log = directory.path().join("history.sqlite-wal");
    let written = || std::fs::metadata(&log).unwrap().len();
    let positions: Vec<Position> = (0..200).map(|n| position(&format!("t{n}"), n, 1)).collect();
    let before = written();
    history.set_positions(&ProfileId::random(), &positions).await.unwrap();
    let pages = (written() - before) / 4096;
    assert!((1..100).contains(&pages), "{pages} pages: a commit for each would be two at least");
}
