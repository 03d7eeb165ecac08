//! What reading either kind of playlist takes.

use super::attributes::Attributes;
use super::variables::Variables;
use crate::manifest::date::Dates;
use crate::manifest::error::excerpt;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, Warnings};
use crate::presentation::{StartPoint, UnknownTag};
use crate::url;

/// What has been gathered of a playlist, whatever its kind, and what its tags refer to.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// Where the playlist came from.
    pub(super) url: &'a str,
    /// What references resolve against, once one has.
    folder: Option<url::Folder<'a>>,
    /// Why the playlist cannot be understood, once that is so. Whoever reads on does so in vain, but
    /// not for long: it is looked at after every line.
    fault: Option<Fault>,
    pub(super) variables: Variables,
    pub(super) warnings: Warnings,
    pub(super) dates: Dates,
    /// `EXT-X-START`.
    pub(super) start: Option<StartPoint>,
    /// `EXT-X-INDEPENDENT-SEGMENTS`.
    pub(super) independent: bool,
    pub(super) unknown: Vec<UnknownTag>,
    reported: Vec<String>,
    url_bytes: usize,
}

/// The most bytes in URLs that are resolved while reading: a long URL of the playlist itself could
/// multiply what is in it.
const MOST_URL_BYTES: usize = 4 << 20;
/// The most unknown tags that are kept, and the most names of such that are reported.
const MOST_UNKNOWN: usize = 10_000;
const MOST_REPORTED: usize = 30;

impl<'a> Reading<'a> {
    pub(super) fn new(url: &'a str) -> Self {
        Self {
            url,
            folder: None,
            fault: None,
            variables: Variables::default(),
            warnings: Warnings::default(),
            dates: Dates::default(),
            start: None,
            independent: false,
            unknown: Vec::new(),
            reported: Vec::new(),
            url_bytes: 0,
        }
    }

    /// Notes why the playlist cannot be understood. The first reason counts.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self, kind: ManifestErrorKind, line: u64) {
        if self.fault.is_none() {
            self.fault = Some(kind.at(line));
        }
    }

    /// As [`fail`](Self::fail), for a tag without an attribute that it makes no sense without.
    #[cold]
    #[inline(never)]
    pub(super) fn fail_without(&mut self, tag: &str, attribute: &str, line: u64) {
        self.fail(ManifestErrorKind::missing_attribute(tag, attribute), line);
    }

    /// As [`fail`](Self::fail), for more of something than is accepted.
    #[cold]
    #[inline(never)]
    pub(super) fn fail_limit(&mut self, what: &str, most: usize, line: u64) {
        self.fail(ManifestErrorKind::limit(what, most), line);
    }

    /// As [`fail`](Self::fail), for a value that is not of the form it must have.
    #[cold]
    #[inline(never)]
    pub(super) fn fail_value(&mut self, name: &str, value: &str, line: u64) {
        self.fail(ManifestErrorKind::invalid(name, value), line);
    }

    /// Whether it has been understood so far.
    #[inline]
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        if self.fault.is_some() { self.take_fault() } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn take_fault(&mut self) -> Result<(), Fault> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// The absolute URL of a reference.
    #[inline(never)]
    pub(super) fn resolve(&mut self, reference: &str, line: u64) -> String {
        // Data is no reference, and has been paid for by its own length.
        if reference.starts_with("data:") {
            return reference.to_owned();
        }
        let folder = self.folder.get_or_insert_with(|| url::Folder::of(self.url));
        let url = folder.resolve(reference);
        self.url_bytes += url.len();
        if self.url_bytes > MOST_URL_BYTES {
            self.fail_limit("bytes in URLs", MOST_URL_BYTES, line);
        }
        url
    }

    /// As [`resolve`](Self::resolve), where a fault must end the work.
    pub(super) fn try_resolve(&mut self, reference: &str, line: u64) -> Result<String, Fault> {
        let url = self.resolve(reference, line);
        self.check().map(|()| url)
    }

    /// Adds a warning.
    #[cold]
    #[inline(never)]
    pub(super) fn warn(&mut self, line: u64, code: WarningCode, message: &str) {
        self.warnings.add(line, code, message);
    }

    /// Takes in a tag that may stand in either kind of playlist (RFC 8216bis §4.4.1, §4.4.2), and
    /// keeps one that is unknown. Neither says anything that would have to be understood.
    #[inline(never)]
    pub(super) fn common(&mut self, name: &str, value: &str, line: u64) -> bool {
        match name {
            "EXTM3U" | "EXT-X-VERSION" | "EXT-X-ALLOW-CACHE" => {}
            "EXT-X-INDEPENDENT-SEGMENTS" => self.independent = true,
            "EXT-X-START" => {
                let attributes = Attributes::read(name, value, line, &mut self.warnings);
                match attributes.signed("TIME-OFFSET", self) {
                    Some(offset) if self.start.is_none() => {
                        self.start =
                            Some(StartPoint { offset, precise: attributes.yes("PRECISE") });
                    }
                    Some(_) => self.twice(name, line),
                    None if attributes.word("TIME-OFFSET").is_none() => {
                        attributes.lacks("TIME-OFFSET", self);
                    }
                    None => {}
                }
            }
            "EXT-X-DEFINE" => self.define(value, line),
            _ => return false,
        }
        true
    }

    /// Keeps a tag that is not known. `segment` is the number of the one it stands before.
    pub(super) fn keep_unknown(
        &mut self,
        name: &str,
        value: &str,
        line: u64,
        segment: Option<u64>,
        start: Option<crate::time::MediaTime>,
    ) {
        if self.reported.len() < MOST_REPORTED && !self.reported.iter().any(|known| known == name) {
            self.reported.push(name.to_owned());
            let message = format!("{} is not known", excerpt(name));
            self.warnings.add(line, WarningCode::Unknown, message);
        }
        if self.unknown.len() == MOST_UNKNOWN {
            let message = "more unknown tags are not kept";
            self.warnings.add(line, WarningCode::Limit, message);
        }
        if self.unknown.len() <= MOST_UNKNOWN {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.unknown.push(UnknownTag { line, name, value, segment, start });
        }
    }

    /// Says that a value is not of the form it should have.
    #[cold]
    pub(super) fn bad_value(&mut self, name: &str, value: &str, line: u64) {
        let message = format!("\"{}\" is no value for {name}", excerpt(value));
        self.warnings.add(line, WarningCode::BadValue, message);
    }

    /// Says that a tag stands where it has no meaning.
    #[cold]
    pub(super) fn late(&mut self, name: &str, line: u64) {
        let message = format!("{name} comes too late and is overlooked");
        self.warnings.add(line, WarningCode::Misplaced, message);
    }

    /// Says that a tag stands twice.
    #[cold]
    pub(super) fn twice(&mut self, name: &str, line: u64) {
        let message = format!("{name} is there twice; the first counts");
        self.warnings.add(line, WarningCode::Duplicate, message);
    }
}
