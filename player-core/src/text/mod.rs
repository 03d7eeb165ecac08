//! Subtitles and captions in tracks of their own: WebVTT in segments or as one file, fetched as far as picture and sound
//! have been, and told to the app as cues. None of it holds playback up.

mod placing;
mod told;
mod webvtt;

use self::placing::Placing;
use self::told::Told;
use self::webvtt::WebVtt;
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{ByteRange, Event, MediaKind, RequestKind, Warning};
use crate::live::Live;
use crate::manifest;
use crate::manifest::hls::SegmentFormat;
use crate::presentation::{
    Presentation, Representation, Segment, SegmentIndex, Segments, SwitchingSet,
};
use crate::requests::{Outcome, Requests, Ticket, Wish};
use crate::session::tracks::{TrackKey, same_track};
use crate::stream::timeline::Sequence;
use crate::stream::{Key, World, representation, representation_mut};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// Once so many segments in a row could not be had, it is only looked at where the playhead is whether there is one: what
/// was there once may be gone as a whole.
const MOST_FAILED: u32 = 3;
/// The container of text that can be read.
const CONTAINER: &str = "text/vtt";

/// Whether the player can read the track of a set.
pub(crate) fn is_readable(set: &SwitchingSet) -> bool {
    set.kind == MediaKind::Text && set.representations.iter().any(can_read)
}

fn can_read(one: &Representation) -> bool {
    one.container == CONTAINER && one.protection.is_none()
}

/// Says which text tracks are left out, because they cannot be read; `url` is that of the manifest.
pub(crate) fn tell_left_out(cx: &mut Context<'_>, presentation: &Presentation, url: &str) {
    let is_text = |set: &&SwitchingSet| set.kind == MediaKind::Text;
    let first =
        presentation.periods.iter().find(|period| period.sets.iter().any(|set| is_text(&set)));
    for set in first.into_iter().flat_map(|period| &period.sets).filter(is_text) {
        if let Some(one) = set.representations.first().filter(|_| !is_readable(set)) {
            let language = set.language.as_deref().unwrap_or("und");
            let encrypted = if one.protection.is_some() { "encrypted " } else { "" };
            let feature = format!("{encrypted}text in {} ({language})", one.mime_type());
            tell(cx, Error::Unsupported { url: url.to_owned(), feature });
        }
    }
}

fn tell(cx: &mut Context<'_>, error: Error) {
    let error = error.to_player_error(Severity::Recoverable);
    cx.out.warn(Warning::Text { error });
}

/// The text track that was chosen.
#[derive(Debug, Default)]
pub(crate) struct Text {
    track: Option<TrackKey>,
    /// What of the presentation needs not be asked for any more: apart from each other, in order.
    had: Vec<TimeRange>,
    /// Representations whose playlist could not be had: only HLS has such, and what is HLS stays where it is when it is
    /// loaded again.
    lost: Vec<Key>,
    /// It was said that some of it is encrypted.
    locked: bool,
    loading: Option<Loading>,
    /// How many segments in a row could not be had.
    failed: u32,
    told: Told,
}

/// What is on its way.
#[derive(Debug)]
struct Loading {
    ticket: Ticket,
    key: Key,
    asked: Timestamp,
    /// Of a playlist nothing.
    part: Option<Part>,
}

/// A segment that is on its way.
#[derive(Debug)]
struct Part {
    /// What need not be asked for once it is here.
    covers: TimeRange,
    placing: Placing,
}

/// What to do about a time.
enum Next {
    /// Nothing, or not yet.
    Rest,
    /// There is nothing to be had for this long.
    Pass(TimeRange),
    /// What there is cannot be read: it is encrypted.
    Locked(TimeRange, String),
    /// There is something to ask for.
    Ask(Box<Question>),
}

/// What is asked for: a playlist, or a part.
struct Question {
    key: Key,
    url: String,
    range: Option<ByteRange>,
    part: Option<Part>,
}

impl Text {
    /// Plays a track, or none.
    pub(crate) fn choose(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        live: &mut Live,
        track: Option<TrackKey>,
    ) {
        if self.track == track {
            return;
        }
        if let Some(loading) = self.loading.take() {
            requests.cancel(cx, loading.ticket);
        }
        self.leave(cx);
        if track.is_none() {
            live.playlists.leave(MediaKind::Text);
        }
        self.track = track;
    }

    /// Nothing that was told holds any more.
    pub(crate) fn leave(&mut self, cx: &mut Context<'_>) {
        if self.track.is_some() {
            cx.out.event(Event::CuesCleared);
        }
        *self = Self::default();
    }

    /// Whether this is the track that is played.
    pub(crate) fn plays(&self, set: &SwitchingSet) -> bool {
        self.track.as_ref().is_some_and(|track| *track == same_track(set))
    }

    /// Asks for what comes next, unless picture and sound, the slower of which has come to `front`, need more first.
    pub(crate) fn pump(&mut self, world: &mut World<'_, '_>, front: MediaTime) {
        while self.loading.is_none() && self.track.is_some() {
            let at = self.first_missing(world.playhead);
            if self.failed >= MOST_FAILED && at > world.playhead {
                return;
            }
            match self.look(world, at, front) {
                Next::Pass(range) if range.end > at => self.note(range),
                // There is nothing after the end.
                Next::Rest | Next::Pass(_) => return,
                Next::Locked(range, url) => {
                    if !core::mem::replace(&mut self.locked, true) {
                        tell(
                            world.cx,
                            Error::Unsupported { url, feature: "encrypted text".to_owned() },
                        );
                    }
                    self.note(range);
                }
                Next::Ask(question) => self.ask(world, *question),
            }
        }
    }

    fn ask(&mut self, world: &mut World<'_, '_>, question: Question) {
        let Question { key, url, range, part } = question;
        let Some(one) = representation(world.presentation, key) else { return };
        let places = world.requests.origins.places(one, &url);
        let kind = match part {
            Some(_) => RequestKind::Segment(MediaKind::Text),
            None => RequestKind::MediaPlaylist(MediaKind::Text),
        };
        // The film goes on without it.
        let wish = Wish { range, alternative: true, ..Wish::new(kind, places) };
        let ticket = world.requests.start(world.cx, wish);
        self.loading = Some(Loading { ticket, key, asked: world.cx.now, part });
    }

    fn look(&self, world: &World<'_, '_>, at: MediaTime, front: MediaTime) -> Next {
        let presentation = &*world.presentation;
        let Some((period, until)) = period_at(presentation, at) else { return Next::Rest };
        let rest = |until: MediaTime| match until {
            MediaTime::MAX => Next::Rest,
            until => Next::Pass(TimeRange { start: at, end: until }),
        };
        if at >= front {
            return Next::Rest;
        }
        let sets = presentation.periods.get(period).map_or(&[][..], |period| &period.sets);
        let mut sets = sets.iter().enumerate();
        let Some((set, of)) = sets.find(|(_, set)| is_readable(set) && self.plays(set)) else {
            return rest(until);
        };
        let mut representations = of.representations.iter().enumerate();
        let Some((representation, one)) = representations.find(|(_, one)| can_read(one)) else {
            return rest(until);
        };
        let key = Key { period, set, representation };
        let ask = |url: &str, range, part| {
            Next::Ask(Box::new(Question { key, url: url.to_owned(), range, part }))
        };
        match &one.segments {
            _ if self.lost.contains(&key) => rest(until),
            Segments::Playlist { url } => ask(url, None, None),
            Segments::IndexBox { .. } => rest(until),
            Segments::Known(index) => {
                let segment = index.position_at(at).and_then(|position| index.get(position));
                let Some(segment) = segment else {
                    let grows = presentation.live.is_some() || world.live.playlists.is_growing(key);
                    return if grows { Next::Rest } else { rest(until) };
                };
                // An MPD says what segments will be named long before there are any.
                let foretold = presentation.live.is_some() && index.media_offset().is_some();
                if segment.start >= front || foretold && segment.end() > front {
                    return Next::Rest;
                }
                let covers = TimeRange { start: at.min(segment.start), end: segment.end() };
                if segment.gap {
                    return Next::Pass(covers);
                }
                if segment.key.is_some() {
                    return Next::Locked(covers, segment.url);
                }
                let Some(placing) = placing(world, period, index, &segment) else {
                    return Next::Rest;
                };
                ask(&segment.url, segment.range, Some(Part { covers, placing }))
            }
        }
    }

    /// Takes what became of a request, if it was for text; gives it back if not.
    pub(crate) fn take(&mut self, world: &mut World<'_, '_>, outcome: Outcome) -> Option<Outcome> {
        let ticket = match &outcome {
            Outcome::Delivered { ticket, .. } | Outcome::Failed { ticket, .. } => *ticket,
            _ => return Some(outcome),
        };
        let Some(Loading { key, asked, part, .. }) =
            self.loading.take_if(|loading| loading.ticket == ticket)
        else {
            return Some(outcome);
        };
        let covers = part.as_ref().map(|part| part.covers);
        let taken = match (outcome, part) {
            (Outcome::Delivered { body, url, place, .. }, None) => {
                take_playlist(world, key, (&body, &url), asked, place)
            }
            (Outcome::Delivered { body, url, .. }, Some(part)) => {
                self.take_part(world.cx, &part, (&body, &url))
            }
            (Outcome::Failed { error, .. }, _) => Err(error),
            _ => Ok(()),
        };
        self.failed = if taken.is_ok() { 0 } else { self.failed + 1 };
        if let Err(error) = taken {
            tell(world.cx, error);
            if covers.is_none() {
                self.lost.push(key);
            }
        }
        covers.into_iter().for_each(|covers| self.note(covers));
        None
    }

    fn take_part(
        &mut self,
        cx: &mut Context<'_>,
        part: &Part,
        (body, url): (&[u8], &str),
    ) -> Result<(), Error> {
        let Some(mut file) = WebVtt::parse(body) else {
            let (url, feature) = (url.to_owned(), "text that is not WebVTT".to_owned());
            return Err(Error::Unsupported { url, feature });
        };
        part.placing.place(&mut file);
        let cues = self.told.keep_new(file.cues);
        if !cues.is_empty() {
            cx.out.event(Event::Cues(cues));
        }
        Ok(())
    }

    /// The first time from `at` on that may have to be asked for.
    fn first_missing(&self, at: MediaTime) -> MediaTime {
        let had = self.had.iter().find(|range| range.contains(at));
        had.map_or(at, |range| range.end)
    }

    /// Notes that a time need not be asked for any more.
    fn note(&mut self, range: TimeRange) {
        let touches = |other: &TimeRange| other.start <= range.end && range.start <= other.end;
        let (mut whole, mut rest) = (range, Vec::new());
        for other in self.had.drain(..) {
            if touches(&other) {
                whole.start = whole.start.min(other.start);
                whole.end = whole.end.max(other.end);
            } else {
                rest.push(other);
            }
        }
        let place = rest.iter().take_while(|other| other.start < whole.start).count();
        crate::items::put(&mut rest, place, whole);
        self.had = rest;
    }
}

/// The period of a time, and until when it lasts.
fn period_at(presentation: &Presentation, at: MediaTime) -> Option<(usize, MediaTime)> {
    let periods = &presentation.periods;
    let (period, one) = periods.iter().enumerate().rfind(|(_, period)| period.start <= at)?;
    let next = periods.get(period + 1).map(|next| next.start);
    let length = one.duration.map(|duration| one.start + duration);
    Some((period, next.or(length).or(presentation.duration).unwrap_or(MediaTime::MAX)))
}

/// Where the cues of a segment belong; none if that is not known yet: picture and sound tell it in HLS.
fn placing(
    world: &World<'_, '_>,
    period: usize,
    index: &SegmentIndex,
    segment: &Segment,
) -> Option<Placing> {
    let sequence = Sequence { period, discontinuity: segment.discontinuity };
    let foretold = index.media_offset();
    let offset = foretold.or_else(|| world.timeline.known(sequence))?;
    Some(Placing { offset, start: segment.start, mapped: foretold.is_none() })
}

fn take_playlist(
    world: &mut World<'_, '_>,
    key: Key,
    (body, url): (&[u8], &str),
    asked: Timestamp,
    place: usize,
) -> Result<(), Error> {
    let parsed = manifest::hls::parse_media_with(body, url, &world.presentation.variables)
        .map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
    world.cx.tell(url, parsed.warnings);
    let playlist = parsed.value;
    if playlist.format == SegmentFormat::FragmentedMp4 {
        let (url, feature) = (url.to_owned(), "text in MP4".to_owned());
        return Err(Error::Unsupported { url, feature });
    }
    if let Some(one) = representation_mut(world.presentation, key) {
        one.move_to(place);
        if world.live.playlists.is_empty() {
            one.segments = Segments::Known(playlist.index);
            return Ok(());
        }
    }
    let (now, place) = (world.cx.now, (key, MediaKind::Text, url));
    world.live.playlists.add(world.presentation, place, playlist, asked, now);
    world.live.playlists.follow(key, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_had_grows_together() {
        let range = |start, end| TimeRange {
            start: MediaTime::from_secs(start),
            end: MediaTime::from_secs(end),
        };
        let mut text = Text::default();
        for (start, end) in [(20, 30), (0, 10), (40, 50)] {
            text.note(range(start, end));
        }
        assert_eq!(text.had, [range(0, 10), range(20, 30), range(40, 50)]);
        let missing = |text: &Text, at| text.first_missing(MediaTime::from_secs(at));
        assert_eq!(missing(&text, 4), MediaTime::from_secs(10));
        assert_eq!(missing(&text, 12), MediaTime::from_secs(12));
        text.note(range(10, 20));
        assert_eq!(text.had, [range(0, 30), range(40, 50)]);
        text.note(range(5, 60));
        assert_eq!(text.had, [range(0, 60)]);
        assert_eq!(missing(&text, 0), MediaTime::from_secs(60));
    }
}
