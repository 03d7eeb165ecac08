//! WebVTT (W3C WebVTT: The Web Video Text Tracks Format).

use core::mem;
use core::str::from_utf8;

use crate::io::Cue;
use crate::time::{MediaTime, TimeRange};
use crate::url::cut;

#[cfg(test)]
mod tests;

/// What is kept of one file: cues, and bytes of their identifiers, settings and words.
const MAX_CUES: usize = 65_536;
const MAX_TEXT: usize = 4 << 20;

/// What stands for longer numbers. Hours of more than twelve digits saturate a time anyway.
const MAX_NUMBER: u64 = 1_000_000_000_000_000_000;
const MAX_HOURS: u64 = 1_000_000_000_000;

/// A file of WebVTT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebVtt {
    /// `X-TIMESTAMP-MAP` (RFC 8216bis §3.1.4).
    pub(crate) map: Option<TimestampMap>,
    /// Its cues, in the order they stand there, with times as written.
    pub(crate) cues: Vec<Cue>,
}

/// Which moment of the media a time of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimestampMap {
    /// In units of 1/90 000 s, modulo 2^33.
    pub(crate) mpegts: u64,
    pub(crate) local: MediaTime,
}

/// The block that the lines read so far leave open (§6.1, "collect a WebVTT block").
enum Block<'a> {
    Header,
    /// None: an empty line came before.
    Between,
    /// One line, the identifier of a cue if its times are the next.
    Named(&'a [u8]),
    Cue(Cue),
    /// A comment, a region, a style sheet, or a cue that is malformed or never shown.
    Skipped,
}

impl WebVtt {
    /// Reads a file. What is not well formed is left out, as §6 (parsing) says; none if it is not WebVTT at all.
    ///
    /// Cues that end no later than they start are left out too, and so is everything from the cue on
    /// that exceeds 65 536 cues or 4 MiB of text.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = Lines(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let header = lines.next()?.strip_prefix(b"WEBVTT")?;
        if !matches!(header.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        // Some servers write the map behind the signature.
        let mut file = Self { map: TimestampMap::parse(header), cues: Vec::new() };
        let mut room = MAX_TEXT;
        let mut block = Block::Header;
        while let Some(line) = lines.next() {
            let arrow = has_arrow(line);
            if arrow || line.is_empty() {
                let mut id: &[u8] = &[];
                match mem::replace(&mut block, Block::Between) {
                    Block::Cue(cue) => file.cues.push(cue),
                    Block::Named(line) => id = line,
                    _ => {}
                }
                if !arrow {
                    continue;
                }
                let Some((span, settings)) = timings(line) else {
                    block = Block::Skipped;
                    continue;
                };
                let mut cue =
                    Cue { id: String::new(), span, settings: String::new(), text: String::new() };
                if file.cues.len() >= MAX_CUES
                    || !push(&mut cue.id, id, &mut room)
                    || !push(&mut cue.settings, settings, &mut room)
                {
                    return Some(file);
                }
                block = Block::Cue(cue);
                continue;
            }
            match &mut block {
                Block::Header if file.map.is_none() => file.map = TimestampMap::parse(line),
                Block::Header | Block::Skipped => {}
                Block::Between => block = Block::Named(line),
                Block::Named(_) => block = Block::Skipped,
                Block::Cue(cue) => {
                    let joint: &[u8] = if cue.text.is_empty() { &[] } else { b"\n" };
                    if !push(&mut cue.text, joint, &mut room)
                        || !push(&mut cue.text, line, &mut room)
                    {
                        return Some(file);
                    }
                }
            }
        }
        if let Block::Cue(cue) = block {
            file.cues.push(cue);
        }
        Some(file)
    }
}

impl TimestampMap {
    /// From a line of the header; none if it is another, or malformed.
    fn parse(line: &[u8]) -> Option<Self> {
        let (name, mut rest) = cut(from_utf8(line).ok()?, b'=')?;
        if name.trim_ascii() != "X-TIMESTAMP-MAP" {
            return None;
        }
        let (mut mpegts, mut local) = (None, None);
        while !rest.is_empty() {
            let (field, after) = cut(rest, b',').unwrap_or((rest, ""));
            rest = after;
            let (name, value) = cut(field, b':')?;
            let mut value = value.trim_ascii().as_bytes();
            match name.trim_ascii() {
                "MPEGTS" => {
                    let (ticks, width) = digits(&mut value);
                    if width == 0 || ticks == MAX_NUMBER {
                        return None;
                    }
                    mpegts = Some(ticks % (1 << 33));
                }
                "LOCAL" => local = Some(timestamp(&mut value)?),
                _ => continue,
            }
            if !value.is_empty() {
                return None;
            }
        }
        Some(Self { mpegts: mpegts?, local: local? })
    }
}

/// The lines that are left of a file; LF, CR and CR LF end one.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        let end = bytes.iter().position(|&byte| matches!(byte, b'\n' | b'\r'));
        let end = end.unwrap_or(bytes.len());
        let rest = bytes.get(end..).unwrap_or(&[]);
        let ending = if rest.starts_with(b"\r\n") { 2 } else { 1 };
        self.0 = rest.get(ending..).unwrap_or(&[]);
        bytes.get(..end)
    }
}

fn has_arrow(line: &[u8]) -> bool {
    line.windows(3).any(|here| here == b"-->")
}

/// When a cue is shown, and its settings (§6.3); none if they are malformed, or it never is.
fn timings(line: &[u8]) -> Option<(TimeRange, &[u8])> {
    let mut rest = line.trim_ascii_start();
    let start = timestamp(&mut rest)?;
    rest = rest.trim_ascii_start().strip_prefix(b"-->")?.trim_ascii_start();
    let end = timestamp(&mut rest)?;
    (start < end).then_some((TimeRange { start, end }, rest.trim_ascii()))
}

/// Takes a time from the front (§6.3, "collect a WebVTT timestamp"). What no time can be saturates.
#[inline(never)]
fn timestamp(rest: &mut &[u8]) -> Option<MediaTime> {
    let (first, width) = digits(rest);
    if width == 0 {
        return None;
    }
    let second = number(rest, b':', 2)?;
    // Two digits are minutes, unless there are two more numbers. (Sixty of them are refused below.)
    let (hours, minutes, seconds) = if width != 2 || rest.first() == Some(&b':') {
        (first.min(MAX_HOURS), second, number(rest, b':', 2)?)
    } else {
        (0, first, second)
    };
    let millis = number(rest, b'.', 3)?;
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60 + seconds;
    Some(MediaTime::from_unsigned(seconds * 1000 + millis, 1000))
}

/// Takes a number of so many digits, and what must stand before it, from the front.
#[inline(never)]
fn number(rest: &mut &[u8], before: u8, width: usize) -> Option<u64> {
    *rest = rest.strip_prefix(&[before])?;
    let (value, found) = digits(rest);
    (found == width).then_some(value)
}

/// Takes digits from the front: their value, or [`MAX_NUMBER`] for more, and how many they are.
#[inline(never)]
fn digits(rest: &mut &[u8]) -> (u64, usize) {
    let (mut value, mut width) = (0, 0);
    while let Some(&digit @ b'0'..=b'9') = rest.get(width) {
        value =
            if value < MAX_NUMBER / 10 { value * 10 + u64::from(digit - b'0') } else { MAX_NUMBER };
        width += 1;
    }
    *rest = rest.get(width..).unwrap_or(&[]);
    (value, width)
}

/// Appends text, with U+FFFD for NUL (§6.1) and for what is not UTF-8. False if that is more than
/// there is room for.
#[inline(never)]
fn push(out: &mut String, mut bytes: &[u8], room: &mut usize) -> bool {
    // Nothing becomes shorter.
    if bytes.len() > *room {
        return false;
    }
    let before = out.len();
    while !bytes.is_empty() {
        let (mut text, skipped) = match from_utf8(bytes) {
            Ok(text) => (text, 0),
            Err(fault) => {
                let valid = bytes.get(..fault.valid_up_to()).and_then(|text| from_utf8(text).ok());
                (valid.unwrap_or(""), fault.error_len().unwrap_or(bytes.len()))
            }
        };
        bytes = bytes.get(text.len() + skipped..).unwrap_or(&[]);
        while let Some((clean, after)) = cut(text, 0) {
            out.push_str(clean);
            out.push(char::REPLACEMENT_CHARACTER);
            text = after;
        }
        out.push_str(text);
        if skipped > 0 {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
    let left = room.checked_sub(out.len() - before);
    *room = left.unwrap_or(0);
    left.is_some()
}
