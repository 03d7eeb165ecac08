//! The MPD of a live presentation, kept up to date (ISO/IEC 23009-1 §5.4.1, §5.15).

use core::time::Duration;

use super::{backoff, complain};
use crate::context::Context;
use crate::io::{RequestKind, Warning};
use crate::manifest::dash::{Document, availability};
use crate::presentation::{Presentation, Segments};
use crate::requests::{Requests, Ticket, Wish};
use crate::support;
use crate::time::{MediaTime, Timestamp, WallTime};

/// It is not loaded oftener than this, whatever it says.
const LEAST: Duration = Duration::from_millis(500);
/// Nor, as long as it brings something new now and then, less often than this.
const MOST: Duration = Duration::from_secs(3600);

/// A list that ends no more segments ago than this is on time.
const MOST_SEGMENTS_LATE: i64 = 2;

/// The MPD of a live presentation.
#[derive(Debug)]
pub(super) struct Mpd {
    document: Document,
    /// Where it is loaded from.
    url: String,
    request: Option<Request>,
    due: Option<Timestamp>,
    asked: Timestamp,
    changed: Timestamp,
    /// How far ahead of the player's own time its list ends at worst when it is asked for, and what it may be late.
    listed: Option<(MediaTime, MediaTime)>,
    /// Answers in a row that brought nothing new.
    silent: u32,
    /// It is asked for sooner than it says,
    hurried: bool,
    /// and was, so often, in vain.
    hurries: u32,
    /// Since when all that it tells of has been fetched.
    wanting: Option<Timestamp>,
    /// Patches do not fit any more: the whole must be loaded.
    whole: bool,
    pub(super) stalled: bool,
    pub(super) reloads: u32,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    ticket: Ticket,
    patch: bool,
    asked: Timestamp,
}

impl Mpd {
    /// An MPD that has been loaded from `url`, having been asked for at `asked`.
    pub(super) fn new(
        document: Document,
        presentation: &Presentation,
        url: &str,
        asked: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut mpd = Self {
            document,
            url: url.to_owned(),
            request: None,
            due: None,
            asked,
            changed: now,
            listed: None,
            silent: 0,
            hurried: false,
            hurries: 0,
            wanting: None,
            whole: false,
            stalled: false,
            reloads: 0,
        };
        mpd.measure(presentation);
        mpd.plan(presentation, now);
        mpd
    }

    /// How often it is to be loaded; none: it will not change.
    fn interval(presentation: &Presentation) -> Option<Duration> {
        let period = presentation.update.period.filter(|_| presentation.live.is_some())?;
        // Zero: when something in the media says so. What has come at the end of the last segment
        // says so, too.
        let period = match period > MediaTime::ZERO {
            true => period.to_duration(),
            false => segment(presentation),
        };
        Some(period.clamp(LEAST, MOST))
    }

    fn plan(&mut self, presentation: &Presentation, now: Timestamp) {
        let wait = Self::interval(presentation);
        self.due = wait.map(|wait| match self.stalled {
            // Who waits for it is not to wait for as long as it says.
            true if self.wanting.is_some() => {
                now + backoff(wait.min(segment(presentation)), self.silent)
            }
            true => now + backoff(wait, self.silent),
            false => (self.asked + wait).max(now + LEAST),
        });
    }

    /// Loads it sooner than it says, because all that it lists is fetched: some say much too long a period, and whoever
    /// keeps to it stalls. But not before another segment can have been made; and while none comes, ever less often.
    pub(super) fn hurry(&mut self, presentation: &Presentation, now: Timestamp) {
        let Some(due) = &mut self.due else { return };
        self.wanting = self.wanting.or(Some(now));
        let segment = segment(presentation);
        let pause = (segment / 2).saturating_mul(1 << self.hurries.min(8));
        let soonest = (self.asked + pause.max(LEAST)).max(self.changed + segment).max(now);
        if soonest < *due {
            *due = soonest;
            self.hurried = true;
        }
    }

    /// Asks for it when that is due: for what has changed, where the server keeps that.
    pub(super) fn tick(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        presentation: &Presentation,
        wall: Option<WallTime>,
    ) {
        if self.request.is_some() || self.due.is_none_or(|due| due > cx.now) {
            return;
        }
        let update = &presentation.update;
        let kept = |until: &Option<WallTime>| match (until, wall) {
            (Some(until), Some(now)) => now < *until,
            _ => true,
        };
        let patch = update.patches.iter().find(|(_, until)| !self.whole && kept(until));
        let url = match patch {
            Some((url, _)) => url.clone(),
            None => update.locations.first().cloned().unwrap_or_else(|| self.url.clone()),
        };
        let patch = patch.is_some();
        let wish = Wish::new(RequestKind::Manifest, requests.origins.place(&url));
        let ticket = requests.start(cx, wish);
        self.request = Some(Request { ticket, patch, asked: cx.now });
        self.asked = cx.now;
        self.hurries += u32::from(core::mem::take(&mut self.hurried));
        self.reloads += 1;
    }

    /// What is listed is there, and how far that goes tells how late it comes: as late as it has been, unless it is
    /// clearly better.
    fn measure(&mut self, presentation: &Presentation) {
        if let (_, Some(end)) = reach(presentation)
            && let Some(segment) = listed_segment(presentation)
        {
            let ahead = end - time(self.asked);
            let slack = segment.times(MOST_SEGMENTS_LATE);
            let (worst, _) = self.listed.unwrap_or((ahead, slack));
            self.listed = Some((worst.max(ahead - slack).min(ahead), slack));
        }
    }

    /// Of one that lists segments: how late they come by the clock that says `wall` at `now`, if that is late.
    pub(super) fn lateness(
        &self,
        presentation: &Presentation,
        wall: Option<WallTime>,
        now: Timestamp,
    ) -> Option<MediaTime> {
        let (worst, slack) = self.listed?;
        let late =
            availability::media_time(presentation.live.as_ref()?, wall?)? - time(now) - worst;
        Some(if late > slack { late } else { MediaTime::ZERO })
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.request.is_none())
    }

    pub(super) fn owns(&self, ticket: Ticket) -> bool {
        self.request.is_some_and(|request| request.ticket == ticket)
    }

    /// When the request under way was made.
    pub(super) fn asked(&self) -> Timestamp {
        self.request.map_or(self.asked, |request| request.asked)
    }

    /// Takes an answer; `url` is where it came from. Whether it brought something new.
    pub(super) fn take(
        &mut self,
        cx: &mut Context<'_>,
        presentation: &mut Presentation,
        answer: Option<(&[u8], &str)>,
    ) -> bool {
        let Some(request) = self.request.take() else { return false };
        let before = reach(presentation);
        let (changed, whole) = match answer {
            None => (false, request.patch),
            Some((body, url)) if request.patch => match self.document.patch(presentation, body) {
                Ok(parsed) => {
                    cx.tell(url, parsed.warnings);
                    (parsed.value.changed, false)
                }
                Err(_) => (false, true),
            },
            Some((body, url)) => match self.document.refresh(presentation, body, url) {
                Ok(parsed) => {
                    cx.tell(url, parsed.warnings);
                    if presentation.update.locations.is_empty() {
                        url.clone_into(&mut self.url);
                    }
                    (parsed.value.changed, false)
                }
                Err(error) => {
                    complain(cx, url, &error);
                    (false, false)
                }
            },
        };
        if changed {
            // What cannot be played now is left out, as it was at first.
            let _ = support::keep_playable(presentation);
        }
        // One that only says anew when it was made brings nothing new.
        self.note(cx, presentation, changed && before != reach(presentation));
        self.plan(presentation, cx.now);
        // A patch that does not fit is made good at once.
        self.whole = whole;
        if whole {
            self.due = Some(cx.now);
        }
        changed
    }

    /// Notes whether there was something new. Only one that lists segments must change, and one that tells of nothing
    /// beyond what has been fetched.
    fn note(&mut self, cx: &mut Context<'_>, presentation: &Presentation, changed: bool) {
        if changed || presentation.live.is_none() {
            self.changed = cx.now;
            self.measure(presentation);
            self.silent = 0;
            self.hurries = 0;
            self.wanting = None;
            if core::mem::take(&mut self.stalled) {
                cx.out.warn(Warning::ManifestResumed { url: self.url.clone() });
            }
            return;
        }
        self.silent += 1;
        let Some(interval) = Self::interval(presentation) else { return };
        let (since, most) = match (listed_segment(presentation), self.wanting) {
            (Some(listed), _) => (self.changed, interval.max(listed.to_duration())),
            (None, Some(since)) => (since, segment(presentation)),
            (None, None) => return,
        };
        // By when it was asked: that an answer was long on its way is not the server's silence.
        let silence = self.asked.since(since);
        if !self.stalled && silence > most + most / 2 + LEAST {
            self.stalled = true;
            self.silent = 1;
            let silence_ms = silence.as_millis() as u64;
            cx.out.warn(Warning::ManifestStalled { url: self.url.clone(), silence_ms });
        }
    }
}

fn time(at: Timestamp) -> MediaTime {
    MediaTime::from_micros(i64::try_from(at.micros()).unwrap_or(i64::MAX))
}

/// Length of the last segments of the newest period.
pub(super) fn longest_segment(presentation: &Presentation) -> Option<MediaTime> {
    last_segments(presentation, false)
}

/// How long it takes until there can be another.
fn segment(presentation: &Presentation) -> Duration {
    longest_segment(presentation).unwrap_or(MediaTime::from_secs(2)).to_duration().max(LEAST)
}

/// How far it goes: its periods, and where the last that is listed ends.
fn reach(presentation: &Presentation) -> (usize, Option<MediaTime>) {
    let sets = presentation.periods.iter().flat_map(|period| &period.sets);
    let mut end = None;
    for set in sets {
        if let Some(Segments::Known(index)) = set.representations.first().map(|one| &one.segments)
            && index.is_listed()
        {
            end = end.max(Some(index.end()));
        }
    }
    (presentation.periods.len(), end)
}

fn listed_segment(presentation: &Presentation) -> Option<MediaTime> {
    last_segments(presentation, true)
}

fn last_segments(presentation: &Presentation, listed: bool) -> Option<MediaTime> {
    let sets = presentation.periods.iter().rev().flat_map(|period| &period.sets);
    let mut longest = None;
    for set in sets.take(4) {
        let Some(Segments::Known(index)) = set.representations.first().map(|one| &one.segments)
        else {
            continue;
        };
        if index.is_empty() || listed && !index.is_listed() {
            continue;
        }
        // Of a template, all are alike but the last, which may be cut off by the period's end.
        let position = if index.is_listed() { index.len() - 1 } else { 0 };
        longest = longest.max(index.get(position).map(|segment| segment.duration));
    }
    longest
}
