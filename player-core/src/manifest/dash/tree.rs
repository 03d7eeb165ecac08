//! The elements and attributes of an MPD that mean something, as they are written, before anything
//! is inherited: a few numbers for each, which point into the text.

use super::names::Name;
use super::runs::{self, List, Pattern, Rare, S};
use super::xml::{self, Event, Xml};
use crate::manifest::{Fault, ManifestErrorKind, decimal};
use crate::time::MediaTime;

/// Everything that was read of a text, which is kept elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) lists: Vec<List>,
    /// Text that is not written as it is meant: with references replaced, or in several pieces.
    extra: String,
    counts: Counts,
}

/// An element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    /// Text in `content` is markup, too.
    markup: bool,
    pub(super) attribute_count: u16,
    pub(super) first_attribute: u32,
    pub(super) parent: u32,
    pub(super) child: u32,
    last_child: u32,
    pub(super) next: u32,
    /// Offset of its start tag; of what follows that; and of what follows its end tag.
    pub(super) at: u32,
    pub(super) inner: u32,
    pub(super) end: u32,
    pub(super) content: Span,
    /// Of a `SegmentTimeline`: position of its `S` elements in `lists`.
    pub(super) list: u32,
}

/// No element.
pub(super) const NONE: u32 = u32::MAX;

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: Name,
    pub(super) value: Span,
}

/// A piece of the text, or of the extra text if the first bit is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

const EXTRA: u32 = 1 << 31;

/// What has a limit.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    periods: usize,
    representations: usize,
    segments: usize,
}

/// The most adaptation sets and representations, and the most periods.
const MOST_REPRESENTATIONS: usize = 20_000;
const MOST_PERIODS: usize = 10_000;
/// The most `S` elements.
const MOST_SEGMENTS: usize = 1_000_000;
/// The most elements of other kinds: so many, and one for each so many bytes.
const FREE_ELEMENTS: usize = 10_000;
const BYTES_FOR_ELEMENT: usize = 12;
/// Offsets have 31 bits.
const MOST_BYTES: usize = EXTRA as usize - 1;
/// The most segments in a sequence, and the most durations in a pattern.
const MOST_PARTS: u64 = 65_535;

/// Where elements are read from, and what they are added to.
pub(super) struct Reader<'a, 't> {
    pub(super) xml: Xml<'a>,
    tree: &'t mut Tree,
    prefix: Option<&'a str>,
    /// Elements without prefix are understood as well.
    bare: bool,
    base: usize,
}

impl<'a, 't> Reader<'a, 't> {
    /// Reads `text` from offset `base` on.
    pub(super) fn new(text: &'a str, base: usize, tree: &'t mut Tree) -> Result<Self, Fault> {
        if text.len() > MOST_BYTES {
            return Err(ManifestErrorKind::limit("bytes", MOST_BYTES).at(base as u64));
        }
        let mut xml = Xml::new(text);
        xml.at = base;
        Ok(Self { xml, tree, prefix: None, bare: false, base })
    }

    /// Reads a whole document with a root of this name, and gives the root.
    pub(super) fn document(&mut self, root: Name) -> Result<u32, Fault> {
        let missing = || match root {
            Name::Mpd => ManifestErrorKind::NotMpd,
            _ => ManifestErrorKind::missing(root.text()),
        };
        loop {
            let at = self.xml.at;
            match self.xml.event()? {
                Event::Start(name) => {
                    self.prefix = name.split_once(':').map(|(prefix, _)| prefix);
                    if self.name(name) != root {
                        return Err(missing().at(at as u64));
                    }
                    self.bare = root != Name::Mpd;
                    let root = self.open(root, NONE, at)?;
                    self.children(root)?;
                    self.xml.finish()?;
                    return Ok(root);
                }
                Event::EndOfFile => return Err(missing().at(at as u64)),
                _ => {}
            }
        }
    }

    fn name(&self, full: &str) -> Name {
        match full.split_once(':') {
            None if self.prefix.is_none() || self.bare => Name::of(full, false),
            None => Name::Unknown,
            Some((prefix, local)) => Name::of(local, Some(prefix) != self.prefix),
        }
    }

    /// Adds the element whose start tag was read last.
    fn open(&mut self, name: Name, parent: u32, at: usize) -> Result<u32, Fault> {
        self.tree.counts.count(name, at)?;
        let bytes = self.xml.text.len() - self.base;
        let most = FREE_ELEMENTS + bytes / BYTES_FOR_ELEMENT;
        // Those of earlier texts are not counted again.
        if self.tree.nodes.len() > most + self.base / BYTES_FOR_ELEMENT {
            return Err(ManifestErrorKind::limit("elements", most).at(at as u64));
        }
        let first_attribute = self.tree.attributes.len() as u32;
        for attribute in &self.xml.attributes {
            let name = match attribute.name.split_once(':') {
                None => Name::of(attribute.name, false),
                Some(("xmlns", _)) => Name::Unknown,
                Some(("xml", local)) => Name::of(local, false),
                Some((_, local)) => Name::of(local, true),
            };
            if name != Name::Unknown {
                let value = match attribute.value.contains('&') {
                    true => self.tree.keep(&xml::unescape(attribute.value).unwrap_or_default()),
                    false => Span::of(attribute.at, attribute.value.len()),
                };
                self.tree.attributes.push(Attribute { name, value });
            }
        }
        let attribute_count = self.tree.attributes.len() as u32 - first_attribute;
        let node = Node {
            name,
            markup: false,
            attribute_count: u16::try_from(attribute_count).unwrap_or(u16::MAX),
            first_attribute,
            parent: NONE,
            child: NONE,
            last_child: NONE,
            next: NONE,
            at: at as u32,
            inner: self.xml.at as u32,
            end: self.xml.at as u32,
            content: Span::default(),
            list: NONE,
        };
        let id = self.tree.nodes.len() as u32;
        self.tree.nodes.push(node);
        self.tree.append(parent, id);
        Ok(id)
    }

    /// Reads what is in an element whose start tag was read last, to its end.
    pub(super) fn children(&mut self, top: u32) -> Result<(), Fault> {
        let mut current = top;
        loop {
            let at = self.xml.at;
            match self.xml.inside()? {
                Event::Start(full) => {
                    let name = self.name(full);
                    if let Some(node) = self.tree.nodes.get_mut(current as usize) {
                        node.markup = true;
                    }
                    if name == Name::Unknown {
                        self.xml.skip()?;
                        continue;
                    }
                    current = self.open(name, current, at)?;
                    if name == Name::SegmentTimeline {
                        current = self.timeline(current)?;
                    }
                }
                Event::End => {
                    let end = self.xml.at;
                    let Some(node) = self.tree.nodes.get_mut(current as usize) else {
                        return Ok(());
                    };
                    if node.name == Name::Event && node.markup {
                        node.content = Span::of(node.inner as usize, at - node.inner as usize);
                    }
                    node.end = end as u32;
                    if current == top {
                        return Ok(());
                    }
                    current = node.parent;
                }
                Event::Text(text) if !text.trim_ascii_start().is_empty() => {
                    // A CDATA section begins before its text does.
                    self.text(current, text, self.xml.text.get(at..at + 1) != Some("<"), at);
                }
                Event::Reference(name) => match xml::character(name) {
                    Some(character) => {
                        self.text(current, character.encode_utf8(&mut [0; 4]), false, at);
                    }
                    None => return Err(xml::fault(xml::UNKNOWN_ENTITY, at)),
                },
                _ => {}
            }
        }
    }

    /// Adds to the text of an element. `in_place`: it stands at offset `at`.
    fn text(&mut self, current: u32, text: &str, in_place: bool, at: usize) {
        let Some(node) = self.tree.nodes.get(current as usize).copied() else { return };
        // What stands between elements has no meaning.
        if node.child != NONE {
            return;
        }
        let content = if node.content.length == 0 && in_place {
            Span::of(at, text.len())
        } else {
            let mut span = node.content;
            if span.start & EXTRA == 0 || span.start - EXTRA + span.length != self.tree.end() {
                let before = self.tree.text(span, self.xml.text).to_owned();
                span = self.tree.keep(&before);
            }
            self.tree.extra.push_str(text);
            Span { start: span.start, length: span.length + text.len() as u32 }
        };
        if let Some(node) = self.tree.nodes.get_mut(current as usize) {
            node.content = content;
        }
    }

    /// Reads a `SegmentTimeline` to its end, and gives its parent.
    fn timeline(&mut self, node: u32) -> Result<u32, Fault> {
        let mut list = List::default();
        loop {
            if !self.xml.at_end {
                self.xml.at = runs::read(self.xml.text.as_bytes(), self.xml.at, &mut list.s);
            }
            let at = self.xml.at;
            match self.xml.inside()? {
                Event::Start(full) => match self.name(full) {
                    Name::S => {
                        let mut s = self.s(at, &mut list)?;
                        self.xml.skip()?;
                        s.end = self.xml.at as u32;
                        list.s.push(s);
                    }
                    Name::Pattern => self.pattern(at, &mut list)?,
                    _ => self.xml.skip()?,
                },
                Event::End => break,
                _ => {}
            }
        }
        self.tree.counts.segments += list.s.len();
        if self.tree.counts.segments > MOST_SEGMENTS {
            let kind = ManifestErrorKind::limit("S elements", MOST_SEGMENTS);
            return Err(kind.at(self.xml.at as u64));
        }
        list.s.shrink_to_fit();
        let position = self.tree.lists.len() as u32;
        self.tree.lists.push(list);
        let Some(node) = self.tree.nodes.get_mut(node as usize) else { return Ok(NONE) };
        node.list = position;
        node.end = self.xml.at as u32;
        Ok(node.parent)
    }

    /// Reads the attributes of an `S` in any form.
    #[inline(never)]
    fn s(&mut self, at: usize, list: &mut List) -> Result<S, Fault> {
        let mut s = S { time: S::CONTINUED, duration: 0, repeat: 0, end: 0, rare: 0 };
        let mut rare = Rare::default();
        let (mut pattern, mut entry) = (None, 0);
        for attribute in &self.xml.attributes {
            let value = value_of(attribute);
            let value = value.trim_ascii();
            let invalid = || invalid("S", attribute.name, value).at(at as u64);
            let number = || decimal::integer(value).ok_or_else(invalid);
            match attribute.name {
                "t" => s.time = number()?,
                "n" => rare.number = Some(number()?),
                "d" => s.duration = number()?,
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
        if s.duration == 0 {
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

fn value_of(attribute: &xml::Attribute<'_>) -> String {
    xml::unescape(attribute.value).unwrap_or_default()
}

#[cold]
#[inline(never)]
pub(super) fn invalid(element: &str, attribute: &str, value: &str) -> ManifestErrorKind {
    let mut name = element.to_owned();
    name.push('@');
    name.push_str(attribute);
    ManifestErrorKind::invalid(&name, value)
}

impl Counts {
    fn count(&mut self, name: Name, at: usize) -> Result<(), Fault> {
        let (count, most, what) = match name {
            Name::Period => (&mut self.periods, MOST_PERIODS, "periods"),
            Name::AdaptationSet | Name::Representation => (
                &mut self.representations,
                MOST_REPRESENTATIONS,
                "adaptation sets and representations",
            ),
            _ => return Ok(()),
        };
        *count += 1;
        match *count > most {
            true => Err(ManifestErrorKind::limit(what, most).at(at as u64)),
            false => Ok(()),
        }
    }
}

impl Span {
    pub(super) fn of(start: usize, length: usize) -> Self {
        Self { start: start as u32, length: length as u32 }
    }
}

impl Tree {
    /// Keeps text that does not stand anywhere.
    pub(super) fn keep(&mut self, text: &str) -> Span {
        let start = self.end() | EXTRA;
        self.extra.push_str(text);
        Span { start, length: text.len() as u32 }
    }

    fn end(&self) -> u32 {
        self.extra.len() as u32
    }

    pub(super) fn text<'a>(&'a self, span: Span, text: &'a str) -> &'a str {
        let text = if span.start & EXTRA == 0 { text } else { &self.extra };
        let start = (span.start & !EXTRA) as usize;
        text.get(start..start + span.length as usize).unwrap_or("")
    }

    /// Makes an element the last child of another.
    pub(super) fn append(&mut self, parent: u32, child: u32) {
        let Some(node) = self.nodes.get_mut(parent as usize) else { return };
        let before = core::mem::replace(&mut node.last_child, child);
        if before == NONE {
            node.child = child;
        }
        if let Some(before) = self.nodes.get_mut(before as usize) {
            before.next = child;
        }
        if let Some(child) = self.nodes.get_mut(child as usize) {
            child.parent = parent;
        }
    }
}

/// An element, with the text it stands in.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tree: &'a Tree,
    pub(super) text: &'a str,
    pub(super) id: u32,
}

impl<'a> Element<'a> {
    fn node(&self) -> Option<&'a Node> {
        self.tree.nodes.get(self.id as usize)
    }

    pub(super) fn name(&self) -> Name {
        self.node().map_or(Name::Unknown, |node| node.name)
    }

    /// Where it begins.
    pub(super) fn at(&self) -> u64 {
        self.node().map_or(0, |node| node.at.into())
    }

    /// An attribute, without white space around.
    #[inline(never)]
    pub(super) fn get(&self, name: Name) -> Option<&'a str> {
        let node = self.node()?;
        let first = node.first_attribute as usize;
        let attributes = self.tree.attributes.get(first..first + node.attribute_count as usize)?;
        let attribute = attributes.iter().find(|attribute| attribute.name == name)?;
        Some(self.tree.text(attribute.value, self.text).trim_ascii())
    }

    /// An attribute that the app is given.
    pub(super) fn owned(&self, name: Name) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// As [`owned`](Self::owned); empty if it is not there.
    pub(super) fn string(&self, name: Name) -> String {
        self.get(name).unwrap_or("").to_owned()
    }

    /// The text inside, without white space around. Of an `Event` with elements, those, too.
    pub(super) fn content(&self) -> &'a str {
        self.node().map_or("", |node| self.tree.text(node.content, self.text).trim_ascii())
    }

    pub(super) fn list(&self) -> Option<(u32, &'a List)> {
        let list = self.node()?.list;
        Some((list, self.tree.lists.get(list as usize)?))
    }

    pub(super) fn children(self) -> impl Iterator<Item = Element<'a>> {
        let child = self.node().map_or(NONE, |node| node.child);
        Element { id: child, ..self }.and_after()
    }

    /// This one and those after it.
    pub(super) fn and_after(self) -> impl Iterator<Item = Element<'a>> {
        let mut next = self.id;
        core::iter::from_fn(move || {
            let child = Element { id: next, ..self };
            next = child.node()?.next;
            Some(child)
        })
    }

    pub(super) fn all(self, name: Name) -> impl Iterator<Item = Element<'a>> {
        self.children().filter(move |child| child.name() == name)
    }

    /// The first child of this name.
    #[inline(never)]
    pub(super) fn child(self, name: Name) -> Option<Element<'a>> {
        self.all(name).next()
    }

    /// A whole number.
    pub(super) fn number(&self, name: Name) -> Result<Option<u64>, Fault> {
        self.parse(name, decimal::integer)
    }

    /// A duration that is not negative.
    pub(super) fn duration(&self, name: Name) -> Result<Option<MediaTime>, Fault> {
        self.parse(name, |value| {
            super::duration::parse(value).filter(|&duration| duration >= MediaTime::ZERO)
        })
    }

    pub(super) fn parse<T>(
        &self,
        name: Name,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match parse(value) {
                Some(value) => Ok(Some(value)),
                None => Err(self.invalid(name, value)),
            },
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn invalid(&self, name: Name, value: &str) -> Fault {
        invalid(self.name().text(), name.text(), value).at(self.at())
    }
}
