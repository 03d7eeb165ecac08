//! How servers misbehave: a script of faults, each for some URLs, some number of times.

use std::time::Duration;

use kinora_core::time::Timestamp;

/// A way in which a server misbehaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// URLs that contain this are affected.
    pub part: String,
    /// So many more times.
    pub times: u32,
    /// How.
    pub kind: FaultKind,
}

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struck {
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub url: String,
    /// Name of the fault.
    pub name: &'static str,
    /// Whether trying again promised nothing.
    pub is_final: bool,
    /// How long a player that knows no better may wait because of it.
    pub patience: Duration,
    /// At most so many kbit/s come of it.
    pub kbps: Option<u64>,
}

/// How a server misbehaves.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Nobody listens.
    Refuse,
    /// It takes the request and never answers.
    Silence,
    /// It answers with this status.
    Status(u16),
    /// It answers with this status, and says for how many seconds to keep away.
    RetryAfter(u16, u32),
    /// It answers late.
    Delay(Duration),
    /// The connection breaks after so many bytes of the body.
    Cut(u64),
    /// The body ends after so many bytes, although `Content-Length` promised more. Hosts that check
    /// report a failure; this one leaves it to the player.
    Truncate(u64),
    /// The body ends after so many bytes, and nothing tells that it is not whole.
    TruncateQuietly(u64),
    /// Nothing comes after so many bytes, and the connection stays open.
    Stall(u64),
    /// Bytes trickle: no more than so many kbit/s.
    Trickle(u64),
    /// Bytes from this offset on are not what they were: those of the boxes if they reach so far,
    /// those of frames otherwise.
    Corrupt(u64),
    /// It sends something else.
    Replace(&'static str, Vec<u8>),
    /// It answers from another URL, after a redirect.
    Redirect(String),
}

impl FaultKind {
    /// Whether trying again promises nothing, by what HTTP and the formats say.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Status(status) => !matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Replace(..) | Self::Corrupt(_) | Self::TruncateQuietly(_) => true,
            _ => false,
        }
    }

    /// How long a player that knows no better may wait because of it: until it times out and asks
    /// again, or as long as something comes.
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Trickle(_) => 150,
            Self::RetryAfter(_, seconds) => 20 + *seconds as u64,
            _ => 20,
        })
    }

    /// How many kbit/s come at most, if it is that.
    pub const fn kbps(&self) -> Option<u64> {
        match self {
            Self::Trickle(kbps) => Some(*kbps),
            _ => None,
        }
    }

    /// A short name, to count by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refused",
            Self::Silence => "silence",
            Self::Status(_) => "status",
            Self::RetryAfter(..) => "retry-after",
            Self::Delay(_) => "delay",
            Self::Cut(_) => "reset",
            Self::Truncate(_) => "truncated",
            Self::TruncateQuietly(_) => "truncated-quietly",
            Self::Stall(_) => "stalled",
            Self::Trickle(_) => "slow-loris",
            Self::Corrupt(_) => "corrupt",
            Self::Replace(..) => "replaced",
            Self::Redirect(_) => "redirected",
        }
    }
}
