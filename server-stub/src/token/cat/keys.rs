//! The keys of Common Access Tokens: HMAC with SHA-256 in a `COSE_Mac0` (RFC 9052, 6.2), and nothing else.
//!
//! Whoever checks could sign as well: an edge run by somebody else gets keys of its own.

use super::{Grant, Refusal, claims};
use crate::{
    clock::{Clock, UnixTime},
    token::{
        KeysError, LEEWAY,
        cat::LONGEST_LIFETIME,
        secrets::{self, SecretKey},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use coset::{
    Algorithm, CoseMac0, CoseMac0Builder, Header, HeaderBuilder, TaggedCborSerializable, iana,
};
use ring::hmac;
use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// Longer tokens are not ours.
const LONGEST: usize = 1024;
/// The tag of a CBOR Web Token (RFC 8392, 6), before the one of its `COSE_Mac0`.
const CWT_TAG: [u8; 2] = [0xd8, 0x3d];
/// A key is kept so long after it has signed for the last time.
const KEPT: u32 = LONGEST_LIFETIME + LEEWAY;

/// The keys, rotated like those of access tokens.
pub struct DeliveryKeys {
    /// Where they are kept; none when they were given.
    secret: Option<PathBuf>,
    clock: Clock,
    keys: RwLock<Vec<MacKey>>,
}

struct MacKey {
    kid: Vec<u8>,
    created_at: UnixTime,
    key: hmac::Key,
}

impl DeliveryKeys {
    /// Keys in a file that only its owner can read, made if it is not there.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(secret: PathBuf, clock: Clock) -> Result<Self, KeysError> {
        let keys = Self { secret: Some(secret), clock, keys: RwLock::default() };
        keys.maintain()?;
        Ok(keys)
    }

    /// Keys that someone else keeps and rotates, as the text of such a file.
    ///
    /// # Errors
    /// When the text is no set of keys.
    pub fn given(text: &str, clock: Clock) -> Result<Self, KeysError> {
        let keys = Self { secret: None, clock, keys: RwLock::default() };
        keys.take(&secrets::parse(text.as_bytes())?)?;
        Ok(keys)
    }

    /// Adds a key when the newest is due, drops those that nothing valid is signed with any more, and reads what
    /// another process did of that. To be called now and then.
    ///
    /// # Errors
    /// When the file cannot be read or written; the keys stay as they were.
    pub fn maintain(&self) -> Result<(), KeysError> {
        let Some(path) = &self.secret else { return Ok(()) };
        let now = self.clock.now();
        self.take(&secrets::change(path, |keys| secrets::maintained(keys, KEPT, now))?)
    }

    /// Makes a new key beside the others; or, after a theft, the only one, which ends every token at once.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn rotate(secret: &Path, stolen: bool, now: UnixTime) -> Result<(), KeysError> {
        secrets::change(secret, |mut keys| {
            if stolen {
                keys.clear();
            }
            keys.push(SecretKey::new(now));
            keys
        })?;
        Ok(())
    }

    fn take(&self, keys: &[SecretKey]) -> Result<(), KeysError> {
        let mut taken = Vec::new();
        for key in keys {
            taken.push(MacKey {
                kid: key.kid.clone().into_bytes(),
                created_at: key.created_at,
                key: hmac::Key::new(hmac::HMAC_SHA256, &key.bytes()?),
            });
        }
        if taken.is_empty() {
            return Err(KeysError::Malformed { reason: "there is no key" });
        }
        taken.sort_by_key(|key| key.created_at);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = taken;
        Ok(())
    }

    /// A token for a grant, for a path.
    pub fn sign(&self, grant: &Grant) -> String {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let signs = |key: &&MacKey| secrets::signs(key.created_at, now);
        let Some(key) = keys.iter().rev().find(signs).or(keys.first()) else {
            return String::new(); // there is always one
        };
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::HMAC_256_256)
            .key_id(key.kid.clone())
            .build();
        let token = CoseMac0Builder::new()
            .protected(header)
            .payload(claims::write(grant).unwrap_or_default())
            .create_tag(&[], |bytes| hmac::sign(&key.key, bytes).as_ref().to_vec())
            .build();
        let token = token.to_tagged_vec().unwrap_or_default();
        BASE64URL.encode([&CWT_TAG[..], &token].concat())
    }

    /// What a token grants, if one of the keys has signed it. Whether it still does is for [`Grant::allows`].
    ///
    /// # Errors
    /// [`Refusal::Invalid`].
    pub fn verify(&self, token: &str) -> Result<Grant, Refusal> {
        self.read(token).ok_or(Refusal::Invalid)
    }

    fn read(&self, token: &str) -> Option<Grant> {
        if token.len() > LONGEST {
            return None;
        }
        let token = BASE64URL.decode(token).ok()?;
        let token = CoseMac0::from_tagged_slice(token.strip_prefix(&CWT_TAG)?).ok()?;
        let Header { alg, crit, key_id, .. } = &token.protected.header;
        // One algorithm is all there is, and what is not signed says nothing.
        let ours = *alg == Some(Algorithm::Assigned(iana::Algorithm::HMAC_256_256));
        if !ours || !crit.is_empty() || !token.unprotected.is_empty() {
            return None;
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.kid == *key_id)?;
        let check = |tag: &[u8], bytes: &[u8]| hmac::verify(&key.key, bytes, tag).ok();
        token.verify_payload_tag(&[], || (), |tag, bytes| check(tag, bytes).ok_or(())).ok()?;
        claims::read(token.payload.as_deref()?, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{AccountId, PlaybackId},
        token::cat::{MANIFEST_LIFETIME, Scope, Terms},
    };
    use coset::{CborSerializable, cbor::value::Value};
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(2_000_000_000);

    fn keys() -> (tempfile::TempDir, Clock, DeliveryKeys) {
        let (directory, clock) = (tempfile::tempdir().unwrap(), Clock::standing(NOW));
        let keys = DeliveryKeys::open(directory.path().join("keys.json"), clock.clone()).unwrap();
        (directory, clock, keys)
    }

    fn grant(scope: Scope) -> Grant {
        Grant {
            playback: PlaybackId::random(),
            account: AccountId::random(),
            package: "bunny".parse().unwrap(),
            issued: NOW,
            expires: NOW.plus(MANIFEST_LIFETIME),
            scope,
        }
    }

    fn scopes() -> [Scope; 3] {
        let terms = Terms {
            max_height: Some(720),
            codecs: vec!["avc1".into(), "mp4a".into()],
            media_seconds: 4000,
        };
        let directories = vec!["video-360p.0a1b2c3d".into(), "audio.0a1b2c3d".into()];
        [
            Scope::Manifests(terms),
            Scope::Media { directories },
            Scope::Media { directories: Vec::new() },
        ]
    }

    #[test]
    fn what_is_signed_reads_back_and_nothing_near_it_does() {
        let (_directory, _, keys) = keys();
        for scope in scopes() {
            let grant = grant(scope);
            let token = keys.sign(&grant);
            assert!(token.len() < 420, "{} characters", token.len());
            assert_eq!(keys.verify(&token), Ok(grant));
            for place in 0..token.len() {
                let mut bytes = token.clone().into_bytes();
                bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
                let other = String::from_utf8(bytes).unwrap();
                assert_eq!(keys.verify(&other), Err(Refusal::Invalid), "place {place}");
            }
            for hostile in [format!("{token}A"), format!("{token}="), token[..40].to_owned()] {
                assert_eq!(keys.verify(&hostile), Err(Refusal::Invalid));
            }
        }
    }

    /// A token with a header and claims of the attacker's, signed with a key of their choice.
    fn forged(header: Header, key: &[u8], payload: Vec<u8>) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let token = CoseMac0Builder::new()
            .protected(header)
            .payload(payload)
            .create_tag(&[], |bytes| hmac::sign(&key, bytes).as_ref().to_vec())
            .build();
        BASE64URL.encode([&CWT_TAG[..], &token.to_tagged_vec().unwrap()].concat())
    }

    #[test]
    fn a_token_without_our_algorithm_and_our_key_is_none() {
        let (_directory, _, keys) = keys();
        let payload = claims::write(&grant(scopes()[2].clone())).unwrap();
        let kid = keys.keys.read().unwrap()[0].kid.clone();
        let with = |alg: iana::Algorithm, kid: &[u8]| {
            HeaderBuilder::new().algorithm(alg).key_id(kid.to_vec()).build()
        };
        let none = HeaderBuilder::new().key_id(kid.clone()).build();
        let ours = with(iana::Algorithm::HMAC_256_256, &kid);
        for (header, key) in [
            (none, &b""[..]),
            (ours.clone(), b""),
            (ours.clone(), &[0; 32]),
            (with(iana::Algorithm::HMAC_256_64, &kid), b""),
            (with(iana::Algorithm::EdDSA, &kid), b""),
            (with(iana::Algorithm::HMAC_256_256, b"../../etc/passwd"), b""),
        ] {
            let token = forged(header.clone(), key, payload.clone());
            assert_eq!(keys.verify(&token), Err(Refusal::Invalid), "{header:?}");
        }
        let other = DeliveryKeys::open(_directory.path().join("other.json"), Clock::standing(NOW));
        let foreign = other.unwrap().sign(&grant(scopes()[2].clone()));
        assert_eq!(keys.verify(&foreign), Err(Refusal::Invalid));
    }

    /// Claims signed with our key: what a bug elsewhere could have signed is not taken either.
    #[test]
    fn a_claim_that_is_not_understood_refuses_the_token() {
        let good = claims::write(&grant(scopes()[2].clone())).unwrap();
        assert!(claims::read(&good, NOW).is_some());
        let with = |key: i64, value: Value| {
            let mut claims = Value::from_slice(&good).unwrap().into_map().unwrap();
            claims.retain(|(name, _)| *name != Value::from(key));
            claims.push((key.into(), value));
            Value::Map(claims).to_vec().unwrap()
        };
        for (what, bytes) in [
            ("catnip", with(311, Value::Array(Vec::new()))),
            ("catreplay: prohibited", with(308, 1.into())),
            ("aud", with(3, "somebody".into())),
            ("nbf", with(5, 4_000_000_000_i64.into())),
            ("iss", with(1, "somebody".into())),
            ("catv", with(310, 2.into())),
            ("exp: too late", with(4, (NOW.0 + 90_000).into())),
            ("exp: a fraction", with(4, Value::Float(2e9))),
            ("iat: to come", with(6, (NOW.0 + 60).into())),
            ("catu: everything", with(312, Value::Map(Vec::new()))),
            (
                "catu: outside",
                with(312, Value::from_slice(&[0xa1, 3, 0xa1, 1, 0x61, b'/']).unwrap()),
            ),
            ("private", with(-70_002, 1.into())),
        ] {
            assert_eq!(claims::read(&bytes, NOW), None, "{what}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = claims::read(&bytes, NOW);
            let _ = CoseMac0::from_tagged_slice(&bytes);
        }
    }

    #[test]
    fn a_grant_allows_its_package_until_it_expires() {
        let [manifests, some, all] = scopes().map(grant);
        let at = |grant: &Grant, path: &str| grant.allows(path, NOW);
        assert_eq!(at(&manifests, "/library/bunny/master.m3u8"), Ok(()));
        assert_eq!(at(&all, "/library/bunny/video-1080p.aa/seg-00001.m4s"), Ok(()));
        assert_eq!(at(&some, "/library/bunny/video-360p.0a1b2c3d/media.m3u8"), Ok(()));
        for (grant, path) in [
            (&manifests, "/library/bunny/video-360p.0a1b2c3d/media.m3u8"),
            (&some, "/library/bunny/video-1080p.aa/seg-00001.m4s"),
            (&some, "/library/bunny/master.m3u8"),
            (&all, "/library/bunny/master.m3u8"),
            (&all, "/library/bunny2/video-360p.0a1b2c3d/media.m3u8"),
            (&all, "/library/bunny"),
            (&all, "/library/"),
            (&all, "/film/bunny/video-360p.0a1b2c3d/media.m3u8"),
            (&all, "library/bunny/a/b"),
        ] {
            assert_eq!(at(grant, path), Err(Refusal::OutOfScope), "{path}");
        }
        let (path, end) = ("/library/bunny/a/b", NOW.plus(MANIFEST_LIFETIME));
        assert_eq!(all.allows(path, UnixTime(end.0 - 1)), Ok(()));
        assert_eq!(all.allows(path, end), Err(Refusal::Expired));
    }

    #[test]
    fn keys_rotate_without_a_token_being_refused_and_all_at_once_after_a_theft() {
        let (directory, clock, keys) = keys();
        let path = directory.path().join("keys.json");
        let reader = DeliveryKeys::open(path.clone(), clock.clone()).unwrap();
        for _ in 0..40 {
            let now = clock.now();
            let scope = Scope::Media { directories: Vec::new() };
            let long = Grant { issued: now, expires: now.plus(LONGEST_LIFETIME), ..grant(scope) };
            let token = keys.sign(&long);
            clock.advance(LONGEST_LIFETIME - 1);
            reader.maintain().unwrap();
            assert_eq!(reader.verify(&token), Ok(long));
            clock.advance(86_400 - LONGEST_LIFETIME);
            keys.maintain().unwrap();
            assert!(keys.keys.read().unwrap().len() <= 2);
        }
        let token = keys.sign(&Grant {
            issued: clock.now(),
            expires: clock.now().plus(9),
            ..grant(scopes()[2].clone())
        });
        assert!(reader.verify(&token).is_ok());
        DeliveryKeys::rotate(&path, true, clock.now()).unwrap();
        reader.maintain().unwrap();
        assert_eq!(reader.verify(&token), Err(Refusal::Invalid));
    }
}
