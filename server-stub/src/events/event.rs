//! Events as clients tell them.

use crate::{
    platform::Platform,
    storage::catalogue::LONGEST,
    web::{
        text::{EventId, Slug, Token},
        whole,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The most events of a batch.
pub const MOST_EVENTS: usize = 200;
/// The longest time that something takes, in milliseconds: a day.
const LONGEST_MS: u32 = 86_400_000;
/// The highest rate, in bit/s.
const FASTEST: u64 = 100_000_000_000;

/// Events of one profile.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The client's clock as it sends, in milliseconds since 1970: times of events are taken relative to it.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub sent_at_ms: u64,
    /// What the player runs on.
    #[serde(default)]
    pub platform: Platform,
    /// The events, each an `Event`. One that is none gets a verdict of its own.
    #[schema(max_items = 200, value_type = Vec<AnyEvent>)]
    pub events: Vec<Value>,
    /// The access token, from a page that is being left: its beacon cannot carry a header. Not beside one.
    #[serde(default)]
    pub access_token: Option<String>,
}

/// Something that may be an event.
pub struct AnyEvent;

impl utoipa::PartialSchema for AnyEvent {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::AnyOfBuilder::new()
            .item(utoipa::openapi::Ref::from_schema_name("Event"))
            .item(
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::AnyValue),
            )
            .into()
    }
}

impl ToSchema for AnyEvent {
    fn name() -> std::borrow::Cow<'static, str> {
        "AnyEvent".into()
    }

    fn schemas(
        schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
    ) {
        schemas.push(("Event".into(), <Event as utoipa::PartialSchema>::schema()));
        <Event as ToSchema>::schemas(schemas);
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Names the event among all of the profile: of several with the same name, one is kept.
    pub event_id: EventId,
    /// When it happened by the client's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. `playback_id` is what `POST /v1/playback/{item}` answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Happening {
    /// The first picture is there.
    PlaybackStarted {
        /// The playback.
        playback_id: Token,
        /// The film or the episode.
        item_id: Slug,
        /// Milliseconds from when the viewer asked for it.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 86_400_000)]
        startup_ms: u32,
    },
    /// Some of it was played.
    PlaybackProgressed {
        /// Since the last such event.
        #[serde(flatten)]
        watched: Watched,
        /// The height of the picture at the end of it, in pixels.
        #[serde(
            default,
            deserialize_with = "whole::optional",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(minimum = 0, maximum = 65535)]
        height: Option<u16>,
    },
    /// Playing stood still for want of media, and goes on.
    PlaybackStalled {
        /// The playback.
        playback_id: Token,
        /// The film or the episode.
        item_id: Slug,
        /// Where.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 1_000_000)]
        position_seconds: u32,
        /// For so many milliseconds.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 86_400_000)]
        duration_ms: u32,
    },
    /// The player chose another quality.
    QualityChanged {
        /// The playback.
        playback_id: Token,
        /// The film or the episode.
        item_id: Slug,
        /// The bit rate it was, in bit/s.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 100_000_000_000_u64)]
        from_bps: u64,
        /// The bit rate it is now.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 100_000_000_000_u64)]
        to_bps: u64,
    },
    /// The viewer went somewhere else in it.
    PlaybackSought {
        /// The playback.
        playback_id: Token,
        /// The film or the episode.
        item_id: Slug,
        /// From where.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 1_000_000)]
        from_seconds: u32,
        /// To where.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 1_000_000)]
        to_seconds: u32,
    },
    /// Something failed.
    PlaybackFailed {
        /// The playback.
        playback_id: Token,
        /// The film or the episode.
        item_id: Slug,
        /// The player's code for it.
        code: Token,
        /// Whether playing ended with it.
        fatal: bool,
    },
    /// Playing ended.
    PlaybackEnded {
        /// Since the last `playback_progressed`.
        #[serde(flatten)]
        watched: Watched,
        /// Why.
        reason: EndReason,
    },
    /// A row of titles came into view.
    RowShown {
        /// The row.
        row_id: Token,
        /// The titles of it that could be seen.
        #[schema(max_items = 50)]
        title_ids: Vec<Slug>,
    },
    /// A title was opened.
    TitleOpened {
        /// The title.
        title_id: Slug,
        /// The row it was in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        row_id: Option<Token>,
        /// Its place in the row, from 0.
        #[serde(
            default,
            deserialize_with = "whole::optional",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(minimum = 0, maximum = 65535)]
        place: Option<u16>,
    },
    /// Titles were searched for.
    Searched {
        /// So many were found.
        #[serde(deserialize_with = "whole::required")]
        #[schema(minimum = 0, maximum = 65535)]
        found: u16,
    },
}

/// What was watched of a film or an episode since it was last told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Watched {
    /// The playback.
    pub playback_id: Token,
    /// The film or the episode.
    pub item_id: Slug,
    /// How far it was watched.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub position_seconds: u32,
    /// Milliseconds that were played since it was last told.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 86_400_000)]
    pub watched_ms: u32,
    /// The bit rate of what was played in that time, on average, in bit/s.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 0, maximum = 100_000_000_000_u64)]
    pub bandwidth_bps: Option<u64>,
}

/// Why playing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It was played to its end.
    Finished,
    /// The viewer left.
    Left,
    /// Something failed.
    Failed,
}

impl Event {
    /// Reads an event, and says what is wrong with one that is none.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(value: Value) -> Result<Self, String> {
        let Value::Object(mut members) = value else { return Err("it is no object".to_owned()) };
        let event_id: EventId = member(&mut members, "event_id")?;
        let whole::Number(at_ms) = member(&mut members, "at_ms")?;
        let what: Happening = serde_json::from_value(Value::Object(members))
            .map_err(|error| short(&error.to_string()))?;
        what.check()?;
        Ok(Self { event_id, at_ms, what })
    }
}

fn member<T: for<'a> Deserialize<'a>>(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<T, String> {
    let value = members.remove(name).ok_or_else(|| format!("`{name}` is missing"))?;
    serde_json::from_value(value).map_err(|error| short(&format!("`{name}`: {error}")))
}

/// What was sent comes back to the one who sent it, but not all of it.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl Happening {
    /// What it happened to: the film or the episode, and how far it was watched if that is told.
    pub fn position(&self) -> Option<(&Slug, u32)> {
        match self {
            Self::PlaybackProgressed { watched, .. } | Self::PlaybackEnded { watched, .. } => {
                Some((&watched.item_id, watched.position_seconds))
            }
            Self::PlaybackStalled { item_id, position_seconds, .. } => {
                Some((item_id, *position_seconds))
            }
            Self::PlaybackSought { item_id, to_seconds, .. } => Some((item_id, *to_seconds)),
            _ => None,
        }
    }

    /// The film or the episode that is played.
    pub fn item(&self) -> Option<&Slug> {
        match self {
            Self::PlaybackStarted { item_id, .. }
            | Self::PlaybackStalled { item_id, .. }
            | Self::QualityChanged { item_id, .. }
            | Self::PlaybackSought { item_id, .. }
            | Self::PlaybackFailed { item_id, .. } => Some(item_id),
            Self::PlaybackProgressed { watched, .. } | Self::PlaybackEnded { watched, .. } => {
                Some(&watched.item_id)
            }
            Self::RowShown { .. } | Self::TitleOpened { .. } | Self::Searched { .. } => None,
        }
    }

    /// Says which number makes no sense, if one does not.
    fn check(&self) -> Result<(), String> {
        let seconds = |name: &str, value: u32| match value <= LONGEST {
            true => Ok(()),
            false => Err(format!("`{name}`: nothing is that long")),
        };
        let ms = |name: &str, value: u32| match value <= LONGEST_MS {
            true => Ok(()),
            false => Err(format!("`{name}`: at most a day")),
        };
        let rate = |name: &str, value: u64| match value <= FASTEST {
            true => Ok(()),
            false => Err(format!("`{name}`: nothing is that fast")),
        };
        match self {
            Self::PlaybackStarted { startup_ms, .. } => ms("startup_ms", *startup_ms),
            Self::PlaybackProgressed { watched, .. } | Self::PlaybackEnded { watched, .. } => {
                seconds("position_seconds", watched.position_seconds)?;
                ms("watched_ms", watched.watched_ms)?;
                rate("bandwidth_bps", watched.bandwidth_bps.unwrap_or(0))
            }
            Self::PlaybackStalled { position_seconds, duration_ms, .. } => {
                seconds("position_seconds", *position_seconds)?;
                ms("duration_ms", *duration_ms)
            }
            Self::QualityChanged { from_bps, to_bps, .. } => {
                rate("from_bps", *from_bps)?;
                rate("to_bps", *to_bps)
            }
            Self::PlaybackSought { from_seconds, to_seconds, .. } => {
                seconds("from_seconds", *from_seconds)?;
                seconds("to_seconds", *to_seconds)
            }
            Self::RowShown { title_ids, .. } if title_ids.len() > 50 => {
                Err("`title_ids`: at most 50".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Event, String> {
        Event::read(value)
    }

    #[test]
    fn an_event_reads_back() {
        let told = json!({
            "event_id": "a-1", "at_ms": 1_700_000_000_123_u64, "type": "playback_progressed",
            "playback_id": "p", "item_id": "bunny", "position_seconds": 6.0, "watched_ms": 5000,
        });
        let event = read(told.clone()).unwrap();
        assert_eq!(event.what.position().map(|(item, at)| (item.as_str(), at)), Some(("bunny", 6)));
        let mut written = serde_json::to_value(&event).unwrap();
        written["position_seconds"] = json!(6.0);
        assert_eq!(written, told);
    }

    #[test]
    fn what_is_no_event_is_told_why() {
        let good = json!({
            "event_id": "a", "at_ms": 1, "type": "playback_stalled",
            "playback_id": "p", "item_id": "bunny", "position_seconds": 1, "duration_ms": 2,
        });
        assert!(read(good.clone()).is_ok());
        for (name, value, reason) in [
            ("event_id", json!(""), "event_id"),
            ("event_id", json!("a b"), "event_id"),
            ("event_id", json!("a".repeat(65)), "event_id"),
            ("event_id", json!(7), "event_id"),
            ("at_ms", json!(-1), "at_ms"),
            ("at_ms", json!("1"), "at_ms"),
            ("type", json!("playback_hummed"), "playback_hummed"),
            ("type", json!(null), "type"),
            ("item_id", json!("../x"), "expected"),
            ("playback_id", json!("'; DROP TABLE record; --"), "expected"),
            ("position_seconds", json!(1_000_001), "position_seconds"),
            ("position_seconds", json!(1.5), "whole"),
            ("duration_ms", json!(86_400_001), "duration_ms"),
            ("profile_id", json!("someone"), "profile_id"),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            let refusal = read(bad).unwrap_err();
            assert!(refusal.contains(reason) && refusal.len() < 400, "{name}: {refusal}");
        }
        let ended = json!({
            "event_id": "a", "at_ms": 1, "type": "playback_ended", "playback_id": "p",
            "item_id": "bunny", "position_seconds": 1, "watched_ms": 2, "reason": "left",
        });
        assert!(read(ended.clone()).is_ok());
        for (name, value) in [
            ("profile_id", json!("someone")),
            ("height", json!(720)),
            ("watched_ms", json!(86_400_001)),
            ("watched_ms", json!(null)),
            ("bandwidth_bps", json!(-1)),
            ("reason", json!("bored")),
        ] {
            let mut bad = ended.clone();
            bad[name] = value;
            assert!(read(bad).is_err(), "{name}");
        }
        for bad in [json!(null), json!([]), json!("x"), json!({})] {
            assert!(read(bad).is_err());
        }
    }
}
