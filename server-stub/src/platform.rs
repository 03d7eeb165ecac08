//! What a player runs on, as far as the service tells players apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a player runs on.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A page in a browser.
    Web,
    /// A phone or a tablet of Android's.
    Android,
    /// A phone or a tablet of Apple's.
    Ios,
    /// A television.
    Tv,
    /// A terminal.
    Terminal,
    /// Anything else, or something that did not say.
    #[default]
    Other,
}

impl Platform {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Tv => "tv",
            Self::Terminal => "terminal",
            Self::Other => "other",
        }
    }
}
