//! Feeding the platform's buffer: one operation at a time, in the order MSE asks for.

use super::buffer::{Held, TOLERANCE};
use super::init::InitKey;
use super::timeline::Sequence;
use super::{Operation, Stream, Target, World, representation};
use crate::error::Error;
use crate::io::{AppendBody, MediaCommand, MediaFailure, OperationId, OperationResult, Warning};
use crate::media;
use crate::presentation::{Presentation, Segments};
use crate::time::{MediaTime, TimeRange};

/// What is behind is dropped in one go once it reaches this far behind what is to be kept, so that
/// the buffer is not trimmed at every frame.
const TRIM_STEP: MediaTime = MediaTime::from_secs(10);

impl Stream {
    /// Hands the platform's buffer the next thing it can take.
    pub(super) fn feed(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        if !world.attached || self.buffer.busy.is_some() {
            return Ok(());
        }
        if let Some(range) = self.due_for_removal(world) {
            self.operate(world, Operation::Remove, MediaCommand::Remove { kind: self.kind, range });
            return Ok(());
        }
        if self.full_until.is_some_and(|until| world.playhead < until) {
            return Ok(());
        }
        self.full_until = None;
        let Some(fetched) = self.queue.first() else { return Ok(()) };
        match fetched.chosen.init {
            Some(init) if self.in_buffer != Some(init) => self.feed_init(world, init),
            _ => self.feed_segment(world),
        }
    }

    fn operate(&mut self, world: &mut World<'_, '_>, operation: Operation, command: MediaCommand) {
        self.operation = Some(operation);
        self.buffer.busy = Some(world.cx.out.media(command));
    }

    /// What lies too far behind. A stream that is complete drops nothing: a removal would take the
    /// media source out of its ended state (MSE §5.6, `remove`), and nothing more needs the room.
    fn due_for_removal(&self, world: &World<'_, '_>) -> Option<TimeRange> {
        if self.complete {
            return None;
        }
        let back = MediaTime::from_duration(world.cx.config.buffer.back);
        let first = self.buffer.ranges().first()?;
        let due = world.playhead - back - TRIM_STEP > first.start;
        if due { self.buffer.droppable(world.playhead - back) } else { None }
    }

    fn feed_init(&mut self, world: &mut World<'_, '_>, init: InitKey) -> Result<(), Error> {
        let Some(loaded) = self.inits.get(init) else { return Ok(()) };
        let mime_type = representation(world.presentation, init.representation)
            .filter(|representation| !representation.codecs.is_empty())
            .map_or_else(|| loaded.mime_type.clone(), |representation| representation.mime_type());
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

    fn feed_segment(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        let Some(fetched) = self.queue.first() else { return Ok(()) };
        let chosen = &fetched.chosen;
        let fragment = match chosen.init.and_then(|init| self.inits.get(init)) {
            Some(init) => match media::fragment::parse(&fetched.head, &init.info) {
                Ok(fragment) => Some(fragment),
                Err(error) => return self.reject_segment(world, error),
            },
            None => None,
        };
        let known = representation(world.presentation, chosen.key).and_then(|representation| {
            match &representation.segments {
                Segments::Known(index) => index.media_offset(),
                _ => None,
            }
        });
        let sequence =
            Sequence { period: chosen.key.period, discontinuity: chosen.segment.discontinuity };
        let timestamp_offset = match (known, fragment) {
            (Some(offset), _) => offset,
            (None, Some(fragment)) => {
                world.timeline.offset(sequence, chosen.segment.start, fragment.presentation_start)
            }
            (None, None) => MediaTime::ZERO,
        };
        let command = MediaCommand::Append {
            kind: self.kind,
            timestamp_offset,
            window: append_window(world.presentation, chosen.key.period),
            body: AppendBody::Kept(fetched.body),
        };
        self.operate(world, Operation::Segment, command);
        Ok(())
    }

    /// What was fetched is not media, such as a page that a proxy sent instead.
    fn reject_segment(
        &mut self,
        world: &mut World<'_, '_>,
        error: media::BoxError,
    ) -> Result<(), Error> {
        let Some(fetched) = self.queue.first_mut() else { return Ok(()) };
        let (key, segment) = (fetched.chosen.key, fetched.chosen.segment.clone());
        let (origin, arrived) = (fetched.origin, fetched.arrived);
        let before = core::mem::take(&mut fetched.before);
        let error = Error::Segment { url: segment.url, error };
        world.requests.origins.failed(world.cx, origin, arrived, &error);
        if self.retract_replacement(world) {
            return self.pump(world);
        }
        self.restart(world, segment.start);
        self.setbacks = before;
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
        match (result, operation) {
            (OperationResult::Done { .. }, Operation::ChangeType) => self.in_buffer = None,
            (OperationResult::Done { .. }, Operation::Init(init)) => self.in_buffer = Some(init),
            (OperationResult::Done { buffered }, Operation::Segment) => {
                let mut replaced = None;
                if !self.queue.is_empty() {
                    let fetched = self.queue.remove(0);
                    if let Target::Instead(range) = fetched.chosen.target {
                        replaced = Some(range);
                    }
                    self.buffer.hold(Held {
                        range: fetched.chosen.range(),
                        key: fetched.chosen.key,
                        bytes: fetched.bytes,
                        quality: fetched.chosen.quality,
                        cause: fetched.chosen.reasons.cause,
                    });
                }
                self.buffer.update(buffered.clone());
                if let Some(range) = replaced {
                    self.mend_after(world, range);
                }
            }
            (OperationResult::Done { buffered }, Operation::Remove) => {
                self.buffer.update(buffered.clone());
            }
            (OperationResult::Failed(MediaFailure::QuotaExceeded), _) => self.make_room(world)?,
            (OperationResult::Failed(failure), _) => return Err(self.platform_error(failure)),
        }
        Ok(true)
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

    /// The platform's buffer is full: keeps less ahead from now on, and drops what is behind or far
    /// ahead beyond a hole or, if nothing is, waits until something is behind.
    fn make_room(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        // What lies there already is good enough for a full buffer.
        if self.retract_replacement(world) {
            return Ok(());
        }
        let Some(fetched) = self.queue.first() else { return Ok(()) };
        let segment = fetched.chosen.segment.duration;
        let ahead = self.ahead(world.playhead);
        if self.goal_limit.is_none() {
            world.cx.out.warn(Warning::BufferFull { kind: self.kind });
        }
        let reduced = MediaTime::from_flicks(ahead.flicks() / 5 * 4);
        self.goal_limit = Some(reduced.max(segment.times(2)));
        let spare = self.buffer.droppable(world.playhead);
        if let Some(range) = spare.or_else(|| self.buffer.detached(world.playhead)) {
            self.operate(world, Operation::Remove, MediaCommand::Remove { kind: self.kind, range });
            return Ok(());
        }
        if ahead <= TOLERANCE {
            return Err(Error::BufferTooSmall { kind: self.kind });
        }
        self.full_until =
            Some(world.playhead + segment.min(ahead - TOLERANCE).max(MediaTime::from_millis(10)));
        Ok(())
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
mod tests {
    use super::same_codecs;

    #[test]
    fn profiles_may_differ_within_a_buffer_but_codecs_may_not() {
        let baseline = "video/mp4; codecs=\"avc1.42c01e\"";
        assert!(same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f\""));
        assert!(!same_codecs(baseline, "video/mp4; codecs=\"hvc1.1.6.L93\""));
        assert!(!same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f, mp4a.40.2\""));
        assert!(!same_codecs(baseline, "video/webm; codecs=\"vp09.00.10.08\""));
    }
}
