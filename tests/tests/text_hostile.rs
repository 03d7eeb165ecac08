//! A megabyte of any text is told with bounded work: no more than 16 MB are held at any time for it.
//!
//! One test alone, because the allocator counts for the whole process. With `--nocapture` it prints how long each took.

use std::time::Instant;

use kinora_tests::subtitled::told;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEGABYTE: usize = 1 << 20;
const MOST_HELD: usize = 16 << 20;
/// As much is kept of one file.
const MOST_CUES: usize = 65_536;
const MOST_TEXT: usize = 4 << 20;

/// So much of something over and over.
fn filled(begin: &str, each: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = begin.to_owned();
    for number in 0.. {
        text += &each(number);
        if text.len() >= MEGABYTE {
            break;
        }
    }
    text.into_bytes()
}

fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let time = |seconds: usize| {
        format!("{:02}:{:02}:{:02}.000", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let begin = "WEBVTT\n\n";
    vec![
        ("cues without words", filled(begin, |_| "00:00.000-->00:01.000\n".into())),
        ("cues that are all different", filled(begin, |n| format!("{}-->99:00:00.000\n", time(n)))),
        ("cues backwards", filled(begin, |n| format!("{}-->99:00:00.000\n", time(300_000 - n)))),
        ("arrows", filled(begin, |_| "-->".into())),
        ("lines of arrows", filled(begin, |_| "-->\n".into())),
        ("hyphens", filled(begin, |_| "-".into())),
        ("empty lines", filled(begin, |_| "\r".into())),
        ("digits", filled("WEBVTT\n\n1:00.000 --> ", |_| "9".into())),
        ("a long header", filled("WEBVTT ", |_| "X-TIMESTAMP-MAP=".into())),
        ("maps", filled("WEBVTT\n", |_| "X-TIMESTAMP-MAP=MPEGTS:1,LOCAL:x\n".into())),
        ("a map of many fields", filled("WEBVTT\nX-TIMESTAMP-MAP=", |_| "LOCAL:00:00.000,".into())),
        ("words", filled("WEBVTT\n\n00:00.000-->00:01.000\n", |_| "a\n".into())),
        ("NULs", filled("WEBVTT\n\n00:00.000-->00:01.000\n", |_| "\0".into())),
        ("settings", filled("WEBVTT\n\n00:00.000-->00:01.000", |_| " line:0".into())),
        ("no text", [b"WEBVTT\n\n00:00.000-->00:01.000\n".to_vec(), vec![0xe2; MEGABYTE]].concat()),
        ("names", filled(begin, |_| "a\n00:00.000-->00:01.000\nb\n\n".into())),
    ]
}

#[test]
fn a_megabyte_of_any_text_is_bounded_work() {
    for (name, text) in texts() {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let started = Instant::now();
        // The same again is told once more at most.
        let cues = told(&[&text, b"WEBVTT", &text]);
        let held = ALLOCATOR.peak_usage().saturating_sub(before);
        println!("{name}: {} cues, {held} bytes held, {:?}", cues.len(), started.elapsed());
        assert!(held <= MOST_HELD, "{name}: {held} bytes are held");
        assert!(cues.len() <= 2 * MOST_CUES, "{name}: {} cues", cues.len());
        let bytes: usize =
            cues.iter().map(|cue| cue.id.len() + cue.settings.len() + cue.text.len()).sum();
        assert!(bytes <= 2 * MOST_TEXT, "{name}: {bytes} bytes of text");
        for cue in &cues {
            assert!(
                cue.span.start < cue.span.end && !cue.text.contains(['\0', '\r']),
                "{name}: {cue:?}"
            );
        }
    }
}
