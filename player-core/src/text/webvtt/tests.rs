//! Files as services write them, and as they should not.

use super::*;

mod oracle;
mod properties;

fn parse(text: &str) -> WebVtt {
    WebVtt::parse(text.as_bytes()).expect("WebVTT")
}

/// A cue from its times in milliseconds.
fn cue(id: &str, start: i64, end: i64, settings: &str, text: &str) -> Cue {
    let span = TimeRange { start: MediaTime::from_millis(start), end: MediaTime::from_millis(end) };
    Cue { id: id.into(), span, settings: settings.into(), text: text.into() }
}

/// The words of each cue.
fn texts(file: &WebVtt) -> Vec<&str> {
    file.cues.iter().map(|cue| cue.text.as_str()).collect()
}

/// The span of a cue whose line of times this is.
fn span(line: &str) -> Option<TimeRange> {
    parse(&format!("WEBVTT\n\n{line}\ntext")).cues.first().map(|cue| cue.span)
}

fn start(time: &str) -> Option<MediaTime> {
    span(&format!("{time} --> 99999999:00:00.000")).map(|span| span.start)
}

fn map(header: &str) -> Option<TimestampMap> {
    let file = parse(&format!("WEBVTT\n{header}\n\n00:01.000 --> 00:02.000\ntext"));
    assert_eq!(texts(&file), ["text"], "{header}");
    file.map
}

#[test]
fn a_file_as_services_write_it() {
    let file = parse(
        "WEBVTT - Sintel\nKind: captions\n\nNOTE\nTranslated by hand.\n\nSTYLE\n::cue { color: lime }\n\n\
         REGION\nid:fred\nwidth:40%\n\n\
         1\n00:00:01.500 --> 00:00:04.000 line:0 align:start\n<v Ann>Who goes <i>there</i>?\n- Nobody.\n\n\
         00:05.000 --> 01:00.250\nThis blade &amp; I\n",
    );
    assert_eq!(file.map, None);
    assert_eq!(
        file.cues,
        [
            cue("1", 1500, 4000, "line:0 align:start", "<v Ann>Who goes <i>there</i>?\n- Nobody."),
            cue("", 5000, 60_250, "", "This blade &amp; I"),
        ]
    );
}

#[test]
fn the_signature_tells_webvtt_from_the_rest() {
    for file in ["WEBVTT", "\u{feff}WEBVTT", "WEBVTT\n", "WEBVTT\r", "WEBVTT\ttitle", "WEBVTT -->"]
    {
        assert_eq!(WebVtt::parse(file.as_bytes()), Some(WebVtt::default()), "{file:?}");
    }
    for file in [
        "",
        "\u{feff}",
        "WEBVT",
        "WEBVTTT",
        "WEBVTT\0",
        "WEBVTT\x0c",
        "webvtt\n",
        " WEBVTT\n",
        "\nWEBVTT\n",
        "\u{feff}\u{feff}WEBVTT\n",
        "1\n00:00:01,000 --> 00:00:02,000\nSubRip\n",
        "<tt xmlns='http://www.w3.org/ns/ttml'/>",
    ] {
        assert_eq!(WebVtt::parse(file.as_bytes()), None, "{file:?}");
    }
}

#[test]
fn every_end_of_line_ends_a_line() {
    let text =
        "WEBVTT\n\nid\n00:01.000 --> 00:02.000\none\ntwo\n\n\n00:02.000 --> 00:03.000\nthree\n";
    let expected = parse(text);
    assert_eq!(texts(&expected), ["one\ntwo", "three"]);
    assert_eq!(parse(&text.replace('\n', "\r")), expected);
    assert_eq!(parse(&text.replace('\n', "\r\n")), expected);
    let mixed =
        "WEBVTT\r\n\rid\n00:01.000 --> 00:02.000\rone\r\ntwo\n\r00:02.000 --> 00:03.000\nthree";
    assert_eq!(parse(mixed), expected);
}

#[test]
fn a_line_of_white_space_is_no_end_of_a_block() {
    let file = parse("WEBVTT\n\n00:01.000 --> 00:02.000\n one \n \n\ttwo\n\nthree");
    assert_eq!(texts(&file), [" one \n \n\ttwo"]);
}

#[test]
fn a_cue_may_be_without_words() {
    let file = parse("WEBVTT\n\n00:01.000 --> 00:02.000\n\n00:02.000 --> 00:03.000");
    assert_eq!(file.cues, [cue("", 1000, 2000, "", ""), cue("", 2000, 3000, "", "")]);
}

#[test]
fn a_header_ends_at_an_empty_line_or_at_a_cue() {
    let expected = [cue("", 1000, 2000, "", "text")];
    for header in ["\n", "\nKind: captions\n", "\nNOTE\nid\n", " a title\nLanguage: en\n\n"] {
        let file = parse(&format!("WEBVTT{header}00:01.000 --> 00:02.000\ntext"));
        assert_eq!(file.cues, expected, "{header:?}");
    }
}

#[test]
fn an_identifier_is_one_line_before_the_times() {
    let id =
        |block: &str| parse(&format!("WEBVTT\n\n{block}")).cues.first().map(|cue| cue.id.clone());
    assert_eq!(id("00:01.000 --> 00:02.000").as_deref(), Some(""));
    assert_eq!(id(" a b \n00:01.000 --> 00:02.000").as_deref(), Some(" a b "));
    assert_eq!(id("NOTE\n00:01.000 --> 00:02.000").as_deref(), Some("NOTE"));
    // Two lines are a block of their own, which the times end.
    assert_eq!(id("a\nb\n00:01.000 --> 00:02.000").as_deref(), Some(""));
    assert_eq!(id("a\n\n00:01.000 --> 00:02.000").as_deref(), Some(""));
}

#[test]
fn times_are_hours_minutes_seconds_and_thousandths() {
    for (time, millis) in [
        ("00:00.000", 0),
        ("00:00.001", 1),
        ("59:59.999", 3_599_999),
        ("00:00:00.010", 10),
        ("0:00:01.000", 1000),
        ("01:00:00.000", 3_600_000),
        ("60:00:00.000", 216_000_000),
        ("100:00:00.000", 360_000_000),
        ("0000001:02:03.004", 3_723_004),
    ] {
        assert_eq!(start(time), Some(MediaTime::from_millis(millis)), "{time}");
    }
    for time in [
        "",
        "1",
        "00",
        "00:00",
        "00.000",
        "0:00.000",
        "000:00.000",
        "60:00.000",
        "00:60.000",
        "00:60:00.000",
        "00:00:60.000",
        "00:0:00.000",
        "00:00:0.000",
        "00:000:00.000",
        "00:00:000.000",
        "00:00.00",
        "00:00.0000",
        "00:00,000",
        "00:00:00",
        "00:00:00:00.000",
        "-00:00.000",
        "+1:00:00.000",
        "00: 00.000",
        "00:00.000x",
        ":00.000",
        "\u{661}\u{662}:00.000",
    ] {
        assert_eq!(start(time), None, "{time}");
    }
}

#[test]
fn times_without_end_saturate() {
    let digits = "9".repeat(10_000);
    let shown = span(&format!("00:01.000 --> {digits}:59:59.999"));
    assert_eq!(
        shown,
        Some(TimeRange { start: MediaTime::from_secs(1), end: MediaTime::from_flicks(i64::MAX) })
    );
    assert_eq!(span(&format!("{digits}:00:00.000 --> {digits}1:00:00.000")), None);
    // Zeros in front are none of its size.
    assert_eq!(start(&format!("{}1:00:00.000", "0".repeat(100))), start("01:00:00.000"));
}

#[test]
fn white_space_around_the_arrow_is_free() {
    let expected = span("00:01.000 --> 00:02.000");
    assert!(expected.is_some());
    for line in
        ["00:01.000-->00:02.000", "\t 00:01.000\x0c-->\t\t00:02.000 ", "00:01.000--> 00:02.000"]
    {
        assert_eq!(span(line), expected, "{line:?}");
    }
    for line in ["00:01.000 ->00:02.000 -->", "00:01.000 ---> 00:02.000", "--> 00:02.000"] {
        assert_eq!(span(line), None, "{line:?}");
    }
}

#[test]
fn settings_stay_as_written() {
    let settings = |line: &str| {
        parse(&format!("WEBVTT\n\n{line}\ntext")).cues.first().map(|cue| cue.settings.clone())
    };
    for (line, expected) in [
        ("00:01.000 --> 00:02.000", ""),
        ("00:01.000 --> 00:02.000 \t", ""),
        ("00:01.000 --> 00:02.000 \t line:0  align:start\t", "line:0  align:start"),
        ("00:01.000 --> 00:02.000align:start", "align:start"),
        ("00:01.000 --> 00:02.000 what:ever --> 7", "what:ever --> 7"),
        ("00:01.000 --> 00:02.000 r\u{e9}gion:\0", "r\u{e9}gion:\u{fffd}"),
    ] {
        assert_eq!(settings(line).as_deref(), Some(expected), "{line:?}");
    }
}

#[test]
fn a_malformed_cue_is_skipped_to_the_next_empty_line() {
    let file = parse(
        "WEBVTT\n\na\n00:01.000 --> 00:0x.000\nlost\nlost\n\nb\n00:02.000 --> 00:03.000\nshown\n",
    );
    assert_eq!(file.cues, [cue("b", 2000, 3000, "", "shown")]);
}

#[test]
fn an_arrow_begins_the_next_cue() {
    // Without an empty line, what would be an identifier is text.
    let file = parse(
        "WEBVTT\n\n00:01.000 --> 00:02.000\none\n2\n00:02.000 --> 00:03.000\ntwo\n00:03.000 --> 00:04.000",
    );
    assert_eq!(
        file.cues,
        [
            cue("", 1000, 2000, "", "one\n2"),
            cue("", 2000, 3000, "", "two"),
            cue("", 3000, 4000, "", ""),
        ]
    );
    // An arrow among words ends the cue, and what follows is lost with it.
    let file = parse("WEBVTT\n\n00:01.000 --> 00:02.000\nup\nleft --> right\ndown\n\n");
    assert_eq!(texts(&file), ["up"]);
    let file = parse("WEBVTT\n\nx\nno --> times\n00:01.000 --> 00:02.000\nshown");
    assert_eq!(file.cues, [cue("", 1000, 2000, "", "shown")]);
}

#[test]
fn blocks_of_other_kinds_are_skipped() {
    let file = parse(
        "WEBVTT\n\nNOTE one line\n\nNOTE\nmore\nlines\n\nSTYLE\n::cue { }\n\nREGION\nid:a\n\n\
         just\nwords\nand more\n\n00:01.000 --> 00:02.000\nshown\n\nNOTE the end",
    );
    assert_eq!(file.cues, [cue("", 1000, 2000, "", "shown")]);
}

#[test]
fn cues_that_are_never_shown_are_left_out() {
    let file = parse(
        "WEBVTT\n\n00:02.000 --> 00:02.000\nno time\n\n00:03.000 --> 00:02.000\ninverted\n\n\
         00:02.000 --> 00:02.001\nshown",
    );
    assert_eq!(texts(&file), ["shown"]);
}

#[test]
fn cues_keep_the_order_they_stand_in() {
    let file = parse("WEBVTT\n\n00:05.000 --> 00:06.000\nlate\n\n00:01.000 --> 00:09.000\nearly");
    assert_eq!(texts(&file), ["late", "early"]);
}

#[test]
fn what_is_no_text_is_replaced() {
    let mut bytes =
        b"WEBVTT \xff\nX\xff=\n\ni\0d\xc3\n00:01.000 --> 00:02.000 a:\xf0\x9f\n".to_vec();
    bytes.extend_from_slice(b"\0a\0\xf0\x9f\x98\x80\xe2\x82b\xff\xfe\nna\xc3\xafve\xe2\x82\r\n");
    let file = WebVtt::parse(&bytes).expect("WebVTT");
    assert_eq!(
        file.cues,
        [cue(
            "i\u{fffd}d\u{fffd}",
            1000,
            2000,
            "a:\u{fffd}",
            "\u{fffd}a\u{fffd}\u{1f600}\u{fffd}b\u{fffd}\u{fffd}\nna\u{ef}ve\u{fffd}"
        )]
    );
}

#[test]
fn a_map_ties_the_file_to_the_media() {
    let second = Some(TimestampMap { mpegts: 900_000, local: MediaTime::from_secs(1) });
    for header in [
        "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000",
        "X-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:900000",
        "X-TIMESTAMP-MAP=LOCAL:00:01.000,MPEGTS:900000",
        " X-TIMESTAMP-MAP = MPEGTS : 900000 ,\tLOCAL : 00:00:01.000 ",
        "Kind: captions\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000\nLanguage: en",
        "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000,RATE:1",
        "X-TIMESTAMP-MAP=MPEGTS:9490834592,LOCAL:00:00:01.000",
        "X-TIMESTAMP-MAP=MPEGTS:1\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000",
        "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00.000",
    ] {
        // 9490834592 is 2^33 and some more.
        let expected = second.map(|map| TimestampMap {
            mpegts: if header.contains("949") { 9_490_834_592 - (1 << 33) } else { map.mpegts },
            ..map
        });
        assert_eq!(map(header), expected, "{header}");
    }
    let first_line = parse("WEBVTT X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000\r\n\r\n");
    assert_eq!(first_line.map, second);
}

#[test]
fn a_malformed_map_is_as_none() {
    let long = format!("X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{}", "9".repeat(100));
    for header in [
        "Kind: captions",
        "X-TIMESTAMP-MAP",
        "X-TIMESTAMP-MAP=",
        "X-TIMESTAMP-MAP=MPEGTS:900000",
        "X-TIMESTAMP-MAP=LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:,LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:-1,LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:9.5,LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:0x10,LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00",
        "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00,000",
        "X-TIMESTAMP-MAP=MPEGTS:900000;LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAP=MPEGTS:900000,,LOCAL:00:00:00.000",
        "X-TIMESTAMP-MAPS=MPEGTS:900000,LOCAL:00:00:00.000",
        &long,
    ] {
        assert_eq!(map(header), None, "{header}");
    }
    // Not in the header.
    let file = parse("WEBVTT\n\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:01.000\n\n");
    assert_eq!(file.map, None);
}

#[test]
fn cues_are_limited() {
    let mut text = "WEBVTT\n\n".to_owned();
    for _ in 0..MAX_CUES {
        text.push_str("00:00.000 --> 00:01.000\n");
    }
    assert_eq!(parse(&text).cues.len(), MAX_CUES);
    text.push_str("\nover\n00:00.000 --> 00:01.000\nthe limit");
    let file = parse(&text);
    assert_eq!(file.cues.len(), MAX_CUES);
    assert_eq!(file.cues.last(), Some(&cue("", 0, 1000, "", "")));
}

#[test]
fn text_is_limited() {
    let times = "00:00.000 --> 00:01.000";
    let first = "x".repeat(MAX_TEXT - 8);
    let file = |rest: &str| parse(&format!("WEBVTT\n\n{times}\n{first}\n\n{rest}")).cues.len();
    assert_eq!(file(&format!("12\n{times} ab\ncd\ne")), 2);
    for over in [
        format!("12\n{times} ab\ncd\nef"),
        format!("12\n{times} ab\ncd\0"),
        format!("12\n{times} abcdefg"),
        format!("123456789\n{times}"),
    ] {
        // What comes after is left out, small as it is.
        assert_eq!(file(&format!("{over}\n\n{times}\nf")), 1, "{over}");
    }
    // What is replaced takes the room of what replaces it.
    let mut bytes = format!("WEBVTT\n\n{times}\n").into_bytes();
    let (header, most) = (bytes.len(), MAX_TEXT / 3);
    bytes.resize(header + most, 0xff);
    assert_eq!(WebVtt::parse(&bytes).map(|file| file.cues.len()), Some(1));
    bytes.resize(header + most + 1, 0xff);
    assert_eq!(WebVtt::parse(&bytes).map(|file| file.cues.len()), Some(0));
}
