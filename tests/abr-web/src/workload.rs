//! What is timed: the default rule in the middle of a session.

use kinora_abr::{Abr, Action, Config, Event, Kind, Phase, Rung, Situation};
use wasm_bindgen::prelude::*;

/// Every decision of a made-up session with every rule, as one number.
#[cfg(feature = "fingerprint")]
#[wasm_bindgen]
pub fn fingerprint(seed: u64) -> u64 {
    kinora_abr::fingerprint(seed)
}

const SEGMENT_S: f64 = 3.0;
const BUFFER_S: f64 = 12.0;
/// Bit rates of a ladder up to 4K, bit/s.
const BITRATES: [f64; 10] =
    [2.3e5, 3.75e5, 5.6e5, 7.5e5, 1.05e6, 1.75e6, 2.35e6, 3e6, 4.3e6, 5.8e6];

/// A session that has loaded a few segments.
#[wasm_bindgen]
pub struct Workload {
    abr: Abr,
    ladder: [Rung; BITRATES.len()],
    now_us: u64,
    requests: u64,
}

#[wasm_bindgen]
impl Workload {
    /// A session whose tables have yet to be made.
    #[wasm_bindgen(constructor)]
    #[expect(clippy::new_without_default, reason = "a constructor for JavaScript")]
    pub fn new() -> Self {
        let mut workload = Self {
            abr: Abr::new(Config::default()),
            ladder: BITRATES.map(Rung::new),
            now_us: 1_000_000,
            requests: 0,
        };
        for rate_bps in [3.1e6, 2.2e6, 4.0e6, 2.7e6] {
            workload.transfer(rate_bps);
        }
        workload
    }

    /// Makes one slice of what the rule needs beforehand. Whether all is made.
    pub fn prepare(&mut self) -> bool {
        let situation = situation(self.now_us, &self.ladder);
        self.abr.prepare(&situation)
    }

    /// Decides once, after a transfer that changed the estimate; gives the rung, or 255 to wait.
    pub fn decide(&mut self) -> u8 {
        let rate_bps = 2e6 + 1e5 * (self.requests % 17) as f64;
        self.transfer(rate_bps);
        let decision = self.abr.decide(&situation(self.now_us, &self.ladder));
        match decision.action {
            Action::Fetch { rung } | Action::Replace { rung, .. } => rung as u8,
            Action::WaitUntil { .. } => u8::MAX,
        }
    }

    /// Reports a segment of 1 Mbit/s, loaded at this rate.
    fn transfer(&mut self, rate_bps: f64) {
        let id = self.requests;
        self.requests += 1;
        let bytes = (1e6 * SEGMENT_S / 8.0) as u64;
        let events = [
            (0, Event::RequestStarted { id, kind: Kind::Video, rung: Some(4) }),
            (50_000, Event::FirstByte { id }),
            (
                (1e6 * SEGMENT_S / rate_bps * 1e6) as u64,
                Event::RequestEnded { id, bytes, from_cache: false, application_limited: false },
            ),
        ];
        for (after_us, event) in events {
            self.now_us += after_us;
            self.abr.handle(self.now_us, event);
        }
    }
}

fn situation(now_us: u64, ladder: &[Rung]) -> Situation<'_> {
    Situation {
        phase: Phase::Playing,
        buffer_s: BUFFER_S,
        buffer_goal_s: 30.0,
        segment_duration_s: SEGMENT_S,
        current: Some(4),
        ..Situation::new(now_us, ladder)
    }
}
