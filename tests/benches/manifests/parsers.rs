//! What is measured: every case, and who takes part in it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kinora_core::manifest::dash::{Document, parse_mpd};
use kinora_core::manifest::hls::{MediaPlaylist, parse_media};
use kinora_core::presentation::{Presentation, SegmentIndex, Segments};
use kinora_core::time::Timestamp;

use crate::fixtures::Fixture;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) contenders: &'static [Contender],
}

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Does the work once, and says how long it took without preparations.
    pub(crate) call: fn(&[Fixture]) -> Duration,
}

/// Each name is that of the same case in the browser.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "hls-vod",
        contenders: &[
            Contender { name: "kinora", call: |all| playlist(all, "vod.m3u8") },
            Contender { name: "m3u8-rs", call: |all| m3u8_rs(all, "vod.m3u8") },
        ],
    },
    Case {
        name: "hls-vod-expanded",
        contenders: &[Contender { name: "kinora", call: |all| expanded_playlist(all, "vod.m3u8") }],
    },
    Case {
        name: "hls-live-full",
        contenders: &[
            Contender {
                name: "kinora",
                call: |all| refresh(all, "live-before.m3u8", "live-after.m3u8"),
            },
            Contender { name: "m3u8-rs", call: |all| m3u8_rs(all, "live-after.m3u8") },
        ],
    },
    Case {
        name: "hls-live-delta",
        contenders: &[Contender {
            name: "kinora",
            call: |all| refresh(all, "live-before.m3u8", "live-after-delta.m3u8"),
        }],
    },
    Case {
        name: "ll-hls-delta",
        contenders: &[Contender {
            name: "kinora",
            call: |all| refresh(all, "low-latency-before.m3u8", "low-latency-after-delta.m3u8"),
        }],
    },
    Case {
        name: "dash-1-period",
        contenders: &[
            Contender { name: "kinora", call: |all| mpd(all, "one-period.mpd") },
            Contender { name: "dash-mpd-core", call: |all| dash_mpd_core(all, "one-period.mpd") },
        ],
    },
    Case {
        name: "dash-1-period-expanded",
        contenders: &[Contender {
            name: "kinora",
            call: |all| expanded_mpd(all, "one-period.mpd"),
        }],
    },
    Case {
        name: "dash-5-periods",
        contenders: &[
            Contender { name: "kinora", call: |all| mpd(all, "five-periods.mpd") },
            Contender { name: "dash-mpd-core", call: |all| dash_mpd_core(all, "five-periods.mpd") },
        ],
    },
    Case {
        name: "dash-5-periods-expanded",
        contenders: &[Contender {
            name: "kinora",
            call: |all| expanded_mpd(all, "five-periods.mpd"),
        }],
    },
    Case {
        name: "dash-5-mb",
        contenders: &[
            Contender { name: "kinora", call: |all| mpd(all, "many-periods.mpd") },
            Contender { name: "dash-mpd-core", call: |all| dash_mpd_core(all, "many-periods.mpd") },
        ],
    },
    Case {
        name: "dash-live-full",
        contenders: &[
            Contender { name: "kinora", call: |all| reloaded(all, "live-after.mpd") },
            Contender { name: "dash-mpd-core", call: |all| dash_mpd_core(all, "live-after.mpd") },
        ],
    },
    Case {
        name: "dash-live-patch",
        contenders: &[Contender {
            name: "kinora",
            call: |all| reloaded(all, "live-after-patch.mpd"),
        }],
    },
];

pub(crate) fn find(case: &str, contender: &str) -> Option<&'static Contender> {
    let case = CASES.iter().find(|known| known.name == case)?;
    case.contenders.iter().find(|known| known.name == contender)
}

const URL: &str = "https://example.com/a/manifest";

fn named<'a>(fixtures: &'a [Fixture], name: &str) -> &'a Fixture {
    fixtures.iter().find(|fixture| fixture.name == name).expect("a fixture of this name")
}

/// Times one call, and drops what it made afterwards.
fn timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let made = black_box(call());
    (begun.elapsed(), made)
}

fn read(fixture: &Fixture) -> MediaPlaylist {
    parse_media(fixture.text.as_bytes(), URL).expect("a playlist").value
}

fn playlist(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, playlist) = timed(|| read(fixture));
    assert_eq!(playlist.index.len(), fixture.segments);
    took
}

fn expanded_playlist(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, (_, count)) = timed(|| {
        let playlist = read(fixture);
        let count = expand(&playlist.index);
        (playlist, count)
    });
    assert_eq!(count, fixture.segments);
    took
}

fn refresh(fixtures: &[Fixture], before: &str, after: &str) -> Duration {
    let (before, after) = (named(fixtures, before), named(fixtures, after));
    let mut playlist = read(before);
    let requested = Timestamp::default();
    let (took, refreshed) = timed(|| playlist.refresh(after.text.as_bytes(), URL, requested));
    let refreshed = refreshed.expect("a playlist");
    assert_eq!(playlist.index.len(), after.segments);
    assert_eq!((refreshed.added, refreshed.removed, refreshed.deviation), (1, 1, None));
    took
}

fn reloaded(fixtures: &[Fixture], after: &str) -> Duration {
    let (before, after) = (named(fixtures, "live-before.mpd"), named(fixtures, after));
    let parsed = Document::parse(before.text.as_bytes(), URL).expect("an MPD");
    let (mut document, mut presentation) = parsed.value;
    let bytes = after.text.as_bytes();
    let (took, changed) = timed(|| match after.name.contains("patch") {
        true => document.patch(&mut presentation, bytes).expect("it fits").value,
        false => document.refresh(&mut presentation, bytes, URL).expect("an MPD").value,
    });
    assert_eq!((changed.changed, changed.deviations), (true, Vec::new()));
    let whole = named(fixtures, "live-after.mpd");
    assert!(presentation == self::presentation(whole), "it is not what the whole MPD says");
    took
}

fn mpd(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, presentation) = timed(|| presentation(fixture));
    assert_eq!(presentation.periods.len(), fixture.periods);
    took
}

fn expanded_mpd(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, (_, count)) = timed(|| {
        let presentation = presentation(fixture);
        let sets = presentation.periods.iter().flat_map(|period| &period.sets);
        let representations = sets.flat_map(|set| &set.representations);
        let count = representations.map(|representation| match &representation.segments {
            Segments::Known(index) => expand(index),
            Segments::Playlist { .. } | Segments::IndexBox { .. } => 0,
        });
        let count: usize = count.sum();
        (presentation, count)
    });
    assert_eq!(count, fixture.segments);
    took
}

fn presentation(fixture: &Fixture) -> Presentation {
    parse_mpd(fixture.text.as_bytes(), URL).expect("an MPD").value
}

fn expand(index: &SegmentIndex) -> usize {
    index.iter().map(black_box).count()
}

fn m3u8_rs(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, playlist) =
        timed(|| m3u8_rs::parse_media_playlist_res(fixture.text.as_bytes()).expect("a playlist"));
    assert_eq!(playlist.segments.len(), fixture.segments);
    took
}

fn dash_mpd_core(fixtures: &[Fixture], name: &str) -> Duration {
    let fixture = named(fixtures, name);
    let (took, mpd) = timed(|| dash_mpd_core::parse(&fixture.text).expect("an MPD"));
    assert_eq!(mpd.periods.len(), fixture.periods);
    took
}
