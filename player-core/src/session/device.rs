//! The device: what it can decode, and whether it keeps up.

use super::Session;
use crate::context::Context;
use crate::error::Error;
use crate::io::{ElementState, MediaKind, OperationId, OperationResult};
use crate::stream::Stream;

impl Session {
    /// Takes the answer to a question about decoders, if it is one. Whether it was.
    pub(super) fn take_probe(
        &mut self,
        cx: &mut Context<'_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<bool, Error> {
        if !self.decoders.take(id, result) {
            return Ok(false);
        }
        if self.decoders.wait_until(cx.now).is_none() {
            self.streams.iter_mut().for_each(Stream::reconsider);
        }
        // Once there are buffers, their types are settled; until then, another track may do.
        if !self.attached {
            self.leave_unplayable_sets(cx)?;
        }
        Ok(true)
    }

    /// Turns from sets of which the platform plays nothing to others of their kind.
    fn leave_unplayable_sets(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(presentation) = &self.presentation else { return Ok(()) };
        let mut changes = Vec::new();
        for (number, stream) in self.streams.iter().enumerate() {
            let mut sets: Vec<Option<usize>> = Vec::new();
            let mut changed = false;
            for (index, period) in presentation.periods.iter().enumerate() {
                let plays = |set: &usize| {
                    period.sets.get(*set).is_some_and(|set| {
                        let refusal = |one| self.decoders.refusal(set.kind, one);
                        set.kind == stream.kind
                            && set.representations.iter().any(|one| refusal(one).is_none())
                    })
                };
                let chosen = stream.set_of(index);
                let found = match chosen {
                    Some(set) if !plays(&set) => (0..period.sets.len()).find(plays),
                    _ => chosen,
                };
                if chosen.is_some() && found.is_none() {
                    let one = chosen.and_then(|set| period.sets.get(set)?.representations.first());
                    let refusal = one.and_then(|one| self.decoders.refusal(stream.kind, one));
                    return Err(Error::NotSupported {
                        kind: stream.kind,
                        mime_type: one.map(|one| one.mime_type()).unwrap_or_default(),
                        reason: refusal.unwrap_or_default().to_owned(),
                    });
                }
                changed |= found != chosen;
                sets.push(found);
            }
            if changed {
                changes.push((number, sets));
            }
        }
        for (number, sets) in changes {
            let Some(kind) = self.streams.get(number).map(|stream| stream.kind) else { continue };
            self.each_stream(cx, |stream, world| {
                if stream.kind == kind {
                    stream.select(world, sets.clone());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Tells the rule how fluently the picture on the screen is shown. Frames that nobody could see
    /// say nothing of the decoder.
    pub(super) fn count_frames(&mut self, cx: &mut Context<'_>, element: &ElementState) {
        let counted = (element.total_frames, element.dropped_frames);
        let before = core::mem::replace(&mut self.frames, counted);
        if cx.environment.hidden || element.seeking || element.paused || counted.0 < before.0 {
            return;
        }
        let video = self.streams.iter().find(|stream| stream.kind == MediaKind::Video);
        let Some(rung) = video.and_then(|video| video.rung_at(element.position)) else { return };
        let dropped = counted.1.saturating_sub(before.1);
        let shown = (counted.0 - before.0).saturating_sub(dropped);
        if shown + dropped > 0 {
            let clamped = |frames: u64| u32::try_from(frames).unwrap_or(u32::MAX);
            let (shown, dropped) = (clamped(shown), clamped(dropped));
            let frames = kinora_abr::Event::Frames { rung, shown, dropped };
            cx.abr.handle(cx.now.micros(), frames);
        }
    }
}
