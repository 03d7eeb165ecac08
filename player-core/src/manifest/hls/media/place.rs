//! How far a playlist has come, and its parts as segments.

use super::MediaPlaylist;
use crate::presentation::Segment;
use crate::time::MediaTime;

impl MediaPlaylist {
    /// Where what is there now ends: the last part, or else the last segment.
    pub fn end(&self) -> MediaTime {
        let part = self.parts.last().map(|part| part.start + part.duration);
        self.index.end().max(part.unwrap_or(MediaTime::MIN))
    }

    /// The part at `position` as a segment.
    pub(crate) fn part(&self, position: usize) -> Option<Segment> {
        let part = self.parts.get(position)?;
        Some(Segment {
            number: part.segment,
            start: part.start,
            duration: part.duration,
            url: part.url.clone(),
            range: part.range,
            init: part.init,
            discontinuity: part.discontinuity,
            size: part.range.and_then(|range| range.length),
            gap: part.gap,
            wall_time: None,
            key: part.key,
            bit_rate: None,
        })
    }
}
