//! The server side of a streaming service.
//!
//! [`package`] turns a video file into a presentation: CMAF segments written once, with HLS and DASH manifests
//! over them. [`live`] makes and publishes one while it happens. The roles are axum routers of their own: [`delivery`] sends files, [`auth`] knows who asks, [`catalog`] what
//! there is to watch, [`playback`] who may play it now, [`steering`] from where, [`events`] what happened then,
//! [`license`] with which keys, [`experiments`] in which way each watches, [`chaos`] makes delivery worse on purpose. [`edge`] keeps media close to
//! whoever plays them, [`gateway`] is the one entry to all the others. They stand on [`storage`], which is what they keep, on [`token`],
//! which is how they know a caller, on [`plans`], which is what that has paid for, on [`vault`], which keeps the keys of what is encrypted, and on [`web`], which puts
//! them together; [`roles`] opens them over a
//! directory, [`access`] watches delivery, and [`mod@http`] serves all of it. [`recommend`] learns from what was
//! watched, and [`rows`] is the role that shows what it learned.

pub mod access;
pub mod auth;
pub mod catalog;
pub mod chaos;
pub mod clock;
mod crash;
pub mod delivery;
pub mod edge;
mod error;
pub mod events;
pub mod experiments;
pub mod gateway;
pub mod http;
pub mod id;
pub mod license;
pub mod live;
pub mod package;
pub mod plans;
pub mod platform;
pub mod playback;
pub mod recommend;
pub mod roles;
pub mod rows;
pub mod seed;
pub mod steering;
pub mod storage;
pub mod token;
pub mod vault;
pub mod web;

pub use error::{Error, Result};
