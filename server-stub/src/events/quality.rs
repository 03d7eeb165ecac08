//! How playing went, summed up for `/metrics`.
//!
//! Ratios are for whoever asks: time stood still by time watched is
//! `rate(kinora_playback_stalled_seconds_total[5m]) / rate(kinora_playback_watched_seconds_total[5m])`, the mean
//! rate is bits by seconds.

use super::event::{EndReason, Happening};
use crate::{platform::Platform, web::metrics::Metrics};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
};
use std::sync::atomic::AtomicU64;

type Seconds = Counter<f64, AtomicU64>;

/// The counters.
pub(super) struct Quality {
    events: Family<Verdicts, Counter>,
    started: Family<On, Histogram>,
    watched: Family<On, Seconds>,
    bits: Family<On, Seconds>,
    stalls: Family<On, Counter>,
    stalled: Family<On, Seconds>,
    switches: Family<On, Counter>,
    failures: Family<Failure, Counter>,
    ended: Family<End, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct On {
    platform: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdicts {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    platform: &'static str,
    fatal: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    platform: &'static str,
    reason: &'static str,
}

impl Quality {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let startup: fn() -> Histogram = || Histogram::new(exponential_buckets(0.1, 1.6, 12)); // to 18 s
        let this = Self {
            events: Family::default(),
            started: Family::new_with_constructor(startup),
            watched: Family::default(),
            bits: Family::default(),
            stalls: Family::default(),
            stalled: Family::default(),
            switches: Family::default(),
            failures: Family::default(),
            ended: Family::default(),
        };
        metrics.register(|registry| {
            registry.register("events", "Events told by clients", this.events.clone());
            registry.register(
                "playback_startup_seconds",
                "Time to the first picture",
                this.started.clone(),
            );
            registry.register("playback_watched_seconds", "Time played", this.watched.clone());
            registry.register("playback_bits", "Bits of media played", this.bits.clone());
            registry.register(
                "playback_stalls",
                "Times that playing stood still",
                this.stalls.clone(),
            );
            registry.register("playback_stalled_seconds", "Time stood still", this.stalled.clone());
            registry.register(
                "playback_quality_changes",
                "Changes of quality",
                this.switches.clone(),
            );
            registry.register("playback_failures", "Failures", this.failures.clone());
            registry.register("playbacks_ended", "Playbacks that ended", this.ended.clone());
        });
        this
    }

    /// Counts verdicts.
    pub(super) fn judged(&self, verdict: &'static str, count: usize) {
        self.events.get_or_create(&Verdicts { verdict }).inc_by(count as u64);
    }

    /// Counts an event, which must be new.
    pub(super) fn count(&self, platform: Platform, what: &Happening) {
        let platform = platform.as_str();
        let on = On { platform };
        match what {
            Happening::PlaybackStarted { startup_ms, .. } => {
                self.started.get_or_create(&on).observe(seconds(*startup_ms));
            }
            Happening::PlaybackProgressed { watched, .. } => {
                self.watched(&on, watched.watched_ms, watched.bandwidth_bps);
            }
            Happening::PlaybackStalled { duration_ms, .. } => {
                self.stalls.get_or_create(&on).inc();
                self.stalled.get_or_create(&on).inc_by(seconds(*duration_ms));
            }
            Happening::QualityChanged { .. } => {
                self.switches.get_or_create(&on).inc();
            }
            Happening::PlaybackFailed { fatal, .. } => {
                let fatal = if *fatal { "true" } else { "false" };
                self.failures.get_or_create(&Failure { platform, fatal }).inc();
            }
            Happening::PlaybackEnded { watched, reason } => {
                self.watched(&on, watched.watched_ms, watched.bandwidth_bps);
                let reason = match reason {
                    EndReason::Finished => "finished",
                    EndReason::Left => "left",
                    EndReason::Failed => "failed",
                };
                self.ended.get_or_create(&End { platform, reason }).inc();
            }
            Happening::PlaybackSought { .. }
            | Happening::RowShown { .. }
            | Happening::TitleOpened { .. }
            | Happening::Searched { .. } => {}
        }
    }

    fn watched(&self, on: &On, watched_ms: u32, bandwidth_bps: Option<u64>) {
        let time = seconds(watched_ms);
        self.watched.get_or_create(on).inc_by(time);
        if let Some(rate) = bandwidth_bps {
            self.bits.get_or_create(on).inc_by(rate as f64 * time);
        }
    }
}

fn seconds(ms: u32) -> f64 {
    f64::from(ms) / 1000.0
}
