//! What other roles add to a playback.

use crate::{
    id::{AccountId, PlaybackId, ProfileId, SessionId},
    platform::Platform,
    web::text::{Link, Slug},
};
use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;

/// A playback that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Names it.
    pub playback: PlaybackId,
    /// Whose it is.
    pub account: AccountId,
    /// The sign-in that plays.
    pub session: SessionId,
    /// The profile that plays.
    pub profile: ProfileId,
    /// Whether that is a child's.
    pub kids: bool,
    /// Where the household is.
    pub region: String,
    /// What the player runs on.
    pub platform: Platform,
    /// The film or the episode.
    pub item: Slug,
    /// The package of the library it plays, if it is of the library.
    pub package: Option<Slug>,
}

/// What experiments change of a playback.
#[async_trait]
pub trait Experiments: Send + Sync + 'static {
    /// What the arms of a profile ask for. Whoever cannot tell says so in its log, and asks for nothing: a playback
    /// does not wait for an experiment.
    async fn tailor(&self, begun: &Begun) -> Tailored;
}

/// What a profile's arms ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tailored {
    /// What the player's configuration has under `abr`.
    pub abr: serde_json::Map<String, serde_json::Value>,
    /// The arms that asked for it, to say in the player's events.
    pub arms: Vec<Arm>,
}

/// The arm of an experiment that a profile is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arm {
    /// The experiment.
    pub experiment: String,
    /// The arm.
    pub arm: String,
}

/// Where the keys of protected media come from.
#[async_trait]
pub trait Licences: Send + Sync + 'static {
    /// Where a playback gets its keys; none if what it plays is not protected.
    async fn url(&self, begun: &Begun) -> Option<Link>;
}
