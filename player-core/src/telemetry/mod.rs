//! What can be known of a session: its state now, and the log from which it replays.

pub(crate) mod cmcd;
pub mod log;
mod state;
mod texts;

pub use state::{
    ClockSource, LiveState, MaskReason, Masked, OriginHealth, OriginState, RequestState, State,
    SteeringState, StreamState, TimerReason, TimerState, Totals,
};
