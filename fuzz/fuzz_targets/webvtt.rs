//! Subtitles. The input is the segments of a text track, apart by `0xff`: up to four files of WebVTT.
#![no_main]

use kinora_fuzz::subtitled::told;
use kinora_fuzz::{MOST_HELD, bounded_by};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let files: Vec<&[u8]> = data.split(|&byte| byte == 0xff).collect();
    let cues = bounded_by(MOST_HELD, || told(&files));
    let mut sorted: Vec<_> =
        cues.iter().map(|cue| (cue.span.start, cue.span.end, &cue.text, &cue.settings)).collect();
    sorted.sort_unstable();
    // So few are all remembered.
    assert!(sorted.len() > 4_000 || sorted.is_sorted_by(|one, other| one < other), "told twice");
    for cue in &cues {
        assert!(cue.span.start < cue.span.end, "{cue:?}");
        assert!(
            !cue.text.contains(['\0', '\r']) && !cue.settings.contains(['\0', '\r', '\n']),
            "{cue:?}"
        );
    }
});
