//! The HLS playlists of a presentation (RFC 8216bis), typed by `m3u8-rs`.

use super::{
    presentation::{Kind, Layout, Presentation, Protected, Representation, Segment},
    protect::{Method, systems::System},
};
use crate::{Error, Result};
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ByteRange, ExtTag, Map, MasterPlaylist, MediaPlaylist,
    MediaPlaylistType, MediaSegment, Playlist, Resolution, VariantStream,
};

/// The file name of every media playlist, inside its representation's directory.
pub(crate) const MEDIA_PLAYLIST: &str = "media.m3u8";
/// The one group of audio renditions.
const AUDIO_GROUP: &str = "audio";
/// The protocol version that `EXT-X-MAP` outside I-frame playlists asks for (RFC 8216bis, 8).
const VERSION: usize = 7;

/// The multivariant playlist.
pub(crate) fn multivariant(presentation: &Presentation) -> Result<Vec<u8>> {
    let audio = presentation.audio.first();
    let variant = |video: &Representation| {
        let Kind::Video { width, height, frame_rate } = video.kind else { return None };
        let codecs: Vec<&str> =
            std::iter::once(video).chain(audio).map(|r| r.codecs.as_str()).collect();
        Some(VariantStream {
            uri: playlist_uri(video),
            bandwidth: video.bandwidth + audio.map_or(0, |a| a.bandwidth),
            average_bandwidth: Some(
                video.average_bandwidth + audio.map_or(0, |a| a.average_bandwidth),
            ),
            codecs: Some(codecs.join(",")),
            resolution: Some(Resolution { width: width.into(), height: height.into() }),
            frame_rate: Some((frame_rate.as_f64() * 1000.0).round() / 1000.0),
            audio: audio.map(|_| AUDIO_GROUP.to_owned()),
            ..VariantStream::default()
        })
    };
    let rendition = |(index, audio): (usize, &Representation)| {
        let Kind::Audio { channels, .. } = audio.kind else { return None };
        Some(AlternativeMedia {
            media_type: AlternativeMediaType::Audio,
            uri: Some(playlist_uri(audio)),
            group_id: AUDIO_GROUP.to_owned(),
            name: if index == 0 { "Main".to_owned() } else { audio.id.clone() },
            default: index == 0,
            autoselect: true,
            channels: Some(channels.to_string()),
            ..AlternativeMedia::default()
        })
    };
    let playlist = MasterPlaylist {
        version: Some(VERSION),
        independent_segments: true,
        variants: presentation.video.iter().filter_map(variant).collect(),
        alternatives: presentation.audio.iter().enumerate().filter_map(rendition).collect(),
        unknown_tags: session_keys(presentation),
        ..MasterPlaylist::default()
    };
    write(&Playlist::MasterPlaylist(playlist))
}

/// One representation's media playlist.
pub(super) fn media(representation: &Representation) -> Result<Vec<u8>> {
    let longest = representation
        .segments
        .iter()
        .map(|s| representation.segment_seconds(s))
        .fold(0.0, f64::max);
    let (map, in_one_file) = match representation.layout {
        Layout::Files { .. } => (Map { uri: "init.mp4".into(), ..Map::default() }, false),
        Layout::SingleFile { initialization, .. } => {
            let byte_range = Some(ByteRange { length: initialization, offset: Some(0) });
            (Map { uri: "media.mp4".into(), byte_range, ..Map::default() }, true)
        }
    };
    let segment = |(index, segment): (usize, &Segment)| MediaSegment {
        uri: segment.file.clone(),
        // The library keeps 24 bits of it, which over a day of segments is less than a tick of 90 kHz each.
        duration: representation.segment_seconds(segment) as f32,
        byte_range: in_one_file
            .then_some(ByteRange { length: segment.size, offset: Some(segment.offset) }),
        map: (index == 0).then(|| map.clone()),
        unknown_tags: keys_at(representation, index),
        ..MediaSegment::default()
    };
    let playlist = MediaPlaylist {
        version: Some(VERSION),
        target_duration: (longest.round() as u64).max(1),
        playlist_type: Some(MediaPlaylistType::Vod),
        independent_segments: true,
        end_list: true,
        segments: representation.segments.iter().enumerate().map(segment).collect(),
        ..MediaPlaylist::default()
    };
    write(&Playlist::MediaPlaylist(playlist))
}

/// The keys that hold from a segment on, if they are others than before. They come after the map: whole-segment
/// encryption leaves that clear.
fn keys_at(representation: &Representation, index: usize) -> Vec<ExtTag> {
    let Some(protected) = &representation.protected else { return Vec::new() };
    let period =
        |index: usize| representation.segments.get(index).map(|s| protected.period(s.start));
    let here = period(index);
    if index > 0 && here == period(index - 1) {
        return Vec::new();
    }
    keys(protected, here.unwrap_or(0), "X-KEY")
}

/// The first keys of every tier, so that licences can be asked for before a playlist is read.
fn session_keys(presentation: &Presentation) -> Vec<ExtTag> {
    let mut tags: Vec<ExtTag> = Vec::new();
    for representation in presentation.video.iter().chain(&presentation.audio) {
        for tag in representation.protected.iter().flat_map(|p| keys(p, 0, "X-SESSION-KEY")) {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    tags
}

/// A tag for each key system (RFC 8216bis, 4.4.4.4 and 4.4.6.5). The library's own knows neither `KEYID` nor several
/// at once.
fn keys(protected: &Protected, period: usize, tag: &str) -> Vec<ExtTag> {
    let Some(id) = protected.periods.get(period).map(|period| period.key_id) else {
        return Vec::new();
    };
    let tag = |attributes: String| ExtTag { tag: tag.to_owned(), rest: Some(attributes) };
    let (method, scheme) = match (protected.method, protected.method.scheme()) {
        (Method::Cenc, Some(scheme)) => ("SAMPLE-AES-CTR", scheme),
        (_, Some(scheme)) => ("SAMPLE-AES", scheme),
        (_, None) => {
            let uri = protected.key_url.replace("{id}", &id.to_string());
            return vec![tag(format!("METHOD=AES-128,URI=\"{uri}\""))];
        }
    };
    let key = |system: &System| {
        let (format, uri) = system.hls(scheme, &protected.content, id);
        let id = id.hex();
        tag(format!(
            "METHOD={method},URI=\"{uri}\",KEYID=0x{id},KEYFORMAT=\"{format}\",KEYFORMATVERSIONS=\"1\""
        ))
    };
    protected.systems.iter().map(key).collect()
}

fn playlist_uri(representation: &Representation) -> String {
    format!("{}/{MEDIA_PLAYLIST}", representation.directory)
}

fn write(playlist: &Playlist) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    playlist.write_to(&mut text).map_err(|error| Error::Manifest { reason: error.to_string() })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{
        super::presentation::{SegmentNames, fixture},
        *,
    };

    fn text(bytes: Result<Vec<u8>>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn the_multivariant_playlist_adds_the_audio_to_each_variant() {
        let presentation = fixture::presentation(false, SegmentNames::Number);
        let rates =
            |f: fn(&Representation) -> u64| f(&presentation.video[0]) + f(&presentation.audio[0]);
        let (peak, average) = (rates(|r| r.bandwidth), rates(|r| r.average_bandwidth));
        assert_eq!(
            text(multivariant(&presentation)),
            format!(
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
                 #EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.0a1b2c3d/media.m3u8\",GROUP-ID=\"audio\",\
                 NAME=\"Main\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},\
                 CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.97,AUDIO=\"audio\"\n\
                 video-360p.0a1b2c3d/media.m3u8\n"
            )
        );
    }

    #[test]
    fn a_silent_presentation_has_no_audio_group() {
        let mut presentation = fixture::presentation(false, SegmentNames::Number);
        presentation.audio.clear();
        let text = text(multivariant(&presentation));
        assert!(text.contains("CODECS=\"avc1.4d401e\","), "{text}");
        assert!(!text.contains("AUDIO"), "{text}");
    }

    #[test]
    fn a_media_playlist_tells_real_durations() {
        let presentation = fixture::presentation(false, SegmentNames::Number);
        assert_eq!(
            text(media(&presentation.audio[0])),
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:2\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n\
             #EXTINF:2.0053334,\nseg-00001.m4s\n#EXTINF:2.0053334,\nseg-00002.m4s\n\
             #EXTINF:0.14933333,\nseg-00003.m4s\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn segments_in_one_file_are_byte_ranges() {
        let presentation = fixture::presentation(true, SegmentNames::Number);
        let text = text(media(&presentation.video[0]));
        assert!(text.contains("#EXT-X-MAP:URI=\"media.mp4\",BYTERANGE=\"700@0\"\n"), "{text}");
        assert!(text.contains("#EXT-X-BYTERANGE:200200@251018\n"), "{text}");
    }
}
