//! Nothing acknowledged is lost, and nothing is counted twice.

use crate::process::Process;
use kinora_server::{
    clock::UnixTime,
    events::{
        event::Happening,
        record::{Kept, What},
    },
    storage::{
        EventLog, History,
        event_log::{Appended, Entry, Key, Retention},
        files::{FileLog, LogOptions},
        sqlite::SqliteHistory,
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The length of the film, and the number of events that can be told apart by where they are in it.
const LENGTH: u32 = 900_000;

pub(crate) fn import(data: &Path) {
    let file = data.join("film.json");
    let film = json!({"titles": [{
        "id": "film", "kind": "film", "name": "Film", "maturity": 0,
        "media": {"duration_seconds": LENGTH, "hls": "/film.m3u8"},
    }]});
    std::fs::write(&file, film.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    let imported = command.arg("import").arg(file).arg("--data").arg(data).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
}

/// Events that are later the higher their numbers are.
pub(crate) fn batch(numbers: impl IntoIterator<Item = u32>) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let event = |number: u32| {
        json!({
            "event_id": format!("e{number}"), "at_ms": now - 10_000_000 + u64::from(number) * 1000,
            "type": "playback_progressed", "playback_id": "p", "item_id": "film",
            "position_seconds": number, "watched_ms": 1000,
        })
    };
    json!({"sent_at_ms": now, "events": numbers.into_iter().map(event).collect::<Vec<_>>()})
}

/// How often each event is in the log, by profile and number.
async fn kept(data: &Path) -> BTreeMap<(String, u32), u32> {
    let log = FileLog::open(&data.join("events"), LogOptions::default()).await.unwrap();
    let mut counts = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = log.read(from, 1000).await.unwrap();
        let Some(last) = page.last() else { return counts };
        from = last.offset + 1;
        for record in &page {
            let kept = Kept::read(&record.value).unwrap();
            let What::Told(Happening::PlaybackProgressed { watched, .. }) = kept.what else {
                panic!("{kept:?}");
            };
            *counts.entry((kept.profile.to_string(), watched.position_seconds)).or_default() += 1;
        }
    }
}

/// A step to die at, for the how manyth time, and how many batches of how many events are acknowledged before.
struct Death {
    place: &'static str,
    time: u32,
    size: u32,
    acknowledged: u32,
}

fn deaths() -> Vec<Death> {
    let mut deaths = Vec::new();
    for place in ["event-log/file-created", "event-log/file-begun"] {
        deaths.push(Death { place, time: 1, size: 5, acknowledged: 0 });
        // Two such batches fill a file.
        deaths.push(Death { place, time: 2, size: 150, acknowledged: 2 });
    }
    for place in [
        "event-log/begun",
        "event-log/torn",
        "event-log/written",
        "event-log/synced",
        "events/appended",
        "events/positioned",
    ] {
        deaths.push(Death { place, time: 1, size: 5, acknowledged: 0 });
        deaths.push(Death { place, time: 4, size: 5, acknowledged: 3 });
    }
    deaths
}

/// At each step, for the first and for a later batch: what was told before is there, with the position, and what was
/// being told can be told again.
#[tokio::test]
async fn dying_at_any_step_loses_nothing_and_doubles_nothing() {
    for Death { place, time, size, acknowledged: expected } in deaths() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        import(data);
        let token = Process::start(data, None).unwrap().household("ada").await;
        let mut dying = Process::start(data, Some(&format!("{place}:{time}"))).unwrap();
        let mut acknowledged = 0;
        while let Some((status, _)) = dying
            .post("/v1/events", &token, batch(acknowledged * size..(acknowledged + 1) * size))
            .await
        {
            assert_eq!(status, 200);
            acknowledged += 1;
            assert!(acknowledged <= expected, "it should have died at {place}");
        }
        assert_eq!(acknowledged, expected, "{place}");
        dying.kill();

        let before = kept(data).await;
        for number in 0..acknowledged * size {
            let count: u32 =
                before.iter().filter(|((_, of), _)| *of == number).map(|(_, count)| count).sum();
            assert_eq!(count, 1, "event {number} was acknowledged before {place}");
        }
        let living = Process::start(data, None).unwrap();
        let begun = living.get("/v1/continue-watching", &token).await;
        let watched = begun[0]["position_seconds"].as_u64().map_or(0, |last| last + 1);
        assert!(watched >= u64::from(acknowledged * size), "{place}: the position is at {watched}");
        // In pieces that one request may have.
        let all = (acknowledged + 1) * size;
        for first in (0..all).step_by(150) {
            let again = batch(first..all.min(first + 150));
            let (status, answer) = living.post("/v1/events", &token, again).await.unwrap();
            assert_eq!(status, 200, "{answer}");
        }
        let begun = living.get("/v1/continue-watching", &token).await;
        assert_eq!(begun[0]["position_seconds"], all - 1, "{place}");
        let after = kept(data).await;
        assert_eq!(after.len() as u32, all, "{place}");
        assert!(after.values().all(|count| *count == 1), "{place}: {after:?}");
    }
}

/// Old files go when a process starts; one that dies over it has let go of the oldest alone.
#[tokio::test]
async fn dying_while_old_events_go_leaves_all_that_are_later() {
    const EVENTS: u64 = 2000;
    for time in [1, 3] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        import(data);
        let options = LogOptions { segment: 64 << 10, ..LogOptions::default() };
        let entry = |number: u64| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&number.to_le_bytes());
            Entry { key: Key(key), value: format!("{number:01000}").into_bytes() }
        };
        let log = FileLog::open(&data.join("events"), options).await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for first in (0..EVENTS).step_by(50) {
            let entries = (first..first + 50).map(entry).collect();
            log.append(entries, UnixTime(now as i64)).await.unwrap();
        }
        let place = format!("event-log/removed:{time}");
        if let Some(mut dying) = Process::start(data, Some(&place)) {
            dying.dies();
        }
        let check = async |range: std::ops::Range<u64>| {
            let mut next = range.start;
            while let page = log.read(next, 1000).await.unwrap()
                && !page.is_empty()
            {
                for record in page {
                    assert_eq!((record.offset, &record.value), (next, &entry(next).value));
                    next += 1;
                }
            }
            assert_eq!(next, range.end);
        };
        let left = log.range().await.unwrap();
        assert!(left.start > 0 && left.end == EVENTS, "{left:?}");
        check(left.clone()).await;
        // Whoever comes next goes on with it.
        let kept = Retention { bytes: 1 << 20, from: UnixTime(0) };
        let other = FileLog::open(&data.join("events"), options).await.unwrap();
        let first = other.retain(kept).await.unwrap();
        assert!(first > left.start);
        let more = log.append(vec![entry(EVENTS - 1), entry(EVENTS)], UnixTime(now as i64)).await;
        assert_eq!(more, Ok(vec![Appended::Known, Appended::At(EVENTS)]));
        check(first..EVENTS + 1).await;
    }
}

/// Three viewers tell events, each batch until it is acknowledged, while the process is killed again and again.
#[tokio::test]
async fn killed_at_any_moment_it_keeps_each_event_once() {
    const SEED: u64 = 20_261_126;
    // However fast the machine is: so many fit into so much room, in several files.
    const MOST: u32 = 5000;
    const MEGABYTES: u32 = 16;
    let mut random = fastrand::Rng::with_seed(SEED);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_owned();
    import(&data);
    let mut tokens = Vec::new();
    {
        let process = Process::with_room(&data, None, MEGABYTES).unwrap();
        for name in ["ada", "bob", "cyd"] {
            tokens.push(process.household(name).await);
        }
    }
    // Of each viewer: the first number that is not acknowledged.
    let mut next = [0_u32; 3];
    let (mut kills, mut unanswered) = (0, 0);
    for _ in 0..12 {
        let mut process = Process::with_room(&data, None, MEGABYTES).unwrap();
        let pause = Duration::from_millis(random.u64(1..250));
        let (mut told, mut lost) = (next, [0; 3]);
        {
            let tell = |viewer: usize, mut first: u32| {
                let (process, token) = (&process, &tokens[viewer]);
                async move {
                    // A viewer that was answered goes on; one that was not tells the same when there is a process.
                    while first < MOST {
                        let Some((200, _)) =
                            process.post("/v1/events", token, batch(first..first + 7)).await
                        else {
                            return;
                        };
                        first += 7;
                        ACKNOWLEDGED[viewer].store(first, std::sync::atomic::Ordering::SeqCst);
                    }
                }
            };
            let all =
                futures_util::future::join3(tell(0, next[0]), tell(1, next[1]), tell(2, next[2]));
            let _ = tokio::time::timeout(pause, all).await;
        }
        process.kill();
        kills += 1;
        for viewer in 0..3 {
            let answered =
                ACKNOWLEDGED[viewer].load(std::sync::atomic::Ordering::SeqCst).max(next[viewer]);
            told[viewer] = answered;
            lost[viewer] = u32::from(answered == next[viewer]);
        }
        unanswered += lost.iter().sum::<u32>();
        next = told;
        // What was answered is there already now.
        let kept = kept(&data).await;
        let twice: Vec<_> = kept.iter().filter(|(_, count)| **count != 1).collect();
        assert_eq!(twice, [], "seed {SEED}, after {kills} kills");
        let mut profiles: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        kept.keys()
            .for_each(|(profile, number)| profiles.entry(profile).or_default().push(*number));
        let mut counts: Vec<u32> = profiles
            .values()
            .map(|numbers| {
                let gap = numbers.iter().enumerate().find(|(at, number)| *at as u32 != **number);
                assert_eq!(gap, None, "seed {SEED}, after {kills} kills: of {next:?} told");
                numbers.len() as u32
            })
            .collect();
        counts.resize(3, 0);
        counts.sort_unstable();
        let history = SqliteHistory::open(&data).await.unwrap();
        let mut positions = Vec::new();
        for profile in history.profiles(None, 9).await.unwrap() {
            positions.push(history.position(&profile, "film").await.unwrap().unwrap().seconds + 1);
        }
        positions.resize(3, 0);
        positions.sort_unstable();
        let mut least = next;
        least.sort_unstable();
        for (there, answered) in counts.iter().zip(least) {
            assert!(*there >= answered, "seed {SEED}, after {kills} kills: {there} of {answered}");
        }
        for (watched, answered) in positions.iter().zip(least) {
            assert!(
                *watched >= answered,
                "seed {SEED}, after {kills} kills: at {watched}, told {answered}"
            );
        }
    }
    assert!(
        next.iter().sum::<u32>() > 100,
        "{next:?} and {unanswered}: too little was told to prove anything"
    );
}

static ACKNOWLEDGED: [std::sync::atomic::AtomicU32; 3] =
    [const { std::sync::atomic::AtomicU32::new(0) }; 3];
