//! How many requests a minute there may be, whatever happens.

use core::time::Duration;

use crate::time::Timestamp;

/// A bucket of requests that fills up again evenly: a quarter of a minute's may go out at once, and in
/// no minute more than all of them.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Millionths of a request.
    left: u64,
    at: Timestamp,
}

const WHOLE: u64 = 1_000_000;
const MINUTE: u64 = 60;

impl Allowance {
    pub(super) fn new(now: Timestamp) -> Self {
        // Bounded by the first refill.
        Self { left: u64::MAX, at: now }
    }

    /// Takes a request out; or says when there will be one.
    pub(super) fn take(&mut self, now: Timestamp, per_minute: u32) -> Result<(), Timestamp> {
        let per_minute = u64::from(per_minute.max(1));
        let most = (per_minute / 4).max(1) * WHOLE;
        // Three quarters flow in: millionths a microsecond are requests a second.
        let flow = per_minute - per_minute / 4;
        let elapsed = now.since(self.at).as_micros() as u64;
        let fresh = elapsed.saturating_mul(flow) / MINUTE;
        // What is too little to count is left to the next call.
        if fresh > 0 || self.left > most {
            self.left = self.left.saturating_add(fresh).min(most);
            self.at = now;
        }
        match self.left.checked_sub(WHOLE) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let wait = (WHOLE - self.left) * MINUTE / flow.max(1) + 1;
                Err(now + Duration::from_micros(wait))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_sees_more_than_its_share() {
        for per_minute in [1u32, 4, 60, 1_000] {
            let mut now = Timestamp::from_micros(5);
            let mut allowance = Allowance::new(now);
            let mut went: Vec<Timestamp> = Vec::new();
            let end = now + Duration::from_secs(200);
            while now < end {
                match allowance.take(now, per_minute) {
                    Ok(()) => went.push(now),
                    Err(at) => {
                        assert!(at > now);
                        now = at;
                    }
                }
            }
            for (first, start) in went.iter().enumerate() {
                let within =
                    went[first..].iter().take_while(|at| at.since(*start).as_secs() < 60).count();
                assert!(within <= per_minute as usize, "{within} of {per_minute} in a minute");
            }
            let least = (per_minute as usize * 2).max(2);
            assert!(went.len() >= least, "{} of {per_minute} in 200 s", went.len());
        }
    }
}
