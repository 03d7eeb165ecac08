//! `kinora-server recommend`.

mod evaluate;
mod rows;
mod train;
mod versions;

use clap::{Args, Subcommand};
use kinora_server::{
    Error, Result,
    recommend::{self, Interaction, Store, evaluate::Dataset},
    roles::Data,
};
use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

/// Train, keep, ask and measure models that recommend titles
#[derive(Args)]
pub(crate) struct Recommend {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Train),
    Rows(rows::Rows),
    List(versions::List),
    Rollback(versions::Rollback),
    Evaluate(Box<evaluate::Evaluate>),
}

impl Recommend {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Train(train) => train.run().await,
            Command::Rows(rows) => rows.run().await,
            Command::List(list) => list.run().await,
            Command::Rollback(rollback) => rollback.run().await,
            Command::Evaluate(evaluate) => evaluate.run(),
        }
    }
}

/// Where models are kept.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Models {
    /// The directory of the models
    #[arg(long, value_name = "DIR", env = "KINORA_MODELS")]
    models: Option<PathBuf>,
    /// The directory that a service keeps its data in, and its models
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Models {
    async fn store(&self) -> Result<Store> {
        Ok(match (&self.models, &self.data) {
            (Some(models), _) => Store::in_directory(models).await?,
            (None, Some(data)) => Data::new(data).models().await?,
            (None, None) => unreachable!("one of the two is asked for"),
        })
    }
}

/// Where events come from.
#[derive(Args)]
struct Events {
    /// Events, one JSON object a line: {"profile", "item", "at" (seconds since 1970), "kind" (watch, rate, like,
    /// dislike or list), "weight" (the fraction watched, or the stars)}; - reads standard input
    #[arg(value_name = "EVENTS")]
    events: PathBuf,
    /// Leave out lines that are no events, and say how many
    #[arg(long)]
    skip_invalid: bool,
}

impl Events {
    fn read(&self) -> Result<Vec<recommend::Result<Interaction>>> {
        let name = self.events.display().to_string();
        let reader: Box<dyn BufRead> = if self.events == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(&self.events).map_err(|error| Error::Io {
                action: "open",
                path: self.events.clone(),
                kind: error.kind(),
            })?))
        };
        let mut skipped = 0;
        let wanted = |event: &recommend::Result<Interaction>| {
            let skip = self.skip_invalid && event.is_err();
            skipped += u64::from(skip);
            !skip
        };
        let events = recommend::read(reader, &name).filter(wanted).collect();
        if skipped > 0 {
            tracing::warn!("{name}: left out {skipped} lines that are no events");
        }
        Ok(events)
    }
}

fn titles(path: Option<&Path>) -> Result<Vec<recommend::Title>> {
    Ok(path.map(Dataset::read_titles).transpose()?.unwrap_or_default())
}

/// A line on standard output. A reader that has gone away is no reason to stop.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
