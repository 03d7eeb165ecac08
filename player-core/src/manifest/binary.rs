//! Bytes written as text.

/// Base64 (RFC 4648 §4 and §5), with or without padding; white space is overlooked. None if it is
/// anything else.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_ascii().trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ if byte.is_ascii_whitespace() => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    // Six bits over are a character too many.
    (count < 6).then_some(out)
}

/// Writes bytes in base64: that of RFC 4648 §5 without padding if it is `for_urls`, else that of §4.
pub(crate) fn push_base64(bytes: &[u8], for_urls: bool, text: &mut String) {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let last = if for_urls { ['-', '_'] } else { ['+', '/'] };
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            let known = DIGITS.get(value).map(|digit| char::from(*digit));
            text.push(known.unwrap_or(last[value & 1]));
        }
        for _ in chunk.len()..3 {
            if !for_urls {
                text.push('=');
            }
        }
    }
}

/// Hexadecimal digits in pairs; an odd one at the start has a zero before it.
pub(crate) fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(digits.len() / 2 + 1);
    let mut high = (digits.len() % 2 == 1).then_some(0);
    for digit in digits.chars() {
        let digit = digit.to_digit(16)? as u8;
        match high.take() {
            Some(high) => out.push(high << 4 | digit),
            None => high = Some(digit),
        }
    }
    (!digits.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_written_as_it_is_read() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0xfb, 0xff, 0xbe], &[0xff; 7]] {
            for for_urls in [false, true] {
                let mut text = String::new();
                push_base64(bytes, for_urls, &mut text);
                assert_eq!(base64(&text).as_deref(), Some(bytes), "{text}");
                assert_eq!(text.contains('='), !for_urls && bytes.len() % 3 > 0, "{text}");
            }
        }
        let mut text = String::new();
        push_base64(&[0xfb, 0xff], false, &mut text);
        text.push(' ');
        push_base64(&[0xfb, 0xff], true, &mut text);
        assert_eq!(text, "+/8= -_8");
    }

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            (" Zm9v\n YmFy ", b"foobar"),
            ("-_+/", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["Z", "Zm9vY", "Zm9*", "Z=g=", "\u{e9}"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn hexadecimal_is_read() {
        assert_eq!(hexadecimal("00fF1"), Some(vec![0x00, 0x0f, 0xf1]));
        assert_eq!(hexadecimal("fc30"), Some(vec![0xfc, 0x30]));
        assert_eq!(hexadecimal(""), None);
        assert_eq!(hexadecimal("0x"), None);
        assert_eq!(hexadecimal("1\u{e9}"), None);
    }
}
