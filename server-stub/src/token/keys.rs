//! The keys that sign access tokens, and the public halves that check them (JSON Web Key Sets, RFC 7517).

use super::{
    Claims, ISSUER, KeysError, LEEWAY, LIFETIME, jws,
    secrets::{self, SecretKey},
};
use crate::clock::{Clock, UnixTime};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// A key stays published so long after it has signed for the last time.
const KEPT: u32 = LIFETIME + LEEWAY + 60;
/// What is published is read again after so long.
const READ_AGAIN: u32 = 60;

/// A published key (RFC 8037, 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublicKey {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Names the key.
    pub kid: String,
    /// The key, base64url.
    pub x: String,
}

/// A published set of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeySet {
    /// Those that sign, will sign, or have signed what is still valid.
    pub keys: Vec<PublicKey>,
}

struct Signer {
    kid: String,
    pair: Ed25519KeyPair,
    created_at: UnixTime,
}

/// The keys of the service's one issuer of tokens.
pub struct SigningKeys {
    /// Where they are kept; none when they were given.
    secret: Option<PathBuf>,
    published: PathBuf,
    clock: Clock,
    signers: RwLock<Vec<Signer>>,
}

impl SigningKeys {
    /// Keys in a file that only its owner can read, made if it is not there, and published in another.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open(secret: PathBuf, published: PathBuf, clock: Clock) -> Result<Self, KeysError> {
        let keys = Self { secret: Some(secret), published, clock, signers: RwLock::default() };
        keys.maintain()?;
        Ok(keys)
    }

    /// Keys that someone else keeps and rotates, as the text of such a file.
    ///
    /// # Errors
    /// When the text is no set of keys, or the public halves cannot be written.
    pub fn given(text: &str, published: PathBuf, clock: Clock) -> Result<Self, KeysError> {
        let keys = Self { secret: None, published, clock, signers: RwLock::default() };
        keys.take(secrets::parse(text.as_bytes())?)?;
        Ok(keys)
    }

    /// Adds a key when the newest is due, drops those that nothing valid is signed with any more, and
    /// publishes the rest. To be called now and then.
    ///
    /// # Errors
    /// When a file cannot be read or written; the keys stay as they were.
    pub fn maintain(&self) -> Result<(), KeysError> {
        let Some(path) = &self.secret else { return Ok(()) };
        self.take(secrets::change(path, |keys| secrets::maintained(keys, KEPT, self.clock.now()))?)
    }

    /// Makes a new key, which takes over when those who check have had time to read it; or, after a theft, the
    /// only one from now on, which ends every access token at once.
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

    fn take(&self, keys: Vec<SecretKey>) -> Result<(), KeysError> {
        let mut signers = Vec::new();
        for key in &keys {
            let (kid, created_at) = (key.kid.clone(), key.created_at);
            signers.push(Signer { kid, created_at, pair: pair(key)? });
        }
        if signers.is_empty() {
            return Err(KeysError::Malformed { reason: "there is no key" });
        }
        signers.sort_by_key(|signer| signer.created_at);
        let set = serde_json::to_vec(&public(&signers)).unwrap_or_default();
        let unchanged = std::fs::read(&self.published).is_ok_and(|found| found == set);
        if !unchanged {
            secrets::replace(&self.published, &set, 0o644)?;
        }
        *self.signers.write().unwrap_or_else(PoisonError::into_inner) = signers;
        Ok(())
    }

    /// Signs what is known of a caller.
    pub fn sign(&self, claims: &Claims) -> String {
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let signs = |signer: &&Signer| secrets::signs(signer.created_at, now);
        let Some(signer) = signers.iter().rev().find(signs).or(signers.first()) else {
            return String::new(); // there is always one
        };
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        jws::sign(&claims, &signer.kid, &signer.pair)
    }

    /// The public halves.
    pub fn public(&self) -> KeySet {
        public(&self.signers.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn pair(key: &SecretKey) -> Result<Ed25519KeyPair, KeysError> {
    let malformed = |_| KeysError::Malformed { reason: "a seed is no key" };
    Ed25519KeyPair::from_seed_unchecked(&key.bytes()?).map_err(malformed)
}

fn public(signers: &[Signer]) -> KeySet {
    let key = |signer: &Signer| PublicKey {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        alg: "EdDSA".to_owned(),
        usage: "sig".to_owned(),
        kid: signer.kid.clone(),
        x: BASE64URL.encode(signer.pair.public_key()),
    };
    KeySet { keys: signers.iter().map(key).collect() }
}

/// Checks access tokens against the published keys. Clones share what was read.
#[derive(Clone)]
pub struct Verifier(Arc<Known>);

struct Known {
    published: PathBuf,
    clock: Clock,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    at: Option<UnixTime>,
    keys: Vec<(String, Vec<u8>)>,
}

impl Verifier {
    /// Checks against the set of keys in a file, which may come and change at any time.
    pub fn new(published: PathBuf, clock: Clock) -> Self {
        Self(Arc::new(Known { published, clock, read: Mutex::default() }))
    }

    /// What a token says, if it is one of the issuer's and valid now.
    pub async fn verify(&self, token: &str) -> Option<Claims> {
        let kid = jws::key_id(token)?;
        let now = self.0.clock.now();
        let key = self.key(&kid, now).await?;
        let claims: Claims = serde_json::from_slice(&jws::verify(token, &key)?).ok()?;
        let issued = claims.iat.0 <= now.0.saturating_add(i64::from(LEEWAY));
        let lives = now < claims.exp.plus(LEEWAY);
        let plausible = claims.exp.0.saturating_sub(claims.iat.0) <= i64::from(LIFETIME);
        (claims.iss == ISSUER && issued && lives && plausible).then_some(claims)
    }

    /// The public key of that id. The file is read again now and then, and for an id that is not known, but
    /// not more than once a second however many ids are made up.
    async fn key(&self, kid: &str, now: UnixTime) -> Option<Vec<u8>> {
        let known = &self.0;
        let found = {
            let read = known.read.lock().unwrap_or_else(PoisonError::into_inner);
            let key = read.key(kid);
            let age = read.at.map_or(u64::MAX, |at| now.since(at));
            if (key.is_some() && age < u64::from(READ_AGAIN)) || age < 1 {
                return key;
            }
            key
        };
        match tokio::fs::read(&known.published).await {
            Ok(text) => {
                let set: KeySet = serde_json::from_slice(&text).unwrap_or_default();
                let mut read = known.read.lock().unwrap_or_else(PoisonError::into_inner);
                let key = |key: PublicKey| Some((key.kid, BASE64URL.decode(key.x).ok()?));
                *read =
                    Read { at: Some(now), keys: set.keys.into_iter().filter_map(key).collect() };
                read.key(kid)
            }
            Err(error) => {
                tracing::warn!(%error, path = %known.published.display(), "no published keys");
                found
            }
        }
    }

    /// Whether there are keys to check against.
    pub async fn ready(&self) -> bool {
        self.key("", self.0.clock.now()).await;
        !self.0.read.lock().unwrap_or_else(PoisonError::into_inner).keys.is_empty()
    }
}

impl Read {
    fn key(&self, kid: &str) -> Option<Vec<u8>> {
        self.keys.iter().find(|(known, _)| known == kid).map(|(_, key)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AccountId, SessionId};

    const START: UnixTime = UnixTime(2_000_000_000);

    struct Issuer {
        directory: tempfile::TempDir,
        clock: Clock,
        keys: SigningKeys,
        verifier: Verifier,
    }

    fn issuer() -> Issuer {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::standing(START);
        let (secret, published) =
            (directory.path().join("s.json"), directory.path().join("p.json"));
        let keys = SigningKeys::open(secret, published.clone(), clock.clone()).unwrap();
        let verifier = Verifier::new(published, clock.clone());
        Issuer { directory, clock, keys, verifier }
    }

    impl Issuer {
        fn claims(&self) -> Claims {
            let now = self.clock.now();
            Claims {
                iss: ISSUER.to_owned(),
                sub: AccountId::random(),
                sid: SessionId::random(),
                iat: now,
                exp: now.plus(LIFETIME),
                region: "DE".to_owned(),
                admin: false,
                plan: None,
                profile: None,
            }
        }
    }

    #[tokio::test]
    async fn a_token_is_valid_until_it_expires() {
        let issuer = issuer();
        let claims = issuer.claims();
        let token = issuer.keys.sign(&claims);
        assert_eq!(issuer.verifier.verify(&token).await, Some(claims.clone()));
        issuer.clock.advance(LIFETIME + LEEWAY - 1);
        assert_eq!(issuer.verifier.verify(&token).await, Some(claims));
        issuer.clock.advance(1);
        assert_eq!(issuer.verifier.verify(&token).await, None);
    }

    #[tokio::test]
    async fn a_token_from_the_future_of_another_issuer_or_too_long_is_not() {
        let issuer = issuer();
        let good = issuer.claims();
        let end = good.iat.plus(LIFETIME + 100);
        for claims in [
            Claims { iat: good.iat.plus(LEEWAY + 1), ..good.clone() },
            Claims { iss: "other".to_owned(), ..good.clone() },
            Claims { exp: end, ..good.clone() },
            Claims { iat: UnixTime(i64::MIN), exp: UnixTime(i64::MAX), ..good.clone() },
        ] {
            assert_eq!(
                issuer.verifier.verify(&issuer.keys.sign(&claims)).await,
                None,
                "{claims:?}"
            );
        }
    }

    #[tokio::test]
    async fn another_issuers_token_is_not_valid_though_it_names_our_key() {
        let (ours, theirs) = (issuer(), issuer());
        let token = theirs.keys.sign(&theirs.claims());
        assert_eq!(ours.verifier.verify(&token).await, None);
        let kid = ours.keys.public().keys[0].kid.clone();
        let pair = pair(&SecretKey::new(START)).unwrap();
        let claims = serde_json::to_vec(&ours.claims()).unwrap();
        assert_eq!(ours.verifier.verify(&jws::sign(&claims, &kid, &pair)).await, None);
    }

    #[tokio::test]
    async fn keys_rotate_without_a_token_being_refused() {
        let Issuer { clock, keys, verifier, .. } = &issuer();
        let mut used = std::collections::BTreeSet::new();
        let mut old: Vec<(UnixTime, String)> = Vec::new();
        let claims =
            |now: UnixTime| Claims { iat: now, exp: now.plus(LIFETIME), ..issuer().claims() };
        for _ in 0..40 {
            for pause in [86_400 - 1200, 300, 300, 300, 300] {
                clock.advance(pause);
                keys.maintain().unwrap();
                let now = clock.now();
                let token = keys.sign(&claims(now));
                used.insert(jws::key_id(&token));
                old.push((now, token));
                old.retain(|(issued, _)| now.since(*issued) < u64::from(LIFETIME));
                for (_, token) in &old {
                    assert!(verifier.verify(token).await.is_some());
                }
                assert!(keys.public().keys.len() <= 2);
            }
        }
        assert_eq!(used.len(), 2, "in forty days");
    }

    #[tokio::test]
    async fn after_a_theft_nothing_signed_before_is_valid() {
        let Issuer { directory, clock, keys, verifier } = &issuer();
        let claims = issuer().claims();
        let token = keys.sign(&claims);
        assert!(verifier.verify(&token).await.is_some());
        SigningKeys::rotate(&directory.path().join("s.json"), true, clock.now()).unwrap();
        keys.maintain().unwrap();
        clock.advance(READ_AGAIN);
        assert_eq!(verifier.verify(&token).await, None);
        let now = clock.now();
        let claims = Claims { iat: now, exp: now.plus(LIFETIME), ..claims };
        assert!(verifier.verify(&keys.sign(&claims)).await.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let issuer = issuer();
        let mode = |name| {
            let metadata = std::fs::metadata(issuer.directory.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("s.json"), mode("p.json")), (0o600, 0o644));
        let public = std::fs::read_to_string(issuer.directory.path().join("p.json")).unwrap();
        assert!(!public.contains("seed") && !public.contains("\"d\""));
    }

    #[test]
    fn given_keys_are_refused_in_words_that_do_not_repeat_them() {
        let directory = tempfile::tempdir().unwrap();
        for text in
            ["sekrit", r#"{"keys":[{"kid":"a","seed":"sekrit","created_at":0}]}"#, r#"{"keys":[]}"#]
        {
            let published = directory.path().join("p.json");
            let Err(error) = SigningKeys::given(text, published, Clock::default()) else {
                panic!("{text} was taken");
            };
            assert!(!error.to_string().contains("sekrit"), "{error}");
        }
    }
}
