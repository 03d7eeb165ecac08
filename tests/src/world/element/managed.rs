//! A managed media source, as Safari has it (`ManagedMediaSource`): it says when it wants media, and drops what it likes
//! between operations.

use kinora_core::io::{Input, MediaKind};
use kinora_core::time::{MediaTime, TimeRange};

use super::Element;

/// What is behind is dropped once it is so old, and what is ahead if it is so far.
const AROUND: MediaTime = MediaTime::from_secs(4);

/// When a managed media source wants media, and how much it keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Managed {
    /// With less ahead than this it wants media.
    pub low: MediaTime,
    /// With so much ahead it has enough.
    pub enough: MediaTime,
    /// A buffer with more bytes than this loses some.
    pub memory: u64,
    /// `streaming`: it wants media.
    pub streaming: bool,
}

impl Default for Managed {
    /// As Safari has it, with memory for everything.
    fn default() -> Self {
        let (low, enough) = (MediaTime::from_secs(10), MediaTime::from_secs(30));
        Self { low, enough, memory: u64::MAX, streaming: false }
    }
}

impl Element {
    /// Whether the media source wants media; always, if it is not managed.
    pub fn wants_media(&self) -> bool {
        self.managed.as_ref().is_none_or(|managed| managed.streaming || !self.open)
    }

    /// What the media source does by itself; with buffers that are `busy` it waits.
    pub(crate) fn manage(&mut self, busy: impl Fn(MediaKind) -> bool) -> Vec<Input> {
        let mut told = Vec::new();
        let Some(managed) = self.managed.as_ref().filter(|_| self.open) else { return told };
        let memory = managed.memory;
        let playable = self.playable_to().unwrap_or(self.position);
        let wanted = if managed.streaming { managed.enough } else { managed.low };
        // Nobody waits for what follows the end.
        let end = self.duration.filter(|_| self.end_of_stream).unwrap_or(MediaTime::MAX);
        let wants = playable < (self.position + wanted).min(end);
        if let Some(managed) = &mut self.managed
            && managed.streaming != wants
        {
            managed.streaming = wants;
            told.push(Input::Streaming(wants));
        }
        let far = self.position + AROUND;
        for buffer in self.buffers.iter_mut().filter(|buffer| !busy(buffer.kind)) {
            let mut dropped = false;
            while buffer.chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() > memory {
                let old =
                    buffer.chunks.first().filter(|one| one.range.end + AROUND < self.position);
                let Some(chunk) = old.or(buffer.chunks.last().filter(|one| one.range.start > far))
                else {
                    break;
                };
                buffer.remove(chunk.range);
                dropped = true;
            }
            if dropped {
                told.push(Input::Evicted { kind: buffer.kind, buffered: buffer.ranges() });
            }
        }
        told
    }

    /// The media source drops media by itself; what it says of that, if there was any.
    pub(crate) fn evict(&mut self, kind: MediaKind, range: TimeRange) -> Option<Input> {
        let buffer = self.buffers.iter_mut().find(|buffer| buffer.kind == kind)?;
        let before = buffer.ranges();
        buffer.remove(range);
        let buffered = buffer.ranges();
        (buffered != before).then_some(Input::Evicted { kind, buffered })
    }
}
