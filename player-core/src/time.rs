//! Exact media time, the host's monotonic clock and wall-clock time.
//!
//! Saturating arithmetic is long, and there are hundreds of places with it: what a page downloads calls it, and is the
//! smaller for that. Elsewhere the compiler decides.

use core::fmt;
use core::ops::{Add, Neg, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Flicks in a second: the least number that 24, 25, 30, 48, 50, 60, 90, 100 and 120 fps, their
/// 1000/1001 relatives, 44.1 kHz, 48 kHz and 90 kHz all divide.
pub const FLICKS_PER_SECOND: i64 = 705_600_000;

/// A point on, or a distance along, the presentation timeline, in flicks (1/705 600 000 s).
///
/// Arithmetic saturates: times come from manifests and media, which may say anything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The start of the presentation timeline.
    pub const ZERO: Self = Self(0);
    /// Later than every other time.
    pub const MAX: Self = Self(i64::MAX);
    /// Earlier than every other time.
    pub const MIN: Self = Self(i64::MIN);

    /// A time from a count of flicks.
    pub const fn from_flicks(flicks: i64) -> Self {
        Self(flicks)
    }

    /// The count of flicks.
    pub const fn flicks(self) -> i64 {
        self.0
    }

    /// A time from `value` units of 1/`timescale` s, rounded to the nearest flick. A timescale of
    /// zero, which no specification allows, counts as one.
    pub fn from_scaled(value: i64, timescale: u32) -> Self {
        let magnitude = Self::magnitude(value.unsigned_abs(), timescale);
        if value < 0 { -magnitude } else { magnitude }
    }

    /// Whole seconds apart, so that it takes no wide products: what is less is less than 32 bits, and
    /// flicks in a second are less than 30.
    #[inline(never)]
    fn magnitude(value: u64, timescale: u32) -> Self {
        const FLICKS: u64 = FLICKS_PER_SECOND as u64;
        let timescale = u64::from(timescale.max(1));
        // Below this, seconds and what is less fit together, at half the cost.
        if value < 1 << 33 {
            return Self(((value * FLICKS + timescale / 2) / timescale) as i64);
        }
        let whole = value / timescale;
        let rest = ((value - whole * timescale) * FLICKS + timescale / 2) / timescale;
        Self::from_secs(i64::try_from(whole).unwrap_or(i64::MAX)) + Self(rest as i64)
    }

    /// As [`from_scaled`](Self::from_scaled), for the unsigned times of ISO BMFF; saturates.
    pub fn from_unsigned(value: u64, timescale: u32) -> Self {
        Self::magnitude(value, timescale)
    }

    /// The distance from one unsigned time to another, as [`from_unsigned`](Self::from_unsigned) has
    /// it.
    pub(crate) fn between(from: u64, to: u64, timescale: u32) -> Self {
        let magnitude = Self::magnitude(to.abs_diff(from), timescale);
        if to < from { -magnitude } else { magnitude }
    }

    /// A time from whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(FLICKS_PER_SECOND / 1000))
    }

    /// A time from whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(FLICKS_PER_SECOND))
    }

    /// A time from seconds as media elements count them, rounded to the nearest flick. Not a number
    /// becomes zero; what does not fit saturates.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn from_seconds(seconds: f64) -> Self {
        let flicks = seconds * FLICKS_PER_SECOND as f64;
        // `as` saturates, and turns NaN into zero.
        Self((flicks + if flicks < 0.0 { -0.5 } else { 0.5 }) as i64)
    }

    /// The time in seconds, as media elements count it.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / FLICKS_PER_SECOND as f64
    }

    /// The time in units of 1/`timescale` s, rounded down.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn scaled(self, timescale: u32) -> i64 {
        let timescale = i64::from(timescale);
        let seconds = self.0.div_euclid(FLICKS_PER_SECOND);
        let rest = self.0.rem_euclid(FLICKS_PER_SECOND) * timescale / FLICKS_PER_SECOND;
        seconds.saturating_mul(timescale).saturating_add(rest)
    }

    /// A time from whole microseconds; saturates.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn from_micros(micros: i64) -> Self {
        // Five microseconds are 3528 flicks.
        let (fives, rest) = (micros / 5, micros % 5);
        Self(fives.saturating_mul(3528).saturating_add(rest * 3528 / 5))
    }

    /// The distance in whole microseconds, rounded to the nearest.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub const fn micros(self) -> i64 {
        // 3528 flicks are five microseconds.
        let rest = self.0.rem_euclid(3528);
        self.0.div_euclid(3528) * 5 + (rest * 5 + 1764) / 3528
    }

    /// The distance as a [`Duration`]; negative distances become zero.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn to_duration(self) -> Duration {
        let flicks = u64::try_from(self.0).unwrap_or(0);
        let per_second = FLICKS_PER_SECOND as u64;
        // A flick is 1.417 ns, so the remainder fits easily.
        let nanos = (flicks % per_second) * 1_000_000_000 / per_second;
        Duration::new(flicks / per_second, nanos as u32)
    }

    /// A distance from a [`Duration`], rounded down to a flick; saturates.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn from_duration(duration: Duration) -> Self {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let rest = i64::from(duration.subsec_nanos()) * FLICKS_PER_SECOND / 1_000_000_000;
        Self::from_secs(seconds) + Self(rest)
    }

    /// The distance multiplied by a whole number; saturates.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The distance without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

impl Add for MediaTime {
    type Output = Self;
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for MediaTime {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// Shown in seconds with milliseconds, without floating point: formatting a float costs a browser
/// several kilobytes.
impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.unsigned_abs() / (FLICKS_PER_SECOND as u64 / 1000);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:03}", millis / 1000, millis % 1000)
    }
}

/// A span of the presentation timeline, `start` included and `end` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant inside.
    pub start: MediaTime,
    /// First instant after.
    pub end: MediaTime,
}

impl TimeRange {
    /// Whether `time` lies inside.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn contains(&self, time: MediaTime) -> bool {
        self.start <= time && time < self.end
    }

    /// The length; an inverted range has none.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn duration(&self) -> MediaTime {
        (self.end - self.start).max(MediaTime::ZERO)
    }
}

/// An instant of the host's monotonic clock, in microseconds since a moment the host chose.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(u64);

impl Timestamp {
    /// An instant from microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the host's chosen moment.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero if that is in fact later.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn add(self, duration: Duration) -> Self {
        let micros = duration.as_secs().saturating_mul(1_000_000);
        Self(self.0.saturating_add(micros).saturating_add(duration.subsec_micros().into()))
    }
}

/// An instant of the synchronised wall clock, in microseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct WallTime(i64);

impl WallTime {
    /// An instant from microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl Add<MediaTime> for WallTime {
    type Output = Self;
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn add(self, span: MediaTime) -> Self {
        Self(self.0.saturating_add(span.micros()))
    }
}

impl Sub<MediaTime> for WallTime {
    type Output = Self;
    fn sub(self, span: MediaTime) -> Self {
        self + -span
    }
}

impl Sub for WallTime {
    type Output = MediaTime;
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn sub(self, earlier: Self) -> MediaTime {
        MediaTime::from_micros(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_timescales_add_up_without_drift() {
        let frame = MediaTime::from_scaled(1001, 30_000);
        let total = (0..30_000).fold(MediaTime::ZERO, |sum, _| sum + frame);
        assert_eq!(total, MediaTime::from_secs(1001));
        let sample = MediaTime::from_scaled(1024, 44_100);
        assert_eq!(sample.times(44_100), MediaTime::from_secs(1024));
    }

    #[test]
    fn other_timescales_round_to_the_nearest_flick() {
        assert_eq!(MediaTime::from_scaled(1, 10_000_000).flicks(), 71);
        assert_eq!(MediaTime::from_scaled(-1, 10_000_000).flicks(), -71);
    }

    #[test]
    fn absurd_values_saturate() {
        assert_eq!(MediaTime::from_scaled(i64::MAX, 1), MediaTime::MAX);
        assert_eq!(MediaTime::from_unsigned(u64::MAX, 0), MediaTime::MAX);
        assert_eq!(MediaTime::MAX + MediaTime::from_secs(1), MediaTime::MAX);
        assert_eq!(MediaTime::from_seconds(f64::NAN), MediaTime::ZERO);
        assert_eq!(MediaTime::from_seconds(f64::INFINITY), MediaTime::MAX);
    }

    proptest! {
        #[test]
        fn times_are_those_of_long_arithmetic(
            value in prop_oneof![any::<i64>(), -1_000_000_000i64..1_000_000_000],
            timescale in prop_oneof![1u32.., 1u32..100_000],
        ) {
            let (wide, scale) = (i128::from(value), i128::from(timescale));
            let flicks = i128::from(FLICKS_PER_SECOND);
            let clamp = |wide: i128| wide.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            let half = if value < 0 { -(scale / 2) } else { scale / 2 };
            let expected = clamp((wide * flicks + half) / scale).max(-i64::MAX);
            prop_assert_eq!(MediaTime::from_scaled(value, timescale).flicks(), expected);
            // At the very ends it may be off by less than a second.
            let expected = clamp((wide * scale).div_euclid(flicks));
            let (scaled, ends) = (MediaTime::from_flicks(value).scaled(timescale), 1 << 62);
            prop_assert!(scaled == expected || expected.unsigned_abs() > ends);
            let expected = clamp(wide * 7056 / 10);
            prop_assert_eq!(MediaTime::from_micros(value).flicks(), expected);
            let duration = Duration::from_nanos(value.unsigned_abs());
            let expected = i128::from(value.unsigned_abs()) * flicks / 1_000_000_000;
            prop_assert_eq!(MediaTime::from_duration(duration).flicks(), clamp(expected));
        }
    }

    #[test]
    fn seconds_survive_the_trip_through_an_element() {
        for millis in [0, 1, 41, 1_999, 596_458, 36_000_001] {
            let time = MediaTime::from_millis(millis);
            assert_eq!(MediaTime::from_seconds(time.seconds()), time);
        }
    }

    #[test]
    fn microseconds_are_the_nearest() {
        for millis in [0, 1, -1, 1_999, -36_000_001] {
            assert_eq!(MediaTime::from_millis(millis).micros(), millis * 1000);
        }
        // 705.6 flicks are one microsecond.
        let micros =
            [0, 352, 353, 1058, 1059, -352, -353].map(|f| MediaTime::from_flicks(f).micros());
        assert_eq!(micros, [0, 0, 1, 1, 2, 0, -1]);
        assert_eq!(MediaTime::MAX.micros(), 13_071_672_387_832_732);
    }

    #[test]
    fn display_is_seconds() {
        assert_eq!(MediaTime::from_millis(12_345).to_string(), "12.345");
        assert_eq!(MediaTime::from_millis(-50).to_string(), "-0.050");
    }
}
