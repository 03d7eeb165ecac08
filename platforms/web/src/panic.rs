//! A panic becomes a message to the page before the module traps.

use std::panic::PanicHookInfo;
use std::sync::Once;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::DedicatedWorkerGlobalScope;

/// Posts `["panic", message]` at each panic from here on. The module must not be called again after
/// one: the page ends the worker.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(report)));
}

fn report(info: &PanicHookInfo<'_>) {
    let mut message = String::from("the player panicked");
    if let Some(location) = info.location() {
        message.push_str(" at ");
        message.push_str(location.file());
        message.push(':');
        message.push_str(&location.line().to_string());
    }
    if let Some(payload) = info.payload_as_str() {
        message.push_str(": ");
        message.push_str(payload);
    }
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    // Nobody is left to tell if even this fails.
    let _ = scope.post_message(&Array::of2(&"panic".into(), &message.into()));
}
