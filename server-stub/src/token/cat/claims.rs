//! A grant as the claims of a CBOR Web Token (RFC 8392, CTA-5007-A 4).

use super::{Grant, LONGEST_LIFETIME, Scope, Terms};
use crate::{clock::UnixTime, id::AccountId, token::ISSUER, token::LEEWAY, web::text::Slug};
use coset::{
    CborSerializable,
    cbor::value::Value,
    cwt::{ClaimName, ClaimsSet, Timestamp},
    iana::CwtClaimName,
};

/// `catreplay`: a player fetches with the same token again and again.
const REPLAY_PERMITTED: i64 = 0;
/// Parts of a URI in `catu`.
const PATH: i64 = 3;
const PARENT_PATH: i64 = 5;
/// How they are compared.
const EXACT: i64 = 0;
const PREFIX: i64 = 1;
/// Our own claim, of those for private use: the terms, or the directories.
const TERMS: i64 = -70_001;
/// What is in it.
const MAX_HEIGHT: i64 = 0;
const CODECS: i64 = 1;
const MEDIA_SECONDS: i64 = 2;
const DIRECTORIES: i64 = 3;

const LIBRARY: &str = "/library/";

/// The claims, in CBOR.
pub(super) fn write(grant: &Grant) -> Option<Vec<u8>> {
    let package = grant.package.as_str();
    let (part, how, text) = match &grant.scope {
        Scope::Manifests(_) => (PARENT_PATH, EXACT, format!("{LIBRARY}{package}")),
        Scope::Media { .. } => (PATH, PREFIX, format!("{LIBRARY}{package}/")),
    };
    let uri = map([(part, map([(how, text.into())]))]);
    let methods = Value::Array(vec!["GET".into(), "HEAD".into()]);
    let mut rest = vec![
        (ClaimName::Assigned(CwtClaimName::CatReplay), REPLAY_PERMITTED.into()),
        (ClaimName::Assigned(CwtClaimName::CatVersion), 1.into()),
        (ClaimName::Assigned(CwtClaimName::CatUri), uri),
        (ClaimName::Assigned(CwtClaimName::CatMethod), methods),
    ];
    let texts = |texts: &[String]| Value::Array(texts.iter().map(|t| t.as_str().into()).collect());
    let mut own = Vec::new();
    match &grant.scope {
        Scope::Manifests(terms) => {
            own.extend(terms.max_height.map(|height| (MAX_HEIGHT, height.into())));
            if !terms.codecs.is_empty() {
                own.push((CODECS, texts(&terms.codecs)));
            }
            own.push((MEDIA_SECONDS, terms.media_seconds.into()));
        }
        Scope::Media { directories } if directories.is_empty() => {}
        Scope::Media { directories } => own.push((DIRECTORIES, texts(directories))),
    }
    if !own.is_empty() {
        rest.push((ClaimName::PrivateUse(TERMS), map(own)));
    }
    let claims = ClaimsSet {
        issuer: Some(ISSUER.to_owned()),
        subject: Some(grant.account.to_string()),
        expiration_time: Some(Timestamp::WholeSeconds(grant.expires.0)),
        issued_at: Some(Timestamp::WholeSeconds(grant.issued.0)),
        cwt_id: Some(grant.playback.to_bytes().to_vec()),
        rest,
        ..ClaimsSet::default()
    };
    claims.to_vec().ok()
}

/// The grant that claims make, if they are all understood and make sense at some time after `now`, or did.
pub(super) fn read(bytes: &[u8], now: UnixTime) -> Option<Grant> {
    let claims = ClaimsSet::from_slice(bytes).ok()?;
    let time = |time: Option<Timestamp>| match time {
        Some(Timestamp::WholeSeconds(seconds)) => Some(UnixTime(seconds)),
        _ => None,
    };
    let (issued, expires) = (time(claims.issued_at)?, time(claims.expiration_time)?);
    let plausible = issued <= now.plus(LEEWAY) && expires <= issued.plus(LONGEST_LIFETIME);
    if claims.issuer.as_deref() != Some(ISSUER)
        || claims.audience.is_some()
        || claims.not_before.is_some()
        || !plausible
    {
        return None;
    }
    let (mut uri, mut own, mut version) = (None, Vec::new(), None);
    for (claim, value) in claims.rest {
        // A claim that is not understood may be one that restricts: the token is refused (CTA-5007-A, 4.1).
        match claim {
            ClaimName::PrivateUse(TERMS) => own = value.into_map().ok()?,
            ClaimName::Assigned(CwtClaimName::CatReplay) => {
                (integer(&value)? == REPLAY_PERMITTED).then_some(())?;
            }
            ClaimName::Assigned(CwtClaimName::CatVersion) => version = Some(integer(&value)?),
            ClaimName::Assigned(CwtClaimName::CatUri) => uri = Some(value.into_map().ok()?),
            // Nothing else is answered here than what it names.
            ClaimName::Assigned(CwtClaimName::CatMethod) => value.is_array().then_some(())?,
            _ => return None,
        }
    }
    let [(part, compared)] = <[_; 1]>::try_from(uri?).ok()?;
    let [(how, text)] = <[_; 1]>::try_from(compared.into_map().ok()?).ok()?;
    let path = text.into_text().ok()?;
    let path = path.strip_prefix(LIBRARY)?;
    let (package, media) = match (integer(&part)?, integer(&how)?) {
        (PARENT_PATH, EXACT) => (path, false),
        (PATH, PREFIX) => (path.strip_suffix('/')?, true),
        _ => return None,
    };
    let (mut terms, mut directories) = (Terms::default(), Vec::new());
    for (key, value) in own {
        match (integer(&key)?, media) {
            (MAX_HEIGHT, false) => terms.max_height = Some(integer(&value)?.try_into().ok()?),
            (CODECS, false) => terms.codecs = texts(value)?,
            (MEDIA_SECONDS, false) => terms.media_seconds = integer(&value)?.try_into().ok()?,
            (DIRECTORIES, true) => directories = texts(value)?,
            _ => return None,
        }
    }
    let grant = Grant {
        playback: crate::id::PlaybackId::from_bytes(&claims.cwt_id?)?,
        account: AccountId::try_from(claims.subject?).ok()?,
        package: Slug::try_from(package.to_owned()).ok()?,
        issued,
        expires,
        scope: if media { Scope::Media { directories } } else { Scope::Manifests(terms) },
    };
    (version == Some(1)).then_some(grant)
}

fn map(entries: impl IntoIterator<Item = (i64, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn integer(value: &Value) -> Option<i64> {
    value.as_integer()?.try_into().ok()
}

fn texts(value: Value) -> Option<Vec<String>> {
    value.into_array().ok()?.into_iter().map(|text| text.into_text().ok()).collect()
}
