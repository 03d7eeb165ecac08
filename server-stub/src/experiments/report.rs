//! What became of the viewers of each arm.
//!
//! The unit is the profile, as that is what is divided: each counts once, however much it watched. What counts is what
//! happened in playbacks that the log says were as the arm asks. Intervals are of the bootstrap (percentiles, 95 %), by
//! a seed, so that the same log gives the same report.

use crate::{
    events::{
        event::Happening,
        record::{Kept, What},
    },
    storage::{self, EventLog, experiments::Experiment},
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Records that are read at once.
const AT_ONCE: usize = 1000;
/// Drawings of the bootstrap.
const DRAWINGS: usize = 2000;
/// A split that is less likely than this has something wrong with it.
const SUSPICIOUS: f64 = 0.001;

/// What an experiment has shown so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The experiment.
    pub experiment: String,
    /// Profiles in each arm.
    pub arms: Vec<ArmSize>,
    /// Profiles that were seen in two arms, and are in none here.
    pub mixed: usize,
    /// Whether the arms have the parts that they should have.
    pub split: Split,
    /// What was measured.
    pub measures: Vec<Measure>,
}

/// How many are in an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmSize {
    /// The arm.
    pub arm: String,
    /// Its profiles.
    pub profiles: usize,
    /// Their playbacks.
    pub playbacks: usize,
}

/// The sample-ratio check: Pearson's chi-squared test of the arms' sizes against their weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Split {
    /// The statistic.
    pub chi_squared: f64,
    /// How likely a split at least as uneven is by chance.
    pub p: f64,
    /// Whether it is too unlikely to believe in anything below.
    pub suspicious: bool,
}

/// One measure in all arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// What is measured.
    pub name: &'static str,
    /// In each arm, in their order.
    pub arms: Vec<ArmMeasure>,
}

/// One measure in one arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmMeasure {
    /// The arm.
    pub arm: String,
    /// Profiles of which it is known.
    pub profiles: usize,
    /// Their mean.
    pub mean: Option<f64>,
    /// The mean less that of the first arm, with its interval; none for the first arm.
    pub difference: Option<Difference>,
}

/// A difference of means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// What was found.
    pub mean: f64,
    /// Where it lies with 95 % confidence.
    pub interval: [f64; 2],
}

/// What one profile's playbacks in an arm add up to.
#[derive(Debug, Clone, Default)]
struct Sums {
    playbacks: u32,
    started: u32,
    startup_ms: u64,
    watched_ms: u64,
    stalled_ms: u64,
    stalls: u32,
    bits: f64,
    bits_ms: u64,
    failures: u32,
}

/// A measure of a profile; none if its playbacks do not tell.
type Reading = fn(&Sums) -> Option<f64>;

const MEASURES: [(&str, Reading); 6] = [
    ("watched_minutes", |sums| Some(sums.watched_ms as f64 / 60_000.0)),
    ("startup_seconds", |sums| ratio(sums.startup_ms as f64 / 1000.0, f64::from(sums.started))),
    ("stalled_share", |sums| {
        ratio(sums.stalled_ms as f64, (sums.stalled_ms + sums.watched_ms) as f64)
    }),
    ("stalls_per_hour", |sums| ratio(f64::from(sums.stalls), sums.watched_ms as f64 / 3_600_000.0)),
    ("megabits_per_second", |sums| ratio(sums.bits / 1e6, sums.bits_ms as f64 / 1000.0)),
    ("failures_per_playback", |sums| ratio(f64::from(sums.failures), f64::from(sums.playbacks))),
];

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Reads the log and reports. Memory grows with the playbacks of the experiment.
///
/// # Errors
/// When the storage fails.
pub async fn report(
    log: &dyn EventLog,
    experiment: &Experiment,
    seed: u64,
) -> storage::Result<Report> {
    let arm_of = |arm: &str| experiment.arms.iter().position(|one| one.id.as_str() == arm);
    // Of each playback that was exposed: whose it is, and in which arm.
    let mut playbacks: HashMap<String, (String, usize)> = HashMap::new();
    let mut events: HashMap<String, Sums> = HashMap::new();
    let mut from = 0;
    while let page = log.read(from, AT_ONCE).await?
        && let Some(last) = page.last()
    {
        from = last.offset + 1;
        for record in &page {
            // What a later version wrote is not for this one.
            let Some(Kept { profile, what, .. }) = Kept::read(&record.value) else { continue };
            match what {
                What::Exposed { experiment: of, arm, playback_id } if of == experiment.id => {
                    if let Some(arm) = arm_of(arm.as_str()) {
                        playbacks.insert(playback_id.into(), (profile.into(), arm));
                    }
                }
                What::Exposed { .. } => {}
                What::Told(happening) => {
                    // An exposure is told before anything happens in its playback. A playback of another profile
                    // does not count, whatever a client calls it.
                    if let Some(id) = playback(&happening)
                        && playbacks.get(id).is_some_and(|(owner, _)| owner == profile.as_str())
                    {
                        events.entry(id.to_owned()).or_default().add(&happening);
                    }
                }
            }
        }
    }
    let mut profiles: BTreeMap<String, (usize, bool, Sums)> = BTreeMap::new();
    // In one order, so that sums of floats are the same.
    let playbacks: BTreeMap<_, _> = playbacks.into_iter().collect();
    for (id, (profile, arm)) in playbacks {
        let (first, mixed, sums) = profiles.entry(profile).or_insert((arm, false, Sums::default()));
        *mixed |= *first != arm;
        sums.playbacks += 1;
        if let Some(more) = events.get(&id) {
            sums.merge(more);
        }
    }
    let mixed = profiles.values().filter(|(_, mixed, _)| *mixed).count();
    let mut arms: Vec<Vec<Sums>> = vec![Vec::new(); experiment.arms.len()];
    for (arm, _, sums) in profiles.into_values().filter(|(_, mixed, _)| !mixed) {
        arms[arm].push(sums);
    }
    Ok(compare(experiment, &arms, mixed, seed))
}

fn compare(experiment: &Experiment, arms: &[Vec<Sums>], mixed: usize, seed: u64) -> Report {
    let name = |arm: usize| experiment.arms[arm].id.as_str().to_owned();
    let sizes = arms.iter().enumerate().map(|(arm, profiles)| ArmSize {
        arm: name(arm),
        profiles: profiles.len(),
        playbacks: profiles.iter().map(|sums| sums.playbacks as usize).sum(),
    });
    let measures = MEASURES.iter().map(|(measure, reading)| {
        let readings: Vec<Vec<f64>> =
            arms.iter().map(|profiles| profiles.iter().filter_map(reading).collect()).collect();
        let arms = readings.iter().enumerate().map(|(arm, values)| ArmMeasure {
            arm: name(arm),
            profiles: values.len(),
            mean: mean(values),
            difference: if arm == 0 { None } else { difference(&readings[0], values, seed) },
        });
        Measure { name: measure, arms: arms.collect() }
    });
    let counts: Vec<usize> = arms.iter().map(Vec::len).collect();
    let weights: Vec<f64> = experiment.arms.iter().map(|arm| f64::from(arm.weight)).collect();
    Report {
        experiment: experiment.id.as_str().to_owned(),
        arms: sizes.collect(),
        mixed,
        split: split(&counts, &weights),
        measures: measures.collect(),
    }
}

fn playback(happening: &Happening) -> Option<&str> {
    Some(match happening {
        Happening::PlaybackStarted { playback_id, .. }
        | Happening::PlaybackStalled { playback_id, .. }
        | Happening::QualityChanged { playback_id, .. }
        | Happening::PlaybackSought { playback_id, .. }
        | Happening::PlaybackFailed { playback_id, .. } => playback_id.as_str(),
        Happening::PlaybackProgressed { watched, .. }
        | Happening::PlaybackEnded { watched, .. } => watched.playback_id.as_str(),
        Happening::RowShown { .. } | Happening::TitleOpened { .. } | Happening::Searched { .. } => {
            return None;
        }
    })
}

impl Sums {
    fn add(&mut self, happening: &Happening) {
        match happening {
            Happening::PlaybackStarted { startup_ms, .. } => {
                self.started += 1;
                self.startup_ms += u64::from(*startup_ms);
            }
            Happening::PlaybackProgressed { watched, .. }
            | Happening::PlaybackEnded { watched, .. } => {
                self.watched_ms += u64::from(watched.watched_ms);
                if let Some(rate) = watched.bandwidth_bps {
                    self.bits += rate as f64 * f64::from(watched.watched_ms) / 1000.0;
                    self.bits_ms += u64::from(watched.watched_ms);
                }
            }
            Happening::PlaybackStalled { duration_ms, .. } => {
                self.stalls += 1;
                self.stalled_ms += u64::from(*duration_ms);
            }
            Happening::PlaybackFailed { .. } => self.failures += 1,
            _ => {}
        }
    }

    fn merge(&mut self, more: &Self) {
        self.started += more.started;
        self.startup_ms += more.startup_ms;
        self.watched_ms += more.watched_ms;
        self.stalled_ms += more.stalled_ms;
        self.stalls += more.stalls;
        self.bits += more.bits;
        self.bits_ms += more.bits_ms;
        self.failures += more.failures;
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    ratio(values.iter().sum(), values.len() as f64)
}

/// The second's mean less the first's; none with fewer than two of each.
fn difference(first: &[f64], second: &[f64], seed: u64) -> Option<Difference> {
    if first.len() < 2 || second.len() < 2 {
        return None;
    }
    let found = mean(second)? - mean(first)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut again = |values: &[f64]| {
        let sum: f64 = values.iter().map(|_| values[random.usize(0..values.len())]).sum();
        sum / values.len() as f64
    };
    let mut drawn: Vec<f64> = (0..DRAWINGS).map(|_| again(second) - again(first)).collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| drawn[(part * (DRAWINGS - 1) as f64).round() as usize];
    Some(Difference { mean: found, interval: [at(0.025), at(0.975)] })
}

fn split(counts: &[usize], weights: &[f64]) -> Split {
    let total: usize = counts.iter().sum();
    let whole: f64 = weights.iter().sum();
    let mut chi_squared = 0.0;
    let mut used = 0;
    for (count, weight) in counts.iter().zip(weights) {
        let expected = total as f64 * weight / whole;
        if expected > 0.0 {
            chi_squared += (*count as f64 - expected).powi(2) / expected;
            used += 1;
        }
    }
    let p = if used < 2 { 1.0 } else { upper_gamma(f64::from(used - 1) / 2.0, chi_squared / 2.0) };
    Split { chi_squared, p, suspicious: p < SUSPICIOUS }
}

/// The regularised upper incomplete gamma function Q(a, x) for a that is a multiple of one half, by its recurrence
/// Q(a + 1, x) = Q(a, x) + xᵃ e⁻ˣ / Γ(a + 1) (DLMF 8.8.6) from Q(½, x) = erfc(√x) and Q(1, x) = e⁻ˣ.
fn upper_gamma(a: f64, x: f64) -> f64 {
    let whole = a.fract() == 0.0;
    let decay = (-x).exp();
    let (mut at, mut value, mut term) = match whole {
        true => (1.0, decay, decay * x),
        // Γ(3/2) is half the root of π.
        false => (0.5, libm::erfc(x.sqrt()), decay * x.sqrt() * std::f64::consts::FRAC_2_SQRT_PI),
    };
    while at + 0.5 < a {
        value += term;
        at += 1.0;
        term *= x / at;
    }
    value.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        events::event::{EndReason, Watched},
        experiments::assign::{arm, tests::experiment},
        id::{ProfileId, hex},
        platform::Platform,
        storage::files::{FileLog, LogOptions},
    };

    /// Critical values of the chi-squared distribution, as tables have them.
    #[test]
    fn the_chi_squared_distribution_is_as_in_tables() {
        for (degrees, chi_squared, p) in [
            (1, 3.841_459, 0.05),
            (1, 10.827_57, 0.001),
            (2, 5.991_465, 0.05),
            (3, 7.814_728, 0.05),
            (4, 9.487_729, 0.05),
            (15, 24.995_79, 0.05),
        ] {
            let found = upper_gamma(f64::from(degrees) / 2.0, chi_squared / 2.0);
            assert!((found - p).abs() < 1e-6, "{degrees}: {found}");
        }
        assert!((upper_gamma(0.5, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_uneven_split_is_noticed() {
        assert!(!split(&[5000, 5100], &[1.0, 1.0]).suspicious);
        assert!(split(&[5000, 5400], &[1.0, 1.0]).suspicious);
        assert!(!split(&[2500, 7500, 0], &[1.0, 3.0, 0.0]).suspicious);
        assert!(!split(&[0, 0], &[1.0, 1.0]).suspicious);
    }

    /// Of 600 viewers each watches one film of ten minutes; those of the second arm stand still for longer.
    async fn told(log: &FileLog, experiment: &Experiment, worse: u32) {
        let mut random = fastrand::Rng::with_seed(5);
        for viewer in 0_u32..600 {
            let profile: ProfileId =
                hex(&[[0; 12].as_slice(), &viewer.to_be_bytes()].concat()).parse().unwrap();
            let arm = arm(experiment, profile.as_str()).unwrap();
            let playback = format!("p{viewer}");
            let kept = |what| Kept {
                profile: profile.clone(),
                session: None,
                platform: Platform::Web,
                region: "DE".parse().unwrap(),
                at_ms: 1,
                title: None,
                fraction: None,
                what,
            };
            let (playback_id, item_id): (crate::web::text::Token, crate::web::text::Slug) =
                (playback.parse().unwrap(), "film".parse().unwrap());
            let exposed = kept(What::Exposed {
                experiment: experiment.id.clone(),
                arm: arm.id.clone(),
                playback_id: playback_id.clone(),
            });
            let more = if arm.id.as_str() == "arm-1" { worse } else { 0 };
            let stalled = kept(What::Told(Happening::PlaybackStalled {
                playback_id: playback_id.clone(),
                item_id: item_id.clone(),
                position_seconds: 1,
                duration_ms: random.u32(1000..9000) + more,
            }));
            let ended = kept(What::Told(Happening::PlaybackEnded {
                watched: Watched {
                    playback_id,
                    item_id,
                    position_seconds: 600,
                    watched_ms: 600_000,
                    bandwidth_bps: Some(2_000_000),
                },
                reason: EndReason::Finished,
            }));
            let mut foreign = stalled.clone();
            foreign.profile = ProfileId::random();
            let entries = vec![
                exposed.keyed(&["exposed", &playback]),
                stalled.keyed(&["stalled", &playback]),
                ended.keyed(&["ended", &playback]),
                foreign.keyed(&["foreign", &playback]),
            ];
            log.append(entries, UnixTime(1)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_difference_is_found_where_there_is_one() {
        let experiment = experiment("stalls", 0, 10_000, &[1, 1]);
        for (worse, differs) in [(0, false), (2000, true)] {
            let directory = tempfile::tempdir().unwrap();
            let log = FileLog::open(directory.path(), LogOptions::default()).await.unwrap();
            told(&log, &experiment, worse).await;
            let found = report(&log, &experiment, 1).await.unwrap();
            assert_eq!(found, report(&log, &experiment, 1).await.unwrap());
            assert_eq!(found.arms.iter().map(|arm| arm.playbacks).sum::<usize>(), 600);
            assert!(!found.split.suspicious && found.mixed == 0, "{found:?}");
            let measure = |name| found.measures.iter().find(|one| one.name == name).unwrap();
            let stalled = measure("stalled_share").arms[1].difference.unwrap();
            let [low, high] = stalled.interval;
            assert!(low <= stalled.mean && stalled.mean <= high);
            assert_eq!(low > 0.0, differs, "{stalled:?}");
            let rate = &measure("megabits_per_second").arms;
            assert_eq!((rate[0].mean, rate[1].mean), (Some(2.0), Some(2.0)));
            let stalls = measure("stalls_per_hour").arms[0].mean.unwrap();
            assert!((stalls - 6.0).abs() < 1e-9, "what others tell of a playback does not count");
            assert_eq!(measure("startup_seconds").arms[1].mean, None);
        }
    }
}
