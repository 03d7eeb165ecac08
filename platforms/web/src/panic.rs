//! A panic becomes a message to the page before the module traps.

use std::panic::PanicHookInfo;

use js_sys::Array;

use crate::scope;

/// Posts `["panic", message]` at each panic from here on. The module must not be called again after
/// one: the page ends the worker.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(report));
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
    scope::post_message(&Array::of2(&"panic".into(), &message.into()));
}
