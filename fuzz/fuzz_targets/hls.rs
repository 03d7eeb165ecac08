//! Playlists of both kinds.
#![no_main]

use kinora_core::manifest::hls;
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
    }
});
