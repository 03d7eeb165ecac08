//! Events as they are kept.

use super::event::Happening;
use crate::{
    id::{ProfileId, SessionId},
    platform::Platform,
    storage::event_log::{Entry, Key},
    web::text::{EventId, Region, Slug, Token},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An event, with what the service knows of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Whose it is.
    pub profile: ProfileId,
    /// The device it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What that runs on.
    pub platform: Platform,
    /// Where the household is.
    pub region: Region,
    /// When it happened by the service's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// The film or the series it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Slug>,
    /// The part of the film or the episode that was watched, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f32>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened, and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A client does.
    Told(Happening),
    /// The service does: an experiment had its effect on a playback.
    Exposed {
        /// The experiment.
        experiment: Slug,
        /// The arm that the profile is in.
        arm: Slug,
        /// The playback.
        playback_id: Token,
    },
}

impl Kept {
    /// The record of an event that a client named.
    pub fn entry(&self, event_id: &EventId) -> Entry {
        self.keyed(&["event", self.profile.as_str(), event_id.as_str()])
    }

    /// The record of something that happens once for all those names.
    pub(crate) fn keyed(&self, names: &[&str]) -> Entry {
        let mut hash = Sha256::new();
        for name in names {
            // None of them holds a NUL.
            hash.update(name.as_bytes());
            hash.update([0]);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Entry { key: Key(key), value: serde_json::to_vec(self).unwrap_or_default() }
    }

    /// Reads a record; none if it is of a kind that is not known here.
    pub fn read(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::event::{EndReason, Watched};

    fn kept(profile: &ProfileId) -> Kept {
        Kept {
            profile: profile.clone(),
            session: Some(SessionId::random()),
            platform: Platform::Web,
            region: "DE".parse().unwrap(),
            at_ms: 1_700_000_000_123,
            title: Some("bunny".parse().unwrap()),
            fraction: Some(0.25),
            what: What::Told(Happening::PlaybackEnded {
                watched: Watched {
                    playback_id: "p".parse().unwrap(),
                    item_id: "bunny".parse().unwrap(),
                    position_seconds: 5,
                    watched_ms: 5000,
                    bandwidth_bps: None,
                },
                reason: EndReason::Left,
            }),
        }
    }

    #[test]
    fn a_record_reads_back() {
        let mut record = kept(&ProfileId::random());
        let id: EventId = "e".parse().unwrap();
        assert_eq!(Kept::read(&record.entry(&id).value), Some(record.clone()));
        record.what = What::Exposed {
            experiment: "e".parse().unwrap(),
            arm: "a".parse().unwrap(),
            playback_id: "p".parse().unwrap(),
        };
        (record.title, record.fraction, record.session) = (None, None, None);
        assert_eq!(Kept::read(&record.entry(&id).value), Some(record));
        assert_eq!(Kept::read(b"{\"told\":{\"type\":\"later\"}}"), None);
    }

    #[test]
    fn a_name_is_a_profiles_own() {
        let (one, other) = (ProfileId::random(), ProfileId::random());
        let id: EventId = "e".parse().unwrap();
        assert_eq!(kept(&one).entry(&id).key, kept(&one).entry(&id).key);
        assert_ne!(kept(&one).entry(&id).key, kept(&other).entry(&id).key);
        assert_ne!(kept(&one).entry(&id).key, kept(&one).entry(&"f".parse().unwrap()).key);
    }
}
