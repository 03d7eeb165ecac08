//! Feeding the platform's buffer: one operation at a time, in the order MSE asks for.

use super::buffer::Held;
use super::init::InitKey;
use super::pieces::Piece;
use super::sealed::{Opened, Sealed, failure};
use super::timeline::Sequence;
use super::{Chosen, Fetch, Fetched, Operation, Stream, TOLERANCE, Target, World, representation};
use crate::drm::{self, Access};
use crate::error::Error;
use crate::io::{AppendBody, MediaCommand, MediaFailure, OperationId, OperationResult};
use crate::media;
use crate::media::fragment::FragmentInfo;
use crate::time::{MediaTime, TimeRange};
use crate::url::cut_word;

/// What `mdat` begins with: its size, maybe of 64 bits, and its type.
const MDAT_HEADER: u64 = 16;

impl Stream {
    /// Hands the platform's buffer the next thing it can take.
    pub(super) fn feed(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        while self.feed_one(world)? {}
        Ok(())
    }

    /// Whether what came next was left out, and something else may be handed over instead.
    fn feed_one(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        if !world.attached || self.buffer.busy.is_some() || self.wants_rebuild {
            return Ok(false);
        }
        if let Some(range) = self.due_for_removal(world) {
            self.remove(world, range);
            return Ok(false);
        }
        if self.full_until.is_some_and(|until| world.playhead < until) {
            return Ok(false);
        }
        self.full_until = None;
        if self.queue.is_empty() {
            return match self.first_init(world) {
                Some(init) => self.feed_init(world, init).map(|()| false),
                None => Ok(false),
            };
        }
        if !self.make_ready(world)? {
            return match self.init_ahead_of_key(world) {
                Some(init) => self.feed_init(world, init).map(|()| false),
                None => Ok(false),
            };
        }
        match self.queue.first().and_then(|first| first.chosen.init) {
            Some(init) if self.in_buffer != Some(init) => {
                self.feed_init(world, init).map(|()| false)
            }
            _ => self.feed_segment(world),
        }
    }

    /// Sees to it that the first segment that waits can be appended. Whether it can, now.
    pub(super) fn make_ready(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        self.look_for_keys(world, 0);
        let Some(fetched) = self.queue.first() else { return Ok(false) };
        let (segment, owner) = (&fetched.chosen.segment, fetched.chosen.key);
        let from = segment.start;
        if fetched.chosen.remux && self.waits_for_picture(world) {
            return Ok(false);
        }
        let owner = representation(world.presentation, owner);
        let protection = owner.and_then(|owner| owner.protection_of(segment));
        if let (Some(protection), Some(Sealed { open: false, .. })) = (protection, &fetched.sealed)
        {
            match fetched.chosen.remux {
                true => world.keys.need_in_transport(world.cx, world.requests, protection),
                false => world.keys.need(world.cx, world.requests, protection),
            }
        }
        // What has been decrypted here needs its key no more.
        if fetched.sealed.as_ref().is_some_and(|sealed| sealed.open) {
            return Ok(true);
        }
        let own = fetched.own.as_ref().and_then(|own| own.as_deref());
        // A decoder that was given what it has no key for would wait for one, or show what is none.
        match world.keys.access(own.or(protection)) {
            Access::Granted => match self.open_segment(world) {
                Opened::Done => Ok(true),
                Opened::Again => Ok(false),
                Opened::Empty => self.pass_empty(world).map(|()| false),
                Opened::Failed(error) => self.reject_segment(world, error).map(|()| false),
            },
            Access::Pending => Ok(false),
            Access::Denied if own.is_some() => self.pass_over(world).map(|()| false),
            Access::Denied => {
                self.restart(world, from);
                self.pump(world).map(|()| false)
            }
        }
    }

    /// Looks into a segment that waits for keys that only it names, and asks for them.
    pub(super) fn look_for_keys(&mut self, world: &mut World<'_, '_>, position: usize) {
        let Some(fetched) = self.queue.get_mut(position) else { return };
        if fetched.own.is_some() || fetched.sealed.is_some() {
            return;
        }
        let Some(init) = fetched.chosen.init.and_then(|init| self.inits.get(init)) else { return };
        let encrypted = init.info.tracks.iter().any(|track| track.encryption.is_some());
        let owner = representation(world.presentation, fetched.chosen.key);
        let known = owner.and_then(|owner| owner.protection_of(&fetched.chosen.segment));
        let own = match encrypted {
            true => drm::in_fragment(&fetched.head, &init.info, known).map(Box::new),
            false => None,
        };
        if encrypted {
            world.keys.learn_of_fragment(world.cx, world.requests, known, own.as_deref());
        }
        fetched.own = Some(own);
    }

    /// The first segment that waits cannot be decrypted, which nothing but itself could tell: plays another quality.
    fn pass_over(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        if self.retract_replacement(world) {
            return self.pump(world);
        }
        let Some(fetched) = self.queue.first_mut() else { return Ok(()) };
        let (key, start) = (fetched.chosen.key, fetched.chosen.segment.start);
        let before = core::mem::take(&mut fetched.before);
        let own = fetched.own.take().flatten();
        let error = own.map(|own| world.keys.reason(&own));
        self.setbacks = before;
        self.turn_within(world, start);
        self.avoid(key);
        self.set_aside(key, world.cx.now);
        match error {
            Some(error) if !self.has_alternative(world.presentation, key) => Err(error),
            _ => self.pump(world),
        }
    }

    /// The initialisation segment of the first segment, while that is on its way: the platform makes its decoder
    /// ready meanwhile.
    fn first_init(&self, world: &World<'_, '_>) -> Option<InitKey> {
        let Fetch::Segment { chosen, .. } = &self.fetch else { return None };
        self.init_ahead(world, chosen)
    }

    /// The same, while the key of the first segment is on its way.
    fn init_ahead_of_key(&self, world: &World<'_, '_>) -> Option<InitKey> {
        let free = self.buffer.busy.is_none() && !self.wants_rebuild;
        let first = self.queue.first().filter(|first| free && first.sealed.is_none())?;
        self.init_ahead(world, &first.chosen)
    }

    fn init_ahead(&self, world: &World<'_, '_>, chosen: &Chosen) -> Option<InitKey> {
        let owner = representation(world.presentation, chosen.key)?;
        let encrypted = owner.protection_of(&chosen.segment).is_some();
        // A platform that has no key system yet would take what is encrypted for something else.
        let welcome = self.in_buffer.is_none() && (!encrypted || world.keys.is_open());
        chosen.init.filter(|_| welcome)
    }

    pub(super) fn operate(
        &mut self,
        world: &mut World<'_, '_>,
        operation: Operation,
        command: MediaCommand,
    ) {
        self.operation = Some(operation);
        self.buffer.busy = Some(world.cx.out.media(command));
    }

    fn feed_init(&mut self, world: &mut World<'_, '_>, init: InitKey) -> Result<(), Error> {
        let Some(loaded) = self.inits.get(init) else { return Ok(()) };
        let mime_type = match representation(world.presentation, init.representation) {
            Some(representation) => loaded.type_of(representation.mime_type()),
            None => loaded.mime_type.clone(),
        };
        let same_type = self.mime_type.as_deref().is_some_and(|now| same_codecs(now, &mime_type));
        if !same_type {
            let command =
                MediaCommand::ChangeType { kind: self.kind, mime_type: mime_type.clone() };
            self.mime_type = Some(mime_type);
            self.operate(world, Operation::ChangeType, command);
            return Ok(());
        }
        let command = MediaCommand::Append {
            kind: self.kind,
            timestamp_offset: MediaTime::ZERO,
            window: TimeRange { start: MediaTime::ZERO, end: MediaTime::MAX },
            body: AppendBody::Bytes(loaded.bytes.clone()),
        };
        self.operate(world, Operation::Init(init), command);
        Ok(())
    }

    fn feed_segment(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        let Some(fetched) = self.queue.first() else { return Ok(false) };
        let chosen = &fetched.chosen;
        let fragment = match chosen.init.and_then(|init| self.inits.get(init)) {
            Some(init) => match media::fragment::parse(&fetched.head, &init.info) {
                Ok(fragment) => Some(fragment),
                Err(error) => {
                    let url = chosen.segment.url.clone();
                    return self
                        .reject_segment(world, Error::Segment { url, error })
                        .map(|()| false);
                }
            },
            None => None,
        };
        let sequence =
            Sequence { period: chosen.key.period, discontinuity: chosen.segment.discontinuity };
        let start = chosen.segment.start - chosen.piece.map_or(MediaTime::ZERO, |piece| piece.into);
        let timestamp_offset = match (chosen.media_offset, &fragment) {
            (Some(offset), _) => offset,
            (None, Some(fragment)) => {
                world.timeline.offset(sequence, start, fragment.presentation_start)
            }
            (None, None) => MediaTime::ZERO,
        };
        if world.presentation.live.is_some()
            && let Some(init) = chosen.init.and_then(|init| self.inits.get(init))
            && let Ok(Some((wall, media))) = media::prft::parse(&fetched.head, &init.info)
        {
            world.live.note_reference(wall, media + timestamp_offset);
        }
        let (window, body, partial) = (chosen.window, fetched.body.clone(), chosen.partial);
        if let (Some(fragment), Some(fetched)) = (&fragment, self.queue.first_mut()) {
            fetched.place(fragment, timestamp_offset);
        }
        if let (true, Some(fragment), Some(fetched)) = (partial, fragment, self.queue.first_mut()) {
            // Of a part or a chunk, the media knows best.
            let segment = &mut fetched.chosen.segment;
            segment.start = fragment.presentation_start + timestamp_offset;
            segment.duration = fragment.duration;
            if self.has_already() {
                let last_of = crate::items::take(&mut self.queue, 0).map(|fetched| fetched.last_of);
                last_of.flatten().into_iter().for_each(|id| world.cx.out.cancel(id));
                return Ok(true);
            }
        }
        let command = MediaCommand::Append { kind: self.kind, timestamp_offset, window, body };
        self.operate(world, Operation::Segment, command);
        Ok(false)
    }

    /// Whether the chunk that is to be appended came with an earlier attempt, all of it: what was cut into chunks while it
    /// was made may come in one when it is asked for again.
    fn has_already(&self) -> bool {
        let Some(Fetched { chosen, body: AppendBody::Span { .. }, .. }) = self.queue.first() else {
            return false;
        };
        let edge = TOLERANCE.min(MediaTime::from_flicks(chosen.segment.duration.flicks() / 2));
        let (first, last) = (chosen.segment.start + edge, chosen.segment.end() - edge);
        let within = |held: &&Held| held.range.end > first && held.range.start < last;
        self.buffer.end_of_range(first).is_some_and(|end| end >= last)
            && self
                .buffer
                .held()
                .iter()
                .filter(within)
                .all(|held| held.quality.id == chosen.quality.id)
            && self.buffer.held_at(first).is_some()
    }

    /// There is no picture or sound in the first segment that waits: the stream rests there.
    fn pass_empty(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        if !self.retract_replacement(world)
            && let Some(fetched) = crate::items::take(&mut self.queue, 0)
        {
            self.rests.add(fetched.chosen.range());
        }
        self.pump(world)
    }

    /// What was fetched is not media, such as a page that a proxy sent instead.
    fn reject_segment(&mut self, world: &mut World<'_, '_>, error: Error) -> Result<(), Error> {
        let Some(fetched) = self.queue.first_mut() else { return Ok(()) };
        let (key, segment) = (fetched.chosen.key, fetched.chosen.segment.clone());
        let (origin, arrived) = (fetched.origin, fetched.arrived);
        let mut before = core::mem::take(&mut fetched.before);
        let owner = representation(world.presentation, key);
        let mut error = error;
        let sealed = fetched.sealed.is_some();
        let understood = matches!(error, Error::Unsupported { .. });
        if let Some(protection) = owner.and_then(|owner| owner.protection_of(&segment))
            && sealed
            && !understood
        {
            // Of a wrong key padding may be right by chance.
            world.keys.judge(protection, false);
            error = failure(&segment.url);
        }
        // It is no fault of the place that this player cannot play it.
        if !understood {
            world.requests.origins.failed(world.cx, origin, arrived, &error);
            before.spoil(key.representation, origin);
        }
        if self.retract_replacement(world) {
            return self.pump(world);
        }
        self.setbacks = before;
        self.turn_within(world, segment.start);
        self.fail(world, key, error)?;
        self.pump(world)
    }

    /// Takes what came of a media operation, if it is this stream's. Whether it was.
    pub(crate) fn handle_result(
        &mut self,
        world: &mut World<'_, '_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<bool, Error> {
        if self.buffer.busy != Some(id) {
            return Ok(false);
        }
        self.buffer.busy = None;
        let Some(operation) = self.operation.take() else { return Ok(true) };
        self.at_fault = None;
        match (result, operation) {
            (OperationResult::Done { .. }, Operation::AddBuffer) => {}
            (OperationResult::Done { .. }, Operation::ChangeType) => self.in_buffer = None,
            (OperationResult::Done { .. }, Operation::Init(init)) => self.in_buffer = Some(init),
            (OperationResult::Done { buffered }, Operation::Segment) => {
                let (mut replaced, mut appended) = (None, None);
                if let Some(fetched) = crate::items::take(&mut self.queue, 0) {
                    if let Target::Instead(range) = fetched.chosen.target {
                        replaced = Some(range);
                    }
                    fetched.last_of.into_iter().for_each(|id| world.cx.out.cancel(id));
                    let mut range = fetched.chosen.range();
                    appended = Some(range);
                    self.aside.retain(|aside| aside.key != fetched.chosen.key);
                    let (mut media, mut bytes) =
                        (fetched.chosen.placed.unwrap_or(range), fetched.bytes);
                    // With its last piece the segment is whole, and is counted as one.
                    if let Some(Piece { into, last_of: Some(whole) }) = fetched.chosen.piece {
                        range.start = range.start - into;
                        media.start = (media.start - into).max(fetched.chosen.window.start);
                        bytes = whole;
                    }
                    self.buffer.hold(Held {
                        range,
                        media,
                        key: fetched.chosen.key,
                        bytes,
                        quality: fetched.chosen.quality,
                        cause: fetched.chosen.reasons.cause,
                    });
                }
                let buffered = buffered.clone();
                let lost = match appended {
                    Some(appended) => self.buffer.update_after(appended, buffered),
                    None => {
                        self.buffer.update(buffered);
                        None
                    }
                };
                match (replaced, lost) {
                    (Some(range), _) => self.mend_after(world, range),
                    (None, Some(lost)) => self.fetch_again(world, lost),
                    (None, None) => {}
                }
            }
            (OperationResult::Done { buffered }, Operation::Remove) => {
                self.buffer.update(buffered.clone());
            }
            (OperationResult::Failed(MediaFailure::QuotaExceeded), _) => {
                self.make_room(world)?;
                if self.queue.first().is_some_and(|first| first.lost) {
                    crate::items::take(&mut self.queue, 0);
                }
            }
            (OperationResult::Failed(MediaFailure::NotSupported(_)), Operation::ChangeType) => {
                self.wants_rebuild = true;
            }
            (OperationResult::Failed(failure), operation) => {
                if let (Operation::Segment, Some(first)) = (operation, self.queue.first()) {
                    self.at_fault = Some(first.chosen.key);
                }
                return Err(self.platform_error(failure));
            }
        }
        Ok(true)
    }

    /// The platform has lost a segment that was counted on: gets it once more.
    fn fetch_again(&mut self, world: &mut World<'_, '_>, lost: TimeRange) {
        let middle = MediaTime::from_flicks(lost.start.flicks() / 2 + lost.end.flicks() / 2);
        let comes = self.queue.iter().any(|fetched| fetched.chosen.range().contains(middle));
        if lost.start + TOLERANCE < self.next && world.playhead < lost.end && !comes {
            self.turn_back(world, lost.start);
            self.seam = true;
            self.overruns = true;
        }
    }

    fn platform_error(&self, failure: &MediaFailure) -> Error {
        match failure {
            MediaFailure::NotSupported(reason) => Error::NotSupported {
                kind: self.kind,
                mime_type: self.mime_type.clone().unwrap_or_default(),
                reason: reason.clone(),
            },
            MediaFailure::Decode(reason) => {
                Error::Decode { kind: self.kind, reason: reason.clone() }
            }
            MediaFailure::InvalidState(reason) => Error::Element { reason: reason.clone() },
            MediaFailure::QuotaExceeded => Error::BufferTooSmall { kind: self.kind },
        }
    }
}

impl Fetched {
    /// Notes where its media lies: manifests round, and some are wrong.
    fn place(&mut self, fragment: &FragmentInfo, timestamp_offset: MediaTime) {
        let Chosen { segment, window, piece, .. } = &self.chosen;
        let begins = fragment.presentation_start + timestamp_offset;
        // Of several fragments only the first was read: then it is as long as the manifest says.
        let first = media::fragment::data_size(&self.head).saturating_add(self.head.len() as u64);
        let into = piece.map_or(MediaTime::ZERO, |piece| piece.into);
        let bytes = piece.and_then(|piece| piece.last_of).unwrap_or(self.bytes);
        let whole = self.chosen.partial || bytes <= first.saturating_add(MDAT_HEADER);
        let duration = if whole { fragment.duration } else { into + segment.duration };
        let end = match piece {
            Some(Piece { last_of: None, .. }) => begins + into + segment.duration,
            _ => begins + duration,
        };
        let start = begins + into;
        let end = end.min(window.end);
        let start = start.max(window.start);
        self.chosen.placed = (start < end).then_some(TimeRange { start, end });
    }
}

/// Whether a type made from the manifest names the codecs that the initialisation segment says. A
/// playlist may change its codec at a discontinuity, and a variant may leave out all but the first.
pub(super) fn names_codecs_of(declared: &str, found: &str) -> bool {
    let named = families(declared);
    !named.is_empty() && families(found).iter().all(|family| named.contains(family))
}

/// Whether a type made from the manifest names those codecs and no others: a buffer waits for every track that its
/// type promises.
pub(super) fn has_codecs_of(declared: &str, found: &str) -> bool {
    names_codecs_of(declared, found) && families(declared).len() == families(found).len()
}

/// What the codecs of a type begin with.
fn families(mime_type: &str) -> Vec<String> {
    let (_, codecs) = cut_word(mime_type, "codecs=\"").unwrap_or_default();
    let each = codecs.trim_end_matches('"').split(',');
    each.filter_map(|codec| codec.trim().split('.').next())
        .filter(|family| !family.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a buffer of one type takes segments of the other: containers and codec families agree;
/// profiles and levels are the init segment's business.
fn same_codecs(one: &str, other: &str) -> bool {
    fn families(mime_type: &str) -> impl Iterator<Item = &str> {
        mime_type
            .split([';', ',', '"', '=', ' '])
            .filter(|part| !part.is_empty())
            .map(|part| part.split('.').next().unwrap_or(part))
    }
    families(one).eq(families(other))
}

#[cfg(test)]
mod tests;
