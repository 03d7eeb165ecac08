//! Encryption (RFC 8216bis §4.4.4.4, §4.4.6.5): which keys hold for what.

use super::attributes::Attributes;
use super::reading::Reading;
use crate::manifest::{Fault, ManifestErrorKind, binary};
use crate::presentation::{Protection, ProtectionMethod, ProtectionSystem};

/// One `EXT-X-KEY` or `EXT-X-SESSION-KEY`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    method: ProtectionMethod,
    system: ProtectionSystem,
    iv: Option<[u8; 16]>,
    id: Option<[u8; 16]>,
}

/// What a tag says of encryption.
pub(super) enum Encryption {
    /// There is none from here on.
    None,
    /// There is this from here on, beside that of other key formats.
    Key(Box<Key>),
}

impl Key {
    /// Reads a tag; none if it lacks what it makes no sense without.
    pub(super) fn read(
        tag: &'static str,
        value: &str,
        line: u64,
        reading: &mut Reading<'_>,
    ) -> Result<Option<Encryption>, Fault> {
        let attributes = Attributes::read(tag, value, line, &mut reading.warnings);
        let method = match attributes.word("METHOD") {
            Some("NONE") => return Ok(Some(Encryption::None)),
            Some("AES-128") => ProtectionMethod::Aes128,
            Some("SAMPLE-AES") => ProtectionMethod::SampleAes,
            Some("SAMPLE-AES-CTR") => ProtectionMethod::Cenc,
            // Content that cannot be decrypted must not be taken for content that is clear.
            Some(other) => ProtectionMethod::Other(other.to_owned()),
            None => return Err(ManifestErrorKind::missing_attribute(tag, "METHOD").at(line)),
        };
        let scheme = attributes.text("KEYFORMAT", reading)?;
        let scheme = scheme.map_or_else(|| "identity".to_owned(), |text| scheme_of(&text));
        let versions = attributes.text("KEYFORMATVERSIONS", reading)?;
        let versions = versions.iter().flat_map(|text| text.split('/'));
        let versions = versions.filter_map(|version| version.trim().parse().ok()).collect();
        let Some(reference) = attributes.text("URI", reading)? else {
            return Err(ManifestErrorKind::missing_attribute(tag, "URI").at(line));
        };
        let mut system = ProtectionSystem { scheme, versions, ..ProtectionSystem::default() };
        match data(&reference) {
            Some(bytes) if is_box(&bytes, b"pssh") => system.pssh = Some(bytes),
            Some(bytes) if system.scheme == PLAYREADY => system.pro = Some(bytes),
            _ => {}
        }
        system.uri = Some(if system.scheme == FAIRPLAY && !reference.starts_with("http") {
            // `skd:` and what some services write in its place mean something to them alone.
            reference.into_owned()
        } else {
            reading.resolve(&reference, line)?
        });
        let iv = attributes.bits("IV", reading);
        let id = attributes.bits("KEYID", reading);
        Ok(Some(Encryption::Key(Box::new(Self { method, system, iv, id }))))
    }

    pub(super) fn protection(keys: &[Self]) -> Option<Protection> {
        // Keys for several systems are the same key: the first says what it is used for.
        let first = keys.first()?;
        let mut protection = Protection {
            method: first.method.clone(),
            key_ids: Vec::new(),
            systems: keys.iter().map(|key| key.system.clone()).collect(),
            iv: keys.iter().find_map(|key| key.iv),
        };
        for id in keys.iter().filter_map(|key| key.id) {
            if !protection.key_ids.contains(&id) {
                protection.key_ids.push(id);
            }
        }
        Some(protection)
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        size_of::<Self>()
            + self.system.uri.as_ref().map_or(0, String::len)
            + bytes(&self.system.pssh)
            + bytes(&self.system.pro)
    }
}

/// The keys that hold at a place of a media playlist: one of each key format.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// The most key formats at once; there are not a fourth as many.
    const MOST: usize = 16;

    /// Takes in a tag: it takes the place of the one before of the same key format.
    pub(super) fn take(&mut self, encryption: Encryption) {
        match encryption {
            Encryption::None => self.0.clear(),
            Encryption::Key(key) => {
                // What is encrypted in another way is so with another key, whoever gives that.
                self.0.retain(|known| known.method == key.method);
                let same = |known: &Key| known.system.scheme == key.system.scheme;
                match self.0.iter().position(same) {
                    Some(position) => {
                        if let Some(known) = self.0.get_mut(position) {
                            *known = *key;
                        }
                    }
                    None if self.0.len() < Self::MOST => self.0.push(*key),
                    None => {}
                }
            }
        }
    }

    /// The keys that a protection was made of.
    pub(super) fn of(protection: &Protection) -> Self {
        let key = |system: &ProtectionSystem| Key {
            method: protection.method.clone(),
            system: system.clone(),
            iv: protection.iv,
            id: protection.key_ids.first().copied(),
        };
        Self(protection.systems.iter().map(key).collect())
    }

    pub(super) fn protection(&self) -> Option<Protection> {
        Key::protection(&self.0)
    }

    /// About how many bytes they take.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(Key::size).sum()
    }
}

const PLAYREADY: &str = "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95";
const FAIRPLAY: &str = "com.apple.streamingkeydelivery";

/// The scheme of a key format: names of vendors become the UUIDs that DASH has for the same systems.
fn scheme_of(format: &str) -> String {
    if format.eq_ignore_ascii_case("com.microsoft.playready") {
        return PLAYREADY.to_owned();
    }
    let is_urn = format.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("urn:uuid:"));
    if is_urn { format.to_ascii_lowercase() } else { format.to_owned() }
}

/// The bytes of a `data:` URI in base64 (RFC 2397).
fn data(uri: &str) -> Option<Vec<u8>> {
    let (kind, data) = uri.strip_prefix("data:")?.split_once(',')?;
    if kind.ends_with(";base64") { binary::base64(data) } else { None }
}

fn is_box(bytes: &[u8], name: &[u8; 4]) -> bool {
    bytes.get(4..8) == Some(name)
}
