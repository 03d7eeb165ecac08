//! The service's events, as far as players and apps tell them.

use serde::Serialize;

/// What is played: the answer of `POST /v1/playback/{item}` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportedPlayback {
    /// The playback's id.
    pub playback_id: String,
    /// The film or the episode.
    pub item_id: String,
}

/// What an app tells beside what its player does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Interaction {
    /// A row of titles came into view.
    RowShown {
        /// The row.
        row_id: String,
        /// The titles of it that could be seen, 50 at most.
        title_ids: Vec<String>,
    },
    /// A title was opened.
    TitleOpened {
        /// The title.
        title_id: String,
        /// The row it was in.
        #[serde(skip_serializing_if = "Option::is_none")]
        row_id: Option<String>,
        /// Its place in the row, from 0.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<u16>,
    },
    /// Titles were searched for.
    Searched {
        /// So many were found.
        found: u16,
    },
}

/// What a player does, in the service's words.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Happening<'a> {
    PlaybackStarted {
        #[serde(flatten)]
        of: &'a ReportedPlayback,
        startup_ms: u64,
    },
    PlaybackProgressed {
        #[serde(flatten)]
        watched: Watched<'a>,
    },
    PlaybackStalled {
        #[serde(flatten)]
        of: &'a ReportedPlayback,
        position_seconds: u32,
        duration_ms: u64,
    },
    QualityChanged {
        #[serde(flatten)]
        of: &'a ReportedPlayback,
        from_bps: u64,
        to_bps: u64,
    },
    PlaybackFailed {
        #[serde(flatten)]
        of: &'a ReportedPlayback,
        code: &'static str,
        fatal: bool,
    },
    PlaybackEnded {
        #[serde(flatten)]
        watched: Watched<'a>,
        reason: EndReason,
    },
}

/// What was watched since that was told last.
#[derive(Serialize)]
pub(crate) struct Watched<'a> {
    #[serde(flatten)]
    pub(crate) of: &'a ReportedPlayback,
    pub(crate) position_seconds: u32,
    pub(crate) watched_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bandwidth_bps: Option<u64>,
}

/// Why playing ended.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndReason {
    Finished,
    Left,
    Failed,
}
