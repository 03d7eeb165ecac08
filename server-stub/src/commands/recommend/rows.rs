//! `kinora-server recommend rows`.

use super::{Events, Models, print};
use clap::Args;
use kinora_server::{
    Result,
    recommend::{Entry, Preferences, Reason, page::Options},
};

/// Print the rows that the current model makes for a profile
#[derive(Args)]
pub(crate) struct Rows {
    /// The profile, as the events name it; one they do not name has no history
    #[arg(value_name = "PROFILE")]
    profile: String,
    #[command(flatten)]
    events: Events,
    #[command(flatten)]
    models: Models,
    /// The most titles in a row
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().row_length)]
    length: usize,
    /// Print the rows as JSON
    #[arg(long)]
    json: bool,
}

impl Rows {
    pub(super) async fn run(self) -> Result<()> {
        let loaded = self.models.store().await?.load().await?;
        for refusal in &loaded.refused {
            tracing::warn!("{refusal}; using {}", loaded.version);
        }
        let mut events = self.events.read()?;
        events.retain(|event| event.as_ref().map_or(true, |event| event.profile == self.profile));
        let preferences = Preferences::collect(events, [])?;
        let known = |entry: &Entry| {
            let item = loaded.model.number(&preferences.items()[entry.item as usize])?;
            Some(Entry { item, ..*entry })
        };
        let history: Vec<Entry> = preferences.row(0).iter().filter_map(known).collect();
        let options = Options { row_length: self.length, ..Options::default() };
        let rows = loaded.model.page(&history, &options, |_| true);
        if self.json {
            print(format_args!(
                "{}",
                serde_json::json!({ "version": loaded.version, "rows": rows })
            ));
            return Ok(());
        }
        for row in rows {
            let heading = match &row.reason {
                Reason::ForYou => "For you".to_owned(),
                Reason::BecauseYouWatched { item } => format!("Because you watched {item}"),
                Reason::Genre { genre } => format!("{genre} for you"),
                Reason::NewForYou => "New for you".to_owned(),
                Reason::Trending => "Trending".to_owned(),
            };
            print(format_args!("{heading}\n  {}", row.items.join(", ")));
        }
        Ok(())
    }
}
