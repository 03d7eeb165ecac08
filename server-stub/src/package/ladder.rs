//! The bitrate ladder: which sizes and rates a source is offered in.

use super::source::Probe;
use crate::{Error, Result};
use std::str::FromStr;

/// A ladder always has this many rungs at least.
pub const MIN_RUNGS: usize = 5;
/// Heights offered below the source's own, in lines.
const HEIGHTS: [u32; 9] = [2160, 1440, 1080, 720, 540, 432, 360, 270, 180];
/// No ladder needs more than this many.
const MAX_RUNGS: usize = 8;
/// Below this many lines a smaller picture saves nothing: the rate alone goes down.
const SMALLEST_HEIGHT: u32 = 36;
/// Bits a second that 1280x720 at 24 frames a second asks for in H.264.
const REFERENCE_BITRATE: f64 = 2_800_000.0;
/// What a single fast pass needs more than the source spent to look the same.
const SOURCE_HEADROOM: f64 = 1.6;
/// Neighbouring rungs differ in rate by this factor at least, so that a switch is worth making.
const MIN_STEP: f64 = 1.35;
/// Less than this is not worth a rung's name.
const LOWEST_BITRATE: f64 = 24_000.0;
/// The rate that is never passed for longer than the decoder's buffer, relative to the target.
const PEAK: f64 = 1.2;

/// One video representation to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Target bits a second.
    pub bitrate: u64,
    /// The H.264 profile.
    pub profile: Profile,
}

/// H.264 profiles (ITU-T H.264 annex A), by what the devices that play a rung can decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// No B-frames, no CABAC: what everything decodes.
    Baseline,
    /// B-frames and CABAC.
    Main,
    /// 8x8 transforms.
    High,
}

/// A rung as asked for by hand: `HEIGHT:KBPS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RungSpec {
    /// Height in lines.
    pub height: u32,
    /// Target rate in 1000 bits a second.
    pub kbps: u32,
}

impl Profile {
    fn for_height(height: u32) -> Self {
        match height {
            0..=288 => Self::Baseline,
            289..=480 => Self::Main,
            _ => Self::High,
        }
    }

    /// The name x264 knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Main => "main",
            Self::High => "high",
        }
    }
}

impl Rung {
    /// Bits a second that it never costs for longer than the decoder's buffer lasts.
    pub fn peak(&self) -> u64 {
        (self.bitrate as f64 * PEAK) as u64
    }

    fn of(probe: &Probe, height: u32, bitrate: u64) -> Self {
        let width = f64::from(probe.width) * f64::from(height) / f64::from(probe.height);
        let width = even(width).clamp(2, even(f64::from(probe.width)).max(2));
        Self { width, height, bitrate, profile: Profile::for_height(height) }
    }
}

impl FromStr for RungSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(height, kbps)| Some((height.parse().ok()?, kbps.parse().ok()?)))
            .filter(|(height, kbps)| (16..=4320).contains(height) && (8..=200_000).contains(kbps))
            .filter(|(height, _)| height % 2 == 0)
            .map(|(height, kbps)| Self { height, kbps })
            .ok_or_else(|| format!("{text:?} is no rung; write HEIGHT:KBPS, such as 720:2800"))
    }
}

/// Chooses the ladder for a source, best rung first. The first has the source's own size; no rung is
/// larger; each is lower and costs less than the one before.
pub fn choose(probe: &Probe) -> Vec<Rung> {
    let heights = heights(even(f64::from(probe.height)).max(2));
    let mut bitrate = heights.first().map_or(0, |top| model(probe, *top));
    if let Some(spent) = probe.video_bitrate {
        bitrate = bitrate.min((spent as f64 * SOURCE_HEADROOM) as u64);
    }
    let count = heights.len();
    let mut rungs: Vec<Rung> = Vec::with_capacity(count);
    for (index, height) in heights.into_iter().enumerate() {
        if let Some(above) = rungs.last() {
            bitrate = model(probe, height).min((above.bitrate as f64 / MIN_STEP) as u64);
        }
        // Leaves room for the steps below, however small the source is.
        let below = (count - 1 - index) as i32;
        bitrate = bitrate.max((LOWEST_BITRATE * MIN_STEP.powi(below)) as u64);
        rungs.push(Rung::of(probe, height, bitrate));
    }
    rungs
}

/// The ladder as asked for by hand, best rung first.
///
/// # Errors
/// [`Error::Option`] when it is empty, repeats a rung, or asks for more lines than the source has.
pub fn from_specs(probe: &Probe, specs: &[RungSpec]) -> Result<Vec<Rung>> {
    let refuse = |reason| Err(Error::Option { flag: "--ladder", reason });
    let mut specs = specs.to_vec();
    specs.sort_by_key(|spec| std::cmp::Reverse((spec.kbps, spec.height)));
    if specs.is_empty() {
        return refuse("it has no rung".into());
    }
    if let Some(tall) = specs.iter().find(|spec| spec.height > probe.height) {
        let (asked, has) = (tall.height, probe.height);
        return refuse(format!("{asked} lines is more than the source's {has}"));
    }
    if let Some([same, _]) = specs.windows(2).find(|pair| pair[0].kbps == pair[1].kbps) {
        return refuse(format!("two rungs of {} kbit/s", same.kbps));
    }
    Ok(specs.iter().map(|s| Rung::of(probe, s.height, u64::from(s.kbps) * 1000)).collect())
}

/// Heights from the source's own downwards.
fn heights(source: u32) -> Vec<u32> {
    // A step smaller than a tenth is not a different size.
    let distinct = |height: &&u32| f64::from(**height) <= f64::from(source) * 0.9;
    let mut heights = vec![source];
    heights.extend(HEIGHTS.iter().filter(distinct));
    heights.truncate(MAX_RUNGS);
    // The two smallest standard sizes only fill up short ladders.
    while heights.len() > MIN_RUNGS && heights.last().is_some_and(|h| *h < 270) {
        heights.pop();
    }
    if heights.len() < MIN_RUNGS {
        let mut height = source;
        heights.truncate(1);
        while heights.len() < MIN_RUNGS {
            height = even(f64::from(height) * 0.8).max(SMALLEST_HEIGHT.min(source));
            heights.push(height);
        }
    }
    heights
}

/// Bits a second for a height: growing a little slower than the number of pixels, since larger pictures
/// have larger smooth areas, and with the square root of the frame rate.
fn model(probe: &Probe, height: u32) -> u64 {
    let aspect = f64::from(probe.width) / f64::from(probe.height);
    let pixels = f64::from(height) * f64::from(height) * aspect;
    let rate = (probe.frame_rate.as_f64() / 24.0).sqrt();
    (REFERENCE_BITRATE * (pixels / 921_600.0).powf(0.92) * rate) as u64
}

/// The nearest even number not above.
fn even(n: f64) -> u32 {
    (n.round() as u32) & !1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::source::FrameRate;
    use proptest::prelude::*;

    fn probe(width: u32, height: u32, video_bitrate: Option<u64>) -> Probe {
        let frame_rate = FrameRate { frames: 24, seconds: 1 };
        let (duration, audio, title, interlaced) = (60.0, None, None, false);
        Probe { width, height, frame_rate, duration, video_bitrate, interlaced, audio, title }
    }

    fn sizes(width: u32, height: u32) -> Vec<(u32, u32)> {
        choose(&probe(width, height, None)).iter().map(|r| (r.width, r.height)).collect()
    }

    #[test]
    fn usual_sources_get_the_usual_ladders() {
        assert_eq!(sizes(1280, 720), [(1280, 720), (960, 540), (768, 432), (640, 360), (480, 270)]);
        let heights = |w, h| sizes(w, h).iter().map(|s| s.1).collect::<Vec<_>>();
        assert_eq!(heights(1920, 1080), [1080, 720, 540, 432, 360, 270]);
        assert_eq!(heights(3840, 2160), [2160, 1440, 1080, 720, 540, 432, 360, 270]);
        assert_eq!(heights(640, 360), [360, 288, 230, 184, 146]);
    }

    #[test]
    fn a_source_of_low_rate_lowers_the_whole_ladder() {
        let spent = 640_000;
        let rates: Vec<_> =
            choose(&probe(1280, 720, Some(spent))).iter().map(|r| r.bitrate).collect();
        assert_eq!(rates[0], 1_024_000);
        assert!(rates.windows(2).all(|pair| pair[0] as f64 / pair[1] as f64 > 1.3), "{rates:?}");
    }

    #[test]
    fn a_ladder_by_hand_is_checked_against_the_source() {
        let parse = |text: &str| text.parse::<RungSpec>();
        let specs = [parse("180:200").unwrap(), parse("360:700").unwrap()];
        let rungs = from_specs(&probe(640, 360, None), &specs).unwrap();
        assert_eq!(rungs.iter().map(|r| r.height).collect::<Vec<_>>(), [360, 180]);
        assert!(matches!(
            from_specs(&probe(320, 180, None), &specs),
            Err(Error::Option { flag: "--ladder", .. })
        ));
        assert!(parse("361:100").is_err());
        assert!(parse("360").is_err());
    }

    proptest! {
        #[test]
        fn any_source_gets_a_descending_ladder_no_larger_than_itself(
            width in 2_u32..8000, height in 2_u32..5000, spent in proptest::option::of(1_u64..100_000_000),
        ) {
            let rungs = choose(&probe(width, height, spent));
            prop_assert!((MIN_RUNGS..=MAX_RUNGS).contains(&rungs.len()));
            for rung in &rungs {
                prop_assert!(rung.width <= width && rung.height <= height);
                prop_assert!(rung.width >= 2 && rung.height >= 2);
                prop_assert!(rung.width % 2 == 0 && rung.height % 2 == 0);
            }
            for pair in rungs.windows(2) {
                prop_assert!(pair[0].bitrate > pair[1].bitrate, "{rungs:?}");
                prop_assert!(pair[0].height > pair[1].height || pair[0].height <= SMALLEST_HEIGHT);
            }
        }
    }
}
