//! What the app was told already: a cue that lasts beyond the end of its segment stands in the next one, too.

use crate::io::Cue;
use crate::time::MediaTime;

/// So many are remembered, of those that begin last: hours of talk, and no more than a moment's work to look through.
const MOST: usize = 4_096;

/// Remembers cues by what is in them.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<Mark>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    start: MediaTime,
    end: MediaTime,
    text: u64,
}

impl Told {
    /// Leaves out what was told before.
    pub(super) fn keep_new(&mut self, mut cues: Vec<Cue>) -> Vec<Cue> {
        cues.retain(|cue| {
            if self.0.len() >= MOST {
                self.0.drain(..MOST / 2);
            }
            let mark = Mark { start: cue.span.start, end: cue.span.end, text: digest(cue) };
            let place = self.0.partition_point(|other| other.key() < mark.key());
            let new = self.0.get(place) != Some(&mark);
            if new {
                crate::items::put(&mut self.0, place, mark);
            }
            new
        });
        cues
    }
}

impl Mark {
    fn key(&self) -> (MediaTime, MediaTime, u64) {
        (self.start, self.end, self.text)
    }
}

/// FNV-1a: only cues of the very same time are told apart by it.
fn digest(cue: &Cue) -> u64 {
    let bytes = cue.text.bytes().chain([0]).chain(cue.settings.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimeRange;

    fn cue(start: i64, end: i64, text: &str) -> Cue {
        let span = TimeRange { start: MediaTime::from_secs(start), end: MediaTime::from_secs(end) };
        Cue { id: String::new(), span, settings: String::new(), text: text.to_owned() }
    }

    #[test]
    fn what_stands_in_two_segments_is_new_once() {
        let mut told = Told::default();
        let (a, b, c) = (cue(1, 4, "A"), cue(8, 12, "B"), cue(8, 12, "C"));
        assert_eq!(told.keep_new(vec![b.clone(), a.clone()]), [b.clone(), a.clone()]);
        assert_eq!(told.keep_new(vec![b, c.clone(), c.clone()]), std::slice::from_ref(&c));
        assert_eq!(told.keep_new(vec![a.clone()]), []);
        // Who was hours away and is back has them still.
        let late = cue(9_000, 9_004, "D");
        assert_eq!(told.keep_new(vec![late.clone()]), [late]);
        assert_eq!(told.keep_new(vec![a, c]), []);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        // Backwards, so that each is put before all others; none ends for long.
        let mut told = Told::default();
        let cues: Vec<Cue> = (0..40_000).rev().map(|start| cue(start, 100_000, "A")).collect();
        assert_eq!(told.keep_new(cues.clone()), cues);
        assert!(told.0.len() <= MOST, "{}", told.0.len());
        let last = cue(50_000, 100_000, "A");
        for new in [1, 0] {
            assert_eq!(told.keep_new(vec![last.clone()]).len(), new);
        }
    }
}
