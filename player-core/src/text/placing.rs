//! Where on the presentation timeline the cues of a file belong.

use super::webvtt::WebVtt;
use crate::time::{MediaTime, TimeRange};

/// Timestamps of transport streams are counted so often in a second, and begin anew after 2^33.
const PER_SECOND: u32 = 90_000;
const AROUND: i64 = 1 << 33;

/// A manifest may be so far off about where words are.
const SLACK: MediaTime = MediaTime::from_secs(10);

/// What it takes to place the cues of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placing {
    /// What is added to the media's timestamps.
    pub(super) offset: MediaTime,
    /// Where the segment begins on the presentation timeline.
    pub(super) start: MediaTime,
    /// The file says which timestamp its times begin with (HLS); without a word, it is zero (RFC 8216bis §3.1.4).
    pub(super) mapped: bool,
}

impl Placing {
    /// Puts the cues of a file where they belong.
    pub(super) fn place(self, file: &mut WebVtt) {
        let map = file.map.filter(|_| self.mapped);
        let shift = match map {
            Some(map) => {
                let stamp = MediaTime::from_unsigned(map.mpegts, PER_SECOND);
                let shift = stamp - map.local + self.offset;
                let first = file.cues.first().map_or(self.start, |cue| cue.span.start + shift);
                shift + laps(self.start - first)
            }
            None => self.offset,
        };
        for cue in &mut file.cues {
            let TimeRange { start, end } = cue.span;
            cue.span = TimeRange { start: start + shift, end: end + shift };
        }
        // While a manifest is long on its way, the one before names what is of a period that it does not know: words of
        // that belong elsewhere.
        if !self.mapped {
            file.cues.retain(|cue| cue.span.end + SLACK > self.start);
        }
    }
}

/// The whole laps of timestamps that come closest to a distance.
fn laps(distance: MediaTime) -> MediaTime {
    let lap = MediaTime::from_scaled(AROUND, PER_SECOND).flicks();
    let half = if distance < MediaTime::ZERO { -lap / 2 } else { lap / 2 };
    let whole = distance.flicks().saturating_add(half).checked_div(lap);
    MediaTime::from_flicks(lap).times(whole.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::webvtt::TimestampMap;
    use super::*;
    use crate::io::Cue;

    fn placed(map: Option<(u64, i64)>, placing: Placing, start: i64) -> MediaTime {
        let span =
            TimeRange { start: MediaTime::from_secs(start), end: MediaTime::from_secs(start + 1) };
        let map =
            map.map(|(mpegts, local)| TimestampMap { mpegts, local: MediaTime::from_secs(local) });
        let cue = Cue { id: String::new(), span, settings: String::new(), text: "A".into() };
        let mut file = WebVtt { map, cues: vec![cue] };
        placing.place(&mut file);
        let span = file.cues[0].span;
        assert_eq!(span.duration(), MediaTime::from_secs(1));
        span.start
    }

    fn at(offset: i64, start: i64, mapped: bool) -> Placing {
        let (offset, start) = (MediaTime::from_secs(offset), MediaTime::from_secs(start));
        Placing { offset, start, mapped }
    }

    #[test]
    fn a_file_says_what_its_times_are() {
        // The film's first timestamp is 10 s; the file counts from the beginning of the film.
        assert_eq!(placed(Some((900_000, 0)), at(-10, 60, true), 61), MediaTime::from_secs(61));
        // The file counts from its own beginning.
        assert_eq!(placed(Some((70 * 90_000, 0)), at(-10, 60, true), 1), MediaTime::from_secs(61));
        assert_eq!(placed(Some((900_000, 5)), at(-10, 60, true), 66), MediaTime::from_secs(61));
        // Without a word, zero is the timestamp of zero.
        assert_eq!(placed(None, at(-10, 60, true), 71), MediaTime::from_secs(61));
        // An MPD has no use for it.
        assert_eq!(placed(Some((900_000, 0)), at(30, 60, false), 31), MediaTime::from_secs(61));
    }

    #[test]
    fn timestamps_that_began_anew_are_those_after() {
        // They began anew four seconds into the segment; the file counts on.
        let lap = MediaTime::from_scaled(AROUND, PER_SECOND);
        let start = MediaTime::from_secs(60);
        let offset = start - (lap - MediaTime::from_secs(4));
        let placing = Placing { offset, start, mapped: true };
        assert_eq!(placed(Some((90_000, 0)), placing, 2), MediaTime::from_secs(67));
        let before = (1 << 33) - 90_000;
        assert_eq!(placed(Some((before, 0)), placing, 0), MediaTime::from_secs(63));
    }

    #[test]
    fn words_of_a_period_that_the_manifest_does_not_know_are_left_out() {
        let told = |offset, from: i64, to: i64| {
            let (start, end) = (MediaTime::from_secs(from), MediaTime::from_secs(to));
            let span = TimeRange { start, end };
            let cue = Cue { id: String::new(), span, settings: String::new(), text: "A".into() };
            let mut file = WebVtt { map: None, cues: vec![cue] };
            at(offset, 882, false).place(&mut file);
            file.cues.len()
        };
        // The segment is the first of a period, whose times begin anew.
        assert_eq!(told(784, 0, 2), 0);
        assert_eq!(told(882, 0, 2), 1);
        // What began long before is still said.
        assert_eq!(told(784, 0, 99), 1);
    }
}
