//! A recorded session, played again, in JavaScript. A module of its own, so that a page that only plays
//! does not download what only people who study sessions need.

use kinora_core::telemetry::log;
use wasm_bindgen::prelude::*;

/// The outputs of a recorded session: its `(Timestamp, Output)` pairs, each in postcard's encoding,
/// one after another. The same log gives the same bytes on every platform.
#[wasm_bindgen]
pub fn replay(log: &[u8]) -> Result<Vec<u8>, JsError> {
    log::replay_to_bytes(log).map_err(|error| JsError::new(&error.to_string()))
}
