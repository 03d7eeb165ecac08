//! How good a model is on a dataset: accuracy against simpler models and against rankings of other programs,
//! on the same splits, with intervals; time to train; time to answer.

pub mod dataset;
pub mod metrics;
pub mod peer;
pub mod split;

pub use dataset::Dataset;
pub use split::{Scheme, Split};

use super::{
    Error, Model, Result, Settings, ease, model::Blend, page, preferences::Entry, rank::best,
    tune::tune,
};
use peer::Peer;
use serde::Serialize;
use std::{collections::HashSet, fs, path::Path, time::Instant};

/// As deep as any measure looks.
const DEPTH: usize = 20;
/// Seed of the bootstraps.
const BOOTSTRAP: u64 = 20;
/// Candidates for each place of a diversified ranking.
const CANDIDATES: usize = 4;

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How to split, one after the other.
    pub schemes: Vec<Scheme>,
    /// Where the search for settings begins, or what to use without a search.
    pub settings: Settings,
    /// Whether to choose settings by the validation part.
    pub tune: bool,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Profiles, titles, entries of the dataset.
    pub profiles: usize,
    /// See above.
    pub titles: usize,
    /// See above.
    pub entries: usize,
    /// Each split.
    pub splits: Vec<SplitReport>,
    /// Over all splits: this model's NDCG@10 less that of each other.
    pub pooled: Vec<Difference>,
}

impl Report {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::json!(self).to_string()).map_err(Error::io("write", path))
    }
}

/// What was measured on one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitReport {
    /// How it was split.
    pub scheme: Scheme,
    /// How many profiles were asked.
    pub asked: usize,
    /// The settings used.
    pub settings: Settings,
    /// This model, `kinora`, first.
    pub contenders: Vec<Contender>,
    /// This model's NDCG@10 less that of each other.
    pub differences: Vec<Difference>,
    /// Time to make a page of rows for a profile, in the process.
    pub page: Latency,
}

/// A model's figures on one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contender {
    /// Its name.
    pub name: String,
    /// Mean NDCG@10 over the profiles.
    pub ndcg_at_10: f64,
    /// Mean Recall@20 over the profiles.
    pub recall_at_20: f64,
    /// The share of the titles trained on that are among somebody's first ten.
    pub coverage_at_10: f64,
    /// Time to train, all processors together, where it is known.
    pub cpu_seconds: Option<f64>,
    /// Time to train, on the clock, where it is known.
    pub seconds: Option<f64>,
    #[serde(skip)]
    by_profile: Vec<f64>,
}

/// A paired difference in NDCG@10 with its 95 % interval, by bootstrap over profiles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Whom this model is compared with.
    pub to: String,
    /// The mean.
    pub mean: f64,
    /// Where it lies with 95 %.
    pub interval: [f64; 2],
}

/// Percentiles of a duration, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99th percentile of the processor time, where the system tells: what is left of the above when
    /// nothing else runs on the machine.
    pub cpu_p99_ms: Option<f64>,
}

/// Splits, tunes, trains and measures. `progress` hears what is being done.
///
/// # Errors
/// [`Error::Evaluation`] when a split leaves nobody to ask or a peer's rankings are of other splits;
/// [`Error::Training`].
pub fn evaluate(
    dataset: &Dataset,
    options: &Options,
    peers: &[Peer],
    mut progress: impl FnMut(&str),
) -> Result<Report> {
    let splits: Vec<SplitReport> = options
        .schemes
        .iter()
        .enumerate()
        .map(|(number, &scheme)| one(dataset, scheme, options, peers, number, &mut progress))
        .collect::<Result<_>>()?;
    let preferences = &dataset.preferences;
    Ok(Report {
        profiles: preferences.profiles().len(),
        titles: preferences.items().len(),
        entries: preferences.len(),
        pooled: pooled(&splits),
        splits,
    })
}

fn one(
    dataset: &Dataset,
    scheme: Scheme,
    options: &Options,
    peers: &[Peer],
    number: usize,
    progress: &mut impl FnMut(&str),
) -> Result<SplitReport> {
    let split = Split::new(&dataset.preferences, scheme);
    let asked = split.asked();
    if asked.is_empty() {
        let reason = "no profile has both something to learn from and something to ask for";
        return Err(Error::Evaluation { reason: reason.to_owned() });
    }
    let label = scheme.to_string();
    let plain = plain_settings(&split, options, |what| progress(&format!("{label}: {what}")))?;
    let settings = if options.tune {
        tune(&split.fit, &split.validation, &dataset.titles, options.settings, |_, value| {
            progress(&format!("{label}: choosing settings, NDCG@10 {value:.4} on validation"));
        })?
    } else {
        options.settings
    };

    progress(&format!("{label}: training"));
    let now = split.train.latest().unwrap_or_default();
    let (model, seconds, cpu_seconds) =
        timed(Clock::Process, || Model::train(&split.train, &dataset.titles, settings, now));
    let model = model?;
    let judge = Judge { split: &split, asked: &asked };
    let mut kinora = judge.contender("kinora", |row| ranking(&model, row, 0.0));
    (kinora.seconds, kinora.cpu_seconds) = (Some(seconds), cpu_seconds);
    let diverse = page::Options::default().diversity;
    let diverse = judge.contender("kinora, diversified", |row| ranking(&model, row, diverse));
    let (trained, seconds, cpu_seconds) =
        timed(Clock::Process, || Model::train(&split.train, &[], plain, now));
    let trained = trained?;
    let mut ease = judge.contender("EASE alone", |row| ranking(&trained, row, 0.0));
    (ease.seconds, ease.cpu_seconds) = (Some(seconds), cpu_seconds);
    let popularity = judge.contender("popularity", |row| {
        let support: Vec<f32> = model.support.iter().map(|&count| count as f32).collect();
        unseen(&support, row, DEPTH)
    });

    let mut contenders = vec![kinora, diverse, ease, popularity];
    for peer in peers {
        contenders.push(peer.contender(number, scheme, &judge)?);
    }
    let own = contenders[0].by_profile.clone();
    let differences = contenders[1..].iter().map(|c| difference(c, &own)).collect();
    let page = page_latency(&model, &split, &asked);
    Ok(SplitReport { scheme, asked: asked.len(), settings, contenders, differences, page })
}

/// Steck's EASE as published, with the regularisation that does best on the validation part.
fn plain_settings(
    split: &Split,
    options: &Options,
    mut progress: impl FnMut(&str),
) -> Result<Settings> {
    let plain = |regularisation| Settings {
        ease: ease::Options {
            regularisation,
            profile_damping: 0.0,
            item_damping: 0.0,
            rating_slope: 0.0,
            ..options.settings.ease
        },
        blend: Blend { popularity: 0.0, content: 0.0, ..options.settings.blend },
    };
    let mut best = (f64::NEG_INFINITY, plain(options.settings.ease.regularisation));
    for regularisation in [50.0, 100.0, 200.0, 300.0, 400.0, 600.0, 1000.0, 2000.0] {
        progress(&format!("EASE alone with λ = {regularisation}"));
        let settings = plain(regularisation);
        let now = split.fit.latest().unwrap_or_default();
        let Ok(model) = Model::train(&split.fit, &[], settings, now) else { continue };
        let mut values = Vec::new();
        for profile in 0..split.fit.profiles().len() {
            let (row, held) = (split.fit.row(profile), split.validation.row(profile));
            if !row.is_empty() && !held.is_empty() {
                values.push(metrics::ndcg(&ranking(&model, row, 0.0), held, 10));
            }
        }
        let value = metrics::mean(&values);
        if value > best.0 {
            best = (value, settings);
        }
    }
    Ok(best.1)
}

fn ranking(model: &Model, history: &[Entry], diversity: f32) -> Vec<u32> {
    let scores = model.scores(history);
    let count = if diversity > 0.0 { DEPTH * CANDIDATES } else { DEPTH };
    let seen: HashSet<u32> = history.iter().map(|entry| entry.item).collect();
    let candidates = best(&scores, count, |item| !seen.contains(&item));
    let picked = model.diversify(&candidates, DEPTH, diversity);
    picked.into_iter().map(|(item, _)| item).collect()
}

fn unseen(scores: &[f32], history: &[Entry], count: usize) -> Vec<u32> {
    let seen: HashSet<u32> = history.iter().map(|entry| entry.item).collect();
    best(scores, count, |item| !seen.contains(&item)).into_iter().map(|(item, _)| item).collect()
}

/// Measures rankings of the profiles asked.
struct Judge<'a> {
    split: &'a Split,
    asked: &'a [usize],
}

impl Judge<'_> {
    fn contender(&self, name: &str, rank: impl Fn(&[Entry]) -> Vec<u32>) -> Contender {
        let rankings = self.asked.iter().map(|&profile| rank(self.split.train.row(profile)));
        self.measured(name, rankings)
    }

    fn measured(&self, name: &str, rankings: impl Iterator<Item = Vec<u32>>) -> Contender {
        let mut by_profile = Vec::new();
        let mut recalls = Vec::new();
        let mut shown = HashSet::new();
        for (&profile, ranked) in self.asked.iter().zip(rankings) {
            let wanted = self.split.test.row(profile);
            by_profile.push(metrics::ndcg(&ranked, wanted, 10));
            recalls.push(metrics::recall(&ranked, wanted, 20));
            shown.extend(ranked.into_iter().take(10));
        }
        let known: HashSet<u32> = self.split.train.rows().flatten().map(|e| e.item).collect();
        Contender {
            name: name.to_owned(),
            ndcg_at_10: metrics::mean(&by_profile),
            recall_at_20: metrics::mean(&recalls),
            coverage_at_10: shown.intersection(&known).count() as f64 / known.len().max(1) as f64,
            cpu_seconds: None,
            seconds: None,
            by_profile,
        }
    }
}

fn difference(to: &Contender, own: &[f64]) -> Difference {
    let differences: Vec<f64> = own.iter().zip(&to.by_profile).map(|(a, b)| a - b).collect();
    let interval = metrics::interval(&differences, BOOTSTRAP);
    Difference { to: to.name.clone(), mean: metrics::mean(&differences), interval }
}

/// Differences over all splits. Splits of the same profiles are not independent: each profile's mean over its
/// splits is drawn.
fn pooled(splits: &[SplitReport]) -> Vec<Difference> {
    let Some(first) = splits.first() else { return Vec::new() };
    if splits.iter().any(|split| split.asked != first.asked) {
        return Vec::new();
    }
    let mean_of = |at: usize| -> Vec<f64> {
        (0..first.asked)
            .map(|profile| {
                let values = splits.iter().map(|split| split.contenders[at].by_profile[profile]);
                values.sum::<f64>() / splits.len() as f64
            })
            .collect()
    };
    let own = mean_of(0);
    (1..first.contenders.len())
        .map(|at| {
            let contender = Contender { by_profile: mean_of(at), ..first.contenders[at].clone() };
            difference(&contender, &own)
        })
        .collect()
}

fn page_latency(model: &Model, split: &Split, asked: &[usize]) -> Latency {
    let options = page::Options::default();
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for &profile in asked {
            let history = split.train.row(profile);
            let ((), seconds, cpu_seconds) = timed(Clock::Thread, || {
                std::hint::black_box(model.page(history, &options, |_| true));
            });
            if round > 0 {
                wall.push(seconds * 1e3);
                cpu.extend(cpu_seconds.map(|seconds| seconds * 1e3));
            }
        }
    }
    Latency {
        p50_ms: metrics::percentile(&mut wall, 0.5),
        p99_ms: metrics::percentile(&mut wall, 0.99),
        cpu_p99_ms: Some(metrics::percentile(&mut cpu, 0.99)).filter(|ms| ms.is_finite()),
    }
}

/// Whose processor time is taken.
#[derive(Clone, Copy)]
enum Clock {
    Process,
    Thread,
}

/// What a call returns, the seconds it took, and the seconds of processor time where the system tells.
fn timed<T>(clock: Clock, call: impl FnOnce() -> T) -> (T, f64, Option<f64>) {
    let (started, cpu) = (Instant::now(), clock.seconds());
    let result = call();
    let cpu = clock.seconds().zip(cpu).map(|(end, start)| end - start);
    (result, started.elapsed().as_secs_f64(), cpu)
}

impl Clock {
    #[cfg(unix)]
    fn seconds(self) -> Option<f64> {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(match self {
            Self::Process => ClockId::ProcessCPUTime,
            Self::Thread => ClockId::ThreadCPUTime,
        });
        Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }

    #[cfg(not(unix))]
    fn seconds(self) -> Option<f64> {
        None
    }
}
