//! Recommendations: interactions in, a model out, rows for a profile out of the model.
//!
//! ```text
//! Interaction … ─→ Preferences ─→ Model::train ─→ Store::publish
//!                                                     │
//!                   a profile's history ─→ Model::page ─→ rows, each with its reason
//! ```
//!
//! A model blends three parts: [`ease`], which learns from what others watched; popularity of late; and
//! [`content`], which knows titles that nobody has watched yet. A page is made from the history as it is at
//! that moment, so a title just watched changes the next page without training. Nothing here reads a clock
//! or draws a random number that has no seed: the same input gives the same model on the same machine.
//! (Another kind of processor may round differently, so the bytes of a model may differ between machines.)
//!
//! This module knows neither the web framework nor where events come from.

mod codec;
pub mod content;
pub mod ease;
mod error;
pub mod evaluate;
mod interaction;
mod linalg;
mod model;
pub mod page;
mod popularity;
mod preferences;
pub mod rank;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tune;

pub use content::Title;
pub use error::{Error, Result};
pub use interaction::{Interaction, Kind, read};
pub use model::{Blend, Model, Settings};
pub use page::{Reason, Row};
pub use preferences::{Entry, Preferences};
pub use store::Store;
