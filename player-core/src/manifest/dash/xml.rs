//! The elements of an MPD: XML 1.0 without document types, read in place.
//!
//! Nothing is checked that has no bearing on what is read: neither that names are made of the
//! characters the standard allows nor that attributes are unique.

use crate::manifest::{Fault, ManifestErrorKind, lines_in};

/// A position in a document.
pub(super) struct Xml<'a> {
    /// What has not been read.
    rest: &'a str,
    /// Line it begins on.
    line: u64,
    /// Names of the elements around it, with their prefixes, the root first.
    open: Vec<&'a str>,
    /// The start tag read last was that of an empty element, whose end comes next.
    at_end: bool,
    /// Namespace prefix of the root element: what has another is none of ours.
    prefix: Option<&'a str>,
}

/// The start of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    prefix: Option<&'a str>,
    /// Without the prefix.
    name: &'a str,
    attributes: &'a str,
    /// Line it begins on.
    pub(super) line: u64,
}

/// What a document is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event<'a> {
    Start(Element<'a>),
    End,
    /// Text without references, from outside or inside a CDATA section.
    Text(&'a str),
    /// The name of an entity or `#` and the code of a character.
    Reference(&'a str),
    /// A comment, a processing instruction or the declaration.
    Aside,
    EndOfFile,
}

/// How deep elements may lie in each other. An MPD needs eight.
const DEEPEST: usize = 64;

impl<'a> Xml<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1, open: Vec::new(), at_end: false, prefix: None }
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<Element<'a>, Fault> {
        loop {
            match self.event()? {
                Event::Start(root) => {
                    self.prefix = root.prefix;
                    return Ok(root);
                }
                Event::EndOfFile => return Err(ManifestErrorKind::NotMpd.at(self.line)),
                _ => {}
            }
        }
    }

    /// The next child of the element whose start was read last; none at its end. The child must
    /// be read to its own end, by this function or [`skip`](Self::skip), before the next.
    pub(super) fn child(&mut self) -> Result<Option<Element<'a>>, Fault> {
        loop {
            match self.inside()? {
                Event::Start(child) if child.prefix == self.prefix => return Ok(Some(child)),
                Event::Start(_) => self.skip()?,
                Event::End => return Ok(None),
                _ => {}
            }
        }
    }

    /// Passes over the rest of the element whose start was read last.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let depth = self.open.len();
        while self.open.len() >= depth {
            self.inside()?;
        }
        Ok(())
    }

    /// The text of the element whose start was read last, to its end, without white space around.
    pub(super) fn content(&mut self) -> Result<String, Fault> {
        let mut content = String::new();
        loop {
            let line = self.line;
            match self.inside()? {
                Event::Text(text) => content.push_str(text),
                Event::Reference(name) => match character(name) {
                    Some(character) => content.push(character),
                    None => return Err(fault(UNKNOWN_ENTITY, line)),
                },
                Event::Start(_) => self.skip()?,
                Event::End => return Ok(content.trim_ascii().to_owned()),
                _ => {}
            }
        }
    }

    /// Reads on to the end of the document, once the root has been read.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        loop {
            let line = self.line;
            match self.event()? {
                Event::EndOfFile => return Ok(()),
                Event::Start(_) => return Err(fault("two root elements", line)),
                _ => {}
            }
        }
    }

    /// The next event inside an element, where the document cannot end.
    fn inside(&mut self) -> Result<Event<'a>, Fault> {
        match self.event()? {
            Event::EndOfFile => Err(ManifestErrorKind::UnexpectedEnd.at(self.line)),
            event => Ok(event),
        }
    }

    #[inline(never)]
    fn event(&mut self) -> Result<Event<'a>, Fault> {
        if core::mem::take(&mut self.at_end) {
            self.open.pop();
            return Ok(Event::End);
        }
        let line = self.line;
        let rest = self.rest;
        if rest.is_empty() {
            return Ok(Event::EndOfFile);
        }
        if rest.starts_with('&') {
            let name = self.through("&", ";")?;
            return match name.contains(['&', '<']) {
                true => Err(fault("an ampersand that begins no reference", line)),
                false => Ok(Event::Reference(name)),
            };
        }
        if !rest.starts_with('<') {
            let length = rest.find(['<', '&']).unwrap_or(rest.len());
            return Ok(Event::Text(self.pass(length)));
        }
        if rest.starts_with("</") {
            let name = self.through("</", ">")?.trim_ascii_end();
            return match self.open.pop() == Some(name) {
                true => Ok(Event::End),
                false => Err(fault("an end tag that does not match the start tag", line)),
            };
        }
        if rest.starts_with("<?") {
            return self.through("<?", "?>").map(|_| Event::Aside);
        }
        if !rest.starts_with("<!") {
            return self.start_tag().map(Event::Start);
        }
        if rest.starts_with("<!--") {
            return self.through("<!--", "-->").map(|_| Event::Aside);
        }
        if rest.starts_with("<![CDATA[") {
            return self.through("<![CDATA[", "]]>").map(Event::Text);
        }
        const DOCUMENT_TYPE: &[u8] = b"<!DOCTYPE";
        let start = rest.as_bytes().get(..DOCUMENT_TYPE.len());
        Err(match start.is_some_and(|start| start.eq_ignore_ascii_case(DOCUMENT_TYPE)) {
            true => ManifestErrorKind::DocumentType.at(line),
            false => fault(UNENDING, line),
        })
    }

    fn start_tag(&mut self) -> Result<Element<'a>, Fault> {
        let line = self.line;
        // A `>` in quotes does not end the tag.
        let mut quote = None;
        let length = self.rest.bytes().position(|byte| {
            match quote {
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                None => return byte == b'>',
                Some(open) if open == byte => quote = None,
                Some(_) => {}
            }
            false
        });
        let length = length.ok_or_else(|| fault(UNENDING, line))?;
        let tag = self.rest.get(1..length).unwrap_or("");
        self.pass(length + 1);
        let tag = match tag.strip_suffix('/') {
            Some(tag) => {
                self.at_end = true;
                tag
            }
            None => tag,
        };
        if self.open.len() >= DEEPEST {
            return Err(ManifestErrorKind::limit("levels of elements", DEEPEST).at(line));
        }
        let (full_name, attributes) = match tag.find([' ', '\t', '\r', '\n']) {
            Some(end) => tag.split_at_checked(end).unwrap_or((tag, "")),
            None => (tag, ""),
        };
        self.open.push(full_name);
        let (prefix, name) = match full_name.split_once(':') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, full_name),
        };
        Ok(Element { prefix, name, attributes, line })
    }

    /// Passes over `start`, which is next, and all up to and with `end`; gives what is between.
    fn through(&mut self, start: &str, end: &str) -> Result<&'a str, Fault> {
        let after = self.rest.get(start.len()..).unwrap_or("");
        let mut windows = after.as_bytes().windows(end.len());
        let Some(length) = windows.position(|window| window == end.as_bytes()) else {
            return Err(fault(UNENDING, self.line));
        };
        self.pass(start.len() + length + end.len());
        Ok(after.get(..length).unwrap_or(""))
    }

    /// Passes over so many bytes, and gives them.
    fn pass(&mut self, length: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += lines_in(passed.as_bytes());
        self.rest = rest;
        passed
    }
}

impl<'a> Element<'a> {
    /// The name without prefix.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// Attributes in order: name, with its prefix if it has one, and value.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.attributes, line: self.line, unescaped: String::new() }
    }
}

/// Goes over the attributes of an element (XML 1.0 §3.1), without looking for duplicates, which
/// would cost more than everything else. After an error it ends.
pub(super) struct Attributes<'a> {
    rest: &'a str,
    line: u64,
    /// The last value, if it held references.
    unescaped: String,
}

impl<'a> Attributes<'a> {
    /// Name and value of the next attribute; none after the last.
    #[inline(never)]
    pub(super) fn next(&mut self) -> Result<Option<(&'a str, &str)>, Fault> {
        let rest = core::mem::take(&mut self.rest).trim_ascii_start();
        if rest.is_empty() {
            return Ok(None);
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
            return Err(fault("an attribute without a value in quotes", self.line));
        };
        self.rest = rest;
        if !value.contains('&') {
            return Ok(Some((name, value)));
        }
        match unescape(value) {
            Some(unescaped) => self.unescaped = unescaped,
            None => {
                self.rest = "";
                return Err(fault(UNKNOWN_ENTITY, self.line));
            }
        }
        Ok(Some((name, &self.unescaped)))
    }
}

/// An attribute's value with its references replaced (XML 1.0 §4.1); none if one means nothing.
fn unescape(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';')?;
        out.push_str(before);
        out.push(character(name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// What a reference stands for: the character of a code, or one of the entities that are always
/// defined (XML 1.0 §4.6).
fn character(reference: &str) -> Option<char> {
    let Some(code) = reference.strip_prefix('#') else {
        return Some(match reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
    };
    let (digits, radix) = match code.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (code, 10),
    };
    let code = digits.chars().try_fold(0u32, |code, digit| {
        code.checked_mul(radix)?.checked_add(digit.to_digit(radix)?)
    })?;
    // That of no digits is none, either.
    char::from_u32(code).filter(|&character| character != '\0')
}

const UNKNOWN_ENTITY: &str = "an entity that is not defined";
const UNENDING: &str = "markup that does not end";

#[cold]
#[inline(never)]
fn fault(reason: &str, line: u64) -> Fault {
    ManifestErrorKind::Xml { reason: reason.to_owned() }.at(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quick_xml::events::Event as Theirs;

    /// What a document is made of, in words, up to the first fault.
    fn ours(text: &str) -> Vec<String> {
        let mut xml = Xml::new(text);
        let mut events = Vec::new();
        loop {
            let line = xml.line;
            events.push(match xml.event() {
                Ok(Event::Start(element)) => {
                    let mut words = format!("{line}: {:?} {}", element.prefix, element.name);
                    let mut attributes = element.attributes();
                    loop {
                        match attributes.next() {
                            Ok(Some((name, value))) => {
                                words.push_str(&format!(" {name}={value}"));
                            }
                            Ok(None) => break words,
                            Err(_) => words.push_str(" fault"),
                        }
                    }
                }
                Ok(Event::End) => format!("{line}: end"),
                Ok(Event::Text(text)) => format!("{line}: text {text}"),
                Ok(Event::Reference(name)) => format!("{line}: {:?}", character(name)),
                Ok(Event::Aside) => format!("{line}: aside"),
                Ok(Event::EndOfFile) => return events,
                Err(fault) => {
                    assert_eq!(fault.line, line);
                    events.push("fault".to_owned());
                    return events;
                }
            });
        }
    }

    /// As [`ours`], by `quick-xml`.
    fn theirs(text: &str) -> Vec<String> {
        let mut reader = quick_xml::Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut events = Vec::new();
        loop {
            let before = &text[..reader.buffer_position() as usize];
            let line = 1 + before.matches('\n').count();
            let named = |word: &str| format!("{line}: {word}");
            events.push(match reader.read_event() {
                Ok(Theirs::Start(start)) => {
                    let name = start.name();
                    let prefix = name.prefix().map(|prefix| prefix.into_inner().to_owned());
                    let local = start.local_name().into_inner().to_owned();
                    let mut words = format!("{line}: {prefix:?} {local}");
                    for attribute in start.attributes().with_checks(false) {
                        let Ok(attribute) = attribute else {
                            words.push_str(" fault");
                            break;
                        };
                        match quick_xml::escape::unescape(&attribute.value) {
                            Ok(value) => {
                                words.push_str(&format!(" {}={value}", attribute.key.into_inner()));
                            }
                            Err(_) => {
                                words.push_str(" fault");
                                break;
                            }
                        }
                    }
                    words
                }
                Ok(Theirs::End(_)) => named("end"),
                Ok(Theirs::Text(text)) => named(&format!("text {}", &*text)),
                Ok(Theirs::CData(text)) => named(&format!("text {}", &*text)),
                Ok(Theirs::GeneralRef(name)) => {
                    let character = match name.resolve_char_ref() {
                        Ok(None) => quick_xml::escape::resolve_xml_entity(&name)
                            .and_then(|text| text.chars().next()),
                        known => known.ok().flatten(),
                    };
                    format!("{line}: {character:?}")
                }
                Ok(Theirs::DocType(_)) | Err(_) => {
                    events.push("fault".to_owned());
                    return events;
                }
                Ok(Theirs::Eof) => return events,
                Ok(_) => named("aside"),
            });
        }
    }

    #[test]
    fn references_stand_for_characters() {
        for (reference, expected) in [
            ("amp", Some('&')),
            ("#65", Some('A')),
            ("#x1F600", Some('\u{1f600}')),
            ("#0", None),
            ("#", None),
            ("#x", None),
            ("#+65", None),
            ("#xd800", None),
            ("#99999999999", None),
            ("bomb", None),
        ] {
            assert_eq!(character(reference), expected, "{reference}");
        }
    }

    #[test]
    fn lines_are_those_that_markup_begins_on() {
        let text = "<a\nb='1'>\n<!-- \n -->x\n<c\n/>";
        let lines: Vec<_> = ours(text)
            .iter()
            .map(|event| event.split(':').next().unwrap_or("").to_owned())
            .collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(ours(text), theirs(text));
    }

    /// Pieces that meet in documents, well-formed and not.
    fn piece() -> impl Strategy<Value = String> {
        const FIXED: &[&str] = &[
            "<a>",
            "</a>",
            "<n:a>",
            "</n:a>",
            "<a/>",
            "<a b='>'>",
            "<a b=\"x\" c = 'y&lt;'/>",
            "</a >",
            "<a\n b='&#10;'\t>",
            "<a b='&no;'>",
            "<a b>",
            "<a b=c>",
            "<a 'b'>",
            "<!-- > -->",
            "<!-->",
            "<!--->",
            "<![CDATA[ <a> &]]>",
            "<![CDATA[]]",
            "<?p ?>",
            "&amp;",
            "&#x41;",
            "&no;",
            "& ",
            "&&",
            "]]>",
            "\n",
            " text ",
            "<!DOCTYPE a>",
            "<!doctype a []>",
            "<!ELEMENT a>",
            "<",
            ">",
            "'",
            "\"",
            "\u{e9}",
        ];
        prop_oneof![
            4 => proptest::sample::select(FIXED).prop_map(str::to_owned),
            1 => "[<>/!?&;a:'\"= \n-]{0,6}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn documents_are_read_as_quick_xml_reads_them(
            pieces in proptest::collection::vec(piece(), 0..14),
        ) {
            let text = pieces.concat();
            // A processing instruction that begins with its own end is too short for them.
            prop_assume!(!text.contains("<?>"));
            prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
        }
    }
}
