//! Merges the next version of a playlist into the one held (RFC 8216bis §6.2.1, §6.2.5.1, §6.3.4).

use core::time::Duration;

use super::follow::{Following, SegmentEnd};
use super::reader::{Held, Version};
use super::{MediaPlaylist, SegmentFormat};
use crate::items::split;
use crate::manifest::hls::text;
use crate::manifest::{Fault, ManifestError, ManifestWarning};
use crate::presentation::UnknownTag;
use crate::presentation::index::{Difference, List, MovingText, Queue, Shared};
use crate::time::{MediaTime, Timestamp};

/// What a new version brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refreshed {
    /// There is something new: segments, parts, or the end.
    pub changed: bool,
    /// How many segments came at the end.
    pub added: u64,
    /// How many went at the beginning.
    pub removed: u64,
    /// What the server did that it must not.
    pub deviation: Option<Deviation>,
    /// What was overlooked in what is new.
    pub warnings: Vec<ManifestWarning>,
}

/// What a server did with a live playlist that it must not do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deviation {
    /// The version is older than the one held, and was overlooked: another cache answered, perhaps.
    Older {
        /// Number of the last segment held.
        held: u64,
        /// Number of the last segment of the version.
        seen: u64,
    },
    /// Numbers began anew. What is held was let go; the times of what came in its place go on from
    /// there.
    Restarted {
        /// Number of the last segment held.
        held: u64,
        /// Number of the first segment of the version.
        seen: u64,
    },
    /// A segment that was listed before is another now. From it on the new ones count.
    Rewritten {
        /// Number of the first such segment.
        number: u64,
        /// How it differs.
        difference: Difference,
    },
    /// Segments came and went between two versions.
    Missed {
        /// Number of the first of them.
        from: u64,
        /// Number of the last.
        to: u64,
    },
    /// A delta update leaves out segments that are not held, and was overlooked.
    Incomplete {
        /// Number of the last segment held.
        held: u64,
        /// Number of the last segment left out.
        skipped: u64,
    },
    /// There was nothing new for longer than one and a half target durations (§6.3.4).
    Stalled {
        /// How long nothing came.
        since: Duration,
        /// How long that may be.
        most: Duration,
    },
}

impl MediaPlaylist {
    /// Takes in the next version of the playlist, or a delta update, loaded from `url` by a request
    /// that was sent at `requested`.
    ///
    /// Segments that are listed already stay what and where they are. What is read is what is new;
    /// the rest is compared with what is held. A playlist that has ended does not change any more.
    ///
    /// # Errors
    /// As [`parse_media`](crate::manifest::hls::parse_media). The playlist is as before then.
    pub fn refresh(
        &mut self,
        bytes: &[u8],
        url: &str,
        requested: Timestamp,
    ) -> Result<Refreshed, ManifestError> {
        let Some(mut following) = self.following.take() else { return Ok(Refreshed::default()) };
        let mut shared = self.index.take_shared();
        let counts = (shared.inits.len(), shared.keys.len());
        let mut refreshed = text(bytes).and_then(|text| {
            let mut version = Version::new(url, following.variables.again());
            self.read(text, &mut version, &following, &mut shared)?;
            let warnings = core::mem::take(&mut version.reading.warnings).with(()).warnings;
            let refused = self.refused(&version, &mut following);
            let refreshed = match refused {
                Some(deviation) => Refreshed { deviation: Some(deviation), ..Refreshed::default() },
                None => self.merge(&mut version, text, &mut following, &mut shared),
            };
            Ok(Refreshed { warnings, ..refreshed })
        });
        if let Ok(refreshed) = &mut refreshed {
            following.note(refreshed, self.target_duration, requested);
        }
        if !matches!(&refreshed, Ok(refreshed) if refreshed.merged()) {
            shared.truncate(counts);
        }
        self.index.set_shared(shared);
        self.following = (self.live || refreshed.is_err()).then_some(following);
        refreshed.map_err(|fault| *fault)
    }

    fn read<'a>(
        &self,
        text: &'a str,
        version: &mut Version<'a>,
        following: &Following,
        shared: &mut Shared,
    ) -> Result<u64, Fault> {
        let nothing = List::new("", 0);
        let list = self.index.list().unwrap_or(&nothing);
        version.read(text, shared, Some(Held { list, following, events: &self.events }))
    }

    /// Why a version cannot be merged.
    fn refused(&self, version: &Version<'_>, following: &mut Following) -> Option<Deviation> {
        let list = self.index.list()?;
        let held = list.next_number().saturating_sub(1);
        if let Some(skipped) = version.out_of_reach {
            following.requests.whole = true;
            return Some(Deviation::Incomplete { held, skipped });
        }
        let next = version.list.next_number();
        let behind = following.requests.behind.take();
        if (next, version.part_count) >= self.edge() || !version.playlist.live || list.len() == 0 {
            return None;
        }
        // It ends before what is held does. Has it begun anew?
        let last_date = |list: &List| list.date_of(list.next_number().saturating_sub(1));
        let later = last_date(&version.list)
            .zip(last_date(list))
            .map(|(theirs, ours)| theirs > ours && next < list.next_number());
        let others = version.list.first_number().max(list.first_number());
        let other = list.compare(&version.list, others) == Some(Difference::Url);
        let goes_on = next <= list.first_number() && behind.is_some_and(|behind| behind < next);
        if later.unwrap_or(other || goes_on) {
            return None;
        }
        following.requests.behind = Some(next);
        Some(Deviation::Older { held, seen: next.saturating_sub(1) })
    }

    fn merge(
        &mut self,
        version: &mut Version<'_>,
        text: &str,
        following: &mut Following,
        shared: &mut Shared,
    ) -> Refreshed {
        let before = (self.edge(), self.live);
        let restarts =
            version.playlist.live && (version.list.next_number(), version.part_count) < before.0;
        let Some(list) = self.index.list_mut() else { return Refreshed::default() };
        let (held_first, held_next) = (list.first_number(), list.next_number());
        let first = version.first_number;
        let version_first = version.list.first_number();
        let place = Placement::find(list, version, restarts, self.target_duration);
        let (added, removed) = if place.anew {
            let removed = list.len() as u64;
            core::mem::swap(list, &mut version.list);
            list.shift(place.shift, place.discontinuities);
            (list.len() as u64, removed)
        } else {
            if let Some(number) = place.rewritten {
                list.truncate(number);
            }
            list.append(&version.list, place.shift, place.discontinuities);
            list.trim(first);
            let removed = list.first_number().saturating_sub(held_first);
            (list.next_number().saturating_sub(held_next), removed)
        };
        let firsts = [held_first, version_first, list.first_number()];
        following.follow(version, text, firsts, place.anew);

        // What holds of the segments that were not read again.
        let jump = version.jump.filter(|_| !place.anew);
        let kept =
            jump.map(|jump| (if jump.skipped { first } else { first.saturating_add(1) })..=jump.to);
        let is_kept = |number: u64| kept.as_ref().is_some_and(|kept| kept.contains(&number));
        let skipped = jump.is_some_and(|jump| jump.skipped);

        self.parts.retain(|part| !skipped && is_kept(part.segment));
        let mut parts = core::mem::take(&mut version.playlist.parts);
        for part in &mut parts {
            part.start = part.start + place.shift;
            part.discontinuity = part.discontinuity.wrapping_add(place.discontinuities);
        }
        let head = parts.iter().take_while(|part| part.segment <= first).count();
        enclose(&mut self.parts, parts, head);

        self.unknown.retain(|tag| tag.segment.is_some_and(is_kept));
        let mut unknown = core::mem::take(&mut version.reading.unknown);
        for tag in &mut unknown {
            tag.start = tag.start.map(|start| start + place.shift);
        }
        let in_head = |tag: &&UnknownTag| tag.segment.is_none_or(|number| number <= first);
        let head = unknown.iter().take_while(in_head).count();
        enclose(&mut self.unknown, unknown, head);

        let places = core::mem::take(&mut following.events);
        for (event, before) in core::mem::take(&mut self.events).into_iter().zip(places.before) {
            let keep = match &version.removed_events {
                Some(removed) if skipped => !removed.contains(&event.id),
                _ => !skipped && is_kept(before),
            };
            if keep {
                following.events.put(&mut self.events, event, before);
            }
        }
        let events = core::mem::take(&mut version.playlist.events);
        for (event, &before) in events.into_iter().zip(&version.event_places.before) {
            following.events.put(&mut self.events, event, before);
        }
        following.variables = core::mem::take(&mut version.reading.variables);
        self.take_facts(version);
        for hint in &mut self.hints {
            hint.discontinuity = hint.discontinuity.wrapping_add(place.discontinuities);
        }
        self.forget_unused(shared);
        let changed = added > 0
            || removed > 0
            || place.deviation.is_some()
            || before != (self.edge(), self.live);
        Refreshed { changed, added, removed, deviation: place.deviation, warnings: Vec::new() }
    }

    /// Takes over what a version says of the whole.
    fn take_facts(&mut self, version: &mut Version<'_>) {
        let new = &mut version.playlist;
        self.live = new.live;
        self.ended = new.ended;
        self.target_duration = new.target_duration;
        self.playlist_type = new.playlist_type;
        self.independent = new.independent;
        self.i_frames_only = new.i_frames_only;
        self.start = new.start;
        self.part_target = new.part_target;
        self.bandwidth = self.bandwidth.max(new.bandwidth);
        core::mem::swap(&mut self.control, &mut new.control);
        core::mem::swap(&mut self.hints, &mut new.hints);
        core::mem::swap(&mut self.reports, &mut new.reports);
        if self.format == SegmentFormat::Unknown {
            self.format = version.format.unwrap_or(SegmentFormat::Unknown);
        }
    }

    /// Lets go of initialisation segments and keys that no segment needs any more, once they are
    /// many.
    fn forget_unused(&mut self, shared: &mut Shared) {
        const MANY: usize = 64;
        let Some(list) = self.index.list_mut() else { return };
        let (mut inits, mut keys) = (shared.inits.len(), shared.keys.len());
        if inits < MANY && keys < MANY {
            return;
        }
        let mut used = |init: Option<usize>, key: Option<usize>| {
            inits = inits.min(init.unwrap_or(inits));
            keys = keys.min(key.unwrap_or(keys));
        };
        let (init, key) = list.least_used();
        used(init, key);
        for part in &self.parts {
            used(part.init, part.key);
        }
        for &key in shared.init_keys.get(inits..).unwrap_or_default() {
            keys = keys.min(key.unwrap_or(keys));
        }
        if inits < MANY && keys < MANY {
            return;
        }
        list.renumber(inits, keys);
        for part in &mut self.parts {
            part.init = part.init.map(|init| init.saturating_sub(inits));
            part.key = part.key.map(|key| key.saturating_sub(keys));
        }
        shared.inits = split(&mut shared.inits, inits);
        shared.init_keys = split(&mut shared.init_keys, inits);
        shared.keys = split(&mut shared.keys, keys);
        for key in shared.init_keys.iter_mut().flatten() {
            *key = key.saturating_sub(keys);
        }
    }
}

/// Puts the first `head` of `items` before what is kept, and the others after it.
fn enclose<T>(kept: &mut Vec<T>, mut items: Vec<T>, head: usize) {
    let mut tail = split(&mut items, head);
    items.append(kept);
    items.append(&mut tail);
    *kept = items;
}

/// How the segments of a version are placed beside those held.
#[derive(Debug, Default)]
struct Placement {
    /// Nothing held goes on in them.
    anew: bool,
    /// What their times lack to those held.
    shift: MediaTime,
    /// What their discontinuity numbers lack, wrapping.
    discontinuities: u64,
    /// The first that differs from the one held of its number.
    rewritten: Option<u64>,
    deviation: Option<Deviation>,
}

impl Placement {
    fn find(held: &List, version: &Version<'_>, restarts: bool, target: MediaTime) -> Self {
        let new = &version.list;
        let (held_next, first, next) = (held.next_number(), new.first_number(), new.next_number());
        let Some(last) = held_next.checked_sub(1) else {
            return Self { anew: true, ..Self::default() };
        };
        let Some((_, held_end)) = held.span_of(last) else {
            return Self { anew: true, ..Self::default() };
        };
        let start = new.span_of(first).map_or(held_end, |(start, _)| start);
        let held_last = held.setting(last).discontinuity;
        let discontinuity = new.setting(first).discontinuity;
        let common = first.max(held.first_number());

        if !restarts && common < held_next.min(next) && !another(held, new, common, target) {
            let starts = held.span_of(common).zip(new.span_of(common));
            let shift = starts.map_or(MediaTime::ZERO, |(held, new)| held.0 - new.0);
            let held_here = held.setting(common).discontinuity;
            let differences = (common..held_next.min(next))
                .filter_map(|number| Some((number, held.compare(new, number)?)));
            let (mut rewritten, mut deviation) = (None, None);
            for (number, difference) in differences {
                rewritten.get_or_insert(number);
                if difference != Difference::Query {
                    deviation = Some(Deviation::Rewritten { number, difference });
                    break;
                }
            }
            let here = new.setting(common).discontinuity;
            let discontinuities = held_here.wrapping_sub(here);
            return Self { anew: false, shift, discontinuities, rewritten, deviation };
        }
        if !restarts && first <= held_next && next >= held_next {
            // It goes on right after, or there is nothing in it.
            let stated = version.discontinuity_stated && discontinuity >= held_last;
            let discontinuities = match version.jump {
                None if !stated && new.len() > 0 => held_last,
                _ => 0,
            };
            let shift = held_end - start;
            if first == held_next {
                return Self { shift, discontinuities, ..Self::default() };
            }
        }
        let missed = first.checked_sub(held_next).filter(|_| !restarts);
        let by_date = held.wall_time_at(held_end).zip(new.date_of(first));
        let by_date = by_date.map(|(held, new)| (new - held).max(MediaTime::ZERO));
        // Without dates, what is not known is taken to be as long as it may be.
        let length = target.times(i64::try_from(missed.unwrap_or(0)).unwrap_or(i64::MAX));
        let shift = held_end + by_date.unwrap_or(length) - start;
        let (least, deviation) = match missed {
            Some(count) => {
                let to = held_next.saturating_add(count - 1);
                (held_last, Deviation::Missed { from: held_next, to })
            }
            None => {
                let deviation = Deviation::Restarted { held: last, seen: first };
                (held_last.saturating_add(1), deviation)
            }
        };
        let stated = missed.is_some() && version.discontinuity_stated && discontinuity >= least;
        let discontinuities = if stated { 0 } else { least.wrapping_sub(discontinuity) };
        let deviation = Some(deviation);
        Self { anew: true, shift, discontinuities, rewritten: None, deviation }
    }
}

/// Whether the segment of one number is of another time altogether.
fn another(held: &List, new: &List, number: u64, target: MediaTime) -> bool {
    let dates = held.date_of(number).zip(new.date_of(number));
    held.compare(new, number) == Some(Difference::Url)
        && dates.is_some_and(|(held, new)| (new - held).abs() > target)
}

impl Refreshed {
    /// Whether the version was merged.
    fn merged(&self) -> bool {
        !matches!(self.deviation, Some(Deviation::Older { .. } | Deviation::Incomplete { .. }))
    }
}

impl Following {
    /// Keeps the text of a version. The first segment had the first of the numbers before, has the
    /// second in the version, and the third from now on.
    fn follow(
        &mut self,
        version: &mut Version<'_>,
        text: &str,
        [held_first, version_first, first]: [u64; 3],
        anew: bool,
    ) {
        let end = version.text_end();
        let position = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let jump = version.jump.filter(|_| !anew);
        let known = jump.and_then(|jump| {
            self.ends.truncate(position(jump.to.saturating_sub(held_first)).saturating_add(1));
            Some((jump, *self.ends.last()?))
        });
        let listed_first = match known {
            Some((jump, last)) => {
                self.text.truncate(last.place);
                self.text.push(text.get(jump.place..end).unwrap_or(""));
                for end in &version.ends {
                    self.ends.push(SegmentEnd {
                        place: last.place.wrapping_add(end.place.wrapping_sub(jump.place as u32)),
                        line: last.line.wrapping_add(end.line.wrapping_sub(jump.line as u32)),
                    });
                }
                held_first
            }
            None => {
                self.text = MovingText::default();
                self.text.push(text.get(..end).unwrap_or(""));
                self.ends = Queue::from(core::mem::take(&mut version.ends));
                version_first
            }
        };
        let gone = position(first.saturating_sub(listed_first)).min(self.ends.len());
        self.ends.drop_front(gone);
        if let Some(front) = self.ends.first() {
            self.text.trim(front.place);
        }
    }

    /// Notes when a version was asked for, and says if there was nothing new for too long.
    fn note(&mut self, refreshed: &mut Refreshed, target: MediaTime, requested: Timestamp) {
        let requests = &mut self.requests;
        requests.last = Some(requested);
        requests.unchanged = !refreshed.changed;
        if refreshed.changed {
            requests.whole = false;
            requests.changed = Some(requested);
            return;
        }
        let since = requested.since(*requests.changed.get_or_insert(requested));
        let most = MediaTime::from_flicks(target.flicks() / 2).times(3).to_duration();
        if since > most && refreshed.deviation.is_none() {
            refreshed.deviation = Some(Deviation::Stalled { since, most });
        }
    }
}
