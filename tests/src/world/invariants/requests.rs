//! What is asked for, and how often.

use std::collections::VecDeque;
use std::time::Duration;

use kinora_core::config::RetryConfig;
use kinora_core::io::{MediaKind, Request, RequestKind};
use kinora_core::time::{MediaTime, Timestamp};

use super::{Invariant, Invariants, Scene, Truth, name_of};
use crate::world::content::Struck;

/// Besides media: manifests, playlists, initialisation segments, indexes.
const BASE_BUDGET: usize = 60;
/// What one action of the viewer may cost.
const ACTION_BUDGET: usize = 12;
/// What one fault may cost: the attempt again, or the same segment from elsewhere.
const FAULT_BUDGET: usize = 4;
/// A steering server may want to be asked every five seconds. Where no answer comes, it is asked once more, sooner.
const MAX_STEERED: usize = 13;
/// Streams are kept in step by no more than this.
const MAX_LEAD: MediaTime = MediaTime::from_secs(6);

/// One resource may be asked for so often in a minute without the viewer's doing: as often as the law of back-off
/// lets, if each pause is drawn as short as it may be. The first few come fast, so that what is soon well again is soon
/// noticed; a host that stays away is asked ten times a minute on average, and by no two players in step.
fn most_repeats(retry: &RetryConfig) -> usize {
    let (mut full, mut at, mut count) = (retry.base_delay, Duration::ZERO, 1);
    while at < Duration::from_secs(60) && count < 1_000 {
        at += full / 2;
        full = (full * 2).min(retry.max_delay);
        count += 1;
    }
    count
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    /// One resource may be asked for so often in a minute.
    repeats: usize,
    /// Requests of the last minute.
    recent: VecDeque<(Timestamp, String)>,
    /// Shortest segment seen.
    shortest: Option<MediaTime>,
    /// Faults that had struck a minute ago or more, and what the network had taken away, with the instant.
    struck: VecDeque<(Timestamp, (usize, u32))>,
}

impl Requests {
    /// Shortest segment of what was asked for.
    pub(super) fn segment(&self) -> MediaTime {
        self.shortest.unwrap_or(MediaTime::ZERO)
    }

    pub(super) fn configure(&mut self, retry: &RetryConfig) {
        self.repeats = most_repeats(retry);
    }

    pub(super) fn load(&mut self) {
        self.recent.clear();
        self.shortest = None;
    }
}

impl Invariants {
    /// A request is about to leave.
    pub(in crate::world) fn request(&mut self, request: &Request, scene: &Scene<'_>) {
        let name = name_of(request);
        if let (RequestKind::Segment(_), Some(truth)) = (request.kind, scene.origin.truth(&name)) {
            self.held_already(&name, truth, scene);
            self.within_goal(&name, truth, scene);
            if truth.kind == MediaKind::Video {
                self.choose(truth);
            }
            let shortest = &mut self.requests.shortest;
            let duration = truth.range.duration().max(MediaTime::from_millis(500));
            *shortest = Some(shortest.map_or(duration, |shortest| shortest.min(duration)));
        }
        self.budget(name, request.kind, scene);
    }

    fn held_already(&mut self, name: &str, truth: &Truth, scene: &Scene<'_>) {
        if (scene.bodies)(name) {
            self.violate(Invariant::Refetch, format!("{name} is on its way"));
        }
        // The viewer chose something else: what is held may be what is not wanted.
        if self.viewer.pinned || self.since(self.viewer.chose) < 60.0 {
            return;
        }
        let slack = MediaTime::from_millis(100);
        for chunk in scene.element.chunks(truth.kind) {
            let whole = chunk.range == chunk.whole && !chunk.is_damaged();
            let covers = chunk.range.start <= truth.range.start + slack
                && truth.range.end <= chunk.range.end + slack;
            let Some(held) = scene.origin.truth(&chunk.name).filter(|_| whole && covers) else {
                continue;
            };
            let same_track =
                held.kind == MediaKind::Video || held.representation == truth.representation;
            if same_track && held.kbps >= truth.kbps {
                let what = format!("{name} is asked for although {} is held", chunk.name);
                self.violate(Invariant::Refetch, what);
            }
        }
    }

    fn within_goal(&mut self, name: &str, truth: &Truth, scene: &Scene<'_>) {
        // Before there are buffers the element does not know where playback starts.
        if scene.element.kinds().is_empty() || self.since(self.viewer.acted) < 5.0 {
            return;
        }
        // What is held in a lower quality may be fetched again wherever it lies.
        let middle =
            truth.range.start + MediaTime::from_flicks(truth.range.duration().flicks() / 2);
        if scene.element.chunks(truth.kind).iter().any(|chunk| chunk.range.contains(middle)) {
            return;
        }
        let position = scene.element.position;
        let mut ahead = truth.range.start - position;
        // Nobody spends time where there is nothing.
        for hole in scene.origin.holes.iter().filter(|hole| hole.end <= truth.range.start) {
            ahead = ahead - (hole.end - hole.start.max(position)).max(MediaTime::ZERO);
        }
        let bound = self.forward.max(MediaTime::from_secs(1)) + truth.range.duration() + MAX_LEAD;
        // So may be what has come and waits for the platform.
        let waits =
            || scene.origin.names(truth.kind, truth.number).any(|name| (scene.bodies)(name));
        // What was asked for, and did not come, is asked for again though the viewer has gone back since.
        let again = || self.requests.recent.iter().any(|(_, asked)| asked == name);
        if ahead > bound && !waits() && !again() {
            let what = format!("{name} is asked for {ahead} s ahead of the playhead");
            self.violate(Invariant::BufferBounds, what);
        }
    }

    fn budget(&mut self, name: String, kind: RequestKind, scene: &Scene<'_>) {
        let now = self.now;
        let minute = |at: &Timestamp| now.since(*at).as_secs() < 60;
        let requests = &mut self.requests;
        requests.recent.push_back((now, name.clone()));
        while requests.recent.front().is_some_and(|(at, _)| !minute(at)) {
            requests.recent.pop_front();
        }
        let so_far = (scene.origin.struck.len(), scene.origin.interruptions);
        requests.struck.push_back((now, so_far));
        while requests.struck.len() > 1
            && requests.struck.front().is_some_and(|(at, _)| !minute(at))
        {
            requests.struck.pop_front();
        }
        let (before, taken) = requests.struck.front().map_or(so_far, |(_, before)| *before);
        let (faults, interruptions) = (so_far.0 - before, so_far.1 - taken);
        let actions = self.viewer.actions.iter().filter(|at| minute(at)).count();
        let segment = requests.shortest.map_or(1.0, MediaTime::seconds);
        let rate = scene.element.rate().max(1.0);
        let moves = self.viewer.moves.iter().filter(|at| minute(at)).count();
        let forward = self.forward.seconds();
        let media = 2.0 * ((60.0 * rate + forward) * 1.5 + moves as f64 * forward) / segment;
        let budget = BASE_BUDGET + media as usize + actions * ACTION_BUDGET + faults * FAULT_BUDGET;
        // What is being made is asked for piece by piece, and so are its playlists.
        let live = scene.origin.broadcast.as_ref().map_or(0.0, |live| {
            let step = live.part_ms.unwrap_or(live.segment_ms).max(1) as f64;
            4.0 * 60_000.0 / step * 1.5
        });
        let budget = budget + live as usize;
        let count = requests.recent.len();
        let repeats = requests.recent.iter().filter(|(_, other)| *other == name).count();
        if count > budget {
            self.violate(
                Invariant::Storm,
                format!("{count} requests in a minute, budget {budget}"),
            );
        }
        let most = match kind {
            // The clock asks for these, as often as they say, and reports leave as things happen; `budget` counts them.
            RequestKind::Manifest | RequestKind::MediaPlaylist(_) | RequestKind::Report => {
                usize::MAX
            }
            RequestKind::Steering => {
                let of_it = |one: &&Struck| name.starts_with(&one.url);
                let failed = scene.origin.struck[before..].iter().filter(of_it).count();
                MAX_STEERED + failed + interruptions as usize
            }
            _ => self.requests.repeats,
        };
        if repeats > most && actions == 0 {
            self.violate(Invariant::Storm, format!("{repeats} requests for {name} in a minute"));
        }
    }
}
