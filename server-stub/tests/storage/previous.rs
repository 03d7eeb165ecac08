//! Databases that an earlier version of the program wrote.

use kinora_server::{
    clock::UnixTime,
    storage::{
        Accounts, Catalogue,
        catalogue::{Filter, Order, Put, View},
        sqlite::{SqliteAccounts, SqliteCatalogue},
    },
};
use std::{path::Path, process::Command};

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

#[tokio::test]
async fn accounts_of_the_first_version_have_the_usual_plan() {
    let directory = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(directory.path().join("accounts.sqlite")).unwrap();
    database.execute_batch(include_str!("previous/accounts-1.sql")).unwrap();
    drop(database);
    for _ in 0..2 {
        let accounts = SqliteAccounts::open(directory.path()).await.unwrap();
        let ada = accounts.by_email("ada@example.org").await.unwrap().unwrap();
        assert_eq!((ada.plan, ada.epoch, ada.admin), (None, 3, true));
        assert_eq!(accounts.profiles(&ada.id).await.unwrap()[0].name, "Ada");
    }
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
