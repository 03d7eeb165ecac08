//! `kinora-server import`.

use super::DataDirectory;
use clap::Args;
use kinora_server::{
    Error, Result,
    catalog::import,
    clock::Clock,
    storage::{Catalogue, catalogue::Put, sqlite::SqliteCatalogue},
};
use std::{io::Write, path::PathBuf};

/// Load titles into the catalogue, beside a running service or without one
///
/// FILE is JSON, {"titles": [...]} with titles as GET /openapi.json describes them, or CSV with a film a line.
/// Titles take the place of those of the same ids; either all are written or none.
#[derive(Args)]
pub(crate) struct Import {
    /// A file that ends in .json or .csv
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    data: DataDirectory,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(crate) async fn run(self) -> Result<()> {
        let refuse =
            |reason: String| Error::Source { source_name: self.file.display().to_string(), reason };
        let cannot_read = |error: std::io::Error| Error::Io {
            action: "read",
            path: self.file.clone(),
            kind: error.kind(),
        };
        if std::fs::metadata(&self.file).map_err(cannot_read)?.len() > import::LARGEST {
            return Err(refuse("it is larger than 64 MiB".to_owned()));
        }
        let text = std::fs::read(&self.file).map_err(cannot_read)?;
        let titles = match self.file.extension().and_then(|extension| extension.to_str()) {
            Some("json") => import::json(&text),
            Some("csv") => import::csv(&text),
            _ => return Err(refuse("its name ends neither in .json nor in .csv".to_owned())),
        };
        let titles = titles.map_err(|error| refuse(error.to_string()))?;
        let count = titles.len();
        let catalogue = SqliteCatalogue::open(&self.data.path).await?;
        let new = match catalogue.put(titles, Clock::default().now()).await? {
            Put::Done { new } => new,
            Put::Taken(id) => {
                return Err(refuse(format!(
                    "{id:?} belongs to another title; nothing was written"
                )));
            }
        };
        let mut stdout = std::io::stdout();
        // A reader that has gone away is no reason to fail: it is done.
        let _ = match self.json {
            true => writeln!(stdout, "{}", serde_json::json!({"titles": count, "new": new})),
            false => writeln!(stdout, "{count} titles, {new} of them new"),
        };
        Ok(())
    }
}
