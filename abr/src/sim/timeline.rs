//! A trace laid out in time, so that the end of any transfer is found by bisection.

use crate::sim::{Period, Trace};

/// Answers when a request ends that starts at some time, with the semantics of a download in
/// [`play`](crate::sim::play).
pub(super) struct Timeline<'a> {
    periods: &'a [Period],
    /// When each period ends, milliseconds from the start of the trace.
    ends_ms: Vec<f64>,
    /// Bits carried until the end of each period.
    carried: Vec<f64>,
}

impl<'a> Timeline<'a> {
    /// Lays out a sound trace.
    pub(super) fn new(trace: &'a Trace) -> Self {
        let (mut end_ms, mut bits) = (0.0, 0.0);
        let (mut ends_ms, mut carried) = (Vec::new(), Vec::new());
        for period in &trace.0 {
            end_ms += period.duration_ms;
            bits += period.duration_ms * period.bandwidth_kbps;
            ends_ms.push(end_ms);
            carried.push(bits);
        }
        Self { periods: &trace.0, ends_ms, carried }
    }

    /// When a request for `bits` ends that goes out at `start_ms`.
    pub(super) fn finish(&self, start_ms: f64, bits: f64) -> f64 {
        let cycle_ms = self.ends_ms.last().copied().unwrap_or(0.0);
        let cycle_bits = self.carried.last().copied().unwrap_or(0.0);
        let mut begun_ms = libm::floor(start_ms / cycle_ms) * cycle_ms;
        let mut at_ms = start_ms - begun_ms;
        let mut index = self.ends_ms.partition_point(|&end| end < at_ms);

        // One unit of latency, spent in parts where it crosses into a period with another.
        let mut units = 1.0;
        loop {
            let Some(period) = self.periods.get(index) else {
                // The trace starts again.
                (begun_ms, at_ms, index) = (begun_ms + cycle_ms, 0.0, 0);
                continue;
            };
            let left_ms = self.ends_ms[index] - at_ms;
            if units * period.latency_ms <= left_ms {
                at_ms += units * period.latency_ms;
                break;
            }
            units -= left_ms / period.latency_ms;
            at_ms = self.ends_ms[index];
            index += 1;
        }

        let to_come = (self.ends_ms[index] - at_ms) * self.periods[index].bandwidth_kbps;
        let mut wanted = self.carried[index] - to_come + bits;
        let cycles = libm::floor(wanted / cycle_bits);
        wanted -= cycles * cycle_bits;
        begun_ms += cycles * cycle_ms;
        let index = self.carried.partition_point(|&bits| bits < wanted);
        let Some(period) = self.periods.get(index) else { return begun_ms + cycle_ms };
        if period.bandwidth_kbps <= 0.0 {
            // Exactly what the whole cycles before carried.
            return begun_ms;
        }
        begun_ms + self.ends_ms[index] - (self.carried[index] - wanted) / period.bandwidth_kbps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::network::Network;

    #[test]
    fn agrees_with_a_download_step_by_step() {
        let period = |duration_ms, bandwidth_kbps, latency_ms| Period {
            duration_ms,
            bandwidth_kbps,
            latency_ms,
        };
        let trace = Trace(vec![
            period(0.0, 50.0, 100.0),
            period(1000.0, 100.0, 200.0),
            period(500.0, 0.0, 200.0),
            period(1000.0, 400.0, 50.0),
            period(300.0, 0.0, 0.0),
        ]);
        let timeline = Timeline::new(&trace);
        for start in 0..60 {
            for size in 1..40 {
                let (start_ms, bits) = (f64::from(start) * 93.7, f64::from(size * size) * 3001.0);
                let mut network = Network::new(&trace);
                network.idle(start_ms);
                let expected = start_ms + network.download(bits).elapsed_ms;
                let finish = timeline.finish(start_ms, bits);
                assert!((finish - expected).abs() < 1e-6, "{start_ms} {bits}: {finish} {expected}");
            }
        }
    }
}
