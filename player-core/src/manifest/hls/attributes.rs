//! Attribute lists (RFC 8216bis §4.2).

use std::borrow::Cow;

use super::reading::Reading;
use crate::manifest::date::Dates;
use crate::manifest::error::excerpt;
use crate::manifest::{WarningCode, Warnings, binary, decimal};
use crate::time::{MediaTime, WallTime};
use crate::url::cut;

/// The attributes of one tag. What is not well formed has been reported and left out.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    tag: &'a str,
    line: u64,
    list: Vec<Attribute<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attribute<'a> {
    name: &'a str,
    /// Without the quotation marks.
    value: &'a str,
    quoted: bool,
}

impl<'a> Attributes<'a> {
    pub(super) fn read(tag: &'a str, text: &'a str, line: u64, warnings: &mut Warnings) -> Self {
        let mut list: Vec<Attribute<'a>> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let Some((name, after)) = cut(rest, b'=') else {
                warnings.add(
                    line,
                    WarningCode::Syntax,
                    format!("{tag}: \"{}\" is no attribute", excerpt(rest)),
                );
                break;
            };
            let name = name.trim_ascii();
            let (value, quoted, after) = match after.trim_ascii_start().strip_prefix('"') {
                Some(value) => match cut(value, b'"') {
                    Some((value, after)) => (value, true, after.trim_ascii_start()),
                    None => {
                        warnings.add(
                            line,
                            WarningCode::Syntax,
                            format!("{tag}: {name} lacks its closing quote"),
                        );
                        break;
                    }
                },
                None => {
                    let value = cut(after, b',').map_or(after, |(value, _)| value);
                    (value.trim_ascii(), false, after.get(value.len()..).unwrap_or(""))
                }
            };
            rest = match after.strip_prefix(',') {
                Some(after) => after.trim_ascii_start(),
                None if after.is_empty() => after,
                None => {
                    warnings.add(
                        line,
                        WarningCode::Syntax,
                        format!("{tag}: a comma is missing after {name}"),
                    );
                    after
                }
            };
            let proper =
                |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || !name.bytes().all(proper) {
                let name = excerpt(name);
                warnings.add(
                    line,
                    WarningCode::Syntax,
                    format!("{tag}: \"{name}\" is no attribute name"),
                );
            } else if list.len() >= MOST_ATTRIBUTES {
                warnings.add(
                    line,
                    WarningCode::Syntax,
                    format!("{tag}: there are too many attributes"),
                );
                break;
            } else if list.iter().any(|before| before.name == name) {
                warnings.add(
                    line,
                    WarningCode::Duplicate,
                    format!("{tag}: {name} is there twice; the first counts"),
                );
            } else {
                list.push(Attribute { name, value, quoted });
            }
        }
        Self { tag, line, list }
    }

    fn find(&self, name: &str) -> Option<&Attribute<'a>> {
        self.list.iter().find(|attribute| attribute.name == name)
    }

    /// Every name and value as written, less quotes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.list.iter().map(|attribute| (attribute.name, attribute.value))
    }

    /// An enumerated string.
    pub(super) fn word(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|attribute| attribute.value)
    }

    /// Whether it is `YES`.
    pub(super) fn yes(&self, name: &str) -> bool {
        self.word(name) == Some("YES")
    }

    /// A quoted string, variables replaced.
    #[inline(never)]
    pub(super) fn text(&self, name: &str, reading: &mut Reading<'_>) -> Option<Cow<'a, str>> {
        let attribute = self.find(name)?;
        if !attribute.quoted {
            let message = format!("{}: {name} must be quoted", self.tag);
            reading.warnings.add(self.line, WarningCode::Syntax, message);
        }
        Some(reading.substitute(attribute.value, self.line))
    }

    /// As [`text`](Self::text), to be kept; none if it is empty.
    #[inline(never)]
    pub(super) fn string(&self, name: &str, reading: &mut Reading<'_>) -> Option<String> {
        let text = self.text(name, reading)?;
        if text.is_empty() { None } else { Some(text.into_owned()) }
    }

    /// A quoted string that the tag makes no sense without; says so if it is not there.
    #[inline(never)]
    pub(super) fn need_string(&self, name: &str, reading: &mut Reading<'_>) -> Option<String> {
        let text = self.string(name, reading);
        if text.is_none() {
            self.lacks(name, reading);
        }
        text
    }

    /// The absolute URL of a quoted URI.
    #[inline(never)]
    pub(super) fn url(&self, name: &str, reading: &mut Reading<'_>) -> Option<String> {
        let reference = self.text(name, reading)?;
        Some(reading.resolve(&reference, self.line))
    }

    /// A decimal integer.
    pub(super) fn integer(&self, name: &str, reading: &mut Reading<'_>) -> Option<u64> {
        self.read_as(name, reading, |text, _| decimal::integer(text))
    }

    /// A decimal number.
    pub(super) fn float(&self, name: &str, reading: &mut Reading<'_>) -> Option<f64> {
        self.read_as(name, reading, |text, _| decimal::float(text))
    }

    /// A duration in decimal seconds; never negative.
    pub(super) fn seconds(&self, name: &str, reading: &mut Reading<'_>) -> Option<MediaTime> {
        self.read_as(name, reading, |text, _| duration(text))
    }

    /// A duration in decimal seconds, which may be negative.
    pub(super) fn signed(&self, name: &str, reading: &mut Reading<'_>) -> Option<MediaTime> {
        self.read_as(name, reading, |text, _| decimal::seconds(text))
    }

    /// A date.
    pub(super) fn date(&self, name: &str, reading: &mut Reading<'_>) -> Option<WallTime> {
        self.read_as(name, reading, |text, dates| dates.read(text))
    }

    /// A hexadecimal sequence, such as `0xFC30`.
    pub(super) fn bytes(&self, name: &str, reading: &mut Reading<'_>) -> Option<Vec<u8>> {
        self.read_as(name, reading, |text, _| {
            binary::hexadecimal(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?)
        })
    }

    /// A 128-bit number in hexadecimal.
    pub(super) fn bits(&self, name: &str, reading: &mut Reading<'_>) -> Option<[u8; 16]> {
        let bytes = self.bytes(name, reading)?;
        let mut bits = [0; 16];
        // Leading zeroes may be left out; more than 128 bits is no such number.
        match bits.len().checked_sub(bytes.len()).and_then(|start| bits.get_mut(start..)) {
            Some(low) => low.iter_mut().zip(bytes).for_each(|(bit, byte)| *bit = byte),
            None => {
                reading.bad_value(name, self.word(name).unwrap_or_default(), self.line);
                return None;
            }
        }
        Some(bits)
    }

    /// A decimal resolution: width and height in pixels.
    pub(super) fn resolution(&self, name: &str, reading: &mut Reading<'_>) -> Option<(u32, u32)> {
        self.read_as(name, reading, |text, _| {
            let (width, height) = text.split_once(['x', 'X'])?;
            let pixels = |text| u32::try_from(decimal::integer(text)?).ok();
            Some((pixels(width)?, pixels(height)?))
        })
    }

    /// Says that an attribute is not there.
    pub(super) fn lacks(&self, name: &str, reading: &mut Reading<'_>) {
        let message = format!("{} lacks its {name}", self.tag);
        reading.warnings.add(self.line, WarningCode::Missing, message);
    }

    /// A value of a type of its own. Variables are replaced in it: dates are quoted strings, and
    /// hexadecimal sequences may have them as well (RFC 8216bis §4.3).
    fn read_as<T>(
        &self,
        name: &str,
        reading: &mut Reading<'_>,
        read: fn(&str, &mut Dates) -> Option<T>,
    ) -> Option<T> {
        let text = reading.substitute(self.word(name)?, self.line);
        let value = read(&text, &mut reading.dates);
        if value.is_none() {
            self.refuse(name, &text, reading);
        }
        value
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, name: &str, text: &str, reading: &mut Reading<'_>) {
        let message = format!("{}: \"{}\" is no value for {name}", self.tag, excerpt(text));
        reading.warnings.add(self.line, WarningCode::BadValue, message);
    }
}

/// No tag has a quarter as many; a client-defined one might have some.
const MOST_ATTRIBUTES: usize = 100;

/// A duration in decimal seconds, as `EXTINF` has it; never negative.
pub(super) fn duration(text: &str) -> Option<MediaTime> {
    decimal::seconds(text).filter(|&duration| duration >= MediaTime::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(&str, &str, bool)>, Vec<String>) {
        let mut warnings = Warnings::default();
        let attributes = Attributes::read("TAG", text, 3, &mut warnings);
        let list = attributes.list.iter().map(|a| (a.name, a.value, a.quoted)).collect();
        let warnings = warnings.with(()).warnings;
        assert!(warnings.iter().all(|warning| warning.line == 3));
        (list, warnings.into_iter().map(|warning| warning.message).collect())
    }

    #[test]
    fn commas_and_equal_signs_in_quotes_are_text() {
        let (list, warnings) =
            read(r#"CODECS="avc1.64001f,mp4a.40.2",URI="a?b=c",BANDWIDTH=12,X="""#);
        assert_eq!(
            list,
            [
                ("CODECS", "avc1.64001f,mp4a.40.2", true),
                ("URI", "a?b=c", true),
                ("BANDWIDTH", "12", false),
                ("X", "", true),
            ]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn white_space_is_overlooked() {
        let (list, warnings) = read(r#" A=1 , B = "x" ,C=y"#);
        assert_eq!(list, [("A", "1", false), ("B", "x", true), ("C", "y", false)]);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn what_is_wrong_is_named_and_the_rest_kept() {
        for (text, kept, message) in [
            ("A=1,B", 1, "TAG: \"B\" is no attribute"),
            ("A=1,B=\"x", 1, "TAG: B lacks its closing quote"),
            ("A=1,a=2,C=3", 2, "TAG: \"a\" is no attribute name"),
            ("A=1,=2", 1, "TAG: \"\" is no attribute name"),
            ("A=1,A=2", 1, "TAG: A is there twice; the first counts"),
            ("A=\"1\"B=2", 2, "TAG: a comma is missing after A"),
        ] {
            let (list, warnings) = read(text);
            assert_eq!((list.len(), &list[0]), (kept, &("A", "1", list[0].2)), "{text}");
            assert_eq!(warnings, [message]);
        }
    }

    #[test]
    fn values_have_types() {
        let mut reading = Reading::new("https://a/b/c");
        let attributes = Attributes::read(
            "TAG",
            "RESOLUTION=1920x1080,FRAME-RATE=29.97,BANDWIDTH=5,SIZE=1920*1080,DEFAULT=YES,B=-1,\
             OFFSET=-1.5,IV=0x0102,CMD=0xFC30,WIDE=0x0000000000000000000000000000000001,\
             AT=\"1970-01-01T00:00:01Z\",URI=\"d\",BARE=d,EMPTY=\"\"",
            1,
            &mut reading.warnings,
        );
        let reading = &mut reading;
        assert_eq!(attributes.resolution("RESOLUTION", reading), Some((1920, 1080)));
        assert_eq!(attributes.float("FRAME-RATE", reading), Some(29.97));
        assert_eq!(attributes.integer("BANDWIDTH", reading), Some(5));
        assert!(attributes.yes("DEFAULT"));
        assert_eq!(attributes.integer("ABSENT", reading), None);
        assert_eq!(attributes.signed("OFFSET", reading), Some(MediaTime::from_millis(-1500)));
        assert_eq!(attributes.bits("IV", reading).map(|iv| iv[13..].to_vec()), Some(vec![0, 1, 2]));
        assert_eq!(attributes.bytes("CMD", reading), Some(vec![0xfc, 0x30]));
        assert_eq!(attributes.date("AT", reading), Some(WallTime::from_micros(1_000_000)));
        assert_eq!(attributes.url("URI", reading), Some("https://a/b/d".into()));
        assert_eq!(attributes.need_string("CMD", reading), Some("0xFC30".into()));
        let wrong = [
            attributes.resolution("SIZE", reading).is_none(),
            attributes.integer("B", reading).is_none(),
            attributes.seconds("OFFSET", reading).is_none(),
            attributes.bits("WIDE", reading).is_none(),
            attributes.bytes("BARE", reading).is_none(),
            attributes.need_string("EMPTY", reading).is_none(),
        ];
        assert_eq!(wrong, [true; 6]);
        let warnings = core::mem::take(&mut reading.warnings).with(()).warnings;
        let messages: Vec<_> = warnings.into_iter().map(|warning| warning.message).collect();
        assert_eq!(
            messages,
            [
                "TAG: CMD must be quoted",
                "TAG: \"1920*1080\" is no value for SIZE",
                "TAG: \"-1\" is no value for B",
                "TAG: \"-1.5\" is no value for OFFSET",
                "\"0x0000000000000000000000000000000001\" is no value for WIDE",
                "TAG: \"d\" is no value for BARE",
                "TAG lacks its EMPTY",
            ]
        );
    }
}
