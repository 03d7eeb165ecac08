//! Variables (RFC 8216bis §4.3, `EXT-X-DEFINE`).

use std::borrow::Cow;

use super::attributes::Attributes;
use super::reading::Reading;
use crate::manifest::ManifestErrorKind;
use crate::manifest::error::excerpt;
use crate::url::{self, cut};

/// The variables defined so far.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    /// By name.
    defined: Vec<(String, String)>,
    /// Of the multivariant playlist.
    imports: Vec<(String, String)>,
    /// Bytes that replacements may still come to: a variable may be made of others, and used
    /// thousands of times.
    budget: usize,
}

impl Default for Variables {
    fn default() -> Self {
        Self { defined: Vec::new(), imports: Vec::new(), budget: MOST_BYTES }
    }
}

impl Reading<'_> {
    /// Takes in an `EXT-X-DEFINE` (RFC 8216bis §4.4.2.3).
    #[inline(never)]
    pub(super) fn define(&mut self, value: &str, line: u64) {
        const TAG: &str = "EXT-X-DEFINE";
        let attributes = Attributes::read(TAG, value, line, &mut self.warnings);
        let (name, value) = if let Some(name) = attributes.word("NAME") {
            match attributes.text("VALUE", self) {
                Some(value) => (name, value.into_owned()),
                None => return self.fail_without(TAG, "VALUE", line),
            }
        } else if let Some(name) = attributes.word("QUERYPARAM") {
            match url::query_parameter(self.url, name) {
                Some(value) => (name, value),
                None => return self.fail_value("QUERYPARAM", name, line),
            }
        } else if let Some(name) = attributes.word("IMPORT") {
            let imported = self.variables.imports.iter().find(|(known, _)| known == name);
            match imported {
                Some((_, value)) => (name, value.clone()),
                None => return self.undefined(name, line),
            }
        } else {
            return self.fail_without(TAG, "NAME", line);
        };
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(known) {
            return self.fail_value("NAME", name, line);
        }
        match self.variables.place(name) {
            Ok(_) => {
                self.fail(ManifestErrorKind::DefinedTwice { name: excerpt(name).into() }, line)
            }
            Err(_) if self.variables.defined.len() >= MOST_VARIABLES => {
                self.fail_limit("variables", MOST_VARIABLES, line);
            }
            Err(place) => {
                crate::items::put(&mut self.variables.defined, place, (name.to_owned(), value))
            }
        }
    }

    /// `text` with each `{$name}` replaced.
    #[inline]
    pub(super) fn substitute<'t>(&mut self, text: &'t str, line: u64) -> Cow<'t, str> {
        match self.variables.defined.is_empty() {
            true => Cow::Borrowed(text),
            false => self.replace(text, line),
        }
    }

    #[inline(never)]
    fn replace<'t>(&mut self, text: &'t str, line: u64) -> Cow<'t, str> {
        let mut out = String::new();
        let mut rest = text;
        // Found byte by byte: searching for text takes more code than all of this.
        let begins = |rest: &str| {
            let pairs = rest.bytes().zip(rest.bytes().skip(1));
            pairs.into_iter().position(|pair| pair == (b'{', b'$'))
        };
        while let Some(at) = begins(rest) {
            let (before, after) = (rest.get(..at).unwrap_or(""), rest.get(at + 2..).unwrap_or(""));
            out.push_str(before);
            let Some((name, after)) = cut(after, b'}') else {
                let unended = rest.get(before.len()..).unwrap_or(rest);
                self.fail_value("variable", unended, line);
                break;
            };
            let Some(value) = self.variables.find(name) else {
                self.undefined(name, line);
                break;
            };
            let Some(left) = self.variables.budget.checked_sub(value.len()) else {
                self.fail_limit("bytes of replaced variables", MOST_BYTES, line);
                break;
            };
            out.push_str(value);
            self.variables.budget = left;
            rest = after;
        }
        if rest.len() == text.len() {
            return Cow::Borrowed(text);
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    #[cold]
    #[inline(never)]
    fn undefined(&mut self, name: &str, line: u64) {
        let name = excerpt(name).to_owned();
        self.fail(ManifestErrorKind::UndefinedVariable { name }, line);
    }
}

const MOST_BYTES: usize = 4 << 20;
const MOST_VARIABLES: usize = 1000;

impl Variables {
    /// Those a media playlist may import from its multivariant playlist.
    pub(super) fn importing(imports: &[(String, String)]) -> Self {
        Self { imports: imports.to_vec(), ..Self::default() }
    }

    /// None defined yet, with the same to import.
    pub(super) fn again(&self) -> Self {
        Self::importing(&self.imports)
    }

    /// Those that were defined.
    pub(super) fn into_defined(self) -> Vec<(String, String)> {
        self.defined
    }

    /// Whether the same names have the same values.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.defined == other.defined
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.defined.get(self.place(name).ok()?).map(|(_, value)| value.as_str())
    }

    /// Where a name stands, or else belongs.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.defined.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Fault;

    fn variables(definitions: &[&str]) -> Result<Reading<'static>, Fault> {
        let mut reading = Reading::new("https://a/b?token=x%20y&e=");
        reading.variables = Variables::importing(&[("theirs".into(), "7".into())]);
        for (line, text) in definitions.iter().enumerate() {
            reading.define(text, line as u64);
            reading.check()?;
        }
        Ok(reading)
    }

    #[test]
    fn names_are_replaced_everywhere() {
        let mut reading = variables(&[
            r#"NAME="host",VALUE="cdn.example""#,
            r#"NAME="base",VALUE="https://{$host}/film""#,
            r#"QUERYPARAM="token""#,
            r#"IMPORT="theirs""#,
        ])
        .expect("sound definitions");
        let replaced = reading.substitute("{$base}/{$host}?{$token}{$theirs}{", 9);
        assert_eq!(replaced, "https://cdn.example/film/cdn.example?x y7{");
        assert!(matches!(reading.substitute("plain", 1), Cow::Borrowed("plain")));
        assert_eq!(reading.check(), Ok(()));
    }

    #[test]
    fn faults_are_named() {
        let fault = |definitions: &[&str]| variables(definitions).map(|_| ()).map_err(|e| e.kind);
        let name = "a".to_owned();
        assert_eq!(
            fault(&[r#"NAME="a",VALUE="1""#, r#"NAME="a",VALUE="2""#]),
            Err(ManifestErrorKind::DefinedTwice { name: name.clone() })
        );
        assert_eq!(
            fault(&[r#"NAME="b",VALUE="""#, r#"NAME="c",VALUE="{$a}""#]),
            Err(ManifestErrorKind::UndefinedVariable { name: name.clone() })
        );
        // What the multivariant playlist does not define cannot be imported, and what is not
        // imported is not defined.
        let undefined = Err(ManifestErrorKind::UndefinedVariable { name });
        assert_eq!(fault(&[r#"IMPORT="a""#]), undefined);
        let name = "theirs".to_owned();
        assert_eq!(
            fault(&[r#"NAME="b",VALUE="""#, r#"NAME="c",VALUE="{$theirs}""#]),
            Err(ManifestErrorKind::UndefinedVariable { name })
        );
        assert_eq!(
            fault(&[r#"QUERYPARAM="absent""#]),
            Err(ManifestErrorKind::invalid("QUERYPARAM", "absent"))
        );
        assert_eq!(
            fault(&["VALUE=\"1\""]),
            Err(ManifestErrorKind::missing_attribute("EXT-X-DEFINE", "NAME"))
        );
        assert_eq!(
            fault(&["NAME=\"a b\",VALUE=\"1\""]),
            Err(ManifestErrorKind::invalid("NAME", "a b"))
        );
        let mut reading = variables(&[r#"NAME="a",VALUE="1""#]).expect("sound");
        reading.substitute("{$a", 4);
        assert_eq!(reading.check(), Err(ManifestErrorKind::invalid("variable", "{$a").at(4)));
    }

    #[test]
    fn variables_of_variables_do_not_explode() {
        let mut definitions = vec![r#"NAME="v0",VALUE="0123456789""#.to_owned()];
        for level in 1..40 {
            let before = level - 1;
            definitions.push(format!(r#"NAME="v{level}",VALUE="{{$v{before}}}{{$v{before}}}""#));
        }
        let definitions: Vec<_> = definitions.iter().map(String::as_str).collect();
        let fault = variables(&definitions).map(|_| ()).map_err(|error| error.kind);
        assert_eq!(fault, Err(ManifestErrorKind::limit("bytes of replaced variables", MOST_BYTES)));
    }
}
