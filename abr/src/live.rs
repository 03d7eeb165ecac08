//! Keeping close to the live edge.

use crate::math::{clamp, exp, finite_or};

/// How the playback rate may be used to keep a latency: the law of LoL+ (Bentaleb et al., IEEE
/// Transactions on Multimedia 2021), bounded and with a dead zone.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CatchUp {
    /// The most the rate may differ from 1, 0 to 0.5.
    pub max_change: f64,
    /// Latency this near the target is left alone, seconds.
    pub tolerance_s: f64,
    /// With less media than this in the buffer, playback slows down whatever the latency, seconds.
    pub min_buffer_s: f64,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { max_change: 0.05, tolerance_s: 0.1, min_buffer_s: 0.5 }
    }
}

/// How steeply the rate follows what is missing, per second.
const STEEPNESS: f64 = 5.0;
/// Rates are multiples of this: a finer one would be set anew at every look.
const RATE_STEP: f64 = 0.01;

impl CatchUp {
    /// The playback rate for the present latency, target and buffer, all in seconds.
    pub fn rate(&self, latency_s: f64, target_s: f64, buffer_s: f64) -> f64 {
        let low = buffer_s - self.min_buffer_s;
        let behind = latency_s - target_s;
        let error = if low < 0.0 {
            low
        } else if behind.abs() <= self.tolerance_s {
            0.0
        } else {
            behind
        };
        let bound = clamp(self.max_change, 0.0, 0.5);
        let change = bound * (2.0 / (1.0 + exp(-STEEPNESS * finite_or(error, 0.0))) - 1.0);
        1.0 + libm::round(change / RATE_STEP) * RATE_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_latency_within_its_bounds() {
        let law = CatchUp::default();
        assert_eq!(law.rate(3.05, 3.0, 2.0), 1.0);
        assert_eq!(law.rate(9.0, 3.0, 2.0), 1.05);
        assert_eq!(law.rate(1.0, 3.0, 1.0), 0.95);
        assert!(law.rate(3.2, 3.0, 2.0) > 1.0 && law.rate(3.2, 3.0, 2.0) < 1.05);
        // An almost empty buffer comes first.
        assert!(law.rate(9.0, 3.0, 0.1) < 1.0);
        for absurd in [f64::NAN, f64::INFINITY, -1e300] {
            assert!((0.5..=1.5).contains(&law.rate(absurd, 3.0, 2.0)));
            assert!((0.5..=1.5).contains(&law.rate(3.0, absurd, absurd)));
        }
        let wild = CatchUp { max_change: f64::INFINITY, ..law };
        assert!((0.5..=1.5).contains(&wild.rate(1e9, 3.0, 2.0)));
    }

    #[test]
    fn latency_settles_at_the_target() {
        let law = CatchUp::default();
        // What the viewer is behind shrinks by what plays faster; the buffer with it.
        let (mut latency_s, mut buffer_s) = (6.0, 5.0);
        for _ in 0..2000 {
            let rate = law.rate(latency_s, 3.0, buffer_s);
            latency_s -= 0.1 * (rate - 1.0);
            buffer_s -= 0.1 * (rate - 1.0);
        }
        assert!((latency_s - 3.0).abs() < 0.15, "{latency_s}");
    }
}
