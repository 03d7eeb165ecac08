//! Making the media source anew in the middle of playback: where the platform refuses to change the
//! type of a buffer, and once or twice where it could not decode what it was given.

use super::Session;
use crate::context::Context;
use crate::error::Error;
use crate::io::{MediaCommand, MediaKind, Warning};
use crate::stream::Stream;
use crate::time::MediaTime;

/// So often a load survives that the platform could not decode something.
const MAX_RECOVERIES: u32 = 2;
/// Less ahead than this has been played.
const LAST_FRAMES: MediaTime = MediaTime::from_millis(100);

impl Session {
    /// Where a buffer refused to change its type, plays what it holds to its end, and goes on in another
    /// media source.
    pub(super) fn rebuild_if_due(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let playhead = self.playback.playhead(cx.now);
        let refused = self.streams.iter().find_map(|stream| {
            let from = stream.refused_from()?;
            let played = stream.ahead(playhead) <= LAST_FRAMES || from <= playhead + LAST_FRAMES;
            played.then_some(from.max(playhead))
        });
        match refused {
            Some(from) if self.attached => {
                self.rebuild(cx, from, "the buffer cannot change its type");
                self.each_stream(cx, |stream, world| stream.pump(world))
            }
            _ => Ok(()),
        }
    }

    /// The platform could not decode something. Tries once more with other representations, if it has
    /// not done so too often; gives the error back otherwise.
    pub(super) fn recover(
        &mut self,
        cx: &mut Context<'_>,
        kind: Option<MediaKind>,
        error: Error,
    ) -> Result<(), Error> {
        if self.recoveries >= MAX_RECOVERIES || !self.attached {
            return Err(error);
        }
        self.recoveries += 1;
        let playhead = self.playback.playhead(cx.now);
        // Without a word on which stream it was, the picture is the likelier one.
        let suspect = kind.unwrap_or(MediaKind::Video);
        let blamed: Vec<_> = self
            .streams
            .iter()
            .filter(|stream| stream.kind == suspect)
            .filter_map(|stream| Some((stream.kind, stream.suspect_at(playhead)?)))
            .collect();
        self.rebuild(cx, playhead, &error.to_string());
        for stream in &mut self.streams {
            for (kind, key) in &blamed {
                if stream.kind == *kind {
                    stream.avoid(*key);
                }
            }
        }
        Ok(())
    }

    /// Opens another media source and goes on there from `at`.
    fn rebuild(&mut self, cx: &mut Context<'_>, at: MediaTime, reason: &str) {
        cx.out.warn(Warning::Rebuilt { at, reason: reason.to_owned() });
        self.opening = cx.out.media(MediaCommand::Open);
        self.operations = vec![self.opening];
        self.seeking = None;
        self.attached = false;
        self.live.told = None;
        self.requests.satisfied = false;
        self.end_of_stream = false;
        self.frames = (0, 0);
        let moved = self.each_stream(cx, |stream, world| {
            stream.rebuild(world, at);
            Ok(())
        });
        debug_assert!(moved.is_ok());
        self.playback.seek(at);
        self.streams.iter_mut().for_each(Stream::reconsider);
    }
}
