//! What every `Blobs` does.

use super::Fresh;
use kinora_server::storage::{
    Blobs,
    blobs::{Blob, BlobName},
    files::FileBlobs,
};
use std::sync::Arc;

fn name(text: &str) -> BlobName {
    text.parse().unwrap()
}

async fn whole(blobs: &impl Blobs, of: &str) -> Option<Vec<u8>> {
    blobs.read(&name(of), 0..u64::MAX).await.unwrap()
}

async fn what_was_put_is_read(blobs: &impl Blobs) {
    assert_eq!(whole(blobs, "a/one").await, None);
    assert_eq!(blobs.size(&name("a/one")).await.unwrap(), None);
    assert_eq!(blobs.list("").await.unwrap(), []);
    blobs.put(&name("a/one"), b"first".to_vec()).await.unwrap();
    assert_eq!(whole(blobs, "a/one").await.unwrap(), b"first");
    blobs.put(&name("a/one"), b"second, longer".to_vec()).await.unwrap();
    assert_eq!(whole(blobs, "a/one").await.unwrap(), b"second, longer");
    assert_eq!(blobs.size(&name("a/one")).await.unwrap(), Some(14));
    assert_eq!(whole(blobs, "a").await, None, "what is above a blob is none");
    blobs.put(&name("empty"), Vec::new()).await.unwrap();
    assert_eq!(whole(blobs, "empty").await.unwrap(), b"");
}

async fn a_part_of_it_is_read(blobs: &impl Blobs) {
    blobs.put(&name("digits"), b"0123456789".to_vec()).await.unwrap();
    for (range, part) in
        [(0..3, "012"), (4..6, "45"), (8..20, "89"), (10..12, ""), (99..100, ""), (5..5, "")]
    {
        let read = blobs.read(&name("digits"), range.clone()).await.unwrap().unwrap();
        assert_eq!(read, part.as_bytes(), "{range:?}");
    }
}

async fn one_of_several_creates_it(blobs: Arc<impl Blobs>) {
    let tries = (0..16).map(|number| {
        let blobs = blobs.clone();
        tokio::spawn(async move {
            blobs.create(&name("once"), vec![number; 50_000]).await.unwrap().then_some(number)
        })
    });
    let mut won = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        won.extend(attempt.await.unwrap());
    }
    assert_eq!(won.len(), 1);
    assert_eq!(whole(&*blobs, "once").await.unwrap(), vec![won[0]; 50_000]);
    assert!(!blobs.create(&name("once"), Vec::new()).await.unwrap());
}

/// Whoever reads while others write sees one of the values, never a mixture.
async fn a_reader_sees_a_whole_blob(blobs: Arc<impl Blobs>) {
    blobs.put(&name("whole"), vec![0; 200_000]).await.unwrap();
    let writers: Vec<_> = (1..4)
        .map(|number| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    blobs.put(&name("whole"), vec![number; 200_000]).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..50 {
        let read = whole(&*blobs, "whole").await.unwrap();
        assert_eq!(read.len(), 200_000);
        assert!(read.iter().all(|byte| *byte == read[0]));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn a_list_is_in_order(blobs: &impl Blobs) {
    for of in ["l/b", "l/a", "l/sub/c", "lx", "l/a.1"] {
        blobs.put(&name(of), of.as_bytes().to_vec()).await.unwrap();
    }
    let names = async |prefix: &str| -> Vec<String> {
        let listed = blobs.list(prefix).await.unwrap();
        listed.into_iter().map(|blob| blob.name.as_str().to_owned()).collect()
    };
    assert_eq!(names("l/").await, ["l/a", "l/a.1", "l/b", "l/sub/c"]);
    assert_eq!(names("l/a").await, ["l/a", "l/a.1"]);
    assert_eq!(names("l/sub/").await, ["l/sub/c"]);
    assert_eq!(names("nothing").await, [""; 0]);
    assert_eq!(names("../").await, [""; 0]);
    assert!(blobs.remove(&name("l/a")).await.unwrap());
    assert!(!blobs.remove(&name("l/a")).await.unwrap());
    let left = blobs.list("l/a").await.unwrap();
    assert_eq!(left, [Blob { name: name("l/a.1"), size: 5 }]);
}

async fn suite(blobs: impl Blobs) {
    blobs.ready().await.unwrap();
    what_was_put_is_read(&blobs).await;
    a_part_of_it_is_read(&blobs).await;
    a_list_is_in_order(&blobs).await;
    let blobs = Arc::new(blobs);
    one_of_several_creates_it(blobs.clone()).await;
    a_reader_sees_a_whole_blob(blobs).await;
}

async fn files() -> Fresh<FileBlobs> {
    let directory = tempfile::tempdir().unwrap();
    let storage = FileBlobs::open(&directory.path().join("blobs")).await.unwrap();
    Fresh { storage, directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_conform() {
    let fresh = files().await;
    suite(fresh.storage).await;
}

#[tokio::test]
async fn what_a_dead_process_left_goes_and_what_a_living_one_writes_stays() {
    let Fresh { storage, directory } = files().await;
    storage.put(&name("a/one"), b"1".to_vec()).await.unwrap();
    let folder = directory.path().join("blobs/a");
    std::fs::write(folder.join(".0011223344556677.part"), b"half").unwrap();
    let writing = std::fs::File::create(folder.join(".8899aabbccddeeff.part")).unwrap();
    writing.lock().unwrap();
    let again = FileBlobs::open(&directory.path().join("blobs")).await.unwrap();
    assert!(!folder.join(".0011223344556677.part").exists());
    assert!(folder.join(".8899aabbccddeeff.part").exists());
    assert_eq!(again.list("").await.unwrap().len(), 1);
}
