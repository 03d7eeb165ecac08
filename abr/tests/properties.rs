//! What must hold for every rule, whatever comes in.

use kinora_abr::{
    Abr, Action, Cause, Config, Event, InFlight, Kind, Limits, Phase, Queued, Rule, Rung,
    SavedEstimate, Situation, Verdict,
};
use proptest::prelude::*;

/// Numbers from outside: ordinary ones and absurd ones.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..60.0,
        2 => 1e4..1e8,
        1 => prop::sample::select(vec![
            0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 1e300,
        ]),
    ]
}

fn any_rung() -> impl Strategy<Value = Rung> {
    let height = prop::option::of(0..5000_u32);
    (any_number(), prop::option::of(any_number()), height).prop_map(
        |(bitrate_bps, quality, height)| Rung { bitrate_bps, quality, height, frame_rate: quality },
    )
}

fn any_phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Starting, Phase::Playing, Phase::Paused, Phase::Stalled])
}

fn any_rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(Rule::ALL.to_vec())
}

/// The rules made for viewers. The model-predictive ones are there to compare with: RobustMPC knows no
/// abandonment and trades switches and stalls for bitrate as its objective tells it, and SODA moves
/// between the rungs beside the throughput to hold its buffer level.
fn any_viewing_rule() -> impl Strategy<Value = Rule> {
    any_rule().prop_filter("made for viewers", |rule| !matches!(rule, Rule::RobustMpc | Rule::Soda))
}

#[derive(Clone, Debug)]
struct Moment {
    phase: Phase,
    numbers: [f64; 4],
    ladder: Vec<Rung>,
    allowed: Vec<bool>,
    next_bytes: Vec<Option<u64>>,
    current: Option<usize>,
    remaining: Option<u64>,
    gap_us: u64,
    bytes: u64,
    flags: [bool; 4],
}

fn any_moment() -> impl Strategy<Value = Moment> {
    let context = (
        any_phase(),
        [any_number(), any_number(), any_number(), any_number()],
        prop::collection::vec(any_rung(), 0..9),
        prop::collection::vec(any::<bool>(), 0..9),
        prop::collection::vec(prop::option::of(any::<u64>()), 0..9),
        prop::option::of(0..12_usize),
        prop::option::of(any::<u64>()),
    );
    let transfer =
        (0..20_000_000_u64, prop_oneof![0..5_000_000_u64, any::<u64>()], any::<[bool; 4]>());
    (context, transfer).prop_map(
        |(
            (phase, numbers, ladder, allowed, next_bytes, current, remaining),
            (gap_us, bytes, flags),
        )| {
            Moment {
                phase,
                numbers,
                ladder,
                allowed,
                next_bytes,
                current,
                remaining,
                gap_us,
                bytes,
                flags,
            }
        },
    )
}

impl Moment {
    fn situation(&self, now_us: u64) -> Situation<'_> {
        let [buffer_s, buffer_goal_s, segment_duration_s, playback_rate] = self.numbers;
        Situation {
            now_us,
            phase: self.phase,
            buffer_s,
            buffer_goal_s,
            segment_duration_s,
            playback_rate,
            ladder: &self.ladder,
            allowed: &self.allowed,
            next_bytes: &self.next_bytes,
            current: self.current,
            queued: &[],
            segments_remaining: self.remaining,
            live_latency_s: None,
            live_target_s: None,
            next_quality: &[],
        }
    }

    /// Rungs that may be returned.
    fn acceptable(&self) -> Vec<usize> {
        let sane = |r: &usize| {
            let bitrate = self.ladder[*r].bitrate_bps;
            bitrate.is_finite() && bitrate > 0.0
        };
        let allowed = |r: &usize| self.allowed.get(*r).copied().unwrap_or(true);
        let all: Vec<usize> = (0..self.ladder.len()).collect();
        let good: Vec<usize> = all.iter().copied().filter(sane).filter(allowed).collect();
        if !good.is_empty() {
            return good;
        }
        let permitted: Vec<usize> = all.iter().copied().filter(allowed).collect();
        if !permitted.is_empty() {
            return permitted;
        }
        // Less than a bit a second is as good as that.
        let bitrate = |r: &usize| self.ladder[*r].bitrate_bps.max(1.0);
        let lowest =
            all.iter().copied().filter(sane).min_by(|a, b| bitrate(a).total_cmp(&bitrate(b)));
        vec![lowest.unwrap_or(0)]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// Whatever the numbers, decisions name a permitted rung, waits lie ahead, figures are finite.
    #[test]
    fn absurd_input_gets_a_sound_answer(
        rule in any_rule(),
        seed in prop::option::of((any_number(), any_number())),
        moments in prop::collection::vec(any_moment(), 1..12),
    ) {
        let mut abr = Abr::new(Config { rule, ..Config::default() });
        if let Some((throughput_bps, ttfb_s)) = seed {
            abr.seed(SavedEstimate { throughput_bps, ttfb_s });
        }
        let mut now_us = 0;
        for (id, moment) in moments.iter().enumerate() {
            let id = id as u64;
            let situation = moment.situation(now_us);
            let decision = abr.decide(&situation);
            let rung = match decision.action {
                Action::Fetch { rung } => {
                    prop_assert!(moment.acceptable().contains(&rung), "rung {rung} is masked");
                    rung
                }
                Action::WaitUntil { at_us } => {
                    prop_assert!(at_us > now_us);
                    0
                }
                Action::Replace { .. } => {
                    prop_assert!(false, "nothing is queued");
                    0
                }
            };
            for candidate in &decision.reasons.candidates {
                prop_assert!((0.0..=1.0).contains(&candidate.stall_probability));
                let figures = [candidate.download_s, candidate.predicted_buffer_s, candidate.cost];
                prop_assert!(figures.iter().all(|f| f.is_finite()));
            }
            let estimate = decision.reasons.estimate;
            prop_assert!(estimate.low_bps > 0.0 && estimate.low_bps <= estimate.median_bps);
            prop_assert!(estimate.median_bps <= estimate.high_bps && estimate.high_bps.is_finite());
            abr.handle(now_us, Event::RequestStarted { id, kind: Kind::Video, rung: Some(rung) });
            now_us += moment.gap_us;
            if moment.flags[0] {
                abr.handle(now_us, Event::FirstByte { id });
                abr.handle(now_us, Event::Progress { id, bytes: moment.bytes / 2 });
            }
            let in_flight = InFlight {
                rung,
                started_us: now_us - moment.gap_us,
                first_byte_us: moment.flags[0].then_some(now_us),
                bytes_loaded: moment.bytes / 2,
                bytes_total: moment.flags[1].then_some(moment.bytes),
                abandoned: 0,
                replaces_ahead_s: None,
            };
            now_us += moment.gap_us;
            let situation = moment.situation(now_us);
            if let Verdict::AbandonTo { rung } = abr.check_in_flight(&in_flight, &situation).verdict {
                prop_assert!(moment.acceptable().contains(&rung));
                abr.handle(now_us, Event::RequestCancelled { id });
            } else {
                abr.handle(now_us, Event::RequestEnded {
                    id,
                    bytes: moment.bytes,
                    from_cache: moment.flags[2],
                    application_limited: moment.flags[3],
                });
            }
        }
        let last = &moments[moments.len() - 1];
        let trajectory = abr.predict(&last.situation(now_us), last.current.unwrap_or(0));
        prop_assert_eq!(trajectory.median_s.len(), 31);
        prop_assert!(trajectory.low_s.iter().zip(&trajectory.high_s).all(|(l, h)| 0.0 <= *l && l <= h));
        prop_assert!(trajectory.stall_probability.iter().all(|p| (0.0..=1.0).contains(p)));
    }

    /// The lowest rung is never given up, no segment more than twice but for the lowest, and what replaces it is lower.
    #[test]
    fn abandonment_is_bounded(
        rule in any_rule(),
        rung in 0..6_usize,
        buffer_s in 0.0..30.0,
        elapsed_us in 0..30_000_000_u64,
        loaded in 0..2_000_000_u64,
        abandoned in 0..4_u32,
    ) {
        let ladder = ladder();
        let mut abr = Abr::new(Config { rule, ..Config::default() });
        let now_us = 60_000_000 + elapsed_us;
        let situation = Situation { buffer_s, current: Some(rung), ..Situation::new(now_us, &ladder) };
        let in_flight = InFlight {
            rung,
            started_us: 60_000_000,
            first_byte_us: Some(60_000_000 + elapsed_us / 10),
            bytes_loaded: loaded,
            bytes_total: Some(loaded + 1_000_000),
            abandoned,
            replaces_ahead_s: None,
        };
        match abr.check_in_flight(&in_flight, &situation).verdict {
            Verdict::AbandonTo { rung: to } => {
                prop_assert!(rung > 0 && to < rung);
                prop_assert!(abandoned < 2 || abandoned == 2 && to == 0);
            }
            Verdict::Continue => {}
            Verdict::Drop => prop_assert!(false, "nothing is replaced"),
        }
    }

    /// The same ladder at another scale, over a network at the same scale, plays the same.
    #[test]
    fn decisions_do_not_depend_on_the_scale_of_bitrates(
        rule in any_rule(),
        exponent in -3..7_i32,
        link_bps in 3e5..2e7_f64,
    ) {
        // A power of two scales floating-point numbers exactly.
        let scale = 2.0_f64.powi(exponent);
        let scaled: Vec<Rung> =
            ladder().iter().map(|r| Rung::new(r.bitrate_bps * scale)).collect();
        let config = Config { rule, min_sample_bytes: 0, ..Config::default() };
        let initial_throughput_bps = config.initial_throughput_bps * scale;
        let plain = Session::new(config, ladder()).run(60, |_| link_bps);
        let other = Session::new(Config { initial_throughput_bps, ..config }, scaled)
            .run(60, |_| link_bps * scale);
        prop_assert_eq!(plain.rungs, other.rungs);
    }

    /// On a network that does not change, playback does not stall, and settles.
    #[test]
    fn constant_bandwidth_settles(rule in any_viewing_rule(), link_bps in 6e5..4e7_f64, goal_s in 12.0..40.0) {
        let session = Session { goal_s, ..Session::new(Config { rule, ..Config::default() }, ladder()) };
        let run = session.run(220, |_| link_bps);
        prop_assert!(run.stalled_s == 0.0, "stalled {} s: {:?}", run.stalled_s, run.rungs);
        let settled = &run.rungs[120..];
        let switches = settled.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // One try of the rung above may still come, and has to be the last.
        prop_assert!(switches <= 2, "{switches} switches: {settled:?}");
        // And what it settles on is worth having.
        let sustained = ladder().iter().rposition(|r| r.bitrate_bps * 1.25 <= link_bps).unwrap_or(0);
        prop_assert!(settled[settled.len() - 1] + 1 >= sustained, "{settled:?} of {sustained}");
    }

    /// A network that drops to a quarter costs a bounded stall.
    #[test]
    fn a_drop_to_a_quarter_costs_a_bounded_stall(rule in any_viewing_rule(), link_bps in 3e6..3e7_f64) {
        let session = Session::new(Config { rule, ..Config::default() }, ladder());
        let run = session.run(120, |at_s| if at_s < 60.0 { link_bps } else { link_bps / 4.0 });
        prop_assert!(run.stalled_s <= 3.0 * SEGMENT_S, "stalled {} s", run.stalled_s);
    }
}

proptest! {
    // Each case makes tables.
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// The rules that plan do so soundly, too, when what waits in the buffer is as absurd as the rest.
    #[test]
    fn absurd_queues_get_a_sound_answer(
        rule in any_rule(),
        moment in any_moment(),
        queue in prop::collection::vec((0..12_usize, any_number(), any_number()), 1..9),
        target_s in prop::option::of(any_number()),
    ) {
        let mut abr = Abr::new(Config { rule, ..Config::default() });
        let queued: Vec<Queued<'_>> = queue
            .iter()
            .map(|&(rung, ahead_s, duration_s)| Queued {
                rung,
                ahead_s,
                duration_s,
                bytes: &moment.next_bytes,
            })
            .collect();
        let quality: Vec<Option<f64>> = queue.iter().map(|one| Some(one.1)).collect();
        let situation = Situation {
            queued: &queued,
            live_latency_s: target_s.map(|target_s| target_s + queue[0].1),
            live_target_s: target_s,
            next_quality: &quality,
            ..moment.situation(1_000_000)
        };
        abr.handle(0, Event::RequestStarted { id: 1, kind: Kind::Video, rung: Some(0) });
        let end = Event::RequestEnded {
            id: 1,
            bytes: moment.bytes,
            from_cache: false,
            application_limited: false,
        };
        abr.handle(moment.gap_us, end);
        while !abr.prepare(&situation) {}
        let decision = abr.decide(&situation);
        match decision.action {
            Action::Fetch { rung } => prop_assert!(moment.acceptable().contains(&rung)),
            Action::WaitUntil { at_us } => prop_assert!(at_us > 1_000_000),
            Action::Replace { queued, rung } => {
                prop_assert!(moment.acceptable().contains(&rung) && queued < queue.len());
            }
        }
        for candidate in &decision.reasons.candidates {
            let figures = [candidate.download_s, candidate.predicted_buffer_s, candidate.cost];
            prop_assert!(figures.iter().all(|f| f.is_finite()));
        }
        let in_flight = InFlight {
            rung: queue[0].0,
            started_us: 0,
            first_byte_us: Some(10),
            bytes_loaded: moment.bytes / 3,
            bytes_total: Some(moment.bytes),
            abandoned: 0,
            replaces_ahead_s: Some(queue[0].1),
        };
        let verdict = abr.check_in_flight(&in_flight, &situation).verdict;
        let given_up_for_lower = matches!(verdict, Verdict::AbandonTo { .. });
        prop_assert!(!given_up_for_lower);
    }

    /// No rule chooses what a limit forbids, unless nothing else is left.
    #[test]
    fn limits_are_kept(
        rule in any_rule(),
        link_bps in 5e5..5e7_f64,
        max_bitrate_bps in prop::option::of(1e5..2e7_f64),
        max_height in prop::option::of(100..2000_u32),
        viewport_height in prop::option::of(100..2000_u32),
        decoder_frame_rate in prop::option::of(20.0..70.0_f64),
        flags in any::<[bool; 2]>(),
    ) {
        let heights = [240, 360, 480, 720, 1080, 2160];
        let ladder: Vec<Rung> = ladder()
            .iter()
            .zip(heights)
            .map(|(rung, height)| Rung {
                height: Some(height),
                frame_rate: Some(if height > 720 { 50.0 } else { 25.0 }),
                ..*rung
            })
            .collect();
        let limits = Limits {
            max_bitrate_bps,
            max_height,
            viewport_height,
            decoder_frame_rate,
            data_saver: flags[0],
            metered: flags[1],
            ..Limits::default()
        };
        let mut session = Session::new(Config { rule, ..Config::default() }, ladder.clone());
        session.abr.limit(limits);
        let run = session.run(40, |_| link_bps);
        let kept = |rung: &Rung| {
            let height = rung.height.unwrap_or(0);
            let next_lower = heights.iter().rev().find(|lower| **lower < height);
            rung.bitrate_bps <= max_bitrate_bps.unwrap_or(f64::MAX)
                && height <= max_height.unwrap_or(u32::MAX)
                && viewport_height.is_none_or(|view| next_lower.is_none_or(|lower| *lower < view))
                && rung.frame_rate <= decoder_frame_rate.or(Some(f64::MAX))
                && !(flags[0] && height > 480)
                && !(flags[1] && height > 720)
        };
        for rung in run.rungs {
            prop_assert!(rung == 0 || kept(&ladder[rung]), "{rung} with {limits:?}");
        }
    }

    /// More in the buffer, or a faster network, never makes the best of all choices worth less.
    #[test]
    fn worth_is_monotone_in_buffer_and_throughput(
        buffer_s in 0.5..20.0_f64,
        more_s in 0.0..6.0_f64,
        link_bps in 4e5..2e7_f64,
        faster in 1.0..3.0_f64,
        current in 0..6_usize,
    ) {
        let ladder = ladder();
        let worth = |buffer_s: f64, link_bps: f64| {
            let mut abr = Abr::new(Config::default());
            let situation = Situation {
                buffer_s,
                segment_duration_s: SEGMENT_S,
                current: Some(current),
                ..Situation::new(0, &ladder)
            };
            abr.seed(SavedEstimate { throughput_bps: link_bps, ttfb_s: 0.05 });
            while !abr.prepare(&situation) {}
            let candidates = abr.decide(&situation).reasons.candidates;
            candidates.iter().map(|one| -one.cost).fold(f64::NEG_INFINITY, f64::max)
        };
        let here = worth(buffer_s, link_bps);
        prop_assert!(worth(buffer_s + more_s, link_bps) >= here - 1e-3);
        prop_assert!(worth(buffer_s, link_bps * faster) >= here - 1e-3);
    }
}

/// What was far more than any rung needs says little about what comes after.
#[test]
fn a_plunge_from_plenty_costs_no_stall() {
    for rule in [Rule::Kinora, Rule::Dynamic] {
        let ladder = [200e3, 500e3, 1.2e6].map(Rung::new).to_vec();
        let mut session = Session::new(Config { rule, ..Config::default() }, ladder);
        session.goal_s = 10.0;
        let run = session.run(60, |at_s| if at_s < 20.0 { 1e9 } else { 450e3 });
        assert_eq!(run.stalled_s, 0.0, "{rule:?}: {:?}", run.rungs);
    }
}

fn ladder() -> Vec<Rung> {
    [400e3, 800e3, 1.6e6, 3.2e6, 6.4e6, 12.8e6].map(Rung::new).to_vec()
}

/// A player reduced to its clock: one segment after the other over a link of given speed.
struct Session {
    abr: Abr,
    ladder: Vec<Rung>,
    goal_s: f64,
}

struct Run {
    rungs: Vec<usize>,
    stalled_s: f64,
}

const SEGMENT_S: f64 = 2.0;
const TTFB_S: f64 = 0.04;
/// How often a transfer in flight is looked at.
const TICK_S: f64 = 0.25;

impl Session {
    fn new(config: Config, ladder: Vec<Rung>) -> Self {
        Self { abr: Abr::new(config), ladder, goal_s: 30.0 }
    }

    fn run(mut self, segments: u64, link_bps: impl Fn(f64) -> f64) -> Run {
        let mut run = Run { rungs: Vec::new(), stalled_s: 0.0 };
        let (mut now_s, mut buffer_s) = (0.0_f64, 0.0_f64);
        let us = |s: f64| (s * 1e6).round() as u64;
        let mut id = 0;
        while (run.rungs.len() as u64) < segments {
            let playing = !run.rungs.is_empty();
            let ladder = self.ladder.clone();
            let situation = |now_s: f64, buffer_s: f64| Situation {
                phase: if playing { Phase::Playing } else { Phase::Starting },
                buffer_s,
                buffer_goal_s: self.goal_s,
                segment_duration_s: SEGMENT_S,
                current: run.rungs.last().copied(),
                ..Situation::new(us(now_s), &ladder)
            };
            let mut rung = match self.abr.decide(&situation(now_s, buffer_s)).action {
                Action::Fetch { rung } => rung,
                Action::WaitUntil { at_us } => {
                    let wait_s = at_us as f64 / 1e6 - now_s;
                    assert!(
                        wait_s < buffer_s,
                        "waiting {wait_s} s empties a buffer of {buffer_s} s"
                    );
                    now_s += wait_s;
                    buffer_s -= wait_s;
                    continue;
                }
                Action::Replace { .. } => unreachable!("nothing is queued"),
            };
            let mut abandoned = 0;
            'requests: loop {
                id += 1;
                let started_s = now_s;
                let total = ladder[rung].bitrate_bps * SEGMENT_S / 8.0;
                let mut loaded = 0.0;
                let mut pass = |now_s: &mut f64, buffer_s: &mut f64, by_s: f64| {
                    *now_s += by_s;
                    if playing {
                        run.stalled_s += (by_s - *buffer_s).max(0.0);
                        *buffer_s = (*buffer_s - by_s).max(0.0);
                    }
                };
                self.abr.handle(
                    us(now_s),
                    Event::RequestStarted { id, kind: Kind::Video, rung: Some(rung) },
                );
                pass(&mut now_s, &mut buffer_s, TTFB_S);
                self.abr.handle(us(now_s), Event::FirstByte { id });
                loop {
                    let rate = link_bps(now_s) / 8.0;
                    let left_s = (total - loaded) / rate;
                    if left_s <= TICK_S {
                        pass(&mut now_s, &mut buffer_s, left_s);
                        self.abr.handle(
                            us(now_s),
                            Event::RequestEnded {
                                id,
                                bytes: total as u64,
                                from_cache: false,
                                application_limited: false,
                            },
                        );
                        break 'requests;
                    }
                    pass(&mut now_s, &mut buffer_s, TICK_S);
                    loaded += TICK_S * rate;
                    self.abr.handle(us(now_s), Event::Progress { id, bytes: loaded as u64 });
                    let in_flight = InFlight {
                        rung,
                        started_us: us(started_s),
                        first_byte_us: Some(us(started_s + TTFB_S)),
                        bytes_loaded: loaded as u64,
                        bytes_total: Some(total as u64),
                        abandoned,
                        replaces_ahead_s: None,
                    };
                    let check = self.abr.check_in_flight(&in_flight, &situation(now_s, buffer_s));
                    if let Verdict::AbandonTo { rung: to } = check.verdict {
                        self.abr.handle(us(now_s), Event::RequestCancelled { id });
                        rung = to;
                        abandoned += 1;
                        break;
                    }
                }
            }
            buffer_s += SEGMENT_S;
            run.rungs.push(rung);
        }
        run
    }
}

#[test]
fn rules_are_found_by_name() {
    for rule in Rule::ALL {
        assert_eq!(Rule::from_name(rule.name()), Some(*rule));
        assert_eq!(rule.controller(&Config::default()).rule(), *rule);
    }
    assert_eq!(Rule::from_name("nonsense"), None);
}

#[test]
fn the_default_rule_plans_within_the_first_segments() {
    let mut abr = Abr::new(Config::default());
    let ladder = ladder();
    let situation = Situation { segment_duration_s: SEGMENT_S, ..Situation::new(0, &ladder) };
    abr.decide(&Situation { phase: Phase::Starting, ..situation });
    // Two segments with a report every 50 ms build the tables, a slice each.
    let mut now_us = 0;
    for id in 0..2 {
        abr.handle(now_us, Event::RequestStarted { id, kind: Kind::Video, rung: Some(0) });
        for tick in 1..=30 {
            now_us += 50_000;
            abr.handle(now_us, Event::Progress { id, bytes: tick * 50_000 });
        }
        abr.handle(
            now_us,
            Event::RequestEnded {
                id,
                bytes: 1_500_000,
                from_cache: false,
                application_limited: false,
            },
        );
    }
    let decision = abr.decide(&Situation { now_us, buffer_s: 12.0, current: Some(0), ..situation });
    assert_eq!(decision.reasons.cause, Cause::Planned);
    let Action::Fetch { rung } = decision.action else { panic!("there is room") };
    let cheapest = decision.reasons.candidates.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
    assert_eq!(cheapest.map(|candidate| candidate.rung), Some(rung));
}

/// Close to the live edge, being behind is a reason to be careful; elsewhere it is not.
#[test]
fn latency_behind_the_target_makes_the_low_latency_rule_careful() {
    let ladder = ladder();
    let rung = |buffer_s: f64, latency_s: f64| {
        let config = Config { rule: Rule::LowLatency, ..Config::default() };
        let mut abr = Abr::new(config);
        abr.seed(SavedEstimate { throughput_bps: 3.3e6, ttfb_s: 0.02 });
        let situation = Situation {
            buffer_s,
            buffer_goal_s: 4.0,
            segment_duration_s: SEGMENT_S,
            current: Some(3),
            live_latency_s: Some(latency_s),
            live_target_s: Some(3.0),
            ..Situation::new(0, &ladder)
        };
        match abr.decide(&situation).action {
            Action::Fetch { rung } => rung,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rung(1.5, 3.0), 3, "what the network sustains");
    assert!(rung(0.1, 9.0) < 3, "stalls would add to the latency");
}

/// Qualities of the segment itself count where the objective is a table.
#[test]
fn a_segment_that_gains_nothing_from_more_bits_gets_fewer() {
    use kinora_abr::{Objective, Utility};
    let qualities = [40.0, 60.0, 75.0, 85.0, 92.0, 96.0];
    let ladder: Vec<Rung> = ladder()
        .iter()
        .zip(qualities)
        .map(|(rung, quality)| Rung { quality: Some(quality), ..*rung })
        .collect();
    let objective = Objective { utility: Utility::Table, ..Objective::default() };
    let rung = |next_quality: &[Option<f64>]| {
        let mut abr = Abr::new(Config { objective, ..Config::default() });
        abr.seed(SavedEstimate { throughput_bps: 7e6, ttfb_s: 0.05 });
        let situation = Situation {
            buffer_s: 12.0,
            segment_duration_s: SEGMENT_S,
            current: Some(3),
            next_quality,
            ..Situation::new(0, &ladder)
        };
        while !abr.prepare(&situation) {}
        let candidates = abr.decide(&situation).reasons.candidates;
        let best = candidates.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
        best.map(|best| best.rung).expect("candidates")
    };
    let usual = rung(&[]);
    // A still picture: the lowest rung already shows all there is.
    let still = rung(&[Some(96.0); 6]);
    assert!(usual >= 3 && still < usual, "{still} {usual}");
}
