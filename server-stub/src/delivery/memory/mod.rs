//! Media in memory: what is asked for often is read once.
//!
//! Files are kept in slices, the most popular of them in a bounded number of bytes. A slice comes from a [`Source`], once
//! however many ask at the same time. Files of the library are named by their content and never change, so that a slice
//! is good for as long as it is here; a file that has changed all the same is noticed by its validator, and never mixed
//! with what it was.
//!
//! [`answer`] makes answers of slices: ranges, conditions, bodies.

mod answer;
mod source;

pub(crate) use source::Source;

use super::granted::Denied;
use crate::web::{Onward, metrics::Metrics};
use axum::{
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use moka::future::Cache;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use std::sync::Arc;

/// Bytes of a slice; the last one of a file has fewer. Most segments are one.
const SLICE: u64 = 1 << 20;
/// What a slice costs beside its bytes, about.
const OVERHEAD: usize = 400;

/// A file, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct File {
    source: Source,
    /// What it is asked for with there.
    path: Arc<str>,
    /// What it is known by here: the same for everyone.
    name: Arc<str>,
    /// The request that it is read for, if it is not here yet.
    request: Onward,
}

impl File {
    /// The file at a path of a source; `name` is the same for every viewer and every path to it.
    pub(crate) fn new(source: Source, path: &str, name: &str) -> Self {
        Self { source, path: path.into(), name: name.into(), request: Onward::default() }
    }
}

/// What is the same in all slices of a file, as long as the file is the same.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    /// Bytes of the whole file.
    total: u64,
    /// The source's validator.
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// A piece of a file.
#[derive(Debug)]
struct Slice {
    facts: Facts,
    bytes: Bytes,
}

/// Slices by the file's name and their number. Clones share them.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    kept: Cache<(Arc<str>, u64), Arc<Slice>>,
    looked_up: Family<Looked, Counter>,
    fetched: Counter,
    held: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Looked {
    result: &'static str,
}

impl Memory {
    /// Room for so many bytes.
    pub fn new(bytes: u64, metrics: &Metrics) -> Self {
        let weight = |(name, _): &(Arc<str>, u64), slice: &Arc<Slice>| {
            u32::try_from(slice.bytes.len() + name.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let inner = Inner {
            kept: Cache::builder().max_capacity(bytes).weigher(weight).build(),
            looked_up: Family::default(),
            fetched: Counter::default(),
            held: Gauge::default(),
        };
        metrics.register(|registry| {
            let looked_up = inner.looked_up.clone();
            registry.register("media_slices", "Slices of media looked up in memory", looked_up);
            let fetched = inner.fetched.clone();
            registry.register("media_read_bytes", "Bytes that were not in memory", fetched);
            registry.register("media_held_bytes", "Bytes in memory, about", inner.held.clone());
        });
        Self(Arc::new(inner))
    }

    /// Answers a request for a file.
    pub(crate) async fn answer(&self, mut file: File, asked: &Parts) -> Result<Response, Denied> {
        if matches!(file.source, Source::There(_)) {
            file.request = Onward::of(&asked.extensions);
        }
        answer::answer(self, file, &asked.method, &asked.headers).await
    }

    /// Whether a request can be answered from slices: it has no condition but those that are known here.
    pub(crate) fn understands(headers: &HeaderMap) -> bool {
        !headers.contains_key(header::IF_MATCH)
            && !headers.contains_key(header::IF_UNMODIFIED_SINCE)
    }

    /// A slice of a file, and whether it was here. Of those who ask for one that is not, one reads and all wait; what
    /// goes wrong with that goes wrong for all of them, and is not kept.
    async fn get(&self, file: &File, number: u64) -> Result<(Arc<Slice>, bool), Denied> {
        let Inner { kept, looked_up, fetched, held } = &*self.0;
        let read = async {
            let slice = file.source.slice(&file.path, number, &file.request).await?;
            fetched.inc_by(slice.bytes.len() as u64);
            Ok(Arc::new(slice))
        };
        let entry = kept.entry((file.name.clone(), number)).or_try_insert_with(read).await;
        let result = match &entry {
            Ok(entry) if entry.is_fresh() => "miss",
            Ok(_) => "hit",
            Err(_) => "failed",
        };
        looked_up.get_or_create(&Looked { result }).inc();
        let entry = entry.map_err(|denied: Arc<Denied>| (*denied).clone())?;
        if entry.is_fresh() {
            // Else what is to be let go of stays for a while, and a while is many slices.
            kept.run_pending_tasks().await;
            held.set(i64::try_from(kept.weighted_size()).unwrap_or(i64::MAX));
        }
        let here = !entry.is_fresh();
        Ok((entry.into_value(), here))
    }

    /// Lets go of a file that has become another.
    async fn forget(&self, file: &File, facts: &Facts) {
        for number in 0..facts.total.div_ceil(SLICE) {
            self.0.kept.invalidate(&(file.name.clone(), number)).await;
        }
    }
}
