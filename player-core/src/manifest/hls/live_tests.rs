//! Live playlists: what a server publishes one after another, merged.

use super::*;
use crate::presentation::Segment;
use crate::time::{MediaTime, Timestamp, WallTime};

const URL: &str = "https://cdn.example/live/main.m3u8";

fn first(text: &str) -> MediaPlaylist {
    parse_media(text.as_bytes(), URL).expect("a sound playlist").value
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn refresh(playlist: &mut MediaPlaylist, text: &str) -> Refreshed {
    playlist.refresh(text.as_bytes(), URL, at(0)).expect("a sound playlist")
}

fn numbers(playlist: &MediaPlaylist) -> Vec<u64> {
    playlist.index.iter().map(|segment| segment.number).collect()
}

fn starts(playlist: &MediaPlaylist) -> Vec<String> {
    playlist.index.iter().map(|segment| segment.start.to_string()).collect()
}

/// Plain segments of four seconds.
fn window(numbers: core::ops::Range<u64>) -> String {
    let mut text =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{}\n", numbers.start);
    for number in numbers {
        text.push_str(&format!("#EXTINF:4,\n{number}.ts\n"));
    }
    text
}

mod windows;

mod deviations;

mod low_latency;

mod date_ranges;
mod history;
