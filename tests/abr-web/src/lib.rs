//! The adaptive bitrate engine alone, for JavaScript: whether it decides there as it does natively,
//! how long that takes, and how large a module it makes.

#[cfg(feature = "engine")]
mod workload;

#[cfg(feature = "engine")]
pub use workload::Workload;
#[cfg(feature = "fingerprint")]
pub use workload::fingerprint;

/// The one of the module that ships.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
