//! How long to wait before asking again.

use core::time::Duration;

use crate::config::RetryConfig;
use crate::io::ResponseHead;
use crate::manifest::date::read_http;

/// Draws that look random and follow from a seed.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // An xorshift state must not be zero.
        Self(seed | 1 << 63)
    }

    /// A number below `bound`, which must not be zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half times the bound, so that no division is needed.
        (((self.0 >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Capped exponential back-off with "equal jitter": half fixed, half drawn, so that a crowd of
    /// players does not come back in step. `pauses` have been made before.
    pub(super) fn pause(&mut self, pauses: u32, retry: &RetryConfig) -> Duration {
        let full = retry.base_delay.saturating_mul(1 << pauses.min(16)).min(retry.max_delay);
        let half = full / 2;
        half + half.saturating_mul(self.below(256)) / 256
    }
}

/// How long a server asks to be left alone (RFC 9110 §10.2.3): seconds, or a date, which is compared
/// with the server's own `Date`. Nothing is believed for longer than a day.
pub(super) fn asked_pause(head: &ResponseHead) -> Option<Duration> {
    const LONGEST: u64 = 86_400;
    let text = head.retry_after.as_deref()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let until = read_http(text)?;
            let now = read_http(head.date.as_deref()?)?;
            let micros = until.micros().saturating_sub(now.micros());
            u64::try_from(micros).ok()?.div_ceil(1_000_000)
        }
    };
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(retry_after: &str, date: Option<&str>) -> ResponseHead {
        ResponseHead {
            retry_after: Some(retry_after.to_owned()),
            date: date.map(str::to_owned),
            ..ResponseHead::of_status(503)
        }
    }

    #[test]
    fn a_server_may_ask_in_seconds_or_by_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let asked = |text, date| asked_pause(&head(text, date)).map(|pause| pause.as_secs());
        assert_eq!(asked("120", None), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT", date), Some(30));
        assert_eq!(asked("Mon, 07 Nov 1994 08:49:37 GMT", date), Some(86_400));
        // Past, without a clock to compare with, or no date at all.
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:07 GMT", date), None);
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        assert_eq!(asked("soon", date), None);
        assert_eq!(asked("99999999999", None), Some(86_400));
    }

    #[test]
    fn pauses_double_up_to_their_cap_and_differ() {
        let retry = RetryConfig::default();
        let mut dice = Dice::new(7);
        let pauses: Vec<_> = (0..12).map(|n| dice.pause(n, &retry).as_millis()).collect();
        for (n, pause) in pauses.iter().enumerate() {
            let full = (500u128 << n).min(8_000);
            assert!((full / 2..=full).contains(pause), "pause {n} of {pause} ms");
        }
        assert_ne!(pauses[8], pauses[9], "drawn alike");
    }

    #[test]
    fn draws_are_even() {
        let mut dice = Dice::new(1);
        let mut counts = [0u32; 4];
        for _ in 0..4_000 {
            counts[dice.below(4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
