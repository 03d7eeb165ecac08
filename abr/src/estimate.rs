//! What the network is believed to carry, from the transfers the player makes.

use crate::link::Link;
use crate::math::{clamp, exp, finite_or, ln, pow};
use crate::{Config, Event};

/// A belief about the network: a distribution of the throughput the next transfer will see.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimate {
    /// Conservative point estimate, bits per second: the lower of a fast and a slow moving average.
    pub throughput_bps: f64,
    /// Median of the distribution, bits per second.
    pub median_bps: f64,
    /// Only 5 % of transfers are expected to be slower, bits per second.
    pub low_bps: f64,
    /// Only 5 % of transfers are expected to be faster, bits per second.
    pub high_bps: f64,
    /// Scale of the distribution's logarithm; 1 is an ordinary network, more is erratic.
    pub spread: f64,
    /// Time from request to first byte, seconds; the higher of a fast and a slow moving average.
    pub ttfb_s: f64,
    /// Transfers measured since the start or the last network change.
    pub samples: u32,
    /// Where it comes from.
    pub source: Source,
}

impl Estimate {
    /// The throughput that `probability` of transfers stay below, bits per second.
    pub fn quantile(&self, probability: f64) -> f64 {
        let p = clamp(probability, 0.0, 1.0);
        let offset = interpolate(p, LEVELS.iter().copied().zip(OFFSETS.iter().copied()));
        self.median_bps * exp(self.spread * offset)
    }

    /// The probability that a transfer is slower than `throughput_bps`.
    pub fn probability_below(&self, throughput_bps: f64) -> f64 {
        if throughput_bps.is_nan() || throughput_bps <= 0.0 {
            return 0.0;
        }
        let offset = ln(throughput_bps / self.median_bps) / self.spread;
        if offset < OFFSETS[0] {
            return 0.0;
        }
        if offset > OFFSETS[OUTCOMES - 1] {
            return 1.0;
        }
        interpolate(offset, OFFSETS.iter().copied().zip(LEVELS.iter().copied()))
    }

    /// The probability that `bits` take longer than `within_s` to arrive, time to first byte included.
    pub fn probability_late(&self, bits: f64, within_s: f64) -> f64 {
        let transfer_s = within_s - self.ttfb_s;
        if transfer_s > 0.0 { self.probability_below(bits / transfer_s) } else { 1.0 }
    }

    /// [`Estimate::throughput_bps`] in bits per millisecond.
    pub fn throughput_kbps(&self) -> f64 {
        self.throughput_bps / 1000.0
    }

    /// [`Estimate::ttfb_s`] in milliseconds.
    pub fn ttfb_ms(&self) -> f64 {
        self.ttfb_s * 1000.0
    }

    /// Outcomes of the next transfer that a rule may reckon with, for a given spread: logarithmic
    /// offset from the median, and weight.
    pub(crate) fn outcomes(spread: f64) -> impl Iterator<Item = (f64, f64)> {
        // Outages are the mark of erratic networks: the low end reaches further than in proportion.
        let outage = OUTAGE_REACH * (spread - OUTAGES_FROM).max(0.0);
        let reach = move |offset: f64| spread * offset - if offset < -1.0 { outage } else { 0.0 };
        OFFSETS.iter().zip(WEIGHTS).map(move |(&offset, weight)| (reach(offset), weight))
    }
}

/// Where an [`Estimate`] comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Source {
    /// The configured assumption.
    #[default]
    Default,
    /// An earlier session, or a hint.
    Seed,
    /// Transfers of this session.
    Measured,
}

/// An estimate worth keeping for the next session on the same network.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedEstimate {
    /// Point estimate, bits per second.
    pub throughput_bps: f64,
    /// Time to first byte, seconds.
    pub ttfb_s: f64,
}

/// What a transfer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Kind {
    /// Video, or audio and video together.
    #[default]
    Video,
    /// Audio.
    Audio,
    /// Anything else that goes over the same link: manifests, keys, text, pictures.
    Other,
}

/// One measurement of the link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Bits that arrived.
    pub bits: f64,
    /// Seconds during which they arrived, time to first byte excluded.
    pub transfer_s: f64,
}

/// Turns transfers into an [`Estimate`].
///
/// Transfers that overlap in time are one measurement: the bytes of all over the union of their
/// times. The time to the first byte is kept apart. Cache hits, transfers limited by their source and
/// tiny ones do not count.
#[derive(Clone, Debug)]
pub struct Estimator {
    min_sample_bits: f64,
    default: SavedEstimate,
    source: Source,
    throughput: [Average; 2],
    ttfb: [Average; 2],
    trend: Option<Trend>,
    deviation: Average,
    samples: u32,
    /// What is faster counts as this fast in the trend (logarithm of bit/s).
    ceiling: f64,
    link: Link,
}

/// Half-lives of the two throughput averages, seconds of transfer.
const THROUGHPUT_HALF_LIVES_S: [f64; 2] = [3.0, 8.0];
/// Half-lives of the two time-to-first-byte averages, requests.
const TTFB_HALF_LIVES: [f64; 2] = [1.0, 8.0 / 3.0];
/// How far the slow level follows one full measurement.
const SLOW_GAIN: f64 = 0.2;
/// What is assumed about the pull of the slow level before it was observed, and how firmly
/// (squared logarithm).
const PRIOR_REVERSION: f64 = 0.4;
const PRIOR_VARIANCE: f64 = 0.5;
/// What each measurement leaves of the earlier ones' say about that pull.
const REGRESSION_MEMORY: f64 = 0.98;
/// What is beyond this is an outlier, not evidence of scale (logarithm).
const LARGEST_SURPRISE: f64 = 0.6;
/// A measurement shorter than this moves the median proportionally less, seconds.
const FULL_SAMPLE_S: f64 = 0.1;
/// No link is faster than this as far as playback is concerned, bits per second.
const FASTEST_BPS: f64 = 1e11;
/// Nor slower.
const SLOWEST_BPS: f64 = 100.0;
/// How much transfer time a seed counts for, seconds.
const SEED_WEIGHT_S: f64 = 1.0;

/// Shape of the logarithm of (next transfer's throughput / median): narrow in the middle, heavy in the
/// tails, as measured on mobile, fixed and 5G links.
const OUTCOMES: usize = 9;
const OFFSETS: [f64; OUTCOMES] = [-1.48, -0.51, -0.282, -0.108, 0.012, 0.114, 0.258, 0.48, 1.24];
const WEIGHTS: [f64; OUTCOMES] = [0.005, 0.05, 0.10, 0.21, 0.29, 0.21, 0.09, 0.04, 0.005];
/// Cumulative weight at the middle of each outcome.
const LEVELS: [f64; OUTCOMES] = [0.0025, 0.03, 0.105, 0.26, 0.51, 0.76, 0.91, 0.975, 0.9975];
/// From this spread on the lowest outcome lies lower than in proportion, by so much per spread.
const OUTAGES_FROM: f64 = 0.4;
const OUTAGE_REACH: f64 = 0.5;
/// Mean absolute offset of that shape.
const MEAN_DEVIATION: f64 = 0.1605;
/// How many measurements the shape's own scale counts for against observed deviations.
const DEVIATION_PRIOR: f64 = 3.0;
/// Half-life of observed deviations, measurements.
const DEVIATION_HALF_LIFE: f64 = 30.0;

impl Estimator {
    /// An estimator that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            min_sample_bits: config.min_sample_bytes as f64 * 8.0,
            default: SavedEstimate {
                throughput_bps: finite_or(config.initial_throughput_bps, 1_500_000.0),
                ttfb_s: finite_or(config.initial_ttfb_s, 0.1),
            }
            .bounded(),
            source: Source::Default,
            throughput: THROUGHPUT_HALF_LIVES_S.map(Average::new),
            ttfb: TTFB_HALF_LIVES.map(Average::new),
            trend: None,
            deviation: Average::new(DEVIATION_HALF_LIFE),
            samples: 0,
            ceiling: ln(FASTEST_BPS),
            link: Link::default(),
        }
    }

    /// Says from where on throughput makes no difference to playback, bits per second. The trend, which
    /// works with logarithms, counts what is faster as this fast: it would otherwise take many
    /// measurements to come down from a speed that no rung needs.
    pub fn set_ceiling(&mut self, ceiling_bps: f64) {
        if !(SLOWEST_BPS..=FASTEST_BPS).contains(&ceiling_bps) {
            return;
        }
        self.ceiling = ln(ceiling_bps);
        if let Some(trend) = &mut self.trend {
            trend.fast = trend.fast.min(self.ceiling);
            trend.slow = trend.slow.min(self.ceiling);
        }
    }

    /// Starts from what an earlier session learnt, or from a hint. Measurements soon outweigh it; it is
    /// ignored once there are some, and when it makes no sense.
    pub fn seed(&mut self, seed: SavedEstimate) {
        if self.samples > 0 || !(seed.throughput_bps > 0.0 && seed.throughput_bps.is_finite()) {
            return;
        }
        let seed =
            SavedEstimate { ttfb_s: finite_or(seed.ttfb_s, self.default.ttfb_s), ..seed }.bounded();
        self.forget();
        self.source = Source::Seed;
        for average in &mut self.throughput {
            average.push(seed.throughput_bps, SEED_WEIGHT_S);
        }
        for average in &mut self.ttfb {
            average.push(seed.ttfb_s, 1.0);
        }
        self.trend = Some(Trend::new(ln(seed.throughput_bps).min(self.ceiling)));
    }

    /// Takes in a request event; other events concern the rules. Returns the measurement it
    /// completed, if any.
    pub fn handle(&mut self, now_us: u64, event: &Event) -> Option<Sample> {
        if let Event::NetworkChanged { hint_bps } = event {
            self.forget();
            if let Some(throughput_bps) = *hint_bps {
                self.seed(SavedEstimate { throughput_bps, ttfb_s: self.default.ttfb_s });
            }
            return None;
        }
        let report = self.link.handle(now_us, event, self.min_sample_bits);
        if let Some(ttfb_s) = report.ttfb_s {
            self.observe_ttfb(ttfb_s);
        }
        if let Some(sample) = report.sample {
            self.observe(sample);
        }
        report.sample
    }

    /// Takes in a finished measurement directly.
    pub fn observe(&mut self, sample: Sample) {
        let transfer_s = clamp(sample.transfer_s, 1e-3, 3600.0);
        let rate = sample.bits / transfer_s;
        if !rate.is_finite() || rate <= 0.0 {
            return;
        }
        let rate = clamp(rate, SLOWEST_BPS, FASTEST_BPS);
        for average in &mut self.throughput {
            average.push(rate, transfer_s);
        }
        let weight = (transfer_s / FULL_SAMPLE_S).min(1.0);
        let x = ln(rate).min(self.ceiling);
        match &mut self.trend {
            Some(trend) => {
                if self.samples > 0 {
                    self.deviation.push((x - trend.expected()).abs().min(LARGEST_SURPRISE), weight);
                }
                trend.observe(x, weight);
            }
            None => self.trend = Some(Trend::new(x)),
        }
        self.samples = self.samples.saturating_add(1);
        self.source = Source::Measured;
    }

    /// Takes in a time to first byte directly, seconds.
    pub fn observe_ttfb(&mut self, ttfb_s: f64) {
        if ttfb_s.is_finite() {
            for average in &mut self.ttfb {
                average.push(clamp(ttfb_s, 0.0, 60.0), 1.0);
            }
        }
    }

    /// The present belief.
    pub fn estimate(&self) -> Estimate {
        let point = |averages: &[Average; 2], pick: fn(f64, f64) -> f64| {
            averages.iter().filter_map(Average::value).reduce(pick)
        };
        let throughput_bps =
            point(&self.throughput, f64::min).unwrap_or(self.default.throughput_bps);
        let trend = self.trend.unwrap_or_else(|| Trend::new(ln(throughput_bps)));
        let median_bps = exp(trend.expected());
        let observed = self.deviation.value().unwrap_or(MEAN_DEVIATION);
        let weight = self.deviation.weight;

        let deviation =
            (MEAN_DEVIATION * DEVIATION_PRIOR + observed * weight) / (DEVIATION_PRIOR + weight);
        let mut estimate = Estimate {
            throughput_bps,
            median_bps,
            low_bps: 0.0,
            high_bps: 0.0,
            spread: clamp(deviation / MEAN_DEVIATION, 0.1, 3.0),
            ttfb_s: point(&self.ttfb, f64::max).unwrap_or(self.default.ttfb_s),
            samples: self.samples,
            source: self.source,
        };
        estimate.low_bps = estimate.quantile(0.05);
        estimate.high_bps = estimate.quantile(0.95);
        estimate
    }

    /// What is worth keeping for the next session; `None` before anything was measured.
    pub fn saved(&self) -> Option<SavedEstimate> {
        let estimate = self.estimate();
        (self.samples > 0).then_some(SavedEstimate {
            throughput_bps: estimate.throughput_bps,
            ttfb_s: estimate.ttfb_s,
        })
    }

    fn forget(&mut self) {
        self.source = Source::Default;
        self.throughput = THROUGHPUT_HALF_LIVES_S.map(Average::new);
        self.ttfb = TTFB_HALF_LIVES.map(Average::new);
        self.trend = None;
        self.deviation = Average::new(DEVIATION_HALF_LIFE);
        self.samples = 0;
        self.link.restart_window();
    }
}

impl SavedEstimate {
    fn bounded(self) -> Self {
        Self {
            throughput_bps: clamp(self.throughput_bps, SLOWEST_BPS, FASTEST_BPS),
            ttfb_s: clamp(self.ttfb_s, 0.0, 10.0),
        }
    }
}

/// The logarithm of throughput on two time-scales, and how far to trust each.
#[derive(Clone, Copy, Debug)]
struct Trend {
    /// The last measurement.
    fast: f64,
    /// The level that measurements fluctuate around.
    slow: f64,
    /// Sums of the regression of what came next on the distance from fast to slow.
    covariance: f64,
    variance: f64,
}

impl Trend {
    fn new(x: f64) -> Self {
        Self {
            fast: x,
            slow: x,
            covariance: PRIOR_VARIANCE * PRIOR_REVERSION,
            variance: PRIOR_VARIANCE,
        }
    }

    /// The share of the slow level in what is expected next.
    fn reversion(&self) -> f64 {
        clamp(self.covariance / self.variance, 0.0, 1.0)
    }

    fn expected(&self) -> f64 {
        self.fast + self.reversion() * (self.slow - self.fast)
    }

    fn observe(&mut self, x: f64, weight: f64) {
        let bounded = |d: f64| clamp(d, -LARGEST_SURPRISE, LARGEST_SURPRISE);
        let (distance, surprise) = (bounded(self.slow - self.fast), bounded(x - self.fast));
        self.covariance = REGRESSION_MEMORY * self.covariance + weight * distance * surprise;
        self.variance =
            (REGRESSION_MEMORY * self.variance + weight * distance * distance).max(1e-6);
        self.fast += weight * (x - self.fast);
        self.slow += weight * SLOW_GAIN * (x - self.slow);
    }
}

/// An exponentially weighted average, corrected for having started at zero.
#[derive(Clone, Copy, Debug)]
struct Average {
    half_life: f64,
    sum: f64,
    weight: f64,
}

impl Average {
    fn new(half_life: f64) -> Self {
        Self { half_life, sum: 0.0, weight: 0.0 }
    }

    fn push(&mut self, value: f64, weight: f64) {
        let keep = pow(0.5, weight / self.half_life);
        self.sum = keep * self.sum + (1.0 - keep) * value;
        self.weight += weight;
    }

    fn value(&self) -> Option<f64> {
        let started = 1.0 - pow(0.5, self.weight / self.half_life);
        (started > 0.0).then(|| self.sum / started)
    }
}

/// `y` at `x` on the polyline through `points` (ascending in `x`), constant beyond its ends.
fn interpolate(x: f64, points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut before: Option<(f64, f64)> = None;
    for (px, py) in points {
        if x <= px {
            return before.map_or(py, |(bx, by)| by + (py - by) * (x - bx) / (px - bx));
        }
        before = Some((px, py));
    }
    before.map_or(0.0, |(_, y)| y)
}
