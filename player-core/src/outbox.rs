//! What waits to be polled, and the ids that go with it.

use std::collections::VecDeque;

use crate::error::{Error, PlayerError, Severity};
use crate::io::{
    Event, MediaCommand, MediaOperation, OperationId, Output, Request, RequestId, Warning,
};

/// What waits to be polled. Every room of the player writes here and nowhere else.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    last_request: u64,
    last_operation: u64,
}

impl Outbox {
    pub(crate) fn next_request_id(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.queue.push_back(Output::Request(request));
    }

    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.queue.push_back(Output::Cancel(id));
    }

    pub(crate) fn media(&mut self, command: MediaCommand) -> OperationId {
        self.last_operation += 1;
        let id = OperationId(self.last_operation);
        self.queue.push_back(Output::Media(MediaOperation { id, command }));
        id
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.queue.push_back(Output::Event(event));
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
        self.queue.pop_front()
    }
}
