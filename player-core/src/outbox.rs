//! What waits to be polled, and the ids that go with it.

use crate::error::{Error, PlayerError, Severity};
use crate::io::{
    Event, LicenseCommand, MediaCommand, MediaOperation, OperationId, Output, Request, RequestId,
    Warning,
};

/// What waits to be polled. Every room of the player writes here and nowhere else.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    // A handful at a time: taking from the front of a vector costs nothing that matters, and a deque
    // costs every page its code.
    queue: Vec<Output>,
    last_request: u64,
    last_operation: u64,
    /// What was found in bodies that are encrypted as a whole.
    opened: Vec<(RequestId, Vec<u8>)>,
    /// The session is recorded.
    pub(crate) recording: bool,
    /// The app is told nothing, and no licence is asked for.
    muted: bool,
    /// A licence would have been asked for meanwhile.
    withheld: bool,
}

impl Outbox {
    pub(crate) fn next_request_id(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.queue.push(Output::Request(request));
    }

    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.queue.push(Output::Cancel(id));
    }

    pub(crate) fn media(&mut self, command: MediaCommand) -> OperationId {
        self.last_operation += 1;
        let id = OperationId(self.last_operation);
        self.queue.push(Output::Media(MediaOperation { id, command }));
        id
    }

    pub(crate) fn license(&mut self, command: LicenseCommand) {
        if self.muted {
            self.withheld = true;
        } else {
            self.queue.push(Output::License(command));
        }
    }

    /// A body that is encrypted as a whole was decrypted, and this is what matters of it: the boxes before the first
    /// `mdat`, or all of an initialisation segment; nothing if the key did not fit.
    pub(crate) fn opened(&mut self, id: RequestId, found: &[u8]) {
        if self.recording {
            self.opened.push((id, found.to_vec()));
        }
    }

    /// What was decrypted since this was asked last.
    pub(crate) fn take_opened(&mut self) -> Vec<(RequestId, Vec<u8>)> {
        core::mem::take(&mut self.opened)
    }

    /// Whether a licence was needed while muted, since this was asked last.
    pub(crate) fn take_withheld(&mut self) -> bool {
        core::mem::take(&mut self.withheld)
    }

    /// Whether events are kept from the app, and licences are not asked for.
    pub(crate) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(crate) fn event(&mut self, event: Event) {
        if !self.muted {
            self.queue.push(Output::Event(event));
        }
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.event(Event::Warning(warning));
    }

    pub(crate) fn fatal(&mut self, error: &Error) -> PlayerError {
        let error = error.to_player_error(Severity::Fatal);
        self.event(Event::Error(error.clone()));
        error
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        crate::items::take(&mut self.queue, 0)
    }
}
