//! Joins estimator, rule and prediction into what a player calls.

use crate::limits::{Bans, masks};
use crate::math::{clamp, finite_or, micros, millis};
use crate::predict::download_s;
use crate::{
    Action, Candidate, Cause, Choice, Config, Controller, Decision, Download, Estimate, Estimator,
    Hints, InFlight, InFlightDecision, Kind, Limits, Mask, Observation, Phase, Reasons,
    SavedEstimate, Situation, Step, Trajectory, Verdict, predict_buffer,
};

/// Something that happened outside. Times are stamped by [`Abr::handle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A request went out. Report every one: they share the link.
    RequestStarted {
        /// Any number that no other running request has.
        id: u64,
        /// What it fetches.
        kind: Kind,
        /// Index into the ladder, when it is a segment of the ladder this [`Abr`] chooses from.
        rung: Option<usize>,
    },
    /// The first byte of its body arrived.
    FirstByte {
        /// The request's id.
        id: u64,
    },
    /// More of its body arrived. Several reports a second are enough.
    Progress {
        /// The request's id.
        id: u64,
        /// Body bytes received so far in all.
        bytes: u64,
    },
    /// Its body is complete.
    RequestEnded {
        /// The request's id.
        id: u64,
        /// Body bytes in all.
        bytes: u64,
        /// It was answered without the network.
        from_cache: bool,
        /// Its pace was set by the source (a segment still being encoded), not by the network.
        application_limited: bool,
    },
    /// A chunk of a segment that is sent while it is encoded (`moof` and `mdat`, CMAF) is complete.
    Chunk {
        /// The request's id.
        id: u64,
        /// Bytes of the chunk.
        bytes: u64,
        /// When its first byte arrived, microseconds.
        started_us: u64,
    },
    /// Frames were shown since the report before. A few reports a second or less are enough.
    Frames {
        /// Index into the ladder of the rung on the screen.
        rung: usize,
        /// Frames shown in time.
        shown: u32,
        /// Frames that were decoded too late to be shown.
        dropped: u32,
    },
    /// It was cancelled, or failed.
    RequestCancelled {
        /// The request's id.
        id: u64,
    },
    /// Playback continues elsewhere: the buffer was discarded.
    Seeked,
    /// The device is on another network: what was measured no longer holds.
    NetworkChanged {
        /// Throughput the platform reports for the new one, bits per second.
        hint_bps: Option<f64>,
    },
}

/// Chooses representations for one ladder. See the [crate's front page](crate) for the calls.
#[derive(Debug)]
pub struct Abr {
    config: Config,
    estimator: Estimator,
    controller: Box<dyn Controller>,
    limits: Limits,
    /// The highest bitrate the server suggests, bits per second.
    suggested_bps: Option<f64>,
    bans: Bans,
    /// Requests for segments of the ladder.
    fetching: Vec<Fetching>,
    /// What the rule will be told at the next decision, when the buffer level is known again.
    pending: Vec<Pending>,
    /// Original rungs of an abandonment that was advised and not yet carried out.
    abandoning: Option<(usize, usize)>,
    finished_us: Option<u64>,
    rule_waits: bool,
    /// A replacement was advised and not yet requested.
    replacing: bool,
    /// The problem decided last, for what the rule prepares in between.
    recent: Option<Step>,
    /// When the first decision was asked for.
    began_us: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Fetching {
    id: u64,
    /// In the caller's ladder.
    rung: usize,
    started_us: u64,
    replaces: bool,
}

#[derive(Clone, Copy, Debug)]
enum Pending {
    Fetched { fetch: Fetching, at_us: u64, bits: f64 },
    Abandoned { from: usize, to: usize },
    Seeked,
}

/// A segment is given up so often for what is best,
const MAX_ABANDONED: u32 = 2;
/// and once more for the lowest rung, if the viewer will wait and that comes in this part of the time left.
const LAST_RESORT: f64 = 0.5;
/// once its pace has been seen for so long.
const RESORT_AFTER_MS: f64 = 1_000.0;
/// More than a player has in flight, or completes between two decisions.
const MAX_TRACKED: usize = 32;
/// A transfer is left alone while it will leave at least this part of the buffer.
const COMFORTABLE: f64 = 0.5;
/// So many times the highest rung's bitrate is as good as any more.
const AMPLE: f64 = 4.0;
/// When the buffer is full and does not drain, ask again after this time, milliseconds.
const RECHECK_MS: f64 = 500.0;
/// A wait shorter than this is not worth a timer, milliseconds.
const SHORTEST_WAIT_MS: f64 = 5.0;
/// A start that takes longer than this, microseconds, waits for the network, and not for the processor.
const HASTE_US: u64 = 300_000;
/// Gaps between requests shorter than this are the player's own work, milliseconds.
const IDLE_MS: f64 = 50.0;

impl Abr {
    /// An engine with the configured rule.
    pub fn new(config: Config) -> Self {
        Self::with_controller(config, config.rule.controller(&config))
    }

    /// An engine with a controller of the application's own.
    pub fn with_controller(config: Config, controller: Box<dyn Controller>) -> Self {
        Self {
            estimator: Estimator::new(&config),
            config,
            controller,
            limits: Limits::default(),
            suggested_bps: None,
            bans: Bans::default(),
            fetching: Vec::new(),
            pending: Vec::new(),
            abandoning: None,
            finished_us: None,
            rule_waits: false,
            replacing: false,
            recent: None,
            began_us: None,
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Goes on with another configuration. What was learnt about the network stays.
    pub fn configure(&mut self, config: Config) {
        if config != self.config {
            self.controller = config.rule.controller(&config);
        }
        self.config = config;
    }

    /// Limits what may be chosen from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes in hints about the network. Measurements count more; see [`Estimator::seed`].
    pub fn hint(&mut self, hints: &Hints) {
        self.suggested_bps = hints.max_bitrate_kbps.map(|kbps| kbps * 1000.0);
        if let Some(seed) = hints.estimate() {
            self.estimator.seed(seed);
        }
    }

    /// Starts from what an earlier session learnt; see [`Estimator::seed`].
    pub fn seed(&mut self, seed: SavedEstimate) {
        self.estimator.seed(seed);
    }

    /// What keeps each rung of a situation's ladder from being chosen; nothing of at least one.
    pub fn masks(&self, situation: &Situation<'_>) -> Vec<Option<Mask>> {
        masks(&self.limits, self.suggested_bps, &self.bans, situation)
    }

    /// What is worth keeping for the next session.
    pub fn saved(&self) -> Option<SavedEstimate> {
        self.estimator.saved()
    }

    /// What is believed about the network.
    pub fn estimate(&self) -> Estimate {
        self.estimator.estimate()
    }

    /// Takes in an event.
    pub fn handle(&mut self, now_us: u64, event: Event) {
        self.estimator.handle(now_us, &event);
        match event {
            Event::RequestStarted { id, rung: Some(rung), .. } => {
                self.fetching.retain(|f| f.id != id);
                let replaces = core::mem::take(&mut self.replacing);
                self.fetching.push(Fetching { id, rung, started_us: now_us, replaces });
                bound(&mut self.fetching);
            }
            Event::RequestEnded { id, bytes, .. } => {
                if let Some(fetch) = self.take_fetch(id) {
                    let bits = bytes as f64 * 8.0;
                    self.remember(Pending::Fetched { fetch, at_us: now_us, bits });
                    self.finished_us = Some(now_us);
                    self.abandoning = None;
                }
            }
            Event::RequestCancelled { id } => {
                if let (Some(_), Some((from, to))) = (self.take_fetch(id), self.abandoning.take()) {
                    self.remember(Pending::Abandoned { from, to });
                }
            }
            Event::Seeked => {
                self.abandoning = None;
                self.finished_us = None;
                self.remember(Pending::Seeked);
            }
            Event::Frames { rung, shown, dropped } => {
                self.bans.report(now_us, rung, shown, dropped);
            }
            _ => {}
        }
        if let Some(step) = self.recent.take() {
            self.prepare_in_passing(now_us, &step);
            self.recent = Some(step);
        }
    }

    /// Chooses the rung of the next segment, or says when to ask again.
    pub fn decide(&mut self, situation: &Situation<'_>) -> Decision {
        let step = self.step(situation);
        self.replacing = false;
        self.tell(situation, &step);
        self.prepare_in_passing(situation.now_us, &step);
        let decision = self.solve(&step, situation.now_us);
        self.recent = Some(step);
        decision
    }

    /// A slice with each event and decision; later, if the first frame of a fast start waits for them.
    fn prepare_in_passing(&mut self, now_us: u64, step: &Step) {
        let began_us = *self.began_us.get_or_insert(now_us);
        if step.phase == Phase::Starting && now_us.saturating_sub(began_us) < HASTE_US {
            self.controller.put_off(step);
        } else {
            self.controller.prepare(step);
        }
    }

    fn solve(&mut self, step: &Step, now_us: u64) -> Decision {
        let highest_kbps = step.bitrates_kbps.last().copied().unwrap_or(0.0);
        self.estimator.set_ceiling(AMPLE * highest_kbps * 1000.0);
        let estimate = self.estimator.estimate();
        if self.config.replace
            && !step.queued.is_empty()
            && let Some((queued, choice)) = self.controller.replace(step, &estimate)
            && let Some(waiting) = step.queued.get(queued)
        {
            self.rule_waits = false;
            let action = Action::Replace { queued, rung: step.original(choice.rung) };
            let mut again = step.clone();
            again.sizes_bits.clone_from(&waiting.sizes_bits);
            self.replacing = true;
            let reasons = self.reasons(choice.cause, &again, &estimate, &choice.costs);
            return Decision { action, reasons };
        }
        let overfull_ms = step.buffer_ms + step.duration_ms - step.goal_ms;
        if overfull_ms > 0.0 {
            self.rule_waits = false;
            let wait_ms = if step.drain > 0.0 { overfull_ms / step.drain } else { RECHECK_MS };
            let at_us = now_us.saturating_add(micros(wait_ms.max(SHORTEST_WAIT_MS)));
            let reasons = self.reasons(Cause::BufferFull, step, &estimate, &[]);
            return Decision { action: Action::WaitUntil { at_us }, reasons };
        }

        let choice = self.controller.choose(step, &estimate);
        let Choice { rung, delay_ms, cause, ref costs } = choice;
        // Waiting must not run the buffer down, and helps only while it drains.
        let spare_ms =
            if step.drain > 0.0 { (step.buffer_ms - step.duration_ms) / step.drain } else { 0.0 };
        let delay_ms = clamp(delay_ms, 0.0, spare_ms.max(0.0));
        self.rule_waits = delay_ms > SHORTEST_WAIT_MS;
        let (action, cause) = if self.rule_waits {
            let at_us = now_us.saturating_add(micros(delay_ms));
            (Action::WaitUntil { at_us }, Cause::Ahead)
        } else {
            let only = step.rungs() == 1;
            (
                Action::Fetch { rung: step.original(rung) },
                if only { Cause::OnlyRung } else { cause },
            )
        };
        Decision { action, reasons: self.reasons(cause, step, &estimate, costs) }
    }

    /// Says whether to go on with the segment in flight.
    ///
    /// Never advises to give up the lowest rung, nor the same segment more than twice; a third time only for the lowest
    /// rung, when the viewer would wait much longer without. Of a viewer who waits already, that is reason enough at any
    /// time. On
    /// [`Verdict::AbandonTo`], cancel the request, report that, and request the same segment in the
    /// advised rung without another [`Abr::decide`].
    pub fn check_in_flight(
        &mut self,
        in_flight: &InFlight,
        situation: &Situation<'_>,
    ) -> InFlightDecision {
        let step = self.step(situation);
        let estimate = self.estimator.estimate();
        let rung = step.standing_for(in_flight.rung, situation.ladder);
        let download = Download::new(in_flight, rung, situation.now_us, &step);
        if download.replaces_ahead_ms.is_some() {
            let keep = self.controller.keep_replacing(&download, &step, &estimate);
            let (verdict, cause) = if keep {
                (Verdict::Continue, Cause::OnTrack)
            } else {
                (Verdict::Drop, Cause::TooSlow)
            };
            return InFlightDecision {
                verdict,
                reasons: self.reasons(cause, &step, &estimate, &[]),
            };
        }
        let (to, cause) = self.judge(&download, &step, &estimate);
        let verdict = to.filter(|&to| to < rung).map_or(Verdict::Continue, |to| {
            let to = step.original(to);
            self.abandoning = Some((in_flight.rung, to));
            Verdict::AbandonTo { rung: to }
        });
        InFlightDecision { verdict, reasons: self.reasons(cause, &step, &estimate, &[]) }
    }

    /// What the buffer is expected to do over the next 30 s, were this rung fetched from now on.
    pub fn predict(&self, situation: &Situation<'_>, rung: usize) -> Trajectory {
        let step = self.step(situation);
        let rung = step.standing_for(rung, situation.ladder);
        predict_buffer(&step, &self.estimator.estimate(), rung)
    }

    /// Builds a bounded slice of the tables the rule will want for this ladder; true when they are
    /// complete. Calling it is optional: decisions are sound without, if less far-sighted.
    pub fn prepare(&mut self, situation: &Situation<'_>) -> bool {
        self.controller.prepare(&self.step(situation))
    }

    /// The problem, without what the limits forbid.
    fn step(&self, situation: &Situation<'_>) -> Step {
        let masks = self.masks(situation);
        let allowed: Vec<bool> = masks.iter().map(Option::is_none).collect();
        Step::new(&Situation { allowed: &allowed, ..*situation }, &self.config.objective)
    }

    /// Brings the rule up to date.
    fn tell(&mut self, situation: &Situation<'_>, step: &Step) {
        let ttfb_ms = self.estimator.estimate().ttfb_ms();
        let rung = |original| step.standing_for(original, situation.ladder);
        for pending in core::mem::take(&mut self.pending) {
            match pending {
                Pending::Fetched { fetch, at_us, bits } => {
                    let download_ms = millis(at_us.saturating_sub(fetch.started_us));
                    let since_ms = millis(situation.now_us.saturating_sub(at_us));
                    let mut then = step.clone();
                    then.buffer_ms += since_ms * step.drain;
                    let fetched = Observation::Fetched {
                        rung: rung(fetch.rung),
                        download_ms,
                        rate_kbps: bits / (download_ms - ttfb_ms).max(1.0),
                        replaced: fetch.replaces,
                    };
                    self.controller.observe(&fetched, &then);
                }
                Pending::Abandoned { from, to } => {
                    let abandoned = Observation::Abandoned { from: rung(from), to: rung(to) };
                    self.controller.observe(&abandoned, step);
                }
                Pending::Seeked => self.controller.observe(&Observation::Seeked, step),
            }
        }
        // Time without a request, unless the rule itself wanted it.
        let idle_ms =
            self.finished_us.map_or(0.0, |at| millis(situation.now_us.saturating_sub(at)));
        if idle_ms > IDLE_MS && !self.rule_waits && situation.phase == Phase::Playing {
            self.controller.observe(&Observation::Idle { ms: idle_ms }, step);
        }
        if self.finished_us.is_some() {
            self.finished_us = Some(situation.now_us);
        }
    }

    fn judge(
        &mut self,
        download: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> (Option<usize>, Cause) {
        if !self.config.abandon || download.rung == 0 || download.abandoned > MAX_ABANDONED {
            return (None, Cause::AbandonmentRuledOut);
        }
        let left_ms = download.rate_kbps().map(|rate| download.remaining_bits() / rate);
        if left_ms.is_some_and(|left_ms| left_ms * step.rate <= COMFORTABLE * step.buffer_ms) {
            return (None, Cause::OnTrack);
        }
        if download.abandoned == MAX_ABANDONED {
            return last_resort(download, step, estimate);
        }
        match self.controller.abandon(download, step, estimate) {
            Some((rung, cause)) => (Some(rung), cause),
            // A rule compares with what it believes by now, and that may have followed this very transfer down since
            // the rung was chosen.
            None if step.phase == Phase::Stalled => last_resort(download, step, estimate),
            None => (None, Cause::NotWorthAbandoning),
        }
    }

    fn reasons(&self, cause: Cause, step: &Step, estimate: &Estimate, costs: &[f64]) -> Reasons {
        let candidate = |(rung, &bits): (usize, &f64)| {
            let download_s = download_s(estimate, bits);
            let buffer_s = step.buffer_ms / 1000.0;
            let lasts_s = buffer_s / step.rate;
            let drained = if step.phase == Phase::Paused { 0.0 } else { download_s * step.rate };
            Candidate {
                rung: step.original(rung),
                download_s,
                predicted_buffer_s: (buffer_s - drained).max(0.0) + step.duration_ms / 1000.0,
                stall_probability: match step.phase {
                    Phase::Playing => estimate.probability_late(bits, lasts_s),
                    Phase::Starting | Phase::Paused | Phase::Stalled => 0.0,
                },
                quality: step.qualities.get(rung).copied().unwrap_or(0.0),
                cost: finite_or(costs.get(rung).copied().unwrap_or(0.0), 0.0),
            }
        };
        Reasons {
            rule: self.controller.rule(),
            cause,
            estimate: *estimate,
            candidates: step.sizes_bits.iter().enumerate().map(candidate).collect(),
        }
    }

    fn take_fetch(&mut self, id: u64) -> Option<Fetching> {
        let at = self.fetching.iter().position(|f| f.id == id)?;
        Some(self.fetching.remove(at))
    }

    fn remember(&mut self, pending: Pending) {
        self.pending.push(pending);
        bound(&mut self.pending);
    }
}

/// Forgets the oldest entries beyond what a player ever has.
fn bound<T>(list: &mut Vec<T>) {
    if list.len() > MAX_TRACKED {
        list.remove(0);
    }
}

/// What was twice given up for less, or holds playback up already, and still comes too late: whoever waits for it would
/// see the lowest rung long before.
fn last_resort(download: &Download, step: &Step, estimate: &Estimate) -> (Option<usize>, Cause) {
    let nothing = (None, Cause::AbandonmentRuledOut);
    let Some(rate) = download.rate_kbps().filter(|_| download.elapsed_ms >= RESORT_AFTER_MS) else {
        return nothing;
    };
    let left_ms = download.remaining_bits() / rate;
    let lowest_bits = step.sizes_bits.first().copied().unwrap_or(f64::INFINITY);
    let lowest_ms = estimate.ttfb_ms() + lowest_bits / rate;
    if left_ms * step.rate <= step.buffer_ms || lowest_ms > LAST_RESORT * left_ms {
        return nothing;
    }
    (Some(0), Cause::StallAhead)
}
