//! What is encrypted as a whole (HLS `AES-128`): it waits for its key, and is opened then.
//!
//! A session log holds neither keys nor media. In their place it holds what was found behind the encryption, as if
//! the host had kept a clear body and told of its boxes: see [`Outbox::opened`](crate::outbox::Outbox::opened).

use super::init::InitKey;
use super::{Stream, World, representation};
use crate::drm::{Access, Decrypted};
use crate::error::Error;
use crate::io::{AppendBody, RequestId};
use crate::media;
use crate::presentation::Protection;

/// The encryption of a body.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    /// The request that brought it.
    pub(super) id: RequestId,
    /// It has been decrypted.
    pub(super) open: bool,
    /// While a log is replayed: what was found behind it; nothing if the key did not fit.
    pub(super) told: Option<Vec<u8>>,
}

impl Sealed {
    pub(super) fn new(id: RequestId, told: Option<Vec<u8>>) -> Self {
        Self { id, open: false, told }
    }
}

/// What could not be decrypted.
pub(super) fn failure(url: &str) -> Error {
    let reason = "its key is the wrong one, or it is damaged or no fragmented MP4".to_owned();
    Error::Decryption { url: url.to_owned(), reason }
}

impl Stream {
    /// Decrypts the first segment that waits, whose key is here.
    pub(super) fn open_segment(&mut self, world: &mut World<'_, '_>) -> Decrypted {
        let Some(fetched) = self.queue.first_mut() else { return Decrypted::Done };
        let Some(sealed) = fetched.sealed.as_mut().filter(|sealed| !sealed.open) else {
            return Decrypted::Done;
        };
        let finished = |head: &[u8]| match head.is_empty() {
            true => Decrypted::Failed,
            false => Decrypted::Done,
        };
        let id = sealed.id;
        let segment = &fetched.chosen.segment;
        let owner = representation(world.presentation, fetched.chosen.key);
        let protection = owner.and_then(|owner| owner.protection_of(segment));
        if let (Some(head), Some(protection)) = (sealed.told.take(), protection) {
            sealed.open = true;
            fetched.head = head;
            world.keys.judge(protection, !fetched.head.is_empty());
            return finished(&fetched.head);
        }
        let (Some(protection), AppendBody::Bytes(bytes)) = (protection, &mut fetched.body) else {
            return Decrypted::Failed;
        };
        let body = (Some(segment.number), &mut *bytes);
        let decrypted = world.keys.decrypt(world.cx, world.requests, protection, body);
        if decrypted == Decrypted::Again {
            return decrypted;
        }
        sealed.open = true;
        if decrypted == Decrypted::Done
            && let Some(length) = media::boxes_before_mdat(bytes)
        {
            fetched.head.extend_from_slice(bytes.get(..length).unwrap_or_default());
        }
        world.cx.out.opened(id, &fetched.head);
        finished(&fetched.head)
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
