//! What every `EventLog` does, and what the one over files does when a process dies.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    storage::{
        Error, EventLog,
        event_log::{Appended, Entry, Key, LARGEST, Retention, WINDOW},
        files::{FileLog, LogOptions},
    },
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const NOW: UnixTime = UnixTime(1_000_000);

fn key(number: u64) -> Key {
    let mut key = [7; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    Key(key)
}

fn entry(number: u64) -> Entry {
    Entry { key: key(number), value: format!("event {number}").into_bytes() }
}

fn entries(numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(entry).collect()
}

/// All values from an offset on, in pages of seven.
async fn values(log: &impl EventLog, mut from: u64) -> Vec<String> {
    let mut values = Vec::new();
    loop {
        let page = log.read(from, 7).await.unwrap();
        let Some(last) = page.last() else { return values };
        assert!(page.len() <= 7);
        assert!(page.windows(2).all(|pair| pair[0].offset + 1 == pair[1].offset));
        from = last.offset + 1;
        values.extend(page.into_iter().map(|record| String::from_utf8(record.value).unwrap()));
    }
}

fn named(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("event {number}")).collect()
}

async fn what_was_appended_is_read_in_order(log: &impl EventLog) {
    assert_eq!(log.range().await.unwrap(), 0..0);
    assert_eq!(log.read(0, 10).await.unwrap(), []);
    assert_eq!(log.append(Vec::new(), NOW).await.unwrap(), []);
    let answered = log.append(entries(0..20), NOW).await.unwrap();
    assert_eq!(answered, (0..20).map(Appended::At).collect::<Vec<_>>());
    let page = log.read(18, 10).await.unwrap();
    assert_eq!((page[0].offset, page[0].at, page[0].key), (18, NOW, key(18)));
    assert_eq!(page.len(), 2);
    assert_eq!(values(log, 0).await, named(0..20));
    assert_eq!(values(log, 13).await, named(13..20));
    assert_eq!(log.read(20, 10).await.unwrap(), []);
    assert_eq!(log.read(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(log.range().await.unwrap(), 0..20);
}

async fn a_key_becomes_one_record(log: &impl EventLog) {
    let before = log.range().await.unwrap().end;
    let mut twice = entries([100, 101, 100]);
    twice[2].value = b"another".to_vec();
    let answered = log.append(twice, NOW).await.unwrap();
    assert_eq!(answered, [Appended::At(before), Appended::At(before + 1), Appended::Known]);
    assert_eq!(log.append(entries([101, 3]), NOW).await.unwrap(), [Appended::Known; 2]);
    assert_eq!(values(log, before).await, named([100, 101]));
}

async fn a_record_may_be_large_and_not_larger(log: &impl EventLog) {
    let mut large = entry(200);
    large.value = vec![1; LARGEST];
    let answered = log.append(vec![large.clone()], NOW).await.unwrap();
    let [Appended::At(offset)] = answered[..] else { panic!("{answered:?}") };
    assert_eq!(log.read(offset, 1).await.unwrap()[0].value, large.value);
    large.key = key(201);
    large.value.push(1);
    assert!(log.append(vec![large], NOW).await.is_err());
    assert_eq!(log.range().await.unwrap().end, offset + 1);
    let empty = Entry { key: key(202), value: Vec::new() };
    log.append(vec![empty], NOW).await.unwrap();
    assert_eq!(log.read(offset + 1, 1).await.unwrap()[0].value, b"");
}

/// Sixteen callers append a hundred events each, every one of them twice.
async fn many_append_at_once(log: Arc<impl EventLog>) {
    let before = log.range().await.unwrap().end;
    let callers = (0..16).map(|caller| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut new = 0;
            for _ in 0..2 {
                for page in 0..10 {
                    let first = 10_000 + caller / 2 * 1000 + page * 10;
                    let answers = log.append(entries(first..first + 10), NOW).await.unwrap();
                    new += answers.iter().filter(|one| **one != Appended::Known).count();
                }
            }
            new
        })
    });
    let mut new = 0;
    for caller in callers.collect::<Vec<_>>() {
        new += caller.await.unwrap();
    }
    assert_eq!(new, 800);
    let kept = values(&*log, before).await;
    assert_eq!(kept.len(), 800);
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>().len(), 800);
}

async fn old_records_go_and_the_others_keep_their_offsets(log: &impl EventLog) {
    let before = log.range().await.unwrap();
    let late = NOW.plus(1000);
    log.append(entries(50_000..50_010), late).await.unwrap();
    let everything = Retention { bytes: u64::MAX, from: UnixTime(0) };
    assert_eq!(log.retain(everything).await.unwrap(), before.start);
    let first = log.retain(Retention { bytes: u64::MAX, from: late }).await.unwrap();
    assert!((before.start..=before.end).contains(&first));
    assert_eq!(log.range().await.unwrap(), first..before.end + 10);
    let kept = log.read(0, 1).await.unwrap();
    assert_eq!(kept[0].offset, first, "reading begins with what is kept");
    let read = values(log, before.end).await;
    assert_eq!(read, named(50_000..50_010));
    assert_eq!(log.append(entries([50_003]), late).await.unwrap(), [Appended::Known]);
}

async fn suite(log: impl EventLog) {
    log.ready().await.unwrap();
    what_was_appended_is_read_in_order(&log).await;
    a_key_becomes_one_record(&log).await;
    a_record_may_be_large_and_not_larger(&log).await;
    let log = Arc::new(log);
    many_append_at_once(log.clone()).await;
    old_records_go_and_the_others_keep_their_offsets(&*log).await;
}

/// Files of few records, so that there are many.
fn small() -> LogOptions {
    LogOptions { segment: 2000, ..LogOptions::default() }
}

async fn files(options: LogOptions) -> Fresh<FileLog> {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileLog::open(&directory.path().join("events"), options).await.unwrap();
    Fresh { storage, directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_conform() {
    let fresh = files(LogOptions::default()).await;
    suite(fresh.storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files_conform() {
    let fresh = files(small()).await;
    suite(fresh.storage.clone()).await;
    let kept = fresh.storage.range().await.unwrap();
    assert!(kept.start > 100, "whole files of old records went: {kept:?}");
}

/// Both append the same events: of each, one of them makes a record.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_share_a_directory_keep_one_log() {
    let fresh = files(small()).await;
    let path = fresh.directory.path().join("events");
    let other = FileLog::open(&path, small()).await.unwrap();
    let append = async |log: FileLog| {
        let mut new = 0;
        for first in (0..300).step_by(3) {
            let answers = log.append(entries(first..first + 3), NOW).await.unwrap();
            new += answers.iter().filter(|one| **one != Appended::Known).count();
        }
        new
    };
    let (a, b) = tokio::join!(append(fresh.storage.clone()), append(other.clone()));
    assert_eq!(a + b, 300);
    assert_eq!(values(&fresh.storage, 0).await, named(0..300));
    assert_eq!(values(&other, 0).await, named(0..300));
    assert_eq!(other.range().await.unwrap(), 0..300);
}

/// What another process lets go is gone for one that has not written for a while, too, and it goes on.
#[tokio::test]
async fn a_log_goes_on_after_another_process_let_go_of_all_that_it_knew() {
    for written_between in [0, 40, 400] {
        let fresh = files(small()).await;
        let idle = fresh.storage;
        let path = fresh.directory.path().join("events");
        idle.append(entries(0..10), NOW).await.unwrap();
        let busy = FileLog::open(&path, small()).await.unwrap();
        busy.append(entries(1000..1000 + written_between), NOW).await.unwrap();
        // Enough for the file to be followed by others.
        for number in 5000..5100 {
            busy.append(entries([number]), NOW.plus(100)).await.unwrap();
        }
        let retention = Retention { bytes: 3000, from: UnixTime(0) };
        let first = busy.retain(retention).await.unwrap();
        assert!(first > 10 + written_between, "all files that were known have gone: {first}");

        let end = busy.range().await.unwrap().end;
        let answers = idle.append(entries([5099, 5, 7000]), NOW.plus(200)).await.unwrap();
        let known = Appended::Known;
        assert_eq!(answers, [known, known, Appended::At(end)], "{written_between}");
        assert_eq!(busy.append(entries([7000]), NOW.plus(200)).await.unwrap(), [known]);
        assert_eq!(idle.range().await.unwrap(), first..end + 1);
        assert_eq!(values(&idle, end).await, named([7000]));
        drop((idle, busy));
        let log = FileLog::open(&path, small()).await.unwrap();
        assert_eq!(log.range().await.unwrap(), first..end + 1);
    }
}

/// A file that is missing between others is no retention.
#[tokio::test]
async fn a_file_that_is_lost_is_an_error() {
    let fresh = files(small()).await;
    let path = fresh.directory.path().join("events");
    for number in 0..100 {
        fresh.storage.append(entries([number]), NOW).await.unwrap();
    }
    let other = FileLog::open(&path, small()).await.unwrap();
    for number in 100..200 {
        other.append(entries([number]), NOW).await.unwrap();
    }
    let middle = segments(&path).into_iter().rev().nth(1).unwrap();
    fs::remove_file(middle).unwrap();
    let appended = fresh.storage.append(entries([300]), NOW).await;
    assert!(matches!(appended, Err(Error::Damaged { .. })), "{appended:?}");
}

#[tokio::test]
async fn a_key_is_known_as_long_as_it_is_among_the_latest() {
    let options = LogOptions { window: 10, ..small() };
    let fresh = files(options).await;
    let path = fresh.directory.path().join("events");
    fresh.storage.append(entries(0..100), NOW).await.unwrap();
    drop(fresh.storage);
    let log = FileLog::open(&path, options).await.unwrap();
    assert_eq!(log.append(entries([90, 99]), NOW).await.unwrap(), [Appended::Known; 2]);
    assert_eq!(log.append(entries([89]), NOW).await.unwrap(), [Appended::At(100)]);
    assert_eq!(log.append(entries([90]), NOW).await.unwrap(), [Appended::At(101)], "forgotten now");
    let whole = FileLog::open(&path, small()).await.unwrap();
    assert_eq!(whole.append(entries(0..100), NOW).await.unwrap(), [Appended::Known; 100]);
    const { assert!(WINDOW >= 100) };
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    files
}

/// Whatever part of the last record a process has written when it dies, the others stay and the log goes on.
#[tokio::test]
async fn a_torn_end_is_cut_off_at_every_byte() {
    let fresh = files(LogOptions::default()).await;
    let path = fresh.directory.path().join("events");
    fresh.storage.append(entries(0..3), NOW).await.unwrap();
    let file = segments(&path).remove(0);
    let kept = fs::metadata(&file).unwrap().len();
    fresh.storage.append(entries([3]), NOW).await.unwrap();
    drop(fresh);
    let whole = {
        let fresh = files(LogOptions::default()).await;
        fresh.storage.append(entries(0..4), NOW).await.unwrap();
        fs::read(segments(&fresh.directory.path().join("events")).remove(0)).unwrap()
    };
    for length in kept as usize..whole.len() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join(file.file_name().unwrap());
        fs::write(&name, &whole[..length]).unwrap();
        let log = FileLog::open(directory.path(), LogOptions::default()).await.unwrap();
        assert_eq!(fs::metadata(&name).unwrap().len(), kept, "{length}");
        let answers = log.append(entries(0..5), NOW).await.unwrap();
        let known = Appended::Known;
        assert_eq!(answers, [known, known, known, Appended::At(3), Appended::At(4)], "{length}");
        assert_eq!(values(&log, 0).await, named(0..5), "{length}");
    }
    for length in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(file.file_name().unwrap()), &whole[..length]).unwrap();
        let log = FileLog::open(directory.path(), LogOptions::default()).await.unwrap();
        log.append(entries(0..2), NOW).await.unwrap();
        assert_eq!(values(&log, 0).await, named(0..2), "a head of {length} bytes");
    }
}

/// What was acknowledged is not cut off because something before it was damaged.
#[tokio::test]
async fn damage_in_the_middle_is_an_error_and_no_loss() {
    let fresh = files(LogOptions::default()).await;
    let path = fresh.directory.path().join("events");
    fresh.storage.append(entries(0..30), NOW).await.unwrap();
    drop(fresh.storage);
    let file = segments(&path).remove(0);
    let whole = fs::read(&file).unwrap();
    for at in [25, 100, 700, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(&file, &damaged).unwrap();
        let opened = FileLog::open(&path, LogOptions::default()).await;
        assert!(matches!(opened.err(), Some(Error::Damaged { .. })), "{at}");
        assert_eq!(fs::read(&file).unwrap(), damaged, "nothing is cut off");
    }
    fs::write(&file, &whole).unwrap();
    let log = FileLog::open(&path, LogOptions::default()).await.unwrap();
    assert_eq!(log.range().await.unwrap(), 0..30);
}

/// A process that writes finds the torn end that another one left while it ran.
#[tokio::test]
async fn a_torn_end_of_another_process_is_cut_off_too() {
    let fresh = files(LogOptions::default()).await;
    let path = fresh.directory.path().join("events");
    fresh.storage.append(entries(0..3), NOW).await.unwrap();
    let file = segments(&path).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend([0xAB; 57]);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(values(&fresh.storage, 0).await, named(0..3));
    fresh.storage.append(entries(2..5), NOW).await.unwrap();
    assert_eq!(values(&fresh.storage, 0).await, named(0..5));
}

#[tokio::test]
async fn too_much_at_once_is_sent_away() {
    let fresh = files(LogOptions { waiting: 1, ..LogOptions::default() }).await;
    let log = Arc::new(fresh.storage);
    let tries = (0..200).map(|number| {
        let log = log.clone();
        async move { log.append(entries([number]), NOW).await }
    });
    let answers = futures_util::future::join_all(tries).await;
    let (mut written, mut busy) = (0, 0);
    for answer in answers {
        match answer {
            Ok(_) => written += 1,
            Err(Error::Busy) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(written >= 1 && busy >= 1, "{written} {busy}");
    assert_eq!(log.range().await.unwrap().end, written, "of those sent away there is nothing");
}
