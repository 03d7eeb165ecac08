//! Playlists of both kinds.
#![no_main]

use kinora_core::manifest::hls::{self, MediaPlaylist};
use kinora_core::time::Timestamp;
use kinora_fuzz::{URL, bounded, check_index, check_presentation, check_warnings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(parsed) = bounded(data, || hls::parse(data, URL)) {
        check_presentation(&parsed.value);
        check_warnings(data, &parsed.warnings);
    }
    if let Ok(parsed) = bounded(data, || hls::parse_media(data, URL)) {
        check_index(&parsed.value.index);
        check_warnings(data, &parsed.warnings);
        check_merges(data, &parsed.value);
    }
});

/// What a playlist says does not depend on whether its beginning was known before.
fn check_merges(data: &[u8], whole: &MediaPlaylist) {
    // Numbers that 64 bits cannot count are not told apart.
    let last = whole.index.get(whole.index.len().saturating_sub(1));
    if last.is_some_and(|last| last.number > u64::MAX / 2) {
        return;
    }
    let half = data.iter().take(data.len() / 2).rposition(|&byte| byte == b'\n').unwrap_or(0);
    for before in [data, &data[..half]] {
        let Ok(parsed) = hls::parse_media(before, URL) else { continue };
        let mut merged = parsed.value;
        if !merged.live {
            continue;
        }
        let Ok(refreshed) = merged.refresh(data, URL, Timestamp::default()) else { continue };
        check_index(&merged.index);
        if refreshed.deviation.is_some() {
            continue;
        }
        let brief = |playlist: &MediaPlaylist| -> Vec<_> {
            let segments = playlist.index.iter();
            segments
                .map(|it| (it.number, it.url, it.range, it.start, it.duration, it.gap))
                .collect()
        };
        assert_eq!(brief(&merged), brief(whole));
        // Which of two contradicting types counts depends on which is read.
        let types = data.windows(13).filter(|window| *window == b"PLAYLIST-TYPE").count();
        assert!(types > 1 || merged.live == whole.live);
    }
}
