//! Reads segment timelines (ISO/IEC 23009-1 §5.3.9.6).

use super::{Element, NONE, Reader, invalid};
use crate::manifest::dash::names::Name;
use crate::manifest::dash::runs::{self, List, Pattern, Rare, S};
use crate::manifest::dash::xml::{self, Event};
use crate::manifest::{Fault, ManifestErrorKind, decimal};

/// The most `S` elements.
const MOST_SEGMENTS: usize = 1_000_000;
/// The most segments in a sequence, and the most durations in a pattern.
const MOST_PARTS: u64 = 65_535;

impl<'a> Reader<'a, '_> {
    /// Reads a `SegmentTimeline` to its end, and gives its parent.
    pub(super) fn timeline(&mut self, node: u32, twin: Option<Element<'a>>) -> Result<u32, Fault> {
        let mut list = List::default();
        if !self.keeps && !self.xml.at_end {
            let text = self.xml.text.as_bytes();
            self.xml.at = list.read_runs(text, self.xml.at, &mut self.scratch);
        }
        if let (Some(twin), false) = (twin, self.xml.at_end) {
            self.read_s(&mut list, 1);
            self.take_over(twin, &mut list);
        }
        let mut passed = None;
        loop {
            if !self.xml.at_end {
                let count = list.s.len();
                self.read_s(&mut list, if passed.is_some() { 1 } else { usize::MAX });
                if list.s.len() > count && passed.is_some() {
                    list.follow(passed.take());
                    continue;
                }
            }
            let at = self.xml.at;
            match self.xml.inside()? {
                Event::Start(full) => match self.name(full) {
                    Name::S => {
                        let mut s = self.s(at, &mut list)?;
                        self.xml.skip()?;
                        s.end = self.xml.at as u32;
                        if s.duration == 0 {
                            list.pass(&s, at, &mut passed);
                            continue;
                        }
                        list.s.push(s);
                        list.follow(passed.take());
                    }
                    Name::Pattern => self.pattern(at, &mut list)?,
                    _ => self.xml.skip()?,
                },
                Event::End => break,
                _ => {}
            }
        }
        self.tree.counts.segments += list.len();
        if self.tree.counts.segments > MOST_SEGMENTS {
            let kind = ManifestErrorKind::limit("S elements", MOST_SEGMENTS);
            return Err(kind.at(self.xml.at as u64));
        }
        list.s.shrink_to_fit();
        self.tree.add_list(node, list);
        let Some(node) = self.tree.nodes.get_mut(node as usize) else { return Ok(NONE) };
        node.end = self.xml.at as u32;
        Ok(node.parent)
    }

    /// Reads up to so many `S` that are plain.
    fn read_s(&mut self, list: &mut List, most: usize) {
        let add: &mut dyn FnMut(&[S]) -> bool = &mut |block| {
            list.s.extend_from_slice(block);
            true
        };
        let text = self.xml.text.as_bytes();
        self.xml.at = runs::read(text, self.xml.at, &mut self.scratch.shapes, add, most);
    }

    /// Reads the attributes of an `S` in any form. Its duration may be 0.
    #[inline(never)]
    pub(super) fn s(&mut self, at: usize, list: &mut List) -> Result<S, Fault> {
        let mut s = S { time: S::CONTINUED, duration: 0, repeat: 0, end: 0, rare: 0 };
        let mut rare = Rare::default();
        let (mut pattern, mut entry, mut stated) = (None, 0, false);
        for attribute in &self.xml.attributes {
            let value = value_of(attribute);
            let value = value.trim_ascii();
            let invalid = || invalid("S", attribute.name, value).at(at as u64);
            let number = || decimal::integer(value).ok_or_else(invalid);
            match attribute.name {
                "t" => s.time = number()?,
                "n" => rare.number = Some(number()?),
                "d" => (s.duration, stated) = (number()?, true),
                "r" => {
                    s.repeat = match value.strip_prefix('-') {
                        Some(negative) if decimal::integer(negative).is_some() => -1,
                        Some(_) => return Err(invalid()),
                        None => i64::try_from(number()?).map_err(|_| invalid())?,
                    };
                }
                "k" => match number()? {
                    parts @ 1..=MOST_PARTS => rare.parts = parts as u32,
                    _ => return Err(invalid()),
                },
                "p" => {
                    let known = list.patterns.iter().position(|pattern| pattern.id == value);
                    pattern = Some(known.ok_or_else(invalid)? as u32);
                }
                "pE" => entry = u32::try_from(number()?).map_err(|_| invalid())?,
                _ => {}
            }
        }
        if !stated {
            return Err(ManifestErrorKind::missing_attribute("S", "d").at(at as u64));
        }
        rare.pattern = pattern.map(|pattern| (pattern, entry));
        if rare != Rare::default() {
            list.rare.push(rare);
            s.rare = list.rare.len() as u32;
        }
        Ok(s)
    }

    /// Reads a `Pattern` to its end.
    #[cold]
    #[inline(never)]
    fn pattern(&mut self, at: usize, list: &mut List) -> Result<(), Fault> {
        let mut pattern = Pattern::default();
        for attribute in self.xml.attributes.iter().filter(|attribute| attribute.name == "id") {
            pattern.id = value_of(attribute);
        }
        let depth = self.xml.depth();
        while self.xml.depth() >= depth {
            let start = self.xml.at as u64;
            if let Event::Start(full) = self.xml.inside()?
                && self.name(full) == Name::P
            {
                let (mut duration, mut repeat) = (0, 0);
                for attribute in &self.xml.attributes {
                    let value = value_of(attribute);
                    let number = decimal::integer(value.trim_ascii());
                    let number =
                        number.ok_or_else(|| invalid("P", attribute.name, &value).at(start));
                    match attribute.name {
                        "d" => duration = number?,
                        "r" => repeat = number?,
                        _ => {}
                    }
                }
                if duration == 0 {
                    return Err(ManifestErrorKind::missing_attribute("P", "d").at(start));
                }
                if pattern.durations.len() as u64 + repeat.min(MOST_PARTS) >= MOST_PARTS {
                    let most = MOST_PARTS as usize;
                    return Err(ManifestErrorKind::limit("segments in a Pattern", most).at(start));
                }
                pattern.durations.extend(core::iter::repeat_n(duration, repeat as usize + 1));
            }
        }
        if pattern.durations.is_empty() {
            return Err(ManifestErrorKind::missing("P").at(at as u64));
        }
        // Short texts must not ask for much.
        let kept: usize = list.patterns.iter().map(|pattern| pattern.durations.len()).sum();
        if kept > MOST_PARTS as usize {
            let kind = ManifestErrorKind::limit("segments in Patterns", MOST_PARTS as usize);
            return Err(kind.at(at as u64));
        }
        list.patterns.push(pattern);
        Ok(())
    }
}

#[inline(never)]
fn value_of(attribute: &xml::Attribute<'_>) -> String {
    xml::unescape(attribute.value).unwrap_or_default()
}
