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
    /// The first is the root.
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
    /// It is not what its text says any more.
    pub(super) patched: bool,
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

/// A state of a tree.
pub(super) struct Mark {
    lengths: [usize; 4],
    counts: Counts,
}

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
/// How many elements are looked through for the earlier state of one.
const TWINS_LOOKED_AT: usize = 64;
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
    /// What the text was before, and for each open element what it was there and which of its
    /// children comes next.
    before: Option<Element<'a>>,
    /// Where the text of the MPD ended then. After it stands what patches and links brought, whose
    /// names may have had another prefix.
    before_end: usize,
    twins: Vec<(u32, u32)>,
    /// Periods that are what they were, and what they were.
    pub(super) same: Vec<(u32, u32)>,
}

impl<'a, 't> Reader<'a, 't> {
    /// Reads `text` from offset `base` on.
    pub(super) fn new(text: &'a str, base: usize, tree: &'t mut Tree) -> Result<Self, Fault> {
        if text.len() > MOST_BYTES {
            return Err(ManifestErrorKind::limit("bytes", MOST_BYTES).at(base as u64));
        }
        let mut xml = Xml::new(text);
        xml.at = base;
        let (twins, same) = (Vec::new(), Vec::new());
        let (before, before_end) = (None, 0);
        Ok(Self { xml, tree, prefix: None, bare: false, base, before, before_end, twins, same })
    }

    /// Takes over what has not changed since an earlier state of the document, whose text ended at an
    /// offset.
    pub(super) fn after(mut self, before: Element<'a>, end: usize) -> Self {
        (self.before, self.before_end) = (Some(before), end);
        self
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
                    self.prefix = xml::prefixed(name).0;
                    if self.name(name) != root {
                        return Err(missing().at(at as u64));
                    }
                    self.bare = root != Name::Mpd;
                    let root = self.open(root, NONE, at)?;
                    if let Some(before) = self.before {
                        self.twins.push((before.id, before.first()));
                    }
                    self.children(root)?;
                    self.xml.finish()?;
                    return Ok(root);
                }
                Event::EndOfFile => return Err(missing().at(at as u64)),
                _ => {}
            }
        }
    }

    /// Reads elements of one name that stand one after another without a root, as the content of a
    /// link does, or one of them as a root. They have no parent.
    pub(super) fn fragment(&mut self, wanted: Name) -> Result<Vec<u32>, Fault> {
        let mut elements = Vec::new();
        loop {
            let at = self.xml.at;
            match self.xml.event()? {
                Event::Start(full) => {
                    self.prefix = xml::prefixed(full).0;
                    if self.name(full) != wanted {
                        return Err(ManifestErrorKind::missing(wanted.text()).at(at as u64));
                    }
                    let element = self.open(wanted, NONE, at)?;
                    if wanted == Name::SegmentTimeline {
                        self.timeline(element, None)?;
                    } else {
                        self.children(element)?;
                    }
                    elements.push(element);
                }
                Event::EndOfFile => return Ok(elements),
                Event::End => return Err(xml::fault("an end tag without a start tag", at)),
                _ => {}
            }
        }
    }

    fn name(&self, full: &str) -> Name {
        match xml::prefixed(full) {
            (None, full) if self.prefix.is_none() || self.bare => Name::of(full, false),
            (None, _) => Name::Unknown,
            (prefix, local) => Name::of(local, prefix != self.prefix),
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
            let name = match xml::prefixed(attribute.name) {
                (Some("xmlns"), _) => Name::Unknown,
                (None | Some("xml"), local) => Name::of(local, false),
                (_, local) => Name::of(local, true),
            };
            if name != Name::Unknown {
                let value = match attribute.references {
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
            patched: false,
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
                    let twin = self.twin(name);
                    if name == Name::Period && self.unchanged(twin, at, current)? {
                        continue;
                    }
                    current = self.open(name, current, at)?;
                    if name == Name::SegmentTimeline {
                        current = self.timeline(current, twin)?;
                    } else if name == Name::S {
                        // One by itself, in a patch.
                        let mut list = List::default();
                        let s = self.s(at, &mut list)?;
                        if s.duration == 0 {
                            return Err(invalid("S", "d", "0").at(at as u64));
                        }
                        list.s.push(s);
                        self.tree.add_list(current, list);
                        self.twins.push((NONE, NONE));
                    } else {
                        let first = twin.map_or(NONE, |twin| twin.first());
                        self.twins.push((twin.map_or(NONE, |twin| twin.id), first));
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
                    self.twins.pop();
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

    /// What an element was before, if it was there: one of the same name and id, not far from the
    /// one that matched last.
    #[inline]
    fn twin(&mut self, name: Name) -> Option<Element<'a>> {
        let before = self.before?;
        self.find_twin(before, name)
    }

    #[inline(never)]
    fn find_twin(&mut self, before: Element<'a>, name: Name) -> Option<Element<'a>> {
        let (_, next) = self.twins.last_mut()?;
        let id = self.xml.attributes.iter().find(|attribute| attribute.name == "id");
        let id = id.map(|attribute| attribute.value.trim_ascii());
        let candidates = Element { id: *next, ..before }.and_after().take(TWINS_LOOKED_AT);
        let twin = candidates
            .into_iter()
            .find(|element| element.name() == name && element.get(Name::Id) == id)?;
        *next = twin.node()?.next;
        Some(twin)
    }

    /// Takes over an element whose text is what it was, and passes over it.
    fn unchanged(
        &mut self,
        twin: Option<Element<'a>>,
        at: usize,
        parent: u32,
    ) -> Result<bool, Fault> {
        let Some((twin, node)) = twin.and_then(|twin| Some((twin, twin.node()?))) else {
            return Ok(false);
        };
        let (start, end) = (node.at as usize, node.end as usize);
        let same = runs::common(self.xml.text.as_bytes(), at, twin.text.as_bytes(), start);
        if node.patched || end > self.before_end || same < end - start {
            return Ok(false);
        }
        let copy = self.copy(twin, parent, (at as u32).wrapping_sub(node.at))?;
        self.same.push((copy, twin.id));
        self.xml.leave(at + (end - start));
        Ok(true)
    }

    /// Adds a copy of an element whose text has moved by so many bytes.
    fn copy(&mut self, element: Element<'a>, parent: u32, moved: u32) -> Result<u32, Fault> {
        let Some(mut node) = element.node().copied() else { return Ok(NONE) };
        self.tree.counts.count(node.name, self.xml.at)?;
        for place in [&mut node.at, &mut node.inner, &mut node.end] {
            *place = place.wrapping_add(moved);
        }
        let copy_text = |tree: &mut Tree, span: Span| match span.start & EXTRA {
            0 => Span { start: span.start.wrapping_add(moved), ..span },
            _ => tree.keep(element.tree.text(span, element.text)),
        };
        node.content = copy_text(self.tree, node.content);
        let first = node.first_attribute as usize;
        node.first_attribute = self.tree.attributes.len() as u32;
        let attributes = element.tree.attributes.get(first..first + node.attribute_count as usize);
        for attribute in attributes.unwrap_or_default() {
            let value = copy_text(self.tree, attribute.value);
            self.tree.attributes.push(Attribute { value, ..*attribute });
        }
        let list = element.list().map(|(_, list)| list);
        (node.child, node.last_child, node.next) = (NONE, NONE, NONE);
        let id = self.tree.nodes.len() as u32;
        self.tree.nodes.push(node);
        self.tree.append(parent, id);
        if let Some(list) = list {
            let mut list = list.clone();
            list.kept = None;
            list.empty = list.empty.map(|at| at.wrapping_add(moved));
            for s in &mut list.s {
                s.end = s.end.wrapping_add(moved);
            }
            self.tree.counts.segments += list.s.len();
            self.tree.add_list(id, list);
        }
        for child in element.children() {
            self.copy(child, id, moved)?;
        }
        Ok(id)
    }

    /// Takes over the `S` elements that a timeline has kept: those from the second on, as long as
    /// their text is the same, after a first that may have been cut at its front.
    fn take_over(&mut self, twin: Element<'a>, list: &mut List) -> Option<()> {
        let (_, before) = twin.list()?;
        let node = twin.node()?;
        let plain = before.rare.is_empty() && before.patterns.is_empty() && !node.patched;
        if !plain || node.end as usize > self.before_end {
            return None;
        }
        let first = list.s.last()?;
        let end = first.time.checked_add(first.duration.checked_mul(first.repeat as u64 + 1)?)?;
        let (mut time, mut kept) = (0u64, None);
        for (position, s) in before.s.iter().enumerate() {
            let start = if s.time == S::CONTINUED { time } else { s.time };
            if start >= end {
                kept = (start == end && position > 0).then_some(position);
                break;
            }
            time = start.checked_add(s.duration.checked_mul(u64::try_from(s.repeat).ok()? + 1)?)?;
        }
        let kept = kept?;
        let from = before.s.get(kept - 1)?.end as usize;
        let (text, at) = (self.xml.text.as_bytes(), self.xml.at);
        let same = runs::common(text, at, twin.text.as_bytes(), from);
        let rest = before.s.get(kept..)?;
        let count = rest.partition_point(|s| s.end as usize <= from + same);
        let rest = rest.get(..count)?;
        let moved = (at as u32).wrapping_sub(from as u32);
        list.s.reserve(count + 16);
        list.s.extend(rest.iter().map(|s| S { end: s.end.wrapping_add(moved), ..*s }));
        self.xml.at = list.s.last()?.end as usize;
        list.kept = (count > 0 && kept + count == before.s.len()).then_some((1, count));
        Some(())
    }

    /// Reads a `SegmentTimeline` to its end, and gives its parent.
    fn timeline(&mut self, node: u32, twin: Option<Element<'a>>) -> Result<u32, Fault> {
        let mut list = List::default();
        if let (Some(twin), false) = (twin, self.xml.at_end) {
            self.xml.at = runs::read(self.xml.text.as_bytes(), self.xml.at, &mut list.s, 1);
            self.take_over(twin, &mut list);
        }
        let mut passed = None;
        loop {
            if !self.xml.at_end {
                let text = self.xml.text.as_bytes();
                let most = if passed.is_some() { 1 } else { usize::MAX };
                let count = list.s.len();
                self.xml.at = runs::read(text, self.xml.at, &mut list.s, most);
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
        self.tree.counts.segments += list.s.len();
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

    /// Reads the attributes of an `S` in any form. Its duration may be 0.
    #[inline(never)]
    fn s(&mut self, at: usize, list: &mut List) -> Result<S, Fault> {
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
    /// How much there is.
    pub(super) fn mark(&self) -> Mark {
        let lengths = [self.nodes.len(), self.attributes.len(), self.lists.len(), self.extra.len()];
        Mark { lengths, counts: self.counts }
    }

    /// Forgets what was added since.
    pub(super) fn reset(&mut self, mark: Mark) {
        let [nodes, attributes, lists, extra] = mark.lengths;
        self.nodes.truncate(nodes);
        self.attributes.truncate(attributes);
        self.lists.truncate(lists);
        self.extra.truncate(extra);
        self.counts = mark.counts;
    }

    /// Takes no more room than it needs.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.attributes.shrink_to_fit();
    }

    /// Keeps text that does not stand anywhere.
    pub(super) fn keep(&mut self, text: &str) -> Span {
        let start = self.end() | EXTRA;
        self.extra.push_str(text);
        Span { start, length: text.len() as u32 }
    }

    fn add_list(&mut self, node: u32, list: List) {
        let position = self.lists.len() as u32;
        self.lists.push(list);
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.list = position;
        }
    }

    fn end(&self) -> u32 {
        self.extra.len() as u32
    }

    pub(super) fn text<'a>(&'a self, span: Span, text: &'a str) -> &'a str {
        let text = if span.start & EXTRA == 0 { text } else { &self.extra };
        let start = (span.start & !EXTRA) as usize;
        text.get(start..start + span.length as usize).unwrap_or("")
    }

    /// Takes an element out of its parent.
    pub(super) fn unlink(&mut self, id: u32) {
        let Some(Node { parent, next, .. }) = self.nodes.get(id as usize).copied() else { return };
        let before = self.before(parent, id);
        let Some(node) = self.nodes.get_mut(parent as usize) else { return };
        if node.last_child == id {
            node.last_child = before;
        }
        match self.nodes.get_mut(before as usize) {
            Some(before) => before.next = next,
            None => {
                if let Some(node) = self.nodes.get_mut(parent as usize) {
                    node.child = next;
                }
            }
        }
        if let Some(node) = self.nodes.get_mut(id as usize) {
            (node.parent, node.next) = (NONE, NONE);
        }
    }

    /// Puts an element, which has no parent, before another or at the end.
    pub(super) fn insert(&mut self, parent: u32, id: u32, following: u32) {
        if following == NONE {
            return self.append(parent, id);
        }
        let before = self.before(parent, following);
        if let Some(node) = self.nodes.get_mut(id as usize) {
            (node.parent, node.next) = (parent, following);
        }
        match self.nodes.get_mut(before as usize) {
            Some(before) => before.next = id,
            None => {
                if let Some(node) = self.nodes.get_mut(parent as usize) {
                    node.child = id;
                }
            }
        }
    }

    /// The element before another; none if it is the first.
    fn before(&self, parent: u32, id: u32) -> u32 {
        let mut before = NONE;
        let mut at = self.nodes.get(parent as usize).map_or(NONE, |node| node.child);
        while at != id && at != NONE {
            before = at;
            at = self.nodes.get(at as usize).map_or(NONE, |node| node.next);
        }
        before
    }

    /// Gives an attribute another value, or takes it away.
    pub(super) fn set_attribute(&mut self, id: u32, name: Name, value: Option<Span>) {
        let Some(node) = self.nodes.get_mut(id as usize) else { return };
        let first = node.first_attribute as usize;
        let old = first..first + node.attribute_count as usize;
        node.first_attribute = self.attributes.len() as u32;
        for at in old {
            if let Some(attribute) = self.attributes.get(at).filter(|old| old.name != name) {
                self.attributes.push(*attribute);
            }
        }
        self.attributes.extend(value.map(|value| Attribute { name, value }));
        let count = self.attributes.len() as u32 - node.first_attribute;
        node.attribute_count = u16::try_from(count).unwrap_or(u16::MAX);
    }

    /// Has what timelines kept begin after their first element, which leads up to it; or forgets what
    /// they kept.
    pub(super) fn settle(&mut self, forget: bool) {
        for list in &mut self.lists {
            list.noted &= !forget;
            list.kept = match list.kept {
                _ if forget => None,
                Some((0, count)) => count.checked_sub(1).map(|count| (1, count)),
                kept => kept,
            };
            list.kept = list.kept.filter(|&(_, count)| count > 0);
        }
    }

    /// Marks an element, and those around it, as not being what their text says.
    pub(super) fn mark_patched(&mut self, mut id: u32) {
        while let Some(node) = self.nodes.get_mut(id as usize) {
            node.patched = true;
            id = node.parent;
        }
    }

    /// An element and all around it.
    pub(super) fn around(&self, mut id: u32) -> Vec<u32> {
        let mut around = Vec::new();
        while let Some(node) = self.nodes.get(id as usize) {
            around.push(id);
            id = node.parent;
        }
        around
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
    pub(super) fn node(&self) -> Option<&'a Node> {
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

    fn first(&self) -> u32 {
        self.node().map_or(NONE, |node| node.child)
    }

    pub(super) fn children(self) -> impl Iterator<Item = Element<'a>> {
        Element { id: self.first(), ..self }.and_after()
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
