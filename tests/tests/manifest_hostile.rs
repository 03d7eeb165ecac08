//! A megabyte of anything is answered with bounded work: no more than 16 MB are held at any time and
//! no more are asked for in all than that takes, or the answer is an error.
//!
//! One test alone, because the allocator counts for the whole process. With `--nocapture` it prints
//! how long each answer took; built with `--release`, none should take more than 50 ms.

use std::fmt::Write as _;
use std::time::Instant;

use kinora_core::manifest::hls::{parse as parse_playlist, parse_media};
use kinora_core::manifest::{ManifestError, ManifestErrorKind, dash::parse_mpd};
use kinora_core::media::{FileIndex, IndexProgress};
use kinora_core::time::MediaTime;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEGABYTE: usize = 1 << 20;
const MOST_HELD: usize = 16 << 20;

/// What is to become of a hostile input, within the bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// It is right: it is understood, or too much of something.
    Answer,
    /// It is more than anybody needs: what is not understood of it does not matter.
    Limit,
    /// It is wrong.
    Error,
}

#[test]
fn a_megabyte_of_anything_is_bounded_work() {
    let url = format!("https://cdn.example/{}manifest", "a/".repeat(50));
    let mut wrong = Vec::new();
    for (name, text, expected) in playlists() {
        check(&mut wrong, name, expected, text.len(), || {
            let both = [
                parse_playlist(text.as_bytes(), &url).map(drop),
                parse_media(text.as_bytes(), &url).map(drop),
            ];
            // The kind that it is not is refused at once.
            let not_this = |error: &ManifestError| {
                use ManifestErrorKind::{MixedPlaylist, NotMediaPlaylist};
                matches!(error.kind, NotMediaPlaylist | MixedPlaylist)
            };
            let [one, other] = both;
            if other.as_ref().is_err_and(not_this) { one } else { one.and(other) }
        });
    }
    for (name, text, expected) in mpds() {
        check(&mut wrong, name, expected, text.len(), || {
            parse_mpd(text.as_bytes(), &url).map(drop)
        });
    }
    for (name, bytes) in indexes() {
        check(&mut wrong, name, Expected::Answer, bytes.len(), || {
            let mut reader = FileIndex::new("https://a/v.mp4", None, None, MediaTime::ZERO, None);
            for _ in 0..2_000 {
                let wanted = reader.wanted();
                let rest = usize::try_from(wanted.start).ok().and_then(|at| bytes.get(at..));
                let rest = rest.unwrap_or_default();
                let length = wanted.length.map_or(rest.len(), |length| length as usize);
                match reader.take(&rest[..rest.len().min(length)]) {
                    Ok(IndexProgress::Needs(more)) => reader = more,
                    // A damaged index is as good an answer as any.
                    Ok(IndexProgress::Complete(_)) | Err(_) => return Ok(()),
                }
            }
            panic!("it never has enough");
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(
    wrong: &mut Vec<String>,
    name: &str,
    expected: Expected,
    bytes: usize,
    parse: impl FnOnce() -> Result<(), ManifestError>,
) {
    assert!(bytes <= MEGABYTE + 1000, "{name} has {bytes} bytes");
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let begun = Instant::now();
    let answer = parse();
    let took = begun.elapsed();
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    let limited = |error: &ManifestError| matches!(error.kind, ManifestErrorKind::Limit { .. });
    let right = match expected {
        Expected::Answer => answer.as_ref().err().is_none_or(limited),
        Expected::Limit => true,
        Expected::Error => answer.is_err(),
    };
    println!("{name:<44} {:>7} KB {:>9.2} ms  {answer:?}", held / 1024, took.as_secs_f64() * 1e3);
    if held > MOST_HELD {
        wrong.push(format!("{name} made the parser hold {} KB", held / 1024));
    }
    if !right {
        wrong.push(format!("{name} was answered with {answer:?}"));
    }
}

/// Repeats a piece until there is a megabyte of it.
fn repeated(head: &str, piece: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = String::with_capacity(MEGABYTE + 100);
    text.push_str(head);
    for number in 0.. {
        let piece = piece(number);
        if text.len() + piece.len() + tail.len() > MEGABYTE {
            break;
        }
        text.push_str(&piece);
    }
    text.push_str(tail);
    text
}

fn playlists() -> Vec<(&'static str, String, Expected)> {
    use Expected::{Answer, Limit};
    let media = "#EXTM3U\n#EXT-X-VERSION:12\n#EXT-X-TARGETDURATION:4\n";
    let end = "#EXT-X-ENDLIST\n";
    let segment = "#EXTINF:4,\na\n#EXT-X-ENDLIST\n";
    let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n";
    let define = |number: usize| format!("#EXT-X-DEFINE:NAME=\"v{number}\",VALUE=\"x\"\n");
    let bomb = (1..).take(200).fold(
        format!("{media}#EXT-X-DEFINE:NAME=\"v0\",VALUE=\"{}\"\n", "y".repeat(4000)),
        |mut text, number| {
            let before = format!("{{$v{}}}", number - 1).repeat(50);
            let _ = writeln!(text, "#EXT-X-DEFINE:NAME=\"v{number}\",VALUE=\"{before}\"");
            text
        },
    );
    let used = format!(
        "{media}#EXT-X-DEFINE:NAME=\"v\",VALUE=\"{}\"\n{}",
        "y".repeat(100_000),
        repeated("", |_| "#EXTINF:4,\n{$v}{$v}{$v}{$v}\n".to_owned(), end)
            .chars()
            .take(900_000)
            .collect::<String>()
    );
    vec![
        ("hls: many segments", repeated(media, |_| "#EXTINF:1,\na\n".into(), end), Answer),
        (
            "hls: many ranges",
            repeated(media, |n| format!("#EXTINF:1,\n#EXT-X-BYTERANGE:1@{n}\na\n"), end),
            Answer,
        ),
        (
            "hls: many initialisations",
            repeated(media, |n| format!("#EXT-X-MAP:URI=\"{n}\"\n#EXTINF:1,\na\n"), end),
            Limit,
        ),
        (
            "hls: many keys",
            repeated(
                media,
                |n| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{n}\"\n#EXTINF:1,\na\n"),
                end,
            ),
            Limit,
        ),
        (
            "hls: many keys at once",
            repeated(
                media,
                |n| format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{n}\",KEYFORMAT=\"{n}\"\n"),
                segment,
            ),
            Limit,
        ),
        (
            "hls: many date ranges",
            repeated(
                media,
                |n| format!("#EXT-X-DATERANGE:ID=\"{n}\",START-DATE=\"2026-01-01T00:00:00Z\"\n"),
                segment,
            ),
            Limit,
        ),
        (
            "hls: one date range again and again",
            repeated(media, |n| format!("#EXT-X-DATERANGE:ID=\"a\",X-{n}=1\n"), segment),
            Limit,
        ),
        (
            "hls: many dates",
            repeated(
                media,
                |n| {
                    format!(
                        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:{:02}Z\n#EXTINF:1,\na\n",
                        n % 60
                    )
                },
                end,
            ),
            Answer,
        ),
        (
            "hls: many parts",
            repeated(media, |_| "#EXT-X-PART:DURATION=1,URI=\"a\"\n".into(), ""),
            Limit,
        ),
        (
            "hls: many reports and hints",
            repeated(
                media,
                |n| {
                    format!(
                        "#EXT-X-RENDITION-REPORT:URI=\"{n}\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{n}\"\n"
                    )
                },
                segment,
            ),
            Limit,
        ),
        (
            "hls: many discontinuities",
            repeated(media, |_| "#EXT-X-DISCONTINUITY\n#EXTINF:1,\na\n".into(), end),
            Answer,
        ),
        ("hls: many gaps", repeated(media, |_| "#EXT-X-GAP\n#EXTINF:1,\na\n".into(), end), Answer),
        ("hls: many variables", repeated(media, define, segment), Limit),
        ("hls: variables of variables", bomb + segment, Limit),
        ("hls: one variable in every segment", used, Limit),
        (
            "hls: many unknown tags",
            repeated(media, |n| format!("#EXT-X-T{n}:{n}\n"), segment),
            Answer,
        ),
        (
            "hls: one line",
            media.to_owned() + "#EXTINF:4,\n" + &"a".repeat(MEGABYTE - 200) + "\n",
            Answer,
        ),
        (
            "hls: one huge attribute",
            format!("{media}#EXT-X-MAP:URI=\"{}\"\n{segment}", "a".repeat(MEGABYTE - 200)),
            Answer,
        ),
        (
            "hls: many attributes",
            media.to_owned()
                + "#EXT-X-MAP:URI=\"a\""
                + &repeated("", |n| format!(",A{n}=1"), "\n")
                    .chars()
                    .take(1_000_000)
                    .collect::<String>()
                + "\n"
                + segment,
            Answer,
        ),
        (
            "hls: quotes",
            media.to_owned() + "#EXT-X-MAP:URI=" + &"\"".repeat(MEGABYTE - 200) + "\n" + segment,
            Answer,
        ),
        (
            "hls: quotes and commas",
            media.to_owned()
                + "#EXT-X-MAP:URI=\"a\","
                + &"\",".repeat(MEGABYTE / 2 - 200)
                + "\n"
                + segment,
            Answer,
        ),
        ("hls: comments", repeated(media, |_| "#\n".into(), segment), Answer),
        ("hls: empty lines", repeated(media, |_| "\n".into(), segment), Answer),
        (
            "hls: no line ends",
            media.to_owned() + &"#EXTINF:4,".repeat(100_000) + "\na\n" + end,
            Answer,
        ),
        (
            "hls: many variants",
            repeated("#EXTM3U\n", |n| format!("#EXT-X-STREAM-INF:BANDWIDTH={}\n{n}\n", n + 1), ""),
            Limit,
        ),
        ("hls: many of one variant", repeated("#EXTM3U\n", |_| variant.into(), ""), Limit),
        (
            "hls: many renditions",
            repeated(
                "#EXTM3U\n",
                |n| format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{n}\",NAME=\"{n}\",URI=\"a\"\n"),
                variant,
            ),
            Limit,
        ),
        ("hls: variants by groups", variants_by_groups(), Limit),
        (
            "hls: many codecs",
            format!(
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"{}\"\na\n",
                "avc1.4d401f,".repeat(80_000)
            ),
            Answer,
        ),
        (
            "hls: much session data",
            repeated(
                "#EXTM3U\n",
                |n| format!("#EXT-X-SESSION-DATA:DATA-ID=\"{n}\",VALUE=\"a\"\n"),
                variant,
            ),
            Limit,
        ),
        (
            "hls: many digits",
            media.to_owned() + "#EXTINF:0." + &"9".repeat(MEGABYTE - 200) + ",\na\n" + end,
            Answer,
        ),
        (
            "hls: many dots",
            media.to_owned() + "#EXTINF:4,\n" + &"../".repeat(MEGABYTE / 3 - 100) + "\n" + end,
            Answer,
        ),
    ]
}

/// Variants of many audio groups with many renditions each: the product is what could be played.
fn variants_by_groups() -> String {
    let mut text = String::from("#EXTM3U\n");
    for group in 0..60 {
        for name in 0..60 {
            let _ = writeln!(
                text,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\",LANGUAGE=\"{name}\",URI=\"{group}-{name}\""
            );
        }
    }
    repeated(
        &text,
        |n| format!("#EXT-X-STREAM-INF:BANDWIDTH={},AUDIO=\"{}\"\n{n}\n", n + 1, n % 60),
        "",
    )
}

fn mpds() -> Vec<(&'static str, String, Expected)> {
    use Expected::{Answer, Error, Limit};
    let mpd = "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT1000S'>";
    let period = format!("{mpd}<Period>");
    let set = format!("{period}<AdaptationSet mimeType='video/mp4'>");
    let template = "<SegmentTemplate duration='2' media='$Number$'/>";
    let set_end = "</AdaptationSet></Period></MPD>";
    let representation = "<Representation id='v' bandwidth='1' codecs='avc1.4d401f'/>";
    let playable = format!(
        "<Period><AdaptationSet mimeType='video/mp4'>{template}{representation}</AdaptationSet></Period></MPD>"
    );
    let timeline = format!("{set}<SegmentTemplate media='$Time$'><SegmentTimeline>");
    let timeline_end = format!("</SegmentTimeline></SegmentTemplate>{representation}{set_end}");
    let rest = format!("{template}{representation}{set_end}");
    let many = |piece: &str| repeated(&set, |_| piece.to_owned(), &rest);
    let base = |length| format!("<BaseURL>{}/</BaseURL>", "a".repeat(length));
    vec![
        ("dash: deep", "<a>".repeat(MEGABYTE / 3), Error),
        ("dash: deep in an MPD", format!("{mpd}{}", "<a>".repeat(MEGABYTE / 3 - 100)), Limit),
        (
            "dash: many attributes",
            mpd.replace(
                '>',
                &repeated("", |n| format!(" a{n}='1'"), "")
                    .chars()
                    .take(1_000_000)
                    .collect::<String>(),
            ) + ">"
                + &playable,
            Answer,
        ),
        (
            "dash: one huge attribute",
            mpd.replace('>', &format!(" id='{}'>", "a".repeat(MEGABYTE - 1000))) + &playable,
            Answer,
        ),
        (
            "dash: an attribute without end",
            mpd.replace('>', &format!(" id='{}", "a".repeat(MEGABYTE - 1000))),
            Error,
        ),
        ("dash: quotes", mpd.replace('>', " ") + &"'\"".repeat(MEGABYTE / 2 - 200), Error),
        (
            "dash: many periods",
            repeated(
                mpd,
                |_| {
                    format!(
                        "<Period duration='PT0.01S'><AdaptationSet mimeType='video/mp4'>{template}{representation}</AdaptationSet></Period>"
                    )
                },
                "</MPD>",
            ),
            Answer,
        ),
        ("dash: many empty periods", repeated(mpd, |_| "<Period/>".into(), &playable), Limit),
        (
            "dash: many sets",
            repeated(
                &period,
                |_| {
                    format!(
                        "<AdaptationSet mimeType='video/mp4'>{template}{representation}</AdaptationSet>"
                    )
                },
                "</Period></MPD>",
            ),
            Answer,
        ),
        (
            "dash: many representations",
            repeated(
                &format!("{set}{template}"),
                |n| format!("<Representation id='{n}' bandwidth='1'/>"),
                set_end,
            ),
            Limit,
        ),
        (
            "dash: representations under a long base URL",
            repeated(
                &format!("{set}{}{template}", base(10_000)),
                |n| format!("<Representation id='{n}' bandwidth='1'/>"),
                set_end,
            ),
            Limit,
        ),
        (
            "dash: representations under half of a template",
            repeated(
                &format!(
                    "{set}<SegmentTemplate duration='2' media='{}$Number$'/>",
                    "a".repeat(500_000)
                ),
                |n| format!("<Representation id='{n}' bandwidth='1'/>"),
                set_end,
            ),
            Limit,
        ),
        (
            "dash: many base URLs",
            repeated(&set, |n| format!("<BaseURL>{n}/</BaseURL>"), &rest),
            Limit,
        ),
        ("dash: base URLs of base URLs", base_urls_of_base_urls(mpd), Limit),
        ("dash: many S", repeated(&timeline, |_| "<S d='1'/>".into(), &timeline_end), Answer),
        (
            "dash: S that repeat",
            repeated(&timeline, |_| "<S d='1' r='2147483647'/>".into(), &timeline_end),
            Answer,
        ),
        (
            "dash: S that repeat to the end",
            repeated(&timeline, |_| "<S d='1' r='-1'/>".into(), &timeline_end),
            Answer,
        ),
        (
            "dash: patterns that repeat",
            repeated(
                &format!("{timeline}<Pattern id='1'><P d='1' r='60000'/></Pattern>"),
                |n| format!("<S t='{n}' d='9' p='1' r='60000'/>"),
                &timeline_end,
            ),
            Limit,
        ),
        (
            "dash: S that go back",
            repeated(&timeline, |n| format!("<S t='{}' d='9'/>", 1_000_000 - n), &timeline_end),
            Answer,
        ),
        (
            "dash: many SegmentURL",
            repeated(
                &format!("{set}<SegmentList duration='1'>"),
                |n| format!("<SegmentURL media='{n}'/>"),
                &format!("</SegmentList>{representation}{set_end}"),
            ),
            Answer,
        ),
        (
            "dash: many numbers",
            format!(
                "{set}<SegmentTemplate timescale='4294967295' duration='1' media='$Number$'/>{representation}{set_end}"
            ),
            Answer,
        ),
        (
            "dash: a wide number",
            format!(
                "{set}<SegmentTemplate duration='1' media='$Number%0999999999d$'/>{representation}{set_end}"
            ),
            Error,
        ),
        (
            "dash: many events",
            repeated(
                &format!("{period}<EventStream schemeIdUri='a'>"),
                |n| format!("<Event id='{n}'/>"),
                &format!("</EventStream><AdaptationSet mimeType='video/mp4'>{rest}"),
            ),
            Limit,
        ),
        (
            "dash: many descriptors",
            many("<SupplementalProperty schemeIdUri='a' value='b'/>"),
            Limit,
        ),
        (
            "dash: much protection",
            many(
                "<ContentProtection schemeIdUri='urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'/>",
            ),
            Limit,
        ),
        ("dash: many labels", many("<Label>a</Label>"), Limit),
        (
            "dash: many roles",
            many("<Role schemeIdUri='urn:mpeg:dash:role:2011' value='main'/>"),
            Limit,
        ),
        ("dash: many unknown elements", repeated(&set, |n| format!("<e{n}/>"), &rest), Answer),
        ("dash: comments", repeated(mpd, |_| "<!---->".into(), &playable), Answer),
        ("dash: a comment without end", format!("{mpd}<!--{}", "-".repeat(MEGABYTE - 1000)), Error),
        ("dash: instructions", repeated(mpd, |_| "<?a?>".into(), &playable), Answer),
        ("dash: CDATA", repeated(mpd, |_| "<![CDATA[]]>".into(), &playable), Answer),
        (
            "dash: references",
            format!("{set}<BaseURL>{}</BaseURL>{rest}", "&amp;".repeat(200_000)),
            Answer,
        ),
        (
            "dash: numeric references",
            mpd.replace('>', &format!(" id='{}'>", "&#x1F600;".repeat(110_000))) + &playable,
            Answer,
        ),
        (
            "dash: references without end",
            format!("{set}<BaseURL>{}</BaseURL>{rest}", "&".repeat(MEGABYTE - 2000)),
            Error,
        ),
        ("dash: text", format!("{mpd}{}{playable}", "a ".repeat(MEGABYTE / 2 - 1000)), Answer),
        (
            "dash: a document type",
            format!("<!DOCTYPE MPD [{}]>{mpd}", "<!ENTITY a '&b;&b;'>".repeat(50_000)),
            Error,
        ),
        ("dash: nothing but less-than", "<".repeat(MEGABYTE), Error),
        ("dash: nothing but greater-than", format!("<MPD{}", ">".repeat(MEGABYTE - 10)), Error),
    ]
}

/// Every level has as many base URLs as there is room for.
fn base_urls_of_base_urls(mpd: &str) -> String {
    let level = |length: usize| {
        repeated("", |n| format!("<BaseURL>{n}/</BaseURL>"), "")
            .chars()
            .take(length)
            .collect::<String>()
    };
    let level = |length| {
        let text = level(length);
        text[..text.rfind("<BaseURL>").unwrap_or(0)].to_owned()
    };
    let urls = level(250_000);
    format!(
        "{mpd}{urls}<Period>{urls}<AdaptationSet mimeType='video/mp4'>{urls}\
         <SegmentTemplate duration='2' media='$Number$'/>\
         <Representation id='v' bandwidth='1'>{urls}</Representation></AdaptationSet></Period></MPD>"
    )
}

/// Files of boxes and of WebM elements.
fn indexes() -> Vec<(&'static str, Vec<u8>)> {
    let sidx = |count: usize, index: bool| {
        let mut body = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 3, 232];
        body.extend([0; 8]);
        body.extend([0, 0]);
        body.extend((count as u16).to_be_bytes());
        for _ in 0..count {
            body.extend((u32::from(index) << 31 | 32).to_be_bytes());
            body.extend([0, 0, 0, 1, 0, 0, 0, 0]);
        }
        let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
        whole.extend(b"sidx");
        whole.extend(body);
        whole
    };
    let fill = |piece: Vec<u8>| piece.repeat(MEGABYTE / piece.len());
    let mut cues = b"\x1c\x53\xbb\x6b\x01\x00\x00\x00\x00\x0f\xff\xf4".to_vec();
    cues.extend(b"\xbb\x80".repeat((MEGABYTE - 12) / 2));
    let mut webm = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff".to_vec();
    webm.extend(b"\xec\x80".repeat(MEGABYTE / 2 - 10));
    vec![
        ("sidx: many segments", sidx(65_535, false)),
        ("sidx: many indexes", sidx(65_535, true)),
        ("sidx: indexes of indexes", fill(sidx(1, true))),
        ("sidx: many indexes of many indexes", fill(sidx(1_000, true))),
        ("sidx: small boxes", fill(b"\0\0\0\x08free".to_vec())),
        ("webm: empty cues", cues),
        ("webm: small elements", webm),
        (
            "webm: seeks within seeks",
            fill(
                b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x11\x4d\x9b\x74\xff\x4d\xbb\xff"
                    .to_vec(),
            ),
        ),
    ]
}
