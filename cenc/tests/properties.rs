//! Whatever is encrypted comes back, whatever the sizes; and nothing that is meant to stay clear changes.

#![allow(clippy::unwrap_used)]

use kinora_cenc::{ContentKey, Error, Layout, Pattern, SampleCipher, Scheme, Subsample, segment};
use proptest::prelude::*;

fn layout() -> impl Strategy<Value = (Scheme, Pattern, [u8; 16], Vec<Subsample>)> {
    let scheme = prop_oneof![Just(Scheme::Cenc), Just(Scheme::Cbcs)];
    let pattern = prop_oneof![Just((1, 9)), Just((0, 0)), (0..16u8, 0..16u8)];
    let part = (0..200u16, 0..700u32).prop_map(|(clear, protected)| Subsample { clear, protected });
    let parts = prop::collection::vec(part, 0..12);
    (scheme, pattern, any::<[u8; 16]>(), parts)
        .prop_map(|(scheme, (crypt, skip), iv, parts)| (scheme, Pattern { crypt, skip }, iv, parts))
}

/// Which bytes of a sample are encrypted, told block by block.
fn encrypted(scheme: Scheme, pattern: Pattern, parts: &[Subsample]) -> Vec<bool> {
    let mut map = Vec::new();
    for part in parts {
        map.extend(vec![false; usize::from(part.clear)]);
        let protected = part.protected as usize;
        let whole = protected / 16 * 16;
        map.extend((0..protected).map(|byte| match (scheme, pattern) {
            (Scheme::Cenc, _) => true,
            (Scheme::Cbcs, Pattern { crypt: 0, skip: 0 }) => byte < whole,
            (Scheme::Cbcs, Pattern { crypt, skip }) => {
                let block = byte / 16 % (usize::from(crypt) + usize::from(skip));
                byte < whole && block < usize::from(crypt)
            }
        }));
    }
    map
}

proptest! {
    #[test]
    fn a_sample_comes_back((scheme, pattern, iv, parts) in layout(), key in any::<[u8; 16]>(), seed in any::<u8>()) {
        let map = encrypted(scheme, pattern, &parts);
        let plain: Vec<u8> = (0..map.len()).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect();
        let cipher = SampleCipher::new(&ContentKey::from(key));
        let layout = Layout { scheme, pattern, iv, subsamples: &parts };
        let mut sample = plain.clone();
        cipher.encrypt(&layout, &mut sample).unwrap();
        for (byte, encrypted) in map.iter().enumerate() {
            prop_assert!(*encrypted || sample[byte] == plain[byte], "byte {byte} was to stay clear");
        }
        // Each run of encrypted bytes that is long enough not to be equal by chance is not.
        for run in map.chunk_by(|a, b| a == b).scan(0, |at, run| { let start = *at; *at += run.len(); Some((start, run)) }) {
            let (start, run) = run;
            let range = start..start + run.len();
            prop_assert!(!run[0] || run.len() < 16 || sample[range.clone()] != plain[range]);
        }
        cipher.decrypt(&layout, &mut sample).unwrap();
        prop_assert_eq!(sample, plain);
    }

    #[test]
    fn subsamples_that_do_not_add_up_change_nothing((scheme, pattern, iv, parts) in layout(), more in 1..40usize) {
        prop_assume!(!parts.is_empty());
        let covered = encrypted(scheme, pattern, &parts).len();
        let layout = Layout { scheme, pattern, iv, subsamples: &parts };
        let cipher = SampleCipher::new(&ContentKey::from([3; 16]));
        for length in [covered + more, covered.saturating_sub(more)] {
            let mut sample = vec![5; length];
            let refused = cipher.decrypt(&layout, &mut sample);
            prop_assert_eq!(refused.is_err(), length != covered);
            if refused.is_err() {
                prop_assert_eq!(refused, Err(Error::Subsamples { covered: covered as u64, sample: length as u64 }));
                prop_assert_eq!(sample, vec![5; length]);
            }
        }
    }

    #[test]
    fn a_segment_comes_back(plain in prop::collection::vec(any::<u8>(), 0..100), key: [u8; 16], iv: [u8; 16]) {
        let key = ContentKey::from(key);
        let mut bytes = plain.clone();
        segment::encrypt(&key, &iv, &mut bytes);
        prop_assert!(bytes.len() > plain.len() && bytes.len() % 16 == 0 && bytes.len() <= plain.len() + 16);
        segment::decrypt(&key, &iv, &mut bytes).unwrap();
        prop_assert_eq!(bytes, plain);
    }

    #[test]
    fn a_segment_that_is_none_is_refused_and_stays_as_it_is(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let before = bytes.clone();
        match segment::decrypt(&ContentKey::from([1; 16]), &[2; 16], &mut bytes) {
            Err(error) => {
                prop_assert!(matches!(error, Error::Length | Error::Padding));
                prop_assert_eq!(bytes, before);
            }
            Ok(()) => prop_assert!(bytes.len() < before.len()),
        }
    }
}
