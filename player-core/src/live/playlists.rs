//! The HLS media playlists of a live presentation: those that are played are kept up to date, and all
//! of them on one timeline (RFC 8216bis §6.3.4, §6.3.7).

use core::time::Duration;

use crate::context::Context;
use crate::drm;
use crate::io::{MediaKind, RequestKind, Warning};
use crate::manifest;
use crate::manifest::hls::{
    AlignedBy, Alignment, Deviation, HintKind, MediaPlaylist, PlaylistType, Reload, SegmentFormat,
    plain,
};
use crate::presentation::{Presentation, Representation, Segment, SegmentIndex, Segments};
use crate::requests::{Requests, Ticket, Wish};
use crate::stream::{Key, TOLERANCE, representation, representation_mut};
use crate::time::{MediaTime, Timestamp, WallTime};

use super::backoff;

/// So many versions are looked back at to tell where the live edge runs.
const EDGES: usize = 8;
/// A reload that is so late was planned before the device slept.
const OVERDUE: Duration = Duration::from_secs(5);
/// Nobody waits for more of a playlist that tells of so many segments beyond what has been fetched.
const ENOUGH: i64 = 10;
/// Nor for the next part in one that tells of a whole segment more than that.
const ENOUGH_OF_PARTS: i64 = 1;
/// It is loaded again once so many times as long has passed as that took, or the longest pause.
const RESTS: u32 = 3;
/// and never for longer than this.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// One answer may take long; when all do for so long, the server is far.
const SETTLED: Duration = Duration::from_secs(8);

/// Two clocks differ by no more than a second in so many.
const CLOCKS_AGREE: i64 = 500;

/// The playlists of a live presentation that have been loaded.
#[derive(Debug, Default)]
pub(crate) struct Playlists {
    list: Vec<Followed>,
    pub(super) reloads: u32,
    /// How long a playlist rests of which there is enough: the last reload took a third of that.
    rest: Duration,
    /// The way to the server is longer than the parts are: fetched one by one they would come more slowly than they
    /// play.
    far: bool,
    /// Since when it seems to be otherwise.
    otherwise: Option<Timestamp>,
}

/// A playlist, all but its index: that is in the presentation.
#[derive(Debug)]
pub(super) struct Followed {
    key: Key,
    kind: MediaKind,
    url: String,
    playlist: MediaPlaylist,
    /// A stream plays it.
    active: bool,
    /// What was asked for, and when.
    request: Option<(Ticket, Timestamp)>,
    next: Option<Reload>,
    /// How much it tells of beyond what has been fetched.
    left: MediaTime,
    /// As long as that is enough, it is left alone until then.
    rests_until: Timestamp,
    /// What its end was ahead of the clock, in microseconds, when a version came. The greatest is that
    /// of the version that came soonest after it was made.
    edges: Vec<i64>,
    changed: Timestamp,
    /// Answers in a row that brought nothing new.
    silent: u32,
    pub(super) stalled: bool,
    /// It was left, and is followed again, and has not been loaded since: where it ends says nothing.
    outdated: bool,
}

/// A place at which a stream can go on.
pub(crate) enum Place {
    /// This segment, or part of one.
    Here {
        segment: Segment,
        /// It begins with a key frame.
        independent: bool,
        /// A part of a segment, whose length is only planned as long as it is not listed.
        partial: bool,
        /// It will be there: the server has hinted at it.
        hinted: bool,
    },
    /// Nothing yet.
    Later,
}

impl Playlists {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes note of how far the server is. Whether other media is fetched for it.
    pub(super) fn measure(&mut self, cx: &mut Context<'_>) -> bool {
        let parts = self.played().filter_map(|one| one.playlist.part_target);
        let Some(part) = parts.min().map(MediaTime::seconds) else { return false };
        let first_byte = cx.abr.estimate().ttfb_s;
        let far = first_byte >= if self.far { part / 2.0 } else { part };
        if far == self.far {
            self.otherwise = None;
            return false;
        }
        let since = *self.otherwise.get_or_insert(cx.now);
        let changed = cx.now.since(since) >= SETTLED;
        self.far ^= changed;
        if changed {
            let millis = |seconds: f64| (seconds * 1_000.0) as u64;
            cx.out.warn(match far {
                true => Warning::PartsTooFar {
                    first_byte_ms: millis(first_byte),
                    part_ms: millis(part),
                },
                false => Warning::PartsResumed,
            });
        }
        changed
    }

    /// Whether the server is too far for parts to be played.
    pub(super) fn are_far(&self) -> bool {
        self.far
    }

    fn position(&self, key: Key) -> Option<usize> {
        self.list.iter().position(|one| one.key == key)
    }

    /// Takes a playlist that a stream has loaded for the first time. It is put where others of the
    /// presentation have the same moments.
    pub(crate) fn add(
        &mut self,
        presentation: &mut Presentation,
        (key, kind, url): (Key, MediaKind, &str),
        mut playlist: MediaPlaylist,
        asked: Timestamp,
        now: Timestamp,
    ) {
        playlist.requested(asked);
        if let Some(alignment) = self.misplacement(presentation, &playlist, now) {
            playlist.shift(alignment.shift);
        }
        let mut followed = Followed {
            key,
            kind,
            url: plain(url),
            active: false,
            request: None,
            next: playlist.reload(url, now),
            left: MediaTime::ZERO,
            rests_until: now,
            edges: Vec::new(),
            changed: now,
            silent: 0,
            stalled: false,
            outdated: false,
            playlist,
        };
        followed.note_edge(now);
        let index = core::mem::replace(&mut followed.playlist.index, SegmentIndex::nothing());
        if let Some(representation) = representation_mut(presentation, key) {
            representation.segments = Segments::Known(index);
        }
        self.list.retain(|one| one.key != key);
        self.list.push(followed);
    }

    /// A playlist is about to be loaded from elsewhere: where its segments were is kept, so that those
    /// of the other place are put there.
    pub(crate) fn park(&mut self, representation: &mut Representation, key: Key) {
        let Some(position) = self.position(key) else { return };
        if let Segments::Known(index) = &mut representation.segments {
            core::mem::swap(index, &mut self.list[position].playlist.index);
        }
    }

    /// By how much a playlist is off from the others, if there are any: by what they have in common, or else as if all
    /// ended now, or where by the clock those end by now that have not been loaded for long.
    fn misplacement(
        &mut self,
        presentation: &mut Presentation,
        playlist: &MediaPlaylist,
        now: Timestamp,
    ) -> Option<Alignment> {
        let mut by_edge = None;
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        // Those that are played come first, and of them what changed last.
        manifest::sort(&mut order, &|&position| {
            let one = &self.list[position];
            let age = (u64::MAX >> 1).saturating_sub(one.changed.micros());
            age | u64::from(!one.active) << 63
        });
        for position in order {
            let other = &mut self.list[position];
            let (key, parked) = (other.key, !other.playlist.index.is_empty());
            let mut index = index_mut(presentation, key).filter(|_| !parked);
            if let Some(index) = &mut index {
                core::mem::swap(*index, &mut other.playlist.index);
            }
            let alignment =
                playlist.alignment(&other.playlist).map(|alignment| match alignment.by {
                    AlignedBy::Edge => other.since_then(playlist, alignment, now),
                    _ => alignment,
                });
            if let Some(index) = &mut index {
                core::mem::swap(*index, &mut other.playlist.index);
            }
            match alignment {
                Some(Alignment { by: AlignedBy::Edge, .. }) => by_edge = by_edge.or(alignment),
                Some(_) => return alignment,
                None => {}
            }
        }
        by_edge
    }

    /// A stream plays this one from now on, and no other of its kind. Whether it is kept up to date
    /// already; if not, it is loaded again at once.
    pub(crate) fn follow(&mut self, key: Key, now: Timestamp) -> bool {
        let Some(position) = self.position(key) else { return true };
        let kind = self.list[position].kind;
        for one in self.list.iter_mut().filter(|one| one.kind == kind && one.key != key) {
            one.active = false;
        }
        let one = &mut self.list[position];
        if one.active || !one.playlist.live {
            one.active = true;
            return true;
        }
        one.active = true;
        // What was planned was for a version long gone.
        one.next = Some(Reload { url: one.url.clone(), at: now, blocking: false, delta: false });
        one.rests_until = now + self.rest;
        one.changed = now;
        one.silent = 0;
        one.stalled = false;
        one.outdated = true;
        false
    }

    /// The URL to load a playlist from for the first time: one that brings a version as new as those
    /// held, if a server has told how far it is (`EXT-X-RENDITION-REPORT`).
    pub(crate) fn first_url(&self, url: &str) -> Option<String> {
        let active = self.list.iter().filter(|one| one.active);
        let mut reports = active.filter_map(|one| one.playlist.report(url));
        reports.next().map(|report| report.request())
    }

    /// Nothing of this kind is played any more.
    pub(crate) fn leave(&mut self, kind: MediaKind) {
        self.list.iter_mut().filter(|one| one.kind == kind).for_each(|one| one.active = false);
    }

    /// Whether more may come in it.
    pub(crate) fn is_growing(&self, key: Key) -> bool {
        self.position(key).is_some_and(|position| self.list[position].playlist.live)
    }

    /// A stream has come to `next` in a playlist.
    pub(crate) fn reached(&mut self, presentation: &Presentation, key: Key, next: MediaTime) {
        if let (Some(position), Some(index)) = (self.position(key), known(presentation, key)) {
            self.list[position].left = index.end() - next;
        }
    }

    /// Where a stream that has come to `next` goes on in a playlist. `within` says that it stands in
    /// the middle of what it played, and not where the viewer chose to be.
    pub(crate) fn place(
        &self,
        presentation: &Presentation,
        key: Key,
        next: MediaTime,
        within: bool,
    ) -> Place {
        let (Some(position), Some(index)) = (self.position(key), known(presentation, key)) else {
            return Place::Later;
        };
        let playlist = &self.list[position].playlist;
        let slack = |duration: MediaTime| {
            let quarter = MediaTime::from_flicks(duration.flicks() / 4);
            if within { TOLERANCE.min(quarter) } else { MediaTime::ZERO }
        };
        let whole = index.position_at(next).and_then(|position| {
            let segment = index.get(position)?;
            let over = within && segment.end() - next <= slack(segment.duration);
            if over { index.get(position + 1) } else { Some(segment) }
        });
        // From its beginning, a segment that is whole is one request instead of several.
        if let Some(segment) = &whole
            && next <= segment.start + TOLERANCE
        {
            return Place::Here {
                segment: segment.clone(),
                independent: true,
                partial: false,
                hinted: false,
            };
        }
        // Parts that are far away come too slowly. Those of a segment that is encrypted as a whole cannot be decrypted
        // one by one; those of a transport stream are not worth as many initialisation segments.
        let whole_only = self.far
            || playlist.format != SegmentFormat::FragmentedMp4
            || index.keys().iter().any(drm::is_whole);
        let parts = if whole_only { &[] } else { playlist.parts.as_slice() };
        let ends_later =
            |part: &manifest::hls::Part| part.start + part.duration - next > slack(part.duration);
        let found = parts.iter().position(ends_later).filter(|&position| {
            let starts = parts[position].start;
            starts <= next + TOLERANCE || whole.is_none()
        });
        if let Some(mut position) = found {
            // A place that the viewer chose is reached from the last key frame before it.
            let segment = parts[position].segment;
            while !within
                && !parts[position].independent
                && position > 0
                && parts[position - 1].segment == segment
            {
                position -= 1;
            }
            let independent = parts[position].independent || parts[position].index == 0;
            if (within || independent)
                && let Some(segment) = playlist.part(position)
            {
                return Place::Here { segment, independent, partial: true, hinted: false };
            }
        }
        if let Some(segment) = whole {
            return Place::Here { segment, independent: true, partial: false, hinted: false };
        }
        if whole_only {
            return Place::Later;
        }
        self.hinted(position, index, next).unwrap_or(Place::Later)
    }

    /// The part that the server says comes next (`EXT-X-PRELOAD-HINT`), if that is what is wanted.
    fn hinted(&self, position: usize, index: &SegmentIndex, next: MediaTime) -> Option<Place> {
        let playlist = &self.list[position].playlist;
        let duration = playlist.part_target?;
        let end = playlist.parts.last().map_or(index.end(), |part| part.start + part.duration);
        if !playlist.live || (next - end).abs() > TOLERANCE {
            return None;
        }
        let hint = playlist.hints.iter().find(|hint| hint.kind == HintKind::Part)?;
        // One of unknown length would be sent as long as the segment grows.
        if hint.range.is_some_and(|range| range.length.is_none()) {
            return None;
        }
        let list = index.list()?;
        let number = list.next_number();
        let last = playlist.parts.last();
        let begins = last.is_none_or(|part| part.segment < number);
        let setting = list.setting(number.saturating_sub(1));
        let of_last = last.filter(|part| part.segment >= number);
        let (init, key) = match of_last {
            Some(part) => (part.init, part.key),
            None => (setting.init, setting.key),
        };
        let segment = Segment {
            number,
            start: end,
            duration,
            url: hint.url.clone(),
            range: hint.range,
            init,
            discontinuity: hint.discontinuity,
            size: hint.range.and_then(|range| range.length),
            gap: false,
            wall_time: None,
            key,
            bit_rate: None,
        };
        Some(Place::Here { segment, independent: begins, partial: true, hinted: true })
    }

    /// Asks for what is due.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        for one in &mut self.list {
            // What nobody plays any more is not waited for if it takes long: media may have to wait for it.
            let target = one.playlist.target_duration.to_duration();
            let gives_way =
                |(_, asked): &mut (Ticket, Timestamp)| !one.active && cx.now.since(*asked) > target;
            if let Some((ticket, _)) = one.request.take_if(gives_way) {
                requests.cancel(cx, ticket);
            }
            let due = one.due().is_some_and(|due| due <= cx.now);
            let Some(next) = one.next.as_ref().filter(|_| due) else { continue };
            // What was to be left out may be what is missing by now: a device may have slept.
            let late = next.delta && cx.now.since(next.at) > OVERDUE;
            let whole = Reload { url: one.url.clone(), at: next.at, blocking: false, delta: false };
            let next = if late { &whole } else { next };
            // A server holds its answer back for three segments at most (§6.2.5.2), and for a part that comes it need not
            // for as long as one.
            let segments = if one.playlist.part_target.is_some() { 1 } else { 3 };
            let patience = one.playlist.target_duration.times(segments).to_duration();
            let places = requests.origins.place(&next.url);
            let wish = Wish {
                hold: if next.blocking { patience } else { Duration::ZERO },
                ..Wish::new(RequestKind::MediaPlaylist(one.kind), places)
            };
            one.request = Some((requests.start(cx, wish), cx.now));
            self.reloads += 1;
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.list.iter().filter_map(Followed::due).min()
    }

    pub(super) fn owns(&self, ticket: Ticket) -> bool {
        self.list.iter().any(|one| one.request.is_some_and(|(mine, _)| mine == ticket))
    }

    /// Takes an answer; `url` is where it came from.
    pub(super) fn take(
        &mut self,
        cx: &mut Context<'_>,
        presentation: &mut Presentation,
        ticket: Ticket,
        answer: Option<(&[u8], &str)>,
    ) -> Option<Key> {
        let position =
            self.list.iter().position(|one| one.request.is_some_and(|(mine, _)| mine == ticket))?;
        let one = &mut self.list[position];
        let (_, asked) = one.request.take()?;
        let key = one.key;
        // What a server held back costs nothing.
        let blocking = one.next.as_ref().is_some_and(|next| next.blocking);
        let took = if blocking { Duration::ZERO } else { cx.now.since(asked) };
        self.rest = took.saturating_mul(RESTS).min(LONGEST_REST);
        // Yet each part that it tells of costs an answer, in which the network may lack for media.
        let pause =
            if blocking { one.playlist.target_duration.to_duration() / 2 } else { self.rest };
        one.rests_until = cx.now + pause;
        let index = index_mut(presentation, key)?;
        core::mem::swap(index, &mut one.playlist.index);
        let refreshed = answer.map(|(body, url)| one.playlist.refresh(body, url, asked));
        let (mut changed, mut astray, mut incomplete) = (false, None, false);
        match refreshed {
            Some(Ok(refreshed)) => {
                changed = refreshed.changed;
                astray = match refreshed.deviation {
                    Some(Deviation::Missed { from, to }) => Some(to.saturating_sub(from) + 1),
                    Some(Deviation::Restarted { .. }) => Some(0),
                    _ => None,
                };
                incomplete = matches!(refreshed.deviation, Some(Deviation::Incomplete { .. }));
                cx.tell(&one.url, refreshed.warnings);
            }
            Some(Err(error)) => super::complain(cx, &one.url, &error),
            // The requests have told of what went wrong.
            None => {}
        }
        one.next = one.playlist.reload(&one.url, cx.now);
        if changed {
            if one.stalled {
                // What was known of the edge is of before the break.
                one.edges.clear();
            }
            if astray.is_none() {
                one.note_edge(cx.now);
            }
        }
        match &mut one.next {
            // There is news, only not in what was answered: the whole is asked for.
            Some(next) if incomplete => next.at = cx.now,
            _ => one.note(cx, changed),
        }
        let index = index_mut(presentation, key)?;
        core::mem::swap(index, &mut one.playlist.index);
        if let Some(missed) = astray {
            self.realign(presentation, position, missed, cx.now);
        }
        Some(key)
    }

    /// What came after a break, in which so many segments came and went, is put where the other playlists have it; or
    /// where it belongs by the clock.
    fn realign(
        &mut self,
        presentation: &mut Presentation,
        position: usize,
        missed: u64,
        now: Timestamp,
    ) {
        let mut own = self.list.remove(position);
        if let Some(index) = index_mut(presentation, own.key) {
            core::mem::swap(index, &mut own.playlist.index);
        }
        let alignment = self.misplacement(presentation, &own.playlist, now);
        let sure = alignment.filter(|alignment| alignment.by != AlignedBy::Edge);
        // A clock that puts what follows before what it follows is wrong: no version was new when it came.
        let length = own.longest(missed);
        let follows = |edge: &MediaTime| missed == 0 || own.playlist.end() - *edge <= length;
        let shift = match (sure, own.edge(now).filter(follows)) {
            (Some(alignment), _) => Some(alignment.shift),
            // What has ended since did not go on with the clock. What was missed is reckoned with already.
            (None, Some(edge)) if own.playlist.live => {
                Some(own.past_break(edge, MediaTime::ZERO, length))
            }
            // The numbers tell where it goes on, and the others may stand where they were before the break.
            (None, _) if missed > 0 => None,
            (None, _) => alignment.map(|alignment| alignment.shift),
        };
        if let Some(by) = shift {
            own.playlist.shift(by);
        }
        // As in one that has stopped, what was known of the edge is of before the break.
        own.edges.clear();
        own.note_edge(now);
        if let Some(index) = index_mut(presentation, own.key) {
            core::mem::swap(index, &mut own.playlist.index);
        }
        crate::items::put(&mut self.list, position, own);
    }

    /// What playback goes by: the playlists of picture and sound that are played. Text comes when it comes.
    fn played(&self) -> impl Iterator<Item = &Followed> {
        self.list.iter().filter(|one| one.active && one.kind != MediaKind::Text)
    }

    /// Where the live edge is: where the playlist that is least far ends, going on with the clock.
    pub(super) fn edge(&self, now: Timestamp) -> Option<MediaTime> {
        let active = self.played();
        active.filter_map(|one| one.edge(now)).min()
    }

    /// From where to where media is there in every playlist that is played. One that is being brought up to date is taken
    /// to go as far as the others.
    pub(super) fn span(&self, presentation: &Presentation) -> Option<(MediaTime, MediaTime)> {
        let spans = self.played().filter_map(|one| {
            let index = known(presentation, one.key)?;
            let part = one.playlist.parts.last().map(|part| part.start + part.duration);
            let end = index.end().max(part.unwrap_or(MediaTime::MIN));
            Some((one.outdated, index.start(), end))
        });
        let both =
            |a: (bool, MediaTime, MediaTime), b: (bool, MediaTime, MediaTime)| match (a.0, b.0) {
                (true, false) => b,
                (false, true) => a,
                _ => (a.0, a.1.max(b.1), a.2.min(b.2)),
            };
        spans.reduce(both).map(|(_, start, end)| (start, end))
    }

    /// When what is at a time happened, by the first playlist with dates.
    pub(super) fn wall_time_at(
        &self,
        presentation: &Presentation,
        time: MediaTime,
    ) -> Option<WallTime> {
        let active = self.played();
        active.filter_map(|one| known(presentation, one.key)?.wall_time_at(time)).next()
    }

    /// Distance from the live edge to play at, and whether parts are played.
    pub(super) fn hold_back(&self) -> Option<(MediaTime, bool)> {
        let active = self.played();
        let delays = active.map(|one| {
            let playlist = &one.playlist;
            match (self.part(playlist), playlist.control.part_hold_back) {
                // Three times the longest part, at least (§4.4.3.8).
                (Some(part), delay) => (delay.unwrap_or(part.times(3)), true),
                _ => {
                    let delay = playlist.target_duration.times(3);
                    (playlist.control.hold_back.unwrap_or(delay), false)
                }
            }
        });
        delays.reduce(|a, b| (a.0.max(b.0), a.1 && b.1))
    }

    /// The longest segment, or part where parts are played.
    pub(super) fn step(&self) -> Option<MediaTime> {
        let active = self.played();
        active.map(|one| self.part(&one.playlist).unwrap_or(one.playlist.target_duration)).max()
    }

    /// The longest part, where parts are played.
    fn part(&self, playlist: &MediaPlaylist) -> Option<MediaTime> {
        playlist.part_target.filter(|_| !self.far)
    }

    /// How much goes at once at the beginning of what is there: a segment, if any has gone or will.
    pub(super) fn margin(&self) -> MediaTime {
        let active = self.played().filter(|one| one.playlist.live);
        let sliding = active.filter(|one| one.playlist.playlist_type != Some(PlaylistType::Event));
        sliding.map(|one| one.playlist.target_duration).max().unwrap_or(MediaTime::ZERO)
    }

    /// Where the author wants playback to begin.
    pub(crate) fn start(&self) -> Option<crate::presentation::StartPoint> {
        self.list.iter().find_map(|one| one.playlist.start)
    }

    /// Whether every playlist that is played has ended.
    pub(crate) fn have_ended(&self) -> bool {
        let mut active = self.played().peekable();
        active.peek().is_some() && active.all(|one| !one.playlist.live)
    }

    pub(super) fn are_stalled(&self) -> bool {
        self.played().any(|one| one.stalled)
    }
}

impl Followed {
    /// When it is to be loaded again.
    fn due(&self) -> Option<Timestamp> {
        let idle = self.request.is_none() && self.active && self.playlist.live;
        let next = self.next.as_ref().filter(|_| idle)?;
        let enough = if next.blocking { ENOUGH_OF_PARTS } else { ENOUGH };
        let has_enough = self.left > self.playlist.target_duration.times(enough);
        Some(if has_enough { next.at.max(self.rests_until) } else { next.at })
    }

    /// Where its live edge is, going on with the clock.
    fn edge(&self, now: Timestamp) -> Option<MediaTime> {
        let now = i64::try_from(now.micros()).unwrap_or(i64::MAX);
        Some(MediaTime::from_micros(now.saturating_add(self.edges.iter().max().copied()?)))
    }

    /// Where another playlist belongs that has nothing in common with this one, which ends now no more if it has not been
    /// loaded for long.
    fn since_then(&self, other: &MediaPlaylist, mut edges: Alignment, now: Timestamp) -> Alignment {
        let next = |one: &MediaPlaylist| one.index.list().map_or(0, |list| list.next_number());
        let missed = self.longest(next(other).saturating_sub(next(&self.playlist)));
        let edge = self.edge(now).filter(|_| other.live);
        let by = edge.map_or(MediaTime::ZERO, |edge| self.past_break(edge, missed, missed));
        if by > self.playlist.target_duration.times(3) {
            edges.shift = edges.shift + by;
        }
        edges
    }

    /// By how much to shift what came after a break, if `by_count` of what was `missed` is not in its times yet: the
    /// segments that were missed are taken to be as long as the longest, unless the clock says otherwise. That may not be
    /// the encoder's.
    fn past_break(&self, edge: MediaTime, by_count: MediaTime, missed: MediaTime) -> MediaTime {
        let by_clock = edge - self.playlist.end();
        let drift = MediaTime::from_flicks(missed.flicks() / CLOCKS_AGREE);
        let slack = self.playlist.target_duration.times(2).max(drift);
        if (by_count - by_clock).abs() <= slack { by_count } else { by_clock }
    }

    /// How long so many segments are at most.
    fn longest(&self, segments: u64) -> MediaTime {
        self.playlist.target_duration.times(i64::try_from(segments).unwrap_or(i64::MAX))
    }

    fn note_edge(&mut self, now: Timestamp) {
        let now = i64::try_from(now.micros()).unwrap_or(i64::MAX);
        if self.edges.len() == EDGES {
            crate::items::take(&mut self.edges, 0);
        }
        self.edges.push(self.playlist.end().micros().saturating_sub(now));
    }

    /// Notes whether an answer brought something new, and asks less often when none has for long.
    fn note(&mut self, cx: &mut Context<'_>, changed: bool) {
        self.outdated = false;
        if changed || !self.playlist.live {
            self.changed = cx.now;
            self.silent = 0;
            if core::mem::take(&mut self.stalled) {
                cx.out.warn(Warning::ManifestResumed { url: self.url.clone() });
            }
            return;
        }
        self.silent += 1;
        let silence = cx.now.since(self.changed);
        let target = self.playlist.target_duration.to_duration();
        // One and a half target durations (§6.3.4), and what the way takes.
        if silence <= target + target / 2 + Duration::from_millis(500) {
            return;
        }
        if !self.stalled {
            self.stalled = true;
            let silence_ms = silence.as_millis() as u64;
            cx.out.warn(Warning::ManifestStalled { url: self.url.clone(), silence_ms });
        }
        if let Some(next) = &mut self.next {
            next.at = next.at.max(cx.now + backoff(target / 2, self.silent));
        }
    }
}

fn known(presentation: &Presentation, key: Key) -> Option<&SegmentIndex> {
    match &representation(presentation, key)?.segments {
        Segments::Known(index) => Some(index),
        _ => None,
    }
}

fn index_mut(presentation: &mut Presentation, key: Key) -> Option<&mut SegmentIndex> {
    match &mut representation_mut(presentation, key)?.segments {
        Segments::Known(index) => Some(index),
        _ => None,
    }
}
