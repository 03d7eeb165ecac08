//! The elements of an MPD, over the events of `quick-xml`.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::manifest::{ManifestError, ManifestErrorKind};

/// A position in a document.
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// Line of the next event.
    line: u64,
    depth: usize,
    /// Namespace prefix of the root element: what has another is none of ours.
    prefix: Option<String>,
}

/// The start of an element.
pub(super) struct Element<'a> {
    start: BytesStart<'a>,
    /// Line it begins on.
    pub(super) line: u64,
}

/// How deep elements may lie in each other. An MPD needs eight.
const DEEPEST: usize = 64;

impl<'a> Xml<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, text, line: 1, depth: 0, prefix: None }
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<Element<'a>, ManifestError> {
        loop {
            let line = self.line;
            match self.event()? {
                Event::Start(start) => {
                    let prefix = start.name().prefix();
                    self.prefix = prefix.map(|prefix| prefix.into_inner().to_owned());
                    self.depth += 1;
                    return Ok(Element { start, line });
                }
                Event::Eof => return Err(ManifestErrorKind::NotMpd.at(line)),
                _ => {}
            }
        }
    }

    /// The next child of the element whose start was read last; none at its end. The child must
    /// be read to its own end, by this function or [`skip`](Self::skip), before the next.
    pub(super) fn child(&mut self) -> Result<Option<Element<'a>>, ManifestError> {
        loop {
            let line = self.line;
            match self.event()? {
                Event::Start(start) => {
                    self.enter(line)?;
                    let prefix = start.name().prefix().map(|prefix| prefix.into_inner());
                    if prefix == self.prefix.as_deref() {
                        return Ok(Some(Element { start, line }));
                    }
                    self.skip()?;
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(None);
                }
                Event::Eof => return Err(ManifestErrorKind::UnexpectedEnd.at(line)),
                _ => {}
            }
        }
    }

    /// Passes over the rest of the element whose start was read last.
    pub(super) fn skip(&mut self) -> Result<(), ManifestError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            let line = self.line;
            match self.event()? {
                Event::Start(_) => self.enter(line)?,
                Event::End(_) => self.depth -= 1,
                Event::Eof => return Err(ManifestErrorKind::UnexpectedEnd.at(line)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The text of the element whose start was read last, to its end, without white space around.
    pub(super) fn content(&mut self) -> Result<String, ManifestError> {
        let mut content = String::new();
        loop {
            let line = self.line;
            match self.event()? {
                Event::Text(text) => content.push_str(&text),
                Event::CData(text) => content.push_str(&text),
                Event::GeneralRef(name) => match name.resolve_char_ref() {
                    Ok(Some(character)) => content.push(character),
                    Ok(None) => match quick_xml::escape::resolve_xml_entity(&name) {
                        Some(text) => content.push_str(text),
                        None => return Err(xml_error(&"an entity that is not defined", line)),
                    },
                    Err(error) => return Err(xml_error(&error, line)),
                },
                Event::Start(_) => {
                    self.enter(line)?;
                    self.skip()?;
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(content.trim_ascii().to_owned());
                }
                Event::Eof => return Err(ManifestErrorKind::UnexpectedEnd.at(line)),
                _ => {}
            }
        }
    }

    /// Reads on to the end of the document, once the root has been read.
    pub(super) fn finish(&mut self) -> Result<(), ManifestError> {
        loop {
            let line = self.line;
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::Start(_) => return Err(xml_error(&"there are two root elements", line)),
                _ => {}
            }
        }
    }

    fn enter(&mut self, line: u64) -> Result<(), ManifestError> {
        if self.depth >= DEEPEST {
            return Err(ManifestErrorKind::limit("levels of elements", DEEPEST).at(line));
        }
        self.depth += 1;
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'a>, ManifestError> {
        let line = self.line;
        let from = self.reader.buffer_position();
        let event = self.reader.read_event().map_err(|error| xml_error(&error, line))?;
        let to = self.reader.buffer_position();
        let passed = self.text.as_bytes().get(from as usize..to as usize).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        match event {
            Event::DocType(_) => Err(ManifestErrorKind::DocumentType.at(line)),
            event => Ok(event),
        }
    }
}

impl Element<'_> {
    /// The name without prefix.
    pub(super) fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// Attributes in order: name, with its prefix if it has one, and value.
    pub(super) fn attributes(
        &self,
    ) -> impl Iterator<Item = Result<(&str, Cow<'_, str>), ManifestError>> {
        // Looking for duplicates would cost more than everything else.
        let mut attributes = self.start.attributes();
        attributes.with_checks(false);
        attributes.map(|attribute| {
            let attribute = attribute.map_err(|error| xml_error(&error, self.line))?;
            let value = if attribute.value.contains('&') {
                let text = quick_xml::escape::unescape(&attribute.value);
                Cow::Owned(text.map_err(|error| xml_error(&error, self.line))?.into_owned())
            } else {
                attribute.value
            };
            Ok((attribute.key.into_inner(), value))
        })
    }
}

fn xml_error(reason: &dyn core::fmt::Display, line: u64) -> ManifestError {
    let reason = reason.to_string();
    ManifestErrorKind::Xml { reason: crate::manifest::error::excerpt(&reason).to_owned() }.at(line)
}
