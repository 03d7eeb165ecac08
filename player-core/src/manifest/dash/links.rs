//! Parts of an MPD that lie elsewhere (ISO/IEC 23009-1 §5.5).

use super::Lines;
use super::document::{Document, Refreshed, renew};
use super::names::Name;
use super::resolve::NOTHING;
use super::tree::{Element, Reader, Source};
use crate::manifest::{Fault, ManifestError, ManifestErrorKind, Parsed, Warnings, text};
use crate::presentation::Presentation;
use crate::url;

/// An element that lies elsewhere (`xlink:href`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Absolute URL.
    pub url: String,
    /// Name of the element, such as `Period`: what is loaded has elements of this name.
    pub element: &'static str,
    /// It is to be loaded when the MPD is (`xlink:actuate="onLoad"`); else when it comes to be
    /// played.
    pub on_load: bool,
    pub(super) node: u32,
}

/// The most links that one MPD is given.
const MOST_LINKS: usize = 1000;
/// The most bytes that patches and links bring, beside as many as the MPD has.
const FREE_BYTES: usize = 4 << 20;

pub(super) fn links(document: &Document) -> Vec<Link> {
    let mut links = Vec::new();
    let base = |element: Element<'_>, above: &str| match element.child(Name::BaseUrl) {
        Some(base) => url::resolve(above, base.content()),
        None => above.to_owned(),
    };
    fn add(links: &mut Vec<Link>, element: Element<'_>, base: &str) {
        let Some(href) = element.get(Name::Href).filter(|href| *href != NOTHING) else { return };
        if links.len() < MOST_LINKS {
            links.push(Link {
                url: url::resolve(base, href),
                element: element.name().text(),
                on_load: element.get(Name::Actuate) == Some("onLoad"),
                node: element.id,
            });
        }
    }
    let source = document.source();
    let mpd = source.element(0);
    let top = base(mpd, &document.url);
    for period in mpd.all(Name::Period) {
        add(&mut links, period, &top);
        let base = base(period, &top);
        for child in period.children() {
            add(&mut links, child, &base);
            if child.name() == Name::AdaptationSet {
                child.children().for_each(|child| add(&mut links, child, &base));
            }
        }
    }
    links
}

impl Document {
    /// Puts what a link points to in its place, where `bytes` are what was loaded; or leaves the
    /// link out, if it could not be loaded: then what stands in its place stays (§5.5.3).
    ///
    /// # Errors
    /// If what was loaded has no such element, or is not understood: the link is left out as well.
    pub fn resolve(
        &mut self,
        presentation: &mut Presentation,
        link: &Link,
        bytes: Option<&[u8]>,
    ) -> Result<Parsed<Refreshed>, ManifestError> {
        let base = self.text.len();
        let node = link.node;
        let known = self.tree.nodes.get(node as usize).copied();
        let Some(known) = known.filter(|known| known.name.text() == link.element) else {
            return Ok(Warnings::default().with(Refreshed::default()));
        };
        let loaded = match bytes {
            Some(bytes) => self.load(bytes, known.name).map(Some),
            None => Ok(None),
        };
        match &loaded {
            Ok(Some(elements)) => {
                for &element in elements {
                    self.tree.insert(known.parent, element, node);
                }
                self.tree.unlink(node);
            }
            _ => self.tree.set_attribute(node, Name::Href, None),
        }
        self.tree.mark_patched(known.parent);
        let mut touched = self.tree.around(known.parent);
        touched.push(node);
        let mut warnings = Warnings::default();
        self.tree.settle(true);
        let renewed = self.renew(presentation, &touched, &mut warnings);
        let part = self.text.get(base..).unwrap_or("");
        let mut lines = Lines::after(part, base);
        let deviations = loaded.and(renewed).map_err(|fault| lines.of_fault(*fault))?;
        let mut parsed = warnings.with(Refreshed { changed: true, deviations });
        lines.of_warnings(&mut parsed);
        Ok(parsed)
    }

    fn load(&mut self, bytes: &[u8], name: Name) -> Result<Vec<u32>, Fault> {
        let text = text(bytes)?;
        let base = self.add_text(text)?;
        Reader::new(&self.text, base, &mut self.tree)?.fragment(name)
    }

    /// Adds text after all other, and gives its offset.
    pub(super) fn add_text(&mut self, text: &str) -> Result<usize, Fault> {
        let base = self.text.len();
        if base - self.own + text.len() > FREE_BYTES + self.own {
            return Err(ManifestErrorKind::limit("bytes of patches and links", FREE_BYTES).at(0));
        }
        self.text.push_str(text);
        Ok(base)
    }

    /// Makes the presentation anew after the elements of these periods changed.
    pub(super) fn renew(
        &mut self,
        presentation: &mut Presentation,
        touched: &[u32],
        warnings: &mut Warnings,
    ) -> Result<Vec<super::Deviation>, Fault> {
        let source = Source::new(&self.tree, &self.text);
        let mpd = source.element(0);
        let periods = mpd.all(Name::Period).map(|period| (period.id, period.id));
        let same: Vec<_> = periods.filter(|(now, _)| !touched.contains(now)).collect();
        renew(mpd, &self.url, self.text.len(), warnings, presentation, &mut self.held, &same)
    }
}
