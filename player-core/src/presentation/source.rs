//! Where content can be had.

/// One of several places that hold the same bytes (HLS redundant variants and pathways, RFC 8216bis
/// §7; DASH `BaseURL`, ETSI TS 103 285 §10.8.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What a steering server calls it (`PATHWAY-ID`, `@serviceLocation`).
    pub pathway: Option<String>,
    /// Lower is asked first (`@dvb:priority`); 1 unless stated.
    pub priority: u32,
    /// Its share among those of equal priority (`@dvb:weight`); 1 unless stated.
    pub weight: u32,
    /// Absolute: the media playlist, or what the segments' references resolve against.
    pub url: String,
}

/// A server that says where to load from (RFC 8216bis §7.1, `EXT-X-CONTENT-STEERING`; ETSI TS 103
/// 998).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// Absolute URL of the steering manifest.
    pub url: String,
    /// What to load from until it has answered (`PATHWAY-ID`, `@defaultServiceLocation`, best
    /// first).
    pub default_pathways: Vec<String>,
    /// Ask before anything is played (`@queryBeforeStart`).
    pub before_start: bool,
}
