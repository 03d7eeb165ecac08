//! What a worker's global scope has, by its names: an object for the scope would have to be looked for under four names
//! before any of it could be asked.

use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &JsValue, millis: i32) -> i32;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(handle: i32);
    pub(crate) fn fetch(request: &web_sys::Request) -> Promise;
    #[wasm_bindgen(js_name = postMessage)]
    pub(crate) fn post_message(message: &JsValue);

    /// Milliseconds since the worker began.
    #[wasm_bindgen(js_namespace = performance)]
    pub(crate) fn now() -> f64;
    /// The transfers from a URL that the browser remembers.
    #[wasm_bindgen(js_namespace = performance, js_name = getEntriesByName)]
    pub(crate) fn transfers(url: &str, kind: &str) -> Array;
    #[wasm_bindgen(js_namespace = performance, js_name = clearResourceTimings)]
    pub(crate) fn clear_transfers();
}
