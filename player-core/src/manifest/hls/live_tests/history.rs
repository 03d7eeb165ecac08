//! A history told in any pieces is the whole.

use proptest::prelude::*;

use super::*;

/// A segment of a history.
#[derive(Clone, Debug)]
struct Told {
    millis: u32,
    name: String,
    range: Option<u32>,
    discontinuity: bool,
    gap: bool,
    init: Option<u8>,
    key: Option<u8>,
    date: bool,
    event: bool,
    bit_rate: Option<u8>,
    unknown: bool,
    parts: u8,
}

fn told() -> impl Strategy<Value = Told> {
    let rarely = || proptest::bool::weighted(0.15);
    let some = || proptest::option::weighted(0.2, 0u8..4);
    let first =
        (1u32..4000, "[a-c]{1,3}", proptest::option::weighted(0.3, 1u32..900), rarely(), rarely());
    let second = (some(), some(), rarely(), rarely(), some(), rarely(), 0u8..4);
    (first, second).prop_map(
        |(
            (millis, name, range, discontinuity, gap),
            (init, key, date, event, bit_rate, unknown, parts),
        )| Told {
            millis,
            name,
            range,
            discontinuity,
            gap,
            init,
            key,
            date,
            event,
            bit_rate,
            unknown,
            parts,
        },
    )
}

/// What holds at a place of a history.
#[derive(Clone, Copy, Default)]
struct Holding {
    init: Option<u8>,
    key: Option<u8>,
    bit_rate: Option<u8>,
    discontinuity: u64,
    millis: u64,
}

/// A server that knows what is to come.
struct Server {
    history: Vec<Told>,
}

impl Server {
    /// The segments of `window` and `parts` of the one after. `skip` of them are left out. Dates stand
    /// before every first segment if `dated`, else where the history has them.
    fn publish(
        &self,
        window: core::ops::Range<usize>,
        parts: usize,
        skip: usize,
        dated: bool,
    ) -> String {
        let mut holding = Holding::default();
        for before in &self.history[..window.start] {
            before.apply(&mut holding);
        }
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            window.start, holding.discontinuity
        );
        if skip > 0 {
            text.push_str(&format!(
                "#EXT-X-SKIP:SKIPPED-SEGMENTS={skip},RECENTLY-REMOVED-DATERANGES=\"{}\"\n",
                (0..window.start).map(|number| format!("e{number}")).collect::<Vec<_>>().join("\t")
            ));
        } else {
            holding.print(&mut text);
        }
        for number in window.clone() {
            let segment = &self.history[number];
            let listed = number >= window.start + skip;
            if listed {
                // Parts go when their segments have grown old.
                let parts = if number + 2 >= window.end { usize::from(segment.parts) } else { 0 };
                segment.print(number, parts, &holding, dated && number == window.start, &mut text);
            }
            segment.apply(&mut holding);
        }
        if let Some(next) = self.history.get(window.end) {
            next.print_parts(window.end, parts.min(usize::from(next.parts)), &mut text);
        }
        if window.end == self.history.len() {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

fn print_map(init: Option<u8>, text: &mut String) {
    if let Some(init) = init {
        text.push_str(&format!("#EXT-X-MAP:URI=\"i{init}.mp4\"\n"));
    }
}

fn print_key(key: Option<u8>, text: &mut String) {
    match key {
        Some(0) => text.push_str("#EXT-X-KEY:METHOD=NONE\n"),
        Some(key) => {
            text.push_str(&format!("#EXT-X-KEY:METHOD=AES-128,URI=\"k{key}\",IV=0x{key}\n"))
        }
        None => {}
    }
}

fn print_bit_rate(bit_rate: Option<u8>, text: &mut String) {
    if let Some(bit_rate) = bit_rate {
        text.push_str(&format!("#EXT-X-BITRATE:{bit_rate}\n"));
    }
}

impl Holding {
    fn print(&self, text: &mut String) {
        print_key(self.key, text);
        print_map(self.init, text);
        print_bit_rate(self.bit_rate, text);
    }
}

impl Told {
    fn apply(&self, holding: &mut Holding) {
        holding.discontinuity += u64::from(self.discontinuity);
        // A key and what it encrypts change together, so that both are the same wherever told.
        if self.init.is_some() || self.key.is_some() {
            holding.key = self.key.or(holding.key);
            holding.init = self.init.or(holding.init);
        }
        holding.bit_rate = self.bit_rate.or(holding.bit_rate);
        holding.millis += u64::from(self.millis);
    }

    fn print(&self, number: usize, parts: usize, before: &Holding, dated: bool, text: &mut String) {
        if self.unknown {
            text.push_str(&format!("#EXTINF:1,\n#EXT-X-UNKNOWN:{number}\n"));
        }
        if self.event {
            text.push_str(&format!(
                "#EXT-X-DATERANGE:ID=\"e{number}\",START-DATE=\"2026-01-01T00:00:00Z\",X-A=\"{number}\"\n"
            ));
        }
        if self.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if self.init.is_some() || self.key.is_some() {
            print_key(self.key, text);
            print_map(self.init.or(before.init), text);
        }
        print_bit_rate(self.bit_rate, text);
        self.print_parts(number, parts, text);
        if self.date || dated {
            let (seconds, millis) = (before.millis / 1000, before.millis % 1000);
            text.push_str(&format!(
                "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:{:02}:{:02}.{millis:03}Z\n",
                seconds / 60,
                seconds % 60
            ));
        }
        if self.gap {
            text.push_str("#EXT-X-GAP\n");
        }
        if let Some(range) = self.range {
            text.push_str(&format!("#EXT-X-BYTERANGE:{range}@{number}\n"));
        }
        text.push_str(&format!("#EXTINF:{}.{:03},\n", self.millis / 1000, self.millis % 1000));
        text.push_str(&format!("{}{number}.m4s\n", self.name));
    }

    fn print_parts(&self, number: usize, parts: usize, text: &mut String) {
        for part in 0..parts {
            let millis = self.millis / u32::from(self.parts.max(1));
            text.push_str(&format!(
                "#EXT-X-PART:DURATION=0.{:03},URI=\"{number}.{part}.m4s\"\n",
                millis.min(999)
            ));
        }
    }
}

/// All that a segment is, resolved: numbers of initialisation segments and keys may differ.
fn resolved(playlist: &MediaPlaylist, dates: bool) -> Vec<(Segment, String)> {
    playlist
        .index
        .iter()
        .map(|segment| {
            let index = &playlist.index;
            let shared = format!(
                "{:?} {:?} {:?}",
                index.init(&segment),
                index.init_key(&segment),
                index.key(&segment)
            );
            let wall_time = segment.wall_time.filter(|_| dates);
            (Segment { init: None, key: None, wall_time, ..segment }, shared)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// However a history is told, in windows and deltas, parts before segments, the end of what was
    /// merged is the end of the whole.
    #[test]
    fn merged_windows_are_the_whole(
        history in proptest::collection::vec(told(), 2..30),
        steps in proptest::collection::vec(
            (0usize..4, 0usize..4, 0usize..4, proptest::bool::weighted(0.3), any::<bool>()),
            1..20,
        ),
        dated in any::<bool>(),
        length in 1usize..8,
    ) {
        let server = Server { history };
        let total = server.history.len();
        let mut window = 0..length.min(total);
        let mut text = server.publish(window.clone(), 0, 0, dated);
        let mut playlist = first(&text);
        for (forward, trim, parts, delta, no_last_end) in steps {
            let before = window.clone();
            window.end = (window.end + forward).min(total);
            window.start = (window.start + trim).min(before.end - 1);
            // At most what is held can be left out, and never the last two.
            let listed = before.end - window.start;
            let skip = if delta { listed.saturating_sub(2) } else { 0 };
            text = server.publish(window.clone(), parts, skip, dated);
            if no_last_end {
                text.truncate(text.len() - 1);
            }
            let was_live = playlist.live;
            let edge = (before.end, playlist.parts.last().map_or(0, |last| last.segment));
            let refreshed = refresh(&mut playlist, &text);
            if !was_live {
                prop_assert_eq!(refreshed, Refreshed::default());
                break;
            }
            if let Some(Deviation::Older { .. }) = refreshed.deviation {
                // Fewer parts than before of a segment that is still incomplete.
                prop_assert!(window.end == before.end && edge.1 == before.end as u64);
                window = before;
                continue;
            }
            prop_assert_eq!(&refreshed.deviation, &None, "{}", text);
            prop_assert_eq!(refreshed.added, (window.end - before.end) as u64);
            prop_assert_eq!(refreshed.removed, (window.start - before.start) as u64);

            // The whole, from the first segment on, and what is left of it.
            let whole = first(&server.publish(0..window.end, parts, 0, dated));
            let (merged, expected) = (resolved(&playlist, true), resolved(&whole, true));
            // Where the first date of all is beyond the window, only the whole knows dates.
            let known = merged.iter().any(|(segment, _)| segment.wall_time.is_some());
            let expected = expected[window.start..].to_vec();
            if known {
                prop_assert_eq!(&merged, &expected, "{}", text);
            } else {
                let blind: Vec<_> = resolved(&whole, false)[window.start..].to_vec();
                prop_assert_eq!(&merged, &blind, "{}", text);
            }
            prop_assert_eq!(playlist.live, whole.live);

            // What is told of the window as it is now.
            let now = first(&server.publish(window.clone(), parts, 0, dated));
            let ids = |playlist: &MediaPlaylist| {
                let mut ids: Vec<_> =
                    playlist.events.iter().map(|event| event.id.clone()).collect();
                ids.sort();
                ids
            };
            prop_assert_eq!(ids(&playlist), ids(&now));
            let parts_of = |playlist: &MediaPlaylist| {
                let parts = playlist.parts.iter();
                parts.map(|part| (part.segment, part.index, part.url.clone())).collect::<Vec<_>>()
            };
            if skip == 0 {
                prop_assert_eq!(parts_of(&playlist), parts_of(&now));
            }
            for part in &playlist.parts {
                let segment = whole.index.iter().find(|segment| segment.number == part.segment);
                let start = segment.map_or(whole.index.end(), |segment| segment.start);
                prop_assert!(part.start >= start, "{part:?} {window:?} {before:?} {refreshed:?} {skip}\n{text}");
            }
            let unknown = |playlist: &MediaPlaylist| {
                playlist.unknown.iter().map(|tag| tag.value.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(unknown(&playlist), unknown(&now));
        }
    }

    /// Whatever comes next, there is an answer, and what is held stays in order.
    #[test]
    fn any_next_version_is_answered(
        versions in proptest::collection::vec(
            (0u64..12, proptest::collection::vec(prop_oneof![
                "#EXTINF:[0-9]{1,2},\n[a-c]{1,2}",
                "#EXT-X-SKIP:SKIPPED-SEGMENTS=[0-9]{1,2}",
                "#EXT-X-(DISCONTINUITY|GAP|ENDLIST|MAP:URI=\"[ab]\"|KEY:METHOD=AES-128,URI=\"[ab]\")",
                "#EXT-X-DISCONTINUITY-SEQUENCE:[0-9]{1,20}",
                "#EXT-X-PART:DURATION=1,URI=\"[ab]\"",
                "#EXT-X-DATERANGE:ID=\"[ab]\",START-DATE=\"2026-01-01T00:00:0[0-9]Z\"",
                "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:0[0-9]Z",
                "#EXT-[A-C]",
            ], 0..20)),
            2..6,
        ),
    ) {
        let texts: Vec<_> = versions
            .into_iter()
            .map(|(number, lines)| {
                let lines = lines.join("\n");
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{number}\n{lines}\n")
            })
            .collect();
        let Ok(parsed) = parse_media(texts[0].as_bytes(), URL) else { return Ok(()) };
        let mut playlist = parsed.value;
        for text in &texts[1..] {
            let _ = playlist.refresh(text.as_bytes(), URL, at(0));
            let mut end = None;
            for (segment, position) in playlist.index.iter().zip(0u64..) {
                let first = playlist.index.get(0).map_or(0, |first| first.number);
                prop_assert_eq!(segment.number, first + position);
                prop_assert!(end.is_none_or(|end| end == segment.start));
                end = Some(segment.end());
                prop_assert!(segment.init.is_none() || playlist.index.init(&segment).is_some());
                prop_assert!(segment.key.is_none() || playlist.index.key(&segment).is_some());
            }
        }
    }
}
