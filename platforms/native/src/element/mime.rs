//! MIME types, as far as `isTypeSupported` needs them.

use kinora_core::io::MediaFailure;

/// A container and its codecs (RFC 6381).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MimeType<'a> {
    container: &'a str,
    codecs: Vec<&'a str>,
}

impl<'a> MimeType<'a> {
    /// Parses a type and refuses what this element cannot play.
    pub(super) fn parse_supported(text: &'a str) -> Result<Self, MediaFailure> {
        let parsed = Self::parse(text);
        if !matches!(parsed.container, "video/mp4" | "audio/mp4") {
            return Err(MediaFailure::NotSupported(format!(
                "{} is not a fragmented MP4 type",
                parsed.container
            )));
        }
        match parsed.codecs.iter().find(|codec| !is_supported(codec)) {
            Some(codec) => {
                Err(MediaFailure::NotSupported(format!("there is no decoder for {codec}")))
            }
            None => Ok(parsed),
        }
    }

    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let container = parts.next().unwrap_or_default();
        let codecs = parts
            .find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case("codecs").then_some(value)
            })
            .map(|value| {
                value.trim().trim_matches('"').split(',').map(str::trim).collect::<Vec<_>>()
            })
            .unwrap_or_default();
        Self { container, codecs }
    }
}

/// Sound is decoded, so only AAC-LC will do. Pictures are counted and timed, not drawn, so every
/// codec whose sample entry is understood will.
fn is_supported(codec: &str) -> bool {
    let entry = codec.split('.').next().unwrap_or_default();
    match entry {
        "avc1" | "avc3" | "hvc1" | "hev1" | "vp09" | "av01" => true,
        "mp4a" => matches!(codec, "mp4a.40.2" | "mp4a.67"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_codecs_are_understood() {
        let parsed = MimeType::parse_supported("video/mp4; codecs=\"avc1.64001f, mp4a.40.2\"");
        let parsed = parsed.expect("both are playable");
        assert_eq!(parsed.container, "video/mp4");
        assert_eq!(parsed.codecs, ["avc1.64001f", "mp4a.40.2"]);
    }

    #[test]
    fn what_cannot_be_decoded_is_refused_by_name() {
        let refused = MimeType::parse_supported("audio/mp4; codecs=\"ec-3\"");
        assert_eq!(refused, Err(MediaFailure::NotSupported("there is no decoder for ec-3".into())));
        assert!(MimeType::parse_supported("video/webm; codecs=\"vp09.00.10.08\"").is_err());
        assert!(MimeType::parse_supported("").is_err());
    }
}
