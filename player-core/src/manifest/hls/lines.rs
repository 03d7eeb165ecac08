//! A playlist, line by line (RFC 8216bis §4.1).

use crate::url::cut;

/// Iterates over the lines of a playlist that mean something: tags and URIs. Nothing is copied.
#[derive(Clone, Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where the next line begins.
    at: usize,
    number: u64,
}

/// A line that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Without white space around it; begins with `#EXT` if it is a tag.
    pub(super) text: &'a str,
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
        Self { text, at: 0, number: 0 }
    }

    /// The lines after those that end before `at`, of which there were `number`.
    pub(super) fn resume(text: &'a str, at: usize, number: u64) -> Self {
        Self { text, at, number }
    }

    /// The number of the line read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let mut start = self.at;
            let mut end = line_end(bytes, start);
            self.at = end + 1;
            self.number += 1;
            // White space around a line is not allowed, but common, and never meant.
            while end > start && bytes.get(end - 1).is_some_and(u8::is_ascii_whitespace) {
                end -= 1;
            }
            while start < end && bytes.get(start).is_some_and(u8::is_ascii_whitespace) {
                start += 1;
            }
            let Some(text) = self.text.get(start..end) else { continue };
            match text.as_bytes() {
                [] => {}
                [b'#', b'E', b'X', b'T', ..] => return Some(Line { number: self.number, text }),
                [b'#', ..] => {}
                _ => return Some(Line { number: self.number, text }),
            }
        }
        None
    }
}

impl<'a> Line<'a> {
    pub(super) fn content(self) -> Content<'a> {
        match self.text.strip_prefix('#') {
            None => Content::Uri(self.text),
            Some(tag) => {
                let (name, value) = cut(tag, b':').unwrap_or((tag, ""));
                Content::Tag { name: name.trim_ascii_end(), value: value.trim_ascii_start() }
            }
        }
    }
}

/// Where the line that `start` lies in ends: at its line feed, or the end of the text. Looks at eight
/// bytes at a time.
#[inline(always)]
fn line_end(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = start;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        // A byte is zero where there is a line feed; subtracting borrows into its highest bit. What
        // lies beyond the first such byte may be wrong, and is not looked at.
        let apart = u64::from_le_bytes(*eight) ^ (ONES * b'\n' as u64);
        let found = apart.wrapping_sub(ONES) & !apart & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte != b'\n') {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::Content::{Tag, Uri};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_and_uris_remain() {
        let text =
            "#EXTM3U\r\n\r\n# comment\n#EXTINF:4.0,A: title\r\n seg.m4s?a:b \n#ext\n#EXT-X-GAP";
        let lines: Vec<_> = Lines::new(text).map(|line| (line.number, line.content())).collect();
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

    proptest! {
        #[test]
        fn lines_end_at_line_feeds(text in "[\\na\\x0b\\x8aé]{0,40}") {
            let expected: Vec<_> = text
                .split('\n')
                .map(str::trim_ascii)
                .enumerate()
                .filter(|(_, line)| !line.is_empty())
                .map(|(index, line)| (index as u64 + 1, line))
                .collect();
            let lines: Vec<_> =
                Lines::new(&text).map(|line| (line.number, line.text)).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
