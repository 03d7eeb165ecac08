//! What every `Experiments` does.

use super::Fresh;
use kinora_server::{
    clock::UnixTime,
    storage::{
        Experiments,
        experiments::{Experiment, Put, Status},
        sqlite::SqliteExperiments,
    },
};
use std::sync::Arc;

const NOW: UnixTime = UnixTime(1_000_000);

fn experiment(id: &str, first_share: u16, shares: u16, status: &str) -> Experiment {
    let document = serde_json::json!({
        "id": id, "layer": "layer", "first_share": first_share, "shares": shares, "status": status,
        "arms": [{"id": "a", "weight": 1}, {"id": "b", "weight": 2, "abr": {"max_height": 480}}],
        "audience": {"platforms": ["web"], "regions": ["DE"], "kids": true},
    });
    serde_json::from_value(document).unwrap()
}

async fn what_was_written_is_read(experiments: &impl Experiments) {
    let one = experiment("b--", 0, 10, "draft");
    assert_eq!(experiments.all().await.unwrap(), []);
    assert_eq!(experiments.put(&one, NOW).await.unwrap(), Put::Done { new: true });
    assert_eq!(experiments.put(&one, NOW).await.unwrap(), Put::Done { new: false });
    let other = experiment("a", 5, 10, "running");
    experiments.put(&other, NOW).await.unwrap();
    assert_eq!(experiments.all().await.unwrap(), [other.clone(), one.clone()]);
    assert_eq!(experiments.experiment("a").await.unwrap(), Some(other));
    assert_eq!(experiments.experiment("c").await.unwrap(), None);
    assert!(experiments.remove("b--").await.unwrap());
    assert!(!experiments.remove("b--").await.unwrap());
    assert!(experiments.remove("a").await.unwrap());
}

async fn what_runs_stays_as_it_is(experiments: &impl Experiments) {
    let draft = experiment("x", 0, 10, "draft");
    experiments.put(&draft, NOW).await.unwrap();
    let mut running = experiment("x", 0, 20, "running");
    assert_eq!(experiments.put(&running, NOW).await.unwrap(), Put::Done { new: false });
    running.shares = 30;
    assert_eq!(experiments.put(&running, NOW).await.unwrap(), Put::Fixed);
    running.shares = 20;
    running.status = Status::Stopped;
    running.audience.kids = false;
    assert_eq!(experiments.put(&running, NOW).await.unwrap(), Put::Done { new: false });
    running.arms.pop();
    assert_eq!(experiments.put(&running, NOW).await.unwrap(), Put::Fixed);
    assert!(experiments.remove("x").await.unwrap());
}

/// Eight want the same shares at once: one runs in them.
async fn of_many_that_overlap_one_runs(experiments: Arc<impl Experiments>) {
    let tries = (0..8).map(|number| {
        let experiments = experiments.clone();
        tokio::spawn(async move {
            let one = experiment(&format!("e{number}"), number * 10, 500, "running");
            experiments.put(&one, NOW).await.unwrap()
        })
    });
    let mut running = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Put::Done { new: true } => running += 1,
            Put::Overlaps(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(running, 1);
    assert_eq!(experiments.all().await.unwrap().len(), 1);
}

async fn suite(experiments: impl Experiments) {
    experiments.ready().await.unwrap();
    what_was_written_is_read(&experiments).await;
    what_runs_stays_as_it_is(&experiments).await;
    of_many_that_overlap_one_runs(Arc::new(experiments)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteExperiments::open(directory.path()).await.unwrap();
    let fresh = Fresh { storage, directory };
    suite(fresh.storage).await;
}
