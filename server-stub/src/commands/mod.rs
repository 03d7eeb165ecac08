//! One file for each command.

pub(crate) mod account;
pub(crate) mod experiments;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod live;
pub(crate) mod package;
pub(crate) mod recommend;
pub(crate) mod seed;
pub(crate) mod serve;
mod signals;

use kinora_server::{Error, Result};
use std::path::{Path, PathBuf};

/// Where a service keeps what it knows; the same for every command that goes to it.
#[derive(clap::Args)]
struct DataDirectory {
    /// The directory that the service keeps its data in
    #[arg(
        id = "data",
        long,
        global = true,
        value_name = "DIR",
        env = "KINORA_DATA",
        default_value = "kinora-data"
    )]
    path: PathBuf,
}

/// A secret that an operator keeps elsewhere: the text of a file, or of a variable.
fn secret_text(file: Option<&Path>, variable: &str) -> Result<Option<String>> {
    match file {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                Err(Error::Io { action: "read", path: path.to_owned(), kind: error.kind() })
            }
        },
        None => Ok(std::env::var(variable).ok()),
    }
}
