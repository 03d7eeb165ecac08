//! What the app was told already: a cue that lasts beyond the end of its segment stands in the next one, too.

use crate::io::Cue;
use crate::time::MediaTime;

/// Cues that ended so long before what comes do not come again.
const LONG: MediaTime = MediaTime::from_secs(3600);

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
    /// Leaves out what was told before, of cues of a segment that begins at `start`.
    pub(super) fn keep_new(&mut self, cues: Vec<Cue>, start: MediaTime) -> Vec<Cue> {
        self.0.retain(|mark| mark.end > start - LONG);
        let mut new = Vec::new();
        for cue in cues {
            let mark = Mark { start: cue.span.start, end: cue.span.end, text: digest(&cue) };
            let place = self.0.partition_point(|other| other.key() < mark.key());
            if self.0.get(place) != Some(&mark) {
                self.0.insert(place, mark);
                new.push(cue);
            }
        }
        new
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
        let zero = MediaTime::ZERO;
        assert_eq!(told.keep_new(vec![b.clone(), a.clone()], zero), [b.clone(), a.clone()]);
        let again = vec![b.clone(), c.clone(), c.clone()];
        assert_eq!(told.keep_new(again, MediaTime::from_secs(10)), [c]);
        assert_eq!(told.keep_new(vec![a], zero), []);
        // Live, what is long gone is forgotten.
        assert_eq!(told.keep_new(Vec::new(), MediaTime::from_secs(4000)), []);
        assert_eq!(told.0, []);
    }
}
