//! What the player changes before the platform's buffer takes it. What is encrypted as a whole (HLS `AES-128`) waits for
//! its key, and is decrypted then; transport streams and packed audio are turned into fragments.
//!
//! A session log holds neither keys nor such media. In their place it holds what was found in them, as if the host had
//! kept a clear body and told of its boxes: see [`Outbox::opened`](crate::outbox::Outbox::opened). Of a transport stream
//! that is the initialisation segment it was given and what precedes its `mdat`, or what is wrong with it.

use super::init::InitKey;
use super::timeline::Sequence;
use super::{Fetched, Stream, World, representation};
use crate::drm::{self, Access, Decrypted};
use crate::error::Error;
use crate::io::{AppendBody, MediaKind, RequestId};
use crate::media::ts::{TransportFault, Wanted};
use crate::media::{self, BoxError, BoxErrorKind, Boxes};
use crate::presentation::{Presentation, Protection};
use crate::time::MediaTime;

/// What stands before a [`TransportFault`] in a log: no box begins with it.
const FAULT: u8 = 0xff;

/// A body that is changed before it is appended.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    /// The request that brought it.
    pub(super) id: RequestId,
    /// It has been changed.
    pub(super) open: bool,
    /// While a log is replayed: what was found in it; nothing if its key did not fit.
    pub(super) told: Option<Vec<u8>>,
}

impl Sealed {
    pub(super) fn new(id: RequestId, told: Option<Vec<u8>>) -> Self {
        Self { id, open: false, told }
    }
}

/// What became of a body that had to be changed.
pub(super) enum Opened {
    Done,
    /// Its key did not fit, and is asked for once more.
    Again,
    /// It is what it should be, but for that there is nothing in it.
    Empty,
    Failed(Error),
}

/// What could not be decrypted.
pub(super) fn failure(url: &str) -> Error {
    let reason = "its key is the wrong one, or it is damaged or no media".to_owned();
    Error::Decryption { url: url.to_owned(), reason }
}

impl Stream {
    /// Whether the picture is yet to say what time the clock of the first segment that waits shows. Playlists are laid out
    /// by the picture, and sound begins a little sooner or later.
    pub(super) fn waits_for_picture(&self, world: &World<'_, '_>) -> bool {
        let Some(Fetched { chosen, .. }) = self.queue.first() else { return false };
        let sequence =
            Sequence { period: chosen.key.period, discontinuity: chosen.segment.discontinuity };
        self.kind == MediaKind::Audio
            && world.timeline.known(sequence).is_none()
            && world.picture.is_some_and(|at| at < chosen.segment.end())
    }

    /// Decrypts the first segment that waits, whose key is here, and turns it into what the buffer takes.
    pub(super) fn open_segment(&mut self, world: &mut World<'_, '_>) -> Opened {
        let Some(fetched) = self.queue.first_mut() else { return Opened::Done };
        let Some(sealed) = fetched.sealed.as_mut().filter(|sealed| !sealed.open) else {
            return Opened::Done;
        };
        let id = sealed.id;
        let told = sealed.told.take();
        let segment = &fetched.chosen.segment;
        let owner = representation(world.presentation, fetched.chosen.key);
        let protection = owner.and_then(|owner| owner.protection_of(segment));
        let mut found = Vec::new();
        match (&told, protection, &mut fetched.body) {
            (Some(told), ..) => {
                if let Some(protection) = protection {
                    world.keys.judge(protection, !told.is_empty());
                }
            }
            (None, Some(protection), AppendBody::Bytes(bytes)) if drm::is_whole(protection) => {
                let body = (Some(segment.number), &mut *bytes);
                match world.keys.decrypt(world.cx, world.requests, protection, body) {
                    Decrypted::Done => {}
                    Decrypted::Again => return Opened::Again,
                    Decrypted::Failed => {
                        world.cx.out.opened(id, &found);
                        sealed.open = true;
                        return Opened::Failed(failure(&segment.url));
                    }
                }
            }
            _ => {}
        }
        sealed.open = true;
        match (told, fetched.chosen.remux) {
            (Some(told), _) => found = told,
            (None, true) => {
                found = self.remux(world);
                world.cx.out.opened(id, &found);
            }
            (None, false) => {
                if let AppendBody::Bytes(bytes) = &fetched.body
                    && let Some(length) = media::boxes_before_mdat(bytes)
                {
                    found.extend_from_slice(bytes.get(..length).unwrap_or_default());
                }
                world.cx.out.opened(id, &found);
            }
        }
        self.take_found(world, found)
    }

    /// Turns the first segment that waits; what was found in it.
    fn remux(&mut self, world: &mut World<'_, '_>) -> Vec<u8> {
        let mut found = Vec::new();
        let Some(Fetched { chosen, body: AppendBody::Bytes(bytes), .. }) = self.queue.first_mut()
        else {
            return found;
        };
        let (of, remuxer) = &mut self.remuxer;
        if *of != Some(chosen.key) {
            *of = Some(chosen.key);
            remuxer.reset();
        }
        let wanted = wanted(self.kind, chosen.key.period, world.presentation);
        let sequence =
            Sequence { period: chosen.key.period, discontinuity: chosen.segment.discontinuity };
        let near = world.timeline.known(sequence).map(|offset| chosen.segment.start - offset);
        let owner = representation(world.presentation, chosen.key);
        let protection = owner.and_then(|owner| owner.protection_of(&chosen.segment));
        let cipher = protection.and_then(|by| world.keys.cipher(by, chosen.segment.number));
        match remuxer.remux(bytes, &media::ts::Options { wanted, near, cipher }) {
            Ok(media::ts::Remuxed { init, media }) => {
                found = init;
                let length = media::boxes_before_mdat(&media).unwrap_or(0);
                found.extend_from_slice(media.get(..length).unwrap_or_default());
                *bytes = media;
            }
            Err(fault) => {
                *bytes = Vec::new();
                found.push(FAULT);
                found = postcard::to_extend(&fault, found).unwrap_or_default();
            }
        }
        found
    }

    /// Takes what was found in the first segment that waits.
    fn take_found(&mut self, world: &mut World<'_, '_>, mut found: Vec<u8>) -> Opened {
        let Some(fetched) = self.queue.first_mut() else { return Opened::Done };
        let chosen = &mut fetched.chosen;
        let url = || chosen.segment.url.clone();
        if found.is_empty() {
            return Opened::Failed(failure(&chosen.segment.url));
        }
        if !chosen.remux {
            fetched.head = found;
            return Opened::Done;
        }
        if let Some((&FAULT, fault)) = found.split_first() {
            let fault = postcard::from_bytes(fault).unwrap_or(TransportFault::NotTransport);
            if fault == TransportFault::NoMedia
                && (self.rests.may_go_on() || self.rests.contain(chosen.range()))
            {
                return Opened::Empty;
            }
            return Opened::Failed(match fault.is_unsupported() {
                true => Error::Unsupported { url: url(), feature: fault.to_string() },
                false => damaged(url(), fault),
            });
        }
        let Some(length) = init_length(&found) else {
            return Opened::Failed(damaged(url(), TransportFault::NotTransport));
        };
        fetched.head = crate::items::split(&mut found, length);
        let container = representation(world.presentation, chosen.key)
            .map_or("video/mp4", |representation| representation.appended_container());
        let key = chosen.key;
        let (in_buffer, queue) = (self.in_buffer, &self.queue);
        let in_use = |init: InitKey| {
            in_buffer == Some(init) || queue.iter().any(|one| one.chosen.init == Some(init))
        };
        let made = self.inits.made((key, &found, container), in_use);
        let Some(Fetched { chosen, head, .. }) = self.queue.first_mut() else {
            return Opened::Done;
        };
        let made = made.and_then(|key| {
            chosen.init = Some(key);
            let info = self.inits.get(key).map(|loaded| &loaded.info);
            info.map_or(Ok(()), |info| {
                let begins = begins(&media::fragment::parse(head, info)?, info);
                // Picture and sound of one sequence keep together, and to the playlist by the picture.
                let sequence = Sequence {
                    period: chosen.key.period,
                    discontinuity: chosen.segment.discontinuity,
                };
                world.timeline.offset(sequence, chosen.segment.start, begins);
                Ok(())
            })
        });
        match made {
            Ok(()) => {
                self.rests.end();
                Opened::Done
            }
            Err(error) => Opened::Failed(Error::Segment { url: chosen.segment.url.clone(), error }),
        }
    }

    /// Decrypts the initialisation segments whose keys are here.
    pub(super) fn open_inits(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        for (key, protection) in self.inits.sealed() {
            world.keys.need(world.cx, world.requests, &protection);
            match world.keys.access(Some(&protection)) {
                Access::Granted => self.open_init(world, key, &protection)?,
                Access::Pending => {}
                Access::Denied => {
                    let reason = world.keys.reason(&protection);
                    self.lose_init(world, key, reason)?;
                }
            }
        }
        Ok(())
    }

    fn open_init(
        &mut self,
        world: &mut World<'_, '_>,
        key: InitKey,
        protection: &Protection,
    ) -> Result<(), Error> {
        let Some((sealed, mut bytes, url, origin)) = self.inits.unseal(key) else { return Ok(()) };
        match sealed.told {
            Some(told) => {
                world.keys.judge(protection, !told.is_empty());
                bytes = told;
            }
            None => {
                let body = (None, &mut bytes);
                match world.keys.decrypt(world.cx, world.requests, protection, body) {
                    Decrypted::Done => {}
                    Decrypted::Again => {
                        self.inits.seal(key, sealed, (bytes, url, origin));
                        return Ok(());
                    }
                    Decrypted::Failed => bytes.clear(),
                }
                world.cx.out.opened(sealed.id, &bytes);
            }
        }
        let error = (bytes.is_empty()).then(|| failure(&url));
        self.take_init(world, key, bytes, (&url, origin), error)
    }

    /// While a log is replayed: what was found in a body whose request is over.
    pub(crate) fn note_opened(&mut self, id: RequestId, data: &[u8]) {
        let queued = self.queue.iter_mut().filter_map(|fetched| fetched.sealed.as_mut());
        for sealed in queued.chain(self.inits.all_sealed()).filter(|sealed| sealed.id == id) {
            sealed.told = Some(data.to_vec());
        }
    }

    /// Whether a body of that request waits to be opened.
    pub(crate) fn holds_sealed(&self, id: RequestId) -> bool {
        let queued = self.queue.iter().filter_map(|fetched| fetched.sealed.as_ref());
        queued.chain(self.inits.sealed_bodies()).any(|sealed| sealed.id == id)
    }
}

/// What of a segment a stream is to have: what has a stream of its own is not in another's.
fn wanted(kind: MediaKind, period: usize, presentation: &Presentation) -> Wanted {
    let sets = presentation.periods.get(period).map(|period| period.sets.as_slice());
    let has_sound = sets.unwrap_or_default().iter().any(|set| set.kind == MediaKind::Audio);
    match kind {
        MediaKind::Audio => Wanted::Sound,
        _ if has_sound => Wanted::Picture,
        _ => Wanted::All,
    }
}

/// When a fragment is presented first: the picture, if there is one.
fn begins(fragment: &media::fragment::FragmentInfo, init: &media::init::InitInfo) -> MediaTime {
    for one in &fragment.tracks {
        if let Some(track) = init.track(one.track_id).filter(|track| track.handler.0 == *b"vide") {
            let ticks = (one.decode_time as i64).saturating_add(one.earliest_composition);
            return MediaTime::from_scaled(ticks, track.timescale);
        }
    }
    fragment.presentation_start
}

/// Bytes of the initialisation segment that comes first.
fn init_length(found: &[u8]) -> Option<usize> {
    let mut boxes = Boxes::new(found, 0);
    while let Some(Ok(one)) = boxes.next() {
        if one.is(b"moov") {
            return usize::try_from(one.end()).ok();
        }
    }
    None
}

fn damaged(url: String, fault: TransportFault) -> Error {
    let error = BoxError { offset: 0, kind: BoxErrorKind::Transport(fault) };
    Error::Segment { url, error }
}
