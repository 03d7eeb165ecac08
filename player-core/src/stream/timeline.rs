//! From the media's own timestamps to the presentation timeline.

use crate::time::MediaTime;

/// Where timestamps cannot be foretold (HLS: RFC 8216bis §4.4.4.3 lets each discontinuity sequence
/// start anywhere), the first fragment seen of a sequence fixes the offset, and every stream uses
/// it: that is what keeps sound and picture together.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    offsets: Vec<(Sequence, MediaTime)>,
}

/// A stretch of media whose timestamps run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) period: usize,
    pub(crate) discontinuity: u64,
}

impl Timeline {
    /// What is added to the timestamps of a sequence, if that is settled.
    pub(crate) fn known(&self, sequence: Sequence) -> Option<MediaTime> {
        let known = self.offsets.iter().find(|(known, _)| *known == sequence);
        known.map(|(_, offset)| *offset)
    }

    /// What to add to a fragment's timestamps, given where the playlist says that it starts.
    pub(crate) fn offset(
        &mut self,
        sequence: Sequence,
        playlist_start: MediaTime,
        media_start: MediaTime,
    ) -> MediaTime {
        if let Some(offset) = self.known(sequence) {
            return offset;
        }
        let offset = playlist_start - media_start;
        self.offsets.push((sequence, offset));
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_sequence_share_the_first_offset() {
        let mut timeline = Timeline::default();
        let first = Sequence { period: 0, discontinuity: 0 };
        let video = timeline.offset(first, MediaTime::ZERO, MediaTime::from_secs(10));
        // Audio that starts 21 ms later must stay 21 ms later.
        let audio = timeline.offset(first, MediaTime::ZERO, MediaTime::from_millis(10_021));
        assert_eq!(video, MediaTime::from_secs(-10));
        assert_eq!(audio, video);
    }

    #[test]
    fn a_discontinuity_starts_anew() {
        let mut timeline = Timeline::default();
        timeline.offset(
            Sequence { period: 0, discontinuity: 0 },
            MediaTime::ZERO,
            MediaTime::from_secs(10),
        );
        let after = timeline.offset(
            Sequence { period: 0, discontinuity: 1 },
            MediaTime::from_secs(60),
            MediaTime::from_secs(1),
        );
        assert_eq!(after, MediaTime::from_secs(59));
    }
}
