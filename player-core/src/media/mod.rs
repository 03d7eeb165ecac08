//! ISO base media file format (ISO/IEC 14496-12), as far as a player must look into it: what an
//! initialisation segment says of its tracks, when a fragment plays, and what an index refers to.

mod boxes;
mod chunks;
mod codec;
pub mod encryption;
mod error;
mod file_index;
pub mod fragment;
pub mod init;
pub mod prft;
pub mod pssh;
mod reader;
pub(crate) mod samples;
pub mod sidx;
#[cfg(test)]
pub(crate) mod testing;
pub mod ts;
mod webm;
mod writer;

pub use boxes::{Boxes, Mp4Box, boxes_before_mdat};
pub use chunks::{Chunk, ChunkHunt, ChunkLayout, chunk_layout};
pub use error::{BoxError, BoxErrorKind, FourCc};
pub use file_index::{FileIndex, IndexProgress};
