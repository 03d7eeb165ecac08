//! The HLS playlists of a presentation (RFC 8216bis), typed by `m3u8-rs`.

use super::presentation::{Kind, Layout, Presentation, Representation};
use crate::{Error, Result};
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ByteRange, Map, MasterPlaylist, MediaPlaylist,
    MediaPlaylistType, MediaSegment, Playlist, Resolution, VariantStream,
};

/// The file name of every media playlist, inside its representation's directory.
pub(super) const MEDIA_PLAYLIST: &str = "media.m3u8";
/// The one group of audio renditions.
const AUDIO_GROUP: &str = "audio";
/// The protocol version that `EXT-X-MAP` outside I-frame playlists asks for (RFC 8216bis, 8).
const VERSION: usize = 7;

/// The multivariant playlist.
pub(super) fn multivariant(presentation: &Presentation) -> Result<Vec<u8>> {
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
        ..MasterPlaylist::default()
    };
    write(&Playlist::MasterPlaylist(playlist))
}

/// One representation's media playlist.
pub(super) fn media(representation: &Representation) -> Result<Vec<u8>> {
    let longest =
        representation.segments.iter().map(|s| representation.segment_seconds(s)).fold(0.0, f64::max);
    let (map, in_one_file) = match representation.layout {
        Layout::Files { .. } => (Map { uri: "init.mp4".into(), ..Map::default() }, false),
        Layout::SingleFile { initialization, .. } => {
            let byte_range = Some(ByteRange { length: initialization, offset: Some(0) });
            (Map { uri: "media.mp4".into(), byte_range, ..Map::default() }, true)
        }
    };
    let segment = |(index, segment): (usize, &super::presentation::Segment)| MediaSegment {
        uri: segment.file.clone(),
        // The library keeps 24 bits of it, which over a day of segments is less than a tick of 90 kHz each.
        duration: representation.segment_seconds(segment) as f32,
        byte_range: in_one_file
            .then_some(ByteRange { length: segment.size, offset: Some(segment.offset) }),
        map: (index == 0).then(|| map.clone()),
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

fn playlist_uri(representation: &Representation) -> String {
    format!("{}/{MEDIA_PLAYLIST}", representation.directory)
}

fn write(playlist: &Playlist) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    playlist
        .write_to(&mut text)
        .map_err(|error| Error::Manifest { reason: error.to_string() })?;
    Ok(text)
}
