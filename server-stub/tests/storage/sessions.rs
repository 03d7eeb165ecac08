//! What every `Sessions` does.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    storage::{
        Sessions,
        sessions::{Expected, Versioned},
        sqlite::SqliteSessions,
    },
};
use std::sync::Arc;

const NOW: UnixTime = UnixTime(1_000_000);
const LATER: UnixTime = UnixTime(1_000_060);

async fn what_was_written_is_read(sessions: &impl Sessions) {
    assert_eq!(sessions.read("a", NOW).await.unwrap(), None);
    let version = sessions.write("a", Expected::Absent, b"\0one", LATER, NOW).await.unwrap();
    let read = sessions.read("a", NOW).await.unwrap();
    assert_eq!(read, version.map(|version| Versioned { version, value: b"\0one".to_vec() }));
    assert!(read.is_some());
    assert_eq!(sessions.read("A", NOW).await.unwrap(), None, "keys are told apart by case");
    assert_eq!(sessions.read("a%", NOW).await.unwrap(), None, "keys are no patterns");
}

async fn a_write_that_expects_something_else_changes_nothing(sessions: &impl Sessions) {
    let first =
        sessions.write("b", Expected::Absent, b"1", LATER, NOW).await.unwrap().expect("written");
    assert_eq!(sessions.write("b", Expected::Absent, b"2", LATER, NOW).await.unwrap(), None);
    let second = sessions.write("b", Expected::Version(first), b"3", LATER, NOW).await.unwrap();
    let second = second.expect("written");
    assert_eq!(
        sessions.write("b", Expected::Version(first), b"4", LATER, NOW).await.unwrap(),
        None
    );
    assert!(!sessions.remove("b", first, NOW).await.unwrap());
    let read = sessions.read("b", NOW).await.unwrap().expect("there");
    assert_eq!(read, Versioned { version: second, value: b"3".to_vec() });
}

async fn a_version_never_comes_back(sessions: &impl Sessions) {
    let first = sessions.write("c", Expected::Absent, b"1", LATER, NOW).await.unwrap().unwrap();
    assert!(sessions.remove("c", first, NOW).await.unwrap());
    assert!(!sessions.remove("c", first, NOW).await.unwrap());
    let second = sessions.write("c", Expected::Absent, b"2", LATER, NOW).await.unwrap().unwrap();
    assert_ne!(first, second);
    assert_eq!(
        sessions.write("c", Expected::Version(first), b"3", LATER, NOW).await.unwrap(),
        None
    );
}

async fn an_expired_record_is_as_if_it_had_never_been(sessions: &impl Sessions) {
    let before = UnixTime(LATER.0 - 1);
    let first = sessions.write("d", Expected::Absent, b"1", LATER, NOW).await.unwrap().unwrap();
    assert!(sessions.read("d", before).await.unwrap().is_some());
    assert_eq!(sessions.read("d", LATER).await.unwrap(), None);
    assert!(!sessions.remove("d", first, LATER).await.unwrap());
    let end = LATER.plus(10);
    let late = sessions.write("d", Expected::Version(first), b"2", end, LATER).await.unwrap();
    assert_eq!(late, None);
    assert!(sessions.write("d", Expected::Absent, b"3", end, LATER).await.unwrap().is_some());
    assert_eq!(sessions.read("d", LATER).await.unwrap().unwrap().value, b"3");
}

async fn sweeping_takes_the_expired_alone(sessions: &impl Sessions) {
    let much_later = LATER.plus(1_000_000);
    while sessions.sweep(much_later, 100).await.unwrap() > 0 {}
    for key in ["x", "y", "z"] {
        sessions.write(key, Expected::Absent, b"", LATER, NOW).await.unwrap().unwrap();
    }
    sessions.write("kept", Expected::Absent, b"", LATER.plus(1), NOW).await.unwrap().unwrap();
    assert_eq!(sessions.sweep(NOW, 100).await.unwrap(), 0);
    assert_eq!(sessions.sweep(LATER, 2).await.unwrap(), 2);
    assert_eq!(sessions.sweep(LATER, 2).await.unwrap(), 1);
    assert_eq!(sessions.sweep(LATER, 2).await.unwrap(), 0);
    assert!(sessions.read("kept", LATER).await.unwrap().is_some());
}

/// Sixteen writers add one to the same number until each has done so ten times.
async fn no_change_is_lost_between_writers(sessions: Arc<impl Sessions>) {
    sessions.write("n", Expected::Absent, b"0", LATER, NOW).await.unwrap().unwrap();
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    loop {
                        let Versioned { version, value } =
                            sessions.read("n", NOW).await.unwrap().unwrap();
                        let number: u32 = std::str::from_utf8(&value).unwrap().parse().unwrap();
                        let value = (number + 1).to_string();
                        let expected = Expected::Version(version);
                        let write = sessions.write("n", expected, value.as_bytes(), LATER, NOW);
                        if write.await.unwrap().is_some() {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(sessions.read("n", NOW).await.unwrap().unwrap().value, b"160");
}

async fn suite(sessions: impl Sessions) {
    sessions.ready().await.unwrap();
    what_was_written_is_read(&sessions).await;
    a_write_that_expects_something_else_changes_nothing(&sessions).await;
    a_version_never_comes_back(&sessions).await;
    an_expired_record_is_as_if_it_had_never_been(&sessions).await;
    sweeping_takes_the_expired_alone(&sessions).await;
    no_change_is_lost_between_writers(Arc::new(sessions)).await;
}

async fn sqlite() -> Fresh<SqliteSessions> {
    let directory = tempfile::tempdir().unwrap();
    Fresh { storage: SqliteSessions::open(directory.path()).await.unwrap(), directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let fresh = sqlite().await;
    suite(fresh.storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_share_a_directory_see_each_others_records() {
    let fresh = sqlite().await;
    let other = SqliteSessions::open(fresh.directory.path()).await.unwrap();
    let version = fresh.storage.write("k", Expected::Absent, b"1", LATER, NOW).await.unwrap();
    assert_eq!(other.write("k", Expected::Absent, b"2", LATER, NOW).await.unwrap(), None);
    assert!(other.remove("k", version.unwrap(), NOW).await.unwrap());
    assert_eq!(fresh.storage.read("k", NOW).await.unwrap(), None);
}
