//! Asking: for the segment chosen, or for what has to be known before.

use core::time::Duration;

use kinora_abr::{Phase, Reasons};

use crate::config::CmcdMode;
use crate::drm;
use crate::error::Error;
use crate::io::{BodyHandling, Decision, Event, MediaKind, Quality, RequestKind};
use crate::manifest::{ManifestError, ManifestErrorKind};
use crate::media::FileIndex;
use crate::presentation::{Presentation, Segment, SegmentIndex, Segments};
use crate::requests::{OriginId, Wish};
use crate::stream::choice;
use crate::stream::fetch::Setbacks;
use crate::stream::init::InitKey;
use crate::stream::live::{Located, Next};
use crate::stream::replace::segment_instead;
use crate::stream::{
    Chosen, Fetch, Key, Stream, TOLERANCE, Target, World, representation, representation_mut,
};
use crate::support;
use crate::telemetry::cmcd::Facts;
use crate::time::{MediaTime, TimeRange, Timestamp};

/// At the live edge, that something is missing means for so long, and for as long as a segment, that it is not there
/// yet.
const EARLY: Duration = Duration::from_secs(1);

impl Stream {
    /// Asks for a segment of a representation, or for its index if that is not known yet. Whether,
    /// instead, the segment turned out to lie elsewhere.
    pub(in crate::stream) fn fetch_from(
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
                let mut places = match world.live.playlists.first_url(url) {
                    Some(newest) => world.requests.origins.place(&newest),
                    None => world.requests.origins.places(representation, url),
                };
                // Who turned to this place, away from others, would be sent back to them.
                let own = places.first().map(|place| place.origin);
                let turned = own.is_some_and(|own| {
                    self.setbacks.turns_to(key.representation, own) || self.turns_to(key, own)
                });
                if turned {
                    places.truncate(1);
                }
                let kind = RequestKind::MediaPlaylist(self.kind);
                let patient = self.is_patient(world, key) && !turned;
                let alternative = self.has_alternative(world.presentation, key);
                let once = self.was_aside(key) && (alternative || !turned);
                let alternative = alternative || turned;
                let wish =
                    Wish { needed_by, patient, alternative, once, ..Wish::new(kind, places) };
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
        if world.holds() || world.requests.satisfied {
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
            Next::Here(_) if self.setbacks.bare == Some(false) => {
                // Those that had nothing when they were asked may have it now, and fit better.
                self.setbacks = Setbacks::default();
                self.setbacks.bare = Some(true);
                return Ok(true);
            }
            Next::Here(located) => located,
            Next::Over => {
                return match self.cut_off(world, key) {
                    Some((error, origin)) if self.doubt(key, origin, 2) => {
                        self.fail(world, key, error).map(|()| true)
                    }
                    Some((error, _)) => self.fail_here(world, key, error).map(|()| true),
                    None => Ok(self.enter_next_period(world.presentation)),
                };
            }
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
        let Located { segment, partial, hinted, chunked, growing, there } = located;
        let Some(representation) = representation(world.presentation, key) else {
            return Ok(false);
        };
        let Segments::Known(index) = &representation.segments else { return Ok(false) };
        if segment.gap {
            // Another may have what this one lacks (RFC 8216bis §6.3.3).
            self.setbacks.gap = Some(TimeRange { start: segment.start, end: segment.end() });
            let error = Error::NothingPlayable { url: segment.url };
            // Where none of the places had what precedes it, they are not asked for their playlists once more.
            let goes_on = |hole: &TimeRange| (segment.start - hole.end).abs() <= TOLERANCE;
            return match self.holes.last().is_some_and(goes_on) {
                true => self.fail_here(world, key, error).map(|()| true),
                false => self.fail(world, key, error).map(|()| true),
            };
        }
        let remux = representation.is_transport() && segment.init.is_none();
        let protection = representation.protection_of(&segment);
        if let Some(protection) = protection {
            if !drm::supported(protection) {
                let (url, feature) = (segment.url.clone(), support::LOCKED.to_owned());
                self.fail(world, key, Error::Unsupported { url, feature })?;
                return Ok(true);
            }
            match remux {
                true => world.keys.need_in_transport(world.cx, world.requests, protection),
                false => world.keys.need(world.cx, world.requests, protection),
            }
        }
        let blocks = protection.is_some_and(drm::is_whole);
        let sealed = remux || blocks;
        let quality = choice::quality(representation);
        let media_offset = index.media_offset();
        let needed_by = Self::needed_by(world, segment.start);
        let patient = target == Target::Next && self.is_patient(world, key);
        let alternative = target != Target::Next || self.has_alternative(world.presentation, key);
        let smaller = target == Target::Next && self.has_smaller(key);
        let once = self.was_aside(key);
        let (inits, in_buffer, queue) = (&mut self.inits, self.in_buffer, &self.queue);
        let in_use = |init: InitKey| {
            in_buffer == Some(init) || queue.iter().any(|one| one.chosen.init == Some(init))
        };
        let init = index.init(&segment).map(|source| {
            let source = (key, source, representation);
            let protection = index.init_key(&segment).filter(|key| drm::is_whole(key));
            // It is needed as much as the segment is.
            let kind = RequestKind::Initialization(self.kind);
            let wish =
                Wish { needed_by, patient, alternative, once, ..Wish::new(kind, Vec::new()) };
            inits.request(world.cx, world.requests, wish, source, protection, in_use)
        });
        let mut places = world.requests.origins.places(representation, &segment.url);
        self.setbacks.leave_out(key.representation, &mut places);
        let early_until = match hinted {
            // The server has only said that it will be there.
            true => Some(world.cx.now + growing + EARLY),
            false => there.map(|there| {
                let late = world.live.lateness.to_duration();
                there + late + segment.duration.to_duration().max(EARLY)
            }),
        };
        let wish = Wish {
            range: segment.range,
            body: match (sealed, chunked) {
                (true, _) => BodyHandling::Deliver,
                (false, true) => BodyHandling::KeepChunks,
                (false, false) => BodyHandling::Keep,
            },
            sealed,
            blocks,
            rung: (self.kind == MediaKind::Video).then_some(key.representation),
            needed_by,
            patient,
            alternative,
            smaller,
            facts: self.facts(world, key, index, &segment),
            detours: world.requests.origins.detours(representation),
            once: self.missing > 0,
            early_until,
            hold: growing,
            ..Wish::new(RequestKind::Segment(self.kind), places)
        };
        let period = world.presentation.periods.get(key.period);
        let set = period.and_then(|period| period.sets.get(key.set));
        let several = set.is_some_and(|set| set.representations.len() > 1);
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
            remux,
            partial,
            hinted,
            placed: None,
            chunks: 0,
            piece: None,
            there,
            asked: world.cx.now,
            early_until,
        });
        self.fetch = Fetch::Segment { ticket, chosen, begun: None };
        Ok(false)
    }

    /// Asks for the piece of a media file that its index is read from next.
    pub(super) fn fetch_index(
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
        let alternative = self.has_alternative(world.presentation, key);
        let wish = Wish {
            range: Some(file.wanted()),
            needed_by: Self::needed_by(world, self.next),
            alternative,
            once: self.was_aside(key),
            ..Wish::new(RequestKind::Index(self.kind), places)
        };
        let ticket = world.requests.start(world.cx, wish);
        let (file, asked) = (Some(Box::new(file)), world.cx.now);
        self.fetch = Fetch::Index { ticket, key, reasons, target, file, asked };
    }

    /// What is wrong with a representation that is over before others are, and where it came from: its playlist was cut
    /// off on its way.
    fn cut_off(&self, world: &mut World<'_, '_>, key: Key) -> Option<(Error, OriginId)> {
        let presentation = &*world.presentation;
        let set = presentation.periods.get(key.period)?.sets.get(key.set)?;
        // Their last segments may not end at quite the same time.
        let goes_on = |index: &SegmentIndex| {
            let last = index.len().checked_sub(1).and_then(|last| index.get(last));
            last.is_some_and(|last| {
                last.start + MediaTime::from_flicks(last.duration.flicks() / 2) > self.next
            })
        };
        let over = !set.known().any(goes_on);
        let origin = set.representations.get(key.representation)?.origins.first();
        let url = origin.map(|origin| origin.url.clone()).unwrap_or_default();
        let origin = origin.map(|origin| world.requests.origins.find(origin)).unwrap_or_default();
        // One without an end is believed, but not where it would leave the viewer with nothing.
        let leaves_nothing = || {
            self.doubts(key, origin) > 0
                && self.queue.is_empty()
                && self.buffer.end_of_range(world.playhead).is_none()
        };
        if presentation.live.is_some() || over && !leaves_nothing() {
            return None;
        }
        let error = ManifestError { line: 1, kind: ManifestErrorKind::UnexpectedEnd };
        Some((Error::Manifest { url, error }, origin))
    }

    /// What a CDN may be told of a segment, if it is to be told anything.
    fn facts(
        &self,
        world: &World<'_, '_>,
        key: Key,
        index: &SegmentIndex,
        segment: &Segment,
    ) -> Option<Box<Facts>> {
        let config = &world.cx.config.cmcd;
        if config.mode == CmcdMode::Off && config.targets.is_empty() {
            return None;
        }
        let set = &world.presentation.periods.get(key.period)?.sets.get(key.set)?.representations;
        let next = index.position_at(segment.end() + TOLERANCE).and_then(|next| index.get(next));
        let codecs = &set.get(key.representation)?.codecs;
        let masked = |id: &String| self.masked.iter().any(|masked| masked.id == *id);
        let playable = set.iter().rev().find(|one| !masked(&one.id));
        Some(Box::new(Facts {
            kind: self.kind,
            muxed: self.kind == MediaKind::Video && codecs.contains(','),
            bandwidth: set.get(key.representation)?.bandwidth,
            lowest: set.first()?.bandwidth,
            highest: set.last()?.bandwidth,
            playable: playable.map(|one| one.bandwidth),
            shown: None,
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

    /// The quality of what was fetched for this time.
    fn quality_at(&self, time: MediaTime) -> Option<Quality> {
        let queued = self.queue.iter().map(|fetched| &fetched.chosen);
        let queued = queued.rev().find(|chosen| chosen.range().contains(time));
        let held = || self.buffer.held_at(time).map(|held| held.quality.clone());
        queued.map(|chosen| chosen.quality.clone()).or_else(held)
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
        let faults = |place| {
            let spoiled = self.setbacks.is_spoiled(key.representation, place);
            self.doubts(key, place) + if spoiled { 4 } else { 0 }
        };
        if let Some(origin) = world.requests.origins.better(representation, now, spare, faults) {
            world.live.playlists.park(representation, key);
            representation.move_to(origin);
        }
    }
}

/// Media of a period may reach beyond its end; only what lies inside is shown.
fn append_window(presentation: &Presentation, period: usize) -> TimeRange {
    let starts = |index: usize| presentation.periods.get(index).map(|period| period.start);
    TimeRange {
        start: starts(period).unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO),
        end: starts(period + 1).unwrap_or(MediaTime::MAX),
    }
}
