//! What the player understands of a manifest agrees with what other readers do: `m3u8-rs`,
//! `dash-mpd-core`, and for references the WHATWG's `url`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dash_mpd_core::{AdaptationSet, BaseURL, MPD, SegmentTimeline};
use kinora_core::io::{ByteRange, SourceFormat};
use kinora_core::manifest::hls::MediaPlaylist;
use kinora_core::manifest::{self, Parsed, dash, hls};
use kinora_core::presentation::{
    Presentation, Purpose, Representation, Segment, SegmentIndex, Segments,
};
use kinora_core::time::MediaTime;
use m3u8_rs::Playlist;
use proptest::prelude::*;

const BASE: &str = "https://cdn.example/films/one/manifest?session=1";

fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let entries = std::fs::read_dir(&root).expect("the corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (format!("{folder}/{name}"), std::fs::read(&path).expect("a file"))
        })
        .collect()
}

/// Compares every file that is understood, and shows all that disagree at once. `excepted` are files
/// that the other reader understands otherwise, and why; one that agrees by now must leave the list.
fn on_each(folder: &str, excepted: &[(&str, &str)], compare: impl Fn(&str, &[u8])) {
    let mut wrong = Vec::new();
    for (name, bytes) in corpus(folder) {
        if is_refused(&name) {
            continue;
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let comparison = std::panic::AssertUnwindSafe(|| compare(&name, bytes));
        let agrees = std::panic::catch_unwind(comparison).is_ok();
        let is_excepted = excepted.iter().any(|(file, _)| name == format!("{folder}/{file}"));
        match (agrees, is_excepted) {
            (false, false) => wrong.push(format!("{name} is understood otherwise")),
            (true, true) => wrong.push(format!("{name} agrees: it is no exception")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_refused(name: &str) -> bool {
    name.contains("/refused-")
}

/// The WHATWG's idea of a reference, without fragment.
fn join(base: &str, reference: &str) -> String {
    let base = url::Url::parse(base).expect("an absolute URL");
    let mut joined = base.join(reference).expect("a reference");
    joined.set_fragment(None);
    joined.into()
}

fn representations(presentation: &Presentation) -> impl Iterator<Item = &Representation> {
    let sets = presentation.periods.iter().flat_map(|period| &period.sets);
    sets.flat_map(|set| &set.representations)
}

#[test]
fn every_manifest_of_the_corpus_is_answered_as_its_name_says() {
    let notes = include_str!("../corpus/README.md");
    for (folder, format) in [("hls", SourceFormat::Hls), ("dash", SourceFormat::Dash)] {
        let files = corpus(folder);
        assert!(files.len() >= 10, "the corpus has gone");
        for (name, bytes) in files {
            assert!(notes.contains(&format!("`{name}`")), "{name} has no note");
            if !is_refused(&name) {
                assert_eq!(manifest::sniff(&bytes, None), Some(format), "{name}");
            }
            let answer = match format {
                SourceFormat::Hls => hls::parse(&bytes, BASE),
                SourceFormat::Dash => dash::parse_mpd(&bytes, BASE),
            };
            assert_eq!(answer.is_err(), is_refused(&name), "{name}: {answer:?}");
        }
    }
}

proptest! {
    /// A manifest that was cut, spliced or overwritten somewhere gets an answer, whatever it is.
    #[test]
    fn damaged_manifests_are_answered(
        file: prop::sample::Index,
        cuts in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0usize..40, proptest::collection::vec(any::<u8>(), 0..6)),
            1..6,
        ),
    ) {
        static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let all = corpus("hls").into_iter().chain(corpus("dash"));
            all.map(|(_, bytes)| bytes).collect()
        });
        let mut bytes = file.get(files).clone();
        for (at, length, replacement) in cuts {
            let start = at.index(bytes.len() + 1);
            let end = bytes.len().min(start + length);
            bytes.splice(start..end, replacement);
        }
        let _ = manifest::sniff(&bytes, None);
        let _ = hls::parse_media(&bytes, BASE);
        for parsed in [hls::parse(&bytes, BASE), dash::parse_mpd(&bytes, BASE)].into_iter().flatten() {
            for representation in representations(&parsed.value) {
                prop_assert!(representation.bandwidth > 0);
                let Segments::Known(index) = &representation.segments else { continue };
                for position in [0, index.len().saturating_sub(1)] {
                    let Some(segment) = index.get(position) else { continue };
                    prop_assert!(segment.start >= index.start() && segment.end() <= index.end());
                }
            }
        }
    }
}

mod hls_against_m3u8_rs {
    use super::*;

    /// Compares a media playlist with what the other reader makes of it.
    fn compare(name: &str, ours: &MediaPlaylist, theirs: &m3u8_rs::MediaPlaylist) {
        assert_eq!(ours.live, !theirs.end_list, "{name}");
        // A playlist without the tag has none for them, and its longest segment for us.
        if theirs.target_duration > 0 {
            let target_duration = MediaTime::from_secs(theirs.target_duration as i64);
            assert_eq!(ours.target_duration, target_duration, "{name}");
        }
        assert_eq!(ours.index.len(), theirs.segments.len(), "{name}");
        assert_eq!(ours.independent, theirs.independent_segments, "{name}");
        let mut discontinuity = theirs.discontinuity_sequence;
        let mut map: Option<&m3u8_rs::Map> = None;
        let mut before: Option<(&str, u64)> = None;
        let mut start = MediaTime::ZERO;
        for (position, (ours_here, here)) in ours.index.iter().zip(&theirs.segments).enumerate() {
            let at = format!("{name}, segment {position}");
            assert_eq!(ours_here.number, theirs.media_sequence + position as u64, "{at}");
            assert_eq!(ours_here.url, join(BASE, &here.uri), "{at}");
            assert_eq!(ours_here.start, start, "{at}");
            let off = ours_here.duration.seconds() - f64::from(here.duration);
            assert!(off.abs() < 1e-5, "{at}: off by {off} s");
            discontinuity += u64::from(here.discontinuity);
            assert_eq!(ours_here.discontinuity, discontinuity, "{at}");
            // They say a map where it stands, and leave implicit offsets to the caller.
            map = here.map.as_ref().or(map);
            let init = ours.index.init(&ours_here);
            assert_eq!(
                init.map(|init| init.url.clone()),
                map.map(|map| join(BASE, &map.uri)),
                "{at}"
            );
            let map_range = map.and_then(|map| map.byte_range.as_ref());
            let map_range = map_range.map(|range| ByteRange {
                start: range.offset.unwrap_or(0),
                length: Some(range.length),
            });
            assert_eq!(init.and_then(|init| init.range), map_range, "{at}");
            let range = here.byte_range.as_ref().map(|range| {
                let start = range
                    .offset
                    .or_else(|| before.filter(|&(uri, _)| uri == here.uri).map(|(_, end)| end));
                ByteRange { start: start.expect("an offset"), length: Some(range.length) }
            });
            assert_eq!(ours_here.range, range, "{at}");
            before = range.map(|range| (&*here.uri, range.start + range.length.unwrap_or(0)));
            start = start + ours_here.duration;
        }
    }

    /// Every URI of the other reader's variants and renditions that can be played is ours, and no
    /// other; what it says of each agrees.
    fn compare_multivariant(name: &str, ours: &Presentation, theirs: &m3u8_rs::MasterPlaylist) {
        let variants = || theirs.variants.iter().filter(|variant| !variant.is_i_frame);
        let pictures = variants().any(|variant| variant.resolution.is_some());
        let mut expected: Vec<String> = variants()
            .filter(|variant| {
                // Without sound alone, where others have pictures.
                let unsaid = variant.resolution.is_none() && variant.codecs.is_none();
                variant.resolution.is_some() || unsaid || !pictures
            })
            .map(|variant| join(BASE, &variant.uri))
            .chain(
                theirs
                    .alternatives
                    .iter()
                    .filter_map(|rendition| rendition.uri.as_ref().map(|uri| join(BASE, uri))),
            )
            .collect();
        // Key frames and images are for moving fast; the other reader was not asked for its.
        let sets = ours.periods.iter().flat_map(|period| &period.sets);
        let mut found: Vec<String> = sets
            .filter(|set| set.purpose == Purpose::Playback)
            .flat_map(|set| &set.representations)
            .flat_map(|representation| match &representation.segments {
                Segments::Playlist { url } => {
                    let origins = representation.origins.iter().map(|origin| origin.url.clone());
                    origins.chain([url.clone()])
                }
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        for list in [&mut expected, &mut found] {
            list.sort();
            list.dedup();
        }
        assert_eq!(found, expected, "{name}");
        for representation in representations(ours) {
            let Segments::Playlist { url } = &representation.segments else { continue };
            let Some(variant) = variants().find(|variant| join(BASE, &variant.uri) == *url) else {
                continue;
            };
            let size = variant.resolution.map(|size| (size.width as u32, size.height as u32));
            assert_eq!(representation.width.zip(representation.height), size, "{name}");
            assert_eq!(representation.frame_rate, variant.frame_rate, "{name}");
            let codecs = variant.codecs.as_deref().unwrap_or_default();
            for codec in representation.codecs.split(',') {
                assert!(codecs.contains(codec), "{name}: {codec} is not in {codecs}");
            }
            assert!(representation.bandwidth <= variant.bandwidth, "{name}");
        }
    }

    /// Files that the other reader understands otherwise, and why.
    const EXCEPTED: &[(&str, &str)] = &[
        ("every-media-tag.m3u8", "it does not know variables"),
        ("every-multivariant-tag.m3u8", "it does not know variables"),
        ("import.m3u8", "it does not know variables"),
        ("loose-tags.m3u8", "what follows a comma in a title is a URI to it"),
        ("missing-durations.m3u8", "a line without EXTINF is a segment to it"),
        ("mixed-case.m3u8", "a line without EXTINF is a segment to it"),
        ("mixed-discontinuities.m3u8", "two EXT-X-DISCONTINUITY of a segment are one to it"),
        ("numbers-at-the-edge.m3u8", "its segments have no size that 64 bits cannot count"),
        ("odd-attributes.m3u8", "what it cannot read of a variant makes it another thing to it"),
        ("variables.m3u8", "it does not know variables"),
    ];

    #[test]
    fn on_the_corpus() {
        let compared = std::cell::Cell::new((0, 0));
        on_each("hls", EXCEPTED, |name, bytes| {
            let (media, multivariant) = compared.get();
            match m3u8_rs::parse_playlist_res(bytes).expect("they understand it") {
                Playlist::MediaPlaylist(theirs) => {
                    let ours = hls::parse_media(bytes, BASE).expect("we do").value;
                    compare(name, &ours, &theirs);
                    compared.set((media + 1, multivariant));
                }
                Playlist::MasterPlaylist(theirs) => {
                    let ours = hls::parse_multivariant(bytes, BASE).expect("we do").value;
                    compare_multivariant(name, &ours, &theirs);
                    compared.set((media, multivariant + 1));
                }
            }
        });
        let (media, multivariant) = compared.get();
        assert!(media >= 10 && multivariant >= 3, "{media} and {multivariant}");
    }

    fn segment() -> impl Strategy<Value = m3u8_rs::MediaSegment> {
        let range = proptest::option::of((1u64..1 << 40, 0u64..1 << 40));
        let map = proptest::option::of((
            "[a-z]{1,6}\\.mp4",
            proptest::option::of((1u64..999, 0u64..999)),
        ));
        ("[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,2}\\.m4s", 1u32..10_000, range, any::<bool>(), map)
            .prop_map(|(uri, millis, range, discontinuity, map)| m3u8_rs::MediaSegment {
                uri,
                duration: millis as f32 / 1000.0,
                byte_range: range
                    .map(|(length, start)| m3u8_rs::ByteRange { length, offset: Some(start) }),
                discontinuity,
                map: map.map(|(uri, range)| m3u8_rs::Map {
                    uri,
                    byte_range: range
                        .map(|(length, start)| m3u8_rs::ByteRange { length, offset: Some(start) }),
                    ..m3u8_rs::Map::default()
                }),
                ..m3u8_rs::MediaSegment::default()
            })
    }

    proptest! {
        #[test]
        fn on_what_they_write(
            segments in proptest::collection::vec(segment(), 1..40),
            media_sequence in 0u64..1 << 50,
            discontinuity_sequence in 0u64..1000,
            end_list: bool,
            independent_segments: bool,
        ) {
            let playlist = m3u8_rs::MediaPlaylist {
                version: Some(7),
                target_duration: 10,
                media_sequence,
                discontinuity_sequence,
                segments,
                end_list,
                independent_segments,
                ..m3u8_rs::MediaPlaylist::default()
            };
            let mut text = Vec::new();
            playlist.write_to(&mut text).expect("memory");
            let Parsed { value, warnings } = hls::parse_media(&text, BASE).expect("we understand it");
            prop_assert!(warnings.is_empty(), "{:?}", warnings);
            let theirs = m3u8_rs::parse_media_playlist_res(&text).expect("they do");
            compare("written", &value, &theirs);
        }
    }
}

mod dash_against_dash_mpd {
    use super::*;

    /// One segment by the other reader's account: number, start and duration in seconds, URL.
    type Account = (u64, f64, f64, String);

    /// The segments that a template of the other reader stands for, worked out the long way round:
    /// every segment of every `S` in turn.
    fn expand(
        mpd: &MPD,
        period: usize,
        set: &AdaptationSet,
        representation: &dash_mpd_core::Representation,
    ) -> Option<Vec<Account>> {
        let (start, end) = span(mpd, period);
        let base = bases(mpd, period, set, representation);
        let own = representation.SegmentTemplate.as_ref();
        let levels =
            [own, set.SegmentTemplate.as_ref(), mpd.periods[period].SegmentTemplate.as_ref()];
        let levels: Vec<_> = levels.into_iter().flatten().collect();
        let media = levels.iter().find_map(|level| level.media.clone())?;
        let timescale = levels.iter().find_map(|level| level.timescale).unwrap_or(1) as f64;
        let offset = levels.iter().find_map(|level| level.presentationTimeOffset).unwrap_or(0);
        let first = levels.iter().find_map(|level| level.startNumber).unwrap_or(1);
        let timeline = levels.iter().find_map(|level| level.SegmentTimeline.as_ref());
        let end_ticks = end.map(|end| (end - start) * timescale + offset as f64);
        let moments = match timeline {
            Some(timeline) => timeline_moments(timeline, end_ticks),
            None => {
                let duration = levels.iter().find_map(|level| level.duration).expect("a duration");
                let count = ((end_ticks? - offset as f64) / duration).ceil() as u64;
                let last = levels.iter().find_map(|level| level.endNumber);
                let count = last.map_or(count, |last| count.min((last + 1).saturating_sub(first)));
                (0..count).map(|n| (offset + n * duration as u64, duration as u64)).collect()
            }
        };
        let mut accounts = Vec::new();
        for (number, (time, duration)) in (first..).zip(moments) {
            let here = start + (time as f64 - offset as f64) / timescale;
            let length = duration as f64 / timescale;
            let ends = here + length;
            if ends > start && end.is_none_or(|end| here < end) {
                let id = representation.id.as_deref().unwrap_or_default();
                let bandwidth = representation.bandwidth.unwrap_or(0);
                let name = media
                    .replace("$RepresentationID$", id)
                    .replace("$Bandwidth$", &bandwidth.to_string())
                    .replace("$Number%05d$", &format!("{number:05}"))
                    .replace("$Number$", &number.to_string())
                    .replace("$Time$", &time.to_string());
                let (from, until) = (here.max(start), end.map_or(ends, |end| ends.min(end)));
                accounts.push((number, from, until - from, join(&base, &name)));
            }
        }
        Some(accounts)
    }

    fn timeline_moments(timeline: &SegmentTimeline, end: Option<f64>) -> Vec<(u64, u64)> {
        let mut moments = Vec::new();
        let mut time = 0;
        for (position, s) in timeline.segments.iter().enumerate() {
            time = s.t.unwrap_or(time);
            let next = timeline.segments.get(position + 1).and_then(|next| next.t);
            let mut repeats = s.r.unwrap_or(0);
            loop {
                moments.push((time, s.d));
                time += s.d;
                let more = match repeats {
                    r if r > 0 => {
                        repeats -= 1;
                        true
                    }
                    0 => false,
                    _ => match (next, end) {
                        (Some(next), _) => time < next,
                        (None, Some(end)) => (time as f64) < end,
                        (None, None) => false,
                    },
                };
                if !more {
                    break;
                }
            }
        }
        moments
    }

    /// Start and end of a period in seconds.
    fn span(mpd: &MPD, wanted: usize) -> (f64, Option<f64>) {
        let mut cursor = Some(0.0);
        let mut spans: Vec<(f64, Option<f64>)> = Vec::new();
        for period in &mpd.periods {
            let start = period.start.map(|start| start.as_secs_f64()).or(cursor).expect("a start");
            if let Some(last) = spans.last_mut() {
                last.1 = Some(last.1.map_or(start, |end| end.min(start)));
            }
            let end = period.duration.map(|duration| start + duration.as_secs_f64());
            cursor = end;
            spans.push((start, end));
        }
        if let Some(last) = spans.last_mut() {
            last.1 = last.1.or(mpd.mediaPresentationDuration.map(|whole| whole.as_secs_f64()));
        }
        spans[wanted]
    }

    fn bases(
        mpd: &MPD,
        period: usize,
        set: &AdaptationSet,
        representation: &dash_mpd_core::Representation,
    ) -> String {
        let levels: [&[BaseURL]; 4] =
            [&mpd.base_url, &mpd.periods[period].BaseURL, &set.BaseURL, &representation.BaseURL];
        levels
            .iter()
            .filter_map(|level| level.first())
            .fold(BASE.to_owned(), |base, level| join(&base, level.base.trim()))
    }

    fn brief(segment: &Segment) -> Account {
        let seconds = (segment.start.seconds(), segment.duration.seconds());
        (segment.number, seconds.0, seconds.1, segment.url.clone())
    }

    fn assert_agree(name: &str, ours: &SegmentIndex, theirs: &[Account]) {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (position, (ours, theirs)) in ours.iter().map(|s| brief(&s)).zip(theirs).enumerate() {
            assert_eq!((ours.0, &ours.3), (theirs.0, &theirs.3), "{name}, segment {position}");
            for (ours, theirs) in [(ours.1, theirs.1), (ours.2, theirs.2)] {
                let off = (ours - theirs).abs();
                assert!(off < 1e-5, "{name}, segment {position}: {ours} s, {theirs} s");
            }
        }
    }

    /// Compares every representation, and the segments of those with a template.
    fn compare(name: &str, text: &str) -> usize {
        let ours = dash::parse_mpd(text.as_bytes(), BASE).expect("we understand it").value;
        let mpd = dash_mpd_core::parse(text).expect("they do");
        assert_eq!(ours.live.is_some(), mpd.mpdtype.as_deref() == Some("dynamic"), "{name}");
        assert_eq!(ours.periods.len(), mpd.periods.len(), "{name}");
        let mut compared = 0;
        for (number, (ours, theirs)) in ours.periods.iter().zip(&mpd.periods).enumerate() {
            assert_eq!(ours.id, theirs.id, "{name}");
            let (start, _) = span(&mpd, number);
            assert!((ours.start.seconds() - start).abs() < 1e-6, "{name}");
            let mut count = 0;
            for set in &theirs.adaptations {
                for theirs in &set.representations {
                    count += 1;
                    let id = theirs.id.clone().expect("an id");
                    let mut all = ours.sets.iter().flat_map(|set| &set.representations);
                    let ours = all.find(|ours| ours.id == id).expect("it is ours, too");
                    assert_eq!(Some(ours.bandwidth), theirs.bandwidth, "{name}");
                    let codecs = theirs.codecs.clone().or(set.codecs.clone());
                    assert_eq!(ours.codecs, codecs.unwrap_or_default(), "{name}");
                    let mime_type = theirs.mimeType.clone().or(set.mimeType.clone());
                    assert_eq!(Some(&*ours.container), mime_type.as_deref(), "{name}");
                    let width = theirs.width.or(set.width);
                    assert_eq!(ours.width.map(u64::from), width, "{name}");
                    if let Some(accounts) = expand(&mpd, number, set, theirs) {
                        let Segments::Known(index) = &ours.segments else { panic!("{name}") };
                        assert_agree(&format!("{name}, {id}"), index, &accounts);
                        compared += 1;
                    }
                }
            }
            assert_eq!(ours.sets.iter().map(|set| set.representations.len()).sum::<usize>(), count);
        }
        compared
    }

    /// Files that the other reader understands otherwise, and why.
    const EXCEPTED: &[(&str, &str)] = &[
        ("base-urls.mpd", "of several base URLs, this one takes the first whatever its priority"),
        ("early-periods.mpd", "a period that is only announced is one to it"),
        ("leftovers.mpd", "a width that is no number is the end of it"),
        ("overlaps.mpd", "it keeps every segment of a timeline that overlaps itself"),
        ("prefixes.mpd", "it wants elements without a prefix"),
        ("pictures.mpd", "it keeps a set whose essential property nobody knows"),
        ("remote-periods.mpd", "a period that resolves to nothing is one to it"),
        ("text-edges.mpd", "it wants elements without a prefix"),
        ("timeline-edges.mpd", "it knows neither the numbers nor the sequences of S"),
    ];

    #[test]
    fn on_the_corpus() {
        let compared = std::cell::Cell::new(0);
        on_each("dash", EXCEPTED, |name, bytes| {
            let text = std::str::from_utf8(bytes).expect("text");
            compared.set(compared.get() + compare(name, text));
        });
        assert!(compared.get() >= 20, "{}", compared.get());
    }

    proptest! {
        #[test]
        fn on_timelines(
            timescale in prop_oneof![Just(1u32), Just(90_000), Just(48_000), Just(10_000_000), 1u32..50_000],
            first in 0u64..1 << 40,
            late in 0u64..5_000,
            parts in proptest::collection::vec((proptest::option::of(1u64..9_000), 500u64..9_000, -1i64..6), 1..12),
            seconds in 1u32..60,
            start_number in 0u64..1000,
        ) {
            // Each part begins where the last ends, or later; one that repeats without a number
            // needs a time to end at.
            let mut list = String::new();
            let mut time = first;
            for (position, &(gap, duration, repeat)) in parts.iter().enumerate() {
                let duration = duration * u64::from(timescale) / 1000 + 1;
                let last = position + 1 == parts.len();
                let repeat = if last { repeat } else { repeat.max(0) };
                match gap {
                    Some(gap) => {
                        time += gap;
                        list.push_str(&format!("<S t='{time}' d='{duration}' r='{repeat}'/>"));
                    }
                    None if position == 0 => {
                        list.push_str(&format!("<S t='{time}' d='{duration}' r='{repeat}'/>"));
                    }
                    None => list.push_str(&format!("<S d='{duration}' r='{repeat}'/>")),
                }
                time += duration * (repeat.max(0) as u64 + 1);
            }
            let offset = first + late;
            let text = format!(
                "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' mediaPresentationDuration='PT{seconds}S'><Period>\
                 <AdaptationSet mimeType='video/mp4'><SegmentTemplate timescale='{timescale}' presentationTimeOffset='{offset}' startNumber='{start_number}' media='$RepresentationID$-$Number%05d$-$Time$.m4s'>\
                 <SegmentTimeline>{list}</SegmentTimeline></SegmentTemplate>\
                 <Representation id='v' bandwidth='1000' codecs='avc1.64001f' width='640'/></AdaptationSet></Period></MPD>"
            );
            prop_assert_eq!(compare("timeline", &text), 1);
        }
    }
}

proptest! {
    /// Where both standards mean the same: names without the characters that browsers rewrite.
    #[test]
    fn references_resolve_as_in_a_browser(
        path in "(/[a-c]{1,3}){0,3}/?",
        reference in prop_oneof![
            "[a-c.]{0,3}(/[a-c.]{1,3}){0,4}/?(\\?[a-c/.?]{0,5})?(#[a-c]{0,3})?",
            "(https:)?//[a-c]{1,3}(/[a-c.]{0,3}){0,4}",
        ],
    ) {
        let base = format!("https://host{path}?q=/x/../y");
        let joined = join(&base, &reference);
        // A browser gives every host a path.
        let ours = kinora_core::url::resolve(&base, &reference);
        let ours: String = url::Url::parse(&ours).expect("a URL").into();
        prop_assert_eq!(ours, joined);
    }
}
