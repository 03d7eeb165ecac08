//! Interactions: what profiles did with titles, as JSON lines.

use super::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};

/// The longest line that is read, bytes.
const MAX_LINE: u64 = 64 * 1024;
/// The longest identifier, bytes.
const MAX_ID: usize = 256;
/// 9999-12-31, in seconds since 1970.
const LATEST: i64 = 253_402_300_799;

/// Something a profile did with a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Who.
    pub profile: String,
    /// With which title.
    pub item: String,
    /// When, seconds since 1970 UTC.
    pub at: i64,
    /// What.
    pub kind: Kind,
    /// How much of it; see [`Kind`].
    #[serde(default = "one")]
    pub weight: f32,
}

/// What a profile did with a title, and what the weight means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Watched it; the weight is the fraction that was played, 0 to 1.
    Watch,
    /// Rated it; the weight is the number of stars, 0 to 10.
    Rate,
    /// Thumbs up.
    Like,
    /// Thumbs down: never recommended, and taken for no sign of taste, until liked or rated again.
    Dislike,
    /// Put it on the list.
    List,
}

fn one() -> f32 {
    1.0
}

impl Interaction {
    /// Says what is wrong with it, if anything is.
    fn check(&self) -> Result<(), String> {
        for (name, id) in [("profile", &self.profile), ("item", &self.item)] {
            if id.is_empty() || id.len() > MAX_ID {
                return Err(format!("`{name}` must have 1 to {MAX_ID} bytes"));
            }
        }
        if !(0..=LATEST).contains(&self.at) {
            return Err(format!("`at` must be seconds since 1970, not {}", self.at));
        }
        let most = if self.kind == Kind::Rate { 10.0 } else { 1.0 };
        if !(0.0..=most).contains(&self.weight) {
            return Err(format!("`weight` must be between 0 and {most}, not {}", self.weight));
        }
        Ok(())
    }
}

/// Reads interactions, one JSON object a line; empty lines are skipped. Memory is bounded by one line.
///
/// # Errors
/// The iterator yields [`Error::Input`] for a line that is too long, no JSON, or out of range, and goes on
/// with the next one.
pub fn read(reader: impl BufRead, source_name: &str) -> impl Iterator<Item = Result<Interaction>> {
    lines(reader, source_name, |interaction: &Interaction| interaction.check())
}

/// JSON objects, one a line, each of them checked.
pub(super) fn lines<T: for<'a> Deserialize<'a>>(
    mut reader: impl BufRead,
    source_name: &str,
    check: impl Fn(&T) -> Result<(), String>,
) -> impl Iterator<Item = Result<T>> {
    let source_name = source_name.to_owned();
    let mut line = 0;
    let mut buffer = Vec::new();
    let mut failed = false;
    std::iter::from_fn(move || {
        loop {
            if failed {
                return None;
            }
            line += 1;
            buffer.clear();
            let refuse =
                |reason| Some(Err(Error::Input { source_name: source_name.clone(), line, reason }));
            match reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buffer) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    failed = true;
                    return refuse(format!("cannot be read: {}", error.kind()));
                }
            }
            if buffer.len() as u64 > MAX_LINE {
                failed = skip_line(&mut reader).is_err();
                return refuse(format!("longer than {MAX_LINE} bytes"));
            }
            if buffer.trim_ascii().is_empty() {
                continue;
            }
            let value = serde_json::from_slice::<T>(&buffer)
                .map_err(|error| format!("not what it should be: {error}"))
                .and_then(|value| check(&value).map(|()| value));
            return match value {
                Ok(value) => Some(Ok(value)),
                Err(reason) => refuse(reason),
            };
        }
    })
}

/// Reads to the end of a line without keeping it.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let bytes = reader.fill_buf()?;
        let (used, ended) = match bytes.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (bytes.len(), bytes.is_empty()),
        };
        reader.consume(used);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Result<Interaction>> {
        read(text.as_bytes(), "events").collect()
    }

    #[test]
    fn a_line_is_an_interaction() {
        let read = all(
            "{\"profile\":\"p\",\"item\":\"i\",\"at\":9,\"kind\":\"watch\",\"weight\":0.5}\n\n",
        );
        let expected = Interaction {
            profile: "p".into(),
            item: "i".into(),
            at: 9,
            kind: Kind::Watch,
            weight: 0.5,
        };
        assert_eq!(read, [Ok(expected)]);
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_read() {
        let long = "x".repeat(MAX_LINE as usize * 2);
        let good = r#"{"profile":"p","item":"i","at":9,"kind":"like"}"#;
        for bad in [
            "nonsense",
            long.as_str(),
            r#"{"profile":"","item":"i","at":9,"kind":"like"}"#,
            r#"{"profile":"p","item":"i","at":-1,"kind":"like"}"#,
            r#"{"profile":"p","item":"i","at":9,"kind":"watch","weight":1.5}"#,
            r#"{"profile":"p","item":"i","at":9,"kind":"watch","weight":1e999}"#,
            r#"{"profile":"p","item":"i","at":9,"kind":"hum"}"#,
            "\u{0}",
        ] {
            let read = all(&format!("{good}\n{bad}\n{good}"));
            assert_eq!(read.len(), 3);
            assert!(matches!(&read[1], Err(Error::Input { line: 2, .. })), "{:?}", read[1]);
            assert!(read[0].is_ok() && read[2].is_ok());
        }
    }
}
