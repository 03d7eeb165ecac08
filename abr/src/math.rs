//! The few transcendental functions the crate needs, from one library on every platform.

pub(crate) use libm::{exp, log as ln};

/// A positive `base` to any power. Less exact in the last bits than `libm::pow`, which needs as much
/// code as everything else here together.
pub(crate) fn pow(base: f64, exponent: f64) -> f64 {
    exp(exponent * ln(base))
}

/// `value` when it is a finite number, else `fallback`.
pub(crate) fn finite_or(value: f64, fallback: f64) -> f64 {
    if value.is_finite() { value } else { fallback }
}

/// `value` brought into `low..=high`; `low` when it is not a number.
pub(crate) fn clamp(value: f64, low: f64, high: f64) -> f64 {
    if value > high {
        high
    } else if value >= low {
        value
    } else {
        low
    }
}

/// Milliseconds as whole microseconds, saturating.
pub(crate) fn micros(millis: f64) -> u64 {
    (millis * 1e3) as u64
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
