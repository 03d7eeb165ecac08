//! What media say of their encryption: `pssh` boxes, initialisation segments with `sinf` and `tenc`, fragments with
//! `senc` and `sgpd`.
#![no_main]

use kinora_core::media::encryption::{self, TrackEncryption};
use kinora_core::media::{Boxes, FourCc, init, pssh};
use kinora_fuzz::{MOST_HELD, bounded, bounded_by};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(boxes) = bounded(data, || pssh::parse(data)) {
        let named: usize = boxes.iter().map(|one| one.key_ids.len()).sum();
        assert!(named * 16 <= data.len(), "{named} keys in {} bytes", data.len());
    }
    let _ = bounded(data, || init::parse(data));
    let iv_size = match data.first() {
        Some(first) => [0, 8, 16][usize::from(first % 3)],
        None => 0,
    };
    let track = TrackEncryption {
        scheme: FourCc(*b"cenc"),
        protected: true,
        pattern: (1, 9),
        key_id: [1; 16],
        iv_size,
        constant_iv: None,
    };
    for traf in Boxes::new(data, 0).flatten() {
        // A note of ten bytes is held in a few times as many.
        let notes = bounded_by(MOST_HELD, || encryption::notes(&traf, iv_size));
        for note in notes.into_iter().flatten() {
            assert_eq!(note.iv.len(), usize::from(iv_size));
            assert!(note.subsamples.len() * 6 <= data.len());
        }
        if let Ok(keys) = encryption::keys_of_fragment(&traf, &track) {
            assert!(keys.len() * 20 <= data.len(), "{} keys in {} bytes", keys.len(), data.len());
        }
        if let Ok(Some(own)) = encryption::of_fragment(&traf, &track) {
            assert!(matches!(own.iv_size, 0 | 8 | 16));
            assert_eq!(own.scheme, track.scheme);
        }
    }
});
