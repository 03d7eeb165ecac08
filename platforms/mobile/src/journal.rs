//! What a service is told of playback: the shared journal, which the host's `Reporter` feeds and empties.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{MediaKind, PlaybackStatus};
use kinora_core::time::{MediaTime, Timestamp, WallTime};
use kinora_journal::{
    Answer, Interaction, Moment, Observation, Options, ReportedPlayback, WatchId,
};

use crate::SdkError;

/// An instant by both clocks of a host.
#[uniffi::remote(Record)]
pub struct Moment {
    /// By the monotonic one, which says how long things take.
    pub now: Timestamp,
    /// By the one on the wall: it may be wrong.
    pub wall: WallTime,
}

/// What is played: the answer of `POST /v1/playback/{item}` says it.
#[uniffi::remote(Record)]
pub struct ReportedPlayback {
    /// The playback's id.
    pub playback_id: String,
    /// The film or the episode.
    pub item_id: String,
}

/// What an app tells beside what its player does.
#[uniffi::remote(Enum)]
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
        row_id: Option<String>,
        /// Its place in the row, from 0.
        place: Option<u16>,
    },
    /// Titles were searched for.
    Searched {
        /// So many were found.
        found: u16,
    },
}

/// What a player tells, as far as a service wants to know.
#[uniffi::remote(Enum)]
pub enum Observation {
    /// The first frame can play.
    Ready,
    /// The playhead moves.
    Playing,
    /// The playhead waits for data.
    Buffering {
        /// The viewer moved; otherwise playback ran dry.
        seeking: bool,
    },
    /// Another quality is shown or heard.
    QualityChanged {
        /// Of the picture or of the sound.
        kind: MediaKind,
        /// The peak bit rate until now in bit/s; nothing at the start.
        from_bps: Option<u64>,
        /// The peak bit rate from now on in bit/s.
        to_bps: u64,
    },
    /// Playback cannot go on.
    Failed {
        /// Why.
        code: ErrorCode,
    },
    /// The playhead has reached the end.
    Ended,
}

/// What came of a body.
#[uniffi::remote(Enum)]
pub enum Answer {
    /// The service answered.
    Status {
        /// With this status.
        status: u16,
        /// And this in `Retry-After`.
        retry_after: Option<String>,
    },
    /// There was no answer.
    Unreachable,
    /// It was not sent, as nobody is signed in.
    Unsent,
}

/// What has happened and has no verdict yet. A driver waits until `due`, posts what `batch` gives, says what came of it by
/// `answered`, and keeps what `kept` says. Calls may come from any thread.
#[derive(uniffi::Object)]
pub struct Journal(Mutex<kinora_journal::Journal>);

#[uniffi::export]
impl Journal {
    /// A journal with nothing in it. `name` is random, of at most 40 letters and digits.
    #[uniffi::constructor]
    pub fn new(
        name: String,
        platform: String,
        interval: Duration,
        at: Moment,
    ) -> Result<Arc<Self>, SdkError> {
        let options = Options { name, platform, interval };
        Ok(Arc::new(Self(Mutex::new(kinora_journal::Journal::new(options, at)))))
    }

    /// Takes over what an earlier journal of the profile kept.
    pub fn adopt(&self, kept: String, at: Moment) -> Result<(), SdkError> {
        self.lock()?.adopt(&kept, at);
        Ok(())
    }

    /// Follows a player through one playback, from before it loads.
    pub fn watch(&self, playback: ReportedPlayback, at: Moment) -> Result<u64, SdkError> {
        Ok(self.lock()?.watch(playback, at).0)
    }

    /// The player told this.
    pub fn hear(&self, watch: u64, observation: Observation, at: Moment) -> Result<(), SdkError> {
        self.lock()?.hear(WatchId(watch), observation, at);
        Ok(())
    }

    /// This is how the player is; to be told a few times a second.
    pub fn look(
        &self,
        watch: u64,
        status: PlaybackStatus,
        position: MediaTime,
        at: Moment,
    ) -> Result<(), SdkError> {
        self.lock()?.look(WatchId(watch), status, position, at);
        Ok(())
    }

    /// The viewer has left this playback.
    pub fn end(&self, watch: u64, at: Moment) -> Result<(), SdkError> {
        self.lock()?.end(WatchId(watch), at);
        Ok(())
    }

    /// The viewer looks at this.
    pub fn tell(&self, interaction: Interaction, at: Moment) -> Result<(), SdkError> {
        self.lock()?.tell(&interaction, at);
        Ok(())
    }

    /// Sends what has gathered as soon as it may be sent.
    pub fn flush(&self, at: Moment) -> Result<(), SdkError> {
        self.lock()?.flush(at);
        Ok(())
    }

    /// When `batch` has something; nothing while nothing waits, or something is under way.
    pub fn due(&self) -> Result<Option<Timestamp>, SdkError> {
        Ok(self.lock()?.due())
    }

    /// The body of a `POST /v1/events` to be made now, if one is due.
    pub fn batch(&self, at: Moment) -> Result<Option<String>, SdkError> {
        Ok(self.lock()?.batch(at))
    }

    /// What came of the body that was handed out last.
    pub fn answered(&self, answer: Answer, at: Moment) -> Result<(), SdkError> {
        self.lock()?.answered(&answer, at);
        Ok(())
    }

    /// The viewer leaves: ends all that is followed, and has what waits due now.
    pub fn leave(&self, at: Moment) -> Result<(), SdkError> {
        self.lock()?.leave(at);
        Ok(())
    }

    /// What has no verdict, for `adopt` of a later journal.
    pub fn kept(&self) -> Result<Option<String>, SdkError> {
        Ok(self.lock()?.kept())
    }

    /// Another number whenever `kept` is something else.
    pub fn changes(&self) -> Result<u64, SdkError> {
        Ok(self.lock()?.changes())
    }
}

impl Journal {
    /// A panic in an earlier call has left the journal in an unknown state.
    fn lock(&self) -> Result<MutexGuard<'_, kinora_journal::Journal>, SdkError> {
        self.0.lock().map_err(|_| SdkError::Broken)
    }
}

/// The journal's enums are closed, so that this stops compiling when one of them has another variant.
#[cfg(test)]
fn _every_variant_is_declared(
    interaction: &Interaction,
    observation: &Observation,
    answer: &Answer,
) {
    match interaction {
        Interaction::RowShown { .. }
        | Interaction::TitleOpened { .. }
        | Interaction::Searched { .. } => {}
    }
    match observation {
        Observation::Ready
        | Observation::Playing
        | Observation::Buffering { .. }
        | Observation::QualityChanged { .. }
        | Observation::Failed { .. }
        | Observation::Ended => {}
    }
    match answer {
        Answer::Status { .. } | Answer::Unreachable | Answer::Unsent => {}
    }
}
