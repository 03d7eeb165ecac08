//! What profiles did: wide rows, one profile's at a time.

use super::{Result, catalogue::Title};
use crate::{clock::UnixTime, id::ProfileId};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a profile stopped watching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The film or the episode.
    pub item: String,
    /// The film or the series.
    pub title: String,
    /// How far it was watched.
    pub seconds: u32,
    /// Whether it was watched to its end.
    pub finished: bool,
    /// When that was known.
    pub at: UnixTime,
}

/// What is left of an item when it counts as watched: the credits, one part in twenty.
const CREDITS: u32 = 20;

impl Position {
    /// A position in something that a title plays; none if it plays nothing of that id.
    pub fn of(title: &Title, item: &str, seconds: u32, at: UnixTime) -> Option<Self> {
        let media = title.items().find(|playing| playing.id.as_str() == item)?.media?;
        let seconds = seconds.min(media.duration_seconds);
        Some(Self {
            item: item.to_owned(),
            title: title.id.as_str().to_owned(),
            seconds,
            finished: seconds >= media.duration_seconds - media.duration_seconds / CREDITS,
            at,
        })
    }
}

/// What a profile thinks of a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Rating {
    Down,
    Up,
    Love,
}

/// Positions kept of a profile; the oldest go.
pub const MOST_POSITIONS: usize = 1000;

/// What profiles did.
///
/// Once a profile was forgotten, what it does is not remembered: access tokens outlive those whom they name.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Remembers positions in one step: each of them unless one of the same item that is later is there, or its
    /// title was forgotten later.
    async fn set_positions(&self, profile: &ProfileId, positions: &[Position]) -> Result<()>;
    /// Remembers a position like [`set_positions`](Self::set_positions).
    async fn set_position(&self, profile: &ProfileId, position: &Position) -> Result<()> {
        self.set_positions(profile, std::slice::from_ref(position)).await
    }
    /// The position in an item.
    async fn position(&self, profile: &ProfileId, item: &str) -> Result<Option<Position>>;
    /// The latest positions, the last first.
    async fn positions(&self, profile: &ProfileId, most: usize) -> Result<Vec<Position>>;
    /// Forgets the positions in a title, and those of before `now` that are heard of later; false when there was
    /// none.
    async fn forget_title(&self, profile: &ProfileId, title: &str, now: UnixTime) -> Result<bool>;

    /// Puts a title on the profile's list, at its front; where it is there already, nothing changes. False
    /// when the list has `most` others.
    async fn list(&self, profile: &ProfileId, title: &str, most: usize) -> Result<bool>;
    /// Takes a title off the list; false when it was not there.
    async fn unlist(&self, profile: &ProfileId, title: &str) -> Result<bool>;
    /// The list.
    async fn listed(&self, profile: &ProfileId) -> Result<Vec<String>>;

    /// Rates a title, or takes the rating back.
    async fn rate(
        &self,
        profile: &ProfileId,
        title: &str,
        rating: Option<Rating>,
        at: UnixTime,
    ) -> Result<()>;
    /// The ratings, the last first.
    async fn ratings(&self, profile: &ProfileId, most: usize) -> Result<Vec<(String, Rating)>>;

    /// At most `most` profiles that did something, by id, of those whose ids come after that one.
    async fn profiles(&self, after: Option<&ProfileId>, most: usize) -> Result<Vec<ProfileId>>;

    /// Forgets all that a profile did, and will have done.
    async fn forget(&self, profile: &ProfileId, now: UnixTime) -> Result<()>;
    /// At most `most` profiles that were forgotten, by id, of those whose ids come after that one.
    async fn forgotten(&self, after: Option<&ProfileId>, most: usize) -> Result<Vec<ProfileId>>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}
