//! Fetching: which segment next, from which representation, and what to do when it does not come.

use core::time::Duration;

use kinora_abr::{InFlight, Phase, Reasons, Verdict};

use super::choice::{self, Choice, Moment};
use super::init::InitKey;
use super::live::{Located, Next};
use super::replace::{Waiting, segment_instead};
use super::{
    Chosen, Fetch, Fetched, Key, Setbacks, Stream, TOLERANCE, Target, World, representation,
    representation_mut,
};
use crate::config::CmcdMode;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::drm::{self, Access};
use crate::error::Error;
use crate::io::{
    AppendBody, BodyHandling, Decision, Event, MediaKind, Quality, RequestId, RequestKind, Warning,
};
use crate::manifest::{self, hls::MediaPlaylist, hls::SegmentFormat};
use crate::media::{FileIndex, IndexProgress};
use crate::presentation::{Presentation, Segment, SegmentIndex, Segments, SwitchingSet};
use crate::requests::{OriginId, Outcome, Wish};
use crate::support;
use crate::telemetry::cmcd::Facts;
use crate::telemetry::{TimerReason, TimerState};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// No more than this many fetched segments wait for the platform to take them.
const MAX_QUEUE: usize = 3;
/// A representation whose beginning could not be had is left alone for so long.
const ASIDE: Duration = Duration::from_secs(60);
/// A segment is looked for in this many representations before playback gives up.
const MAX_FAILED: usize = 3;
/// A segment is looked for so often at another place before another representation is tried.
const MAX_DETOURS: u32 = 8;

impl Stream {
    /// Takes one step towards the next fetch. Whether another may follow.
    pub(super) fn fetch_next(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        let now = world.cx.now;
        if self.wait.as_ref().is_some_and(|wait| wait.at > now) {
            return Ok(false);
        }
        self.wait = None;
        if self.starved == Some(world.live.version) {
            return Ok(false);
        }
        self.starved = None;
        if self.queue.len() >= MAX_QUEUE || self.next > world.fetch_limit {
            return Ok(false);
        }
        let inside = if self.seam { self.next + TOLERANCE } else { self.next };
        if let Some(held) = self.buffer.held_at(inside)
            && self.is_own(held.key)
            && self.pinned.as_ref().is_none_or(|pinned| *pinned == held.quality.id)
            && held.range.end > self.next
        {
            let (end, key) = (held.range.end, held.key);
            self.next = end;
            self.last = Some(key);
            self.seam = true;
            return Ok(true);
        }
        let Some(set_index) = self.set_of(self.period) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        let ahead = (self.next - world.playhead).max(MediaTime::ZERO);
        self.recover_goal(world.cx);
        let goal = self.goal(world.cx);
        if self.is_full_of_bytes(world) {
            // As soon as a segment has been shown there may be room.
            self.wait_for_playhead(world, MediaTime::from_secs(1));
            return Ok(false);
        }
        if self.last.is_none()
            && let Some(at) = world.decoders.wait_until(now)
        {
            self.wait = Some(TimerState { reason: TimerReason::Decoders, at });
            return Ok(false);
        }
        self.recall(set_index, now);
        self.lock(world, set_index)?;
        let set = &world.presentation.periods[self.period].sets[set_index];
        // Live, what waits is little, and playlists of other qualities are not at hand.
        let replaces = self.kind == MediaKind::Video
            && world.presentation.live.is_none()
            && self.pinned.is_none()
            && world.attached
            && world.cx.config.abr.replace;
        let waiting = if replaces { self.waiting(world.playhead, set) } else { Vec::new() };
        if ahead >= goal && waiting.is_empty() {
            self.wait_for_playhead(world, ahead - goal);
            return Ok(false);
        }
        let mut moment =
            self.moment(world.decoders, (world.playhead, world.phase, world.rate), goal, set);
        moment.waiting = &waiting;
        let choice = moment.choose(world.cx);
        let masked = moment.masked(world.cx);
        self.masked = masked;
        match choice {
            Choice::Replace { waiting: at, representation, reasons } => {
                let Some(Waiting { range, .. }) = waiting.get(at) else { return Ok(false) };
                let key = Key { period: self.period, set: set_index, representation };
                self.replace(world, key, *range, reasons)
            }
            Choice::Fetch { .. } if ahead >= goal => {
                self.wait_for_playhead(world, ahead - goal);
                Ok(false)
            }
            Choice::Fetch { representation, reasons } => {
                let key = Key { period: self.period, set: set_index, representation };
                self.fetch_from(world, key, reasons, Target::Next)
            }
            Choice::Wait { full: true, .. } if !matches!(world.phase, Phase::Playing) => {
                self.wait_for_playhead(world, MediaTime::ZERO);
                Ok(false)
            }
            Choice::Wait { until, full } => {
                let reason = if full { TimerReason::BufferGoal } else { TimerReason::Rule };
                self.wait = Some(TimerState { reason, at: until });
                Ok(false)
            }
        }
    }

    fn moment<'m>(
        &'m self,
        decoders: &'m Decoders,
        (playhead, phase, rate): (MediaTime, Phase, f64),
        goal: MediaTime,
        set: &'m SwitchingSet,
    ) -> Moment<'m> {
        Moment {
            kind: self.kind,
            set,
            start: self.next + TOLERANCE,
            ahead: (self.next - playhead).max(MediaTime::ZERO),
            goal,
            phase,
            rate,
            current: self
                .last
                .filter(|last| self.set_of(last.period) == Some(last.set))
                .filter(|last| last.period == self.period)
                .map(|last| last.representation),
            pinned: self.pinned.as_deref(),
            failed: &self.setbacks.failed,
            locked: &self.locked,
            waiting: &[],
            decoders,
        }
    }

    /// Finds out which representations cannot be chosen because their keys may not be used. If no other is left,
    /// playback ends.
    fn lock(&mut self, world: &World<'_, '_>, set: usize) -> Result<(), Error> {
        self.locked.clear();
        let representations = &world.presentation.periods[self.period].sets[set].representations;
        let mut denied = None;
        for (index, representation) in representations.iter().enumerate() {
            let protection = representation.protection_at(self.next + TOLERANCE);
            if world.keys.access(protection) == Access::Denied {
                denied = denied.or(protection);
                self.locked.push(index);
            }
        }
        match denied {
            Some(protection) if self.locked.len() >= representations.len() => {
                Err(world.keys.reason(protection))
            }
            _ => Ok(()),
        }
    }

    /// The buffer is full: looks again when the playhead has used up what is too much. A paused
    /// playhead uses up nothing; its next move wakes the stream.
    fn wait_for_playhead(&mut self, world: &World<'_, '_>, excess: MediaTime) {
        let rate = if world.rate > 0.0 { world.rate } else { 1.0 };
        let pause =
            MediaTime::from_seconds(excess.seconds() / rate).max(MediaTime::from_millis(50));
        let moving = matches!(world.phase, Phase::Playing);
        let pause = if moving { pause } else { pause.max(MediaTime::from_secs(1)) };
        self.wait = Some(TimerState {
            reason: TimerReason::BufferGoal,
            at: world.cx.now + pause.to_duration(),
        });
    }

    fn enter_next_period(&mut self, presentation: &Presentation) -> bool {
        match presentation.periods.get(self.period + 1) {
            Some(period) => {
                self.period += 1;
                self.next = self.next.max(period.start);
                self.seam = true;
                self.setbacks.failed.clear();
                self.setbacks.recalled.clear();
                true
            }
            // Started beyond the end: the last segment is the nearest there is.
            None if self.last.is_none() && self.mime_type.is_none() => {
                let end = self.known_end(presentation).unwrap_or(MediaTime::ZERO);
                self.complete = end == MediaTime::ZERO || self.next < end;
                self.next = (end - TOLERANCE).max(MediaTime::ZERO);
                !self.complete
            }
            None => {
                self.complete = true;
                false
            }
        }
    }

    /// Asks for a segment of a representation, or for its index if that is not known yet. Whether,
    /// instead, the segment turned out to lie elsewhere.
    pub(super) fn fetch_from(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        reasons: Reasons,
        target: Target,
    ) -> Result<bool, Error> {
        let place = match target {
            Target::Next => self.next,
            Target::Instead(range) => range.start,
        };
        let needed_by = Self::needed_by(world, place);
        self.move_to_better(world, key, needed_by);
        let Some(representation) = representation(world.presentation, key) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        match &representation.segments {
            Segments::Known(_) => {}
            Segments::Playlist { url } => {
                let places = match world.live.playlists.first_url(url) {
                    Some(newest) => world.requests.origins.place(&newest),
                    None => world.requests.origins.places(representation, url),
                };
                let kind = RequestKind::MediaPlaylist(self.kind);
                let patient = self.is_patient(world, key);
                let alternative = self.has_alternative(world.presentation, key);
                let wish = Wish { needed_by, patient, alternative, ..Wish::new(kind, places) };
                let ticket = world.requests.start(world.cx, wish);
                let asked = world.cx.now;
                self.fetch = Fetch::Index { ticket, key, reasons, target, file: None, asked };
                return Ok(false);
            }
            Segments::IndexBox { url, range, init, media_offset, end } => {
                let file = FileIndex::new(url, *range, init.clone(), *media_offset, *end);
                let url = url.clone();
                self.fetch_index(world, (key, reasons, target), &url, file);
                return Ok(false);
            }
        }
        if world.holds() {
            return Ok(false);
        }
        if let Target::Instead(range) = target {
            let Segments::Known(index) = &representation.segments else { return Ok(false) };
            let Some(segment) = segment_instead(index, range) else {
                // The representations are cut differently: nothing of them can be exchanged.
                self.fixed_until = MediaTime::MAX;
                return Ok(true);
            };
            return self.fetch_segment(world, (key, reasons, target), Located::whole(segment));
        }
        let located = match self.locate(world, key) {
            Next::Here(located) => located,
            Next::Over => return Ok(self.enter_next_period(world.presentation)),
            Next::Instead(other) if other != key => {
                return self.fetch_from(world, other, reasons, target);
            }
            Next::Skip(to) => {
                self.next = to;
                self.seam = true;
                return Ok(true);
            }
            Next::Later | Next::Instead(_) => {
                if self.wait.is_none() {
                    self.starved = Some(world.live.version);
                }
                return Ok(false);
            }
        };
        self.fetch_segment(world, (key, reasons, target), located)
    }

    /// Asks for a segment.
    fn fetch_segment(
        &mut self,
        world: &mut World<'_, '_>,
        (key, reasons, target): (Key, Reasons, Target),
        located: Located,
    ) -> Result<bool, Error> {
        let Located { segment, partial, hinted, chunked, growing } = located;
        let Some(representation) = representation(world.presentation, key) else {
            return Ok(false);
        };
        let Segments::Known(index) = &representation.segments else { return Ok(false) };
        if segment.gap {
            self.next = segment.end();
            self.seam = true;
            return Ok(true);
        }
        if let Some(protection) = representation.protection_of(&segment) {
            if !drm::decryptable(protection) {
                let (url, feature) = (segment.url.clone(), support::LOCKED.to_owned());
                self.fail(world, key, Error::Unsupported { url, feature })?;
                return Ok(true);
            }
            world.keys.need(world.cx, protection);
        }
        let quality = choice::quality(representation);
        let media_offset = index.media_offset();
        let (inits, in_buffer, queue) = (&mut self.inits, self.in_buffer, &self.queue);
        let in_use = |init: InitKey| {
            in_buffer == Some(init) || queue.iter().any(|one| one.chosen.init == Some(init))
        };
        let detour = world.requests.origins.has_detour(representation, world.cx.now);
        let init = index.init(&segment).map(|source| {
            let source = (key, source, representation, detour);
            inits.request(world.cx, world.requests, self.kind, source, in_use)
        });
        let places = world.requests.origins.places(representation, &segment.url);
        let needed_by = Self::needed_by(world, segment.start);
        let wish = Wish {
            range: segment.range,
            body: if chunked { BodyHandling::KeepChunks } else { BodyHandling::Keep },
            rung: (self.kind == MediaKind::Video).then_some(key.representation),
            needed_by,
            patient: target == Target::Next && self.is_patient(world, key),
            alternative: target != Target::Next || self.has_alternative(world.presentation, key),
            facts: self.facts(world, key, index, &segment),
            detour,
            hold: growing,
            ..Wish::new(RequestKind::Segment(self.kind), places)
        };
        let several =
            world.presentation.periods[key.period].sets[key.set].representations.len() > 1;
        if several {
            world.cx.out.event(Event::Decision(Box::new(Decision {
                kind: self.kind,
                segment_start: segment.start,
                quality: quality.clone(),
                buffer: (self.next - world.playhead).max(MediaTime::ZERO),
                replaces: match target {
                    Target::Next => None,
                    Target::Instead(range) => self.quality_at(range.start + TOLERANCE),
                },
                reasons: reasons.clone(),
            })));
        }
        self.decided = Some((quality.clone(), reasons.clone()));
        let ticket = world.requests.start(world.cx, wish);
        let chosen = Box::new(Chosen {
            window: append_window(world.presentation, key.period),
            key,
            segment,
            init,
            quality,
            reasons,
            target,
            media_offset,
            partial,
            hinted,
            chunks: 0,
        });
        self.fetch = Fetch::Segment { ticket, chosen };
        Ok(false)
    }

    /// Whether an outage is worth waiting for: something has been played, and nothing else is left to
    /// ask for.
    fn is_patient(&self, world: &World<'_, '_>, key: Key) -> bool {
        world.phase != Phase::Starting && !self.has_alternative(world.presentation, key)
    }

    /// Whether, should this representation fail, another is asked for.
    fn has_alternative(&self, presentation: &Presentation, key: Key) -> bool {
        let period = presentation.periods.get(key.period);
        let set = period.and_then(|period| period.sets.get(key.set));
        let count = set.map_or(0, |set| set.representations.len());
        let failed = &self.setbacks.failed;
        let new = usize::from(!failed.contains(&key.representation));
        failed.len() + new < count.min(MAX_FAILED + self.setbacks.recalled.len())
    }

    /// What a CDN may be told of a segment, if it is to be told anything.
    fn facts(
        &self,
        world: &World<'_, '_>,
        key: Key,
        index: &SegmentIndex,
        segment: &Segment,
    ) -> Option<Box<Facts>> {
        if world.cx.config.cmcd.mode == CmcdMode::Off {
            return None;
        }
        let set = &world.presentation.periods.get(key.period)?.sets.get(key.set)?.representations;
        let next = index.position_at(segment.end() + TOLERANCE).and_then(|next| index.get(next));
        let codecs = &set.get(key.representation)?.codecs;
        Some(Box::new(Facts {
            muxed: self.kind == MediaKind::Video && codecs.contains(','),
            bandwidth: set.get(key.representation)?.bandwidth,
            lowest: set.first()?.bandwidth,
            highest: set.last()?.bandwidth,
            duration: segment.duration,
            buffer: self.ahead(world.playhead),
            goal: self.goal(world.cx),
            next: next.map(|next| next.url),
        }))
    }

    /// When the playhead will be at a place; none before it moves.
    fn needed_by(world: &World<'_, '_>, place: MediaTime) -> Option<Timestamp> {
        let ahead = place - world.playhead;
        let moving = matches!(world.phase, Phase::Playing | Phase::Paused);
        if !moving || ahead <= MediaTime::ZERO {
            return None;
        }
        let rate = if world.rate > 0.0 { world.rate } else { 1.0 };
        Some(world.cx.now + MediaTime::from_seconds(ahead.seconds() / rate).to_duration())
    }

    /// Turns to the playlist of another origin if that is the better place by now.
    fn move_to_better(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        needed_by: Option<Timestamp>,
    ) {
        let now = world.cx.now;
        let spare = needed_by.map_or(Duration::ZERO, |needed| needed.since(now));
        let Some(representation) = representation_mut(world.presentation, key) else { return };
        if let Some(origin) = world.requests.origins.better(representation, now, spare) {
            world.live.playlists.park(representation, key);
            representation.move_to(origin);
        }
    }

    /// Takes what became of a request, if it is one of this stream's; gives it back if it is not.
    pub(crate) fn handle(
        &mut self,
        world: &mut World<'_, '_>,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, Error> {
        let ticket = outcome.ticket();
        if let Some(init) = self.inits.loading(ticket) {
            match outcome {
                Outcome::Delivered { body, url, origin, .. } => {
                    let container = representation(world.presentation, init.representation)
                        .map(|representation| representation.container.clone())
                        .unwrap_or_default();
                    if let Err(error) = self.inits.loaded(init, body, &container) {
                        let error = Error::Segment { url, error };
                        let now = world.cx.now;
                        world.requests.origins.failed(world.cx, origin, now, &error);
                        self.lose_init(world, init, error)?;
                    }
                }
                Outcome::Failed { error, .. } => self.lose_init(world, init, error)?,
                _ => {}
            }
            return Ok(None);
        }
        match &self.fetch {
            Fetch::Index { ticket: mine, .. } | Fetch::Segment { ticket: mine, .. }
                if *mine == ticket => {}
            _ => return Ok(Some(outcome)),
        }
        match outcome {
            Outcome::Progress { .. } => self.check_in_flight(world)?,
            Outcome::Refused { .. } => {}
            Outcome::Delivered { body, url, place, origin, .. } => {
                self.take_index(world, &body, &url, (place, origin))?;
            }
            Outcome::Kept { id, head, bytes, origin, .. } => {
                self.take_segment(world, (id, head, bytes), origin);
            }
            Outcome::Chunk { id, head, start, end, origin, .. } => {
                self.take_chunk(id, head, (start, end), (origin, world.cx.now));
            }
            Outcome::Restarts { id, .. } => self.lose_chunks(id),
            Outcome::Failed { error, .. } => {
                if let Some(range) = self.replacing() {
                    self.leave_alone(range);
                    self.fetch = Fetch::Idle;
                    return Ok(None);
                }
                let key = match core::mem::replace(&mut self.fetch, Fetch::Idle) {
                    Fetch::Index { key, .. } => {
                        self.set_aside(key, world.cx.now);
                        key
                    }
                    Fetch::Segment { chosen, .. } if world.presentation.live.is_some() => {
                        return self
                            .miss(world, (chosen.key, &chosen.segment), chosen.hinted, error)
                            .map(|()| None);
                    }
                    Fetch::Segment { chosen, .. } => chosen.key,
                    Fetch::Idle => return Ok(None),
                };
                self.fail(world, key, error)?;
            }
        }
        Ok(None)
    }

    /// A representation could not deliver. Another may; when enough have been tried, none will.
    pub(super) fn fail(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        error: Error,
    ) -> Result<(), Error> {
        // The same may be had elsewhere, now that the place it came from is penalised.
        let now = world.cx.now;
        if let Some(representation) = representation(world.presentation, key)
            && world.requests.origins.any_usable(representation, now)
            && self.setbacks.detours < MAX_DETOURS
        {
            self.setbacks.detours += 1;
            return Ok(());
        }
        if !self.setbacks.failed.contains(&key.representation) {
            self.setbacks.failed.push(key.representation);
        }
        let alternatives = world
            .presentation
            .periods
            .get(key.period)
            .and_then(|period| period.sets.get(key.set))
            .map_or(0, |set| set.representations.len());
        let recalled = self.setbacks.recalled.len();
        if self.setbacks.failed.len() < alternatives.min(MAX_FAILED + recalled) {
            return Ok(());
        }
        if recalled == 0 {
            return Err(error);
        }
        // What was set aside is the last resort.
        self.aside.clear();
        let recalled = core::mem::take(&mut self.setbacks.recalled);
        self.setbacks.failed.retain(|index| !recalled.contains(index));
        Ok(())
    }

    /// Not even the beginning of a representation could be had: asks for none of its segments for a
    /// while, or each would have to wait for the same failure.
    fn set_aside(&mut self, key: Key, now: Timestamp) {
        self.aside.retain(|(other, _)| *other != key);
        self.aside.push((key, now + ASIDE));
    }

    /// Counts what is set aside among what failed.
    fn recall(&mut self, set: usize, now: Timestamp) {
        self.aside.retain(|(_, until)| *until > now);
        for (key, _) in &self.aside {
            let index = key.representation;
            if (key.period, key.set) == (self.period, set) && !self.setbacks.failed.contains(&index)
            {
                self.setbacks.failed.push(index);
                self.setbacks.recalled.push(index);
            }
        }
    }

    fn lose_init(
        &mut self,
        world: &mut World<'_, '_>,
        init: InitKey,
        error: Error,
    ) -> Result<(), Error> {
        self.inits.forget(init);
        self.set_aside(init.representation, world.cx.now);
        if let Some(range) = self.replacing()
            && matches!(&self.fetch, Fetch::Segment { chosen, .. } if chosen.init == Some(init))
        {
            self.drop_fetch(world);
            self.leave_alone(range);
        }
        self.retract_replacements_of(world, init);
        let waiting = self.queue.iter().find(|fetched| fetched.chosen.init == Some(init));
        let from = match (waiting, &self.fetch) {
            (Some(fetched), _) => fetched.chosen.segment.start,
            (None, Fetch::Segment { chosen, .. }) if chosen.init == Some(init) => {
                chosen.segment.start
            }
            _ => return Ok(()),
        };
        let setbacks = core::mem::take(&mut self.setbacks);
        self.turn_back(world, from);
        self.setbacks = setbacks;
        self.fail(world, init.representation, error)
    }

    /// Asks for the piece of a media file that its index is read from next.
    fn fetch_index(
        &mut self,
        world: &mut World<'_, '_>,
        (key, reasons, target): (Key, Reasons, Target),
        url: &str,
        file: FileIndex,
    ) {
        let places = match representation(world.presentation, key) {
            Some(representation) => world.requests.origins.places(representation, url),
            None => world.requests.origins.place(url),
        };
        let wish = Wish {
            range: Some(file.wanted()),
            needed_by: Self::needed_by(world, self.next),
            alternative: self.has_alternative(world.presentation, key),
            ..Wish::new(RequestKind::Index(self.kind), places)
        };
        let ticket = world.requests.start(world.cx, wish);
        let (file, asked) = (Some(Box::new(file)), world.cx.now);
        self.fetch = Fetch::Index { ticket, key, reasons, target, file, asked };
    }

    fn take_index(
        &mut self,
        world: &mut World<'_, '_>,
        body: &[u8],
        url: &str,
        (place, origin): (usize, OriginId),
    ) -> Result<(), Error> {
        let Fetch::Index { key, reasons, target, file, asked, .. } =
            core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return Ok(());
        };
        let parsed = match file {
            None => self.take_playlist(world, key, body, url, (asked, place)),
            Some(file) => match file.take(body) {
                Ok(IndexProgress::Needs(file)) => {
                    let Some(Segments::IndexBox { url, .. }) =
                        representation(world.presentation, key).map(|found| found.segments.clone())
                    else {
                        return Ok(());
                    };
                    self.fetch_index(world, (key, reasons, target), &url, file);
                    return Ok(());
                }
                Ok(IndexProgress::Complete(index)) => Ok(Some(index)),
                Err(error) => Err(Error::Segment { url: url.to_owned(), error }),
            },
        };
        let parsed = parsed.map(|index| {
            if let (Some(representation), Some(index)) =
                (representation_mut(world.presentation, key), index)
            {
                // The first origin is that of the segments.
                representation.move_to(place);
                representation.segments = Segments::Known(index);
            }
        });
        match parsed {
            Ok(()) => self.fetch_from(world, key, reasons, target).map(|_| ()),
            Err(_) if target != Target::Next => {
                self.fixed_until = MediaTime::MAX;
                Ok(())
            }
            Err(error) => {
                let now = world.cx.now;
                world.requests.origins.failed(world.cx, origin, now, &error);
                self.set_aside(key, now);
                self.fail(world, key, error)
            }
        }
    }

    /// Where the replacement goes that is being fetched.
    fn replacing(&self) -> Option<TimeRange> {
        let target = match &self.fetch {
            Fetch::Index { target, .. } => *target,
            Fetch::Segment { chosen, .. } => chosen.target,
            Fetch::Idle => return None,
        };
        match target {
            Target::Next => None,
            Target::Instead(range) => Some(range),
        }
    }

    /// The quality of what was fetched for this time.
    fn quality_at(&self, time: MediaTime) -> Option<Quality> {
        let queued = self.queue.iter().map(|fetched| &fetched.chosen);
        let queued = queued.rev().find(|chosen| chosen.range().contains(time));
        let held = || self.buffer.held_at(time).map(|held| held.quality.clone());
        queued.map(|chosen| chosen.quality.clone()).or_else(held)
    }

    /// Takes a playlist: one that has ended is an index and no more, one that has not is followed.
    fn take_playlist(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        body: &[u8],
        url: &str,
        (asked, place): (Timestamp, usize),
    ) -> Result<Option<SegmentIndex>, Error> {
        let playlist = read_playlist(body, url, &world.presentation.variables, world.cx)?;
        if !playlist.live {
            return Ok(Some(playlist.index));
        }
        if world.live.playlists.is_empty() {
            world.presentation.live = playlist.timing();
        }
        if let Some(representation) = representation_mut(world.presentation, key) {
            representation.move_to(place);
        }
        let (now, place) = (world.cx.now, (key, self.kind, url));
        world.live.playlists.add(world.presentation, place, playlist, asked, now);
        world.live.playlists.follow(key, now);
        Ok(None)
    }

    fn take_segment(
        &mut self,
        world: &mut World<'_, '_>,
        (body, head, bytes): (RequestId, Vec<u8>, u64),
        origin: OriginId,
    ) {
        let Fetch::Segment { chosen, .. } = core::mem::replace(&mut self.fetch, Fetch::Idle) else {
            return;
        };
        let target = chosen.target;
        let fetched = Fetched {
            chosen: *chosen,
            body: AppendBody::Kept(body),
            head,
            bytes,
            origin,
            arrived: world.cx.now,
            before: Setbacks::default(),
            last_of: None,
        };
        if let Target::Instead(range) = target {
            self.take_replacement(world, fetched, range);
            return;
        }
        let chosen = &fetched.chosen;
        self.next = match chosen.hinted {
            true => self.true_end(&chosen.segment, chosen.init, &fetched.head),
            false => chosen.segment.end(),
        };
        self.missing = 0;
        self.seam = true;
        self.last = Some(chosen.key);
        let before = core::mem::take(&mut self.setbacks);
        self.abandoned = 0;
        if fetched.chosen.chunks > 0 {
            self.end_chunks(world, body);
            return;
        }
        self.queue.push(Fetched { before, ..fetched });
    }

    /// Gives a download up when the rule says that a smaller one comes sooner.
    pub(super) fn check_in_flight(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        let Fetch::Segment { ticket, chosen } = &self.fetch else { return Ok(()) };
        // What is shown already, or is not made yet, is not given up.
        let growing = chosen.chunks > 0 || chosen.hinted;
        if self.kind != MediaKind::Video || self.pinned.is_some() || growing {
            return Ok(());
        }
        let Some(transferred) = world.requests.transferred(*ticket) else { return Ok(()) };
        let in_flight = InFlight {
            rung: chosen.key.representation,
            started_us: transferred.started.micros(),
            first_byte_us: transferred.first_byte.map(Timestamp::micros),
            bytes_loaded: transferred.received,
            bytes_total: transferred.total,
            abandoned: self.abandoned,
            replaces_ahead_s: match chosen.target {
                Target::Next => None,
                Target::Instead(range) => Some((range.start - world.playhead).seconds()),
            },
        };
        let key = chosen.key;
        let set = &world.presentation.periods[key.period].sets[key.set];
        let goal = self.goal(world.cx);
        let moment =
            self.moment(world.decoders, (world.playhead, world.phase, world.rate), goal, set);
        let (ladder, allowed) = (choice::ladder(set), moment.allowed());
        let sizes = moment.sizes();
        let situation = moment.situation(world.cx.now, &ladder, &allowed, &sizes);
        let check = world.cx.abr.check_in_flight(&in_flight, &situation);
        let rung = match check.verdict {
            Verdict::Continue => return Ok(()),
            Verdict::AbandonTo { rung } => rung,
            Verdict::Drop => {
                self.drop_replacement(world);
                return Ok(());
            }
        };
        world
            .cx
            .out
            .warn(Warning::Abandoned { kind: self.kind, segment_start: chosen.segment.start });
        self.drop_fetch(world);
        self.abandoned += 1;
        let key = Key { representation: rung, ..key };
        self.fetch_from(world, key, check.reasons, Target::Next).map(|_| ())
    }
}

/// The segment that plays at `next`. At a seam, where one segment ended and another is to follow, a
/// segment that is all but over is not the one: boundaries of representations may differ by a frame
/// or two. Where the viewer chose to be, it is.
pub(super) fn segment_at(
    index: &SegmentIndex,
    next: MediaTime,
    seam: bool,
) -> Option<(usize, Segment)> {
    let position = index.position_at(next)?;
    let segment = index.get(position)?;
    let slack = TOLERANCE.min(MediaTime::from_flicks(segment.duration.flicks() / 4));
    if seam && segment.end() - next <= slack {
        return Some((position + 1, index.get(position + 1)?));
    }
    Some((position, segment))
}

/// Media of a period may reach beyond its end; only what lies inside is shown.
fn append_window(presentation: &Presentation, period: usize) -> TimeRange {
    let starts = |index: usize| presentation.periods.get(index).map(|period| period.start);
    TimeRange {
        start: starts(period).unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO),
        end: starts(period + 1).unwrap_or(MediaTime::MAX),
    }
}

/// Reads a playlist that can be played. It may use the `variables` of its multivariant
/// playlist.
fn read_playlist(
    body: &[u8],
    url: &str,
    variables: &[(String, String)],
    cx: &mut Context<'_>,
) -> Result<MediaPlaylist, Error> {
    let parsed = manifest::hls::parse_media_with(body, url, variables)
        .map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
    for warning in parsed.warnings {
        cx.out.warn(Warning::Manifest {
            url: url.to_owned(),
            line: warning.line,
            code: warning.code,
            message: warning.message,
        });
    }
    let playlist = parsed.value;
    let unsupported =
        if playlist.index.keys().iter().any(|protection| !drm::decryptable(protection)) {
            Some(support::LOCKED)
        } else {
            match playlist.format {
                SegmentFormat::MpegTs => Some("MPEG-2 transport stream segments"),
                SegmentFormat::PackedAudio => Some("packed audio segments"),
                SegmentFormat::WebVtt => Some("WebVTT segments"),
                SegmentFormat::FragmentedMp4 | SegmentFormat::Unknown => None,
            }
        };
    match unsupported {
        Some(feature) => {
            Err(Error::Unsupported { url: url.to_owned(), feature: feature.to_owned() })
        }
        None => Ok(playlist),
    }
}
