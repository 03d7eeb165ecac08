//! Encrypts what the packager writes: Common Encryption of samples (ISO/IEC 23001-7) in one set of files for
//! HLS and DASH, or HLS encryption of whole segments (RFC 8216bis, 4.4.4.4).
//!
//! Each [tier](crate::vault::Tier) has keys of its own, and with a rotation each crypto period as well. ffmpeg
//! is not asked to encrypt: what it makes of fragments cannot be read. [`plan`] says which key encrypts what,
//! `init` and `fragment` change the bytes, `subsamples` says what of a picture is protected, [`systems`] what key
//! systems are told, [`cpix`] is how keys are exchanged with those who serve licences.

mod avc;
mod boxes;
pub mod cpix;
mod fragment;
mod init;
pub(super) mod plan;
mod subsamples;
pub mod systems;
#[cfg(test)]
mod tests;

use super::{fragmented::Track, presentation::Protected};
use crate::{
    Error, Result,
    id::random,
    vault::{Key, Vault},
};
use avc::Avc;
use fragment::Encryption;
use init::Defaults;
use kinora_cenc::{ContentKey, Pattern, SampleCipher, Scheme, segment};
use serde::Serialize;
use std::convert::Infallible;
use systems::System;

/// How to encrypt.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is encrypted.
    pub method: Method,
    /// The key systems to write initialisation data for.
    pub systems: Vec<System>,
    /// New keys after so many seconds.
    pub rotation_seconds: Option<f64>,
    /// Where ClearKey licences are; written into DASH manifests.
    pub license_url: Option<String>,
    /// Where the key of a whole-segment encryption is, `{id}` being its id; written into HLS playlists.
    pub key_url: String,
    /// The film or episode in the catalogue that this is of: whoever may play it may have its keys.
    pub item: Option<String>,
    /// Keys made elsewhere; none: they are made here.
    pub keys: Vec<Key>,
    /// Where the keys are kept.
    pub vault: Vault,
}

impl Options {
    /// The usual options.
    pub fn new(method: Method, vault: Vault) -> Self {
        Self {
            method,
            systems: vec![System::Common],
            rotation_seconds: None,
            license_url: None,
            key_url: KEY_URL.into(),
            item: None,
            keys: Vec::new(),
            vault,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.rotation_seconds.is_some_and(|seconds| !(1.0..=86_400.0).contains(&seconds)) {
            let reason = "keys last from a second to a day".into();
            return Err(Error::Option { flag: "--rotation-seconds", reason });
        }
        Ok(())
    }
}

/// Where the role `license` has the key of a whole-segment encryption.
pub const KEY_URL: &str = "/v1/license/keys/{id}";

/// What is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Samples, in counter mode
    Cenc,
    /// Samples, one block in ten of the pictures, in chaining mode
    Cbcs,
    /// Whole segments; HLS alone
    #[value(name = "aes-128")]
    #[serde(rename = "aes-128")]
    Aes128,
}

impl Method {
    /// The scheme of Common Encryption, if it is one.
    pub fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Cenc => Some(Scheme::Cenc),
            Self::Cbcs => Some(Scheme::Cbcs),
            Self::Aes128 => None,
        }
    }
}

/// Encrypts one track.
pub(super) struct Encrypter<'a> {
    protected: &'a Protected,
    track: &'a Track,
    mode: Mode,
}

enum Mode {
    Segments(Vec<ContentKey>),
    Samples { periods: Vec<(SampleCipher, Defaults)>, media: Media, next_iv: u64 },
}

/// What the samples are.
enum Media {
    Avc(Avc),
    /// All of each sample is protected.
    Whole,
}

impl<'a> Encrypter<'a> {
    /// Encrypts a track with these keys, one for each crypto period.
    pub(super) fn new(
        track: &'a Track,
        protected: &'a Protected,
        keys: Vec<ContentKey>,
    ) -> Result<Self> {
        let Some(scheme) = protected.method.scheme() else {
            return Ok(Self { protected, track, mode: Mode::Segments(keys) });
        };
        let entries = track.moov.trak.first().map(|trak| &trak.mdia.minf.stbl.stsd.codecs);
        let media = match entries.and_then(|codecs| codecs.first()) {
            Some(mp4_atom::Codec::Avc1(avc1)) => Avc::new(&avc1.avcc).map(Media::Avc),
            _ => Ok(Media::Whole),
        };
        let media = media.map_err(|avc::Unsupported(what)| malformed(track, what))?;
        let is_picture = matches!(media, Media::Avc(_));
        let periods = protected.key_ids().into_iter().zip(keys).map(|(id, key)| {
            let defaults = Defaults {
                scheme,
                pattern: match (scheme, is_picture) {
                    (Scheme::Cbcs, true) => Pattern { crypt: 1, skip: 9 },
                    _ => Pattern::default(),
                },
                key: id,
                iv_size: if scheme == Scheme::Cenc { 8 } else { 0 },
                constant_iv: (scheme == Scheme::Cbcs).then(random),
            };
            (SampleCipher::new(&key), defaults)
        });
        // A random start and one step a sample: tracks that share a key do not meet in 64 bits (9.2).
        let mode = Mode::Samples {
            periods: periods.collect(),
            media,
            next_iv: u64::from_be_bytes(random()),
        };
        Ok(Self { protected, track, mode })
    }

    /// The initialisation segment. Whole-segment encryption leaves it clear.
    pub(super) fn initialization(&self, clear: Vec<u8>) -> Result<Vec<u8>> {
        let Mode::Samples { periods, .. } = &self.mode else { return Ok(clear) };
        let pssh: Vec<Vec<u8>> = self.protected.pssh().into_iter().map(|(_, pssh)| pssh).collect();
        periods
            .first()
            .and_then(|(_, defaults)| init::encrypted(&clear, defaults, &pssh))
            .ok_or_else(|| self.malformed("an initialisation segment that cannot be encrypted"))
    }

    /// A fragment that starts at a tick.
    pub(super) fn fragment(&mut self, bytes: &mut Vec<u8>, start: u64) -> Result<()> {
        let Mode::Samples { periods, media, next_iv } = &mut self.mode else { return Ok(()) };
        let period = self.protected.period(start);
        let Some((cipher, defaults)) = periods.get(period) else {
            return Err(self.malformed("a segment after the last crypto period"));
        };
        let encryption = Encryption { cipher, defaults, own_key: period > 0 };
        let iv = || {
            *next_iv = next_iv.wrapping_add(1);
            next_iv.to_be_bytes()
        };
        let scheme = defaults.scheme;
        let done = match media {
            Media::Avc(avc) => fragment::encrypt(bytes, &encryption, iv, |sample| {
                subsamples::of_picture(avc, scheme, sample)
            }),
            Media::Whole => {
                let whole = |_: &[u8]| Ok::<_, Infallible>(Vec::new());
                Ok(fragment::encrypt(bytes, &encryption, iv, whole).unwrap_or_default())
            }
        };
        match done {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(self.malformed("a fragment that cannot be encrypted")),
            Err(avc::Unsupported(what)) => Err(self.malformed(what)),
        }
    }

    /// A segment with all that is in its file, by its number from 0.
    pub(super) fn segment(&self, bytes: &mut Vec<u8>, number: usize, start: u64) {
        if let Mode::Segments(keys) = &self.mode
            && let Some(key) = keys.get(self.protected.period(start))
        {
            segment::encrypt(key, &segment::iv_of_sequence(number as u64), bytes);
        }
    }

    fn malformed(&self, reason: &str) -> Error {
        malformed(self.track, reason)
    }
}

fn malformed(track: &Track, reason: &str) -> Error {
    Error::Container { path: track.path.clone(), offset: 0, reason: reason.to_owned() }
}
