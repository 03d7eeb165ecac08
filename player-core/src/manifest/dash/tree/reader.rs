//! Reads the elements of an MPD, a patch, or the content of a link.

use super::{Attribute, EXTRA, Element, NONE, Node, Span, Tree};
use crate::manifest::dash::Keep;
use crate::manifest::dash::names::Name;
use crate::manifest::dash::runs::{List, Scratch};
use crate::manifest::dash::xml::{self, Event, Xml};
use crate::manifest::{Fault, ManifestErrorKind};
use crate::url::{cut, cut_word};

/// The most elements of other kinds: so many, and one for each so many bytes.
const FREE_ELEMENTS: usize = 10_000;
const BYTES_FOR_ELEMENT: usize = 12;
/// Offsets have 31 bits.
const MOST_BYTES: usize = EXTRA as usize - 1;

/// Where elements are read from, and what they are added to.
pub(in crate::manifest::dash) struct Reader<'a, 't> {
    pub(in crate::manifest::dash) xml: Xml<'a>,
    pub(super) tree: &'t mut Tree,
    prefix: Option<&'a str>,
    /// Elements without prefix are understood as well.
    bare: bool,
    base: usize,
    /// The elements of timelines are needed later, each by itself.
    pub(in crate::manifest::dash) keeps: bool,
    pub(super) scratch: Scratch,
    /// In the period before, what the next element may be written like.
    like: u32,
    /// The last period.
    period: u32,
    /// What the text was before, and for each open element what it was there and which of its
    /// children comes next.
    pub(super) before: Option<Element<'a>>,
    /// Where the text of the MPD ended then. After it stands what patches and links brought, whose
    /// names may have had another prefix.
    pub(super) before_end: usize,
    pub(super) twins: Vec<(u32, u32)>,
    /// Periods that are what they were, and what they were.
    pub(in crate::manifest::dash) same: Vec<(u32, u32)>,
}

/// What a start tag says.
#[derive(Clone, Copy)]
struct Tag {
    name: Name,
    name_length: u16,
    attribute_count: u16,
    first_attribute: u32,
}

impl<'a, 't> Reader<'a, 't> {
    /// Reads `text` from offset `base` on.
    pub(in crate::manifest::dash) fn new(
        text: &'a str,
        base: usize,
        tree: &'t mut Tree,
    ) -> Result<Self, Fault> {
        if text.len() > MOST_BYTES {
            return Err(ManifestErrorKind::limit("bytes", MOST_BYTES).at(base as u64));
        }
        let mut xml = Xml::new(text);
        xml.at = base;
        let (twins, same) = (Vec::new(), Vec::new());
        Ok(Self {
            xml,
            tree,
            prefix: None,
            bare: false,
            base,
            keeps: true,
            scratch: Scratch::default(),
            like: NONE,
            period: NONE,
            before: None,
            before_end: 0,
            twins,
            same,
        })
    }

    /// Takes over what has not changed since an earlier state of the document, whose text ended at an
    /// offset.
    pub(in crate::manifest::dash) fn after(mut self, before: Element<'a>, end: usize) -> Self {
        (self.before, self.before_end) = (Some(before), end);
        self.tree.identities = before.source.tree.identities;
        self
    }

    /// Reads a whole document with a root of this name, and gives the root. `keep` says which documents' elements
    /// of timelines are needed later, each by itself.
    pub(in crate::manifest::dash) fn document(
        &mut self,
        root: Name,
        keep: Keep,
    ) -> Result<u32, Fault> {
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
                    // It may say so in more than one way, but in no other.
                    let head = self.xml.text.get(..self.xml.at).unwrap_or("");
                    let may_be_live = cut_word(head, "dynamic").or(cut(head, b'&')).is_some();
                    self.keeps = keep == Keep::All || keep == Keep::Live && may_be_live;
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
    pub(in crate::manifest::dash) fn fragment(&mut self, wanted: Name) -> Result<Vec<u32>, Fault> {
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

    pub(super) fn name(&self, full: &str) -> Name {
        // No name that is known has a colon in it.
        if self.prefix.is_none() || self.bare {
            let name = Name::of(full, false);
            if name != Name::Unknown {
                return name;
            }
        }
        match xml::prefixed(full) {
            (None, _) => Name::Unknown,
            (prefix, local) => Name::of(local, prefix != self.prefix),
        }
    }

    /// Adds the element whose start tag was read last.
    fn open(&mut self, name: Name, parent: u32, at: usize) -> Result<u32, Fault> {
        let first_attribute = self.tree.attributes.len() as u32;
        for attribute in &self.xml.attributes {
            let mut name = Name::of(attribute.name, false);
            if name == Name::Unknown {
                name = match xml::prefixed(attribute.name) {
                    (None | Some("xmlns"), _) => Name::Unknown,
                    (Some("xml"), local) => Name::of(local, false),
                    (_, local) => Name::of(local, true),
                };
            }
            if name != Name::Unknown {
                let value = match attribute.references {
                    true => self.tree.keep(&xml::unescape(attribute.value).unwrap_or_default()),
                    false => Span::of(attribute.at, attribute.value.len()),
                };
                let value = self.tree.trimmed(value, self.xml.text);
                self.tree.attributes.push(Attribute { name, value });
            }
        }
        let attribute_count = self.tree.attributes.len() as u32 - first_attribute;
        let attribute_count = u16::try_from(attribute_count).unwrap_or(u16::MAX);
        let name_length = u16::try_from(self.xml.name_length()).unwrap_or(0);
        let id =
            self.add(Tag { name, name_length, attribute_count, first_attribute }, parent, at)?;
        if !self.keeps {
            self.follow(id, name);
        }
        Ok(id)
    }

    /// Adds an element whose start tag has been read.
    #[inline(never)]
    fn add(&mut self, tag: Tag, parent: u32, at: usize) -> Result<u32, Fault> {
        self.tree.counts.count(tag.name, at)?;
        let bytes = self.xml.text.len() - self.base;
        let most = FREE_ELEMENTS + bytes / BYTES_FOR_ELEMENT;
        // Those of earlier texts are not counted again.
        if self.tree.nodes.len() > most + self.base / BYTES_FOR_ELEMENT {
            return Err(ManifestErrorKind::limit("elements", most).at(at as u64));
        }
        let Tag { name, name_length, attribute_count, first_attribute } = tag;
        let node = Node {
            name,
            markup: false,
            patched: false,
            name_length,
            attribute_count,
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

    /// Passes over a start tag that is written like the one in the period before where it is expected.
    /// Periods mostly differ in their segments alone.
    fn again(&mut self, at: usize) -> Option<Tag> {
        let like = self.tree.nodes.get(self.like as usize)?;
        let &Node { name, name_length, attribute_count, first_attribute, .. } = like;
        let tag = (like.at as usize, like.inner as usize, name_length.into());
        let again = !matches!(name, Name::Period | Name::S) && self.xml.again(tag, at);
        again.then(|| {
            self.like += 1;
            Tag { name, name_length, attribute_count, first_attribute }
        })
    }

    /// Finds what comes after the element that corresponds to one in the period before.
    #[inline(never)]
    fn follow(&mut self, id: u32, name: Name) {
        if name == Name::Period {
            self.like = core::mem::replace(&mut self.period, id);
        }
        let like = self.tree.nodes.get(self.like as usize);
        self.like += u32::from(like.is_some_and(|like| like.name == name));
    }

    /// Reads what is in an element whose start tag was read last, to its end.
    pub(in crate::manifest::dash) fn children(&mut self, top: u32) -> Result<(), Fault> {
        let mut current = top;
        loop {
            self.xml.pass_blank();
            let at = self.xml.at;
            let again = self.again(at);
            let event = match again {
                Some(_) => Event::Start(""),
                None => self.xml.inside()?,
            };
            match event {
                Event::Start(full) => {
                    let name = again.map_or_else(|| self.name(full), |tag| tag.name);
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
                    let parent = current;
                    current = match again {
                        Some(tag) => self.add(tag, parent, at)?,
                        None => self.open(name, parent, at)?,
                    };
                    if name == Name::SegmentTimeline {
                        current = self.timeline(current, twin)?;
                    } else if name == Name::S {
                        // One by itself, in a patch.
                        let mut list = List::default();
                        let s = self.s(at, &mut list)?;
                        if s.duration == 0 {
                            return Err(super::invalid("S", "d", "0").at(at as u64));
                        }
                        list.s.push(s);
                        self.tree.add_list(current, list);
                        self.twins.push((NONE, NONE));
                    } else if self.xml.leave_empty() {
                        current = parent;
                    } else {
                        let first = twin.map_or(NONE, |twin| twin.first());
                        self.twins.push((twin.map_or(NONE, |twin| twin.id), first));
                    }
                }
                Event::End => {
                    let end = self.xml.at;
                    let Some(node) = self.tree.nodes.get(current as usize) else {
                        return Ok(());
                    };
                    let (inner, parent) = (node.inner as usize, node.parent);
                    let content = match node.name == Name::Event && node.markup {
                        true => Span::of(inner, at - inner),
                        false => node.content,
                    };
                    let content = self.tree.trimmed(content, self.xml.text);
                    if let Some(node) = self.tree.nodes.get_mut(current as usize) {
                        (node.content, node.end) = (content, end as u32);
                    }
                    self.twins.pop();
                    if current == top {
                        return Ok(());
                    }
                    current = parent;
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
}
