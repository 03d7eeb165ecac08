//! The best that could have been done, had the network been known: what rules are measured against.

use crate::Config;
use crate::math::ln;
use crate::sim::outcome::STALL_WEIGHT;
use crate::sim::reference::Script;
use crate::sim::timeline::Timeline;
use crate::sim::{Movie, Options, Outcome, Player, Replacement, Session, Trace, play};

/// What the optimum is an optimum of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// [`Outcome::linear`].
    Linear,
    /// [`Outcome::score`].
    Score,
}

impl Goal {
    /// The figure that it is about.
    pub fn of(self, outcome: &Outcome) -> f64 {
        match self {
            Self::Linear => outcome.linear,
            Self::Score => outcome.score,
        }
    }
}

/// How finely plans are told apart that have led to nearly the same situation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// Buffer levels, milliseconds.
    pub buffer_ms: f64,
    /// Time waited so far, milliseconds.
    pub stalled_ms: f64,
    /// How much longer than another a plan may have waited before it has to be worth as much,
    /// milliseconds.
    pub patience_ms: f64,
}

impl Resolution {
    /// One that finds all but a thousandth of the optimum within a second.
    pub fn usual(goal: Goal) -> Self {
        // Without a price on switches there are few plans to follow: there is time for more patience.
        let patience_ms = match goal {
            Goal::Linear => 500.0,
            Goal::Score => 2000.0,
        };
        Self { buffer_ms: 200.0, stalled_ms: 500.0, patience_ms }
    }
}

/// The best session over a network that is known beforehand, as far as one segment after the other is
/// fetched, none twice. Movie and trace have to be sound.
///
/// Of [`Options`], the capacity and the first rung count. Dynamic programming forward over the segments:
/// of the plans that lead to the same rung and (within the resolution) to the same buffer level and
/// waiting time, the one worth most is followed; a plan that is later than another, has waited longer
/// and has shown less never is. The result is a plan that was played: no rule that fetches every segment once
/// can be sure of less, and a finer resolution finds at most slightly more.
pub fn optimum(
    movie: &Movie,
    trace: &Trace,
    options: &Options,
    goal: Goal,
    resolution: Resolution,
) -> Session {
    let search = Search { movie, timeline: Timeline::new(trace), options, resolution };
    let replay = |rungs: Vec<usize>| {
        let options = Options {
            first: rungs.first().copied(),
            replacement: Replacement::None,
            abandon: false,
            ..*options
        };
        let player = Player::new(Box::new(Script(rungs)), &Config::default());
        play(movie, trace, player, &options)
    };
    let value = |session: &Session| goal.of(&session.outcome(movie));
    let mut best = replay(vec![options.first.unwrap_or(0); movie.segment_sizes_bits.len()]);
    loop {
        // A ratio is at its largest where numerator − ratio · denominator is, with the ratio itself: a
        // few rounds find it (Dinkelbach).
        let session = replay(search.plan(&Worth::new(movie, goal, value(&best))));
        let gain = value(&session) - value(&best);
        if gain > 0.0 {
            best = session;
        }
        if goal == Goal::Linear || gain < ENOUGH {
            return best;
        }
    }
}

/// A round that gains less than this is the last.
const ENOUGH: f64 = 1e-6;

/// What a plan is worth: a sum over its segments.
struct Worth {
    quality: Vec<f64>,
    switching: f64,
    stalled_ms: f64,
    startup_ms: f64,
}

impl Worth {
    fn new(movie: &Movie, goal: Goal, ratio: f64) -> Self {
        let bitrates = || movie.bitrates_kbps.iter();
        match goal {
            Goal::Linear => {
                let highest = movie.bitrates_kbps.last().copied().unwrap_or(0.0) / 1000.0;
                Self {
                    quality: bitrates().map(|b| b / 1000.0).collect(),
                    switching: 1.0,
                    stalled_ms: highest / 1000.0,
                    startup_ms: highest / 1000.0,
                }
            }
            Goal::Score => {
                let duration_ms = movie.segment_duration_ms;
                Self {
                    quality: bitrates().map(|b| ln(b / movie.bitrate(0))).collect(),
                    switching: 0.0,
                    stalled_ms: (STALL_WEIGHT + ratio) / duration_ms,
                    startup_ms: ratio / duration_ms,
                }
            }
        }
    }

    fn change(&self, from: usize, to: usize) -> f64 {
        self.switching * (self.quality[from] - self.quality[to]).abs()
    }
}

/// A plan for the segments so far.
#[derive(Clone, Copy, Debug)]
struct Label {
    /// When the last segment arrived.
    at_ms: f64,
    /// Buffer level then.
    buffer_ms: f64,
    /// Start-up and stalls so far.
    waited_ms: f64,
    worth: f64,
    rung: usize,
    /// The plan it continues, among those for one segment less.
    before: usize,
}

struct Search<'a> {
    movie: &'a Movie,
    timeline: Timeline<'a>,
    options: &'a Options,
    resolution: Resolution,
}

impl Search<'_> {
    fn plan(&self, worth: &Worth) -> Vec<usize> {
        let rungs = self.movie.bitrates_kbps.len();
        let first = match self.options.first {
            Some(rung) => rung.min(rungs - 1)..rung.min(rungs - 1) + 1,
            None => 0..rungs,
        };
        let mut front = Front::new(worth, self.resolution);
        let starts = first.map(|rung| {
            let at_ms = self.timeline.finish(0.0, self.movie.size(0, rung));
            Label {
                at_ms,
                buffer_ms: self.movie.segment_duration_ms,
                waited_ms: at_ms,
                worth: worth.quality[rung] - worth.startup_ms * at_ms,
                rung,
                before: 0,
            }
        });
        let mut labels = front.pick(starts.collect());
        let mut stages = vec![origins(&labels)];
        for segment in 1..self.movie.segment_sizes_bits.len() {
            let mut candidates = Vec::with_capacity(labels.len() * rungs);
            for (before, label) in labels.iter().enumerate() {
                self.continue_with(segment, before, label, worth, &mut candidates);
            }
            labels = front.pick(candidates);
            stages.push(origins(&labels));
        }
        let best = (0..labels.len()).max_by(|&a, &b| labels[a].worth.total_cmp(&labels[b].worth));
        trace_back(&stages, best.unwrap_or(0))
    }

    fn continue_with(
        &self,
        segment: usize,
        before: usize,
        label: &Label,
        worth: &Worth,
        candidates: &mut Vec<Label>,
    ) {
        let duration_ms = self.movie.segment_duration_ms;
        let wait_ms = (label.buffer_ms + duration_ms - self.options.capacity_ms).max(0.0);
        let start_ms = label.at_ms + wait_ms;
        for rung in 0..self.movie.bitrates_kbps.len() {
            let at_ms = self.timeline.finish(start_ms, self.movie.size(segment, rung));
            let left_ms = label.buffer_ms - (at_ms - label.at_ms);
            let missing_ms = (-left_ms).max(0.0);
            candidates.push(Label {
                at_ms,
                buffer_ms: left_ms.max(0.0) + duration_ms,
                waited_ms: label.waited_ms + missing_ms,
                worth: label.worth + worth.quality[rung]
                    - worth.change(label.rung, rung)
                    - worth.stalled_ms * missing_ms,
                rung,
                before,
            });
        }
    }
}

/// What has to be remembered of a plan to find it again: its last rung, and the plan it continues.
type Origin = (u32, u32);

fn origins(labels: &[Label]) -> Vec<Origin> {
    labels.iter().map(|label| (label.rung as u32, label.before as u32)).collect()
}

fn trace_back(stages: &[Vec<Origin>], mut at: usize) -> Vec<usize> {
    let mut rungs = Vec::with_capacity(stages.len());
    for origins in stages.iter().rev() {
        let (rung, before) = origins[at];
        rungs.push(rung as usize);
        at = before as usize;
    }
    rungs.reverse();
    rungs
}

/// The plans that are worth following.
struct Front<'a> {
    worth: &'a Worth,
    resolution: Resolution,
    /// Per rung, what plans that are not later than those to come have shown, and are worth.
    earlier: Vec<[Stairs; 2]>,
}

impl<'a> Front<'a> {
    fn new(worth: &'a Worth, resolution: Resolution) -> Self {
        Self { worth, resolution, earlier: vec![<[Stairs; 2]>::default(); worth.quality.len()] }
    }

    fn pick(&mut self, mut candidates: Vec<Label>) -> Vec<Label> {
        candidates
            .sort_unstable_by(|a, b| a.at_ms.total_cmp(&b.at_ms).then(b.worth.total_cmp(&a.worth)));
        self.earlier.iter_mut().flatten().for_each(|stairs| stairs.0.clear());
        candidates.retain(|label| self.admits(label));

        let key = |label: &Label| {
            let bin = |ms: f64, width: f64| (ms / width) as u64;
            let rung = if self.worth.switching > 0.0 { label.rung } else { 0 };
            let buffer = bin(label.buffer_ms, self.resolution.buffer_ms);
            (rung, bin(label.waited_ms, self.resolution.stalled_ms), buffer)
        };
        candidates.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then(b.worth.total_cmp(&a.worth)));
        candidates.dedup_by_key(|label| key(label));
        candidates
    }

    /// Whether no plan seen, each of them as early or earlier, makes this one pointless: it has waited
    /// as little and has shown as much, even after a switch to this one's rung. Of plans that have
    /// waited less, what they saved by that does not count, because they may have to wait for it yet:
    /// up to the patience.
    fn admits(&mut self, label: &Label) -> bool {
        let shown = label.worth + self.worth.stalled_ms * label.waited_ms;
        let worth = label.worth + self.worth.stalled_ms * self.resolution.patience_ms;
        for (rung, earlier) in self.earlier.iter().enumerate() {
            let change = self.worth.change(rung, label.rung);
            let reach = |stairs: &Stairs| stairs.upto(label.waited_ms) - change;
            if reach(&earlier[0]) >= shown || reach(&earlier[1]) >= worth {
                return false;
            }
        }
        let [by_shown, by_worth] = &mut self.earlier[label.rung];
        by_shown.insert(label.waited_ms, shown);
        by_worth.insert(label.waited_ms, label.worth);
        true
    }
}

/// Pairs of a time waited and what that achieved; whoever waited longer achieved more.
#[derive(Clone, Default)]
struct Stairs(Vec<(f64, f64)>);

impl Stairs {
    /// The most achieved by waiting so long or less.
    fn upto(&self, waited_ms: f64) -> f64 {
        let upto = self.0.partition_point(|step| step.0 <= waited_ms);
        upto.checked_sub(1).map_or(f64::NEG_INFINITY, |last| self.0[last].1)
    }

    fn insert(&mut self, waited_ms: f64, achieved: f64) {
        if self.upto(waited_ms) >= achieved {
            return;
        }
        let at = self.0.partition_point(|step| step.0 < waited_ms);
        let beyond = self.0[at..].partition_point(|step| step.1 <= achieved);
        self.0.splice(at..at + beyond, [(waited_ms, achieved)]);
    }
}
