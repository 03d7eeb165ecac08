//! A playlist, line by line (RFC 8216bis §4.1).

/// Iterates over the lines of a playlist that mean something. Nothing is copied.
#[derive(Clone, Debug)]
pub(super) struct Lines<'a> {
    rest: &'a str,
    number: u64,
}

/// A line that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) content: Content<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// A line that begins with `#EXT`.
    Tag {
        /// Without the `#`.
        name: &'a str,
        /// What follows the first colon; empty if there is none.
        value: &'a str,
    },
    /// A URI reference.
    Uri(&'a str),
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, number: 0 }
    }

    /// The number of the line read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = self.rest.bytes().position(|byte| byte == b'\n').unwrap_or(self.rest.len());
            let line = self.rest.get(..end).unwrap_or("");
            self.rest = self.rest.get(end + 1..).unwrap_or("");
            self.number += 1;
            // White space around a line is not allowed, but common, and never meant.
            let line = line.trim_ascii();
            let content = match line.strip_prefix('#') {
                None if line.is_empty() => continue,
                None => Content::Uri(line),
                Some(tag) if tag.starts_with("EXT") => {
                    let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
                    Content::Tag { name: name.trim_ascii_end(), value: value.trim_ascii_start() }
                }
                Some(_) => continue,
            };
            return Some(Line { number: self.number, content });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Content::{Tag, Uri};
    use super::*;

    #[test]
    fn tags_and_uris_remain() {
        let text =
            "#EXTM3U\r\n\r\n# comment\n#EXTINF:4.0,A: title\r\n seg.m4s?a:b \n#ext\n#EXT-X-GAP";
        let lines: Vec<_> = Lines::new(text).map(|line| (line.number, line.content)).collect();
        assert_eq!(
            lines,
            [
                (1, Tag { name: "EXTM3U", value: "" }),
                (4, Tag { name: "EXTINF", value: "4.0,A: title" }),
                (5, Uri("seg.m4s?a:b")),
                (7, Tag { name: "EXT-X-GAP", value: "" }),
            ]
        );
    }
}
