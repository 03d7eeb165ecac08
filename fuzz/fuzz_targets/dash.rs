//! MPDs.
#![no_main]

use kinora_core::manifest::dash;
use kinora_fuzz::{URL, bounded, check_presentation, check_warnings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(parsed) = bounded(data, || dash::parse_mpd(data, URL)) {
        check_presentation(&parsed.value);
        check_warnings(data, &parsed.warnings);
    }
});
