//! Pictures beside the film: tiles of small ones for a seek bar, and key frames to move fast by. They
//! are looked up by time; what is needed for that is loaded when it is first asked for. The app fetches
//! the pictures themselves.

use crate::context::Context;
use crate::io::{Event, MediaKind, Picture, PictureKind, RequestKind, Resource, Tile};
use crate::manifest;
use crate::presentation::{
    Presentation, Purpose, Representation, Segment, SegmentIndex, Segments, SwitchingSet,
};
use crate::requests::{Outcome, Requests, Ticket, Wish};
use crate::time::{MediaTime, TimeRange};

/// Key frames may take this part of the throughput: something else plays meanwhile.
const KEY_FRAME_SHARE: f64 = 0.5;
/// A seek bar's pictures need no more lines than this.
const ENOUGH_LINES: u32 = 240;
/// More questions than this are not kept while an index loads; the oldest is given up.
const MAX_ASKED: usize = 32;

/// Pictures beside the film.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    strips: Vec<Strip>,
    variables: Vec<(String, String)>,
    asked: Vec<Asked>,
}

/// The pictures of a period.
#[derive(Debug)]
struct Strip {
    start: MediaTime,
    set: SwitchingSet,
    /// Which representation's index is on its way.
    loading: Option<(usize, Ticket)>,
    /// Representations whose index could not be had.
    lost: Vec<usize>,
}

/// A question that waits for an index.
#[derive(Debug)]
struct Asked {
    id: u64,
    at: MediaTime,
    kind: PictureKind,
}

impl Pictures {
    /// The pictures of a presentation, before it is stripped of what is not played.
    pub(crate) fn of(presentation: &Presentation) -> Self {
        let mut strips = Vec::new();
        for period in &presentation.periods {
            for set in &period.sets {
                if set.purpose != Purpose::Playback && !set.representations.is_empty() {
                    let start = period.start;
                    let set = set.clone();
                    strips.push(Strip { start, set, loading: None, lost: Vec::new() });
                }
            }
        }
        Self { strips, variables: presentation.variables.clone(), asked: Vec::new() }
    }

    /// Answers with an event, at once or when what it takes has been loaded.
    pub(crate) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        (id, at, kind): (u64, MediaTime, PictureKind),
    ) {
        if self.asked.len() >= MAX_ASKED
            && let Some(oldest) = crate::items::take(&mut self.asked, 0)
        {
            cx.out.event(Event::Picture { id: oldest.id, picture: None });
        }
        self.asked.push(Asked { id, at, kind });
        self.answer(cx, requests);
    }

    /// Takes what became of a request, if it was for an index of pictures; gives it back if not.
    pub(crate) fn handle(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let ticket = match &outcome {
            Outcome::Delivered { ticket, .. } | Outcome::Failed { ticket, .. } => *ticket,
            _ => return Some(outcome),
        };
        let loads = |strip: &&mut Strip| strip.loading.is_some_and(|(_, mine)| mine == ticket);
        let Some(strip) = self.strips.iter_mut().find(loads) else { return Some(outcome) };
        let (number, _) = strip.loading.take()?;
        let index = match outcome {
            Outcome::Delivered { body, url, .. } => {
                manifest::hls::parse_media_with(&body, &url, &self.variables)
                    .ok()
                    .map(|parsed| parsed.value.index)
            }
            _ => None,
        };
        match (index, strip.set.representations.get_mut(number)) {
            (Some(index), Some(one)) => one.segments = Segments::Known(index),
            _ => strip.lost.push(number),
        }
        self.answer(cx, requests);
        None
    }

    /// Answers every question that can be.
    fn answer(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        let throughput_bps = cx.abr.estimate().throughput_bps;
        let mut waits = Vec::new();
        for asked in core::mem::take(&mut self.asked) {
            match self.find(&asked, throughput_bps) {
                Found::Picture(picture) => {
                    cx.out.event(Event::Picture { id: asked.id, picture: picture.map(Box::new) });
                }
                Found::Needs(strip, number) => {
                    if let Some(strip) = self.strips.get_mut(strip)
                        && strip.loading.is_none()
                        && let Some(one) = strip.set.representations.get(number)
                        && let Segments::Playlist { url } = &one.segments
                    {
                        let places = requests.origins.places(one, url);
                        let wish = Wish::new(RequestKind::MediaPlaylist(MediaKind::Video), places);
                        strip.loading = Some((number, requests.start(cx, wish)));
                    }
                    waits.push(asked);
                }
            }
        }
        self.asked = waits;
    }

    fn find(&self, asked: &Asked, throughput_bps: f64) -> Found {
        let wanted = |strip: &&(usize, &Strip)| {
            let of_kind = match asked.kind {
                PictureKind::Thumbnail => strip.1.set.purpose == Purpose::Thumbnails,
                PictureKind::KeyFrame { .. } => strip.1.set.purpose != Purpose::Thumbnails,
            };
            of_kind && strip.1.start <= asked.at
        };
        // The last period to have begun by then.
        let found = self.strips.iter().enumerate().filter(|strip| wanted(&strip));
        let Some((number, strip)) = found.max_by_key(|(_, strip)| strip.start) else {
            return Found::Picture(None);
        };
        let usable = |index: usize| !strip.lost.contains(&index);
        let all = &strip.set.representations;
        let candidates = || (0..all.len()).filter(|index| usable(*index));
        let chosen = match asked.kind {
            PictureKind::Thumbnail => {
                let enough =
                    |index: &usize| all.get(*index).is_some_and(|one| lines(one) <= ENOUGH_LINES);
                candidates().rfind(enough)
            }
            PictureKind::KeyFrame { rate } => {
                let rate = f64::from(rate.unsigned_abs().max(1));
                let most = throughput_bps * KEY_FRAME_SHARE;
                let affordable = |index: &usize| {
                    all.get(*index).is_some_and(|one| one.bandwidth as f64 * rate <= most)
                };
                candidates().rfind(affordable)
            }
        };
        let chosen = chosen.or_else(|| candidates().next());
        let Some((chosen, one)) = chosen.and_then(|chosen| Some((chosen, all.get(chosen)?))) else {
            return Found::Picture(None);
        };
        match &one.segments {
            Segments::Known(index) => Found::Picture(picture(one, index, asked.at)),
            Segments::Playlist { .. } => Found::Needs(number, chosen),
            // An index inside a media file of pictures: nobody publishes one.
            Segments::IndexBox { .. } => Found::Picture(None),
        }
    }
}

enum Found {
    /// The answer; none: there is no such picture.
    Picture(Option<Picture>),
    /// The index of this strip's representation of this number.
    Needs(usize, usize),
}

/// Lines of one small picture.
fn lines(one: &Representation) -> u32 {
    let rows = one.tiles.map_or(1, |(_, rows)| rows.max(1));
    one.height.unwrap_or(0) / rows
}

fn picture(one: &Representation, index: &SegmentIndex, at: MediaTime) -> Option<Picture> {
    let segment = index.get(index.position_at(at)?)?;
    if segment.gap || segment.start > at {
        return None;
    }
    let init = index.init(&segment);
    let init = init.map(|init| Resource { url: init.url.clone(), range: init.range });
    let whole = TimeRange { start: segment.start, end: segment.end() };
    let (span, tile) = match one.tiles {
        Some((columns, rows)) => tile(one, &segment, (columns, rows), at),
        None => (whole, None),
    };
    Some(Picture {
        resource: Resource { url: segment.url, range: segment.range },
        init,
        mime_type: one.mime_type(),
        span,
        tile,
    })
}

/// The tile shown at a time: row by row, each for an equal part of the segment (DASH-IF IOP part 6,
/// thumbnails).
fn tile(
    one: &Representation,
    segment: &Segment,
    (columns, rows): (u32, u32),
    at: MediaTime,
) -> (TimeRange, Option<Tile>) {
    let count = i64::from(columns.max(1)) * i64::from(rows.max(1));
    let each = (segment.duration.flicks() / count).max(1);
    let number = (at - segment.start).flicks().checked_div(each).unwrap_or(0).clamp(0, count - 1);
    let start = segment.start + MediaTime::from_flicks(each * number);
    let span = TimeRange { start, end: start + MediaTime::from_flicks(each) };
    let size = one.width.zip(one.height);
    let tile = size.map(|(width, height)| {
        let (width, height) = (width / columns.max(1), height / rows.max(1));
        let number = number as u32;
        let (column, row) = (number % columns.max(1), number / columns.max(1));
        Tile { x: column * width, y: row * height, width, height }
    });
    (span, tile)
}
