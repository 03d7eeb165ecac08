//! URLs that differ between segments only in a number.

use crate::url::cut;

/// An absolute URL with places for a segment's number or time. All in one text, in which a
/// [`Place`] is two characters that no URL has: representations are many, and pieces of text of
/// their own would cost more than all else that is kept of most.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UrlPattern {
    text: String,
    /// Where the first place is; the end, if there is none.
    first: usize,
}

/// What stands in the place of a variable, in at least so many digits, which leading zeroes fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// The segment's number.
    Number,
    /// The segment's earliest presentation time in units of the timescale.
    Time,
    /// The number of a segment within its sequence.
    SubNumber,
    /// The representation's id. This and the next are [filled](UrlPattern::filled) before segments have URLs.
    Id,
    /// The representation's bandwidth.
    Bandwidth,
}

/// Where places are in a text.
pub(crate) struct Places {
    /// Those of a representation: offset, and, of the bandwidth, how many digits it has at least.
    own: Vec<(usize, Option<usize>)>,
    /// The first of the others.
    first: Option<usize>,
}

impl Places {
    #[inline(never)]
    pub(crate) fn of(text: &str) -> Self {
        let mut places = Self { own: Vec::new(), first: None };
        let mut rest = text;
        while let Some((before, (place, width), after)) = next(rest) {
            let at = text.len() - rest.len() + before.len();
            if place == Place::Id as u32 {
                places.own.push((at, None));
            } else if place == Place::Bandwidth as u32 {
                places.own.push((at, Some(width)));
            } else {
                places.first = places.first.or(Some(at));
            }
            rest = after;
        }
        // One that is cut off is none, but looks like one.
        let cut_off = UrlPattern::first_place(rest);
        places.first = places.first.or(cut_off.map(|at| text.len() - rest.len() + at));
        places
    }

    /// There are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.first.is_none()
    }
}

/// Begins a place. The character after it is one of those for private use, which mean nothing in a
/// URL: it tells what stands there, and in how many digits.
const MARK: char = '\u{7f}';
const FIRST: u32 = 0xe000;
/// Bytes of a place.
const PLACE: usize = 4;
const WIDTHS: u32 = 64;

impl Place {
    /// Appends it to a text that becomes a pattern. `width`: least count of digits, below 64.
    pub(crate) fn push(self, out: &mut String, width: u8) {
        out.push(MARK);
        let code = FIRST + self as u32 * WIDTHS + u32::from(width) % WIDTHS;
        out.extend(char::from_u32(code));
    }
}

impl UrlPattern {
    /// A text with [places](Place::push) in it.
    pub(crate) fn new(text: String) -> Self {
        let first = Self::first_place(&text).unwrap_or(text.len());
        Self { text, first }
    }

    /// Where the first place may be in a text, if there is one.
    #[inline(never)]
    pub(crate) fn first_place(text: &str) -> Option<usize> {
        text.as_bytes().iter().position(|&byte| byte == MARK as u8)
    }

    /// Appends text that has no places.
    pub(crate) fn push_text(out: &mut String, mut text: &str) {
        while let Some((before, after)) = cut(text, MARK as u8) {
            out.push_str(before);
            text = after;
        }
        out.push_str(text);
    }

    /// A text with a representation's id, in which nothing looks like a place, and bandwidth in theirs
    /// of the places that there are.
    #[inline(never)]
    pub(crate) fn filled(text: &str, places: &Places, id: &str, bandwidth: u64) -> Self {
        let mut out = String::with_capacity(text.len() + id.len() + 8);
        let others = places.first.unwrap_or(text.len());
        let (mut from, mut first) = (0, others);
        for &(at, width) in &places.own {
            out.push_str(text.get(from..at).unwrap_or(""));
            match width {
                None => out.push_str(id),
                Some(width) => push_padded(&mut out, bandwidth, width),
            }
            from = at + PLACE;
            if at < others {
                first = out.len() + (others - from);
            }
        }
        out.push_str(text.get(from..).unwrap_or(""));
        Self { text: out, first }
    }

    /// As [`filled`](Self::filled) with any id, of a text whose places are not known.
    #[cold]
    #[inline(never)]
    pub(crate) fn filled_with_any(text: &str, id: &str, bandwidth: u64) -> Self {
        let mut sound = String::new();
        Self::push_text(&mut sound, id);
        Self::filled(text, &Places::of(text), &sound, bandwidth)
    }

    /// The text, of which nothing has been made.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// URLs differ by number alone.
    pub(crate) fn is_numbered(&self) -> bool {
        Self::numbers(&self.text)
    }

    /// Whether there is no place for a time in a text.
    pub(crate) fn numbers(mut text: &str) -> bool {
        while let Some((_, (place, _), after)) = next(text) {
            if place == Place::Time as u32 {
                return false;
            }
            text = after;
        }
        true
    }

    /// The URL of one segment.
    pub(crate) fn expand(&self, number: u64, time: u64, part: u64) -> String {
        // Most numbers are far shorter than the longest.
        let mut url = String::with_capacity(self.text.len() + 12);
        let (mut before, mut rest) = self.text.split_at_checked(self.first).unwrap_or_default();
        loop {
            url.push_str(before);
            let mut place = rest.chars();
            let (Some(_), Some(code)) = (place.next(), place.next()) else { break };
            let code = u32::from(code).wrapping_sub(FIRST);
            let value = match code / WIDTHS {
                0 => number,
                1 => time,
                _ => part,
            };
            // The document's own URL may have anything in it.
            if code / WIDTHS <= Place::SubNumber as u32 {
                push_padded(&mut url, value, (code % WIDTHS) as usize);
            }
            let after = place.as_str();
            let next = Self::first_place(after).unwrap_or(after.len());
            (before, rest) = after.split_at_checked(next).unwrap_or_default();
        }
        url.push_str(rest);
        url
    }
}

/// What lies before the next place, what that is and in how many digits, and what lies after it.
fn next(text: &str) -> Option<(&str, (u32, usize), &str)> {
    let (before, after) = cut(text, MARK as u8)?;
    let mut rest = after.chars();
    let code = u32::from(rest.next()?).wrapping_sub(FIRST);
    Some((before, (code / WIDTHS, (code % WIDTHS) as usize), rest.as_str()))
}

/// Decimal digits without the formatting machinery, which dominates the cost of long timelines.
fn push_padded(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    let mut more = true;
    while more && let Some(place) = first.checked_sub(1) {
        // Division is slow, and a product is none where a browser has compiled quickly, not well.
        let tenth = match u32::try_from(value) {
            Ok(value) => (u64::from(value) * 0xcccc_cccd) >> 35,
            Err(_) => value / 10,
        };
        if let Some(digit) = digits.get_mut(place) {
            *digit += (value - tenth * 10) as u8;
        }
        (first, value, more) = (place, tenth, tenth > 0);
    }
    let significant = digits.len() - first;
    for _ in significant..width {
        out.push('0');
    }
    // ASCII is always text.
    out.push_str(digits.get(first..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or(""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_never_cut() {
        for (value, width, expected) in [
            (0, 0, "0"),
            (7, 5, "00007"),
            (123_456, 5, "123456"),
            (u64::MAX, 0, "18446744073709551615"),
            (1, 25, "0000000000000000000000001"),
        ] {
            let mut out = String::new();
            push_padded(&mut out, value, width);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn number_and_time_take_their_places() {
        let mut text = "https://a/v-".to_owned();
        Place::Number.push(&mut text, 3);
        text.push('-');
        Place::Time.push(&mut text, 1);
        text.push_str(".m4s");
        let pattern = UrlPattern::new(text);
        assert_eq!(pattern.expand(12, 96_000, 1), "https://a/v-012-96000.m4s");
    }
    #[test]
    fn only_numbers_differ_where_there_is_no_time() {
        let numbered = |places: &[Place]| {
            let mut text = String::new();
            places.iter().for_each(|place| place.push(&mut text, 63));
            UrlPattern::new(text).is_numbered()
        };
        assert!(numbered(&[]));
        assert!(numbered(&[Place::Number, Place::SubNumber]));
        assert!(!numbered(&[Place::Number, Place::Time]));
    }

    #[test]
    fn what_looks_like_a_place_and_is_none_does_no_harm() {
        let expand = |text: &str| UrlPattern::new(text.to_owned()).expand(1, 2, 3);
        assert_eq!(expand("a\u{7f}"), "a\u{7f}");
        assert_eq!(expand("a\u{7f}b\u{7f}\u{f000}c"), "ac");
        let mut text = String::new();
        UrlPattern::push_text(&mut text, "\u{7f}x\u{7f}\u{e001}");
        assert_eq!(expand(&text), "x\u{e001}");
    }
}
