//! `kinora-server recommend list` and `rollback`.

use super::{Models, print};
use clap::Args;
use kinora_server::Result;

/// List the versions of the model, the oldest first
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    models: Models,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Make the version before the current one the current one
///
/// Versions that are damaged are passed over. Nothing is removed.
#[derive(Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    models: Models,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self) -> Result<()> {
        let versions = self.models.store().await?.versions().await?;
        if self.json {
            print(format_args!("{}", serde_json::json!({ "versions": versions })));
            return Ok(());
        }
        for version in versions {
            let mark = if version.current { "*" } else { " " };
            print(format_args!("{mark} {}  {:>10} bytes", version.version, version.bytes));
        }
        Ok(())
    }
}

impl Rollback {
    pub(super) async fn run(self) -> Result<()> {
        let version = self.models.store().await?.roll_back().await?;
        if self.json {
            print(format_args!("{}", serde_json::json!({ "version": version })));
        } else {
            print(format_args!("{version} is the current model"));
        }
        Ok(())
    }
}
