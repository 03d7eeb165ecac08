//! The platform: its buffers, its operations, its end, and holes in what it holds.

use core::time::Duration;

use super::tracks::tracks;
use super::{Session, known_end};
use crate::context::Context;
use crate::error::Error;
use crate::io::{
    ElementState, Event, MediaCommand, MediaFailure, MediaKind, OperationId, OperationResult,
    Warning,
};
use crate::stream::Stream;
use crate::text;
use crate::time::MediaTime;

/// A hole up to this wide is jumped over; a wider one only if nothing could fill it.
const MAX_GAP: MediaTime = MediaTime::from_secs(2);
/// A wider one that ought to have been filled is asked for again after so long a wait.
pub(super) const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// An element that waits may have stopped so long before the end of what it holds.
const HALT: MediaTime = MediaTime::from_millis(100);

impl Session {
    /// Asks for the platform's buffers once every stream knows its type. Whether that was now.
    pub(super) fn attach(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(presentation) = &mut self.presentation else { return false };
        let types: Option<Vec<String>> =
            self.streams.iter().map(|stream| stream.initial_mime_type(presentation)).collect();
        let Some(types) = types else { return false };
        let known_end = known_end(&self.streams, presentation);
        let live = presentation.live.is_some();
        if !live {
            presentation.duration = presentation.duration.or(known_end);
        }
        for (stream, mime_type) in self.streams.iter_mut().zip(types) {
            stream.attach(cx, mime_type);
        }
        let duration = presentation.duration.or(live.then_some(MediaTime::MAX));
        if let Some(duration) = duration {
            self.operations.push(cx.out.media(MediaCommand::SetDuration(duration)));
        }
        if self.rate != 1.0 {
            self.operations.push(cx.out.media(MediaCommand::SetRate(self.rate)));
        }
        if !core::mem::replace(&mut self.loaded, true) {
            cx.out.event(Event::Loaded {
                duration: presentation.duration,
                live: presentation.live.is_some(),
                tracks: tracks(presentation, &self.streams, &self.text),
            });
            text::tell_left_out(cx, presentation, &self.source.url);
        }
        let end = presentation.duration.unwrap_or(MediaTime::MAX);
        let start = self.playback.playhead(cx.now).min(end);
        self.attached = true;
        if start > MediaTime::ZERO {
            self.move_element(cx, start);
        }
        true
    }

    /// Playback goes on at `to`, or begins there, if the platform has not been asked for anything yet.
    pub(super) fn place_element(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        match self.attached {
            true => self.move_element(cx, to),
            false => self.playback.seek(to),
        }
    }

    pub(super) fn move_element(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        // An element goes only where it has been told it may, and forgets what lies elsewhere (HTML §4.8.11.9).
        self.tell_seekable(cx, true);
        let operation = cx.out.media(MediaCommand::Seek(to));
        self.operations.push(operation);
        self.seeking = Some(operation);
        self.playback.seek(to);
    }

    pub(super) fn take_result(
        &mut self,
        cx: &mut Context<'_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<(), Error> {
        if self.take_probe(cx, id, result)? {
            return Ok(());
        }
        if let Some(position) = self.operations.iter().position(|known| *known == id) {
            self.operations.remove(position);
            if self.seeking == Some(id) {
                self.seeking = None;
            }
            return match result {
                OperationResult::Done { .. } => Ok(()),
                OperationResult::Failed(MediaFailure::NotSupported(reason))
                    if id != self.opening =>
                {
                    Err(Error::NotSupported {
                        kind: MediaKind::Video,
                        mime_type: String::new(),
                        reason: reason.clone(),
                    })
                }
                OperationResult::Failed(
                    MediaFailure::NotSupported(reason)
                    | MediaFailure::InvalidState(reason)
                    | MediaFailure::Decode(reason),
                ) => Err(Error::Element { reason: reason.clone() }),
                OperationResult::Failed(MediaFailure::QuotaExceeded) => {
                    Err(Error::Element { reason: "the platform has no buffer to spare".to_owned() })
                }
            };
        }
        let mut taken = false;
        let done = self.each_stream(cx, |stream, world| {
            if !taken {
                taken = stream.handle_result(world, id, result)?;
            }
            Ok(())
        });
        match done {
            Err(Error::Decode { kind, reason }) => {
                self.recover(cx, Some(kind), Error::Decode { kind, reason })
            }
            done => done,
        }
    }

    pub(super) fn take_element(
        &mut self,
        cx: &mut Context<'_>,
        element: ElementState,
    ) -> Result<(), Error> {
        let (status, ready) = (self.playback.status(), self.playback.is_ready());
        // An element that was told to open another source has nothing more to say of the last.
        let opening = self.operations.contains(&self.opening);
        if let Some(reason) = element.error.as_ref().filter(|_| self.playback.is_ready()) {
            let error = Error::Element { reason: reason.clone() };
            return if opening { Ok(()) } else { self.recover(cx, None, error) };
        }
        self.count_frames(cx, &element);
        let seeks = element.seeking;
        let moved = self.playback.update(cx, element, self.seeking.is_some() || opening)?;
        if !ready && self.playback.is_ready() {
            cx.totals.startup = Some(cx.now.since(self.loaded_at));
        }
        if let Some(to) = moved.filter(|_| seeks) {
            // By the element's own controls: what the viewer wants counts as if the player had been asked.
            let within = self.clamp_to_live(cx, to);
            if within != to {
                self.go_to(cx, within)?;
                return Ok(());
            }
        }
        if let Some(to) = moved {
            cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
            self.end_of_stream = false;
            self.each_stream(cx, |stream, world| {
                stream.seek(world, to);
                Ok(())
            })?;
        }
        if status != self.playback.status() {
            self.streams.iter_mut().for_each(Stream::reconsider);
        }
        Ok(())
    }

    /// Tells the platform when it has everything.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        let finished = self.attached && self.streams.iter().all(Stream::is_finished);
        if finished && !self.end_of_stream {
            self.operations.push(cx.out.media(MediaCommand::EndOfStream));
        }
        self.end_of_stream = finished;
    }

    /// A playhead that waits although every stream has media close ahead stands before a hole.
    pub(super) fn jump_gap(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.playback.stuck_at().is_none_or(|at| at > cx.now) || !self.attached {
            return Ok(());
        }
        let from = self.playback.playhead(cx.now);
        // Whoever follows what is live goes on where that is, and whoever fell behind its window, within it.
        let elsewhere = self
            .timing(cx.config, cx.now)
            .is_some_and(|timing| self.live.keeper.following || from < timing.window.start);
        let passable = |stream: &Stream, start: MediaTime| {
            let over = self.presentation.as_ref().filter(|_| !elsewhere);
            start - from <= MAX_GAP
                || stream.rests(from, start)
                || over.is_some_and(|known| stream.lacks(known, from, start))
        };
        // What was asked for and is not where it ought to be was placed by a manifest that was wrong about it. Once is enough.
        let waited = self.playback.stuck_at().is_some_and(|at| cx.now.since(at) >= ASK_AGAIN_AFTER);
        let asked = self.asked_again == Some(from);
        let mut again = false;
        let mut to = from;
        let mut over = false;
        for stream in &self.streams {
            // Elements stop a few frames before the end of what they hold.
            if stream.buffer.holds(from, HALT) {
                continue;
            }
            match stream.buffer.next_range(from) {
                Some(start) if stream.has_passed(start) && passable(stream, start) => {
                    to = to.max(start);
                }
                Some(start) if stream.has_passed(start) && waited => {
                    let known = self.presentation.as_ref();
                    again |= !asked && !known.is_some_and(|known| stream.lacks(known, from, start));
                    to = to.max(start);
                }
                // A track that is over holds nothing up.
                None if stream.is_finished() => over = true,
                _ => return Ok(()),
            }
        }
        if again {
            self.asked_again = Some(from);
            return self.each_stream(cx, |stream, world| {
                stream.ask_again(world, from);
                stream.pump(world)
            });
        }
        let live = self.presentation.as_ref().is_some_and(|known| known.live.is_some());
        if over && to == from && !live && !self.end_of_stream {
            // But an element goes on without it only once it is told that no more will come, of anything. What lies
            // further ahead than the buffer goal cannot be had with that.
            let _ = self.each_stream(cx, |stream, world| {
                stream.stop_here(world);
                Ok(())
            });
        }
        if to > from {
            // A hair inside the range, or rounding could leave the element outside.
            let to = to + MediaTime::from_millis(1);
            cx.out.warn(Warning::GapJumped { from, to });
            self.move_element(cx, to);
            self.playback.leave_hole(cx.now, to);
        }
        Ok(())
    }
}
