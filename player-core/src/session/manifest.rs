//! Loading the manifest: what there is to play.

use super::Session;
use super::tracks::{choose_sets, wanted};
use crate::context::Context;
use crate::error::Error;
use crate::io::{MediaKind, SourceFormat};
use crate::manifest::{self, Parsed};
use crate::pictures::Pictures;
use crate::presentation::Presentation;
use crate::steering::{Format, Steering};
use crate::stream::{Key, Stream};
use crate::support;
use crate::time::Timestamp;

impl Session {
    pub(super) fn take_manifest(
        &mut self,
        cx: &mut Context<'_>,
        body: &[u8],
        url: &str,
        content_type: Option<String>,
        asked: Timestamp,
    ) -> Result<(), Error> {
        let sniffed = manifest::sniff(body, content_type.as_deref());
        let format = sniffed.or(self.source.format);
        let mut document = None;
        let parsed = match format {
            Some(SourceFormat::Hls) => manifest::hls::parse(body, url),
            Some(SourceFormat::Dash) => {
                let parsed = manifest::dash::follow_mpd(body, url);
                parsed.map(|Parsed { value: (read, presentation), warnings }| {
                    document = read;
                    Parsed { value: presentation, warnings }
                })
            }
            None => return Err(Error::UnknownFormat { url: url.to_owned(), content_type }),
        };
        let parsed = parsed.map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
        cx.tell(url, parsed.warnings);
        let mut presentation = parsed.value;
        self.pictures = Pictures::of(&presentation);
        support::keep_playable(&mut presentation).map_err(|feature| Error::Unsupported {
            url: url.to_owned(),
            feature: feature.to_owned(),
        })?;
        let start = self.playback.playhead(cx.now);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let sets = choose_sets(&presentation, kind, wanted(&self.preferred, kind));
            if sets.iter().any(Option::is_some) {
                self.streams.push(Stream::new(kind, sets, start));
            }
        }
        if self.streams.is_empty() {
            return Err(Error::NothingPlayable { url: url.to_owned() });
        }
        self.decoders.ask(cx, &presentation);
        self.requests.cmcd.situation.format = format;
        self.steering = presentation.steering.as_ref().map(|source| {
            let format =
                if format == Some(SourceFormat::Dash) { Format::Dash } else { Format::Hls };
            Steering::new(source, format, &mut self.requests, cx.now)
        });
        self.keys.survey(cx, &mut self.requests, &presentation);
        match document {
            Some(document) => {
                self.live.follow_mpd(document, &presentation, url, asked, cx.now);
            }
            None if presentation.live.is_some() => {
                self.follow_playlist(cx, &mut presentation, body, url, asked)?;
            }
            _ => {}
        }
        self.presentation = Some(presentation);
        // Enters the period of the start position.
        self.each_stream(cx, |stream, world| {
            stream.seek(world, start);
            Ok(())
        })?;
        self.prefer_text(cx);
        self.select_early(cx)
    }

    /// A live media playlist was given without a multivariant playlist: it is followed as it came.
    fn follow_playlist(
        &mut self,
        cx: &mut Context<'_>,
        presentation: &mut Presentation,
        body: &[u8],
        url: &str,
        asked: Timestamp,
    ) -> Result<(), Error> {
        let playlist = manifest::hls::parse_media(body, url)
            .map_err(|error| Error::Manifest { url: url.to_owned(), error })?
            .value;
        let Some(stream) = self.streams.first() else { return Ok(()) };
        let key = Key { period: 0, set: 0, representation: 0 };
        let playlists = &mut self.live.playlists;
        playlists.add(presentation, (key, stream.kind, url), playlist, asked, cx.now);
        playlists.follow(key, cx.now);
        Ok(())
    }
}
