//! Passes over the segments that the playlist held has.

use super::super::follow::{Following, SegmentEnd};
use super::{MediaReader, base};
use crate::manifest::ManifestErrorKind;
use crate::manifest::hls::attributes::Attributes;
use crate::manifest::hls::key::Keys;
use crate::manifest::hls::lines::Lines;
use crate::presentation::index::{List, same_eight};

/// A stretch of segments that was not read, because the playlist held has it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Jump {
    /// The last segment.
    pub(in super::super) to: u64,
    /// Where the text goes on.
    pub(in super::super) place: usize,
    pub(in super::super) line: u64,
    /// The server left it out (`EXT-X-SKIP`); else the text was the same.
    pub(in super::super) skipped: bool,
}

impl<'a> MediaReader<'a, '_> {
    /// `EXT-X-SKIP` (RFC 8216bis §4.4.5.2): the server left out what it had sent before.
    pub(super) fn skip(&mut self, value: &str, line: u64, place: usize) {
        const TAG: &str = "EXT-X-SKIP";
        let version = &mut *self.version;
        let reading = &mut version.reading;
        let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
        let Some(count) = attributes.integer("SKIPPED-SEGMENTS", reading) else {
            return reading.fail_without(TAG, "SKIPPED-SEGMENTS", line);
        };
        if let Some(ids) = attributes.text("RECENTLY-REMOVED-DATERANGES", reading) {
            let ids = ids.split('\t').filter(|id| !id.is_empty());
            version.removed_events = Some(ids.map(str::to_owned).collect());
        }
        if !version.is_head() {
            return version.reading.late(TAG, line);
        }
        let Some(held) = self.held else {
            let feature = "a delta update without the playlist that it goes on from";
            return version.reading.fail(ManifestErrorKind::unsupported(feature), line);
        };
        let Some(before_last) = count.checked_sub(1) else { return };
        let to = version.first_number.saturating_add(before_last);
        if held.list.span_of(to).is_none() || held.list.first_number() > version.first_number {
            version.out_of_reach = Some(to);
            return;
        }
        self.take_jump(Jump { to, place, line, skipped: true });
    }

    /// After the first segment, passes over what is the same as in the playlist held.
    #[inline(never)]
    pub(super) fn jump_over(&mut self, text: &'a str, lines: &mut Lines<'a>, line: u64) {
        if let Some(jump) = self.find_jump(text, lines.place(), line) {
            self.version.ends.clear();
            self.take_jump(jump);
            *lines = Lines::resume(text, jump.place, jump.line);
        }
    }

    /// How far the text after the first segment, whose line ends at `place`, is that of the playlist
    /// held.
    fn find_jump(&self, text: &str, place: usize, line: u64) -> Option<Jump> {
        let held = self.held?;
        let (number, own) = (self.version.first_number, &self.version.list);
        let Following { text: before, ends, variables, .. } = held.following;
        // The first segment must be the same, with all that holds for it and after it.
        let stated = |list: &List| list.date_of(number);
        let same = self.version.jump.is_none()
            && own.first_number() == number
            && held.list.compare(own, number).is_none()
            && held.list.resource(number) == own.resource(number)
            && held.list.setting(number).bit_rate == self.setting.bit_rate
            && stated(own).is_none_or(|date| stated(held.list) == Some(date))
            && held.list.has_base(own)
            && variables.same(&self.version.reading.variables);
        if !same {
            return None;
        }
        let position = usize::try_from(number.checked_sub(held.list.first_number())?).ok()?;
        let from = ends.get(position)?;
        let theirs = before.from(from.place).as_bytes();
        let common = common(theirs, text.as_bytes().get(place..)?);
        let front = ends.first()?.place;
        let reach = from.place.wrapping_sub(front) as usize + common;
        let within = |end: &SegmentEnd| end.place.wrapping_sub(front) as usize <= reach;
        // The last line of the text held may have had no end, and be longer now.
        let last = ends.partition_point(within).checked_sub(1)?;
        let (last, place) = [last, last.saturating_sub(1)].into_iter().find_map(|last| {
            let place = place + ends.get(last)?.place.wrapping_sub(from.place) as usize;
            let whole = text.as_bytes().get(place.wrapping_sub(1)) == Some(&b'\n');
            (last > position && whole).then_some((last, place))
        })?;
        let lines = ends.get(last)?.line.wrapping_sub(from.line);
        Some(Jump {
            to: number.checked_add((last - position) as u64)?,
            place,
            line: line + u64::from(lines),
            skipped: false,
        })
    }

    /// Goes on as if the segments up to one that is held had been read.
    fn take_jump(&mut self, jump: Jump) {
        let Some(held) = self.held else { return };
        // What came before is placed as the first segment is.
        let version = &mut *self.version;
        let first = version.first_number;
        if let Some((ours, theirs)) = version.list.span_of(first).zip(held.list.span_of(first)) {
            let shift = theirs.0 - ours.0;
            let discontinuity = held.list.setting(first).discontinuity;
            for part in &mut version.playlist.parts {
                part.start = part.start + shift;
                part.discontinuity = discontinuity;
            }
            for tag in &mut version.reading.unknown {
                tag.start = tag.start.map(|start| start + shift);
            }
        }
        let setting = held.list.setting(jump.to);
        self.time = held.list.span_of(jump.to).map_or(self.time, |(_, end)| end);
        self.setting = setting;
        self.keys = setting
            .key
            .and_then(|key| self.shared.keys.get(key))
            .map_or_else(Keys::default, Keys::of);
        self.keys_changed = false;
        let version = &mut *self.version;
        version.list = List::new(base(version.reading.url), jump.to.saturating_add(1));
        version.jump = Some(jump);
    }
}

/// How many bytes two texts begin with alike. Compares eight at a time.
fn common(one: &[u8], other: &[u8]) -> usize {
    let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let same = eights.take_while(|(one, other)| same_eight(one, other)).count() * 8;
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
}
