//! `kinora-server recommend train`.

use super::{Events, Models, print, titles};
use clap::Args;
use indicatif::ProgressBar;
use kinora_server::{
    Result,
    recommend::{
        Model, Preferences, Settings, ease,
        tune::{latest_tenth, tune},
    },
    roles::Data,
    rows::learning::gather,
    storage::sqlite::{SqliteCatalogue, SqliteHistory},
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Train a model on events and make it the current one
///
/// Events and titles come from files, or with --data from what a service keeps, beside the running service or without
/// one; it takes over the new model by itself. Settings are chosen by how well a model of the earlier nine tenths of
/// the events foretells the last one. The model is written as a new version, which becomes current in one step;
/// `recommend rollback` goes back.
#[derive(Args)]
pub(crate) struct Train {
    /// Events as `recommend rows` describes them; - reads standard input
    #[arg(value_name = "EVENTS", required_unless_present = "data", conflicts_with = "data")]
    events: Option<PathBuf>,
    /// Leave out lines that are no events, and say how many
    #[arg(long)]
    skip_invalid: bool,
    #[command(flatten)]
    models: Models,
    /// What is known of the titles: JSON lines {"id", "title", "genres", "people", "text", "year"}, or a table
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    titles: Option<PathBuf>,
    /// Take the default settings as they are
    #[arg(long)]
    no_tune: bool,
    /// The most titles to learn about from others' histories; memory grows with its square
    #[arg(long, value_name = "COUNT", default_value_t = ease::Options::default().titles)]
    max_titles: usize,
    /// The most neighbours to keep for a title
    #[arg(long, value_name = "COUNT", default_value_t = ease::Options::default().neighbours)]
    neighbours: usize,
    /// When popularity is measured, in seconds since 1970; at the latest event otherwise
    #[arg(long, value_name = "SECONDS")]
    now: Option<i64>,
    /// Remove all but so many versions, and never the current one or the one before it
    #[arg(long, value_name = "COUNT")]
    keep: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Train {
    pub(super) async fn run(self) -> Result<()> {
        let started = Instant::now();
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.set_message("Reading events");
        let (interactions, titles) = match (&self.events, &self.models.data) {
            (Some(events), _) => {
                let events = Events { events: events.clone(), skip_invalid: self.skip_invalid };
                (events.read()?, titles(self.titles.as_deref())?)
            }
            (None, Some(directory)) => {
                let log = Data::new(directory).event_log().await?;
                let history = SqliteHistory::open(directory).await?;
                let catalogue = SqliteCatalogue::open(directory).await?;
                let lessons = gather(&log, &history, &catalogue).await?;
                (lessons.interactions.into_iter().map(Ok).collect(), lessons.titles)
            }
            (None, None) => (Vec::new(), Vec::new()),
        };
        let ids = titles.iter().map(|title| title.id.clone());
        let preferences = Preferences::collect(interactions, ids)?;

        let ease = ease::Options {
            titles: self.max_titles,
            neighbours: self.neighbours,
            ..ease::Options::default()
        };
        let mut settings = Settings { ease, ..Settings::default() };
        if !self.no_tune {
            let (early, late) = latest_tenth(&preferences);
            if !early.is_empty() {
                settings = tune(&early, &late, &titles, settings, |_, value| {
                    bar.set_message(format!("Choosing settings: NDCG@10 {value:.4}"));
                })?;
            }
        }
        bar.set_message("Training");
        let now = self.now.or(preferences.latest()).unwrap_or_default();
        let model = Model::train(&preferences, &titles, settings, now)?;
        let store = self.models.store().await?;
        let version = store.publish(&model).await?;
        let removed = match self.keep {
            Some(keep) => store.prune(keep).await?,
            None => Vec::new(),
        };
        bar.finish_and_clear();

        let (profiles, entries) = model.trained_on();
        let seconds = started.elapsed().as_secs_f64();
        if self.json {
            print(format_args!(
                "{}",
                serde_json::json!({
                    "version": version, "profiles": profiles, "titles": model.titles(),
                    "entries": entries, "settings": settings, "seconds": seconds, "removed": removed,
                })
            ));
        } else {
            print(format_args!(
                "{version} is the current model: {entries} entries of {profiles} profiles on {} titles, in \
                 {seconds:.1} s",
                model.titles()
            ));
        }
        Ok(())
    }
}
