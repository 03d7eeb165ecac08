//! Where media can be fetched from.

use std::str::FromStr;

/// A server, or many under one name, that delivers the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Its name: `PATHWAY-ID` in HLS, `serviceLocation` in DASH.
    pub name: String,
    /// Where it is: an origin, with a path perhaps, without a slash at the end.
    pub base: String,
    /// Its share of the playbacks, beside those of the others; with 0 it is there for when they fail.
    pub weight: u16,
}

impl FromStr for Edge {
    type Err = String;

    /// `NAME=URL` or `NAME=URL,WEIGHT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("expected NAME=URL or NAME=URL,WEIGHT")?;
        let (base, weight) = match rest.rsplit_once(',') {
            Some((base, weight)) => {
                (base, weight.parse().map_err(|_| format!("{weight:?} is no weight"))?)
            }
            None => (rest, 1),
        };
        // RFC 8216bis, 4.4.6.6: the characters of a Pathway ID.
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(format!("{name:?} is no name: letters, digits, `.`, `_` and `-`"));
        }
        let uri: axum::http::Uri = base.parse().map_err(|_| format!("{base:?} is no URL"))?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        let quotable = base.bytes().all(|c| c.is_ascii_graphic() && !b"\"<>&'".contains(&c));
        if !web || uri.query().is_some() || !quotable {
            return Err(format!("{base:?} is no http or https URL without a query"));
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { name: name.to_owned(), base, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_read_and_nonsense_is_not() {
        let edge = |text: &str| text.parse::<Edge>();
        let a = edge("edge-a=https://a.example/cdn/,3").unwrap();
        assert_eq!(
            (a.name.as_str(), a.base.as_str(), a.weight),
            ("edge-a", "https://a.example/cdn", 3)
        );
        assert_eq!(edge("b=http://127.0.0.1:8081").unwrap().weight, 1);
        for text in [
            "",
            "a",
            "=http://x",
            "a b=http://x",
            "a=ftp://x",
            "a=/path",
            "a=http://x,-1",
            "a=http://x/?q",
            "a=http://x/\"",
            "a=http://x/\r\nx: y",
        ] {
            assert!(edge(text).is_err(), "{text:?}");
        }
    }
}
