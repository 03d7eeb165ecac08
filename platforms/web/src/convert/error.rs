//! Errors, as the public table has them.

use kinora_core::PlayerError;
use wasm_bindgen::prelude::*;

use super::object::{number, object, option, text};

/// The fields of the npm package's `PlayerError`.
pub(crate) fn error(error: &PlayerError) -> JsValue {
    object(&[
        ("category", text(error.category.name())),
        ("code", text(error.code.name())),
        ("severity", text(error.severity.name())),
        ("message", text(&error.message)),
        ("url", option(error.url.as_deref(), text)),
        ("httpStatus", option(error.http_status, number)),
    ])
}
