//! A network that does what a trace recorded.

/// A stretch of constant conditions.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Period {
    /// How long it lasts, milliseconds.
    pub duration_ms: f64,
    /// What it carries, kbit/s.
    pub bandwidth_kbps: f64,
    /// Delay before the first bit of a request, milliseconds.
    pub latency_ms: f64,
}

/// A recorded network: its periods follow one another and start again after the last.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Trace(pub Vec<Period>);

impl Trace {
    /// Whether a download over it can ever end: finite numbers, some bandwidth for some time.
    pub fn is_sound(&self) -> bool {
        let sound = |p: &Period| {
            let numbers = [p.duration_ms, p.bandwidth_kbps, p.latency_ms];
            numbers.iter().all(|n| n.is_finite() && *n >= 0.0)
        };
        self.0.iter().all(sound)
            && self.0.iter().any(|p| p.bandwidth_kbps > 0.0 && p.duration_ms > 0.0)
    }
}

/// A position on a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network<'a> {
    trace: &'a [Period],
    index: usize,
    left_ms: f64,
}

const NOTHING: Period = Period { duration_ms: f64::INFINITY, bandwidth_kbps: 1.0, latency_ms: 0.0 };

/// Progress is looked at no more often than this.
const PROGRESS_BITS: f64 = 12_000.0;
const PROGRESS_MS: f64 = 50.0;

/// How a download went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Transfer {
    pub(super) elapsed_ms: f64,
    pub(super) latency_ms: f64,
    pub(super) bits: f64,
}

impl<'a> Network<'a> {
    pub(super) fn new(trace: &'a Trace) -> Self {
        let left_ms = trace.0.first().unwrap_or(&NOTHING).duration_ms;
        Self { trace: &trace.0, index: 0, left_ms }
    }

    fn period(&self) -> &'a Period {
        self.trace.get(self.index).unwrap_or(&NOTHING)
    }

    fn next_period(&mut self) {
        self.index = if self.index + 1 < self.trace.len() { self.index + 1 } else { 0 };
        self.left_ms = self.period().duration_ms;
    }

    /// Lets time pass unused.
    pub(super) fn idle(&mut self, mut ms: f64) {
        while ms > self.left_ms {
            ms -= self.left_ms;
            self.next_period();
        }
        self.left_ms -= ms;
    }

    /// One unit of latency: consumed in parts where it crosses into a period with another latency.
    fn latency(&mut self) -> f64 {
        let (mut units, mut total_ms) = (1.0, 0.0);
        while units > 0.0 {
            let latency_ms = self.period().latency_ms;
            let ms = units * latency_ms;
            if ms <= self.left_ms {
                total_ms += ms;
                self.left_ms -= ms;
                units = 0.0;
            } else {
                total_ms += self.left_ms;
                units -= self.left_ms / latency_ms;
                self.next_period();
            }
        }
        total_ms
    }

    /// Milliseconds to transfer `bits`.
    fn transfer(&mut self, mut bits: f64) -> f64 {
        let mut total_ms = 0.0;
        while bits > 0.0 {
            let bandwidth = self.period().bandwidth_kbps;
            if bits <= self.left_ms * bandwidth {
                let ms = bits / bandwidth;
                total_ms += ms;
                self.left_ms -= ms;
                bits = 0.0;
            } else {
                total_ms += self.left_ms;
                bits -= self.left_ms * bandwidth;
                self.next_period();
            }
        }
        total_ms
    }

    /// Transfers up to `bits`, but no more than it takes to have both `min_bits` and `min_ms`.
    fn some_of(&mut self, mut bits: f64, mut min_bits: f64, mut min_ms: f64) -> (f64, f64) {
        let (mut total_bits, mut total_ms) = (0.0, 0.0);
        while bits > 0.0 && (min_bits > 0.0 || min_ms > 0.0) {
            let bandwidth = self.period().bandwidth_kbps;
            let (moved, ms);
            if bandwidth > 0.0 {
                let wanted = min_bits.max(min_ms * bandwidth);
                let until_next = self.left_ms * bandwidth;
                if bits <= wanted && bits <= until_next {
                    moved = bits;
                    ms = moved / bandwidth;
                    self.left_ms -= ms;
                } else if wanted <= until_next {
                    moved = wanted;
                    ms = moved / bandwidth;
                    min_bits = 0.0;
                    min_ms = 0.0;
                    self.left_ms -= ms;
                } else {
                    moved = until_next;
                    ms = self.left_ms;
                    self.next_period();
                }
            } else {
                moved = 0.0;
                if min_bits > 0.0 || min_ms > self.left_ms {
                    ms = self.left_ms;
                    self.next_period();
                } else {
                    ms = min_ms;
                    self.left_ms -= ms;
                }
            }
            total_bits += moved;
            total_ms += ms;
            bits -= moved;
            min_bits -= moved;
            min_ms -= ms;
        }
        (total_bits, total_ms)
    }

    /// Downloads `bits` to the end.
    pub(super) fn download(&mut self, bits: f64) -> Transfer {
        let latency_ms = self.latency();
        Transfer { elapsed_ms: latency_ms + self.transfer(bits), latency_ms, bits }
    }

    /// Downloads `bits` unless `give_up` says so at one of its looks.
    pub(super) fn download_unless<T>(
        &mut self,
        bits: f64,
        mut give_up: impl FnMut(&Transfer) -> Option<T>,
    ) -> (Transfer, Option<T>) {
        let latency_ms = self.latency();
        let mut transfer = Transfer { elapsed_ms: latency_ms, latency_ms, bits: 0.0 };
        let mut min_ms = PROGRESS_MS - latency_ms;
        while transfer.bits < bits {
            let (moved, ms) = self.some_of(bits - transfer.bits, PROGRESS_BITS, min_ms);
            transfer.elapsed_ms += ms;
            transfer.bits += moved;
            if transfer.bits < bits
                && let Some(answer) = give_up(&transfer)
            {
                return (transfer, Some(answer));
            }
            min_ms = PROGRESS_MS;
        }
        (transfer, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let period = |duration_ms, bandwidth_kbps, latency_ms| Period {
            duration_ms,
            bandwidth_kbps,
            latency_ms,
        };
        Trace(vec![
            period(1000.0, 100.0, 200.0),
            period(500.0, 0.0, 200.0),
            period(1000.0, 400.0, 50.0),
        ])
    }

    #[test]
    fn a_download_crosses_periods_and_wraps_around() {
        let trace = trace();
        let mut network = Network::new(&trace);
        // 200 ms latency, 800 ms at 100, an outage of 500 ms, 1000 ms at 400, and 200 ms at 100 again.
        let transfer = network.download(80_000.0 + 400_000.0 + 20_000.0);
        assert_eq!(transfer.latency_ms, 200.0);
        assert_eq!(transfer.elapsed_ms, 2700.0);
    }

    #[test]
    fn latency_is_spent_in_parts_across_a_change() {
        let trace = trace();
        let mut network = Network::new(&trace);
        network.idle(1400.0);
        // 100 of 200 ms before the change: half a unit; the other half costs half of 50 ms.
        assert_eq!(network.download(400.0).latency_ms, 125.0);
    }

    #[test]
    fn looks_come_at_steps_of_both_size_and_time() {
        let trace = trace();
        let mut looks = Vec::new();
        let (transfer, answer) = Network::new(&trace).download_unless(30_000.0, |t| {
            looks.push((t.bits, t.elapsed_ms));
            (looks.len() == 2).then_some("enough")
        });
        // 12 kbit at 100 kbit/s take longer than 50 ms.
        assert_eq!(looks, [(12_000.0, 320.0), (24_000.0, 440.0)]);
        assert_eq!(answer, Some("enough"));
        assert_eq!(transfer.bits, 24_000.0);
        let (whole, none) = Network::new(&trace).download_unless(30_000.0, |_| None::<()>);
        assert_eq!(none, None);
        assert_eq!(whole, Network::new(&trace).download(30_000.0));
    }
}
