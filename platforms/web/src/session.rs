//! What the worker's script calls.

use core::cell::Cell;

use js_sys::{Array, Function};
use kinora_core::error::Severity;
use kinora_core::io::{
    Area, ElementState, Environment, Input, KeySessionId, NetworkState, PictureKind, ReadyState,
    Selection, Source,
};
use kinora_core::time::{MediaTime, WallTime};
use kinora_core::{Config, Error};
use wasm_bindgen::prelude::*;

use crate::driver::Driver;
use crate::keys::{self, KeyHost};
use crate::sink::{self, Sink};
use crate::{convert, panic};

/// One player. Times are seconds, sizes bytes, rates bit/s.
#[wasm_bindgen]
pub struct Session {
    driver: Driver,
    config: Config,
    /// Whether the element is heard, as it was last told.
    muted: Cell<Option<bool>>,
}

#[wasm_bindgen]
impl Session {
    /// A player that asks `sink` for media operations, `keys` for those of the key system, calls `emit(name, detail)` for events and, in
    /// place of `fetch`, `filtered_fetch(request, kind, media)` if that is given.
    /// Throws a player error where `config` makes no sense.
    #[wasm_bindgen(constructor)]
    pub fn new(
        sink: Sink,
        keys: KeyHost,
        emit: Function,
        filtered_fetch: Option<Function>,
        config: &JsValue,
    ) -> Result<Session, JsValue> {
        panic::install();
        let mut merged = Config::default();
        convert::merge_config(&mut merged, config).map_err(invalid)?;
        let driver = Driver::new(sink, keys, emit, filtered_fetch, merged.clone());
        Ok(Self { driver, config: merged, muted: Cell::new(None) })
    }

    /// Plays this, instead of whatever was playing.
    pub fn load(
        &self,
        url: String,
        format: Option<String>,
        start: Option<f64>,
    ) -> Result<(), JsValue> {
        let format = convert::source_format(format).map_err(invalid)?;
        let start = start.map(MediaTime::from_seconds);
        let wall = WallTime::from_micros((js_sys::Date::now() * 1000.0) as i64);
        self.driver.handle(Input::WallClock(wall));
        self.driver.handle(Input::Load(Source { url, format, start }));
        Ok(())
    }

    /// Fetches the beginning of this ahead, as soon as what plays needs nothing more.
    pub fn preload(
        &self,
        url: String,
        format: Option<String>,
        start: Option<f64>,
    ) -> Result<(), JsValue> {
        let format = convert::source_format(format).map_err(invalid)?;
        let start = start.map(MediaTime::from_seconds);
        self.driver.handle(Input::Preload(Source { url, format, start }));
        Ok(())
    }

    /// Plays these one after another when what plays has ended.
    #[wasm_bindgen(js_name = setQueue)]
    pub fn set_queue(&self, urls: Vec<String>) {
        let source = |url| Source { url, format: None, start: None };
        self.driver.handle(Input::Queue(urls.into_iter().map(source).collect()));
    }

    /// Stops, and gives everything back.
    pub fn unload(&self) {
        self.driver.handle(Input::Unload);
    }

    /// Moves the playhead.
    pub fn seek(&self, position: f64) {
        self.driver.handle(Input::Seek(MediaTime::from_seconds(position)));
    }

    /// Changes the named fields of the configuration. Throws a player error, and changes nothing,
    /// where one of them makes no sense.
    pub fn configure(&mut self, changes: &JsValue) -> Result<(), JsValue> {
        let mut merged = self.config.clone();
        convert::merge_config(&mut merged, changes).map_err(invalid)?;
        self.config = merged;
        self.driver.handle(Input::Configure(Box::new(self.config.clone())));
        Ok(())
    }

    /// Plays one representation and no other; without an id the player chooses again.
    #[wasm_bindgen(js_name = selectQuality)]
    pub fn select_quality(&self, kind: &str, id: Option<String>) -> Result<(), JsValue> {
        let kind = convert::media_kind(kind).map_err(invalid)?;
        self.driver.handle(Input::Select(Selection::Representation { kind, id }));
        Ok(())
    }

    /// Plays another track of a kind; without a number, none.
    #[wasm_bindgen(js_name = selectTrack)]
    pub fn select_track(&self, kind: &str, index: Option<u32>) -> Result<(), JsValue> {
        let kind = convert::media_kind(kind).map_err(invalid)?;
        self.driver.handle(Input::Select(match index {
            Some(index) => Selection::Track { kind, index },
            None => Selection::NoTrack { kind },
        }));
        Ok(())
    }

    /// What the page knows of the device. A viewport of no size is unknown; so is a network without a
    /// name.
    pub fn environment(
        &self,
        width: f64,
        height: f64,
        hidden: bool,
        metered: bool,
        data_saver: bool,
        network: Option<String>,
    ) {
        // `as` saturates, and turns NaN into zero.
        let area = Area { width: width as u32, height: height as u32 };
        self.driver.handle(Input::Environment(Environment {
            viewport: (area != Area::default()).then_some(area),
            hidden,
            metered,
            data_saver,
            network: network.and_then(|name| convert::network(&name)),
        }));
    }

    /// The state of the media element, field by field as the element has it.
    #[expect(clippy::too_many_arguments, reason = "an object would be taken apart field by field")]
    pub fn element(
        &self,
        position: f64,
        rate: f64,
        paused: bool,
        seeking: bool,
        ended: bool,
        muted: bool,
        ready_state: u8,
        total_frames: f64,
        dropped_frames: f64,
        error: Option<String>,
    ) {
        if self.muted.replace(Some(muted)) != Some(muted) {
            self.driver.handle(Input::Muted(muted));
        }
        self.driver.handle(Input::Element(ElementState {
            position: MediaTime::from_seconds(position),
            rate,
            paused,
            seeking,
            ended,
            ready_state: match ready_state {
                0 => ReadyState::HaveNothing,
                1 => ReadyState::HaveMetadata,
                2 => ReadyState::HaveCurrentData,
                3 => ReadyState::HaveFutureData,
                _ => ReadyState::HaveEnoughData,
            },
            // `as` saturates, and turns NaN into zero.
            total_frames: total_frames as u64,
            dropped_frames: dropped_frames as u64,
            error,
        }));
    }

    /// What a managed media source does by itself: it has dropped media from the buffer of that kind, which holds these
    /// ranges now, `[start, end, …]`; without a kind, whether it wants media.
    pub fn managed(&self, kind: Option<String>, value: JsValue) {
        match kind.and_then(|kind| convert::media_kind(&kind).ok()) {
            Some(kind) => {
                self.driver.handle(Input::Evicted { kind, buffered: sink::ranges(value) });
            }
            None => self.driver.handle(Input::Streaming(value.is_truthy())),
        }
    }

    /// What the browser says of the network: `offline`, `online`, or `changed` to another.
    pub fn network(&self, state: &str) {
        self.driver.handle(Input::Network(match state {
            "offline" => NetworkState::Offline,
            "online" => NetworkState::Online,
            _ => NetworkState::Changed,
        }));
    }

    /// A key session asks the licence server.
    #[wasm_bindgen(js_name = keyMessage)]
    pub fn key_message(&self, session: f64, message: Vec<u8>) {
        self.driver.handle(Input::KeyMessage { session: KeySessionId(session as u64), message });
    }

    /// What may be done with all keys of a session: their ids, and their statuses as EME names them.
    #[wasm_bindgen(js_name = keyStatuses)]
    pub fn key_statuses(&self, session: f64, ids: &Array, statuses: &Array) {
        let (session, statuses) = (KeySessionId(session as u64), keys::statuses(ids, statuses));
        self.driver.handle(Input::KeyStatuses { session, statuses });
    }

    /// Everything a support engineer wants to know, now.
    pub fn stats(&self) -> JsValue {
        convert::state(&self.driver.state(), self.driver.now())
    }

    /// Asks where the picture for a time is: a key frame for that speed, or a thumbnail without one. The
    /// event `picture` answers under the same number.
    pub fn picture(&self, id: u32, at: f64, rate: Option<i32>) {
        let kind = match rate {
            Some(rate) => PictureKind::KeyFrame { rate },
            None => PictureKind::Thumbnail,
        };
        self.driver.handle(Input::Picture {
            id: u64::from(id),
            at: MediaTime::from_seconds(at),
            kind,
        });
    }

    /// The session so far, to be replayed; empty unless recording was asked for.
    #[wasm_bindgen(js_name = sessionLog)]
    pub fn session_log(&self) -> Vec<u8> {
        self.driver.session_log()
    }
}

fn invalid(reason: String) -> JsValue {
    convert::error(&Error::InvalidArgument { reason }.to_player_error(Severity::Recoverable))
}
