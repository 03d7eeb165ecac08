//! The parsing algorithms of W3C WebVTT §6.1 and §6.3, step by step, as they stand there.

use crate::io::Cue;
use crate::time::{MediaTime, TimeRange};

/// The cues of a file, but those that are never shown; none if it is not WebVTT.
pub(super) fn cues(bytes: &[u8]) -> Option<Vec<Cue>> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace('\0', "\u{fffd}").replace("\r\n", "\n").replace('\r', "\n");
    let input: Vec<char> = text.chars().collect();
    if input.len() < 6 || input[..6] != ['W', 'E', 'B', 'V', 'T', 'T'] {
        return None;
    }
    if input.len() > 6 && ![' ', '\t', '\n'].contains(&input[6]) {
        return None;
    }
    let mut file = Scanner { input: &input, position: 0 };
    let mut cues = Vec::new();
    file.collect(|c| c != '\n');
    if file.at_end() {
        return Some(cues);
    }
    file.position += 1;
    if file.at_end() {
        return Some(cues);
    }
    if file.input[file.position] != '\n' {
        file.block(true);
    } else {
        file.position += 1;
    }
    file.collect(|c| c == '\n');
    while !file.at_end() {
        cues.extend(file.block(false));
        file.collect(|c| c == '\n');
    }
    cues.retain(|cue| cue.span.start < cue.span.end);
    Some(cues)
}

struct Scanner<'a> {
    input: &'a [char],
    position: usize,
}

impl Scanner<'_> {
    fn at_end(&self) -> bool {
        self.position >= self.input.len()
    }

    fn collect(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.position;
        while !self.at_end() && wanted(self.input[self.position]) {
            self.position += 1;
        }
        self.input[start..self.position].iter().collect()
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        if self.at_end() || self.input[self.position] != wanted {
            return None;
        }
        self.position += 1;
        Some(())
    }

    /// "Collect a WebVTT block".
    fn block(&mut self, in_header: bool) -> Option<Cue> {
        let mut line_count = 0;
        let mut previous_position = self.position;
        let mut buffer = String::new();
        let mut seen_arrow = false;
        let mut cue = None;
        loop {
            let line = self.collect(|c| c != '\n');
            line_count += 1;
            let seen_eof = self.at_end();
            if !seen_eof {
                self.position += 1;
            }
            if line.contains("-->") {
                if !in_header && (line_count == 1 || (line_count == 2 && !seen_arrow)) {
                    seen_arrow = true;
                    previous_position = self.position;
                    cue = timings_and_settings(&line, &buffer);
                    if cue.is_some() {
                        buffer.clear();
                    }
                } else {
                    self.position = previous_position;
                    break;
                }
            } else if line.is_empty() {
                break;
            } else {
                if !buffer.is_empty() {
                    buffer.push('\n');
                }
                buffer.push_str(&line);
                previous_position = self.position;
            }
            if seen_eof {
                break;
            }
        }
        cue.map(|cue| Cue { text: buffer, ..cue })
    }

    /// "Collect a WebVTT timestamp", in milliseconds.
    fn timestamp(&mut self) -> Option<i64> {
        let digits = |c: char| c.is_ascii_digit();
        let first = self.collect(digits);
        let mut value1: i64 = first.parse().ok()?;
        let hours = first.len() != 2 || value1 > 59;
        self.take(':')?;
        let second = self.collect(digits);
        if second.len() != 2 {
            return None;
        }
        let mut value2: i64 = second.parse().ok()?;
        let value3;
        if hours || (!self.at_end() && self.input[self.position] == ':') {
            self.take(':')?;
            let third = self.collect(digits);
            if third.len() != 2 {
                return None;
            }
            value3 = third.parse().ok()?;
        } else {
            value3 = value2;
            value2 = value1;
            value1 = 0;
        }
        self.take('.')?;
        let fourth = self.collect(digits);
        if fourth.len() != 3 {
            return None;
        }
        let value4: i64 = fourth.parse().ok()?;
        if value2 > 59 || value3 > 59 {
            return None;
        }
        Some(((value1 * 60 + value2) * 60 + value3) * 1000 + value4)
    }
}

/// "Collect WebVTT cue timings and settings", the settings left as they are.
fn timings_and_settings(line: &str, id: &str) -> Option<Cue> {
    let input: Vec<char> = line.chars().collect();
    let space = |c: char| c.is_ascii_whitespace();
    let mut line = Scanner { input: &input, position: 0 };
    line.collect(space);
    let start = MediaTime::from_millis(line.timestamp()?);
    line.collect(space);
    line.take('-')?;
    line.take('-')?;
    line.take('>')?;
    line.collect(space);
    let end = MediaTime::from_millis(line.timestamp()?);
    let settings = line.collect(|_| true).trim_ascii().to_owned();
    Some(Cue { id: id.to_owned(), span: TimeRange { start, end }, settings, text: String::new() })
}
