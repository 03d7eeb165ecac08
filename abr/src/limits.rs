//! What may be chosen at all: the mask that is applied before any rule is asked.

use crate::math::finite_or;
use crate::{Rung, Situation};

/// Limits on the rungs; none by default. Where they leave nothing, the lowest rung that the situation
/// allows is used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Limits {
    /// The highest bitrate, bits per second.
    pub max_bitrate_bps: Option<f64>,
    /// The greatest picture height, pixels.
    pub max_height: Option<u32>,
    /// Height of the area that shows the picture, in physical pixels: no rung is used above the lowest
    /// one that fills it.
    pub viewport_height: Option<u32>,
    /// The greatest picture height the decoder manages, pixels.
    pub decoder_height: Option<u32>,
    /// The highest frame rate the decoder or the display manages, frames per second.
    pub decoder_frame_rate: Option<f64>,
    /// The viewer asked to save data: at most 480 lines, or 1 Mbit/s where heights are unknown.
    pub data_saver: bool,
    /// The network is paid for by volume: at most 720 lines, or 3 Mbit/s where heights are unknown.
    pub metered: bool,
}

/// Why a rung is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Mask {
    /// The caller does not allow it ([`Situation::allowed`]).
    NotAllowed,
    /// [`Limits::max_bitrate_bps`].
    MaxBitrate,
    /// The server suggests no more ([`Hints::max_bitrate_kbps`](crate::Hints::max_bitrate_kbps)).
    Suggested,
    /// [`Limits::max_height`].
    MaxHeight,
    /// A lower one fills [`Limits::viewport_height`].
    Viewport,
    /// [`Limits::decoder_height`] or [`Limits::decoder_frame_rate`].
    Decoder,
    /// [`Limits::data_saver`].
    DataSaver,
    /// [`Limits::metered`].
    Metered,
    /// The device dropped too many of its frames, or of a less demanding one's, a while ago.
    DroppedFrames,
}

impl Mask {
    /// A stable name for logs and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::MaxBitrate => "max-bitrate",
            Self::Suggested => "suggested",
            Self::MaxHeight => "max-height",
            Self::Viewport => "viewport",
            Self::Decoder => "decoder",
            Self::DataSaver => "data-saver",
            Self::Metered => "metered",
            Self::DroppedFrames => "dropped-frames",
        }
    }
}

const DATA_SAVER: (u32, f64) = (480, 1e6);
const METERED: (u32, f64) = (720, 3e6);

/// Rungs that the device could not show fluently, each for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bans {
    counted: Option<Counted>,
    bans: Vec<Ban>,
}

/// Frames of one rung since a point in time.
#[derive(Clone, Copy, Debug)]
struct Counted {
    rung: usize,
    since_us: u64,
    shown: u64,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    rung: usize,
    until_us: u64,
    lasts_us: u64,
}

/// Frames are judged over at least this time, and this many.
const WINDOW_US: u64 = 2_000_000;
const WINDOW_FRAMES: u64 = 40;
/// A rung that loses more of its frames than this is left for a while.
const DROPPED_SHARE: f64 = 0.15;
/// How long it is left at first, and at most: twice as long each time.
const FIRST_BAN_US: u64 = 30_000_000;
const LONGEST_BAN_US: u64 = 480_000_000;
/// More than a ladder has rungs.
const MAX_BANS: usize = 32;

impl Bans {
    /// Takes in frames shown and dropped in `rung` since the report before.
    pub(crate) fn report(&mut self, now_us: u64, rung: usize, shown: u32, dropped: u32) {
        let fresh = Counted { rung, since_us: now_us, shown: 0, dropped: 0 };
        let counted = self.counted.filter(|c| c.rung == rung && c.since_us <= now_us);
        let Some(mut counted) = counted else {
            // What was dropped before belongs to the rung before.
            self.counted = Some(fresh);
            return;
        };
        counted.shown += u64::from(shown);
        counted.dropped += u64::from(dropped);
        let frames = counted.shown + counted.dropped;
        if now_us - counted.since_us < WINDOW_US || frames < WINDOW_FRAMES {
            self.counted = Some(counted);
            return;
        }
        self.counted = Some(fresh);
        if counted.dropped as f64 > DROPPED_SHARE * frames as f64 {
            self.ban(now_us, rung);
        }
    }

    fn ban(&mut self, now_us: u64, rung: usize) {
        let before = self.bans.iter().position(|ban| ban.rung == rung);
        // What was fetched before the ban is still shown for a while.
        if before.is_some_and(|at| self.bans[at].until_us > now_us) {
            return;
        }
        let lasts_us = before.map_or(FIRST_BAN_US, |at| {
            self.bans.remove(at).lasts_us.saturating_mul(2).min(LONGEST_BAN_US)
        });
        if self.bans.len() >= MAX_BANS {
            self.bans.remove(0);
        }
        self.bans.push(Ban { rung, until_us: now_us.saturating_add(lasts_us), lasts_us });
    }

    /// Whether a rung is as demanding as one that is banned.
    fn covers(&self, now_us: u64, rung: &Rung, ladder: &[Rung]) -> bool {
        let banned = self.bans.iter().filter(|ban| ban.until_us > now_us);
        banned.filter_map(|ban| ladder.get(ban.rung)).any(|banned| {
            match (rung.height, banned.height) {
                (Some(height), Some(limit)) if height != limit => height > limit,
                _ => finite_or(rung.bitrate_bps, f64::MAX) >= banned.bitrate_bps,
            }
        })
    }
}

/// What keeps each rung of the situation's ladder from being used; nothing of at least one.
pub(crate) fn masks(
    limits: &Limits,
    suggested_bps: Option<f64>,
    bans: &Bans,
    situation: &Situation<'_>,
) -> Vec<Option<Mask>> {
    let ladder = situation.ladder;
    // The lowest rung that fills the viewport is the highest that makes a difference.
    let filling = limits.viewport_height.and_then(|viewport| {
        ladder.iter().filter_map(|rung| rung.height).filter(|height| *height >= viewport).min()
    });
    let of = |at: usize, rung: &Rung| {
        let saves = |(lines, bps): (u32, f64)| {
            rung.height.map_or(rung.bitrate_bps <= bps, |height| height <= lines)
        };
        let below = |limit: Option<f64>, value: Option<f64>| {
            limit.zip(value).is_none_or(|(limit, value)| value <= limit || limit.is_nan())
        };
        let lines = |limit: Option<u32>| below(limit.map(f64::from), rung.height.map(f64::from));
        let (rate, frames) = (Some(rung.bitrate_bps), rung.frame_rate);
        if !situation.allowed.get(at).copied().unwrap_or(true) {
            Some(Mask::NotAllowed)
        } else if !below(limits.max_bitrate_bps, rate) {
            Some(Mask::MaxBitrate)
        } else if !lines(limits.max_height) {
            Some(Mask::MaxHeight)
        } else if !lines(limits.decoder_height) || !below(limits.decoder_frame_rate, frames) {
            Some(Mask::Decoder)
        } else if limits.data_saver && !saves(DATA_SAVER) {
            Some(Mask::DataSaver)
        } else if limits.metered && !saves(METERED) {
            Some(Mask::Metered)
        } else if !lines(filling) {
            Some(Mask::Viewport)
        } else if !below(suggested_bps, rate) {
            Some(Mask::Suggested)
        } else if bans.covers(situation.now_us, rung, ladder) {
            Some(Mask::DroppedFrames)
        } else {
            None
        }
    };
    let mut masks: Vec<Option<Mask>> =
        ladder.iter().enumerate().map(|(at, rung)| of(at, rung)).collect();
    if !masks.contains(&None) {
        let bitrate = |at: &usize| finite_or(ladder[*at].bitrate_bps, f64::MAX).max(0.0);
        let sane = |at: &usize| ladder[*at].bitrate_bps > 0.0;
        let allowed = (0..ladder.len()).filter(|at| masks[*at] != Some(Mask::NotAllowed));
        if let Some(lowest) =
            allowed.filter(sane).reduce(|a, b| if bitrate(&b) < bitrate(&a) { b } else { a })
        {
            masks[lowest] = None;
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Vec<Rung> {
        [
            (4e5, 270, 25.0),
            (1e6, 480, 25.0),
            (3e6, 720, 25.0),
            (6e6, 1080, 50.0),
            (1.5e7, 2160, 50.0),
        ]
        .map(|(bitrate_bps, height, frame_rate)| Rung {
            height: Some(height),
            frame_rate: Some(frame_rate),
            ..Rung::new(bitrate_bps)
        })
        .to_vec()
    }

    fn highest(limits: Limits) -> usize {
        let ladder = ladder();
        let mask = masks(&limits, None, &Bans::default(), &Situation::new(0, &ladder));
        mask.iter().rposition(Option::is_none).expect("one is always left")
    }

    #[test]
    fn each_limit_takes_off_the_rungs_above_it() {
        let none = Limits::default();
        assert_eq!(highest(none), 4);
        assert_eq!(highest(Limits { max_bitrate_bps: Some(3e6), ..none }), 2);
        assert_eq!(highest(Limits { max_height: Some(1080), ..none }), 3);
        assert_eq!(highest(Limits { decoder_height: Some(720), ..none }), 2);
        assert_eq!(highest(Limits { decoder_frame_rate: Some(30.0), ..none }), 2);
        assert_eq!(highest(Limits { data_saver: true, ..none }), 1);
        assert_eq!(highest(Limits { metered: true, ..none }), 2);
        // 600 lines are filled by 720, and by nothing less.
        assert_eq!(highest(Limits { viewport_height: Some(600), ..none }), 2);
        assert_eq!(highest(Limits { viewport_height: Some(4000), ..none }), 4);
    }

    #[test]
    fn the_lowest_rung_is_left_when_nothing_fits() {
        assert_eq!(highest(Limits { max_bitrate_bps: Some(1.0), ..Limits::default() }), 0);
    }

    #[test]
    fn a_rung_that_drops_frames_is_banned_for_a_while_and_longer_the_next_time() {
        let ladder = ladder();
        let mut bans = Bans::default();
        let top = |bans: &Bans, now_s: u64| {
            let situation = Situation::new(now_s * 1_000_000, &ladder);
            masks(&Limits::default(), None, bans, &situation).iter().rposition(Option::is_none)
        };
        let play = |bans: &mut Bans, from_s: u64, dropped: u32| {
            let mut at_s = from_s;
            for _ in 0..5 {
                bans.report(at_s * 1_000_000, 3, 50 - dropped, dropped);
                at_s += 1;
            }
            at_s
        };
        play(&mut bans, 0, 2);
        assert_eq!(top(&bans, 5), Some(4), "a few lost frames are no reason");
        let banned_s = play(&mut bans, 10, 20);
        assert_eq!(top(&bans, banned_s), Some(2), "and what is more demanding is banned too");
        assert_eq!(top(&bans, banned_s + 40), Some(4));
        let banned_s = play(&mut bans, 60, 20);
        assert_eq!(top(&bans, banned_s + 40), Some(2));
        assert_eq!(top(&bans, banned_s + 70), Some(4));
    }
}
