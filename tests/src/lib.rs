//! What the scenarios, the end-to-end runs and the lab have in common.

pub mod abr;
pub mod manifest;
pub mod mpegts;
pub mod replay;
pub mod soak;
pub mod subtitled;
pub mod world;
