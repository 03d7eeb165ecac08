//! What becomes of what was asked for.

use crate::context::Context;
use crate::drm;
use crate::error::Error;
use crate::io::AppendBody;
use crate::manifest::{self, hls::MediaPlaylist, hls::SegmentFormat};
use crate::media::IndexProgress;
use crate::presentation::{SegmentIndex, Segments};
use crate::requests::{OriginId, Outcome};
use crate::stream::init::InitKey;
use crate::stream::sealed::Sealed;
use crate::stream::{
    Fetch, Fetched, Key, Setbacks, Stream, TOLERANCE, Target, World, representation,
    representation_mut,
};
use crate::support;
use crate::time::{MediaTime, TimeRange, Timestamp};

/// What a playlist turned out to be.
enum Playlist {
    /// All there will ever be.
    Index(Box<SegmentIndex>),
    /// More will come, and it is followed.
    Followed,
    /// It seems to have been cut off, and is asked for again.
    Doubtful,
}

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
                Outcome::Delivered { id, told, body, url, origin, .. } => {
                    let sealed = Sealed::new(id, told);
                    match self.inits.seal(init, sealed, (body, url, origin)) {
                        Some((body, url, origin)) => {
                            self.take_init(world, init, body, (&url, origin), None)?;
                        }
                        None => self.open_inits(world)?,
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
            Outcome::Progress { .. } => {
                self.hand_over(world);
                self.check_in_flight(world)?;
            }
            Outcome::Refused { .. } => {}
            Outcome::Delivered { id, told, body, bytes, origin, .. }
                if matches!(self.fetch, Fetch::Segment { .. }) =>
            {
                let sealed = Sealed::new(id, told);
                let body = AppendBody::Bytes(body);
                self.take_segment(world, (body, Vec::new(), bytes), origin, Some(sealed));
            }
            Outcome::Delivered { body, url, place, origin, .. } => {
                self.take_index(world, &body, &url, (place, origin))?;
            }
            Outcome::Kept { id, head, bytes, origin, .. } => {
                self.take_segment(world, (AppendBody::Kept(id), head, bytes), origin, None);
            }
            Outcome::Chunk { id, head, start, end, origin, .. } => {
                self.learn_lateness(world);
                self.take_chunk(id, head, (start, end), (origin, world.cx.now));
            }
            Outcome::Restarts { id, .. } => {
                self.lose_chunks(id);
                self.begin_anew();
            }
            Outcome::Failed { error, .. } => {
                self.lose_unfinished();
                // Whatever it was wanted for, the next segment of this representation would want it again.
                if let Fetch::Index { key, .. } = &self.fetch {
                    self.set_aside(*key, world.cx.now);
                }
                if let Some(range) = self.replacing() {
                    self.leave_alone(range);
                    self.fetch = Fetch::Idle;
                    return Ok(None);
                }
                let key = match core::mem::replace(&mut self.fetch, Fetch::Idle) {
                    Fetch::Index { key, .. } => key,
                    Fetch::Segment { chosen, .. } if world.presentation.live.is_some() => {
                        return self.miss(world, &chosen, error).map(|()| None);
                    }
                    // It has ended meanwhile, and its parts are gone: they were listed as long as they were new.
                    // One that is listed still, and refused again, is lost.
                    Fetch::Segment { chosen, .. }
                        if chosen.partial
                            && error.is_missing()
                            && self.refused.as_ref() != Some(&chosen.segment.url) =>
                    {
                        self.refused = Some(chosen.segment.url.clone());
                        self.turn_back(world, chosen.segment.start);
                        return Ok(None);
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
        self.leave_overtaken(world);
        let Fetch::Index { key, reasons, target, file, asked, .. } =
            core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return Ok(());
        };
        let parsed = match file {
            None => match self.take_playlist(world, key, body, url, (asked, place, origin)) {
                Ok(Playlist::Doubtful) => {
                    return self.fetch_from(world, key, reasons, target).map(|_| ());
                }
                Ok(Playlist::Index(index)) => Ok(Some(*index)),
                Ok(Playlist::Followed) => Ok(None),
                Err(error) => Err(error),
            },
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
            Ok(()) if target == Target::Next && self.is_astray(world, key, origin) => {
                self.turn_within(world, world.playhead);
                Ok(())
            }
            Ok(()) => self.fetch_from(world, key, reasons, target).map(|_| ()),
            Err(_) if target != Target::Next => {
                self.fixed_until = MediaTime::MAX;
                Ok(())
            }
            Err(error) => {
                let now = world.cx.now;
                world.requests.origins.failed(world.cx, origin, now, &error);
                self.setbacks.spoil(key.representation, origin);
                // What has nothing yet may have something soon.
                if self.setbacks.bare.is_none() {
                    self.set_aside(key, now);
                }
                self.fail(world, key, error)
            }
        }
    }

    /// Whether the end of the film is not where it was taken for: it goes on at the playhead, beyond that, or it is over
    /// before the playhead, where there is nothing, and its end is still to come.
    fn is_astray(&self, world: &World<'_, '_>, key: Key, origin: OriginId) -> bool {
        let Some(end) = self.last_media(world.presentation) else { return false };
        let (last, playhead) = (end - TOLERANCE, world.playhead);
        let over = || {
            self.next > last
                && playhead > last
                && self.queue.is_empty()
                && self.buffer.end_of_range(playhead).is_none()
                && self.buffer.held_at(last).is_none()
                && self.doubts(key, origin) == 0
        };
        world.presentation.live.is_none() && (self.next + TOLERANCE < playhead.min(last) || over())
    }

    /// Takes a playlist: of what was never live it is an index and no more. Any other is put beside those that
    /// are followed, even when it has ended by now: it alone does not say where on their timeline it begins.
    fn take_playlist(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        body: &[u8],
        url: &str,
        (asked, place, origin): (Timestamp, usize, OriginId),
    ) -> Result<Playlist, Error> {
        let playlist = read_playlist(body, url, &world.presentation.variables, world.cx)?;
        // What cannot change and does not end was cut off on its way, or its author is careless: asking once more tells,
        // elsewhere if it is to be had there.
        if !playlist.live && !playlist.ended && self.doubt(key, origin, 1) {
            return Ok(Playlist::Doubtful);
        }
        // What lists nothing but gaps is as good as lost: another may have what this one lacks (RFC 8216bis §6.3.3). A live
        // one is followed all the same if there is no other, for it may have something soon.
        if playlist.index.is_bare() && playlist.parts.is_empty() {
            let error = Error::NothingPlayable { url: url.to_owned() };
            if !playlist.live {
                self.doubt(key, origin, 1);
                return Err(error);
            }
            self.setbacks.bare.get_or_insert(false);
            if self.is_elsewhere(world, key, &error) {
                return Err(error);
            }
        }
        if let (Some(container), Some(representation)) =
            (playlist.format.container(self.kind), representation_mut(world.presentation, key))
        {
            representation.container = container.into();
        }
        if world.live.playlists.is_empty() {
            if !playlist.live {
                return Ok(Playlist::Index(Box::new(playlist.index)));
            }
            world.presentation.live = playlist.timing();
        }
        if let Some(representation) = representation_mut(world.presentation, key) {
            representation.move_to(place);
        }
        let (now, place) = (world.cx.now, (key, self.kind, url));
        world.live.playlists.add(world.presentation, place, playlist, asked, now);
        world.live.playlists.follow(key, now);
        Ok(Playlist::Followed)
    }

    /// An initialisation segment is here, unless it turned out to be none.
    pub(in crate::stream) fn take_init(
        &mut self,
        world: &mut World<'_, '_>,
        init: InitKey,
        bytes: Vec<u8>,
        (url, origin): (&str, OriginId),
        error: Option<Error>,
    ) -> Result<(), Error> {
        let container = representation(world.presentation, init.representation)
            .map(|representation| representation.appended_container().to_owned())
            .unwrap_or_default();
        let error = error.or_else(|| {
            let error = self.inits.loaded(init, bytes, &container).err()?;
            Some(Error::Segment { url: url.to_owned(), error })
        });
        let Some(error) = error else {
            self.learn_keys(world, init);
            return Ok(());
        };
        let now = world.cx.now;
        world.requests.origins.failed(world.cx, origin, now, &error);
        self.lose_init(world, init, error)
    }

    /// Asks for keys that the manifest does not name and an initialisation segment does.
    fn learn_keys(&self, world: &mut World<'_, '_>, init: InitKey) {
        let Some(loaded) = self.inits.get(init) else { return };
        let found = drm::in_init(&loaded.bytes, &loaded.info);
        let Some(representation) = representation_mut(world.presentation, init.representation)
        else {
            return;
        };
        if let Some(protection) = &representation.protection {
            world.keys.learn(world.cx, protection, found.as_ref());
            return;
        }
        let named = match &representation.segments {
            Segments::Known(index) => index.keys(),
            _ => &[],
        };
        match (named, found) {
            ([], Some(found)) => {
                world.keys.need(world.cx, world.requests, &found);
                representation.protection = Some(found.into());
            }
            // Of several keys it is not known which the segment means.
            ([one], Some(found)) => world.keys.learn(world.cx, one, Some(&found)),
            _ => {}
        }
    }

    fn take_segment(
        &mut self,
        world: &mut World<'_, '_>,
        (body, head, bytes): (AppendBody, Vec<u8>, u64),
        origin: OriginId,
        sealed: Option<Sealed>,
    ) {
        self.learn_lateness(world);
        let Fetch::Segment { chosen, begun, .. } = core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return;
        };
        let target = chosen.target;
        let fetched = Fetched {
            chosen: *chosen,
            body,
            head,
            sealed,
            own: None,
            bytes,
            origin,
            arrived: world.cx.now,
            before: Setbacks::default(),
            last_of: None,
            lost: false,
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
        self.in_vain = false;
        self.late_from = None;
        self.newest = self.newest.max(chosen.segment.end());
        self.seam = true;
        self.last = Some(chosen.key);
        let before = core::mem::take(&mut self.setbacks);
        self.abandoned = 0;
        if let (true, AppendBody::Kept(body)) = (fetched.chosen.chunks > 0, &fetched.body) {
            self.end_chunks(world, *body);
            return;
        }
        let mut fetched = Fetched { before, ..fetched };
        if let Some(begun) = begun {
            begun.end(&mut fetched);
        }
        self.queue.push(fetched);
        self.look_for_keys(world, self.queue.len() - 1);
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
    cx.tell(url, parsed.warnings);
    let playlist = parsed.value;
    let unsupported = if playlist.index.keys().iter().any(|protection| !drm::supported(protection))
    {
        Some(support::LOCKED)
    } else {
        (playlist.format == SegmentFormat::WebVtt).then_some("WebVTT segments")
    };
    match unsupported {
        Some(feature) => {
            Err(Error::Unsupported { url: url.to_owned(), feature: feature.to_owned() })
        }
        None => Ok(playlist),
    }
}
