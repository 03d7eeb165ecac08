//! Signing and checking in the compact serialisation (RFC 7515, 3.1), with Ed25519 and nothing else.
//!
//! One algorithm is all there is, so a token cannot talk a verifier into a weaker one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// Longer tokens are not ours.
const LONGEST: usize = 2048;

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515, 4.1.11). None are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// Signs a payload, naming the key it is signed with.
pub(super) fn sign(payload: &[u8], key_id: &str, key: &Ed25519KeyPair) -> String {
    let header = serde_json::json!({"alg": "EdDSA", "typ": "at+jwt", "kid": key_id});
    let mut token = BASE64URL.encode(header.to_string());
    token.push('.');
    BASE64URL.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    BASE64URL.encode_string(signature, &mut token);
    token
}

/// The id of the key that a token says it is signed with.
pub(super) fn key_id(token: &str) -> Option<String> {
    header(token)?.kid
}

/// The payload of a token that a key has signed.
pub(super) fn verify(token: &str, public_key: &[u8]) -> Option<Vec<u8>> {
    let header = header(token)?;
    if header.alg != "EdDSA" || header.crit.is_some() {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (_, payload) = signed.split_once('.')?;
    let signature = BASE64URL.decode(signature).ok()?;
    UnparsedPublicKey::new(&ED25519, public_key).verify(signed.as_bytes(), &signature).ok()?;
    BASE64URL.decode(payload).ok()
}

fn header(token: &str) -> Option<Header> {
    if token.len() > LONGEST || token.split('.').count() != 3 {
        return None;
    }
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&BASE64URL.decode(header).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::KeyPair;

    /// RFC 8037, appendix A.
    const SECRET: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
        P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    fn public() -> Vec<u8> {
        BASE64URL.decode(PUBLIC).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8037_verifies() {
        assert_eq!(verify(TOKEN, &public()).unwrap(), b"Example of Ed25519 signing");
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_near_it_does() {
        let key = Ed25519KeyPair::from_seed_unchecked(&BASE64URL.decode(SECRET).unwrap()).unwrap();
        assert_eq!(key.public_key().as_ref(), public());
        let token = sign(b"{}", "one", &key);
        assert_eq!(key_id(&token).as_deref(), Some("one"));
        assert_eq!(verify(&token, &public()).unwrap(), b"{}");
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(bytes).unwrap();
            assert_eq!(verify(&other, &public()), None, "place {place}");
        }
        let parts: Vec<&str> = token.split('.').collect();
        let unsigned = BASE64URL.encode(r#"{"alg":"none"}"#);
        let symmetric = BASE64URL.encode(r#"{"alg":"HS256"}"#);
        for hostile in [
            String::new(),
            "..".to_owned(),
            parts[..2].join("."),
            format!("{unsigned}.{}.", parts[1]),
            format!("{unsigned}.{}.{}", parts[1], parts[2]),
            format!("{symmetric}.{}.{}", parts[1], parts[2]),
            format!("{token}."),
            format!("{token}=="),
            format!("{}{token}", "A".repeat(LONGEST)),
        ] {
            assert_eq!(verify(&hostile, &public()), None, "{hostile}");
        }
    }

    #[test]
    fn an_extension_that_must_be_understood_is_not() {
        let key = Ed25519KeyPair::from_seed_unchecked(&BASE64URL.decode(SECRET).unwrap()).unwrap();
        let header = BASE64URL.encode(r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#);
        let signed = format!("{header}.e30");
        let signature = BASE64URL.encode(key.sign(signed.as_bytes()));
        assert_eq!(verify(&format!("{signed}.{signature}"), &public()), None);
    }
}
