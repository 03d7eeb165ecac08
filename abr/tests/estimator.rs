//! The throughput estimate measures the network and nothing else.

use kinora_abr::{Config, Estimate, Estimator, Event, Kind, SavedEstimate, Source};
use proptest::prelude::*;

/// A link that shares its bandwidth evenly among the transfers under way, and reports to an estimator.
struct Link {
    estimator: Estimator,
    bytes_per_us: f64,
    now_us: u64,
    next_id: u64,
    running: Vec<Running>,
}

struct Running {
    id: u64,
    first_byte_us: u64,
    begun: bool,
    bytes: u64,
    done: f64,
}

const TTFB_US: u64 = 50_000;
const TICK_US: u64 = 1_000;

impl Link {
    fn new(bits_per_s: f64) -> Self {
        Self {
            estimator: Estimator::new(&Config::default()),
            bytes_per_us: bits_per_s / 8e6,
            now_us: 0,
            next_id: 0,
            running: Vec::new(),
        }
    }

    fn start(&mut self, kind: Kind, bytes: u64) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.estimator.handle(self.now_us, &Event::RequestStarted { id, kind, rung: None });
        let first_byte_us = self.now_us + TTFB_US;
        self.running.push(Running { id, first_byte_us, begun: false, bytes, done: 0.0 });
        id
    }

    fn tick(&mut self) {
        let sharing = self.running.iter().filter(|r| r.begun).count().max(1);
        let share = self.bytes_per_us * TICK_US as f64 / sharing as f64;
        self.now_us += TICK_US;
        for running in &mut self.running {
            if running.begun {
                running.done += share;
                let bytes = (running.done as u64).min(running.bytes);
                self.estimator.handle(self.now_us, &Event::Progress { id: running.id, bytes });
            } else if self.now_us >= running.first_byte_us {
                running.begun = true;
                self.estimator.handle(self.now_us, &Event::FirstByte { id: running.id });
            }
        }
        let (done, running): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.running).into_iter().partition(|r| r.done >= r.bytes as f64);
        self.running = running;
        for Running { id, bytes, .. } in done {
            let end =
                Event::RequestEnded { id, bytes, from_cache: false, application_limited: false };
            self.estimator.handle(self.now_us, &end);
        }
    }

    fn drain(&mut self) {
        while !self.running.is_empty() {
            self.tick();
        }
    }

    fn idle(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.tick();
        }
    }

    fn estimate(&self) -> Estimate {
        self.estimator.estimate()
    }
}

fn close(actual: f64, expected: f64, tolerance: f64) -> bool {
    (actual / expected - 1.0).abs() <= tolerance
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Audio alongside video, in whatever order, neither halves nor doubles the estimate.
    #[test]
    fn parallel_audio_does_not_move_the_estimate(
        link_bps in 1e6..2e7_f64,
        audio in prop::collection::vec((1_u64..60_000, 0_u64..400), 5..20),
    ) {
        let mut link = Link::new(link_bps);
        for (bytes, offset_ms) in audio {
            link.start(Kind::Video, 600_000);
            link.idle(offset_ms);
            link.start(Kind::Audio, bytes);
            link.drain();
        }
        let estimate = link.estimate();
        prop_assert!(close(estimate.throughput_bps, link_bps, 0.05), "{estimate:?}");
        prop_assert!(close(estimate.median_bps, link_bps, 0.05), "{estimate:?}");
        prop_assert!(close(estimate.ttfb_s, 0.05, 0.05), "{estimate:?}");
    }

    /// A cache hit, however large and wherever it falls, leaves the estimate where it was.
    #[test]
    fn cache_hits_do_not_move_the_estimate(bytes in 0_u64..50_000_000, took_us in 0_u64..20_000) {
        let mut link = Link::new(5e6);
        for _ in 0..4 {
            link.start(Kind::Video, 500_000);
            link.drain();
        }
        let before = link.estimate();
        let (id, at) = (1000, link.now_us + 1000);
        link.estimator.handle(at, &Event::RequestStarted { id, kind: Kind::Video, rung: None });
        link.estimator.handle(at + took_us / 2, &Event::FirstByte { id });
        link.estimator.handle(at + took_us, &Event::Progress { id, bytes });
        let end = Event::RequestEnded { id, bytes, from_cache: true, application_limited: false };
        link.estimator.handle(at + took_us, &end);
        prop_assert_eq!(link.estimate(), before);
    }
}

#[test]
fn a_cache_hit_beside_a_real_transfer_does_not_count() {
    let mut link = Link::new(5e6);
    link.start(Kind::Video, 500_000);
    link.idle(200);
    let id = 1000;
    link.estimator
        .handle(link.now_us, &Event::RequestStarted { id, kind: Kind::Video, rung: None });
    link.estimator.handle(link.now_us, &Event::FirstByte { id });
    link.estimator.handle(link.now_us, &Event::Progress { id, bytes: 9_000_000 });
    let end =
        Event::RequestEnded { id, bytes: 9_000_000, from_cache: true, application_limited: false };
    link.estimator.handle(link.now_us, &end);
    link.drain();
    assert!(close(link.estimate().throughput_bps, 5e6, 0.02), "{:?}", link.estimate());
}

#[test]
fn transfers_paced_by_their_source_and_tiny_ones_do_not_count() {
    let mut link = Link::new(5e6);
    link.start(Kind::Video, 500_000);
    link.drain();
    let before = link.estimate();
    let mut at = link.now_us + 1000;
    for id in 100..110 {
        let live = id % 2 == 0;
        let bytes = if live { 200_000 } else { 3_000 };
        link.estimator.handle(at, &Event::RequestStarted { id, kind: Kind::Video, rung: None });
        link.estimator.handle(at + 50_000, &Event::FirstByte { id });
        let end = Event::RequestEnded { id, bytes, from_cache: false, application_limited: live };
        at += 2_000_000;
        link.estimator.handle(at, &end);
    }
    assert_eq!(link.estimate().throughput_bps, before.throughput_bps);
    assert_eq!(link.estimate().samples, before.samples);
}

#[test]
fn a_host_that_reports_only_ends_is_measured_too() {
    let mut estimator = Estimator::new(&Config::default());
    let mut at = 0;
    for id in 0..6 {
        estimator.handle(at, &Event::RequestStarted { id, kind: Kind::Video, rung: None });
        at += 1_000_000;
        let end = Event::RequestEnded {
            id,
            bytes: 500_000,
            from_cache: false,
            application_limited: false,
        };
        estimator.handle(at, &end);
    }
    assert!(close(estimator.estimate().throughput_bps, 4e6, 0.001), "{:?}", estimator.estimate());
}

#[test]
fn a_transfer_given_up_after_a_long_wait_lowers_the_estimate() {
    let mut link = Link::new(8e6);
    for _ in 0..4 {
        link.start(Kind::Video, 1_000_000);
        link.drain();
    }
    let (id, at) = (1000, link.now_us);
    link.estimator.handle(at, &Event::RequestStarted { id, kind: Kind::Video, rung: Some(2) });
    link.estimator.handle(at + 50_000, &Event::FirstByte { id });
    link.estimator.handle(at + 60_000, &Event::Progress { id, bytes: 4_000 });
    link.estimator.handle(at + 5_000_000, &Event::RequestCancelled { id });
    assert!(link.estimate().median_bps < 1e6, "{:?}", link.estimate());
}

/// Playlists, sound and picture of a live stream on a slow network: something is always on its way.
#[test]
fn a_link_that_never_rests_is_measured_too() {
    let mut link = Link::new(8e6);
    link.start(Kind::Video, 4_000_000);
    link.drain();
    let before = link.estimate();
    assert!(close(before.throughput_bps, 8e6, 0.02), "{before:?}");
    // Each begins to come just before the one before has ended.
    let mut at = link.now_us;
    let first = 1_000;
    link.estimator.handle(at, &Event::RequestStarted { id: first, kind: Kind::Video, rung: None });
    link.estimator.handle(at, &Event::FirstByte { id: first });
    for id in first..first + 20 {
        let next = id + 1;
        let started = Event::RequestStarted { id: next, kind: Kind::Other, rung: None };
        link.estimator.handle(at, &started);
        for quarter in 1..=4 {
            at += 100_000;
            link.estimator.handle(at, &Event::Progress { id, bytes: quarter * 3_000 });
        }
        link.estimator.handle(at, &Event::FirstByte { id: next });
        let bytes = 12_000;
        let ended =
            Event::RequestEnded { id, bytes, from_cache: false, application_limited: false };
        link.estimator.handle(at, &ended);
        at += 1_000;
        link.estimator.handle(at, &Event::Progress { id: next, bytes: 30 });
    }
    let after = link.estimate();
    assert!(close(after.median_bps, 240e3, 0.2), "{after:?}");
}

#[test]
fn another_network_starts_afresh() {
    let mut link = Link::new(2e7);
    link.start(Kind::Video, 2_000_000);
    link.drain();
    assert_eq!(link.estimate().source, Source::Measured);
    assert!(link.estimator.saved().is_some());
    link.estimator.handle(link.now_us, &Event::NetworkChanged { hint_bps: None });
    assert_eq!(link.estimate(), Estimator::new(&Config::default()).estimate());
    link.estimator.handle(link.now_us, &Event::NetworkChanged { hint_bps: Some(7e5) });
    assert!(close(link.estimate().throughput_bps, 7e5, 1e-9));
    assert_eq!(link.estimate().source, Source::Seed);
}

#[test]
fn a_seed_holds_until_measurements_outweigh_it() {
    let mut link = Link::new(2e6);
    link.estimator.seed(SavedEstimate { throughput_bps: 2e7, ttfb_s: 0.02 });
    assert!(close(link.estimate().throughput_bps, 2e7, 1e-9));
    for _ in 0..8 {
        link.start(Kind::Video, 500_000);
        link.drain();
    }
    assert!(close(link.estimate().throughput_bps, 2e6, 0.25), "{:?}", link.estimate());
    let nonsense = SavedEstimate { throughput_bps: f64::NAN, ttfb_s: -3.0 };
    let before = link.estimate();
    link.estimator.seed(nonsense);
    assert_eq!(link.estimate(), before);
}

#[test]
fn the_distribution_is_one() {
    let mut link = Link::new(5e6);
    for _ in 0..5 {
        link.start(Kind::Video, 500_000);
        link.drain();
    }
    let estimate = link.estimate();
    let mut before = 0.0;
    for percent in 1..100 {
        let p = f64::from(percent) / 100.0;
        let value = estimate.quantile(p);
        assert!(value > before);
        before = value;
        assert!((estimate.probability_below(value) - p).abs() < 1e-9);
    }
    // A segment that needs the median rate exactly is about as likely late as not.
    let late = estimate.probability_late(estimate.median_bps * 2.0, 2.0 + estimate.ttfb_s);
    assert!((0.4..0.6).contains(&late), "{late}");
    assert_eq!(estimate.probability_late(1e6, estimate.ttfb_s), 1.0);
}

/// A segment of 2 s sent while it is encoded, in 20 chunks: each is ready every 100 ms and crosses the
/// link at its speed.
fn live_segment(link: &mut Link, id: u64, chunk_bytes: u64, application_limited: bool) {
    link.estimator
        .handle(link.now_us, &Event::RequestStarted { id, kind: Kind::Video, rung: Some(0) });
    link.now_us += TTFB_US;
    link.estimator.handle(link.now_us, &Event::FirstByte { id });
    let took_us = (chunk_bytes as f64 / link.bytes_per_us) as u64;
    for chunk in 1..=20 {
        let started_us = link.now_us;
        let arrived_us = started_us + took_us;
        link.estimator.handle(arrived_us, &Event::Chunk { id, bytes: chunk_bytes, started_us });
        link.estimator.handle(arrived_us, &Event::Progress { id, bytes: chunk * chunk_bytes });
        link.now_us += 100_000;
    }
    let bytes = 20 * chunk_bytes;
    let end = Event::RequestEnded { id, bytes, from_cache: false, application_limited };
    link.estimator.handle(link.now_us, &end);
}

#[test]
fn chunks_of_a_live_segment_measure_the_network_and_not_the_encoder() {
    // The encoder makes 2 Mbit/s; the link carries 20.
    let mut link = Link::new(20e6);
    for id in 0..10 {
        live_segment(&mut link, id, 25_000, true);
    }
    assert!(close(link.estimate().throughput_bps, 20e6, 0.05), "{:?}", link.estimate());
    assert_eq!(link.estimate().samples, 10);
    // As a whole it would have told of the encoder.
    let mut link = Link::new(20e6);
    for id in 0..10 {
        live_segment(&mut link, id, 25_000, false);
    }
    assert!(close(link.estimate().throughput_bps, 2e6, 0.05), "{:?}", link.estimate());
}

#[test]
fn hints_hold_until_measurements_outweigh_them() {
    use kinora_abr::{Abr, Hints, Network};
    let mut abr = Abr::new(Config::default());
    abr.hint(&Hints { network: Some(Network::Cellular3G), ..Hints::default() });
    assert!(close(abr.estimate().throughput_bps, 5e5, 1e-9));
    // The server knows better than the kind of network.
    let told = Hints {
        network: Some(Network::Wifi),
        estimated_throughput_kbps: Some(9000.0),
        ..Hints::default()
    };
    abr.hint(&told);
    assert!(close(abr.estimate().throughput_bps, 9e6, 1e-9));
    abr.hint(&Hints { estimated_throughput_kbps: Some(f64::NAN), ..Hints::default() });
    assert!(close(abr.estimate().throughput_bps, 9e6, 1e-9));
}
