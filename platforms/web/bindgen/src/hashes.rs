//! Numbers in place of the hashes in the names that script and module share.
//!
//! wasm-bindgen ends the names of imports and closures in sixteen hexadecimal digits of a hash. A hundred
//! of them, in both files, are a kilobyte that no compression takes away. Their only use is to tell
//! names apart, which numbers of the same width do as well, and compress to nothing.

/// Digits of a hash.
const WIDTH: usize = 16;

/// Replaces every hash that ends a name of `script`, there and in `module`.
pub(crate) fn number(script: &mut [u8], module: &mut [u8]) {
    let mut hashes = Vec::new();
    for at in 0..script.len().saturating_sub(WIDTH) {
        if let Some(hash) = hash_at(script, at)
            && !hashes.contains(&hash)
        {
            hashes.push(hash);
        }
    }
    for (number, hash) in hashes.iter().enumerate() {
        // Higher than the numbers that wasm-bindgen itself gives to some names.
        let number = format!("{:0WIDTH$}", 1_000 + number);
        replace(script, hash, number.as_bytes());
        replace(module, hash, number.as_bytes());
    }
}

/// The hash that begins at `at`: after `_` or `_h`, and followed by nothing that a name goes on with.
fn hash_at(text: &[u8], at: usize) -> Option<[u8; WIDTH]> {
    let before = text.get(..at)?;
    let after = text.get(at + WIDTH).copied().unwrap_or(b' ');
    let begins = before.ends_with(b"_") || before.ends_with(b"_h");
    let ends = !after.is_ascii_alphanumeric() && after != b'_';
    let hash: [u8; WIDTH] = text.get(at..at + WIDTH)?.try_into().ok()?;
    let digits = hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let counted = hash.starts_with(b"00000000");
    (begins && ends && digits && !counted).then_some(hash)
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let mut at = 0;
    while let Some(window) = bytes.get_mut(at..at + WIDTH) {
        if window == from {
            window.copy_from_slice(to);
            at += WIDTH;
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_agree_on_numbers() {
        let mut script = b"__wbg_now_043d245551b22f9c: f, __wbg_new_277c27c26f94cbc2: g, \
            wasm.invoke__h4bdd6ea18eeee5ab(x), __wbg_now_043d245551b22f9c()"
            .to_vec();
        let mut module = b"\x1a__wbg_now_043d245551b22f9c\x00invoke__h4bdd6ea18eeee5ab".to_vec();
        number(&mut script, &mut module);
        let script = String::from_utf8(script).unwrap();
        let module = String::from_utf8(module).unwrap();
        assert_eq!(script.matches("__wbg_now_0000000000001000").count(), 2);
        assert!(script.contains("__wbg_new_0000000000001001: g"));
        assert!(script.contains("invoke__h0000000000001002(x)"));
        assert_eq!(module, "\x1a__wbg_now_0000000000001000\x00invoke__h0000000000001002");
    }

    #[test]
    fn what_is_no_hash_stays() {
        let text =
            b"__wbindgen_generic_0000000000000001 a_0123456789abcdef0 0123456789abcdef x_short";
        let (mut script, mut module) = (text.to_vec(), text.to_vec());
        number(&mut script, &mut module);
        assert_eq!(script, text);
        assert_eq!(module, text);
    }
}
