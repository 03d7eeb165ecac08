//! What a host must know of media without parsing it: where the boxes end that the player wants to
//! see, and when a segment plays.

use kinora_core::media::{self, BoxError, fragment, init};
use kinora_core::time::TimeRange;

use crate::SdkError;

/// How many bytes stand before the first `mdat` box, once its header has arrived; nothing as long
/// as it has not, or when `data` is not ISO BMFF. What lies before is the data of a `BodyHead`.
#[uniffi::export]
pub fn boxes_before_mdat(data: &[u8]) -> Result<Option<u64>, SdkError> {
    Ok(media::boxes_before_mdat(data).map(|length| length as u64))
}

/// Where the first chunk of some bytes has its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ChunkLayout {
    /// Bytes before the `mdat`.
    pub head: u64,
    /// Bytes of the whole; nothing if it goes on to the end of the body.
    pub length: Option<u64>,
}

/// The layout of the chunk that `data` begins with, once the header of its `mdat` has arrived.
#[uniffi::export]
pub fn chunk_layout(data: &[u8]) -> Result<Option<ChunkLayout>, SdkError> {
    let layout = media::chunk_layout(data);
    Ok(layout.map(|layout| ChunkLayout { head: layout.head, length: layout.length }))
}

/// Whether bytes that are to be appended are an initialisation segment.
#[uniffi::export]
pub fn is_initialization(data: &[u8]) -> Result<bool, SdkError> {
    Ok(is_init(data))
}

/// When a media segment plays, by its own timestamps, from its initialisation segment and its bytes:
/// what appending it adds to a buffer's ranges, before the append's offset and window are applied.
/// Nothing when `segment` is itself an initialisation segment.
#[uniffi::export]
pub fn media_range(init: &[u8], segment: &[u8]) -> Result<Option<TimeRange>, SdkError> {
    range(init, segment).map_err(|error| SdkError::InvalidMedia { reason: error.to_string() })
}

fn range(init: &[u8], segment: &[u8]) -> Result<Option<TimeRange>, BoxError> {
    if is_init(segment) {
        return init::parse(segment).map(|_| None);
    }
    let fragment = fragment::parse(segment, &init::parse(init)?)?;
    let start = fragment.presentation_start;
    Ok(Some(TimeRange { start, end: start + fragment.duration }))
}

/// A `moov` box comes before any `moof`.
fn is_init(segment: &[u8]) -> bool {
    media::Boxes::new(segment, 0)
        .map_while(Result::ok)
        .find(|found| found.is(b"moov") || found.is(b"moof"))
        .is_some_and(|found| found.is(b"moov"))
}
