//! The elements of an MPD, over the events of `quick-xml`.

use std::borrow::Cow;

use quick_xml::errors::Error;
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
                        None => return Err(xml_error(UNKNOWN_ENTITY, line)),
                    },
                    Err(_) => return Err(xml_error(UNKNOWN_ENTITY, line)),
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
                Event::Start(_) => return Err(xml_error("two root elements", line)),
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
        let event = self.reader.read_event().map_err(|error| reader_error(error, line))?;
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
    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes { rest: self.start.attributes_raw(), line: self.line }
    }
}

/// Iterates over the attributes of an element (XML 1.0 §3.1), without looking for duplicates, which
/// would cost more than everything else. After an error it ends.
pub(super) struct Attributes<'a> {
    rest: &'a str,
    line: u64,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(&'a str, Cow<'a, str>), ManifestError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = core::mem::take(&mut self.rest).trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let parts = || {
            let (name, rest) = rest.split_once('=')?;
            let rest = rest.trim_ascii_start();
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, rest) = rest.strip_prefix(quote)?.split_once(quote)?;
            let name = name.trim_ascii_end();
            (!name.is_empty() && !name.contains([' ', '"', '\''])).then_some((name, value, rest))
        };
        let Some((name, value, rest)) = parts() else {
            return Some(Err(xml_error("an attribute without a value in quotes", self.line)));
        };
        self.rest = rest;
        Some(if value.contains('&') {
            match quick_xml::escape::unescape(value) {
                Ok(value) => Ok((name, value)),
                Err(_) => Err(xml_error(UNKNOWN_ENTITY, self.line)),
            }
        } else {
            Ok((name, Cow::Borrowed(value)))
        })
    }
}

const UNKNOWN_ENTITY: &str = "an entity that is not defined";

fn reader_error(error: Error, line: u64) -> ManifestError {
    // Their own texts would bring along formatting for everything XML can get wrong.
    let reason = match error {
        Error::Syntax(_) => "markup that does not end",
        Error::IllFormed(_) => "an end tag that does not match the start tag",
        _ => "it cannot be read",
    };
    xml_error(reason, line)
}

fn xml_error(reason: &str, line: u64) -> ManifestError {
    ManifestErrorKind::Xml { reason: reason.to_owned() }.at(line)
}
