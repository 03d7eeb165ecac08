//! What of an MPD loaded again is as it was.

use super::{Attribute, EXTRA, Element, NONE, Reader, Span, Tree};
use crate::manifest::Fault;
use crate::manifest::dash::names::Name;
use crate::manifest::dash::runs::{self, List, S};

/// How many elements are looked through for the earlier state of one.
const TWINS_LOOKED_AT: usize = 64;

impl<'a> Reader<'a, '_> {
    /// What an element was before, if it was there: one of the same name and id, not far from the
    /// one that matched last.
    #[inline]
    pub(super) fn twin(&mut self, name: Name) -> Option<Element<'a>> {
        let before = self.before?;
        self.find_twin(before, name)
    }

    #[inline(never)]
    fn find_twin(&mut self, before: Element<'a>, name: Name) -> Option<Element<'a>> {
        let (_, next) = self.twins.last_mut()?;
        let id = self.xml.attributes.iter().find(|attribute| attribute.name == "id");
        let id = id.map(|attribute| attribute.value.trim_ascii());
        let candidates = before.source.element(*next).and_after().take(TWINS_LOOKED_AT);
        let twin = candidates
            .into_iter()
            .find(|element| element.name() == name && element.get(Name::Id) == id)?;
        *next = twin.node()?.next;
        Some(twin)
    }

    /// Takes over an element whose text is what it was, and passes over it.
    pub(super) fn unchanged(
        &mut self,
        twin: Option<Element<'a>>,
        at: usize,
        parent: u32,
    ) -> Result<bool, Fault> {
        let Some((twin, node)) = twin.and_then(|twin| Some((twin, twin.node()?))) else {
            return Ok(false);
        };
        let (start, end) = (node.at as usize, node.end as usize);
        let same = runs::common(self.xml.text.as_bytes(), at, twin.source.text.as_bytes(), start);
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
            _ => tree.keep(element.source.tree.text(span, element.source.text)),
        };
        node.content = copy_text(self.tree, node.content);
        let first = node.first_attribute as usize;
        node.first_attribute = self.tree.attributes.len() as u32;
        let attributes =
            element.source.tree.attributes.get(first..first + node.attribute_count as usize);
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
    pub(super) fn take_over(&mut self, twin: Element<'a>, list: &mut List) -> Option<()> {
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
        let same = runs::common(text, at, twin.source.text.as_bytes(), from);
        let rest = before.s.get(kept..)?;
        let count = rest.partition_point(|s| s.end as usize <= from + same);
        let rest = rest.get(..count)?;
        let moved = (at as u32).wrapping_sub(from as u32);
        list.s.reserve(count + 16);
        list.s.extend(rest.iter().map(|s| S { end: s.end.wrapping_add(moved), ..*s }));
        self.xml.at = list.s.last()?.end as usize;
        if count > 0 && kept + count == before.s.len() {
            (list.kept, list.identity) = (Some((1, count)), before.identity);
        }
        Some(())
    }
}
