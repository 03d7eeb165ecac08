//! MPD patches (ISO/IEC 23009-1 §5.15): additions, replacements and removals at places that a part of
//! XPath names (RFC 5261).

use core::fmt;

use super::document::{Document, Refreshed};
use super::names::Name;
use super::runs::{List, Rare, S};
use super::tree::{Element, NONE, Reader, Span};
use super::{Keep, Lines, live};
use crate::manifest::error::excerpt;
use crate::manifest::{Fault, ManifestError, Parsed, Warnings, decimal, text};
use crate::presentation::Presentation;
use crate::time::WallTime;
use crate::url::cut;

/// Why a patch was not applied. Load the whole MPD instead, and [`refresh`](Document::refresh) with
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchError {
    /// It is not understood.
    Manifest(ManifestError),
    /// It is for another MPD (`Patch@mpdId`).
    OtherMpd {
        /// `MPD@id`.
        ours: Option<String>,
        /// `Patch@mpdId`.
        theirs: Option<String>,
    },
    /// It is for another version of the MPD (`Patch@originalPublishTime`).
    OtherVersion {
        /// `MPD@publishTime`.
        ours: Option<WallTime>,
        /// `Patch@originalPublishTime`.
        theirs: Option<WallTime>,
    },
    /// It changes something that is not there, or names it in a way that is not understood.
    NotFound {
        /// Line of the patch, counted from 1.
        line: u64,
        /// `@sel`, or its beginning.
        selector: String,
    },
    /// An earlier patch failed, and the whole MPD has not been loaded since.
    Broken,
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(error) => error.fmt(f),
            Self::OtherMpd { .. } => f.write_str("it is for an MPD of another id"),
            Self::OtherVersion { .. } => f.write_str("it is for another version of the MPD"),
            Self::NotFound { line, selector } => {
                write!(f, "line {line}: nothing is at {selector}")
            }
            Self::Broken => f.write_str("an earlier patch failed; load the whole MPD"),
        }
    }
}

impl core::error::Error for PatchError {}

/// What a selector names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target<'a> {
    Element(u32),
    /// An `S`: the `SegmentTimeline` it is in, and its position there.
    S(u32, usize),
    Attribute(u32, &'a str),
    SAttribute(u32, usize, &'a str),
}

impl Document {
    /// Applies a patch, at the cost of what it changes. Warnings are those of what is new.
    ///
    /// # Errors
    /// If it does not fit. If it fits no more half-way through, no patch is taken until the whole MPD
    /// has been taken in; the presentation stays as it was.
    pub fn patch(
        &mut self,
        presentation: &mut Presentation,
        bytes: &[u8],
    ) -> Result<Parsed<Refreshed>, PatchError> {
        if self.broken {
            return Err(PatchError::Broken);
        }
        let own = |fault: Fault, text: &str, base: usize| {
            PatchError::Manifest(Lines::after(text, base).of_fault(*fault))
        };
        let text = text(bytes).map_err(|fault| PatchError::Manifest(*fault))?;
        let base = self.add_text(text).map_err(|fault| own(fault, text, 0))?;
        let mark = self.tree.mark();
        let root = Reader::new(&self.text, base, &mut self.tree)
            .and_then(|mut reader| reader.document(Name::Patch, Keep::All));
        let fits = root.map_err(|fault| own(fault, text, base)).and_then(|root| {
            self.fits(root)?;
            Ok(root)
        });
        let root = match fits {
            Ok(root) => root,
            Err(error) => {
                self.tree.reset(mark);
                crate::items::shorten(&mut self.text, base);
                return Err(error);
            }
        };
        // Until all of it is in.
        self.broken = true;
        self.tree.settle(true);
        let mut touched = Vec::new();
        let mut next = self.tree.nodes.get(root as usize).map_or(NONE, |root| root.child);
        while let Some(operation) = self.tree.nodes.get(next as usize).copied() {
            if self.apply(next, &mut touched).is_none() {
                let selector = self.source().element(next).string(Name::Sel);
                return Err(PatchError::NotFound {
                    line: Lines::after(text, base).line(operation.at.into()),
                    selector: excerpt(&selector).to_owned(),
                });
            }
            next = operation.next;
        }
        let mut warnings = Warnings::default();
        self.tree.settle(false);
        let renewed = self.renew(presentation, &touched, &mut warnings);
        self.tree.settle(true);
        let deviations = renewed.map_err(|fault| own(fault, text, base))?;
        self.broken = false;
        let mut parsed = warnings.with(Refreshed { changed: true, deviations });
        Lines::after(text, base).of_warnings(&mut parsed);
        Ok(parsed)
    }

    /// Whether a patch is for this MPD as it is now.
    fn fits(&self, patch: u32) -> Result<(), PatchError> {
        let source = self.source();
        let (mpd, patch) = (source.element(0), source.element(patch));
        let (ours, theirs) = (mpd.get(Name::Id), patch.get(Name::MpdId));
        if theirs.is_none() || ours != theirs {
            let [ours, theirs] = [ours, theirs].map(|id| id.map(str::to_owned));
            return Err(PatchError::OtherMpd { ours, theirs });
        }
        let ours = live::date(mpd, Name::PublishTime);
        let theirs = live::date(patch, Name::OriginalPublishTime);
        match theirs.is_some() && ours == theirs {
            true => Ok(()),
            false => Err(PatchError::OtherVersion { ours, theirs }),
        }
    }

    /// Carries out one operation. None if it has no place.
    fn apply(&mut self, id: u32, touched: &mut Vec<u32>) -> Option<()> {
        let source = self.source();
        let operation = source.element(id);
        let name = operation.name();
        if !matches!(name, Name::Add | Name::Replace | Name::Remove) {
            return Some(());
        }
        let selector = operation.get(Name::Sel)?.to_owned();
        let target = select(source.element(0), &selector)?;
        let added = operation.get(Name::Type).and_then(|added| added.strip_prefix('@'));
        let added = added.map(str::to_owned);
        let pos = operation.get(Name::Pos).unwrap_or("").to_owned();
        let value = operation.node()?.content;
        let text = operation.content().to_owned();
        let children: Vec<u32> = operation.children().map(|child| child.id).collect();
        let changed = match target {
            Target::Element(node)
            | Target::S(node, _)
            | Target::Attribute(node, _)
            | Target::SAttribute(node, ..) => node,
        };
        self.tree.mark_patched(changed);
        touched.extend(self.tree.around(changed));
        match (name, target) {
            (Name::Add, Target::Element(node)) => match added {
                Some(attribute) => self.set(node, &attribute, Some(value)),
                None => self.add(node, &pos, &children),
            },
            (Name::Add, Target::S(node, at)) => match added {
                Some(attribute) => self.set_s(node, at, &attribute, Some(&text)),
                None => {
                    let at = match pos.as_str() {
                        "before" => at,
                        "after" => at + 1,
                        _ => return None,
                    };
                    self.add_s(node, at, &children)
                }
            },
            (Name::Replace, Target::Element(node)) => {
                let parent = self.tree.nodes.get(node as usize)?.parent;
                let &[child] = &children[..] else { return None };
                self.tree.unlink(child);
                self.tree.insert(parent, child, node);
                self.tree.unlink(node);
                Some(())
            }
            (Name::Replace, Target::S(node, at)) => {
                self.remove_s(node, at)?;
                self.add_s(node, at, &children)
            }
            (Name::Replace, Target::Attribute(node, attribute)) => {
                self.set(node, attribute, Some(value))
            }
            (Name::Replace, Target::SAttribute(node, at, attribute)) => {
                self.set_s(node, at, attribute, Some(&text))
            }
            // The root stays.
            (Name::Remove, Target::Element(0)) => None,
            (Name::Remove, Target::Element(node)) => {
                self.tree.unlink(node);
                Some(())
            }
            (Name::Remove, Target::S(node, at)) => self.remove_s(node, at),
            (Name::Remove, Target::Attribute(node, attribute)) => self.set(node, attribute, None),
            (Name::Remove, Target::SAttribute(node, at, attribute)) => {
                self.set_s(node, at, attribute, None)
            }
            _ => None,
        }
    }

    fn set(&mut self, node: u32, attribute: &str, value: Option<Span>) -> Option<()> {
        let name = match cut(attribute, b':') {
            Some((_, local)) => Name::of(local, true),
            None => Name::of(attribute, false),
        };
        // What is not known is not missed.
        if name != Name::Unknown {
            self.tree.set_attribute(node, name, value);
        }
        Some(())
    }

    /// Adds elements inside another, or beside it.
    fn add(&mut self, node: u32, pos: &str, children: &[u32]) -> Option<()> {
        let known = self.tree.nodes.get(node as usize).copied()?;
        if known.name == Name::SegmentTimeline && matches!(pos, "" | "prepend") {
            let length = self.list(node)?.s.len();
            return self.add_s(node, if pos.is_empty() { length } else { 0 }, children);
        }
        let (parent, following) = match pos {
            "" => (node, NONE),
            "prepend" => (node, known.child),
            "before" => (known.parent, node),
            "after" => (known.parent, known.next),
            _ => return None,
        };
        self.tree.nodes.get(parent as usize)?;
        for &child in children {
            self.tree.unlink(child);
            self.tree.insert(parent, child, following);
        }
        Some(())
    }

    fn list(&mut self, node: u32) -> Option<&mut List> {
        let list = self.tree.nodes.get(node as usize)?.list;
        self.tree.lists.get_mut(list as usize)
    }

    fn add_s(&mut self, node: u32, at: usize, children: &[u32]) -> Option<()> {
        let mut added = Vec::with_capacity(children.len());
        for &child in children {
            let one = self.list(child)?;
            let s = *one.s.first()?;
            added.push((s, one.rare(&s)));
        }
        let list = self.list(node)?;
        if at > list.s.len() {
            return None;
        }
        list.note(at, added.len(), false);
        for (place, (mut s, rare)) in added.into_iter().enumerate() {
            s.rare = 0;
            if rare != Rare::default() {
                list.rare.push(rare);
                s.rare = list.rare.len() as u32;
            }
            crate::items::put(&mut list.s, at + place, s);
        }
        Some(())
    }

    fn remove_s(&mut self, node: u32, at: usize) -> Option<()> {
        let list = self.list(node)?;
        (at < list.s.len()).then(|| {
            list.note(at, 0, true);
            crate::items::take(&mut list.s, at);
        })
    }

    fn set_s(&mut self, node: u32, at: usize, attribute: &str, value: Option<&str>) -> Option<()> {
        let list = self.list(node)?;
        list.s.get(at)?;
        list.note(at, 0, false);
        let mut rare = list.rare(list.s.get(at)?);
        let s = list.s.get_mut(at)?;
        let number = match value {
            Some(value) if attribute == "r" && value.starts_with('-') => None,
            Some(value) => Some(decimal::integer(value)?),
            None => None,
        };
        match (attribute, number) {
            ("t", time) => s.time = time.unwrap_or(S::CONTINUED),
            ("d", Some(duration @ 1..)) => s.duration = duration,
            ("r", Some(repeat)) => s.repeat = i64::try_from(repeat).ok()?,
            ("r", None) => s.repeat = if value.is_some() { -1 } else { 0 },
            ("n", number) => rare.number = number,
            ("k", parts) => {
                rare.parts = u32::try_from(parts.unwrap_or(1)).ok().filter(|&k| k > 0)?
            }
            _ => return None,
        }
        if rare != list.rare(list.s.get(at)?) {
            list.rare.push(rare);
            let position = list.rare.len() as u32;
            list.s.get_mut(at)?.rare = position;
        }
        Some(())
    }
}

/// Follows a selector: `/MPD/Period[@id='1']/AdaptationSet[2]/SegmentTemplate/SegmentTimeline/S[3]/@r`.
fn select<'s>(mpd: Element<'_>, selector: &'s str) -> Option<Target<'s>> {
    let mut rest = selector;
    let mut target: Option<Target<'s>> = None;
    while let Some(step) = rest.strip_prefix('/') {
        if let Some(attribute) = step.strip_prefix('@') {
            return match target? {
                Target::Element(node) => Some(Target::Attribute(node, attribute)),
                Target::S(node, at) => Some(Target::SAttribute(node, at, attribute)),
                _ => None,
            };
        }
        let end = step.find(['/', '[']).unwrap_or(step.len());
        let (name, after) = step.split_at_checked(end)?;
        let local = cut(name, b':').map_or(name, |(_, local)| local);
        let mut predicates = Vec::new();
        rest = after;
        while let Some(inside) = rest.strip_prefix('[') {
            let (predicate, after) = Predicate::read(inside)?;
            predicates.push(predicate);
            rest = after;
        }
        let name = Name::of(local, name != local && foreign(local));
        target = Some(match target {
            None if name == Name::Mpd => Target::Element(mpd.id),
            Some(Target::Element(node)) if name == Name::S => {
                let (_, list) = mpd.source.element(node).list()?;
                // Positions count those that were passed over, too.
                if list.empty.is_some() {
                    return None;
                }
                Target::S(node, find_s(list, &predicates)?)
            }
            Some(Target::Element(node)) if name != Name::Unknown => {
                let parent = mpd.source.element(node);
                let mut found: Vec<Element<'_>> = parent.all(name).collect();
                for predicate in &predicates {
                    match predicate {
                        Predicate::Position(at) => {
                            found = found.get(at.checked_sub(1)?).copied().into_iter().collect();
                        }
                        Predicate::Attribute(attribute, value) => {
                            let attribute = Name::of(attribute, false);
                            found.retain(|element| element.get(attribute) == Some(value));
                        }
                    }
                }
                // It must name one.
                let [one] = found[..] else { return None };
                Target::Element(one.id)
            }
            _ => return None,
        });
    }
    target.filter(|_| rest.is_empty())
}

/// Names that are only known in namespaces of others.
fn foreign(local: &str) -> bool {
    Name::of(local, false) == Name::Unknown
}

enum Predicate<'s> {
    Position(usize),
    Attribute(&'s str, &'s str),
}

impl<'s> Predicate<'s> {
    /// Reads what follows `[`, to `]`.
    fn read(text: &'s str) -> Option<(Self, &'s str)> {
        let Some(attribute) = text.strip_prefix('@') else {
            let (position, rest) = cut(text, b']')?;
            let position = usize::try_from(decimal::integer(position.trim_ascii())?).ok()?;
            return Some((Self::Position(position), rest));
        };
        let (name, value) = cut(attribute, b'=')?;
        let value = value.trim_ascii_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (value, rest) = value.strip_prefix(quote)?.split_once(quote)?;
        let rest = rest.trim_ascii_start().strip_prefix(']')?;
        Some((Self::Attribute(name.trim_ascii(), value), rest))
    }
}

fn find_s(list: &List, predicates: &[Predicate<'_>]) -> Option<usize> {
    let mut found: Option<Vec<usize>> = None;
    for predicate in predicates {
        let left = match (predicate, found) {
            (Predicate::Position(at), None) => {
                let at = at.checked_sub(1)?;
                list.s.get(at).map(|_| at).into_iter().collect()
            }
            (Predicate::Position(at), Some(found)) => {
                found.get(at.checked_sub(1)?).copied().into_iter().collect()
            }
            (Predicate::Attribute(name, value), found) => {
                let value = decimal::integer(value)?;
                let has = |at: &usize| {
                    list.s.get(*at).is_some_and(|s| match *name {
                        "t" => s.time == value,
                        "d" => s.duration == value,
                        "r" => s.repeat > 0 && s.repeat as u64 == value,
                        "n" => list.rare(s).number == Some(value),
                        _ => false,
                    })
                };
                let all = found.unwrap_or_else(|| (0..list.s.len()).collect());
                all.into_iter().filter(has).collect::<Vec<_>>()
            }
        };
        found = Some(left);
    }
    match found {
        Some(found) => found.first().copied().filter(|_| found.len() == 1),
        None => (list.s.len() == 1).then_some(0),
    }
}
