//! What a transfer in chunks says about the network, when its pace as a whole is the encoder's.
//!
//! A low-latency segment is sent while it is encoded: its bytes over its time give the rate of the
//! encoder. But each chunk (CMAF, ISO/IEC 23000-19 7.3.2.3) is sent at once when it is complete, so that the time
//! from its first byte to its last is the network's.

use crate::Sample;

/// Chunks of one transfer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks {
    /// Bits and seconds.
    list: Vec<(f64, f64)>,
}

/// Fewer chunks than this say nothing.
const ENOUGH: usize = 3;
/// A chunk that arrived within this time was in a buffer on the way, seconds.
const SHORTEST_S: f64 = 0.001;
/// More than a segment has; later ones count no more.
const MOST: usize = 64;

impl Chunks {
    pub(crate) fn push(&mut self, bytes: u64, transfer_s: f64) {
        if transfer_s > SHORTEST_S && bytes > 0 && self.list.len() < MOST {
            self.list.push((bytes as f64 * 8.0, transfer_s));
        }
    }

    /// All bits at the median of the chunks' rates: a chunk that waited for the encoder half-way is as
    /// little of a measurement as one that came out of a buffer.
    pub(crate) fn sample(&self) -> Option<Sample> {
        // The last one ends with the segment, which may be closed late.
        let list = self.list.split_last().map(|(_, list)| list).filter(|l| l.len() >= ENOUGH)?;
        let mut rates: Vec<f64> = Vec::new();
        for (bits, transfer_s) in list {
            let rate = bits / transfer_s;
            rates.insert(rates.partition_point(|&before| before < rate), rate);
        }
        let median = rates.get(rates.len() / 2)?;
        let bits = list.iter().map(|(bits, _)| bits).sum::<f64>();
        Some(Sample { bits, transfer_s: bits / median })
    }
}
