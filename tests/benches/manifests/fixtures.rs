//! Large manifests, made up: the same bytes on every run and machine.

use std::fmt::Write as _;

/// A manifest to parse, and what is known to be in it.
pub(crate) struct Fixture {
    /// File name; the extension tells the format.
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// Media segments of a playlist; of an MPD those of all representations.
    pub(crate) segments: usize,
    /// Periods of an MPD.
    pub(crate) periods: usize,
}

/// Everything the benchmarks read.
pub(crate) fn all() -> Vec<Fixture> {
    let whole = |name, text, segments| Fixture { name, text, segments, periods: 0 };
    let mpd = |name, (text, segments), periods| Fixture { name, text, segments, periods };
    vec![
        whole("vod.m3u8", vod(), SEGMENTS),
        whole("multivariant.m3u8", multivariant("vod.m3u8"), 0),
        whole("live-before.m3u8", live(0, Update::Full), SEGMENTS),
        whole("live-after.m3u8", live(1, Update::Full), SEGMENTS),
        whole("live-after-delta.m3u8", live(1, Update::Delta), SEGMENTS),
        whole("multivariant-live.m3u8", multivariant("live.m3u8"), 0),
        whole("low-latency-before.m3u8", low_latency(0, Update::Full), LOW_LATENCY_SEGMENTS),
        whole("low-latency-after-delta.m3u8", low_latency(1, Update::Delta), LOW_LATENCY_SEGMENTS),
        mpd("one-period.mpd", timelines(1, 5_000, 5), 1),
        mpd("five-periods.mpd", timelines(5, 1_000, 5), 5),
        mpd("many-periods.mpd", advertisements(), AD_PERIODS),
        mpd("live-before.mpd", live_mpd(0), 1),
        mpd("live-after.mpd", live_mpd(1), 1),
        mpd("live-after-patch.mpd", (patch(), live_mpd(1).1), 1),
    ]
}

const SEGMENTS: usize = 10_000;
const LOW_LATENCY_SEGMENTS: usize = 2_700;

/// A linear congruential generator: durations and sizes that vary, and are always the same.
struct Variety(u32);

impl Variety {
    /// Below `most`.
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (self.0 >> 8) % most
    }
}

/// RFC 3339, milliseconds after the start of 2026.
fn date_time(milliseconds: u64) -> String {
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    // Within January: the longest film here lasts less than three days.
    format!(
        "2026-01-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + hours / 24,
        hours % 24,
        minutes % 60,
        seconds % 60,
        milliseconds
    )
}

/// 10 000 segments with `EXT-X-PROGRAM-DATE-TIME` and byte ranges, a hundred to a file.
fn vod() -> String {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:7\n#EXT-X-MEDIA-SEQUENCE:1\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"852@0\"\n",
    );
    let mut variety = Variety(1);
    let (mut offset, mut time) = (0, 0);
    for number in 0..SEGMENTS {
        if number % 100 == 0 {
            offset = 852;
        }
        let milliseconds = 5_500 + variety.below(1_000);
        let bytes = 400_000 + variety.below(900_000);
        let _ = write!(
            text,
            "#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:{}.{:03}00,\n\
             #EXT-X-BYTERANGE:{bytes}@{offset}\nvideo/file_{:04}.mp4\n",
            date_time(time),
            milliseconds / 1000,
            milliseconds % 1000,
            number / 100
        );
        offset += bytes;
        time += u64::from(milliseconds);
    }
    text + "#EXT-X-ENDLIST\n"
}

/// One variant, for the peers that only begin with a multivariant playlist.
fn multivariant(media: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-STREAM-INF:BANDWIDTH=4440482,RESOLUTION=864x486,FRAME-RATE=24.000,\
         CODECS=\"avc1.4d401f\"\n{media}\n"
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Update {
    /// All segments of the window.
    Full,
    /// `EXT-X-SKIP` in place of those that have been told before.
    Delta,
}

/// A window of 10 000 segments that has moved on by `moved`.
fn live(moved: usize, update: Update) -> String {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n\
         #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=36.0\n",
    );
    let _ = writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", 100_000 + moved);
    let mut told = moved..moved + SEGMENTS;
    if update == Update::Delta {
        // The skip boundary is six target durations before the end (RFC 8216bis 4.4.3.8).
        let skipped = SEGMENTS - 7;
        let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        told.start += skipped;
    } else {
        text.push_str("#EXT-X-MAP:URI=\"init.mp4\"\n");
    }
    for number in told {
        let _ = write!(
            text,
            "#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:6.00000,\nvideo/{number:08}.m4s\n",
            date_time(number as u64 * 6_000)
        );
    }
    text
}

/// Three hours of low latency: segments of four seconds, parts of half a second where the RFC
/// keeps them, the last three target durations.
fn low_latency(moved: usize, update: Update) -> String {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:\
         CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,CAN-SKIP-UNTIL=24.0\n\
         #EXT-X-PART-INF:PART-TARGET=0.5\n",
    );
    let _ = writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", 40_000 + moved);
    let end = moved + LOW_LATENCY_SEGMENTS;
    let mut told = moved..end;
    if update == Update::Delta {
        let skipped = LOW_LATENCY_SEGMENTS - 7;
        let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        told.start += skipped;
    } else {
        text.push_str("#EXT-X-MAP:URI=\"init.mp4\"\n");
    }
    for number in told {
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(number as u64 * 4_000));
        if end - number <= 3 {
            parts(&mut text, number, 8);
        }
        let _ = write!(text, "#EXTINF:4.00000,\nvideo/{number:08}.m4s\n");
    }
    parts(&mut text, end, 3);
    let _ = write!(
        text,
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"video/{end:08}.3.m4s\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"../1M/media.m3u8\",LAST-MSN={0},LAST-PART=2\n\
         #EXT-X-RENDITION-REPORT:URI=\"../4M/media.m3u8\",LAST-MSN={0},LAST-PART=2\n",
        40_000 + end
    );
    text
}

fn parts(text: &mut String, segment: usize, count: usize) {
    for part in 0..count {
        let independent = if part == 0 { ",INDEPENDENT=YES" } else { "" };
        let _ = writeln!(
            text,
            "#EXT-X-PART:DURATION=0.50000,URI=\"video/{segment:08}.{part}.m4s\"{independent}"
        );
    }
}

const LADDER: [(u32, u32, u32); 5] =
    [(235, 384, 216), (560, 512, 288), (1_050, 640, 360), (2_350, 768, 432), (4_300, 864, 486)];

/// Periods of `entries` `S` elements for video in `rungs` representations, and as many for audio.
fn timelines(periods: usize, entries: usize, rungs: usize) -> (String, usize) {
    let length = entries * 2;
    let mut text = head(periods * length);
    for period in 0..periods {
        let _ = writeln!(
            text,
            "  <Period id=\"p{period}\" start=\"PT{}.0S\" duration=\"PT{length}.0S\">",
            period * length
        );
        film(&mut text, entries, rungs, "", 0);
        text.push_str("  </Period>\n");
    }
    (text + "</MPD>\n", periods * entries * (rungs + 1))
}

fn head(seconds: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT{seconds}.0S\" minBufferTime=\"PT4S\">\n"
    )
}

/// The adaptation sets of a period of `entries` segments of about two seconds.
fn film(text: &mut String, entries: usize, rungs: usize, folder: &str, offset: u64) {
    text.push_str(
        "    <AdaptationSet id=\"0\" contentType=\"video\" mimeType=\"video/mp4\" \
         segmentAlignment=\"true\" startWithSAP=\"1\" frameRate=\"24/1\" par=\"16:9\">\n",
    );
    timeline(text, entries, 12_288, folder, offset);
    for (number, (kilobits, width, height)) in LADDER.iter().take(rungs).enumerate() {
        let _ = writeln!(
            text,
            "      <Representation id=\"v{number}\" codecs=\"avc1.4d401e\" \
             bandwidth=\"{kilobits}000\" width=\"{width}\" height=\"{height}\" sar=\"1:1\"/>"
        );
    }
    text.push_str(
        "    </AdaptationSet>\n    <AdaptationSet id=\"1\" contentType=\"audio\" \
         mimeType=\"audio/mp4\" lang=\"en\" segmentAlignment=\"true\" startWithSAP=\"1\">\n",
    );
    timeline(text, entries, 48_000, folder, offset);
    text.push_str(
        "      <Representation id=\"a0\" codecs=\"mp4a.40.2\" bandwidth=\"128000\" \
         audioSamplingRate=\"48000\"/>\n    </AdaptationSet>\n",
    );
}

/// `S` elements that never repeat, as encoders write them that cut at scene changes.
fn timeline(text: &mut String, entries: usize, timescale: u64, folder: &str, offset: u64) {
    let start = offset * timescale;
    let _ = write!(
        text,
        "      <SegmentTemplate timescale=\"{timescale}\" presentationTimeOffset=\"{start}\" \
         initialization=\"{folder}$RepresentationID$/init.mp4\" \
         media=\"{folder}$RepresentationID$/seg-$Time$.m4s\" startNumber=\"1\">\n        \
         <SegmentTimeline>\n"
    );
    let mut left = entries as u64 * 2 * timescale;
    for entry in 0..entries as u64 {
        let wobble = timescale / 50 * (entry % 3) + entry % 7;
        let duration = 2 * timescale - timescale / 50 + wobble;
        let duration = if entry + 1 == entries as u64 { left } else { duration.min(left) };
        left -= duration;
        let first = if entry == 0 { format!("t=\"{start}\" ") } else { String::new() };
        let _ = writeln!(text, "          <S {first}d=\"{duration}\"/>");
    }
    text.push_str("        </SegmentTimeline>\n      </SegmentTemplate>\n");
}

/// Entries of each timeline of the live MPD: a window of nearly three hours.
const WINDOW: u64 = 5_000;

/// How long the segment of a number lasts.
fn live_duration(number: u64, timescale: u64) -> u64 {
    2 * timescale - timescale / 50 + timescale / 50 * (number % 3) + number % 7
}

/// When it begins.
fn live_start(number: u64, timescale: u64) -> u64 {
    (0..number).map(|before| live_duration(before, timescale)).sum()
}

/// Sets of the live MPD: their timescale, and their representations.
const LIVE_SETS: [(u64, &str, &str); 2] = [
    (
        12_288,
        "video",
        "<Representation id=\"v0\" codecs=\"avc1.4d401e\" bandwidth=\"560000\" width=\"512\" height=\"288\"/>\n      \
         <Representation id=\"v1\" codecs=\"avc1.4d401f\" bandwidth=\"2350000\" width=\"768\" height=\"432\"/>",
    ),
    (
        48_000,
        "audio",
        "<Representation id=\"a0\" codecs=\"mp4a.40.2\" bandwidth=\"128000\" audioSamplingRate=\"48000\"/>",
    ),
];

/// A live MPD whose window has moved on by `moved`, and how many segments are in it.
fn live_mpd(moved: u64) -> (String, usize) {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"dynamic\" id=\"live\" \
         availabilityStartTime=\"2026-01-01T00:00:00Z\" publishTime=\"2026-01-01T03:00:{:02}Z\" \
         minimumUpdatePeriod=\"PT2S\" timeShiftBufferDepth=\"PT2H\" minBufferTime=\"PT4S\">\n  \
         <PatchLocation ttl=\"60\">patch.mpp</PatchLocation>\n  <Period id=\"p0\" start=\"PT0S\">\n",
        2 * moved
    );
    for (timescale, kind, representations) in LIVE_SETS {
        let _ = write!(
            text,
            "    <AdaptationSet id=\"{kind}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\" segmentAlignment=\"true\">\n      \
             <SegmentTemplate timescale=\"{timescale}\" initialization=\"$RepresentationID$/init.mp4\" \
             media=\"$RepresentationID$/seg-$Time$.m4s\">\n        <SegmentTimeline>\n"
        );
        for number in moved..moved + WINDOW {
            let duration = live_duration(number, timescale);
            let _ = match number == moved {
                true => {
                    let start = live_start(number, timescale);
                    writeln!(text, "          <S t=\"{start}\" d=\"{duration}\"/>")
                }
                false => writeln!(text, "          <S d=\"{duration}\"/>"),
            };
        }
        let _ = write!(
            text,
            "        </SegmentTimeline>\n      </SegmentTemplate>\n      {representations}\n    </AdaptationSet>\n"
        );
    }
    (text + "  </Period>\n</MPD>\n", 3 * WINDOW as usize)
}

/// What turns the live MPD into what it is two seconds later.
fn patch() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Patch xmlns=\"urn:mpeg:dash:schema:mpd-patch:2020\" mpdId=\"live\" \
         originalPublishTime=\"2026-01-01T03:00:00Z\" publishTime=\"2026-01-01T03:00:02Z\">\n  \
         <replace sel=\"/MPD/@publishTime\">2026-01-01T03:00:02Z</replace>\n",
    );
    for (timescale, kind, _) in LIVE_SETS {
        let place = format!(
            "/MPD/Period[@id='p0']/AdaptationSet[@id='{kind}']/SegmentTemplate/SegmentTimeline"
        );
        let (second, last) = (live_start(1, timescale), live_duration(WINDOW, timescale));
        let _ = writeln!(text, "  <remove sel=\"{place}/S[1]\"/>");
        let _ = writeln!(text, "  <add sel=\"{place}/S[1]\" type=\"@t\">{second}</add>");
        let _ = writeln!(text, "  <add sel=\"{place}\"><S d=\"{last}\"/></add>");
    }
    text + "</Patch>\n"
}

const AD_PERIODS: usize = 400;

/// A day of television in 5 MB: programmes and advertisements by turns, each a period with
/// protection, roles and events of its own.
fn advertisements() -> (String, usize) {
    let (programme, advertisement) = (300, 15);
    let mut segments = 0;
    let mut start = 0;
    let mut body = String::new();
    for period in 0..AD_PERIODS {
        let (entries, folder) = if period % 2 == 0 {
            (programme, "programme/".to_owned())
        } else {
            (advertisement, format!("ads/{period}/"))
        };
        let _ = write!(
            body,
            "  <Period id=\"p{period}\" start=\"PT{start}S\" duration=\"PT{}S\">\n    \
             <EventStream schemeIdUri=\"urn:scte:scte35:2013:xml\" timescale=\"1000\">\n      \
             <Event presentationTime=\"0\" duration=\"{}\" id=\"{period}\">break</Event>\n    \
             </EventStream>\n",
            entries * 2,
            entries * 2_000
        );
        let offset = if period % 2 == 0 { start as u64 } else { 0 };
        film(&mut body, entries, LADDER.len(), &folder, offset);
        body.push_str("  </Period>\n");
        segments += entries * (LADDER.len() + 1);
        start += entries * 2;
    }
    (head(start) + &body + "</MPD>\n", segments)
}
