//! Attribute lists (RFC 8216bis §4.2).

use std::borrow::Cow;

use super::variables::Variables;
use crate::manifest::error::excerpt;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, Warnings, decimal};
use crate::time::MediaTime;

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
            let Some((name, after)) = rest.split_once('=') else {
                warnings.add(
                    line,
                    WarningCode::Syntax,
                    format!("{tag}: \"{}\" is no attribute", excerpt(rest)),
                );
                break;
            };
            let name = name.trim_ascii();
            let (value, quoted, after) = match after.trim_ascii_start().strip_prefix('"') {
                Some(value) => match value.split_once('"') {
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
                    let end = after.find(',').unwrap_or(after.len());
                    let (value, after) = after.split_at_checked(end).unwrap_or((after, ""));
                    (value.trim_ascii(), false, after)
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

    /// An enumerated string.
    pub(super) fn word(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|attribute| attribute.value)
    }

    /// Whether it is `YES`.
    pub(super) fn yes(&self, name: &str) -> bool {
        self.word(name) == Some("YES")
    }

    /// A quoted string, variables replaced.
    pub(super) fn text(
        &self,
        name: &str,
        variables: &Variables,
        warnings: &mut Warnings,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        if !attribute.quoted {
            warnings.add(
                self.line,
                WarningCode::Syntax,
                format!("{}: {name} must be quoted", self.tag),
            );
        }
        variables.substitute(attribute.value, self.line).map(Some)
    }

    /// As [`text`](Self::text), where the tag makes no sense without.
    pub(super) fn need_text(
        &self,
        name: &str,
        variables: &Variables,
        warnings: &mut Warnings,
    ) -> Result<Cow<'a, str>, Fault> {
        self.text(name, variables, warnings)?
            .ok_or_else(|| ManifestErrorKind::missing_attribute(self.tag, name).at(self.line))
    }

    /// A decimal integer.
    pub(super) fn integer(&self, name: &str, warnings: &mut Warnings) -> Option<u64> {
        self.read_as(name, warnings, decimal::integer)
    }

    /// A decimal number.
    pub(super) fn float(&self, name: &str, warnings: &mut Warnings) -> Option<f64> {
        self.read_as(name, warnings, decimal::float)
    }

    /// A decimal resolution: width and height in pixels.
    pub(super) fn resolution(&self, name: &str, warnings: &mut Warnings) -> Option<(u32, u32)> {
        self.read_as(name, warnings, |text| {
            let (width, height) = text.split_once(['x', 'X'])?;
            let pixels = |text| u32::try_from(decimal::integer(text)?).ok();
            Some((pixels(width)?, pixels(height)?))
        })
    }

    fn read_as<T>(
        &self,
        name: &str,
        warnings: &mut Warnings,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let attribute = self.find(name)?;
        let value = read(attribute.value);
        if value.is_none() {
            let (tag, text) = (self.tag, excerpt(attribute.value));
            warnings.add(
                self.line,
                WarningCode::BadValue,
                format!("{tag}: \"{text}\" is no value for {name}"),
            );
        }
        value
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
        let mut warnings = Warnings::default();
        let attributes = Attributes::read(
            "TAG",
            "RESOLUTION=1920x1080,FRAME-RATE=29.97,BANDWIDTH=5,SIZE=1920*1080,DEFAULT=YES,B=-1",
            1,
            &mut warnings,
        );
        assert_eq!(attributes.resolution("RESOLUTION", &mut warnings), Some((1920, 1080)));
        assert_eq!(attributes.float("FRAME-RATE", &mut warnings), Some(29.97));
        assert_eq!(attributes.integer("BANDWIDTH", &mut warnings), Some(5));
        assert!(attributes.yes("DEFAULT"));
        assert_eq!(attributes.integer("ABSENT", &mut warnings), None);
        assert_eq!(attributes.resolution("SIZE", &mut warnings), None);
        assert_eq!(attributes.integer("B", &mut warnings), None);
        let messages: Vec<_> =
            warnings.with(()).warnings.into_iter().map(|warning| warning.message).collect();
        assert_eq!(
            messages,
            ["TAG: \"1920*1080\" is no value for SIZE", "TAG: \"-1\" is no value for B"]
        );
    }
}
