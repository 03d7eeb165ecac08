//! Encrypts real media and reads it again: what comes back is what went in, byte for byte.

use super::{
    boxes::{be32, boxes, child},
    *,
};
use crate::{
    package::{cmaf::Cut, presentation::Kind, source::FrameRate},
    storage::sqlite::SqliteContentKeys,
    vault::{KeyId, Tier, kek::KeyEncryptionKeys},
};
use kinora_cenc::{Layout, Subsample, widen};
use proptest::prelude::*;
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// A track that the native player's tests play: `high` is H.264 of the High profile, `tone` is AAC.
fn track(name: &str) -> (TempDir, Track) {
    let media = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../platforms/native/tests/media");
    let mut bytes = std::fs::read(media.join(format!("{name}-init.mp4"))).unwrap();
    for number in 0..4 {
        bytes.extend(std::fs::read(media.join(format!("{name}-{number}.m4s"))).unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("track.mp4");
    std::fs::write(&path, bytes).unwrap();
    let track = Track::read(&path).unwrap();
    (directory, track)
}

fn cut(name: &str) -> (TempDir, Cut, Kind) {
    let (directory, track) = track(name);
    if name == "tone" {
        let kind = Kind::Audio { sample_rate: 48_000, channels: 1 };
        return (directory, Cut::audio(track, &[0.0, 1.0, 2.0], 1.0).unwrap(), kind);
    }
    let frame_rate = FrameRate { frames: 25, seconds: 1 };
    let kind = Kind::Video { width: 1280, height: 720, frame_rate };
    (directory, Cut::video(track).unwrap(), kind)
}

async fn options(method: Method) -> (TempDir, Options) {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteContentKeys::open(directory.path()).await.unwrap();
    let kek = KeyEncryptionKeys::open(&directory.path().join("kek.json")).unwrap();
    (directory, Options::new(method, Vault::new(Arc::new(storage), kek)))
}

/// A reader as the standard describes one, with nothing but the keys and the bytes.
struct Reader<'a> {
    init: &'a [u8],
    keys: Vec<Key>,
}

impl Reader<'_> {
    /// The body of a box, wherever it is.
    fn find<'b>(bytes: &'b [u8], kind: &[u8; 4]) -> Option<&'b [u8]> {
        let at = bytes.windows(4).position(|window| window == kind)?;
        let size = be32(bytes, at - 4)? as usize;
        bytes.get(at + 4..at - 4 + size)
    }

    fn key(&self, id: &[u8]) -> SampleCipher {
        let key = self.keys.iter().find(|key| key.id.0 == id).expect("a key that was planned");
        SampleCipher::new(&key.key)
    }

    /// The media data of a fragment, decrypted.
    fn decrypt(&self, fragment: &[u8]) -> Vec<u8> {
        let scheme = &Self::find(self.init, b"schm").unwrap()[4..8];
        let scheme = Scheme::of_code(scheme.try_into().unwrap()).unwrap();
        let tenc = &Self::find(self.init, b"tenc").unwrap()[4..];
        // Of one's own or of the track: the fields are the same.
        let moof = child(fragment, 0..fragment.len(), b"moof").unwrap();
        let fields = match Self::find(&fragment[moof.start..moof.end], b"sgpd") {
            Some(sgpd) => {
                assert_eq!(&sgpd[4..8], b"seig");
                &sgpd[16..]
            }
            None => tenc,
        };
        let (pattern, protected, iv_size) = (fields[1], fields[2], usize::from(fields[3]));
        assert_eq!(protected, 1);
        let cipher = self.key(&fields[4..20]);
        let constant_iv = (iv_size == 0).then(|| {
            assert_eq!(fields[20], 16);
            fields[21..37].to_vec()
        });
        let pattern = Pattern { crypt: pattern >> 4, skip: pattern & 15 };
        let mut notes = self.auxiliary(fragment, moof.start);
        let traf = child(fragment, moof.body(), b"traf").unwrap();
        let trun = child(fragment, traf.body(), b"trun").unwrap();
        let run =
            <mp4_atom::Trun as mp4_atom::Decode>::decode(&mut &fragment[trun.start..trun.end])
                .unwrap();
        let mut at = moof.start + usize::try_from(run.data_offset.unwrap()).unwrap();
        let mut media = Vec::new();
        for sample in run.samples.iter() {
            let size = sample.size.unwrap() as usize;
            let mut bytes = fragment[at..at + size].to_vec();
            at += size;
            let (iv, parts) = match notes.next() {
                None => (constant_iv.clone().unwrap(), Vec::new()),
                Some(note) => {
                    let (iv, rest) = note.split_at(iv_size);
                    let iv = if iv_size > 0 { iv.to_vec() } else { constant_iv.clone().unwrap() };
                    (iv, Self::subsamples(rest))
                }
            };
            let iv = widen(&iv).unwrap();
            cipher
                .decrypt(&Layout { scheme, pattern, iv, subsamples: &parts }, &mut bytes)
                .unwrap();
            media.extend(bytes);
        }
        assert_eq!(notes.next(), None);
        assert_eq!(at, fragment.len(), "the run covers the media data");
        media
    }

    /// What `saiz` and `saio` point at, sample by sample. `senc` must say the same.
    fn auxiliary(&self, fragment: &[u8], moof: usize) -> std::vec::IntoIter<Vec<u8>> {
        let Some(saiz) = Self::find(fragment, b"saiz") else {
            assert!(
                Self::find(fragment, b"senc").is_none() && Self::find(fragment, b"saio").is_none()
            );
            return Vec::new().into_iter();
        };
        let saio = Self::find(fragment, b"saio").unwrap();
        assert_eq!(be32(saio, 4), Some(1));
        let mut at = moof + be32(saio, 8).unwrap() as usize;
        let count = be32(saiz, 5).unwrap() as usize;
        let size = |i: usize| usize::from(if saiz[4] > 0 { saiz[4] } else { saiz[9 + i] });
        let mut notes = Vec::new();
        let start = at;
        for index in 0..count {
            notes.push(fragment[at..at + size(index)].to_vec());
            at += size(index);
        }
        let senc = Self::find(fragment, b"senc").unwrap();
        assert_eq!(be32(senc, 4), Some(count as u32));
        assert_eq!(senc[8..], fragment[start..at]);
        notes.into_iter()
    }

    fn subsamples(bytes: &[u8]) -> Vec<Subsample> {
        if bytes.is_empty() {
            return Vec::new();
        }
        let count = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        assert_eq!(bytes.len(), 2 + count * 6);
        let part = |p: &[u8]| Subsample {
            clear: u16::from_be_bytes([p[0], p[1]]),
            protected: be32(p, 2).unwrap(),
        };
        bytes[2..].chunks(6).map(part).collect()
    }
}

fn media_data(fragment: &[u8]) -> &[u8] {
    let mdat = child(fragment, 0..fragment.len(), b"mdat").unwrap();
    &fragment[mdat.body()]
}

async fn round_trip(name: &str, method: Method, rotation: Option<f64>) {
    let (_directory, cut, kind) = cut(name);
    let (_keys, mut options) = options(method).await;
    options.rotation_seconds = rotation;
    let mut plan = plan::Plan::new(&options);
    let length = cut.time(cut.len() - 1).end;
    let (protected, secrets) = plan.track(&kind, cut.track().timescale, length).unwrap();
    let keys = plan.into_keys();
    let mut encrypter = Encrypter::new(cut.track(), &protected, secrets).unwrap();
    let clear_init = cut.initialization().unwrap();
    let init = encrypter.initialization(clear_init.clone()).unwrap();
    let entry: &[u8; 4] = if name == "tone" { b"enca" } else { b"encv" };
    let entry = Reader::find(&init, entry).unwrap();
    let original = Reader::find(entry, b"frma").unwrap();
    assert_eq!(original, if name == "tone" { b"mp4a" } else { b"avc1" });
    boxes(&init, 0..init.len()).expect("whole boxes");
    let reader = Reader { init: &init, keys };
    let mut writer = cut.writer().unwrap();
    let mut own_keys = 0;
    for index in 0..cut.len() {
        let clear = writer.fragment(index).unwrap();
        let mut encrypted = clear.clone();
        encrypter.fragment(&mut encrypted, cut.time(index).start).unwrap();
        assert_ne!(media_data(&encrypted), media_data(&clear), "{name} {index}");
        assert_eq!(reader.decrypt(&encrypted), media_data(&clear), "{name} {index}");
        own_keys += usize::from(Reader::find(&encrypted, b"sgpd").is_some());
    }
    let rotates = rotation.is_some();
    assert_eq!(own_keys > 0, rotates, "segments after the first period name their key");
    assert_eq!(protected.periods.len() > 1, rotates);
}

#[tokio::test]
async fn what_is_encrypted_comes_back() {
    for name in ["high", "tone"] {
        for method in [Method::Cenc, Method::Cbcs] {
            for rotation in [None, Some(1.0)] {
                round_trip(name, method, rotation).await;
            }
        }
    }
}

#[test]
fn a_slices_head_ends_where_its_arithmetic_code_begins() {
    let (_directory, track) = track("high");
    let avcc = match &track.moov.trak[0].mdia.minf.stbl.stsd.codecs[0] {
        mp4_atom::Codec::Avc1(avc1) => avc1.avcc.clone(),
        other => panic!("{other:?}"),
    };
    let mut avc = Avc::new(&avcc).unwrap();
    let file = std::fs::read(&track.path).unwrap();
    let mut slices = 0;
    for sample in &track.samples {
        let mut rest = &file[sample.offset as usize..][..sample.size as usize];
        while !rest.is_empty() {
            let (length, unit) = avc.unit(rest).unwrap();
            if let Some(left) = avc.after_head(unit).unwrap() {
                slices += 1;
                // H.264, 7.3.4: of the byte in which the head ends, the rest is ones.
                if let Some((bits, count)) = left {
                    assert_eq!(bits, (1 << count) - 1, "slice {slices}");
                }
            }
            rest = &rest[length + unit.len()..];
        }
    }
    assert!(slices >= track.samples.len(), "{slices} slices of {} pictures", track.samples.len());
}

#[tokio::test]
async fn a_whole_segment_is_encrypted_under_its_number() {
    let (_directory, cut, kind) = cut("tone");
    let (_keys, options) = options(Method::Aes128).await;
    let mut plan = plan::Plan::new(&options);
    let (protected, secrets) = plan.track(&kind, 48_000, 480_000).unwrap();
    let encrypter = Encrypter::new(cut.track(), &protected, secrets.clone()).unwrap();
    assert_eq!(encrypter.initialization(b"init".to_vec()).unwrap(), b"init");
    let clear = b"a segment of some bytes".to_vec();
    let mut bytes = clear.clone();
    encrypter.segment(&mut bytes, 7, 0);
    assert_eq!(bytes.len(), 32);
    segment::decrypt(&secrets[0], &segment::iv_of_sequence(7), &mut bytes).unwrap();
    assert_eq!(bytes, clear);
    assert_eq!(protected.tier, Tier::Audio);
}

#[tokio::test]
async fn keys_that_are_given_are_used_and_a_missing_one_is_named() {
    let (_keys, mut options) = options(Method::Cenc).await;
    let given = Key {
        id: KeyId([5; 16]),
        content: "elsewhere".into(),
        item: None,
        tier: Tier::Sd,
        period: 0,
        key: ContentKey::from([6; 16]),
    };
    options.keys = vec![given.clone()];
    options.item = Some("film".into());
    let mut plan = plan::Plan::new(&options);
    let frame_rate = FrameRate { frames: 25, seconds: 1 };
    let video = |height| Kind::Video { width: 1, height, frame_rate };
    let (protected, secrets) = plan.track(&video(576), 1000, 5000).unwrap();
    assert_eq!((protected.content.as_str(), protected.key_ids()), ("elsewhere", vec![given.id]));
    assert_eq!(secrets, std::slice::from_ref(&given.key));
    let missing = plan.track(&video(577), 1000, 5000);
    assert!(matches!(missing, Err(Error::Option { flag: "--cpix", .. })), "{missing:?}");
    assert_eq!(plan.into_keys(), [Key { item: Some("film".into()), ..given }]);
}

/// Units of a picture: the heads of real slices with bodies of any length, and other units.
fn units() -> impl Strategy<Value = Vec<(bool, usize)>> {
    let length = prop_oneof![3 => 0..40usize, 3 => 40..3000usize, 1 => 60_000..200_000usize];
    prop::collection::vec((any::<bool>(), length), 1..70)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the units, the map covers the sample, and protects nothing but what comes after heads of slices.
    #[test]
    fn the_map_of_a_picture_protects_bodies_of_slices_alone(units in units()) {
        let (_directory, track) = track("high");
        let mp4_atom::Codec::Avc1(avc1) = &track.moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!() };
        let mut avc = Avc::new(&avc1.avcc).unwrap();
        let file = std::fs::read(&track.path).unwrap();
        // The first slice of the track, whatever stands before it.
        let mut rest = &file[track.samples[0].offset as usize..][..track.samples[0].size as usize];
        let head = loop {
            let (length, unit) = avc.unit(rest).unwrap();
            if let Some(head) = avc.clear_head(unit).unwrap() {
                break unit[..head].to_vec();
            }
            rest = &rest[length + unit.len()..];
        };
        let (mut sample, mut may) = (Vec::new(), Vec::new());
        for (slice, body) in &units {
            let start = if *slice { head.clone() } else { vec![6] };
            let length = start.len() + body;
            sample.extend((length as u32).to_be_bytes());
            sample.extend(&start);
            sample.extend(vec![0x55; *body]);
            may.extend(vec![false; 4 + start.len()]);
            may.extend(vec![*slice; *body]);
        }
        for scheme in [Scheme::Cenc, Scheme::Cbcs] {
            let map = match subsamples::of_picture(&mut avc, scheme, &sample) {
                Ok(map) => map,
                Err(refused) => {
                    prop_assert!(sample.len() > 1_000_000, "{refused:?}: {} bytes", sample.len());
                    continue;
                }
            };
            prop_assert!(!map.is_empty() && map.len() <= fragment::MOST_SUBSAMPLES, "{}", map.len());
            let mut at = 0;
            for part in &map {
                at += usize::from(part.clear);
                let end = at + part.protected as usize;
                prop_assert!(may[at..end].iter().all(|may| *may));
                prop_assert!(scheme == Scheme::Cbcs || part.protected % 16 == 0);
                at = end;
            }
            prop_assert_eq!(at, sample.len());
            // A slice of more than a block is protected, if there are few enough of them.
            let large = units.iter().filter(|(slice, body)| *slice && *body >= 16).count();
            let clear: usize = units.iter().filter(|(slice, _)| !slice).map(|(_, body)| body).sum();
            if large + clear / 65_535 < 30 {
                let protected = map.iter().filter(|part| part.protected > 0).count();
                prop_assert_eq!(protected, units.iter().filter(|(slice, body)| *slice && *body >= 16).count());
            }
        }
    }
}
