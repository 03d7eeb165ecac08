//! What comes out: the action, and why.

use core::fmt;

use crate::{Estimate, Rule};

/// An answer to "which segment next?".
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Why.
    pub reasons: Reasons,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Request the segment in this rung (index into the situation's ladder).
    Fetch {
        /// Index into the ladder.
        rung: usize,
    },
    /// Request a queued segment again in another rung, and put it in the place of the one that waits
    /// there when it is complete in time.
    Replace {
        /// Index into the situation's queued segments.
        queued: usize,
        /// Index into the ladder.
        rung: usize,
    },
    /// Request nothing before this time; then ask again.
    WaitUntil {
        /// Monotonic time, microseconds.
        at_us: u64,
    },
}

/// An answer to "go on with the segment in flight?".
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InFlightDecision {
    /// What to do.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Reasons,
}

/// What to do with the segment in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Verdict {
    /// Let it finish.
    Continue,
    /// Cancel it and request the same segment in this lower rung.
    AbandonTo {
        /// Index into the ladder.
        rung: usize,
    },
    /// Cancel it and decide afresh: it was to replace a queued segment, and no longer pays.
    Drop,
}

/// Why a decision fell as it did.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reasons {
    /// The rule that decided.
    pub rule: Rule,
    /// What tipped the balance.
    pub cause: Cause,
    /// What was believed about the network.
    pub estimate: Estimate,
    /// The rungs weighed, ascending; masked ones are not among them.
    pub candidates: Vec<Candidate>,
}

/// A rung that was weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candidate {
    /// Index into the ladder.
    pub rung: usize,
    /// Median time to fetch the segment in this rung, seconds.
    pub download_s: f64,
    /// Median buffer level once it has arrived, seconds.
    pub predicted_buffer_s: f64,
    /// Probability that the buffer runs dry before it has arrived, 0 to 1.
    pub stall_probability: f64,
    /// Its quality in the configured utility.
    pub quality: f64,
    /// What the rule holds against it, in the rule's own unit; the lowest was preferred unless a
    /// safeguard stepped in.
    pub cost: f64,
}

/// What tipped the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Cause {
    /// Nothing is known or shown yet: start quickly.
    Startup,
    /// Only one rung may be chosen.
    OnlyRung,
    /// The highest rung the throughput sustains.
    ThroughputBound,
    /// The buffer is too short for a larger segment.
    BufferLow,
    /// The buffer level calls for this rung.
    BufferBased,
    /// The best expected outcome over the segments to come.
    Planned,
    /// A climb was held back to what the throughput sustains.
    ClimbHeld,
    /// The buffer is full.
    BufferFull,
    /// Fetching later loses nothing.
    Ahead,
    /// A better picture of a queued segment is worth more than what the transfer takes from the buffer.
    Upgrade,
    /// Kept against outages, in the quality that costs least; fetched again before it is shown.
    Reserve,
    /// The transfer goes as expected.
    OnTrack,
    /// The transfer is too far along, or too small, to be given up.
    NotWorthAbandoning,
    /// The transfer would finish after the buffer has run dry.
    StallAhead,
    /// The transfer takes far longer than the media it carries lasts.
    TooSlow,
    /// Segments are not abandoned: it is the lowest rung, the limit is reached, or it is switched off.
    AbandonmentRuledOut,
}

impl Cause {
    /// A stable name for logs and scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::OnlyRung => "only-rung",
            Self::ThroughputBound => "throughput-bound",
            Self::BufferLow => "buffer-low",
            Self::BufferBased => "buffer-based",
            Self::Planned => "planned",
            Self::ClimbHeld => "climb-held",
            Self::BufferFull => "buffer-full",
            Self::Ahead => "ahead",
            Self::Upgrade => "upgrade",
            Self::Reserve => "reserve",
            Self::OnTrack => "on-track",
            Self::NotWorthAbandoning => "not-worth-abandoning",
            Self::StallAhead => "stall-ahead",
            Self::TooSlow => "too-slow",
            Self::AbandonmentRuledOut => "abandonment-ruled-out",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "starting: the quickest rung that fits the start-up budget",
            Self::OnlyRung => "only one rung may be chosen",
            Self::ThroughputBound => "the highest rung the network sustains",
            Self::BufferLow => "the buffer is too short for a larger segment",
            Self::BufferBased => "the buffer level calls for this rung",
            Self::Planned => "the best expected outcome over the segments to come",
            Self::ClimbHeld => "climbing held back to what the network sustains",
            Self::BufferFull => "the buffer is full",
            Self::Ahead => "far enough ahead: fetching later loses nothing",
            Self::Upgrade => "a queued segment is worth fetching again",
            Self::Reserve => "kept against outages, in the quality that costs least",
            Self::OnTrack => "the transfer goes as expected",
            Self::NotWorthAbandoning => "finishing is quicker than starting a smaller one",
            Self::StallAhead => "finishing would take longer than the buffer lasts",
            Self::TooSlow => "the transfer is slower than playback by far",
            Self::AbandonmentRuledOut => "this transfer may not be abandoned",
        })
    }
}
