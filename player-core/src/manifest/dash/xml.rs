//! The elements of an MPD: XML 1.0 without document types, read in place.
//!
//! Nothing is checked that has no bearing on what is read: neither that names are made of the
//! characters the standard allows nor that attributes are unique. Where something stands is told by
//! its offset in the text; lines are counted when someone is told of it.

use super::runs;
use crate::manifest::{Fault, ManifestErrorKind};
use crate::url::cut;

/// A position in a document.
pub(super) struct Xml<'a> {
    pub(super) text: &'a str,
    /// Offset of what has not been read.
    pub(super) at: usize,
    /// Names of the elements around it, with their prefixes, the root first.
    open: Vec<&'a str>,
    /// The start tag read last was that of an empty element, whose end comes next.
    pub(super) at_end: bool,
    /// Attributes of the start tag read last.
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// An attribute as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    /// With its prefix, if it has one.
    pub(super) name: &'a str,
    /// Offset of the value.
    pub(super) at: usize,
    /// As written.
    pub(super) value: &'a str,
    /// There are references in it.
    pub(super) references: bool,
}

/// What a document is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// The start of an element: its name, with its prefix if it has one.
    Start(&'a str),
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
        Self { text, at: 0, open: Vec::new(), at_end: false, attributes: Vec::new() }
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Passes over the rest of the element whose start was read last.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let depth = self.open.len();
        while self.open.len() >= depth {
            self.inside()?;
        }
        Ok(())
    }

    /// Passes over white space that a tag comes after. It means nothing between elements.
    pub(super) fn pass_blank(&mut self) {
        let bytes = self.text.as_bytes();
        let at = skip_spaces(bytes, self.at);
        if !self.at_end && matches!(bytes.get(at), Some(b'<')) {
            self.at = at;
        }
    }

    /// Leaves the element whose start was read last: it ends before offset `at`.
    pub(super) fn leave(&mut self, at: usize) {
        self.open.pop();
        self.at_end = false;
        self.at = at;
    }

    /// Leaves the element whose start was read last, if it is an empty one.
    pub(super) fn leave_empty(&mut self) -> bool {
        let empty = core::mem::take(&mut self.at_end);
        if empty {
            self.open.pop();
        }
        empty
    }

    /// Length of the name of the element whose start was read last.
    pub(super) fn name_length(&self) -> usize {
        self.open.last().map_or(0, |name| name.len())
    }

    /// Passes over a start tag at an offset, if it is written like one that has been read: from where to
    /// where that stands, and the length of its name. Its attributes are not read.
    pub(super) fn again(&mut self, (start, end, name): (usize, usize, usize), at: usize) -> bool {
        let (bytes, after) = (self.text.as_bytes(), at + (end - start));
        let same = bytes.get(..after).map(|to| runs::common(to, at, bytes, start));
        let name = self.text.get(at + 1..at + 1 + name).filter(|name| !name.is_empty());
        let room = !self.at_end && self.open.len() < DEEPEST;
        match name.filter(|_| room && same == Some(end - start)) {
            None => false,
            Some(name) => {
                self.at_end = bytes.get(after - 2) == Some(&b'/');
                self.at = after;
                self.open.push(name);
                true
            }
        }
    }

    /// Reads on to the end of the document, once the root has been read.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        loop {
            let at = self.at;
            match self.event()? {
                Event::EndOfFile => return Ok(()),
                Event::Start(_) => return Err(fault("two root elements", at)),
                _ => {}
            }
        }
    }

    /// The next event inside an element, where the document cannot end.
    pub(super) fn inside(&mut self) -> Result<Event<'a>, Fault> {
        match self.event()? {
            Event::EndOfFile => Err(ManifestErrorKind::UnexpectedEnd.at(self.at as u64)),
            event => Ok(event),
        }
    }

    /// The next event. Where one is at fault, the offset of its beginning.
    #[inline(never)]
    pub(super) fn event(&mut self) -> Result<Event<'a>, Fault> {
        if core::mem::take(&mut self.at_end) {
            self.open.pop();
            return Ok(Event::End);
        }
        let at = self.at;
        let rest = self.text.get(at..).unwrap_or("");
        let bytes = rest.as_bytes();
        match bytes {
            [] => Ok(Event::EndOfFile),
            [b'&', ..] => {
                let name = self.through("&", ";")?;
                match name.contains(['&', '<']) {
                    true => Err(fault("an ampersand that begins no reference", at)),
                    false => Ok(Event::Reference(name)),
                }
            }
            [b'<', b'/', rest @ ..] => {
                // Hardly anyone puts a blank after the name.
                if let Some(name) = self.open.last().map(|name| name.as_bytes())
                    && runs::common(rest, 0, name, 0) == name.len()
                    && rest.get(name.len()) == Some(&b'>')
                {
                    self.at += name.len() + 3;
                    self.open.pop();
                    return Ok(Event::End);
                }
                let name = self.through("</", ">")?.trim_ascii_end();
                match self.open.pop() == Some(name) {
                    true => Ok(Event::End),
                    false => Err(fault("an end tag that does not match the start tag", at)),
                }
            }
            [b'<', b'?', ..] => self.through("<?", "?>").map(|_| Event::Aside),
            [b'<', b'!', ..] => self.declaration(rest),
            [b'<', ..] => self.start_tag().map(Event::Start),
            _ => {
                let mut end = 0;
                while let Some(&byte) = bytes.get(end)
                    && byte != b'<'
                    && byte != b'&'
                {
                    end += 1;
                }
                Ok(Event::Text(self.pass(end)))
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn declaration(&mut self, rest: &str) -> Result<Event<'a>, Fault> {
        if rest.starts_with("<!--") {
            return self.through("<!--", "-->").map(|_| Event::Aside);
        }
        if rest.starts_with("<![CDATA[") {
            return self.through("<![CDATA[", "]]>").map(Event::Text);
        }
        const DOCUMENT_TYPE: &[u8] = b"<!DOCTYPE";
        let start = rest.as_bytes().get(..DOCUMENT_TYPE.len());
        Err(match start.is_some_and(|start| start.eq_ignore_ascii_case(DOCUMENT_TYPE)) {
            true => ManifestErrorKind::DocumentType.at(self.at as u64),
            false => fault(UNENDING, self.at),
        })
    }

    /// Reads a start tag in one pass (XML 1.0 §3.1), without looking for duplicate attributes, which
    /// would cost more than everything else.
    fn start_tag(&mut self) -> Result<&'a str, Fault> {
        let text = self.text;
        let bytes = text.as_bytes();
        if self.open.len() >= DEEPEST {
            return Err(ManifestErrorKind::limit("levels of elements", DEEPEST).at(self.at as u64));
        }
        self.attributes.clear();
        let start = self.at + 1;
        let mut at = start;
        // A `>` in quotes does not end the tag, not even where quotes have no business.
        while let Some(&byte) = bytes.get(at)
            && (byte > b'>' || !is_space(byte) && !ends_tag(bytes, at))
        {
            at += 1;
            if byte == b'"' || byte == b'\'' {
                let quoted = at;
                at = self.quoted(at, byte)?.0 + 1;
                if bytes.get(quoted..at).is_some_and(|inside| inside.iter().any(|&b| is_space(b))) {
                    return Err(no_value(self.at));
                }
            }
        }
        let name = text.get(start..at).unwrap_or("");
        loop {
            at = skip_spaces(bytes, at);
            if ends_tag(bytes, at) {
                break;
            }
            let attribute = at;
            while let Some(&byte) = bytes.get(at)
                && (byte > b'>'
                    || byte != b'=' && !is_space(byte) && !matches!(byte, b'"' | b'\'' | b'>'))
            {
                at += 1;
            }
            let attribute = text.get(attribute..at).unwrap_or("");
            at = skip_spaces(bytes, at);
            let assigned = matches!(bytes.get(at), Some(b'='));
            if assigned {
                at = skip_spaces(bytes, at + 1);
            }
            let quote = match bytes.get(at) {
                Some(&quote @ (b'"' | b'\'')) => quote,
                Some(_) => return Err(no_value(self.at)),
                None => return Err(fault(UNENDING, self.at)),
            };
            if !assigned || attribute.is_empty() {
                return Err(no_value(self.at));
            }
            let start = at + 1;
            let (end, references) = self.quoted(start, quote)?;
            let value = text.get(start..end).unwrap_or("");
            if references && unescape(value).is_none() {
                return Err(fault(UNKNOWN_ENTITY, self.at));
            }
            self.attributes.push(Attribute { name: attribute, at: start, value, references });
            at = end + 1;
        }
        self.at_end = matches!(bytes.get(at), Some(b'/'));
        self.at = at + 1 + usize::from(self.at_end);
        self.open.push(name);
        Ok(name)
    }

    /// Where the quote is that ends what begins at `at`, and whether there are references before it.
    #[inline]
    fn quoted(&self, mut at: usize, quote: u8) -> Result<(usize, bool), Fault> {
        // Both quotes and the ampersand come before all letters and digits.
        const AFTER: u64 = 0x2828_2828_2828_2828;
        let bytes = self.text.as_bytes();
        let mut references = false;
        loop {
            while let Some(word) = runs::word(bytes, at) {
                // The high bit of each byte before those; a borrow reaches only bytes after the first.
                let low = word.wrapping_sub(AFTER) & !word & 0x8080_8080_8080_8080;
                at += (low.trailing_zeros() / 8) as usize;
                if low != 0 {
                    break;
                }
            }
            match bytes.get(at) {
                Some(&byte) if byte == quote => return Ok((at, references)),
                Some(&byte) => references |= byte == b'&',
                None => return Err(fault(UNENDING, self.at)),
            }
            at += 1;
        }
    }

    /// Passes over `start`, which is next, and all up to and with `end`; gives what is between.
    #[inline(never)]
    fn through(&mut self, start: &str, end: &str) -> Result<&'a str, Fault> {
        let at = self.at;
        let after = self.text.get(at + start.len()..).unwrap_or("");
        let end = end.as_bytes();
        let (first, bytes) = (end.first(), after.as_bytes());
        let length = (0..bytes.len()).find(|&place| {
            bytes.get(place) == first && bytes.get(place..place + end.len()) == Some(end)
        });
        let Some(length) = length else { return Err(fault(UNENDING, at)) };
        self.at = at + start.len() + length + end.len();
        Ok(after.get(..length).unwrap_or(""))
    }

    /// Passes over so many bytes, and gives them.
    fn pass(&mut self, length: usize) -> &'a str {
        let passed = self.text.get(self.at..self.at + length).unwrap_or("");
        self.at += length;
        passed
    }
}

/// Prefix and local name.
#[inline(never)]
pub(super) fn prefixed(name: &str) -> (Option<&str>, &str) {
    let colon = name.as_bytes().iter().position(|&byte| byte == b':');
    match colon.and_then(|colon| Some((name.get(..colon)?, name.get(colon + 1..)?))) {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a start tag ends here.
fn ends_tag(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'>') => true,
        Some(b'/') => matches!(bytes.get(at + 1), Some(b'>')),
        _ => false,
    }
}

#[inline(never)]
fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| is_space(byte)) {
        at += 1;
        // Elements are indented.
        while runs::word(bytes, at) == Some(0x2020_2020_2020_2020) {
            at += 8;
        }
    }
    at
}

/// An attribute's value with its references replaced (XML 1.0 §4.1); none if one means nothing.
#[cold]
#[inline(never)]
pub(super) fn unescape(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = cut(rest, b'&') {
        let (name, after) = cut(after, b';')?;
        out.push_str(before);
        out.push(character(name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// What a reference stands for: the character of a code, or one of the entities that are always
/// defined (XML 1.0 §4.6).
pub(super) fn character(reference: &str) -> Option<char> {
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

pub(super) const UNKNOWN_ENTITY: &str = "an entity that is not defined";
const UNENDING: &str = "markup that does not end";

#[cold]
#[inline(never)]
pub(super) fn fault(reason: &str, at: usize) -> Fault {
    ManifestErrorKind::Xml { reason: reason.to_owned() }.at(at as u64)
}

#[cold]
fn no_value(at: usize) -> Fault {
    fault("an attribute without a value in quotes", at)
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
            let at = xml.at;
            let line = 1 + text[..at].matches('\n').count();
            events.push(match xml.event() {
                Ok(Event::Start(name)) => {
                    let (prefix, local) = match name.split_once(':') {
                        Some((prefix, local)) => (Some(prefix), local),
                        None => (None, name),
                    };
                    let mut words = format!("{line}: {prefix:?} {local}");
                    for attribute in &xml.attributes {
                        let value = unescape(attribute.value).expect("checked");
                        assert!(text[attribute.at..].starts_with(attribute.value));
                        words.push_str(&format!(" {}={value}", attribute.name));
                    }
                    words
                }
                Ok(Event::End) => format!("{line}: end"),
                Ok(Event::Text(text)) => format!("{line}: text {text}"),
                Ok(Event::Reference(name)) => format!("{line}: {:?}", character(name)),
                Ok(Event::Aside) => format!("{line}: aside"),
                Ok(Event::EndOfFile) => return events,
                Err(fault) => {
                    assert_eq!(fault.line, at as u64);
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
                        let value = attribute.ok().and_then(|attribute| {
                            let value = quick_xml::escape::unescape(&attribute.value).ok()?;
                            Some(format!(" {}={value}", attribute.key.into_inner()))
                        });
                        let Some(value) = value else {
                            events.push("fault".to_owned());
                            return events;
                        };
                        words.push_str(&value);
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
