//! Where content can be had.

use crate::url;

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
    /// What is added to the query of every URL there (`PARAMS` of a cloned pathway).
    pub query: String,
}

impl Origin {
    /// Where `url`, which a manifest gave for the place `from`, is to be found here: what leads there
    /// from that place leads there from this one. None if it lies on another host than `from`, and so
    /// is the same wherever the manifest comes from.
    ///
    /// It holds for segments and initialisation segments alike. Of an HLS origin, whose `url` is a
    /// media playlist, it is right as long as both playlists refer to their segments in the same way,
    /// as copies of a folder do; otherwise load the other playlist.
    pub fn moved(&self, url: &str, from: &Self) -> Option<String> {
        url::moved(url, &from.url, &self.url)
    }
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
