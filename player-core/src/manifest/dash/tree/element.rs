//! Elements, and what is asked of them.

use std::cell::Cell;

use super::{Attribute, NONE, Node, Tree, invalid};
use crate::manifest::dash::names::Name;
use crate::manifest::dash::runs::List;
use crate::manifest::{Fault, decimal};
use crate::time::MediaTime;

/// A tree, with the text it stands in.
pub(in crate::manifest::dash) struct Source<'a> {
    pub(super) tree: &'a Tree,
    pub(in crate::manifest::dash) text: &'a str,
    /// The first value that is not of the form it must have, of those asked for since faults were
    /// last looked for.
    fault: Cell<Option<Fault>>,
}

impl<'a> Source<'a> {
    pub(in crate::manifest::dash) fn new(tree: &'a Tree, text: &'a str) -> Self {
        Self { tree, text, fault: Cell::new(None) }
    }

    pub(in crate::manifest::dash) fn element(&'a self, id: u32) -> Element<'a> {
        Element { source: self, id }
    }

    /// What an attribute is, without white space around it.
    pub(in crate::manifest::dash) fn value(&self, attribute: &Attribute) -> &'a str {
        self.tree.text(attribute.value, self.text)
    }

    /// Notes a fault. The first counts.
    #[cold]
    #[inline(never)]
    pub(in crate::manifest::dash) fn note(&self, fault: Fault) {
        let first = self.fault.take().unwrap_or(fault);
        self.fault.set(Some(first));
    }

    /// The fault noted since this was last asked.
    #[inline(never)]
    pub(in crate::manifest::dash) fn check(&self) -> Result<(), Fault> {
        self.fault.take().map_or(Ok(()), Err)
    }
}

/// An element, with the text it stands in.
#[derive(Clone, Copy)]
pub(in crate::manifest::dash) struct Element<'a> {
    pub(in crate::manifest::dash) source: &'a Source<'a>,
    pub(in crate::manifest::dash) id: u32,
}

impl<'a> Element<'a> {
    #[inline(never)]
    pub(in crate::manifest::dash) fn node(self) -> Option<&'a Node> {
        self.source.tree.nodes.get(self.id as usize)
    }

    pub(in crate::manifest::dash) fn name(self) -> Name {
        self.node().map_or(Name::Unknown, |node| node.name)
    }

    /// Where it begins.
    pub(in crate::manifest::dash) fn at(self) -> u64 {
        self.node().map_or(0, |node| node.at.into())
    }

    /// Those of its attributes that mean something.
    pub(in crate::manifest::dash) fn attributes(self) -> &'a [Attribute] {
        let Some(node) = self.node() else { return &[] };
        let first = node.first_attribute as usize;
        let all = self.source.tree.attributes.get(first..first + node.attribute_count as usize);
        all.unwrap_or_default()
    }

    /// An attribute, without white space around it.
    #[inline(never)]
    pub(in crate::manifest::dash) fn get(self, name: Name) -> Option<&'a str> {
        // By hand: calls take longer than what they do.
        let tree = self.source.tree;
        let node = tree.nodes.get(self.id as usize)?;
        let first = node.first_attribute as usize;
        let all = tree.attributes.get(first..first + node.attribute_count as usize)?;
        let attribute = all.iter().find(|attribute| attribute.name == name)?;
        Some(tree.text(attribute.value, self.source.text))
    }

    /// An attribute that the app is given.
    #[inline(never)]
    pub(in crate::manifest::dash) fn owned(self, name: Name) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// As [`owned`](Self::owned); empty if it is not there.
    #[inline(never)]
    pub(in crate::manifest::dash) fn string(self, name: Name) -> String {
        self.get(name).unwrap_or("").to_owned()
    }

    /// The text inside, without white space around. Of an `Event` with elements, those, too.
    #[inline(never)]
    pub(in crate::manifest::dash) fn content(self) -> &'a str {
        let text = |node: &Node| self.source.tree.text(node.content, self.source.text);
        self.node().map_or("", text)
    }

    pub(in crate::manifest::dash) fn list(self) -> Option<(u32, &'a List)> {
        let list = self.node()?.list;
        Some((list, self.source.tree.lists.get(list as usize)?))
    }

    /// There is no element inside.
    pub(in crate::manifest::dash) fn is_empty(self) -> bool {
        self.first() == NONE
    }

    pub(super) fn first(self) -> u32 {
        self.node().map_or(NONE, |node| node.child)
    }

    pub(in crate::manifest::dash) fn children(self) -> Elements<'a> {
        self.all(Name::Unknown)
    }

    /// This one and those after it.
    pub(in crate::manifest::dash) fn and_after(self) -> Elements<'a> {
        Elements { source: self.source, next: self.id, name: Name::Unknown }
    }

    /// Children of this name.
    pub(in crate::manifest::dash) fn all(self, name: Name) -> Elements<'a> {
        Elements { source: self.source, next: self.first(), name }
    }

    /// The first child of this name.
    #[inline(never)]
    pub(in crate::manifest::dash) fn child(self, name: Name) -> Option<Element<'a>> {
        self.all(name).next()
    }

    /// A whole number. One that is none is noted.
    #[inline(never)]
    pub(in crate::manifest::dash) fn number(self, name: Name) -> Option<u64> {
        self.parse(name, decimal::integer)
    }

    /// A duration that is not negative. One that is none is noted.
    #[inline(never)]
    pub(in crate::manifest::dash) fn duration(self, name: Name) -> Option<MediaTime> {
        self.parse(name, duration)
    }

    /// A value in a form of its own. One that is not is noted.
    pub(in crate::manifest::dash) fn parse<T>(
        self,
        name: Name,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.source.note(self.invalid(name, value));
        }
        parsed
    }

    /// As [`number`](Self::number), where one that is none does not matter.
    #[inline(never)]
    pub(in crate::manifest::dash) fn count(self, name: Name) -> Option<u64> {
        decimal::integer(self.get(name)?)
    }

    /// As [`duration`](Self::duration), where one that is none does not matter.
    #[inline(never)]
    pub(in crate::manifest::dash) fn span(self, name: Name) -> Option<MediaTime> {
        duration(self.get(name)?)
    }

    #[cold]
    #[inline(never)]
    fn invalid(self, name: Name, value: &str) -> Fault {
        invalid(self.name().text(), name.text(), value).at(self.at())
    }
}

fn duration(value: &str) -> Option<MediaTime> {
    let duration = crate::manifest::dash::duration::parse(value)?;
    (duration >= MediaTime::ZERO).then_some(duration)
}

/// Elements beside each other, of one name or of all.
#[derive(Clone)]
pub(in crate::manifest::dash) struct Elements<'a> {
    source: &'a Source<'a>,
    next: u32,
    /// [`Name::Unknown`]: of all.
    name: Name,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let element = self.source.element(self.next);
            let node = self.source.tree.nodes.get(self.next as usize)?;
            self.next = node.next;
            if self.name == Name::Unknown || self.name == node.name {
                return Some(element);
            }
        }
    }
}
