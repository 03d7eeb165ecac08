//! The little JSON that licences need: no reader of it is worth its bytes here.

use crate::manifest::binary::push_base64;
use crate::presentation::KeyId;
use crate::url::{cut, cut_word};

/// No more of what a server said is passed on.
const LONGEST: usize = 200;

/// Initialisation data that names keys (W3C "keyids" Initialization Data Format).
pub(super) fn key_ids(ids: &[KeyId]) -> Vec<u8> {
    let mut text = String::from("{\"kids\":[");
    for (index, id) in ids.iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ",\"" });
        push_base64(id, true, &mut text);
        text.push('"');
    }
    text.push_str("]}");
    text.into_bytes()
}

/// A licence that gives this one key (a JSON Web Key set, W3C EME §9.1.4).
pub(super) fn license(id: &KeyId, key: &[u8]) -> Vec<u8> {
    let mut text = String::from("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"");
    push_base64(id, true, &mut text);
    text.push_str("\",\"k\":\"");
    push_base64(key, true, &mut text);
    text.push_str("\"}],\"type\":\"temporary\"}");
    text.into_bytes()
}

/// In how many seconds a ClearKey licence is to be asked for again, if it says so. EME knows nothing of it: it is said
/// to the player, not to the key system.
pub(super) fn expires_in(license: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(license).ok()?;
    let (_, rest) = cut_word(text, "\"expires_in\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = value.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    value.get(..end)?.parse().ok().filter(|seconds| *seconds > 0)
}

/// What a server says of its refusal: the `code` and the `detail` of a problem document (RFC 9457), as far as they
/// are simple texts. Whatever else there is may be meant for the key system alone.
pub(super) fn problem(body: &[u8]) -> String {
    let Ok(text) = core::str::from_utf8(body) else { return String::new() };
    let mut said = String::new();
    for name in ["\"code\"", "\"detail\""] {
        if let Some(value) = member(text, name) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.extend(value.chars().filter(|c| !c.is_control()).take(LONGEST));
        }
    }
    said
}

/// The text that a member has; none if it has an escape in it.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = cut_word(text, name)?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let (value, _) = cut(value, b'"')?;
    (!value.as_bytes().contains(&b'\\')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_named_as_the_w3c_has_it() {
        let ids = [[0; 16], [0xff; 16]];
        let expected = "{\"kids\":[\"AAAAAAAAAAAAAAAAAAAAAA\",\"_____________________w\"]}";
        assert_eq!(key_ids(&ids), expected.as_bytes());
    }

    #[test]
    fn a_licence_says_how_long_it_lasts() {
        assert_eq!(expires_in(br#"{"keys":[],"expires_in": 3600,"type":"temporary"}"#), Some(3600));
        for silent in
            [b"".as_slice(), b"{}", b"\xff", br#"{"expires_in":0}"#, br#"{"expires_in":-1}"#]
        {
            assert_eq!(expires_in(silent), None, "{silent:?}");
        }
        assert_eq!(expires_in(br#"{"expires_in":99999999999}"#), None);
    }

    #[test]
    fn a_key_alone_makes_a_licence() {
        let expected = r#"{"keys":[{"kty":"oct","kid":"AAAAAAAAAAAAAAAAAAAAAA","k":"_____________________w"}],"type":"temporary"}"#;
        assert_eq!(license(&[0; 16], &[0xff; 16]), expected.as_bytes());
    }

    #[test]
    fn a_problem_says_what_is_wrong() {
        let body = br#"{"type":"/x","code": "not_entitled","detail":"none of these keys"}"#;
        assert_eq!(problem(body), "not_entitled: none of these keys");
        for silent in [b"".as_slice(), b"{}", b"\xff", b"{\"code\":3}", br#"{"code":"a\"b"}"#] {
            assert_eq!(problem(silent), "", "{silent:?}");
        }
        let long = format!("{{\"detail\":\"{}\"}}", "x".repeat(1000));
        assert_eq!(problem(long.as_bytes()).len(), LONGEST);
    }
}
