//! Times and ids: one number each on the wire.

use kinora_core::io::{KeySessionId, OperationId, RequestId};
use kinora_core::time::{MediaTime, TimeRange, Timestamp, WallTime};

uniffi::custom_type!(
    /// A point on, or a distance along, the presentation timeline, in flicks (1/705 600 000 s).
    MediaTime, i64, {
    remote,
    lower: |time| time.flicks(),
    try_lift: |flicks| Ok(MediaTime::from_flicks(flicks)),
});

uniffi::custom_type!(
    /// An instant of the host's monotonic clock, in microseconds since a moment the host chose.
    Timestamp, u64, {
    remote,
    lower: |instant| instant.micros(),
    try_lift: |micros| Ok(Timestamp::from_micros(micros)),
});

uniffi::custom_type!(
    /// An instant of the wall clock, in microseconds since the Unix epoch.
    WallTime, i64, {
    remote,
    lower: |instant| instant.micros(),
    try_lift: |micros| Ok(WallTime::from_micros(micros)),
});

uniffi::custom_type!(
    /// Names a request; never used twice by one player.
    RequestId, u64, {
    remote,
    lower: |id| id.0,
    try_lift: |id| Ok(RequestId(id)),
});

uniffi::custom_type!(
    /// Names a media operation; never used twice by one player.
    OperationId, u64, {
    remote,
    lower: |id| id.0,
    try_lift: |id| Ok(OperationId(id)),
});

uniffi::custom_type!(
    /// Names a key session; never used twice by one player.
    KeySessionId, u64, {
    remote,
    lower: |id| id.0,
    try_lift: |id| Ok(KeySessionId(id)),
});

/// A span of the presentation timeline, `start` included and `end` not.
#[uniffi::remote(Record)]
pub struct TimeRange {
    /// First instant inside.
    pub start: MediaTime,
    /// First instant after.
    pub end: MediaTime,
}
