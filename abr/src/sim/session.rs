//! A playback session over a recorded network.

use crate::sim::buffer::Buffer;
use crate::sim::network::{Network, Transfer};
use crate::sim::{Movie, Trace};
use crate::{
    Config, Controller, Download, Estimator, Observation, Phase, Queued, Rule, Rung, Sample,
    Situation, Step,
};

/// The conditions of a session.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most the buffer may hold, milliseconds.
    pub capacity_ms: f64,
    /// The rung of the first segment. `None`: the rule chooses it, believing in
    /// [`Config::initial_throughput_bps`].
    pub first: Option<usize>,
    /// How queued segments are fetched again in a higher rung.
    pub replacement: Replacement,
    /// Whether a transfer may be given up.
    pub abandon: bool,
    /// Whether a transfer that was given up informs the estimate. The published rules were evaluated
    /// without.
    pub learn_from_abandoned: bool,
    /// Whether the rule sees the size of the next segment, or only nominal bitrates.
    pub sizes_known: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity_ms: 25_000.0,
            first: Some(0),
            replacement: Replacement::None,
            abandon: true,
            learn_from_abandoned: true,
            sizes_known: true,
        }
    }
}

/// Which queued segment, if any, a decision for a higher rung is applied to instead of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacement {
    /// None.
    #[default]
    None,
    /// The one that plays soonest.
    Soonest,
    /// The one that plays last.
    Latest,
    /// The one the rule names ([`Controller::replace`]), be the buffer full or not.
    Rule,
}

/// What plays: a rule, and the estimator that informs it.
#[derive(Debug)]
pub struct Player {
    controller: Box<dyn Controller>,
    estimator: Estimator,
    config: Config,
}

impl Player {
    /// A built-in rule.
    pub fn rule(rule: Rule, config: &Config) -> Self {
        Self::new(rule.controller(config), config)
    }

    /// Any controller.
    pub fn new(controller: Box<dyn Controller>, config: &Config) -> Self {
        Self { controller, estimator: Estimator::new(config), config: *config }
    }
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// The rung each segment was played in.
    pub rungs: Vec<usize>,
    /// Time until the first segment had arrived, milliseconds.
    pub startup_ms: f64,
    /// Time stalled after that, milliseconds.
    pub stalled_ms: f64,
    /// How often playback stalled.
    pub stalls: u32,
    /// Transfers given up.
    pub abandoned: u32,
    /// Every transfer, in order.
    pub transfers: Vec<TransferRecord>,
}

/// One transfer of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransferRecord {
    /// Position in the title.
    pub segment: usize,
    /// Its rung.
    pub rung: usize,
    /// When it was requested, milliseconds from the start of the session.
    pub start_ms: f64,
    /// How long it took, milliseconds.
    pub elapsed_ms: f64,
    /// Bits that arrived.
    pub bits: f64,
    /// Buffer level when it was requested, milliseconds.
    pub buffer_ms: f64,
    /// Whether it was given up.
    pub abandoned: bool,
}

/// Plays a whole title. Movie and trace have to be sound ([`Movie::is_sound`], [`Trace::is_sound`]).
///
/// A request waits one latency and then receives at the rate of the trace. Playback starts with the
/// first segment. A segment is requested as soon as it fits below the capacity.
pub fn play(movie: &Movie, trace: &Trace, player: Player, options: &Options) -> Session {
    let mut run = Run::new(movie, trace, player, options);
    run.start();
    while run.next < movie.segment_sizes_bits.len() {
        run.advance();
    }
    run.play(run.buffer.level_ms());
    run.session
}

struct Run<'a> {
    movie: &'a Movie,
    options: &'a Options,
    ladder: Vec<Rung>,
    network: Network<'a>,
    player: Player,
    buffer: Buffer,
    next: usize,
    last: Option<usize>,
    now_ms: f64,
    /// How many requests for the next segment were given up.
    abandoned: u32,
    session: Session,
}

impl<'a> Run<'a> {
    fn new(movie: &'a Movie, trace: &'a Trace, player: Player, options: &'a Options) -> Self {
        Self {
            movie,
            options,
            ladder: movie.bitrates_kbps.iter().map(|b| Rung::new(b * 1000.0)).collect(),
            network: Network::new(trace),
            player,
            buffer: Buffer { duration_ms: movie.segment_duration_ms, ..Buffer::default() },
            next: 0,
            last: None,
            now_ms: 0.0,
            abandoned: 0,
            session: Session::default(),
        }
    }

    fn start(&mut self) {
        let step = self.step(Phase::Starting);
        while !self.player.controller.prepare(&step) {}
        let rung = match self.options.first {
            Some(rung) => rung.min(self.movie.bitrates_kbps.len().saturating_sub(1)),
            None => self.player.controller.choose(&step, &self.player.estimator.estimate()).rung,
        };
        let transfer = self.network.download(self.movie.size(0, rung));
        self.record(0, rung, &transfer, false);
        self.now_ms = transfer.elapsed_ms;
        self.session.startup_ms = transfer.elapsed_ms;
        self.arrived(rung, &transfer, None);
    }

    fn advance(&mut self) {
        if let Some((queued, rung)) = self.ask_to_replace() {
            let back = self.buffer.queue.len() - queued;
            self.fetch(rung, Some(back));
            return;
        }
        let overfull_ms =
            self.buffer.level_ms() + self.movie.segment_duration_ms - self.options.capacity_ms;
        if overfull_ms > 0.0 {
            self.wait(overfull_ms);
            let idle = Observation::Idle { ms: overfull_ms };
            let step = self.step(Phase::Playing);
            self.player.controller.observe(&idle, &step);
        }
        let step = self.step(Phase::Playing);
        let choice = self.player.controller.choose(&step, &self.player.estimator.estimate());
        let rung = step.original(choice.rung);
        let replace = self.buffer.replaceable(self.options.replacement, rung);
        if replace.is_none() && choice.delay_ms > 0.0 {
            self.wait(choice.delay_ms);
        }
        self.fetch(rung, replace);
    }

    /// Position in the queue, and rung, of the segment that the rule would fetch again.
    fn ask_to_replace(&mut self) -> Option<(usize, usize)> {
        if self.options.replacement != Replacement::Rule {
            return None;
        }
        let step = self.step(Phase::Playing);
        let first = self.buffer.queue.len() - step.queued.len();
        let estimate = self.player.estimator.estimate();
        let (queued, choice) = self.player.controller.replace(&step, &estimate)?;
        Some((first + queued, step.original(choice.rung)))
    }

    /// Fetches the next segment, or the one that lies so far `back` from the end of the queue.
    fn fetch(&mut self, rung: usize, replace: Option<usize>) {
        let step = self.step(Phase::Playing);
        let segment = self.next - replace.unwrap_or(0);
        let bits = self.movie.size(segment, rung);
        let level_ms = self.buffer.level_ms();
        let (transfer, given_up) = if !self.options.abandon {
            (self.network.download(bits), None)
        } else {
            let replacement = self.options.replacement;
            let Self { network, player, movie, abandoned, .. } = self;
            let mut step = step;
            network.download_unless(bits, |transfer| {
                let buffer_ms = (level_ms - transfer.elapsed_ms).max(0.0);
                step.buffer_ms = buffer_ms;
                let mut download = download(transfer, rung, bits, *abandoned);
                if let Some(back) = replace {
                    let ahead_ms = buffer_ms - movie.segment_duration_ms * back as f64;
                    download.replaces_ahead_ms = Some(ahead_ms.max(0.0));
                    let pays = replacement != Replacement::Rule
                        || player.controller.keep_replacing(
                            &download,
                            &step,
                            &player.estimator.estimate(),
                        );
                    return (ahead_ms <= 0.0 || !pays).then_some(rung);
                }
                let answer =
                    player.controller.abandon(&download, &step, &player.estimator.estimate());
                answer.map(|(to, _)| to)
            })
        };
        self.record(segment, rung, &transfer, given_up.is_some());
        self.play(transfer.elapsed_ms);
        self.now_ms += transfer.elapsed_ms;
        match given_up {
            None => self.arrived(rung, &transfer, replace),
            Some(to) => {
                self.session.abandoned += 1;
                if self.options.learn_from_abandoned {
                    self.learn(&transfer);
                }
                if replace.is_none() {
                    self.abandoned += 1;
                    let abandoned = Observation::Abandoned { from: rung, to };
                    let step = self.step(Phase::Playing);
                    self.player.controller.observe(&abandoned, &step);
                }
            }
        }
    }

    /// A segment is complete and goes into the buffer.
    fn arrived(&mut self, rung: usize, transfer: &Transfer, replace: Option<usize>) {
        match replace {
            None => {
                self.buffer.queue.push_back(rung);
                self.session.rungs.push(rung);
                self.last = Some(rung);
                self.next += 1;
                self.abandoned = 0;
            }
            Some(back) => {
                // By now it may be playing.
                let in_time =
                    self.buffer.level_ms() >= self.movie.segment_duration_ms * back as f64;
                if let Some(queued) = self.buffer.at_the_end(back).filter(|_| in_time) {
                    *queued = rung;
                    let at = self.session.rungs.len() - back;
                    self.session.rungs[at] = rung;
                    self.last = self.session.rungs.last().copied();
                }
            }
        }
        let step = self.step(Phase::Playing);
        let fetched = Observation::Fetched {
            rung,
            download_ms: transfer.elapsed_ms,
            rate_kbps: transfer.bits / (transfer.elapsed_ms - transfer.latency_ms),
            replaced: replace.is_some(),
        };
        self.player.controller.observe(&fetched, &step);
        self.learn(transfer);
    }

    fn learn(&mut self, transfer: &Transfer) {
        let transfer_s = (transfer.elapsed_ms - transfer.latency_ms) / 1000.0;
        self.player.estimator.observe(Sample { bits: transfer.bits, transfer_s });
        self.player.estimator.observe_ttfb(transfer.latency_ms / 1000.0);
    }

    fn wait(&mut self, ms: f64) {
        self.play(ms);
        self.network.idle(ms);
        self.now_ms += ms;
    }

    /// Plays for a time, from the buffer as far as it goes.
    fn play(&mut self, ms: f64) {
        let was_empty = self.buffer.queue.is_empty();
        let missing_ms = self.buffer.play(ms).max(0.0);
        self.session.stalled_ms += missing_ms;
        if missing_ms > 0.0 && !was_empty {
            self.session.stalls += 1;
        }
    }

    fn record(&mut self, segment: usize, rung: usize, transfer: &Transfer, abandoned: bool) {
        self.session.transfers.push(TransferRecord {
            segment,
            rung,
            start_ms: self.now_ms,
            elapsed_ms: transfer.elapsed_ms,
            bits: transfer.bits,
            buffer_ms: self.buffer.level_ms(),
            abandoned,
        });
    }

    fn step(&self, phase: Phase) -> Step {
        let bytes = |segment: usize| match self.movie.segment_sizes_bits.get(segment) {
            Some(sizes) if self.options.sizes_known => {
                sizes.iter().map(|bits| Some((bits / 8.0) as u64)).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        };
        let next_bytes = bytes(self.next);
        // The first one may be playing.
        let waiting = match self.options.replacement {
            Replacement::Rule => self.buffer.queue.len() - usize::from(self.buffer.played_ms > 0.0),
            _ => 0,
        };
        let sizes: Vec<Vec<Option<u64>>> = (self.next - waiting..self.next).map(bytes).collect();
        let first = self.buffer.queue.len() - waiting;
        let rungs = self.buffer.queue.iter().enumerate().skip(first);
        let queued: Vec<Queued<'_>> = rungs
            .zip(&sizes)
            .map(|((at, &rung), bytes)| Queued {
                rung,
                ahead_s: (at as f64 * self.movie.segment_duration_ms - self.buffer.played_ms)
                    / 1000.0,
                duration_s: self.movie.segment_duration_ms / 1000.0,
                bytes,
            })
            .collect();
        let situation = Situation {
            phase,
            buffer_s: self.buffer.level_ms() / 1000.0,
            buffer_goal_s: self.options.capacity_ms / 1000.0,
            segment_duration_s: self.movie.segment_duration_ms / 1000.0,
            next_bytes: &next_bytes,
            current: self.last,
            queued: &queued,
            segments_remaining: Some((self.movie.segment_sizes_bits.len() - self.next) as u64),
            ..Situation::new((self.now_ms * 1000.0) as u64, &self.ladder)
        };
        let mut step = Step::new(&situation, &self.player.config.objective);
        step.buffer_ms = self.buffer.level_ms();
        step
    }
}

fn download(transfer: &Transfer, rung: usize, total_bits: f64, abandoned: u32) -> Download {
    Download {
        rung,
        elapsed_ms: transfer.elapsed_ms,
        ttfb_ms: transfer.latency_ms,
        loaded_bits: transfer.bits,
        total_bits,
        abandoned,
        replaces_ahead_ms: None,
    }
}
