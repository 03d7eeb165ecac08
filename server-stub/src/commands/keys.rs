//! `kinora-server keys`.

use clap::{Args, Subcommand};
use kinora_server::{
    Result,
    clock::Clock,
    roles::Data,
    token::{SigningKeys, cat::DeliveryKeys},
};
use std::path::PathBuf;

/// Look after the keys that sign access tokens, and those in the paths of media
///
/// They are made when they are first needed, and rotate every thirty days by themselves.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
    /// The directory that the service keeps its data in
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "KINORA_DATA",
        default_value = "kinora-data"
    )]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new key, which takes over ten minutes later; a running service notices within a minute
    Rotate {
        /// The old keys are known to others: end every token at once
        #[arg(long)]
        stolen: bool,
    },
}

impl Keys {
    pub(crate) fn run(self) -> Result<()> {
        let Action::Rotate { stolen } = self.action;
        let now = Clock::default().now();
        SigningKeys::rotate(&Data::secret_keys(&self.data), stolen, now)?;
        Ok(DeliveryKeys::rotate(&Data::secret_delivery_keys(&self.data), stolen, now)?)
    }
}
