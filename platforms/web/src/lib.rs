//! The Kinora core in a web worker.
//!
//! [`Session`] is all that JavaScript sees: it takes what the page reports, and answers through two
//! objects that the worker's script hands in: a [`sink::Sink`] for the media element and its buffers,
//! and a function that posts events to the page. Everything in between is [`driver`]: the loop that
//! `kinora_core` documents, over `fetch`, `setTimeout` and `performance.now`.
//!
//! Values cross the border as numbers, strings and objects built by hand ([`convert`]); bodies that
//! the core does not need stay JavaScript arrays ([`net`]).

mod convert;
mod driver;
mod keys;
mod net;
mod panic;
mod scope;
mod session;
mod sink;

pub use session::Session;

/// A tenth of the code of the standard allocator: the module is downloaded before anything plays.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
