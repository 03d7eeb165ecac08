//! Known answers: NIST SP 800-38A, appendix F, for AES with keys of 128 bits.

#![allow(clippy::unwrap_used)]

use kinora_cenc::{ContentKey, Layout, Pattern, SampleCipher, Scheme, Subsample, segment, widen};

const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
/// F.5.1
const CTR_IV: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
const CTR: &str = "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
                   5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee";
/// F.2.1
const CBC_IV: &str = "000102030405060708090a0b0c0d0e0f";
const CBC: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                   73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn iv(text: &str) -> [u8; 16] {
    hex(text).try_into().unwrap()
}

fn cipher() -> SampleCipher {
    SampleCipher::new(&ContentKey::from_slice(&hex(KEY)).unwrap())
}

#[test]
fn cenc_is_the_counter_mode() {
    let mut sample = hex(PLAIN);
    let layout = Layout::whole(Scheme::Cenc, iv(CTR_IV));
    cipher().encrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample, hex(CTR));
    cipher().decrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample, hex(PLAIN));
    // A last part of less than a block is protected, too.
    let mut partial = hex(PLAIN)[..37].to_vec();
    cipher().encrypt(&layout, &mut partial).unwrap();
    assert_eq!(partial, hex(CTR)[..37]);
}

#[test]
fn cenc_runs_one_key_stream_through_the_protected_parts_of_a_sample() {
    let (plain, encrypted) = (hex(PLAIN), hex(CTR));
    let subsamples = [
        Subsample { clear: 3, protected: 21 },
        Subsample { clear: 5, protected: 0 },
        Subsample { clear: 0, protected: 11 },
        Subsample { clear: 2, protected: 32 },
    ];
    let (mut sample, mut expected, mut at) = (Vec::new(), Vec::new(), 0);
    for part in subsamples {
        let (clear, end) = (usize::from(part.clear), at + part.protected as usize);
        sample.extend(vec![0xcc; clear]);
        expected.extend(vec![0xcc; clear]);
        sample.extend(&plain[at..end]);
        expected.extend(&encrypted[at..end]);
        at = end;
    }
    assert_eq!(at, 64);
    let layout = Layout { subsamples: &subsamples, ..Layout::whole(Scheme::Cenc, iv(CTR_IV)) };
    cipher().encrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample, expected);
}

#[test]
fn only_the_low_half_of_the_counter_block_counts() {
    // ISO/IEC 23001-7, 9.2: bytes 8 to 15 are a counter of 64 bits. It wraps, and leaves the rest alone.
    let mut before = [0xab; 16];
    before[8..].fill(0xff);
    let mut after = [0xab; 16];
    after[8..].fill(0);
    let mut stream = [0; 32];
    cipher().encrypt(&Layout::whole(Scheme::Cenc, before), &mut stream).unwrap();
    let mut second = [0; 16];
    cipher().encrypt(&Layout::whole(Scheme::Cenc, after), &mut second).unwrap();
    assert_eq!(stream[16..], second);
}

#[test]
fn an_initialisation_vector_of_eight_bytes_counts_from_zero() {
    assert_eq!(widen(&[9; 8]), Some([9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(widen(&[9; 16]), Some([9; 16]));
    assert_eq!(widen(&[9; 12]), None);
}

#[test]
fn cbcs_without_a_pattern_is_the_chaining_mode_and_leaves_a_partial_block() {
    let mut sample = hex(PLAIN);
    sample.extend(b"tail");
    let layout = Layout::whole(Scheme::Cbcs, iv(CBC_IV));
    cipher().encrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample[..64], hex(CBC));
    assert_eq!(&sample[64..], b"tail");
    cipher().decrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample[..64], hex(PLAIN));
}

#[test]
fn cbcs_chains_over_skipped_blocks_and_anew_in_each_subsample() {
    let (plain, encrypted) = (hex(PLAIN), hex(CBC));
    // Four encrypted blocks, each followed by two that are skipped; the last is followed by one and a half.
    let mut protected = Vec::new();
    let mut expected = Vec::new();
    for block in 0..4 {
        let skipped = if block == 3 { 24 } else { 32 };
        protected.extend(&plain[block * 16..block * 16 + 16]);
        expected.extend(&encrypted[block * 16..block * 16 + 16]);
        protected.extend(vec![0xee; skipped]);
        expected.extend(vec![0xee; skipped]);
    }
    let part = Subsample { clear: 2, protected: protected.len() as u32 };
    let twice = |bytes: &[u8]| [b"cc", bytes, b"cc", bytes].concat();
    let mut sample = twice(&protected);
    let layout = Layout {
        pattern: Pattern { crypt: 1, skip: 2 },
        subsamples: &[part, part],
        ..Layout::whole(Scheme::Cbcs, iv(CBC_IV))
    };
    cipher().encrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample, twice(&expected));
    cipher().decrypt(&layout, &mut sample).unwrap();
    assert_eq!(sample, twice(&protected));
}

#[test]
fn a_whole_segment_is_chained_and_padded() {
    let key = ContentKey::from_slice(&hex(KEY)).unwrap();
    let mut bytes = hex(PLAIN);
    segment::encrypt(&key, &iv(CBC_IV), &mut bytes);
    assert_eq!(bytes[..64], hex(CBC));
    // Of a whole number of blocks the padding is a block more: CBC of sixteen times 16.
    assert_eq!(bytes.len(), 80);
    segment::decrypt(&key, &iv(CBC_IV), &mut bytes).unwrap();
    assert_eq!(bytes, hex(PLAIN));
    assert_eq!(segment::iv_of_sequence(0x0102), iv("00000000000000000000000000000102"));
}
