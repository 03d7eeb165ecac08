//! Which segments of a live presentation are there at a moment (ISO/IEC 23009-1 §5.3.9.5.3, §A.3).
//!
//! A segment is there once it is whole: at the presentation's origin plus its own end, less what the
//! service says it is early (`@availabilityTimeOffset`). It stays for the time-shift buffer's depth.

use core::ops::Range;

use crate::presentation::{Live, Presentation, Representation, Segments};
use crate::time::{MediaTime, TimeRange, WallTime};

/// A moment on the presentation timeline of a live presentation: that which happens then. None if
/// it does not say when it began.
pub fn media_time(live: &Live, now: WallTime) -> Option<MediaTime> {
    let now = live.until.map_or(now, |until| until.min(now));
    let since = now.micros().checked_sub(live.origin?.micros())?;
    Some(MediaTime::from_micros(since))
}

/// Positions in a representation's index of the segments that can be fetched now. Of a presentation
/// that is not live, all; none as long as the index is not known.
pub fn segments(
    presentation: &Presentation,
    representation: &Representation,
    now: WallTime,
) -> Range<usize> {
    let Segments::Known(index) = &representation.segments else { return 0..0 };
    let Some(live) = &presentation.live else { return 0..index.len() };
    let Some(now) = media_time(live, now) else { return 0..index.len() };
    let depth = live.window.unwrap_or(MediaTime::MAX);
    let first = match now - depth {
        start if start <= index.start() => 0,
        start => index.position_at(start).unwrap_or(index.len()),
    };
    // What is listed is there: servers list what they have made.
    if index.is_listed() {
        return first..index.len();
    }
    let early = representation.chunked.as_ref().map_or(MediaTime::ZERO, |chunked| chunked.offset);
    let edge = now + early;
    let last = match edge < index.start() {
        true => 0,
        // That which contains the edge has not ended.
        false => index.position_at(edge).unwrap_or(index.len()),
    };
    first.min(last)..last
}

/// What can be played now: from the oldest moment to the newest that every track of the newest
/// period has. None if it is not live, or nothing is there yet.
pub fn window(presentation: &Presentation, now: WallTime) -> Option<TimeRange> {
    presentation.live.as_ref()?;
    let spans = presentation.periods.iter().filter_map(|period| {
        let tracks = period.sets.iter().filter_map(|set| {
            let representation = set.representations.first()?;
            let Segments::Known(index) = &representation.segments else { return None };
            let there = segments(presentation, representation, now);
            let first = index.get(there.start).filter(|_| !there.is_empty())?;
            Some(TimeRange { start: first.start, end: index.get(there.end - 1)?.end() })
        });
        tracks.reduce(|one, other| TimeRange {
            start: one.start.max(other.start),
            end: one.end.min(other.end),
        })
    });
    let spans = spans.filter(|span| span.start < span.end);
    spans.reduce(|one, other| TimeRange { start: one.start, end: other.end.max(one.end) })
}

/// Where to play now: as far behind what happens as the service suggests, and within what is there.
/// None as for [`window`], or if the service suggests nothing.
pub fn target(presentation: &Presentation, now: WallTime) -> Option<MediaTime> {
    let live = presentation.live.as_ref()?;
    let span = window(presentation, now)?;
    let wanted = media_time(live, now)? - live.delay?;
    Some(wanted.clamp(span.start, span.end))
}

/// Until when what an MPD says of segments that are not listed holds, if it was loaded at `loaded`
/// (§5.4.1): from then on it must be loaded again before more is fetched. None: for ever.
pub fn valid_until(presentation: &Presentation, loaded: WallTime) -> Option<WallTime> {
    let period = presentation.update.period.filter(|_| presentation.live.is_some())?;
    Some(loaded + period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::dash::parse_mpd;

    fn wall(millis: i64) -> WallTime {
        WallTime::from_micros(1_767_225_600_000_000 + millis * 1000)
    }

    fn live(attributes: &str, template: &str) -> Presentation {
        let text = format!(
            "<MPD type='dynamic' availabilityStartTime='2026-01-01T00:00:00Z' {attributes}><Period start='PT10S'>\
             <AdaptationSet mimeType='video/mp4'><SegmentTemplate media='$Number$' {template}</SegmentTemplate>\
             <Representation id='v' bandwidth='1'/></AdaptationSet></Period></MPD>"
        );
        parse_mpd(text.as_bytes(), "https://a/live.mpd").expect("a sound MPD").value
    }

    fn there(presentation: &Presentation, millis: i64) -> Range<usize> {
        let representation = &presentation.periods[0].sets[0].representations[0];
        segments(presentation, representation, wall(millis))
    }

    #[test]
    fn segments_come_when_they_are_whole_and_go_with_the_window() {
        let presentation = live("timeShiftBufferDepth='PT8S'", "duration='4'>");
        // The first ends 14 s after the origin.
        assert_eq!(there(&presentation, 0), 0..0);
        assert_eq!(there(&presentation, 13_999), 0..0);
        assert_eq!(there(&presentation, 14_000), 0..1);
        assert_eq!(there(&presentation, 21_999), 0..2);
        assert_eq!(there(&presentation, 22_000), 1..3);
        assert_eq!(there(&presentation, 23_000), 1..3);
        let span = window(&presentation, wall(23_000)).expect("a window");
        assert_eq!((span.start.seconds(), span.end.seconds()), (14.0, 22.0));
        assert_eq!(window(&presentation, wall(1000)), None);
        assert_eq!(target(&presentation, wall(23_000)), None);
    }

    #[test]
    fn early_segments_come_early() {
        let presentation = live("", "duration='4' availabilityTimeOffset='3.5'>");
        assert_eq!(there(&presentation, 10_499), 0..0);
        assert_eq!(there(&presentation, 10_500), 0..1);
        let always = live("", "duration='4' endNumber='6' availabilityTimeOffset='INF'>");
        assert_eq!(there(&always, 0), 0..6);
    }

    #[test]
    fn what_is_listed_is_there() {
        let presentation = live(
            "timeShiftBufferDepth='PT8S' suggestedPresentationDelay='PT6S'",
            "><SegmentTimeline><S t='0' d='4' r='9'/></SegmentTimeline>",
        );
        assert_eq!(there(&presentation, 30_000), 3..10);
        assert_eq!(target(&presentation, wall(40_000)), Some(MediaTime::from_secs(34)));
        assert_eq!(target(&presentation, wall(99_000)), None);
    }

    #[test]
    fn an_end_is_an_end() {
        let presentation = live(
            "availabilityEndTime='2026-01-01T00:00:20Z' minimumUpdatePeriod='PT2S'",
            "duration='4'>",
        );
        assert_eq!(there(&presentation, 1_000_000), 0..2);
        assert_eq!(valid_until(&presentation, wall(0)), Some(wall(2000)));
        assert_eq!(valid_until(&live("", "duration='4'>"), wall(0)), None);
    }

    #[test]
    fn without_an_origin_all_is_there() {
        let mut presentation = live("", "duration='4' endNumber='3'>");
        presentation.live = Some(Live::default());
        assert_eq!(there(&presentation, 0), 0..3);
        presentation.live = None;
        assert_eq!(there(&presentation, 0), 0..3);
        assert_eq!(window(&presentation, wall(0)), None);
    }
}
