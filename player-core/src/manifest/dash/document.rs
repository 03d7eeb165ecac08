//! An MPD that is loaded again and again.

use std::sync::Arc;

use super::names::Name;
use super::resolve::{self, Earlier, Held};
use super::tree::{Element, Reader, Source, Tree};
use super::{Keep, Lines, Read, links, live};
use crate::manifest::{Fault, ManifestError, Parsed, Warnings, text};
use crate::presentation::index::Timeline;
use crate::presentation::{Period, Presentation, Representation, Segments};
use crate::time::{MediaTime, WallTime};

/// An MPD, kept so that a later state of it is taken in at the cost of what is new: periods whose
/// text is the same stay as they are, and of a `SegmentTimeline` only the elements that came are
/// read. A patch (§5.15) changes it without reading anything again.
///
/// The presentation is the caller's. Segments that both states have are equal in both: they have the
/// same URL and the same time.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) url: String,
    /// The MPD, and after it whatever patches and links brought.
    pub(super) text: String,
    /// Length of the MPD alone.
    pub(super) own: usize,
    pub(super) tree: Tree,
    pub(super) held: Held,
    /// A patch failed half-way.
    pub(super) broken: bool,
}

/// What loading again brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refreshed {
    /// There is something new. If not, the server has nothing more to say, or has stalled.
    pub changed: bool,
    /// What a server must not do, and did.
    pub deviations: Vec<Deviation>,
}

/// What a server must not do from one state of an MPD to the next.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Deviation {
    /// It is older than the last (`MPD@publishTime`), and was not taken in.
    Older {
        /// When the last was published.
        before: WallTime,
        /// When this was.
        now: WallTime,
    },
    /// `MPD@availabilityStartTime` is another.
    OriginMoved {
        /// What it was.
        before: Option<WallTime>,
        /// What it is.
        now: Option<WallTime>,
    },
    /// Segments at the end have gone.
    Shrunk {
        /// `Period@id`.
        period: Option<String>,
        /// `Representation@id`.
        representation: String,
        /// Where the last segment ended.
        before: MediaTime,
        /// Where it ends.
        now: MediaTime,
    },
    /// Segments have other times or numbers than they had.
    Rewritten {
        /// `Period@id`.
        period: Option<String>,
        /// `Representation@id`.
        representation: String,
        /// Where they begin to differ.
        at: MediaTime,
    },
}

impl Document {
    /// Reads an MPD from `url`, against which its references resolve.
    ///
    /// # Errors
    /// As [`parse_mpd`](super::parse_mpd).
    pub fn parse(bytes: &[u8], url: &str) -> Result<Parsed<(Self, Presentation)>, ManifestError> {
        let text = text(bytes).map_err(|fault| *fault)?;
        let Parsed { value: Read { tree, held, presentation }, warnings } =
            super::read(text, url, Keep::All)?;
        Ok(Parsed { value: (Self::of(text, url, tree, held), presentation), warnings })
    }

    pub(super) fn of(text: &str, url: &str, mut tree: Tree, held: Held) -> Self {
        tree.shrink();
        let (url, own) = (url.to_owned(), text.len());
        Self { url, text: text.to_owned(), own, tree, held, broken: false }
    }

    /// Takes in a later state of the whole MPD, which came from `url`. Warnings are those of what is
    /// new.
    ///
    /// # Errors
    /// As [`parse_mpd`](super::parse_mpd); then nothing has changed.
    pub fn refresh(
        &mut self,
        presentation: &mut Presentation,
        bytes: &[u8],
        url: &str,
    ) -> Result<Parsed<Refreshed>, ManifestError> {
        let text = text(bytes).map_err(|fault| *fault)?;
        if !self.broken && self.text == text && self.url == url {
            return Ok(Warnings::default().with(Refreshed::default()));
        }
        let mut lines = Lines::of(text);
        let mut warnings = Warnings::default();
        let refreshed = self.take(presentation, text, url, &mut warnings);
        let refreshed = refreshed.map_err(|fault| lines.of_fault(*fault))?;
        let mut parsed = warnings.with(refreshed);
        lines.of_warnings(&mut parsed);
        Ok(parsed)
    }

    fn take(
        &mut self,
        presentation: &mut Presentation,
        text: &str,
        url: &str,
        warnings: &mut Warnings,
    ) -> Result<Refreshed, Fault> {
        let mut tree = Tree::default();
        let before = self.source();
        let mut reader = Reader::new(text, 0, &mut tree)?.after(before.element(0), self.own);
        let id = reader.document(Name::Mpd, Keep::All)?;
        let same = core::mem::take(&mut reader.same);
        let source = Source::new(&tree, text);
        let mpd = source.element(id);
        let published = live::date(mpd, Name::PublishTime);
        if let (Some(before), Some(now)) = (presentation.update.published, published)
            && now < before
        {
            let deviations = vec![Deviation::Older { before, now }];
            return Ok(Refreshed { changed: false, deviations });
        }
        let deviations =
            renew(mpd, url, text.len(), warnings, presentation, &mut self.held, &same)?;
        tree.shrink();
        (self.tree, self.own, self.broken) = (tree, text.len(), false);
        self.text.clear();
        self.text.push_str(text);
        self.url.clear();
        self.url.push_str(url);
        Ok(Refreshed { changed: true, deviations })
    }

    /// The elements as they are; the first is the `MPD`.
    pub(super) fn source(&self) -> Source<'_> {
        Source::new(&self.tree, &self.text)
    }

    /// What must be loaded before all of it can be played (§5.5), in order.
    pub fn links(&self) -> Vec<links::Link> {
        links::links(self)
    }
}

/// Makes the presentation anew where it has changed.
pub(super) fn renew(
    mpd: Element<'_>,
    url: &str,
    bytes: usize,
    warnings: &mut Warnings,
    presentation: &mut Presentation,
    held: &mut Held,
    same: &[(u32, u32)],
) -> Result<Vec<Deviation>, Fault> {
    let earlier = Earlier { presentation, held, same };
    let (mut now, mut held_now) =
        resolve::presentation(mpd, url, bytes, Vec::new(), warnings, Some(earlier))?;
    let continued = core::mem::take(&mut held_now.continued);
    let mut deviations = Vec::new();
    if let (Some(before), Some(now)) = (&presentation.live, &now.live)
        && before.origin != now.origin
    {
        deviations.push(Deviation::OriginMoved { before: before.origin, now: now.origin });
    }
    for period in &mut now.periods {
        // Those that stayed have left an empty period behind.
        let before = presentation.periods.iter_mut().find(|before| {
            before.id == period.id
                && (period.id.is_some() || before.start == period.start)
                && !before.sets.is_empty()
        });
        if let Some(before) = before {
            compare(before, period, &continued, &mut deviations);
        }
    }
    *held = held_now;
    *presentation = now;
    Ok(deviations)
}

/// How many deviations are told of.
const MOST_DEVIATIONS: usize = 32;

/// Finds what a server must not do, and keeps indexes that have been loaded.
fn compare(
    before: &mut Period,
    now: &mut Period,
    continued: &[(Arc<Timeline>, Arc<Timeline>)],
    deviations: &mut Vec<Deviation>,
) {
    for set in &mut now.sets {
        let Some(old) = before
            .sets
            .iter_mut()
            .find(|old| old.id == set.id && shares(&old.representations, &set.representations))
        else {
            continue;
        };
        for (position, now_one) in set.representations.iter_mut().enumerate() {
            let Some(old) = old.representations.iter_mut().find(|old| old.id == now_one.id) else {
                continue;
            };
            match (&mut old.segments, &mut now_one.segments) {
                (Segments::Known(index), Segments::IndexBox { url, media_offset, init, .. })
                    if index.media_offset() == Some(*media_offset)
                        && index.get(0).is_some_and(|first| first.url == *url)
                        // Several may share a file.
                        && init.as_ref().is_none_or(|init| index.inits().contains(init)) =>
                {
                    core::mem::swap(&mut old.segments, &mut now_one.segments);
                }
                // Those of a set share their timeline mostly.
                (Segments::Known(index), Segments::Known(now_index))
                    if position == 0 && deviations.len() < MOST_DEVIATIONS =>
                {
                    let period = || before.id.clone();
                    let representation = || now_one.id.clone();
                    if now_index.is_listed() && index.is_listed() && now_index.end() < index.end() {
                        deviations.push(Deviation::Shrunk {
                            period: period(),
                            representation: representation(),
                            before: index.end(),
                            now: now_index.end(),
                        });
                    }
                    let goes_on = |(before, now): &(Arc<Timeline>, Arc<Timeline>)| {
                        index.timeline().is_some_and(|known| Arc::ptr_eq(known, before))
                            && now_index.timeline().is_some_and(|known| Arc::ptr_eq(known, now))
                    };
                    if !continued.iter().any(goes_on)
                        && let Some(at) = now_index.difference(index)
                    {
                        deviations.push(Deviation::Rewritten {
                            period: period(),
                            representation: representation(),
                            at,
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

fn shares(old: &[Representation], new: &[Representation]) -> bool {
    new.first().is_some_and(|first| old.iter().any(|old| old.id == first.id))
}
