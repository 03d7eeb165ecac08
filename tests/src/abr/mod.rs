//! Rules that choose bitrates, against one another and against the best that could have been done, over
//! recorded networks.

mod contender;
mod drawing;
mod experiment;
mod input;
mod report;
mod statistics;

pub use contender::{Contender, UnknownController};
pub use drawing::{Run, draw};
pub use experiment::{Best, Experiment, Results, SetResults, best_session};
pub use input::{InputError, Set, SetDescription, known_optimum};
pub use report::tables;
pub use statistics::{Interval, is_validation};
