//! The loop that `kinora_core` documents, in a worker: one input, then outputs until `Timeout`.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Function;
use kinora_core::io::{
    AppendBody, Event, Input, MediaCommand, MediaOperation, OperationResult, Output,
};
use kinora_core::telemetry::State;
use kinora_core::time::Timestamp;
use kinora_core::{Config, Player};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::keys::{self, KeyHost};
use crate::net::Network;
use crate::sink::{self, Sink};
use crate::{convert, net, scope};

/// A handle on one running player; clones share it.
#[derive(Clone)]
pub(crate) struct Driver(Rc<Shared>);

struct Shared {
    player: RefCell<Player>,
    sink: Sink,
    keys: KeyHost,
    emit: Function,
    filtered_fetch: Option<Function>,
    network: Network,
    timer: RefCell<Timer>,
}

/// The one timer the loop needs.
#[derive(Default)]
struct Timer {
    callback: Option<Closure<dyn FnMut()>>,
    handle: Option<i32>,
    due: Option<Timestamp>,
}

impl Driver {
    pub(crate) fn new(
        sink: Sink,
        keys: KeyHost,
        emit: Function,
        filtered_fetch: Option<Function>,
        config: Config,
    ) -> Self {
        let player = Player::new(config, now());
        let driver = Self(Rc::new(Shared {
            player: RefCell::new(player),
            sink,
            keys,
            emit,
            filtered_fetch,
            network: Network::default(),
            timer: RefCell::default(),
        }));
        let weak = Rc::downgrade(&driver.0);
        let wake = move || {
            if let Some(shared) = weak.upgrade() {
                Self(shared).wake();
            }
        };
        driver.0.timer.borrow_mut().callback = Some(Closure::new(wake));
        driver
    }

    /// Feeds one input to the player and carries out everything it asks for.
    pub(crate) fn handle(&self, input: Input) {
        let outputs = self.drain(input);
        for output in outputs {
            match output {
                Output::Request(request) => net::start(self, request),
                Output::Cancel(id) => self.0.network.cancel(id),
                Output::Media(operation) => self.carry_out(operation),
                Output::License(command) => keys::execute(self, &self.0.keys, command),
                Output::Event(event) => self.tell(&event),
                Output::Timeout(due) => self.arm(due),
                _ => {}
            }
        }
    }

    /// What requests go through if the app filters them.
    pub(crate) fn filtered_fetch(&self) -> Option<&Function> {
        self.0.filtered_fetch.as_ref()
    }

    pub(crate) fn network(&self) -> &Network {
        &self.0.network
    }

    pub(crate) fn now(&self) -> Timestamp {
        now()
    }

    pub(crate) fn state(&self) -> State {
        self.0.player.borrow().state()
    }

    pub(crate) fn session_log(&self) -> Vec<u8> {
        self.0.player.borrow().session_log().to_vec()
    }

    fn drain(&self, input: Input) -> Vec<Output> {
        let mut player = self.0.player.borrow_mut();
        player.handle_input(self.now(), input);
        let mut outputs = Vec::new();
        loop {
            let output = player.poll_output();
            let drained = matches!(output, Output::Timeout(_));
            outputs.push(output);
            if drained {
                return outputs;
            }
        }
    }

    fn carry_out(&self, operation: MediaOperation) {
        let started = sink::start(&self.0.sink, &operation.command, self.0.network.kept());
        if matches!(operation.command, MediaCommand::Close) {
            self.0.network.forget_kept();
        }
        let driver = self.clone();
        spawn_local(async move {
            let result = match started {
                Ok(promise) => sink::result(promise).await,
                Err(failure) => OperationResult::Failed(failure),
            };
            if let (
                MediaCommand::Append { body: AppendBody::Kept(id), .. },
                OperationResult::Done { .. },
            ) = (&operation.command, &result)
            {
                driver.network().kept().forget(*id);
            }
            driver.handle(Input::MediaResult { id: operation.id, result });
        });
    }

    fn tell(&self, event: &Event) {
        if let Some((name, detail)) = convert::event(event) {
            // The function only posts a message.
            let _ = self.0.emit.call2(&JsValue::UNDEFINED, &name.into(), &detail);
        }
    }

    fn arm(&self, due: Option<Timestamp>) {
        let mut timer = self.0.timer.borrow_mut();
        if timer.due == due {
            return;
        }
        if let Some(handle) = timer.handle.take() {
            scope::clear_timeout(handle);
        }
        timer.due = due;
        let (Some(due), Some(callback)) = (due, &timer.callback) else { return };
        // Rounded up: a timer that comes early would only be set again.
        let millis = (due.since(self.now()).as_micros() as u64).div_ceil(1000);
        let millis = i32::try_from(millis).unwrap_or(i32::MAX);
        timer.handle = Some(scope::set_timeout(callback.as_ref(), millis));
    }

    fn wake(&self) {
        let due = {
            let mut timer = self.0.timer.borrow_mut();
            timer.handle = None;
            timer.due.take()
        };
        match due {
            Some(due) if self.now() < due => self.arm(Some(due)),
            Some(_) => self.handle(Input::Timeout),
            None => {}
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros((scope::now() * 1000.0) as u64)
}
