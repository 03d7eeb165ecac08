//! HLS playlists and DASH MPDs, read into a [`Presentation`](crate::presentation::Presentation).
//!
//! Both parsers take one pass over the text, borrow from it, and are bounded: what is too large or
//! too deep is a [`ManifestErrorKind::Limit`]. What a specification lets a client overlook becomes a
//! [`ManifestWarning`].

pub(crate) mod binary;
mod codecs;
pub mod dash;
pub(crate) mod date;
mod decimal;
mod error;
pub mod hls;
mod rehearsal;
mod warning;

pub(crate) use error::Fault;
pub use error::{ManifestError, ManifestErrorKind};
pub use rehearsal::rehearse;
pub(crate) use warning::Warnings;
pub use warning::{ManifestWarning, WarningCode};

use crate::io::SourceFormat;
use crate::items::put;

/// What was understood, and what was overlooked on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    /// What was understood.
    pub value: T,
    /// What deviates from the specification without keeping the rest from being understood.
    pub warnings: Vec<ManifestWarning>,
}

/// The format of a manifest. Its bytes decide; `content_type` is asked only if they are not those
/// of a whole beginning, as when only blanks have arrived.
pub fn sniff(bytes: &[u8], content_type: Option<&str>) -> Option<SourceFormat> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"#EXTM3U") {
        return Some(SourceFormat::Hls);
    }
    if text.starts_with(b"<") {
        // Between the start and the root element there may be a declaration, comments and
        // processing instructions, but hardly kilobytes of them.
        let head = &text[..text.len().min(SNIFFED)];
        if head.windows(3).enumerate().any(|(at, name)| name == b"MPD" && begins_root(head, at)) {
            return Some(SourceFormat::Dash);
        }
        return None;
    }
    if !text.is_empty() {
        return None;
    }
    let essence = content_type?.split(';').next()?.trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    if is("application/vnd.apple.mpegurl") || is("application/x-mpegurl") || is("audio/mpegurl") {
        Some(SourceFormat::Hls)
    } else if is("application/dash+xml") {
        Some(SourceFormat::Dash)
    } else {
        None
    }
}

const SNIFFED: usize = 16 * 1024;

/// Whether the `MPD` at `at` is the name of an element, with or without a namespace prefix.
fn begins_root(text: &[u8], at: usize) -> bool {
    let ends = text
        .get(at + 3)
        .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    let before = text.get(..at).unwrap_or_default();
    let name = before.iter().rev().take_while(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.')
    });
    let prefix = name.count();
    let prefixed = prefix == 0 || before.ends_with(b":");
    ends && prefixed && before.get(..before.len() - prefix).is_some_and(|b| b.ends_with(b"<"))
}

/// Sorts by a number; equals keep their order. Only positions are sorted, by code that all types share: the
/// standard library's sorts are large, and would be there once for each.
pub(crate) fn sort<T>(items: &mut [T], by: &dyn Fn(&T) -> u64) {
    if items.is_sorted_by_key(by) {
        return;
    }
    let mut order = order(&items.iter().map(by).collect::<Vec<u64>>());
    for first in 0..items.len() {
        // Items go round in circles, each to where the next is.
        let mut place = first;
        while let Some(from) = order.get_mut(place) {
            let from = core::mem::replace(from, place);
            if from == first || from >= items.len() {
                break;
            }
            items.swap(place, from);
            place = from;
        }
    }
}

/// Positions of numbers, the least first. Each is put in its place among those before it: the moves grow
/// with the square of how many there are, which the limits on representations and variants bound: no more than
/// tens of thousands are ever sorted.
#[inline(never)]
fn order(numbers: &[u64]) -> Vec<usize> {
    let mut order = Vec::with_capacity(numbers.len());
    for (position, &number) in numbers.iter().enumerate() {
        let place = order.partition_point(|&before| numbers.get(before) <= Some(&number));
        put(&mut order, place, position);
    }
    order
}

/// The text of a manifest without its byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    core::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ManifestErrorKind::NotText.at(1 + lines_in(before))
    })
}

/// Reads a date (RFC 3339, ISO 8601, `xs:dateTime`).
pub(crate) fn read_date(text: &str) -> Option<crate::time::WallTime> {
    date::Dates::default().read(text)
}

/// How many lines end in a text.
pub(crate) fn lines_in(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sorted_keeps_the_order_of_equals(numbers in proptest::collection::vec(0u64..9, 0..20)) {
            let mut items: Vec<_> = numbers.into_iter().enumerate().collect();
            let mut expected = items.clone();
            expected.sort_by_key(|&(_, number)| number);
            sort(&mut items, &|&(_, number)| number);
            prop_assert_eq!(items, expected);
        }
    }

    #[test]
    fn the_bytes_decide() {
        use SourceFormat::{Dash, Hls};
        for (bytes, content_type, expected) in [
            (&b"#EXTM3U\n"[..], None, Some(Hls)),
            (b"\xef\xbb\xbf#EXTM3U", Some("application/dash+xml"), Some(Hls)),
            (b"\r\n #EXTM3U\r\n", None, Some(Hls)),
            (b"<MPD>", Some("text/html"), Some(Dash)),
            (b"<MPD\n xmlns='urn:mpeg:dash:schema:mpd:2011'/>", None, Some(Dash)),
            (b"<?xml version=\"1.0\"?>\n<!-- MPD -->\n<mpd:MPD type='static'>", None, Some(Dash)),
            (b"<html><body>No MPD here</body></html>", Some("application/dash+xml"), None),
            (b"{\"error\": 1}", Some("application/vnd.apple.mpegurl"), None),
            (b"  ", Some("application/vnd.apple.mpegurl; charset=utf-8"), Some(Hls)),
            (b"", Some("Application/DASH+XML"), Some(Dash)),
            (b"", None, None),
        ] {
            assert_eq!(sniff(bytes, content_type), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
