//! What becomes of what was asked for.

use crate::context::Context;
use crate::drm;
use crate::error::Error;
use crate::io::{AppendBody, RequestId, Warning};
use crate::manifest::{self, hls::MediaPlaylist, hls::SegmentFormat};
use crate::media::IndexProgress;
use crate::presentation::{SegmentIndex, Segments};
use crate::requests::{OriginId, Outcome};
use crate::stream::{
    Fetch, Fetched, Key, Setbacks, Stream, Target, World, representation, representation_mut,
};
use crate::support;
use crate::time::{MediaTime, TimeRange, Timestamp};

impl Stream {
    /// Takes what became of a request, if it is one of this stream's; gives it back if it is not.
    pub(crate) fn handle(
        &mut self,
        world: &mut World<'_, '_>,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, Error> {
        let ticket = outcome.ticket();
        if let Some(init) = self.inits.loading(ticket) {
            match outcome {
                Outcome::Delivered { body, url, origin, .. } => {
                    let container = representation(world.presentation, init.representation)
                        .map(|representation| representation.container.clone())
                        .unwrap_or_default();
                    if let Err(error) = self.inits.loaded(init, body, &container) {
                        let error = Error::Segment { url, error };
                        let now = world.cx.now;
                        world.requests.origins.failed(world.cx, origin, now, &error);
                        self.lose_init(world, init, error)?;
                    }
                }
                Outcome::Failed { error, .. } => self.lose_init(world, init, error)?,
                _ => {}
            }
            return Ok(None);
        }
        match &self.fetch {
            Fetch::Index { ticket: mine, .. } | Fetch::Segment { ticket: mine, .. }
                if *mine == ticket => {}
            _ => return Ok(Some(outcome)),
        }
        match outcome {
            Outcome::Progress { .. } => self.check_in_flight(world)?,
            Outcome::Refused { .. } => {}
            Outcome::Delivered { body, url, place, origin, .. } => {
                self.take_index(world, &body, &url, (place, origin))?;
            }
            Outcome::Kept { id, head, bytes, origin, .. } => {
                self.take_segment(world, (id, head, bytes), origin);
            }
            Outcome::Chunk { id, head, start, end, origin, .. } => {
                self.take_chunk(id, head, (start, end), (origin, world.cx.now));
            }
            Outcome::Restarts { id, .. } => self.lose_chunks(id),
            Outcome::Failed { error, .. } => {
                if let Some(range) = self.replacing() {
                    self.leave_alone(range);
                    self.fetch = Fetch::Idle;
                    return Ok(None);
                }
                let key = match core::mem::replace(&mut self.fetch, Fetch::Idle) {
                    Fetch::Index { key, .. } => {
                        self.set_aside(key, world.cx.now);
                        key
                    }
                    Fetch::Segment { chosen, .. } if world.presentation.live.is_some() => {
                        return self
                            .miss(world, (chosen.key, &chosen.segment), chosen.hinted, error)
                            .map(|()| None);
                    }
                    Fetch::Segment { chosen, .. } => chosen.key,
                    Fetch::Idle => return Ok(None),
                };
                self.fail(world, key, error)?;
            }
        }
        Ok(None)
    }

    fn take_index(
        &mut self,
        world: &mut World<'_, '_>,
        body: &[u8],
        url: &str,
        (place, origin): (usize, OriginId),
    ) -> Result<(), Error> {
        let Fetch::Index { key, reasons, target, file, asked, .. } =
            core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return Ok(());
        };
        let parsed = match file {
            None => self.take_playlist(world, key, body, url, (asked, place)),
            Some(file) => match file.take(body) {
                Ok(IndexProgress::Needs(file)) => {
                    let Some(Segments::IndexBox { url, .. }) =
                        representation(world.presentation, key).map(|found| found.segments.clone())
                    else {
                        return Ok(());
                    };
                    self.fetch_index(world, (key, reasons, target), &url, file);
                    return Ok(());
                }
                Ok(IndexProgress::Complete(index)) => Ok(Some(index)),
                Err(error) => Err(Error::Segment { url: url.to_owned(), error }),
            },
        };
        let parsed = parsed.map(|index| {
            if let (Some(representation), Some(index)) =
                (representation_mut(world.presentation, key), index)
            {
                // The first origin is that of the segments.
                representation.move_to(place);
                representation.segments = Segments::Known(index);
            }
        });
        match parsed {
            Ok(()) => self.fetch_from(world, key, reasons, target).map(|_| ()),
            Err(_) if target != Target::Next => {
                self.fixed_until = MediaTime::MAX;
                Ok(())
            }
            Err(error) => {
                let now = world.cx.now;
                world.requests.origins.failed(world.cx, origin, now, &error);
                self.set_aside(key, now);
                self.fail(world, key, error)
            }
        }
    }

    /// Takes a playlist: one that has ended is an index and no more, one that has not is followed.
    fn take_playlist(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        body: &[u8],
        url: &str,
        (asked, place): (Timestamp, usize),
    ) -> Result<Option<SegmentIndex>, Error> {
        let playlist = read_playlist(body, url, &world.presentation.variables, world.cx)?;
        if !playlist.live {
            return Ok(Some(playlist.index));
        }
        if world.live.playlists.is_empty() {
            world.presentation.live = playlist.timing();
        }
        if let Some(representation) = representation_mut(world.presentation, key) {
            representation.move_to(place);
        }
        let (now, place) = (world.cx.now, (key, self.kind, url));
        world.live.playlists.add(world.presentation, place, playlist, asked, now);
        world.live.playlists.follow(key, now);
        Ok(None)
    }

    fn take_segment(
        &mut self,
        world: &mut World<'_, '_>,
        (body, head, bytes): (RequestId, Vec<u8>, u64),
        origin: OriginId,
    ) {
        let Fetch::Segment { chosen, .. } = core::mem::replace(&mut self.fetch, Fetch::Idle) else {
            return;
        };
        let target = chosen.target;
        let fetched = Fetched {
            chosen: *chosen,
            body: AppendBody::Kept(body),
            head,
            bytes,
            origin,
            arrived: world.cx.now,
            before: Setbacks::default(),
            last_of: None,
        };
        if let Target::Instead(range) = target {
            self.take_replacement(world, fetched, range);
            return;
        }
        let chosen = &fetched.chosen;
        self.next = match chosen.hinted {
            true => self.true_end(&chosen.segment, chosen.init, &fetched.head),
            false => chosen.segment.end(),
        };
        self.missing = 0;
        self.seam = true;
        self.last = Some(chosen.key);
        let before = core::mem::take(&mut self.setbacks);
        self.abandoned = 0;
        if fetched.chosen.chunks > 0 {
            self.end_chunks(world, body);
            return;
        }
        self.queue.push(Fetched { before, ..fetched });
    }

    /// Where the replacement goes that is being fetched.
    pub(super) fn replacing(&self) -> Option<TimeRange> {
        let target = match &self.fetch {
            Fetch::Index { target, .. } => *target,
            Fetch::Segment { chosen, .. } => chosen.target,
            Fetch::Idle => return None,
        };
        match target {
            Target::Next => None,
            Target::Instead(range) => Some(range),
        }
    }
}

/// Reads a playlist that can be played. It may use the `variables` of its multivariant
/// playlist.
fn read_playlist(
    body: &[u8],
    url: &str,
    variables: &[(String, String)],
    cx: &mut Context<'_>,
) -> Result<MediaPlaylist, Error> {
    let parsed = manifest::hls::parse_media_with(body, url, variables)
        .map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
    for warning in parsed.warnings {
        cx.out.warn(Warning::Manifest {
            url: url.to_owned(),
            line: warning.line,
            code: warning.code,
            message: warning.message,
        });
    }
    let playlist = parsed.value;
    let unsupported =
        if playlist.index.keys().iter().any(|protection| !drm::decryptable(protection)) {
            Some(support::LOCKED)
        } else {
            match playlist.format {
                SegmentFormat::MpegTs => Some("MPEG-2 transport stream segments"),
                SegmentFormat::PackedAudio => Some("packed audio segments"),
                SegmentFormat::WebVtt => Some("WebVTT segments"),
                SegmentFormat::FragmentedMp4 | SegmentFormat::Unknown => None,
            }
        };
    match unsupported {
        Some(feature) => {
            Err(Error::Unsupported { url: url.to_owned(), feature: feature.to_owned() })
        }
        None => Ok(playlist),
    }
}
