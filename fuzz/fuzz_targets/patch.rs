//! An MPD and what came after it: patches and whole MPDs, parted by lines of `---`.
#![no_main]

use kinora_core::manifest::dash::{Document, parse_mpd};
use kinora_fuzz::{URL, bounded, check_presentation};
use libfuzzer_sys::fuzz_target;

const PART: &[u8] = b"\n---\n";

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts { rest: Some(data) };
    let Some(first) = parts.next() else { return };
    let Ok(parsed) = bounded(data, || Document::parse(first, URL)) else { return };
    let (mut document, mut presentation) = parsed.value;
    for part in parts {
        let before = presentation.clone();
        if part.windows(6).any(|window| window == b"<Patch") {
            match bounded(data, || document.patch(&mut presentation, part)) {
                Ok(_) => check_presentation(&presentation),
                Err(_) => assert!(presentation == before, "a patch that failed left something"),
            }
        } else {
            match bounded(data, || document.refresh(&mut presentation, part, URL)) {
                Ok(refreshed) => {
                    check_presentation(&presentation);
                    let whole = parse_mpd(part, URL);
                    if refreshed.value.deviations.is_empty() && refreshed.value.changed {
                        let whole = whole.expect("what is taken in is understood");
                        assert!(presentation == whole.value, "it depends on what was before");
                    }
                }
                Err(_) => assert!(presentation == before, "an MPD that failed left something"),
            }
        }
    }
});

struct Parts<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let at = rest.windows(PART.len()).position(|window| window == PART);
        let Some(at) = at else { return Some(rest) };
        self.rest = rest.get(at + PART.len()..);
        rest.get(..at)
    }
}
