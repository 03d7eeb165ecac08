//! Objects and arrays, built by hand.

use core::time::Duration;

use js_sys::{Array, Object, Reflect};
use kinora_core::io::Quality;
use kinora_core::time::{MediaTime, TimeRange};
use wasm_bindgen::prelude::*;

/// An object with these fields.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a fresh, ordinary object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

/// An array of what `convert` makes of each item.
pub(crate) fn array<T>(items: &[T], convert: impl Fn(&T) -> JsValue) -> JsValue {
    let array = Array::new();
    for item in items {
        array.push(&convert(item));
    }
    array.into()
}

/// `null` where there is nothing.
pub(crate) fn option<T>(value: Option<T>, convert: impl FnOnce(T) -> JsValue) -> JsValue {
    value.map_or(JsValue::NULL, convert)
}

pub(crate) fn text(value: &str) -> JsValue {
    JsValue::from_str(value)
}

pub(super) fn number(value: impl Into<f64>) -> JsValue {
    JsValue::from_f64(value.into())
}

/// Counts and sizes stay exact to 2⁵³.
pub(super) fn count(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

pub(super) fn seconds(time: MediaTime) -> JsValue {
    JsValue::from_f64(time.seconds())
}

pub(super) fn duration(duration: Duration) -> JsValue {
    JsValue::from_f64(duration.as_secs_f64())
}

pub(super) fn range(range: &TimeRange) -> JsValue {
    object(&[("start", seconds(range.start)), ("end", seconds(range.end))])
}

pub(super) fn quality(quality: &Quality) -> JsValue {
    object(&[
        ("id", text(&quality.id)),
        ("bandwidth", count(quality.bandwidth)),
        ("width", option(quality.width, number)),
        ("height", option(quality.height, number)),
        ("codecs", text(&quality.codecs)),
    ])
}
