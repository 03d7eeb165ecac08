//! What an operator, or a test, can set.

use crate::web::limit::Rate;

/// How the role behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// What a hash costs.
    pub hash: HashCost,
    /// Sign-ins from one address.
    pub sign_ins_by_address: Rate,
    /// Sign-ins to one account from one address.
    pub sign_ins_by_pair: Rate,
    /// Sign-ins to one account from anywhere: far above what its owner does, as others can use it up.
    pub sign_ins_by_account: Rate,
    /// Accounts opened from one address.
    pub sign_ups_by_address: Rate,
    /// Device codes asked for from one address.
    pub device_codes_by_address: Rate,
    /// Codes typed in by one account: a wrong one may be a guess.
    pub user_codes_by_account: Rate,
    /// Refreshes and other requests from one address that change something.
    pub changes_by_address: Rate,
    /// Profiles an account may have.
    pub most_profiles: usize,
    /// Where a viewer types a device's code in.
    pub verification_uri: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hash: HashCost::default(),
            sign_ins_by_address: Rate { burst: 30, seconds_each: 10 },
            sign_ins_by_pair: Rate { burst: 10, seconds_each: 90 },
            sign_ins_by_account: Rate { burst: 100, seconds_each: 36 },
            sign_ups_by_address: Rate { burst: 10, seconds_each: 360 },
            device_codes_by_address: Rate { burst: 20, seconds_each: 30 },
            user_codes_by_account: Rate { burst: 10, seconds_each: 60 },
            changes_by_address: Rate { burst: 120, seconds_each: 1 },
            most_profiles: 5,
            verification_uri: "/activate".to_owned(),
        }
    }
}

impl Config {
    /// The same with every limit on rates so many times as high.
    #[must_use]
    pub fn limits_times(mut self, factor: u32) -> Self {
        for rate in [
            &mut self.sign_ins_by_address,
            &mut self.sign_ins_by_pair,
            &mut self.sign_ins_by_account,
            &mut self.sign_ups_by_address,
            &mut self.device_codes_by_address,
            &mut self.user_codes_by_account,
            &mut self.changes_by_address,
        ] {
            rate.burst = rate.burst.saturating_mul(factor);
        }
        self
    }
}

/// The cost of a password's hash, and how many are made at once.
#[derive(Debug, Clone, Copy)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Hashes at once.
    pub at_once: usize,
    /// Requests that may wait for their turn; more are told to come back.
    pub most_waiting: usize,
}

/// Argon2id as OWASP's Password Storage Cheat Sheet asks for at least: 19 MiB, two passes, one lane.
impl Default for HashCost {
    fn default() -> Self {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        Self { memory_kib: 19_456, passes: 2, lanes: 1, at_once, most_waiting: 32 }
    }
}

impl HashCost {
    /// The least there is, for tests that sign in a thousand times. It protects nothing.
    pub fn cheap() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1, ..Self::default() }
    }
}
