//! What others say about the network before anything was measured.

use crate::SavedEstimate;

/// Hints for [`Abr::hint`](crate::Abr::hint).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Hints {
    /// `etp` of CMSD-Dynamic (CTA-5006): the throughput the server expects, kbit/s.
    pub estimated_throughput_kbps: Option<f64>,
    /// `mb` of CMSD-Dynamic: the highest bitrate the server suggests, kbit/s. In force until the next
    /// hints.
    pub max_bitrate_kbps: Option<f64>,
    /// Round-trip time, seconds.
    pub round_trip_s: Option<f64>,
    /// What the platform says the device is connected by.
    pub network: Option<Network>,
}

/// What a device is connected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Network {
    /// A cable.
    Wired,
    /// Wi-Fi.
    Wifi,
    /// 5G.
    Cellular5G,
    /// 4G (LTE).
    Cellular4G,
    /// 3G (UMTS, HSPA).
    Cellular3G,
    /// 2G (GPRS, EDGE).
    Cellular2G,
}

impl Network {
    /// Throughput and time to first byte to start from: of what is usual, the low end, because a start
    /// that is too low is corrected by the first segment and one that is too high stalls.
    const fn usual(self) -> (f64, f64) {
        match self {
            Self::Wired => (5e6, 0.05),
            Self::Wifi => (3e6, 0.06),
            Self::Cellular5G => (4e6, 0.06),
            Self::Cellular4G => (2e6, 0.1),
            Self::Cellular3G => (5e5, 0.2),
            Self::Cellular2G => (6e4, 0.6),
        }
    }
}

impl Hints {
    /// The estimate they amount to; the server's word counts more than the kind of network.
    pub fn estimate(&self) -> Option<SavedEstimate> {
        let usual = self.network.map(Network::usual);
        let sound = |x: &f64| x.is_finite() && *x > 0.0;
        let told = self.estimated_throughput_kbps.filter(sound).map(|kbps| kbps * 1000.0);
        Some(SavedEstimate {
            throughput_bps: told.or(usual.map(|usual| usual.0))?,
            ttfb_s: self.round_trip_s.filter(sound).or(usual.map(|usual| usual.1)).unwrap_or(0.1),
        })
    }
}
