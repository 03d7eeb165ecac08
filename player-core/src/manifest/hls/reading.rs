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

    /// The absolute URL of a reference.
    pub(super) fn resolve(&mut self, reference: &str, line: u64) -> Result<String, Fault> {
        // Data is no reference, and has been paid for by its own length.
        if let Some(("data", _)) = reference.split_once(':') {
            return Ok(reference.to_owned());
        }
        let url = url::resolve(self.url, reference);
        self.url_bytes += url.len();
        if self.url_bytes > MOST_URL_BYTES {
            return Err(ManifestErrorKind::limit("bytes in URLs", MOST_URL_BYTES).at(line));
        }
        Ok(url)
    }

    /// Takes in a tag that may stand in either kind of playlist (RFC 8216bis §4.4.1, §4.4.2), and
    /// keeps one that is unknown. Neither says anything that would have to be understood.
    pub(super) fn common(&mut self, name: &str, value: &str, line: u64) -> Result<bool, Fault> {
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
            "EXT-X-DEFINE" => self.define(value, line)?,
            _ => return Ok(false),
        }
        Ok(true)
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
