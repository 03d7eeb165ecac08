//! What is written in an MPD, level by level, before anything is inherited.

use std::rc::Rc;

use super::xml::{Element, Xml};
use super::{duration, timeline};
use crate::io::ByteRange;
use crate::manifest::error::excerpt;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, Warnings, decimal};
use crate::time::MediaTime;

/// `MPD` (ISO/IEC 23009-1 §5.3.1).
pub(super) struct Mpd {
    pub(super) line: u64,
    pub(super) dynamic: bool,
    pub(super) duration: Option<MediaTime>,
    pub(super) base: Option<String>,
    pub(super) periods: Vec<Period>,
}

/// `Period` (§5.3.2).
#[derive(Default)]
pub(super) struct Period {
    pub(super) line: u64,
    pub(super) id: Option<String>,
    pub(super) start: Option<MediaTime>,
    pub(super) duration: Option<MediaTime>,
    pub(super) base: Option<String>,
    pub(super) addressing: Levels,
    pub(super) sets: Vec<AdaptationSet>,
}

/// `AdaptationSet` (§5.3.3).
#[derive(Default)]
pub(super) struct AdaptationSet {
    pub(super) line: u64,
    pub(super) common: Common,
    /// `@contentType`, or those of its content components.
    pub(super) content_types: Vec<String>,
    pub(super) language: Option<String>,
    pub(super) label: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) base: Option<String>,
    pub(super) addressing: Levels,
    pub(super) representations: Vec<Representation>,
}

/// `Representation` (§5.3.5).
#[derive(Default)]
pub(super) struct Representation {
    pub(super) line: u64,
    pub(super) id: Option<String>,
    pub(super) bandwidth: Option<u64>,
    pub(super) common: Common,
    pub(super) base: Option<String>,
    pub(super) addressing: Levels,
}

/// Attributes and elements of both adaptation sets and representations (§5.3.7).
#[derive(Default)]
pub(super) struct Common {
    pub(super) mime_type: Option<String>,
    pub(super) codecs: Option<String>,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) frame_rate: Option<f64>,
    /// It has a `ContentProtection`.
    pub(super) protected: bool,
    /// The scheme of an `EssentialProperty` that must be understood and is not.
    pub(super) essential: Option<String>,
}

/// The segment information of one level (§5.3.9).
#[derive(Default)]
pub(super) struct Levels {
    pub(super) base: Option<Box<Addressing>>,
    pub(super) list: Option<Box<Addressing>>,
    pub(super) template: Option<Box<Addressing>>,
}

/// `SegmentBase`, `SegmentList` or `SegmentTemplate`.
#[derive(Default)]
pub(super) struct Addressing {
    pub(super) timescale: Option<u32>,
    pub(super) presentation_time_offset: Option<u64>,
    pub(super) index_range: Option<ByteRange>,
    pub(super) duration: Option<u64>,
    pub(super) start_number: Option<u64>,
    pub(super) end_number: Option<u64>,
    /// The element `Initialization`.
    pub(super) initialization: Option<Location>,
    pub(super) timeline: Option<Rc<[timeline::S]>>,
    /// `@initialization` of a template.
    pub(super) initialization_template: Option<String>,
    pub(super) media: Option<String>,
    pub(super) segments: Option<Rc<[Location]>>,
}

/// A part of a resource: `@sourceURL` and `@range`, or `@media` and `@mediaRange`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Location {
    pub(super) url: Option<String>,
    pub(super) range: Option<ByteRange>,
}

/// The most adaptation sets and representations, and the most periods.
const MOST_REPRESENTATIONS: usize = 20_000;
const MOST_PERIODS: usize = 10_000;
/// The most `S` and `SegmentURL` elements.
const MOST_SEGMENTS: usize = 1_000_000;

/// Reads the whole of an MPD.
pub(super) fn read(text: &str, warnings: &mut Warnings) -> Result<Mpd, Fault> {
    let mut reader =
        DocumentReader { xml: Xml::new(text), warnings, representations: 0, segments: 0 };
    let root = reader.xml.root()?;
    if root.name() != "MPD" {
        return Err(ManifestErrorKind::NotMpd.at(root.line));
    }
    let mpd = reader.mpd(&root)?;
    reader.xml.finish()?;
    Ok(mpd)
}

struct DocumentReader<'a, 'w> {
    xml: Xml<'a>,
    warnings: &'w mut Warnings,
    representations: usize,
    segments: usize,
}

impl DocumentReader<'_, '_> {
    fn mpd(&mut self, element: &Element<'_>) -> Result<Mpd, Fault> {
        let mut mpd = Mpd {
            line: element.line,
            dynamic: false,
            duration: None,
            base: None,
            periods: Vec::new(),
        };
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "type" => match value.trim_ascii() {
                    "static" => mpd.dynamic = false,
                    "dynamic" => mpd.dynamic = true,
                    other => self.overlook(element, name, other),
                },
                "mediaPresentationDuration" => mpd.duration = span(element, name, value)?,
                _ => {}
            }
        }
        while let Some(child) = self.xml.child()? {
            match child.name() {
                "BaseURL" => self.base(&mut mpd.base)?,
                "Period" => {
                    if mpd.periods.len() >= MOST_PERIODS {
                        return Err(
                            ManifestErrorKind::limit("periods", MOST_PERIODS).at(child.line)
                        );
                    }
                    if let Some(period) = self.period(&child)? {
                        mpd.periods.push(period);
                    }
                }
                _ => self.xml.skip()?,
            }
        }
        Ok(mpd)
    }

    /// Nothing if the period is somewhere else.
    fn period(&mut self, element: &Element<'_>) -> Result<Option<Period>, Fault> {
        let mut period = Period { line: element.line, ..Period::default() };
        let mut remote = false;
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "id" => keep(&mut period.id, value),
                "start" => period.start = span(element, name, value)?,
                "duration" => period.duration = span(element, name, value)?,
                "xlink:href" => remote |= self.is_remote(element, value),
                _ => {}
            }
        }
        while let Some(child) = self.xml.child()? {
            match child.name() {
                "BaseURL" => self.base(&mut period.base)?,
                "AdaptationSet" => {
                    self.count_representation(child.line)?;
                    period.sets.extend(self.adaptation_set(&child)?);
                }
                _ => self.addressing(&child, &mut period.addressing)?,
            }
        }
        // Ten thousand periods with one set each are not meant to take room for four.
        period.sets.shrink_to_fit();
        Ok((!remote).then_some(period))
    }

    /// Nothing if the adaptation set is somewhere else.
    fn adaptation_set(&mut self, element: &Element<'_>) -> Result<Option<AdaptationSet>, Fault> {
        let mut set = AdaptationSet { line: element.line, ..AdaptationSet::default() };
        let mut remote = false;
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "contentType" => set.content_types.push(value.to_owned()),
                "lang" => set.language = Some(value.to_owned()).filter(|lang| !lang.is_empty()),
                "xlink:href" => remote |= self.is_remote(element, value),
                _ => self.common_attribute(element, name, value, &mut set.common),
            }
        }
        let explicit = !set.content_types.is_empty();
        while let Some(child) = self.xml.child()? {
            match child.name() {
                "BaseURL" => self.base(&mut set.base)?,
                "Representation" => {
                    self.count_representation(child.line)?;
                    let representation = self.representation(&child)?;
                    set.representations.push(representation);
                }
                "ContentComponent" => {
                    let mut attributes = child.attributes();
                    while let Some((name, value)) = attributes.next()? {
                        match name {
                            "contentType" if !explicit => set.content_types.push(value.to_owned()),
                            "lang" if set.language.is_none() => {
                                keep(&mut set.language, value);
                            }
                            _ => {}
                        }
                    }
                    self.xml.skip()?;
                }
                "Role" => {
                    let (scheme, value) = descriptor(&child)?;
                    if scheme == "urn:mpeg:dash:role:2011" {
                        set.roles.push(value);
                    }
                    self.xml.skip()?;
                }
                "Label" => {
                    let label = self.xml.content()?;
                    set.label.get_or_insert(label);
                }
                _ if self.common_element(&child, &mut set.common)? => {}
                _ => self.addressing(&child, &mut set.addressing)?,
            }
        }
        set.representations.shrink_to_fit();
        Ok((!remote).then_some(set))
    }

    fn representation(&mut self, element: &Element<'_>) -> Result<Representation, Fault> {
        let mut representation = Representation { line: element.line, ..Representation::default() };
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "id" => keep(&mut representation.id, value),
                "bandwidth" => match decimal::integer(value.trim_ascii()) {
                    Some(bandwidth) => representation.bandwidth = Some(bandwidth),
                    None => self.overlook(element, name, value),
                },
                _ => self.common_attribute(element, name, value, &mut representation.common),
            }
        }
        while let Some(child) = self.xml.child()? {
            match child.name() {
                "BaseURL" => self.base(&mut representation.base)?,
                _ if self.common_element(&child, &mut representation.common)? => {}
                _ => self.addressing(&child, &mut representation.addressing)?,
            }
        }
        Ok(representation)
    }

    fn common_attribute(
        &mut self,
        element: &Element<'_>,
        name: &str,
        value: &str,
        common: &mut Common,
    ) {
        let value = value.trim_ascii();
        let understood = match name {
            "mimeType" => {
                keep(&mut common.mime_type, value);
                true
            }
            "codecs" => {
                keep(&mut common.codecs, value);
                true
            }
            "width" => {
                common.width = pixels(value);
                common.width.is_some()
            }
            "height" => {
                common.height = pixels(value);
                common.height.is_some()
            }
            "frameRate" => {
                common.frame_rate = frame_rate(value);
                common.frame_rate.is_some()
            }
            _ => true,
        };
        if !understood {
            self.overlook(element, name, value);
        }
    }

    /// Whether the element was one of those that adaptation sets and representations share.
    fn common_element(
        &mut self,
        element: &Element<'_>,
        common: &mut Common,
    ) -> Result<bool, Fault> {
        match element.name() {
            "ContentProtection" => common.protected = true,
            "EssentialProperty" => {
                let (scheme, _) = descriptor(element)?;
                // Colours are the decoder's business (ISO/IEC 23091-2).
                if !scheme.starts_with("urn:mpeg:mpegB:cicp:") {
                    common.essential = Some(scheme);
                }
            }
            _ => return Ok(false),
        }
        self.xml.skip()?;
        Ok(true)
    }

    /// Reads segment information, or passes over an element that is something else.
    fn addressing(&mut self, element: &Element<'_>, levels: &mut Levels) -> Result<(), Fault> {
        let place = match element.name() {
            "SegmentBase" => &mut levels.base,
            "SegmentList" => &mut levels.list,
            "SegmentTemplate" => &mut levels.template,
            _ => return self.xml.skip(),
        };
        let mut addressing = Addressing::default();
        let mut remote = false;
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "timescale" => {
                    let timescale = u32::try_from(number(element, name, value)?);
                    match timescale {
                        Ok(timescale) if timescale > 0 => addressing.timescale = Some(timescale),
                        _ => return Err(invalid(element, name, value)),
                    }
                }
                "presentationTimeOffset" => {
                    addressing.presentation_time_offset = Some(number(element, name, value)?);
                }
                "duration" => match number(element, name, value)? {
                    0 => return Err(invalid(element, name, value)),
                    duration => addressing.duration = Some(duration),
                },
                "startNumber" => addressing.start_number = Some(number(element, name, value)?),
                "endNumber" => addressing.end_number = Some(number(element, name, value)?),
                "indexRange" => addressing.index_range = Some(range(element, name, value)?),
                "media" => keep(&mut addressing.media, value),
                "initialization" => keep(&mut addressing.initialization_template, value),
                "xlink:href" => remote |= self.is_remote(element, value),
                _ => {}
            }
        }
        let mut segments: Option<Vec<Location>> = None;
        while let Some(child) = self.xml.child()? {
            match child.name() {
                "Initialization" => {
                    addressing.initialization = Some(location(&child, "sourceURL", "range")?);
                    self.xml.skip()?;
                }
                "SegmentTimeline" => addressing.timeline = Some(self.timeline(&child)?),
                "SegmentURL" => {
                    self.count_segment(child.line)?;
                    let location = location(&child, "media", "mediaRange")?;
                    segments.get_or_insert_default().push(location);
                    self.xml.skip()?;
                }
                _ => self.xml.skip()?,
            }
        }
        addressing.segments = segments.map(Rc::from);
        if !remote {
            *place = Some(Box::new(addressing));
        }
        Ok(())
    }

    /// `SegmentTimeline` (§5.3.9.6).
    fn timeline(&mut self, element: &Element<'_>) -> Result<Rc<[timeline::S]>, Fault> {
        let mut timeline = Vec::new();
        while let Some(child) = self.xml.child()? {
            if child.name() == "S" {
                self.count_segment(child.line)?;
                let s = self.s(&child)?;
                timeline.push(s);
            }
            self.xml.skip()?;
        }
        if timeline.is_empty() {
            self.warnings.add(
                element.line,
                WarningCode::Missing,
                "there is no S in the SegmentTimeline",
            );
        }
        Ok(timeline.into())
    }

    fn s(&mut self, element: &Element<'_>) -> Result<timeline::S, Fault> {
        let mut s = timeline::S { time: None, number: None, duration: 0, repeat: 0 };
        let mut attributes = element.attributes();
        while let Some((name, value)) = attributes.next()? {
            match name {
                "t" => s.time = Some(number(element, name, value)?),
                "n" => s.number = Some(number(element, name, value)?),
                "d" => s.duration = number(element, name, value)?,
                "r" => {
                    s.repeat = match value.trim_ascii().strip_prefix('-') {
                        Some(negative) if decimal::integer(negative).is_some() => -1,
                        Some(_) => return Err(invalid(element, name, value)),
                        None => {
                            let repeat = number(element, name, value)?;
                            i64::try_from(repeat).map_err(|_| invalid(element, name, value))?
                        }
                    };
                }
                "k" if value.trim_ascii() != "1" => {
                    let feature = "a SegmentTimeline of segment sequences (S@k)";
                    return Err(ManifestErrorKind::unsupported(feature).at(element.line));
                }
                _ => {}
            }
        }
        if s.duration == 0 {
            return Err(ManifestErrorKind::missing_attribute("S", "d").at(element.line));
        }
        Ok(s)
    }

    /// The first `BaseURL` of a level counts; the others are alternatives to it.
    fn base(&mut self, base: &mut Option<String>) -> Result<(), Fault> {
        let url = self.xml.content()?;
        base.get_or_insert(url);
        Ok(())
    }

    /// Whether `xlink:href` points to content that would have to be loaded.
    fn is_remote(&mut self, element: &Element<'_>, target: &str) -> bool {
        let nothing = target == "urn:mpeg:dash:resolve-to-zero:2013";
        if !nothing {
            let message = format!("a remote {} is left out", element.name());
            self.warnings.add(element.line, WarningCode::Unsupported, message);
        }
        true
    }

    fn count_representation(&mut self, line: u64) -> Result<(), Fault> {
        self.representations += 1;
        if self.representations > MOST_REPRESENTATIONS {
            let what = "adaptation sets and representations";
            return Err(ManifestErrorKind::limit(what, MOST_REPRESENTATIONS).at(line));
        }
        Ok(())
    }

    fn count_segment(&mut self, line: u64) -> Result<(), Fault> {
        self.segments += 1;
        if self.segments > MOST_SEGMENTS {
            let what = "S and SegmentURL elements";
            return Err(ManifestErrorKind::limit(what, MOST_SEGMENTS).at(line));
        }
        Ok(())
    }

    fn overlook(&mut self, element: &Element<'_>, attribute: &str, value: &str) {
        let (name, value) = (element.name(), excerpt(value));
        let message = format!("\"{value}\" is no value for {name}@{attribute}");
        self.warnings.add(element.line, WarningCode::BadValue, message);
    }
}

#[inline(never)]
fn keep(place: &mut Option<String>, value: &str) {
    *place = Some(value.to_owned());
}

/// `@schemeIdUri` and `@value` (§5.8.2).
fn descriptor(element: &Element<'_>) -> Result<(String, String), Fault> {
    let (mut scheme, mut value) = (String::new(), String::new());
    let mut attributes = element.attributes();
    while let Some((name, text)) = attributes.next()? {
        match name {
            "schemeIdUri" => scheme = text.to_owned(),
            "value" => value = text.to_owned(),
            _ => {}
        }
    }
    Ok((scheme, value))
}

fn location(element: &Element<'_>, url: &str, within: &str) -> Result<Location, Fault> {
    let mut location = Location::default();
    let mut attributes = element.attributes();
    while let Some((name, value)) = attributes.next()? {
        if name == url {
            keep(&mut location.url, value);
        } else if name == within {
            location.range = Some(range(element, name, value)?);
        }
    }
    Ok(location)
}

fn invalid(element: &Element<'_>, attribute: &str, value: &str) -> Fault {
    let mut name = element.name().to_owned();
    name.push('@');
    name.push_str(attribute);
    ManifestErrorKind::invalid(&name, value).at(element.line)
}

fn number(element: &Element<'_>, attribute: &str, value: &str) -> Result<u64, Fault> {
    decimal::integer(value.trim_ascii()).ok_or_else(|| invalid(element, attribute, value))
}

fn span(element: &Element<'_>, attribute: &str, value: &str) -> Result<Option<MediaTime>, Fault> {
    match duration::parse(value) {
        Some(duration) if duration >= MediaTime::ZERO => Ok(Some(duration)),
        _ => Err(invalid(element, attribute, value)),
    }
}

/// `first-last`, both included, or `first-` (RFC 9110 §14.1.2).
fn range(element: &Element<'_>, attribute: &str, value: &str) -> Result<ByteRange, Fault> {
    let parse = || {
        let (first, last) = value.trim_ascii().split_once('-')?;
        let start = decimal::integer(first)?;
        let length = match last {
            "" => None,
            last => Some(decimal::integer(last)?.checked_sub(start)?.checked_add(1)?),
        };
        Some(ByteRange { start, length })
    };
    parse().ok_or_else(|| invalid(element, attribute, value))
}

fn pixels(value: &str) -> Option<u32> {
    u32::try_from(decimal::integer(value)?).ok()
}

/// A number of frames in a second, or a fraction of two numbers.
fn frame_rate(value: &str) -> Option<f64> {
    let (frames, seconds) = value.split_once('/').unwrap_or((value, "1"));
    let rate = decimal::float(frames)? / decimal::float(seconds)?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
