//! Encryption (RFC 8216bis §4.4.4.4, §4.4.6.5): which keys hold for what.

use super::attributes::Attributes;
use super::reading::Reading;
use crate::manifest::{binary, decimal};
use crate::presentation::{Protection, ProtectionMethod, ProtectionSystem};
use crate::url::cut;

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
    #[inline(never)]
    pub(super) fn read(
        tag: &'static str,
        value: &str,
        line: u64,
        reading: &mut Reading<'_>,
    ) -> Option<Encryption> {
        let attributes = Attributes::read(tag, value, line, &mut reading.warnings);
        let method = match attributes.word("METHOD") {
            Some("NONE") => return Some(Encryption::None),
            Some("AES-128") => ProtectionMethod::Aes128,
            Some("SAMPLE-AES") => ProtectionMethod::SampleAes,
            Some("SAMPLE-AES-CTR") => ProtectionMethod::Cenc,
            // Content that cannot be decrypted must not be taken for content that is clear.
            Some(other) => ProtectionMethod::Other(other.to_owned()),
            None => {
                reading.fail_without(tag, "METHOD", line);
                return None;
            }
        };
        let scheme = attributes.text("KEYFORMAT", reading);
        let scheme = scheme.map_or_else(|| "identity".to_owned(), |text| scheme_of(&text));
        let mut system = ProtectionSystem { scheme, ..ProtectionSystem::default() };
        let versions = attributes.text("KEYFORMATVERSIONS", reading);
        for version in versions.as_deref().unwrap_or_default().split('/') {
            if let Some(version) = decimal::integer(version.trim_ascii()) {
                system.versions.extend(u32::try_from(version));
            }
        }
        let Some(reference) = attributes.text("URI", reading) else {
            reading.fail_without(tag, "URI", line);
            return None;
        };
        match data_uri(&reference) {
            Some(bytes) if is_box(&bytes, b"pssh") => system.pssh = Some(bytes),
            Some(bytes) if system.scheme == PLAYREADY => system.pro = Some(bytes),
            _ => {}
        }
        system.uri = Some(if system.scheme == FAIRPLAY && !reference.starts_with("http") {
            // `skd:` and what some services write in its place mean something to them alone.
            reference.into_owned()
        } else {
            reading.resolve(&reference, line)
        });
        let iv = attributes.bits("IV", reading);
        let id = attributes.bits("KEYID", reading);
        Some(Encryption::Key(Box::new(Self { method, system, iv, id })))
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
pub(crate) fn data_uri(uri: &str) -> Option<Vec<u8>> {
    let (kind, data) = cut(uri.strip_prefix("data:")?, b',')?;
    if kind.ends_with(";base64") { binary::base64(data) } else { None }
}

fn is_box(bytes: &[u8], name: &[u8; 4]) -> bool {
    bytes.get(4..8) == Some(name)
}

#[cfg(test)]
mod tests {
    use crate::manifest::hls::{parse_media, parse_multivariant};
    use crate::manifest::{ManifestErrorKind, hls::MediaPlaylist};
    use crate::presentation::{Protection, ProtectionMethod};

    const URL: &str = "https://cdn.example/film/main.m3u8";

    fn media(text: &str) -> MediaPlaylist {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{text}");
        parse_media(text.as_bytes(), URL).expect("a sound playlist").value
    }

    /// The key of each segment.
    fn keys(playlist: &MediaPlaylist) -> Vec<Option<&Protection>> {
        playlist.index.iter().map(|segment| playlist.index.key(&segment)).collect()
    }

    #[test]
    fn methods_and_their_attributes() {
        for (method, expected) in [
            ("AES-128", ProtectionMethod::Aes128),
            ("SAMPLE-AES", ProtectionMethod::SampleAes),
            ("SAMPLE-AES-CTR", ProtectionMethod::Cenc),
            ("ROT-13", ProtectionMethod::Other("ROT-13".into())),
        ] {
            let playlist = media(&format!(
                "#EXT-X-KEY:METHOD={method},URI=\"../k?a=1,2\",IV=0X0a0B,KEYID=0xff,\
                 KEYFORMAT=\"urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED\",KEYFORMATVERSIONS=\"1/3\"\n\
                 #EXTINF:4,\n1\n"
            ));
            let key = keys(&playlist)[0].expect("a key");
            let (mut iv, mut id) = ([0; 16], [0; 16]);
            (iv[14], iv[15], id[15]) = (0x0a, 0x0b, 0xff);
            assert_eq!((&key.method, key.iv, &key.key_ids), (&expected, Some(iv), &vec![id]));
            let system = &key.systems[0];
            assert_eq!(system.scheme, "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed");
            assert_eq!(system.versions, [1, 3]);
            assert_eq!(system.uri.as_deref(), Some("https://cdn.example/k?a=1,2"));
        }
        for (tag, kind) in [
            ("URI=\"k\"", ManifestErrorKind::missing_attribute("EXT-X-KEY", "METHOD")),
            ("METHOD=AES-128", ManifestErrorKind::missing_attribute("EXT-X-KEY", "URI")),
        ] {
            let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:{tag}\n");
            assert_eq!(parse_media(text.as_bytes(), URL), Err(*kind.at(3)));
        }
    }

    #[test]
    fn a_key_holds_until_the_next_of_its_format() {
        let playlist = media(
            "#EXTINF:4,\n1\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"b\",KEYFORMAT=\"com.microsoft.playready\"\n\
             #EXTINF:4,\n2\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"c\",KEYFORMAT=\"com.microsoft.playready\"\n\
             #EXTINF:4,\n3\n#EXTINF:4,\n4\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"d\"\n#EXTINF:4,\n5\n\
             #EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n6\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"d\"\n#EXTINF:4,\n7\n",
        );
        let uris: Vec<Vec<_>> = keys(&playlist)
            .into_iter()
            .map(|key| {
                let systems = key.iter().flat_map(|key| &key.systems);
                systems.filter_map(|system| system.uri.as_deref()).collect()
            })
            .collect();
        let (b, c, d) = (
            "https://cdn.example/film/b",
            "https://cdn.example/film/c",
            "https://cdn.example/film/d",
        );
        let expected: [&[&str]; 7] =
            [&[], &["skd://a", b], &["skd://a", c], &["skd://a", c], &[d], &[], &[d]];
        assert_eq!(uris, expected);
        // What is the same is kept once.
        assert_eq!(playlist.index.keys().len(), 3);
    }

    #[test]
    fn an_initialisation_segment_keeps_the_key_before_it() {
        let playlist = media(
            "#EXT-X-MAP:URI=\"clear.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"a\",IV=0x1\n#EXTINF:4,\n1\n\
             #EXT-X-MAP:URI=\"secret.mp4\"\n#EXTINF:4,\n2\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"b\"\n#EXTINF:4,\n3\n",
        );
        let both: Vec<_> = playlist
            .index
            .iter()
            .map(|segment| {
                let uri = |key: Option<&Protection>| key.and_then(|key| key.systems[0].uri.clone());
                let index = &playlist.index;
                (uri(index.init_key(&segment)), uri(index.key(&segment)))
            })
            .collect();
        let (a, b) = ("https://cdn.example/film/a", "https://cdn.example/film/b");
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(both, [(None, own(a)), (own(a), own(a)), (own(a), own(b))]);
        // Without an IV it is the segment's number (§5.2).
        let ivs: Vec<_> =
            keys(&playlist).into_iter().map(|key| key.and_then(|key| key.iv)).collect();
        assert_eq!((ivs[0].is_some(), ivs[2]), (true, None));
    }

    #[test]
    fn data_is_what_its_key_system_calls_it() {
        let pssh = "AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA=";
        let playlist = media(&format!(
            "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:text/plain;base64,{pssh}\",\
             KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:text/plain;charset=UTF-16;base64,AQID\",\
             KEYFORMAT=\"com.microsoft.playready\"\n#EXTINF:4,\n1\n"
        ));
        let systems = &keys(&playlist)[0].expect("a key").systems;
        let box_type = systems[0].pssh.as_ref().and_then(|bytes| bytes.get(4..8));
        assert_eq!(box_type, Some(&b"pssh"[..]));
        assert_eq!((&systems[1].pro, &systems[1].pssh), (&Some(vec![1, 2, 3]), &None));
    }

    #[test]
    fn keys_of_the_session_are_known_beforehand() {
        let parsed = parse_multivariant(
            b"#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\",\
              KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXT-X-SESSION-KEY:METHOD=NONE\n\
              #EXT-X-STREAM-INF:BANDWIDTH=1\nv\n",
            URL,
        )
        .expect("a variant");
        assert_eq!(parsed.value.protection.len(), 1);
        assert_eq!(parsed.value.protection[0].systems[0].uri.as_deref(), Some("skd://a"));
        assert_eq!(parsed.warnings.iter().map(|warning| warning.line).collect::<Vec<_>>(), [3]);
    }
}
