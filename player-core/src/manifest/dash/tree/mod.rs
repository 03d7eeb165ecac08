//! The elements and attributes of an MPD that mean something, as they are written, before anything
//! is inherited: a few numbers for each, which point into the text.

mod element;
mod reader;
mod reload;
mod timeline;

pub(super) use element::{Element, Source};
pub(super) use reader::Reader;

use super::names::Name;
use super::runs::List;
use crate::manifest::{Fault, ManifestErrorKind};

/// Everything that was read of a text, which is kept elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// The first is the root.
    pub(super) nodes: Vec<Node>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) lists: Vec<List>,
    /// How many timelines there were, those of earlier states included.
    identities: u32,
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
    /// Of the name as it is written, with its prefix; 0: it is very long.
    name_length: u16,
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
        crate::items::shorten(&mut self.extra, extra);
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

    fn add_list(&mut self, node: u32, mut list: List) {
        if list.identity == 0 {
            self.identities = self.identities.wrapping_add(1);
            list.identity = self.identities;
        }
        let position = self.lists.len() as u32;
        self.lists.push(list);
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.list = position;
        }
    }

    fn end(&self) -> u32 {
        self.extra.len() as u32
    }

    #[inline]
    pub(super) fn text<'a>(&'a self, span: Span, text: &'a str) -> &'a str {
        let text = if span.start & EXTRA == 0 { text } else { &self.extra };
        let start = (span.start & !EXTRA) as usize;
        text.get(start..start + span.length as usize).unwrap_or("")
    }

    /// A piece of text without white space around it.
    fn trimmed(&self, span: Span, text: &str) -> Span {
        let all = self.text(span, text);
        let (first, last) = (all.as_bytes().first(), all.as_bytes().last());
        if first.is_none_or(|&byte| byte > b' ') && last.is_none_or(|&byte| byte > b' ') {
            return span;
        }
        let rest = all.trim_ascii_start();
        let before = (all.len() - rest.len()) as u32;
        Span { start: span.start + before, length: rest.trim_ascii_end().len() as u32 }
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
