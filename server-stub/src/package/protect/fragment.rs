//! Encrypts a movie fragment: the samples in place, and beside them what a reader must know of each (`senc`,
//! `saiz` and `saio`, ISO/IEC 23001-7, 7) and of all that have another key than the track's (`sgpd` and `sbgp`
//! of `seig`, 6).

use super::{
    boxes::{HEADER, be32, child, full_box, insert},
    init::Defaults,
};
use kinora_cenc::{Layout, SampleCipher, Subsample, widen};

/// What `saiz` can count of one sample.
const MOST_AUXILIARY: usize = u8::MAX as usize;
/// Subsamples that fit into that beside an initialisation vector of 8 bytes and their number.
pub(super) const MOST_SUBSAMPLES: usize = (MOST_AUXILIARY - 8 - 2) / 6;
/// `sample_group_description_index` of the first description in the fragment itself (ISO/IEC 14496-12, 8.9.4).
const LOCAL: u32 = 0x1_0001;

/// `trun` (ISO/IEC 14496-12, 8.8.8): its flags say what it holds.
const DATA_OFFSET: u32 = 0x1;
const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SIZE: u32 = 0x200;

/// How the samples of a fragment are encrypted.
pub(super) struct Encryption<'a> {
    pub(super) cipher: &'a SampleCipher,
    pub(super) defaults: &'a Defaults,
    /// The key is not the one that the initialisation segment names.
    pub(super) own_key: bool,
}

/// Encrypts a fragment (`moof` and `mdat`) in place; none if it is not what the packager writes. `subsamples`
/// says what of a sample is protected, nothing for all of it; `iv` gives each sample's initialisation vector.
pub(super) fn encrypt<E>(
    bytes: &mut Vec<u8>,
    encryption: &Encryption<'_>,
    mut iv: impl FnMut() -> [u8; 8],
    mut subsamples: impl FnMut(&[u8]) -> Result<Vec<Subsample>, E>,
) -> Result<Option<()>, E> {
    let Some(fragment) = Fragment::read(bytes) else { return Ok(None) };
    let Encryption { cipher, defaults, own_key } = encryption;
    let mut auxiliary = Auxiliary::default();
    let mut start = fragment.media;
    for size in &fragment.sizes {
        let Some(sample) = bytes.get_mut(start..start + *size as usize) else { return Ok(None) };
        start += *size as usize;
        let parts = subsamples(sample)?;
        let own_iv = (defaults.iv_size > 0).then(&mut iv);
        let wide = own_iv.and_then(|iv| widen(&iv)).or(defaults.constant_iv).unwrap_or_default();
        let layout = Layout {
            scheme: defaults.scheme,
            pattern: defaults.pattern,
            iv: wide,
            subsamples: &parts,
        };
        if cipher.encrypt(&layout, sample).is_err() {
            return Ok(None); // subsamples that do not add up
        }
        auxiliary.add(own_iv, &parts);
    }
    Ok(fragment.put_in(bytes, &auxiliary, own_key.then_some(*defaults)))
}

/// A fragment of one track and one run.
struct Fragment {
    moof: usize,
    traf: usize,
    traf_end: usize,
    /// Where the run's `data_offset` is.
    data_offset: usize,
    sizes: Vec<u32>,
    /// Where the first sample is.
    media: usize,
}

impl Fragment {
    fn read(bytes: &[u8]) -> Option<Self> {
        let moof = child(bytes, 0..bytes.len(), b"moof")?;
        let traf = child(bytes, moof.body(), b"traf")?;
        let trun = child(bytes, traf.body(), b"trun")?;
        let body = trun.start + HEADER;
        let flags = be32(bytes, body)? & 0xff_ffff;
        let count = be32(bytes, body + 4)? as usize;
        if flags & (DATA_OFFSET | SIZE) != DATA_OFFSET | SIZE {
            return None;
        }
        let data_offset = body + 8;
        let media = moof.start.checked_add(be32(bytes, data_offset)? as usize)?;
        let first = data_offset + 4 + if flags & FIRST_SAMPLE_FLAGS != 0 { 4 } else { 0 };
        // Duration, size, flags, composition offset: four bytes each, where they are.
        let step = 4 * (flags >> 8 & 0xf).count_ones() as usize;
        let before_size = 4 * (flags >> 8 & 0x1) as usize;
        if count.checked_mul(step)? > trun.end.checked_sub(first)? {
            return None;
        }
        let sizes: Option<Vec<u32>> =
            (0..count).map(|sample| be32(bytes, first + sample * step + before_size)).collect();
        Some(Self {
            moof: moof.start,
            traf: traf.start,
            traf_end: traf.end,
            data_offset,
            sizes: sizes?,
            media,
        })
    }

    /// Puts in what was noted of the samples.
    fn put_in(
        &self,
        bytes: &mut Vec<u8>,
        auxiliary: &Auxiliary,
        own: Option<&Defaults>,
    ) -> Option<()> {
        let samples = u32::try_from(self.sizes.len()).ok()?;
        let mut new = Vec::new();
        if let Some(defaults) = own {
            let entry = defaults.fields();
            let length = u32::try_from(entry.len()).ok()?;
            let description =
                [b"seig".as_slice(), &length.to_be_bytes(), &1_u32.to_be_bytes(), &entry].concat();
            new.extend(full_box(b"sgpd", 1, 0, &description));
            let group = [1, samples, LOCAL].map(u32::to_be_bytes).concat();
            new.extend(full_box(b"sbgp", 0, 0, &[b"seig".as_slice(), &group].concat()));
        }
        if !auxiliary.sizes.is_empty() {
            new.extend(auxiliary.size_box(samples)?);
            // `senc` follows `saio`, of 20 bytes; what it counts begins after its head and its number.
            let offset = (self.traf_end - self.moof) + new.len() + 20 + HEADER + 4 + 4;
            let place = u32::try_from(offset).ok()?;
            new.extend(full_box(b"saio", 0, 0, &[1, place].map(u32::to_be_bytes).concat()));
            let body = [samples.to_be_bytes().as_slice(), &auxiliary.bytes].concat();
            new.extend(full_box(b"senc", 0, if auxiliary.divided { 2 } else { 0 }, &body));
        }
        let offset = be32(bytes, self.data_offset)?.checked_add(u32::try_from(new.len()).ok()?)?;
        bytes
            .get_mut(self.data_offset..self.data_offset + 4)?
            .copy_from_slice(&offset.to_be_bytes());
        insert(bytes, &[self.moof, self.traf], self.traf_end, &new)
    }
}

/// What is noted of each sample (ISO/IEC 23001-7, 7.1). Nothing, where neither the initialisation vector nor the
/// subsamples are its own.
#[derive(Default)]
struct Auxiliary {
    bytes: Vec<u8>,
    sizes: Vec<u8>,
    divided: bool,
}

impl Auxiliary {
    fn add(&mut self, iv: Option<[u8; 8]>, parts: &[Subsample]) {
        if iv.is_none() && parts.is_empty() {
            return;
        }
        let before = self.bytes.len();
        self.bytes.extend(iv.into_iter().flatten());
        if !parts.is_empty() {
            self.divided = true;
            self.bytes.extend((parts.len() as u16).to_be_bytes());
            for Subsample { clear, protected } in parts {
                self.bytes.extend(clear.to_be_bytes());
                self.bytes.extend(protected.to_be_bytes());
            }
        }
        self.sizes.push((self.bytes.len() - before) as u8);
    }

    fn size_box(&self, samples: u32) -> Option<Vec<u8>> {
        if self.sizes.len() != samples as usize {
            return None;
        }
        let first = *self.sizes.first()?;
        let equal = self.sizes.iter().all(|size| *size == first);
        let mut body = vec![if equal { first } else { 0 }];
        body.extend(samples.to_be_bytes());
        if !equal {
            body.extend(&self.sizes);
        }
        Some(full_box(b"saiz", 0, 0, &body))
    }
}
