//! A package's multivariant playlist for one playback (RFC 8216bis).

use super::session::Session;
use m3u8_rs::{ExtTag, MasterPlaylist, QuotedOrUnquoted, VariantStream};
use std::collections::HashMap;

/// Writes the playlist: without what the viewer may not have, and with every variant and rendition once for each
/// pathway. Media playlists are shared, as their segments are.
pub(super) fn multivariant(text: &[u8], session: &Session) -> Result<Vec<u8>, String> {
    let (_, mut playlist) =
        m3u8_rs::parse_master_playlist(text).map_err(|error| error.to_string())?;
    let allowed =
        |uri: &str| uri.split_once('/').is_none_or(|(directory, _)| session.may_have(directory));
    playlist.variants.retain(|variant| allowed(&variant.uri));
    playlist.alternatives.retain(|media| media.uri.as_deref().is_none_or(allowed));
    let several = session.pathways.len() > 1;
    let mut written =
        MasterPlaylist { variants: Vec::new(), alternatives: Vec::new(), ..playlist.clone() };
    for pathway in &session.pathways {
        // Renditions belong to the pathway of the variants that name their group (RFC 8216bis, 7.1).
        let group = |group: &str| match several {
            true => format!("{group}-{}", pathway.name),
            false => group.to_owned(),
        };
        let located = |uri: &str| format!("{}{uri}", pathway.base);
        for media in &playlist.alternatives {
            let mut media = media.clone();
            media.group_id = group(&media.group_id);
            media.uri = media.uri.as_deref().map(located);
            written.alternatives.push(media);
        }
        for variant in &playlist.variants {
            let mut variant = variant.clone();
            variant.uri = located(&variant.uri);
            let VariantStream { audio, video, subtitles, .. } = &mut variant;
            for name in [audio, video, subtitles].into_iter().flatten() {
                *name = group(name);
            }
            if several {
                let name = QuotedOrUnquoted::Quoted(pathway.name.clone());
                variant
                    .other_attributes
                    .get_or_insert_with(HashMap::new)
                    .insert("PATHWAY-ID".to_owned(), name);
            }
            written.variants.push(variant);
        }
    }
    if let Some((steering, first)) = session.steering.as_ref().zip(session.pathways.first()) {
        // The names of edges, and what a URL is made of, need no escapes.
        let rest = format!("SERVER-URI=\"{steering}\",PATHWAY-ID=\"{}\"", first.name);
        written
            .unknown_tags
            .push(ExtTag { tag: "X-CONTENT-STEERING".to_owned(), rest: Some(rest) });
    }
    let mut text = Vec::new();
    written.write_to(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::session::fixture::session;
    use crate::token::cat::Terms;

    const PLAYLIST: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.aa/media.m3u8\",GROUP-ID=\"audio\",NAME=\"Main\",DEFAULT=YES,AUTOSELECT=YES\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"hvc1.1.6.L120,mp4a.40.2\",RESOLUTION=1920x1080,AUDIO=\"audio\"\n\
        v1080.aa/media.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,AUDIO=\"audio\"\n\
        v720.aa/media.m3u8\n";

    fn written(terms: &Terms, pathways: &[(&str, &str)]) -> String {
        let session = session(terms, pathways);
        String::from_utf8(super::multivariant(PLAYLIST.as_bytes(), &session).unwrap()).unwrap()
    }

    #[test]
    fn with_one_place_urls_lead_there_and_all_else_stays() {
        let text = written(&Terms::default(), &[("", "/t/T/library/a/")]);
        let expected = PLAYLIST
            .replace("audio.aa/", "/t/T/library/a/audio.aa/")
            .replace("v1080.aa/", "/t/T/library/a/v1080.aa/")
            .replace("v720.aa/", "/t/T/library/a/v720.aa/");
        assert_eq!(text, expected);
    }

    #[test]
    fn each_pathway_has_its_own_variants_and_renditions() {
        let terms = Terms { max_height: Some(720), ..Terms::default() };
        let text = written(
            &terms,
            &[("b", "https://b/t/T/library/a/"), ("a", "https://a/t/T/library/a/")],
        );
        for line in [
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/v1/steering/p\",PATHWAY-ID=\"b\"",
            "https://b/t/T/library/a/v720.aa/media.m3u8",
            "https://a/t/T/library/a/v720.aa/media.m3u8",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("v1080"), "{text}");
        for pathway in ["a", "b"] {
            assert!(text.contains(&format!("GROUP-ID=\"audio-{pathway}\"")), "{text}");
            let variant = |line: &&str| {
                line.contains(&format!("PATHWAY-ID=\"{pathway}\""))
                    && line.contains(&format!("AUDIO=\"audio-{pathway}\""))
            };
            assert_eq!(text.lines().filter(variant).count(), 1, "{text}");
        }
    }
}
