//! Models among the blobs: one for each version, and one that names the current version.
//!
//! A blob is there as a whole or not at all, and `CURRENT` is replaced after the model it names is there, so that a
//! crash at any moment leaves a model that loads.

use super::{Error, Result, codec, model::Model};
use crate::{
    crash,
    storage::{
        Blobs,
        blobs::{BlobName, NotAName},
        files::FileBlobs,
    },
};
use serde::Serialize;
use std::{path::Path, sync::Arc};

const CURRENT: &str = "CURRENT";
const EXTENSION: &str = ".model";
/// Where a service keeps its models among its blobs.
pub const PREFIX: &str = "models/";

/// Versions of a model.
#[derive(Clone)]
pub struct Store {
    blobs: Arc<dyn Blobs>,
    /// What the names of its blobs begin with.
    prefix: String,
    /// Where that is, for people.
    place: String,
}

/// A version in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ModelVersion)]
pub struct Version {
    /// Its name: a number that rises, and the beginning of the file's SHA-256.
    pub version: String,
    /// The size of its file, bytes.
    pub bytes: u64,
    /// Whether it is the one to use.
    pub current: bool,
}

/// A model that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Its version.
    pub version: String,
    /// The model.
    pub model: Model,
    /// What was refused before it.
    pub refused: Vec<Error>,
}

impl Store {
    /// The store among those blobs whose names begin with a prefix; `place` says where that is.
    pub fn new(blobs: Arc<dyn Blobs>, prefix: &str, place: &str) -> Self {
        Self { blobs, prefix: prefix.to_owned(), place: place.to_owned() }
    }

    /// The store in this directory, which is made when something is published.
    ///
    /// # Errors
    /// [`Error::Storage`] when the directory cannot be read.
    pub async fn in_directory(directory: &Path) -> Result<Self> {
        let blobs = Arc::new(FileBlobs::open(directory).await?);
        Ok(Self::new(blobs, "", &directory.display().to_string()))
    }

    /// Writes a model as a new version and makes it the current one.
    ///
    /// # Errors
    /// [`Error::Storage`] or [`Error::Model`]; the current version is then either the one it was or the new one.
    pub async fn publish(&self, model: &Model) -> Result<String> {
        let refused = |reason| Error::Model { version: "to be".into(), reason };
        let file = codec::encode(model).map_err(refused)?;
        codec::decode(&file).map_err(refused)?;
        let last = self.versions().await?.pop().and_then(|version| number(&version.version));
        let version = format!("{:08}-{}", last.unwrap_or(0) + 1, codec::fingerprint(&file));
        // Another may have published the same at the same time.
        self.blobs.create(&self.file(&version)?, file).await?;
        crash::point("models/published");
        self.set_current(&version).await?;
        Ok(version)
    }

    /// The versions, the oldest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn versions(&self) -> Result<Vec<Version>> {
        let current = self.current().await?;
        let listed = self.blobs.list(&self.prefix).await?;
        let mut versions: Vec<Version> = listed
            .into_iter()
            .filter_map(|blob| {
                let name = blob.name.as_str().strip_prefix(&self.prefix)?;
                let version = name.strip_suffix(EXTENSION)?.to_owned();
                number(&version)?;
                let current = Some(&version) == current.as_ref();
                Some(Version { version, bytes: blob.size, current })
            })
            .collect();
        versions
            .sort_unstable_by_key(|version| (number(&version.version), version.version.clone()));
        Ok(versions)
    }

    /// The current model; where that one is refused, the latest before it that loads.
    ///
    /// # Errors
    /// [`Error::NoModel`] when nothing was published, the refusal when nothing loads, or [`Error::Storage`].
    pub async fn load(&self) -> Result<Loaded> {
        let Some(current) = self.current().await? else {
            let reason = format!(
                "no model in {}; train one with `kinora-server recommend train`",
                self.place
            );
            return Err(Error::NoModel { reason });
        };
        let mut refused = Vec::new();
        for version in std::iter::once(current.clone()).chain(self.before(&current).await?) {
            match self.read(&version).await {
                Ok(model) => return Ok(Loaded { version, model, refused }),
                Err(error) => refused.push(error),
            }
        }
        Err(refused.swap_remove(0))
    }

    /// Makes the latest version before the current one that loads the current one.
    ///
    /// # Errors
    /// [`Error::NoModel`] when there is none; the current version stays.
    pub async fn roll_back(&self) -> Result<String> {
        let current = self.current().await?.unwrap_or_default();
        for version in self.before(&current).await? {
            if self.read(&version).await.is_ok() {
                self.set_current(&version).await?;
                return Ok(version);
            }
        }
        let reason = format!("no model before {current} that loads; nothing was changed");
        Err(Error::NoModel { reason })
    }

    /// Removes all but the `keep` latest versions; the current one stays, and the one before it.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn prune(&self, keep: usize) -> Result<Vec<String>> {
        let versions = self.versions().await?;
        let current = versions.iter().position(|version| version.current).unwrap_or(0);
        let first = versions.len().saturating_sub(keep).min(current.saturating_sub(1));
        let mut removed = Vec::new();
        for Version { version, .. } in versions.into_iter().take(first) {
            self.blobs.remove(&self.file(&version)?).await?;
            removed.push(version);
        }
        Ok(removed)
    }

    /// The name of the current version, whether or not it loads; none if nothing was published.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn current(&self) -> Result<Option<String>> {
        let name = self.blobs.read(&self.name(CURRENT)?, 0..256).await?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).trim().to_owned()))
    }

    /// The versions before this one, the latest first.
    async fn before(&self, version: &str) -> Result<Vec<String>> {
        let mut versions = self.versions().await?;
        versions.retain(|other| number(&other.version) < number(version));
        Ok(versions.into_iter().rev().map(|version| version.version).collect())
    }

    async fn read(&self, version: &str) -> Result<Model> {
        let refused = |reason| Error::Model { version: version.to_owned(), reason };
        if number(version).is_none() {
            return Err(refused("it is no version's name".to_owned()));
        }
        let file = self.blobs.read(&self.file(version)?, 0..codec::MAX_FILE + 1).await;
        let file = file.map_err(|error| refused(format!("it cannot be read: {error}")))?;
        let file = file.ok_or_else(|| refused("it is gone".to_owned()))?;
        if file.len() as u64 > codec::MAX_FILE {
            return Err(refused(format!("it is longer than {} bytes", codec::MAX_FILE)));
        }
        // It takes a while for a large one, and others are waiting.
        let decoded = tokio::task::spawn_blocking(move || codec::decode(&file)).await;
        decoded.map_err(|error| refused(error.to_string()))?.map_err(refused)
    }

    async fn set_current(&self, version: &str) -> Result<()> {
        self.blobs.put(&self.name(CURRENT)?, format!("{version}\n").into_bytes()).await?;
        Ok(())
    }

    fn file(&self, version: &str) -> Result<BlobName> {
        self.name(&format!("{version}{EXTENSION}"))
    }

    fn name(&self, name: &str) -> Result<BlobName> {
        BlobName::try_from(format!("{}{name}", self.prefix)).map_err(|NotAName| Error::Model {
            version: name.to_owned(),
            reason: NotAName.to_string(),
        })
    }
}

/// The number in a version's name, if it is one.
fn number(version: &str) -> Option<u64> {
    let (number, fingerprint) = version.split_once('-')?;
    let named = fingerprint.len() == 12 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
    if named && number.bytes().all(|b| b.is_ascii_digit()) { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recommend::testing::trained,
        storage::{self, blobs::Blob},
    };
    use async_trait::async_trait;
    use std::{
        fs,
        ops::Range,
        sync::atomic::{AtomicI64, Ordering},
    };

    /// Blobs of a program that dies: from the nth change on nothing happens any more.
    struct Dying {
        blobs: FileBlobs,
        left: AtomicI64,
    }

    impl Dying {
        fn step(&self) -> storage::Result<()> {
            match self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
                true => Ok(()),
                false => Err(storage::Error::Unavailable { reason: "it died".to_owned() }),
            }
        }
    }

    #[async_trait]
    impl Blobs for Dying {
        async fn put(&self, name: &BlobName, bytes: Vec<u8>) -> storage::Result<()> {
            self.step()?;
            self.blobs.put(name, bytes).await
        }
        async fn create(&self, name: &BlobName, bytes: Vec<u8>) -> storage::Result<bool> {
            self.step()?;
            self.blobs.create(name, bytes).await
        }
        async fn read(&self, name: &BlobName, at: Range<u64>) -> storage::Result<Option<Vec<u8>>> {
            self.blobs.read(name, at).await
        }
        async fn size(&self, name: &BlobName) -> storage::Result<Option<u64>> {
            self.blobs.size(name).await
        }
        async fn list(&self, prefix: &str) -> storage::Result<Vec<Blob>> {
            self.blobs.list(prefix).await
        }
        async fn remove(&self, name: &BlobName) -> storage::Result<bool> {
            self.step()?;
            self.blobs.remove(name).await
        }
        async fn ready(&self) -> storage::Result<()> {
            self.blobs.ready().await
        }
    }

    #[tokio::test]
    async fn versions_rise_and_roll_back() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Arc::new(FileBlobs::open(directory.path()).await.unwrap());
        let store = Store::new(blobs, PREFIX, "the test");
        assert!(matches!(store.load().await, Err(Error::NoModel { .. })));
        let first = store.publish(&trained(1)).await.unwrap();
        let second = store.publish(&trained(2)).await.unwrap();
        assert!(first.starts_with("00000001-") && second.starts_with("00000002-"));
        assert_eq!(store.load().await.unwrap().model, trained(2));

        assert_eq!(store.roll_back().await, Ok(first.clone()));
        assert_eq!(store.load().await.unwrap().version, first);
        assert!(matches!(store.roll_back().await, Err(Error::NoModel { .. })));
        assert_eq!(store.load().await.unwrap().model, trained(1));

        let third = store.publish(&trained(3)).await.unwrap();
        assert!(third.starts_with("00000003-"), "a number is not used twice: {third}");
        let listed = store.versions().await.unwrap();
        assert_eq!(listed.iter().map(|v| v.current).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(store.prune(1).await, Ok(vec![first]), "a step back stays possible");
        assert_eq!(store.roll_back().await, Ok(second));
    }

    #[tokio::test]
    async fn a_damaged_model_is_refused_and_the_one_before_it_used() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::in_directory(directory.path()).await.unwrap();
        let first = store.publish(&trained(1)).await.unwrap();
        let second = store.publish(&trained(2)).await.unwrap();
        let path = directory.path().join(format!("{second}.model"));
        let file = fs::read(&path).unwrap();
        fs::write(&path, &file[..file.len() - 9]).unwrap();
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.version, first);
        let refusal = Error::Model { version: second, reason: "it is cut off".into() };
        assert_eq!(loaded.refused, std::slice::from_ref(&refusal));

        fs::remove_file(directory.path().join(format!("{first}.model"))).unwrap();
        assert_eq!(store.load().await.unwrap_err(), refusal);
        fs::write(directory.path().join(CURRENT), "../../etc/passwd").unwrap();
        assert!(matches!(store.load().await, Err(Error::Model { .. })));
    }

    #[tokio::test]
    async fn dying_at_any_step_leaves_a_model_that_loads() {
        let mut steps = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::in_directory(directory.path()).await.unwrap();
            store.publish(&trained(1)).await.unwrap();
            let blobs = FileBlobs::open(directory.path()).await.unwrap();
            let dying = Arc::new(Dying { blobs, left: AtomicI64::new(steps) });
            let published = Store::new(dying, "", "the test").publish(&trained(2)).await;
            let loaded = store.load().await.unwrap();
            assert_eq!(loaded.refused, [], "dead after {steps} steps");
            let expected = if published.is_ok() { 2 } else { 1 };
            assert_eq!(loaded.model, trained(expected), "dead after {steps} steps");
            // Whatever was left behind is in nobody's way.
            store.publish(&trained(3)).await.unwrap();
            assert_eq!(store.load().await.unwrap().model, trained(3));
            if published.is_ok() {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, 2, "the model, and the name of the current one");
    }
}
