//! Databases that an earlier version of the program wrote.

use kinora_server::{
    auth::families::{Families, Refreshed},
    clock::UnixTime,
    events::record::Kept,
    id::{AccountId, ProfileId},
    playback::streams::Streams,
    recommend::{self, Store},
    storage::{
        Accounts, Catalogue, EventLog, History,
        catalogue::{Filter, Order, Put, View},
        event_log::{Appended, Entry, Key},
        files::{FileLog, LogOptions},
        history::Rating,
        sqlite::{SqliteAccounts, SqliteCatalogue, SqliteHistory, SqliteSessions},
    },
};
use std::{path::Path, process::Command, sync::Arc};

const NOW: UnixTime = UnixTime(1_700_000_000);

/// Writes the database as that version did.
fn write(directory: &Path) {
    let database = rusqlite::Connection::open(directory.join("catalogue.sqlite")).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database.execute_batch(include_str!("previous/catalogue-1.sql")).unwrap();
}

/// All that was in it is there, and everything that this version does can be done with it.
async fn check(directory: &Path) {
    let catalogue = SqliteCatalogue::open(directory).await.unwrap();
    let view = View { maturity_limit: 21, region: "DE".to_owned(), now: NOW };
    let kept = catalogue.title("kept", &view).await.unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.genres.len()), ("Kept", 1));
    let elsewhere = View { region: "SE".to_owned(), ..view.clone() };
    assert_eq!(catalogue.title("kept", &elsewhere).await.unwrap(), None);
    assert!(catalogue.title_of("serial-1", &view).await.unwrap().is_some());
    let found = catalogue.search("keeper", &view, 5).await.unwrap();
    assert_eq!(found.len(), 1);
    let all = catalogue.browse(&Filter::default(), Order::Name, &view, None, 50).await.unwrap();
    assert!(all.titles.len() >= 2);
    let before = catalogue.revision().await.unwrap();
    let drafts = catalogue.drafts(None, 50).await.unwrap();
    let put = catalogue.put(drafts[..1].to_vec(), NOW).await.unwrap();
    assert_eq!(put, Put::Done { new: 0 });
    assert!(catalogue.revision().await.unwrap() > before);
}

/// Of the first version they have the usual plan; of each they can go.
#[tokio::test]
async fn accounts_of_earlier_versions_are_taken_over() {
    for (written, plan) in [
        (include_str!("previous/accounts-1.sql"), None),
        (include_str!("previous/accounts-2.sql"), Some("premium")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let database =
            rusqlite::Connection::open(directory.path().join("accounts.sqlite")).unwrap();
        database.execute_batch(written).unwrap();
        drop(database);
        for _ in 0..2 {
            let accounts = SqliteAccounts::open(directory.path()).await.unwrap();
            let ada = accounts.by_email("ada@example.org").await.unwrap().unwrap();
            assert_eq!(ada.plan.as_ref().map(|plan| plan.as_str()), plan);
            assert_eq!((ada.epoch, ada.admin), (3, true));
            assert_eq!(accounts.profiles(&ada.id).await.unwrap()[0].name, "Ada");
            assert!(accounts.departed(9).await.unwrap().is_empty());
        }
        let accounts = SqliteAccounts::open(directory.path()).await.unwrap();
        let ada = accounts.by_email("ada@example.org").await.unwrap().unwrap();
        let profiles = accounts.close(&ada.id).await.unwrap().unwrap();
        assert_eq!(accounts.departed(9).await.unwrap(), profiles);
    }
}

#[tokio::test]
async fn a_history_of_the_first_version_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(directory.path().join("history.sqlite")).unwrap();
    database.execute_batch(include_str!("previous/history-1.sql")).unwrap();
    drop(database);
    let profile: ProfileId = "fedcba9876543210fedcba9876543210".parse().unwrap();
    for _ in 0..2 {
        let history = SqliteHistory::open(directory.path()).await.unwrap();
        let positions = history.positions(&profile, 9).await.unwrap();
        let known: Vec<_> = positions
            .iter()
            .map(|one| (one.item.as_str(), one.title.as_str(), one.seconds, one.finished, one.at.0))
            .collect();
        assert_eq!(
            known,
            [("film", "film", 60, true, 1_000_001), ("show-1", "show", 30, false, 1_000_000)]
        );
        assert_eq!(history.listed(&profile).await.unwrap(), ["b", "a"]);
        let ratings = history.ratings(&profile, 9).await.unwrap();
        assert_eq!(ratings, [("film".to_owned(), Rating::Love)]);
        assert!(history.forgotten(None, 9).await.unwrap().is_empty());
    }
    let history = SqliteHistory::open(directory.path()).await.unwrap();
    assert!(history.forget_title(&profile, "show", NOW).await.unwrap());
    history.forget(&profile, NOW).await.unwrap();
    assert_eq!(history.forgotten(None, 9).await.unwrap(), [profile]);
}

/// Who is signed in stays so, and what plays goes on.
#[tokio::test]
async fn what_the_first_version_kept_of_sessions_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(directory.path().join("sessions.sqlite")).unwrap();
    database.execute_batch(include_str!("previous/sessions-1.sql")).unwrap();
    drop(database);
    let sessions = Arc::new(SqliteSessions::open(directory.path()).await.unwrap());
    let account: AccountId = "fedcba9876543210fedcba9876543210".parse().unwrap();
    let profile: ProfileId = "00112233445566778899aabbccddeeff".parse().unwrap();

    let leases = Streams::new(sessions.clone()).all(&account, NOW).await.unwrap();
    assert_eq!((leases[0].item.as_str(), leases[0].expires), ("film", NOW.plus(60)));
    assert_eq!(leases[0].session.as_str(), "0123456789abcdef0123456789abcdef");

    let families = Families::new(sessions);
    let id = "kinora_rt_0123456789abcdef0123456789abcdef_";
    let current = format!("{id}AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    let previous = format!("{id}ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoM");
    let Refreshed::Next(sign_in, next, _) = families.refresh(&previous, NOW).await.unwrap() else {
        panic!("a lost answer is given again");
    };
    assert_eq!(next, current);
    assert_eq!((sign_in.account, sign_in.epoch, sign_in.profile), (account, 2, Some(profile)));
    let refreshed = families.refresh(&current, NOW).await.unwrap();
    assert!(matches!(refreshed, Refreshed::Next(..)), "{refreshed:?}");
}

/// A log of the first version: each record says what it said, and what was told then is still known.
#[tokio::test]
async fn events_of_the_first_version_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("00000000000000000000.log");
    std::fs::write(file, include_bytes!("previous/events-1.log")).unwrap();
    let log = FileLog::open(directory.path(), LogOptions::default()).await.unwrap();
    let records = log.read(0, 100).await.unwrap();
    let written: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("previous/events-1.json")).unwrap();
    assert_eq!(records.len(), written.len());
    for (number, (record, written)) in records.iter().zip(&written).enumerate() {
        assert_eq!(record.offset, number as u64);
        assert_eq!(record.at, NOW.plus(number as u32));
        assert_eq!(record.key, Key([number as u8; 16]));
        // A record that is not understood counts as one of a later version, and its history is not there.
        let kept = Kept::read(&record.value).unwrap_or_else(|| panic!("not read: {written}"));
        assert_eq!(serde_json::to_value(kept).unwrap(), *written);
    }
    let again = Entry { key: Key([3; 16]), value: b"{}".to_vec() };
    assert_eq!(log.append(vec![again], NOW).await.unwrap(), [Appended::Known]);
}

/// A service that is replaced by a newer one goes on recommending.
#[tokio::test]
async fn a_model_of_the_first_version_loads() {
    let directory = tempfile::tempdir().unwrap();
    let version = "00000001-798beec96e17";
    let file = directory.path().join(format!("{version}.model"));
    std::fs::write(file, include_bytes!("previous/model-1.model")).unwrap();
    std::fs::write(directory.path().join("CURRENT"), format!("{version}\n")).unwrap();
    let loaded = Store::in_directory(directory.path()).await.unwrap().load().await.unwrap();
    assert_eq!((loaded.version.as_str(), loaded.refused), (version, vec![]));
    let model = loaded.model;
    assert_eq!((model.titles(), model.trained_on(), model.trained_at()), (9, (12, 54), 1090));
    assert_eq!((model.item(0), model.number("t8")), (Some("t0"), Some(8)));
    let history = [recommend::Entry { item: 2, strength: 1.0, rating: None, at: 2000 }];
    let rows = model.page(&history, &recommend::page::Options::default(), |_| true);
    assert_eq!(rows[0].reason, recommend::Reason::ForYou);
    assert_eq!(rows[0].items, ["t0", "t8", "t6", "t5", "t4", "t1", "t7", "t3"]);
}

#[tokio::test]
async fn a_catalogue_of_the_first_version_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    for _ in 0..2 {
        check(directory.path()).await;
    }
}

/// Whichever step of the migration the process dies at, the next one finishes it.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_migration_that_dies_is_made_again() {
    for place in ["migration/step", "migration/numbered", "migration/committed"] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path());
        let file = directory.path().join("more.json");
        let more = r#"{"titles": [{"id": "new", "kind": "film", "name": "New", "maturity": 0}]}"#;
        std::fs::write(&file, more).unwrap();
        let import = |crash: Option<&str>| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
            command.arg("import").arg(&file).arg("--data").arg(directory.path());
            if let Some(place) = crash {
                command.env("KINORA_CRASH", place);
            }
            command.output().unwrap().status
        };
        assert_eq!(import(Some(place)).code(), None, "it dies at {place}");
        assert!(import(None).success(), "after {place}");
        check(directory.path()).await;
    }
}
