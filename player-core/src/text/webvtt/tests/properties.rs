//! Any file, beside what was printed and beside the steps of the specification.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_printed_file_reads_the_same(
        file in any_file(),
        end in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
    ) {
        let text = print(&file, end);
        prop_assert_eq!(WebVtt::parse(text.as_bytes()), Some(file), "{}", text);
    }

    #[test]
    fn any_bytes_are_read(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[\0-\u{ff}]{0,80}",
    ) {
        let _ = WebVtt::parse(&bytes);
        for start in ["WEBVTT\n", "WEBVTT\n\n", "WEBVTT\n\n00:00.000 --> 00:01.000\n"] {
            prop_assert!(WebVtt::parse(&[start.as_bytes(), &bytes].concat()).is_some());
            prop_assert!(WebVtt::parse(&[start, &text].concat().into_bytes()).is_some());
        }
    }

    #[test]
    fn the_steps_of_the_specification_find_the_same(
        first in prop_oneof![8 => Just("WEBVTT"), 1 => Just("WEBVTT \u{e9} -->"), 1 => Just("WEBVT")],
        lines in proptest::collection::vec((line(), prop_oneof![Just("\n"), Just("\r"), Just("\r\n")]), 0..24),
        noise in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = first.as_bytes().to_vec();
        bytes.push(b'\n');
        for (line, end) in &lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(end.as_bytes());
        }
        if let Some((index, byte)) = noise {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let found = WebVtt::parse(&bytes).map(|file| file.cues);
        prop_assert_eq!(found, oracle::cues(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }
}

/// Lines that meet in ways that matter.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        4 => (0..5_000u32, 0..5_000u32, "[ \t]{0,2}(line:0|a-->)?").prop_map(|(start, end, settings)| {
            format!("{} --> {}{settings}", print_time(start.into()), print_time(end.into()))
        }),
        2 => "[0-9]{1,3}:[0-9]{2}(:[0-9]{1,2})?[.][0-9]{2,3}[ -]{0,1}-->[ -]{0,1}[0-9]{2}:[0-9]{2}[.][0-9]{3}",
        1 => Just("X-TIMESTAMP-MAP=MPEGTS:7,LOCAL:00:00.000".into()),
        1 => prop_oneof![Just("NOTE"), Just("STYLE"), Just("REGION"), Just("-->")].prop_map(String::from),
        3 => "[a-c0 \0\u{e9}\t>-]{1,5}",
    ]
}

fn print_time(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    if hours == 0 {
        format!("{minutes:02}:{seconds:02}.{millis:03}")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
    }
}

fn print(file: &WebVtt, end: &str) -> String {
    let millis = |time: MediaTime| (time.flicks() / 705_600) as u64;
    let mut out = format!("WEBVTT{end}");
    if let Some(map) = file.map {
        let local = print_time(millis(map.local));
        out += &format!("X-TIMESTAMP-MAP=MPEGTS:{},LOCAL:{local}{end}", map.mpegts);
    }
    for cue in &file.cues {
        out += end;
        if !cue.id.is_empty() {
            out += &format!("{}{end}", cue.id);
        }
        let (start, stop) = (print_time(millis(cue.span.start)), print_time(millis(cue.span.end)));
        out += &format!("{start} --> {stop} {}{end}", cue.settings);
        if !cue.text.is_empty() {
            out += &format!("{}{end}", cue.text.replace('\n', end));
        }
    }
    out
}

fn words() -> impl Strategy<Value = String> {
    "[^\0\r\n]{1,12}".prop_filter("an arrow", |line| !line.contains("-->"))
}

fn any_cue() -> impl Strategy<Value = Cue> {
    let id = prop_oneof![Just(String::new()), words()];
    let settings = "[^\0\r\n]{0,12}".prop_map(|text| text.trim_ascii().to_owned());
    let text = proptest::collection::vec(words(), 0..4).prop_map(|lines| lines.join("\n"));
    (id, 0..40_000_000i64, 1..40_000_000i64, settings, text).prop_map(
        |(id, start, length, settings, text)| cue(&id, start, start + length, &settings, &text),
    )
}

fn any_file() -> impl Strategy<Value = WebVtt> {
    let map = (0..1u64 << 33, 0..40_000_000i64)
        .prop_map(|(mpegts, local)| TimestampMap { mpegts, local: MediaTime::from_millis(local) });
    (proptest::option::of(map), proptest::collection::vec(any_cue(), 0..6))
        .prop_map(|(map, cues)| WebVtt { map, cues })
}
