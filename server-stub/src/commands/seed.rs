//! `kinora-server seed`.

use super::DataDirectory;
use clap::Args;
use kinora_server::{
    Error, Result,
    clock::Clock,
    roles::Data,
    seed::{self, Options, Seeded},
    storage::catalogue::Media,
    web::text::{Email, Region, Slug},
};
use std::io::Write;

/// Fill a service with something to look at: a household, old films, and an audience that has watched them
///
/// The household has a grown-up's profile and a child's, each with a history, a list and something begun. The audience
/// is made up, from a seed. A model is trained on what it watched, so that rows make sense. Seeding again adds only
/// what is missing.
#[derive(Args)]
pub(crate) struct Seed {
    #[command(flatten)]
    data: DataDirectory,
    /// What the household signs in with
    #[arg(long, value_name = "EMAIL", default_value = "demo@example.org")]
    email: Email,
    /// The household's password
    #[arg(
        long,
        value_name = "PASSWORD",
        default_value = "watch a film",
        env = "KINORA_SEED_PASSWORD",
        hide_env_values = true
    )]
    password: String,
    /// Where the household is
    #[arg(long, value_name = "REGION", default_value = "DE")]
    region: Region,
    /// Let the household edit the catalogue and run experiments
    #[arg(long)]
    admin: bool,
    /// How many others have watched
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    viewers: u32,
    /// What the audience is drawn from
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// What every title plays that has nothing of its own: a `Media` of GET /openapi.json, such as
    /// {"duration_seconds": 596, "package": "big-buck-bunny"}
    #[arg(long, value_name = "JSON", value_parser = media)]
    media: Option<Media>,
    /// A title of the catalogue that the household has on its lists besides; repeatable
    #[arg(long = "list", value_name = "TITLE")]
    listed: Vec<Slug>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn media(text: &str) -> std::result::Result<Media, String> {
    let media: Media = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if media.duration_seconds == 0 {
        return Err("duration_seconds is 0".to_owned());
    }
    Ok(media)
}

impl Seed {
    pub(crate) async fn run(self) -> Result<()> {
        if !(8..=128).contains(&self.password.chars().count()) {
            let reason = "8 to 128 characters".to_owned();
            return Err(Error::Option { flag: "--password", reason });
        }
        let options = Options {
            email: self.email,
            password: self.password,
            region: self.region.into(),
            admin: self.admin,
            viewers: self.viewers,
            seed: self.seed,
            media: self.media,
            listed: self.listed,
            now: Clock::default().now(),
        };
        let seeded = seed::seed(&Data::new(&self.data.path), &options).await?;
        let Seeded { profiles, titles, events, model } = &seeded;
        let email = options.email.as_str();
        let mut stdout = std::io::stdout();
        // A reader that has gone away is no reason to fail: it is done.
        let _ = match self.json {
            true => {
                let profiles: serde_json::Map<String, serde_json::Value> =
                    profiles.iter().map(|(name, id)| (name.clone(), id.as_str().into())).collect();
                let report = serde_json::json!({
                    "email": email, "password": options.password, "profiles": profiles,
                    "titles": titles, "events": events, "model": model,
                });
                writeln!(stdout, "{report}")
            }
            false => writeln!(
                stdout,
                "{titles} titles, {events} new events, model {model}\nsign in with {email} and \"{}\"",
                options.password
            ),
        };
        Ok(())
    }
}
