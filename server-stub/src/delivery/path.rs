//! Which paths may be asked for at all.

use axum::http::StatusCode;
use std::path::{Component, Path, PathBuf};

/// Longer paths name nothing that is served.
const MAX_LENGTH: usize = 2048;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is longer than any that is served.
    #[error("the path is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// A `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
    #[error("the path is not well-formed")]
    Malformed,
    /// It holds a control character, a backslash, or an encoded slash.
    #[error("the path holds a character that no file name here has")]
    Forbidden,
    /// A part of it is `.` or `..`.
    #[error("the path leaves its directory")]
    Traversal,
    /// A part of it starts with a dot.
    #[error("no such file")]
    Hidden,
}

impl Refusal {
    /// The status that answers it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::URI_TOO_LONG,
            Self::Hidden => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a request's path as it stands in the URI, percent-encoded.
///
/// # Errors
/// The first reason to refuse it.
pub fn check(path: &str) -> Result<(), Refusal> {
    if path.len() > MAX_LENGTH {
        return Err(Refusal::TooLong);
    }
    for part in path.split('/') {
        let part = decode(part)?;
        let part = std::str::from_utf8(&part).map_err(|_| Refusal::Malformed)?;
        if part.contains(|c: char| c.is_control() || matches!(c, '/' | '\\')) {
            return Err(Refusal::Forbidden);
        }
        match part {
            "." | ".." => return Err(Refusal::Traversal),
            ".well-known" => {}
            hidden if hidden.starts_with('.') => return Err(Refusal::Hidden),
            _ => {}
        }
    }
    Ok(())
}

/// The file in a directory that a request's path names, if it passes [`check`].
pub(super) fn within(directory: &Path, path: &str) -> Option<PathBuf> {
    check(path).ok()?;
    let mut file = directory.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let part = String::from_utf8(decode(part).ok()?).ok()?;
        // Some platforms have names that lead elsewhere, such as those of drives.
        let plain = Path::new(&part).components().all(|one| matches!(one, Component::Normal(_)));
        file.push(Some(part).filter(|_| plain)?);
    }
    Some(file)
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = bytes.next().zip(bytes.next()).ok_or(Refusal::Malformed)?;
                let digit = |b: u8| char::from(b).to_digit(16).ok_or(Refusal::Malformed);
                (digit(digits.0)? * 16 + digit(digits.1)?) as u8
            }
            byte => byte,
        });
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in ["/", "/a/b.m4s", "/na%C3%AFve%20film/seg-1.m4s", "/.well-known/x", "/a..b/c"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn hostile_paths_are_refused_for_what_they_are() {
        for (path, refusal) in [
            ("/../etc/passwd", Refusal::Traversal),
            ("/%2e%2e/etc/passwd", Refusal::Traversal),
            ("/a/%2E./b", Refusal::Traversal),
            ("/a%2fb", Refusal::Forbidden),
            ("/..%5cwindows", Refusal::Forbidden),
            ("/a%00.m4s", Refusal::Forbidden),
            ("/%0d%0aset-cookie", Refusal::Forbidden),
            ("/%c0%ae%c0%ae/x", Refusal::Malformed),
            ("/100%", Refusal::Malformed),
            ("/%zz", Refusal::Malformed),
            ("/.git/config", Refusal::Hidden),
        ] {
            assert_eq!(check(path), Err(refusal), "{path}");
        }
        assert_eq!(check(&"/a".repeat(2000)), Err(Refusal::TooLong));
    }

    #[test]
    fn a_path_names_a_file_in_the_directory_and_nowhere_else() {
        let file = |path| within(Path::new("/films"), path);
        assert_eq!(file("/na%C3%AFve%20film//1.m4s"), Some("/films/naïve film/1.m4s".into()));
        assert_eq!(file("/"), Some("/films/".into()));
        assert_eq!(file("/%2e%2e/etc/passwd"), None);
        assert_eq!(file("/a%2fb"), None);
    }
}
